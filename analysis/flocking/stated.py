"""A claim about one run: how much it rests on, and whether it can be compared with the paper's."""

import numpy as np

from analysis.claim import Claim
from analysis.estimates import Estimate
from analysis.flocking.measure import About
from analysis.record import Record
from analysis.verdicts import NO, YES, Rule

# the paper's lattice, rates and slice, and configurations in it
SIZE, DIFFUSION, PROPULSION, DENSITY, CONFIGURATIONS = 81, 1.0, 0.9, 3.0, 4050


def of_slice(
    record: Record,
    figure: str,
    text: str,
    paper: str,
    rule: Rule,
    estimate: Estimate | None,
    **more,
) -> Claim:
    """About the slice that the networks learn; estimate None: not run.  more: other fields of a
    claim.
    """
    about = record.numbers.about
    return stated(record, f"{about.configurations} configurations", more)(
        figure, record.origin.system, text, paper, rule, estimate
    )


def of_all(
    record: Record,
    figure: str,
    text: str,
    paper: str,
    rule: Rule,
    estimate: Estimate | None,
    **more,
) -> Claim:
    """About all densities."""
    numbers = record.numbers
    data = f"{numbers.about.everything} configurations, {len(numbers.diagram.density)} densities"
    return stated(record, data, more)(figure, record.origin.system, text, paper, rule, estimate)


def stated(record: Record, data: str, more: dict):
    """Claim, but for its first six fields."""
    common = {"smaller": smaller(record.numbers.about), "data": data, **more}
    return lambda *first: Claim(*first, **common)


def smaller(about: About) -> str:
    """Why a run is not comparable with the paper, "" where it is: another lattice, rates or slice,
    or less than half of its configurations in it.
    """
    reasons = [
        f"{name} = {ours:g} in place of the paper's {theirs:g}"
        for name, ours, theirs in (
            ("L", about.size, SIZE),
            ("D", about.diffusion, DIFFUSION),
            ("epsilon", about.self_propulsion, PROPULSION),
            ("rho0", about.density, DENSITY),
        )
        if not np.isclose(ours, theirs)
    ]
    if about.configurations < CONFIGURATIONS / 2:
        reasons.append(
            f"{about.configurations} configurations at rho0 = {about.density:g} in place of "
            f"{CONFIGURATIONS}"
        )
    return "; ".join(reasons)


def exactly(stated: float) -> Rule:
    """That number and no other."""
    return Rule(f"= {stated:g}", lambda estimate: YES if estimate.value == stated else NO)
