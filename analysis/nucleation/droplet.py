"""Largest clusters of stable spins, for pictures; the labels come from kernels.percolation."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from analysis.nucleation.dataset import Run, unpack


@dataclass(frozen=True)
class Droplets:
    """Largest clusters of k configurations: member bool (k, L, L), centre (k, 2), radius Rg (k,),
    bonds.
    """

    member: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    bonds: str


def default_bonds(run: Run) -> str:
    """The rule the data set was made with; else Coniglio-Klein for R = 1 and density-corrected
    beyond.
    """
    return run.bonds or (
        "coniglio_klein" if run.system.interaction == "nearest" else "density_corrected"
    )


def largest(run: Run, row: int, first: int) -> Droplets | None:
    """Clusters of history `row` from frame `first` on, with the bonds the data set drew; None where
    no kernel runs.

    Without a compiler the figures are still worth having, so a missing device is not an error here.
    """
    from kernels import ising, percolation
    from kernels.device import DeviceError, select

    system = run.system
    packed = run.history[row, first:]
    frames = run.history.shape[1]
    identity = int(run.history_event[row]) * frames + np.arange(
        first, frames
    )  # as in jobs/nucleation/collect.py
    try:
        device = select("cpu")
        model = ising.Ising(
            size=system.size,
            range=system.range,
            temperature=system.temperature,
            field=system.field,
            interaction=system.interaction,
            exponent=system.exponent,
            device=device,
        )
        found = percolation.clusters(
            packed,
            coupling_table=model.coupling_table(),
            temperature=system.temperature,
            bonds=default_bonds(run),
            seed=run.config.get("seed", 0),
            index=identity.astype(np.uint64),
            device=device,
            labels=True,
        )
    except DeviceError:
        return None
    member = (found.labels == found.label[:, None, None]) & (found.labels >= 0)
    return Droplets(
        member,
        np.nan_to_num(found.centre),
        np.nan_to_num(found.radius_of_gyration),
        default_bonds(run),
    )


def centred(spins: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roll (..., L, L) on the torus so that `centre` comes to L // 2; also the whole-site shift."""
    size = spins.shape[-1]
    shift = np.round(size // 2 - np.asarray(centre)).astype(int)
    return np.roll(spins, tuple(shift), axis=(-2, -1)), shift


def site_edges(member: np.ndarray) -> np.ndarray:
    """Lattice edges around a set of sites (L, L) on the torus: segments (s, 2, 2) of (x, y).

    Site (x, y) is the unit square centred there; no edge is drawn where the cluster goes on across
    the boundary.
    """
    around = np.pad(member, 1, mode="wrap")
    x, y = np.nonzero(around[1:, 1:-1] != around[:-1, 1:-1])
    upright = np.stack([np.stack([x - 0.5, y - 0.5], -1), np.stack([x - 0.5, y + 0.5], -1)], axis=1)
    x, y = np.nonzero(around[1:-1, 1:] != around[1:-1, :-1])
    level = np.stack([np.stack([x - 0.5, y - 0.5], -1), np.stack([x + 0.5, y - 0.5], -1)], axis=1)
    return np.concatenate([upright, level])


def smoothed(member: np.ndarray, width: float) -> np.ndarray:
    """Local density of a cluster (L, L), Gaussian window of `width` sites on the torus: its
    envelope.
    """
    return gaussian_filter(member.astype(float), width, mode="wrap")


def snapshots(run: Run, row: int) -> np.ndarray:
    """Spins bool (T+1, L, L) of history `row`; True = up."""
    return unpack(run.history[row], run.system.size)
