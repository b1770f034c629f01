"""Training as a job: side by side, shared, and one network's misfortune is its own."""

import csv
import importlib
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from test_nucleation_train import noise, planted

from jobs import UserError, progress, shards, training

NAMES = [f"event/{model}/fold-{fold}" for fold in (0, 1) for model in ("spins", "features")]
SETTINGS = {
    "training": 60,
    "validation": 20,
    "test": 20,
    "max_epochs": 3,
    "folds": 2,
    "models": ["spins", "features"],
}


@pytest.fixture
def trained(quench, tmp_path):
    """trained(name, *arguments) -> (run, lines): a run directory, trained by this command."""

    def call(name, *arguments, status=0):
        run = tmp_path / name
        if not run.exists():
            planted(run, noise(110, 8), np.random.default_rng(1).random(110), **SETTINGS)
        code, lines = quench("nucleation", "train", f"{run}.yaml", "--run", run, *arguments)
        assert code == status, lines
        return run, lines

    return call


def digests(run) -> dict[str, str]:
    return {str(p.relative_to(run)): shards.check(p) for p in sorted(run.rglob("test.h5"))}


def test_the_names_of_the_networks_begin_with_fold_0_of_each(trained):
    run, lines = trained("run")
    assert list(digests(run)) == sorted(f"train/{name}/test.h5" for name in NAMES)
    done = [line.split(":")[0] for line in lines if "test MSE" in line]
    assert done == NAMES
    assert "4 of 4 networks are mine, 0 of them trained before" in lines
    assert lines[-1].startswith("4 networks trained in ")


def test_progress_shows_the_validation_loss_of_every_epoch(trained, monkeypatch):
    """In the log always, on the screen every so often, here after every epoch."""
    monkeypatch.setattr(progress, "EVERY", 0.0)
    run, lines = trained("run")
    log = (run / "log/train-task-0000-rank-0000.log").read_text()
    for name in NAMES:
        with (run / "train" / name / "metrics.csv").open() as file:
            losses = [float(line["validation_loss"]) for line in csv.DictReader(file)]
        assert len(losses) == 3
        for epoch, loss in enumerate(losses, start=1):
            news = f"{name}: epoch {epoch}, validation loss {loss:.5f}"
            assert (
                sum(
                    f"{news}, best {min(losses[:epoch]):.5f} at " in line
                    for line in log.splitlines()
                )
                == 2
            )
            assert (
                sum(
                    line.startswith("train ") and " of 4 networks, " in line and news in line
                    for line in lines
                )
                == 1
            )


def test_metrics_have_a_line_an_epoch(trained):
    run, _ = trained("run", "--set", "train.patience=1")
    for name in NAMES:
        with (run / "train" / name / "metrics.csv").open() as file:
            head, *lines = csv.reader(file)
        assert head == ["epoch", "training_loss", "validation_loss", "validation_mse", "seconds"]
        arrays, attributes = shards.read(run / "train" / name / "test.h5")
        assert len(lines) == attributes["epochs"] >= 1
        assert [int(line[0]) for line in lines] == list(range(1, len(lines) + 1))
        for column, what in enumerate(head[1:4], start=1):
            assert np.array_equal(
                [float(line[column]) for line in lines], arrays[f"history/{what}"]
            )
        assert all(0 < float(line[3]) < 1 for line in lines)
        assert all(float(line[4]) > 0 for line in lines)


def test_tasks_and_a_second_run_give_the_same_bytes(trained):
    one, _ = trained("one")
    for k in (2, 0, 1):
        three, lines = trained("three", "--task", f"{k}/3")
        assert any(f"{2 - (k > 0)} of 4 networks are mine" in line for line in lines)
    assert digests(one) == digests(three)
    before = {p: p.stat().st_mtime_ns for p in one.rglob("test.h5")}
    _, lines = trained("one")
    assert "4 of 4 networks are mine, 4 of them trained before" in lines
    assert before == {p: p.stat().st_mtime_ns for p in one.rglob("test.h5")}
    (one / "train" / NAMES[2] / "test.h5").write_text("words")
    _, lines = trained("one")
    assert any("truncated or not HDF5; moved aside to test.h5.bad" in line for line in lines)
    assert "4 of 4 networks are mine, 3 of them trained before" in lines
    assert digests(one) == digests(three)


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_give_the_same_bytes(trained, tmp_path):
    pytest.importorskip("mpi4py")
    mpiexec = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    if mpiexec is None:
        pytest.skip("no mpiexec")
    one, _ = trained("one")
    planted(tmp_path / "two", noise(110, 8), np.random.default_rng(1).random(110), **SETTINGS)
    start = [
        mpiexec,
        "-n",
        "2",
        sys.executable,
        "-m",
        "mpi4py",
        "-m",
        "jobs",
        "nucleation",
        "train",
        tmp_path / "two.yaml",
    ]
    rest = ["--run", tmp_path / "two", "--device", "cpu", "--workers", "1"]
    done = subprocess.run([*start, *rest], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("4 of 4 networks are mine") == 1
    assert "0 of them trained before; 2 ranks share them" in done.stderr
    assert digests(one) == digests(tmp_path / "two")


# ---- misfortunes, in a stage made for it

STAGE = """
import multiprocessing, os, signal, time

if multiprocessing.parent_process() is not None and os.path.exists({stop!r}):
    os.kill(os.getpid(), signal.SIGKILL)

{imports}
def fit(system, name, device, report):
    report("epoch", (0.5, "epoch 1, validation loss 0.5"))
    if name.endswith("spins/fold-1") and not os.path.exists({mended!r}):
        {misfortune}
    return well(system, name, device, report)
"""

TOY = """
from jobs import shards

def check(system):
    pass

def belonging(system):
    return {}

def well(system, name, device, report):
    shards.write(system.training(name) / "test.h5", {}, {})
    return "test MSE 0"
"""


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """stage(misfortune, name): put a train stage into the study's place whose network spins/fold-1
    meets it.
    """

    def make(misfortune, name, imports=TOY):
        places = {"stop": str(tmp_path / "stop"), "mended": str(tmp_path / "mended")}
        (tmp_path / f"{name}.py").write_text(
            STAGE.format(misfortune=misfortune, imports=imports, **places)
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(sys.modules, "jobs.nucleation.train", importlib.import_module(name))

    return make


def check_misfortune(trained, tmp_path, reason, *arguments):
    """Only its own network is lost, a note says why, and a rerun trains only that and takes the
    note away.
    """
    run, lines = trained("run", *arguments, status=1)
    note = run / "log/train-event-spins-fold-1.failed"
    assert reason in note.read_text()
    assert any(line.startswith(f"event/spins/fold-1: failed: {reason}") for line in lines)
    assert sum("test MSE" in line for line in lines) == 3
    assert {p.parent for p in run.rglob("test.h5")} == {
        run / "train" / name for name in NAMES if name != "event/spins/fold-1"
    }
    assert [p.name for p in (run / "log").glob("*.failed")] == [note.name]
    assert any(
        line.startswith("3 networks trained in ") and line.endswith(", 1 failed") for line in lines
    )
    (tmp_path / "mended").touch()
    _, lines = trained("run")
    assert "4 of 4 networks are mine, 3 of them trained before" in lines
    assert sum("test MSE" in line for line in lines) == 1
    assert not note.exists()


def test_a_training_that_raises_fails_alone(trained, stage, quench, tmp_path):
    stage('raise ValueError("the roof is on fire\\nand the cellar")', "raising_stage")
    reason = "ValueError: the roof is on fire"
    check_misfortune(trained, tmp_path, reason)
    log = (tmp_path / "run/log/train-task-0000-rank-0000.log").read_text()
    assert "Traceback" in log
    assert "and the cellar" in log


@pytest.mark.slow
def test_side_by_side_gives_the_same_bytes_and_a_process_that_dies_costs_its_own_network(
    trained, stage, tmp_path
):
    one, _ = trained("one")
    stage(
        "os.kill(os.getpid(), signal.SIGKILL)",
        "dying_stage",
        "from jobs.nucleation.train import belonging, check, fit as well\n",
    )
    check_misfortune(
        trained, tmp_path, "its process ended with status -9 (out of memory?)", "--workers", "2"
    )
    assert digests(one) == digests(tmp_path / "run")
    assert len(digests(one)) == 4


@pytest.mark.slow
def test_processes_that_die_before_they_begin_fail_their_networks(trained, stage, tmp_path):
    stage("pass", "stillborn_stage")
    (tmp_path / "stop").touch()
    run, lines = trained("run", "--workers", "2", status=1)
    assert sum("its process ended with status -9" in line for line in lines) == 4
    assert len(list((run / "log").glob("*.failed"))) == 4
    assert not (run / "train").exists()
    (tmp_path / "stop").unlink()
    trained("run")
    assert not list((run / "log").glob("*.failed"))


def test_a_gpu_that_torch_cannot_use(monkeypatch):
    """Asked for, it is a mistake; found by itself, the networks use the CPU and it is said."""
    gpu, said = SimpleNamespace(kind="gpu", index=1, name="H200"), []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"cannot use H200 .*install one that does, or use --device cpu"
    ):
        training.torch_device(gpu, "gpu", said.append)
    assert said == []
    assert training.torch_device(gpu, "auto", said.append) == "cpu"
    assert said[0].startswith("warning: torch ")
    assert len(said) == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training.torch_device(gpu, "gpu", said.append) == "cuda:1"


def test_status_tells_how_far_the_networks_are(trained, quench):
    run, _ = trained("run")
    lines = quench("status", run)[1]
    assert "    networks: 4 of 4 trained" in lines
    (run / "train" / NAMES[1] / "test.h5").unlink()
    note = run / f"log/train-{NAMES[1].replace('/', '-')}.failed"
    note.write_text("OSError: away for lunch\n")
    lines = quench("status", run)[1]
    assert "    networks: 3 of 4 trained" in lines
    assert f"    failed: {NAMES[1]}: OSError: away for lunch" in lines
    last = (run / "train" / NAMES[1] / "metrics.csv").read_text().splitlines()[-1].split(",")
    assert f"    begun: {NAMES[1]}, epoch 3, validation loss {float(last[2]):.5f}" in lines


def test_status_tells_of_networks_that_failed_before_they_began(trained, quench):
    run, _ = trained("run")
    (run / f"log/train-{NAMES[1].replace('/', '-')}.failed").write_text("OSError: away for lunch\n")
    shutil.rmtree(run / "train")
    assert "lunch" in "\n".join(quench("status", run)[1])


def test_a_note_of_failure_does_not_outlive_success(trained, quench):
    """Another process brought the network home after this one had failed."""
    run, _ = trained("run")
    note = run / f"log/train-{NAMES[1].replace('/', '-')}.failed"
    note.write_text("OSError: away for lunch\n")
    assert "lunch" not in "\n".join(quench("status", run)[1])
    trained("run")
    assert not note.exists()


def test_a_sweep_trains_every_system(quench, tmp_path):
    """Two systems below one run directory, each with a data set of its own."""
    run, path = tmp_path / "run", tmp_path / "sweep.yaml"
    for field in (0.9, 1.0):
        planted(
            tmp_path / str(field),
            noise(110, 8),
            np.random.default_rng(1).random(110),
            field=field,
            **SETTINGS,
        )
    raw = yaml.safe_load((tmp_path / "0.9.yaml").read_text())
    raw["system"]["field"] = [0.9, 1.0]
    path.write_text(yaml.safe_dump(raw))
    code, lines = quench("nucleation", "train", path, "--run", run)
    assert (code, len(lines)) == (2, 3)
    assert "run/system.field=0.9/dataset.h5 is not there" in lines[1]
    for field in (0.9, 1.0):
        shutil.copy(tmp_path / str(field) / "dataset.h5", run / f"system.field={field}/dataset.h5")
    code, lines = quench("nucleation", "train", path, "--run", run)
    assert code == 0
    assert sum("test MSE" in line for line in lines) == 8
    assert (
        sum(line.startswith("system.field=1.0: event/spins/fold-0: test MSE") for line in lines)
        == 1
    )
