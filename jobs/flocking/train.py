"""Train the networks of a run on its phases: one unit is one set, lambda and seed.

Cross entropy + lambda x the sum of squared weights, Adam, early stopping on the same loss of the
validation set, as in the paper.  An epoch's order and shifts are a function of (seed, network,
epoch), so a training that was killed goes on, from the last epoch's checkpoint, exactly as if it
had not been.
"""

import functools
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jobs import TooFewDataError, UserError, provenance, shards
from jobs.config import digest
from jobs.flocking import networks
from jobs.flocking.config import Flocking
from jobs.flocking.epochs import Training, epoch_seed, packed, parsed, scores_of
from jobs.flocking.phases import PHASES
from jobs.rundir import System
from jobs.shards import Data
from jobs.training import Report, device_name, finished, made_of
from kernels.streams import generator

# to be raised when an architecture or the way of training changes: what was trained before is then
# set aside
RECIPE = 0
LISTS = (
    "train.sets",
    "train.regularization",
    "train.seeds",
)  # which networks there are, not what one of them is
DEAL = (
    0,
    1,
    0,
    2,
    0,
)  # of every five replicas three train, one stops the training, one tests: 60/20/20
PARTS = ("training", "validation", "test")


# ---- the data


@dataclass(frozen=True)
class Dataset:
    """A run's configurations and their phases.

    maps: packed, int32 (n, L, L).  phase: int8 (n,), -1 not assigned.  temperature, mean_density:
    float32 (n,).  replica,
    unit: int32 (n,).  digests: of dataset.h5 and phases.h5.
    """

    maps: Tensor
    phase: np.ndarray
    temperature: np.ndarray
    mean_density: np.ndarray
    replica: np.ndarray
    unit: np.ndarray
    digests: dict[str, str]


@functools.lru_cache(maxsize=1)
def load(folder: Path, modified: tuple[int, ...]) -> Dataset:
    """The data set of a run directory.  `modified` makes changed files another one.  Raises
    UserError for a bad one.
    """
    found = {}
    for name in ("dataset.h5", "phases.h5"):
        path = folder / name
        try:
            found[name] = shards.read(path, study="flocking")
        except FileNotFoundError:
            raise UserError(f"{path} is not there: run generate and collect first") from None
        except shards.BadFileError as error:
            if "another study" in str(error) or "not written" in str(error):
                raise UserError(f"{path}: not of the study flocking") from None
            raise UserError(f"{path}: {error}; run collect again") from None
    (arrays, about), (named, phases_about) = found["dataset.h5"], found["phases.h5"]
    if not {"magnetization", "density", "replica", "unit"} <= set(arrays) or "phase" not in named:
        raise UserError(
            f"{folder / 'dataset.h5'}: not a flocking data set (it holds {', '.join(sorted(arrays)[:5])}); run collect again"
        )
    if len(named["phase"]) != len(arrays["replica"]):
        raise UserError(
            f"{folder / 'phases.h5'}: not made from {folder / 'dataset.h5'}; run collect again"
        )
    return Dataset(
        packed(arrays["magnetization"], arrays["density"]),
        named["phase"],
        arrays["temperature"],
        arrays["mean_density"],
        arrays["replica"],
        arrays["unit"],
        {
            "dataset_digest": about["content_digest"],
            "phases_digest": phases_about["content_digest"],
            "config_digest": str(about.get("config_digest")),
        },
    )


def dataset_of(system: System) -> Dataset:
    times = [
        path.stat().st_mtime_ns if path.exists() else 0
        for path in (system.folder / "dataset.h5", system.folder / "phases.h5")
    ]
    return load(system.folder, tuple(times))


def check(system: System) -> None:
    """UserError unless the system's data set and phases are there, sound, of this very system, and
    enough for the networks.
    """
    path, size = system.folder / "dataset.h5", system.config.system.size
    if problem := system.config.untrainable():
        raise UserError(problem)
    data = dataset_of(system)
    if data.maps.shape[1] != size:
        raise UserError(
            f"{path}: configurations of L = {data.maps.shape[1]}, and system.size is {size}"
        )
    if data.digests["config_digest"] != digest(system.config):
        raise UserError(
            f"{path}: made with another config than {system.folder / 'config.yaml'}; run collect again"
        )
    for which in system.config.train.sets:
        for seed in range(system.config.train.seeds):
            split(data, which, seed, system.config)


def split(data: Dataset, which: str, seed: int, config: Flocking) -> list[np.ndarray]:
    """Sorted rows of a set for training, validation and test, 60/20/20, replica by replica: no run
    has rows in two of them.

    The replicas of each unit are dealt in a random order, those of the slice at system.density
    first, which so has the same split in both sets.  `seed`, the network's, deals anew.  Raises
    UserError where a part stays empty.
    """
    replicas, at = np.unique(data.replica, return_index=True)
    order = generator(config.seed, "flocking", 1 << 30 | seed).permutation(len(replicas))
    order = order[np.argsort(data.unit[at][order], kind="stable")]
    part = np.empty(len(replicas), np.int8)
    part[order] = np.array(DEAL)[np.arange(len(replicas)) % len(DEAL)]
    mine = data.phase >= 0
    if which == "reference":
        mine &= data.mean_density == np.float32(config.system.density)
    of = part[np.searchsorted(replicas, data.replica)]
    rows = [np.flatnonzero(mine & (of == k)) for k in range(len(PARTS))]
    missing = [name for name, found in zip(PARTS, rows, strict=True) if not len(found)]
    if missing:
        raise TooFewDataError(
            f"train.sets: {which}: {len(np.unique(data.replica[mine]))} replicas with a phase are too few for the split 60/20/20, nothing "
            f"is left for {' and '.join(missing)}; raise generate.replicas, or look for the phases in phases.h5"
        )
    known = np.unique(data.phase[rows[0]])
    if len(known) < 2:
        raise TooFewDataError(
            f"train.sets: {which}: only the phase {PHASES[known[0]]} is there to train on; widen generate.first_temperature to "
            "generate.last_temperature, or change unsupervised.* in another --run"
        )
    return rows


# ---- one unit


def belonging(system: System) -> dict[str, str]:
    """What the files of a trained network must say that they were made from."""
    digests = dataset_of(system).digests
    data = {k: digests[k] for k in ("dataset_digest", "phases_digest")}
    return made_of(system, RECIPE, LISTS, data)


def fit(system: System, network_name: str, device: str, report: Report) -> str:
    """Train one network to its end, from its checkpoint if there is one, and predict its test set;
    a line about the result.
    """
    config, folder, belongs = system.config, system.training(network_name), belonging(system)
    which, strength, seed = parsed(network_name)
    data = dataset_of(system)
    training, validation, test = split(data, which, seed, config)
    torch.manual_seed(epoch_seed(config, network_name, 0))
    network = networks.PhaseNetwork(config.system.size)
    run = Training(config, network_name, network, data, training, validation, device)
    ready = functools.partial(finished, sys.modules[__name__], system, network_name)
    if not run.to_the_end(folder, belongs, ready, report):
        return "trained by another process meanwhile"
    probabilities = torch.softmax(
        scores_of(network, run.maps, torch.from_numpy(test).to(device)), 1
    ).numpy()
    accuracy = float((probabilities.argmax(1) == data.phase[test]).mean())
    columns = {
        "index": Data(test.astype(np.int32), "", "tested", "rows of dataset.h5"),
        "phase": Data(data.phase[test], "", "tested", "0 G, 1 L+G, 2 L, as in phases.h5"),
        "probabilities": Data(
            probabilities,
            "",
            "tested, phase",
            "of G, L+G, L, by the network with the best validation loss",
        ),
        "training": Data(training.astype(np.int32), "", "trained", "rows of dataset.h5"),
        "validation": Data(validation.astype(np.int32), "", "validated", "rows of dataset.h5"),
        "first_layer": Data(
            network.convolutions[0].weight.detach().cpu().numpy(),
            "",
            "filter, channel, x, y",
            "weights on magnetization and density",
        ),
    }
    attributes = {
        **provenance.block(config, device_name(device)),
        **belongs,
        "config_digest": digest(config),
        "study": "flocking",
        "set": which,
        "lambda": strength,
        "seed_index": seed,
        "parameters": networks.parameters(network),
        "accuracy": accuracy,
    }
    run.write_test(folder, columns, attributes)
    return f"test accuracy {accuracy:.4f} after {run.epochs} epochs, best {run.best_epoch}, {networks.parameters(network)} parameters"
