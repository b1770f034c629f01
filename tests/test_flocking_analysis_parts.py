"""analysis flocking, small parts: crossings, resampling, locality, kernels, the network's size,
movies, pictures of predictions.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from analysis import style
from analysis.__main__ import main
from analysis.estimates import Estimate
from analysis.flocking import (
    components,
    crossing,
    dataset,
    figures_networks,
    filters,
    frames,
    locality,
    movies,
    network_claims,
    panels,
    prediction,
    sampling,
    seeds,
)
from analysis.flocking.labels import Network
from analysis.flocking.measure import Numbers, Saliency, numbers_of
from analysis.record import Origin, Record
from analysis.sheet import Sheet
from jobs import shards
from tests import flocking_run as made

T = np.round(np.arange(0.2, 1.01, 0.1), 6)


# --- crossings ---


def test_crossing_of_a_line():
    assert crossing.crossings(T, 0.53 - T) == pytest.approx(0.53)
    assert crossing.crossings(T, np.stack([0.25 - T, 0.81 - T])) == pytest.approx([0.25, 0.81])


@pytest.mark.parametrize("excess", [np.ones(9), -np.ones(9), np.zeros(9), np.linspace(-1, 1, 9)])
def test_no_crossing_from_above(excess):
    assert np.isnan(crossing.crossings(T, excess))


def test_one_odd_temperature_decides_nothing():
    excess = np.where(T < 0.65, 1.0, -1.0)
    excess[1] = -0.2
    assert crossing.crossings(T, excess) == pytest.approx(0.65)


def test_zeros_above_do_not_move_it():
    excess = np.array([1, 1, -1, 0, 0, 0, 0, 0, 0], float)
    assert crossing.crossings(T, excess) == pytest.approx(0.35)
    ends = np.array([1, 0, 0, 0, 0, 0, 0, 0, -1], float)
    assert crossing.crossings(T, ends) == pytest.approx(0.3), "where the excess ends"


def test_boundaries_of_shares():
    shares = np.array([[0, 0, 1], [0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]], float)
    assert crossing.boundaries(T[:6], shares) == pytest.approx([0.35, 0.55])
    direct = np.array(
        [[0, 0.02, 0.98], [0, 0, 1], [0, 0.01, 0.99], [1, 0, 0], [0.99, 0.01, 0], [1, 0, 0]]
    )
    assert np.isnan(crossing.boundaries(T[:6], direct)).all(), "from L to G without L+G"
    assert crossing.spacing(T, 0.35) == pytest.approx(0.1)
    assert np.isnan(crossing.spacing(T, 1.2))


# --- resampling ---


def test_error_of_a_mean_counts_replicas_not_configurations():
    generator = np.random.default_rng(0)
    replica = np.repeat(np.arange(200), 5)
    values = np.repeat(generator.normal(size=200), 5)
    found = sampling.ratio(replica, np.zeros(1000), values, np.ones(1000))
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(1 / np.sqrt(200), rel=0.15)


def test_replicas_are_drawn_within_their_group():
    group = np.repeat([0, 1], 3)
    drawn = sampling.draws(group)
    assert (drawn[:, :3].sum(1) == 3).all()
    values = np.array([0.0, 0, 0, 1, 1, 1])
    assert sampling.ratio(np.arange(6), group, values, np.ones(6)).error == 0, (
        "the groups' sizes are not left to chance"
    )


def test_difference_adds_errors_in_quadrature():
    assert sampling.difference(Estimate(0.5, 0.03), Estimate(0.3, 0.04)) == Estimate(
        pytest.approx(0.2), pytest.approx(0.05)
    )


def test_few_seeds_have_students_errors():
    values = {0: 0.1, 1: 0.3, 2: 0.2, 3: np.nan}
    found = seeds.mean(values)
    assert found.value == pytest.approx(0.2)
    assert found.error == pytest.approx(0.1 / np.sqrt(3) * 4.527 / 2, rel=1e-3), (
        "2 errors: t of two degrees of freedom at 95.45%"
    )
    assert seeds.widening(1000) == pytest.approx(1, abs=0.01)
    assert np.isnan(seeds.mean({0: 0.1}).error)
    assert np.isnan(seeds.mean({}).value)


def test_differences_are_taken_seed_by_seed():
    found = seeds.minus({0: 0.5, 1: 0.9, 2: 0.1}, {0: 0.4, 1: 0.8, 2: 0.0, 7: 1.0})
    assert (found.value, found.error) == (pytest.approx(0.1), pytest.approx(0, abs=1e-12)), (
        "what a split does to both is no error"
    )


def test_saliency_is_averaged_by_seed_or_of_one_seed_by_configuration(numbers_with):
    def saliency(seed):
        edges = np.array([seed + 0.2, seed + 0.4])
        margin = Saliency(None, np.array([2, 4]), edges, -edges, np.nan, None)
        return Saliency(None, np.array([2, 4]), edges, edges, np.nan, margin)

    both = numbers_with({Network("all", 0.01, seed): saliency(seed) for seed in (0, 1)})
    found = network_claims.by_seed(both, 0.01, "edges")
    assert found == {0: pytest.approx(0.3), 1: pytest.approx(1.3)}
    found = network_claims.by_seed(both, 0.01, "edges", margin=True)
    assert found == {0: pytest.approx(-0.3), 1: pytest.approx(-1.3)}
    one = numbers_with({Network("all", 0.01, 0): saliency(0)})
    found = network_claims.by_seed(one, 0.01, "edges")
    assert found == {2: pytest.approx(0.2), 4: pytest.approx(0.4)}
    assert network_claims.by_seed(one, 0.0, "edges") == {}


@pytest.fixture
def numbers_with(tmp_path):
    """Numbers of a small run with this saliency."""
    folder, _ = made.write_run(
        tmp_path / "run", temperatures=[0.3, 0.9], others=(), replicas=3, samples=1
    )
    numbers = numbers_of(dataset.load(folder))
    return lambda saliency: replace(numbers, saliency=saliency)


def test_a_ratio_to_nothing_is_undetermined():
    """Once 0 +- 8591: a share of a variance that is not there."""
    generator = np.random.default_rng(0)
    upper, lower = generator.normal(size=(2, 40))
    lower -= lower.mean() - 0.01
    assert np.isnan(sampling.ratio(np.arange(40), np.zeros(40), upper, lower).value)
    assert np.isfinite(sampling.ratio(np.arange(40), np.zeros(40), upper, lower + 1).value)


# --- saliency and kernels ---


def test_participation_of_known_maps():
    one = np.zeros((2, 10, 10))
    one[0, 3, 4] = -2
    assert locality.participation(one) == pytest.approx(1 / 200)
    assert locality.participation(np.ones((2, 10, 10))) == pytest.approx(1)
    assert np.isnan(locality.participation(np.zeros((2, 10, 10))))


def test_saliency_on_the_edges_of_a_band():
    x = np.arange(60)
    band = (10 * ((x >= 20) & (x < 40)))[:, None] * np.ones(60)
    on = np.zeros((2, 60, 60))
    on[:, [19, 20, 39, 40]] = 1
    inside = np.zeros((2, 60, 60))
    inside[:, 25:35] = 1
    assert locality.edges(on, band) > 0.9
    assert locality.edges(inside, band) < 0
    assert np.isnan(locality.edges(np.ones((2, 60, 60)), band))


def test_roughness_of_known_kernels():
    generator = np.random.default_rng(0)
    assert np.mean(
        [filters.roughness(generator.normal(size=(5, 5))) for _ in range(2000)]
    ) == pytest.approx(1, abs=0.05)
    assert filters.roughness(np.linspace(-1, 1, 5)[:, None] * np.ones(5)) < 0.15
    checkerboard = (-1.0) ** np.add.outer(np.arange(5), np.arange(5))
    assert filters.roughness(checkerboard) > 1.8
    layer = np.zeros((6, 2, 5, 5))
    layer[:3] = 0.02
    layer[3:] = 0.005
    assert filters.share_alive(layer) == 0.5


def test_ratio_of_two_participations():
    found = network_claims.smaller_over_larger(Estimate(0.4, 0.02), Estimate(0.2, 0.01))
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx(0.5 * np.sqrt(2) * 0.05)


def test_layers_of_the_network():
    assert [layer[1:] for layer in figures_networks.layers(81)] == [
        (2, 81),
        (6, 81),
        (6, 81),
        (6, 27),
        (6, 27),
        (6, 27),
        (6, 9),
    ]


def test_liquid_fraction_of_a_band():
    density = np.full((1, 100, 50), 2)
    density[0, 30:70] = 8
    assert components.liquid_fraction(density) == pytest.approx(0.4)


# --- pictures ---


def sheet_of(tmp_path, **numbers):
    empty = {field.name: None for field in fields(Numbers)} | {"movies": {}}
    origin = Origin("flocking", "run", "", 1, "", "", 1, "", 0, "", "", "")
    return Sheet(Record(origin, Numbers(**{**empty, **numbers})), tmp_path)


def test_movie_of_frames_in_time(tmp_path):
    density = np.random.default_rng(0).poisson(3, (5, 12, 12))
    maps = frames.packed(density - 3), frames.packed(density)
    band = frames.Movie(*maps, np.arange(0, 50.0, 10), temperature=0.56, mean_density=3.0)
    shown = movies.band(sheet_of(tmp_path, movies={"band": band}))
    with Image.open(tmp_path / shown.file) as found:
        assert found.n_frames == 5
    assert movies.band(sheet_of(tmp_path)) is None


def test_maps_are_stored_small():
    counts = np.random.default_rng(0).poisson(3, (2, 30, 30)).astype(np.uint16)
    exact = frames.packed(counts)
    assert exact.values.dtype == np.uint8
    assert (exact[:] == counts).all()
    spins = frames.packed(counts.astype(np.int16) - 200)
    assert spins.values.dtype == np.int8
    assert np.abs(spins[:] - (counts.astype(int) - 200)).max() <= spins.unit / 2 + 1e-9
    large = frames.packed(counts, side=10)
    assert large.values.shape == (2, 10, 10)
    assert large[:].mean() == pytest.approx(counts.mean(), rel=0.01)
    assert large.x[[0, -1]].tolist() == [1, 28]
    uneven = frames.coarse(np.ones((1, 31, 31)), 4)
    assert uneven.shape == (1, 8, 8)
    assert (uneven == 1).all()
    assert frames.spread(100).tolist()[::39] == [0, 99]


def test_no_number_is_minus_nothing():
    assert [panels.whole(value) for value in (-0.4, 0.4, -7.6)] == ["0", "0", "\N{MINUS SIGN}8"]


def test_only_the_runs_own_film_is_shown(tmp_path):
    folder, _ = made.write_run(
        tmp_path / "run", temperatures=[0.3, 0.9], others=(), replicas=3, samples=1
    )
    density = np.random.default_rng(0).poisson(3, (2, 12, 12))
    arrays = made.wrap({"magnetization": density - 3, "density": density, "time": np.arange(2.0)})
    about = {"temperature": 0.56, "mean_density": 3.0}
    said = []
    for change, shown in (
        ({"study": "flocking", "config_digest": "own"}, True),
        ({"study": "flocking", "config_digest": "other"}, False),
        ({"study": "segregation", "config_digest": "own"}, False),
        ({}, False),
    ):
        shards.write(folder / "film.h5", arrays, {**about, **change})
        film = dataset.read_film(folder, {"config_digest": "own"}, said)
        assert (film is not None) == shown, change
    assert len(said) == 3


def test_bands_are_shifted_to_the_middle():
    density = np.ones((3, 30, 30), int)
    for k, at in enumerate((2, 14, 27)):
        density[k, [(at + i) % 30 for i in range(5)]] = 9
    rolled = [
        np.roll(each, by, axis=0) for each, by in zip(density, frames.shifts(density), strict=True)
    ]
    assert all(
        np.array_equal(np.flatnonzero(each[:, 0] == 9), np.arange(13, 18)) for each in rolled
    )


def test_pictures_of_all_predictions(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(style.matplotlib.rcParams, "savefig.dpi", 40)
    monkeypatch.setattr(prediction, "ROWS", 1)
    generator = np.random.default_rng(0)
    file = tmp_path / "mine-phases.h5"
    density = generator.poisson(3, (11, 18, 18))
    arrays = {
        "probabilities": np.eye(3, dtype=np.float32)[np.arange(11) % 3],
        "spread": np.full((11, 3), 0.1),
        "phase": np.arange(11) % 3,
        "density": density,
        "magnetization": density - 3,
    }
    about = {"study": "flocking", "model": "reference/lambda-0.01"}
    shards.write(file, made.wrap(arrays), about)
    assert main(["flocking", str(file)]) == 0
    names = [tmp_path / f"mine-phases-{k}.png" for k in (1, 2)]
    assert capsys.readouterr().out.split() == [str(name) for name in names]
    assert sorted(tmp_path.glob("*.png")) == names, "8 and 3 of them"
    shards.write(file, made.wrap({name: own[:3] for name, own in arrays.items()}), about)
    assert main(["flocking", str(file), "--out", str(tmp_path / "few")]) == 0
    assert [p.name for p in (tmp_path / "few").glob("*.png")] == ["mine-phases.png"]
    shards.write(file, made.wrap({**arrays, "probabilities": np.ones(3)}), {})
    assert main(["flocking", str(file)]) == 2
    assert "is not a prediction" in capsys.readouterr().err
