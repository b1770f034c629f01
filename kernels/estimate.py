"""Numbers with their errors, and how they are written: as this field's papers do, the error in
brackets in units of the last digits."""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["Estimate", "last_digit", "mean_of", "written"]

LARGE, SMALL = 4, -3  # powers of ten beyond which a number has an exponent


class Estimate(NamedTuple):
    """A number and its standard error; printed as `written` says."""

    value: float
    error: float

    def __str__(self) -> str:
        return written(self.value, self.error)


def last_digit(error: float, digits: int | None = None) -> int:
    """The power of ten of the last digit that a number with this error is given, above 0: one digit
    of the error, two where it begins with 1, or so many.
    """
    first, power = f"{error:.1e}".split("e")  # as it is written: 0.096 is 1e-1, not 9e-2
    return int(power) - ((digits - 1) if digits else (1 if float(first) < 1.95 else 0))


def written(value: float, error: float, digits: int | None = None) -> str:
    """1.049(3), 1.0491(13), 26.3(4), 16700(400), 1.8(2)e6: with the digits of `last_digit`.
    Without an error the number alone.
    """
    value, error = float(value), float(error)
    if not (0 < error < math.inf and math.isfinite(value)):
        return f"{value:g}"
    last = last_digit(error, digits)
    # as it is written here too: 999999.7(20.0) is 1.00000(2)e6
    size = math.floor(math.log10(max(abs(round(value, -last)), error)))
    size = size if size > LARGE or size < SMALL else 0
    places = size - last
    if places <= 0:  # an error of ten and more: all its digits
        value, error = value / 10.0**size, error / 10.0**size
        text = f"{round(value, places):z.0f}({round(error, places):.0f})"
    else:
        text = f"{value / 10.0**size:z.{places}f}({round(error / 10.0**last)})"  # z: no -0
    return text + (f"e{size}" if size else "")


def mean_of(samples) -> Estimate:
    """Mean of independent samples (n,), and its standard error."""
    samples = np.asarray(samples, float)
    return Estimate(float(samples.mean()), float(samples.std(ddof=1) / math.sqrt(samples.size)))
