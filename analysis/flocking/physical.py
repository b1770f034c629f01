"""Phase boundaries from what the particles do alone, no network and no clustering: the circles of figure 3.

Every look at a replica after equilibration is in one of three states, by two intensive numbers:

    band = sqrt(sum_{k=1}^{3} |rho_k|^2), rho_k = sum_x rho(x) exp(-2 pi i k x / L) / N: a stretch w L of columns, denser or thinner than
           the rest by c rho0, has |rho_k| = c |sin(pi k w)| / (pi k); a homogeneous system has sqrt(3 / N) from its shot noise
    m    = |sum_i m_i| / N; a gas has sqrt(1 / N)

    L+G: band > BANDED;  else G: m < ORDERED;  else L

A boundary is the temperature at which half of the replicas' looks are on either side, linear between temperatures.  Its error has three
parts, in quadrature: replicas drawn again within each temperature; the spacing of temperatures over sqrt(12); and half of what it
moves when both limits are LOOSER times as high and as low.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate
from analysis.flocking.crossing import boundaries, spacing
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BAND, G, L

BANDED, ORDERED, LOOSER = 0.1, 0.2, 1.5
WAVES = 3


@dataclass(frozen=True)
class Looks:
    """q replicas: band and order (q, o), nan where there is no look; temperature, mean_density, start (q,)."""

    band: np.ndarray
    order: np.ndarray
    temperature: np.ndarray
    mean_density: np.ndarray
    start: np.ndarray


def band_of_maps(density: np.ndarray) -> np.ndarray:
    """band (n,) of maps of particles (n, L, L)."""
    lines = density.sum(axis=2, dtype=float)
    modes = np.fft.rfft(lines, axis=1)[:, 1 : WAVES + 1] / lines.sum(axis=1, keepdims=True)
    return np.sqrt((np.abs(modes) ** 2).sum(axis=1))


def looks(run: Run) -> Looks:
    """From the series after equilibration, else from the configurations."""
    series = run.series
    late = None if series is None else series.time >= run.equilibration
    if late is not None and late.any():
        band = np.sqrt((np.abs(series.modes[:, late]) ** 2).sum(axis=2))
        return Looks(band, np.abs(series.order[:, late]), series.temperature, series.mean_density, series.start)
    _, first, place = np.unique(run.replica, return_index=True, return_inverse=True)
    own = np.full((2, len(first), int(np.bincount(place).max())), np.nan)
    column = np.zeros(len(place), int)
    for replica in range(len(first)):
        rows = np.flatnonzero(place == replica)
        column[rows] = np.arange(len(rows))
    own[0, place, column], own[1, place, column] = band_of_maps(run.density), run.order
    return Looks(own[0], own[1], run.temperature[first], run.mean_density[first], run.start[first])


def shares(found: Looks, loose: float = 1.0) -> np.ndarray:
    """Share of each replica's looks in G, L+G, L: (q, 3); both limits times `loose`."""
    there = np.isfinite(found.band)
    banded = there & (found.band > BANDED * loose)
    gas = there & ~banded & (found.order < ORDERED * loose)
    count = there.sum(axis=1)
    result = np.empty((len(count), 3))
    result[:, BAND], result[:, G], result[:, L] = banded.sum(1) / count, gas.sum(1) / count, (there & ~banded & ~gas).sum(1) / count
    return result


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
    """At one density: temperatures of L | L+G and L+G | G; temperature (t,) and shares (t, 3) of G, L+G, L that they come from.

    hysteresis (2,): the boundary from ordered minus that from disordered starts, nan where one has none.
    """

    density: float
    estimates: tuple[Estimate, Estimate]
    temperature: np.ndarray
    shares: np.ndarray
    hysteresis: np.ndarray


def at_density(found: Looks, density: float) -> Boundaries:
    rows = np.isclose(found.mean_density, density)
    t, own = found.temperature[rows], shares(found)[rows]
    known, mean = by_temperature(t, own)
    value = boundaries(known, mean)
    again = boundaries(known, drawn(t, own))
    loose = np.array([boundaries(known, by_temperature(t, shares(found, f)[rows])[1]) for f in (LOOSER, 1 / LOOSER)])
    estimates = []
    for i in range(2):
        finite = again[np.isfinite(again[:, i]), i]
        parts = [finite.std(ddof=1) if len(finite) > 1 else np.nan, spacing(known, value[i]) / np.sqrt(12),
                 np.abs(loose[0, i] - loose[1, i]) / 2]  # fmt: skip
        error = float(np.sqrt(np.sum(np.square(parts))))
        estimates.append(Estimate(float(value[i]), error) if np.isfinite(value[i]) else UNDETERMINED)
    start = found.start[rows]
    ends = []
    for which in (start != 0, start == 0):
        there, apart = by_temperature(t[which], own[which]) if which.any() else (known, mean * np.nan)
        ends.append(boundaries(there, apart) if which.any() else np.full(2, np.nan))
    return Boundaries(density, tuple(estimates), known, mean, ends[0] - ends[1])


def all_boundaries(run: Run) -> list[Boundaries]:
    """One for each density, increasing."""
    found = looks(run)
    return [at_density(found, density) for density in np.unique(found.mean_density)]
