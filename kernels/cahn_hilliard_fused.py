"""Cahn-Hilliard on squares by cahn_hilliard.cu: line transforms over lanes (a CPU) or threads (a
GPU).
"""

from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard_clock import CLOCK
from kernels.cahn_hilliard_lines import compiled_for, line_order, turns
from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_record import Recorded, keep_last_good, measure
from kernels.cahn_hilliard_system import System

SIZES = {"cpu": (32, 64, 128), "gpu": (32, 64)}
LAUNCH_FIELDS = 16  # a lane in one launch: progress shows, and few lanes idle at its end


def shared_bytes(model: System) -> int:
    """Of a GPU's block: the field and a copy."""
    return 2 * model.shape[0] ** 2 * np.dtype(model.precision).itemsize


def module_of(model: System, order: int, adaptive: bool):
    """The kernels, for this system and scheme."""
    constants = compiled_for(model, order, adaptive) | {"SIZE": model.shape[0]}
    return model.device.module("cahn_hilliard.cu", constants)


def fused(model: System, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard.cu: fields on the chip from the first step to the last, each by itself."""
    device, size, dtype = model.device, model.shape[0], np.dtype(model.precision)
    module = module_of(model, plan.order, plan.adaptive)
    recorded = Recorded.empty(plan)
    symbol = device.asarray(model.squared_wave_numbers()[0][line_order(size)], dtype)
    twist, rule = device.asarray(turns(size), dtype), device.asarray(plan.rule, np.float64)
    at_start = int(plan.looks[0] == 0)
    looks = device.asarray(plan.looks[at_start:], np.float64)
    start = plan.concentrations(model, plan.v)
    recorded.fields[:, :at_start] = start[:, None]
    if at_start and plan.measure is not None:
        measure(model, plan, recorded, slice(None), slice(0, 1), start)
    if not len(looks):
        return recorded
    lanes = max(2, device.float_lanes * 4 // dtype.itemsize) if device.kind == "cpu" else 1
    if device.kind == "cpu":
        batch, arrays = LAUNCH_FIELDS * lanes * device.workers, 1 + 2 * plan.order
        scratch = device.zeros(
            (device.workers, arrays * (size // 2) * (size + 1) * 2 * lanes), dtype
        )
    else:
        batch, scratch = LAUNCH_FIELDS * 64 * device.processors, None
    for first in range(0, len(plan.v), batch):
        part = slice(first, min(first + batch, len(plan.v)))
        count = part.stop - first
        fields = device.zeros((count, len(looks), size, size), dtype)
        clocks = device.zeros((count, CLOCK.itemsize // 8), np.float64)
        blocks = min(device.workers, -(-count // lanes)) if device.kind == "cpu" else count
        module.launch(
            "separate",
            blocks,
            threads=4 * size,
            shared_bytes=0 if device.kind == "cpu" else shared_bytes(model),
            start=device.asarray(plan.v[part]),
            media=device.asarray(plan.media[part], np.float64),
            fields=fields,
            looks=looks,
            look_count=len(looks),
            symbol=symbol,
            turns=twist,
            rule_words=rule,
            scratch=scratch,
            clocks=clocks,
            count=count,
            max_steps=min(plan.max_steps, 2**31 - 1),
            next_task=device.zeros(1, np.int32),
        )
        recorded.end(part, device.to_host(clocks).view(CLOCK)[:, 0])
        for look in range(at_start, len(plan.looks)):
            u = fields[:, look - at_start]
            if plan.measure is not None:
                c = model.from_symmetric(u.astype(np.float64)).astype(dtype)
                measure(model, plan, recorded, part, slice(look, look + 1), c)
            if plan.measure is None or look in plan.keep:
                seen = device.to_host(u).astype(np.float64)
                recorded.fields[part, look] = model.from_symmetric(seen)
        for i in first + np.flatnonzero(recorded.diverged[part]):
            seen = int(np.searchsorted(plan.looks, recorded.time[i], side="right"))
            last = None
            if plan.measure is not None and seen > at_start:
                u = fields[i - first, seen - 1 - at_start]
                last = model.from_symmetric(u.astype(np.float64))
            keep_last_good(model, plan, recorded, i, seen, last)
        progress(part.stop)
    return recorded
