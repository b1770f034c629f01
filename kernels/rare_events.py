"""How long metastable states of the Ising model live, and how they end, also where no simulation
waits long enough.

Lifetime    mean MCS from the turn of the field to m <= 0, all up before (Ising.nucleate)
Committor   the probability that a configuration, left alone, reaches m <= 0 before it is back in
            the metastable state
Forward     the rate of nucleation is the flux through a first interface, U <= U_0 spins up, of
flux        trajectories that come from the metastable state A, U >= U_A, times the probabilities to
            reach the next interface, U <= U_i, before A, from where the one before was reached:
            rate = flux(A -> 0) P(0 -> 1) P(1 -> 2) ..., the last of them m <= 0. Nothing is assumed
            of equilibrium or of U as a reaction coordinate; a poor one costs trials, not truth;
            the size of the largest droplet may stand in its place (kernels/forward_flux.py). A
            lifetime begins with the fall into that state, some tens of MCS that 1 / rate lacks
Sources     R. J. Allen, P. B. Warren, P. R. ten Wolde, Phys. Rev. Lett. 94, 018104 (2005);
            R. J. Allen, D. Frenkel, P. R. ten Wolde, J. Chem. Phys. 124, 024102 (2006); places of
            the interfaces: K. Kratzer, A. Arnold, R. J. Allen, J. Chem. Phys. 138, 164112 (2013)

    from kernels.ising import Ising
    from kernels.rare_events import forward_flux
    model = Ising(size=10, temperature=1.0, field=0.3)
    found = forward_flux(model, seed=1)
    print(found.lifetime, found.interfaces)  # MCS, with its error; numbers of up spins
"""

import math

import numpy as np

from kernels.arguments import number, whole
from kernels.estimate import Estimate, mean_of
from kernels.forward_flux import COORDINATES, ForwardFlux, forward_flux
from kernels.ising import Ising
from kernels.metastable import metastable_state
from kernels.names import named
from kernels.progress import Report

__all__ = [
    "COORDINATES",
    "Estimate",
    "ForwardFlux",
    "committor",
    "find_field",
    "forward_flux",
    "mean_lifetime",
]

EIGHTHS = 8  # units that share the events of a mean lifetime
FEW = 64  # events that find_field walks by
APART = math.log(1.25)  # of ln(lifetime), between the fields that find_field measures at
MOST = 20  # of these fields


@named
def mean_lifetime(
    model: Ising,
    *,
    events: int = 512,
    seed: int = 1,
    equilibration: int = 50,
    max_lifetime: int | None = None,
    progress: Report = None,
) -> Estimate:
    """Mean MCS from the turn of the field to m <= 0, over `events` events (at least 16, rounded up
    to whole eighths), each run to its end; RuntimeError if one outlives max_lifetime. The error is
    that of the events, or of the eighths, which share no order of sites, if that is larger. For
    longer lifetimes: forward_flux.
    """
    whole("events", events, 16)
    times = dict(equilibration=equilibration, max_lifetime=max_lifetime)
    return waited_for(model, range(EIGHTHS), events, seed, progress, **times)


def waited_for(
    model: Ising, units: range, events: int, seed: int, progress: Report, **times
) -> Estimate:
    """The mean lifetime of `events` events that these units share."""
    found = model.nucleate(
        seed=seed,
        units=units,
        events=-(-events // len(units)),
        history=1,
        progress=progress,
        **times,
    )
    each = np.stack([unit.lifetime for unit in found])
    return max(mean_of(each), mean_of(each.mean(1)), key=lambda estimate: estimate.error)


def find_field(
    lifetime: float,
    *,
    events: int = 512,
    seed: int = 1,
    progress: Report = None,
    **system,
) -> Estimate:
    """The field h at which the mean lifetime of Ising(**system) is `lifetime` MCS, and its error.

    Walks from the spinodal field down, by a few events each, to where states live longer than that;
    then measures at three fields about it, whose lifetimes are a quarter apart, by `events` events
    each with random numbers of their own. The answer is where a line through ln(lifetime) against
    1/h is as asked, as classical nucleation in two dimensions has it; so near it every law of h is
    straight within the error. progress: called with the number of events that have ended, at all
    fields together; a bar is of one field at a time. ValueError if no field does.
    """
    lifetime = number("lifetime", lifetime, above=1, units="MCS")
    events = whole("events", events, 16)
    if "field" in system:
        raise ValueError("field is what is looked for; leave it out")
    model = Ising(field=1.0, **system)
    top = model.spinodal_field or model.critical_temperature
    ended = 0

    def report(of_field: float) -> None:
        progress(ended + of_field)

    told = report if callable(progress) else progress

    def roughly(field: float) -> float:
        """By FEW events that share their order of sites, one vector of replicas."""
        nonlocal ended
        few = min(FEW, events)
        (found,) = Ising(field=field, **system).nucleate(
            seed=seed, units=[0], events=few, history=1, progress=told
        )
        ended += few
        return float(found.lifetime.mean())

    def measured(field: float) -> Estimate:
        """By `events` events of other units than those of any field before."""
        nonlocal ended
        at, first = Ising(field=field, **system), EIGHTHS * (1 + len(known))
        known[field] = waited_for(at, range(first, first + EIGHTHS), events, seed, told)
        ended += EIGHTHS * -(-events // EIGHTHS)
        return known[field]

    def lower(by: float) -> None:
        fields.append(fields[-1] * by)
        if fields[-1] <= 1e-3 * model.critical_temperature:
            raise ValueError(
                f"lifetime is {lifetime:g} MCS; no field above {fields[-1]:g} gives it"
                + (
                    f": temperature {model.temperature:g} is not below the critical one, "
                    f"{model.critical_temperature:g}"
                    if model.temperature >= model.critical_temperature
                    else ""
                )
            )

    known: dict[float, Estimate] = {}
    fields, walked = [top], [roughly(top)]  # falling, to where states live about as long, or longer
    if walked[0] >= lifetime and measured(top).value >= lifetime:  # few events may be mistaken
        raise ValueError(
            f"lifetime is {lifetime:g} MCS; at the spinodal field {top:g} it is {known[top]} already"
        )
    while walked[-1] < max(lifetime, 2 * walked[0]):  # twice: for a slope despite few events
        lower(0.98 if walked[-1] > lifetime / 4 else 0.95)
        walked.append(roughly(fields[-1]))

    # the last of them, and one that is surely shorter
    first = max(0, sum(found <= lifetime / 8 for found in walked) - 1)
    inverse, logarithm = 1 / np.array(fields[first:]), np.log(np.array(walked[first:]) / lifetime)
    slope, offset = np.polyfit(inverse, logarithm, 1)
    step = APART / slope
    about = [-offset / slope + k * step for k in (-1, 0, 1)]  # rising 1/h
    for each in about:
        measured(1 / each)
    while len(known) < MOST:
        at, error, beyond = crossing(about, [known[1 / each] for each in about], lifetime)
        if not beyond:
            return Estimate(1 / at, error / at**2)
        # few events were mistaken: one more field on that side, and the farthest one less
        about = [*about[1:], about[-1] + step] if beyond > 0 else [about[0] - step, *about[:-1]]
        measured(1 / about[-1 if beyond > 0 else 0])
    raise ValueError(f"events is {events}; lifetimes scatter too much to find one of {lifetime:g}")


def crossing(
    places: list[float], lifetimes: list[Estimate], lifetime: float
) -> tuple[float, float, int]:
    """Where a line through ln(lifetimes) at `places`, rising, is ln(lifetime), its standard error,
    and on which side of all places it is: 0, -1, 1.
    """
    x, y = np.array(places), np.log([each.value / lifetime for each in lifetimes])
    weight = np.array([max(each.error / each.value, 1e-6) for each in lifetimes]) ** -2
    middle, level = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = (weight * (x - middle) ** 2).sum()
    slope = (weight * (x - middle) * y).sum() / spread
    if y.min() > 0 or y.max() < 0 or slope <= 0:  # all on one side
        return math.nan, math.nan, 1 if level < 0 else -1
    at = middle - level / slope
    error = math.sqrt(1 / weight.sum() + (at - middle) ** 2 / spread) / slope
    return float(at), error, int(at > x[-1]) - int(at < x[0])


@named
def committor(
    model: Ising,
    spins: np.ndarray,
    *,
    copies: int = 100,
    back: int | None = None,
    seed: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each packed configuration, uint8 (n, ceil(N / 8)), to reach m <= 0 before
    at least `back` spins are up (default: the median of the metastable state), from `copies` (at
    least 2) trials each; and its standard error. float64 (n,), (n,).
    """
    spins = np.atleast_2d(spins)
    copies = whole("copies", copies, 2)
    if back is None:
        back = int(np.median(metastable_state(model, seed)[1]))
    parent = np.repeat(np.arange(len(spins)), copies)
    duration, _, _ = model.shoot(spins, parent, low=model.sites // 2, high=back, seed=seed)
    share = (duration > 0).reshape(-1, copies).mean(1)
    # of the share that Laplace's rule expects, lest 0 of 100 have no error
    expected = (share * copies + 1) / (copies + 2)
    return share, np.sqrt(expected * (1 - expected) / copies)
