"""Nucleation: figures 1 to 9, pictures of one event, lifetimes, and the paper's claims beside ours.

The contract is analysis.page.Study.
"""

from collections.abc import Iterator
from pathlib import Path

from analysis import sweep
from analysis.nucleation import (
    figures_data,
    figures_droplet,
    figures_film,
    figures_models,
    rates,
)
from analysis.nucleation.claims import CHOSEN, between_systems, of_record
from analysis.nucleation.definitions import DEFINITIONS, HOW_JUDGED
from analysis.nucleation.findings import findings, sentence
from analysis.nucleation.main_numbers import main_numbers
from analysis.nucleation.measure import NAME, Numbers, measure
from analysis.nucleation.prediction import draw as draw_file
from analysis.nucleation.tables import tables as tables_of
from analysis.page import Picture
from analysis.record import Record

__all__ = [
    "CHOSEN",
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
    "section",
    "sentence",
    "tables",
]

TITLE = "Nucleation in the Ising model"
PAPER = (
    "S. Huang, W. Klein and H. Gould, Using machine learning to predict nucleation in the Ising model, "
    "arXiv:2004.09575"
)
FIGURES = {
    "1": "p_nuc in time, and growth of the droplet",
    "2": "p_nuc against magnetization",
    "3": "error of three models, R = 1 to 10",
    "4": "predicted against measured p_nuc",
    "5": "error towards the spinodal",
    "6": "weights of the features",
    "7": "where the network looks, R = 10",
    "8": "the same towards the spinodal, R = 12 to 20",
    "9": "droplet's density, and sensitivity",
}
FIRST = ("figure-3", "figure-5", "figure-1")

OF_DATA = (
    figures_data.in_time,
    figures_data.against_magnetization,
    figures_data.lifetimes,
    figures_data.balance,
)
OF_MODELS = (
    figures_models.errors,
    figures_models.confusion,
    figures_models.confusion_near_spinodal,
    figures_models.towards_spinodal,
    figures_models.weights,
    figures_droplet.occlusion_maps,
    figures_droplet.near_spinodal_maps,
    figures_droplet.density_profiles,
    figures_droplet.sensitivity_against_density,
)
OF_ONE = (figures_models.learning, figures_film.strip, figures_film.movie)


def in_order(records: list[Record]) -> list[Record]:
    """By size, range and field."""

    def key(record: Record) -> tuple:
        system = record.numbers.system
        return system.size, system.range or 0, system.field

    return sorted(records, key=key)


def waited(records: list[Record]) -> list[Record]:
    """Those with events: all but runs of rates alone, of which there is nothing else to say."""
    return [record for record in records if record.numbers.waited]


def pictures(records: list[Record], folder: Path) -> Iterator[Picture | None]:
    records = waited(in_order(records))
    if not records:
        return
    for draw in (*OF_DATA, *OF_MODELS):
        yield draw(records, folder)
    for draw in OF_ONE:
        for record in sweep.ends(records):
            yield draw(record, folder)


def claims(record: Record) -> list:
    return of_record(record) if record.numbers.waited else []


def between(records: list[Record]) -> list:
    records = waited(in_order(records))
    return between_systems(records) if records else []


def tables(records: list[Record]) -> dict[str, list[dict]]:
    return tables_of(in_order(records))


def section(records: list[Record]) -> list[str]:
    return rates.section(in_order(records))


def left_out(record: Record) -> list[str]:
    return record.numbers.left_out
