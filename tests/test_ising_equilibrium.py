"""Equilibrium of the Ising kernels against exact results: enumeration, complete graphs, Onsager,
Kaufman, mean field.

Replicas of one call share the order of sites, and yet their equilibrium samples are independent:
each attempt leaves the Boltzmann law unchanged whatever the order, so that law given the order is
the same as without it. Every sample below is of replicas at one late time, or an average of a
replica over late times; units have different orders.
"""

import numpy as np
import pytest
from scipy import stats

from kernels import ising
from tests.reference import exact
from tests.reference import ising as reference

REPLICAS = 512


def samples(
    device,
    size,
    range,
    interaction,
    temperature,
    field,
    units,
    warm,
    frames=1,
    every=1,
    start="up",
    seed=11,
):
    """Spins int8 (units, frames, REPLICAS, L, L) after `warm` MCS and then every `every` MCS."""
    model = ising.Ising(
        size=size,
        range=range,
        temperature=temperature,
        field=max(abs(field), 0.1),
        interaction=interaction,
        device=device,
    )
    random = np.random.default_rng(seed)
    out = np.empty((units, frames, REPLICAS, size, size), np.int8)
    for unit in np.arange(units):
        spins = np.ones((REPLICAS, size, size), np.int8)
        if start == "random":
            spins = random.choice(np.array([-1, 1], np.int8), spins.shape)
        packed = reference.pack(spins)
        for frame in np.arange(frames):
            # A new unit number each time: the streams of two calls must not be the same.
            packed = model.evolve(
                packed,
                warm if frame == 0 else every,
                seed=seed,
                unit=int(unit * frames + frame),
                field=field,
            )
            out[unit, frame] = reference.unpack(packed, size)
    return out


def energies(spins, table):
    """Zero-field energies (...) of spins (..., L, L)."""
    spins = spins.astype(float)
    total = np.zeros(spins.shape[:-2])
    for dx, dy in np.argwhere(table != 0):
        total -= (
            0.5
            * table[dx, dy]
            * np.sum(spins * np.roll(spins, (-dx, -dy), axis=(-2, -1)), axis=(-2, -1))
        )
    return total


def merged(observed, expected, least=20):
    """Bins joined, in order of their weight, until each expects at least `least` counts."""
    order = np.argsort(expected)
    group = np.minimum(
        np.floor(np.cumsum(expected[order]) / least), np.floor(expected.sum() / least) - 1
    )
    _, group = np.unique(group, return_inverse=True)
    return np.bincount(group, observed[order]), np.bincount(group, expected[order])


def check_law(observed, probability):
    """Chi-square of counts against a law; p > 1e-5, so that the dozen calls raise a false alarm
    below 1e-4 together.
    """
    counts, expected = merged(observed, probability * observed.sum())
    assert len(counts) > 5
    assert stats.chisquare(counts, expected).pvalue > 1e-5


@pytest.mark.parametrize(
    ("interaction", "temperature", "field"),
    [
        ("nearest", 2.0, 0.0),
        ("nearest", 2.5, 0.0),
        ("nearest", 3.5, 0.0),
        ("nearest", 2.0, 0.25),
        ("nearest", 2.5, -0.4),
        ("nearest", 3.5, 1.0),
        ("square", 3.2, 0.0),
        ("square", 2.5, 0.3),
        ("square", 5.0, -0.5),
    ],
)
def test_4x4_has_the_law_of_enumeration(device, interaction, temperature, field):
    """The whole law of (M, E) on 4x4, 16384 samples from random starts, chi-square with false alarm
    1e-5; seed 11.
    """
    table = reference.couplings(4, interaction, 1)
    spins = samples(
        device, 4, 1, interaction, temperature, field, units=32, warm=300, start="random"
    )
    levels, probability = exact.distribution(table, temperature, field)
    found = np.column_stack(
        [spins.sum((-2, -1)).ravel(), np.round(energies(spins, table).ravel(), 6)]
    )
    index = {tuple(level): i for i, level in enumerate(levels.tolist())}
    observed = np.bincount([index[tuple(pair)] for pair in found.tolist()], minlength=len(levels))
    check_law(observed, probability)


@pytest.mark.parametrize(
    ("range", "temperature", "field"),
    [
        (1, 6.0, 0.3),
        (2, 3.0, 0.2),
        (3, 16 / 9, 0.0),
        (4, 5.0, 0.0),
        (5, 4.5, -0.1),
        (10, 4.2, 0.05),
    ],
)
def test_complete_graph(device, range, temperature, field):
    """Square range R on L = 2R + 1, where all pairs interact: the whole law of M, 16384 samples
    from all up.

    Chi-square with false alarm 1e-5; seed 11. At R = 3 and zero field, far below Tc, the sign of M
    does not change in the time of the test, and the law is that of M > 0.
    """
    size = 2 * range + 1
    spin, law = exact.complete_graph(size**2, temperature, field)
    if (range, field) == (3, 0.0):
        law = np.where(spin > 0, law, 0)
        law /= law.sum()
    spins = samples(device, size, range, "square", temperature, field, units=32, warm=150)
    check_law(np.bincount((size**2 - spins.sum((-2, -1)).ravel()) // 2, minlength=len(spin)), law)


@pytest.mark.parametrize(
    ("temperature", "warm", "every"),
    [(1.8, 100, 5), (2.0, 200, 10), (2.4, 1000, 100), (3.0, 200, 10)],
)
def test_onsager_and_kaufman(device, temperature, warm, every):
    """L = 32 nearest from all up, 512 replicas x 2 units x 16 times: energy (Kaufman, any T) and m
    (Onsager, T <= 2).

    Within 4 standard errors, taken from the 1024 time averages; seed 11. At T = 2 the correlation
    length is 1.8 sites and L = 32 is infinite.
    """
    table = reference.couplings(32, "nearest")
    spins = samples(
        device, 32, 1, "nearest", temperature, 0.0, units=2, warm=warm, frames=16, every=every
    )

    def deviation(quantity, expected):
        average = quantity.mean(axis=1).ravel()
        return abs(average.mean() - expected) / stats.sem(average)

    assert deviation(energies(spins, table) / 1024, exact.kaufman(32, 32, temperature)[1]) < 4
    if temperature <= 2:
        assert deviation(spins.mean((-2, -1)), exact.onsager_magnetization(temperature)) < 4


def test_mean_field_limit(device):
    """T = 3, h = 0.1, L = 5R: m - m_mf vanishes like 1/q, q = 4R(R+1), as R = 5, 10, 16; seed 11.

    q (m - m_mf) agrees for R = 10 and 16 with R = 5 within 4 standard errors and 15% for the next
    order.
    """
    expected = exact.mean_field(3.0, 0.1)[-1]
    scaled = {}
    for range, units in ((5, 4), (10, 4), (16, 4)):
        spins = samples(
            device, 5 * range, range, "square", 3.0, 0.1, units=units, warm=40, frames=4, every=8
        )
        average = spins.mean((-2, -1), dtype=float).mean(axis=1).ravel()
        q = 4 * range * (range + 1)
        scaled[range] = q * (average.mean() - expected), q * stats.sem(average)
    for range in (10, 16):
        error = 4 * np.hypot(scaled[range][1], scaled[5][1]) + 0.15 * abs(scaled[5][0])
        assert abs(scaled[range][0] - scaled[5][0]) < error, scaled
    assert scaled[5][0] < -4 * scaled[5][1], (
        scaled
    )  # the correction is seen at R = 5, and disorders
