"""A claim of a paper: what it states, our number with its error, the verdict of a fixed rule."""

from dataclasses import dataclass, field, replace

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate, exact
from analysis.verdicts import NO, NOT_COMPARABLE, NOT_RUN, UNDECIDED, YES, Rule, judged, number

ROUND_OFF = 1e-9  # of a number: an error that is smaller is none


@dataclass(frozen=True)
class Claim:
    """One statement.

    figure: of the paper, "5" or "3, 4"; "" for its text. system, network: what it was tested on.
    text: the statement, without numbers of ours. paper: its value there, in words. estimate: ours;
    None: not run. unit: of both. smaller: why it is not comparable with the paper, "" where it is.
    baselines: {what needs no network: its number}. limits: {what no network can beat: its number}.
    data: how much it rests on. note: what else is worth saying.
    """

    figure: str
    system: str
    text: str
    paper: str
    rule: Rule
    estimate: Estimate | None
    network: str = ""
    unit: str = ""
    smaller: str = ""
    baselines: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    data: str = ""
    note: str = ""

    @property
    def by_rule(self) -> str:
        """What the rule alone says, comparable or not."""
        return NOT_RUN if self.estimate is None else judged(self.rule, self.estimate, True)

    @property
    def agrees(self) -> str:
        """yes, no, undecided, not comparable or not run."""
        return NOT_COMPARABLE if self.smaller and self.estimate is not None else self.by_rule

    @property
    def also(self) -> list[str]:
        """What needs no network and keeps the rule too: the claim then says little of a network."""
        if self.by_rule != YES:
            return []
        return [what for what, x in self.baselines.items() if self.rule.judge(exact(x)) == YES]

    @property
    def ours(self) -> str:
        """The number as it is printed."""
        return "" if self.estimate is None else str(self.estimate)

    @staticmethod
    def known(numbers: dict[str, float]) -> dict[str, float]:
        return {what: float(value) for what, value in numbers.items() if np.isfinite(value)}

    def as_row(self) -> dict:
        """For report.json."""
        found = self.estimate or UNDETERMINED
        return {
            "figure": self.figure,
            "system": self.system,
            "network": self.network,
            "claim": self.text,
            "paper": self.paper,
            "rule": self.rule.text,
            "agrees": self.agrees,
            "by_rule": self.by_rule,
            "ours": number(found.value),
            "error": number(found.error),
            "unit": self.unit,
            "smaller": self.smaller,
            "baselines": self.known(self.baselines),
            "limits": self.known(self.limits),
            "also": self.also,
            "data": self.data,
            "note": self.note,
        }


def pooled(groups: list[list[Claim]]) -> list[Claim]:
    """Claims of several records of one system, a list each, as one list: a number that several have
    is their mean.

    Where their errors explain how far the numbers are apart, it is weighted by 1 / error^2, and its
    error is the smaller one of all together. Where they do not, as of trainings that differ by more
    than their test samples tell, or where a number has no error, each run counts as one, and the
    error is that of their scatter. Equal numbers without an error stay as they are. What one record
    has for any network is not "not run" in the others.
    """
    order, found = [], {}
    for claims in groups:
        for claim in claims:
            key = (claim.figure, claim.system, claim.network, claim.text)
            order += [] if key in found else [key]
            found.setdefault(key, []).append(claim)
    together = [_together(found[key]) for key in order]
    ran = {(c.figure, c.system, c.text) for c in together if c.estimate is not None}
    return [c for c in together if c.estimate or (c.figure, c.system, c.text) not in ran]


def _together(claims: list[Claim]) -> Claim:
    run = [c for c in claims if c.estimate is not None]
    first = (run or claims)[0]
    known = [c.estimate for c in run if c.estimate and np.isfinite(c.estimate.value)]
    if len(known) < 2:
        return next((c for c in run if c.estimate is known[0]), first) if known else first
    found = together(known)
    if found is known[0]:
        return first
    smaller = "" if any(not c.smaller for c in run) else first.smaller
    data = f"{len(known)} runs together" + (f"; {first.data}" if first.data else "")
    return replace(first, estimate=found, smaller=smaller, data=data)


def together(known: list[Estimate]) -> Estimate:
    """The mean of what several runs found, as `pooled` says; the first of equal numbers without an
    error.
    """
    value, error = (np.array([getattr(e, name) for e in known]) for name in ("value", "error"))
    has = np.isfinite(error) & (error > ROUND_OFF * np.abs(value))
    if len(known) == 1 or (not has.any() and np.ptp(value) == 0):
        return known[0]
    found = weighted(value, error) if has.all() else None
    if found is None:
        own = error[has].mean() if has.any() else 0.0
        apart = float(max(value.std(ddof=1), own) / np.sqrt(len(value)))
        found = Estimate(float(value.mean()), apart)
    return found


def weighted(value: np.ndarray, error: np.ndarray) -> Estimate | None:
    """Mean of numbers (n,) by their errors; None where these do not explain how far apart they
    are.
    """
    weight = error**-2.0
    mean = float((weight * value).sum() / weight.sum())
    if float((weight * (value - mean) ** 2).sum()) > len(value) - 1:
        return None
    return Estimate(mean, float(weight.sum() ** -0.5))


# what is said of a figure of the paper, and what it means: the legend of a page
VERDICTS = {
    "agrees": "what is claimed of the figure holds by the rules below",
    "agrees, as does what needs no network": "it holds, and says little of a network",
    "agrees, in part undecided": "some of it holds, for the rest our errors are too large to tell",
    "agrees in part": "some of it holds, some does not",
    "disagrees": "it does not hold",
    UNDECIDED: "our errors are too large, or not known, to tell",
    "drawn": "the figure is there, and no number of it is claimed",
    NOT_RUN: "it needs what these runs do not have",
}


def verdict(claims: list[Claim]) -> str:
    """Of a figure, one of VERDICTS; in brackets by the rules alone, where none of its numbers is
    comparable with the paper.
    """
    found = {claim.agrees for claim in claims}
    if not found & {YES, NO, UNDECIDED} and NOT_COMPARABLE in found:
        return f"({_verdict([c for c in claims if c.agrees == NOT_COMPARABLE])})"
    return _verdict([claim for claim in claims if claim.agrees != NOT_COMPARABLE])


def _verdict(claims: list[Claim]) -> str:
    found = {claim.by_rule for claim in claims}
    if found - {NOT_RUN} == {YES} and all(c.also for c in claims if c.by_rule == YES):
        return "agrees, as does what needs no network"
    if NO in found:
        return "disagrees" if YES not in found else "agrees in part"
    if YES in found:
        return "agrees, in part undecided" if UNDECIDED in found else "agrees"
    return UNDECIDED if UNDECIDED in found else NOT_RUN
