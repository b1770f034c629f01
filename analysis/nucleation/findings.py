"""What the page says first: what was run, and what was found, in whole sentences."""

from collections import Counter

import numpy as np

from analysis.claim import Claim
from analysis.estimates import Estimate, percent
from analysis.nucleation import labels, occlusion, paper, skill
from analysis.nucleation.labels import CONFIGURATION, EVENT, SPLITS, kinds, label, rounded
from analysis.nucleation.measure import Generated
from analysis.nucleation.skill import Tested
from analysis.record import Record
from analysis.verdicts import NO, NOT_COMPARABLE, NOT_RUN, SIGMAS, UNDECIDED, YES

BY_HAND = ("spins", "features", "features_converged")  # regressions; the rest are networks
COMPARED = 3  # systems that one sentence names, at most


def sentence(records: list[Record]) -> str:
    made = [r.numbers.generated for r in records]
    systems = "; ".join(r.origin.system for r in records)
    several = len(records) > 1
    sampled = any(run.numbers.rates for r in records for run in r.runs)
    by_flux = " The table of lifetimes has those by forward flux sampling." if sampled else ""
    said = (
        f"This page is about the Ising model with {systems}. R is the range of the interaction in sites (1: nearest neighbours), "
        "L the side of the square lattice in sites, h the field; the temperature is 4/9 of the critical one"
        f"{', unless it is given' if several or ', T' in systems else ''}. All spins point along the field, it is reversed, and the "
        "state that is now metastable decays when a droplet of the other phase nucleates"
    )
    in_mcs = " Times are in MCS, Monte Carlo steps per spin."
    if not any(m.events for m in made):
        return f"{said}, whose rate forward flux sampling measures; no event was simulated directly, to its end.{in_mcs}"
    models = {model for r in records for model in r.numbers.models()}
    folds = (
        f"On them models of {kinds(len(models), 'kind')} were trained, each in {folds_of(records)}, of which each divides the "
        f"configurations anew: {divided(records)}."
        if models
        else "No model was trained on them."
    )
    sizes = " and ".join(f"{m.configurations}" for m in made)
    return (
        f"{said}; {sum(m.events for m in made)} such events were simulated. For configurations on the way p_nuc was measured, the "
        f"probability that the system nucleates in time: {copies(made)}copies of the configuration are run with other random numbers, "
        f"and p_nuc is the share that nucleates{until(made)}. The data are {sizes} configurations, chosen "
        f"so that p_nuc is uniform between 0 and 1. {folds}{by_flux}{in_mcs}"
    )


def copies(made: list[Generated]) -> str:
    """How many of a configuration, with a blank after it."""
    known = [m.copies for m in made if m.copies is not None]
    if not known:
        return "many "
    fewest, most = min(few for few, _ in known), max(many for _, many in known)
    return f"{fewest} " if fewest == most else f"{fewest} to {most} "


def until(made: list[Generated]) -> str:
    """The time limit of the copies, where it is known and the same in all systems."""
    limits = {(m.window, m.reading) for m in made if m.events}
    window, reading = limits.pop() if len(limits) == 1 else (None, None)
    if window is None:
        return " within a time limit"
    early = " and at most as much before" if reading == "two_sided" else ""
    return f" at most {window} MCS later than the event itself{early}"


def folds_of(records: list[Record]) -> str:
    """3 folds, 1 to 10 folds."""
    numbers = [r.numbers for r in records]
    counts = {len(n.shown(model)[1]) for n in numbers for model in n.models()}
    fewest, most = min(counts), max(counts)
    return kinds(most, "fold") if fewest == most else f"{fewest} to {most} folds"


def divided(records: list[Record]) -> str:
    """How many configurations a fold has to train on, to stop the training by and to test on."""
    numbers = [r.numbers for r in records]
    folds = [f for n in numbers for model in n.models() for f in n.shown(model)[1]]
    counts = (
        [f.fold.training for f in folds],
        [f.fold.validation for f in folds],
        [len(f.index) for f in folds],
    )
    train, stop, test = (
        f"{min(c)}" if min(c) == max(c) else f"{min(c)} to {max(c)}" for c in counts
    )
    return f"{train} to train on, {stop} others that tell which epoch is kept (validation), and {test} to test on"


def findings(records: list[Record], claims: list[Claim]) -> list[str]:
    """The most important first."""
    said = [
        *best(records),
        *cnn_against_features(records),
        *spinodal(records),
        *where(records),
        *magnetization(records),
        *lifetime(records),
        *lifetime_by_flux(records),
        *droplet(records),
        *tally(claims),
    ]
    return said


def chosen(records: list[Record]) -> list[Record]:
    """Those with models, the longest range and the largest first."""
    found = [r for r in records if r.numbers.folds]
    found.sort(key=lambda r: (r.numbers.system.range or 0, r.numbers.system.size), reverse=True)
    return found[:COMPARED]


def split_of(record: Record) -> str:
    """By which the models of a record are compared: by event where there are such folds."""
    return EVENT if record.numbers.models(EVENT) else CONFIGURATION


def best(records: list[Record]) -> list[str]:
    """Which model predicts best, and how far it is from the noise."""
    found = chosen(records)
    if not found:
        return []
    return [best_of(found[0]) + "".join(f" {errors_of(r)}" for r in found[1:])]


def errors_of(record: Record) -> str:
    """Of another system, in a line."""
    split = split_of(record)
    found = [(skill.mse(record.numbers.tested(split, m)), m) for m in record.numbers.models(split)]
    found.sort(key=lambda pair: pair[0].value)
    return f"{record.origin.system}: {', '.join(f'{label(m)} {error}' for error, m in found)}."


def best_of(record: Record) -> str:
    split = split_of(record)
    models = record.numbers.models(split)
    tested = {model: record.numbers.tested(split, model) for model in models}
    first, *rest = sorted(models, key=lambda model: skill.mse(tested[model]).value)
    ahead = skill.difference(tested[rest[0]], tested[first]) if rest else None
    sure = not rest or (ahead is not None and ahead.value > SIGMAS * ahead.error)
    doubt = "" if sure else f", though within the errors of {label(rest[0])}'s"
    others = ", ".join(f"{label(m)} {skill.mse(tested[m])}" for m in rest)
    versus = f", against {others}" if others else ""
    return (
        f"{record.origin.system}, test sets split {SPLITS[split]}: the mean square error (MSE) of p_nuc is smallest for "
        f"{label(first)}, {skill.mse(tested[first])}{doubt}{versus}. Predicting the mean each time "
        f"gives {rounded(skill.variance(tested[first]))}; a perfect prediction would still have "
        f"{rounded(skill.floor(tested[first]))}, the noise of the measured p_nuc. ({'; '.join(said_of(models))}.)"
    )


def said_of(models: list[str]) -> list[str]:
    """What the names of these models mean."""
    means = {
        "features": "features LR: logistic regression on ten numbers of a configuration, its magnetization and moments of the droplet",
        "features_converged": "converged: the same at the minimum of its loss, which the paper's training does not reach",
        "spins": "spins LR: logistic regression on all spins",
        "cnn": "CNN, 2 or 4 layers: the convolutional networks of the paper's text",
        "notebook": "authors' program: the CNN in the program that they published, which is smaller than that of the text",
        "torus": "torus network: one of ours that knows the periodic boundaries",
        "torus_window": "window: it is also told how long the copies were run, which no other model is",
    }
    return [
        text
        for name, text in means.items()
        if name in models or (name in ("cnn", "torus") and any(m.startswith(name) for m in models))
    ]


def cnn_against_features(records: list[Record]) -> list[str]:
    """Of each of the paper's networks, of its text and of its authors' program, where L = 10 R."""
    found = []
    small = [r for r in chosen(records) if not paper.near_spinodal(r.numbers.system)]
    for record in small:
        for network in paper.GENERIC:
            for split in (CONFIGURATION, EVENT):
                folds = [record.numbers.tested(split, m) for m in (network, "features")]
                if all(folds) and (saved := skill.reduction(*folds)) is not None:
                    found.append(
                        f"{compared(saved)} for {label(network)} ({record.origin.system}, split {SPLITS[split]}"
                        f"{above_floor(saved, folds[1])})"
                        + beside_converged(record, split, folds[0])
                    )
                    break
    if not found:
        return []
    cnn, features, lower = paper.PRINTED
    printed = (
        f"; but its authors' own program prints, for R = 10, cross entropies of {cnn:.4f} (CNN) and {features:.4f} (regression): above "
        f"the least that there can be, the entropy of the labels, the CNN's is only {100 * lower:.0f}% lower"
    )
    ten = any(known(record) and record.numbers.system.range == 10 for record in small)
    return [
        f"CNN against the regression on ten features, over the folds that both have: {'; '.join(found)}. The paper states about 40% lower"
        f"{printed if ten else ''}."
    ]


def above_floor(saved: Estimate, regression: list[Tested]) -> str:
    """By how many percent the error that is not the labels' noise is lower."""
    mse, floor = skill.mse(regression).value, skill.floor(regression)
    if not mse > floor:
        return ""
    scale = 100 * mse / (mse - floor)
    change = Estimate(scale * abs(saved.value), scale * saved.error)
    return f"; what is above the noise of the labels is {change}% {direction(saved)}"


def beside_converged(record: Record, split: str, cnn: list[Tested]) -> str:
    """The regression trained as the paper says stops far from the minimum of its loss."""
    converged = record.numbers.tested(split, "features_converged")
    saved = skill.reduction(cnn, converged) if converged else None
    return (
        ""
        if saved is None
        else f"; against the regression at the minimum of its loss: {compared(saved)}"
    )


def compared(saved: Estimate) -> str:
    """In words: by how much an MSE is lower, or that nothing can be said."""
    percent = Estimate(100 * abs(saved.value), 100 * saved.error)
    if not np.isfinite(saved.error):
        return f"its MSE is {rounded(percent.value)}% {direction(saved)}, error unknown"
    if abs(saved.value) <= SIGMAS * saved.error:
        return f"MSE {percent}% {direction(saved)}, within two errors of no difference"
    return f"its MSE is {percent}% {direction(saved)}"


def direction(saved: Estimate) -> str:
    return "lower" if saved.value > 0 else "higher"


def spinodal(records: list[Record]) -> list[str]:
    """MSE of the paper's networks from the farthest to the nearest system."""
    said = []
    for network in paper.SPINODAL:
        found = []
        for record in records:
            system = record.numbers.system
            folds: list[Tested] = record.numbers.shown(network)[1]
            if paper.near_spinodal(system) and folds:
                found.append((paper.distance_to_spinodal(system), skill.mse(folds)))
        if len(found) < 2:
            continue
        (far, first), (near, last) = max(found), min(found)
        change = skill.independent(last, first)
        sure = abs(change.value) > SIGMAS * change.error
        moves = (
            ("rises" if change.value > 0 else "falls") if sure else "does not change beyond errors"
        )
        said.append(
            f"the MSE of {label(network)}, {moves}, from {first} at Delta h = {rounded(far)} to {last} at {rounded(near)}"
        )
    if not said:
        return []
    return [
        "Towards the spinodal (where the metastable state ends; Delta h is the distance of the field from it) "
        f"{'; '.join(said)}. The paper's, of a four-layer network and 7 000 training configurations, rises from "
        "0.0052 to 0.0174."
    ]


def where(records: list[Record]) -> list[str]:
    """Which part of a configuration the network looks at."""
    found = [(r, m) for r in records[::-1] if (m := r.numbers.preferred_map()) is not None]
    if not found:
        return []
    record, maps = found[0]
    others = [
        f"{occlusion.inside_over_outside(m)} times for {r.origin.system}"
        for r, m in found[1:COMPARED]
    ]
    beside = f"; {', '.join(others)}" if others else ""
    ratio, likeness = occlusion.inside_over_outside(maps), occlusion.correlation(maps)
    if not np.isfinite(ratio.value):
        return []
    sure = abs(ratio.value - 1) > SIGMAS * ratio.error
    more = (
        ("more" if ratio.value > 1 else "less") if sure else "neither more nor less, within errors,"
    )
    return [
        f"Hiding a patch within the droplet's radius of gyration changes the prediction of {label(maps.model)} {more} than "
        f"hiding one beyond it: {ratio} times as much ({record.origin.system}{beside}). The network's sensitivity and the "
        f"droplet's density, as functions of the distance from the centre, correlate with r = {likeness}."
    ]


def magnetization(records: list[Record]) -> list[str]:
    found = [
        f"{percent(r.numbers.quantities[labels.EXPLAINED])} for {r.origin.system}"
        for r in records[::-1]
        if np.isfinite(r.numbers.quantities[labels.EXPLAINED].value)
    ][:COMPARED]
    if not found:
        return []
    return [
        f"Of the variance of p_nuc the magnetization m alone explains {'; '.join(found)}, whatever the curve's shape."
    ]


def lifetime(records: list[Record]) -> list[str]:
    found, stated = [], {}
    for record in records[::-1]:
        mean, system = record.numbers.quantities[labels.LIFETIME], paper.find(record.numbers.system)
        if np.isfinite(mean.value) and len(found) < COMPARED:
            found.append(f"{mean} MCS for {record.origin.system}")
            if system is not None:
                stated.setdefault(system.lifetime, []).append(record.origin.system)
    if not found:
        return []
    theirs = [
        said.replace("1e4", "10 000") + (f" for {' and '.join(of)}" if len(stated) > 1 else "")
        for said, of in stated.items()
    ]
    more = f"; the paper states {', '.join(theirs)}" if theirs else ""
    return [f"The metastable state lives {'; '.join(found)} on average{more}."]


def lifetime_by_flux(records: list[Record]) -> list[str]:
    found = [
        f"{run.numbers.rates.lifetime} MCS for {r.origin.system}"
        for r in records[::-1]
        for run in r.runs
        if run.numbers.rates
    ][:COMPARED]
    if not found:
        return []
    return [f"By forward flux sampling the metastable state lives {'; '.join(found)} on average."]


def known(record: Record) -> bool:
    """Whether the paper has the system."""
    return paper.find(record.numbers.system) is not None


def droplet(records: list[Record]) -> list[str]:
    found = []
    for record in records[::-1]:
        radius = record.numbers.quantities[labels.RADIUS]
        if not np.isfinite(radius.value):
            continue
        known = paper.find(record.numbers.system)
        theirs = f" (paper: {known.radius:.2f})" if known and known.radius else ""
        found.append(f"{radius} sites for {record.origin.system}{theirs}")
    if not found:
        return []
    return [f"The droplet's mean radius of gyration is {'; '.join(found[:COMPARED])}."]


def tally(claims: list[Claim]) -> list[str]:
    count = Counter(claim.agrees for claim in claims)
    asked = sum(count[what] for what in (YES, NO, UNDECIDED, NOT_COMPARABLE))
    if not asked:
        return []
    words = {
        YES: "agree",
        NO: "disagree",
        UNDECIDED: "cannot be decided",
        NOT_COMPARABLE: "cannot be compared",
    }
    said = [f"{count[what]} {word}" for what, word in words.items() if count[what]]
    left = (
        f"; {count[NOT_RUN]} more need data or models that these runs do not have"
        if count[NOT_RUN]
        else ""
    )
    return [
        f"The paper's claims were tested {asked} time{'s' * (asked > 1)}, by rules that are written below: {', '.join(said)}{left}."
    ]
