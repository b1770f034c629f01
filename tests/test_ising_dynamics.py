"""Transition probabilities of the Ising kernels against exact results, for every dynamics and
interaction.

Any dynamics with detailed balance has the Boltzmann law, so the law alone does not tell a heat bath
from Metropolis: what is compared is where 1 and 3 MCS lead. On 3 x 3 sites the one-MCS matrix of
the 2^9 states is exact; where every spin interacts equally with all others (L = 2R + 1) the number
of up spins is itself a Markov chain. Replicas of a unit share the order of the sites, so errors
come from the scatter between units.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from kernels import ising, ising_bits
from tests.reference import ising as reference

UNITS, REPLICAS = 256, 512
FREE = ("metropolis", "heat_bath")  # dynamics in which m changes
FIELD, TEMPERATURE = 0.6, 2.5
SIZE = 3
SITES = SIZE**2
STATES = (  # (512, 3, 3), +1 and -1; state n has bit i of n up at site i
    2 * (np.arange(2**SITES)[:, None] >> np.arange(SITES) & 1) - 1
).reshape(-1, SIZE, SIZE)
UP = 2**SITES - 1
METASTABLE = STATES.sum((1, 2)) > 0


def flip_probability(change, dynamics):
    """Of a move that costs `change`, in units of T."""
    if dynamics == "metropolis":
        return np.exp(-np.maximum(change, 0))
    return 1 / (1 + np.exp(change))


def one_step(field, dynamics, interaction="nearest", exponent=None):
    """P[from, to] of 1 MCS, N attempts at random sites, of the 512 states."""
    table = reference.couplings(SIZE, interaction, exponent=exponent)
    local = np.array([reference.local_fields(s, table) for s in STATES]).reshape(-1, SITES) + field
    change = 2 * STATES.reshape(-1, SITES) * local / TEMPERATURE
    attempt, states = np.zeros((2**SITES, 2**SITES)), np.arange(2**SITES)
    for site in range(SITES):
        flip = flip_probability(change[:, site], dynamics) / SITES
        attempt[states, states ^ 1 << site] += flip
        attempt[states, states] += 1 / SITES - flip
    return np.linalg.matrix_power(attempt, SITES)


def complete_step(sites, field, dynamics):
    """P[from, to] of 1 MCS of the number of up spins, each of which interacts with all others
    equally, sum of J = 4.
    """
    up = np.arange(sites + 1)
    attempt = np.zeros((sites + 1, sites + 1))
    for spin in (1, -1):
        local = 4 / (sites - 1) * (2 * up - sites - spin) + field
        of_spin = (up if spin > 0 else sites - up) / sites
        flip = of_spin * flip_probability(2 * spin * local / TEMPERATURE, dynamics)
        to = np.clip(up - spin, 0, sites)
        np.add.at(attempt, (up, to), flip)
    attempt[up, up] += 1 - attempt.sum(1)
    return np.linalg.matrix_power(attempt, sites)


def deviation(of_units, expected):
    """In standard errors from the scatter between units; of 256 beyond 4.5 once in 1e5."""
    assert len(of_units) == UNITS
    return (np.mean(of_units) - expected) / stats.sem(of_units)


def sums_of_spins(model, steps, field):
    """M of 512 replicas of 256 units, `steps` MCS after all up; seed 5."""
    start = model.pack(np.ones((REPLICAS, *model.shape)))
    ends = (model.evolve(start, steps, seed=5, unit=unit, field=field) for unit in range(UNITS))
    axes = tuple(range(1, 1 + model.dimensions))
    return np.array([model.unpack(end).sum(axes, dtype=np.int64) for end in ends])


@pytest.mark.parametrize("temperature", [0.3, 16 / 9, 50.0])
@pytest.mark.parametrize("field", [0.0, 0.57, -0.57, 4.0, -4.0, 1000.0, -1000.0])
@pytest.mark.parametrize("range_", [0, 2, 10, 32])
def test_the_table_is_the_probability_of_up(range_, field, temperature):
    """1 / (1 + exp(-2 h_local / T)) for every number of up neighbours, to 1e-9; 0: nearest."""
    q = (2 * range_ + 1) ** 2 - 1 or 4
    system = SimpleNamespace(
        interaction="square" if range_ else "nearest",
        neighbours=q,
        coupling=4 / q,
        temperature=temperature,
        dynamics="heat_bath",
    )
    table, _ = ising_bits.acceptance_table(system, field)
    bits = 0.5 ** np.arange(1, 33)
    found = table[: q + 1] / 2.0**32 if range_ else bits @ (table.reshape(32, 5) > 0)
    local_field = [4 / q * (2 * up - q) + field for up in range(q + 1)]
    expected = [(1 + math.tanh(f / temperature)) / 2 for f in local_field]
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("field", [-FIELD, 1.1])
@pytest.mark.parametrize(("interaction", "exponent"), [("nearest", None), ("power_law", 2.0)])
@pytest.mark.parametrize("dynamics", FREE)
def test_of_all_states(device, dynamics, interaction, exponent, field):
    """Mean and mean square of M, 1 and 3 MCS after all up."""
    model = ising.Ising(
        size=SIZE,
        temperature=TEMPERATURE,
        interaction=interaction,
        exponent=exponent,
        dynamics=dynamics,
        device=device,
    )
    step, other = (
        one_step(field, name, interaction, exponent) for name in (dynamics, *set(FREE) - {dynamics})
    )
    for steps in (1, 3):
        m = sums_of_spins(model, steps, field)
        for power in (1, 2):
            found, exact = (m.astype(float) ** power).mean(1), STATES.sum((1, 2)) ** power
            law = np.linalg.matrix_power(step, steps)[UP]
            assert abs(deviation(found, law @ exact)) < 4.5
            if (steps, power, field) == (1, 1, -FIELD):
                assert abs(deviation(found, other[UP] @ exact)) > 6, "it would see the other one"


@pytest.mark.parametrize("range_", [2, 6])
@pytest.mark.parametrize("dynamics", FREE)
def test_of_complete_graphs(device, dynamics, range_):
    """Mean and mean square of M, 1 and 3 MCS after all up: random sites up to R = 5, then
    sublattices; numbers of 5 and 8 bits.
    """
    model = ising.Ising(
        size=2 * range_ + 1,
        range=range_,
        temperature=TEMPERATURE,
        interaction="square",
        dynamics=dynamics,
        device=device,
    )
    (other,) = set(FREE) - {dynamics}
    sums = 2 * np.arange(model.sites + 1) - model.sites
    for steps in (1, 3):
        m = sums_of_spins(model, steps, -FIELD)
        for power in (1, 2):
            found = (m.astype(float) ** power).mean(1)
            step, wrong = (
                np.linalg.matrix_power(complete_step(model.sites, -FIELD, name), steps)[-1]
                for name in (dynamics, other)
            )
            assert abs(deviation(found, step @ sums.astype(float) ** power)) < 4.5
            if (steps, power) == (1, 1):
                assert abs(deviation(found, wrong @ sums)) > 6, "it would see the other one"


@pytest.mark.parametrize("dynamics", FREE)
def test_in_three_dimensions(device, dynamics):
    """M after 1 and 2 MCS from all up on 4^3 sites against one site after another in NumPy."""
    model = ising.Ising(
        size=4,
        temperature=4.0,
        dimensions=3,
        dynamics=dynamics,
        device=device,
    )
    random, replicas = np.random.default_rng(8), 1 << 16
    spins, rows = np.ones((replicas, 4, 4, 4), np.int8), np.arange(replicas)
    for steps in (1, 2):
        for _ in range(64):
            x = random.integers(4, size=(3, replicas))
            local = np.zeros(replicas)
            for axis in range(3):
                for way in (-1, 1):
                    beside = x.copy()
                    beside[axis] = (beside[axis] + way) % 4
                    local += spins[(rows, *beside)]
            here = spins[(rows, *x)]
            flip = random.random(replicas) < flip_probability(
                2 * here * (local - FIELD) / 4.0, dynamics
            )
            spins[(rows, *x)] = np.where(flip, -here, here)
        slow = spins.sum((1, 2, 3), dtype=np.int64).astype(float)
        m = sums_of_spins(model, steps, -FIELD).astype(float)
        for power in (1, 2):
            found, expected = (m**power).mean(1), slow**power
            error = math.hypot(stats.sem(found), stats.sem(expected))
            assert abs(found.mean() - expected.mean()) < 4.5 * error


def test_nucleate_has_the_mean_lifetime(device):
    """From all up, 20 MCS in +h, then -h to m <= 0: mean first passage of the 512 states, heat
    bath, 256 units of 512 events; seed 6.
    """
    model = ising.Ising(
        size=SIZE, temperature=TEMPERATURE, field=FIELD, dynamics="heat_bath", device=device
    )
    units = model.nucleate(
        seed=6, units=np.arange(UNITS), events=REPLICAS, history=1, equilibration=20
    )
    found = [unit.lifetime.mean() for unit in units]

    def lifetime(dynamics):
        start = np.linalg.matrix_power(one_step(FIELD, dynamics), 20)[UP]
        step = one_step(-FIELD, dynamics)
        inner = step[:, METASTABLE]  # a lifetime is at least one MCS
        left = np.linalg.solve(
            np.eye(METASTABLE.sum()) - inner[METASTABLE], np.ones(METASTABLE.sum())
        )
        return start @ (1 + inner @ left)

    assert abs(deviation(found, lifetime("heat_bath"))) < 4.5
    assert abs(deviation(found, lifetime("metropolis"))) > 6, "the test would see Metropolis"
