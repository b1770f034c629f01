"""When a claim of the paper counts as confirmed: fixed rules, applied to a number and its error alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.nucleation.estimates import Estimate

YES, NO, UNDECIDED, NOT_COMPARABLE, NOT_RUN = "yes", "no", "undecided", "not comparable", "not run"
SIGMAS = 2

TEXT = """\
- **agrees** is decided by the rule in the column "agrees if" and nothing else; "error" is the standard error given
  with our number (none: a number is judged by its tolerance alone, everything else is undecided).
  *number +- tolerance* (10% of the paper's number, or half of the last digit it states): yes if ours is within the
  tolerance, no if it is beyond it by more than 2 errors, and undecided between, or where 2 errors exceed twice the
  tolerance. *x to y, ours alone*: for what the paper calls "about" or
  "around", half to twice its number. *> x*, *< x*, *x to y*: yes if 2 errors to both sides satisfy it, no if 2 errors to
  both sides violate it, else undecided.
- **not comparable**: the claim needs a trained model and ours had less than half of the paper's training
  configurations (12 000; 7 000 at L = 200), or labels with a noise floor above 1.5/600 (the paper's 100 copies: 1/600);
  or maps of two systems were made with different patches; and growth times, whose start the paper does not define.
  The number is given all the same.
- **split**: judged is the split by configuration, the paper's, where it was run, else the split by event; where both
  were run, the last column has the split by event with its own verdict. By configuration, configurations of one event
  lie in training and test set alike; by event they never do.
"""


@dataclass(frozen=True)
class Rule:
    """text: for the column "agrees if"; judge(estimate): yes, no or undecided."""

    text: str
    judge: Callable[[Estimate], str]


def close_to(stated: float, last_digit: float = 0.0) -> Rule:
    """Within 10% or half of the last stated digit; an error too large to tell decides nothing."""
    tolerance = max(0.1 * abs(stated), last_digit / 2)

    def judge(estimate: Estimate) -> str:
        doubt, off = SIGMAS * np.nan_to_num(estimate.error), abs(estimate.value - stated)
        if off <= tolerance * (1 + 1e-12):
            return YES if doubt <= 2 * tolerance else UNDECIDED
        return NO if off > tolerance + doubt else UNDECIDED

    return Rule(f"{stated:g} ± {tolerance:.2g}", judge)


def about(stated: float) -> Rule:
    """Half to twice."""
    return Rule(
        f"{stated / 2:g} to {2 * stated:g}, ours alone",
        lambda estimate: YES if stated / 2 <= estimate.value <= 2 * stated else NO,
    )


def between(low: float, high: float) -> Rule:
    """All of value - 2 errors to value + 2 errors inside: yes; all of it outside: no."""

    def judge(estimate: Estimate) -> str:
        if not np.isfinite(estimate.error):
            return UNDECIDED
        lowest, highest = estimate.value - SIGMAS * estimate.error, estimate.value + SIGMAS * estimate.error
        if lowest > low and highest < high:
            return YES
        return NO if highest < low or lowest > high else UNDECIDED

    if np.isinf(high):
        return Rule(f"> {low:g}", judge)
    return Rule(f"< {high:g}" if np.isinf(low) else f"{low:g} to {high:g}", judge)


def above(limit: float) -> Rule:
    return between(limit, np.inf)


def below(limit: float) -> Rule:
    return between(-np.inf, limit)


@dataclass(frozen=True)
class Claim:
    """One row: the paper's statement, our number with error (None: none), and whether it agrees by `rule`.

    training, test: configurations per fold (None: no trained model in it); configurations: of the data set. floor:
    label-noise floor of the test sets. other: the same for the split by event where the row is split by
    configuration: {"split", "ours", "error", "agrees"}.
    """

    system: str
    claim: str
    paper: str
    rule: str
    agrees: str = NOT_RUN
    ours: float | None = None
    error: float | None = None
    unit: str = ""
    split: str | None = None
    floor: float | None = None
    training: int | None = None
    test: int | None = None
    configurations: int | None = None
    other: dict | None = None
    note: str = ""


def number(value: float) -> float | None:
    """For JSON, which knows no NaN."""
    return float(value) if np.isfinite(value) else None


def claim(system: str, text: str, paper: str, rule: Rule, estimate: Estimate | None, comparable: bool = True, **more) -> Claim:
    """A judged row; estimate None: not run."""
    if estimate is None:
        return Claim(system, text, paper, rule.text, unit=more.get("unit", ""))
    return Claim(
        system,
        text,
        paper,
        rule.text,
        judged(rule, estimate, comparable),
        number(estimate.value),
        number(estimate.error),
        **more,
    )


def judged(rule: Rule, estimate: Estimate, comparable: bool) -> str:
    if not comparable:
        return NOT_COMPARABLE
    return rule.judge(estimate) if np.isfinite(estimate.value) else UNDECIDED
