"""Phase segregation of a binary mixture (Cahn-Hilliard in two dimensions), and networks that jump
to its end, or back.
"""

from jobs.study import OwnInput, Study

STUDY = Study(
    name="segregation",
    model="Segregation",
    last="predict",
    own=OwnInput(
        what="mixtures",
        file="concentrations, (n, L, L), .npy or HDF5 `concentration`",
        answer="NAME-segregated.h5",
        model="gan_forward",
    ),
    free=("train.models", "predict.", "collect.foretold"),
    together=True,
    setting="generate.noise=0.05",
    examples=(
        (
            "the demo: mixtures run to their ends, and six small networks that say where",
            "all jobs/segregation/demo.yaml --run runs/segregation",
        ),
        (
            "how far ahead one can see, at five epsilon",
            "collect jobs/segregation/predictability.yaml --run runs/ahead",
        ),
        (
            "what mixtures of your own become, and their six quantities",
            "predict --run runs/segregation --input mine.npy",
        ),
    ),
)
