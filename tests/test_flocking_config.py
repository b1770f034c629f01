"""Flocking configs: what is accepted, what a mistake is answered with."""

from pathlib import Path

import pytest
import yaml

from jobs import UserError, config
from jobs.flocking.config import Flocking

ROOT = Path(__file__).parent.parent


def read(**blocks) -> Flocking:
    return config.systems({"study": "flocking", **blocks}, Flocking, "test")[""]


def test_defaults_are_the_papers():
    found = read()
    assert (
        found.system.size,
        found.system.density,
        found.system.diffusion,
        found.system.self_propulsion,
    ) == (81, 3.0, 1.0, 0.9)
    assert found.generate.units == len(found.points) == 81
    assert sum(replicas * samples for _, _, replicas, samples in found.points) == 4050
    assert (found.points[0], found.points[-1]) == ((3.0, 0.2, 10, 5), (3.0, 1.0, 10, 5))
    assert found.train.networks[:3] == [
        "reference/lambda-0/seed-0",
        "reference/lambda-0.01/seed-0",
        "reference/lambda-0/seed-1",
    ]
    assert (found.train.learning_rate, found.train.patience) == (1e-3, 100)


def test_units_are_the_reference_slice_and_then_the_others():
    found = read(
        generate={
            "temperature_step": 0.4,
            "other_densities": [5, 0.5],
            "other_temperature_step": 0.8,
            "other_replicas": 2,
        }
    )
    assert [p[:2] for p in found.points] == [
        (3.0, 0.2),
        (3.0, 0.6),
        (3.0, 1.0),
        (5.0, 0.2),
        (5.0, 1.0),
        (0.5, 0.2),
        (0.5, 1.0),
    ]
    assert [p[2:] for p in found.points] == [(10, 5)] * 3 + [(2, 2)] * 4
    assert found.generate.units == 7


@pytest.mark.parametrize(
    "path", sorted((ROOT / "jobs/flocking").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_configs(path):
    assert path.read_text().startswith("# ")
    found = config.systems(config.read(path, [], "flocking"), Flocking, str(path))[""]
    assert config.systems(yaml.safe_load(config.to_yaml(found)), Flocking, "again")[""] == found
    assert found.system.size % 9 == 0
    if path.stem == "paper":
        assert found.generate == read().generate
        assert found.system == read().system
    else:
        assert found.train.sets == ["reference", "all"]


MISTAKES = [
    ("system.size=2", ["system.size = 2", "at least 3", "[lattice sites]"]),
    ("system.density=0", ["system.density = 0", "above 0", "[particles / site]"]),
    ("system.density=50", ["system.density = 50", "at most 40"]),
    ("system.self_propulsion=1.1", ["system.self_propulsion = 1.1", "at least 0 and at most 1"]),
    ("system.diffusion=-1", ["system.diffusion = -1", "at least 0", "[1 / time]"]),
    (
        "system.algorithm=exact",
        ["system.algorithm = 'exact'", "one of auto, standard, continuous_time"],
    ),
    (
        "system.time_step=0.001",
        ["system.time_step = 0.001", "null with algorithm auto: only standard has one"],
    ),
    ("generate.first_temperature=0", ["generate.first_temperature = 0", "above 0"]),
    (
        "generate.last_temperature=0.1",
        ["generate.last_temperature = 0.1", "at least generate.first_temperature = 0.2"],
    ),
    ("generate.replicas=0", ["generate.replicas = 0", "at least 1", "[replicas]"]),
    ("generate.equilibration=-1", ["generate.equilibration = -1", "at least 0", "[time]"]),
    ("generate.interval=0", ["generate.interval = 0", "above 0", "[time]"]),
    (
        "generate.other_densities=[0.0]",
        ["generate.other_densities = [0.0]", "above 0 and at most 40, each once"],
    ),
    ("generate.other_densities=[2.0,2.0]", ["generate.other_densities", "each once"]),
    (
        "generate.other_densities=[3.0]",
        ["generate.other_densities = [3.0]", "has system.density = 3.0"],
    ),
    ("generate.other_densities=[1.0e-5]", ["density 1e-05: no particle on 81 x 81 sites"]),
    ("unsupervised.neighbors=5", ["unsupervised.neighbors = 5", "unknown key", "neighbours"]),
    ("train.sets=[all]", ["train.sets = ['all']", "give generate.other_densities"]),
    ("train.sets=[reference,reference]", ["each once"]),
    ("train.regularization=[-0.1]", ["train.regularization = [-0.1]", "at least 0"]),
    ("train.regularization=[0.1,0.1]", ["each once"]),
    ("train.precision=float16", ["train.precision = 'float16'", "one of float32, bfloat16"]),
    ("predict.saliency.configurations=0", ["predict.saliency.configurations = 0", "at least 1"]),
]


@pytest.mark.parametrize(("setting", "said"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_named(setting, said, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("seed: 1\n")
    with pytest.raises(UserError) as error:
        config.systems(config.read(path, [setting], "flocking"), Flocking, "c.yaml")
    (line,) = str(error.value).splitlines()
    for part in said:
        assert part in line


def test_a_time_step_that_is_too_long():
    read(system={"algorithm": "standard", "time_step": 0.006})
    with pytest.raises(
        UserError,
        match=r"system.time_step = 0.0066: expected at most 0.00656\d+ \[time\], 1 / \(4 D \+ e\^\(1/T\)\)",
    ):
        read(system={"algorithm": "standard", "time_step": 0.0066})


def test_what_a_unit_depends_on():
    """Later stages' settings do not touch the shards; the system's and the generate block's do."""
    plain = config.digest(read())
    assert (
        config.digest(
            read(train={"seeds": 1}, unsupervised={"copies": 5}, predict={"sets": ["reference"]})
        )
        == plain
    )
    assert config.digest(read(generate={"interval": 10.0})) != plain
    assert config.digest(read(system={"density": 2.0})) != plain
