"""Training of the segregation networks: a known mapping is learnt, parts equal the whole, ranks
equal one, misfortunes cost nothing.
"""

import functools
import hashlib
import os
import subprocess
from pathlib import Path

import bad_datasets
import numpy as np
import pytest
import torch
import training_parts
import yaml
from conftest import ROOT, TWO_RANKS, prepared

from jobs import UserError, checkpoint, shards
from jobs.config import digest
from jobs.rundir import System
from jobs.segregation import epochs, fields, train
from jobs.segregation.config import SPLITS
from jobs.segregation.trained import answers, network_of
from jobs.shards import Data

MODELS = ["l1_forward", "gan_forward", "l1_reverse", "gan_reverse", "gan_forward_conserving"]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.rand(7)  # whoever ran before leaves another generator


def mixtures(count, size, seed=1) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.uniform(-0.1, 0.1, (count, size, size))
    return (
        np.linspace(0.3, 0.7, count)[:, None, None] + noise - noise.mean((1, 2), keepdims=True)
    ).astype(np.float32)


def segregate(first: np.ndarray) -> np.ndarray:
    """A known mapping that keeps the mean: the long waves of a field, steepened into two phases."""
    wave = np.fft.rfft2(first - first.mean((1, 2), keepdims=True))
    k = (
        np.hypot(np.fft.fftfreq(first.shape[1])[:, None], np.fft.rfftfreq(first.shape[2]))
        * first.shape[1]
    )
    smooth = np.fft.irfft2(wave * np.exp(-(k**2) / 6), s=first.shape[1:])
    phases = 1 / (1 + np.exp(-2 * smooth / smooth.std((1, 2), keepdims=True)))
    return (phases - phases.mean((1, 2), keepdims=True) + first.mean((1, 2), keepdims=True)).astype(
        np.float32
    )


def planted(run: Path, first, last, *, splits=(0.8, 0.1), seed=5, **settings) -> System:
    """A run directory whose data set has these pairs (n, L, L), dealt to the splits, and run.yaml
    beside it; settings: of train.
    """
    count, side = len(first), first.shape[-1]
    raw = {
        "study": "segregation",
        "seed": seed,
        "system": {"size": side},
        "generate": {
            "first_mean": 0.3,
            "last_mean": 0.7,
            "mean_step": 0.1,
            "training": 1000,
            "validation": 1000,
            "test": 1000,
            "times": [0.0],
        },
        "train": {"width": 8, "batch": 8, "models": MODELS, **settings},
    }
    Path(f"{run}.yaml").write_text(yaml.safe_dump(raw))
    system = prepared(run, raw, "segregation")[0]
    place = np.random.default_rng(9).permutation(count) / count
    split = np.digitize(place, np.cumsum(splits)).astype(np.int8)
    mean, both = first.mean((1, 2), dtype=np.float64), np.stack([first, last], 1)
    columns = {
        "mean_concentration": mean,
        "split": split,
        "times": np.array([0.0, np.inf]),
        "steady_time": np.ones(count),
        "content": np.frombuffer(hashlib.sha256(both.tobytes()).digest(), np.uint8),
    }
    attributes = {
        "study": "segregation",
        "config_digest": digest(system.config),
        "made_from": "planted",
    }
    shards.write(
        run / "dataset.h5",
        {name: Data(values, "", "") for name, values in columns.items()},
        attributes,
    )
    for k, name in enumerate(SPLITS):
        path = fields.data_file(run, name)
        with shards.new(path, {"made_from": "planted"}) as file:
            file[fields.FIELD] = both[split == k]
    return system


def pairs(count=100, size=16) -> tuple[np.ndarray, np.ndarray]:
    first = mixtures(count, size)
    return first, segregate(first)


def fit(system, name) -> dict:
    """What test.h5 says, after training."""
    train.fit(system, name, "cpu", lambda *_: None)
    return shards.read(system.training(name) / "test.h5")[0]


def baseline(system, reverse=False) -> float:
    """L1 on the test set of an answer that is everywhere the input's mean."""
    test = fields.read(system.folder, "test")
    truth = test.first if reverse else test.last
    return float(np.abs(truth - truth.mean((1, 2), keepdims=True)).mean())


# ---- learning


@pytest.mark.parametrize(
    ("model", "left"),
    [
        ("l1_forward", 0.5),
        ("gan_forward", 0.65),
        ("gan_forward_conserving", 0.6),
    ],
)
def test_a_known_mapping_is_learnt(tmp_path, model, left):
    """And not where the partners are dealt anew."""
    first, last = pairs(400)
    settings = {"epochs": 8, "learning_rate": 2e-3, "adversarial_weight": 0.02}
    system = planted(tmp_path / "run", first, last, **settings)
    found = fit(system, model)
    assert found["l1"].mean() < left * baseline(system)
    assert found["history/validation_l1"][-1] == pytest.approx(found["l1"].mean(), rel=0.15)
    if model == "l1_forward":
        other = planted(
            tmp_path / "dealt", first, np.random.default_rng(1).permutation(last), **settings
        )
        assert fit(other, model)["l1"].mean() > 0.95 * baseline(other)


def test_the_reverse_networks_learn_the_way_back(tmp_path):
    """Steady fields, uniform at the mean of a mixture without noise: what is to be learnt is the
    mean, past all norms.
    """
    last = segregate(mixtures(300, 16))
    first = np.broadcast_to(last.mean((1, 2), keepdims=True), last.shape).astype(np.float32)
    system = planted(tmp_path / "run", first, last, epochs=10, learning_rate=2e-3)
    assert fit(system, "l1_reverse")["l1"].mean() < 0.3 * np.abs(first - first.mean()).mean()


def test_the_gan_makes_domains_where_l1_alone_makes_none(tmp_path):
    """Partners that nobody could foretell, a third of each field 1: the best for L1 is 0
    everywhere, and that looks like none of them.
    """
    first, other = mixtures(240, 16), segregate(mixtures(240, 16, seed=2))
    last = (other > np.quantile(other, 2 / 3, axis=(1, 2), keepdims=True)).astype(np.float32)
    system = planted(tmp_path / "run", first, last, epochs=10, learning_rate=2e-3)
    contrast = {}
    for model in ("l1_forward", "gan_forward"):
        fit(system, model)
        found = answers(
            network_of(system, model, "cpu", print), fields.read(system.folder, "test").first
        )
        contrast[model] = found.std((1, 2)).mean()
    assert contrast["l1_forward"] < 0.05
    assert contrast["gan_forward"] > 0.15
    assert last.std((1, 2)).mean() == pytest.approx(0.47, abs=0.01)


def test_the_conserving_network_conserves_before_and_after_training(tmp_path):
    first, last = pairs(40)
    system = planted(tmp_path / "run", first, last, epochs=2, learning_rate=5e-3)
    fit(system, "gan_forward_conserving")
    for network in (
        train.build(system.config, "gan_forward_conserving"),
        network_of(system, "gan_forward_conserving", "cpu", print),
    ):
        found = answers(network, first)
        assert (
            np.abs(
                found.mean((1, 2), dtype=np.float64) - first.mean((1, 2), dtype=np.float64)
            ).max()
            < 6e-8
        )


def test_the_learning_rate_falls_over_the_second_half(tmp_path, monkeypatch):
    rates = []
    monkeypatch.setattr(epochs.Training, "set_rate", lambda self, rate: rates.append(rate))
    fit(planted(tmp_path / "run", *pairs(20), epochs=6, learning_rate=1e-3), "l1_forward")
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 1e-3, 2e-3 / 3, 1e-3 / 3])


def test_both_fields_of_a_pair_are_moved_alike():
    first = torch.rand(50, 6, 6)
    seen = set()
    for _ in range(20):
        one, two = epochs.augmented(first, 2 * first)
        assert torch.equal(two, 2 * one)
        assert torch.equal(one.flatten(1).sort().values, first.flatten(1).sort().values)
        seen |= {int((one[i] == first[i, 0, 0]).flatten().nonzero()) for i in range(50)}
    assert seen == set(range(36))


def test_some_of_the_training_set_is_spread_over_the_means():
    mean = np.repeat([0.3, 0.1, 0.2], [6, 6, 12])
    assert np.bincount((10 * mean[train.spread(mean, 8)]).round().astype(int))[1:].tolist() == [
        2,
        4,
        2,
    ]
    assert np.array_equal(train.spread(mean, None), np.arange(24))
    assert np.array_equal(train.spread(mean, 100), np.arange(24))


# ---- a training in parts


go_on = functools.partial(training_parts.go_on, train)
outcome = functools.partial(training_parts.outcome, weights="generator")


SMALL = {"width": 4, "epochs": 4, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("l1_forward", "float32"),
        ("gan_reverse", "bfloat16"),
        ("gan_forward_conserving", "float32"),
    ],
)
def test_a_training_in_parts_equals_one(tmp_path, model, precision):
    whole, parts = (
        planted(tmp_path / run, *pairs(30), precision=precision, **SMALL)
        for run in ("whole", "parts")
    )
    assert go_on(whole, model) == []
    wanted = outcome(whole, model)
    assert wanted[-1] == ["checkpoint.pt", "metrics.csv", "test.h5"]
    assert wanted[2][0] == ["epoch", "l1", "adversarial", "discriminator", "validation_l1"]
    assert [line[0] for line in wanted[2][1:]] == ["1", "2", "3", "4"]
    assert (float(wanted[2][1][2]) > 0) == model.startswith("gan")
    for more in (1, 2, 1):  # after the last of these nothing is missing but test.h5
        assert go_on(parts, model, more) == []
    assert go_on(parts, model) == []
    assert outcome(parts, model) == wanted


def test_a_damaged_checkpoint_costs_an_epoch_and_not_the_result(tmp_path):
    model = "gan_forward"
    whole, parts = (planted(tmp_path / run, *pairs(30), **SMALL) for run in ("whole", "parts"))
    go_on(whole, model)
    path = parts.training(model) / "checkpoint.pt"
    go_on(parts, model, 3)
    path.write_bytes(path.read_bytes()[:-100])
    said = go_on(parts, model, 1)
    assert "truncated or not a checkpoint; moved aside to checkpoint.pt.bad" in said[0]
    assert said[1] == f"{path}: continuing from the checkpoint before it, epoch 2"
    for each in (path, checkpoint.previous(path)):
        each.write_text("words")
    assert len(go_on(parts, model)) == 2
    assert outcome(parts, model) == outcome(whole, model)


def test_another_seed_or_name_is_another_training(tmp_path):
    first = planted(tmp_path / "one", *pairs(30), **{**SMALL, "epochs": 1})
    other = planted(tmp_path / "two", *pairs(30), seed=6, **{**SMALL, "epochs": 1})
    losses = [
        float(fit(system, model)["history/l1"][0])
        for system in (first, other)
        for model in ("l1_forward", "gan_forward")
    ]
    assert len(set(losses)) == 4


# ---- several ranks


@pytest.mark.slow
def test_two_ranks_train_one_network_as_one_would(tmp_path):
    """Batches of 7 of 31 samples: the ranks' shares differ, and the last batch has 3.

    L1 alone: to round-off.  The two players of the GAN amplify round-off, ten times an epoch or so.
    """
    models = ["l1_forward", "gan_forward_conserving"]
    one, two = (
        planted(tmp_path / run, *pairs(39), models=models, **{**SMALL, "batch": 7, "epochs": 2})
        for run in ("one", "two")
    )
    for model in models:
        go_on(one, model)
    arguments = [
        "jobs",
        "segregation",
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
    assert done.stderr.count("test L1") == 2  # the first rank speaks for both
    for model, tolerance in zip(models, (1e-5, 1e-2), strict=True):
        (a, about), (b, _) = (
            shards.read(system.training(model) / "test.h5") for system in (two, one)
        )
        assert about["ranks"] == 2
        for what in ("l1", "adversarial", "discriminator", "validation_l1"):
            assert np.allclose(a[f"history/{what}"][0], b[f"history/{what}"][0], rtol=1e-4), what
            assert np.allclose(a[f"history/{what}"], b[f"history/{what}"], rtol=tolerance), what
        kept = [
            torch.load(s.training(model) / "checkpoint.pt", weights_only=True)["generator"]
            for s in (two, one)
        ]
        torch.manual_seed(epochs.epoch_seed(one.config, model, 0))
        start = train.build(one.config, model).state_dict()
        changes = [(kept[1][key] - start[key]).norm() for key in start]
        errors = [(kept[0][key] - kept[1][key]).norm() for key in start]
        assert sum(errors) < (2e-3 if model == "l1_forward" else 0.2) * sum(changes)
    assert len((two.training(models[0]) / "metrics.csv").read_text().splitlines()) == 3


# ---- the command


def test_the_stage_trains_all_and_status_tells(quench, tmp_path):
    run = tmp_path / "run"
    system = planted(run, *pairs(30), models=MODELS, width=2, epochs=1)
    code, lines = quench("segregation", "train", f"{run}.yaml", "--run", run)
    assert code == 0, lines
    assert [line.split(":")[0] for line in lines if "test L1" in line] == MODELS
    log = (run / "log/train-task-0000-rank-0000.log").read_text()
    for name in MODELS:
        shown = float(
            (system.training(name) / "metrics.csv").read_text().splitlines()[-1].split(",")[-1]
        )
        assert f"{name}: epoch 1 of 1, validation L1 {shown:.5f}" in log
    assert "    networks: 5 of 5 trained" in quench("status", run)[1]
    assert (
        "5 of 5 networks are mine, 5 of them trained before"
        in quench("segregation", "train", f"{run}.yaml", "--run", run)[1]
    )


@pytest.mark.parametrize("kind", bad_datasets.KINDS)
def test_a_bad_data_set_is_one_line(tmp_path, kind):
    system = planted(tmp_path / "run", *pairs(30))
    path = fields.data_file(system.folder, "train")
    said = bad_datasets.spoil(kind, system.folder, "segregation", path)
    bad_datasets.is_one_line(lambda: train.check(system) or fit(system, "l1_forward"), said)


def test_fields_that_cannot_be_halved_are_refused(tmp_path):
    with pytest.raises(
        UserError,
        match=r"system.size = 20: the networks halve the side; expected a multiple of 8 \[cells\]",
    ):
        train.check(planted(tmp_path / "run", *pairs(30, 20)))


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    first, last = pairs(30)
    system = planted(tmp_path / "run", first, np.full_like(last, np.nan))
    with pytest.raises(
        FloatingPointError, match=r"the loss is not finite in epoch 1: lower train\.learning_rate"
    ):
        fit(system, "l1_forward")
