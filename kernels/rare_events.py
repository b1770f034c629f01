"""How long metastable states of the Ising model live, and how they end, also where no simulation
waits long enough.

Lifetime    mean MCS from the turn of the field to m <= 0, all up before (Ising.nucleate)
Committor   the probability that a configuration, left alone, reaches m <= 0 before it is back in
            the metastable state
Forward     the rate of nucleation is the flux through a first interface, U <= U_0 spins up, of
flux        trajectories that come from the metastable state A, U >= U_A, times the probabilities to
            reach the next interface, U <= U_i, before A, from where the one before was reached:
            rate = flux(A -> 0) P(0 -> 1) P(1 -> 2) ..., the last of them m <= 0. Nothing is assumed
            of equilibrium or of U as a reaction coordinate; a poor one costs trials, not truth
            (a lifetime begins with the fall into that state, some tens of MCS that 1 / rate lacks)
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
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kernels.arguments import brief, number, whole
from kernels.ising import Ising
from kernels.ising_bits import TRIALS_OF_GROUP
from kernels.progress import Report, shown
from kernels.streams import generator

__all__ = ["Estimate", "ForwardFlux", "committor", "find_field", "forward_flux", "mean_lifetime"]

WALKERS = 512  # replicas that go to and fro between A and the first interface
RELAXED = 100  # MCS after which a metastable state is looked at first
LONGEST = 12_800  # MCS that it is waited for
CYCLES = 16  # of each walker, in which the flux is counted
LONGEST_TRIAL = 10**8  # MCS
SHARE = 0.25  # of the trials that are to reach the next interface
PILOT = 2048  # trials that choose it, and say how many that takes
UNITS, MOST_REPEATS = 1 << 24, 255  # units of random numbers for each repeat
MOST = 64  # times as many trials, where few come that far
NO_STATE = "every trajectory nucleated: there is no metastable state"


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        if not 0 < self.error < math.inf:
            return f"{self.value:g}"
        digits = max(0, -math.floor(math.log10(self.error / abs(self.value or 1))))
        return f"{self.value:.{digits}e} +- {self.error:.0e}"


def mean_of(samples) -> Estimate:
    samples = np.asarray(samples, float)
    return Estimate(float(samples.mean()), float(samples.std(ddof=1) / math.sqrt(samples.size)))


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
    found = model.nucleate(
        seed=seed,
        units=range(8),
        events=-(-whole("events", events, 16) // 8),
        history=1,
        equilibration=equilibration,
        max_lifetime=max_lifetime,
        progress=progress,
    )
    each = np.stack([unit.lifetime for unit in found])
    return max(mean_of(each), mean_of(each.mean(1)), key=lambda estimate: estimate.error)


def find_field(lifetime: float, *, events: int = 512, seed: int = 1, **system) -> Estimate:
    """The field h at which the mean lifetime of Ising(**system) is `lifetime` MCS, and its error.

    Walks from the spinodal field down to where states live longer than that, and interpolates
    ln(lifetime), in h, between the two fields around it. ValueError if no field does.
    """
    lifetime = number("lifetime", lifetime, above=1, units="MCS")
    if "field" in system:
        raise ValueError("field is what is looked for; leave it out")
    model = Ising(field=1.0, **system)
    field, before = model.spinodal_field or model.critical_temperature, None
    while field > 1e-3 * model.critical_temperature:
        found = mean_lifetime(Ising(field=field, **system), events=events, seed=seed)
        if found.value >= lifetime:
            break
        before = field, found
        field *= 0.98 if found.value > lifetime / 4 else 0.95
    else:
        raise ValueError(f"lifetime is {lifetime:g} MCS; no field above {field:g} gives it")
    if before is None:
        raise ValueError(
            f"lifetime is {lifetime:g} MCS; at the spinodal field {field:g} it is {found} already"
        )
    slope = (math.log(found.value) - math.log(before[1].value)) / (field - before[0])
    at = field + (math.log(lifetime) - math.log(found.value)) / slope
    relative = max(e.error / e.value for e in (found, before[1]))
    return Estimate(at, relative / abs(slope))


def metastable_state(model: Ising, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Configurations, packed, of the metastable state, and their numbers of up spins.  RuntimeError
    if it does not last long enough to be one.
    """
    model.check_trials()
    up = model.pack(np.ones((WALKERS, *model.shape), np.int8))
    run = model.run(up, [RELAXED // 2, RELAXED], seed=seed, observe=(), progress=False)
    while True:
        m = run.magnetization
        alive = (m > 0).all(1)
        if alive.sum() < WALKERS / 2:
            raise RuntimeError(
                f"half of the replicas have nucleated after {run.times[-1]} MCS: there is no "
                "metastable state to start from; take nucleate or mean_lifetime"
            )
        change = mean_of((m[:, -1] - m[:, -2])[alive])
        if abs(change.value) < 4 * change.error or run.times[-1] >= LONGEST or not change.error:
            break
        run = run.go_on([int(1.5 * run.times[-1]), 2 * int(run.times[-1])], progress=False)
    up_spins = np.rint((m[:, -1] + 1) / 2 * model.sites).astype(np.int64)
    return run.spins[alive], up_spins[alive]


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


@dataclass(frozen=True)
class ForwardFlux:
    """Nucleation by forward flux sampling. Errors are of the scatter between the repeats.

    lifetime: MCS, 1 / rate. rate: a lattice and MCS. flux: through the first interface. interfaces:
    numbers of up spins U_0 > U_1 > ... ; the last is N // 2, m <= 0. back: U_A. probabilities: of
    each interface after the first, mean over the repeats. configurations: for each interface,
    packed, those of the first repeat that reached it; origin: for each of them, its number among
    those of the interface before. mcs: that were run, all replicas together.
    """

    lifetime: Estimate
    rate: Estimate
    flux: Estimate
    interfaces: list[int]
    back: int
    probabilities: list[Estimate]
    mcs: int
    configurations: list[np.ndarray] = field(repr=False)
    origin: list[np.ndarray] = field(repr=False)
    __repr__ = brief

    def paths(self, count: int, seed: int = 1) -> np.ndarray:
        """Packed configurations, uint8 (count, interfaces, ceil(N / 8)), on the way of `count`
        events drawn at random, one for each interface.
        """
        chosen = generator(seed, "trials").integers(len(self.configurations[-1]), size=count)
        steps = []
        for configurations, origin in zip(
            reversed(self.configurations), reversed(self.origin), strict=True
        ):
            steps.append(configurations[chosen])
            chosen = origin[chosen]
        return np.stack(steps[::-1], 1)


class Trials:
    """Shoots with units of random numbers that nobody has used before, and counts the MCS."""

    def __init__(self, model: Ising, seed: int, first_unit: int = 0):
        self.model, self.seed, self.unit, self.mcs = model, seed, first_unit, 0
        self.random = generator(seed, "trials", first_unit)

    def shoot(self, configurations, parent, low, high):
        found = self.model.shoot(
            configurations,
            parent,
            low=low,
            high=high,
            limit=LONGEST_TRIAL,
            seed=self.seed,
            unit=self.unit,
        )
        if not found[0].all():
            raise RuntimeError(
                f"a trial stayed between {low} and {high} up spins for {LONGEST_TRIAL} MCS"
            )
        self.unit += -(-len(parent) // TRIALS_OF_GROUP)
        self.mcs += int(np.abs(found[0].astype(np.int64)).sum())
        return found

    def up_spins(self, configurations) -> np.ndarray:
        return np.bitwise_count(configurations).sum(1, dtype=np.int64)

    def advance(self, configurations, parent, low, high):
        """Configurations at most `low` reached from those of `parent` before `high`, and from which
        parent; those that are there already count.
        """
        there = self.up_spins(configurations)[parent] <= low
        reached, origin = [configurations[parent[there]]], [parent[there]]
        if not there.all():
            still = parent[~there]
            duration, _, ends = self.shoot(configurations, still, low, high)
            reached.append(ends[duration > 0])
            origin.append(still[duration > 0])
        return np.concatenate(reached), np.concatenate(origin)

    def flux(self, start, low, high, cycles):
        """Crossings of `low` by trajectories that come from `high`, a MCS, and where they crossed.
        The first cycle, from `start`, is not counted.
        """
        half, time, crossed = self.model.sites // 2, 0, []
        for cycle in range(cycles + 1):
            there, _, crossing = self.shoot(start, np.arange(len(start)), low, self.model.sites + 1)
            alive = np.flatnonzero(self.up_spins(crossing) > half)
            if not len(alive):
                raise RuntimeError(NO_STATE)
            back, _, start = self.shoot(crossing, alive, half, high)
            if cycle:
                time += int(there.sum()) + int(np.abs(back).sum())
                crossed.append(crossing)
            if not (back < 0).any():
                raise RuntimeError(NO_STATE)
            # an event that nucleated begins again where another came back
            start = start[back < 0]
            start = start[np.arange(WALKERS) % len(start)]
        crossed = np.concatenate(crossed)
        return len(crossed) / time, crossed


def pilot(trials: Trials, crossed, first: int, back: int, interfaces) -> tuple[list[int], list]:
    """Interfaces, numbers of up spins from `first` down to N // 2, each reached by about SHARE of
    the trials from the one before, unless they are given; and the share that did reach each.
    """
    half, placed, shares, configurations = trials.model.sites // 2, [first], [], crossed
    while placed[-1] > half:
        parent = trials.random.integers(len(configurations), size=PILOT)
        if interfaces is None:
            lowest = trials.up_spins(configurations)[parent]
            alive = lowest > half
            if alive.any():
                seen = trials.shoot(configurations, parent[alive], half, back)[1]
                lowest[alive] = np.minimum(lowest[alive], seen)
            next_one = max(half, min(int(np.quantile(lowest, SHARE)), placed[-1] - 1))
        else:
            next_one = interfaces[len(placed)]
        reached, made = trials.advance(configurations, parent, next_one, back)[0], PILOT
        while not len(reached):
            if made == MOST * PILOT:
                raise RuntimeError(
                    f"none of {made} trials came from {placed[-1]} to {next_one} up spins"
                )
            parent = trials.random.integers(len(configurations), size=PILOT)
            reached, made = trials.advance(configurations, parent, next_one, back)[0], made + PILOT
        configurations = reached
        placed.append(next_one)
        shares.append(len(reached) / made)
    return placed, shares


def forward_flux(
    model: Ising,
    *,
    seed: int = 1,
    trials: int = 16384,
    repeats: int = 8,
    interfaces: list[int] | None = None,
    progress: Report = None,
) -> ForwardFlux:
    """The rate of nucleation in the field -h, by `repeats` (2 to 255) independent samplings with
    `trials` trials an interface, more where a pilot says that less than a quarter will reach it.

    interfaces: numbers of up spins, falling, the last N // 2; default: chosen by the pilot, so that
    about a quarter of the trials reach each. progress: called with repeats done. A function of the
    system and these alone. RuntimeError where there is no metastable state, or no trial passed an
    interface; ValueError on arguments that do not fit.
    """
    trials, repeats = whole("trials", trials, 2), whole("repeats", repeats, 2, MOST_REPEATS)
    with shown(progress, repeats, "samplings") as report:
        return sampled(model, seed, trials, repeats, interfaces, report)


def sampled(model: Ising, seed: int, trials: int, repeats: int, interfaces, report) -> ForwardFlux:
    """forward_flux, once its numbers are known to be fit."""
    half = model.sites // 2
    start, up = metastable_state(model, seed)
    back = int(np.median(up))
    first = min(int(np.quantile(up, 0.1)), back - 1)
    start = start[up >= back]
    start = start[np.arange(WALKERS) % len(start)]
    if interfaces is not None:
        if interfaces[-1] != half or np.any(np.diff([back, *interfaces]) >= 0):
            raise ValueError(
                f"interfaces are {interfaces}; they must fall from below {back}, the median of the "
                f"metastable state, to {half}, half of the spins"
            )
        first = interfaces[0]
    sampling = Trials(model, seed)
    crossed = sampling.flux(start, first, back, 2)[1]
    interfaces, expected = pilot(sampling, crossed, first, back, interfaces)
    counts = [int(trials * min(max(1, SHARE / share), MOST)) for share in expected]
    mcs = sampling.mcs
    rates, fluxes, shares = [], [], []
    kept, origins = [], []
    for repeat in range(repeats):
        sampling = Trials(model, seed, (repeat + 1) * UNITS)
        flux, crossed = sampling.flux(start, interfaces[0], back, CYCLES)
        pool, passed = crossed, []
        if repeat == 0:
            kept, origins = [crossed], [np.arange(len(crossed))]
        for interface, count in zip(interfaces[1:], counts, strict=True):
            parent = sampling.random.integers(len(pool), size=count)
            pool, origin = sampling.advance(pool, parent, interface, back)
            if not len(pool):
                raise RuntimeError(
                    f"none of {count} trials reached {interface} up spins; give more trials, or "
                    f"interfaces closer to one another than {interfaces}"
                )
            passed.append(len(pool) / count)
            if repeat == 0:
                kept.append(pool)
                origins.append(origin)
        rates.append(flux * math.prod(passed))
        fluxes.append(flux)
        shares.append(passed)
        mcs += sampling.mcs
        if report:
            report(repeat + 1)
    rate = mean_of(rates)
    return ForwardFlux(
        lifetime=Estimate(1 / rate.value, rate.error / rate.value**2),
        rate=rate,
        flux=mean_of(fluxes),
        interfaces=[int(i) for i in interfaces],
        back=back,
        probabilities=[mean_of(column) for column in np.array(shares).T],
        mcs=mcs,
        configurations=kept,
        origin=origins,
    )
