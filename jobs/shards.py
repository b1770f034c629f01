"""HDF5 files that are complete or not there.

A file is written under a temporary name in its own folder, flushed, fsynced, reopened and checked,
then renamed: what carries the final name is whole. Each file knows a digest of its own arrays and
one of its attributes, so damage is noticed, and a digest of the config it belongs to, so a file
from elsewhere is noticed too.
"""

import contextlib
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from jobs import hdf5, notes

BLOCK = 64 << 20  # bytes of a large file's arrays read at a time
WAITING = 8 << 20  # of rows that are written together


class BadFileError(Exception):
    """A file that cannot be used; the text says why in a few words."""


@dataclass
class Data:
    """One dataset: its values, their unit ("" for pure numbers), the names of its axes and what it
    is.
    """

    values: np.ndarray
    unit: str
    axes: str
    about: str = ""
    compress: bool = False


def write(path: Path, data: dict[str, Data], attributes: dict) -> None:
    """Write all of `data` ({"group/name": Data}) and the file's attributes to `path`, or
    nothing.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with hdf5.writing(temporary) as file:
            for name, item in data.items():
                put(file, name, item)
            file.attrs.update(attributes)
            file.attrs["content_digest"] = content_digest(
                {name: item.values for name, item in data.items()}
            )
            file.attrs["attributes_digest"] = attributes_digest(file)
            file.flush()
        expected = {
            k: attributes[k]
            for k in ("config_digest", "unit_index", "made_from")
            if k in attributes
        }
        try:
            sync(temporary)
            check(temporary, **expected)
            os.replace(temporary, path)
        # somebody tidied up: harmless if the file is there, from another process on the same unit
        except FileNotFoundError:
            check(path, **expected)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def put(
    file: h5py.File, name: str, item: Data, shape: tuple[int, ...] | None = None
) -> h5py.Dataset:
    """A dataset of a file that is being written; with a shape: room for values of that type, to be
    filled.
    """
    options = {"compression": "gzip", "compression_opts": 1} if item.compress else {}
    if shape is None:
        dataset = file.create_dataset(name, data=item.values, **options)
    else:
        dataset = file.create_dataset(name, shape, item.values.dtype, **options)
    dataset.attrs.update({"unit": item.unit, "axes": item.axes, "about": item.about})
    return dataset


class Rows:
    """A dataset's rows, which come in any number and are written some at a time: whole chunks, if
    it has any.
    """

    def __init__(self, dataset: h5py.Dataset):
        self.dataset, self.waiting, self.count, self.written = dataset, [], 0, 0
        rows = WAITING // max(1, dataset.nbytes // max(1, len(dataset)))
        step = dataset.chunks[0] if dataset.chunks else 1
        self.block = max(1, rows // step) * step

    def add(self, values: np.ndarray) -> None:
        """The next rows."""
        self.waiting.append(values)
        self.count += len(values)
        if self.count >= self.block:
            values = np.concatenate(self.waiting)
            whole = self.count // self.block * self.block
            self._write(values[:whole])
            self.waiting, self.count = [values[whole:].copy()], self.count - whole

    def end(self) -> None:
        """Those that wait."""
        if self.count:
            self._write(np.concatenate(self.waiting))

    def _write(self, values: np.ndarray) -> None:
        self.dataset[self.written : self.written + len(values)] = values
        self.written += len(values)


@contextlib.contextmanager
def new(path: Path, attributes: dict) -> Iterator[h5py.File]:
    """A new file to be filled bit by bit; it gets its attributes and its name once it is whole, on
    leaving without an exception.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with hdf5.writing(temporary) as file:
            yield file
            file.attrs.update(attributes)
        with hdf5.writing(temporary, "r+") as file:
            file.attrs["content_digest"] = file_digest(file)
            file.attrs["attributes_digest"] = attributes_digest(file)
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def tidy(*folders: Path) -> None:
    """Remove what killed processes left half written in these folders."""
    for folder in folders:
        for name in notes.listing(folder):
            if name.startswith(".") and name.endswith(".tmp") and abandoned(folder / name):
                with contextlib.suppress(OSError):
                    (folder / name).unlink()


def abandoned(temporary: Path) -> bool:
    """Whether nobody writes this temporary file any more: its process is dead, or on another host a
    day old.
    """
    host, _, process = temporary.name.removesuffix(".tmp").rpartition("-")
    if host.endswith("." + platform.node()) and process.isdigit():
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False
    try:
        return time.time() - temporary.stat().st_mtime > 86400
    except FileNotFoundError:
        return False


def sync(path: Path) -> None:
    """Make a file or folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def content_digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and bytes: the same for the same results, whoever made
    them.
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape};".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()


def objects_of(file: h5py.File) -> dict[str, h5py.HLObject]:
    """An open file's groups and data sets by their names, and "", the file itself."""
    names: list[bytes] = []
    h5py.h5o.visit(file.id, names.append)
    return {"": file, **{name.decode(): hdf5.opened(file, name) for name in names}}


def attributes_of(file: h5py.File) -> dict[str, dict]:
    """All attributes of an open file, its groups and its data sets, by the names of these."""
    return {name: hdf5.attributes(item) for name, item in objects_of(file).items()}


def attributes_digest(file: h5py.File, known: dict[str, dict] | None = None) -> str:
    """SHA-256 over the attributes of an open file, its groups and its data sets, but for the two
    digests: results need not be those of one device or day, and `content_digest` leaves them out.

    known: `attributes_of(file)`, where they were read before.
    """
    known = attributes_of(file) if known is None else known
    total = hashlib.sha256()
    for name in sorted(known):
        for key in sorted(set(known[name]) - {"content_digest", "attributes_digest"}):
            value = known[name][key]
            if isinstance(value, np.ndarray | np.generic):
                value = (value.dtype.str, value.shape, value.tolist())
            total.update(f"{name} {key} {value!r};".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def check_attributes(file: h5py.File, known: dict[str, dict] | None = None) -> None:
    """BadFileError if an attribute is not as it was written; files of before that have no digest of
    theirs.
    """
    known = attributes_of(file) if known is None else known
    if known[""].get("attributes_digest", digest := attributes_digest(file, known)) != digest:
        raise BadFileError("damaged: its attributes do not match their checksum")


def file_digest(file: h5py.File) -> str:
    """`content_digest` of all arrays of an open file, which need not fit into memory; not of
    virtual ones, which are other files'.
    """
    arrays = []
    file.visititems(
        lambda name, item: (
            arrays.append(name) if isinstance(item, h5py.Dataset) and not item.is_virtual else None
        )
    )
    total = hashlib.sha256()
    for name in sorted(arrays):
        dataset = file[name]
        total.update(f"{name} {dataset.dtype.str} {dataset.shape};".encode())
        for block in (
            blocks(dataset) if dataset.ndim and dataset.size else [dataset[()]] * (not dataset.ndim)
        ):
            total.update(np.ascontiguousarray(block).data)
    return total.hexdigest()


def blocks(dataset: h5py.Dataset) -> Iterator[np.ndarray]:
    """The values of a dataset in their order: some rows at a time, of long rows some entries at a
    time.
    """
    row = max(1, dataset.nbytes // max(1, len(dataset)))
    if row > BLOCK and dataset.ndim > 1:
        some = max(1, BLOCK // max(1, row // dataset.shape[1]))
        yield from (
            dataset[i, first : first + some]
            for i in range(len(dataset))
            for first in range(0, dataset.shape[1], some)
        )
        return
    for first in range(0, len(dataset), max(1, BLOCK // row)):
        yield dataset[first : first + max(1, BLOCK // row)]


def check_large(path: Path, **attributes) -> str:
    """As `check`, of a file whose arrays need not fit into memory."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            for name, wanted in attributes.items():
                if file.attrs.get(name) != wanted:
                    raise BadFileError(
                        f"made from another {name}"
                        if name in file.attrs
                        else "not written by this program"
                    )
            digest = file_digest(file)
            if file.attrs.get("content_digest") != digest:
                raise BadFileError("damaged: its arrays do not match their checksum")
            check_attributes(file)
            return digest
    except (FileNotFoundError, BadFileError):
        raise
    except PermissionError:
        raise BadFileError("not readable") from None
    except Exception:  # h5py answers damage with whatever it meets first
        raise BadFileError("truncated or not HDF5") from None


def check_made_with(path: Path, config_digest: str) -> None:
    """BadFileError or FileNotFoundError unless a file says that it was made with this config; a
    quick look, at no array.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = file.attrs.get("config_digest")
    except FileNotFoundError:
        raise
    except Exception:  # h5py answers damage with whatever it meets first
        raise BadFileError("truncated or not HDF5") from None
    if found != config_digest:
        raise BadFileError("made with another config")


def read(path: Path, **attributes) -> tuple[dict[str, np.ndarray], dict]:
    """All arrays and attributes of a file; BadFileError if it is damaged or its attributes are not
    those given.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = hdf5.attributes(file)
            for name, wanted in attributes.items():
                if found.get(name) != wanted:
                    known = {
                        "config_digest": "made with another config",
                        "unit_index": "made as another unit",
                    }
                    raise BadFileError(
                        "not written by this program"
                        if name not in found
                        else known.get(name, f"made from another {name}")
                    )
            objects = objects_of(file)
            arrays = {
                name: item[()] for name, item in objects.items() if isinstance(item, h5py.Dataset)
            }
            if found.get("content_digest") != content_digest(arrays):
                raise BadFileError("damaged: its arrays do not match their checksum")
            of_all = {name: hdf5.attributes(item) for name, item in objects.items() if name}
            check_attributes(file, {"": found, **of_all})
    except (FileNotFoundError, BadFileError):
        raise
    except PermissionError:
        raise BadFileError("not readable") from None
    except Exception:  # h5py answers damage with whatever it meets first
        raise BadFileError("truncated or not HDF5") from None
    return arrays, found


def check(path: Path, **attributes) -> str:
    """The content digest of a sound file with these attributes; BadFileError or FileNotFoundError
    otherwise.
    """
    return read(path, **attributes)[1]["content_digest"]


def finished(path: Path, made_from: str, progress) -> bool:
    """Whether the file is there, whole and made from this.  A damaged one is moved aside, and said;
    one that was made from something else is to be made anew.
    """
    try:
        check(path, made_from=made_from)
    except FileNotFoundError:
        return False
    except BadFileError as error:
        if "made from another" not in str(error):
            progress.say(f"{path}: {error}; moved aside to {set_aside(path).name}")
        return False
    return True


def set_aside(path: Path) -> Path:
    """Move a bad file out of the way, to NAME.bad (or .bad-2, ...): nothing is deleted."""
    target, number = path.with_name(f"{path.name}.bad"), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.bad-{number}")
    with contextlib.suppress(FileNotFoundError):  # another process was first
        os.replace(path, target)
    return target
