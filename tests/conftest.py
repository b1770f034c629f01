"""Devices and small runs for all tests."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from slurm_cluster import cluster  # noqa: F401  a fixture

from jobs.__main__ import main
from kernels.device import gpu_problem, select

ROOT = Path(__file__).parent.parent
# A suite that a shell started in the background is to ignore Ctrl-C, and so were all it starts.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def need_gpu():
    """Skip the test where there is no GPU; with QUENCH_REQUIRE_GPU=1 fail it."""
    problem = gpu_problem()
    if problem and os.environ.get("QUENCH_REQUIRE_GPU") == "1":
        pytest.fail(f"QUENCH_REQUIRE_GPU=1, but {problem}")
    if problem:
        pytest.skip(problem)


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        need_gpu()


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """The device, once the CPU with one worker and once the GPU."""
    return select(request.param, workers=1)


@pytest.fixture
def quench(capsys, monkeypatch):
    """quench(*arguments) -> (exit status, lines on stderr) of `python -m jobs`, in this process, on
    one CPU thread.
    """
    for name in [n for n in os.environ if n.startswith(("SLURM_", "QUENCH_TASK"))]:
        monkeypatch.delenv(name)

    def call(*arguments):
        words = [str(word) for word in arguments]
        if words[0] not in ("status", "plan") and "--device" not in words:
            words += ["--device", "cpu"] + ["--workers", "1"] * ("--workers" not in words)
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as stop:  # argparse
            code = stop.code
        captured = capsys.readouterr()
        return code, (captured.out + captured.err).splitlines()

    return call


SMALL = """
seed: 7
system: {range: 1, size: 8, field: 0.9}
generate: {units: 3, events: 512, history: 12, copies: 20, window: 5, equilibration: 10}
collect: {bins: 4}
train: {models: [spins], folds: 1, training: 60, validation: 20, test: 20, max_epochs: 2}
predict: {models: [spins], occlusion: {configurations: 5, stride: 3}}
"""


@pytest.fixture
def small(tmp_path) -> Path:
    """A config that runs in about a second, networks and all."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def one_of_the_kind(studies) -> list:
    """Studies as parameters: all but the first are long, left to whoever asks for them."""
    first, *others = studies
    return [first, *(pytest.param(study, marks=pytest.mark.long) for study in others)]


def command(*arguments, **options) -> subprocess.Popen:
    """`python -m jobs` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "jobs", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.fixture(scope="session", autouse=True)
def _coarse_pictures():
    """Pictures of fewer dots: what is tested of them does not need more."""
    from analysis import style

    style.matplotlib.rcParams["savefig.dpi"] = 60
