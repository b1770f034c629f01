"""Active Ising Model in two dimensions: particles with a spin that align with their site and fly along x.

Model        N = rho0 L^2 particles, spin s = +1 or -1, on a periodic L x L lattice, any number on a site i:
             rho_i = n_+ + n_-, m_i = n_+ - n_-
Rates        flip exp(-s beta m_i / rho_i) (a spin counts itself); hop to x + s: D (1 + epsilon), to x - s: D (1 - epsilon),
             to y + 1 and y - 1: D each; beta = 1 / T, time in units of 1 / (flip rate at beta = 0)
Symbols      temperature T (k_B = 1, coupling 1), density rho0 (particles a site), diffusion D, self_propulsion epsilon
Algorithms   standard: random-sequential; an attempt takes a random particle and time dt / N, flips it with the probability
             exp(-s beta m_i / rho_i) dt, hops with D (1 +- epsilon) dt and D dt, else leaves it; dt = 1 / (4D + exp(beta))
             continuous_time: the same rates without the attempts that leave a particle alone (active_ising.cu): a particle is
             tried at the rate 4D + exp(-beta), which every flip has at least; flips beyond it come from the sites that hold
             both spins. Time is counted in these attempts, N (4D + exp(-beta)) a unit, as the standard algorithm counts its own
             auto: continuous_time up to T = 0.4, where it is the faster, on every device alike
Source       the flocking paper named in README.md; A. P. Solon and J. Tailleur, Phys. Rev. E 92, 042119 (2015)

    from kernels.active_ising import ActiveIsing
    model = ActiveIsing(size=81)
    run = model.run(temperature=[0.25, 0.55, 0.95], density=[3, 3, 3], start=[1, 1, 0], times=[0, 500, 1000])
    print(run.magnetization / run.particles[:, None])   # <m>/rho0 at the three times
    print(run.density_map.shape)                        # (3, 3, 81, 81), indexed [replica, time, x, y]
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from kernels.device import select
from kernels.ising import next_launch
from kernels.streams import STREAMS, seed_words

ALGORITHMS = ("auto", "standard", "continuous_time")
CONTINUOUS_UP_TO = 0.4  # the temperature from which on `auto` is `standard`: make bench
LARGEST_OCCUPANCY = 63  # spins of one sign on a site (FULL in active_ising.cu)
MANY = 32  # of one sign: a site beyond makes its replica's tickets wider (MANY in active_ising.cu)
LARGEST_DENSITY = 20.0  # a Poisson distribution of this mean passes LARGEST_OCCUPANCY once in 1e14
SLOTS, PAIRS, BINS, STATE = 128, 8192, 65, 7  # as in active_ising.cu
DONE, LOOK, EXCESS_ATTEMPTS, IS_FULL = 0, 1, 3, 6
FIRST_LAUNCH = 1 << 18  # attempts of particles a replica


class CountersFull(RuntimeError):
    """More than LARGEST_OCCUPANCY spins of one sign met on a site.  replicas: which, as a list of indices."""

    def __init__(self, replicas: Sequence[int]):
        self.replicas = list(replicas)
        super().__init__(f"more than {LARGEST_OCCUPANCY} spins of one sign on a site, in replica {self.replicas[0]}"
                         + (f" and {len(self.replicas) - 1} more" if len(self.replicas) > 1 else "") + ": lower the density")  # fmt: skip


@dataclass(frozen=True)
class Trajectories:
    """What r replicas showed at o times, s of which have maps.  Lattices are indexed [x, y].

    time: float64 (o,). particles: int32 (r,), N. magnetization: int32 (r, o), sum of m_i. density_profile,
    magnetization_profile: int32 (r, o, L), sums of rho_i and m_i over y. density_histogram: int32 (r, o, 65), sites that hold
    0 to 63 particles, and 64 or more. magnetization_map int16 and density_map uint16: (r, s, L, L), m_i and rho_i.
    attempts: int64 (r,), all that were made."""

    time: np.ndarray
    particles: np.ndarray
    magnetization: np.ndarray
    density_profile: np.ndarray
    magnetization_profile: np.ndarray
    density_histogram: np.ndarray
    magnetization_map: np.ndarray
    density_map: np.ndarray
    attempts: np.ndarray


class ActiveIsing:
    """The model on one lattice, ready to run on `device` (kernels.device.select; default: auto).

    size: L, 3 to 4094. diffusion: D >= 0. self_propulsion: epsilon, 0 to 1. algorithm: see ALGORITHMS. time_step: dt of the standard
    algorithm; default: the longest, (4D + exp(beta))^-1, with which a probability reaches 1. Raises ValueError with one
    line on a value out of range.
    """

    def __init__(self, size: int, diffusion: float = 1.0, self_propulsion: float = 0.9, algorithm: str = "auto",
                 time_step: float | None = None, device=None):
        self.size, self.diffusion, self.self_propulsion = size, diffusion, self_propulsion
        self.algorithm, self.time_step = algorithm, time_step
        check(self)
        self.device = device or select()

    def continuous(self, temperature: float) -> bool:
        """Whether this temperature runs in continuous time."""
        return self.algorithm == "continuous_time" or (self.algorithm == "auto" and temperature <= CONTINUOUS_UP_TO)

    def common_flip_rate(self, temperature: float) -> float:
        """c: up to which flips are tried on all particles alike; an attempt takes the time 1 / (N (4D + c))."""
        if self.continuous(temperature):
            return math.exp(-1 / temperature)
        return 1 / self.time_step - 4 * self.diffusion if self.time_step else math.exp(1 / temperature)

    def run(self, temperature, density, start, times, seed: int = 1, index=None, snapshots=None,
            progress: Callable[[float], None] | None = None) -> Trajectories:
        """Replicas from their start to the last of `times`.

        temperature, density: T and rho0, float (r,). start: int (r,), +1 or -1: all spins that way, 0: each at random; sites
        are uniform at random. times: increasing float (o,), from 0 on, when to look. index: int (r,) below 2^48, default
        0..r-1: the random numbers of a replica are a function of (seed, index), its trajectory of nothing else but its own
        parameters. snapshots: bool (o,), at which times maps are kept; default all. progress(done): replicas' worth of work.
        Raises ValueError, one line, for values out of range, and CountersFull.
        """
        replicas = Replicas.of(self, temperature, density, start, index)
        times = np.asarray(times, float)
        kept = np.ones(len(times), bool) if snapshots is None else np.asarray(snapshots, bool)
        if times.ndim != 1 or not len(times) or times[0] < 0 or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            raise ValueError("times must be one or more increasing numbers from 0 on (time units)")
        if kept.shape != times.shape:
            raise ValueError(f"snapshots {kept.shape} must say yes or no to each of the {len(times)} times")
        parts, shares, total = [], {}, len(replicas.temperature)
        for continuous in (False, True):
            chosen = np.flatnonzero([self.continuous(t) == continuous for t in replicas.temperature])
            if len(chosen):
                def report(done, key=continuous):
                    shares[key] = done
                    if progress:
                        progress(sum(shares.values()))

                parts.append((chosen, self._run(continuous, replicas.take(chosen), times, kept, seed, report)))
        order = np.argsort(np.concatenate([chosen for chosen, _ in parts]))
        full = [int(chosen[i]) for chosen, (_, bad) in parts for i in bad]
        if full:
            raise CountersFull(sorted(full))
        columns = {f.name: np.concatenate([getattr(part, f.name) for _, (part, _) in parts])[order]
                   for f in fields(Trajectories) if f.name != "time"}  # fmt: skip
        assert len(columns["particles"]) == total
        return Trajectories(time=times, **columns)

    def _run(self, continuous, replicas: "Replicas", times, kept, seed, report) -> tuple[Trajectories, np.ndarray]:
        """Replicas of one algorithm; the second: which of them overflowed."""
        device, count, size, looks = self.device, len(replicas.particles), self.size, len(times)
        bits = max(7, (size + 1).bit_length())
        narrow = bits == 7
        cells, stride = (size + 2) << bits, -(-(int(replicas.particles.max()) + 64) // 64) * 64
        small = stride <= 1 << 16
        shared_bytes = 4 * size**2 + 2 * (cells + cells % 2) + (2 if narrow else 4) * stride
        fits = device.kind == "gpu" and shared_bytes < device.shared_bytes - 1024
        code, cell, order = (np.uint16 if yes else np.uint32 for yes in (narrow, cells <= 1 << 16, small))
        names = {np.uint16: "unsigned short", np.uint32: "unsigned"}
        module = device.module("active_ising.cu", dict(
            SIZE=size, BITS=bits, CODE=names[code], INDEX=names[order], CELL=names[cell],
            CONTINUOUS=int(continuous), SHARED_STATE=int(fits)))  # fmt: skip
        pairs, rates_of = np.unique(np.stack([replicas.temperature, replicas.particles], 1), axis=0, return_inverse=True)
        tables = [rate_tables(self, continuous, float(t), int(n)) for t, n in pairs]
        weights = np.array([tables[i].weights for i in rates_of], np.uint32)
        rate = np.array([4 * self.diffusion + self.common_flip_rate(t) for t in replicas.temperature])
        clock = np.rint(times[None, :] * (replicas.particles * rate)[:, None]).astype(np.uint64)
        particle, state = device.zeros((count, stride), code), device.asarray(np.zeros((count, STATE), np.uint64))
        lists = [None] * 3
        if continuous:
            lists = [device.zeros((count, 2 * cells), order), device.zeros((count, size**2), cell), device.zeros((count, cells), cell)]
        memory = [particle, np.int32(stride), device.zeros((count, cells), np.uint16), device.zeros((count, 4 * SLOTS), np.uint32), *lists,
                  state, device.asarray(replicas.particles, np.int32)]  # fmt: skip
        identity = np.stack([replicas.index & 0xFFFFFFFF, replicas.index >> np.uint64(32)], 1).astype(np.uint32)
        module.launch("populate", count, [*memory, device.asarray(replicas.start, np.int32), device.asarray(identity),
                                          *seed_words(seed), np.uint32(STREAMS["active_ising"])], SLOTS)  # fmt: skip
        maps = int(kept.sum())
        found = [device.zeros((count, looks), np.int32), device.zeros((count, looks, 2, size), np.int32),
                 device.zeros((count, looks, BINS), np.int32), device.zeros((count, max(maps, 1), 2, size, size), np.int16)]  # fmt: skip
        constant = [rates_of.astype(np.int32).reshape(-1), np.concatenate([t.words(bits) for t in tables]),
                    np.stack([t.excess for t in tables]) if continuous else None, weights, clock]  # fmt: skip
        constant = [None if values is None else device.asarray(values) for values in constant]
        places = device.asarray(np.where(kept, np.cumsum(kept) - 1, -1), np.int32)
        most, last = FIRST_LAUNCH, clock[:, -1].astype(float)
        while True:
            begun = time.monotonic()
            module.launch("advance", count, [*memory, *constant, np.int32(looks), np.int32(most), places, np.int32(maps), *found],
                          SLOTS, shared_bytes if fits else (4 * size**2 if device.kind == "gpu" else 0))  # fmt: skip
            device.synchronize()
            now = device.to_host(state)
            most = max(1 << 12, next_launch(most, time.monotonic() - begun))
            ended = (now[:, LOOK] == looks) | (now[:, IS_FULL] > 0)
            report(float(np.where(ended, 1.0, now[:, DONE] / np.maximum(last, 1)).sum()))
            if ended.all():
                break
        magnetization, profile, histogram, pictures = (device.to_host(array) for array in found)
        pictures = pictures[:, :maps]
        return Trajectories(
            times, replicas.particles.astype(np.int32), magnetization, profile[:, :, 0].copy(), profile[:, :, 1].copy(), histogram,
            pictures[:, :, 0].copy(), pictures[:, :, 1].astype(np.uint16), (now[:, DONE] + now[:, EXCESS_ATTEMPTS]).astype(np.int64),
        ), np.flatnonzero(now[:, IS_FULL])  # fmt: skip


@dataclass(frozen=True)
class Replicas:
    """temperature float64, particles int64, start int32, index uint64: (r,) each."""

    temperature: np.ndarray
    particles: np.ndarray
    start: np.ndarray
    index: np.ndarray

    def take(self, chosen: np.ndarray) -> "Replicas":
        return Replicas(*(getattr(self, f.name)[chosen] for f in fields(self)))

    @classmethod
    def of(cls, model: ActiveIsing, temperature, density, start, index) -> "Replicas":
        """Checked and made arrays.  Raises ValueError, one line."""
        temperature, density = np.atleast_1d(np.asarray(temperature, float)), np.atleast_1d(np.asarray(density, float))
        start = np.atleast_1d(np.asarray(start))
        count = len(temperature)
        index = np.arange(count) if index is None else np.atleast_1d(np.asarray(index))
        if not count or not temperature.shape == density.shape == start.shape == index.shape == (count,):
            raise ValueError(f"temperature {temperature.shape}, density {density.shape}, start {start.shape} and index {index.shape} "
                             "must be one number for each replica")  # fmt: skip
        for t in temperature:
            if not (np.isfinite(t) and t > 0):
                raise ValueError(f"temperature is {t:g}; it must be positive (k_B = 1)")
        for rho in density:
            if not (np.isfinite(rho) and rho > 0):
                raise ValueError(f"density is {rho:g}; it must be positive (particles a site)")
            if rho > LARGEST_DENSITY:
                raise ValueError(f"density is {rho:g}; at most {LARGEST_DENSITY:g} particles a site: a site counts up to {LARGEST_OCCUPANCY} "
                                 "spins of one sign")  # fmt: skip
        particles = np.rint(density * model.size**2).astype(np.int64)
        if particles.min() < 1:
            raise ValueError(f"density is {density.min():g}; on {model.size} x {model.size} sites that is no particle")
        if not np.isin(start, (-1, 0, 1)).all():
            raise ValueError(f"start is {start[~np.isin(start, (-1, 0, 1))][0]}; it must be +1, -1 or 0 (each spin at random)")
        if index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= 1 << 48:
            raise ValueError("index must be whole numbers from 0 to 2^48 - 1")
        for t in np.unique(temperature):
            if model.time_step and not model.continuous(t) and model.time_step * (4 * model.diffusion + math.exp(1 / t)) > 1 + 1e-12:
                raise ValueError(f"time_step is {model.time_step:g}; at T = {t:g} a probability would exceed 1: at most "
                                 f"1 / (4D + exp(1/T)) = {1 / (4 * model.diffusion + math.exp(1 / t)):.6g}")  # fmt: skip
        return cls(temperature, particles, start.astype(np.int32), index.astype(np.uint64))


def check(model: ActiveIsing) -> None:
    """Raises ValueError, one line, for a model that cannot be."""
    if not (isinstance(model.size, (int, np.integer)) and 3 <= model.size <= 4094):
        raise ValueError(f"size is {model.size}; it must be a whole number from 3 to 4094 (lattice sites)")
    if not (np.isfinite(model.diffusion) and model.diffusion >= 0):
        raise ValueError(f"diffusion is {model.diffusion}; it must be at least 0 (hops a time unit)")
    if not 0 <= model.self_propulsion <= 1:
        raise ValueError(f"self_propulsion is {model.self_propulsion}; it must be from 0 to 1: a hop's rate would be negative")
    if model.algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm is {model.algorithm!r}; it must be one of {', '.join(ALGORITHMS)}")
    if model.time_step is not None and model.algorithm != "standard":
        raise ValueError(f"time_step is {model.time_step:g}; only the standard algorithm has one, and algorithm is {model.algorithm}")
    if model.time_step is not None and not model.time_step > 0:
        raise ValueError(f"time_step is {model.time_step}; it must be positive (time units)")


def spins_on_site() -> tuple[np.ndarray, np.ndarray]:
    """n_- and n_+ by a site's count, int (PAIRS,): count = n_- + 128 n_+."""
    return np.arange(PAIRS) % 128, np.arange(PAIRS) // 128


def turns() -> np.ndarray:
    """uint8 (PAIRS,): whether a site begins or ceases to hold both spins when a - (bit 0) or + (1) leaves, a - (2) or + (3) comes."""
    minus, plus = spins_on_site()
    bits = [(minus == 1) & (plus > 0), (plus == 1) & (minus > 0), (minus == 0) & (plus > 0), (plus == 0) & (minus > 0)]
    return sum(bit.astype(np.uint8) << k for k, bit in enumerate(bits)).astype(np.uint8)


TURNS = turns()


@dataclass(frozen=True)
class RateTables:
    """last uint32 (4,), flip uint32 (2, PAIRS), excess uint64 (2, PAIRS) or None, weights (scale, ticket, wider_ticket): see Rates
    and Replica in active_ising.cu."""

    last: np.ndarray
    flip: np.ndarray
    excess: np.ndarray | None
    weights: tuple[int, int, int]

    def words(self, bits: int) -> np.ndarray:
        """The struct Rates as uint32; bits: of a coordinate in a particle's code."""
        row = 2 << bits
        flip = [0, 0] if self.excess is None else [1, -1]  # in continuous time the first kind is a flip, always
        displacement = np.array([*flip, 2, 2, -2, -2, -row, row, row, -row], np.int32)
        return np.concatenate([displacement.view(np.uint32), [1, 128], self.last, self.flip.ravel(), TURNS.view(np.uint32)]).astype(np.uint32)


def rate_tables(model: ActiveIsing, continuous: bool, temperature: float, particles: int) -> RateTables:
    """The integer tables of one temperature and number of particles, made in float64.

    Raises ValueError where the excess of all sites together would not fit into 32 bits: T below about 0.08."""
    d, common = model.diffusion, model.common_flip_rate(temperature)
    each = 4 * d + common
    until = np.cumsum([common, d, d, d * (1 + model.self_propulsion)]) / each
    last = np.clip(np.rint(until * 2.0**32) - 1, 0, 2.0**32 - 1).astype(np.uint32)
    minus, plus = spins_on_site()
    with np.errstate(divide="ignore", invalid="ignore"):
        aligned = np.where(minus + plus > 0, (plus - minus) / (minus + plus), 0)
    rates = np.exp(np.stack([aligned, -aligned]) / temperature)  # of a - and of a + spin, (2, PAIRS)
    flip = np.minimum(np.rint(np.minimum(rates, common) / each * 2.0**32), 2.0**32 - 1).astype(np.uint32)
    if not continuous:
        return RateTables(last, flip, None, (0, 0, 0))
    counts = np.stack([minus, plus])
    possible = counts.max(0) <= LARGEST_OCCUPANCY
    beyond = np.where(possible & (counts.min(0) > 0), counts * np.maximum(rates - common, 0), 0) / each  # in particles' weights
    both = beyond.sum(0)
    scale = int(math.floor(math.log2(2.0**32 / (particles + model.size**2 * (both.max() + 1)))))
    if scale < 8:
        raise ValueError(f"temperature is {temperature:g}; too low for continuous time: spins that meet flip {math.exp(1 / temperature):.2g} "
                         "times a time unit")  # fmt: skip
    excess = np.rint(np.stack([both, beyond[0]]) * 2.0 ** (32 + scale)).astype(np.uint64)
    tickets = [int(math.ceil(both[counts.max(0) < limit].max() * 2.0**scale)) + 1 for limit in (MANY, LARGEST_OCCUPANCY + 1)]
    return RateTables(last, flip, excess, (scale, *tickets))
