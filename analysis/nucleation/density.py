"""Density of stable spins around the droplet's centre (figure 9), from the balanced configurations.

rho(r): share of the sites at distance r, on the torus, from (L//2, L//2) whose spin is stable (-1).
Events are resampled whole for all errors.
"""

from dataclasses import dataclass

import h5py
import numpy as np

from analysis.estimates import Estimate, resampled
from analysis.nucleation import estimates
from analysis.nucleation.dataset import Run

BLOCK = 1 << 26  # sites read at once
FAR = 0.45  # in L: what lies between FAR L and L/2 is called background
CORE = 0.02  # in L, at least one site: rings up to this radius are called core


@dataclass(frozen=True)
class Density:
    """Density of stable spins around the droplet's centre: radius (k,) in sites, profile (k,) and
    its error (k,); numbers derived from the same resamples.

    background: at 0.45 L to 0.5 L; core: density in rings up to max(1, 0.02 L) sites, minus
    background; half_radius: where the density above background falls to half the core's, sites.
    """

    radius: np.ndarray
    profile: np.ndarray
    error: np.ndarray
    configurations: int
    events: int
    background: Estimate
    core: Estimate
    half_radius: Estimate


def distance(x: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """Distance (X, Y) on the torus of the points (x[i], y[j]) from the centre (L//2, L//2),
    sites.
    """
    dx, dy = ((np.asarray(c, float) - size // 2 + size / 2) % size - size / 2 for c in (x, y))
    return np.hypot(dx[:, None], dy[None, :])


def rings(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sites (n,) within L/2 in order of their ring round(r), where each ring starts, mean radius of
    each ring.
    """
    r = distance(np.arange(size), np.arange(size), size).ravel()
    ring = np.floor(r + 0.5).astype(int)
    inside = np.flatnonzero(r <= size / 2)
    order = inside[np.argsort(ring[inside], kind="stable")]
    starts = np.flatnonzero(np.diff(ring[order], prepend=-1))
    return order, starts, np.add.reduceat(r[order], starts) / np.diff(np.append(starts, len(order)))


def ring_counts(run: Run) -> np.ndarray:
    """Stable spins in each ring of each balanced configuration, int32 (n, k), read block by
    block.
    """
    size = run.system.size
    order, starts, _ = rings(size)
    with h5py.File(run.path / "dataset.h5", "r", locking=False) as file:
        spins = file["spins"]
        stored = spins.chunks[0] if spins.chunks else 1  # whole chunks: none is decompressed twice
        step = max(stored, BLOCK // size**2 // stored * stored)
        counts = [np.empty((0, len(starts)), np.int32)]
        for first in range(0, len(spins), step):
            stable = spins[first : first + step].reshape(-1, size * size)[:, order] < 0
            counts.append(np.add.reduceat(stable, starts, axis=1, dtype=np.int32))
    return np.concatenate(counts)


def measure(run: Run) -> Density | None:
    """The profile of one run; None without configurations."""
    if len(run.event) == 0:
        return None
    size = run.system.size
    order, starts, radius = rings(size)
    sites = np.diff(np.append(starts, len(order)))
    sums = estimates.event_sums(
        run.event, np.column_stack([np.ones(len(run.event)), ring_counts(run)])
    )
    profile = sums.sum(axis=0)[1:] / sums.sum(axis=0)[0] / sites
    drawn = resampled(sums) if len(sums) > 1 else np.empty((0, sums.shape[1]))
    profiles = drawn[:, 1:] / drawn[:, :1] / sites
    near, far = np.arange(len(radius)) <= max(1, CORE * size), radius >= FAR * size
    weights = np.stack(
        [np.where(far, sites, 0) / sites[far].sum(), np.where(near, sites, 0) / sites[near].sum()]
    )

    def derived(rho: np.ndarray) -> np.ndarray:
        background, core = weights @ rho
        return np.array(
            [background, core - background, falls_to(radius, rho, (core + background) / 2)]
        )

    values = derived(profile)
    spread = np.array([derived(rho) for rho in profiles]).reshape(-1, 3).T
    errors = [
        np.std(row[np.isfinite(row)], ddof=1) if np.isfinite(row).sum() > 1 else np.nan
        for row in spread
    ]
    return Density(
        radius,
        profile,
        profiles.std(axis=0, ddof=1) if len(profiles) else np.full(len(radius), np.nan),
        len(run.event),
        len(sums),
        *(Estimate(float(v), float(e)) for v, e in zip(values, errors, strict=True)),
    )


def falls_to(radius: np.ndarray, profile: np.ndarray, level: float) -> float:
    """Radius at which the profile first falls below `level`, outward from its maximum, linear
    between; NaN: never.
    """
    top = int(np.argmax(profile))
    below = np.flatnonzero(profile[top:] < level)
    if len(below) == 0:
        return float("nan")
    k = top + int(below[0])
    if k == top:
        return float("nan")
    share = (profile[k - 1] - level) / (profile[k - 1] - profile[k])
    return float(radius[k - 1] + share * (radius[k] - radius[k - 1]))
