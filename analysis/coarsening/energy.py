"""The free energy in time: relative error, the exponent of its fall, bands of an ensemble."""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.errors import over_starts
from analysis.coarsening.rollouts import Rollout, common
from analysis.estimates import UNDETERMINED, Estimate

LIMIT = 0.055  # of the relative error of F, the paper's
LAW = -1 / 3  # of F in time: domains grow as t^(1/3)
FIRST = 20.0  # time from which domains are far larger than their interfaces' width, and coarsen
LAYERS = 1.5  # F / V above so many times that of two flat layers: the box is still large
SPAN = 3.0  # the window must be at least so many times as late at its end as at its start
POINTS, BLOCKS = (
    60,
    6,
)  # of a fit, evenly in log t; left out in turn for the error of a single start


def at(rollout: Rollout, times: np.ndarray, name: str = "free_energy") -> np.ndarray:
    """A series at `times` within the rollout's, (count, t): the very values where it has these
    times, else linear between.
    """
    found = []
    for row in rollout.series[name]:
        known = np.isfinite(row)
        if known.any():
            found.append(np.interp(times, rollout.series_time[known], row[known]))
        else:
            found.append(np.full(len(times), np.nan))
    return np.stack(found)


@dataclass(frozen=True)
class Gap:
    """How far a rollout's free energy F is from the truth's.

    time: (t,), those at which the truth was looked at. relative: |F of the rollout - F of the
    truth| / F of the truth, mean over starts (t,), on the network's grid. kept: (k,), times of the
    kept frames of both; area, upsampled: the same at these of the area of the surface phi = 1/2,
    and of F of the waves of the network's grid on the solver's (k,), nan where not recorded.
    """

    time: np.ndarray
    relative: np.ndarray
    kept: np.ndarray
    area: np.ndarray
    upsampled: np.ndarray

    def largest(self) -> tuple[float, float]:
        """(largest of F over time, when)."""
        return float(self.relative.max()), float(self.time[self.relative.argmax()])


def gap(truth: Rollout | None, rollout: Rollout) -> Gap | None:
    """At the times at which the truth was looked at, as far as both go."""
    if truth is None or truth.count != rollout.count:
        return None
    times = truth.series_time
    times = times[times <= rollout.series_time[-1] * (1 + 1e-9)]
    kept = truth.time[common(truth, rollout)[0]]
    kept = kept[kept > 0]  # at t = 0 there are no interfaces yet

    def off(name: str, when: np.ndarray) -> np.ndarray:
        if name not in truth.series or name not in rollout.series:
            return np.full(len(when), np.nan)
        true, own = at(truth, when, name), at(rollout, when, name)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(own == true, 0, np.abs(own - true) / np.abs(true)).mean(axis=0)

    return Gap(
        times,
        off("free_energy", times),
        kept,
        off("area", kept),
        off("free_energy_upsampled", kept),
    )


def until(sensitivity: Gap | None) -> float:
    """Time from which on the area of the solver itself, from what the network's grid keeps of the
    start, is more than LIMIT off; inf: never, nan: not known.
    """
    if sensitivity is None or not np.isfinite(sensitivity.area).any():
        return np.nan
    late = sensitivity.kept[sensitivity.area > LIMIT]
    return float(late[0]) if len(late) else np.inf


def window(
    time: np.ndarray, free_energy: np.ndarray, volume: float, side: float
) -> tuple[float, float] | None:
    """Times between which F is fitted, from the mean F (t,) of the truth; None: too short to tell
    an exponent.

    From FIRST until F / V first falls below LAYERS times 2 / side, what two flat layers have.
    """
    late = np.flatnonzero(free_energy / volume < LAYERS * 2 / side)
    last = float(time[late[0]]) if len(late) else float(time[-1])
    return (FIRST, last) if last >= SPAN * FIRST else None


def exponent(
    time: np.ndarray, free_energy: np.ndarray, between: tuple[float, float] | None
) -> Estimate:
    """d log F / d log t of F (n, t): mean over starts of straight lines by least squares, its error
    from starts, or from blocks of t.
    """
    if between is None or between[1] > time[-1] * (1 + 1e-9):
        return UNDETERMINED
    x = np.linspace(*np.log(between), POINTS)
    known = time > 0
    y = np.stack([np.interp(x, np.log(time[known]), np.log(row[known])) for row in free_energy])
    if len(y) > 1:
        return over_starts(slopes(x, y))
    block = np.arange(POINTS) * BLOCKS // POINTS
    without = np.array([slopes(x[block != b], y[:, block != b])[0] for b in range(BLOCKS)])
    return Estimate(float(slopes(x, y)[0]), float(np.sqrt((BLOCKS - 1) * without.var())))


def slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of lines through y (n, points)."""
    centred = x - x.mean()
    return y @ centred / (centred**2).sum()


@dataclass(frozen=True)
class Bands:
    """Mean and standard deviation over the starts of F / V (1 / length) of truth and network, (t,)
    each.

    starts: how many. ratio: of the network's deviation to the truth's, both averaged over the
    frames after the first.
    """

    time: np.ndarray
    mean_truth: np.ndarray
    spread_truth: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    ratio: Estimate
    starts: int

    @property
    def off(self) -> np.ndarray:
        """Mean of the network minus that of the truth, in the truth's standard deviations; after
        the first frame.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.time > 0, (self.mean - self.mean_truth) / self.spread_truth, 0)


def bands(truth: Rollout | None, rollout: Rollout, volume: float) -> Bands | None:
    if truth is None or truth.count != rollout.count or rollout.count < 2:
        return None
    times = truth.series_time
    times = times[times <= rollout.series_time[-1] * (1 + 1e-9)]
    true, own = at(truth, times) / volume, at(rollout, times) / volume
    after = times > 0
    return Bands(
        times,
        true.mean(0),
        true.std(0, ddof=1),
        own.mean(0),
        own.std(0, ddof=1),
        spread_ratio(true[:, after], own[:, after]),
        rollout.count,
    )


def spread_ratio(true: np.ndarray, own: np.ndarray) -> Estimate:
    """Mean over time of the deviations over starts of own (n, t) over that of true; its error by
    leaving out the starts in turn.
    """

    def of(some) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(own[some].std(0, ddof=1).mean() / true[some].std(0, ddof=1).mean())

    n, whole = len(true), of(slice(None)) if true.shape[1] else np.nan
    if n < 3 or not np.isfinite(whole):
        return Estimate(whole, np.nan)
    without = np.array([of(np.arange(n) != i) for i in range(n)])
    return Estimate(whole, float(np.sqrt((n - 1) * without.var())))
