"""Claims on what changes towards the spinodal: from the farthest to the nearest of the L = 200
systems.
"""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.estimates import Estimate
from analysis.nucleation import paper, skill
from analysis.nucleation.measure import Numbers
from analysis.record import Record
from analysis.verdicts import Rule, above

PAPER = "> 0"
RULE: Rule = above(0)


@dataclass(frozen=True)
class Trend:
    """A claim on what changes towards the spinodal: figure, text, sign (1: it rises, -1: it falls)
    and unit.
    """

    figure: str
    text: str
    sign: int
    unit: str = ""

    def change(self, first: Estimate, last: Estimate) -> Estimate:
        """Of the number, from the first system to the last, along the sign."""
        pair = (last, first) if self.sign > 0 else (first, last)
        return skill.independent(*pair)


def ends(records: list[Record], has: Callable[[Numbers], bool]) -> list[Record]:
    """The L = 200 systems that have something, the farthest from the spinodal first."""
    found = [r for r in records if paper.near_spinodal(r.numbers.system) and has(r.numbers)]
    return sorted(found, key=lambda r: -paper.distance_to_spinodal(r.numbers.system))


def towards(records: list[Record]) -> str:
    """Names of the first and the last system."""
    if len(records) < 2:
        return "R = 10 to 20, L = 200"
    return f"{records[0].origin.system} to {records[-1].origin.system}"
