"""Every named stream of random numbers, in one place.

A random number is a function of (seed, stream, unit, copy, word of 32 replicas, slot, step) through
Philox4x32-10 (random.h). Two streams never share a number; a stream's number here is part of every
result, so never reuse one.
"""

from dataclasses import dataclass

import numpy as np

from kernels.arguments import seed_of

__all__ = ["STREAMS", "Draws", "generator", "seed_words"]

STREAMS = {
    "evolve": 0,  # ising: trajectories asked for by hand
    "nucleation": 1,  # ising: events, from the first equilibration step to m <= 0
    "intervention": 2,  # ising: copies that make the labels
    "pilot": 3,  # ising: copies that choose the times worth labels; never part of a label
    "bonds": 4,  # percolation: active bonds
    "balance": 5,  # jobs: which configurations are kept when p_nuc is balanced
    "folds": 6,  # jobs: the order in which events are dealt to training, validation and test sets
    "train": 7,  # jobs: first weights, and each epoch's order, dropout and augmentation
    "occlusion": 8,  # jobs: which configurations and patches are occluded, where not all are
    "mixture": 9,  # cahn_hilliard: noise of the uniform mixture that a trajectory starts from
    "learning": 10,  # jobs: segregation, first weights and each epoch's order and augmentation
    "active_ising": 11,  # active_ising: first particles, and all attempts
    "flocking": 12,  # jobs: flocking, UMAP's seed, splits, first weights, and each epoch's order and augmentation
    "perlin": 13,  # perlin: gradients of the noise a coarsening trajectory starts from
    "run": 15,  # ising: trajectories with observables; a copy for each time they go on
    "trials": 16,  # ising: rare events, trials that run until they leave an interval
    "thermal": 17,  # cahn_hilliard: conserved noise of a mixture at a temperature
    "coarsening": 14,  # jobs: coarsening, means, feature sizes, start times, splits, first weights, each epoch's order and augmentation
}


def seed_words(seed: int) -> dict[str, int]:
    """Low and high half of a seed, Philox's key, by the names that kernels take them.  ValueError
    if it is not from 0 to 2^64 - 1.
    """
    seed = seed_of(seed)
    return {"seed_low": seed & 0xFFFFFFFF, "seed_high": seed >> 32}


def generator(seed: int, stream: str | int, number: int = 0) -> np.random.Generator:
    """NumPy's own, of a seed, a stream (its name in STREAMS) and a number below 2^32 such as a
    unit's.  ValueError for another seed.
    """
    of_stream = STREAMS[stream] if isinstance(stream, str) else stream
    key = np.array([seed_of(seed), of_stream << 32 | number], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True)
class Draws:
    """Which random numbers trajectories take: those of a seed, a unit and a stream, of copies from
    `first_copy` on.
    """

    seed: int
    unit: int
    stream: str  # one of STREAMS
    first_copy: int = 0

    def arguments(self) -> dict[str, int]:
        """By the names that kernels take them."""
        return {
            **seed_words(self.seed),
            "unit": self.unit,
            "stream_id": STREAMS[self.stream],
            "first_copy": self.first_copy,
        }
