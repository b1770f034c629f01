"""The paper's claims as rows, and how the report says they are judged."""

from dataclasses import dataclass

from analysis.estimates import Estimate
from analysis.verdicts import NOT_RUN, Rule, judged, number

HOW_JUDGED = """\
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
class Claim:
    """One row: the paper's statement, our number with error (None: none), and whether it agrees by
    `rule`.

    training, test: configurations per fold (None: no trained model in it); configurations: of the
    data set. floor: label-noise floor of the test sets. other: the same for the split by event
    where the row is split by
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


def claim(
    system: str,
    text: str,
    paper: str,
    rule: Rule,
    estimate: Estimate | None,
    comparable: bool = True,
    **more,
) -> Claim:
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
