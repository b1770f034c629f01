"""The film of a band: made by collect, kept, drawn."""

import h5py
import numpy as np
import pytest
from PIL import Image

from analysis import flocking
from analysis.flocking import frames
from analysis.flocking.dataset import load
from jobs import shards

SMALL = """
seed: 3
system: {size: 9, density: 2.0}
generate: {temperature_step: 0.8, replicas: 2, samples: 1, equilibration: 3.0, interval: 1.0, observe: 1.0}
unsupervised: {fewest: 1000}
film: {temperature: 0.5, equilibration: 4.0, frames: 3, interval: 0.5}
"""


@pytest.fixture
def run(quench, tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    for stage in ("generate", "collect"):
        code, lines = quench("flocking", stage, tmp_path / "small.yaml", "--run", tmp_path / "run")
        assert code == 0, lines
    return tmp_path / "run"


def test_film(quench, run, tmp_path):
    found, about = shards.read(run / "film.h5")
    assert found["time"].tolist() == [4.0, 4.5, 5.0]
    assert found["magnetization"].shape == found["density"].shape == (3, 9, 9)
    assert (found["density"].sum((1, 2)) == 162).all()
    assert np.any(found["density"][0] != found["density"][2])
    assert (about["temperature"], about["study"]) == (0.5, "flocking")
    made = (run / "film.h5").stat().st_mtime_ns

    code, _ = quench("flocking", "collect", tmp_path / "small.yaml", "--run", run)
    assert code == 0
    assert (run / "film.h5").stat().st_mtime_ns == made  # kept
    code, _ = quench(
        "flocking", "collect", tmp_path / "small.yaml", "--run", run, "--set", "film.frames=2"
    )
    assert code == 0
    assert len(shards.read(run / "film.h5")[0]["time"]) == 2  # asked for anew

    shown = list(flocking.pictures([flocking.measure(run)], tmp_path))
    (band,) = [p for p in shown if p is not None and p.file == "movie-band.gif"]
    assert Image.open(tmp_path / band.file).n_frames == 2
    assert "T = 0.5" in band.caption


def test_without_a_film(quench, run, tmp_path):
    with h5py.File(run / "film.h5", "r+") as file:
        file["density"][0] = 0
    loaded = load(run)
    assert frames.band(loaded) is None
    assert any("film.h5" in line for line in loaded.left_out)
    (run / "film.h5").unlink()
    assert frames.band(load(run)) is None
    code, _ = quench(
        "flocking", "collect", tmp_path / "small.yaml", "--run", run, "--set", "film.frames=0"
    )
    assert code == 0
    assert not (run / "film.h5").exists()
