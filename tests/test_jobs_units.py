"""Who does which unit."""

import itertools
import sys

import pytest

from jobs import UserError, units
from jobs.units import Place


@pytest.mark.parametrize(
    ("tasks", "ranks", "count"), list(itertools.product((1, 2, 3, 7), (1, 2, 5), (0, 1, 6, 100)))
)
def test_every_unit_is_done_once(tasks, ranks, count):
    shares = [
        Place(k, tasks, r, ranks).share(range(count)) for k in range(tasks) for r in range(ranks)
    ]
    assert sorted(itertools.chain(*shares)) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Place(1 % tasks, tasks, ranks - 1, ranks).share(range(count)) == list(
        range((1 % tasks) * ranks + ranks - 1, count, tasks * ranks)
    )


SLURM = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "4"}
PLACES = [
    (None, {}, (0, 1)),
    ("2/4", {}, (2, 4)),
    ("2/4", SLURM, (2, 4)),
    (None, SLURM, (2, 4)),
    (None, {"QUENCH_TASK": "1", "QUENCH_TASKS": "2", **SLURM}, (1, 2)),
    (None, {**SLURM, "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_STEP": "2"}, (2, 4)),
    (
        None,
        {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "1"},
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
        (None, {"SLURM_ARRAY_TASK_ID": "9"}),
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
