"""Which lines along x a part of a box holds, in which order its kernels take them, and how their
coefficients are those of numpy.fft.rfftn.
"""

import numpy as np

from kernels.cahn_hilliard_lines import line_order
from kernels.cahn_hilliard_system import System


def rows_of(cells: int, rank: int, ranks: int) -> np.ndarray:
    """ky of the rows that one of `ranks` holds of the spectrum, ky and -ky side by side."""
    each = np.arange(1, cells // 2)
    rows = np.concatenate([[0, cells // 2], np.stack([each, cells - each], 1).ravel()])
    return rows[rank * cells // ranks : (rank + 1) * cells // ranks]


def pairs_of_lines(
    model: System, lanes: int, rows: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Pairs (k, -k) of k = (ky, kz), in groups of `lanes`: places in a tile, int32 (groups, 2,
    lanes); ky and kz of k, int64, its k^2 along y and z, and its weight in a sum over all k,
    (groups, lanes). The last group is filled up with its last pair at weight 0.

    rows: ky of those that are here, -ky among them, in the order in which their pairs come; None:
    all, as they lie in a tile.
    """
    _, ny, nz = model.shape
    order_y, order_z = line_order(ny), line_order(nz)
    place_y, place_z = np.argsort(order_y), np.argsort(order_z)
    here = np.arange(ny) if rows is None else place_y[rows]
    y, z = (a.ravel() for a in np.meshgrid(here, np.arange(nz), indexing="ij"))
    plus = y * (nz + 1) + z
    minus = place_y[-order_y % ny][y] * (nz + 1) + place_z[-order_z % nz][z]
    kept = plus <= minus
    y, z, plus, minus = y[kept], z[kept], plus[kept], minus[kept]
    # pairs that are neighbours in memory share a group
    weight = np.where(plus == minus, 1.0, 2.0)
    fill = -len(plus) % lanes
    plus, minus, y, z = (
        np.concatenate([a, np.repeat(a[-1:], fill)]).reshape(-1, lanes) for a in (plus, minus, y, z)
    )
    weight = np.concatenate([weight, np.zeros(fill)]).reshape(-1, lanes)
    waves = model.squared_wave_numbers()
    k2 = waves[1][order_y][y] + waves[2][order_z][z]
    return np.stack([plus, minus], 1).astype(np.int32), order_y[y], order_z[z], k2, weight


class Coefficients:
    """Of a real field in a box, complex (n, rows, nz / 2 + 1) for a slice of kx, as
    numpy.fft.rfftn orders and scales them.

    shape: of the box.  rows: which ky are here, in their order there, -ky among them.  ky, kz,
    alone: of the pairs (groups, lanes), alone where k and -k are one.  state: (groups, nx, 2,
    lanes), read and written.
    """

    def __init__(self, shape, rows, ky, kz, alone, state: np.ndarray):
        nx, ny, nz = self.shape = shape
        self.state, self.count = state, len(rows)
        self.place_of = np.argsort(line_order(nx))
        row_of = np.zeros(ny, int)
        row_of[rows] = np.arange(len(rows))
        self.y, self.z = row_of[ky], kz
        self.half = kz <= nz // 2
        self.mirror_y, self.mirror_z = row_of[-ky % ny], -kz % nz
        self.mirror_half = (self.mirror_z <= nz // 2) & ~alone
        self.scale = float(np.prod(shape))  # a power of two: nothing is rounded

    def _places(self, kx: int) -> tuple[int, int]:
        return self.place_of[kx], self.place_of[-kx % self.shape[0]]

    def __getitem__(self, part: slice) -> np.ndarray:
        real, waves = self.state.dtype, range(self.shape[0])[part]
        found = np.zeros(
            (len(waves), self.count, self.shape[2] // 2 + 1), np.result_type(real, np.complex64)
        )
        for plane, kx in zip(found, waves, strict=True):
            at, mirror = (
                (self.state[:, i, 0] + 1j * self.state[:, i, 1]) * real.type(self.scale)
                for i in self._places(kx)
            )
            plane[self.mirror_y[self.mirror_half], self.mirror_z[self.mirror_half]] = mirror.conj()[
                self.mirror_half
            ]
            plane[self.y[self.half], self.z[self.half]] = at[self.half]
        return found

    def __setitem__(self, part: slice, values: np.ndarray) -> None:
        for plane, kx in zip(np.asarray(values), range(self.shape[0])[part], strict=True):
            scaled = plane / self.scale
            at, mirror = self._places(kx)
            there = scaled[self.y[self.half], self.z[self.half]]
            across = scaled[self.mirror_y[~self.half], self.mirror_z[~self.half]].conj()
            for i, some, numbers in ((at, self.half, there), (mirror, ~self.half, across)):
                for n, component in enumerate((numbers.real, numbers.imag)):
                    self.state[:, i, n][some] = component
