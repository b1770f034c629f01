"""What fields are judged by, the same for truth and networks: free energy on the grid that the
network sees, and upsampled.

Energies of the two grids differ: on a coarse one a flat interface has .72 to 1.11 of its area, by
where it lies in its cells, at a spacing of 2 and epsilon = 3. So compare only what one grid gives;
and what is compared in a single box is better free of that: the area of the surface phi = 1/2
(kernels.interface.perimeter(phi, 0.5, spacing, dimensions=3)), or F of the waves that the grid
holds on the solver's (`upsampled_energies`).
"""

import numpy as np

from jobs.coarsening.fields import upsample

BATCH_CELLS = 1 << 22  # cells looked at together: some 150 MiB


def energies(phi: np.ndarray, spacing: float, interface_width: float) -> np.ndarray:
    """F of fields (..., X, Y, Z), float64 (...), energy: sum of [epsilon/2 |grad phi|^2 +
    18/epsilon phi^2 (1 - phi)^2] spacing^3.

    Gradients are forward differences.  spacing: length.  interface_width: epsilon, length.
    """
    phi = np.asarray(phi)
    flat = phi.reshape(-1, *phi.shape[-3:])
    found, batch = np.empty(len(flat)), max(1, BATCH_CELLS // int(np.prod(phi.shape[-3:])))
    for first in range(0, len(flat), batch):
        part = flat[first : first + batch].astype(np.float64)
        total = (part * (1 - part)) ** 2 * (18 / interface_width)
        for axis in (1, 2, 3):
            total += (np.roll(part, -1, axis) - part) ** 2 * (interface_width / 2 / spacing**2)
        found[first : first + batch] = total.sum((1, 2, 3)) * spacing**3
    return found.reshape(phi.shape[:-3])


def upsampled_energies(
    phi: np.ndarray, spacing: float, interface_width: float, factor: int
) -> np.ndarray:
    """F of fields (..., x, y, z), float64 (...), energy, on a grid `factor` times as fine.

    spacing: of the coarse grid, length.  interface_width: epsilon, length.
    """
    phi = np.asarray(phi)
    flat = phi.reshape(-1, *phi.shape[-3:])
    found = [
        energies(upsample(each, factor, "nearest"), spacing / factor, interface_width)
        for each in flat
    ]
    return np.array(found).reshape(phi.shape[:-3])
