"""The network whose parameters are committed with the results: layers stand still, the mean stays,
new starts are followed.
"""

import numpy as np
import pytest
from conftest import ROOT

from jobs.coarsening.fields import downscale
from jobs.coarsening.measures import energies
from kernels.cahn_hilliard import coarsening
from kernels.conv_gru import ConvGRU
from kernels.device import select
from kernels.perlin import perlin_noise

WIDTH, SPACING = 3.0, 2.0


@pytest.fixture(scope="module")
def parameters():
    with np.load(ROOT / "analysis/results/coarsening/staggered.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def device():
    return select("cpu", workers=1)


def truth(phi, times, device):
    """Fields at `times` from phi (32, 32, 32), on the network's 16^3 cells."""
    model = coarsening(phi.shape, WIDTH, laplacian="finite_difference", device=device)
    run = model.run(phi[None], times, tolerance=1e-5, steady_state=None, observe=False)
    return downscale(run.fields[0], 2, "nearest")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layers_stand_still(parameters, device, axis):
    """Two flat interfaces at rest on the solver's grid; 2 000 steps of the network, a hundred times
    as long as what it was trained on.  A little is other in each step since the hidden states began
    anew: compared are steps of one age.
    """
    x = np.arange(32) + 0.5
    profile = np.tanh(3 * (x - 8) / WIDTH) / 2 - np.tanh(3 * (x - 24) / WIDTH) / 2
    layers = np.moveaxis(np.broadcast_to(profile, (32, 32, 32)), 2, axis).astype(np.float32)
    start = truth(np.ascontiguousarray(layers), [0, 20.0], device)[1]
    network = ConvGRU(parameters, start.shape, device=device)
    network.start(start[None])
    network.advance(52 * network.memory)
    settled = network.fields()[0]
    network.advance(52 * network.memory)
    end = network.fields()[0]
    other = tuple(k for k in range(3) if k != axis)
    displacement = np.sqrt(
        ((end - start) ** 2).mean() * WIDTH / (2 / (16 * SPACING))
    )  # eq. 4: F / V of two layers is 2 / side
    assert displacement < SPACING / 4
    assert np.abs(end - settled).max() < 0.01  # along the slowest axis it is 0.004
    assert np.ptp(end, axis=other).max() < 0.02  # still flat
    assert abs(end.mean(dtype=np.float64) - start.mean(dtype=np.float64)) < 1e-6


def test_a_start_it_has_never_seen_is_followed(parameters, device):
    """Better than a tenth of persistence over 40 frames, twice as many as it was trained on; F
    within 10%.
    """
    noise = perlin_noise((32, 32, 32), [4], seed=987654321, device=device)[0]
    phi = 0.5 + 0.1 * (noise - noise.mean()) / noise.std()
    frames = truth(phi.astype(np.float32), list(range(41)), device)
    network = ConvGRU(parameters, (16, 16, 16), device=device)
    network.start(frames[:1])
    errors = []
    for frame in frames[1:]:
        network.advance(1)
        errors.append(((network.fields()[0] - frame) ** 2).mean())
    assert np.mean(errors) < 0.1 * ((frames[1:] - frames[0]) ** 2).mean()
    found, wanted = (energies(f, SPACING, WIDTH) for f in (network.fields()[0], frames[-1]))
    assert found == pytest.approx(wanted, rel=0.1)
