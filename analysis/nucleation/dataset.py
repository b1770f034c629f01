"""Reading a nucleation run: dataset.h5 into arrays, with one-line errors for what cannot be read.

The balanced spins, by far the largest array, stay on the disk: density.measure reads them in
blocks.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from analysis.runs import BadInput
from jobs import yaml12
from jobs.nucleation.config import critical_temperature

CHUNK = 8192  # packed configurations held in memory at once

BALANCED = (
    "p_nuc",
    "magnetization",
    "radius_of_gyration",
    "copies",
    "nucleated",
    "cluster_size",
    "time",
    "event",
)
LABELS = ("event", "time", "copies", "nucleated")


@dataclass(frozen=True)
class System:
    """range R, size L, temperature T and field h (strength), k_B = 1; interaction and dynamics as
    in the config.
    """

    interaction: str
    range: float | None
    size: int
    temperature: float
    field: float
    exponent: float | None
    dynamics: str = "metropolis"  # as of all data, and records, from before the key

    @property
    def sites(self) -> int:
        return self.size**2

    @property
    def critical_temperature(self) -> float:
        return critical_temperature(self.interaction)

    @property
    def name(self) -> str:
        head = {"nearest": "", "square": ""}.get(
            self.interaction, self.interaction.replace("_", " ") + ", "
        )
        shape = (
            f"exponent {self.exponent:g}"
            if self.interaction == "power_law"
            else f"R = {self.range:g}"
        )
        return f"{head}{shape}, L = {self.size}, h = {self.field:g}"


@dataclass(frozen=True)
class Labels:
    """All labelled (event, time) before balancing: event, time (negative, MCS), copies, nucleated,
    m.
    """

    event: np.ndarray
    time: np.ndarray
    copies: np.ndarray
    nucleated: np.ndarray
    magnetization: np.ndarray

    @property
    def p_nuc(self) -> np.ndarray:
        return self.nucleated / self.copies


@dataclass(frozen=True)
class Run:
    """One system's data set: balanced arrays (n,), lifetime (e,) MCS; history and history_cluster,
    the largest cluster in it, (k, T+1, bytes) packed, the latter None in older data sets.
    """

    path: Path
    system: System
    config: dict
    attributes: dict
    lifetime: np.ndarray
    p_nuc: np.ndarray
    magnetization: np.ndarray
    radius_of_gyration: np.ndarray
    copies: np.ndarray
    nucleated: np.ndarray
    cluster_size: np.ndarray
    time: np.ndarray
    event: np.ndarray
    raw: Labels
    history_event: np.ndarray
    history: np.ndarray
    history_cluster: np.ndarray | None

    @property
    def bins(self) -> int:
        return int((self.config.get("collect") or {}).get("bins") or 33)

    @property
    def bonds(self) -> str | None:
        """Percolation rule of the clusters, if the file says."""
        return self.attributes.get("bonds") or (self.config.get("collect") or {}).get("bonds")

    @property
    def default_bonds(self) -> str:
        """The rule of the clusters: as the file says; else Coniglio-Klein for nearest neighbours
        and density-corrected beyond.
        """
        nearest = self.system.interaction == "nearest"
        return self.bonds or ("coniglio_klein" if nearest else "density_corrected")


def magnetization(packed: np.ndarray, sites: int) -> np.ndarray:
    """m of bit-packed configurations (..., bytes); the padding bits of the last byte are zero."""
    up = np.bitwise_count(packed).sum(axis=-1, dtype=np.int64)
    return (2 * up - sites) / sites


def unpack(packed: np.ndarray, size: int) -> np.ndarray:
    """Packed (..., ceil(L L / 8)) -> bool (..., L, L), True = up = metastable."""
    bits = np.unpackbits(packed, axis=-1, count=size * size)
    return bits.reshape(*packed.shape[:-1], size, size).astype(bool)


def _real(value) -> float | None:
    return None if value is None else float(value)


def system_of(config: dict, file: Path) -> System:
    """What a config describes; file: where it stands.  Raises BadInput."""
    try:
        values = config["system"]
        interaction = values.get("interaction") or (
            "nearest" if values.get("range") == 1 else "square"
        )
        critical = critical_temperature(interaction)
        temperature = values.get("temperature")
        return System(
            interaction,
            _real(values.get("range")),
            int(values["size"]),
            4 / 9 * critical if temperature is None else float(temperature),
            abs(float(values["field"])),
            _real(values.get("exponent")),
            str(values.get("dynamics") or "metropolis"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{file}: its config does not describe a nucleation system ({error!r})"
        ) from None


def _raw_magnetization(spins: h5py.Dataset, sites: int) -> np.ndarray:
    parts = [
        magnetization(spins[start : start + CHUNK], sites) for start in range(0, len(spins), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def load(run: Path) -> Run:
    """Read run/dataset.h5. Raises BadInput: truncated file, another study's dataset, shapes that
    disagree.
    """
    file = run / "dataset.h5"
    try:
        with h5py.File(file, "r", locking=False) as source:
            return _read(run, file, source)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{file} cannot be read, it is truncated, damaged or not HDF5 ({reason}); "
            "delete it and run collect again"
        ) from None


def _read(run: Path, file: Path, source: h5py.File) -> Run:
    attributes = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in source.attrs.items()
    }
    needed = [
        *BALANCED,
        "spins",
        "events/lifetime",
        "raw/history",
        "raw/history_event",
        "raw/spins",
    ]
    needed += [f"raw/{name}" for name in LABELS]
    missing = [name for name in needed if name not in source]
    config = yaml12.load(attributes.get("config", "")) or {}
    if config.get("study", "nucleation") != "nucleation" or {"p_nuc", "events/lifetime"} & set(
        missing
    ):
        raise BadInput(
            f"{file} is not a nucleation dataset (it holds {', '.join(sorted(source)) or 'nothing'}): "
            "is this another study's run?"
        )
    if missing:
        raise BadInput(f"{file} lacks {', '.join(missing)}: run collect again")
    system = system_of(config, file)
    balanced = {name: source[name][...] for name in BALANCED}
    labels = {name: source[f"raw/{name}"][...] for name in LABELS}
    lengths = {len(values) for values in (*balanced.values(), source["spins"])}
    raw_lengths = {len(values) for values in (*labels.values(), source["raw/spins"])}
    width = -(-system.sites // 8)
    if (
        len(lengths) > 1
        or len(raw_lengths) > 1
        or source["spins"].shape[1:] != (system.size, system.size)
        or source["raw/spins"].shape[1] != width
        or source["raw/history"].shape[2] != width
    ):
        raise BadInput(
            f"{file}: its arrays do not agree with each other or with size {system.size}: run collect again"
        )
    order = np.lexsort((labels["time"], labels["event"]))
    raw_m = _raw_magnetization(source["raw/spins"], system.sites)
    return Run(
        run,
        system,
        config,
        attributes,
        lifetime=source["events/lifetime"][...].astype(float),
        raw=Labels(
            magnetization=raw_m[order], **{name: values[order] for name, values in labels.items()}
        ),
        history_event=source["raw/history_event"][...],
        history=source["raw/history"][...],
        history_cluster=(
            source["raw/history_cluster"][...] if "raw/history_cluster" in source else None
        ),
        **balanced,
    )
