"""Free energy density of a mixture: one polynomial, from which f, f' and f'' follow everywhere.

f(u) = sum_n coefficients[n] u^n, u = -1 and 1 in the two wells: energies in units of a scale, so
that concentrations c and energies F = integral of f_c(c) + kappa/2 |grad c|^2 are

    c = (c_a + c_b)/2 + (c_b - c_a)/2 u,    f_c(c) = depth f(u)

Another free energy is another list of coefficients, asymmetric wells or a sixth power included; the
kernels (free_energy.h) take f'(mean + v) - f'(mean) expanded about the mean of each field.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial

__all__ = ["FreeEnergy", "double_well"]

DOUBLE_WELL = (0.25, 0.0, -0.5, 0.0, 0.25)  # (u^2 - 1)^2 / 4


@dataclass(frozen=True)
class FreeEnergy:
    """wells: concentrations (c_a, c_b) of the two phases.  depth: f_c = depth f(u), units of
    `well_depth` (or energy / volume where that is 1).  coefficients: of f(u), ascending.

    Raises ValueError, one line: wells that do not increase, a depth that is not positive, a
    polynomial of odd degree or below 4, or one that is not bounded from below.
    """

    wells: tuple[float, float] = (-1.0, 1.0)
    depth: float = 1.0
    coefficients: tuple[float, ...] = DOUBLE_WELL

    def __post_init__(self):
        low, high = self.wells
        if not (low < high and math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"wells are {self.wells}; they must be two finite, increasing numbers")
        if not (self.depth > 0 and math.isfinite(self.depth)):
            raise ValueError(f"depth is {self.depth}; it must be a positive number")
        c = self.coefficients
        if len(c) < 5 or len(c) % 2 == 0 or not c[-1] > 0 or not np.isfinite(c).all():
            raise ValueError(
                f"coefficients are {c}; f(u) must be a polynomial of even degree, at least 4, "
                "with a positive last coefficient"
            )

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    @property
    def half_width(self) -> float:
        """dc / du."""
        return (self.wells[1] - self.wells[0]) / 2

    @property
    def middle(self) -> float:
        """Concentration at u = 0."""
        return (self.wells[0] + self.wells[1]) / 2

    def density(self, u):
        """f(u)."""
        return Polynomial(self.coefficients)(u)

    def curvature(self, u):
        """f''(u)."""
        return Polynomial(self.coefficients).deriv(2)(u)

    def slopes(self, mean) -> np.ndarray:
        """Coefficients of v, v^2, ... in f'(mean + v) - f'(mean): f^(j + 1)(mean) / j!, float64
        (..., degree - 1).
        """
        f = Polynomial(self.coefficients)
        return np.stack(
            [
                f.deriv(j + 1)(np.asarray(mean, np.float64)) / math.factorial(j)
                for j in range(1, self.degree)
            ],
            -1,
        )

    @property
    def stabilisation(self) -> float:
        """S: the largest f'' between the wells."""
        return float(self.curvature(np.linspace(-1, 1, 1001)).max())

    @property
    def steepest(self) -> float:
        """-f'' where it is lowest between the wells: the fastest wave grows with its square / 4."""
        return float(-self.curvature(np.linspace(-1, 1, 1001)).min())


def double_well(c_a: float, c_b: float, rho: float = 1.0) -> FreeEnergy:
    """f = rho (c - c_a)^2 (c_b - c)^2, as in PFHub's benchmarks."""
    return FreeEnergy((c_a, c_b), rho * 4 * ((c_b - c_a) / 2) ** 4)
