"""What the report tells of one run beside the paper's claims: boundaries, networks, correlation
times, as rows for JSON.
"""

import numpy as np

from analysis import verdicts
from analysis.estimates import Estimate
from analysis.flocking.claims import Numbers
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BOUNDARIES
from analysis.flocking.relaxation import OBSERVABLES


def boundaries(run: Run, numbers: Numbers) -> list[dict]:
    """Physical and UMAP's boundaries of every density."""
    rows = []
    for b in numbers.truth:
        for i, name in enumerate(BOUNDARIES):
            umap, error = (
                (np.full(2, np.nan),) * 2
                if run.phases is None
                else run.phases.transition(b.density)
            )
            rows.append(
                {
                    "run": run.name,
                    "density": b.density,
                    "boundary": name,
                    "physical": of(b.estimates[i]),
                    "hysteresis": verdicts.number(b.hysteresis[i]),
                    "both_spins": b.mixed,
                    "umap": of(Estimate(float(umap[i]), float(error[i]))),
                }
            )
    return rows


def network_places(run: Run, numbers: Numbers) -> list[dict]:
    """Every network at every density and boundary."""
    return [
        {
            "run": run.name,
            "set": p.network.set,
            "lambda": p.network.regularization,
            "seed": p.network.seed,
            "density": p.density,
            "boundary": BOUNDARIES[p.boundary],
            "temperature": of(p.temperature),
            "physical": of(p.truth),
            "off": verdicts.number(p.off),
            "failed": p.failed,
            "invented": bool(np.isnan(p.truth.value) and np.isfinite(p.temperature.value)),
        }
        for p in numbers.places
    ]


def correlation_times(run: Run, numbers: Numbers) -> list[dict]:
    """Correlation times of each observable: median and largest over T, and how many lie between two
    samples, over all T and in L+G.
    """
    found, rows = numbers.relaxation, []
    if found is None:
        return rows
    for name in OBSERVABLES:
        tau, between = np.array([time.tau.value for time in found.times[name]]), found.between(name)
        finite = np.isfinite(tau)
        if not finite.any():
            continue
        banded = between[finite & (found.banded > 0.5)]
        worst = int(np.nanargmax(tau))
        rows.append(
            {
                "run": run.name,
                "observable": name,
                "interval": found.interval,
                "temperatures": int(finite.sum()),
                "unknown": int(sum(not time.known for time in found.times[name])),
                "median_time": float(np.median(tau[finite])),
                "longest_time": of(found.times[name][worst].tau),
                "longest_known": found.times[name][worst].known,
                "at": float(found.temperature[worst]),
                "least_between": verdicts.number(between[finite].min()),
                "median_between": verdicts.number(np.median(between[finite])),
                "median_between_banded": verdicts.number(np.median(banded))
                if len(banded)
                else None,
            }
        )
    return rows


def starts(run: Run, numbers: Numbers) -> dict | None:
    """At how many temperatures late |m| of ordered and disordered starts agree; None: unknown."""
    agree = np.array([]) if numbers.relaxation is None else numbers.relaxation.agree
    known = np.isfinite(agree)
    if not known.any():
        return None
    return {
        "run": run.name,
        "temperatures": int(known.sum()),
        "agree": int((agree[known] == 1).sum()),
        "differ_at": [float(t) for t in numbers.relaxation.temperature[known & (agree == 0)]],
    }


def of(e: Estimate) -> dict:
    return {"value": verdicts.number(e.value), "error": verdicts.number(e.error)}
