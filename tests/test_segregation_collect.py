"""The data set of the segregation study: The Well's layout, the index, and the fields that the
networks get.
"""

import hashlib
import json
import shutil

import h5py
import numpy as np
import pytest
import yaml
from conftest import PROVENANCE, generated_and_collected, prepared
from the_well.data import WellDataset
from the_well.data.normalization import ZScoreNormalization

from jobs import UserError, fates, revision, rundir, shards
from jobs.config import digest, flat
from jobs.segregation import collect, fields
from kernels.cahn_hilliard import CahnHilliard
from kernels.device import select

SMALL = """
seed: 3
system: {size: 16, epsilon: 1.5, spacing: 1.25, mobility: 0.5}
generate: {first_mean: 0.1, last_mean: 0.5, mean_step: 0.2, training: 3, validation: 1, test: 2, times: [0, 10]}
train: {batch: 1}
"""
COUNTS = {"train": 9, "valid": 3, "test": 6}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segregation")
    return generated_and_collected(folder, "segregation", SMALL)


@pytest.fixture
def run(made, tmp_path):
    """A copy to spoil."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def collected(quench, made):
    def call(run):
        return quench("segregation", "collect", made.parent / "small.yaml", "--run", run)

    return call


def shard(run, unit):
    return shards.read(run / f"generate/unit-{unit:05d}.h5")[0]


@pytest.mark.parametrize("split", COUNTS)
def test_the_well_opens_it(made, split):
    k, count = list(COUNTS).index(split), COUNTS[split] // 3
    data = WellDataset(path=str(made), well_split_name=split, n_steps_input=1, n_steps_output=2)
    assert data.metadata.dataset_name == "segregation"
    assert data.metadata.field_names[0] == ["concentration"]
    assert data.metadata.spatial_resolution == (16, 16)
    assert data.metadata.boundary_condition_types == ["PERIODIC"]
    assert data.metadata.constant_scalar_names == [
        "mean_concentration",
        "epsilon",
        "well_depth",
        "mobility",
        "noise",
    ]
    assert len(data) == COUNTS[split]
    for i in range(len(data)):
        sample, found = data[i], shard(made, i // count)
        expected = found["fields"][found["split"] == k][i % count]
        assert sample["input_fields"].shape == (1, 16, 16, 1)
        assert sample["output_fields"].shape == (2, 16, 16, 1)
        assert np.array_equal(sample["input_fields"][0, ..., 0], expected[0])
        assert np.array_equal(sample["output_fields"][..., 0], expected[1:])
        assert np.allclose(
            sample["constant_scalars"], [(0.1, 0.3, 0.5)[i // count], 1.5, 1.0, 0.5, 0.1]
        )
        assert (sample["boundary_conditions"] == 2).all()
        assert np.allclose(sample["space_grid"][3, 5], [3.5 * 1.25, 5.5 * 1.25])
        assert sample["output_time_grid"][0] == 10


def test_the_last_time_is_finite_and_later_than_all(made):
    with (
        h5py.File(made / "data/test/segregation.h5") as file,
        h5py.File(made / "dataset.h5") as index,
    ):
        times, steady = file["dimensions/time"][:], index["steady_time"][:]
        assert times[:2].tolist() == [0, 10]
        assert steady.max() < times[2] <= 10 * steady.max()
        assert f"{times[2]:g}, stands for infinity" in file["dimensions/time"].attrs["about"]
        assert index["times"][-1] == np.inf


@pytest.mark.parametrize(
    ("steady", "last", "end"),
    [(41.0, 10, 100), (99.9, 1000.0, 10_000), (1000.0, 10, 10_000), (0.0, 0.0, 1e-5)],
)
def test_stand_in(steady, last, end):
    assert collect.stand_in(steady, last) == pytest.approx(end)


def test_the_layout_is_the_wells(made):
    """What scripts/check_thewell_formatting.py of The Well's repository asks of a file; its package
    does not ship it.
    """
    with h5py.File(made / "data/train/segregation.h5") as file:
        assert {
            "dataset_name",
            "grid_type",
            "n_spatial_dims",
            "n_trajectories",
            "simulation_parameters",
        } <= set(file.attrs)
        assert file.attrs["n_trajectories"] == 9
        for name in file.attrs["simulation_parameters"]:
            assert file.attrs[name] == pytest.approx(float(file["scalars"][name][()]))
        assert list(file["dimensions"].attrs["spatial_dims"]) == ["x", "y"]
        expected = {
            "dimensions/time": (3,),
            "dimensions/x": (16,),
            "dimensions/y": (16,),
            "scalars/mean_concentration": (9,),
            "scalars/epsilon": (),
            "t0_fields/concentration": (9, 3, 16, 16),
        }
        for name, shape in expected.items():
            assert file[name].shape == shape
            assert file[name].dtype == np.float32
            for flag in ("sample_varying", "time_varying"):
                assert isinstance(file[name].attrs[flag], np.bool_)
        assert file["t0_fields/concentration"].attrs["dim_varying"].tolist() == [True, True]
        for order in range(3):
            assert list(file[f"t{order}_fields"].attrs["field_names"]) == ["concentration"] * (
                order == 0
            )
        for axis in "xy":
            side = file[f"boundary_conditions/{axis}_periodic"]
            assert side.attrs["bc_type"] == "PERIODIC"
            assert list(side.attrs["associated_dims"]) == [axis]
            assert len(side.attrs["associated_fields"]) == 0
            assert side["mask"].shape == (16,)
        assert PROVENANCE | {"made_from"} <= set(file.attrs)


def test_statistics_normalise_the_training_set(made):
    found = yaml.safe_load((made / "stats.yaml").read_text())
    with h5py.File(made / "data/train/segregation.h5") as file:
        c = file["t0_fields/concentration"][:].astype(np.float64)
    for key, values in (("", c), ("_delta", np.diff(c, axis=1))):
        assert found[f"mean{key}"]["concentration"] == pytest.approx(values.mean(), abs=1e-12)
        assert found[f"std{key}"]["concentration"] == pytest.approx(values.std())
        assert found[f"rms{key}"]["concentration"] == pytest.approx(np.sqrt((values**2).mean()))
    data = WellDataset(
        path=str(made),
        well_split_name="train",
        use_normalization=True,
        normalization_type=ZScoreNormalization,
        n_steps_input=1,
        n_steps_output=2,
    )
    scaled = np.concatenate(
        [
            np.concatenate([data[i]["input_fields"], data[i]["output_fields"]])
            for i in range(len(data))
        ]
    )
    assert scaled.mean() == pytest.approx(0, abs=1e-4)
    assert scaled.std() == pytest.approx(1, abs=1e-4)


def test_the_index(made):
    with h5py.File(made / "dataset.h5") as file:
        assert np.bincount(file["split"][:]).tolist() == [9, 3, 6]
        assert np.unique(file["mean_concentration"][:]).tolist() == [0.1, 0.3, 0.5]
        for i in range(18):
            found = shard(made, file["unit"][i])
            at = np.flatnonzero(
                (found["split"] == file["split"][i]) & (found["sample"] == file["sample"][i])
            )[0]
            with h5py.File(made / file["file"][i].decode()) as data:
                assert np.array_equal(
                    data["t0_fields/concentration"][file["row"][i]], found["fields"][at]
                )
                assert data["scalars/mean_concentration"][file["row"][i]] == np.float32(
                    file["mean_concentration"][i]
                )
            for name in (
                "chemical_energy",
                "surface_energy",
                "mean",
                "area",
                "perimeter",
                "steady_time",
                "steps",
            ):
                assert np.array_equal(file[name][i], found[name][at])
        file.visititems(
            lambda _, item: (item.attrs["unit"], item.attrs["axes"], item.attrs["about"])
        )


def test_fields(made):
    for split, count in COUNTS.items():
        found = fields.read(made, split)
        assert len(found) == count
        assert found.first.shape == found.last.shape == (count, 16, 16)
        assert found.all.shape == (count, 3, 16, 16)
        assert found.times.tolist() == [0, 10, np.inf]
        assert np.array_equal(found.all[:, 0], found.first)
        assert np.array_equal(found.all[:, 2], found.last)
        assert np.allclose(found.first.mean((1, 2)), found.mean_concentration, atol=1e-6)
        with h5py.File(made / "dataset.h5") as file:
            assert np.array_equal(
                file["area"][:][found.row, -1], fields.measure(MODEL, found.last)["area"]
            )


MODEL = CahnHilliard((16, 16), epsilon=1.5, spacing=1.25, device=select("cpu", workers=1))


def test_quantities_are_the_simulations(made, monkeypatch):
    """measure() on the stored fields gives what the solver recorded, however the fields are
    batched.
    """
    found = fields.read(made, "train")
    with h5py.File(made / "dataset.h5") as file:
        recorded = {
            name: file[name][:][found.row, -1]
            for name in ("mean", "area", "perimeter", "chemical_energy", "surface_energy")
        }
    recorded["mean_concentration"] = recorded.pop("mean")
    recorded["free_energy"] = recorded["chemical_energy"] + recorded["surface_energy"]
    for batch in (4, 512):
        monkeypatch.setattr(fields, "BATCH", batch)
        measured = fields.measure(MODEL, found.last)
        assert tuple(measured) == fields.QUANTITIES
        for name in fields.QUANTITIES:
            assert measured[name].dtype == np.float64
            assert np.allclose(measured[name], recorded[name], rtol=1e-12), name


def test_quantities_of_a_stripe():
    """Two flat interfaces of length 20: F = 2 x 20 x surface tension."""
    model = CahnHilliard((64, 16), epsilon=1.5, spacing=1.25, device=select("cpu", workers=1))
    x = (np.arange(64) - 31.5) * 1.25
    profile = 0.5 * (1 + np.tanh((20 - np.abs(x)) / (np.sqrt(2) * 1.5)))
    (stripe,) = np.broadcast_to(profile[:, None], (1, 64, 16))
    found = fields.measure(model, stripe[None])
    assert found["area"] == pytest.approx([40 * 20], rel=0.01)
    assert found["perimeter"] == pytest.approx([40], rel=1e-6)
    assert found["free_energy"] == pytest.approx([40 * model.surface_tension], rel=1e-3)
    assert found["chemical_energy"] == pytest.approx(found["surface_energy"], rel=1e-3)
    assert fields.segregated(stripe[None]).tolist() == [True]
    assert fields.segregated(np.full((2, 4, 4), 0.3) + 0.2 * np.eye(4)).tolist() == [False, False]


def test_collecting_again_keeps_what_is_there(collected, run):
    files = [run / "dataset.h5", *(run / f"data/{split}/segregation.h5" for split in COUNTS)]
    before = [path.stat().st_mtime_ns for path in files]
    code, lines = collected(run)
    assert code == 0
    assert "made from the same units before, kept" in lines[-1]
    assert [path.stat().st_mtime_ns for path in files] == before


@pytest.mark.parametrize("name", ["dataset.h5", "data/valid/segregation.h5", "stats.yaml"])
def test_what_is_lost_is_made_again(collected, run, name):
    index = shards.check(run / "dataset.h5")
    (run / name).unlink()
    assert collected(run)[0] == 0
    assert shards.check(run / "dataset.h5") == index
    assert len(fields.read(run, "valid")) == 3
    assert (run / name).exists()


def test_a_damaged_file_is_set_aside_and_made_again(collected, run):
    path = run / "data/test/segregation.h5"
    with h5py.File(path, "r+") as file:
        file["t0_fields/concentration"][2, 1, 3, 3] += 0.5
    code, lines = collected(run)
    assert code == 0
    assert (
        "damaged: its arrays do not match their checksum; moved aside to segregation.h5.bad"
        in "\n".join(lines)
    )
    with h5py.File(run / "dataset.h5") as file:
        shards.check_large(path, made_from=file.attrs["made_from"])
    assert (run / "data/test/segregation.h5.bad").exists()


def test_another_runs_fields_are_refused(quench, run, made, tmp_path):
    other = tmp_path / "other"
    for stage in ("generate", "collect"):
        assert (
            quench(
                "segregation", stage, made.parent / "small.yaml", "--run", other, "--set", "seed=4"
            )[0]
            == 0
        )
    shutil.copy(other / "data/test/segregation.h5", run / "data/test/segregation.h5")
    with pytest.raises(UserError, match=r"not made from the same units as .*; run collect again"):
        fields.read(run, "test")
    (run / "data/train/segregation.h5").unlink()
    with pytest.raises(
        UserError, match=r"train/segregation.h5 is not there: run generate and collect first"
    ):
        fields.read(run, "train")
    (run / "data/valid/segregation.h5").write_bytes(b"no")
    with pytest.raises(UserError, match="truncated"):
        fields.read(run, "valid")
    (run / "dataset.h5").unlink()
    with pytest.raises(UserError, match=r"dataset.h5 is not there: run generate and collect first"):
        fields.read(run, "test")


def test_a_write_that_fails_leaves_nothing(collected, run, monkeypatch):
    (run / "dataset.h5").unlink()
    (run / "data/valid/segregation.h5").unlink()
    monkeypatch.setattr(shards, "read", lambda *_, **__: (_ for _ in ()).throw(OSError("disk")))
    assert collected(run)[0] == 1
    assert not (run / "data/valid/segregation.h5").exists()
    assert not list(run.rglob(".*.tmp"))


def test_fields_that_are_not_steady_are_counted(quench, made, tmp_path, monkeypatch):
    from jobs.segregation import generate

    plain = generate.simulate

    def impatient(model, *rest):
        for unit, data in plain(model, *rest):
            data["steady_time"].values[:2] = np.nan
            yield unit, data

    monkeypatch.setattr(generate, "simulate", impatient)
    for stage in ("generate", "collect"):
        code, lines = quench(
            "segregation", stage, made.parent / "small.yaml", "--run", tmp_path / "run"
        )
        assert code == 0
    assert any("6 of 18 fields did not get to their steady state" in line for line in lines)


def test_one_run_is_fed_from_another(collected, made, tmp_path):
    """generate/ linked from a run of the same config: the same data set."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "generate").symlink_to(made / "generate")
    assert collected(run)[0] == 0
    assert shards.check(run / "dataset.h5") == shards.check(made / "dataset.h5")


def test_a_sample_is_run_again(made):
    """Of three mean concentrations 0.3 and 0.5 segregate: twelve fields, none of which hangs on the
    steps.
    """
    for name in ("dataset.h5", "data/train/segregation.h5"):
        with h5py.File(made / name) as file:
            assert file.attrs["fates_checked"] == 12
            assert file.attrs["fates_changed"] == 0
            assert file.attrs["fields_changed"] == 0


def test_a_fate_that_changed_is_said():
    ends = np.zeros((40, 8, 8))
    again = ends.copy()
    again[:3, 0, 0] = 0.2
    found = fates.compare(ends, np.ones(40), again, np.r_[np.full(3, 1.02), np.ones(37)])
    assert found == fates.Fates(40, 3, 3)
    assert "warning" in found.lines("there")[0]
    assert "lower generate.tolerance" in found.lines("there")[0]
    assert fates.NONE.lines("there") == []


def test_data_of_another_revision_are_used_and_not_added_to(quench, run, made, monkeypatch):
    """As a later solver sees these: it collects them, says what they are, and makes no more of
    them.
    """
    config = made.parent / "small.yaml"
    assert "solver_revision: 2" in (run / "config.yaml").read_text()
    monkeypatch.setattr(revision, "REVISION", 3)
    code, lines = quench("segregation", "collect", config, "--run", run)
    assert code == 0
    assert any(
        "of revision 2 of the Cahn-Hilliard solver, the present one is 3" in x for x in lines
    )
    code, lines = quench("segregation", "generate", config, "--run", run)
    assert code == 0  # all are there
    (run / "generate/unit-00001.h5").unlink()
    code, lines = quench("segregation", "generate", config, "--run", run)
    assert code == 2
    assert any("solver_revision = 2: the present solver is revision 3" in x for x in lines)


def test_a_run_from_before_the_revision_is_of_the_first(run, made):
    path = run / "config.yaml"
    text = path.read_text()
    path.write_text("\n".join(x for x in text.splitlines() if "solver_revision" not in x) + "\n")
    _, [system] = rundir.load(run)
    assert system.config.generate.solver_revision == 1
    assert revision.note(system.config)
    keys = {k: v for k, v in flat(system.config).items() if k != "generate.solver_revision"}
    keys = {
        k: v for k, v in keys.items() if k.split(".")[0] in ("study", "seed", "system", "generate")
    }
    keys.pop("generate.units", None)
    before = hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()
    assert digest(system.config) == before  # so that its shards are its own
    [again] = prepared(run, yaml.safe_load(SMALL), "segregation")
    assert again.config.generate.solver_revision == 1
