"""A claim of a paper: what it states, our number with its error, the verdict of a fixed rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate, exact, together
from analysis.verdicts import NO, NOT_COMPARABLE, NOT_RUN, UNDECIDED, YES, Rule, judged, number
from kernels.estimate import last_digit, written

MORE_DIGITS = (2, 3, 4)  # of an error


@dataclass(frozen=True)
class Claim:
    """One statement.

    figure: of the paper, "5" or "3, 4"; "" for its text. system, network: what it was tested on.
    text: the statement, without numbers of ours. paper: its value there, in words. estimate: ours;
    None: not run. unit: of both. smaller: why it is not comparable with the paper, "" where it is.
    baselines: {what needs no network: its number}. limits: {what no network can beat: its number};
    beside: {what else was measured in the same way: its number}; a bare number has no error. data:
    how much it rests on. note: what else is worth saying. runs: how many have the number.
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
    baselines: Mapping[str, float | Estimate] = field(default_factory=dict)
    limits: Mapping[str, float | Estimate] = field(default_factory=dict)
    beside: Mapping[str, float | Estimate] = field(default_factory=dict)
    data: str = ""
    note: str = ""
    runs: int = 1

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
        known = self.known(self.baselines)
        return [what for what, found in known.items() if self.rule.judge(found) == YES]

    @property
    def unlike(self) -> dict[str, str]:
        """Verdicts of what was measured beside it, where the rule says something else of it."""
        known = self.known(self.beside)
        said = {what: self.rule.judge(found) for what, found in known.items()}
        return {what: word for what, word in said.items() if word != self.by_rule}

    @property
    def ours(self) -> str:
        """The number as it is printed, with as many digits as its verdict takes."""
        if self.estimate is None:
            return ""
        value, error = self.estimate.value, self.estimate.error
        if np.isfinite(value) and 0 < error < np.inf:
            for digits in (None, *MORE_DIGITS):
                last = last_digit(error, digits)
                printed = Estimate(round(value, -last), round(error, -last))
                if self.rule.judge(printed) == self.rule.judge(self.estimate):
                    return str(self.estimate) if digits is None else written(value, error, digits)
        return str(self.estimate)

    @staticmethod
    def known(numbers: Mapping[str, float | Estimate]) -> dict[str, Estimate]:
        """Those that are determined."""
        found = {what: x if isinstance(x, Estimate) else exact(x) for what, x in numbers.items()}
        return {what: x for what, x in found.items() if np.isfinite(x.value)}

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
            "baselines": {what: x.value for what, x in self.known(self.baselines).items()},
            "limits": {what: x.value for what, x in self.known(self.limits).items()},
            "beside": {
                what: [x.value, number(x.error)] for what, x in self.known(self.beside).items()
            },
            "also": self.also,
            "data": self.data,
            "note": self.note,
            "runs": self.runs,
        }


def pooled(groups: list[list[Claim]]) -> list[Claim]:
    """Claims of several records of one system, a list each, as one list: a number that several have
    is their mean (estimates.together), and so is what stands beside it. What one record has for any
    network is not "not run" in the others.
    """
    order, found = [], {}
    for claims in groups:
        for claim in claims:
            key = (claim.figure, claim.system, claim.network, claim.text)
            order += [] if key in found else [key]
            found.setdefault(key, []).append(claim)
    of_all = [_one(found[key]) for key in order]
    ran = {(c.figure, c.system, c.text) for c in of_all if c.estimate is not None}
    return [c for c in of_all if c.estimate or (c.figure, c.system, c.text) not in ran]


def _one(claims: list[Claim]) -> Claim:
    run = [c for c in claims if c.estimate is not None]
    first = (run or claims)[0]
    known = [c for c in run if c.estimate and np.isfinite(c.estimate.value)]
    if len(known) < 2:
        return known[0] if known else first
    return replace(
        first,
        estimate=together([c.estimate for c in known if c.estimate]),
        smaller="" if any(not c.smaller for c in run) else first.smaller,
        baselines=_mean([c.known(c.baselines) for c in known]),
        limits=_mean([c.known(c.limits) for c in known]),
        beside=_mean([c.known(c.beside) for c in known]),
        data=f"{len(known)} runs together" + (f"; {first.data}" if first.data else ""),
        runs=len(known),
    )


def _mean(numbers: list[dict[str, Estimate]]) -> dict[str, Estimate]:
    """What stands beside the numbers of several runs."""
    names = dict.fromkeys(what for each in numbers for what in each)
    return {what: together([each[what] for each in numbers if what in each]) for what in names}


# what is said of a figure of the paper, and what it means: the legend of a page
VERDICTS = {
    "agrees": "what is claimed of the figure holds by the rules below",
    "agrees, as does what needs no network": "it holds, and says little of a network",
    "agrees, in part undecided": "some of it holds, for the rest our errors are too large to tell",
    "agrees, in part not run": "what these runs have of it holds, the rest needs what they do not have",
    "agrees, in part undecided or not run": "some of it holds, the rest our errors do not decide, or needs what these runs do not have",
    "agrees in part": "some of it holds, some does not",
    "disagrees": "it does not hold",
    UNDECIDED: "our errors are too large, or not known, to tell",
    "drawn": "the figure is on this page, and no claim about it was tested",
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
        lacks = [what for what in (UNDECIDED, NOT_RUN) if what in found]
        return f"agrees, in part {' or '.join(lacks)}" if lacks else "agrees"
    return UNDECIDED if UNDECIDED in found else NOT_RUN
