"""analysis flocking: a made-up run whose transition temperatures, variances, correlation times and
network answers are known.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from resealed import resealed, with_attributes

from analysis import flocking, page, record, style
from analysis.__main__ import main
from analysis.estimates import Estimate
from analysis.flocking import (
    answers,
    components,
    dataset,
    extrapolation,
    figures_components,
    groups,
    network_claims,
    physical,
    relaxation,
    stated,
)
from analysis.flocking.findings import elsewhere, saliency
from analysis.flocking.labels import Network, parse
from analysis.flocking.measure import Trained, numbers_of, origin, system
from analysis.record import Record
from tests import flocking_run as made
from tests.flocking_run import BAND, CORRELATION_TIME, DIFFUSION, OBSERVE, REFERENCE, G, L


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with everything, and the phase of every configuration."""
    return made.whole_run(tmp_path_factory.mktemp("flocking") / "run")


@pytest.fixture(autouse=True, scope="module")
def coarse_figures():
    """Files are written as ever, of few points."""
    before = style.matplotlib.rcParams["savefig.dpi"]
    style.matplotlib.rcParams["savefig.dpi"] = 40
    yield
    style.matplotlib.rcParams["savefig.dpi"] = before


@pytest.fixture(scope="module")
def page_of_run(whole, tmp_path_factory):
    """The page made from the run."""
    out = tmp_path_factory.mktemp("page")
    assert main(["flocking", str(whole[0]), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def run(whole):
    return dataset.load(whole[0])


@pytest.fixture(scope="module")
def numbers(run):
    return numbers_of(run)


@pytest.fixture(scope="module")
def measured(run, numbers):
    return Record(origin(run, numbers), numbers)


@pytest.fixture(scope="module")
def judged(measured):
    return flocking.claims(measured)


@pytest.fixture(scope="module")
def decomposed(run):
    return components.components(run, physical.settled(run, REFERENCE))


@pytest.fixture(scope="module")
def places(numbers):
    return extrapolation.drawn_boundaries(numbers.diagram, numbers.answers)


def the(found, start):
    (row,) = [r for r in found if r.text.startswith(start)]
    return row


# --- principal components ---


def test_explained_variance_of_a_known_matrix():
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(64, 3)))[0].T
    data = generator.normal(size=(4000, 3)) * np.sqrt([9, 4, 1]) @ axes
    values, vectors, total = components.decompose(data, 3)
    assert values == pytest.approx([9, 4, 1], rel=0.08)
    assert total == pytest.approx(values.sum(), rel=1e-9), "three directions are all there is"
    assert np.abs(np.sum(vectors * axes, axis=1)) == pytest.approx(1, abs=0.02)
    assert (vectors.sum(axis=1) > 0).all()


def test_shares_of_waves_with_a_known_shot_noise(tmp_path):
    """n+ and n- Poisson with intensities (rho0 / 2) (1 +- a cos): a signal of rho0^2 a^2 / 2 a site
    beside a shot noise of rho0.
    """
    size, count, a, generator = 24, 300, 0.8, np.random.default_rng(1)
    x = np.arange(size)
    wave = a * np.cos(2 * np.pi * (x - generator.uniform(0, size, (count, 1))) / size)
    up, down = (
        generator.poisson(np.repeat((REFERENCE / 2 * (1 + sign * wave))[:, :, None], size, axis=2))
        for sign in (1, -1)
    )
    folder, _ = made.write_run(tmp_path / "run", temperatures=[0.5, 0.6], others=(), size=size)
    before = dataset.load(folder)
    zeros = np.zeros(count)
    changed = {
        **before.__dict__,
        "magnetization": up - down,
        "density": up + down,
        "temperature": zeros + 0.5,
        "sample": zeros,
        "mean_density": zeros + REFERENCE,
        "replica": np.arange(count),
        "start": zeros,
    }
    found = components.components(dataset.Run(**changed))
    signal = REFERENCE**2 * a**2 / 2
    assert found.shot_noise.value == pytest.approx(REFERENCE / (REFERENCE + signal), rel=0.01)
    assert found.first_without_noise.value == pytest.approx(
        1, abs=3 * found.first_without_noise.error + 1e-3
    )
    assert found.without_noise[:2] == pytest.approx(0.5, abs=0.01), "a wave and its quarter shift"
    assert found.first_raw.value < 0.6, "whatever the components, the shot noise stays"
    assert found.first_averaged.value > 0.95


def test_order_parameter_and_shape_of_the_components(run, decomposed):
    found = decomposed
    assert components.constant(found) == pytest.approx(1, abs=0.01)
    exact = np.abs(run.magnetization[found.rows].sum((1, 2))) / (run.size * run.size * REFERENCE)
    assert run.order[found.rows] == pytest.approx(exact)
    assert components.order_difference(found, run) < 0.05
    constant = found.vectors.copy()
    constant[0] = 1 / run.size
    p = run.magnetization[found.rows].reshape(len(found.rows), -1) @ constant[0].ravel()
    perfect = components.Components(
        **{**found.__dict__, "vectors": constant, "projections": p[:, None]}
    )
    assert components.order_difference(perfect, run) < 1e-12, (
        "|p_1| / (rho0 L) = m if w_1 is constant"
    )
    assert components.wave_share(found)[0] > 0.9


def test_components_of_shifted_waves_come_in_pairs(run, decomposed):
    x = np.arange(run.size)
    waves = [
        np.cos(2 * np.pi * k * x / run.size + shift) for k in (1, 2, 3) for shift in (0, np.pi / 2)
    ]
    vectors = np.array([np.ones(run.size), *waves])[:, :, None] * np.ones(run.size)
    vectors /= np.sqrt((vectors**2).sum((1, 2), keepdims=True))
    found = components.Components(**{**decomposed.__dict__, "vectors": vectors})
    assert components.wave_share(found) == pytest.approx([1, 1, 1])


# --- boundaries ---


def test_physical_boundaries_are_found_within_their_errors(run, numbers):
    truth = physical.all_boundaries(run)
    assert [b.density for b in truth] == [1, 3, 6]
    assert numbers.diagram.density.tolist() == [1, 3, 6]
    assert numbers.diagram.step == pytest.approx(0.05)
    for k, b in enumerate(truth):
        assert numbers.diagram.boundary(k, 1) == b.estimates[1]
        for estimate, known in zip(
            b.estimates, (made.lower(b.density), made.upper(b.density)), strict=True
        ):
            assert abs(estimate.value - known) <= 2.5 * estimate.error, b.density
            assert estimate.error < 0.06


def test_a_run_without_series_has_boundaries_and_no_correlation_times(tmp_path):
    folder, _ = made.write_run(tmp_path / "run", series=False)
    run = dataset.load(folder)
    assert run.left_out == ["dataset.h5: no series in it"]
    assert relaxation.relaxation(run) is None
    reference = next(b for b in physical.all_boundaries(run) if b.density == REFERENCE)
    assert reference.mixed == 0
    for estimate, known in zip(reference.estimates, (0.5, 0.8), strict=True):
        assert abs(estimate.value - known) <= 2.5 * estimate.error


def test_states_of_single_configurations():
    band, order, waves = np.array(
        [[0.3, 0.02, 0.02, 0.3, 0.02], [0.3, 0.9, 0.01, 0.1, 0.0], [0.2, 0.5, 0.05, 0.4, 0.3]]
    )
    found = physical.States(
        band, order, waves, np.array([0, 0, 0, 0, 1]), *(np.ones(5) for _ in range(3))
    )
    assert found.mixed.tolist() == [False, False, False, True, True], (
        "waves of m that are larger than m: domains of both spins"
    )
    first, share = physical.shares(found, np.arange(5))
    assert first.tolist() == [0]
    assert share == pytest.approx(np.full((1, 3), 1 / 3)), (
        "one each of G, L+G, L; the others do not count"
    )
    x = np.arange(90)
    wave = np.rint(100 * (1 + 0.5 * np.cos(2 * np.pi * x / 90)))[:, None] * np.ones(90)
    assert physical.band_of_maps(wave[None].astype(int)) == pytest.approx(0.25, rel=1e-3), (
        "half of the relative amplitude"
    )
    assert physical.band_of_maps(wave.T[None].astype(int)) == pytest.approx(0, abs=1e-9), (
        "along x alone"
    )


def test_lanes_of_both_spins_are_left_out(run):
    lanes = run.magnetization.copy()
    cold = np.flatnonzero((run.temperature == 0.2) & (run.start == 0))
    y = np.arange(run.size)
    lanes[cold] = np.where(y < run.size // 2, 1, -1) * run.density[cold].astype(np.int16)
    found = physical.states(dataset.Run(**{**run.__dict__, "magnetization": lanes}))
    assert np.flatnonzero(found.mixed).tolist() == cold.tolist()
    assert not physical.states(run).mixed.any()


def test_starts_count_alike_and_what_they_differ_by_is_an_error():
    """Six ordered replicas are liquid below 0.6, two disordered ones below 0.5: 0.55, whatever
    their numbers.
    """
    t = np.round(np.arange(0.3, 0.91, 0.05), 6)
    temperature, start = np.repeat(t, 8), np.tile([1, -1, 1, -1, 1, -1, 0, 0], len(t))
    liquid = temperature < np.where(start != 0, 0.575, 0.475)
    gas = temperature > 0.775
    band, order = np.where(liquid | gas, 0.02, 0.3), np.where(gas, 0.02, 0.8)
    count = len(temperature)
    states = physical.States(
        band, order, np.zeros(count), np.arange(count), temperature, np.full(count, 3.0), start
    )
    found = physical.at_density(states, 3.0)
    assert [e.value for e in found.estimates] == pytest.approx([0.525, 0.775])
    assert found.hysteresis == pytest.approx([0.1, 0])
    assert [e.error for e in found.estimates] == pytest.approx(
        [np.hypot(0.05, 0.05 / np.sqrt(12)), 0.05 / np.sqrt(12)]
    )
    ordered = start != 0
    states = physical.States(
        *(getattr(states, name)[ordered] for name in states.__dataclass_fields__)
    )
    found = physical.at_density(states, 3.0)
    assert [e.value for e in found.estimates] == pytest.approx([0.575, 0.775]), (
        "the only starts that there are"
    )
    assert np.isnan(found.hysteresis).all()


def test_no_boundary_outside_the_temperatures(tmp_path):
    folder, _ = made.write_run(tmp_path / "run", temperatures=[0.85, 0.9, 0.95, 1.0], others=())
    (found,) = physical.all_boundaries(dataset.load(folder))
    assert all(np.isnan(e.value) for e in found.estimates)


def test_networks_cross_where_they_were_made_to(places):
    for p in places:
        own = made.offsets_of(
            (p.network.set, p.network.regularization), np.array([p.density]), p.network.seed
        )[0]
        known = (made.lower, made.upper)[p.boundary](p.density) + own[p.boundary]
        if (
            p.network.regularization == 0
            and p.network.set == "reference"
            and p.density != REFERENCE
        ):
            uncertain = (p.density, p.boundary) == (1, 1)  # starts differ there by chance
            assert p.failed is (None if uncertain else True), "made to be far off"
        else:
            assert p.temperature.value == pytest.approx(known, abs=0.026), (
                "linear between temperatures"
            )


def test_extrapolation_numbers(numbers):
    regular, plain = (network_claims.elsewhere(numbers)[lam] for lam in (0.01, 0.0))
    assert len(regular) == len(plain) == 3 * (2 * 2 - 1), (
        "networks, boundaries of other densities but an uncertain one"
    )
    assert extrapolation.by_seed(plain, extrapolation.failures) == {0: 1, 1: 1, 2: 1}
    assert max(extrapolation.by_seed(regular, extrapolation.failures).values()) < 0.2
    found = extrapolation.spreads(regular, plain)
    assert (found.kept, found.dropped) == (3, (0, 0))
    assert found.first.value < 0.02 < 0.09 < found.second.value, "0.1 from seed to seed"
    assert found.change.value + 2 * found.change.error < 0
    network = Network("reference", 0.0, 0)
    near = extrapolation.Boundary(network, 1.0, 0, Estimate(0.54, 0.01), Estimate(0.5, 0.01))
    nowhere = extrapolation.Boundary(network, 1.0, 0, Estimate(np.nan, np.nan), Estimate(0.5, 0.01))
    unknown = extrapolation.Boundary(network, 1.0, 0, Estimate(0.5, 0.01), Estimate(np.nan, np.nan))
    uncertain = extrapolation.Boundary(network, 1.0, 0, Estimate(0.9, 0.01), Estimate(0.5, 0.03))
    assert (near.failed, nowhere.failed, unknown.failed, uncertain.failed) == (
        False,
        True,
        None,
        None,
    )
    assert extrapolation.invented([near, nowhere, unknown, uncertain], REFERENCE) == [unknown]


def places_of(regularization, temperatures):
    """Places of one boundary a row, one seed a column."""
    return [
        extrapolation.Boundary(
            Network("reference", regularization, seed),
            float(density),
            0,
            Estimate(t, 0.01),
            Estimate(0.5, 0.01),
        )
        for density, line in enumerate(temperatures)
        for seed, t in enumerate(line)
    ]


def test_spread_is_over_places_that_all_networks_draw():
    regular = places_of(0.01, [[0.5, 0.52, 0.51], [0.6, 0.6, 0.6], [np.nan, 0.9, 0.1]])
    plain = places_of(0.0, [[0.5, 0.6, 0.4], [np.nan, np.nan, 0.9], [0.5, 0.5, 0.5]])
    found = extrapolation.spreads(regular, plain)
    assert (found.kept, found.dropped) == (1, (1, 1))
    assert (found.first.value, found.second.value) == (pytest.approx(0.01), pytest.approx(0.1))
    assert found.change.value == pytest.approx(np.log(0.1))
    assert found.change.error > 0
    two, one = (
        extrapolation.spreads(
            [p for p in regular if p.network.seed < n], [p for p in plain if p.network.seed < n]
        )
        for n in (2, 1)
    )
    assert np.isfinite(two.change.value)
    assert np.isnan([two.change.error, one.change.value]).all(), (
        "two seeds have no error, one no spread"
    )


def test_places_add_nothing_to_what_seeds_know():
    lines = [[0.5, 0.53, 0.49, 0.55], [0.6, 0.63, 0.59, 0.65]]
    once, often = (
        extrapolation.spreads(places_of(0.01, own), places_of(0.0, own))
        for own in (lines, lines * 8)
    )
    assert often.first.error == pytest.approx(once.first.error), (
        "more places of the same networks are no more networks"
    )


def test_networks_leave_out_what_the_truth_leaves_out(run):
    m, p = run.magnetization.copy(), dict(run.probabilities)
    network = Network("reference", 0.01, 0)
    cold = np.flatnonzero((run.temperature < 0.45) & (run.start == 0))
    m[cold] = np.where(np.arange(run.size) < run.size // 2, 1, -1) * run.density[cold].astype(
        np.int16
    )
    p[network] = p[network].copy()
    p[network][cold] = [0, 1, 0]
    lanes = dataset.Run(**{**run.__dict__, "magnetization": m, "probabilities": p})
    rows_ = physical.settled(lanes, REFERENCE)
    assert not np.isin(cold, rows_).any()
    assert extrapolation.curves(lanes, network, rows_)[1][0, L] == pytest.approx(1), (
        "as without them"
    )
    assert extrapolation.curves(lanes, network, lanes.at(REFERENCE))[1][0, L] < 0.7


# --- relaxation ---


def test_correlation_time_of_ar1_series():
    generator = np.random.default_rng(3)
    values = np.stack([made.walk(generator, 4000, 60.0) for _ in range(6)])
    found = relaxation.integrated(
        relaxation.covariance(values - values.mean()), OBSERVE, values.size
    )
    kept = np.exp(-OBSERVE / 60.0)
    known = OBSERVE * (0.5 + kept / (1 - kept))
    assert found.known
    assert abs(found.tau.value - known) < 3 * found.tau.error
    assert found.tau.error < 0.1 * known


def test_white_noise_has_half_a_step_and_a_frozen_series_is_a_lower_bound():
    noise = np.random.default_rng(0).normal(size=(4, 5000))
    found = relaxation.integrated(relaxation.covariance(noise), 1.0, noise.size)
    assert found.tau.value == pytest.approx(0.5, abs=0.1)
    frozen = np.repeat([[1.0], [-1.0]], 100, axis=1)
    found = relaxation.integrated(relaxation.covariance(frozen), 1.0, 200)
    assert not found.known
    assert found.tau.value > 50
    assert np.isnan(
        relaxation.integrated(relaxation.covariance(np.zeros((2, 100))), 1.0, 200).tau.value
    )


def test_phase_of_a_travelling_band_keeps_its_memory():
    generator = np.random.default_rng(4)
    turn = np.cumsum(
        np.sqrt(2 * DIFFUSION * OBSERVE) * generator.normal(size=(8, 3000)), axis=1
    ) + 2.1 * np.arange(3000)
    found = relaxation.integrated(
        relaxation.phase_covariance(np.exp(1j * turn)), OBSERVE, turn.size
    )
    assert found.known
    assert found.tau.value == pytest.approx(1 / DIFFUSION, rel=0.3), (
        "1 / D of the phase, the steady advance taken off"
    )


def test_correlation_times_of_a_run(numbers):
    found = numbers.relaxation
    calm = (np.abs(found.temperature - 0.5) > 0.06) & (np.abs(found.temperature - 0.8) > 0.06)
    tau = found.times["abs_m"].tau
    kept = np.exp(-OBSERVE / CORRELATION_TIME)
    assert np.median(tau[calm & (found.temperature < 0.8)]) == pytest.approx(
        OBSERVE * (0.5 + kept / (1 - kept)), rel=0.3
    )
    assert not found.times["m"].known[:5].any(), "the sign never turns in the liquid"
    assert found.between("abs_m") == pytest.approx(500 / tau)
    assert (found.agree == 1).mean() > 0.8


def test_starts_that_disagree_are_noticed():
    calm, other = np.array([0.9, 0.91, 0.89]), np.array([0.1, 0.12])
    assert relaxation.agreement(calm, calm + 0.04) == 1
    assert relaxation.agreement(calm, other) == 0
    assert relaxation.agreement(np.array([0.0, 0.8, 0.8, 0.0]), np.array([0.0, 0.0, 0.0])) == 1, (
        "alike by chance"
    )
    assert np.isnan(relaxation.agreement(calm, calm[:0]))


# --- claims ---


def test_claims_of_a_run_that_is_not_the_papers(judged):
    assert {c.agrees for c in judged if c.text.startswith("lambda = 0")} == {"not comparable"}
    expected = {
        "the first 7 principal components explain the variance: share, magnetization as it is": "no",
        "the first component is the total magnetization": "yes",
        "UMAP: well separated groups": "yes",
        "UMAP separates the signs": "yes",
        "T = 0.55 is in phase L+G": "yes",
        "without regularization unseen configurations": "yes",
        "regularization does not impact it": "yes",
        "lambda = 0.01 extrapolates L | L+G": "yes",
        "lambda = 0: share of boundaries": "yes",
        "lambda = 0 fails more often": "yes",
        "regularized extrapolation is more robust": "yes",
        "saliency with lambda = 0.01 is on the edges": "yes",
        "first layer with lambda = 0.01 detects": "yes",
        "share of kernels": "yes",
        "in L and G the gradient is small": "not run",
    }
    assert {start: the(judged, start).by_rule for start in expected} == expected


def test_what_is_comparable_with_the_paper(numbers):
    paper = replace(numbers.about, size=81, configurations=stated.CONFIGURATIONS // 2)
    assert not stated.smaller(paper)
    assert stated.smaller(replace(paper, configurations=2024)).startswith("2024 configurations")
    assert stated.smaller(replace(paper, self_propulsion=0.5)).startswith("epsilon = 0.5")
    assert stated.smaller(numbers.about).startswith("L = 27 in place of the paper's 81; 204 conf")


def test_the_critical_point_needs_temperatures_above_it(measured):
    def verdict(**changed):
        numbers = replace(measured.numbers, **changed)
        return the(flocking.claims(replace(measured, numbers=numbers)), "all phase").by_rule

    assert verdict() == "undecided", "temperatures end at 1"
    hotter, known = replace(measured.numbers.about, hottest=1.2), measured.numbers.diagram
    assert verdict(about=hotter) == "yes"
    gas = np.array([[True, False], [True, True], [True, True]])
    unseen = replace(known, physical=np.where(gas, known.physical, np.nan))
    assert verdict(about=hotter, diagram=unseen) == "undecided", "where is the gas?"


def test_notes_say_what_is_counted(run, judged):
    perfect = the(judged, "without regularization unseen configurations")
    tested = len(
        np.unique(
            np.concatenate(
                [
                    t.index
                    for n, t in run.trained.items()
                    if (n.set, n.regularization) == ("reference", 0.0)
                ]
            )
        )
    )
    assert perfect.data == f"3 networks, {tested} configurations tested"
    assert perfect.note.startswith("0.0% of the slice's configurations are in no phase")
    assert (
        "over 3 boundaries that all networks draw"
        in the(judged, "regularized extrapolation is more robust").note
    )
    assert (
        "0 of 3 networks draw a boundary where there is no physical one"
        in the(judged, "lambda = 0: share").note
    )
    assert (
        "1 boundaries not counted, their physical error is above 0.025"
        in the(judged, "lambda = 0.01: share").note
    )


def test_accuracy_of_one_network_has_the_error_of_replicas(run, numbers):
    index = np.flatnonzero(np.isclose(run.mean_density, REFERENCE))
    wrong = run.replica[index] % 4 == 0
    right = {0.0: ~wrong, 0.01: np.ones(len(index), bool)}
    networks = {
        Network("reference", lam, 0): Trained(
            1, 1, index, run.replica[index], right[lam], np.zeros((6, 2, 5, 5))
        )
        for lam in right
    }
    one = replace(numbers, trained=networks)
    replicas, share = len(np.unique(run.replica[index])), (~wrong).mean()
    found = network_claims.accuracy(one, 0.0)
    assert found.value == pytest.approx(share)
    assert found.error == pytest.approx(np.sqrt(share * (1 - share) / replicas), rel=0.15), (
        "not of single configurations"
    )
    change = network_claims.accuracy_change(one)
    assert change.value == pytest.approx(1 - share)
    assert change.error == pytest.approx(found.error), (
        "of the same configurations: the one that is always right adds none"
    )


# --- everything together ---

FIGURES = [
    "figure-1-explained-variance",
    "figure-2-projections",
    "figure-3-phase-diagram",
    "figure-4-saliency",
    "figure-5-maps",
    "figure-6-components",
    "figure-7-network",
    "figure-8-kernels",
    "relaxation",
]


def test_report_and_figures(whole, page_of_run):
    folder, _ = whole
    figures = page_of_run / "figures"
    assert (
        {p.stem for p in figures.glob("*.png")}
        == {p.stem for p in figures.glob("*.pdf")}
        == set(FIGURES)
    )
    with Image.open(figures / "movie-sweep.gif") as movie:
        assert movie.n_frames == 17
    text, found = (
        (page_of_run / "report.md").read_text(),
        json.loads((page_of_run / "report.json").read_text()),
    )
    assert {f["file"] for f in found["figures"]} == {f"figures/{name}.png" for name in FIGURES} | {
        "figures/movie-sweep.gif"
    }
    assert all(f["file"] in text for f in found["figures"])
    assert len(found["networks"]) == 4 * 3 * 3 * 2, "sets and lambdas, seeds, densities, boundaries"
    assert {row["observable"] for row in found["correlation_times"]} == set(relaxation.OBSERVABLES)
    assert len(found["training"]) == 4 * 3
    assert [row["phase"] for row in found["groups"]] == [0, 2, 2, 1, 1]
    assert found["starts"][0]["temperatures"] == 17
    assert not found["left_out"]
    modes = (
        "the 10 strongest Fourier modes of the magnetization maps, and 3 randomly shifted copies"
    )
    assert modes in text
    assert not list(folder.glob("report*")), "but for its record nothing is written to a run"
    assert max(line.count(" | ") for line in text.splitlines() if line.startswith("| ")) <= 6
    assert "| 4 | which sites of a band decide what a network says | (" in text


def test_a_run_that_was_only_collected_says_not_run(tmp_path, capsys):
    folder, _ = made.write_run(
        tmp_path / "run", temperatures=[0.3, 0.6, 0.9], others=(), replicas=3, samples=1
    )
    assert main(["flocking", str(folder)]) == 0
    found = json.loads((folder / "report.json").read_text())
    by_start = {c["claim"]: c["agrees"] for c in found["claims"]}
    for words in (
        "UMAP",
        "lambda",
        "saliency",
        "first layer",
        "mean of (p_2",
    ):
        rows_ = [agrees for claim, agrees in by_start.items() if claim.startswith(words)]
        assert rows_
        assert set(rows_) == {"not run"}, words
    assert "not run" not in [
        agrees for claim, agrees in by_start.items() if "principal components" in claim
    ]
    drawn = {p.stem for p in (folder / "figures").glob("*.png")}
    assert drawn == {
        name for name in FIGURES if not name.startswith(("figure-3", "figure-4", "figure-8"))
    }
    text = (folder / "report.md").read_text()
    assert "Not run: " in text
    assert "no networks yet" in text
    assert "saliency" not in " ".join(found["findings"])


def test_damaged_and_foreign_files_are_left_out(tmp_path):
    folder, truth = made.write_run(
        tmp_path / "run", temperatures=[0.3, 0.6, 0.9], others=(), replicas=3, samples=1
    )
    made.plant_phases(folder, truth)
    made.plant_predictions(folder, seeds=1)
    with resealed(folder / "phases.h5") as file:
        own = answers.phases_of(file.attrs["dataset_digest"], "{}")
        file.attrs.update({"unsupervised": "{}", "made_from": own})
    assert dataset.load(folder).phases is not None
    with resealed(folder / "phases.h5") as file:
        file.attrs["made_from"] = "another"
    (folder / "predict" / "saliency.h5").write_bytes(b"not HDF5")
    found = dataset.load(folder)
    assert found.phases is None
    assert found.saliency is None
    assert len(found.probabilities) == 4
    with resealed(folder / "predict" / "probabilities.h5") as file:
        file.attrs["phases_digest"] = "another"
    assert len(dataset.load(folder).probabilities) == 4, "no phases to compare with"
    with resealed(folder / "predict" / "probabilities.h5") as file:
        del file.attrs["dataset_digest"]
    assert not dataset.load(folder).probabilities, "it does not say whose it is"
    text = "\n".join(found.left_out)
    assert "phases.h5: made from another data set" in text
    assert "saliency.h5: truncated or not HDF5" in text


def test_other_studies_and_bare_folders_are_refused(tmp_path, capsys):
    folder, _ = made.write_run(
        tmp_path / "run", temperatures=[0.3, 0.9], others=(), replicas=3, samples=1
    )
    for change, expected in (
        ({"study": "segregation"}, "not a data set of the flocking study"),
        ({"config": "a: 1"}, "damaged config"),
    ):
        with_attributes(folder / "dataset.h5", **{"study": "flocking", **change})
        assert main(["flocking", str(folder)]) == 2
        assert expected in capsys.readouterr().err
    (folder / "dataset.h5").unlink()
    assert main(["flocking", str(folder)]) == 2
    assert "no dataset.h5" in capsys.readouterr().err


def test_names_of_networks():
    assert parse("reference/lambda-0.01/seed-2") == Network("reference", 0.01, 2)
    assert parse("all/lambda-0.0/seed-0") == parse("all/lambda-0/seed-0")
    assert parse("temperature") is None
    assert (G, BAND, L) == (0, 1, 2)


# --- records ---


def test_a_record_alone_makes_the_same_page(whole, page_of_run, tmp_path, capsys):
    """Byte for byte, from another folder, written and read again, without the run."""
    folder, _ = whole
    kinds = {"flocking": flocking.Numbers}
    written = (folder / record.NAME).rename(tmp_path / "moved.h5")
    again = record.write(tmp_path / "again.h5", record.read(written, kinds))
    assert again.read_bytes() == written.read_bytes()
    assert written.stat().st_size < 300_000
    away = folder.rename(folder.parent / "away")
    try:
        assert main(["flocking", str(again), "--out", str(tmp_path / "page")]) == 0
    finally:
        away.rename(folder)
    names = ["report.json", "report.md", *(f"figures/{name}.png" for name in FIGURES)]
    for name in names:
        assert (tmp_path / "page" / name).read_bytes() == (page_of_run / name).read_bytes(), name
    assert "figures/movie-sweep.gif" in capsys.readouterr().out


def test_records_of_two_seeds_have_smaller_errors(measured, tmp_path, monkeypatch):
    folder, _ = made.whole_run(tmp_path / "other", seed=6)
    other = flocking.measure(folder)
    assert other.origin.system == measured.origin.system == "L = 27, D = 1, epsilon = 0.9, rho0 = 3"
    start = "the first 7 principal components explain the variance: share, magnetization as it is"
    one, two, both = (
        the(claims, start).estimate
        for claims in (
            flocking.claims(measured),
            flocking.claims(other),
            page.claims_of.pooled([flocking.claims(measured), flocking.claims(other)]),
        )
    )
    assert both.error < min(one.error, two.error) or abs(one.value - two.value) > 2 * one.error
    assert min(one.value, two.value) < both.value < max(one.value, two.value)
    monkeypatch.setattr(flocking, "pictures", lambda records, folder: iter(()))
    page.make(flocking, [measured, other], tmp_path / "page", lambda line: None)
    found = json.loads((tmp_path / "page" / "report.json").read_text())
    (share,) = [c for c in found["claims"] if c["claim"] == start]
    assert share["ours"] == both.value
    assert share["data"].startswith("2 runs together")
    assert len(found["claims"]) == len(flocking.claims(measured)), "no claim is there twice"
    assert any("pictures show one of 2 runs" in note for note in found["left_out"])


def test_networks_of_one_data_set_add_up(measured):
    """A record with seeds 0 and 1 and one with seed 2 say what the one with all three says."""

    def only(*seeds):
        kept = {
            name: {n: v for n, v in getattr(measured.numbers, name).items() if n.seed in seeds}
            for name in ("answers", "trained", "saliency")
        }
        return replace(measured, numbers=replace(measured.numbers, **kept))

    (together,) = record.gathered([only(0, 1), only(2)])
    rows = [[c.as_row() for c in flocking.claims(each)] for each in (together, measured)]
    assert rows[0] == rows[1]
    assert [c.as_row() for c in flocking.claims(only(0, 1))] != rows[1]


def test_what_must_not_add_up_is_another_system(run):
    assert system(run) == "L = 27, D = 1, epsilon = 0.9, rho0 = 3"
    changed = {**run.config, "unsupervised": {"modes": None}}
    changed["system"] = {**run.config["system"], "algorithm": "standard", "time_step": 0.01}
    other = dataset.Run(**{**run.__dict__, "config": changed})
    assert system(other).endswith("rho0 = 3, time step 0.01, modes = None")


# --- groups and findings ---


def test_groups_of_mixed_sign_say_so(run, numbers):
    assert numbers.groups.positive.tolist()[1:] == [1, 0, 1, 0]
    cluster = np.where(run.phases.cluster == 4, 3, run.phases.cluster)
    own = dataset.Run(**{**run.__dict__, "phases": replace(run.phases, cluster=cluster)})
    found = groups.groups(own)
    assert 0.05 < found.positive[3] < 0.95
    name = figures_components.name_of(int(found.phase[3]), float(found.positive[3]))
    assert name.startswith("L+G, $m")
    assert name.endswith("%")
    assert figures_components.name_of(1, 1.0) == "L+G, $m > 0$"
    assert figures_components.name_of(2, 0.0004) == "L, $m < 0$\nin 99.9%"
    assert figures_components.name_of(0, 0.5) == "G"


def test_findings_say_what_the_numbers_say(measured):
    found = flocking.findings([measured], flocking.claims(measured))
    assert len(found) >= page.FINDINGS
    assert found[0].startswith("At rho0 = 3 liquid gives way to bands at T = ")
    assert "3 networks with lambda = 0 miss 9 of 9 boundaries" in found[1]
    assert "3 networks with lambda = 0.01 miss 0 of 9 boundaries" in found[1]
    assert found[1].endswith("often fail there; so do these.")
    assert "5 groups (5 in the paper): 4 of L or L+G, each of one sign of m" in found[3]
    assert "the regularized ones look at the edges" in found[4]
    numbers = measured.numbers
    poor = {n: replace(own, edges=-own.edges) for n, own in numbers.saliency.items()}
    good = {
        network: numbers.answers[replace(network, regularization=0.01)]
        for network in numbers.answers
    }
    other = replace(measured, numbers=replace(numbers, saliency=poor, answers=good))
    found = flocking.findings([other], flocking.claims(other))
    assert found[1].endswith("often fail there; these do not.")
    assert "do not look at the edges" in found[4]
    none = replace(measured, numbers=replace(numbers, answers={}, trained={}, saliency={}))
    assert elsewhere(none, False) == saliency(none, False) == ""
