"""analysis coarsening: a small run whose truth is simulated and whose "networks" are wrong by known
amounts, and closed forms.
"""

import dataclasses
import json
import shutil

import matplotlib
import numpy as np
import pytest
from conftest import ROOT
from figure_labels import unreadable
from PIL import Image
from resealed import resealed, with_attributes

from analysis import coarsening, page, record, style
from analysis.__main__ import main
from analysis.coarsening import (
    costs,
    dataset,
    energy,
    errors,
    figures_learning,
    labels,
    layers,
    rollouts,
    shots,
    surface,
)
from analysis.coarsening.claims import AREA, LOCAL, STABLE, SYMMETRIC, UPSAMPLED
from analysis.coarsening.labels import Network
from analysis.coarsening.measure import symmetrised
from analysis.record import Record
from analysis.sheet import Sheet, sheets
from analysis.verdicts import above
from jobs.coarsening.measures import energies
from tests import coarsening_run as made
from tests.coarsening_run import FRAMES, WIDTH, Wrong

KINDS = {"coarsening": coarsening.Numbers}
STAGGERED, SIGMOID = Network("staggered", 0), Network("sigmoid", 0)
SYSTEM = "16^3 cells, spacing 2, epsilon = 3, 60 sequences, 40 epochs, memory of 11 frames"
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
    "local-exponents",
    "figure-7-cost",
    "figure-8-grids",
    "figure-S1-models",
    "costs",
]


@pytest.fixture(scope="module", autouse=True)
def _small_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surface, "PIXELS", 30)
        patch.setattr(surface, "SAMPLES", 1)
        patch.setattr(surface, "FINE", 16)
        patch.setattr(shots, "COLUMNS", 3)
        patch.setattr(shots, "FRAMES", 4)
        patch.setattr(shots, "PIXELS", 30)
        patch.setitem(matplotlib.rcParams, "savefig.dpi", 50)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made.whole_run(tmp_path_factory.mktemp("coarsening") / "run")


@pytest.fixture(scope="module")
def run(whole):
    return dataset.load(whole)


@pytest.fixture(scope="module")
def measured(whole):
    return coarsening.measure(whole)


@pytest.fixture(scope="module")
def found(measured):
    return measured.numbers


@pytest.fixture(scope="module")
def judged(measured):
    return coarsening.claims(measured)


def the(rows, start):
    (row,) = [r for r in rows if r.text.startswith(start)]
    return row


def ours(rows, start):
    return the(rows, start).estimate.value


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


def test_errors_are_what_the_networks_were_made_wrong_by(found):
    e = found.errors("larger", STAGGERED)
    assert e.squared[0] == pytest.approx(0, abs=1e-12)
    assert e.squared[1] > 0.99 * 0.01**2, "the noise, and what the clock adds"
    assert e.persistence[-1] > 100 * e.squared[-1]
    assert not e.worse
    drifting = found.errors("shape", SIGMOID)
    assert drifting.rmse[-1] == pytest.approx(np.hypot(0.12, 0.02), rel=0.05)
    assert drifting.mean_squared.error > 0, "from octants"
    assert found.errors("test", STAGGERED).moved.error > 0, "from starts"
    assert found.errors("ensemble_long", STAGGERED) is None, "it has no truth"
    full = found.errors("long", STAGGERED).full
    assert full[0] > 1e-4 > found.errors("long", STAGGERED).squared[0], "downscaling alone"


def test_the_summary_of_errors_over_starts():
    """Two starts of squared errors 1 and 3, and 2 and 6: the standard error of the mean is half of
    the difference, that of its root as that of any power; the start of median error is the second.
    """
    octants = np.repeat(np.array([[1.0, 2.0], [3.0, 6.0]])[:, None], 8, axis=1)
    columns = {"octants": octants, "free_energy": np.full((2, 2), 48.0)}
    columns |= {name: np.ones((2, 2)) for name in ("persistence", "variance")}
    columns |= {name: np.zeros((2, 2)) for name in ("parity", "parity_truth")}
    grid = dataset.Grid(2.0, 3.0, "nearest")
    e = errors.summary(np.array([0.0, 1.0]), columns, 64.0, grid)
    assert (e.starts, e.typical) == (2, 1)
    assert e.squared.tolist() == [2, 4]
    assert e.rmse_at().error == pytest.approx(2 / (2 * 2), rel=1e-12)
    assert (e.mean_squared.value, e.mean_squared.error) == pytest.approx((4, 2))
    assert e.displacement[-1] == pytest.approx(2 * np.sqrt(3 * 64 / 48))
    assert (e.moved.value, e.moved.error) == pytest.approx((4, 1))
    assert e.worse, "persistence has 1"
    single = errors.summary(
        np.array([0.0, 1.0]), {name: values[:1] for name, values in columns.items()}, 64.0, grid
    )
    assert single.rmse_at().error == 0, "all octants are alike"


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


def test_a_faster_clock_has_the_same_exponent_and_a_known_error(found):
    case = found.cases["long"]
    own = case.networks[STAGGERED].exponent
    assert own.value == pytest.approx(case.truth.exponent.value, abs=0.01)
    gap = found.followed("ensemble", STAGGERED).gap
    late = gap.time > 20
    assert gap.relative[late].mean() < 0.05, "3% in time is 1% in t^-1/3"
    assert len(gap.area) == len(gap.upsampled) == len(gap.kept) > 5
    assert 0 < gap.area.max() < 0.05
    assert 0 < gap.upsampled.max() < 0.05
    assert gap.relative[0] == pytest.approx(0, abs=1e-6)


def test_the_area_is_judged_as_long_as_it_can_be_known(found):
    """From where on the solver from the network's start is 5.5% off."""
    own = found.cases["long"].sensitivity.gap
    assert energy.until(own) == np.inf
    assert energy.until(None) != energy.until(None)
    off = dataclasses.replace(own, area=np.where(own.kept > 100, 0.06, 0.01))
    assert energy.until(off) == own.kept[own.kept > 100][0]
    nothing = dataclasses.replace(own, area=np.full(len(own.kept), np.nan))
    assert np.isnan(energy.until(nothing))


def test_a_cubes_symmetry_is_that_of_48_operations():
    """Each operation leaves a symmetrised field as it is; means of other fields are less than they
    are.
    """
    phi = np.random.default_rng(1).normal(size=(1, 6, 6, 6))
    mean = symmetrised(phi)
    assert symmetrised(mean) == pytest.approx(mean)
    assert np.flip(np.roll(mean, -1, 2), 2) == pytest.approx(mean)
    assert mean.transpose(0, 2, 3, 1) == pytest.approx(mean)
    assert mean.var() < 0.2 * phi.var()
    orbit = phi[0, [1, 5, 0, 0, 0, 0], [0, 0, 1, 5, 0, 0], [0, 0, 0, 0, 1, 5]]
    assert mean[0, 0, 0, 1] == pytest.approx(orbit.mean())


def test_bands_of_an_ensemble(run, found):
    b, case = found.followed("ensemble", STAGGERED).bands, run.cases["ensemble"]
    free = case.truth.series["free_energy"] / found.cases["ensemble"].volume
    assert b.spread_truth == pytest.approx(free.std(0, ddof=1))
    assert b.off[0] == 0
    assert b.starts == 5
    assert b.ratio.value == pytest.approx(b.spread[1:].mean() / b.spread_truth[1:].mean())
    assert b.ratio.error > 0
    several = {name for name, c in found.cases.items() if c.networks[STAGGERED].bands is not None}
    assert several == {"box", "bulk", "ensemble", "test"}


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


# --- stationary state ---


def test_layers_are_told_from_what_is_none():
    lamella = np.moveaxis(np.broadcast_to(flat(0.0, 16)[:, :, :1, :1], (1, 16, 16, 16)), 1, 3)
    ball = made.ball(16)
    assert layers.layering(lamella) == pytest.approx(1)
    assert layers.layering(ball) < 0.5


def test_the_long_rollout_ends_in_layers_that_stand(found):
    end = found.followed("long", STAGGERED).end
    assert end.mean == end.least > 0.98
    assert end.since < end.half
    assert end.layered
    assert end.still < 0.5, "noise of 0.01 alone"


# --- cost ---


def test_times_at_the_same_error(found):
    table = found.costs.rows
    assert costs.over_explicit(table, STAGGERED).value == pytest.approx(4)
    ratio, how = costs.at_same_error(table, STAGGERED)
    assert ratio.value == pytest.approx(0.05), "20 times quicker than the network"
    assert "5.0e-02" in how
    assert costs.at_same_error(table, STAGGERED, "first_order")[0].value == pytest.approx(1)
    second, how = costs.at_same_error(table, STAGGERED, "second_order")
    assert second.value == pytest.approx(0.55), "all settings are more accurate: the quickest"
    assert second.error > 0, "even that one is quicker than the network"
    assert "at most: at RMSE 4.0e-02" in how
    fast = [
        costs.Cost(**{**row.__dict__, "seconds": row.seconds / 10})
        if row.network == STAGGERED
        else row
        for row in found.costs.rows
    ]
    second, how = costs.at_same_error(fast, STAGGERED, "second_order")
    assert second.value == pytest.approx(5.5)
    assert above(1).judge(second) == "undecided", "a longer step might be as quick as the network"
    assert above(1).judge(costs.at_same_error(fast, STAGGERED, "first_order")[0]) == "yes"


def test_a_network_that_left_every_range_has_no_time_at_its_error(found):
    rows = [
        costs.Cost(**{**row.__dict__, "rmse": np.nan}) if row.network == STAGGERED else row
        for row in found.costs.rows
    ]
    ratio, how = costs.at_same_error(rows, STAGGERED)
    assert np.isnan(ratio.value)
    assert how == "the network's RMSE is not finite"


def test_cost_against_size_is_of_single_starts(found):
    """A GPU takes a batch of small boxes in less time each."""
    cells, _, cases = costs.by_size(found.cases, STAGGERED)
    assert set(cases) == {"larger", "shape", "slice", "long", "symmetric"}
    assert sorted(set(cells)) == [16**3, 32**3]


def test_growth_of_the_cost():
    cells = np.array([4096, 4096, 32768, 32768])
    found = costs.growth(cells, 1e-6 * cells**1.2)
    assert found.value == pytest.approx(1.2)
    assert np.isnan(costs.growth(cells[:2], np.ones(2)).value)


# --- pictures ---


def test_surface_of_a_slab_and_of_nothing():
    assert surface.image(np.zeros((8, 8, 8)), 20)[..., 3].max() == 0
    whole = surface.image(np.ones((8, 8, 8)), 40)
    slab = np.zeros((8, 8, 8))
    slab[:, :, :4] = 1
    half = surface.image(slab, 40)
    covered, lower = whole[..., 3].sum(), half[..., 3].sum()
    assert 0.5 * covered < lower < 0.85 * covered
    blue = half[..., 2][half[..., 3] == 1]
    assert blue.max() > blue.min() + 0.3, "its top is lit, its cut faces are dark"


def test_pictures_keep_their_colours_and_what_is_empty():
    shades = np.linspace(0, 1, 12)
    picture = np.zeros((2, 12, 4))
    picture[0, :, :3], picture[0, :, 3] = shades[:, None], 1
    palette, numbers = shots.paletted([picture, picture[::-1]])
    assert numbers.shape == (2, 2, 12)
    assert (numbers[0, 1] == 0).all()
    assert (numbers[1, 0] == 0).all()
    assert np.abs(palette[numbers[0, 0]] - 255 * shades[:, None]).max() <= 2


def test_pictures_are_of_the_start_of_median_error(run, found):
    shown = found.cases["test"].sequence
    case, start = run.cases["test"], found.errors("test", STAGGERED).typical
    assert shown.network == STAGGERED
    assert shown.there.all()
    expected = case.truth.phi(case.truth.nearest(shown.time[1]), start)
    assert shown.slices.truth[1] == pytest.approx(expected[:, 8].T, abs=1e-3)
    assert found.cases["ensemble"].sequence is None
    film = found.cases["long"].film
    assert [c.film is not None for c in found.cases.values()].count(True) == 1
    assert film.shots.time[[0, -1]].tolist() == [0, 4000]
    free = found.cases["long"].truth.free_energy / found.cases["long"].volume
    assert film.truth == pytest.approx(free)


# --- claims ---


def test_claims_say_what_the_run_was_made_with(judged):
    assert ours(judged, "test sequences from their first frame") == pytest.approx(1 / 40)
    assert the(judged, "test sequences from their first frame").baselines[
        "linear extrapolation"
    ] == pytest.approx(90 / 40)
    assert ours(judged, "no overfitting") == pytest.approx(1, abs=0.1)
    assert ours(judged, "larger box") < 2
    assert ours(judged, "mean of phi conserved") < 1e-6
    assert ours(judged, "without fluxes the mean") == pytest.approx(0.12, rel=0.02)
    assert the(judged, "without fluxes the mean").network == "sigmoid"
    assert ours(judged, "without fluxes: validation loss") == pytest.approx(3, rel=0.2)
    assert the(judged, "without fluxes: RMSE late").by_rule == "yes"
    assert the(judged, "long rollout: largest relative error of F").by_rule == "yes"
    for text in (AREA, UPSAMPLED):
        assert 0 < ours(judged, text) < 0.055
        assert the(judged, text).limits["the solver from the network's start, at any time"] > 0
    for text in LOCAL:
        assert the(judged, text).estimate.value == pytest.approx(0, abs=0.02), "a faster clock"
        assert the(judged, text).estimate.error < 0.02
        assert the(judged, text).data == "3 starts, t = 20 to 400"
    noisy = [claim for claim in judged if claim.text == STABLE]
    assert [claim.network for claim in noisy] == ["staggered fluxes", "central fluxes", "sigmoid"]
    for claim, noise in zip(noisy, (0.01, 0.01, 0.02), strict=True):
        assert claim.limits["truth"] < 1 / 3
        assert claim.by_rule == "no"
        drift = 0.12 if claim.network == "sigmoid" else 0
        assert claim.estimate.value == pytest.approx(np.hypot(noise, drift) / 1e-3, rel=0.1)
    assert the(judged, SYMMETRIC).limits["truth"] < 1e-6
    assert 2e-4 < ours(judged, SYMMETRIC) < 2e-3, "noise of 0.01 against a variance of 0.1 to 0.2"
    assert ours(judged, "cost of a frame") == pytest.approx(1, abs=1e-6)
    assert the(judged, "time of the adaptive").by_rule == "no"
    assert {c.agrees for c in judged} == {"not comparable"}, "16^3 cells are not the paper's"
    assert "16^3 cells" in judged[0].smaller
    assert "60 training sequences for 1 295, 12 frames for 50" in judged[0].smaller


def test_comparable_with_the_paper(measured):
    numbers = measured.numbers
    size = {"size": 64, "frames": 50, "training": 1295, "validation": 555}
    trained = {n: dataclasses.replace(t, epochs=1000) for n, t in numbers.trained.items()}
    setup = dataclasses.replace(numbers.setup, **size)
    like = Record(measured.origin, dataclasses.replace(numbers, setup=setup, trained=trained))
    claim = the(coarsening.claims(like), "mean of phi conserved")
    assert (claim.agrees, claim.smaller) == ("yes", "")


def test_several_trainings_are_judged_by_their_mean(measured):
    """A second seed whose test errors are twice the first's: half of their difference is the error
    of the mean of both.
    """
    numbers, second = measured.numbers, Network("staggered", 1)
    first = numbers.trained[STAGGERED]
    tested = dataclasses.replace(first.tested, loss=2 * first.tested.loss)
    trained = numbers.trained | {second: dataclasses.replace(first, tested=tested)}
    more = dataclasses.replace(numbers, trained=trained)
    rows = coarsening.claims(Record(measured.origin, more))
    claim = the(rows, "test sequences from their first frame")
    assert claim.estimate.value == pytest.approx(1.5 / 40)
    assert claim.estimate.error == pytest.approx(0.5 / 40, rel=1e-6)
    assert claim.data == "2 trainings; 6 test sequences"
    assert len(rows) == len(coarsening.claims(measured))


def test_the_main_network_is_the_staggered_one(found):
    assert found.main() == STAGGERED
    central = [Network("central", 1), Network("central", 0), SIGMOID]
    assert labels.main(central) == Network("central", 0)
    assert labels.main([SIGMOID]) is None


def test_findings_are_worded_by_the_numbers(measured, judged):
    """Claims turned round give the opposite sentences."""
    lines = coarsening.findings([measured], judged)
    assert len(lines) == 5
    assert "ends in flat layers" in lines[0]
    assert "364 times as long" in lines[0]
    assert "within the paper's 5.5%" in lines[1]
    assert "The network follows test sequences" in lines[2]
    assert "takes 4.00(11) times as long as the network" in lines[3]
    assert "is conserved up to round-off" in lines[4]
    wrong = {"long rollout ends": 0.5, "long rollout: largest": 0.2, "test sequences from": 0.4}
    turned = [
        next(
            (
                dataclasses.replace(c, estimate=dataclasses.replace(c.estimate, value=value))
                for start, value in wrong.items()
                if c.text.startswith(start)
            ),
            c,
        )
        for c in judged
    ]
    lines = coarsening.findings([measured], turned)
    assert "ends without flat layers" in lines[0]
    assert "at most 20%, beyond the paper's 5.5%" in lines[1]
    assert "The network does not follow test sequences" in lines[2]


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
    found = coarsening.measure(folder)
    assert np.isfinite(found.numbers.errors("long", STAGGERED).squared).all()
    assert "stopped at frame 100" in "\n".join(coarsening.left_out(found))
    claims = coarsening.claims(found)
    assert "stopped after t = " in the(claims, "long rollout ends").note
    assert "where it diverged" in coarsening.findings([found], claims)[0]


def test_names_of_networks():
    assert (
        labels.parse("staggered/seed-3")
        == labels.parse("staggered-seed-3")
        == Network("staggered", 3)
    )
    assert labels.parse("staggered") is None
    assert labels.parse("other-seed-1") is None


def test_common_times(run):
    case = run.cases["long"]
    there, here = rollouts.common(case.truth, case.networks[STAGGERED])
    assert case.truth.time[there].tolist() == case.networks[STAGGERED].time[here].tolist()
    assert len(there) == len(case.truth.time)


# --- everything together ---


def test_page_and_figures(measured, tmp_path, capsys):
    out, kept = tmp_path / "out", record.write(tmp_path / "record.h5", measured)
    assert main(["coarsening", str(kept), "--out", str(out)]) == 0
    figures = out / "figures"
    assert (
        {p.stem for p in figures.glob("*.png")}
        == {p.stem for p in figures.glob("*.pdf")}
        == set(FIGURES)
    )
    with Image.open(figures / "movie.gif") as movie:
        assert movie.n_frames == 4
    assert (figures / "movie.gif").stat().st_size < 1_000_000
    text, report = (out / "report.md").read_text(), json.loads((out / "report.json").read_text())
    assert {f["file"] for f in report["figures"]} == {f"figures/{name}.png" for name in FIGURES} | {
        "figures/movie.gif"
    }
    assert "Not run" not in text
    assert "not run" not in {row["verdict"] for row in report["verdicts"]}
    assert text.count("16^3 cells of spacing 2") == 1, "why it is not comparable is said once"
    assert max(line.count(" | ") for line in text.splitlines()) + 1 <= 7
    assert len(report["networks"]) == 3
    assert report["networks"][0]["persistence"] == pytest.approx(
        40 * report["networks"][0]["mean_squared_error"]["value"]
    )
    assert report["checks"][0]["holds"]
    assert report["checks"][1]["holds"]
    assert report["checks"][2]["value"] > 1e-4, "nearest: the mean of what is kept is not constant"
    assert len(report["methods"]) == 3 + 1 + 3 + 3 + 4
    assert not report["left_out"]
    assert str(out / "report.md") in capsys.readouterr().out


def test_a_record_is_small(tmp_path, found, measured):
    """Also with all pictures at their size, of cells that do not compress: a run at the paper's
    size has 60 kept frames of a long rollout, and some 250 looks.
    """
    path = record.write(tmp_path / "record.h5", measured)
    assert path.stat().st_size < 700_000
    assert record.same(record.read(path, KINDS).numbers, found)


def test_records_of_two_seeds_make_one_page(measured, tmp_path, monkeypatch):
    """Twice the same numbers of another data set: errors are smaller by the root of 2; what has no
    error is the first's.
    """
    monkeypatch.setattr(coarsening, "pictures", lambda records, folder: iter(()))
    other = Record(
        dataclasses.replace(measured.origin, run="other", seed=6, data="another"), measured.numbers
    )
    assert other.origin.system == SYSTEM
    reports = []
    for records in ([measured], [measured, other]):
        page.make(coarsening, records, tmp_path, lambda text: None)
        reports.append(json.loads((tmp_path / "report.json").read_text()))
    pairs = list(zip(*(report["claims"] for report in reports), strict=True))
    for one, both in pairs:
        assert one["claim"] == both["claim"]
        if one["error"] and one["error"] > 1e-9 * abs(one["ours"]):
            assert both["error"] == pytest.approx(one["error"] / np.sqrt(2))
            assert both["data"].startswith("2 runs together")
    assert sum(bool(one["error"]) for one, _ in pairs) > 8
    assert len(reports[1]["records"]) == 2
    assert any("2 runs" in line for line in reports[1]["left_out"])


def test_a_page_says_how_long_networks_remember(measured):
    sentence = {}
    for memory in (FRAMES - 1, 5, 0):
        setup = dataclasses.replace(measured.numbers.setup, memory=memory)
        like = Record(measured.origin, dataclasses.replace(measured.numbers, setup=setup))
        sentence[memory] = coarsening.sentence([like])
    assert "begin anew after every 11 frames, as old as in training." in sentence[FRAMES - 1]
    assert "begin anew after every 5 frames." in sentence[5]
    assert "hidden states of the whole rollout, as published." in sentence[0]
    assert measured.numbers.setup.memory == FRAMES - 1


def test_rollouts_of_another_memory_are_left_out(whole, tmp_path):
    """Such as those of before, of a run whose rollouts are being made again."""
    shutil.copytree(whole, tmp_path / "run")
    old = tmp_path / "run/rollout/long/staggered-seed-0.h5"
    with_attributes(old, memory=0)
    found = dataset.load(tmp_path / "run")
    cases, left_out = found.cases, found.left_out
    assert STAGGERED not in cases["long"].networks
    assert STAGGERED in cases["ensemble"].networks
    (line,) = [line for line in left_out if "hidden states" in line]
    assert line.startswith("rollout/long/staggered-seed-0.h5: hidden states of the whole rollout")


def test_networks_of_one_data_set_add_up(measured):
    """Each of two machines followed another network from the same starts."""
    numbers = measured.numbers

    def only(network: Network) -> Record:
        cases = {
            name: dataclasses.replace(case, networks={network: case.networks[network]})
            for name, case in numbers.cases.items()
            if network in case.networks
        }
        trained = {network: numbers.trained[network]}
        return Record(measured.origin, dataclasses.replace(numbers, cases=cases, trained=trained))

    (both,) = record.gathered([only(STAGGERED), only(SIGMOID)])
    assert both.numbers.networks == [STAGGERED, SIGMOID]
    late = the(coarsening.claims(both), "without fluxes: RMSE late")
    assert late.estimate == the(coarsening.claims(measured), "without fluxes: RMSE late").estimate


def test_a_run_without_networks_is_not_run(tmp_path):
    folder = made.write_run(tmp_path / "run")
    assert main(["coarsening", str(folder)]) == 0
    report = json.loads((folder / "report.json").read_text())
    assert {c["agrees"] for c in report["claims"]} == {"not run"}
    assert all(c["ours"] is None for c in report["claims"])
    assert report["figures"] == []
    (line,) = report["findings"]
    assert line.startswith("No network that conserves phi is trained yet")


def test_a_run_with_some_of_it(tmp_path):
    """One network without truth, another still in training.  And the same page from its record
    alone, elsewhere, without the run, byte for byte.
    """
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
    moved, again = tmp_path / "elsewhere" / "any-name.h5", tmp_path / "again"
    moved.parent.mkdir()
    names = ("report.json", "report.md", "figures/figure-6-free-energy.png")
    before = [(folder / name).read_bytes() for name in names]
    (folder / "record.h5").rename(moved)
    shutil.rmtree(folder)
    assert main(["coarsening", str(moved), "--out", str(again)]) == 0
    assert [(again / name).read_bytes() for name in names] == before


def test_two_runs_of_both_ways_to_downscale(tmp_path, monkeypatch):
    """They are two systems, and a claim compares them."""
    monkeypatch.setattr(
        coarsening,
        "pictures",
        lambda records, folder: map(figures_learning.learning, sheets(records, folder)),
    )
    for name in ("nearest", "block_mean"):
        folder = made.write_run(tmp_path / name, downscaling=name)
        loss = 1e-3 if name == "nearest" else 2.5e-4
        made.plant_training(folder, {"staggered/seed-0": Wrong()}, loss)
    folders = [str(tmp_path / name) for name in ("nearest", "block_mean")]
    assert main(["coarsening", *folders, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (claim,) = [c for c in report["claims"] if c["claim"].startswith("downscaling by block")]
    assert claim["ours"] == pytest.approx(1), "of persistence, which is as much smaller"
    assert {r["downscaling"] for r in report["networks"]} == {"nearest", "block_mean"}
    assert (tmp_path / "out" / "figures" / "nearest-figure-1-learning.png").exists()
    assert not list((tmp_path / "nearest").glob("report*"))


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
    assert "neither a run directory" in capsys.readouterr().err


def test_the_legend_of_one_networks_learning_is_whole(monkeypatch, tmp_path):
    """A panel is a column wide: four words beside each other are cut off."""
    path = ROOT / "analysis/results/coarsening/records/300-sequences.h5"
    drawn = []
    monkeypatch.setattr(style, "save", lambda fig, folder, name: drawn.append(fig) or name)
    kept = record.read(path, {"coarsening": coarsening.Numbers})
    figures_learning.learning(Sheet(kept, tmp_path))
    assert [unreadable(fig) for fig in drawn] == [[]]
