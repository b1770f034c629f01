"""Where one curve falls below another: the temperature at which two phases are equally probable."""

import numpy as np


def crossings(temperature: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Temperature at which excess (..., t), what the lower phase has over the upper one, turns negative; nan: it never does.

    temperature (t,) increases.  Of several such places the one that leaves most excess below it and least above it (the cumulative
    sum's maximum, the first of equal ones): one odd temperature decides nothing.  Linear between neighbours.
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


def excesses(shares: np.ndarray) -> np.ndarray:
    """What crosses 0 at the two boundaries, (..., t, 2), of shares or probabilities (..., t, 3) of G, L+G, L: L - L+G and L+G - G."""
    return np.stack([shares[..., 2] - shares[..., 1], shares[..., 1] - shares[..., 0]], axis=-1)


def boundaries(temperature: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Temperatures (..., 2) of L | L+G and L+G | G for shares (..., t, 3) of G, L+G, L; nan: no such crossing."""
    both = excesses(shares)
    return np.stack([crossings(temperature, both[..., i]) for i in range(2)], axis=-1)
