"""Coarsening in three dimensions: what a page of this study has (analysis/page.py, Study)."""

from collections.abc import Iterator
from pathlib import Path

from analysis.coarsening import (
    figures_costs,
    figures_energy,
    figures_errors,
    figures_fields,
    figures_large_box,
    figures_learning,
    figures_own,
)
from analysis.coarsening.claims import claims
from analysis.coarsening.definitions import DEFINITIONS, HOW_JUDGED
from analysis.coarsening.findings import between, findings, sentence
from analysis.coarsening.main_numbers import main_numbers
from analysis.coarsening.measure import Numbers, measure
from analysis.coarsening.tables import tables
from analysis.page import Picture
from analysis.record import Record
from analysis.sheet import sheets

__all__ = [
    "DEFINITIONS",
    "FIGURES",
    "FIRST",
    "HOW_JUDGED",
    "NAME",
    "PAPER",
    "TITLE",
    "Numbers",
    "between",
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

NAME = "coarsening"
TITLE = "Coarsening in three dimensions, by networks"
PAPER = (
    "D. Lanzoni, A. Fantasia, R. Bergamaschini, O. Pierre-Louis, F. Montalenti, Extreme time "
    "extrapolation capabilities and thermodynamic consistency of physics-inspired Neural Networks "
    "for the 3D microstructure evolution of materials via Cahn-Hilliard flow, "
    "[arXiv:2407.20126](https://arxiv.org/abs/2407.20126)"
)
FIGURES = {
    "1": "the network, its losses by epoch, a sequence beside the truth",
    "2": "a larger box; a closed shape",
    "3": "noise in a slice alone",
    "4": "to the stationary state",
    "5": "error and displacement of the interfaces in time",
    "6": "free energy in time; an ensemble",
    "7": "cost against the size of the box",
    "8": "error on the network's and on the solver's grid",
    "S1": "a network without fluxes",
}
FIRST = ("figure-5-errors", "figure-4", "figure-6", "figure-1-sequence")


def pictures(records: list[Record], folder: Path) -> Iterator[Picture | None]:
    """Draw one by one all figures that these records have numbers for, None for the others."""
    for sheet in sheets(records, folder):
        yield figures_learning.learning(sheet)
        yield from figures_fields.sequences(sheet)
        yield figures_errors.in_time(sheet)
        yield figures_learning.by_frame(sheet)
        yield figures_energy.free_energy(sheet)
        yield figures_energy.local_exponents(sheet)
        yield figures_costs.against_size(sheet)
        yield figures_errors.against_grids(sheet)
        yield figures_learning.models(sheet)
        yield figures_costs.time_and_error(sheet)
        yield figures_fields.movie(sheet)


def draw_file(path: Path, out: Path | None) -> list[Path]:
    """The picture of a rollout from a user's own fields, or of a large box."""
    figures = figures_own if figures_own.is_own(path) else figures_large_box
    return figures.draw(path, out)


def left_out(record: Record) -> list[str]:
    """Files that could not be used, and rollouts that ended early."""
    stopped = [
        f"{name}: {followed.stopped}"
        for name, case in record.numbers.cases.items()
        for followed in case.networks.values()
        if followed.stopped
    ]
    return record.numbers.left_out + stopped
