"""Every kernel's GPU branch, thread by thread on a CPU, and the Python around it, on systems made
small: integer models give the CPU's bytes, fields and networks the same to round-off.
"""

from dataclasses import fields

import numpy as np
import pytest

from kernels import (
    active_ising_batch,
    cahn_hilliard_paths,
    cahn_hilliard_spectrum,
    cahn_hilliard_transport,
    conv_gru,
    conv_gru_training,
    ising,
)
from kernels.active_ising import ActiveIsing
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_explicit import explicit
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_fused import fused
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.conv_gru_training import Backpropagation
from kernels.device import FOLDER, select, source_of
from kernels.ising import Ising
from kernels.percolation import clusters
from kernels.perlin import perlin_noise
from kernels.signatures import kernels
from tests.reference.emulation import LAUNCHED, emulated_gpu

CPU = select("cpu", workers=1)
FLORY_HUGGINS = "c*log(c) + (1-c)*log(1-c) + 3*c*(1-c)"

# system, MCS, replicas, events of a unit (0: none), bytes of shared memory a block
SUBLATTICES = dict(size=24, range=6, temperature=16 / 9, field=1.3)
LATTICES = {
    "nearest": (dict(size=10, range=1, temperature=1.0, field=1.2), 6, 40, 70, 232_448),
    "random sites": (dict(size=12, range=2, temperature=16 / 9, field=1.3), 4, 40, 40, 232_448),
    "sublattices in shared memory": (SUBLATTICES, 2, 40, 33, 232_448),
    "sublattices in global memory": (SUBLATTICES, 2, 40, 0, 1),
    "more threads than attempt flips": (SUBLATTICES | {"size": 77}, 1, 8, 0, 232_448),
    "three dimensions": (
        dict(size=4, dimensions=3, temperature=3.0, field=1.5),
        *(4, 40, 40, 232_448),
    ),
    "fixed spins": (
        dict(size=10, temperature=1.0, field=1.5, fixed=np.eye(10) - np.eye(10, k=3)),
        *(6, 40, 70, 232_448),
    ),
    "heat bath, random sites": (
        dict(size=12, range=2, temperature=16 / 9, field=1.5, dynamics="heat_bath"),
        *(4, 40, 40, 232_448),
    ),
    "heat bath, sublattices": (SUBLATTICES | {"dynamics": "heat_bath"}, 2, 40, 0, 232_448),
    "heat bath, any coupling": (
        dict(
            size=7,
            range=2,
            temperature=16 / 9,
            field=1.6,
            interaction="kac",
            dynamics="heat_bath",
        ),
        *(2, 6, 3, 232_448),
    ),
    "any coupling": (
        dict(size=7, range=2, temperature=16 / 9, field=1.6, interaction="kac"),
        *(2, 6, 3, 232_448),
    ),
}


@pytest.mark.parametrize("name", LATTICES)
def test_lattices(name, tmp_path, monkeypatch):
    """Trajectories, first passages of several copies, and events."""
    monkeypatch.setattr(ising, "GPU_IDLES_TO", 0)
    system, steps, count, events, shared_bytes = LATTICES[name]
    sites = system["size"] ** system.get("dimensions", 2)
    random = np.random.default_rng(3)
    spins = np.packbits(random.random((count, sites)) < 0.8, axis=1)
    duration = np.sort(np.arange(count) % steps + 1)
    found = []
    for device in (CPU, emulated_gpu(tmp_path, shared_bytes)):
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
    assert np.array_equal(end, gpu_end), "configurations differ"
    assert not np.array_equal(end, spins)
    assert np.array_equal(passage, gpu_passage)
    assert 0 < (passage > 0).mean() < 1 or not events
    for one, other in zip(born, gpu_born, strict=True):
        assert np.array_equal(one.lifetime, other.lifetime)
        assert np.array_equal(one.history, other.history)
    if events:
        assert np.ptp(born[0].lifetime) > 0


@pytest.mark.parametrize(
    "system",
    [
        dict(size=5, temperature=2.0),
        dict(size=4, dimensions=3, temperature=3.0),
        SUBLATTICES | {"temperature": 3.0},
        dict(size=5, temperature=2.0, dynamics="kawasaki"),
        dict(size=4, dimensions=3, temperature=3.0, dynamics="kawasaki"),
        dict(size=14, range=6, temperature=3.0, dynamics="kawasaki"),
        dict(size=6, temperature=2.0, dynamics="wolff", field=0.0),
        dict(size=4, dimensions=3, temperature=4.0, dynamics="wolff", field=0.0),
        dict(size=7, temperature=3.0, dynamics="wolff", field=0.0, interaction="kac", range=0.7),
    ],
)
def test_paths(system, tmp_path):
    """Trajectories that are looked at, and trials between two magnetizations."""
    found = []
    for device in (CPU, emulated_gpu(tmp_path)):
        model = Ising(device=device, **{"field": 0.6, **system})
        spins = model.pack(np.random.default_rng(3).choice([-1, 1], (40, *model.shape)))
        run = model.run(spins, [1, 3], snapshots=True)
        found.append([run.spins, run.magnetization, run.energy, run.snapshots])
        assert not np.array_equal(run.spins, spins)
        if model.dynamics in ("kawasaki", "wolff"):
            continue
        trials = model.shoot(
            spins, np.arange(60) % 40, low=model.sites // 2 - 4, high=model.sites // 2 + 4, seed=2
        )
        assert trials[0].all()
        found[-1] += trials
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


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
        for device in (CPU, emulated_gpu(tmp_path))
    )
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.size, other.size)
    assert len(np.unique(one.size)) > 3


@pytest.mark.parametrize(("size", "points"), [(12, 3), (8, 8)])
def test_noise(size, points, tmp_path):
    seed, index = 2**33 + 1, [5, 2**40 + 3]
    one, other = (
        perlin_noise((size,) * 3, [points] * 2, seed, index, device=device)
        for device in (CPU, emulated_gpu(tmp_path))
    )
    assert np.array_equal(one, other)


# shape, scheme, step, times, and the path that is meant
STEPS = {
    "first_order": (0.1, [0.5, 2.0]),
    "second_order": (0.1, [0.2, 1.0]),
    "adaptive": (None, [0.002, 0.004]),
}
FIELDS = {
    **{
        f"fused, {size}, {scheme}": ((size, size), scheme, *steps, fused)
        for size in (32, 64)
        for scheme, steps in STEPS.items()
    },
    "plain FFTs": ((10, 8), "second_order", 0.1, [0.2, 0.5], by_fft),
    "plain FFTs in a box": ((8, 8, 10), "adaptive", None, [0.001], by_fft),
    "explicit": ((10, 8, 12), "explicit", 1e-4, [0.001], explicit),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name, tmp_path, monkeypatch):
    """Three fields, one after the other, at their looks."""
    monkeypatch.setattr(cahn_hilliard_spectrum, "THREADS", 64)
    shape, scheme, step, times, path = FIELDS[name]
    start = mixtures([0.3, 0.5, 0.6], 0.1, shape, seed=1)
    found = []
    for device in (CPU, emulated_gpu(tmp_path)):
        laplacian = "finite_difference" if scheme == "explicit" else "spectral"
        model = CahnHilliard(shape, device=device, laplacian=laplacian)
        if device is not CPU:
            assert cahn_hilliard_paths.choose(model, scheme) is path
        found.append(model.run(start, times, scheme=scheme, step=step, observe=False))
    one, other = found
    assert np.array_equal(one.steps, other.steps)
    assert np.abs(one.fields - other.fields).max() < 2e-6
    assert np.abs(one.fields[:, -1] - start).max() > 1e-3


OWN = {
    "an expression, fused": ((32, 32), dict(form=FLORY_HUGGINS), [0.002, 0.004]),
    "an expression, plain FFTs": ((10, 8), dict(form=FLORY_HUGGINS), [0.002]),
    "a mobility of c": ((10, 8), dict(mobility="c*(1-c)"), [0.002]),
    "walls": ((8, 10), dict(boundary="no_flux"), [0.002]),
    "a reaction, fused": ((32, 32), dict(reaction_rate=2.0, reaction_mean=0.7), [0.002, 0.004]),
    "a reaction, plain FFTs": ((10, 8), dict(reaction_rate=2.0, reaction_mean=0.7), [0.002]),
    "a reaction in a box": ((8, 8, 10), dict(reaction_rate=2.0), [0.001]),
}


@pytest.mark.parametrize("name", OWN)
def test_systems_of_ones_own(name, tmp_path, monkeypatch):
    monkeypatch.setattr(cahn_hilliard_spectrum, "THREADS", 64)
    monkeypatch.setattr(cahn_hilliard_transport, "THREADS", 64)
    shape, system, times = OWN[name]
    start = mixtures([0.3, 0.5], 0.2, shape, seed=1)
    one, other = (
        CahnHilliard(shape, epsilon=2, device=device, **system).run(start, times, observe=False)
        for device in (CPU, emulated_gpu(tmp_path))
    )
    assert np.array_equal(one.steps, other.steps)
    assert np.abs(one.fields - other.fields).max() < 2e-6
    assert np.abs(one.fields[:, -1] - start).max() > 1e-4


def test_thermal_noise(tmp_path, monkeypatch):
    """The same noise at every cell, so that fields are the same to round-off."""
    monkeypatch.setattr(cahn_hilliard_transport, "THREADS", 64)
    start, fixed = mixtures([0.3, 0.5], 0.1, (10, 8), seed=1), dict(scheme="first_order", step=0.1)
    one, other = (
        CahnHilliard((10, 8), device=device, epsilon=2).run(
            start, [0.5], temperature=0.01, seed=2**33 + 1, steady_state=None, **fixed
        )
        for device in (CPU, emulated_gpu(tmp_path))
    )
    assert np.abs(one.fields - other.fields).max() < 2e-6
    calm = CahnHilliard((10, 8), device=CPU, epsilon=2).run(start, [0.5], **fixed)
    assert np.abs(one.fields - calm.fields).max() > 0.01


FLOCKS = {
    "standard": (dict(size=12, algorithm="standard"), [0.95, 0.5], [3, 1.5], [0, 1], 65536),
    "standard, particles in global memory": (
        dict(size=12, algorithm="standard"),
        [0.95],
        [3],
        [0],
        20_000,
    ),
    "standard, dense": (
        dict(size=4, algorithm="standard"),
        [0.7],
        [9],
        [0],
        65536,
    ),  # a conflict in almost every batch
    "continuous time": (
        dict(size=12, algorithm="continuous_time"),
        [0.3, 0.8],
        [3, 2],
        [1, 0],
        65536,
    ),
    "continuous time, dense": (dict(size=4, algorithm="continuous_time"), [0.5], [12], [0], 0),
    "wide counters": (
        dict(size=3, algorithm="continuous_time"),
        [0.6],
        [39],
        [1],
        65536,
    ),  # some site holds 64 of a spin soon
    "wide codes": (dict(size=130, algorithm="continuous_time"), [0.4], [0.05], [0], 0),
}


@pytest.mark.parametrize("name", FLOCKS)
def test_flocks(tmp_path, monkeypatch, name):
    """Attempts evaluated side by side, the first conflict found, what precedes it carried out."""
    system, temperature, density, start, shared_bytes = FLOCKS[name]
    monkeypatch.setattr(
        active_ising_batch, "FIRST_LAUNCH", 777
    )  # several launches, which end within a batch
    times = [0, 0.07, 0.3]
    cpu = ActiveIsing(**system, device=select("cpu", workers=1)).run(
        temperature, density, start, times, seed=2**35 + 3
    )
    gpu = ActiveIsing(**system, device=emulated_gpu(tmp_path, shared_bytes)).run(
        temperature, density, start, times, seed=2**35 + 3
    )
    for field in fields(cpu):
        assert np.array_equal(getattr(cpu, field.name), getattr(gpu, field.name)), field.name
    maps = (cpu.magnetization_map[:, -1], cpu.density_map[:, -1])  # and on from there
    on = [
        ActiveIsing(**system, device=device).run(temperature, None, maps, times, seed=5)
        for device in (
            select("cpu", workers=1),
            emulated_gpu(tmp_path, shared_bytes),
        )
    ]
    for field in fields(cpu):
        assert np.array_equal(*(getattr(each, field.name) for each in on)), field.name
    assert (cpu.attempts > 256).all()
    assert np.any(cpu.magnetization_map[:, 0] != cpu.magnetization_map[:, -1])


@pytest.mark.parametrize(("output", "hidden"), [("staggered", 4), ("sigmoid", 3)])
def test_networks(tmp_path, monkeypatch, output, hidden):
    """A rollout by a graph, and the gradient: tiles of 32 cells, one cell a thread, a task of a
    parameter's gradient a block, sums over its threads through shared memory.
    """
    shape, count, frames = (3, 4, 5), 2, 3
    monkeypatch.setattr(conv_gru, "GPU_THREADS", 32)
    monkeypatch.setattr(conv_gru_training, "GPU_THREADS", 32)
    monkeypatch.setattr(conv_gru_training, "GPU_PORTIONS", 2)
    parameters, truth = (
        random_parameters(1, hidden, output),
        np.random.default_rng(1).random((count, frames, *shape), np.float32),
    )
    found = []
    for device in (select("cpu", 1), emulated_gpu(tmp_path)):
        network = ConvGRU(parameters, shape, count, output, device)
        network.start(truth[:, 0])
        network.advance(7)  # the first two by themselves, pairs as a graph, one more
        remembers = ConvGRU(parameters, shape, count, output, device, memory=11)
        remembers.start(truth[:, 0])
        remembers.advance(20)  # graphs between two beginnings
        training = Backpropagation(network, frames)
        flat = np.concatenate([value.ravel() for value in parameters.values()])
        for scale in (1, 0.9):  # once by single launches, then by graphs, with other weights
            training.load(np.float32(scale) * flat)
            loss, gradient = training.gradient(truth, 1, 0.5)
        fields = (network.fields(), remembers.fields())
        found.append((fields, network.hidden_states(), loss, device.to_host(gradient)))
    (phi, states, loss, gradient), (gpu_phi, gpu_states, gpu_loss, gpu_gradient) = found
    assert np.abs(np.subtract(phi, gpu_phi)).max() < 4e-6, "fields differ"
    assert np.abs(states - gpu_states).max() < 1e-6
    assert loss == pytest.approx(gpu_loss, rel=1e-6)
    assert (
        np.abs(gradient - gpu_gradient).max() < 1e-4 * np.abs(gradient).max()
    )  # sums over cells, in another order


def test_every_kernel_was_launched(request):
    """By the tests above."""
    if request.config.getoption("keyword") or any("::" in each for each in request.config.args):
        pytest.skip("some of the tests above were left out")
    there = {
        (source_of(path.name), kernel, path.name)
        for path in FOLDER.glob("*.cu")
        for kernel in kernels(source_of(path.name))
    }
    never = sorted(
        f"{file}: {kernel}" for code, kernel, file in there if (code, kernel) not in LAUNCHED
    )
    assert not never
