"""Balancing, centring and the data set."""

import h5py
import numpy as np
import pytest

from jobs import shards
from jobs.config import read, systems
from jobs.nucleation import collect
from jobs.nucleation.config import Nucleation
from jobs.nucleation.generate import build
from kernels.device import select
from kernels.percolation import bond_probability


def test_bins_are_exact():
    nucleated = np.arange(101)
    filling = np.bincount(collect.bin_of(nucleated, np.full(101, 100), 33))
    assert filling.tolist() == [4] + [3] * 31 + [4]  # 0..3 lie in [0, 1/33); 97..100 in the last
    assert collect.bin_of(np.arange(34), np.full(34, 33), 33).tolist() == [
        *range(33),
        32,
    ]  # no rounding at k/33


def test_balance_is_uniform_and_deterministic():
    random = np.random.default_rng(1)
    copies = np.full(20_000, 100)
    nucleated = random.binomial(100, random.beta(0.3, 0.6, len(copies)))
    chosen = collect.balance(nucleated, copies, 33, seed=5)
    filling = np.bincount(collect.bin_of(nucleated, copies, 33))
    assert (
        np.bincount(collect.bin_of(nucleated[chosen], copies[chosen], 33)).tolist()
        == [filling.min()] * 33
    )
    assert len(set(chosen)) == len(chosen)
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(chosen, collect.balance(nucleated, copies, 33, seed=5))
    assert not np.array_equal(chosen, collect.balance(nucleated, copies, 33, seed=6))


def test_balance_is_fair():
    """Within a bin every configuration is as likely to stay."""
    nucleated, copies = np.repeat([0, 10], [30, 10]), np.full(40, 10)
    kept = sum(
        np.isin(np.arange(40), collect.balance(nucleated, copies, 2, seed)) for seed in range(900)
    )
    assert (kept[30:] == 900).all()
    assert np.abs(kept[:30] - 300).max() < 4.5 * np.sqrt(900 * 2 / 9)


def test_empty_bins_are_named():
    nucleated, copies = np.array([0, 0, 10]), np.full(3, 10)
    assert len(collect.balance(nucleated, copies, 4, seed=1)) == 0
    said = collect.emptiness(nucleated, copies, 4)
    assert "2 of 4 bins of p_nuc are empty: 1 (0.25 to 0.50), 2 (0.50 to 0.75); " in said
    assert "raise generate.units" in said


@pytest.mark.parametrize("size", [7, 8])
def test_centred(size):
    spins = np.ones((4, size, size), np.int8)
    centre = np.array([[0, 0], [2, 5], [size - 0.3, 1.4], [np.nan, np.nan]])
    for i, (x, y) in enumerate([(0, 0), (2, 5), (0, 1)]):
        spins[i, x, y] = -1
    moved = collect.centred(spins, centre)
    for i in range(3):
        assert np.argwhere(moved[i] == -1).tolist() == [[size // 2, size // 2]]
    assert (moved[3] == 1).all()


@pytest.fixture
def data(quench, small, tmp_path):
    run = tmp_path / "run"
    code, lines = quench("nucleation", "all", small, "--run", run)
    assert code == 0, lines
    with h5py.File(run / "dataset.h5") as file:
        yield file


def test_dataset(data):
    n, size, events = len(data["spins"]), 8, 3 * 512
    assert data["spins"].shape == (n, size, size)
    assert data["spins"].dtype == np.int8
    assert set(np.unique(data["spins"])) == {-1, 1}
    for name in ("p_nuc", "magnetization", "radius_of_gyration"):
        assert data[name].shape == (n,)
        assert data[name].dtype == np.float32
        assert np.isfinite(data[name]).all()
    for name in ("copies", "nucleated", "cluster_size", "time", "event"):
        assert data[name].shape == (n,)
        assert data[name].dtype == np.int32
    assert np.allclose(data["p_nuc"], data["nucleated"][:] / data["copies"][:])
    assert np.allclose(data["magnetization"], data["spins"][:].mean((1, 2)))
    filling = np.bincount(collect.bin_of(data["nucleated"][:], data["copies"][:], 4))
    assert len(filling) == 4
    assert len(set(filling)) == 1
    assert {k: v.dtype for k, v in data["events"].items()} == {
        "lifetime": np.float32,
        "unit": np.int32,
        "seed": np.uint64,
        "start": np.int8,
    }
    assert all(len(v) == events for v in data["events"].values())
    assert np.bincount(data["events/unit"]).tolist() == [512] * 3
    assert data["raw/history"].shape == (8, 13, 8)
    assert data["raw/history_event"][:].tolist() == list(range(8))
    assert data["raw/history_cluster"].shape == (8, 13, 8)
    assert data["raw/spins"].shape == (len(data["raw/event"]), 8)
    assert data["raw/event"][:].max() == events - 1
    for name in ("config", "seed", "git_revision", "packages", "device", "host", "date"):
        assert name in data.attrs
    data.visititems(
        lambda _, item: (
            None if isinstance(item, h5py.Group) else (item.attrs["unit"], item.attrs["axes"])
        )
    )


def test_balanced_configurations_are_raw_ones_shifted(data):
    raw = {
        (e, t): i
        for i, (e, t) in enumerate(zip(data["raw/event"][:], data["raw/time"][:], strict=True))
    }
    for i in range(0, len(data["spins"]), max(1, len(data["spins"]) // 20)):
        row = raw[data["event"][i], data["time"][i]]
        spins = 2 * np.unpackbits(data["raw/spins"][row]).reshape(8, 8).astype(int) - 1
        shifted = [np.roll(spins, (x, y), (0, 1)) for x in range(8) for y in range(8)]
        assert any(np.array_equal(s, data["spins"][i]) for s in shifted)
        assert data["raw/nucleated"][row] == data["nucleated"][i]


def test_the_largest_cluster_is_in_the_middle(data):
    """Nearest neighbours and the largest cluster of stable spins: its centre of mass is within a
    site of the middle.
    """
    big = data["cluster_size"][:] > 8
    stable = data["spins"][:] == -1
    assert big.any()
    assert stable[big][:, 3:6, 3:6].mean() > 1.5 * stable[big].mean()


def test_clusters_of_the_films_are_those_of_the_data_set(data):
    """The same bonds: a balanced configuration of a kept event has the cluster of its frame."""
    spins, cluster = (np.unpackbits(data[f"raw/history{n}"][:], axis=2) for n in ("", "_cluster"))
    assert not (spins & cluster).any(), "clusters are of stable spins"
    sizes = cluster.sum(axis=2)
    assert (sizes[:, -1] > 16).all(), "at t = 0 the droplet fills about half the system"
    kept = np.flatnonzero(data["event"][:] < 8)
    assert len(kept) > 5
    for row in kept:
        frame = sizes[data["event"][row], 12 + data["time"][row]]
        assert frame == data["cluster_size"][row]


def test_lifetimes_are_kept_where_nothing_is_balanced(quench, small, tmp_path):
    """The data set has them, and all labels; what cannot be trained on it is one line."""
    code, lines = quench(
        "nucleation",
        "all",
        small,
        "--run",
        tmp_path / "run",
        "--set",
        "generate.history=1",
        "--set",
        "generate.units=1",
        "--set",
        "collect.bins=20",
    )
    assert code == 2
    assert any("balancing leaves nothing: " in line for line in lines)
    assert "too few configurations: 0, and each fold needs 100" in lines[-1]
    assert "generate.units" in lines[-1]
    with h5py.File(tmp_path / "run/generate/unit-00000.h5") as unit:
        lifetime, labels = unit["lifetime"][:], len(unit["configuration/copies"])
    with h5py.File(tmp_path / "run/dataset.h5") as data:
        assert np.array_equal(data["events/lifetime"], lifetime)
        assert len(data["raw/copies"]) == labels > 0
        assert data["spins"].shape == (0, 8, 8)
    code, lines = quench("nucleation", "collect", "--run", tmp_path / "run")
    assert code == 0
    assert any("made from the same units before, kept" in line for line in lines)


def test_bond_strength_scales_the_exponent(quench, small, tmp_path):
    """Of the bonds' probability, and so the clusters; everything else stays as it was."""
    found = {}
    for strength in (1.0, 0.05, 20.0):
        run, setting = tmp_path / f"{strength}", f"collect.bond_strength={strength}"
        for stage in ("generate", "collect"):
            assert quench("nucleation", stage, small, "--run", run, "--set", setting)[0] == 0
        with h5py.File(run / "dataset.h5") as file:
            sizes = {name: file[name][...] for name in ("p_nuc", "cluster_size", "magnetization")}
            found[strength] = sizes
    usual, weak, strong = (found[strength] for strength in (1.0, 0.05, 20.0))
    for name in ("p_nuc", "magnetization"):
        assert np.array_equal(weak[name], usual[name])
        assert np.array_equal(strong[name], usual[name])
    assert (weak["cluster_size"] <= usual["cluster_size"]).all()
    assert (usual["cluster_size"] <= strong["cluster_size"]).all()
    assert (
        weak["cluster_size"].mean() < usual["cluster_size"].mean() < strong["cluster_size"].mean()
    )


def test_bonds_of_a_strength_have_the_probability_of_that_coupling(small):
    config = systems(read(small, ["collect.bond_strength=0.5"], "nucleation"), Nucleation, "small")[
        ""
    ]
    model = build(config, select("cpu", workers=1))
    bonds = collect.bonds_of(config, model)
    p = bond_probability(bonds["coupling_table"], bonds["temperature"], 0.1, bonds["bonds"])
    whole = bond_probability(model.coupling_table(), model.temperature, 0.1, bonds["bonds"])
    assert np.allclose((1 - p) ** 2, 1 - whole)
    assert p.max() > 0


def test_blocks_do_not_matter(quench, small, tmp_path, monkeypatch):
    """Configurations looked at by sevens and written by a chunk give the bytes of all at once."""
    run, found = tmp_path / "run", []
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0
    for _ in range(2):
        assert quench("nucleation", "collect", small, "--run", run)[0] == 0
        found.append(shards.check(run / "dataset.h5"))
        (run / "dataset.h5").unlink()
        monkeypatch.setattr(collect, "CLUSTER_BYTES", 7 * 64 * collect.SITE_BYTES)
        monkeypatch.setattr(shards, "WAITING", 500)
    assert found[0] == found[1]


def test_a_unit_that_changes_meanwhile_is_said(quench, small, tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0
    whole = collect.reduce

    def other(arrays, unit, config, keep):
        found = whole(arrays, unit, config, keep)
        return found | {"nucleated": found["nucleated"] + (unit == 1)}

    monkeypatch.setattr(collect, "reduce", other)
    code, lines = quench("nucleation", "collect", small, "--run", run)
    assert code == 1
    assert "unit-00001.h5: changed while it was read" in lines[-1]
    assert not [*run.glob("*dataset.h5*")]


@pytest.mark.slow
def test_a_sweep_goes_on_without_a_system_whose_balance_is_empty(quench, small, tmp_path):
    """Train and predict of the other one, a line which says who was left out and why, status 0, so
    that a cluster's chain goes on, and with the same command again the same; status 1 where data
    are not there.
    """
    command = ("nucleation", "all", small, "--set", "system.field=[3.0,0.9]")
    for _ in range(2):
        code, lines = quench(*command, "--run", tmp_path / "run")
        assert code == 0
        (said,) = {line for line in lines if line.startswith("left out: ")}
        assert "system.field=3.0: " in said
        assert "too few configurations: 0, and each fold needs 100" in said
        assert lines[-1] == "1 of 2 systems left out: system.field=3.0"
        done = tmp_path / "run/system.field=0.9"
        assert (done / "train/event/spins/fold-0/test.h5").exists()
        assert (done / "predict/occlusion-spins.h5").exists()
    (tmp_path / "run/system.field=3.0/dataset.h5").unlink()
    code, lines = quench("nucleation", "train", "--run", tmp_path / "run")
    assert code == 1
    code, lines = quench(
        "nucleation", "all", small, "--set", "system.field=[3.0,3.2]", "--run", tmp_path / "none"
    )
    assert code == 2
    assert sum("too few configurations" in line for line in lines) == 2
