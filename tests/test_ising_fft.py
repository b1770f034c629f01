"""Any coupling J(r) by convolution: fields and energies against direct sums, the kernel against a
replay in plain Python.

The replay knows only what ising_fft.py says: J and h in multiples of QUANTUM, attempt k of an MCS
takes half k % 2 of Philox call k / 2, acceptance is a product of four tabulated factors. It sums
every local field anew, so it also shows that the kernel's fields, which are only ever added to,
stay exact.
"""

import math

import numpy as np
import pytest
from scipy import stats

from kernels import device as device_module
from kernels import ising, ising_fft
from kernels.device import select
from kernels.streams import STREAMS
from tests.reference import exact
from tests.reference import ising as reference
from tests.test_device import RANDOM123, check_max_lifetime

QUANTUM = 2.0**-26
COUPLINGS = [  # interaction, range, exponent
    ("nearest", 1, None),
    ("square", 2, None),
    ("disk", 2.5, None),
    ("kac", 1.5, None),
    ("power_law", 1, 3.0),
    ("power_law", 1, 1.0),
]


def build(device, size, interaction, range=2, exponent=None, temperature=16 / 9, field=1.4):
    return ising.Ising(
        size=size,
        range=range,
        temperature=temperature,
        field=field,
        interaction=interaction,
        exponent=exponent,
        device=device,
    )


def random_spins(size, count, seed=41):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (count, size, size))


@pytest.mark.parametrize(("interaction", "range", "exponent"), COUPLINGS)
@pytest.mark.parametrize("size", [5, 8, 11, 12])
def test_fields_and_energies_equal_direct_sums(device, interaction, range, exponent, size):
    """Exactly, in whole quanta, for J rounded to them; else within half a quantum for each of the N
    - 1 couplings.
    """
    table = reference.couplings(size, interaction, range, exponent)
    spins = random_spins(size, 6)
    fields = ising_fft.local_fields(spins, table, device)
    energies = ising_fft.energy(spins, table, 0.3, device)
    rounded = np.rint(table / QUANTUM)
    bound = (size**2 - 1) * QUANTUM / 2
    for each, found, energy in zip(spins, fields, energies, strict=True):
        assert np.array_equal(found / QUANTUM, reference.local_fields(each, rounded))
        assert np.abs(found - reference.local_fields(each, table)).max() <= bound
        assert abs(energy - reference.energy(each, table, 0.3)) <= size**2 / 2 * bound


def test_the_farthest_pair_of_an_even_lattice_interacts_once(device):
    """Displacements L/2 are their own opposites: r^-2 at L = 8, one spin down, seen from (4, 0) and
    (4, 4).
    """
    spins = np.ones((8, 8), np.int8)
    spins[0, 0] = -1
    table = build(device, 8, "power_law", 1, exponent=2.0).coupling_table()
    fields = ising_fft.local_fields(spins, table, device)
    step = np.minimum(np.arange(8), 8 - np.arange(8))
    squares = step[:, None] ** 2 + step**2
    total = np.sum(1 / squares[squares > 0])
    assert [fields[4, 0], fields[4, 4]] == pytest.approx(
        [4 - 2 * 4 / 16 / total, 4 - 2 * 4 / 32 / total], abs=64 * QUANTUM
    )


def test_fields_of_strong_couplings(device):
    """Any coupling table, says local_fields: four neighbours with J = 10 make a field of 40."""
    table = 10 * reference.couplings(6, "nearest")
    assert np.all(ising_fft.local_fields(np.ones((6, 6), np.int8), table, device) == 40)


# ---- the kernel, replayed ----


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011): four 32-bit words from a counter of four and a key of
    two.
    """
    (a, b, c, d), (k0, k1) = counter, key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (
            second >> 32 ^ b ^ k0,
            second & 0xFFFFFFFF,
            first >> 32 ^ d ^ k1,
            first & 0xFFFFFFFF,
        )
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return a, b, c, d


def test_philox_replay_gives_the_known_answers():
    for counter, key, answer in RANDOM123:
        assert philox(counter, key) == answer


def accepts(change, temperature, random):
    """Whether 32 random bits accept a change of energy in quanta: 31 of them against a product of
    four factors.
    """
    if change <= 0:
        return True
    factors = [
        round(math.exp(-(256**k) * (change >> 8 * k & 255) * QUANTUM / temperature) * 2**31)
        for k in range(4)
    ]
    p = ((factors[0] * factors[1] >> 31) * (factors[2] * factors[3] >> 31)) >> 31
    return random >> 1 < p


def replay(spins, model, fields, seed, unit, stream, replica, copy=0):
    """Spins (L, L) after each MCS, one a field of `fields`: (steps, L, L)."""
    sites, table = model.sites, np.rint(model.coupling_table() / QUANTUM).astype(int)
    spins, frames = spins.astype(int), []
    for time, field in enumerate(fields):
        for attempt in range(sites):
            counter = (
                time * ((sites + 1) // 2) + attempt // 2,
                replica,
                unit,
                1 << 31 | STREAMS[stream] << 24 | copy,
            )
            words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))[2 * (attempt % 2) :]
            x, y = divmod(words[0] * sites >> 32, model.size)
            local_field = np.sum(np.roll(table, (x, y), axis=(0, 1)) * spins)  # J is even
            if accepts(
                int(2 * spins[x, y] * (local_field + round(field / QUANTUM))),
                model.temperature,
                words[1],
            ):
                spins[x, y] *= -1
        frames.append(spins.copy())
    return np.array(frames)


@pytest.mark.parametrize(
    ("interaction", "range", "exponent", "size"),
    [
        ("disk", 2, None, 5),
        ("disk", 2, None, 6),
        ("kac", 1.5, None, 5),
        ("kac", 1.5, None, 6),
        ("power_law", 1, 2.5, 6),
    ],
)
def test_evolve_equals_its_replay(device, interaction, range, exponent, size):
    """Three configurations, 6 MCS at T = 3, bit for bit; seed of more than 32 bits."""
    model = build(device, size, interaction, range, exponent, temperature=3.0)
    spins, seed = random_spins(size, 3), 2**40 + 5
    found = model.unpack(model.evolve(model.pack(spins), 6, seed=seed, unit=7, field=0.4))
    for replica, start in enumerate(spins):
        assert np.array_equal(
            found[replica], replay(start, model, [0.4] * 6, seed, 7, "evolve", replica)[-1]
        )
        assert not np.array_equal(found[replica], start)


def test_intervene_equals_its_replay(device):
    """The first passage of each copy of two configurations with m > 0, kac on L = 6."""
    model = build(device, 6, "kac", 1.5, temperature=3.0, field=0.1)
    spins = random_spins(6, 2)
    spins[:, :3] = 1
    duration = np.array([3, 6], np.int32)
    found = model.intervene(
        seed=9,
        unit=2,
        spins=model.pack(spins),
        duration=duration,
        copies=6,
        first_copy=30,
        stream="pilot",
    )
    for copy, replica in np.ndindex(found.shape):
        frames = replay(
            spins[replica], model, [-0.1] * duration[replica], 9, 2, "pilot", replica, 30 + copy
        )
        over = np.flatnonzero(frames.sum((1, 2)) <= 0)
        assert found[copy, replica] == (over[0] + 1 if len(over) else -1)
    assert -1 in found
    assert len(set(found.ravel().tolist())) > 2


def test_nucleate_equals_its_replay(device):
    """Lifetime and last frames of four events: all up, 4 MCS in +h, then -h until m <= 0."""
    model = build(device, 6, "power_law", 1, 2.5, temperature=2.0, field=1.0)
    (events,) = model.nucleate(seed=3, units=[5], events=4, history=3, equilibration=4)
    for event, lifetime in enumerate(events.lifetime.tolist()):
        frames = replay(
            np.ones((6, 6)), model, [1.0] * 4 + [-1.0] * lifetime, 3, 5, "nucleation", event
        )
        up = frames.sum((1, 2))[4:]
        assert up[-1] <= 0 < min([1, *up[:-1]])
        assert np.array_equal(model.unpack(events.history[event]), frames[-4:])


# ---- statistics ----


@pytest.mark.parametrize(
    ("interaction", "range", "exponent", "temperature", "field"),
    [("kac", 1, None, 3.5, 0.0), ("kac", 2, None, 3.0, -0.2), ("power_law", 1, 3.0, 3.0, 0.3)],
)
def test_4x4_has_the_law_of_enumeration(device, interaction, range, exponent, temperature, field):
    """The law of M on 4x4 against all 65536 states, 8192 samples from random starts, chi-square
    with false alarm 1e-5; seed 42.
    """
    table = reference.couplings(4, interaction, range, exponent)
    model = build(device, 4, interaction, range, exponent, temperature)
    spins = model.evolve(model.pack(random_spins(4, 8192)), 60, seed=42, field=field)
    spin, energy = exact.enumerate_states(table)
    weight = np.exp(-(energy - field * spin) / temperature)
    law = np.bincount((16 + spin) // 2, weight / weight.sum())
    observed = np.bincount((16 + model.unpack(spins).sum((1, 2), dtype=int)) // 2, minlength=17)
    rare = law * 8192 < 20
    observed, law = (np.append(x[~rare], x[rare].sum()) for x in (observed, law))
    assert stats.chisquare(observed[law > 0], 8192 * law[law > 0]).pvalue > 1e-5


def test_the_square_by_convolution_has_the_lifetimes_of_the_bit_sliced_kernel(device):
    """R = 2, L = 10, h = 1, 3000 events by convolution and 24 x 256 bit-sliced; mean within 4
    standard errors, seed 43.

    Replicas of a bit-sliced unit share the order of sites, so its error is that of the means of
    units.
    """
    model = build(device, 10, "square", 2, field=1.0)
    units = model.nucleate(seed=43, units=list(range(24)), events=256, history=1, equilibration=10)
    bit_sliced = np.array([unit.lifetime.mean() for unit in units])
    model.lattices = ising_fft.ConvolutionLattices(model)
    (events,) = model.nucleate(seed=43, units=[0], events=3000, history=1, equilibration=10)
    difference = events.lifetime.mean() - bit_sliced.mean()
    assert 10 < bit_sliced.mean() < 100
    assert abs(difference) < 4 * math.hypot(stats.sem(events.lifetime), stats.sem(bit_sliced)), (
        difference
    )


# ---- units, workers ----


@pytest.fixture(scope="module")
def kac():
    return build(select("cpu", workers=1), 12, "kac", 2)


def same(a, b):
    return np.array_equal(a.lifetime, b.lifetime) and np.array_equal(a.history, b.history)


@pytest.mark.parametrize("history", [6, 40])
def test_same_bytes_alone_together_and_with_two_workers(kac, monkeypatch, history):
    """Also where frames reach back to before the event began (40 MCS, more than 5 + lifetime)."""
    options = dict(seed=44, events=40, history=history, equilibration=5)
    together = kac.nucleate(units=[4, 0, 9], **options)
    (alone,) = kac.nucleate(units=[9], **options)
    two = build(select("cpu", workers=2), 12, "kac", 2).nucleate(units=[4, 0, 9], **options)
    monkeypatch.setattr(device_module, "LAUNCH_SECONDS", 1e-5)
    slowly = kac.nucleate(units=[4, 0, 9], **options)
    assert same(alone, together[2])
    assert all(same(a, b) for a, b in zip(together, two, strict=True))
    assert all(same(a, b) for a, b in zip(together, slowly, strict=True))
    assert not np.array_equal(together[0].lifetime, together[1].lifetime)


def test_intervene_and_evolve_do_not_depend_on_workers_launches_or_batches_of_copies(
    kac, monkeypatch
):
    spins = kac.pack(np.where(np.random.default_rng(45).random((30, 12, 12)) < 0.75, 1, -1))
    options = dict(seed=45, unit=1, spins=spins, duration=np.arange(30) // 3)
    whole = kac.intervene(copies=9, **options)
    two = build(select("cpu", workers=2), 12, "kac", 2)
    assert np.array_equal(whole, two.intervene(copies=9, **options))
    assert np.array_equal(whole[6:], kac.intervene(copies=3, first_copy=6, **options))
    assert np.array_equal(kac.evolve(spins, 5, seed=45), two.evolve(spins, 5, seed=45))
    done = []
    monkeypatch.setattr(device_module, "LAUNCH_SECONDS", 1e-5)
    assert np.array_equal(whole, kac.intervene(copies=9, progress=done.append, **options))
    assert done == sorted(done)
    assert done[-1] == 9


def test_a_duration_of_the_wrong_length_is_an_error(kac):
    with pytest.raises(ValueError, match=r"duration|shape"):
        kac.intervene(
            seed=45,
            unit=0,
            spins=kac.pack(random_spins(12, 3)),
            duration=np.array([2, 2]),
            copies=1,
        )


def test_max_lifetime_is_exact(kac):
    check_max_lifetime(kac, seed=46, units=[0, 1], events=40, history=5, equilibration=20)


def test_an_event_that_outlives_max_lifetime_is_an_error(kac):
    model = build(kac.device, 12, "kac", 2, field=0.1)
    with pytest.raises(RuntimeError, match="max_lifetime = 30 MCS"):
        model.nucleate(seed=46, units=[0], events=4, equilibration=5, max_lifetime=30)
