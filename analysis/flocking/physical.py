"""Phase boundaries from what the particles do alone, no network and no clustering: the circles of figure 3.

Every configuration is in one of four states, by three intensive numbers:

    band  = sqrt(sum_{k=1}^{3} |rho_k|^2), rho_k = sum_x rho(x) exp(-2 pi i k x / L) / N: a stretch w L of columns, denser or thinner
            than the rest by c rho0, has |rho_k| = c |sin(pi k w)| / (pi k); a homogeneous system has sqrt(3 / N) from its shot noise
    m     = |sum_i m_i| / N; a gas has sqrt(1 / N)
    waves = largest |m_k| of the magnetization's first three modes along x and along y, over N: below m where all of it has one sign

    domains of both spins, on their way to L or L+G: waves > MIXED and waves > MARGIN m; left out
    else L+G: band > BANDED;  else G: m < ORDERED;  else L

L | L+G is where these two have equal shares, L+G | G where half of the configurations are gas, linear between temperatures.  Errors have
three parts, in quadrature: replicas drawn again within each temperature; the spacing of temperatures over sqrt(12); and half of what
the boundary moves when BANDED and ORDERED are LOOSER times as high and as low.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate
from analysis.flocking.crossing import crossings, spacing
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BAND, BOUNDARIES, G, L

BANDED, ORDERED, MIXED, LOOSER = 0.1, 0.2, 0.1, 1.5
MARGIN = 1.25  # a narrow band's waves are almost m, and its gas fluctuates
WAVES = 3


@dataclass(frozen=True)
class States:
    """Of n configurations: band, order (m) and waves (n,), and where each comes from: replica, temperature, density, start (n,)."""

    band: np.ndarray
    order: np.ndarray
    waves: np.ndarray
    replica: np.ndarray
    temperature: np.ndarray
    mean_density: np.ndarray
    start: np.ndarray

    @property
    def mixed(self) -> np.ndarray:
        """Whether a configuration has domains of both spins, bool (n,)."""
        return (self.waves > MIXED) & (self.waves > MARGIN * self.order)


def modes(maps: np.ndarray, axis: int) -> np.ndarray:
    """|sum over sites of value exp(-2 pi i k x_axis / L)| of maps (n, L, L), k = 1 to WAVES: float64 (n, WAVES); axis 1: x, 2: y."""
    return np.abs(np.fft.rfft(maps.sum(axis=3 - axis, dtype=float), axis=1)[:, 1 : WAVES + 1])


def band_of_maps(density: np.ndarray) -> np.ndarray:
    """band (n,) of maps of particles (n, L, L)."""
    return np.sqrt((modes(density, 1) ** 2).sum(axis=1)) / density.sum((1, 2), dtype=float)


def states(run: Run) -> States:
    particles = run.density.sum((1, 2), dtype=float)
    waves = np.maximum(modes(run.magnetization, 1).max(axis=1), modes(run.magnetization, 2).max(axis=1)) / particles
    return States(band_of_maps(run.density), run.order, waves, run.replica, run.temperature, run.mean_density, run.start)


def shares(found: States, rows: np.ndarray, loose: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(a row of each replica (q,), share of its configurations in G, L+G, L (q, 3)) of `rows`; limits times `loose`.

    Replicas whose configurations are all of domains of both spins are left out.
    """
    rows = rows[~found.mixed[rows]]
    banded = found.band[rows] > BANDED * loose
    gas = ~banded & (found.order[rows] < ORDERED * loose)
    _, first, place = np.unique(found.replica[rows], return_index=True, return_inverse=True)
    result = np.empty((len(first), 3))
    for phase, own in ((BAND, banded), (G, gas), (L, ~banded & ~gas)):
        result[:, phase] = np.bincount(place, own) / np.bincount(place)
    return rows[first], result


def crossed(temperature: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Temperatures (..., 2) of both boundaries from shares (..., t, 3) of G, L+G, L."""
    excess = (mean[..., L] - mean[..., BAND], mean[..., L] + mean[..., BAND] - mean[..., G])
    return np.stack([crossings(temperature, each) for each in excess], axis=-1)


def by_temperature(temperature: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(temperatures (t,), means (t, c)) of values (q, c)."""
    known, place = np.unique(temperature, return_inverse=True)
    count = np.bincount(place)
    return known, np.stack([np.bincount(place, column) / count for column in values.T], axis=1)


def drawn(temperature: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means by temperature (RESAMPLES, t, c) of values (q, c), replicas drawn again within each temperature."""
    generator, known = np.random.default_rng(0), np.unique(temperature)
    found = np.empty((RESAMPLES, len(known), values.shape[1]))
    for i, t in enumerate(known):
        own = values[temperature == t]
        found[:, i] = generator.multinomial(len(own), np.full(len(own), 1 / len(own)), RESAMPLES) @ own / len(own)
    return found


@dataclass(frozen=True)
class Boundaries:
    """At one density: temperatures of L | L+G and L+G | G.

    hysteresis (2,): the boundary from ordered minus that from disordered starts, nan where one has none.  mixed: share of
    configurations left out as domains of both spins.
    """

    density: float
    estimates: tuple[Estimate, Estimate]
    hysteresis: np.ndarray
    mixed: float


def at_density(found: States, density: float) -> Boundaries:
    rows = np.flatnonzero(np.isclose(found.mean_density, density))
    mixed = float(found.mixed[rows].mean())

    def located(which: np.ndarray, loose: float = 1.0) -> np.ndarray:
        first, own = shares(found, which, loose)
        return crossed(*by_temperature(found.temperature[first], own)) if len(own) else np.full(len(BOUNDARIES), np.nan)

    ordered, disordered = (located(rows[flag]) for flag in (found.start[rows] != 0, found.start[rows] == 0))
    first, own = shares(found, rows)
    if len(own) == 0:
        return Boundaries(density, (UNDETERMINED, UNDETERMINED), ordered - disordered, mixed)
    known, mean = by_temperature(found.temperature[first], own)
    value, again = crossed(known, mean), crossed(known, drawn(found.temperature[first], own))
    moved = np.abs(located(rows, LOOSER) - located(rows, 1 / LOOSER)) / 2
    estimates = []
    for i in range(len(BOUNDARIES)):
        finite = again[np.isfinite(again[:, i]), i]
        parts = [finite.std(ddof=1) if len(finite) > 1 else np.nan, spacing(known, value[i]) / np.sqrt(12), moved[i]]
        estimates.append(Estimate(float(value[i]), float(np.sqrt(np.sum(np.square(parts))))) if np.isfinite(value[i]) else UNDETERMINED)
    return Boundaries(density, tuple(estimates), ordered - disordered, mixed)


def all_boundaries(run: Run) -> list[Boundaries]:
    """One for each density, increasing."""
    found = states(run)
    return [at_density(found, density) for density in run.densities]
