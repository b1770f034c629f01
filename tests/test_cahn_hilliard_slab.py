"""A step of the coefficients of some rows: against NumPy, and its GPU branch, thread by thread,
against the CPU's wide thread.
"""

import ctypes
import subprocess

import numpy as np
import pytest

from kernels.cahn_hilliard import STABILISATION, CahnHilliard
from kernels.cahn_hilliard_slab import SlabStep
from kernels.device import compiler, select, source_of
from tests.conftest import ROOT

SHAPE, ROWS = (8, 12, 22), range(0, 3)
RATIO, STEP = 1.3, 0.7
ENTRY = """
extern "C" void emulate(int threads, REAL* now, REAL* before, const REAL* nonlinear, const REAL* nonlinear_before, const REAL* kx,
                        const REAL* kyz, const REAL* weight, const REAL* numbers, double* sums, int planes, int line, int mean) {
  for (int block = 0; block < planes; ++block) {
    emulate_block(block);
    run_block(threads, [=] { advance_coefficients(now, before, nonlinear, nonlinear_before, kx, kyz, weight, numbers, sums, planes, line,
                                                  mean, planes); });
  }
}
"""
ORDERS = [(1, "float32", 2e-6), (2, "float32", 2e-6), (1, "float64", 1e-14), (2, "float64", 1e-14)]


def spectra(rows, precision):
    """now, before, nonlinear, nonlinear_before at random, but for the mean, which has not
    changed.
    """
    random, shape = np.random.default_rng(1), (SHAPE[0], len(rows), SHAPE[2] // 2 + 1)
    kind = np.result_type(precision, np.complex64)
    found = [
        (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(kind) for _ in range(4)
    ]
    found[1][0, 0, 0] = found[0][0, 0, 0]
    return found


def model_of(precision, **device):
    return CahnHilliard(SHAPE, epsilon=1.2, precision=precision, device=select("cpu", **device))


def stepped(model, rows, order):
    """(what comes later, sums) by the kernel."""
    now, before, nonlinear, nonlinear_before = spectra(rows, model.precision)
    step = SlabStep(model, rows, order, adaptive=True)
    if order == 1:
        return now, step(now, None, nonlinear, None, 0.0, STEP)
    return before, step(now, before, nonlinear, nonlinear_before, RATIO, STEP)


@pytest.mark.parametrize(("order", "precision", "bound"), ORDERS)
@pytest.mark.parametrize("rows", [ROWS, range(3, 12)], ids=["with the mean", "without"])
def test_against_numpy(order, precision, bound, rows):
    model = model_of(precision, workers=2)
    now, before, nonlinear, nonlinear_before = (
        a.astype(np.complex128) for a in spectra(rows, precision)
    )
    x, y, z = model.wave_numbers()
    k2 = sum(np.ix_(x, y[rows.start : rows.stop], z[: SHAPE[2] // 2 + 1]))
    w, e2, S = RATIO if order == 2 else 0.0, model.squared_width, STABILISATION
    guess = (1 + w) * now - w * before
    denominator = (1 + 2 * w) / (1 + w) + STEP * k2 * (e2 * k2 + S)
    later = (
        (1 + w) * now
        - w**2 / (1 + w) * before
        - STEP * k2 * ((1 + w) * nonlinear - w * nonlinear_before - S * guess)
    )
    later /= denominator
    if rows.start == 0:
        later[0, 0, 0] = now[0, 0, 0]
    weight = np.full(SHAPE[2] // 2 + 1, 2.0)
    weight[[0, -1]] = 1
    fall = ((nonlinear + e2 * k2 * now).conj() * (now - later)).real
    error = (
        np.abs(STEP * k2 * S * (later - guess) / denominator) ** 2 if order == 2 else np.zeros(1)
    )
    found, sums = stepped(model, rows, order)
    assert np.abs(found - later).max() < bound * np.abs(later).max()
    assert sums == pytest.approx(
        [(weight * a).sum() for a in (error, fall, np.abs(later) ** 2)], rel=10 * bound
    )
    if rows.start == 0:
        assert found[0, 0, 0] == spectra(rows, precision)[0][0, 0, 0]


def test_workers_and_lanes():
    """Workers change nothing, lanes round-off."""
    (one, sums), (three, same_sums) = (
        stepped(model_of("float32", workers=n), ROWS, 2) for n in (1, 3)
    )
    assert np.array_equal(one, three)
    assert np.array_equal(sums, same_sums)
    few, _ = stepped(model_of("float32", workers=1, lanes=4), ROWS, 2)
    assert np.abs(few - one).max() < 1e-6


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_nonlinear_part(precision):
    u = np.random.default_rng(2).normal(size=(5, 6, 7)).astype(precision)
    found = SlabStep(model_of(precision, workers=2), ROWS, 2, True).nonlinear(u.copy())
    assert np.abs(found - (u**3 - u)).max() < 40 * np.finfo(precision).eps


def test_stiffness():
    model, (now, *_) = model_of("float64"), spectra(range(12), "float64")
    field = np.fft.irfftn(now, s=SHAPE, axes=(0, 1, 2))
    now = np.fft.rfftn(field)
    surface = (
        SlabStep(model, range(12), 2, True).stiffness(now, slice(None))
        / field.size
        * model.squared_width
        / 2
    )
    assert surface == pytest.approx(
        model.energies(model.from_symmetric(field))[1] / model.energy_scale, rel=1e-12
    )


@pytest.mark.parametrize(("order", "precision", "bound"), ORDERS)
def test_gpu_branch(tmp_path, order, precision, bound):
    (tmp_path / "gpu.cpp").write_text(
        '#include "cuda_threads.h"\n' + source_of("cahn_hilliard_slab.cu") + ENTRY
    )
    real = "float" if precision == "float32" else "double"
    options = [
        "-std=c++20",
        "-O1",
        "-w",
        "-shared",
        "-fPIC",
        "-pthread",
        f"-I{ROOT / 'tests/reference'}",
        f"-DREAL={real}",
        "-DADAPTIVE=1",
        f"-DORDER={order}",
        str(tmp_path / "gpu.cpp"),
        "-o",
        str(tmp_path / "gpu.so"),
    ]
    built = subprocess.run([*compiler()[0], *options], capture_output=True, text=True)
    if "barrier" in built.stderr and "No such file" in built.stderr:
        pytest.skip("the C++ compiler has no <barrier>")
    assert built.returncode == 0, built.stderr[-2000:]
    model, threads = model_of(precision, workers=1), 32
    expected, expected_sums = stepped(model, ROWS, order)
    now, before, nonlinear, nonlinear_before = spectra(ROWS, precision)
    step = SlabStep(model, ROWS, order, adaptive=True)
    numbers = np.array(
        [STEP, RATIO if order == 2 else 0.0, model.squared_width, STABILISATION], precision
    )
    sums = np.zeros((SHAPE[0], threads, 3))
    arrays = [
        now,
        before,
        nonlinear,
        nonlinear_before,
        step.kx,
        step.kyz,
        step.weight,
        numbers,
        sums,
    ]
    ctypes.CDLL(str(tmp_path / "gpu.so")).emulate(
        threads, *(ctypes.c_void_p(a.ctypes.data) for a in arrays), step.planes, step.line, 1
    )
    assert np.abs((before if order == 2 else now) - expected).max() < 10 * bound
    assert sums.sum((0, 1)) == pytest.approx(expected_sums, rel=10 * bound)
