"""kernels.conv_gru against the same network of torch's modules, both ways; and what the divergence
layer conserves.
"""

import math

import numpy as np
import pytest
import torch

from kernels import conv_gru_file
from kernels.conv_gru import OUTPUTS, ConvGRU, parameter_shapes, random_parameters
from kernels.conv_gru_training import Backpropagation
from kernels.device import select
from tests.reference import conv_gru as reference

SHAPES = [
    (16, 16, 16),
    (8, 5, 9),
    (4, 6, 33),
]  # whole vectors; none, and an odd number of rows; two and one cell
ROUND_OFF = 3e-6  # of phi after three steps: sums of some hundred products in float32


def fields(shape, count=2, seed=0):
    return np.random.default_rng(seed).random((count, *shape), np.float32)


def flat(parameters):
    return np.concatenate([value.ravel() for value in parameters.values()])


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def test_the_papers_number_of_parameters():
    assert sum(math.prod(shape) for shape in parameter_shapes().values()) == 29183
    assert sum(p.numel() for p in reference.ConvGRU().parameters()) == 29183
    shapes = parameter_shapes()
    assert shapes["cells.0.input.spatial.weight"] == (30, 1, 3, 3, 3)
    assert shapes["cells.1.input.spatial.weight"] == (30, 10, 3, 3, 3)
    assert shapes["cells.1.state.mixing.weight"] == (20, 20, 1, 1, 1)
    assert shapes["head.flux.weight"] == (3, 10, 3, 3, 3)
    assert parameter_shapes(output="sigmoid")["head.flux.weight"] == (1, 10, 3, 3, 3)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_equal_torchs(device, shape, output):
    parameters, phi = random_parameters(1, output=output), fields(shape)
    network = ConvGRU(parameters, shape, 2, output, device)
    network.start(phi)
    network.advance(3)
    with torch.inference_mode():
        torchs, states = torch.from_numpy(phi)[:, None], None
        other = reference.ConvGRU(output=output).take(parameters)
        for _ in range(3):
            torchs, states = other(torchs, states)
    assert np.abs(network.fields() - torchs[:, 0].numpy()).max() < ROUND_OFF
    assert np.abs(network.fields() - phi).max() > 1e-2
    for mine, theirs in zip(network.hidden_states(), states, strict=True):
        assert np.abs(mine - theirs.numpy()).max() < ROUND_OFF


@pytest.mark.parametrize("hidden", [1, 2, 7, pytest.param(16, marks=pytest.mark.slow)])
def test_any_number_of_hidden_channels(device, hidden):
    parameters, phi = random_parameters(2, hidden), fields((6, 4, 8), 1)
    network = ConvGRU(parameters, (6, 4, 8), device=device)
    network.start(phi)
    network.advance(2)
    with torch.inference_mode():
        other = reference.ConvGRU(hidden).take(parameters)
        expected = other(*other(torch.from_numpy(phi)[:, None]))[0][:, 0].numpy()
    assert np.abs(network.fields() - expected).max() < ROUND_OFF


@pytest.mark.parametrize(
    ("shape", "output", "given", "penalty", "hidden"),
    [
        ((8, 8, 16), "staggered", 1, 0.0, 10),
        ((4, 5, 9), "staggered", 3, 0.0, 10),
        ((4, 4, 8), "central", 2, 0.0, 4),
        ((4, 6, 17), "sigmoid", 1, 3.0, 10),
        ((4, 4, 8), "staggered", 4, 0.0, 6),
    ],
)
def test_gradients_equal_torchs(device, shape, output, given, penalty, hidden):
    """Against autograd in float64; what float32 rounds off is measured by autograd in float32, and
    ten times that is allowed.
    """
    parameters, truth = random_parameters(3, hidden, output), fields((5, *shape), seed=4)
    network = ConvGRU(parameters, shape, 2, output, device)
    training = Backpropagation(network, 5)
    training.load(flat(parameters))
    loss, gradient = training.gradient(truth, given, penalty)
    gradient = device.to_host(gradient)
    found = {}
    for dtype in (torch.float64, torch.float32):
        other = reference.ConvGRU(hidden, output).take(parameters).to(dtype)
        expected = reference.sequence_loss(other, torch.from_numpy(truth).to(dtype), given, penalty)
        expected.backward()
        found[dtype] = {
            name: dict(other.named_parameters())[other.name_of(name)].grad.numpy()
            for name in parameters
        }
        if dtype == torch.float64:
            assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    scale = max(np.abs(g).max() for g in found[torch.float64].values())
    for name, index in network.packing.index.items():
        exact = found[torch.float64][name]
        round_off = np.abs(found[torch.float32][name] - exact).max()
        assert (
            np.abs(gradient[index] - exact).max()
            < 10 * round_off + 2e-6 * np.abs(exact).max() + 1e-7 * scale
        ), name


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_is_not_a_number_stays_none(device, output):
    """Whether phi or the parameters hold it: no gate may turn it into a number that looks sound."""
    parameters, phi = random_parameters(1, 4, output), fields((8, 8, 8), 1)
    network = ConvGRU(parameters, (8, 8, 8), output=output, device=device)
    network.start(phi)
    phi[0, 4, 4, 4] = np.nan
    network.put(network.phi, device.asarray(phi, np.float32)[:, None])
    network.advance(1)
    assert np.isnan(network.fields()[0, 4, 4, 4])
    network = ConvGRU(
        {name: np.full_like(value, np.nan) for name, value in parameters.items()},
        (8, 8, 8),
        output=output,
        device=device,
    )
    network.start(fields((8, 8, 8), 1))
    network.advance(1)
    assert np.isnan(network.fields()).all()


def test_gradients_do_not_add_up_over_calls():
    parameters, truth = random_parameters(5), fields((4, 8, 8, 8), 1)
    training = Backpropagation(ConvGRU(parameters, (8, 8, 8), device=select("cpu", 1)), 4)
    training.load(flat(parameters))
    first, second = training.gradient(truth), training.gradient(truth)
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])


def test_the_number_of_workers_does_not_change_a_rollout():
    parameters, phi, found = random_parameters(1), fields((6, 7, 20), 1), []
    for workers in (1, 3):
        network = ConvGRU(parameters, (6, 7, 20), device=select("cpu", workers))
        network.start(phi)
        network.advance(5)
        found.append(network.fields())
    assert np.array_equal(*found)


def test_a_rollout_goes_on_exactly():
    parameters, phi, device = random_parameters(1), fields((8, 8, 8), 2), select("cpu", 1)
    whole = ConvGRU(parameters, (8, 8, 8), 2, device=device)
    whole.start(phi)
    whole.advance(7)
    first, second = (ConvGRU(parameters, (8, 8, 8), 2, device=device) for _ in range(2))
    first.start(phi)
    first.advance(4)
    second.start(first.fields(), first.hidden_states())
    second.advance(3)
    assert np.array_equal(whole.fields(), second.fields())
    assert np.array_equal(whole.hidden_states(), second.hidden_states())


def with_memory(memory, phi, device):
    return ConvGRU(random_parameters(1), phi.shape[1:], len(phi), "staggered", device, memory)


@pytest.mark.parametrize("memory", [1, 2, 9])
def test_hidden_states_begin_anew(device, memory):
    """Against torch's modules, whose states are dropped by hand after every `memory` steps."""
    phi, steps = fields((4, 5, 8)), 21
    network = with_memory(memory, phi, device)
    network.start(phi)
    found = []
    for few in (3, 1, 9, 8):
        network.advance(few)
        found.append(network.fields())
    other, now, expected = reference.ConvGRU().take(random_parameters(1)), phi[:, None], []
    now, states = torch.from_numpy(now), None
    with torch.inference_mode():
        for step in range(steps):
            now, states = other(now, None if step % memory == 0 else states)
            expected.append(now[:, 0].numpy())
    for step, mine in zip((3, 4, 13, 21), found, strict=True):
        assert np.abs(mine - expected[step - 1]).max() < 3 * ROUND_OFF  # of up to 21 steps, not 3
    for_ever = with_memory(0, phi, device)
    for_ever.start(phi)
    for_ever.advance(steps)
    assert np.abs(for_ever.fields() - found[-1]).max() > 1e-4


@pytest.mark.parametrize("pause", [2, 7, 9, 10, 15, 19])
def test_a_network_with_a_memory_goes_on_exactly(pause):
    phi, device = fields((6, 5, 8)), select("cpu", 1)
    whole, first, second = (with_memory(9, phi, device) for _ in range(3))
    whole.start(phi)
    whole.advance(20)
    first.start(phi)
    first.advance(pause)
    second.resume(first.state())
    second.advance(20 - pause)
    for name, values in whole.state().items():
        assert np.array_equal(values, second.state()[name]), name
    whole.start(phi)  # from the beginning, whatever was seen before
    whole.advance(pause)
    assert np.array_equal(whole.fields(), first.fields())


def test_a_files_network_has_the_memory_of_its_training(tmp_path):
    about, phi = conv_gru_file.About("staggered", 3.0, 2.0, 1.0, memory=9), fields((6, 5, 8), 1)
    conv_gru_file.write(tmp_path / "mine.npz", random_parameters(1), about)
    assert "begin anew after 9 steps" in str(about)
    limits = {}
    for given in (None, 0, 5):
        network = ConvGRU.from_file(tmp_path / "mine.npz", phi.shape[1:], memory=given)
        limits[given] = network.memory
    assert limits == {None: 9, 0: 0, 5: 5}
    assert ConvGRU(random_parameters(1), (6, 5, 8)).memory == 0
    with pytest.raises(ValueError, match="state has no age; state\\(\\) gives all three"):
        network.resume({"phi": phi, "hidden": np.zeros((2, 1, 10, *phi.shape[1:]), np.float32)})
    with pytest.raises(ValueError, match="memory is -1; it must be a whole number from 0"):
        ConvGRU(random_parameters(1), (6, 5, 8), memory=-1)


@pytest.mark.parametrize("output", ["staggered", "central"])
def test_mean_is_conserved_over_ten_thousand_steps(device, output):
    """A step rounds phi by up to 2^-25 of its size, with either sign: after 10^4 steps the mean of
    256 cells is off by some 2^-25 sqrt(10^4 / 256 / 3) = 1e-7 of it; ten times that is allowed.
    (Untrained, the network lets phi grow.)
    """
    shape, parameters = (4, 4, 16), random_parameters(1, output=output)
    network = ConvGRU(
        {name: value * (0.05 if "flux" in name else 1) for name, value in parameters.items()},
        shape,
        1,
        output,
        device,
    )
    phi = fields(shape, 1)
    network.start(phi)
    network.advance(10_000)
    assert np.isfinite(network.fields()).all()
    assert np.abs(network.fields() - phi).max() > 1e-3
    drift = abs(network.fields().mean(dtype=np.float64) - phi.mean(dtype=np.float64))
    assert drift < 1e-6 * np.abs(network.fields()).max()


def diverge(network, phi, fluxes):
    """phi + div J of the layer alone, J (1, 3, x, y, z)."""
    at, to, j = network.empty(1), network.empty(1), network.empty(3)
    network.put(at, network.device.asarray(phi[:, None]))
    network.put(j, network.device.asarray(fluxes))
    network.launch("divergence", phi=at, fluxes=j, next_phi=to)
    return network.device.to_host(network.view(to))[:, 0]


def test_central_differences_conserve_a_checkerboard_exactly(device):
    """Whatever J is: whole numbers, so that nothing is rounded."""
    shape, random = (6, 4, 18), np.random.default_rng(1)
    sign = (-1.0) ** np.indices(shape).sum(0)
    phi, fluxes = (
        np.float32(5 * sign)[None],
        random.integers(-50, 50, (1, 3, *shape)).astype(np.float32) * 2,
    )
    central = diverge(
        ConvGRU(random_parameters(1, output="central"), shape, output="central", device=device),
        phi,
        fluxes,
    )
    assert (central != phi).mean() > 0.9
    assert (central * sign).sum() == (phi * sign).sum()
    for parity in np.ndindex(2, 2, 2):  # of each of the eight sublattices even the sum
        cut = (0, *(slice(p, None, 2) for p in parity))
        assert central[cut].sum() == phi[cut].sum()
    staggered = diverge(ConvGRU(random_parameters(1), shape, device=device), phi, fluxes)
    assert (staggered * sign).sum() != (phi * sign).sum()
    assert staggered.sum() == phi.sum()


def test_staggered_fluxes_down_the_gradient_remove_a_checkerboard_at_the_discrete_rate(device):
    """J = D grad phi on faces, D = 1/32: a checkerboard is an eigenvector of the seven-point
    Laplacian, -12; exact in binary.
    """
    shape = (4, 6, 18)
    sign = ((-1.0) ** np.indices(shape).sum(0)).astype(np.float32)[None]
    network, phi = ConvGRU(random_parameters(1), shape, device=device), sign
    for step in range(1, 4):
        fluxes = np.stack([np.roll(phi, -1, axis) - phi for axis in (1, 2, 3)], 1) / np.float32(32)
        phi = diverge(network, phi, fluxes)
        assert np.array_equal(phi, np.float32((1 - 12 / 32) ** step) * sign)


def test_bad_input():
    device, parameters = select("cpu", 1), random_parameters(1)
    with pytest.raises(ValueError, match="at least 3 cells"):
        ConvGRU(parameters, (2, 8, 8), device=device)
    with pytest.raises(ValueError, match="output is 'upwind'"):
        ConvGRU(parameters, (8, 8, 8), output="upwind", device=device)
    with pytest.raises(
        ValueError, match=r"head\.flux\.weight is \(3, 10, 3, 3, 3\); output sigmoid"
    ):
        ConvGRU(parameters, (8, 8, 8), output="sigmoid", device=device)
    with pytest.raises(ValueError, match=r"head\.first\.bias is missing"):
        ConvGRU({}, (8, 8, 8), device=device)
    with pytest.raises(ValueError, match=r"this network is for \(1, 8, 8, 8\)"):
        ConvGRU(parameters, (8, 8, 8), device=device).start(np.zeros((1, 8, 8, 9)))
    training = Backpropagation(ConvGRU(parameters, (8, 8, 8), device=device), 3)
    for truth, given in ((np.zeros((1, 4, 8, 8, 8)), 1), (np.zeros((1, 3, 8, 8, 8)), 3)):
        with pytest.raises(ValueError, match="given is"):
            training.gradient(truth, given)
    with pytest.raises(ValueError, match="two or more"):
        Backpropagation(training.network, 1)
