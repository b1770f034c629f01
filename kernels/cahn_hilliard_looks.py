"""What is measured of fields on a GPU at the asked times, there: numbers come back, and the fields
that are kept. The same numbers as those of interface.py, structure.py and System.energies, to
round-off; on a CPU, where nothing has to travel, it is these that are called.
"""

import math

import numpy as np

from kernels import interface, structure
from kernels.cahn_hilliard_system import System, mirrored

BATCH_CELLS = 1 << 24  # measured together: some GiB


class DeviceLooks:
    """Of fields (n, *shape) of `model` on its GPU. names: of OBSERVABLES, what is asked for."""

    def __init__(self, model: System, names: list[str]):
        self.model, self.names, self.arrays = model, names, model.device.cupy
        self.dimensions = len(model.shape)
        self.axes = tuple(range(1, 1 + self.dimensions))
        self.walls = model.boundary == "no_flux"
        self.whole = model.extended if self.walls else model  # whose waves are measured
        half = self.whole.shape[-1] // 2 + 1
        square = sum(np.ix_(*self.whole.squared_wave_numbers()))[..., :half]
        inverse = np.divide(1, square, out=np.zeros_like(square), where=square > 0)
        self.square, self.inverse = self._put(square), self._put(inverse)
        shell, weight = structure.shells(self.whole.shape)
        self.shell, self.weight = self._put(shell.ravel()), self._put(weight)
        self.waves = structure.waves(self.whole.shape)
        self.wave_numbers = self._put(structure.wave_vectors(self.whole.shape))

    def _put(self, values):
        return self.arrays.asarray(np.ascontiguousarray(values))

    def _host(self, values) -> np.ndarray:
        return self.model.device.to_host(values)

    def __call__(self, c) -> dict[str, np.ndarray]:
        """Numbers (n, ...) by their names in Trajectory, on the host."""
        batch = max(1, BATCH_CELLS // math.prod(self.whole.shape))
        parts = [self._some(c[first : first + batch]) for first in range(0, len(c), batch)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _some(self, c) -> dict[str, np.ndarray]:
        model, middle, xp = self.model, self.model.free_energy.middle, self.arrays
        found = {"mean": c.astype(np.float64).mean(self.axes)}
        if "area" in self.names:
            found["area"] = (c > middle).sum(self.axes).astype(np.float64) * model.cell
        if "euler_characteristic" in self.names:
            found["euler_characteristic"] = interface.euler_of(
                c > middle, not self.walls, arrays=xp
            )
        if self.walls:
            c = mirrored(c, self.dimensions, xp)
        share = 2.0**-self.dimensions if self.walls else 1.0
        if "perimeter" in self.names:
            length = interface.measured(c, middle, True, arrays=xp)
            found["perimeter"] = share * length * model.spacing ** (self.dimensions - 1)
        if {"energy", "structure_factor", "length"} & set(self.names):
            found |= self._by_waves(c, share)
        return {name: self._host(values) for name, values in found.items()}

    def _by_waves(self, c, share: float) -> dict:
        """Energies, S(k) and length of whole fields, of which `share` is the box."""
        model, xp, shape = self.model, self.arrays, self.whole.shape
        cells, found = math.prod(shape), {}
        wide = c.astype(np.float64)
        amplitude = xp.fft.rfftn(wide, axes=self.axes)
        power = (amplitude.real**2 + amplitude.imag**2) * self.weight
        if "energy" in self.names:
            volume = share * model.cell * cells
            u = model.to_symmetric(wide)
            chemical = model.free_energy.density(u).mean(self.axes)
            stiff = (power * self.square).sum(self.axes) / cells**2
            found["chemical_energy"] = model.energy_scale * volume * chemical
            found["surface_energy"] = volume * model.epsilon**2 / 2 * stiff
            if model.reaction_rate:
                far = (power * self.inverse).sum(self.axes) / cells**2
                strength = model.reaction_rate / (2 * model.largest_mobility)
                found["long_range_energy"] = strength * volume * far
        if "structure_factor" in self.names:
            count = len(self.waves)
            rows = [
                xp.bincount(self.shell, weights=each.ravel(), minlength=count + 1) for each in power
            ]
            scale = self._put(model.cell / (self.waves * cells))
            found["structure_factor"] = xp.stack(rows)[:, 1 : count + 1] * scale
        if "length" in self.names:
            power[(slice(None), *[0] * self.dimensions)] = 0
            flat = c.max(self.axes) == c.min(self.axes)
            total, moment = power.sum(self.axes), (power * self.wave_numbers).sum(self.axes)
            far = 2 * np.pi * model.spacing * total / xp.where(moment > 0, moment, 1.0)
            found["length"] = xp.where(flat, np.nan, far)
        return found
