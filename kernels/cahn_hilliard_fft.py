"""Cahn-Hilliard by plain FFTs, scipy.fft on a CPU and cuFFT on a GPU: the path that serves every
grid.
"""

import math
from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard_clock import BLOWN_UP
from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_record import Recorded, keep_last_good, see
from kernels.cahn_hilliard_spectrum import SpectrumStep
from kernels.cahn_hilliard_system import System, mirrored
from kernels.cahn_hilliard_transport import Thermal, Transport

MEMORY = 1 << 28  # cells advanced together


def by_fft(model: System, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """scipy.fft on a CPU (all workers), cuFFT on a GPU; each field has its own step."""
    recorded = Recorded.empty(plan)
    batch = max(1, MEMORY // math.prod(model.shape))
    for first in range(0, len(plan.v), batch):
        rows = np.arange(first, min(first + batch, len(plan.v)))
        _run_batch(model, plan, rows, recorded, progress)
    return recorded


class Fft:
    """Transforms of a batch over its last axes."""

    def __init__(self, model: System):
        device = model.device
        self.gpu = device.kind == "gpu"
        if self.gpu:
            self.xp, self.library, self.more = device.cupy, device.cupy.fft, {}
        else:
            import scipy.fft

            self.xp, self.library, self.more = np, scipy.fft, {"workers": device.workers}
        self.shape, self.axes = model.shape, tuple(range(1, 1 + len(model.shape)))

    def forward(self, v):
        return self.xp.ascontiguousarray(self.library.rfftn(v, axes=self.axes, **self.more))

    def inverse(self, coefficients):
        v = self.library.irfftn(coefficients, s=self.shape, axes=self.axes, **self.more)
        return self.xp.ascontiguousarray(v)


def box(v, shape: tuple[int, ...], arrays):
    """Mirrored fields (n, *shape) of what one image has, that at the origin."""
    part = tuple(slice(n // 2) for n in shape)
    return mirrored(v[:, *part], len(shape), arrays)


def _run_batch(model: System, plan: Plan, rows: np.ndarray, recorded: Recorded, progress) -> None:
    fft, looks = Fft(model), plan.looks
    xp, cells = fft.xp, float(math.prod(model.shape))
    first, total, active = rows[0], len(rows), rows
    stepper = SpectrumStep(model, plan.rule, plan.media[rows], plan.order, plan.adaptive)
    transport = thermal = None
    if model.variable_mobility is not None:
        transport = Transport(model, fft, plan.media[rows, 0])
    if plan.noise is not None:
        thermal = Thermal(model, fft, plan.of(rows))
    more = [each for each in (transport, thermal) if each is not None]
    v = xp.asarray(plan.v[rows])
    u = [fft.forward(v) for _ in range(plan.order)]  # those before the start have no weight
    nonlinear = [xp.zeros_like(u[0]) for _ in range(plan.order)]
    look, time = np.zeros(total, int), np.zeros(total)
    ended, last = np.zeros(total, bool), {}
    while True:
        # look at those that have arrived; those that have ended, or have no look left, are through
        clock = stepper.clocks
        for i in np.flatnonzero(
            (look < len(looks)) & (time >= looks[np.minimum(look, len(looks) - 1)])
        ):
            through = int(np.searchsorted(looks, time[i], side="right"))
            last[active[i]] = see(model, plan, recorded, active[i], range(look[i], through), v[i])
            look[i] = through
        for i in np.flatnonzero(ended):
            recorded.end(active[i], clock[i])
            if clock["ending"][i] == BLOWN_UP:
                keep_last_good(model, plan, recorded, active[i], last=last.get(active[i]))
            else:
                see(model, plan, recorded, active[i], range(look[i], len(looks)), v[i])
            look[i] = len(looks)
        going = look < len(looks)
        if not going.all():
            for i in np.flatnonzero(~going & ~ended):
                recorded.end(active[i], clock[i])
            progress(first + total - int(going.sum()))
            if not going.any():
                return
            active, look = active[going], look[going]
            some = xp.asarray(np.flatnonzero(going))
            for each in (stepper, *more):
                each.keep(np.flatnonzero(going))
            v, u, nonlinear = v[some], [a[some] for a in u], [a[some] for a in nonlinear]
        stepper.begin(looks[look])
        slope = fft.forward(stepper.nonlinear(v if transport is None else v.copy()))
        if transport is not None:
            slope, falls = transport.nonlinear(v, u[0], slope)
        nonlinear = [slope, *nonlinear[:-1]]
        totals = stepper.advance(u, nonlinear) / cells**2
        if transport is not None and not model.reaction_rate:
            totals[:, 1] = falls * stepper.step_lengths
        clock = stepper.end(totals)
        u = [u[-1], *u[:-1]]
        if thermal is not None:
            u[0] += thermal(stepper.step_lengths)
        v = fft.inverse(u[0])
        if plan.mirrored:  # images that rounding tells apart would coarsen against each other
            v = box(v, model.shape, xp)
        time = clock["time"]
        ended = (clock["ending"] != 0) | (clock["steps"] >= plan.max_steps)
