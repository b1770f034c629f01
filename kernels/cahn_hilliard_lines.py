"""What Cahn-Hilliard's fused kernels, on squares and in cubes, share: the lines of line_fft.h and
their compile-time constants.
"""

import numpy as np

from kernels.cahn_hilliard_system import System

LINE_FACTORS = {
    32: (4, 8),
    64: (8, 8),
    128: (8, 16),
    256: (16, 16),
    512: (16, 32),
    1024: (32, 32),
}  # Factors of line_fft.h


def line_order(size: int) -> np.ndarray:
    """Wave number index, 0..size-1, of each place of a transformed line (line_fft.h)."""
    a, b = LINE_FACTORS[size]
    return np.add.outer(np.arange(a), a * np.arange(b)).ravel()


def turns(size: int) -> np.ndarray:
    """Cosine and sine of the twist between the two halves of a line's transform, (2, size)."""
    a, b = LINE_FACTORS[size]
    phase = 2 * np.pi / size * np.outer(np.arange(a), np.arange(b)).ravel()
    return np.stack([np.cos(phase), np.sin(phase)])


def compiled_for(model: System, order: int, adaptive: bool) -> dict:
    """Compile-time constants of the kernels that take steps."""
    lanes = {"LANES": model.device.float_lanes} if model.device.kind == "cpu" else {}
    variable = {"STIFF_OUTSIDE": 1} if model.variable_mobility else {}
    reaction = {"REACTION": 1} if model.reaction_rate else {}
    return (
        lanes
        | variable
        | reaction
        | dict(
            REAL="float" if model.precision == "float32" else "double",
            ORDER=order,
            ADAPTIVE=int(adaptive),
            **model.free_energy.compiled,
        )
    )
