"""`python -m jobs status RUN`: what is done, how fast it goes, what failed and where its log is.

Units are counted by their names: what carries a final name is whole (shards.py), and collect looks
at their content.
"""

import importlib
import math
import time
from pathlib import Path

import h5py

from jobs import notes, requeues, slurm
from jobs import study as studies
from jobs.progress import duration, eta, rate
from jobs.rundir import FOLDER, System

ALIVE = 60.0  # seconds: an older heartbeat belongs to a process that was killed


def report(run: Path, study: str, systems: list[System]) -> str:
    """The text that `status` prints."""
    lines = [f"{run}: {study}, {len(systems)} system{'s' * (len(systems) != 1)}"]
    module, optional = studies.of(study).report, list(studies.of(study).optional)
    own = importlib.import_module(f"jobs.{study}.{module}").lines if module else lambda system: []
    total = done = 0
    failures, partly = [], False
    for system in systems:
        begun = [stage for stage in optional if (system.folder / stage).exists()]
        partly |= any(not complete(system.folder / f"{stage}.h5") for stage in begun)
        count = system.config.generate.units
        finished = system.shards(range(count))
        if begun and not finished and not data_asked_for(run, system):
            lines += [f"  {system.name}:"] * bool(system.name) + own(system)
            lines += [f"    set aside: {bad}" for bad in _set_aside(system)]
            continue
        total, done = total + count, done + len(finished)
        failed = notes.listing(system.failure(0).parent)
        failures += [
            system.failure(unit)
            for unit in range(count)
            if unit not in finished and system.failure(unit).name in failed
        ]
        dataset = (
            "dataset.h5 is there" if complete(system.folder / "dataset.h5") else "no dataset.h5 yet"
        )
        lines.append(f"  {system.name or 'units'}: {len(finished)} of {count} done, {dataset}")
        lines += _networks(system) + own(system)
        lines += [f"    set aside: {bad}" for bad in _set_aside(system)]
    if len(systems) > 1 and total:
        lines.append(f"  all: {done} of {total} units done")
    beats = [beat for beat in map(_beat, sorted((run / "log").glob("*.json"))) if beat]
    alive = [
        beat for beat in beats if abs(time.time() - beat["time"]) < ALIVE
    ]  # a clock may have jumped either way
    speed, what = (
        sum(beat["units_per_second"] for beat in alive),
        alive[0].get("what", "units") if alive else "",
    )
    if alive:
        left = max(duration_left(beat) for beat in alive)
        lines.append(
            f"  running: {len(alive)} process{'es' * (len(alive) != 1)}, {rate(speed, what)}, "
            f"ETA {eta(left)}"
        )
    elif done < total or partly:
        lines.append(
            "  nothing is running (no word from a process for a minute); the same command again continues"
        )
    for beat in beats:
        if beat not in alive:
            ago = duration(abs(time.time() - beat["time"]))
            lines.append(
                f"  silent for {ago}: process {beat['pid']} on {beat['host']}, log {beat['log']}"
            )
    lines += [f"  {line}" for line in requeues.report(run / "log")]
    stages = [*studies.of(study).stages, "analysis"]
    lines += [f"  {line}" for line in slurm.report(run, stages)]
    for path in failures:
        lines.append(f"  failed: {path.stem} of {path.parent.parent}: {notes.text(path).strip()}")
    for path in sorted((run / "log").glob("slurm-*.failed")):
        lines.append(f"  failed: {notes.text(path).strip()}")
    return "\n".join(lines)


def data_asked_for(run: Path, system: System) -> bool:
    """Whether a command was to make this system's units, or its data set is there."""
    return (system.folder / "dataset.h5").exists() or any(
        any((run / "log").glob(f"{stage}-task-*.log")) for stage in ("generate", "all")
    )


def _networks(system: System) -> list[str]:
    """How many networks are trained, and how far those are that have begun."""
    if not (system.folder / "train").exists() and not list(
        (system.folder / "log").glob("train-*.failed")
    ):
        return []
    top = system.folder / "train"  # also those that an earlier command asked for
    begun = sorted(
        {
            str(path.parent.relative_to(top))
            for path in (*top.rglob("metrics.csv"), *top.rglob("test.h5"))
        }
    )
    names = list(dict.fromkeys([*system.config.train.networks, *begun]))
    trained = [name for name in names if complete(system.training(name) / "test.h5")]
    lines = [f"    networks: {len(trained)} of {len(names)} trained"]
    for name in names:
        metrics = system.training(name) / "metrics.csv"
        if name not in trained and metrics.exists():
            epochs = notes.table(metrics)
            last = epochs[-1] if epochs else {}
            watched = next(
                (key for key in last if key.startswith("validation")), None
            )  # the first one stops or judges the training
            value = f", {watched.replace('_', ' ')} {_short(last[watched])}" if watched else ""
            lines.append(f"    begun: {name}, epoch {len(epochs)}{value}")
        failure = system.training_failure(name)
        if name not in trained and failure.exists():
            lines.append(f"    failed: {name}: {notes.text(failure).strip()}")
    return lines


def duration_left(beat: dict) -> float:
    """Seconds until this process is through with its own share, by its own word."""
    left = beat.get("seconds_left")
    if not isinstance(left, int | float):
        return math.inf
    return max(0.0, left - max(0.0, time.time() - beat["time"]))


def complete(path: Path) -> bool:
    """A quick look: the file opens and carries its closing mark.  generate and collect check the
    content as well.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "content_digest" in file.attrs
    except Exception:  # h5py answers damage with whatever it meets first
        return False


def _set_aside(system: System) -> list[Path]:
    """Files NAME.bad of this system, without a look at each of the others."""
    last = system.config.generate.units - 1
    shards = {system.shard(unit).parent for unit in (*range(0, last, FOLDER), last)}
    folders = [*shards, system.folder, system.folder / "data"]
    deep = [system.folder / name for name in ("train", "predict", "rollout", "large", "rates")]
    found = [f / name for f in folders for name in notes.listing(f) if ".bad" in name]
    return sorted({*found, *(path for top in deep for path in top.rglob("*.bad*"))})


def _short(text: str) -> str:
    try:
        return f"{float(text):.5f}"
    except ValueError:
        return text


def _beat(path: Path) -> dict | None:
    return notes.numbers(path, ("time", "units_per_second", "total", "done", "pid"))
