"""The features of the features-based logistic regression (paper, section III.B, equations 1 and 2).

X = (m, R(1), ..., R(9)), R(k) = (1/N_s sum_i r_i^k)^(1/k): moments of the distance r_i, in lattice
sites, of the N_s spins in the stable direction from the centre of the largest cluster.  m is taken
along the stable direction, so that its weight is positive where more stable spins make nucleation
likelier, as in figure 6.
"""

import numpy as np

MOMENTS = 9
NAMES = ("m", *(f"R({k})" for k in range(1, MOMENTS + 1)))
CHUNK = 1 << 24  # spins in float64 at once


def features(spins: np.ndarray) -> np.ndarray:
    """float64 (n, 10) of configurations int8 (n, L, L), -1 stable, the largest cluster's centre at
    (L//2, L//2).

    Columns as in NAMES: m without unit, R(k) in lattice sites, distances on the torus.  Without any
    stable spin R(k) = 0.
    """
    count, size = spins.shape[:2]
    step = (np.arange(size) - size // 2 + size / 2) % size - size / 2
    distance = np.hypot(step[:, None], step[None, :]).ravel()
    order = np.arange(1, MOMENTS + 1)
    powers = np.column_stack(
        [np.ones(size * size), distance[:, None] ** order]
    )  # largest: 141^9 = 2e19, exact enough
    sums = np.empty((count, MOMENTS + 1))
    rows = max(1, CHUNK // size**2)
    for first in range(0, count, rows):
        stable = spins[first : first + rows].reshape(-1, size * size) < 0
        sums[first : first + rows] = stable.astype(np.float64) @ powers
    stable_spins = sums[:, :1]
    moments = (sums[:, 1:] / np.maximum(stable_spins, 1)) ** (1 / order)
    return np.column_stack([2 * stable_spins / size**2 - 1, moments])
