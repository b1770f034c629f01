"""The predict stage: occlusion maps of a run's test sets; or, with --input, p_nuc of configurations
from elsewhere.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from jobs import predicting, provenance, shards
from jobs.config import digest
from jobs.nucleation import occlusion, own, train
from jobs.nucleation.config import Nucleation
from jobs.nucleation.trained import network_of, networks_of
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from jobs.units import Rank
from kernels.streams import generator

BLOCKS = 5  # of events in a fold's test set, for error bars


WHAT, NOTHING = "maps", None
check, answer = train.check, own.answer


def run(systems: list[System], rank: Rank, request, device, progress: Progress) -> int:
    """This process's share of the maps of all systems, or the answer to --input; how many failed
    (none: they raise).
    """
    return predicting.share(sys.modules[__name__], systems, rank, request, device, progress)


def units(system: System, say: Callable[[str], None]) -> list[str]:
    return asked_for(system.config)


def asked_for(config: Nucleation) -> list[str]:
    """One map a model; the features have no place on the lattice to cover."""
    if not config.predict.occlusion.configurations:
        return []
    return [m for m in config.predict.models if not m.startswith("features")]


def work(
    system: System,
    model: str,
    device,
    device_kind: str,
    progress: Progress,
    report: Callable[[float], None],
) -> None:
    """Write predict/occlusion-MODEL.h5 of a system, unless it is there, made of the same
    networks.
    """
    config, asked = system.config, system.config.predict.occlusion
    path = system.folder / "predict" / f"occlusion-{model}.h5"
    say = lambda line: progress.say(f"{model}: {line}")  # noqa: E731
    found = networks_of(system, config.predict.split, model, config.predict.folds, say)
    if not found:
        progress.say(
            f"{system.folder}: no trained {model} on folds by {config.predict.split}: no occlusion map of it"
        )
        return
    data, dataset_digest = train.dataset_of(system)
    made_from = f"{dataset_digest} {train.belonging(system)['train_digest']} {config.predict.split} {sorted(found)} {asked.model_dump()}"
    try:
        shards.check(path, made_from=made_from)
        progress.say(f"{path}: made from the same networks before, kept")
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    at = occlusion.corners(config.system.size, asked.patch, asked.stride)
    gap = np.full((len(at), len(at)), np.nan)
    columns: dict[str, list] = {
        key: []
        for key in ("sensitivity", "shift", "density", "radius_of_gyration", "configurations")
    }
    with h5py.File(system.folder / "dataset.h5", "r", locking=False) as file:
        radius = file["radius_of_gyration"][...]
    for order, (fold, tested) in enumerate(found.items()):
        network = network_of(system, config.predict.split, model, fold, device_kind, say)
        chosen = some_of(tested["index"], asked.configurations, config.seed, fold)
        spins = data["spins"][chosen]
        part = lambda f, order=order: report((order + f) / len(found))  # noqa: E731
        change = covered(network, spins, data["time"][chosen], config, fold, device_kind, part)
        blocks = np.unique(data["event"][chosen], return_inverse=True)[1] % BLOCKS
        for key in columns:
            columns[key].append([])
        for block in range(BLOCKS):
            mine = blocks == block
            seen = np.isfinite(change[mine])
            size, mean = (
                np.divide(
                    np.where(seen, f(change[mine]), 0).sum(0),
                    seen.sum(0),
                    out=gap.copy(),
                    where=seen.any(0),
                )
                for f in (np.abs, np.asarray)
            )
            columns["sensitivity"][-1].append(size)
            columns["shift"][-1].append(mean)
            some = mine.any()  # too few events to fill every block
            columns["density"][-1].append(
                (spins[mine] < 0).mean(0) if some else np.full(spins.shape[1:], np.nan)
            )
            columns["radius_of_gyration"][-1].append(
                radius[chosen][mine].mean() if some else np.nan
            )
            columns["configurations"][-1].append(int(mine.sum()))
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "dataset_digest": dataset_digest,
        "made_from": made_from,
        "study": "nucleation",
        "model": model,
        "split": config.predict.split,
        "patch": asked.patch,
        "stride": asked.stride,
        "fill": asked.fill,
    }
    write_maps(path, columns, (at + (asked.patch - 1) / 2).astype(np.float32), attributes)
    progress.say(
        f"{path}: {len(at)} x {len(at)} places of a square of {asked.patch}, {len(found)} folds"
    )


def some_of(index: np.ndarray, count: int, seed: int, fold: int) -> np.ndarray:
    """Sorted rows: `count` of a test set's, or all, chosen by the seed alone so that all models see
    the same.
    """
    return np.sort(generator(seed, "occlusion", fold).permutation(index)[:count])


def covered(network, spins, time, config, fold: int, device: str, report) -> np.ndarray:
    """Changes of p_nuc float32 (n, X, Y); NaN where random places did not fall."""
    asked = config.predict.occlusion
    at = occlusion.corners(config.system.size, asked.patch, asked.stride)
    tensor = torch.from_numpy(spins).to(device)
    windows = torch.from_numpy((config.generate.window - time).astype(np.float32)).to(device)
    if asked.places is None:
        return occlusion.changes(
            network,
            tensor,
            windows,
            patch=asked.patch,
            stride=asked.stride,
            fill=asked.fill,
            report=report,
        )
    random = generator(config.seed, "occlusion", 1 << 31 | fold)
    places = at[random.integers(len(at), size=(len(spins), asked.places, 2))]
    found = occlusion.random_changes(
        network, tensor, windows, places, patch=asked.patch, fill=asked.fill
    )
    change = np.full((len(spins), len(at), len(at)), np.nan, np.float32)
    cell = places // asked.stride
    change[np.arange(len(spins))[:, None], cell[..., 0], cell[..., 1]] = found
    return change


def write_maps(path: Path, columns: dict, centre: np.ndarray, attributes: dict) -> None:
    """centre: of the squares, along x and along y, lattice sites."""
    about = {
        "sensitivity": (
            "",
            "fold, block, x, y",
            "mean |p(covered) - p| of a square centred at (x, y)",
        ),
        "shift": ("", "fold, block, x, y", "mean p(covered) - p"),
        "density": ("", "fold, block, site x, site y", "of stable spins, same configurations"),
        "radius_of_gyration": (
            "lattice sites",
            "fold, block",
            "mean of the largest cluster's, same configurations",
        ),
        "configurations": ("", "fold, block", "how many; a block holds whole events"),
    }
    data = {
        key: Data(
            np.array(columns[key], np.int32 if key == "configurations" else np.float32), *about[key]
        )
        for key in about
    }
    data["x"] = Data(centre, "lattice sites", "x", "centre of the square; the droplet's is at L//2")
    data["y"] = Data(centre, "lattice sites", "y", "centre of the square; the droplet's is at L//2")
    shards.write(path, data, attributes)
