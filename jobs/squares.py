"""Square fields of a user's own, from a .npy, .npz or HDF5 file, and where the answer to
them goes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jobs import UserError, own_input, shards


def read(path: Path, dataset: str, size: int, what: str) -> np.ndarray:
    """(n, L, L), n at least 1, of a .npy file or of `dataset` in an HDF5 or .npz file; one field
    (L, L) counts as n = 1.

    Raises UserError, one line, for anything else; what: the values' name in it.
    """
    found, _ = own_input.read(path, dataset)
    shape = found.shape
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
