"""What was run, and the findings that matter, in whole sentences; every number is the records'."""

import numpy as np

from analysis.claim import Claim
from analysis.estimates import UNDETERMINED, Estimate, percent
from analysis.flocking import extrapolation, network_claims, seeds
from analysis.flocking.claims import NEAR, mixed_groups, rise
from analysis.flocking.extrapolation import Boundary
from analysis.flocking.figures_components import given_to_umap
from analysis.flocking.labels import NONE, PAPERS
from analysis.record import Record
from analysis.verdicts import NO, SIGMAS, UNDECIDED, YES, above

PHASE = ("liquid gives way to bands", "bands give way to gas")  # at the two boundaries


def sentence(records: list[Record]) -> str:
    model = (
        "The Active Ising Model: particles of spin +1 and -1 hop on a periodic square lattice "
        "of side L, those of spin +1 more often to the right and those of spin -1 to the left "
        "(D: rate of hops, epsilon: how one-sided they are), and align with the "
        "majority on their site, the more surely the lower the temperature T. There are three "
        "phases: **L**, liquid, in which nearly all go one way; **G**, gas, in which they do "
        "not; and **L+G**, bands of liquid that travel through gas. rho0 is the mean number of "
        "particles per site; lambda, of a network, is the strength of the penalty on its squared "
        "weights (regularization)."
    )
    return " ".join([model, *(run_in_words(record) for record in records)])


def run_in_words(record: Record) -> str:
    numbers = record.numbers
    about, networks = numbers.about, {*numbers.trained, *numbers.answers}
    other = about.everything - about.configurations
    low, high = about.temperatures or (np.nan, np.nan)
    densities = len(numbers.diagram.density) - 1
    text = (
        f"This run, {record.origin.run} ({record.origin.system}): {about.configurations} configurations of "
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
        own = truth.boundary(k, i) if k is not None else UNDETERMINED
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
    """How much higher both are at the highest density."""
    said = []
    for i, which in enumerate(("the first", "the second")):
        found = rise(record.numbers.diagram, i)
        if found is not None:
            low, high, higher = found
            said.append(f"{which} is {higher} higher at rho0 = {high:g} than at {low:g}")
    return f" Of the two temperatures {', '.join(said)}." if said else ""


def elsewhere(record: Record, several: bool) -> str:
    """Networks at densities that they have not seen."""
    numbers = record.numbers
    own = {lam: found for lam, found in network_claims.elsewhere(numbers).items() if found}
    if not own:
        return ""
    said = [missed(lam, found) + distance(found) for lam, found in own.items()]
    grid = float(numbers.diagram.step.max()) / np.sqrt(12)
    return (
        f"{of(record, several)}Networks that learnt the phases, as UMAP's groups are, at rho0 "
        f"= {numbers.about.density:g} alone were asked at {network_claims.span(numbers)}: "
        f"{', '.join(said)}. Missed is what is not drawn or more than {extrapolation.FAR:g} off; "
        "only boundaries whose physical place is known to "
        f"{extrapolation.FAR / 2:g} count, and the grid of temperatures tells no less than {grid:.1g} apart."
        f"{without(own)}"
    )


def missed(lam: float, drawn: list[Boundary]) -> str:
    count, networks = sum(bool(p.failed) for p in drawn), len({p.network for p in drawn})
    words = ("networks", "miss") if networks > 1 else ("network", "misses")
    return (
        f"{networks} {words[0]} with lambda = {lam:g} {words[1]} {count} of {len(drawn)} "
        f"boundar{'ies' if len(drawn) > 1 else 'y'}"
    )


def distance(drawn: list[Boundary]) -> str:
    """Of those that are not missed."""
    mean = extrapolation.mean_distance([p for p in drawn if not p.failed])
    if not np.isfinite(mean):
        return ""
    which = "what it draws is" if len(drawn) == 1 else "those it draws are on average"
    return f" ({which} {mean:.1g} of T off)"


def without(own: dict[float, list[Boundary]]) -> str:
    """Whether lambda = 0 often fails, as the paper says."""
    if NONE not in own:
        return ""
    share = seeds.mean(network_claims.missed(own[NONE]))
    said = {
        YES: "so do these",
        NO: "these do not",
        UNDECIDED: "these are too few to tell",
    }[above(network_claims.OFTEN).judge(share)]
    return f" The paper's without regularization (lambda = 0) often fail there; {said}."


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
        f"of the magnetization maps ({verdict} 99.9%); the shot noise of single particles, which "
        f"no few components can explain, is {percent(found.shot_noise)}. With the shot noise "
        f"subtracted they explain {clean}; of maps averaged along y, {averaged}."
    )


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
            else f"{mixed} of them with both signs of m; {percent(found.one_sign)} of their "
            "configurations have the sign of most of their group"
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
    each = [len(network_claims.mapped(numbers, lam)) for lam in means]
    count = f"{' and '.join(map(str, each))} network{'s' if sum(each) > 1 else ''}"
    text = (
        f"{of(record, several)}The sites that decide that a configuration is banded (saliency), "
        f"column by column, correlate with the edges of the band by r = {said} ({count})"
    )
    if PAPERS not in means:
        return f"{text}."
    said = {
        YES: "the regularized ones look at the edges, as the paper's do",
        NO: "the regularized ones do not look at the edges, the paper's do",
        UNDECIDED: "whether the regularized ones look at the edges, as the paper's do, is open",
    }[above(network_claims.ON_EDGES).judge(means[PAPERS])]
    return f"{text}: {said} (we ask for r above {network_claims.ON_EDGES:g})."


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
