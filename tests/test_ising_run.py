"""Trajectories with observables, and trials that leave an interval of m, against configurations and
exact first passages.
"""

import dataclasses

import numpy as np
import pytest

from kernels import ising, percolation
from kernels.ising import Ising
from tests.test_ising_dynamics import FIELD, METASTABLE, STATES, TEMPERATURE, one_step

SYSTEMS = {
    "nearest": dict(size=5),
    "nearest in 3D": dict(size=4, dimensions=3),
    "random sites": dict(size=12, range=2, interaction="square"),
    "sublattices": dict(size=20, range=6),
    "sublattices, tiled": dict(size=28, range=12),
    "heat bath": dict(size=12, range=2, interaction="square", dynamics="heat_bath"),
}


def start(model, count=300):
    return model.pack(np.random.default_rng(1).choice([-1, 1], (count, *model.shape)))


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_seen_is_so(device, name):
    """m and H / N of the kept configurations, by definition and by FFT."""
    model = Ising(temperature=3.0, field=0.3, device=device, **SYSTEMS[name])
    spins = start(model)
    run = model.run(spins, [0, 1, 4], snapshots=True)
    seen = model.unpack(run.snapshots)
    axes = tuple(range(2, 2 + model.dimensions))
    assert run.magnetization == pytest.approx(seen.mean(axes), abs=1e-12)
    assert run.energy == pytest.approx(model.energy(seen) / model.sites, abs=1e-6)
    assert np.array_equal(run.snapshots[:, 0], spins)
    assert np.array_equal(run.snapshots[:, -1], run.spins)
    assert not np.array_equal(run.snapshots[:, 1], spins)


def test_a_run_goes_on_with_fresh_random_numbers(device):
    """Two stretches from all up, of which the second goes on from the first's all up again: they
    differ, and each is what it was when it is run again.
    """
    model = Ising(size=12, temperature=2.0, device=device)
    all_up = model.pack(np.ones((64, 12, 12), int))
    run = model.run(all_up, [1])
    assert np.array_equal(model.run(all_up, [1], seed=1).spins, run.spins)
    back = dataclasses.replace(run, spins=all_up)
    on, on_again = model.go_on(back, [2, 3]), model.go_on(back, [2])
    assert on.times.tolist() == [2, 3]
    assert np.array_equal(on_again.magnetization[:, 0], on.magnetization[:, 0])
    assert not np.array_equal(on_again.spins, run.spins)
    third = model.go_on(dataclasses.replace(on_again, spins=all_up), [3])
    assert not np.array_equal(third.spins, on_again.spins)
    with pytest.raises(ValueError, match="from 2 on"):
        model.go_on(run, [1])
    assert (run.stretch, on.stretch, third.stretch) == (0, 1, 2)


def test_a_quench_goes_on(device):
    """In the other model's field, unless the run was asked for in one of its own; what was asked
    to be seen is seen on.
    """
    hot = Ising(size=8, temperature=4.0, device=device)
    cold = Ising(size=8, temperature=1.0, field=3.0, device=device)
    up = hot.pack(np.ones((64, 8, 8), int))
    asked = dict(observe="magnetization", snapshots=True)
    run = cold.go_on(hot.run(up, [5], **asked), [30])
    assert run.energy is None
    assert run.snapshots.shape == (64, 1, 8)
    assert run.magnetization.mean() < -0.9  # down, along -h
    run = cold.go_on(hot.run(up, [5], field=2.0, **asked), [30])
    assert run.magnetization.mean() > 0.9


def test_largest_clusters(device):
    model = Ising(size=12, range=2, interaction="square", temperature=3.0, field=0.3, device=device)
    run = model.run(start(model, 40), [2, 5], observe="largest_cluster", snapshots=True)
    found = percolation.clusters(
        run.snapshots.reshape(-1, model.bytes),
        coupling_table=model.coupling_table(),
        temperature=3.0,
        bonds="density_corrected",
        seed=1,
        index=np.arange(80),
        device=device,
    )
    assert np.array_equal(run.largest_cluster, found.size.reshape(40, 2))
    assert run.energy is None


@pytest.mark.parametrize("dynamics", ["metropolis", "wolff"])
def test_calls_without_a_seed_are_not_alike(dynamics):
    """Each is that of seed 1 and its own number; a model made again begins again; a seed or a unit
    that is given is what it is.
    """

    def made():
        device = ising.select("cpu", workers=1)
        return Ising(size=8, temperature=2.5, dynamics=dynamics, device=device)

    model, spins = made(), start(made(), 40)
    for call, again in (
        (lambda m, **r: m.run(spins, [3], **r).spins, made()),
        (lambda m, **r: m.evolve(spins, 3, **r), made()),
    ):
        found = [call(model) for _ in range(3)]
        assert len({each.tobytes() for each in found}) == 3
        for number, each in enumerate(found):
            assert np.array_equal(each, call(model, seed=1, unit=number))  # counts no call
            assert np.array_equal(each, call(again))
        assert np.array_equal(call(model, seed=1), found[0])
        assert np.array_equal(call(model, unit=2), found[2])


def test_trials_have_the_first_passage_law(device):
    """3 x 3 sites from M = 3: the share that is at m <= 0 before at all up, its mean duration, and
    the mean of the others', against the 512-state chain; 256 groups of 4 096 trials.
    """
    model = Ising(size=3, temperature=TEMPERATURE, field=FIELD, device=device)
    states = np.flatnonzero(STATES.sum((1, 2)) == 3)[[5, 40]]
    parent = np.arange(256 * 4096) % 2
    duration, lowest, reached = model.shoot(
        model.pack(STATES[states]), parent, low=4, high=9, seed=3
    )
    up = (model.unpack(reached) > 0).sum((1, 2))
    assert duration.all()
    assert (up[duration > 0] <= 4).all()
    assert (up[duration < 0] == 9).all()
    assert np.array_equal(lowest[duration > 0], up[duration > 0])
    assert (lowest[duration < 0] > 4).all()
    step = one_step(-FIELD, "metropolis")
    inner = METASTABLE & (STATES.sum((1, 2)) < 9)
    green = np.linalg.inv(np.eye(inner.sum()) - step[np.ix_(inner, inner)])
    for number, state in enumerate(states):
        row = green[np.flatnonzero(np.flatnonzero(inner) == state)[0]]
        twice = row @ green
        for ended, target in ((duration > 0, ~METASTABLE), (duration < 0, METASTABLE & ~inner)):
            into = step[np.ix_(inner, target)].sum(1)
            for values, expected in (
                (ended, row @ into),
                (np.where(ended, np.abs(duration), 0), twice @ into),
            ):
                of_groups = values[parent == number].reshape(256, -1).mean(1)
                error = of_groups.std(ddof=1) / 16
                assert abs(of_groups.mean() - expected) < 4.5 * error


def test_trials_stop_at_their_limit(device):
    """One MCS, of more trials than replicas: as many up spins as the exact step from all up."""
    model = Ising(size=3, temperature=TEMPERATURE, field=FIELD, device=device)
    states = (STATES.sum((1, 2)) + 9) // 2
    law = one_step(-FIELD, "metropolis")[states == 9][0]
    duration, lowest, reached = model.shoot(
        model.pack(np.ones((1, 3, 3))), np.zeros(256 * 4096, int), low=4, high=10, limit=1, seed=7
    )
    up = (model.unpack(reached) > 0).sum((1, 2))
    assert np.array_equal(duration, up <= 4)  # MCS: one, or given up
    assert np.array_equal(lowest, up)
    for number in range(10):
        of_groups = (up == number).reshape(256, -1).mean(1)
        expected = law[states == number].sum()
        assert abs(of_groups.mean() - expected) <= 4.5 * max(of_groups.std(ddof=1) / 16, 1e-6)


@pytest.mark.parametrize("name", ["sublattices", "heat bath"])
def test_trials_are_of_the_same_dynamics(device, name):
    """Lifetimes from all up, every trial to its end, against nucleate's; 1 024 each."""
    # the field that makes them short; nucleate equilibrates in +h, where m is as good as 1
    model = Ising(temperature=16 / 9, field=1.6, device=device, **SYSTEMS[name])
    all_up = model.pack(np.ones(model.shape, int))
    duration, _, reached = model.shoot(
        all_up, np.zeros(1024, int), low=model.sites // 2, high=model.sites + 1, seed=3
    )
    assert (model.unpack(reached).sum((1, 2)) <= 0).all()
    units = model.nucleate(seed=4, units=range(2), events=512, history=1, equilibration=20)
    lifetime = np.concatenate([unit.lifetime for unit in units])
    # 64 blocks of 16, since replicas share the order of the sites
    blocks = [a.astype(float).reshape(64, 16).mean(1) for a in (duration, lifetime)]
    error = np.hypot(*(b.std(ddof=1) / 8 for b in blocks))
    assert abs(blocks[0].mean() - blocks[1].mean()) < 5 * max(error, 0.05)


def test_the_same_bytes_with_any_vectors():
    found = []
    for width in (8, 4):
        device = ising.select("cpu", workers=1, lanes=width)
        for name in ("sublattices", "heat bath"):
            model = Ising(temperature=3.0, field=1.0, device=device, **SYSTEMS[name])
            run = model.run(start(model, 70), [3])
            shot = model.shoot(
                start(model, 70), np.arange(70), low=model.sites // 2 - 3, high=model.sites, seed=2
            )
            found.append([a.tobytes() for a in (run.spins, run.energy, *shot)])
    assert found[:2] == found[2:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(times=[3, 3]), "times must be one or more increasing numbers from 0 on"),
        (dict(times=[-1]), "times"),
        (dict(times=[1], observe=["spin"]), "observe is 'spin'"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message):
    model = Ising(size=5, temperature=2.0)
    with pytest.raises(ValueError, match=message.split(";")[0]) as caught:
        model.run(start(model, 3), **arguments)
    assert "\n" not in str(caught.value)


def test_interactions_by_convolution_are_refused():
    model = Ising(size=9, temperature=2.0, interaction="kac")
    with pytest.raises(ValueError, match="interaction is kac; run is for nearest and square alone"):
        model.run(start(model, 3), [1])
