"""The Active Ising references against each other and against closed forms. No kernel is involved.
Seeds are fixed.

Laws by chi-square with a false alarm of 1e-5, means within 4.5 standard errors (7e-6): below 1e-4
over the file.
"""

import numpy as np
import pytest
from scipy import stats

from tests.reference import active_ising as reference
from tests.test_ising_equilibrium import check_law

SYSTEM = dict(temperature=0.5, diffusion=0.4, self_propulsion=0.7)
INFINITE = 1e9  # a temperature


def states_of(runs, equation):
    """How many of counts (..., L, L, 2) are each state of the master equation."""
    return np.bincount(equation.index(runs).ravel(), minlength=len(equation.states))


@pytest.mark.parametrize(("size", "particles"), [(2, 4), (3, 2)])
def test_master_equation(size, particles):
    equation = reference.MasterEquation(size, particles, **SYSTEM)
    law = equation.stationary()
    assert law.sum() == pytest.approx(1)
    assert np.all(law > 0)
    assert abs(law @ equation.generator).max() < 1e-12
    assert abs(equation.generator.sum(1)).max() < 1e-12
    assert np.all(equation.states.sum((1, 2, 3)) == particles)
    assert np.array_equal(equation.index(equation.states), np.arange(len(law)))
    for start in (1, -1, 0):
        before = equation.start(start)
        assert before.sum() == pytest.approx(1)
        assert before @ (equation.states[..., 1] - equation.states[..., 0]).sum(
            (1, 2)
        ) == pytest.approx(start * particles)
        assert equation.at(before, 40 / equation.gap()) == pytest.approx(law, abs=1e-12)
    # Spins and the x axis turned round together change nothing.
    assert law[equation.index(equation.states[:, ::-1, :, ::-1])] == pytest.approx(law, rel=1e-9)
    assert law[equation.index(equation.states[:, :, ::-1])] == pytest.approx(law, rel=1e-9)
    assert law[equation.index(np.roll(equation.states, 1, 1))] == pytest.approx(law, rel=1e-9)


def test_master_equation_limits():
    """Free particles at beta = 0; the law of a site at D = 0, other than which nothing then
    changes; one particle's waves.
    """
    free = reference.MasterEquation(2, 3, INFINITE)
    assert free.stationary() == pytest.approx(free.start(0), rel=1e-6)
    still = reference.MasterEquation(2, 4, 0.6, diffusion=0.0)
    law = still.at(still.start(1), 100.0)
    together = still.states[:, 0, 0].sum(1) == 4
    assert law[together] / law[together].sum() == pytest.approx(
        reference.site_law(4, 0.6)[still.states[together, 0, 0, 1]], rel=1e-9
    )
    alone = reference.MasterEquation(5, 1, **SYSTEM)
    x, y = (np.argmax(alone.states.sum((3, axis)), 1) for axis in (2, 1))
    origin = np.where((x == 0) & (y == 0), 0.5, 0.0)
    law, flip = alone.at(origin, 1.7), np.exp(-1 / SYSTEM["temperature"])
    for n in (1, 2):
        k = 2 * np.pi * n / 5
        expected = reference.scattering(
            k, 1.7, flip, SYSTEM["diffusion"], SYSTEM["self_propulsion"]
        )
        assert law @ np.cos(k * x) == pytest.approx(expected, rel=1e-9)
        assert law @ np.cos(k * y) == pytest.approx(
            reference.scattering(k, 1.7, flip, SYSTEM["diffusion"], 0.0), rel=1e-9
        )


def test_diffusion_constants():
    """They are the slow decay of long waves: 1 + 1.8^2/2 = 2.62 along x at beta = 0."""
    assert reference.diffusion_constants() == pytest.approx((2.62, 1.0))
    k, times = 1e-3, np.array([1e3, 2e3])
    for flip, self_propulsion in ((1.0, 0.9), (0.3, 0.5), (1.0, 0.0)):
        first, second = np.log(
            [reference.scattering(k, t, flip, 1.3, self_propulsion) for t in times]
        )
        expected = reference.diffusion_constants(1.3, self_propulsion, flip)[0]
        assert (first - second) / (k**2 * (times[1] - times[0])) == pytest.approx(
            expected, rel=1e-4
        )


def test_common_events():
    """Before each of them the law is the stationary one, just after it another."""
    equation = reference.MasterEquation(2, 4, **SYSTEM)
    law, total = equation.stationary(), -equation.common.diagonal().min()
    assert total == pytest.approx(
        4 * (4 * SYSTEM["diffusion"] + np.exp(-1 / SYSTEM["temperature"]))
    )
    assert abs(equation.common.sum(1)).max() < 1e-12
    after = law + law @ equation.common / total
    assert equation.after_common(after, 3) == pytest.approx(law, rel=1e-9)
    assert 0.01 < abs(after - law).sum() < 0.2
    assert np.all(
        (
            (equation.generator - equation.common)
            - np.diag((equation.generator - equation.common).diagonal())
        )
        >= -1e-12
    )


@pytest.mark.parametrize(("size", "particles"), [(2, 4), (3, 3)])
def test_standard_algorithm_has_the_stationary_law(size, particles):
    """All states of the master equation: one run, looks so far apart that exp(-gap t) = 1e-4."""
    equation = reference.MasterEquation(size, particles, **SYSTEM)
    lattice = reference.Lattice(size, particles, start=1, seed=21, **SYSTEM)
    looks = lattice.look(np.arange(1, 20001) * 9.2 / equation.gap())
    check_law(states_of(looks, equation), equation.stationary())


@pytest.mark.parametrize("start", [1, -1, 0])
def test_standard_algorithm_has_the_law_of_every_attempt(start):
    equation = reference.MasterEquation(2, 3, **SYSTEM)
    found = []
    for seed in range(6000):
        lattice = reference.Lattice(2, 3, start=start, seed=seed, **SYSTEM)
        lattice.advance(15)
        found.append(lattice.counts)
    expected = equation.after(equation.start(start), 15, SYSTEM["temperature"], SYSTEM["diffusion"])
    check_law(states_of(np.array(found), equation), expected)
    time = 15 * lattice.dt / 3
    assert (
        2e-3 < abs(expected - equation.at(equation.start(start), time)).sum() < 0.2
    )  # attempts are not yet continuous time


def test_gillespie_has_the_law_of_every_time():
    equation = reference.MasterEquation(2, 3, **SYSTEM)
    random = np.random.default_rng(22)
    runs = np.array(
        [
            reference.gillespie(2, 3, start=1, times=[0.7, 4.0], random=random, **SYSTEM)
            for _ in range(1500)
        ]
    )
    check_law(states_of(runs[:, 0], equation), equation.at(equation.start(1), 0.7))
    check_law(states_of(runs[:, 1], equation), equation.at(equation.start(1), 4.0))


@pytest.mark.parametrize(("particles", "temperature"), [(1, 0.5), (5, 0.4), (12, 0.8), (150, 1.1)])
def test_one_site(particles, temperature):
    """P(n+) of a lattice of one site, 150 particles being more than the table of flips holds."""
    lattice = reference.Lattice(1, particles, temperature, start=0, seed=23, diffusion=0.0)
    spacing = {1: 30.0, 5: 60.0, 12: 40.0, 150: 60.0}[particles]
    up = lattice.look(np.arange(1, 3001) * spacing)[:, 0, 0, 1]
    observed, law = (
        np.bincount(up, minlength=particles + 1),
        reference.site_law(particles, temperature),
    )
    if particles == 1:
        assert stats.binomtest(observed[1], 3000, law[1]).pvalue > 1e-5
    else:
        check_law(observed, law)


def test_free_particles():
    """Infinite temperature: occupancy is binomial, and long waves decay as `scattering` says; 600
    pairs of looks.
    """
    size, particles, lag = 12, 288, 1.0
    lattice = reference.Lattice(size, particles, INFINITE, start=0, seed=24)
    counts = lattice.look(np.arange(600) * lag)
    occupied = counts[::20].sum(-1)  # 20 time units: D k^2 t = 5.5
    law = stats.binom.pmf(np.arange(30), particles, 1 / size**2)
    check_law(np.bincount(occupied.ravel(), minlength=30), law)
    k = 2 * np.pi / size
    for axis, self_propulsion in ((2, 0.9), (1, 0.0)):
        wave = counts.sum((axis, 3)) @ np.exp(1j * k * np.arange(size))
        decay = reference.scattering(k, lag, self_propulsion=self_propulsion)
        rest = (wave[1:] * wave[:-1].conj()).real / particles - decay * abs(
            wave[:-1]
        ) ** 2 / particles
        assert abs(rest.mean()) < 4.5 * stats.sem(rest)
        wrong = reference.scattering(k, 1.2 * lag, self_propulsion=self_propulsion)
        assert abs(np.mean((decay - wrong) * abs(wave) ** 2 / particles)) > 2 * stats.sem(
            rest
        )  # what would be seen


def test_standard_algorithm_and_gillespie_agree():
    """<|m|> and the second moment of the occupancy of 16 particles on 4 x 4 after 6 time units."""
    random = np.random.default_rng(25)
    arguments = dict(size=4, particles=16, start=0, **SYSTEM)
    plain = np.array(
        [reference.Lattice(seed=seed, **arguments).look([6.0])[0] for seed in range(2000)]
    )
    events = np.array(
        [reference.gillespie(times=[6.0], random=random, **arguments)[0] for _ in range(250)]
    )
    for quantity in (
        lambda c: abs(c[..., 1] - c[..., 0]).sum((1, 2)),
        lambda c: (c.sum(-1) ** 2).sum((1, 2)),
        lambda c: abs((c[..., 1] - c[..., 0]).sum((1, 2))),
    ):
        assert stats.ttest_ind(quantity(plain), quantity(events), equal_var=False).pvalue > 1e-5
