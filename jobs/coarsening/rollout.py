"""The rollout stage: networks and solver go on alone from every case's starts, or with --input a
network from a user's own.
"""

import functools
import shutil
import traceback
from collections.abc import Callable

import numpy as np

from jobs import UserError, claims, predicting, provenance, shards, signals
from jobs.coarsening import costs, fields, generate, own, paths, train, trained
from jobs.coarsening.cases import (
    Unit,
    chosen,
    made_from,
    on_network_grid,
    plan,
    size,
    small,
    solved,
)
from jobs.coarsening.config_rollout import Case
from jobs.coarsening.parts import Plan
from jobs.coarsening.paths import SENSITIVITY, SOLVERS, TRUTH
from jobs.coarsening.recording import record
from jobs.coarsening.sources import Network, Recorded, Truth
from jobs.config import digest
from jobs.progress import Progress, in_bytes
from jobs.rundir import System
from jobs.training import usable
from jobs.units import Rank

# of the solver, for a cell of a network's grid, that take as long as a frame of a network with ten
# channels: 420 to 530 on a CPU, from 16^3 to 64^3 cells
STEPS_OF_A_FRAME = 450


def run(systems: list[System], rank: Rank, request, device, progress: Progress) -> int:
    """This process's share of the rollouts of all systems, or that of --input; how many failed."""
    predicting.check_input(systems, request)
    systems = usable(train.check_data, systems, rank, progress)
    if request.input is not None:
        if rank.index == rank.task == 0:
            own.answer(systems[0], request, device, progress)
        return 0
    networks = {system.name: chosen(system, progress.say) for system in systems}
    everything = [
        Unit(system, case, who)
        for kind in (False, True)  # truths are dealt among the tasks first, then networks
        for system in systems
        for case, asked in system.config.rollout.followed.items()
        for who in (networks[system.name] if kind else solvers(asked))
    ]
    plans = {
        unit: plan(unit) for unit in everything
    }  # what cannot be followed is said before hours are spent
    marks = {
        unit: made_from(unit) for unit in everything
    }  # of all, so that what is wrong with them stops every rank alike
    mine = rank.job.share(range(len(everything)))
    missing = rank.of_the_first(
        lambda: [n for n in mine if not finished(everything[n], marks[everything[n]], progress)]
    )
    takes = {n: work(everything[n], plans[everything[n]], device) for n in missing}
    if rank.count > 1:  # what takes longest comes first, that no rank is left alone with it
        missing = sorted(missing, key=lambda n: -takes[n])
    if rank.index == 0:
        progress.say(
            f"{len(mine)} of {len(everything)} rollouts are mine, {len(mine) - len(missing)} of them finished before"
            + (f"; {rank.count} ranks share them" if rank.count > 1 else "")
        )
    if missing and rank.index == 0:
        progress.say(
            f"they take {in_bytes(sum(size(plans[everything[n]]) for n in missing))} of disk, each as much again while it is put "
            "together"
        )
    failed, left = 0, None
    try:
        with claims.shared(rank, missing, [takes[n] for n in missing]) as shared:
            expected = shared.foreseen([])
            progress.begin(len(expected), "rollouts", [takes[n] for n in expected])
            for done, number in enumerate(
                shared.each(
                    lambda rest: f"{len(rest)} rollouts left",
                    lambda all_: progress.expect(len(all_), [takes[n] for n in all_]),
                )
            ):
                unit = everything[number]
                failed += not follow(unit, plans[unit], device, progress, done)
                progress.reach(done + 1)
    except signals.Stopped as stop:
        left = str(stop)
    progress.end()
    lefts = [
        text for text in rank.gather(left) if text
    ]  # times are taken when no other rank is at work
    if lefts:
        raise signals.Stopped("; ".join(lefts))
    if rank.index == rank.task == 0:
        for system in systems:
            if not system.config.rollout.costs.repeats:
                continue
            table = Unit(system, "costs", "all methods")
            failed += not attempt(
                table,
                lambda system=system: costs.write(system, networks[system.name], device, progress),
                progress,
            )
    return failed


def solvers(asked: Case) -> list[str]:
    """How often, and from what, the solver follows a case."""
    return [TRUTH] * asked.truth + [SENSITIVITY] * asked.sensitive


def finished(unit: Unit, mark: str, progress: Progress) -> bool:
    """Whether a sound file of this very rollout is there.  A damaged one is moved aside, one of
    another config made again.
    """
    try:
        shards.check_large(unit.target, made_from=mark)
    except FileNotFoundError:
        return False
    except shards.BadFileError as error:
        if "made from" not in str(error):
            progress.say(
                f"{unit.target}: {error}; moved aside to {shards.set_aside(unit.target).name}"
            )
        return False
    shutil.rmtree(
        unit.target.with_name(f".{unit.target.stem}.parts"), ignore_errors=True
    )  # a kill between naming and tidying up
    note(unit, None)
    return True


def work(unit: Unit, plan: Plan, device) -> float:
    """How long a rollout takes beside others: cells times steps of the solver."""
    config, span = unit.system.config, float(plan.frames[-1])
    cells = float(np.prod(plan.shape))
    if unit.who not in SOLVERS:
        return plan.count * span * cells * STEPS_OF_A_FRAME * (config.train.hidden / 10) ** 2
    if unit.asked.start == "test":  # they are read
        return plan.count * span * cells
    steps = generate.adaptive_steps(
        generate.build(config, device), span * plan.interval, config.generate.tolerance
    )
    return plan.count * steps * cells * plan.downscale**3


def passed(plan: Plan, batch: int, growth: float, done: float) -> float:
    """Share of a rollout's work when `done` frames of all its starts have been looked at, which go
    `batch` at a time; the work until a frame grows as its number to the power `growth`.
    """
    looks = len(plan.frames)
    starts = int(done / looks / batch) * batch
    rows = min(batch, plan.count - starts)
    if rows <= 0:
        return 1.0
    look = (done - starts * looks) / rows
    part = np.interp(look, np.arange(1, looks + 1), plan.frames**growth) / plan.frames[-1] ** growth
    return (starts + rows * float(part)) / plan.count


def follow(unit: Unit, plan: Plan, device, progress: Progress, before: int) -> bool:
    """Write one rollout; whether that went well.  before: how many others are done."""

    def act() -> None:
        try:
            write(unit, plan, device, progress, before)
        except Exception:
            if not finished(unit, made_from(unit), progress):
                raise
            progress.say(f"{unit.title}: made by another job meanwhile")

    return attempt(unit, act, progress)


def attempt(unit: Unit, act: Callable[[], None], progress: Progress) -> bool:
    """Whether `act` went well; what goes wrong with one unit is named, and does not stop the
    others.
    """
    try:
        act()
    except Exception as error:
        text = str(error).splitlines()
        reason = f"{type(error).__name__ + ': ' if not isinstance(error, UserError) else ''}{text[0] if text else 'no message'}"
        progress.write(traceback.format_exc())
        progress.say(f"{unit.title}: failed: {reason}; see {progress.path}")
        note(unit, f"{reason}; see {progress.path}\n")
        return False
    note(unit, None)
    return True


def write(unit: Unit, plan: Plan, device, progress: Progress, before: int) -> None:
    """Write one rollout to its file; before: how many others are done."""
    system, case = unit.system, unit.asked
    attributes = {
        **provenance.block(system.config, device.name),
        "config_digest": digest(system.config),
        "made_from": made_from(unit),
        "study": "coarsening",
        "case": unit.case,
        "model": unit.who,
    }
    if unit.who not in SOLVERS:
        attributes["memory"] = system.config.memory
        make = functools.partial(trained.stepper, system, unit.who, plan.shape, device=device)
        source = Network(make, plan, functools.partial(small, system, unit.case, device))
    elif case.start == "test":
        source = Recorded(fields.read(system.folder, "test").all, plan)
    else:
        side = case.size or system.config.system.size
        source = Truth(
            generate.solver(system.config, side, device),
            plan,
            system.config.generate.tolerance,
            solved(unit, device),
            functools.partial(on_network_grid, system),
        )
    growth = generate.GROWTH if isinstance(source, Truth) else 1.0
    stopped = record(
        unit.target,
        plan,
        source,
        attributes,
        unit.title,
        lambda done: progress.reach(before + passed(plan, source.batch, growth, done), unit.title),
    )
    progress.say(
        f"{unit.target}: {attributes['frames_done']} frames in {attributes['seconds']:.3g} s{'; ' * bool(stopped)}{stopped}"
    )


def note(unit: Unit, text: str | None) -> None:
    """Leave, or remove, the note of a failure that `status` shows; a full disk must not cost
    results.
    """
    path = paths.rollout_failure(unit.system, unit.case, unit.who)
    try:
        path.unlink(missing_ok=True) if text is None else path.write_text(text)
    except OSError:
        return
