"""Nucleation events of the Ising model, as all its ways to run give them."""

from dataclasses import dataclass

import numpy as np

from kernels.arguments import brief


@dataclass(frozen=True)
class NucleationEvents:
    """lifetime: int32 (e,), MCS from the field's turn to the first m <= 0.
    history: uint8 (e, history + 1, ceil(N / 8)), packed configurations at t = -history..0 (MCS); t
    = 0 is the first with m <= 0. Frames before the field's turn (t < -lifetime) belong to the
    equilibration and mean nothing here.
    """

    lifetime: np.ndarray
    history: np.ndarray
    __repr__ = brief


def check_lifetimes(lifetime: np.ndarray, max_lifetime: int | None) -> None:
    """Raises RuntimeError if an event outlives max_lifetime (MCS)."""
    if max_lifetime and lifetime.max() > max_lifetime:
        raise RuntimeError(
            f"an event has not nucleated after max_lifetime = {max_lifetime} MCS; raise it, or the field"
        )
