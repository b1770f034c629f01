"""Fixed spins against the exact chain of the 512 states of 3 x 3 sites, at some of which nothing
flips.
"""

import numpy as np
import pytest

from kernels.ising import Ising
from tests.reference import ising as reference
from tests.test_ising_dynamics import (
    FIELD,
    REPLICAS,
    SITES,
    SIZE,
    STATES,
    TEMPERATURE,
    UNITS,
    deviation,
    flip_probability,
)

FIXED = np.array([[1, 0, 0], [0, -1, 0], [0, 0, 0]])
FREE = np.flatnonzero(FIXED.ravel() == 0)
ALLOWED = (STATES.reshape(-1, SITES)[:, FIXED.ravel() != 0] == FIXED[FIXED != 0]).all(1)
START = np.flatnonzero((np.where(FIXED, FIXED, 1) == STATES).all((1, 2)))[0]


def one_step(field, dynamics):
    """P[from, to] of 1 MCS, N attempts at random sites, fixed ones included."""
    table = reference.couplings(SIZE, "nearest")
    local = np.array([reference.local_fields(s, table) for s in STATES]).reshape(-1, SITES) + field
    change = 2 * STATES.reshape(-1, SITES) * local / TEMPERATURE
    attempt, states = np.eye(2**SITES), np.arange(2**SITES)
    for site in FREE:
        flip = flip_probability(change[:, site], dynamics) / SITES
        attempt[states, states ^ 1 << site] += flip
        attempt[states, states] -= flip
    return np.linalg.matrix_power(attempt, SITES)


def model_of(device, dynamics):
    return Ising(
        size=SIZE,
        temperature=TEMPERATURE,
        field=FIELD,
        dynamics=dynamics,
        fixed=FIXED,
        device=device,
    )


@pytest.mark.parametrize("dynamics", ["metropolis", "heat_bath"])
def test_of_all_states(device, dynamics):
    """Mean and mean square of M 1 and 3 MCS after all up but what is fixed."""
    model = model_of(device, dynamics)
    all_up = model.pack(np.ones((REPLICAS, SIZE, SIZE)))
    runs = [model.run(all_up, [1, 3], unit=unit, snapshots=True) for unit in range(UNITS)]
    law = one_step(-FIELD, dynamics)
    for look, steps in enumerate((1, 3)):
        spins = np.array([model.unpack(run.snapshots[:, look]) for run in runs])
        assert (spins[..., FIXED != 0] == FIXED[FIXED != 0]).all()
        m = spins.sum((2, 3), dtype=np.int64).astype(float)
        exact = np.linalg.matrix_power(law, steps)[START]
        for power in (1, 2):
            expected = exact @ STATES.sum((1, 2)).astype(float) ** power
            assert abs(deviation((m**power).mean(1), expected)) < 4.5


@pytest.mark.parametrize("dynamics", ["metropolis", "heat_bath"])
def test_nucleate_has_the_mean_lifetime(device, dynamics):
    """From all up, 20 MCS in +h, then -h to m <= 0; in every configuration what is fixed is."""
    model = model_of(device, dynamics)
    events = model.nucleate(
        seed=6, units=np.arange(UNITS), events=REPLICAS, history=2, equilibration=20
    )
    found = [unit.lifetime.mean() for unit in events]
    # the end, and the MCS before it: of short events the older ones are from before the turn
    seen = np.array([model.unpack(unit.history[:, -2:]) for unit in events[:8]])
    assert (seen[..., FIXED != 0] == FIXED[FIXED != 0]).all()
    start = np.linalg.matrix_power(one_step(FIELD, dynamics), 20)[START]
    step = one_step(-FIELD, dynamics)
    up = (STATES.sum((1, 2)) > 0) & ALLOWED
    inner = step[:, up]
    left = np.linalg.solve(np.eye(up.sum()) - inner[up], np.ones(up.sum()))
    assert abs(deviation(found, start @ (1 + inner @ left))) < 4.5


@pytest.mark.parametrize(
    "system",
    [
        dict(size=10),
        dict(size=6, dimensions=3),
        dict(size=16, range=6),
        dict(size=10, dynamics="kawasaki"),
        dict(size=16, range=6, dynamics="kawasaki"),
    ],
)
def test_a_wall_stands(device, system):
    """Two walls, one up and one down, whatever the starts are; all else is free to move."""
    fixed = np.zeros((system["size"],) * system.get("dimensions", 2), int)
    fixed[0], fixed[5] = 1, -1
    model = Ising(temperature=3.0, fixed=fixed, device=device, **system)
    start = np.random.default_rng(2).choice([-1, 1], (300, *model.shape))
    run = model.run(model.pack(start), [0, 30], snapshots=True)
    seen = model.unpack(run.snapshots)
    assert (seen[:, :, 0] == 1).all()
    assert (seen[:, :, 5] == -1).all()
    free = fixed == 0
    assert (seen[:, 0][:, free] == start[:, free]).all()
    assert ((seen[:, 1] != seen[:, 0])[:, free].any(0)).all()
    near = seen[:, 1, 1].mean(), seen[:, 1, 4].mean()
    if system["size"] == 10 and "dynamics" not in system:
        assert near[0] > 0.2 > -0.2 > near[1], "a wall attracts its own"
    if system.get("dynamics") == "kawasaki":
        assert np.ptp(run.magnetization, axis=1).max() < 1e-12


def test_what_is_refused(device):
    with pytest.raises(ValueError, match="fixed"):
        Ising(size=8, temperature=2.0, fixed=np.zeros((7, 8)), device=device)
    with pytest.raises(ValueError, match="wolff"):
        Ising(size=8, temperature=2.0, fixed=np.zeros((8, 8)), dynamics="wolff", device=device)
    model = Ising(size=8, temperature=2.0, fixed=np.eye(8), device=device)
    with pytest.raises(ValueError, match="trials"):
        model.shoot(model.pack(np.ones((1, 8, 8))), [0], low=3, high=60, seed=1)
    for sign in (1, -1):
        held = Ising(size=8, temperature=2.0, fixed=np.full((8, 8), sign), device=device)
        with pytest.raises(ValueError, match="half"):
            held.nucleate(seed=1, units=[0], events=1)
