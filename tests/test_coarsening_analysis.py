"""analysis coarsening: a small run whose truth is simulated and whose "networks" are wrong by known
amounts, and closed forms.
"""

import json
import shutil

import matplotlib
import numpy as np
import pytest
from PIL import Image
from resealed import resealed, with_attributes

from analysis.__main__ import main
from analysis.coarsening import (
    claims,
    costs,
    dataset,
    energy,
    errors,
    layers,
    learning,
    movie,
    names,
    numbers,
    rollouts,
    sequence,
    surface,
    tabled,
)
from analysis.coarsening.names import Network
from analysis.verdicts import above
from jobs.coarsening.measures import energies
from tests import coarsening_run as made
from tests.coarsening_run import WIDTH, Wrong

STAGGERED, SIGMOID = Network("staggered", 0), Network("sigmoid", 0)
FIGURES = [
    "figure-1-learning",
    "figure-1-sequence",
    "figure-2-larger-box",
    "figure-2-shape",
    "figure-3-slice",
    "figure-4-stationary",
    "figure-5-errors",
    "test-errors",
    "figure-6-free-energy",
    "figure-7-cost",
    "figure-8-grids",
    "figure-S1-models",
    "costs",
]


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch):
    monkeypatch.setattr(surface, "PIXELS", 30)
    monkeypatch.setattr(surface, "SAMPLES", 1)
    monkeypatch.setattr(surface, "FINE", 16)
    monkeypatch.setattr(sequence, "COLUMNS", 3)
    monkeypatch.setattr(movie, "FRAMES", 4)
    monkeypatch.setattr(movie, "PIXELS", 30)
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 50)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made.whole_run(tmp_path_factory.mktemp("coarsening") / "run")


@pytest.fixture(scope="module")
def run(whole):
    return dataset.load(whole)


@pytest.fixture(scope="module")
def found(run):
    return numbers.of_run(run)


@pytest.fixture(scope="module")
def judged(run, found):
    return claims.all_claims(run, found)


def the(rows, start):
    (row,) = [r for r in rows if r.claim.startswith(start)]
    return row


def flat(shift, size=48, spacing=1.0):
    """Two flat interfaces across x, both moved by `shift` (length) along their normals: (1, size,
    4, 4).
    """
    x = (np.arange(size) + 0.5) * spacing
    away = np.abs(x - size * spacing / 2) - size * spacing / 4 - shift
    return np.broadcast_to(
        (0.5 * (1 - np.tanh(3 * away / WIDTH)))[None, :, None, None], (1, size, 4, 4)
    )


# --- errors ---


@pytest.mark.parametrize("shift", [0.1, 0.3])
def test_displacement_of_a_shifted_flat_interface_is_the_shift(shift):
    truth, moved = flat(0.0), flat(shift)
    volume, free = truth[0].size, energies(truth, 1.0, WIDTH)
    assert free == pytest.approx(2 * 16, rel=0.05), "the area of two interfaces of 4 x 4"
    rmse = np.sqrt(((moved - truth) ** 2).mean((1, 2, 3)))
    assert errors.displacement(rmse, free, volume, WIDTH) == pytest.approx(shift, rel=0.05)


def test_octants_add_up_and_give_an_error():
    field = np.random.default_rng(0).uniform(size=(2, 8, 8, 8))
    parts = errors.octant_means(field)
    assert parts.shape == (2, 8)
    assert parts.mean(1) == pytest.approx(field.mean((1, 2, 3)))
    assert parts[1, 7] == pytest.approx(field[1, 4:, 4:, 4:].mean())
    assert errors.octant_means(np.ones((1, 5, 4, 4))).shape == (1, 1), "an odd side has no octants"


def test_checkerboard_amplitude():
    x, y, z = np.meshgrid(*[np.arange(8)] * 3, indexing="ij")
    fields = np.stack(
        [
            0.5 + 0.03 * (-1.0) ** (x + y + z) + 0.04 * (-1.0) ** x,
            0.5 + 0.2 * np.cos(2 * np.pi * x / 8),
        ]
    )
    assert errors.parity(fields) == pytest.approx([0.05, 0], abs=1e-12)


@pytest.mark.parametrize(("downscaling", "first"), [("nearest", 0.0), ("block_mean", 0.5)])
def test_the_solvers_grid_is_met_where_its_cells_are(downscaling, first):
    """A wave that linear interpolation nearly follows: hardly any error with the right offset, much
    with the other.
    """
    wave = [
        np.sin(2 * np.pi * x / 64)[None, :, None, None] * np.ones((1, 1, 4, 4))
        for x in (np.arange(64), 2 * np.arange(32) + first)
    ]
    full, own = wave[0], wave[1][:, :, :2, :2]
    assert errors.against_full(own, full, downscaling) < 1e-5
    assert errors.against_full(own, full, "nearest" if first else "block_mean") > 1e-3


def test_errors_are_what_the_networks_were_made_wrong_by(run, found):
    e = found.errors["larger", STAGGERED]
    assert e.mse[:, 0] == pytest.approx(0, abs=1e-12)
    assert e.mse[0, 1] > 0.99 * 0.01**2, "the noise, and what the clock adds"
    assert e.persistence[0, -1] > 100 * e.mse[0, -1]
    drifting = found.errors["shape", SIGMOID]
    assert drifting.rmse[-1] == pytest.approx(np.hypot(0.12, 0.02), rel=0.05)
    assert drifting.mean_squared().error > 0, "from octants"
    assert np.isfinite(found.errors["test", STAGGERED].at()[1].error), "from starts"
    assert ("ensemble_long", STAGGERED) not in found.errors, "it has no truth"
    full = found.errors["long", STAGGERED].full
    assert full[0, 0] > 1e-4 > found.errors["long", STAGGERED].mse[0, 0], "downscaling alone"


# --- free energy ---


def test_exponent_of_a_known_decay():
    time = np.r_[0, np.geomspace(1, 1000, 200)]
    exact = 3.0 * np.maximum(time, 0.5) ** (-1 / 3)
    one = energy.exponent(time, exact[None], (20, 500))
    assert one.value == pytest.approx(-1 / 3, abs=1e-4)
    assert one.error < 1e-4
    generator = np.random.default_rng(0)
    many = np.stack([exact ** (1 + 0.05 * generator.normal()) for _ in range(40)])
    several = energy.exponent(time, many, (20, 500))
    assert several.value == pytest.approx(-1 / 3, abs=3 * several.error)
    assert several.error == pytest.approx(0.05 / 3 / np.sqrt(40), rel=0.4)


def test_the_stretch_of_the_fit_ends_before_the_box_is_full():
    time = np.r_[0, np.geomspace(1, 1e5, 400)]
    per_volume = 0.6 * np.maximum(time, 0.5) ** (-1 / 3)
    low, high = energy.window(time, 1000 * per_volume, 1000.0, 64.0)
    assert low == energy.FIRST
    assert 0.6 * high ** (-1 / 3) == pytest.approx(energy.LAYERS * 2 / 64, rel=0.02)
    assert energy.window(time, 1000 * per_volume, 1000.0, 16.0) is None, "too small a box"
    assert np.isnan(energy.exponent(time, per_volume[None], None).value)
    assert np.isnan(energy.exponent(time[:50], per_volume[None, :50], (low, high)).value), (
        "the rollout ends before the stretch does"
    )


def test_a_faster_clock_has_the_same_exponent_and_a_known_error(run, found):
    long = found.exponents["long", STAGGERED]
    assert long.value == pytest.approx(found.exponents_truth["long"].value, abs=0.01)
    gap = found.gaps["ensemble", STAGGERED]
    late = gap.time > 20
    assert gap.relative[:, late].mean() < 0.05, "3% in time is 1% in t^-1/3"
    assert gap.relative[:, 0] == pytest.approx(0, abs=1e-6)


def test_bands_of_an_ensemble(run, found):
    b = found.bands["ensemble", STAGGERED]
    free = run.cases["ensemble"].truth.series["free_energy"] / run.volume(run.cases["ensemble"])
    assert b.spread_truth == pytest.approx(free.std(0, ddof=1))
    assert b.off[0] == 0
    assert b.ratio.value == pytest.approx(b.spread[1:].mean() / b.spread_truth[1:].mean())
    assert b.ratio.error > 0
    assert found.bands.keys() == {
        (case, n) for case in ("ensemble", "test") for n in made_networks()
    }


def test_the_error_of_a_ratio_of_deviations():
    """Two of n normal samples that know nothing of one another: sqrt(1 / (n - 1)); of one that is
    twice the other: none.
    """
    first, second = np.random.default_rng(1).normal(size=(2, 4000, 1))
    found = energy.spread_ratio(first, second)
    assert found.value == pytest.approx(1, abs=4.5 * found.error)
    assert found.error == pytest.approx(1 / np.sqrt(3999), rel=0.15)
    assert energy.spread_ratio(first, 2 * first).error < 1e-12
    assert np.isnan(energy.spread_ratio(first[:2], second[:2]).error)


def made_networks():
    return {names.parse(name) for name in made.NETWORKS}


# --- stationary state ---


def test_layers_are_told_from_what_is_none():
    lamella = np.moveaxis(np.broadcast_to(flat(0.0, 16)[:, :, :1, :1], (1, 16, 16, 16)), 1, 3)
    ball = made.ball(16)
    assert layers.layering(lamella) == pytest.approx(1)
    assert layers.layering(ball) < 0.5


def test_the_long_rollout_ends_in_layers_that_stand(found):
    end = found.ends["long", STAGGERED]
    assert end.layering[0] > 0.98
    assert end.since[0] < end.half
    assert end.still[0] < 0.5, "noise of 0.01 alone"


# --- cost ---


def test_times_at_the_same_error(run, found):
    assert costs.over_explicit(found.costs, STAGGERED).value == pytest.approx(4)
    ratio, how = costs.at_same_error(found.costs, STAGGERED)
    assert ratio.value == pytest.approx(0.05), "20 times quicker than the network"
    assert "5.0e-02" in how
    assert costs.at_same_error(found.costs, STAGGERED, "first_order")[0].value == pytest.approx(1)
    second, how = costs.at_same_error(found.costs, STAGGERED, "second_order")
    assert second.value == pytest.approx(0.55), "all settings are more accurate: the quickest"
    assert second.error > 0, "even that one is quicker than the network"
    assert "at most: at RMSE 4.0e-02" in how
    fast = [
        costs.Cost(**{**row.__dict__, "seconds": row.seconds / 10})
        if row.network == STAGGERED
        else row
        for row in found.costs
    ]
    second, how = costs.at_same_error(fast, STAGGERED, "second_order")
    assert second.value == pytest.approx(5.5)
    assert above(1).judge(second) == "undecided", "a longer step might be as quick as the network"
    assert above(1).judge(costs.at_same_error(fast, STAGGERED, "first_order")[0]) == "yes"


def test_a_network_that_left_every_range_has_no_time_at_its_error(found):
    rows = [
        costs.Cost(**{**row.__dict__, "rmse": np.nan}) if row.network == STAGGERED else row
        for row in found.costs
    ]
    ratio, how = costs.at_same_error(rows, STAGGERED)
    assert np.isnan(ratio.value)
    assert how == "the network's RMSE is not finite"


def test_cost_against_size_is_of_single_starts(run):
    """A GPU takes a batch of small boxes in less time each."""
    cells, _, cases = costs.by_size(run, STAGGERED)
    assert set(cases) == {"larger", "shape", "slice", "long"}
    assert sorted(set(cells)) == [16**3, 32**3]


def test_growth_of_the_cost():
    cells = np.array([4096, 4096, 32768, 32768])
    found = costs.growth(cells, 1e-6 * cells**1.2)
    assert found.value == pytest.approx(1.2)
    assert np.isnan(costs.growth(cells[:2], np.ones(2)).value)


# --- pictures ---


def test_surface_of_a_slab_and_of_nothing(monkeypatch):
    monkeypatch.undo()
    assert surface.image(np.zeros((8, 8, 8)), 20)[..., 3].max() == 0
    whole = surface.image(np.ones((8, 8, 8)), 40)
    slab = np.zeros((8, 8, 8))
    slab[:, :, :4] = 1
    half = surface.image(slab, 40)
    covered, lower = whole[..., 3].sum(), half[..., 3].sum()
    assert 0.5 * covered < lower < 0.85 * covered
    blue = half[..., 2][half[..., 3] == 1]
    assert blue.max() > blue.min() + 0.3, "its top is lit, its cut faces are dark"


# --- claims ---


def test_claims_say_what_the_run_was_made_with(judged):
    assert the(judged, "test sequences from their first frame").ours == pytest.approx(1 / 40)
    assert the(judged, "test sequences from their first frame").baselines[
        "linear extrapolation"
    ] == pytest.approx(90 / 40)
    assert the(judged, "no overfitting").ours == pytest.approx(1, abs=0.1)
    assert the(judged, "larger box").ours < 2
    assert the(judged, "mean of phi conserved").ours < 1e-6
    assert the(judged, "without fluxes the mean").ours == pytest.approx(0.12, rel=0.02)
    assert the(judged, "without fluxes: validation loss").ours == pytest.approx(3, rel=0.2)
    assert the(judged, "without fluxes: RMSE late").by_rule == "yes"
    assert the(judged, "long rollout: largest relative error").by_rule == "yes"
    assert the(judged, "cost of a frame").ours == pytest.approx(1, abs=1e-6)
    assert the(judged, "time of the adaptive").by_rule == "no"
    assert {c.agrees for c in judged} == {"not comparable"}, "16^3 cells are not the paper's"


def test_comparable_with_the_paper(run, found):
    paper = {
        **run.config,
        "system": {**run.config["system"], "size": 64},
        "generate": {**run.config["generate"], "frames": 50},
    }
    trained = {
        n: dataset.Trained(
            t.history, t.loss, t.persistence, t.extrapolation, {**t.attributes, "epochs": 1000}
        )
        for n, t in run.trained.items()
    }
    like = dataset.Run(
        **{
            **run.__dict__,
            "config": paper,
            "split": np.repeat([0, 1, 2], [1295, 555, 40]),
            "trained": trained,
        }
    )
    rows = claims.all_claims(like, found)
    assert the(rows, "mean of phi conserved").agrees == "yes"


def test_the_main_network_is_the_staggered_one(run):
    assert run.main() == STAGGERED
    assert run.main([Network("central", 1), Network("central", 0), SIGMOID]) == Network(
        "central", 0
    )
    assert run.main([SIGMOID]) is None


# --- what is read ---


def test_damaged_foreign_and_stopped_rollouts(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "rollout" / "shape" / "truth.h5").write_bytes(b"not HDF5")
    (folder / "train" / "central" / "seed-0" / "metrics.csv").write_text("nothing\n")
    with resealed(folder / "rollout" / "slice" / "truth.h5") as file:
        file.attrs["config_digest"] = "another"
    with resealed(folder / "rollout" / "long" / "staggered-seed-0.h5") as file:
        stop = np.searchsorted(file["series/time"][...], 100)
        file["series/free_energy"][:, stop:] = np.nan
        file["phi"][:, np.searchsorted(file["time"][...], 100) :] = np.nan
        file.attrs["stopped"] = "staggered/seed-0: stopped at frame 100: phi is not finite"
    run = dataset.load(folder)
    text = "\n".join(run.left_out)
    for reason in (
        "shape/truth.h5: truncated",
        "slice/truth.h5: made from another data set",
        "metrics.csv: no epochs",
    ):
        assert reason in text
    assert run.cases["shape"].truth is None
    long = run.cases["long"].networks[STAGGERED]
    assert long.time[-1] < 100
    assert long.series_time[-1] < 100
    found = numbers.of_run(run)
    assert np.isfinite(found.errors["long", STAGGERED].mse).all()
    rows = tabled.cases(run, found)
    assert "stopped at frame 100" in "\n".join(tabled.cases_text(rows))


def test_names_of_networks():
    assert (
        names.parse("staggered/seed-3")
        == names.parse("staggered-seed-3")
        == Network("staggered", 3)
    )
    assert names.parse("staggered") is None
    assert names.parse("other-seed-1") is None


def test_common_times(run):
    case = run.cases["long"]
    there, here = rollouts.common(case.truth, case.networks[STAGGERED])
    assert case.truth.time[there].tolist() == case.networks[STAGGERED].time[here].tolist()
    assert len(there) == len(case.truth.time)


# --- everything together ---


def test_report_and_figures(whole, tmp_path, capsys):
    assert main(["coarsening", str(whole), "--out", str(tmp_path)]) == 0
    figures = tmp_path / "figures"
    assert (
        {p.stem for p in figures.glob("*.png")}
        == {p.stem for p in figures.glob("*.pdf")}
        == set(FIGURES)
    )
    with Image.open(figures / "movie.gif") as movie:
        assert movie.n_frames == 4
    assert (figures / "movie.gif").stat().st_size < 1_000_000
    text, report = (
        (tmp_path / "report.md").read_text(),
        json.loads((tmp_path / "report.json").read_text()),
    )
    assert {f["file"] for f in report["figures"]} == {f"figures/{name}.png" for name in FIGURES} | {
        "figures/movie.gif"
    }
    assert "### Not run" not in text
    assert "Nearest against block mean" not in text
    assert len(report["networks"]) == 3
    assert report["networks"][0]["persistence"] == pytest.approx(
        40 * report["networks"][0]["mean_squared_error"]["value"]
    )
    assert report["checks"][0]["holds"]
    assert report["checks"][1]["holds"]
    assert report["checks"][2]["value"] > 1e-4, "nearest: the mean of what is kept is not constant"
    assert len(report["methods"]) == 3 + 1 + 3 + 3 + 4
    assert not report["left_out"]
    assert str(tmp_path / "report.md") in capsys.readouterr().out


def test_a_run_without_networks_is_not_run(tmp_path):
    folder = made.write_run(tmp_path / "run")
    assert main(["coarsening", str(folder)]) == 0
    report = json.loads((folder / "report.json").read_text())
    assert {c["agrees"] for c in report["claims"]} == {"not run"}
    assert all(c["ours"] is None for c in report["claims"])
    assert report["figures"] == []
    assert "No network of these runs is trained yet." in (folder / "report.md").read_text()


def test_a_run_with_some_of_it(tmp_path):
    """One network without truth, another still in training."""
    folder = made.write_run(tmp_path / "run")
    one = {"central/seed-0": Wrong()}
    made.plant_training(folder, {"central/seed-0": Wrong(), "sigmoid/seed-1": Wrong()})
    (folder / "train" / "sigmoid" / "seed-1" / "test.h5").unlink()
    made.plant_case(
        folder, "ensemble_long", made.mixture(2), 41, 5, log=True, truth=False, networks=one
    )
    made.plant_case(folder, "mine", made.mixture(1), 5, 3, networks=one)
    assert main(["coarsening", str(folder)]) == 0
    report = json.loads((folder / "report.json").read_text())
    drawn = {f["file"] for f in report["figures"]}
    assert {
        f"figures/{n}.png"
        for n in ("figure-1-learning", "test-errors", "figure-6-free-energy", "figure-S1-models")
    } <= drawn
    known = {c["claim"]: c["agrees"] for c in report["claims"]}
    assert known["mean of phi conserved: largest change in any rollout"] == "not comparable"
    assert known["long rollout: exponent of F in t"] == "not run"
    assert {r["case"] for r in report["cases"]} == {"ensemble_long", "mine"}
    assert report["networks"][1]["mean_squared_error"]["value"] is None


def test_two_runs_of_both_ways_to_downscale(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "analysis.coarsening.pictures",
        lambda run, found, folder, prefix: [learning.learning(run, folder, prefix)],
    )
    for name in ("nearest", "block_mean"):
        folder = made.write_run(tmp_path / name, downscaling=name)
        made.plant_training(
            folder, {"staggered/seed-0": Wrong()}, loss=1e-3 if name == "nearest" else 5e-4
        )
        made.plant_case(
            folder,
            "test",
            made.mixture(2),
            6,
            6,
            networks={"staggered/seed-0": Wrong()},
            downscaling=name,
        )
    folders = [str(tmp_path / name) for name in ("nearest", "block_mean")]
    assert main(["coarsening", *folders, "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Nearest against block mean" in text
    lines = [
        line
        for line in text.split("## Nearest against block mean")[1].splitlines()
        if "staggered/seed-0" in line
    ]
    assert lines[0].startswith("| block mean | block_mean | staggered/seed-0 |")
    assert (tmp_path / "out" / "figures" / "nearest-figure-1-learning.png").exists()
    assert not list((tmp_path / "nearest").glob("report*")), "runs are not written to"


def test_bad_input_is_one_line(tmp_path, capsys):
    folder = made.write_run(tmp_path / "run")
    (folder / "dataset.h5").write_bytes(b"nothing")
    assert main(["coarsening", str(folder)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"analysis: error: {folder / 'dataset.h5'}: truncated or not HDF5"
    ]
    folder = made.write_run(tmp_path / "other")
    for change, expected in (
        ({"study": "nucleation"}, "not a data set of the coarsening study"),
        ({"config": "a: 1"}, "damaged config"),
    ):
        with_attributes(folder / "dataset.h5", **{"study": "coarsening", **change})
        assert main(["coarsening", str(folder)]) == 2
        assert expected in capsys.readouterr().err
    assert main(["coarsening", str(folder / "dataset.h5")]) == 2, (
        "one file is no run, and there are no prediction files to draw"
    )
    assert "not a run directory" in capsys.readouterr().err
