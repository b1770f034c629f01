"""Templates and submit.sh, on a real Slurm."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMALL, TWO_RANKS, one_of_the_kind
from slurm_cluster import ROOT
from test_jobs_rundir import digests
from test_jobs_signals import TOGETHER

from jobs import shards
from jobs import study as studies
from tests.fault_study import CONFIGS as FAULT_CONFIGS
from tests.fault_study import STAGES as FAULT_STAGES

TEMPLATES = [
    f"{study}_{stage}"
    for study in studies.NAMES
    for stage in (*studies.of(study).stages, "analysis")
]
FRUGAL = ("--", "--cpus-per-task=1", "--mem=500M")


@pytest.fixture
def many(small) -> Path:
    """Work for several tasks of an array."""
    small.write_text(
        small.read_text().replace("units: 3", "units: 6").replace("folds: 1", "folds: 2")
    )
    return small


def submit(cluster, *words, check=True, **environment) -> str:
    return cluster.shell("bash", ROOT / "slurm/submit.sh", *words, check=check, **environment)


def test_every_study_and_stage_has_its_template():
    assert {path.stem for path in (ROOT / "slurm").glob("*_*.sh")} == set(TEMPLATES)
    for name in TEMPLATES:
        text = (ROOT / f"slurm/{name}.sh").read_text()
        study, _, stage = name.partition("_")
        for words in (
            f"--job-name={study}-{stage}\n",
            f"STUDY={study} STAGE={stage}\n",
            "--signal=B:USR1@600\n",
            "# Runs:",
            "# Needs:",
            "# Costs:",
            "--open-mode=append\n",
        ):
            assert words in text, (name, words)
        assert ("--array" in text) == (stage in ("generate", "train", "rates"))


@pytest.mark.parametrize(
    "options",
    [(), ("--gpus-per-task=1",), ("--ntasks=2", "--ntasks-per-node=1")],
    ids=["one", "gpu", "ranks"],
)
def test_slurm_would_take_every_template(cluster, options):
    for name in TEMPLATES:
        assert "to start at" in cluster.run("sbatch", "--test-only", *options, f"slurm/{name}.sh")


@pytest.mark.slow
def test_a_study_from_submit_to_report(cluster, quench, many, tmp_path):
    run = tmp_path / "a run"
    said = submit(cluster, "nucleation", many, "--run", run, *FRUGAL, GENERATE_TASKS="3")
    ids = dict(re.findall(r"^(\w+) (\d+)$", said, re.M))
    assert list(ids) == ["generate", "collect", "train", "predict", "analysis"]
    assert quench("nucleation", "all", many, "--run", tmp_path / "local")[0] == 0  # meanwhile
    assert cluster.ended(*ids.values()) == [{"COMPLETED"}] * 5
    assert digests(run) == digests(tmp_path / "local")
    assert "# " in (run / "report.md").read_text()
    logs = sorted(path.name for path in (run / "log").glob("slurm-*.out"))
    assert logs == [
        "slurm-analysis.out",
        "slurm-collect.out",
        *(f"slurm-generate-{k}.out" for k in range(3)),
        "slurm-predict.out",
        "slurm-train-0.out",
        "slurm-train-1.out",
    ]
    first = (run / "log/slurm-generate-1.out").read_text()
    assert "2 of 6 units are mine" in first
    again = cluster.submit(
        "nucleation_generate",
        many,
        "--run",
        run,
        options=("--array=0-2", "--cpus-per-task=1", f"--output={run}/log/slurm-generate-%a.out"),
    )
    assert cluster.ended(again) == [{"COMPLETED"}]
    text = (run / "log/slurm-generate-1.out").read_text()
    assert text.startswith(first)
    assert "2 of 6 units are mine, 2 of them finished before" in text


@pytest.mark.slow
@pytest.mark.parametrize("study", one_of_the_kind(FAULT_CONFIGS))
def test_a_chain_where_nothing_is_exported(cluster, quench, study, tmp_path):
    """From another folder, with what sites set, and a limit no longer than the signal's 600 s: each
    life does a unit or epoch, analysis is not asked to stop.
    """
    small, names = tmp_path / "small.yaml", (*FAULT_STAGES[study], "analysis")
    small.write_text(SMALL if study == "nucleation" else FAULT_CONFIGS[study])
    run = tmp_path / "run"
    words = (study, small, "--run", run, *FRUGAL, "--export=NONE", "--time=00:10:00")
    command = " ".join(shlex.quote(str(word)) for word in (ROOT / "slurm/submit.sh", *words))
    said = cluster.shell(
        "bash",
        "-c",
        f"cd {shlex.quote(str(tmp_path))} && bash {command}",
        SBATCH_NO_REQUEUE="1",
        SBATCH_EXPORT="NONE",
        GENERATE_TASKS="2",
    )
    ids = dict(re.findall(r"^(\w+) (\d+)$", said, re.M))
    assert tuple(ids) == names
    assert cluster.ended(*ids.values()) == [{"COMPLETED"}] * len(names)
    assert "# " in (run / "report.md").read_text()
    if study == "nucleation":  # the others' bytes are those of tests/fault_study.py
        assert quench("nucleation", "all", small, "--run", tmp_path / "local")[0] == 0
        assert digests(run) == digests(tmp_path / "local")


@pytest.mark.slow
def test_ranks_on_two_nodes_train_one_network(cluster, quench, tmp_path):
    """Told to stop, they end after an epoch and go on together: the bytes of two ranks on one
    machine, in one go.
    """
    path = tmp_path / "together.yaml"
    path.write_text(TOGETHER)
    for run in ("run", "local"):
        for stage in ("generate", "collect"):
            assert quench("coarsening", stage, path, "--run", tmp_path / run)[0] == 0
    options = (
        "--ntasks=2",
        "--ntasks-per-node=1",
        "--array=0-0",
        "--cpus-per-task=1",
        f"--output={tmp_path}/out-%a",
    )
    job = cluster.submit(
        "coarsening_train", path, "--run", tmp_path / "run", "--device", "cpu", options=options
    )
    trained = Path("train/staggered/seed-0")
    history = tmp_path / "run" / trained / "metrics.csv"
    cluster.until(lambda: history.exists() and len(history.read_text().splitlines()) > 5, 60)
    cluster.run("scancel", "--signal=USR1", "--batch", job)
    cluster.until(lambda: "PENDING" in cluster.state(job), 30)
    said = (tmp_path / "out-0").read_text()
    assert len(re.findall("stopped by a signal", said)) == 1
    assert cluster.ended(job) == [{"COMPLETED"}]
    assert "life 2" in (tmp_path / "out-0").read_text()
    launch = [
        *TWO_RANKS,
        "jobs",
        "coarsening",
        "train",
        path,
        "--run",
        tmp_path / "local",
        "--device",
        "cpu",
        "--workers",
        "1",
    ]
    subprocess.run(
        launch,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=240,
    )
    files = [tmp_path / run / trained / "test.h5" for run in ("run", "local")]
    assert shards.read(files[0])[1]["ranks"] == 2
    assert shards.check(files[0]) == shards.check(files[1])


@pytest.mark.slow
def test_what_waits_for_a_failed_stage_is_removed(cluster, many, tmp_path):
    run = tmp_path / "run"
    said = submit(
        cluster,
        "nucleation",
        many,
        "--run",
        run,
        "--set",
        "train.training=14000",  # more than there will be; what surely is too many submit.sh refuses
        *FRUGAL,
        GENERATE_TASKS="1",
        TRAIN_TASKS="1",
    )
    ids = dict(re.findall(r"^(\w+) (\d+)$", said, re.M))
    states = dict(zip(ids, cluster.ended(*ids.values()), strict=True))
    assert states["collect"] == {"COMPLETED"}
    assert states["train"] == {"FAILED"}
    assert states["predict"] == states["analysis"] == {"CANCELLED"}
    assert "14000" in (run / "log/slurm-train-0.out").read_text()


def test_mistakes_are_said_before_anything_is_submitted(cluster, many, tmp_path):
    before = len(cluster.jobs())
    for words, line in [
        (("nucleation", many, "--run", tmp_path / "run", "--set", "seed=-1"), "seed = -1"),
        (("nucleation", tmp_path / "no.yaml"), "no.yaml"),
        (("nucleation", many, "--runs", tmp_path / "run"), "--runs: unknown"),
        (("nucleation",), "usage: slurm/submit.sh"),
        (("nucleation", many, "--run"), "--run: expected a value"),
    ]:
        said = submit(cluster, *words, check=False).splitlines()
        assert len(said) == 1, said
        assert line in said[0]
    assert "lacks Quench's packages" in submit(
        cluster, "nucleation", many, check=False, PYTHON="/usr/bin/false"
    )
    assert len(cluster.jobs()) == before
    assert not (tmp_path / "run").exists()


def test_dry_run(many, tmp_path):
    """Without Slurm, and touching nothing."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHON": sys.executable,
        "ACCOUNT": "ab12",
        "PARTITION": "cores",
        "GPU_PARTITION": "gpus",
        "GPU": "--gpus-per-task=1",
    }
    study = ["coarsening", "jobs/coarsening/demo.yaml"]
    words = [
        "bash",
        "slurm/submit.sh",
        *study,
        "--run",
        tmp_path / "50% run",
        "--dry-run",
        "--",
        "--mem=1G",
    ]
    lines = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    stages = [re.search(r"coarsening_(\w+)\.sh", line)[1] for line in lines]
    assert stages == ["generate", "collect", "train", "rollout", "analysis"]
    for line, stage in zip(lines, stages, strict=True):
        assert (
            ("--gpus-per-task=1" in line)
            == ("--partition=gpus" in line)
            == (stage not in ("collect", "analysis"))
        )
        assert "--account=ab12" in line
        assert "--mem=1G" in line
        assert "50%%" in line  # of --output, where Slurm has patterns
        assert ("afterok" in line) == (stage != "generate")
    assert "--array=0-1 " in lines[2]
    assert not (tmp_path / "50% run").exists()


def test_a_template_without_slurm(many, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "HOME": str(tmp_path)}
    command = [
        "bash",
        ROOT / "slurm/nucleation_generate.sh",
        many,
        "--run",
        tmp_path / "run",
        "--set",
        "generate.units=1",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "1 units done" in done.stderr
    assert (tmp_path / "run/generate/unit-00000.h5").exists()
