"""`python -m jobs`: the stages of every study, the same on a cluster, a workstation and a laptop."""

import argparse
import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from jobs import UserError, config, rundir, status, units, work
from jobs.nucleation.config import Nucleation
from jobs.progress import Progress

STUDIES = {"nucleation": Nucleation}  # and jobs/STUDY/STAGE.py for each stage but `all`
STAGES = {"nucleation": ("generate", "collect", "train", "predict", "all")}

EXAMPLES = """
examples:
  # the demo, on a GPU if there is one, else on all cores
  python -m jobs nucleation all jobs/nucleation/demo.yaml --run runs/demo

  # any value may be a list, which makes a sweep: one system a value, in RUN/system.field=0.55/ and so on
  python -m jobs nucleation all jobs/nucleation/demo.yaml --run runs/fields --set system.field=[0.55,0.57,0.6]

  # shared by 4 MPI ranks, or by 8 tasks of a Slurm array (taken from SLURM_ARRAY_TASK_ID, or given by --task)
  mpiexec -n 4 python -m mpi4py -m jobs nucleation generate jobs/nucleation/r10_l100.yaml --run runs/r10
  python -m jobs nucleation generate jobs/nucleation/r10_l100.yaml --run runs/r10 --task 0/8
  python -m jobs nucleation collect jobs/nucleation/r10_l100.yaml --run runs/r10

  # how far is it, and what went wrong
  python -m jobs status runs/r10

A run that was killed continues with the same command: finished units are kept and skipped.
exit status: 0 done, 1 some units failed (their log is named), 2 something to put right (one line says what)
"""


class Parser(argparse.ArgumentParser):
    """Mistakes on one line, like all others."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (try {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="python -m jobs",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="STUDY", required=True)
    for study, stages in STAGES.items():
        one = commands.add_parser(
            study,
            help=f"stages: {', '.join(stages)}",
            epilog=EXAMPLES,
            description=(sys.modules[f"jobs.{study}"].__doc__),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument(
            "stage",
            metavar="STAGE",
            choices=stages,
            help="generate: simulate the units; collect: units into dataset.h5; train: the networks, one a model and fold; "
            "predict: their occlusion maps, or p_nuc of configurations of your own (--input); all: these in turn",
        )
        one.add_argument("config", metavar="CONFIG.yaml", type=Path, help="such as jobs/nucleation/demo.yaml")
        one.add_argument(
            "--run", required=True, type=Path, help="run directory, created if missing; one config each"
        )
        one.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY.PATH=VALUE",
            dest="settings",
            help="override a config value, e.g. system.field=0.6; a list makes a sweep; may be repeated",
        )
        one.add_argument(
            "--device",
            choices=("auto", "cpu", "gpu"),
            default="auto",
            help="auto (default): a GPU where there is one; the results are the same",
        )
        one.add_argument(
            "--workers", type=int, metavar="N", help="CPU threads (default: all cores of this process)"
        )
        one.add_argument(
            "--task", metavar="k/K", help="this is task k (from 0) of K; default: Slurm's array, or 0/1"
        )
        mine = one.add_argument_group("predict, for configurations of your own")
        mine.add_argument("--input", type=Path, metavar="FILE", help="spins +1 and -1 (stable), (n, L, L), .npy or HDF5 `spins`")
        mine.add_argument("--output", type=Path, metavar="FILE.h5", help="default: beside the input, NAME-p_nuc.h5")
        mine.add_argument("--model", help="which trained model answers (default: torus)")
        mine.add_argument("--window", type=float, metavar="MCS", help="p_nuc within this time (by torus_window)")
        mine.add_argument("--map", type=int, metavar="i", help="also the occlusion map of configuration i")
    one = commands.add_parser(
        "status",
        help="units done, rate, ETA, what failed and where its log is",
        description="How far a run is: units done, rate, ETA, what failed and where its log is.",
    )
    one.add_argument("run", metavar="RUN", type=Path, help="run directory")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "status":
            study, systems = rundir.load(options.run, STUDIES)
            print(status.report(options.run, study, systems))
            return 0
        place = units.here(options.task)
    except UserError as error:
        return complain([str(error)])
    try:
        return run(options, place)
    except KeyboardInterrupt:
        print("interrupted; finished units are kept, the same command continues", file=sys.stderr)
        code = 130
    except Exception:
        traceback.print_exc()
        code = 1
    if place.communicator is not None:  # do not leave the other ranks waiting for this one
        place.communicator.Abort(code)
    return code


def run(options: argparse.Namespace, place: units.Place) -> int:
    """One stage (or all) of a study, on this rank.  Ranks meet only where `agreed` is."""
    share = units.workers(place)
    (systems, device), problems = agreed(place, lambda: prepare(options, share), (None, None))
    if problems:
        return complain(problems, place)
    failed = 0
    with Progress(options.run / "log", options.stage, place) as progress:
        progress.write(f"started: {place}, {options.command} {options.stage} {options.config}")
        if place.rank == 0:
            progress.say(f"device: {device.kind}, {device.name}")
        if options.stage in ("generate", "all"):
            stage = importlib.import_module(f"jobs.{options.command}.generate")
            failed, problems = agreed(
                place, lambda: work.generate(stage, systems, place, device, progress), 0
            )
            failed = sum(place.gather(failed))
            progress.end()
        if options.stage in ("collect", "all") and not problems and not failed:
            stage = importlib.import_module(f"jobs.{options.command}.collect")
            alone = [] if place.rank else systems  # rank 0 collects, the others wait
            _, problems = agreed(
                place, lambda: collect(stage, alone, place, device, progress, options.stage), None
            )
        if options.stage == "all" and place.tasks > 1:
            progress.say("an array's tasks do not wait for one another: run train and predict when all are through")
        elif options.stage in ("train", "all") and not problems and not failed:
            failed, problems = agreed(place, lambda: train(options, systems, place, device, progress), 0)
            failed = sum(place.gather(failed))
            progress.end()
        if options.stage in ("predict", "all") and not (options.stage == "all" and place.tasks > 1) and not problems and not failed:
            stage = importlib.import_module(f"jobs.{options.command}.predict")
            _, problems = agreed(place, lambda: stage.run(systems, place, options, device, progress), None)
        if failed and place.rank == 0:
            progress.say(f"{failed} unit{'s' * (failed > 1)} failed: see python -m jobs status {options.run}")
        for problem in problems:
            progress.write(problem)
    return complain(problems, place) if problems else int(failed > 0)


def agreed(place: units.Place, act: Callable[[], object], otherwise) -> tuple[object, list[str]]:
    """What `act` returns here, and all ranks' user errors, each once: none waits for one that failed."""
    result, problem = otherwise, None
    try:
        result = act()
    except UserError as error:
        problem = str(error)
    return result, [text for text in dict.fromkeys(place.gather(problem)) if text]


def prepare(options: argparse.Namespace, share: int | None) -> tuple[list[rundir.System], object]:
    """The systems of the run directory, created or found, and the device.  share: CPU workers of a rank."""
    from kernels.device import DeviceError, select

    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers {options.workers}: expected at least 1")
    model, source = STUDIES[options.command], str(options.config)
    raw = config.read(options.config, options.settings, options.command)
    config.systems(raw, model, source)  # the mistakes in it come before those of the device
    try:
        device = select(options.device, options.workers or share)
    except DeviceError as error:
        raise UserError(f"--device {options.device}: {error}") from None
    return rundir.prepare(options.run, raw, model, source), device


def train(options: argparse.Namespace, systems: list[rundir.System], place: units.Place, device, progress: Progress) -> int:
    """Train this rank's share of the networks; how many failed."""
    from jobs import training  # torch takes seconds to import

    stage = importlib.import_module(f"jobs.{options.command}.train")
    slots = options.workers if device.kind == "gpu" else None
    return training.train(stage, systems, place, device, slots, progress)


def collect(
    stage, systems: list[rundir.System], place: units.Place, device, progress: Progress, asked: str
) -> None:
    """Collect every system; UserError, a line for each that could not be."""
    problems = []
    for system in systems:
        missing = [u for u in range(system.config.generate.units) if not work.state(system, u, progress)]
        if missing and asked == "all" and place.tasks > 1:
            progress.say(
                f"{system.folder}: {len(missing)} units of other tasks are not done; the last task collects"
            )
        elif missing:
            problems.append(
                f"{system.folder}: cannot collect: missing units: {spans(missing)}; run generate again"
            )
        else:
            try:
                stage.run(system, device, progress)
            except UserError as error:
                problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))


def spans(numbers: list[int]) -> str:
    """[0, 1, 2, 5] -> "0-2, 5"."""
    parts, start = [], None
    for position, number in enumerate(numbers):
        start = number if start is None else start
        if position + 1 == len(numbers) or numbers[position + 1] != number + 1:
            parts.append(str(start) if start == number else f"{start}-{number}")
            start = None
    return ", ".join(parts)


def complain(problems: list[str], place: units.Place | None = None) -> int:
    """Say what is wrong, once for all ranks."""
    if place is None or place.rank == 0:
        print("\n".join(problems), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
