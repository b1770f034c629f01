"""The Active Ising Model against exact laws of tiny systems, closed forms, and the plain reference.

Laws by chi-square with a false alarm of 1e-6; means, by Welch's test of independent replicas, with
one of 2e-6 (4.75 standard errors): below 1e-4 over the file. Seeds are fixed.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from kernels.active_ising import ActiveIsing
from kernels.device import select
from tests.reference import active_ising as reference
from tests.test_ising_equilibrium import merged

ALGORITHMS = ["standard", "continuous_time"]
INFINITE = 1e6  # a temperature
TEMPERATURES = [0.25, 0.55, 0.95]  # L, L+G, G at rho0 = 3
UNITS = dict(diffusion=0.4, self_propulsion=0.7)  # nothing is 1
FALSE_ALARM = 2e-6


def run(
    device,
    size,
    temperature,
    density,
    start,
    times,
    replicas=1,
    seed=31,
    index=None,
    snapshots=None,
    **system,
):
    """A run of `replicas` alike; temperature, density and start may be arrays."""
    temperature, density, start = (
        np.broadcast_to(v, replicas) for v in (temperature, density, start)
    )
    return ActiveIsing(size=size, device=device, **system).run(
        temperature.astype(float),
        density.astype(float),
        start.astype(int),
        times,
        seed=seed,
        index=index,
        snapshots=snapshots,
    )


def counts(found):
    """Counts (r, s, L, L, 2) of the maps of a run, spin -1 first."""
    density, magnetization = found.density_map.astype(int), found.magnetization_map.astype(int)
    return np.stack([density - magnetization, density + magnetization], -1) // 2


def check_law(observed, probability):
    possible = probability > 1e-12
    assert not observed[~possible].any()
    both = merged(
        observed[possible], probability[possible] / probability[possible].sum() * observed.sum()
    )
    assert len(both[0]) > 5
    assert stats.chisquare(*both).pvalue > 1e-6


def check_states(found, look, equation, law):
    check_law(np.bincount(equation.index(counts(found)[:, look]).ravel(), minlength=len(law)), law)


def law_after(equation, law, found, algorithm, temperature):
    """What has become of a law at the last look: not that of its time, but of the number of
    attempts, which all replicas share.

    The kernels count time in attempts: N/dt a unit, or N (4D + exp(-1/T)), just before the next of
    which they look. Where N is small that differs from continuous time, by 1/N.
    """
    if algorithm == "standard":
        assert len(set(found.attempts.tolist())) == 1
        return equation.after(law, int(found.attempts[0]), temperature, UNITS["diffusion"])
    events = (
        found.times[-1] * found.particles[0] * (4 * UNITS["diffusion"] + np.exp(-1 / temperature))
    )
    return equation.after_common(law, round(events))


# Exact laws.


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("temperature", [0.35, 0.7])
def test_stationary_law(device, algorithm, temperature):
    """Three particles on 3 x 3, all 1140 states: every rate at once. Looks so far apart that
    exp(-gap t) = 1e-4.
    """
    equation = reference.MasterEquation(3, 3, temperature, **UNITS)
    times = np.arange(1, 7) * 9.2 / equation.gap()
    found = run(device, 3, temperature, 1 / 3, 1, times, 4000, algorithm=algorithm, **UNITS)
    check_states(found, slice(None), equation, equation.stationary())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("start", [1, -1, 0])
def test_law_in_time(device, algorithm, start):
    """Two particles on 3 x 3, all 171 states, at 0 and on the way to equilibrium."""
    temperature, time = 0.7, 0.8
    equation = reference.MasterEquation(3, 2, temperature, **UNITS)
    found = run(
        device,
        3,
        temperature,
        2 / 9,
        start,
        [0.0, time],
        30000,
        seed=32,
        algorithm=algorithm,
        **UNITS,
    )
    check_states(found, 0, equation, equation.start(start))
    if algorithm == "standard":
        assert found.attempts[0] == pytest.approx(
            2 * time * (4 * UNITS["diffusion"] + np.exp(1 / temperature)), abs=1
        )
    check_states(
        found,
        1,
        equation,
        law_after(equation, equation.start(start), found, algorithm, temperature),
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_lonely_particle(device, algorithm):
    """Where a particle is after 1.5 time units, from where it was, and its spin: 98 states on 7 x
    7, x and y told apart.
    """
    size, temperature, time = 7, 0.6, 1.5
    equation = reference.MasterEquation(size, 1, temperature, **UNITS)
    found = counts(
        looks := run(
            device,
            size,
            temperature,
            1 / size**2,
            1,
            [0.0, time],
            20000,
            seed=33,
            algorithm=algorithm,
            **UNITS,
        )
    )
    x, y = np.divmod(found[:, 0].sum(-1).reshape(len(found), -1).argmax(1), size)
    moved = np.array(
        [np.roll(after, (-i, -j), (0, 1)) for after, i, j in zip(found[:, 1], x, y, strict=True)]
    )
    origin = np.zeros(len(equation.states))
    origin[equation.index(np.eye(2 * size**2, dtype=int)[1].reshape(size, size, 2))] = (
        1  # spin +1 at (0, 0)
    )
    law = law_after(equation, origin, looks, algorithm, temperature)
    check_law(np.bincount(equation.index(moved), minlength=len(law)), law)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_sites_alone(device, algorithm, temperature):
    """D = 0: C(n, n+) exp(m^2 / (2 n T)) on the sites with n particles, for all n with 10 sites or
    more expected of each m.
    """
    found = run(
        device,
        24,
        temperature,
        4.0,
        [1, -1, 0, 0] * 10,
        [60.0, 120.0, 180.0],
        40,
        seed=34,
        algorithm=algorithm,
        diffusion=0.0,
    )
    assert np.array_equal(found.density_map[:, 0], found.density_map[:, 2])
    minus, plus = counts(found).reshape(-1, 2).T
    deviation, freedom = 0.0, 0
    for n in range(1, 13):
        observed = np.bincount(plus[plus + minus == n], minlength=n + 1)
        expected = observed.sum() * reference.site_law(n, temperature)
        if expected.min() > 10:
            deviation += np.sum((observed - expected) ** 2 / expected)
            freedom += n
    assert freedom > 20
    assert stats.chi2.sf(deviation, freedom) > 1e-6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_free_particles_are_spread_at_random(device, algorithm):
    """Infinite temperature: binomial occupancy, of sites and in density_histogram, and spins at
    random on every site.
    """
    size, density = 20, 2.5
    found = run(
        device, size, INFINITE, density, 1, [0.0, 12.0, 24.0], 60, seed=35, algorithm=algorithm
    )
    law = stats.binom(density * size**2, 1 / size**2)
    for look in range(3):
        histogram = found.density_histogram[:, look].sum(0)
        check_law(histogram, np.append(law.pmf(np.arange(64)), law.sf(63)))
    spins = np.bincount(counts(found)[:, 2].sum(-1).ravel(), counts(found)[:, 2, ..., 1].ravel())[
        :10
    ]
    for n in (1, 2, 3, 4):
        sites = np.sum(found.density_map[:, 2] == n)
        assert abs(spins[n] - n * sites / 2) < 4.75 * np.sqrt(n * sites / 4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_diffusion(device, algorithm):
    """Infinite temperature: D_x = D + (2 D eps)^2/2 and D_y = D, from the decay of density waves,
    wave numbers 1 and 2.

    Per replica and pair of looks about 1/(D k^2) apart, wave(t + lag) wave(t)* / N less its law,
    whose mean is 0; error by independent replicas. D fitted to the same decays, to 1 to 3%, is
    printed.
    """
    size, every = 24, 1.5
    found = run(
        device, size, INFINITE, 0.5, 0, np.arange(17) * every, 2000, seed=36, algorithm=algorithm
    )
    assert reference.diffusion_constants() == pytest.approx((2.62, 1.0))
    for profile, self_propulsion in (
        (found.density_profile, 0.9),
        (found.density_map.sum(2, dtype=int), 0.0),
    ):
        constant = reference.diffusion_constants(self_propulsion=self_propulsion)[0]
        for n in (1, 2):
            k = 2 * np.pi * n / size
            looks = max(1, round(1 / (constant * k**2 * every)))
            wave = profile @ np.exp(-1j * k * np.arange(size)) / size
            power, kept = (
                (abs(wave[:, :-looks]) ** 2).mean(1),
                (wave[:, looks:] * wave[:, :-looks].conj()).real.mean(1),
            )
            expected, faster = (
                reference.scattering(k, looks * every * t, self_propulsion=self_propulsion)
                for t in (1, 1.01)
            )
            per_cent = (
                faster - expected
            ) * power.mean()  # that D and D eps larger by 1% would change
            off, resolution = (
                np.mean(kept - expected * power) / per_cent,
                abs(stats.sem(kept - expected * power) / per_cent),
            )
            print(
                f"{algorithm}, n = {n}: D = {constant * (1 + off / 100):.3f} +- {constant * resolution / 100:.3f} of {constant:.2f}"
            )
            assert resolution < 4
            assert abs(off) < 4.75 * resolution


# The plain reference.

SIZE, DENSITY, LOOKS = 18, 3.0, np.arange(8.0, 49.0)


def quantities(magnetization, profile, second):
    """Of each replica, from m (r, o), the profile of m (r, o, L) and sum of rho^2 (r, o): |m|, the
    variance of the occupancy, the growth of m's square displacement after 1 and 5 time units (2
    (C(0) - C(t)) in a stationary state), and m's first wave.
    """
    m = magnetization / (DENSITY * SIZE**2)
    wave = abs(profile @ np.exp(-2j * np.pi * np.arange(SIZE) / SIZE)) / (DENSITY * SIZE**2)
    return {
        "|m|": abs(m).mean(1),
        "var rho": second.mean(1) / SIZE**2 - DENSITY**2,
        "C(0) - C(1)": ((m[:, 1:] - m[:, :-1]) ** 2).mean(1),
        "C(0) - C(5)": ((m[:, 5:] - m[:, :-5]) ** 2).mean(1),
        "wave": wave.mean(1),
    }


@cache
def plain(temperature, replicas=50):
    particles = round(DENSITY * SIZE**2)
    runs = np.array(
        [
            reference.Lattice(SIZE, particles, temperature, 1, 1000 + seed).look(LOOKS)
            for seed in range(replicas)
        ]
    )
    m = runs[..., 1] - runs[..., 0]
    return quantities(m.sum((2, 3)), m.sum(3), (runs.sum(-1) ** 2).sum((2, 3)))


def ours(device, temperature, algorithm, replicas=150):
    found = run(
        device,
        SIZE,
        temperature,
        DENSITY,
        1,
        LOOKS,
        replicas,
        seed=37,
        snapshots=np.zeros(len(LOOKS), bool),
        algorithm=algorithm,
    )
    assert np.all(found.density_histogram[..., 64] == 0)
    return quantities(
        found.magnetization,
        found.magnetization_profile,
        found.density_histogram @ np.arange(65) ** 2,
    )


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_algorithms_and_reference_agree(device, temperature):
    """From all up, L = 18, over 40 time units: standard, continuous_time and the reference in five
    quantities, each with each.

    They resolve |m| to about 0.1% in L and 2% in G, the others to 1 to 4%.
    """
    found = {
        "reference": plain(temperature),
        **{algorithm: ours(device, temperature, algorithm) for algorithm in ALGORITHMS},
    }
    for a, b in (
        ("standard", "reference"),
        ("continuous_time", "reference"),
        ("continuous_time", "standard"),
    ):
        for name in found[a]:
            one, other = found[a][name], found[b][name]
            test = stats.ttest_ind(one, other, equal_var=False)
            print(
                f"T = {temperature}, {name}: {a} {one.mean():.5g}, {b} {other.mean():.5g}, {test.statistic:+.2f} sigma"
            )
            assert test.pvalue > FALSE_ALARM, (a, b, name)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_walls(device, algorithm):
    """Disordered at T = 0.25, rho0 = 18, where streams of both signs jam into walls: the fullest
    site, beyond the 63 of one sign that fit into a narrow counter in many replicas, the variance of
    the occupancy and |m| at three times as in the reference.
    """
    size, density, temperature, times, replicas = 12, 18.0, 0.25, [2.0, 5.0, 9.0], 60
    found = counts(
        run(
            device, size, temperature, density, 0, times, 2 * replicas, seed=44, algorithm=algorithm
        )
    )
    plain = np.array(
        [
            reference.Lattice(size, round(density * size**2), temperature, 0, 3000 + i).look(times)
            for i in range(replicas)
        ]
    )
    assert np.mean(found.max((1, 2, 3, 4)) > 63) > 0.5
    for quantity in (
        lambda c: c.max((2, 3, 4)),
        lambda c: c.sum(-1).var((2, 3)),
        lambda c: abs((c[..., 1] - c[..., 0]).sum((2, 3))),
    ):
        for one, other in zip(quantity(found).T, quantity(plain).T, strict=True):
            test = stats.ttest_ind(one, other, equal_var=False)
            print(
                f"{algorithm} {one.mean():.4g}, reference {other.mean():.4g}, {test.statistic:+.2f} sigma"
            )
            assert test.pvalue > FALSE_ALARM


@pytest.mark.parametrize("time_step", [None, 0.03])
def test_shorter_time_step(device, time_step):
    """T = 0.55: the standard algorithm's state does not hang on dt, and a shorter one makes more
    attempts.
    """
    found = run(
        device,
        SIZE,
        0.55,
        DENSITY,
        1,
        LOOKS,
        60,
        seed=38,
        algorithm="standard",
        time_step=time_step,
    )
    expected = DENSITY * SIZE**2 * LOOKS[-1] / (time_step or 1 / (4 + np.exp(1 / 0.55)))
    assert found.attempts == pytest.approx(np.full(60, expected), rel=1e-3)
    values = quantities(
        found.magnetization,
        found.magnetization_profile,
        found.density_histogram @ np.arange(65) ** 2,
    )
    for name, theirs in plain(0.55).items():
        assert stats.ttest_ind(values[name], theirs, equal_var=False).pvalue > FALSE_ALARM, name


# Phases.


@pytest.mark.parametrize("start", [1, -1, 0])
def test_phases(device, start):
    """rho0 = 3, L = 54: liquid (ordered, even), liquid and gas (a band of m along x), gas (no
    order), whatever the start.

    m and its largest x-wave of three, of the particles, over the late looks. A disordered start at
    T = 0.25 may keep bands of both signs for longer than this test: only its gas and its order on
    sites are looked at.
    """
    size, times = 54, np.arange(300.0, 501.0, 20.0)
    found = run(device, size, TEMPERATURES, 3.0, start, times, 3, seed=39)
    particles = found.particles[:, None]
    m = found.magnetization / particles
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size), [1, 2, 3]) / size)
    band = abs(found.magnetization_profile @ waves / particles[..., None]).max(-1).mean(1)
    density = abs(found.density_profile @ waves / particles[..., None]).max(-1).mean(1)
    order = abs(m).mean(1)
    print(f"start {start:+d}: |m| {order}, wave of m {band}, of rho {density}")
    assert order[2] < 0.1
    assert band[2] < 0.1
    if start:
        assert np.all(start * m[:2] > 0)
        assert order[0] > 0.95
        assert 0.2 < order[1] < 0.8
        assert band[0] < 0.05
        assert band[1] > 0.2
        assert density[1] > 4 * density[[0, 2]].max()


# What a run gives.


@pytest.mark.parametrize("algorithm", ["auto", *ALGORITHMS])
def test_record(device, algorithm):
    """Shapes, types, and what a run says of its maps is true of them; particles are conserved."""
    times, snapshots = [0.0, 0.5, 7.0, 7.5], np.array([True, False, True, True])
    density, temperature = [0.5, 3.0, 0.1, 8.0], [0.4, 0.3, 1.0, 0.9]
    found = run(
        device,
        11,
        temperature,
        density,
        [1, -1, 0, 1],
        times,
        4,
        seed=40,
        snapshots=snapshots,
        algorithm=algorithm,
    )
    kinds = {
        "times": "float64",
        "particles": "int32",
        "magnetization": "int32",
        "density_profile": "int32",
        "attempts": "int64",
        "magnetization_profile": "int32",
        "density_histogram": "int32",
        "magnetization_map": "int16",
        "density_map": "uint16",
    }
    shapes = {
        "times": (4,),
        "particles": (4,),
        "magnetization": (4, 4),
        "density_profile": (4, 4, 11),
        "attempts": (4,),
        "magnetization_profile": (4, 4, 11),
        "density_histogram": (4, 4, 65),
        "magnetization_map": (4, 3, 11, 11),
        "density_map": (4, 3, 11, 11),
    }
    assert {name: getattr(found, name).dtype.name for name in kinds} == kinds
    assert {name: getattr(found, name).shape for name in shapes} == shapes
    assert np.array_equal(found.times, times)
    assert np.array_equal(found.particles, np.rint(np.array(density) * 121))
    rho, m = found.density_map.astype(int), found.magnetization_map.astype(int)
    assert np.all(abs(m) <= rho)
    assert np.all((rho - m) % 2 == 0)
    assert np.all(rho.sum((2, 3)) == found.particles[:, None])
    assert np.all(found.density_profile.sum(2) == found.particles[:, None])
    assert np.all(found.density_histogram.sum(2) == 121)
    assert np.array_equal(found.magnetization_profile.sum(2), found.magnetization)
    assert np.array_equal(
        found.magnetization[[0, 1, 3], 0], [1, -1, 1] * found.particles[[0, 1, 3]]
    )
    assert np.array_equal(rho.sum(3), found.density_profile[:, snapshots])
    assert np.array_equal(m.sum(3), found.magnetization_profile[:, snapshots])
    histogram = [
        [np.bincount(np.minimum(look, 64).ravel(), minlength=65) for look in replica]
        for replica in rho
    ]
    assert np.array_equal(histogram, found.density_histogram[:, snapshots])
    assert np.all(found.attempts > 0)
    assert np.any(rho[:, 0] != rho[:, 1])


NAMES = (
    "magnetization",
    "density_profile",
    "magnetization_profile",
    "density_histogram",
    "magnetization_map",
    "density_map",
    "attempts",
)


def same(a, b, rows=slice(None)):
    return all(np.array_equal(getattr(a, name)[rows], getattr(b, name)) for name in NAMES)


MIXED = dict(
    temperature=[0.3, 0.55, 0.95, 0.3, 3.0],
    density=[3.0, 2.0, 3.0, 0.7, 5.0],
    start=[1, -1, 0, 0, 1],
    replicas=5,
)


@pytest.mark.parametrize("algorithm", ["auto", *ALGORITHMS])
def test_same_bytes(device, algorithm):
    """Replicas of a batch, each with its T, rho0 and start, are as if alone, whatever else is
    looked at and their order; workers and lanes do not matter; seeds and indices do.
    """
    index, looks = np.array([4, 0, 2**48 - 1, 7, 5]), [0.0, 3.0, 9.5]
    options = dict(seed=41, algorithm=algorithm)
    batch = run(device, 15, times=looks, index=index, **MIXED, **options)
    for i in range(5):
        one = {name: value[i] for name, value in MIXED.items() if name != "replicas"}
        assert same(
            batch, run(device, 15, times=looks, index=index[[i]], **one, **options), slice(i, i + 1)
        )
    turned = {name: value[::-1] for name, value in MIXED.items() if name != "replicas"}
    assert same(
        batch,
        run(device, 15, times=looks, index=index[::-1], replicas=5, **turned, **options),
        slice(None, None, -1),
    )
    if device.kind == "cpu":
        for other in (
            select("cpu", workers=2),
            select("cpu", workers=1, lanes=1),
            select("cpu", workers=2, lanes=4),
        ):
            assert same(batch, run(other, 15, times=looks, index=index, **MIXED, **options))
    few = run(
        device,
        15,
        times=looks,
        index=index,
        snapshots=np.array([False, False, True]),
        **MIXED,
        **options,
    )
    assert np.array_equal(few.density_map[:, 0], batch.density_map[:, 2])
    assert np.array_equal(few.magnetization, batch.magnetization)
    assert not same(
        batch, run(device, 15, times=looks, index=index, **MIXED, **{**options, "seed": 42})
    )
    alike = run(device, 15, 0.55, 3.0, 0, looks, 20, **options)
    assert len(np.unique(alike.density_map[:, 0].reshape(20, -1), axis=0)) == 20
    assert len(np.unique(alike.density_map[:, 2].reshape(20, -1), axis=0)) == 20


def test_auto_is_one_of_the_algorithms(device):
    """At each temperature `auto` gives the bytes of one of the two."""
    for temperature in TEMPERATURES:
        auto, *both = (
            run(device, 12, temperature, 3.0, 1, [5.0], 2, algorithm=name)
            for name in ("auto", *ALGORITHMS)
        )
        assert same(auto, both[0]) or same(auto, both[1])


def test_looks_do_not_change_the_law(device):
    """m at t = 10, looked at then alone or a hundred times before: the same law, both
    algorithms.
    """
    for algorithm in ALGORITHMS:
        options = dict(replicas=200, seed=43, algorithm=algorithm)
        often = run(device, 9, 0.6, 3.0, 1, np.linspace(0.1, 10, 100), **options)
        once = run(device, 9, 0.6, 3.0, 1, [10.0], index=np.arange(200, 400), **options)
        test = stats.ttest_ind(
            often.magnetization[:, -1], once.magnetization[:, 0], equal_var=False
        )
        assert test.pvalue > FALSE_ALARM
        assert often.attempts.mean() == pytest.approx(once.attempts.mean(), rel=0.02)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_going_on(device, algorithm):
    """From maps: at time 0 they are what was given, and m at t = 10 has one law, whether the run
    was cut at t = 4 or not.
    """
    options = dict(replicas=200, seed=47, algorithm=algorithm)
    whole = run(device, 9, 0.6, 3.0, 0, [4.0, 10.0], **options)
    maps = (whole.magnetization_map[:, 0], whole.density_map[:, 0])
    model = ActiveIsing(size=9, algorithm=algorithm, device=device)
    index = np.arange(200, 400)
    cut = model.run(np.full(200, 0.6), None, maps, [0.0, 6.0], seed=47, index=index)
    assert np.array_equal(cut.magnetization_map[:, 0], maps[0])
    assert np.array_equal(cut.density_map[:, 0], maps[1])
    assert np.array_equal(cut.particles, whole.particles)
    for moment in (1, 2):
        test = stats.ttest_ind(
            cut.magnetization[:, 1].astype(float) ** moment,
            whole.magnetization[:, 1].astype(float) ** moment,
            equal_var=False,
        )
        assert test.pvalue > FALSE_ALARM
    # what it was is not forgotten: m at the two ends of the 6 time units is correlated
    assert np.corrcoef(cut.magnetization.T)[0, 1] > 0.3


def test_progress(device):
    done = []
    model = ActiveIsing(size=9, device=device)
    model.run(
        np.full(6, 0.5), np.full(6, 2.0), np.zeros(6, int), [1.0, 3.0], seed=1, progress=done.append
    )
    assert done == sorted(done)
    assert done[-1] == pytest.approx(6)
