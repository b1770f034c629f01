"""Train the networks of a run on its sequences: one unit is one network, trained by one process or
by all ranks together.

An epoch's order and turns are a function of (seed, network, epoch), so a training that was killed
goes on, from the last epoch's checkpoint, exactly as if it had not been.
"""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import torch

from jobs import UserError, distributed, provenance, shards, training
from jobs.coarsening import fields
from jobs.coarsening.epochs import Training, baselines, epoch_seed
from jobs.coarsening.networks import build, parsed
from jobs.config import digest, flat
from jobs.rundir import System
from jobs.shards import Data
from jobs.training import Report
from kernels.device import select

# to be raised when the network or the way of training changes: what was trained before is then set
# aside
RECIPE = 0


def train_digest(config) -> str:
    """What a trained network depends on beside the data set and its own name."""
    lists = ("train.models", "train.seeds")
    keys = {k: v for k, v in flat(config).items() if k.startswith("train.") and k not in lists}
    if RECIPE:
        keys["recipe"] = RECIPE
    return hashlib.sha256((digest(config) + json.dumps(keys, sort_keys=True)).encode()).hexdigest()


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
    training.check_dataset(system)


def belonging(system: System) -> dict[str, str]:
    """What the files of a trained network must say that they were made from."""
    return {
        "train_digest": train_digest(system.config),
        "dataset_digest": shards.check(system.folder / "dataset.h5"),
    }


def finished(system: System, network_name: str, say: Callable[[str], None]) -> bool:
    """Whether test.h5 of a network is there, sound, and of the present data set and settings.
    Another one is moved aside.
    """
    return training.sound(system.training(network_name) / "test.h5", belonging(system), say)


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
            f"{run.backpropagation.memory / 2**30:.2g} GiB of memory for {run.together} sequences at a time",
        )
    if not run.to_the_end(folder, belongs, lambda say: finished(system, network_name, say), report):
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
