"""What must hold of the data and of the conserving network whatever the paper says, each with its
limit.
"""

from dataclasses import dataclass

import numpy as np

from analysis.segregation.dataset import Run
from analysis.segregation.quantities import CONSERVING
from analysis.verdicts import number

ROUND_OFF = 1e-5  # of single precision fields and what is summed from them


@dataclass(frozen=True)
class Check:
    """value against limit, "below" it if it holds; None: there is nothing to check."""

    run: str
    what: str
    value: float | None
    limit: float | None
    holds: bool | None


def check(run: Run, what: str, value: float | None, limit: float) -> Check:
    known = None if value is None else number(value)
    return Check(run.name, what, known, limit, None if known is None else known <= limit)


def rises(run: Run) -> np.ndarray:
    """Largest rise of F between two recorded times of each sample over its F at t = 0, float64
    (n,); below 0: it always fell.
    """
    free = run.quantities["free_energy"]
    return (
        np.diff(free, axis=1).max(axis=1) / np.abs(free[:, 0])
        if free.shape[1] > 1
        else np.full(len(free), np.nan)
    )


def checks(run: Run) -> list[Check]:
    mean = run.quantities["mean_concentration"]
    conserving = run.predictions.get(CONSERVING)
    return [
        check(
            run,
            "free energy: largest rise between two recorded times over F at t = 0 (negative: it only falls)",
            float(rises(run).max(initial=-np.inf)),
            ROUND_OFF,
        ),
        check(
            run,
            "mass: largest change of a sample's mean concentration in time",
            float(np.abs(mean - mean[:, :1]).max(initial=0)),
            ROUND_OFF,
        ),
        check(
            run,
            "share of samples that did not get to their steady state",
            float(np.isnan(run.steady_time).mean()),
            0.0,
        ),
        check(
            run,
            "conserving network: largest change of the mean concentration",
            None if conserving is None else float(np.abs(conserving.change).max()),
            ROUND_OFF,
        ),
    ]
