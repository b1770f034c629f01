"""Where the figures of one record go, and how they are called where a page has several records."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis import style
from analysis.page import Picture
from analysis.record import Record


@dataclass(frozen=True)
class Sheet:
    """prefix: of file names. about: the captions' first words, which tell records apart; both "" on
    a page of one record.
    """

    record: Record
    folder: Path
    prefix: str = ""
    about: str = ""

    @property
    def numbers(self):
        """What was measured: the study's own dataclass."""
        return self.record.numbers

    def save(self, fig: Figure, name: str, caption: str, figure: str = "") -> Picture:
        """Write a figure as PNG and PDF; figure: of the paper, "" for one of our own."""
        file = style.save(fig, self.folder, self.prefix + name)
        return Picture(file, self.about + caption, figure)


def sheets(records: list[Record], folder: Path) -> list[Sheet]:
    """One a record; runs of one name are numbered."""
    if len(records) == 1:
        return [Sheet(records[0], folder)]
    seen, found = Counter(), []
    for record in records:
        name = record.origin.run
        seen[name] += 1
        prefix = f"{name}-" if seen[name] == 1 else f"{name}-{seen[name]}-"
        found.append(Sheet(record, folder, prefix, f"{record.origin.system}: "))
    return found
