"""A checked run of Cahn-Hilliard trajectories, and what is recorded of it: what all paths share."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kernels.arguments import number, one_of, reals, seed_of, several, shown, whole
from kernels.cahn_hilliard_clock import (
    ORDERS,
    VARIABLE_ORDER,
    fastest_growth,
    media,
    rule,
    stabilisations,
)
from kernels.cahn_hilliard_system import FARTHEST, SCHEMES, System

ONE_TIME = 1e-9  # times whose relative distance is smaller are one
# growth times of the fastest wave: no step is longer; one that is warned of
LONGEST, LONG = 10_000, 10
THIRD_ORDER_STEP = 1.0  # tau / e^2, beyond which steps of third order may be unstable
SMALLEST_TOLERANCE = {"float32": 3e-6, "float64": 1e-13}
FAR = 1.5  # u beyond the wells that is warned of


@dataclass(frozen=True)
class Noise:
    """Of a mixture at a temperature: energy (k_B = 1); seed; identity of each field, (n,); steps
    that were made before.
    """

    temperature: float
    seed: int
    index: np.ndarray
    steps: int


@dataclass(frozen=True)
class Plan:
    """A run, checked: v = u - mean (n, *shape) in the system's precision; media (n, words), mean
    first; looks: asked times in tau; keep: numbers of those whose fields are kept, from 0; rule:
    words of cahn_hilliard_clock.h; stabilisation: S of each field (n,), of which rule has one;
    order: of the steps; mirrored: whether fields are those of a box with walls, mirrored, and are
    to stay so; measure: of fields on a GPU, DeviceLooks, None: on the host, later.
    """

    v: np.ndarray
    media: np.ndarray
    times: np.ndarray
    looks: np.ndarray
    keep: list[int]
    scheme: str
    rule: np.ndarray
    stabilisation: np.ndarray
    step: float | None
    steady_state: float | None
    max_steps: int
    order: int
    noise: Noise | None = None
    mirrored: bool = False
    measure: Callable | None = None

    @property
    def adaptive(self) -> bool:
        return self.scheme == "adaptive"

    def concentrations(self, model: System, v, rows=slice(None)) -> np.ndarray:
        """c of fluctuations v of the fields in `rows`, in their precision."""
        mean = self.media[rows, 0].reshape(-1, *(1,) * len(model.shape))
        return model.from_symmetric(np.asarray(v, np.float64) + mean).astype(model.precision)

    def of(self, rows: np.ndarray) -> "Plan":
        """The plan of some fields alone, whose S is one."""
        noise = self.noise and replace(self.noise, index=self.noise.index[rows])
        words, stabilisation = self.rule.copy(), self.stabilisation[rows]
        words[1] = stabilisation[0]
        return replace(
            self,
            v=self.v[rows],
            media=self.media[rows],
            rule=words,
            stabilisation=stabilisation,
            noise=noise,
        )


def batch(model: System, fields) -> np.ndarray:
    """Fields (n, *shape); one field (*shape) is a batch of one.  ValueError on another shape."""
    fields = reals("fields", fields)
    if fields.shape == model.shape:
        fields = fields[None]
    if fields.ndim != 1 + len(model.shape) or fields.shape[1:] != model.shape or not len(fields):
        raise ValueError(
            f"fields are {fields.shape}; they must be (n, {', '.join(map(str, model.shape))}), n at least 1"
        )
    return fields


def noise_of(model: System, count: int, temperature, seed, index, steps: int = 0) -> Noise | None:
    """None at temperature 0; steps: that were made before.  ValueError, one line, on numbers that
    do not fit, used or not.
    """
    temperature = number("temperature", temperature, 0, units="energy")
    if seed is not None:
        seed_of(seed)
    if index is not None:
        index = np.array([seed_of(n, "index") for n in several("index", index, "whole numbers")])
    if not temperature:
        return None
    if seed is None:
        raise ValueError("seed is None; noise takes one, and another for other noise")
    if model.variable_mobility is not None:
        raise ValueError("temperature is above 0; noise is there for a constant mobility alone")
    index = np.arange(count) if index is None else index
    if len(index) != count or (index >= 1 << 56).any():
        raise ValueError(f"index must be {count} whole numbers below 2^56, one for each field")
    return Noise(temperature, seed_of(seed), index.astype(np.uint64), steps)


def plan(
    model: System,
    fields: np.ndarray,
    times: Sequence[float],
    scheme: str,
    step: float | None,
    tolerance: float,
    steady_state: float | None,
    keep: Sequence[int] | None,
    max_steps: int,
    noise: Noise | None = None,
) -> Plan:
    """ValueError, one line, on arguments that do not fit."""
    u = model.to_symmetric(fields)
    check_range(model, fields, u)
    when = np.atleast_1d(reals("times", times, "time", endless=True))
    if when.ndim != 1 or not len(when) or when[0] < 0 or not (when[1:] > when[:-1]).all():
        raise ValueError(f"times are {shown(times)}; they must increase from 0 on")
    if noise is not None and (scheme != "first_order" or steady_state is not None):
        raise ValueError(
            f"temperature is {noise.temperature:g}; noise goes with scheme='first_order', a step of your "
            f"choice and steady_state=None, not with {scheme} and {steady_state}"
        )
    if model.variable_mobility is not None and scheme in ("third_order", "explicit"):
        raise ValueError(
            f"scheme is {scheme}; a mobility that depends on c has adaptive, first_order and second_order"
        )
    if model.reaction_rate and scheme == "explicit":
        raise ValueError("scheme is explicit; a reaction has the others: take adaptive")
    if np.isinf(when[-1]) and steady_state is None:
        raise ValueError("the last time is inf, but steady_state is None: the run would never end")
    one_of("scheme", scheme, SCHEMES)
    max_steps = whole("max_steps", max_steps, 1)
    tolerance = number("tolerance", tolerance)
    step = None if step is None else number("step", step, above=0, units="time")
    if steady_state is not None:
        steady_state = number("steady_state", steady_state, above=0)
    if (step is None) != (scheme == "adaptive"):
        raise ValueError(
            f"step is {step} with scheme {scheme}; it must be a positive time, and None for adaptive"
        )
    if not 0 < tolerance < 1:
        raise ValueError(
            f"tolerance is {tolerance}; it must be between 0 and 1 (relative to the fluctuation)"
        )
    if scheme == "adaptive" and tolerance < SMALLEST_TOLERANCE[model.precision]:
        raise ValueError(
            f"tolerance is {tolerance:g}; {model.precision} rounds a step by more: take at least "
            f"{SMALLEST_TOLERANCE[model.precision]:g}"
            + (", or precision='float64'" if model.precision == "float32" else "")
        )
    if keep is not None:
        some = f"numbers of the {len(when)} times, from 0"
        keep = [whole("keep", i, units=some) for i in several("keep", keep, some)]
        if not keep or not all(-len(when) <= i < len(when) for i in keep):
            raise ValueError(f"keep is {shown(keep)}; it must be a list of {some}")
    keep = list(range(len(when))) if keep is None else [i % len(when) for i in keep]
    axes = tuple(range(1, u.ndim))
    mean = u.mean(axes, keepdims=True)
    stabilisation = stabilisations(model, u, mean.ravel(), scheme)
    if step is not None:
        check_step(model, scheme, step, stabilisation.max())
    v = np.where(np.ptp(u, axes, keepdims=True) > 0, u - mean, 0.0)  # the mean itself is rounded
    looks = when * model.rate
    for i in range(1, len(looks)):
        if np.isfinite(looks[i]) and looks[i] - looks[i - 1] < ONE_TIME * looks[i]:
            looks[i] = looks[i - 1]
    return Plan(
        np.ascontiguousarray(v, model.precision),
        media(model, mean.ravel()),
        when,
        looks,
        keep,
        scheme,
        rule(model, scheme, step, tolerance, steady_state),
        stabilisation,
        None if step is None else step * model.rate,
        steady_state,
        max_steps,
        min(ORDERS[scheme], VARIABLE_ORDER) if model.variable_mobility else ORDERS[scheme],
        noise,
    )


def check_range(model: System, fields: np.ndarray, u: np.ndarray) -> None:
    """ValueError on concentrations that no mixture has; a warning on those far beyond the wells."""
    low, high = model.free_energy.wells
    text = (
        f"concentrations are {fields.min():g} to {fields.max():g}; expected about {low:g} to {high:g}, "
        "the wells of this free energy"
    )
    if np.abs(u).max() > FARTHEST:
        raise ValueError(f"{text}: rescale the fields, or give the model their wells")
    if np.abs(u).max() > FAR:
        warnings.warn(text, stacklevel=6)


def check_step(model: System, scheme: str, step: float, stabilisation: float) -> None:
    """ValueError on a fixed step that cannot be right; a warning on one that hardly can."""
    if scheme == "explicit":
        if model.laplacian != "finite_difference":
            raise ValueError(
                f"laplacian is {model.laplacian!r}; the explicit scheme has finite_difference only"
            )
        limit, why = explicit_limit(model, stabilisation), "the explicit scheme is unstable beyond"
    elif scheme == "third_order":
        share = (model.free_energy.stabilisation / stabilisation) ** 2
        limit = THIRD_ORDER_STEP * share * model.squared_width / model.rate
        why = "the scheme third_order is unstable beyond"
    else:
        limit = LONGEST / fastest_growth(model) / model.rate
        why = f"the result means nothing beyond {LONGEST} growth times of the fastest wave,"
    if step > limit:
        raise ValueError(f"step is {step:g}; {why} {limit:.4g} (time); or take scheme='adaptive'")
    growth = 1 / fastest_growth(model) / model.rate
    if step > LONG * growth:
        warnings.warn(
            f"step = {step:g} is {step / growth:.0f} growth times of the fastest wave ({growth:.3g}): "
            "what grows first is decided by the step; take a shorter one, or scheme='adaptive'",
            stacklevel=6,
        )


def explicit_limit(model: System, stabilisation: float | None = None) -> float:
    """Longest stable step of forward Euler, time: 2 / (k^2 (f'' + e^2 k^2)) at the largest k^2 of
    the stencil, f'' = `stabilisation`, by default that between the wells.
    """
    largest = 4 * len(model.shape) / model.spacing**2
    if stabilisation is None:
        stabilisation = model.free_energy.stabilisation
    stiffest = stabilisation + model.squared_width * largest
    return 2 / (largest * stiffest) / model.rate
