"""Cahn-Hilliard by forward Euler with finite differences: cahn_hilliard_explicit.cu."""

from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard_clock import BLOWN_UP, SLOPES
from kernels.cahn_hilliard_fft import Fft, box
from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_record import Recorded, keep_last_good, see
from kernels.cahn_hilliard_spectrum import SpectrumStep
from kernels.cahn_hilliard_system import DIVERGED, System

CELLS_A_THREAD = 1 << 18  # a launch of fewer takes less time than waking another thread
LOOK_STEPS = 64  # explicit steps between two looks at size and free energy


def module_of(model: System):
    """The kernels, for this system."""
    nx, ny, nz = (1,) * (3 - len(model.shape)) + model.shape
    return model.device.module(
        "cahn_hilliard_explicit.cu",
        dict(
            DIMENSIONS=len(model.shape),
            NX=nx,
            NY=ny,
            NZ=nz,
            REAL="float" if model.precision == "float32" else "double",
            **model.free_energy.compiled,
        ),
    )


def threads_worth_waking(workers: int, rows: int, row: int) -> int:
    """Of a CPU's `workers` for so many rows of `row` cells; a step is two launches."""
    return max(1, min(workers, rows, rows * row // CELLS_A_THREAD))


def explicit(model: System, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard_explicit.cu: all fields together, one step for all; whether they are at rest is
    asked every LOOK_STEPS steps, by the rule of cahn_hilliard_clock.h.
    """
    device, dtype, dimensions = model.device, np.dtype(model.precision), len(model.shape)
    xp = np if device.kind == "cpu" else device.cupy
    nx, ny, nz = (1,) * (3 - dimensions) + model.shape
    module = module_of(model)
    recorded = Recorded.empty(plan)
    count, axes = len(plan.v), tuple(range(1, 1 + dimensions))
    rows = count * nx * ny
    blocks = threads_worth_waking(device.workers, rows, nz) if device.kind == "cpu" else rows
    v, slopes = device.asarray(plan.v), device.asarray(plan.media[:, SLOPES:], dtype)
    mu = device.zeros(v.shape, dtype)
    watch, fft = SpectrumStep(model, plan.rule, plan.media, 1, False), Fft(model)

    def steps(dt: float, number: int) -> None:
        numbers = device.asarray(
            [model.squared_width / model.spacing**2, dt / model.spacing**2], dtype
        )
        arrays = dict(u=v, mu=mu, numbers=numbers, rows=rows, blocks=blocks)
        for _ in range(number):
            module.launch(
                "chemical_potential",
                blocks,
                threads=min(256, nz),
                slopes=slopes,
                **arrays,
            )
            module.launch(
                "forward_euler",
                blocks,
                threads=min(256, nz),
                **arrays,
            )

    half = model.shape[-1] // 2 + 1
    k2 = xp.asarray(sum(np.ix_(*model.squared_wave_numbers()))[..., :half])
    curvature = xp.asarray(plan.media[:, 2]).reshape(-1, *(1,) * dimensions)
    counts = np.full(half, 2.0)  # of a wave and its mirror image
    counts[[0, -1]] = 1
    weight = xp.asarray(counts) * (model.squared_width * k2 + curvature < 0)

    def growing() -> np.ndarray:
        """Mean over space of the square of the waves that grow about the mean."""
        power = (abs(fft.forward(v)) ** 2 * weight).sum(axes)
        return device.to_host(power) / float(np.prod(model.shape)) ** 2

    time, taken, look, going, last = 0.0, 0, 0, np.ones(count, bool), {}
    while True:
        while look < len(plan.looks) and time >= plan.looks[look]:
            for i in np.flatnonzero(going):
                last[i] = see(model, plan, recorded, i, range(look, look + 1), v[i])
            look += 1
        if look == len(plan.looks) or not going.any() or taken >= plan.max_steps:
            break
        remaining = plan.looks[look] - time
        whole = int(min(LOOK_STEPS, remaining / plan.step * (1 + 1e-9), plan.max_steps - taken))
        dt, number = (plan.step, whole) if whole else (remaining, 1)
        steps(dt, number)
        if plan.mirrored:
            v[...] = box(v, model.shape, xp)
        taken += number
        time += dt * number
        if plan.looks[look] - time < 1e-6 * plan.step:
            time = plan.looks[look]
        recorded.steps[going], recorded.time[going] = taken, time
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # a field that has blown up is found here
            size = device.to_host((v * v).mean(axes))
            gradient = sum(((mu - xp.roll(mu, 1, axis)) ** 2).mean(axes) for axis in axes)
        falls = device.to_host(gradient) / model.spacing**2 * (dt * number)
        bad = ~(size < DIVERGED**2)
        waves = growing() if plan.steady_state else np.zeros(count)
        watch.begin(np.full(count, np.inf))
        watch.lengths[...] = dt * number
        totals = np.stack([np.zeros(count), falls, size, waves], 1)
        clock = watch.end(np.where(bad[:, None], 0.0, totals))
        for i in np.flatnonzero(going & bad):
            recorded.diverged[i], going[i] = True, False
            keep_last_good(model, plan, recorded, i, seen=look, last=last.get(i))
        for i in np.flatnonzero(going & (clock["ending"] != 0) & (clock["ending"] != BLOWN_UP)):
            clock["time"], clock["steps"] = time, taken
            recorded.end([i], clock[[i]])
            see(model, plan, recorded, i, range(look, len(plan.looks)), v[i])
            going[i] = False
        done = (~going).sum() + going.sum() * min(1.0, time / plan.looks[-1])
        progress(float(done))
    for i in np.flatnonzero(going) if look < len(plan.looks) else ():  # max_steps
        see(model, plan, recorded, i, range(look, len(plan.looks)), v[i])
    return recorded
