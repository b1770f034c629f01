"""The numbers that a run is for, which are drawn against what was swept."""

import numpy as np

from analysis.coarsening.labels import MODELS, Network, case_title
from analysis.estimates import Estimate
from analysis.record import Record
from analysis.sweep import MainNumber


def main_numbers(record: Record) -> list[MainNumber]:
    numbers, rows = record.numbers, []
    for network, trained in numbers.trained.items():
        if trained.tested is not None:
            title = "mean square error on test sequences"
            lines = {name(network): trained.tested.loss, "persistence": trained.tested.persistence}
            rows += [MainNumber(title, mean(x), curve=who, log=True) for who, x in lines.items()]
    for key, case in numbers.cases.items():
        title, symbol = f"exponent of F, {case_title(key)}", r"d log $F$ / d log $t$"
        followers = {"truth": case.truth, **{name(n): f for n, f in case.networks.items()}}
        rows += [
            MainNumber(title, followed.exponent, symbol, curve=who)
            for who, followed in followers.items()
            if followed is not None and np.isfinite(followed.exponent.value)
        ]
    return rows


def mean(values: np.ndarray) -> Estimate:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(error))


def name(network: Network) -> str:
    return MODELS[network.model].title if network.model in MODELS else network.model
