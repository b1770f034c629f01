"""The Ising model's door: what it refuses, what it knows without running, and the acceptance tables
of the kernels.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from kernels import device as device_module
from kernels import ising, ising_bits
from kernels.device import select
from tests.reference import exact
from tests.reference import ising as reference

CPU = select("cpu", workers=1)
NAN, INF = float("nan"), float("inf")

REFUSED = [  # arguments, what the message names
    (dict(size=6, range=3), r"size is 6; it must exceed 2 range = 6"),
    (dict(size=2, range=1), r"size is 2"),
    (dict(size=2, interaction="kac"), r"size is 2"),
    (dict(size=8, range=4, interaction="disk"), r"size is 8"),
    (dict(temperature=0), r"temperature is 0; it must be a finite number above 1e-06"),
    (dict(temperature=-1.0), r"temperature is -1.0"),
    (dict(temperature=INF), r"temperature is inf"),
    (dict(temperature=NAN), r"temperature is nan"),
    (dict(field=NAN), r"field is nan"),
    (dict(field=INF), r"field is inf"),
    (
        dict(interaction="cubic"),
        r"interaction is 'cubic'; it must be one of nearest, square, disk, kac, power_law",
    ),
    (dict(interaction="power_law"), r"exponent is None; power_law needs one"),
    (dict(interaction="power_law", exponent=-2.0), r"exponent is -2.0"),
    (dict(interaction="power_law", exponent=NAN), r"exponent is nan"),
    (dict(range=0), r"range is 0"),
    (dict(size=100, range=33), r"range is 33; it must be a whole number from 1 to 32"),
    (dict(range=2, interaction="nearest"), r"range is 2; interaction nearest has range 1"),
    (
        dict(range=-1.0, interaction="disk"),
        r"range is -1.0; it must be a finite number of at least 1",
    ),
    (
        dict(range=0.0, interaction="kac"),
        r"range is 0.0; it must be a finite number of at least 0.1",
    ),
    (dict(range=2.5, interaction="square"), r"range is 2.5"),
    (dict(size=10.5), r"size is 10.5"),
    (dict(range=0.5, interaction="disk"), r"range is 0.5"),
    (dict(range=1e-3, interaction="kac"), r"range is 0.001"),
    (dict(range=NAN, interaction="kac"), r"range is nan"),
    (dict(field=-1.0), r"field is -1.0"),
    (dict(field=40.0, interaction="kac"), r"field is 40.0"),
    (dict(size="20"), r"size is '20'; it must be a whole number"),
    (dict(size=True), r"size is True; it must be a whole number"),
    (dict(size=40_000), r"size is 40000; it must be a whole number from 1 to 32768"),
    (dict(temperature="1"), r"temperature is '1'; it must be a finite number"),
    (dict(temperature=1e-300), r"temperature is 1e-300; it must be a finite number above"),
    (dict(range=3 + 0j), r"range is \(3\+0j\); it must be a whole number"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=str)
def test_values_out_of_range_are_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        ising.Ising(**{**dict(size=12, temperature=1.5, field=0.5, device=CPU), **arguments})
    assert "\n" not in str(error.value)


def test_numbers_of_any_kind_are_numbers():
    """NumPy's scalars and whole numbers written as floats give the same system."""
    one = ising.Ising(size=12, range=2, temperature=1.5, field=1, device=CPU)
    two = ising.Ising(
        size=np.int64(12), range=2.0, temperature=np.float32(1.5), field=np.int8(1), device=CPU
    )
    assert (
        repr(two)
        == repr(one)
        == ("Ising(size=12, temperature=1.5, field=1, interaction='square', range=2)")
    )
    packed = one.pack(np.ones((2, 12, 12)))
    assert np.array_equal(one.evolve(packed, 3, seed=1), two.evolve(packed, 3.0, seed=np.uint64(1)))


SPINS = np.ones((2, 12, 12), np.int8)
CALLS = [  # what is called, what the message names
    (
        lambda m: m.nucleate(seed=2**64, units=[0], events=1),
        r"seed is 18446744073709551616; .* 2\^64 - 1",
    ),
    (lambda m: m.nucleate(seed=-1, units=[0], events=1), r"seed is -1"),
    (lambda m: m.nucleate(seed=1, units=0, events=1), r"units is 0; it must be a list"),
    (lambda m: m.nucleate(seed=1, units=[-1], events=1), r"units holds -1"),
    (lambda m: m.nucleate(seed=1, units=[0.5], events=1), r"units is \[0.5\]; it must hold whole"),
    (lambda m: m.nucleate(seed=1, units=[0], events=0), r"events is 0"),
    (lambda m: m.nucleate(seed=1, units=[0], events=1.5), r"events is 1.5"),
    (lambda m: m.nucleate(seed=1, units=[0], events=1, history=0), r"history is 0"),
    (lambda m: m.nucleate(seed=1, units=[0], events=1, equilibration=NAN), r"equilibration is nan"),
    (lambda m: m.nucleate(seed=1, units=[0], events=1, max_lifetime=-5), r"max_lifetime is -5"),
    (lambda m: m.evolve(m.pack(SPINS), -5, seed=1), r"steps is -5; it must be .* from 0"),
    (lambda m: m.evolve(m.pack(SPINS), 2.7, seed=1), r"steps is 2.7; it must be a whole number"),
    (lambda m: m.evolve(m.pack(SPINS), 1, seed=1.5), r"seed is 1.5"),
    (lambda m: m.evolve(m.pack(SPINS), 1, seed=1, unit=2**32), r"unit is 4294967296"),
    (lambda m: m.evolve(m.pack(SPINS), 1, seed=1, field=INF), r"field is inf"),
    (lambda m: m.evolve(SPINS, 1, seed=1), r"spins are int8 \(2, 12, 12\); packed configurations"),
    (
        lambda m: m.intervene(seed=1, unit=0, spins=m.pack(SPINS), duration=-3, copies=1),
        r"duration holds -3",
    ),
    (
        lambda m: m.intervene(seed=1, unit=0, spins=m.pack(SPINS), duration=[1, 2, 3], copies=1),
        r"duration has shape \(3,\)",
    ),
    (
        lambda m: m.intervene(seed=1, unit=0, spins=m.pack(SPINS), duration=1, copies=-1),
        r"copies is -1",
    ),
    (lambda m: m.energy((SPINS + 1) // 2 * 0), r"spins hold other values than \+1 and -1"),
    (lambda m: m.local_fields(SPINS[:, :5]), r"spins have shape \(2, 5, 12\)"),
    (lambda m: m.pack(np.full((12, 12), NAN)), r"spins hold other values"),
    (lambda m: m.pack(np.full((12, 12), 7)), r"spins hold other values"),
    (lambda m: m.pack(np.ones((10, 12))), r"spins have shape \(10, 12\)"),
    (lambda m: m.unpack(np.zeros((2, 5), np.uint8)), r"packed configurations are uint8 \(2, 5\)"),
    (lambda m: m.unpack(np.zeros((2, 18))), r"packed configurations are float64"),
]


@pytest.mark.parametrize(("call", "message"), CALLS)
def test_arguments_out_of_range_are_one_line(call, message):
    model = ising.Ising(size=12, range=2, temperature=1.5, field=0.5, device=CPU)
    with pytest.raises(ValueError, match=message) as error:
        call(model)
    assert "\n" not in str(error.value)


def build(interaction, size=12, range=2, temperature=16 / 9, field=1.1):
    return ising.Ising(
        size=size,
        range=1 if interaction == "nearest" else range,
        temperature=temperature,
        field=field,
        interaction=interaction,
        exponent=3.0 if interaction == "power_law" else None,
        device=CPU,
    )


@pytest.mark.parametrize("interaction", ising.INTERACTIONS)
@pytest.mark.parametrize("range", [2, 3])
def test_couplings(interaction, range):
    """As in tests/reference, 4 in all."""
    model = build(interaction, range=range)
    table = model.coupling_table()
    assert table == pytest.approx(reference.couplings(12, interaction, range, 3.0), abs=1e-15)
    assert (table.sum(), table[0, 0]) == (pytest.approx(4, abs=1e-13), 0)
    assert np.array_equal(table, np.roll(table[::-1, ::-1], (1, 1), axis=(0, 1)))
    assert np.array_equal(table, table.T)
    if interaction in ("nearest", "square"):
        assert (np.count_nonzero(table), table.max()) == (
            model.neighbours,
            pytest.approx(model.coupling),
        )


def test_default_interaction():
    assert ising.Ising(size=12, temperature=1.0, field=0.5, device=CPU).interaction == "nearest"
    assert (
        ising.Ising(size=12, range=2, temperature=1.0, field=0.5, device=CPU).interaction
        == "square"
    )


def test_critical_temperature_and_spinodal():
    """h_s = 1.270449 at T = 4/9 Tc, mean-field Tc = 4; where there is no metastable state."""
    model = build("square")
    assert model.critical_temperature == 4
    assert model.spinodal_field == pytest.approx(1.270449, abs=5e-7)
    assert build("nearest").critical_temperature == pytest.approx(2.269185, abs=5e-7)
    for temperature in (0.5, 1.0, 3.0, 3.9):
        assert build("square", temperature=temperature).spinodal_field == pytest.approx(
            exact.spinodal(temperature)[1], rel=1e-12
        )
    assert build("square", temperature=4.0).spinodal_field == 0
    assert model.is_metastable()
    assert not build("square", field=1.28).is_metastable()
    assert not build("square", temperature=4.5, field=0.1).is_metastable()
    assert not build("nearest", temperature=2.3, field=0.1).is_metastable()


@pytest.mark.parametrize("size", [5, 12])
def test_packing(size):
    """Bit 1 is up, the highest bit is site 0, site x L + y; any number of leading axes."""
    model = build("kac", size=size)
    spins = np.random.default_rng(61).choice([-1, 1], (3, 2, size, size))
    packed = model.pack(spins)
    assert (packed.dtype, packed.shape) == (np.uint8, (3, 2, -(-size * size // 8)))
    assert model.unpack(packed).dtype == np.int8
    assert np.array_equal(model.unpack(packed), spins)
    assert np.array_equal(model.pack(spins[0, 0]), reference.pack(spins[0])[0])
    one = -np.ones((size, size), int)
    one[0, 3] = 1
    assert model.pack(one)[0] == 1 << 4
    with pytest.raises(ValueError, match="packed configurations"):
        model.evolve(packed[0][:, :-1], 1, seed=1)


# ---- acceptance ----


def probabilities(system, field):
    """Acceptance by the digits' trials as in metropolis.h: (2, q + 1), spins up and down by their
    number of up neighbours.
    """
    table, edge = ising_bits.acceptance_table(system, field)
    assert set(np.unique(table)) <= {0, 0xFFFFFFFF}
    q = system.neighbours
    up = np.arange(q + 1)
    weights = 0.5 ** np.arange(1, 33)

    def trials(part):  # [32 bits][cases]
        return weights @ (part.reshape(32, -1) > 0)

    if system.interaction == "nearest":
        costly = trials(table)
        return np.array([np.where(up > edge, costly, 1), np.where(up <= edge, costly, 1)])
    found = []
    for spin, step in enumerate((up - edge - 1, edge - up)):
        digits = [step >> 2 * k & 3 for k in range((q.bit_length() + 1) // 2)]
        p = trials(table[: 32 * 8])[4 * spin + digits[0]]
        for k, digit in enumerate(digits[1:]):
            p = p * np.append(1, trials(table[32 * (8 + 3 * k) : 32 * (11 + 3 * k)]))[digit]
        found.append(np.where(step < 0, 1, p))
    assert len(table) == 32 * (8 + 3 * (len(digits) - 1))
    return np.array(found)


@pytest.mark.parametrize("temperature", [0.3, 16 / 9, 50.0])
@pytest.mark.parametrize("field", [0.0, 0.57, -0.57, 1.215, -1.215, 4.0, -4.0, 1000.0, -1000.0])
@pytest.mark.parametrize("range", [0, 1, 2, 3, 5, 10, 20, 32])
def test_acceptance_is_metropolis(range, field, temperature):
    """min(1, exp(-dE/T)) for both spins and every number of up neighbours, to 1e-8; range 0 stands
    for nearest.

    At |h| = 1000 and 4 the edge lies outside 0..q, or at its ends: one direction is always free.
    """
    q = 4 if range == 0 else 4 * range * (range + 1)
    system = SimpleNamespace(
        interaction="square" if range else "nearest",
        neighbours=q,
        coupling=4 / q,
        temperature=temperature,
        dynamics="metropolis",
    )
    local_field = 4 / q * (2 * np.arange(q + 1) - q) + field
    for found, spin in zip(probabilities(system, field), (1, -1), strict=True):
        expected = [math.exp(min(0.0, -2 * spin * f / temperature)) for f in local_field.tolist()]
        assert found == pytest.approx(expected, abs=1e-8)


def test_a_launch_has_a_task_for_each_team(monkeypatch):
    """However long a task takes: with fewer, workers would idle and the launch end no sooner."""
    assert [device_module.next_launch(528, seconds, 528) for seconds in (0.1, 0.6, 5.0, 60.0)] == [
        2112,
        528,
        528,
        528,
    ]
    assert device_module.next_launch(1, 60.0) == 1
    batches, launch = [], ising_bits.BitSlicedLattices._launch
    monkeypatch.setattr(device_module, "LAUNCH_SECONDS", 1e-9)  # every task outlasts it
    monkeypatch.setattr(
        ising_bits.BitSlicedLattices,
        "_launch",
        lambda self, kernel, teams, **arguments: (
            batches.append(teams) or launch(self, kernel, teams, **arguments)
        ),
    )
    model = ising.Ising(size=12, temperature=1.5, field=0.5, device=select("cpu", workers=2))
    spins = model.pack(np.ones((4, 12, 12)))
    model.intervene(seed=1, unit=0, spins=spins, duration=5, copies=10)
    assert batches == [2] * 5


@pytest.mark.parametrize(("range_", "size"), [(1, 10), (3, 12)])
def test_one_configuration_needs_no_batch_axis(range_, size):
    model = ising.Ising(
        range=range_,
        size=size,
        temperature=1.5,
        field=0.3,
        interaction="square" if range_ > 1 else "nearest",
        device=CPU,
    )
    spins = np.where(np.random.default_rng(1).random((size, size)) < 0.7, 1, -1)
    packed = model.pack(spins)
    one = model.evolve(packed, 4, seed=2)
    assert one.shape == packed.shape
    assert np.array_equal(one, model.evolve(packed[None], 4, seed=2)[0])
    assert model.unpack(one).shape == spins.shape
    passage = model.intervene(seed=2, unit=0, spins=packed, duration=5, copies=3)
    wanted = model.intervene(seed=2, unit=0, spins=packed[None], duration=[5], copies=3)
    assert np.array_equal(passage, wanted)
    assert passage.shape == (3, 1)
