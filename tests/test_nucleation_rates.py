"""The rates stage: forward flux sampling that goes on after a kill, shared by tasks, to the same
bytes.
"""

import h5py
import numpy as np
import pytest

from jobs import planning, shards
from kernels.device import select
from kernels.ising import Ising
from kernels.rare_events import forward_flux
from tests.reference import exact

SAMPLED = """
seed: 4
system: {size: 4, temperature: 1.0, field: 0.6}
generate: {units: 1, events: 64, history: 8, copies: 10}
collect: {bins: 3}
rates: {trials: 1024, repeats: 4}
"""


@pytest.fixture
def sampled(tmp_path):
    path = tmp_path / "sampled.yaml"
    path.write_text(SAMPLED)
    return path


def digests(run) -> dict[str, str]:
    paths = [run / "rates.h5", *sorted((run / "rates").glob("*.h5"))]
    return {path.name: shards.check(path) for path in paths}


def test_the_stage_is_forward_flux_and_right(quench, sampled, tmp_path):
    run = tmp_path / "run"
    code, lines = quench("nucleation", "rates", sampled, "--run", run)
    assert code == 0, lines
    model = Ising(size=4, temperature=1.0, field=0.6, device=select("cpu", workers=1))
    found = forward_flux(model, seed=4, trials=1024, repeats=4)
    with h5py.File(run / "rates.h5") as file:
        for name in ("lifetime", "rate", "flux"):
            assert (file[name][()], file[f"{name}_error"][()]) == getattr(found, name)
        assert file["interfaces"][...].tolist() == found.interfaces
        assert file["mcs"][()] == found.mcs
        for number, packed in enumerate(found.configurations):
            assert np.array_equal(file[f"configurations/{number:03d}"], packed)
            assert np.array_equal(file[f"origin/{number:03d}"], found.origin[number])
        rate, error = file["rate"][()], file["rate_error"][()]
    expected = 1 / exact.mean_first_passage(4, 1.0, -0.6)
    # t of 3 degrees of freedom: beyond 22 once in 1e4
    assert abs(rate - expected) < 22 * error < 4 * expected
    assert rate == pytest.approx(expected, rel=0.5)
    status = quench("status", run)[1]
    assert f"    rates: 4 of 4 samplings done, lifetime {found.lifetime} MCS" in status


def test_it_goes_on_to_the_same_bytes(quench, sampled, tmp_path):
    """After a kill, from tasks, with more samplings, and past a damaged one."""
    words, run = ("nucleation", "rates", sampled, "--run"), tmp_path / "run"
    assert quench(*words, run)[0] == 0
    whole = digests(run)
    for task in ("0/2", "1/2"):
        assert quench(*words, tmp_path / "tasks", "--task", task)[0] == 0
    assert digests(tmp_path / "tasks") == whole
    few = ("--set", "rates.repeats=2")
    assert quench(*words, tmp_path / "grown", *few)[0] == 0
    assert digests(tmp_path / "grown")["rates.h5"] != whole["rates.h5"]
    assert (
        "4 of 4 samplings are mine, 2 of them finished before"
        in quench(*words, tmp_path / "grown")[1]
    )
    assert digests(tmp_path / "grown") == whole
    for name in ("rates.h5", "rates/pilot.h5", "rates/repeat-00000.h5", "rates/repeat-00002.h5"):
        (run / name).unlink()
    with open(run / "rates/repeat-00003.h5", "r+b") as file:
        file.truncate(1000)
    code, lines = quench("nucleation", "rates", "--run", run)
    assert code == 0
    assert "4 of 4 samplings are mine, 1 of them finished before" in lines
    assert any("moved aside to repeat-00003.h5.bad" in line for line in lines)
    assert digests(run) == whole
    assert any(line.endswith("rates.h5: finished before") for line in quench(*words, run)[1])


def test_all_has_it_where_the_config_asks(quench, small, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "COSTLY", 0.0)
    few = ("rates.repeats=2", "rates.trials=64", "generate.units=1", "system.field=0.7")
    networks = ("train.max_epochs=1", "predict.occlusion.configurations=0")
    words = [word for setting in (*few, *networks) for word in ("--set", setting)]
    code, lines = quench("nucleation", "all", small, "--run", tmp_path / "run", *words)
    assert code == 0, lines
    assert (tmp_path / "run/rates.h5").exists()
    (told,) = [
        line for line in lines if line.startswith("rates: ")
    ]  # as what costs more, by itself
    assert told.endswith("--set rates.repeats=0 leaves them out")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["rates.repeats=1"], "rates.repeats = 1: expected 0, or 2 and more"),
        (
            ["system.interaction=disk", "system.size=12", "system.range=2"],
            "expected 0 with system.interaction = disk",
        ),
        (
            ["system.interaction=disk", "system.size=12", "system.range=2", "rates.repeats=0"],
            "system.interaction = disk: no rates of it by forward flux sampling",
        ),
        (["system.field=3.5"], "there is no metastable state to start from"),
    ],
)
def test_what_cannot_be_sampled_is_said_in_a_line(quench, sampled, tmp_path, settings, said):
    words = [word for setting in settings for word in ("--set", setting)]
    code, lines = quench("nucleation", "rates", sampled, "--run", tmp_path / "run", *words)
    assert code == 2
    assert said in lines[-1]
    if settings != ["system.field=3.5"]:  # which the pilot alone finds out
        assert not (tmp_path / "run").exists()


def test_by_its_name_it_takes_eight(quench, sampled, tmp_path):
    """Where the config names no number, or 0, by which `all` leaves the stage out."""
    run, few = tmp_path / "run", ("--set", "rates.repeats=0", "--set", "rates.trials=64")
    code, lines = quench("nucleation", "rates", sampled, "--run", run, *few)
    assert code == 0, lines
    assert len([*(run / "rates").glob("repeat-*.h5")]) == 8
    with h5py.File(run / "rates.h5") as file:
        assert file["samplings/rate"].shape == (8,)
    text = "\n".join(quench("status", run)[1])
    assert "rates: 8 of 8 samplings done" in text


def test_status_counts_no_stage_that_nobody_asked_for(quench, sampled, tmp_path):
    run, few = tmp_path / "run", ("--set", "rates.trials=64")
    assert quench("nucleation", "rates", sampled, "--run", run, *few)[0] == 0
    _, lines = quench("status", run)
    assert not any(word in line for line in lines for word in ("0 of 1", "dataset", "continues"))
    assert lines[1].startswith("    rates: 4 of 4 samplings done")
    for name in ("rates.h5", "rates/repeat-00001.h5"):
        (run / name).unlink()
    _, lines = quench("status", run)
    assert lines[1] == "    rates: 3 of 4 samplings done"
    assert "the same command again continues" in lines[2]
    assert quench("nucleation", "generate", "--run", run)[0] == 0
    assert any("units: 1 of 1 done, no dataset.h5 yet" in x for x in quench("status", run)[1])


def test_along_the_largest_cluster(quench, sampled, tmp_path):
    words = ("--set", "rates.coordinate=largest_cluster", "--set", "rates.every=3")
    more = ("--set", "rates.repeats=2", "--set", "system.field=0.9", "--set", "rates.trials=64")
    run = tmp_path / "run"
    assert quench("nucleation", "rates", sampled, "--run", run, *words, *more)[0] == 0
    with h5py.File(run / "rates.h5") as file:
        interfaces = file["interfaces"][...]
    assert interfaces[-1] == 16
    assert (np.diff(interfaces) > 0).all()
