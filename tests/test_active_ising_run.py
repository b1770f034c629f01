"""Flocks that go on, and what is told of them: order, bands, variance, phase."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from kernels import flock_phases
from kernels.active_ising import ActiveIsing
from kernels.device import select


@pytest.mark.parametrize("algorithm", ["standard", "continuous_time"])
def test_a_flock_goes_on(device, algorithm):
    """In two stretches the law is that of one: mean m^2 and density variance of 1 500 replicas each
    within 4.5 errors; particles stay, maps are of the time that they say.
    """
    model = ActiveIsing(size=8, algorithm=algorithm, device=device)
    many = dict(temperature=np.full(1500, 0.5), density=2, start=1)
    whole = model.run(**many, times=[6, 12], seed=3)
    first = model.run(**many, times=[6], seed=4, snapshots=[False])
    assert first.magnetization_map.shape == (1500, 0, 8, 8)
    on = model.go_on(first, [8, 12])
    assert on.times.tolist() == [8, 12]
    assert np.array_equal(on.particles, whole.particles)
    assert np.array_equal(on.magnetization_map[:, -1], on.last_magnetization_map)
    assert np.array_equal(
        first.last_magnetization_map.sum((1, 2), dtype=np.int64), first.magnetization[:, 0]
    )
    for one, other in (
        (whole.order[:, -1] ** 2, on.order[:, -1] ** 2),
        (whole.density_variance[:, -1], on.density_variance[:, -1]),
    ):
        error = np.hypot(stats.sem(one), stats.sem(other))
        assert abs(one.mean() - other.mean()) < 4.5 * error
    earlier = whole.order[:, 0] ** 2
    assert abs(earlier.mean() - (on.order[:, -1] ** 2).mean()) > 6 * stats.sem(earlier), "at rest"


def test_random_numbers_are_fresh(device):
    """Twice from the same maps: the same bytes; a stretch later: others."""
    model = ActiveIsing(size=8, device=device)
    run = model.run(temperature=[0.5, 0.3], density=2, start=1, times=[3])
    again = model.go_on(run, [5])
    assert np.array_equal(again.last_density_map, model.go_on(run, [5]).last_density_map)
    later = model.go_on(dataclasses.replace(run, stretch=1), [5])
    assert not np.array_equal(again.last_density_map, later.last_density_map)
    assert (later.stretch, again.stretch, run.stretch) == (2, 1, 0)
    assert np.array_equal(again.index, run.index)
    with pytest.raises(ValueError, match="beyond 3"):
        model.go_on(run, [3])
    with pytest.raises(ValueError, match="255"):
        model.go_on(dataclasses.replace(run, stretch=255), [5])


def test_what_is_told_is_so(device):
    model = ActiveIsing(size=30, device=device)
    run = model.run(temperature=[0.3, 0.6, 1.0], density=3, start=1, times=[0, 200])
    rho = run.density_map.astype(float)
    assert run.density_variance == pytest.approx(rho.var((2, 3)))
    crowd = np.zeros((1, 30, 30), int)
    crowd[0, 3, 3] = 64
    many = model.run(temperature=1.0, density=None, start=(crowd, crowd), times=[0])
    assert np.isnan(many.density_variance).all()
    assert run.order == pytest.approx(run.magnetization_map.mean((2, 3)) / 3)
    modes = np.abs(np.fft.rfft2(run.magnetization_map, axes=(3, 2)))[..., 1:4, 0]
    assert run.band_amplitude == pytest.approx(modes.max(-1) / 2700)
    assert run.phase[:, 0].tolist() == [2, 2, 2]  # all spins up, at random sites
    assert run.phase[[0, 2], 1].tolist() == [2, 0]
    assert run.phase_name[[0, 2], 1].tolist() == ["L", "G"]


def test_the_rule():
    """A band of half the box, a liquid, a gas, and domains of both spins, particle by particle."""
    along = np.zeros((4, 60))
    along[0, :30], along[1], along[3, :30], along[3, 30:] = 20, 10, 10, -10
    particles = np.full(4, 600)
    order, amplitude = along.sum(1) / 600, flock_phases.band_amplitude(along, particles)
    assert amplitude[0] == pytest.approx(2 / np.pi, rel=1e-3)
    assert flock_phases.phase_of(order, amplitude).tolist() == [1, 2, 0, -1]


def test_calls_without_a_seed_are_not_alike():
    """Replicas go on being counted; a model made again begins again; what is given is what it
    is.
    """
    how = dict(temperature=[0.5, 0.6], density=2.0, start=0, times=[4])
    model, again = (ActiveIsing(size=9, device=select("cpu", workers=1)) for _ in range(2))
    first, second = model.run(**how), model.run(**how)
    assert first.index.tolist() == [0, 1]
    assert second.index.tolist() == [2, 3]
    assert not np.array_equal(first.density_map, second.density_map)
    explicit = model.run(**how, seed=1)  # counts no call
    assert np.array_equal(explicit.density_map, first.density_map)
    indexed = model.run(**how, index=[2, 3])
    assert np.array_equal(indexed.density_map, second.density_map)
    for each in (first, second):
        assert np.array_equal(again.run(**how).density_map, each.density_map)
    assert not np.array_equal(model.run(**how).density_map, second.density_map)


def test_a_run_of_another_size():
    run = ActiveIsing(size=6).run([0.5], [2], [1], [1.0])
    with pytest.raises(ValueError, match="size is 8; the run is of size 6"):
        ActiveIsing(size=8).go_on(run, [2.0])
