"""SIGUSR1 ends a stage after the unit or epoch in progress; the same command goes on, to the same
bytes.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, command
from test_jobs_rundir import digests, units

from jobs import UserError, requeues, signals, training
from jobs.__main__ import agreed
from jobs.study import of
from jobs.units import Rank

LONG = """
seed: 7
system: {range: 1, size: 8, field: 0.9}
generate: {units: 5, events: 512, history: 12, copies: 600, window: 5, equilibration: 10}
collect: {bins: 4}
train: {models: [cnn_2layer], folds: 3, training: 600, validation: 20, test: 20, max_epochs: 12, patience: 12, batch: 16}
predict: {models: [cnn_2layer], occlusion: {configurations: 5, stride: 3}}
"""


@pytest.fixture
def long(tmp_path) -> Path:
    path = tmp_path / "long.yaml"
    path.write_text(LONG)
    return path


def until(condition, process, seconds=90) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def interrupted(
    stage: str, long: Path, run: Path, condition, workers: int, number=signal.SIGUSR1
) -> str:
    """Start a stage, signal it once `condition`; what it said."""
    process = command(
        "nucleation", stage, long, "--run", run, "--device", "cpu", "--workers", workers
    )
    until(condition, process)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == signals.TO_BE_CONTINUED, said
    assert "the same command continues" in said.splitlines()[-1]
    return said


@pytest.mark.slow
def test_stages_stop_and_go_on(quench, long, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert quench("nucleation", "all", long, "--run", whole)[0] == 0
    said = interrupted("generate", long, run, lambda: (run / "generate/unit-00001.h5").exists(), 1)
    done = len(units(run))
    assert 2 <= done < 5
    assert f"{5 - done} units left" in said
    assert not list(run.rglob("*.tmp"))
    assert quench("nucleation", "collect", long, "--run", run)[0] == 2
    assert quench("nucleation", "generate", long, "--run", run)[0] == 0
    assert quench("nucleation", "collect", long, "--run", run)[0] == 0
    for fold, workers in ((0, 1), (1, 2)):  # in this process, and side by side
        folder = run / f"train/event/cnn_2layer/fold-{fold}"
        said = interrupted(
            "train", long, run, lambda folder=folder: (folder / "metrics.csv").exists(), workers
        )
        assert "networks left" in said or "after epoch" in said
        assert not (folder / "test.h5").exists()
        assert (folder / "checkpoint.pt").exists()
    assert quench("nucleation", "train", long, "--run", run)[0] == 0
    assert quench("nucleation", "predict", long, "--run", run)[0] == 0
    assert digests(run) == digests(whole)
    for folder in sorted((run / "train").rglob("fold-*")):  # no epoch was done twice, none left out
        epochs = [
            line.split(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()[1:]
        ]
        assert epochs == [str(number + 1) for number in range(12)]


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_agree_to_stop(quench, long, tmp_path):
    """One rank is told; all end after the unit they are in, and nobody goes on to the next
    stage.
    """
    mpiexec = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    if mpiexec is None:
        pytest.skip("no mpiexec")
    run, sizes = tmp_path / "run", ("--set", "generate.units=8")
    start = [
        mpiexec,
        "-n",
        "2",
        sys.executable,
        "-m",
        "jobs",
        "nucleation",
        "all",
        long,
        "--run",
        run,
        *sizes,
    ]
    start += ["--device", "cpu", "--workers", "1"]
    process = subprocess.Popen(
        [str(word) for word in start],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(lambda: (run / "generate/unit-00001.h5").exists(), process)
    told = [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_rank(path, str(run), "1")]
    os.kill(told[0], signal.SIGUSR1)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == signals.TO_BE_CONTINUED, said
    assert len(re.findall("the same command continues", said)) == 1
    made = len([*(run / "generate").glob("unit-*.h5")])
    assert 2 <= made < 8
    assert f"stopped by a signal: {8 - made} units left" in said
    assert not (run / "dataset.h5").exists()
    assert quench("nucleation", "generate", long, "--run", run, *sizes)[0] == 0
    quench("nucleation", "generate", long, "--run", tmp_path / "whole", *sizes)
    assert digests(run) == digests(tmp_path / "whole")


def is_rank(process: Path, run: str, rank: str) -> bool:
    try:
        words = (process / "cmdline").read_bytes().decode().split("\0")
        variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return run in words and "-m" in words[1:2] and f"PMI_RANK={rank}" in variables


class Two:
    """A communicator with another rank, which hands in `other`."""

    def __init__(self, other):
        self.other = other

    def allgather(self, item):
        return [item, self.other]


def leave():
    raise signals.Stopped("3 units left")


def complain():
    raise UserError("wrong")


@pytest.mark.parametrize(
    ("act", "other", "expected"),
    [
        (lambda: 5, (None, None), (5, [])),
        (complain, (None, None), (0, ["wrong"])),
        (complain, ("wrong", None), (0, ["wrong"])),
        (
            leave,
            ("wrong", None),
            (0, ["wrong"]),
        ),  # what is wrong will not get better in another life
        (leave, (None, "4 units left"), "3 units left; 4 units left"),
        (leave, (None, None), "3 units left"),
        (lambda: 5, (None, "3 units left"), "3 units left"),
    ],
)
def test_agreement(act, other, expected):
    rank = Rank(index=0, count=2, communicator=Two(other))
    if isinstance(expected, str):
        with pytest.raises(signals.Stopped, match=f"^{expected}$"):
            agreed(rank, act, 0)
    else:
        assert agreed(rank, act, 0) == expected


@pytest.mark.parametrize("job", ["1", None])
def test_sigterm_counts_in_a_slurm_job_only(monkeypatch, job):
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM)]
    try:
        monkeypatch.delenv("SLURM_JOB_ID", raising=False)
        if job:
            monkeypatch.setenv("SLURM_JOB_ID", job)
        signals.listen()
        assert (signal.getsignal(signal.SIGTERM) == before[1]) == (job is None)
        signals.stop_if_asked("nothing")
        os.kill(os.getpid(), signal.SIGTERM if job else signal.SIGUSR1)
        with pytest.raises(signals.Stopped, match="2 units left"):
            signals.stop_if_asked("2 units left")
        signals.listen()
        assert not signals.asked()
    finally:
        for number, handler in zip((signal.SIGUSR1, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def test_status_shows_requeues(quench, small, tmp_path):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run)
    assert "requeued" not in "\n".join(quench("status", run)[1])
    for life in ("0", "1", "2"):
        for rank in (0, 1):
            slurm = {"SLURM_RESTART_COUNT": life, "SLURMD_NODENAME": "n2", "SLURM_JOB_ID": "17"}
            requeues.note(
                run / "log", "generate", Rank(task=3, tasks=4, index=rank, count=2), slurm
            )
    (run / "log/train-task-0001.requeued").touch()  # the disk was full
    lines = [line for line in quench("status", run)[1] if "requeued" in line]
    assert len(lines) == 1
    assert re.fullmatch(
        r"  requeued: generate task 3: 2 times, last 20\S+ \S+ on n2, job 17", lines[0]
    )


def test_networks_of_one_process_refuse_torchrun(tmp_path):
    with pytest.raises(UserError, match="not by torchrun"):
        training.train(of("nucleation"), [], Rank(count=2, together=True), None, "cpu", None, None)


@pytest.mark.slow
def test_a_stage_stops_between_the_units_of_a_batch(long, tmp_path):
    """On five threads all five units nucleate together; their copies, which take longer, are run
    one unit after another.
    """
    run = tmp_path / "run"
    said = interrupted("generate", long, run, lambda: (run / "generate/unit-00000.h5").exists(), 5)
    assert 1 <= len(units(run)) < 5
    assert f"{5 - len(units(run))} units left" in said


@pytest.mark.slow
def test_a_life_that_is_told_to_end_as_it_begins_does_some_work(long, tmp_path):
    run = tmp_path / "run"
    interrupted(
        "generate", long, run, lambda: list(run.glob("log/*.json")), 1
    )  # its first heartbeat
    assert 1 <= len(units(run)) < 5


@pytest.mark.slow
def test_the_compiler_is_not_disturbed(long, tmp_path, monkeypatch):
    """Slurm signals every process of a step, those that compile a kernel among them."""
    cache, run = tmp_path / "cache", tmp_path / "run"
    monkeypatch.setenv("QUENCH_CACHE", str(cache))
    process = command(
        "nucleation",
        "generate",
        long,
        "--run",
        run,
        "--device",
        "cpu",
        "--workers",
        "1",
        start_new_session=True,
    )
    until(lambda: list(cache.glob("*/")), process)  # where it is built
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGUSR1)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == signals.TO_BE_CONTINUED, said
    assert 1 <= len(units(run)) < 5


TOGETHER = """
seed: 3
system: {size: 16}
generate: {training: 6, validation: 3, test: 3, frames: 5, feature_sizes: [8], sequences_per_unit: 3, latest_start: 6.0}
train: {hidden: 4, epochs: 60, curriculum: 2, models: [staggered], select_from: 3}
rollout: {cases: {}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGUSR1, id="USR1"),
        pytest.param(signal.SIGINT, id="Ctrl-C", marks=pytest.mark.long),
    ],
)
def test_a_template_without_slurm_passes_it_on_to_all_ranks(quench, tmp_path, number):
    path, run = tmp_path / "together.yaml", tmp_path / "run"
    path.write_text(TOGETHER)
    for stage in ("generate", "collect"):
        assert quench("coarsening", stage, path, "--run", run)[0] == 0
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHON": sys.executable,
        "HOME": str(tmp_path),
        "RANKS": "2",
        "OMP_NUM_THREADS": "1",
    }
    start = [
        "bash",
        ROOT / "slurm/coarsening_train.sh",
        path,
        "--run",
        run,
        "--device",
        "cpu",
        "--workers",
        "1",
    ]
    history = run / "train/staggered/seed-0/metrics.csv"

    def begin():
        return subprocess.Popen(
            [*map(str, start)],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    process = begin()
    until(lambda: history.exists() and len(history.read_text().splitlines()) > 4, process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == signals.TO_BE_CONTINUED, said
    assert "stopped; the same command continues" in said
    epochs = len(history.read_text().splitlines())
    assert 4 < epochs < 60
    with pytest.raises(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, 0)
    again = begin()
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    assert len(history.read_text().splitlines()) == 61
