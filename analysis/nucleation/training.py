"""Reading what train wrote: RUN/train/SPLIT/MODEL/fold-K/test.h5, one file a trained model.

A fold that is unfinished, damaged or made from another data set is left out, and the report says
so.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis.nucleation.dataset import Run
from jobs import shards

MODELS = {
    "spins": "spins LR",
    "features": "features LR",
    "cnn_2layer": "CNN, 2 layers",
    "cnn_4layer": "CNN, 4 layers",
    "notebook": "CNN, notebook",
    "torus": "ours (torus)",
    "torus_window": "ours (and window)",
    "features_converged": "features LR, converged",  # last, so that it shares the colour of the features
}
EVENT, CONFIGURATION = "event", "configuration"
SPLITS = {EVENT: "by event", CONFIGURATION: "by configuration"}
HISTORY = ("epoch", "training_loss", "validation_loss", "validation_mse")


@dataclass(frozen=True)
class Fold:
    """One trained model on its test set: rows `index` (t,) of dataset.h5, p_nuc measured and
    predicted (t,).

    training, validation: rows of dataset.h5; history: {name: (e,)} by epoch; weights (10,) of the
    standardised features, None for other models; epochs trained, best_epoch kept; seconds: all
    epochs together.
    """

    number: int
    index: np.ndarray
    p_nuc: np.ndarray
    predicted: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    history: dict[str, np.ndarray]
    weights: np.ndarray | None
    parameters: int
    epochs: int
    best_epoch: int
    device: str
    seconds: float | None

    @property
    def squared_error(self) -> np.ndarray:
        return (self.predicted - self.p_nuc) ** 2


Folds = dict[tuple[str, str], list[Fold]]  # (split, model) -> folds in order of their number


@dataclass(frozen=True)
class Training:
    """All finished folds of one run, and a line for each one left out."""

    folds: Folds = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def models(self, split: str) -> list[str]:
        """Models with finished folds of this split, in the order of MODELS, unknown ones last."""
        known = list(MODELS)
        found = [model for of, model in self.folds if of == split]
        return sorted(
            found, key=lambda model: (known.index(model) if model in known else len(known), model)
        )


def label(model: str) -> str:
    return MODELS.get(model, model)


def number_of(folder: Path) -> int:
    """K of fold-K; -1 for another name."""
    name = folder.name.removeprefix("fold-")
    return int(name) if name.isdigit() else -1


def read(run: Run) -> Training:
    """Every finished fold under run/train."""
    folds: Folds = {}
    left_out = []
    for split in SPLITS:
        for folder in sorted(
            (run.path / "train" / split).glob("*/fold-*"),
            key=lambda f: (f.parent.name, number_of(f)),
        ):
            name = folder.relative_to(run.path.parent)
            try:
                fold = read_fold(folder / "test.h5", run)
            except FileNotFoundError:
                left_out.append(f"{name}: not finished")
            except shards.BadFileError as error:
                left_out.append(f"{name / 'test.h5'}: {error}")
            else:
                folds.setdefault((split, folder.parent.name), []).append(fold)
    return Training(folds, left_out)


def read_fold(file: Path, run: Run) -> Fold:
    """One test.h5. Raises FileNotFoundError, and shards.BadFileError for a file that is damaged or
    of other data.
    """
    arrays, attributes = shards.read(file)
    check_origin(attributes, run)
    missing = [
        name
        for name in ("index", "p_nuc", "predicted", "training", "validation")
        if name not in arrays
    ]
    if missing:
        raise shards.BadFileError(f"lacks {', '.join(missing)}")
    index, training, validation = (
        arrays[name].astype(np.int64) for name in ("index", "training", "validation")
    )
    for rows in (index, training, validation):
        if len(rows) == 0 or rows.min() < 0 or rows.max() >= len(run.p_nuc):
            raise shards.BadFileError("its rows are not rows of dataset.h5")
    if not np.allclose(arrays["p_nuc"], run.p_nuc[index], rtol=0, atol=1e-6):
        raise shards.BadFileError("its labels are not those of dataset.h5")
    if not np.isfinite(arrays["predicted"]).all():
        raise shards.BadFileError("the network predicts values that are not numbers")
    return Fold(
        number=number_of(file.parent),
        index=index,
        p_nuc=arrays["p_nuc"].astype(float),
        predicted=arrays["predicted"].astype(float),
        training=training,
        validation=validation,
        history={
            name: arrays[f"history/{name}"] for name in HISTORY if f"history/{name}" in arrays
        },
        weights=arrays.get("weights"),
        parameters=int(attributes.get("parameters", -1)),
        epochs=int(attributes.get("epochs", -1)),
        best_epoch=int(attributes.get("best_epoch", -1)),
        device=str(attributes.get("device", "not recorded")),
        seconds=float(attributes["seconds"]) if "seconds" in attributes else None,
    )


def check_origin(attributes: dict, run: Run) -> None:
    """Raise BadFileError unless the file says that it was made from this very dataset.h5."""
    if attributes.get("study") != "nucleation":
        raise shards.BadFileError("not a file of the nucleation study")
    if attributes.get("dataset_digest") is None or attributes[
        "dataset_digest"
    ] != run.attributes.get("content_digest"):
        raise shards.BadFileError("made from another data set than the dataset.h5 beside it")
