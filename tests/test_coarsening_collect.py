"""The data set of the coarsening study: The Well's layout, the index, and the sequences that the
networks get.
"""

import shutil

import h5py
import numpy as np
import pytest
import yaml
from conftest import PROVENANCE, generated_and_collected
from the_well.data import WellDataset

from jobs import UserError, shards
from jobs.coarsening import fields

SMALL = """
seed: 3
system: {size: 16, spacing: 1.25, interface_width: 3.5}
generate: {training: 5, validation: 2, test: 3, frames: 4, interval: 0.5, feature_sizes: [4, 8], latest_start: 2.0, sequences_per_unit: 2}
rollout: {cases: {}}
"""
COUNTS = {"train": 5, "valid": 2, "test": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coarsening")
    return generated_and_collected(folder, "coarsening", SMALL)


@pytest.fixture
def run(made, tmp_path):
    """A copy to spoil."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def collected(quench, made):
    def call(run):
        return quench("coarsening", "collect", made.parent / "small.yaml", "--run", run)

    return call


def in_order(run):
    """phi of all shards by split, as they were generated."""
    found = {name: [] for name in COUNTS}
    for path in sorted((run / "generate").glob("*.h5")):
        arrays = shards.read(path)[0]
        found[list(COUNTS)[arrays["split"][0]]].append(arrays)
    return found


@pytest.mark.parametrize("split", COUNTS)
def test_the_well_opens_it(made, split):
    data = WellDataset(path=str(made), well_split_name=split, n_steps_input=1, n_steps_output=3)
    assert data.metadata.dataset_name == "coarsening"
    assert data.metadata.field_names[0] == ["phi"]
    assert data.metadata.spatial_resolution == (8, 8, 8)
    assert data.metadata.boundary_condition_types == ["PERIODIC"]
    names = [
        "mean_concentration",
        "start_time",
        "feature_size",
        "interface_width",
        "mobility",
        "spacing",
        "downscale",
    ]
    assert data.metadata.constant_scalar_names == names
    assert len(data) == COUNTS[split]
    parts = in_order(made)[split]
    phi, mean = (
        np.concatenate([part[name] for part in parts]) for name in ("phi", "mean_concentration")
    )
    start = np.concatenate([np.full(len(part["phi"]), part["start_time"]) for part in parts])
    for i in range(len(data)):
        sample = data[i]
        assert np.array_equal(sample["input_fields"][..., 0], phi[i, :1])
        assert np.array_equal(sample["output_fields"][..., 0], phi[i, 1:])
        scalars = dict(zip(names, sample["constant_scalars"].tolist(), strict=True))
        assert (
            scalars["interface_width"],
            scalars["mobility"],
            scalars["spacing"],
            scalars["downscale"],
        ) == (3.5, 1.0, 2.5, 2.0)
        assert (scalars["mean_concentration"], scalars["start_time"]) == pytest.approx(
            (mean[i], start[i])
        )
        assert np.allclose(
            sample["space_grid"][3, 5, 0], [(6 + 0.5) * 1.25, (10 + 0.5) * 1.25, 0.5 * 1.25]
        )
        assert sample["output_time_grid"].tolist() == [0.5, 1.0, 1.5]


def test_the_layout_is_the_wells(made):
    """What scripts/check_thewell_formatting.py of The Well's repository asks of a file; its package
    does not ship it.
    """
    with h5py.File(made / "data/train/coarsening.h5") as file:
        assert file.attrs["n_trajectories"] == 5
        assert file.attrs["n_spatial_dims"] == 3
        for name in file.attrs["simulation_parameters"]:
            assert file.attrs[name] == pytest.approx(float(file["scalars"][name][()]))
        assert list(file["dimensions"].attrs["spatial_dims"]) == ["x", "y", "z"]
        expected = {
            "dimensions/time": (4,),
            "dimensions/z": (8,),
            "scalars/mean_concentration": (5,),
            "scalars/start_time": (5,),
            "scalars/feature_size": (5,),
            "scalars/downscale": (),
            "t0_fields/phi": (5, 4, 8, 8, 8),
        }
        for name, shape in expected.items():
            assert file[name].shape == shape
            assert file[name].dtype == np.float32
        for axis in "xyz":
            assert file[f"boundary_conditions/{axis}_periodic"].attrs["bc_type"] == "PERIODIC"
        assert PROVENANCE | {"made_from"} <= set(file.attrs)


def test_statistics(made):
    found = yaml.safe_load((made / "stats.yaml").read_text())
    with h5py.File(made / "data/train/coarsening.h5") as file:
        phi = file["t0_fields/phi"][:].astype(np.float64)
    assert found["mean"]["phi"] == pytest.approx(phi.mean())
    assert found["std_delta"]["phi"] == pytest.approx(np.diff(phi, axis=1).std())


def test_the_index(made):
    with h5py.File(made / "dataset.h5") as file:
        assert np.bincount(file["split"][:]).tolist() == [5, 2, 3]
        assert file["unit"][:].tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]
        for i in range(10):
            found = shards.read(made / f"generate/unit-{file['unit'][i]:05d}.h5")[0]
            at = np.flatnonzero(found["sequence"] == file["sequence"][i])[0]
            with h5py.File(made / file["file"][i].decode()) as data:
                assert np.array_equal(data["t0_fields/phi"][file["row"][i]], found["phi"][at])
                assert (
                    data["scalars/start_time"][file["row"][i]]
                    == file["start_time"][i]
                    == found["start_time"]
                )
            for name in ("mean_concentration", "feature_size", "steps"):
                assert file[name][i] == found[name][at]
        file.visititems(
            lambda _, item: (item.attrs["unit"], item.attrs["axes"], item.attrs["about"])
        )


def test_fields(made):
    for split, count in COUNTS.items():
        found = fields.read(made, split)
        assert len(found) == count
        assert found.all.shape == (count, 4, 8, 8, 8)
        assert found.times.tolist() == [0, 0.5, 1.0, 1.5]
        assert set(found.feature_size) <= {4, 8}
        phi = np.concatenate([part["phi"] for part in in_order(made)[split]])
        assert np.array_equal(found.all[:], phi)
        with h5py.File(made / "dataset.h5") as file:
            assert np.array_equal(file["start_time"][:][found.row], found.start_time)


def test_two_runs_have_the_same_bytes(quench, made, tmp_path):
    for stage in ("generate", "collect"):
        assert (
            quench(
                "coarsening",
                stage,
                made.parent / "small.yaml",
                "--run",
                tmp_path / "again",
                "--workers",
                2,
            )[0]
            == 0
        )
    assert shards.check(tmp_path / "again/dataset.h5") == shards.check(made / "dataset.h5")
    for split in COUNTS:
        ours, theirs = (
            h5py.File(fields.data_file(run, split))[fields.FIELD][:]
            for run in (made, tmp_path / "again")
        )
        assert np.array_equal(ours, theirs)
    assert (tmp_path / "again/stats.yaml").read_text() == (made / "stats.yaml").read_text()


def test_collecting_again_keeps_what_is_there(collected, run):
    files = [run / "dataset.h5", *(fields.data_file(run, split) for split in COUNTS)]
    before = [path.stat().st_mtime_ns for path in files]
    code, lines = collected(run)
    assert code == 0
    assert "made from the same units before, kept" in lines[-1]
    assert [path.stat().st_mtime_ns for path in files] == before


def test_generating_again_makes_only_what_is_missing(quench, made, run):
    """Killed and started again: the same shards."""
    before = {path.name: shards.check(path) for path in (run / "generate").glob("*.h5")}
    (run / "generate/unit-00003.h5").unlink()
    (run / "generate/.unit-00001.h5.elsewhere-1.tmp").write_bytes(b"half a file")
    (run / "generate/unit-00001.h5").unlink()
    code, lines = quench("coarsening", "generate", made.parent / "small.yaml", "--run", run)
    assert code == 0
    assert "6 of 6 units are mine, 4 of them finished before" in "\n".join(lines)
    assert {path.name: shards.check(path) for path in (run / "generate").glob("*.h5")} == before


@pytest.mark.parametrize("name", ["dataset.h5", "data/valid/coarsening.h5", "stats.yaml"])
def test_what_is_lost_is_made_again(collected, run, name):
    index = shards.check(run / "dataset.h5")
    (run / name).unlink()
    assert collected(run)[0] == 0
    assert shards.check(run / "dataset.h5") == index
    assert len(fields.read(run, "valid")) == 2
    assert (run / name).exists()


def test_a_damaged_file_is_set_aside_and_made_again(collected, run):
    path = fields.data_file(run, "test")
    with h5py.File(path, "r+") as file:
        file[fields.FIELD][2, 1, 3, 3, 3] += 0.5
    code, lines = collected(run)
    assert code == 0
    assert (
        "damaged: its arrays do not match their checksum; moved aside to coarsening.h5.bad"
        in "\n".join(lines)
    )
    with h5py.File(run / "dataset.h5") as file:
        shards.check_large(path, made_from=file.attrs["made_from"])


def test_what_does_not_belong_together_is_refused(quench, run, made, tmp_path):
    other = tmp_path / "other"
    for stage in ("generate", "collect"):
        assert (
            quench(
                "coarsening", stage, made.parent / "small.yaml", "--run", other, "--set", "seed=4"
            )[0]
            == 0
        )
    shutil.copy(fields.data_file(other, "test"), fields.data_file(run, "test"))
    with pytest.raises(UserError, match=r"not made from the same units as .*; run collect again"):
        fields.read(run, "test")
    fields.data_file(run, "train").unlink()
    with pytest.raises(
        UserError, match=r"train/coarsening.h5 is not there: run generate and collect first"
    ):
        fields.read(run, "train")
    fields.data_file(run, "valid").write_bytes(b"no")
    with pytest.raises(UserError, match="truncated"):
        fields.read(run, "valid")
    code, lines = quench(
        "coarsening",
        "generate",
        made.parent / "small.yaml",
        "--run",
        run,
        "--set",
        "generate.noise=0.2",
    )
    assert code == 2
    assert "made with another config: generate.noise is 0.1 there and 0.2 here" in lines[-1]


def test_a_unit_that_is_missing(collected, run):
    (run / "generate/unit-00002.h5").unlink()
    code, lines = collected(run)
    assert code == 2
    assert "cannot collect: missing units: 2; run generate again" in lines[-1]
