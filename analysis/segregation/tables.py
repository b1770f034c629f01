"""Rows of report.json: what was run, the six quantities, the networks, reverse networks, checks."""

import numpy as np

from analysis.estimates import Estimate
from analysis.record import Record
from analysis.segregation.claims import checks as all_checks
from analysis.segregation.labels import SIX, ordered
from analysis.segregation.measure import Forward, Reverse
from analysis.segregation.mixed_states import JUDGED, Statistics
from analysis.segregation.predictability import MEASURES, of_all
from analysis.verdicts import number


def tables(records: list[Record]) -> dict[str, list[dict]]:
    """Rows of each run, of `predictability` of each system."""
    runs = [run for r in records for run in r.runs]
    return {
        "systems": [system(r) for r in runs],
        "networks": [row for r in runs for row in networks(r)],
        "skills": [row for r in runs for row in skills(r)],
        "reverse": [row for r in runs for row in reverse(r)],
        "predictability": [row for r in records for row in predictability(r)],
        "checks": [row for r in runs for row in checks(r)],
    }


def of(e: Estimate) -> dict:
    return {"value": number(e.value), "error": number(e.error)}


def system(r: Record) -> dict:
    """What was run."""
    s, n = r.numbers.setting, r.numbers
    counts = {key: (p.training, p.samples) for key, p in ordered(n.forward).items()}
    counts |= {key: (p.training, tested(p)) for key, p in ordered(n.reverse).items()}
    return {
        "run": r.origin.run,
        "system": r.origin.system,
        "size": s.size,
        "spacing": s.spacing,
        "epsilon": s.epsilon,
        "well_depth": s.well_depth,
        "noise": s.noise,
        "means": [s.first_mean, s.last_mean],
        "mean_concentrations": s.means,
        "training": s.training,
        "validation": s.validation,
        "test": s.test,
        "segregated": number(s.segregated),
        "models": {key: {"training": a, "test": b} for key, (a, b) in counts.items()},
        "epochs": s.epochs,
        "width": s.width,
        "lambda": s.weight,
        "longest_waves": of(n.physics.longest_waves),
        "seed": r.origin.seed,
        "git_revision": r.origin.revision,
        "device": r.origin.device,
    }


def predictability(r: Record) -> list[dict]:
    """A row a forecaster and age, of all runs."""
    every = [run.numbers.predictability for run in r.runs]
    found = of_all(every)
    if found is None:
        return []
    return [
        {
            "runs": sum(p is not None and name in p.skill for p in every),
            "system": r.origin.system,
            "forecaster": name,
            "age": float(age),
            "samples": found.samples,
            **{what: of(Estimate(*skill[j, m].tolist())) for m, what in enumerate(MEASURES)},
        }
        for name, skill in found.skill.items()
        for j, age in enumerate(found.age)
    ]


def tested(p: Reverse) -> int:
    return sum(found.samples for found in (p.segregated, p.uniform) if found is not None)


def networks(r: Record) -> list[dict]:
    """Of each forward network what is not about a quantity."""
    return [
        {
            "run": r.origin.run,
            "model": key,
            "samples": p.samples,
            "segregated": p.segregated,
            "training": p.training,
            "lambda": p.weight,
            "correlation": of(p.correlation),
            "fates_right": of(p.right),
            "change_of_mean": of(p.change.rms),
            "lower_transition": position(p.lower),
            "upper_transition": position(p.upper),
            "finest_power": of(p.spectrum.share) if p.spectrum else None,
        }
        for key, p in ordered(r.numbers.forward).items()
    ]


def position(at) -> dict:
    return {what: of(getattr(at, what)) for what in ("truth", "prediction", "difference")}


def skills(r: Record) -> list[dict]:
    """Every quantity by every forward network."""
    return [
        {"run": r.origin.run, "model": key, "quantity": q.name, **skill(p, q.name)}
        for key, p in ordered(r.numbers.forward).items()
        for q in SIX
    ]


def skill(p: Forward, quantity: str) -> dict:
    estimates = {
        what: of(p.skills.of(what, quantity))
        for what in (
            "accuracy",
            "baseline_mean",
            "baseline_given_mean",
            "advantage",
            "everything",
            "overlap",
            "distance",
            "uniform_accuracy",
        )
    }
    numbers = {
        what: number(p.skills.number(what, quantity))
        for what in ("other_overlap", "other_distance", "uniform_error")
    }
    counts = {"samples": p.segregated, "uniform_samples": p.samples - p.segregated}
    return {**counts, **estimates, **numbers}


def reverse(r: Record) -> list[dict]:
    """Statistics of every reverse network, segregated and uniform inputs apart."""
    return [
        {"run": r.origin.run, "model": key, "inputs": text, **statistics(found)}
        for key, p in ordered(r.numbers.reverse).items()
        for text, found in (("segregated", p.segregated), ("uniform", p.uniform))
        if found is not None
    ]


def statistics(measured: Statistics) -> dict:
    return {
        "samples": measured.samples,
        **{name: of(getattr(measured, name)) for name in JUDGED},
        "correlation": number(measured.correlation.value),
    }


def checks(r: Record) -> list[dict]:
    """What must hold whatever the paper says; None: there is nothing to check."""
    return [
        {
            "run": r.origin.run,
            "what": what,
            "value": number(value),
            "limit": limit,
            "holds": bool(value <= limit) if np.isfinite(value) else None,
        }
        for what, value, limit in all_checks(r.numbers)
    ]
