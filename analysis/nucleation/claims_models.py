"""The paper's claims on the trained models: skill (section IV) and weights (section V.A).

Where a model was trained on both kinds of folds, split by configuration as in the paper and split
by event, each has a row of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.claim import Claim
from analysis.estimates import UNDETERMINED, Estimate
from analysis.nucleation import paper, skill
from analysis.nucleation.labels import CONFIGURATION, EVENT, SPLITS, kinds, label
from analysis.nucleation.measure import Numbers
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.skill import FoldEstimate, Tested
from analysis.record import Record
from analysis.verdicts import Rule, above, as_low, below, close_to

HIGHEST_FLOOR = 1.5 / 600
SLIGHTLY = (
    0.1  # of the explainable variance: our reading of "decreases only slightly" and of "vanishes"
)
FEATURES, CONVERGED, SPINS = "features", "features_converged", "spins"
CNN = "cnn"  # in a Statement: each of the paper's networks that there is, of its text and its authors' program

Case = tuple[Numbers, str]  # a system and a model of it


@dataclass(frozen=True)
class Statement:
    """figure, text, paper and rule as in a Claim; models: which it needs of a system; measure(folds
    of each, in order) -> our number.
    """

    figure: str
    text: str
    paper: str
    rule: Rule
    models: tuple[str, ...]
    measure: Callable[..., Estimate | None]
    converged: bool = False  # whether the same is told of the regression at its loss's minimum

    @property
    def of_error(self) -> bool:
        """Whether what needs no network is worth giving beside it."""
        return self.text.startswith("MSE of")


def trained(system: str, says: Statement, cases: list[Case], network: str = "") -> list[Claim]:
    """A claim for each split by which all cases are trained; one that is not run without any.

    network: one of the paper's, if the statement is about them.
    """
    named = [label(network)] if network else []
    rows = []
    for split in (CONFIGURATION, EVENT):
        folds = [numbers.tested(split, model) for numbers, model in cases]
        estimate = says.measure(*folds) if folds and all(folds) else None
        if estimate is None:
            continue
        known = converged(says, cases, split) if says.converged else None
        training = min(f.fold.training for part in folds for f in part)
        test = min(len(f.index) for part in folds for f in part)
        rows.append(
            Claim(
                says.figure,
                system,
                says.text,
                says.paper,
                says.rule,
                estimate,
                network=", ".join([*named, f"split {SPLITS[split]}"]),
                smaller=smaller(cases, split),
                baselines={"predicting the mean": skill.variance(folds[0])}
                if says.of_error
                else {},
                limits={"noise of the labels alone": skill.floor(folds[0])}
                if says.of_error
                else {},
                beside={"with the regression at the minimum of its loss": known} if known else {},
                data=f"{training} training and {test} test configurations",
                note=kinds(min(map(len, folds)), "fold"),
            )
        )
    return rows or [Claim(says.figure, system, says.text, says.paper, says.rule, None)]


def smaller(cases: list[Case], split: str, with_floor: bool = True) -> str:
    """Why models are not comparable with the paper's: less than half of its training
    configurations, or labels noisier than from about 100 copies.
    """
    for numbers, model in cases:
        folds, asked = numbers.tested(split, model), paper.find(numbers.system).training
        fewest = min((f.fold.training for f in folds), default=asked)
        if fewest < asked / 2:
            return f"{fewest} training configurations of the paper's {asked:,}".replace(",", " ")
        if with_floor and folds and skill.floor(folds) > HIGHEST_FLOOR:
            return (
                f"the labels' noise alone leaves an MSE of {skill.floor(folds):.2g}, "
                "the paper's 100 copies 0.0017"
            )
    return ""


def of_system(record: Record, system: PaperSystem) -> list[Claim]:
    statements = near_spinodal(system) if system.size == paper.SPINODAL_SIZE else generic(system)
    rows = []
    for says in statements:
        each = []
        for network in system.networks if CNN in says.models else ("",):
            models = [network if model == CNN else model for model in says.models]
            cases = [(record.numbers, model) for model in models]
            each += trained(record.origin.system, says, cases, network)
        rows += run_or_one(each)
    return rows


def converged(says: Statement, cases: list[Case], split: str) -> Estimate | None:
    """A statement's number with the regression on features at the minimum of its loss, where it was
    trained too.
    """
    folds = [
        numbers.tested(split, CONVERGED if model == FEATURES else model) for numbers, model in cases
    ]
    return says.measure(*folds) if all(folds) else None


def run_or_one(claims: list[Claim]) -> list[Claim]:
    """Of one statement for several networks: those that were run; one not run if none was."""
    return [claim for claim in claims if claim.estimate is not None] or claims[:1]


def generic(system: PaperSystem) -> list[Statement]:
    """Section IV.A for one of R = 1, 3, 5, 10 with L = 10 R."""
    both = "3, 4" if system.range == 10 else "3"
    rows = [
        Statement(
            both,
            "MSE: features LR minus CNN (CNN is better)",
            "> 0",
            above(0),
            (FEATURES, CNN),
            skill.difference,
            converged=True,
        ),
        Statement(
            both,
            "MSE: spins LR minus CNN (CNN is better)",
            "> 0",
            above(0),
            (SPINS, CNN),
            skill.difference,
        ),
        Statement(
            "3",
            "CNN's MSE is lower than features LR's by",
            "around 40%",
            close_to(0.4, last_digit=0.1),
            (CNN, FEATURES),
            skill.reduction,
            converged=True,
        ),
        Statement(
            "3",
            "mean absolute error of features LR",
            "less than 0.1",
            below(0.1),
            (FEATURES,),
            skill.absolute_error,
        ),
    ]
    if system.mse is not None:
        rows += of_largest(system)
    return rows + (of_weights() if system.range in (1, 10) else [])


def of_largest(system: PaperSystem) -> list[Statement]:
    """What section IV.A says of R = 10, L = 100."""
    return [
        Statement(
            "3, 4",
            "MSE: spins LR minus features LR (features are much better)",
            "> 0",
            above(0),
            (SPINS, FEATURES),
            skill.difference,
        ),
        Statement(
            "3",
            "MSE of the CNN, as low as the paper's",
            f"{system.mse:g}",
            as_low(system.mse),
            (CNN,),
            skill.mse,
        ),
        Statement(
            "3",
            "average error (root MSE) of the CNN, as low as the paper's",
            "0.075",
            as_low(0.075),
            (CNN,),
            skill.root_mse,
        ),
        Statement(
            "3, 4",
            "spins LR: accuracy vanishes (explained share of variance)",
            "vanishes",
            below(SLIGHTLY),
            (SPINS,),
            skill.explained,
        ),
    ]


def near_spinodal(system: PaperSystem) -> list[Statement]:
    """Section IV.B for one L = 200 system."""
    if system.mse is None:
        return []
    text, rule = "MSE of the CNN", close_to(system.mse)
    return [Statement("5", text, f"{system.mse:g}", rule, (CNN,), skill.mse)]


def of_weights() -> list[Statement]:
    """Section V.A: signs and order of the features' weights."""

    def row(text: str, stated: str, rule: Rule, number: Callable) -> Statement:
        measure = partial(mean_weight, number=number)
        return Statement("6", text, stated, rule, (FEATURES,), measure, converged=True)

    return [
        row("weight of m (along the stable direction)", "positive", above(0), lambda w: w[0]),
        row("weight of R(1)", "negative", below(0), lambda w: w[1]),
        row(
            "m and R(1) weigh most: smaller |weight| of the two minus the largest other",
            "> 0",
            above(0),
            lambda w: np.abs(w[:2]).min() - np.abs(w[2:]).max(),
        ),
    ]


def mean_weight(folds: list[Tested], number: Callable[[np.ndarray], float]) -> FoldEstimate | None:
    """Mean over folds of a number of the weights; None if a fold has none."""
    if any(f.fold.weights is None for f in folds):
        return None
    return skill.over_folds(np.array([number(f.fold.weights) for f in folds]), folds)


def share_of_higher_moments(folds: list[Tested]) -> Estimate:
    """sum |w| of R(2), ..., R(9) over sum |w| of all ten."""
    share = mean_weight(folds, lambda w: float(np.abs(w[2:]).sum() / np.abs(w).sum()))
    return share or UNDETERMINED


# ---- between systems


@dataclass(frozen=True)
class Change:
    """A claim on how a number of one model changes from one end of a series of systems to the
    other.  models: that it is about, each for itself.
    """

    figure: str
    models: tuple[str, ...]
    text: str
    paper: str
    rule: Rule
    number: Callable[[list[Tested]], Estimate]


def across(records: list[Record]) -> list[Claim]:
    small = [r for r in records if not paper.near_spinodal(r.numbers.system)]
    large = [r for r in records if paper.near_spinodal(r.numbers.system)]
    share = "change of its explained share"
    higher = "higher moments matter more for long range: rise of the share of R(2) to R(9) in sum |weight|"
    generic_rows = [
        Change("3", (SPINS,), "spins LR degrades: rise of its MSE", "> 0", above(0), skill.mse),
        Change(
            "3",
            paper.GENERIC,
            f"CNN degrades only slightly: {share}",
            "slight fall",
            above(-SLIGHTLY),
            skill.explained,
        ),
        Change("6", (FEATURES,), higher, "> 0", above(0), share_of_higher_moments),
    ]
    text = "CNN degrades towards the spinodal: rise of its MSE"
    near = Change("5", paper.SPINODAL, text, "0.0052 to 0.0174", above(0), skill.mse)
    rows = [row for says in generic_rows for row in changed(small, says, "R = 1 to 10, L = 10 R")]
    return rows + changed(large, near, "R = 10 to 20, L = 200")


def changed(records: list[Record], says: Change, alone: str) -> list[Claim]:
    """From the smallest to the largest R of the systems with a model (`alone`: how they are called
    where there are fewer than two).
    """
    return run_or_one([row for m in says.models for row in _changed(records, says, m, alone)])


def _changed(records: list[Record], says: Change, model: str, alone: str) -> list[Claim]:
    found = sorted(
        (r for r in records if model in r.numbers.models()),
        key=lambda r: r.numbers.system.range,
    )
    several = len(found) > 1
    name = f"{found[0].origin.system} to {found[-1].origin.system}" if several else alone
    cases = [(r.numbers, model) for r in (found[0], found[-1])] if several else []
    statement = Statement(
        says.figure,
        says.text,
        says.paper,
        says.rule,
        (model,),
        lambda first, last: skill.independent(says.number(last), says.number(first)),
    )
    return trained(name, statement, cases, model if len(says.models) > 1 else "")
