"""The fused kernel's GPU branch, run thread by thread on a CPU, gives what the CPU's wide thread
gives.

256 real threads with barriers take the place of a block: the swizzled shared memory, the teams of
eight threads a line, the coefficients that each thread keeps, the sums over the block and the list
of pairs are those of a GPU.
"""

import ctypes
import subprocess

import numpy as np
import pytest

from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_fused import fused
from kernels.cahn_hilliard_lines import compiled_for, control_words, line_order, turns
from kernels.cahn_hilliard_plan import plan
from kernels.device import compiler, select, source_of
from tests.conftest import ROOT

ENTRY = """
extern "C" void run_one_block(const REAL* start, REAL* fields, const double* looks, int look_count, const REAL* symbol,
                              const REAL* turns, const double* parameters, double* steady_time, double* time, int* steps,
                              int* diverged, int pairs, int* next) {
  run_block(8 * SIZE, [=] { separate(start, fields, looks, look_count, symbol, turns, parameters, nullptr, steady_time, time,
                                     steps, diverged, pairs, 1000000, next); });
}
"""


@pytest.fixture
def gpu_branch(tmp_path):
    """gpu_branch(defines) -> library."""

    def build(defines):
        source = source_of("cahn_hilliard.cu").replace("extern __shared__ Complex shared[];", "")
        assert source.count("constexpr int CHECK") == 1
        source = source.replace(
            "constexpr int CHECK", "static Complex shared[2 * SIZE * SIZE];\nconstexpr int CHECK"
        )
        (tmp_path / "gpu.cpp").write_text('#include "cuda_threads.h"\n' + source + ENTRY)
        options = [
            "-std=c++20",
            "-O1",
            "-w",
            "-shared",
            "-fPIC",
            "-pthread",
            f"-I{ROOT / 'tests/reference'}",
        ]
        options += [
            *(f"-D{k}={v}" for k, v in defines.items()),
            str(tmp_path / "gpu.cpp"),
            "-o",
            str(tmp_path / "gpu.so"),
        ]
        built = subprocess.run([*compiler()[0], *options], capture_output=True, text=True)
        if "barrier" in built.stderr and "No such file" in built.stderr:
            pytest.skip("the C++ compiler has no <barrier>")
        assert built.returncode == 0, built.stderr[-2000:]
        return ctypes.CDLL(str(tmp_path / "gpu.so"))

    return build


@pytest.mark.parametrize(
    ("scheme", "step", "times"), [("first_order", 0.1, [0.5, 2.0]), ("adaptive", None, [0.05, 0.1])]
)
def test_same_fields(gpu_branch, scheme, step, times):
    model = CahnHilliard((32, 32), device=select("cpu", workers=1))
    start = mixtures([0.3, 0.5, 0.45, 0.6], 0.1, (32, 32), seed=1)  # two pairs, one after the other
    run = plan(model, start, times, scheme, step, 1e-4, None, None, 10**6)
    expected = fused(model, run, lambda done: None)

    library, fields = (
        gpu_branch(compiled_for(model, run.control.order, run.scheme == "adaptive")),
        np.zeros((4, 2, 32, 32), np.float32),
    )
    symbol, twist = (
        model.wave_numbers()[0][line_order(32)].astype(np.float32),
        turns(32).astype(np.float32),
    )
    steady, time = np.full(4, np.nan), np.zeros(4)
    steps, diverged, task = np.zeros(4, np.int32), np.zeros(4, np.int32), np.zeros(1, np.int32)
    words = np.array(control_words(model, run.control, run.steady_state))
    arrays = [
        np.ascontiguousarray(run.u),
        fields,
        run.looks,
        2,
        symbol,
        twist,
        words,
        steady,
        time,
        steps,
        diverged,
        2,
        task,
    ]
    library.run_one_block(
        *(
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int(a)
            for a in arrays
        )
    )
    assert np.array_equal(steps, expected.steps)
    assert np.array_equal(time, expected.time)
    assert not diverged.any()
    assert np.isnan(steady).all()
    assert np.abs(model.from_symmetric(fields) - expected.fields).max() < 1e-6
