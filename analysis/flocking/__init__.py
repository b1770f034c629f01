"""Flocking: the phases of the Active Ising Model, found without labels and by networks that know
one density.
"""

from collections.abc import Iterator
from pathlib import Path

from analysis.flocking import (
    figures_components,
    figures_diagram,
    figures_networks,
    figures_runs,
    movies,
)
from analysis.flocking.claims import claims
from analysis.flocking.definitions import DEFINITIONS, HOW_JUDGED
from analysis.flocking.findings import findings, sentence
from analysis.flocking.main_numbers import main_numbers
from analysis.flocking.measure import Numbers, measure
from analysis.flocking.prediction import draw as draw_file
from analysis.flocking.tables import tables
from analysis.page import Picture
from analysis.record import Record
from analysis.sheet import sheets

NAME = "flocking"
TITLE = "Flocking: the phases of the Active Ising Model"
PAPER = (
    "C. Casert, T. Vieijra, J. Nys, J. Ryckebusch, Interpretable machine learning for inferring "
    "the phase boundaries in a nonequilibrium system, Phys. Rev. E 99, 023304 (2019), "
    "arXiv:1807.02468."
)
FIGURES = {
    "1": "how much of the variance the principal components explain, and their shape",
    "2": "configurations projected on the components, and grouped by UMAP",
    "3": "phase diagram, by networks that know one density",
    "4": "which sites of a band decide what a network says",
    "5": "a configuration of each phase",
    "6": "a configuration as a sum of components",
    "7": "the network",
    "8": "the first layer's kernels",
}
FIRST = ("figure-3-phase-diagram", "figure-2-projections", "figure-5-maps")
DRAWN = (
    figures_components.explained,
    figures_components.projections,
    figures_diagram.diagram,
    figures_networks.saliency,
    figures_runs.maps,
    figures_components.taken_apart,
    figures_networks.architecture,
    figures_networks.kernels,
    figures_runs.relaxation,
    movies.band,
    movies.sweep,
)
__all__ = [
    "DEFINITIONS",
    "FIGURES",
    "FIRST",
    "HOW_JUDGED",
    "NAME",
    "PAPER",
    "TITLE",
    "Numbers",
    "claims",
    "draw_file",
    "findings",
    "left_out",
    "main_numbers",
    "measure",
    "pictures",
    "sentence",
    "tables",
]


def pictures(records: list[Record], folder: Path) -> Iterator[Picture | None]:
    """All figures that each record has data for, one by one; None for one it has none for."""
    for sheet in sheets(records, folder):
        for draw in DRAWN:
            yield draw(sheet)


def left_out(record: Record) -> list[str]:
    return record.numbers.left_out
