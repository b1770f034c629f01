"""Active Ising Model in two dimensions: particles with a spin that align with their site and fly
along x.

Model        N = rho0 L^2 particles, spin s = +1 or -1, on a periodic L x L lattice, any number on a
             site i: rho_i = n_+ + n_-, m_i = n_+ - n_-
Rates        flip exp(-s beta m_i / rho_i) (a spin counts itself); hop to x + s: D (1 + epsilon), to
             x - s: D (1 - epsilon), to y + 1 and y - 1: D each; beta = 1 / T, time in units of 1 /
             (flip rate at beta = 0)
Symbols      temperature T (k_B = 1, coupling 1), density rho0 (particles a site), diffusion D,
             self_propulsion epsilon
Algorithms   standard: random-sequential; an attempt takes a random particle and time dt / N, flips
             it with the probability exp(-s beta m_i / rho_i) dt, hops with D (1 +- epsilon) dt and
             D dt, else leaves it; dt = 1 / (4D + exp(beta))
             continuous_time: the same rates almost without attempts that leave a particle alone
             (active_ising.cu): a particle is tried at the rate 4D + exp(-beta), which every flip
             has at least; flips beyond it come from the sites that hold both spins. Time is counted
             in these attempts, N (4D + exp(-beta)) a unit, as the standard algorithm counts its
             own: a look comes after a fixed number of them, so that its time scatters by one over
             the root of that number
             auto: continuous_time up to T = 0.36, where it is the faster on a CPU at rho0 = 3, and
             as long as its integers hold all sites (not at L in the hundreds); the same on every
             device
Sources      C. Casert, T. Vieijra, J. Nys, J. Ryckebusch, Phys. Rev. E 99, 023304 (2019); A. P.
             Solon and J. Tailleur, Phys. Rev. E 92, 042119 (2015)

    from kernels.active_ising import ActiveIsing
    model = ActiveIsing(size=81)
    run = model.run(
        temperature=[0.25, 0.55, 0.95], density=[3, 3, 3], start=[1, 1, 0], times=[0, 500, 1000]
    )
    print(run.magnetization / run.particles[:, None])  # <m>/rho0 at the three times
    print(run.density_map.shape)  # (3, 3, 81, 81), indexed [replica, time, x, y]
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from kernels import flock_phases
from kernels.active_ising_batch import Layout, run_batch
from kernels.active_ising_rates import (
    COUNTER,
    FEWEST_BITS,
    LARGEST_OCCUPANCY,
    WIDE_COUNTER,
    scale_of,
)
from kernels.arguments import brief, number, one_of, reals, seed_of, whole, wholes
from kernels.device import device_of
from kernels.names import named
from kernels.progress import Report, shown

__all__ = ["ALGORITHMS", "ActiveIsing", "CountersFull", "Trajectories"]

ALGORITHMS = ("auto", "standard", "continuous_time")
# beyond, `standard` is the faster at rho0 = 3: 784 against 730 time units a second at T = 0.37
CONTINUOUS_UP_TO = 0.36
LOWEST_TEMPERATURE = 0.01
INDEX_BITS, LONGEST_CHAIN = 48, 255  # of a replica's number; times that it can go on
LARGEST_INDEX = 2**INDEX_BITS - 1
LARGEST_RATE = 1e6  # exp(1/T) that the standard algorithm is let to try: T = 0.072
# particles a site, on average: far below LARGEST_OCCUPANCY, for bands and walls are denser
LARGEST_DENSITY = 40.0


class CountersFull(RuntimeError):
    """More than LARGEST_OCCUPANCY spins of one sign met on a site.  replicas: which, as a list of
    indices.
    """

    def __init__(self, replicas: Sequence[int]):
        self.replicas = list(replicas)
        super().__init__(
            f"more than {LARGEST_OCCUPANCY} spins of one sign on a site, in replica {self.replicas[0]}"
            + (f" and {len(self.replicas) - 1} more" if len(self.replicas) > 1 else "")
            + ": lower the density"
        )


@dataclass(frozen=True)
class Trajectories:
    """What r replicas showed at o times, s of which have maps.  Lattices are indexed [x, y].

    times: float64 (o,), as asked. particles: int32 (r,), N. magnetization: int32 (r, o), sum of
    m_i. density_profile, magnetization_profile: int32 (r, o, L), sums of rho_i and m_i over y.
    density_histogram: int32 (r, o, 65), sites that hold 0 to 63 particles, and 64 or more.
    magnetization_map int16 and density_map uint16: (r, s, L, L), m_i and rho_i.
    attempts: int64 (r,), all that were made. temperature: float64 (r,). index: uint64 (r,), of the
    random numbers. last_magnetization_map, last_density_map: (r, L, L), at the last time, from
    which ActiveIsing.go_on goes on. seed: of all. stretch: how often the replicas went on.

    By them, (r, o) each: order, m per particle, float64; band_amplitude and phase, the rule of
    kernels.flock_phases; density_variance, of the particles a site.
    """

    times: np.ndarray
    seed: int
    stretch: int
    particles: np.ndarray
    magnetization: np.ndarray
    density_profile: np.ndarray
    magnetization_profile: np.ndarray
    density_histogram: np.ndarray
    magnetization_map: np.ndarray
    density_map: np.ndarray
    attempts: np.ndarray
    temperature: np.ndarray
    index: np.ndarray
    last_magnetization_map: np.ndarray
    last_density_map: np.ndarray
    __repr__ = brief

    @property
    def order(self) -> np.ndarray:
        return self.magnetization / self.particles[:, None]

    @property
    def band_amplitude(self) -> np.ndarray:
        return flock_phases.band_amplitude(self.magnetization_profile, self.particles[:, None])

    @property
    def phase(self) -> np.ndarray:
        """int8: 0 G, 1 L+G, 2 L, -1 domains of both spins along x."""
        return flock_phases.phase_of(self.order, self.band_amplitude)

    @property
    def phase_name(self) -> np.ndarray:
        """G, L+G, L, or `both spins`, text."""
        return np.array([*flock_phases.PHASES, "both spins"])[self.phase]

    @property
    def density_variance(self) -> np.ndarray:
        """float64; nan where a site holds more than 63 particles, whom the histogram does not
        count: density_map does.
        """
        share = self.density_histogram / self.density_histogram.sum(-1, keepdims=True)
        number = np.arange(share.shape[-1])
        variance = share @ number**2 - (share @ number) ** 2
        return np.where(self.density_histogram[..., -1] > 0, np.nan, variance)

    @classmethod
    def joined(cls, parts: list["Trajectories"], order: np.ndarray) -> "Trajectories":
        """Of the same times and seed, the replicas of all parts in `order`."""
        shared = ("times", "seed", "stretch")
        columns = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts])[order]
            for f in fields(cls)
            if f.name not in shared
        }
        return cls(**{name: getattr(parts[0], name) for name in shared}, **columns)


@named
class ActiveIsing:
    """The model on one lattice, ready to run on `device` ("cpu", "gpu", or one of select();
    default: auto).

    size: L, 3 to 4094. diffusion: D >= 0. self_propulsion: epsilon, 0 to 1. algorithm: see
    ALGORITHMS. time_step: dt of the standard algorithm; default: the longest, (4D + exp(beta))^-1,
    with which a probability reaches 1. Raises ValueError with one line on a value out of range.
    """

    def __init__(
        self,
        size: int,
        diffusion: float = 1.0,
        self_propulsion: float = 0.9,
        algorithm: str = "auto",
        time_step: float | None = None,
        device=None,
    ):
        self.size, self.diffusion, self.self_propulsion = size, diffusion, self_propulsion
        self.algorithm, self.time_step = algorithm, time_step
        check(self)
        self.device = device_of(device)
        self.replicas_run = 0  # without seed and index

    def __repr__(self) -> str:
        step = "" if self.time_step is None else f", time_step={self.time_step:g}"
        return (
            f"ActiveIsing(size={self.size}, diffusion={self.diffusion:g}, "
            f"self_propulsion={self.self_propulsion:g}, algorithm={self.algorithm!r}{step})"
        )

    def continuous(self, temperature: float, particles: int) -> bool:
        """Whether a replica runs in continuous time."""
        if self.algorithm != "auto":
            return self.algorithm == "continuous_time"
        return (
            temperature <= CONTINUOUS_UP_TO
            and scale_of(self, temperature, particles) >= FEWEST_BITS
        )

    def _layout(self, replicas: "Replicas", counter_bits: int, continuous: bool) -> Layout:
        most = int(replicas.particles.max())
        return Layout(self.size, most, counter_bits, continuous, self.device)

    def compile(self, particles: Sequence[int]) -> None:
        """Compile what run launches for replicas with so many particles at most, by either
        algorithm, and again where counters are full.
        """
        for most in particles:
            for continuous in (False, True):
                for counter_bits in (COUNTER, WIDE_COUNTER):
                    layout = Layout(self.size, most, counter_bits, continuous, self.device)
                    self.device.module("active_ising.cu", layout.defines).compile()

    def common_flip_rate(self, temperature: float, continuous: bool) -> float:
        """c: up to which flips are tried on all particles alike; an attempt takes the time 1 / (N
        (4D + c)).
        """
        if continuous:
            return math.exp(-1 / temperature)
        return (
            1 / self.time_step - 4 * self.diffusion if self.time_step else math.exp(1 / temperature)
        )

    def run(
        self,
        temperature,
        density,
        start,
        times,
        seed: int | None = None,
        index=None,
        snapshots=None,
        progress: Report = None,
    ) -> Trajectories:
        """Replicas from their start to the last of `times`.

        temperature, density: T and rho0, float (r,), one number is that of all. start: int (r,), or
        one: +1 or -1: all spins that way, 0: each at random; sites are uniform at random; or the
        pair (m_i, rho_i) of maps, int (r, L, L) each, as in Trajectories, to go on from, density
        is None then. times: increasing float (o,), from 0 on, when to look. index: int (r,) below
        2^48, default 0..r-1: the random numbers of a replica are a function of (seed, index), its
        trajectory of nothing else but its own parameters. Without seed and index seed is 1, and
        indices follow those of this model's calls before: none repeats the random numbers of
        another, and a script run again gives the same.
        snapshots: bool (o,), at which times maps are kept; default all. progress(done): replicas'
        worth of work. Raises ValueError, one line, for values out of range, and CountersFull.
        """
        replicas = Replicas.of(self, temperature, density, start, index)
        if seed is None and index is None:
            replicas = replace(replicas, index=replicas.index + np.uint64(self.replicas_run))
            self.replicas_run += len(replicas.index)
        seed = seed_of(1 if seed is None else seed)
        with shown(progress, len(replicas.index), "replicas") as report:
            return self._run(replicas, times, seed, snapshots, report, after=0.0, stretch=0)

    def go_on(
        self,
        run: Trajectories,
        times,
        *,
        snapshots=None,
        progress: Report = None,
    ) -> Trajectories:
        """The replicas of a run at later `times`, counted from their start, with fresh random
        numbers; the rest as in `run`.  The model may be another one of the same size: a quench.
        ValueError if the first time is not after the run's last, or on another size.
        """
        if run.stretch == LONGEST_CHAIN:
            raise ValueError(f"the run went on {LONGEST_CHAIN} times; start another from its maps")
        start = (run.last_magnetization_map, run.last_density_map)
        if start[0].shape[-1] != self.size:
            raise ValueError(f"size is {self.size}; the run is of size {start[0].shape[-1]}")
        replicas = Replicas.of(self, run.temperature, None, start, run.index)
        with shown(progress, len(replicas.index), "replicas") as report:
            return self._run(
                *(replicas, times, run.seed, snapshots, report),
                after=float(run.times[-1]),
                stretch=run.stretch + 1,
            )

    def _run(self, replicas, times, seed, snapshots, progress, after, stretch) -> Trajectories:
        times = np.atleast_1d(reals("times", times, "time units"))
        kept = np.ones(len(times), bool) if snapshots is None else np.asarray(snapshots, bool)
        early = times.ndim != 1 or not len(times) or times[0] < after or np.any(np.diff(times) <= 0)
        if early or (stretch and times[0] == after):
            since = f"beyond {after:g}" if stretch else "from 0 on"
            raise ValueError(f"times must be one or more increasing numbers {since} (time units)")
        if kept.shape != times.shape:
            raise ValueError(
                f"snapshots {kept.shape} must say yes or no to each of the {len(times)} times"
            )
        in_continuous_time = np.array(
            [
                self.continuous(t, n)
                for t, n in zip(replicas.temperature, replicas.particles, strict=True)
            ]
        )
        with_last = kept.copy()
        with_last[-1] = True
        asked, index = times, replicas.index
        times = times - after
        replicas = replace(replicas, index=index | np.uint64(stretch << INDEX_BITS))
        parts, shares = [], {}
        for continuous in (False, True):
            chosen = np.flatnonzero(in_continuous_time == continuous)
            if len(chosen):

                def report(done, key=continuous):
                    shares[key] = done
                    if progress:
                        progress(sum(shares.values()))

                some = replicas.take(chosen)
                layout = self._layout(some, COUNTER, continuous)
                found = run_batch(self, layout, some, times, with_last, seed, report)
                parts.append(
                    (
                        chosen[~found["is_full"]],
                        {name: values[~found["is_full"]] for name, values in found.items()},
                    )
                )
                full = chosen[found["is_full"]]
                if len(full):  # the same trajectories again, with counters that hold more
                    some = replicas.take(full)
                    layout = self._layout(some, WIDE_COUNTER, continuous)
                    again = run_batch(self, layout, some, times, with_last, seed, lambda done: None)
                    parts.append((full, again))
        full = [int(chosen[i]) for chosen, found in parts for i in np.flatnonzero(found["is_full"])]
        if full:
            raise CountersFull(sorted(full))
        order = np.argsort(np.concatenate([chosen for chosen, _ in parts]))
        columns = {
            name: np.concatenate([found[name] for _, found in parts])[order]
            for name in parts[0][1]
            if name != "is_full"
        }
        last = {}
        for name in ("magnetization_map", "density_map"):
            last[f"last_{name}"] = columns[name][:, -1].copy()
            columns[name] = columns[name][:, : kept.sum()]
        return Trajectories(
            times=asked,
            seed=seed,
            stretch=stretch,
            temperature=replicas.temperature,
            index=index,
            **columns,
            **last,
        )


@dataclass(frozen=True)
class Replicas:
    """temperature float64, particles int64, start int32, index uint64: (r,) each.

    maps: int64 (r, 2, L, L), m_i and rho_i to go on from, or None.
    """

    temperature: np.ndarray
    particles: np.ndarray
    start: np.ndarray
    index: np.ndarray
    maps: np.ndarray | None = None

    def take(self, chosen: np.ndarray) -> "Replicas":
        each = (getattr(self, f.name) for f in fields(self))
        return Replicas(*(None if values is None else values[chosen] for values in each))

    @classmethod
    def of(cls, model: ActiveIsing, temperature, density, start, index) -> "Replicas":
        """Checked and made arrays.  Raises ValueError, one line."""
        maps = None
        if isinstance(start, tuple):
            if density is not None:
                raise ValueError("density must be None where start is a pair of maps: they tell it")
            maps = maps_of(model, start)
            start, density = np.zeros(len(maps)), maps[:, 1].sum((1, 2)) / model.size**2
        temperature, density = reals("temperature", temperature), reals("density", density)
        start = reals("start", start)
        try:
            temperature, density, start = np.broadcast_arrays(
                *(np.atleast_1d(values) for values in (temperature, density, start))
            )
        except ValueError:
            raise ValueError(
                f"temperature {temperature.shape}, density {density.shape} and start {start.shape} must be one number, "
                "or one for each replica"
            ) from None
        count = len(temperature)
        index = np.atleast_1d(
            np.arange(count) if index is None else wholes("index", index, 0, LARGEST_INDEX)
        )
        if not count or not temperature.shape == density.shape == start.shape == index.shape == (
            count,
        ):
            raise ValueError(
                f"temperature {temperature.shape}, density {density.shape}, start {start.shape} and index {index.shape} "
                "must be one number for each replica"
            )
        if maps is not None and len(maps) != count:
            raise ValueError(
                f"start has maps of {len(maps)} replicas, and temperature {temperature.shape} is of {count}"
            )
        for t in temperature:
            number("temperature", t, LOWEST_TEMPERATURE, units="k_B = 1")
        for rho in density:
            number("density", rho, above=0, units="particles a site")
            if rho > LARGEST_DENSITY:
                raise ValueError(
                    f"density is {rho:g}; at most {LARGEST_DENSITY:g} particles a site: a site counts up to "
                    f"{LARGEST_OCCUPANCY} spins of one sign"
                )
        particles = np.rint(density * model.size**2).astype(np.int64)
        if particles.min() < 1:
            raise ValueError(
                f"density is {density.min():g}; on {model.size} x {model.size} sites that is no particle"
            )
        if not np.isin(start, (-1, 0, 1)).all():
            raise ValueError(
                f"start is {start[~np.isin(start, (-1, 0, 1))][0]}; it must be +1, -1 or 0 (each spin at random)"
            )
        for t, n in zip(temperature, particles, strict=True):
            if 1 / t > math.log(LARGEST_RATE) and not model.continuous(t, n):
                raise ValueError(
                    f"temperature is {t:g}; too low: the standard algorithm would try each particle exp(1/T) times a time "
                    f"unit, and continuous time cannot hold L = {model.size} there"
                )
            if (
                model.time_step
                and model.time_step * (4 * model.diffusion + math.exp(1 / t)) > 1 + 1e-12
            ):
                raise ValueError(
                    f"time_step is {model.time_step:g}; at T = {t:g} a probability would exceed 1: at most "
                    f"1 / (4D + exp(1/T)) = {1 / (4 * model.diffusion + math.exp(1 / t)):.6g}"
                )
        return cls(temperature, particles, start.astype(np.int32), index.astype(np.uint64), maps)


def maps_of(model: ActiveIsing, start: tuple) -> np.ndarray:
    """int64 (r, 2, L, L), m_i and rho_i of a start that goes on.  Raises ValueError, one line."""
    side = model.size
    maps = [np.asarray(each) for each in start]
    if len(maps) != 2 or any(each.ndim != 3 or each.shape[1:] != (side, side) for each in maps):
        shapes = ", ".join(str(each.shape) for each in maps)
        raise ValueError(
            f"start {shapes} must be two maps, m_i and rho_i, each (replicas, {side}, {side})"
        )
    if maps[0].shape != maps[1].shape:
        raise ValueError(
            f"start {maps[0].shape}, {maps[1].shape} must be maps of the same replicas"
        )
    for each in maps:
        if each.dtype.kind not in "iu":
            raise ValueError(f"start holds {each.dtype}; the maps m_i and rho_i are integers")
    m, rho = (each.astype(np.int64) for each in maps)
    wrong = (np.abs(m) > rho) | ((m + rho) % 2 != 0)
    if wrong.any():
        replica, x, y = np.argwhere(wrong)[0]
        raise ValueError(
            f"start has m_i = {m[replica, x, y]} with rho_i = {rho[replica, x, y]} on site ({x}, {y}) of replica {replica}; "
            "m_i is the sum of rho_i spins +1 and -1"
        )
    return np.stack([m, rho], 1)


def check(model: ActiveIsing) -> None:
    """The model's values made numbers.  Raises ValueError, one line, for a model that cannot be."""
    model.size = whole("size", model.size, 3, 4094, "lattice sites")
    model.diffusion = number("diffusion", model.diffusion, 0, units="hops a time unit")
    if model.diffusion > 1e6:
        raise ValueError(
            f"diffusion is {model.diffusion:g}; expected at most 1e+06 (hops a time unit)"
        )
    model.self_propulsion = number("self_propulsion", model.self_propulsion)
    if not 0 <= model.self_propulsion <= 1:
        raise ValueError(
            f"self_propulsion is {model.self_propulsion}; it must be from 0 to 1: a hop's rate would be negative"
        )
    one_of("algorithm", model.algorithm, ALGORITHMS)
    if model.time_step is not None:
        model.time_step = number("time_step", model.time_step, above=0, units="time units")
    if model.time_step is not None and model.algorithm != "standard":
        raise ValueError(
            f"time_step is {model.time_step:g}; only the standard algorithm has one, and algorithm is {model.algorithm}"
        )
