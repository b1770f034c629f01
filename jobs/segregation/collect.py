"""From shards to data/{train,valid,test}/segregation.h5 in The Well's layout, stats.yaml, and
dataset.h5, the index of all.
"""

import contextlib
import math
from dataclasses import replace

import h5py
import numpy as np

from jobs import collecting, fates, shards, well
from jobs.progress import Progress
from jobs.rundir import System
from jobs.segregation import predictability
from jobs.segregation.config import SPLITS, Segregation
from jobs.segregation.fields import FIELD, data_file
from jobs.segregation.generate import COLUMNS, TIMES, build, identity
from jobs.shards import Data
from kernels.cahn_hilliard import mixtures


def run(system: System, device, progress: Progress) -> None:
    """Write a system's data set from its shards, unless the one there was made from the same
    ones; then how far ahead one can see in it.
    """
    put_together(system, device, progress)
    predictability.run(system, device, progress)


def put_together(system: System, device, progress: Progress) -> None:
    config, folder, target = system.config, system.folder, system.folder / "dataset.h5"
    seen = Seen()
    made_from, revisions = collecting.survey(system, progress, look=seen.look)
    files = [target, *(data_file(folder, split) for split in SPLITS)]
    if (
        collecting.present(files, made_from, "segregation", progress)
        and (folder / "stats.yaml").exists()
    ):
        progress.say(f"{target}: made from the same units before, kept")
        return
    attributes = collecting.attributes(system, device, made_from, revisions)
    checked = check_fates(system, seen, device)
    attributes |= checked.attributes()
    target.unlink(missing_ok=True)  # an index without its files would be worse than none
    columns = {}
    with contextlib.ExitStack() as stack:
        outputs = [
            stack.enter_context(
                well.new(data_file(folder, split), layout(config, split, seen.steady), attributes)
            )
            for split in SPLITS
        ]
        for unit, arrays in collecting.units(system, progress):
            row = np.empty(len(arrays["split"]), np.int32)
            for k, output in enumerate(outputs):
                mine = np.flatnonzero(arrays["split"] == k)
                row[mine] = unit * len(mine) + np.arange(len(mine))
                output[unit * len(mine) : (unit + 1) * len(mine)] = arrays["fields"][mine]
            more = {"row": row, "unit": np.full(len(row), unit, np.int32)}
            for name, values in {**{name: arrays[name] for name in COLUMNS}, **more}.items():
                columns.setdefault(name, []).append(values)
    columns = {name: np.concatenate(parts) for name, parts in columns.items()}
    with h5py.File(data_file(folder, "train"), "r", locking=False) as file:
        well.write_statistics(folder / "stats.yaml", well.statistics(file[FIELD], "concentration"))
    shards.write(target, index(columns, config), attributes)
    progress.say(
        f"{target}: {', '.join(f'{n * config.generate.units} {split}' for split, n in config.generate.samples.items())}"
    )
    for line in checked.lines(target):
        progress.say(line)
    unsteady = int(np.isnan(columns["steady_time"]).sum())
    if unsteady:
        progress.say(
            f"warning: {target}: {unsteady} of {len(columns['steady_time'])} fields did not get to their steady state"
        )


class Seen:
    """What is looked up in all shards before they are read."""

    def __init__(self) -> None:
        self.steady = 0.0  # the latest time at which a field became steady
        self.segregated: list[np.ndarray] = []  # of each unit, rows of fields with an interface
        self.energies: list[np.ndarray] = []  # of each unit, of all fields in the end

    def look(self, unit: int, file: h5py.File) -> None:
        self.steady = max(self.steady, float(np.nanmax(file["steady_time"][...], initial=0.0)))
        self.segregated.append(np.flatnonzero(file["perimeter"][:, -1] > 0).astype(np.int32))
        self.energies.append(file["chemical_energy"][:, -1] + file["surface_energy"][:, -1])


def check_fates(system: System, seen: Seen, device) -> fates.Fates:
    """A sample of the mixtures that segregated, run again: jobs/fates.py."""
    config, g = system.config, system.config.generate
    ends_of = np.cumsum([len(rows) for rows in seen.segregated])  # units, one after another
    chosen = []
    for number in fates.sample(config, np.arange(ends_of[-1])):
        unit = int(np.searchsorted(ends_of, number, side="right"))
        rows = seen.segregated[unit]
        chosen.append((unit, int(rows[number - ends_of[unit] + len(rows)])))
    if not chosen:
        return fates.NONE
    ends, starts = [], []
    for unit, i in chosen:
        with h5py.File(system.shard(unit), "r", locking=False) as file:
            ends.append(file["fields"][i, -1])
            starts.append((unit, int(file["split"][i]), int(file["sample"][i])))
    model = replace(build(config, device), precision="float64")
    start = np.concatenate(
        [
            mixtures(
                [g.means[unit]],
                g.noise,
                model.shape,
                config.seed,
                identity(unit, [split], [sample]),
            )
            for unit, split, sample in starts
        ]
    )
    again = model.run(
        start,
        [np.inf],
        tolerance=g.tolerance / fates.TIGHTER,
        steady_state=g.steady_state,
        on_blow_up="keep",
        progress=False,
    )
    found = np.array([seen.energies[unit][i] for unit, i in chosen])
    return fates.compare(np.array(ends), found, again.fields[:, -1], again.free_energy[:, -1])


def layout(config: Segregation, split: str, steady: float) -> well.Layout:
    """The Well's layout of a split.  steady: the latest time at which a field became steady."""
    g, s = config.generate, config.system
    x = Data((np.arange(s.size) + 0.5) * s.spacing, "length", "cell", "centre of the cell")
    means = Data(
        np.repeat(g.means, g.samples[split]), "", "trajectory", "mean concentration of the mixture"
    )
    constants = {
        "epsilon": Data(s.epsilon, "sqrt(energy / length)", "", "price of a gradient"),
        "well_depth": Data(s.well_depth, "energy / area", "", "a"),
        "mobility": Data(s.mobility, "length^4 / energy / time", "", "M"),
        "noise": Data(g.noise, "", "", "amplitude of the mixture's, uniform in [-noise, noise]"),
    }
    end = stand_in(steady, config.times[-1])
    times = Data(
        np.array([*config.times, end]),
        "time",
        "time",
        f"the last, {end:g}, stands for infinity: the steady state, later than all",
    )
    return well.Layout(
        "segregation",
        "concentration",
        "c of dc/dt = M lap mu",
        len(means.values),
        times,
        {"x": x, "y": x},
        {"mean_concentration": means, **constants},
        tuple(constants),
    )


def stand_in(steady: float, last: float) -> float:
    """A finite time for the steady state: the power of ten after both, when every steady field is
    as it was.
    """
    return float(10 ** (math.floor(math.log10(max(steady, last, 1e-6))) + 1))


def index(columns: dict[str, np.ndarray], config: Segregation) -> dict[str, Data]:
    """All datasets of dataset.h5 (n samples, in the order of units and samples; t times)."""
    g = config.generate
    files = np.array([f"data/{split}/segregation.h5" for split in SPLITS], "S")
    return {
        **{name: Data(columns[name], *COLUMNS[name]) for name in COLUMNS},
        "mean_concentration": Data(
            np.array(g.means)[columns["unit"]], "", "sample", "of the mixture"
        ),
        "unit": Data(columns["unit"], "", "sample", "the shard it comes from"),
        "file": Data(files[columns["split"]], "", "sample", "where its fields are"),
        "row": Data(columns["row"], "", "sample", "trajectory of its file"),
        "times": Data(np.array([*config.times, np.inf]), *TIMES),
    }
