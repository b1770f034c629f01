"""From shards to dataset.h5, the configurations and their runs' histories, phases.h5, what they are
without any label, and film.h5.
"""

import h5py
import numpy as np

from jobs import collecting, shards
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
MAPS = {
    "magnetization": Data(
        np.empty(0, np.int16), "", "configuration, x, y", "sum of a site's spins", True
    ),
    "density": Data(np.empty(0, np.uint16), "particles", "configuration, x, y", "on a site", True),
}


def run(system: System, device, progress: Progress) -> None:
    """Write a system's data set and its phases from its shards, unless those there were made from
    the same ones.
    """
    target = system.folder / "dataset.h5"
    made_from, revisions = collecting.survey(system, progress)
    if collecting.present([target], made_from, "flocking", progress):
        progress.say(f"{target}: made from the same units before, kept")
    else:
        attributes = collecting.attributes(system, device, made_from, revisions)
        with shards.new(target, attributes) as file:
            starts, configurations = put_together(system, file, progress)
        progress.say(f"{target}: {configurations} configurations, {sum(map(len, starts))} replicas")
        changed = sum(int((found != planned(len(found))).sum()) for found in starts)
        if changed:
            progress.say(
                f"warning: {target}: {changed} replicas from disorder piled up more particles on a site than can be counted, and "
                "started ordered instead"
            )
    film.run(system, device, progress)
    phases.run(system, device, progress)


def planned(replicas: int) -> np.ndarray:
    """How the replicas of a unit would have started without an overflow."""
    return np.array(STARTS)[np.arange(replicas) % len(STARTS)]


def put_together(
    system: System, file: h5py.File, progress: Progress
) -> tuple[list[np.ndarray], int]:
    """Fill dataset.h5: n configurations and q replicas in the order of units, replicas, samples,
    unit by unit.  How the replicas of each unit started; n.
    """
    config, size = system.config, system.config.system.size
    points = config.points
    replicas, rows = (np.array([p[2] for p in points]), np.array([p[2] * p[3] for p in points]))
    longest = max(p[3] for p in points)
    maps = {
        name: shards.Rows(shards.put(file, name, MAPS[name], (int(rows.sum()), size, size)))
        for name in MAPS
    }
    columns, times = {}, look_times(system, [p[3] for p in points].index(longest))
    series = Series(file, system, int(replicas.sum()), len(times))
    starts = []
    for unit, found in collecting.units(system, progress):
        density, temperature, count, samples = points[unit]
        first = replicas[:unit].sum()
        for name, there in maps.items():
            there.add(found[f"{name}_map"].reshape(-1, size, size).astype(MAPS[name].values.dtype))
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
        series.add(found)
        starts.append(found["start"])
    for each in (*maps.values(), *series.rows.values()):
        each.end()
    data = {
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
    for name, item in data.items():
        shards.put(file, name, item)
    return starts, int(rows.sum())


def look_times(system: System, unit: int) -> np.ndarray:
    """The times at which a unit's replicas were looked at."""
    with h5py.File(system.shard(unit), "r", locking=False) as file:
        return file["time"][...]


class Series:
    """series/NAME of dataset.h5 while they are written; those in time (replica, o, ...) are filled
    up to o = `times`, with nan or 0.
    """

    def __init__(self, file: h5py.File, system: System, replicas: int, times: int):
        self.rows, self.times = {}, {}
        with h5py.File(system.shard(0), "r", locking=False) as first:
            for name in SERIES:
                values, about = (
                    first[name],
                    [first[name].attrs[k] for k in ("unit", "axes", "about")],
                )
                timed = "time" in about[1]
                self.times[name] = times if timed else None
                shape = (replicas, *((times, *values.shape[2:]) if timed else values.shape[1:]))
                item = Data(np.empty(0, values.dtype), *about)
                self.rows[name] = shards.Rows(shards.put(file, f"series/{name}", item, shape))

    def add(self, found: dict[str, np.ndarray]) -> None:
        """A unit's."""
        for name, rows in self.rows.items():
            rows.add(
                found[name] if self.times[name] is None else longer(found[name], self.times[name])
            )


def longer(values: np.ndarray, times: int) -> np.ndarray:
    """Values (replica, o, ...) filled up to o = times."""
    filling = np.nan if values.dtype.kind == "f" else 0
    whole = np.full((len(values), times, *values.shape[2:]), filling, values.dtype)
    whole[:, : values.shape[1]] = values
    return whole


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
