"""Segregation configs: what is accepted, what a mistake is answered with."""

from pathlib import Path

import pytest
import yaml

from jobs import UserError, config
from jobs.segregation.config import Segregation

ROOT = Path(__file__).parent.parent


def read(**blocks) -> Segregation:
    return config.systems({"study": "segregation", **blocks}, Segregation, "test")[""]


def test_defaults_are_the_papers():
    g = read().generate
    assert g.units == len(g.means) == 90
    assert (g.means[0], g.means[1], g.means[-1]) == (0.05, 0.06, 0.94)
    assert g.units * (g.training + g.test) == 17_280
    assert g.samples == {"train": 96, "valid": 8, "test": 96}
    assert read().train.networks == [
        "l1_forward",
        "gan_forward",
        "l1_reverse",
        "gan_reverse",
        "gan_forward_conserving",
        "l1_forward_steps",
    ]


@pytest.mark.parametrize(
    ("first", "last", "step", "means"),
    [
        (0.5, 0.5, 0.1, [0.5]),
        (0.1, 0.4, 0.1, [0.1, 0.2, 0.3, 0.4]),
        (0.1, 0.39, 0.1, [0.1, 0.2, 0.3]),
        (0.05, 0.95, 0.3, [0.05, 0.35, 0.65, 0.95]),
    ],
)
def test_means(first, last, step, means):
    assert (
        read(generate={"first_mean": first, "last_mean": last, "mean_step": step}).generate.means
        == means
    )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "jobs/segregation").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_configs(path):
    assert path.read_text().startswith("# ")
    systems = config.systems(config.read(path, [], "segregation"), Segregation, str(path))
    for found in systems.values():
        again = config.systems(yaml.safe_load(config.to_yaml(found)), Segregation, "again")
        assert again[""] == found
    if path.stem == "paper":
        assert found.generate == read().generate
        assert found.system == read().system


MISTAKES = [
    ("generate.first_mean=0", ["generate.first_mean = 0", "above 0 and below 1"]),
    ("generate.last_mean=1.0", ["generate.last_mean = 1.0", "above 0 and below 1"]),
    (
        "generate.last_mean=0.01",
        ["generate.last_mean = 0.01", "at least generate.first_mean = 0.05"],
    ),
    ("generate.mean_step=0", ["generate.mean_step = 0", "at least"]),
    ("generate.noise=0", ["generate.noise = 0", "above 0 and at most 0.5"]),
    ("generate.noise=-0.1", ["generate.noise = -0.1", "above 0"]),
    ("generate.noise=2", ["generate.noise = 2", "at most 0.5"]),
    ("system.size=63", ["system.size = 63", "an even number at least 16", "[cells]"]),
    ("system.size=8", ["system.size = 8", "at least 16", "[cells]"]),
    ("system.epsilon=0", ["system.epsilon = 0", "above 0", "sqrt(energy / length)"]),
    ("system.epsilom=1", ["system.epsilom = 1", "unknown key", "epsilon"]),
    ("generate.training=0", ["generate.training = 0", "at least 1", "[samples]"]),
    ("generate.test=0", ["generate.test = 0", "at least 1"]),
    (
        "train.samples=9000",
        ["train.samples = 9000", "there are 8640 samples", "raise generate.training"],
    ),
    (
        "predict.samples=9000",
        ["predict.samples = 9000", "there are 8640 samples", "raise generate.test"],
    ),
    ("train.batch=9000", ["train.batch = 9000", "at most the 8640 samples", "[samples]"]),
    ("generate.times=[1,10]", ["generate.times = [1", "increasing numbers from 0 on"]),
    ("generate.times=[0,10,10]", ["increasing numbers from 0 on"]),
    ("generate.times=[0,.inf]", ["generate.times", "a list of numbers", "[time]"]),
    ("train.models=[gan]", ["train.models", "l1_forward, gan_forward"]),
    ("train.models=[l1_forward,l1_forward]", ["train.models", "each once"]),
    ("train.betas=[0.5,1.0]", ["train.betas = [0.5, 1.0]", "below 1"]),
]


@pytest.mark.parametrize(("setting", "said"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_named(setting, said, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("seed: 1\n")
    with pytest.raises(UserError) as error:
        config.systems(config.read(path, [setting], "segregation"), Segregation, "c.yaml")
    (line,) = str(error.value).splitlines()
    for part in said:
        assert part in line


def test_what_a_unit_depends_on():
    """Later stages' settings do not touch the shards; the generate block's do."""
    plain = config.digest(read())
    assert config.digest(read(train={"epochs": 3}, predict={"samples": 5})) == plain
    assert config.digest(read(generate={"noise": 0.05})) != plain
    assert config.digest(read(system={"epsilon": 2.0})) != plain
