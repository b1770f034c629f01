"""One step of the coefficients of Cahn-Hilliard fields, or of some rows of one field's spectrum:
cahn_hilliard_spectrum.cu.

The transforms, and the adding up of sums over several devices, are the caller's.
"""

import math

import numpy as np

from kernels.cahn_hilliard_clock import CLOCK, clocks
from kernels.cahn_hilliard_lines import compiled_for
from kernels.cahn_hilliard_system import System

THREADS = 256  # of a block on a GPU
VECTOR = 16  # reals that a CPU reads at once, at most


def module_of(model: System, order: int, adaptive: bool):
    """The kernels, for this system and scheme."""
    return model.device.module("cahn_hilliard_spectrum.cu", compiled_for(model, order, adaptive))


class SpectrumStep:
    """Coefficients (n, nx, [ny,] half) of fluctuations v of n fields, in two dimensions all of
    them, in three those of `rows` of ky.

    rule, media: of cahn_hilliard_clock.  order: of the scheme.  adaptive: whether the error of a
    step is asked for.  Raises nothing of its own.
    """

    def __init__(
        self,
        model: System,
        rule: np.ndarray,
        media: np.ndarray,
        order: int,
        adaptive: bool,
        rows: range | None = None,
    ):
        self.device, self.real, self.order = model.device, np.dtype(model.precision), order
        half = model.shape[-1] // 2 + 1
        waves, self.dimensions = model.squared_wave_numbers(), len(model.shape)
        count = np.full(half, 2.0)  # in a sum over all k
        count[[0, -1]] = 1
        kyz, weight = waves[-1][:half], count
        if len(waves) == 3:
            rows = range(model.shape[1]) if rows is None else rows
            kyz = np.add.outer(waves[1][rows.start : rows.stop], kyz).ravel()
            weight = np.tile(count, len(rows))
        self.planes, self.line = model.shape[0], len(kyz)
        pad = (0, -self.line % VECTOR)
        self.kx = self.device.asarray(waves[0], self.real)
        self.kyz = self.device.asarray(np.pad(kyz, pad), self.real)
        self.weight = self.device.asarray(np.pad(weight, pad), self.real)
        self.threads = THREADS if self.device.kind == "gpu" else 1
        self.module = module_of(model, order, adaptive)
        self.rule = self.device.asarray(rule, np.float64)
        self._fields(media, clocks(len(media), rule[4]))

    def _fields(self, media: np.ndarray, clock: np.ndarray) -> None:
        self.count = len(media)
        self.media = self.device.asarray(media, np.float64)
        self.clock = self.device.asarray(clock.view(np.float64).reshape(self.count, -1))
        self.lengths = self.device.zeros(self.count, np.float64)
        self.numbers = self.device.zeros((self.count, 7 + 4 * self.order), self.real)
        self.sums = self.device.zeros((self.count, self.planes, self.threads, 4), np.float64)

    @property
    def clocks(self) -> np.ndarray:
        """CLOCK (n,), a copy."""
        return self.device.to_host(self.clock).copy().view(CLOCK)[:, 0]

    @property
    def step_lengths(self) -> np.ndarray:
        """Of the step that was begun, tau, float64 (n,)."""
        return self.device.to_host(self.lengths).copy()

    def keep(self, some: np.ndarray) -> None:
        """Go on with some of the fields alone."""
        self._fields(self.device.to_host(self.media)[some], self.clocks[some])

    def set_media(self, media: np.ndarray) -> None:
        self._fields(media, self.clocks)

    def set_clocks(self, clock: np.ndarray) -> None:
        self._fields(self.device.to_host(self.media), clock)

    def begin(self, asked) -> None:
        """Choose the next step of each field, which lands on its asked time (tau) if it would pass
        it.
        """
        self.asked = self.device.asarray(asked, np.float64)
        self.module.launch(
            "begin_steps",
            1,
            threads=self.threads,
            rule_words=self.rule,
            media=self.media,
            clocks=self.clock,
            asked=self.asked,
            lengths=self.lengths,
            numbers=self.numbers,
            fields=self.count,
        )

    def advance(self, u: list, nonlinear: list) -> np.ndarray:
        """The step. u, nonlinear: coefficients at its beginning and at those before it, `order` of
        each; what comes at its end replaces the last of u.

        Returns sums over these coefficients and their mirror images, float64 (n, 4): squared error
        of the step, fall of the free energy, squared size, that of the waves that grow; over
        cells^2 they are means over space.
        """
        planes = self.count * self.planes
        blocks = self._blocks(planes)
        arrays = dict.fromkeys(("u0", "u1", "u2", "n0", "n1", "n2"))  # None beyond the order
        for j in range(self.order):
            arrays[f"u{j}"] = u[j].view(self.real)
            arrays[f"n{j}"] = nonlinear[j].view(self.real)
        self.module.launch(
            "advance_coefficients",
            blocks,
            threads=self.threads,
            **arrays,
            kx=self.kx,
            kyz=self.kyz,
            weight=self.weight,
            numbers=self.numbers,
            sums=self.sums,
            planes=planes,
            field_planes=self.planes,
            line=self.line,
            blocks=blocks,
        )
        return self.device.to_host(self.sums.sum((1, 2)))

    def end(self, totals: np.ndarray) -> np.ndarray:
        """After the step, totals (n, 4): means over space of its sums.  CLOCK (n,)."""
        self.module.launch(
            "end_steps",
            1,
            threads=self.threads,
            rule_words=self.rule,
            media=self.media,
            clocks=self.clock,
            asked=self.asked,
            lengths=self.lengths,
            totals=self.device.asarray(totals, np.float64),
            fields=self.count,
        )
        return self.clocks

    def nonlinear(self, v):
        """f'(mean + v) - f'(mean) in place of v (n, *shape), or of some planes of the only
        field.
        """
        planes = self.count * self.planes if v.ndim > self.dimensions else len(v)
        cells = math.prod(v.shape) // planes
        blocks = self._blocks(planes)
        self.module.launch(
            "nonlinear_part",
            blocks,
            threads=self.threads,
            v=v,
            media=self.media,
            planes=planes,
            field_planes=planes // self.count,
            cells=cells,
            blocks=blocks,
        )
        return v

    def _blocks(self, planes: int) -> int:
        return planes if self.device.kind == "gpu" else min(self.device.workers, planes)

    def stiffness(self, some, planes: slice) -> float:
        """Sum over k of k^2 |coefficient|^2 of `some` planes of kx."""
        kyz, weight = (
            array[: self.line].reshape(some.shape[1:]) for array in (self.kyz, self.weight)
        )
        k2 = self.kx[planes, None, None] + kyz
        return float((weight * k2 * (some.real**2 + some.imag**2)).sum(dtype=np.float64))
