"""How long a run remembers: integrated autocorrelation times from the looks after equilibration,
and whether starts agree.

tau_int = dt (1/2 + sum_{t=1}^{W} Gamma(t)/Gamma(0)), W the smallest window with W >= WINDOW tau
(Sokal, Monte Carlo Methods in Statistical Mechanics, 1996), Gamma averaged over replicas; its error
tau sqrt((4W + 2)/n), n looks in all (Madras and Sokal, J. Stat. Phys. 50, 109, 1988).  A mean
effective number of independent looks is n dt / (2 tau).
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import Estimate
from analysis.flocking.dataset import Run, Series
from analysis.flocking.labels import BAND, OBSERVABLES
from analysis.flocking.physical import states

WINDOW = 6.0
LOOKS = 10  # after equilibration, at least
TOLERANCE = 0.05  # of |m|: starts that differ by less agree


@dataclass(frozen=True)
class Time:
    """tau and its error, time units; known: whether the window closed within half of the looks,
    else tau is a lower bound.
    """

    tau: Estimate
    known: bool


def covariance(values: np.ndarray) -> np.ndarray:
    """Re mean_s conj(z(s)) z(s + t) over looks and replicas, float (o,), of values (q, o), real or
    complex, their mean taken off before.
    """
    looks = values.shape[1]
    power = np.abs(np.fft.fft(values, 2 * looks, axis=1)) ** 2
    return np.fft.ifft(power.mean(axis=0)).real[:looks] / np.arange(looks, 0, -1)


def integrated(gamma: np.ndarray, step: float, looks: int) -> Time:
    """tau_int of an autocovariance (o,) at multiples of `step`, that `looks` looks in all were
    averaged for.
    """
    if len(gamma) < 2 or not gamma[0] > 0:
        return Time(Estimate(np.nan, np.nan), False)
    rho = gamma / gamma[0]
    tau = 0.5 + np.concatenate([[0.0], np.cumsum(rho[1:])])
    closed = np.flatnonzero(np.arange(len(tau)) >= WINDOW * tau)
    window = int(closed[0]) if len(closed) else len(tau) - 1
    value = max(float(tau[window]), 0.5)
    known = bool(len(closed)) and window <= len(gamma) // 2
    return Time(
        Estimate(step * value, step * value * float(np.sqrt((4 * window + 2) / looks))), known
    )


def phase_covariance(modes: np.ndarray) -> np.ndarray:
    """covariance() of the phases u of complex modes (q, o), each replica's mean advance from look
    to look taken off.

    So a band that travels at a steady speed keeps what is known of its place.
    """
    unit = modes / np.maximum(np.abs(modes), np.finfo(float).tiny)
    advance = (unit[:, 1:] * unit[:, :-1].conj()).mean(axis=1)
    return covariance(unit * np.exp(-1j * np.angle(advance)[:, None] * np.arange(modes.shape[1])))


def regular(series: Series, rows: np.ndarray, first: float) -> np.ndarray:
    """Which looks (o,) bool of replicas `rows` count: at or after time `first`, while all of these
    run, equally far apart.

    Samples may be taken between the regular looks.
    """
    apart = (series.time - series.time[0]) / series.step
    there = np.isfinite(series.modes[rows][:, :, 0]).all(axis=0)
    return (series.time >= first) & there & (np.abs(apart - np.rint(apart)) < 1e-6)


def times(series: Series, rows: np.ndarray, first: float) -> dict[str, Time]:
    """tau of every observable from the looks at or after time `first` of replicas `rows`, all of
    one (rho0, T).

    |m| and the amplitude have the mean over these replicas taken off, so replicas stuck apart show
    as a long time; m and the phase have mean 0 by symmetry.
    """
    late = regular(series, rows, first)
    m, modes = series.order[rows][:, late], series.modes[rows][:, late, 0]
    looks, step = m.size, series.step
    found = {}
    for name, values in (("abs_m", np.abs(m)), ("m", m), ("amplitude", np.abs(modes))):
        off = values - (0.0 if name == "m" else values.mean())
        found[name] = integrated(covariance(off), step, looks)
    found["phase"] = integrated(phase_covariance(modes), step, looks)
    return found


@dataclass(frozen=True)
class Times:
    """Of one observable by temperature: tau and its error in time units, float64 (t,); known (t,):
    whether the window closed in time, else tau is a lower bound.
    """

    tau: np.ndarray
    error: np.ndarray
    known: np.ndarray

    @property
    def worst(self) -> int | None:
        """Where tau is longest; None: it is known nowhere."""
        return int(np.nanargmax(self.tau)) if np.isfinite(self.tau).any() else None

    def longest(self) -> Estimate:
        return Estimate(float(self.tau[self.worst]), float(self.error[self.worst]))


@dataclass(frozen=True)
class Curve:
    """value and standard error by temperature, float64 (t,), NaN where there is none."""

    value: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Relaxation:
    """At the reference density: temperature (t,); times {observable: Times}; interval: time between
    samples.

    times are of the replicas that never show domains of both spins in a configuration, where there
    are any: the others have not relaxed, as ordered and disordered say.
    ordered, disordered: late |m| by start, over replicas; banded (t,): share of configurations in
    phase L+G, NaN without phases.h5; agree (t,): 1 where the starts agree, 0 where they do not, NaN
    unknown.
    """

    temperature: np.ndarray
    times: dict[str, Times]
    interval: float
    ordered: Curve
    disordered: Curve
    banded: np.ndarray
    agree: np.ndarray

    def between(self, observable: str) -> np.ndarray:
        """Correlation times between two samples (t,), an upper bound where tau is a lower one."""
        return self.interval / self.times[observable].tau


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """1 if the means of two sets of independent values (a,), (b,) differ by no more than TOLERANCE
    and 2 errors, else 0; nan: too few.

    The error is from the scatter of both sets together: three replicas that happen to be alike do
    not make it 0.
    """
    a, b = len(first), len(second)
    if min(a, b) == 0 or a + b < 3:
        return np.nan
    scatter = np.sqrt(
        (((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()) / (a + b - 2)
    )
    return float(
        abs(first.mean() - second.mean()) <= TOLERANCE + 2 * scatter * np.sqrt(1 / a + 1 / b)
    )


def mean_of(values: np.ndarray) -> Estimate:
    """Mean of independent values (q,) and its error; nan for none."""
    if len(values) == 0:
        return Estimate(np.nan, np.nan)
    return Estimate(
        float(values.mean()),
        float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan,
    )


def relaxation(run: Run) -> Relaxation | None:
    """None: no series, or fewer than LOOKS looks after equilibration."""
    series = run.series
    if series is None:
        return None
    here = np.isclose(series.mean_density, run.reference)
    looks = np.flatnonzero(regular(series, np.flatnonzero(here), run.equilibration))
    if len(looks) < LOOKS or not here.any():
        return None
    known = np.unique(series.temperature[here])
    own = run.at(run.reference)
    stuck = np.unique(run.replica[own[states(run, own).mixed]])
    found, ordered, disordered, banded, agree = {name: [] for name in OBSERVABLES}, [], [], [], []
    late = looks[len(looks) // 2 :]
    for temperature in known:
        rows = np.flatnonzero(here & (series.temperature == temperature))
        relaxed = rows[~np.isin(series.replica[rows], stuck)]
        for name, time in times(
            series, relaxed if len(relaxed) else rows, run.equilibration
        ).items():
            found[name].append(time)
        m = np.abs(series.order[rows][:, late]).mean(axis=1)
        one, other = m[series.start[rows] != 0], m[series.start[rows] == 0]
        ordered.append(mean_of(one))
        disordered.append(mean_of(other))
        agree.append(agreement(one, other))
        at = own[run.temperature[own] == temperature]
        banded.append(
            np.nan
            if run.phases is None or len(at) == 0
            else float((run.phases.phase[at] == BAND).mean())
        )
    interval = float(run.config["generate"].get("interval", np.nan))
    return Relaxation(
        known,
        {name: together(times) for name, times in found.items()},
        interval,
        *(
            Curve(*(np.array([getattr(e, what) for e in own]) for what in ("value", "error")))
            for own in (ordered, disordered)
        ),
        np.array(banded),
        np.array(agree),
    )


def together(times: list[Time]) -> Times:
    return Times(
        *(np.array([getattr(time.tau, what) for time in times]) for what in ("value", "error")),
        np.array([time.known for time in times]),
    )
