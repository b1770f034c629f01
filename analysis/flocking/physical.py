"""Phase boundaries from what the particles do alone, no network and no clustering: the circles of
figure 3.

Every configuration is in one of four states, by three intensive numbers:

    band  = sqrt(sum_{k=1}^{3} |rho_k|^2), rho_k = sum_x rho(x) exp(-2 pi i k x / L) / N: a stretch
            w L of columns, denser or thinner than the rest by c rho0, has |rho_k| = c |sin(pi k w)|
            / (pi k); a homogeneous system has sqrt(3 / N) from its shot noise
    m     = |sum_i m_i| / N; a gas has sqrt(1 / N)
    waves = largest |m_k| of the magnetization's first three modes along x and along y, over N:
    below m where all of it has one sign

    domains of both spins, on their way to L or L+G: waves > MIXED and waves > MARGIN m; left out
    else L+G: band > BANDED;  else G: m < ORDERED;  else L

A boundary is where its two phases have equal shares (crossing.boundaries, the rule for networks
too), and the mean of that of ordered and that of disordered starts, whatever their numbers; that of
one kind where the other has none.  Errors have four parts, in quadrature: replicas drawn again
within each temperature and kind of start; the spacing of temperatures over sqrt(12); half of what
the boundary moves when BANDED and ORDERED are LOOSER times as high and as low; and half of what the
two kinds of start differ by, where that is known.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate
from analysis.flocking.crossing import boundaries, spacing
from analysis.flocking.dataset import Run
from analysis.flocking.labels import BAND, BOUNDARIES, G, L
from analysis.flocking.sampling import by_temperature, draws

BANDED, ORDERED, MIXED, LOOSER = 0.1, 0.2, 0.1, 1.5
MARGIN = 1.25  # a narrow band's waves are almost m, and its gas fluctuates
WAVES = 3


@dataclass(frozen=True)
class States:
    """Of n configurations: band, order (m) and waves (n,), and where each comes from: replica,
    temperature, density, start (n,).
    """

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
    """|sum over sites of value exp(-2 pi i k x_axis / L)| of maps (n, L, L), k = 1 to WAVES:
    float64 (n, WAVES); axis 1: x, 2: y.
    """
    return np.abs(np.fft.rfft(maps.sum(axis=3 - axis, dtype=float), axis=1)[:, 1 : WAVES + 1])


def band_of_maps(density: np.ndarray) -> np.ndarray:
    """band (n,) of maps of particles (n, L, L)."""
    return np.sqrt((modes(density, 1) ** 2).sum(axis=1)) / density.sum((1, 2), dtype=float)


def states(run: Run, rows: np.ndarray | slice = slice(None)) -> States:
    """Of these rows of dataset.h5."""
    magnetization, density = run.magnetization[rows], run.density[rows]
    waves = np.maximum(
        modes(magnetization, 1).max(axis=1), modes(magnetization, 2).max(axis=1)
    ) / density.sum((1, 2), dtype=float)
    return States(
        band_of_maps(density),
        run.order[rows],
        waves,
        run.replica[rows],
        run.temperature[rows],
        run.mean_density[rows],
        run.start[rows],
    )


def settled(run: Run, density: float) -> np.ndarray:
    """Rows of one density without those of domains of both spins."""
    rows = run.at(density)
    return rows[~states(run, rows).mixed]


def shares(states: States, rows: np.ndarray, loose: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(a row of each replica (q,), share of its configurations in G, L+G, L (q, 3)) of `rows`;
    limits times `loose`.

    Replicas whose configurations are all of domains of both spins are left out.
    """
    rows = rows[~states.mixed[rows]]
    banded = states.band[rows] > BANDED * loose
    gas = ~banded & (states.order[rows] < ORDERED * loose)
    _, first, place = np.unique(states.replica[rows], return_index=True, return_inverse=True)
    result = np.empty((len(first), 3))
    for phase, own in ((BAND, banded), (G, gas), (L, ~banded & ~gas)):
        result[:, phase] = np.bincount(place, own) / np.bincount(place)
    return rows[first], result


@dataclass(frozen=True)
class Boundaries:
    """At one density: temperatures of L | L+G and L+G | G.

    hysteresis (2,): the boundary from ordered minus that from disordered starts, nan (unknown)
    where one has none.  mixed: share of configurations left out as domains of both spins.
    """

    density: float
    estimates: tuple[Estimate, Estimate]
    hysteresis: np.ndarray
    mixed: float


def at_density(states: States, density: float) -> Boundaries:
    rows = np.flatnonzero(np.isclose(states.mean_density, density))
    first = shares(states, rows)[0]
    temperature, ordered = states.temperature[first], states.start[first] != 0
    known, level = np.unique(temperature, return_inverse=True)
    once, drawn = np.ones(len(first)), draws(2 * level + ordered)

    def located(loose: float, times: np.ndarray) -> list[np.ndarray]:
        """Boundaries (..., 2) of ordered and of disordered starts, replicas counted `times` (...,
        q).
        """
        own = shares(states, rows, loose)[1]
        return [
            boundaries(*by_temperature(temperature[kind], own[kind], times[..., kind]))
            if kind.any()
            else np.full((*times.shape[:-1], len(BOUNDARIES)), np.nan)
            for kind in (ordered, ~ordered)
        ]

    each = located(1.0, once)
    hysteresis, value, again = each[0] - each[1], _mean(each), _mean(located(1.0, drawn))
    moved = np.abs(_mean(located(LOOSER, once)) - _mean(located(1 / LOOSER, once))) / 2
    estimates = []
    for i in range(len(BOUNDARIES)):
        finite = again[np.isfinite(again[:, i]), i]
        parts = [
            finite.std(ddof=1) if len(finite) > 1 else np.nan,
            spacing(known, value[i]) / np.sqrt(12),
            moved[i],
            np.nan_to_num(hysteresis[i]) / 2,
        ]
        estimates.append(
            Estimate(float(value[i]), float(np.sqrt(np.sum(np.square(parts)))))
            if np.isfinite(value[i])
            else UNDETERMINED
        )
    return Boundaries(density, tuple(estimates), hysteresis, float(states.mixed[rows].mean()))


def _mean(pair: list[np.ndarray]) -> np.ndarray:
    """Mean of two arrays, the other one where one is nan."""
    first, second = (np.where(np.isnan(one), other, one) for one, other in (pair, pair[::-1]))
    return (first + second) / 2


def all_boundaries(run: Run) -> list[Boundaries]:
    """One for each density, increasing."""
    found = states(run)
    return [at_density(found, density) for density in run.densities]


@dataclass(frozen=True)
class Diagram:
    """The phase diagram: density (d,) in particles a site, increasing; temperatures of L | L+G and
    L+G | G, NaN where there is no such boundary: physical and umap, with error and umap_error,
    float64 (d, 2).

    hysteresis (d, 2): the boundary from ordered minus that from disordered starts, NaN where one
    has none.  mixed (d,): share of configurations left out as domains of both spins.  step (d,):
    largest distance of neighbouring temperatures that were run.
    """

    density: np.ndarray
    physical: np.ndarray
    error: np.ndarray
    hysteresis: np.ndarray
    mixed: np.ndarray
    umap: np.ndarray
    umap_error: np.ndarray
    step: np.ndarray

    def boundary(self, k: int, i: int) -> Estimate:
        """Of density k: 0 L | L+G, 1 L+G | G."""
        return Estimate(float(self.physical[k, i]), float(self.error[k, i]))

    def by_umap(self, k: int, i: int) -> Estimate:
        return Estimate(float(self.umap[k, i]), float(self.umap_error[k, i]))

    def at(self, density: float) -> int | None:
        """Which density this is; None: it was not run."""
        found = np.flatnonzero(np.isclose(self.density, density))
        return int(found[0]) if len(found) else None


def diagram(run: Run) -> Diagram:
    """Physical boundaries of every density, and UMAP's."""
    truth = all_boundaries(run)
    umap = [
        (np.full(2, np.nan),) * 2 if run.phases is None else run.phases.transition(b.density)
        for b in truth
    ]
    steps = [np.diff(np.unique(run.temperature[run.at(b.density)])) for b in truth]
    return Diagram(
        np.array([b.density for b in truth]),
        *(
            np.array([[getattr(e, what) for e in b.estimates] for b in truth])
            for what in ("value", "error")
        ),
        np.array([b.hysteresis for b in truth]),
        np.array([b.mixed for b in truth]),
        *(np.array([pair[which] for pair in umap]) for which in (0, 1)),
        np.array([step.max(initial=0.0) for step in steps]),
    )
