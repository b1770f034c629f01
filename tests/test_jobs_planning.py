"""What `plan` says before anything is made: counts and bytes as they turn out, times from trials
made then and there, and what `all` announces of parts that can be left out.
"""

import time
from pathlib import Path

import pytest
from conftest import ROOT
from fault_study import CONFIGS

from jobs import config, planning, trials
from jobs import study as studies
from jobs.nucleation import plan as of_nucleation
from jobs.planning import Line
from jobs.trials import Kind, Machine, Part, Timed, Untimed
from kernels import forward_flux
from kernels.active_ising import ActiveIsing
from kernels.cahn_hilliard import CahnHilliard
from kernels.device import select
from kernels.ising import Ising

LARGER = {  # so that files are larger than what HDF5 says of them
    "nucleation": (
        "system.size=16",
        "generate.history=20",
        "generate.units=2",
        "system.field=0.75",
    ),
    "segregation": ("system.size=32", "generate.training=20"),
    "flocking": ("generate.replicas=10", "generate.temperature_step=0.4"),
    "coarsening": ("system.size=32", "generate.training=16", "generate.sequences_per_unit=8"),
}


def config_of(name: str, *settings: str):
    """The small config of a study, with settings."""
    raw = config.yaml12.load(CONFIGS[name])
    for setting in settings:
        config.override(raw, setting)
    return config.systems({"study": name, **raw}, studies.of(name).config, "test")[""]


def machine(name: str, workers: int = 1) -> Machine:
    return Machine(studies.of(name), select("cpu", workers), "cpu")


def parts(name: str, *stages: str, settings=()) -> list[Part]:
    return planning.parts(studies.of(name), config_of(name, *settings), machine(name), stages)


def weight(*paths: Path) -> int:
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in files if file.is_file())


COMPILES = pytest.param("flocking", marks=pytest.mark.slow)  # UMAP, for half a minute


@pytest.mark.parametrize(
    "name", [COMPILES if name == "flocking" else name for name in studies.NAMES]
)
def test_counts_and_bytes_are_those_of_the_run(name, quench, tmp_path):
    path, run = tmp_path / "small.yaml", tmp_path / "run"
    path.write_text(CONFIGS[name])
    words = [word for setting in LARGER[name] for word in ("--set", setting)]
    for stage in ("generate", "collect"):
        assert quench(name, stage, path, "--run", run, *words)[0] == 0
    (generate,) = parts(name, "generate", settings=LARGER[name])
    collect, *_ = parts(name, "collect", settings=LARGER[name])
    shards = [*(run / "generate").glob("unit-*.h5")]
    assert generate.counts["units"] == len(shards)
    overhead = 15_000 * len(shards)
    assert generate.bytes + overhead == pytest.approx(weight(*shards), rel=0.35)
    made = weight(run / "dataset.h5", run / "data")
    assert collect.bytes + 40_000 == pytest.approx(made, rel=0.4)


@pytest.mark.parametrize("name", studies.NAMES)
def test_every_stage_has_its_parts(name):
    study = studies.of(name)
    asked = [f"{key}=2" for key in study.optional.values()]
    found = parts(name, *study.stages, settings=asked)
    left = {part.stage for part in parts(name, *study.stages)}
    assert left == set(study.stages) - set(study.optional)
    assert [*dict.fromkeys(part.stage for part in found)] == [*study.stages]
    assert {part.stage for part in found if part.apart} == set(study.apart)
    (train,) = (part for part in found if part.stage == "train")
    networks = config_of(name).train.networks
    assert train.counts["networks"] == len(networks)
    assert "epochs: " in train.about
    for part in found:
        assert min(part.counts.values()) > 0
        if part.leave_out:  # and does so
            left = parts(name, part.stage, settings=(*asked, part.leave_out))
            assert [*part.counts] not in [[*other.counts] for other in left]
            assert len(left) < len([other for other in found if other.stage == part.stage])
    assert any(part.leave_out for part in found)


SLOWED = [  # study, stage, class, method that does its work
    ("nucleation", "generate", Ising, "intervene"),
    ("segregation", "generate", CahnHilliard, "run"),
    ("flocking", "generate", ActiveIsing, "run"),
    ("coarsening", "generate", CahnHilliard, "run"),
]


@pytest.mark.parametrize(("name", "stage", "kind", "method"), SLOWED, ids=[s[0] for s in SLOWED])
def test_times_are_those_of_the_real_kernels(name, stage, kind, method, monkeypatch):
    """Of kernels that take twenty times as long the estimate is larger by far."""
    # of several trials, since what else the machine does counts as well
    before = min(part.timed().seconds for _ in range(3) for part in parts(name, stage))
    act = getattr(kind, method)

    def slow(self, *arguments, **options):
        began = time.perf_counter()
        found = act(self, *arguments, **options)
        time.sleep(min(1.0, 20 * (time.perf_counter() - began)))
        return found

    monkeypatch.setattr(kind, method, slow)
    (part,) = parts(name, stage)
    assert part.timed().seconds > 2 * before > 0


@pytest.mark.parametrize("name", studies.NAMES)
def test_trainings_and_what_follows_are_tried(name):
    for part in parts(name, "train", studies.of(name).last):
        found = part.timed()
        assert 0 < found.seconds < 1e5
        assert found.how


def test_the_lifetime_is_that_of_the_events():
    """Against events of the stage itself, in a system where all of a trial's replicas nucleate."""
    found = config_of("nucleation", "system.field=1.0")
    device = select("cpu", 1)
    tried = of_nucleation.decay(found, device)
    model = of_nucleation.build(found, device)
    (events,) = model.nucleate(seed=5, units=[0], events=2048, history=1, equilibration=10)
    assert tried.ended == tried.replicas == 512
    assert tried.lifetime == pytest.approx(events.lifetime.mean(), rel=0.15)


def test_a_lifetime_longer_than_a_trial_is_a_bound(monkeypatch):
    monkeypatch.setattr(of_nucleation, "FOLLOWED", 0.0)  # a trial of four MCS
    (part,) = parts("nucleation", "generate", settings=("system.field=0.3",))
    found = part.timed()
    assert found.at_least
    assert "a mean lifetime of at least" in found.how


def test_samplings_of_rates_are_tried(monkeypatch):
    """Against the stage's own work, on a busy machine; at least so long where the pilot is
    not through in time; why not, where there is no metastable state.
    """
    settings = ("rates.repeats=4", "rates.trials=8192", "system.field=0.6")
    (part,) = parts("nucleation", "rates", settings=settings)
    found = part.timed()
    assert "samplings with 512 and 2048 trials" in found.how
    model = of_nucleation.build(config_of("nucleation", *settings), select("cpu", 1))
    began = time.perf_counter()
    by = forward_flux.pilot(model, seed=7, trials=8192)
    for repeat in range(4):
        forward_flux.sample(model, by, repeat)
    assert 1 / 6 < found.seconds / (time.perf_counter() - began) < 6
    assert not found.at_least
    monkeypatch.setattr(of_nucleation, "FOLLOWED", 0.0)
    assert part.timed().how == "the pilot of the sampling"
    monkeypatch.setattr(of_nucleation, "LONGEST_PILOT", 0.0)
    assert part.timed().at_least
    (part,) = parts("nucleation", "rates", settings=("rates.repeats=4", "system.field=3.9"))
    with pytest.raises(Untimed, match="no metastable state"):
        part.timed()


def test_what_is_too_large_is_not_tried(monkeypatch):
    (part,) = parts("nucleation", "generate", settings=("system.size=2048",))
    with pytest.raises(Untimed, match=r"system.size = 2048 is too large"):
        part.timed()
    monkeypatch.setattr(trials, "LARGEST_NETWORK", 10)
    (part,) = parts("nucleation", "train")
    with pytest.raises(Untimed, match="spins has 0 million parameters"):
        part.timed()
    settings = (
        "system.interaction=kac",
        "system.size=256",
        "train.models=[spins,torus]",
        "predict.models=[spins,torus]",
    )
    (collect,) = parts("nucleation", "collect", settings=settings)
    with pytest.raises(Untimed, match="bonds of 65535 sites each"):
        collect.timed()
    monkeypatch.setattr(
        of_nucleation, "map_seconds", lambda c, m, model: 2.0 if model == "torus" else too_large()
    )
    (maps,) = parts("nucleation", "predict", settings=settings)
    assert maps.timed() == Timed(20.0, "some places of each network's map; too large", True)


def too_large():
    raise Untimed("too large")


def test_networks_side_by_side():
    """Six of 10 s, two at a time, of which one cannot be tried; epochs that nobody knows."""

    def kind(name, count, seconds, most=5, parameters=100):
        return Kind(name, count, 5, most, parameters, lambda: seconds)

    here = machine("nucleation", workers=2)
    found = config_of("nucleation")
    part = trials.training(found, here, [kind("quick", 4, 1.0), kind("slow", 1, 10.0)])
    assert part.timed() == Timed(
        50.0, "steps of each kind of network, 2 of which train side by side"
    )
    assert part.counts == {"networks": 5}
    assert part.bytes == 2000
    part = trials.training(found, here, [kind("quick", 6, 1.0, most=200)])
    assert part.timed().seconds == 15
    assert part.timed().at_least
    assert part.about == "epochs: 5 to 200 of quick"
    huge = kind("huge", 1, 1.0, parameters=1 << 30)
    found = trials.training(found, here, [kind("quick", 6, 1.0), huge]).timed()
    assert found.at_least
    assert "huge has 1074 million parameters" in found.how


def test_a_trial_counts_its_quickest_call_and_long_ones_once(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(trials.time, "perf_counter", lambda: now[0])

    def act(*seconds):
        left = list(seconds)

        def once():
            calls.append(left[0])
            now[0] += left.pop(0) if len(left) > 1 else left[0]

        return once

    assert trials.seconds_of(act(0.4, 0.02)) == pytest.approx(0.02)
    calls.clear()
    assert trials.seconds_of(act(7.0, 1.0)) == pytest.approx(7.0)
    assert calls == [7.0]
    assert trials.seconds_of(act(0.02), act(9.0)) == pytest.approx(0.02)


def test_a_sweep_adds_up_and_few_of_its_systems_are_tried():
    """Seconds of the others lie between those of their neighbours."""
    tried = []

    def part(number):
        def timed():
            tried.append(number)
            return Timed(10.0**number, "a trial")

        return Part("generate", {"units": 2.0}, 100.0, timed)

    line = Line({i: part(i) for i in range(5)}, {0: part(0).timed(), 4: part(4).timed()})
    assert line.seconds == pytest.approx(11111)
    assert line.row == ("generate", "10 units", "3 h 5 min", "500 B", "")
    raw = config.yaml12.load(CONFIGS["segregation"])
    raw["system"]["epsilon"] = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    systems = config.systems({"study": "segregation", **raw}, studies.of("segregation").config, "t")
    found = planning.lines([*systems.values()], machine("segregation"), ["generate"])
    assert [*found[0].timed] == [0, 3, 6]
    assert found[0].makes == "14 units, 140 mixtures, 420 fields"
    assert "3 of 7 systems tried" in planning.trials(found[0], 7)[0]


def test_plan_prints_a_table_and_writes_nothing(quench, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    began = time.monotonic()
    code, lines = quench("plan", "nucleation", small, "--device", "cpu", "--workers", 1)
    assert code == 0, lines
    assert time.monotonic() - began < 60
    assert sorted(tmp_path.rglob("*")) == before
    assert lines[0] == f"nucleation, {small}"
    rows = {line.split("  ")[0]: line for line in lines[1:7]}
    assert [*rows] == ["stage", "generate", "collect", "train", "predict", "all"]
    assert "3 units, 1 536 events, 18 432 labelled configurations" in rows["generate"]
    assert "balanced configurations" in rows["collect"]
    assert "1 networks" in rows["train"]
    assert "--set predict.occlusion.configurations=0" in rows["predict"]
    for row in list(rows.values())[1:]:
        assert any(unit in row for unit in (" s ", " min ", " h ")), row
        assert any(unit in row for unit in (" kB", " MB", " B")), row
    assert any("epochs: 2 of spins" in line for line in lines)
    assert any("from trials made now" in line for line in lines)
    assert any("a mean lifetime of" in line for line in lines)


def test_plan_takes_a_runs_own_config_and_counts_alone(quench, small, tmp_path):
    run = tmp_path / "run"
    code, lines = quench("plan", "--counts", "nucleation", small, "--run", run)
    assert (code, lines) == (0, ["3 1"])
    assert (run / "config.yaml").exists()
    code, lines = quench(
        "plan", "--counts", "nucleation", "--run", run, "--set", "generate.units=5"
    )
    assert (code, lines) == (0, ["5 1"])
    code, lines = quench("plan", "nucleation")
    assert (code, lines) == (2, ["give CONFIG.yaml, or --run RUN, which has one"])


def test_a_study_without_trials_is_planned_too(monkeypatch):
    monkeypatch.setattr(planning.importlib.util, "find_spec", lambda name: None)
    text = planning.report(Path("c.yaml"), [config_of("nucleation")], machine("nucleation"))
    assert "6 units" in text
    assert "generate: not tried: this study has no trial" in text


# ---- what can be left out


@pytest.fixture
def long(monkeypatch):
    """A trial of nucleation's maps that says an hour."""
    monkeypatch.setattr(of_nucleation, "map_seconds", lambda *_: 3600.0 / 5)


def test_all_announces_costly_parts_before_they_start(quench, small, tmp_path, long):
    run = tmp_path / "run"
    code, lines = quench("nucleation", "all", small, "--run", run)
    assert code == 0
    said = [line for line in lines if "leaves them out" in line]
    assert said == [
        "predict: 1 occlusion maps, 5 configurations covered: about 60 min; "
        "--set predict.occlusion.configurations=0 leaves them out"
    ]
    assert lines.index(said[0]) < next(i for i, x in enumerate(lines) if "units are mine" in x)
    assert (run / "predict/occlusion-spins.h5").exists()
    _, lines = quench("nucleation", "all", "--run", run)  # it is there
    assert not [line for line in lines if "leaves them out" in line]


def test_what_is_left_out_is_not_made_and_not_announced(quench, small, tmp_path, long):
    run = tmp_path / "run"
    for words in ((small, "--set", "predict.occlusion.configurations=0"), ()):
        code, lines = quench("nucleation", "all", *words, "--run", run)
        assert code == 0
        assert not [line for line in lines if "leaves them out" in line]
    assert not (run / "predict").exists()
    words = ("--run", run, "--set", "predict.occlusion.configurations=5")
    assert quench("nucleation", "predict", *words)[0] == 0
    assert (run / "predict/occlusion-spins.h5").exists()


def test_quick_parts_are_not_announced(quench, small, tmp_path):
    _, lines = quench("nucleation", "all", small, "--run", tmp_path / "run")
    assert not [line for line in lines if "leaves them out" in line]


def test_an_estimate_that_fails_costs_nothing(quench, small, tmp_path, monkeypatch):
    monkeypatch.setattr(of_nucleation, "map_seconds", lambda *_: 1 / 0)
    assert quench("nucleation", "all", small, "--run", tmp_path / "run")[0] == 0
    assert "ZeroDivisionError" in (tmp_path / "run/log/all-task-0000-rank-0000.log").read_text()


def test_parts_of_every_study_may_be_left_out_of_a_run_that_has_begun(quench, tmp_path):
    """By the setting that is announced."""
    for name in studies.NAMES:
        path, run = tmp_path / f"{name}.yaml", tmp_path / name
        path.write_text(CONFIGS[name])
        assert quench("plan", "--counts", name, path, "--run", run)[0] == 0
        settings = {part.leave_out for part in parts(name, *studies.of(name).stages)} - {""}
        assert settings
        for setting in settings:
            words = ("plan", "--counts", name, "--run", run, "--set", setting)
            code, lines = quench(*words)
            assert code == 0, lines


def test_nothing_is_foretold_where_that_is_left_out(quench, tmp_path):
    path, run = tmp_path / "small.yaml", tmp_path / "run"
    path.write_text(CONFIGS["segregation"])
    words = ("--run", run, "--set", "collect.foretold=0")
    assert quench("segregation", "generate", path, *words)[0] == 0
    assert quench("segregation", "collect", *words)[0] == 0
    assert not (run / "predictability.h5").exists()
    assert quench("segregation", "collect", "--run", run, "--set", "collect.foretold=2")[0] == 0
    made = (run / "predictability.h5").read_bytes()
    _, lines = quench("segregation", "collect", *words)
    assert (run / "predictability.h5").read_bytes() == made, "what is there stays"
    assert not [line for line in lines if "made anew" in line]


def test_cases_of_a_rollout_that_are_left_out():
    found = config_of("coarsening", "rollout.without=[bigger]")
    assert [*found.rollout.followed] == ["several"]
    with pytest.raises(config.UserError, match=r"rollout.without = .*nothing is none of the cases"):
        config_of("coarsening", "rollout.without=[nothing]")


# ---- the command line


def test_configs_that_come_with_it_are_found_from_anywhere(quench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, lines = quench("plan", "--counts", "nucleation", "jobs/nucleation/demo.yaml")
    assert (code, lines) == (0, ["4 18"])
    mine = tmp_path / "jobs/nucleation/demo.yaml"
    mine.parent.mkdir(parents=True)
    text = (ROOT / "jobs/nucleation/demo.yaml").read_text()
    mine.write_text(text.replace("units: 4", "units: 6"))
    assert quench("plan", "--counts", "nucleation", "jobs/nucleation/demo.yaml")[1] == ["6 18"]
    code, lines = quench("plan", "--counts", "nucleation", "jobs/nucleation/none.yaml")
    assert (code, len(lines)) == (2, 1)
