"""HDF5 files whose disk may fill up while they are written: an OSError, where HDF5 on its own ends
in a segmentation fault.  Small files that are read by the hundred thousand: what h5py does for one
object after another takes most of the time there.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

# Of HDF5 1.10: what says where things are and of which type has checksums of HDF5's own.  In older
# ones a changed byte there can end the process, take 4 GiB for a text, or hide an attribute.
FORMAT = ("v110", "v110")


class Disk(io.FileIO):
    """What HDF5 writes to.  It is never told that a write failed, since it cannot close such a
    file; the first error is kept.
    """

    error: OSError | None = None

    def write(self, data) -> int:
        left = memoryview(data)
        while len(left) and self.error is None:
            with self._keeping():
                left = left[super().write(left) :]
        return len(data)

    def truncate(self, size=None) -> int:
        with self._keeping():
            return super().truncate(size)
        return size

    @contextlib.contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error


@contextlib.contextmanager
def writing(path: Path, mode: str = "w") -> Iterator[h5py.File]:
    """The file at `path`, new (mode "w") or there already ("r+"), to be written to; raises OSError
    where the disk refused any of it.
    """
    with Disk(path, {"w": "w+", "r+": "r+"}[mode]) as disk:
        try:
            with h5py.File(disk, mode, libver=FORMAT) as file:
                yield file
        finally:
            if disk.error is not None:
                raise disk.error


def opened(file: h5py.File, name: bytes) -> h5py.HLObject:
    """`file[name]`, without looking up again what it is."""
    found = h5py.h5o.open(file.id, name)
    kinds = {h5py.h5d.DatasetID: h5py.Dataset, h5py.h5g.GroupID: h5py.Group}
    return kinds[type(found)](found) if type(found) in kinds else file[name]


def attributes(item: h5py.HLObject) -> dict:
    """`dict(item.attrs)`; of texts, which most are, in half the time."""
    names: list[bytes] = []
    h5py.h5a.iterate(item.id, names.append)
    return {name.decode("utf-8"): _value(item, name) for name in names}


def _value(item: h5py.HLObject, name: bytes):
    attribute = h5py.h5a.open(item.id, name)
    kind, space = attribute.get_type(), attribute.get_space()
    alone = space.get_simple_extent_type() == h5py.h5s.SCALAR
    if alone and isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str():
        text = np.empty((), object)
        attribute.read(text)
        return text.item().decode("utf-8", "surrogateescape")
    return item.attrs[name.decode("utf-8")]
