"""Errors from drawing replicas again: configurations of one replica are not independent, replicas
are.
"""

from collections.abc import Callable

import numpy as np

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate

CLEAR = 3


def draws(group: np.ndarray) -> np.ndarray:
    """How often each of q replicas is drawn, float64 (RESAMPLES, q): as many from each group (q,)
    as there are in it.
    """
    generator, found = np.random.default_rng(0), np.empty((RESAMPLES, len(group)))
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        found[:, members] = generator.multinomial(
            len(members), np.full(len(members), 1 / len(members)), RESAMPLES
        )
    return found


def by_temperature(
    temperature: np.ndarray, values: np.ndarray, times: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(temperatures (t,), means (..., t, c)) of values (q, c), each counted once, or as often as
    times (..., q) says.
    """
    known = np.unique(temperature)
    times = np.ones(len(temperature)) if times is None else times
    own = [temperature == t for t in known]
    return known, np.stack([times[..., here] @ values[here] / here.sum() for here in own], axis=-2)


def by_replica(replica: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first row of each replica (q,), sums over the replica's rows of columns (n, c): (q, c))."""
    _, first, place = np.unique(replica, return_index=True, return_inverse=True)
    return first, np.stack([np.bincount(place, column) for column in columns.T], axis=1)


def of_sums(
    replica: np.ndarray,
    group: np.ndarray,
    columns: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
) -> Estimate:
    """statistic(sums over configurations of columns (n, c), (..., c)) -> (...), its error by
    drawing replicas within each group (n,).
    """
    if len(columns) == 0:
        return UNDETERMINED
    first, sums = by_replica(replica, columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        drawn = statistic(draws(group[first]) @ sums) if len(sums) > 1 else np.empty(0)
    drawn = drawn[np.isfinite(drawn)]
    return Estimate(value, float(drawn.std(ddof=1)) if len(drawn) > 1 else np.nan)


def ratio(replica: np.ndarray, group: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> Estimate:
    """Sum of upper over sum of lower, both (n,); undetermined where the lower one is not CLEAR
    errors away from 0, for then the ratio is any number.
    """
    below = of_sums(replica, group, lower[:, None].astype(float), lambda s: s[..., 0])
    if CLEAR * below.error > abs(below.value):
        return UNDETERMINED
    return of_sums(
        replica, group, np.stack([upper, lower], axis=1), lambda s: s[..., 0] / s[..., 1]
    )


def difference(first: Estimate, second: Estimate) -> Estimate:
    """first - second, as if independent of each other."""
    return Estimate(first.value - second.value, float(np.hypot(first.error, second.error)))
