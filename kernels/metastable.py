"""The metastable state of an Ising model."""

import numpy as np

from kernels.estimate import mean_of
from kernels.ising import Ising

__all__ = ["metastable_state"]

WALKERS = 512  # replicas that are in the metastable state
RELAXED = 100  # MCS after which it is looked at first
LONGEST = 12_800  # MCS that it is waited for


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
