"""HDF5 files whose disk may fill up while they are written: an OSError, where HDF5 on its own ends
in a segmentation fault.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import h5py

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
