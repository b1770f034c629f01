"""Runs of earlier versions go on: what they finished is kept, what they began is continued.

tests/kept/nucleation-2026-11.tar.xz: two units, their data set, and a training that was stopped in
its first epochs.  A version that can no longer go on from it breaks its users' runs.
"""

import tarfile
from pathlib import Path

import h5py
import pytest

KEPT = Path(__file__).parent / "kept"


@pytest.fixture
def kept(tmp_path) -> Path:
    with tarfile.open(KEPT / "nucleation-2026-11.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "run"


def bytes_of(*paths) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def test_a_run_of_before_goes_on(quench, kept):
    units = [kept / f"generate/unit-0000{unit}.h5" for unit in range(2)]
    folder = kept / "train/event/spins/fold-0"
    before = bytes_of(*units, kept / "dataset.h5")
    epochs = (folder / "metrics.csv").read_text().splitlines()
    for stage in ("generate", "collect", "train"):
        code, lines = quench("nucleation", stage, "--run", kept)
        assert code == 0, lines
        assert not any("moved aside" in line for line in lines)
    assert bytes_of(*units, kept / "dataset.h5") == before
    whole = (folder / "metrics.csv").read_text().splitlines()
    assert 5 < len(epochs) < len(whole) == 61
    assert whole[: len(epochs)] == epochs  # timings and all: none was trained again
    with h5py.File(folder / "test.h5") as file:
        assert "content_digest" in file.attrs
    assert not list(kept.rglob("*.bad*"))


def test_a_run_of_before_may_grow(quench, kept):
    units = [kept / f"generate/unit-0000{unit}.h5" for unit in range(2)]
    before = bytes_of(*units)
    more = ("--set", "generate.units=3")
    code, lines = quench("nucleation", "generate", kept / "config.yaml", "--run", kept, *more)
    assert code == 0, lines
    assert "3 of 3 units are mine, 2 of them finished before" in lines
    assert bytes_of(*units) == before
