"""Cahn-Hilliard on squares by cahn_hilliard.cu and, on a CPU, in cubes by cahn_hilliard_box.cpp: line transforms over lanes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kernels.cahn_hilliard import DIVERGED, STABILISATION, CahnHilliard
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_plan import Plan, Recorded, keep_last_good

LINE_FACTORS = {32: (4, 8), 64: (8, 8), 128: (8, 16), 256: (16, 16), 512: (16, 32)}  # Factors of line_fft.h
FUSED_SIZES = {"cpu": (32, 64, 128), "gpu": (32, 64)}
BOX_SIZES = (32, 64, 128, 256, 512)
BOX_STEPS = 200  # steps of a box in one launch
LAUNCH_PAIRS = 16  # pairs a lane in one launch: progress shows, and few lanes idle at its end


def line_order(size: int) -> np.ndarray:
    """Wave number index, 0..size-1, of each place of a transformed line (line_fft.h)."""
    a, b = LINE_FACTORS[size]
    return np.add.outer(np.arange(a), a * np.arange(b)).ravel()


def turns(size: int) -> np.ndarray:
    """Cosine and sine of the twist between the two halves of a line's transform, (2, size)."""
    a, b = LINE_FACTORS[size]
    phase = 2 * np.pi / size * np.outer(np.arange(a), np.arange(b)).ravel()
    return np.stack([np.cos(phase), np.sin(phase)])


def compiled_for(model: CahnHilliard, plan: Plan) -> dict:
    """Compile-time constants of the fused kernels."""
    real = "float" if model.precision == "float32" else "double"
    return dict(SIZE=model.shape[0], REAL=real, ORDER=plan.control.order, ADAPTIVE=int(plan.scheme == "adaptive"))


def control_words(model: CahnHilliard, plan: Plan) -> list[float]:
    """Parameters of cahn_hilliard_step.h."""
    c = plan.control
    return [model.squared_width, STABILISATION, c.fixed or 0.0, c.tolerance, c.first, c.longest, c.SAFETY, c.SHRINK, c.GROW, c.REGROW,
            plan.steady_state, DIVERGED]  # fmt: skip


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
