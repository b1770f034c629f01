"""analysis nucleation, trained models: planted predictions and occlusion maps whose numbers are
known in closed form.
"""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import yaml

from analysis import nucleation, record, verdicts
from analysis.__main__ import main
from analysis.estimates import Estimate
from analysis.nucleation import density, estimates, occlusion, paper, skill
from analysis.nucleation.dataset import load
from analysis.nucleation.labels import CONFIGURATION, EVENT
from jobs import shards
from jobs.shards import Data

WIDTH, BACKGROUND, EXCESS = 0.12, 0.1, 0.5  # of the planted droplet: width in L, densities


def gaussian(size, width=WIDTH, excess=EXCESS):
    """Density BACKGROUND + excess exp(-r^2 / 2 w^2), w = width L, on the sites of a torus
    (L, L).
    """
    step = np.minimum(
        np.abs(np.arange(size) - size // 2), size - np.abs(np.arange(size) - size // 2)
    )
    r2 = step[:, None] ** 2.0 + step[None, :] ** 2.0
    return BACKGROUND + excess * np.exp(-r2 / (2 * (width * size) ** 2))


def dataset(
    folder, *, reach=10, size=20, field=1.215, events=50, each=8, copies=100, seed=0, **droplet
):
    """A run directory whose dataset.h5 has n = events x each configurations, p_nuc uniform,
    droplets Gaussian.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, n = np.random.default_rng(seed), events * each
    nucleated = rng.binomial(copies, rng.random(n)).astype(np.int32)
    interaction, critical = ("nearest", 2.269185314213022) if reach == 1 else ("square", 4.0)
    system = {
        "interaction": interaction,
        "range": reach,
        "size": size,
        "temperature": 4 / 9 * critical,
        "field": field,
    }
    config = yaml.safe_dump(
        {"study": "nucleation", "seed": 1, "system": system, "collect": {"bins": 33}}
    )
    event = np.repeat(np.arange(events), each)
    packed = np.full((4, -(-size * size // 8)), 255, np.uint8)
    radius = np.full(n, WIDTH * size)
    arrays = {
        "spins": np.where(rng.random((n, size, size)) < gaussian(size, **droplet), -1, 1).astype(
            np.int8
        ),
        "p_nuc": (nucleated / copies).astype(np.float32),
        "magnetization": (0.8 - 0.2 * rng.random(n)).astype(np.float32),
        "radius_of_gyration": (radius * rng.uniform(0.9, 1.1, n)).astype(np.float32),
        "copies": np.full(n, copies, np.int32),
        "nucleated": nucleated,
        "cluster_size": np.full(n, 9, np.int32),
        "time": np.full(n, -5, np.int32),
        "event": event.astype(np.int32),
        "events/lifetime": rng.exponential(1e4, events).astype(np.float32),
        "raw/spins": packed,
        "raw/event": np.arange(4, dtype=np.int32) % events,
        "raw/time": np.full(4, -5, np.int32),
        "raw/copies": np.full(4, copies, np.int32),
        "raw/nucleated": np.full(4, copies // 4, np.int32),
        "raw/history_event": np.zeros(0, np.int32),
        "raw/history": np.zeros((0, 11, packed.shape[1]), np.uint8),
    }
    (folder / "config.yaml").write_text(config)
    shards.write(
        folder / "dataset.h5", wrap(arrays), {"study": "nucleation", "config": config, "seed": 1}
    )
    return folder


def wrap(arrays):
    return {name: Data(np.asarray(values), "", "") for name, values in arrays.items()}


def plant(
    folder,
    model,
    fold=0,
    split=CONFIGURATION,
    *,
    error,
    rows=None,
    training=12000,
    weights=None,
    **attributes,
):
    """test.h5 of a fold that predicts p_nuc + error on its test rows (all by default)."""
    run = load(folder)
    rows = np.arange(len(run.p_nuc)) if rows is None else np.asarray(rows)
    predicted = run.p_nuc[rows] + np.broadcast_to(error, len(rows))
    epochs = np.arange(12)
    arrays = {
        "index": rows.astype(np.int32),
        "p_nuc": run.p_nuc[rows].astype(np.float32),
        "predicted": predicted.astype(np.float32),
        "training": (np.arange(training) % len(run.p_nuc)).astype(np.int32),
        "validation": rows[::2].astype(np.int32),
        "history/epoch": epochs,
        "history/training_loss": 0.52 + 0.2 * np.exp(-epochs / 2),
        "history/validation_loss": 0.53 + 0.2 * np.exp(-epochs / 2) + 0.002 * epochs,
        "history/validation_mse": 0.02 * np.exp(-epochs / 2),
    }
    if weights is not None:
        arrays["weights"] = np.asarray(weights, float)
    about = {
        "study": "nucleation",
        "dataset_digest": run.attributes["content_digest"],
        "split": split,
        "model": model,
        "fold": fold,
        "parameters": 1234,
        "epochs": 12,
        "best_epoch": 7,
        **attributes,
    }
    target = folder / "train" / split / model / f"fold-{fold}" / "test.h5"
    shards.write(target, wrap(arrays), about)
    return target


def plant_maps(
    folder,
    sensitivity,
    model="cnn_2layer",
    *,
    x=None,
    rho=None,
    folds=2,
    blocks=3,
    noise=0.0,
    **attributes,
):
    """occlusion-MODEL.h5; sensitivity(x, y) -> map on the patch centres x, one for all blocks but
    for relative noise.
    """
    run, rng = load(folder), np.random.default_rng(5)
    size = run.system.size
    x = np.arange(size, dtype=np.float32) if x is None else np.asarray(x, np.float32)
    rho = gaussian(size) if rho is None else rho
    clean = sensitivity(*np.meshgrid(x, x, indexing="ij"))
    maps = clean * (1 + noise * rng.normal(size=(folds, blocks, 1, 1)))
    arrays = {
        "sensitivity": maps.astype(np.float32),
        "shift": -maps.astype(np.float32),
        "x": x,
        "y": x,
        "density": np.broadcast_to(rho, (folds, blocks, size, size)).astype(np.float32),
        "radius_of_gyration": np.full((folds, blocks), 0.15 * size, np.float32),
        "configurations": np.full((folds, blocks), 50, np.int32),
    }
    about = {
        "study": "nucleation",
        "model": model,
        "split": EVENT,
        "patch": 4,
        "stride": int(x[1] - x[0]),
        "fill": "zeros",
        "dataset_digest": run.attributes["content_digest"],
        **attributes,
    }
    (folder / "predict").mkdir(exist_ok=True)
    shards.write(folder / "predict" / f"occlusion-{model}.h5", wrap(arrays), about)


def reading(folder):
    """What was measured of a run."""
    return nucleation.measure(folder).numbers


def claimed(*folders):
    """All claims on these runs, and between them."""
    records = [nucleation.measure(folder) for folder in folders]
    rows = [row for measured in records for row in nucleation.claims(measured)]
    return rows + nucleation.between(records)


def the(rows, start, system=None, network=""):
    """The one claim whose text starts so."""
    (row,) = [
        r
        for r in rows
        if r.text.startswith(start)
        and (system is None or r.system == system)
        and network in r.network
    ]
    return row


ONE, TEN = "R = 1, L = 10, h = 0.57", "R = 10, L = 100, h = 1.215"
FAR, NEAR = "R = 10, L = 200, h = 1.21", "R = 20, L = 200, h = 1.255"


# --- skill ---


def test_mse_and_its_corrected_error_over_folds(tmp_path):
    folder = dataset(tmp_path / "run")
    sizes = (0.1, 0.12, 0.08, 0.1)
    for k, size in enumerate(sizes):
        sign = np.where(np.arange(100) % 2, 1, -1)
        plant(
            folder,
            "cnn_2layer",
            k,
            error=size * sign,
            rows=np.arange(100 * k, 100 * (k + 1)),
            training=400,
        )
    s = reading(folder)
    found = skill.mse(s.tested(CONFIGURATION, "cnn_2layer"))
    squares = np.square(sizes)
    assert found.value == pytest.approx(squares.mean(), rel=1e-5)
    assert found.fold_error == pytest.approx(
        squares.std(ddof=1) * np.sqrt(1 / 4 + 100 / 400), rel=1e-5
    )
    assert found.fold_error > 1.2 * squares.std(ddof=1) / 2, (
        "the naive error of the mean is too small"
    )
    assert found.error == max(found.fold_error, found.event_error)
    assert skill.root_mse(s.tested(CONFIGURATION, "cnn_2layer")).value == pytest.approx(
        np.sqrt(squares.mean()), rel=1e-5
    )
    assert skill.absolute_error(s.tested(CONFIGURATION, "cnn_2layer")).value == pytest.approx(
        np.mean(sizes), rel=1e-5
    )


def test_one_fold_has_the_error_of_its_events(tmp_path):
    folder = dataset(tmp_path / "run", events=200, each=10, size=8)
    rng = np.random.default_rng(1)
    square = np.repeat(rng.uniform(0, 0.02, 200), 10)  # the same for all configurations of an event
    plant(folder, "cnn_2layer", error=np.sqrt(square))
    s = reading(folder)
    found = skill.mse(s.tested(CONFIGURATION, "cnn_2layer"))
    assert np.isnan(found.fold_error)
    assert found.error == found.event_error == pytest.approx(square.std() / np.sqrt(200), rel=0.15)


def test_difference_is_paired(tmp_path):
    """Both models err alike but for a constant: the difference is exact, though each MSE is
    noisy.
    """
    folder = dataset(tmp_path / "run", size=8)
    rng = np.random.default_rng(2)
    for k, more in enumerate((0.001, 0.003)):
        square, rows = rng.uniform(0, 0.05, 200), np.arange(200 * k, 200 * (k + 1))
        plant(folder, "cnn_2layer", k, error=np.sqrt(square), rows=rows, training=400)
        plant(folder, "features", k, error=-np.sqrt(square + more), rows=rows, training=400)
    s = reading(folder)
    cnn, features = (s.tested(CONFIGURATION, m) for m in ("cnn_2layer", "features"))
    found = skill.difference(features, cnn)
    assert found.value == pytest.approx(0.002, rel=1e-4)
    assert found.fold_error == pytest.approx(
        np.std([0.001, 0.003], ddof=1) * np.sqrt(1 / 2 + 200 / 400), rel=1e-4
    )
    mixing = 0.001 / np.sqrt(50)  # draws of 50 events hold more of one fold or the other
    assert found.event_error == pytest.approx(mixing, rel=0.1)
    assert found.event_error < 0.3 * skill.mse(cnn).event_error
    assert skill.difference(cnn, features).value == pytest.approx(-found.value)


def test_folds_with_other_test_rows_are_not_paired(tmp_path):
    folder = dataset(tmp_path / "run", size=8)
    for k in range(2):
        plant(folder, "cnn_2layer", k, error=0.1, rows=np.arange(100))
        plant(folder, "features", k, error=0.2, rows=np.arange(100) + 50 * k)
    s = reading(folder)
    found = skill.difference(*(s.tested(CONFIGURATION, m) for m in ("cnn_2layer", "features")))
    assert found.folds == 1
    assert skill.difference(s.tested(CONFIGURATION, "cnn_2layer"), []) is None


def test_floor_excess_and_explained_variance(tmp_path):
    """A predictor that knows the true p stays at the floor and explains all; one that says 1/2
    explains nothing.
    """
    folder = dataset(tmp_path / "run", events=1000, each=10, size=4, copies=20, seed=3)
    run, rng = load(folder), np.random.default_rng(3)
    rng_p = rng.random(10000)  # the generator's own first draw: the true p of each label
    plant(folder, "torus", error=rng_p - run.p_nuc)
    plant(folder, "spins", error=run.p_nuc.mean() - run.p_nuc)
    s = reading(folder)
    perfect, blind = (s.tested(CONFIGURATION, m) for m in ("torus", "spins"))
    assert skill.floor(perfect) == pytest.approx(1 / 120, rel=0.02)  # 1/(6 n)
    assert perfect[0].label_noise.mean() == pytest.approx(skill.floor(perfect), rel=1e-9)
    excess = skill.excess(perfect)
    assert abs(excess.value) < 4 * excess.error
    assert 0 < excess.error < 5e-4
    assert skill.explained(perfect).value == pytest.approx(1, abs=0.01)
    assert skill.explained(blind).value == pytest.approx(0, abs=1e-6)


def test_between_splits(tmp_path):
    folder = dataset(tmp_path / "run", size=8)
    plant(folder, "cnn_2layer", 0, EVENT, error=0.1, rows=np.arange(200))
    plant(folder, "cnn_2layer", 0, CONFIGURATION, error=0.08, rows=np.arange(100, 400))
    rows = nucleation.tables([nucleation.measure(folder)])["differences"]
    assert [row["split"] for row in rows] == ["both"]
    assert rows[0]["difference"]["value"] == pytest.approx(0.01 - 0.0064, rel=1e-4)
    assert "by event" in rows[0]["first"]


def test_label_entropy():
    assert estimates.label_entropy(np.array([0.0, 1.0])) == 0
    assert estimates.label_entropy(np.array([0.5])) == pytest.approx(np.log(2))


# --- what is left out ---


def test_what_belongs_to_other_data_or_is_unfinished_is_left_out_and_named(tmp_path, capsys):
    folder, other = dataset(tmp_path / "run", size=8), dataset(tmp_path / "other", size=8, seed=1)
    plant(folder, "cnn_2layer", 0, error=0.1)
    plant(
        folder, "cnn_2layer", 1, error=0.3, dataset_digest=load(other).attributes["content_digest"]
    )
    (folder / "train" / CONFIGURATION / "cnn_2layer" / "fold-2").mkdir()
    damaged = plant(folder, "cnn_2layer", 3, error=0.3)
    damaged.write_bytes(damaged.read_bytes()[:-500])
    wrong = shards.read(plant(folder, "cnn_2layer", 4, error=0.3))
    wrong[0]["index"] = wrong[0]["index"][::-1]
    shards.write(
        folder / "train" / CONFIGURATION / "cnn_2layer" / "fold-4" / "test.h5",
        wrap(wrong[0]),
        wrong[1],
    )
    plant(folder, "cnn_2layer", 10, error=0.1)
    plant_maps(folder, lambda x, y: 0 * x + 1, dataset_digest="another")
    found = reading(folder).tested(CONFIGURATION, "cnn_2layer")
    assert [fold.number for fold in found] == [0, 10], "in order of number, not of name"
    assert main(["nucleation", str(folder)]) == 0
    said = capsys.readouterr().out
    report = (folder / "report.md").read_text()
    for place, reason in (
        ("fold-1", "another data set"),
        ("fold-2", "has not ended"),
        ("fold-3", "truncated"),
        ("fold-4", "labels"),
        ("occlusion-cnn_2layer.h5", "another data set"),
    ):
        (line,) = [line for line in said.splitlines() if place in line]
        assert reason in line
        assert line in report
    (row,) = json.loads((folder / "report.json").read_text())["models"]
    assert (row["folds"], row["mse"]["value"]) == (2, pytest.approx(0.01, rel=1e-5))


# --- density and occlusion ---


def test_gaussian_droplet_is_recovered(tmp_path):
    size = 40
    found = density.measure(load(dataset(tmp_path / "run", size=size)))
    truth = gaussian(size).ravel()
    r = density.distance(np.arange(size), np.arange(size), size).ravel()
    assert r[0] == pytest.approx(size / np.sqrt(2)), (
        "the corner of the torus is farthest from its centre"
    )
    for k in range(size // 2):
        ring = (r >= k - 0.5) & (r < k + 0.5) & (r <= size / 2)
        assert abs(found.profile[k] - truth[ring].mean()) < 5 * found.error[k]
        assert found.radius[k] == pytest.approx(r[ring].mean())
    assert found.error.max() < 0.03
    assert found.background.value == pytest.approx(BACKGROUND, abs=4 * found.background.error)
    half = WIDTH * size * np.sqrt(2 * np.log(2))
    assert found.half_radius.value == pytest.approx(
        half, abs=max(0.15, 4 * found.half_radius.error)
    )
    core = truth[r < 1.5].mean() - truth[(r >= 18) & (r <= 20)].mean()
    assert found.core.value == pytest.approx(core, abs=4 * found.core.error)
    assert 0 < found.core.error < 0.02


def test_density_is_read_in_blocks(tmp_path, monkeypatch):
    run = load(dataset(tmp_path / "run", size=12))
    whole = density.ring_counts(run)
    monkeypatch.setattr(density, "BLOCK", 12 * 12 * 7)
    np.testing.assert_array_equal(density.ring_counts(run), whole)
    assert (
        whole.sum(axis=1).max() <= (density.distance(np.arange(12), np.arange(12), 12) <= 6).sum()
    )


@pytest.mark.parametrize(
    "x", [np.arange(40.0), np.arange(0.5, 40, 2), np.roll(np.arange(0, 40, 4.0), 3)]
)
def test_proportional_maps_correlate_perfectly(tmp_path, x):
    """Sites, half-integer centres of even patches, and positions in any order."""
    folder = dataset(tmp_path / "run", size=40)
    step = np.abs(np.asarray(x) - 20)
    w = WIDTH * 40

    def proportional(x, y):
        return 0.3 * BACKGROUND + 0.3 * EXCESS * np.exp(
            -((x - 20) ** 2 + (y - 20) ** 2) / (2 * w**2)
        )

    plant_maps(folder, proportional, x=x, stride=int(abs(x[1] - x[0])) if step[0] != step[1] else 4)
    maps = reading(folder).map_of("cnn_2layer")
    assert occlusion.correlation(maps).value == pytest.approx(1, abs=2e-3)
    width = occlusion.half_width(maps)
    assert width.value == pytest.approx(w * np.sqrt(2 * np.log(2)), abs=0.25)
    assert occlusion.width_over_gyration(maps).value == pytest.approx(width.value / 6)
    p = occlusion.profiles(maps)
    inside = occlusion.profiles(maps).radius <= 6
    expected = np.average(p.sensitivity[inside], weights=p.positions[inside])
    expected /= np.average(p.sensitivity[~inside], weights=p.positions[~inside])
    assert occlusion.inside_over_outside(maps).value == pytest.approx(expected)


def test_a_network_that_looks_elsewhere_does_not_correlate(tmp_path):
    folder = dataset(tmp_path / "run", size=40)
    plant_maps(folder, lambda x, y: np.hypot(x - 20, y - 20) / 20)
    maps = reading(folder).map_of("cnn_2layer")
    assert occlusion.correlation(maps).value < -0.6
    assert not np.isfinite(occlusion.half_width(maps).value), "it never falls: no width is invented"


def test_the_torus_has_no_rim(tmp_path):
    """Half-integer centres at the border lie between the last and the first site; distances go the
    shorter way.
    """
    folder = dataset(tmp_path / "run", size=20)
    plant_maps(folder, lambda x, y: 0 * x + 1, x=np.arange(0.5, 20), rho=np.full((20, 20), 0.3))
    np.testing.assert_allclose(
        occlusion.profiles(reading(folder).map_of("cnn_2layer")).density, 0.3, rtol=1e-6
    )
    np.testing.assert_allclose(density.distance([-9.5, 10, 21], [10], 20)[:, 0], [0.5, 0, 9])


def test_patches_inside_the_box_leave_the_rim_out(tmp_path):
    """Centres from 4.5 to 35.5 of L = 40 only: the same profile where there are positions."""
    folder = dataset(tmp_path / "run", size=40)

    def blob(x, y):
        return 0.3 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / (2 * (WIDTH * 40) ** 2))

    plant_maps(folder, blob, x=np.arange(4.5, 36))
    whole = occlusion.half_width(reading(folder).map_of("cnn_2layer"))
    assert whole.value == pytest.approx(WIDTH * 40 * np.sqrt(2 * np.log(2)), abs=0.1)


def test_gaps_of_random_places_and_empty_blocks(tmp_path):
    """NaN where no patch fell in a block, and a block without any configuration: the rest gives the
    same numbers.
    """
    folder = dataset(tmp_path / "run", size=40)

    def blob(x, y):
        return 0.01 + 0.3 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / (2 * (WIDTH * 40) ** 2))

    plant_maps(folder, blob, noise=0.02)
    whole = reading(folder).map_of("cnn_2layer")
    file = folder / "predict" / "occlusion-cnn_2layer.h5"
    arrays, attributes = shards.read(file)
    gaps = np.random.default_rng(0).random(arrays["sensitivity"].shape) < 0.3
    gaps[:, :, 5, 5] = True
    arrays["sensitivity"][gaps] = np.nan
    for name in ("sensitivity", "density", "radius_of_gyration"):
        arrays[name][0, 2] = np.nan
    arrays["configurations"][0, 2] = 0
    shards.write(file, wrap(arrays), attributes)
    holed = reading(folder).map_of("cnn_2layer")
    assert np.isnan(holed.picture()[5, 5])
    assert np.isfinite(occlusion.ring_errors(holed)).all()
    for measure, near in (
        (occlusion.half_width, 0.05),
        (occlusion.peak, 0.01),
        (occlusion.correlation, 0.01),
        (occlusion.gyration, 1e-6),
    ):
        assert measure(holed).value == pytest.approx(measure(whole).value, rel=near)
        assert np.isfinite(measure(holed).error)


def test_proportional_exactly(tmp_path):
    folder = dataset(tmp_path / "run", size=20)
    rho = np.random.default_rng(0).random((20, 20))
    plant_maps(folder, lambda x, y: 0.01 + 0.2 * rho, rho=rho)
    maps = reading(folder).map_of("cnn_2layer")
    assert occlusion.correlation(maps).value == pytest.approx(1, abs=1e-9)
    plant_maps(folder, lambda x, y: 1 - 0.2 * rho, rho=rho)
    assert occlusion.correlation(reading(folder).map_of("cnn_2layer")).value == pytest.approx(
        -1, abs=1e-9
    )


def test_error_of_a_map_is_that_of_its_blocks(tmp_path):
    """For an average the jackknife is the standard error; folds that differ more count more."""
    folder = dataset(tmp_path / "run", size=20)
    plant_maps(folder, lambda x, y: 0 * x + 1, folds=1, blocks=8, noise=0.1)
    maps = reading(folder).map_of("cnn_2layer")
    levels = maps.all("sensitivity")[0, :, 0]
    found = occlusion.peak(maps)
    assert found.value == pytest.approx(levels.mean())
    assert found.error == pytest.approx(levels.std(ddof=1) / np.sqrt(8))
    assert np.isnan(found.fold_error)
    plant_maps(folder, lambda x, y: 0 * x + 1, folds=4, blocks=1, noise=0.1)
    maps = reading(folder).map_of("cnn_2layer")
    levels = maps.all("sensitivity")[:, 0, 0]
    assert occlusion.peak(maps).error == pytest.approx(levels.std(ddof=1) * np.sqrt(1 / 4 + 1 / 3))
    plant_maps(folder, lambda x, y: 0 * x + 1, folds=1, blocks=1)
    assert np.isnan(occlusion.peak(reading(folder).map_of("cnn_2layer")).error)


# --- claims ---


@pytest.mark.parametrize(
    ("rule", "value", "error", "verdict"),
    [
        (verdicts.close_to(5.65e-3), 5.65e-3 * 1.0999, 1e-9, "yes"),
        (verdicts.close_to(5.65e-3), 5.65e-3 * 1.101, 1e-9, "no"),
        (verdicts.close_to(5.65e-3), 8e-3, 1.2e-3, "undecided"),
        (verdicts.close_to(5.65e-3), 8e-3, 0.8e-3, "no"),
        (verdicts.close_to(5.65e-3), 5.65e-3, 1.2e-3, "undecided"),
        (verdicts.close_to(5.65e-3), 5.7e-3, np.nan, "yes"),
        (verdicts.close_to(0.4, last_digit=0.1), 0.45, 0, "yes"),
        (verdicts.close_to(0.4, last_digit=0.1), 0.46, 0.004, "no"),
        (verdicts.close_to(0.4, last_digit=0.1), 0.46, 0.029, "undecided"),
        (verdicts.about(1e4), 5001, 1, "yes"),
        (verdicts.about(1e4), 4999, 1e4, "no"),
        (verdicts.above(0), 0.21, 0.1, "yes"),
        (verdicts.above(0), 0.19, 0.1, "undecided"),
        (verdicts.above(0), -0.19, 0.1, "undecided"),
        (verdicts.above(0), -0.21, 0.1, "no"),
        (verdicts.above(0), 5.0, np.nan, "undecided"),
        (verdicts.below(0.1), 0.05, 0.02, "yes"),
        (verdicts.below(0.1), 0.15, 0.02, "no"),
        (verdicts.between(0.5, 2), 1.0, 0.2, "yes"),
        (verdicts.between(0.5, 2), 1.9, 0.2, "undecided"),
        (verdicts.between(0.5, 2), 2.5, 0.2, "no"),
    ],
)
def test_rules(rule, value, error, verdict):
    assert rule.judge(Estimate(value, error)) == verdict
    assert rule.text in (
        "< 0.1",
        "> 0",
        "0.5 to 2",
        "5000 to 20000, ours alone",
        "within 0.0006 of 0.00565",
        "within 0.05 of 0.4",
    )


def skilled(folder, cnn, features, spins=0.3, weights=(2, -1, *[0.1] * 8), **options):
    """Three models with these root MSEs on one fold, +- alternating."""
    n = len(load(folder).p_nuc)
    sign = np.where(np.arange(n) % 2, 1.0, -1.0)
    for model, error in (("cnn_2layer", cnn), ("features", features), ("spins", spins)):
        plant(
            folder,
            model,
            error=error * sign,
            weights=weights if model == "features" else None,
            **options,
        )


@pytest.mark.parametrize(
    ("cnn", "features", "order", "forty"),
    [
        (0.06, 0.0775, "yes", "yes"),
        (0.06, 0.065, "yes", "no"),
        (0.07, 0.065, "no", "no"),
        (0.04, 0.08, "yes", "no"),
    ],
)
def test_cnn_beats_features_by_forty_percent(tmp_path, cnn, features, order, forty):
    skilled(dataset(tmp_path / "run", reach=1, size=10, field=0.57), cnn, features)
    rows = claimed(tmp_path / "run")
    assert the(rows, "MSE: features LR minus CNN", ONE).agrees == order
    saved = the(rows, "CNN's MSE is lower", ONE)
    assert saved.agrees == forty
    assert saved.estimate.value == pytest.approx(1 - (cnn / features) ** 2, rel=1e-3)
    assert saved.data == "12000 training and 400 test configurations"
    assert (saved.network, saved.figure) == ("CNN, 2 layers, split by configuration", "3")
    assert the(rows, "MSE: spins LR minus CNN", ONE).agrees == "yes"
    assert the(rows, "mean absolute error of features LR", ONE).agrees == "yes"


def test_one_row_a_claim_and_nothing_guessed(tmp_path):
    rows = claimed(dataset(tmp_path / "run", reach=10, size=100, events=4, each=2))
    keys = [(row.system, row.text) for row in rows]
    assert len(keys) == len(set(keys))
    trained = [
        row
        for row in rows
        if "MSE" in row.text or "weight" in row.text or "sensitivity" in row.text
    ]
    assert len(trained) > 10
    assert all(row.agrees == "not run" and row.estimate is None for row in trained)
    assert all(set(row.figure.split(", ")) <= {"", *nucleation.FIGURES} for row in rows)


def test_small_training_sets_and_noisy_labels_are_not_compared(tmp_path):
    """The numbers are given all the same."""
    cases = {
        ("a", 100, 6000): ("yes", ""),
        ("b", 100, 5999): ("not comparable", "5999 training configurations of the paper's 12 000"),
        ("c", 50, 12000): ("not comparable", "the labels' noise"),
    }
    for (name, copies, training), (verdict, reason) in cases.items():
        folder = dataset(tmp_path / name, reach=1, size=10, field=0.57, copies=copies)
        skilled(folder, 0.06, 0.0775, training=training)
        row = the(claimed(folder), "CNN's MSE is lower", ONE)
        assert (row.agrees, row.by_rule) == (verdict, "yes")
        assert row.smaller.startswith(reason)
        assert bool(row.smaller) == bool(reason)
        assert row.estimate.value == pytest.approx(0.4, rel=0.01)


def test_each_split_has_its_row(tmp_path):
    folder = dataset(tmp_path / "run", reach=1, size=10, field=0.57)
    skilled(folder, 0.06, 0.0775)
    skilled(folder, 0.08, 0.0775, split=EVENT)
    rows, text = claimed(folder), "MSE: features LR minus CNN"
    assert the(rows, text, ONE, "by configuration").agrees == "yes"
    row = the(rows, text, ONE, "by event")
    assert row.agrees == "no"
    assert row.estimate.value == pytest.approx(0.0775**2 - 0.08**2, rel=1e-3)


@pytest.mark.parametrize(
    ("cnn", "features", "words", "first"),
    [
        (0.06, 0.0775, "its MSE is 40.1% lower", "smallest for CNN, 2 layers"),
        (0.0775, 0.06, "its MSE is 66.8% higher", "smallest for features LR"),
    ],
)
def test_findings_are_worded_by_the_numbers(tmp_path, cnn, features, words, first):
    folder = dataset(tmp_path / "run", reach=1, size=10, field=0.57)
    skilled(folder, cnn, features)
    best, compared, *_ = nucleation.findings([nucleation.measure(folder)], [])
    assert first in best
    assert words in compared
    floor = (cnn**2 - 1 / 600, features**2 - 1 / 600)
    found = re.search(r"the noise of the labels is ([0-9.]+)\S* (lower|higher)", compared)
    lower = float(found[1]) * (1 if found[2] == "lower" else -1)
    # the planted labels' noise is 1/600 on average, here of some hundred
    assert lower == pytest.approx(100 * (1 - floor[0] / floor[1]), rel=0.1)
    told = nucleation.sentence([nucleation.measure(folder)])
    assert re.search(r"anew: \d+ to train on, \d+ others that tell which epoch is kept", told)
    rng = np.random.default_rng(7)
    for model in ("cnn_2layer", "features"):
        plant(folder, model, error=rng.normal(0, 0.07, 400))
    best, compared, *_ = nucleation.findings([nucleation.measure(folder)], [])
    assert "within the errors of" in best
    assert "within two errors of no difference" in compared


def test_an_error_stands_beside_what_needs_no_network(tmp_path):
    folder = dataset(tmp_path / "run", reach=10, size=100, events=40, each=10)
    skilled(folder, 0.075, 0.1)
    row = the(claimed(folder), "MSE of the CNN, as low", TEN)
    assert row.baselines["predicting the mean"] == pytest.approx(1 / 12, rel=0.15)
    assert row.limits["noise of the labels alone"] == pytest.approx(1 / 600, rel=0.15)
    assert row.agrees == "yes"


def test_claims_on_the_cnn_are_those_of_each_that_was_trained(tmp_path):
    """The network of the authors' program counts as the paper's; what is lower than the paper's
    error agrees, and a trend has a row for each network.
    """
    ten = dataset(tmp_path / "ten", reach=10, size=100, events=40, each=10)
    plant(ten, "features", error=0.08)
    plant(ten, "notebook", error=0.06)
    row = the(claimed(ten), "MSE of the CNN, as low", TEN)
    assert row.network == "CNN, authors' program, split by configuration"
    assert (row.agrees, row.rule.text) == ("yes", "< 0.006215, the paper's and 10%")
    assert the(claimed(ten), "MSE: features LR minus CNN", TEN).agrees == "yes"
    plant(ten, "cnn_2layer", error=0.1)
    both = [row for row in claimed(ten) if row.text.startswith("MSE of the CNN")]
    assert [(row.network.split(",")[1], row.agrees) for row in both] == [
        (" 2 layers", "no"),
        (" authors' program", "yes"),
    ]
    folders = [
        dataset(tmp_path / f"r{reach}", reach=reach, size=200, field=field, events=40, each=2)
        for reach, field in ((10, 1.210), (20, 1.255))
    ]
    for folder, error in zip(folders, (0.06, 0.1), strict=True):
        plant(folder, "notebook", error=error, training=7000)
    rise = the(claimed(*folders), "CNN degrades towards the spinodal")
    assert (rise.network, rise.agrees) == ("CNN, authors' program, split by configuration", "yes")
    assert rise.estimate.value == pytest.approx(0.1**2 - 0.06**2, rel=1e-3)


def test_weights(tmp_path):
    folder = dataset(tmp_path / "run", reach=1, size=10, field=0.57)
    for k, extra in enumerate((0.0, 0.2)):
        plant(
            folder,
            "features",
            k,
            error=0.08,
            weights=(2 + extra, -1.5, 0.3, *[0.1] * 7),
            training=4000,
        )
    rows = claimed(folder)
    m = the(rows, "weight of m", ONE)
    assert m.estimate.value == pytest.approx(2.1)
    # two folds: Student with one degree of freedom, the Cauchy law, whose 97.7% quantile is tan(pi
    # (0.977 - 1/2))
    widening = np.tan(np.pi * (0.9772498680518208 - 0.5)) / 2
    assert m.estimate.error == pytest.approx(
        np.std([0, 0.2], ddof=1) * np.sqrt(1 / 2 + 400 / 4000) * widening
    )
    assert the(rows, "m and R(1) weigh most", ONE).estimate.value == pytest.approx(1.5 - 0.3)
    other = dataset(tmp_path / "long", reach=10, size=100, field=1.215, events=3, each=2)
    for k in range(2):
        plant(other, "features", k, error=0.08, weights=(2, -1, *[1.0 + 0.01 * k] * 8))
    for k in range(2):
        plant(folder, "features", k, error=0.08, weights=(2, 1.0, *[0.25] * 8))
    rows = claimed(folder, other)
    assert the(rows, "weight of R(1)", ONE).agrees == "no"
    assert the(rows, "weight of R(1)", TEN).agrees == "yes"
    higher = the(rows, "higher moments")
    assert higher.system == f"{ONE} to {TEN}"
    assert higher.estimate.value == pytest.approx(8.04 / 11.04 - 2 / 5, rel=1e-3)
    assert higher.agrees == "yes"


@pytest.mark.parametrize(
    ("reach", "size", "field", "delta"),
    [(10, 100, 1.215, 0.055), (1, 10, 0.57, 0.70), (20, 200, 1.255, 0.015)],
)
def test_distance_to_the_spinodal_is_the_papers(tmp_path, reach, size, field, delta):
    run = load(dataset(tmp_path / "run", reach=reach, size=size, field=field, events=2, each=1))
    assert paper.distance_to_spinodal(run.system) == pytest.approx(delta, abs=6e-4)


def test_droplets_towards_the_spinodal(tmp_path):
    """Data sets alone decide Rg, core and halo; the networks' rows stay not run."""
    folders = [
        dataset(
            tmp_path / "far",
            reach=10,
            size=200,
            field=1.210,
            width=0.10,
            excess=0.5,
            events=12,
            each=2,
        ),
        dataset(
            tmp_path / "near",
            reach=20,
            size=200,
            field=1.255,
            width=0.14,
            excess=0.3,
            events=12,
            each=2,
        ),
    ]
    rows = claimed(*folders)
    core, halo = the(rows, "droplet core thins"), the(rows, "halo expands")
    assert core.agrees == halo.agrees == "yes"
    assert core.estimate.value == pytest.approx(0.2, abs=0.02)
    assert halo.estimate.value == pytest.approx(0.04 * 200 * np.sqrt(2 * np.log(2)), abs=1)
    radius = the(rows, "mean radius of gyration", FAR)
    assert (radius.agrees, radius.unit, radius.figure) == ("no", "sites", "7")
    assert radius.data == "24 configurations"
    assert radius.estimate.value == pytest.approx(24, abs=1)
    assert the(rows, "MSE of the CNN", NEAR).agrees == "not run"
    assert the(rows, "sensitivity decreases").agrees == "not run"
    rows = claimed(folders[0])
    assert the(rows, "droplet core thins").agrees == "not run", "one system shows no trend"


def test_claims_on_occlusion(tmp_path):
    near = dataset(tmp_path / "near", reach=20, size=200, field=1.255, events=2, each=1)
    far = dataset(tmp_path / "far", reach=10, size=200, field=1.210, events=2, each=1)

    def blob(height, width):
        return lambda x, y: (
            height * np.exp(-((x - 100) ** 2 + (y - 100) ** 2) / (2 * (width * 200) ** 2))
        )

    places = np.arange(0, 200, 5)
    plant_maps(far, blob(0.1, 0.12), "cnn_4layer", x=places, noise=0.02)
    plant_maps(near, blob(0.05, 0.15), "cnn_4layer", x=places, noise=0.02)
    rows = claimed(near, far)
    assert the(rows, "important region: half-width", FAR).agrees == "yes"
    assert the(rows, "important region overlaps", FAR).agrees == "yes"
    correlation = the(rows, "correlation of sensitivity", FAR)
    assert (correlation.agrees, correlation.network) == ("yes", "CNN, 4 layers")
    assert (
        the(rows, "sensitivity decreases").agrees
        == the(rows, "region of importance expands").agrees
        == "yes"
    )
    assert the(rows, "sensitivity decreases").estimate.value == pytest.approx(0.05, rel=0.1)
    plant_maps(near, blob(0.05, 0.15), "cnn_4layer", x=places, noise=0.02, patch=8)
    rows = claimed(near, far)
    assert the(rows, "sensitivity decreases").agrees == "not comparable"


# --- whole reports ---


@pytest.mark.slow
def test_every_figure_and_the_report(tmp_path):
    """A generic system with all models and both splits, two L = 200 systems with maps: figures 3 to
    9.
    """
    generic = dataset(tmp_path / "r1", reach=1, size=10, field=0.57)
    rng = np.random.default_rng(0)
    for split in (EVENT, CONFIGURATION):
        for k in range(2):
            rows = np.arange(200 * k, 200 * (k + 1))
            for model, size in (
                ("spins", 0.2),
                ("features", 0.09),
                ("cnn_2layer", 0.07),
                ("torus", 0.06),
            ):
                weights = rng.normal(size=10) if model == "features" else None
                plant(
                    generic,
                    model,
                    k,
                    split,
                    error=rng.normal(0, size, 200),
                    rows=rows,
                    weights=weights,
                )
    plant_maps(generic, lambda x, y: np.exp(-((x - 5) ** 2 + (y - 5) ** 2) / 4), noise=0.1)
    plant_maps(generic, lambda x, y: np.exp(-((x - 5) ** 2 + (y - 5) ** 2) / 4), "torus", noise=0.1)
    folders = [generic]
    for reach, field in ((12, 1.2283), (20, 1.255)):
        near = dataset(tmp_path / f"r{reach}", reach=reach, size=200, field=field, events=6, each=2)
        plant(near, "cnn_4layer", error=rng.normal(0, 0.1, 12), training=7000)
        plant_maps(
            near,
            lambda x, y: np.exp(-((x - 100) ** 2 + (y - 100) ** 2) / 1800),
            "cnn_4layer",
            x=np.arange(0, 200, 10),
        )
        folders.append(near)
    out = tmp_path / "out"
    words = ["nucleation", *map(str, folders), "--out", str(out)]
    assert main(words) == 0
    report = json.loads((out / "report.json").read_text())
    drawn = [figure["file"] for figure in report["figures"]]
    mine = [
        *(f"figure-{start}" for start in ("3-m", "4-c", "5-", "6-", "7-", "8-", "9a", "9b")),
        "confusion-near",
    ]
    for start in mine:
        (file,) = [name for name in drawn if name.startswith(f"figures/{start}")]
        assert (out / file).stat().st_size > 2500
        assert (out / file).with_suffix(".pdf").exists()
    assert sum(name.startswith("figures/learning-") for name in drawn) == 3
    text = (out / "report.md").read_text()
    row = "h = 0.57, CNN, 2 layers, split by configuration | CNN's MSE is lower than features LR's by | around 40% |"
    assert row in text
    assert "Nadeau and Bengio" in text
    assert "share that nucleates within a time limit" in text, "these data do not say which"
    assert {v["figure"] for v in report["verdicts"] if v["drawn"]} == set("123456789")
    assert len(report["models"]) == 2 * 4 + 2
    pairs = {(d["first"], d["second"], d["split"]) for d in report["differences"]}
    assert ("CNN, 2 layers", "features LR", "event") in pairs
    assert ("torus network", "CNN, 2 layers", "configuration") in pairs
    assert ("features LR", "spins LR", "event") in pairs
    table = [line for line in text.splitlines() if line.startswith("| ")]
    found = {line.replace("\\|", "").count("|") for line in table if "CNN" in line}
    assert found <= {5, 8}, "every row has its cells"


def test_a_run_without_models_has_no_figures_of_them(tmp_path):
    folder = dataset(tmp_path / "run", reach=18, size=200, field=1.2515, events=3, each=2)
    assert main(["nucleation", str(folder)]) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["models"] == report["differences"] == report["left_out"] == []
    files = [figure["file"].removeprefix("figures/figure-") for figure in report["figures"]]
    assert any(name.startswith("9a") for name in files)
    assert not any(name.startswith(tuple("345678")) or name.startswith("9b") for name in files)
    (row,) = [c for c in report["claims"] if "gyration" in c["claim"] and c["paper"] == "48.81"]
    assert row["agrees"] == "no"
    assert row["ours"] == pytest.approx(24, abs=1.5)


def test_folds_of_two_records_add_up(tmp_path):
    """The same data set, one fold each: together the error of both, smaller than of either."""
    folder = dataset(tmp_path / "run", reach=1, size=10, field=0.57)
    rng, folds = np.random.default_rng(4), []
    for k in range(2):
        target = plant(
            folder,
            "cnn_2layer",
            k,
            error=rng.normal(0, 0.06, 200),
            rows=np.arange(200 * k, 200 * (k + 1)),
        )
        folds.append(target.parent)
    whole = nucleation.measure(folder)
    parts = []
    for k in range(2):
        away = folds[1 - k].rename(tmp_path / "away")
        parts.append(nucleation.measure(folder))
        away.rename(folds[1 - k])
    (both,) = record.gathered(parts)
    mse = [skill.mse(r.numbers.tested(CONFIGURATION, "cnn_2layer")) for r in (whole, both, *parts)]
    assert mse[0] == mse[1]
    assert mse[1].folds == 2
    assert mse[1].event_error < 0.8 * min(mse[2].event_error, mse[3].event_error)
    assert nucleation.tables([both])["models"] == nucleation.tables([whole])["models"]


def test_many_predictions_are_rounded(tmp_path, monkeypatch):
    folder, rng = dataset(tmp_path / "run", size=8), np.random.default_rng(6)
    plant(folder, "cnn_2layer", error=rng.normal(0, 0.08, 400))
    exact, size = reading(folder), {}
    for many in (400, 399):
        monkeypatch.setattr("analysis.nucleation.training.MANY", many)
        measured = nucleation.measure(folder)
        size[many] = record.write(tmp_path / "record.h5", measured).stat().st_size
        (fold,), (before,) = measured.numbers.folds.values(), exact.folds.values()
        off = np.abs(fold.predicted - before.predicted).max()
        assert off <= 2**-17
        assert (off == 0) == (many == 400)
        assert fold.predicted.dtype == np.float32
    assert size[399] < size[400] - 300


def test_maps_at_the_papers_size_are_kept_small(tmp_path):
    """Ten folds of 181 x 181 places, noise that nothing compresses: 91 x 91 pixels are drawn."""
    folder = dataset(tmp_path / "run", reach=10, size=200, field=1.21, events=2, each=1)
    noise = np.random.default_rng(2)
    x = np.arange(9.5, 190.5)
    plant_maps(
        folder, lambda x, y: noise.random(x.shape), "cnn_4layer", x=x, folds=10, blocks=2, noise=0.1
    )
    measured = nucleation.measure(folder)
    maps = measured.numbers.map_of("cnn_4layer")
    assert maps.picture().shape == (91, 91)
    assert maps.of.low == (9.0, 9.0)
    assert maps.of.pixel == 2
    assert record.write(tmp_path / "record.h5", measured).stat().st_size < 300_000


def test_analysis_needs_no_torch():
    code = "import sys, analysis.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
