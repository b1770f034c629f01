"""Ising model with interactions of any range: trajectories, and nucleation out of a metastable
state.

Equation     H = - sum_{i<j} J(r_ij) s_i s_j - h sum_i s_i,  s_i = +1 or -1, periodic lattice of
             N = L^2 spins (dimensions=3, nearest neighbours alone: L^3)
Symbols      range R (lattice constants), size L, temperature T (energy / k_B), field h (energy),
             coupling J (energy)
Interaction  nearest: J = 1 for the four nearest neighbours, Tc = 2.269185; in three dimensions six,
             Tc = 4.511523
             square: the q = (2R+1)^2 - 1 spins of a square around each, J = 4/q, mean-field Tc = 4
             disk, kac, power_law: any J(r) by convolution, sum of J = 4 (ising_fft.py)
Update rule  metropolis: accept with min(1, exp(-dE / T)); heat_bath (Glauber): with 1 / (1 +
             exp(dE / T)), so that the new spin does not depend on the old one; kawasaki:
             neighbours along an axis exchange their spins, accepted as by metropolis, so that M
             stays and the field means nothing (nearest and square); wolff: clusters, h = 0, for
             equilibrium alone: time counts clusters (ising_wolff.py).
             1 MCS = N attempts, in random-site order;
             from R = 6 on `square` takes a random sublattice of spins that do not interact at a
             time, with the lifetimes of random-site order (ising_sublattice.h;
             tests/lifetime_study.py)
Nucleation   all up in +h for `equilibration` MCS, then -h: up is metastable until m <= 0 at the end
             of an MCS
Sources      S. Huang, W. Klein, H. Gould, arXiv:2004.09575; heat bath: R. J. Glauber, J. Math.
             Phys. 4, 294 (1963); exchanges: K. Kawasaki, Phys. Rev. 145, 224 (1966); Tc in three
             dimensions: A. M. Ferrenberg, J. Xu, D. P. Landau, Phys. Rev. E 97, 043301 (2018)

    from kernels.ising import Ising
    model = Ising(size=100, range=10, temperature=16 / 9, field=1.215)
    events = model.nucleate(seed=1, units=[0], events=64)[0]
    print(events.lifetime.mean(), "MCS")
    spins = model.unpack(events.history[0, -1])  # (100, 100), the first configuration with m <= 0
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from kernels import ising_fft, ising_run, ising_wolff
from kernels.arguments import number, one_of, seed_of, spins_of, whole, wholes
from kernels.device import DeviceError, device_of, select
from kernels.ising_bits import RANDOM_SITE_RANGE, BitSlicedLattices
from kernels.ising_events import NucleationEvents
from kernels.ising_run import OBSERVABLES, IsingRun
from kernels.names import named
from kernels.progress import Report, shown
from kernels.streams import STREAMS, Draws

__all__ = [
    "DYNAMICS",
    "INTERACTIONS",
    "OBSERVABLES",
    "Ising",
    "IsingRun",
    "NucleationEvents",
    "critical_temperature",
]

INTERACTIONS = ("nearest", "square", "disk", "kac", "power_law")
DYNAMICS = ("metropolis", "heat_bath", "kawasaki", "wolff")
LARGEST_RANGE = 32
LARGEST_SIZE = {2: 32768, 3: 1024}  # by dimensions; sites are counted by int32
LARGEST_UNIT, LARGEST_COUNT = 2**32 - 1, 2**31 - 1  # words of the random numbers; of a launch
LOWEST_TEMPERATURE = 1e-6
GPU_IDLES_TO = RANDOM_SITE_RANGE  # events of longer ranges are a GPU's


@named
class Ising:
    """One system of the Ising model, ready to run on `device` ("cpu", "gpu", or one of
    select(); default: auto).

    size: L > 2 `range`. range: R, 1 to 32 for `square`; the radius of `disk`, the decay length of
    `kac`, unused by `nearest` and `power_law`. temperature: T > 0, k_B = 1. field: h >= 0, the
    strength of the field: +h before the quench, -h after. interaction: see INTERACTIONS; default
    `nearest` for range 1, else `square`. exponent: J(r) ~ r^-exponent of `power_law`. dynamics:
    see DYNAMICS. dimensions: 2, or 3 for `nearest`. fixed: int (L, L) or (L, L, L), +1 or -1 where
    a spin never flips (a wall, an impurity), 0 elsewhere; starts are set to it (`nearest` and
    `square`, not with wolff; in random-site order at every range). Raises ValueError with one line
    on a value out of range.
    """

    def __init__(
        self,
        *,
        size: int,
        temperature: float,
        field: float = 0.0,
        range: int = 1,
        interaction: str | None = None,
        exponent: float | None = None,
        dynamics: str = "metropolis",
        dimensions: int = 2,
        fixed: np.ndarray | None = None,
        device=None,
    ):
        self.interaction = interaction or ("nearest" if range == 1 else "square")
        self.dynamics, self.dimensions = one_of("dynamics", dynamics, DYNAMICS), dimensions
        self.size, self.range, self.temperature, self.field, self.exponent = checked(
            self.interaction, size, range, temperature, field, exponent, dimensions
        )
        if dynamics == "kawasaki" and self.interaction not in ("nearest", "square"):
            raise ValueError(
                f"interaction is {self.interaction}; dynamics kawasaki is for nearest and square"
            )
        self.field_of(None)
        self.fixed = None if fixed is None else self._fixed(fixed)
        self.device = device_of(device)
        self.calls: dict[str, int] = {}  # without seed and unit, by stream: the last one's unit
        if dynamics != "wolff" and self.interaction in ("nearest", "square"):
            self.lattices = BitSlicedLattices(self)
        elif dynamics == "wolff":
            self.lattices = ising_wolff.WolffLattices(self)
        else:
            self.lattices = ising_fft.ConvolutionLattices(self)

    @cached_property
    def nucleating(self):
        """The lattices of nucleate: the cores' where leaves_the_gpu() says so and there is a
        compiler. Bytes are the same.
        """
        if not leaves_the_gpu(self.interaction, self.range, self.device):
            return self.lattices
        try:
            return BitSlicedLattices(self, select("cpu", self.device.host_workers))
        except DeviceError:
            return self.lattices

    def compile(self, paths: bool = False) -> None:
        """Compile what nucleate, intervene and evolve launch; paths: and what samplings of paths
        do (kernels.forward_flux).
        """
        for lattices in (self.lattices, self.nucleating):
            lattices.module.compile()
            if paths and isinstance(lattices, BitSlicedLattices):
                lattices.paths.compile()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a configuration, (L, L) or (L, L, L)."""
        return (self.size,) * self.dimensions

    @property
    def sites(self) -> int:
        return self.size**self.dimensions

    @property
    def neighbours(self) -> int:
        """q, for `nearest` and `square`."""
        if self.interaction == "nearest":
            return 2 * self.dimensions
        return (2 * self.range + 1) ** 2 - 1

    @property
    def coupling(self) -> float:
        """J of one bond, for `nearest` and `square`."""
        return 1.0 if self.interaction == "nearest" else 4.0 / self.neighbours

    @property
    def critical_temperature(self) -> float:
        return critical_temperature(self.interaction, self.dimensions)

    @property
    def spinodal_field(self) -> float:
        """Mean-field h_s = K m_s - T atanh(m_s), m_s = sqrt(1 - T / K), K = sum_r J(r) = 4 (6 in
        three dimensions); 0 for T >= K.

        The end of the metastable state as R grows; a short range shows no sharp end, and nucleates
        well before it. For `nearest` T stands for K T / Tc: at T = 4/9 Tc the paper measures h from
        1.27 at R = 1 too.
        """
        total = 2.0 * self.dimensions
        temperature = total * self.temperature / self.critical_temperature
        if temperature >= total:
            return 0.0
        m = math.sqrt(1 - temperature / total)
        return total * m - temperature * math.atanh(m)

    def is_metastable(self) -> bool:
        """Whether mean-field theory knows a metastable state here: T < Tc and h below the
        spinodal.
        """
        return (
            self.temperature < self.critical_temperature and abs(self.field) < self.spinodal_field
        )

    def coupling_table(self) -> np.ndarray:
        """J by displacement, float64 (L, L) or (L, L, L), entry [dx mod L, dy mod L, ...]; zero at
        the origin.
        """
        d = np.minimum(np.arange(self.size), self.size - np.arange(self.size))
        along = np.stack(np.meshgrid(*[d] * self.dimensions, indexing="ij"))
        r = np.sqrt((along**2).sum(0))
        with np.errstate(divide="ignore"):
            table = {
                "nearest": lambda: (along.sum(0) == 1).astype(float),
                "square": lambda: (along.max(0) <= self.range).astype(float),
                "disk": lambda: (r <= self.range).astype(float),
                "kac": lambda: np.exp(-r / self.range),
                "power_law": lambda: r**-self.exponent,
            }[self.interaction]()
        table[(0,) * self.dimensions] = 0
        return table * (1.0 if self.interaction == "nearest" else 4.0 / table.sum())

    def local_fields(self, spins: np.ndarray) -> np.ndarray:
        """f_i = sum_j J(r_ij) s_j of spins (..., *shape), by FFT; float64 (..., *shape), energy."""
        spins = spins_of(spins, self.shape)
        return ising_fft.local_fields(spins, self.coupling_table(), self.device)

    def energy(self, spins: np.ndarray, field: float | None = None) -> np.ndarray:
        """H of spins (..., *shape) in a signed field (default -h); float64 (...)."""
        spins = spins_of(spins, self.shape)
        return ising_fft.energy(spins, self.coupling_table(), self.field_of(field), self.device)

    def pack(self, spins: np.ndarray) -> np.ndarray:
        """Spins +1 / -1, (..., *shape), to bytes, (..., ceil(N / 8)): bit 1 is up, big-endian bits,
        sites as C orders them.  ValueError on other values or another shape.
        """
        spins = spins_of(spins, self.shape)
        flat = spins.reshape(*spins.shape[: -self.dimensions], self.sites)
        return np.packbits(flat > 0, axis=-1)

    def unpack(self, packed: np.ndarray) -> np.ndarray:
        """Bytes, (..., ceil(N / 8)), to int8 spins, (..., *shape).  ValueError on another shape."""
        packed = np.asarray(packed)
        if packed.ndim < 1 or packed.shape[-1] != self.bytes or packed.dtype != np.uint8:
            raise ValueError(
                f"packed configurations are {packed.dtype} {packed.shape}; "
                f"those of L = {self.size} are uint8 (..., {self.bytes})"
            )
        bits = np.unpackbits(packed, axis=-1, count=self.sites).astype(np.int8)
        return (2 * bits - 1).reshape(*packed.shape[:-1], *self.shape)

    def nucleate(
        self,
        *,
        seed: int,
        units: Sequence[int],
        events: int,
        history: int = 50,
        equilibration: int = 50,
        max_lifetime: int | None = None,
        progress: Report = None,
    ) -> list[NucleationEvents]:
        """`events` nucleation events for each unit, each run to its own end; one result a unit.

        A unit's result is a function of the system, seed, unit, events, history and equilibration
        (MCS) alone; units are taken together only for speed. progress: called now and then with the
        number of events ended. Raises RuntimeError if an event outlives max_lifetime (MCS): it is
        never cut short, which would bias lifetimes.
        """
        self._of_free_m("nucleate")
        seed, numbers = seed_of(seed), wholes("units", units, 0, LARGEST_UNIT)
        if numbers.ndim != 1:
            raise ValueError(f"units is {numbers}; it must be a list of whole numbers, e.g. [0, 1]")
        events = whole("events", events, 1, LARGEST_COUNT)
        history = whole("history", history, 1, LARGEST_COUNT, "MCS")
        equilibration = whole("equilibration", equilibration, 1, LARGEST_COUNT, "MCS")
        if max_lifetime is not None:
            max_lifetime = whole("max_lifetime", max_lifetime, 1, units="MCS")
        if not len(numbers):
            return []
        with shown(progress, events * len(numbers), "events") as report:
            return self.nucleating.nucleate(
                seed, numbers.tolist(), events, history, equilibration, max_lifetime, report
            )

    def intervene(
        self,
        *,
        seed: int,
        unit: int,
        spins: np.ndarray,
        duration: np.ndarray,
        copies: int,
        first_copy: int = 0,
        stream: str = "intervention",
        progress: Report = None,
    ) -> np.ndarray:
        """Runs copies of configurations in the field -h with fresh random numbers, until m <= 0 or
        for `duration`.

        spins: uint8 (n, ceil(N / 8)), packed; one, (ceil(N / 8),), is n = 1. duration: int (n,), or
        one for all, MCS; sort by it, since 512 configurations run until the longest of them is
        done. Copies first_copy .. first_copy + copies - 1, each with its own order of the sites: no
        two copies of a configuration share it, else their results would be correlated. progress:
        called with copies done. Returns int32 (copies, n): MCS after which m <= 0 was first seen,
        -1 where it was not.
        """
        self._of_free_m("intervene")
        spins = self._packed(spins)
        seed, unit = seed_of(seed), whole("unit", unit, 0, LARGEST_UNIT)
        copies, first_copy = whole("copies", copies, 0), whole("first_copy", first_copy, 0)
        if first_copy + copies > 1 << 24:
            raise ValueError(
                f"copies {first_copy} to {first_copy + copies - 1}: copies are numbered from 0 to 2^24 - 1"
            )
        one_of("stream", stream, STREAMS)
        duration = wholes("duration", duration, 0, LARGEST_COUNT, "MCS")
        if duration.shape not in ((), (len(spins),)):
            raise ValueError(
                f"duration has shape {duration.shape}; it must be one number, or one for each of {len(spins)} configurations"
            )
        if not len(spins):
            return np.empty((copies, 0), np.int32)
        duration = np.broadcast_to(duration.astype(np.int32), len(spins))
        draws = Draws(seed, unit, stream, first_copy)
        with shown(progress, copies, "copies") as report:
            return self.lattices.evolve(spins, duration, -self.field, draws, copies, report)[0]

    def run(
        self,
        spins: np.ndarray,
        times,
        *,
        seed: int | None = None,
        unit: int | None = None,
        field: float | None = None,
        observe: Sequence[str] = ("magnetization", "energy"),
        snapshots: bool = False,
        progress: Report = None,
    ) -> IsingRun:
        """Trajectories of packed configurations, uint8 (n, ceil(N / 8)), and what is seen of them
        at `times`, increasing MCS from 0 on, in a field of any sign (default -h).

        observe: some of OBSERVABLES, counted on the device (an energy costs about as much as a
        third of an MCS), clusters after the run. snapshots: whether configurations are kept too.
        Random numbers are a function of (seed, unit), unit 0 by default. Without both seed is 1,
        and unit the number of such calls of this model before: none repeats the random numbers of
        another, and a script run again gives the same. go_on goes on from the end. progress: called
        with replicas done. For `nearest` and `square`; with dynamics wolff for all, and times count
        clusters.
        ValueError, one line, on what does not fit.
        """
        asked = dict(field=field, observe=observe, snapshots=snapshots)
        spins = self._of_run(spins, observe)
        seed, unit = self._randomness("run", seed, unit)
        return ising_run.run(self, spins, times, seed, unit, asked, progress)

    def go_on(self, run: IsingRun, times, *, progress: Report = None) -> IsingRun:
        """The replicas of a run at later `times`, counted from their start, with fresh random
        numbers; the rest as that run was asked for.  The model may be another one of the same
        lattice: a quench.  ValueError if the first time is not after the run's last.
        """
        spins, after = self._of_run(run.spins, run.asked["observe"]), int(run.times[-1])
        seed, unit, asked, stretch = run.seed, run.unit, run.asked, run.stretch + 1
        return ising_run.run(self, spins, times, seed, unit, asked, progress, after, stretch)

    def _of_run(self, spins: np.ndarray, observe: Sequence[str]) -> np.ndarray:
        """Packed configurations, checked for a run that observes so."""
        if self.dynamics != "wolff":
            self._of_bits("run")
        spins = self._packed(spins)
        if not len(spins):
            raise ValueError("spins are none; there is nothing to run")
        if self.dimensions == 3 and "largest_cluster" in observe:
            raise ValueError(
                "observe holds largest_cluster, which is counted in two dimensions alone"
            )
        return spins

    def shoot(
        self,
        configurations: np.ndarray,
        parent: np.ndarray,
        *,
        low: int,
        high: int,
        seed: int,
        unit: int = 0,
        limit: int = 10**6,
        field: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Trials in a field of any sign (default -h), each until, after an MCS, at most `low` spins
        are up or at least `high`: the moves that rare events are made of (kernels.rare_events).

        configurations: packed, uint8 (c, ceil(N / 8)). parent: int (t,), which of them each trial
        starts from. limit: MCS after which a trial is given up; from 64 on up to 63 later. Returns
        duration int32 (t,), MCS, negative where it ended at `high`, 0 where it was given up; the
        lowest number of up spins it was seen with, int32 (t,); and where it ended, packed, uint8
        (t, ceil(N / 8)). The random numbers are those of (seed, unit), and of a further unit for
        every 4096 trials more.
        """
        self.check_trials()
        configurations, seed = self._packed(configurations), seed_of(seed)
        unit, limit = whole("unit", unit, 0, LARGEST_UNIT), whole("limit", limit, 1, LARGEST_COUNT)
        low, high = whole("low", low, -1, self.sites), whole("high", high, 0, self.sites + 1)
        parent = wholes("parent", parent, 0, len(configurations) - 1)
        if parent.ndim != 1 or not len(parent):
            raise ValueError("parent must be a list of one or more configurations' numbers")
        return self.lattices.shoot(
            configurations,
            parent,
            low,
            high,
            limit,
            self.field_of(field),
            Draws(seed, unit, "trials"),
        )

    def check_trials(self) -> None:
        """ValueError, one line, where trials (shoot, kernels.rare_events) make no sense."""
        self._of_bits("a trial")
        self._of_free_m("a trial")
        if self.fixed is not None:
            raise ValueError("fixed is given; trials move configurations about, which it forbids")

    def _of_bits(self, what: str) -> None:
        if self.interaction not in ("nearest", "square"):
            raise ValueError(
                f"interaction is {self.interaction}; {what} is for nearest and square alone"
            )

    def _of_free_m(self, what: str) -> None:
        if self.dynamics == "kawasaki":
            raise ValueError(f"dynamics is kawasaki, which keeps m; {what} waits for m to change")
        if self.dynamics == "wolff":
            raise ValueError(
                f"dynamics is wolff, whose clusters are no time; {what} waits for m to change"
            )
        if self.fixed is not None and 2 * max(np.sum(self.fixed > 0), np.sum(self.fixed < 0)) >= (
            self.sites
        ):
            raise ValueError(
                f"fixed holds half of the spins or more on one side; {what} waits for m to change"
            )

    def evolve(
        self,
        spins: np.ndarray,
        steps: int,
        *,
        seed: int | None = None,
        unit: int | None = None,
        field: float | None = None,
        progress: Report = None,
    ) -> np.ndarray:
        """Packed configurations, uint8 (..., ceil(N / 8)), after `steps` MCS (wolff: clusters) in a
        field of any sign (default -h); one of them, (ceil(N / 8),), stays one.

        The random numbers are those of (seed, unit), unit 0 by default: give the next stretch of a
        trajectory another unit, or neither, as in `run`, and every call takes fresh ones. progress:
        called with replicas done.
        """
        spins, shape = self._packed(spins), np.shape(spins)
        field, steps = self.field_of(field), whole("steps", steps, 0, LARGEST_COUNT, "MCS")
        if not len(spins):
            return spins.reshape(shape)
        seed, unit = self._randomness("evolve", seed, unit)
        duration = np.full(len(spins), steps)
        draws = Draws(seed, unit, "evolve")
        with shown(progress, len(spins), "replicas") as report:
            return self.lattices.evolve(spins, duration, field, draws, None, report)[1].reshape(
                shape
            )

    def _randomness(self, stream: str, seed, unit) -> tuple[int, int]:
        """Seed and unit of a call; a unit that no call without them had before, where neither is
        given.
        """
        if seed is None and unit is None:
            self.calls[stream] = self.calls.get(stream, -1) + 1
            unit = self.calls[stream]
        seed, unit = 1 if seed is None else seed, 0 if unit is None else unit
        return seed_of(seed), whole("unit", unit, 0, LARGEST_UNIT)

    def __repr__(self) -> str:
        range_ = "" if self.interaction in ("nearest", "power_law") else f", range={self.range}"
        exponent = "" if self.exponent is None else f", exponent={self.exponent:g}"
        dynamics = "" if self.dynamics == "metropolis" else f", dynamics={self.dynamics!r}"
        dimensions = "" if self.dimensions == 2 else f", dimensions={self.dimensions}"
        fixed = "" if self.fixed is None else f", fixed={np.count_nonzero(self.fixed)} spins"
        return (
            f"Ising(size={self.size}, temperature={self.temperature:.6g}, field={self.field:.6g}, "
            f"interaction={self.interaction!r}{range_}{exponent}{dynamics}{dimensions}{fixed})"
        )

    @property
    def bytes(self) -> int:
        """Of a packed configuration."""
        return (self.sites + 7) // 8

    def _packed(self, spins) -> np.ndarray:
        """uint8 (n, ceil(N / 8)), n = 1 for one configuration."""
        spins = np.asarray(spins)
        if spins.ndim < 1 or spins.shape[-1] != self.bytes or spins.dtype != np.uint8:
            raise ValueError(
                f"spins are {spins.dtype} {spins.shape}; packed configurations (Ising.pack) of L = {self.size} are "
                f"uint8 (..., {self.bytes})"
            )
        spins = spins.reshape(-1, self.bytes)
        if self.fixed is None:
            return spins
        up, down = (np.packbits((self.fixed == sign).ravel()) for sign in (1, -1))
        return spins & ~down | up

    def _fixed(self, fixed) -> np.ndarray:
        """int8 (*shape), checked."""
        if self.interaction not in ("nearest", "square") or self.dynamics == "wolff":
            raise ValueError(
                "fixed is for interaction nearest and square, and not for dynamics wolff"
            )
        fixed = np.asarray(fixed)
        if fixed.shape != self.shape or not np.isin(fixed, (-1, 0, 1)).all():
            raise ValueError(f"fixed must hold -1, 0 and 1, shape {self.shape}")
        return fixed.astype(np.int8)

    def field_of(self, field) -> float:
        """A signed field, default -h."""
        if field is None:
            field = -self.field
        else:
            field = number("field", field, units="energy")
            check_field(self.interaction, field)
        if self.dynamics == "wolff" and field:
            raise ValueError(f"field is {abs(field):g}; dynamics wolff is for h = 0")
        return field


def leaves_the_gpu(interaction: str | None, range: int, device) -> bool:
    """Whether nucleate runs on the cores beside a GPU: up to R = 5 a GPU's thread has lattices of
    its own, 32 replicas, and a unit of 512 keeps sixteen threads busy. Counted, not timed.
    """
    of_bits = interaction in (None, "nearest", "square")
    return device.kind == "gpu" and of_bits and range <= GPU_IDLES_TO


def critical_temperature(interaction: str, dimensions: int = 2) -> float:
    """Tc for `nearest`, J = 1: 2 / ln(1 + sqrt 2) (Onsager), in three dimensions 1 / 0.221654626;
    else the mean-field value sum_r J(r) = 4.
    """
    if interaction != "nearest":
        return 4.0
    return 1 / 0.221654626 if dimensions == 3 else 2 / math.log(1 + math.sqrt(2))


def checked(interaction, size, range, temperature, field, exponent, dimensions=2) -> tuple:
    """size, range, temperature, field, exponent as numbers.  ValueError with one line if a value is
    out of its range.
    """
    one_of("interaction", interaction, INTERACTIONS)
    if dimensions not in LARGEST_SIZE or (dimensions == 3 and interaction != "nearest"):
        raise ValueError(
            f"dimensions is {dimensions}; it must be 2, or 3 for interaction nearest (here {interaction})"
        )
    units = "lattice constants"
    if interaction == "square":
        range = whole("range", range, 1, LARGEST_RANGE, units)
    elif interaction == "nearest":
        if number("range", range) != 1:
            raise ValueError(f"range is {range}; interaction nearest has range 1")
        range = 1
    elif interaction == "power_law":
        range = number("range", range, above=0, units=units)
    else:
        range = number("range", range, {"disk": 1, "kac": 0.1}[interaction], units=units)
    reach = 1 if interaction in ("power_law", "kac") else range
    size = whole("size", size, 1, LARGEST_SIZE[dimensions], units)
    if size <= 2 * reach:
        raise ValueError(f"size is {size}; it must exceed 2 range = {2 * reach} ({units})")
    temperature = number("temperature", temperature, above=LOWEST_TEMPERATURE, units="energy / k_B")
    field = number("field", field, 0, units="a strength, energy")
    check_field(interaction, field)
    if interaction == "power_law":
        if exponent is None:
            raise ValueError("exponent is None; power_law needs one, J(r) ~ r^-exponent")
        exponent = number("exponent", exponent, above=0)
    return size, range, temperature, field, exponent


def check_field(interaction: str, field: float) -> None:
    """Raises ValueError if the field is beyond the acceptance table of ising_fft.cu."""
    if interaction not in ("nearest", "square") and abs(field) > 16:
        raise ValueError(
            f"field is {field}; for interaction {interaction} it must not exceed 16 in strength (energy)"
        )
