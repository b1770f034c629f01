"""Cahn-Hilliard by plain FFTs, scipy.fft on a CPU and cuFFT on a GPU: the path that serves every
grid.
"""

import math
from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard import DIVERGED, STABILISATION, CahnHilliard
from kernels.cahn_hilliard_plan import Plan, Recorded, keep_last_good

MEMORY = 1 << 28  # cells advanced together


def by_fft(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """scipy.fft on a CPU (all workers), cuFFT on a GPU; each field has its own step."""
    recorded = Recorded.empty(plan)
    batch = max(1, MEMORY // math.prod(model.shape))
    for first in range(0, len(plan.u), batch):
        _run_batch(model, plan, slice(first, first + batch), recorded, progress)
    return recorded


class Fft:
    """Transforms of a batch over its last axes; `symbol`: k^2 of each coefficient, `weight`: how
    often it counts in a sum over all k.
    """

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

    def means(self, *products) -> np.ndarray:
        """Mean over space of products of two coefficients, one way to the host for all: (products,
        n), float64.
        """
        total = self.xp.stack([(product * self.weight).sum(self.axes) for product in products])
        return (self.xp.asnumpy(total) if self.gpu else total).astype(np.float64) / float(
            self.cells
        ) ** 2


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
            now, before, nonlinear_before, u = (
                now[keep],
                before[keep],
                nonlinear_before[keep],
                u[keep],
            )
        meant, step = step, control.land(step, looks[look] - time)
        ratio = (
            np.where(used > 0, step / np.where(used > 0, used, 1), 0.0)
            if control.order == 2
            else np.zeros_like(step)
        )
        w, dt = (xp.asarray(a.reshape(column), dtype) for a in (ratio, step))
        nonlinear = fft.forward(u * (u * u - 1))
        w1 = 1 + w
        guess = w1 * now - w * before
        slope = w1 * nonlinear - w * nonlinear_before - S * guess
        denominator = 1 / ((1 + 2 * w) / w1 + dt * k2 * (e2 * k2 + S))
        later = (w1 * now - w * w / w1 * before - dt * k2 * slope) * denominator
        later[zero] = now[zero]  # mass, to the last bit
        stabilising, potential = (
            dt * k2 * S * denominator * (later - guess),
            nonlinear + e2 * k2 * now,
        )
        error, fall, size = fft.means(
            xp.abs(stabilising) ** 2, (xp.conj(potential) * (now - later)).real, xp.abs(later) ** 2
        )
        error, falls, size = np.sqrt(error), fall / step, np.sqrt(size)
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
