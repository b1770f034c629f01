"""A dress rehearsal of 64 ranks and of an array of 64 tasks on this machine, beside the model of
tests/cluster_model.py: `python -m tests.rehearsal ranks` (mpiexec) and `array` (a Slurm of two
nodes, tests/slurm_cluster.py), some minutes each.

Units sleep for as long as the model says that units of R = 10, L = 100 take, on another scale, so
that a machine of few cores can be 64 ranks; what it takes to start, to write and to claim is
measured and goes into the model.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # as pytest does

from claims_run import makespan, spans, started
from cluster_model import Job, claiming, striding, units
from conftest import SMALL
from slurm_cluster import Cluster
from test_jobs_rundir import digests

from jobs.nucleation.config import Generate

RANKS, EACH = 64, 7
ROOT = Path(__file__).parent.parent


def sleeps(count: int, mean: float, seed: int = 1) -> list[float]:
    """Of units of 1280 events, in seconds."""
    g = Generate(units=1, events=1280, adaptive={"enabled": True})
    found = units(count, g, 6e3, 1.0, np.random.default_rng(seed))
    return [float(seconds) for seconds in found / found.mean() * mean]


def line(name: str, took: float, ideal: float, model: float) -> None:
    print(
        f"{name:34s} {took:7.1f} s   ideal {ideal:6.1f} s, efficiency {ideal / took:.3f}   "
        f"model {model:6.1f} s, efficiency {ideal / model:.3f}   difference {took / model - 1:+.1%}",
        flush=True,
    )


# ---- ranks


def ranks(folder: Path, mean: float) -> None:
    """64 of mpiexec's: efficiencies, slow ones, the bytes of one process, and a rank that dies."""
    config = folder / "small.yaml"
    config.write_text(SMALL)
    for name, slow in (("64 ranks alike", 0), ("8 of them at half speed", 8)):
        run = folder / f"slow-{slow}"
        asked = sleeps(RANKS * EACH, mean)
        factors = {str(rank): 2 for rank in range(1, 8 * slow, 8)}
        done = started(RANKS, config, run, asked, seconds=900, SLOW=factors)
        assert done.returncode == 0, done.stderr
        found = spans(run)
        assert sorted(found) == [*range(len(asked))]
        speeds = np.array([1 / factors.get(str(rank), 1) for rank in range(RANKS)])
        extra = np.mean(
            [e - b - asked[u] * factors.get(str(r), 1) for u, (r, b, e) in found.items()]
        )
        job = Job(np.array(asked), speeds, claim=float(extra))
        # what is written takes this machine's cores, however many ranks there are
        ideal = (np.array(asked) + extra).sum() / speeds.sum()
        line(name, makespan(run), ideal, claiming(job))
        print(
            f"    a unit: {mean:g} s asleep and {extra:.3f} s to be written; by striding the model says {striding(job):.1f} s"
        )
    real = ("--set", f"generate.units={2 * RANKS}", "--set", "generate.events=8")
    done = started(0, config, folder / "one", [], settings=real, seconds=900)
    assert done.returncode == 0, done.stderr
    killed = {str(rank): 70 for rank in range(RANKS)}
    began = time.time()
    done = started(RANKS, config, folder / "many", [], settings=real, seconds=900, DIES=killed)
    there = len(list((folder / "many/generate").glob("unit-*.h5")))
    print(
        f"a rank killed in unit 70 of {2 * RANKS}: exit {done.returncode}, {there} units kept, all ranks gone after "
        f"{time.time() - began:.0f} s"
    )
    assert done.returncode not in (0, 75)
    done = started(RANKS, config, folder / "many", [], settings=real, seconds=900)
    assert done.returncode == 0, done.stderr
    assert f"{there} of them finished before" in done.stderr
    assert digests(folder / "one") == digests(folder / "many")
    shares = np.bincount([rank for rank, *_ in spans(folder / "many").values()], minlength=RANKS)
    print(
        f"the same command again: exit 0, the {2 * RANKS} units have the bytes of one process "
        f"(units a rank: {shares.min()} to {shares.max()})"
    )


# ---- an array


def array(folder: Path, mean: float, each: int) -> None:
    """64 tasks on two nodes of eight cores: in peace, and with three failures."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        once(cluster, folder / "peace", mean, each, fail=False)
        once(cluster, folder / "failures", mean, each, fail=True)
    finally:
        cluster.stop()


def once(cluster: Cluster, run: Path, mean: float, each: int, fail: bool) -> None:
    folder = run.parent
    config, python = folder / "small.yaml", folder / "python"
    config.write_text(SMALL)
    python.write_text(
        f'#!/bin/bash\nshift 2\nexec "{sys.executable}" "{ROOT}/tests/claims_run.py" "$@"\n'
    )
    python.chmod(0o755)
    asked = sleeps(RANKS * each, mean)
    words = (config, "--run", run, "--device", "cpu", "--set", "generate.events=2")
    words += ("--set", f"generate.units={len(asked)}")
    options = (
        f"--array=0-{RANKS - 1}",
        "--cpus-per-task=1",
        "--mem=100M",
        f"--output={folder}/{run.name}-%a",
        "--open-mode=append",
    )
    given = {"PYTHON": str(python), "SLEEPS": str(asked), "PYTHONPATH": str(ROOT)}
    began = time.time()
    job = cluster.submit("nucleation_generate", *words, options=options, **given)

    def count() -> int:
        return len(list((run / "generate").glob("unit-*.h5")))

    events = []
    if fail:
        cluster.until(lambda: count() >= len(asked) // 8, 600)
        running = [k for k, v in cluster.jobs(job).items() if v["JobState"] == "RUNNING"]
        tasks = {
            v["ArrayTaskId"]: v["NodeList"]
            for v in cluster.jobs(job).values()
            if v["JobState"] == "RUNNING"
        }
        first = sorted((t for t, node in tasks.items() if node == "n1"), key=int)
        cluster.run("scancel", f"{job}_{first[0]}")
        cluster.run("scontrol", "requeue", f"{job}_{first[1]}")
        events += [f"scancel of task {first[0]}", f"requeue of task {first[1]}"]
        cluster.until(lambda: count() >= len(asked) // 2, 600)
        cluster.kill_node("n2")
        died = time.time()
        cluster.until(lambda: "down" in cluster.states().get("n2", ""), 120)
        noticed = time.time() - died
        events.append(
            f"node n2 dies with {len(running) - len(first)} tasks or so; Slurm notices after {noticed:.0f} s, up again then"
        )
        cluster.start_node("n2")
    cluster.ended(job, seconds=1500)
    if fail:  # what the cancelled task leaves
        left = len(asked) - count()
        print(f"    {'; '.join(events)}; {left} units left by the task that was cancelled")
        again = cluster.submit(
            "nucleation_generate", *words, options=("--array=0-0", *options[1:]), **given
        )
        cluster.ended(again, seconds=600)
    found = spans(run)
    assert sorted(found) == [*range(len(asked))], len(found)
    took = max(end for *_, end in found.values()) - began
    extra = float(np.mean([e - b - asked[u] for u, (_, b, e) in found.items()]))
    slots = 16
    start = starts(found, began, slots)
    tasks_take = np.array([sum(asked[t::RANKS]) + each * extra + start for t in range(RANKS)])
    model = claiming(Job(tasks_take, np.ones(slots)))
    ideal = tasks_take.sum() / slots
    line("64 tasks, 16 at once" + ", three failures" * fail, took, ideal, model)
    print(
        f"    a unit: {mean:g} s asleep, {extra:.2f} s to be written; a task begins in {start:.1f} s; "
        f"of useful work alone: {sum(asked) / slots / took:.2f}"
    )
    if fail:
        lost, unit = took - model, mean + extra
        # eight places wait for Slurm to notice; nine tasks begin again, half a unit lost;
        # what the cancelled one left is made by one task, by itself, at the end
        waits = (8 * (noticed + start + unit / 2) + start + unit / 2 - left * unit) / slots
        foreseen = waits + start + left * unit
        print(
            f"    lost by three failures: {lost:.0f} s, {lost / 3:.0f} s each; by the model {foreseen:.0f} s, "
            f"{foreseen / 3:.0f} s each"
        )


def starts(found: dict, began: float, slots: int) -> float:
    """Seconds from the end of the task before, or submission, to a task's first unit; median."""
    tasks: dict[int, list] = {}
    for rank, begin, end in found.values():
        tasks.setdefault(rank, []).append((begin, end))
    edges = sorted((min(b for b, _ in t), max(e for _, e in t)) for t in tasks.values())
    waits, free = [], [began] * slots
    for first, last in edges:
        place = max((i for i in range(slots) if free[i] <= first), key=lambda i: free[i], default=0)
        waits.append(max(0.0, first - free[place]))
        free[place] = last
    return float(np.median(waits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ranks", "array"))
    parser.add_argument("--mean", type=float, default=10.0, help="seconds that a unit sleeps")
    parser.add_argument("--each", type=int, default=4, help="units of an array's task")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir="/tmp") as folder:
        if options.what == "ranks":
            ranks(Path(folder), options.mean)
        else:
            array(Path(folder), options.mean, options.each)


if __name__ == "__main__":
    main()
