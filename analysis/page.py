"""A page: what was run, what was found, one picture, and a verdict by figure of the paper on the
first screen; then the claims, the figures, and what the words mean.

    RUN -> measure -> record -> figures, claims -> page

The one way of all studies.  A study (analysis/STUDY/__init__.py) is a module with what `Study`
lists.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from analysis import claim as claims_of
from analysis import claims_table, record, sweep
from analysis.claim import Claim
from analysis.record import Record
from analysis.sweep import MainNumber
from analysis.tables import pictures_of, table
from analysis.verdicts import NO, NOT_COMPARABLE, NOT_RUN, UNDECIDED, YES, number
from jobs import whole_file

FINDINGS = 5
IN_BRACKETS = (
    "A standard error stands in brackets, in units of the last digits: 26.3(4) is 26.3 with an error of 0.4, "
    "26.31(14) has one of 0.14."
)
COLUMNS = 7  # of a table, at most


@dataclass(frozen=True)
class Picture:
    """file: its name in figures/; caption: whole sentences; figure: of the paper, "" for one of our
    own.
    """

    file: str
    caption: str
    figure: str = ""


@dataclass(frozen=True)
class Page:
    """What a study says of its records.

    sentence: what was run, whole sentences. findings: the most important first, whole sentences
    with numbers. claims, pictures: all. tables: {name: rows for report.json}. notes: what was left
    out. section: lines of markdown.
    """

    sentence: str
    findings: list[str]
    claims: list[Claim]
    pictures: list[Picture]
    tables: dict[str, list[dict]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    section: list[str] = field(default_factory=list)


class Study(Protocol):
    """What a study's package has; records are those of one page, one a system (record.gathered).
    What OPTIONAL lists may be left out.
    """

    NAME: str  # "nucleation"
    TITLE: str  # "Nucleation in the long-range Ising model"
    PAPER: str  # its citation
    FIGURES: dict[str, str]  # of the paper: {"5": "Mean square error towards the spinodal"}
    FIRST: tuple[str, ...]  # parts of file names: the first picture there is stands on top
    HOW_JUDGED: str  # markdown
    DEFINITIONS: str  # markdown
    Numbers: type  # the dataclass of a record

    def measure(self, path: Path) -> Record: ...
    def pictures(self, records: list[Record], folder: Path) -> Iterator[Picture | None]: ...
    def claims(self, record: Record) -> list[Claim]: ...
    def between(self, records: list[Record]) -> list[Claim]: ...  # claims that compare systems
    def sentence(self, records: list[Record]) -> str: ...
    def findings(self, records: list[Record], claims: list[Claim]) -> list[str]: ...
    def tables(self, records: list[Record]) -> dict[str, list[dict]]: ...
    def section(self, records: list[Record]) -> list[str]: ...  # markdown, before the claims
    def left_out(self, record: Record) -> list[str]: ...  # files that could not be used
    def draw_file(self, path: Path, out: Path | None) -> list[Path]: ...  # of one, beside it
    def main_numbers(self, record: Record) -> list[MainNumber]: ...  # against what was swept

    CHOSEN: dict[str, dict[str, str]]  # {swept key: {a claim's text: why it is not comparable}}
    NAMED_BY_NETWORK: bool  # whether a network that one system alone has says enough of the system


OPTIONAL = {
    "FIRST": (),
    "HOW_JUDGED": 'The rule in the column "agrees if" decides, and nothing else: yes if 2 errors to both sides of our number '
    "satisfy it, no if 2 errors to both sides violate it, else undecided.",
    "between": lambda records: [],
    "tables": lambda records: {},
    "section": lambda records: [],
    "left_out": lambda record: [],
    "draw_file": None,
    "main_numbers": lambda record: [],
    "CHOSEN": {},
    "NAMED_BY_NETWORK": False,
}


def part(study: ModuleType, name: str):
    """A part of a study's package that it need not have."""
    return getattr(study, name, OPTIONAL[name])


def make(study: ModuleType, records: list[Record], out: Path, progress: Callable) -> Path:
    """Draw all figures of these records into out/figures and write out/report.md and .json; return
    report.md's path.  progress(text) hears each file's name.
    """
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    groups = record.by_system(records)
    shown = record.gathered(records)
    pictures = []
    for picture in study.pictures(shown, folder):
        if picture is not None:
            pictures.append(picture)
            progress(f"figures/{picture.file}")
    claims = []
    for first in shown:
        claims += claims_of.pooled([study.claims(run) for run in first.runs])
    claims += part(study, "between")(shown)
    key, against, rows, said = swept(study, [r for group in groups for r in group], folder)
    chosen = part(study, "CHOSEN").get(key, {})
    claims = [replace(c, smaller=chosen[c.text]) if c.text in chosen else c for c in claims]
    for picture in against:
        progress(f"figures/{picture.file}")
    page = Page(
        study.sentence(shown),
        study.findings(shown, claims)[:FINDINGS],
        claims,
        against + pictures,
        part(study, "tables")(shown) | rows,
        [
            *said,
            *superseded(shown),
            *(
                f"{run.origin.run}: {line}"
                for first in shown
                for run in first.runs
                for line in part(study, "left_out")(run)
            ),
        ],
        part(study, "section")(shown),
    )
    for line in page.notes:
        progress(line)
    return write(study, page, groups, out)


def swept(
    study: ModuleType, records: list[Record], folder: Path
) -> tuple[str, list[Picture], dict[str, list[dict]], list[str]]:
    """Of several runs: the key in which they differ, "" if there is none, the figure of their main
    numbers against it, its numbers, and what is said of it.
    """
    numbers = [part(study, "main_numbers")(r) for r in records]
    if len(records) < 2 or not any(numbers):
        return "", [], {}, []
    found, said = sweep.find(records[0].origin.study, records)
    drawn = sweep.draw(found, numbers, folder) if found is not None else None
    if found is None or drawn is None:
        return found.key if found else "", [], {}, [said] if said else []
    left = len(found.order) - sweep.ENDS
    if left > 0:
        said += (
            f" Pictures of one system alone are those of {found.order[0]} and {found.order[-1]}; "
            "the page of a run by itself has its own."
        )
    return found.key, [Picture(*drawn)], {"sweep": sweep.rows(found, numbers)}, [said]


def superseded(shown: list[Record]) -> list[str]:
    """What the pictures show where there are several runs of a system."""
    return [
        f"{r.origin.system}: pictures show one of {len(r.runs)} runs, {r.origin.run} of {r.origin.date[:10]} (the largest, or the "
        "newest); the claims' numbers are those of all together"
        for r in shown
        if r.others
    ]


def write(study: ModuleType, page: Page, groups: list[list[Record]], out: Path) -> Path:
    """out/report.md and out/report.json."""
    origins = [asdict(r.origin) for group in groups for r in group]
    numbers = {
        "study": groups[0][0].origin.study,
        "records": [{k: v for k, v in o.items() if k != "config"} for o in origins],
        "findings": page.findings,
        "verdicts": verdicts(study, page),
        "claims": [claim.as_row() for claim in page.claims],
        **page.tables,
        "left_out": page.notes,
        "figures": [
            {"file": f"figures/{p.file}", "caption": p.caption, "figure": p.figure}
            for p in page.pictures
        ],
    }
    text = json.dumps(plain(numbers), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    whole_file.write(out / "report.json", text)
    whole_file.write(out / "report.md", markdown(study, page))
    return out / "report.md"


def plain(value):
    """As JSON knows it: NumPy's numbers and arrays as Python's, what is not finite as null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return number(value) if isinstance(value, float) else value


def verdicts(study: ModuleType, page: Page) -> list[dict]:
    """A row a figure of the paper: whether we drew it, what its claims say, and why not."""
    rows = []
    for figure, shows in study.FIGURES.items():
        mine = [c for c in page.claims if figure in c.figure.split(", ")]
        drawn = [p.file for p in page.pictures if figure in p.figure.split(", ")]
        said = claims_of.verdict(mine) if mine else NOT_RUN
        said = "drawn" if said == NOT_RUN and drawn else said
        rows.append(
            {"figure": figure, "shows": shows, "verdict": said, "why": why(mine), "drawn": drawn}
        )
    return rows


def why(claims: list[Claim]) -> str:
    """The first disagreement in words; where no number is comparable, by the rules alone."""
    against = [c for c in claims if c.agrees == NO]
    if not any(c.agrees in (YES, NO, UNDECIDED) for c in claims):
        against = [c for c in claims if c.by_rule == NO]
    if not against:
        otherwise = [f"{c.text}: {said} {what}" for c in claims for what, said in c.unlike.items()]
        return f"but {', '.join(otherwise[:1])}{and_more(otherwise)}" if otherwise else ""
    first = against[0]
    return f"{first.text}: {first.ours} here, {first.paper} there{and_more(against)}"


def and_more(of: list) -> str:
    """What is said of the others where the first is told."""
    return f" (and {len(of) - 1} more)" if len(of) > 1 else ""


def not_comparable(claims: list[Claim]) -> list[str]:
    """Why numbers cannot be compared with the paper's: said once, on the first screen."""
    reasons = {}
    for claim in claims:
        if claim.agrees == NOT_COMPARABLE:
            reasons.setdefault(claim.smaller, {})[claim.system] = None
    if not reasons:
        return []
    said = "A verdict in brackets is what the rule alone would say of a number that cannot be compared with the paper's, since:"
    reasons = {
        reason: systems
        for reason, systems in reasons.items()
        if not any(
            reason in other and systems == reasons[other] for other in reasons if other != reason
        )
    }  # what another says, and more
    several = len({c.system for c in claims}) > 1
    lines = [f"{', '.join(s)}: {reason}" if several else reason for reason, s in reasons.items()]
    return [said, "", *(f"- {line}" for line in lines), ""]


def markdown(study: ModuleType, page: Page) -> str:
    lines = [f"# {study.TITLE}", "", page.sentence, "", f"Paper: {study.PAPER}", ""]
    lines += [*(f"{i}. {text}" for i, text in enumerate(page.findings, 1)), ""]
    top = first_picture(study, page.pictures)
    if top is not None:
        lines += [f"![{top.file}](figures/{top.file})", "", f"*{top.caption}*", ""]
    nothing_of_paper = not page.claims and not any(p.figure for p in page.pictures)
    lines += [] if nothing_of_paper else figures_table(study, page)
    lines += page.section
    if not nothing_of_paper:
        lines += claims_table.lines(page.claims, part(study, "NAMED_BY_NETWORK"))
    rest = [(p.file, p.caption) for p in page.pictures if p is not top]
    lines += ["## Figures", "", *pictures_of(rest)] if rest else []
    lines += [
        "## How it is judged",
        "",
        IN_BRACKETS,
        "",
        part(study, "HOW_JUDGED"),
        "## Definitions",
        "",
        definitions(study.DEFINITIONS, "\n".join([*lines, part(study, "HOW_JUDGED")])),
    ]
    if page.notes:
        lines += ["## Notes", "", *(f"- {line}" for line in page.notes), ""]
    return "\n".join(
        [*lines, "All numbers of this page, and longer tables, are in report.json.", ""]
    )


def definitions(every: str, page: str) -> str:
    """The items of a list "- **word**, **other**: ..." of which a word is on the page, or is
    "errors", which every page has; other text stays.
    """
    known = f"errors\n{page}".lower()
    items = re.split(r"\n(?=- )", every.strip())
    used = [
        item
        for item in items
        if not item.startswith("- ")
        or any(word.rstrip(".s").lower() in known for word in re.findall(r"\*\*(.+?)\*\*", item))
    ]
    return "\n".join(used) + "\n"


def first_picture(study: ModuleType, pictures: list[Picture]) -> Picture | None:
    return next(
        (p for begin in (sweep.FILE, *part(study, "FIRST")) for p in pictures if begin in p.file),
        pictures[0] if pictures else None,
    )


def figures_table(study: ModuleType, page: Page) -> list[str]:
    rows = verdicts(study, page)
    lines = [[r["figure"], r["shows"], r["verdict"], r["why"]] for r in rows]
    said = table(["figure of the paper", "shows", "verdict", "why"], lines)
    words = {r["verdict"].strip("()") for r in rows}
    legend = "; ".join(
        f"*{word}*: {means}" for word, means in claims_of.VERDICTS.items() if word in words
    )
    return [*said, f"{legend}.", "", *not_comparable(page.claims)]
