"""The command line of `python -m jobs`: studies, stages, and what each takes."""

import argparse
import importlib
from pathlib import Path

from jobs.coarsening.config import Coarsening
from jobs.flocking.config import Flocking
from jobs.nucleation.config import Nucleation
from jobs.segregation.config import Segregation

# and jobs/STUDY/STAGE.py for each stage but `all`
STUDIES = {
    "nucleation": Nucleation,
    "segregation": Segregation,
    "flocking": Flocking,
    "coarsening": Coarsening,
}
STAGES = dict.fromkeys(STUDIES, ("generate", "collect", "train", "predict", "all"))
STAGES["coarsening"] = ("generate", "collect", "train", "large", "rollout", "all")
# what the last stage takes of one's own, its answer's name, and the network that gives it
OWN = {
    "nucleation": (
        "configurations",
        "spins +1 and -1 (stable), (n, L, L), .npy or HDF5 `spins`",
        "NAME-p_nuc.h5",
        "torus",
    ),
    "segregation": (
        "mixtures",
        "concentrations, (n, L, L), .npy or HDF5 `concentration`",
        "NAME-segregated.h5",
        "gan_forward",
    ),
    "flocking": (
        "configurations",
        "`magnetization` and `density`, (n, L, L), HDF5 or .npz",
        "NAME-phases.h5",
        "reference/lambda-0.01",
    ),
    "coarsening": (
        "starts",
        "phi, (x, y, z) or (n, x, y, z) on the networks' grid, .npy or HDF5 `phi` with attribute `spacing`",
        "NAME-rollout.h5",
        "the first that is trained, such as staggered/seed-0",
    ),
}
SETTING = {
    "nucleation": "system.field=0.6",
    "segregation": "generate.noise=0.05",
    "flocking": "system.density=2.5",
    "coarsening": "generate.noise=0.05",
}

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

  # train: one network a model and fold, as many side by side as there are cores; an array shares them as well
  python -m jobs nucleation train jobs/nucleation/r3_l30.yaml --run runs/r3 --set train.models=[cnn_2layer,torus]
  python -m jobs nucleation train jobs/nucleation/r3_l30.yaml --run runs/r3 --task 0/8

  # p_nuc of configurations of your own, and the occlusion map of the first one
  python -m jobs nucleation predict jobs/nucleation/r3_l30.yaml --run runs/r3 --input mine.npy --map 0

  # what mixtures of your own become, and their six quantities
  python -m jobs segregation predict jobs/segregation/paper.yaml --run runs/segregation --input mine.npy

  # the phases of configurations of your own, by the networks that learnt one density
  python -m jobs flocking predict jobs/flocking/paper.yaml --run runs/flocking --input mine.npz

  # networks that follow coarsening in three dimensions, from shapes, larger boxes and for longer than they learnt
  python -m jobs coarsening rollout jobs/coarsening/demo.yaml --run runs/coarsening --set rollout.models=[staggered]

  # what a network makes of a microstructure of your own, on the networks' grid, 1000 frames of it
  python -m jobs coarsening rollout jobs/coarsening/demo.yaml --run runs/coarsening --input mine.npy --frames 1000

  # one box of 2048^3 cells, too big for one GPU, in slabs over 16 of them
  srun -n 16 python -m mpi4py -m jobs coarsening large jobs/coarsening/paper.yaml --run runs/large --set large.size=2048

  # how far is it, and what went wrong
  python -m jobs status runs/r10

A run that was killed continues with the same command: finished units are kept and skipped, trainings go on from their last
epoch.
exit status: 0 done, 1 some units failed (their log is named), 2 something to put right (one line says what), 75 stopped by SIGUSR1
after the unit or epoch in progress: to be continued
"""


class Parser(argparse.ArgumentParser):
    """Mistakes on one line, like all others."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (try {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="python -m jobs",
        description="The stages of every study, the same on a cluster, a workstation and a laptop.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="STUDY", required=True)
    for study, stages in STAGES.items():
        one = commands.add_parser(
            study,
            help=f"stages: {', '.join(stages)}",
            epilog=EXAMPLES,
            description=importlib.import_module(f"jobs.{study}").__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument(
            "stage",
            metavar="STAGE",
            choices=stages,
            help="generate: simulate the units; collect: units into a data set; train: the networks; "
            + (
                f"predict: what they say of its test set, or of {OWN[study][0]} of your own (--input)"
                if "predict" in stages
                else f"rollout: they go on alone, from the config's cases, the truth beside them, or from "
                f"{OWN[study][0]} of your own (--input)"
            )
            + (
                "; large: one large box, shared by all MPI ranks; all: the others"
                if "large" in stages
                else "; all: these"
            )
            + " in turn",
        )
        one.add_argument(
            "config",
            metavar="CONFIG.yaml",
            type=Path,
            nargs="?",
            help=f"such as jobs/{study}/demo.yaml; default: RUN/config.yaml, with all that --set put into it",
        )
        one.add_argument(
            "--run",
            required=True,
            type=Path,
            help="run directory, created if missing; one config each",
        )
        one.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY.PATH=VALUE",
            dest="settings",
            help=f"override a config value, e.g. {SETTING[study]}; a list makes a sweep; may be repeated",
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
        one.add_argument(
            "--task",
            metavar="k/K",
            help="this is task k (from 0) of K; default: Slurm's array, or 0/1",
        )
        what, file, answer, model = OWN[study]
        mine = one.add_argument_group(f"{stages[-2]}, for {what} of your own")
        mine.add_argument("--input", type=Path, metavar="FILE", help=file)
        mine.add_argument(
            "--output", type=Path, metavar="FILE.h5", help=f"default: beside the input, {answer}"
        )
        mine.add_argument("--model", help=f"which trained model answers (default: {model})")
        if study == "coarsening":
            mine.add_argument(
                "--frames",
                type=int,
                metavar="N",
                help="of the rollout, the start among them (default: generate.frames)",
            )
        if study == "nucleation":
            mine.add_argument(
                "--window",
                type=float,
                metavar="MCS",
                help="p_nuc within this time, as the data had it (by torus_window)",
            )
            mine.add_argument(
                "--map", type=int, metavar="i", help="also the occlusion map of configuration i"
            )
    one = commands.add_parser(
        "status",
        help="units done, rate, ETA, what failed and where its log is",
        description="How far a run is: units done, rate, ETA, what failed and where its log is.",
    )
    one.add_argument("run", metavar="RUN", type=Path, help="run directory")
    one = commands.add_parser(
        "plan",
        help="units and networks, which an array's tasks can share; checks the config",
        description="Two numbers, units to generate and networks to train; with --run the directory is made, or found to fit.",
    )
    one.add_argument("study", metavar="STUDY", choices=STUDIES)
    one.add_argument("config", metavar="CONFIG.yaml", type=Path)
    one.add_argument("--run", type=Path)
    one.add_argument(
        "--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="settings"
    )
    return top


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
    return options
