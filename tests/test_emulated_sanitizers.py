"""Sanitizers find nothing in the emulated kernels: no thread reads what another writes without a
barrier between them, nobody leaves an array.

What a kernel does on purpose it declares volatile, and says why: halved paths of the clusters'
union-find (percolation.cu), one number written by several threads (active_ising.cu).
"""

import os
import subprocess
import sys

import pytest

from kernels.device import compiler
from tests.conftest import ROOT

SEEDED = {  # faults of test_emulated_faults.py that a sanitizer has to see
    "thread": "a barrier is dropped",
    "address": "shared memory is one byte short",
}


def library(name: str) -> str:
    """Path of one of the compiler's own.  Skips the test where it has none."""
    command = [*compiler()[0], f"-print-file-name={name}"]
    found = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(found):
        pytest.skip(f"the C++ compiler has no {name}")
    return found


def run_under(sanitizer: str, tmp_path, *tests: str) -> tuple[subprocess.CompletedProcess, str]:
    """pytest's end, and what the sanitizer reported."""
    # the standard library before it is asked for: the sanitizer catches its throws
    preload = library(f"lib{sanitizer[0]}san.so"), library("libstdc++.so.6")
    options = f"exitcode=0:log_path={tmp_path}/report"
    more = {
        "LD_PRELOAD": ":".join(preload),
        "TSAN_OPTIONS": options,
        "ASAN_OPTIONS": f"{options}:detect_leaks=0:halt_on_error=0",
    }
    command = ["setarch", "-R", sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"]
    command += [f"--basetemp={tmp_path}/inner", *tests]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | more, cwd=ROOT)
    reports = [path.read_text() for path in sorted(tmp_path.glob("report.*"))]
    return ran, "".join(text for text in reports if "ERROR" in text or "WARNING: Thread" in text)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", SEEDED)
def test_clean(sanitizer, tmp_path):
    ran, reports = run_under(sanitizer, tmp_path, "tests/test_emulated_gpu.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not reports, reports[:4000]


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", SEEDED)
def test_it_would_see(sanitizer, tmp_path):
    fault = f"tests/test_emulated_faults.py::test_caught[{SEEDED[sanitizer]}]"
    _, reports = run_under(sanitizer, tmp_path, fault)
    assert {"thread": "data race", "address": "overflow"}[sanitizer] in reports
