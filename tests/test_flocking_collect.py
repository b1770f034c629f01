"""The data set of the flocking study: every configuration beside its run's history, and the phases
beside them.
"""

import shutil
import tracemalloc

import h5py
import numpy as np
import pytest
from conftest import generated_and_collected

from jobs import rundir, shards
from jobs.flocking import collect, phases
from jobs.progress import Progress
from jobs.units import Rank
from kernels.device import select

SMALL = """
seed: 3
system: {size: 9, density: 2.0}
generate: {temperature_step: 0.4, replicas: 4, samples: 3, equilibration: 6.0, interval: 2.5, observe: 1.0,
           other_densities: [1.0], other_temperature_step: 0.8, other_replicas: 2, other_samples: 2}
unsupervised: {fewest: 1000}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flocking")
    return generated_and_collected(folder, "flocking", SMALL)


@pytest.fixture
def run(made, tmp_path):
    """A copy to spoil."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def collected(quench, made):
    def call(run, *more):
        return quench("flocking", "collect", made.parent / "small.yaml", "--run", run, *more)

    return call


def test_every_configuration_is_its_replicas(made):
    data, about = shards.read(made / "dataset.h5")
    assert data["magnetization"].shape == data["density"].shape == (3 * 4 * 3 + 2 * 2 * 2, 9, 9)
    assert (data["magnetization"].dtype, data["density"].dtype) == (np.int16, np.uint16)
    assert len(np.unique(data["replica"])) == len(data["series/replica"]) == 16
    for row in range(44):
        unit, replica, sample = (data[name][row] for name in ("unit", "replica", "sample"))
        shard = shards.read(made / f"generate/unit-{unit:05d}.h5")[0]
        local = replica - np.flatnonzero(data["series/unit"] == unit)[0]
        assert np.array_equal(data["magnetization"][row], shard["magnetization_map"][local, sample])
        assert np.array_equal(data["density"][row], shard["density_map"][local, sample])
        assert data["start"][row] == shard["start"][local]
        assert data["temperature"][row] == np.float32(shard["temperature"])
        assert data["mean_density"][row] == np.float32(shard["mean_density"])
        assert data["time"][row] == shard["sample_time"][sample]
        looks = len(shard["time"])
        assert np.array_equal(data["series/time"][:looks], shard["time"])
        for name in ("magnetization", "density_modes", "magnetization_modes"):
            assert np.array_equal(data[f"series/{name}"][replica, :looks], shard[name][local])
        for name in ("density_histogram", "particles", "attempts", "start"):
            assert np.array_equal(data[f"series/{name}"][replica], shard[name][local])
    others = data["series/unit"] >= 3
    assert np.isnan(
        data["series/density_modes"][others][:, -2:]
    ).all()  # two samples a replica: their runs are shorter
    assert np.isfinite(data["series/density_modes"][~others]).all()
    assert data["series/temperature"].tolist() == [0.2, 0.6, 1.0, 0.2, 1.0]
    assert data["series/mean_density"].tolist() == [2, 2, 2, 1, 1]
    assert about["study"] == "flocking"
    with h5py.File(made / "dataset.h5") as file:
        file.visititems(
            lambda _, item: (
                isinstance(item, h5py.Group)
                or (item.attrs["unit"], item.attrs["axes"], item.attrs["about"])
            )
        )


def test_too_few_configurations_have_no_phases(made):
    data, _ = shards.read(made / "phases.h5")
    assert data["phase"].tolist() == data["cluster"].tolist() == [-1] * 44
    assert np.isnan(data["embedding"]).all()
    assert data["densities"].tolist() == [2, 1]
    assert np.isnan(data["transitions"]).all()
    assert len(data["clusters/phase"]) == 0


def test_what_is_there_is_kept_and_what_is_lost_or_damaged_is_made_again(collected, run):
    digests = [shards.check(run / name) for name in ("dataset.h5", "phases.h5")]
    code, lines = collected(run)
    assert code == 0
    assert sum("made from the same" in line for line in lines) == 2
    (run / "phases.h5").write_text("words")
    with h5py.File(run / "dataset.h5", "r+") as file:
        file["temperature"][3] += 0.1
    code, lines = collected(run)
    assert code == 0
    assert any(
        "damaged: its arrays do not match their checksum; moved aside to dataset.h5.bad" in line
        for line in lines
    )
    assert any("truncated or not HDF5; moved aside to phases.h5.bad" in line for line in lines)
    assert [shards.check(run / name) for name in ("dataset.h5", "phases.h5")] == digests


def test_other_settings_make_other_phases_until_a_network_is_trained(collected, run):
    assert collected(run, "--set", "unsupervised.copies=2")[0] == 0
    (run / "train").mkdir()
    code, lines = collected(run, "--set", "unsupervised.copies=1")
    assert (code, len(lines)) == (2, 1)
    assert "unsupervised.copies is 2 there and 1 here" in lines[0]


def test_missing_units_are_named(collected, run):
    (run / "generate/unit-00001.h5").unlink()
    code, lines = collected(run)
    assert code == 2
    assert "cannot collect: missing units: 1; run generate again" in lines[-1]


def test_replicas_that_started_anew_are_counted(quench, made, tmp_path, monkeypatch):
    from jobs.flocking import generate

    plain = generate.simulate

    def piled(model, *rest):
        for unit, data in plain(model, *rest):
            data["start"].values[2:3] = (
                1  # of the two replicas at the other density there is no third
            )
            yield unit, data

    monkeypatch.setattr(generate, "simulate", piled)
    for stage in ("generate", "collect"):
        code, lines = quench(
            "flocking", stage, made.parent / "small.yaml", "--run", tmp_path / "run"
        )
        assert code == 0
    assert (
        sum(
            "3 replicas from disorder piled up more particles on a site than can be counted" in line
            for line in lines
        )
        == 1
    )


LONG = SMALL.replace("replicas: 4, samples: 3", "replicas: 50, samples: 40").replace(
    "temperature_step: 0.4", "temperature_step: 0.1"
)
LONG = LONG.replace("fewest: 1000", "fewest: 1000000").replace("interval: 2.5", "interval: 0.1")


def test_memory_holds_one_shard(quench, tmp_path, monkeypatch):
    """And what is written at a time, of a data set of nine such."""
    monkeypatch.setattr(shards, "BLOCK", 30_000)
    monkeypatch.setattr(shards, "WAITING", 30_000)
    (tmp_path / "long.yaml").write_text(LONG + "film: {frames: 0}")
    words = ("flocking", "generate", tmp_path / "long.yaml", "--run", tmp_path / "run")
    assert quench(*words, "--set", "generate.other_densities=[]")[0] == 0
    system = rundir.load(tmp_path / "run")[1][0]
    shard = sum(v.nbytes for v in shards.read(system.shard(0))[0].values())
    device = select("cpu", 1)
    with Progress(tmp_path, "collect", Rank()) as progress:
        tracemalloc.start()
        collect.run(system, device, progress)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    whole = sum(v.nbytes for v in shards.read(tmp_path / "run/dataset.h5")[0].values())
    assert whole > 8.5 * shard
    assert peak < 4 * shard
    assert phases.AT_ONCE * 81**2 * 8 < 1 << 27
