"""Reading a segregation run: dataset.h5, the predictions and the training histories.  Fields stay
on the disk.

A prediction that is damaged or of another data set is left out, and the report says so.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from analysis.runs import BadInput
from analysis.segregation.labels import MODELS, SIX
from analysis.segregation.predictions import Predictions, read_predictions
from jobs import UserError, shards, yaml12
from jobs.segregation import fields

COLUMNS = tuple(q.column for q in SIX if q.column)
HISTORY = ("epoch", "l1", "adversarial", "discriminator", "validation_l1")
NEEDED = (*COLUMNS, "split", "mean_concentration", "times", "steady_time")
TRAINING, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Run:
    """One run.  quantities: {name: float64 (n, t)} of all samples at `times` (t,), the last inf,
    the steady state.

    mean_concentration, steady_time (nan: not reached), split: (n,).  histories: {model: {column of
    metrics.csv: (epochs,)}}.
    """

    path: Path
    config: dict
    attributes: dict
    times: np.ndarray
    split: np.ndarray
    mean_concentration: np.ndarray
    steady_time: np.ndarray
    quantities: dict[str, np.ndarray]
    predictions: dict[str, Predictions]
    histories: dict[str, dict[str, np.ndarray]]
    left_out: list[str]

    @property
    def size(self) -> int:
        return int(self.config["system"]["size"])

    @property
    def spacing(self) -> float:
        return float(self.config["system"]["spacing"])

    @property
    def area(self) -> float:
        """Of the box, length^2."""
        return (self.size * self.spacing) ** 2

    @property
    def segregated(self) -> np.ndarray:
        """Whether the steady state has an interface, bool (n,); fields themselves are not read for
        it.
        """
        return self.quantities["perimeter"][:, -1] > 0

    def training_samples(self, train: dict) -> int:
        """How many samples networks with this section of a config are trained on."""
        found = int((self.split == TRAINING).sum())
        asked = train.get("samples")
        return found if asked is None else min(asked, found)

    def models(self, reverse: bool) -> dict[str, Predictions]:
        """Predictions of the forward or of the reverse models, in the order of MODELS."""
        return {name: p for name, p in self.predictions.items() if MODELS[name].reverse == reverse}

    def test_fields(self) -> "fields.Fields | None":
        """The test split's fields, None where they are not there (any more)."""
        try:
            return fields.read(self.path, "test")
        except UserError:
            return None


def load(path: Path) -> Run:
    """Read a run directory.  Raises BadInput with one line."""
    file = path / "dataset.h5"
    try:
        arrays, attributes = shards.read(file)
        if attributes.get("study") != "segregation":
            raise BadInput(f"{file} is not a data set of the segregation study")
        config = yaml12.load(attributes["config"])
        config["system"]["size"], config["system"]["spacing"], config["generate"]
    except shards.BadFileError as error:
        raise BadInput(f"{file}: {error}") from None
    except (KeyError, TypeError, yaml.YAMLError):
        raise BadInput(f"{file}: damaged config") from None
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise BadInput(f"{file} lacks {', '.join(missing)}; run collect again")
    values = {q.name: arrays[q.column].astype(float) for q in SIX if q.column}
    values["free_energy"] = values["chemical_energy"] + values["surface_energy"]
    predictions, left_out = read_predictions(path, attributes)
    return Run(
        path,
        config,
        attributes,
        arrays["times"],
        arrays["split"],
        arrays["mean_concentration"],
        arrays["steady_time"],
        values,
        predictions,
        histories(path, left_out),
        left_out,
    )


def histories(path: Path, left_out: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """{model: columns of train/MODEL/metrics.csv}, in the order of MODELS."""
    found = {}
    for model in MODELS:
        file = path / "train" / model / "metrics.csv"
        if not file.exists():
            continue
        with file.open(newline="") as text:
            rows = list(csv.DictReader(text))
        try:
            found[model] = {
                name: np.array([float(row[name] or "nan") for row in rows])
                for name in HISTORY
                if rows and name in rows[0]
            }
            if not rows or "epoch" not in found[model]:
                raise ValueError
        except (ValueError, TypeError):
            found.pop(model, None)
            left_out.append(f"{file.relative_to(path.parent)}: no epochs in it, or damaged")
    return found


def activations(run: Run) -> dict[str, dict[str, np.ndarray]]:
    """{model: arrays of predict/MODEL-activations.h5}, in the order of MODELS."""
    found = {}
    for model in MODELS:
        file = run.path / "predict" / f"{model}-activations.h5"
        try:
            arrays, _ = shards.read(file)
            if not {"input", "prediction", "layer_00"} <= set(arrays):
                raise shards.BadFileError("lacks layers, input or prediction")
            found[model] = arrays
        except FileNotFoundError:
            continue
        except shards.BadFileError as error:
            run.left_out.append(f"{file.relative_to(run.path.parent)}: {error}")
    return found
