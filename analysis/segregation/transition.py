"""Which mixtures segregate: the share of segregated samples against the mean concentration, and
where it passes 1/2.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from analysis.estimates import RESAMPLES, Estimate

LOWER, UPPER = "lower", "upper"


@dataclass(frozen=True)
class Position:
    """Mean concentration at which half of the samples segregate, on one side of 1/2.

    truth, prediction, difference: prediction minus truth; NaN: nowhere.  gap: between the two mean
    concentrations about the truth's.
    """

    truth: Estimate
    prediction: Estimate
    difference: Estimate
    gap: float


@dataclass(frozen=True)
class Shares:
    """At each of m mean concentrations: how many of the samples segregate.

    mean: float64 (m,), increasing.  int64 (m,): samples; truth, predicted: those that segregate in
    truth and as predicted; both: in truth and as predicted.
    """

    mean: np.ndarray
    samples: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    both: np.ndarray


def count(mean: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> Shares:
    """Shares of samples with mean concentration `mean` (n,), segregated in truth and as predicted,
    bool (n,).
    """
    values, place = np.unique(mean.round(6), return_inverse=True)
    return Shares(
        values,
        np.bincount(place),
        *(np.bincount(place, flag) for flag in (truth, predicted, truth & predicted)),
    )


def position(mean: np.ndarray, share: np.ndarray, side: str) -> float:
    """Mean concentration at which the share (m,) of segregated samples passes 1/2, below or above a
    mean of 1/2; nan: nowhere.

    Linear between the points of a monotone fit (isotonic regression), so that chance fluctuations
    cannot cross it twice.
    """
    half = mean <= 0.5 if side == LOWER else mean >= 0.5
    x, y = (mean[half], share[half]) if side == LOWER else (1 - mean[half][::-1], share[half][::-1])
    if len(x) < 2:
        return np.nan
    y = isotonic_regression(y).x
    if y[0] >= 0.5 or y[-1] < 0.5:
        return np.nan
    i = int(np.searchsorted(y, 0.5))
    crossing = x[i - 1] + (0.5 - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1])
    return float(crossing if side == LOWER else 1 - crossing)


def gap(mean: np.ndarray, share: np.ndarray, side: str) -> float:
    """Distance of the two mean concentrations between which the share passes 1/2: what its position
    is good to.
    """
    at = position(mean, share, side)
    i = int(np.searchsorted(mean, at))
    return float(mean[i] - mean[i - 1]) if np.isfinite(at) else np.nan


def positions(shares: Shares, side: str) -> Position:
    """Where the shares pass 1/2; errors by drawing samples of each mean again."""
    n, t, p, both = shares.samples, shares.truth, shares.predicted, shares.both
    chances = np.stack([both, t - both, p - both, n - t - p + both], axis=1) / n[:, None]
    generator = np.random.default_rng(0)
    drawn = np.stack(
        [
            generator.multinomial(k, np.clip(c, 0, None) / np.clip(c, 0, None).sum(), RESAMPLES)
            for k, c in zip(n.astype(int), chances, strict=True)
        ],
        axis=1,
    )
    pairs = np.array(
        [
            [position(shares.mean, (d[:, 0] + d[:, other]) / n, side) for other in (1, 2)]
            for d in drawn
        ]
    )
    values = [position(shares.mean, flags / n, side) for flags in (t, p)]
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    errors = [
        float(x.std(ddof=1)) if len(pairs) > 1 else np.nan
        for x in (pairs[:, 0], pairs[:, 1], pairs[:, 1] - pairs[:, 0])
    ]
    differences = (*values, values[1] - values[0])
    return Position(
        *(Estimate(float(v), e) for v, e in zip(differences, errors, strict=True)),
        gap(shares.mean, t / n, side),
    )
