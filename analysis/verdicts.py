"""When a claim of a paper counts as confirmed: fixed rules, applied to a number and its error
alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.estimates import Estimate

YES, NO, UNDECIDED, NOT_COMPARABLE, NOT_RUN = "yes", "no", "undecided", "not comparable", "not run"
SIGMAS = 2


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

    return Rule(f"within {tolerance:.1g} of {stated:.3g}", judge)


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
        lowest, highest = (
            estimate.value - SIGMAS * estimate.error,
            estimate.value + SIGMAS * estimate.error,
        )
        if lowest > low and highest < high:
            return YES
        return NO if highest < low or lowest > high else UNDECIDED

    if np.isinf(high):
        return Rule(f"> {low:g}", judge)
    return Rule(f"< {high:g}" if np.isinf(low) else f"{low:g} to {high:g}", judge)


def as_low(stated: float) -> Rule:
    """Less than a tenth above; whatever is lower will do."""
    return Rule(f"< {1.1 * stated:.4g}, the paper's and 10%", below(1.1 * stated).judge)


def above(limit: float) -> Rule:
    return between(limit, np.inf)


def below(limit: float) -> Rule:
    return between(-np.inf, limit)


def number(value: float) -> float | None:
    """For JSON, which knows no NaN."""
    return float(value) if np.isfinite(value) else None


def judged(rule: Rule, estimate: Estimate, comparable: bool) -> str:
    if not comparable:
        return NOT_COMPARABLE
    return rule.judge(estimate) if np.isfinite(estimate.value) else UNDECIDED
