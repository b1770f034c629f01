"""How well a model predicts: MSE, floor, differences, each with the larger of two standard errors.

Two errors, because each misses something. Over folds: k folds share most of their training sets, so
that s^2/k is too small; Nadeau and Bengio (Machine Learning 52, 239 (2003)) put s^2 (1/k +
n_test/n_training) in its place. Over
events: whole events of the test sets are drawn again, folds pooled with equal weight; it sees that
configurations of one event are alike, but not what another training set would have given.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from analysis.estimates import Estimate
from analysis.nucleation import estimates
from analysis.nucleation.training import Fold


@dataclass(frozen=True)
class FoldEstimate(Estimate):
    """error: the larger of fold_error (corrected, NaN for one fold) and event_error (bootstrap over
    events).
    """

    fold_error: float
    event_error: float
    folds: int


@dataclass(frozen=True)
class Tested:
    """A fold with its test rows: row of dataset.h5, event, nucleated, copies, p_nuc measured and
    predicted, (t,) each.
    """

    number: int
    fold: Fold
    index: np.ndarray
    event: np.ndarray
    nucleated: np.ndarray
    copies: np.ndarray
    p_nuc: np.ndarray
    predicted: np.ndarray

    @property
    def squared_error(self) -> np.ndarray:
        return (self.predicted - self.p_nuc) ** 2

    @property
    def label_noise(self) -> np.ndarray:
        """p(1 - p)/(n - 1) of each row; a label with one copy, which says nothing of its noise, has
        the others' mean.
        """
        p = self.nucleated / self.copies
        noise = p * (1 - p) / np.maximum(self.copies - 1, 1)
        return np.where(self.copies > 1, noise, estimates.noise_floor(self.nucleated, self.copies))


def larger(*errors: float) -> float:
    """The largest finite error; NaN if there is none."""
    finite = [error for error in errors if np.isfinite(error)]
    return float(max(finite)) if finite else np.nan


def tested_over_trained(folds: list[Tested]) -> float:
    """n_test / n_training, averaged over folds."""
    return float(np.mean([len(f.index) / max(f.fold.training, 1) for f in folds]))


def corrected_error(values: np.ndarray, ratio: float) -> float:
    """Standard error of the mean of k fold values, variance s^2 (1/k + ratio); NaN for fewer than
    two.
    """
    count = len(values)
    return float(np.sqrt(np.var(values, ddof=1) * (1 / count + ratio))) if count > 1 else np.nan


def over_folds(values: np.ndarray, folds: list[Tested]) -> FoldEstimate:
    """Mean over folds of one number a fold; no bootstrap is possible (weights, for example).

    With nothing but a few folds to go by, the error is widened by Student's t, so that 2 errors
    still hold 95%.
    """
    widening = student_t.ppf(norm.cdf(2), len(values) - 1) / 2 if len(values) > 1 else np.nan
    error = corrected_error(values, tested_over_trained(folds)) * widening
    return FoldEstimate(float(np.mean(values)), error, error, np.nan, len(values))


def estimate(folds: list[Tested], columns: Callable, statistic: Callable) -> FoldEstimate:
    """statistic of the columns' means.

    columns(fold) -> (t, c): a few numbers for each of its test rows; statistic: (..., c) means ->
    (...). The value is the statistic of the means averaged over folds.
    """
    return of_parts(folds, [columns(fold) for fold in folds], statistic)


def of_parts(folds: list[Tested], parts: list[np.ndarray], statistic: Callable) -> FoldEstimate:
    """`estimate` of columns that are there, (t, c) a fold."""
    means = np.array([part.mean(axis=0) for part in parts])
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.array([float(statistic(row)) for row in means])
        value = float(statistic(means.mean(axis=0)))
    event, weighted = _weighted(folds, parts)
    by_events = estimates.by_events(event, weighted, lambda s: statistic(s[..., 1:] / s[..., :1]))
    fold_error = corrected_error(each, tested_over_trained(folds))
    return FoldEstimate(
        value, larger(fold_error, by_events.error), fold_error, by_events.error, len(folds)
    )


def _weighted(folds: list[Tested], parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(event, columns with a leading 1) of all folds' test rows, each fold of the same total
    weight.
    """
    event = np.concatenate([fold.event for fold in folds])
    rows = [np.hstack([np.ones((len(part), 1)), part]) / len(part) for part in parts]
    return event, np.concatenate(rows)


def floor(folds: list[Tested]) -> float:
    """Label-noise floor of the folds' test sets, mean over folds."""
    return float(np.mean([estimates.noise_floor(f.nucleated, f.copies) for f in folds]))


def variance(folds: list[Tested]) -> float:
    """Variance of p_nuc in the test sets, mean over folds: the MSE of predicting the mean."""
    return float(np.mean([f.p_nuc.var() for f in folds]))


def mse(folds: list[Tested]) -> FoldEstimate:
    """Mean square error of p_nuc."""
    return estimate(folds, lambda f: f.squared_error[:, None], lambda m: m[..., 0])


def root_mse(folds: list[Tested]) -> FoldEstimate:
    """sqrt(MSE), what the paper calls average error."""
    return estimate(folds, lambda f: f.squared_error[:, None], lambda m: np.sqrt(m[..., 0]))


def absolute_error(folds: list[Tested]) -> FoldEstimate:
    """Mean |predicted - measured|."""
    return estimate(folds, lambda f: np.abs(f.predicted - f.p_nuc)[:, None], lambda m: m[..., 0])


def excess(folds: list[Tested]) -> FoldEstimate:
    """MSE - floor: what a perfect predictor would still gain."""
    return estimate(
        folds,
        lambda f: np.column_stack([f.squared_error, f.label_noise]),
        lambda m: m[..., 0] - m[..., 1],
    )


def explained(folds: list[Tested]) -> FoldEstimate:
    """1 - (MSE - floor)/(var(p) - floor): share of the explainable variance; 1 perfect, 0 no better
    than the mean.
    """

    def share(m):
        error, noise, p, square = np.moveaxis(m, -1, 0)
        return 1 - (error - noise) / (square - p**2 - noise)

    return estimate(
        folds,
        lambda f: np.column_stack([f.squared_error, f.label_noise, f.p_nuc, f.p_nuc**2]),
        share,
    )


def paired(first: list[Tested], second: list[Tested]) -> list[tuple[Tested, Tested]]:
    """Folds of two models with the same number and the same test rows."""
    others = {fold.number: fold for fold in second}
    pairs = [(fold, others[fold.number]) for fold in first if fold.number in others]
    return [(a, b) for a, b in pairs if np.array_equal(a.index, b.index)]


def difference(first: list[Tested], second: list[Tested]) -> FoldEstimate | None:
    """MSE of the first minus MSE of the second model, paired row by row; None without a common
    fold.
    """
    return _of_pairs(paired(first, second), lambda m: m[..., 0] - m[..., 1])


def reduction(first: list[Tested], second: list[Tested]) -> FoldEstimate | None:
    """1 - MSE(first)/MSE(second), paired: 0.4 where the first model's error is 40% lower."""
    return _of_pairs(paired(first, second), lambda m: 1 - m[..., 0] / m[..., 1])


def _of_pairs(pairs: list[tuple[Tested, Tested]], statistic: Callable) -> FoldEstimate | None:
    if not pairs:
        return None
    parts = [np.column_stack([a.squared_error, b.squared_error]) for a, b in pairs]
    return of_parts([a for a, _ in pairs], parts, statistic)


def between_splits(by_event: list[Tested], by_configuration: list[Tested]) -> FoldEstimate:
    """MSE split by event minus MSE split by configuration: what sharing events between training and
    test hides.

    The test sets differ, so the fold errors add in quadrature; the bootstrap draws the same events
    in both.
    """
    parts = [
        _weighted(folds, [f.squared_error[:, None] for f in folds])
        for folds in (by_event, by_configuration)
    ]
    event = np.concatenate([part[0] for part in parts])
    zeros = [np.zeros_like(part[1]) for part in parts]
    columns = np.concatenate(
        [np.hstack([parts[0][1], zeros[0]]), np.hstack([zeros[1], parts[1][1]])]
    )
    found = estimates.by_events(
        event, columns, lambda s: s[..., 1] / s[..., 0] - s[..., 3] / s[..., 2]
    )
    fold_error = float(np.hypot(mse(by_event).fold_error, mse(by_configuration).fold_error))
    return FoldEstimate(
        found.value,
        larger(fold_error, found.error),
        fold_error,
        found.error,
        min(len(by_event), len(by_configuration)),
    )


def independent(first: Estimate, second: Estimate) -> Estimate:
    """first - second of two systems, errors in quadrature."""
    return Estimate(first.value - second.value, float(np.hypot(first.error, second.error)))
