"""`python -m analysis segregation MINE-segregated.h5` draws what the networks answered."""

import numpy as np
import pytest
from PIL import Image

from analysis.__main__ import main
from jobs import shards
from jobs.shards import Data


def write(path, model, **arrays):
    data = {
        name: Data(values, "", "sample, x, y" if values.ndim == 3 else "sample", name)
        for name, values in arrays.items()
    }
    shards.write(path, data, {"study": "segregation", "model": model})


@pytest.mark.parametrize("model", ["gan_forward", "gan_reverse"])
def test_a_picture_beside_the_file(tmp_path, model, capsys):
    rng = np.random.default_rng(1)
    given, answer = (
        rng.uniform(0.2, 0.4, (9, 16, 16)).astype(np.float32),
        rng.uniform(0, 1, (9, 16, 16)).astype(np.float32),
    )
    write(
        tmp_path / "mine.h5",
        model,
        input=given,
        prediction=answer,
        mean_concentration=given.mean((1, 2), dtype=np.float64),
    )
    assert main(["segregation", str(tmp_path / "mine.h5")]) == 0
    assert "mine.png" in capsys.readouterr().out
    with Image.open(tmp_path / "mine.png") as image:
        assert (
            len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 200
        )  # fields, not an empty page


def test_another_file_is_refused(tmp_path, capsys):
    write(tmp_path / "other.h5", "gan_forward", input=np.zeros((1, 4, 4), np.float32))
    assert main(["segregation", str(tmp_path / "other.h5")]) == 2
    assert "is not a prediction: it lacks" in capsys.readouterr().err
