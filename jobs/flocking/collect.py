"""From shards to dataset.h5, the configurations and their runs' histories, phases.h5, what they are
without any label, and film.h5.
"""

import h5py
import numpy as np

from jobs import collecting, shards
from jobs.config import digest
from jobs.flocking import film, phases
from jobs.flocking.generate import STARTS
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data

SERIES = (
    "start",
    "particles",
    "magnetization",
    "density_modes",
    "magnetization_modes",
    "density_histogram",
    "attempts",
)
MAPS = {"magnetization": np.int16, "density": np.uint16}


def run(system: System, device, progress: Progress) -> None:
    """Write a system's data set and its phases from its shards, unless those there were made from
    the same ones.
    """
    target = system.folder / "dataset.h5"
    made_from, revisions = collecting.survey(system, progress)
    if collecting.present([(target, shards.check)], made_from, "flocking", progress):
        progress.say(f"{target}: made from the same units before, kept")
    else:
        data = dataset(system, progress)
        shards.write(target, data, collecting.attributes(system, device, made_from, revisions))
        progress.say(
            f"{target}: {len(data['unit'].values)} configurations, {len(data['series/replica'].values)} replicas"
        )
        changed = int((data["series/start"].values != _planned(data)).sum())
        if changed:
            progress.say(
                f"warning: {target}: {changed} replicas from disorder piled up more particles on a site than can be counted, and "
                "started ordered instead"
            )
        del data
    film.run(system, device, progress)
    phases.run(system, device, progress)


def _planned(data: dict[str, Data]) -> np.ndarray:
    """How the replicas, in their units' order, would have started without an overflow."""
    unit = data["series/unit"].values
    return np.array(STARTS)[(np.arange(len(unit)) - np.searchsorted(unit, unit)) % len(STARTS)]


def dataset(system: System, progress: Progress) -> dict[str, Data]:
    """All datasets of dataset.h5: n configurations and q replicas in the order of units, replicas,
    samples.

    Shards are read one at a time into arrays of their final size.
    """
    config, size = system.config, system.config.system.size
    points = config.points
    replicas, rows = (np.array([p[2] for p in points]), np.array([p[2] * p[3] for p in points]))
    longest = max(p[3] for p in points)
    maps = {name: np.empty((rows.sum(), size, size), kind) for name, kind in MAPS.items()}
    series, columns, about, times = {}, {}, {}, np.empty(0)
    progress.begin(len(points), "units")
    for unit, (density, temperature, count, samples) in enumerate(points):
        found, _ = shards.read(system.shard(unit), config_digest=digest(config), unit_index=unit)
        first, here = replicas[:unit].sum(), slice(rows[:unit].sum(), rows[: unit + 1].sum())
        for name in MAPS:
            maps[name][here] = found[f"{name}_map"].reshape(-1, size, size)
        row = {
            "temperature": np.full(count * samples, temperature, np.float32),
            "mean_density": np.full(count * samples, density, np.float32),
            "start": np.repeat(found["start"], samples),
            "replica": np.repeat(first + np.arange(count, dtype=np.int32), samples).astype(
                np.int32
            ),
            "unit": np.full(count * samples, unit, np.int32),
            "sample": np.tile(np.arange(samples, dtype=np.int32), count),
            "time": np.tile(found["sample_time"], count).astype(np.float32),
        }
        for name, values in row.items():
            columns.setdefault(name, []).append(values)
        times = found["time"] if samples == longest else times
        for name in SERIES:
            series.setdefault(name, []).append(found[name])
        progress.reach(unit + 1)
    with h5py.File(system.shard(0), "r", locking=False) as file:
        about = {
            name: tuple(file[name].attrs[key] for key in ("unit", "axes", "about"))
            for name in SERIES
        }
    data = {
        "magnetization": Data(
            maps["magnetization"], "", "configuration, x, y", "sum of a site's spins", True
        ),
        "density": Data(maps["density"], "particles", "configuration, x, y", "on a site", True),
        **{name: Data(np.concatenate(columns[name]), *ROWS[name]) for name in ROWS},
        "series/time": Data(
            times,
            "time",
            "time",
            "of the looks; replicas with fewer samples end earlier, filled up with nan or 0",
        ),
        "series/temperature": Data(np.array([p[1] for p in points]), "", "unit", "T"),
        "series/mean_density": Data(
            np.array([p[0] for p in points]), "particles / site", "unit", "rho0"
        ),
        "series/replica": Data(
            np.arange(replicas.sum(), dtype=np.int32),
            "",
            "replica",
            "as in `replica` of the configurations",
        ),
        "series/unit": Data(
            np.repeat(np.arange(len(points), dtype=np.int32), replicas),
            "",
            "replica",
            "its density and temperature",
        ),
    }
    for name in SERIES:
        data[f"series/{name}"] = Data(
            stacked(series.pop(name), len(times), "time" in about[name][1]), *about[name]
        )
    return data


ROWS = {
    "temperature": ("", "configuration", "T"),
    "mean_density": ("particles / site", "configuration", "rho0"),
    "start": (
        "",
        "configuration",
        "spins of its replica at t = 0: +1, -1 all alike, 0 each at random",
    ),
    "replica": ("", "configuration", "the independent run it comes from, unique in this file"),
    "unit": ("", "configuration", "the shard it comes from"),
    "sample": ("", "configuration", "number in its replica"),
    "time": ("time", "configuration", "since its replica's start"),
}


def stacked(parts: list[np.ndarray], times: int, timed: bool) -> np.ndarray:
    """Arrays of units, replica by replica; those in time (replica, o, ...) are filled up to o =
    times, with nan or 0.
    """
    whole = np.zeros(
        (sum(map(len, parts)), *((times, *parts[0].shape[2:]) if timed else parts[0].shape[1:])),
        parts[0].dtype,
    )
    if timed and whole.dtype.kind == "f":
        whole[:] = np.nan
    first = 0
    for part in parts:
        if timed:
            whole[first : first + len(part), : part.shape[1]] = part
        else:
            whole[first : first + len(part)] = part
        first += len(part)
    return whole
