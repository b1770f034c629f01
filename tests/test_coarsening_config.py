"""Coarsening configs: what is accepted, what a mistake is answered with."""

from pathlib import Path

import pytest
import yaml

from jobs import UserError, config
from jobs.coarsening.config import Coarsening

ROOT = Path(__file__).parent.parent


def read(**blocks) -> Coarsening:
    return config.systems({"study": "coarsening", **blocks}, Coarsening, "test")[""]


def test_defaults_are_the_papers():
    found = read()
    s, g, t = found.system, found.generate, found.train
    assert (s.size, s.network_size, s.network_spacing, s.interface_width) == (64, 32, 2.0, 3.0)
    assert g.training + g.validation == 1850
    assert g.training / 1850 == pytest.approx(0.7)
    assert g.interval / g.step == pytest.approx(400)
    assert g.times == [float(i) for i in range(50)]
    assert t.networks == ["staggered/seed-0"]
    assert list(found.rollout.cases) == [
        "test",
        "larger",
        "shape",
        "slice",
        "long",
        "ensemble",
        "ensemble_long",
        "box",
        "bulk",
        "symmetric",
    ]
    assert found.rollout.cases["larger"].size == 2 * s.size


def test_units_are_blocks_of_one_split():
    g = read(generate={"training": 25, "validation": 10, "test": 3}, train={"batch": 1}).generate
    assert g.blocks == [(0, 0, 10), (0, 10, 10), (0, 20, 5), (1, 0, 10), (2, 0, 3)]
    assert g.units == 5
    assert sum(count for *_, count in g.blocks) == 38


def test_cases_of_the_paper_need_not_be_repeated():
    cases = read(
        rollout={
            "cases": {
                "slice": {"frames": 100},
                "mine": {"start": "layers", "feature_size": 8},
                "test": None,
            }
        }
    ).rollout.cases
    assert list(cases) == ["slice", "mine", "test"]
    assert (cases["slice"].start, cases["slice"].frames, cases["slice"].spacing) == (
        "slice",
        100,
        "log",
    )
    assert (cases["mine"].start, cases["mine"].frames) == ("layers", None)
    assert cases["test"].start == "test"


def test_networks_are_named_by_model_and_seed():
    assert read(train={"models": ["central", "sigmoid"], "seeds": 2}).train.networks == [
        "central/seed-0",
        "central/seed-1",
        "sigmoid/seed-0",
        "sigmoid/seed-1",
    ]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "jobs/coarsening").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_configs(path):
    assert path.read_text().startswith("# ")
    found = config.systems(config.read(path, [], "coarsening"), Coarsening, str(path))[""]
    assert config.systems(yaml.safe_load(config.to_yaml(found)), Coarsening, "again")[""] == found
    if path.stem == "paper":
        assert found.generate == read().generate
        assert found.system == read().system


def test_three_configs_ship():
    assert {path.stem for path in (ROOT / "jobs/coarsening").glob("*.yaml")} == {
        "paper",
        "demo",
        "workstation",
    }


MISTAKES = [
    ("system.size=33", ["system.size = 33", "an even number at least 8", "[cells]"]),
    ("system.size=6", ["system.size = 6", "at least 8", "[cells]"]),
    ("system.downscale=3", ["system.downscale = 3", "one of 1, 2, 4"]),
    ("system.interface_width=0", ["system.interface_width = 0", "above 0", "[length]"]),
    ("system.interface_widht=3", ["system.interface_widht = 3", "unknown key", "interface_width"]),
    ("system.downscaling=mean", ["system.downscaling = 'mean'", "nearest, block_mean"]),
    (
        "generate.feature_sizes=[8,12]",
        ["generate.feature_sizes = 12", "divides system.size = 64", "[cells]"],
    ),
    ("generate.feature_sizes=[8,8]", ["generate.feature_sizes = [8, 8]", "each once"]),
    ("generate.frames=1", ["generate.frames = 1", "at least 2", "[frames]"]),
    ("generate.training=0", ["generate.training = 0", "at least 1", "[sequences]"]),
    ("generate.scheme=euler", ["generate.scheme = 'euler'", "adaptive, explicit"]),
    (
        "generate.mean_deviation=0.2",
        ["generate.mean_deviation = 0.2", "means would be 0 to 1", "above 0 and below 1"],
    ),
    (
        "generate.latest_start=0.5",
        ["generate.latest_start = 0.5", "at least generate.interval = 1", "[time]"],
    ),
    ("generate.noise=0", ["generate.noise = 0", "above 0 and at most 0.5"]),
    (
        "train.hidden=65",
        ["train.hidden = 65", "at most 64", "[channels]"],
    ),  # two minutes of a compiler; beyond, hours
    ("train.models=[gru]", ["train.models", "staggered, central, sigmoid"]),
    ("train.models=[central,central]", ["train.models", "each once"]),
    (
        "train.curriculum=1000",
        ["train.curriculum = 1000", "fewer than train.epochs = 1000", "[epochs]"],
    ),
    ("train.batch=2000", ["train.batch = 2000", "at most generate.training = 1295", "[sequences]"]),
    ("rollout.models=[gru]", ["rollout.models", "staggered, central, sigmoid"]),
    (
        "rollout.cases.mine.size=33",
        ["rollout.cases.mine.size = 33", "an even number at least 8", "[cells]"],
    ),
    ("rollout.cases.mine.frames=1", ["rollout.cases.mine.frames = 1", "at least 2", "[frames]"]),
    (
        "rollout.cases.mine.frame=9",
        ["rollout.cases.mine.frame = 9", "unknown key; did you mean frames?"],
    ),
    (
        "rollout.cases.mine=3",
        ["rollout.cases.mine = 3", "blocks by name, each with keys: start, size"],
    ),
    (
        "rollout.cases.test.frames=51",
        ["rollout.cases.test.frames = 51", "at most generate.frames = 50", "[frames]"],
    ),
    (
        "rollout.cases.test.count=41",
        ["rollout.cases.test.count = 41", "at most generate.test = 40", "[sequences]"],
    ),
    (
        "rollout.cases.test.size=32",
        ["rollout.cases.test.size = 32", "expected system.size = 64", "[cells]"],
    ),
    (
        "rollout.cases.slice.feature_size=24",
        [
            "rollout.cases.slice.feature_size = 24",
            "divides rollout.cases.slice.size = 64",
            "[cells]",
        ],
    ),
    (
        "rollout.cases.long.kept=20000",
        [
            "rollout.cases.long.kept = 20000",
            "at most rollout.cases.long.frames = 10001",
            "[frames]",
        ],
    ),
    (
        "rollout.cases.long.mesh=a.obj",
        ["rollout.cases.long.mesh = a.obj", "only with start = shape"],
    ),
    ("rollout.cases.shape.count=3", ["rollout.cases.shape.count = 3", "nothing random"]),
    (
        "rollout.cases.shape.mean=0.4",
        ["rollout.cases.shape.mean = 0.4", "expected null", "start shape"],
    ),
    (
        "rollout.cases.test.noise=0.1",
        ["rollout.cases.test.noise = 0.1", "expected null", "start test"],
    ),
    ("rollout.cases.a/b.size=64", ["rollout.cases.a/b", "letters, digits, _ and -"]),
    ("rollout.costs.frames=0", ["rollout.costs.frames = 0", "at least 1", "[frames]"]),
]


@pytest.mark.parametrize(("setting", "said"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_named(setting, said, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("seed: 1\n")
    with pytest.raises(UserError) as error:
        config.systems(config.read(path, [setting], "coarsening"), Coarsening, "c.yaml")
    (line,) = str(error.value).splitlines()
    for part in said:
        assert part in line


def test_a_size_that_the_downscale_does_not_divide():
    with pytest.raises(
        UserError, match=r"system.size = 34: expected a multiple of system.downscale = 4 \[cells\]"
    ):
        read(system={"size": 34, "downscale": 4})
    with pytest.raises(
        UserError,
        match=r"rollout.cases.mine.size = 66: expected a multiple of system.downscale = 4 \[cells\]",
    ):
        read(system={"downscale": 4}, rollout={"cases": {"mine": {"start": "shape", "size": 66}}})


def test_a_sweep_inside_a_case():
    raw = {"study": "coarsening", "rollout": {"cases": {"test": {"count": [1, 2]}}}}
    assert list(config.systems(raw, Coarsening, "test")) == [
        "rollout.cases.test.count=1",
        "rollout.cases.test.count=2",
    ]


def test_what_a_unit_depends_on():
    """Later stages' settings do not touch the shards; the generate block's do."""
    plain = config.digest(read())
    assert config.digest(read(train={"epochs": 30}, rollout={"cases": {}})) == plain
    assert config.digest(read(generate={"noise": 0.05})) != plain
    assert config.digest(read(system={"interface_width": 2.5})) != plain
