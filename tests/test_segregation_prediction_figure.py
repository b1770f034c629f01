"""`python -m analysis segregation MINE-segregated.h5` draws what the networks answered."""

import numpy as np
import pytest
from PIL import Image

from analysis.__main__ import main
from analysis.segregation import prediction
from jobs import shards
from jobs.shards import Data


def write(path, model, **arrays):
    data = {
        name: Data(values, "", "sample, x, y" if values.ndim == 3 else "sample", name)
        for name, values in arrays.items()
    }
    shards.write(path, data, {"study": "segregation", "model": model})


def colours(path) -> int:
    """How many colours a picture has: fields have many, an empty page few."""
    with Image.open(path) as image:
        return len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))


@pytest.mark.parametrize(
    ("model", "count", "names"),
    [
        ("gan_forward", 9, ["mine.png"]),
        ("gan_reverse", 1, ["mine.png"]),
        ("l1_forward", 33, ["mine-1.png", "mine-2.png"]),
    ],
)
def test_pictures_beside_the_file(tmp_path, model, count, names, capsys):
    rng = np.random.default_rng(1)
    given = rng.uniform(0.2, 0.4, (count, 16, 16)).astype(np.float32)
    answer = rng.uniform(0, 1, (count, 16, 16)).astype(np.float32)
    mean = given.mean((1, 2), dtype=np.float64)
    write(tmp_path / "mine.h5", model, input=given, prediction=answer, mean_concentration=mean)
    assert main(["segregation", str(tmp_path / "mine.h5")]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    assert all(colours(tmp_path / name) > 100 for name in names)


@pytest.mark.parametrize(("count", "panels"), [(9, 18), (8, 16), (2, 4)])
def test_every_field_and_its_answer_are_drawn(count, panels):
    fields = np.random.default_rng(1).uniform(0, 1, (count, 16, 16))
    fig = prediction.picture(
        (fields, fields, fields.mean((1, 2))), np.arange(count), "gan_forward", 0.5
    )
    shown = [ax for ax in fig.axes if ax.images]
    assert len(shown) == panels
    drawn = np.array([ax.images[0].get_array().T for ax in shown])
    for field in fields:
        assert (np.abs(drawn - field).max((1, 2)) < 1e-12).sum() == 1
        assert (np.abs(drawn - (field - field.mean())).max((1, 2)) < 1e-12).sum() == 1
    titles = [ax.get_title() for ax in shown if ax.get_title()]
    assert len(titles) == count
    bars = [ax.get_ylabel() for ax in fig.axes if ax not in shown]
    assert sorted(bars) == ["$c$", "$c - \\bar c$"]


def test_another_file_is_refused(tmp_path, capsys):
    write(tmp_path / "other.h5", "gan_forward", input=np.zeros((1, 4, 4), np.float32))
    assert main(["segregation", str(tmp_path / "other.h5")]) == 2
    assert "is not a prediction: it lacks" in capsys.readouterr().err
