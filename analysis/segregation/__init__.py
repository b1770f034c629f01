"""Segregation: networks that learn where a mixture ends, after Farimani, Gomes and Pande; as
analysis.page.Study has it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from analysis.page import Picture
from analysis.record import Record
from analysis.segregation import (
    figures_fields,
    figures_networks,
    figures_physics,
    figures_predictability,
    figures_quantities,
)
from analysis.segregation.claims import all_claims as claims
from analysis.segregation.definitions import DEFINITIONS, HOW_JUDGED
from analysis.segregation.findings import findings, left_out, sentence
from analysis.segregation.main_numbers import main_numbers
from analysis.segregation.measure import Numbers, measure
from analysis.segregation.mixtures import side_by_side
from analysis.segregation.prediction import draw as draw_file
from analysis.segregation.tables import tables
from analysis.sheet import sheets

NAME = "segregation"
TITLE = "Phase segregation, learnt by a conditional GAN"
PAPER = (
    "A. B. Farimani, J. Gomes and V. S. Pande, *Deep Learning Phase Segregation*, "
    "[arXiv:1803.08993](https://arxiv.org/abs/1803.08993) (2018)."
)
FIGURES = {
    "abstract": "phase fraction, phase transition and six quantities, up to 98% accurate",
    "1": "what the generator's layers make of a field",
    "2": "mixed to segregated: input, output and truth",
    "3": "segregated to mixed: input, output and truth",
}
FIRST = ("figure-2-forward", "figure-3-reverse", "phase-transition")
NAMED_BY_NETWORK = True  # "stepping (ours)" says more than "30 epochs"

__all__ = [
    "DEFINITIONS",
    "FIGURES",
    "FIRST",
    "HOW_JUDGED",
    "NAME",
    "NAMED_BY_NETWORK",
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
    """Draw one by one all figures that these records have numbers for; beside records with networks
    those without tell how far ahead one can see, and have no figures of their own.  Networks of the
    same mixtures are side by side.
    """
    yield figures_predictability.against_epsilon(records, folder)
    trained = [r for r in records if r.numbers.forward or r.numbers.reverse] or records
    for sheet in sheets(trained, folder):
        yield figures_predictability.against_age(sheet)
    data = set()
    for sheet in sheets(side_by_side(trained), folder):
        if not any(sheet.record is record for record in trained):
            of = [sheet.system] if sheet.system else []
            of += [f"{'m' if of else 'M'}ixtures of seed {sheet.record.origin.seed}"]
            sheet = replace(sheet, system=", ".join(of))
        yield from figures_fields.draw(sheet)
        yield from figures_quantities.draw(sheet)
        yield from figures_physics.draw(sheet)
        yield from figures_networks.draw(sheet)
        if sheet.record.origin.data not in data:  # what the equation does, once
            yield figures_fields.film(sheet)
            yield figures_physics.free_energy(sheet)
        data.add(sheet.record.origin.data)
