"""The quantities of one system with their errors, each beside the value that the paper states."""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import Estimate
from analysis.nucleation import estimates, paper
from analysis.nucleation.dataset import Run
from analysis.nucleation.droplet import default_bonds

RUN, NOT_RUN, UNDETERMINED = "run", "not run", "undetermined"

LIFETIME = "mean lifetime"
VARIATION = "lifetime: standard deviation / mean"
RADIUS = "mean radius of gyration of the largest cluster"
GROWTH = "growth time, p_nuc = 1/2 to m = 0 (median)"
EARLY_GROWTH = "growth time, p_nuc = 0.1 to m = 0 (median)"
CORRELATION = "correlation of p_nuc with m, balanced data"
RAW_CORRELATION = "correlation of p_nuc with m, all labels"
EXPLAINED = "share of the variance of p_nuc that m explains, balanced data"
SIZE = "balanced configurations"
FLOOR = "label noise floor, mean p(1-p)/(n-1)"


@dataclass(frozen=True)
class Row:
    """One line of the report; paper as the paper words it (None: not given), ours and error None
    where undetermined.
    """

    system: str
    quantity: str
    paper: str | None
    ours: float | None
    error: float | None
    unit: str
    status: str
    note: str


def _row(system: str, quantity: str, stated, estimate: Estimate, unit: str, note: str = "") -> Row:
    value, error = (float(x) if np.isfinite(x) else None for x in (estimate.value, estimate.error))
    return Row(
        system,
        quantity,
        None if stated is None else str(stated),
        value,
        error,
        unit,
        RUN if value is not None else UNDETERMINED,
        note,
    )


def _against(estimate: Estimate, stated: float | None, exact: bool = True) -> str:
    """How far ours is from a number of the paper's; in standard errors too where the paper's is not
    a round figure.
    """
    if stated is None or not np.isfinite(estimate.value):
        return ""
    text = f"{estimate.value / stated - 1:+.0%} of the paper's".replace("-", "\N{MINUS SIGN}")
    if exact and np.isfinite(estimate.error) and estimate.error > 0:
        text += f", {abs(estimate.value - stated) / estimate.error:.1f} of our standard errors"
    return text


def _growth(run: Run, threshold: float, stated: float | None) -> tuple[Estimate, str]:
    raw = run.raw
    _, ages = estimates.crossing_ages(raw.event, raw.time, raw.p_nuc, threshold)
    older = int(np.isinf(ages).sum())
    middle = estimates.median(ages)
    note = f"{len(ages)} events, {older} of them above {threshold:g} at their first label"
    return middle, "; ".join(filter(None, [_against(middle, stated, exact=False), note]))


def rows_of(run: Run, name: str) -> list[Row]:
    """All quantities of one system; `name` is how the report calls it."""
    known = paper.find(run.system)
    stated = known or paper.PaperSystem(0, 0, None, None)
    lifetime = estimates.mean_lifetime(run.lifetime)
    radius = estimates.mean(run.event, run.radius_of_gyration)
    growth, growth_note = _growth(run, 0.5, stated.growth)
    early, early_note = _growth(run, 0.1, stated.growth)
    bonds = (run.bonds or f"{default_bonds(run)}, assumed: not recorded").replace("_", "-")
    reach = f"{radius.value / run.system.size:.2f} L; {bonds} bonds"
    events = len(np.unique(run.event))
    filled = int((estimates.fillings(run.nucleated, run.copies, run.bins) > 0).sum())
    return [
        _row(name, LIFETIME, stated.lifetime, lifetime, "MCS", f"{len(run.lifetime)} events"),
        _row(
            name,
            VARIATION,
            None,
            estimates.coefficient_of_variation(run.lifetime),
            "",
            "1 for an exponential law",
        ),
        _row(
            name,
            RADIUS,
            stated.radius,
            radius,
            "lattice units",
            "; ".join(filter(None, [_against(radius, stated.radius), reach])),
        ),
        _row(
            name, GROWTH, stated.growth and f"about {stated.growth:g}", growth, "MCS", growth_note
        ),
        _row(
            name,
            EARLY_GROWTH,
            stated.growth and f"about {stated.growth:g}",
            early,
            "MCS",
            early_note,
        ),
        _row(
            name,
            CORRELATION,
            stated.correlation,
            estimates.correlation(run.event, run.magnetization, run.p_nuc),
            "",
            "negative: m falls as the droplet grows",
        ),
        _row(
            name,
            RAW_CORRELATION,
            None,
            estimates.correlation(run.raw.event, run.raw.magnetization, run.raw.p_nuc),
            "",
            f"{len(run.raw.event)} labels, most of them near 0 and 1",
        ),
        _row(
            name,
            EXPLAINED,
            None,
            estimates.variance_explained(run.event, run.magnetization, run.p_nuc),
            "",
            "correlation ratio, whatever the curve's shape; 0: m tells nothing, 1: m tells all",
        ),
        _row(
            name,
            SIZE,
            stated.configurations,
            Estimate(float(len(run.p_nuc)), np.nan),
            "",
            f"from {events} events; {filled} of {run.bins} bins of p_nuc filled",
        ),
        _row(
            name,
            FLOOR,
            None,
            Estimate(estimates.noise_floor(run.nucleated, run.copies), np.nan),
            "",
            "balanced data",
        ),
    ]


def not_run(system: paper.PaperSystem) -> list[Row]:
    """The rows of a paper's system for which no run was given: only those where the paper states a
    value.
    """
    stated = (
        (LIFETIME, system.lifetime, "MCS"),
        (RADIUS, system.radius, "lattice units"),
        (GROWTH, system.growth and f"about {system.growth:g}", "MCS"),
        (CORRELATION, system.correlation, ""),
        (SIZE, system.configurations, ""),
    )
    return [
        Row(system.name, quantity, str(value), None, None, unit, NOT_RUN, "")
        for quantity, value, unit in stated
        if value is not None
    ]


def summary(run: Run, name: str) -> dict:
    """What was run: the provenance and sizes of one system."""
    generate = run.config.get("generate") or {}
    copies = run.raw.copies
    spread = [int(copies.min()), int(copies.max())] if len(copies) else None
    attributes = run.attributes
    return {
        "system": name,
        "run": run.path.name,
        "interaction": run.system.interaction,
        "range": run.system.range,
        "size": run.system.size,
        "temperature": run.system.temperature,
        "field": run.system.field,
        "events": len(run.lifetime),
        "labels": len(copies),
        "configurations": len(run.p_nuc),
        "copies": spread,
        "window": generate.get("window"),
        "reading": generate.get("reading"),
        "adaptive": bool((generate.get("adaptive") or {}).get("enabled")),
        "history": run.history.shape[1] - 1,
        "bins": run.bins,
        "bonds": run.bonds,
        "seed": attributes.get("seed"),
        "git_revision": attributes.get("git_revision"),
        "device": attributes.get("device"),
        "host": attributes.get("host"),
        "date": attributes.get("date"),
    }


def all_rows(runs: list[Run], names: list[str]) -> list[Row]:
    """Rows of every run, then "not run" rows for the paper's systems that no run covers."""
    covered = {paper.find(run.system) for run in runs}
    rows = [row for run, name in zip(runs, names, strict=True) for row in rows_of(run, name)]
    return rows + [
        row for system in paper.SYSTEMS if system not in covered for row in not_run(system)
    ]
