"""The picture of a large box: exponents of a decay that is known, and files that are not what they
should be.
"""

import h5py
import numpy as np
import pytest

from analysis.__main__ import main
from analysis.coarsening import figures_large_box
from analysis.runs import BadInput
from jobs import shards

SIZE, TIMES = 32, np.concatenate([[0], np.geomspace(1, 1000, 120)])


@pytest.fixture
def box(tmp_path):
    """A box.h5 whose free energy falls as t^(-1/3) from t = 10 on, and as t^(-1/6) before."""
    path, part = (
        tmp_path / "large" / "box.h5",
        tmp_path / "large" / "frames" / "frame-00000000" / "part-0000-of-0001.h5",
    )
    free = 1e5 * np.where(
        TIMES < 10,
        np.maximum(TIMES, 0.5) ** (-1 / 6),
        10 ** (1 / 6) * np.maximum(TIMES, 0.5) ** (-1 / 3),
    )
    phi = np.random.default_rng(1).uniform(size=(SIZE,) * 3).astype(np.float32)
    with shards.new(part, {"made_from": "this"}) as file:
        file["phi"] = phi
    with shards.new(path, {"made_from": "this", "spacing": 1.0}) as file:
        layout = h5py.VirtualLayout((1, *phi.shape), phi.dtype)
        layout[0] = h5py.VirtualSource(
            str(part.relative_to(path.parent)), "phi", phi.shape, phi.dtype
        )
        file.create_virtual_dataset("phi", layout, fillvalue=np.nan)
        file["time"] = [0.0]
        area = np.where(TIMES == 0, 7.0, np.nan)
        for name, values in {
            "time": TIMES,
            "chemical_energy": free / 3,
            "surface_energy": 2 * free / 3,
            "area": area,
        }.items():
            file[f"series/{name}"] = values
    return path


def test_exponents(box):
    found = figures_large_box.read(box)
    assert found.window == (20, 1000)  # it never is as empty as with two flat layers
    assert found.exponent.value == pytest.approx(-1 / 3, abs=1e-3)
    times, exponents = found.local_exponents()
    assert exponents[times < 6] == pytest.approx(-1 / 6, abs=1e-9)
    assert exponents[times > 16] == pytest.approx(-1 / 3, abs=1e-9)
    with h5py.File(box) as file:
        assert np.array_equal(found.slices[0], file["phi"][0, SIZE // 2])


def test_the_window_ends_where_two_layers_are_near(box):
    found = figures_large_box.read(box)
    small = figures_large_box.LargeBox(
        found.time,
        found.free_energy / found.free_energy[-1] * 3 * found.side**2,
        found.area,
        found.kept,
        found.slices,
        found.side,
    )
    assert small.window == pytest.approx((20, 1000), rel=0.1)
    smaller = figures_large_box.LargeBox(
        found.time,
        small.free_energy / 3,
        *[getattr(found, n) for n in ("area", "kept", "slices", "side")],
    )
    assert smaller.window is None
    assert np.isnan(smaller.exponent.value)


def test_picture(box, capsys):
    assert main(["coarsening", str(box)]) == 0
    assert capsys.readouterr().out.strip() == str(box.with_suffix(".png"))
    assert box.with_suffix(".png").stat().st_size > 10_000


def test_what_is_no_large_box(box, tmp_path):
    next(tmp_path.rglob("part-*")).unlink()
    with pytest.raises(BadInput, match="frames that it shows are missing"):
        figures_large_box.read(box)
    with h5py.File(box, "r+") as file:
        file["time"][0] = 1
    with pytest.raises(BadInput, match="checksum"):
        figures_large_box.read(box)
    other = tmp_path / "other.h5"
    with shards.new(other, {}) as file:
        file["phi"] = np.zeros(3)
    with pytest.raises(BadInput, match="is not what `jobs coarsening large` writes"):
        figures_large_box.read(other)
