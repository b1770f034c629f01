"""The references against each other and against closed forms. No kernel is involved. Seeds are
fixed.
"""

import numpy as np
import pytest
from scipy import stats

from tests.reference import exact, ising, metropolis, percolation

# Four standard errors, two-sided: the false alarm of one comparison.
FOUR_SIGMA = 2 * stats.norm.sf(4)


@pytest.mark.parametrize(
    ("interaction", "range", "exponent", "count"),
    [
        ("nearest", 1, None, 4),
        ("square", 1, None, 8),
        ("square", 3, None, 48),
        ("disk", 3, None, 28),
        ("kac", 2, None, 80),
        ("power_law", 1, 3.0, 80),
    ],
)
def test_couplings(interaction, range, exponent, count):
    table = ising.couplings(9, interaction, range, exponent)
    assert np.count_nonzero(table) == count
    assert table.sum() == pytest.approx(4)
    assert np.array_equal(table, np.roll(table[::-1, ::-1], 1, axis=(0, 1)))  # J(r) = J(-r)
    assert np.array_equal(table, table.T)
    if interaction == "kac":
        assert table[0, 3] / table[0, 1] == pytest.approx(np.exp(-1))
    if interaction == "power_law":
        assert table[0, 7] / table[0, 1] == pytest.approx(1 / 8)


@pytest.mark.parametrize("interaction", ["nearest", "square", "disk", "kac"])
def test_energy_change_is_the_local_field(interaction):
    random = np.random.default_rng(1)
    table = ising.couplings(7, interaction, 2)
    spins = random.choice([-1, 1], (7, 7))
    fields = ising.local_fields(spins, table)
    for x, y in random.integers(7, size=(5, 2)):
        flipped = spins.copy()
        flipped[x, y] *= -1
        change = ising.energy(flipped, table, 0.3) - ising.energy(spins, table, 0.3)
        assert change == pytest.approx(2 * spins[x, y] * (fields[x, y] + 0.3))


def test_packing():
    spins = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), (3, 5, 5))
    packed = ising.pack(spins)
    assert packed.shape == (3, 4)
    assert packed[0, 0] >> 7 == (spins[0, 0, 0] > 0)
    assert np.array_equal(ising.unpack(packed, 5), spins)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0, exact.ONSAGER_TEMPERATURE, 3.0, 50.0])
@pytest.mark.parametrize("size", [3, 4])
def test_kaufman_equals_enumeration(size, temperature):
    _, energy = exact.enumerate_states(ising.couplings(size, "nearest"))
    log_z, mean_energy = exact.kaufman(size, size, temperature)
    assert log_z == pytest.approx(np.logaddexp.reduce(-energy / temperature), rel=1e-12)
    weight = np.exp(-(energy - energy.min()) / temperature)
    assert mean_energy == pytest.approx(weight @ energy / weight.sum() / size**2, rel=1e-9)


def test_kaufman_is_symmetric_and_reaches_onsager():
    assert exact.kaufman(6, 10, 2.2) == pytest.approx(exact.kaufman(10, 6, 2.2), rel=1e-12)
    # Ferdinand, Fisher 1969: u(Tc) = -sqrt(2) - 2 c/L, c = t2 t3 t4/(t2 + t3 + t4), thetas at q =
    # exp(-pi).
    terms = np.exp(-np.pi * np.arange(1, 6) ** 2)
    theta3, theta4 = (
        1 + 2 * terms.sum(),
        1 + 2 * (terms * (-1.0) ** np.arange(1, 6)).sum(),
    )  # t2 = t4 here
    amplitude = 2 * theta3 * theta4**2 / (theta3 + 2 * theta4)
    energy = exact.kaufman(128, 128, exact.ONSAGER_TEMPERATURE)[1]
    assert energy == pytest.approx(-np.sqrt(2) - amplitude / 128, abs=2e-7)
    assert exact.kaufman(32, 32, 0.02) == pytest.approx((32 * 32 * 2 / 0.02 + np.log(2), -2))
    # ln Z per site at large L below Tc: the slope of Z in beta is the energy.
    above, below = exact.kaufman(32, 32, 1 / 0.4001)[0], exact.kaufman(32, 32, 1 / 0.3999)[0]
    assert (above - below) / 2e-4 / 1024 == pytest.approx(-exact.kaufman(32, 32, 2.5)[1], rel=1e-6)


def test_onsager():
    assert exact.onsager_magnetization(2.0) == pytest.approx(0.911319, abs=1e-6)
    assert exact.onsager_magnetization(2.3) == 0


def test_enumeration_has_the_known_density_of_states():
    """4x4 torus: g(-32) = 2, g(-24) = 32, g(-20) = 64, g(-16) = 424, g(0) = 20524 (Beale 1996)."""
    _, energy = exact.enumerate_states(ising.couplings(4, "nearest"))
    levels, counts = np.unique(energy, return_counts=True)
    known = {-32: 2, -24: 32, -20: 64, -16: 424, -12: 1728, -8: 6688, -4: 13568, 0: 20524}
    found = dict(zip(levels, counts, strict=True))
    assert {level: found[level] for level in known} == known


def test_complete_graph_equals_enumeration():
    """L = 3, R = 1: all nine spins interact."""
    levels, probability = exact.distribution(ising.couplings(3, "square", 1), 3.0, 0.2)
    spin, law = exact.complete_graph(9, 3.0, 0.2)
    for value, expected in zip(spin, law, strict=True):
        assert probability[levels[:, 0] == value].sum() == pytest.approx(expected, rel=1e-12)


def test_mean_field():
    spin, field = exact.spinodal(16 / 9)
    assert (spin, field) == pytest.approx((0.745356, 1.270449), abs=1e-6)
    assert len(exact.mean_field(16 / 9, -0.999 * field)) == 3
    assert len(exact.mean_field(16 / 9, -1.001 * field)) == 1
    assert exact.mean_field(16 / 9, -0.99999999 * field)[-1] == pytest.approx(spin, abs=1e-3)
    assert exact.mean_field(5.0, 0.0) == pytest.approx([0], abs=1e-12)
    for root in exact.mean_field(16 / 9, -1.0):
        assert root == pytest.approx(np.tanh((4 * root - 1) / (16 / 9)), abs=1e-12)


@pytest.mark.parametrize(
    ("interaction", "temperature", "field"),
    [("nearest", 2.5, 0.0), ("nearest", 2.0, 0.3), ("square", 3.5, 0.1)],
)
def test_cpp_equilibrium_equals_enumeration(interaction, temperature, field):
    """A chain of the C++ code on 4x4: <m>, <|m|>, <E> within 4 standard errors from 50 blocks
    (Student).
    """
    table = ising.couplings(4, interaction, 1)
    frames = metropolis.chain(
        4, 1, temperature, field, interaction, frames=50 * 2000, steps=10, seed=3
    )
    bonds = np.argwhere(table > 0)
    spin = frames.sum((1, 2))
    coupled = sum(frames * np.roll(frames, tuple(bond), axis=(1, 2)) for bond in bonds).sum((1, 2))
    energy = -0.5 * table[tuple(bonds[0])] * coupled - field * spin
    known = exact.averages(table, temperature, field)
    for samples, expected in zip((spin, np.abs(spin), energy), known, strict=True):
        blocks = samples.reshape(50, -1).mean(1) / 16
        assert stats.ttest_1samp(blocks, expected).pvalue > FOUR_SIGMA


@pytest.mark.parametrize(
    ("size", "interaction", "range"), [(5, "nearest", 1), (7, "square", 3), (8, "square", 2)]
)
def test_cpp_lifetimes_equal_numpy(size, interaction, range):
    """Lifetimes of a few MCS, 60 events in NumPy against 20000 in C++: Welch t, 4 standard
    errors.
    """
    temperature, field = 2.0, 1.5
    random = np.random.default_rng(4)
    table = ising.couplings(size, interaction, range)
    slow = [
        ising.nucleate(size, table, temperature, field, random, equilibration=2)[0]
        for _ in np.arange(60)
    ]
    fast = metropolis.lifetimes(
        size, range, temperature, field, interaction, 20000, seed=4, equilibration=2
    )
    assert stats.ttest_ind(slow, fast, equal_var=False).pvalue > FOUR_SIGMA
    assert np.std(slow) == pytest.approx(np.std(fast), rel=0.5)


@pytest.mark.parametrize(("size", "interaction", "range"), [(6, "nearest", 1), (7, "square", 2)])
def test_cpp_passages_equal_numpy(size, interaction, range):
    """Copies of one random start: the same fraction within 4 standard errors (Fisher's exact
    test).
    """
    temperature, field, duration = 2.0, 0.7, 4
    random = np.random.default_rng(5)
    start = np.where(random.random((size, size)) < 0.75, 1, -1).astype(np.int8)
    table = ising.couplings(size, interaction, range)
    slow = ising.copies(start, table, temperature, field, duration, 150, random)
    fast = metropolis.passage(
        size, range, temperature, field, interaction, start, 20000, duration, seed=5
    )
    reached = [[np.sum(x > 0), np.sum(x < 0)] for x in (slow, fast)]
    assert 0.1 < reached[1][0] / 20000 < 0.9
    assert stats.fisher_exact(reached).pvalue > FOUR_SIGMA


@pytest.mark.parametrize("range", [1, 2, 3, 4, 10])
def test_cpp_on_the_complete_graph(range):
    """L = 2R + 1: every window wraps and all pairs interact. Law of M by chi-square, p > 1e-5."""
    size = 2 * range + 1
    frames = metropolis.chain(size, range, 6.0, 0.5, "square", frames=3100, steps=12, seed=6)[100:]
    spin, law = exact.complete_graph(size**2, 6.0, 0.5)
    observed = np.bincount((size**2 - frames.sum((1, 2))) // 2, minlength=len(spin))
    group = np.floor(np.cumsum(law) * 20).astype(int).clip(max=19)  # about 20 bins of equal weight
    expected, observed = np.bincount(group, law) * len(frames), np.bincount(group, observed)
    assert stats.chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-5


def test_cpp_is_a_function_of_its_seed():
    arguments = dict(size=9, range=3, temperature=16 / 9, field=1.3, interaction="square", runs=20)
    first = metropolis.lifetimes(**arguments, seed=7)
    assert np.array_equal(first, metropolis.lifetimes(**arguments, seed=7))
    assert not np.array_equal(first, metropolis.lifetimes(**arguments, seed=8))
    short = metropolis.lifetimes(**arguments, seed=7, max_lifetime=3)
    assert np.array_equal(short, np.where(first <= 3, first, -1))


def test_bench_counts_whole_sweeps():
    attempts, seconds = metropolis.bench(10, 1, 1.0085, 0.57, "nearest", seconds=0.01)
    assert attempts % 100 == 0
    assert attempts >= 1e6
    assert seconds >= 0.01


def test_clusters_by_hand():
    spins = np.ones((4, 4), int)
    spins[
        [0, 3, 3, 1], [0, 0, 3, 2]
    ] = -1  # sites 0, 12, 15 touch through the edges, site 6 is alone
    bonds, coupling = percolation.candidate_bonds(spins, ising.couplings(4, "nearest"))
    assert sorted(map(tuple, bonds.tolist())) == [(0, 12), (12, 15)]
    assert np.all(coupling == 1)
    labels = percolation.label(spins, bonds)
    assert labels[0, 0] == labels[3, 0] == labels[3, 3] == 0
    assert labels[1, 2] == 6
    assert labels[2, 2] == -1
    assert percolation.largest(labels) == (0, 3)
    assert percolation.largest(percolation.label(spins, [])) == (
        0,
        1,
    )  # four of size one: the smallest label
    assert np.max(percolation.label(np.ones((3, 3)), [])) == -1


def test_centre_and_radius_on_the_torus():
    line = [[5, 1], [5, 0], [5, 7]]  # three sites through the edge of an 8 x 8 torus
    assert percolation.centre(line, 8) == pytest.approx([5, 0], abs=1e-12) or (
        percolation.centre(line, 8) == pytest.approx([5, 8], abs=1e-12)
    )
    assert percolation.radius_of_gyration(line, 8) == pytest.approx(np.sqrt(2 / 3))


def test_bond_probabilities():
    assert percolation.bond_probability(1.0, 2.0) == pytest.approx(1 - np.exp(-1))
    assert percolation.bond_probability(1.0, 2.0, density=0.5) == pytest.approx(1 - np.exp(-1))
    assert percolation.bond_probability(1.0, 2.0, density=1.0) == 0
    # Density-corrected bonds percolate at the spinodal: stable density times sum of p is 1 there.
    spin, _ = exact.spinodal(16 / 9)
    density, q = (1 - spin) / 2, 40000
    assert q * percolation.bond_probability(4 / q, 16 / 9, density) * density == pytest.approx(
        1, abs=1e-3
    )
