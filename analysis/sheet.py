"""Where the figures of one record go, and how they are called where a page has several records."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis import style, sweep
from analysis.page import Picture
from analysis.record import Record, told_apart


@dataclass(frozen=True)
class Sheet:
    """prefix: of file names. system: what tells the record from others on its page; both "" on a
    page of one record.
    """

    record: Record
    folder: Path
    prefix: str = ""
    system: str = ""

    @property
    def numbers(self):
        """What was measured: the study's own dataclass."""
        return self.record.numbers

    def save(
        self, fig: Figure, name: str, caption: str, figure: str = "", *, of_all: bool = False
    ) -> Picture:
        """Write a figure as PNG and PDF; figure: of the paper, "" for one of our own.  of_all: it
        shows all runs of the record's system, else its own.
        """
        file = style.save(fig, self.folder, self.prefix + name)
        return Picture(file, self.captioned(caption, of_all=of_all), figure)

    def captioned(self, caption: str, *, of_all: bool = False) -> str:
        """A caption that begins with what is shown: which system, and which of its runs."""
        runs, seed = len(self.record.runs), self.record.origin.seed
        which = f"{runs} runs" if of_all else f"one of {runs} runs, seed {seed}"
        which = which if self.system else which.capitalize()
        about = ", ".join(filter(None, (self.system, which if runs > 1 else "")))
        return f"{about}: {caption}" if about else caption


def sheets(records: list[Record], folder: Path) -> list[Sheet]:
    """One a record, of a sweep of its ends (sweep.ends); runs of one name are numbered."""
    records = sweep.ends(records)
    if len(records) == 1:
        return [Sheet(records[0], folder)]
    seen, found = Counter(), []
    names = told_apart(record.origin.system for record in records)
    for record in records:
        name = record.origin.run
        seen[name] += 1
        prefix = f"{name}-" if seen[name] == 1 else f"{name}-{seen[name]}-"
        found.append(Sheet(record, folder, prefix, names[record.origin.system]))
    return found
