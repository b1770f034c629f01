"""A reaction, or blocks of one chain: growth, the mean's relaxation, orders, energies and periods
against closed forms and a slow, obvious integrator, on every path.
"""

import numpy as np
import pytest

from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_paths import choose
from kernels.critical_nucleus import critical_nucleus
from kernels.free_energy import from_expression

UNITS = dict(epsilon=1.5, mobility=0.6, well_depth=1.4, spacing=0.9, reaction_rate=0.07)
SHAPES = [(32, 32), (48, 40), (24, 24, 24), (32, 32, 32)]  # each runs another code
SCHEMES = {"adaptive": None, "first_order": 1e-3, "second_order": 5e-3, "third_order": 0.02}


def wave(shape, turns: int) -> np.ndarray:
    x = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return np.cos(2 * np.pi * turns * x / shape[0]) * np.ones(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_growth(shape, scheme):
    """sigma = -M k^2 (f'' + epsilon^2 k^2) - B, of waves that grow and of one that the reaction
    alone keeps down, within 1e-4 of the fastest wave's (first order: 1e-2, its error).
    """
    model = CahnHilliard(shape, precision="float64", **UNITS)
    turns, mean, time = np.array([1, 3, 4]), 0.45, 1.0
    start = mean + 1e-6 * np.stack([wave(shape, n) for n in turns])
    run = model.run(
        start, [time], scheme=scheme, step=SCHEMES[scheme], tolerance=1e-9, steady_state=None
    )
    space = tuple(range(1, start.ndim))
    found = np.log(np.ptp(run.fields[:, 0], axis=space) / np.ptp(start, axis=space)) / time
    k = 2 * np.pi * turns / shape[0] / 0.9
    second = 1.4 * (12 * mean**2 - 12 * mean + 2)
    expected = -0.6 * k**2 * (second + 1.5**2 * k**2) - 0.07
    assert model.growth_rate(k, mean) == pytest.approx(expected, rel=1e-12)
    assert expected[0] < 0 < -0.6 * k[0] ** 2 * (second + 1.5**2 * k[0] ** 2)
    bound = 1e-4 if scheme != "first_order" else 1e-2
    assert np.abs(found - expected).max() < bound * np.abs(expected).max()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_mean_relaxes(shape, scheme):
    """As exp(-B t), to round-off at any step; without a mean of the reaction it stays."""
    step, precision = SCHEMES[scheme] and 0.2, "float32" if scheme == "adaptive" else "float64"
    round_off = 2e-7 if precision == "float32" else 1e-15
    times, start = [0, 1, 5], mixtures([0.3, 0.45], 0.1, shape, seed=1)
    options = dict(scheme=scheme, step=step, steady_state=None)
    moves = CahnHilliard(shape, precision=precision, reaction_mean=0.6, **UNITS)
    run = moves.run(start, times, **options)
    expected = 0.6 + (run.mean[:, :1] - 0.6) * np.exp(-0.07 * run.times)
    assert np.abs(run.mean - expected).max() < round_off
    stays = CahnHilliard(shape, precision=precision, **UNITS).run(start, times, **options)
    assert np.abs(stays.mean - stays.mean[:, :1]).max() < round_off
    flat = moves.run(np.full(shape, 0.3), times, **options)
    assert flat.mean[0] == pytest.approx(0.6 - 0.3 * np.exp(-0.07 * run.times), abs=round_off)
    assert not np.ptp(flat.fields, axis=tuple(range(2, flat.fields.ndim))).any()


def slow(model, c: np.ndarray, mobility, target: float, time: float, steps: int) -> np.ndarray:
    """Classical Runge and Kutta of div(M grad mu) - B (c - target), derivatives by FFT."""
    k = [2 * np.pi * np.fft.fftfreq(n) / model.spacing for n in c.shape]
    for each, n in zip(k, c.shape, strict=True):
        each[n // 2] = 0
    along = [1j * each for each in np.ix_(*k)]
    slope = np.polynomial.Polynomial(model.free_energy.coefficients).deriv()
    fft, back = np.fft.fftn, lambda a: np.fft.ifftn(a).real

    def rate(c):
        mu = slope(model.to_symmetric(c)) * model.energy_scale / model.free_energy.half_width
        mu = fft(mu) - model.epsilon**2 * sum(i**2 for i in along) * fft(c)
        flow = back(sum(i * fft(mobility(c) * back(i * mu)) for i in along))
        return flow - model.reaction_rate * (c - target)

    dt = time / steps
    for _ in range(steps):
        a = rate(c)
        b = rate(c + dt / 2 * a)
        d = rate(c + dt / 2 * b)
        c = c + dt / 6 * (a + 2 * b + 2 * d + rate(c + dt * d))
    return c


def bumps(shape, mean: float) -> np.ndarray:
    return mean + 0.25 * wave(shape, 1) + 0.1 * wave(shape, 2) * np.swapaxes(wave(shape, 1), 0, 1)


@pytest.mark.parametrize("mobility", [0.6, "c*(1-c)"])
@pytest.mark.parametrize("target", [None, 0.6])
def test_against_runge_kutta(mobility, target):
    options = UNITS | dict(mobility=mobility, reaction_rate=0.2)
    model = CahnHilliard((16, 16), precision="float64", reaction_mean=target, **options)
    start = bumps((16, 16), 0.45)
    run = model.run(start, [2.0], tolerance=1e-8, steady_state=None)
    of = model.variable_mobility or (lambda c: 0.6)
    expected = slow(model, start, of, start.mean() if target is None else target, 2.0, 2000)
    assert np.abs(run.fields[0, 0] - expected).max() < 2e-5
    assert np.abs(expected - start).max() > 0.05


@pytest.mark.parametrize("shape", [(32, 32), (16, 16), (32, 32, 32)])
def test_orders(shape):
    """1, 2 and 3, also of a mean that moves."""
    model = CahnHilliard(
        shape, precision="float64", reaction_mean=0.6, **UNITS | dict(reaction_rate=0.5)
    )
    for order, (scheme, step) in enumerate(
        [("first_order", 0.01), ("second_order", 0.02), ("third_order", 0.02)], 1
    ):
        ends = [
            model.run(bumps(shape, 0.45), [1.0], scheme=scheme, step=step / 2**i).fields
            for i in range(3)
        ]
        one, two = np.abs(ends[0] - ends[1]).max(), np.abs(ends[1] - ends[2]).max()
        assert np.log2(one / two) == pytest.approx(order, abs=0.25), scheme


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (32, 32, 32)])
@pytest.mark.parametrize(("scheme", "step"), [("adaptive", None), ("third_order", 0.1)])
def test_paths_agree(shape, scheme, step, monkeypatch):
    model = CahnHilliard(shape, precision="float64", reaction_mean=0.6, **UNITS)
    start, options = mixtures([0.3, 0.5], 0.1, shape, seed=3), dict(scheme=scheme, step=step)
    assert choose(model, scheme) is not by_fft
    fused = model.run(start, [1, 5.0], **options)
    monkeypatch.setattr("kernels.cahn_hilliard.choose", lambda *which: by_fft)
    plain = model.run(start, [1, 5.0], **options)
    assert np.array_equal(fused.steps, plain.steps)
    assert np.abs(fused.fields - plain.fields).max() < 1e-11


def test_the_long_range_energy():
    """Of a wave of amplitude A, B / (2 M) volume A^2 / (2 k^2); within walls of a cosine too."""
    model = CahnHilliard((32, 16, 8), precision="float64", **UNITS)
    k, volume = 2 * np.pi * 3 / 32 / 0.9, 32 * 16 * 8 * 0.9**3
    found = model.long_range_energy([0.4 + 0.1 * wave(model.shape, 3)])
    assert found == pytest.approx([0.07 / (2 * 0.6) * volume * 0.1**2 / (2 * k**2)], rel=1e-12)
    walls = CahnHilliard((32, 16), boundary="no_flux", **UNITS)
    k = 3 * np.pi / 32 / 0.9
    cosine = 0.1 * np.cos(k * 0.9 * (np.arange(32) + 0.5))[:, None] * np.ones(16)
    expected = 0.07 / (2 * 0.6) * 32 * 16 * 0.9**2 * 0.1**2 / (2 * k**2)
    assert walls.long_range_energy(cosine) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (48, 40), (32, 32, 32)])
def test_blocks_come_to_rest(shape):
    """Their energy falls at every look, and the part of long range keeps domains as they are."""
    model = CahnHilliard(shape, epsilon=1.5, form="symmetric", reaction_rate=0.05)
    times = [0, 5, 20, 50, 100, 200, 400, np.inf]
    run = model.run(mixtures([0.0, 0.3], 0.05, shape, seed=1), times, observe=("energy", "length"))
    assert (np.diff(run.free_energy) <= 0).all()
    assert (run.free_energy[:, -1] < run.free_energy[:, 1] - 1).all()
    parts = run.chemical_energy + run.surface_energy + run.long_range_energy
    assert np.array_equal(run.free_energy, parts)
    assert np.isfinite(run.steady_time).all()
    assert not run.uniform.any()
    assert run.length[:, -1] == pytest.approx(2 * np.pi / (0.05 / 1.5**2) ** 0.25, rel=0.12)


def test_what_a_reaction_brings_to_rest():
    """A uniform mixture where B > M f''^2 / (4 epsilon^2), or where the mean goes; and one that is
    stable until its mean has come between the spinodals.
    """
    most = 1 / (4 * 1.5**2)
    model = dict(shape=(32, 32), epsilon=1.5, form="symmetric")
    quiet = CahnHilliard(reaction_rate=1.2 * most, **model)
    run = quiet.run(mixtures([0.3], 0.05, (32, 32), seed=1), [np.inf])
    assert np.isfinite(run.steady_time).all()
    assert np.ptp(run.fields) < 1e-4
    goes = CahnHilliard(reaction_rate=0.3 * most, reaction_mean=0.8, **model)
    run = goes.run(mixtures([0.0, -0.7], 0.05, (32, 32), seed=1), [np.inf])
    assert run.uniform.all()
    assert run.mean[:, 0] == pytest.approx(0.8, abs=2e-6)
    comes = CahnHilliard(reaction_rate=0.3 * most, reaction_mean=0.0, **model)
    start = np.concatenate([mixtures([0.9], 0.02, (32, 32), seed=1), np.full((1, 32, 32), 0.9)])
    run = comes.run(start, [np.inf])
    assert run.uniform.tolist() == [False, True]
    assert run.steady_time[1] == pytest.approx(np.log(0.9e6) / (0.3 * most), rel=1e-6)
    assert np.ptp(run.fields, axis=(1, 2, 3)) == pytest.approx([1.5, 0], abs=0.2)
    later = comes.run(start[1], [1.0], steady_state=1e-11)
    assert np.isnan(later.steady_time[0])
    assert not later.uniform[0]


def test_weak_segregation():
    """Just below the limit B = M f''^2 / (4 epsilon^2) the one wave that grows has k^4 = B / (M
    epsilon^2); eight of its periods fit the box.
    """
    epsilon, mobility = 2.0, 0.7
    rate = 0.93 * mobility / (4 * epsilon**2)
    k = (rate / (mobility * epsilon**2)) ** 0.25
    model = CahnHilliard(
        (192, 8),
        epsilon=epsilon,
        mobility=mobility,
        form="symmetric",
        reaction_rate=rate,
        spacing=8 * 2 * np.pi / k / 192,
    )
    run = model.run(mixtures([0.0] * 8, 0.05, model.shape, seed=2), [np.inf], observe="length")
    assert run.length[:, 0] == pytest.approx(2 * np.pi / k, rel=1e-3)
    # amplitude of one wave: 0 = sigma - M k^2 3/4 A^2
    sigma = float(model.growth_rate(k, 0.0))
    amplitude = np.sqrt(4 * sigma / (3 * mobility * k**2))
    assert np.ptp(run.fields[0]) / 2 == pytest.approx(amplitude, rel=0.02)


def test_strong_segregation():
    """Lamellae of a period D have F / V = 2 sigma / D + B D^2 / (96 M), thin interfaces, -1 and 1
    between them: least at D^3 = 96 sigma M / B.
    """
    rate = 96 * 8**0.5 / 3 / 32**3
    energy = {}
    for period in (28, 32, 36):
        model = CahnHilliard((period, 8), form="symmetric", reaction_rate=rate, precision="float64")
        x = np.arange(period) - period / 2 + 0.5
        start = np.tanh((np.abs(x) - period / 4) / 2**0.5)[:, None] * np.ones(8)
        run = model.run(start - start.mean(), [np.inf])
        energy[period] = run.free_energy[0, 0] / (period * 8)
        thin = 2 * model.surface_tension / period + rate * period**2 / 96
        assert energy[period] == pytest.approx(thin, rel=0.05)
        assert energy[period] < thin  # interfaces of a width cost less
    assert energy[32] < min(energy[28], energy[36])


def test_noise_of_a_reaction():
    """S(k) = T k^2 / (k^2 (f'' + epsilon^2 k^2) + B / M) of a stable mixture, at a long step."""
    quadratic = from_expression("c**2/2", wells=(-1, 1))
    model = CahnHilliard(
        (16, 16), form=quadratic, epsilon=1.5, spacing=2.0, mobility=0.5, reaction_rate=0.1
    )
    run = model.run(
        np.zeros((256, 16, 16)),
        [60],
        scheme="first_order",
        step=1.0,
        steady_state=None,
        temperature=0.01,
        seed=5,
        observe=False,
    )
    power = np.abs(np.fft.fft2(run.fields[:, 0].astype(float))) ** 2 * 4 / 256
    k2 = sum(np.ix_(*model.squared_wave_numbers()))
    expected = 0.01 * k2 / (k2 * (1 + 1.5**2 * k2) + 0.1 / 0.5)
    ratio = (power.mean(0)[k2 > 0] / expected[k2 > 0]).ravel()
    assert np.abs(ratio - 1).max() < 5 * np.sqrt(2 / 256)  # 255 waves, real ones of two degrees
    assert ratio.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / 256 / 255))


def test_a_reaction_between_walls():
    """A cosine decays as growth_rate says, the mean relaxes, and one image is the box."""
    model = CahnHilliard(
        (32, 16), boundary="no_flux", precision="float64", reaction_mean=0.06, **UNITS
    )
    k = 3 * np.pi / 32 / 0.9
    start = 0.06 + 1e-6 * np.cos(k * 0.9 * (np.arange(32) + 0.5))[:, None] * np.ones(16)
    run = model.run(start, [0, 2], steady_state=None, tolerance=1e-9)
    decayed = np.log(np.ptp(run.fields[0, 1]) / np.ptp(run.fields[0, 0])) / 2
    assert decayed == pytest.approx(model.growth_rate(k, 0.06), rel=1e-4)
    run = model.run(mixtures([0.3], 0.1, (32, 16), seed=1), [0, 3])
    assert run.mean[0, 1] == pytest.approx(0.06 + 0.24 * np.exp(-0.21), abs=1e-8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(reaction_rate=-1), r"reaction_rate is -1; it must be a finite number from 0 to"),
        (dict(reaction_rate="1"), r"reaction_rate is '1'; it must be a finite number"),
        (dict(reaction_mean=0.5), r"reaction_mean is 0\.5, but reaction_rate is 0"),
        (dict(reaction_rate=1, reaction_mean=9), r"reaction_mean is 9; expected about 0 to 1"),
        (dict(reaction_rate=1, reaction_mean=[0.5]), r"reaction_mean is \[0\.5\]; it must be a"),
    ],
)
def test_refused(arguments, said):
    with pytest.raises(ValueError, match=said) as error:
        CahnHilliard((8, 8), epsilon=2, **arguments)
    assert "\n" not in str(error.value)


def test_what_has_no_reaction():
    model = CahnHilliard((8, 8), epsilon=2, laplacian="finite_difference", reaction_rate=0.1)
    with pytest.raises(ValueError, match="scheme is explicit; a reaction has the others"):
        model.run(np.full((8, 8), 0.5), [1], scheme="explicit", step=1e-3)
    with pytest.raises(ValueError, match=r"reaction_rate is 0\.1; a critical nucleus is that of"):
        critical_nucleus(model, 0.15)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_phase_that_a_reaction_mixes(shape):
    """From beyond the wells the mean comes to where waves grow: those of the start decay to
    rounding first, and steps stay long all the same, in float32 as in float64.
    """
    start = mixtures([0.0, 1.15], 0.05, shape, seed=3)
    models = [
        CahnHilliard(shape, precision=precision, reaction_rate=0.02, reaction_mean=0.4)
        for precision in ("float32", "float64")
    ]
    single, double = (model.run(start, [3, 40], max_steps=3000) for model in models)
    assert single.end_time.tolist() == [40, 40]
    assert (single.steps < 2.5 * double.steps).all()
    assert np.abs(single.fields - double.fields).max() < 1e-6
