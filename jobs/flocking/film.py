"""film.h5: one band on its way, frame by frame, for the eye."""

import hashlib
import json

import numpy as np

from jobs import provenance, shards
from jobs.config import digest
from jobs.flocking.generate import build
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels.active_ising import CountersFull

INDEX = 1 << 47  # of the replica: apart from those of all units


def run(system: System, device, progress: Progress) -> None:
    """Write film.h5 of a system, unless the one there has the same settings: a replica of its own,
    all spins +1 at first.
    """
    config, target = system.config, system.folder / "film.h5"
    film = config.film
    if not film.frames:
        return
    made_from = hashlib.sha256(
        f"{digest(config)} {json.dumps(film.model_dump(), sort_keys=True)}".encode()
    ).hexdigest()
    try:
        shards.check(target, made_from=made_from)
        return
    except (FileNotFoundError, shards.BadFileError):
        pass  # made again: it takes seconds
    times = film.equilibration + film.interval * np.arange(film.frames)
    progress.begin(1, "films")
    try:
        found = build(config, device).run(
            [film.temperature],
            [config.system.density],
            [1],
            times,
            seed=config.seed,
            index=[INDEX],
            progress=progress.reach,
        )
    except CountersFull as error:
        progress.say(f"{target}: left out: {error}")
        return
    data = {
        "time": Data(times, "time", "frame", "since all spins were +1"),
        "magnetization": Data(
            found.magnetization_map[0], "", "frame, x, y", "sum of a site's spins", True
        ),
        "density": Data(found.density_map[0], "particles", "frame, x, y", "on a site", True),
    }
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "flocking",
        "temperature": film.temperature,
        "mean_density": config.system.density,
    }
    shards.write(target, data, attributes)
    progress.say(f"{target}: {film.frames} frames at T = {film.temperature:g}")
