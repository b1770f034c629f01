"""Training of the flocking networks: planted phases are told apart, parts equal the whole, splits
leak nothing, misfortunes.
"""

import functools
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import training_parts
import yaml
from conftest import prepared
from resealed import with_attributes
from test_flocking_phases import poisson

from jobs import UserError, checkpoint, shards
from jobs.config import digest
from jobs.flocking import epochs, train
from jobs.flocking.networks import PhaseNetwork
from jobs.rundir import System
from jobs.shards import Data

NAME = "reference/lambda-0/seed-0"
KINDS = ("G", "B+", "L+", "G", "B-", "L-")  # phases 0, 1, 2


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.rand(7)  # whoever ran before leaves another generator


def configurations(
    each=30, side=18, seed=1, density=3.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnetization, density and phase of gas, bands and liquid."""
    random = np.random.default_rng(seed)
    maps = [poisson(kind, each, random, side, density) for kind in KINDS]
    phase = np.repeat(np.arange(6, dtype=np.int8) % 3, each)
    return np.concatenate([m for m, _ in maps]), np.concatenate([rho for _, rho in maps]), phase


def planted(
    run: Path,
    m,
    rho,
    phase,
    *,
    density=None,
    samples=1,
    replica=None,
    seed=5,
    other=(),
    system=None,
    predict=None,
    **settings,
):
    """A run directory whose dataset.h5 and phases.h5 have these maps (n, L, L) and phases, and
    run.yaml beside it; settings: of train.
    """
    count, side = len(m), m.shape[-1]
    raw = {
        "study": "flocking",
        "seed": seed,
        "system": {"size": side, **(system or {})},
        "generate": {"temperature_step": 0.4, "other_densities": list(other)},
        "predict": predict or {},
        "train": {"batch": 16, "seeds": 1, "max_epochs": 6, **settings},
    }
    Path(f"{run}.yaml").write_text(yaml.safe_dump(raw))
    made = prepared(run, raw, "flocking")[0]
    replica = np.arange(count) // samples if replica is None else replica
    density = np.full(count, 3.0) if density is None else density
    columns = {
        "magnetization": m.astype(np.int16),
        "density": rho.astype(np.uint16),
        "replica": replica.astype(np.int32),
        "temperature": np.array([0.9, 0.55, 0.3], np.float32)[phase],
        "mean_density": density.astype(np.float32),
        "unit": (density != 3).astype(np.int32),
    }
    about = {"study": "flocking", "config_digest": digest(made.config), "made_from": "planted"}
    shards.write(
        run / "dataset.h5", {name: Data(values, "", "") for name, values in columns.items()}, about
    )
    shards.write(run / "phases.h5", {"phase": Data(phase.astype(np.int8), "", "")}, about)
    return made


def fit(system: System, name=NAME) -> tuple[dict, dict]:
    """What test.h5 says, after training."""
    train.fit(system, name, "cpu", lambda *_: None)
    return shards.read(system.training(name) / "test.h5")


# ---- learning


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_gas_bands_and_liquid_are_told_apart(tmp_path, precision):
    """And not where the phases are dealt anew."""
    m, rho, phase = configurations(80)
    found, about = fit(
        planted(
            tmp_path / "run", m, rho, phase, max_epochs=12, learning_rate=3e-3, precision=precision
        )
    )
    assert (
        about["accuracy"]
        == np.mean(found["probabilities"].argmax(1) == phase[found["index"]])
        > 0.95
    )
    assert np.array_equal(found["phase"], phase[found["index"]])
    assert found["probabilities"].sum(1) == pytest.approx(1, abs=1e-5)
    assert found["first_layer"].shape == (6, 2, 5, 5)
    assert (about["parameters"], about["set"], about["lambda"], about["seed_index"]) == (
        32 * 18**2 // 27 + 1939,
        "reference",
        0.0,
        0,
    )
    if precision == "float32":
        other = np.random.default_rng(1).permutation(phase)
        assert fit(planted(tmp_path / "dealt", m, rho, other, max_epochs=4))[1]["accuracy"] < 0.55


def test_regularisation_shrinks_the_weights_and_is_in_the_loss(tmp_path):
    data = configurations(40)
    system = planted(tmp_path / "run", *data, regularization=[0.0, 0.01], max_epochs=8)
    size = {}
    for strength in ("0", "0.01"):
        name = f"reference/lambda-{strength}/seed-0"
        found, about = fit(system, name)
        state = torch.load(system.training(name) / "checkpoint.pt", weights_only=True)["best"]
        size[strength] = sum(
            float(w.square().sum()) for key, w in state.items() if key.endswith("weight")
        )
        best = about["best_epoch"] - 1
        extra = (
            found["history/validation_loss"][best] - found["history/validation_cross_entropy"][best]
        )
        assert extra == pytest.approx(float(strength) * size[strength], rel=1e-4, abs=1e-7)
    assert size["0.01"] < 0.8 * size["0"]


def test_what_is_kept_is_the_network_of_the_best_epoch(tmp_path):
    m, rho, phase = configurations(20)
    phase = np.random.default_rng(2).permutation(phase)
    found, about = fit(
        planted(
            tmp_path / "run",
            m,
            rho,
            phase,
            patience=3,
            max_epochs=60,
            learning_rate=5e-3,
            copies=0,
        )
    )
    losses = found["history/validation_loss"]
    assert about["best_epoch"] == int(np.argmin(losses)) + 1
    assert about["epochs"] == len(losses) == about["best_epoch"] + 3


def test_copies_are_fixed_and_no_copies_are_shifted_anew(tmp_path, monkeypatch):
    """What an epoch is fed: with copies, the originals and each copy at the same shift in every
    epoch, each once; without (null), every configuration once, at another shift in every epoch.
    """
    data, fed, shifted = configurations(10), [], epochs.shifted

    def noted(maps, rows, shifts):
        fed.extend(zip(rows.tolist(), map(tuple, shifts.tolist()), strict=True))
        return shifted(maps, rows, shifts)

    monkeypatch.setattr(epochs, "shifted", noted)
    for copies in (2, 0, None):
        system = planted(tmp_path / str(copies), *data, copies=copies)
        loaded = train.dataset_of(system)
        rows, valid, _ = train.split(loaded, "reference", 0, system.config)
        run = epochs.Training(
            system.config,
            NAME,
            PhaseNetwork(18),
            loaded,
            rows,
            valid,
            "cpu",
        )
        seen = []
        for _ in range(2):
            run.epoch(lambda *_: None)
            seen.append(sorted(fed))
            fed.clear()
        each = np.repeat(np.sort(rows), 1 + (copies or 0)).tolist()
        assert [row for row, _ in seen[0]] == each
        if copies is None:
            assert len(set(seen[0]) & set(seen[1])) < 0.1 * len(rows)
        else:
            assert seen[0] == seen[1]
            assert {(row, (0, 0)) for row in rows.tolist()} <= set(seen[0])
            moved = [shift for _, shift in seen[0] if shift != (0, 0)]
            assert len(moved) >= 0.9 * copies * len(rows)
            assert len(set(moved)) >= 0.8 * len(moved)


def test_without_a_last_epoch_the_patience_ends_it(tmp_path):
    m, rho, phase = configurations(10)
    phase = np.random.default_rng(2).permutation(phase)
    settings = {"patience": 4, "max_epochs": None, "learning_rate": 5e-3}
    found, about = fit(planted(tmp_path / "run", m, rho, phase, **settings))
    assert about["epochs"] == len(found["history/validation_loss"]) == about["best_epoch"] + 4


# ---- the split


def test_the_split_leaks_nothing_and_is_60_20_20(tmp_path):
    m, rho, phase = configurations(60)  # 360 rows, four a replica
    order = np.random.default_rng(1).permutation(360)
    density = np.where(np.arange(360) < 240, 3.0, 5.0)
    replica = np.arange(360) // 4
    phase[order[:5]] = -1
    system = planted(
        tmp_path / "run",
        m,
        rho,
        phase * 1,
        density=density,
        replica=replica,
        other=[5.0],
        sets=["reference", "all"],
        seeds=2,
    )
    data = train.dataset_of(system)
    splits = {
        (which, seed): train.split(data, which, seed, system.config)
        for which in ("reference", "all")
        for seed in (0, 1)
    }
    for (which, _), rows in splits.items():
        parts = [set(replica[each]) for each in rows]
        assert sum(map(len, parts)) == len(set.union(*parts))
        mine = (phase >= 0) & ((density == 3) | (which == "all"))
        assert np.array_equal(np.sort(np.concatenate(rows)), np.flatnonzero(mine))
        assert [len(part) / sum(map(len, parts)) for part in parts] == pytest.approx(
            [0.6, 0.2, 0.2], abs=0.02
        )
    for part in range(3):
        both = splits["all", 0][part]
        assert np.array_equal(both[density[both] == 3], splits["reference", 0][part])
    assert not np.array_equal(splits["all", 0][0], splits["all", 1][0])


# ---- a training in parts


go_on = functools.partial(training_parts.go_on, train, name=NAME)
outcome = functools.partial(training_parts.outcome, name=NAME)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_in_parts_equals_one(tmp_path, precision):
    whole, parts = (
        planted(tmp_path / run, *configurations(10), precision=precision, max_epochs=4)
        for run in ("whole", "parts")
    )
    assert go_on(whole) == []
    wanted = outcome(whole)
    assert wanted[-1] == ["checkpoint.pt", "metrics.csv", "test.h5"]
    assert wanted[2][0] == [
        "epoch",
        "training_loss",
        "validation_loss",
        "validation_cross_entropy",
        "validation_accuracy",
    ]
    assert [line[0] for line in wanted[2][1:]] == ["1", "2", "3", "4"]
    for more in (1, 2, 1):
        assert go_on(parts, epochs=more) == []
    assert go_on(parts) == []
    assert outcome(parts) == wanted


def test_a_damaged_checkpoint_costs_an_epoch_and_not_the_result(tmp_path):
    whole, parts = (
        planted(tmp_path / run, *configurations(10), max_epochs=4) for run in ("whole", "parts")
    )
    go_on(whole)
    path = parts.training(NAME) / "checkpoint.pt"
    go_on(parts, epochs=3)
    path.write_bytes(path.read_bytes()[:-100])
    said = go_on(parts, epochs=1)
    assert "truncated or not a checkpoint; moved aside to checkpoint.pt.bad" in said[0]
    assert said[1] == f"{path}: continuing from the checkpoint before it, epoch 2"
    for each in (path, checkpoint.previous(path)):
        each.write_text("words")
    assert len(go_on(parts)) == 2
    assert outcome(parts) == outcome(whole)


def test_every_network_has_its_own_randomness(tmp_path):
    config = planted(tmp_path / "run", *configurations(5)).config
    seeds = {
        epochs.epoch_seed(config, name, epoch)
        for name in (
            "reference/lambda-0/seed-0",
            "reference/lambda-0/seed-1",
            "reference/lambda-0.01/seed-0",
            "all/lambda-0/seed-0",
        )
        for epoch in range(5)
    }
    assert len(seeds) == 20


# ---- the command, and bad data


def test_the_stage_trains_all_and_status_tells(quench, tmp_path):
    run = tmp_path / "run"
    planted(run, *configurations(10), max_epochs=1, regularization=[0.0, 0.01], seeds=2)
    call = ["flocking", "train", f"{run}.yaml", "--run", run]
    code, lines = quench(*call)
    assert code == 0, lines
    names = [f"reference/lambda-{x}/seed-{s}" for s in (0, 1) for x in ("0", "0.01")]
    assert [line.split(":")[0] for line in lines if "test accuracy" in line] == names
    assert "    networks: 4 of 4 trained" in quench("status", run)[1]
    assert "4 of 4 networks are mine, 4 of them trained before" in quench(*call)[1]
    assert any(
        "6 of 6 networks are mine, 4 of them" in line
        for line in quench(*call, "--set", "train.seeds=3")[1]
    )
    with h5py.File(run / "phases.h5", "r+") as file:
        phase = file["phase"][...]
        phase[0] = -1
        file["phase"][...] = phase
        file.attrs["content_digest"] = shards.content_digest({"phase": phase})
    assert (
        sum(
            "made from another phases_digest; moved aside" in line
            for line in quench(*call, "--set", "train.seeds=1")[1]
        )
        == 2
    )


def of_another_length(run):
    planted(run.parent / "other", *configurations(10, side=27))
    for name in ("dataset.h5", "phases.h5"):
        shutil.copy(run.parent / f"other/{name}", run / name)


def of_another_config(run):
    planted(run.parent / "other", *configurations(10), system={"self_propulsion": 0.5})
    shutil.copy(run.parent / "other/dataset.h5", run / "dataset.h5")


def one_phase(run):
    planted(run, *configurations(10)[:2], np.zeros(60, np.int8))


BAD = {
    "missing": (
        lambda run: (run / "dataset.h5").unlink(),
        "dataset.h5 is not there: run generate and collect first",
    ),
    "no phases": (
        lambda run: (run / "phases.h5").unlink(),
        "phases.h5 is not there: run generate and collect first",
    ),
    "truncated": (
        lambda run: (run / "dataset.h5").write_text("words"),
        "truncated or not HDF5; run collect again",
    ),
    "another study": (
        lambda run: with_attributes(run / "dataset.h5", study="nucleation"),
        "not of the study flocking",
    ),
    "another L": (of_another_length, "configurations of L = 27, and system.size is 18"),
    "another config": (of_another_config, "made with another config than"),
    "one phase": (one_phase, "only the phase G is there to train on"),
    "few replicas": (
        lambda run: planted(run, *configurations(10), samples=30),
        "2 replicas with a phase are too few for the split",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_data_set_is_one_line(quench, tmp_path, kind):
    run = tmp_path / "run"
    planted(run, *configurations(10))
    BAD[kind][0](run)
    code, lines = quench("flocking", "train", f"{run}.yaml", "--run", run)
    assert (code, len(lines)) == (2, 2), lines  # the first one names the device
    assert BAD[kind][1] in lines[1]


def test_a_side_that_cannot_be_pooled_is_refused(tmp_path):
    with pytest.raises(UserError, match="expected a multiple of 9, such as 9 or 18"):
        train.check(planted(tmp_path / "run", *configurations(5, side=10)))


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(
        epochs, "scores_of", lambda network, maps, rows: torch.full((len(rows), 3), torch.nan)
    )
    with pytest.raises(
        FloatingPointError, match=r"the loss is not finite in epoch 1: lower train\.learning_rate"
    ):
        fit(planted(tmp_path / "run", *configurations(5)))
