"""What the page says in words: what was run, what was found, how it is judged, what words mean."""

from dataclasses import replace

import numpy as np

from analysis.claim import Claim
from analysis.estimates import percent
from analysis.record import Record
from analysis.segregation.claims import ALIKE, BLURRED, SHARPENED, best_named, smaller
from analysis.segregation.labels import (
    CONSERVING,
    L1_ALONE,
    PAPERS,
    REVERSE,
    SIX,
    STEPS,
    first_of,
    look,
    ordered,
    title,
)
from analysis.segregation.predictability import COARSE, LINEAR, REFERENCE, solver
from analysis.segregation.tables import checks
from analysis.verdicts import YES, above
from jobs.segregation.config import SPINODAL

TITLES = {quantity.name: quantity.title for quantity in SIX}


def listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---- what was run


def sentence(records: list[Record]) -> str:
    """A paragraph a record; those without networks that differ in epsilon alone share one."""
    alike = {}
    for r in records:
        s, n = r.numbers.setting, r.numbers
        own = r.origin.system if n.forward or n.reverse else replace(s, epsilon=0.0, segregated=0.0)
        alike.setdefault(own, []).append(r)
    return "\n\n".join(of_records(group, len(alike) > 1) for group in alike.values())


def of_records(records: list[Record], several: bool) -> str:
    text = of_record(records[0], several and len(records) == 1)
    if len(records) == 1:
        return text
    epsilons = sorted(r.numbers.setting.epsilon for r in records)
    first = f"epsilon = {records[0].numbers.setting.epsilon:g}, the"
    every = f"epsilon = {listed([f'{e:g}' for e in epsilons])} (so many mixtures each), the"
    return text.replace(first, every, 1)


def of_record(r: Record, several: bool) -> str:
    s, n = r.numbers.setting, r.numbers
    count = s.training + s.validation + s.test
    text = f"**{r.origin.system}.** " if several else ""
    text += (
        f"{count} mixtures of two components on {s.size} x {s.size} cells, with {s.means} mean concentrations from "
        f"{s.first_mean:g} to {s.last_mean:g} and noise up to {s.noise:g} (uniform), were run to their "
        "steady states by the Cahn-Hilliard equation "
        f"with epsilon = {s.epsilon:g}, the coefficient of the energy of gradients"
    )
    if np.isfinite(s.segregated):
        text += f"; {100 * s.segregated:.0f}% of the test samples segregate into two phases"
        text += ", the others stay uniform" if s.segregated < 1 else ""
    networks = [look(key).title for key in (*ordered(n.forward), *ordered(n.reverse))]
    if not networks and n.predictability is not None:
        return text + ". They say how far ahead one can see."
    if not networks:
        return text + ". No network has made predictions yet."
    text += (
        f". {len(networks)} network{'s' * (len(networks) > 1)}, {listed([f'*{name}*' for name in networks])}, learnt from "
        f"{s.samples} of them in {s.epochs} epochs to get from the mixed field to the steady state"
        f"{', or back (reverse)' if n.reverse else ''}: by the mean distance to the truth (L1)"
    )
    if any(look(key).gan for key in (*n.forward, *n.reverse)):
        text += (
            " alone, or with the verdict of a second network that learns to tell answers from true fields (GAN), weighed by lambda = "
            f"{s.weight:g}"
        )
    if first_of(n.forward, STEPS) is not None:
        text += "; of those that stay uniform the stepping one has seen one in ten"
    return text + "."


# ---- what was found


def findings(records: list[Record], claims: list[Claim]) -> list[str]:
    """The most important first, of the run that tells most."""
    leading = max(records, key=rank)
    mine = of_system(claims, leading)
    found = [
        placement(records, claims),
        quantities(leading, mine),
        fates(leading, mine),
        sharpness(mine),
        mixed(mine),
        foreseen(leading, records),
        transition(leading),
        falling(leading),
    ]
    trained = [r for r in records if r.numbers.forward or r.numbers.reverse]
    where = f" ({leading.origin.system})" if len(trained or records) > 1 else ""
    told = [text for text in found if text]
    return [*told[:1], *(text.removesuffix(".") + f"{where}." for text in told[1:])]


def of_system(claims: list[Claim], r: Record) -> dict[str, Claim]:
    """By their texts, of the paper's network where it was run, else of the first that was."""
    found = {}
    for c in claims:
        if c.system == r.origin.system and (c.text not in found or found[c.text].estimate is None):
            found[c.text] = c
    return found


def rank(r: Record) -> tuple:
    """Comparable with the paper, more networks, more data."""
    paper = first_of(r.numbers.forward, PAPERS)
    comparable = paper is not None and not smaller(r, PAPERS, paper)
    return comparable, len(r.numbers.forward) + len(r.numbers.reverse), r.origin.size


def ours(mine: dict[str, Claim], begin: str) -> Claim | None:
    """The claim whose text begins so, if it has a number."""
    known = (c for text, c in mine.items() if text.startswith(begin))
    found = next(known, None)
    if found is None or found.estimate is None or not np.isfinite(found.estimate.value):
        return None
    return found


def placement(records: list[Record], claims: list[Claim]) -> str:
    """Whether domains end where the equation puts them, in all runs."""
    parts, best = [], -np.inf
    for r in records:
        mine = of_system(claims, r)
        found = {look(key).title: p.correlation for key, p in ordered(r.numbers.forward).items()}
        c = ours(mine, "output and truth look alike")
        found |= {c.network: c.estimate} if c else {}
        found = {name: e for name, e in found.items() if np.isfinite(e.value)}
        if not found:
            continue
        best = max(best, *(e.value for e in found.values()))
        waves = r.numbers.physics.longest_waves.value
        aside = f"; the input's longest waves, without a network, with {waves:.2f}"
        limits = r.numbers.predictability
        limit = limits and limits.at_first(solver(REFERENCE))
        if limit:
            aside += f"; the solver itself, from inputs with noise of {REFERENCE:g}, with {limit}"
        where = f"{r.origin.system}: " if sum(bool(o.numbers.forward) for o in records) > 1 else ""
        told = listed([f"{e} ({name})" for name, e in found.items()])
        parts.append(where + told + (aside if np.isfinite(waves) else ""))
    if not parts:
        return ""
    said = (
        "The networks put the domains where the equation puts them"
        if best > ALIKE
        else "Where the domains end up is predicted in part"
        if best > 0.5
        else "Where the domains end up is hardly predicted"
        if best > 0.1
        else "Where the domains end up is not predicted"
    )
    return f"{said}: answers and steady states correlate, cell by cell, with {'; '.join(parts)}."


def quantities(r: Record, mine: dict[str, Claim]) -> str:
    """Of the paper's network, or of the first that there is."""
    networks = ordered(r.numbers.forward)
    key = PAPERS if PAPERS in networks else next(iter(networks), None)
    name = key and best_named(networks[key])
    if not name:
        return ""
    skills, c = networks[key].skills, ours(mine, "best accuracy among")
    own = c.estimate if c is not None else skills.of("accuracy", name)
    given = skills.of("baseline_given_mean", name)
    better = [q.title for q in SIX if above(0).judge(skills.of("advantage", q.name)) == YES]
    text = (
        f"Of area, perimeter and free energy {look(key).title} predicts the {TITLES[name]} best, with an accuracy of {percent(own)} "
        "(paper: up to 98%)"
    )
    if np.isfinite(given.value):
        text += (
            f"; a guess that knows the mean concentration alone reaches {100 * given.value:.1f}%"
        )
        text += f", and the network beats it in {listed(better) if better else 'none'} of the six quantities"
    return text + "."


def fates(r: Record, mine: dict[str, Claim]) -> str:
    c, kept = ours(mine, "predicts the phase transition: share"), ours(mine, "conserves")
    if c is None:
        return ""
    text = f"Whether a mixture segregates {c.network} predicts rightly for {percent(c.estimate)} of the test samples"
    known = first_of(r.numbers.forward, PAPERS) or first_of(r.numbers.forward, STEPS)
    if known is not None and np.isfinite(known.right_given_mean):
        text += f" (from the mean concentration alone: {100 * known.right_given_mean:.1f}%)"
    if kept is not None:
        text += f"; the mean concentration, which the equation conserves, changes by {kept.estimate} (rms)"
    other = first_of(r.numbers.forward, CONSERVING)
    if other is not None:
        text += f", by at most {other.change.largest_of_all:.0e} with the conserving network"
    return text + "."


def sharpness(mine: dict[str, Claim]) -> str:
    alone, both = ours(mine, "L1 alone misses"), ours(mine, "the GAN's loss makes up")
    parts = [
        f"{c.estimate} ({look(model).title})"
        for model, c in ((L1_ALONE, alone), (PAPERS, both))
        if c is not None
    ]
    if not parts:
        return ""
    return (
        "Of the power that the true fields have in their finest structures the answers have "
        f"{' and '.join(parts)} times as much; structure that is made up counts as well."
    )


def mixed(mine: dict[str, Claim]) -> str:
    c, fine = (
        ours(mine, f"reversible mapping: {t}") for t in ("variance", "their power in the upper")
    )
    if c is None or fine is None:
        return ""
    close = BLURRED < c.estimate.value < SHARPENED
    said = "like" if close else "unlike"
    return (
        f"Backwards, {title(REVERSE)} makes mixed states {said} the true ones: {c.estimate} times their variance, {fine.estimate} times "
        "their power in the upper half of wave numbers."
    )


def foreseen(r: Record, records: list[Record]) -> str:
    """How far ahead one can see, whether our network does, and whether wider interfaces help."""
    found = r.numbers.predictability
    limit = found and found.at_first(solver(REFERENCE))
    if not limit:
        return ""
    text = (
        f"How far ahead one can see: from mixtures known to {REFERENCE:g} the solver tells where domains end up with a correlation of "
        f"{limit}, linear theory with {found.at_first(LINEAR)}"
    )
    own = found.at_first(STEPS)
    text += f", and our network, which goes in steps, with {own}" if own else ""
    coarse = {
        other.numbers.setting.epsilon: other.numbers.predictability.at_first(solver(COARSE))
        for other in records
        if other.numbers.predictability is not None
    }
    coarse = {epsilon: each for epsilon, each in sorted(coarse.items()) if each}
    if len(coarse) > 1:
        (low, first), *_, (high, last) = coarse.items()
        text += f"; known to {COARSE:g} only, the solver's correlation is {first} at epsilon = {low:g} and {last} at {high:g}"
    return text + "."


def transition(r: Record) -> str:
    s = r.numbers.physics.shares
    some = s.mean[s.truth * 2 >= s.samples]
    if len(some) == 0:
        return "No mixture segregates in half of the samples."
    return (
        f"Half of the samples or more segregate at mean concentrations from {some[0]:g} to {some[-1]:g}; a uniform mixture is unstable "
        f"from {SPINODAL[0]:.3f} to {SPINODAL[1]:.3f}."
    )


def falling(r: Record) -> str:
    rise = r.numbers.physics.rise
    if not np.isfinite(rise):
        return ""
    fell = "rises in no sample" if rise <= 0 else f"rises by at most {rise:.1e} of its first value"
    return f"The free energy {fell} between two recorded times."


# ---- what does not hold


def left_out(r: Record) -> list[str]:
    """Files that could not be used, and checks that fail."""
    failed = [
        f"{row['what']}: {row['value']:.2g}, at most {row['limit']:g} expected"
        for row in checks(r)
        if row["holds"] is False
    ]
    return [*r.numbers.left_out, *failed]
