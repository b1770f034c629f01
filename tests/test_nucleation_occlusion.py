"""Occlusion: every shortcut against the obvious way, closed forms, and a planted region that is
found.
"""

import h5py
import numpy as np
import pytest
import torch
from test_nucleation_train import fit, noise, planted

from jobs import shards
from jobs.nucleation import networks, occlusion, predict, train
from jobs.nucleation.trained import network_of

FILL = {"zeros": 0, "up": 1}


@pytest.fixture(autouse=True)
def reproducible():
    torch.set_num_threads(1)
    torch.manual_seed(7)


def lively(model, size, kernel) -> torch.nn.Module:
    """A network with random weights whose answers cover (0, 1)."""
    network = networks.build(model, size, kernel).eval()
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)][-1]
    spins = torch.from_numpy(noise(50, size))[:, None].float()
    inputs = (spins, torch.zeros(50)) if model == "torus_window" else (spins,)
    with torch.no_grad():
        last.weight *= 1.5 / network(*inputs).std()
        last.bias[0] -= network(*inputs).mean()
    return network


def slow(network, spins, windows, patch, stride, fill) -> np.ndarray:
    """p(covered) - p one configuration and one place at a time."""

    def p(configuration, window):
        arguments = (window[None],) if getattr(network, "takes_window", False) else ()
        return float(torch.sigmoid(network(configuration[None, None].float(), *arguments)).detach())

    size, found = spins.shape[-1], []
    for configuration, window in zip(spins, windows, strict=True):
        for x in range(0, size - patch + 1, stride):
            for y in range(0, size - patch + 1, stride):
                covered = configuration.clone()
                covered[x : x + patch, y : y + patch] = FILL[fill]
                found.append(p(covered, window) - p(configuration, window))
    side = len(range(0, size - patch + 1, stride))
    return np.array(found).reshape(len(spins), side, side)


CASES = [
    ("cnn_2layer", 8, 3, 2, 1, "zeros"),
    ("cnn_2layer", 8, 3, 8, 1, "up"),
    ("cnn_2layer", 11, 5, 3, 2, "up"),
    ("cnn_2layer", 13, 5, 1, 1, "zeros"),
    ("cnn_2layer", 20, 3, 4, 3, "zeros"),
    ("cnn_2layer", 9, 7, 7, 2, "zeros"),
    ("cnn_4layer", 8, 3, 3, 1, "zeros"),
    ("cnn_4layer", 12, 5, 2, 2, "up"),
    ("cnn_4layer", 24, 3, 2, 5, "zeros"),
    ("cnn_4layer", 26, 3, 5, 7, "up"),
]
OTHERS = [
    ("spins", 8, 3, 3, 1, "zeros"),
    ("notebook", 11, 3, 3, 2, "up"),
    ("torus", 8, 3, 2, 3, "zeros"),
    ("torus_window", 9, 3, 4, 2, "up"),
]


@pytest.mark.parametrize(("model", "size", "kernel", "patch", "stride", "fill"), CASES + OTHERS)
def test_every_place_as_if_the_network_ran_anew(
    monkeypatch, model, size, kernel, patch, stride, fill
):
    """The paper's networks go a shorter way.  float32: to 1e-4, where changes are of order 0.1."""
    network, spins = lively(model, size, kernel), torch.from_numpy(noise(3, size, seed=2))
    windows, shares = torch.linspace(5, 40, 3), []
    monkeypatch.setattr(occlusion, "AT_ONCE", 2)
    found = occlusion.changes(
        network, spins, windows, patch=patch, stride=stride, fill=fill, report=shares.append
    )
    wanted = slow(network, spins, windows, patch, stride, fill)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 1e-4
    assert np.abs(wanted).max() > 0.05
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_network_that_is_told_the_time_is_told_it_under_the_square_too():
    network, spins = lively("torus_window", 8, 3), torch.from_numpy(noise(2, 8))
    early, late = (
        occlusion.changes(
            network,
            spins,
            torch.full((2,), w),
            patch=2,
            stride=2,
            fill="zeros",
            report=lambda _: None,
        )
        for w in (5.0, 60.0)
    )
    assert np.abs(early - late).max() > 1e-3


def planted_regression(size=10, at=(5, 2), side=3) -> tuple[networks.SpinsRegression, np.ndarray]:
    """Weights only in a small square."""
    network, weights = networks.build("spins", size, 3), np.zeros((size, size), np.float32)
    weights[at[0] : at[0] + side, at[1] : at[1] + side] = np.random.default_rng(1).uniform(
        0.2, 0.6, (side, side)
    )
    with torch.no_grad():
        network.linear.weight.copy_(torch.from_numpy(weights.reshape(1, -1)))
        network.linear.bias.fill_(0.3)
    return network, weights


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("fill", ["zeros", "up"])
@pytest.mark.parametrize("patch", [2, 3, 4])
def test_closed_form_of_planted_weights(fill, patch):
    network, w = planted_regression()
    spins = noise(20, 10, seed=3)
    found = occlusion.changes(
        network,
        torch.from_numpy(spins),
        torch.zeros(20),
        patch=patch,
        stride=1,
        fill=fill,
        report=lambda _: None,
    )
    z = 0.3 + (w * spins).sum((1, 2))
    side = 10 - patch + 1
    assert found.shape == (20, side, side)
    for x in range(side):
        for y in range(side):
            here = np.s_[:, x : x + patch, y : y + patch]
            after = z + (w[here[1:]] * (FILL[fill] - spins[here])).sum((1, 2))
            assert np.allclose(found[:, x, y], sigmoid(after) - sigmoid(z), atol=1e-6)
            if not w[here[1:]].any():
                assert not found[:, x, y].any()
    assert (found != 0).any()


def test_a_planted_square_is_found():
    """All spins in it stable: the fuller it is covered, the more p changes."""
    network, _ = planted_regression()
    spins = noise(5, 10)
    spins[:, 5:8, 2:5] = -1
    found = occlusion.changes(
        network,
        torch.from_numpy(spins),
        torch.zeros(5),
        patch=3,
        stride=1,
        fill="zeros",
        report=lambda _: None,
    )
    for change in np.abs(found):
        assert np.unravel_index(change.argmax(), change.shape) == (5, 2)
        outside = np.ones_like(change, bool)
        outside[3:8, 0:5] = False
        assert (change[outside] == 0).all()
        assert (change[~outside] > 0).all()


def test_corners():
    assert occlusion.corners(10, 2, 1).tolist() == list(range(9))
    assert occlusion.corners(10, 2, 3).tolist() == [0, 3, 6]
    assert occlusion.corners(10, 10, 3).tolist() == [0]


# ---- random places


@pytest.mark.parametrize("model", ["spins", "cnn_2layer", "torus_window"])
def test_random_places_agree_with_every_place_and_the_rest_is_unknown(tmp_path, model):
    asked = {"occlusion": {"patch": 3, "stride": 2, "places": 4, "fill": "up"}}
    config = planted(tmp_path / "run", noise(2, 11), np.full(2, 0.5), predict=asked).config
    network, spins, time = lively(model, 11, 3), noise(60, 11, seed=4), np.arange(-60, 0)
    found = predict.covered(network, spins, time, config, 0, "cpu", lambda _: None)
    windows = torch.from_numpy((5 - time).astype(np.float32))
    every = occlusion.changes(
        network,
        torch.from_numpy(spins),
        windows,
        patch=3,
        stride=2,
        fill="up",
        report=lambda _: None,
    )
    seen = np.isfinite(found)
    assert found.shape == every.shape == (60, 5, 5)
    assert np.abs(found - every)[seen].max() < 1e-4
    of_each = seen.sum((1, 2))
    assert of_each.max() == 4
    assert of_each.min() >= 1
    assert len({tuple(each.ravel()) for each in seen}) > 50  # other places in each configuration
    # a place is hit by 60 x 4 draws out of 25: 9.1 configurations each, within 5 standard errors
    share = 1 - (24 / 25) ** 4
    assert np.abs(seen.sum(0) - 60 * share).max() < 5 * np.sqrt(60 * share * (1 - share))
    again = predict.covered(network, spins, time, config, 0, "cpu", lambda _: None)
    other = predict.covered(network, spins, time, config, 1, "cpu", lambda _: None)
    assert np.array_equal(found, again, equal_nan=True)
    assert not np.array_equal(np.isfinite(other), seen)


# ---- the predict stage


def test_the_map_of_a_trained_network_peaks_where_p_was_planted(quench, tmp_path):
    """p is logistic in the stable spins of 3 x 3 sites off the middle; every place, and two random
    ones a configuration.
    """
    spins, run = noise(1500, 10, stable=0.5), tmp_path / "run"
    p = sigmoid(1.2 * ((spins[:, 6:9, 1:4] < 0).sum((1, 2)) - 4.5))
    asked = {"models": ["cnn_2layer", "torus"], "occlusion": {"patch": 3, "configurations": 100}}
    system = planted(
        run,
        spins,
        p,
        predict=asked,
        training=1200,
        validation=100,
        test=200,
        learning_rate=2e-3,
        max_epochs=6,
    )
    found = fit(system, "cnn_2layer")
    call = ["nucleation", "predict", f"{run}.yaml", "--run", run]
    code, lines = quench(*call)
    assert code == 0
    assert any(
        "no trained torus on folds by event: no occlusion map of it" in line for line in lines
    )
    arrays, attributes = shards.read(run / "predict/occlusion-cnn_2layer.h5")
    weight = arrays["configurations"][0] / 100
    assert weight.sum() == 1
    sensitivity = np.tensordot(weight, arrays["sensitivity"][0], 1)
    x, y = np.unravel_index(sensitivity.argmax(), sensitivity.shape)
    assert abs(x - 6) <= 1
    assert abs(y - 1) <= 1
    assert sensitivity[:3].max() < 0.25 * sensitivity.max()
    assert arrays["x"][x] == x + 1  # the centre of a square of 3
    assert attributes["patch"] == 3
    # the same numbers, made by hand
    chosen = predict.some_of(found["index"], 100, system.config.seed, 0)
    assert len(set(chosen) & set(found["index"])) == 100
    network = network_of(system, "event", "cnn_2layer", 0, "cpu", print)
    tensor = torch.from_numpy(spins[chosen])
    change = occlusion.changes(
        network, tensor, torch.zeros(100), patch=3, stride=1, fill="zeros", report=lambda _: None
    )
    assert np.allclose(sensitivity, np.abs(change).mean(0), atol=1e-5)
    assert np.allclose(np.tensordot(weight, arrays["shift"][0], 1), change.mean(0), atol=1e-5)
    assert np.allclose(
        np.tensordot(weight, arrays["density"][0], 1), (spins[chosen] < 0).mean(0), atol=1e-5
    )
    # again: kept; asked for something else: made anew
    assert any("made from the same networks before, kept" in line for line in quench(*call)[1])
    code, lines = quench(*call, "--set", "predict.occlusion.places=2")
    assert code == 0
    assert not any("kept" in line for line in lines)
    few = shards.read(run / "predict/occlusion-cnn_2layer.h5")[0]["sensitivity"]
    x, y = np.unravel_index(np.nan_to_num(few[0]).mean(0).argmax(), sensitivity.shape)
    assert 4 <= x <= 8
    assert y <= 3


def test_a_block_holds_whole_events(quench, tmp_path):
    """Event e has 1 to 4 configurations, with a stable spin at site e alone: the density tells who
    is in which block.
    """
    each = np.random.default_rng(1).integers(1, 5, 60)
    event, run = np.repeat(np.arange(60), each), tmp_path / "run"
    spins = np.ones((len(event), 8, 8), np.int8)
    spins.reshape(-1, 64)[np.arange(len(event)), event] = -1
    system = planted(
        run,
        spins,
        np.full(len(event), 0.5),
        event=event,
        training=50,
        validation=10,
        test=40,
        max_epochs=1,
        folds=2,
        predict={"models": ["spins"], "occlusion": {"patch": 2}},
    )
    tested = [fit(system, "spins", fold=fold)["index"] for fold in range(2)]
    assert quench("nucleation", "predict", f"{run}.yaml", "--run", run)[0] == 0
    arrays, _ = shards.read(run / "predict/occlusion-spins.h5")
    assert arrays["configurations"].shape == (2, predict.BLOCKS)
    assert arrays["configurations"].sum(1).tolist() == [40, 40]
    for fold in range(2):
        count = arrays["configurations"][fold][:, None] * arrays["density"][fold].reshape(
            predict.BLOCKS, 64
        )
        assert ((count > 0.5).sum(0) <= 1).all()
        assert np.allclose(count.sum(0), np.bincount(event[tested[fold]], minlength=64), atol=1e-4)
        assert (arrays["configurations"][fold] > 0).all()


def test_features_have_no_map_and_a_lost_checkpoint_is_one_line(quench, tmp_path):
    run = tmp_path / "run"
    asked = {"models": ["features", "spins"], "occlusion": {"patch": 2}}
    system = planted(
        run,
        noise(60, 8),
        np.full(60, 0.5),
        predict=asked,
        training=30,
        validation=10,
        test=20,
        max_epochs=1,
    )
    fit(system, "spins")
    fit(system, "features")
    (system.training("event/spins/fold-0") / "checkpoint.pt").write_text("words")
    code, lines = quench("nucleation", "predict", f"{run}.yaml", "--run", run)
    assert code == 2
    assert lines[-1].endswith("its checkpoint cannot be used; remove its test.h5 and train again")
    assert not list(run.rglob("occlusion-*"))
    with h5py.File(run / "dataset.h5", "r+") as file:
        file["p_nuc"][0] = 0.25
    train.load.cache_clear()
    code, lines = quench("nucleation", "predict", f"{run}.yaml", "--run", run)
    assert (code, len(lines)) == (2, 2)
    assert "dataset.h5: damaged" in lines[1]
