"""What is recorded of Cahn-Hilliard trajectories on their way."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np

from kernels.cahn_hilliard_clock import BLOWN_UP, STEADY, UNIFORM, UNIFORM_RMS
from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_system import System


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
    comes to the host, and the field where it is kept. Returned: what keep_last_good may ask for.
    """
    if plan.measure is None:
        seen = plan.concentrations(model, model.device.to_host(v), [i])[0]
        recorded.fields[i, looks.start : looks.stop] = seen
        return None
    c = model.from_symmetric(v.astype(np.float64) + float(plan.media[i, 0])).astype(v.dtype)
    measure(model, plan, recorded, [i], slice(looks.start, looks.stop), c[None])
    kept = [look for look in looks if look in plan.keep]
    if kept:
        recorded.fields[i, kept] = model.device.to_host(c)
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
    last=None,
) -> None:
    """Field i blew up at recorded.time: from there on it is as at the last of the `seen` looks
    before, or as it started. last: that field, on the device, where it may not have been kept.
    """
    seen = (
        int(np.searchsorted(plan.looks, recorded.time[i], side="right")) if seen is None else seen
    )
    start = plan.concentrations(model, plan.v[i], [i])[0]
    before = recorded.fields[i, seen - 1] if last is None else model.device.to_host(last)
    recorded.fields[i, seen:] = before if seen else start
    recorded.time[i] = plan.looks[seen - 1] if seen else 0.0
    if plan.measure is not None and not seen:
        measure(model, plan, recorded, [i], slice(None), start[None])
    for values in recorded.numbers.values():
        values[i, seen:] = values[i, max(seen - 1, 0)]


Path = Callable[[System, Plan, Callable[[float], None]], Recorded]
