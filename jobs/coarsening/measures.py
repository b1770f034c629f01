"""What fields are judged by, the same for truth and networks: free energy on the grid that the
network sees.

Energies of the two grids differ (a flat interface has less than its area on a coarse one), so
compare only what one grid gives. Interface area: kernels.interface.perimeter(phi, 0.5, spacing,
dimensions=3).
"""

import numpy as np

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
