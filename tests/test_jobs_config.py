"""Configs: what is accepted, what a mistake is answered with, what a list means."""

import difflib
import itertools
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import command

from jobs import UserError, config, training, yaml12
from jobs.coarsening.config import Coarsening
from jobs.flocking.config import Flocking
from jobs.nucleation import generate as nucleation_generate
from jobs.nucleation.config import Nucleation, System
from jobs.options import parsed
from jobs.segregation.config import Segregation
from jobs.study import NAMES
from kernels.device import select

ROOT = Path(__file__).parent.parent
PLAIN = {"system": {"size": 10, "field": 0.57}, "generate": {"units": 1, "events": 8}}


def one(**changes) -> Nucleation:
    """The plain config with changes such as system_range=3."""
    raw = {block: dict(values) for block, values in PLAIN.items()}
    for key, item in changes.items():
        block, _, name = key.partition("_")
        raw.setdefault(block, {})[name] = item
    return config.systems({"study": "nucleation", **raw}, Nucleation, "test")[""]


def test_defaults():
    short, long = one(), one(system_range=3)
    assert short.system.interaction == "nearest"
    assert long.system.interaction == "square"
    assert short.system.temperature == pytest.approx(4 / 9 * 2.269185, rel=1e-6)
    assert long.system.temperature == pytest.approx(16 / 9)
    assert short.collect.bonds == "coniglio_klein"
    assert long.collect.bonds == "density_corrected"
    assert one(system_interaction="kac", system_range=1.5).collect.bonds == "density_corrected"
    assert (short.generate.history, short.generate.copies, short.generate.window) == (50, 100, 10)
    assert (short.generate.equilibration, short.collect.bins) == (50, 33)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "jobs/nucleation").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_configs(path):
    assert path.read_text().startswith("# ")
    systems = config.systems(config.read(path, [], "nucleation"), Nucleation, str(path))
    for system in systems.values():
        again = config.systems(yaml.safe_load(config.to_yaml(system)), Nucleation, "again")[""]
        assert again == system  # what RUN/config.yaml keeps says the same


MISTAKES = [
    ("system.tempratur=1", ["system.tempratur = 1", "unknown key", "temperature"]),
    ("sistem.size=1", ["sistem", "unknown key"]),
    ("generate.adaptive.enable=true", ["generate.adaptive.enable = True", "enabled"]),
    ("generate.adaptive=true", ["generate.adaptive = True", "block"]),
    ("generate=3", ["generate = 3", "block"]),
    ("system.size=ten", ["system.size = 'ten'", "a whole number at least 3", "lattice sites"]),
    ("system.size=10.5", ["system.size = 10.5", "a whole number"]),
    ("system.size='10'", ["system.size = '10'", "a whole number"]),
    ("system.size=true", ["system.size = True", "a whole number"]),
    ("system.temperature=0", ["system.temperature = 0", "above 0", "energy / k_B"]),
    ("system.temperature=-1.5", ["system.temperature = -1.5", "above 0"]),
    ("system.temperature=.nan", ["system.temperature = nan", "a number"]),
    ("system.temperature=.inf", ["system.temperature = inf", "a number"]),
    ("system.field=0", ["system.field = 0", "above 0", "[energy]"]),
    ("system.field='1e-3'", ["system.field = '1e-3'", "without quotes"]),
    ("system.field=null", ["system.field = None", "a number"]),
    ("system.range=5", ["system.size is 10", "exceed 2 range = 10"]),
    ("system.range=0", ["system.range = 0", "above 0"]),
    ("system.range=33", ["system.range is 33", "1 to 32"]),
    ("system={interaction: kac, size: 10, field: 20}", ["system.field is 20", "not exceed 16"]),
    ("system.range=2.5", ["system.range is 2.5", "whole"]),
    (
        "system.interaction=cubic",
        ["system.interaction = 'cubic'", "one of nearest, square, disk, kac, power_law"],
    ),
    ("system.interaction=power_law", ["system.exponent = None", "power_law"]),
    ("system.exponent=3", ["system.exponent = 3", "power_law"]),
    ("generate.events=0", ["generate.events = 0", "at least 1", "[events]"]),
    ("generate.copies=20", ["collect.bins = 33", "at most generate.copies = 20"]),
    ("generate.reading=both", ["generate.reading = 'both'", "one_sided, two_sided"]),
    ("seed=-1", ["seed = -1", "at least 0"]),
    ("study=flocking", ["study = 'flocking'", "nucleation"]),
    ("system.size=[]", ["system.size = []", "sweep"]),
    ("system.size=[12, 12]", ["system.size = [12, 12]", "sweep"]),
    ("system.field=[1, 1.0]", ["system.field = [1, 1.0]", "each once"]),
    ("system.size=[12, -1]", ["system.size = -1"]),
]


@pytest.mark.parametrize(("setting", "words"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_one_line_and_cost_nothing(quench, tmp_path, setting, words):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(PLAIN))
    code, lines = quench(
        "nucleation", "generate", path, "--run", tmp_path / "run", "--set", setting
    )
    assert (code, len(lines)) == (2, 1), lines
    for word in [str(path), *words]:
        assert word in lines[0]
    assert not (tmp_path / "run").exists()


def test_several_mistakes_are_several_lines(quench, tmp_path, small):
    settings = ["--set", "system.size=x", "--set", "seed=-1", "--set", "generate.unit=3"]
    code, lines = quench("nucleation", "all", small, "--run", tmp_path / "run", *settings)
    assert code == 2
    assert len(lines) == 3


FILES = [
    ("system: [", ["not valid YAML", "line 1"]),
    ("- 1\n- 2\n", ["expected `key: value`"]),
    ("", ["system: missing", "generate: missing"]),
    (
        "system: {size: 10}\ngenerate: {units: 1, events: 8}\n",
        ["system.field: missing", "[energy]"],
    ),
    ("!!python/object/apply:os.system ['true']", ["not valid YAML"]),
]


@pytest.mark.parametrize(("text", "words"), FILES)
def test_bad_files(quench, tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    code, lines = quench("nucleation", "generate", path, "--run", tmp_path / "run")
    assert code == 2
    assert len(lines) <= 2
    assert all(word in "\n".join(lines) for word in words), lines


COMMANDS = [
    ("nucleation", "generate", "no.yaml", "--run", "r"),
    ("nucleation", "generate", "SMALL", "--run", "r", "--set", "system.size"),
    ("nucleation", "generate", "SMALL", "--run", "r", "--set", "seed.a=1"),
    ("nucleation", "generate", "SMALL", "--run", "r", "--task", "3/3"),
    ("nucleation", "generate", "SMALL", "--run", "r", "--task", "x"),
    ("nucleation", "generate", "SMALL", "--run", "r", "--workers", "0"),
    ("nucleation", "generate", "SMALL"),
    ("nucleation", "rollout", "SMALL", "--run", "r"),
    ("nucleashun", "all", "SMALL", "--run", "r"),
    ("status", "r"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_bad_commands(quench, tmp_path, small, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, lines = quench(*[small if word == "SMALL" else word for word in words])
    assert (code, len(lines)) == (2, 1), lines


def test_help_teaches(quench):
    code, lines = quench("nucleation", "--help", "--device", "cpu")
    assert code == 0
    assert any("mpiexec" in line for line in lines)
    assert any("--task" in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_study_is_its_own(quench, name):
    """Its examples, and of the others nothing."""
    lines = "\n".join(quench(name, "--help", "--device", "cpu")[1])
    assert f"python -m jobs {name} " in lines
    assert not [other for other in NAMES if other != name and f"jobs {other} " in lines]
    for word in ("--run RUN alone", "~/.cache/quench", f"plan {name}"):
        assert word in lines


def test_versions(capsys):
    from analysis.__main__ import main as draw

    for program in (parsed, draw):
        with pytest.raises(SystemExit) as stop:
            program(["--version"])
        assert stop.value.code == 0
        assert re.fullmatch(r"Quench \d+\.\d+\.\d+", capsys.readouterr().out.strip())


def test_sweep_is_the_product_of_lists():
    raw = {
        "study": "nucleation",
        "system": {"range": [1, 3], "size": 12, "field": [0.6, 0.9]},
        "generate": {"units": 1, "events": 8},
    }
    found = config.systems(raw, Nucleation, "test")
    assert list(found) == [f"system.range={r},system.field={h}" for r in (1, 3) for h in (0.6, 0.9)]
    assert [s.system.interaction for s in found.values()] == ["nearest"] * 2 + ["square"] * 2
    assert found["system.range=3,system.field=0.9"].system.field == 0.9


def test_a_list_of_one_is_a_sweep_of_one():
    raw = {"study": "nucleation", **PLAIN, "seed": [4]}
    assert list(config.systems(raw, Nucleation, "test")) == ["seed=4"]


def test_digest_knows_what_a_unit_depends_on():
    same = [one(generate_units=7), one(collect_bins=10), one(collect_bonds="density_corrected")]
    other = [one(system_field=0.58), one(generate_copies=101), one(generate_events=9)]
    assert all(config.digest(c) == config.digest(one()) for c in same)
    assert len({config.digest(c) for c in [one(), *other]}) == 4


def test_override():
    raw = {}
    config.override(raw, "system.range=[1, 3]")
    config.override(raw, "seed=5")
    assert raw == {"system": {"range": [1, 3]}, "seed": 5}
    with pytest.raises(UserError, match="seed is a value"):
        config.override(raw, "seed.x=5")


# ---- YAML 1.2 ----

WHOLE = {"study": "nucleation", **PLAIN}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e4", 1e4),
        ("1.0e4", 1e4),
        ("5.7e1", 57.0),
        ("1.0e+4", 1e4),
        ("-.5", -0.5),
        ("1e-3", 1e-3),
        (".inf", float("inf")),
        ("1:30", "1:30"),
        ("2020-99-99", "2020-99-99"),
        ("no", "no"),
        ("True", True),
        ("~", None),
        ("1_000", "1_000"),
        ("'1e4'", "1e4"),
    ],
)
def test_numbers_are_those_of_yaml_1_2(text, expected):
    """The core schema of YAML 1.2.2, section 10.3.2."""
    found = yaml12.load(f"a: {text}")["a"]
    assert (found, type(found)) == (expected, type(expected))
    assert yaml12.load(yaml12.dump({"a": expected})) == {"a": expected}
    assert yaml.safe_load(yaml12.dump({"a": expected})) == {"a": expected}


def laughs(block: str) -> str:
    """Nine lines, each of which names the one above ten times: a billion values."""
    lines = ["a0: &a0 {k: 1}"]
    for i in range(1, 10):
        lines.append(f"a{i}: &a{i} " + block % ", ".join([f"*a{i - 1}"] * 10))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "seed: 1\nsystem: {range: 1}\nseed: 2\n",
            "line 3: .*the key 'seed' stands twice, first in line 1",
        ),
        ("system:\n  range: 1\n  field: 1.0\n  range: 2\n", "line 4: .*'range' stands twice"),
        ("system: {range: 1}\nsystem: {range: 1}\n", "line 2: .*'system' stands twice"),
        ("a: &a [*a]", "line 1: .*the alias \\*a stands within what it names"),
        ("a: !!int x", "line 1: .*'x' is no int"),
        ("a: !!bool maybe", "line 1: .*'maybe' is no bool"),
        ("a: " + "9" * 5000, "line 1: .*a number of 5000 digits"),
        ("[" * 3000, "blocks are nested more than 30 deep"),
        *(
            (f"a: !!{tag}", "line 1: .*could not determine a constructor for the tag")
            for tag in (
                "timestamp 2020-12-31",
                "binary aGk=",
                "set {b, c}",
                "omap [b: 1]",
                "pairs [b: 1]",
            )
        ),
        ("!!binary aGk=: 1", "line 1: .*could not determine a constructor for the tag"),
        ("a: [" + "1, " * 20_000 + "1]", "line 1: .*more than 20000 values"),
        (laughs("[%s]"), "line [3-6]: .*more than 20000 values, aliases followed"),
        (laughs("{<<: [%s]}"), "line [3-6]: .*more than 20000 values, aliases followed"),
        ("? [1, 2]\n: 3", "line 1"),
    ],
)
def test_what_is_no_config_is_one_line(tmp_path, text, said):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        config.read(path, [], "nucleation")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200 + len(str(path))
    if ":" in text and "\n" not in text and text.startswith("a: "):
        with pytest.raises(UserError) as error:
            config.override({}, f"a={text[3:]}")
        assert "\n" not in str(error.value)


def test_whole_numbers_may_be_written_with_an_exponent():
    plain = {**WHOLE, "generate": {**WHOLE.get("generate", {}), "events": 1e4}}
    found = config.systems(plain, Nucleation, "here")[""]
    assert (found.generate.events, type(found.generate.events)) == (10_000, int)
    with pytest.raises(UserError, match=r"generate.events = 1.5: expected a whole number"):
        config.systems({**plain, "generate": {**plain["generate"], "events": 1.5}}, Nucleation, "x")


def test_a_sweep_that_is_no_run_is_refused_at_once():
    plain = {**WHOLE, "system": {**WHOLE["system"], "field": [0.1 + n * 1e-6 for n in range(2000)]}}
    plain["seed"] = list(range(500))
    with pytest.raises(UserError, match=r"a sweep of 1000000 systems .*at most 10000"):
        config.systems(plain, Nucleation, "here")


def test_a_later_key_at_its_neutral_value_leaves_the_digest_alone():
    """An upgrade brings a key whose default changes nothing: units of before go on."""

    class Generate(type(config.systems(WHOLE, Nucleation, "here")[""].generate)):
        shaken: bool = config.value(False, unit="", about="a key of a later version", neutral=False)

    class Later(Nucleation):
        generate: Generate

    now = config.systems(WHOLE, Nucleation, "here")[""]
    later = config.systems(WHOLE, Later, "here")[""]
    assert later.generate.shaken is False
    assert config.digest(later) == config.digest(now)
    other = {**WHOLE, "generate": {**WHOLE.get("generate", {}), "shaken": True}}
    assert config.digest(config.systems(other, Later, "here")[""]) != config.digest(now)


# ---- what would be refused hours later ----


@pytest.mark.parametrize(
    ("study", "setting", "said"),
    [
        ("segregation", "system.size=20", "system.size = 20: .* a multiple of 8"),
        ("flocking", "system.size=24", "system.size = 24: .* a multiple of 9, such as 18 or 27"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_is_simulated(
    quench, tmp_path, study, setting, said
):
    path = ROOT / f"jobs/{study}/demo.yaml"
    for words in ((study, "all", path, "--run", tmp_path / "run"), ("plan", study, path)):
        code, lines = quench(*words, "--set", setting)
        assert (code, len(lines)) == (2, 1), lines
        assert re.search(said, lines[0])
    assert not (tmp_path / "run").exists()


def test_a_sweep_names_folders():
    raw = config.read(ROOT / "jobs/coarsening/demo.yaml", [], "coarsening")

    def names(*meshes) -> list[str]:
        cases = {"own": {"start": "shape", "mesh": list(meshes)}}
        return list(config.systems(raw | {"rollout": {"cases": cases}}, Coarsening, "demo"))

    assert names("/a/b.obj", "c.obj") == [
        "rollout.cases.own.mesh=_a_b.obj",
        "rollout.cases.own.mesh=c.obj",
    ]
    with pytest.raises(UserError, match="would be one where a disk ignores case"):
        names("a.obj", "A.obj")
    with pytest.raises(UserError, match="longer than 200 bytes"):
        names("a.obj", "b" * 250)


def test_too_few_configurations_are_said_before_they_are_made(quench, tmp_path):
    """Surely too few: refused, with nothing made; probably too few: a warning as work begins."""
    path = ROOT / "jobs/nucleation/demo.yaml"
    few = ("--set", "generate.units=1", "--set", "generate.events=64")
    for words in (
        ("nucleation", "all", path, "--run", tmp_path / "run"),
        ("plan", "nucleation", path),
    ):
        code, lines = quench(*words, *few)
        assert (code, len(lines)) == (2, 1), lines
        assert "each fold takes 9000 configurations, and 64 events give about 840" in lines[0]
    assert not (tmp_path / "run").exists()
    raw = config.read(path, ["generate.events=160"], "nucleation")
    found = config.systems(raw, Nucleation, "demo")[""]
    assert found.untrainable() is None
    model = nucleation_generate.build(found, select("cpu"))
    (line,) = nucleation_generate.warn(model, found)
    assert "about 8400 balanced configurations are expected, and a fold of train takes 9000" in line


def test_a_grid_too_small_for_the_network():
    raw = config.read(ROOT / "jobs/coarsening/demo.yaml", [], "coarsening")
    found = config.systems(raw, Coarsening, "demo")[""]
    assert found.untrainable() is None
    small = found.system.model_copy(update={"size": 4, "downscale": 2})
    assert "needs 3 cells a side" in found.model_copy(update={"system": small}).untrainable()


@pytest.mark.parametrize(("asked", "study"), [*itertools.permutations(NAMES, 2)])
def test_another_studys_config_is_named(quench, tmp_path, asked, study):
    words = (asked, "generate", ROOT / f"jobs/{study}/demo.yaml", "--run", tmp_path / "run")
    code, lines = quench(*words)
    assert (code, len(lines)) == (2, 1), lines
    assert f"this is a {study} config, not {asked}'s" in lines[0]


def test_run_alone_goes_on(quench, small, tmp_path):
    """RUN/config.yaml has all that --set put into it."""
    run = tmp_path / "run"
    code, lines = quench("nucleation", "generate", "--run", run)
    assert (code, len(lines)) == (2, 1)
    assert "no config.yaml there yet: give CONFIG.yaml" in lines[0]
    assert (
        quench("nucleation", "generate", small, "--run", run, "--set", "generate.units=2")[0] == 0
    )
    assert quench("nucleation", "collect", "--run", run)[0] == 0
    assert quench("nucleation", "generate", "--run", run, "--set", "generate.units=3")[0] == 0
    assert "3 of 3 done" in "\n".join(quench("status", run)[1])


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "CONFIG", "--run", "r", "--device", "cpu"],
        ["generate", "--device", "cpu", "CONFIG", "--run", "r"],
        ["--run", "r", "generate", "CONFIG"],
        ["generate", "--run", "r", "--set", "seed=3", "CONFIG"],
        ["generate", "--run", "r"],
    ],
    ids=" ".join,
)
def test_the_config_may_stand_anywhere(words):
    found = parsed(["nucleation", *words])
    assert found.config == (Path("CONFIG") if "CONFIG" in words else None)
    assert (found.stage, found.run) == ("generate", Path("r"))


def test_an_argument_too_many_is_refused(quench, small, tmp_path):
    words = ("nucleation", "generate", small, "another.yaml", "--run", tmp_path / "run")
    code, lines = quench(*words)
    assert (code, len(lines)) == (2, 1)
    assert "unrecognized arguments: another.yaml" in lines[0]


def test_keys_are_text_as_written():
    """Of a case of that name in a sweep the path must be found again."""
    found = yaml12.load("{1: a, 010: b, 1e1: c, true: d, ~: e, 1.5: {2: f}}")
    assert found == {"1": "a", "010": "b", "1e1": "c", "true": "d", "~": "e", "1.5": {"2": "f"}}
    assert yaml12.load("a: &a {1: x}\nb: {<<: *a, 2: y}")["b"] == {"1": "x", "2": "y"}
    assert yaml12.load(yaml12.dump(found)) == found
    raw = yaml12.load("{true: {null: [1, 2]}}")
    with pytest.raises(UserError, match=r"true = .*: unknown key"):
        config.systems({"study": "nucleation", **PLAIN, **raw}, Nucleation, "x")


@pytest.mark.parametrize(
    "odd",
    [
        {"generate": {"x": list(range(9000))}},
        {"seed": list(range(-9000, 0))},
        {"seed": [[*range(9000)], 1]},
        {"x" * 9000: 1},
        {"\x1b[2J\n\u202e\ud800": 1},
        {"predict": {"folds": "\x07" * 9000}},
        {"train": {"models": ["x" * 9000]}},
        {f"key{i}": i for i in range(1000)},
    ],
)
def test_whatever_is_said_of_a_mistake_is_few_plain_lines(odd):
    raw = {"study": "nucleation", **{key: dict(block) for key, block in PLAIN.items()}}
    for key, item in odd.items():
        raw[key] = {**raw[key], **item} if key in raw and isinstance(item, dict) else item
    began = time.process_time()
    with pytest.raises(UserError) as error:
        config.systems(raw, Nucleation, "x.yaml")
    assert time.process_time() - began < 1
    lines = str(error.value).split("\n")
    assert len(lines) <= 21
    assert all(len(line) <= 600 and line.isprintable() for line in lines)
    for setting in ("a." + "b" * 9000, "\x1b.a", "system.\n.a=1=", "x=" + "[" * 9000):
        with pytest.raises(UserError) as error:
            config.override({"system": 3}, setting)
        assert str(error.value).isprintable()
        assert len(str(error.value)) <= 600


def test_what_was_meant_is_looked_for_in_a_few_keys_alone(monkeypatch):
    found, asked = difflib.get_close_matches, []
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda *a, **b: asked.append(a) or found(*a, **b)
    )
    raw = {"study": "nucleation", **PLAIN, **{f"sed{i}": i for i in range(1000)}}
    with pytest.raises(UserError, match=r"did you mean seed\?") as error:
        config.systems(raw, Nucleation, "x.yaml")
    assert str(error.value).endswith("... and 980 more")
    assert len(asked) == config.MOST_MISTAKES


def test_a_long_sweep_is_read_in_seconds():
    """Every system had a copy of the sweep itself."""
    raw = {"study": "nucleation", **PLAIN, "seed": list(range(3000))}
    began = time.process_time()
    assert len(config.systems(raw, Nucleation, "x.yaml")) == 3000
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("model", "generate", "key"),
    [
        (Segregation, {"mean_step": 1e-6}, "mean_step"),
        (Flocking, {"temperature_step": 1e-6, "last_temperature": 1000.0}, "temperature_step"),
        (
            Flocking,
            {"other_temperature_step": 1e-6, "other_densities": [1.0]},
            "other_temperature_step",
        ),
        (
            Flocking,
            {"other_densities": [i / 1000 for i in range(1, 2000)], "other_temperature_step": 1e-3},
            "other_temperature_step",
        ),
    ],
)
def test_more_units_than_a_run_can_have_are_refused(model, generate, key):
    with pytest.raises(UserError, match=rf"^x: generate\.{key} = .* at most 100000 are one run$"):
        config.systems({"generate": generate}, model, "x")


def test_a_key_that_came_later_changes_no_digest_at_its_neutral_value():
    """Of units, data sets (whose digest is of `telling`) and networks."""

    class Later(System):
        colour: str = config.value("grey", unit="", about="of the spins", neutral="grey")

    class WithIt(Nucleation):
        system: Later = config.value(default_factory=Later, unit="", about="as before")

    def of(model, **system):
        return model.model_validate(
            yaml12.load(Path("jobs/nucleation/demo.yaml").read_text())
            | {"study": "nucleation"}
            | {"system": {"size": 12, "field": 0.5, **system}}
        )

    sections = ("system", "train")
    before, neutral, other = of(Nucleation), of(WithIt), of(WithIt, colour="red")
    assert config.digest(before) == config.digest(neutral) != config.digest(other)
    assert config.telling(before, sections) == config.telling(neutral, sections)
    assert config.telling(other, sections)["system.colour"] == "red"
    digests = [
        training.made_of(SimpleNamespace(config=each), 0, (), {}) for each in (before, neutral)
    ]
    assert digests[0] == digests[1]


def test_a_reader_that_has_enough_ends_it_quietly():
    """python -m jobs configs | head -1"""
    process = command("configs")
    assert process.stdout.readline() == "# Configs\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) in (0, 141)
