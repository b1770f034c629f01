"""`python -m jobs` with nucleation units that sleep: what tests/test_jobs_claims.py starts on
several ranks, and tests/test_cluster_model.py and tests/rehearsal.py compare the model with.

SLEEPS: seconds of each unit, in JSON, or none: units are simulated; SLOW: {rank: factor};
DIES: {rank: unit it is killed in}.  An array's task is a rank.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
FEW = ("--set", "generate.events=2", "--device", "cpu", "--workers", "1")


def mpiexec() -> str:
    """The program that starts ranks; skips the test where there is none."""
    pytest.importorskip("mpi4py")
    found = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    if found is None:
        pytest.skip("no mpiexec")
    return found


def by_ranks(ranks: int, *words, seconds: float = 120) -> str:
    """What so many ranks say of `python -m jobs` with these words, on a CPU."""
    command = [mpiexec(), "-n", ranks, sys.executable, "-m", "mpi4py", "-m", "jobs", *words]
    done = subprocess.run(
        [*map(str, command), "--device", "cpu", "--workers", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def started(
    ranks: int,
    config: Path,
    run: Path,
    sleeps: list[float],
    wait: bool = True,
    settings: tuple[str, ...] = (),
    seconds: float = 120,
    **variables,
):
    """The process, ended or not, of so many ranks (0: none, without MPI) that generate units which
    sleep.
    """
    start = [mpiexec(), "-n", str(ranks)] if ranks else []
    more = ["-m", "mpi4py"] if ranks else []
    command = [*start, sys.executable, *more, __file__, "nucleation", "generate", config]
    command += ["--run", run, *FEW, *settings]
    command += ["--set", f"generate.units={len(sleeps)}"] if sleeps else []
    given = {"SLEEPS": sleeps, **variables}
    process = subprocess.Popen(
        [str(word) for word in command],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            **{name: json.dumps(value) for name, value in given.items()},
        },
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        process.stderr = process.communicate(timeout=seconds)[1]
    return process


def spans(run: Path) -> dict[int, tuple[int, float, float]]:
    """{unit: (its rank, when it began, when it was on disk, in seconds)}."""
    found = {}
    for path in (run / "generate").glob("*.span"):
        rank, began, ended = path.read_text().split()
        found[int(path.stem)] = (int(rank), float(began), float(ended))
    return found


def makespan(run: Path) -> float:
    """Seconds from the first unit's begin to the last one's end."""
    _, begins, ends = zip(*spans(run).values(), strict=True)
    return max(ends) - min(begins)


def simulate(model, config, units, report):
    sleeps = json.loads(os.environ["SLEEPS"])
    slow, dies = (json.loads(os.environ.get(name, "{}")) for name in ("SLOW", "DIES"))
    for unit in units:
        began[unit] = time.time()
        if dies.get(RANK) == unit:
            os.kill(os.getpid(), signal.SIGKILL)
        if not sleeps:
            yield from simulated(model, config, [unit], report)
            continue
        time.sleep(sleeps[unit] * slow.get(RANK, 1))
        yield unit, {"nothing": Data(np.zeros(1), "", "")}


def keep(system, unit, *more):
    kept(system, unit, *more)
    path = system.folder / f"generate/{unit}.span"
    path.write_text(f"{RANK} {began[unit]} {time.time()}")


if __name__ == "__main__":
    from jobs import generating, signals
    from jobs.__main__ import main
    from jobs.nucleation import generate
    from jobs.shards import Data

    RANK = os.environ.get("SLURM_ARRAY_TASK_ID", os.environ.get("PMI_RANK", "0"))
    began, kept, simulated = {}, generating._keep, generate.simulate
    generating._keep, generate.simulate = keep, simulate
    generate.batch = lambda config, device: 1
    signals.leave(main(sys.argv[1:]))
