"""The loop of every generate stage: take this process's units, skip the finished, keep going past a
failed one.
"""

import contextlib
import functools
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from jobs import UserError, notes, provenance, revision, shards, signals
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.units import Rank


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
        (system, unit) for system in systems for unit in range(system.config.generate.units)
    ]
    mine = rank.share(everything)
    units_of = {id(system): [] for system in systems}
    for system, unit in mine:
        units_of[id(system)].append(unit)
    todo = [(system, missing(system, units_of[id(system)], progress)) for system in systems]
    for system, units in todo:
        shards.tidy(*{system.shard(unit).parent for unit in units})
    count = sum(len(units) for _, units in todo)
    progress.say(
        f"{len(mine)} of {len(everything)} units are mine, {len(mine) - count} of them finished before"
    )
    for system, units in todo:
        if units:
            revision.check(system.config)
    todo = [(system, stage.build(system.config, device), units) for system, units in todo if units]
    for system, model, _ in todo:
        for line in stage.warn(model, system.config):
            progress.say(f"warning: {system.name + ': ' if system.name else ''}{line}")
    for system, model, units in todo:
        for line in (
            stage.announce(model, system.config, units) if hasattr(stage, "announce") else ()
        ):
            progress.say(f"{system.name + ': ' if system.name else ''}{line}")
    progress.begin(count, "units", weights(stage, todo))
    done = failed = 0
    for system, model, units in todo:
        size = stage.batch(system.config, device)
        batches = [units[first : first + size] for first in range(0, len(units), size)]
        while batches:
            signals.stop_if_asked(f"{count - done} units left", done)
            batch, before = batches.pop(0), done
            left = list(batch)
            try:
                report = functools.partial(_report, progress, before)
                for unit, data in stage.simulate(model, system.config, batch, report):
                    _keep(system, unit, data, device)
                    left.remove(unit)
                batches[:0] = [left] if left else []  # asked to stop, it left them
            except (
                Exception
            ) as error:  # one bad unit, or a full disk, must not stop the rest or other ranks
                if len(batch) > 1 and not isinstance(error, OSError):  # which of them is to blame?
                    batches[:0] = [[unit] for unit in left]
                else:
                    _fail(system, left, error, device, progress)
                    failed += len(left)
                    left = []
            done += len(batch) - len(left)
            progress.reach(done)
    if count:
        progress.say(
            f"{count - failed} units done in {progress.elapsed()}"
            + (f", {failed} failed" if failed else "")
        )
    return failed


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
