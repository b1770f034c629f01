"""Phase boundaries that networks draw, and how far they are from the physical ones at every
density.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate
from analysis.flocking.crossing import boundaries
from analysis.flocking.dataset import Run
from analysis.flocking.labels import BOUNDARIES, Network
from analysis.flocking.physical import Diagram, settled
from analysis.flocking.sampling import by_temperature, difference, draws
from analysis.flocking.seeds import jackknife

FAR = 0.05  # of T: further from the physical boundary a network has failed there
INSET = 5.0  # density of the inset of the paper's figure 3


@dataclass(frozen=True)
class Answers:
    """What one network says: temperatures where P_L = P_L+G and where P_L+G = P_G at each density
    of the phase diagram, NaN where they never are, and their errors over replicas, float64 (d, 2).

    curve, float32 (t, 3): probabilities of G, L+G, L at temperatures at (t,) of the density that is
    shown (shown_density), averaged over configurations.
    """

    temperature: np.ndarray
    error: np.ndarray
    at: np.ndarray
    curve: np.ndarray


@dataclass(frozen=True)
class Boundary:
    """One network at one density and boundary: temperature with its error over replicas; truth: the
    physical one.

    off: temperature - truth.  failed: |off| > FAR, or no crossing where the truth has one; None:
    the truth has none to compare with, or one with an error of more than half of FAR.
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
        if not self.truth.error <= FAR / 2:
            return None
        return not abs(self.off) <= FAR


def curves(run: Run, network: Network, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(temperatures (t,), probabilities averaged over configurations `rows` (t, 3))."""
    return by_temperature(run.temperature[rows], run.probabilities[network][rows])


def found_by(run: Run, network: Network, rows: np.ndarray) -> list[Estimate]:
    """Temperatures where P_L = P_L+G and P_L+G = P_G in `rows`; errors by drawing replicas again
    within each temperature.
    """
    _, first, place = np.unique(run.replica[rows], return_index=True, return_inverse=True)
    each = np.stack(
        [np.bincount(place, p) / np.bincount(place) for p in run.probabilities[network][rows].T],
        axis=1,
    )
    temperature = run.temperature[rows][first]
    value = boundaries(*by_temperature(temperature, each))
    again = boundaries(*by_temperature(temperature, each, draws(temperature)))
    estimates = []
    for i in range(2):
        finite = again[np.isfinite(again[:, i]), i]
        error = float(finite.std(ddof=1)) if len(finite) > 1 else np.nan
        estimates.append(
            Estimate(float(value[i]), error) if np.isfinite(value[i]) else UNDETERMINED
        )
    return estimates


def answers(run: Run, truth: Diagram) -> dict[Network, Answers]:
    """Every network at every density, from the configurations that the truth is from: none of
    domains of both spins.
    """
    if not run.probabilities:
        return {}
    rows = [settled(run, density) for density in truth.density]
    shown = rows[truth.at(shown_density(truth, run.reference))]
    found = {}
    for network in run.probabilities:
        each = [
            found_by(run, network, here) if len(here) else [UNDETERMINED] * len(BOUNDARIES)
            for here in rows
        ]
        temperature, error = (
            np.array([[getattr(e, what) for e in pair] for pair in each])
            for what in ("value", "error")
        )
        t, curve = curves(run, network, shown) if len(shown) else (np.empty(0), np.empty((0, 3)))
        found[network] = Answers(temperature, error, t, curve.astype(np.float32))
    return found


def shown_density(truth: Diagram, reference: float) -> float:
    """The density whose probabilities are shown: that of the paper's inset or the nearest one, not
    the reference if there is another.
    """
    others = [d for d in truth.density if not np.isclose(d, reference)]
    return float(min(others, key=lambda d: abs(d - INSET))) if others else reference


def drawn_boundaries(truth: Diagram, by_network: dict[Network, Answers]) -> list[Boundary]:
    """Every network at every density and boundary."""
    return [
        Boundary(
            network,
            float(density),
            i,
            Estimate(float(own.temperature[k, i]), float(own.error[k, i])),
            truth.boundary(k, i),
        )
        for network, own in by_network.items()
        for k, density in enumerate(truth.density)
        for i in range(len(BOUNDARIES))
    ]


def select(drawn: list[Boundary], *, set: str, regularization: float) -> list[Boundary]:
    return [p for p in drawn if p.network.set == set and p.network.regularization == regularization]


def away(drawn: list[Boundary], reference: float) -> list[Boundary]:
    """Those at other densities than the reference, where the truth is known well enough."""
    return [p for p in drawn if not np.isclose(p.density, reference) and p.failed is not None]


def invented(drawn: list[Boundary], reference: float) -> list[Boundary]:
    """Those at other densities than the reference where a network draws a boundary and there is no
    physical one.
    """
    return [
        p
        for p in drawn
        if not np.isclose(p.density, reference)
        and np.isnan(p.truth.value)
        and np.isfinite(p.temperature.value)
    ]


def by_seed(drawn: list[Boundary], statistic) -> dict[int, float]:
    """statistic(boundaries of one seed) by seed."""
    return {
        seed: statistic([p for p in drawn if p.network.seed == seed])
        for seed in sorted({p.network.seed for p in drawn})
    }


def mean_distance(drawn: list[Boundary]) -> float:
    """Mean |T - truth| of those that cross, nan for none."""
    off = np.array([abs(p.off) for p in drawn])
    return float(np.nanmean(off)) if np.isfinite(off).any() else np.nan


def failures(drawn: list[Boundary]) -> float:
    """Share of boundaries that are further than FAR off or not there."""
    return float(np.mean([p.failed for p in drawn])) if drawn else np.nan


def temperatures(drawn: list[Boundary]) -> dict[tuple[float, int], dict[int, float]]:
    """{(density, boundary): {seed: crossing temperature, nan for none}} of networks that differ by
    their seed alone.
    """
    found = {}
    for p in drawn:
        found.setdefault((p.density, p.boundary), {})[p.network.seed] = p.temperature.value
    return found


@dataclass(frozen=True)
class Spread:
    """Root mean square, over the same places, of the standard deviation over seeds of the crossing
    temperature: of two kinds of networks.

    kept: how many places; dropped (2,): at how many others a network of either kind has no
    crossing.  change: logarithm of first over second, whose scatter from few seeds is far more even
    than that of their difference.
    """

    first: Estimate
    second: Estimate
    change: Estimate
    kept: int
    dropped: tuple[int, int]


def spreads(first: list[Boundary], second: list[Boundary]) -> Spread:
    """Errors by leaving out one seed of both after the other: places share their networks."""
    both = [temperatures(first), temperatures(second)]
    keys = sorted(both[0].keys() & both[1].keys())
    there = [{key for key in keys if np.isfinite(list(own[key].values())).all()} for own in both]
    kept = sorted(there[0] & there[1])
    seeds = [sorted({p.network.seed for p in own}) for own in (first, second)]

    def spread(which: int, chosen: list[int]) -> float:
        if not kept or len(chosen) < 2:
            return np.nan
        return float(
            np.sqrt(
                np.mean(
                    [np.var([both[which][key][seed] for seed in chosen], ddof=1) for key in kept]
                )
            )
        )

    each = [
        jackknife(own, lambda chosen, which=which: spread(which, chosen))
        for which, own in enumerate(seeds)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        if seeds[0] == seeds[1]:
            change = jackknife(
                seeds[0], lambda chosen: np.log(spread(0, chosen) / spread(1, chosen))
            )
        else:
            change = difference(
                *(
                    jackknife(own, lambda chosen, which=which: np.log(spread(which, chosen)))
                    for which, own in enumerate(seeds)
                )
            )
    return Spread(*each, change, len(kept), tuple(len(keys) - len(own) for own in there))
