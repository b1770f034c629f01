"""Phase boundaries that networks draw, and how far they are from the physical ones at every density."""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate
from analysis.flocking.crossing import boundaries
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BOUNDARIES, Network
from analysis.flocking.physical import Boundaries, by_temperature, drawn

FAR = 0.05  # of T: further from the physical boundary a network has failed there


@dataclass(frozen=True)
class Place:
    """One network at one density and boundary: temperature with its error over replicas; truth: the physical one.

    off: temperature - truth.  failed: |off| > FAR, or no crossing where the truth has one; None: the truth has none to compare with.
    """

    network: Network
    density: float
    boundary: int
    temperature: Estimate
    truth: Estimate

    @property
    def off(self) -> float:
        return self.temperature.value - self.truth.value

    @property
    def failed(self) -> bool | None:
        if not np.isfinite(self.truth.value):
            return None
        return not abs(self.off) <= FAR


def curves(run: Run, network: Network, density: float) -> tuple[np.ndarray, np.ndarray]:
    """(temperatures (t,), probabilities averaged over configurations (t, 3)) at one density."""
    rows = run.at(density)
    return by_temperature(run.temperature[rows], run.probabilities[network][rows])


def found_by(run: Run, network: Network, density: float) -> list[Estimate]:
    """Temperatures where P_L = P_L+G and P_L+G = P_G; errors by drawing replicas again within each temperature."""
    rows = run.at(density)
    _, first, place = np.unique(run.replica[rows], return_index=True, return_inverse=True)
    each = np.stack([np.bincount(place, p) / np.bincount(place) for p in run.probabilities[network][rows].T], axis=1)
    temperature = run.temperature[rows][first]
    known, mean = by_temperature(temperature, each)
    value = boundaries(known, mean)
    again = boundaries(known, drawn(temperature, each))
    estimates = []
    for i in range(2):
        finite = again[np.isfinite(again[:, i]), i]
        error = float(finite.std(ddof=1)) if len(finite) > 1 else np.nan
        estimates.append(Estimate(float(value[i]), error) if np.isfinite(value[i]) else UNDETERMINED)
    return estimates


def places(run: Run, truth: list[Boundaries]) -> list[Place]:
    """Every network at every density and boundary."""
    found = []
    for network in run.probabilities:
        for true in truth:
            if len(run.at(true.density)):
                here = found_by(run, network, true.density)
                found += [Place(network, true.density, i, here[i], true.estimates[i]) for i in range(len(BOUNDARIES))]
    return found


def select(all_places: list[Place], *, set: str, regularization: float) -> list[Place]:
    return [p for p in all_places if p.network.set == set and p.network.regularization == regularization]


def away(all_places: list[Place], reference: float) -> list[Place]:
    """Those at other densities than the reference, where there is a truth."""
    return [p for p in all_places if not np.isclose(p.density, reference) and p.failed is not None]


def by_seed(all_places: list[Place], statistic) -> Estimate:
    """statistic(places of one seed) averaged over seeds, error from their spread."""
    seeds = sorted({p.network.seed for p in all_places})
    values = np.array([statistic([p for p in all_places if p.network.seed == seed]) for seed in seeds], float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return UNDETERMINED
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan)


def mean_distance(all_places: list[Place]) -> float:
    """Mean |T - truth| of those that cross, nan for none."""
    off = np.array([abs(p.off) for p in all_places])
    return float(np.nanmean(off)) if np.isfinite(off).any() else np.nan


def failures(all_places: list[Place]) -> float:
    """Share of boundaries that are further than FAR off or not there."""
    return float(np.mean([p.failed for p in all_places])) if all_places else np.nan


def spreads(all_places: list[Place]) -> np.ndarray:
    """Standard deviations over seeds of the crossing temperature, one for each density and boundary with at least two that cross."""
    found = []
    for key in sorted({(p.density, p.boundary) for p in all_places}):
        values = np.array([p.temperature.value for p in all_places if (p.density, p.boundary) == key])
        values = values[np.isfinite(values)]
        if len(values) > 1:
            found.append(values.std(ddof=1))
    return np.array(found)


def mean_spread(all_places: list[Place]) -> Estimate:
    """Root mean square over densities and boundaries of the spread over seeds; error by a bootstrap over them."""
    values = spreads(all_places) ** 2
    if len(values) == 0:
        return UNDETERMINED
    draws = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(axis=1)
    return Estimate(float(np.sqrt(values.mean())), float(np.sqrt(draws).std(ddof=1)) if len(values) > 1 else np.nan)
