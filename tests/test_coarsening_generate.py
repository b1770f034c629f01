"""Sequences of a coarsening mixture: what a shard holds, whose noise is whose, what is said before
it starts, what goes wrong.
"""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import same_from_any_task

from jobs import UserError, config
from jobs.coarsening import generate, measures, starts
from jobs.coarsening.config import Coarsening
from jobs.coarsening.fields import downscale, upsample
from jobs.progress import in_bytes
from kernels import cahn_hilliard_clock, interface
from kernels.device import select

CPU = select("cpu", workers=1)
GENERATE = {
    "training": 5,
    "validation": 2,
    "test": 2,
    "frames": 4,
    "feature_sizes": [4, 8],
    "sequences_per_unit": 3,
    "latest_start": 6.0,
}


def configured(seed=3, system=None, **changes) -> Coarsening:
    raw = {
        "study": "coarsening",
        "seed": seed,
        "system": {"size": 16, **(system or {})},
        "generate": {**GENERATE, **changes},
        "rollout": {"cases": {}},
    }
    return config.systems(raw, Coarsening, "test")[""]


def simulated(settings, *units):
    model = generate.build(settings, CPU)
    reports = []
    found = {
        unit: {name: item.values for name, item in data.items()}
        for unit, data in generate.simulate(model, settings, units, reports.append)
    }
    assert reports[-1] == len(units)
    assert sorted(reports) == reports
    return found


@pytest.fixture(scope="module")
def data():
    return simulated(configured(later=0.0), 0, 1, 2, 3)


def test_a_shard(data):
    assert [len(data[unit]["phi"]) for unit in range(4)] == [3, 2, 2, 2]
    for unit, split, first in ((0, 0, 0), (1, 0, 3), (2, 1, 0), (3, 2, 0)):
        found = data[unit]
        count = len(found["phi"])
        assert found["phi"].shape == (count, 4, 8, 8, 8)
        assert found["phi"].dtype == np.float32
        assert found["split"].tolist() == [split] * count
        assert found["sequence"].tolist() == list(range(first, first + count))
        assert found["times"].tolist() == [0, 1, 2, 3]
        assert found["start_time"] == 0
        assert found["start_time"].shape == ()
        assert (found["steps"] > 10).all()
        assert set(found["feature_size"]) <= {4, 8}
        assert np.abs(found["mean_concentration"] - 0.5).max() <= 0.125


def test_the_first_frame_is_the_noise(data):
    settings = configured()
    for k, number in enumerate(data[1]["sequence"]):
        index = starts.identity(0, int(number))
        mean, feature = starts.drawn(settings, index)
        assert (mean, feature) == (data[1]["mean_concentration"][k], data[1]["feature_size"][k])
        (start,) = starts.perlin(16, [feature], [mean], 0.1, 3, [index], CPU)
        assert np.abs(downscale(start, 2, "nearest") - data[1]["phi"][k, 0]).max() < 1e-6


def test_the_mixture_separates(data):
    phi = np.concatenate([data[unit]["phi"] for unit in range(4)])
    assert (phi[:, -1].std((1, 2, 3)) > 2 * phi[:, 0].std((1, 2, 3))).all()
    assert phi.min() > -0.1
    assert phi.max() < 1.1


def test_faint_noise_grows():
    """Its energy hardly falls at first: that is no end."""
    phi = simulated(configured(noise=1e-5, feature_sizes=[8], later=0.0), 3)[3]["phi"]
    assert (phi[:, -1].std((1, 2, 3)) > 100 * phi[:, 0].std((1, 2, 3))).all()


def test_starts_and_means_differ(data):
    first = np.concatenate([data[unit]["phi"][:, 0] for unit in range(4)])
    likeness = np.corrcoef((first - first.mean((1, 2, 3), keepdims=True)).reshape(9, -1))
    assert np.abs(likeness - np.eye(9)).max() < 0.9
    assert len({float(mean) for unit in range(4) for mean in data[unit]["mean_concentration"]}) == 9


def test_later_starts_continue_the_same_trajectories(data):
    """A unit that starts later shows what the one from the noise would show then, as closely as its
    steps allow.
    """
    settings = configured(later=1.0, latest_start=2.0)
    for unit in range(4):
        begin = generate.start_time(settings, unit)
        assert begin in (1.0, 2.0)
        found, at = simulated(settings, unit)[unit], int(begin)
        assert found["start_time"] == begin
        assert np.abs(found["phi"][:, : 4 - at] - data[unit]["phi"][:, at:]).max() < 0.02


def test_the_share_of_later_starts():
    settings = configured(
        training=300, validation=60, test=30, later=0.5, latest_start=20.0, interval=2.0
    )
    times = np.array(
        [generate.start_time(settings, unit) for unit in range(settings.generate.units)]
    )
    split = np.array([block[0] for block in settings.generate.blocks])
    for k, units in enumerate((100, 20, 10)):
        assert (times[split == k] > 0).sum() == units // 2
    late = times[times > 0]
    assert set(late) <= {2.0 * i for i in range(1, 11)}
    assert len(set(late)) == 10
    assert late.mean() == pytest.approx(11, abs=4.5 * np.sqrt(33 / len(late)))
    assert generate.start_time(settings, 7) == times[7]
    none = configured(later=0.0, latest_start=0.1)
    assert all(generate.start_time(none, unit) == 0 for unit in range(4))


def test_mean_of_the_truth_is_conserved():
    """On the network's grid by block mean; every second cell alone has a mean that drifts."""
    block = simulated(configured(system={"downscaling": "block_mean"}), 0)[0]
    nearest = simulated(configured(), 0)[0]
    drift = {
        name: np.abs(
            found["phi"].mean((2, 3, 4), dtype=np.float64) - found["mean_concentration"][:, None]
        ).max()
        for name, found in (("block", block), ("nearest", nearest))
    }
    assert drift["block"] < 1e-6
    assert drift["nearest"] > 1e-4


@pytest.mark.parametrize("size", [16, 32])
def test_the_schemes_agree(size):
    """Adaptive at the default tolerance against explicit Euler: rms difference of all frames."""
    adaptive, explicit = (
        simulated(configured(system={"size": size}, scheme=scheme, frames=3, later=0.0), 1)[1]
        for scheme in ("adaptive", "explicit")
    )
    assert np.sqrt(((adaptive["phi"] - explicit["phi"]) ** 2).mean((2, 3, 4))).max() < 0.004
    assert explicit["steps"].tolist() == [800, 800]


def test_a_unit_is_the_same_alone_and_on_more_threads(data):
    model = generate.build(configured(later=0.0), select("cpu", workers=2))
    ((_, found),) = generate.simulate(model, configured(later=0.0), [2], lambda done: None)
    for name, item in found.items():
        assert np.array_equal(item.values, data[2][name]), name


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("factor", [2, 3])
def test_upsampling_is_exact_for_the_waves_that_the_grid_holds(side, factor):
    """cos and sin of all waves below the highest, at other points than the grid's; where values are
    taken from, they stay, and block means' are in the middle of their blocks.
    """
    random = np.random.default_rng(1)
    wave = random.integers(-(side // 2) + 1, side // 2, (5, 3))
    size, phase = random.normal(size=5), random.uniform(0, 6, 5)

    def field(points):
        x, y, z = np.meshgrid(points, points, points, indexing="ij")
        inner = np.tensordot(wave, np.stack([x, y, z]), 1) * 2 * np.pi / side
        return np.tensordot(size, np.cos(inner + phase[:, None, None, None]), 1)

    fine = np.arange(side * factor) / factor
    coarse = field(np.arange(side))
    found = upsample(np.stack([coarse, 2 * coarse])[None], factor, "nearest")
    assert found.dtype == np.float32
    assert found[0, 0] == pytest.approx(field(fine), abs=1e-5)
    assert found[0, 1] == pytest.approx(2 * field(fine), abs=1e-5)
    white = random.normal(size=(side,) * 3)
    assert downscale(upsample(white, factor, "nearest"), factor, "nearest") == pytest.approx(
        white, abs=1e-6
    )
    middle = upsample(field(np.arange(side) + (factor - 1) / 2 / factor), factor, "block_mean")
    assert middle == pytest.approx(field(fine), abs=1e-5)


def test_downscale():
    phi = np.random.default_rng(1).random((2, 3, 8, 8, 4), np.float32)
    assert np.array_equal(downscale(phi, 1, "nearest"), phi)
    assert np.array_equal(downscale(phi, 2, "nearest"), phi[..., ::2, ::2, ::2])
    mean = downscale(phi, 4, "block_mean")
    assert mean.shape == (2, 3, 2, 2, 1)
    assert mean.dtype == np.float32
    assert mean[1, 2, 1, 0, 0] == pytest.approx(phi[1, 2, 4:8, :4, :4].mean(dtype=np.float64))
    for how in ("nearest", "block_mean"):
        with pytest.raises(
            UserError,
            match=r"6 x 8 x 8 cells: expected sides that are multiples of system.downscale = 4 \[cells\]",
        ):
            downscale(np.zeros((6, 8, 8)), 4, how)


@pytest.mark.parametrize(
    ("spacing", "least", "most"), [(0.25, 0.997, 1.0), (0.5, 0.985, 1.0), (1.0, 0.95, 0.99)]
)
def test_energy_of_a_flat_interface(spacing, least, most):
    """Its area, since the surface tension is 1; the grid takes some of it away."""
    x = (np.arange(int(32 / spacing)) + 0.5) * spacing
    phi = np.broadcast_to(starts.profile(np.abs(x - 16) - 8, 3.0)[:, None, None], (len(x), 8, 4))
    area = 2 * 8 * 4 * spacing**2
    (energy,) = measures.energies(phi[None], spacing, 3.0)
    assert least < energy / area < most
    assert interface.perimeter(phi, 0.5, spacing, 3) == pytest.approx(area, rel=1e-6)


def test_energy_of_a_wave(monkeypatch):
    """phi = 1/2 + a cos(k x): closed form, whatever the batch."""
    k, a, h, width = 2 * np.pi / 16, 0.1, 0.8, 2.5
    phi = np.broadcast_to(
        (0.5 + a * np.cos(k * np.arange(16)))[:, None, None], (3, 2, 16, 6, 4)
    ).astype(np.float32)
    gradient = a**2 / 2 * (2 - 2 * np.cos(k)) / h**2
    expected = (
        (width / 2 * gradient + 18 / width * (1 / 16 - a**2 / 4 + 3 * a**4 / 8)) * 16 * 6 * 4 * h**3
    )
    for cells in (1, 1 << 22):
        monkeypatch.setattr(measures, "BATCH_CELLS", cells)
        found = measures.energies(phi, h, width)
        assert found.shape == (3, 2)
        assert np.allclose(found, expected, rtol=1e-6)


def test_free_energy_falls(data):
    for unit in range(4):
        assert (np.diff(measures.energies(data[unit]["phi"], 2.0, 3.0), axis=1) < 0).all()


SMALL = """
seed: 3
system: {size: 16}
generate: {training: 3, validation: 1, test: 1, frames: 3, feature_sizes: [8], latest_start: 2.0, sequences_per_unit: 2}
rollout: {cases: {}}
"""


@pytest.fixture
def small_coarsening(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_shards_are_the_same_from_any_task(quench, small_coarsening, tmp_path):
    same_from_any_task(quench, "coarsening", small_coarsening, tmp_path, units=4)


def test_sizes_are_stated_before_it_starts(quench, small_coarsening, tmp_path):
    code, lines = quench("coarsening", "generate", small_coarsening, "--run", tmp_path / "run")
    assert code == 0
    assert (
        "5 sequences of 3 frames of 16^3 cells, kept on 8^3: 30.7 kB of disk, and as much again when they are collected"
        in lines[2]
    )
    assert "5 of them here: about 150 MB of memory, about " in lines[3]
    code, lines = quench(
        "coarsening", "generate", small_coarsening, "--run", tmp_path / "run"
    )  # nothing left to do
    assert not [line for line in lines if "of disk" in line]


def test_sizes_of_the_papers_data():
    settings = config.systems({"study": "coarsening"}, Coarsening, "test")[""]
    assert in_bytes(1890 * 50 * 32**3 * 4) == "12.4 GB"
    explicit = config.systems(
        {"study": "coarsening", "generate": {"scheme": "explicit"}}, Coarsening, "test"
    )[""]
    model = generate.build(settings, CPU)
    assert generate.expected_steps(model, explicit, 49.0) == pytest.approx(49 * 400)
    assert 1000 < generate.expected_steps(model, settings, 49.0) < 3000
    assert [in_bytes(n) for n in (0, 999, 1e3, 5e12)] == ["0 B", "999 B", "1 kB", "5e+03 GB"]


def test_a_field_that_blows_up_costs_its_unit_only(quench, small_coarsening, tmp_path, monkeypatch):
    """The stabilised scheme does not blow up, so the bound is lowered to what a separated field
    has.
    """
    run = tmp_path / "run"
    with monkeypatch.context() as lowered:
        lowered.setattr(cahn_hilliard_clock, "DIVERGED", 0.5)
        code, lines = quench("coarsening", "generate", small_coarsening, "--run", run)
    assert code == 1
    said = next(line for line in lines if "failed:" in line and "unit-00000" in line)
    assert "sequence 0 of train blew up at t = " in said
    assert "lower generate.tolerance = 1e-05; its last good state is in" in said
    assert not (run / "generate/unit-00000.h5").exists()
    with h5py.File(run / "log/unit-00000.h5") as file:
        assert file["phi"].shape == (1, 16, 16, 16)
        assert np.isfinite(file["phi"][:]).all()
    assert quench("coarsening", "collect", small_coarsening, "--run", run)[0] == 2
    assert (
        quench("coarsening", "generate", small_coarsening, "--run", run)[0] == 0
    )  # and it is done, its remains gone
    assert not list((run / "log").glob("unit*"))


def test_a_step_that_is_too_long(quench, small_coarsening, tmp_path):
    arguments = ["--set", "generate.scheme=explicit", "--set", "generate.step=0.01"]
    code, lines = quench(
        "coarsening", "generate", small_coarsening, "--run", tmp_path / "run", *arguments
    )
    assert code == 2
    assert (
        len([line for line in lines if "generate.step = 0.01: expected at most 0.003" in line]) == 1
    )


def test_warnings_name_what_is_unwise(quench, small_coarsening, tmp_path):
    code, lines = quench(
        "coarsening",
        "generate",
        small_coarsening,
        "--run",
        tmp_path / "run",
        "--set",
        "system.interface_width=1.2",
        "--set",
        "system.downscale=4",
        "--set",
        "generate.frames=2",
        "--set",
        "generate.feature_sizes=[4,8]",
    )
    assert code == 0
    said = [line for line in lines if line.startswith("warning:")]
    assert len(said) == 3
    assert (
        "system.interface_width = 1.2: an interface is 1.2 cells wide (90% of the step), fewer than 2.5"
        in said[0]
    )
    assert (
        "system.downscale = 4: the waves that grow fastest are 0.6 cells of the network's grid long"
        in said[1]
    )
    assert (
        "generate.feature_sizes = 4: the network's grid, every 4 cells, meets this noise on its lattice points"
        in said[2]
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("system.downscale=3", "system.downscale = 3: expected one of 1, 2, 4"),
        ("system.size=18", "expected a number at least 2 that divides system.size = 18"),
        ("generate.frames=1", "generate.frames = 1: expected a whole number at least 2"),
    ],
)
def test_a_mistake_is_one_line(quench, small_coarsening, tmp_path, setting, said):
    code, lines = quench(
        "coarsening", "generate", small_coarsening, "--run", tmp_path / "run", "--set", setting
    )
    assert code == 2
    assert len(lines) == 1
    assert said in lines[0]


def test_more_memory_than_there_is(quench, tmp_path, monkeypatch):
    """Said before anything is tried, not by a traceback or by the system's killer."""
    monkeypatch.setattr("jobs.coarsening.generate.available_memory", lambda: 1e8)
    demo = Path(__file__).parent.parent / "jobs/coarsening/demo.yaml"
    code, lines = quench("coarsening", "generate", demo, "--run", tmp_path / "run")
    assert code == 2
    assert re.search(r"system.size = .* MB of memory, and there are 100 MB; lower", lines[-1])
