"""Runs of the same mixtures, whose networks are drawn side by side."""

import dataclasses
from dataclasses import replace

import numpy as np

from analysis.record import Record, united

TRAINED = ("samples", "epochs", "width", "weight")  # of a Setting: what is the networks'


def same(first: Record, second: Record) -> bool:
    """Whether two runs have the same test mixtures: made anew on another machine they end alike,
    though not bit by bit.
    """
    if first.origin.data == second.origin.data:
        return True
    settings = [of_mixtures(r) for r in (first, second)]
    examples = [r.numbers.examples.get("forward") for r in (first, second)]
    if settings[0] != settings[1] or None in examples:
        return False
    one, other = examples
    return all(
        np.array_equal(*pair)
        for pair in (
            (one.index, other.index),
            (one.given.cells, other.given.cells),
            (one.segregates, other.segregates),
        )
    )


def of_mixtures(record: Record) -> dict:
    """A record's setting but for its networks'."""
    setting = dataclasses.asdict(record.numbers.setting)
    return {name: value for name, value in setting.items() if name not in TRAINED}


def side_by_side(records: list[Record]) -> list[Record]:
    """Those whose mixtures are an earlier one's are taken into it, with what figures show of their
    networks; how far ahead they see is of mixtures of their own, and left out.  One that took
    another in stands for its own run alone, no longer for others of its system.
    """
    found: list[Record] = []
    for record in records:
        place = next((i for i, r in enumerate(found) if joinable(r, record)), None)
        if place is None:
            found.append(record)
            continue
        networks = replace(record.numbers, predictability=None)
        first = found[place]
        found[place] = replace(first, numbers=united(first.numbers, networks), others=())
    return found


def joinable(first: Record, second: Record) -> bool:
    """Whether two records have the same mixtures, and no network of one name."""
    names = [{*r.numbers.forward, *r.numbers.reverse} for r in (first, second)]
    return not names[0] & names[1] and same(first, second)
