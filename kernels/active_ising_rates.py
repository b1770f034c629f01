"""The Active Ising Model's rates as the integers that active_ising.cu works with."""

import math
from dataclasses import dataclass

import numpy as np

LARGEST_OCCUPANCY = 63  # spins of one sign on a site (FULL in active_ising.cu)
MANY = 32  # of one sign: a site beyond makes its replica's tickets wider (MANY in active_ising.cu)
PAIRS = 8192  # counts of a site, n_- + 128 n_+ (PAIRS in active_ising.cu)
FEWEST_BITS = 8  # of a particle's weight: what a rate is rounded to is 2^-32 of it


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
        parts = [displacement.view(np.uint32), [1, 128], self.last, self.flip.ravel(), TURNS.view(np.uint32)]
        return np.concatenate(parts).astype(np.uint32)


def rate_tables(model, continuous: bool, temperature: float, particles: int) -> RateTables:
    """The integer tables of one temperature and number of particles of an ActiveIsing, made in float64.

    Raises ValueError where the excess of all sites together would not fit into 32 bits, at very low temperatures.
    """
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
    scale = math.floor(math.log2(2.0**32 / (particles + model.size**2 * (both.max() + 1))))
    if scale < FEWEST_BITS:
        raise ValueError(
            f"temperature is {temperature:g}; too low for continuous time at L = {model.size}: spins that meet flip "
            f"{math.exp(1 / temperature):.2g} times a time unit"
        )
    excess = np.rint(np.stack([both, beyond[0]]) * 2.0 ** (32 + scale)).astype(np.uint64)
    tickets = [math.ceil(both[counts.max(0) < limit].max() * 2.0**scale) + 1 for limit in (MANY, LARGEST_OCCUPANCY + 1)]
    return RateTables(last, flip, excess, (scale, *tickets))
