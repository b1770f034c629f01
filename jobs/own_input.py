"""Arrays of a user's own, --input: looked at before they are read, and from this file alone."""

import math
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

from jobs import UserError
from kernels.arguments import shown

LARGEST = 1 << 34  # bytes


def read(path: Path, dataset: str, otherwise: str = "") -> tuple[np.ndarray, dict]:
    """The numbers of a .npy file, or of `dataset` in an HDF5 or .npz file, and their attributes
    (those of an HDF5 file too).  otherwise: said where there is no such data set.

    Raises UserError, one line, on what is no file, no array of numbers, too large, or lies in
    other files.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"--input {path}: no such file")
    if not path.is_file():
        raise UserError(f"--input {path}: neither a .npy file nor HDF5, but a folder or a device")
    try:
        if path.suffix == ".npy":
            found, attributes = np.load(path, mmap_mode="r", allow_pickle=False), {}
            return whole(path, dataset, found), attributes
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return whole(path, dataset, chosen(path, file, dataset, otherwise)), {}
        with h5py.File(path, "r", locking=False) as file:
            found = of_this_file(path, file, dataset, otherwise)
            return whole(path, dataset, found), {**file.attrs, **found.attrs}
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"--input {path}: `{dataset}` does not fit into memory") from None
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"--input {path}: neither a .npy file nor HDF5 with a dataset `{dataset}` ({reason})"
        ) from None


def chosen(path: Path, file, dataset: str, otherwise: str = ""):
    """file[dataset].  UserError if there is none."""
    if dataset not in file:
        names = ", ".join(list(file)[:10]) or "nothing"
        otherwise = f"; {otherwise}" if otherwise else ""
        raise UserError(f"--input {path}: holds {names}, and no dataset `{dataset}`{otherwise}")
    return file[dataset]


def of_this_file(path: Path, file: h5py.File, dataset: str, otherwise: str = "") -> h5py.Dataset:
    """The data set, if its values lie in this file: what another one holds may be gone (fill values
    would be the answer), or be a file that was not meant to be read.
    """
    link = file.get(dataset, getlink=True) if dataset in file.keys() else None  # noqa: SIM118
    if isinstance(link, h5py.ExternalLink):
        raise UserError(
            f"--input {path}: `{dataset}` is a link to {shown(link.filename)}: give that"
        )
    try:
        found = chosen(path, file, dataset, otherwise)
    except (KeyError, OSError, RuntimeError):
        if not isinstance(link, h5py.SoftLink):
            raise
        raise UserError(
            f"--input {path}: `{dataset}` is a link to {link.path}, which is not there"
        ) from None
    if not isinstance(found, h5py.Dataset):
        raise UserError(f"--input {path}: `{dataset}` is a group, not a dataset")
    if found.is_virtual or found.external:
        raise UserError(
            f"--input {path}: the values of `{dataset}` lie in other files; copy them into one"
        )
    if found.shape is None:
        raise UserError(f"--input {path}: `{dataset}` is empty")
    return found


def whole(path: Path, dataset: str, array) -> np.ndarray:
    """The values, once type and size are known to be fit."""
    if array.dtype.kind not in "biuf":
        raise UserError(f"--input {path}: `{dataset}` holds {array.dtype}, not numbers")
    size = math.prod(array.shape) * array.dtype.itemsize
    if size > LARGEST:
        raise UserError(
            f"--input {path}: `{dataset}` has the shape {array.shape}, {size / 2**30:.3g} GiB; at most "
            f"{LARGEST >> 30} GiB are read at once"
        )
    return np.array(array[...])
