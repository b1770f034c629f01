"""The Cahn-Hilliard equation the slow, obvious way: NumPy float64, no Fourier transforms, no
splitting, small steps.

    dc/dt = M lap mu,   mu = f'(c) - epsilon^2 lap c,   F = sum over cells of [f(c) + epsilon^2/2
    |grad c|^2] dx^d

on a periodic grid; f = a c^2 (1 - c)^2 (form `unit`) or a (c^2 - 1)^2 / 4 (`symmetric`). Everything
is done one axis at a time. Length of level lines (area of level surfaces): the polygons are made,
corner by corner, and measured.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp


@functools.cache
def second_derivative(cells, spacing, laplacian):
    """Matrix (cells, cells) of d^2/dx^2 along one periodic axis.

    finite_difference: (1, -2, 1) / dx^2. spectral: the second derivative of the trigonometric
    interpolant (Trefethen, Spectral Methods in MATLAB, eq. 3.12), which gives cos(pi x / dx) its
    -(pi/dx)^2.
    """
    j = np.arange(cells)
    apart = (j[:, None] - j) % cells
    if laplacian == "finite_difference":
        return ((apart == 1) + 1.0 * (apart == cells - 1) - 2.0 * (apart == 0)) / spacing**2
    h = 2 * np.pi / cells
    row = np.full(cells, -(np.pi**2) / (3 * h**2) - 1 / 6)
    row[1:] = -((-1.0) ** j[1:]) / (2 * np.sin(h * j[1:] / 2) ** 2)
    return row[apart] * (h / spacing) ** 2


@dataclass(frozen=True)
class Mixture:
    """One system. Lengths in the units of `spacing`; the letters of the equation above: a =
    well_depth, M = mobility.
    """

    epsilon: float = 1.0
    well_depth: float = 1.0
    mobility: float = 1.0
    form: str = "unit"
    spacing: float = 1.0
    laplacian: str = "spectral"

    def bulk(self, c):
        """f(c)."""
        return self.well_depth * (
            c**2 * (1 - c) ** 2 if self.form == "unit" else (c**2 - 1) ** 2 / 4
        )

    def bulk_slope(self, c):
        """f'(c)."""
        return self.well_depth * (
            2 * c * (1 - c) * (1 - 2 * c) if self.form == "unit" else c**3 - c
        )

    def laplace(self, c):
        total = np.zeros_like(c)
        for axis, cells in enumerate(c.shape):
            matrix = second_derivative(cells, self.spacing, self.laplacian)
            total += np.moveaxis(np.tensordot(matrix, c, axes=(1, axis)), 0, axis)
        return total

    def potential(self, c):
        """mu."""
        return self.bulk_slope(c) - self.epsilon**2 * self.laplace(c)

    def rate(self, c):
        """dc/dt."""
        return self.mobility * self.laplace(self.potential(c))

    def energies(self, c):
        """Chemical and surface part of F of one field. The sum of |grad c|^2 is that of -c lap c,
        by parts; with finite differences it is also the sum of the squared differences of
        neighbours, and that is what is summed.
        """
        c = np.asarray(c, float)
        if self.laplacian == "finite_difference":
            squares = (
                sum(np.sum((np.roll(c, -1, axis) - c) ** 2) for axis in np.arange(c.ndim))
                / self.spacing**2
            )
        else:
            squares = -np.sum(
                c * self.laplace(c - c.mean())
            )  # the mean's share is 0, but for rounding
        volume = self.spacing**c.ndim
        return volume * np.sum(self.bulk(c)), volume * self.epsilon**2 / 2 * squares

    def integrate(self, start, times, accuracy=1e-10):
        """Fields (times, *shape) by an explicit Runge-Kutta method of order 8 that keeps its error
        at `accuracy`.
        """
        solution = solve_ivp(
            lambda t, c: self.rate(c.reshape(start.shape)).ravel(),
            (0, times[-1]),
            np.ravel(start),
            method="DOP853",
            t_eval=times,
            first_step=1e-4 * times[-1],
            rtol=accuracy,
            atol=accuracy,
        )
        assert solution.success, solution.message
        return solution.y.T.reshape(-1, *start.shape)


def crossing(below, above, level):
    """Point on the edge between two corners ((position, value), (position, value)) where the value
    is `level`.
    """
    (p, v), (q, w) = below, above
    return p + (level - v) / (w - v) * (q - p)


def corners(c, cell, offsets):
    """[(position, value)] of the corners `offsets` of one cell of a periodic field."""
    return [(np.array(o, float), c[tuple((np.array(cell) + o) % c.shape)]) for o in offsets]


def marching_squares(c, level, spacing=1.0):
    """Length of the level line of one field (L, L'): straight pieces between crossings of the edges
    of the squares.

    A square with two opposite corners above is ambiguous; the mean of its corners says which pair
    is joined.
    """
    total = 0.0
    for cell in itertools.product(*map(range, c.shape)):
        square = corners(c, cell, [(0, 0), (1, 0), (1, 1), (0, 1)])  # around
        above = [value > level for _, value in square]
        points = {
            e: crossing(square[e], square[(e + 1) % 4], level)
            for e in range(4)
            if above[e] != above[(e + 1) % 4]
        }
        if len(points) == 2:
            pieces = [tuple(points)]
        elif (
            len(points) == 4
        ):  # edge e runs from corner e to e + 1: cut off corners 1 and 3, or 0 and 2
            joined = np.mean([value for _, value in square]) > level
            pieces = [(0, 1), (2, 3)] if above[1] != joined else [(3, 0), (1, 2)]
        else:
            pieces = []
        total += sum(np.linalg.norm(points[e] - points[f]) for e, f in pieces)
    return total * spacing


def marching_simplices(c, level, spacing=1.0):
    """Length (area) of the level set of one field, linear on each of the 2 triangles (6 tetrahedra)
    of a cell that share the diagonal from its lowest corner to its highest.
    """
    d = c.ndim
    walks = [
        np.cumsum([np.zeros(d, int)] + [np.eye(d, dtype=int)[axis] for axis in order], axis=0)
        for order in itertools.permutations(range(d))
    ]
    total = 0.0
    for cell, walk in itertools.product(itertools.product(*map(range, c.shape)), walks):
        simplex = corners(c, cell, walk)
        above = [corner for corner in simplex if corner[1] > level]
        below = [corner for corner in simplex if corner[1] <= level]
        points = [[crossing(b, a, level) for a in above] for b in below]
        if not above or not below:
            continue
        if d == 2:
            p, q = [point for row in points for point in row]
            total += np.linalg.norm(p - q)
        elif len(above) == 2:  # a quadrilateral, its corners in order
            (p, q), (s, r) = points
            total += (
                np.linalg.norm(np.cross(q - p, r - p)) + np.linalg.norm(np.cross(r - p, s - p))
            ) / 2
        else:
            p, q, r = [point for row in points for point in row]
            total += np.linalg.norm(np.cross(q - p, r - p)) / 2
    return total * spacing ** (d - 1)
