"""HDF5 files with other attributes, as another program or version would have written them."""

import contextlib
from pathlib import Path

import h5py

from jobs import shards


@contextlib.contextmanager
def resealed(path: Path):
    """The file, to be changed; its checksum of the attributes is made anew."""
    with h5py.File(path, "r+") as file:
        yield file
        if "attributes_digest" in file.attrs:
            file.attrs["attributes_digest"] = shards.attributes_digest(file)


def with_attributes(path: Path, **values) -> None:
    with resealed(path) as file:
        file.attrs.update(values)
