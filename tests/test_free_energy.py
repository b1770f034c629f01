"""Free energies as one writes them: read as formulas, phases found by the common tangent, and the
kernels' f' against float64; the equation's own closed forms with such an energy.
"""

import math

import numpy as np
import pytest

from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_clock import media, rule
from kernels.cahn_hilliard_spectrum import SpectrumStep
from kernels.critical_nucleus import critical_nucleus
from kernels.device import select
from kernels.free_energy import FreeEnergy, double_well, flory_huggins, from_expression

ENERGIES = {
    "quartic": from_expression("c**2 * (1 - c)**2"),
    "Flory-Huggins": flory_huggins(chi=3),
    "chains": flory_huggins(chi=1.6, n_a=4, n_b=1),
    "strongly cut": flory_huggins(chi=4, cut=0.03),
    "other functions": from_expression(
        "a*c**2*(1-c)**2 + 0.1*exp(-((c-0.5)/w)**2) - 0.05*tanh(3*c) + 0.02*sqrt(c+2) + c**4/(3+c)",
        a=4,
        w=0.3,
    ),
}


def test_a_polynomial_is_its_coefficients():
    assert ENERGIES["quartic"] == double_well(0.0, 1.0)
    pfhub = from_expression("rho*(c-ca)**2*(cb-c)**2", rho=5, ca=0.3, cb=0.7)
    expected = double_well(0.3, 0.7, rho=5)
    assert pfhub.wells == pytest.approx(expected.wells)
    assert pfhub.depth == pytest.approx(expected.depth)
    assert pfhub.coefficients == pytest.approx(expected.coefficients, abs=1e-12)
    start = mixtures([0.3, 0.5], 0.1, (32, 32), seed=1)
    one, other = (
        CahnHilliard((32, 32), form=form).run(start, [0, 30]).fields
        for form in ("unit", "c**2*(1-c)**2")
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize("wells", [(-50, 30), (1e-3, 2e-3), (3, 4), (1e6, 2e6), (1e-6, 3e-6)])
def test_wells_of_any_size(wells):
    low, high = wells
    found = from_expression("((c-a)/(b-a))**2*((c-b)/(b-a))**2", a=low, b=high)
    assert found.wells == pytest.approx(wells, rel=1e-9)


def test_logarithms_of_numbers_are_numbers():
    energy = from_expression("log(3)*c**2*(1-c)**2 + log(2)")
    assert energy.depth == pytest.approx(math.log(3) / 4)
    assert energy.density(1.0) * energy.depth == pytest.approx(math.log(2))
    assert CahnHilliard((8, 8), mobility="log(2)").mobility == pytest.approx(math.log(2))


def test_wells_that_are_elsewhere():
    """No two concentrations that happen to be the ends of the search."""
    with pytest.raises(ValueError, match="not both between -2 and 3"):
        from_expression("(c+50)**2*(c-30)**2 + 0.1*exp(c/100)")
    with pytest.raises(ValueError, match="not both between"):
        flory_huggins(3, n_a=100, n_b=100)


def test_phases_of_flory_and_huggins():
    """Equal chains: chi = log((1 - c)/c) / (1 - 2c) at the binodal; unequal ones: equal f' and one
    tangent.
    """
    low, high = flory_huggins(chi=3).wells
    assert math.log((1 - low) / low) / (1 - 2 * low) == pytest.approx(3, abs=1e-9)
    assert low + high == pytest.approx(1, abs=1e-10)
    a, b = ENERGIES["chains"].wells
    energy = ENERGIES["chains"]
    f = energy.derivative(0, np.array([a, b]))
    slope = energy.derivative(1, np.array([a, b]))
    assert slope == pytest.approx([(f[1] - f[0]) / (b - a)] * 2, abs=1e-9)
    assert flory_huggins(chi=3).spinodal == pytest.approx([0.5 - 12**-0.5, 0.5 + 12**-0.5])
    assert ENERGIES["quartic"].spinodal == pytest.approx([0.5 - 12**-0.5, 0.5 + 12**-0.5])
    # 1/(4c) + 1/(1 - c) = 2 chi
    c = np.linspace(a, b, 2001)
    unstable = energy.curvature(2 * (c - a) / (b - a) - 1) < 0
    assert np.array_equal(unstable, 1 / (4 * c) + 1 / (1 - c) < 3.2)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", ENERGIES)
def test_slope_in_the_kernel(name, precision):
    """f'(mean + v) - f'(mean) to round-off of v, however small, across the range and beyond it."""
    energy = ENERGIES[name]
    model = CahnHilliard((8, 64), form=energy, epsilon=2, precision=precision, device=select("cpu"))
    means = np.array([-1.1, -0.95, -0.3, 0.0, 0.62, 0.97]).astype(precision)
    sizes = np.geomspace(1e-6, 1.2, 256)
    v = np.concatenate([-sizes, sizes]).astype(precision)
    v = np.broadcast_to(v.reshape(8, 64), (len(means), 8, 64)).copy()
    words = rule(model, "adaptive", None, 1e-5, None)
    step = SpectrumStep(model, words, media(model, means.astype(np.float64)), 3, True)
    found = step.nonlinear(model.device.asarray(v)).astype(np.float64)
    exact = np.empty_like(found)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for i, mean in enumerate(means.astype(np.float64)):
        # the integral of f'' from mean to mean + v, where the difference of f' has no digits left
        to = mean + v[i].astype(np.float64)
        path = mean + (to - mean)[..., None] * (nodes + 1) / 2
        by_parts = (energy.curvature(path) * weights).sum(-1) / 2 * (to - mean)
        slope = energy.slope(to) - energy.slope(mean)
        exact[i] = np.where(np.abs(to - mean) < 0.01, by_parts, slope)
    scale = np.abs(v) * np.abs(energy.curvature(np.linspace(-1, 1, 101))).max()
    steep = np.maximum(1, np.abs(exact) / scale)  # beyond the wells f' rises faster
    error = np.abs(found - exact) / (scale * steep)
    assert error.max() < {"float32": 4e-5, "float64": 1e-9}[precision]
    assert np.median(error) < {"float32": 3e-7, "float64": 1e-14}[precision]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(
    ("more", "mean"),
    [
        ("0.01*log((c-0.5)**2)", 0.5),  # the tangent begins where the logarithm's slope is 0
        ("0.02*exp(-((c-0.6)/0.01)**2)", 0.455),  # beyond what derivatives at the mean see
        ("0.1*tanh((c-0.6)/0.005)", 0.475),
    ],
)
def test_series_ends_before_what_it_does_not_know(more, mean, precision):
    """The kernel's f'(mean + v) - f'(mean) near the mean, by the numbers that it takes."""
    energy = from_expression(f"16*c**2*(1-c)**2 + {more}", wells=(0, 1), cut=0.01)
    at = energy.slopes(np.array([2 * mean - 1]), precision)[0]
    v = np.linspace(-0.3, 0.3, 4001)
    v = v[v**2 < at[-1]]
    series = sum(at[j] * v ** (j + 1) for j in range(5))
    difference = energy.slope(at[5] + v) - at[6]
    assert series == pytest.approx(difference, abs=1e-11 if precision == "float64" else 3e-6)


@pytest.mark.parametrize("mean", [0.3, 0.5])
def test_small_waves_grow_as_they_should(mean):
    model = CahnHilliard((64, 8), form=flory_huggins(chi=3), epsilon=3, precision="float64")
    k = 2 * np.pi * 2 / 64
    wave = mean + 1e-7 * np.cos(k * np.arange(64))[:, None] * np.ones(8)
    run = model.run(wave, [0, 4], tolerance=1e-9, steady_state=None)
    grown = np.log(np.ptp(run.fields[0, 1]) / np.ptp(run.fields[0, 0])) / 4
    assert grown == pytest.approx(model.growth_rate(k, mean), rel=1e-5)


def test_constants_are_compiled_for_lanes():
    """log(2) twice is a constant of its own, also where Number is a vector."""
    text = "c**2*(1-c)**2*exp(c)"
    start = mixtures([0.4], 0.1, (32, 32), seed=1)
    form = from_expression(f"{text} + log(2)*c**2 + log(2)*c**3 + tanh(2)*c**3", wells=(0, 1))
    by_fft, fused = (
        CahnHilliard(shape, epsilon=4, form=form, precision="float64").run(
            np.tile(start, (1, 1, times)), [1]
        )
        for shape, times in (((32, 64), 2), ((32, 32), 1))
    )
    assert by_fft.fields[..., :32] == pytest.approx(fused.fields, abs=1e-9)


@pytest.mark.parametrize("wells", [(-0.2, 1.2), (0.1, 0.9), (-1, 2), (-0.3, 0.9)])
def test_tension_whatever_wells_are_given(wells):
    """Wells set scales alone: the tension of c^2 (1 - c)^2 is epsilon sqrt(2) / 6."""
    for text in ("c**2*(1-c)**2", "c**2*(1-c)**2 + 0.3*c", "c**2*(1-c)**2*(1 + 0*c) + 0*exp(c)"):
        model = CahnHilliard((8, 8), epsilon=2, form=from_expression(text, wells=wells))
        assert model.surface_tension == pytest.approx(2 * math.sqrt(2) / 6, rel=1e-4)


def test_a_flat_interface():
    """At rest the phases stand at the binodals, and F above the tangent is that of two interfaces:
    2 sigma L.
    """
    energy = flory_huggins(chi=3)
    model = CahnHilliard((128, 8), form=energy, epsilon=3, precision="float64")
    x = np.arange(128)[:, None] * np.ones(8)
    low, high = energy.wells
    run = model.run(np.where(abs(x - 64) < 32, high, low), [0, np.inf])
    end = run.fields[0, -1, :, 0]
    assert end[64] == pytest.approx(high, abs=1e-4)
    assert end[0] == pytest.approx(low, abs=1e-4)
    f = energy.derivative(0, np.array([low, high]))
    tangent = f[0] + (f[1] - f[0]) / (high - low) * (run.mean[0, -1] - low)
    excess = run.free_energy[0, -1] - tangent * 128 * 8
    assert excess == pytest.approx(2 * 8 * model.surface_tension, rel=2e-3)
    assert np.abs(run.mean - run.mean[:, :1]).max() < 1e-14
    assert (np.diff(run.free_energy) <= 0).all()


@pytest.mark.parametrize(("scheme", "order"), [("second_order", 2), ("third_order", 3)])
def test_order_of_the_scheme(scheme, order):
    model = CahnHilliard((16, 16), form=flory_huggins(chi=3), epsilon=2.5, precision="float64")
    x = 2 * np.pi * np.arange(16) / 16
    start = 0.45 + 0.2 * np.cos(x)[:, None] + 0.1 * np.sin(x)
    ends = [
        model.run(start, [0, 4], scheme=scheme, step=step, steady_state=None).fields[0, 1]
        for step in (0.04, 0.02, 0.01)
    ]
    one, two = np.abs(ends[0] - ends[1]).max(), np.abs(ends[1] - ends[2]).max()
    assert np.log2(one / two) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize(
    ("text", "parameters", "said"),
    [
        ("c**2 *", {}, "expected a formula"),
        ("chi*c*(1-c)", {}, "give it as chi=..."),
        ("c^2", {}, "a power is written **"),
        ("c**2*(1-c)**2", {"a": 1.0}, "has no a"),
        ("__import__('os').getcwd()", {}, "expected a formula"),
        ("c.real", {}, "has 'c.real'"),
        ("sin(c)", {}, "has 'sin(c)'"),
        ("c**c", {}, "exponent"),
        ("c/0", {}, "divides by zero"),
        ("c**2", {}, "no two phases"),
        ("a*c", {"a": "x"}, "a is 'x'"),
        ("-c**4 + c**2", {}, "falls without bound"),
        ("(-1)**0.5*c + c**2*(1-c)**2", {}, "root of a negative number"),
        ("(c**64)**64", {}, "powers beyond 64"),
        ("((9**64)**64)**64*c**4", {}, "numbers beyond 1e300"),
        ("+".join(["c"] * 900), {}, "too long"),
    ],
)
def test_what_is_refused(text, parameters, said):
    with pytest.raises(ValueError, match=r".") as caught:
        from_expression(text, **parameters)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_forms_of_a_model():
    with pytest.raises(ValueError, match="form is 'Unit'; it must be one of unit, symmetric"):
        CahnHilliard((8, 8), form="Unit")
    with pytest.raises(ValueError, match="wells are"):
        from_expression("c**2*(1-c)**2", wells=(1, 0))
    stable = from_expression("3*c**2/2", wells=(-1, 1))
    assert isinstance(stable, FreeEnergy)
    assert stable.derivative(2, 0.3) == pytest.approx(3)
    assert stable.spinodal == ()
    model = CahnHilliard((16, 8), form=stable, epsilon=2, precision="float64")
    wave = 0.1 * np.cos(2 * np.pi * np.arange(16) / 16)[:, None] * np.ones(8)  # no longer small
    run = model.run(wave, [0, 2], tolerance=1e-10, steady_state=None)
    decay = np.log(np.ptp(run.fields[0, 1]) / np.ptp(run.fields[0, 0])) / 2
    assert decay == pytest.approx(model.growth_rate(2 * np.pi / 16, 0), rel=1e-6)


@pytest.mark.parametrize(("shape", "near", "far"), [((8, 8), 0.03, 0.15), ((8, 8, 8), 0.04, 0.14)])
def test_the_critical_nucleus(shape, near, far):
    """Towards the binodal the classical barrier of a thin interface, at the spinodal none; on the
    way, in two dimensions, an independent solution in units of c.
    """
    model = CahnHilliard(shape, epsilon=2)
    large = critical_nucleus(model, near)
    assert large.barrier == pytest.approx(large.classical, rel=0.12)
    assert large.concentration[0] == pytest.approx(1.0, abs=0.06)
    medium = critical_nucleus(model, far)
    assert medium.barrier < 0.6 * medium.classical
    assert critical_nucleus(model, 0.205).barrier < 0.1 * medium.barrier
    mirrored = critical_nucleus(model, 1 - far)
    assert mirrored.barrier == pytest.approx(medium.barrier, rel=1e-5)
    if len(shape) == 2:
        assert medium.barrier == pytest.approx(0.55781, abs=2e-5)
    for stable in (0.3, -0.1):
        with pytest.raises(ValueError, match=f"mean is {stable}"):
            critical_nucleus(model, stable)


DILUTE = dict(form=ENERGIES["Flory-Huggins"], epsilon=2.5)  # binodals at .0707 and .9293


@pytest.mark.parametrize("mean", [0.01, 0.02, 0.985])
@pytest.mark.parametrize(("scheme", "step"), [("first_order", 0.1), ("second_order", 0.1)])
def test_a_mixture_beyond_the_binodal_is_stable_in_fixed_steps(mean, scheme, step):
    """f'' there is 30 to 60 times the largest between the wells; all becomes uniform."""
    model = CahnHilliard((32, 32), **DILUTE)
    start = mixtures([mean], 0.008, model.shape, seed=1)
    run = model.run(start, [0, 100], scheme=scheme, step=step, steady_state=None)
    assert np.ptp(run.fields[0, 1]) < 1e-6
    assert run.mean[0, 1] == pytest.approx(mean, abs=1e-7)


@pytest.mark.parametrize(("shape", "step"), [((32, 32), 1e-3), ((16, 12), 1e-3)])
def test_a_wave_of_a_dilute_mixture_decays_as_it_should(shape, step):
    model = CahnHilliard(shape, precision="float64", **DILUTE)
    k, mean = 2 * np.pi / shape[0], 0.02
    start = mean + 1e-7 * np.cos(k * np.arange(shape[0]))[:, None] * np.ones(shape[1])
    for scheme, bound in (("first_order", 1e-2), ("second_order", 1e-4)):
        run = model.run(start, [0.5], scheme=scheme, step=step, steady_state=None)
        decayed = np.log(np.ptp(run.fields[0, 0]) / np.ptp(start)) / 0.5
        assert decayed == pytest.approx(model.growth_rate(k, mean), rel=bound), scheme


def test_what_dilute_mixtures_cost_and_what_they_do_to_others():
    """Steps grow where S is f'' of the mixture; in a batch each field keeps its own S."""
    model = CahnHilliard((32, 32), **DILUTE)
    start = mixtures([0.5, 0.02, 0.3, 0.01], 0.008, model.shape, seed=1)
    for how in (dict(), dict(scheme="first_order", step=0.05)):
        run = model.run(start, [0, 20], steady_state=None, **how)
        for i in range(4):
            alone = model.run(start[i], [0, 20], steady_state=None, **how)
            assert np.array_equal(run.fields[i], alone.fields[0])
            assert run.steps[i] == alone.steps[0]
        assert (run.steps < 1000).all()
    with pytest.raises(
        ValueError, match=r"step is 0\.1; the scheme third_order is unstable beyond"
    ):
        model.run(start[:2], [1], scheme="third_order", step=0.1)


def test_noise_of_a_dilute_mixture():
    """S(k) = T / (f'' + epsilon^2 k^2) at steps that f'' makes stiff."""
    model, temperature = CahnHilliard((16, 16), **DILUTE), 1e-5
    run = model.run(
        np.full((256, 16, 16), 0.02),
        [20],
        scheme="first_order",
        step=0.1,
        steady_state=None,
        temperature=temperature,
        seed=6,
        observe=False,
    )
    power = np.abs(np.fft.fft2(run.fields[:, 0].astype(float))) ** 2 / 256
    k2 = sum(np.ix_(*model.squared_wave_numbers()))
    second = model.free_energy.derivative(2, 0.02)
    ratio = (power.mean(0) / (temperature / (second + 2.5**2 * k2)))[k2 > 0]
    assert ratio.mean() == pytest.approx(1, abs=0.01 + 4.5 * np.sqrt(2 / 256 / 255))
