"""Lifetimes by forward flux sampling, RUN/rates.h5: with a data set beside it, or alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.estimates import Estimate
from analysis.nucleation import labels
from analysis.record import Record
from analysis.runs import BadInput
from analysis.tables import table
from jobs import shards, yaml12

FILE = "rates.h5"
DIRECT, CURVE = "direct simulation", "forward flux sampling"


@dataclass(frozen=True)
class Rates:
    """lifetime in MCS, rate and flux through the first interface in 1 / MCS; coordinate: along
    which the interfaces (i,) are, in up spins or sites of the largest cluster; samplings: how many,
    whose scatter is the error; mcs: that were run.
    """

    lifetime: Estimate
    rate: Estimate
    flux: Estimate
    interfaces: np.ndarray
    coordinate: str
    samplings: int
    mcs: int


def read(path: Path) -> tuple[Rates, dict]:
    """Of a run directory, and the attributes of their file.  Raises FileNotFoundError; BadInput for
    what cannot be read.
    """
    file = path / FILE
    try:
        arrays, attributes = shards.read(file, study="nucleation")
        asked = (yaml12.load(attributes["config"]) or {})["rates"]

        def number(name: str) -> Estimate:
            return Estimate(float(arrays[name]), float(arrays[f"{name}_error"]))

        found = Rates(
            number("lifetime"),
            number("rate"),
            number("flux"),
            arrays["interfaces"],
            str(asked["coordinate"]),
            len(arrays["samplings/rate"]),
            int(arrays["mcs"]),
        )
    except shards.BadFileError as error:
        raise BadInput(f"{file}: {error}; delete it and run rates again") from None
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{file} is not what the stage rates writes ({error!r})") from None
    return found, attributes


def section(records: list[Record]) -> list[str]:
    """The page's table of lifetimes: by direct simulation, every event to its end, and by flux.
    Nothing where no run has rates.
    """
    runs = [run for record in records for run in record.runs]
    if not any(run.numbers.rates for run in runs):
        return []
    rows = []
    for run in runs:
        rates, waited = run.numbers.rates, run.numbers.quantities[labels.LIFETIME]
        rows.append(
            [
                run.origin.system,
                f"{run.numbers.system.field:g}",
                str(waited) if np.isfinite(waited.value) else "",
                str(rates.lifetime) if rates else "",
                str(rates.samplings) if rates else "",
                interfaces(rates) if rates else "",
            ]
        )
    head = [
        "system",
        "field (energy)",
        f"mean lifetime, {DIRECT} (MCS)",
        f"mean lifetime, {CURVE} (MCS)",
        "samplings",
        "interfaces",
    ]
    return ["## Lifetimes", "", *table(head, rows)]


def interfaces(rates: Rates) -> str:
    """How many, and from where to where."""
    what = "up spins" if rates.coordinate == "magnetization" else "sites of the largest cluster"
    first, last = rates.interfaces[0], rates.interfaces[-1]
    return f"{len(rates.interfaces)}, {first} to {last} {what}"
