"""Every claim of the paper as one row: its value, ours with an error, what no network reaches, and
a verdict by a fixed rule.
"""

from dataclasses import dataclass, replace

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate, of_sums, ratio
from analysis.segregation import structure, transition
from analysis.segregation.dataset import TRAINING, Run
from analysis.segregation.predictions import Predictions
from analysis.segregation.quantities import (
    L1_ALONE,
    MODELS,
    NAMED_IN_ABSTRACT,
    PAPERS,
    REVERSE,
    SIX,
)
from analysis.segregation.skill import Skill, overlap
from analysis.verdicts import (
    NO,
    NOT_COMPARABLE,
    NOT_RUN,
    YES,
    Rule,
    above,
    below,
    between,
    judged,
    number,
)

STATED = "up to 98%"
REACHED = 0.975  # rounds to the paper's 98%
# of the paper's mean concentrations: a change below it stays nearer to no other mixture than
# half-way
STEP = 0.01
SIZE, SAMPLES, LAMBDA = (
    64,
    8640,
    1.0,
)  # cells a side, training samples and weight of the GAN of the paper
WIDEST_GAP = 0.02  # between mean concentrations, for a position of the transition to mean anything
BLURRED, SHARPENED = 0.9, 1.1  # of the truth's power: less is lost, more is made up


@dataclass(frozen=True)
class Claim:
    """One row.  agrees: the verdict; by_rule: what the rule alone says, also where the run is not
    comparable with the paper.

    baselines: {what: its value} of predictions without a network, by the same measure.
    """

    run: str
    model: str
    claim: str
    paper: str
    rule: str
    agrees: str = NOT_RUN
    by_rule: str = NOT_RUN
    ours: float | None = None
    error: float | None = None
    samples: int | None = None
    baselines: dict[str, float | None] | None = None
    note: str = ""


def row(
    run: Run,
    model: str,
    text: str,
    paper: str,
    rule: Rule,
    estimate: Estimate | None,
    *,
    comparable: bool = True,
    **more,
) -> Claim:
    """A judged row; estimate None: not run."""
    if estimate is None:
        return Claim(run.name, MODELS[model].title, text, paper, rule.text)
    comparable = comparable and same_task(run, run.predictions[model])
    return Claim(
        run.name,
        MODELS[model].title,
        text,
        paper,
        rule.text,
        judged(rule, estimate, comparable),
        judged(rule, estimate, True),
        number(estimate.value),
        number(estimate.error),
        **more,
    )


def same_task(run: Run, p: Predictions) -> bool:
    """Whether grid and lambda are the paper's and the training set at least half of its."""
    return (
        run.size == SIZE
        and run.training_samples(p) >= SAMPLES / 2
        and p.train.get("adversarial_weight", LAMBDA) == LAMBDA
    )


def all_claims(run: Run, skills: list[Skill]) -> list[Claim]:
    """All rows of one run."""
    p = run.predictions.get(PAPERS)
    return [
        conservation(run, p),
        *phase_transition(run, p),
        *accuracy(run, skills),
        *sharpness(run),
        *reversible(run),
    ]


def root_mean_square(change: np.ndarray) -> Estimate:
    return of_sums(
        np.stack([np.ones(len(change)), change**2], axis=1),
        lambda s: np.sqrt(s[..., 1] / s[..., 0]),
    )


def conservation(run: Run, p: Predictions | None) -> Claim:
    found, more = None, {}
    if p is not None:
        change = p.change[p.segregated]
        found = root_mean_square(change)
        more = {"samples": len(change)}
        if len(change):
            more["note"] = f"mean change {change.mean():+.1e}, largest {np.abs(change).max():.1e}"
    return row(
        run,
        PAPERS,
        "conserves the phase fraction: rms change of the mean concentration",
        "conserved",
        below(STEP),
        found,
        **more,
    )


def fate_given_mean(run: Run, p: Predictions) -> float:
    """Share of p's samples whose fate is what most training samples at the nearest mean
    concentration do.
    """
    rows = np.flatnonzero(run.split == TRAINING)
    if len(rows) == 0:
        return np.nan
    known, place = np.unique(run.mean_concentration[rows].round(6), return_inverse=True)
    most = np.bincount(place, run.segregated[rows]) / np.bincount(place) > 0.5
    nearest = np.abs(p.mean_concentration[:, None] - known).argmin(axis=1)
    return float((most[nearest] == p.segregated).mean())


def phase_transition(run: Run, p: Predictions | None) -> list[Claim]:
    rows, shares = [], None
    if p is not None:
        shares = transition.count(p.mean_concentration, p.segregated, p.predicted_segregated)
    for side in (transition.LOWER, transition.UPPER):
        text = f"predicts the phase transition: {side} mean concentration where half of the samples segregate, prediction minus truth"
        found, more = None, {}
        if shares is not None:
            at, of_prediction, found = transition.positions(shares, side)
            apart = transition.gap(shares.mean, shares.truth / shares.samples, side)
            more = {"comparable": bool(apart <= WIDEST_GAP + 1e-9), "samples": len(p)}
            if np.isfinite(at.value):
                more["note"] = (
                    f"truth {at}, prediction {of_prediction}; mean concentrations {apart:.2g} apart there"
                )
        rows.append(row(run, PAPERS, text, "correct", between(-STEP, STEP), found, **more))
        if (
            shares is not None and np.isfinite(at.value) and not np.isfinite(of_prediction.value)
        ):  # no transition is a wrong one
            rows[-1] = replace(
                rows[-1],
                by_rule=NO,
                agrees=rows[-1].agrees if rows[-1].agrees == NOT_COMPARABLE else NO,
            )
    right, more = None, {}
    if p is not None:
        right = ratio((p.segregated == p.predicted_segregated).astype(float), np.ones(len(p)))
        more = {
            "samples": len(p),
            "baselines": {"most training samples at this mean": number(fate_given_mean(run, p))},
        }
    text = "predicts the phase transition: share of samples whose fate (segregated or uniform) is right"
    return [*rows, row(run, PAPERS, text, "correct", above(REACHED), right, **more)]


def of_dict(number: dict) -> Estimate:
    return Estimate(*(np.nan if number[key] is None else number[key] for key in ("value", "error")))


def accuracy(run: Run, skills: list[Skill]) -> list[Claim]:
    mine = {s.quantity: s for s in skills if s.model == PAPERS}
    rows = []
    for quantity in SIX:
        s = mine.get(quantity.name)
        more = {}
        if s:
            more = {
                "samples": s.samples,
                "baselines": {
                    "training mean": s.baseline_mean["value"],
                    "training mean given the mean": s.baseline_given_mean["value"],
                },
                "note": ""
                if above(0).judge(of_dict(s.advantage)) == YES
                else "not better than a baseline",
            }
        rows.append(
            row(
                run,
                PAPERS,
                f"accuracy of the {quantity.title}",
                STATED,
                above(REACHED),
                of_dict(s.accuracy) if s else None,
                **more,
            )
        )
    for quantity in SIX:
        s = mine.get(quantity.name)
        more = (
            {"samples": s.samples, "baselines": {"the training set itself": s.other_overlap}}
            if s
            else {}
        )
        rows.append(
            row(
                run,
                PAPERS,
                f"distribution of the {quantity.title}: overlap of the histograms",
                STATED,
                above(REACHED),
                of_dict(s.overlap) if s else None,
                **more,
            )
        )
    named = [
        mine[name]
        for name in NAMED_IN_ABSTRACT
        if name in mine and mine[name].accuracy["value"] is not None
    ]
    best = max(named, key=lambda s: s.accuracy["value"], default=None)
    more = (
        {"samples": best.samples, "note": f"the {best.quantity.replace('_', ' ')}'s"}
        if best
        else {}
    )
    text = "best accuracy among area, perimeter and free energy, those that the abstract names"
    found = of_dict(best.accuracy) if best else UNDETERMINED if mine else None
    return [*rows, row(run, PAPERS, text, STATED, above(REACHED), found, **more)]


def sharpness(run: Run) -> list[Claim]:
    """L1 alone blurs, and the GAN's loss makes up for it."""
    alone, paper, rows = run.predictions.get(L1_ALONE), run.predictions.get(PAPERS), []
    share = "power of the prediction over the truth's in its finest structures"
    for model, p, text, stated, rule in (
        (L1_ALONE, alone, f"L1 alone misses high frequencies: {share}", "less", below(BLURRED)),
        (
            PAPERS,
            paper,
            f"the GAN's loss makes up for it: {share}",
            "sharp",
            between(BLURRED, SHARPENED),
        ),
    ):
        more = {"samples": int(p.segregated.sum())} if p else {}
        rows.append(row(run, model, text, stated, rule, finest_share(p) if p else None, **more))
    both, more = None, {}
    if alone and paper and np.array_equal(alone.index, paper.index):
        inside = paper.segregated
        first = structure.finest(paper.spectrum_truth[inside]) if inside.any() else 0
        both = structure.nearer_to_one(
            *(
                structure.power(s[inside], first)
                for s in (paper.spectrum, alone.spectrum, paper.spectrum_truth)
            )
        )
        more = {"samples": int(inside.sum())}
    text = (
        "with the GAN that share is nearer to 1 than by L1 alone: |1 - share| with it minus without"
    )
    return [*rows, row(run, PAPERS, text, "sharper", below(0), both, **more)]


def finest_share(p: Predictions) -> Estimate:
    """Power of segregated predictions in the finest structures over the truth's."""
    inside = p.segregated
    if not inside.any():
        return UNDETERMINED
    first = structure.finest(p.spectrum_truth[inside])
    return ratio(
        structure.power(p.spectrum[inside], first), structure.power(p.spectrum_truth[inside], first)
    )


@dataclass(frozen=True)
class Reverse:
    """Statistics of a reverse model's mixed states over those of the true ones, or beside them."""

    variance: Estimate
    fine: Estimate  # power at k above half the largest shell
    coarse: Estimate  # below
    change: Estimate  # rms, of the mean concentration
    overlap: Estimate  # of the distributions of c minus its field's mean
    correlation: float  # mean over samples, cell by cell


def reverse_statistics(p: Predictions, which: np.ndarray) -> Reverse | None:
    """Over samples `which` (n,) bool; None for none."""
    if not which.any():
        return None
    half = p.spectrum.shape[1] // 2
    fine, fine_truth = (structure.power(s[which], half) for s in (p.spectrum, p.spectrum_truth))
    whole, whole_truth = (structure.power(s[which], 0) for s in (p.spectrum, p.spectrum_truth))
    bins = p.histogram.shape[1]
    both = np.hstack([p.histogram[which], p.histogram_truth[which]]).astype(float)
    common = of_sums(
        both,
        lambda s: overlap(*(h / h.sum(-1, keepdims=True) for h in (s[..., :bins], s[..., bins:]))),
    )
    known = p.correlation[which][np.isfinite(p.correlation[which])]
    return Reverse(
        ratio(p.variance[which], p.variance_truth[which]),
        ratio(fine, fine_truth),
        ratio(whole - fine, whole_truth - fine_truth),
        root_mean_square(p.change[which]),
        common,
        float(known.mean()) if len(known) else np.nan,
    )


def reversible(run: Run) -> list[Claim]:
    """A reversed state is judged by its statistics: many mixed states lead to one segregated
    state.
    """
    p = run.predictions.get(REVERSE)
    found = reverse_statistics(p, p.segregated) if p else None
    more = {"samples": int(p.segregated.sum())} if p else {}
    close = between(BLURRED, SHARPENED)
    return [
        row(
            run,
            REVERSE,
            f"reversible mapping: {text}",
            "accurate",
            rule,
            getattr(found, name) if found else UNDETERMINED if p else None,
            **more,
        )
        for name, text, rule in (
            ("variance", "variance of the mixed states over the true ones'", close),
            ("coarse", "their power in the lower half of wave numbers over the true ones'", close),
            ("fine", "their power in the upper half of wave numbers over the true ones'", close),
            ("change", "rms change of the mean concentration", below(STEP)),
            ("overlap", "overlap of the distributions of c minus its mean", above(REACHED)),
        )
    ]
