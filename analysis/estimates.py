"""A number and its standard error, and where the error comes from: resampling, binomial
intervals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kernels.estimate import written

RESAMPLES = 1000
POOLS = 4096  # more independent things than these are resampled in groups of equal size
ROUND_OFF = 1e-9  # of a number: an error that is smaller is none


@dataclass(frozen=True)
class Estimate:
    """value and standard error; NaN: not determined."""

    value: float
    error: float

    def __str__(self) -> str:
        """26.3(4), 26.31(14) or -1.5(2)e-9 (kernels.estimate.written).  Without an error, or one of
        rounding only: a whole number whole, else three digits.
        """
        if not np.isfinite(self.value):
            return "undetermined"
        if not np.isfinite(self.error) or self.error <= 1e-7 * abs(self.value):
            whole = self.value == round(self.value) or abs(self.value) > 999
            return f"{self.value:.0f}" if whole and abs(self.value) < 1e7 else f"{self.value:.3g}"
        return written(self.value, self.error)


def percent(share: Estimate) -> str:
    """98.1(2)%; what is more than ten times as large is said as a factor, "14.2 times"."""
    if not np.isfinite(share.value):
        return "an undetermined share"
    if abs(share.value) > 10:
        return f"{share} times"
    return f"{Estimate(100 * share.value, 100 * share.error)}%"


UNDETERMINED = Estimate(np.nan, np.nan)


def exact(value: float) -> Estimate:
    """A number without statistical error."""
    return Estimate(float(value), 0.0)


def together(found: list[Estimate]) -> Estimate:
    """One number that several runs have: the mean of those that know it.

    Where their errors explain how far the numbers are apart, it is weighted by 1 / error^2, and its
    error is the smaller one of all together. Where they do not, as of trainings that differ by more
    than their test samples tell, or where a number has no error, each run counts as one, and the
    error is that of their scatter. Equal numbers without an error stay as they are.
    """
    known = [e for e in found if np.isfinite(e.value)]
    if len(known) < 2:
        return known[0] if known else UNDETERMINED
    value, error = (np.array([getattr(e, name) for e in known]) for name in ("value", "error"))
    has = np.isfinite(error) & (error > ROUND_OFF * np.abs(value))
    if not has.any() and np.ptp(value) == 0:
        return known[0]
    mean = weighted(value, error) if has.all() else None
    if mean is not None:
        return mean
    own = error[has].mean() if has.any() else 0.0
    apart = float(max(value.std(ddof=1), own) / np.sqrt(len(value)))
    return Estimate(float(value.mean()), apart)


def weighted(value: np.ndarray, error: np.ndarray) -> Estimate | None:
    """Mean of numbers (n,) by their errors; None where these do not explain how far apart they
    are.
    """
    weight = error**-2.0
    mean = float((weight * value).sum() / weight.sum())
    if float((weight * (value - mean) ** 2).sum()) > len(value) - 1:
        return None
    return Estimate(mean, float(weight.sum() ** -0.5))


def resampled(sums: np.ndarray) -> np.ndarray:
    """Bootstrap of independent things with sums (n, c): the total of each draw, (RESAMPLES, c).

    More than POOLS are drawn in groups of every POOLS-th, whose sums scatter as the things do: time
    and memory stay bounded.
    """
    if len(sums) > POOLS:
        pooled = np.zeros((POOLS, sums.shape[1]))
        np.add.at(pooled, np.arange(len(sums)) % POOLS, sums)
        sums = pooled
    return _resamples(len(sums)) @ sums


@lru_cache(maxsize=2)
def _resamples(count: int) -> np.ndarray:
    """How often each of `count` independent things is drawn, float64 (RESAMPLES, count): the same
    draws whatever is estimated.
    """
    draws = (
        np.random.default_rng(0)
        .multinomial(count, np.full(count, 1 / count), RESAMPLES)
        .astype(float)
    )
    draws.flags.writeable = False
    return draws


def of_sums(columns: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Estimate:
    """statistic(sums over samples of columns (n, c), (..., c)) -> (...), its error by a bootstrap
    over samples.
    """
    if len(columns) == 0:
        return UNDETERMINED
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(columns.sum(axis=0)))
        drawn = statistic(resampled(columns)) if len(columns) > 1 else np.empty(0)
    drawn = drawn[np.isfinite(drawn)]
    return Estimate(value, float(drawn.std(ddof=1)) if len(drawn) > 1 else np.nan)


def ratio(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Sum of first over sum of second, both (n,) of the same samples."""
    return of_sums(np.stack([first, second], axis=1), lambda s: s[..., 0] / s[..., 1])


def wilson(hits: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 68% Wilson interval of a binomial share: sensible at 0 and 1, where p(1 - p)/n is
    not.
    """
    n, k = np.asarray(trials, float), np.asarray(hits, float)
    centre, half = (k + 0.5) / (n + 1), np.sqrt(k * (n - k) / n + 0.25) / (n + 1)
    return centre - half, centre + half
