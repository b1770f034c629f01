"""What the Active Ising Model refuses, each in one clear line, and a site that holds more than its
counters.
"""

import math

import numpy as np
import pytest

from kernels import active_ising
from kernels.active_ising import LARGEST_OCCUPANCY, ActiveIsing, CountersFull

INF, NAN = math.inf, math.nan

SYSTEMS = {  # keywords, what the message says
    "size 0": (dict(size=0), "size"),
    "size < 0": (dict(size=-9), "size"),
    "size 4.5": (dict(size=4.5), "size"),
    "diffusion < 0": (dict(diffusion=-0.1), "diffusion"),
    "diffusion nan": (dict(diffusion=NAN), "diffusion"),
    "diffusion inf": (dict(diffusion=INF), "diffusion"),
    "self_propulsion < 0": (dict(self_propulsion=-0.1), r"self_propulsion.*1"),
    "self_propulsion > 1": (dict(self_propulsion=1.01), r"self_propulsion.*1"),
    "self_propulsion nan": (dict(self_propulsion=NAN), "self_propulsion"),
    "algorithm": (dict(algorithm="gillespie"), "standard.*continuous_time"),
    "time_step 0": (dict(time_step=0, algorithm="standard"), "time_step"),
    "time_step < 0": (dict(time_step=-0.1, algorithm="standard"), "time_step"),
    "time_step nan": (dict(time_step=NAN, algorithm="standard"), "time_step"),
    "time_step of auto": (dict(time_step=0.01), "time_step.*auto"),
    "time_step of the other": (
        dict(time_step=0.01, algorithm="continuous_time"),
        "time_step.*continuous_time",
    ),
}


def one_line(error, *values):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 250
    assert all(str(value) in text for value in values), text


@pytest.mark.parametrize("name", SYSTEMS)
def test_bad_systems(name):
    options, message = SYSTEMS[name]
    with pytest.raises(ValueError, match=message) as error:
        ActiveIsing(**{"size": 9, **options})
    one_line(error, next(iter(options.values())))


RUNS = {  # arguments in place of two good replicas, what the message says
    "T 0": (dict(temperature=[0.0, 0.5]), "temperature"),
    "T < 0": (dict(temperature=[0.5, -0.5]), "temperature"),
    "T nan": (dict(temperature=[0.5, NAN]), "temperature"),
    "T shape": (dict(temperature=[0.5, 0.5, 0.5]), "temperature|replica"),
    "rho0 0": (dict(density=[2.0, 0.0]), "density"),
    "rho0 < 0": (dict(density=[-2.0, 2.0]), "density"),
    "rho0 nan": (dict(density=[NAN, 2.0]), "density"),
    "rho0 inf": (dict(density=[INF, 2.0]), "density"),
    "rho0 dense": (dict(density=[2.0, LARGEST_OCCUPANCY]), "density.*at most"),
    "rho0 shape": (dict(density=[2.0, 2.0, 2.0]), "density|replica"),
    "no particle": (dict(density=[2.0, 0.001]), "density|particle"),
    "start 2": (dict(start=[1, 2]), "start"),
    "start shape": (dict(start=[1, 1, 1]), "start|replica"),
    "no times": (dict(times=[]), "times"),
    "falling": (dict(times=[2.0, 1.0]), "times.*increas"),
    "equal": (dict(times=[1.0, 1.0]), "times.*increas"),
    "negative": (dict(times=[-1.0, 1.0]), "times"),
    "time nan": (dict(times=[1.0, NAN]), "times"),
    "time inf": (dict(times=[1.0, INF]), "times"),
    "index < 0": (dict(index=[0, -1]), "index"),
    "index 2^48": (dict(index=[0, 2**48]), "index"),
    "index shape": (dict(index=[0]), "index"),
    "snapshots": (dict(snapshots=[True]), "snapshots"),
}


@pytest.mark.parametrize("name", RUNS)
def test_bad_runs(device, name):
    arguments, message = RUNS[name]
    good = dict(temperature=[0.5, 0.6], density=[2.0, 3.0], start=[1, 0], times=[1.0, 2.0], seed=1)
    with pytest.raises(ValueError, match=message) as error:
        ActiveIsing(size=9, device=device).run(**{**good, **arguments})
    one_line(error)


MAPS = np.zeros((2, 9, 9), int)
CONTINUED = {  # start and density that cannot be gone on from, what the message says
    "another lattice": ((MAPS[:, :8], MAPS[:, :8]), None, "start.*9, 9"),
    "one map": ((MAPS,), None, "start.*two maps"),
    "other replicas": ((MAPS[:1], MAPS), None, "same replicas"),
    "reals": ((MAPS, MAPS + 0.5), None, "integers"),
    "m > rho": ((MAPS + 2, MAPS + 1), None, "m_i = 2 with rho_i = 1"),
    "parity": ((MAPS + 1, MAPS + 2), None, "m_i = 1 with rho_i = 2"),
    "empty": ((MAPS, MAPS), None, "density"),
    "density too": ((MAPS + 1, MAPS + 1), 1.0, "density must be None"),
    "other T": ((MAPS[:1] + 1, MAPS[:1] + 1), None, "replica"),
}


@pytest.mark.parametrize("name", CONTINUED)
def test_bad_maps_to_go_on_from(device, name):
    start, density, message = CONTINUED[name]
    with pytest.raises(ValueError, match=message) as error:
        ActiveIsing(size=9, device=device).run([0.5, 0.6], density, start, [1.0])
    one_line(error)


def test_no_replicas(device):
    with pytest.raises(ValueError, match=r"replica|temperature") as error:
        ActiveIsing(size=9, device=device).run([], [], [], [1.0])
    one_line(error)


def test_long_time_step(device):
    """dt of the lowest temperature is the longest: 1/(4 + e^2) = 0.0878 at T = 0.5; there a
    probability is 1.
    """
    longest = 1 / (4 + math.exp(2))
    arguments = dict(temperature=[1.0, 0.5], density=[2.0, 2.0], start=[1, 1], times=[1.0], seed=1)
    with pytest.raises(ValueError, match=r"time_step.*0\.08") as error:
        ActiveIsing(size=9, algorithm="standard", time_step=longest * 1.01, device=device).run(
            **arguments
        )
    one_line(error)
    found = ActiveIsing(
        size=9, algorithm="standard", time_step=longest * 0.9999, device=device
    ).run(**arguments)
    assert np.all(found.particles == 162)


@pytest.mark.parametrize("algorithm", ["standard", "continuous_time"])
def test_full_counters(device, monkeypatch, algorithm):
    """Replicas in which a site overflows are named, at the start (1) or when the spins have turned
    one way (3); alone, the others run.

    The densities that are let in seldom come near it.
    """
    model = ActiveIsing(size=8, algorithm=algorithm, device=device)
    arguments = (
        np.full(4, 0.6),
        np.array([3.0, 300.0, 30.0, 240.0]),
        np.array([1, 1, 1, 0]),
        [0.0, 60.0],
    )
    dense = model.run(*(values[[0, 2]] for values in arguments[:3]), arguments[3], seed=3)
    assert np.array_equal(dense.density_map.sum((2, 3)), dense.particles[:, None].repeat(2, 1))
    monkeypatch.setattr(active_ising, "LARGEST_DENSITY", 1000.0)
    with pytest.raises(CountersFull, match=str(LARGEST_OCCUPANCY)) as error:
        model.run(*arguments, seed=3)
    assert list(error.value.replicas) == [1, 3]
    one_line(error)


def test_one_number_is_that_of_all_replicas(device):
    model = ActiveIsing(size=np.int64(9), device=device)
    lists = model.run([0.5, 0.6], [2.0, 2.0], [0, 0], [1.0], seed=1)
    found = model.run([0.5, 0.6], np.float32(2), 0, 1, seed=1)
    assert np.array_equal(found.magnetization, lists.magnetization)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(temperature=0.001), "temperature is 0.001; it must be a finite number of at least"),
        (dict(temperature="warm"), "temperature is 'warm'; it must hold numbers"),
        (dict(seed=2**64), r"seed is 18446744073709551616; .* 2\^64 - 1"),
        (dict(seed=1.5), "seed is 1.5"),
        (dict(index=[0.5]), "index is"),
    ],
)
def test_bad_numbers(device, arguments, said):
    good = dict(temperature=0.5, density=2.0, start=1, times=[1.0])
    with pytest.raises(ValueError, match=said) as error:
        ActiveIsing(size=9, device=device).run(**{**good, **arguments})
    one_line(error)
