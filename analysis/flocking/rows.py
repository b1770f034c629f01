"""A row of the report: the paper's statement, our number with error, and the verdict of a fixed
rule.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import Estimate
from analysis.flocking.dataset import Run
from analysis.verdicts import NO, NOT_RUN, YES, Rule, judged, number

SIZE, DENSITY, CONFIGURATIONS = (
    81,
    3.0,
    4050,
)  # the paper's lattice, slice, and configurations in it
SYSTEM = {"diffusion": 1.0, "self_propulsion": 0.9}


@dataclass(frozen=True)
class Claim:
    """agrees: the verdict; by_rule: what the rule alone says, also where the run is not comparable
    with the paper.
    """

    run: str
    claim: str
    paper: str
    rule: str
    agrees: str = NOT_RUN
    by_rule: str = NOT_RUN
    ours: float | None = None
    error: float | None = None
    data: str = ""
    note: str = ""


def row(
    run: Run,
    text: str,
    paper: str,
    rule: Rule,
    found: Estimate | None,
    *,
    reference: bool = True,
    data: str = "",
    note: str = "",
):
    """A judged row; found None: not run.  reference: the claim is about the slice the networks
    learn, else about all densities.
    """
    if found is None:
        return Claim(run.name, text, paper, rule.text)
    here = len(run.at(run.reference))
    data = data or (
        f"{here} configurations"
        if reference
        else f"{len(run.temperature)} configurations, {len(run.densities)} densities"
    )
    return Claim(
        run.name,
        text,
        paper,
        rule.text,
        judged(rule, found, same_task(run)),
        judged(rule, found, True),
        number(found.value),
        number(found.error),
        data,
        note,
    )


def same_task(run: Run) -> bool:
    """Whether lattice, rates and slice are the paper's and the slice has at least half of its
    configurations.
    """
    system = run.config["system"]
    same = all(np.isclose(float(system.get(name, value)), value) for name, value in SYSTEM.items())
    return bool(
        same
        and run.size == SIZE
        and np.isclose(run.reference, DENSITY)
        and len(run.at(run.reference)) >= CONFIGURATIONS / 2
    )


def exactly(stated: float) -> Rule:
    """That number and no other."""
    return Rule(f"= {stated:g}", lambda estimate: YES if estimate.value == stated else NO)
