"""The faults of fault_study.py, each tried once on a small run of nucleation; the study tries them
on all studies, and many times.
"""

import sys
import time
from pathlib import Path

import fault_study
import pytest
from fault_study import CONFIGS, STAGES, Study, results

from jobs import rundir, status
from jobs.study import NAMES


@pytest.fixture(scope="module")
def nucleation(tmp_path_factory) -> Study:
    """A run in peace, without networks."""
    return Study("nucleation", tmp_path_factory.mktemp("faults"), ("generate", "collect"))


def need_mount(folder: Path) -> None:
    try:
        with fault_study.tmpfs(folder / "probe", 1 << 20):
            pass
    except Exception as error:
        pytest.skip(f"no tmpfs can be mounted here ({type(error).__name__})")


@pytest.mark.slow
@pytest.mark.parametrize("fault", fault_study.FAULTS)
def test_nothing_is_lost(nucleation, fault, request, tmp_path):
    if fault in ("full", "read_only"):
        need_mount(tmp_path)
    if fault == "thrown":
        pytest.importorskip("mpi4py")
        if not Path(sys.executable).with_name("mpiexec").exists():
            pytest.skip("no mpiexec")
    said = fault_study.FAULTS[fault](nucleation, 2)
    if said.startswith("not tried"):
        pytest.skip(said)
    expected = {
        "kills": ", 0 files lost, 0 left over",
        "full": "No space left on device",
        "read_only": "Read-only file system",
    }
    assert expected.get(fault, "") in said
    assert results(nucleation.whole) == nucleation.wanted


def test_the_configs_of_the_study_are_whole():
    assert set(CONFIGS) == set(STAGES) == set(NAMES)


@pytest.mark.parametrize("years", [-2, 0, 2])
def test_status_with_a_clock_that_jumps(quench, small, tmp_path, monkeypatch, years):
    """A heartbeat from the future is no more alive than one from the past."""
    run, now = tmp_path / "run", time.time()
    quench("nucleation", "generate", small, "--run", run)
    beat = '{"stage": "generate", "done": 1, "total": 2, "units_per_second": 1, "host": "n1", "pid": 4, "time": %f, "log": "a.log"}'
    (run / "log/generate-task-0001-rank-0000.json").write_text(beat % now)
    monkeypatch.setattr(time, "time", lambda: now + years * 3.2e7)
    said = status.report(run, *rundir.load(run))
    assert ("running: 1 process" in said) == (years == 0)
    assert ("silent for 17" in said) == (years != 0)  # thousand hours, not minus so many
