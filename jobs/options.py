"""The command line of `python -m jobs`: studies, stages, and what each takes."""

import argparse
import importlib.metadata
from pathlib import Path

from jobs import study as studies
from jobs.study import Study

GENERAL = """
examples:
  python -m jobs nucleation all jobs/nucleation/demo.yaml --run runs/demo     the demo, on a GPU if there is one, else on all cores
  python -m jobs plan nucleation jobs/nucleation/demo.yaml                    what that makes, and takes on this machine
  python -m jobs build nucleation jobs/nucleation/demo.yaml                   its kernels, for nodes without a compiler
  python -m jobs status runs/demo                                             how far is it, and what went wrong
  python -m jobs nucleation --help                                            a study's own options and examples
"""
SHARED = """
shared by MPI ranks, or by the tasks of a Slurm array (from SLURM_ARRAY_TASK_ID, or --task k/K): units and networks are dealt
  mpiexec -n 4 python -m mpi4py -m jobs {study} generate CONFIG.yaml --run RUN
  python -m jobs {study} generate CONFIG.yaml --run RUN --task 0/8

A run that was killed continues with the same command: finished units are kept and skipped, trainings go on from their last
epoch. Later stages need --run RUN alone: RUN/config.yaml has all that --set put into it.
Costly parts of `all` that can be left out are announced, with their time; python -m jobs plan {study} CONFIG.yaml has them all.
Compiled kernels are kept in ~/.cache/quench, or in the folder QUENCH_CACHE.
exit status: 0 done, 1 some units failed (their log is named) or a sweep's system had no sound data,
2 something to put right (one line says what), 75 stopped by SIGUSR1 after the unit or epoch in progress: to be continued
"""


class Parser(argparse.ArgumentParser):
    """Mistakes on one line, like all others."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (try {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="python -m jobs",
        description="The stages of every study, the same on a cluster, a workstation and a laptop.",
        epilog=GENERAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = importlib.metadata.version("quench")
    top.add_argument("--version", action="version", version=f"Quench {version}")
    commands = top.add_subparsers(dest="command", metavar="STUDY", required=True)
    for name in studies.NAMES:
        of_study(commands, studies.of(name))
    one = commands.add_parser(
        "status",
        help="units done, rate, ETA, what failed and where its log is",
        description="How far a run is: units done, rate, ETA, what failed and where its log is.",
    )
    one.add_argument("run", metavar="RUN", type=Path, help="run directory")
    one.add_argument(
        "--failed",
        action="store_true",
        help="only the first stage that Slurm or its own note says failed, and which of its array's tasks: for submit.sh",
    )
    one = commands.add_parser(
        "plan",
        help="what a config makes, and what that takes: units, configurations, networks, time, disk",
        description="What each stage makes, and what it takes on this machine, estimated by trials of a second each; "
        "nothing is written. Mistakes in the config are said, as by the stages.",
    )
    configured(one, "its config, where none is given; with --counts it is made, or found to fit")
    one.add_argument(
        "--counts",
        action="store_true",
        help="two numbers alone, at once: units to generate and networks to train, which an array's tasks can share",
    )
    one = commands.add_parser(
        "build",
        help="compile all kernels that a config's stages use, for nodes of this kind",
        description="Compiles all kernels that a config's stages use into QUENCH_CACHE (of GPUs: CUPY_CACHE_DIR), so "
        "that nodes with the same CPU or GPU need no compiler. Nothing else is written.",
    )
    configured(one, "its config, where none is given")
    one.add_argument(
        "--cpu",
        metavar="NAME",
        help="for nodes with another CPU than this one: x86-64-v3 or x86-64-v4, or a processor of such a level, as "
        "compilers call it, such as znver3 or icelake-server",
    )
    commands.add_parser(
        "configs",
        help="every key of every study's config: meaning, default, range, unit",
        description="Prints the reference of all configs, jobs/CONFIGS.md, made from their types.",
    )
    return top


def of_study(commands, study: Study) -> None:
    """Its command."""
    stages, own = (*study.stages, "all"), study.own
    what = own.what if own else ""
    words = {
        "generate": "simulate the units",
        "collect": "units into a data set",
        "train": "the networks",
        "predict": f"what they say of its test set, or of {what} of your own (--input)",
        "rollout": f"they go on alone, from the config's cases, the truth beside them, or from {what} of your own (--input)",
        "large": "one large box, shared by all MPI ranks",
        "rates": "the rate of nucleation by forward flux sampling; its repeats are shared as units are",
        "all": "the others in turn" if study.apart else "these in turn",
    }
    examples = [
        f"  # {text}\n  python -m jobs {study.name} {line}" for text, line in study.examples
    ]
    one = commands.add_parser(
        study.name,
        help=f"stages: {', '.join(stages)}",
        epilog="\nexamples:\n" + "\n\n".join(examples) + "\n" + SHARED.format(study=study.name),
        description=study.about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument(
        "stage",
        metavar="STAGE",
        choices=stages,
        help="; ".join(f"{stage}: {words[stage]}" for stage in stages),
    )
    configured(one, "run directory, created if missing; one config each", study)
    one.add_argument(
        "--task",
        metavar="k/K",
        help="this is task k (from 0) of K; default: Slurm's array, or 0/1",
    )
    one.set_defaults(study=study.name, input=None)
    if own is None:
        return
    mine = one.add_argument_group(f"{study.last}, for {what} of your own")
    mine.add_argument("--input", type=Path, metavar="FILE", help=own.file)
    mine.add_argument(
        "--output", type=Path, metavar="FILE.h5", help=f"default: beside the input, {own.answer}"
    )
    mine.add_argument("--model", help=f"which trained model answers (default: {own.model})")
    for option, keywords in own.options.items():
        mine.add_argument(option, **keywords)


def configured(one: argparse.ArgumentParser, run: str, study: Study | None = None) -> None:
    """A command that takes a config, of one study or of any; run: help of --run."""
    if study is None:
        one.add_argument("study", metavar="STUDY", choices=studies.NAMES)
    example = f"jobs/{study.name if study else 'STUDY'}/demo.yaml"
    one.add_argument(
        "config",
        metavar="CONFIG.yaml",
        type=Path,
        nargs="?",
        help=f"such as {example}, which is found from anywhere; default: RUN/config.yaml, with all that --set put into it",
    )
    own = study.own if study else None
    but = f"; not with {study.last} --input" if study and own and own.alone else ""
    needed = study is not None and not but  # else `parsed` looks at what it goes with
    one.add_argument("--run", required=needed, type=Path, help=run + but)
    setting = study.setting if study else "seed=2"
    one.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        dest="settings",
        help=f"override a config value, e.g. {setting}; a list makes a sweep; may be repeated",
    )
    one.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="auto (default): a GPU where there is one; the same spins; fields and networks up to round-off",
    )
    one.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="CPU threads (default: all cores of this process); on a GPU: networks that train side by side",
    )


def alone(options: argparse.Namespace) -> bool:
    """Whether a study's command answers --input without a run."""
    study = studies.of(options.study)
    return options.input is not None and options.stage == study.last and bool(study.own.alone)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The options of a command line.  CONFIG.yaml may be left out, and stand anywhere: argparse
    alone takes one that follows an option for an argument too many.
    """
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if rest and not rest[0].startswith("-") and getattr(options, "config", ...) is None:
        options.config = Path(rest.pop(0))
    if rest:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command in studies.NAMES and options.run is None and not alone(options):
        top.error("the following arguments are required: --run")
    return options
