"""From shards to dataset.h5: labels balanced in p_nuc, configurations centred on their largest
cluster.

Balancing and centring follow section II.B of the paper, with the authors' number of bins, 33.
"""

import numpy as np

from jobs import UserError, collecting, shards
from jobs.config import digest
from jobs.nucleation.config import Nucleation
from jobs.nucleation.generate import build
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels import percolation
from kernels.streams import STREAMS

KEPT_HISTORIES = 8  # events whose whole history goes into the data set, for snapshots and the movie


def run(system: System, device, progress: Progress) -> None:
    """Write dataset.h5 of a system from its shards, unless the one there was made from the same
    ones.

    Raises UserError where bins stay empty, so that balancing would leave nothing.
    """
    target, config = system.folder / "dataset.h5", system.config
    made_from, revisions = collecting.survey(system, progress, (*collecting.SECTIONS, "collect"))
    if collecting.present([(target, shards.check)], made_from, "nucleation", progress):
        progress.say(f"{target}: made from the same units before, kept")
        return
    parts = []
    for unit in range(config.generate.units):
        arrays, _ = shards.read(system.shard(unit), config_digest=digest(config), unit_index=unit)
        keep = max(0, KEPT_HISTORIES - unit * config.generate.events)
        parts.append(reduce(arrays, unit, config, keep))
    raw = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    chosen = balance(
        raw["nucleated"], raw["copies"], config.collect.bins, config.seed, f"{system.folder}: "
    )
    data = dataset(raw, chosen, config, device)
    shards.write(target, data, collecting.attributes(system, device, made_from, revisions))
    progress.say(
        f"{target}: {len(chosen)} balanced configurations out of {len(raw['event'])}, "
        f"{len(raw['lifetime'])} events, mean lifetime {raw['lifetime'].mean():.0f} MCS"
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


def balance(
    nucleated: np.ndarray, copies: np.ndarray, bins: int, seed: int, where: str = ""
) -> np.ndarray:
    """Sorted indices of a subset uniform in p_nuc: every bin thinned at random to as many as the
    rarest holds.

    The choice is a function of the labels and the seed.  Raises UserError, naming them, if bins are
    empty.
    """
    bin_ = bin_of(nucleated, copies, bins)
    filling = np.bincount(bin_, minlength=bins)
    empty = np.flatnonzero(filling == 0)
    if len(empty):
        named = ", ".join(f"{i} ({i / bins:.2f} to {(i + 1) / bins:.2f})" for i in empty[:5])
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        raise UserError(
            f"{where}balancing leaves nothing: {len(empty)} of {bins} bins of p_nuc are empty: "
            f"{named}{more}; raise generate.units, or lower collect.bins in another --run"
        )
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


def dataset(
    raw: dict[str, np.ndarray], chosen: np.ndarray, config: Nucleation, device
) -> dict[str, Data]:
    """All datasets of dataset.h5: the balanced ones, the events, and everything before
    balancing.
    """
    g = config.generate
    model = build(config, device)
    packed = raw["spins"][chosen]
    identity = identities(raw["event"][chosen], raw["time"][chosen], g.history)
    cluster = percolation.clusters(
        packed,
        **bonds_of(config, model),
        seed=config.seed,
        index=identity,
        device=device,
    )
    spins = model.unpack(packed)
    ours = "configuration"
    p_nuc = (
        f"nucleated / copies: share of the copies that reach m <= 0 no later than {g.window} MCS after "
        "the original's t = 0"
        + (f", nor more than {g.window} MCS before it" if g.reading == "two_sided" else "")
    )
    bits = "a bit a spin, 1 is up, big-endian, site x L + y"
    history_cluster = largest_clusters(raw, config, model)
    columns = {
        "spins": Data(
            centred(spins, cluster.centre),
            "",
            f"{ours}, x, y",
            "-1 is the stable direction, along the final field; centre of the largest cluster: (L//2, L//2)",
            True,
        ),
        "p_nuc": Data(
            (raw["nucleated"][chosen] / raw["copies"][chosen]).astype(np.float32), "", ours, p_nuc
        ),
        "magnetization": Data(
            spins.mean((1, 2), dtype=np.float64).astype(np.float32), "", ours, "mean spin"
        ),
        "radius_of_gyration": Data(
            np.nan_to_num(cluster.radius_of_gyration).astype(np.float32),
            "lattice sites",
            ours,
            f"of the largest cluster of stable spins, {config.collect.bonds} bonds; 0 without any",
        ),
        "cluster_size": Data(
            np.asarray(cluster.size, np.int32), "spins", ours, "of the largest cluster"
        ),
        "copies": Data(raw["copies"][chosen], "", ours, "copies made"),
        "nucleated": Data(raw["nucleated"][chosen], "", ours, "copies that nucleated"),
        "time": Data(
            raw["time"][chosen], "MCS", ours, "relative to the first m <= 0 of the original"
        ),
        "event": Data(raw["event"][chosen], "", ours, "index into events/"),
        "events/lifetime": Data(
            raw["lifetime"].astype(np.float32),
            "MCS",
            "event",
            "from the field flip to the first m <= 0",
        ),
        "events/unit": Data(raw["unit"], "", "event", "the shard it comes from"),
        "events/seed": Data(
            np.full(len(raw["unit"]), config.seed, np.uint64), "", "event", "of the run"
        ),
        "events/start": Data(
            np.ones(len(raw["unit"]), np.int8),
            "",
            "event",
            "+1: all spins up before the equilibration",
        ),
        "raw/spins": Data(raw["spins"], "", "labelled configuration, byte", f"not shifted; {bits}"),
        "raw/history_event": Data(raw["history_event"], "", "kept event", "index into events/"),
        "raw/history": Data(
            raw["history"], "", "kept event, time, byte", f"t = -{g.history}..0 MCS; {bits}"
        ),
        "raw/history_cluster": Data(
            history_cluster,
            "",
            "kept event, time, byte",
            f"a bit a site, 1 is in the largest cluster of stable spins, {config.collect.bonds} bonds",
        ),
    }
    for name in ("event", "time", "copies", "nucleated"):
        columns[f"raw/{name}"] = Data(
            raw[name], columns[name].unit, "labelled configuration", columns[name].about
        )
    return columns
