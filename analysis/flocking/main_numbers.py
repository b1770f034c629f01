"""The numbers that a run is for, which are drawn against what was swept."""

import numpy as np

from analysis.estimates import Estimate
from analysis.flocking.labels import BOUNDARIES, groups
from analysis.record import Record
from analysis.sweep import MainNumber


def main_numbers(record: Record) -> list[MainNumber]:
    numbers = record.numbers
    diagram, rows = numbers.diagram, []
    here = diagram.at(numbers.about.density)
    for i, between in enumerate(BOUNDARIES if here is not None else ()):
        title, by = (
            "temperature of a boundary",
            {"particles": diagram.boundary, "UMAP": diagram.by_umap},
        )
        rows += [
            MainNumber(title, located(here, i), "$T$", curve=f"{between}, by {whose}")
            for whose, located in by.items()
        ]
    for (which, strength), networks in groups(numbers.trained).items():
        rights = np.array([numbers.trained[network].accuracy for network in networks])
        rights = rights[np.isfinite(rights)]
        if len(rights):
            error = rights.std(ddof=1) / np.sqrt(len(rights)) if len(rights) > 1 else np.nan
            found = Estimate(float(rights.mean()), float(error))
            curve = rf"{which}, $\lambda$ = {strength:g}"
            rows.append(MainNumber("share of phases told right", found, curve=curve))
    return rows
