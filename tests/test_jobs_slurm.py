"""What `status` and submit.sh make of Slurm's words; a real Slurm: tests/test_slurm_lives.py."""

import os

import pytest
from conftest import SMALL, prepared

from jobs import config, slurm

STAGES = ("generate", "collect", "train", "predict", "analysis")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """said(squeue=, sacct=): programs that answer so, '' by failing; the run's log is there."""
    log = tmp_path / "run/log"
    log.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def answer(jobs: dict, squeue: str = "", sacct: str = ""):
        for name, text in (("squeue", squeue), ("sacct", sacct)):
            program = tmp_path / name
            program.write_text(
                f"#!/bin/sh\ncat <<END\n{text}\nEND\n" if text else "#!/bin/sh\nexit 1\n"
            )
            program.chmod(0o755)
        for stage, ids in jobs.items():
            (log / f"slurm-{stage}.jobs").write_text(ids)
        return tmp_path / "run"

    return answer


def test_states_are_counted_with_the_reason_of_what_waits(said):
    squeue = "7_0|RUNNING|None\n7_1|PENDING|Resources\n7_2|PENDING|Resources\n8|PENDING|Dependency"
    run = said({"generate": "7\n", "collect": "8\n"}, squeue)
    assert slurm.report(run, STAGES) == [
        "Slurm: generate: 1 running, 2 pending (Resources)",
        "Slurm: collect: 1 pending (Dependency)",
    ]
    assert slurm.again(run, STAGES) == "alive generate task 0 is RUNNING, job 7_0"


def test_the_last_job_of_a_task_counts_and_squeue_before_sacct(said):
    """9 went on with task 1 of 7; accounting knows what squeue has forgotten."""
    sacct = "7_0|OUT_OF_MEMORY|0:125\n7_1|FAILED|1:0\n9_1|RUNNING|0:0\n7_2|COMPLETED|0:0\n7_[3-4]|PENDING|0:0"
    run = said({"generate": "9\n7\n"}, "9_1|COMPLETED|None", sacct)
    assert slurm.report(run, STAGES) == [
        "Slurm: generate: 1 out_of_memory, 2 completed",
        "Slurm: generate task 0: OUT_OF_MEMORY (exit 0:125), job 7_0",
        f"Slurm: slurm/submit.sh --failed {run} does again what failed",
    ]
    assert slurm.again(run, STAGES) == "generate 0"


def test_the_first_stage_that_failed_is_the_one_to_do_again(said):
    squeue = "5_0|COMPLETED|None\n5_1|TIMEOUT|TimeLimit\n5_2|CANCELLED|None\n6|CANCELLED|Dependency"
    run = said({"generate": "5", "collect": "6"}, squeue)
    assert slurm.again(run, STAGES) == "generate 1,2"


def test_where_slurm_has_forgotten_the_notes_tell(said):
    run = said({"generate": "5", "train": "6"})
    assert slurm.report(run, STAGES) == []
    assert slurm.again(run, STAGES) == ""
    for name in ("slurm-train-3.failed", "slurm-train-11.failed", "slurm-analysis.failed"):
        (run / "log" / name).write_text("exit 2\n")
    assert slurm.again(run, STAGES) == "train 3,11"
    for path in (run / "log").glob("slurm-train*"):
        path.unlink()
    assert slurm.again(run, STAGES) == "analysis"


def test_status_has_them(said, quench, tmp_path):
    run = said({"generate": "7"}, "7_0|FAILED|NonZeroExitCode")
    (tmp_path / "c.yaml").write_text(SMALL)
    prepared(run, config.read(tmp_path / "c.yaml", [], "nucleation"), "nucleation")
    assert any(
        "generate task 0: FAILED (NonZeroExitCode)" in line for line in quench("status", run)[1]
    )
    assert quench("status", "--failed", run)[1] == ["generate 0"]
