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
from kernels.rare_events import (
    Estimate,
    committor,
    find_field,
    forward_flux,
    mean_lifetime,
)
from tests.reference import exact
from tests.test_ising_dynamics import FIELD, METASTABLE, STATES, TEMPERATURE, one_step


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
    system = dict(size=4, temperature=1.0, device=device)
    found = find_field(200, events=1024, seed=6, **system)
    assert 0 < found.error < 0.02
    exactly = exact.mean_first_passage(4, 1.0, -found.value)
    # ln(lifetime) between the two fields around it is not quite straight
    assert exactly == pytest.approx(200, rel=0.15)
    with pytest.raises(ValueError, match="leave it out"):
        find_field(200, field=1.0, **system)


def test_a_field_is_found_by_few_events(device, monkeypatch):
    """All of the events at the two fields around it, or three, if the few were mistaken; the answer
    is within its errors, and progress counts what ended.
    """
    nucleate, asked, told = Ising.nucleate, [], []

    def counted(self, **arguments):
        asked.append(len(arguments["units"]) * arguments["events"])
        return nucleate(self, **arguments)

    monkeypatch.setattr(Ising, "nucleate", counted)
    system = dict(size=4, temperature=1.0, device=device)
    found = find_field(2000, events=1024, seed=6, progress=told.append, **system)
    assert 2 <= sum(count == 1024 for count in asked) <= 3
    assert sum(count == 64 for count in asked) >= len(asked) - 3 > 2
    assert told == sorted(told)
    assert told[-1] == sum(asked)
    # where exact.mean_first_passage(4, 1.0, -h) is 2 000 MCS; 0.002: it is not quite straight
    assert abs(found.value - 0.79616) < 4.5 * found.error + 0.002
    assert found.error < 0.01


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


def test_an_estimate_is_read():
    for (value, error), text in {
        (11342.0, 480.0): "11340(480)",
        (1.04912, 0.00133): "1.0491(13)",
        (1.7632e6, 1.96e5): "1.76(20)e6",
        (0.000123, 0.0000201): "1.23(20)e-4",
        (5240.0, 104.0): "5240(100)",
        (7.0, 31.0): "7(31)",
        (0.5, 0.0): "0.5",
    }.items():
        assert str(Estimate(value, error)) == text


def test_samplings_that_scatter_are_said():
    model = Ising(size=4, temperature=1.0, field=0.6)
    by = pilot(model, trials=256)
    each = [sample(model, by, repeat) for repeat in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        combined(model, by, each)
    with pytest.warns(UserWarning, match="differ by a factor of"):
        combined(model, by, [each[0], replace(each[1], flux=30 * each[1].flux)])
