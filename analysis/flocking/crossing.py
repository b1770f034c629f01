"""Where one curve falls below another: the temperature at which two phases are equally probable."""

import numpy as np


def crossings(temperature: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Temperature at which excess (..., t), what the lower phase has over the upper one, turns
    negative; nan: it never does.

    temperature (t,) increases.  Of several such places the one that leaves most excess below it and
    least above it (the cumulative sum's maximum, the first of equal ones): one odd temperature
    decides nothing.  Linear between neighbours.
    """
    excess = np.asarray(excess, float)
    total = np.cumsum(excess, axis=-1)
    at = total.argmax(axis=-1)[..., None]
    after = np.minimum(at + 1, excess.shape[-1] - 1)
    here, there = (np.take_along_axis(excess, i, axis=-1)[..., 0] for i in (at, after))
    first, second = temperature[at[..., 0]], temperature[after[..., 0]]
    inside = (total.max(axis=-1) > 0) & (at[..., 0] < excess.shape[-1] - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(here > there, here / (here - there), 0.5)
    return np.where(inside, first + share * (second - first), np.nan)


def spacing(temperature: np.ndarray, at: float) -> float:
    """Distance of the two temperatures between which `at` lies; nan outside."""
    i = int(np.searchsorted(temperature, at))
    return float(temperature[i] - temperature[i - 1]) if 0 < i < len(temperature) else np.nan


def boundaries(temperature: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Temperatures (..., 2) where L and L+G, and L+G and G, have equal shares, of shares or
    probabilities (..., t, 3) of G, L+G, L.

    nan: no such crossing, or one of the two phases has nowhere more than each of the others.
    """
    rank = np.sort(shares, axis=-1)
    somewhere = ((shares == rank[..., -1:]) & (rank[..., -1:] > rank[..., -2:-1])).any(axis=-2)
    found = []
    for lower, upper in ((2, 1), (1, 0)):
        at = crossings(temperature, shares[..., lower] - shares[..., upper])
        found.append(np.where(somewhere[..., lower] & somewhere[..., upper], at, np.nan))
    return np.stack(found, axis=-1)
