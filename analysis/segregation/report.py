"""report.md for people and report.json for programs: the same rows, the paper's claims
beside ours.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analysis import verdicts
from analysis.segregation.checks import Check
from analysis.segregation.claims import Claim, Reverse, reverse_statistics
from analysis.segregation.dataset import TEST, TRAINING, VALIDATION, Run
from analysis.segregation.quantities import MODELS, SIX
from analysis.segregation.skill import Skill, as_dict
from analysis.tables import cell, pictures_of, table, with_error
from jobs import whole_file

HOW_JUDGED = """\
- **agrees** is decided by the rule in the column "agrees if" and nothing else: yes if 2 errors to both sides of our number
  satisfy it, no if 2 errors to both sides violate it, else undecided. 98% is judged by what rounds to it, 0.975.
- **not comparable**: another grid than the paper's 64 x 64, less than half of its 8 640 training samples, or another lambda; or, for
  the position of the transition, mean concentrations more than 0.02 apart around it. The number, and in brackets what the rule says,
  are given all the same.
- Predictions that pass 1/2 nowhere, where the truth does, have no transition: "no".
- The paper's model is *L1 + GAN* with lambda = 1. Rows are of samples that segregate, except those on who segregates.
- "Up to 98%" does not say of what: each quantity is judged on its own, and the best of those that the abstract names.
- **without a network**: what a prediction reaches that has seen no field: see the definitions.
"""

DEFINITIONS = """\
- **Segregated**: largest minus smallest concentration of the steady state above 0.5; the others, whose mean lies outside the
  **spinodal** 0.2113 to 0.7887, stay **uniform** (33 of the paper's 90 mean concentrations). A uniform field is predicted by a
  constant, so counting it flatters every accuracy: "all samples" does so, as the paper seems to. Of the samples in dataset.h5 those
  whose steady state has an interface (perimeter > 0) count as segregated.
- **Accuracy** (the paper does not define it): 1 - median over samples of |predicted - true| / |true|. Where the truth is 0 (perimeter,
  surface energy and often area of a uniform field) it is undetermined; the last column of the table, the median |predicted - true| of
  uniform samples over the mean |true| of segregated ones, is not.
- **Overlap**: common area of the histograms of truth and prediction, 20 equal bins between the truth's smallest and largest value and
  an open one on either side. *Training set itself*: the same of the training set's steady states against the test set's, what
  another set of samples of the same mixtures reaches. **Distance**: Wasserstein-1, over the standard deviation of the truth.
- **Baselines**: *training mean*: the mean of the quantity over the segregated training samples, the same for every test sample; *given
  the mean*: that mean over training samples of the same mean concentration. **Advantage**: accuracy minus the better baseline.
- **Errors** are one standard error, from a bootstrap over test samples (of the transition: within each mean concentration). They do
  not know what another start of the training would give. The paper gives none.
- **Quantities**: area where c > 1/2; perimeter of the line c = 1/2; chemical energy: integral of a c^2 (1 - c)^2; surface energy:
  integral of epsilon^2/2 |grad c|^2; free energy: both. Truth and prediction are measured alike.
  Run to its end nearly every mixture of one mean concentration becomes the same droplet or stripe, wherever it lies: the six
  quantities then follow from the mean alone, and only an advantage over the second baseline shows that a network read the field.
- **Structure factor** S(k): |c_k|^2 / L^2 (times the cell's area), averaged over shells of k of width 2 pi / L, up to the largest
  circle. **Finest structures**: the shells at large k that together hold at least a tenth of the truth's power (the fewest).
- **Position of the transition**: where the share of segregated samples passes 1/2, linear between mean concentrations, after a
  monotone fit.
- **Reverse models**: many mixed states lead to one segregated state, so no network can give back the one it came from, and cells are
  not compared. Judged are the statistics that all these mixed states share: variance, structure factor, mean, distribution of the
  concentration. (Correlation cell by cell is given for information; it is what the segregated state still knows.)
"""


@dataclass(frozen=True)
class Content:
    """All that the report says; pictures are (file name in figures/, caption)."""

    runs: list[Run]
    claims: list[Claim]
    skills: list[Skill]
    checks: list[Check]
    pictures: list[tuple[str, str]]


def summary(run: Run) -> dict:
    """What was run, in a line."""
    system, generate = run.config["system"], run.config["generate"]
    means = np.unique(run.mean_concentration.round(6))
    counts = [int((run.split == k).sum()) for k in (TRAINING, VALIDATION, TEST)]
    return {
        "run": run.name,
        "size": run.size,
        "epsilon": system.get("epsilon"),
        "well_depth": system.get("well_depth"),
        "noise": generate.get("noise"),
        "means": [float(means[0]), float(means[-1])],
        "mean_concentrations": len(means),
        "training": counts[0],
        "validation": counts[1],
        "test": counts[2],
        "segregated": float(run.segregated[run.split == TEST].mean()) if counts[2] else None,
        "models": {
            name: {"training": run.training_samples(p), "test": len(p)}
            for name, p in run.predictions.items()
        },
        "seed": run.config.get("seed"),
        "git_revision": run.attributes.get("git_revision"),
        "device": run.attributes.get("device"),
    }


def reverse_rows(run: Run) -> list[dict]:
    """Statistics of every reverse model, segregated and uniform inputs apart."""
    rows = []
    for p in run.models(reverse=True):
        for text, which in (("segregated", p.segregated), ("uniform", ~p.segregated)):
            found = reverse_statistics(p, which)
            if found is not None:
                rows.append(
                    {
                        "run": run.name,
                        "model": p.model,
                        "inputs": text,
                        "samples": int(which.sum()),
                        **_of(found),
                    }
                )
    return rows


def _of(found: Reverse) -> dict:
    numbers = {
        name: as_dict(getattr(found, name))
        for name in ("variance", "coarse", "fine", "change", "overlap")
    }
    return {**numbers, "correlation": verdicts.number(found.correlation)}


def _number(e: dict) -> str:
    return with_error(e["value"], e["error"], "undetermined")


def _plain(value: float | None, missing: str = "") -> str:
    return missing if value is None else f"{value:.3g}"


def _verdict(c: Claim) -> str:
    return f"**{c.agrees}**" + (f" ({c.by_rule})" if c.agrees == verdicts.NOT_COMPARABLE else "")


def _claims(claims: list[Claim]) -> list[str]:
    ran = [c for c in claims if c.agrees != verdicts.NOT_RUN]
    head = [
        "run",
        "model",
        "claim",
        "paper",
        "ours",
        "without a network",
        "samples",
        "agrees if",
        "agrees",
    ]
    lines = [
        [
            c.run,
            c.model,
            c.claim + (f" ({c.note})" if c.note else ""),
            c.paper,
            with_error(c.ours, c.error, "undetermined"),
            "; ".join(
                f"{what}: {_plain(value)}"
                for what, value in (c.baselines or {}).items()
                if value is not None
            ),
            "" if c.samples is None else str(c.samples),
            c.rule,
            _verdict(c),
        ]
        for c in ran
    ]
    text = [
        "## The paper's claims",
        "",
        *(
            table(head, lines)
            if ran
            else ["No network of these runs has made predictions yet.", ""]
        ),
    ]
    missing = [c for c in claims if c.agrees == verdicts.NOT_RUN]
    if missing:
        text += [
            "### Not run",
            "",
            *table(
                ["run", "model", "claim", "paper", "agrees if", "agrees"],
                [[c.run, c.model, c.claim, c.paper, c.rule, c.agrees] for c in missing],
            ),
        ]
    return [*text, "How it is judged:", "", HOW_JUDGED]


def _skills(skills: list[Skill]) -> list[str]:
    if not skills:
        return []
    names = {q.name: q.title for q in SIX}
    head = [
        "run",
        "model",
        "quantity",
        "samples",
        "accuracy",
        "training mean",
        "given the mean",
        "advantage",
        "all samples",
        "overlap",
        "training set itself",
        "distance",
        "training set itself",
    ]
    lines = [
        [
            s.run,
            MODELS[s.model].title,
            names[s.quantity],
            str(s.samples),
            _number(s.accuracy),
            _plain(s.baseline_mean["value"]),
            _plain(s.baseline_given_mean["value"]),
            _number(s.advantage),
            _number(s.everything),
            _number(s.overlap),
            _plain(s.other_overlap),
            _number(s.distance),
            _plain(s.other_distance),
        ]
        for s in skills
    ]
    uniform = [
        [
            s.run,
            MODELS[s.model].title,
            names[s.quantity],
            str(s.uniform_samples),
            _number(s.uniform_accuracy),
            _plain(s.uniform_error),
        ]
        for s in skills
        if s.uniform_samples
    ]
    text = ["## Six quantities", "", "### Samples that segregate", "", *table(head, lines)]
    if uniform:
        head = [
            "run",
            "model",
            "quantity",
            "samples",
            "accuracy",
            "median error over the mean of segregated samples",
        ]
        text += ["### Samples that stay uniform", "", *table(head, uniform)]
    return text


def _reverse(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    head = [
        "run",
        "model",
        "inputs",
        "samples",
        "variance",
        "power, lower half of k",
        "power, upper half of k",
        "rms change of the mean",
        "overlap of c - mean",
        "correlation cell by cell",
    ]
    lines = [
        [
            r["run"],
            MODELS[r["model"]].title,
            r["inputs"],
            str(r["samples"]),
            *(_number(r[name]) for name in ("variance", "coarse", "fine", "change", "overlap")),
            _plain(r["correlation"], "undetermined"),
        ]
        for r in rows
    ]
    return [
        "## Reverse models",
        "",
        "Predicted mixed states: variance and power over the true ones', and the rest as it is. Not judged "
        "cell by cell: many mixed states lead to one segregated state.",
        "",
        *table(head, lines),
    ]


def _checks(checks: list[Check]) -> list[str]:
    lines = [
        [
            c.run,
            c.what,
            "not run" if c.value is None else f"{c.value:.2g}",
            f"{c.limit:g}",
            "not run" if c.holds is None else "yes" if c.holds else "**no**",
        ]
        for c in checks
    ]
    return ["## Checks", "", *table(["run", "what", "value", "at most", "holds"], lines)]


def markdown(content: Content) -> str:
    """The report's text."""
    lines = ["# Phase segregation: ours beside the paper's", "", "## What was run", ""]
    columns = {
        "run": "run",
        "size": "L (cells)",
        "epsilon": "epsilon",
        "well_depth": "a",
        "noise": "noise",
        "means": "mean concentration",
        "mean_concentrations": "of them",
        "training": "training",
        "validation": "validation",
        "test": "test",
        "segregated": "segregated (of test)",
        "seed": "seed",
        "git_revision": "revision",
        "device": "device",
    }
    found = [summary(run) for run in content.runs]
    lines += table(list(columns.values()), [[cell(s[name]) for name in columns] for s in found])
    trained = [
        [s["run"], MODELS[m].title, str(n["training"]), str(n["test"])]
        for s in found
        for m, n in s["models"].items()
    ]
    lines += (
        table(["run", "network", "trained on samples", "predictions of test samples"], trained)
        if trained
        else []
    )
    left_out = [line for run in content.runs for line in run.left_out]
    if left_out:
        lines += ["Left out:", "", *(f"- {text}" for text in left_out), ""]
    lines += _claims(content.claims) + _skills(content.skills)
    lines += _reverse([row for run in content.runs for row in reverse_rows(run)]) + _checks(
        content.checks
    )
    lines += ["## Definitions", "", DEFINITIONS, "## Figures", "", *pictures_of(content.pictures)]
    return "\n".join(lines)


def write(out: Path, content: Content) -> Path:
    """Write out/report.md and out/report.json; return the former's path."""
    numbers = {
        "study": "segregation",
        "systems": [summary(run) for run in content.runs],
        "claims": [asdict(claim) for claim in content.claims],
        "skills": [asdict(skill) for skill in content.skills],
        "reverse": [row for run in content.runs for row in reverse_rows(run)],
        "checks": [asdict(check) for check in content.checks],
        "left_out": [line for run in content.runs for line in run.left_out],
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
