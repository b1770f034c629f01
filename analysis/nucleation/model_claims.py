"""The paper's claims on the trained models: skill (section IV) and weights (section V.A)."""

from collections.abc import Callable

import numpy as np

from analysis import verdicts
from analysis.estimates import Estimate
from analysis.nucleation import skill
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.skill import FoldEstimate
from analysis.nucleation.study import Study
from analysis.nucleation.training import CONFIGURATION, EVENT, Fold
from analysis.nucleation.verdicts import Claim, claim
from analysis.verdicts import Rule, above, below, close_to

HIGHEST_FLOOR = 1.5 / 600
SLIGHTLY = (
    0.1  # of the explainable variance: our reading of "decreases only slightly" and of "vanishes"
)
CNN, FEATURES, SPINS = "cnn_2layer", "features", "spins"

Case = tuple[Study, tuple[str, ...]]  # a system and the models that a claim needs of it


def trained(
    cases: list[Case],
    system: str,
    text: str,
    paper: str,
    rule: Rule,
    measure: Callable[..., Estimate | None],
) -> Claim:
    """A row from trained models; measure(folds of each case's models, in order) -> estimate.

    The split by configuration is judged, with the split by event beside it; not run where a model
    is missing.
    """
    rows = []
    for split in (CONFIGURATION, EVENT):
        folds = [study.folds(split, model) for study, models in cases for model in models]
        estimate = measure(*folds) if folds and all(folds) else None
        if estimate is None:
            continue
        floors = [skill.floor(study.run, study.folds(split, models[0])) for study, models in cases]
        rows.append(
            claim(
                system,
                text,
                paper,
                rule,
                estimate,
                comparable(cases, split, floors),
                split=split,
                floor=verdicts.number(floors[0]) if len(cases) == 1 else None,
                training=min(len(fold.training) for part in folds for fold in part),
                test=min(len(fold.index) for part in folds for fold in part),
                configurations=min(len(study.run.p_nuc) for study, _ in cases),
                note=f"{min(map(len, folds))} fold{'s' * (min(map(len, folds)) > 1)}",
            )
        )
    if not rows:
        return claim(system, text, paper, rule, None)
    if len(rows) == 1:
        return rows[0]
    beside = {name: getattr(rows[1], name) for name in ("split", "ours", "error", "agrees")}
    return Claim(**{**vars(rows[0]), "other": beside})


def comparable(cases: list[Case], split: str, floors: list[float]) -> bool:
    """Half of the paper's training configurations or more, and labels about as good as from 100
    copies.
    """
    enough = all(
        len(fold.training) >= study.paper.training / 2
        for study, models in cases
        for model in models
        for fold in study.folds(split, model)
    )
    return enough and all(not floor > HIGHEST_FLOOR for floor in floors)


def generic(system: PaperSystem, study: Study | None, name: str) -> list[Claim]:
    """Section IV.A for one of R = 1, 3, 5, 10 with L = 10 R."""
    run = study.run if study else None

    def row(models: tuple, text: str, paper: str, rule: Rule, measure: Callable) -> Claim:
        return trained([(study, models)] if study else [], name, text, paper, rule, measure)

    rows = [
        row(
            (FEATURES, CNN),
            "MSE: features LR minus CNN (CNN is better)",
            "> 0",
            above(0),
            lambda features, cnn: skill.difference(run, features, cnn),
        ),
        row(
            (SPINS, CNN),
            "MSE: spins LR minus CNN (CNN is better)",
            "> 0",
            above(0),
            lambda spins, cnn: skill.difference(run, spins, cnn),
        ),
        row(
            (CNN, FEATURES),
            "CNN's MSE is lower than features LR's by",
            "around 40%",
            close_to(0.4, last_digit=0.1),
            lambda cnn, features: skill.reduction(run, cnn, features),
        ),
        row(
            (FEATURES,),
            "mean absolute error of features LR",
            "less than 0.1",
            below(0.1),
            lambda features: skill.absolute_error(run, features),
        ),
    ]
    if system.mse is not None:
        rows += [
            row(
                (SPINS, FEATURES),
                "MSE: spins LR minus features LR (features are much better)",
                "> 0",
                above(0),
                lambda spins, features: skill.difference(run, spins, features),
            ),
            row(
                (CNN,),
                "MSE of the CNN, 2 layers",
                f"{system.mse:g}",
                close_to(system.mse),
                lambda cnn: skill.mse(run, cnn),
            ),
            row(
                (CNN,),
                "average error (root MSE) of the CNN",
                "0.075",
                close_to(0.075),
                lambda cnn: skill.root_mse(run, cnn),
            ),
            row(
                (SPINS,),
                "spins LR: accuracy vanishes (explained share of variance)",
                "vanishes",
                below(SLIGHTLY),
                lambda spins: skill.explained(run, spins),
            ),
        ]
    if system.range in (1, 10):
        rows += weights(study, name)
    return rows


def near_spinodal(system: PaperSystem, study: Study | None, name: str) -> list[Claim]:
    """Section IV.B for one L = 200 system."""
    if system.mse is None:
        return []
    cases = [(study, (system.network,))] if study else []
    return [
        trained(
            cases,
            name,
            "MSE of the CNN, 4 layers",
            f"{system.mse:g}",
            close_to(system.mse),
            lambda cnn: skill.mse(study.run, cnn),
        )
    ]


def weights(study: Study | None, name: str) -> list[Claim]:
    """Section V.A: signs and order of the features' weights."""

    def row(text: str, paper: str, rule: Rule, number: Callable[[np.ndarray], float]) -> Claim:
        cases = [(study, (FEATURES,))] if study else []
        return trained(cases, name, text, paper, rule, lambda folds: of_weights(folds, number))

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


def of_weights(folds: list[Fold], number: Callable[[np.ndarray], float]) -> FoldEstimate | None:
    """Mean over folds of a number of the weights; None if a fold has none."""
    if any(fold.weights is None for fold in folds):
        return None
    return skill.over_folds(np.array([number(fold.weights) for fold in folds]), folds)


def share_of_higher_moments(w: np.ndarray) -> float:
    """sum |w| of R(2), ..., R(9) over sum |w| of all ten."""
    return float(np.abs(w[2:]).sum() / np.abs(w).sum())


def ends(studies: list[Study], model: str) -> tuple[list[Case], str]:
    """The systems of smallest and largest R (towards the spinodal) with this model, and their
    names.
    """
    found = sorted(
        (s for s in studies if any(s.folds(split, model) for split in (EVENT, CONFIGURATION))),
        key=lambda s: s.run.system.range,
    )
    if len(found) < 2:
        return [], ""
    return [(found[0], (model,)), (found[-1], (model,))], f"{found[0].name} to {found[-1].name}"


def across(studies: list[Study]) -> list[Claim]:
    """Claims that compare systems: `studies` are those of the paper's systems that were run."""
    small = [s for s in studies if not s.near_spinodal]
    large = [s for s in studies if s.near_spinodal]

    def row(
        group: list[Study],
        model: str,
        alone: str,
        text: str,
        paper: str,
        rule: Rule,
        number: Callable,
    ) -> Claim:
        cases, names = ends(group, model)
        return trained(
            cases,
            names or alone,
            text,
            paper,
            rule,
            lambda first, last: skill.independent(
                number(cases[1][0].run, last), number(cases[0][0].run, first)
            ),
        )

    generic_name, near_name = "R = 1 to 10, L = 10 R", "R = 10 to 20, L = 200"
    return [
        row(
            small,
            SPINS,
            generic_name,
            "spins LR degrades: rise of its MSE",
            "> 0",
            above(0),
            skill.mse,
        ),
        row(
            small,
            CNN,
            generic_name,
            "CNN degrades only slightly: change of its explained share",
            "slight fall",
            above(-SLIGHTLY),
            skill.explained,
        ),
        row(
            small,
            FEATURES,
            generic_name,
            "higher moments matter more for long range: rise of the share of R(2) to R(9) in sum |weight|",
            "> 0",
            above(0),
            lambda run, folds: (
                of_weights(folds, share_of_higher_moments) or Estimate(np.nan, np.nan)
            ),
        ),
        row(
            large,
            "cnn_4layer",
            near_name,
            "CNN degrades towards the spinodal: rise of its MSE",
            "0.0052 to 0.0174",
            above(0),
            skill.mse,
        ),
    ]
