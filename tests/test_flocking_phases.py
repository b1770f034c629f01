"""The phases found without labels: planted groups are found and named, and their borders in T with
errors that are true.
"""

import numpy as np
import pytest

from jobs.flocking import phases, transitions
from jobs.flocking.config_train import Unsupervised

SIDE = 27


def poisson(
    kind: str, count: int, random, side=SIDE, density=3.0, fraction=0.5, order=0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Magnetization and density int64 (n, side, side) of Poisson particles: "G", "L+", "L-", or
    bands at random places, "B+", "B-".
    """
    share = np.full((count, side, 1), 0.0 if kind == "G" else 1.0)
    local = np.full((count, side, 1), density)
    if kind[0] == "B":
        inside = (
            np.arange(side)[None] - random.integers(side, size=(count, 1))
        ) % side < fraction * side
        share, local = inside[..., None] * 1.0, np.where(inside, 1.6, 0.4)[..., None] * density
    m = share * (order if kind[-1] != "-" else -order)
    up, down = (
        random.poisson(np.broadcast_to(local * (1 + s * m) / 2, (count, side, side)))
        for s in (1, -1)
    )
    return up - down, up + down


def five_groups(each=90, seed=1, side=SIDE):
    random = np.random.default_rng(seed)
    kinds = ("G", "L+", "L-", "B+", "B-")
    maps = [poisson(kind, each, random, side) for kind in kinds]
    return (
        np.concatenate([m for m, _ in maps]),
        np.concatenate([rho for _, rho in maps]),
        np.repeat(kinds, each),
    )


def test_modes_are_the_maps_turned():
    """All modes: the same distances.  The first ones: those with most power.  A shift of the map
    turns their phases.
    """
    random = np.random.default_rng(1)
    for side in (9, 8):
        maps = random.integers(-5, 6, (6, side, side))
        found, k = phases.strongest_modes(maps, None)
        distance = np.abs(found[:, None] - found[None]) ** 2
        assert np.allclose(
            distance.sum(-1), ((maps[:, None] - maps[None]) ** 2).sum((2, 3)) * 1.0, rtol=1e-5
        )
        moved, _ = phases.strongest_modes(np.roll(maps, (2, 5), (1, 2)), None)
        assert np.allclose(moved, found * np.exp(-2j * np.pi * (k @ [2, 5]) / side), atol=1e-4)
    wave = np.cos(2 * np.pi * np.arange(9) / 9)[:, None] * np.ones(9) * 5 + 1
    found, k = phases.strongest_modes(np.stack([wave, -wave, wave]), 2)
    assert k.tolist() == [[0, 0], [1, 0]]  # not the conjugate at -k besides


class Said:
    """A progress that remembers."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    def begin(self, *_):
        pass

    reach = begin


@pytest.mark.slow
def test_five_planted_groups_are_found_and_named():
    m, rho, kind = five_groups()
    rows = {
        "magnetization": m,
        "temperature": np.zeros(len(m)),
        "mean_density": np.full(len(m), 3, np.float32),
        "replica": np.arange(len(m)),
    }
    said = Said()
    found = phases.of_all(rows, rho.sum((1, 2)), Unsupervised(), 1, said)
    wanted = np.array([{"G": 0, "B": 1, "L": 2}[each[0]] for each in kind])
    assert np.mean(found["phase"] == wanted) > 0.9
    assert np.mean((found["phase"] != wanted) & (found["phase"] >= 0)) < 0.05
    for each, which in (
        ("G", 0),
        ("L+", 2),
        ("L-", 2),
    ):  # each a group of its own; the rings of bands may come in pieces
        (group, count) = np.unique(found["cluster"][kind == each], return_counts=True)
        main = group[count.argmax()]
        assert found["clusters/phase"][main] == which
        assert count.max() > 80
        assert np.sum((found["cluster"] == main) & (kind != each)) < 20
    assert set(found["clusters/phase"]) == {0, 1, 2}
    assert said.lines[0].startswith(f"density 3: {len(found['clusters/phase'])} groups (")
    assert len(said.lines) == 1 + (len(found["clusters/phase"]) != 5)
    assert found["embedding"].shape == (450, 2)
    again = phases.of_all(rows, rho.sum((1, 2)), Unsupervised(), 1, Said())
    for name, values in found.items():
        assert np.array_equal(values, again[name], equal_nan=True), name


@pytest.mark.parametrize(("kind", "wanted"), [("G", 0), ("L+", 2), ("L-", 2), ("B+", 1), ("B-", 1)])
@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.8])
def test_a_group_is_named_by_what_it_is(kind, wanted, fraction):
    m, rho = poisson(kind, 30, np.random.default_rng(2), fraction=fraction)
    order = phases.order_parameters(m, rho.sum((1, 2)))
    assert phases.name_groups(np.zeros(30, int), *order) == [wanted]
    if wanted == 1:
        inside = np.mean(np.arange(SIDE) < fraction * SIDE)
        dense, gas = inside * 1.6, (1 - inside) * 0.4
        assert np.abs(order[0]).mean() == pytest.approx(0.95 * dense / (dense + gas), abs=0.03)


@pytest.mark.parametrize("axis", [1, 2])
def test_domains_of_both_spins_are_no_phase(axis):
    m, rho = poisson("L+", 30, np.random.default_rng(3))
    half = np.moveaxis(m, axis, 0)
    half[: SIDE // 2] *= -1
    assert phases.name_groups(np.zeros(30, int), *phases.order_parameters(m, rho.sum((1, 2)))) == [
        -1
    ]


def test_noise_belongs_to_no_group():
    order = [np.zeros(4), np.zeros(4), np.zeros(4)]
    assert phases.name_groups(np.array([-1, -1, -1, -1]), *order) == []
    assert phases.name_groups(np.array([0, -1, 1, -1]), *order) == [0, 0]


# ---- transition temperatures


def planted(
    seed, replicas=8, samples=3, width=0.03, step=0.02
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phases of replicas whose own borders scatter by `width` about T = 0.45 and 0.65; the samples
    of one agree.
    """
    random = np.random.default_rng(seed)
    t = np.repeat(np.round(np.arange(0.2, 1.0001, step), 6), replicas)
    low, high = random.normal(0.45, width, len(t)), random.normal(0.65, width, len(t))
    phase = np.where(t < low, 2, np.where(t < high, 1, 0))
    return tuple(np.repeat(each, samples) for each in (phase, t, np.arange(len(t))))


@pytest.mark.slow
@pytest.mark.long
def test_borders_are_found_with_their_errors():
    """In 60 data sets: as right as they say, neither much better nor worse."""
    found, errors = [], []
    for seed in range(60):
        best, error = transitions.boundaries(*planted(seed), 100, np.random.default_rng(seed))
        found.append(best)
        errors.append(error)
    pull = (np.array(found) - [0.45, 0.65]) / np.array(errors)
    assert np.abs(pull.mean(0)).max() < 0.5
    assert (pull.std(0) < 1.3).all()
    assert (pull.std(0) > 0.4).all()


def test_a_sharp_border_is_known_to_the_spacing():
    best, error = transitions.boundaries(
        *planted(1, width=1e-9, step=0.04), 50, np.random.default_rng(1)
    )
    assert best == pytest.approx([0.46, 0.66], abs=0.021)
    assert error == pytest.approx([0.04 / np.sqrt(12)] * 2)


def test_a_border_that_is_not_seen_is_nan():
    phase, t, replica = planted(1)
    best, error = transitions.boundaries(
        np.where(phase == 0, 1, phase), t, replica, 50, np.random.default_rng(1)
    )
    assert best[0] == pytest.approx(0.45, abs=0.03)
    assert np.isnan([best[1], error[1]]).all()
    best, error = transitions.boundaries(
        np.zeros(3, int), np.full(3, 0.5), np.arange(3), 50, np.random.default_rng(1)
    )
    assert np.isnan([*best, *error]).all()


@pytest.mark.parametrize(
    ("share", "rises", "at"),
    [
        ([0, 0, 1, 1], True, 2.5),
        ([1, 1, 0, 0], False, 2.5),
        ([0, 0.25, 0.75, 1], True, 2.5),
        ([0, 0.5, 0.5, 1], True, 2.5),
        ([0, 1, 0, 1], True, 2.5),
        ([0, 0, 0.2, 0.6], True, 3.75),
        ([0, 0, 0, 0], True, np.nan),
        ([1, 1, 1, 1], False, np.nan),
    ],
)
def test_crossing(share, rises, at):
    found = transitions.crossing(
        np.array([1.0, 2, 3, 4]), np.array(share, float), np.ones(4), rises
    )
    assert found == pytest.approx(at, nan_ok=True)


def test_nothing_in_any_group():
    best, error = transitions.boundaries(
        np.zeros(0, int), np.zeros(0), np.zeros(0, int), 50, np.random.default_rng(1)
    )
    assert np.isnan([*best, *error]).all()


def test_stripes_are_told_from_bands():
    """Stripes of liquid + and -: hardly any m, a large mode; bands of one spin in a gas are not."""
    random = np.random.default_rng(2)
    plus, minus, gas = (poisson(kind, 4, random)[0] for kind in ("L+", "L-", "G"))
    stripes = np.concatenate([plus[:, :14], minus[:, 14:]], 1)
    bands = poisson("B+", 4, random)[0]
    maps = np.concatenate([stripes, stripes.transpose(0, 2, 1), bands, plus, gas])
    order = phases.order_parameters(maps, np.full(len(maps), 3 * SIDE**2))
    assert phases.both_spins(*order).tolist() == [True] * 8 + [False] * 12
    assert phases.name_groups(np.repeat(np.arange(5), 4), *order) == [-1, -1, 1, 2, 0]
