"""Every claim of the paper as one row: its value, ours with an error, and a verdict by a fixed
rule.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate
from analysis.flocking import component_claims, network_claims
from analysis.flocking.components import Components
from analysis.flocking.dataset import Run
from analysis.flocking.extrapolation import Place
from analysis.flocking.networks import BOUNDARIES
from analysis.flocking.physical import Boundaries
from analysis.flocking.relaxation import Relaxation
from analysis.flocking.rows import Claim, row
from analysis.flocking.sampling import difference
from analysis.verdicts import above, below, between

APART = 3.0  # correlation times between samples that count as uncorrelated
NEAR = 0.02  # of T: two ways to find a transition agree
CRITICAL = 1.0  # T_c


@dataclass(frozen=True)
class Numbers:
    """What figures and claims of one run share."""

    components: Components | None
    truth: list[Boundaries]
    places: list[Place]
    relaxation: Relaxation | None


def all_claims(run: Run, numbers: Numbers) -> list[Claim]:
    return [
        *component_claims.rows(run, numbers.components),
        *samples(run, numbers.relaxation),
        *component_claims.groups(run),
        *transitions(run, numbers.truth),
        *phase_diagram(run, numbers.truth),
        *network_claims.rows(run, numbers.places),
    ]


def samples(run: Run, found: Relaxation | None) -> list[Claim]:
    """Uncorrelated configurations."""
    rows = []
    for name, words in (("abs_m", "|m|"), ("amplitude", "the band's amplitude")):
        estimate, note = None, ""
        if found is not None:
            tau = np.array([time.tau.value for time in found.times[name]])
            estimate = UNDETERMINED
            if np.isfinite(tau).any():
                worst = int(np.nanargmax(tau))
                error = found.times[name][worst].tau.error
                estimate = Estimate(
                    found.interval / tau[worst], found.interval * error / tau[worst] ** 2
                )
                note = f"at T = {found.temperature[worst]:g}; median {np.nanmedian(found.between(name)):.3g}"
                note += (
                    ""
                    if found.times[name][worst].known
                    else "; at most this, the time is longer than the run can tell"
                )
        text = (
            f"uncorrelated in |m| and amplitude (not in the band's position or m's sign): correlation times of {words} between two "
            "samples of a replica, fewest over T"
        )
        rows.append(row(run, text, "uncorrelated", above(APART), estimate, note=note))
    return rows


def transitions(run: Run, truth: list[Boundaries]) -> list[Claim]:
    """UMAP's transition points against the physical ones."""
    own = [b for b in truth if np.isclose(b.density, run.reference)]
    rows = []
    for i, name in enumerate(BOUNDARIES):
        found, note = None, ""
        if run.phases is not None and own:
            value, error = run.phases.transition(run.reference)
            umap = Estimate(float(value[i]), float(error[i]))
            found, note = (
                difference(umap, own[0].estimates[i]),
                f"UMAP {umap}, physical {own[0].estimates[i]}",
            )
        text = f"UMAP's groups give the transition points: {name} at rho0 = {run.reference:g}, UMAP minus physical temperature"
        rows.append(row(run, text, "easily inferred", between(-NEAR, NEAR), found, note=note))
    return rows


def phase_diagram(run: Run, truth: list[Boundaries]) -> list[Claim]:
    rows = []
    for i, name in enumerate(BOUNDARIES):
        known = [b for b in truth if np.isfinite(b.estimates[i].value)]
        rise, note = None, ""
        if len(known) > 1:
            rise = difference(known[-1].estimates[i], known[0].estimates[i])
            note = f"from rho0 = {known[0].density:g} to {known[-1].density:g}"
        rows.append(
            row(
                run,
                f"{name} rises with density: temperature at the highest minus the lowest density",
                "rises",
                above(0),
                rise,
                reference=False,
                note=note,
            )
        )
    known = [(e, b.density) for b in truth for e in b.estimates if np.isfinite(e.value)]
    hottest, highest, note = float(run.temperature.max()), None, ""
    if known:
        highest, density = max(known, key=lambda pair: pair[0].value)
        note = f"{highest} at rho0 = {density:g}, temperatures up to {hottest:g}"
        if hottest <= CRITICAL or not all(np.isfinite(b.estimates[1].value) for b in truth):
            highest = UNDETERMINED
            note += (
                ": nothing is known above"
                if hottest <= CRITICAL
                else "; not every density has its L+G | G"
            )
    rows.append(
        row(
            run,
            f"all phase boundaries lie below T_c = {CRITICAL:g}: highest temperature of one",
            f"< T_c = {CRITICAL:g}",
            below(CRITICAL),
            highest,
            reference=False,
            note=note,
        )
    )
    return rows
