"""Rollouts of the coarsening networks and of the truth: files, numbers, resume, bounds, mistakes.
The networks are untrained.
"""

import contextlib
import json
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from conftest import PROVENANCE

from jobs import config as configs
from jobs import shards
from jobs.coarsening import costs, fields, recording, train, trained
from jobs.coarsening.cases import Unit
from jobs.coarsening.config import Coarsening
from jobs.coarsening.fields import downscale
from jobs.coarsening.frames import kept_frames, looked_at, looked_at_by_network
from jobs.coarsening.generate import solver
from jobs.coarsening.measures import energies
from jobs.coarsening.parts import SERIES, Parts, Plan, Position
from jobs.coarsening.recording import record
from jobs.coarsening.sources import Network, Truth
from jobs.rundir import System
from kernels import interface, structure
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.device import select

CONFIG = """
seed: 5
system: {size: 16}
generate: {training: 2, validation: 1, test: 2, frames: 4, feature_sizes: [8], latest_start: 4.0}
train: {models: [staggered, sigmoid], epochs: 2, curriculum: 1, batch: 1, hidden: 4}
rollout:
  cases:
    bigger: {size: 32, frames: 9, kept: 4, mean: 0.5, feature_size: 8}
    layered: {start: layers, feature_size: 16, mean: 0.5, frames: 30, kept: 5, spacing: log}
    noise: {frames: 5, kept: 3, feature_size: 8, truth: false}
    several: {frames: 12, kept: 5, count: 3, feature_size: 8, spacing: log}
  costs: {frames: 2, repeats: 1}
"""
NAMES = ["sigmoid/seed-0", "staggered/seed-0"]
CASES = ("bigger", "layered", "noise", "several")


def weights(name: str, scale: float = 0.02) -> dict:
    """A network of 4 hidden channels whose fluxes are small: untrained ones need not stay near the
    wells.
    """
    found = random_parameters(3, hidden=4, output=name.split("/")[0])
    return found | {
        key: value * scale for key, value in found.items() if key.startswith("head.flux")
    }


class Broken(ConvGRU):
    """A network whose second field is nan from its third step on."""

    steps = 0

    def advance(self, steps, progress):
        super().advance(steps)
        self.steps += steps
        if self.steps >= 3:
            phi = self.fields()
            phi[1] = np.nan
            self.start(phi, self.hidden_states())


@pytest.fixture
def networks(monkeypatch):
    """Two networks that are there without a training."""
    made = []

    def stepper(system, name, shape, count, device):
        made.append(ConvGRU(weights(name), shape, count, name.split("/")[0], device))
        return made[-1]

    monkeypatch.setattr(trained, "names", lambda system, say: NAMES)
    monkeypatch.setattr(train, "check_data", lambda system: None)
    monkeypatch.setattr(trained, "stepper", stepper)
    monkeypatch.setattr(costs, "write", lambda *_: None)  # tests/test_coarsening_costs.py
    return made


@pytest.fixture
def run(tmp_path):
    """A run directory with the marks of two trainings; the config lies beside it."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    return planted(tmp_path / "run")


def planted(folder):
    for name in NAMES:
        shards.write(
            folder / "train" / name / "test.h5",
            {"loss": shards.Data(np.zeros(1), "", "")},
            {"model": name},
        )
    (folder / "config.yaml").write_text(configs.to_yaml(config()))
    return folder


def config() -> Coarsening:
    return Coarsening.model_validate(yaml.safe_load(CONFIG))


@pytest.fixture
def follow(quench, networks, run, tmp_path):
    """follow(*arguments, status=0) -> the lines of `rollout`."""

    def call(*arguments, status=0, folder=run):
        code, lines = quench(
            "coarsening", "rollout", tmp_path / "config.yaml", "--run", folder, *arguments
        )
        assert code == status, "\n".join(lines)
        return lines

    return call


def one(case: str, **settings) -> tuple[str, str]:
    """--set that leaves one case."""
    of = config().rollout.cases[case].model_dump() | settings
    return "--set", f"rollout.cases={json.dumps({case: of})}"


# ---- frames


@pytest.mark.parametrize(
    ("frames", "kept", "spacing"),
    [
        (10, 4, "linear"),
        (10, None, "log"),
        (10_001, 60, "log"),
        (101, 11, "linear"),
        (12, 11, "log"),
        (100, 2, "log"),
        (100, 2, "linear"),
    ],
)
def test_as_many_frames_are_kept_as_asked_with_the_first_and_the_last(frames, kept, spacing):
    found = kept_frames(frames, kept, spacing)
    assert len(found) == (kept or frames)
    assert (found[0], found[-1]) == (0, frames - 1)
    assert (np.diff(found) > 0).all()
    looks = looked_at(frames, found)
    assert set(found) <= set(looks)
    assert len(looks) <= len(found) + 120
    of_network = looked_at_by_network(frames, found)
    assert set(looks) <= set(of_network)
    assert np.diff(of_network).max() <= 100
    assert len(of_network) <= len(looks) + frames // 100


def test_a_network_does_not_feel_that_it_is_looked_at():
    phi = np.random.default_rng(2).uniform(0.3, 0.7, (2, 8, 8, 8)).astype(np.float32)
    few, every = (
        recorded(phi, 301, select("cpu", 1), kept=3, looks=looks)[0]
        for looks in (looked_at_by_network, None)
    )
    at = np.searchsorted(every["series/time"], few["series/time"])
    assert len(at) < 200
    assert np.array_equal(few["phi"], every["phi"])
    for name in ("free_energy", "mean", "minimum"):
        assert np.array_equal(few[f"series/{name}"], every[f"series/{name}"][:, at])


def test_the_stage_writes_truth_and_networks_of_each_case(follow, run):
    follow()
    s = config().system
    for case in CASES:
        asked = config().rollout.cases[case]
        kept = kept_frames(asked.frames, asked.kept, asked.spacing)
        again = asked.truth and asked.start != "layers"
        for who in [*NAMES, *["truth"] * asked.truth, *["sensitivity"] * again]:
            found, attributes = shards.read(run / "rollout" / case / f"{who.replace('/', '-')}.h5")
            side, count = (asked.size or 16) // 2, asked.count or 1
            assert found["phi"].shape == (count, len(kept), side, side, side)
            assert found["phi"].dtype == np.float32
            assert np.array_equal(found["time"], kept * 1.0)
            assert ("phi_full" in found) == (who == "truth")
            series, at = found["series/time"], np.searchsorted(found["series/time"], found["time"])
            assert len(series) == len(
                (looked_at_by_network if who in NAMES else looked_at)(asked.frames, kept)
            )
            assert np.allclose(
                found["series/free_energy"][:, at],
                energies(found["phi"], s.network_spacing, s.interface_width),
                rtol=1e-6,
            )
            assert np.allclose(
                found["series/area"][:, at],
                interface.perimeter(found["phi"], 0.5, s.network_spacing, 3),
            )
            assert np.allclose(
                found["series/mean"][:, at], found["phi"].mean((2, 3, 4), dtype=np.float64)
            )
            assert np.allclose(
                found["series/free_energy_upsampled"][:, at],
                energies(
                    fields.upsample(found["phi"], s.downscale, "nearest"),
                    s.spacing,
                    s.interface_width,
                ),
                rtol=1e-6,
            )
            assert np.allclose(
                found["series/length"][:, at],
                structure.length(found["phi"], s.network_spacing, 3),
                equal_nan=True,  # uniform in the end
            )
            assert np.array_equal(found["series/minimum"][:, at], found["phi"].min((2, 3, 4)))
            assert np.array_equal(found["series/maximum"][:, at], found["phi"].max((2, 3, 4)))
            assert np.isfinite(found["series/free_energy"]).all()
            assert (attributes["case"], attributes["model"], attributes["stopped"]) == (
                case,
                who,
                "",
            )
            assert attributes["frames_done"] == asked.frames
            # of this run's sequences without their last frame
            expected = None if who in ("truth", "sensitivity") else config().generate.frames - 1
            assert attributes.get("memory") == expected
            assert attributes["seconds"] >= attributes["seconds_per_frame"] * 0.99
            assert PROVENANCE | {"config_digest", "made_from"} <= set(attributes)
            if who == "truth":
                assert np.array_equal(
                    downscale(found["phi_full"], s.downscale, s.downscaling), found["phi"]
                )
        truth = run / "rollout" / case / "truth.h5"
        if truth.exists():  # both start from the same
            mine, theirs = (
                shards.read(path)[0]["phi"][:, 0]
                for path in (truth, truth.with_name("staggered-seed-0.h5"))
            )
            assert np.array_equal(mine, theirs)
        assert truth.with_name("sensitivity.h5").exists() == again


def test_the_sensitivity_starts_from_what_the_networks_are_given(follow, run):
    """It agrees with the truth where they look, t = 0, and is another solution soon: the waves
    between their grid and the solver's are not there.
    """
    follow(*one("bigger"))
    truth, again = (
        shards.read(run / f"rollout/bigger/{who}.h5")[0] for who in ("truth", "sensitivity")
    )
    assert np.allclose(truth["phi"][:, 0], again["phi"][:, 0], atol=1e-6)
    full = truth["phi_full"][:, 0]
    lost = np.sqrt(((fields.upsample(truth["phi"][:, 0], 2, "nearest") - full) ** 2).mean())
    apart = np.sqrt(((truth["phi"][:, -1] - again["phi"][:, -1]) ** 2).mean())
    assert 1e-4 < lost < 0.02
    assert 1e-5 < apart < 0.1
    model = solver(config(), 32, select("cpu", 1))
    start = fields.upsample(truth["phi"][:, 0], 2, "nearest")
    times = truth["time"][1:]
    found = model.run(start, times=times, tolerance=config().generate.tolerance, steady_state=None)
    assert np.abs(downscale(found.fields, 2, "nearest") - again["phi"][:, 1:]).max() < 1e-3


def test_the_test_set_is_its_own_truth(quench, follow, run, tmp_path):
    for stage in ("generate", "collect"):
        code, lines = quench("coarsening", stage, tmp_path / "config.yaml", "--run", run)
        assert code == 0, "\n".join(lines)
    follow(
        "--set",
        "rollout.cases={test: {kept: 3, frames: null, count: null}}",
        "--set",
        "rollout.models=[staggered]",
    )
    sequences = fields.read(run, "test").all[...]
    truth, attributes = shards.read(run / "rollout/test/truth.h5")
    assert truth["phi"].shape == (2, 3, 8, 8, 8)
    assert np.array_equal(truth["phi"], sequences[:, truth["time"].astype(int)])
    assert np.allclose(truth["series/mean"], sequences.mean((2, 3, 4), dtype=np.float64))
    assert "phi_full" not in truth
    assert np.isnan(attributes["seconds_per_frame"])  # it was generated, not computed here
    assert np.array_equal(
        shards.read(run / "rollout/test/staggered-seed-0.h5")[0]["phi"][:, 0], sequences[:, 0]
    )
    assert not (run / "rollout/test/sigmoid-seed-0.h5").exists()


def test_frames_are_the_networks_own(networks):
    device, phi = (
        select("cpu", 1),
        np.random.default_rng(1).uniform(0.3, 0.7, (2, 6, 4, 8)).astype(np.float32),
    )
    found = recorded(phi, 7, device)[0]
    network = ConvGRU(weights("staggered"), phi.shape[1:], 2, "staggered", device)
    network.start(phi)
    for frame in range(7):
        assert np.array_equal(found["phi"][:, frame], network.fields())
        network.advance(1)


def recorded(
    phi,
    frames,
    device,
    folder=None,
    make=ConvGRU,
    kept=None,
    batch=None,
    model="staggered",
    scale=0.02,
    looks=None,
):
    """({dataset: values}, attributes) of a rollout from phi (n, x, y, z); looks(frames, kept):
    which are looked at, all if None.
    """
    target = Path(folder or tempfile.mkdtemp()) / "found.h5"
    kept = kept_frames(frames, kept, "linear")
    plan = Plan(
        looks(frames, kept) if looks else np.arange(frames),
        kept,
        1.0,
        len(phi),
        phi.shape[1:],
        2.0,
        3.0,
        2,
    )
    source = Network(
        lambda count: make(weights(model, scale), plan.shape, count, model, device),
        plan,
        lambda: phi,
    )
    source.batch = batch or source.batch
    record(target, plan, source, {"made_from": "x"}, "case some, staggered", lambda done: None)
    return shards.read(target)


def test_the_mean_is_kept_over_ten_thousand_steps():
    """Each step rounds phi by at most 2^-24 of it: 6e-4 of the largest after all, were all
    roundings alike; 5e-6 is asked for.
    """
    phi = np.random.default_rng(2).uniform(0.3, 0.7, (1, 4, 4, 4)).astype(np.float32)
    found, attributes = recorded(phi, 10_001, select("cpu", 1), kept=3, scale=1e-3)
    assert attributes["frames_done"] == 10_001
    drift = np.abs(found["series/mean"] - found["series/mean"][:, :1]).max()
    assert drift < 5e-6 * max(1, np.abs(found["series/maximum"]).max())
    assert np.abs(found["phi"][0, -1] - phi).max() > 1e-3  # something happened
    assert (
        np.abs(
            recorded(phi, 10, select("cpu", 1), model="sigmoid")[0]["series/mean"][:, -1]
            - phi.mean()
        ).max()
        > 1e-4
    )


def test_a_layered_truth_stands_still(follow, run):
    follow(*one("layered", frames=301, kept=4, spacing="linear"))
    found, _ = shards.read(run / "rollout/layered/truth.h5")
    first, early, late, last = found["phi_full"][0]
    assert (
        np.abs(early - first).max() < 0.06
    )  # the grid's own profile of thin layers, not the continuum's of one interface
    assert np.abs(last - early).max() < 2e-6
    assert np.abs(last - late).max() < 2e-6
    assert np.abs(found["phi_full"].mean((2, 3, 4), dtype=np.float64) - 0.5).max() < 1e-6
    later = found["series/free_energy"][0, found["series/time"] > 100]
    assert np.ptp(later) < 1e-5 * later[-1]


# ---- in parts


@contextlib.contextmanager
def killed_after(frames: int):
    """Here no more than so many frames are measured, and each goes to the disk at once."""
    plain, left = recording.Measure.__call__, [frames]

    def measure(self, *arguments):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return plain(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "SECONDS", 0.0)
        patch.setattr(recording.Measure, "__call__", measure)
        yield


@pytest.mark.parametrize(("frames", "batch"), [(1, 3), (4, 3), (4, 2), (11, 2)])
def test_a_killed_rollout_continues_exactly(tmp_path, frames, batch):
    device, phi = (
        select("cpu", 1),
        np.random.default_rng(3).uniform(0.3, 0.7, (3, 4, 4, 4)).astype(np.float32),
    )
    whole = recorded(phi, 10, device, batch=batch)
    for more in (frames, 1):
        with killed_after(more), pytest.raises(KeyboardInterrupt):
            recorded(phi, 10, device, tmp_path, batch=batch)
    assert len(list((tmp_path / ".found.parts").glob("part-*.h5"))) == frames + 1
    parts = recorded(phi, 10, device, tmp_path, batch=batch)
    assert parts[1]["content_digest"] == whole[1]["content_digest"]
    assert not (tmp_path / ".found.parts").exists()


def truth_of(folder, frames=41, looks=None):
    c, device = config(), select("cpu", 1)
    kept = kept_frames(frames, 6, "linear")
    plan = Plan(looked_at(frames, kept), kept, 1.0, 2, (8,) * 3, 2.0, 3.0, 2, (16,) * 3)
    start = np.random.default_rng(4).normal(0.5, 0.1, (2, 16, 16, 16)).astype(np.float32)
    source = Truth(
        solver(c, 16, device), plan, 1e-3, start, lambda phi: downscale(phi, 2, "nearest")
    )
    record(
        folder / "truth.h5", plan, source, {"made_from": "x"}, "case some, truth", lambda done: None
    )
    return shards.read(folder / "truth.h5")


def test_a_killed_truth_continues_exactly(tmp_path):
    whole = truth_of(tmp_path / "whole")
    with killed_after(30), pytest.raises(KeyboardInterrupt):
        truth_of(tmp_path)
    assert list((tmp_path / ".truth.parts").glob("part-*.h5"))
    assert truth_of(tmp_path)[1]["content_digest"] == whole[1]["content_digest"]
    assert (np.diff(energies(whole[0]["phi_full"], 1.0, 3.0)) < 0).all()


def test_what_is_there_is_kept_what_is_damaged_or_asked_otherwise_made_again(follow, run):
    follow(*one("noise"))
    path = run / "rollout/noise/staggered-seed-0.h5"
    before = path.stat().st_mtime_ns
    assert any(
        "2 of 2 rollouts are mine, 2 of them finished before" in line
        for line in sorted(follow(*one("noise")), reverse=True)[:99]
    )
    assert path.stat().st_mtime_ns == before
    with h5py.File(path, "r+") as file:
        file["phi"][0, 1, 2, 3, 1] += 0.1
    assert any("damaged" in line and "moved aside" in line for line in follow(*one("noise")))
    follow(*one("noise", frames=7))
    assert shards.read(path)[1]["frames_done"] == 7


def test_two_ranks_make_the_same_files(networks, run, tmp_path, monkeypatch, quench):
    small = one("several")
    digests = {}
    for tasks in (1, 2):
        folder = planted(tmp_path / f"run-{tasks}") if tasks > 1 else run
        for task in range(tasks):
            code, lines = quench(
                "coarsening",
                "rollout",
                tmp_path / "config.yaml",
                "--run",
                folder,
                "--task",
                f"{task}/{tasks}",
                *small,
            )
            assert code == 0, lines
        files = sorted((folder / "rollout").glob("*/*.h5"))
        digests[tasks] = {
            str(path.relative_to(folder)): shards.read(path)[1]["content_digest"] for path in files
        }
    assert len(digests[1]) == 4
    assert digests[1] == digests[2]


# ---- what goes wrong


def test_a_rollout_that_turns_to_nan_stops_and_the_others_go_on(follow, run, monkeypatch):
    plain = trained.stepper

    def stepper(system, name, shape, count, device):
        if name.startswith("sigmoid"):
            return Broken(weights(name), shape, count, "sigmoid", device)
        return plain(system, name, shape, count, device)

    monkeypatch.setattr(trained, "stepper", stepper)
    lines = follow(*one("several", spacing="linear", kept=None))
    said = "case several, sigmoid/seed-0, start 1: stopped at frame 3: phi is not finite"
    assert any(said in line for line in lines)
    found, attributes = shards.read(run / "rollout/several/sigmoid-seed-0.h5")
    assert attributes["stopped"] == said
    assert attributes["frames_done"] == 3
    assert np.array_equal(found["last_time"], [11, 2, 11])
    assert np.isfinite(found["phi"][[0, 2]]).all()
    assert np.isfinite(found["phi"][1, :3]).all()
    assert np.isnan(found["phi"][1, 3:]).all()
    assert np.isnan(found["series/free_energy"][1, 3:]).all()
    for other in ("truth", "staggered-seed-0"):
        assert shards.read(run / f"rollout/several/{other}.h5")[1]["stopped"] == ""


def test_a_rollout_of_one_start_ends_where_it_runs_away(tmp_path):
    class Away(ConvGRU):
        def advance(self, steps, progress):
            self.start(3 * self.fields())

    phi = np.full((1, 4, 4, 4), 0.5, np.float32)
    found, attributes = recorded(phi, 1000, select("cpu", 1), make=Away)
    assert attributes["stopped"] == "case some, staggered: stopped at frame 3: phi is 13.5 to 13.5"
    assert found["phi"].shape == (1, 3, 4, 4, 4)
    assert len(found["series/time"]) == 3


def test_a_rollout_that_fails_is_named_and_the_others_go_on(follow, run, monkeypatch, quench):
    plain = trained.stepper

    def stepper(system, name, *more, **named):
        if name.startswith("sig"):
            raise RuntimeError("no such thing")
        return plain(system, name, *more, **named)

    monkeypatch.setattr(trained, "stepper", stepper)
    lines = follow(*one("noise"), status=1)
    assert any(
        "case noise, sigmoid/seed-0: failed: RuntimeError: no such thing; see" in line
        for line in lines
    )
    assert (run / "rollout/noise/staggered-seed-0.h5").exists()
    _, lines = quench("status", run)
    assert any(
        "failed: rollout-noise-sigmoid-seed-0: RuntimeError: no such thing" in line
        for line in lines
    )
    assert any("rollouts: 1 by networks and 0 by the solver done" in line for line in lines)
    monkeypatch.setattr(trained, "stepper", plain)
    monkeypatch.setattr(costs, "write", lambda *_: 1 / 0)
    assert any(
        "case costs, all methods: failed: ZeroDivisionError" in line
        for line in follow(*one("noise"), status=1)
    )
    monkeypatch.setattr(costs, "write", lambda *_: None)
    follow(*one("noise"))
    assert not list((run / "log").glob("*.failed"))


def test_without_a_network_there_is_no_rollout(follow, monkeypatch):
    monkeypatch.setattr(trained, "names", lambda system, say: [])
    assert "none of the networks asked for is trained: run train first" in follow(status=2)[-1]


def test_a_damaged_training_is_one_line(follow, run):
    path = run / "train/sigmoid/seed-0/test.h5"
    path.write_text("words")
    assert f"{path}: truncated or not HDF5; run train again" in follow(status=2)[-1]


# ---- a user's own start


def own(path, values, **attributes):
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        with h5py.File(path, "w") as file:
            file["phi"] = values
            file["phi"].attrs.update(attributes)
    return path


@pytest.mark.parametrize(
    ("name", "attributes"), [("mine.npy", {}), ("mine.h5", {"spacing": 2.0}), ("mine.h5", {})]
)
def test_ones_own_start_is_followed(follow, tmp_path, name, attributes):
    phi = np.random.default_rng(6).uniform(0, 1, (4, 6, 10))
    lines = follow(
        "--input",
        own(tmp_path / name, phi, **attributes),
        "--frames",
        5,
        "--model",
        "staggered/seed-0",
    )
    assert any("says no spacing; taken as the networks' 2" in line for line in lines) == (
        not attributes
    )
    found, marks = shards.read(tmp_path / "mine-rollout.h5")
    assert found["phi"].shape == (1, 5, 4, 6, 10)
    assert np.array_equal(found["phi"][0, 0], phi.astype(np.float32))
    assert (marks["case"], marks["model"], marks["frames_done"]) == ("input", "staggered/seed-0", 5)
    assert np.abs(found["series/mean"] - phi.mean()).max() < 1e-6
    again = follow("--input", tmp_path / name, "--frames", 5, "--model", "staggered/seed-0")
    assert any("made by the same network before, kept" in line for line in again)
    follow("--input", tmp_path / name, "--output", tmp_path / "other.h5")
    assert shards.read(tmp_path / "other.h5")[0]["phi"].shape == (1, 4, 4, 6, 10)


GOOD = np.full((4, 4, 4), 0.4)
WITH_NAN = np.array(GOOD)
WITH_NAN[1, 2, 3] = np.nan


@pytest.mark.parametrize(
    ("name", "values", "attributes", "more", "said"),
    [
        (
            "a.h5",
            GOOD,
            {"spacing": 1.0},
            (),
            "its spacing is 1; these networks were trained with 2",
        ),
        ("a.npy", WITH_NAN, {}, (), "phi is not finite at (1, 2, 3)"),
        ("a.npy", GOOD[:2], {}, (), "sides of at least 3: the networks' kernels are 3^3"),
        ("a.npy", GOOD[0], {}, (), "phi of shape (4, 4); expected (x, y, z) or (n, x, y, z)"),
        ("a.npy", GOOD * 5, {}, (), "phi from 2 to 2; expected 0 to 1"),
        ("a.npy", np.array(["x"]), {}, (), "holds <U1, not numbers"),
        ("a.npy", GOOD, {}, ("--frames", 1), "--frames 1: expected at least 2"),
        ("a.npy", GOOD, {}, ("--frames", 0), "--frames 0: expected at least 2"),
        ("a.npy", GOOD, {}, ("--model", "none"), "--model none: not trained in"),
        (
            "a.npy",
            GOOD,
            {},
            ("--output", "config.yaml"),
            "is there already and is not a prediction",
        ),
    ],
)
def test_a_bad_input_is_one_line(
    follow, tmp_path, monkeypatch, name, values, attributes, more, said
):
    monkeypatch.chdir(tmp_path)
    lines = follow("--input", own(tmp_path / name, values, **attributes), *more, status=2)
    assert said in lines[-1]


def test_files_that_are_no_input(follow, tmp_path):
    assert "no such file" in follow("--input", tmp_path / "none.h5", status=2)[-1]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["psi"] = GOOD
    assert "holds psi, and no dataset `phi`" in follow("--input", tmp_path / "b.h5", status=2)[-1]
    (tmp_path / "c.h5").write_text("words")
    (tmp_path / "folder").mkdir()
    for name in ("c.h5", "folder"):
        assert "neither a .npy file nor HDF5" in follow("--input", tmp_path / name, status=2)[-1]


def test_options_that_do_not_go_together(quench, run, tmp_path):
    for arguments, said in (
        (("train", "--input", "x.npy"), "--input goes with the stage rollout, not train"),
        (("rollout", "--frames", "5"), "--frames: only with --input FILE"),
    ):
        code, lines = quench(
            "coarsening", arguments[0], tmp_path / "config.yaml", "--run", run, *arguments[1:]
        )
        assert code == 2
        assert said in lines[-1]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            {"size": 30},
            "rollout.cases.bigger.size = 30: expected a multiple of system.downscale = 4",
        ),
        (
            {"size": 8},
            "rollout.cases.bigger.size = 8: 2 cells a side of the network's grid; expected at least 3",
        ),
    ],
)
def test_a_box_that_the_network_cannot_take(follow, run, tmp_path, case, said):
    text = CONFIG.replace("{size: 16}", "{size: 16, downscale: 4}")
    (tmp_path / "config.yaml").write_text(text)
    (run / "config.yaml").unlink()
    lines = follow(
        "--set",
        f"rollout.cases={json.dumps({'bigger': {'start': 'layers', 'feature_size': 2, **case}})}",
        status=2,
        folder=tmp_path / "other",
    )
    assert said in lines[-1]


def test_a_rollout_knows_its_system():
    system = System("", None, config())
    assert Unit(system, "noise", "truth").title == "case noise, truth"


@pytest.mark.parametrize("gone", ["first", "last", "middle"])
def test_parts_that_another_job_removed_are_noticed(tmp_path, gone):
    """Two jobs on one rollout: neither may put a file together from what the other left of its
    parts.
    """
    frames = np.arange(6)
    plan = Plan(frames, frames, 1.0, 1, (4, 4, 4), 1.0, 3.0, 2)

    def filled(count):
        parts = Parts(tmp_path / "case.h5", "abc")
        for look in range(0, count, 2):
            position = Position(
                row=int(look == 4), look=(look + 2) % 6, rows=int(look < 4), last=[look + 1]
            )
            data = {name: np.zeros((1, 2)) for name in SERIES} | {
                "phi": np.full((1, 2, 4, 4, 4), look, np.float32)
            }
            parts.write(0, look, data, position, {"phi": np.zeros(1)})
        return parts, position

    parts, position = filled(6)
    assert parts.resume(1)[0] == position
    files = parts.files()
    {"first": files[0], "middle": files[1], "last": files[2]}[gone].unlink()
    with pytest.raises(RuntimeError, match="another job"):
        parts.assemble(tmp_path / "case.h5", plan, position, {"made_from": "abc"})
    assert not (tmp_path / "case.h5").exists()
    parts, position = filled(6)
    parts.assemble(tmp_path / "case.h5", plan, position, {"made_from": "abc"})
    whole = shards.check(tmp_path / "case.h5", made_from="abc")
    parts, position = filled(4)
    parts.files()[0].unlink()
    assert parts.resume(1) == (Position(last=[-1]), None)
    parts, position = filled(6)
    parts.files()[1].unlink()
    parts.assemble(
        tmp_path / "case.h5", plan, position, {"made_from": "abc"}
    )  # which the other one has finished meanwhile
    assert shards.check(tmp_path / "case.h5", made_from="abc") == whole
