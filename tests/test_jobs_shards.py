"""Shards are complete or not there, and damage is noticed."""

import os
import platform
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from jobs import hdf5, shards
from jobs.shards import BadFileError, Data

ATTRIBUTES = {"config_digest": "abc", "unit_index": 3, "seed": 1}


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "unit-00003.h5"
    data = {
        "a/b": Data(np.arange(1000), "MCS", "event", "words"),
        "c": Data(np.zeros((0, 4)), "", "x, y"),
    }
    shards.write(path, data, ATTRIBUTES)
    return path


def test_round_trip(shard):
    arrays, attributes = shards.read(shard, config_digest="abc", unit_index=3)
    assert np.array_equal(arrays["a/b"], np.arange(1000))
    assert arrays["c"].shape == (0, 4)
    assert attributes["seed"] == 1
    with h5py.File(shard) as file:
        assert dict(file["a/b"].attrs) == {"unit": "MCS", "axes": "event", "about": "words"}
    assert [p.name for p in shard.parent.iterdir()] == [shard.name]


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_filled_row_by_row_is_the_one_written_at_once(tmp_path, monkeypatch, compress):
    """The same digest, and chunks that are written once; a block holds a few of its 500 rows."""
    values = np.random.default_rng(3).integers(0, 9, (500, 40, 30), np.int8)
    item = Data(values, "", "n, x, y", "numbers", compress)
    shards.write(tmp_path / "whole.h5", {"a/b": item}, ATTRIBUTES)
    monkeypatch.setattr(shards, "BLOCK", 70_000)
    monkeypatch.setattr(shards, "WAITING", 70_000)
    with shards.new(tmp_path / "bits.h5", ATTRIBUTES) as file:
        rows = shards.Rows(shards.put(file, "a/b", item, values.shape))
        assert rows.block == 58 or rows.dataset.chunks[0] == rows.block == 125
        for part in np.split(values, [0, 1, 3, 200, 471]):
            rows.add(part)
        rows.end()
    for check in (shards.check, shards.check_large):
        check(tmp_path / "bits.h5", **ATTRIBUTES)
    assert shards.check(tmp_path / "bits.h5") == shards.check(tmp_path / "whole.h5")
    with h5py.File(tmp_path / "bits.h5") as bits, h5py.File(tmp_path / "whole.h5") as whole:
        assert bits["a/b"].chunks == whole["a/b"].chunks
        assert dict(bits["a/b"].attrs) == dict(whole["a/b"].attrs)


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.9, -1])
def test_truncated(shard, keep):
    content = shard.read_bytes()
    shard.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(BadFileError):
        shards.check(shard)


def test_flipped_byte(shard):
    content = bytearray(shard.read_bytes())
    at = content.index(np.arange(1000).tobytes())
    content[at + 4000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(BadFileError, match="checksum"):
        shards.check(shard)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"config_digest": "xyz"}, "another config"),
        ({"unit_index": 4}, "another unit"),
        ({"x": 1}, "not written by"),
    ],
)
def test_foreign(shard, wanted, words):
    with pytest.raises(BadFileError, match=words):
        shards.check(shard, **wanted)


def test_a_failed_write_leaves_the_old_file(shard, monkeypatch):
    before = shard.read_bytes()
    monkeypatch.setattr(
        shards, "sync", lambda path: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OSError, match="No space"):
        shards.write(shard, {"c": Data(np.ones(3), "", "x")}, ATTRIBUTES)
    assert shard.read_bytes() == before
    assert [p.name for p in shard.parent.iterdir()] == [shard.name]


def test_left_overs_of_dead_writers_go_and_those_of_the_living_stay(shard):
    here, dead = platform.node(), subprocess.Popen(["true"])
    dead.wait()
    names = {
        f"{here}-{dead.pid}": False,
        f"{here}-1": True,
        "elsewhere-1": True,
        "long-ago-1": False,
    }
    left_over = {
        shard.with_name(f".{shard.name}.{name}.tmp"): stays for name, stays in names.items()
    }
    for path in left_over:
        path.write_bytes(b"half")
    os.utime(shard.with_name(f".{shard.name}.long-ago-1.tmp"), (0, 0))
    shards.tidy(shard.parent)
    assert {path: path.exists() for path in left_over} == left_over


def test_a_temporary_file_swept_away_is_harmless_if_the_shard_is_there(shard, monkeypatch):
    """Two processes on one unit: the other has renamed its own and this one's is gone."""
    data = {"c": Data(np.ones(3), "", "x")}
    shards.write(shard, data, ATTRIBUTES)
    monkeypatch.setattr(
        shards, "sync", lambda path: path.unlink() if path.suffix == ".tmp" else None
    )
    with pytest.raises(FileNotFoundError):
        shards.write(shard.with_name("unit-00009.h5"), data, ATTRIBUTES)
    shards.write(shard, data, ATTRIBUTES)
    shards.check(shard)


def test_the_digest_is_of_content_not_of_date(tmp_path):
    for name, date in (("a", "today"), ("b", "tomorrow")):
        shards.write(tmp_path / name, {"c": Data(np.ones(3), "", "x")}, {"date": date})
    assert shards.check(tmp_path / "a") == shards.check(tmp_path / "b")


def test_set_aside_never_overwrites(shard):
    names = []
    for _ in range(3):
        shard.write_bytes(b"bad")
        names.append(shards.set_aside(shard).name)
    assert names == [f"{shard.name}.bad", f"{shard.name}.bad-2", f"{shard.name}.bad-3"]


def test_two_processes_may_set_the_same_file_aside(shard):
    shards.set_aside(shard)
    shards.set_aside(shard)
    assert [p.name for p in shard.parent.iterdir()] == [f"{shard.name}.bad"]


def test_a_changed_attribute_is_damage(shard):
    """Analysis reads attributes: epsilon of another value must not pass."""
    for place in ("", "a/b"):
        path = shard.with_name(f"copy{place.replace('/', '-')}.h5")
        shutil.copy(shard, path)
        with h5py.File(path, "r+") as file:
            item = file[place] if place else file
            name = "unit" if place else "seed"
            item.attrs[name] = "another"
        for look in (shards.read, shards.check_large):
            with pytest.raises(BadFileError, match="attributes do not match their checksum"):
                look(path)


def test_a_file_from_before_attributes_had_a_checksum_is_sound(shard):
    with h5py.File(shard, "r+") as file:
        del file.attrs["attributes_digest"]
    assert shards.check(shard)


def test_no_changed_byte_passes_or_stops(shard):
    """200 bytes changed, one at a time: found as damage, or in a place without a meaning, where all
    that is read is the same.
    """
    whole, (arrays, attributes) = shard.read_bytes(), shards.read(shard)
    rng, passed = np.random.default_rng(7), 0
    copy = shard.with_name("copy.h5")
    for place in rng.choice(len(whole), 200, replace=False):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        copy.write_bytes(bytes(changed))
        try:
            found, noted = shards.read(copy)
        except BadFileError:
            continue
        passed += 1
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
        assert str(noted) == str(attributes)
    assert passed < 190


@pytest.mark.parametrize("more", [0, 20])
def test_a_damaged_name_hides_no_attribute(tmp_path, more):
    """A file without a digest of its attributes is one from before there was one; with few and with
    many attributes, which HDF5 keeps elsewhere.
    """
    path = tmp_path / "unit-00003.h5"
    attributes = ATTRIBUTES | {f"more_{i}": i for i in range(more)}
    shards.write(path, {"c": Data(np.ones(3), "", "x")}, attributes)
    content = path.read_bytes()
    places = [at for at in range(len(content)) if content.startswith(b"attributes_digest", at)]
    assert places
    for at in places:
        path.write_bytes(content[:at] + b"A" + content[at + 1 :])
        for look in (shards.read, shards.check_large):
            with pytest.raises(BadFileError):
                look(path)


def test_objects_and_attributes_are_as_h5py_has_them(tmp_path):
    """Of every kind that is written, and of some that are not."""
    with h5py.File(tmp_path / "some.h5", "w", libver=hdf5.FORMAT) as file:
        group = file.create_group("a/b")
        group["data"] = np.arange(3.0)
        file["one"] = h5py.SoftLink("/a/b/data")
        for item in (file, group, group["data"]):
            item.attrs["text"] = "\u03c1, mean"
            item.attrs["empty"] = ""
            item.attrs["bytes"] = np.bytes_(b"x")
            item.attrs["number"], item.attrs["whole"] = np.float32(0.1), 7
            item.attrs["yes"] = True
            item.attrs["list"] = ["a", "bc"]
            item.attrs["array"] = np.eye(2)
            item.attrs["nothing"] = h5py.Empty("f")
            item.attrs.update({f"more {i}": "m" * i for i in range(20)})  # kept another way
    with h5py.File(tmp_path / "some.h5", locking=False) as file:
        expected = {"": file}
        file.visititems(expected.__setitem__)
        found = shards.objects_of(file)
        assert found == expected
        for name, item in found.items():
            assert type(item) is type(expected[name])
            plain, fast = dict(expected[name].attrs), hdf5.attributes(item)
            assert {k: (type(v), repr(v)) for k, v in fast.items()} == {
                k: (type(v), repr(v)) for k, v in plain.items()
            }
