"""The ways to run Cahn-Hilliard trajectories, and which of them serves a system fastest."""

from kernels import (
    cahn_hilliard_box,
    cahn_hilliard_explicit,
    cahn_hilliard_fused,
    cahn_hilliard_part,
    cahn_hilliard_spectrum,
)
from kernels.cahn_hilliard_clock import ORDERS
from kernels.cahn_hilliard_explicit import explicit
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_record import Path
from kernels.cahn_hilliard_system import System


def choose(model: System, scheme: str, plain: bool = False) -> Path:
    """The fastest path that serves this system; plain: with noise, or mirrored fields."""
    if scheme == "explicit":
        return explicit
    if plain or model.variable_mobility is not None:
        return by_fft
    kind, size, square = model.device.kind, model.shape[0], len(model.shape) == 2
    fits = size in cahn_hilliard_fused.SIZES[kind] and (
        kind == "cpu" or cahn_hilliard_fused.shared_bytes(model) <= model.device.shared_bytes
    )
    if square and model.shape[1] == size and fits:
        return cahn_hilliard_fused.fused
    if cahn_hilliard_part.serves(model.shape, model.device):
        return cahn_hilliard_box.fused_box
    return by_fft


def compile_path(model: System, scheme: str) -> None:
    """Compile what the path of choose() launches, of systems with a constant mobility."""
    path = choose(model, scheme)
    if path is explicit:
        cahn_hilliard_explicit.module_of(model).compile()
        cahn_hilliard_spectrum.module_of(model, 1, False).compile()  # which watches it
        return
    source = {
        cahn_hilliard_fused.fused: cahn_hilliard_fused,
        cahn_hilliard_box.fused_box: cahn_hilliard_part,
    }.get(path, cahn_hilliard_spectrum)
    source.module_of(model, ORDERS[scheme], scheme == "adaptive").compile()
