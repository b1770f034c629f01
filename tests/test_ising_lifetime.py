"""Lifetimes and nucleation probabilities of the Ising kernels against a plain random-site
Metropolis in C++.

Replicas of one unit share the order of sites, so they are not independent: errors come from the
means of units, which are, and comparisons are Welch's t between unit means, two-sided, at the level
of 4 standard errors (6.3e-5).
"""

import numpy as np
import pytest
from scipy import stats

from kernels import ising
from tests.reference import ising as reference
from tests.reference import metropolis

FOUR_SIGMA = 2 * stats.norm.sf(4)
TEMPERATURE = {"nearest": 4 / 9 * 2.269185, "square": 16 / 9}


def build(device, size, range, interaction, field):
    return ising.Ising(
        size=size,
        range=range,
        temperature=TEMPERATURE[interaction],
        field=field,
        interaction=interaction,
        device=device,
    )


@pytest.mark.parametrize(
    ("interaction", "range", "size", "field", "units", "events", "runs"),
    [
        ("nearest", 1, 10, 0.90, 24, 700, 16384),
        pytest.param(
            *("nearest", 1, 10, 0.57, 8, 512, 512), marks=[pytest.mark.slow, pytest.mark.long]
        ),
        ("nearest", 1, 10, 1.00, 64, 40, 4096),  # units smaller than a word of replicas
        ("square", 2, 20, 0.85, 16, 512, 4096),
        ("square", 3, 30, 1.00, 10, 512, 2048),
    ],
)
def test_lifetimes_equal_the_reference(
    device, interaction, range, size, field, units, events, runs
):
    """Mean and spread of lifetimes; seed 21. R = 1 at the paper's h = 0.57 with fewer events."""
    model = build(device, size, range, interaction, field)
    found = model.nucleate(
        seed=21, units=np.arange(units).tolist(), events=events, history=10, equilibration=50
    )
    found = np.array([unit.lifetime for unit in found], float)
    expected = metropolis.lifetimes(
        size, range, TEMPERATURE[interaction], field, interaction, runs, seed=21
    )
    expected = expected.reshape(32, -1).astype(float)
    summary = f"mean {found.mean():.1f} against {expected.mean():.1f}, std {found.std():.1f}, {expected.std():.1f}"
    assert stats.ttest_ind(found.mean(1), expected.mean(1), equal_var=False).pvalue > FOUR_SIGMA, (
        summary
    )
    centre = expected.mean()
    squares = [((lifetime - centre) ** 2).mean(1) for lifetime in (found, expected)]
    assert stats.ttest_ind(*squares, equal_var=False).pvalue > FOUR_SIGMA, summary


def nucleating(model, time, count, seed):
    """Configurations `time` MCS before m <= 0 of `count` events that lived longer than that: packed
    (n, bytes).
    """
    found = model.nucleate(seed=seed, units=[0], events=512, history=20, equilibration=20)[0]
    return np.ascontiguousarray(found.history[found.lifetime > time, 20 - time][:count])


# interaction, range, size, field, and the time before m <= 0 at which p_nuc is intermediate
COPIES = [
    ("nearest", 1, 10, 0.90, 15),
    ("square", 3, 30, 1.00, 10),
    pytest.param("square", 10, 40, 1.25, 8, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("interaction", "range", "size", "field", "time"), COPIES)
def test_copies_are_independent(device, interaction, range, size, field, time):
    """The variance of p_nuc between 20 repeats of 50 copies (R > 1: 20), over p (1 - p)/n, is 1;
    seed 22.

    Averaged over the configurations with 0.1 < p < 0.9, within 4 standard errors by the jackknife
    over repeats (different configurations share an order, so only repeats are independent), and the
    error itself is below 0.2. Copies that shared the order would give about 3, 6 and 4 at R = 1, 3
    and 10.
    """
    repeats, copies = 20, 50 if range == 1 else 20
    model = build(device, size, range, interaction, field)
    spins = nucleating(model, time, count=160 if range == 1 else 64, seed=22)
    duration = np.full(len(spins), time + 10, np.int32)
    p = np.array(
        [
            np.mean(
                model.intervene(
                    seed=22,
                    unit=0,
                    spins=spins,
                    duration=duration,
                    copies=copies,
                    first_copy=copies * repeat,
                )
                > 0,
                axis=0,
            )
            for repeat in np.arange(repeats).tolist()
        ]
    )
    p = p[:, (p.mean(0) > 0.1) & (p.mean(0) < 0.9)]
    assert p.shape[1] >= 20

    def ratio(p):
        # p(1-p) of the pooled estimate is low by 1 - 1/(all copies).
        binomial = p.mean(0) * (1 - p.mean(0)) / (1 - 1 / (len(p) * copies)) / copies
        return np.mean(p.var(axis=0, ddof=1) / binomial)

    without = np.array([ratio(np.delete(p, repeat, axis=0)) for repeat in np.arange(repeats)])
    error = np.sqrt((repeats - 1) * without.var())
    assert error < 0.2, error
    assert abs(ratio(p) - 1) < 4 * error, f"{ratio(p):.3f} +- {error:.3f}"


@pytest.mark.parametrize(("interaction", "range", "size", "field", "time"), COPIES)
def test_first_passages_equal_the_reference(device, interaction, range, size, field, time):
    """First passage times of copies of 8 configurations, 1000 copies a side (R = 3: 500, R =
    10: 200), against C++; seed 23.

    Each configuration's table of times by chi-square, p > 1e-5 each.
    """
    copies, duration = {1: 1000, 3: 500, 10: 200}[range], time + 10
    model = build(device, size, range, interaction, field)
    spins = nucleating(model, time, count=8, seed=23)
    durations = np.full(len(spins), duration, np.int32)
    found = model.intervene(seed=23, unit=0, spins=spins, duration=durations, copies=copies)
    assert found.shape == (copies, len(spins))
    assert found.max() <= duration
    assert not np.any(found == 0)
    for column, start in zip(found.T, reference.unpack(spins, size), strict=True):
        expected = metropolis.passage(
            size,
            range,
            TEMPERATURE[interaction],
            field,
            interaction,
            start,
            copies,
            duration,
            seed=23,
        )
        edges = np.unique(
            np.quantile(np.where(expected < 0, duration + 1, expected), np.linspace(0, 1, 7)[1:-1])
        )
        counts = [
            np.bincount(
                np.searchsorted(edges, np.where(x < 0, duration + 1, x)), minlength=len(edges) + 1
            )
            for x in (column, expected)
        ]
        counts = np.array(counts)[:, np.sum(counts, axis=0) > 0]
        assert stats.chi2_contingency(counts).pvalue > 1e-5, counts
