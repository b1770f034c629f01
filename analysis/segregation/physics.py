"""What the equation does, without a network: which mixtures segregate, how the free energy falls,
what must hold, and what the mixed field itself tells of the end.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate
from analysis.segregation import structure, transition
from analysis.segregation.dataset import TEST, Run
from analysis.segregation.mixed_states import mean_of
from analysis.segregation.predictions import correlation
from analysis.segregation.transition import Shares

CURVES = 6  # mean concentrations in the figure of the free energy
ENERGIES = ("free_energy", "chemical_energy", "surface_energy")


@dataclass(frozen=True)
class Physics:
    """What the equation does.

    shares: of all samples, truth alone.  times: float64 (t,), time, the last inf: the steady state.
    means: float64 (m,), some mean concentrations.  energies: float64 (3, m, t, 3), energy / area:
    free, chemical and surface energy; mean over samples, 16 and 84% quantile.  steady: float64
    (m,), median time at which the steady state was reached, time; NaN: it was not.
    rise: largest rise of F of a sample between two recorded times over its F at t = 0, below 0: F
    only falls; NaN: one time.  drift: largest change of a sample's mean concentration.  unsteady:
    share of samples that did not get to their steady state.
    longest_waves: correlation, cell by cell, of the mixed field's longest waves with the steady
    state, mean over test samples that segregate.
    """

    shares: Shares
    times: np.ndarray
    means: np.ndarray
    energies: np.ndarray
    steady: np.ndarray
    rise: float
    drift: float
    unsteady: float
    longest_waves: Estimate


def physics(run: Run) -> Physics:
    means = shown(run.mean_concentration)
    rows = [np.abs(run.mean_concentration - mean) < 5e-7 for mean in means]
    own = run.quantities["mean_concentration"]
    return Physics(
        transition.count(run.mean_concentration, run.segregated, run.segregated),
        run.times,
        means,
        np.array([[of_time(run.quantities[q][r] / run.area) for r in rows] for q in ENERGIES]),
        np.array([median(run.steady_time[r]) for r in rows]),
        float(rises(run.quantities["free_energy"]).max(initial=-np.inf)),
        float(np.abs(own - own[:, :1]).max(initial=0)),
        float(np.isnan(run.steady_time).mean()),
        longest_waves(run),
    )


def shown(mean: np.ndarray) -> np.ndarray:
    """Some of the mean concentrations up to 1/2: c and 1 - c are the same mixture."""
    means = np.unique(mean.round(6))
    means = means[means <= 0.5 + 1e-9] if (means <= 0.5).any() else means
    return means[np.unique(np.linspace(0, len(means) - 1, CURVES).round().astype(int))]


def of_time(values: np.ndarray) -> np.ndarray:
    """Mean, 16 and 84% quantile of samples (n, t), float64 (t, 3)."""
    return np.stack([values.mean(0), *np.quantile(values, [0.16, 0.84], axis=0)], axis=1)


def median(steady_time: np.ndarray) -> float:
    known = steady_time[np.isfinite(steady_time)]
    return float(np.median(known)) if len(known) else np.nan


def rises(free: np.ndarray) -> np.ndarray:
    """Largest rise of F (n, t) between two recorded times of each sample over its F at t = 0,
    float64 (n,); below 0: it always fell.
    """
    if free.shape[1] < 2:
        return np.full(len(free), np.nan)
    return np.diff(free, axis=1).max(axis=1) / np.abs(free[:, 0])


def longest_waves(run: Run) -> Estimate:
    """What the longest waves of the mixed field tell of where domains end."""
    test = run.test_fields()
    rows = np.flatnonzero(run.segregated[run.split == TEST])
    if test is None or len(rows) == 0:
        return UNDETERMINED
    found = []
    for part in np.split(rows, range(structure.BATCH, len(rows), structure.BATCH)):
        first, last = test.all[part, 0], test.all[part, -1]
        found.append(correlation(structure.longest(first), last))
    return mean_of(np.concatenate(found))
