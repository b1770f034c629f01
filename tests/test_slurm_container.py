"""slurm/quench.def without Apptainer: what its %post does, as a script in a fresh folder; and
slurm/contained.sh, by which jobs run in the container.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

RECIPE = (ROOT / "slurm/quench.def").read_text()


def section(name: str) -> list[str]:
    """Its lines."""
    found = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", RECIPE, re.M | re.S)
    return [line.strip() for line in found[1].splitlines() if line.strip()]


def taken(folder):
    """The %files, where %post finds them."""
    for line in section("files"):
        source, target = line.split()
        there = folder / target.removeprefix("/opt/quench/")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, there)
    return folder


def post(folder, **variables):
    """Runs it; the process."""
    (folder / "source").mkdir()
    script = "\n".join(section("post")).replace("{{ CUDA }}", section("arguments")[0].split("=")[1])
    variables |= {
        "QUENCH_SOURCE": str(taken(folder / "source")),
        "QUENCH_PREFIX": str(folder / "venv"),
    }
    without = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    path = f"{os.path.dirname(os.path.realpath(sys.executable))}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", script],
        env=without | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        timeout=1500,
    )


@pytest.mark.slow
@pytest.mark.long
def test_its_steps_make_an_environment_that_runs(tmp_path):
    """From the packages' registry, some 2.4 GB; then a data set, far from the repository."""
    done = post(tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith("Quench ")
    words = ("nucleation", "generate", "jobs/nucleation/demo.yaml", "--run", tmp_path / "run")
    few = ("--set", "generate.units=1", "--device", "cpu")
    ran = subprocess.run(
        [tmp_path / "venv/bin/python", "-m", "jobs", *words, *few],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "run/generate/unit-00000.h5").exists()


def test_its_steps_stop_at_the_first_that_fails(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text("#!/bin/sh\necho no venv here >&2\nexit 3\n")
    (tmp_path / "bin/python3").chmod(0o755)
    done = post(tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (3, "")


def test_jobs_run_in_the_container(tmp_path, small):
    """By an Apptainer that is none, which notes what it is asked for."""
    fake = tmp_path / "apptainer"
    fake.write_text(
        f'#!/bin/bash\necho "$@" >>{tmp_path}/asked\n'
        f'while [ "$1" != python ]; do shift; done; shift; exec {sys.executable} "$@"\n'
    )
    fake.chmod(0o755)
    (tmp_path / "quench.sif").touch()
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "PYTHON": str(ROOT / "slurm/contained.sh"),
        "QUENCH_IMAGE": str(tmp_path / "quench.sif"),
    }
    words = ["bash", ROOT / "slurm/nucleation_generate.sh", small, "--run", tmp_path / "run"]
    more = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
    ran = subprocess.run([*words, "--set", "generate.units=1"], **more)
    assert ran.returncode == 0, ran.stderr
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert f"--bind {ROOT} --bind {tmp_path} {tmp_path}/quench.sif python -m jobs" in asked
    environment["QUENCH_IMAGE"] = str(tmp_path / "none.sif")
    ran = subprocess.run(words, **more)
    assert ran.returncode == 2
    assert "none.sif: not there" in ran.stderr
