"""The ways to run Cahn-Hilliard trajectories: which one serves a system, and the one by plain FFTs, which serves them all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kernels.cahn_hilliard import DIVERGED, SCHEMES, STABILISATION, CahnHilliard, Control

FIRST_STEP, LONGEST_STEP = 1e-3, 100.0  # of the adaptive scheme, units of tau / e^2
LINE_FACTORS = {32: (4, 8), 64: (8, 8), 128: (8, 16)}  # Factors of line_fft.h
FUSED_SIZES = {"cpu": (32, 64, 128), "gpu": (32, 64)}
BOX_SIZES = (32, 64, 128)
BOX_STEPS = 200  # steps of a box in one launch
LOOK_STEPS = 64  # explicit steps between two looks at size and free energy
LAUNCH_PAIRS = 16  # pairs a lane in one launch: progress shows, and few lanes idle at its end
MEMORY = 1 << 28  # cells advanced together


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
        return cls(fields, np.full(n, np.nan), np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n))


def plan(model: CahnHilliard, fields: np.ndarray, times: Sequence[float], scheme: str, step: float | None, tolerance: float,
         steady_state: float | None, keep: Sequence[int] | None, max_steps: int) -> Plan:
    """ValueError, one line, on arguments that do not fit."""
    fields = np.asarray(fields)
    if fields.ndim != 1 + len(model.shape) or fields.shape[1:] != model.shape or not len(fields):
        raise ValueError(f"fields are {fields.shape}; they must be (n, {', '.join(map(str, model.shape))}), n at least 1")
    if not np.isfinite(fields).all():
        raise ValueError("fields hold values that are not finite")
    times = np.atleast_1d(np.asarray(times, np.float64))
    if times.ndim != 1 or not len(times) or np.isnan(times).any() or times[0] < 0 or not (times[1:] > times[:-1]).all():
        raise ValueError(f"times are {times}; they must increase from 0 on")
    if np.isinf(times[-1]) and steady_state is None:
        raise ValueError("the last time is inf, but steady_state is None: the run would never end")
    if scheme not in SCHEMES:
        raise ValueError(f"scheme is {scheme!r}; it must be one of {', '.join(SCHEMES)}")
    if (step is None) != (scheme == "adaptive") or (step is not None and not 0 < step < math.inf):
        raise ValueError(f"step is {step} with scheme {scheme}; it must be a positive time, and None for adaptive")
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it must be between 0 and 1 (rms of u)")
    if steady_state is not None and steady_state <= 0:
        raise ValueError(f"steady_state is {steady_state}; it must be positive, or None")
    keep = list(range(len(times))) if keep is None else list(keep)
    if not keep or not all(i == int(i) and -len(times) <= i < len(times) for i in keep):
        raise ValueError(f"keep is {keep}; it must name some of the {len(times)} times, from 0")
    if scheme == "explicit":
        if model.laplacian != "finite_difference":
            raise ValueError(f"laplacian is {model.laplacian!r}; the explicit scheme has finite_difference only")
        limit = explicit_limit(model)
        if step > limit:
            raise ValueError(f"step is {step:g}; the explicit scheme is unstable beyond {limit:.4g} (time)")
    unit = model.squared_width
    fixed = None if step is None else step * model.rate
    control = Control(fixed, tolerance, fixed or FIRST_STEP * unit, LONGEST_STEP * unit, 1 if scheme == "first_order" else 2)
    u = model.to_symmetric(fields.astype(np.float64)).astype(model.precision)
    return Plan(u, times, times * model.rate, keep, scheme, control, steady_state or 0.0, max_steps)


def explicit_limit(model: CahnHilliard) -> float:
    """Longest stable step of forward Euler, time: 2 / (k^2 (f'' + e^2 k^2)) at the largest k^2 of the stencil, f'' = 2."""
    largest = 4 * len(model.shape) / model.spacing**2
    return 2 / (largest * (2 + model.squared_width * largest)) / model.rate


Path = Callable[[CahnHilliard, Plan, Callable[[float], None]], Recorded]


def choose(model: CahnHilliard, scheme: str) -> Path:
    """The fastest path that serves this system."""
    if scheme == "explicit":
        return explicit
    kind, size, equal = model.device.kind, model.shape[0], len(set(model.shape)) == 1
    chip = 4 * size**2 * np.dtype(model.precision).itemsize  # of a pair's field, twice
    if len(model.shape) == 2 and equal and size in FUSED_SIZES[kind] and (kind == "cpu" or chip <= model.device.shared_bytes):
        return fused
    if len(model.shape) == 3 and equal and size in BOX_SIZES and kind == "cpu":
        return fused_box
    return by_fft


def line_order(size: int) -> np.ndarray:
    """Wave number index, 0..size-1, of each place of a transformed line (line_fft.h)."""
    a, b = LINE_FACTORS[size]
    return np.add.outer(np.arange(a), a * np.arange(b)).ravel()


def turns(size: int) -> np.ndarray:
    """Cosine and sine of the twist between the two halves of a line's transform, (2, size)."""
    a, b = LINE_FACTORS[size]
    phase = 2 * np.pi / size * np.outer(np.arange(a), np.arange(b)).ravel()
    return np.stack([np.cos(phase), np.sin(phase)])


def fused(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard.cu: pairs of samples, their fields on the chip from the first step to the last."""
    device, size, dtype = model.device, model.shape[0], np.dtype(model.precision)
    module = device.module("cahn_hilliard.cu", compiled_for(model, plan))
    recorded = Recorded.empty(plan)
    symbol, twist = device.asarray(model.wave_numbers()[0][line_order(size)], dtype), device.asarray(turns(size), dtype)
    at_start = int(plan.looks[0] == 0)
    looks = device.asarray(plan.looks[at_start:], np.float64)
    recorded.fields[:, :at_start] = model.from_symmetric(plan.u)[:, None]
    if not len(looks):
        return recorded
    parameters = device.asarray(control_words(model, plan), np.float64)
    if device.kind == "cpu":
        lanes = max(2, device.lanes * 4 // dtype.itemsize)
        batch, scratch = LAUNCH_PAIRS * lanes * device.workers, device.zeros((device.workers, 10 * size * (size + 1) * lanes), dtype)
    else:
        batch, scratch = LAUNCH_PAIRS * 64 * device.processors, None
    for first in range(0, len(plan.u), 2 * batch):
        u = plan.u[first : first + 2 * batch]
        n, pairs = len(u), -(-len(u) // 2)
        start = device.asarray(np.concatenate([u, u[-1:]]) if n % 2 else u)  # the last one is its own partner
        fields = device.zeros((2 * pairs, len(looks), size, size), dtype)
        steady = device.asarray(np.full(2 * pairs, np.nan))
        time, steps, diverged = device.zeros(2 * pairs, np.float64), device.zeros(2 * pairs, np.int32), device.zeros(2 * pairs, np.int32)
        blocks = min(device.workers, -(-pairs // lanes)) if device.kind == "cpu" else pairs
        module.launch("separate", blocks, [
            start, fields, looks, np.int32(len(looks)), symbol, twist, parameters, scratch, steady, time, steps, diverged,
            np.int32(pairs), np.int32(min(plan.max_steps, 2**31 - 1)), device.zeros(1, np.int32)],
            threads=8 * size, shared_bytes=0 if device.kind == "cpu" else 4 * size**2 * dtype.itemsize)  # fmt: skip
        part = slice(first, first + n)
        recorded.fields[part, at_start:] = model.from_symmetric(device.to_host(fields)[:n])
        recorded.steady_time[part], recorded.time[part] = device.to_host(steady)[:n], device.to_host(time)[:n]
        recorded.steps[part], recorded.diverged[part] = device.to_host(steps)[:n], device.to_host(diverged)[:n] != 0
        blown = np.flatnonzero(recorded.diverged[part]) + first
        if len(blown):  # a pair ends together: apart, each tells its own story
            apart = by_fft(model, replace(plan, u=plan.u[blown]), lambda done: None)
            for name in ("fields", "steady_time", "steps", "diverged", "time"):
                getattr(recorded, name)[blown] = getattr(apart, name)
        progress(first + n)
    return recorded


def compiled_for(model: CahnHilliard, plan: Plan) -> dict:
    """Compile-time constants of the fused kernels."""
    real = "float" if model.precision == "float32" else "double"
    return dict(SIZE=model.shape[0], REAL=real, ORDER=plan.control.order, ADAPTIVE=int(plan.scheme == "adaptive"))


def control_words(model: CahnHilliard, plan: Plan) -> list[float]:
    """Parameters of cahn_hilliard_step.h."""
    c = plan.control
    return [model.squared_width, STABILISATION, c.fixed or 0.0, c.tolerance, c.first, c.longest, c.SAFETY, c.SHRINK, c.GROW, c.REGROW,
            plan.steady_state, DIVERGED]  # fmt: skip


def keep_last_good(model: CahnHilliard, plan: Plan, recorded: Recorded, i: int, seen: int | None = None) -> None:
    """Field i blew up at recorded.time: from there on it is as at the last of the `seen` looks before, or as it started."""
    seen = int(np.searchsorted(plan.looks, recorded.time[i], side="right")) if seen is None else seen
    recorded.fields[i, seen:] = recorded.fields[i, seen - 1] if seen else model.from_symmetric(plan.u[i])
    recorded.time[i] = plan.looks[seen - 1] if seen else 0.0


def fused_box(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard_box.cpp: one field at a time, all workers on it."""
    device, size, dtype = model.device, model.shape[0], np.dtype(model.precision)
    lanes, workers = max(2, device.lanes * 4 // dtype.itemsize), device.workers
    module = device.module("cahn_hilliard_box.cpp", compiled_for(model, plan))
    recorded = Recorded.empty(plan)
    place, plane_symbol, weight = (device.asarray(a) for a in pairs_of_lines(model, lanes))
    groups, tiles, pitch = len(weight), size // 2 // lanes, size + 1
    field = device.zeros((tiles, size, pitch, 2, lanes), dtype)
    u = field[:, :, :size].transpose(3, 0, 4, 1, 2)  # half, tile, lane: x; then y and z
    states = [device.zeros((groups if n == 0 or plan.control.order == 2 else 1, size, 2, lanes), dtype) for n in range(3)]
    symbol, twist = device.asarray(model.wave_numbers()[0][line_order(size)], dtype), device.asarray(turns(size), dtype)
    parameters, until = device.asarray(control_words(model, plan), np.float64), np.zeros(1)
    partial, clock = device.zeros((groups, 3), np.float64), np.zeros(6)
    barriers = device.zeros(2 * (1 + workers), np.int32)

    def launch(mode: int, most_steps: int) -> None:
        arguments = [field, *states, place, symbol, plane_symbol, weight, twist, parameters, partial, clock, barriers, until]
        module.launch("separate_box", workers, [*arguments, np.int32(mode), np.int32(most_steps), np.int32(workers)])

    START, GO_ON, FROM_REAL, TO_REAL = 0, 1, 2, 3
    for i in range(len(plan.u)):
        u[...] = plan.u[i].reshape(2, tiles, lanes, size, size)
        clock[:], until[0] = 0, 0
        launch(START, 0)
        mode = GO_ON
        for look, time in enumerate(plan.looks):
            until[0] = time
            while clock[0] < time and not clock[4:].any() and clock[3] < plan.max_steps:
                launch(mode, int(min(BOX_STEPS, plan.max_steps - clock[3])))
                mode = GO_ON
                progress(i + min(0.99, clock[0] / plan.looks[-1]))
            if clock[5]:
                break
            if mode == GO_ON:
                launch(TO_REAL, 0)
                mode = FROM_REAL
            recorded.fields[i, look] = model.from_symmetric(u.reshape(model.shape))
        recorded.time[i], recorded.steps[i], recorded.diverged[i] = clock[0], clock[3], clock[5] != 0
        recorded.steady_time[i] = clock[0] if clock[4] else np.nan
        if clock[5]:
            keep_last_good(model, plan, recorded, i)
        progress(i + 1)
    return recorded


def explicit(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard_explicit.cu: all fields together, one step for all; steady states are noticed every LOOK_STEPS steps."""
    device, dtype, dimensions = model.device, np.dtype(model.precision), len(model.shape)
    nx, ny, nz = (1,) * (3 - dimensions) + model.shape
    module = device.module("cahn_hilliard_explicit.cu", dict(DIMENSIONS=dimensions, NX=nx, NY=ny, NZ=nz,
                                                             REAL="float" if dtype == np.float32 else "double"))  # fmt: skip
    recorded = Recorded.empty(plan)
    count, axes = len(plan.u), tuple(range(1, 1 + dimensions))
    planes = count * nx
    blocks = min(device.workers, planes) if device.kind == "cpu" else planes
    u = device.asarray(plan.u)
    mu = device.zeros(u.shape, dtype)

    def steps(dt: float, number: int) -> None:
        numbers = device.asarray([model.squared_width / model.spacing**2, dt / model.spacing**2], dtype)
        for _ in range(number):
            module.launch("chemical_potential", blocks, [u, mu, numbers, np.int32(planes), np.int32(blocks)], threads=min(256, nz))
            module.launch("forward_euler", blocks, [u, mu, numbers, np.int32(planes), np.int32(blocks)], threads=min(256, nz))

    time, taken, look, going = 0.0, 0, 0, np.ones(count, bool)
    while True:
        while look < len(plan.looks) and time >= plan.looks[look]:
            recorded.fields[going, look] = model.from_symmetric(device.to_host(u)[going])
            look += 1
        if look == len(plan.looks) or not going.any() or taken >= plan.max_steps:
            break
        whole = int(min(LOOK_STEPS, (plan.looks[look] - time) / plan.control.fixed, plan.max_steps - taken))
        dt, number = (plan.control.fixed, whole) if whole else (plan.looks[look] - time, 1)
        steps(dt, number)
        taken += number
        time += dt * number
        if plan.looks[look] - time < 1e-9 * plan.control.fixed:
            time = plan.looks[look]
        recorded.steps[going], recorded.time[going] = taken, time
        size = np.sqrt((device.to_host(u).astype(np.float64) ** 2).mean(axes))
        gradient = sum(((mu - (np if device.kind == "cpu" else device.cupy).roll(mu, 1, axis)) ** 2).mean(axes) for axis in axes)
        falls = device.to_host(gradient) / model.spacing**2
        for i in np.flatnonzero(going & ~(size < DIVERGED)):
            recorded.diverged[i], going[i] = True, False
            keep_last_good(model, plan, recorded, i, seen=look)
        for i in np.flatnonzero(going & (falls < plan.steady_state)):
            recorded.fields[i, look:] = model.from_symmetric(device.to_host(u[i]))
            recorded.steady_time[i], going[i] = time, False
        progress(float((~going).sum() + going.sum() * min(1.0, time / plan.looks[-1])))
    recorded.fields[going, look:] = model.from_symmetric(device.to_host(u)[going])[:, None]  # max_steps
    return recorded


def pairs_of_lines(model: CahnHilliard, lanes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (k, -k) of k = (ky, kz), in groups of `lanes`: places in a tile, int32 (groups, 2, lanes); k^2 along y and z and
    weight in a sum over all k, (groups, lanes). The last group is filled up with its last pair at weight 0."""
    size = model.shape[0]
    order = line_order(size)
    place_of = np.argsort(order)
    mirror = place_of[-order % size]
    y, z = (a.ravel() for a in np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    plus, minus = y * (size + 1) + z, mirror[y] * (size + 1) + mirror[z]
    kept = plus <= minus
    y, z, plus, minus = y[kept], z[kept], plus[kept], minus[kept]
    # pairs that are neighbours in memory share a group
    weight = np.where(plus == minus, 1.0, 2.0)
    k2 = model.wave_numbers()[1][order][y] + model.wave_numbers()[2][order][z]
    fill = -len(plus) % lanes
    plus, minus, k2 = (np.concatenate([a, np.repeat(a[-1:], fill)]).reshape(-1, lanes) for a in (plus, minus, k2))
    weight = np.concatenate([weight, np.zeros(fill)]).reshape(-1, lanes)
    return np.stack([plus, minus], 1).astype(np.int32), k2.astype(model.precision), weight.astype(model.precision)


def by_fft(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """scipy.fft on a CPU (all workers), cuFFT on a GPU; each field has its own step."""
    recorded = Recorded.empty(plan)
    batch = max(1, MEMORY // math.prod(model.shape))
    for first in range(0, len(plan.u), batch):
        _run_batch(model, plan, slice(first, first + batch), recorded, progress)
    return recorded


class Fft:
    """Transforms of a batch over its last axes; `symbol`: k^2 of each coefficient, `weight`: how often it counts in a sum over all k."""

    def __init__(self, model: CahnHilliard):
        device = model.device
        self.gpu = device.kind == "gpu"
        if self.gpu:
            self.xp, self.library, self.more = device.cupy, device.cupy.fft, {}
        else:
            import scipy.fft

            self.xp, self.library, self.more = np, scipy.fft, {"workers": device.workers}
        self.shape, self.axes = model.shape, tuple(range(1, 1 + len(model.shape)))
        waves = model.wave_numbers()
        half = self.shape[-1] // 2 + 1
        waves[-1] = waves[-1][:half]
        symbol = sum(np.ix_(*waves))
        weight = np.full(half, 2.0)
        weight[[0, -1]] = 1.0
        self.symbol = self.xp.asarray(symbol[None], model.precision)
        self.weight = self.xp.asarray(weight, model.precision)
        self.cells = math.prod(self.shape)

    def forward(self, u):
        return self.library.rfftn(u, axes=self.axes, **self.more)

    def inverse(self, coefficients):
        return self.library.irfftn(coefficients, s=self.shape, axes=self.axes, **self.more)

    def mean(self, product):
        """Mean over space, of a product of two coefficients: (n,), float64 on the host."""
        total = (product * self.weight).sum(self.axes) / float(self.cells) ** 2
        return total.astype(np.float64) if not self.gpu else self.xp.asnumpy(total).astype(np.float64)


def _run_batch(model: CahnHilliard, plan: Plan, rows: slice, recorded: Recorded, progress) -> None:
    fft = Fft(model)
    xp, dtype, control, looks = fft.xp, np.dtype(model.precision), plan.control, plan.looks
    host = xp.asnumpy if fft.gpu else np.asarray
    column = (-1,) + (1,) * len(model.shape)
    active = np.arange(len(plan.u))[rows]
    n = len(active)
    now = fft.forward(xp.asarray(plan.u[rows]))
    before, nonlinear_before = now, xp.zeros_like(now)
    look = np.zeros(n, int)
    time, used, step = np.zeros(n), np.zeros(n), np.full(n, control.first)
    k2, e2, S = fft.symbol, model.squared_width, STABILISATION
    zero = (slice(None),) + (0,) * len(model.shape)
    u = fft.inverse(now)
    while True:
        # look at those that have arrived; those with no look left are through
        arrived = (look < len(looks)) & (time >= looks[np.minimum(look, len(looks) - 1)])
        for i in np.flatnonzero(arrived):
            recorded.fields[active[i], look[i]] = model.from_symmetric(host(u[i]))
        look[arrived] += 1
        going = look < len(looks)
        if not going.all():
            progress(rows.start + n - int(going.sum()))
            keep = np.flatnonzero(going)
            active, look, time, used, step = (a[keep] for a in (active, look, time, used, step))
            if not len(active):
                return
            keep = xp.asarray(keep)
            now, before, nonlinear_before, u = now[keep], before[keep], nonlinear_before[keep], u[keep]
        meant, step = step, control.land(step, looks[look] - time)
        ratio = np.where(used > 0, step / np.where(used > 0, used, 1), 0.0) if control.order == 2 else np.zeros_like(step)
        w, dt = (xp.asarray(a.reshape(column), dtype) for a in (ratio, step))
        nonlinear = fft.forward(u * (u * u - 1))
        w1 = 1 + w
        guess = w1 * now - w * before
        slope = w1 * nonlinear - w * nonlinear_before - S * guess
        denominator = 1 / ((1 + 2 * w) / w1 + dt * k2 * (e2 * k2 + S))
        later = (w1 * now - w * w / w1 * before - dt * k2 * slope) * denominator
        later[zero] = now[zero]  # mass, to the last bit
        error = np.sqrt(fft.mean(xp.abs(dt * k2 * S * denominator * (later - guess)) ** 2))
        potential = nonlinear + e2 * k2 * now
        falls = fft.mean((xp.conj(potential) * (now - later)).real) / step
        size = np.sqrt(fft.mean(xp.abs(later) ** 2))
        u_later = fft.inverse(later)
        recorded.steps[active] += 1
        bad = ~(size < DIVERGED)
        last = bad | (falls < plan.steady_state) | (recorded.steps[active] >= plan.max_steps)
        time = np.where(bad, time, np.where(step >= looks[look] - time, looks[look], time + step))
        recorded.time[active] = time
        for i in np.flatnonzero(last):
            recorded.diverged[active[i]] = bad[i]
            if not bad[i] and falls[i] < plan.steady_state:
                recorded.steady_time[active[i]] = time[i]
            if bad[i]:
                keep_last_good(model, plan, recorded, active[i])
            else:
                recorded.fields[active[i], look[i] :] = model.from_symmetric(host(u_later[i]))
            look[i] = len(looks)
        before, now, nonlinear_before, u = now, later, nonlinear, u_later
        used, step = step, control.next(step, error, meant)
