"""Who does which unit."""

import itertools
import sys
from datetime import timedelta

import pytest

from jobs import UserError, units
from jobs.units import Rank


@pytest.mark.parametrize(
    ("tasks", "ranks", "count"), list(itertools.product((1, 2, 3, 7), (1, 2, 5), (0, 1, 6, 100)))
)
def test_every_unit_is_done_once(tasks, ranks, count):
    shares = [
        Rank(k, tasks, r, ranks).share(range(count)) for k in range(tasks) for r in range(ranks)
    ]
    assert sorted(itertools.chain(*shares)) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Rank(1 % tasks, tasks, ranks - 1, ranks).share(range(count)) == list(
        range((1 % tasks) * ranks + ranks - 1, count, tasks * ranks)
    )


SLURM = {
    "SLURM_JOB_ID": "17",
    "SLURM_ARRAY_TASK_ID": "5",
    "SLURM_ARRAY_TASK_MIN": "3",
    "SLURM_ARRAY_TASK_COUNT": "4",
}
PLACES = [
    (None, {}, (0, 1)),
    ("2/4", {}, (2, 4)),
    ("2/4", SLURM, (2, 4)),
    (None, SLURM, (2, 4)),
    (None, {**SLURM, "SLURM_ARRAY_TASK_MAX": "6"}, (2, 4)),
    (None, {"QUENCH_TASK": "1", "QUENCH_TASKS": "2", **SLURM}, (1, 2)),
    (None, {**SLURM, "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_STEP": "2"}, (2, 4)),
    (
        None,
        {**SLURM, "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "1"},
        (0, 1),
    ),
]


@pytest.mark.parametrize(("task", "environment", "expected"), PLACES)
def test_array_task(task, environment, expected):
    assert units.array_task(task, environment) == expected


@pytest.mark.parametrize(
    ("task", "environment"),
    [
        ("4/4", {}),
        ("-1/4", {}),
        ("1", {}),
        ("1/0", {}),
        (None, {"QUENCH_TASK": "4", "QUENCH_TASKS": "4"}),
        (None, {"QUENCH_TASK": "x", "QUENCH_TASKS": "4"}),
        (None, {**SLURM, "SLURM_ARRAY_TASK_ID": "9"}),  # --array=3,4,5,9 has a gap
        # every task of --array=3-5,7 says so, not the last alone
        *((None, {**SLURM, "SLURM_ARRAY_TASK_ID": k, "SLURM_ARRAY_TASK_MAX": "7"}) for k in "3457"),
        (None, {"SLURM_ARRAY_TASK_ID": "9"}),
        (None, {**SLURM, "SLURM_ARRAY_TASK_STEP": "0"}),
        (None, {name: text for name, text in SLURM.items() if name != "SLURM_JOB_ID"}),  # stale
    ],
)
def test_array_task_that_does_not_exist(task, environment):
    with pytest.raises(UserError):
        units.array_task(task, environment)


def test_mpi_stays_out_unless_launched(monkeypatch):
    monkeypatch.delitem(sys.modules, "mpi4py", raising=False)
    assert units.world({}) is None
    assert (
        units.world({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None
    )  # a batch script, not a step
    assert "mpi4py" not in sys.modules


def test_ranks_without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # what a failed import looks like
    with pytest.raises(UserError, match="mpi4py"):
        units.world({"PMI_SIZE": "2"})


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (dict(RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1"), "MASTER_PORT is None"),
        (dict(RANK="x", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1"), "RANK is 'x'"),
        (
            dict(RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="9"),
            "rank 1 of 2 did not meet the others at 127.0.0.1:9 within 3 s",
        ),
    ],
)
def test_ranks_that_do_not_meet_are_said(monkeypatch, capsys, variables, said):
    """By accident, or because one was lost: no silent wait and no traceback."""
    from jobs import distributed

    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(distributed, "MEETING", timedelta(seconds=3))
    monkeypatch.setattr(distributed, "ANNOUNCED", 0.3)
    with pytest.raises(UserError, match=said) as error:
        units.here(None)
    assert "\n" not in str(error.value)
    waits = "rank 1 of 2 waits for the others at 127.0.0.1:9" in capsys.readouterr().err
    assert waits == ("did not meet" in said)
