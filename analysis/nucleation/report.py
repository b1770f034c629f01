"""report.md for people and report.json for programs: the same rows, the paper's value beside
ours.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analysis import verdicts
from analysis.estimates import Estimate
from analysis.nucleation.model_tables import Difference, ModelRow
from analysis.nucleation.quantities import NOT_RUN, Row
from analysis.nucleation.training import SPLITS, label
from analysis.nucleation.verdicts import HOW_JUDGED, Claim
from analysis.tables import cell, pictures_of, table, with_error
from jobs import whole_file

MODEL_DEFINITIONS = """\
- **Errors of the models** are the larger of two standard errors. *Over folds*: k folds share most of their training
  sets, so s^2/k is too small; used is Nadeau and Bengio's s^2 (1/k + n_test/n_training). *Over events*: a bootstrap
  that draws whole events of the test sets again; the only one there is for a single fold, and blind to what another
  training set or another start of the training would give. report.json has both.
- **Floor**: mean of p(1-p)/(n-1) over the same test configurations, the MSE that binomial noise of n copies leaves to a
  perfect predictor; good to about 4% where balancing chose configurations by their measured p. **Excess**: MSE minus
  floor. **Explained**: 1 - (MSE - floor)/(var(p) - floor).
- **Split by event**: no event has configurations in two of training, validation and test set. **By configuration**:
  as in the paper, where the test set shares events with the training set.
- **What a configuration alone cannot tell**: a label asks whether copies nucleate within window - t_int, and t_int differs
  from configuration to configuration (the same one counts 50 MCS at t = -40 and 15 at t = -5). No model of the paper is
  told. *ours (torus)* sees the configuration alone, as they do; *ours (and window)* is told that time as well. The
  difference between the two is what the missing time costs every model, and the excess of the second is what is left.
  (In these data the time also hints at how far an event has come, which a configuration mostly shows by itself.)
- **features LR** is trained as the paper says (Adam, early stopping) and stops far from the minimum of its loss, since the
  moments are nearly collinear: its weights, and so the claims about them, depend on where it stops. **features LR,
  converged** is the same model at that minimum (Newton's method).
"""

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


def _ours(row: Row) -> str:
    if row.ours is None:
        return row.status
    if row.error is None and row.ours == int(row.ours):
        return f"{int(row.ours)}"
    return str(Estimate(row.ours, np.nan if row.error is None else row.error))


def _data(c: Claim) -> str:
    """12000 + 2000: training and test configurations; else the configurations of the data set."""
    if c.training is not None and c.test is not None:
        return f"{c.training} + {c.test}"
    return "" if c.configurations is None else f"{c.configurations}"


def _claims(claims: list[Claim]) -> list[str]:
    """The table of claims; those without any number come after it, in a short one."""
    ran = [c for c in claims if c.agrees != verdicts.NOT_RUN]
    head = [
        "system",
        "claim",
        "paper",
        "ours",
        "floor",
        "data (train + test)",
        "split",
        "agrees if",
        "agrees",
        "split by event",
    ]
    lines = [
        [
            c.system,
            c.claim + (f" ({c.note})" if c.note else ""),
            c.paper,
            with_error(c.ours, c.error, "undetermined") + (f" {c.unit}" if c.unit else ""),
            "" if c.floor is None else f"{c.floor:.5f}",
            _data(c),
            c.split or "",
            c.rule,
            f"**{c.agrees}**",
            f"{with_error(c.other['ours'], c.other['error'], 'undetermined')}: {c.other['agrees']}"
            if c.other
            else "",
        ]
        for c in ran
    ]
    missing = [c for c in claims if c.agrees == verdicts.NOT_RUN]
    text = ["## The paper's claims", ""]
    text += table(head, lines) if ran else ["None of the paper's systems is among these runs.", ""]
    if missing:
        text += ["### Not run", ""]
        head = ["system", "claim", "paper", "agrees if", "agrees"]
        text += table(head, [[c.system, c.claim, c.paper, c.rule, c.agrees] for c in missing])
    return [*text, "How it is judged:", "", HOW_JUDGED]


def _cell_of(number: dict) -> str:
    return with_error(number["value"], number["error"], "undetermined")


def _models(models: list[ModelRow], differences: list[Difference]) -> list[str]:
    """What each model reached, and the paired differences."""
    if not models:
        return []
    head = [
        "system",
        "split",
        "model",
        "parameters",
        "folds",
        "train + test",
        "MSE",
        "floor",
        "excess",
        "explained",
        "root MSE",
        "mean abs. error",
        "epochs (kept)",
        "s per fold",
        "trained on",
    ]
    lines = [
        [
            r.system,
            r.split,
            label(r.model),
            str(r.parameters),
            str(r.folds),
            f"{r.training} + {r.test}",
            _cell_of(r.mse),
            "" if r.floor is None else f"{r.floor:.5f}",
            _cell_of(r.excess),
            _cell_of(r.explained),
            _cell_of(r.root_mse),
            _cell_of(r.absolute_error),
            f"{r.epochs:.0f} ({r.best_epoch:.0f})",
            "" if r.seconds is None else f"{r.seconds:.0f}",
            r.device,
        ]
        for r in models
    ]
    text = ["## Models", "", *table(head, lines)]
    if differences:
        text += [
            "### Differences in MSE, first minus second",
            "",
            "On the same test configurations, paired, except between the two splits. Negative: the first is better.",
            "",
        ]
        text += table(
            ["system", "split", "first", "second", "folds", "difference of MSE", "in its errors"],
            [
                [
                    d.system,
                    SPLITS.get(d.split, d.split),
                    d.first,
                    d.second,
                    str(d.folds),
                    _cell_of(d.difference),
                    _ratio(d.difference),
                ]
                for d in differences
            ],
        )
    return [*text, MODEL_DEFINITIONS]


def _ratio(number: dict) -> str:
    return (
        f"{number['value'] / number['error']:+.1f}"
        if number["value"] is not None and number["error"]
        else ""
    )


@dataclass(frozen=True)
class Content:
    """All that the report says; pictures are (file name in figures/, caption)."""

    rows: list[Row]
    systems: list[dict]
    pictures: list[tuple[str, str]]
    claims: list[Claim]
    models: list[ModelRow]
    differences: list[Difference]
    left_out: list[str]


def markdown(content: Content) -> str:
    """The report's text."""
    rows, systems, pictures = content.rows, content.systems, content.pictures
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
    lines += table(
        [units.get(c, c) for c in columns], [[cell(s[c]) for c in columns] for s in systems]
    )
    if content.left_out:
        lines += ["Left out:", "", *(f"- {text}" for text in content.left_out), ""]
    lines += _claims(content.claims) + _models(content.models, content.differences)
    lines += ["## Quantities", ""]
    ran = [row for row in rows if row.status != NOT_RUN]
    lines += table(
        ["system", "quantity", "paper", "ours", "unit", "note"],
        [[r.system, r.quantity, r.paper or "", _ours(r), r.unit, r.note] for r in ran],
    )
    missing = [row for row in rows if row.status == NOT_RUN]
    if missing:
        lines += ["### Systems of the paper without data here", ""]
        lines += table(
            ["system", "quantity", "paper", "ours", "unit"],
            [[r.system, r.quantity, r.paper or "", NOT_RUN, r.unit] for r in missing],
        )
    lines += ["How each is defined:", "", DEFINITIONS, "## Figures", ""]
    lines += pictures_of(pictures)
    return "\n".join(lines)


def write(out: Path, content: Content) -> Path:
    """Write out/report.md and out/report.json; return the former's path."""
    numbers = {
        "study": "nucleation",
        "systems": content.systems,
        "rows": [asdict(row) for row in content.rows],
        "claims": [asdict(claim) for claim in content.claims],
        "models": [asdict(row) for row in content.models],
        "differences": [asdict(row) for row in content.differences],
        "left_out": content.left_out,
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
