"""report.md for people and report.json for programs: the same rows, the paper's claims
beside ours.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis import verdicts
from analysis.coarsening import tabled
from analysis.coarsening.dataset import SPLITS, Run
from analysis.coarsening.numbers import Numbers
from analysis.coarsening.rows import Claim
from analysis.coarsening.words import DEFINITIONS, HOW_JUDGED
from analysis.tables import cell, pictures_of, table, with_error
from jobs import whole_file

TABLES = {
    "networks": tabled.networks,
    "cases": tabled.cases,
    "methods": tabled.methods,
    "checks": tabled.checks,
}
COLUMNS = {
    "run": "run",
    "size": "truth (cells)",
    "network_size": "network (cells)",
    "downscaling": "downscaling",
    "interface_width": "epsilon",
    "interval": "interval",
    "frames": "frames",
    "training": "training",
    "validation": "validation",
    "test": "test",
    "mean": "mean of phi",
    "networks": "networks",
    "seed": "seed",
    "git_revision": "revision",
    "device": "device",
}


@dataclass(frozen=True)
class Content:
    """All that the report says; numbers by run; pictures are (file name in figures/, caption)."""

    runs: list[Run]
    numbers: list[Numbers]
    claims: list[Claim]
    pictures: list[tuple[str, str]]


def summary(run: Run) -> dict:
    """What was run, in a line."""
    return {
        "run": run.name,
        "size": int(run.system("size")),
        "network_size": run.network_size,
        "downscaling": run.system("downscaling"),
        "interface_width": run.interface_width,
        "interval": run.interval,
        "frames": int(run.config["generate"]["frames"]),
        **{split: run.sequences(split) for split in SPLITS},
        "mean": [
            round(float(run.mean_concentration.min()), 3),
            round(float(run.mean_concentration.max()), 3),
        ],
        "networks": len(run.networks),
        "seed": run.config.get("seed"),
        "git_revision": run.attributes.get("git_revision"),
        "device": run.attributes.get("device"),
    }


def _verdict(c: Claim) -> str:
    return f"**{c.agrees}**" + (f" ({c.by_rule})" if c.agrees == verdicts.NOT_COMPARABLE else "")


def _claims(claims: list[Claim]) -> list[str]:
    head = ["run", "network", "claim", "paper", "ours", "baselines", "data", "agrees if", "agrees"]
    ran = [c for c in claims if c.agrees != verdicts.NOT_RUN]
    lines = [
        [
            c.run,
            c.model,
            c.claim + (f" ({c.note})" if c.note else ""),
            c.paper,
            with_error(c.ours, c.error, "undetermined"),
            "; ".join(
                f"{what}: {value:.3g}"
                for what, value in (c.baselines or {}).items()
                if value is not None
            ),
            c.data,
            c.rule,
            _verdict(c),
        ]
        for c in ran
    ]
    text = [
        "## The paper's claims",
        "",
        *(table(head, lines) if ran else ["No network of these runs is trained yet.", ""]),
    ]
    missing = [
        [c.run, c.claim, c.paper, c.rule, c.agrees] for c in claims if c.agrees == verdicts.NOT_RUN
    ]
    if missing:
        text += [
            "### Not run",
            "",
            *table(["run", "claim", "paper", "agrees if", "agrees"], missing),
        ]
    return [*text, "How it is judged:", "", HOW_JUDGED]


def markdown(content: Content, found: dict[str, list[dict]]) -> str:
    """The report's text."""
    systems = [summary(run) for run in content.runs]
    lines = [
        "# Coarsening: ours beside the paper's",
        "",
        "## What was run",
        "",
        *table(list(COLUMNS.values()), [[cell(s[name]) for name in COLUMNS] for s in systems]),
    ]
    left_out = [f"{run.name}: {line}" for run in content.runs for line in run.left_out]
    if left_out:
        lines += ["Left out:", "", *(f"- {text}" for text in left_out), ""]
    lines += _claims(content.claims)
    lines += tabled.networks_text(found["networks"]) + tabled.downscaling(
        found["networks"], found["cases"]
    )
    lines += (
        tabled.methods_text(found["methods"])
        + tabled.cases_text(found["cases"])
        + tabled.checks_text(found["checks"])
    )
    return "\n".join(
        [
            *lines,
            "## Definitions",
            "",
            DEFINITIONS,
            "## Figures",
            "",
            *pictures_of(content.pictures),
        ]
    )


def write(out: Path, content: Content) -> Path:
    """Write out/report.md and out/report.json; return the former's path."""
    pairs = list(zip(content.runs, content.numbers, strict=True))
    found = {
        name: [row for run, numbers in pairs for row in rows(run, numbers)]
        for name, rows in TABLES.items()
    }
    numbers = {
        "study": "coarsening",
        "systems": [summary(run) for run in content.runs],
        "claims": [asdict(claim) for claim in content.claims],
        **found,
        "left_out": [f"{run.name}: {line}" for run in content.runs for line in run.left_out],
        "figures": [
            {"file": f"figures/{name}", "caption": caption} for name, caption in content.pictures
        ],
    }
    whole_file.write(
        out / "report.json",
        json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False, default=plain) + "\n",
    )
    whole_file.write(out / "report.md", markdown(content, found))
    return out / "report.md"


def plain(value):
    """Numbers of HDF5 attributes."""
    return value.item()
