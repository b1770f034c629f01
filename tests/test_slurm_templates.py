"""The templates by themselves: where they find the repository, what they leave of a failure, and
what becomes of a chain that Slurm refuses half of.  (A real Slurm: test_slurm_*.py.)
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, SMALL

TEMPLATES = sorted((ROOT / "slurm").glob("*_*.sh"))


def environment(path=os.environ["PATH"], **more) -> dict[str, str]:
    """Hardly anything, as after sbatch --export=NONE."""
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "PYTHON": sys.executable, **more}


def run(*words, **options):
    return subprocess.run(
        ["bash", *map(str, words)], capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture
def spool(tmp_path):
    """A template where slurmd runs its copy of it, far from the repository."""
    folder = tmp_path / "spool"
    folder.mkdir()
    shutil.copy(ROOT / "slurm/nucleation_collect.sh", folder / "slurm_script")
    return folder / "slurm_script"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_all_begin_alike(template):
    study, _, stage = template.stem.partition("_")
    text = template.read_text()
    assert f"STUDY={study} STAGE={stage}\n" in text
    head, body = text.split("STUDY=", 1)
    assert [line for line in head.splitlines()[1:] if not line.startswith("#")] == []
    same = TEMPLATES[0].read_text().split("STUDY=", 1)[1]
    assert body.partition("\n")[2] == same.partition("\n")[2]
    assert "#SBATCH --requeue" in head


def test_the_repository_is_an_argument(spool, tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    words = ("--quench", ROOT, config, "--run", tmp_path / "run")
    ran = run(spool, *words, cwd=tmp_path, env=environment())
    assert ran.returncode == 2
    assert "cannot collect: missing units: 0-2" in ran.stdout + ran.stderr


def test_a_template_that_does_not_find_it_says_what_to_do(spool, tmp_path):
    ran = run(spool, "c.yaml", cwd=tmp_path, env=environment(SLURM_SUBMIT_DIR=str(tmp_path)))
    assert ran.returncode == 2
    assert "--quench FOLDER" in ran.stderr


def test_a_failure_is_noted_until_the_stage_goes_well(quench, small, tmp_path):
    folder = tmp_path / "run"
    words = (ROOT / "slurm/nucleation_collect.sh", small, "--run", folder)
    quench("nucleation", "generate", small, "--run", folder, "--task", "0/3")
    assert run(*words, env=environment()).returncode == 2
    lines = quench("status", folder)[1]
    assert any(re.search(r"failed: collect: exit 2 on .*; see .*/log", line) for line in lines), (
        lines
    )
    quench("nucleation", "generate", small, "--run", folder)
    assert run(*words, env=environment()).returncode == 0
    assert not list((folder / "log").glob("slurm-*.failed"))


@pytest.fixture
def slurm(tmp_path):
    """slurm(refused) -> environment with an sbatch that refuses one stage, and what was called."""

    def make(refused):
        folder, called = tmp_path / "bin", tmp_path / "called"
        folder.mkdir()
        (folder / "sbatch").write_text(
            f'#!/bin/bash\necho sbatch "$@" >>{called}\n'
            f"case \"$*\" in *_{refused}.sh*) echo 'sbatch: error: refused' >&2; exit 1 ;; esac\n"
            f"wc -l <{called}\n"
        )
        (folder / "scancel").write_text(f'#!/bin/bash\necho scancel "$@" >>{called}\n')
        for name in ("sbatch", "scancel"):
            (folder / name).chmod(0o755)
        return environment(f"{folder}:{os.environ['PATH']}"), called

    return make


def test_a_chain_is_submitted_whole_or_not_at_all(slurm, small, tmp_path):
    variables, called = slurm("train")
    words = (ROOT / "slurm/submit.sh", "nucleation", small, "--run", tmp_path / "run")
    ran = run(*words, env=variables)
    assert ran.returncode == 2
    assert "train was refused; of this chain nothing is left in the queue" in ran.stderr
    assert ran.stdout == ""
    assert called.read_text().splitlines()[-1] == "scancel 1 2"


def test_a_chain_does_not_depend_on_what_is_exported(slurm, small, tmp_path):
    variables, called = slurm("nothing")
    words = (ROOT / "slurm/submit.sh", "nucleation", small, "--run", tmp_path / "run")
    ran = run(*words, env=variables | {"SBATCH_NO_REQUEUE": "1", "SBATCH_EXPORT": "NONE"})
    assert ran.returncode == 0, ran.stderr
    jobs = [line for line in called.read_text().splitlines() if line.startswith("sbatch")]
    assert len(jobs) == 5
    assert all("--requeue --export=ALL" in job and f"--quench {ROOT} " in job for job in jobs)
    assert [line.split()[0] for line in ran.stdout.splitlines()[:5]] == [
        "generate",
        "collect",
        "train",
        "predict",
        "analysis",
    ]


def test_arrays_are_as_long_as_slurm_allows(slurm, small, tmp_path):
    variables, called = slurm("nothing")
    scontrol = tmp_path / "bin/scontrol"
    scontrol.write_text("#!/bin/bash\necho 'MaxArraySize            = 2'\n")
    scontrol.chmod(0o755)
    ran = run(
        *(ROOT / "slurm/submit.sh", "nucleation", small, "--run", tmp_path / "run"), env=variables
    )
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        "generate: 2 tasks, of which arrays may not have more here (MaxArraySize), not 3"
    ]
    assert "--array=0-1 " in called.read_text().splitlines()[0]
    assert (tmp_path / "run/log/slurm-generate.jobs").read_text() == "1\n"


def test_nothing_is_left_on_record_of_a_chain_that_was_refused(slurm, small, tmp_path):
    variables, _ = slurm("collect")
    run(*(ROOT / "slurm/submit.sh", "nucleation", small, "--run", tmp_path / "run"), env=variables)
    assert not list((tmp_path / "run/log").glob("*.jobs"))
    ran = run(ROOT / "slurm/submit.sh", "--failed", tmp_path / "run", env=variables)
    assert (ran.returncode, ran.stderr) == (2, f"--failed: nothing of {tmp_path}/run has failed\n")


def test_what_failed_without_submit_is_not_guessed(slurm, small, tmp_path):
    variables, _ = slurm("nothing")
    folder = tmp_path / "run"
    words = (ROOT / "slurm/nucleation_collect.sh", small, "--run", folder)
    assert run(*words, env=environment()).returncode == 2
    (folder / "log/slurm-collect.failed").write_text("exit 2\n")
    ran = run(ROOT / "slurm/submit.sh", "--failed", folder, env=variables)
    assert "was not submitted by submit.sh" in ran.stderr
