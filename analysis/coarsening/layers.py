"""Whether a field is layered, the stationary state of a periodic box, and whether it stands
still.
"""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.dataset import Grid
from analysis.coarsening.errors import displacement
from analysis.coarsening.rollouts import Rollout
from jobs.coarsening.measures import energies

LAYERED = 0.95  # share of the variance that planes' means hold


def layering(phi: np.ndarray) -> np.ndarray:
    """Variance of the means of planes across the best of the three axes over the whole variance, of
    (n, x, y, z): (n,), 1 for layers.
    """
    phi = np.asarray(phi, float)
    axes = (1, 2, 3)
    planes = [phi.mean(tuple(a for a in axes if a != axis)).var(axis=1) for axis in axes]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.max(planes, axis=0) / phi.var(axes)


@dataclass(frozen=True)
class End:
    """The last kept frame of a rollout.

    starts: how many. time: of the frame. least, mean: over the starts, share of the variance that
    the means of planes hold, 1 for layers. since: time from which on the kept frames of all starts
    that end layered are so, nan: none does. half: time of the kept frame nearest to half of the
    last time. layered: whether all starts are from then on. still: largest over the starts of the
    rms interface displacement since then, length.
    """

    starts: int
    time: float
    least: float
    mean: float
    since: float
    half: float
    layered: bool
    still: float


def end(rollout: Rollout, grid: Grid) -> End:
    shares = np.stack([layering(rollout.phi(k)) for k in range(len(rollout.time))], axis=1)
    from_here = np.logical_and.accumulate((shares >= LAYERED)[:, ::-1], axis=1)[:, ::-1]
    since = np.where(from_here[:, -1], rollout.time[from_here.argmax(axis=1)], np.nan)
    frame = rollout.nearest(rollout.time[-1] / 2)
    last, before = rollout.phi(len(rollout.time) - 1), rollout.phi(frame)
    rmse = np.sqrt(((last.astype(float) - before) ** 2).mean((1, 2, 3)))
    free_energy = energies(last, grid.spacing, grid.interface_width)
    moved = displacement(rmse, free_energy, grid.volume(rollout.shape), grid.interface_width)
    half = float(rollout.time[frame])
    return End(
        starts=len(shares),
        time=float(rollout.time[-1]),
        least=float(shares[:, -1].min()),
        mean=float(shares[:, -1].mean()),
        since=float(np.nanmax(since)) if np.isfinite(since).any() else np.nan,
        half=half,
        layered=bool((since <= half).all()),
        still=float(moved.max()),
    )
