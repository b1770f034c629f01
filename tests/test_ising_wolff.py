"""Wolff's clusters: the Boltzmann law of all states, Kaufman's energy, and three dimensions.

A replica has its own random numbers, so that errors are those of independent samples.
"""

import itertools

import numpy as np
import pytest
from scipy import stats

from kernels import ising_wolff, rare_events
from kernels.ising import Ising, critical_temperature
from tests.reference import exact
from tests.test_ising_dynamics import STATES
from tests.test_ising_equilibrium import check_law

INTERACTIONS = {
    "nearest": {},
    "square": dict(range=1, interaction="square"),
    "power_law": dict(interaction="power_law", exponent=2.0),
    "kac": dict(interaction="kac", range=0.7),
}


def counts(model, packed):
    """Of the 512 states."""
    up = model.unpack(packed).reshape(len(packed), -1) > 0
    return np.bincount(up @ (1 << np.arange(9)), minlength=512)


@pytest.mark.parametrize("name", INTERACTIONS)
@pytest.mark.parametrize("temperature", [1.9, 5.0])
def test_3x3_has_the_boltzmann_law(device, name, temperature):
    """Of 2^16 states drawn from the law one cluster leaves the law; 200 lead to it from all up."""
    system = INTERACTIONS[name]
    model = Ising(size=3, temperature=temperature, dynamics="wolff", device=device, **system)
    weight = np.exp(-model.energy(STATES) / temperature)
    law = weight / weight.sum()
    drawn = np.random.default_rng(4).choice(512, 1 << 16, p=law)
    before = model.pack(STATES[drawn])
    after = model.evolve(before, 1, seed=3)
    assert (before != after).any(1).all()
    check_law(counts(model, after), law)
    all_up = model.pack(np.ones((1 << 16, 3, 3)))
    check_law(counts(model, model.evolve(all_up, 200, seed=4)), law)


def test_a_cluster_over_three_bonds(device):
    """Three spins in a row of an L = 3 torus whose rows are told apart by their spins: from a row
    up, all else down, a cluster that starts in the row takes both others, over three bonds in a
    ring with p = 1 - exp(-2 / T), with probability p^3 + 3 p^2 (1 - p).
    """
    temperature, replicas = 2.0, 1 << 16
    model = Ising(size=3, temperature=temperature, dynamics="wolff", device=device)
    start = -np.ones((3, 3), int)
    start[1] = 1
    end = model.unpack(model.evolve(model.pack(np.tile(start, (replicas, 1, 1))), 1, seed=6))
    began = (end[:, 1] < 0).any(1)  # a third of them
    whole = (end[:, 1] < 0).all(1)
    assert (end[began][:, [0, 2]] == -1).all()
    p = 1 - np.exp(-2 / temperature)
    share = (p**3 + 3 * p**2 * (1 - p)) / 3
    for found, expected in ((began, 1 / 3), (whole, share)):
        error = np.sqrt(expected * (1 - expected) / replicas)
        assert abs(found.mean() - expected) < 4.5 * error


def test_kaufman_at_the_critical_temperature(device):
    """H / N of L = 32 at Tc: 512 replicas, 60 looks 20 clusters apart, after 400 clusters."""
    temperature = critical_temperature("nearest")
    model = Ising(size=32, temperature=temperature, dynamics="wolff", device=device)
    run = model.run(model.pack(np.ones((512, 32, 32))), 400 + 20 * np.arange(60), seed=2)
    of_replicas = run.energy.mean(1)
    expected = exact.kaufman(32, 32, temperature)[1]
    assert stats.sem(of_replicas) < 1e-3
    assert abs(of_replicas.mean() - expected) < 4.5 * stats.sem(of_replicas)
    assert abs(run.magnetization.mean()) < 4.5 * stats.sem(run.magnetization.mean(1))


@pytest.mark.parametrize("dynamics", ["metropolis", "heat_bath", "wolff"])
def test_three_dimensions_have_the_published_series(device, dynamics):
    """|m| and H / N of L = 12 at T = 2 against low-temperature series in u = exp(-4 / T) (M. F.
    Sykes, J. W. Essam, D. S. Gaunt, J. Math. Phys. 6, 283 (1965)), whose terms from u^9 on are
    below 1e-4 there. Boundaries are felt by clusters of 12 spins, u^24, alone.
    """
    temperature = 2.0
    model = Ising(size=12, temperature=temperature, dimensions=3, dynamics=dynamics, device=device)
    # replicas that share the order of the sites: errors from the scatter between units
    units, apart = (6, 4) if dynamics == "wolff" else (20, 10)
    start = model.pack(np.ones((512, *model.shape)))
    times = apart * np.arange(4, 14)
    runs = [model.run(start, times, seed=3, unit=unit) for unit in range(units)]

    def independent(values):
        return values.mean(1) if dynamics == "wolff" else [values.mean()]

    u = np.exp(-4 / temperature)
    m = 1 - 2 * u**3 - 12 * u**5 + 14 * u**6 - 90 * u**7 + 192 * u**8
    energy = -3 + 4 * (3 * u**3 + 15 * u**5 - 21 * u**6 + 105 * u**7 - 264 * u**8)
    for values, expected in (
        ([np.abs(run.magnetization) for run in runs], m),
        ([run.energy for run in runs], energy),
    ):
        found = np.concatenate([independent(each) for each in values])
        assert stats.sem(found) < 1e-4
        assert abs(np.mean(found) - expected) < 1e-4 + 5.5 * stats.sem(found)


@pytest.mark.parametrize("mean", [0.01, 2.0, 3.5255, 60.0])
def test_numbers_of_points(mean):
    table = ising_wolff.points_table(mean).astype(float) / 2**32
    number = np.arange(len(table))
    share = np.diff(table, prepend=0.0)
    assert np.abs(share - stats.poisson.pmf(number, mean)).max() < 1e-9
    assert table[-1] == 1 - 2.0**-32


def test_alias_tables():
    """The share of each number, summed over the columns, is its weight's."""
    for weight in (
        np.ones(4),
        np.arange(1.0, 100.0),
        np.random.default_rng(1).exponential(size=50),
    ):
        threshold, alias = ising_wolff.alias_table(weight)
        own = np.minimum(threshold / 2.0**32 + 2.0**-32, 1)
        share = own + np.bincount(alias, 1 - own, minlength=len(weight))
        assert share / len(weight) == pytest.approx(weight / weight.sum(), abs=1e-8)


def test_what_is_refused(device):
    with pytest.raises(ValueError, match="h = 0"):
        Ising(size=8, temperature=2.0, field=0.1, dynamics="wolff", device=device)
    model = Ising(size=8, temperature=2.0, dynamics="wolff", device=device)
    spins = model.pack(np.ones((2, 8, 8)))
    with pytest.raises(ValueError, match="h = 0"):
        model.run(spins, [1], field=0.1)
    with pytest.raises(ValueError, match="wolff"):
        model.nucleate(seed=1, units=[0], events=1)
    with pytest.raises(ValueError, match="wolff"):
        rare_events.forward_flux(model)


def test_a_run_goes_on(device):
    model = Ising(size=8, temperature=2.0, dynamics="wolff", device=device)
    run = model.run(model.pack(np.ones((40, 8, 8))), [1, 5], snapshots=True)
    on = model.go_on(run, [6, 9])
    assert np.array_equal(run.snapshots[:, -1], run.spins)
    assert not np.array_equal(on.spins, run.spins)
    assert list(itertools.chain(run.times, on.times)) == [1, 5, 6, 9]
