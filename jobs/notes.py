"""Small notes beside the work (heartbeats, failures, lives of a task), which anything may have
damaged: reading them never raises and never waits.
"""

import json
import os
import stat
from pathlib import Path

LONGEST = 1 << 20  # bytes


def text(path: Path) -> str:
    """What a note says; "" if it is not there, no file (a pipe would wait for a writer) or cannot
    be read. Bytes that are no text are shown as such.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return ""
        with open(path, "rb") as file:
            found = file.read(LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in found
    )


def numbers(path: Path, names: tuple[str, ...]) -> dict | None:
    """A JSON object in which `names` are numbers; None if the note is none."""
    try:
        found = json.loads(text(path))
        if not all(isinstance(found[name], int | float) for name in names):
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found


def table(path: Path) -> list[dict[str, str]]:
    """The whole rows of a .csv with a header; a row that was cut short is left out."""
    head, *rows = [line.split(",") for line in text(path).splitlines()] or [[]]
    return [dict(zip(head, row, strict=True)) for row in rows if len(row) == len(head)]


def listing(folder: Path) -> set[str]:
    """Names in a folder; none if it is not there."""
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
