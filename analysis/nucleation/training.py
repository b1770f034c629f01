"""Reading what train wrote: RUN/train/SPLIT/MODEL/fold-K/test.h5, one file a trained model.

A fold that is unfinished, damaged or made from another data set is left out, and the page says so.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from analysis.nucleation import estimates
from analysis.nucleation.dataset import Run
from analysis.nucleation.labels import SPLITS
from jobs import shards

HISTORY = ("epoch", "training_loss", "validation_loss")
MANY = 150_000  # predictions of one run: more are rounded, for a record to stay small
STEPS = 1 << 16  # in [0, 1], of rounded predictions: a thousandth of what a network is wrong by


@dataclass(frozen=True, order=True)
class Network:
    """One trained model: what was dealt into folds (event or configuration), model, fold."""

    split: str
    model: str
    fold: int


@dataclass(frozen=True)
class Fold:
    """One trained model on its test set.

    test: the key of its test rows; predicted: p_nuc, float32 (t,), rounded where there are many;
    training, validation: how many configurations; training_entropy, validation_entropy: of their
    labels, nat; history: float32 (3, e): epoch, training and validation loss (nat); weights:
    float64 (10,) of the standardised features, None for other models; epochs trained, best_epoch
    kept; seconds: all epochs together.
    """

    test: str
    predicted: np.ndarray
    training: int
    validation: int
    training_entropy: float
    validation_entropy: float
    history: np.ndarray | None
    weights: np.ndarray | None
    parameters: int
    epochs: int
    best_epoch: int
    device: str
    seconds: float | None


@dataclass(frozen=True)
class Training:
    """All finished folds of one run, their test rows of dataset.h5, (t,) by key, and a line for
    each fold left out.
    """

    folds: dict[Network, Fold] = field(default_factory=dict)
    tests: dict[str, np.ndarray] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def number_of(folder: Path) -> int:
    """K of fold-K; -1 for another name."""
    name = folder.name.removeprefix("fold-")
    return int(name) if name.isdigit() else -1


def read(run: Run) -> Training:
    """Every finished fold under run/train."""
    found = Training()
    for split in SPLITS:
        for folder in sorted(
            (run.path / "train" / split).glob("*/fold-*"),
            key=lambda f: (f.parent.name, number_of(f)),
        ):
            name = folder.relative_to(run.path)
            try:
                fold, rows = read_fold(folder / "test.h5", run)
            except FileNotFoundError:
                found.left_out.append(
                    f"the training of {name.relative_to('train')} has not ended; that network is left out"
                )
            except shards.BadFileError as error:
                found.left_out.append(f"{name / 'test.h5'}: {error}")
            else:
                found.folds[Network(split, folder.parent.name, number_of(folder))] = fold
                found.tests[fold.test] = rows
    if sum(len(fold.predicted) for fold in found.folds.values()) > MANY:
        rounded = {network: coarser(fold) for network, fold in found.folds.items()}
        return replace(found, folds=rounded)
    return found


def coarser(fold: Fold) -> Fold:
    """With predictions rounded to 1 / STEPS, which compress to half of their bytes."""
    return replace(fold, predicted=np.round(fold.predicted * STEPS) / np.float32(STEPS))


def read_fold(file: Path, run: Run) -> tuple[Fold, np.ndarray]:
    """One test.h5 and its test rows. Raises FileNotFoundError, and shards.BadFileError for a file
    that is damaged or of other data.
    """
    arrays, attributes = shards.read(file)
    check_origin(attributes, run)
    rows = checked_rows(arrays, run)
    index = rows["index"].astype(np.min_scalar_type(len(run.p_nuc)))
    known = all(f"history/{name}" in arrays for name in HISTORY)
    fold = Fold(
        test=hashlib.sha256(rows["index"].tobytes()).hexdigest()[:16],
        predicted=arrays["predicted"].astype(np.float32),
        training=len(rows["training"]),
        validation=len(rows["validation"]),
        training_entropy=estimates.label_entropy(run.p_nuc[rows["training"]]),
        validation_entropy=estimates.label_entropy(run.p_nuc[rows["validation"]]),
        history=np.array([arrays[f"history/{n}"] for n in HISTORY], np.float32) if known else None,
        weights=arrays["weights"].astype(float) if "weights" in arrays else None,
        parameters=int(attributes.get("parameters", -1)),
        epochs=int(attributes.get("epochs", -1)),
        best_epoch=int(attributes.get("best_epoch", -1)),
        device=str(attributes.get("device", "not recorded")),
        seconds=float(attributes["seconds"]) if "seconds" in attributes else None,
    )
    return fold, index


def checked_rows(arrays: dict, run: Run) -> dict[str, np.ndarray]:
    """Rows of dataset.h5 of the test, training and validation sets.  Raises shards.BadFileError
    unless they and the labels are those of this data set.
    """
    names = ("index", "training", "validation")
    missing = [name for name in (*names, "p_nuc", "predicted") if name not in arrays]
    if missing:
        raise shards.BadFileError(f"lacks {', '.join(missing)}")
    rows = {name: arrays[name].astype(np.int64) for name in names}
    for found in rows.values():
        if len(found) == 0 or found.min() < 0 or found.max() >= len(run.p_nuc):
            raise shards.BadFileError("its rows are not rows of dataset.h5")
    if not np.allclose(arrays["p_nuc"], run.p_nuc[rows["index"]], rtol=0, atol=1e-6):
        raise shards.BadFileError("its labels are not those of dataset.h5")
    if not np.isfinite(arrays["predicted"]).all():
        raise shards.BadFileError("the network predicts values that are not numbers")
    return rows


def check_origin(attributes: dict, run: Run) -> None:
    """Raise BadFileError unless the file says that it was made from this very dataset.h5."""
    if attributes.get("study") != "nucleation":
        raise shards.BadFileError("not a file of the nucleation study")
    if attributes.get("dataset_digest") is None or attributes[
        "dataset_digest"
    ] != run.attributes.get("content_digest"):
        raise shards.BadFileError("made from another data set than the dataset.h5 beside it")
