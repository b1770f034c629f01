"""How far a prediction is from the truth, cell by cell: mean squared error, interface displacement,
beside what no network reaches.
"""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.dataset import Grid
from analysis.coarsening.rollouts import Rollout, common
from analysis.estimates import UNDETERMINED, Estimate
from jobs.coarsening.measures import energies


@dataclass(frozen=True)
class Errors:
    """Of one rollout of a case, at the kept times that it has in common with the truth.

    starts: n. typical: the start of median error. time: (k,). squared: mean squared error over
    cells and starts on the network's grid (k,). rmse_error: standard error of its root (k,), from
    starts, of a single one from the octants of its box. displacement: rms over the starts of the
    paper's eq. 4 (k,), length; moved: its last. displacement_still: the same of the first frame
    (k,). full: mean squared error against the truth on the solver's grid (k,), None without it.
    persistence: mean squared error of the first frame (k,). variance: of the truth (k,). parity,
    parity_truth: rms amplitude of the waves that alternate from cell to cell in the last frame,
    mean over starts. mean_squared: mean squared error over the frames after the first.
    """

    starts: int
    typical: int
    time: np.ndarray
    squared: np.ndarray
    rmse_error: np.ndarray
    displacement: np.ndarray
    displacement_still: np.ndarray
    full: np.ndarray | None
    persistence: np.ndarray
    variance: np.ndarray
    parity: float
    parity_truth: float
    moved: Estimate
    mean_squared: Estimate

    @property
    def rmse(self) -> np.ndarray:
        """Over all starts, (k,)."""
        return np.sqrt(self.squared)

    @property
    def still(self) -> float:
        """Mean squared error of persistence over the frames after the first."""
        after = self.time > 0
        return float(self.persistence[after].mean()) if after.any() else np.nan

    @property
    def worse(self) -> bool:
        """Whether the first frame for all would have been as good."""
        return not self.mean_squared.value < self.still

    def rmse_at(self, frame: int = -1) -> Estimate:
        return Estimate(float(self.rmse[frame]), float(self.rmse_error[frame]))


def over_samples(octants: np.ndarray) -> Estimate:
    """Mean over (n, b) starts and octants; its error from starts, or from octants where there is
    one start.
    """
    return over_starts(octants.mean(axis=1) if len(octants) > 1 else octants[0])


def root(squared: Estimate) -> Estimate:
    value = np.sqrt(squared.value)
    if not np.isfinite(value):  # of a rollout that ran away
        return Estimate(float(value), np.nan)
    return Estimate(float(value), float(squared.error / (2 * value)) if value > 0 else 0.0)


def over_starts(values: np.ndarray) -> Estimate:
    """Mean of (n,) and its standard error."""
    return Estimate(
        float(values.mean()),
        float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan,
    )


def displacement(
    rmse: np.ndarray, free_energy: np.ndarray, volume: float, interface_width: float
) -> np.ndarray:
    """delta = RMSE sqrt(epsilon V / F), length: the rms distance between two interfaces, if small
    (the paper's eq. 4).

    Eq. 4 divides by area times the integral of (d phi / d n)^2 across a flat interface, 1 /
    epsilon; the surface tension is 1: area = F.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return rmse * np.sqrt(interface_width * volume / free_energy)


def octant_means(field: np.ndarray) -> np.ndarray:
    """Means over the eight halves by halves of (n, x, y, z): (n, 8); over the whole, (n, 1), where
    a side is odd.
    """
    n, *shape = field.shape
    if any(side % 2 for side in shape):
        return field.mean((1, 2, 3), dtype=float)[:, None]
    x, y, z = (side // 2 for side in shape)
    return field.reshape(n, 2, x, 2, y, 2, z).mean((2, 4, 6), dtype=float).reshape(n, 8)


def parity(phi: np.ndarray) -> np.ndarray:
    """Rms amplitude of the seven waves that alternate from cell to cell along one, two or three
    axes, of phi (n, x, y, z): (n,).
    """
    n, *shape = phi.shape
    if any(side % 2 for side in shape):
        return np.full(n, np.nan)
    x, y, z = (side // 2 for side in shape)
    sublattices = phi.reshape(n, x, 2, y, 2, z, 2).mean((1, 3, 5), dtype=float)
    amplitude = np.abs(np.fft.fftn(sublattices, axes=(1, 2, 3))).reshape(n, 8) / 8
    return np.sqrt((amplitude[:, 1:] ** 2).sum(axis=1))


def compare(truth: Rollout | None, rollout: Rollout, grid: Grid) -> Errors | None:
    """None without truth, or without a kept time in common."""
    if truth is None or truth.shape != rollout.shape or truth.count != rollout.count:
        return None
    pairs = list(zip(*common(truth, rollout), strict=True))
    if not pairs:
        return None
    start = truth.phi(0)
    frames = [of_frame(truth, rollout, pair, start, grid) for pair in pairs]
    columns = {
        name: np.stack([frame[name] for frame in frames], axis=-1)
        for name in frames[0]
        if frames[0][name] is not None
    }
    return summary(truth.time[[pair[0] for pair in pairs]], columns, grid.volume(truth.shape), grid)


def of_frame(truth: Rollout, rollout: Rollout, pair, start: np.ndarray, grid: Grid) -> dict:
    """{what: (n,) or (n, octants)} of one pair of frames; start: the first frame of the truth."""
    there, here = pair
    true, own = truth.phi(there), rollout.phi(here)
    full = against_full(own, truth.phi_full(there), grid.downscaling) if truth.full else None
    return {
        "octants": octant_means((own.astype(float) - true) ** 2),
        "persistence": ((true.astype(float) - start) ** 2).mean((1, 2, 3)),
        "variance": true.var((1, 2, 3), dtype=float),
        "free_energy": energies(true, grid.spacing, grid.interface_width),
        "parity": parity(own),
        "parity_truth": parity(true),
        "full": full,
    }


def summary(time: np.ndarray, columns: dict, volume: float, grid: Grid) -> Errors:
    """Means over starts and their errors, of columns {what: (n, k), octants: (n, b, k)}."""
    octants = columns["octants"]
    each = octants.mean(axis=1)
    delta, still = (
        displacement(np.sqrt(mse), columns["free_energy"], volume, grid.interface_width)
        for mse in (each, columns["persistence"])
    )
    squared = [over_samples(octants[:, :, k]) for k in range(len(time))]
    moved, after = (delta**2).mean(axis=0), time > 0
    last, width = squared[-1], moved[-1] / squared[-1].value if squared[-1].value > 0 else 0.0
    return Errors(
        starts=len(each),
        typical=int(np.argsort(each.mean(axis=1), kind="stable")[len(each) // 2]),
        time=time,
        squared=each.mean(axis=0),
        rmse_error=np.array([root(s).error for s in squared]),
        displacement=np.sqrt(moved),
        displacement_still=np.sqrt((still**2).mean(axis=0)),
        full=columns["full"].mean(axis=0) if "full" in columns else None,
        persistence=columns["persistence"].mean(axis=0),
        variance=columns["variance"].mean(axis=0),
        parity=float(columns["parity"][:, -1].mean()),
        parity_truth=float(columns["parity_truth"][:, -1].mean()),
        moved=root(Estimate(width * last.value, width * last.error)),
        mean_squared=over_samples(octants[:, :, after].mean(axis=2))
        if after.any()
        else UNDETERMINED,
    )


def against_full(own: np.ndarray, full: np.ndarray, downscaling: str) -> np.ndarray:
    """Mean squared error of (n, x, y, z), linear between its cells, on the solver's grid (n, X, Y,
    Z): (n,).

    downscaling: `nearest`: a coarse cell's value is that of its first fine cell; `block_mean`: of
    its middle.
    """
    for axis in (1, 2, 3):
        factor = full.shape[axis] // own.shape[axis]
        at = (
            np.arange(full.shape[axis]) - (0 if downscaling == "nearest" else (factor - 1) / 2)
        ) / factor
        low = np.floor(at).astype(int)
        weight = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
        below, above = (own.take(low + step, axis, mode="wrap") for step in (0, 1))
        own = (1 - weight) * below + weight * above
    return ((own - full) ** 2).mean((1, 2, 3))
