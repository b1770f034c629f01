"""How good predictions of the six quantities are, sample by sample and as distributions, with
errors and baselines.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate
from analysis.segregation.dataset import TRAINING, Run
from analysis.segregation.predictions import Predictions
from analysis.segregation.quantities import SIX, Quantity
from analysis.verdicts import number

CHUNK = 50  # resamples held in memory together
DISTANCE_RESAMPLES = 200
# of the mean |truth| of segregated samples: a quantity of uniform fields below it is 0 but for
# round-off
NOTHING = 1e-6
BINS = (
    20  # of a histogram between the truth's smallest and largest value; two open bins beside them
)


def relative_error(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|predicted - truth| / |truth|; 0 where both are 0, infinite where the truth alone is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(predicted == truth, 0, np.abs(predicted - truth) / np.abs(truth))


def draws(count: int, resamples: int):
    """Yield rows of a bootstrap, int (CHUNK, count), the same each time."""
    generator = np.random.default_rng(0)
    for first in range(0, resamples, CHUNK):
        yield generator.integers(count, size=(min(CHUNK, resamples - first), count))


def accuracies(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 - median over samples of relative errors (k, n): (k,), and drawn by a bootstrap that is
    common to all k: (RESAMPLES, k).
    """
    if errors.shape[1] < 2:
        value = 1 - errors[:, 0] if errors.shape[1] else np.full(len(errors), np.nan)
        return value, np.empty((0, len(errors)))
    parts = [
        np.stack([np.median(row[rows], axis=1) for row in errors], axis=1)
        for rows in draws(errors.shape[1], RESAMPLES)
    ]
    return 1 - np.median(errors, axis=1), 1 - np.concatenate(parts)


def estimate(value: float, drawn: np.ndarray) -> Estimate:
    """Error: the drawn values' standard deviation; undetermined if any is infinite."""
    if not np.isfinite(value):
        return UNDETERMINED
    return Estimate(
        float(value),
        float(drawn.std(ddof=1)) if len(drawn) > 1 and np.isfinite(drawn).all() else np.nan,
    )


def edges(truth: np.ndarray) -> np.ndarray:
    """BINS + 1 edges from the truth's smallest value to its largest; a single value gets a bin of
    its own.

    With a little room, so that equidistant values (mean concentrations) do not fall on edges, where
    round-off would sort them.
    """
    low, high = truth.min(), truth.max()
    room = max(0.0062 * (high - low), 1e-9 * max(abs(low), abs(high), 1e-30))
    return np.linspace(low - room, high + room, BINS + 1)


def shares(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Share of values (..., n) in each of len(at) + 1 bins: (..., bins)."""
    bins = len(at) + 1
    place = np.searchsorted(at, values).reshape(-1, values.shape[-1])
    offset = place + bins * np.arange(len(place))[:, None]
    counts = np.bincount(offset.ravel(), minlength=bins * len(place)).reshape(
        *values.shape[:-1], bins
    )
    return counts / values.shape[-1]


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Common area of two histograms of shares (..., bins): 1 the same, 0 apart."""
    return np.minimum(first, second).sum(axis=-1)


def wasserstein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distance of two samples of one size (..., n)."""
    return np.abs(np.sort(first, axis=-1) - np.sort(second, axis=-1)).mean(axis=-1)


def distances(predicted: np.ndarray, truth: np.ndarray) -> tuple[Estimate, Estimate]:
    """(overlap of the histograms, Wasserstein-1 over the truth's standard deviation) of paired
    samples (n,).
    """
    if len(truth) < 2 or truth.std() == 0:
        return UNDETERMINED, UNDETERMINED
    at, spread = edges(truth), truth.std()
    common, far = [], []
    for rows in draws(len(truth), DISTANCE_RESAMPLES):
        p, t = predicted[rows], truth[rows]
        common.append(overlap(shares(p, at), shares(t, at)))
        far.append(wasserstein(p, t) / spread)
    return (
        estimate(overlap(shares(predicted, at), shares(truth, at)), np.concatenate(common)),
        estimate(wasserstein(predicted, truth) / spread, np.concatenate(far)),
    )


def given_mean(run: Run, quantity: str, rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Mean of a quantity of the steady states in `rows` of dataset.h5 at each of the mean
    concentrations `mean` (n,).

    Interpolated between the mean concentrations that the rows have.
    """
    known, place = np.unique(run.mean_concentration[rows].round(6), return_inverse=True)
    average = np.bincount(place, run.quantities[quantity][rows, -1]) / np.bincount(place)
    return np.interp(mean, known, average)


@dataclass(frozen=True)
class Skill:
    """One quantity by one forward model.  Estimates are {"value", "error"}, None where
    undetermined.

    All of segregated samples but `everything` (accuracy over all samples) and the last three:
    uniform_accuracy, and the median
    |predicted - truth| of uniform samples over the mean of |truth| of segregated ones.
    baseline_mean, baseline_given_mean: accuracies of a prediction that knows the training set's
    mean, or that mean at the sample's mean concentration; advantage: accuracy minus the better of
    them, drawn together.  other_*: the training set's distribution against the truth's.
    """

    run: str
    model: str
    quantity: str
    samples: int
    accuracy: dict
    baseline_mean: dict
    baseline_given_mean: dict
    advantage: dict
    everything: dict
    overlap: dict
    other_overlap: float | None
    distance: dict
    other_distance: float | None
    uniform_samples: int
    uniform_accuracy: dict
    uniform_error: float | None


def as_dict(e: Estimate) -> dict:
    return {"value": number(e.value), "error": number(e.error)}


def skill(run: Run, p: Predictions, quantity: Quantity) -> Skill:
    """Everything about one quantity of one forward model."""
    name, inside = quantity.name, p.segregated
    predicted, truth, mean = p.predicted[name], p.truth[name], p.mean_concentration
    rows = np.flatnonzero((run.split == TRAINING) & run.segregated)
    training = run.quantities[name][rows, -1]
    candidates = [predicted[inside]]
    if len(rows):
        candidates += [
            np.full(inside.sum(), training.mean()),
            given_mean(run, name, rows, mean[inside]),
        ]
    value, drawn = accuracies(np.stack([relative_error(c, truth[inside]) for c in candidates]))
    own, *baselines = (estimate(v, d) for v, d in zip(value, drawn.T, strict=True))
    advantage = (
        estimate(value[0] - value[1:].max(), drawn[:, 0] - drawn[:, 1:].max(axis=1))
        if baselines
        else UNDETERMINED
    )
    common, far = distances(predicted[inside], truth[inside])
    other = other_distances(training, truth[inside])
    everything, uniform = (
        _accuracy(predicted[s], truth[s]) for s in (np.ones(len(p), bool), ~inside)
    )
    scale = np.abs(truth[inside]).mean() if inside.any() else np.nan
    if np.abs(truth[~inside]).sum() <= NOTHING * scale * (~inside).sum():
        uniform = UNDETERMINED
    off = np.median(np.abs(predicted - truth)[~inside]) / scale if (~inside).any() else np.nan
    first, second = baselines or (UNDETERMINED, UNDETERMINED)
    return Skill(
        run.name,
        p.model,
        name,
        int(inside.sum()),
        as_dict(own),
        as_dict(first),
        as_dict(second),
        as_dict(advantage),
        as_dict(everything),
        as_dict(common),
        other[0],
        as_dict(far),
        other[1],
        int((~inside).sum()),
        as_dict(uniform),
        number(off),
    )


def _accuracy(predicted: np.ndarray, truth: np.ndarray) -> Estimate:
    value, drawn = accuracies(relative_error(predicted, truth)[None])
    return estimate(value[0], drawn[:, 0])


def other_distances(training: np.ndarray, truth: np.ndarray) -> tuple[float | None, float | None]:
    """(overlap, distance) of two independent sets of the truth: how near to 1 and 0 such numbers
    come by chance.
    """
    if len(training) < 2 or len(truth) < 2 or truth.std() == 0:
        return None, None
    at = edges(truth)
    return float(overlap(shares(training, at), shares(truth, at))), float(
        wasserstein_distance(training, truth) / truth.std()
    )


def skills(run: Run) -> list[Skill]:
    """All quantities of all forward models."""
    return [skill(run, p, quantity) for p in run.models(reverse=False) for quantity in SIX]
