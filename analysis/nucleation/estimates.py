"""Numbers with error bars. Configurations of one event are correlated, so events are what is
resampled.
"""

import numpy as np
from scipy.stats import rankdata

from analysis.estimates import RESAMPLES, UNDETERMINED, Estimate, resampled
from jobs.nucleation.collect import bin_of


def event_sums(event: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sums of columns (n, c) over the rows of each event: (events with rows, c)."""
    _, index = np.unique(event, return_inverse=True)
    sums = np.zeros((index.max(initial=-1) + 1, columns.shape[1]))
    np.add.at(sums, index, columns)
    return sums


def by_events(event: np.ndarray, columns: np.ndarray, statistic) -> Estimate:
    """statistic(sums over rows, (..., c)) -> (...), its error by a bootstrap that draws whole
    events.
    """
    sums = event_sums(event, columns)
    if len(sums) == 0:
        return UNDETERMINED
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        if len(sums) < 2:
            return Estimate(value, np.nan)
        drawn = statistic(resampled(sums))
        drawn = drawn[np.isfinite(drawn)]  # one and the same event may leave nothing to compare
        return Estimate(value, float(drawn.std(ddof=1)) if len(drawn) > 1 else np.nan)


def mean(event: np.ndarray, values: np.ndarray) -> Estimate:
    """Mean over configurations."""
    return by_events(
        event, np.stack([np.ones(len(values)), values], axis=1), lambda s: s[..., 1] / s[..., 0]
    )


def correlation(event: np.ndarray, x: np.ndarray, y: np.ndarray) -> Estimate:
    """Pearson's r of x and y."""

    def pearson(s):
        n, sx, sy, sxx, syy, sxy = np.moveaxis(s, -1, 0)
        return (n * sxy - sx * sy) / np.sqrt((n * sxx - sx**2) * (n * syy - sy**2))

    x, y = (
        x - x.mean() if len(x) else x,
        y - y.mean() if len(y) else y,
    )  # centred: no cancellation in the sums
    return by_events(event, np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1), pearson)


def rank_correlation(event: np.ndarray, x: np.ndarray, y: np.ndarray) -> Estimate:
    """Spearman's: Pearson's r of the ranks, to which a few values far off do nothing."""
    return correlation(event, rankdata(x), rankdata(y))


def bins_of(x: np.ndarray, count: int) -> np.ndarray:
    """Index of each x among up to `count` bins of about equal occupation (fewer where x takes few
    values).
    """
    edges = np.unique(np.quantile(x, np.linspace(0, 1, count + 1)[1:-1]))
    return np.searchsorted(edges, x, side="right")


def variance_explained(
    event: np.ndarray, x: np.ndarray, y: np.ndarray, count: int = 20
) -> Estimate:
    """Correlation ratio: share of y's variance that its conditional mean given x explains, whatever
    the curve's shape.
    """
    if len(x) == 0:
        return UNDETERMINED
    member = np.eye(count)[bins_of(x, count)]

    def ratio(s):
        n, sy, syy = np.moveaxis(s[..., :3], -1, 0)
        inside, total = s[..., 3 : 3 + count], s[..., 3 + count :]
        between = np.where(inside > 0, total**2 / np.maximum(inside, 1), 0).sum(axis=-1) - sy**2 / n
        return between / (syy - sy**2 / n)

    y = y - y.mean()
    rest = np.stack([np.ones(len(x)), y, y * y], axis=1)
    return by_events(event, np.hstack([rest, member, member * y[:, None]]), ratio)


def conditional_mean(event: np.ndarray, x: np.ndarray, y: np.ndarray, count: int = 12):
    """(median x, mean y, error of mean y) in bins of about equal occupation: three arrays.  The
    mean x of an outer bin would lie where hardly any of it is.
    """
    index = bins_of(x, count)
    rows = [
        (np.median(x[index == b]), mean(event[index == b], y[index == b])) for b in np.unique(index)
    ]
    return (
        np.array([row[0] for row in rows]),
        np.array([row[1].value for row in rows]),
        np.array([row[1].error for row in rows]),
    )


def mean_lifetime(lifetime: np.ndarray) -> Estimate:
    """Mean and standard error of independent lifetimes, MCS."""
    spread = lifetime.std(ddof=1) / np.sqrt(len(lifetime)) if len(lifetime) > 1 else np.nan
    return Estimate(float(lifetime.mean()), float(spread)) if len(lifetime) else UNDETERMINED


def coefficient_of_variation(lifetime: np.ndarray) -> Estimate:
    """Standard deviation over mean: 1 for an exponential law."""

    def ratio(s):
        n, total, squares = np.moveaxis(s, -1, 0)
        return np.sqrt(n / (n - 1) * (squares / n - (total / n) ** 2)) / (total / n)

    if len(lifetime) < 3:
        return UNDETERMINED
    columns = np.stack([np.ones(len(lifetime)), lifetime, lifetime**2], axis=1)
    return by_events(np.arange(len(lifetime)), columns, ratio)


def noise_floor(nucleated: np.ndarray, copies: np.ndarray) -> float:
    """Mean over labels of p(1 - p)/(n - 1): the mean square error that the labels' binomial noise
    alone leaves.

    1/600 for uniform p and n = 100 copies. Unbiased when n is fixed beforehand; a little low when
    copying stops by the error reached so far. Labels with a single copy say nothing about their
    noise and are left out.
    """
    several = copies > 1
    if not several.any():
        return float("nan")
    p = nucleated[several] / copies[several]
    return float(np.mean(p * (1 - p) / (copies[several] - 1)))


def fillings(nucleated: np.ndarray, copies: np.ndarray, bins: int) -> np.ndarray:
    """Labels in each of `bins` equal bins of p_nuc, those that balancing uses."""
    return np.bincount(bin_of(nucleated, copies, bins), minlength=bins)


def crossing_ages(
    event: np.ndarray, time: np.ndarray, p: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """(events, ages in MCS): how long before t = 0 p_nuc last rose through `threshold`.

    Linear between labels, with p = 1 at t = 0. Infinite where no label lies below the threshold:
    the droplet was older than the first label. Rows must be sorted by event, then time.
    """
    events, first = np.unique(event, return_index=True)
    ages = np.full(len(events), np.inf)
    for i, rows in enumerate(np.split(np.arange(len(event)), first[1:]) if len(events) else []):
        t, q = np.append(time[rows], 0), np.append(p[rows], 1.0)
        below = np.flatnonzero(q < threshold)
        if len(below):
            j = below[-1]
            ages[i] = -(t[j] + (threshold - q[j]) / (q[j + 1] - q[j]) * (t[j + 1] - t[j]))
    return events, ages


def median(values: np.ndarray) -> Estimate:
    """Median (robust to infinite, that is censored, values) with its bootstrap error; undetermined
    if itself infinite.
    """
    if len(values) == 0 or not np.isfinite(np.median(values)):
        return UNDETERMINED
    generator = np.random.default_rng(0)
    draws = [np.median(generator.choice(values, len(values))) for _ in range(RESAMPLES)]
    finite = np.array(draws)[np.isfinite(draws)]
    return Estimate(
        float(np.median(values)), float(finite.std(ddof=1)) if len(finite) > 1 else np.nan
    )


def label_entropy(p: np.ndarray) -> float:
    """Mean binary entropy of measured probabilities, nat: no prediction has a smaller cross entropy
    with them.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p), 0) + np.where(p < 1, (1 - p) * np.log1p(-p), 0)
    return float(-np.mean(terms))
