"""A small run of the coarsening study in the files' formats: the truth is simulated, the "networks"
are made from it.

A network's answer is the truth by a clock that goes wrong by a known factor, with noise of a known
size, and for the one that does not conserve phi with a mean that drifts.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from analysis.coarsening.measure import symmetrised
from jobs import shards
from jobs.coarsening.config_rollout import BULK
from jobs.coarsening.fields import downscale, upsample
from jobs.coarsening.measures import energies, upsampled_energies
from jobs.shards import Data
from kernels import interface, structure
from kernels.cahn_hilliard import coarsening
from kernels.device import select

SIZE, DOWNSCALE, WIDTH, INTERVAL, FRAMES = 32, 2, 3.0, 1.0, 12
SPLITS = {"train": 60, "valid": 20, "test": 6}
EPOCHS, CURRICULUM = 40, 10


@dataclass(frozen=True)
class Wrong:
    """What a made-up network does wrong: its clock's factor, rms noise of a cell, and change of the
    mean by the end.
    """

    clock: float = 1.03
    noise: float = 0.01
    drift: float = 0.0


NETWORKS = {
    "staggered/seed-0": Wrong(),
    "central/seed-0": Wrong(1.05, 0.01),
    "sigmoid/seed-0": Wrong(0.9, 0.02, 0.12),
}


def wrap(arrays):
    return {name: Data(np.asarray(values), "", "") for name, values in arrays.items()}


def config_of(downscaling="nearest", **train):
    system = {
        "size": SIZE,
        "interface_width": WIDTH,
        "mobility": 1.0,
        "spacing": 1.0,
        "downscale": DOWNSCALE,
        "downscaling": downscaling,
    }
    generate = {
        "training": SPLITS["train"],
        "validation": SPLITS["valid"],
        "test": SPLITS["test"],
        "frames": FRAMES,
        "interval": INTERVAL,
        "mean": 0.5,
        "mean_deviation": 0.05,
        "noise": 0.1,
    }
    train = {
        "models": ["staggered"],
        "hidden": 10,
        "epochs": EPOCHS,
        "curriculum": CURRICULUM,
        "batch": 2,
        **train,
    }
    return {
        "study": "coarsening",
        "seed": 5,
        "system": system,
        "generate": generate,
        "train": train,
    }


def write_run(folder: Path, **config):
    """config.yaml and dataset.h5."""
    text = yaml.safe_dump(config_of(**config))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text)
    split = np.repeat(np.arange(3, dtype=np.int8), list(SPLITS.values()))
    mean = np.clip(np.random.default_rng(0).normal(0.5, 0.05, len(split)), 0.4, 0.6)
    about = {
        "study": "coarsening",
        "config": text,
        "seed": 5,
        "git_revision": "0123abc",
        "device": "a test",
        "made_from": "units",
        "config_digest": "config",
    }
    shards.write(folder / "dataset.h5", wrap({"split": split, "mean_concentration": mean}), about)
    return folder


def mixture(count, size=SIZE, seed=0, feature=5.0):
    """Smooth noise of rms 0.1 about 1/2, float32 (count, size, size, size)."""
    white = np.random.default_rng(seed).normal(size=(count, *[size] * 3))
    k2 = sum(np.meshgrid(*[np.fft.fftfreq(size) ** 2] * 3, indexing="ij"))
    smooth = np.fft.ifftn(
        np.fft.fftn(white, axes=(1, 2, 3)) * np.exp(-2 * (feature * np.pi / 2) ** 2 * k2 / 4),
        axes=(1, 2, 3),
    ).real
    smooth -= smooth.mean((1, 2, 3), keepdims=True)
    return (0.5 + 0.1 * smooth / smooth.std((1, 2, 3), keepdims=True)).astype(np.float32)


def ball(size=SIZE):
    """A ball with a knob, the stand-in of the paper's rabbit."""
    x, y, z = np.meshgrid(*[np.arange(size) + 0.5 - size / 2] * 3, indexing="ij")
    distance = np.minimum(
        np.sqrt(x**2 + y**2 + z**2) - 0.3 * size,
        np.sqrt((x - 0.3 * size) ** 2 + y**2 + z**2) - 0.14 * size,
    )
    return (0.5 * (1 - np.tanh(3 * distance / WIDTH)))[None].astype(np.float32)


def slab(size=SIZE, seed=1):
    """Noise in the central slice alone."""
    field = np.zeros((1, *[size] * 3), np.float32)
    middle = slice(size // 2 - size // 8, size // 2 + size // 8)
    field[:, middle] = mixture(1, size, seed)[:, middle]
    return field


def bulk(size=16, noise=1e-3):
    white = np.random.default_rng(10).normal(0, noise, (len(BULK), *[size] * 3))
    return (np.reshape(BULK, (-1, 1, 1, 1)) + white).astype(np.float32)


def looks(frames, kept, log):
    """(kept times, series times): the first and the last frame among both."""
    last = INTERVAL * (frames - 1)
    some = np.geomspace(1, last, kept - 1) if log else np.linspace(0, last, kept)[1:]
    kept = np.unique(np.r_[0, np.rint(some)])
    return kept, np.unique(np.r_[kept, np.rint(np.geomspace(1, last, 60))])


def run(start, times):
    model = coarsening(
        start.shape[1:], WIDTH, 1.0, laplacian="finite_difference", device=select("cpu", workers=1)
    )
    found = model.run(start, times=list(times), steady_state=None, observe=False)
    return found.fields


def series(phi, times):
    """What is recorded of phi (count, t, x, y, z), on the network's grid."""
    spacing = float(DOWNSCALE)
    return {
        "series/time": times,
        "series/free_energy": energies(phi, spacing, WIDTH),
        "series/mean": phi.mean((2, 3, 4), dtype=float),
        "series/area": interface.perimeter(phi, 0.5, spacing, 3),
        "series/free_energy_upsampled": upsampled_energies(phi, spacing, WIDTH, DOWNSCALE),
        "series/length": structure.length(phi, spacing, 3),
        "series/minimum": phi.min((2, 3, 4)),
        "series/maximum": phi.max((2, 3, 4)),
    }


def plant_case(
    folder,
    case,
    start,
    frames,
    kept,
    *,
    log=False,
    truth=True,
    sensitivity=False,
    networks=NETWORKS,
    downscaling="nearest",
    seconds=0.01,
):
    """rollout/CASE/truth.h5, sensitivity.h5 and one file a network."""
    kept, times = looks(frames, kept, log)
    at = np.searchsorted(times, kept)
    about = {
        "study": "coarsening",
        "case": case,
        "stopped": "",
        "frames_done": frames,
        "device": "a test",
        "config_digest": "config",
    }
    full = run(start, times)
    own = downscale(full, DOWNSCALE, downscaling)
    if truth:
        arrays = {"time": kept, "phi": own[:, at], "phi_full": full[:, at], **series(own, times)}
        more = {"model": "truth", "seconds": 8 * seconds * frames, "seconds_per_frame": 8 * seconds}
        shards.write(folder / "rollout" / case / "truth.h5", wrap(arrays), {**about, **more})
    if sensitivity:
        known = upsample(downscale(start, DOWNSCALE, downscaling), DOWNSCALE, downscaling)
        phi = downscale(run(known, times), DOWNSCALE, downscaling)
        arrays = wrap({"time": kept, "phi": phi[:, at], **series(phi, times)})
        more = {"model": "sensitivity", "seconds": seconds * frames, "seconds_per_frame": seconds}
        shards.write(folder / "rollout" / case / "sensitivity.h5", arrays, {**about, **more})
    generator = np.random.default_rng(7)
    for name, wrong in networks.items():
        phi = downscale(run(start, wrong.clock * times), DOWNSCALE, downscaling)
        phi = phi + wrong.noise * generator.normal(size=phi.shape).astype(np.float32)
        phi = phi + wrong.drift * (times / times[-1])[:, None, None, None]
        phi[:, 0] = own[:, 0]
        if wrong.drift == 0:
            phi -= phi.mean((2, 3, 4), keepdims=True) - own[:, :1].mean((2, 3, 4), keepdims=True)
        phi = phi.astype(np.float32)
        more = {
            "model": name,
            "seconds": seconds * frames,
            "seconds_per_frame": seconds * start[0].size / SIZE**3,
            "memory": FRAMES - 1,
        }
        shards.write(
            folder / "rollout" / case / f"{name.replace('/', '-')}.h5",
            wrap({"time": kept, "phi": phi[:, at], **series(phi, times)}),
            {**about, **more},
        )


def plant_training(folder, networks=NETWORKS, loss=1e-3):
    """test.h5 and metrics.csv: a loss that falls from 1 to `loss` (sigmoid: three times that), in
    the curriculum on an easier task.
    """
    for name in networks:
        final = loss * (3 if name.startswith("sigmoid") else 1)
        epoch = np.arange(1, EPOCHS + 1)
        ripple = np.exp(0.05 * np.random.default_rng(len(name)).normal(size=(2, EPOCHS)))
        validation = (final + 0.1 * np.exp(-epoch / 5)) * ripple[0]
        training = (
            (final + 0.1 * np.exp(-epoch / 5))
            * ripple[1]
            * np.where(epoch <= CURRICULUM, epoch / CURRICULUM, 1)
        )
        given = np.maximum(1, FRAMES - 1 - (FRAMES - 2) * (epoch - 1) // CURRICULUM)
        history = {
            "epoch": epoch,
            "seconds": np.full(EPOCHS, 2.0),
            "given": given,
            "loss": training,
            "validation_loss": validation,
            "validation_mean_error": np.full(EPOCHS, 1e-8),
        }
        target = folder / "train" / name
        target.mkdir(parents=True, exist_ok=True)
        lines = [
            ",".join(history),
            *(",".join(f"{v:.8g}" for v in row) for row in zip(*history.values(), strict=True)),
        ]
        (target / "metrics.csv").write_text("\n".join(lines) + "\n")
        n = SPLITS["test"]
        rise = np.linspace(0, 2, FRAMES) * np.linspace(0.8, 1.2, n)[:, None]
        arrays = {
            "row": np.arange(n),
            "loss": final * rise,
            "persistence": 40 * loss * rise,
            "extrapolation": 90 * loss * rise,
            **{f"history/{key}": values for key, values in history.items() if key != "seconds"},
        }
        model, seed = name.split("/seed-")
        about = {
            "study": "coarsening",
            "config_digest": "config",
            "model": model,
            "seed_index": int(seed),
            "parameters": 29183,
            "loss": final,
            "epochs": EPOCHS,
            "best_epoch": EPOCHS - 2,
            "seconds": 2.0 * EPOCHS,
            "device": "a test",
        }
        shards.write(target / "test.h5", wrap(arrays), about)


def plant_costs(folder, networks=NETWORKS):
    """rollout/costs.h5: errors fall with the step and tolerance as the schemes' orders say; a
    network is 4 times quicker than explicit.

    The adaptive scheme is 20 times quicker than the network at the network's error.
    """
    rows = [(f"network {name}", "", np.nan, 12, 0.01, 0.05, 0.02) for name in networks]
    rows.append(("explicit", "step", 2.5e-3, 4800, 0.04, 1e-4, 1e-5))
    rows += [
        ("first_order", "step", dt, 12 / dt, 1e-3 / dt, 0.5 * dt, 0.2 * dt)
        for dt in (0.2, 0.05, 0.0125)
    ]
    rows += [
        ("second_order", "step", dt, 12 / dt, 1.1e-3 / dt, dt**2, 0.4 * dt**2)
        for dt in (0.2, 0.05, 0.0125)
    ]
    rows += [
        ("adaptive", "tolerance", t, 10 * t ** (-1 / 3), 5e-4 * (0.025 / t) ** (1 / 3), 2 * t, t)
        for t in (1e-1, 1e-2, 1e-3, 1e-4)
    ]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    names = (
        "method",
        "setting",
        "value",
        "steps",
        "seconds_per_frame",
        "rmse",
        "free_energy_error",
    )
    arrays = {
        name: column.astype("S") if column.dtype.kind == "U" else column
        for name, column in zip(names, columns, strict=True)
    }
    arrays |= {
        "seconds_least": 0.98 * arrays["seconds_per_frame"],
        "seconds_most": 1.02 * arrays["seconds_per_frame"],
    }
    about = {
        "study": "coarsening",
        "config_digest": "config",
        "device": "a test",
        "threads": 1,
        "frames": FRAMES,
        "repeats": 3,
        "cells": SIZE**3,
        "reference": "explicit, float64, step 0.00125",
        "convergence_rmse": 1e-5,
        "persistence_rmse": 0.4,
        "persistence_free_energy_error": 1.2,
    }
    shards.write(folder / "rollout" / "costs.h5", wrap(arrays), about)


def whole_run(folder, **config):
    """A run with everything."""
    write_run(folder, **config)
    more = {"downscaling": config.get("downscaling", "nearest")}
    plant_training(folder)
    plant_costs(folder)
    plant_case(folder, "test", mixture(4), FRAMES, FRAMES, **more)
    plant_case(
        folder,
        "larger",
        mixture(1, 2 * SIZE, 3),
        24,
        7,
        networks={"staggered/seed-0": Wrong()},
        **more,
    )
    plant_case(folder, "shape", ball(), 24, 7, **more)
    plant_case(folder, "slice", slab(), 200, 12, log=True, **more)
    start = mixture(1, seed=4)
    plant_case(folder, "long", start, 4001, 24, log=True, sensitivity=True, **more)
    plant_case(folder, "box", mixture(3, seed=8), 401, 20, log=True, **more)
    plant_case(folder, "symmetric", symmetrised(mixture(1, seed=9)), 40, 5, **more)
    plant_case(folder, "bulk", bulk(), 101, 5, **more)
    plant_case(folder, "ensemble", mixture(5, seed=5), 61, 12, log=True, **more)
    plant_case(folder, "ensemble_long", mixture(3, seed=6), 1001, 12, log=True, truth=False, **more)
    return folder
