"""What becomes of a mixture by default: the end that an independent integrator finds, no false
rest, small noise followed, a free energy that never rises, and free energies other than the usual
one.
"""

import math

import numpy as np
import pytest

from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_clock import media, rule
from kernels.cahn_hilliard_spectrum import SpectrumStep
from kernels.free_energy import FreeEnergy, double_well

INF = math.inf


class Etdrk4:
    """Kassam and Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005): c of f = c^2 (1 - c)^2, epsilon =
    M = spacing = 1, float64, fixed steps.
    """

    def __init__(self, size: int, step: float):
        k = 2 * np.pi * np.fft.fftfreq(size)
        self.k2 = k[:, None] ** 2 + k[: size // 2 + 1] ** 2
        z = -step * self.k2**2
        r = z[..., None] + np.exp(1j * np.pi * (np.arange(1, 33) - 0.5) / 32)
        self.whole, self.half = np.exp(z), np.exp(z / 2)

        def mean(values):
            return step * values.mean(-1).real

        self.q = mean((np.exp(r / 2) - 1) / r)
        self.f1 = mean((-4 - r + np.exp(r) * (4 - 3 * r + r**2)) / r**3)
        self.f2 = mean((2 + r + np.exp(r) * (r - 2)) / r**3)
        self.f3 = mean((-4 - 3 * r - r**2 + np.exp(r) * (4 - r)) / r**3)
        self.size = size

    def slope(self, v):
        c = np.fft.irfft2(v, s=(self.size, self.size))
        return -self.k2 * np.fft.rfft2(2 * c * (1 - c) * (1 - 2 * c))

    def run(self, fields, steps):
        v = np.fft.rfft2(fields.astype(np.float64))
        for _ in range(steps):
            n = self.slope(v)
            a = self.half * v + self.q * n
            na = self.slope(a)
            b = self.half * v + self.q * na
            nb = self.slope(b)
            nc = self.slope(self.half * a + self.q * (2 * nb - n))
            v = self.whole * v + self.f1 * n + 2 * self.f2 * (na + nb) + self.f3 * nc
        return np.fft.irfft2(v, s=(self.size, self.size))


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.4])
def test_ends_are_those_of_an_independent_integrator(device, mean):
    """Eight mixtures at the default tolerance; of 144 on 64 x 64 run to t = 30 000 by another
    ETDRK4 one ended otherwise, with the same energy.
    """
    start, model = (
        mixtures([mean] * 8, 0.1, (32, 32), seed=21),
        CahnHilliard((32, 32), device=device),
    )
    expected = Etdrk4(32, 0.2).run(start, 2500)
    found = model.run(start, [500.0], steady_state=None)
    energy = sum(model.energies(expected))
    assert np.abs(found.free_energy[:, 0] / energy - 1).max() < 0.01
    apart = np.abs(found.fields[:, 0] - expected).max((1, 2))
    assert (apart > 0.1).sum() <= 1
    assert found.fields.std() > 0.3


def test_no_step_raises_the_free_energy(device):
    """By no more than 1e-6 of itself, from the noise to rest, in double precision."""
    model = CahnHilliard((48, 48), precision="float64", device=device)
    start = model.to_symmetric(mixtures([0.5, 0.35], 0.1, model.shape, seed=22).astype(float))
    mean = start.mean((1, 2))
    words = rule(model, "adaptive", None, 1e-5, 1e-10)
    step = SpectrumStep(model, words, media(model, mean), 3, True)
    v = device.asarray(start - mean[:, None, None])
    xp = np if device.kind == "cpu" else device.cupy
    u = [xp.fft.rfft2(v) for _ in range(3)]
    nonlinear = [xp.zeros_like(u[0]) for _ in range(3)]
    energies = [sum(model.energies(model.from_symmetric(start)))]
    for _ in range(1500):
        step.begin([INF, INF])
        nonlinear = [xp.fft.rfft2(step.nonlinear(v.copy())), *nonlinear[:-1]]
        step.end(step.advance(u, nonlinear) / model.shape[0] ** 4)
        u = [u[-1], *u[:-1]]
        v = xp.fft.irfft2(u[0])
        here = device.to_host(v) + mean[:, None, None]
        energies.append(sum(model.energies(model.from_symmetric(here))))
    rises = np.diff(energies, axis=0) / np.array(energies[:-1])
    assert rises.max() < 1e-6
    assert (step.clocks["time"] > 500).all()


# At rest, or not.


def test_a_step_cut_to_land_on_a_look_is_no_rest(device):
    model = CahnHilliard((32, 32), device=device)
    start = mixtures([0.3], 0.1, (32, 32), seed=1)
    run = model.run(start, [0, 0.3, 0.1 + 0.2, 50])  # two looks that float64 can hardly tell apart
    assert np.isnan(run.steady_time[0])
    assert np.array_equal(run.fields[0, 1], run.fields[0, 2])
    assert run.free_energy[0, -1] == pytest.approx(34.86, abs=0.05)


@pytest.mark.parametrize("scheme", ["first_order", "second_order"])
def test_nor_are_short_steps(device, scheme):
    model = CahnHilliard((32, 32), device=device)
    start = mixtures([0.3], 0.1, (32, 32), seed=1)
    run = model.run(start, [6.0, 12.0], scheme=scheme, step=1e-3)
    assert np.isnan(run.steady_time[0])
    assert run.end_time[0] == 12
    assert run.steps[0] == 12_000  # the last step absorbs what rounding leaves


@pytest.mark.parametrize("noise", [0.02, 0.001])
@pytest.mark.parametrize("mean", [0.215, 0.22, 0.25])
def test_slow_growth_is_no_rest(device, mean, noise):
    """Waves that grow slowly, under short ones that decay."""
    model = CahnHilliard((64, 64), device=device)
    run = model.run(mixtures([mean] * 4, noise, model.shape, seed=1), [INF])
    assert np.isfinite(run.steady_time).all()
    assert (run.fields[:, -1].std((1, 2)) > 0.3).all()
    assert not run.uniform.any()


def test_a_mixture_that_cannot_segregate_comes_to_rest_uniform(device):
    model = CahnHilliard((64, 64), device=device)
    run = model.run(mixtures([0.1, 0.2], 0.1, model.shape, seed=1), [INF])
    assert np.isfinite(run.steady_time).all()
    assert (run.fields[:, -1].std((1, 2)) < 1e-3).all()
    assert (run.steps < 1500).all()
    flat = model.run(np.full((1, 64, 64), np.float32(0.3)), [0.0, INF])
    assert flat.uniform[0]
    assert flat.steady_time[0] == 0
    assert np.array_equal(flat.fields[0, 1], np.full((64, 64), np.float32(0.3)))


@pytest.mark.parametrize("mean", [0.5, 0.3, 0.22])
def test_small_noise_is_followed(device, mean):
    """std(c) when it has grown tenfold, in float32 at the default tolerance, within 2% of float64
    at 1e-8.
    """
    options = dict(times=np.geomspace(1, 5000, 40), steady_state=None, observe=False)
    model = CahnHilliard((64, 64), device=device)
    double = CahnHilliard((64, 64), precision="float64", device=device)
    for noise in (1e-1, 1e-3, 1e-5):
        start = mixtures([mean], noise, model.shape, seed=2)
        start = start.astype(np.float64) if noise < 1e-3 else start
        fine = double.run(start, tolerance=1e-8, **options).fields[0].std((1, 2))
        grown = np.flatnonzero(fine > 10 * fine.min())
        when = grown[0] if len(grown) else int(np.argmax(fine))
        time = options["times"][when]
        found = model.run(start, [time], steady_state=None, observe=False).fields[0, 0]
        assert (found - mean).std(dtype=np.float64) == pytest.approx(fine[when], rel=0.02), noise


# Free energies.


def test_wells_by_their_names(device):
    """PFHub's c_a, c_b, rho, kappa, M against the same system by hand: q = (c - 0.3) / 0.4."""
    named = CahnHilliard(
        (32, 32),
        epsilon=math.sqrt(2.0),
        mobility=5.0,
        form=double_well(c_a=0.3, c_b=0.7, rho=5.0),
        precision="float64",
        device=device,
    )
    hand = CahnHilliard(
        (32, 32),
        epsilon=math.sqrt(0.32),
        well_depth=0.128,
        mobility=31.25,
        precision="float64",
        device=device,
    )
    start = 0.3 + 0.4 * mixtures([0.45], 0.1, (32, 32), seed=3).astype(float)
    one, two = named.run(start, [0, 5.0]), hand.run((start - 0.3) / 0.4, [0, 5.0])
    assert np.abs(one.fields - 0.3 - 0.4 * two.fields).max() < 1e-12
    assert one.free_energy == pytest.approx(two.free_energy, rel=1e-10)
    assert one.perimeter == pytest.approx(two.perimeter, rel=1e-9)
    assert named.surface_tension == pytest.approx(hand.surface_tension, rel=1e-12)
    c = np.linspace(0.2, 0.8, 7)
    expected = 5 * (c - 0.3) ** 2 * (0.7 - c) ** 2
    assert named.energy_scale * named.free_energy.density(named.to_symmetric(c)) == pytest.approx(
        expected, rel=1e-12
    )


SEXTIC = FreeEnergy((0.0, 1.0), 0.25, (0.2, 0.05, -0.45, -0.1, 0.15, 0.05, 0.1))


@pytest.mark.parametrize("shape", [(48, 48), (64, 64), (32, 32, 32)])
@pytest.mark.parametrize("scheme", ["adaptive", "explicit"])
def test_another_polynomial(device, shape, scheme):
    """A lopsided sextic: a small wave grows as f'' says, F falls, mass stays."""
    model = CahnHilliard(
        shape, form=SEXTIC, laplacian="finite_difference", precision="float64", device=device
    )
    x = np.arange(shape[0])
    turns, mean, amplitude = 3, 0.45, 1e-6
    wave = np.cos(2 * np.pi * turns * x / shape[0]).reshape((-1,) + (1,) * (len(shape) - 1))
    start = mean + amplitude * np.broadcast_to(wave, shape)[None]
    k = 2 * np.sin(np.pi * turns / shape[0])
    u, h = model.to_symmetric(mean), 1e-4
    second = (SEXTIC.density(u + h) - 2 * SEXTIC.density(u) + SEXTIC.density(u - h)) / h**2
    growth = model.growth_rate(k, mean)
    scale = model.squared_width
    assert growth == pytest.approx(-model.rate * k**2 * (second + scale * k**2), rel=1e-5)
    step = {"adaptive": None, "explicit": 0.002}[scheme]
    run = model.run(start, [0.0, 2.0], scheme=scheme, step=step, steady_state=None)
    grown = (run.fields[0, 1] - mean).std() / (run.fields[0, 0] - mean).std()
    assert np.log(grown) / 2 == pytest.approx(growth, rel=5e-3)
    mixed = mixtures([mean], 0.1, shape, seed=4).astype(float)
    run = model.run(mixed, [0.0, 1.0, 2.0], scheme=scheme, step=step, steady_state=None)
    assert (np.diff(run.free_energy) < 0).all()
    assert run.mean == pytest.approx(mixed.mean(), abs=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(wells=(1.0, 0.0)), "increasing"),
        (dict(depth=0.0), "depth"),
        (dict(coefficients=(0.0, 1.0, 2.0, 1.0)), "even degree"),
        (dict(coefficients=(0.0, 0.0, 0.0, 0.0, -1.0)), "positive last"),
    ],
)
def test_bad_free_energies(options, message):
    with pytest.raises(ValueError, match=message) as error:
        FreeEnergy(**options)
    assert "\n" not in str(error.value)
