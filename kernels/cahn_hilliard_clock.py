"""What the rule of cahn_hilliard_clock.h is told: of a run (rule), of each field (media); and what
it keeps of each field (CLOCK).
"""

import math

import numpy as np

from kernels.cahn_hilliard_system import DIVERGED, System

ORDERS = {"explicit": 1, "first_order": 1, "second_order": 2, "third_order": 3, "adaptive": 3}
# at most, where the mobility depends on c: the explicit part is then as stiff as the implicit one
VARIABLE_ORDER = 2
FIRST_STEP, LONGEST_STEP = 1e-4, 100.0  # of the adaptive scheme, units of tau / e^2
START = 0.5 / (1.5**16 - 1)  # first step of a fixed one of third order: cahn_hilliard_clock.h
REST_GROWTHS = 10  # growth times of the fastest wave over which a field at rest stands still
ROUND_OFF = {"float32": 6e-7, "float64": 1e-15}  # of a step, relative to the field's fluctuation
UNIFORM_RMS = 1e-6  # of v, below which a mixture that cannot segregate is uniform
GOING, STEADY, UNIFORM, BLOWN_UP = range(4)  # `ending` of a clock
MANY_WAVES = 1_000_000
COVERED, SPAN = 1.25, 2001  # ratio of one S to the next; places at which f'' is looked at
SLOPES = 4  # words of a Medium before its slopes

CLOCK = np.dtype(
    [
        ("time", "f8"),
        ("steps", "f8"),
        ("meant", "f8"),
        ("used", "f8", 2),
        ("levels", "f8"),
        ("span_start", "f8"),
        ("span_summed", "f8"),
        ("span_fall", "f8"),
        ("span_growing", "f8"),
        ("ending", "f8"),
    ]
)


def rule(
    model: System,
    scheme: str,
    step: float | None,
    tolerance: float,
    steady_state: float | None,
) -> np.ndarray:
    """Words of Rule, float64, of fields whose mean lies between the wells; step: time, None for
    `adaptive`.
    """
    unit, fixed = model.squared_width, 0.0 if step is None else step * model.rate
    first = FIRST_STEP * unit if step is None else fixed
    return np.array(
        [
            unit,
            model.free_energy.stabilisation,
            fixed,
            tolerance,
            first * START if scheme == "third_order" else first,
            LONGEST_STEP * unit,
            0.0 if steady_state is None else steady_state,
            REST_GROWTHS / fastest_growth(model),
            ROUND_OFF[model.precision],
            DIVERGED,
            model.reaction,
            math.prod(model.shape),
        ]
    )


def stabilisations(
    model: System, u: np.ndarray, means: np.ndarray, scheme: str = "first_order"
) -> np.ndarray:
    """S of fields u (n, *shape), (n,): the largest f'' between the wells, and, of a mixture whose
    mean lies beyond them or is led there, as far as that and, in fixed steps, over all that it
    begins with: f'' of a logarithm grows without bound. Adaptive steps are short at first, and an S
    far above f'' would keep them so. A power of COVERED, so that fields share it; a function of
    each field alone.
    """
    energy, later = model.free_energy, model.relaxed(means)
    base, axes = energy.stabilisation, tuple(range(1, u.ndim))
    low, high = np.minimum(np.minimum(means, later), -1), np.maximum(np.maximum(means, later), 1)
    if scheme != "adaptive":
        low, high = np.minimum(low, u.min(axes)), np.maximum(high, u.max(axes))
    found = np.full(len(u), base)
    for i in np.flatnonzero(np.maximum(np.abs(means), np.abs(later)) > 1 + 1e-9):
        most = energy.curvature(np.linspace(low[i], high[i], SPAN)).max()
        found[i] *= COVERED ** max(0, math.ceil(math.log(most / base, COVERED)))
    return found


def fastest_growth(model: System) -> float:
    """Of any wave about any mean, 1 / tau."""
    return model.free_energy.steepest**2 / (4 * model.squared_width)


def largest_growth(model: System, means: np.ndarray) -> np.ndarray:
    """Of the waves that fit the grid, about uniform mixtures u = means (n,): 1 / tau, 0 if none
    grows.
    """
    curvature, e2 = model.free_energy.curvature(means), model.squared_width
    limit = max(0.0, float(-curvature.min()) / e2)  # k^2 of waves that may grow
    axes = [axis[: len(axis) // 2 + 1] for axis in model.squared_wave_numbers()]
    axes = [axis[axis < limit] for axis in axes]
    if not all(len(axis) for axis in axes):
        return np.zeros(len(means))
    if math.prod(len(axis) for axis in axes) > MANY_WAVES:  # the best is among them
        return np.maximum(-curvature, 0) ** 2 / (4 * e2)
    k2 = np.unique(sum(np.ix_(*axes)))[1:]
    if not len(k2):
        return np.zeros(len(means))
    return np.array([max(0.0, float((-k2 * (c + e2 * k2)).max())) for c in curvature])


def media(model: System, means: np.ndarray) -> np.ndarray:
    """Words of Medium of fields with these means (n,) of u, float64 (n, SLOPES + degree - 1).  What
    grows is asked about the mean that a reaction leads to.
    """
    energy, later = model.free_energy, model.relaxed(means)
    growth = largest_growth(model, later) * model.relative_mobility(later)
    return np.column_stack(
        [
            means,
            np.maximum(growth - model.reaction, 0),
            energy.curvature(later),
            means - later,
            energy.slopes(means, model.precision),
        ]
    )


def clocks(count: int, first: float = 0.0) -> np.ndarray:
    """Of `count` fields at their start; first: length of their first step, tau."""
    found = np.zeros(count, CLOCK)
    found["meant"], found["levels"], found["span_growing"] = first, 1, -1
    return found
