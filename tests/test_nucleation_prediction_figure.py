"""Pictures of a user's own configurations: all of them, in as many files as they need."""

import numpy as np
import pytest
from PIL import Image

from analysis.__main__ import main
from analysis.nucleation import prediction
from jobs import shards
from jobs.shards import Data


def answer(path, count, with_map=False, size=12):
    """What `predict --input` writes; configuration k has k + 1 stable spins."""
    spins = np.ones((count, size, size), np.int8)
    for k in range(count):
        spins[k].ravel()[: k + 1] = -1
    arrays = {
        "spins": spins,
        "p_nuc": np.linspace(0, 1, count, dtype=np.float32),
        "standard_error": np.full(count, 0.05, np.float32),
    }
    if with_map:
        x = np.arange(0.5, size - 1, dtype=np.float32)
        arrays |= {"map/shift": np.full((len(x), len(x)), -0.1, np.float32)}
        arrays |= {"map/x": x, "map/y": x}
    about = {
        "study": "nucleation",
        "map": count - 1 if with_map else -1,
        "patch": 2,
        "window": -1.0,
    }
    shards.write(path, {n: Data(v, "", "") for n, v in arrays.items()}, about)
    return path


@pytest.fixture
def panels(monkeypatch):
    """Titles of all panels of spins that were drawn."""
    titles, lattice = [], prediction._lattice

    def note(ax, spins, title, **look):
        titles.append((int((spins < 0).sum()), title))
        lattice(ax, spins, title, **look)

    monkeypatch.setattr(prediction, "_lattice", note)
    monkeypatch.setattr(prediction, "SHOWN", 5)
    return titles


@pytest.mark.parametrize(("count", "files"), [(1, 1), (5, 1), (11, 3)])
def test_every_configuration_is_shown(tmp_path, panels, count, files):
    path = answer(tmp_path / "mine-p_nuc.h5", count)
    assert main(["nucleation", str(path)]) == 0
    assert [stable for stable, _ in panels] == list(range(1, count + 1))
    assert panels[-1][1].startswith(f"{count - 1}: ")
    drawn = sorted(tmp_path.glob("*.png"))
    assert len(drawn) == files
    assert (tmp_path / "mine-p_nuc.png").exists()
    assert all(np.ptp(np.asarray(Image.open(png).convert("L"))) > 100 for png in drawn)


def test_the_map_is_drawn_once(tmp_path, panels):
    path = answer(tmp_path / "mine-p_nuc.h5", 7, with_map=True)
    assert main(["nucleation", str(path), "--out", str(tmp_path / "out")]) == 0
    assert len(panels) == 8
    assert [title for _, title in panels if "covered" in title] == ["6: a square of 2 covered"]
    assert len(list((tmp_path / "out").glob("*.pdf"))) == 2


def test_another_file_is_one_line(tmp_path, capsys):
    shards.write(tmp_path / "x.h5", {"y": Data(np.ones(3), "", "")}, {})
    assert main(["nucleation", str(tmp_path / "x.h5")]) == 2
    assert "is not a prediction: it lacks p_nuc" in capsys.readouterr().err
