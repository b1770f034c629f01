"""From shards to dataset.h5: labels balanced in p_nuc, configurations centred on their largest
cluster.

Balancing and centring follow section II.B of the paper, with the authors' number of bins, 33.
"""

from dataclasses import replace

import h5py
import numpy as np

from jobs import collecting, shards
from jobs.nucleation.config import Nucleation
from jobs.nucleation.generate import build
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels import percolation
from kernels.streams import STREAMS

LABELLED = ("event", "time", "copies", "nucleated", "spins")  # of a configuration, raw or balanced
BITS = "a bit a spin, 1 is up, big-endian, site x L + y"
SITE_BYTES, CLUSTER_BYTES = 34, 256 << 20  # of memory that clusters take; at once
KEPT_HISTORIES = 8  # events whose whole history goes into the data set, for snapshots and the movie


def run(system: System, device, progress: Progress) -> None:
    """Write dataset.h5 of a system from its shards, unless the one there was made from the same
    ones.  Beside a block of configurations, memory is taken by some 40 bytes a label.

    Where bins stay empty balancing leaves nothing: this is said, and the data set has the events
    with their lifetimes, all labels, and no balanced configuration.
    """
    target, config = system.folder / "dataset.h5", system.config
    labels = {name: bytearray() for name in ("nucleated", "copies")}
    ends = []

    def look(unit: int, file: h5py.File) -> None:
        for name, values in labels.items():
            values += file[f"configuration/{name}"][...].astype(np.int32).tobytes()
        ends.append(len(labels["copies"]) // 4)

    made_from, revisions = collecting.survey(
        system, progress, (*collecting.SECTIONS, "collect"), look
    )
    if collecting.present([target], made_from, "nucleation", progress):
        progress.say(f"{target}: made from the same units before, kept")
        return
    nucleated, copies = (np.frombuffer(labels[name], np.int32) for name in labels)
    chosen = balance(nucleated, copies, config.collect.bins, config.seed)
    if not len(chosen):
        progress.say(f"{system.folder}: {emptiness(nucleated, copies, config.collect.bins)}")
    attributes = collecting.attributes(system, device, made_from, revisions)
    with shards.new(target, attributes) as file:
        output = Output(file, config, build(config, device), ends[-1], len(chosen))
        for unit, arrays in collecting.units(system, progress):
            first, last = ends[unit - 1] if unit else 0, ends[unit]
            found = reduce(
                arrays, unit, config, max(0, KEPT_HISTORIES - unit * config.generate.events)
            )
            if not np.array_equal(found["nucleated"], nucleated[first:last]):
                raise shards.BadFileError(f"{system.shard(unit)}: changed while it was read")
            start, stop = np.searchsorted(chosen, (first, last))
            output.add(found, chosen[start:stop] - first)
        lifetime = output.end()
    progress.say(
        f"{target}: {len(chosen)} balanced configurations out of {ends[-1]}, "
        f"{len(lifetime)} events, mean lifetime {lifetime.mean():.0f} MCS"
    )


def reduce(
    arrays: dict[str, np.ndarray], unit: int, config: Nucleation, keep: int
) -> dict[str, np.ndarray]:
    """What the data set needs of a shard; events are counted through all units.  keep: how many
    histories.
    """
    event, time = arrays["configuration/event"], arrays["configuration/time"]
    g = config.generate
    kept = np.arange(min(keep, g.events), dtype=np.int32)
    return {
        "lifetime": arrays["lifetime"],
        "unit": np.full(g.events, unit, np.int32),
        "event": (event + unit * g.events).astype(np.int32),
        "time": time,
        "copies": arrays["configuration/copies"],
        "nucleated": arrays["configuration/nucleated"],
        "spins": arrays["history"][event, g.history + time],
        "history_event": kept + np.int32(unit * g.events),
        "history": arrays["history"][kept],
    }


def bin_of(nucleated: np.ndarray, copies: np.ndarray, bins: int) -> np.ndarray:
    """Bin 0..bins - 1 of p_nuc = nucleated / copies, in integers: [i / bins, (i + 1) / bins), the
    last one closed.
    """
    return np.minimum(nucleated.astype(np.int64) * bins // copies, bins - 1)


def emptiness(nucleated: np.ndarray, copies: np.ndarray, bins: int) -> str:
    """Which bins are empty, so that balancing leaves nothing, and what to do, in a line."""
    filling = np.bincount(bin_of(nucleated, copies, bins), minlength=bins)
    empty = np.flatnonzero(filling == 0)
    named = ", ".join(f"{i} ({i / bins:.2f} to {(i + 1) / bins:.2f})" for i in empty[:5])
    more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
    return (
        f"balancing leaves nothing: {len(empty)} of {bins} bins of p_nuc are empty: {named}{more}; "
        "dataset.h5 has lifetimes and labels, and nothing to train on: raise generate.units, or "
        "lower collect.bins in another --run"
    )


def balance(nucleated: np.ndarray, copies: np.ndarray, bins: int, seed: int) -> np.ndarray:
    """Sorted indices of a subset uniform in p_nuc: every bin thinned at random to as many as the
    rarest holds, so none where a bin is empty.

    The choice is a function of the labels and the seed.
    """
    bin_ = bin_of(nucleated, copies, bins).astype(np.uint16)  # bins are few, labels many
    filling = np.bincount(bin_, minlength=bins)
    key = np.array([seed, STREAMS["balance"]], np.uint64)
    order = np.random.Generator(np.random.Philox(key=key)).permutation(len(bin_))
    ranked = order[np.argsort(bin_[order], kind="stable")]  # bin by bin, shuffled within each
    starts = np.cumsum(filling) - filling
    return np.sort(np.concatenate([ranked[start : start + filling.min()] for start in starts]))


def centred(spins: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Configurations (n, L, L) shifted by whole sites so that `centre` (n, 2), in sites, comes to
    (L//2, L//2).
    """
    size = spins.shape[1]
    shift = np.rint(np.nan_to_num(centre)).astype(int) - size // 2
    x, y = ((np.arange(size) + shift[:, axis, None]) % size for axis in (0, 1))
    return spins[np.arange(len(spins))[:, None, None], x[:, :, None], y[:, None, :]]


def identities(event: np.ndarray, time: np.ndarray, history: int) -> np.ndarray:
    """uint64: the number of a configuration among all events' last history + 1, which keys its
    bonds.
    """
    return event.astype(np.uint64) * np.uint64(history + 1) + (history + time).astype(np.uint64)


def bonds_of(config: Nucleation, model) -> dict:
    """What percolation.clusters is to know of the bonds; the exponent of their probability is
    proportional to the coupling.
    """
    return {
        "coupling_table": config.collect.bond_strength * model.coupling_table(),
        "temperature": model.temperature,
        "bonds": config.collect.bonds,
    }


def largest_clusters(raw: dict[str, np.ndarray], config: Nucleation, model) -> np.ndarray:
    """Sites of the largest cluster in every frame of the kept histories, packed as these are: the
    same bonds as in the data set.
    """
    history = raw["history"]
    _, frames, width = history.shape
    time = np.arange(1 - frames, 1)
    found = percolation.clusters(
        history.reshape(-1, width),
        **bonds_of(config, model),
        seed=config.seed,
        index=identities(raw["history_event"][:, None], time, frames - 1).ravel(),
        device=model.device,
        labels=True,
    )
    member = (found.labels == found.label[:, None, None]) & (found.labels >= 0)
    return np.packbits(member.reshape(len(member), -1), axis=1).reshape(history.shape)


class Output:
    """dataset.h5 while it is written, unit by unit: the balanced ones of its configurations, the
    events, and everything before balancing.

    rows, chosen: how many configurations there are in all, and how many are balanced.
    """

    def __init__(self, file: h5py.File, config: Nucleation, model, rows: int, chosen: int):
        self.file, self.config, self.model = file, config, model
        sites = config.system.size**2
        more = {"spins": (config.system.size,) * 2, "raw/spins": ((sites + 7) // 8,)}
        self.rows = {
            name: shards.Rows(
                shards.put(
                    file,
                    name,
                    item,
                    (rows if name.startswith("raw/") else chosen, *more.get(name, ())),
                )
            )
            for name, item in columns(config).items()
        }
        self.at_once = max(1, CLUSTER_BYTES // (SITE_BYTES * sites))
        self.waiting: list[dict[str, np.ndarray]] = []  # balanced ones, not yet looked at
        self.count = 0  # of these
        self.events: dict[str, list[np.ndarray]] = {}

    def add(self, found: dict[str, np.ndarray], balanced: np.ndarray) -> None:
        """A unit, as `reduce` leaves it, of which the rows `balanced` are."""
        for name in LABELLED:
            self.rows[f"raw/{name}"].add(found[name])
        for name in ("lifetime", "unit", "history_event", "history"):
            if len(found[name]) or not self.events.get(name):
                self.events.setdefault(name, []).append(found[name])
        if len(balanced):
            self.waiting.append({name: found[name][balanced] for name in LABELLED})
            self.count += len(balanced)
        if self.count >= self.at_once:
            self._balanced()

    def end(self) -> np.ndarray:
        """All that is left; the lifetimes."""
        if self.waiting:
            self._balanced()
        for rows in self.rows.values():
            rows.end()
        events = {name: np.concatenate(parts) for name, parts in self.events.items()}
        for name, item in of_events(events, self.config, self.model).items():
            shards.put(self.file, name, item)
        return events["lifetime"]

    def _balanced(self) -> None:
        raw = {name: np.concatenate([part[name] for part in self.waiting]) for name in LABELLED}
        self.waiting, self.count = [], 0
        for first in range(0, len(raw["event"]), self.at_once):
            part = {name: values[first : first + self.at_once] for name, values in raw.items()}
            for name, values in looked_at(part, self.config, self.model).items():
                self.rows[name].add(values)


def looked_at(raw: dict[str, np.ndarray], config: Nucleation, model) -> dict[str, np.ndarray]:
    """Balanced configurations, centred, with what is known of them: all of `columns` that is not
    raw.
    """
    cluster = percolation.clusters(
        raw["spins"],
        **bonds_of(config, model),
        seed=config.seed,
        index=identities(raw["event"], raw["time"], config.generate.history),
        device=model.device,
    )
    spins = model.unpack(raw["spins"])
    return {
        **{name: raw[name] for name in LABELLED if name != "spins"},
        "spins": centred(spins, cluster.centre),
        "p_nuc": (raw["nucleated"] / raw["copies"]).astype(np.float32),
        "magnetization": spins.mean((1, 2), dtype=np.float64).astype(np.float32),
        "radius_of_gyration": np.nan_to_num(cluster.radius_of_gyration).astype(np.float32),
        "cluster_size": np.asarray(cluster.size, np.int32),
    }


def columns(config: Nucleation) -> dict[str, Data]:
    """All datasets with a row a configuration, balanced ones and raw/, without their values."""
    g, ours = config.generate, "configuration"
    p_nuc = (
        f"nucleated / copies: share of the copies that reach m <= 0 no later than {g.window} MCS after "
        "the original's t = 0"
        + (f", nor more than {g.window} MCS before it" if g.reading == "two_sided" else "")
    )
    found = {
        "spins": Data(
            np.empty(0, np.int8),
            "",
            f"{ours}, x, y",
            "-1 is the stable direction, along the final field; centre of the largest cluster: (L//2, L//2)",
            True,
        ),
        "p_nuc": Data(np.empty(0, np.float32), "", ours, p_nuc),
        "magnetization": Data(np.empty(0, np.float32), "", ours, "mean spin"),
        "radius_of_gyration": Data(
            np.empty(0, np.float32),
            "lattice sites",
            ours,
            f"of the largest cluster of stable spins, {config.collect.bonds} bonds; 0 without any",
        ),
        "cluster_size": Data(np.empty(0, np.int32), "spins", ours, "of the largest cluster"),
        "copies": Data(np.empty(0, np.int32), "", ours, "copies made"),
        "nucleated": Data(np.empty(0, np.int32), "", ours, "copies that nucleated"),
        "time": Data(
            np.empty(0, np.int32), "MCS", ours, "relative to the first m <= 0 of the original"
        ),
        "event": Data(np.empty(0, np.int32), "", ours, "index into events/"),
        "raw/spins": Data(
            np.empty(0, np.uint8), "", "labelled configuration, byte", f"not shifted; {BITS}"
        ),
    }
    for name in ("event", "time", "copies", "nucleated"):
        found[f"raw/{name}"] = replace(found[name], axes="labelled configuration")
    return found


def of_events(raw: dict[str, np.ndarray], config: Nucleation, model) -> dict[str, Data]:
    """All other datasets: the events, and the histories of a few of them."""
    g, count = config.generate, len(raw["unit"])
    return {
        "events/lifetime": Data(
            raw["lifetime"].astype(np.float32),
            "MCS",
            "event",
            "from the field flip to the first m <= 0",
        ),
        "events/unit": Data(raw["unit"], "", "event", "the shard it comes from"),
        "events/seed": Data(np.full(count, config.seed, np.uint64), "", "event", "of the run"),
        "events/start": Data(
            np.ones(count, np.int8), "", "event", "+1: all spins up before the equilibration"
        ),
        "raw/history_event": Data(raw["history_event"], "", "kept event", "index into events/"),
        "raw/history": Data(
            raw["history"], "", "kept event, time, byte", f"t = -{g.history}..0 MCS; {BITS}"
        ),
        "raw/history_cluster": Data(
            largest_clusters(raw, config, model),
            "",
            "kept event, time, byte",
            f"a bit a site, 1 is in the largest cluster of stable spins, {config.collect.bonds} bonds",
        ),
    }
