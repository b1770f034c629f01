"""The contract between a study and what is shared: the four keep it, and a fifth, the worked
example of CONTRIBUTING.md, needs nothing else.
"""

import inspect
import sys

import h5py
import numpy as np
import pytest
from conftest import ROOT

import analysis
import jobs
from analysis.__main__ import main as draw
from jobs import study as studies
from jobs.study import Collect, Generate, Last, Train


@pytest.fixture
def xy(monkeypatch):
    """tests/example_study's packages as jobs.xy and analysis.xy, registered."""
    for package in (jobs, analysis):
        folder = ROOT / "tests/example_study" / package.__name__
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.setattr(studies, "NAMES", (*studies.NAMES, "xy"))
    yield
    for name in [name for name in sys.modules if name.split(".")[1:2] == ["xy"]]:
        del sys.modules[name]
    for package in (jobs, analysis):
        vars(package).pop("xy", None)


def parameters(function) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize("name", studies.NAMES)
def test_every_stage_has_the_functions_of_its_contract_and_their_arguments(name):
    study = studies.of(name)
    assert study.name == name
    assert study.config.model_fields["study"].default == name
    contracts = {"generate": Generate, "collect": Collect, "train": Train}
    for stage in study.stages:
        contract = contracts.get(stage, Last)
        wanted = {n: f for n, f in vars(contract).items() if inspect.isfunction(f) and n[0] != "_"}
        module = study.stage(stage)
        for function, signature in wanted.items():
            found = parameters(getattr(module, function))
            assert len(found) == len(parameters(signature)), f"{module.__name__}.{function}"
            assert found == parameters(signature), f"{module.__name__}.{function}"


def test_no_shared_module_names_a_study():
    """But for the registry: what a study is stands in its own package."""
    named = [
        f"{path.name}: {name}"
        for path in (ROOT / "jobs").glob("*.py")
        for name in studies.NAMES
        if path.name != "study.py" and f"jobs.{name}" in path.read_text()
    ]
    assert not named
    assert not any(
        name in line
        for script in ("body.sh", "submit.sh", "site.sh")
        for line in (ROOT / "slurm" / script).read_text().splitlines()
        for name in studies.NAMES
        if not line.startswith("#")
    )


def test_a_study_of_ones_own(xy, quench, tmp_path):
    config, run = tmp_path / "xy.yaml", tmp_path / "run"
    config.write_text("system: {size: 16}\ngenerate: {times: [0.5, 2.0, 8.0]}\n")
    assert quench("xy", "all", config, "--run", run)[0] == 0
    with h5py.File(run / "dataset.h5") as file:
        vortices, digest = file["vortices"][...], file.attrs["content_digest"]
        assert file["vortices"].attrs["axes"] == "quench, time"
    assert vortices.shape == (8, 3)
    assert (vortices % 2 == 0).all(), "as many turn one way as the other"
    assert (np.diff(vortices.mean(0)) < 0).all(), "they meet and vanish"
    for task in ("0/2", "1/2"):
        assert quench("xy", "generate", config, "--run", tmp_path / "two", "--task", task)[0] == 0
    assert quench("xy", "collect", "--run", tmp_path / "two")[0] == 0
    with h5py.File(tmp_path / "two/dataset.h5") as file:
        assert file.attrs["content_digest"] == digest
    lines = quench("status", run)[1]
    assert any("2 of 2 done, dataset.h5 is there" in line for line in lines)
    assert quench("plan", "--counts", "xy", config)[1] == ["2 0"]
    assert draw(["xy", str(run)]) == 0
    text = (run / "report.md").read_text()
    assert "8 quenches of the XY model" in text
    assert "figures/vortices.png" in text
    assert (run / "figures/vortices.pdf").exists()
    assert draw(["xy", str(run / "record.h5"), "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page/report.md").read_text() == text
    code, lines = quench("xy", "all", config, "--run", run, "--set", "system.size=2")
    assert code == 2
    assert "system.size = 2: expected a whole number at least 4" in lines[-1]
    warm = quench(
        "xy", "generate", config, "--run", tmp_path / "warm", "--set", "system.temperature=1"
    )
    assert any("above T_KT" in line for line in warm[1])


def test_a_vortex_is_one(xy):
    """The angle of the position turns once around the middle, and back around nothing else."""
    from jobs.xy.generate import torque, vorticity

    x = np.arange(12) - 5.5
    theta = np.arctan2(x[None, :], x[:, None])[None]
    inside = vorticity(theta)[0, :-1, :-1]
    assert inside[5, 5] in (1, -1)
    assert np.abs(inside).sum() == 1
    assert np.abs(torque(np.full((1, 6, 6), 0.3))).max() < 1e-12
