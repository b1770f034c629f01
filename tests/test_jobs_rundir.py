"""Run directories belong to one config; runs are skipped, continued, repaired and reported."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import yaml
from conftest import PROVENANCE, command, prepared
from resealed import with_attributes

from jobs import __main__ as main
from jobs import config, generating, rundir, shards, status
from jobs.nucleation import generate
from jobs.options import parser
from jobs.progress import Progress
from jobs.units import Rank
from kernels.device import select


def units(run) -> list[str]:
    return sorted(p.name for p in (run / "generate").iterdir())


def digests(run) -> dict[str, str]:
    """Of all that jobs wrote; the record is what analysis measured."""
    made = (p for p in sorted(run.rglob("*.h5")) if p.name != "record.h5")
    return {str(p.relative_to(run)): shards.check(p) for p in made}


def test_run_directory(quench, small, tmp_path):
    run = tmp_path / "run"
    code, lines = quench("nucleation", "generate", small, "--run", run)
    assert code == 0
    assert lines[0].startswith("device: cpu, ")
    assert units(run) == ["unit-00000.h5", "unit-00001.h5", "unit-00002.h5"]
    resolved = yaml.safe_load((run / "config.yaml").read_text())
    assert resolved["study"] == "nucleation"
    assert resolved["system"]["interaction"] == "nearest"
    with h5py.File(run / "generate/unit-00001.h5") as file:
        assert PROVENANCE | {"config_digest"} <= set(file.attrs)
        assert file.attrs["unit_index"] == 1
        file.visititems(
            lambda _, item: (
                None if isinstance(item, h5py.Group) else item.attrs["axes"] + item.attrs["unit"]
            )
        )


def test_a_second_run_reuses_everything(quench, small, tmp_path):
    run = tmp_path / "run"
    assert quench("nucleation", "all", small, "--run", run)[0] == 0
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.h5")}
    code, lines = quench("nucleation", "all", small, "--run", run)
    assert code == 0
    assert any("3 of them finished before" in line for line in lines)
    assert any("kept" in line for line in lines)
    assert before == {p: p.stat().st_mtime_ns for p in run.rglob("*.h5")}


REFUSED = [
    (["system.field=0.91"], ["system.field is 0.9 there and 0.91 here"]),
    (["seed=8", "collect.bins=5"], ["seed is 7 there and 8 here", "generate/unit-0000"]),
    (["generate.units=2"], ["generate.units is 3 there and 2 here", "grow"]),
    (["system.field=[0.9, 1.0]"], ["another sweep"]),
]


@pytest.mark.parametrize(("settings", "words"), REFUSED, ids=lambda x: str(x))
def test_another_config_is_refused(quench, small, tmp_path, settings, words):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run, "--set", "generate.events=512")
    before = (run / "config.yaml").read_bytes(), digests(run)
    code, lines = quench(
        "nucleation", "generate", small, "--run", run, *[w for s in settings for w in ("--set", s)]
    )
    assert (code, len(lines)) == (2, 1), lines
    assert all(word in lines[0] for word in words), lines
    assert before == ((run / "config.yaml").read_bytes(), digests(run))


def test_what_made_nothing_yet_may_change(quench, small, tmp_path):
    """Each stage's keys until it has made something: all before the first unit, those of collect
    before the data set; afterwards the message names what is in the way.
    """
    run = tmp_path / "run"

    def asked(stage, *settings):
        words = [word for setting in settings for word in ("--set", setting)]
        return quench("nucleation", stage, small, "--run", run, *words)

    raw = config.read(small, ["system.field=0.7", "seed=3"], "nucleation")
    prepared(run, raw, "nucleation")
    later = ("collect.bins=5", "train.batch=16", "predict.occlusion.stride=2")
    assert asked("generate")[0] == 0
    assert config.read(run / "config.yaml", [], "")["seed"] == 7
    code, lines = asked("generate", "seed=3")
    assert code == 2
    assert f"made with it: {run}/generate/unit-0000" in lines[0]
    assert asked("collect", *later)[0] == 0
    assert config.read(run / "config.yaml", [], "")["collect"]["bins"] == 5
    code, lines = asked("collect", "collect.bins=6", *later[1:])
    assert code == 2
    assert f"made with it: {run}/dataset.h5; choose another --run, or remove that" in lines[0]
    (run / "train").mkdir()  # as a training begins
    code, lines = asked("train", later[0], "train.batch=24")
    assert code == 2
    assert f"made with it: {run}/train; choose another --run" in lines[0]


@pytest.mark.parametrize("field", ["0.9", "[0.9, 1.0]"])
def test_nothing_changes_under_a_process_at_work(quench, small, tmp_path, field):
    """Which has yet to write its first unit; those of a sweep are seen in the log of all."""
    run, swept = tmp_path / "run", f"system.field={field}"
    prepared(run, config.read(small, [swept], "nucleation"), "nucleation")
    beat = run / "log/generate-task-0000-rank-0000.json"
    beat.write_text("{}")
    before = (run / "config.yaml").read_bytes()
    changed = ("--set", swept, "--set", "seed=3")
    code, lines = quench("nucleation", "generate", small, "--run", run, *changed)
    assert code == 2
    assert f"a process is at work there by {beat}; wait for it, or remove" in lines[0]
    assert (run / "config.yaml").read_bytes() == before


def test_units_may_grow(quench, small, tmp_path):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run, "--set", "generate.units=1")
    first = digests(run)
    assert quench("nucleation", "all", small, "--run", run)[0] == 0
    assert first.items() <= digests(run).items()
    assert len(units(run)) == 3
    whole = tmp_path / "whole"
    assert quench("nucleation", "all", small, "--run", whole)[0] == 0
    assert digests(whole) == digests(run)


def test_a_sweep_may_grow(quench, small, tmp_path):
    run, sweep = tmp_path / "run", "system.field=[{}]"
    words = ("nucleation", "generate", small, "--run", run, "--set")
    assert quench(*words, sweep.format("0.9"))[0] == 0
    before = digests(run)
    assert quench(*words, sweep.format("0.9, 1.0"))[0] == 0
    assert {name: digests(run)[name] for name in before} == before
    assert len(digests(run)) == 2 * len(before)
    code, lines = quench(*words, sweep.format("1.0"))
    assert (code, len(lines)) == (2, 1)
    assert "system.field=0.9 only in one of the two; a sweep may grow" in lines[0]
    assert "6 of 6" in "\n".join(quench("status", run)[1])


def test_ranks_with_another_run_are_refused(small, tmp_path, capsys):
    class Other:
        neighbours = 2

        def allgather(self, item):
            return [item, "elsewhere" if isinstance(item, str) else item]

    options = parser().parse_args(
        ["nucleation", "generate", str(small), "--run", str(tmp_path / "run"), "--device", "cpu"]
    )
    assert main.run(options, Rank(count=2, communicator=Other(), together=True)) == 2
    assert "given different --run: " in capsys.readouterr().err


def test_dataset_follows_the_units(quench, small, tmp_path):
    run = tmp_path / "run"
    quench("nucleation", "all", small, "--run", run, "--set", "generate.units=2")
    with h5py.File(run / "dataset.h5") as file:
        assert len(file["events/lifetime"]) == 2 * 512
    assert quench("nucleation", "all", small, "--run", run)[0] == 0
    with h5py.File(run / "dataset.h5") as file:
        assert len(file["events/lifetime"]) == 3 * 512


def test_foreign_directory(quench, small, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter-1.tex").write_text("words")
    code, lines = quench("nucleation", "generate", small, "--run", tmp_path / "thesis")
    assert code == 2
    assert len(lines) == 1
    assert "chapter-1.tex" in lines[0]
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter-1.tex"]


def test_config_of_another_program(quench, small, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").write_text("services: {web: {image: nginx}}\n")
    code, lines = quench("nucleation", "generate", small, "--run", tmp_path / "run")
    assert code == 2
    assert len(lines) == 1
    assert "belongs to something else" in lines[0]
    assert quench("status", tmp_path / "run")[0] == 2


def test_log_folder_of_slurm_is_no_stranger(quench, small, tmp_path):
    (tmp_path / "run/log").mkdir(parents=True)
    (tmp_path / "run/log/slurm-1.out").write_text("")
    assert (
        quench(
            "nucleation", "generate", small, "--run", tmp_path / "run", "--set", "generate.units=1"
        )[0]
        == 0
    )


@pytest.mark.parametrize("place", ["a file", "below a file", "no permission"])
def test_unusable_run_directory(quench, small, tmp_path, place):
    (tmp_path / "file").write_text("content")
    run = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file/run",
        "no permission": tmp_path / "locked/run",
    }[place]
    if place == "no permission":
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        (tmp_path / "locked").mkdir(mode=0o500)
    code, lines = quench("nucleation", "generate", small, "--run", run)
    assert code == 2
    assert len(lines) == 1
    assert str(run) in lines[0]
    assert (tmp_path / "file").read_text() == "content"


@pytest.mark.parametrize("damage", ["truncated", "foreign", "another config", "another unit"])
def test_bad_shards_are_named_set_aside_and_made_again(quench, small, tmp_path, damage):
    run, path = tmp_path / "run", tmp_path / "run/generate/unit-00001.h5"
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0
    before = digests(run)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "foreign":
        path.write_text("not HDF5 at all")
    elif damage == "another unit":
        path.write_bytes((run / "generate/unit-00002.h5").read_bytes())
    else:
        quench("nucleation", "generate", small, "--run", tmp_path / "other", "--set", "seed=9")
        path.write_bytes((tmp_path / "other/generate/unit-00001.h5").read_bytes())
    code, lines = quench("nucleation", "collect", small, "--run", run)
    assert code == 2
    assert "missing units: 1;" in lines[-1]
    assert not (run / "dataset.h5").exists()
    assert sum("moved aside to unit-00001.h5.bad" in line for line in lines) == 1
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0
    assert digests(run) == before
    assert "set aside" in "\n".join(quench("status", run)[1])


def test_finished_units_of_another_config_are_never_all_set_aside(
    quench, small, tmp_path, monkeypatch
):
    """An upgrade that digests configs otherwise, or an edited RUN/config.yaml, costs no unit."""
    run = tmp_path / "run"
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0
    before = digests(run)
    with monkeypatch.context() as later:
        later.setattr("jobs.generating.digest", lambda config: "of a later version")
        for stage in ("generate", "collect"):
            code, lines = quench("nucleation", stage, small, "--run", run)
            assert code == 2
            assert (
                "(3) were made with another config or by another version; nothing was" in lines[-1]
            )
    assert digests(run) == before
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0


def test_missing_units_are_named(quench, small, tmp_path):
    run = tmp_path / "run"
    code, lines = quench("nucleation", "collect", small, "--run", run)
    assert code == 2
    assert "missing units: 0-2;" in lines[-1]


def test_damaged_dataset_is_set_aside_and_made_again(quench, small, tmp_path):
    run, path = tmp_path / "run", tmp_path / "run/dataset.h5"
    quench("nucleation", "all", small, "--run", run)
    before = digests(run)
    path.write_bytes(path.read_bytes()[:5000])
    assert quench("nucleation", "collect", small, "--run", run)[0] == 0
    assert (run / "dataset.h5.bad").exists()
    assert digests(run) == before


def test_tasks_share_and_agree(quench, small, tmp_path):
    one, three = tmp_path / "one", tmp_path / "three"
    quench("nucleation", "all", small, "--run", one, "--set", "system.field=[0.9, 1.0]")
    for stage in (
        "all",
        "train",
        "predict",
    ):  # an array's tasks do not wait for one another: all stops at the data set
        for k in (2, 0, 1):
            settings = ("--set", "system.field=[0.9, 1.0]", "--task", f"{k}/3")
            assert quench("nucleation", stage, small, "--run", three, *settings)[0] == 0
    assert digests(one) == digests(three)
    assert len(digests(one)) == 2 * (
        3 + 1 + 1 + 1
    )  # units, data set, test.h5 of a network, occlusion map
    assert {p.name for p in three.iterdir()} == {
        "config.yaml",
        "log",
        "system.field=0.9",
        "system.field=1.0",
    }
    # each system is a run directory of its own
    assert "3 of 3 done" in "\n".join(quench("status", three / "system.field=1.0")[1])


def test_workers_do_not_change_the_bytes(quench, small, tmp_path):
    for workers in (1, 2):
        quench("nucleation", "all", small, "--run", tmp_path / str(workers), "--workers", workers)
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


def test_a_failed_unit_stops_no_other(quench, small, tmp_path, monkeypatch):
    run, simulate = tmp_path / "run", generate.simulate

    def broken(model, config, units, report):
        if 1 in units:
            raise RuntimeError("the roof is on fire")
        yield from simulate(model, config, units, report)

    monkeypatch.setattr(generate, "simulate", broken)
    code, lines = quench("nucleation", "all", small, "--run", run)
    assert code == 1
    assert units(run) == ["unit-00000.h5", "unit-00002.h5"]
    log = re.search(r"see (\S+\.log)", "\n".join(lines)).group(1)
    assert "Traceback" in Path(log).read_text()
    report = "\n".join(quench("status", run)[1])
    assert "2 of 3 done" in report
    assert "the roof is on fire" in report
    assert log in report
    monkeypatch.undo()
    assert quench("nucleation", "all", small, "--run", run)[0] == 0
    assert "fire" not in "\n".join(quench("status", run)[1])


def test_units_that_fail_together_are_tried_one_by_one(quench, small, tmp_path, monkeypatch):
    run, simulate, asked = tmp_path / "run", generate.simulate, []

    def broken(model, config, units, report):
        asked.append(list(units))
        if 1 in units:
            raise RuntimeError("the roof is on fire")
        yield from simulate(model, config, units, report)

    monkeypatch.setattr(generate, "simulate", broken)
    assert quench("nucleation", "generate", small, "--run", run, "--workers", "3")[0] == 1
    assert asked == [[0, 1, 2], [0], [1], [2]]
    assert units(run) == ["unit-00000.h5", "unit-00002.h5"]


def test_a_full_disk_is_not_tried_again(quench, small, tmp_path, monkeypatch):
    asked = []

    def full(model, config, units, report):
        asked.append(list(units))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generate, "simulate", full)
    code, lines = quench(
        "nucleation", "generate", small, "--run", tmp_path / "run", "--workers", "3"
    )
    assert code == 1
    assert asked == [[0, 1, 2]]
    assert "3 failed" in "\n".join(lines)


def test_a_note_of_failure_does_not_outlive_success(quench, small, tmp_path):
    """Another process brought the unit home after this one had failed."""
    run, note = tmp_path / "run", tmp_path / "run/log/unit-00001.failed"
    quench("nucleation", "generate", small, "--run", run)
    note.write_text("OSError: away for lunch\n")
    assert "failed" not in "\n".join(quench("status", run)[1])
    quench("nucleation", "generate", small, "--run", run)
    assert not note.exists()


def test_telemetry_never_costs_results(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with Progress(tmp_path, "generate", Rank()) as progress:
        monkeypatch.setattr(os, "replace", full)
        progress.file.close()
        progress.file = open("/dev/full", "w")  # noqa: SIM115
        progress.begin(2, "units")
        progress.spoken -= 100
        progress.reach(1)
    assert [p.name for p in tmp_path.iterdir()] == ["generate-task-0000-rank-0000.log"]


def test_a_refused_system_does_not_claim_the_run_directory(quench, tmp_path):
    path, run = tmp_path / "kac.yaml", tmp_path / "run"
    system = "system: {interaction: kac, range: 1.0, size: 8, field: FIELD}\n"
    rest = (
        "generate: {units: 1, events: 32, history: 5, copies: 10, window: 2}\ncollect: {bins: 2}\n"
    )
    path.write_text(system.replace("FIELD", "20.0") + rest)
    code, lines = quench("nucleation", "generate", path, "--run", run)
    assert (code, len(lines)) == (2, 1)
    assert "system.field is 20.0" in lines[0]
    path.write_text(system.replace("FIELD", "1.1") + rest)
    assert quench("nucleation", "generate", path, "--run", run)[0] == 0


def test_mixed_versions_of_the_code_are_a_warning(quench, small, tmp_path):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run)
    with_attributes(run / "generate/unit-00001.h5", git_revision="another")
    code, lines = quench("nucleation", "collect", small, "--run", run)
    assert code == 0
    assert sum("different revisions" in line and "another" in line for line in lines) == 1
    with h5py.File(run / "dataset.h5") as file:
        assert "another" in file.attrs["generate_revisions"].split()
        assert len(file.attrs["generate_revisions"].split()) == 2


def test_status_of_a_running_and_a_killed_process(quench, small, tmp_path):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run, "--set", "generate.units=1")
    quench(
        "nucleation", "generate", small, "--run", run, "--task", "0/3"
    )  # units grow to 3, two are left
    beat = {
        "stage": "generate",
        "done": 0.5,
        "total": 2,
        "units_per_second": 0.1,
        "seconds_left": 15.5,
        "host": "n1",
        "pid": 4,
        "time": time.time(),
        "log": "somewhere.log",
    }
    (run / "log/generate-task-0001-rank-0000.json").write_text(json.dumps(beat))
    report = "\n".join(quench("status", run)[1])
    assert "1 of 3 done" in report
    assert "1 process, 6 units/min, ETA 15 s" in report
    (run / "log/generate-task-0001-rank-0000.json").write_text(
        json.dumps({**beat, "time": time.time() - 300})
    )
    report = "\n".join(quench("status", run)[1])
    assert "nothing is running" in report
    assert "silent for 5 min: process 4 on n1, log somewhere.log" in report


DAMAGE = [
    ("log/generate-task-0000-rank-0000.json", b'{"time": null}'),
    ("log/generate-task-0000-rank-0000.json", b'{"time": 1, "units_per_second": "fast"}'),
    ("log/generate-task-0000-rank-0000.json", b"[1, 2]"),
    ("log/generate-task-0000-rank-0000.json", b"\xff\xfe" * 10),
    ("log/generate-task-0000.requeued", b"\x00\xff\n"),
    ("log/generate-task-none.requeued", b"once"),
    ("log/unit-00002.failed", b"\xff\x1b[2J"),
    ("log/train-spins-fold-0.failed", b"\xff"),
    ("log/slurm-train.failed", b"train: exit 2, see log"),
    ("train/single/spins/fold-0/metrics.csv", b""),
    ("train/single/spins/fold-0/metrics.csv", b"epoch,validation_loss\n0,0.5\n1"),
    ("train/single/spins/fold-0/metrics.csv", b"epoch,validation_loss\n0,abc\n"),
    ("train/single/spins/fold-0/metrics.csv", b"\xff,\xfe\n\x00"),
    ("train/single/spins/fold-0/test.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    ("dataset.h5", b"\x89HDF\r\n\x1a\n" + b"\xff" * 500),
]


@pytest.mark.parametrize(("name", "content"), DAMAGE, ids=[str(n) for n in range(len(DAMAGE))])
def test_status_survives_what_it_reads(quench, small, tmp_path, name, content):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run, "--task", "0/3")
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_bytes(content)
    code, lines = quench("status", run)
    assert code == 0
    assert "1 of 3 done" in lines[1]
    assert "\x1b" not in "".join(lines)
    if name.endswith("slurm-train.failed"):
        assert "  failed: train: exit 2, see log" in lines


def test_status_waits_for_no_pipe(quench, small, tmp_path):
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run, "--task", "0/3")
    for name in ("a.json", "b-task-0000.requeued", "unit-00002.failed", "slurm-x.failed"):
        os.mkfifo(run / "log" / name)
    assert quench("status", run)[0] == 0


def test_status_opens_no_unit(quench, small, tmp_path, monkeypatch):
    """It goes by names: 10^5 units are counted in a second."""
    run = tmp_path / "run"
    quench("nucleation", "generate", small, "--run", run, "--set", "generate.units=1")
    quench(
        "nucleation", "generate", small, "--run", run, "--task", "0/1", "--set", "generate.units=3"
    )
    opened = []
    whole = status.complete
    monkeypatch.setattr(status, "complete", lambda path: opened.append(path.name) or whole(path))
    assert "3 of 3 done" in "\n".join(quench("status", run)[1])
    assert opened == ["dataset.h5"]


def test_many_units_are_counted_by_name(quench, small, tmp_path, monkeypatch):
    """generate's scan and status open one unit at most; the rest are names in folders of 1 000."""
    run, count = tmp_path / "run", 20_000
    more = ("--set", f"generate.units={count}", "--task", "2/20000")
    assert quench("nucleation", "generate", small, "--run", run, *more)[0] == 0
    system = rundir.load(run)[1][0]
    for unit in range(count):
        if unit % 1000 == 0:
            system.shard(unit).parent.mkdir(exist_ok=True)
        if unit not in (2, 17_004):
            system.shard(unit).touch()
    folders = [run / "generate", *(p for p in (run / "generate").iterdir() if p.is_dir())]
    assert len(folders) == 20
    assert all(sum(p.is_file() for p in folder.iterdir()) <= 1000 for folder in folders)
    assert system.shard(17_004) == run / "generate/17000-17999/unit-17004.h5"
    opened, real = [], h5py.File
    monkeypatch.setattr(
        h5py, "File", lambda path, *a, **k: opened.append(path) or real(path, *a, **k)
    )
    start = time.monotonic()
    assert generating.missing(system, [*range(2, count)], None) == [17_004]
    assert "19999 of 20000 done" in "\n".join(quench("status", run)[1])
    assert time.monotonic() - start < 10  # seconds; a tenth on a quiet core
    assert len(opened) < 5


def test_all_makes_damaged_units_anew(quench, small, tmp_path):
    run, path = tmp_path / "run", tmp_path / "run/generate/unit-00001.h5"
    assert quench("nucleation", "collect", small, "--run", run)[0] == 2
    assert quench("nucleation", "generate", small, "--run", run)[0] == 0
    assert quench("nucleation", "collect", small, "--run", run)[0] == 0
    before = digests(run)
    (run / "dataset.h5").unlink()
    path.write_bytes(path.read_bytes()[:-1000])
    options = parser().parse_args(["nucleation", "all", str(small), "--run", str(run)])
    options.settings = []
    with Progress(run / "log", "all", Rank()) as progress:
        systems = rundir.load(run)[1]
        assert main.data(options, systems, Rank(), select("cpu"), progress) == (0, [])
    assert digests(run) == before
    assert path.with_name("unit-00001.h5.bad").exists()


def test_beyond_the_spinodal_is_a_warning(quench, small, tmp_path):
    settings = ["--set", "system.field=2.5", "--set", "generate.units=1"]
    code, lines = quench("nucleation", "generate", small, "--run", tmp_path / "run", *settings)
    assert code == 0
    assert sum("warning" in line and "not metastable" in line for line in lines) == 1


def test_many_processes_may_create_the_same_run(small, tmp_path):
    raw = rundir.config.read(small, [], "nucleation")
    run = tmp_path / "run"
    here = prepared(run, raw, "nucleation")
    again = prepared(run, raw, "nucleation")
    assert [s.config for s in here] == [s.config for s in again]
    assert sorted(p.name for p in run.iterdir()) == ["config.yaml", "generate", "log"]


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(quench, small, tmp_path):
    sizes = ("--set", "generate.units=4", "--set", "generate.copies=400")
    quench("nucleation", "all", small, "--run", tmp_path / "whole", *sizes)
    run = tmp_path / "run"
    process = command(
        "nucleation", "all", small, "--run", run, "--device", "cpu", "--workers", "1", *sizes
    )
    deadline = time.monotonic() + 60
    while not (run / "generate/unit-00001.h5").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(units(run)) < 5
    system = rundir.load(run)[1][0]
    assert len(generating.damaged(system, [*range(4)], None)) <= 2  # not there; none is damaged
    assert quench("nucleation", "all", small, "--run", run, *sizes)[0] == 0
    assert digests(run) == digests(tmp_path / "whole")
    assert not list(run.rglob("*.tmp"))


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_give_the_same_bytes(quench, small, tmp_path):
    pytest.importorskip("mpi4py")
    mpiexec = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    if mpiexec is None:
        pytest.skip("no mpiexec")
    quench("nucleation", "all", small, "--run", tmp_path / "one")
    start = [mpiexec, "-n", "2", sys.executable, "-m", "mpi4py", "-m", "jobs", "nucleation", "all"]
    rest = ["--device", "cpu", "--workers", "1"]
    done = subprocess.run(
        [*start, small, "--run", tmp_path / "two", *rest],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "rank 1" in done.stderr
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    start += [small, "--run", tmp_path / "no", "--set", "seed=-1"]
    wrong = subprocess.run([*start, *rest], capture_output=True, text=True, timeout=300)
    assert wrong.returncode != 0
    assert wrong.stderr.count("seed = -1") == 1
