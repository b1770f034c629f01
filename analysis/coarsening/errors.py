"""How far a prediction is from the truth, cell by cell: mean squared error, interface displacement,
beside what no network reaches.
"""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.names import Network
from analysis.coarsening.rollouts import Case, common
from analysis.estimates import UNDETERMINED, Estimate
from jobs.coarsening.measures import energies


@dataclass(frozen=True)
class Errors:
    """Of one network in one case, at the kept times (k,) that it has in common with the truth; n
    starts, b octants of the box.

    octants: mean squared error (n, b, k) on the network's grid.  full: the same of whole boxes
    against the solver's grid (n, k), None without it.  persistence: of the first frame (n, k).
    variance: of the truth (n, k).  free_energy: of the truth, (n, k), energy. displacement,
    displacement_still: of the network and of the first frame, (n, k), length.  parity,
    parity_truth: rms amplitude of the waves that alternate from cell to cell, (n, k).
    """

    time: np.ndarray
    octants: np.ndarray
    full: np.ndarray | None
    persistence: np.ndarray
    variance: np.ndarray
    free_energy: np.ndarray
    displacement: np.ndarray
    displacement_still: np.ndarray
    parity: np.ndarray
    parity_truth: np.ndarray

    @property
    def mse(self) -> np.ndarray:
        """(n, k)"""
        return self.octants.mean(axis=1)

    @property
    def rmse(self) -> np.ndarray:
        """Over all starts, (k,)."""
        return np.sqrt(self.mse.mean(axis=0))

    def mean_squared(self, last: float = np.inf) -> Estimate:
        """Over the frames after the first up to time `last`; its error from starts, or from octants
        where there is one start.
        """
        here = (self.time > 0) & (self.time <= last * (1 + 1e-9))
        if not here.any():
            return UNDETERMINED
        each = self.octants[:, :, here].mean(axis=2)
        return over_starts(each.mean(axis=1)) if len(each) > 1 else over_starts(each[0])

    def at(self, frame: int = -1) -> tuple[Estimate, Estimate]:
        """(RMSE, interface displacement) of a frame, default the last, as `mean_squared`."""
        each = self.octants[:, :, frame]
        squared = over_starts(each.mean(axis=1) if len(each) > 1 else each[0])
        width = (
            float(np.mean(self.displacement[:, frame] ** 2) / squared.value)
            if squared.value > 0
            else np.nan
        )
        return root(squared), root(Estimate(width * squared.value, width * squared.error))


def root(squared: Estimate) -> Estimate:
    value = np.sqrt(squared.value)
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


def compare(
    case: Case,
    network: Network,
    spacing: float,
    interface_width: float,
    downscaling: str = "nearest",
) -> Errors | None:
    """None without truth, or without a kept time in common."""
    truth, rollout = case.truth, case.networks.get(network)
    if (
        truth is None
        or rollout is None
        or truth.shape != rollout.shape
        or truth.count != rollout.count
    ):
        return None
    pairs = list(zip(*common(truth, rollout), strict=True))
    if not pairs:
        return None
    start = truth.phi(0)
    volume = float(np.prod(truth.shape)) * spacing**3
    columns = {
        name: []
        for name in (
            "octants",
            "full",
            "persistence",
            "variance",
            "free_energy",
            "parity",
            "parity_truth",
        )
    }
    for there, here in pairs:
        true, own = truth.phi(there), rollout.phi(here)
        columns["octants"].append(octant_means((own.astype(float) - true) ** 2))
        columns["persistence"].append(((true.astype(float) - start) ** 2).mean((1, 2, 3)))
        columns["variance"].append(true.var((1, 2, 3), dtype=float))
        columns["free_energy"].append(energies(true, spacing, interface_width))
        columns["parity"].append(parity(own))
        columns["parity_truth"].append(parity(true))
        if truth.full:
            columns["full"].append(against_full(own, truth.phi_full(there), downscaling))
    found = {
        name: np.stack(values, axis=-1) if values else None for name, values in columns.items()
    }
    delta, still = (
        displacement(np.sqrt(mse), found["free_energy"], volume, interface_width)
        for mse in (found["octants"].mean(axis=1), found["persistence"])
    )
    return Errors(
        time=truth.time[[pair[0] for pair in pairs]],
        displacement=delta,
        displacement_still=still,
        **found,
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
