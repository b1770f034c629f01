"""Averages over networks that differ by their seed alone; of a few seeds, so with Student's t: 2
errors are 95% whatever their number.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from analysis.estimates import UNDETERMINED, Estimate


def widening(count: int) -> float:
    """What an error from the scatter of `count` values is multiplied by; nan for one."""
    return float(student_t.ppf(norm.cdf(2), count - 1) / 2) if count > 1 else np.nan


def mean(values: dict[int, float]) -> Estimate:
    """Of finite values by seed; error from their scatter, nan for one."""
    known = np.array([value for value in values.values() if np.isfinite(value)], float)
    if len(known) == 0:
        return UNDETERMINED
    error = (
        widening(len(known)) * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    )
    return Estimate(float(known.mean()), float(error))


def minus(first: dict[int, float], second: dict[int, float]) -> Estimate:
    """first - second seed by seed: networks of one seed have the same split of the replicas;
    averaged over seeds that both have.
    """
    return mean({seed: first[seed] - second[seed] for seed in first.keys() & second.keys()})


def jackknife(seeds: list[int], statistic: Callable[[list[int]], float]) -> Estimate:
    """statistic(seeds), its error by leaving out one seed after the other; nan where fewer than
    three are left to tell.
    """
    value = float(statistic(seeds))
    without = np.array([statistic([each for each in seeds if each != out]) for out in seeds])
    count = len(seeds)
    return Estimate(
        value,
        float(
            widening(count) * np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
        ),
    )
