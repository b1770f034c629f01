"""The models, on raw CUDA kernels that run on a GPU or on this machine's cores.

    from kernels import ActiveIsing, CahnHilliard, ConvGRU, Ising, select

Ising         nucleation with interactions of any range            kernels/ising.py
CahnHilliard  mixtures that separate, in 2D and 3D                 kernels/cahn_hilliard.py
ActiveIsing   flocks on a lattice                                  kernels/active_ising.py
ConvGRU       a network of one step of a mixture in 3D             kernels/conv_gru.py
select        the device: select("cpu", workers=4), select("gpu")  kernels/device.py

Each is imported when it is first asked for.
"""

import importlib
import importlib.metadata

__all__ = ["ActiveIsing", "CahnHilliard", "ConvGRU", "Ising", "__version__", "select"]

_WHERE = {
    "Ising": "kernels.ising",
    "CahnHilliard": "kernels.cahn_hilliard",
    "ActiveIsing": "kernels.active_ising",
    "ConvGRU": "kernels.conv_gru",
    "select": "kernels.device",
}


def __getattr__(name: str):
    if name == "__version__":
        return importlib.metadata.version("quench")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
