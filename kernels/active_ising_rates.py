"""The Active Ising Model's rates as the integers that active_ising.cu works with."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

COUNTER, WIDE_COUNTER = (
    6,
    8,
)  # bits that count the spins of one sign on a site: what fits into caches, and what walls need
LARGEST_OCCUPANCY = (1 << WIDE_COUNTER) - 1  # spins of one sign on a site
TICKETS = (
    32,
    64,
    LARGEST_OCCUPANCY + 1,
)  # sites with fewer of each sign share a ticket (crowded in active_ising_attempt.h)
FEWEST_BITS = 8  # of a particle's weight: what a rate is rounded to is 2^-32 of it


def spins_on_site(counter_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """n_- and n_+ by a site's count, int (PAIRS,): count = n_- + n_+ 2^(counter_bits + 1)."""
    plus, minus = np.divmod(np.arange(2 << 2 * counter_bits), 2 << counter_bits)
    return minus, plus


@cache
def turns(counter_bits: int) -> np.ndarray:
    """uint8 (PAIRS,): whether a site begins or ceases to hold both spins when a - (bit 0) or + (1)
    leaves, a - (2) or + (3) comes.
    """
    minus, plus = spins_on_site(counter_bits)
    bits = [
        (minus == 1) & (plus > 0),
        (plus == 1) & (minus > 0),
        (minus == 0) & (plus > 0),
        (plus == 0) & (minus > 0),
    ]
    return sum(bit.astype(np.uint8) << k for k, bit in enumerate(bits)).astype(np.uint8)


@dataclass(frozen=True)
class RateTables:
    """last uint32 (4,), flip uint32 (2, PAIRS), excess uint64 (2, PAIRS) or None, weights (scale
    and three tickets): see Rates and Replica in active_ising_attempt.h.
    """

    counter_bits: int
    last: np.ndarray
    flip: np.ndarray
    excess: np.ndarray | None
    weights: tuple[int, int, int, int]

    def words(self, bits: int) -> np.ndarray:
        """The struct Rates as uint32; bits: of a coordinate in a particle's code."""
        row = 2 << bits
        flip = (
            [0, 0] if self.excess is None else [1, -1]
        )  # in continuous time the first kind is a flip, always
        displacement = np.array([*flip, 2, 2, -2, -2, -row, row, row, -row], np.int32)
        listing = turns(self.counter_bits).view(np.uint32)
        parts = [
            displacement.view(np.uint32),
            [1, 2 << self.counter_bits],
            self.last,
            self.flip.ravel(),
            listing,
        ]
        return np.concatenate(parts).astype(np.uint32)


def rate_tables(
    model, continuous: bool, counter_bits: int, temperature: float, particles: int
) -> RateTables:
    """The integer tables of one temperature and number of particles of an ActiveIsing, made in
    float64.

    Raises ValueError where the tickets of all sites together would not fit into 32 bits (scale_of).
    """
    d, common = model.diffusion, model.common_flip_rate(temperature, continuous)
    each = 4 * d + common
    until = np.cumsum([common, d, d, d * (1 + model.self_propulsion)]) / each
    last = np.clip(np.rint(until * 2.0**32) - 1, 0, 2.0**32 - 1).astype(np.uint32)
    rates = flip_rates(temperature, counter_bits)
    flip = np.minimum(np.rint(np.minimum(rates, common) / each * 2.0**32), 2.0**32 - 1).astype(
        np.uint32
    )
    if not continuous:
        return RateTables(counter_bits, last, flip, None, (0, 0, 0, 0))
    largest = largest_excess(
        temperature, common, each
    )  # does not depend on the counter: nor does a trajectory
    scale = scale_of(model, temperature, particles)
    if scale < FEWEST_BITS:
        raise ValueError(
            f"temperature is {temperature:g}; too low for continuous time at L = {model.size}: spins that meet flip "
            f"{math.exp(1 / temperature):.2g} times a time unit; use algorithm standard"
        )
    tickets = [math.ceil(each_largest * 2.0**scale) + 1 for each_largest in largest]
    mine = excess_of(rates, np.stack(spins_on_site(counter_bits)), common / each, each)
    excess = np.rint(np.stack([mine.sum(0), mine[0]]) * 2.0 ** (32 + scale)).astype(np.uint64)
    return RateTables(counter_bits, last, flip, excess, (scale, *tickets))


@cache
def largest_excess(temperature: float, common: float, each: float) -> list[float]:
    """Of a site with fewer of each spin than TICKETS say, in particles' weights."""
    counts = np.stack(spins_on_site(WIDE_COUNTER))
    both = excess_of(flip_rates(temperature, WIDE_COUNTER), counts, common / each, each).sum(0)
    return [float(both[counts.max(0) < limit].max()) for limit in TICKETS]


def scale_of(model, temperature: float, particles: int) -> int:
    """Bits of a particle's weight in continuous time: as many as leave room for a ticket of every
    site; below FEWEST_BITS: too few.
    """
    common = model.common_flip_rate(temperature, True)
    largest = largest_excess(temperature, common, 4 * model.diffusion + common)[-1]
    return math.floor(math.log2(2.0**32 / (particles + model.size**2 * (largest + 1))))


def flip_rates(temperature: float, counter_bits: int) -> np.ndarray:
    """Of a - and of a + spin by a site's count, float64 (2, PAIRS)."""
    minus, plus = spins_on_site(counter_bits)
    aligned = np.divide(plus - minus, minus + plus, out=np.zeros(len(plus)), where=minus + plus > 0)
    return np.exp(np.stack([aligned, -aligned]) / temperature)


def excess_of(rates: np.ndarray, counts: np.ndarray, common: float, each: float) -> np.ndarray:
    """What all - and all + spins of a site flip by beyond `common`, in particles' weights; float64
    (2, PAIRS); 0 unless both meet.
    """
    possible = (counts.min(0) > 0) & (counts.max(0) <= LARGEST_OCCUPANCY)
    return np.where(possible, counts * np.maximum(rates / each - common, 0), 0)
