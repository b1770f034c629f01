"""How large the domains of fields are, and how fast they grow: structure factor, length, exponents.

Structure factor S(k) = |sum over cells of (phi - mean) exp(-i k x)|^2 spacing^d / N, averaged over
the waves of a shell, |k| within half of dk about j dk, j = 1, 2, ...; dk = 2 pi over the shortest
side. White noise of variance v has S = v spacing^d, and the sum of S over all waves, divided by the
box's volume, is the variance. The characteristic length is 2 pi over the mean wave number, every
wave weighted by its own S, none binned (A. J. Bray, Adv. Phys. 43, 357 (1994)): of a single wave
its wavelength. A local exponent is d log y / d log t over a stretch of log t: of domains that
coarsen, 1/3 of the length and -1/3 of the interfaces' area, late."""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import scipy.fft

from kernels.arguments import brief, fields_of, number, reals, several, wholes
from kernels.names import named

__all__ = ["Exponents", "length", "local_exponents", "structure_factor", "wave_numbers"]

BATCH_CELLS = 1 << 22  # transformed together: some 200 MiB


@functools.lru_cache(maxsize=8)
def shells(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Of the half of the waves that a real transform has: the shell of each (..., N/2 + 1), 0 for
    k = 0 and beyond the last whole shell; and how many waves it stands for, 1 or 2.
    """
    *rest, last = (np.fft.fftfreq(n, 1 / n) / n for n in shape)
    last = np.abs(last[: shape[-1] // 2 + 1])
    square = sum(each**2 for each in np.meshgrid(*rest, last, indexing="ij", sparse=True))
    shell = np.rint(np.sqrt(square) * min(shape)).astype(int)
    shell[shell > min(shape) // 2] = 0
    weight = np.full(shell.shape, 2)
    weight[..., 0] = 1
    if shape[-1] % 2 == 0:
        weight[..., -1] = 1
    return shell, weight


@functools.lru_cache(maxsize=8)
def wave_vectors(shape: tuple[int, ...]) -> np.ndarray:
    """|k| of the half of the waves that a real transform has, (..., N/2 + 1), 1 / cell."""
    *rest, last = (2 * np.pi * np.fft.fftfreq(n) for n in shape)
    last = np.abs(last[: shape[-1] // 2 + 1])
    return np.sqrt(sum(k**2 for k in np.meshgrid(*rest, last, indexing="ij", sparse=True)))


def waves(shape: tuple[int, ...]) -> np.ndarray:
    """How many waves there are in each shell, int (shells,), of boxes of `shape` cells."""
    shell, weight = shells(tuple(shape))
    return np.bincount(shell.ravel(), weight.ravel(), min(shape) // 2 + 1)[1:].astype(int)


@named
def wave_numbers(shape: tuple[int, ...], spacing: float = 1.0) -> np.ndarray:
    """Mean |k| of the waves of each shell of boxes of `shape` cells, (shells,), 1 / length."""
    spacing = number("spacing", spacing, above=0, units="length")
    shape = tuple(wholes("shape", several("shape", shape, "sides"), 2, 1 << 20).tolist())
    shell, weight = shells(shape)
    sums = np.bincount(shell.ravel(), (weight * wave_vectors(shape)).ravel(), min(shape) // 2 + 1)
    return sums[1:] / waves(shape) / spacing


def powers(fields: np.ndarray, dimensions: int):
    """Fields (..., *shape) as (n, *shape) in batches: (slice, |coefficients|^2 times the waves each
    stands for).
    """
    fields = np.asarray(fields)
    shape = fields.shape[fields.ndim - dimensions :]
    _, weight = shells(shape)
    flat, batch = fields.reshape(-1, *shape), max(1, BATCH_CELLS // int(np.prod(shape)))
    for first in range(0, len(flat), batch):
        part = slice(first, first + batch)
        amplitude = scipy.fft.rfftn(flat[part].astype(np.float64), axes=range(1, dimensions + 1))
        yield part, (amplitude.real**2 + amplitude.imag**2) * weight


@named
def structure_factor(fields: np.ndarray, spacing: float = 1.0, dimensions: int = 2) -> np.ndarray:
    """S(k) of periodic fields (..., *shape), length^dimensions, float64 (..., shells); k:
    wave_numbers(shape, spacing).  spacing: of the cells, length.  dimensions: how many of the axes
    are space's, the last ones.
    """
    fields = fields_of("fields", fields, dimensions)
    spacing = number("spacing", spacing, above=0, units="length")
    *outer, shape = *fields.shape[: fields.ndim - dimensions], fields.shape[-dimensions:]
    shell, modes = shells(shape)[0].ravel(), waves(shape)
    found = np.empty((int(np.prod(outer)), len(modes)))
    for part, power in powers(fields, dimensions):
        found[part] = [np.bincount(shell, p.ravel(), len(modes) + 1)[1:] / modes for p in power]
    return (found * (spacing**dimensions / np.prod(shape))).reshape(*outer, len(modes))


@named
def length(fields: np.ndarray, spacing: float = 1.0, dimensions: int = 2) -> np.ndarray:
    """Characteristic length of periodic fields (..., *shape), float64 (...), length; nan of uniform
    ones.  dimensions: how many of the axes are space's, the last ones.
    """
    fields = fields_of("fields", fields, dimensions)
    spacing = number("spacing", spacing, above=0, units="length")
    *outer, shape = *fields.shape[: fields.ndim - dimensions], fields.shape[-dimensions:]
    k, axes = wave_vectors(shape), tuple(range(1, dimensions + 1))
    found = np.empty(int(np.prod(outer)))
    for part, power in powers(fields, dimensions):
        power[:, *[0] * dimensions] = 0
        total, flat = power.sum(axes), np.ptp(fields.reshape(-1, *shape)[part], axes) == 0
        with np.errstate(invalid="ignore", divide="ignore"):
            found[part] = np.where(flat, np.nan, 2 * np.pi * total / (power * k).sum(axes))
    return found.reshape(outer) * spacing


@dataclass(frozen=True)
class Exponents:
    """d log y / d log t over w stretches of log t.

    time: (w,), their geometric middles. samples: of each sample (n, w). mean: over the samples
    (w,); error: its standard error (w,), nan of a single sample.
    """

    time: np.ndarray
    samples: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    __repr__ = brief


@named
def local_exponents(times, values, span: float = 3.0, first: float | None = None) -> Exponents:
    """Local exponents of positive values (n, t), one row a sample, at increasing times (t,), > 0.

    Stretches [T, span T], each beginning where the one before ends, from `first`, by default the
    first time, as far as times go; in each a straight line by least squares through log values at
    its times and at its ends, where log values are interpolated linearly in log t.  Raises
    ValueError with one line on other input.
    """
    times, values = reals("times", times), np.atleast_2d(reals("values", values))
    span = number("span", span, above=1)
    if times.ndim != 1 or len(times) < 2 or times[0] <= 0 or np.any(np.diff(times) <= 0):
        raise ValueError("times must be two or more increasing numbers above 0")
    if values.ndim != 2 or values.shape[1] != len(times):
        raise ValueError(f"values {values.shape} must have one row a sample, {len(times)} long")
    if not (values > 0).all():
        raise ValueError("values must be above 0: they have no logarithm")
    x, y = np.log(times), np.log(values)
    begin = x[0] if first is None else np.log(number("first", first, above=0))
    if begin < x[0] - 1e-12:
        raise ValueError(f"first is {first:g}, before the first time, {times[0]:g}")
    stretches = int(np.floor((x[-1] - begin) / np.log(span) + 1e-9))
    if stretches < 1:
        raise ValueError(f"times end at {times[-1]:g}; {span:g} times their begin is needed")
    edges = begin + np.log(span) * np.arange(stretches + 1)
    slopes = np.empty((len(values), stretches))
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = x[(x > low + 1e-12) & (x < high - 1e-12)]
        at = np.concatenate([[low], inside, [high]])
        centred = at - at.mean()
        line = np.stack([np.interp(at, x, row) for row in y])
        slopes[:, i] = line @ centred / (centred @ centred)
    several = len(slopes) > 1
    error = slopes.std(0, ddof=1) / np.sqrt(len(slopes)) if several else np.full(stretches, np.nan)
    return Exponents(np.exp((edges[:-1] + edges[1:]) / 2), slopes, slopes.mean(0), error)
