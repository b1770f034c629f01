"""From shards to data/{train,valid,test}/coarsening.h5 in The Well's layout, stats.yaml, and
dataset.h5, the index of all.
"""

import contextlib
from dataclasses import replace

import h5py
import numpy as np

from jobs import collecting, fates, shards, well
from jobs.coarsening import starts
from jobs.coarsening.config import SPLITS, Coarsening
from jobs.coarsening.fields import FIELD, data_file, downscale
from jobs.coarsening.generate import COLUMNS, START, build
from jobs.coarsening.measures import energies
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data


def run(system: System, device, progress: Progress) -> None:
    """Write a system's data set from its shards, unless the one there was made from the same
    ones.
    """
    config, folder, target = system.config, system.folder, system.folder / "dataset.h5"
    parts: dict[str, list[np.ndarray]] = {}

    def look(unit: int, file: h5py.File) -> None:
        for name, values in columns_of(unit, file).items():
            parts.setdefault(name, []).append(values)

    made_from, revisions = collecting.survey(system, progress, look=look)
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    files = [target, *(data_file(folder, split) for split in SPLITS)]
    if (
        collecting.present(files, made_from, "coarsening", progress)
        and (folder / "stats.yaml").exists()
    ):
        progress.say(f"{target}: made from the same units before, kept")
        return
    attributes = collecting.attributes(system, device, made_from, revisions)
    checked = check_fates(system, device)
    attributes |= checked.attributes()
    target.unlink(missing_ok=True)  # an index without its files would be worse than none
    with contextlib.ExitStack() as stack:
        outputs = [
            stack.enter_context(
                well.new(data_file(folder, split), layout(config, k, columns), attributes)
            )
            for k, split in enumerate(SPLITS)
        ]
        for unit, arrays in collecting.units(system, progress):
            split, first, count = config.generate.blocks[unit]
            outputs[split][first : first + count] = arrays["phi"]
    with h5py.File(data_file(folder, "train"), "r", locking=False) as file:
        well.write_statistics(folder / "stats.yaml", well.statistics(file[FIELD], "phi"))
    shards.write(target, index(columns, config), attributes)
    progress.say(
        f"{target}: {', '.join(f'{count} {split}' for split, count in config.generate.sequences.items())}"
    )
    for line in checked.lines(target):
        progress.say(line)


def check_fates(system: System, device) -> fates.Fates:
    """The last frames of a sample of the sequences, run again by adaptive steps: jobs/fates.py."""
    config, g, s = system.config, system.config.generate, system.config.system
    where = [(unit, i) for unit, (*_, count) in enumerate(g.blocks) for i in range(count)]
    ends, again = [], []
    model = replace(build(config, device), precision="float64")
    for unit, i in (where[n] for n in fates.sample(config, np.arange(len(where)))):
        split, first, _ = g.blocks[unit]
        with h5py.File(system.shard(unit), "r", locking=False) as file:
            ends.append(file["phi"][i, -1])
            last = float(file["start_time"][()]) + g.times[-1]
        index = starts.identity(split, int(first + i))
        mean, feature = starts.drawn(config, index)
        start = starts.perlin(s.size, [feature], [mean], g.noise, config.seed, [index], device)
        run = model.run(
            start,
            [last],
            tolerance=g.tolerance / fates.TIGHTER,
            steady_state=None,
            observe=False,
            on_blow_up="keep",
            progress=False,
        )
        again.append(
            downscale(run.fields[:, :1].astype(np.float32), s.downscale, s.downscaling)[0, 0]
        )
    if not ends:
        return fates.NONE
    ends, again = np.array(ends), np.array(again)
    there, here = (energies(phi, s.network_spacing, s.interface_width) for phi in (ends, again))
    return fates.compare(ends, there, again, here)


def columns_of(unit: int, file: h5py.File) -> dict[str, np.ndarray]:
    """What is known of the sequences of a shard: COLUMNS, start_time and unit, each (n,)."""
    found = {name: file[name][...] for name in COLUMNS}
    count = len(found["split"])
    return found | {
        "start_time": np.full(count, file["start_time"][()]),
        "unit": np.full(count, unit, np.int32),
    }


def layout(config: Coarsening, split: int, columns: dict[str, np.ndarray]) -> well.Layout:
    """The Well's layout of a split, 0 to 2."""
    g, s = config.generate, config.system
    mine = columns["split"] == split
    middle = 0.5 if s.downscaling == "nearest" else 0.5 * s.downscale
    about = (
        "centre of the cell"
        if s.downscaling == "block_mean"
        else "centre of the truth's cell that it is"
    )
    x = Data(
        (np.arange(s.network_size) * s.downscale + middle) * s.spacing, "length", "cell", about
    )
    constants = {
        "interface_width": Data(s.interface_width, "length", "", "epsilon"),
        "mobility": Data(s.mobility, "length^5 / energy / time", "", "M"),
        "spacing": Data(s.network_spacing, "length", "", "side of a cell of this grid"),
        "downscale": Data(
            s.downscale,
            "",
            "",
            f"cells of the truth's grid along a side of one of this grid, {s.downscaling}",
        ),
    }
    each = {
        name: Data(columns[name][mine], unit, "trajectory", about)
        for name, (unit, _, about) in (
            ("mean_concentration", COLUMNS["mean_concentration"]),
            ("start_time", START),
            ("feature_size", COLUMNS["feature_size"]),
        )
    }
    return well.Layout(
        "coarsening",
        "phi",
        "phi of dphi/dt = M lap mu",
        int(mine.sum()),
        Data(np.array(g.times), "time", "time", "since the first frame"),
        {"x": x, "y": x, "z": x},
        {**each, **constants},
        tuple(constants),
    )


def index(columns: dict[str, np.ndarray], config: Coarsening) -> dict[str, Data]:
    """All datasets of dataset.h5 (n sequences, in the order of units)."""
    files = np.array([f"data/{split}/coarsening.h5" for split in SPLITS], "S")
    return {
        **{name: Data(columns[name], *COLUMNS[name]) for name in COLUMNS},
        "start_time": Data(columns["start_time"], START[0], "sequence", START[2]),
        "unit": Data(columns["unit"], "", "sequence", "the shard it comes from"),
        "file": Data(files[columns["split"]], "", "sequence", "where its frames are"),
        "row": Data(columns["sequence"], "", "sequence", "trajectory of its file"),
        "times": Data(np.array(config.generate.times), "time", "frame", "since the first frame"),
    }
