"""Tasks that end before their work does: time limits, preemption, dead nodes and ranks; on a real
Slurm.
"""

import re
import time
from pathlib import Path

import pytest
from conftest import ROOT, command
from test_jobs_rundir import digests, units

from kernels.device import gpu_problem

SLOW = """
seed: 7
system: {range: 1, size: 8, field: 0.9}
generate: {units: 12, events: 512, history: 12, copies: COPIES, window: 5, equilibration: 10}
collect: {bins: 4}
train: {models: [spins], folds: 1, training: 60, validation: 20, test: 20, max_epochs: 2}
predict: {models: [spins]}
"""
PERIOD = 30  # seconds between two looks of slurmctld at time limits
UNIT = 0.6  # seconds that a unit is to take here

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> tuple[Path, Path, float]:
    """A config of some seconds, its units made without Slurm, and what a unit took."""
    folder = tmp_path_factory.mktemp("slow")
    path, copies = folder / "slow.yaml", 100
    for trial in ("first", "second"):  # the first compiles
        path.write_text(SLOW.replace("COPIES", str(copies)))
        made(path, folder / trial, 4)
    copies = max(100, int(copies * UNIT / seconds(folder / "second")))
    path.write_text(SLOW.replace("COPIES", str(copies)))
    made(path, folder / "plain", 12)
    return path, folder / "plain", seconds(folder / "plain")


def made(path: Path, run: Path, count: int) -> None:
    process = command(
        "nucleation",
        "generate",
        path,
        "--run",
        run,
        "--device",
        "cpu",
        "--workers",
        "1",
        "--set",
        f"generate.units={count}",
    )
    assert process.wait(300) == 0, process.stderr.read()


def seconds(run: Path) -> float:
    """Between two units."""
    times = sorted(path.stat().st_mtime for path in (run / "generate").glob("unit-*.h5"))
    return (times[-1] - times[0]) / (len(times) - 1)


@pytest.fixture(scope="module")
def limited(cluster, slow, tmp_path_factory) -> tuple[str, Path]:
    """A task that meets its time limit while the other tests run: the signal comes within PERIOD
    seconds, the end after a minute or so.
    """
    folder = tmp_path_factory.mktemp("limited")
    count = max(12, int(2.5 * PERIOD / slow[2]))
    options = (
        "--array=0-0",
        "--time=1",
        "--signal=B:USR1@55",
        "--cpus-per-task=1",
        "--nodelist=n2",
        f"--output={folder}/out-%a",
    )
    words = (slow[0], "--run", folder / "run", "--set", f"generate.units={count}")
    return cluster.submit("nucleation_generate", *words, options=options), folder


def start(cluster, slow, folder, tasks=1, cores=1, count=12, more=(), **environment) -> str:
    options = (
        f"--array=0-{tasks - 1}",
        f"--cpus-per-task={cores}",
        f"--output={folder}/out-%a",
        *more,
    )
    words = (
        slow[0],
        "--run",
        folder / "run",
        "--device",
        "cpu",
        "--set",
        f"generate.units={count}",
    )
    return cluster.submit("nucleation_generate", *words, options=options, **environment)


def begun(cluster, folder, count=1) -> None:
    cluster.until(
        lambda: (
            (folder / "run/generate").exists()
            and len(list((folder / "run/generate").glob("unit-*.h5"))) >= count
        ),
        60,
    )


def test_a_preempted_task_goes_on(limited, cluster, slow, tmp_path, quench):
    """And what depends on it waits for its last life."""
    count = max(12, int(15 / slow[2]))  # enough for Slurm to take its time
    job = start(cluster, slow, tmp_path, count=count, more=("--nodelist=n1",))
    options = (
        f"--dependency=afterok:{job}",
        "--kill-on-invalid-dep=yes",
        "--cpus-per-task=1",
        f"--output={tmp_path}/collect",
    )
    words = (slow[0], "--run", tmp_path / "run", "--set", f"generate.units={count}")
    collect = cluster.submit("nucleation_collect", *words, options=options)
    begun(cluster, tmp_path, 2)
    words = (
        "--partition=urgent",
        "--nodelist=n1",
        "--nodes=1",
        "--ntasks=8",
        f"--output={tmp_path}/urgent",
        "--wrap=true",
    )
    urgent = cluster.run("sbatch", "--parsable", *words)
    cluster.until(lambda: "PENDING" in cluster.state(job), 30)
    assert 2 <= len(units(tmp_path / "run")) < count
    assert cluster.state(collect) == {"PENDING"}
    assert cluster.ended(job, collect) == [{"COMPLETED"}] * 2
    assert cluster.ended(urgent) == [{"COMPLETED"}]
    plain, found = digests(slow[1]), digests(tmp_path / "run")
    assert {name: found[name] for name in plain} == plain
    assert found.keys() - plain.keys() >= {"dataset.h5"}
    said = (tmp_path / "out-0").read_text()
    kept = re.findall(r"(\d+) of them finished before", said)
    assert kept[0] == "0"
    assert f"{count - int(kept[1])} units left" in said  # in its first life
    assert "life 2" in said
    assert any(
        "requeued: generate task 0: 1 time, last" in line
        for line in quench("status", tmp_path / "run")[1]
    )


def test_lives_are_counted_and_bounded(cluster, slow, tmp_path):
    job = start(cluster, slow, tmp_path, MAX_REQUEUES="0")
    begun(cluster, tmp_path)
    cluster.run("scancel", "--signal=USR1", "--batch", job)
    assert cluster.ended(job) == [{"FAILED"}]
    assert "stopped after 1 lives" in (tmp_path / "out-0").read_text()
    assert next(iter(cluster.jobs(job).values()))["ExitCode"] == "75:0"


def test_a_unit_that_outlasts_its_grace_is_killed_and_begun_again(cluster, slow, tmp_path):
    job = start(cluster, slow, tmp_path, GRACE="0")
    begun(cluster, tmp_path)
    cluster.run("scancel", "--signal=USR1", "--batch", job)
    cluster.until(lambda: "PENDING" in cluster.state(job), 30)
    assert cluster.ended(job) == [{"COMPLETED"}]
    assert digests(tmp_path / "run") == digests(slow[1])


def test_a_task_of_an_array_is_requeued_alone(cluster, slow, tmp_path):
    """The last one, whose id is also that of the whole array, while the others run or have
    ended.
    """
    job = start(cluster, slow, tmp_path, tasks=3)
    begun(cluster, tmp_path, 3)
    cluster.run("scancel", "--signal=USR1", "--batch", f"{job}_2")
    cluster.until(lambda: "life 2" in (tmp_path / "out-2").read_text(), 60)
    assert cluster.ended(job) == [{"COMPLETED"}]
    assert [re.findall(r"life (\d):", (tmp_path / f"out-{k}").read_text()) for k in range(3)] == [
        ["1"],
        ["1"],
        ["1", "2"],
    ]
    assert digests(tmp_path / "run") == digests(slow[1])


def test_a_cancelled_task_stays_dead(cluster, slow, tmp_path):
    job = start(cluster, slow, tmp_path)
    begun(cluster, tmp_path)
    cluster.run("scancel", job)
    assert cluster.ended(job) == [{"CANCELLED"}]
    cluster.until(lambda: "not requeued" in (tmp_path / "out-0").read_text(), 20)
    assert cluster.state(job) == {"CANCELLED"}


def test_two_ranks_a_task(cluster, slow, tmp_path):
    """One on each node, under srun; told to stop, both do, and go on together."""
    job = start(cluster, slow, tmp_path, more=("--ntasks=2", "--ntasks-per-node=1"))
    begun(cluster, tmp_path, 2)
    cluster.run("scancel", "--signal=USR1", "--batch", job)
    cluster.until(lambda: "PENDING" in cluster.state(job), 30)
    said = (tmp_path / "out-0").read_text()
    assert "12 of 12 units are mine, 0 of them finished before; 2 ranks share them" in said
    assert len(re.findall("stopped by a signal", said)) == 1
    assert cluster.ended(job) == [{"COMPLETED"}]
    assert digests(tmp_path / "run") == digests(slow[1])


def submitted(cluster, slow, folder, *more, **environment) -> dict[str, str]:
    """A whole chain, of two tasks; {stage: id}."""
    words = (ROOT / "slurm/submit.sh", "nucleation", slow[0], "--run", folder / "run", *more)
    options = ("--", "--cpus-per-task=1", "--mem=500M")
    said = cluster.shell("bash", *words, *options, GENERATE_TASKS="2", **environment)
    return dict(re.findall(r"^(\w+) (\d+)$", said, re.M))


def test_where_requeue_is_forbidden_another_job_goes_on(cluster, slow, tmp_path, quench):
    """And what waited for the first waits for that one; told to stop again, it does the same."""
    ids = submitted(cluster, slow, tmp_path, REQUEUE="no")
    begun(cluster, tmp_path, 2)
    assert {job["Requeue"] for job in cluster.jobs(ids["generate"]).values()} == {"0"}
    jobs, log = (tmp_path / "run/log" / f"slurm-generate{end}" for end in (".jobs", "-1.out"))
    for life in (1, 2):
        job = jobs.read_text().split()[-1]
        cluster.until(lambda life=life: log.read_text().count("are mine") == life, 60)
        cluster.until(lambda job=job: "RUNNING" in cluster.state(f"{job}_1"), 30)
        cluster.run("scancel", "--signal=USR1", "--batch", f"{job}_1")
        cluster.until(lambda life=life: len(jobs.read_text().split()) == 1 + life, 60)
    last = jobs.read_text().split()[-1]
    assert cluster.state(ids["collect"]) == {"PENDING"}
    assert f"afterok:{last}" in cluster.run("scontrol", "show", "job", ids["collect"])
    assert cluster.ended(*ids.values(), last) == [{"COMPLETED"}] * 6
    plain, found = digests(slow[1]), digests(tmp_path / "run")
    assert {name: found[name] for name in plain} == plain
    said = log.read_text()
    assert re.findall(r"life (\d):", said) == ["1", "2", "3"]
    assert re.findall(r"(\d+) of 12 units are mine", said) == ["6"] * 3
    lines = quench("status", tmp_path / "run")[1]
    assert any("requeued: generate task 1: 2 times" in line for line in lines)


def test_what_failed_is_done_again_by_one_command(cluster, slow, tmp_path, quench, monkeypatch):
    """One task of an array, and the chain behind it, which Slurm had removed."""
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
    run = tmp_path / "run"
    count = max(60, 2 * int(20 / slow[2]))  # each task outlasts what is looked at meanwhile
    ids = submitted(cluster, slow, tmp_path, "--set", f"generate.units={count}", MAX_REQUEUES="0")
    begun(cluster, tmp_path, 2)
    again = ("bash", ROOT / "slurm/submit.sh", "--failed", run)
    said = cluster.shell(*again, check=False)
    assert "wait for it, or scancel it" in said
    cluster.run("scancel", "--signal=USR1", "--batch", f"{ids['generate']}_1")
    assert cluster.ended(*ids.values())[0] == {"COMPLETED", "FAILED"}
    lines = "\n".join(quench("status", run)[1])
    assert re.search(r"Slurm: generate: 1 completed, 1 failed", lines), lines
    assert f"generate task 1: FAILED (NonZeroExitCode), job {ids['generate']}_1" in lines
    assert "Slurm: collect: CANCELLED" in lines
    assert f"slurm/submit.sh --failed {run} does again" in lines
    said = cluster.shell(*again)
    ids = dict(re.findall(r"^(\w+) (\d+)$", said, re.M))
    assert list(ids) == ["generate", "collect", "train", "predict", "analysis"]
    assert len(cluster.jobs(ids["generate"])) == 1
    assert cluster.ended(*ids.values()) == [{"COMPLETED"}] * 5
    said = (run / "log/slurm-generate-1.out").read_text()
    assert re.findall(rf"(\d+) of {count} units", said) == [f"{count // 2}"] * 2
    assert "# " in (run / "report.md").read_text()
    assert "nothing of" in cluster.shell(*again, check=False)


def test_two_arrays_on_one_run(cluster, slow, tmp_path):
    jobs = [start(cluster, slow, tmp_path, tasks=tasks) for tasks in (2, 3)]
    assert cluster.ended(*jobs) == [{"COMPLETED"}] * 2
    assert digests(tmp_path / "run") == digests(slow[1])
    assert not list(tmp_path.rglob("*.bad*")) + list(tmp_path.rglob("*.tmp"))


@pytest.mark.skipif(gpu_problem() is None, reason="this machine has a GPU")
@pytest.mark.parametrize("asked", ["--gpus-per-task=1", "--gres=gpu:1", "--gpus=1"])
def test_a_gpu_that_is_not_there(cluster, slow, tmp_path, asked):
    """The task says so at once, and which node it is; it does not do on cores what was to be done
    on a GPU.
    """
    options = (
        "--array=0-0",
        asked,
        "--cpus-per-task=1",
        f"--output={tmp_path}/out-%a",
        "--nodelist=n2",
    )
    job = cluster.submit("nucleation_generate", slow[0], "--run", tmp_path / "run", options=options)
    assert cluster.ended(job) == [{"FAILED"}]
    first, *rest = (tmp_path / "out-0").read_text().splitlines()
    assert "--device gpu" in first
    assert len(rest) == 1
    assert rest[0].startswith("--device gpu on node n2: no GPU to run on")


def test_a_dead_node_costs_no_result(cluster, slow, tmp_path):
    """It dies in the middle of an array; its task begins again on the other one."""
    job = start(cluster, slow, tmp_path, tasks=2, cores=5, count=30)  # of 8: one task a node
    begun(cluster, tmp_path, 4)
    nodes = {each["NodeList"] for each in cluster.jobs(job).values()}
    cluster.kill_node("n1")
    killed = time.monotonic()
    try:
        assert cluster.ended(job) == [{"COMPLETED"}]
    finally:
        cluster.start_node("n1")
    assert nodes == {"n1", "n2"}
    assert time.monotonic() - killed < 100
    plain, found = digests(slow[1]), digests(tmp_path / "run")
    assert len(found) == 30
    assert {name: found[name] for name in plain} == plain
    assert len(list((tmp_path / "run/log").glob("*.requeued"))) == 1
    cluster.until(lambda: set(cluster.states().values()) <= {"idle", "mix"}, 60)


def test_a_task_hit_by_its_time_limit_finishes(limited, cluster, slow, quench):
    job, folder = limited
    assert cluster.ended(job, seconds=200) == [{"COMPLETED"}]
    said = (folder / "out-0").read_text()
    lives = re.findall(r"life (\d)", said)
    assert lives[0] == "1"
    assert "life 2:" in said
    assert "stopped by a signal" in said
    assert "requeued, life 1 ends" in said
    plain = digests(slow[1])
    found = digests(folder / "run")
    assert {name: found[name] for name in plain} == plain
    assert any("requeued: generate task 0" in line for line in quench("status", folder / "run")[1])
