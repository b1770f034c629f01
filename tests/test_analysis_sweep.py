"""Runs that differ in one key: which it is, and their main numbers against it."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL
from fault_study import CONFIGS
from PIL import Image

from analysis import page, sweep
from analysis.__main__ import main, packages
from analysis.estimates import UNDETERMINED, Estimate
from analysis.record import Origin, Record
from analysis.sheet import sheets
from analysis.sweep import MainNumber
from jobs import config
from jobs import study as studies


def record_of(name: str, *settings: str, numbers=None, data: str = "", seed: int = 1) -> Record:
    """Of a study's small config with settings: what a page knows of a run's config."""
    raw = {"study": name, **config.yaml12.load(CONFIGS[name])}
    for setting in settings:
        config.override(raw, setting)
    (system,) = config.systems(raw, studies.of(name).config, "a test").values()
    text, about = config.to_yaml(system), ",".join(settings)
    revision = getattr(system.generate, "solver_revision", 0)
    own = ("run", about, 1, data or about, text, seed, "r", revision, "cpu", "2026-01-02", "")
    return Record(Origin(name, *own), numbers)


def found(name: str, *runs: tuple[str, ...]):
    return sweep.find(name, [record_of(name, *settings) for settings in runs])


KEYS = [
    ("nucleation", ("system.field=0.8",), ("system.field=0.9",), "$h$, system.field (energy)"),
    (
        "nucleation",  # patch of the occlusion maps, filters and temperature follow from it
        ("system.size=20", "system.field=0.9", "system.range=1"),
        ("system.size=20", "system.field=0.9", "system.range=3"),
        "$R$, system.range (lattice sites)",
    ),
    ("nucleation", ("system.size=20",), ("system.size=60",), "$L$, system.size (lattice sites)"),
    (
        "nucleation",
        ("train.learning_rate=0.01",),
        ("train.learning_rate=0.001",),
        "train.learning_rate",
    ),
    (
        "segregation",
        ("system.epsilon=1.0",),
        ("system.epsilon=2.0",),
        "epsilon, system.epsilon (sqrt(energy / length))",
    ),
    ("segregation", ("generate.noise=0.1",), ("generate.noise=0.01",), "generate.noise"),
    (
        "flocking",
        ("system.density=2.0",),
        ("system.density=4.0",),
        "rho0, system.density (particles / site)",
    ),
    ("coarsening", ("generate.mean=0.4",), ("generate.mean=0.5",), "generate.mean"),
]


@pytest.mark.parametrize(
    ("name", "one", "other", "label"), KEYS, ids=[f"{k[0]}-{k[3]}" for k in KEYS]
)
def test_the_key_is_found_by_the_configs(name, one, other, label):
    swept, said = found(name, one, other)
    assert swept is not None, said
    assert swept.label == label
    assert f"The runs differ in {swept.key} alone" in said
    assert [str(x) for x in swept.values] == [each[-1].split("=")[1] for each in (one, other)]


def test_what_decides_no_number_is_no_difference():
    swept, said = found(
        "nucleation",
        ("seed=1", "generate.units=3"),
        ("seed=2", "predict.occlusion.stride=1"),
        ("train.models=[spins,features]",),
    )
    assert (swept, said) == (None, "")


def test_two_keys_are_none():
    swept, said = found(
        "nucleation",
        ("system.field=0.8", "generate.window=5"),
        ("system.field=0.9", "generate.window=6"),
        ("system.field=1.0", "generate.window=5"),
    )
    assert swept is None
    assert said == (
        "The runs differ in more keys than one (system.field, generate.window), so there is no figure of all main numbers against one."
    )


def test_a_config_of_another_version_is_said():
    old = record_of("nucleation")
    odd = Record(
        Origin(**{**vars(old.origin), "config": "study: nucleation\nsystem: {colour: red}"}), None
    )
    assert "another config" in sweep.find("nucleation", [old, odd])[1]


def number(value, error=0.1, curve="", title="lifetime", log=False) -> MainNumber:
    return MainNumber(title, Estimate(value, error), r"$\tau$", "MCS", curve, log)


def test_runs_of_one_value_are_taken_together_and_lone_numbers_left_out():
    swept = sweep.Sweep("system.field", [0.9, 0.8, 0.9], "h")
    numbers = [
        [number(10.0, 1.0), number(1.0, title="only here")],
        [number(20.0, 2.0), MainNumber("never known", UNDETERMINED)],
        [number(11.0, 1.0)],
    ]
    rows = sweep.rows(swept, numbers)
    assert [(row["value"], row["runs"]) for row in rows] == [(0.9, 2), (0.8, 1)]
    assert {row["number"] for row in rows} == {"lifetime"}
    assert rows[0]["ours"] == pytest.approx(10.5)
    assert rows[0]["error"] == pytest.approx(np.sqrt(0.5))


def drawn(swept, numbers, folder, monkeypatch):
    """The axes of the figure."""
    kept = {}
    save = sweep.style.save
    monkeypatch.setattr(
        sweep.style, "save", lambda fig, *where: kept.update(fig=fig) or save(fig, *where)
    )
    assert sweep.draw(swept, numbers, folder) is not None
    return kept["fig"].axes


def test_the_figure_has_errors_units_and_the_axes_that_are_natural(tmp_path, monkeypatch):
    swept = sweep.Sweep("system.field", [0.1, 1.0, 10.0], "$h$, system.field (J)")
    numbers = [
        [number(10.0**k, 0.1 * 10**k, log=True), number(k, title="radius")] for k in range(3)
    ]
    lifetime, radius = drawn(swept, numbers, tmp_path, monkeypatch)
    assert (lifetime.get_xscale(), lifetime.get_yscale()) == ("log", "log")
    assert (radius.get_xscale(), radius.get_yscale()) == ("log", "linear")
    assert lifetime.get_xlabel() == "$h$, system.field (J)"
    assert lifetime.get_ylabel() == r"lifetime, $\tau$ (MCS)"
    (line,) = lifetime.containers
    assert line.lines[0].get_xdata().tolist() == [0.1, 1.0, 10.0]
    assert line.lines[0].get_ydata().tolist() == [1.0, 10.0, 100.0]
    bars = line.lines[2][0].get_segments()
    assert bars[1][:, 1].tolist() == pytest.approx([9.0, 11.0])
    assert Image.open(tmp_path / "sweep.png").size[0] > 100
    assert (tmp_path / "sweep.pdf").exists()


def test_words_are_swept_too_and_networks_are_curves(tmp_path, monkeypatch):
    swept = sweep.Sweep("system.interaction", ["disk", "kac"], "system.interaction")
    numbers = [[number(1.0 + k, curve="torus"), number(2.0, curve="CNN")] for k in range(2)]
    (ax,) = drawn(swept, numbers, tmp_path, monkeypatch)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["disk", "kac"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["torus", "CNN"]


# ---- whole pages


@pytest.mark.parametrize("name", studies.NAMES)
def test_every_study_has_main_numbers(name):
    assert callable(page.part(packages()[name], "main_numbers"))


@pytest.fixture
def fields(quench, tmp_path):
    """A run directory that holds a sweep of the field; fields(*settings) makes more of it."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)

    def make(run: str, *settings: str) -> Path:
        words = [word for setting in settings for word in ("--set", setting)]
        for stage in ("generate", "collect"):
            assert quench("nucleation", stage, path, "--run", tmp_path / run, *words)[0] == 0
        return tmp_path / run

    return make


def report(*runs, out) -> tuple[dict, str]:
    assert main(["nucleation", *map(str, runs), "--out", str(out)]) == 0
    return json.loads((out / "report.json").read_text()), (out / "report.md").read_text()


@pytest.mark.slow
def test_lifetime_against_field(fields, tmp_path):
    """Longer in weaker fields; another run that is added later just appears."""
    run = fields("fields", "system.field=[0.9,1.0]")
    numbers, text = report(run, out=tmp_path / "page")
    rows = [row for row in numbers["sweep"] if row["number"] == "mean lifetime"]
    assert [row["value"] for row in rows] == [0.9, 1.0]
    assert rows[0]["ours"] > rows[1]["ours"] > 0
    assert all(0 < row["error"] < 0.2 * row["ours"] for row in rows)
    assert (tmp_path / "page/figures/sweep.pdf").exists()
    top = text.split("## Claims")[0]
    assert "![sweep.png](figures/sweep.png)" in top
    assert "Against system.field, the only key in which the runs differ: mean lifetime;" in top
    assert "The runs differ in system.field alone: a sweep." in text
    another = fields("another", "system.field=1.1")
    numbers, _ = report(run, another, out=tmp_path / "page")
    rows = [row for row in numbers["sweep"] if row["number"] == "mean lifetime"]
    assert [row["value"] for row in rows] == [0.9, 1.0, 1.1]


@pytest.mark.slow
def test_runs_of_two_keys_have_no_such_figure(fields, tmp_path):
    one = fields("one", "system.field=0.9")
    other = fields("other", "system.field=1.0", "generate.window=6")
    numbers, text = report(one, other, out=tmp_path / "page")
    assert "sweep" not in numbers
    assert not (tmp_path / "page/figures/sweep.png").exists()
    assert "differ in more keys than one (system.field, generate.window), so" in text


def test_a_long_sweep_draws_its_ends_alone(tmp_path):
    """Of one system alone: of three values the outer ones; of two values, and of runs that are no
    sweep, all.
    """
    three = [record_of("nucleation", f"system.field={h}") for h in (0.9, 1.1, 1.0)]
    assert sweep.ends(three) == three[:2]
    assert sweep.ends(three[:2]) == three[:2]
    other = [*three[:2], record_of("nucleation", "system.field=1.0", "generate.window=6")]
    assert sweep.ends(other) == other
    assert sweep.ends([]) == []
    mixtures = [record_of("segregation", f"system.epsilon={e}.0") for e in (1, 2, 3)]
    assert [sheet.record for sheet in sheets(mixtures, tmp_path)] == [mixtures[0], mixtures[2]]
