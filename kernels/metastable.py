"""The metastable state of an Ising model, and numbers with their errors."""

import math
from typing import NamedTuple

import numpy as np

from kernels.ising import Ising

__all__ = ["Estimate", "mean_of", "metastable_state"]

WALKERS = 512  # replicas that are in the metastable state
RELAXED = 100  # MCS after which it is looked at first
LONGEST = 12_800  # MCS that it is waited for


class Estimate(NamedTuple):
    """A number and its standard error; printed, the digits in brackets are the error of the last
    ones: 1.0491(13), 1.76(20)e6.
    """

    value: float
    error: float

    def __str__(self) -> str:
        if not 0 < self.error < math.inf:
            return f"{self.value:g}"
        last = math.floor(math.log10(self.error)) - 1  # two digits of the error
        size = math.floor(math.log10(max(abs(self.value), self.error)))
        power = size if size > 4 or size < -3 else 0
        value, places = self.value / 10.0**power, power - last
        if places <= 0:  # an error of ten and more: all its digits
            return f"{round(self.value, -last):.0f}({round(self.error, -last):.0f})"
        error = round(self.error / 10.0**last)
        return f"{value:.{places}f}({error})" + (f"e{power}" if power else "")


def mean_of(samples) -> Estimate:
    """Mean of independent samples (n,), and its standard error."""
    samples = np.asarray(samples, float)
    return Estimate(float(samples.mean()), float(samples.std(ddof=1) / math.sqrt(samples.size)))


def metastable_state(model: Ising, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Configurations, packed, of the metastable state, and their numbers of up spins.  RuntimeError
    if it does not last long enough to be one.
    """
    model.check_trials()
    up = model.pack(np.ones((WALKERS, *model.shape), np.int8))
    run = model.run(up, [RELAXED // 2, RELAXED], seed=seed, observe=(), progress=False)
    while True:
        m = run.magnetization
        alive = (m > 0).all(1)
        if alive.sum() < WALKERS / 2:
            raise RuntimeError(
                f"half of the replicas have nucleated after {run.times[-1]} MCS: there is no "
                "metastable state to start from; take nucleate or mean_lifetime"
            )
        change = mean_of((m[:, -1] - m[:, -2])[alive])
        if abs(change.value) < 4 * change.error or run.times[-1] >= LONGEST or not change.error:
            break
        later = [int(1.5 * run.times[-1]), 2 * int(run.times[-1])]
        run = model.go_on(run, later, progress=False)
    up_spins = np.rint((m[:, -1] + 1) / 2 * model.sites).astype(np.int64)
    return run.spins[alive], up_spins[alive]
