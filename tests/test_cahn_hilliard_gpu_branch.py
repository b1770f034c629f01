"""The fused kernel's GPU branch, run thread by thread on a CPU, gives what the CPU's wide thread
gives.

Real threads with barriers take the place of a block: the swizzled shared memory, the teams of eight
threads a line, the coefficients that each thread keeps, the sums over the block and the list of
fields are those of a GPU. ThreadSanitizer looks for barriers that are missing.
"""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest

from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_clock import CLOCK
from kernels.cahn_hilliard_fused import fused
from kernels.cahn_hilliard_lines import compiled_for, line_order, turns
from kernels.cahn_hilliard_plan import plan
from kernels.device import compiler, select, source_of
from tests.conftest import ROOT
from tests.reference import emulation

WATCHED = os.environ.pop("LD_PRELOAD", "").endswith("libtsan.so")  # not for the compiler
ENTRY = """
extern "C" void run_one_block(const REAL* start, const double* media, REAL* fields, const double* looks, int look_count,
                              const REAL* symbol, const REAL* turns, const double* rule, double* clocks, int count, int* next) {
  run_block(4 * SIZE, [=] { separate(start, media, fields, looks, look_count, symbol, turns, rule, nullptr, clocks, count, 1000000,
                                     next); });
}
extern "C" int address(int y, int i) { return at(y, i); }
"""


@pytest.fixture
def gpu_branch(tmp_path):
    """gpu_branch(defines) -> library."""

    def build(defines):
        source = source_of("cahn_hilliard.cu").replace("extern __shared__ Complex shared[];", "")
        assert source.count("struct Column {") == 1
        source = source.replace(
            "struct Column {", "static Complex shared[SIZE * SIZE];\nstruct Column {"
        )
        more = ["-g", "-fsanitize=thread"] if WATCHED else []
        return emulation.built(tmp_path, source + ENTRY, defines, *more)

    return build


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(
    ("scheme", "step", "times"),
    [
        ("first_order", 0.1, [0.5, 2.0]),
        ("second_order", 0.1, [0.2, 1.0]),
        ("adaptive", None, [0.002, 0.004]),
    ],
)
def test_same_fields(gpu_branch, size, scheme, step, times):
    model = CahnHilliard((size, size), device=select("cpu", workers=1))
    start = mixtures([0.3, 0.5, 0.6], 0.1, (size, size), seed=1)  # one after the other
    run = plan(model, start, times, scheme, step, 1e-5, None, None, 10**6)
    expected = fused(model, run, lambda done: None)

    library = gpu_branch(compiled_for(model, run.order, run.adaptive) | {"SIZE": size})
    fields, clocks = np.zeros((3, 2, size, size), np.float32), np.zeros(3, CLOCK)
    symbol = model.squared_wave_numbers()[0][line_order(size)].astype(np.float32)
    arrays = [
        run.v,
        run.media,
        fields,
        run.looks,
        2,
        symbol,
        turns(size).astype(np.float32),
        run.rule,
        clocks,
        3,
        np.zeros(1, np.int32),
    ]
    library.run_one_block(
        *(
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int(a)
            for a in arrays
        )
    )
    assert np.array_equal(clocks["steps"], expected.steps)
    assert np.array_equal(clocks["time"], expected.time)
    assert not clocks["ending"].any()
    assert (expected.steps > 5).all()
    assert np.abs(model.from_symmetric(fields) - expected.fields).max() < 1e-6
    assert np.abs(expected.fields[:, 1] - start).max() > 0.01


@pytest.mark.parametrize("size", [32, 64])
def test_half_a_warp_hits_each_bank_of_shared_memory_once(gpu_branch, size):
    """Two lines of eight threads, in rows and columns, in both halves of their transforms; 16 banks
    of eight bytes.
    """
    model = CahnHilliard((size, size), device=select("cpu", workers=1))
    library = gpu_branch(compiled_for(model, 1, False) | {"SIZE": size})
    half, (a, b) = size // 2, {32: (4, 8), 64: (8, 8)}[size]
    place = {wave: wave % a * b + wave // a for wave in range(size)}  # line_fft.h

    def row(y, i):
        return library.address(y, i)

    def column(x, i):
        mirror = size - x if x else half
        return library.address(i % half, place[x if i < half else mirror])

    assert sorted(row(y, i) for y in range(half) for i in range(size)) == [*range(half * size)]
    for line in (row, column):
        for first in range(0, half, 2):
            firsts = [[b * j + member for member in range(8)] for j in range(a)]
            seconds = [[b * member + j for member in range(min(a, 8))] for j in range(b)]
            for places in firsts + seconds:
                banks = [line(first + n, i) % 16 for n in (0, 1) for i in places]
                assert len(set(banks)) == len(banks)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["first_order", "adaptive"])
def test_no_thread_runs_ahead_of_another(tmp_path, scheme):
    """A barrier too few once let a thread move the clock that others still had to read: a deadlock
    in one run of thirty.
    """
    found = subprocess.run(
        [*compiler()[0], "-print-file-name=libtsan.so"], capture_output=True, text=True
    ).stdout.strip()
    if not os.path.isabs(found):
        pytest.skip("the C++ compiler has no ThreadSanitizer")
    this = f"{__file__}::test_same_fields"
    here = ["setarch", "-R", sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", this]
    environment = os.environ | {
        "LD_PRELOAD": found,
        "TSAN_OPTIONS": f"exitcode=0 log_path={tmp_path}/races",
    }
    ran = subprocess.run(
        [*here, "-k", f"{scheme} and 64", f"--basetemp={tmp_path}/inner"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    reports = "".join(path.read_text() for path in tmp_path.glob("races.*"))
    assert not reports, reports[:4000]
