"""Checkpoints are complete or not there, damage is noticed, and a training in parts equals one in
one.
"""

import functools
import os
import pickle
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import training_parts
from conftest import command
from test_nucleation_train import noise, planted
from training_parts import outcome

from jobs import checkpoint, shards
from jobs.checkpoint import previous
from jobs.nucleation import train


def state(epoch, **more) -> dict:
    torch.manual_seed(epoch)
    return {"epoch": epoch, "weights": {"a": torch.randn(30, 10)}, "digest": "abc", **more}


@pytest.fixture
def path(tmp_path) -> Path:
    """A checkpoint of epoch 2, and that of epoch 1 before it."""
    for epoch in (1, 2):
        checkpoint.save(tmp_path / "net/checkpoint.pt", state(epoch))
    return tmp_path / "net/checkpoint.pt"


def names(path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir())


def same(found, epoch) -> bool:
    return found["epoch"] == epoch and torch.equal(
        found["weights"]["a"], state(epoch)["weights"]["a"]
    )


def test_the_newest_is_used_and_the_one_before_kept(path):
    said = []
    assert same(checkpoint.load(path, said.append), 2)
    checkpoint.save(path, state(3))
    assert same(checkpoint.load(path, said.append, digest="abc", epoch=3), 3)
    assert same(checkpoint.load(previous(path), said.append), 2)
    assert names(path) == ["checkpoint-previous.pt", "checkpoint.pt"]
    assert said == []
    assert checkpoint.load(path.with_name("nothing.pt"), said.append) is None


class Code:
    """What runs `touch marker` when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def flip(path, at, bit=1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= bit
    path.write_bytes(content)


def flip_weights(path) -> None:
    """A bit of a number, which torch.load itself does not notice."""
    sound = torch.load(path, weights_only=True)
    tensor = next(
        each for each in (sound.get("network") or sound["weights"]).values() if each.numel() > 10
    )
    flip(path, path.read_bytes().index(tensor.contiguous().numpy().tobytes()) + 20)
    assert torch.load(path, weights_only=True)["epoch"] == sound["epoch"]


DAMAGES = {
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        "truncated or not a checkpoint",
    ),
    "empty": (lambda path: path.write_bytes(b""), "truncated or not a checkpoint"),
    "text": (lambda path: path.write_text("words"), "truncated or not a checkpoint"),
    "flipped": (flip_weights, "does not match its checksum"),
    "code": (
        lambda path: torch.save({"epoch": Code(path.with_name("ran"))}, path),
        "not a checkpoint of this program (UnpicklingError)",
    ),
    "plain pickle": (
        lambda path: path.write_bytes(pickle.dumps(Code(path.with_name("ran")))),
        "truncated or not a checkpoint",
    ),
    "a list": (lambda path: torch.save([1, 2], path), "'list' object has no attribute 'get'"),
    "another data set": (
        lambda path: edit(path, dataset_digest="xyz"),
        "made with another dataset_digest",
    ),
    "other settings": (
        lambda path: edit(path, train_digest="xyz"),
        "made with another train_digest",
    ),
}


def edit(path, **changes) -> None:
    torch.save({**torch.load(path, weights_only=True), **changes}, path)


def test_the_code_in_the_damages_would_run(path):
    DAMAGES["code"][0](path)
    torch.load(path, weights_only=False)
    assert path.with_name("ran").exists()


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_bad_one_is_moved_aside_and_said_and_the_one_before_used(path, kind):
    for epoch in (1, 2):
        checkpoint.save(path, state(epoch, dataset_digest="abc", train_digest="abc"))
    damage, reason = DAMAGES[kind]
    damage(path)
    said = []
    found = checkpoint.load(path, said.append, dataset_digest="abc", train_digest="abc")
    assert same(found, 1)
    assert said[0].startswith(f"{path}: ")
    assert reason in said[0]
    assert said[0].endswith("; moved aside to checkpoint.pt.bad")
    assert said[1:] == [f"{path}: continuing from the checkpoint before it, epoch 1"]
    damage(previous(path))
    assert checkpoint.load(path, said.append, dataset_digest="abc", train_digest="abc") is None
    assert names(path) == [
        "checkpoint-previous.pt.bad",
        "checkpoint.pt.bad",
    ]  # nothing deleted, and no code run


def test_no_flipped_bit_goes_unnoticed_or_unhandled(path):
    """Wherever it is: either it does no harm, or the file is moved aside."""
    sound, random, lost = path.read_bytes(), np.random.default_rng(1), 0
    previous(path).unlink()
    for at in random.choice(len(sound), 150, replace=False):
        path.write_bytes(sound)
        flip(path, at, 1 << random.integers(8))
        found = checkpoint.load(path, lambda _: None, digest="abc")
        lost += found is None
        assert found is None or same(found, 2), at
        path.with_name("checkpoint.pt.bad").unlink(missing_ok=True)
    assert lost > 30  # the numbers are a good part of the file


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EOFError(), "EOFError"),
        (shards.BadFileError("damaged: a\x1b[2J/0"), "damaged: a\\x1b[2J/0"),
    ],
)
def test_a_damaged_name_or_none_is_said_in_a_line(path, monkeypatch, error, said):
    def fails(path):
        raise error if path.name == "checkpoint.pt" else FileNotFoundError

    monkeypatch.setattr(checkpoint, "check", fails)
    lines = []
    assert checkpoint.load(path, lines.append) is None
    assert len(lines) == 1
    assert said in lines[0]
    assert lines[0].isprintable()


def no_space(*_):
    raise OSError(28, "No space left on device")


def half(state, file):
    file.write(b"PK" + bytes(1000))


def beneath(state, file):
    """As torch does it: what the file says, and then a riddle."""
    try:
        no_space()
    except OSError:
        raise RuntimeError("unexpected pos 128 vs 0")  # noqa: B904


FAILURES = [
    (shards, "sync", no_space),
    (torch, "save", no_space),
    (torch, "save", half),
    (torch, "save", beneath),
]


@pytest.mark.parametrize(("module", "name", "how"), FAILURES)
def test_a_failed_write_leaves_the_old_ones(path, monkeypatch, module, name, how):
    before = {p: p.read_bytes() for p in path.parent.iterdir()}
    monkeypatch.setattr(module, name, how)
    with pytest.raises((OSError, shards.BadFileError), match=r"No space|truncated"):
        checkpoint.save(path, state(3))
    assert before == {p: p.read_bytes() for p in path.parent.iterdir()}


def test_killed_between_the_two_renames_the_one_before_is_there(path, monkeypatch):
    replace, said = os.replace, []
    monkeypatch.setattr(
        os, "replace", lambda a, b: replace(a, b) if "previous" in b.name else no_space()
    )
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, state(3))
    assert same(checkpoint.load(path, said.append), 2)
    assert said == [f"{path}: continuing from the checkpoint before it, epoch 2"]


# ---- a training in parts


go_on = functools.partial(training_parts.go_on, train)


def small(run, **settings):
    """110 configurations of L = 10 with random labels."""
    settings = {
        "training": 70,
        "validation": 20,
        "test": 20,
        "batch": 16,
        "max_epochs": 5,
        "patience": 4,
        "kernel": 3,
        **settings,
    }
    return planted(run, noise(110, 10), np.random.default_rng(1).random(110), **settings)


MODELS = [
    "spins",
    "features",
    "features_converged",
    "cnn_2layer",
    "cnn_4layer",
    "notebook",
    "torus",
    "torus_window",
]


@pytest.mark.parametrize(
    ("model", "precision"), [*[(model, "float32") for model in MODELS], ("cnn_2layer", "bfloat16")]
)
def test_a_training_in_parts_equals_one(tmp_path, model, precision):
    """Dropout, augmentation, the optimiser's memory, the learning rate and the best weights so far
    all go on exactly.
    """
    name = f"event/{model}/fold-0"
    whole, parts = (small(tmp_path / run, precision=precision) for run in ("whole", "parts"))
    assert go_on(whole, name) == []
    wanted = outcome(whole, name)
    assert wanted[-1] == ["checkpoint.pt", "metrics.csv", "test.h5"]
    epochs = len(wanted[2]) - 1
    assert epochs == 1 if model == "features_converged" else epochs >= 4
    for more in (
        (1, 2, epochs - 3) if epochs > 3 else (1,)
    ):  # after the last of these nothing is missing but test.h5
        assert go_on(parts, name, more) == []
    assert go_on(parts, name) == []
    assert outcome(parts, name) == wanted
    (parts.training(name) / "test.h5").unlink()
    go_on(parts, name)
    assert outcome(parts, name) == wanted


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped", "code", "another data set", "other settings"]
)
def test_whatever_happens_to_a_checkpoint_the_bytes_are_the_same(tmp_path, kind):
    name, (damage, reason) = "event/cnn_2layer/fold-0", DAMAGES[kind]
    whole, parts = (small(tmp_path / run) for run in ("whole", "parts"))
    go_on(whole, name)
    path = parts.training(name) / "checkpoint.pt"
    go_on(parts, name, 3)
    damage(path)
    said = go_on(parts, name, 1)  # from epoch 2, to epoch 3
    assert len(said) == 2
    assert reason in said[0]
    assert "moved aside to checkpoint.pt.bad" in said[0]
    assert said[1] == f"{path}: continuing from the checkpoint before it, epoch 2"
    for each in (path, previous(path)):
        damage(each)
    said = go_on(parts, name)
    assert [line.split("; ")[1] for line in said] == [
        "moved aside to checkpoint.pt.bad-2",
        "moved aside to checkpoint-previous.pt.bad",
    ]
    assert outcome(parts, name) == outcome(whole, name)
    assert len(list(path.parent.glob("*.bad*"))) == 3
    assert not (path.parent / "ran").exists()


def test_a_network_that_another_process_finished_meanwhile_is_left_alone(tmp_path):
    """Two processes on one network, as after a wrong --task: the slower one gives way."""
    name = "event/spins/fold-0"
    quick, slow = (small(tmp_path / run) for run in ("quick", "slow"))
    go_on(quick, name)
    epochs = []

    def report(kind, _):
        epochs.append(kind)
        if epochs.count("epoch") == 2:
            shutil.copy(quick.training(name) / "test.h5", slow.training(name) / "test.h5")

    assert train.fit(slow, name, "cpu", report) == "trained by another process meanwhile"
    assert epochs.count("epoch") == 2
    assert shards.check(slow.training(name) / "test.h5") == shards.check(
        quick.training(name) / "test.h5"
    )


def test_a_full_disk_fails_the_unit_and_a_rerun_gives_the_same_bytes(quench, tmp_path, monkeypatch):
    name, settings = "event/spins/fold-0", {"models": ["spins"]}
    whole, parts = (small(tmp_path / run, **settings) for run in ("whole", "parts"))
    go_on(whole, name)
    go_on(parts, name, 2)
    call = ["nucleation", "train", f"{parts.folder}.yaml", "--run", parts.folder]
    monkeypatch.setattr(checkpoint.torch, "save", no_space)
    code, lines = quench(*call)
    assert code == 1
    assert any(
        "event/spins/fold-0: failed: OSError: [Errno 28] No space left on device; see" in line
        for line in lines
    )
    monkeypatch.undo()
    assert quench(*call)[0] == 0
    assert outcome(parts, name) == outcome(whole, name)


@pytest.mark.slow
def test_killed_for_real_in_the_middle(quench, tmp_path):
    settings = {"models": ["cnn_2layer"], "max_epochs": 25, "patience": 25}
    whole, parts = (small(tmp_path / run, **settings) for run in ("whole", "parts"))
    name = "event/cnn_2layer/fold-0"
    go_on(whole, name)
    process = command(
        "nucleation",
        "train",
        f"{parts.folder}.yaml",
        "--run",
        parts.folder,
        "--device",
        "cpu",
        "--workers",
        "1",
    )
    metrics, deadline = parts.training(name) / "metrics.csv", time.monotonic() + 60
    while (
        not (metrics.exists() and len(metrics.read_text().splitlines()) > 3)
        and time.monotonic() < deadline
    ):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 3 < len(metrics.read_text().splitlines()) < 26
    assert not (parts.training(name) / "test.h5").exists()
    code, lines = quench("nucleation", "train", f"{parts.folder}.yaml", "--run", parts.folder)
    assert code == 0, lines
    assert outcome(parts, name) == outcome(whole, name)
