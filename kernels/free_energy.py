"""Free energy density of a mixture: a polynomial, or any expression, from which f, f' and f''
follow everywhere.

f(u), u = -1 and 1 in the two wells, in units of a scale, so that concentrations c and energies F =
integral of f_c(c) + kappa/2 |grad c|^2 are

    c = (c_a + c_b)/2 + (c_b - c_a)/2 u,    f_c(c) = depth f(u)

Polynomials are their coefficients, asymmetric wells or a sixth power included; expressions are
differentiated by sympy and compiled into the same kernels (free_energy.h), which take f'(mean + v)
- f'(mean) of each field.

    from kernels.cahn_hilliard import CahnHilliard
    from kernels.free_energy import flory_huggins, from_expression
    CahnHilliard((64, 64), form="c**2 * (1 - c)**2")  # the form `unit`, to the last bit
    CahnHilliard((64, 64), form=from_expression("a*(c-1/4)**2*(c-3/4)**2", a=40))
    CahnHilliard((64, 64), form=flory_huggins(chi=3))  # wells at 0.0707 and 0.9293
"""

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.optimize
import sympy
from numpy.polynomial import Polynomial

from kernels.arguments import number, pair, reals, shown, whole
from kernels.expression import CUT, C, code, constant, logarithms, numeric, read
from kernels.names import named

__all__ = ["ExpressionEnergy", "FreeEnergy", "double_well", "flory_huggins", "from_expression"]

LARGEST_ORDER = 8  # of a derivative
RANGE = 2001  # points at which curvatures between the wells are looked at
DOUBLE_WELL = (0.25, 0.0, -0.5, 0.0, 0.25)  # (u^2 - 1)^2 / 4


@dataclass(frozen=True)
class FreeEnergy:
    """wells: concentrations (c_a, c_b) of the two phases.  depth: f_c = depth f(u), units of
    `well_depth` (or energy / volume where that is 1).  coefficients: of f(u), ascending.

    Raises ValueError, one line: wells that do not increase, a depth that is not positive, a
    polynomial of odd degree or below 2, or one that is not bounded from below.
    """

    wells: tuple[float, float] = (-1.0, 1.0)
    depth: float = 1.0
    coefficients: tuple[float, ...] = DOUBLE_WELL

    def __post_init__(self):
        object.__setattr__(self, "wells", pair("wells", self.wells, "concentrations"))
        object.__setattr__(self, "depth", number("depth", self.depth, above=0))
        c = reals("coefficients", self.coefficients)
        object.__setattr__(self, "coefficients", tuple(c.ravel().tolist()))
        if c.ndim != 1 or len(c) < 3 or len(c) % 2 == 0 or not c[-1] > 0:
            raise ValueError(
                f"coefficients are {shown(self.coefficients)}; f(u) must be a polynomial of even degree, at least 2, "
                "with a positive last coefficient"
            )

    logarithmic = False

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    @property
    def compiled(self) -> dict:
        """Compile-time constants of free_energy.h."""
        return {"DEGREE": self.degree}

    @property
    def half_width(self) -> float:
        """dc / du."""
        return (self.wells[1] - self.wells[0]) / 2

    @property
    def middle(self) -> float:
        """Concentration at u = 0."""
        return (self.wells[0] + self.wells[1]) / 2

    def density(self, u):
        """f(u); u may lie on a GPU."""
        u = u if hasattr(u, "shape") else np.asarray(u, np.float64)
        found = self.coefficients[-1] + 0 * u
        for coefficient in self.coefficients[-2::-1]:
            found = coefficient + found * u
        return found

    def slope(self, u):
        """f'(u)."""
        return Polynomial(self.coefficients).deriv()(u)

    def curvature(self, u):
        """f''(u)."""
        return Polynomial(self.coefficients).deriv(2)(u)

    def derivative(self, order: int, c) -> np.ndarray:
        """d^order f_c / dc^order at concentrations c, energy / volume over c^order."""
        order = whole("order", order, 0, LARGEST_ORDER)
        u = (reals("c", c) - self.middle) / self.half_width
        polynomial = Polynomial(self.coefficients)
        value = polynomial.deriv(order)(u) if order else polynomial(u)
        return self.depth * value / self.half_width**order

    @property
    def spinodal(self) -> tuple[float, ...]:
        """Concentrations between the wells at which f'' changes its sign, increasing: mixtures
        between the first two segregate by themselves.
        """
        c = np.linspace(*self.wells, RANGE)
        sign = self.derivative(2, c) < 0
        return tuple(
            scipy.optimize.brentq(lambda x: float(self.derivative(2, x)), c[i], c[i + 1])
            for i in np.flatnonzero(sign[1:] != sign[:-1])
        )

    def slopes(self, mean, precision: str = "float64") -> np.ndarray:
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


@named
def double_well(c_a: float, c_b: float, rho: float = 1.0) -> FreeEnergy:
    """f = rho (c - c_a)^2 (c_b - c)^2, as in PFHub's benchmarks."""
    c_a, c_b = number("c_a", c_a), number("c_b", c_b)
    if not c_a < c_b:
        raise ValueError(f"c_b is {c_b:g}; it must be above c_a, {c_a:g} (concentration)")
    return FreeEnergy((c_a, c_b), number("rho", rho, above=0) * 4 * ((c_b - c_a) / 2) ** 4)


SERIES = 5  # terms in v near the mean
FARTHEST = 0.3  # |v| that they are taken for
SAMPLES = 128  # of it on either side, at which the series is compared with f'
SEARCH = (-2.0, 3.0)  # c in which wells are looked for, where logarithms do not say


@dataclass(frozen=True)
class ExpressionEnergy:
    """A free energy that is no polynomial, made by from_expression; the same properties as
    FreeEnergy.

    expression: f_c(c), of sympy.  wells: (c_a, c_b).  cut: argument below which a logarithm goes on
    as its tangent.
    """

    expression: sympy.Expr
    wells: tuple[float, float]
    cut: float = CUT
    text: str = field(default="", compare=False)

    def __post_init__(self):
        span = np.linspace(*self.wells, RANGE)
        if not all(np.isfinite(self.derivative(n, span)).all() for n in range(3)):
            raise ValueError(
                f"the free energy {self.text} or one of its derivatives is not finite everywhere "
                f"between the wells {self.wells[0]:g} and {self.wells[1]:g}"
            )
        if not self.derivative(2, span).max() > 0:
            raise ValueError(
                f"the free energy {self.text} curves downwards everywhere between "
                f"{self.wells[0]:g} and {self.wells[1]:g}: no mixture is stable there"
            )

    def __str__(self) -> str:
        return self.text

    half_width = FreeEnergy.half_width
    middle = FreeEnergy.middle

    @property
    def logarithmic(self) -> bool:
        """Whether it has a logarithm, and so a use for `cut`."""
        return bool(logarithms(self.expression))

    @cached_property
    def _derivatives(self) -> list[sympy.Expr]:
        found = [self.expression]
        for _ in range(LARGEST_ORDER):
            found.append(sympy.diff(found[-1], C))
        return found

    def derivative(self, order: int, c) -> np.ndarray:
        """d^order f_c / dc^order at concentrations c, energy / volume over c^order."""
        order = whole("order", order, 0, LARGEST_ORDER)
        return numeric(self._derivatives[order], self.cut)(reals("c", c))

    @cached_property
    def depth(self) -> float:
        """Such that the largest f'' between the wells is 2, as that of the double well."""
        largest = self.derivative(2, np.linspace(*self.wells, RANGE)).max()
        return float(largest * self.half_width**2 / 2)

    def _concentration(self, u) -> np.ndarray:
        return self.middle + self.half_width * np.asarray(u, np.float64)

    def density(self, u):
        """f(u); u may lie on a GPU."""
        u = u.astype(np.float64) if hasattr(u, "shape") else np.asarray(u, np.float64)
        return numeric(self.expression, self.cut)(self.middle + self.half_width * u) / self.depth

    def slope(self, u):
        """f'(u)."""
        return self.derivative(1, self._concentration(u)) * (self.half_width / self.depth)

    def curvature(self, u):
        """f''(u)."""
        return self.derivative(2, self._concentration(u)) * (self.half_width**2 / self.depth)

    def slopes(self, mean, precision: str = "float64") -> np.ndarray:
        """What free_energy.h takes of a field of this mean: coefficients of v, v^2, ... in f'(mean
        + v) - f'(mean), then mean, f'(mean) and the square of the |v| beyond which the difference
        itself is taken.  float64 (..., SERIES + 3).
        """
        kind = np.dtype(precision).type
        mean = np.asarray(mean, kind).astype(np.float64)
        c, width = self._concentration(mean), self.half_width
        terms = [
            self.derivative(j + 1, c) * width ** (j + 1) / self.depth / math.factorial(j)
            for j in range(1, SERIES + 3)
        ]
        slope = self.derivative(1, c) * width / self.depth
        round_off = np.finfo(kind).eps * np.maximum(np.abs(slope), 1)
        reach = FARTHEST  # of f that is even about the mean every other term is 0
        for j in (SERIES + 1, SERIES + 2):
            left_out = np.maximum(np.abs(terms[j - 1]), 1e-30)
            reach = np.minimum(reach, (round_off / left_out) ** (1 / j))
        for argument in logarithms(self.expression):  # the series ends where the tangent begins
            steepest = np.abs(numeric(sympy.diff(argument, C), self.cut)(c)) * width
            distance = np.abs(numeric(argument, self.cut)(c) - self.cut)
            reach = np.minimum(reach, 0.5 * distance / np.maximum(steepest, 1e-30))
        reach = self._checked(reach, terms[:SERIES], c, round_off)
        return np.stack([*terms[:SERIES], mean, slope, reach**2], -1)

    def _checked(self, reach, terms: list, c, round_off) -> np.ndarray:
        """What of `reach` the series holds in, by samples: derivatives at the mean see nothing of
        kinks and narrow steps farther off.
        """
        share = np.linspace(0, 1, SAMPLES + 1)[1:]
        good = np.ones((*np.shape(c), SAMPLES), bool)
        for side in (-1, 1):
            v = side * np.multiply.outer(reach, share)
            series = sum(np.multiply(t[..., None], v ** (j + 1)) for j, t in enumerate(terms))
            scale = self.half_width / self.depth
            there = self.derivative(1, c[..., None] + self.half_width * v) * scale
            left_out = np.abs(there - self.derivative(1, c)[..., None] * scale - series)
            allowed = 1e4 * np.finfo(np.float64).eps * np.maximum(np.abs(there), 1)
            good &= left_out < allowed + 10 * round_off[..., None]
        held = np.logical_and.accumulate(good, -1).sum(-1)
        return reach * held / SAMPLES

    spinodal = FreeEnergy.spinodal
    stabilisation = FreeEnergy.stabilisation
    steepest = FreeEnergy.steepest

    @cached_property
    def compiled(self) -> dict:
        """Compile-time constants of free_energy.h."""
        c = f"(REAL){self.middle!r} + (REAL){self.half_width!r} * u"
        slope = sympy.Float(self.half_width / self.depth, 17) * self._derivatives[1]
        return {"DEGREE": SERIES + 4, "SLOPE": code(slope, self.cut, c)}


def from_expression(
    text: str, wells: tuple[float, float] | None = None, cut: float = CUT, **parameters: float
) -> FreeEnergy | ExpressionEnergy:
    """The free energy density f_c(c) = `text`, energy / volume, for `form=` of CahnHilliard:
    numbers, + - * / **, log, exp, sqrt, tanh, c and names given as `parameters`.

    wells: concentrations of the two phases (`.wells` of what comes back); by default where a common
    tangent touches f_c (the binodals). They set scales alone: of energy, width and speed, and what
    stands for the middle. A polynomial becomes its coefficients, everything else is compiled. cut:
    a logarithm goes on below this value of its argument as its tangent there. ValueError, one line:
    text that is no formula, no two phases where wells are not given, a polynomial that is not
    bounded from below.
    """
    cut = number("cut", cut, above=0)
    expression = read("free energy", text, parameters)
    if expression.is_polynomial(C):
        whole = sympy.Poly(expression, C)
        if whole.degree() % 2 or not constant(whole.LC(), cut) > 0:
            raise ValueError(
                f"free energy {text} falls without bound where c is large or very negative; is a sign "
                "wrong?"
            )
    if wells is None:
        wells = common_tangent(expression, cut, text)
        low, high = wells
        for argument in logarithms(expression):
            if numeric(argument, cut)(np.array([low, high])).min() < cut:
                warnings.warn(
                    f"binodals of the free energy {text} are {low:g} and {high:g}, where a logarithm is "
                    f"its tangent already (below cut = {cut:g}): take a smaller cut",
                    stacklevel=2,
                )
    low, high = pair("wells", wells, "concentrations")
    middle, half = (sympy.Rational(repr(each)) for each in ((low + high) / 2, (high - low) / 2))
    u = sympy.Symbol("u")
    if expression.is_polynomial(C):
        poly = sympy.Poly(sympy.expand(expression.subs(C, middle + half * u)), u)
        raw = [constant(each, cut) for each in reversed(poly.all_coeffs())]
        curvature = Polynomial(raw).deriv(2)(np.linspace(-1, 1, RANGE)).max()
        depth = float(curvature) / 2 if curvature > 0 else 1.0
        return FreeEnergy((low, high), depth, tuple(each / depth for each in raw))
    return ExpressionEnergy(expression, (low, high), cut, text)


@named
def flory_huggins(
    chi: float, n_a: float = 1, n_b: float = 1, cut: float = CUT
) -> FreeEnergy | ExpressionEnergy:
    """Flory and Huggins' free energy of mixing, in kT a site: c/n_a log c + (1 - c)/n_b log(1 - c)
    + chi c (1 - c), of chains of n_a and n_b sites; wells at its binodals. Below `cut` of c or 1 -
    c the logarithm goes on as its tangent.
    """
    lengths = dict(n_a=number("n_a", n_a, above=0), n_b=number("n_b", n_b, above=0))
    text = "c/n_a*log(c) + (1-c)/n_b*log(1-c) + chi*c*(1-c)"
    return from_expression(text, cut=cut, chi=number("chi", chi), **lengths)


def common_tangent(expression: sympy.Expr, cut: float, text: str) -> tuple[float, float]:
    """Concentrations of two phases that coexist: equal f' there, and the line through them touches
    f at both.
    """
    f, slope = numeric(expression, cut), numeric(sympy.diff(expression, C), cut)
    low, high = SEARCH
    if expression.is_polynomial(C):
        poly = sympy.Poly(expression, C)
        if poly.degree() % 2 or not constant(poly.LC(), cut) > 0:
            return SEARCH  # not bounded from below, as FreeEnergy says
        bends = [constant(each, cut) for each in reversed(poly.diff().diff().all_coeffs())]
        roots = Polynomial(bends).roots()
        real = roots.real[np.abs(roots.imag) <= 1e-9 * np.abs(roots)]
        if len(real) > 1 and np.ptp(real) > 1e-6 * np.abs(real).max():  # the wells lie outside
            span = np.ptp(real)
            low, high = real.min() - span, real.max() + span
    for argument in logarithms(expression):
        c = np.linspace(low, high, 100_001)
        inside = c[numeric(argument, cut)(c) > 0]
        if len(inside):
            low, high = inside[0], inside[-1]
    c = np.linspace(low, high, 20_001)
    y = f(c)
    c, y = c[np.isfinite(y)], y[np.isfinite(y)]
    hull = []  # lower convex hull (Andrew)
    for i in range(len(c)):
        while len(hull) > 1:
            a, b = hull[-2:]
            if (y[b] - y[a]) * (c[i] - c[a]) < (y[i] - y[a]) * (c[b] - c[a]):
                break
            hull.pop()
        hull.append(i)
    gaps = np.diff(hull)
    if not len(gaps) or gaps.max() < 3:
        raise ValueError(
            f"the free energy {text} has no two phases between {low:g} and {high:g}; give wells=(low, "
            "high), the concentrations that set its scale"
        )
    at = int(gaps.argmax())
    start = c[hull[at]], c[hull[at + 1]]

    def tangent(ends):
        a, b = ends
        with np.errstate(all="ignore"):
            chord = (f(b) - f(a)) / (b - a)
        return [slope(a) - chord, slope(b) - chord]

    found = scipy.optimize.root(tangent, start, tol=1e-14).x
    near = np.abs(found - start).max() < 1e-2 * (high - low) and np.isfinite(found).all()
    if not near and (hull[at] == 0 or hull[at + 1] == len(c) - 1):
        raise ValueError(
            f"the free energy {text} has its two phases not both between {low:g} and {high:g}, where they "
            "were looked for; give wells=(low, high), the concentrations that set its scale"
        )
    ends = found if near else start
    faint = 1e-13 * np.ptp(ends)  # what rounding leaves of a well at 0
    return tuple(0.0 if abs(each) < faint else float(f"{each:.12g}") for each in ends)
