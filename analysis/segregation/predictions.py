"""Reading RUN/predict/MODEL.h5: each file once, as a whole, into numbers by sample; its fields are
not kept.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from analysis.segregation.labels import MODELS, SIX
from jobs import shards, yaml12
from jobs.segregation.fields import segregated
from kernels.structure import structure_factor

FIELDS = ("input", "prediction", "truth")
ROUND_OFF = 1e-7  # of the product of two standard deviations of concentrations in single precision
DEVIATIONS = np.linspace(
    -0.2, 0.2, 41
)  # c minus the field's mean, of mixed states; the outer bins are open


@dataclass(frozen=True)
class Predictions:
    """One model on n samples of the test set.

    index: rows of the test split.  segregated: whether the steady state holds two phases (the
    truth's; of reverse models the input's).  predicted_segregated: the same of the prediction.
    change: mean of the prediction minus that of the input. truth, predicted: {quantity: float64
    (n,)}.  spectrum_truth, spectrum: S(k), (n, L/2).  variance_truth, variance: of the cells of a
    field.  correlation: of prediction and truth over cells, nan where one is flat.
    histogram_truth, histogram: int (n, bins of DEVIATIONS), cells.  train: that section of the
    config it was trained by.
    """

    model: str
    file: Path
    index: np.ndarray
    mean_concentration: np.ndarray
    segregated: np.ndarray
    predicted_segregated: np.ndarray
    change: np.ndarray
    truth: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]
    spectrum_truth: np.ndarray
    spectrum: np.ndarray
    variance_truth: np.ndarray
    variance: np.ndarray
    correlation: np.ndarray
    histogram_truth: np.ndarray
    histogram: np.ndarray
    train: dict

    def __len__(self) -> int:
        return len(self.index)

    def fields(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """input, prediction, truth of these rows, float32 (rows, L, L)."""
        with h5py.File(self.file, "r", locking=False) as file:
            return {name: np.stack([file[name][row] for row in rows]) for name in FIELDS}


def read_predictions(path: Path, dataset: dict) -> tuple[dict[str, Predictions], list[str]]:
    """({model: predictions}, a line for each file left out) of a run whose dataset.h5 has these
    attributes.
    """
    found, left_out = {}, []
    for model in MODELS:
        file = path / "predict" / f"{model}.h5"
        try:
            found[model] = read_file(file, model, dataset)
        except FileNotFoundError:
            continue
        except shards.BadFileError as error:
            left_out.append(f"{file.relative_to(path.parent)}: {error}")
    return found, left_out


def read_file(file: Path, model: str, dataset: dict) -> Predictions:
    """One file.  Raises FileNotFoundError, and shards.BadFileError for one that is damaged or of
    other data.
    """
    arrays, attributes = shards.read(file)
    if attributes.get("dataset_digest") != dataset.get("content_digest"):
        raise shards.BadFileError("made from another data set than the dataset.h5 beside it")
    numbers = [f"{kind}_{q.name}" for kind in ("truth", "predicted") for q in SIX]
    missing = [
        name for name in (*FIELDS, "index", "mean_concentration", *numbers) if name not in arrays
    ]
    if missing:
        raise shards.BadFileError(f"lacks {', '.join(missing)}")
    start, prediction, truth = (arrays[name] for name in FIELDS)
    if len(truth) == 0 or not np.isfinite(prediction).all():
        raise shards.BadFileError(
            "no samples in it"
            if len(truth) == 0
            else "the network predicts values that are not numbers"
        )
    config = yaml12.load(str(attributes.get("config", ""))) or {}
    spacing = float((config.get("system") or {}).get("spacing", 1.0))
    return Predictions(
        model=model,
        file=file,
        index=arrays["index"],
        mean_concentration=arrays["mean_concentration"].astype(float),
        segregated=segregated(start if MODELS[model].reverse else truth),
        predicted_segregated=segregated(prediction),
        change=prediction.mean((1, 2), dtype=float) - start.mean((1, 2), dtype=float),
        truth={q.name: arrays[f"truth_{q.name}"].astype(float) for q in SIX},
        predicted={q.name: arrays[f"predicted_{q.name}"].astype(float) for q in SIX},
        spectrum_truth=structure_factor(truth, spacing),
        spectrum=structure_factor(prediction, spacing),
        variance_truth=truth.var((1, 2), dtype=float),
        variance=prediction.var((1, 2), dtype=float),
        correlation=correlation(prediction, truth),
        histogram_truth=histogram(truth),
        histogram=histogram(prediction),
        train=config.get("train") or {},
    )


def deviations(fields: np.ndarray) -> np.ndarray:
    """Fields (n, L, L) less their means, float32 (n, L L)."""
    flat = fields.reshape(len(fields), -1)
    return flat - flat.mean(axis=1, keepdims=True)


def correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's r over the cells of each field, (n,); nan where one is flat but for round-off."""
    a, b = deviations(first), deviations(second)
    spread = np.sqrt((a * a).mean(1, dtype=float) * (b * b).mean(1, dtype=float))
    return np.divide(
        (a * b).mean(1, dtype=float), spread, out=np.full(len(a), np.nan), where=spread > ROUND_OFF
    )


def histogram(fields: np.ndarray) -> np.ndarray:
    """Cells of each field by their deviation from its mean, int32 (n, len(DEVIATIONS) + 1): the
    outer two are open.
    """
    bins = len(DEVIATIONS) + 1
    return np.stack(
        [
            np.bincount(np.searchsorted(DEVIATIONS, row), minlength=bins)
            for row in deviations(fields)
        ]
    ).astype(np.int32)
