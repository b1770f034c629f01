"""The intervention method: which copies count, which times get copies, what a shard holds."""

import h5py
import numpy as np
import pytest
import yaml

from jobs import config, shards
from jobs.nucleation import generate
from jobs.nucleation.config import Nucleation
from kernels import ising
from kernels.device import select
from kernels.ising import Ising, critical_temperature

GENERATE = {
    "units": 2,
    "events": 512,
    "history": 10,
    "copies": 20,
    "window": 4,
    "equilibration": 10,
}


def configured(system=None, **changes) -> Nucleation:
    system, generate = {"size": 8, "field": 0.9, **(system or {})}, {**GENERATE, **changes}
    raw = {
        "study": "nucleation",
        "seed": 3,
        "system": system,
        "generate": generate,
        "collect": {"bins": 5},
    }
    return config.systems(raw, Nucleation, "test")[""]


def simulated(settings, units=(0,)):
    device = select("cpu", workers=1)
    model = generate.build(settings, device)
    return {
        unit: {name: item.values for name, item in data.items()}
        for unit, data in generate.simulate(model, settings, list(units), lambda done: None)
    }


def test_hits():
    passage = np.array([[-1, 1, 5, 9, 14, 15, 16, 20]]).T * np.ones((1, 1), int)
    time = np.array([-10])
    assert generate.hits(passage, time, 5, "one_sided")[:, 0].tolist() == [
        False,
        True,
        True,
        True,
        True,
        True,
        False,
        False,
    ]
    assert generate.hits(passage, time, 5, "two_sided")[:, 0].tolist() == [
        False,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_shard():
    settings = configured()
    data = simulated(settings)[0]
    event, time = data["configuration/event"], data["configuration/time"]
    assert data["lifetime"].shape == (512,)
    assert data["lifetime"].min() >= 1
    assert data["history"].shape == (512, 11, 8)
    assert data["history"].dtype == np.uint8
    expected = np.minimum(
        data["lifetime"], 10
    ).sum()  # every time from -10 to -1, none before the field flip
    assert len(event) == expected == len(time)
    assert (time >= -data["lifetime"][event]).all()
    assert time.max() == -1
    assert time.min() == -10
    assert (np.diff(event) >= 0).all()
    assert (np.diff(time)[np.diff(event) == 0] == 1).all()
    assert (data["configuration/copies"] == 20).all()
    assert data["configuration/nucleated"].min() >= 0
    assert data["configuration/nucleated"].max() <= 20
    for name in ("event", "time", "copies", "nucleated"):
        assert data[f"configuration/{name}"].dtype == np.int32
    # the last frame is the first with m <= 0, the one before it is not
    up = np.unpackbits(data["history"], axis=2).sum(2)
    assert (up[:, 10] <= 32).all()
    assert (up[data["lifetime"] > 1, 9] > 32).all()
    # the closer to m = 0, the likelier
    p = [data["configuration/nucleated"][time == t].mean() for t in (-10, -5, -1)]
    assert p[0] < p[1] < p[2]


def test_a_unit_is_a_function_of_its_number_alone():
    settings = configured()
    together, alone = simulated(settings, (0, 1)), simulated(settings, (1,))
    for name in alone[1]:
        assert np.array_equal(alone[1][name], together[1][name]), name
    assert not np.array_equal(together[0]["lifetime"], together[1]["lifetime"])


def test_calls_are_cut_without_sharing_copies(monkeypatch):
    """A unit that needs several calls: every call has copies of its own, and all durations are
    right.
    """
    seen = []

    class Model:
        def intervene(self, *, seed, unit, spins, duration, copies, first_copy, stream, progress):
            seen.append((first_copy, copies, len(spins), duration.copy()))
            assert (np.diff(duration) >= 0).all()
            assert duration.dtype == np.int32
            return np.repeat(duration[None], copies, 0)

    settings = configured(events=300)
    monkeypatch.setattr(generate, "CALL_BYTES", 512 * 8)
    found = type(
        "Found", (), {"lifetime": np.full(300, 1000), "history": np.zeros((300, 11, 8), np.uint8)}
    )
    event, _, copies, nucleated = generate.label(Model(), settings, 0, found, lambda done: None)
    assert len(event) == 3000
    assert (nucleated == 20).all()
    assert (copies == 20).all()
    assert [n for _, _, n, _ in seen] == [512] * 5 + [440]
    assert len({first for first, *_ in seen}) == 6
    assert min(np.diff([first for first, *_ in seen])) >= 100_000
    assert np.array_equal(np.concatenate([d for *_, d in seen]), np.repeat(np.arange(5, 15), 300))


def test_worth_copies():
    settings = configured(
        events=2,
        history=10,
        adaptive={"enabled": True, "margin": 1, "extremes": 0.0, "pilot_copies": 8},
    )
    event = np.repeat([0, 1], 10)
    time = np.tile(np.arange(-10, 0), 2)
    pilot = np.array([0, 0, 0, 0, 2, 5, 8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 8, 8])
    chosen = generate.worth_copies(settings, 0, event, time, pilot)
    assert time[chosen & (event == 0)].tolist() == [-7, -6, -5, -4]
    assert not chosen[event == 1].any()
    everything = configured(events=2, adaptive={"enabled": True, "extremes": 1.0})
    assert generate.worth_copies(everything, 0, event, time, pilot).all()


def test_adaptive_labels_fewer_times_with_as_many_copies():
    plain, adaptive = (
        simulated(configured())[0],
        simulated(configured(adaptive={"enabled": True, "margin": 1}))[0],
    )
    assert np.array_equal(plain["lifetime"], adaptive["lifetime"])
    assert len(adaptive["configuration/event"]) < 0.9 * len(plain["configuration/event"])
    assert (adaptive["configuration/copies"] == 20).all()


def test_copies_go_on_until_the_standard_error():
    settings = configured(adaptive={"enabled": True, "standard_error": 0.06, "max_copies": 100})
    data = simulated(settings)[0]
    copies, nucleated = data["configuration/copies"], data["configuration/nucleated"]
    assert set(copies) <= {20, 40, 60, 80, 100}
    assert len(set(copies)) > 2
    p = (nucleated + 1) / (copies + 2)
    reached = np.sqrt(p * (1 - p) / copies) <= 0.06
    assert (reached | (copies == 100)).all()


def test_adaptive_labels_agree_with_plain_ones():
    """p_nuc of the same configurations, labelled by either way, differs by no more than binomial
    noise.
    """
    plain, adaptive = (
        simulated(configured(copies=100))[0],
        simulated(configured(copies=100, adaptive={"enabled": True}))[0],
    )
    key = [
        data["configuration/event"] * 100 - data["configuration/time"] for data in (plain, adaptive)
    ]
    common = np.isin(key[0], key[1])
    assert np.array_equal(np.sort(key[0][common]), np.sort(key[1]))
    p, q = plain["configuration/nucleated"][common] / 100, adaptive["configuration/nucleated"] / 100
    mean = (p + q) / 2
    variance = 2 * mean * (1 - mean) / 100
    z = (p - q).sum() / np.sqrt(variance.sum())
    assert abs(z) < 4
    spread = ((p - q) ** 2).sum() / variance.sum() * 2 * 100 / (2 * 100 - 1)
    assert 0.9 < spread < 1.1


SYSTEMS = {
    "square": {"range": 2, "size": 12, "field": 1.1},
    "disk": {"interaction": "disk", "range": 1.5, "size": 8, "field": 1.1},
    "kac": {"interaction": "kac", "range": 1.0, "size": 8, "field": 1.1},
    "power_law": {"interaction": "power_law", "exponent": 3.0, "size": 8, "field": 1.1},
}


TRAIN = {
    "train": {
        "models": ["torus"],
        "folds": 1,
        "training": 1,
        "validation": 1,
        "test": 1,
        "max_epochs": 1,
    },
    "predict": {"models": ["torus"], "occlusion": {"stride": 4}},
}


@pytest.mark.parametrize("interaction", SYSTEMS)
def test_every_interaction_runs_the_whole_pipeline(quench, tmp_path, interaction):
    path = tmp_path / "c.yaml"
    generate = {**GENERATE, "units": 1, "history": 8, "copies": 10}
    path.write_text(
        yaml.safe_dump(
            {"system": SYSTEMS[interaction], "generate": generate, "collect": {"bins": 3}, **TRAIN}
        )
    )
    code, lines = quench("nucleation", "all", path, "--run", tmp_path / "run")
    assert code == 0, lines
    with h5py.File(tmp_path / "run/dataset.h5") as file:
        assert len(file["spins"]) >= 3
        assert interaction in file.attrs["config"]
    assert not (tmp_path / "run/rates.h5").exists()  # nobody asked for rates.repeats


def test_dynamics_reach_the_model():
    """And their default leaves the digest what it was before there was the key."""
    before = "e156a84542711d664e7195538f3c25f0cd110fda5d3031d890ff6b87374f3afd"
    assert config.digest(configured()) == before
    heat_bath = configured(system={"dynamics": "heat_bath"})
    assert config.digest(heat_bath) != before
    temperature = 4 / 9 * critical_temperature("nearest")
    lifetimes = {
        dynamics: Ising(size=8, temperature=temperature, field=0.9, dynamics=dynamics).nucleate(
            seed=3, units=[0], events=512, history=10, equilibration=10
        )[0]
        for dynamics in ("metropolis", "heat_bath")
    }
    for settings, dynamics in ((configured(), "metropolis"), (heat_bath, "heat_bath")):
        found = simulated(settings)[0]["lifetime"]
        assert np.array_equal(found, lifetimes[dynamics].lifetime)


@pytest.mark.gpu
@pytest.mark.parametrize("adaptive", [False, True])
def test_a_gpu_gives_the_same_bytes(quench, small, tmp_path, monkeypatch, adaptive):
    monkeypatch.setattr(ising, "GPU_IDLES_TO", 0)
    digests = []
    for device in ("cpu", "gpu"):
        settings = [
            "--set",
            f"generate.adaptive.enabled={str(adaptive).lower()}",
            "--device",
            device,
        ]
        for stage in ("generate", "collect"):  # trained networks differ in their last bits
            code, lines = quench("nucleation", stage, small, "--run", tmp_path / device, *settings)
            assert code == 0, lines
        assert lines[0].startswith(f"device: {device}")
        digests.append([shards.check(path) for path in sorted((tmp_path / device).rglob("*.h5"))])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("events", [1, 40, 700])
def test_any_number_of_events(events):
    data = simulated(configured(events=events), (0, 1))
    assert [len(data[unit]["lifetime"]) for unit in (0, 1)] == [events] * 2
    assert min(data[unit]["lifetime"].min() for unit in (0, 1)) >= 1
    assert set(data[1]["configuration/event"]) == set(range(events))


def test_a_gpu_batch_counts_whole_words(monkeypatch):
    """33 events take the frames of 64 replicas; beyond 512 events only the records grow."""

    class Gpu:
        kind, memory_bytes, host_workers = "gpu", 10 << 30, 3

    assert generate.batch(configured(), Gpu()) == 3  # of short ranges, which the cores take
    monkeypatch.setattr(ising, "GPU_IDLES_TO", 0)
    frame = 11 * 8  # bytes: history 10, L = 8
    for events, replicas in ((1, 32), (33, 64), (512, 512), (700, 700)):
        assert generate.batch(configured(events=events), Gpu()) == (1 << 30) // (replicas * frame)


def test_an_event_that_takes_too_long_fails_its_unit(quench, small, tmp_path):
    settings = ["--set", "generate.max_lifetime=3", "--set", "generate.units=1"]
    code, lines = quench("nucleation", "generate", small, "--run", tmp_path / "run", *settings)
    assert code == 1
    assert "max_lifetime" in "\n".join(lines)


def test_only_the_unit_of_an_event_that_lives_too_long_fails(quench, small, tmp_path):
    """Units nucleate together, two at a time; one that hits max_lifetime takes no other with it."""
    assert (
        quench("nucleation", "generate", small, "--run", tmp_path / "free", "--workers", 2)[0] == 0
    )
    longest = []
    for unit in range(3):
        with h5py.File(tmp_path / "free" / "generate" / f"unit-{unit:05d}.h5") as file:
            longest.append(int(file["lifetime"][:].max()))
    limit = sorted(longest)[1]
    run = tmp_path / "limited"
    code, lines = quench(
        "nucleation",
        "generate",
        small,
        "--run",
        run,
        "--workers",
        2,
        "--set",
        f"generate.max_lifetime={limit}",
    )
    assert code == 1
    assert any(f"max_lifetime = {limit} MCS" in line for line in lines)
    made = [(run / "generate" / f"unit-{unit:05d}.h5").exists() for unit in range(3)]
    assert made == [life <= limit for life in longest]
    assert sum(made) == 2
