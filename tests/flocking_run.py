"""A small made-up run of the flocking study, in the files' formats, whose every number is known:
nothing in it is simulated.

Gas: Poisson, half of the particles each way.  Liquid: Poisson, all but MINORITY one way.  Bands: a
stretch of liquid in gas. A replica is liquid below lower(rho0) + its own shift, gas above
upper(rho0) + its own shift, and banded between.
"""

from pathlib import Path

import h5py
import numpy as np
import yaml

from jobs import shards
from jobs.shards import Data

SIZE, REFERENCE = 27, 3.0
MINORITY = 0.05  # share of the liquid's particles that go the other way
BLUR = 0.01  # standard deviation of a replica's shift of both transitions
OBSERVE, LOOKS, EQUILIBRATION = 10.0, 160, 400.0
TIME = OBSERVE * np.arange(LOOKS)
CORRELATION_TIME = 25.0  # of the fluctuations of m and of the band's amplitude
DIFFUSION = 0.004  # of the band's phase: its correlation falls with time 1 / DIFFUSION
G, BAND, L = 0, 1, 2
OFFSETS = {
    ("reference", 0.0): (0.0, 0.0),
    ("reference", 0.01): (0.004, -0.004),
    ("all", 0.0): (0.0, 0.0),
    ("all", 0.01): (0.0, 0.0),
}


def upper(density):
    """Temperature of gas | bands: 0.8 at rho0 = 3."""
    return 1 - 0.8 / (1 + np.asarray(density, float))


def lower(density):
    """Temperature of liquid | bands: 0.5 at rho0 = 3."""
    return 0.625 * upper(density)


def phase_of(density, temperature, shift):
    if temperature > upper(density) + shift:
        return G
    return BAND if temperature > lower(density) + shift else L


def fraction(density, temperature):
    """Share of the columns that the liquid band fills: 1/2 half-way between the transitions."""
    span = upper(density) - lower(density)
    return float(
        np.clip(
            0.5 + 0.7 * ((upper(density) + lower(density)) / 2 - temperature) / span, 0.15, 0.85
        )
    )


def profile(density, temperature, phase, size, centre):
    """(density of particles by x, share of them that goes the band's way by x), both (size,)."""
    if phase != BAND:
        return np.full(size, float(density)), np.full(size, 0.5 if phase == G else 1 - MINORITY)
    fill, x = fraction(density, temperature), np.arange(size)
    away = np.abs((x - centre + size / 2) % size - size / 2)
    inside = 0.5 * (1 - np.tanh((away - fill * size / 2) / 1.0))
    gas = 0.4 * density
    liquid = (density - gas * (1 - inside.mean())) / inside.mean()
    return gas + (liquid - gas) * inside, 0.5 + (0.5 - MINORITY) * inside


def configuration(density, temperature, phase, sign, size, generator):
    """(magnetization, density) (size, size) of exactly round(density size^2) particles."""
    rho, way = profile(density, temperature, phase, size, generator.uniform(0, size))
    weight = np.repeat(np.stack([rho * way, rho * (1 - way)])[:, :, None], size, axis=2)
    count = generator.multinomial(
        round(density * size**2), (weight / weight.sum()).ravel()
    ).reshape(2, size, size)
    return sign * (count[0] - count[1]), count.sum(0)


def walk(generator, looks, time, step=OBSERVE):
    """AR(1) series (looks,) of mean 0 and variance 1 whose correlation falls as exp(-t / time)."""
    kept = np.exp(-step / time)
    noise, found = generator.normal(size=looks), np.empty(looks)
    found[0] = noise[0]
    for i in range(1, looks):
        found[i] = kept * found[i - 1] + np.sqrt(1 - kept**2) * noise[i]
    return found


def series_of(density, temperature, phase, sign, particles, size, generator):
    """(magnetization (LOOKS,), density_modes (LOOKS, 3, 2)) that fluctuate with the known times."""
    rho, way = profile(density, temperature, phase, size, 0.0)
    mean = np.mean(rho * (2 * way - 1)) / density
    noise = 1 / np.sqrt(particles)
    m = sign * mean + noise * walk(generator, LOOKS, CORRELATION_TIME)
    modes = np.fft.fft(rho)[1:4] / (density * size)
    turn = np.cumsum(
        np.sqrt(2 * DIFFUSION * OBSERVE) * generator.normal(size=LOOKS)
    ) + 0.9 * sign * OBSERVE * np.arange(LOOKS)
    amplitude = np.abs(modes)[None] * (1 + 0.05 * walk(generator, LOOKS, CORRELATION_TIME)[:, None])
    free = np.stack(
        [
            walk(generator, LOOKS, CORRELATION_TIME) + 1j * walk(generator, LOOKS, CORRELATION_TIME)
            for _ in range(3)
        ],
        axis=1,
    )
    waves = amplitude * np.exp(1j * np.arange(1, 4) * turn[:, None]) + noise / np.sqrt(2) * free
    return np.rint(m * particles).astype(np.int32), np.stack(
        [waves.real, waves.imag], axis=-1
    ).astype(np.float32)


def wrap(arrays):
    return {name: Data(np.asarray(values), "", "") for name, values in arrays.items()}


def config_of(size, temperatures, others):
    system = {
        "size": size,
        "diffusion": 1.0,
        "self_propulsion": 0.9,
        "density": REFERENCE,
        "algorithm": "auto",
        "time_step": None,
    }
    generate = {
        "first_temperature": float(min(temperatures)),
        "last_temperature": float(max(temperatures)),
        "temperature_step": 0.05,
        "replicas": 6,
        "samples": 2,
        "equilibration": EQUILIBRATION,
        "interval": 500.0,
        "observe": OBSERVE,
        "other_densities": [float(d) for d in others],
        "other_replicas": 3,
        "other_samples": 2,
    }
    return {
        "study": "flocking",
        "seed": 5,
        "system": system,
        "generate": generate,
        "train": {"regularization": [0.0, 0.01]},
    }


def write_run(
    folder: Path,
    temperatures=None,
    others=(1.0, 6.0),
    size=SIZE,
    replicas=6,
    samples=2,
    seed=5,
    series=True,
):
    """config.yaml and dataset.h5 of a run; all densities have all temperatures, the reference
    density most replicas.
    """
    temperatures = (
        np.round(np.arange(0.2, 1.001, 0.05), 6)
        if temperatures is None
        else np.asarray(temperatures, float)
    )
    generator = np.random.default_rng(seed)
    rows, flat, units, replica = [], [], [], 0
    for density in (REFERENCE, *others):
        for temperature in temperatures:
            for copy in range(replicas if density == REFERENCE else max(3, replicas // 2)):
                phase = phase_of(density, temperature, BLUR * generator.normal())
                sign = generator.choice([-1, 1])
                m, rho = zip(
                    *(
                        configuration(density, temperature, phase, sign, size, generator)
                        for _ in range(samples)
                    ),
                    strict=True,
                )
                start = (1, -1, 0)[copy % 3]
                rows += [
                    (
                        m[i],
                        rho[i],
                        temperature,
                        density,
                        start,
                        replica,
                        len(units),
                        i,
                        EQUILIBRATION + 500.0 * i,
                        phase,
                    )
                    for i in range(samples)
                ]
                particles = round(density * size**2)
                flat.append(
                    (
                        replica,
                        len(units),
                        start,
                        particles,
                        np.bincount(np.minimum(np.concatenate(rho), 64).ravel(), minlength=65),
                        *series_of(density, temperature, phase, sign, particles, size, generator),
                    )
                )
                replica += 1
            units.append((temperature, density))
    names = (
        "magnetization",
        "density",
        "temperature",
        "mean_density",
        "start",
        "replica",
        "unit",
        "sample",
        "time",
        "phase",
    )
    types = (
        np.int16,
        np.uint16,
        np.float32,
        np.float32,
        np.int8,
        np.int32,
        np.int32,
        np.int32,
        np.float32,
        np.int8,
    )
    arrays = {
        name: np.array(column, kind)
        for name, column, kind in zip(names, zip(*rows, strict=True), types, strict=True)
    }
    truth = arrays.pop("phase")
    if series:
        names = (
            "replica",
            "unit",
            "start",
            "particles",
            "density_histogram",
            "magnetization",
            "density_modes",
        )
        arrays |= {
            f"series/{name}": np.array(column)
            for name, column in zip(names, zip(*flat, strict=True), strict=True)
        }
        arrays |= {
            "series/time": TIME,
            "series/temperature": np.array(units)[:, 0],
            "series/mean_density": np.array(units)[:, 1],
        }
    text = yaml.safe_dump(config_of(size, temperatures, others))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text)
    about = {
        "study": "flocking",
        "config": text,
        "seed": 5,
        "git_revision": "0123abc",
        "device": "a test",
        "made_from": "units",
    }
    shards.write(folder / "dataset.h5", wrap(arrays), about)
    return folder, truth


def origin(folder):
    with h5py.File(folder / "dataset.h5") as file:
        return {"dataset_digest": file.attrs["content_digest"], "config": file.attrs["config"]}


def columns(folder):
    with h5py.File(folder / "dataset.h5") as file:
        return {
            name: file[name][...]
            for name in ("temperature", "mean_density", "replica", "magnetization", "density")
        }


def plant_phases(folder, truth):
    """phases.h5 with the truth: five groups at the reference density, nothing at the others."""
    rows = columns(folder)
    sign = np.sign(rows["magnetization"].sum((1, 2), dtype=float))
    here = np.isclose(rows["mean_density"], REFERENCE)
    cluster = np.select(
        [truth == G, truth == L], [0, np.where(sign > 0, 1, 2)], np.where(sign > 0, 3, 4)
    )
    places = np.array([(0, 0), (6, 4), (6, -4), (3, 5), (3, -5)], float)
    embedding = places[cluster] + 0.4 * np.random.default_rng(0).normal(size=(len(truth), 2))
    embedding[~here] = np.nan
    found = {
        "embedding": embedding.astype(np.float32),
        "cluster": np.where(here, cluster, -1).astype(np.int32),
        "phase": np.where(here, truth, -1).astype(np.int8),
    }
    densities = np.unique(rows["mean_density"].astype(float))
    only = np.isclose(densities, REFERENCE)[:, None]
    found["densities"] = densities
    found["transitions"] = np.where(
        only, np.stack([lower(densities), upper(densities)], axis=1), np.nan
    )
    found["transition_errors"] = np.where(only, np.full((len(densities), 2), 0.004), np.nan)
    shards.write(folder / "phases.h5", wrap(found), origin(folder))


def answer(density, temperature, offsets, width=0.01):
    """Probabilities (n, 3) in the order G, L+G, L that are equal two by two at the transitions plus
    offsets.
    """
    first, second = lower(density) + offsets[0], upper(density) + offsets[1]
    scores = np.stack(
        [(temperature - second) / width, np.zeros_like(temperature), (first - temperature) / width],
        axis=1,
    )
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def offsets_of(name, density, seed):
    """What a network adds to both transitions away from rho0 = 3: nothing known, or, without
    regularization, far too much.
    """
    base = np.array(OFFSETS[name])
    if name == ("reference", 0.0):
        return base + 0.1 * (seed + 1) * np.sign(REFERENCE - density.round(6))[:, None]
    return base + np.full((len(density), 2), 0.002 * (seed - 1))


def plant_predictions(folder, seeds=3):
    rows = columns(folder)
    density, temperature = rows["mean_density"].astype(float), rows["temperature"].astype(float)
    found = {
        "temperature": rows["temperature"],
        "mean_density": rows["mean_density"],
        "replica": rows["replica"],
    }
    for name in OFFSETS:
        for seed in range(seeds):
            where = offsets_of(name, density, seed)
            found[f"{name[0]}/lambda-{name[1]:g}/seed-{seed}"] = answer(
                density, temperature, (where[:, 0], where[:, 1])
            ).astype(np.float32)
    shards.write(folder / "predict" / "probabilities.h5", wrap(found), origin(folder))


def plant_saliency(folder, truth, seeds=3, shown=3):
    """Where the profile is steep with regularization, noise without."""
    rows = columns(folder)
    at = np.flatnonzero((truth == BAND) & np.isclose(rows["mean_density"], REFERENCE))
    index = at[np.argsort(np.abs(rows["temperature"][at] - 0.56), kind="stable")[:shown]]
    generator, found = np.random.default_rng(1), {"index": index.astype(np.int64)}
    for name in OFFSETS:
        for seed in range(seeds):
            edges = []
            for row in index:
                rho = rows["density"][row].mean(1, dtype=float)
                step = np.abs(np.roll(rho, -1) - np.roll(rho, 1))
                edges.append(
                    np.broadcast_to(
                        (step + np.roll(step, 1) + np.roll(step, -1))[:, None],
                        rows["density"].shape[1:],
                    )
                )
            noise = np.abs(generator.normal(size=(len(index), 2, *rows["density"].shape[1:])))
            maps = noise if name[1] == 0 else np.stack([edges, edges], axis=1) * (1 + 0.1 * noise)
            found[f"{name[0]}/lambda-{name[1]:g}/seed-{seed}"] = maps.astype(np.float32)
    shards.write(folder / "predict" / "saliency.h5", wrap(found), origin(folder))


def plant_training(folder, truth, seeds=3, size=SIZE):
    """test.h5 and metrics.csv of every network: all right on its test set; smooth kernels with
    regularization, rough without.
    """
    rows, generator = columns(folder), np.random.default_rng(2)
    for name in OFFSETS:
        for seed in range(seeds):
            here = (
                np.isclose(rows["mean_density"], REFERENCE)
                if name[0] == "reference"
                else np.ones(len(truth), bool)
            )
            index = np.flatnonzero(here & (rows["replica"] % 5 == seed))
            rough = generator.normal(size=(6, 2, 5, 5))
            ramp = np.broadcast_to(np.linspace(-0.3, 0.3, 5)[:, None], (6, 2, 5, 5)).copy()
            ramp[4:] = 1e-4
            arrays = {
                "index": index,
                "phase": truth[index],
                "probabilities": np.eye(3, dtype=np.float32)[truth[index]],
                "first_layer": (rough if name[1] == 0 else ramp).astype(np.float32),
            }
            attributes = {
                "parameters": round(32 / 27 * size**2) + 1939,
                "accuracy": 1.0,
                "epochs": 9,
                "best_epoch": 7,
                "seconds": 4.0,
                "lambda": name[1],
                "set": name[0],
                "seed_index": seed,
            }
            target = folder / "train" / name[0] / f"lambda-{name[1]:g}" / f"seed-{seed}"
            shards.write(target / "test.h5", wrap(arrays), {**origin(folder), **attributes})


def whole_run(folder, **options):
    """A run with everything; (folder, truth (n,))."""
    folder, truth = write_run(folder, **options)
    plant_phases(folder, truth)
    plant_predictions(folder)
    plant_saliency(folder, truth)
    plant_training(folder, truth)
    return folder, truth
