"""`python -m jobs build`: kernels for nodes that have no compiler."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT, SMALL

from kernels import device
from tests.fault_study import CONFIGS

LARGE = "large: {size: 32, frames: 3, kept: 2, feature_size: 8}\n"
RATES = "rates: {repeats: 2, trials: 256, coordinate: largest_cluster}\n"
ALL = {**CONFIGS, "nucleation": SMALL + RATES, "coarsening": CONFIGS["coarsening"] + LARGE}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, of a process that has built nothing yet."""
    monkeypatch.setenv("QUENCH_CACHE", str(tmp_path / "cache"))
    for function in (device.compiler_or_none, device.build):
        function.cache_clear()
    yield tmp_path / "cache"
    for function in (device.compiler_or_none, device.build):
        function.cache_clear()


@pytest.mark.parametrize(
    "study",
    [
        "nucleation",
        *(
            pytest.param(study, marks=(pytest.mark.slow, pytest.mark.long))
            for study in ("segregation", "flocking", "coarsening")
        ),
    ],
)
def test_a_study_runs_without_a_compiler_once_it_is_built(quench, cache, study, tmp_path):
    """In a process that finds none: all stages, large too, with what `build` left, and no more."""
    config = tmp_path / "small.yaml"
    config.write_text(ALL[study])
    code, (line,) = quench("build", study, config)
    assert code == 0, line
    built = sorted(path.name for path in cache.iterdir())
    assert line.startswith(f"{study}: {len(built)} kernels compiled, {len(built)} kept in {cache}")
    assert f": 0 kernels compiled, {len(built)} kept" in quench("build", study, config)[1][0]
    without = {name: value for name, value in os.environ.items() if name != "CXX"}
    without |= {"PATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    stages = ["all"] + ["large"] * (study == "coarsening")
    for stage in stages:
        words = [
            study,
            stage,
            config,
            "--run",
            tmp_path / "run",
            "--device",
            "cpu",
            "--workers",
            "1",
        ]
        ran = subprocess.run(
            [sys.executable, "-m", "jobs", *map(str, words)],
            cwd=ROOT,
            env=without,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in cache.iterdir()) == built


def test_without_a_compiler_one_line_says_what_to_install(
    quench, cache, small, tmp_path, monkeypatch
):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    code, (line,) = quench("build", "nucleation", small)
    assert code == 2
    assert "no C++ compiler found" in line


def test_a_cache_that_cannot_be_written_is_used(cache, monkeypatch, tmp_path):
    """As a node sees a read-only file system, whose own folder for what is new is elsewhere."""
    from kernels import percolation

    cpu = device.select("cpu", workers=1)
    percolation.module_of(8, cpu)
    (kept,) = cache.iterdir()
    device.build.cache_clear()
    device.compiler_or_none.cache_clear()
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()

    class ReadOnly:
        def __init__(self, dir):
            raise OSError(30, "Read-only file system", str(dir))

    monkeypatch.setattr(device.tempfile, "TemporaryFile", ReadOnly)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    percolation.module_of(8, cpu)
    assert list(cache.iterdir()) == [kept]
    with pytest.raises(device.DeviceError, match="no C"):
        percolation.module_of(9, cpu)


def test_kernels_for_another_cpu_are_found_there(quench, cache, small, tmp_path, monkeypatch):
    """On a node without AVX-512 and without a compiler; a machine with it has its own."""
    if device.cpu_level() is None:
        pytest.skip("a CPU without AVX2")
    code, (line,) = quench("build", "nucleation", small, "--cpu", "znver3")
    assert code == 0, line
    assert line.endswith("for x86-64-v3")
    built = sorted(cache.iterdir())
    has = set(device.cpu_features().split())
    monkeypatch.setattr(device, "cpu_features", lambda: " ".join(has - {"avx512f"}))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    for function in (device.compiler_or_none, device.build):
        function.cache_clear()
    assert device.cpu_level() == "x86-64-v3"
    assert quench("nucleation", "generate", small, "--run", tmp_path / "run")[0] == 0
    assert quench("nucleation", "collect", "--run", tmp_path / "run")[0] == 0
    assert sorted(cache.iterdir()) == built
    device.build.cache_clear()
    monkeypatch.setattr(device, "cpu_features", lambda: " ".join(has - {"avx2", "avx512f"}))
    assert device.cpu_level() is None
    with pytest.raises(device.DeviceError, match="no C"):
        device.build("percolation.cu", (("LANES", 8),))


def test_a_cpu_that_is_not_known_is_refused(quench, small):
    code, (line,) = quench("build", "nucleation", small, "--cpu", "pentium")
    assert code == 2
    assert "cpu is 'pentium'; it must be one of x86-64-v4, x86-64-v3, " in line
    code, (line,) = quench("build", "nucleation", small, "--cpu", "znver3", "--device", "gpu")
    assert code == 2
    assert line == "--cpu znver3: not with --device gpu"


def test_what_was_compiled_for_another_cpu_is_not_run(cache):
    from kernels import percolation

    for other in device.others("x86-64-v4"):
        with pytest.raises(device.DeviceError, match="for x86-64-v4, which is not this machine"):
            percolation.module_of(8, other).launch("clusters", 1)


@pytest.mark.parametrize("study", ALL)
def test_nothing_runs_while_kernels_are_compiled(quench, study, tmp_path, monkeypatch):
    """Since another CPU's kernels cannot; all are of its level."""
    levels = []
    monkeypatch.setattr(device, "build", lambda file, options, level: levels.append(level))
    config = tmp_path / "small.yaml"
    config.write_text(ALL[study])
    code, lines = quench("build", study, config, "--cpu", "znver4")
    assert (code, set(levels)) == (0, {"x86-64-v4"}), lines
