"""Nucleation in the Ising model: what to generate, how to collect it, configs of the paper's
systems.
"""

from jobs.study import OwnInput, Study

STUDY = Study(
    name="nucleation",
    model="Nucleation",
    last="predict",
    own=OwnInput(
        what="configurations",
        file="spins +1 and -1 (stable), (n, L, L), .npy or HDF5 `spins`",
        answer="NAME-p_nuc.h5",
        model="torus",
        options={
            "--window": {
                "type": float,
                "metavar": "MCS",
                "help": "p_nuc within this time, as the data had it (by torus_window)",
            },
            "--map": {
                "type": int,
                "metavar": "i",
                "help": "also the occlusion map of configuration i",
            },
        },
    ),
    optional={"rates": "rates.repeats"},
    begins={"train": ("train.",), "rates": ("rates.",)},
    free=("train.models", "train.splits", "train.folds", "predict.", "rates.repeats"),
    report="report",
    setting="system.field=0.6",
    examples=(
        (
            "the demo, on a GPU if there is one, else on all cores",
            "all jobs/nucleation/demo.yaml --run runs/demo",
        ),
        (
            "any value may be a list, which makes a sweep: one system a value, in RUN/system.field=0.55/ and so on",
            "all jobs/nucleation/demo.yaml --run runs/fields --set system.field=[0.55,0.57,0.6]",
        ),
        (
            "shared by the tasks of a Slurm array (taken from SLURM_ARRAY_TASK_ID, or given by --task)",
            "generate jobs/nucleation/r10_l100.yaml --run runs/r10 --task 0/8",
        ),
        (
            "train: one network a model and fold, as many side by side as there are cores",
            "train --run runs/r3 --set train.models=[cnn_2layer,torus]",
        ),
        (
            "p_nuc of configurations of your own, and the occlusion map of the first one",
            "predict --run runs/r3 --input mine.npy --map 0",
        ),
        (
            "the rate of nucleation by forward flux sampling, eight times, where nobody waits for an event",
            "rates jobs/nucleation/demo.yaml --run runs/slow --set system.field=0.3",
        ),
    ),
)
