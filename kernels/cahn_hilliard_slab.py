"""One step of the coefficients of a three-dimensional box, or of some rows of its spectrum:
cahn_hilliard_slab.cu.

For boxes that are spread over several devices: the transforms, and the adding up of sums, are the
caller's.
"""

import numpy as np

from kernels.cahn_hilliard import STABILISATION, CahnHilliard

THREADS = 256  # of a block on a GPU
VECTOR = 16  # reals that a CPU reads at once, at most


class SlabStep:
    """The spectrum's rows `rows` of ky, (nx, len(rows), nz // 2 + 1) complex numbers, of a field in
    the form `symmetric`.

    order: 1 or 2, of the scheme.  adaptive: whether the error of a step is asked for.
    """

    def __init__(self, model: CahnHilliard, rows: range, order: int, adaptive: bool):
        self.device, self.real, self.order, self.rows = (
            model.device,
            np.dtype(model.precision),
            order,
            rows,
        )
        half = model.shape[2] // 2 + 1
        self.planes, self.line = model.shape[0], len(rows) * half
        kx, ky, kz = model.wave_numbers()
        count = np.full(half, 2.0)  # in a sum over all k
        count[[0, -1]] = 1
        kyz = np.add.outer(ky[rows.start : rows.stop], kz[:half]).ravel()
        pad = (0, -self.line % VECTOR)
        self.kx, self.kyz = (
            self.device.asarray(kx, self.real),
            self.device.asarray(np.pad(kyz, pad), self.real),
        )
        self.weight = self.device.asarray(np.pad(np.tile(count, len(rows)), pad), self.real)
        self.threads = THREADS if self.device.kind == "gpu" else 1
        self.sums = self.device.zeros((self.planes, self.threads, 3), np.float64)
        self.squared_width = model.squared_width
        self.module = self.device.module(
            "cahn_hilliard_slab.cu",
            dict(
                REAL="float" if self.real == np.float32 else "double",
                ORDER=order,
                ADAPTIVE=int(adaptive),
            ),
        )

    def __call__(
        self, now, before, nonlinear, nonlinear_before, ratio: float, step: float
    ) -> np.ndarray:
        """What comes a step later replaces `before` (order 1, where that is None: `now`);
        nonlinear: of u^3 - u.

        step: tau; ratio: over the step before it, 0 at the first one.  Returns sums over these
        coefficients and their mirror images, float64 (3,): squared error of the step, fall of the
        free energy, squared size; over cells^2 they are means over space.
        """
        blocks, numbers = (
            self._blocks(self.planes),
            self.device.asarray([step, ratio, self.squared_width, STABILISATION], self.real),
        )
        arrays = [
            None if array is None else array.view(self.real)
            for array in (now, before, nonlinear, nonlinear_before)
        ]
        self.module.launch(
            "advance_coefficients",
            blocks,
            [
                *arrays,
                self.kx,
                self.kyz,
                self.weight,
                numbers,
                self.sums,
                np.int32(self.planes),
                np.int32(self.line),
                np.int32(self.rows.start == 0),
                np.int32(blocks),
            ],
            threads=self.threads,
        )
        return self.device.to_host(self.sums.sum((0, 1)))

    def nonlinear(self, u):
        """u^3 - u in place of planes u (n, ny, nz)."""
        planes, cells = len(u), u.shape[1] * u.shape[2]
        blocks = self._blocks(planes)
        self.module.launch(
            "nonlinear_part",
            blocks,
            [u, np.int32(planes), np.int32(cells), np.int32(blocks)],
            threads=self.threads,
        )
        return u

    def _blocks(self, planes: int) -> int:
        return planes if self.device.kind == "gpu" else min(self.device.workers, planes)

    def stiffness(self, some, planes: slice) -> float:
        """Sum over k of k^2 |coefficient|^2 of `some` planes of kx."""
        kyz, weight = (
            array[: self.line].reshape(some.shape[1:]) for array in (self.kyz, self.weight)
        )
        k2 = self.kx[planes, None, None] + kyz
        return float((weight * k2 * (some.real**2 + some.imag**2)).sum(dtype=np.float64))
