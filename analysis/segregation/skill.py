"""How good predictions of the six quantities are, sample by sample and as distributions, with
errors, and beside predictions that have seen no field.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate
from analysis.segregation.labels import SIX

CHUNK = 50  # resamples held in memory together
DISTANCE_RESAMPLES = 200
# of the mean |truth| of segregated samples: a quantity of uniform fields below it is 0 but for
# round-off
NOTHING = 1e-6
# of a histogram between the truth's smallest and largest value; two open bins beside them
BINS = 20
FLAT = 1e-3  # of the quantity's scale: what spreads less is a single number and has no overlap
PLACES = {quantity.name: place for place, quantity in enumerate(SIX)}


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


@dataclass(frozen=True)
class Trained:
    """What a prediction can know without a field: a quantity over the segregated training samples.

    values: float64 (n,).  at, average: float64 (m,), mean concentrations and the quantity's mean
    there.
    """

    values: np.ndarray
    at: np.ndarray
    average: np.ndarray

    def given(self, mean: np.ndarray) -> np.ndarray:
        """The mean at each of the mean concentrations (n,), linear between those there are."""
        return np.interp(mean, self.at, self.average)


def trained(mean: np.ndarray, values: np.ndarray) -> Trained:
    """Of training samples (n,) of these mean concentrations."""
    at, place = np.unique(mean.round(6), return_inverse=True)
    return Trained(values, at, np.bincount(place, values) / np.bincount(place))


def mean_alone(mean: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What the mean concentration alone tells of some samples: for each, the mean of the others'
    quantities (k, n) at its mean concentration (n,), linear between the nearest ones where there is
    no other there; nan: there is none at all.
    """
    at, place, count = np.unique(mean.round(6), return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(place, row) for row in truth])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (sums[:, place] - truth) / (count[place] - 1)
    for i in np.flatnonzero(count[place] == 1):
        others = at != at[place[i]]
        found[:, i] = [
            np.interp(mean[i], at[others], row[others] / count[others]) if others.any() else np.nan
            for row in sums
        ]
    return found


@dataclass(frozen=True)
class Skills:
    """The six quantities by a forward network; rows in the order mean concentration, area,
    perimeter, chemical, surface, free energy.

    float64 (6, 2), value and standard error, NaN: undetermined; of samples that segregate:
    accuracy; baseline_mean, baseline_given_mean: accuracies of a prediction that knows the training
    set's mean, or that mean at the sample's mean concentration; advantage: accuracy minus the
    better of them, drawn together; overlap and distance of the distributions.  Of all samples:
    everything, the accuracy.  Of uniform ones: uniform_accuracy.  uniform_overlap: of uniform ones,
    NaN where the truth is a single number.

    float64 (6,): other_overlap, other_distance: the training set's distribution against the
    truth's; uniform_error: median |predicted - truth| of uniform samples over the mean |truth| of
    segregated ones.
    """

    accuracy: np.ndarray
    baseline_mean: np.ndarray
    baseline_given_mean: np.ndarray
    advantage: np.ndarray
    everything: np.ndarray
    overlap: np.ndarray
    distance: np.ndarray
    uniform_accuracy: np.ndarray
    uniform_overlap: np.ndarray
    other_overlap: np.ndarray
    other_distance: np.ndarray
    uniform_error: np.ndarray

    def of(self, what: str, quantity: str) -> Estimate:
        """accuracy, advantage, ... of a quantity."""
        return Estimate(*getattr(self, what)[PLACES[quantity]].tolist())

    def number(self, what: str, quantity: str) -> float:
        """other_overlap, ... of a quantity."""
        return float(getattr(self, what)[PLACES[quantity]])


def skills(predicted: dict, truth: dict, mean: np.ndarray, inside: np.ndarray, known: dict):
    """Skills of predicted and true quantities {name: (n,)} of samples of these mean concentrations;
    inside: which of them segregate; known: {name: Trained}, without those there is nothing of.
    """
    rows = [_skill(predicted[q.name], truth[q.name], mean, inside, known.get(q.name)) for q in SIX]
    return Skills(**{name: np.array([row[name] for row in rows]) for name in rows[0]})


def _skill(predicted, truth, mean, inside, known: Trained | None) -> dict:
    """Everything about one quantity, by its name in Skills."""
    candidates = [predicted[inside]]
    if known is not None:
        candidates += [np.full(inside.sum(), known.values.mean()), known.given(mean[inside])]
    value, drawn = accuracies(np.stack([relative_error(c, truth[inside]) for c in candidates]))
    own, *baselines = (estimate(v, d) for v, d in zip(value, drawn.T, strict=True))
    advantage = (
        estimate(value[0] - value[1:].max(), drawn[:, 0] - drawn[:, 1:].max(axis=1))
        if baselines
        else UNDETERMINED
    )
    first, second = baselines or (UNDETERMINED, UNDETERMINED)
    common, far = distances(predicted[inside], truth[inside])
    other = (np.nan, np.nan) if known is None else other_distances(known.values, truth[inside])
    found = {
        "accuracy": own,
        "baseline_mean": first,
        "baseline_given_mean": second,
        "advantage": advantage,
        "everything": _accuracy(predicted, truth),
        "overlap": common,
        "distance": far,
        **_uniform(predicted, truth, inside),
    }
    pairs = {name: (e.value, e.error) for name, e in found.items()}
    return pairs | {
        "other_overlap": other[0],
        "other_distance": other[1],
        "uniform_error": _uniform_error(predicted, truth, inside),
    }


def _accuracy(predicted: np.ndarray, truth: np.ndarray) -> Estimate:
    value, drawn = accuracies(relative_error(predicted, truth)[None])
    return estimate(value[0], drawn[:, 0])


def _uniform(predicted, truth, inside) -> dict[str, Estimate]:
    """Accuracy and overlap of the samples that stay uniform."""
    own, answer = truth[~inside], predicted[~inside]
    scale = np.abs(truth[inside]).mean() if inside.any() else np.nan
    nothing = np.abs(own).sum() <= NOTHING * scale * len(own)
    spread = len(own) > 1 and np.ptp(own) > FLAT * np.abs(truth).max()
    return {
        "uniform_accuracy": UNDETERMINED if nothing else _accuracy(answer, own),
        "uniform_overlap": distances(answer, own)[0] if spread else UNDETERMINED,
    }


def _uniform_error(predicted, truth, inside) -> float:
    if inside.all() or not inside.any():
        return np.nan
    return float(np.median(np.abs(predicted - truth)[~inside]) / np.abs(truth[inside]).mean())


def other_distances(training: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """(overlap, distance) of two independent sets of the truth: how near to 1 and 0 such numbers
    come by chance.
    """
    if len(training) < 2 or len(truth) < 2 or truth.std() == 0:
        return np.nan, np.nan
    at = edges(truth)
    return float(overlap(shares(training, at), shares(truth, at))), float(
        wasserstein_distance(training, truth) / truth.std()
    )
