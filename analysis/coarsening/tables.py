"""Long tables, for report.json: systems, networks, cases, time and error, checks."""

import numpy as np

from analysis.coarsening import costs
from analysis.coarsening.errors import over_starts
from analysis.coarsening.labels import Network, main
from analysis.coarsening.measure import Case, Followed, Numbers
from analysis.estimates import UNDETERMINED, Estimate
from analysis.record import Record
from analysis.verdicts import number

RISE = 1e-4  # of F: the adaptive scheme's own error may lift it by less
ROUND_OFF = 1e-5  # of the mean of phi


def tables(records: list[Record]) -> dict[str, list[dict]]:
    """{name: rows}, a row of each record after the other's."""
    makers = {
        "networks": networks,
        "cases": cases,
        "methods": methods,
        "checks": checks,
    }
    return {
        "systems": [system(r) for r in records],
        **{
            name: [{"run": r.origin.run, **row} for r in records for row in make(r.numbers)]
            for name, make in makers.items()
        },
    }


def system(record: Record) -> dict:
    """What was run, in a line."""
    setup, origin = record.numbers.setup, record.origin
    names = ("size", "network_size", "downscaling", "interface_width", "interval", "frames")
    splits = ("training", "validation", "test")
    return {
        "run": origin.run,
        **{name: getattr(setup, name) for name in names + splits},
        "mean": [round(value, 3) for value in setup.mean],
        "networks": len(record.numbers.networks),
        "seed": origin.seed,
        "git_revision": origin.revision,
        "device": origin.device,
    }


def as_dict(e: Estimate) -> dict:
    return {"value": number(e.value), "error": number(e.error)}


def mean(values: np.ndarray) -> float | None:
    return number(float(values.mean()))


def networks(numbers: Numbers) -> list[dict]:
    """A row a network: how it was trained, its errors on the test set beside the baselines, its
    drift and checkerboard.
    """
    return [network_row(numbers, network) for network in numbers.networks]


def network_row(numbers: Numbers, network: Network) -> dict:
    t, test = numbers.trained.get(network), numbers.errors("test", network)
    tested = t.tested if t else None
    drifts = [
        c.networks[network].drift.max() for c in numbers.cases.values() if network in c.networks
    ]
    compared = {n: c.errors(network) for n, c in numbers.cases.items() if c.errors(network)}
    far = max(compared, key=lambda name: compared[name].time[-1], default=None)
    about = ("parameters", "epochs", "best_epoch", "seconds", "device")
    return {
        "network": network.name,
        "downscaling": numbers.setup.downscaling,
        **{name: getattr(t, name, None) for name in about},
        "validation_loss": number(t.validation_loss) if t else None,
        "mean_squared_error": as_dict(over_starts(tested.loss) if tested else UNDETERMINED),
        "persistence": mean(tested.persistence) if tested else None,
        "extrapolation": mean(tested.extrapolation) if tested else None,
        "displacement": as_dict(test.moved if test else UNDETERMINED),
        "drift": number(max(drifts)) if drifts else None,
        "checkerboard_case": far,
        "checkerboard": number(compared[far].parity) if far else None,
        "checkerboard_truth": number(compared[far].parity_truth) if far else None,
    }


def cases(numbers: Numbers) -> list[dict]:
    """A row a case and network: errors, free energy, last state."""
    return [
        case_row(name, case, network, followed)
        for name, case in numbers.cases.items()
        for network, followed in case.networks.items()
    ]


def case_row(name: str, case: Case, network: Network, followed: Followed) -> dict:
    errors, gap, truth = followed.errors, followed.gap, case.truth
    return {
        "case": name,
        "network": network.name,
        "cells": list(followed.cells),
        "starts": followed.starts,
        "time": followed.last,
        "mean_squared_error": as_dict(errors.mean_squared if errors else UNDETERMINED),
        "persistence": number(errors.still) if errors else None,
        "rmse_at_end": as_dict(errors.rmse_at() if errors else UNDETERMINED),
        "displacement_at_end": as_dict(errors.moved if errors else UNDETERMINED),
        "compared_until": float(errors.time[-1]) if errors else None,
        "free_energy_error": number(gap.largest()[0]) if gap else None,
        "area_error": number(np.nanmax(gap.area)) if gap and np.isfinite(gap.area).any() else None,
        "exponent": as_dict(followed.exponent),
        "exponent_truth": as_dict(truth.exponent if truth else UNDETERMINED),
        "layering": number(followed.end.mean),
        "layering_truth": number(truth.end.mean) if truth else None,
        "drift": number(followed.drift.max()),
        "seconds_per_frame": number(followed.seconds),
        "stopped": followed.stopped,
    }


def methods(numbers: Numbers) -> list[dict]:
    """Time and error of all methods; times also over that of the network that the claims are
    judged by.
    """
    rows = numbers.costs.rows if numbers.costs else []
    own = costs.of_network(rows, main(numbers.networks))
    return [
        {
            "method": row.title,
            "seconds_per_frame": row.seconds,
            "least": row.least,
            "most": row.most,
            "over_network": row.seconds / own.seconds if own else None,
            "rmse": number(row.rmse),
            "free_energy_error": number(row.free_energy_error),
        }
        for row in rows
    ]


def checks(numbers: Numbers) -> list[dict]:
    """What must hold of the truth whatever the paper says: F never rises; its mean on the solver's
    grid stays.
    """
    done = [c.checks for c in numbers.cases.values() if c.checks is not None]
    coarse = [c.truth.drift.max() for c in numbers.cases.values() if c.truth is not None]
    how = numbers.setup.downscaling
    found = (
        (
            "truth: largest rise of F between two kept frames over F at t = 0, solver's grid "
            "(negative: it only falls)",
            [c.rise for c in done],
            RISE,
        ),
        (
            "truth: largest change of the mean of phi, solver's grid",
            [c.drift for c in done],
            ROUND_OFF,
        ),
        (
            f"truth: largest change of the mean of phi, network's grid ({how.replace('_', ' ')})",
            coarse,
            None if how == "nearest" else ROUND_OFF,
        ),
    )
    return [
        {
            "what": what,
            "value": number(max(values)) if values else None,
            "limit": limit,
            "holds": None if not values or limit is None else bool(max(values) <= limit),
        }
        for what, values, limit in found
    ]
