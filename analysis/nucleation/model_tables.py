"""Tables of the report that are not the paper's claims: every model, and every paired
difference.
"""

from dataclasses import dataclass

import numpy as np

from analysis.nucleation import skill
from analysis.nucleation.skill import FoldEstimate
from analysis.nucleation.study import Study
from analysis.nucleation.training import CONFIGURATION, EVENT, SPLITS, label
from analysis.verdicts import number

PAIRS = (
    ("cnn_2layer", "features"),
    ("cnn_2layer", "features_converged"),
    ("features", "spins"),
    ("features_converged", "spins"),
    ("features", "features_converged"),
    ("torus", "cnn_2layer"),
    ("torus", "cnn_4layer"),
    ("torus_window", "torus"),
    ("cnn_4layer", "cnn_2layer"),
    ("notebook", "cnn_2layer"),
)


@dataclass(frozen=True)
class ModelRow:
    """One model on one system. Numbers are {"value", "error", "fold_error", "event_error"}, None
    where undetermined.

    training, test: configurations of the smallest fold; epochs, best_epoch, seconds: mean over
    folds, seconds of training per fold.
    """

    system: str
    split: str
    model: str
    parameters: int
    folds: int
    training: int
    test: int
    floor: float | None
    mse: dict
    root_mse: dict
    absolute_error: dict
    excess: dict
    explained: dict
    epochs: float
    best_epoch: float
    seconds: float | None
    device: str


@dataclass(frozen=True)
class Difference:
    """MSE of `first` minus MSE of `second` on one system; smaller than 0: the first is better."""

    system: str
    split: str
    first: str
    second: str
    folds: int
    difference: dict


def numbers(estimate: FoldEstimate) -> dict:
    """For JSON."""
    return {
        name: number(getattr(estimate, name))
        for name in ("value", "error", "fold_error", "event_error")
    }


def models(studies: list[Study]) -> list[ModelRow]:
    return [
        _row(study, split, model)
        for study in studies
        for split in SPLITS
        for model in study.training.models(split)
    ]


def _row(study: Study, split: str, model: str) -> ModelRow:
    run, folds = study.run, study.folds(split, model)
    seconds = [fold.seconds for fold in folds if fold.seconds is not None]
    return ModelRow(
        study.name,
        split,
        model,
        folds[0].parameters,
        len(folds),
        min(len(fold.training) for fold in folds),
        min(len(fold.index) for fold in folds),
        number(skill.floor(run, folds)),
        *(
            numbers(measure(run, folds))
            for measure in (
                skill.mse,
                skill.root_mse,
                skill.absolute_error,
                skill.excess,
                skill.explained,
            )
        ),
        float(np.mean([fold.epochs for fold in folds])),
        float(np.mean([fold.best_epoch for fold in folds])),
        float(np.mean(seconds)) if seconds else None,
        "; ".join(sorted({fold.device for fold in folds})),
    )


def differences(studies: list[Study]) -> list[Difference]:
    """Paired by fold and row between models; then each model's price of splitting by event."""
    rows = []
    for study in studies:
        for split in SPLITS:
            for first, second in PAIRS:
                found = skill.difference(
                    study.run, study.folds(split, first), study.folds(split, second)
                )
                if found is not None:
                    rows.append(
                        Difference(
                            study.name,
                            split,
                            label(first),
                            label(second),
                            found.folds,
                            numbers(found),
                        )
                    )
        for model in study.training.models(EVENT):
            by_event, by_configuration = (
                study.folds(EVENT, model),
                study.folds(CONFIGURATION, model),
            )
            if by_configuration:
                found = skill.between_splits(study.run, by_event, by_configuration)
                rows.append(
                    Difference(
                        study.name,
                        "both",
                        f"{label(model)}, {SPLITS[EVENT]}",
                        f"{label(model)}, {SPLITS[CONFIGURATION]}",
                        found.folds,
                        numbers(found),
                    )
                )
    return rows
