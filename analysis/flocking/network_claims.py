"""Claims of the paper's sections on supervised learning and interpretability."""

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate
from analysis.flocking import extrapolation, filters, locality
from analysis.flocking.dataset import Run
from analysis.flocking.extrapolation import FAR, Place
from analysis.flocking.networks import BAND, BOUNDARIES, PAPERS, REFERENCE, groups
from analysis.flocking.rows import Claim, exact, exactly, row
from analysis.flocking.sampling import difference
from analysis.verdicts import above, below, between

RIGHT, SAME = 0.99, 0.01  # accuracy that is "perfect", and difference that is none
FEW, OFTEN = 0.1, 0.2  # shares of boundaries that a network misses
ON_EDGES, LOCAL = 0.5, 0.8  # correlation with the edges; ratio of two participations that differ
NONE = 0.0  # lambda of the networks without regularization


def rows(run: Run, places: list[Place]) -> list[Claim]:
    return [*training(run), *extrapolated(run, places), *saliency(run), *first_layer(run)]


def accuracy(run: Run, regularization: float) -> Estimate | None:
    """Mean accuracy on the test set over networks of the reference set; None: none trained.  Error: their spread, binomial for one."""
    own = [run.trained[network] for network in groups(run.trained).get((REFERENCE, regularization), [])]
    if not own:
        return None
    values = np.array([trained.accuracy for trained in own])
    if len(own) > 1:
        return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))
    return Estimate(float(values[0]), float(np.sqrt(values[0] * (1 - values[0]) / max(own[0].tested, 1))))


def both(first: Estimate | None, second: Estimate | None) -> Estimate | None:
    """first - second, None where either was not run."""
    return None if first is None or second is None else difference(first, second)


def training(run: Run) -> list[Claim]:
    counts = {t.parameters for t in run.trained.values() if t.parameters is not None}
    stated = 32 / 27 * run.size**2 + 1939
    plain, regular = accuracy(run, NONE), accuracy(run, PAPERS)
    networks = f"{len(groups(run.trained).get((REFERENCE, NONE), []))} networks"
    return [
        row(run, "weights and biases of the network: 32/27 L^2 + 1939", f"{stated:g}", exactly(stated),
            exact(counts.pop()) if len(counts) == 1 else UNDETERMINED if counts else None, data=f"{len(run.trained)} networks"),
        row(run, "without regularization unseen configurations of the slice are classified: accuracy on the test set", "perfect",
            above(RIGHT), plain, data=networks),
        row(run, "regularization does not impact it: accuracy with lambda = 0.01 minus with 0", "0", between(-SAME, SAME),
            both(regular, plain), data=networks),
    ]  # fmt: skip


def extrapolated(run: Run, places: list[Place]) -> list[Claim]:
    """Away from the density that they were trained at."""
    own = {
        lam: extrapolation.away(extrapolation.select(places, set=REFERENCE, regularization=lam), run.reference) for lam in (NONE, PAPERS)
    }  # fmt: skip
    density = sorted({p.density for found in own.values() for p in found})
    data = f"{len(density)} other densities, {len({p.network for p in own[PAPERS]})} networks"
    result = []
    for i, name in enumerate(BOUNDARIES):
        here = [p for p in own[PAPERS] if p.boundary == i]
        found = extrapolation.by_seed(here, extrapolation.mean_distance) if here else None
        none = sum(not np.isfinite(p.temperature.value) for p in here)
        result.append(row(run, f"lambda = 0.01 extrapolates {name}: mean |network - physical| temperature over other densities", "able to",
                          below(FAR), found, reference=False, data=data,
                          note=f"{none} of {len(here)} have no crossing, left out" if none else ""))  # fmt: skip
    missed = {lam: extrapolation.by_seed(found, extrapolation.failures) if found else None for lam, found in own.items()}
    spread = {lam: extrapolation.mean_spread(found) if found else None for lam, found in own.items()}
    share = f"share of boundaries at other densities more than {FAR:g} off or not there"
    return [
        *result,
        row(run, f"lambda = 0.01: {share}", "accurate", below(FEW), missed[PAPERS], reference=False, data=data),
        row(run, f"lambda = 0: {share}", "often fail", above(OFTEN), missed[NONE], reference=False, data=data),
        row(run, f"lambda = 0 fails more often: {share}, minus with lambda = 0.01", "more", above(0), both(missed[NONE], missed[PAPERS]),
            reference=False, data=data),
        row(run, "regularized extrapolation is more robust: spread over networks of the boundary's temperature, lambda = 0.01 minus 0",
            "less", below(0), both(spread[PAPERS], spread[NONE]), reference=False, data=data,
            note="" if spread[PAPERS] is None or spread[NONE] is None else f"{spread[PAPERS]} and {spread[NONE]}"),
    ]  # fmt: skip


def saliency(run: Run) -> list[Claim]:
    found = locality.localities(run)
    mean = {(lam, name): locality.average(found, lam, name) for lam in (NONE, PAPERS) for name in ("edges", "participation")}
    has = {lam: any(each.network.regularization == lam for each in found) for lam in (NONE, PAPERS)}
    regular, two = mean[PAPERS, "edges"] if has[PAPERS] else None, all(has.values())
    data = f"{len({each.row for each in found})} configurations, {len({each.network for each in found})} networks"
    pair = [mean[lam, "participation"] for lam in (NONE, PAPERS)]
    return [
        row(run, "saliency with lambda = 0.01 is on the edges of the band: correlation with |gradient| of the density's profile",
            "the diffuse edges", above(ON_EDGES), regular, data=data),
        row(run, "without regularization it is less so: that correlation with lambda = 0.01 minus with 0", "more", above(0),
            both(regular, mean[NONE, "edges"]) if two else None, data=data),
        row(run, "lambda strongly impacts the locality: smaller over larger participation ratio of the two", "strongly", below(LOCAL),
            smaller_over_larger(*pair) if two else None, data=data, note=f"lambda = 0: {pair[0]}, 0.01: {pair[1]}"),
        row(run, "in L and G the gradient is small: mean |dS_c / dI| there over that in L+G, lambda = 0.01", "small", below(0.5),
            outside(run), data=data),
    ]  # fmt: skip


def smaller_over_larger(first: Estimate, second: Estimate) -> Estimate:
    low, high = sorted((first, second), key=lambda e: e.value)
    value = low.value / high.value
    return Estimate(value, float(value * np.hypot(low.error / low.value, high.error / high.value)))


def outside(run: Run) -> Estimate | None:
    """Mean saliency of L and G configurations over that of L+G ones; None: the maps have only one kind."""
    chosen = locality.shown_set(run)
    if chosen is None or run.phases is None:
        return None
    banded = run.phases.phase[run.saliency.index] == BAND
    networks = groups(run.saliency.maps).get((chosen, PAPERS), [])
    if banded.all() or not banded.any() or not networks:
        return None
    values = np.array([run.saliency.maps[n][~banded].mean() / run.saliency.maps[n][banded].mean() for n in networks])
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan)


def first_layer(run: Run) -> list[Claim]:
    chosen = filters.shown_set(run)
    networks = {lam: groups(run.trained).get((chosen, lam), []) for lam in (NONE, PAPERS)}
    data = f"{sum(len(own) for own in networks.values())} networks"

    def change(statistic) -> Estimate | None:
        return difference(*(filters.of_lambda(run, lam, statistic) for lam in (PAPERS, NONE))) if all(networks.values()) else None

    return [
        row(run, "first layer with lambda = 0.01 detects more robust features: roughness of its kernels, minus with 0", "smoother",
            below(0), change(filters.mean_roughness), data=data),
        row(run, f"share of kernels with a weight beyond {filters.SMALLEST:g}, lambda = 0.01 minus 0", "fewer (figure 8)", below(0),
            change(filters.share_alive), data=data),
    ]  # fmt: skip
