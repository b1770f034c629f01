"""Train the networks of a run on its sequences: one unit is one network, trained by one process or
by all ranks together.

An epoch's order and turns are a function of (seed, network, epoch), so a training that was killed
goes on, from the last epoch's checkpoint, exactly as if it had not been.
"""

import functools
import sys

import numpy as np
import torch

from jobs import UserError, distributed, provenance, shards
from jobs.coarsening import fields
from jobs.coarsening.epochs import Training, baselines, epoch_seed
from jobs.coarsening.networks import build, parsed
from jobs.config import digest
from jobs.rundir import System
from jobs.shards import Data
from jobs.training import Report, check_dataset, finished, made_of
from kernels.device import select

# to be raised when the network or the way of training changes: what was trained before is then set
# aside
RECIPE = 0
LISTS = ("train.models", "train.seeds")  # which networks there are, not what one of them is


def check(system: System) -> None:
    """UserError unless the system can be trained: check_data, and its batches can be shared by the
    ranks.
    """
    config, ranks = system.config, distributed.ranks()
    together = config.train.batch * (1 + config.train.duals)
    if together % ranks:
        raise UserError(
            f"train.batch = {config.train.batch}: its {together} fields (with duals) cannot be shared evenly by {ranks} ranks"
        )
    check_data(system)


def check_data(system: System) -> None:
    """UserError unless the system's data set is there, sound and of this very system, and its grid
    is one for the network.
    """
    if problem := system.config.untrainable():
        raise UserError(problem)
    check_dataset(system)


def belonging(system: System) -> dict[str, str]:
    """What the files of a trained network must say that they were made from."""
    data = {"dataset_digest": shards.check(system.folder / "dataset.h5")}
    return made_of(system, RECIPE, LISTS, data)


def fit(system: System, network_name: str, device: str, report: Report) -> str:
    """Train one network to its end, from its checkpoint if there is one, and try it on the test
    set; a line about the result.

    Where several ranks train it, all call this; the first one reads and writes the files.
    """
    config, folder, belongs = system.config, system.training(network_name), belonging(system)
    where = select(device, config.train.threads)
    sets = {split: fields.read(system.folder, split) for split in ("train", "valid", "test")}
    torch.manual_seed(epoch_seed(config, network_name, 0))
    network = build(config, network_name)
    run = Training(config, network_name, network, sets["train"].all, sets["valid"].all, where)
    if distributed.rank() == 0:
        report(
            "say",
            f"{run.backpropagation.memory / 2**30:.2g} GiB of memory, sequences at a time: {run.together}",
        )
    ready = functools.partial(finished, sys.modules[__name__], system, network_name)
    if not run.to_the_end(folder, belongs, ready, report):
        return "trained by another process meanwhile"
    loss, drift = run.errors(sets["test"].all)
    if distributed.rank():
        return ""
    persistence, extrapolation = baselines(sets["test"].all)
    axes, what = "tested, frame", "mean squared error of a frame, predicted from frame 0 alone,"
    columns = {
        "row": Data(np.arange(len(loss), dtype=np.int32), "", "tested", "rows of the test split"),
        "loss": Data(loss, "", axes, f"{what} by the network"),
        "persistence": Data(persistence, "", axes, f"{what} by leaving it as it is"),
        "extrapolation": Data(extrapolation, "", axes, "the same from frames 0 and 1, linearly"),
    }
    model, seed = parsed(network_name)
    attributes = {
        **provenance.block(config, where.name),
        **belongs,
        "config_digest": digest(config),
        "study": "coarsening",
        "model": model,
        "seed_index": seed,
        "parameters": network.flat.numel(),
        "ranks": distributed.ranks(),
        "loss": float(loss[:, 1:].mean()),
        "mean_error": drift,
    }
    run.write_test(folder, columns, attributes)
    beside = f"persistence {persistence[:, 1:].mean():.6f}"
    return f"test loss {loss[:, 1:].mean():.6f} ({beside}) after {run.epochs} epochs, best {run.best_epoch}"
