"""Fields at t = 0, on the truth's grid: Perlin noise, symmetric or in a slice alone, a shape,
lamellae, white noise in each phase.  All float32 (n, size, size, size).
"""

import functools
import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.ndimage

from jobs.coarsening import mesh
from jobs.coarsening.config import Coarsening
from jobs.coarsening.config_rollout import BULK
from kernels.perlin import perlin_noise
from kernels.streams import STREAMS

CASE = 3  # beside the splits 0, 1, 2: whose noise it is
FILLED = 0.75  # of the box's side: how far a shape reaches
BULK_NOISE = 1e-3  # rms, if a case says none
FINER = 2  # grid on which a shape's distances are taken


def identity(owner: int, number: int, name: str = "") -> int:
    """Index of a start's noise: no two starts share one.  owner: a split (0, 1, 2), or CASE with
    the case's name.
    """
    return (
        owner << 48 | (zlib.crc32(name.encode()) & 0xFFFFFF) << 24 | number
        if owner == CASE
        else owner << 48 | number
    )


def drawn(config: Coarsening, index: int) -> tuple[float, int]:
    """Mean of phi and feature size (cells) of a start: a function of (seed, index)."""
    g = config.generate
    key, counter = (
        np.array([config.seed, STREAMS["coarsening"]], np.uint64),
        np.array([0, 0, 0, index], np.uint64),
    )
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    feature = g.feature_sizes[generator.integers(len(g.feature_sizes))]
    deviation = next(z for z in iter(generator.standard_normal, None) if abs(z) <= 2.5)
    return g.mean + g.mean_deviation * deviation, feature


def of_case(config: Coarsening, name: str, device) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts of a rollout's case, but for start = test: fields, their means (n,), their feature
    sizes (n,) in cells, 0 without one.
    """
    case, s = config.rollout.cases[name], config.system
    size, count = case.size or s.size, case.count or 1
    index = [identity(CASE, i, name) for i in range(count)]
    means, features = (
        np.array(each) for each in zip(*(drawn(config, i) for i in index), strict=True)
    )
    means = np.full(count, case.mean) if case.mean is not None else means
    features = np.full(count, case.feature_size) if case.feature_size is not None else features
    if case.start == "shape":
        field = shape(size, s.interface_width / s.spacing, case.mesh)
        return field[None], np.array([field.mean(dtype=np.float64)]), np.zeros(1, int)
    if case.start == "layers":
        return (
            layers(size, s.interface_width / s.spacing, features[0], means[0])[None],
            means,
            features,
        )
    if case.start == "bulk":
        noise = case.noise or BULK_NOISE
        return bulk(size, noise, config.seed, identity(CASE, 0, name)), np.array(BULK), np.zeros(4)
    kind = {"slice": noisy_slice, "symmetric": symmetric}.get(case.start, perlin)
    return (
        kind(
            size, features, means, case.noise or config.generate.noise, config.seed, index, device
        ),
        means,
        features,
    )


def perlin(
    size: int,
    features: Sequence[int],
    means: Sequence[float],
    noise: float,
    seed: int,
    index: Sequence[int],
    device=None,
):
    """Perlin noise about `means`: its own mean taken off, scaled to an rms of `noise`.  features:
    (n,) cells between lattice points.
    """
    fields = perlin_noise(
        (size,) * 3, [size // int(f) for f in features], seed, index, device=device
    )
    for field, mean in zip(fields, means, strict=True):
        wave = field.astype(np.float64)
        wave -= wave.mean()
        field[...] = mean + wave * (noise / np.sqrt((wave**2).mean()))
    return fields


def noisy_slice(
    size: int,
    features: Sequence[int],
    means: Sequence[float],
    noise: float,
    seed: int,
    index: Sequence[int],
    device=None,
):
    """Uniform, but for Perlin noise in the central slice of the cube, across x and one feature size
    thick.
    """
    waves = perlin_noise(
        (size,) * 3, [size // int(f) for f in features], seed, index, device=device
    )
    fields = np.empty_like(waves)
    for field, wave, mean, feature in zip(fields, waves, means, features, strict=True):
        here = slice((size - int(feature)) // 2, (size + int(feature)) // 2)
        part = wave[here].astype(np.float64)
        part -= part.mean()
        field[...] = mean
        field[here] = mean + part * (noise / np.sqrt((part**2).mean()))
    return fields


def symmetric(
    size: int,
    features: Sequence[int],
    means: Sequence[float],
    noise: float,
    seed: int,
    index: Sequence[int],
    device=None,
):
    """Perlin noise averaged over the 48 turns and reflections of a cube about its first cell, with
    its mean and rms as perlin's.

    The noise is moved by half a feature first: about its lattice points it is odd, and would
    vanish.
    """
    fields = perlin(size, features, means, noise, seed, index, device)
    for field, mean, feature in zip(fields, means, features, strict=True):
        wave = np.roll(field.astype(np.float64) - mean, (int(feature) // 2,) * 3, (0, 1, 2))
        for axis in range(3):
            wave = wave + np.roll(np.flip(wave, axis), 1, axis)
        wave = sum(wave.transpose(axes) for axes in itertools.permutations(range(3)))
        field[...] = mean + wave * (noise / np.sqrt((wave**2).mean()))
    return fields


def bulk(size: int, noise: float, seed: int, index: int) -> np.ndarray:
    """White noise of an rms of `noise` about each phi of BULK, its own mean taken off."""
    key, counter = (
        np.array([seed, STREAMS["coarsening"]], np.uint64),
        np.array([0, 0, 1, index], np.uint64),
    )
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    waves = generator.standard_normal((len(BULK), size, size, size))
    waves -= waves.mean((1, 2, 3), keepdims=True)
    return (np.reshape(BULK, (-1, 1, 1, 1)) + noise * waves).astype(np.float32)


def layers(size: int, width: float, period: int, mean: float) -> np.ndarray:
    """size / period lamellae across x, at rest but for what the grid makes of them: (size, size,
    size).

    width: epsilon, cells.  mean: the share of the phase phi = 1.
    """
    x = np.arange(size) % period + 0.5
    phi = profile(np.abs(x - period / 2) - mean * period / 2, width)
    return np.broadcast_to(phi[:, None, None], (size,) * 3).astype(np.float32)


def shape(size: int, width: float, path: str | None = None) -> np.ndarray:
    """A body of phi = 1 in the middle of the box, its surface in equilibrium: (size, size, size).
    z, the last axis, points upwards.

    path: file of the surface (UserError if it does not close), or None: a rabbit of spheres and
    capsules.  width: epsilon, cells.
    """
    fine = FINER * size
    solid = (
        rabbit(fine)
        if path is None
        else mesh.inside(mesh.fitted(mesh.read(Path(path)), FILLED), fine)
    )
    outwards = scipy.ndimage.distance_transform_edt(~solid) - 0.5
    distance = np.where(solid, 0.5 - scipy.ndimage.distance_transform_edt(solid), outwards) / FINER
    phi = profile(distance, width).reshape(size, FINER, size, FINER, size, FINER).mean((1, 3, 5))
    return phi.astype(np.float32)


def profile(distance: np.ndarray, width: float) -> np.ndarray:
    """phi of a flat interface at rest, at a distance from it that is positive outside.  width:
    epsilon, in the same unit.
    """
    return (1 - np.tanh(3 * distance / width)) / 2


# centre or ends, and radii at them, in sides of the box: thick parts and thin ones
PARTS = [
    ((0.42, 0.50, 0.33), (0.52, 0.50, 0.36), 0.20, 0.19),  # body
    ((0.69, 0.50, 0.58), (0.76, 0.50, 0.56), 0.12, 0.09),  # head, nose
    ((0.64, 0.44, 0.66), (0.48, 0.36, 0.86), 0.045, 0.035),  # ears
    ((0.66, 0.56, 0.66), (0.58, 0.66, 0.88), 0.045, 0.035),
    ((0.66, 0.40, 0.32), (0.76, 0.38, 0.17), 0.07, 0.05),  # forelegs
    ((0.66, 0.60, 0.32), (0.76, 0.62, 0.17), 0.07, 0.05),
    ((0.19, 0.50, 0.38), (0.19, 0.50, 0.38), 0.07, 0.07),  # tail
]


@functools.lru_cache(maxsize=2)
def rabbit(size: int) -> np.ndarray:
    """Which cells of a grid of size^3 are inside of one of PARTS, spheres and capsules with two
    radii.
    """
    x = (np.arange(size) + 0.5) / size
    grid = np.stack(np.meshgrid(x, x, x, indexing="ij"), -1)
    solid = np.zeros((size,) * 3, bool)
    for start, end, thick, thin in PARTS:
        along = np.subtract(end, start)
        t = np.clip((grid - start) @ along / max(along @ along, 1e-12), 0, 1)
        solid |= ((grid - start - t[..., None] * along) ** 2).sum(-1) < (
            thick + t * (thin - thick)
        ) ** 2
    return solid
