"""Cahn-Hilliard on squares by cahn_hilliard.cu: line transforms over lanes (a CPU) or threads (a
GPU).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kernels.cahn_hilliard import CahnHilliard
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_lines import compiled_for, control_words, line_order, turns
from kernels.cahn_hilliard_plan import Plan, Recorded

SIZES = {"cpu": (32, 64, 128), "gpu": (32, 64)}
LAUNCH_PAIRS = 16  # pairs a lane in one launch: progress shows, and few lanes idle at its end


def fused(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard.cu: pairs of samples, their fields on the chip from the first step to
    the last.
    """
    device, size, dtype = model.device, model.shape[0], np.dtype(model.precision)
    module = device.module(
        "cahn_hilliard.cu", compiled_for(model, plan.control.order, plan.scheme == "adaptive")
    )
    recorded = Recorded.empty(plan)
    symbol, twist = (
        device.asarray(model.wave_numbers()[0][line_order(size)], dtype),
        device.asarray(turns(size), dtype),
    )
    at_start = int(plan.looks[0] == 0)
    looks = device.asarray(plan.looks[at_start:], np.float64)
    recorded.fields[:, :at_start] = model.from_symmetric(plan.u)[:, None]
    if not len(looks):
        return recorded
    parameters = device.asarray(control_words(model, plan.control, plan.steady_state), np.float64)
    if device.kind == "cpu":
        lanes = max(2, device.lanes * 4 // dtype.itemsize)
        batch, scratch = (
            LAUNCH_PAIRS * lanes * device.workers,
            device.zeros((device.workers, 10 * size * (size + 1) * lanes), dtype),
        )
    else:
        batch, scratch = LAUNCH_PAIRS * 64 * device.processors, None
    for first in range(0, len(plan.u), 2 * batch):
        u = plan.u[first : first + 2 * batch]
        n, pairs = len(u), -(-len(u) // 2)
        start = device.asarray(
            np.concatenate([u, u[-1:]]) if n % 2 else u
        )  # the last one is its own partner
        fields = device.zeros((2 * pairs, len(looks), size, size), dtype)
        steady = device.asarray(np.full(2 * pairs, np.nan))
        time, steps, diverged = (
            device.zeros(2 * pairs, np.float64),
            device.zeros(2 * pairs, np.int32),
            device.zeros(2 * pairs, np.int32),
        )
        blocks = min(device.workers, -(-pairs // lanes)) if device.kind == "cpu" else pairs
        module.launch(
            "separate",
            blocks,
            [
                start,
                fields,
                looks,
                np.int32(len(looks)),
                symbol,
                twist,
                parameters,
                scratch,
                steady,
                time,
                steps,
                diverged,
                np.int32(pairs),
                np.int32(min(plan.max_steps, 2**31 - 1)),
                device.zeros(1, np.int32),
            ],
            threads=8 * size,
            shared_bytes=0 if device.kind == "cpu" else 4 * size**2 * dtype.itemsize,
        )
        part = slice(first, first + n)
        recorded.fields[part, at_start:] = model.from_symmetric(device.to_host(fields)[:n])
        recorded.steady_time[part], recorded.time[part] = (
            device.to_host(steady)[:n],
            device.to_host(time)[:n],
        )
        recorded.steps[part], recorded.diverged[part] = (
            device.to_host(steps)[:n],
            device.to_host(diverged)[:n] != 0,
        )
        blown = np.flatnonzero(recorded.diverged[part]) + first
        if len(blown):  # a pair ends together: apart, each tells its own story
            apart = by_fft(model, replace(plan, u=plan.u[blown]), lambda done: None)
            for name in ("fields", "steady_time", "steps", "diverged", "time"):
                getattr(recorded, name)[blown] = getattr(apart, name)
        progress(first + n)
    return recorded
