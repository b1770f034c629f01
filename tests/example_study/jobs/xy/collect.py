"""The units of the XY study, into dataset.h5."""

import numpy as np

from jobs import collecting, shards
from jobs.rundir import System
from jobs.shards import Data


def run(system: System, device, progress) -> None:
    target = system.folder / "dataset.h5"
    made_from, revisions = collecting.survey(system, progress)
    if collecting.present([target], made_from, "xy", progress):
        return
    units = [arrays for _, arrays in collecting.units(system, progress)]
    data = {
        "time": Data(units[0]["time"], "time", "time", "since the quench"),
        "vortices": Data(
            np.concatenate([unit["vortices"] for unit in units]),
            "",
            "quench, time",
            "of either sign",
        ),
    }
    about = collecting.attributes(system, device, made_from, revisions)
    shards.write(target, data, about | {"size": system.config.system.size})
    progress.say(f"{target}: {len(data['vortices'].values)} quenches")
