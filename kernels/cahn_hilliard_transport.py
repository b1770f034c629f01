"""What a mobility of c and a temperature add to a step by plain FFTs: the flux M(c) grad mu, and
the noise that conserves (H. E. Cook, Acta Metall. 18, 297 (1970)).

Of the mobility's largest value M0 a step takes -k^2 (e^2 k^2 u + N); what stands for N here is what
makes that the transform of div(M / M0 grad mu). Two transforms each way more for every axis.
"""

import numpy as np

from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_spectrum import THREADS
from kernels.cahn_hilliard_system import System, mirrored
from kernels.streams import STREAMS, seed_words


def along(array, axis: int, dimensions: int):
    """A vector, to be multiplied along one of the last `dimensions` axes."""
    return array.reshape([-1 if i == axis else 1 for i in range(dimensions)])


class Transport:
    """Of fields (n, *shape) with these means (n,) of u, by `fft` (cahn_hilliard_fft)."""

    def __init__(self, model: System, fft, means: np.ndarray):
        self.model, self.fft, self.device = model, fft, model.device
        self.means = self.device.asarray(means, np.float64)
        self.cells, dimensions = np.prod(model.shape), len(model.shape)
        real, complex_ = np.dtype(model.precision), np.result_type(model.precision, np.complex64)
        waves = [2 * np.pi * np.fft.fftfreq(n) / model.spacing for n in model.shape]
        half = model.shape[-1] // 2 + 1
        waves[-1] = waves[-1][:half]
        self.slope = []  # i k of each axis; a wave of two cells has none
        for axis, k in enumerate(waves):
            k = k.copy()
            k[model.shape[axis] // 2] = 0
            self.slope.append(along(self.device.asarray(1j * k, complex_), axis, dimensions))
        square = sum(along(k**2, axis, dimensions) for axis, k in enumerate(waves))
        inverse = np.divide(1, square, out=np.zeros_like(square), where=square > 0)
        self.stiff = self.device.asarray(model.squared_width * square, real)
        self.inverse = self.device.asarray(inverse, real)
        energy = model.free_energy
        self.module = self.device.module(
            "cahn_hilliard_mobility.cu",
            {"REAL": "float" if model.precision == "float32" else "double"}
            | model.variable_mobility.compiled(energy.middle, energy.half_width),
        )
        self.threads = THREADS if self.device.kind == "gpu" else 1

    def keep(self, some: np.ndarray) -> None:
        self.means = self.device.asarray(self.device.to_host(self.means)[some])

    def nonlinear(self, v, u, slope):
        """N of fluctuations v, whose coefficients are u and those of f' `slope`; and the mean over
        space of M / M0 |grad mu|^2, by which F falls, float64 (n,).
        """
        mu = slope + self.stiff * u
        planes = len(v) * self.model.shape[0]
        dissipation = self.device.zeros((planes, self.threads), np.float64)
        blocks = planes if self.device.kind == "gpu" else min(self.device.workers, planes)
        flow = 0
        for slope_along in self.slope:
            gradient = self.fft.inverse(slope_along * mu)
            self.module.launch(
                "mobile_flux",
                blocks,
                threads=self.threads,
                gradient=gradient,
                v=v,
                mean=self.means,
                dissipation=dissipation,
                planes=planes,
                field_planes=self.model.shape[0],
                cells=int(self.cells) // self.model.shape[0],
                blocks=blocks,
            )
            flow = flow + slope_along * self.fft.forward(gradient)
        falls = self.device.to_host(dissipation).reshape(len(v), -1).sum(1) / self.cells
        return -self.inverse * flow - self.stiff * u, falls


class Thermal:
    """Noise of fields at a temperature, one step after the other.

    Of a wave about the mean the variance that a step of length dtau leaves behind is T / (f'' +
    epsilon^2 k^2), whatever dtau: a semi-implicit step damps the noise too, by 1 + (p + q) / 2 with
    p = dtau (k^2 (e^2 k^2 + S) + b), b of a reaction, and q = dtau k^2 (S - f''), and this is taken
    out of its strength.
    """

    def __init__(self, model: System, fft, plan: Plan):
        self.model, self.fft, self.noise, self.device = model, fft, plan.noise, model.device
        self.mirrored = plan.mirrored
        self.shape = tuple(n // 2 for n in model.shape) if self.mirrored else model.shape
        self.module = self.device.module(
            "cahn_hilliard_noise.cu",
            {"REAL": "float" if model.precision == "float32" else "double"},
        )
        half, dimensions = model.shape[-1] // 2 + 1, len(model.shape)
        square = model.squared_wave_numbers()
        square[-1] = square[-1][:half]
        self.square = sum(along(k2, axis, dimensions) for axis, k2 in enumerate(square))
        self.step, self.stabilisation = plan.noise.steps, plan.stabilisation[0]
        self._fields(plan.media[:, 2], plan.noise.index)

    def _fields(self, curvature: np.ndarray, index: np.ndarray) -> None:
        self.curvature, self.index, self.known = curvature, index, {}
        words = np.stack([index & np.uint64(0xFFFFFFFF), index >> np.uint64(32)], 1)
        self.identity = self.device.asarray(words, np.uint32)

    def keep(self, some: np.ndarray) -> None:
        self._fields(self.curvature[some], self.index[some])

    def strength(self, dtau: np.ndarray):
        """What coefficients of white noise are multiplied by in steps of lengths dtau (n,)."""
        key = dtau.tobytes()
        if key not in self.known:
            model, S = self.model, self.stabilisation
            temperature = self.noise.temperature / (model.energy_scale * model.cell)
            if not (np.ptp(dtau) or np.ptp(self.curvature)):
                dtau, curvature = dtau[:1], self.curvature[:1]
            else:
                curvature = self.curvature
            dtau, curvature = (
                each.reshape(-1, *(1,) * self.square.ndim) for each in (dtau, curvature)
            )
            k2 = self.square
            p = dtau * (k2 * (model.squared_width * k2 + S) + model.reaction)
            q = dtau * k2 * (S - curvature)
            found = np.sqrt(2 * temperature * dtau * k2 * (1 + (p + q) / 2)) / (1 + p)
            self.known = {key: self.device.asarray(found, model.precision)}
        return self.known[key]

    def __call__(self, dtau: np.ndarray):
        """Coefficients that are added at the end of a step."""
        count, cells = len(self.index), int(np.prod(self.shape))
        noise = self.device.zeros((count, *self.shape), self.model.precision)
        draws = count * cells // 4
        blocks = (
            min(1 << 16, -(-draws // THREADS))
            if self.device.kind == "gpu"
            else min(self.device.workers, draws)
        )
        self.module.launch(
            "white_noise",
            blocks,
            threads=THREADS if self.device.kind == "gpu" else 1,
            identity=self.identity,
            noise=noise,
            **seed_words(self.noise.seed),
            stream_id=STREAMS["thermal"],
            fields=count,
            cells=cells,
            step=self.step,
            blocks=blocks,
        )
        self.step += 1
        if self.mirrored:
            noise = mirrored(noise, len(self.shape), self.fft.xp)
        return self.strength(dtau) * self.fft.forward(noise)
