"""Training of the coarsening network: the equation is learnt, parts equal the whole, ranks equal
one, misfortunes cost nothing.
"""

import contextlib
import csv
import os
import subprocess

import bad_datasets
import h5py
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, TWO_RANKS

from jobs import UserError, checkpoint, rundir, shards
from jobs.coarsening import epochs, fields, train, trained
from kernels.device import select

GENERATE = {
    "training": 6,
    "validation": 3,
    "test": 3,
    "frames": 5,
    "feature_sizes": [8],
    "sequences_per_unit": 3,
    "latest_start": 6.0,
}
TRAIN = {"hidden": 4, "epochs": 4, "curriculum": 2, "learning_rate": 0.003, "select_from": 3}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def made(quench, tmp_path):
    """made(name, generate, **train) -> system with its data set, on 8^3 cells of twice the truth's
    spacing.
    """

    def make(name, generate=None, seed=3, **settings):
        raw = {
            "study": "coarsening",
            "seed": seed,
            "system": {"size": 16},
            "generate": {**GENERATE, **(generate or {})},
            "train": {**TRAIN, **settings},
            "rollout": {"cases": {}},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw))
        for stage in ("generate", "collect"):
            code, lines = quench("coarsening", stage, path, "--run", tmp_path / name)
            assert code == 0, lines
        return rundir.load(tmp_path / name)[1][0]

    return make


def fit(system, name="staggered/seed-0", stop_after=None):
    """Train to the end, or until so many epochs are through; the lines said."""
    lines = []

    class Enough(Exception):
        pass

    def report(kind, content):
        if kind == "say":
            lines.append(content)
        if kind == "epoch":
            lines.append(content[1])
            if stop_after is not None and sum("epoch" in line for line in lines) == stop_after:
                raise Enough

    with contextlib.suppress(Enough):
        lines.append(train.fit(system, name, "cpu", report))
    return lines


def outcome(system, name="staggered/seed-0"):
    """All that a training leaves but times: digest of test.h5, parameters, metrics without the
    seconds.
    """
    folder = system.training(name)
    with (folder / "metrics.csv").open() as file:
        metrics = [line[:-1] for line in csv.reader(file)]
    return (
        shards.check(folder / "test.h5"),
        trained.load(system, name).flat.detach().numpy().tobytes(),
        metrics,
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["staggered", pytest.param("sigmoid", marks=pytest.mark.long)])
def test_a_small_network_beats_persistence_and_extrapolation_on_starts_it_has_not_seen(made, model):
    many = {
        "training": 30,
        "validation": 6,
        "test": 8,
        "later": 0.0,
        "frames": 6,
        "sequences_per_unit": 30,
    }
    system = made(
        "run",
        many,
        hidden=6,
        epochs=25,
        curriculum=2,
        duals=False,
        learning_rate=0.01,
        schedule="cosine",
        models=[model],
    )
    fit(system, f"{model}/seed-0")
    data, about = shards.read(system.training(f"{model}/seed-0") / "test.h5")
    mine, others = (
        data["loss"][:, 1:],
        {name: data[name][:, 1:] for name in ("persistence", "extrapolation")},
    )
    for name, other in others.items():
        assert mine.mean() < 0.6 * other.mean(), name
    assert (mine.mean(1) < others["persistence"].mean(1)).all()  # sequence by sequence
    assert about["parameters"] == train.build(system.config, f"{model}/seed-0").flat.numel()


def test_what_is_written(made):
    system = made("run")
    fit(system)
    data, about = shards.read(system.training("staggered/seed-0") / "test.h5")
    assert data["loss"].shape == data["persistence"].shape == data["extrapolation"].shape == (3, 5)
    assert data["row"].tolist() == [0, 1, 2]
    truth = fields.read(system.folder, "test").all[...].astype(np.float64)
    assert np.allclose(
        data["persistence"][:, 3], ((truth[:, 3] - truth[:, 0]) ** 2).mean((1, 2, 3))
    )
    assert np.allclose(
        data["extrapolation"][:, 2],
        ((truth[:, 2] - 2 * truth[:, 1] + truth[:, 0]) ** 2).mean((1, 2, 3)),
    )
    assert (data["extrapolation"][:, :2] == 0).all()
    network = trained.stepper(system, "staggered/seed-0", truth.shape[2:], 3, select("cpu", 1))
    assert network.memory == 4  # no older than in these sequences of five frames
    network.start(truth[:, 0])
    network.advance(4)
    assert np.allclose(
        data["loss"][:, 4], ((network.fields() - truth[:, 4]) ** 2).mean((1, 2, 3)), rtol=1e-4
    )
    assert data["history/given"].tolist() == [2, 1, 1, 1]  # of 5 frames; a curriculum of two epochs
    chosen = 1 + int(np.argmin(data["history/validation_loss"][1:]))  # of the last three
    assert about["best_epoch"] == chosen + 1
    assert trained.names(system) == ["staggered/seed-0"]


@pytest.mark.parametrize(
    ("epoch", "given"), [(1, 48), (2, 46), (24, 2), (25, 1), (26, 1), (1000, 1)]
)
def test_the_papers_curriculum(epoch, given):
    assert epochs.frames_given(epoch, 25, 50) == given


def test_turns_are_the_symmetries_of_a_cube():
    cube = np.random.default_rng(1).random((2, 3, 3, 3))
    found = {epochs.turned(cube, turn).tobytes() for turn in range(len(epochs.TURNS))}
    assert len(found) == 48
    assert epochs.TURNS[0] == ((1, 2, 3), (False, False, False))
    assert np.array_equal(epochs.turned(cube, 0), cube)


# ---- parts and ranks


def test_a_training_in_parts_equals_one(made):
    whole, parts = made("whole", schedule="cosine"), made("parts", schedule="cosine")
    fit(whole)
    for more in (1, 2):
        fit(parts, stop_after=more)
    fit(parts)
    assert outcome(parts) == outcome(whole)
    assert not checkpoint.previous(parts.training("staggered/seed-0") / "checkpoint.pt").exists()


def test_a_damaged_checkpoint_costs_an_epoch_and_not_the_result(made):
    whole, parts = made("whole"), made("parts")
    fit(whole)
    fit(parts, stop_after=3)
    path = parts.training("staggered/seed-0") / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-100])
    said = fit(parts)
    assert "GiB of memory, sequences at a time: 1" in said[0]
    assert "truncated or not a checkpoint; moved aside to checkpoint.pt.bad" in said[1]
    assert outcome(parts) == outcome(whole)


def test_another_seed_is_another_training(made):
    system = made("run", epochs=1, curriculum=0, seeds=2)
    losses = []
    for name in system.config.train.networks:
        fit(system, name)
        losses.append(float(shards.read(system.training(name) / "test.h5")[0]["history/loss"][0]))
    assert len(set(losses)) == 2


@pytest.mark.slow
def test_two_ranks_train_one_network_as_one_would(made):
    """To round-off: the ranks' sums of gradients are added in another order, and Adam divides them
    by their size.
    """
    one, two = made("one"), made("two")
    fit(one)
    arguments = [
        "jobs",
        "coarsening",
        "train",
        f"{two.folder}.yaml",
        "--run",
        two.folder,
        "--device",
        "cpu",
        "--workers",
        "1",
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")} | {
        "OMP_NUM_THREADS": "1"
    }
    done = subprocess.run(
        [*TWO_RANKS, *arguments], capture_output=True, text=True, timeout=300, cwd=ROOT, env=clean
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("test loss") == 1  # the first rank speaks for both
    (a, about), (b, _) = (
        shards.read(system.training("staggered/seed-0") / "test.h5") for system in (two, one)
    )
    assert about["ranks"] == 2
    assert np.allclose(a["history/loss"], b["history/loss"], rtol=1e-4)
    assert np.allclose(a["history/validation_loss"], b["history/validation_loss"], rtol=1e-4)
    assert np.allclose(a["loss"], b["loss"], rtol=1e-3)


def test_a_batch_that_ranks_cannot_share_is_refused(made, monkeypatch):
    system = made("run")
    monkeypatch.setattr(train.distributed, "ranks", lambda: 3)
    with pytest.raises(
        UserError,
        match=r"train\.batch = 2: its 4 fields \(with duals\) cannot be shared evenly by 3 ranks",
    ):
        train.check(system)
    train.check_data(system)  # a rollout shares no batches


# ---- misfortunes


@pytest.mark.parametrize("kind", bad_datasets.KINDS)
def test_a_bad_data_set_is_one_line(made, kind):
    system = made("run")
    path = fields.data_file(system.folder, "train")
    said = bad_datasets.spoil(kind, system.folder, "coarsening", path)
    bad_datasets.is_one_line(lambda: train.check(system) or fit(system), said)


def test_a_loss_that_is_not_finite_ends_the_training(made):
    system = made("run")
    for split in ("train", "valid"):
        with h5py.File(fields.data_file(system.folder, split), "r+") as file:
            file[fields.FIELD][0, 3] = np.nan
    with pytest.raises(
        FloatingPointError, match=r"the loss is not finite in epoch 1: lower train\.learning_rate"
    ):
        fit(system)


def test_the_command_and_status(quench, made):
    system = made("run", models=["staggered", "central", "sigmoid"], epochs=1, curriculum=0)
    run = system.folder
    code, lines = quench("coarsening", "train", f"{run}.yaml", "--run", run)
    assert code == 0, lines
    assert [line.split("/")[0] for line in lines if "test loss" in line] == [
        "staggered",
        "central",
        "sigmoid",
    ]
    assert "    networks: 3 of 3 trained" in quench("status", run)[1]
    assert (
        "3 of 3 networks are mine, 3 of them trained before"
        in quench("coarsening", "train", f"{run}.yaml", "--run", run)[1]
    )
