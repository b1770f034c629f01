"""The model of a job's ranks: closed forms, and a real run of four ranks."""

import numpy as np
import pytest
from claims_run import makespan, spans, started
from cluster_model import LANES, Job, claimed, claiming, lives, striding, units

from jobs.nucleation.config import Generate
from jobs.nucleation.generate import label_steps
from jobs.nucleation.generate import lives as mean_lives


def test_small_cases_by_hand():
    job = Job(np.array([4.0, 1, 1, 1, 1]), np.ones(2))
    assert (job.ideal, striding(job), claiming(job)) == (4, 6, 4)
    slow = Job(np.ones(6), np.array([0.5, 1]))
    assert (slow.ideal, striding(slow), claiming(slow)) == (4, 6, 4)
    assert claiming(Job(np.ones(4), np.ones(2), claim=0.5)) == 3


def test_a_unit_takes_what_its_lifetimes_take():
    """The mean of the last of n exponential lifetimes is the harmonic number H_n, jobs' `lives`."""
    g = Generate(units=1, events=1280, equilibration=1, history=1, copies=1)
    labels = 1 + g.events * label_steps(g) / LANES
    found = units(400, g, 1000.0, 1.0, np.random.default_rng(1)) - labels
    error = found.std() / 20
    assert abs(found.mean() - 1000 * mean_lives(1280, 1280, LANES)) < 4.5 * error + 5


def test_a_failure_costs_what_is_in_progress():
    """Of a rank with units of u seconds and rare failures u / 2 each; none: nothing."""
    job = Job(np.ones(200), np.ones(1))
    random = np.random.default_rng(2)
    assert lives(job, 0.0, 0.0, random) == (200, 0)
    runs = [lives(job, 0.02, 0.0, random) for _ in range(300)]
    lost = sum(total - 200 for total, _ in runs) / sum(n for _, n in runs)
    assert lost == pytest.approx(0.5, abs=4.5 * 12**-0.5 / 1000**0.5)


def four_ranks(config, run, sleeps, slow):
    """{unit: (rank, began, ended)}, where units take rank 2 `slow` times as long."""
    done = started(4, config, run, sleeps, SLOW={"2": slow})
    assert done.returncode == 0, done.stderr
    return spans(run)


@pytest.mark.mpi
def test_a_slow_rank_takes_fewer(small, tmp_path):
    """Eight times as slow, which a busy machine does not hide; striding gives each rank ten."""
    found = four_ranks(small, tmp_path / "run", [0.1] * 40, 8)
    made = np.bincount([rank for rank, *_ in found.values()], minlength=4)
    assert made.sum() == 40
    assert made[2] <= 7
    model = [rank for rank, _ in claimed(Job(np.ones(40), np.array([1, 1, 1 / 8, 1])))]
    assert model.count(2) <= 2


@pytest.mark.slow
@pytest.mark.mpi
def test_against_four_ranks(small, tmp_path):
    """The makespan, on a machine that does nothing else."""
    sleeps = [*np.random.default_rng(5).exponential(0.2, 40)]
    found = four_ranks(small, tmp_path / "run", sleeps, 2)
    # what a unit took beside its sleep: to be written, on this machine, now
    extra = np.mean(
        [end - begin - sleeps[u] * (1 + (r == 2)) for u, (r, begin, end) in found.items()]
    )
    job = Job(np.array(sleeps), np.array([1, 1, 0.5, 1]), claim=extra)
    assert makespan(tmp_path / "run") == pytest.approx(claiming(job), rel=0.15)
    assert makespan(tmp_path / "run") < 0.9 * striding(job)
