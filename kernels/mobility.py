"""A mobility that depends on the concentration: dc/dt = div(M(c) grad mu), M(c) as one writes it.

The largest value between the wells is the scale of time; what is implicit in a step takes that
value, and what M(c) lacks of it is explicit (J. Zhu, L.-Q. Chen, J. Shen and V. Tikare, Phys. Rev.
E 60, 3564 (1999)). Where M(c) is negative, which no mobility is, it counts as 0.
"""

from dataclasses import dataclass, replace

import numpy as np
import sympy

from kernels.expression import CUT, C, code, constant, numeric, read

POINTS = 2001  # between the wells


@dataclass(frozen=True)
class Mobility:
    """M(c), length^(d + 2) / energy / time.  expression: of sympy; wells: c_a, c_b, between which
    its largest value, `largest`, is looked for.  ValueError if it is not finite there, or never
    positive.
    """

    expression: sympy.Expr
    text: str
    wells: tuple[float, float]

    def __post_init__(self):
        there = self(np.linspace(*self.wells, POINTS))
        if not (np.isfinite(there).all() and there.max() > 0):
            raise ValueError(
                f"mobility is {self.text}; it must be finite between the wells {self.wells[0]:g} and "
                f"{self.wells[1]:g}, and positive somewhere"
            )

    def __repr__(self) -> str:
        return repr(self.text)

    def __call__(self, c):
        """M(c), at least 0, float64."""
        return np.maximum(numeric(self.expression, CUT)(c), 0)

    @property
    def largest(self) -> float:
        return float(self(np.linspace(*self.wells, POINTS)).max())

    def compiled(self, middle: float, half_width: float) -> dict:
        """Compile-time constants of cahn_hilliard_mobility.cu: M / `largest` of the number u."""
        c = f"(REAL){middle!r} + (REAL){half_width!r} * u"
        return {"MOBILITY": code(self.expression / sympy.Float(self.largest, 17), CUT, c)}


def mobility_of(value, wells: tuple[float, float]) -> float | Mobility:
    """A number, or the Mobility of a formula of c; a formula without c is its number."""
    if isinstance(value, Mobility):  # of another model perhaps, whose wells were others
        return value if value.wells == tuple(wells) else replace(value, wells=tuple(wells))
    if not isinstance(value, str):
        return value
    expression = read("mobility", value, {})
    return Mobility(expression, value, wells) if expression.has(C) else constant(expression, CUT)
