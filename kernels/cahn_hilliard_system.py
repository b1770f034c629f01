"""A Cahn-Hilliard system, its numbers and what follows from them; symbols as in cahn_hilliard.py,
whose class runs it, by paths that know this module alone.
"""

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.optimize

from kernels.arguments import fields_of, number, one_of, real, reals, shown
from kernels.device import device_of
from kernels.free_energy import ExpressionEnergy, FreeEnergy, double_well, from_expression
from kernels.mobility import Mobility, mobility_of

FORMS = {"unit": double_well(0.0, 1.0), "symmetric": FreeEnergy((-1.0, 1.0))}
LAPLACIANS = ("spectral", "finite_difference")
BOUNDARIES = ("periodic", "no_flux")
SCHEMES = ("adaptive", "first_order", "second_order", "third_order", "explicit")
FARTHEST = 4.0  # u that no mixture has
DIVERGED = 10.0  # rms of u beyond which a trajectory has blown up: the wells are at 1
SMALLEST_GRID = 8
COARSEST_INTERFACE = 2.5  # cells; below it the lattice pins interfaces


@dataclass(frozen=True)
class System:
    """One system: what its equation is, on which grid, and all that follows from it.

    shape: cells a side, 2 or 3 even numbers from 8 on. epsilon, well_depth, mobility, spacing: > 0,
    see above. form: unit, symmetric, an expression of c ("c**2*(1-c)**2"), or a FreeEnergy, whose
    depth well_depth multiplies. laplacian: LAPLACIANS. precision: float32 or float64. Raises
    ValueError with one line on a value out of range; warns if an interface is less than 2.5 cells
    wide.
    """

    shape: tuple[int, ...]
    epsilon: float = 1.0
    well_depth: float = 1.0
    mobility: float | str | Mobility = 1.0
    form: str | FreeEnergy | ExpressionEnergy = "unit"
    spacing: float = 1.0
    laplacian: str = "spectral"
    precision: str = "float32"
    boundary: str = "periodic"
    reaction_rate: float = 0.0
    reaction_mean: float | None = None
    device: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self):
        check(self)
        object.__setattr__(self, "device", device_of(self.device))
        if self.interface_cells < COARSEST_INTERFACE:
            warnings.warn(
                f"epsilon = {self.epsilon:g}: an interface is {self.interface_cells:.1f} cells wide "
                f"(90% of the step), fewer than {COARSEST_INTERFACE:g}: the grid pins it",
                stacklevel=4,
            )

    @property
    def free_energy(self) -> FreeEnergy | ExpressionEnergy:
        """f(u)."""
        return FORMS[self.form] if isinstance(self.form, str) else self.form

    @property
    def squared_width(self) -> float:
        """e^2 = epsilon^2 (dc/du)^2 / depth of f, length^2."""
        return self.epsilon**2 * self.free_energy.half_width**2 / self.energy_scale

    @property
    def interface_cells(self) -> float:
        """Cells from 5% to 95% of a flat interface's step: 2 artanh(0.9) sqrt(2) e / dx."""
        return 2 * math.atanh(0.9) * math.sqrt(2 * self.squared_width) / self.spacing

    @property
    def surface_tension(self) -> float:
        """Energy of a flat interface, energy / length^(d-1): e times the integral of sqrt(2 f) over
        u from well to well, f above the line that touches it there; a e sqrt(8)/3 in the form
        `symmetric`, a quarter of it in `unit`.
        """
        energy, (a, b) = self.free_energy, self.coexisting
        middle, weight = np.polynomial.legendre.leggauss(64)
        low, high = energy.density(np.array([a, b]))
        height = energy.density((a + b) / 2 + (b - a) / 2 * middle)
        height = np.maximum(height - (low + high) / 2 - (high - low) / 2 * middle, 0)
        return float(
            self.energy_scale
            * math.sqrt(2 * self.squared_width)
            * ((b - a) / 2 * weight * height**0.5).sum()
        )

    @property
    def coexisting(self) -> tuple[float, float]:
        """u of the two phases that one tangent of f touches: -1 and 1, unless the free energy was
        given other wells.
        """
        energy = self.free_energy

        def apart(ends):
            chord = np.diff(energy.density(ends))[0] / np.diff(ends)[0]
            return energy.slope(ends) - chord

        start = np.array([-1.0, 1.0])
        if np.abs(apart(start)).max() < 1e-9:
            return -1.0, 1.0
        found = scipy.optimize.root(apart, start, tol=1e-12)
        stable = found.x[0] < found.x[1] and (energy.curvature(found.x) > 0).all()
        return tuple(float(u) for u in (found.x if found.success and stable else start))

    @property
    def rate(self) -> float:
        """tau / t: (largest) mobility times depth of f over (dc/du)^2; M a in both forms."""
        return self.largest_mobility * self.energy_scale / self.free_energy.half_width**2

    @property
    def variable_mobility(self) -> Mobility | None:
        """M(c), where it depends on c."""
        return self.mobility if isinstance(self.mobility, Mobility) else None

    @property
    def largest_mobility(self) -> float:
        """M, or its largest value between the wells."""
        return (
            self.mobility.largest if isinstance(self.mobility, Mobility) else float(self.mobility)
        )

    def relative_mobility(self, u):
        """M of u over its largest value."""
        if self.variable_mobility is None:
            return np.ones(np.shape(u))
        return self.variable_mobility(self.from_symmetric(u)) / self.largest_mobility

    @property
    def reaction(self) -> float:
        """b, the reaction's rate, 1 / tau."""
        return self.reaction_rate / self.rate

    def relaxed(self, means: np.ndarray) -> np.ndarray:
        """Means of u to which a reaction leads fields of these means (n,)."""
        if self.reaction_mean is None:
            return means
        return np.full_like(means, self.to_symmetric(self.reaction_mean))

    @property
    def energy_scale(self) -> float:
        """F over the integral of f(u) + e^2/2 |grad u|^2."""
        return self.well_depth * self.free_energy.depth

    @property
    def cell(self) -> float:
        """Volume of a cell, length^d."""
        return self.spacing ** len(self.shape)

    @property
    def extended(self) -> "System":
        """The periodic system of twice the sides, of which a box without flux through its walls is
        a part: fields are mirrored at the walls, half a cell beyond the last cells.
        """
        with warnings.catch_warnings(action="ignore"):  # said of this system already
            return replace(self, shape=tuple(2 * n for n in self.shape), boundary="periodic")

    def squared_wave_numbers(self) -> list[np.ndarray]:
        """k^2 along each axis, float64, in the order of an FFT, 1 / length^2."""
        axes = []
        for n in self.shape:
            k = 2 * np.pi * np.fft.fftfreq(n)
            axes.append(
                (k**2 if self.laplacian == "spectral" else 2 - 2 * np.cos(k)) / self.spacing**2
            )
        return axes

    def growth_rate(self, wave_number, mean):
        """Of a small wave about a uniform mean: -M k^2 (f''(mean) + epsilon^2 k^2) - B, 1 / time; k
        in 1 / length.
        """
        u = self.to_symmetric(reals("mean", mean))
        k2 = reals("wave_number", wave_number) ** 2
        moved = self.rate * self.relative_mobility(u)
        stiff = self.free_energy.curvature(u) + self.squared_width * k2
        return -moved * k2 * stiff - self.reaction_rate

    def to_symmetric(self, fields):
        """u of concentrations in this system's form."""
        return (fields - self.free_energy.middle) / self.free_energy.half_width

    def from_symmetric(self, u):
        return self.free_energy.half_width * u + self.free_energy.middle

    def checked(self, fields) -> np.ndarray:
        """Fields (..., *shape), as an array.  ValueError on others."""
        found = fields_of("fields", fields, len(self.shape))
        if found.shape[-len(self.shape) :] != self.shape:
            sides = ", ".join(map(str, self.shape))
            raise ValueError(f"fields are {found.shape}; they must be (..., {sides})")
        return found

    def energies(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chemical and surface part of F of fields (..., *shape), float64 (...), energy."""
        fields = self.checked(fields)
        if self.boundary == "no_flux":
            whole = self.extended.energies(mirrored(fields, len(self.shape)))
            return tuple(part / 2 ** len(self.shape) for part in whole)
        u = self.to_symmetric(fields.astype(np.float64))
        axes = tuple(range(-len(self.shape), 0))
        chemical = self.free_energy.density(u).mean(axes)
        k2 = sum(np.ix_(*self.squared_wave_numbers()))
        power = np.abs(np.fft.fftn(u, axes=axes)) ** 2
        surface = self.squared_width / 2 * (power * k2).sum(axes) / math.prod(self.shape) ** 2
        whole = self.energy_scale * self.cell * math.prod(self.shape)
        return chemical * whole, surface * whole

    def long_range_energy(self, fields: np.ndarray) -> np.ndarray:
        """What a reaction adds to F (Ohta and Kawasaki), of fields (..., *shape), float64 (...),
        energy: B / (2 M) times the box's volume times the sum over k > 0 of |c_k|^2 / k^2; of a
        mobility that depends on c the largest one.
        """
        fields, dimensions = self.checked(fields).astype(np.float64), len(self.shape)
        if self.boundary == "no_flux":
            return self.extended.long_range_energy(mirrored(fields, dimensions)) / 2**dimensions
        axes, cells = tuple(range(-dimensions, 0)), math.prod(self.shape)
        k2 = sum(np.ix_(*self.squared_wave_numbers()))
        inverse = np.divide(1, k2, out=np.zeros_like(k2), where=k2 > 0)
        power = (np.abs(np.fft.fftn(fields, axes=axes)) ** 2 * inverse).sum(axes) / cells**2
        return self.reaction_rate / (2 * self.largest_mobility) * self.cell * cells * power


def check(model: System) -> None:
    """ValueError, one line, on a value out of range."""
    object.__setattr__(model, "shape", grid(model.shape))
    if isinstance(model.form, str) and model.form not in FORMS:
        if re.search(r"\bc\b", model.form) is None:
            raise ValueError(
                f"form is {shown(model.form)}; it must be one of {', '.join(FORMS)}, an expression of "
                "c, as 'c**2*(1-c)**2', or a FreeEnergy"
            )
        object.__setattr__(model, "form", from_expression(model.form))
    elif not isinstance(model.form, str | FreeEnergy | ExpressionEnergy):
        raise ValueError(
            f"form is {shown(model.form)}; it must be one of {', '.join(FORMS)}, an expression of c, "
            "or a FreeEnergy"
        )
    for name, allowed in (
        ("laplacian", LAPLACIANS),
        ("precision", ("float32", "float64")),
        ("boundary", BOUNDARIES),
    ):
        one_of(name, getattr(model, name), allowed)
    object.__setattr__(model, "mobility", mobility_of(model.mobility, model.free_energy.wells))
    for name in ("epsilon", "well_depth", "mobility", "spacing"):
        value = getattr(model, name)
        if name == "mobility" and isinstance(value, Mobility):
            if model.laplacian != "spectral":
                raise ValueError(
                    f"laplacian is {model.laplacian!r}; a mobility that depends on c has spectral only"
                )
            continue
        value = number(name, value, above=0)
        if not 1e-12 <= value <= 1e12:
            raise ValueError(f"{name} is {value:g}; expected a number of the order of 1")
        object.__setattr__(model, name, value)
    rate = number("reaction_rate", model.reaction_rate, 0, 1e12, units="1 / time")
    object.__setattr__(model, "reaction_rate", rate)
    if model.reaction_mean is not None:
        mean = number("reaction_mean", model.reaction_mean, units="concentration")
        if not rate:
            raise ValueError(f"reaction_mean is {mean:g}, but reaction_rate is 0: nothing reacts")
        if abs(model.to_symmetric(mean)) > FARTHEST:
            low, high = model.free_energy.wells
            raise ValueError(
                f"reaction_mean is {mean:g}; expected about {low:g} to {high:g}, the wells of this "
                "free energy"
            )
        object.__setattr__(model, "reaction_mean", mean)
    if not model.squared_width / model.spacing**2 < 1e12:
        raise ValueError(
            f"epsilon is {model.epsilon:g}; an interface would be {model.interface_cells:.2g} cells wide"
        )


def mirrored(fields, dimensions: int, arrays=np):
    """Fields (..., *shape) and their mirror images, (..., *2 shape): even about every wall.
    arrays: numpy or cupy, whose arrays they are.
    """
    for axis in range(-dimensions, 0):
        fields = arrays.concatenate([fields, arrays.flip(fields, axis)], axis)
    return arrays.ascontiguousarray(fields)


def grid(shape) -> tuple[int, ...]:
    """Cells a side.  ValueError if it is no grid of 2 or 3 dimensions."""
    sides = shape if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    if len(sides) not in (2, 3):
        raise ValueError(
            f"shape is {shown(shape)}; it must be 2 or 3 numbers of cells, as (64, 64)"
        )
    for n in sides:
        if (real(n) or 0) % 2 or (real(n) or 0) < SMALLEST_GRID:
            raise ValueError(
                f"shape is {shown(shape)}; each side must be an even number of cells, at least {SMALLEST_GRID}"
            )
    return tuple(int(n) for n in sides)
