"""Lifetimes, committors and forward flux sampling against exact first passages."""

import hashlib
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from kernels.device import select
from kernels.forward_flux import combined, pilot, sample
from kernels.ising import Ising
from kernels.ising_events import NucleationEvents
from kernels.rare_events import (
    committor,
    find_field,
    forward_flux,
    mean_lifetime,
)
from tests.reference import exact
from tests.test_ising_dynamics import FIELD, METASTABLE, STATES, TEMPERATURE, one_step

FIELD_OF_200 = 1.1235467  # h, where exact.mean_first_passage(4, 1.0, -h) is 200 MCS
SPINODAL = Ising(size=4, temperature=1.0, field=1.0).spinodal_field


def test_the_reference_is_that_of_all_states():
    """The orbits' chain on 3 x 3 sites against the 512 states themselves."""
    step = one_step(-FIELD, "metropolis")[np.ix_(METASTABLE, METASTABLE)]
    times = np.linalg.solve(np.eye(len(step)) - step, np.ones(len(step)))
    assert exact.mean_first_passage(3, TEMPERATURE, -FIELD) == pytest.approx(times[-1], rel=1e-9)


def test_mean_lifetime(device):
    model = Ising(size=4, temperature=1.0, field=1.5, device=device)
    found = mean_lifetime(model, events=4096, seed=2)
    expected = exact.mean_first_passage(4, 1.0, -1.5)
    assert abs(found.value - expected) < 4.5 * found.error
    assert found.error < 0.03 * expected


@pytest.mark.slow
@pytest.mark.long
def test_forward_flux_beyond_brute_force(device):
    """4 x 4 sites with a lifetime of 1.4e9 MCS to 10% or better, by fewer MCS than two events."""
    model = Ising(size=4, temperature=0.6, field=0.45, device=device)
    found = forward_flux(model, seed=4, repeats=16)
    expected = exact.mean_first_passage(4, 0.6, -0.45)
    assert expected > 1e9
    # t of 15 degrees of freedom: beyond 5.3 once in 1e4
    assert abs(found.rate.value - 1 / expected) < 5.3 * found.rate.error
    assert found.rate.error < 0.1 * found.rate.value
    assert found.mcs < 2 * expected


def test_forward_flux_against_all_states(device):
    """4 x 4 sites with a lifetime of 11 114 MCS."""
    model = Ising(size=4, temperature=1.0, field=0.6, device=device)
    found = forward_flux(model, seed=4, trials=4096)
    expected = exact.mean_first_passage(4, 1.0, -0.6)
    # t of 7 degrees of freedom: beyond 8 once in 1e4
    assert abs(found.rate.value - 1 / expected) < 8 * found.rate.error < 0.6 / expected
    assert found.rate.value == pytest.approx(1 / found.lifetime.value)
    assert found.interfaces[-1] == 8
    assert np.all(np.diff([found.back, *found.interfaces]) < 0)
    paths = model.unpack(found.paths(20))
    up = (paths > 0).sum((2, 3))
    assert (up <= found.interfaces).all()
    assert (np.diff(up, axis=1) <= 0).all()


def test_forward_flux_where_lifetimes_are_short(device):
    model = Ising(size=10, temperature=1.0, field=0.75, device=device)
    slow = mean_lifetime(model, events=2048, seed=3)
    fast = forward_flux(model, seed=3)
    error = math.hypot(slow.error, fast.lifetime.error)
    assert abs(slow.value - fast.lifetime.value) < 5 * error < 0.35 * slow.value


def test_forward_flux_along_the_largest_cluster(device):
    """The lifetime does not know along what it was found: 4 x 4 sites against all states, and its
    interfaces are sizes that its configurations have.
    """
    model = Ising(size=4, temperature=1.0, field=0.6, device=device)
    expected = exact.mean_first_passage(4, 1.0, -0.6)
    found = forward_flux(
        model, coordinate="largest_cluster", every=3, seed=4, trials=1024, repeats=4
    )
    # t of 3 degrees of freedom: beyond 22 once in 1e4; the second bound is one of ten errors
    assert abs(found.rate.value - 1 / expected) < 22 * found.rate.error
    assert found.rate.value == pytest.approx(1 / expected, rel=0.25)
    assert found.rate.error < 0.1 / expected
    assert found.interfaces[-1] == 16
    assert np.all(np.diff([found.back, *found.interfaces]) > 0)
    down = (model.unpack(found.paths(20)) < 0).sum((2, 3))
    assert (down >= np.minimum(found.interfaces, 8)).all()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("every", [1, 2])
def test_forward_flux_along_either_coordinate(device, every):
    """10 x 10 sites, a lifetime of 1e4 MCS, which every event's waiting has too."""
    model = Ising(size=10, temperature=1.0, field=0.6, device=device)
    slow = mean_lifetime(model, events=1024, seed=3)
    fast = forward_flux(model, coordinate="largest_cluster", every=every, seed=3, trials=4096)
    error = math.hypot(slow.error, fast.lifetime.error)
    # t of about 7 degrees of freedom: beyond 8 once in 1e4
    assert abs(slow.value - fast.lifetime.value) < 8 * error < 0.8 * slow.value


def test_forward_flux_is_what_it_was():
    """Bytes: of the system and the arguments alone, the pilot and each repeat by itself."""
    model = Ising(size=4, temperature=1.0, field=0.6, device=select("cpu", workers=1))
    found = forward_flux(model, seed=4, trials=1024, repeats=3)
    numbers = [found.lifetime, found.rate, found.flux, *found.probabilities, found.interfaces]
    total = hashlib.sha256()
    for values in (*numbers, [found.back, found.mcs]):
        total.update(np.asarray(values, "<f8").tobytes())
    for values in (*found.configurations, *(o.astype("<i8") for o in found.origin)):
        total.update(values.tobytes())
    assert total.hexdigest() == "6114257dd450c99254c35e06050b579f125f541d1279d54685195137bb22ba03"
    by = pilot(model, seed=4, trials=1024)
    rates = [sample(model, by, repeat).rate for repeat in (2, 0, 1)]  # in any order
    assert np.mean(rates) == pytest.approx(found.rate.value)
    assert np.std(rates, ddof=1) / math.sqrt(3) == pytest.approx(found.rate.error)


def test_committor(device):
    """3 x 3 sites: every state between all up and m <= 0, 4 096 trials each."""
    model = Ising(size=3, temperature=TEMPERATURE, field=FIELD, device=device)
    up = STATES.sum((1, 2))
    inner = METASTABLE & (up < 9)
    step = one_step(-FIELD, "metropolis")
    expected = np.linalg.solve(
        np.eye(inner.sum()) - step[np.ix_(inner, inner)],
        step[np.ix_(inner, ~METASTABLE)].sum(1),
    )
    found, error = committor(model, model.pack(STATES[inner]), copies=4096, back=9, seed=5)
    # replicas that share an order are alike, which adds to the binomial error
    assert np.abs(found - expected).max() < 0.06
    assert np.abs(found - expected).mean() < 3 * error.mean()


def test_find_field(device):
    """4 x 4 sites, whose lifetime is 200 MCS at FIELD_OF_200: by each of 12 seeds within the stated
    error, and by their mean.
    """
    system = dict(size=4, temperature=1.0, device=device)
    found = [find_field(200, events=256, seed=seed, **system) for seed in range(12)]
    assert all(0 < each.error < 0.02 for each in found)
    pull = np.array([(each.value - FIELD_OF_200) / each.error for each in found])
    # chi^2 of 12 beyond 3.3 a piece once in 1e4; errors of eight parts thrice may be 15% short
    assert np.mean(pull**2) < 3.3 * 1.15**2
    assert abs(pull.mean()) < 4.5 / math.sqrt(12)
    with pytest.raises(ValueError, match="leave it out"):
        find_field(200, field=1.0, **system)


def law(monkeypatch, logarithm):
    """Ising.nucleate with lifetimes that are exactly exponential, of mean exp(logarithm(h))."""

    def nucleate(self, *, units, events, progress=None, **rest):
        share = (np.arange(events) + 0.5) / events
        each = -np.log(share) * math.exp(logarithm(self.field))
        return [NucleationEvents(each / -np.log(share).mean(), None) for _ in units]

    monkeypatch.setattr(Ising, "nucleate", nucleate)


@pytest.mark.parametrize("lifetime", [300, 500, 800, 1300, 2100])
@pytest.mark.parametrize(
    "logarithm",
    [
        lambda h: 40 / h - 38,  # two dimensions
        lambda h: 20 / h**2 - 18,  # three
        lambda h: 60 * max(1.05 - h, 0) ** 1.25 + 1.5,  # near a spinodal
        lambda h: 4 - 3 * math.log(h),
    ],
)
def test_a_field_is_found_on_a_curve(monkeypatch, logarithm, lifetime):
    """Steep and curved as lifetimes of large lattices are, which no chance moves here: within a
    quarter of the stated error. Fields are in units of the spinodal one.
    """
    law(monkeypatch, lambda h: logarithm(h / SPINODAL))
    found = find_field(lifetime, size=4, temperature=1.0)
    at = found.value / SPINODAL
    assert abs(logarithm(at) - math.log(lifetime)) < 0.25 / math.sqrt(3 * 512)
    slope = (logarithm(at + 1e-4) - logarithm(at - 1e-4)) / 2e-4 / SPINODAL
    # three fields of 512 events each, of the mean of exponential ones
    assert found.error == pytest.approx(1 / math.sqrt(3 * 512) / abs(slope), rel=0.2)


def test_a_field_is_found_by_few_events(device, monkeypatch):
    """All of the events at three fields, or some more, if the few were mistaken, each of its own
    units; progress counts what ended.
    """
    nucleate, asked, told = Ising.nucleate, [], []

    def counted(self, **arguments):
        asked.append((len(arguments["units"]) * arguments["events"], [*arguments["units"]]))
        return nucleate(self, **arguments)

    monkeypatch.setattr(Ising, "nucleate", counted)
    system = dict(size=4, temperature=1.0, device=device)
    found = find_field(2000, events=1024, seed=6, progress=told.append, **system)
    many = [units for count, units in asked if count == 1024]
    assert 3 <= len(many) <= 5
    assert len({unit for units in many for unit in units}) == 8 * len(many)
    assert sum(count == 64 for count, _ in asked) == len(asked) - len(many) > 2
    assert told == sorted(told)
    assert told[-1] == sum(count for count, _ in asked)
    # where exact.mean_first_passage(4, 1.0, -h) is 2 000 MCS
    assert abs(found.value - 0.79616) < 4.5 * found.error
    assert found.error < 0.005


@pytest.mark.parametrize("lifetime", [1.5, 17])
def test_a_lifetime_near_that_of_the_spinodal(monkeypatch, lifetime):
    """Which is 16 MCS here: shorter ones have no field below it, little longer ones do."""
    law(monkeypatch, lambda h: math.log(16) + 2 * (SPINODAL - h))
    if lifetime > 16:
        found = find_field(lifetime, size=4, temperature=1.0)
        assert found.value == pytest.approx(SPINODAL - math.log(17 / 16) / 2, abs=found.error)
        return
    with pytest.raises(ValueError, match=r"at the spinodal field .* it is .* already"):
        find_field(lifetime, size=4, temperature=1.0)


def test_no_metastable_state_is_said():
    with pytest.raises(RuntimeError, match="there is no metastable state to start from"):
        forward_flux(Ising(size=10, temperature=1.0, field=3.9), seed=1)


def test_interfaces_of_ones_own_are_looked_at():
    model = Ising(size=4, temperature=1.0, field=0.6)
    with pytest.raises(ValueError, match="to 8, half of the spins"):
        forward_flux(model, interfaces=[14, 12, 9])
    with pytest.raises(ValueError, match=r"interfaces are \[2, 5, 15\]; .* 16, which stands for m"):
        forward_flux(model, interfaces=[2, 5, 15], coordinate="largest_cluster")
    with pytest.raises(ValueError, match="field is 0; nucleation needs one above 0"):
        forward_flux(Ising(size=4, temperature=1.0))
    box = Ising(size=4, temperature=1.0, field=0.5, dimensions=3)
    with pytest.raises(ValueError, match="in two dimensions alone"):
        forward_flux(box, coordinate="largest_cluster")


def test_samplings_that_scatter_are_said():
    model = Ising(size=4, temperature=1.0, field=0.6)
    by = pilot(model, trials=256)
    each = [sample(model, by, repeat) for repeat in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        combined(model, by, each)
    with pytest.warns(UserWarning, match="differ by a factor of"):
        combined(model, by, [each[0], replace(each[1], flux=30 * each[1].flux)])
