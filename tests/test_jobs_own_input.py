"""What may be behind --input: one line, and nothing is read that was not given."""

import os

import h5py
import numpy as np
import pytest

from jobs import UserError, own_input


def hdf5(path, make):
    with h5py.File(path, "w") as file:
        make(file)


def virtual(file):
    layout = h5py.VirtualLayout((3, 3), "f4")
    layout[...] = h5py.VirtualSource("gone.h5", "phi", (3, 3))
    file.create_virtual_dataset("phi", layout)


def circle(file):
    file["phi"], file["other"] = h5py.SoftLink("/other"), h5py.SoftLink("/phi")


def raw(file):
    file.create_dataset("phi", (4,), "u1", external=[("/etc/hostname", 0, 4)])


BAD = {
    "soft link to nothing": (
        lambda f: f.update({}) or link(f, h5py.SoftLink("/gone")),
        "not there",
    ),
    "links in a circle": (circle, "not there|neither"),
    "external link": (
        lambda f: link(f, h5py.ExternalLink("other.h5", "/phi")),
        "link to 'other.h5'",
    ),
    "no value": (lambda f: f.create_dataset("phi", data=h5py.Empty("f4")), "`phi` is empty"),
    "group": (lambda f: f.create_group("phi"), "`phi` is a group"),
    "virtual": (virtual, "lie in other files"),
    "raw storage": (raw, "lie in other files"),
    "10^12 numbers": (lambda f: f.create_dataset("phi", (10**6, 10**6), "f4"), "3.73e.03 GiB"),
    "text": (lambda f: f.create_dataset("phi", data="words"), "not numbers"),
    "another name": (lambda f: f.create_dataset("psi", data=1.0), "holds psi, and no dataset"),
}


def link(file, target):
    file["phi"] = target


@pytest.mark.parametrize("name", BAD)
def test_hdf5_that_is_none(tmp_path, name):
    make, said = BAD[name]
    hdf5(tmp_path / "mine.h5", make)
    with pytest.raises(UserError, match=said) as error:
        own_input.read(tmp_path / "mine.h5", "phi")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ""])
@pytest.mark.parametrize("kind", ["nothing", "empty", "text", "folder", "pipe", "cut"])
def test_files_that_are_none(tmp_path, suffix, kind):
    path = tmp_path / f"mine{suffix}"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("words\n" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "cut":
        whole = {".npy": np.save, ".npz": lambda p, a: np.savez(p, phi=a)}.get(suffix)
        if whole:
            whole(path, np.zeros((20, 20)))
        else:
            hdf5(path, lambda file: file.create_dataset("phi", data=np.zeros((20, 20))))
        path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match=f"--input {path}: ") as error:
        own_input.read(path, "phi")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i1", "u2", "?"])
def test_what_is_numbers_is_read(tmp_path, dtype):
    values = np.asfortranarray(np.arange(12).reshape(3, 4) % 2).astype(dtype)
    np.save(tmp_path / "mine.npy", values)
    np.savez(tmp_path / "mine.npz", phi=values)
    hdf5(
        tmp_path / "mine.h5",
        lambda f: (
            f.create_dataset("x", data=values, compression="gzip").attrs.update(spacing=2.0)
            or link(f, h5py.SoftLink("/x"))
        ),
    )
    for name in ("mine.npy", "mine.npz", "mine.h5"):
        found, attributes = own_input.read(tmp_path / name, "phi")
        assert np.array_equal(found, values)
        assert attributes == ({"spacing": 2.0} if name == "mine.h5" else {})
