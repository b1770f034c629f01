"""`python -m jobs`: the stages of every study, the same on a cluster, a workstation and a
laptop.
"""

if __name__ == "__main__":  # the imports take a second
    from jobs import signals

    signals.begin()

import argparse
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from jobs import (
    UserError,
    config,
    generating,
    planning,
    reference,
    requeues,
    revision,
    rundir,
    signals,
    slurm,
    status,
    units,
)
from jobs import study as studies
from jobs.options import parsed
from jobs.progress import Progress
from jobs.trials import Machine


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parsed(arguments)
    try:
        if options.command == "status":
            study, systems = rundir.load(options.run)
            if options.failed:
                of = studies.of(study)  # what is apart is submitted by itself
                chain = [stage for stage in of.stages if stage not in of.apart]
                print(slurm.again(options.run, [*chain, "analysis"]))
                return 0
            return printed(status.report(options.run, study, systems))
        if options.command == "plan":
            return printed(plan(options))
        if options.command == "build":
            return printed(build(options))
        if options.command == "configs":
            return printed(reference.text())
        rank = units.here(options.task)
    except UserError as error:
        return complain([str(error)])
    try:
        signals.listen()
        return run(options, rank)
    except signals.Stopped as stop:
        if rank.index == 0:
            print(
                f"stopped by a signal: {stop}; finished work is kept, the same command continues",
                file=sys.stderr,
            )
        return signals.TO_BE_CONTINUED
    except KeyboardInterrupt:
        if rank.communicator is None:
            return signals.interrupted(signals.KEPT)
        print(signals.KEPT, file=sys.stderr)
        code = signals.INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            print(
                f"{options.run or options.input}: {error.strerror}; what is finished is kept, the same command continues",
                file=sys.stderr,
            )
        else:
            traceback.print_exc()
        code = 1
    if rank.communicator is not None:  # do not leave the other ranks waiting for this one
        rank.communicator.Abort(code)
    return code


def printed(text: str) -> int:
    """Print an answer; the exit status, that of SIGPIPE where the reader, such as `head`, has
    enough.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        return signals.BROKEN_PIPE
    return 0


def plan(options: argparse.Namespace) -> str:
    """What a config makes and takes; or, with --counts, how much an array can share, "units
    networks": mistakes in the config, or another one in RUN, are said before hours in a queue.
    """
    study = studies.of(options.study)
    raw, systems = wanted(options, options.study, trains=True)
    every = [*systems.values()]
    if not options.counts:
        machine = Machine(study, device_of(options, None), options.device, options.workers)
        return planning.report(options.config, every, machine)
    if options.run is not None:
        rundir.claim(options.run, raw, systems, study)
    networks = [len(each.train.networks) for each in every if "train" in study.stages]
    return f"{sum(each.generate.units for each in every)} {sum(networks)}"


def build(options: argparse.Namespace) -> str:
    """Compiles what a config's stages use; a line about it."""
    study = studies.of(options.study)
    _, systems = wanted(options, options.study, trains=False)
    devices = [device_of(options, None)] if options.cpu is None else others(options)
    return planning.build([*systems.values()], study, devices)


def others(options: argparse.Namespace) -> list:
    """The CPUs that --cpu names."""
    from kernels import device

    if options.device == "gpu":
        raise UserError(f"--cpu {options.cpu}: not with --device gpu")
    try:
        return device.others(options.cpu)
    except device.DeviceError as error:
        raise UserError(f"--{error}") from None


def wanted(options: argparse.Namespace, study: str, trains: bool) -> tuple[dict, dict[str, Any]]:
    """What CONFIG (RUN's own, where none is given) and --set say, plain and as systems by name.
    UserError for mistakes, for another study's config, and, if networks are to be trained, for
    systems on which they cannot be.
    """
    if options.config is None and options.run is None:
        raise UserError("give CONFIG.yaml, or --run RUN, which has one")
    if options.config is None:
        options.config = options.run / "config.yaml"
        if not options.config.is_file():
            raise UserError(f"{options.run}: no config.yaml there yet: give CONFIG.yaml as well")
    options.config = config.found(options.config)
    model, source = studies.of(study).config, str(options.config)
    plain = config.read(options.config, options.settings, study)
    raw = revision.resolved(plain, model, options.run)
    try:
        systems = config.systems(raw, model, source)
    except UserError as error:
        others = studies.models() if "unknown key" in str(error) else {}
        for other in sorted(others.keys() - {study}):
            if plain["study"] in (study, other) and fits(plain | {"study": other}, others[other]):
                raise UserError(f"{source}: this is a {other} config, not {study}'s") from None
        raise
    problems = [system.untrainable() for system in systems.values()] if trains else []
    if getattr(options, "stage", None) in studies.of(study).optional:
        problems += [system.unfit(options.stage) for system in systems.values()]
    if any(problems):
        raise UserError("\n".join(f"{source}: {p}" for p in dict.fromkeys(problems) if p))
    return raw, systems


def fits(raw: dict, model: type[config.Section]) -> bool:
    """Whether a mapping is a config of this study."""
    try:
        return bool(config.systems(raw, model, ""))
    except UserError:
        return False


def run(options: argparse.Namespace, rank: units.Rank) -> int:
    """One stage (or all) of a study, on this rank.  Ranks meet only where `agreed` is."""
    if options.run is None:
        return alone(options, rank)
    share, study = units.workers(rank), studies.of(options.study)
    (systems, device), problems = agreed(rank, lambda: prepare(options, share), (None, None))
    if problems:
        return complain(problems, rank)
    runs = dict.fromkeys(rank.gather(str(options.run)))
    if len(runs) > 1:
        return complain([f"the ranks were given different --run: {', '.join(runs)}"], rank)
    failed = 0
    with Progress(options.run / "log", options.stage, rank) as progress:
        requeues.note(options.run / "log", options.stage, rank)
        progress.write(f"started: {rank}, {options.study} {options.stage} {options.config}")
        if rank.index == 0:
            for system in systems:
                system.tidy()
            progress.say(f"device: {device.kind}, {device.name}")
            for line in dict.fromkeys(line for s in systems for line in revision.note(s.config)):
                progress.say(line)
            announce(options, systems, rank, device, progress)
        if options.stage in ("generate", "collect", "all"):
            failed, problems = data(options, systems, rank, device, progress)
        goes_on = options.stage != "all" or rank.tasks == 1
        if not goes_on and study.last:
            progress.say(
                f"an array's tasks do not wait for one another: run train and {study.last} when all are through"
            )
        trains = "train" in study.stages and options.stage in ("train", "all")
        device.free()  # torch's processes need a GPU's memory now
        if trains and goes_on and not problems and not failed:
            failed, problems = agreed(
                rank, lambda: train(options, systems, rank, device, progress), 0
            )
            failed = sum(rank.gather(failed))
            progress.end()
        then = study.last if options.stage == "all" else options.stage
        last = then is not None and then == study.last
        if (last and goes_on and not problems and not failed) or then in study.apart:
            stage = study.stage(then)
            failed, problems = agreed(
                rank, lambda: stage.run(systems, rank, options, device, progress), 0
            )
            failed = sum(rank.gather(failed))
        for name, key in study.optional.items():
            chosen = systems if options.stage == name else []
            if options.stage == "all" and not problems and not failed:
                chosen = [each for each in systems if config.flat(each.config)[key]]
            if chosen:
                stage = study.stage(name)
                failed, problems = agreed(
                    rank,
                    lambda stage=stage, chosen=chosen: stage.run(
                        chosen, rank, options, device, progress
                    ),
                    0,
                )
                failed = sum(rank.gather(failed))
        if failed and rank.index == 0:
            progress.say(
                f"{failed} unit{'s' * (failed > 1)} failed: see python -m jobs status {options.run}"
            )
        left = progress.left_out
        if left and not problems and rank.index == 0:
            progress.say(f"{len(left)} of {len(systems)} systems left out: {', '.join(left)}")
        for problem in problems:
            progress.write(problem)
    return complain(problems, rank) if problems else int(failed > 0 or any(left.values()))


def alone(options: argparse.Namespace, rank: units.Rank) -> int:
    """The answer to --input without a run, by a network that comes with Quench; nothing is kept but
    the answer.
    """
    study = studies.of(options.study)
    try:
        if options.config is not None or options.settings:
            raise UserError("CONFIG.yaml, --set: only with --run; a network that comes is as it is")
        if rank.count * rank.tasks > 1:
            raise UserError("--input without --run: one process answers, not ranks or an array")
        device = device_of(options, None)
        module = importlib.import_module(f"jobs.{study.name}.{study.own.alone}")
        with Progress(None, options.stage, rank) as progress:
            progress.say(f"device: {device.kind}, {device.name}")
            module.alone(options, device, progress)
    except UserError as error:
        return complain([str(error)])
    return 0


def announce(
    options: argparse.Namespace,
    systems: list[rundir.System],
    rank: units.Rank,
    device,
    progress: Progress,
) -> None:
    """The costly parts of what is to come that can be left out, once for all tasks."""
    study = studies.of(options.study)
    if rank.task or options.input is not None:
        return
    asked = study.stages if options.stage == "all" else [options.stage]
    # what these make all else needs, and what is apart, or run by itself, nobody gets unasked
    asked_for = ("generate", "train", *study.apart, *(study.optional if len(asked) == 1 else ()))
    stages = [stage for stage in asked if stage not in asked_for]
    machine = Machine(study, device, options.device, options.workers)
    planning.announce(systems, stages, machine, progress.say, progress.write)


def data(
    options: argparse.Namespace,
    systems: list[rundir.System],
    rank: units.Rank,
    device,
    progress: Progress,
) -> tuple[int, list[str]]:
    """Generate and collect, or one of them: (units that failed, problems).  What collect finds
    damaged `all` makes anew, once.
    """
    study = studies.of(options.study)
    generate_stage, collect_stage = study.stage("generate"), study.stage("collect")
    alone = [] if rank.index else systems  # rank 0 collects, the others wait
    for asked in (options.stage, "collect"):
        if options.stage in ("generate", "all"):
            failed, problems = agreed(
                rank,
                lambda: generating.generate(generate_stage, systems, rank, device, progress),
                0,
            )
            failed = sum(rank.gather(failed))
            progress.end()
            if options.stage == "generate" or failed or problems:
                return failed, problems
        again, problems = agreed(
            rank,
            lambda asked=asked: collect(collect_stage, alone, rank, device, progress, asked),
            False,
        )
        if problems or not any(rank.gather(again)):
            break
    return 0, problems


def agreed(rank: units.Rank, act: Callable[[], Any], otherwise) -> tuple[Any, list[str]]:
    """What `act` returns here, and all ranks' user errors, each once: none waits for one that
    failed.

    Where a rank left work for another life and nothing is wrong, all raise signals.Stopped.
    """
    result, problem, left = otherwise, None, None
    try:
        result = act()
    except UserError as error:
        problem = str(error)
    except signals.Stopped as stop:
        left = str(stop)
    problems, lefts = (
        list(dict.fromkeys(text for text in texts if text))
        for texts in zip(*rank.gather((problem, left)), strict=True)
    )
    if lefts and not problems:
        raise signals.Stopped("; ".join(lefts))
    return result, problems


def prepare(options: argparse.Namespace, share: int | None) -> tuple[list[rundir.System], Any]:
    """The systems of the run directory, created or found, and the device.  share: CPU workers of a
    rank.
    """
    study = studies.of(options.study)
    given = [
        option
        for option in ("--output", "--model", *(study.own.options if study.own else ()))
        if getattr(options, option.removeprefix("--"), None) is not None
    ]
    if options.input is not None and options.stage != study.last:
        raise UserError(f"--input goes with the stage {study.last}, not {options.stage}")
    if given and options.input is None:
        raise UserError(f"{', '.join(given)}: only with --input FILE")
    trains = options.stage in ("all", "train")
    raw, systems = wanted(options, options.study, trains)  # mistakes come before the device's
    device = device_of(options, share)
    return rundir.claim(options.run, raw, systems, study), device


def device_of(options: argparse.Namespace, share: int | None):
    """The device that is asked for.  UserError where it is not there."""
    from kernels.device import DeviceError, select

    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers {options.workers}: expected at least 1")
    try:
        return select(options.device, options.workers or share)
    except DeviceError as error:
        node = os.environ.get("SLURMD_NODENAME")  # of many, one may lack what the others have
        raise UserError(
            f"--device {options.device}{f' on node {node}' if node else ''}: {error}"
        ) from None


def train(
    options: argparse.Namespace,
    systems: list[rundir.System],
    rank: units.Rank,
    device,
    progress: Progress,
) -> int:
    """Train this rank's share of the networks; how many failed."""
    from jobs import training  # torch takes seconds to import

    study = studies.of(options.study)
    slots = options.workers if device.kind == "gpu" else None
    return training.train(study, systems, rank, device, options.device, slots, progress)


def collect(
    stage, systems: list[rundir.System], rank: units.Rank, device, progress: Progress, asked: str
) -> bool:
    """Collect every system; whether units turned out to be damaged that `all` is to make anew.
    UserError, a line for each system that could not be collected.
    """
    problems, again = [], False
    for system in systems:
        everything = [*range(system.config.generate.units)]
        try:
            missing = generating.missing(system, everything, progress)
            if not missing:
                try:
                    stage.run(system, device, progress)
                except UserError:
                    raise
                except Exception:  # whatever a damaged unit leads to: is there one?
                    missing = generating.damaged(system, everything, progress)
                    if not missing:
                        raise
                    if asked == "all" and rank.tasks == 1:
                        again = True
                        continue
        except UserError as error:
            problems.append(str(error))
            continue
        if missing and asked == "all" and rank.tasks > 1:
            progress.say(
                f"{system.folder}: {len(missing)} units of other tasks are not done; the last task collects"
            )
        elif missing:
            problems.append(
                f"{system.folder}: cannot collect: missing units: {spans(missing)}; run generate again"
            )
    if problems:
        raise UserError("\n".join(problems))
    return again


def spans(numbers: list[int]) -> str:
    """[0, 1, 2, 5] -> "0-2, 5"."""
    parts, start = [], None
    for position, number in enumerate(numbers):
        start = number if start is None else start
        if position + 1 == len(numbers) or numbers[position + 1] != number + 1:
            parts.append(str(start) if start == number else f"{start}-{number}")
            start = None
    return ", ".join(parts)


def complain(problems: list[str], rank: units.Rank | None = None) -> int:
    """Say what is wrong, once for all ranks."""
    if rank is None or rank.index == 0:
        print("\n".join(problems), file=sys.stderr)
    return 2


if __name__ == "__main__":
    signals.leave(main())
