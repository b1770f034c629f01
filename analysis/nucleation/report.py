"""report.md for people and report.json for programs: the same rows, the paper's value beside ours."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from analysis.nucleation.estimates import Estimate
from analysis.nucleation.quantities import NOT_RUN, Row

DEFINITIONS = """\
- **Errors** are one standard error. Configurations of one event are correlated, so all errors but that of the
  mean lifetime come from a bootstrap that draws whole events. The paper gives none.
- **Lifetime**: MCS from the field flip to the first MCS at whose end m <= 0.
- **Growth time**: the paper counts from the droplet's start to half the system, without saying how the start
  is found. Here the start is when the event's measured p_nuc last rises through 1/2 (a critical droplet by
  its fate; also given: through 0.1), linear between labels, and the end is m = 0. The median counts events
  already above at their first label as longer. p_nuc is the probability to reach m <= 0 within the time left
  plus the window, so it depends on both.
- **Radius of gyration**: of the largest cluster of stable spins, averaged over the balanced configurations,
  distances on the torus. Sites spread evenly over the torus would give L/sqrt(6) = 0.41 L.
- **Bonds**: the paper cites the Coniglio-Klein mapping. For R > 1 its bonds, 1 - exp(-2 J/T), join almost
  nothing before m = 0; the density-corrected ones, 1 - exp(-4 J (1 - rho)/T) with rho the density of stable
  spins, are the default there.
- **Label noise floor**: the mean square error that binomial noise of the labels leaves to a perfect
  predictor; 1/600 = 0.00167 for uniform p_nuc and 100 copies.
"""


def _cell(value) -> str:
    if isinstance(value, list):
        return str(value[0]) if value[0] == value[1] else f"{value[0]} to {value[1]}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not recorded" if value is None else str(value).replace("|", "\\|")


def _table(head: list[str], lines: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(c) + " |" for c in lines),
        "",
    ]


def _ours(row: Row) -> str:
    if row.ours is None:
        return row.status
    if row.error is None and row.ours == int(row.ours):
        return f"{int(row.ours)}"
    return str(Estimate(row.ours, np.nan if row.error is None else row.error))


def markdown(rows: list[Row], systems: list[dict], pictures: list[tuple[str, str]]) -> str:
    """The report's text; pictures are (file name in figures/, caption)."""
    lines = ["# Nucleation in the Ising model: ours beside the paper's", ""]
    columns = [
        "system",
        "run",
        "events",
        "labels",
        "configurations",
        "copies",
        "adaptive",
        "window",
        "reading",
        "history",
        "bonds",
        "seed",
        "git_revision",
        "device",
    ]
    lines += ["## What was run", ""]
    units = {"window": "window (MCS)", "history": "history (MCS)", "git_revision": "revision"}
    lines += _table([units.get(c, c) for c in columns], [[_cell(s[c]) for c in columns] for s in systems])
    lines += ["## Quantities", ""]
    ran = [row for row in rows if row.status != NOT_RUN]
    lines += _table(
        ["system", "quantity", "paper", "ours", "unit", "note"],
        [[r.system, r.quantity, r.paper or "", _ours(r), r.unit, r.note] for r in ran],
    )
    missing = [row for row in rows if row.status == NOT_RUN]
    if missing:
        lines += ["### Systems of the paper without data here", ""]
        lines += _table(
            ["system", "quantity", "paper", "ours", "unit"],
            [[r.system, r.quantity, r.paper or "", NOT_RUN, r.unit] for r in missing],
        )
    lines += ["How each is defined:", "", DEFINITIONS, "## Figures", ""]
    for name, caption in pictures:
        pdf = "" if name.endswith(".gif") else f" ([PDF](figures/{name.removesuffix('.png')}.pdf))"
        lines += [f"![{name}](figures/{name})", "", caption + pdf, ""]
    return "\n".join(lines)


def write(out: Path, rows: list[Row], systems: list[dict], pictures: list[tuple[str, str]]) -> Path:
    """Write out/report.md and out/report.json; return the former's path."""
    figures = [{"file": f"figures/{name}", "caption": caption} for name, caption in pictures]
    numbers = {
        "study": "nucleation",
        "systems": systems,
        "rows": [asdict(row) for row in rows],
        "figures": figures,
    }
    (out / "report.json").write_text(
        json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )
    (out / "report.md").write_text(markdown(rows, systems, pictures))
    return out / "report.md"
