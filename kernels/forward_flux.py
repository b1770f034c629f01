"""Forward flux sampling of nucleation: the pilot, one sampling, and their mean
(kernels.rare_events has the method and its sources).

Along a coordinate that falls from the metastable state A to the end, m <= 0: the number of up spins
(`magnetization`), or that of the sites outside the largest droplet, 0 where m <= 0
(`largest_cluster`), so that either way the last interface is m <= 0, and who is at an interface is
at all before it.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from kernels import percolation
from kernels.arguments import brief, one_of, whole
from kernels.estimate import Estimate, mean_of
from kernels.ising import Ising
from kernels.ising_bits import TRIALS_OF_GROUP
from kernels.metastable import WALKERS, metastable_state
from kernels.names import named
from kernels.progress import Report, shown
from kernels.streams import generator

__all__ = [
    "COORDINATES",
    "MOST_REPEATS",
    "ForwardFlux",
    "Pilot",
    "Sampling",
    "combined",
    "forward_flux",
    "given",
    "pilot",
    "sample",
]

SCATTER = 10  # of the rates of single samplings, largest over smallest, that is warned of
COORDINATES = ("magnetization", "largest_cluster")
LOOKS = 32  # at the clusters of walkers before those that nucleated are seen to
CYCLES = 16  # of each walker, in which the flux is counted
LONGEST_TRIAL = 10**8  # MCS
SHARE = 0.25  # of the trials that are to reach the next interface
PILOT = 2048  # trials that choose it, and say how many that takes
UNITS, MOST_REPEATS = 1 << 24, 255  # units of random numbers for each repeat
MOST = 64  # times as many trials, where few come that far
NO_STATE = "every trajectory nucleated: there is no metastable state"


class States(NamedTuple):
    """Configurations, packed, uint8 (n, ceil(N / 8)), and where they are along the coordinate,
    int64 (n,).
    """

    spins: np.ndarray
    value: np.ndarray

    def of(self, chosen) -> "States":
        return States(self.spins[chosen], self.value[chosen])


def joined(parts: Sequence[States]) -> States:
    spins, value = zip(*parts, strict=True)
    return States(np.concatenate(spins), np.concatenate(value))


class Trials:
    """Shoots with units of random numbers that nobody has used before, and counts the MCS.

    coordinate: one of COORDINATES. every: MCS between two looks at the clusters.
    """

    def __init__(self, model: Ising, coordinate: str, every: int, seed: int, first_unit: int = 0):
        self.model, self.coordinate, self.every = model, coordinate, every
        self.seed, self.unit, self.mcs = seed, first_unit, 0
        self.random = generator(seed, "trials", first_unit)
        self.half = model.sites // 2
        self.end = self.half if coordinate == "magnetization" else 0
        self.index = first_unit << 24  # of the clusters' bonds

    def looked_at(self, spins: np.ndarray) -> States:
        """Configurations, and where they are. The bonds of a cluster are drawn anew at each look:
        they belong to the state, and who goes on from it takes the place that was seen.
        """
        value = np.bitwise_count(spins).sum(1, dtype=np.int64)
        if self.coordinate == "magnetization":
            return States(spins, value)
        open_ = np.flatnonzero(value > self.half)
        found = percolation.clusters(
            spins[open_],
            coupling_table=self.model.coupling_table(),
            temperature=self.model.temperature,
            bonds="density_corrected",
            seed=self.seed,
            index=self.index + np.arange(len(open_)),
            device=self.model.device,
            centres=False,
        )
        self.index += len(open_)
        value[:] = 0
        value[open_] = self.model.sites - found.size
        return States(spins, value)

    def shoot(self, states: States, parent, low: int, high: int):
        """Trials from those of `parent` until they are at most at `low` or at least at `high`, seen
        after an MCS (with clusters: after every few): MCS, negative where it is `high`, the lowest
        place seen, and the states at the end.
        """
        if self.coordinate == "magnetization":
            duration, lowest, spins = self._until(states.spins, parent, low, high, LONGEST_TRIAL)
            if not duration.all():
                raise RuntimeError(
                    f"a trial stayed between {low} and {high} up spins for {LONGEST_TRIAL} MCS"
                )
            ends = self.looked_at(spins)
        else:
            duration, lowest, ends = self._clusters(states.spins[parent], low, high)
        self.mcs += int(np.abs(duration.astype(np.int64)).sum())
        return duration, lowest, ends

    def _until(self, spins, parent, low, high, limit):
        found = self.model.shoot(
            spins, parent, low=low, high=high, limit=limit, seed=self.seed, unit=self.unit
        )
        self.unit += -(-len(parent) // TRIALS_OF_GROUP)
        return found

    def _clusters(self, spins, low, high):
        """Stretches of a few MCS, each until m <= 0, with a look at the clusters of all that go on
        after each.
        """
        count, sites = len(spins), self.model.sites
        duration, lowest = np.zeros(count, np.int64), np.full(count, sites, np.int64)
        ends, open_ = States(spins.copy(), lowest.copy()), np.arange(count)
        while len(open_):
            lasted, _, now = self._until(
                ends.spins[open_], np.arange(len(open_)), self.half, sites + 1, self.every
            )
            spins, value = self.looked_at(now)
            ends.spins[open_], ends.value[open_] = spins, value
            lowest[open_] = np.minimum(lowest[open_], value)
            duration[open_] += np.where(lasted, lasted, self.every)
            back = open_[(value >= high) & (value > low)]
            duration[back] *= -1
            open_ = open_[(value > low) & (value < high)]
            if len(open_) and duration[open_].max() > LONGEST_TRIAL:
                raise RuntimeError(
                    f"a trial kept a largest cluster of {sites - high} to {sites - low} sites for "
                    f"{LONGEST_TRIAL} MCS"
                )
        return duration, lowest, ends

    def advance(self, states: States, parent, low: int, high: int):
        """States at most at `low` reached from those of `parent` before `high`, and from which
        parent; those that are there already count.
        """
        there = states.value[parent] <= low
        reached, origin = [states.of(parent[there])], [parent[there]]
        if not there.all():
            still = parent[~there]
            duration, _, ends = self.shoot(states, still, low, high)
            reached.append(ends.of(duration > 0))
            origin.append(still[duration > 0])
        return joined(reached), np.concatenate(origin)

    def flux(self, start: States, low: int, high: int, cycles: int) -> tuple[float, States]:
        """Crossings of `low` by trajectories that come from `high`, a MCS, and where they crossed.
        The first cycle, from `start`, is not counted.
        """
        if self.coordinate == "largest_cluster":
            return self._flux_of_clusters(start, low, high, cycles)
        time, crossed = 0, []
        for cycle in range(cycles + 1):
            everyone = np.arange(len(start.value))
            there, _, crossing = self.shoot(start, everyone, low, self.model.sites + 1)
            alive = np.flatnonzero(crossing.value > self.end)
            if not len(alive):
                raise RuntimeError(NO_STATE)
            back, _, start = self.shoot(crossing, alive, self.end, high)
            if cycle:
                time += int(there.sum()) + int(np.abs(back).sum())
                crossed.append(crossing)
            if not (back < 0).any():
                raise RuntimeError(NO_STATE)
            # an event that nucleated begins again where another came back
            start = start.of(back < 0)
            start = start.of(np.arange(WALKERS) % len(start.value))
        found = joined(crossed)
        return len(found.value) / time, found

    def _flux_of_clusters(self, start: States, low: int, high: int, cycles: int):
        """The same, but that walkers do not wait for one another: each goes to and fro at its own
        pace, in stretches with many looks, until there are as many crossings as asked for.
        """
        count, (spins, value) = len(start.value), start
        comes_from_a = np.ones(count, bool)
        time = before = crossings = 0
        crossed: list[States] = []
        while crossings < cycles * count:
            self.unit += 1
            run = self.model.run(
                spins,
                1 + np.arange(LOOKS * self.every),
                seed=self.seed,
                unit=self.unit,
                observe=(),
                snapshots=True,
                progress=False,
            )
            self.mcs += run.magnetization.size
            alive = np.logical_and.accumulate(run.magnetization > 0, axis=1)
            # the MCS in which it nucleates is the walker's last one
            lived = np.pad(alive, ((0, 0), (1, 0)), constant_values=True)[:, :-1]
            looks = np.arange(self.every - 1, alive.shape[1], self.every)
            seen = self.looked_at(run.snapshots[:, looks].reshape(count * LOOKS, -1))
            values = np.where(alive[:, looks], seen.value.reshape(count, LOOKS), 0)
            counted = before >= count
            for look, value in enumerate(values.T):
                lives = lived[:, look * self.every]
                crosses = lives & comes_from_a & (value <= low)
                comes_from_a = (comes_from_a & ~crosses) | (value >= high)
                here = np.flatnonzero(crosses)
                if not counted:
                    before += len(here)
                elif len(here):
                    crossings += len(here)
                    crossed.append(States(seen.spins[here * LOOKS + look], value[here]))
            time += int(lived.sum()) if counted else 0
            going_on = np.flatnonzero(alive[:, -1])
            if not len(going_on):
                raise RuntimeError(NO_STATE)
            if self.mcs > LONGEST_TRIAL * count:
                raise RuntimeError(f"the metastable state does not come to {self.shown(low)}")
            # one that nucleated begins again where another is
            goes_on = np.arange(count)
            goes_on[~alive[:, -1]] = self.random.choice(going_on, count - len(going_on))
            spins, comes_from_a = run.spins[goes_on], comes_from_a[goes_on]
        found = joined(crossed)
        return len(found.value) / time, found

    def places(self, crossed: States, first: int, back: int, interfaces):
        """Interfaces from `first` down to the end, each reached by about SHARE of the trials from
        the one before, unless they are given; and the share that did reach each.
        """
        placed, shares, states = [first], [], crossed
        while placed[-1] > self.end:
            parent = self.random.integers(len(states.value), size=PILOT)
            if interfaces is None:
                lowest = states.value[parent]
                alive = lowest > self.end
                if alive.any():
                    seen = self.shoot(states, parent[alive], self.end, back)[1]
                    lowest[alive] = np.minimum(lowest[alive], seen)
                next_one = max(self.end, min(int(np.quantile(lowest, SHARE)), placed[-1] - 1))
            else:
                next_one = interfaces[len(placed)]
            reached, made = self.advance(states, parent, next_one, back)[0], PILOT
            while not len(reached.value):
                if made == MOST * PILOT:
                    raise RuntimeError(
                        f"none of {made} trials came from {self.shown(placed[-1])} to "
                        f"{self.shown(next_one)}"
                    )
                parent = self.random.integers(len(states.value), size=PILOT)
                reached, made = self.advance(states, parent, next_one, back)[0], made + PILOT
            states = reached
            placed.append(next_one)
            shares.append(len(reached.value) / made)
        return placed, shares

    def shown(self, value: int) -> str:
        """A place along the coordinate, in words."""
        if self.coordinate == "magnetization":
            return f"{value} up spins"
        return f"a largest cluster of {self.model.sites - value} sites" if value else "m <= 0"


@dataclass(frozen=True)
class Pilot:
    """What all samplings of a system begin with: a function of the system and the arguments of
    `pilot` alone.

    start: of the metastable state. back: of A. interfaces: falling places along the coordinate.
    counts: trials from each of them but the last. mcs: that the pilot took.
    """

    seed: int
    coordinate: str
    every: int
    start: States
    back: int
    interfaces: list[int]
    counts: list[int]
    mcs: int
    __repr__ = brief


@dataclass(frozen=True)
class Sampling:
    """One sampling. flux: through the first interface, a MCS. shares: of the trials that reached
    each interface after it. configurations, origin: as in ForwardFlux. mcs: that were run.
    """

    flux: float
    shares: list[float]
    mcs: int
    configurations: list[np.ndarray]
    origin: list[np.ndarray]
    __repr__ = brief

    @property
    def rate(self) -> float:
        return self.flux * math.prod(self.shares)


@dataclass(frozen=True)
class ForwardFlux:
    """Nucleation by forward flux sampling. Errors are of the scatter between the repeats.

    lifetime: MCS, 1 / rate. rate: a lattice and MCS. flux: through the first interface. interfaces:
    numbers of up spins U_0 > U_1 > ... , the last N // 2, m <= 0; along largest_cluster numbers of
    its sites, rising, the last N, which stands for m <= 0. back: U_A, or the size up to which it is
    the metastable state. probabilities: of each interface after the first, mean over the repeats.
    configurations: for each interface, packed, those of the first repeat that reached it; origin:
    for each of them, its number among those of the interface before. mcs: that were run, all
    replicas together. coordinate: one of COORDINATES.
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
    coordinate: str = "magnetization"
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


def pilot(
    model: Ising,
    *,
    seed: int = 1,
    trials: int = 16384,
    interfaces: Sequence[int] | None = None,
    coordinate: str = "magnetization",
    every: int = 1,
) -> Pilot:
    """Where A and the interfaces are, and how many trials each takes; arguments as of
    forward_flux.
    """
    trials, every = whole("trials", trials, 2), whole("every", every, 1, 63, "MCS")
    one_of("coordinate", coordinate, COORDINATES)
    clusters = coordinate == "largest_cluster"
    if clusters and model.dimensions == 3:
        raise ValueError("coordinate is largest_cluster, which is counted in two dimensions alone")
    sampling = Trials(model, coordinate, every, seed)
    start, end = sampling.looked_at(metastable_state(model, seed)[0]), sampling.end
    back = int(np.median(start.value))
    first = min(int(np.quantile(start.value, 0.1)), back - 1)
    start = start.of(start.value >= back)
    start = start.of(np.arange(WALKERS) % len(start.value))
    if interfaces is not None:
        interfaces = [model.sites - size if clusters else size for size in interfaces]
        if not interfaces or interfaces[-1] != end or np.any(np.diff([back, *interfaces]) >= 0):
            raise ValueError(
                f"interfaces are {[*given(model, coordinate, interfaces)]}; they must "
                + (
                    f"rise from above {model.sites - back}, the median of the metastable state, to "
                    f"{model.sites}, which stands for m <= 0"
                    if clusters
                    else f"fall from below {back}, the median of the metastable state, to {end}, "
                    "half of the spins"
                )
            )
        first = interfaces[0]
    crossed = sampling.flux(start, first, back, 2)[1]
    interfaces, expected = sampling.places(crossed, first, back, interfaces)
    counts = [int(trials * min(max(1, SHARE / share), MOST)) for share in expected]
    return Pilot(seed, coordinate, every, start, back, interfaces, counts, sampling.mcs)


def given(model: Ising, coordinate: str, places: Sequence[int]) -> list[int]:
    """Places as a caller knows them: numbers of up spins, or of the largest cluster's sites."""
    if coordinate == "magnetization":
        return [int(place) for place in places]
    return [model.sites - int(place) for place in places]


def sample(model: Ising, by: Pilot, repeat: int) -> Sampling:
    """Sampling number `repeat`, 0 to 254: a function of the system, the pilot and that number
    alone. RuntimeError where no trial passed an interface.
    """
    repeat = whole("repeat", repeat, 0, MOST_REPEATS - 1)
    sampling = Trials(model, by.coordinate, by.every, by.seed, (repeat + 1) * UNITS)
    flux, states = sampling.flux(by.start, by.interfaces[0], by.back, CYCLES)
    kept, origins, shares = [states.spins], [np.arange(len(states.spins))], []
    for interface, count in zip(by.interfaces[1:], by.counts, strict=True):
        parent = sampling.random.integers(len(states.value), size=count)
        states, origin = sampling.advance(states, parent, interface, by.back)
        if not len(states.value):
            raise RuntimeError(
                f"none of {count} trials reached {sampling.shown(interface)}; give more trials, or "
                f"interfaces closer to one another than "
                f"{given(model, by.coordinate, by.interfaces)}"
            )
        shares.append(len(states.value) / count)
        kept.append(states.spins)
        origins.append(origin)
    return Sampling(flux, shares, sampling.mcs, kept, origins)


def combined(model: Ising, by: Pilot, samplings: Sequence[Sampling]) -> ForwardFlux:
    """The mean of samplings 0, 1, ..., two or more; configurations are those of number 0."""
    rate, first = mean_of([each.rate for each in samplings]), samplings[0]
    rates = np.array([each.rate for each in samplings])
    if rates.max() > SCATTER * rates.min():
        warnings.warn(
            f"rates of single samplings differ by a factor of {rates.max() / rates.min():.0f}: their mean "
            "is that of the few largest, and its error too small; take more trials",
            stacklevel=4,
        )
    return ForwardFlux(
        lifetime=Estimate(1 / rate.value, rate.error / rate.value**2),
        rate=rate,
        flux=mean_of([each.flux for each in samplings]),
        interfaces=given(model, by.coordinate, by.interfaces),
        back=given(model, by.coordinate, [by.back])[0],
        probabilities=[
            mean_of(column) for column in np.array([each.shares for each in samplings]).T
        ],
        mcs=by.mcs + sum(each.mcs for each in samplings),
        configurations=first.configurations,
        origin=first.origin,
        coordinate=by.coordinate,
    )


@named
def forward_flux(
    model: Ising,
    *,
    seed: int = 1,
    trials: int = 16384,
    repeats: int = 8,
    interfaces: Sequence[int] | None = None,
    coordinate: str = "magnetization",
    every: int = 1,
    progress: Report = None,
) -> ForwardFlux:
    """The rate of nucleation in the field -h, by `repeats` (2 to 255) independent samplings with
    `trials` trials an interface, more where a pilot says that less than a quarter will reach it.

    coordinate: along which interfaces are: `magnetization`, or `largest_cluster`, the sites of the
    largest droplet of down spins (two dimensions; bonds density_corrected, as in Ising.run), looked
    at `every` (1 to 63) MCS; m <= 0 is the end of either, looked for after each MCS. interfaces:
    numbers of up spins, falling, the last N // 2, or of the cluster's sites, rising, the last N,
    which stands for m <= 0; default: chosen by the pilot, so that about a quarter of the trials
    reach each. progress: called with repeats done. A function of the system and these alone.
    RuntimeError where there is no metastable state, or no trial passed an interface; ValueError on
    arguments that do not fit.
    """
    repeats = whole("repeats", repeats, 2, MOST_REPEATS)
    model.check_trials()
    if not model.field > 0:
        raise ValueError(
            f"field is {model.field:g}; nucleation needs one above 0, turned against m"
        )
    by = pilot(
        model, seed=seed, trials=trials, interfaces=interfaces, coordinate=coordinate, every=every
    )
    found: list[Sampling] = []
    with shown(progress, repeats, "samplings") as report:
        for repeat in range(repeats):
            each = sample(model, by, repeat)
            # configurations of one are enough
            found.append(replace(each, configurations=[], origin=[]) if repeat else each)
            if report:
                report(repeat + 1)
    return combined(model, by, found)
