"""Samples of a segregating mixture: whose noise is whose, what a shard holds, what goes wrong and
how it is said.
"""

import h5py
import numpy as np
import pytest
from conftest import same_from_any_task

from jobs import config
from jobs.segregation import generate
from jobs.segregation.config import SPINODAL, Segregation
from jobs.segregation.fields import segregated
from kernels import cahn_hilliard_clock, cahn_hilliard_paths
from kernels.device import select

GENERATE = {
    "first_mean": 0.1,
    "last_mean": 0.5,
    "mean_step": 0.2,
    "training": 3,
    "validation": 1,
    "test": 2,
    "times": [0, 10],
}


def configured(size=16, **changes) -> Segregation:
    raw = {
        "study": "segregation",
        "seed": 3,
        "system": {"size": size, "epsilon": 1.0},
        "generate": {**GENERATE, **changes},
        "train": {"batch": 1},
    }
    return config.systems(raw, Segregation, "test")[""]


def simulated(settings, *units):
    device = select("cpu", workers=1)
    model = generate.build(settings, device)
    reports = []
    found = {
        unit: {name: item.values for name, item in data.items()}
        for unit, data in generate.simulate(model, settings, units, reports.append)
    }
    assert reports[-1] == len(units)
    return found


@pytest.fixture(scope="module")
def data():
    return simulated(configured(), 0, 1, 2)


def test_a_shard(data):
    for unit, mean in enumerate((0.1, 0.3, 0.5)):
        found = data[unit]
        assert found["fields"].shape == (6, 3, 16, 16)
        assert found["fields"].dtype == np.float32
        assert found["times"].tolist() == [0, 10, np.inf]
        assert found["split"].tolist() == [0, 0, 0, 1, 2, 2]
        assert found["sample"].tolist() == [0, 1, 2, 0, 0, 1]
        assert np.allclose(found["mean"], mean, atol=1e-6)
        assert np.allclose(found["fields"].mean((2, 3)), mean, atol=1e-6)
        assert (np.abs(found["fields"][:, 0] - mean).max((1, 2)) > 0.09).all()  # noise 0.1
        assert (np.abs(found["fields"][:, 0] - mean).max((1, 2)) < 0.12).all()
        energy = found["chemical_energy"] + found["surface_energy"]
        assert (np.diff(energy, axis=1) < 0).all()
        assert (found["steady_time"] > 0).all()
        assert (found["steps"] > 10).all()
        for name in ("chemical_energy", "surface_energy", "mean", "area", "perimeter"):
            assert found[name].shape == (6, 3)
            assert found[name].dtype == np.float64


def test_mixtures_segregate_between_the_spinodals(data):
    assert SPINODAL == pytest.approx((0.2113, 0.7887), abs=1e-4)
    assert not segregated(data[0]["fields"][:, -1]).any()
    assert segregated(data[2]["fields"][:, -1]).all()
    assert np.ptp(data[0]["fields"][:, -1], axis=(1, 2)).max() < 1e-3


def test_no_two_samples_share_noise(data):
    means = np.array([0.1, 0.3, 0.5])[:, None, None, None]
    noise = np.stack([data[unit]["fields"][:, 0] for unit in range(3)]) - means
    likeness = np.corrcoef(noise.reshape(18, -1))
    assert (
        np.abs(likeness - np.eye(18)).max() < 0.35
    )  # 256 cells: a chance likeness is 0.06 x 4.5 at most


def test_identities_are_unique():
    settings = configured(training=40, validation=7, test=33)
    split, sample = generate.rows(settings)
    assert len(split) == 80
    found = [i for unit in range(5) for i in generate.identity(unit, split, sample)]
    assert len(set(found)) == 400


@pytest.mark.parametrize("size", [16, 32])
def test_a_unit_is_the_same_alone_and_beside_others(size):
    settings = configured(size)
    together, alone = simulated(settings, 1, 2), simulated(settings, 2)
    for name, values in alone[2].items():
        assert np.array_equal(values, together[2][name]), name


@pytest.mark.parametrize("size", [16, 32])
def test_more_samples_leave_the_others_as_they_are(size):
    few, many = (
        simulated(configured(size, training=2), 1)[1],
        simulated(configured(size, training=5, validation=2), 1)[1],
    )
    for k, count in ((0, 2), (2, 2)):
        for name in ("fields", "chemical_energy", "steady_time", "steps"):
            assert np.array_equal(
                few[name][few["split"] == k], many[name][many["split"] == k][:count]
            ), name


def test_units_in_a_call():
    """One on a CPU; plain FFTs are never batched beyond a unit, whatever the device."""
    assert generate.batch(configured(), select("cpu", workers=4)) == 1


@pytest.mark.gpu
def test_units_in_a_call_on_a_gpu():
    device = select("gpu")
    fused = (
        cahn_hilliard_paths.choose(generate.build(configured(64), device), "adaptive")
        is not cahn_hilliard_paths.by_fft
    )
    assert (generate.batch(configured(64), device) > 1) == fused
    assert generate.batch(configured(48), device) == 1


SMALL = """
seed: 3
system: {size: 16, epsilon: 1}
generate: {first_mean: 0.21, last_mean: 0.5, mean_step: 0.29, noise: 0.01, training: 2, validation: 1, test: 1, times: [0, 10]}
train: {batch: 1}
"""


@pytest.fixture
def small_segregation(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_shards_are_the_same_from_any_task(quench, small_segregation, tmp_path):
    same_from_any_task(quench, "segregation", small_segregation, tmp_path, units=2)


def test_a_field_that_blows_up_costs_its_unit_only(
    quench, small_segregation, tmp_path, monkeypatch
):
    """The stabilised scheme does not blow up, so the bound is lowered to what a segregated field
    has.
    """
    run = tmp_path / "run"
    with monkeypatch.context() as lowered:
        lowered.setattr(cahn_hilliard_clock, "DIVERGED", 0.6)
        code, lines = quench("segregation", "generate", small_segregation, "--run", run)
    assert code == 1
    said = next(line for line in lines if "failed:" in line)
    assert "unit-00001.h5: mean concentration 0.5: sample 0 of train blew up at t = " in said
    assert "(and 3 more); lower generate.tolerance = 1e-05" in said
    assert "its last good state is in" in said
    assert (run / "generate/unit-00000.h5").exists()
    assert not (run / "generate/unit-00001.h5").exists()
    assert "blew up" in "\n".join(quench("status", run)[1])
    with h5py.File(run / "log/unit-00001.h5") as file:
        assert file["fields"].shape == (4, 16, 16)
        assert file["split"][:].tolist() == [0, 0, 1, 2]
        assert (file["time"][:] >= 10).all()
        rms = np.sqrt(((2 * file["fields"][:] - 1) ** 2).mean((1, 2)))
        assert (rms < 0.6).all()
        assert (rms > 0.015).all()  # a later one than the first, whose rms is 0.0115
    assert quench("segregation", "collect", small_segregation, "--run", run)[0] == 2
    assert (
        quench("segregation", "generate", small_segregation, "--run", run)[0] == 0
    )  # and it is done, its remains gone
    assert not list((run / "log").glob("unit*"))
    assert "failed" not in "\n".join(quench("status", run)[1])


def test_warnings_name_what_is_unwise(quench, small_segregation, tmp_path):
    code, lines = quench(
        "segregation",
        "generate",
        small_segregation,
        "--run",
        tmp_path / "run",
        "--set",
        "system.epsilon=0.3",
        "--set",
        "generate.last_mean=0.21",
    )
    assert code == 0
    said = [line for line in lines if line.startswith("warning:")]
    assert len(said) == 2
    assert (
        "system.epsilon = 0.3: an interface is 1.2 cells wide (90% of the step), fewer than "
        in said[0]
    )
    assert (
        "no mean concentration of 0.21 to 0.21 lies between the spinodals, 0.211 and 0.789"
        in said[1]
    )
    code, lines = quench("segregation", "generate", small_segregation, "--run", tmp_path / "fine")
    assert not [line for line in lines if "warning" in line]


def test_a_mistake_is_one_line(quench, small_segregation, tmp_path):
    code, lines = quench(
        "segregation",
        "generate",
        small_segregation,
        "--run",
        tmp_path / "run",
        "--set",
        "generate.last_mean=1.2",
    )
    assert code == 2
    assert len(lines) == 1
    assert "generate.last_mean = 1.2: expected a number above 0 and below 1" in lines[0]
    code, lines = quench(
        "segregation", "predict", small_segregation, "--run", tmp_path / "run", "--window", "3"
    )
    assert code == 2
    assert "--window" in lines[-1]  # nucleation's alone


def test_dots_on_a_uniform_field_are_no_phases():
    """Nor is half of the way there; a droplet of a tenth of the box is."""
    dots = np.full((1, 64, 64), 0.25, np.float32)
    dots[0, ::16, ::16] = 1
    droplet = np.full((1, 64, 64), 0.05, np.float32)
    droplet[0, :20, :20] = 0.95
    faint = 0.5 + 0.2 * np.sign(droplet - 0.5)
    for field, phases in ((dots, False), (droplet, True), (faint, False), (1 - droplet, True)):
        assert segregated(field).tolist() == [phases]
