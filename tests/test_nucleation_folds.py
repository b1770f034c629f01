"""What the models are given: the folds and the features."""

import math

import numpy as np
import pytest

from jobs import UserError
from jobs.nucleation import features as features_module
from jobs.nucleation import train
from jobs.nucleation.config import Nucleation
from jobs.nucleation.features import NAMES, features
from jobs.nucleation.folds import split


def events(count, largest, seed=3) -> np.ndarray:
    """Event numbers with gaps, in no order, each 1 to `largest` times."""
    random = np.random.default_rng(seed)
    names = random.choice(10 * count, count, replace=False)
    return random.permutation(np.repeat(names, random.integers(1, largest + 1, count)))


SIZES = [(30, 20, 100), (30, 20, None), (1, 1, 1), (97, 13, 50)]


@pytest.mark.parametrize(("test", "validation", "training"), SIZES)
@pytest.mark.parametrize("by", ["event", "configuration"])
def test_the_three_sets_have_their_sizes_and_share_nothing(by, test, validation, training):
    event = events(60, 9)
    for fold in range(25):  # most of them wrap around the ring
        sets = split(event, by, fold, test=test, validation=validation, training=training, seed=5)
        assert [len(rows) for rows in sets[:2]] == [test, validation]
        assert (
            len(sets[2]) == training
            if training
            else len(sets[2]) > len(event) - test - validation - 2 * 9
        )
        everything = np.concatenate(sets)
        assert len(np.unique(everything)) == len(everything)
        assert all(np.array_equal(rows, np.sort(rows)) for rows in sets)
        assert everything.min() >= 0
        assert everything.max() < len(event)
        if by == "event":
            names = [set(event[rows].tolist()) for rows in sets]
            assert sum(map(len, names)) == len(set.union(*names))
        elif training is None:
            assert len(everything) == len(event)


def test_by_configuration_events_are_shared():
    """As the paper splits: what the test above forbids does happen here."""
    event = events(60, 9)
    test, _, training = split(
        event, "configuration", 0, test=50, validation=20, training=None, seed=5
    )
    assert len(set(event[test]) & set(event[training])) > 20


@pytest.mark.parametrize("by", ["event", "configuration"])
def test_the_test_sets_of_the_folds_are_disjoint(by):
    event = events(300, 7)
    size = (len(event) - 10 * 6) // 10  # an event of 7 costs a fold 6 rows at most
    tested = [
        split(event, by, fold, test=size, validation=20, training=50, seed=1)[0]
        for fold in range(10)
    ]
    together = np.concatenate(tested)
    assert len(np.unique(together)) == len(together) == 10 * size
    if by == "event":
        assert sum(len(np.unique(event[rows])) for rows in tested) == len(
            np.unique(event[together])
        )


def test_every_configuration_is_tested_once_where_the_folds_fill_the_data_set():
    tested = [
        split(
            np.zeros(200, int), "configuration", fold, test=20, validation=10, training=170, seed=4
        )[0]
        for fold in range(10)
    ]
    assert np.array_equal(np.sort(np.concatenate(tested)), np.arange(200))


@pytest.mark.parametrize("seed", range(8))
def test_every_event_is_tested_once_around_the_ring(seed):
    """By event the rest of an event that a border cuts is left out, at most 5 rows of 6 a fold."""
    event = events(40, 6)
    size, folds = 11, -(-len(event) // 11)
    tested = [
        split(event, "event", fold, test=size, validation=5, training=20, seed=seed)[0]
        for fold in range(folds)
    ]
    rows = np.unique(np.concatenate(tested))
    assert set(event[rows]) == set(event)
    assert len(event) - len(rows) <= 5 * folds


def test_a_fold_is_the_same_however_many_there_are_and_whoever_trains_on_it():
    def config(**settings):
        sizes = {"training": 50, "validation": 10, "test": 20, **settings}
        return Nucleation.model_validate(
            {
                "seed": 3,
                "system": {"size": 8, "field": 0.9},
                "generate": {"units": 1, "events": 9},
                "train": sizes,
            }
        )

    event = events(60, 9)
    for fold in range(3):
        few = train.rows(event, "event", fold, config(folds=3))
        many = train.rows(
            event,
            "event",
            fold,
            config(folds=10, models=["spins"], splits=["configuration", "event"]),
        )
        assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=True))
        other = train.rows(event, "event", fold, config(folds=3, test=21))
        assert not np.array_equal(few[0], other[0])


def test_another_seed_or_another_way_to_split_deals_otherwise():
    event = np.arange(200)  # each its own event: only the random numbers differ
    sets = {
        (by, seed): split(event, by, 0, test=50, validation=50, training=100, seed=seed)[
            0
        ].tobytes()
        for by in ("event", "configuration")
        for seed in (1, 2, 2**64 - 1)
    }
    assert len(set(sets.values())) == 6


@pytest.mark.parametrize("by", ["event", "configuration"])
def test_the_deal_is_fair(by):
    """Over 900 seeds each of 40 rows is tested a quarter of the time, within 5 standard errors (40
    x 6e-7).
    """
    event = np.repeat(np.arange(10), 4)
    count = np.zeros(40)
    for seed in range(900):
        count[split(event, by, 0, test=12, validation=4, training=4, seed=seed)[0]] += 1
    assert np.abs(count - 900 * 0.3).max() < 5 * np.sqrt(900 * 0.3 * 0.7)


@pytest.mark.parametrize("by", ["event", "configuration"])
def test_too_few_configurations_are_named(by):
    event = np.repeat(np.arange(20), 5)
    with pytest.raises(
        UserError,
        match=r"100, and each fold needs 101 \(train.test = 30.*= 21.*= 50\); raise generate.units",
    ):
        split(event, by, 0, test=30, validation=21, training=50, seed=1)
    with pytest.raises(UserError, match="100, and each fold needs 101"):
        split(event, by, 0, test=80, validation=20, training=None, seed=1)
    split(event, by, 0, test=30, validation=20, training=50, seed=1)


def test_too_few_for_whole_events_are_named():
    event = np.repeat(np.arange(20), 5)
    with pytest.raises(
        UserError, match=r"100 do not hold 31 \+ 19 \+ 50 of whole events; raise generate.units"
    ):
        split(event, "event", 0, test=31, validation=19, training=50, seed=1)


def test_nothing_left_to_train_on_is_named():
    with pytest.raises(UserError, match="too few configurations"):
        split(
            np.repeat(np.arange(10), 10), "event", 0, test=45, validation=45, training=None, seed=1
        )


# ---- features


def slow(spins) -> list[float]:
    """m along the stable direction and R(k), paper equations 1 and 2, site by site."""
    size, distances = len(spins), []
    for x in range(size):
        for y in range(size):
            if spins[x, y] == -1:
                dx, dy = abs(x - size // 2), abs(y - size // 2)
                distances.append(math.hypot(min(dx, size - dx), min(dy, size - dy)))
    m = -sum(int(s) for s in spins.ravel()) / size**2
    return [m, *((sum(r**k for r in distances) / len(distances)) ** (1 / k) for k in range(1, 10))]


@pytest.mark.parametrize("size", [3, 8, 11, 20])
def test_features_are_the_papers(size):
    random = np.random.default_rng(size)
    spins = np.where(
        random.random((12, size, size)) < random.uniform(0.05, 1, (12, 1, 1)), -1, 1
    ).astype(np.int8)
    spins[:, 0, 0] = -1  # none without a stable spin
    found = features(spins)
    assert found.shape == (12, 10)
    assert found.dtype == np.float64
    assert np.allclose(found, [slow(each) for each in spins], rtol=1e-10, atol=1e-12)
    assert NAMES == ("m", "R(1)", "R(2)", "R(3)", "R(4)", "R(5)", "R(6)", "R(7)", "R(8)", "R(9)")


@pytest.mark.parametrize(
    ("x", "y", "r"),
    [(100, 100, 0), (103, 96, 5), (0, 0, 100 * 2**0.5), (0, 100, 100), (199, 100, 99)],
)
def test_a_single_stable_spin_is_all_its_moments(x, y, r):
    spins = np.ones((1, 200, 200), np.int8)
    spins[0, x, y] = -1
    assert np.allclose(features(spins)[0, 1:], r, rtol=1e-10)
    assert features(spins)[0, 0] == pytest.approx(-1 + 2 / 200**2)


def test_none_and_all_stable():
    spins = np.stack([np.ones((9, 9)), -np.ones((9, 9))]).astype(np.int8)
    found = features(spins)
    assert found[0].tolist() == [-1, *[0] * 9]
    assert found[1, 0] == 1
    assert found[1, 2] == pytest.approx(
        np.sqrt(2 * (16 + 9 + 4 + 1) * 2 / 9)
    )  # <x^2> + <y^2> over -4..4


@pytest.mark.parametrize("rows", [1, 3, 7, 8, 100])
def test_pieces_make_no_difference(monkeypatch, rows):
    spins = np.where(np.random.default_rng(1).random((7, 8, 8)) < 0.5, -1, 1).astype(np.int8)
    whole = features(spins)
    monkeypatch.setattr(features_module, "CHUNK", rows * 64 + 63)
    assert np.allclose(features(spins), whole, rtol=1e-14)
    monkeypatch.setattr(features_module, "CHUNK", 1)  # less than a configuration
    assert np.allclose(features(spins), whole, rtol=1e-14)
