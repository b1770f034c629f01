"""What was run, and the findings that matter, in whole sentences; every number is the records'."""

import numpy as np

from analysis.claim import Claim
from analysis.estimates import Estimate
from analysis.flocking import extrapolation, network_claims, seeds
from analysis.flocking.claims import NEAR, mixed_groups
from analysis.flocking.figures_components import given_to_umap
from analysis.flocking.labels import NONE, PAPERS
from analysis.flocking.measure import Numbers
from analysis.record import Record
from analysis.verdicts import SIGMAS

PHASE = ("liquid gives way to bands", "bands give way to gas")  # at the two boundaries


def sentence(records: list[Record]) -> str:
    model = (
        "The Active Ising Model: particles of spin +1 and -1 hop on a periodic square lattice of "
        "side L, those of spin +1 more often to the right and those of spin -1 to the left (D: rate "
        "of hops, epsilon: how one-sided they are), and turn to the spin of most others on their "
        "site, the more surely the lower the temperature T. There are three phases: **L**, liquid, "
        "in which nearly all go one way; **G**, gas, in which they do not; and **L+G**, bands of "
        "liquid that travel through gas. rho0 is the mean number of particles a site; lambda, of a "
        "network, is the strength of the penalty on its squared weights (regularization)."
    )
    return " ".join([model, *(run_in_words(record) for record in records)])


def run_in_words(record: Record) -> str:
    numbers = record.numbers
    about, networks = numbers.about, {*numbers.trained, *numbers.answers}
    other = about.everything - about.configurations
    low, high = about.temperatures or (np.nan, np.nan)
    densities = len(numbers.diagram.density) - 1
    text = (
        f"{record.origin.run} ({record.origin.system}): {about.configurations} configurations of "
        f"{about.replicas} runs at {about.of_them} temperatures from {low:g} to {high:g}"
    )
    if other:
        text += f", {other} at {densities} other densit{'y' if densities == 1 else 'ies'}"
    return f"{text}, and {len(networks)} networks." if networks else f"{text}; no networks yet."


def findings(records: list[Record], claims: list[Claim]) -> list[str]:
    """Of the first record that has each, the most important first."""
    found = []
    for tell in (boundaries, elsewhere, variance, groups, saliency, memory):
        said = (tell(record, len(records) > 1) for record in records)
        found += [text for text in said if text][:1]
    return found


def of(record: Record, several: bool) -> str:
    """Which system a finding is about, where there are several."""
    return f"{record.origin.system}: " if several else ""


def boundaries(record: Record, several: bool) -> str:
    """Where the phases end."""
    about, truth = record.numbers.about, record.numbers.diagram
    k, found = truth.at(about.density), []
    for i, words in enumerate(PHASE):
        own = truth.boundary(k, i) if k is not None else Estimate(np.nan, np.nan)
        if np.isfinite(own.value):
            found.append(f"{words} at T = {own}{beside_umap(own, truth.by_umap(k, i))}")
    if not found:
        return (
            f"{of(record, several)}At rho0 = {about.density:g} no boundary between two phases lies "
            "within the temperatures that were run."
        )
    text = f"{of(record, several)}At rho0 = {about.density:g} {' and '.join(found)}."
    return text + rises(record)


def beside_umap(own: Estimate, umap: Estimate) -> str:
    if not np.isfinite(umap.value):
        return ""
    apart = abs(umap.value - own.value)
    doubt = SIGMAS * float(np.hypot(np.nan_to_num(own.error), np.nan_to_num(umap.error)))
    if apart <= max(doubt, NEAR):
        return f" (UMAP's groups: {umap})"
    return f" (UMAP's groups disagree: {umap})"


def rises(record: Record) -> str:
    """How both move with density."""
    truth = record.numbers.diagram
    known = [np.flatnonzero(np.isfinite(truth.physical[:, i])) for i in range(2)]
    both = [k for k in known if len(k) > 1]
    if len(both) < 2:
        return ""
    low, high = truth.density[min(k[0] for k in both)], truth.density[max(k[-1] for k in both)]
    steps = [np.diff(truth.physical[k, i]) for i, k in enumerate(known)]
    if all((step > 0).all() for step in steps):
        return f" Both rise with every step in density from rho0 = {low:g} to {high:g}."
    if all(truth.physical[k[-1], i] > truth.physical[k[0], i] for i, k in enumerate(known)):
        return f" Both are higher at rho0 = {high:g} than at {low:g}."
    return f" Not both rise with density from rho0 = {low:g} to {high:g}."


def elsewhere(record: Record, several: bool) -> str:
    """Networks at densities that they have not seen."""
    numbers = record.numbers
    own = {lam: found for lam, found in network_claims.elsewhere(numbers).items() if found}
    if not own:
        return ""
    where = network_claims.span(numbers)
    text = (
        f"{of(record, several)}Networks that learnt the phases at rho0 = "
        f"{numbers.about.density:g} alone were asked at {where}, where they miss a boundary by "
        f"more than {extrapolation.FAR:g} of T, or do not draw it, in a share of "
    )
    missed = {lam: seeds.mean(network_claims.missed(found)) for lam, found in own.items()}
    text += " and ".join(f"{share} with lambda = {lam:g}" for lam, share in missed.items())
    text += f" ({', '.join(counts(own))}); {distances(numbers, own)}."
    return text + regularized(own, missed)


def counts(own: dict[float, list]) -> list[str]:
    return [
        f"{len({p.network for p in found})} network"
        f"{'s' if len({p.network for p in found}) > 1 else ''} of lambda = {lam:g}"
        for lam, found in own.items()
    ]


def distances(numbers: Numbers, own: dict[float, list]) -> str:
    """Of the boundaries that are drawn, none better than the grid of temperatures."""
    grid = float(numbers.diagram.step.max()) / np.sqrt(12)
    found = [
        f"{extrapolation.mean_distance(places):.2g} (lambda = {lam:g})"
        for lam, places in own.items()
        if np.isfinite(extrapolation.mean_distance(places))
    ]
    if not found:
        return "they draw no boundary there"
    return (
        f"the others are {' and '.join(found)} off on average, where the grid of temperatures "
        f"tells {grid:.1g}"
    )


def regularized(own: dict[float, list], missed: dict[float, Estimate]) -> str:
    """Whether lambda = 0 fails more often, as the paper says."""
    if not {NONE, PAPERS} <= own.keys():
        return ""
    change = seeds.minus(*(network_claims.missed(own[lam]) for lam in (NONE, PAPERS)))
    paper = "The paper's networks without regularization often fail there"
    if np.isfinite(change.error) and change.value > SIGMAS * change.error:
        return f" {paper}; so do these."
    if missed[NONE].value <= network_claims.OFTEN and not change.value > 0:
        return f" {paper}; these do not more often than regularized ones."
    return f" {paper}; these are too few to tell."


def variance(record: Record, several: bool) -> str:
    found = record.numbers.components
    if found is None:
        return ""
    shares = [found.first_raw, found.first_without_noise, found.first_averaged]
    least = 0.999  # the paper's
    raw, clean, averaged = (percent(share) for share in shares)
    verdict = (
        "more than the paper's" if found.first_raw.value > least else "the paper has more than"
    )
    return (
        f"{of(record, several)}The first seven principal components explain {raw} of the variance "
        f"of the magnetization maps ({verdict} 99.9%); the shot noise of single particles, which no "
        f"few components can explain, is {percent(found.shot_noise)}. Without it they explain "
        f"{clean}, of maps averaged along y {averaged}."
    )


def percent(share: Estimate) -> str:
    if not np.isfinite(share.value):
        return "an undetermined share"
    return f"{100 * share.value:.1f}%"


def groups(record: Record, several: bool) -> str:
    found, about = record.numbers.groups, record.numbers.about
    if found is None:
        return ""
    count, mixed = len(found.cluster), mixed_groups(record)
    ordered = int((found.phase > 0).sum())
    text = (
        f"{of(record, several)}UMAP, given {given_to_umap(about)}, puts the configurations of rho0 "
        f"= {about.density:g} into {count} group{'s' if count != 1 else ''} (5 in the paper)"
    )
    if ordered and np.isfinite(found.one_sign.value):
        signs = (
            "each of one sign of m"
            if mixed == 0
            else f"{mixed} of them with both signs of m, though {percent(found.one_sign)} of the "
            "configurations have the sign of their group"
        )
        text += f": {ordered} of L or L+G, {signs}"
    return f"{text}; {100 * found.unassigned:.1f}% of the configurations are in none of the phases."


def saliency(record: Record, several: bool) -> str:
    """Whether what decides is the edges of the band."""
    numbers = record.numbers
    edges = {
        lam: network_claims.by_seed(numbers, lam, "edges")
        for lam in (NONE, PAPERS)
        if network_claims.mapped(numbers, lam)
    }
    means = {lam: seeds.mean(own) for lam, own in edges.items() if own}
    if not means:
        return ""
    said = " and ".join(f"{own} with lambda = {lam:g}" for lam, own in means.items())
    text = (
        f"{of(record, several)}What decides that a configuration is banded is correlated with the "
        f"edges of the band, column by column, by r = {said}"
    )
    if PAPERS not in means:
        return f"{text}."
    one, limit = means[PAPERS], network_claims.ON_EDGES
    if np.isfinite(one.error) and abs(one.value - limit) <= SIGMAS * one.error:
        return f"{text}: whether regularized networks look at the edges, as in the paper, is open."
    look = "look" if one.value > limit else "do not look"
    return f"{text}: regularized networks {look} at the edges ({limit:g} is needed), as the paper's do."


def memory(record: Record, several: bool) -> str:
    """Whether starts agree."""
    found = record.numbers.relaxation
    known = 0 if found is None else int(np.isfinite(found.agree).sum())
    if not known:
        return ""
    same = int((found.agree == 1).sum())
    return (
        f"{of(record, several)}Runs from ordered and from disordered starts end with the same |m| "
        f"at {same} of {known} temperatures."
    )
