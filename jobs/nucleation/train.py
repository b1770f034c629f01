"""Train the models of a run on its data set: one unit is one model on one fold.

Soft labels, cross entropy, Adam, early stopping on the validation loss (paper, section III.C); the
notebook's network with its notebook's SGD; ours with AdamW, augmentation and one cycle of the
learning rate.  An epoch's order, dropout and augmentation are a function of (seed, unit, epoch), so
a training that was killed goes on, from the last epoch's checkpoint, exactly as if it had not been.
"""

import functools
import sys
from pathlib import Path

import h5py
import numpy as np
import torch

from jobs import UserError, provenance
from jobs.config import digest
from jobs.nucleation import networks
from jobs.nucleation.config import Nucleation
from jobs.nucleation.epochs import Inputs, Training, epoch_seed, parsed, predict
from jobs.nucleation.features import NAMES
from jobs.nucleation.folds import split
from jobs.rundir import System
from jobs.shards import Data
from jobs.training import Report, check_dataset, device_name, finished, made_of

# to be raised when an architecture or the way of training changes: what was trained before is then
# set aside
RECIPE = 0
LISTS = (
    "train.models",
    "train.splits",
    "train.folds",
)  # which networks there are, not what one of them is

# of the networks, by what training takes; the features' take seconds
LONGEST = ("cnn_4layer", "notebook", "cnn_2layer", "torus_window", "torus", "spins")


def work(system: System, network_name: str) -> float:
    """By what the networks of a run are ordered, longest first: no measure of time, of which early
    stopping decides.
    """
    model = network_name.split("/")[1]
    order = LONGEST[::-1].index(model) + 1 if model in LONGEST else 0
    return order * system.config.system.size**2


# ---- the data


def check(system: System) -> None:
    """UserError unless the system's dataset.h5 is there, sound, of this very system, and large
    enough for the folds.
    """
    path, t = system.folder / "dataset.h5", system.config.train
    arrays = check_dataset(system, ("spins", "p_nuc", "event", "time"))
    for by in t.splits:
        for fold in range(t.folds):
            try:
                rows(arrays["event"], by, fold, system.config)
            except UserError as error:
                raise type(error)(f"{path}: {error}") from None


def rows(
    event: np.ndarray, by: str, fold: int, config: Nucleation
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the data set for (test, validation, training) of a fold."""
    t = config.train
    return split(
        event, by, fold, test=t.test, validation=t.validation, training=t.training, seed=config.seed
    )


@functools.lru_cache(maxsize=2)
def load(path: Path, modified: int) -> tuple[dict[str, np.ndarray], str]:
    """Spins, labels and events of a data set, and its content digest.  `modified` makes a changed
    file another one.
    """
    with h5py.File(path, "r", locking=False) as file:
        names = ("spins", "p_nuc", "event", "time")
        return {name: file[name][...] for name in names}, str(file.attrs["content_digest"])


def dataset_of(system: System) -> tuple[dict[str, np.ndarray], str]:
    path = system.folder / "dataset.h5"
    return load(path, path.stat().st_mtime_ns)


# ---- one unit


def belonging(system: System) -> dict[str, str]:
    """What the files of a trained network must say that they were made from."""
    data = {"dataset_digest": dataset_of(system)[1]}
    return made_of(system, RECIPE, LISTS, data)


def fit(system: System, network_name: str, device: str, report: Report) -> str:
    """Train one unit to its end, from its checkpoint if there is one, and predict its test set; a
    line about the result.
    """
    config, folder = system.config, system.training(network_name)
    by, model, fold = parsed(network_name)
    data, _ = dataset_of(system)
    test, validation, training = rows(data["event"], by, fold, config)
    inputs = Inputs(model, data["spins"], config.generate.window - data["time"], device)
    labels = torch.from_numpy(data["p_nuc"]).to(device)
    torch.manual_seed(epoch_seed(config, network_name, 0))
    network = networks.build(model, config.system.size, config.train.kernel)
    if hasattr(network, "standardise"):
        network.standardise(inputs.rows[training].cpu())
    network.to(device)
    run = Training(config, network_name, network, inputs, labels, training, validation)
    belongs = belonging(system)
    ready = functools.partial(finished, sys.modules[__name__], system, network_name)
    if not run.to_the_end(folder, belongs, ready, report):
        return "trained by another process meanwhile"
    predicted = predict(network, inputs, test)
    columns = {
        "index": Data(test.astype(np.int32), "", "tested", "rows of dataset.h5"),
        "p_nuc": Data(data["p_nuc"][test], "", "tested", "measured"),
        "predicted": Data(predicted, "", "tested", "by the network with the best validation loss"),
        "training": Data(training.astype(np.int32), "", "trained", "rows of dataset.h5"),
        "validation": Data(validation.astype(np.int32), "", "validated", "rows of dataset.h5"),
    }
    if model.startswith("features"):
        weights = network.linear.weight.detach().cpu().numpy()[0].astype(np.float64)
        columns["weights"] = Data(
            weights, "", "feature", f"of the standardised features {', '.join(NAMES)}"
        )
    attributes = {
        **provenance.block(config, device_name(device)),
        **belongs,
        "config_digest": digest(config),
        "study": "nucleation",
        "split": by,
        "model": model,
        "fold": fold,
        "parameters": networks.parameters(network),
    }
    run.write_test(folder, columns, attributes)
    error = float(np.mean((predicted - data["p_nuc"][test]) ** 2))
    return f"test MSE {error:.5f} after {run.epochs} epochs, best {run.best_epoch}, {networks.parameters(network)} parameters"
