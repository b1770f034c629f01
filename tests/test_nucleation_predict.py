"""p_nuc of configurations from elsewhere: what goes in, what comes out, and how sure it is."""

import shutil

import h5py
import numpy as np
import pytest
import torch
import yaml
from conftest import PROVENANCE
from test_nucleation_train import droplets, fit, noise, planted

from jobs import shards
from jobs.nucleation import epochs, occlusion
from jobs.nucleation.trained import FEWEST, held_out_error, network_of, networks_of
from jobs.rundir import System
from kernels.estimate import written

MODELS = ["spins", "features", "cnn_2layer", "torus", "torus_window"]
SIZES = {
    "training": 60,
    "validation": 20,
    "test": 40,
    "max_epochs": 2,
    "learning_rate": 1e-2,
    "models": MODELS,
}


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> System:
    """All models on one fold, spins on two; labels of 100 copies."""
    spins, p = droplets(150, 10)
    measured = np.random.default_rng(1).binomial(100, p) / 100
    time = np.random.default_rng(2).integers(-40, 1, 150)  # windows of 5 to 45 MCS
    made = planted(
        tmp_path_factory.mktemp("trained") / "run",
        spins,
        measured,
        time=time,
        copies=100,
        folds=2,
        **SIZES,
    )
    for model in MODELS:
        fit(made, model)
    fit(made, "spins", fold=1)
    return made


@pytest.fixture
def predict(quench, system, tmp_path):
    """predict(spins, *arguments, as_="npy") -> (arrays of the output, lines): python -m jobs
    nucleation predict --input.
    """

    def call(spins, *arguments, as_="npy"):
        path, output = tmp_path / f"mine.{as_}", tmp_path / "mine-p_nuc.h5"
        if as_ == "npy":
            np.save(path, spins)
        else:
            with h5py.File(path, "w") as file:
                file["spins"] = spins
        code, lines = run(quench, system, "--input", path, *arguments)
        assert code == 0, lines
        return shards.read(output)[0], lines

    return call


def run(quench, system, *arguments):
    return quench(
        "nucleation", "predict", f"{system.folder}.yaml", "--run", system.folder, *arguments
    )


def droplet(*shifts) -> np.ndarray:
    """5 x 5 stable spins, shifted on the torus of 10 x 10."""
    spins = np.ones((10, 10), np.int8)
    spins[:5, :5] = -1
    return np.stack([np.roll(spins, shift, (0, 1)) for shift in shifts])


# ---- what comes out


@pytest.mark.parametrize("model", ["spins", "features", "cnn_2layer", "torus"])
def test_the_answer_is_the_folds_mean_on_the_centred_configuration(
    predict, system, tmp_path, model
):
    found, lines = predict(droplet((0, 0)), "--model", model)
    folds = 2 if model == "spins" else 1
    centred = droplet((3, 3))
    assert np.array_equal(found["spins"], centred)
    inputs = epochs.Inputs(model, centred, np.zeros(1), "cpu")
    each = [
        epochs.predict(network_of(system, "event", model, fold, "cpu", print), inputs, np.arange(1))
        for fold in range(folds)
    ]
    assert np.allclose(found["p_nuc"], np.mean(each, 0), atol=1e-6)
    assert np.allclose(found["fold_spread"], np.std(each, 0), atol=1e-6)
    assert found["p_nuc"].dtype == found["standard_error"].dtype == np.float32
    assert np.allclose(
        found["standard_error"],
        held_out_error(found["p_nuc"], networks_of(system, "event", model, None, print), system),
    )
    assert found["standard_error"][0] > 0
    assert any(
        f"configuration 0: p_nuc = {written(found['p_nuc'][0], found['standard_error'][0])}" in line
        for line in lines
    )
    _, attributes = shards.read(tmp_path / "mine-p_nuc.h5")
    assert attributes["study"] == "nucleation"
    assert attributes["model"] == model
    assert attributes["input"] == "mine.npy"
    assert PROVENANCE | {"config_digest"} <= set(attributes)


@pytest.mark.parametrize("model", ["spins", "features", "cnn_2layer", "torus"])
def test_where_the_droplet_is_makes_no_difference(predict, model):
    found, _ = predict(droplet((0, 0), (3, 3), (7, 1), (9, 8), (5, 0)), "--model", model)
    assert np.allclose(found["p_nuc"], found["p_nuc"][0], atol=1e-6)
    assert np.array_equal(found["spins"], droplet(*[(3, 3)] * 5))


def test_files_and_shapes_of_all_kinds_give_the_same(predict):
    whole = noise(3, 10)
    wanted, _ = predict(whole)
    for as_ in ("h5", "hdf5"):
        assert np.array_equal(predict(whole, as_=as_)[0]["p_nuc"], wanted["p_nuc"])
    for kind in (np.int64, np.float32):
        assert np.array_equal(predict(whole.astype(kind))[0]["p_nuc"], wanted["p_nuc"])
    for as_ in ("npy", "h5"):
        single, _ = predict(whole[0], as_=as_)
        assert single["p_nuc"].shape == single["standard_error"].shape == (1,)
        assert single["p_nuc"][0] == pytest.approx(wanted["p_nuc"][0], abs=1e-6)


def test_the_output_goes_where_it_is_asked_to(predict, quench, system, tmp_path):
    predict(droplet((0, 0)))
    target = tmp_path / "elsewhere/answer.h5"
    code, lines = run(quench, system, "--input", tmp_path / "mine.npy", "--output", target)
    assert code == 0
    assert shards.check(target) == shards.check(tmp_path / "mine-p_nuc.h5")
    assert any(str(target) in line for line in lines)
    assert np.array_equal(np.load(tmp_path / "mine.npy"), droplet((0, 0)))


def test_the_window_is_told_to_torus_window(predict, system, tmp_path):
    found, _ = predict(droplet((3, 3)), "--window", "12.5")
    inputs = epochs.Inputs("torus_window", droplet((3, 3)), np.array([12.5]), "cpu")
    wanted = epochs.predict(
        network_of(system, "event", "torus_window", 0, "cpu", print), inputs, np.arange(1)
    )
    assert found["p_nuc"] == pytest.approx(wanted, abs=1e-6)
    assert shards.read(tmp_path / "mine-p_nuc.h5")[1]["window"] == 12.5
    longer, _ = predict(droplet((3, 3)), "--window", "40", "--model", "torus_window")
    assert abs(longer["p_nuc"][0] - found["p_nuc"][0]) > 1e-4


def test_the_map_of_one_configuration(predict, system):
    spins = np.concatenate([noise(1, 10), droplet((3, 3))])
    found, _ = predict(spins, "--model", "spins", "--map", "1")
    tensor, each = torch.from_numpy(droplet((3, 3))), []
    for fold in range(2):
        network = network_of(system, "event", "spins", fold, "cpu", print)
        each.append(
            occlusion.changes(
                network,
                tensor,
                torch.zeros(1),
                patch=2,
                stride=1,
                fill="zeros",
                report=lambda _: None,
            )[0]
        )
    assert found["map/shift"].shape == (9, 9)  # a square of L / 5
    assert np.allclose(found["map/shift"], np.mean(each, 0), atol=1e-6)
    assert found["map/x"].tolist() == [i + 0.5 for i in range(9)]
    assert "map/shift" not in predict(spins, "--model", "spins")[0]


# ---- how sure


def test_standard_error_is_the_rms_error_of_like_predictions_without_label_noise(tmp_path):
    """Bin i of p: predictions 0.01 i off, labels of 100 copies, n = 2000.  The square of the error
    is a mean of known standard error plus that standard error: within 5 of them; with the label
    noise it would be 30 off.
    """
    random = np.random.default_rng(1)
    bin_, n = np.repeat(np.arange(9), 2000), 18_000
    p = (bin_ + 0.5) / 10
    said = p + 0.01 * bin_ * random.choice([-1, 1], n) * (
        bin_ < 5
    )  # at most 0.04: stays in its bin
    measured = random.binomial(100, p) / 100
    system = planted(tmp_path / "run", np.ones((n, 3, 3)), measured, copies=100)
    half = n // 2
    found = {
        fold: {
            "index": rows,
            "predicted": said[rows].astype(np.float32),
            "p_nuc": measured[rows].astype(np.float32),
        }
        for fold, rows in enumerate((np.arange(half), np.arange(half, n)))
    }
    error = held_out_error(np.append((np.arange(10) + 0.5) / 10, 1.0), found, system)
    assert (error > 0).all()
    for i in range(9):
        mine = bin_ == i
        square = (said[mine] - measured[mine]) ** 2 - measured[mine] * (1 - measured[mine]) / 99
        own = square.std() / 2000**0.5
        planted_square = (0.01 * i) ** 2 if i < 5 else 0
        assert abs(error[i] ** 2 - planted_square - own) < 5 * own
        assert (i + 0.5) / 10 * (1 - (i + 0.5) / 10) / 100 > 8 * own  # the noise is not in it
        assert error[i] == pytest.approx(np.sqrt(max(square.mean(), 0) + own), rel=1e-3)
    assert (
        error[9] == error[10] != error[8]
    )  # nothing was predicted there: all predictions together


def test_bins_with_too_few_predictions_use_all_of_them(tmp_path):
    rows, said = np.arange(200), np.repeat([0.25, 0.75], [200 - FEWEST + 1, FEWEST - 1])
    measured = said + np.where(said < 0.5, 0.1, -0.2)
    system = planted(tmp_path / "run", np.ones((200, 3, 3)), measured, copies=10**6)
    found = {0: {"index": rows, "predicted": said, "p_nuc": measured}}
    error = held_out_error(np.array([0.25, 0.75, 0.5]), found, system)
    assert error[0] == pytest.approx(0.1, rel=1e-3)
    assert error[1] == error[2] > 0.11


# ---- bad input


def h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def with_nan():
    spins = droplet((0, 0)).astype(float)
    spins[0, 0, 0] = np.nan
    return spins


BAD_FILES = {
    "missing": ("mine.npy", lambda path: None, "no such file"),
    "zeros and ones": (
        "mine.npy",
        lambda path: np.save(path, (droplet((0, 0)) + 1) // 2),
        "must be -1 (stable, along the final field)",
    ),
    "booleans": ("mine.npy", lambda path: np.save(path, droplet((0, 0)) > 0), "must be -1 (stable"),
    "a zero": (
        "mine.npy",
        lambda path: np.save(path, droplet((0, 0)) * (np.arange(100).reshape(10, 10) != 77)),
        "must be -1 (stable",
    ),
    "nan": ("mine.npy", lambda path: np.save(path, with_nan()), "must be -1 (stable"),
    "two late in the file": (
        "mine.npy",
        lambda path: np.save(path, np.append(noise(1001, 10), 2 * noise(1, 10), 0)),
        "must be -1",
    ),
    "another L": (
        "mine.npy",
        lambda path: np.save(path, noise(2, 12)),
        "spins of shape (2, 12, 12); this run's networks know (n, 10, 10)",
    ),
    "not square": (
        "mine.h5",
        lambda path: h5(path, spins=np.ones((2, 10, 11))),
        "spins of shape (2, 10, 11)",
    ),
    "a row": ("mine.npy", lambda path: np.save(path, np.ones(100)), "spins of shape (100,)"),
    "a number": ("mine.h5", lambda path: h5(path, spins=1), "spins of shape ()"),
    "none": (
        "mine.npy",
        lambda path: np.save(path, np.ones((0, 10, 10))),
        "spins of shape (0, 10, 10)",
    ),
    "text": ("mine.h5", lambda path: path.write_text("words"), "neither a .npy file nor HDF5"),
    "text as npy": (
        "mine.npy",
        lambda path: path.write_text("words"),
        "neither a .npy file nor HDF5",
    ),
    "objects": (
        "mine.npy",
        lambda path: np.save(path, np.array([{}])),
        "neither a .npy file nor HDF5",
    ),
    "no spins": (
        "mine.h5",
        lambda path: h5(path, sigma=np.ones((2, 10, 10)), m=[1]),
        "holds m, sigma, and no dataset `spins`",
    ),
    "a group": (
        "mine.h5",
        lambda path: h5(path, **{"spins/a": [1]}),
        "`spins` is a group, not a dataset",
    ),
    "a folder": ("mine.npy", lambda path: path.mkdir(), "neither a .npy file nor HDF5"),
    "empty npy": ("mine.npy", lambda path: path.write_bytes(b""), "neither a .npy file nor HDF5"),
    "npz": (
        "mine.npy",
        lambda path: np.savez(path.open("wb"), spins=droplet((0, 0))),
        "neither a .npy file nor HDF5",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_one_line(quench, system, tmp_path, kind):
    name, make, words = BAD_FILES[kind]
    make(tmp_path / name)
    code, lines = run(quench, system, "--input", tmp_path / name)
    assert (code, len(lines)) == (2, 2), lines  # the first one names the device
    assert words in lines[1]
    assert str(tmp_path / name) in lines[1]
    assert not list(tmp_path.glob("*p_nuc*"))


BAD_ARGUMENTS = [
    (["--map", "2"], "--map 2: there are configurations 0 to 1"),
    (["--map", "-1"], "--map -1: there are configurations 0 to 1"),
    (["--map", "0", "--model", "features"], "--map: the features have no place on the lattice"),
    (["--window", "5", "--model", "torus"], "--window MCS goes with --model torus_window"),
    (["--model", "torus_window"], "--window MCS goes with --model torus_window"),
    (
        ["--model", "cnn_4layer"],
        "no trained cnn_4layer on folds by event: run train first (or --model)",
    ),
    (["--model", "gpt"], "no trained gpt on folds by event"),
    (["--output", "INPUT"], "would overwrite the input"),
    (["--set", "predict.split=configuration"], "no trained torus on folds by configuration"),
    (["--window", "nan"], "--window nan: the networks saw windows of 5 to"),
    (["--window", "-5"], "--window -5: the networks saw windows of 5 to"),
    (["--window", "50"], "--window 50: the networks saw windows of 5 to"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_ARGUMENTS)
def test_a_bad_argument_is_one_line(quench, system, tmp_path, arguments, words):
    path = tmp_path / "mine.npy"
    np.save(path, droplet((0, 0), (1, 1)))
    code, lines = run(
        quench, system, "--input", path, *[path if word == "INPUT" else word for word in arguments]
    )
    assert (code, len(lines)) == (2, 2), lines
    assert words in lines[1]
    assert np.array_equal(np.load(path), droplet((0, 0), (1, 1)))
    assert not list(tmp_path.glob("*p_nuc*"))


def test_an_earlier_answer_as_input_is_not_overwritten(quench, system, predict, tmp_path):
    predict(droplet((0, 0)))
    path = tmp_path / "mine-p_nuc.h5"
    before = path.read_bytes()
    code, lines = run(quench, system, "--input", path, "--output", path, "--model", "spins")
    assert (code, len(lines)) == (2, 2)
    assert path.read_bytes() == before


def test_one_system_at_a_time(quench, tmp_path):
    for field in (0.9, 1.0):
        planted(tmp_path / str(field), noise(120, 10), np.full(120, 0.5), field=field, **SIZES)
    raw = yaml.safe_load((tmp_path / "0.9.yaml").read_text())
    raw["system"]["field"] = [0.9, 1.0]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(raw))
    np.save(tmp_path / "mine.npy", droplet((0, 0)))
    call = [
        "nucleation",
        "predict",
        tmp_path / "sweep.yaml",
        "--run",
        tmp_path / "sweep",
        "--input",
        tmp_path / "mine.npy",
    ]
    quench(*call)
    for field in (0.9, 1.0):
        shutil.copy(
            tmp_path / str(field) / "dataset.h5",
            tmp_path / f"sweep/system.field={field}/dataset.h5",
        )
    code, lines = quench(*call)
    assert (code, len(lines)) == (2, 2)
    assert "sweep holds 2 systems; give one of them as --run" in lines[1]


STRAY = [
    (["train", "--input", "INPUT"], "--input goes with the stage predict, not train"),
    (["predict", "--map", "0", "--model", "torus"], "--model, --map: only with --input FILE"),
]


@pytest.mark.parametrize(("words", "line"), STRAY)
def test_options_without_their_stage_are_one_line(quench, system, tmp_path, words, line):
    stage, *rest = [tmp_path / "mine.npy" if word == "INPUT" else word for word in words]
    assert quench("nucleation", stage, f"{system.folder}.yaml", "--run", system.folder, *rest) == (
        2,
        [line],
    )


def test_a_run_without_a_data_set_is_one_line(quench, tmp_path):
    system = planted(tmp_path / "run", noise(3, 10), np.full(3, 0.5), **SIZES)
    np.save(tmp_path / "mine.npy", droplet((0, 0)))
    (system.folder / "dataset.h5").unlink()
    code, lines = run(quench, system, "--input", tmp_path / "mine.npy")
    assert (code, len(lines)) == (2, 2)
    assert "dataset.h5 is not there: run generate and collect first" in lines[1]
