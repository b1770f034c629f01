"""Devices and small runs for all tests."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from slurm_cluster import cluster  # noqa: F401  a fixture

from jobs import config, revision, rundir, shards
from jobs.__main__ import main
from jobs.study import of
from kernels import ising
from kernels.device import gpu_problem, select

ROOT = Path(__file__).parent.parent
TWO_RANKS = (  # of torch, then what they run
    *(sys.executable, "-m", "torch.distributed.run"),
    *("--standalone", "--nproc-per-node", "2", "-m", "--"),
)
PROVENANCE = {"config", "seed", "git_revision", "packages", "device", "host", "date"}  # of files
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
    """The device, once the CPU with one worker and once the GPU, which then does all by itself."""
    if request.param == "gpu":
        request.getfixturevalue("monkeypatch").setattr(ising, "GPU_IDLES_TO", 0)
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


def generated_and_collected(folder: Path, study: str, text: str, *more) -> Path:
    """FOLDER/run of a config's text, on one CPU thread."""
    (folder / "small.yaml").write_text(text)
    run = folder / "run"
    for stage in ("generate", "collect"):
        words = [study, stage, folder / "small.yaml", "--run", run, "--device", "cpu", *more]
        assert main([*map(str, words), "--workers", "1"]) == 0
    return run


def prepared(run: Path, raw: dict, name: str) -> list[rundir.System]:
    """A run directory for a plain config of a study, made or found."""
    study = of(name)
    raw = revision.resolved(raw, study.config, run)
    return rundir.claim(run, raw, config.systems(raw, study.config, "a test"), study)


def same_from_any_task(quench, study: str, config: Path, folder: Path, units: int) -> None:
    """Two tasks of two threads make the shards of one task of one."""

    def digests(run):
        return [shards.check(run / f"generate/unit-0000{unit}.h5") for unit in range(units)]

    assert quench(study, "generate", config, "--run", folder / "one")[0] == 0
    for task in ("0/2", "1/2"):
        words = ("--run", folder / "two", "--task", task, "--workers", 2)
        assert quench(study, "generate", config, *words)[0] == 0
    assert digests(folder / "one") == digests(folder / "two")


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
