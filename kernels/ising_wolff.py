"""Wolff's clusters of the Ising model at h = 0, for any coupling J(r) >= 0 (ising_wolff.cu).

`kernels.ising.Ising(dynamics="wolff")` is the way in. Time counts clusters.
Sources: U. Wolff, Phys. Rev. Lett. 62, 361 (1989); E. Luijten, H. W. J. Bloete, Int. J. Mod.
Phys. C 6, 359 (1995); alias table: A. J. Walker, ACM Trans. Math. Softw. 3, 253 (1977).
"""

import numpy as np
from scipy import stats

from kernels.ising_bits import fixed_point
from kernels.streams import Draws

MOST_REPLICAS = 1 << 24  # that random numbers tell apart


def points_table(mean: float) -> np.ndarray:
    """P(number <= k), k = 0, 1, ..., of Poisson's law, as uint32 multiples of 2^-32; the last one
    is 2^32 - 1, from which on no number has as much as 2^-32 left.
    """
    last = int(stats.poisson.isf(2.0**-33, mean)) + 1
    table = fixed_point(stats.poisson.cdf(np.arange(last + 1), mean))
    table[-1] = 0xFFFFFFFF
    return table


def alias_table(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """threshold uint32 (n,), multiples of 2^-32, and alias int32 (n,): a column drawn evenly stands
    for itself with probability threshold, else for its alias, so that number k has `weight`[k] /
    sum of weights.
    """
    n = len(weight)
    share = weight / weight.sum() * n
    alias = np.arange(n)
    few, many = list(np.flatnonzero(share < 1)), list(np.flatnonzero(share >= 1))
    while few and many:
        k, giver = few.pop(), many[-1]
        alias[k] = giver
        share[giver] -= 1 - share[k]
        if share[giver] < 1:
            few.append(many.pop())
    return fixed_point(share), alias.astype(np.int32)


class WolffLattices:
    """Replicas that flip clusters; the same methods as BitSlicedLattices where these make sense."""

    def __init__(self, model):
        self.model, self.device = model, model.device
        self.threads = 32  # of a GPU's block
        table = model.coupling_table()
        neighbours = np.argwhere(table > 0)
        couplings = table[tuple(neighbours.T)]
        defines = dict(
            DIMENSIONS=model.dimensions,
            SIZE=model.size,
            THREADS=self.threads,
            UNIFORM=int(np.ptp(couplings) == 0),
        )
        self.module = self.device.module("ising_wolff.cu", defines)
        threshold, alias = alias_table(couplings)
        points = points_table(2 * couplings.sum() / model.temperature)
        self.bonds = dict(
            number=self.device.asarray(points, np.uint32),
            step=self.device.asarray(np.ascontiguousarray(neighbours), np.int32),
            threshold=self.device.asarray(threshold, np.uint32),
            alias=self.device.asarray(alias, np.int32),
            neighbours=len(neighbours),
        )

    def follow(self, spins, looks, field, draws: Draws, with_pairs, with_seen, progress):
        """Numbers of up spins, int64 (n, o); no pairs, None; packed configurations (n, o, bytes) or
        None at `looks`, o increasing numbers of clusters; and the last configurations, packed.
        """
        device, n, count = self.device, self.model.sites, len(spins)
        if count > MOST_REPLICAS:
            raise ValueError(f"spins are {count} configurations; at most {MOST_REPLICAS} at once")
        up = np.empty((count, len(looks)), np.int64)
        seen = np.empty((count, len(looks), self.model.bytes), np.uint8) if with_seen else None
        packed = device.asarray(np.ascontiguousarray(spins), np.uint8)
        constant = dict(
            spins=device.asarray(self.model.unpack(spins).reshape(count, n)),
            stacks=device.zeros((count, n), np.int32),
            states=device.zeros((count, 4), np.uint32),
            packed=packed,
            replicas=count,
            **self.bonds,
            **draws.arguments(),
        )
        blocks = count if device.kind == "cpu" else -(-count // self.threads)
        now = 0
        for number, look in enumerate(np.asarray(looks).tolist()):
            self.module.launch(
                "flip_clusters", blocks, threads=self.threads, clusters=look - now, **constant
            )
            device.synchronize()
            now, here = look, device.to_host(packed)
            up[:, number] = np.unpackbits(here, axis=1, count=n).sum(1, dtype=np.int64)
            if seen is not None:
                seen[:, number] = here
            if progress:
                progress(count * (number + 1) // len(looks))
        return up, None, seen, device.to_host(packed).copy()

    def evolve(self, spins, duration, field, draws: Draws, copies, progress):
        """(None, packed configurations) after as many clusters as `duration` says, one for all."""
        end = self.follow(spins, duration[:1], field, draws, False, False, progress)[3]
        return None, end
