"""Ising model in two dimensions with interactions of any range: nucleation out of a metastable
state.

Equation     H = - sum_{i<j} J(r_ij) s_i s_j - h sum_i s_i,  s_i = +1 or -1, periodic L x L lattice,
             N = L^2 spins
Symbols      range R (lattice constants), size L, temperature T (energy / k_B), field h (energy),
             coupling J (energy)
Interaction  nearest: J = 1 for the four nearest neighbours, Tc = 2.269185
             square: the q = (2R+1)^2 - 1 spins of a square around each, J = 4/q, mean-field Tc = 4
             disk, kac, power_law: any J(r) by convolution, sum of J = 4 (ising_fft.py)
Update rule  Metropolis, accept with min(1, exp(-dE / T)); 1 MCS = N attempts, in random-site order;
             from R = 6 on `square` takes a random sublattice of spins that do not interact at a
             time, with the lifetimes of random-site order (ising_sublattice.h;
             tests/lifetime_study.py)
Nucleation   all up in +h for `equilibration` MCS, then -h: up is metastable until m <= 0 at the end
             of an MCS
Source       S. Huang, W. Klein, H. Gould, arXiv:2004.09575

    from kernels.ising import Ising
    model = Ising(size=100, range=10, temperature=16 / 9, field=1.215)
    events = model.nucleate(seed=1, units=[0], events=64)[0]
    print(events.lifetime.mean(), "MCS")
    spins = model.unpack(events.history[0, -1])  # (100, 100), the first configuration with m <= 0
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from kernels import ising_fft
from kernels.arguments import number, one_of, seed_of, spins_of, whole, wholes
from kernels.device import DeviceError, core_cache, next_launch, select
from kernels.ising_events import NucleationEvents, check_lifetimes
from kernels.streams import STREAMS, Draws, seed_words

__all__ = ["INTERACTIONS", "Ising", "NucleationEvents", "critical_temperature"]

INTERACTIONS = ("nearest", "square", "disk", "kac", "power_law")
LARGEST_RANGE = 32
LARGEST_SIZE = 32768  # sites are counted by int32
LARGEST_UNIT, LARGEST_COUNT = 2**32 - 1, 2**31 - 1  # words of the random numbers; of a launch
LOWEST_TEMPERATURE = 1e-6
GROUP = 512  # replicas that share the order of the sites (GROUP_WORDS in ising.cu)
# Up to this range sites are attempted in random order; beyond it the sublattice's lifetimes agree
# (tests/lifetime_study.py).
RANDOM_SITE_RANGE = 5
GPU_IDLES_TO = RANDOM_SITE_RANGE  # events of longer ranges are a GPU's
LARGEST_BLOCK = 512  # threads of a GPU
# From this range on a CPU keeps 4 x 4 tiles counted (ising_sublattice.h); a GPU's shared memory is
# better spent on spins.
TILED_RANGE = 12
# Substeps whose neighbours are counted in one pass over lattices that a core's own cache cannot
# hold (ising_sublattice.h).
SUBSTEPS_TOGETHER = 4


class Ising:
    """One system of the Ising model, ready to run on `device` (kernels.device.select; default:
    auto).

    size: L > 2 `range`. range: R, 1 to 32 for `square`; the radius of `disk`, the decay length of
    `kac`, unused by `nearest` and `power_law`. temperature: T > 0, k_B = 1. field: h > 0, the
    strength of the field: +h before the quench, -h after. interaction: see INTERACTIONS; default
    `nearest` for range 1, else `square`. exponent: J(r) ~ r^-exponent of `power_law`. Raises
    ValueError with one line on a value out of range.
    """

    def __init__(
        self,
        *,
        size: int,
        temperature: float,
        field: float,
        range: int = 1,
        interaction: str | None = None,
        exponent: float | None = None,
        device=None,
    ):
        self.interaction = interaction or ("nearest" if range == 1 else "square")
        self.size, self.range, self.temperature, self.field, self.exponent = checked(
            self.interaction, size, range, temperature, field, exponent
        )
        self.device = device or select()
        if self.interaction in ("nearest", "square"):
            self.lattices = BitSlicedLattices(self)
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

    @property
    def sites(self) -> int:
        return self.size**2

    @property
    def neighbours(self) -> int:
        """q, for `nearest` and `square`."""
        return 4 if self.interaction == "nearest" else (2 * self.range + 1) ** 2 - 1

    @property
    def coupling(self) -> float:
        """J of one bond, for `nearest` and `square`."""
        return 4.0 / self.neighbours

    @property
    def critical_temperature(self) -> float:
        return critical_temperature(self.interaction)

    @property
    def spinodal_field(self) -> float:
        """Mean-field h_s = K m_s - T atanh(m_s), m_s = sqrt(1 - T / K), K = sum_r J(r) = 4; 0 for T
        >= K.

        The end of the metastable state as R grows; a short range shows no sharp end, and nucleates
        well before it. For `nearest` T stands for 4 T / Tc: at T = 4/9 Tc the paper measures h from
        1.27 at R = 1 too.
        """
        total, temperature = 4.0, 4.0 * self.temperature / self.critical_temperature
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
        """J by displacement, float64 (L, L), entry [dx mod L, dy mod L]; zero at the origin."""
        d = np.minimum(np.arange(self.size), self.size - np.arange(self.size))
        x, y = np.meshgrid(d, d, indexing="ij")
        r = np.hypot(x, y)
        with np.errstate(divide="ignore"):
            table = {
                "nearest": lambda: (x + y == 1).astype(float),
                "square": lambda: (np.maximum(x, y) <= self.range).astype(float),
                "disk": lambda: (r <= self.range).astype(float),
                "kac": lambda: np.exp(-r / self.range),
                "power_law": lambda: r**-self.exponent,
            }[self.interaction]()
        table[0, 0] = 0
        return table * (1.0 if self.interaction == "nearest" else 4.0 / table.sum())

    def local_fields(self, spins: np.ndarray) -> np.ndarray:
        """f_i = sum_j J(r_ij) s_j of spins (..., L, L), by FFT; float64 (..., L, L), energy."""
        spins = spins_of(spins, self.size)
        return ising_fft.local_fields(spins, self.coupling_table(), self.device)

    def energy(self, spins: np.ndarray, field: float | None = None) -> np.ndarray:
        """H of spins (..., L, L) in a signed field (default -h); float64 (...)."""
        spins = spins_of(spins, self.size)
        return ising_fft.energy(spins, self.coupling_table(), self._field(field), self.device)

    def pack(self, spins: np.ndarray) -> np.ndarray:
        """Spins +1 / -1, (..., L, L), to bytes, (..., ceil(N / 8)): bit 1 is up, big-endian bits,
        site x L + y.  ValueError on other values or another shape.
        """
        spins = spins_of(spins, self.size)
        return np.packbits(spins.reshape(*spins.shape[:-2], self.sites) > 0, axis=-1)

    def unpack(self, packed: np.ndarray) -> np.ndarray:
        """Bytes, (..., ceil(N / 8)), to int8 spins, (..., L, L).  ValueError on another shape."""
        packed = np.asarray(packed)
        if packed.ndim < 1 or packed.shape[-1] != self.bytes or packed.dtype != np.uint8:
            raise ValueError(
                f"packed configurations are {packed.dtype} {packed.shape}; "
                f"those of L = {self.size} are uint8 (..., {self.bytes})"
            )
        bits = np.unpackbits(packed, axis=-1, count=self.sites).astype(np.int8)
        return (2 * bits - 1).reshape(*packed.shape[:-1], self.size, self.size)

    def nucleate(
        self,
        *,
        seed: int,
        units: Sequence[int],
        events: int,
        history: int = 50,
        equilibration: int = 50,
        max_lifetime: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[NucleationEvents]:
        """`events` nucleation events for each unit, each run to its own end; one result a unit.

        A unit's result is a function of the system, seed, unit, events, history and equilibration
        (MCS) alone; units are taken together only for speed. progress: called now and then with the
        number of events ended. Raises RuntimeError if an event outlives max_lifetime (MCS): it is
        never cut short, which would bias lifetimes.
        """
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
        return self.nucleating.nucleate(
            seed, numbers.tolist(), events, history, equilibration, max_lifetime, progress
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
        progress: Callable[[int], None] | None = None,
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
        return self.lattices.evolve(spins, duration, -self.field, draws, copies, progress)[0]

    def evolve(
        self, spins: np.ndarray, steps: int, *, seed: int, unit: int = 0, field: float | None = None
    ) -> np.ndarray:
        """Packed configurations, uint8 (..., ceil(N / 8)), after `steps` MCS in a field of any sign
        (default -h); one of them, (ceil(N / 8),), stays one.

        The random numbers are those of (seed, unit): give the next stretch of a trajectory another
        unit.
        """
        spins, shape = self._packed(spins), np.shape(spins)
        seed, unit = seed_of(seed), whole("unit", unit, 0, LARGEST_UNIT)
        field, steps = self._field(field), whole("steps", steps, 0, LARGEST_COUNT, "MCS")
        if not len(spins):
            return spins.reshape(shape)
        duration = np.full(len(spins), steps)
        draws = Draws(seed, unit, "evolve")
        return self.lattices.evolve(spins, duration, field, draws, None, None)[1].reshape(shape)

    def __repr__(self) -> str:
        range_ = "" if self.interaction in ("nearest", "power_law") else f", range={self.range}"
        exponent = "" if self.exponent is None else f", exponent={self.exponent:g}"
        return (
            f"Ising(size={self.size}, temperature={self.temperature:.6g}, field={self.field:.6g}, "
            f"interaction={self.interaction!r}{range_}{exponent})"
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
        return spins.reshape(-1, self.bytes)

    def _field(self, field) -> float:
        """A signed field, default -h."""
        if field is None:
            return -self.field
        field = number("field", field, units="energy")
        check_field(self.interaction, field)
        return field


def leaves_the_gpu(interaction: str | None, range: int, device) -> bool:
    """Whether nucleate runs on the cores beside a GPU: up to R = 5 a GPU's thread has lattices of
    its own, 32 replicas, and a unit of 512 keeps sixteen threads busy. Counted, not timed.
    """
    of_bits = interaction in (None, "nearest", "square")
    return device.kind == "gpu" and of_bits and range <= GPU_IDLES_TO


def critical_temperature(interaction: str) -> float:
    """Tc: 2 / ln(1 + sqrt 2) for `nearest` (Onsager, J = 1), else the mean-field value sum_r J(r) =
    4.
    """
    return 2 / math.log(1 + math.sqrt(2)) if interaction == "nearest" else 4.0


def checked(interaction, size, range, temperature, field, exponent) -> tuple:
    """size, range, temperature, field, exponent as numbers.  ValueError with one line if a value is
    out of its range.
    """
    one_of("interaction", interaction, INTERACTIONS)
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
    size = whole("size", size, 1, LARGEST_SIZE, units)
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


def fixed_point(probability: np.ndarray) -> np.ndarray:
    """Probabilities as uint32 multiples of 2^-32; 1 becomes 1 - 2^-32."""
    return np.minimum(np.rint(np.clip(probability, 0, 1) * 2.0**32), 2.0**32 - 1).astype(np.uint32)


def acceptance_table(model: Ising, field: float) -> tuple[np.ndarray, int]:
    """Masks of metropolis.h for the signed `field` and the edge floor(c0); masks are uint32, 0 or
    all ones.

    nearest: [32 bits][number of up neighbours]. square: [32][p_s q^n: s up, n = 0..3; s down], then
    for each higher base-4 digit [32][q^(n 4^digit), n = 1..3]; bits from the highest.
    """
    q, slope = model.neighbours, 4 * model.coupling / model.temperature  # lambda
    c0 = (q - field / model.coupling) / 2
    edge = int(np.clip(math.floor(c0), -1, q))
    if model.interaction == "nearest":
        cases = [np.exp(-slope * np.abs(np.arange(5) - c0))]
    else:
        up, down = (
            math.exp(-max(slope * (edge + 1 - c0), 0)),
            math.exp(-max(slope * (c0 - edge), 0)),
        )
        cases = [np.outer([up, down], np.exp(-slope * np.arange(4))).ravel()]
        digits = (q.bit_length() + 1) // 2
        cases += [np.exp(-slope * 4.0**digit * np.arange(1, 4)) for digit in range_(1, digits)]
    bits = np.arange(31, -1, -1, dtype=np.uint32)[:, None]
    masks = [(fixed_point(p)[None, :] >> bits & 1) * np.uint32(0xFFFFFFFF) for p in cases]
    return np.concatenate([m.ravel() for m in masks]).astype(np.uint32), edge


range_ = range  # `range` is a field's name here


def words_of(model: Ising, tiled: bool, gpu: bool, together: int) -> tuple[int, int]:
    """32-bit words of a lattice and of its scratch, for each lane, as ising_random_site.h and
    ising_sublattice.h lay them out.
    """
    size, reach = model.size, model.range
    if reach <= RANDOM_SITE_RANGE:
        pitch = size if model.interaction == "nearest" else size + 2 * reach
        return pitch**2, 1
    pitch, sites = size + reach, size // (reach + 1)
    tiles = (pitch // 4 + 1) ** 2 * 5
    block, strip = (n.bit_length() | int(gpu) for n in (reach**2, reach * (2 * reach + 1)))
    blocks = (sites + 1) * (1 if together > 1 else sites + 1) * block
    flips = 2 * (sites**2 + 1) if together > 1 else 0
    scratch = blocks + together * ((sites + 1) * sites * strip + flips)
    return pitch**2 + tiled * tiles, scratch


class BitSlicedLattices:
    """Replicas of nearest-neighbour or square-range lattices, one bit each (ising.cu)."""

    def __init__(self, model: Ising, device=None):
        self.model, self.device = model, device or model.device
        gpu, random_site = self.device.kind == "gpu", model.range <= RANDOM_SITE_RANGE
        # to count in a substep, the most that threads share
        blocks = (model.size // (model.range + 1) + 1) ** 2
        self.slots = 2 if random_site else min(128, 32 * math.ceil(blocks / 32))
        # of a GPU's block: a lattice each, or a lattice together
        self.threads = 32 if random_site else min(LARGEST_BLOCK, 32 * math.ceil(blocks / 32))
        self.teams_of_block = self.threads if gpu and random_site else 1
        tiled = not gpu and model.range >= TILED_RANGE and model.size % 4 == 0
        together = self._substeps_together(tiled)
        self.lattice_words, self.scratch_words = words_of(model, tiled, gpu, together)
        self.shared_bytes = 4 * (self.lattice_words + self.scratch_words)
        if random_site or not gpu or not self.device.blocks_at_once(self.shared_bytes):
            self.shared_bytes = 0
        defines = dict(
            SIZE=model.size,
            RANGE=model.range,
            NEAREST=int(model.interaction == "nearest"),
            RANDOM_SITE=int(random_site),
            TILED=int(tiled),
            TOGETHER=together,
            SLOTS=self.slots,
            THREADS=self.threads,
            COUNTED_LATTICE=self.lattice_words,
            COUNTED_SCRATCH=self.scratch_words,
        )
        if gpu:
            defines["SHARED_LATTICE"] = int(self.shared_bytes > 0)
        self.module = self.device.module("ising.cu", defines)

    def _substeps_together(self, tiled: bool) -> int:
        """SUBSTEPS_TOGETHER where a core counts windows of lattices that its own cache cannot
        hold, else 1. Bytes are the same.
        """
        if self.device.kind == "gpu" or self.model.range <= RANDOM_SITE_RANGE:
            return 1
        lattice, _ = words_of(self.model, tiled, gpu=False, together=1)
        return SUBSTEPS_TOGETHER if 4 * self.device.lanes * lattice > core_cache() else 1

    def _teams(self, tasks: int) -> int:
        """Teams that run at once when there are `tasks` of them to do: on a GPU as many as find
        place for their lattices, in shared memory or else in its cache.
        """
        if self.device.kind == "cpu":
            return min(self.device.workers, tasks)
        processors = self.device.processors
        if self.shared_bytes:
            blocks = processors * self.device.blocks_at_once(self.shared_bytes)
        else:
            block = 4 * (self.lattice_words + self.scratch_words) * self.teams_of_block
            blocks = max(processors, min(8 * processors, self.device.cache_bytes // block))
        return min(blocks * self.teams_of_block, tasks)

    def _words(self, count: int, *shape) -> np.ndarray:
        return self.device.zeros((count, *shape, self.device.lanes), np.uint32)

    def _launch(self, kernel: str, teams: int, **arguments) -> None:
        self.module.launch(
            kernel,
            -(-teams // self.teams_of_block),
            threads=self.threads,
            shared_bytes=self.shared_bytes,
            **arguments,
        )
        self.device.synchronize()

    def _allocated_teams(self, teams: int) -> int:
        """Teams rounded up to whole blocks: every thread of a block has its own place in memory."""
        return -(-teams // self.teams_of_block) * self.teams_of_block

    def nucleate(self, seed, units, events, history, equilibration, max_lifetime, progress):
        device, lanes, n = self.device, self.device.lanes, self.model.sites
        words = min(GROUP // 32, -(-events // 32))  # of a unit
        vectors = len(units) * -(-words // lanes)
        teams = self._allocated_teams(vectors)
        table, edge = acceptance_table(self.model, -abs(self.model.field))

        # replica [vector, lane, bit] starts with event 32 word + bit of its unit, where there is
        # one
        word = np.arange(vectors * lanes) % (vectors // len(units) * lanes)
        event = 32 * word[:, None] + np.arange(32)
        event[(event >= events) | (word >= words)[:, None]] = -1
        masks = np.repeat(
            ((event >= 0) << np.arange(32, dtype=np.uint32))
            .sum(1)
            .astype(np.uint32)
            .reshape(vectors, 1, lanes),
            2,
            1,
        )
        masks = device.asarray(masks)
        times, since = device.zeros(vectors, np.int32), device.zeros((vectors, lanes, 32), np.int32)
        taken = device.asarray(np.full((vectors, lanes), 32), np.int32)
        lifetime = device.zeros((len(units), events), np.int32)
        record = device.zeros((len(units), events, history + 1, (n + 7) // 8), np.uint8)
        constant = dict(
            event=device.asarray(event, np.int32),
            units=device.asarray(units, np.uint32),
            vectors=vectors,
            words_of_unit=words,
            events=events,
            equilibration=equilibration,
            history=history,
            threshold=device.asarray(table),
            edge=edge,
            **seed_words(seed),
            stream_id=STREAMS["nucleation"],
        )
        memory = dict(
            lattices=self._words(teams, self.lattice_words),
            scratches=self._words(teams, self.scratch_words),
            states=self._words(vectors, self.slots, 4),
            frames=self._words(teams, history + 1, n),
        )

        steps = 16
        while np.any(device.to_host(masks)[:, 0]):
            start = time.monotonic()
            self._launch(
                "nucleate",
                vectors,
                **memory,
                **constant,
                masks=masks,
                times=times,
                next=taken,
                since=since,
                steps=steps,
                lifetime=lifetime,
                record=record,
            )
            steps = next_launch(steps, time.monotonic() - start)
            if progress:
                progress(int(np.count_nonzero(device.to_host(lifetime))))
            held = device.to_host(constant["event"]).reshape(vectors, lanes, 32) >= 0
            age = device.to_host(times)[:, None, None] - device.to_host(since)
            check_lifetimes(np.where(held, age - equilibration, 0), max_lifetime)
        lifetime, record = device.to_host(lifetime), device.to_host(record)
        check_lifetimes(lifetime, max_lifetime)
        return [NucleationEvents(lifetime[u].copy(), record[u].copy()) for u in range_(len(units))]

    def evolve(self, spins, duration, field, draws: Draws, copies, progress):
        """(passage or None, packed end configurations or None); copies None: one copy that runs on
        past m <= 0.
        """
        device, lanes, count = self.device, self.device.lanes, len(spins)
        vectors = -(-count // (32 * lanes))
        table, edge = acceptance_table(self.model, field)
        until = np.zeros(vectors * 32 * lanes, np.int32)
        until[:count] = duration
        passage = end = None
        if copies is None:
            end = self._words(vectors, self.model.sites)
        else:
            passage = device.asarray(np.full((copies, vectors * 32 * lanes), -1, np.int32))
        tasks = vectors * (copies or 1)
        teams = self._teams(tasks)
        allocated = self._allocated_teams(teams)
        constant = dict(
            start=device.asarray(to_words(spins, self.model.sites, vectors, lanes)),
            duration=device.asarray(until),
            passage=passage,
            end=end,
            lattices=self._words(allocated, self.lattice_words),
            scratches=self._words(allocated, self.scratch_words),
            vectors=vectors,
            threshold=device.asarray(table),
            edge=edge,
            **draws.arguments(),
        )
        first, batch = 0, teams
        while first < tasks:
            last = min(first + batch, tasks)
            start_time = time.monotonic()
            self._launch(
                "evolve",
                min(teams, last - first),
                **constant,
                next_task=device.asarray([first], np.int32),
                last_task=last,
            )
            first, batch = last, next_launch(batch, time.monotonic() - start_time, teams)
            if progress:
                progress(first // vectors)
        if passage is not None:
            passage = device.to_host(passage)[:, :count]
        if end is not None:
            end = from_words(device.to_host(end), self.model.sites, count)
        return passage, end


def to_words(packed: np.ndarray, sites: int, vectors: int, lanes: int) -> np.ndarray:
    """Packed configurations (n, bytes) as words (vectors, sites, lanes): replica 32 w + b is bit b
    of word w.
    """
    width = 4 * lanes
    words = np.zeros((vectors, sites, width), np.uint8)
    for v in range_(vectors):
        bits = np.unpackbits(packed[v * 8 * width : (v + 1) * 8 * width], axis=1, count=sites)
        rows = np.packbits(bits, axis=0, bitorder="little")
        words[v, :, : len(rows)] = rows.T
    return words.view("<u4")


def from_words(words: np.ndarray, sites: int, count: int) -> np.ndarray:
    """The inverse of to_words for `count` configurations."""
    rows = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), sites, -1)
    packed = [
        np.packbits(np.unpackbits(np.ascontiguousarray(r.T), axis=0, bitorder="little"), axis=1)
        for r in rows
    ]
    return np.concatenate(packed)[:count]
