"""Phases of flocks by a physical rule: gas G, bands in a gas L+G, liquid L.

Order parameters are |m|, the magnetization per particle, and the band amplitude, the largest of
the first three Fourier modes of the magnetization along x (bands fly along x) per particle. A band
that fills the share f of the box has the amplitude m sin(pi f) / (pi f), a homogeneous liquid some
0.04 m.
"""

import numpy as np

__all__ = ["BAND", "GAS", "PHASES", "band_amplitude", "phase_of"]

PHASES = ("G", "L+G", "L")
# of |m| and the amplitude: above what a gas of the smallest lattices fluctuates by
GAS = 0.1
# of the amplitude over |m|: L+G above, L below
BAND = 0.15
MODES = slice(1, 4)


def band_amplitude(profile: np.ndarray, particles: np.ndarray) -> np.ndarray:
    """Of magnetization profiles (..., L), sums of m_i across, for `particles` (...): float64
    (...).
    """
    return np.abs(np.fft.rfft(profile, axis=-1)[..., MODES]).max(-1) / particles


def phase_of(magnetization: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """int8 (...): 0 G, 1 L+G, 2 L by the magnetization per particle and the band amplitude; -1
    where domains of both spins stand (an amplitude above |m|, and above a gas'): on its way to one
    of the three.
    """
    order = np.abs(magnetization)
    gas = np.maximum(order, amplitude) < GAS
    both = (amplitude > order) & (amplitude > GAS)
    return np.where(both, -1, np.where(gas, 0, np.where(amplitude > BAND * order, 1, 2))).astype(
        np.int8
    )
