"""report.md for people and report.json for programs: the same rows, the paper's claims
beside ours.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analysis import verdicts
from analysis.flocking.claims import Numbers
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BOUNDARIES, groups
from analysis.flocking.records import boundaries, correlation_times, network_places, of, starts
from analysis.flocking.relaxation import OBSERVABLES
from analysis.flocking.rows import Claim
from analysis.flocking.words import DEFINITIONS, HOW_JUDGED, unsupervised
from analysis.tables import cell, pictures_of, table, with_error
from jobs import whole_file


@dataclass(frozen=True)
class Content:
    """All that the report says; numbers by run; pictures are (file name in figures/, caption)."""

    runs: list[Run]
    numbers: list[Numbers]
    claims: list[Claim]
    pictures: list[tuple[str, str]]


def summary(run: Run) -> dict:
    """What was run, in a line."""
    system, generate = run.config["system"], run.config["generate"]
    here = run.at(run.reference)
    t = np.unique(run.temperature[here])
    return {
        "run": run.name,
        "size": run.size,
        "diffusion": system.get("diffusion"),
        "self_propulsion": system.get("self_propulsion"),
        "density": run.reference,
        "configurations": len(here),
        "replicas": len(np.unique(run.replica[here])),
        "temperatures": [float(t[0]), float(t[-1])] if len(t) else None,
        "of_them": len(t),
        "other_densities": [float(d) for d in run.densities if not np.isclose(d, run.reference)],
        "other_configurations": len(run.temperature) - len(here),
        "equilibration": generate.get("equilibration"),
        "interval": generate.get("interval"),
        "networks": len(run.probabilities),
        "seed": run.config.get("seed"),
        "git_revision": run.attributes.get("git_revision"),
        "device": run.attributes.get("device"),
    }


def _text(e: dict, missing: str = "none") -> str:
    return with_error(e["value"], e["error"], missing)


def _plain(value: float | None, missing: str = "") -> str:
    return missing if value is None else f"{value:.3g}"


def _verdict(c: Claim) -> str:
    return f"**{c.agrees}**" + (f" ({c.by_rule})" if c.agrees == verdicts.NOT_COMPARABLE else "")


def _claims(claims: list[Claim]) -> list[str]:
    head = ["run", "claim", "paper", "ours", "data", "agrees if", "agrees"]
    lines = [
        [
            c.run,
            c.claim + (f" ({c.note})" if c.note else ""),
            c.paper,
            with_error(c.ours, c.error, "undetermined"),
            c.data,
            c.rule,
            _verdict(c),
        ]
        for c in claims
        if c.agrees != verdicts.NOT_RUN
    ]
    text = ["## The paper's claims", "", *table(head, lines)]
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


def _boundaries(rows: list[dict]) -> list[str]:
    head = [
        "run",
        "rho0",
        "boundary",
        "physical",
        "ordered minus disordered starts",
        "both spins",
        "UMAP",
    ]
    lines = [
        [
            r["run"],
            f"{r['density']:g}",
            r["boundary"],
            _text(r["physical"]),
            _plain(r["hysteresis"], "unknown"),
            f"{100 * r['both_spins']:.1f}%",
            _text(r["umap"], ""),
        ]
        for r in rows
    ]
    return [
        "## Phase boundaries",
        "",
        "Temperatures. *none*: no such boundary between the temperatures that were run.",
        "",
        *table(head, lines),
    ]


def _networks(run: Run, numbers: Numbers) -> list[str]:
    """Network minus physical temperature, one row a set, lambda, density and boundary, one column a
    seed.
    """
    if not numbers.places:
        return []
    seeds = sorted({p.network.seed for p in numbers.places})
    lines = []
    for set_, lam in groups({p.network for p in numbers.places}):
        for true in numbers.truth:
            for i, name in enumerate(BOUNDARIES):
                own = {
                    p.network.seed: p
                    for p in numbers.places
                    if (p.network.set, p.network.regularization, p.density, p.boundary)
                    == (set_, lam, true.density, i)
                }
                if own:
                    lines.append(
                        [
                            run.name,
                            set_,
                            f"{lam:g}",
                            f"{true.density:g}",
                            name,
                            _text(of(true.estimates[i])),
                            *(_off(own.get(seed)) for seed in seeds),
                        ]
                    )
    head = [
        "run",
        "trained at",
        "lambda",
        "rho0",
        "boundary",
        "physical",
        *(f"seed {seed}" for seed in seeds),
    ]
    return [
        "### Networks minus physical boundary",
        "",
        "*none*: the network has no crossing; in brackets its temperature where there is "
        "no physical boundary to compare with. **Bold**: failed.",
        "",
        *table(head, lines),
    ]


def _off(place) -> str:
    if place is None:
        return ""
    if place.failed is None:
        return (
            f"({place.temperature.value:.3f})" if np.isfinite(place.temperature.value) else "none"
        )
    text = f"{place.off:+.3f}" if np.isfinite(place.off) else "none"
    return f"**{text}**" if place.failed else text


def _relaxation(rows: list[dict], agreement: list[dict]) -> list[str]:
    if not rows:
        return []
    head = [
        "run",
        "observable",
        "tau, median over T",
        "tau, longest",
        "at T",
        "T where tau is a lower bound",
        "time between samples",
        "tau between samples, fewest",
        "median",
        "median in L+G",
    ]
    lines = [
        [
            r["run"],
            OBSERVABLES[r["observable"]].replace("$", ""),
            _plain(r["median_time"]),
            ("" if r["longest_known"] else "> ")
            + (
                _text(r["longest_time"])
                if r["longest_known"]
                else _plain(r["longest_time"]["value"])
            ),
            f"{r['at']:g}",
            f"{r['unknown']} of {r['temperatures']}",
            _plain(r["interval"]),
            _plain(r["least_between"]),
            _plain(r["median_between"]),
            _plain(r["median_between_banded"]),
        ]
        for r in rows
    ]
    text = [
        "## Relaxation",
        "",
        "Integrated autocorrelation times at the reference density, time units, from looks after equilibration.",
        "",
        *table(head, lines),
    ]
    for a in agreement:
        where = (
            ""
            if not a["differ_at"]
            else "; they differ at T = " + ", ".join(f"{t:g}" for t in a["differ_at"])
        )
        count = f"{a['agree']} of {a['temperatures']} temperatures"
        text += [
            f"{a['run']}: late |m| of ordered and disordered starts agrees at {count}{where}.",
            "",
        ]
    return text


def _trained(runs: list[Run]) -> list[str]:
    lines = [
        [
            run.name,
            network.set,
            f"{network.regularization:g}",
            str(network.seed),
            cell(t.parameters),
            _plain(t.accuracy, ""),
            str(t.tested),
            cell(t.epochs),
        ]
        for run in runs
        for network, t in run.trained.items()
    ]
    head = [
        "run",
        "trained at",
        "lambda",
        "seed",
        "weights and biases",
        "accuracy on the test set",
        "configurations in it",
        "epochs",
    ]
    return ["## Networks", "", *table(head, lines)] if lines else []


def markdown(content: Content) -> str:
    """The report's text."""
    columns = {
        "run": "run",
        "size": "L",
        "diffusion": "D",
        "self_propulsion": "epsilon",
        "density": "rho0",
        "configurations": "configurations",
        "replicas": "replicas",
        "temperatures": "T",
        "of_them": "of them",
        "other_configurations": "at other densities",
        "equilibration": "equilibration",
        "interval": "interval",
        "networks": "networks",
        "seed": "seed",
        "git_revision": "revision",
        "device": "device",
    }
    found = [summary(run) for run in content.runs]
    lines = [
        "# Flocking, the Active Ising Model: ours beside the paper's",
        "",
        "## What was run",
        "",
        *table(list(columns.values()), [[cell(s[name]) for name in columns] for s in found]),
    ]
    left_out = [f"{run.name}: {line}" for run in content.runs for line in run.left_out]
    if left_out:
        lines += ["Left out:", "", *(f"- {text}" for text in left_out), ""]
    pairs = list(zip(content.runs, content.numbers, strict=True))
    lines += _claims(content.claims)
    lines += _boundaries([row for run, n in pairs for row in boundaries(run, n)])
    lines += [line for run, n in pairs for line in _networks(run, n)]
    lines += _trained(content.runs)
    lines += _relaxation(
        [row for run, n in pairs for row in correlation_times(run, n)],
        [a for run, n in pairs if (a := starts(run, n))],
    )
    lines += ["## Definitions", "", DEFINITIONS + unsupervised(content.runs), "## Figures", ""]
    return "\n".join([*lines, *pictures_of(content.pictures)])


def write(out: Path, content: Content) -> Path:
    """Write out/report.md and out/report.json; return the former's path."""
    pairs = list(zip(content.runs, content.numbers, strict=True))
    numbers = {
        "study": "flocking",
        "systems": [summary(run) for run in content.runs],
        "claims": [asdict(claim) for claim in content.claims],
        "boundaries": [row for run, n in pairs for row in boundaries(run, n)],
        "networks": [row for run, n in pairs for row in network_places(run, n)],
        "correlation_times": [row for run, n in pairs for row in correlation_times(run, n)],
        "starts": [a for run, n in pairs if (a := starts(run, n))],
        "left_out": [f"{run.name}: {line}" for run in content.runs for line in run.left_out],
        "figures": [
            {"file": f"figures/{name}", "caption": caption} for name, caption in content.pictures
        ],
    }
    whole_file.write(
        out / "report.json",
        json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    )
    whole_file.write(out / "report.md", markdown(content))
    return out / "report.md"
