"""Square fields of a user's own, from a .npy or an HDF5 file."""

from pathlib import Path

import h5py
import numpy as np

from jobs import UserError


def read(path: Path, dataset: str, size: int, what: str) -> np.ndarray:
    """(n, L, L), n at least 1, of a .npy file or of `dataset` in an HDF5 file; one field (L, L) counts as n = 1.

    Raises UserError, one line, for anything else; what: the values' name in it.
    """
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            with h5py.File(path, "r", locking=False) as file:
                if dataset not in file:
                    raise UserError(f"--input {path}: holds {', '.join(file) or 'nothing'}, and no dataset `{dataset}`")
                found = file[dataset][...]
        shape = found.shape
        if found.dtype.kind not in "biuf":
            raise TypeError(f"holds {found.dtype}, not numbers")
    except FileNotFoundError:
        raise UserError(f"--input {path}: no such file") from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"--input {path}: neither a .npy file nor HDF5 with a dataset `{dataset}` ({error})") from None
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or found.shape[1:] != (size, size) or not len(found):
        raise UserError(f"--input {path}: {what} of shape {shape}; this run's networks know (n, {size}, {size})")
    return found
