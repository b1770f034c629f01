"""The files of slurm/sites/: what each stage would ask sbatch for, beside what the centres
document; and whether a real Slurm takes it.
"""

import re
import shlex
import subprocess

import pytest
from conftest import ROOT

SITES = sorted(path.stem for path in (ROOT / "slurm/sites").glob("*.sh"))
STAGES = ("generate", "collect", "train", "predict", "analysis")
CPU_STAGES, GPU_STAGES = ("collect", "analysis"), ("generate", "train", "predict")
ASKED = ("account", "partition", "qos", "constraint", "time", "mem", "cpus-per-task", "ntasks")


@pytest.fixture
def dry(tmp_path):
    """dry(SITE, KEY=value ...) -> {stage: {option: value}} of submit.sh --dry-run, or its one line
    of complaint.
    """
    module, python = tmp_path / "module", tmp_path / "python"
    module.write_text(f'#!/bin/bash\necho "$@" >>{tmp_path}/modules\n')
    python.write_text(
        '#!/bin/bash\n[ "$1" != -m ] || echo 3 2\n'
    )  # units and networks, as of `plan`
    for program in (module, python):
        program.chmod(0o755)

    def call(site, study="nucleation", **variables):
        done = subprocess.run(
            [
                "bash",
                ROOT / "slurm/submit.sh",
                study,
                "c.yaml",
                "--run",
                tmp_path / "run",
                "--dry-run",
            ],
            env={
                "PATH": f"{tmp_path}:/usr/bin:/bin",
                "PYTHON": str(python),
                "SITE": site,
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            (line,) = done.stderr.splitlines()
            return line
        found = {}
        for line in done.stdout.splitlines():
            words = shlex.split(line)
            stage = re.search(rf"{study}_(\w+)\.sh", line)[1]
            pairs = [w[2:].partition("=") for w in words if w.startswith("--") and w != "--quench"]
            found[stage] = {"words": words} | {name: value for name, _, value in pairs}
        return found

    return call


def asks(jobs, stage):
    """Of the options that sites decide, those that are there."""
    return {k: jobs[stage][k] for k in (*ASKED, "gres", "gpus-per-task") if k in jobs[stage]}


def test_perlmutter(dry, tmp_path):
    """A QOS with every job (else debug), a constraint, and the GPUs' account where there is one."""
    jobs = dry("perlmutter", ACCOUNT="m1234")
    for stage in CPU_STAGES:
        assert asks(jobs, stage) == dict(account="m1234", qos="shared", constraint="cpu")
    for stage in GPU_STAGES:
        want = {"account": "m1234_g", "qos": "shared", "constraint": "gpu", "cpus-per-task": "32"}
        assert asks(jobs, stage) == want | {"gpus-per-task": "1"}
    assert (tmp_path / "modules").read_text().split() == ["load", "PrgEnv-gnu", "cudatoolkit"]
    cores = dry("perlmutter", ACCOUNT="m1234_g", GPU="")
    assert {tuple(asks(cores, stage).values()) for stage in STAGES} == {
        ("m1234_g", "shared", "cpu")
    }


def test_lumi(dry):
    """By the core, in small: at most 2 GB a core, lest more cores be billed."""
    jobs = dry("lumi", ACCOUNT="project_462000000")
    for stage in STAGES:
        found = asks(jobs, stage)
        assert (found["account"], found["partition"]) == ("project_462000000", "small")
        assert not {"gres", "gpus-per-task", "qos"} & set(found)
    assert jobs["generate"]["mem"] == "7000M"  # 4 cores of 1 750 MB
    whole = dict(PARTITION_generate="standard", NTASKS_generate="32", MEM_generate="0")
    found = asks(dry("lumi", ACCOUNT="p", **whole), "generate")
    assert found == {"account": "p", "partition": "standard", "mem": "0", "ntasks": "32"}


def test_archer2(dry):
    """Account, partition and QOS always; whole nodes are filled, small stages go to shared ones."""
    jobs = dry("archer2", ACCOUNT="t01")
    for stage in STAGES:
        place = "serial" if stage in CPU_STAGES else "standard"
        found = asks(jobs, stage)
        assert (found["account"], found["partition"], found["qos"]) == ("t01", place, place)
        cores = int(found.get("ntasks", 1)) * int(found["cpus-per-task"])
        assert cores == (2 if stage in CPU_STAGES else 128)
        assert found["mem"] == ("16G" if stage in CPU_STAGES else "0")
    segregation = dry("archer2", "segregation", ACCOUNT="t01")
    assert asks(segregation, "train")["cpus-per-task"] == "128"  # its ranks would train together
    assert "ntasks" not in segregation["train"]


def test_mahti(dry):
    """Cores that bring the memory which the templates ask for, 1.875 GiB each; 32 with a GPU."""
    jobs = dry("mahti", ACCOUNT="project_2000000")
    for stage in GPU_STAGES:
        found = asks(jobs, stage)
        want = dict(account="project_2000000", partition="gpusmall", gres="gpu:a100:1")
        assert found == want | {"cpus-per-task": "32"}
    cores = dry("mahti", ACCOUNT="project_2000000", GPU_generate="")
    for stage in (*CPU_STAGES, "generate"):
        text = (ROOT / f"slurm/nucleation_{stage}.sh").read_text()
        memory = int(re.search(r"--mem=(\d+)G", text)[1])
        found = asks(cores, stage)
        assert found["partition"] == "small"
        assert int(found["cpus-per-task"]) * 1.875 >= memory


def test_roihu(dry, tmp_path):
    """Two kinds of processors, so that all stages are of one; 72 cores with each GPU."""
    jobs = dry("roihu", ACCOUNT="project_2000000")
    for stage in STAGES:
        assert asks(jobs, stage) == dict(account="project_2000000", partition="small")
    gres = "--gres=gpu:gh200:1"
    more = dict(PARTITION="gpumedium", CORES="72", OPTIONS_collect=gres, OPTIONS_analysis=gres)
    jobs = dry("roihu", ACCOUNT="p", GPU=gres, **more)
    for stage in STAGES:
        want = dict(account="p", partition="gpumedium", gres="gpu:gh200:1")
        assert asks(jobs, stage) == want | {"cpus-per-task": "72"}
    assert "cuda" in (tmp_path / "modules").read_text().splitlines()[1]


def test_a_plain_cluster(dry):
    jobs = dry("gpus")
    for stage in CPU_STAGES:
        assert asks(jobs, stage) == dict(partition="cpu")
    for stage in GPU_STAGES:
        assert asks(jobs, stage) == {"partition": "gpu", "gres": "gpu:1", "cpus-per-task": "8"}


def test_what_is_named_for_less_wins(dry):
    more = dict(
        QOS="a",
        QOS_train="b",
        QOS_nucleation_train="c",
        GPU_QOS="d",
        OPTIONS="--exclusive --nice=3",
    )
    jobs = dry("gpus", **more)
    assert [jobs[stage]["qos"] for stage in STAGES] == ["d", "a", "c", "d", "a"]
    assert all("--exclusive" in jobs[s]["words"] and jobs[s]["nice"] == "3" for s in STAGES)
    assert [dry("gpus", GPU="", **more)[s]["qos"] for s in STAGES] == ["a", "a", "c", "a", "a"]


@pytest.mark.parametrize("site", sorted({*SITES} - {"gpus"}))
def test_an_account_is_asked_for_where_it_has_to_be(dry, site):
    assert dry(site) == f"ACCOUNT: {site} wants one: set it in slurm/site.sh or the environment"


def test_a_site_that_is_not_there(dry):
    assert "sites/atlantis.sh" in dry("atlantis")


def test_each_names_its_documentation_and_stands_in_the_table():
    table = (ROOT / "slurm/README.md").read_text()
    for site in SITES:
        text = (ROOT / f"slurm/sites/{site}.sh").read_text()
        assert re.search(r"^#   https://", text, re.M), site
        assert f"`{site}`" in table


@pytest.mark.slow
@pytest.mark.parametrize("site", SITES)
def test_slurm_would_take_what_a_site_asks_for(cluster, dry, site):
    """On a node as wide as theirs, with their partitions, features and GPUs.  Without accounting
    Slurm knows no account and no QOS, and takes any.
    """
    for job in dry(site, ACCOUNT="p").values():
        words = [w for w in job["words"] if not w.startswith(("--dependency", "--output"))]
        where = "--partition=cpu"  # for sites whose constraint alone decides
        assert "to start at" in cluster.run(words[0], "--test-only", where, *words[2:])
