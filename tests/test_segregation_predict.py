"""What the segregation networks make of the test set and of a user's own fields: the files, the six
quantities, the mistakes.
"""

import shutil

import h5py
import numpy as np
import pytest
import torch
from claims_run import by_ranks
from conftest import PROVENANCE
from test_segregation_train import pairs, planted

from jobs import shards
from jobs.rundir import System
from jobs.segregation import fields, train
from jobs.segregation.predict import telling
from jobs.segregation.quantities import QUANTITIES
from jobs.segregation.trained import activations, answers, network_of
from kernels import interface
from kernels.cahn_hilliard import CahnHilliard

MODELS = ["l1_forward", "gan_forward", "gan_reverse", "gan_forward_conserving"]


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> System:
    """Four networks, an epoch each, 20 pairs of 16 x 16 to try them on."""
    torch.set_num_threads(1)
    made = planted(
        tmp_path_factory.mktemp("trained") / "run",
        *pairs(60),
        splits=(0.5, 0.16),
        models=MODELS,
        width=4,
        epochs=1,
    )
    for model in MODELS:
        train.fit(made, model, "cpu", lambda *_: None)
    return made


@pytest.fixture
def predict(quench, system):
    def call(*arguments, status=0):
        code, lines = quench(
            "segregation", "predict", f"{system.folder}.yaml", "--run", system.folder, *arguments
        )
        assert code == status, lines
        return lines

    return call


def predicted(system, model, kind=""):
    return shards.read(system.folder / "predict" / f"{model}{kind}.h5")


# ---- the test set


def test_the_files_hold_input_answer_truth_and_the_six_quantities(predict, system):
    predict()
    test, physics = fields.read(system.folder, "test"), CahnHilliard((16, 16), epsilon=3.0)
    for model in MODELS:
        found, attributes = predicted(system, model)
        given, truth = (
            (test.last, test.first) if model.endswith("reverse") else (test.first, test.last)
        )
        assert np.array_equal(found["input"], given)
        assert np.array_equal(found["truth"], truth)
        assert np.array_equal(found["index"], np.arange(20))
        assert np.array_equal(found["mean_concentration"], test.mean_concentration)
        assert np.allclose(
            found["prediction"], answers(network_of(system, model, "cpu", print), given), atol=1e-6
        )
        assert np.abs(found["prediction"] - truth).mean() == pytest.approx(
            shards.read(system.training(model) / "test.h5")[0]["l1"].mean()
        )
        for whose, c in (("truth", truth), ("predicted", found["prediction"])):
            chemical, surface = physics.energies(c)
            wanted = {
                "mean_concentration": c.mean((1, 2), dtype=np.float64),
                "area": (c > 0.5).sum((1, 2)),
                "perimeter": interface.perimeter(c, 0.5),
                "chemical_energy": chemical,
                "surface_energy": surface,
                "free_energy": chemical + surface,
            }
            assert set(wanted) == set(QUANTITIES)
            for quantity, values in wanted.items():
                assert found[f"{whose}_{quantity}"].dtype == np.float64
                assert np.allclose(found[f"{whose}_{quantity}"], values), (model, whose, quantity)
        assert attributes["study"] == "segregation"
        assert attributes["model"] == model
        assert PROVENANCE | {"config_digest", "train_digest"} <= set(attributes)


@pytest.mark.mpi
def test_two_ranks_share_the_networks_and_give_the_bytes_of_one(predict, system, tmp_path):
    predict()
    copy = tmp_path / "run"
    shutil.copytree(system.folder, copy, ignore=shutil.ignore_patterns("predict", "log"))
    said = by_ranks(2, "segregation", "predict", f"{system.folder}.yaml", "--run", copy)
    assert said.count(" samples, L1 ") == len(MODELS), said
    for model in MODELS:
        file = f"predict/{model}.h5"
        assert shards.check(copy / file) == shards.check(system.folder / file)


def test_the_conserving_network_alone_keeps_the_mean(predict, system):
    predict()
    error = {}
    for model in ("gan_forward", "gan_forward_conserving"):
        found, _ = predicted(system, model)
        error[model] = np.abs(
            found["prediction"].mean((1, 2), dtype=np.float64)
            - found["input"].mean((1, 2), dtype=np.float64)
        ).max()
    assert error["gan_forward_conserving"] < 6e-8
    assert error["gan_forward"] > 1e-3


def test_what_is_there_is_kept_and_what_is_damaged_or_asked_otherwise_is_made_again(
    predict, system
):
    predict()
    path = system.folder / "predict/l1_forward.h5"
    before = path.stat().st_mtime_ns
    assert sum("made by the same network before, kept" in line for line in predict()) == len(MODELS)
    assert path.stat().st_mtime_ns == before
    path.write_text("words")
    assert any("l1_forward.h5: 20 samples" in line for line in predict())
    some = ("--set", "predict.models=[l1_forward]", "--set", "predict.samples=5")
    assert next(line for line in predict(*some) if "samples" in line).startswith(
        f"{path}: 5 samples, L1 "
    )
    found, _ = predicted(system, "l1_forward")
    mean = fields.read(system.folder, "test").mean_concentration
    order = np.argsort(mean)
    assert np.array_equal(found["index"], np.sort(order[[0, 4, 8, 12, 16]]))
    assert np.array_equal(found["mean_concentration"], mean[found["index"]])


def test_activations_are_the_answers_own(predict, system):
    predict()
    for model in ("gan_forward", "gan_forward_conserving"):
        network, (found, attributes) = (
            network_of(system, model, "cpu", print),
            predicted(system, model, "-activations"),
        )
        field = fields.read(system.folder, "test").first[attributes["index"]]
        assert np.array_equal(found["input"], field)
        maps = activations(network, field)
        assert [m.shape for m in maps] == [
            (4, 8, 8),
            (8, 4, 4),
            (16, 2, 2),
            (8, 4, 4),
            (4, 8, 8),
            (1, 16, 16),
        ]
        assert all(m.dtype == np.float32 for m in maps)
        low, high = network.limits
        logits = maps[-1][0].astype(float)
        if model == "gan_forward":
            assert np.allclose(
                low + (high - low) / (1 + np.exp(-logits)), found["prediction"], atol=1e-5
            )
        assert np.corrcoef(logits.ravel(), found["prediction"].ravel())[0, 1] > 0.95
        for number, layer in enumerate(maps):
            kept = found[f"layer_{number:02d}"]
            assert kept.shape == (min(16, len(layer)), *layer.shape[1:])
            assert np.allclose(kept, telling(layer), atol=1e-5)
        assert f"layer_{len(maps):02d}" not in found
        # the first convolution's own arithmetic, at one cell
        patch = 2 * np.take(np.take(field, [5, 6, 7, 8], 0), [15, 0, 1, 2], 1, mode="wrap") - 1
        weight, bias = (
            network.encoder[0].get_parameter(name).detach().numpy() for name in ("weight", "bias")
        )
        linear = weight @ patch.ravel() + bias
        assert np.allclose(maps[0][:, 3, 0], np.where(linear > 0, linear, 0.2 * linear), atol=1e-5)


def test_telling_keeps_the_maps_that_vary_most():
    maps = np.random.default_rng(1).normal(size=(40, 5, 5)) * 2.0 ** -np.arange(40)[:, None, None]
    assert np.array_equal(telling(maps), maps[:16])
    assert np.array_equal(telling(maps[::-1]), maps[::-1][24:])
    assert np.array_equal(telling(maps[:7]), maps[:7])


# ---- a user's own fields


def own(path, values):
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        with h5py.File(path, "w") as file:
            file["concentration"] = values
    return path


@pytest.mark.parametrize("name", ["mine.npy", "mine.h5", "mine.hdf5"])
def test_ones_own_fields_are_answered(predict, system, tmp_path, name):
    c = pairs(5)[0].astype(np.float64)
    lines = predict("--input", own(tmp_path / name, c))
    found, attributes = shards.read(tmp_path / "mine-segregated.h5")
    assert np.allclose(
        found["prediction"], answers(network_of(system, "gan_forward", "cpu", print), c), atol=1e-6
    )
    assert np.array_equal(found["input"], c.astype(np.float32))
    assert np.allclose(found["predicted_area"], (found["prediction"] > 0.5).sum((1, 2)))
    assert np.allclose(found["input_mean_concentration"], c.mean((1, 2)))
    assert {
        f"{whose}_{quantity}" for whose in ("input", "predicted") for quantity in QUANTITIES
    } <= set(found)
    assert (attributes["model"], attributes["input"]) == ("gan_forward", name)
    assert lines[-1] == f"{tmp_path / 'mine-segregated.h5'}: 5 fields, segregated by gan_forward"
    one = own(tmp_path / f"one{name[4:]}", c[2])
    predict(
        "--input", one, "--model", "gan_forward_conserving", "--output", tmp_path / "deep/answer.h5"
    )
    found, _ = shards.read(tmp_path / "deep/answer.h5")
    assert found["prediction"].shape == (1, 16, 16)
    assert found["predicted_mean_concentration"] == pytest.approx(c[2].mean(), abs=1e-7)


def test_the_way_back_is_called_mixed_and_an_unseen_mean_is_warned_of(predict, tmp_path):
    first, last = pairs(3)
    last[1] = 0.1
    lines = predict("--input", own(tmp_path / "mine.npy", last), "--model", "gan_reverse")
    assert (tmp_path / "mine-mixed.h5").exists()
    assert (
        sum("warning: 1 of 3 fields have a mean outside of 0.3 to 0.7" in line for line in lines)
        == 1
    )
    assert not any(
        "warning" in line for line in predict("--input", own(tmp_path / "mine.npy", first))
    )


good = pairs(2)[0]
BAD = {
    "missing": (None, ".npy", "no such file"),
    "text": ("words", ".npy", "neither a .npy file nor HDF5 with a dataset `concentration`"),
    "text as h5": ("words", ".h5", "neither a .npy file nor HDF5 with a dataset `concentration`"),
    "strings": (np.array(["a"]), ".npy", "holds <U1, not numbers"),
    "another size": (
        good[:, :8, :8],
        ".npy",
        "concentrations of shape (2, 8, 8); this run's networks know (n, 16, 16)",
    ),
    "none": (good[:0], ".npy", "concentrations of shape (0, 16, 16)"),
    "symmetric": (2 * good - 1 - 0.5, ".npy", "expected 0 to 1, where the two phases are"),
    "nan": (np.full_like(good, np.nan), ".npy", "concentrations from nan to nan; expected 0 to 1"),
    "empty mixture": (
        np.zeros_like(good),
        ".npy",
        "mean concentrations from 0 to 0; expected above 0 and below 1",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_input_is_one_line(predict, tmp_path, kind):
    content, suffix, words = BAD[kind]
    path = tmp_path / f"mine{suffix}"
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        own(path, content)
    lines = predict("--input", path, status=2)
    assert words in lines[-1], lines
    assert str(path) in lines[-1]
    assert len(lines) == 2  # the first one names the device
    assert not list(tmp_path.glob("*-segregated.h5"))


def test_an_hdf5_file_without_concentration_says_what_it_holds(predict, tmp_path):
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["spins"] = good
    assert (
        "holds spins, and no dataset `concentration`"
        in predict("--input", tmp_path / "mine.h5", status=2)[-1]
    )


def test_models_that_are_not_there_and_files_that_are(predict, system, tmp_path):
    path = own(tmp_path / "mine.npy", good)
    line = predict("--input", path, "--model", "l1_reverse", status=2)[-1]
    assert "--model l1_reverse: not trained in " in line
    assert "there are gan_forward, gan_forward_conserving, gan_reverse, l1_forward" in line
    assert "would overwrite the input" in predict("--input", path, "--output", path, status=2)[-1]
    (tmp_path / "other.h5").write_text("words")
    assert (
        "is not a prediction; nothing is overwritten"
        in predict("--input", path, "--output", tmp_path / "other.h5", status=2)[-1]
    )
    predict("--input", path)
    predict("--input", path)  # its own answer is


def test_without_a_trained_network_there_is_no_answer(quench, tmp_path):
    made = planted(tmp_path / "run", *pairs(30))
    call = ["segregation", "predict", f"{made.folder}.yaml", "--run", made.folder]
    code, lines = quench(*call)
    assert (code, lines[-1]) == (
        2,
        f"{made.folder}: none of the networks asked for is trained: run train first",
    )
    code, lines = quench(*call, "--input", own(tmp_path / "mine.npy", good))
    assert (code, lines[-1]) == (2, f"{made.folder}: no network is trained: run train first")
    (made.training("gan_forward")).mkdir(parents=True)
    (made.training("gan_forward") / "test.h5").write_text("words")
    assert "moved aside to test.h5.bad" in quench(*call)[1][1]
