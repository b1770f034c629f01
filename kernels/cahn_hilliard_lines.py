"""What Cahn-Hilliard's fused kernels, on squares and in cubes, share: the lines of line_fft.h and
the words of cahn_hilliard_step.h.
"""

import numpy as np

from kernels.cahn_hilliard import DIVERGED, STABILISATION, CahnHilliard, Control

LINE_FACTORS = {
    32: (4, 8),
    64: (8, 8),
    128: (8, 16),
    256: (16, 16),
    512: (16, 32),
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


def compiled_for(model: CahnHilliard, order: int, adaptive: bool) -> dict:
    """Compile-time constants of the fused kernels."""
    real = "float" if model.precision == "float32" else "double"
    return dict(SIZE=model.shape[0], REAL=real, ORDER=order, ADAPTIVE=int(adaptive))


def control_words(model: CahnHilliard, c: Control, steady_state: float) -> list[float]:
    """Parameters of cahn_hilliard_step.h."""
    return [
        model.squared_width,
        STABILISATION,
        c.fixed or 0.0,
        c.tolerance,
        c.first,
        c.longest,
        c.SAFETY,
        c.SHRINK,
        c.GROW,
        c.REGROW,
        steady_state,
        DIVERGED,
    ]
