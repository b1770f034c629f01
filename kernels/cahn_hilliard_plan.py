"""A checked run of Cahn-Hilliard trajectories, and what is recorded of it: what all paths share."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from kernels.arguments import number, one_of, reals, seed_of, several, shown, whole
from kernels.cahn_hilliard_clock import (
    BLOWN_UP,
    ORDERS,
    STEADY,
    UNIFORM,
    UNIFORM_RMS,
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
    first; looks: asked times in tau; rule: words of cahn_hilliard_clock.h; stabilisation: S of each
    field (n,), of which rule has one; order: of the steps;
    mirrored: whether fields are those of a box with walls, mirrored, and are to stay so;
    measure: of fields on a GPU, DeviceLooks, None: on the host, later.
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


@dataclass
class Recorded:
    """fields (n, t, *shape) in the system's form; times in tau; how each field ended. numbers: what
    was measured on a GPU, (n, t, ...); of fields there are then those alone that are kept.
    """

    fields: np.ndarray
    steady_time: np.ndarray
    uniform: np.ndarray
    steps: np.ndarray
    diverged: np.ndarray
    time: np.ndarray
    numbers: dict[str, np.ndarray] = field(default_factory=dict)

    def put(self, name: str, rows, looks: slice, values: np.ndarray) -> None:
        """Numbers of the fields in `rows`, (n, ...), at all of `looks`."""
        if name not in self.numbers:
            shape = (*self.fields.shape[:2], *values.shape[1:])
            self.numbers[name] = np.zeros(shape, values.dtype)
        self.numbers[name][rows, looks] = values[:, None]

    @classmethod
    def empty(cls, plan: Plan) -> "Recorded":
        n = len(plan.v)
        fields = np.empty((n, len(plan.looks), *plan.v.shape[1:]), plan.v.dtype)
        return cls(
            fields,
            np.full(n, np.nan),
            np.zeros(n, bool),
            np.zeros(n, np.int64),
            np.zeros(n, bool),
            np.zeros(n),
        )

    def take(self, rows: np.ndarray, found: "Recorded") -> None:
        """What was recorded of the fields in `rows` by themselves."""
        for column in fields(Recorded):
            if column.name != "numbers":
                getattr(self, column.name)[rows] = getattr(found, column.name)
        for name, values in found.numbers.items():
            if name not in self.numbers:
                self.numbers[name] = np.zeros((len(self.time), *values.shape[1:]), values.dtype)
            self.numbers[name][rows] = values

    def end(self, rows, clocks: np.ndarray) -> None:
        """What the clocks of the fields in `rows` say at their end."""
        ending = clocks["ending"]
        self.time[rows], self.steps[rows] = clocks["time"], clocks["steps"]
        self.diverged[rows], self.uniform[rows] = ending == BLOWN_UP, ending == UNIFORM
        self.steady_time[rows] = np.where(
            (ending == STEADY) | (ending == UNIFORM), clocks["time"], np.nan
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
    """None at temperature 0; steps: that were made before.  ValueError, one line, on
    numbers that do not fit, used or not.
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
    keep = list(range(len(when))) if keep is None else keep
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
    the stencil, f'' = `stabilisation`, by default
    that between the wells.
    """
    largest = 4 * len(model.shape) / model.spacing**2
    if stabilisation is None:
        stabilisation = model.free_energy.stabilisation
    stiffest = stabilisation + model.squared_width * largest
    return 2 / (largest * stiffest) / model.rate


def record(model: System, plan: Plan, path: "Path", report: Callable) -> Recorded:
    """By `path`, fields of one S after the other; fields that are exactly uniform stay so, at rest
    from time 0 or as soon as a reaction has brought them to its mean, and are not run.
    """
    uniform = ~plan.v.reshape(len(plan.v), -1).any(1) & (plan.noise is None)
    groups = [
        np.flatnonzero(~uniform & (plan.stabilisation == S)) for S in np.unique(plan.stabilisation)
    ]
    if len(groups) == 1 and not uniform.any():
        return path(model, plan.of(groups[0]), report)
    recorded, done = Recorded.empty(plan), int(uniform.sum())
    if done:
        stay_uniform(model, plan, recorded, np.flatnonzero(uniform))
    for rows in groups:
        if len(rows):
            found = path(model, plan.of(rows), lambda more, done=done: report(done + more))
            recorded.take(rows, found)
            done += len(rows)
    report(len(plan.v))
    return recorded


def measure(model: System, plan: Plan, recorded: Recorded, rows, looks: slice, c) -> None:
    """Numbers of fields c (n, *shape) in `rows` at `looks`, c on the host or the GPU."""
    c = model.device.asarray(c)
    if plan.mirrored:
        c = c[(slice(None), *(slice(n // 2) for n in model.shape))]
    for name, values in plan.measure(c).items():
        recorded.put(name, rows, looks, values)


def see(model: System, plan: Plan, recorded: Recorded, i: int, looks: range, v):
    """Field i of fluctuation v (*shape), on the device, as it is at these looks. What was measured
    comes to the host, and the field where it is kept; returned where it may be asked for again.
    """
    if plan.measure is None:
        seen = plan.concentrations(model, model.device.to_host(v), [i])[0]
        recorded.fields[i, looks.start : looks.stop] = seen
        return None
    c = model.from_symmetric(v.astype(np.float64) + float(plan.media[i, 0])).astype(v.dtype)
    measure(model, plan, recorded, [i], slice(looks.start, looks.stop), c[None])
    kept = {k % len(plan.looks) for k in plan.keep}
    kept_here = [look for look in looks if look in kept]
    if kept_here:
        recorded.fields[i, kept_here] = model.device.to_host(c)
    return c


def stay_uniform(model: System, plan: Plan, recorded: Recorded, rows: np.ndarray) -> None:
    """What becomes of the fields in `rows`, which are exactly uniform."""
    mean, offset = plan.media[rows, 0], plan.media[rows, 3]
    gone = np.expm1(-model.reaction * plan.looks) if model.reaction else np.zeros(len(plan.looks))
    later = mean[:, None] + np.outer(offset, gone)
    shape = (*later.shape, *(1,) * len(model.shape))
    recorded.fields[rows] = model.from_symmetric(later).reshape(shape)
    if plan.measure is not None:
        for look in range(len(plan.looks)):
            seen = slice(look, look + 1)
            measure(model, plan, recorded, rows, seen, recorded.fields[rows, look])
    rest = np.zeros(len(mean))  # time
    moves = np.abs(offset) > UNIFORM_RMS
    rest[moves] = np.log(np.abs(offset[moves]) / UNIFORM_RMS) / model.reaction
    still = (rest <= plan.looks[-1]) & (plan.steady_state is not None)
    recorded.uniform[rows] = still | ~moves
    recorded.steady_time[rows] = np.where(still, rest, np.nan)
    recorded.time[rows] = np.where(still, rest, plan.looks[-1])


def keep_last_good(
    model: System,
    plan: Plan,
    recorded: Recorded,
    i: int,
    seen: int | None = None,
    last: np.ndarray | None = None,
) -> None:
    """Field i blew up at recorded.time: from there on it is as at the last of the `seen` looks
    before, or as it started. last: that field, where it may not have been kept.
    """
    seen = (
        int(np.searchsorted(plan.looks, recorded.time[i], side="right")) if seen is None else seen
    )
    start = plan.concentrations(model, plan.v[i], [i])[0]
    before = recorded.fields[i, seen - 1] if last is None else last
    recorded.fields[i, seen:] = before if seen else start
    recorded.time[i] = plan.looks[seen - 1] if seen else 0.0
    if plan.measure is not None and not seen:
        measure(model, plan, recorded, [i], slice(None), start[None])
    for values in recorded.numbers.values():
        values[i, seen:] = values[i, max(seen - 1, 0)]


Path = Callable[[System, Plan, Callable[[float], None]], Recorded]
