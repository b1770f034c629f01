"""A step of the coefficients of some fields, or of some rows of one: against NumPy, and its GPU
branch, thread by thread, against the CPU's wide thread.
"""

import numpy as np
import pytest

from kernels import cahn_hilliard_spectrum
from kernels.cahn_hilliard import CahnHilliard
from kernels.cahn_hilliard_clock import CLOCK, media, rule
from kernels.cahn_hilliard_spectrum import SpectrumStep
from kernels.device import select
from tests.reference.emulation import emulated_gpu

SHAPE, ROWS = (8, 12, 22), range(0, 3)
STEPS = (0.7, 0.5, 0.8)  # this one, the last, the one before
ORDERS = [
    (order, p, 2e-6 if p == "float32" else 1e-14)
    for order in (1, 2, 3)
    for p in ("float32", "float64")
]


def spectra(rows, precision):
    """u and nonlinear part now, a step ago and two, at random; no mean."""
    random, shape = np.random.default_rng(1), (SHAPE[0], len(rows), SHAPE[2] // 2 + 1)
    kind = np.result_type(precision, np.complex64)
    found = [
        (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(kind) for _ in range(6)
    ]
    if rows.start == 0:
        for array in found:
            array[0, 0, 0] = 0
    return found[:3], found[3:]


def model_of(precision, **device):
    return CahnHilliard(SHAPE, epsilon=1.2, precision=precision, device=select("cpu", **device))


def stepper(model, rows, order):
    words = rule(model, "adaptive", None, 1e-5, None)
    step = SpectrumStep(model, words, media(model, np.array([0.2])), order, True, rows)
    clock = np.zeros(1, CLOCK)
    clock["meant"], clock["used"], clock["levels"] = STEPS[0], STEPS[1:], order
    step.set_clocks(clock)
    step.begin([np.inf])
    return step


def stepped(model, rows, order):
    """(what comes later, sums) by the kernel."""
    u, nonlinear = (
        [model.device.asarray(a) for a in part[:order]] for part in spectra(rows, model.precision)
    )
    sums = stepper(model, rows, order).advance(u, nonlinear)
    return model.device.to_host(u[order - 1]), sums[0]


@pytest.mark.parametrize(("order", "precision", "bound"), ORDERS)
@pytest.mark.parametrize("rows", [ROWS, range(3, 12)], ids=["with the mean", "without"])
def test_against_numpy(order, precision, bound, rows):
    """Weights by solving for them: the derivative at the step's end and the extrapolation are exact
    for polynomials of degree `order` and order - 1.
    """
    model = model_of(precision, workers=2)
    u, nonlinear = (
        [a.astype(np.complex128) for a in arrays[:order]] for arrays in spectra(rows, precision)
    )
    x, y, z = model.squared_wave_numbers()
    k2 = sum(np.ix_(x, y[rows.start : rows.stop], z[: SHAPE[2] // 2 + 1]))
    e2, S, dt = model.squared_width, 2.0, STEPS[0]
    times = -np.cumsum([0, *STEPS])[: order + 1]  # the step's end, and the beginnings
    powers = np.arange(order + 1)
    slope = np.linalg.solve(times[None] ** powers[:, None], (powers == 1) * 1.0)
    ahead = np.linalg.solve(times[None, 1:] ** powers[:order, None], (powers[:order] == 0) * 1.0)
    rest = [n - S * a for n, a in zip(nonlinear, u, strict=True)]
    guess = sum(w * a for w, a in zip(ahead, u, strict=True))
    explicit = sum(w * a for w, a in zip(ahead, rest, strict=True))
    assert dt < 1.4 * e2  # no share of second order
    denominator = dt * slope[0] + dt * k2 * (e2 * k2 + S)
    later = -dt * sum(w * a for w, a in zip(slope[1:], u, strict=True)) - dt * k2 * explicit
    later /= denominator
    weight = np.full(SHAPE[2] // 2 + 1, 2.0)
    weight[[0, -1]] = 1
    fall = ((nonlinear[0] + e2 * k2 * u[0]).conj() * (u[0] - later)).real
    error = np.abs(dt * k2 * S * (later - guess) / denominator) ** 2
    growing = np.abs(later) ** 2 * (e2 * k2 + 3 * 0.2**2 - 1 < 0)
    found, sums = stepped(model, rows, order)
    assert np.abs(found - later).max() < 3 * bound * np.abs(later).max()
    expected = [(weight * a).sum() for a in (error, fall, np.abs(later) ** 2, growing)]
    assert sums == pytest.approx(expected, rel=10 * bound)
    if rows.start == 0:
        assert found[0, 0, 0] == 0


def test_workers_and_lanes():
    """Workers change nothing, lanes round-off."""
    (one, sums), (three, same_sums) = (
        stepped(model_of("float32", workers=n), ROWS, 3) for n in (1, 3)
    )
    assert np.array_equal(one, three)
    assert np.array_equal(sums, same_sums)
    few, _ = stepped(model_of("float32", workers=1, lanes=4), ROWS, 3)
    assert np.abs(few - one).max() < 1e-6


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_nonlinear_part(precision, size):
    """f'(mean + v) - f'(mean), to round-off relative to v, however small."""
    v = (size * np.random.default_rng(2).normal(size=(5, 6, 7))).astype(precision)
    found = stepper(model_of(precision, workers=2), ROWS, 2).nonlinear(v.copy())
    wide = v.astype(np.longdouble)
    expected = wide**3 + 3 * 0.2 * wide**2 + (3 * np.longdouble(0.2) ** 2 - 1) * wide
    assert np.abs(found - expected).max() < 40 * size * np.finfo(precision).eps


def test_stiffness():
    model, ((now, *_), _) = model_of("float64"), spectra(range(12), "float64")
    field = np.fft.irfftn(now, s=SHAPE, axes=(0, 1, 2))
    now = np.fft.rfftn(field)
    surface = stepper(model, range(12), 2).stiffness(now, slice(None)) / field.size
    assert surface * model.squared_width / 2 == pytest.approx(
        model.energies(model.from_symmetric(field))[1] / model.energy_scale, rel=1e-12
    )


@pytest.mark.parametrize(("order", "precision", "bound"), ORDERS)
def test_gpu_branch(tmp_path, monkeypatch, order, precision, bound):
    """Thread by thread on a CPU, some rows of a field."""
    monkeypatch.setattr(cahn_hilliard_spectrum, "THREADS", 32)
    expected, expected_sums = stepped(model_of(precision, workers=1), ROWS, order)
    gpu = CahnHilliard(SHAPE, epsilon=1.2, precision=precision, device=emulated_gpu(tmp_path))
    found, sums = stepped(gpu, ROWS, order)
    assert np.abs(found - expected).max() < 10 * bound
    assert sums == pytest.approx(expected_sums, rel=10 * bound)
