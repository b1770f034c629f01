"""Claims of the paper's sections on supervised learning and interpretability."""

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate, exact
from analysis.flocking import extrapolation, filters, locality, sampling, seeds
from analysis.flocking.answers import Trained
from analysis.flocking.dataset import Run
from analysis.flocking.extrapolation import FAR, Place
from analysis.flocking.networks import BAND, BOUNDARIES, PAPERS, REFERENCE, groups
from analysis.flocking.rows import Claim, exactly, row
from analysis.verdicts import above, below, between

RIGHT, SAME = 0.99, 0.01  # accuracy that is "perfect", and difference that is none
FEW, OFTEN = 0.1, 0.2  # shares of boundaries that a network misses
ON_EDGES, LOCAL = 0.5, 0.8  # correlation with the edges; ratio of two participations that differ
NONE = 0.0  # lambda of the networks without regularization


def rows(run: Run, places: list[Place]) -> list[Claim]:
    return [*training(run), *extrapolated(run, places), *saliency(run), *first_layer(run)]


def accuracy(run: Run, regularization: float) -> Estimate | None:
    """Mean accuracy on the test set over networks of the reference set, error from their scatter;
    of one: replicas drawn again.
    """
    own = _trained(run, regularization)
    if len(own) > 1:
        return seeds.mean({seed: each.accuracy for seed, each in own.items()})
    return next((_share(run, each.index, each.right) for each in own.values()), None)


def accuracy_change(run: Run) -> Estimate | None:
    """Accuracy with PAPERS minus with NONE, seed by seed; of one seed configuration by
    configuration.
    """
    own = [_trained(run, lam) for lam in (PAPERS, NONE)]
    if not all(own):
        return None
    (first, *more), (second, *_) = (list(each.values()) for each in own)
    if not more and own[0].keys() == own[1].keys() and np.array_equal(first.index, second.index):
        return _share(run, first.index, first.right.astype(float) - second.right)
    return seeds.minus(*({seed: each.accuracy for seed, each in one.items()} for one in own))


def _trained(run: Run, regularization: float) -> dict[int, Trained]:
    """Networks of the reference set, by seed."""
    return {
        network.seed: run.trained[network]
        for network in groups(run.trained).get((REFERENCE, regularization), [])
    }


def _share(run: Run, index: np.ndarray, values: np.ndarray) -> Estimate:
    """Mean of values (k,) over rows index (k,) of dataset.h5; whole replicas drawn again, of all
    temperatures: few are of each.
    """
    return sampling.ratio(run.replica[index], np.zeros(len(index)), values, np.ones(len(index)))


def training(run: Run) -> list[Claim]:
    counts = {t.parameters for t in run.trained.values() if t.parameters is not None}
    stated = 32 / 27 * run.size**2 + 1939
    plain, own = accuracy(run, NONE), _trained(run, NONE)
    tested = np.unique(np.concatenate([each.index for each in own.values()])) if own else []
    networks, note = f"{len(own)} networks, {len(tested)} configurations tested", ""
    if run.phases is not None:
        missing = float((run.phases.phase[run.at(run.reference)] < 0).mean())
        note = f"{100 * missing:.1f}% of the slice's configurations are in no phase (not assigned) and are neither learnt nor tested"
    return [
        row(
            run,
            "weights and biases of the network: 32/27 L^2 + 1939",
            f"{stated:g}",
            exactly(stated),
            exact(counts.pop()) if len(counts) == 1 else UNDETERMINED if counts else None,
            data=f"{len(run.trained)} networks",
        ),
        row(
            run,
            "without regularization unseen configurations of the slice are classified: accuracy on the test set",
            "perfect",
            above(RIGHT),
            plain,
            data=networks,
            note=note,
        ),
        row(
            run,
            "regularization does not impact it: accuracy with lambda = 0.01 minus with 0",
            "0",
            between(-SAME, SAME),
            accuracy_change(run),
            data=networks,
        ),
    ]


def extrapolated(run: Run, places: list[Place]) -> list[Claim]:
    """Away from the density that they were trained at."""
    own = {
        lam: extrapolation.away(
            extrapolation.select(places, set=REFERENCE, regularization=lam), run.reference
        )
        for lam in (NONE, PAPERS)
    }
    density = sorted({p.density for found in own.values() for p in found})
    data = f"{len(density)} other densities, {len({p.network for p in own[PAPERS]})} networks"
    result = []
    for i, name in enumerate(BOUNDARIES):
        here = [p for p in own[PAPERS] if p.boundary == i]
        found = (
            seeds.mean(extrapolation.by_seed(here, extrapolation.mean_distance)) if here else None
        )
        none = sum(not np.isfinite(p.temperature.value) for p in here)
        result.append(
            row(
                run,
                f"lambda = 0.01 extrapolates {name}: mean |network - physical| temperature over other densities",
                "able to",
                below(FAR),
                found,
                reference=False,
                data=data,
                note=f"{none} of {len(here)} have no crossing, left out" if none else "",
            )
        )
    two = all(own.values())
    by_seed = {
        lam: extrapolation.by_seed(found, extrapolation.failures) for lam, found in own.items()
    }
    missed = {lam: seeds.mean(found) if found else None for lam, found in by_seed.items()}
    spread = extrapolation.spreads(own[PAPERS], own[NONE]) if two else None
    notes = {lam: _beside(places, lam, run.reference) for lam in own}
    share = f"share of boundaries at other densities more than {FAR:g} off or not there"
    return [
        *result,
        row(
            run,
            f"lambda = 0.01: {share}",
            "accurate",
            below(FEW),
            missed[PAPERS],
            reference=False,
            data=data,
            note=notes[PAPERS],
        ),
        row(
            run,
            f"lambda = 0: {share}",
            "often fail",
            above(OFTEN),
            missed[NONE],
            reference=False,
            data=data,
            note=notes[NONE],
        ),
        row(
            run,
            f"lambda = 0 fails more often: {share}, minus with lambda = 0.01",
            "more",
            above(0),
            seeds.minus(by_seed[NONE], by_seed[PAPERS]) if two else None,
            reference=False,
            data=data,
        ),
        row(
            run,
            "regularized extrapolation is more robust: spread over networks of the boundary's temperature, ln(lambda = 0.01 over 0)",
            "less",
            below(0),
            spread and spread.change,
            reference=False,
            data=data,
            note=""
            if spread is None
            else f"{spread.first} and {spread.second}, over {spread.kept} boundaries that all networks draw; "
            f"dropped: {spread.dropped[0]} that not all with lambda = 0.01 draw, {spread.dropped[1]} that not all with 0 do",
        ),
    ]


def _beside(places: list[Place], regularization: float, reference: float) -> str:
    """What the share of failures leaves out: boundaries that networks draw where there is no
    physical one, and uncertain physical ones.
    """
    own = extrapolation.select(places, set=REFERENCE, regularization=regularization)
    extra = extrapolation.invented(own, reference)
    unsure = {
        (p.density, p.boundary)
        for p in own
        if np.isfinite(p.truth.value) and p.failed is None and not np.isclose(p.density, reference)
    }
    text = (
        f"besides, {len({p.network for p in extra})} of {len({p.network for p in own})} networks draw a boundary where there is no "
        f"physical one, {len(extra)} in all"
    )
    return text + (
        f"; {len(unsure)} boundaries not counted, their physical error is above {FAR / 2:g} or unknown"
        if unsure
        else ""
    )


def saliency(run: Run) -> list[Claim]:
    found = locality.localities(run)
    edges, live = (
        {lam: locality.values(found, lam, name) for lam in (NONE, PAPERS)}
        for name in ("edges", "participation")
    )
    has = {lam: any(each.network.regularization == lam for each in found) for lam in (NONE, PAPERS)}
    two = all(has.values())
    data = f"{len({each.row for each in found})} configurations, {len({each.network for each in found})} networks"
    pair = [seeds.mean(live[lam]) for lam in (NONE, PAPERS)]
    return [
        row(
            run,
            "saliency with lambda = 0.01 is on the edges of the band: correlation with |gradient| of the density's profile",
            "the diffuse edges",
            above(ON_EDGES),
            seeds.mean(edges[PAPERS]) if has[PAPERS] else None,
            data=data,
        ),
        row(
            run,
            "without regularization it is less so: that correlation with lambda = 0.01 minus with 0",
            "more",
            above(0),
            seeds.minus(edges[PAPERS], edges[NONE]) if two else None,
            data=data,
        ),
        row(
            run,
            "lambda strongly impacts the locality: smaller over larger participation ratio of the two",
            "strongly",
            below(LOCAL),
            smaller_over_larger(*pair) if two else None,
            data=data,
            note=f"lambda = 0: {pair[0]}, 0.01: {pair[1]}",
        ),
        row(
            run,
            "in L and G the gradient is small: mean |dS_c / dI| there over that in L+G, lambda = 0.01",
            "small",
            below(0.5),
            outside(run),
            data=data,
        ),
    ]


def smaller_over_larger(first: Estimate, second: Estimate) -> Estimate:
    low, high = sorted((first, second), key=lambda e: e.value)
    value = low.value / high.value
    return Estimate(value, float(value * np.hypot(low.error / low.value, high.error / high.value)))


def outside(run: Run) -> Estimate | None:
    """Mean saliency of L and G configurations over that of L+G ones; None: the maps have only one
    kind.
    """
    chosen = locality.shown_set(run)
    if chosen is None or run.phases is None:
        return None
    banded = run.phases.phase[run.saliency.index] == BAND
    networks = groups(run.saliency.maps).get((chosen, PAPERS), [])
    if banded.all() or not banded.any() or not networks:
        return None
    return seeds.mean(
        {
            n.seed: float(
                run.saliency.maps[n][~banded].mean() / run.saliency.maps[n][banded].mean()
            )
            for n in networks
        }
    )


def first_layer(run: Run) -> list[Claim]:
    chosen = filters.shown_set(run)
    networks = {lam: groups(run.trained).get((chosen, lam), []) for lam in (NONE, PAPERS)}
    data = f"{sum(len(own) for own in networks.values())} networks"

    def change(statistic) -> Estimate | None:
        return (
            seeds.minus(*(filters.by_seed(run, lam, statistic) for lam in (PAPERS, NONE)))
            if all(networks.values())
            else None
        )

    return [
        row(
            run,
            "first layer with lambda = 0.01 detects more robust features: roughness of its kernels, minus with 0",
            "smoother",
            below(0),
            change(filters.mean_roughness),
            data=data,
        ),
        row(
            run,
            f"share of kernels with a weight beyond {filters.SMALLEST:g}, lambda = 0.01 minus 0",
            "fewer (figure 8)",
            below(0),
            change(filters.share_alive),
            data=data,
        ),
    ]
