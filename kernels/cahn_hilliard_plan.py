"""A checked run of Cahn-Hilliard trajectories, and what is recorded of it: what all paths share."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.cahn_hilliard import SCHEMES, CahnHilliard, Control

FIRST_STEP, LONGEST_STEP = 1e-3, 100.0  # of the adaptive scheme, units of tau / e^2


@dataclass(frozen=True)
class Plan:
    """A run, checked: u (n, *shape) in the system's precision; looks: asked times in tau."""

    u: np.ndarray
    times: np.ndarray
    looks: np.ndarray
    keep: list[int]
    scheme: str
    control: Control
    steady_state: float
    max_steps: int


@dataclass
class Recorded:
    """fields (n, t, *shape) in the system's form; times in tau."""

    fields: np.ndarray
    steady_time: np.ndarray
    steps: np.ndarray
    diverged: np.ndarray
    time: np.ndarray

    @classmethod
    def empty(cls, plan: Plan) -> "Recorded":
        n = len(plan.u)
        fields = np.empty((n, len(plan.looks), *plan.u.shape[1:]), plan.u.dtype)
        return cls(
            fields, np.full(n, np.nan), np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n)
        )


def plan(
    model: CahnHilliard,
    fields: np.ndarray,
    times: Sequence[float],
    scheme: str,
    step: float | None,
    tolerance: float,
    steady_state: float | None,
    keep: Sequence[int] | None,
    max_steps: int,
) -> Plan:
    """ValueError, one line, on arguments that do not fit."""
    fields = np.asarray(fields)
    if fields.ndim != 1 + len(model.shape) or fields.shape[1:] != model.shape or not len(fields):
        raise ValueError(
            f"fields are {fields.shape}; they must be (n, {', '.join(map(str, model.shape))}), n at least 1"
        )
    if not np.isfinite(fields).all():
        raise ValueError("fields hold values that are not finite")
    times = np.atleast_1d(np.asarray(times, np.float64))
    if (
        times.ndim != 1
        or not len(times)
        or np.isnan(times).any()
        or times[0] < 0
        or not (times[1:] > times[:-1]).all()
    ):
        raise ValueError(f"times are {times}; they must increase from 0 on")
    if np.isinf(times[-1]) and steady_state is None:
        raise ValueError("the last time is inf, but steady_state is None: the run would never end")
    if scheme not in SCHEMES:
        raise ValueError(f"scheme is {scheme!r}; it must be one of {', '.join(SCHEMES)}")
    if (step is None) != (scheme == "adaptive") or (step is not None and not 0 < step < math.inf):
        raise ValueError(
            f"step is {step} with scheme {scheme}; it must be a positive time, and None for adaptive"
        )
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it must be between 0 and 1 (rms of u)")
    if steady_state is not None and steady_state <= 0:
        raise ValueError(f"steady_state is {steady_state}; it must be positive, or None")
    keep = list(range(len(times))) if keep is None else list(keep)
    if not keep or not all(i == int(i) and -len(times) <= i < len(times) for i in keep):
        raise ValueError(f"keep is {keep}; it must name some of the {len(times)} times, from 0")
    if scheme == "explicit":
        if model.laplacian != "finite_difference":
            raise ValueError(
                f"laplacian is {model.laplacian!r}; the explicit scheme has finite_difference only"
            )
        limit = explicit_limit(model)
        if step > limit:
            raise ValueError(
                f"step is {step:g}; the explicit scheme is unstable beyond {limit:.4g} (time)"
            )
    u = model.to_symmetric(fields.astype(np.float64)).astype(model.precision)
    steps = control(model, scheme, step, tolerance)
    fall = (
        -math.inf if steady_state is None else steady_state
    )  # F may rise within the scheme's error: that is no steady state
    return Plan(u, times, times * model.rate, keep, scheme, steps, fall, max_steps)


def control(model: CahnHilliard, scheme: str, step: float | None, tolerance: float) -> Control:
    """The rule for the steps of a scheme; step: time, None for `adaptive`."""
    unit = model.squared_width
    fixed = None if step is None else step * model.rate
    return Control(
        fixed,
        tolerance,
        fixed or FIRST_STEP * unit,
        LONGEST_STEP * unit,
        1 if scheme == "first_order" else 2,
    )


def explicit_limit(model: CahnHilliard) -> float:
    """Longest stable step of forward Euler, time: 2 / (k^2 (f'' + e^2 k^2)) at the largest k^2 of
    the stencil, f'' = 2.
    """
    largest = 4 * len(model.shape) / model.spacing**2
    return 2 / (largest * (2 + model.squared_width * largest)) / model.rate


def keep_last_good(
    model: CahnHilliard, plan: Plan, recorded: Recorded, i: int, seen: int | None = None
) -> None:
    """Field i blew up at recorded.time: from there on it is as at the last of the `seen` looks
    before, or as it started.
    """
    seen = (
        int(np.searchsorted(plan.looks, recorded.time[i], side="right")) if seen is None else seen
    )
    recorded.fields[i, seen:] = (
        recorded.fields[i, seen - 1] if seen else model.from_symmetric(plan.u[i])
    )
    recorded.time[i] = plan.looks[seen - 1] if seen else 0.0


Path = Callable[[CahnHilliard, Plan, Callable[[float], None]], Recorded]
