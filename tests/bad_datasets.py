"""What may be wrong with a data set in The Well's layout, and what a train stage says of it."""

from pathlib import Path

import pytest
from resealed import with_attributes

from jobs import UserError

KINDS = ("missing", "truncated", "no fields", "damaged fields", "another study", "another config")


def flip_a_third_in(path: Path) -> None:
    """A bit of a number, of which HDF5 itself has no checksum."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 64
    path.write_bytes(content)


def spoil(kind: str, run: Path, study: str, fields: Path) -> str:
    """Do it to a run, whose fields to train on are in `fields`; what is to be said."""
    data = run / "dataset.h5"
    match kind:
        case "missing":
            data.unlink()
            return "dataset.h5 is not there: run generate and collect first"
        case "truncated":
            data.write_text("words")
            return "truncated or not HDF5; run collect again"
        case "no fields":
            fields.unlink()
            return "is not there: run generate and collect first"
        case "damaged fields":
            flip_a_third_in(fields)
            return "damaged: its arrays do not match their checksum; run collect again"
        case "another study":
            with_attributes(data, study="flocking")
            return f"not a {study} data set"
        case "another config":
            with_attributes(data, config_digest="x")
            return "made with another config than"
    raise ValueError(kind)


def is_one_line(act, said: str) -> None:
    """UserError of `act`, with these words."""
    with pytest.raises(UserError) as caught:
        act()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
