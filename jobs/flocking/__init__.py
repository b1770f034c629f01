"""Flocking (Active Ising Model): its phases found without labels, and networks that learn them at
one density and meet others.
"""

from jobs.study import OwnInput, Study

STUDY = Study(
    name="flocking",
    model="Flocking",
    last="predict",
    own=OwnInput(
        what="configurations",
        file="`magnetization` and `density`, (n, L, L), HDF5 or .npz",
        answer="NAME-phases.h5",
        model="reference/lambda-0.01",
    ),
    begins={"train": ("train.", "unsupervised.")},
    free=("train.sets", "train.regularization", "train.seeds", "predict.", "film."),
    setting="system.density=2.5",
    examples=(
        (
            "the demo: configurations at two densities, their phases, four networks",
            "all jobs/flocking/demo.yaml --run runs/flocking",
        ),
        (
            "the phase diagram of another self-propulsion",
            "all jobs/flocking/densities.yaml --run runs/half --set system.self_propulsion=0.5",
        ),
        (
            "the phases of configurations of your own, by the networks that learnt one density",
            "predict --run runs/flocking --input mine.npz",
        ),
    ),
)
