"""Claims of the paper's sections on supervised learning and interpretability."""

import numpy as np

from analysis.claim import Claim
from analysis.estimates import Estimate
from analysis.flocking import extrapolation, filters, sampling, seeds
from analysis.flocking.extrapolation import FAR, Boundary
from analysis.flocking.labels import BOUNDARIES, NONE, PAPERS, REFERENCE, groups, shown_set
from analysis.flocking.measure import Numbers, Saliency, Trained
from analysis.flocking.stated import of_all, of_slice
from analysis.record import Record
from analysis.verdicts import above, below, between

RIGHT, SAME = 0.99, 0.01  # accuracy that is "perfect", and difference that is none
FEW, OFTEN = 0.1, 0.2  # shares of boundaries that a network misses
ON_EDGES, LOCAL = 0.5, 0.8  # correlation with the edges; ratio of two participations that differ
PAIR = (NONE, PAPERS)


def claims(record: Record) -> list[Claim]:
    return [
        *training(record),
        *extrapolated(record),
        *saliency(record),
        *first_layer(record),
    ]


# ---- training


def accuracy(numbers: Numbers, regularization: float) -> Estimate | None:
    """Mean accuracy on the test set over networks of the reference set, error from their scatter;
    of one: replicas drawn again.
    """
    own = _trained(numbers, regularization)
    if len(own) > 1:
        return seeds.mean({seed: each.accuracy for seed, each in own.items()})
    return next((_share(each, each.right) for each in own.values()), None)


def accuracy_change(numbers: Numbers) -> Estimate | None:
    """Accuracy with PAPERS minus with NONE, seed by seed; of one seed configuration by
    configuration.
    """
    own = [_trained(numbers, lam) for lam in (PAPERS, NONE)]
    if not all(own):
        return None
    (first, *more), (second, *_) = (list(each.values()) for each in own)
    if not more and own[0].keys() == own[1].keys() and np.array_equal(first.index, second.index):
        return _share(first, first.right.astype(float) - second.right)
    return seeds.minus(*({seed: each.accuracy for seed, each in one.items()} for one in own))


def _trained(numbers: Numbers, regularization: float) -> dict[int, Trained]:
    """Networks of the reference set, by seed."""
    return {
        network.seed: numbers.trained[network]
        for network in groups(numbers.trained).get((REFERENCE, regularization), [])
    }


def _share(own: Trained, values: np.ndarray) -> Estimate:
    """Mean of values (k,) over a test set; whole replicas drawn again, of all temperatures: few are
    of each.
    """
    return sampling.ratio(own.replica, np.zeros(len(values)), values, np.ones(len(values)))


def training(record: Record) -> list[Claim]:
    numbers = record.numbers
    own = _trained(numbers, NONE)
    tested = np.unique(np.concatenate([each.index for each in own.values()])) if own else []
    networks, note = f"{len(own)} networks, {len(tested)} configurations tested", ""
    if numbers.groups is not None:
        missing = 100 * numbers.groups.unassigned
        note = f"{missing:.1f}% of the slice's configurations are in no phase (not assigned) and "
        note += "are neither learnt nor tested"
    return [
        of_slice(
            record,
            "",
            "without regularization unseen configurations of the slice are classified: accuracy "
            "on the test set",
            "perfect",
            above(RIGHT),
            accuracy(numbers, NONE),
            data=networks,
            note=note,
        ),
        of_slice(
            record,
            "",
            "regularization does not impact it: accuracy with lambda = 0.01 minus with 0",
            "0",
            between(-SAME, SAME),
            accuracy_change(numbers),
            data=networks,
        ),
    ]


# ---- other densities


def elsewhere(numbers: Numbers) -> dict[float, list[Boundary]]:
    """{lambda: boundaries at other densities, by networks that know the reference alone}."""
    found = extrapolation.drawn_boundaries(numbers.diagram, numbers.answers)
    return {
        lam: extrapolation.away(
            extrapolation.select(found, set=REFERENCE, regularization=lam), numbers.about.density
        )
        for lam in PAIR
    }


def missed(own: list[Boundary]) -> dict[int, float]:
    """Share of boundaries that are missed, by seed."""
    return extrapolation.by_seed(own, extrapolation.failures)


def span(numbers: Numbers) -> str:
    """The other densities, in words."""
    own = [d for d in numbers.diagram.density if not np.isclose(d, numbers.about.density)]
    if not own:
        return "other densities"
    return f"rho0 = {own[0]:g}" + (f" to {own[-1]:g}" if len(own) > 1 else "")


def extrapolated(record: Record) -> list[Claim]:
    """Away from the density that they were trained at."""
    numbers = record.numbers
    own, where = elsewhere(numbers), span(record.numbers)
    density = {p.density for found in own.values() for p in found}
    data = f"{len(density)} other densities, {len({p.network for p in own[PAPERS]})} networks"

    def claim(text: str, paper: str, rule, estimate: Estimate | None, note: str = "") -> Claim:
        return of_all(record, "3", text, paper, rule, estimate, data=data, note=note)

    by_seed = {lam: missed(found) for lam, found in own.items()}
    share = {lam: seeds.mean(found) if own[lam] else None for lam, found in by_seed.items()}
    two = all(own.values())
    steps = [
        step
        for d, step in zip(numbers.diagram.density, numbers.diagram.step, strict=True)
        if not np.isclose(d, numbers.about.density)
    ]
    resolution = float(max(steps, default=0.0) / np.sqrt(12))
    spread = extrapolation.spreads(own[PAPERS], own[NONE]) if two else None
    words = f"share of boundaries at {where} more than {FAR:g} off or not there"
    return [
        *(distance(own[PAPERS], i, where, resolution, claim) for i in range(len(BOUNDARIES))),
        claim(
            f"lambda = 0.01: {words}",
            "accurate",
            below(FEW),
            share[PAPERS],
            beside(numbers, PAPERS),
        ),
        claim(
            f"lambda = 0: {words}", "often fail", above(OFTEN), share[NONE], beside(numbers, NONE)
        ),
        claim(
            f"lambda = 0 fails more often: {words}, minus with lambda = 0.01",
            "more",
            above(0),
            seeds.minus(by_seed[NONE], by_seed[PAPERS]) if two else None,
        ),
        claim(
            "regularized extrapolation is more robust: spread over networks of the boundary's "
            f"temperature at {where}, ln(lambda = 0.01 over 0)",
            "less",
            below(0),
            spread and spread.change,
            "" if spread is None else spreads_in_words(spread),
        ),
    ]


def distance(own: list[Boundary], boundary: int, where: str, resolution: float, claim) -> Claim:
    """How far regularized networks put one boundary from the physical one.

    resolution: of a temperature, by the distance of those that were run; in the error.
    """
    here = [p for p in own if p.boundary == boundary]
    found = seeds.mean(extrapolation.by_seed(here, extrapolation.mean_distance)) if here else None
    none = sum(not np.isfinite(p.temperature.value) for p in here)
    if found is not None:
        found = Estimate(found.value, float(np.hypot(found.error, resolution)))
    notes = [
        f"{none} of {len(here)} have no crossing, left out" if none else "",
        f"both are read off the same temperatures, which tell no more than {resolution:.1g}",
    ]
    return claim(
        f"lambda = 0.01 extrapolates {BOUNDARIES[boundary]}: mean |network - physical| temperature "
        f"at {where}",
        "able to",
        below(FAR),
        found,
        "; ".join(filter(None, notes)),
    )


def spreads_in_words(spread: extrapolation.Spread) -> str:
    return (
        f"{spread.first} and {spread.second}, over {spread.kept} boundaries that all networks "
        f"draw; dropped: {spread.dropped[0]} that not all with lambda = 0.01 draw, "
        f"{spread.dropped[1]} that not all with 0 do"
    )


def beside(numbers: Numbers, regularization: float) -> str:
    """What the share of failures leaves out: boundaries that networks draw where there is no
    physical one, and uncertain physical ones.
    """
    reference = numbers.about.density
    drawn = extrapolation.drawn_boundaries(numbers.diagram, numbers.answers)
    own = extrapolation.select(drawn, set=REFERENCE, regularization=regularization)
    extra = extrapolation.invented(own, reference)
    unsure = {
        (p.density, p.boundary)
        for p in own
        if np.isfinite(p.truth.value) and p.failed is None and not np.isclose(p.density, reference)
    }
    text = (
        f"besides, {len({p.network for p in extra})} of {len({p.network for p in own})} networks "
        f"draw a boundary where there is no physical one, {len(extra)} in all"
    )
    if unsure:
        text += f"; {len(unsure)} boundaries not counted, their physical error is above {FAR / 2:g}"
        text += " or unknown"
    return text


# ---- saliency

MARGIN_IS = "of the score less that of the next phase"


def mapped(numbers: Numbers, regularization: float, margin: bool = False) -> dict[int, Saliency]:
    """Of the set whose saliency is shown, by seed; margin: of the difference of the two largest
    scores.
    """
    own = groups(numbers.saliency).get((shown_set(numbers.saliency), regularization), [])
    found = {network.seed: numbers.saliency[network] for network in own}
    if margin:
        return {seed: s.margin for seed, s in found.items() if s.margin is not None}
    return found


def by_seed(
    numbers: Numbers, regularization: float, quantity: str, margin: bool = False
) -> dict[int, float]:
    """Mean of a quantity over the configurations, by the seed of the networks of one lambda; by
    configuration if all networks of the set have one seed.
    """
    shown = [n for n in numbers.saliency if n.set == shown_set(numbers.saliency)]
    several, each = len({network.seed for network in shown}) > 1, {}
    for seed, own in mapped(numbers, regularization, margin).items():
        for row, value in zip(own.rows.tolist(), getattr(own, quantity).tolist(), strict=True):
            if np.isfinite(value):
                each.setdefault(seed if several else row, []).append(value)
    return {key: float(np.mean(values)) for key, values in each.items()}


def saliency(record: Record) -> list[Claim]:
    """Of the score of the phase that is seen, as in the paper, and of what it is ahead of the next
    one by, which the answer rests on.
    """
    found = saliency_of(record, False)
    margins = any(s.margin is not None for s in record.numbers.saliency.values())
    return [*found, *(saliency_of(record, True) if margins else [])]


def saliency_of(record: Record, margin: bool) -> list[Claim]:
    numbers = record.numbers
    own = {lam: mapped(numbers, lam, margin) for lam in PAIR}
    has = {lam: any(len(s.rows) for s in found.values()) for lam, found in own.items()}
    edges, live = (
        {lam: by_seed(numbers, lam, name, margin) for lam in PAIR}
        for name in ("edges", "participation")
    )
    shown = [s for n, s in numbers.saliency.items() if n.set == shown_set(numbers.saliency)]
    rows = {row for s in shown for row in s.rows.tolist()}
    data = f"{len(rows)} configurations, {len(shown)} networks"
    pair = [seeds.mean(live[lam]) for lam in PAIR]

    def claim(text: str, paper: str, rule, estimate: Estimate | None, note: str = "") -> Claim:
        text = f"{text} ({MARGIN_IS})" if margin else text
        return of_slice(record, "4", text, paper, rule, estimate, data=data, note=note)

    two = all(has.values())
    return [
        claim(
            "saliency with lambda = 0.01 is on the edges of the band: correlation with |gradient| "
            "of the density's profile",
            "the diffuse edges",
            above(ON_EDGES),
            seeds.mean(edges[PAPERS]) if has[PAPERS] else None,
        ),
        claim(
            "without regularization it is less so: that correlation with lambda = 0.01 minus with "
            "0",
            "more",
            above(0),
            seeds.minus(edges[PAPERS], edges[NONE]) if two else None,
        ),
        claim(
            "lambda strongly impacts the locality: smaller over larger participation ratio of the "
            "two",
            "strongly",
            below(LOCAL),
            smaller_over_larger(*pair) if two else None,
            f"lambda = 0: {pair[0]}, 0.01: {pair[1]}",
        ),
        claim(
            "in L and G the gradient is small: mean |dS_c / dI| there over that in L+G, lambda = "
            "0.01",
            "small",
            below(0.5),
            outside(own[PAPERS]),
        ),
    ]


def smaller_over_larger(first: Estimate, second: Estimate) -> Estimate:
    low, high = sorted((first, second), key=lambda e: e.value)
    value = low.value / high.value
    return Estimate(value, float(value * np.hypot(low.error / low.value, high.error / high.value)))


def outside(own: dict[int, Saliency]) -> Estimate | None:
    """Mean saliency of L and G configurations over that of L+G ones; None: the maps have only one
    kind.
    """
    known = {seed: s.outside for seed, s in own.items() if np.isfinite(s.outside)}
    return seeds.mean(known) if known else None


# ---- first layer


def kernels_set(numbers: Numbers) -> str | None:
    """The set whose kernels are shown: as for the saliency, where that is trained."""
    chosen = shown_set(numbers.saliency)
    return shown_set([n for n in numbers.trained if n.set == chosen], numbers.trained)


def first_layer(record: Record) -> list[Claim]:
    numbers = record.numbers
    by_lambda = groups(numbers.trained)
    own = {lam: by_lambda.get((kernels_set(numbers), lam), []) for lam in PAIR}
    data = f"{sum(len(networks) for networks in own.values())} networks"

    def change(statistic) -> Estimate | None:
        if not all(own.values()):
            return None
        return seeds.minus(
            *(
                {n.seed: statistic(numbers.trained[n].first_layer.astype(float)) for n in own[lam]}
                for lam in (PAPERS, NONE)
            )
        )

    return [
        of_slice(
            record,
            "8",
            "first layer with lambda = 0.01 detects more robust features: roughness of its "
            "kernels, minus with 0",
            "smoother",
            below(0),
            change(filters.mean_roughness),
            data=data,
        ),
        of_slice(
            record,
            "8",
            f"share of kernels with a weight beyond {filters.SMALLEST:g}, lambda = 0.01 minus 0",
            "fewer",
            below(0),
            change(filters.share_alive),
            data=data,
        ),
    ]
