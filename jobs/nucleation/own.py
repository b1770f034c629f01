"""p_nuc, with its uncertainty, of configurations from elsewhere, and the occlusion map of one of
them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from jobs import UserError, provenance, shards, squares
from jobs.config import digest
from jobs.nucleation import epochs, occlusion, train
from jobs.nucleation.collect import bonds_of, centred
from jobs.nucleation.config import Nucleation
from jobs.nucleation.generate import build
from jobs.nucleation.trained import held_out_error, network_of, networks_of
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels import percolation
from kernels.estimate import written


def read_configurations(path: Path, size: int) -> np.ndarray:
    """Spins int8 (n, L, L), -1 stable, of a .npy file or of `spins` in an HDF5 file.  UserError for
    anything else.
    """
    spins = squares.read(path, "spins", size, "spins")
    if not np.isin(spins[:1000], (-1, 1)).all() or not (np.abs(spins) == 1).all():
        raise UserError(
            f"--input {path}: spins must be -1 (stable, along the final field) and +1; found {np.unique(spins)[:5]}"
        )
    return spins.astype(np.int8)


def on_their_clusters(spins: np.ndarray, config: Nucleation, device) -> np.ndarray:
    """Spins shifted so that their largest clusters' centres come to (L//2, L//2), as in the data
    set.
    """
    model = build(config, device)
    found = percolation.clusters(
        model.pack(spins),
        **bonds_of(config, model),
        seed=config.seed,
        index=np.arange(len(spins), dtype=np.uint64),
        device=device,
    )
    return centred(spins, found.centre)


def answer(system: System, request, device, device_kind: str, progress: Progress) -> None:
    """Write p_nuc of the configurations in request.input, and of one of them the occlusion map, to
    request.output.
    """
    config = system.config
    spins = read_configurations(request.input, config.system.size)
    if request.map is not None and not 0 <= request.map < len(spins):
        raise UserError(
            f"--map {request.map}: there are configurations 0 to {len(spins) - 1} in {request.input}"
        )
    model = request.model or ("torus" if request.window is None else "torus_window")
    if (request.window is None) != (model != "torus_window"):
        raise UserError(
            "--window MCS goes with --model torus_window, the network that is told the time; and no other knows it"
        )
    if request.window is not None:
        low, high = window_range(system)
        if not low <= request.window <= high:
            raise UserError(
                f"--window {request.window:g}: the networks saw windows of {low:.0f} to {high:.0f} MCS and know no others"
            )
    output = squares.answer_path(request, "p_nuc", is_prediction)
    windows = np.full(len(spins), request.window or 0, np.float32)
    spins = on_their_clusters(spins, config, device)
    data = answers(system, model, spins, windows, device_kind, progress.say)
    if request.map is not None:
        data |= map_of(
            system, model, spins[request.map], windows[request.map], device_kind, progress
        )
    data["spins"] = Data(
        spins,
        "",
        "configuration, x, y",
        "shifted: centre of the largest cluster at (L//2, L//2)",
        True,
    )
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "study": "nucleation",
        "model": model,
        "window": -1.0 if request.window is None else float(request.window),
        "map": -1 if request.map is None else request.map,
        "patch": config.predict.occlusion.patch,
        "input": request.input.name,
    }
    squares.write_answer(output, data, attributes)
    p, error = data["p_nuc"].values, data["standard_error"].values
    for row in range(min(len(p), 5)):
        progress.say(f"configuration {row}: p_nuc = {written(p[row], error[row])}")
    progress.say(
        f"{output}: {len(p)} configurations, p_nuc from {p.min():.3f} to {p.max():.3f}, by {model}"
    )


def window_range(system: System) -> tuple[float, float]:
    """The windows, in MCS, that the networks were trained on, but for the first and the last
    percent.
    """
    windows = system.config.generate.window - train.dataset_of(system)[0]["time"]
    return float(np.quantile(windows, 0.01)), float(np.quantile(windows, 0.99))


def is_prediction(path: Path) -> bool:
    """Whether a file was written by `answer`: only such a one is overwritten."""
    try:
        return (
            "p_nuc" in shards.read(path, study="nucleation")[0] and "window" in shards.read(path)[1]
        )
    except (shards.BadFileError, OSError):
        return False


def map_of(
    system: System,
    model: str,
    spins: np.ndarray,
    window: float,
    device_kind: str,
    progress: Progress,
) -> dict[str, Data]:
    """The occlusion map of one configuration (L, L), the folds' mean change of p_nuc."""
    if model.startswith("features"):
        raise UserError(
            "--map: the features have no place on the lattice to cover; choose another --model"
        )
    asked, split = system.config.predict.occlusion, system.config.predict.split
    at = occlusion.corners(len(spins), asked.patch, asked.stride)
    found = networks_of(system, split, model, system.config.predict.folds, progress.say)
    progress.begin(len(found), "folds")
    each = []
    for order, fold in enumerate(found):
        network = network_of(system, split, model, fold, device_kind, progress.say)
        tensors = (
            torch.from_numpy(spins[None]).to(device_kind),
            torch.full((1,), float(window), device=device_kind),
        )
        report = lambda f, order=order: progress.reach(order + f)  # noqa: E731
        each.append(
            occlusion.changes(
                network,
                *tensors,
                patch=asked.patch,
                stride=asked.stride,
                fill=asked.fill,
                report=report,
            )[0]
        )
    centre = (at + (asked.patch - 1) / 2).astype(np.float32)
    return {
        "map/shift": Data(
            np.mean(each, 0),
            "",
            "x, y",
            f"p(covered) - p, a square of {asked.patch} centred at (x, y)",
        ),
        "map/x": Data(centre, "lattice sites", "x", "centre of the square"),
        "map/y": Data(centre, "lattice sites", "y", "centre of the square"),
    }


def answers(
    system: System,
    model: str,
    spins: np.ndarray,
    windows: np.ndarray,
    device_kind: str,
    say: Callable[[str], None],
) -> dict[str, Data]:
    """p_nuc of centred spins int8 (n, L, L): the folds' mean, its standard error, and the spread of
    the folds.

    The standard error is the root mean square error of held-out predictions of like p_nuc, without
    the noise of their
    labels: what the folds were wrong by on configurations they had never seen.
    """
    split = system.config.predict.split
    found = networks_of(system, split, model, None, say)
    if not found:
        raise UserError(
            f"{system.folder}: no trained {model} on folds by {split}: run train first (or --model)"
        )
    each = []
    for fold in found:
        network = network_of(system, split, model, fold, device_kind, say)
        each.append(
            epochs.predict(
                network, epochs.Inputs(model, spins, windows, device_kind), np.arange(len(spins))
            )
        )
    p = np.mean(each, 0)
    ours = "configuration"
    return {
        "p_nuc": Data(p.astype(np.float32), "", ours, f"mean over {len(found)} folds"),
        "standard_error": Data(
            held_out_error(p, found, system),
            "",
            ours,
            "rms error of like held-out predictions, no label noise",
        ),
        "fold_spread": Data(
            np.std(each, 0).astype(np.float32), "", ours, "standard deviation over the folds"
        ),
    }
