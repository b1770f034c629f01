"""The numbers that a run is for, which are drawn against what was swept."""

import numpy as np

from analysis.estimates import Estimate
from analysis.record import Record
from analysis.segregation.labels import look
from analysis.segregation.predictability import REFERENCE, solver
from analysis.sweep import MainNumber


def main_numbers(record: Record) -> list[MainNumber]:
    numbers = record.numbers
    shares = numbers.physics.shares
    count, hits = int(shares.samples.sum()), int(shares.truth.sum())
    share = hits / count if count else np.nan
    error = np.sqrt(share * (1 - share) / count) if count else np.nan
    rows = [
        MainNumber("share of mixtures that segregate", Estimate(share, float(error))),
        MainNumber(
            "correlation of the longest waves with the end", numbers.physics.longest_waves, "$r$"
        ),
    ]
    ahead = numbers.predictability
    for name in (solver(REFERENCE), "linear theory") if ahead is not None else ():
        found = ahead.at_first(name)
        if found is not None:
            rows.append(
                MainNumber("correlation of a forecast with the end", found, "$r$", curve=name)
            )
    for model, mine in numbers.forward.items():
        curve = look(model).title
        rows.append(MainNumber("share of right fates", mine.right, curve=curve))
        title = "correlation of an answer with the end"
        rows.append(MainNumber(title, mine.correlation, "$r$", curve=curve))
    return rows
