"""Periodic Perlin noise in three dimensions: random fields whose features have a size that one
chooses.

Noise    at a point in a cell of a cubic lattice: the sum over the cell's eight corners p of w(t_x)
         w(t_y) w(t_z) g_p . r, where r is the way from p to the point in lattice constants, t its
         components' sizes, w(t) = 1 - (6 t^5 - 15 t^4 + 10 t^3), and the g_p are independent unit
         vectors, isotropic
Spectrum E|FFT|^2 = P^3 / 3 sum over axes a of |FFT of r_a w(|r_x|) w(|r_y|) w(|r_z|)|^2, P^3 the
number of lattice points
Sources  K. Perlin, SIGGRAPH Computer Graphics 19, 287 (1985); the fade: K. Perlin, ACM Trans.
         Graphics 21, 681 (2002)

The same bytes on every device: directions from Philox, arithmetic in single precision with no
choice left to a compiler.
"""

from collections.abc import Sequence

import numpy as np

from kernels.arguments import one_of, real, seed_of
from kernels.device import device_of
from kernels.names import named
from kernels.streams import STREAMS, seed_words

__all__ = ["perlin_noise"]


@named
def perlin_noise(
    shape: tuple[int, int, int],
    lattice: Sequence[int],
    seed: int,
    index: Sequence[int] | None = None,
    stream: str = "perlin",
    device=None,
    planes: range | None = None,
) -> np.ndarray:
    """Fields of Perlin noise, float32 (n, *shape), each of rms about 0.19 and |noise| < 1.

    shape: three equal sides, cells. lattice: (n,), lattice cells along a side of each field, which
    divide it. index: (n,), identity of each below 2^56 (default 0, 1, ...): a field is a function
    of (seed, stream, index, lattice, shape) alone. seed: below 2^64. planes: the part of the first
    axis that is made, in steps of 1 (default: all): float32 (n, len(planes), *shape[1:]), the same
    as in the whole. Raises ValueError, one line, on what does not fit.
    """
    lattice = [lattice] if np.ndim(lattice) == 0 else list(lattice)
    index = list(range(len(lattice)) if index is None else index)
    planes = range(shape[0]) if planes is None else planes
    check(shape, lattice, seed, index, stream, planes)
    device = device_of(device)
    shape = tuple(map(int, shape))
    size, part = shape[0], (len(planes), *shape[1:])
    fields = np.empty((len(lattice), *part), np.float32)
    for points in sorted(set(map(int, lattice))):
        mine = [i for i, cells in enumerate(lattice) if cells == points]
        number = np.array([int(index[i]) for i in mine], np.uint64)
        identity = np.stack([number & np.uint64(0xFFFFFFFF), number >> np.uint64(32)], 1).astype(
            np.uint32
        )
        module = module_of(size, points, device)
        gradient, noise = (
            device.zeros((len(mine), points**3, 3), np.float32),
            device.zeros((len(mine), *part), np.float32),
        )
        module.launch(
            "draw_gradients",
            len(mine),
            threads=128,
            identity=device.asarray(identity),
            gradient=gradient,
            **seed_words(seed),
            stream_id=STREAMS[stream],
        )
        offset = np.arange(size // points) / (size // points)
        count = len(mine) * len(planes)
        blocks = min(device.workers, count) if device.kind == "cpu" else count
        module.launch(
            "interpolate",
            blocks,
            threads=128,
            gradient=gradient,
            offset=device.asarray(offset, np.float32),
            fade=device.asarray(fade(offset), np.float32),
            noise=noise,
            planes=count,
            blocks=blocks,
            start=planes.start,
            count=len(planes),
        )
        fields[mine] = device.to_host(noise)
    return fields


def module_of(size: int, points: int, device):
    """The kernels, for so many cells and lattice points a side."""
    return device.module("perlin.cu", dict(SIZE=size, POINTS=points))


def fade(t: np.ndarray) -> np.ndarray:
    """6 t^5 - 15 t^4 + 10 t^3: from 0 to 1 with no slope and no curvature at either end."""
    return t**3 * (t * (6 * t - 15) + 10)


def check(shape, lattice: list, seed, index: list, stream: str, planes: range) -> None:
    """ValueError, one line, on what does not fit."""
    if len(shape) != 3 or len(set(shape)) != 1 or not (real(shape[0]) or 0) >= 1 or shape[0] % 1:
        raise ValueError(f"shape is {tuple(shape)}; it must be three equal numbers of cells")
    for cells in lattice:
        if not (real(cells) or 0) >= 1 or cells % 1 or shape[0] % cells:
            raise ValueError(
                f"lattice is {cells}; it must be a whole number from 1 that divides the side, {shape[0]} cells"
            )
    seed_of(seed)
    if len(index) != len(lattice) or not all(
        isinstance(n, int | np.integer) and 0 <= n < 1 << 56 for n in index
    ):
        raise ValueError(
            f"index is {index}; it must be {len(lattice)} whole numbers from 0 and below 2^56"
        )
    if not len(planes) or planes.step != 1 or planes.start < 0 or planes.stop > shape[0]:
        raise ValueError(
            f"planes are {planes}; they must be some of 0 to {shape[0]}, in steps of 1"
        )
    one_of("stream", stream, STREAMS)
