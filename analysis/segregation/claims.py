"""Every claim of the paper: its value, ours with an error, what no network reaches, and a
verdict by a fixed rule.
"""

from dataclasses import replace

import numpy as np

from analysis.claim import Claim
from analysis.estimates import UNDETERMINED, Estimate
from analysis.record import Record
from analysis.segregation import structure, transition
from analysis.segregation.labels import (
    L1_ALONE,
    MODELS,
    NAMED_IN_ABSTRACT,
    PAPERS,
    REVERSE,
    SIX,
    STEPS,
    first_of,
    look,
)
from analysis.segregation.measure import Forward, Numbers, Reverse
from analysis.segregation.predictability import LINEAR, REFERENCE, solver
from analysis.segregation.transition import Position
from analysis.verdicts import YES, Rule, above, below, between

ABSTRACT, FORWARD, REVERSED = "abstract", "2", "3"  # where the paper states it
STATED = "up to 98%"
REACHED = 0.975  # rounds to the paper's 98%
# of the paper's mean concentrations: a change below it stays nearer to no other mixture than
# half-way
STEP = 0.01
# cells a side, training samples and weight of the GAN of the paper
SIZE, SAMPLES, LAMBDA = 64, 8640, 1.0
WIDEST_GAP = 0.02  # between mean concentrations, for a position of the transition to mean anything
BLURRED, SHARPENED = 0.9, 1.1  # of the truth's power: less is lost, more is made up
NEAR = 0.9  # of the correlation that can be had
ALIKE = 0.9  # correlation cell by cell of two fields that look alike
# predictions without a network: who segregates, and a quantity
MOST = "what most training samples at this mean do"
SET_MEAN = "the training set's mean"
GIVEN_MEAN = f"{SET_MEAN} at this mean concentration"
ROUND_OFF = 1e-5  # of single precision fields and what is summed from them


def smaller(record: Record, model: str, p: Forward | Reverse) -> str:
    """Why a network is not comparable with the paper's, "" where it is."""
    size, reasons = record.numbers.setting.size, []
    if size != SIZE:
        reasons.append(f"{size} x {size} cells, the paper's {SIZE} x {SIZE}")
    if p.training < SAMPLES / 2:
        reasons.append(
            f"{p.training} training samples of the paper's {SAMPLES:,}".replace(",", " ")
        )
    if MODELS[model].gan and p.weight != LAMBDA:
        reasons.append(f"lambda = {p.weight:g}, the paper's {LAMBDA:g}")
    return "; ".join(reasons)


class Subject:
    """Makes the claims about one network of a record; p None: it has not run."""

    def __init__(self, record: Record, model: str, p: Forward | Reverse | None):
        self.system, self.network, self.there = record.origin.system, look(model).title, p
        self.smaller = "" if p is None else smaller(record, model, p)

    def claim(self, figure: str, text: str, paper: str, rule: Rule, estimate, **more) -> Claim:
        """A judged one."""
        if self.there is None:
            estimate, more = None, {}
        more["smaller"] = self.smaller or more.get("smaller", "")
        return Claim(figure, self.system, text, paper, rule, estimate, self.network, **more)


def all_claims(record: Record) -> list[Claim]:
    """All claims of one record."""
    n = record.numbers
    paper, alone = first_of(n.forward, PAPERS), first_of(n.forward, L1_ALONE)
    subject, of_alone = Subject(record, PAPERS, paper), Subject(record, L1_ALONE, alone)
    reverse = first_of(n.reverse, REVERSE)
    return [
        places(subject, paper, n),
        conservation(subject, paper),
        *phase_transition(subject, paper),
        *accuracy(subject, paper),
        *of_another(record, L1_ALONE),
        misses(of_alone, alone),
        *sharpness(subject, paper, alone),
        *reversible(Subject(record, REVERSE, reverse), reverse),
        *foretold(record),
        *of_another(record, STEPS),
    ]


def of_another(record: Record, network: str) -> list[Claim]:
    """What the paper claims of its network, of another; no verdict on a figure of the paper."""
    own = first_of(record.numbers.forward, network)
    if own is None:
        return []
    subject = Subject(record, network, own)
    found = [
        places(subject, own, record.numbers),
        conservation(subject, own),
        *phase_transition(subject, own),
        *accuracy(subject, own),
    ]
    return [replace(claim, figure="") for claim in found]


def foretold(record: Record) -> list[Claim]:
    """Our network beside what can be foretold at all; nothing where it is not trained."""
    own, found = first_of(record.numbers.forward, STEPS), record.numbers.predictability
    if own is None or found is None or STEPS not in found.skill:
        return []
    limit = found.at_first(solver(REFERENCE))
    mine = found.at_first(STEPS)
    if limit is None:
        return []
    value = mine.value / limit.value
    error = abs(value) * np.hypot(mine.error / mine.value, limit.error / limit.value)
    return [
        Subject(record, STEPS, own).claim(
            "",
            "where domains end up, from the mixture: correlation with the truth, cell by cell, over that of the solver from "
            f"inputs perturbed by {REFERENCE:g} (rms)",
            "not in the paper",
            above(NEAR),
            Estimate(float(value), float(error)),
            data=samples(found.samples),
            baselines={"linear theory's over the same": found.at_first(LINEAR).value / limit.value},
            note=f"correlations {mine} and {limit}",
        )
    ]


def samples(count: int) -> str:
    return f"{count} test samples"


def places(subject: Subject, p: Forward | None, n: Numbers) -> Claim:
    more = {}
    if p is not None:
        more = {
            "data": samples(p.segregated),
            "baselines": {"the input's longest waves": n.physics.longest_waves},
        }
    return subject.claim(
        FORWARD,
        "output and truth look alike: correlation cell by cell",
        "alike",
        above(ALIKE),
        p and p.correlation,
        **more,
    )


def conservation(subject: Subject, p: Forward | None) -> Claim:
    more = {}
    if p is not None:
        more["data"] = samples(p.segregated)
        if np.isfinite(p.change.mean):
            more["note"] = f"mean change {p.change.mean:+.1e}, largest {p.change.largest:.1e}"
    return subject.claim(
        ABSTRACT,
        "conserves the phase fraction: rms change of the mean concentration",
        "conserved",
        below(STEP),
        p and p.change.rms,
        **more,
    )


def phase_transition(subject: Subject, p: Forward | None) -> list[Claim]:
    found = [
        position(subject, side, p and at, p)
        for side, at in (
            (transition.LOWER, p and p.lower),
            (transition.UPPER, p and p.upper),
        )
    ]
    text = "predicts the phase transition: share of samples whose fate (segregated or uniform) is right"
    more = {}
    if p is not None:
        more = {
            "data": samples(p.samples),
            "baselines": {MOST: p.right_given_mean},
        }
    return [*found, subject.claim(ABSTRACT, text, "correct", above(REACHED), p and p.right, **more)]


def position(subject: Subject, side: str, at: Position | None, p: Forward | None) -> Claim:
    """Predictions that pass 1/2 nowhere have no transition: the least that they are off is
    given.
    """
    text = f"predicts the phase transition: {side} mean concentration where half of the samples segregate, prediction minus truth"
    if at is None:
        return subject.claim(ABSTRACT, text, "correct", between(-STEP, STEP), None)
    more, found = {"data": samples(p.samples)}, at.difference
    if not at.gap <= WIDEST_GAP + 1e-9:
        apart = f"mean concentrations {at.gap:.2g} apart" if np.isfinite(at.gap) else "none"
        more["smaller"] = f"{apart} where the truth passes 1/2, the paper's {STEP:g}"
    if np.isfinite(at.truth.value):
        more["note"] = (
            f"truth {at.truth}, prediction {at.prediction}; mean concentrations {at.gap:.2g} apart there"
        )
        if not np.isfinite(at.prediction.value):
            found = Estimate(nowhere(p, side) - at.truth.value, 0.0)
            more["note"] += "; it passes 1/2 nowhere, and is off by at least this"
    return subject.claim(ABSTRACT, text, "correct", between(-STEP, STEP), found, **more)


def nowhere(p: Forward, side: str) -> float:
    """The nearest mean concentration at which predictions that pass 1/2 nowhere may do so: 1/2
    where too few segregate, else the end of those that there are.
    """
    s = p.shares
    middle = np.abs(s.mean - 0.5).argmin()
    if s.predicted[middle] < s.samples[middle] / 2:
        return 0.5
    return float(s.mean[0] if side == transition.LOWER else s.mean[-1])


def accuracy(subject: Subject, p: Forward | None) -> list[Claim]:
    found = [
        subject.claim(
            ABSTRACT,
            f"accuracy of the {q.title}",
            STATED,
            above(REACHED),
            p and p.skills.of("accuracy", q.name),
            **(accuracy_more(p, q.name) if p else {}),
        )
        for q in SIX
    ]
    found += [
        subject.claim(
            ABSTRACT,
            f"distribution of the {q.title}: overlap of the histograms",
            STATED,
            above(REACHED),
            p and p.skills.of("overlap", q.name),
            **(overlap_more(p, q.name) if p else {}),
        )
        for q in SIX
    ]
    name = best_named(p) if p else None
    more = {"data": samples(p.segregated)} if p else {}
    if name:
        more["baselines"] = {GIVEN_MEAN: p.skills.of("baseline_given_mean", name)}
        more["note"] = f"the {name.replace('_', ' ')}'s"
    text = "best accuracy among area, perimeter and free energy, those that the abstract names"
    best = p and (p.skills.of("accuracy", name) if name else UNDETERMINED)
    return [*found, subject.claim(ABSTRACT, text, STATED, above(REACHED), best, **more)]


def accuracy_more(p: Forward, quantity: str) -> dict:
    better = above(0).judge(p.skills.of("advantage", quantity)) == YES
    return {
        "data": samples(p.segregated),
        "baselines": {
            SET_MEAN: p.skills.of("baseline_mean", quantity),
            GIVEN_MEAN: p.skills.of("baseline_given_mean", quantity),
        },
        "note": "" if better else "not better than a baseline",
    }


def overlap_more(p: Forward, quantity: str) -> dict:
    return {
        "data": samples(p.segregated),
        "limits": {"the training set itself": p.skills.number("other_overlap", quantity)},
    }


def best_named(p: Forward) -> str | None:
    """Of the quantities that the abstract names, the one with the best accuracy."""
    known = {q: p.skills.of("accuracy", q).value for q in NAMED_IN_ABSTRACT}
    known = {q: value for q, value in known.items() if np.isfinite(value)}
    return max(known, key=known.get, default=None)


def share(p: Forward | None) -> Estimate | None:
    """Power of the prediction over the truth's in the shorter waves."""
    return p and (p.spectrum.share if p.spectrum else UNDETERMINED)


def misses(subject: Subject, p: Forward | None) -> Claim:
    return subject.claim(
        FORWARD,
        "L1 alone misses high frequencies: power of the prediction over the truth's in its shorter waves",
        "less",
        below(BLURRED),
        share(p),
        **({"data": samples(p.segregated)} if p else {}),
    )


def sharpness(subject: Subject, p: Forward | None, alone: Forward | None) -> list[Claim]:
    """L1 alone blurs, and the GAN's loss makes up for it."""
    more = {"data": samples(p.segregated)} if p else {}
    both = None
    if p and alone and p.same == alone.same:
        both = UNDETERMINED
        if p.spectrum and alone.spectrum:
            both = structure.nearer_to_one(p.spectrum, alone.spectrum)
    return [
        subject.claim(
            FORWARD,
            "the GAN's loss makes up for it: power of the prediction over the truth's in its shorter waves",
            "sharp",
            between(BLURRED, SHARPENED),
            share(p),
            **more,
        ),
        subject.claim(
            FORWARD,
            "with the GAN that share is nearer to 1 than by L1 alone: |1 - share| with it minus without",
            "sharper",
            below(0),
            both,
            **more,
        ),
    ]


def reversible(subject: Subject, p: Reverse | None) -> list[Claim]:
    """A reversed state is judged by its statistics: many mixed states lead to one segregated
    state.
    """
    close, found = between(BLURRED, SHARPENED), p and p.segregated
    more = {"data": samples(found.samples)} if found else {}
    return [
        subject.claim(
            REVERSED,
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


# ---- what must hold, whatever the paper says


def checks(n: Numbers) -> list[tuple[str, float, float]]:
    """(what, value, its limit) of the data and of the networks that conserve."""
    p = n.physics
    found = [
        (
            "free energy: largest rise between two ages over F at age 0 (negative: it only falls)",
            p.rise,
            ROUND_OFF,
        ),
        ("mass: largest change of a sample's mean concentration in time", p.drift, ROUND_OFF),
        ("share of samples that did not get to their steady state", p.unsteady, 0.0),
    ]
    conserving = [f for key, f in n.forward.items() if look(key).conserving]
    off = max((f.change.largest_of_all for f in conserving), default=np.nan)
    return [
        *found,
        ("conserving network: largest change of the mean concentration", off, ROUND_OFF),
    ]
