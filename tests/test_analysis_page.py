"""A page of a toy study: what stands on the first screen, what is said once, what adds up."""

import json
import re
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from figure_labels import unreadable
from PIL import Image, ImageColor

from analysis import claims_table, movie_file, nucleation, page, record, style, sweep
from analysis.claim import VERDICTS, Claim, verdict
from analysis.estimates import UNDETERMINED, Estimate, exact, percent, together
from analysis.nucleation.claims import OF_LIFETIME
from analysis.page import Picture
from analysis.record import Origin, Record
from analysis.sweep import MainNumber
from analysis.verdicts import above, as_low, below, close_to


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
    assert top.count("The rate is 1.00(6).") == 5
    assert "![rates.png](figures/rates.png)" in top
    assert "Nobody, 2026" in top
    assert "| 2 | rates | agrees |" in top
    assert "| 3 | smallness | disagrees | the rate is small: 1.00(6) here, < 0.5 there" in top
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
    assert "- 10 events of the paper's 1 000" in text.split("## Claims")[0]
    assert "run-a: a file is damaged" in text


def judged(rule, value, error=0.0, **more) -> Claim:
    return Claim("2", "R = 1", "it is small", "small", rule, Estimate(value, error), **more)


def test_what_needs_no_network_and_does_as_well_is_said(tmp_path):
    idle, better = {"persistence": 0.2, "nothing": np.nan}, {"persistence": 3.0}
    small, also, only = (judged(below(0.5), 0.1, baselines=b) for b in ({}, idle, better))
    assert (small.also, also.also, only.also) == ([], ["persistence"], [])
    assert judged(below(0.05), 0.1, baselines=idle).also == []
    assert verdict([also]) == "agrees, as does what needs no network"
    assert verdict([also, only]) == verdict([only]) == "agrees"
    assert verdict([replace(also, smaller="short")]) == "(agrees, as does what needs no network)"
    study = toy()
    near = replace(judged(below(1), 0.9, limits={"truth": 0.123456}), text="it is near")
    study.claims = lambda found: [also, near]
    text = page.make(study, [one("a", 1.0)], tmp_path, lambda line: None).read_text()
    assert "| 0.1 (persistence 0.2) | < 0.5 | **yes**; so does: persistence |" in text
    assert "0.9 (truth 0.123)" in text


def test_every_verdict_is_in_the_legend(tmp_path):
    _, text = made(tmp_path, one("a", 0.9, 1.1, 1.0))
    said = re.findall(r"\*([^*]+)\*: ", text.split("## Claims")[0])
    assert said == ["agrees", "disagrees", "not run"]
    for words in ([1.0, 0.0], [1.0, 0.9], [9.0, 0.0], [0.4, np.nan]):
        claims = [judged(below(0.5), value) for value in words]
        claims.append(judged(below(0.5), 0.4, np.nan))
        for some in (claims[:1], claims[:2], claims[1:], claims):
            assert verdict(some) in VERDICTS


def test_reasons_that_another_one_says_too_are_not_repeated():
    short, both = (
        judged(below(0.5), 0.1, smaller=s) for s in ("608 samples", "608 samples; lambda = 0.05")
    )
    assert page.not_comparable([short, both])[2:-1] == ["- 608 samples; lambda = 0.05"]
    elsewhere = replace(both, system="R = 3")
    lines = page.not_comparable([short, replace(short, system="R = 3"), elsewhere])[2:-1]
    assert lines == ["- R = 1, R = 3: 608 samples", "- R = 3: 608 samples; lambda = 0.05"]


def test_shares_in_words():
    assert percent(Estimate(0.981, 0.0023)) == "98.1(2)%"
    assert percent(exact(1417.3)) == "1417 times"
    assert percent(UNDETERMINED) == "an undetermined share"


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
    assert (claim["runs"], together["runs"]) == (1, 2)
    assert "| torus, 2 runs |" in text
    assert "R = 1: pictures show one of 2 runs, run-a" in text
    assert len(both["records"]) == 2
    other = replace(first, numbers=Numbers({"spins": np.array([3.0, 3.1])}, small=False))
    beside, _ = made(tmp_path / "three", first, other)
    assert {c["network"] for c in beside["claims"] if c["figure"] == "2"} == {"torus", "spins"}


def test_rows_name_the_system_or_the_network_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(claims_table, "SIDE_BY_SIDE", 0)
    study = toy()
    study.NAMED_BY_NETWORK = True
    records = [one("a", 1.0, 1.1), one("b", 1.0, 1.1, system="R = 3", network="spins")]
    text = page.make(study, records, tmp_path, lambda line: None).read_text()
    assert "| 2 | spins | the rate is one |" in text
    records.append(one("c", 1.0, 1.1, system="R = 3"))
    text = page.make(study, records, tmp_path, lambda line: None).read_text()
    assert "| 2 | R = 3, torus | the rate is one |" in text
    assert "| 2 | R = 3, spins |" in made(tmp_path, *records)[1], "a study has to ask for it"


def test_networks_judged_by_the_same_claims_stand_side_by_side(tmp_path):
    """A row a claim, a column a network; what needs none at the end, and a mark where it does as
    well.
    """
    study, idle = toy(), {"persistence": 0.2}
    small = [
        replace(judged(below(0.5), value, baselines=idle), network=network, figure=figure)
        for network, value, figure in (("torus", 0.1, "2"), ("spins", 0.7, ""))
    ]
    alone = replace(small[0], text="it is near")
    study.claims = lambda found: [*small, alone]
    text = page.make(study, [one("a", 1.0)], tmp_path, lambda line: None).read_text()
    assert "| fig. | claim | paper: agrees if | torus | spins | without a network |" in text
    row = "| 2 | it is small | small: < 0.5 | 0.1 **yes**° | 0.7 **no** | persistence 0.2° |"
    assert row in text
    assert "| 2 | it is near | small: < 0.5 | 0.1 **yes**° |  | persistence 0.2° |" in text
    assert "°: so does what needs no network" in text
    study.claims = lambda found: [small[0], replace(small[1], text="it is near")]
    text = page.make(study, [one("a", 1.0)], tmp_path, lambda line: None).read_text()
    assert "| 2 | torus | it is small |" in text, "no shorter: a row a number"


def test_only_words_of_the_page_are_defined():
    errors, mass = "- **Errors** are one.\n", "- **Mass**, **weight**: m.\n"
    every = f"{errors}- **Radii of gyration**: of\n  droplets.\n{mass}"
    assert page.definitions(every, "The weight is 3.") == errors + mass
    assert page.definitions(every, "Mean radii of gyration").count("- ") == 2


def test_what_was_measured_besides_and_says_otherwise_is_told():
    near, far = Estimate(0.1, 0.01), Estimate(0.9, 0.3)
    claim = judged(below(0.5), 0.1, beside={"at the minimum": far, "again": near})
    assert claim.unlike == {"at the minimum": "undecided"}
    assert claims_table.verdict(claim) == "**yes**; undecided at the minimum"
    assert replace(claim, beside={"so": exact(0.9)}).unlike == {"so": "no"}


def test_what_stands_beside_the_numbers_of_several_runs_is_theirs(tmp_path):
    """Persistence 0.2 and 0.4 in two runs; another one has a single run."""
    study, first, second = toy(), one("a", 0.1, size=20), one("b", 0.3)

    def claims_of_both(found):
        value = found.numbers.rate["torus"][0]
        near = judged(below(1), value, 0.01, baselines={"persistence": value + 0.1})
        lone = replace(near, text="it is alone", estimate=Estimate(0.5, 0.1), baselines={})
        return [near, *([lone] if value == 0.1 else [])]

    study.claims = claims_of_both
    text = page.make(study, [first, second], tmp_path, lambda line: None).read_text()
    assert "| 2 runs | it is small | small | 0.20(10) (persistence 0.30(10)) |" in text
    assert "| 1 run | it is alone |" in text
    assert claims_table.SEVERAL in text
    alone = page.make(study, [second], tmp_path, lambda line: None).read_text()
    assert "|  | it is small | small | 0.300(10) (persistence 0.4) |" in alone
    assert claims_table.SEVERAL not in alone


def test_numbers_of_several_runs():
    """Weighted where errors explain how far they are apart, else by their scatter."""
    near = together([Estimate(1.0, 0.1), Estimate(1.1, 0.1), UNDETERMINED])
    assert (near.value, near.error) == pytest.approx((1.05, 0.1 / 2**0.5))
    far = together([Estimate(1.0, 0.1), Estimate(3.0, 0.1)])
    assert (far.value, far.error) == pytest.approx((2.0, 1.0))
    assert together([exact(2.0), exact(2.0)]) == exact(2.0)
    assert np.isnan(together([UNDETERMINED]).value)


def ticks(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def test_ticks_of_times_and_counts():
    for first, last, powers in ((72, 10568, (2, 3, 4)), (10, 100, (1, 2)), (1, 1e4, range(5))):
        fig, (ax,) = style.grid(1)
        ax.plot([0, first, last], [0, 1, 2], "o")
        style.from_zero(ax, first, last)
        assert unreadable(fig) == []
        assert ticks(ax.xaxis) == ["0", *(f"$10^{{{p}}}$" for p in powers)]
        assert ax.get_xlim()[0] < 0 < last < ax.get_xlim()[1], "markers at both ends are whole"
    fig, (ax,) = style.grid(1)
    style.from_zero(ax, 20, 90)
    assert ticks(ax.xaxis) == ["0", "20", "90"]
    for epochs, step in ((40, 10), (30, 5), (3, 1), (1000, 200)):
        fig, (ax,) = style.grid(1)
        ax.set_xlim(0, epochs)
        style.whole_numbers(ax.xaxis)
        assert np.diff(ax.get_xticks()).tolist() == [step] * (epochs // step)
        assert unreadable(fig) == []


def test_what_cannot_be_read_is_found():
    fig, (ax,) = style.grid(1)
    ax.set_xticks([0, 0.01, 1], ["zero", "nearly", "one"])
    fig.text(0.9, 0.5, "beyond the edge")
    assert unreadable(fig) == ["zero over nearly", "beyond the edge is cut off"]


def test_marks_of_a_movie_keep_their_colours(tmp_path):
    shade = np.linspace(0, 255, 200 * 200, dtype=np.uint8).reshape(200, 200)
    frames = [Image.fromarray(np.stack([shade // 4, shade // 2, shade], -1)) for _ in range(2)]
    mark = ImageColor.getrgb(style.VERMILION)
    for frame in frames:
        frame.paste(mark, (90, 90, 94, 94))
    movie_file.write(frames, tmp_path / "movie.gif")
    with Image.open(tmp_path / "movie.gif") as movie:
        assert movie.convert("RGB").getpixel((92, 92)) == mark


def test_the_page_is_made_from_records_alone(tmp_path):
    run = one("a", 0.9, 1.1, 1.0)
    path = record.write(tmp_path / "record.h5", run)
    made(tmp_path / "here", run)
    made(tmp_path / "there", record.read(path, {"toy": Numbers}))
    for name in ("report.md", "report.json", "figures/rates.png"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_number_that_follows_from_what_was_swept_is_not_judged(tmp_path, monkeypatch):
    """Nucleation's mean lifetime in a sweep of the field; in one of another key it is judged."""
    study, runs = toy(), [one("a", 2.9, 3.1), one("b", 0.9, 1.1, system="R = 3")]
    study.main_numbers = lambda found: [MainNumber("rate", exact(found.numbers.rate["torus"][0]))]
    study.CHOSEN = {"system.field": {"the rate is one": "the fields were chosen"}}
    for key, wanted in (("system.field", {"not comparable"}), ("system.size", {"no", "yes"})):
        found = sweep.Sweep(key, [1, 2], key), "a sweep"
        monkeypatch.setattr(sweep, "find", lambda name, records, found=found: found)
        report = page.make(study, runs, tmp_path / key, lambda line: None)
        rows = json.loads((tmp_path / key / "report.json").read_text())["claims"]
        assert {row["agrees"] for row in rows if row["claim"] == "the rate is one"} == wanted
        assert ("the fields were chosen" in report.read_text()) == (key == "system.field")
    assert OF_LIFETIME in nucleation.CHOSEN["system.field"]


def test_a_number_that_decides_has_the_digits_that_decide():
    """0.0010(5) > 0 by two errors cannot be read, 0.00102(49) can."""
    near = judged(above(0), 0.00102, 0.00049)
    assert (near.ours, near.agrees) == ("0.00102(49)", "yes")
    assert judged(above(0), 0.00102, 0.0002).ours == "0.0010(2)"
    assert judged(above(0), 0.00098, 0.0005).ours == "0.0010(5)", "undecided either way"
    assert judged(above(0), 0.00281, 0.001402).ours == "0.00281(140)", "an error that begins with 1"
    assert judged(above(0), 0.001002, 0.0005008).ours == "0.0010020(5008)"
    assert judged(above(0), np.nan, 0.1).ours == "undetermined"


def test_as_low_as_the_papers_error():
    rule = as_low(0.00565)
    assert rule.text == "< 0.006215, the paper's and 10%"
    assert [judged(rule, value, 1e-4).agrees for value in (0.003, 0.0062, 0.007)] == [
        "yes",
        "undecided",
        "no",
    ]
