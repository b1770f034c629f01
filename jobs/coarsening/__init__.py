"""Coarsening after spinodal decomposition (Cahn-Hilliard in three dimensions), and networks that
follow it frame by frame to its end.
"""

from jobs.study import OwnInput, Study

STUDY = Study(
    name="coarsening",
    model="Coarsening",
    last="rollout",
    apart=("large",),
    own=OwnInput(
        what="starts",
        file="phi from 0 to 1, (x, y, z) or (n, x, y, z), periodic, on the networks' grid, .npy or HDF5 `phi` with attribute "
        "`spacing`; without --run a network that comes with Quench follows it, in cells of 2 with epsilon = 3",
        answer="NAME-rollout.h5",
        model="the first that is trained, such as staggered/seed-0",
        options={
            "--frames": {
                "type": int,
                "metavar": "N",
                "help": "of the rollout, the start among them (default: generate.frames; without --run 101)",
            },
            "--steps": {
                "type": int,
                "metavar": "N",
                "help": "of the rollout: --frames less the start",
            },
            "--dataset": {"metavar": "NAME", "help": "in an HDF5 or .npz input (default: phi)"},
            "--network": {
                "metavar": "NAME",
                "help": "without --run: staggered (default), central or sigmoid, which come with Quench, or FILE.npz, what "
                "kernels.conv_gru_file.write wrote",
            },
            "--memory": {
                "type": int,
                "metavar": "STEPS",
                "help": "after which the network's hidden states begin anew (default: as the run's config says, without --run as many "
                "as in the network's training; 0: never, as published)",
            },
            "--smooth": {
                "type": float,
                "metavar": "CELLS",
                "help": "standard deviation of a Gaussian that the fields are smoothed with first (default: 0.55 where they are "
                "black and white, which no mixture is, and then it is said; else 0: not at all)",
            },
        },
        alone="own",
    ),
    together=True,
    own_kernels=True,
    begins={"train": ("train.",), "large": ("large.",)},
    free=("train.models", "train.seeds", "rollout.", "large.checkpoint"),
    report="report",
    setting="generate.noise=0.05",
    examples=(
        (
            "networks that follow coarsening from shapes, in larger boxes and for longer than they learnt",
            "rollout --run runs/coarsening --set rollout.models=[staggered]",
        ),
        (
            "what a network makes of a microstructure of your own, 1000 frames of it",
            "rollout --run runs/coarsening --input mine.npy --frames 1000",
        ),
        (
            "the same by a network that comes with Quench, and by the solver beside it, without a run; then a picture of both:\n"
            "  # python -m analysis coarsening phi-rollout.h5",
            "rollout --input phi.h5 --steps 100",
        ),
        (
            "one large box, on all cores or a GPU; over many GPUs: srun -n 16 python -m mpi4py -m jobs ...",
            "large jobs/coarsening/workstation.yaml --run runs/large --set large.size=256",
        ),
    ),
)
