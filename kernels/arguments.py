"""What a caller hands over, checked in one place: every message says the argument's name, what it
got and what is allowed.

NumPy's scalars are numbers, and so is a whole number written as a float (size=10.0); text,
booleans, NaN and infinities are not.
"""

import dataclasses
import math
import numbers

import numpy as np

LARGEST_SEED = 2**64 - 1


def shown(value) -> str:
    """`value` as a message names it: what was written, and never more than a line."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def brief(result) -> str:
    """A dataclass of arrays in a line: their names, types and shapes."""
    parts = []
    for each in dataclasses.fields(result):
        values = getattr(result, each.name)
        if isinstance(values, np.ndarray):
            shape = " x ".join(map(str, values.shape)) or "one"
            parts.append(f"{each.name}: {shape} {values.dtype}")
        else:
            parts.append(f"{each.name}: {shown(values)}")
    return f"{type(result).__name__}({', '.join(parts)})"


def real(value) -> float | None:
    """`value` as a finite number, else None."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def between(low, high, above, units: str) -> str:
    """` from 1 to 32 (lattice sites)`, as much of it as there is."""
    if above is not None:
        text = f" above {above:g}" + (f" and at most {high:g}" if high is not None else "")
    elif low is not None and high is not None:
        text = f" from {low} to {high}"
    elif low is not None:
        text = f" of at least {low:g}"
    else:
        text = f" of at most {high:g}" if high is not None else ""
    return text + (f" ({units})" if units else "")


def whole(
    name: str, value, low: int | None = None, high: int | None = None, units: str = ""
) -> int:
    """`value` as an int.  ValueError if it is no whole number, or not from low to high."""
    found = real(value)
    if isinstance(value, numbers.Integral) and not isinstance(
        value, bool
    ):  # beyond a float's digits
        found = int(value)
    if (
        found is None
        or found != int(found)
        or (low is not None and found < low)
        or (high is not None and found > high)
    ):
        raise ValueError(
            f"{name} is {shown(value)}; it must be a whole number{between(low, high, None, units)}"
        )
    return int(found)


def number(
    name: str,
    value,
    low: float | None = None,
    high: float | None = None,
    units: str = "",
    above=None,
) -> float:
    """`value` as a float.  ValueError if it is no finite number, not from low to high, or not above
    `above`.
    """
    found = real(value)
    if (
        found is None
        or (low is not None and found < low)
        or (high is not None and found > high)
        or (above is not None and not found > above)
    ):
        kind = "a finite number"
        if above == 0 and high is None:
            raise ValueError(
                f"{name} is {shown(value)}; it must be positive and finite"
                + (f" ({units})" if units else "")
            )
        raise ValueError(
            f"{name} is {shown(value)}; it must be {kind}{between(low, high, above, units)}"
        )
    return found


def seed_of(value, name: str = "seed") -> int:
    """A seed as an int.  ValueError if it is no whole number from 0 to 2^64 - 1: another one would
    give the random numbers of a seed in that range.
    """
    try:
        return whole(name, value, 0, LARGEST_SEED)
    except ValueError:
        raise ValueError(
            f"{name} is {shown(value)}; it must be a whole number from 0 to 2^64 - 1"
        ) from None


def one_of(name: str, value, allowed):
    """`value`, if it is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {shown(value)}; it must be one of {', '.join(allowed)}")
    return value


def several(name: str, values, of: str) -> list:
    """A list of what a caller hands over as one: list, tuple, range or array of one axis.
    ValueError if it is none; `of` says what it should hold, as "numbers of fields".
    """
    array = hasattr(values, "__array__") and np.ndim(values) == 1
    if not (array or isinstance(values, list | tuple | range)):
        raise ValueError(f"{name} is {shown(values)}; it must be a list of {of}")
    return list(values)


def pair(name: str, values, of: str) -> tuple[float, float]:
    """Two increasing numbers.  ValueError if they are not; `of` says what they should be, as
    "concentrations".
    """
    found = [real(each) for each in several(name, values, f"two increasing {of}")]
    if len(found) != 2 or None in found or not found[0] < found[1]:
        raise ValueError(f"{name} are {shown(values)}; they must be two increasing {of}")
    return found[0], found[1]


def fields_of(name: str, values, dimensions: int) -> np.ndarray:
    """Fields (..., *shape) of numbers, their type as it is.  ValueError if they are none, or if
    they or `dimensions` have no such axes.
    """
    dimensions = whole("dimensions", dimensions, 1, 3)
    try:
        found = np.asarray(values)
    except (TypeError, ValueError):
        found = np.array(None)
    if found.dtype.kind not in "biuf" or found.ndim < dimensions:
        raise ValueError(
            f"{name} is {shown(values)}; it must be an array of numbers with {dimensions} axes of "
            "space, the last ones"
        )
    return found


def reals(name: str, values, units: str = "", endless: bool = False) -> np.ndarray:
    """Values as float64, of any shape.  ValueError if some are no finite numbers; endless: inf is
    one too.
    """
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "iuf":
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {shown(values)}; it must hold numbers") from None
    found = found.astype(np.float64)
    good = np.isfinite(found) | (endless & (found == np.inf))
    if not good.all():
        bad = found[~good].flat[0]
        raise ValueError(
            f"{name} holds {bad:g}; it must hold finite numbers" + (f" ({units})" if units else "")
        )
    return found


def wholes(name: str, values, low: int, high: int, units: str = "") -> np.ndarray:
    """Values as int64, of any shape.  ValueError if some are not whole or not from low to high."""
    found = (
        reals(name, values, units) if np.asarray(values).dtype.kind == "f" else np.asarray(values)
    )
    if found.dtype.kind not in "iuf" or (found != np.floor(found)).any():
        raise ValueError(f"{name} is {shown(values)}; it must hold whole numbers")
    if found.size and (found.min() < low or found.max() > high):
        bad = found[(found < low) | (found > high)].flat[0]
        raise ValueError(
            f"{name} holds {bad}; it must hold whole numbers{between(low, high, None, units)}"
        )
    return found.astype(np.int64)


def spins_of(spins, shape: tuple[int, ...]) -> np.ndarray:
    """Configurations as int8, (..., *shape).  ValueError if they are not +1 and -1."""
    found = np.asarray(spins)
    if found.shape[-len(shape) :] != shape:
        sides = ", ".join(map(str, shape))
        raise ValueError(f"spins have shape {found.shape}; configurations are (..., {sides})")
    if found.dtype.kind not in "iuf" or not (np.abs(found) == 1).all():
        raise ValueError(
            "spins hold other values than +1 and -1 (spins of 0 and 1 are 2 * spins - 1)"
        )
    return found.astype(np.int8)
