"""Every claim of the paper: its value, ours with an error, and a rule that is the same for every
run.
"""

import numpy as np

from analysis.claim import Claim
from analysis.estimates import UNDETERMINED, Estimate, exact
from analysis.flocking import network_claims
from analysis.flocking.components import FIRST
from analysis.flocking.labels import BOUNDARIES, PHASES, TYPICAL
from analysis.flocking.measure import Components
from analysis.flocking.physical import Diagram
from analysis.flocking.sampling import difference
from analysis.flocking.stated import exactly, of_all, of_slice
from analysis.record import Record
from analysis.verdicts import above, below, between

PAIRS = tuple(f"for {i} and {i + 1}" for i in (2, 4, 6))  # components of one wave along x
APART = 3.0  # correlation times between samples that count as uncorrelated
NEAR = 0.02  # of T: two ways to find a transition agree
CRITICAL = 1.0  # T_c
AT_HALF = 0.03  # of T: the maximum lies where the liquid fills half


def claims(record: Record) -> list[Claim]:
    return [
        *principal_components(record),
        *samples(record),
        *groups(record),
        *transitions(record),
        *phase_diagram(record),
        *network_claims.claims(record),
    ]


def principal_components(record: Record) -> list[Claim]:
    found = record.numbers.components

    def claim(figure: str, text: str, paper: str, rule, of, **more) -> Claim:
        estimate = None if found is None else of(found)
        return of_slice(record, figure, text, paper, rule, estimate, **more)

    pairs = {} if found is None else dict(zip(PAIRS, map(exact, found.wave_share), strict=True))

    share = f"the first {FIRST} principal components explain the variance: share"
    return [
        claim(
            "1",
            f"{share}, magnetization as it is",
            "> 0.999",
            above(0.999),
            lambda f: f.first_raw,
        ),
        claim(
            "1",
            f"{share}, less the shot noise of single particles",
            "> 0.999",
            above(0.999),
            lambda f: f.first_without_noise,
        ),
        claim(
            "1",
            f"{share}, magnetization averaged along y",
            "> 0.999",
            above(0.999),
            lambda f: f.first_averaged,
        ),
        claim(
            "1",
            "the first component is the total magnetization: overlap with (1, ..., 1) / L",
            "equal",
            above(0.99),
            lambda f: exact(f.constant),
        ),
        claim(
            "1",
            "components 2 to 7 have periods L, L/2, L/3 along x: share of them in those waves, "
            "the least of the three pairs",
            "all",
            above(0.9),
            lambda f: exact(f.wave_share.min()),
            beside=pairs,
        ),
        claim(
            "1",
            "they come in pairs of equal variance: relative difference in a pair, largest of three",
            "equal",
            below(0.1),
            lambda f: f.pairs,
        ),
        claim(
            "2",
            "|p_1| / (rho0 L) is the order parameter: largest difference over configurations",
            "equal",
            below(0.01),
            lambda f: exact(f.order_difference),
        ),
        claim(
            "2",
            "mean of (p_2^2 + p_3^2)^(1/2) in phase L+G over that in L and G",
            "only there not 0",
            above(2),
            contrast,
        ),
        claim(
            "2",
            "its maximum is where the liquid fills half: T of the maximum minus T of liquid "
            "fraction 1/2",
            "0",
            between(-AT_HALF, AT_HALF),
            lambda f: f.maximum,
        ),
    ]


def contrast(parts: Components) -> Estimate | None:
    return parts.contrast


def samples(record: Record) -> list[Claim]:
    """Uncorrelated configurations."""
    found, rows = record.numbers.relaxation, []
    for name, words in (("abs_m", "|m|"), ("amplitude", "the band's amplitude")):
        estimate, note, beside = None, "", {}
        if found is not None:
            times = found.times[name]
            estimate, at = UNDETERMINED, times.worst
            if at is not None:
                tau, error = float(times.tau[at]), float(times.error[at])
                estimate = Estimate(found.interval / tau, found.interval * error / tau**2)
                note = f"at T = {found.temperature[at]:g}"
                beside = {"for the median over T": exact(float(np.nanmedian(found.between(name))))}
                if not times.known[at]:
                    note += "; at most this, the time is longer than the run can tell"
        text = (
            "uncorrelated in |m| and amplitude (not in the band's position or m's sign): "
            f"correlation times of {words} between two samples of a replica, "
            f"{record.numbers.about.interval:g} time units apart, fewest over T"
        )
        more = {"note": note, "beside": beside}
        rows.append(of_slice(record, "", text, "uncorrelated", above(APART), estimate, **more))
    return rows


def groups(record: Record) -> list[Claim]:
    """UMAP."""
    found = record.numbers.groups
    mixed = "" if found is None else f"{mixed_groups(record)} of L and L+G have both signs of m"
    rows = [
        of_slice(
            record,
            "2",
            "UMAP: well separated groups",
            "5",
            exactly(5),
            None if found is None else exact(len(found.cluster)),
            note=mixed,
        ),
        of_slice(
            record,
            "2",
            "UMAP: groups of phase G",
            "1",
            exactly(1),
            None if found is None else exact(found.gas),
        ),
        of_slice(
            record,
            "2",
            "UMAP separates the signs: share of configurations in L and L+G whose m has the sign "
            "of most of their group",
            "all",
            above(0.99),
            None if found is None else found.one_sign,
        ),
    ]
    for kind, temperature in TYPICAL:
        share, count = (None, 0) if found is None else found.typical.get(kind, (None, 0))
        rows.append(
            of_slice(
                record,
                "5",
                f"T = {temperature:g} is in phase {PHASES[kind]}: share of its configurations",
                "all",
                above(0.9),
                share,
                data=f"{count} configurations",
            )
        )
    return rows


def mixed_groups(record: Record) -> int:
    """How many groups of L and L+G have configurations of either sign."""
    found = record.numbers.groups
    both = (found.positive > 0) & (found.positive < 1)
    return int((both & (found.phase > 0)).sum())


def transitions(record: Record) -> list[Claim]:
    """UMAP's transition points against the physical ones."""
    about, truth = record.numbers.about, record.numbers.diagram
    k, rows = truth.at(about.density), []
    for i, name in enumerate(BOUNDARIES):
        found, note = None, ""
        if record.numbers.groups is not None and k is not None:
            umap, physical = truth.by_umap(k, i), truth.boundary(k, i)
            found, note = difference(umap, physical), f"UMAP {umap}, physical {physical}"
        text = (
            f"UMAP's groups give the transition points: {name} at rho0 = {about.density:g}, "
            "UMAP minus physical temperature"
        )
        rows.append(
            of_slice(record, "2", text, "easily inferred", between(-NEAR, NEAR), found, note=note)
        )
    return rows


def phase_diagram(record: Record) -> list[Claim]:
    truth, rows = record.numbers.diagram, []
    for i, name in enumerate(BOUNDARIES):
        found, text = rise(truth, i), f"{name} rises with density"
        if found is not None:
            low, high, _ = found
            text += f": temperature at rho0 = {high:g} minus that at {low:g}"
        rows.append(of_all(record, "3", text, "rises", above(0), found and found[2]))
    return [*rows, critical(record)]


def rise(truth: Diagram, i: int) -> tuple[float, float, Estimate] | None:
    """Lowest and highest density that have a boundary, and how much higher its temperature is at
    the latter; None: fewer than two have it.
    """
    known = np.flatnonzero(np.isfinite(truth.physical[:, i]))
    if len(known) < 2:
        return None
    first, last = int(known[0]), int(known[-1])
    higher = difference(truth.boundary(last, i), truth.boundary(first, i))
    return float(truth.density[first]), float(truth.density[last]), higher


def critical(record: Record) -> Claim:
    """Whether all boundaries lie below T_c."""
    truth, hottest = record.numbers.diagram, record.numbers.about.hottest
    highest, note = None, ""
    if np.isfinite(truth.physical).any():
        k, i = np.unravel_index(np.nanargmax(truth.physical), truth.physical.shape)
        highest = truth.boundary(int(k), int(i))
        note = f"{highest} at rho0 = {truth.density[k]:g}, temperatures up to {hottest:g}"
        if hottest <= CRITICAL:
            highest, note = UNDETERMINED, f"{note}: nothing is known above"
        elif not np.isfinite(truth.physical[:, 1]).all():
            highest, note = UNDETERMINED, f"{note}; not every density has its L+G | G"
    text = f"all phase boundaries lie below T_c = {CRITICAL:g}: highest temperature of one"
    paper = f"< T_c = {CRITICAL:g}"
    return of_all(record, "3", text, paper, below(CRITICAL), highest, note=note)
