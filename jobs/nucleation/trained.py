"""The trained networks of a run: which there are, their weights, and how wrong they were on what
they had not seen.
"""

from collections.abc import Callable

import h5py
import numpy as np
import torch

from jobs import predicting, shards, training
from jobs.nucleation import epochs, networks, train
from jobs.rundir import System

CALIBRATION = 10  # bins of predicted p_nuc in which the error of held-out predictions is measured
FEWEST = 30  # held-out predictions in a bin, for its error to mean something


def networks_of(
    system: System, split: str, model: str, folds: int | None, say: Callable[[str], None]
) -> dict[int, dict]:
    """{fold: its test.h5} of the finished folds of a model that are there, at most the first
    `folds` of them.
    """
    found = {}
    for folder in system.training(f"{split}/{model}").glob("fold-*"):
        name = f"{split}/{model}/{folder.name}"
        if training.finished(train, system, name, say):
            found[epochs.parsed(name)[2]] = shards.read(folder / "test.h5")[0]
    return dict(sorted(found.items())[:folds])


def network_of(
    system: System, split: str, model: str, fold: int, device: str, say: Callable[[str], None]
) -> torch.nn.Module:
    """The trained network of a fold, the one with the best validation loss.  Raises UserError
    without a sound checkpoint.
    """
    network = networks.build(model, system.config.system.size, system.config.train.kernel)
    belongs = train.belonging(system)
    return predicting.restored(
        network, system.training(f"{split}/{model}/fold-{fold}"), "best", belongs, device, say
    )


def held_out_error(p: np.ndarray, by_fold: dict[int, dict], system: System) -> np.ndarray:
    """float32 (n,): in bins of predicted p_nuc, the root of the mean square error of test sets less
    the label noise.

    The mean square error is what it is measured to be (not below zero) plus its own standard error,
    so that a network as good as its labels is not called perfect.
    """
    with h5py.File(system.folder / "dataset.h5", "r", locking=False) as file:
        copies = file["copies"][...]
    rows = np.concatenate([tested["index"] for tested in by_fold.values()])
    said = np.concatenate([tested["predicted"] for tested in by_fold.values()])
    measured = np.concatenate([tested["p_nuc"] for tested in by_fold.values()]).astype(float)
    square = (said - measured) ** 2 - measured * (1 - measured) / np.maximum(copies[rows] - 1, 1)
    bin_ = np.minimum((said * CALIBRATION).astype(int), CALIBRATION - 1)
    error = np.empty(CALIBRATION)
    for i in range(CALIBRATION):
        here = square[bin_ == i] if np.sum(bin_ == i) >= FEWEST else square
        error[i] = np.sqrt(max(here.mean(), 0) + here.std() / np.sqrt(len(here)))
    return error[np.minimum((p * CALIBRATION).astype(int), CALIBRATION - 1)].astype(np.float32)
