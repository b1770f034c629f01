"""Square fields of a user's own, from a .npy, .npz or HDF5 file, and where the answer to
them goes.
"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from jobs import UserError, shards


def read(path: Path, dataset: str, size: int, what: str) -> np.ndarray:
    """(n, L, L), n at least 1, of a .npy file or of `dataset` in an HDF5 or .npz file; one field
    (L, L) counts as n = 1.

    Raises UserError, one line, for anything else; what: the values' name in it.
    """
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            with (
                np.load(path, allow_pickle=False)
                if path.suffix == ".npz"
                else h5py.File(path, "r", locking=False) as file
            ):
                if dataset not in file:
                    raise UserError(
                        f"--input {path}: holds {', '.join(file) or 'nothing'}, and no dataset `{dataset}`"
                    )
                found = file[dataset][...]
        shape = found.shape
        if found.dtype.kind not in "biuf":
            raise TypeError(f"holds {found.dtype}, not numbers")
    except FileNotFoundError:
        raise UserError(f"--input {path}: no such file") from None
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(
            f"--input {path}: neither a .npy file nor HDF5 with a dataset `{dataset}` ({error})"
        ) from None
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or found.shape[1:] != (size, size) or not len(found):
        raise UserError(
            f"--input {path}: {what} of shape {shape}; this run's networks know (n, {size}, {size})"
        )
    return found


def answer_path(request, made: str, is_answer: Callable[[Path], bool]) -> Path:
    """request.output, or NAME-made.h5 beside request.input.  UserError where that would overwrite
    what is_answer(path) denies.
    """
    output = request.output or request.input.with_name(f"{request.input.stem}-{made}.h5")
    if output.resolve() == request.input.resolve():
        raise UserError(f"--output {output}: would overwrite the input")
    if output.exists() and not is_answer(output):
        raise UserError(
            f"--output {output}: is there already and is not a prediction; nothing is overwritten"
        )
    return output


def write_answer(output: Path, data: dict[str, shards.Data], attributes: dict) -> None:
    """Write the answer; UserError where that cannot be."""
    try:
        shards.write(output, data, attributes)
    except OSError as error:
        raise UserError(
            f"--output {output}: cannot be written: {error.strerror or error}"
        ) from None
