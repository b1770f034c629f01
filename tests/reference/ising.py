"""The Ising model the slow, obvious way: direct sums, one attempt at a time.

    H = -sum over pairs J(r) s s' - h sum s,      s = +1 or -1,      k_B = 1

on an L x L torus. Couplings are a table J[dx, dy] by displacement, (L, L), with J[0, 0] = 0.
Distances are those of the nearest image. Nearest neighbours have J = 1; every other interaction is
normalised so that sum J(r) = 4. Here `field` is signed: the field that acts on the spins now, +h
while equilibrating and -h after the quench.
"""

import numpy as np


def couplings(size, interaction, range=1, exponent=None):
    """J by displacement, float64 (L, L): nearest, square, disk, kac exp(-r/R) or power_law
    r^-exponent.
    """
    step = np.minimum(np.arange(size), size - np.arange(size))
    dx, dy = np.meshgrid(step, step, indexing="ij")
    distance = np.sqrt(dx**2 + dy**2)
    distance[0, 0] = np.inf  # a spin does not interact with itself
    if interaction == "nearest":
        return (distance == 1).astype(float)
    if interaction == "square":
        weight = ((np.maximum(dx, dy) <= range) & (distance < np.inf)).astype(float)
    elif interaction == "disk":
        weight = (np.where(distance < np.inf, dx**2 + dy**2, range**2 + 1) <= range**2).astype(
            float
        )
    elif interaction == "kac":
        weight = np.exp(-distance / range)
    elif interaction == "power_law":
        weight = distance ** -float(exponent)
    else:
        raise ValueError(f"unknown interaction {interaction!r}")
    return 4 * weight / weight.sum()


def local_fields(spins, table):
    """sum over r of J(r) s(x + r) at every site: float64 (L, L) from spins (L, L) and couplings (L,
    L).
    """
    fields = np.zeros(spins.shape)
    for dx, dy in np.argwhere(table != 0):
        fields += table[dx, dy] * np.roll(spins, (-dx, -dy), axis=(0, 1))
    return fields


def energy(spins, table, field=0.0):
    """Total energy; each pair is counted once."""
    return -0.5 * np.sum(spins * local_fields(spins, table)) - field * spins.sum()


def attempt(spins, table, temperature, field, random):
    """One Metropolis attempt at a random site, in place: accepted with probability min(1,
    exp(-dE/T)).
    """
    size = len(spins)
    x, y = random.integers(size, size=2)
    neighbours = np.roll(
        table, (x, y), axis=(0, 1)
    )  # J(x' - x); J is even, so the sign of r does not matter
    change = 2 * spins[x, y] * (np.sum(neighbours * spins) + field)
    if random.random() < np.exp(min(0.0, -change / temperature)):
        spins[x, y] = -spins[x, y]


def step(spins, table, temperature, field, random):
    """One MCS: N = L^2 attempts, in place."""
    for _ in np.arange(spins.size):
        attempt(spins, table, temperature, field, random)


def nucleate(size, table, temperature, field, random, history=50, equilibration=50):
    """One nucleation event: all up, `equilibration` MCS under +field, then -field until m <= 0
    after an MCS.

    Returns the lifetime (MCS from the flip of the field) and the frames of t = -history .. 0, int8
    (k, L, L); k is less than history + 1 when the lifetime is shorter, and the first frame then is
    that of the field flip.
    """
    spins = np.ones((size, size), np.int8)
    for _ in np.arange(equilibration):
        step(spins, table, temperature, field, random)
    frames = [spins.copy()]
    while len(frames) == 1 or frames[-1].sum() > 0:
        step(spins, table, temperature, -field, random)
        frames.append(spins.copy())
    return len(frames) - 1, np.array(frames[-(history + 1) :])


def copies(spins, table, temperature, field, duration, count, random):
    """First MCS after which m <= 0 under -field, for `count` copies of spins (L, L): int32
    (count,), -1 if never.
    """
    passage = np.full(count, -1, np.int32)
    for copy in np.arange(count):
        state = spins.copy()
        for time in np.arange(1, duration + 1):
            step(state, table, temperature, -field, random)
            if state.sum() <= 0:
                passage[copy] = time
                break
    return passage


def pack(spins):
    """Spins +-1, (n, L, L), to bits: uint8 (n, ceil(L^2 / 8)), bit 1 = up, big-endian, site x L +
    y.
    """
    return np.packbits(np.reshape(spins, (len(spins), -1)) > 0, axis=1)


def unpack(packed, size):
    """The inverse of pack: int8 (n, L, L) of +-1."""
    bits = np.unpackbits(packed, axis=1, count=size * size)
    return (2 * bits.astype(np.int8) - 1).reshape(-1, size, size)
