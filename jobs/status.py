"""`python -m jobs status RUN`: what is done, how fast it goes, what failed and where its log is."""

import contextlib
import json
import time
from pathlib import Path

import h5py

from jobs import requeues
from jobs.progress import duration, rate
from jobs.rundir import System

ALIVE = 60.0  # seconds: an older heartbeat belongs to a process that was killed


def report(run: Path, study: str, systems: list[System]) -> str:
    """The text that `status` prints."""
    lines = [f"{run}: {study}, {len(systems)} system{'s' * (len(systems) != 1)}"]
    total = done = 0
    failures = []
    for system in systems:
        count = system.config.generate.units
        finished = [unit for unit in range(count) if _complete(system.shard(unit))]
        total, done = total + count, done + len(finished)
        failures += [system.failure(unit) for unit in sorted(set(range(count)) - set(finished))]
        dataset = (
            "dataset.h5 is there"
            if _complete(system.folder / "dataset.h5")
            else "no dataset.h5 yet"
        )
        lines.append(f"  {system.name or 'units'}: {len(finished)} of {count} done, {dataset}")
        lines += _networks(system) + _rollouts(system) + _large(system)
        for bad in sorted(system.folder.rglob("*.bad*")):
            lines.append(f"    set aside: {bad}")
    if len(systems) > 1:
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
            f"ETA {duration(left) if left < float('inf') else 'not known yet'}"
        )
    elif done < total:
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
    for path in failures:
        with contextlib.suppress(OSError):  # most have not failed; a note may go while this runs
            lines.append(
                f"  failed: {path.stem} of {path.parent.parent}: {path.read_text().strip()}"
            )
    return "\n".join(lines)


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
    trained = [name for name in names if _complete(system.training(name) / "test.h5")]
    lines = [f"    networks: {len(trained)} of {len(names)} trained"]
    for name in names:
        metrics = system.training(name) / "metrics.csv"
        if name not in trained and metrics.exists():
            head, *epochs = metrics.read_text().splitlines()
            last = dict(zip(head.split(","), epochs[-1].split(","), strict=True)) if epochs else {}
            watched = next(
                (key for key in last if key.startswith("validation")), None
            )  # the first one stops or judges the training
            value = f", {watched.replace('_', ' ')} {float(last[watched]):.5f}" if watched else ""
            lines.append(f"    begun: {name}, epoch {len(epochs)}{value}")
        with contextlib.suppress(OSError):
            if name not in trained:
                lines.append(
                    f"    failed: {name}: {system.training_failure(name).read_text().strip()}"
                )
    return lines


def _rollouts(system: System) -> list[str]:
    """How many rollouts are whole, where a study has them and they have begun."""
    top = system.folder / "rollout"
    failures = sorted((system.folder / "log").glob("rollout-*.failed"))
    if not top.exists() and not failures:
        return []
    whole = [path for path in sorted(top.glob("*/[!.]*.h5")) if _complete(path)]
    begun = [path for path in sorted(top.glob("*/.*.parts/state.h5")) if _complete(path)]
    truths = sum(path.stem == "truth" for path in whole)
    lines = [f"    rollouts: {len(whole) - truths} by networks and {truths} by the solver done"]
    lines[0] += ", with costs.h5" if _complete(top / "costs.h5") else ""
    for path in begun:
        lines.append(
            f"    begun: rollout {path.parent.parent.name}, {path.parent.stem.lstrip('.')}"
        )
    for path in failures:
        with contextlib.suppress(OSError):
            lines.append(f"    failed: {path.stem}: {path.read_text().strip()}")
    return lines


def _large(system: System) -> list[str]:
    """How far the box is that all ranks share, where it has begun."""
    box = system.large
    if not box.parent.exists():
        return []
    if _complete(box):
        return [f"    large: {box} is there"]
    states = [path for path in sorted(box.parent.glob(".state/step-*/state.h5")) if _complete(path)]
    frames = len(list(box.parent.glob("frames/frame-*")))
    return [
        f"    large: begun, {frames} frames; "
        + (f"a state to go on from, {states[-1].parent.name}" if states else "no state yet")
    ]


def duration_left(beat: dict) -> float:
    """Seconds until this process is through with its own share."""
    speed = beat["units_per_second"]
    return (beat["total"] - beat["done"]) / speed if speed else float("inf")


def _complete(path: Path) -> bool:
    """A quick look: the file opens and carries its closing mark.  generate and collect check the
    content as well.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "content_digest" in file.attrs
    except OSError:
        return False


def _beat(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
