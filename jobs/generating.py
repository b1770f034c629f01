"""The loop of every generate stage: take this process's units, skip the finished, keep going past a
failed one.
"""

import contextlib
import functools
import itertools
import os
import random
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from jobs import UserError, claims, notes, provenance, revision, shards, signals
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.units import Rank

Batch = tuple[int, list[int]]  # number of a system, units that are made at once
# units a rank from which on 64 of them are used to .96, in a model (tests/cluster_model.py)
PLENTY = 7


class UnitError(Exception):
    """A unit that failed; `left`: what is worth looking at of it, written beside its note."""

    def __init__(self, text: str, left: dict[str, shards.Data]):
        super().__init__(text)
        self.left = left


def missing(system: System, units: list[int], progress: Progress) -> list[int]:
    """Those of `units` whose shard is not there, by names alone: what carries its final name was
    whole when it got it, and collect looks at the content of what it makes a data set of.

    The first is looked at; if it is of another config or damaged, all are, as `damaged` does.
    """
    there = system.shards(units)
    for unit in sorted(there)[:1]:
        try:
            shards.check_made_with(system.shard(unit), digest(system.config))
        except shards.BadFileError:
            there -= set(damaged(system, sorted(there), progress))
    failed = notes.listing(system.failure(0).parent)
    for unit in there:
        if system.failure(unit).name in failed:
            _forgive(system, unit)  # another process brought it home
    return sorted(set(units) - there)


def damaged(system: System, units: list[int], progress: Progress) -> list[int]:
    """Those of `units` whose shard is not sound, or another config's; they are moved aside and
    reported.

    Raises UserError, and moves nothing, if all are another config's: finished work of another
    version, or of a config that was edited, is not set aside unasked.
    """
    bad, wanted = {}, digest(system.config)
    for unit in units:
        try:
            shards.check(system.shard(unit), config_digest=wanted, unit_index=unit)
        except FileNotFoundError:
            bad[unit] = None
        except shards.BadFileError as error:
            bad[unit] = error
    if len(bad) == len(units) and all("another config" in str(error) for error in bad.values()):
        raise UserError(
            f"{system.shard(min(bad)).parent}: the units that are there ({len(bad)}) were made with another config or by "
            "another version; nothing was touched: choose another --run, or remove them to make them anew"
        )
    for unit, error in bad.items():
        if error is not None:
            path = system.shard(unit)
            progress.say(f"{path}: {error}; moved aside to {shards.set_aside(path).name}")
    return sorted(bad)


def generate(
    stage: ModuleType, systems: list[System], rank: Rank, device, progress: Progress
) -> int:
    """Bring this process's share of the units of all systems to disk; the number of units that
    failed.

    `stage` is a study's generate module: build(config, device) -> model, raising UserError for what
    cannot run; warn(model, config) -> lines; announce(model, config, units) -> lines, where sizes
    are worth saying; work(model, config, unit) -> how long a unit takes beside others, where they
    differ; batch(config, device) -> units at once; simulate(model, config, units, report)
    yields (unit, {name: shards.Data}) and calls report(done) with the units' worth of work done in
    this batch; it may raise UnitError, and, asked to stop (jobs.signals), leave units whose work is
    still to be done.
    """
    everything = [
        (number, unit)
        for number, system in enumerate(systems)
        for unit in range(system.config.generate.units)
    ]
    mine = rank.job.share(everything)
    batches = rank.of_the_first(lambda: cut(stage, systems, mine, rank, device, progress))
    if rank.index == 0:
        finished = len(mine) - sum(len(units) for _, units in batches)
        progress.say(
            f"{len(mine)} of {len(everything)} units are mine, {finished} of them finished before"
            + (f"; {rank.count} ranks share them" if rank.count > 1 else "")
        )
        if batches and (scarcity := few(len(mine), rank, device)):
            progress.say(f"warning: {scarcity}")
    work = burden(stage, systems, batches, device) if rank.count > 1 else None
    with claims.shared(rank, batches, work) as shared:
        return bring(stage, systems, shared, device, progress)


def few(units: int, rank: Rank, device) -> str | None:
    """What is to be said where a job's units are too few for its ranks, with a number that is not:
    PLENTY for each of their cores.
    """
    if rank.count == 1 or units >= rank.count:
        return None
    cores = rank.count * (device.workers if device.kind == "cpu" else 1)
    return (
        f"{rank.count} ranks share {units} units, and the others wait: take fewer ranks, or more units, such as "
        f"generate.units={PLENTY * cores * rank.tasks}, {PLENTY} for each core"
    )


def cut(
    stage: ModuleType,
    systems: list[System],
    mine: list[tuple[int, int]],
    rank: Rank,
    device,
    progress: Progress,
) -> list[Batch]:
    """What is missing of `mine`, (number of a system, unit), in batches: of as many units as go at
    once on this device, or of fewer where ranks would get unequally many for it.

    A sweep's systems take turns. Ranks begin with the units that take longest, where the study
    knows.  Elsewhere each Slurm job has an order of its own, so that a second one on the same run
    is seldom at the first one's unit.
    """
    units_of: dict[int, list[int]] = {number: [] for number in range(len(systems))}
    for number, unit in mine:
        units_of[number].append(unit)
    for number, system in enumerate(systems):
        folders = {system.shard(unit).parent for unit in units_of[number]}
        units_of[number] = missing(system, units_of[number], progress)
        shards.tidy(*folders)
    count = sum(map(len, units_of.values()))
    batches_of: list[list[Batch]] = []
    for number, units in units_of.items():
        if not units:
            continue
        config = systems[number].config
        revision.check(config)
        model, size = stage.build(config, device), stage.batch(config, device)
        if rank.count > 1:
            rounds = -(-count // (rank.count * size))
            size = min(size, -(-count // (rank.count * rounds)))
            work = weights(stage, [(systems[number], model, units)])
            if work is not None:
                units = [unit for _, unit in sorted(zip(work, units, strict=True), reverse=True)]
        batches_of.append(
            [(number, units[first : first + size]) for first in range(0, len(units), size)]
        )
    # systems by turns: what is foretold from the first units holds for all of a sweep
    turns = itertools.zip_longest(*batches_of)
    batches = [batch for turn in turns for batch in turn if batch is not None]
    if _job() and not hasattr(stage, "work"):
        random.Random(_job()).shuffle(batches)
    return batches


def burden(
    stage: ModuleType, systems: list[System], batches: list[Batch], device
) -> list[float] | None:
    """The work in each batch beside the others; None where it is not known."""
    if hasattr(stage, "work"):
        models = {n: stage.build(systems[n].config, device) for n in {n for n, _ in batches}}
        return [sum(_weights(stage, systems, models, [batch]) or []) for batch in batches]
    return None if len(systems) > 1 else [float(len(units)) for _, units in batches]


def _job() -> int:
    """Slurm's number of this job, the same for all tasks of an array; 0 without one."""
    number = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ.get("SLURM_JOB_ID", ""))
    return int(number) if number.isdigit() else 0


def bring(
    stage: ModuleType, systems: list[System], shared: claims.Claims, device, progress: Progress
) -> int:
    """Bring batches to disk for as long as there are any to be had; how many units failed."""
    expected = shared.foreseen([])
    models = {
        number: stage.build(systems[number].config, device)
        for number in dict.fromkeys(number for number, _ in shared.items)
    }
    for number in models:
        for line in stage.warn(models[number], systems[number].config):
            progress.say(f"warning: {_of(systems[number])}{line}")
    for number, units in _together(expected).items():
        if hasattr(stage, "announce"):
            for line in stage.announce(models[number], systems[number].config, units):
                progress.say(f"{_of(systems[number])}{line}")
    progress.begin(_count(expected), "units", _weights(stage, systems, models, expected))
    done = failed = elsewhere = 0
    taken: list[Batch] = []
    waiting: list[Batch] = []
    while True:
        if signals.asked() and done:  # not before the first: each life does some of its work
            waiting += shared.end()
            if waiting:
                raise signals.Stopped(f"{_count(waiting)} units left")
        if not waiting:
            batch = shared.take()
            if batch is None and signals.asked() and done and shared.left:
                continue  # it was left to others, who are to stop as well
            if batch is None:
                break
            waiting, taken = [batch], [*taken, batch]
            if shared.ranks > 1:
                expected = shared.foreseen(taken)
                progress.expect(_count(expected), _weights(stage, systems, models, expected))
        number, units = waiting.pop(0)
        system, before = systems[number], done
        left = [unit for unit in units if not system.shard(unit).exists()]
        elsewhere += len(units) - len(left)  # another job was faster
        batch = list(left)
        try:
            report = functools.partial(_report, progress, before + len(units) - len(left))
            for unit, data in (
                stage.simulate(models[number], system.config, batch, report) if batch else ()
            ):
                _keep(system, unit, data, device)
                left.remove(unit)
            waiting[:0] = [(number, left)] if left else []  # asked to stop, it left them
        except (
            Exception
        ) as error:  # one bad unit, or a full disk, must not stop the rest or other ranks
            if len(batch) > 1 and not isinstance(error, OSError):  # which of them is to blame?
                waiting[:0] = [(number, [unit]) for unit in left]
            else:
                _fail(system, left, error, device, progress)
                failed += len(left)
                left = []
        done += len(units) - len(left)
        progress.reach(done)
    if done:
        progress.say(
            f"{done - failed} units done in {progress.elapsed()}"
            + (f", {elsewhere} of them by another job" if elsewhere else "")
            + (f", {failed} failed" if failed else "")
        )
    return failed


def _of(system: System) -> str:
    return f"{system.name}: " if system.name else ""


def _count(batches: list[Batch]) -> int:
    return sum(len(units) for _, units in batches)


def _together(batches: list[Batch]) -> dict[int, list[int]]:
    """All units of each system."""
    found: dict[int, list[int]] = {}
    for number, units in batches:
        found.setdefault(number, []).extend(units)
    return found


def _weights(
    stage: ModuleType, systems: list[System], models: dict, batches: list[Batch]
) -> list[float] | None:
    return weights(stage, [(systems[n], models[n], units) for n, units in batches])


def weights(stage: ModuleType, todo: list[tuple[System, Any, list[int]]]) -> list[float] | None:
    """How long the units of (system, model, units) take beside each other; None: alike, as far as
    is known.
    """
    if not hasattr(stage, "work"):
        return None
    return [
        stage.work(model, system.config, unit) for system, model, units in todo for unit in units
    ]


def _report(progress: Progress, before: int, part: float) -> None:
    progress.reach(before + part)


def _keep(system: System, unit: int, data: dict, device) -> None:
    attributes = {
        **provenance.block(system.config, device.name),
        "config_digest": digest(system.config),
        "unit_index": unit,
    }
    shards.write(system.shard(unit), data, attributes)
    _forgive(system, unit)


def _forgive(system: System, unit: int) -> None:
    """Remove the note of a unit that failed before; what cannot be removed, status leaves out."""
    with contextlib.suppress(OSError):
        system.failure(unit).unlink(missing_ok=True)
        _remains(system, unit).unlink(missing_ok=True)


def _remains(system: System, unit: int) -> Path:
    """Where what is left of a failed unit is put."""
    return system.failure(unit).with_suffix(".h5")


def _fail(system: System, lost: list[int], error: Exception, device, progress: Progress) -> None:
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    if isinstance(error, UnitError):
        reason = str(error)
        with contextlib.suppress(OSError):
            attributes = {**provenance.block(system.config, device.name), "reason": reason}
            shards.write(_remains(system, lost[0]), error.left, attributes)
            reason += f"; its last good state is in {_remains(system, lost[0])}"
    names = ", ".join(str(system.shard(unit).relative_to(system.folder.parent)) for unit in lost)
    progress.write(traceback.format_exc())
    progress.say(f"failed: {names}: {reason}; see {progress.path}")
    for unit in lost:
        try:
            system.failure(unit).write_text(f"{reason}; see {progress.path}\n")
        except OSError:
            return  # the disk is full, perhaps; it has been said above
