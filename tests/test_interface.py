"""Area and length of level sets: closed forms, polygons made one by one, and what does not depend
on the field.
"""

import numpy as np
import pytest

from kernels import interface
from tests.reference import cahn_hilliard as reference


def distances(shape, centre):
    """From the nearest image of `centre`, in cells, float64 (*shape)."""
    axes = [(np.arange(n) - x + n / 2) % n - n / 2 for n, x in zip(shape, centre, strict=True)]
    return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))


def ball(cells, radius, width=1.5, dimensions=2):
    """1 inside, 0 outside, `radius` and `width` in units of the box."""
    centre = [cells * (0.5 + 0.013 * (axis + 1)) for axis in np.arange(dimensions)]
    return (1 - np.tanh((distances((cells,) * dimensions, centre) / cells - radius) / width)) / 2


def sphere(radius, dimensions):
    """Length (area) of a circle (sphere), and its area (volume)."""
    return (
        (2 * np.pi * radius, np.pi * radius**2)
        if dimensions == 2
        else (4 * np.pi * radius**2, 4 / 3 * np.pi * radius**3)
    )


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((8, 12), 0), ((8, 12), 1), ((8, 10, 12), 0), ((8, 10, 12), 1), ((8, 10, 12), 2)],
)
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
def test_flat_layer(shape, axis, offset):
    """A layer has two sides, wherever they lie between the grid points and also on them
    (offset 0).
    """
    x = np.abs(np.arange(shape[axis]) - shape[axis] / 2) - 2 - offset
    field = np.broadcast_to(np.expand_dims(x, [a for a in range(len(shape)) if a != axis]), shape)
    side = np.prod(shape) / shape[axis]
    assert interface.perimeter(field, 0.0, spacing=0.5, dimensions=len(shape)) == pytest.approx(
        2 * side * 0.5 ** (len(shape) - 1), rel=1e-12
    )


@pytest.mark.parametrize(
    ("slope", "length"),
    [
        ((1, 1), 2 * np.sqrt(2)),
        ((1, -1), 2 * np.sqrt(2)),
        ((1, 2), 2 * np.sqrt(5)),
        ((2, -3), 2 * np.sqrt(13)),
    ],
)
def test_tilted_lines(slope, length):
    """cos(2 pi (a x + b y) / L) vanishes on 2 lines that wind around the torus; their length
    converges as 1 / cells^2.
    """
    errors = []
    for cells in [32, 64, 128]:
        x = np.arange(cells) / cells
        field = np.cos(2 * np.pi * (slope[0] * x[:, None] + slope[1] * x) + 0.3)
        errors.append(interface.perimeter(field, 0.0, spacing=1 / cells) / length - 1)
    assert abs(errors[-1]) < 2e-3
    assert abs(errors[-1]) < 1e-12 or np.log2(np.abs(errors[0] / errors[2])) / 2 > 1.8


@pytest.mark.parametrize(
    ("dimensions", "sizes", "tolerance"), [(2, (32, 64, 128), 2e-4), (3, (16, 32, 64), 2e-3)]
)
@pytest.mark.parametrize("radius", [0.2, 0.31])
def test_circle_and_sphere(dimensions, sizes, tolerance, radius):
    """Length and area of a smooth ball: second order in the cell."""
    length, area = sphere(radius, dimensions)
    errors = np.array(
        [
            interface.perimeter(ball(n, radius, dimensions=dimensions), 0.5, 1 / n, dimensions)
            / length
            - 1
            for n in sizes
        ]
    )
    assert abs(errors[-1]) < tolerance
    assert 1.8 < np.log2(np.abs(errors[0] / errors[2])) / 2 < 2.2
    found = interface.area(
        ball(sizes[-1], radius, dimensions=dimensions), 0.5, 1 / sizes[-1], dimensions
    )
    assert found == pytest.approx(
        area, rel=0.01
    )  # cells are counted: the error is that of the circle problem


@pytest.mark.parametrize(
    ("shape", "level"), [((12, 10), 0.5), ((9, 7), 0.2), ((6, 5, 4), 0.5), ((3, 4, 5), 0.8)]
)
def test_random_fields_against_polygons(shape, level):
    """White noise, the roughest field: every way in which a level can cut a cell, with the corners
    made one by one.
    """
    fields = np.random.default_rng(1).random((3, *shape))
    found = interface.perimeter(fields, level, spacing=0.7, dimensions=len(shape))
    expected = [reference.marching_simplices(field, level, spacing=0.7) for field in fields]
    assert found == pytest.approx(expected, rel=1e-12)
    assert interface.area(fields, level, spacing=0.7, dimensions=len(shape)) == pytest.approx(
        np.sum(fields > level, axis=tuple(range(1, fields.ndim))) * 0.7 ** len(shape), rel=1e-12
    )


@pytest.mark.parametrize("level", [0.2, 0.5, 0.7])
def test_marching_squares(level):
    """On a smooth field triangles and squares differ by the square of a cell."""
    x = 2 * np.pi * np.arange(64) / 64
    field = 0.5 + 0.2 * np.sin(x[:, None] + 0.4) * np.cos(2 * x + 0.1) + 0.2 * np.cos(x)
    assert interface.perimeter(field, level) == pytest.approx(
        reference.marching_squares(field, level), rel=2e-3
    )


def test_integral_over_levels():
    """Co-area: lengths of all level lines add up to the integral of |gradient|, here of a cosine: 4
    amplitudes x width.
    """
    field = np.broadcast_to(np.cos(2 * np.pi * np.arange(16) / 16)[:, None], (16, 12))
    levels = np.linspace(-1, 1, 2001)[:-1] + 0.5e-3
    total = sum(interface.perimeter(field, level) for level in levels) * 1e-3
    assert total == pytest.approx(4 * 12, rel=1e-3)


@pytest.mark.parametrize("shape", [(10, 12), (6, 8, 10)])
def test_symmetries(shape):
    """Shifts, exchanged phases, exchanged axes, a scaled field, leading dimensions, single
    precision.
    """
    d = len(shape)
    field = np.random.default_rng(2).random(shape)
    length = interface.perimeter(field, 0.4, dimensions=d)
    others = {
        "shift": (np.roll(field, (3, 5), (0, 1)), 0.4),
        "phases": (1 - field, 0.6),
        "axes": (field.T, 0.4),
        "point": (field[(slice(None, None, -1),) * d], 0.4),
        "scale": (3 * field - 1, 0.2),
    }
    for name, (other, level) in others.items():
        assert interface.perimeter(other, level, dimensions=d) == pytest.approx(
            length, rel=1e-12
        ), name
    many = np.broadcast_to(field, (2, 3, *shape))
    assert interface.perimeter(many, 0.4, dimensions=d) == pytest.approx(
        np.full((2, 3), length), rel=1e-12
    )
    assert interface.perimeter(field.astype(np.float32), 0.4, dimensions=d) == pytest.approx(
        length, rel=1e-5
    )


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 8)])
def test_degenerate_fields(shape):
    """No line in a uniform field, also at its own level; a step through grid points that equal the
    level has its length; a field on two values (the level strictly between) is finite and does not
    depend on rounding.
    """
    d = len(shape)
    for value in [0.0, 0.5, 1.0]:
        assert interface.perimeter(np.full(shape, value), 0.5, dimensions=d) == 0
    assert interface.area(np.full(shape, 0.5), 0.5, dimensions=d) == 0
    assert interface.area(np.ones(shape), 0.5, dimensions=d) == np.prod(shape)
    step = np.zeros(shape)
    step[2], step[3:6], step[6] = 0.5, 1.0, 0.5
    assert interface.perimeter(step, 0.5, dimensions=d) == pytest.approx(2 * np.prod(shape[1:]))
    rough = (np.random.default_rng(3).random(shape) > 0.5).astype(float)
    assert interface.perimeter(rough, 0.5, dimensions=d) == pytest.approx(
        reference.marching_simplices(rough, 0.5)
    )


@pytest.mark.parametrize(
    ("epsilon", "shape"), [(3.0, (64, 4, 6)), (5.0, (4, 64, 4)), (4.0, (3, 5, 63))]
)
def test_width_of_flat_layers(epsilon, shape):
    """1/2 (1 - tanh(3 x / epsilon)) on both sides of a layer, wherever they lie."""
    axis = int(np.argmax(shape))
    x = np.abs(np.arange(shape[axis]) - 32) * 0.5 - 8.1
    layer = (1 - np.tanh(3 * x / epsilon)) / 2
    field = np.broadcast_to(np.expand_dims(layer, [a for a in range(3) if a != axis]), shape)
    found = interface.width(np.stack([field, np.full(shape, 0.3)]), spacing=0.5)
    assert found[0] == pytest.approx(epsilon, rel=2e-3)
    assert np.isnan(found[1])
