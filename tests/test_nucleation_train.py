"""Training: a known function is learnt, chance is not, and what cannot be trained is refused."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from conftest import prepared
from resealed import with_attributes
from torch.nn.functional import binary_cross_entropy

from jobs import UserError, rundir, shards
from jobs.config import digest
from jobs.nucleation import epochs, train
from jobs.nucleation.trained import network_of
from jobs.rundir import System
from jobs.shards import Data


def planted(
    run: Path,
    spins,
    p,
    *,
    event=None,
    time=None,
    copies=10**6,
    predict=None,
    seed=7,
    field=0.9,
    **settings,
) -> System:
    """A run directory whose dataset.h5 has these configurations (n, L, L) and labels, and run.yaml
    beside it, its config.

    settings: of train.  copies: large means labels without noise.
    """
    n, size, _ = np.shape(spins)
    raw = {
        "study": "nucleation",
        "seed": seed,
        "system": {"range": 1, "size": size, "field": field},
        "generate": {"units": 1, "events": 512, "history": 40, "copies": 100, "window": 5},
        "train": {"folds": 1, **settings},
        "predict": predict or {},
    }
    Path(f"{run}.yaml").write_text(yaml.safe_dump(raw))
    system = prepared(run, raw, "nucleation")[0]
    columns = {
        "spins": np.asarray(spins, np.int8),
        "p_nuc": np.asarray(p, np.float32),
        "radius_of_gyration": np.ones(n, np.float32),
        "copies": np.full(n, copies, np.int32),
        "time": np.broadcast_to(-5 if time is None else time, n).astype(np.int32),
        "event": np.asarray(np.arange(n) if event is None else event, np.int32),
    }
    attributes = {"study": "nucleation", "config_digest": digest(system.config)}
    shards.write(
        run / "dataset.h5",
        {name: Data(values, "", "") for name, values in columns.items()},
        attributes,
    )
    return system


def noise(count, size, seed=1, stable=0.35) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random((count, size, size)) < stable, -1, 1).astype(
        np.int8
    )


def droplets(count, size, seed=1) -> tuple[np.ndarray, np.ndarray]:
    """Noisy discs of stable spins in the middle, and p_nuc, logistic in the stable spins of the
    middle and m.
    """
    random = np.random.default_rng(seed)
    step = np.abs(np.arange(size) - size // 2)
    r = np.hypot(step[:, None], step[None, :])
    disc = r < random.uniform(0, 0.42 * size, (count, 1, 1))
    spins = np.where(
        disc ^ (random.random((count, size, size)) < random.uniform(0.02, 0.2, (count, 1, 1))),
        -1,
        1,
    )
    middle, m = (spins[:, r < 0.35 * size] < 0).mean(1), -spins.mean((1, 2))
    return spins.astype(np.int8), 1 / (1 + np.exp(-6 * (middle - 0.45) - 2 * (m + 0.4)))


def fit(system, model, by="event", fold=0) -> dict:
    """What test.h5 says, after training."""
    torch.set_num_threads(1)
    name = f"{by}/{model}/fold-{fold}"
    train.fit(system, name, "cpu", lambda *_: None)
    return shards.read(system.training(name) / "test.h5")[0]


def excess(found: dict, group=None) -> tuple[float, float]:
    """How much worse than the mean label the predictions are, in variances: value and standard
    error, by `group`.
    """
    p, group = (
        found["p_nuc"].astype(float),
        np.arange(len(found["p_nuc"])) if group is None else group[found["index"]],
    )
    difference = ((found["predicted"] - p) ** 2 - (p - p.mean()) ** 2) / p.var()
    of_group = np.bincount(group, difference)[np.unique(group)]
    return difference.mean(), of_group.std() * len(of_group) ** 0.5 / len(p)


# ---- learning


@pytest.mark.parametrize(
    ("model", "left", "rate", "epochs"),
    [
        ("features", 0.1, 1e-2, 20),
        ("features_converged", 0.1, 1e-3, 1),
        ("cnn_2layer", 0.03, 2e-3, 5),
        ("torus", 0.03, 1e-3, 6),
    ],
)
def test_a_known_function_is_learnt(tmp_path, model, left, rate, epochs):
    """Labels without noise: what is left of the test set's variance is the model's alone."""
    spins, p = droplets(2200, 10)
    system = planted(
        tmp_path / "run",
        spins,
        p,
        training=1600,
        validation=200,
        test=400,
        learning_rate=rate,
        max_epochs=epochs,
    )
    found = fit(system, model)
    assert found["p_nuc"].var() > 0.08
    assert np.mean((found["predicted"] - found["p_nuc"]) ** 2) < left * found["p_nuc"].var()
    assert np.array_equal(found["p_nuc"], p[found["index"]].astype(np.float32))
    if model == "features":
        assert found["weights"][0] > 0  # figure 6: m along the stable direction
    assert "weights" in found or "features" not in model


def test_only_torus_window_learns_what_depends_on_the_time(tmp_path):
    time = np.random.default_rng(3).integers(-30, 1, 1000)
    p = 1 / (1 + np.exp(-(5 - time - 20) / 4))
    system = planted(
        tmp_path / "run",
        noise(1000, 6),
        p,
        time=time,
        training=700,
        validation=100,
        test=200,
        learning_rate=3e-3,
        max_epochs=7,
    )
    assert excess(fit(system, "torus_window"))[0] < -0.9
    blind, error = excess(fit(system, "torus"))
    assert abs(blind) < 0.1 + 4 * error


@pytest.mark.parametrize(
    ("model", "rate", "epochs"),
    [("features", 1e-2, 20), ("spins", 1e-2, 20), ("cnn_2layer", 2e-3, 4)],
)
def test_permuted_labels_leave_no_skill(tmp_path, model, rate, epochs):
    """With the true labels the same passes leave less than half of the variance."""
    spins, p = droplets(900, 8)
    sizes = {
        "training": 500,
        "validation": 100,
        "test": 300,
        "learning_rate": rate,
        "max_epochs": epochs,
    }
    skill, error = excess(fit(planted(tmp_path / "true", spins, p, **sizes), model))
    assert skill < -0.5
    shuffled = np.random.default_rng(5).permutation(p)
    chance, error = excess(fit(planted(tmp_path / "permuted", spins, shuffled, **sizes), model))
    assert chance > -4.5 * error


def test_copies_of_one_event_leak_by_configuration_and_not_by_event(tmp_path):
    """150 events of 6 near-copies each and a random label an event: whoever knows a copy knows the
    label.
    """
    random = np.random.default_rng(2)
    spins = np.repeat(noise(150, 10), 6, axis=0) * np.where(
        random.random((900, 10, 10)) < 0.02, -1, 1
    )
    event = np.repeat(np.arange(150), 6)
    system = planted(
        tmp_path / "run",
        spins,
        random.random(150)[event],
        event=event,
        training=None,
        validation=90,
        test=240,
        learning_rate=2e-3,
        max_epochs=10,
    )
    assert excess(fit(system, "cnn_2layer", "configuration"), event)[0] < -0.4
    chance, error = excess(fit(system, "cnn_2layer", "event"), event)
    assert chance > -4.5 * error


def test_what_is_kept_is_the_network_of_the_best_epoch(tmp_path):
    """Random labels: later epochs only learn the training set by heart."""
    spins = noise(300, 8)
    p = np.random.default_rng(4).random(300)
    system = planted(
        tmp_path / "run",
        spins,
        p,
        training=150,
        validation=50,
        test=100,
        patience=4,
        max_epochs=50,
        learning_rate=0.02,
    )
    found = fit(system, "spins")
    losses = found["history/validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4  # patience
    network = network_of(system, "event", "spins", 0, "cpu", print)
    inputs = epochs.Inputs("spins", spins, np.zeros(300), "cpu")
    kept = torch.from_numpy(epochs.predict(network, inputs, found["validation"]))
    loss = float(binary_cross_entropy(kept, torch.from_numpy(p[found["validation"]]).float()))
    assert loss == pytest.approx(losses[best], abs=1e-5)
    assert loss < losses[-1] - 1e-3
    assert np.allclose(
        epochs.predict(network, inputs, found["index"]), found["predicted"], atol=1e-6
    )


# ---- bad input


SIZES = {"training": 60, "validation": 20, "test": 20, "max_epochs": 2, "models": ["spins"]}


def of_another_length(path):
    planted(path.parent.parent / "other", noise(110, 12), np.full(110, 0.5))
    shutil.copy(path.parent.parent / "other/dataset.h5", path)


def of_another_config(path):
    planted(path.parent.parent / "other", noise(110, 8), np.full(110, 0.5), field=0.91)
    shutil.copy(path.parent.parent / "other/dataset.h5", path)


def of_another_study(path):
    with_attributes(path, study="flocking")


def of_a_network(path):
    train.fit(
        rundir.load(path.parent)[1][0],
        "event/spins/fold-0",
        "cpu",
        lambda *_: None,
    )
    shutil.copy(path.parent / "train/event/spins/fold-0/test.h5", path)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[content.index(noise(110, 8).tobytes()) + 100] ^= 2
    path.write_bytes(content)


BAD = {
    "missing": (Path.unlink, "dataset.h5 is not there: run generate and collect first"),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:-500]),
        "truncated or not HDF5; run collect again",
    ),
    "text": (lambda path: path.write_text("words"), "truncated or not HDF5; run collect again"),
    "flipped": (flipped, "do not match their checksum; run collect again"),
    "another L": (of_another_length, "made with another config than"),
    "another study": (of_another_study, "not a nucleation data set (study = flocking, it holds "),
    "another config": (of_another_config, "made with another config than"),
    "test.h5": (of_a_network, "not a nucleation data set (study = nucleation, it holds "),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_data_set_is_one_line(quench, tmp_path, kind):
    run = tmp_path / "run"
    planted(run, noise(110, 8), np.full(110, 0.5), **SIZES)
    BAD[kind][0](run / "dataset.h5")
    code, lines = quench("nucleation", "train", f"{run}.yaml", "--run", run)
    assert (code, len(lines)) == (2, 2), lines  # the first one names the device
    assert BAD[kind][1] in lines[1]
    assert str(run) in lines[1]


BAD_SETTINGS = [
    ("train.test=80", "too few configurations: 110, and each fold needs 160 (train.test = 80"),
    ("train.training=71", "110, and each fold needs 111"),
    ("train.models=[spins,resnet]", "train.models = 'resnet': expected a list of spins, features"),
    ("train.splits=[day]", "train.splits = 'day': expected a list of event, configuration"),
    ("train.models=[spins,spins]", "train.models = ['spins', 'spins']: expected each once"),
    ("train.models=[]", "train.models = []: expected a list of spins"),
    ("train.kernel=4", "train.kernel = 4: expected an odd number"),
    ("train.learning_rate='1e-3'", "without quotes"),
    ("train.folds=0", "train.folds = 0: expected a whole number at least 1"),
    ("train.models=[notebook]", "nothing is left of system.size = 8 after notebook's two filters"),
]


@pytest.mark.parametrize(("setting", "words"), BAD_SETTINGS)
def test_settings_that_cannot_be_are_one_line(quench, tmp_path, setting, words):
    run = tmp_path / "run"
    planted(run, noise(110, 8), np.full(110, 0.5), **SIZES)
    before = (run / "config.yaml").read_bytes()
    code, lines = quench("nucleation", "train", f"{run}.yaml", "--run", run, "--set", setting)
    assert code == 2
    assert words in lines[-1], lines
    assert len([line for line in lines if not line.startswith("device: ")]) == 1
    assert not (run / "train").exists()
    if "too few" not in lines[-1]:
        assert (run / "config.yaml").read_bytes() == before


def test_how_to_train_is_settled_by_the_first_network(quench, tmp_path):
    run = tmp_path / "run"
    planted(run, noise(110, 8), np.full(110, 0.5), **SIZES)
    call = ["nucleation", "train", f"{run}.yaml", "--run", run, "--set", "train.max_epochs=1"]
    assert quench(*call, "--set", "train.batch=7")[0] == 0
    code, lines = quench(*call, "--set", "train.batch=8", "--set", "train.patience=3")
    assert (code, len(lines)) == (2, 1)
    assert "train.batch is 7 there and 8 here, train.patience is 10 there and 3 here" in lines[0]
    assert "link this run's" in lines[0]
    more = ["train.models=[features,spins]", "train.splits=[event,configuration]", "train.folds=2"]
    code, lines = quench(
        *call, "--set", "train.batch=7", *[word for setting in more for word in ("--set", setting)]
    )
    assert code == 0
    assert any("8 of 8 networks are mine, 1 of them trained before" in line for line in lines)
    assert len(list(run.rglob("test.h5"))) == 8


def test_networks_of_another_data_set_are_set_aside_and_trained_again(quench, tmp_path):
    run, name, p = tmp_path / "run", "event/spins/fold-0", np.random.default_rng(1).random(110)
    call = ["nucleation", "train", f"{run}.yaml", "--run", run]
    planted(run, noise(110, 8), p, **SIZES)
    assert quench(*call)[0] == 0
    planted(run, noise(110, 8), p[::-1], **SIZES)
    code, lines = quench(*call)
    assert code == 0
    assert (
        sum(
            "made from another dataset_digest; moved aside to test.h5.bad" in line for line in lines
        )
        == 1
    )
    assert (
        sum(
            "made with another dataset_digest; moved aside to checkpoint.pt.bad" in line
            for line in lines
        )
        == 1
    )
    fit(planted(tmp_path / "fresh", noise(110, 8), p[::-1], **SIZES), "spins")
    assert shards.check(run / "train" / name / "test.h5") == shards.check(
        tmp_path / "fresh/train" / name / "test.h5"
    )


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    system = planted(
        tmp_path / "run", noise(110, 8), np.full(110, 0.5), **{**SIZES, "learning_rate": 0.99}
    )
    with h5py.File(system.folder / "dataset.h5", "r+") as file:
        file["p_nuc"][:] = np.nan
    train.load.cache_clear()
    with pytest.raises(
        FloatingPointError, match=r"the loss is not finite in epoch 1: lower train.learning_rate"
    ):
        train.fit(system, "event/spins/fold-0", "cpu", lambda *_: None)
    with pytest.raises(UserError, match="checksum"):
        train.check(system)
