"""A page of a toy study: what stands on the first screen, what is said once, what adds up."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from analysis import page, record, style
from analysis.claim import Claim
from analysis.estimates import Estimate
from analysis.page import Picture
from analysis.record import Origin, Record
from analysis.verdicts import below, close_to


@dataclass(frozen=True)
class Numbers:
    """rate: (folds,) by network."""

    rate: dict[str, np.ndarray]
    small: bool


def origin(data: str, system: str = "R = 1", size: int = 10) -> Origin:
    return Origin("toy", f"run-{data}", system, size, data, "", 1, "r", 0, "cpu", "2026-01-02", "")


def claims(found: Record) -> list[Claim]:
    system = found.origin.system
    smaller = "10 events of the paper's 1 000" if found.numbers.small else ""
    rows = []
    for network, rate in found.numbers.rate.items():
        mean = Estimate(float(rate.mean()), float(rate.std(ddof=1) / np.sqrt(len(rate))))
        more = {"network": network, "smaller": smaller}
        rows.append(Claim("2", system, "the rate is one", "1", close_to(1.0), mean, **more))
        rows.append(Claim("3", system, "the rate is small", "< 0.5", below(0.5), mean, **more))
    rows.append(Claim("4", system, "it nucleates", "yes", below(1.0), None))
    return rows


def pictures(records, folder):
    fig = style.figure()
    fig.subplots().plot([len(r.numbers.rate) for r in records])
    yield Picture(style.save(fig, folder, "rates"), "Rates of all networks.", "2")
    yield None


def toy() -> SimpleNamespace:
    return SimpleNamespace(
        NAME="toy",
        TITLE="A toy",
        PAPER="Nobody, 2026",
        FIGURES={"2": "rates", "3": "smallness", "4": "nucleation", "5": "nothing"},
        FIRST=("rates",),
        HOW_JUDGED="By rules.",
        DEFINITIONS="None.",
        Numbers=Numbers,
        pictures=pictures,
        claims=claims,
        between=lambda records: [],
        sentence=lambda records: f"{len(records)} systems were run.",
        findings=lambda records, found: [f"The rate is {found[0].ours}."] * 9,
        tables=lambda records: {"networks": [{"n": np.float64("nan")}, {"n": np.int64(3)}]},
        left_out=lambda found: ["a file is damaged"] if found.numbers.small else [],
    )


def one(data: str, *values: float, network: str = "torus", small: bool = False, **more) -> Record:
    return Record(origin(data, **more), Numbers({network: np.array(values)}, small))


def made(folder, *records: Record) -> tuple[dict, str]:
    report = page.make(toy(), list(records), folder, lambda text: None)
    return json.loads((folder / "report.json").read_text()), report.read_text()


def test_first_screen(tmp_path):
    found, text = made(tmp_path, one("a", 0.9, 1.1, 1.0), one("b", 0.9, 1.0, system="R = 3"))
    top = text.split("## Claims")[0]
    assert len(top.splitlines()) < 40
    assert "2 systems were run." in top
    assert top.count("The rate is 1.000 ± 0.058.") == 5
    assert "![Rates of all networks.](figures/rates.png)" in top
    assert "Nobody, 2026" in top
    assert "| 2 | rates | agrees |" in top
    assert "| 3 | smallness | disagrees | the rate is small: 1.000 ± 0.058 here, < 0.5 there" in top
    assert "| 4 | nucleation | not run |" in top
    assert "Not run: it nucleates." in text
    assert (tmp_path / "figures/rates.pdf").exists()
    assert [row["verdict"] for row in found["verdicts"]] == [
        "agrees",
        "disagrees",
        "not run",
        "not run",
    ]
    assert found["networks"] == [{"n": None}, {"n": 3}]
    widest = max(line.count("|") - 1 for line in text.splitlines() if line.startswith("| "))
    assert widest <= page.COLUMNS


def test_what_is_smaller_than_the_papers_is_said_once(tmp_path):
    _, text = made(tmp_path, one("a", 0.9, 1.1, 1.0, small=True))
    assert text.count("10 events of the paper's 1 000") == 1
    assert "| (yes) |" in text
    assert "- R = 1: 10 events of the paper's 1 000" in text.split("## Claims")[0]
    assert "run-a: a file is damaged" in text


def test_runs_of_a_system_add_up(tmp_path):
    """Another seed: the numbers of both; another network of the same data: beside it; the same
    record again: nothing.
    """
    first, second = one("a", 0.9, 1.1, 1.0, size=20), one("b", 0.95, 1.06, 1.0)
    alone, _ = made(tmp_path / "one", first)
    both, text = made(tmp_path / "two", second, first, first)
    (claim,), (together,) = (
        [c for c in f["claims"] if c["claim"] == "the rate is one"] for f in (alone, both)
    )
    assert together["error"] < claim["error"]
    assert together["data"] == "2 runs together"
    assert "R = 1: 2 runs; pictures show the largest" in text
    assert len(both["records"]) == 2
    other = replace(first, numbers=Numbers({"spins": np.array([3.0, 3.1])}, small=False))
    beside, _ = made(tmp_path / "three", first, other)
    assert {c["network"] for c in beside["claims"] if c["figure"] == "2"} == {"torus", "spins"}


def test_the_page_is_made_from_records_alone(tmp_path):
    run = one("a", 0.9, 1.1, 1.0)
    path = record.write(tmp_path / "record.h5", run)
    made(tmp_path / "here", run)
    made(tmp_path / "there", record.read(path, {"toy": Numbers}))
    for name in ("report.md", "report.json", "figures/rates.png"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
