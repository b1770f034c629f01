"""Records come back as they were written, add up, and are refused when they are something else."""

from dataclasses import dataclass, make_dataclass, replace

import h5py
import numpy as np
import pytest

from analysis import record
from analysis.claim import Claim, pooled, verdict
from analysis.estimates import Estimate
from analysis.record import Origin, Record
from analysis.runs import BadInput
from analysis.verdicts import below, close_to
from jobs import shards


@dataclass(frozen=True)
class Fold:
    """loss: float64 (epochs,)."""

    loss: np.ndarray
    best: int | None
    error: Estimate


@dataclass(frozen=True, order=True)
class Network:
    """A key."""

    model: str
    seed: int


@dataclass(frozen=True)
class Numbers:
    """All kinds of values."""

    spins: np.ndarray
    folds: dict[Network, Fold]
    by_case: dict[tuple[str, Network], Estimate]
    names: list[str]
    range: tuple[float, float] | None
    fields: list[np.ndarray]
    maybe: Fold | None
    about: dict[str, str]
    nothing: np.ndarray | None = None


KINDS = {"toy": Numbers}
ORIGIN = Origin(
    "toy", "run", "R = 1", 10, "abc", "seed: 1\n", 1, "r", 2, "cpu", "2026-01-01T00:00:00", "numpy"
)


def fold(value: float, best: int | None = 3) -> Fold:
    return Fold(np.array([value, np.nan]), best, Estimate(value, 0.1))


def numbers(*seeds: int) -> Numbers:
    folds = {Network("torus", seed): fold(float(seed)) for seed in seeds}
    return Numbers(
        np.arange(600, dtype=np.int8).reshape(2, 300),
        folds,
        {("long", network): f.error for network, f in folds.items()},
        ["a", "b\u00e9"],
        (0.0, float("inf")),
        [np.zeros((0, 3)), np.array(2.5)],
        None,
        {"x": "y"},
    )


@pytest.fixture
def written(tmp_path):
    return record.write(tmp_path / "record.h5", Record(ORIGIN, numbers(0, 1)))


def test_round_trip(written):
    found = record.read(written, KINDS)
    assert found.origin == ORIGIN
    assert record.same(found.numbers, numbers(0, 1))
    assert not record.same(found.numbers, numbers(0, 2))
    assert isinstance(next(iter(found.numbers.by_case))[1], Network)
    with h5py.File(written) as file:
        assert file["numbers/folds/0"].attrs["kind"] == "Fold"
        assert file["about"].attrs["Fold"] == "loss: float64 (epochs,)."
        assert file["numbers/folds/0"].attrs["error"] == '{"value": 0.0, "error": 0.1}', "no group"
        assert file["numbers/spins"].shape == (2, 300)


def test_the_same_record_is_the_same_bytes(written, tmp_path):
    again = record.write(tmp_path / "again.h5", record.read(written, KINDS))
    assert again.read_bytes() == written.read_bytes()


def test_damage_and_strangers(written, tmp_path):
    whole, rng = written.read_bytes(), np.random.default_rng(3)
    for _ in range(60):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        written.write_bytes(changed)
        try:
            found = record.read(written, KINDS)
        except BadInput:  # one line
            continue
        assert found.origin == ORIGIN
        assert record.same(found.numbers, numbers(0, 1))
    written.write_bytes(whole)
    with pytest.raises(BadInput, match="a record of the toy study"):
        record.read(written, {"other": Numbers})
    with pytest.raises(BadInput, match="another version"):
        record.read(written, {"toy": Origin})
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(BadInput, match="not a record"):
        record.read(tmp_path / "other.h5", KINDS)
    assert record.is_record(written)
    assert shards.check(written)  # as any other file of a run
    assert not record.is_record(tmp_path / "other.h5")
    assert not record.is_record(tmp_path)


def test_a_field_that_came_later_has_its_default(tmp_path):
    """A record of before has no such field; without a default it is another version's."""

    @dataclass(frozen=True)
    class Before:
        size: int

    @dataclass(frozen=True)
    class Since:
        size: int
        dynamics: str = "metropolis"

    @dataclass(frozen=True)
    class Other:
        size: int
        shape: str

    def whole(kind):
        return make_dataclass("Whole", [("system", kind), ("spins", np.ndarray)])

    path = tmp_path / "record.h5"
    record.write(path, Record(ORIGIN, whole(Before)(Before(3), np.ones(2))))
    assert record.read(path, {"toy": whole(Since)}).numbers.system == Since(3)
    with pytest.raises(BadInput, match="another version"):
        record.read(path, {"toy": whole(Other)})


def test_too_large(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, record.LARGEST, np.uint8)
    large = replace(numbers(0), spins=noise)
    with pytest.raises(BadInput, match=r"takes 2.0 MB, and 2 MB are allowed"):
        record.write(tmp_path / "record.h5", Record(ORIGIN, large))
    assert not (tmp_path / "record.h5").exists()


def test_records_of_a_system_add_up():
    """The largest wins, of equals the newest; other folds of the same data are put beside its own;
    the same record twice counts once.
    """
    small = Record(replace(ORIGIN, size=5, data="small"), numbers(7))
    first, more = Record(ORIGIN, numbers(0, 1)), Record(ORIGIN, numbers(1, 2))
    other = Record(replace(ORIGIN, system="R = 3"), numbers(0))
    found = record.gathered([small, first, more, first, other])
    assert [r.origin.system for r in found] == ["R = 1", "R = 3"]
    assert [network.seed for network in found[0].numbers.folds] == [0, 1, 2]
    assert [network.seed for _, network in found[0].numbers.by_case] == [0, 1, 2]
    assert [len(group) for group in record.by_system([small, first, more, first, other])] == [3, 1]
    newer = Record(replace(ORIGIN, data="new", date="2026-02-01T00:00:00"), numbers(9))
    assert record.gathered([first, newer])[0].origin.data == "new"
    assert [r.origin.data for r in found[0].runs] == [ORIGIN.data, "small"]
    (both,) = record.gathered([newer, first, more])
    assert [network.seed for network in both.others[0].numbers.folds] == [0, 1, 2], "one run"


def test_systems_are_told_apart_by_what_they_do_not_share():
    names = ["64 x 64, epsilon = 3, 40 epochs", "64 x 64, epsilon = 3, 30 epochs"]
    assert [*record.told_apart(names).values()] == ["40 epochs", "30 epochs"]
    assert record.told_apart(["R = 1, L = 10"]) == {"R = 1, L = 10": "R = 1, L = 10"}
    part = ["64 x 64", "64 x 64, epsilon = 3"]
    assert record.told_apart(part) == {name: name for name in part}, "nothing is left of one"


def claim(value: float | None, error: float = 0.1, **more) -> Claim:
    estimate = None if value is None else Estimate(value, error)
    return Claim("5", "R = 1", "it is small", "1", close_to(1.0), estimate, **more)


def test_claims_of_several_runs_are_one_with_a_smaller_error():
    (found,) = pooled([[claim(1.0)], [claim(1.2)], [claim(None)]])
    assert found.estimate.value == pytest.approx(1.1)
    assert found.estimate.error == pytest.approx(0.1)  # 0.2 apart, which 0.1 does not explain
    (found,) = pooled([[claim(1.0)], [claim(1.06, 0.05)]])
    assert found.estimate.value == pytest.approx((100 * 1.0 + 400 * 1.06) / 500)
    assert found.estimate.error == pytest.approx(1 / np.sqrt(500))
    (found,) = pooled([[claim(1.0, 0.0)], [claim(0.956, 0.002)]])  # all right, and not
    assert found.estimate.value == pytest.approx(0.978)
    assert found.estimate.error == pytest.approx(0.022)
    (found,) = pooled([[claim(0.0, 1e-18)], [claim(0.02, 7e-18)]])  # round-off is no error
    assert found.estimate.value == pytest.approx(0.01)
    assert found.estimate.error == pytest.approx(0.01)
    (found,) = pooled([[claim(1.0, float("nan"))], [claim(3.0)]])
    assert found.estimate.value == 2.0
    assert found.estimate.error == pytest.approx(1.0)
    (found,) = pooled([[claim(7.0, 0.0)], [claim(7.0, float("nan"))]])
    assert (found.estimate.value, found.estimate.error) == (7.0, 0.0)
    (found,) = pooled([[claim(None)], [claim(3.0)]])
    assert found.estimate.value == 3.0
    (found,) = pooled([[claim(3.0, network="CNN")], [claim(None)]])
    assert found.network == "CNN"


def test_verdict_of_a_figure():
    yes, no, smaller = claim(1.0, 0.01), claim(9.0), claim(1.0, 0.01, smaller="a demo")
    assert verdict([yes]) == "agrees"
    assert verdict([yes, no]) == "agrees in part"
    assert verdict([no, smaller]) == "disagrees"
    assert verdict([smaller]) == "(agrees)"
    assert verdict([smaller, replace(smaller, estimate=Estimate(9.0, 0.1))]) == "(agrees in part)"
    assert verdict([claim(None)]) == "not run"
    assert verdict([yes, claim(None)]) == "agrees, in part not run"
    assert verdict([yes, no, claim(None)]) == "agrees in part"
    assert smaller.by_rule == "yes"
    assert replace(yes, rule=below(0.5)).agrees == "no"


def test_an_origin_says_what_the_data_set_says(tmp_path):
    about = {
        "config": "seed: 7\ngenerate: {solver_revision: 2}\n",
        "content_digest": "abc",
        "git_revision": "r",
        "device": "cpu",
    }
    found = record.origin("toy", tmp_path / "run", "R = 1", 10, about)
    assert (found.run, found.seed, found.solver, found.data) == ("run", 7, 2, "abc")
    assert (found.device, found.date) == ("cpu", "not recorded")
    assert record.origin("toy", tmp_path, "R = 1", 10, {}, "own").data == "own"
