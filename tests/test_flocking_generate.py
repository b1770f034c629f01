"""Units of the flocking study: whose randomness is whose, what a shard holds, what goes wrong and
how it is said.
"""

from itertools import pairwise

import numpy as np
import pytest
from conftest import same_from_any_task

from jobs import config
from jobs.flocking import generate
from jobs.flocking.config import Flocking
from jobs.generating import UnitError
from kernels.active_ising import CountersFull
from kernels.device import select

GENERATE = {
    "temperature_step": 0.4,
    "replicas": 4,
    "samples": 2,
    "annealing": 2.0,
    "equilibration": 6.0,
    "interval": 2.5,
    "observe": 1.0,
    "other_densities": [1.0],
    "other_temperature_step": 0.8,
    "other_replicas": 2,
    "other_samples": 1,
}


def configured(size=9, **changes) -> Flocking:
    raw = {
        "study": "flocking",
        "seed": 3,
        "system": {"size": size, "density": 2.0},
        "generate": {**GENERATE, **changes},
    }
    return config.systems(raw, Flocking, "test")[""]


def simulated(settings, *units):
    model = generate.build(settings, select("cpu", workers=1))
    reports = []
    found = {
        unit: {name: item.values for name, item in data.items()}
        for unit, data in generate.simulate(model, settings, units, reports.append)
    }
    assert reports[-1] == len(units)
    assert (np.diff(reports) >= 0).all()
    return found


@pytest.fixture(scope="module")
def data():
    return simulated(configured(), 0, 1, 2, 3, 4)


def test_a_shard(data):
    settings = configured()
    for unit, (density, temperature, replicas, samples) in enumerate(settings.points):
        found = data[unit]
        assert (float(found["temperature"]), float(found["mean_density"])) == (temperature, density)
        assert found["start"].tolist() == [1, -1, 0, 1][:replicas]
        times = [0, 1, 2, 3, 4, 5, 6] + [7, 8, 8.5] * (samples == 2)
        assert found["time"].tolist() == times
        assert found["sample_time"].tolist() == [6, 8.5][:samples]
        m, rho = found["magnetization_map"], found["density_map"]
        assert m.shape == rho.shape == (replicas, samples, 9, 9)
        assert (m.dtype, rho.dtype) == (np.int16, np.uint16)
        assert (rho.sum((2, 3)) == found["particles"][:, None]).all()
        assert (found["particles"] == round(density * 81)).all()
        assert (np.abs(m) <= rho).all()
        assert ((m + rho) % 2 == 0).all()
        kept = np.isin(found["time"], found["sample_time"])
        assert np.array_equal(m.sum((2, 3)), found["magnetization"][:, kept])
        for name, maps in (("density_modes", rho), ("magnetization_modes", m)):
            wave = np.exp(-2j * np.pi * np.outer([1, 2, 3], np.arange(9)) / 9)
            wanted = np.einsum("rsxy,kx->rsk", maps, wave) / found["particles"][:, None, None]
            assert found[name].dtype == np.float32
            assert np.allclose(
                found[name][:, kept][..., 0] + 1j * found[name][:, kept][..., 1], wanted, atol=1e-6
            )
        settled = np.sum(found["time"] >= 6)
        assert (found["density_histogram"].sum(1) == settled * 81).all()
        assert (found["density_histogram"] @ np.arange(65) == settled * found["particles"]).all()
        assert found["magnetization"][:, 0][:2].tolist() == [
            found["particles"][0],
            -found["particles"][0],
        ]
        assert (found["attempts"] > 0).all()


def test_a_unit_is_the_same_alone_and_beside_others(data):
    for unit in (1, 4):
        for name, values in simulated(configured(), unit)[unit].items():
            assert np.array_equal(values, data[unit][name]), name


def test_no_two_replicas_are_alike_and_more_of_them_leave_the_others(data):
    maps = np.concatenate([data[unit]["density_map"][:, 0] for unit in range(3)])
    assert len({each.tobytes() for each in maps}) == 12
    more = simulated(configured(replicas=5), 1)[1]
    assert np.array_equal(more["density_map"][:4], data[1]["density_map"])


def test_small_lattices_have_fewer_modes():
    found = generate.modes(np.ones((2, 3, 4)), np.array([4, 4]))
    assert found.shape == (2, 3, 3, 2)
    assert np.allclose(found, 0)


class Piled:
    """A model on which some replicas overflow: those of `once` when they start from disorder, those
    of `always` when they start in order too.
    """

    def __init__(self, model, once=(), always=()):
        self.model, self.once, self.always, self.calls = model, once, always, []

    def run(self, temperature, density, start, times, *, index, **options):
        number = (index & 0xFFFFF) + 4 * (index >> 20 & 0xFFFFF)
        ordered = not isinstance(start, tuple) and np.asarray(start).all()
        self.calls.append((number.tolist(), ordered and start.tolist()))
        full = np.flatnonzero(np.isin(number, self.always if ordered else self.once))
        if len(full) and (ordered or isinstance(start, tuple)):
            raise CountersFull(full.tolist())
        return self.model.run(temperature, density, start, times, index=index, **options)


def test_a_pile_from_disorder_starts_anew_in_order():
    settings = configured()
    model = Piled(generate.build(settings, select("cpu", workers=1)), once=(6,))
    found = dict(generate.simulate(model, settings, [0, 1], lambda done: None))
    assert model.calls[-1] == ([0, 1, 3, 4, 5, 6, 7], [1, -1, 1, 1, -1, 1, 1])
    # cooled together until one piles up, then the other alone, and as if it had been alone
    assert [numbers for numbers, _ in model.calls[:-1]] == [[2, 6]] * 2 + [[2]] * 21
    assert found[0]["start"].values.tolist() == [1, -1, 0, 1]
    assert found[1]["start"].values.tolist() == [1, -1, 1, 1]
    assert np.abs(found[1]["magnetization"].values[[0, 1, 2, 3], 0]).tolist() == [162] * 4


def test_a_pile_from_order_is_the_units_failure():
    settings = configured()
    model = Piled(generate.build(settings, select("cpu", workers=1)), always=(4,))
    with pytest.raises(
        UnitError,
        match=r"density 2, T = 0.6: a site holds more particles than the model can count, also from an ordered",
    ):
        list(generate.simulate(model, settings, [0, 1], lambda done: None))


def test_disorder_is_cooled_to_its_temperature(monkeypatch):
    """From T = 1 on in equal steps, each from where the last one ended; not where it is as hot, and
    not with annealing 0.
    """
    settings = configured()
    model = generate.build(settings, select("cpu", workers=1))
    seen = []
    run = model.run

    def noted(temperature, density, start, times, **options):
        found = run(temperature, density, start, times, **options)
        if not np.asarray(start).all() or isinstance(start, tuple):
            seen.append((temperature.tolist(), times, start, found))
        return found

    monkeypatch.setattr(model, "run", noted)
    dict(generate.simulate(model, settings, [0, 2], lambda done: None))
    temperatures = np.array([each[0] for each in seen])
    assert temperatures.shape == (21, 2)
    assert np.allclose(temperatures[:, 0], np.linspace(1, 0.2, 21))
    assert np.allclose(temperatures[:, 1], 1)
    assert all(times == [0.1] for _, times, _, _ in seen[:-1])
    for (_, _, _, before), (_, _, start, _) in pairwise(seen):
        assert np.array_equal(start[0], before.magnetization_map[:, 0])
    at_once = configured(annealing=0.0)
    assert "annealing" in str(at_once)
    seen.clear()
    dict(generate.simulate(model, at_once, [0, 2], lambda done: None))
    assert len(seen) == 1


def test_annealed_disorder_orders_where_quenched_disorder_gets_stuck():
    """L = 18, rho0 = 3, T = 0.2, 48 replicas from disorder each: cooled, all but one or two end
    with |m| as that of order; quenched, a fifth or so has domains of either spin.
    """
    count, ordered = 48, {}
    for annealing in (0.0, 200.0):
        settings = configured(size=18, annealing=annealing)
        replicas = generate.Replicas(
            np.full(count, 0.2),
            np.full(count, 3.0),
            np.zeros(count, np.int32),
            np.arange(count, dtype=np.int64),
        )
        model = generate.build(settings, select("cpu", workers=2))
        times, kept = np.array([100.0]), np.array([True])
        found = generate.trajectories(model, settings, replicas, times, kept, lambda done: None)
        m = np.abs(found.magnetization[:, 0]) / found.particles
        ordered[annealing] = int((m > 0.95).sum())
    assert ordered[200.0] >= count - 2
    assert ordered[0.0] <= 0.85 * count


SMALL = """
seed: 3
system: {size: 9, density: 2.0}
generate: {temperature_step: 0.4, replicas: 3, samples: 2, equilibration: 5.0, interval: 2.0}
"""


@pytest.fixture
def small_flocking(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_shards_are_the_same_from_any_task(quench, small_flocking, tmp_path):
    same_from_any_task(quench, "flocking", small_flocking, tmp_path, units=3)
    lines = quench("flocking", "generate", small_flocking, "--run", tmp_path / "one")[1]
    assert any("3 of 3 units are mine, 3 of them finished before" in line for line in lines)


def test_warnings_and_mistakes_are_a_line_each(quench, small_flocking, tmp_path):
    code, lines = quench(
        "flocking", "generate", small_flocking, "--run", tmp_path / "run", "--set", "system.size=20"
    )
    assert code == 0
    said = [line for line in lines if line.startswith("warning:")]
    assert len(said) == 2
    assert "system.size = 20: the networks pool twice by 3; expected a multiple of 9" in said[0]
    assert "generate.equilibration = 5: particles take 10 to spread over the lattice" in said[1]
    code, lines = quench(
        "flocking",
        "generate",
        small_flocking,
        "--run",
        tmp_path / "cold",
        "--set",
        "generate.first_temperature=0.03",
    )
    assert (code, len(lines)) == (2, 2), lines  # the first one names the device
    assert "system: temperature is 0.03; too low: the standard algorithm would try" in lines[-1]
