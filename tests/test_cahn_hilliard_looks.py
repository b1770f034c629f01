"""What is observed of fields on a GPU is measured there: as on the host, to round-off, and nothing
but numbers and kept fields travels. On a GPU made of CPU threads.
"""

import numpy as np
import pytest

from kernels import cahn_hilliard_spectrum
from kernels.cahn_hilliard import OBSERVABLES, CahnHilliard, mixtures
from kernels.cahn_hilliard_looks import DeviceLooks
from kernels.device import select
from tests.reference.emulation import emulated_gpu

CPU = select("cpu", workers=1)
NUMBERS = ("mean", "chemical_energy", "surface_energy", *OBSERVABLES[1:])
SYSTEMS = {
    "a square": ((12, 10), dict(spacing=0.9)),
    "a box": ((8, 12, 10), dict(spacing=1.1)),
    "walls": ((8, 10), dict(boundary="no_flux", spacing=1.1)),
    "walls of a box": ((8, 10, 8), dict(boundary="no_flux")),
    "finite differences": ((12, 10), dict(laplacian="finite_difference")),
    "an expression": ((12, 10), dict(form="c*log(c) + (1-c)*log(1-c) + 3*c*(1-c)")),
    "a reaction": ((12, 10), dict(reaction_rate=0.3, mobility=0.7, spacing=0.9)),
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_numbers_are_those_of_the_host(name, precision, tmp_path):
    """Of the same fields, rough, smooth and uniform ones: to 1e-12; in batches."""
    shape, system = SYSTEMS[name]
    fields = np.concatenate([mixtures([0.4, 0.5], 0.3, shape, seed=1), np.full((1, *shape), 0.3)])
    fields[1] = 0.5 + 0.4 * np.cos(2 * np.pi * np.indices(shape)[0] / shape[0])
    options = dict(epsilon=3, precision=precision, **system)
    run = CahnHilliard(shape, device=CPU, **options).run(fields, [0], observe=OBSERVABLES)
    gpu = CahnHilliard(shape, device=emulated_gpu(tmp_path), **options)
    found = DeviceLooks(gpu, list(OBSERVABLES))(gpu.device.asarray(run.fields[:, 0]))
    names = NUMBERS + ("long_range_energy",) * (gpu.reaction_rate > 0)
    assert sorted(found) == sorted(names)
    for name in names:
        expected = getattr(run, name)[:, 0]
        assert found[name] == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), name
        assert found[name].dtype == expected.dtype


RUNS = {
    "fused": ((32, 32), {}, dict()),
    "plain FFTs": ((10, 8), {}, dict()),
    "explicit": ((10, 8), dict(laplacian="finite_difference"), dict(scheme="explicit", step=1e-3)),
    "noise": (
        (10, 8),
        {},
        dict(scheme="first_order", step=1e-3, temperature=1e-3, seed=1, steady_state=None),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_numbers_alone_come_back(name, tmp_path, monkeypatch):
    """Three fields, one of them uniform, at four looks of which the last is kept."""
    monkeypatch.setattr(cahn_hilliard_spectrum, "THREADS", 64)
    shape, system, how = RUNS[name]
    start = np.concatenate([mixtures([0.3, 0.5], 0.2, shape, seed=1), np.full((1, *shape), 0.4)])
    device, came = emulated_gpu(tmp_path), []
    to_host = device.to_host

    def counted(array):
        came.append(int(np.prod(array.shape)))
        return to_host(array)

    monkeypatch.setattr(device, "to_host", counted)
    one, other = (
        CahnHilliard(shape, epsilon=3, device=each, **system).run(
            start, [0, 0.001, 0.002, 0.003], keep=[-1], observe=OBSERVABLES, **how
        )
        for each in (CPU, device)
    )
    cells = int(np.prod(shape))
    assert sum(many // cells for many in came if many >= cells) <= 3  # of a field or more
    assert one.fields.shape == other.fields.shape == (3, 1, *shape)
    for number in ("fields", *NUMBERS):
        expected, found = getattr(one, number), getattr(other, number)
        scale = np.nanmax(np.abs(expected))
        assert np.array_equal(np.isnan(expected), np.isnan(found))
        assert np.nanmax(np.abs(found - expected)) < 5e-6 * scale, number


@pytest.mark.parametrize("shape", [(32, 32), (10, 8)])
@pytest.mark.filterwarnings("ignore:concentrations are")
@pytest.mark.filterwarnings("ignore:the free energy")
@pytest.mark.parametrize("steps", [1, 3])
def test_what_blew_up_keeps_its_last_look(shape, steps, tmp_path, monkeypatch):
    """Though that look was not kept: numbers and fields from then on are its."""
    monkeypatch.setattr(cahn_hilliard_spectrum, "THREADS", 64)
    start = mixtures([0.5, 0.5], 0.1, shape, seed=10)
    start[1] = (start[1] - 0.5) * 19 + 0.5
    how = dict(scheme="second_order", step=0.5, on_blow_up="keep", steady_state=None)
    times = [0.5 * steps, 5.0, 6.0]
    one, other = (
        CahnHilliard(shape, epsilon=1.5, device=each).run(start, times, keep=[-1], **how)
        for each in (CPU, emulated_gpu(tmp_path))
    )
    assert one.diverged.tolist() == other.diverged.tolist() == [False, True]
    assert np.array_equal(one.end_time, other.end_time)
    for number in ("fields", "mean", "free_energy", "area", "perimeter"):
        expected, found = getattr(one, number), getattr(other, number)
        assert found == pytest.approx(expected, rel=2e-5, abs=2e-5), number
