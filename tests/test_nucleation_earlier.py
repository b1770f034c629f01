"""An earlier report's systems are taken over where they have no run now, and nothing else of it."""

import json

import pytest

from analysis.nucleation import earlier
from analysis.nucleation.model_tables import ModelRow
from analysis.nucleation.quantities import NOT_RUN, Row
from analysis.nucleation.report import Content
from analysis.nucleation.verdicts import Claim
from analysis.runs import BadInput

ONE, TEN = "R = 1, L = 10, h = 0.57", "R = 10, L = 100, h = 1.215"


def number(value, error=0.1):
    return {"value": value, "error": error, "fold_error": error, "event_error": error}


def model_row(system, mse):
    return ModelRow(
        system,
        "event",
        "spins",
        101,
        1,
        12000,
        2000,
        0.0017,
        number(mse),
        number(0.1),
        number(0.1),
        number(0.1),
        number(0.75),
        10.0,
        5.0,
        1.0,
        "CPU",
    )


def claim_of(system, text, ours, agrees="yes"):
    return Claim(system, text, "1", "> 0", agrees, ours)


@pytest.fixture
def before(tmp_path):
    """A report of both systems, with figures."""
    folder = tmp_path / "before"
    (folder / "figures").mkdir(parents=True)
    names = [
        "figure-3-mse.png",
        "figure-4-confusion.png",
        "learning-R1-L10-h0.57.png",
        "learning-R10-L100-h1.215.png",
        "gone.png",
    ]
    for name in names[:4]:
        (folder / "figures" / name).write_bytes(b"before")
    claims = [
        claim_of(ONE, "lifetime", 1.0),
        claim_of(TEN, "lifetime", 10.0),
        claim_of(TEN, "better (CNN, 1 fold)", 2.0),
        claim_of(TEN, "correlation (CNN, 1 fold)", 5.0),
        claim_of(f"{ONE} to {TEN}", "degrades (1 fold)", 3.0),
        claim_of(f"{TEN} to L = 200", "thins", 4.0),
    ]
    numbers = {
        "study": "nucleation",
        "systems": [
            {"system": ONE, "run": "r1", "range": 1, "size": 10},
            {"system": TEN, "run": "r10", "range": 10, "size": 100},
        ],
        "rows": [vars(Row(s, "lifetime", "1e4", 5.0, 0.1, "MCS", "run", "")) for s in (ONE, TEN)],
        "claims": [vars(c) for c in claims],
        "models": [vars(model_row(ONE, 0.02)), vars(model_row(TEN, 0.0117))],
        "differences": [],
        "figures": [{"file": f"figures/{name}", "caption": name} for name in names],
    }
    (folder / "report.json").write_text(json.dumps(numbers))
    return folder / "report.json"


def now(claims):
    return Content(
        rows=[Row(TEN, "lifetime", "1e4", None, None, "MCS", NOT_RUN, "")],
        systems=[{"system": ONE, "run": "new"}],
        pictures=[
            ("figure-3-mse.png", "new"),
            ("figure-4-confusion.png", "new"),
            ("learning-R1-L10-h0.57.png", "new"),
        ],
        claims=claims,
        models=[model_row(ONE, 0.03)],
        differences=[],
        left_out=[],
    )


def test_what_is_missing_is_taken_over(before, tmp_path):
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    claims = [
        claim_of(ONE, "lifetime", 1.5),
        claim_of(TEN, "lifetime", None, NOT_RUN),
        claim_of(TEN, "better", None, NOT_RUN),
        claim_of(f"{ONE} to R = 3", "degrades (10 folds)", 0.5),
    ]
    whole = earlier.complete(now(claims), earlier.read(before), out)
    assert [s["run"] for s in whole.systems] == ["new", "r10 (earlier)"]
    assert [(c.system, c.ours) for c in whole.claims] == [
        (ONE, 1.5),
        (TEN, 10.0),
        (TEN, 2.0),
        (TEN, 5.0),
        (f"{ONE} to {TEN}", 3.0),
        (f"{TEN} to L = 200", 4.0),
    ]
    assert [(r.system, r.status, r.ours) for r in whole.rows] == [(TEN, "run", 5.0)]
    assert [(m.system, m.mse["value"]) for m in whole.models] == [(ONE, 0.03), (TEN, 0.0117)]
    kept = ["earlier-figure-4-confusion.png", "learning-R10-L100-h1.215.png"]
    assert [name for name, _ in whole.pictures[3:]] == kept
    assert sorted(p.name for p in (out / "figures").iterdir()) == kept


def test_a_report_that_took_over_itself_is_taken_over(before, tmp_path):
    """R = 10 comes from the first report through the second; the second's own figure 4 shows no
    more than the new one.
    """
    numbers = json.loads(before.read_text())
    numbers["systems"][1]["run"] += " (earlier)"
    numbers["figures"] += [
        {"file": "figures/earlier-figure-4-confusion.png", "caption": "Earlier report: figure 4"}
    ]
    before.write_text(json.dumps(numbers))
    (before.parent / "figures" / "earlier-figure-4-confusion.png").write_bytes(b"both")
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    whole = earlier.complete(now([]), earlier.read(before), out)
    assert [s["run"] for s in whole.systems] == ["new", "r10 (earlier)"]
    assert whole.pictures[3:] == [
        ("learning-R10-L100-h1.215.png", "Earlier report: learning-R10-L100-h1.215.png"),
        ("earlier-figure-4-confusion.png", "Earlier report: figure 4"),
    ]
    assert (out / "figures" / "earlier-figure-4-confusion.png").read_bytes() == b"both"


def test_nothing_is_taken_where_all_systems_have_runs(before, tmp_path):
    content = now([claim_of(ONE, "lifetime", 1.5)])
    content.systems.append({"system": TEN, "run": "new too"})
    assert earlier.complete(content, earlier.read(before), tmp_path) is content


def test_skill_of_the_earlier_systems(before):
    """explained 0.75 of an excess 0.01 above the floor: the variance is 0.0417."""
    (found,) = earlier.skills(earlier.read(before), {ONE}, largest=199)
    assert found.mse["event", "spins"].value == 0.0117
    assert found.variance == pytest.approx(0.0017 + 0.01 / 0.25)
    assert not earlier.skills(earlier.read(before), {ONE}, largest=99)


@pytest.mark.parametrize("text", ["{", "[]", '{"study": "segregation"}', '{"study": "nucleation"}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(BadInput, match=r"report\.json"):
        earlier.read(tmp_path / "report.json")
    with pytest.raises(BadInput, match="cannot read"):
        earlier.read(tmp_path / "none.json")
