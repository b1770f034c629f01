"""Perlin noise: periodic, of the spectrum it must have, a function of its seed and index alone."""

import numpy as np
import pytest

from kernels.device import select
from kernels.perlin import fade, perlin_noise
from kernels.streams import STREAMS
from tests.reference import perlin as reference


@pytest.mark.parametrize(
    ("size", "points", "index"), [(16, 4, 0), (12, 3, 2**40 + 7), (8, 2, 5), (6, 1, 1), (6, 6, 3)]
)
def test_against_the_reference(device, size, points, index):
    seed = 2**33 + 5
    (found,) = perlin_noise((size,) * 3, [points], seed, [index], device=device)
    assert np.allclose(
        found, reference.perlin(size, points, seed, STREAMS["perlin"], index), atol=1e-6
    )


def test_it_vanishes_on_the_lattice_and_stays_below_one(device):
    noise = perlin_noise((24,) * 3, [3, 6], seed=1, device=device)
    assert np.abs(noise).max() < 1
    assert not noise[0, ::8, ::8, ::8].any()
    assert not noise[1, ::4, ::4, ::4].any()


def test_it_is_periodic(device):
    """No step across the seam is larger than those inside: the noise and its slope are
    continuous.
    """
    noise = perlin_noise((64,) * 3, [4] * 8, seed=3, device=device)
    for axis in (1, 2, 3):
        step = np.abs(np.diff(np.concatenate([noise, noise.take([0], axis)], axis), axis=axis)).max(
            (0, *{1, 2, 3} - {axis})
        )
        assert step[-1] < 1.2 * step[:-1].max()
        bend = noise.take([-1], axis) - 2 * noise.take([0], axis) + noise.take([1], axis)
        inside = np.diff(noise, 2, axis)
        assert np.abs(bend).max() < 1.2 * np.abs(inside).max()


def test_spectrum(device):
    """|FFT|^2 over 600 fields, averaged over wave vectors of the same sizes: each of 165 within 5.2
    standard errors, 3e-5 by chance.
    """
    size, points, count = 16, 4, 600
    noise = perlin_noise((size,) * 3, [points] * count, seed=11, device=device).astype(np.float64)
    power = np.abs(np.fft.fftn(noise, axes=(1, 2, 3))) ** 2
    expected = reference.spectrum(size, points)
    k = np.minimum(np.arange(size), size - np.arange(size))
    sizes = np.sort(np.stack(np.meshgrid(k, k, k, indexing="ij"), -1).reshape(-1, 3), axis=1)
    classes, which = np.unique(sizes, axis=0, return_inverse=True)
    number = np.bincount(which)
    means = np.stack([np.bincount(which, p.ravel()) / number for p in power])
    wanted = np.bincount(which, expected.ravel()) / number
    error = means.std(0, ddof=1) / np.sqrt(count)
    seen = wanted > 1e-9 * wanted.max()
    assert len(classes) == 165
    assert seen.sum() > 100
    assert (np.abs(means.mean(0) - wanted)[seen] < 5.2 * error[seen]).all()
    assert means[:, ~seen].max(initial=0) < 1e-6 * wanted.max()


def test_the_mean_varies_about_zero(device):
    """Of 600 fields' means, whose variance the spectrum knows."""
    noise = perlin_noise((16,) * 3, [4] * 600, seed=12, device=device).astype(np.float64)
    means = noise.mean((1, 2, 3))
    deviation = np.sqrt(reference.spectrum(16, 4)[0, 0, 0]) / 16**3
    assert abs(means.mean()) < 4.5 * max(deviation, 1e-9) / np.sqrt(600)


def test_directions_are_isotropic():
    """Second moments of 3000 directions are 1/3 and 0, within 4.5 standard errors; they are unit
    vectors.
    """
    g = np.array([reference.direction(7, STREAMS["perlin"], 0, point) for point in range(3000)])
    assert np.allclose((g**2).sum(1), 1)
    moments = np.einsum("ni,nj->ij", g, g) / len(g)
    assert np.abs(moments - np.eye(3) / 3).max() < 4.5 * np.sqrt(4 / 45 / len(g))
    assert np.abs(g.mean(0)).max() < 4.5 / np.sqrt(3 * len(g))


def test_a_field_is_a_function_of_seed_and_index():
    one, many = select("cpu", workers=1), select("cpu", workers=3, lanes=4)
    several = perlin_noise((16,) * 3, [4, 2, 4, 8], 5, [3, 9, 2**50, 0], device=one)
    assert np.array_equal(
        several, perlin_noise((16,) * 3, [4, 2, 4, 8], 5, [3, 9, 2**50, 0], device=many)
    )
    for i, (points, index) in enumerate(zip([4, 2, 4, 8], [3, 9, 2**50, 0], strict=True)):
        assert np.array_equal(
            several[i], perlin_noise((16,) * 3, [points], 5, [index], device=one)[0]
        )
    for seed, index, stream in (
        (6, 3, "perlin"),
        (5, 4, "perlin"),
        (5, 3, "mixture"),
        (5 + 2**32, 3, "perlin"),
        (5, 3 + 2**32, "perlin"),
    ):
        other = perlin_noise((16,) * 3, [4], seed, [index], stream, device=one)[0]
        assert abs(np.corrcoef(several[0].ravel(), other.ravel())[0, 1]) < 0.5
        assert not np.array_equal(several[0], other)


def test_some_planes_are_those_of_the_whole(device):
    whole = perlin_noise((12,) * 3, [3, 4, 3], 5, [3, 9, 2], device=device)
    for planes in (range(12), range(0, 3), range(3, 9), range(11, 12)):
        part = perlin_noise((12,) * 3, [3, 4, 3], 5, [3, 9, 2], device=device, planes=planes)
        assert np.array_equal(part, whole[:, planes.start : planes.stop])


def test_the_fade():
    t = np.linspace(0, 1, 101)
    assert fade(t)[[0, 50, 100]].tolist() == pytest.approx([0, 0.5, 1])
    assert np.allclose(fade(t) + fade(1 - t), 1)
    assert (np.diff(fade(t)) > 0).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(shape=(16, 16), lattice=[4], seed=1), "three equal numbers"),
        (dict(shape=(16, 16, 8), lattice=[4], seed=1), "three equal numbers"),
        (
            dict(shape=(16,) * 3, lattice=[4, 3], seed=1),
            "lattice is 3; .* divides the side, 16 cells",
        ),
        (dict(shape=(16,) * 3, lattice=[0], seed=1), "lattice is 0"),
        (dict(shape=(16,) * 3, lattice=[2.5], seed=1), "lattice is 2.5"),
        (dict(shape=(16,) * 3, lattice=[4], seed=-1), "seed is -1"),
        (dict(shape=(16,) * 3, lattice=[4], seed=1, index=[2**56]), "index is"),
        (dict(shape=(16,) * 3, lattice=[4], seed=1, index=[0, 1]), "it must be 1 whole numbers"),
        (dict(shape=(16,) * 3, lattice=[4], seed=1, stream="noise"), "stream is 'noise'"),
        (
            dict(shape=(16,) * 3, lattice=[4], seed=1, planes=range(8, 17)),
            r"planes are range\(8, 17\)",
        ),
        (dict(shape=(16,) * 3, lattice=[4], seed=1, planes=range(8, 8)), "planes are"),
        (dict(shape=(16,) * 3, lattice=[4], seed=1, planes=range(0, 8, 2)), "planes are"),
    ],
)
def test_bad_input(arguments, said):
    with pytest.raises(ValueError, match=said):
        perlin_noise(**arguments)
