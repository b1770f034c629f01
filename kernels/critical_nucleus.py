"""The critical nucleus of a metastable mixture, and the barrier that noise has to cross.

Profile  c(r) of the round droplet that neither grows nor shrinks in a large mixture of mean c_0:
         f'(c) - epsilon^2 lap c = f'(c_0), c'(0) = 0, c(infinity) = c_0
Barrier  integral of f(c) - f(c_0) - f'(c_0) (c - c_0) + epsilon^2/2 |grad c|^2; nuclei form at a
         rate of exp(-barrier / T), up to a prefactor
Limits   at the binodal, where the droplet is large, the classical pi sigma^2 / g in two dimensions
         and 16 pi sigma^3 / (3 g^2) in three, sigma the surface tension and g the driving force, an
         energy / volume; at the spinodal 0
Source   J. W. Cahn and J. E. Hilliard, J. Chem. Phys. 31, 688 (1959)

    from kernels.cahn_hilliard import CahnHilliard
    from kernels.critical_nucleus import critical_nucleus
    print(critical_nucleus(CahnHilliard((64, 64), epsilon=2), mean=0.15).barrier)  # 0.558
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.integrate
import scipy.optimize

from kernels.arguments import brief, number, shown
from kernels.cahn_hilliard_system import System
from kernels.names import named

__all__ = ["Nucleus", "critical_nucleus"]

POINTS = 400
SHARES = (1, 0.98, 1.02, 0.95, 1.05, 0.9, 1.1, 0.8)  # of the classical radius, to begin from
FAINT = 1e-3  # share of the wells' distance that is no droplet yet


@dataclass(frozen=True)
class Nucleus:
    """barrier: energy. radius: (n,), length. concentration: (n,), there. classical: what the theory
    of thin interfaces has for the barrier. driving_force: g, energy / volume.
    """

    barrier: float
    classical: float
    driving_force: float
    radius: np.ndarray
    concentration: np.ndarray
    __repr__ = brief


@named
def critical_nucleus(model: System, mean: float) -> Nucleus:
    """Of a mixture of this mean concentration, in as many dimensions as the model's box, which
    counts as infinite.

    ValueError if the mixture is stable, between the wells and beyond the spinodal it must be;
    RuntimeError if no profile was found.
    """
    mean = number("mean", mean)
    if not isinstance(model, System):
        raise ValueError(f"model is {shown(model)}; it must be a CahnHilliard")
    if model.reaction_rate:
        raise ValueError(
            f"reaction_rate is {model.reaction_rate:g}; a critical nucleus is that of a mixture that "
            "does not react"
        )
    energy, dimensions = model.free_energy, len(model.shape)
    at, e = float(model.to_symmetric(mean)), math.sqrt(model.squared_width)
    if not (-1 < at < 1 and energy.curvature(at) > 0):
        raise ValueError(
            f"mean is {mean:g}; a mixture nucleates between a well, {energy.wells[0]:g} or "
            f"{energy.wells[1]:g}, and the spinodal"
        )
    side = 1.0 if at < 0 else -1.0  # the well of the nucleus
    force = float(energy.slope(at))
    inside = float(scipy.optimize.newton(lambda u: energy.slope(u) - force, side, tol=1e-13))
    driving = float(energy.density(at) + force * (inside - at) - energy.density(inside))
    if not driving > 0:
        raise ValueError(f"mean is {mean:g}; no droplet of the other phase would grow in it")
    tension = model.surface_tension / (model.energy_scale * e)  # in units of u and e
    radius = (dimensions - 1) * tension / driving  # in units of e, as all below
    far = radius + 20 / math.sqrt(energy.curvature(at))

    def right(r, y):
        return np.array([y[1], energy.slope(y[0]) - force - (dimensions - 1) * y[1] / r])

    def ends(a, b):
        return np.array([a[1], b[0] - at])

    r = np.linspace(1e-6, far, POINTS)
    walls = [(inside, np.tanh((radius * share - r) / math.sqrt(2)) / 2 + 0.5) for share in SHARES]
    bumps = [
        (at + part * (inside - at), np.exp(-((r / width) ** 2)))
        for part in (0.9, 0.6, 0.4, 0.2)
        for width in (2, 3.5, 6)
    ]
    for top, shape in walls + bumps:
        u = at + (top - at) * shape
        found = scipy.integrate.solve_bvp(
            right, ends, r, np.array([u, np.gradient(u, r)]), tol=1e-7, max_nodes=50_000
        )
        if found.success and side * (found.sol(0.0)[0] - at) > 2 * FAINT:
            break
    else:
        raise RuntimeError(f"no critical nucleus was found at mean {mean:g}")
    r = np.linspace(1e-6, far, 20 * POINTS)
    u, slope = found.sol(r)
    excess = energy.density(u) - energy.density(at) - force * (u - at) + slope**2 / 2
    sphere = 2 * math.pi * r if dimensions == 2 else 4 * math.pi * r**2
    unit = model.energy_scale * e**dimensions
    classical = (
        math.pi * tension**2 / driving
        if dimensions == 2
        else 16 * math.pi / 3 * tension**3 / driving**2
    )
    return Nucleus(
        float(np.trapezoid(sphere * excess, r)) * unit,
        classical * unit,
        driving * model.energy_scale,
        r * e,
        model.from_symmetric(u),
    )
