"""How much of a periodic field lies above a level, and how long the line (large the surface) is
where it crosses it.

Each cell between grid points is cut into triangles (two, sharing a diagonal) or tetrahedra (six),
on which the field is interpolated linearly: its gradient g there is constant, and by the co-area
formula the level set through a simplex of volume V measures |g| V M(level), where M is the B-spline
of unit integral whose knots are the values at the corners (Curry and Schoenberg, J. Analyse Math.
17, 71 (1966)). Exact for the interpolated field, without a table of cases.
"""

import itertools
import math

import numpy as np

from kernels.arguments import fields_of, number
from kernels.names import named

__all__ = ["area", "euler_characteristic", "perimeter", "width"]

BATCH_CELLS = 1 << 22  # cells looked at together: some 500 MiB


@named
def area(fields: np.ndarray, level: float, spacing: float = 1.0, dimensions: int = 2) -> np.ndarray:
    """Area (volume) where fields (..., *shape) exceed `level`, float64 (...): the number of such
    cells times spacing^d.
    """
    fields, level, spacing = checked(fields, level, spacing, dimensions)
    axes = tuple(range(-dimensions, 0))
    return (fields > level).sum(axes).astype(np.float64) * spacing**dimensions


@named
def euler_characteristic(
    fields: np.ndarray, level: float, dimensions: int = 2, periodic: bool = True
) -> np.ndarray:
    """Of the region where fields (..., *shape) exceed `level`, int (...): its pieces less its holes
    in two dimensions; its pieces, less its tunnels, plus its hollows in three. Of separate droplets
    it is their number, of a bicontinuous network it is far below zero.

    The region is the union of its closed cells, which touch at corners too: corners less edges plus
    faces (less cubes). periodic: False for a box with walls.
    """
    fields, level, _ = checked(fields, level, 1, dimensions)
    fields = fields > level
    shape = fields.shape[-dimensions:]
    return euler_of(fields.reshape(-1, *shape), periodic).reshape(fields.shape[:-dimensions])


def euler_of(flat, periodic: bool, arrays=np):
    """The same of regions (n, *shape), bool, int (n,); arrays: numpy or cupy, whose they are."""
    dimensions = flat.ndim - 1
    found = arrays.zeros(len(flat), np.int64)
    for across in itertools.product((False, True), repeat=dimensions):
        there = (
            flat  # cells, joined across some axes: faces, edges and corners that touch the region
        )
        for axis, joined in enumerate(across, 1):
            if joined and periodic:
                there = there | arrays.roll(there, -1, axis)
            elif joined:
                wall = arrays.zeros_like(there[(slice(None),) * axis + (slice(1),)])
                there = arrays.concatenate([there, wall], axis) | arrays.concatenate(
                    [wall, there], axis
                )
        sign = 1 if (dimensions - sum(across)) % 2 == 0 else -1
        found += sign * there.sum(tuple(range(1, dimensions + 1)))
    return found


@named
def perimeter(
    fields: np.ndarray,
    level: float,
    spacing: float = 1.0,
    dimensions: int = 2,
    periodic: bool = True,
) -> np.ndarray:
    """Length (area) of the level set of fields (..., *shape), float64 (...), length^(d-1).

    periodic: False measures up to the last plane along the first axis only, a part of a larger box;
    the other axes stay periodic.
    """
    fields, level, spacing = checked(fields, level, spacing, dimensions)
    shape = fields.shape[-dimensions:]
    flat = fields.reshape(-1, *shape)
    total = measured(flat, level, periodic)
    return total.reshape(fields.shape[:-dimensions]) * spacing ** (dimensions - 1)


def measured(flat, level: float, periodic: bool, arrays=np):
    """The same of fields (n, *shape) in cells of 1, float64 (n,); arrays: numpy or cupy, whose they
    are.
    """
    batch = max(1, BATCH_CELLS // math.prod(flat.shape[1:]))
    parts = [
        _measure(flat[i : i + batch], level, periodic, arrays) for i in range(0, len(flat), batch)
    ]
    return arrays.concatenate(parts) if parts else arrays.zeros(0)


@named
def width(phi: np.ndarray, spacing: float = 1.0) -> np.ndarray:
    """epsilon of the interfaces 1/2 (1 - tanh(3 x / epsilon)) of fields between 0 and 1, (n, x, y,
    z), float64 (n,), length; nan of a uniform field.

    Across such an interface the integrals of phi^2 (1 - phi)^2 and |grad phi|^2 are epsilon / 36
    and 1 / epsilon: epsilon = 6 sqrt(of their ratio). Gradients are those of the waves that the
    grid holds. It means a width only once there are interfaces.
    """
    found, phi = [], fields_of("phi", phi, 3)
    spacing = number("spacing", spacing, above=0, units="length")
    for field in phi.astype(float).reshape(-1, *phi.shape[-3:]):
        waves, slopes = np.fft.rfftn(field), 0.0
        for axis, n in enumerate(field.shape):
            k = np.fft.rfftfreq(n) if axis == field.ndim - 1 else np.fft.fftfreq(n)
            k[2 * np.abs(k) == 1] = 0  # the highest wave of an even number has no slope
            k = np.expand_dims(
                2j * np.pi / spacing * k, [a for a in range(field.ndim) if a != axis]
            )
            slopes += np.mean(np.fft.irfftn(k * waves, field.shape, axes=(0, 1, 2)) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            uniform = np.ptp(field) < 1e-6
            wells = np.mean((field * (1 - field)) ** 2)
            found.append(np.nan if uniform else 6 * np.sqrt(wells / slopes))
    return np.array(found)


def checked(fields, level, spacing, dimensions: int) -> tuple[np.ndarray, float, float]:
    """Of a level set.  ValueError, one line, on what is none."""
    level = number("level", level, units="of the fields")
    return fields_of("fields", fields, dimensions), level, number("spacing", spacing, above=0)


def _measure(fields, level: float, periodic: bool, arrays):
    """Sum over the simplices that walk from a cell's lowest corner to its highest, one axis at a
    time (Kuhn).
    """
    dimensions = fields.ndim - 1
    axes = tuple(range(1, dimensions + 1))
    low, high = fields, fields
    for axis in axes:  # least and largest corner of each cell
        low, high = (
            arrays.minimum(low, arrays.roll(low, -1, axis)),
            arrays.maximum(high, arrays.roll(high, -1, axis)),
        )
    crossed = (low <= level) & (high > level)
    if not periodic:
        crossed[:, -1] = False
    cell, total = arrays.nonzero(crossed), arrays.zeros(len(fields))
    if not len(cell[0]):
        return total
    corner = {}
    for offset in itertools.product((0, 1), repeat=dimensions):
        place = [
            (index + o) % n for index, o, n in zip(cell[1:], offset, fields.shape[1:], strict=True)
        ]
        corner[offset] = fields[cell[0], *place].astype(np.float64)
    for order in itertools.permutations(range(dimensions)):
        step, along = [0] * dimensions, [corner[(0,) * dimensions]]
        for axis in order:
            step[axis] = 1
            along.append(corner[tuple(step)])
        values = arrays.stack(along)
        crossed = arrays.flatnonzero((values.min(0) <= level) & (values.max(0) > level))
        if not len(crossed):
            continue
        values = values[:, crossed]
        gradient = arrays.sqrt((arrays.diff(values, axis=0) ** 2).sum(0))
        volume = 1 / (2 if dimensions == 2 else 6)
        spline = _hat if dimensions == 2 else _bell
        total += arrays.bincount(
            cell[0][crossed],
            weights=gradient * volume * spline(arrays.sort(values, axis=0), level, arrays),
            minlength=len(fields),
        )
    return total


def _ratio(a, b, arrays):
    there = b > 0
    return arrays.where(there, a / arrays.where(there, b, 1.0), 0.0)


def _hat(v, level: float, arrays):
    """B-spline of degree 1 on the sorted knots v (3, n) with integral 1."""
    low, middle, high = v
    rising = level < middle
    return 2 * _ratio(
        arrays.where(rising, level - low, high - level),
        (high - low) * arrays.where(rising, middle - low, high - middle),
        arrays,
    )


def _bell(v, level: float, arrays):
    """B-spline of degree 2 on the sorted knots v (4, n) with integral 1."""
    a, b, c, d = v
    first = 3 * _ratio((level - a) ** 2, (b - a) * (c - a) * (d - a), arrays)
    last = 3 * _ratio((d - level) ** 2, (d - a) * (d - b) * (d - c), arrays)
    between = _ratio((level - a) * (c - level), (c - a) * (c - b), arrays) + _ratio(
        (d - level) * (level - b), (d - b) * (c - b), arrays
    )
    inside = 3 * _ratio(between, d - a, arrays)
    return arrays.where(level < b, first, arrays.where(level < c, inside, last))
