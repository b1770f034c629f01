"""A mobility of c, conserved noise, walls without flux, and what is observed on the way: against
closed forms and slow, obvious integrators.
"""

from dataclasses import replace

import numpy as np
import pytest

from kernels import interface, structure
from kernels.cahn_hilliard import BlownUpError, CahnHilliard, mixtures
from kernels.free_energy import double_well, flory_huggins, from_expression


def smooth(size: int, mean: float) -> np.ndarray:
    x = 2 * np.pi * np.arange(size) / size
    return mean + 0.25 * np.cos(x)[:, None] + 0.1 * np.sin(x) * np.cos(x)[:, None]


# ---- a mobility of c


def slow(model, c: np.ndarray, mobility, time: float, steps: int) -> np.ndarray:
    """Classical Runge and Kutta of div(M grad mu), derivatives by FFT."""
    k = 2 * np.pi * np.fft.fftfreq(len(c))
    k[len(c) // 2] = 0
    along = [1j * k[:, None], 1j * k[None]]
    fft, back = np.fft.fft2, lambda a: np.fft.ifft2(a).real

    def rate(c):
        u = model.to_symmetric(c)
        derivative = np.polynomial.Polynomial(model.free_energy.coefficients).deriv()
        mu = derivative(u) * model.energy_scale / model.free_energy.half_width
        mu = fft(mu) - model.epsilon**2 * (along[0] ** 2 + along[1] ** 2) * fft(c)
        return back(sum(i * fft(mobility(c) * back(i * mu)) for i in along))

    dt = time / steps
    for _ in range(steps):
        a = rate(c)
        b = rate(c + dt / 2 * a)
        d = rate(c + dt / 2 * b)
        c = c + dt / 6 * (a + 2 * b + 2 * d + rate(c + dt * d))
    return c


MOBILITIES = {
    "degenerate": ("c*(1-c)", lambda c: np.maximum(c * (1 - c), 0)),
    "exponential": ("exp(-2*c)", lambda c: np.exp(-2 * c)),
}


@pytest.mark.parametrize("name", MOBILITIES)
def test_mobility_against_runge_kutta(name):
    text, mobility = MOBILITIES[name]
    model = CahnHilliard((16, 16), epsilon=1.5, mobility=text, precision="float64")
    start = smooth(16, 0.45)
    run = model.run(start, [0, 5], tolerance=1e-8, steady_state=None)
    expected = slow(model, start, mobility, 5.0, 1000)
    assert np.abs(run.fields[0, 1] - expected).max() < 2e-5
    assert np.abs(expected - start).max() > 0.02
    assert abs(run.mean[0, 1] - run.mean[0, 0]) < 1e-15
    assert run.free_energy[0, 1] < run.free_energy[0, 0]


def test_mobility_of_a_replaced_model():
    """Its largest value is that between the new wells."""
    one = CahnHilliard((16, 16), epsilon=2, mobility="1 + c**2")
    other = replace(one, form=double_well(-5, 3), epsilon=20)
    assert other == CahnHilliard((16, 16), epsilon=20, mobility="1 + c**2", form=double_well(-5, 3))
    assert other.largest_mobility == pytest.approx(26)


def test_mobility_order():
    model = CahnHilliard((16, 16), epsilon=1.5, mobility="c*(1-c)", precision="float64")
    ends = [
        model.run(
            smooth(16, 0.45), [0, 10], scheme="second_order", step=step, steady_state=None
        ).fields[0, 1]
        for step in (0.1, 0.05, 0.025)
    ]
    one, two = np.abs(ends[0] - ends[1]).max(), np.abs(ends[1] - ends[2]).max()
    assert np.log2(one / two) == pytest.approx(2, abs=0.35)


def test_mobility_of_small_waves():
    model = CahnHilliard((64, 8), epsilon=1.5, mobility="c*(1-c)", precision="float64")
    k, mean = 2 * np.pi * 4 / 64, 0.35
    wave = mean + 1e-7 * np.cos(k * np.arange(64))[:, None] * np.ones(8)
    run = model.run(wave, [0, 20], tolerance=1e-9, steady_state=None)
    grown = np.log(np.ptp(run.fields[0, 1]) / np.ptp(run.fields[0, 0])) / 20
    assert grown == pytest.approx(model.growth_rate(k, mean), rel=1e-4)
    constant = CahnHilliard((64, 8), epsilon=1.5, mobility=mean * (1 - mean))
    assert model.growth_rate(k, mean) == pytest.approx(constant.growth_rate(k, mean))


def test_mobility_of_a_long_run():
    """A mixture comes to rest; its steps grow as they should, and F never rises."""
    model = CahnHilliard((32, 32), epsilon=1.5, mobility="c*(1-c)")
    run = model.run(mixtures([0.5], 0.1, (32, 32), seed=1), [0, 100, 1000])
    assert (np.diff(run.free_energy) < 0).all()
    assert np.abs(run.mean - 0.5).max() < 1e-6
    assert run.steps[0] < 20_000


def test_a_phase_without_mobility_stays_smooth():
    """Where M vanishes nothing moves, and no ripple grows either in long steps."""
    model = CahnHilliard((64, 64), epsilon=1.2, mobility="1-c")
    start = mixtures([0.35], 0.1, (64, 64), seed=1)
    run = model.run(start, [640, 1280, 2560], tolerance=1e-4, steady_state=None)
    assert run.fields.max() < 1.03


def test_mobility_refused():
    with pytest.raises(ValueError, match="spectral only"):
        CahnHilliard((8, 8), mobility="c", laplacian="finite_difference")
    with pytest.raises(ValueError, match="positive somewhere"):
        CahnHilliard((8, 8), mobility="-c*c")
    with pytest.raises(ValueError, match="has the name 'k'"):
        CahnHilliard((8, 8), mobility="k*c")
    with pytest.raises(ValueError, match="scheme is third_order"):
        CahnHilliard((8, 8), epsilon=3, mobility="c").run(
            np.full((8, 8), 0.5), [0, 1], scheme="third_order", step=0.1
        )
    assert CahnHilliard((8, 8), epsilon=3, mobility="2*3").mobility == 6


# ---- conserved noise


QUADRATIC = from_expression("c**2/2", wells=(-1, 1))


def spectrum(step: float, seed: int, fields: int = 96):
    """S(k) of a stable mixture at T = 0.01 over what it should be, and its standard error, in
    shells.
    """
    model = CahnHilliard((16, 16), form=QUADRATIC, epsilon=1.5, spacing=2.0)
    run = model.run(
        np.zeros((fields, 16, 16)),
        [60, 90, 120],
        scheme="first_order",
        step=step,
        steady_state=None,
        temperature=0.01,
        seed=seed,
        observe="structure_factor",
    )
    shell, weight = structure.shells((16, 16))
    k2 = sum(np.ix_(*model.squared_wave_numbers()))[:, :9]
    expected = np.bincount(shell.ravel(), (weight * 0.01 / (1 + 1.5**2 * k2)).ravel(), 9)[1:]
    ratio = run.structure_factor / (expected / structure.waves((16, 16)))
    ratio = ratio.mean(1)  # looks of a field are not independent of one another in slow waves
    assert np.abs(run.mean).max() < 1e-7
    return ratio.mean(0), ratio.std(0, ddof=1) / np.sqrt(fields)


@pytest.mark.parametrize("step", [0.5, 0.1])
def test_noise_of_a_stable_mixture(step):
    """S(k) = T / (f'' + epsilon^2 k^2) at either step, so that it is its own extrapolation."""
    ratio, error = spectrum(step, seed=5)
    assert error.max() < 0.12
    assert np.abs((ratio - 1) / error).max() < 4.5


def test_noise_is_a_function_of_seed_and_index():
    model = CahnHilliard((16, 16), epsilon=1.5)
    start = mixtures([0.3, 0.5], 0.1, (16, 16), seed=1)
    more = dict(scheme="first_order", step=0.1, steady_state=None, temperature=1e-3)
    both = model.run(start, [0, 2], seed=3, index=[7, 9], **more).fields
    alone = model.run(start[1], [0, 2], seed=3, index=[9], **more).fields
    assert np.array_equal(both[1], alone[0])
    other = model.run(start[1], [0, 2], seed=4, index=[9], **more).fields
    assert not np.array_equal(alone, other)
    walls = CahnHilliard((16, 16), epsilon=1.5, boundary="no_flux")
    end = walls.run(start, [0, 2], seed=3, **more)
    assert np.abs(end.mean - end.mean[:, :1]).max() < 1e-6


def test_noise_within_walls():
    """Of each orthonormal cosine of a box without flux the variance is T / (f'' + epsilon^2
    k^2).
    """
    import scipy.fft

    model = CahnHilliard((8, 8), form=QUADRATIC, epsilon=1.5, spacing=2.0, boundary="no_flux")
    run = model.run(
        np.zeros((512, 8, 8)),
        [60],
        scheme="first_order",
        step=0.5,
        steady_state=None,
        temperature=0.01,
        seed=8,
        observe=False,
    )
    wave = scipy.fft.dctn(run.fields[:, 0].astype(np.float64), axes=(1, 2), norm="ortho") * 2.0
    k2 = (np.pi * np.arange(8) / 16) ** 2
    expected = 0.01 / (1 + 1.5**2 * np.add.outer(k2, k2))
    ratio = ((wave**2).mean(0) / expected).ravel()[1:]
    assert np.abs(ratio - 1).max() < 4.8 * np.sqrt(2 / 512)  # 63 waves


def test_noise_refused():
    model, start = CahnHilliard((8, 8), epsilon=3), np.full((8, 8), 0.5)
    fixed = dict(scheme="first_order", step=0.1, steady_state=None, temperature=0.1)
    with pytest.raises(ValueError, match="seed is None"):
        model.run(start, [0, 1], **fixed)
    with pytest.raises(ValueError, match="steady_state=None"):
        model.run(start, [0, 1], temperature=0.1, seed=1)
    with pytest.raises(ValueError, match="constant mobility"):
        CahnHilliard((8, 8), epsilon=3, mobility="c").run(start, [0, 1], seed=1, **fixed)
    with pytest.raises(ValueError, match="index"):
        model.run(start, [0, 1], seed=1, index=[1, 2], **fixed)


# ---- walls


def test_a_wave_between_walls():
    """cos(3 pi x / L) decays as growth_rate says; with walls on both axes."""
    model = CahnHilliard((32, 16), epsilon=1.5, boundary="no_flux", precision="float64")
    k = 3 * np.pi / 32
    wave = 0.05 + 1e-6 * np.cos(k * (np.arange(32) + 0.5))[:, None] * np.ones(16)
    run = model.run(wave, [0, 5], steady_state=None, tolerance=1e-9)
    decayed = np.log(np.ptp(run.fields[0, 1]) / np.ptp(run.fields[0, 0])) / 5
    assert decayed == pytest.approx(model.growth_rate(k, 0.05), rel=1e-4)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_droplet_between_walls_stays_alone(precision):
    """Its mirror images do not coarsen against it, though rounding alone tells them apart."""
    model = CahnHilliard((16, 16), boundary="no_flux", precision=precision)
    x, y = np.arange(16) - 7.6, np.arange(16) - 8.3
    start = 0.5 - 0.5 * np.tanh((np.hypot(x[:, None], y) - 4.5) / np.sqrt(2))
    run = model.run(start, [0, 3e3, 2e5], steady_state=None)
    assert np.abs(run.mean - run.mean[:, :1]).max() < 1e-6
    assert (np.diff(run.free_energy) <= 1e-4).all()


def test_a_quarter_droplet():
    """In a corner: a quarter of the area, perimeter and energy of the whole one."""
    x = np.arange(32) + 0.5
    r = np.sqrt(np.add.outer(x**2, x**2))
    corner = 0.5 * (1 - np.tanh((r - 14) / 2))
    box = CahnHilliard((32, 32), epsilon=1.5, boundary="no_flux")
    seen = ("energy", "area", "perimeter", "euler_characteristic", "length")
    run = box.run(corner, [0, 20], observe=seen)
    whole = np.block([[corner[::-1, ::-1], corner[::-1]], [corner[:, ::-1], corner]])
    full = CahnHilliard((64, 64), epsilon=1.5).run(whole, [0, 20], observe=seen)
    for name in ("free_energy", "area", "perimeter"):
        assert getattr(run, name) * 4 == pytest.approx(getattr(full, name), rel=1e-4), name
    assert run.length == pytest.approx(full.length, rel=1e-4)
    assert (run.euler_characteristic == 1).all()
    assert (full.euler_characteristic == 1).all()
    assert np.abs(run.fields[0, 1] - full.fields[0, 1, 32:, 32:]).max() < 1e-3
    assert run.mean == pytest.approx(run.mean[0, 0], abs=1e-6)


# ---- what is observed on the way


def test_observables():
    model = CahnHilliard((32, 32), epsilon=1.5)
    start = mixtures([0.4, 0.5], 0.1, (32, 32), seed=2)
    run = model.run(
        start, [0, 20], observe=("structure_factor", "length", "euler_characteristic", "area")
    )
    for look in range(2):
        c = run.fields[:, look]
        assert np.array_equal(run.structure_factor[:, look], structure.structure_factor(c))
        assert np.array_equal(run.length[:, look], structure.length(c))
        assert np.array_equal(run.area[:, look], interface.area(c, 0.5))
        assert np.array_equal(
            run.euler_characteristic[:, look], interface.euler_characteristic(c, 0.5)
        )
    assert np.isnan(run.perimeter).all()
    assert np.isnan(run.free_energy).all()
    with pytest.raises(ValueError, match="observe"):
        model.run(start, [0, 1], observe=("energy", "lenght"))


def test_euler_characteristic():
    """Discs, rings, balls, shells and rings in space, whose numbers are known."""
    x = np.arange(32) - 16
    r = np.sqrt(np.add.outer(x**2, x**2))
    r3 = np.sqrt(np.add.outer(r**2, x**2))
    ring = np.sqrt((r[:, :, None] - 9) ** 2 + x[None, None] ** 2)
    euler = interface.euler_characteristic
    assert euler(np.stack([-r, -abs(r - 10)]), np.float64(-2.2)).tolist() == [1, 0]
    assert euler(r, 8.2) == -1  # a hole in a torus
    assert euler(-r3, -8.2, 3) == 1
    assert euler(-abs(r3 - 10), -2, 3) == 2
    assert euler(-ring, -3.5, 3) == 0
    everywhere = np.ones((16, 16))
    assert euler(everywhere, 0.5) == 0
    assert euler(everywhere, 0.5, periodic=False) == 1


# ---- PFHub's benchmark 1

# Total free energies at these times of the uploads that come with their data to late times: memphis
# (explicit Euler) and MOOSE (M. Frichtl), interpolated in time (pages.nist.gov/pfhub, benchmark 1)
PUBLISHED = {
    "periodic": {10: (297.8, 295.7), 20: (209.2, 215.6), 50: (164.8, 171.7), 100: (135.2, 140.6), 200: (116.6, 123.6), 500: (97.9, 102.3)},
    "no_flux": {10: (304.1, 301.6), 20: (206.0, 211.0), 50: (164.1, 168.7), 100: (128.1, 130.8), 200: (109.3, 111.4), 500: (90.6, 91.3)},
}  # fmt: skip


def pfhub(cells: int, boundary: str, times) -> np.ndarray:
    """F of benchmark 1a (periodic) and 1b (no_flux), (times,)."""
    x = (np.arange(cells) + 0.5) * 200 / cells
    x, y = np.meshgrid(x, x, indexing="ij")
    start = 0.5 + 0.01 * (
        np.cos(0.105 * x) * np.cos(0.11 * y)
        + (np.cos(0.13 * x) * np.cos(0.087 * y)) ** 2
        + np.cos(0.025 * x - 0.15 * y) * np.cos(0.07 * x - 0.02 * y)
    )
    model = CahnHilliard(
        (cells, cells),
        form=double_well(0.3, 0.7, rho=5),
        epsilon=np.sqrt(2),
        mobility=5,
        spacing=200 / cells,
        boundary=boundary,
    )
    return model.run(start, times, steady_state=None, observe="energy").free_energy[0]


@pytest.mark.parametrize("boundary", PUBLISHED)
def test_pfhub(boundary):
    """Within the spread of the uploads, or a hundredth of it where they agree better than that."""
    times = list(PUBLISHED[boundary])
    found = pfhub(100, boundary, times)
    for time, energy in zip(times, found, strict=True):
        low, high = sorted(PUBLISHED[boundary][time])
        assert low * 0.99 < energy < high * 1.01, (time, energy)


def test_noise_that_meets_the_end_of_a_logarithm():
    """The time is that of the last step, and `cut` is named; with a larger one it goes well."""
    uniform, asked = np.full((1, 32, 32), 0.12), dict(scheme="first_order", step=1, seed=1)
    asked |= dict(temperature=0.02, steady_state=None)
    for cut, fine in ((0.001, False), (0.02, True)):
        model = CahnHilliard((32, 32), form=flory_huggins(chi=2.5, cut=cut), epsilon=2)
        if fine:
            assert model.run(uniform, [100], **asked).end_time == 100
            continue
        with pytest.raises(BlownUpError, match=r"a larger `cut` of it") as caught:
            model.run(uniform, [100], **asked)
        steps = int(caught.value.trajectory.steps[0])
        assert 0 < steps < 100
        assert f"blew up at t = {steps} after {steps} steps" in str(caught.value)
