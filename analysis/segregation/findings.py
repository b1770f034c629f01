"""What the page says in words: what was run, what was found, how it is judged, what words mean."""

from dataclasses import replace

import numpy as np

from analysis.claim import Claim
from analysis.estimates import Estimate, percent, together
from analysis.record import Record, told_apart
from analysis.segregation.claims import ALIKE, BLURRED, MOST, SHARPENED, smaller
from analysis.segregation.labels import (
    CONSERVING,
    L1_ALONE,
    NAMED_IN_ABSTRACT,
    PAPERS,
    REVERSE,
    SIX,
    STEPS,
    ages,
    first_of,
    listed,
    look,
    ordered,
    title,
)
from analysis.segregation.mixtures import same
from analysis.segregation.predictability import (
    COARSE,
    LINEAR,
    REFERENCE,
    Predictability,
    of_all,
    solver,
)
from analysis.segregation.tables import checks
from analysis.verdicts import YES, above
from jobs.segregation.config import SPINODAL

WIDTH = 64  # of the paper's networks
TITLES = {quantity.name: quantity.title for quantity in SIX}


# ---- what was run


def sentence(records: list[Record]) -> str:
    """A paragraph a record; those without networks that differ in epsilon alone share one."""
    alike: dict[object, list[Record]] = {}
    for r in records:
        s, n = r.numbers.setting, r.numbers
        own = r.origin.system if n.forward or n.reverse else replace(s, epsilon=0.0, segregated=0.0)
        alike.setdefault(own, []).append(r)
    told, known = [], []  # runs that an earlier paragraph tells of
    for group in alike.values():
        told.append(of_records(group, len(alike) > 1, known))
        known += [run for r in group for run in r.runs]
    return "\n\n".join(told)


def of_records(records: list[Record], several: bool, known: list[Record]) -> str:
    if len(records) == 1:
        return of_record(records[0], several, known)
    text = of_record(records[0], False, known, alone=False)
    epsilons = sorted(r.numbers.setting.epsilon for r in records)
    first = f"epsilon = {records[0].numbers.setting.epsilon:g}, the"
    every = f"epsilon = {listed([f'{e:g}' for e in epsilons])} (so many mixtures at each), the"
    return text.replace(first, every, 1)


def of_record(r: Record, several: bool, known: list[Record], *, alone: bool = True) -> str:
    """alone: not one of several that differ in epsilon."""
    n, seeds = r.numbers, listed(sorted({f"{run.origin.seed}" for run in r.runs}))
    text = f"**{r.origin.system}.** " if several else ""
    if all(any(same(run, other) for other in known) for run in r.runs):
        text += f"The mixtures are those of seed {seeds} above"
    else:
        text += f"In each of {len(r.runs)} runs (seeds {seeds}) " if len(r.runs) > 1 else ""
        text += mixtures(r)
        text += f". Fields were kept at the ages {ages(n.physics.times)}" if alone else ""
    networks = [look(key).title for key in (*ordered(n.forward), *ordered(n.reverse))]
    if not networks and n.predictability is not None:
        return text + ". They say how far ahead one can see."
    if not networks:
        return text + ". No network has made predictions yet."
    steps = first_of(n.forward, STEPS) is not None
    only_steps = steps and len(networks) == 1
    fewer = "those that segregate, and one in ten of the others, of " if only_steps else ""
    text += (
        f". {len(networks)} network{'s' * (len(networks) > 1)}, {listed([f'*{name}*' for name in networks])}, "
        f"learnt from {fewer}{n.setting.samples} of them in {n.setting.epochs} epochs, with {n.setting.width} channels in the first "
        f"layers (the paper's {WIDTH}), to get from the mixed field to the steady state"
        f"{', or back (reverse)' if n.reverse else ''}: by the mean distance to the truth (L1)"
    )
    if any(look(key).gan for key in (*n.forward, *n.reverse)):
        text += (
            " alone, or with the verdict of a second network that learns to tell answers from true fields (GAN), weighed by lambda = "
            f"{n.setting.weight:g}"
        )
    if steps:
        text += (
            "; the stepping network, ours, begins by linear theory and learns to go from each age at which fields were kept to the "
            "next"
            + "; of mixtures that stay uniform it sees one in ten"
            * (not only_steps)
            + ". It answers with the mean over the eight images of a field, turned and "
            "reflected, step by step"
        )
    return text + "."


def mixtures(r: Record) -> str:
    """What the equation was asked for."""
    s = r.numbers.setting
    text = (
        f"{s.training + s.validation + s.test} mixtures of two components ({s.test} of them to test) on {s.size} x {s.size} cells, with "
        f"{s.means} mean concentrations from {s.first_mean:g} to {s.last_mean:g} and noise up to {s.noise:g} (uniform), were run to their "
        "steady states by the Cahn-Hilliard equation "
        f"with epsilon = {s.epsilon:g}, the coefficient of the energy of gradients"
    )
    if np.isfinite(s.segregated):
        text += f"; {100 * s.segregated:.0f}% of the test samples segregate into two phases"
        text += ", the others stay uniform" if s.segregated < 1 else ""
    return text


# ---- what was found


def findings(records: list[Record], claims: list[Claim]) -> list[str]:
    """The most important first, of the run that tells most."""
    leading = max(records, key=rank)
    mine = of_system(claims, leading)
    return [
        text
        for text in (
            placement(records),
            *about(
                leading,
                records,
                quantities(leading, records),
                fates(leading, mine),
                sharpness(mine),
            ),
            *about(leading, records, mixed(mine)),
            foreseen(leading, records),
            *about(leading, records, transition(leading), falling(leading)),
        )
        if text
    ]


def about(r: Record, records: list[Record], *told: str) -> list[str]:
    """Findings of one record, which say so where there are others."""
    trained = [o for o in records if o.numbers.forward or o.numbers.reverse] or records
    where = [told_apart(o.origin.system for o in trained)[r.origin.system]] if trained[1:] else []
    where += [f"{len(r.runs)} runs"] if r.others else []
    end = f" ({', '.join(where)})" if where else ""
    return [text.removesuffix(".") + f"{end}." for text in told if text]


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


def placement(records: list[Record]) -> str:
    """Whether domains end where the equation puts them, in all runs; beside it what is told without
    a network.
    """
    trained = sorted((r for r in records if r.numbers.forward), key=rank, reverse=True)
    found = [
        (r, look(key).title, *correlation(r, key))
        for r in trained
        for key in ordered(r.numbers.forward)
    ]
    found = [(*who, e, n) for *who, e, n in found if np.isfinite(e.value)]
    if not found:
        return ""
    titles, name = [title for _, title, _, _ in found], told_apart(r.origin.system for r in trained)
    parts = [
        f"{title}{f', {name[r.origin.system]},' if titles.count(title) > 1 else ''} {e} ({trainings(n)})"
        for r, title, e, n in found
    ]
    best = max(e.value for *_, e, _ in found)
    said = (
        "The networks put the domains where the equation puts them"
        if best > ALIKE
        else "Where the domains end up is predicted in part"
        if best > 0.5
        else "Where the domains end up is hardly predicted"
        if best > 0.1
        else "Where the domains end up is not predicted"
    )
    text = f"{said}: correlation of answer and steady state, cell by cell: {listed(parts)}"
    waves, limit = longest_waves(trained[0]), solver_limit(trained[0])
    alone = [f"the input's longest waves {waves}"] if np.isfinite(waves.value) else []
    alone += (
        [f"the solver itself, from inputs perturbed by {REFERENCE:g} (rms), {limit}"]
        if limit
        else []
    )
    return text + (f"; without a network: {listed(alone)}." if alone else ".")


def correlation(r: Record, key: str) -> tuple[Estimate, int]:
    """Of a network's answers with the truth, and how many runs have it."""
    found = [run.numbers.forward[key].correlation for run in r.runs if key in run.numbers.forward]
    return together(found), len(found)


def trainings(count: int) -> str:
    return "one training" if count == 1 else f"mean of {count} trainings"


def longest_waves(r: Record) -> Estimate:
    return together([run.numbers.physics.longest_waves for run in r.runs])


def solver_limit(r: Record) -> Estimate | None:
    found = foretold(r)
    return found and found.at_first(solver(REFERENCE))


def foretold(r: Record) -> Predictability | None:
    """How far ahead one can see, by all runs of a system."""
    return of_all([run.numbers.predictability for run in r.runs])


def quantities(r: Record, records: list[Record]) -> str:
    """Of the paper's network, or of the first that there is; and where ours does better than what
    needs none.
    """
    networks = ordered(r.numbers.forward)
    key = PAPERS if PAPERS in networks else next(iter(networks), None)
    if key is None:
        return ""

    def of_runs(what: str, quantity: str, of: Record = r, key: str = key) -> Estimate:
        skills = [run.numbers.forward[key].skills for run in of.runs if key in run.numbers.forward]
        return together([s.of(what, quantity) for s in skills])

    def better(of: Record, key: str) -> list[str]:
        return [
            q.title for q in SIX if above(0).judge(of_runs("advantage", q.name, of, key)) == YES
        ]

    known = {q: of_runs("accuracy", q) for q in NAMED_IN_ABSTRACT}
    known = {q: e for q, e in known.items() if np.isfinite(e.value)}
    if not known:
        return ""
    name = max(known, key=lambda q: known[q].value)
    given = of_runs("baseline_given_mean", name)
    text = (
        f"Of area, perimeter and free energy {look(key).title} predicts the {TITLES[name]} best, with an accuracy of "
        f"{percent(known[name])} (paper: up to 98%)"
    )
    if np.isfinite(given.value):
        text += f"; a guess that knows the mean concentration alone reaches {percent(given)}"
        mine = better(r, key)
        text += f", and the network beats it in {listed(mine) if mine else 'none'} of the six quantities"
        stepping = [o for o in (r, *records) if STEPS in o.numbers.forward and same(r, o)]
        if stepping and key != STEPS:
            mine = better(stepping[0], STEPS)
            _, count = correlation(stepping[0], STEPS)
            text += (
                f", {look(STEPS).title} ({trainings(count)}) in {listed(mine) if mine else 'none'}"
            )
    return text + "."


def fates(r: Record, mine: dict[str, Claim]) -> str:
    c, kept = ours(mine, "predicts the phase transition: share"), ours(mine, "conserves")
    if c is None:
        return ""
    text = f"Whether a mixture segregates {c.network} predicts rightly for {percent(c.estimate)} of the test samples"
    alone = c.known(c.baselines).get(MOST)
    if alone is not None:
        text += f" (from the mean concentration alone: {percent(alone)})"
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
        "Of the power that the true fields have in their shorter waves (at most a tenth of it all) the answers have "
        f"{' and '.join(parts)} times as much, be they right or made up."
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
    found, limit = foretold(r), solver_limit(r)
    if not found or not limit:
        return ""
    text = (
        f"How far ahead one can see: at epsilon = {r.numbers.setting.epsilon:g}, from mixtures known to {REFERENCE:g} the solver tells "
        f"where domains end up with a correlation of {limit}, linear theory with {found.at_first(LINEAR)}"
    )
    own = found.at_first(STEPS)
    text += f", and our network, which goes in steps, with {own}" if own else ""
    sees = {other.numbers.setting.epsilon: foretold(other) for other in records}
    coarse = {epsilon: p.at_first(solver(COARSE)) for epsilon, p in sees.items() if p}
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
    return f"The free energy {fell} between two of the ages at which fields are kept."


# ---- what does not hold


def left_out(r: Record) -> list[str]:
    """Files that could not be used, and checks that fail."""
    failed = [
        f"{row['what']}: {row['value']:.2g}, at most {row['limit']:g} expected"
        for row in checks(r)
        if row["holds"] is False
    ]
    return [*r.numbers.left_out, *failed]
