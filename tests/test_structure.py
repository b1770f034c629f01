"""Structure factor, characteristic length, local exponents: closed forms and plain sums."""

import numpy as np
import pytest
from scipy import stats

from kernels import structure

FALSE_ALARM = 1e-5


def slow(field: np.ndarray, spacing: float) -> np.ndarray:
    """S by the sum over all waves, one at a time, of a small field."""
    shape, cells = field.shape, np.indices(field.shape)
    shortest, found = min(shape), {}
    for n in np.ndindex(shape):
        n = [m if m <= side // 2 else m - side for m, side in zip(n, shape, strict=True)]
        k = np.array([m / side for m, side in zip(n, shape, strict=True)])
        phase = np.exp(-2j * np.pi * np.tensordot(k, cells, 1))
        power = abs((field * phase).sum()) ** 2 * spacing**field.ndim / field.size
        shell = round(float(np.sqrt((k**2).sum())) * shortest)
        if 0 < shell <= shortest // 2:
            found.setdefault(shell, []).append(power)
    return np.array([np.mean(found[shell]) for shell in sorted(found)])


@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (7, 5), (6, 6, 6), (4, 6, 8), (5, 6, 7)])
def test_against_plain_sums(shape):
    field = np.random.default_rng(1).normal(2, 1, shape)
    found = structure.structure_factor(field, 0.5, len(shape))
    assert found == pytest.approx(slow(field, 0.5), rel=1e-10)
    assert structure.waves(shape).sum() <= field.size - 1
    many = structure.structure_factor(np.stack([field, 2 * field + 7])[None], 0.5, len(shape))
    assert many.shape == (1, 2, len(found))
    assert many[0] == pytest.approx(np.stack([found, 4 * found]), rel=1e-10)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_single_wave(dimensions):
    """cos(k x) of wavelength L / 4: all power in shell 4; variance 1/2 is the sum over the waves
    over the volume; the length is the wavelength.
    """
    side, spacing = 32, 0.25
    wave = np.cos(2 * np.pi * 4 * np.arange(side) / side).reshape(-1, *[1] * (dimensions - 1))
    field = np.broadcast_to(wave, (side,) * dimensions) + 0.3
    found = structure.structure_factor(field, spacing, dimensions)
    power = found * structure.waves(field.shape)
    assert power.argmax() == 3
    assert power[3] == pytest.approx(power.sum(), rel=1e-10)
    assert power.sum() / (side * spacing) ** dimensions == pytest.approx(0.5)
    assert structure.length(field, spacing, dimensions) == pytest.approx(side * spacing / 4)


@pytest.mark.parametrize("along", [(2, 2, 2), (2, 2, 0), (5, 1, 3), (3, 4)])
def test_an_oblique_wave(along):
    """The length is its wavelength, wherever it lies in its shell."""
    side, spacing = 32, 0.5
    cells = np.indices((side,) * len(along))
    field = np.cos(2 * np.pi * np.tensordot(np.array(along) / side, cells, 1))
    expected = side * spacing / np.linalg.norm(along)
    assert structure.length(field, spacing, len(along)) == pytest.approx(expected, rel=1e-9)


def test_wave_numbers_are_means_of_their_shells():
    """In 4 x 4 cells: four waves of k = 1, of sqrt(2) four in the same shell; of 2 two, of sqrt(5)
    four (a wave of two cells is its own mirror image).
    """
    k = structure.wave_numbers((4, 4), spacing=np.pi / 2)  # dk = 1
    assert k == pytest.approx([(4 * 1 + 4 * 2**0.5) / 8, (2 * 2 + 4 * 5**0.5) / 6])


def test_two_waves_and_none():
    """Wavelengths 16 and 8 of variance 1/2 and 1/8: the mean wave number is that of the weights
    4 : 1.
    """
    x = np.arange(32)[:, None] * np.ones(32)
    field = np.cos(2 * np.pi * x / 16) + 0.5 * np.cos(2 * np.pi * x.T / 8)
    assert structure.length(field) == pytest.approx(1 / (0.8 / 16 + 0.2 / 8))
    assert np.isnan(structure.length(np.full((8, 8), 0.4)))


@pytest.mark.parametrize("shape", [(64, 64), (16, 16, 16)])
def test_white_noise_is_white(shape):
    """S of noise of variance v is v spacing^d in every shell: its mean over samples within errors,
    chi squared distributed.
    """
    variance, spacing, samples = 0.3, 2.0, 200
    fields = np.random.default_rng(3).normal(0, np.sqrt(variance), (samples, *shape))
    found = structure.structure_factor(fields.astype(np.float32), spacing, len(shape))
    wanted = variance * spacing ** len(shape)
    error = found.std(0, ddof=1) / np.sqrt(samples)
    z = (found.mean(0) - wanted) / error
    assert stats.chi2.sf((z**2).sum(), len(z)) > FALSE_ALARM
    # a wave's power is exponentially distributed, and comes with its opposite: S scatters so much
    spread = found.std(0, ddof=1)[2:-1] / wanted
    assert spread == pytest.approx(np.sqrt(2 / structure.waves(shape)[2:-1]), rel=0.35)


def test_a_power_law_has_its_exponent():
    times = np.geomspace(2, 3000, 40)
    factors = np.array([1.0, 2.5, 7.0])[:, None]
    found = structure.local_exponents(times, factors * times**-0.31)
    assert found.mean == pytest.approx(-0.31)
    assert found.error == pytest.approx(0, abs=1e-12)
    assert found.samples.shape == (3, 6)
    assert found.time == pytest.approx(2 * 3.0 ** (np.arange(6) + 0.5))
    later = structure.local_exponents(times, times**2, span=10, first=20)
    assert later.mean == pytest.approx(2)
    assert later.time == pytest.approx([20 * 10**0.5, 200 * 10**0.5])
    assert np.isnan(later.error).all()


def test_a_crossover_is_seen_where_it_is():
    """t + t^2 / 100: from exponent 1 to 2 at t = 100."""
    times = np.geomspace(1, 1e4, 200)
    found = structure.local_exponents(times, times + times**2 / 100)
    exact = (1 + found.time / 50) / (1 + found.time / 100)
    assert found.mean == pytest.approx(exact, abs=0.02)
    assert found.mean[0] < 1.05
    assert found.mean[-1] > 1.95


def test_errors_are_those_of_the_samples():
    """Slopes that scatter by 0.1 from sample to sample: their mean's error is 0.1 / sqrt(n)."""
    random = np.random.default_rng(5)
    times, slopes = np.geomspace(1, 100, 30), random.normal(0.3, 0.1, 400)
    found = structure.local_exponents(times, times ** slopes[:, None])
    assert found.samples == pytest.approx(np.broadcast_to(slopes[:, None], found.samples.shape))
    assert found.error == pytest.approx(0.1 / 20, rel=0.2)


@pytest.mark.parametrize(
    ("times", "values", "options", "said"),
    [
        ([0.0, 1.0], [[1, 1]], {}, "increasing numbers above 0"),
        ([1.0], [[1]], {}, "two or more"),
        ([2.0, 1.0], [[1, 1]], {}, "increasing"),
        ([1.0, 2.0, 9.0], [[1, 1]], {}, "3 long"),
        ([1.0, 2.0, 9.0], [[1, 0, 1]], {}, "above 0"),
        ([1.0, 2.0], [[1, 1]], {}, "3 times their begin is needed"),
        ([1.0, 9.0], [[1, 1]], {"span": 1.0}, "span"),
        ([1.0, 9.0], [[1, 1]], {"first": 0.5}, "before the first time"),
    ],
)
def test_bad_input(times, values, options, said):
    with pytest.raises(ValueError, match=said) as error:
        structure.local_exponents(times, values, **options)
    assert "\n" not in str(error.value)
