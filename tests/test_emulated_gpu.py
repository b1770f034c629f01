"""Every kernel's GPU branch, thread by thread on a CPU, and the Python around it, on systems made
small: integer models give the CPU's bytes, fields and networks the same to round-off.
"""

import numpy as np
import pytest

from kernels import cahn_hilliard_paths
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_explicit import explicit
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_fused import fused
from kernels.device import select
from kernels.ising import Ising
from kernels.percolation import clusters
from kernels.perlin import perlin_noise
from tests.reference.emulation import EmulatedGpu

CPU = select("cpu", workers=1)

# system, MCS, replicas, events of a unit (0: none), bytes of shared memory a block
SUBLATTICES = dict(size=24, range=6, temperature=16 / 9, field=1.3)
LATTICES = {
    "nearest": (dict(size=10, range=1, temperature=1.0, field=1.2), 6, 40, 70, 232_448),
    "random sites": (dict(size=12, range=2, temperature=16 / 9, field=1.3), 4, 40, 40, 232_448),
    "sublattices in shared memory": (SUBLATTICES, 2, 40, 33, 232_448),
    "sublattices in global memory": (SUBLATTICES, 2, 40, 0, 1),
    "any coupling": (
        dict(size=7, range=2, temperature=16 / 9, field=1.6, interaction="kac"),
        *(2, 6, 3, 232_448),
    ),
}


@pytest.mark.parametrize("name", LATTICES)
def test_lattices(name, tmp_path):
    """Trajectories, first passages of several copies, and events."""
    system, steps, count, events, shared_bytes = LATTICES[name]
    sites, random = system["size"] ** 2, np.random.default_rng(3)
    spins = np.packbits(random.random((count, sites)) < 0.8, axis=1)
    duration = np.sort(np.arange(count) % steps + 1)
    found = []
    for device in (CPU, EmulatedGpu(tmp_path, shared_bytes)):
        model = Ising(device=device, **system)
        end = model.evolve(spins, steps, seed=5)
        passage = model.intervene(seed=5, unit=1, spins=spins, duration=duration, copies=2)
        born = (
            model.nucleate(seed=7, units=[0, 3], events=events, history=2, equilibration=2)
            if events
            else []
        )
        found.append((end, passage, born))
    (end, passage, born), (gpu_end, gpu_passage, gpu_born) = found
    assert np.array_equal(end, gpu_end)
    assert not np.array_equal(end, spins)
    assert np.array_equal(passage, gpu_passage)
    assert 0 < (passage > 0).mean() < 1
    for one, other in zip(born, gpu_born, strict=True):
        assert np.array_equal(one.lifetime, other.lifetime)
        assert np.array_equal(one.history, other.history)
    if events:
        assert np.ptp(born[0].lifetime) > 0


def test_clusters(tmp_path):
    model = Ising(size=16, range=3, temperature=16 / 9, field=1.0, device=CPU)
    spins = np.packbits(np.random.default_rng(1).random((6, 256)) < 0.5, axis=1)
    bonds = {"coupling_table": model.coupling_table(), "temperature": 16 / 9}
    one, other = (
        clusters(
            spins,
            bonds="density_corrected",
            seed=1,
            index=np.arange(6),
            device=device,
            labels=True,
            **bonds,
        )
        for device in (CPU, EmulatedGpu(tmp_path))
    )
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.size, other.size)
    assert len(np.unique(one.size)) > 3


@pytest.mark.parametrize(("size", "points"), [(12, 3), (8, 8)])
def test_noise(size, points, tmp_path):
    seed, index = 2**33 + 1, [5, 2**40 + 3]
    one, other = (
        perlin_noise((size,) * 3, [points] * 2, seed, index, device=device)
        for device in (CPU, EmulatedGpu(tmp_path))
    )
    assert np.array_equal(one, other)


# shape, scheme, step, times, and the path that is meant
FIELDS = {
    "fused squares": ((32, 32), "adaptive", None, [0.002, 0.004], fused),
    "plain FFTs": ((10, 8), "second_order", 0.1, [0.2, 0.5], by_fft),
    "plain FFTs in a box": ((8, 8, 10), "adaptive", None, [0.001], by_fft),
    "explicit": ((10, 8, 12), "explicit", 1e-4, [0.001], explicit),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name, tmp_path):
    shape, scheme, step, times, path = FIELDS[name]
    start = mixtures([0.3, 0.5, 0.6], 0.1, shape, seed=1)
    found = []
    for device in (CPU, EmulatedGpu(tmp_path)):
        laplacian = "finite_difference" if scheme == "explicit" else "spectral"
        model = CahnHilliard(shape, device=device, laplacian=laplacian)
        if device is not CPU:
            assert cahn_hilliard_paths.choose(model, scheme) is path
        found.append(model.run(start, times, scheme=scheme, step=step, observe=False))
    one, other = found
    assert np.array_equal(one.steps, other.steps)
    assert np.abs(one.fields - other.fields).max() < 2e-6
    assert np.abs(one.fields[:, -1] - start).max() > 1e-3
