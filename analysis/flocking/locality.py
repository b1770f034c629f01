"""Saliency |dS_c / dI|: which sites of a configuration decide its class, and how local they are."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from analysis.flocking.dataset import Run
from analysis.flocking.networks import ALL, BAND, REFERENCE, Network

# columns that a profile is averaged over before its gradient is taken: the reach of the first
# layer's kernels
SMOOTH = 5


@dataclass(frozen=True)
class Locality:
    """One network on one configuration: participation, share of the sites that the saliency of both
    channels lives on, 1 where it is uniform; edges: Pearson's r over columns of its average along y
    with |gradient| of the density's profile.
    """

    network: Network
    row: int
    participation: float
    edges: float


def participation(values: np.ndarray) -> float:
    """(sum v)^2 / (n sum v^2) of |values|, n of them: 1 if all are equal, 1/n if one is all."""
    v = np.abs(np.asarray(values, float)).ravel()
    return float(v.sum() ** 2 / (v.size * (v**2).sum())) if v.any() else np.nan


def gradient(density: np.ndarray) -> np.ndarray:
    """|d rho / dx| (L,) of the profile of a map (L, L), averaged along y and over SMOOTH columns,
    periodic.
    """
    profile = uniform_filter1d(density.mean(axis=1, dtype=float), SMOOTH, mode="wrap")
    return np.abs(np.roll(profile, -1) - np.roll(profile, 1)) / 2


def edges(saliency: np.ndarray, density: np.ndarray) -> float:
    """Pearson's r of the saliency (2, L, L), both channels, averaged along y and over SMOOTH
    columns, with gradient(density).
    """
    line = uniform_filter1d(np.abs(saliency).sum(axis=0).mean(axis=1), SMOOTH, mode="wrap")
    steep = gradient(density)
    if line.std() == 0 or steep.std() == 0:
        return np.nan
    return float(np.corrcoef(line, steep)[0, 1])


def banded_rows(run: Run) -> np.ndarray:
    """Which of the saliency's configurations are in phase L+G (all where there are no phases), bool
    (k,).
    """
    index = run.saliency.index
    return np.ones(len(index), bool) if run.phases is None else run.phases.phase[index] == BAND


def shown_set(run: Run) -> str | None:
    """The set whose saliency is shown: every density, as in the paper, else the reference; None: no
    maps.
    """
    sets = {network.set for network in run.saliency.maps} if run.saliency is not None else set()
    return next((name for name in (ALL, REFERENCE) if name in sets), None)


def localities(run: Run) -> list[Locality]:
    """All networks of the shown set on all L+G configurations."""
    chosen = shown_set(run)
    if chosen is None:
        return []
    return [
        Locality(
            network,
            int(run.saliency.index[k]),
            participation(maps[k]),
            edges(maps[k], run.density[run.saliency.index[k]]),
        )
        for network, maps in run.saliency.maps.items()
        if network.set == chosen
        for k in np.flatnonzero(banded_rows(run))
    ]


def values(found: list[Locality], regularization: float, quantity: str) -> dict[int, float]:
    """Mean of a quantity over the configurations, by the seed of the networks of one lambda; by
    configuration if there is one seed.
    """
    several, each = len({one.network.seed for one in found}) > 1, {}
    for one in found:
        if one.network.regularization == regularization and np.isfinite(getattr(one, quantity)):
            each.setdefault(one.network.seed if several else one.row, []).append(
                getattr(one, quantity)
            )
    return {key: float(np.mean(own)) for key, own in each.items()}
