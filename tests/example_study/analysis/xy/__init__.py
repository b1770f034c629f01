"""The page of the XY study, in one file: the worked example of CONTRIBUTING.md, "Add a study".

The contract is analysis.page.Study; larger studies have a module for each part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis import style
from analysis.claim import Claim
from analysis.estimates import Estimate, of_sums
from analysis.page import Picture
from analysis.record import Record, origin
from analysis.runs import BadInput
from analysis.sheet import sheets
from analysis.verdicts import below
from jobs import shards

NAME, TITLE = "xy", "A quench of the XY model in two dimensions"
PAPER = "B. Yurke, A. N. Pargellis, T. Kovacs and D. A. Huse, Phys. Rev. E 47, 1525 (1993)"
FIGURES = {"text": "vortices vanish"}  # {figure of the paper: what it shows}
DEFINITIONS = """\
- **Vortex**: a plaquette around which the angle turns once, to either side.
- **Exponent**: least squares of the logarithms from the second time on; its error by drawing whole quenches again.
"""


@dataclass(frozen=True)
class Numbers:
    """What a record holds: vortices a site and their standard error at `time` (t,), of so many
    quenches; exponent: d log vortices / d log time.
    """

    size: int
    quenches: int
    time: np.ndarray
    vortices: np.ndarray
    error: np.ndarray
    exponent: Estimate


def measure(path: Path) -> Record:
    """Of a run directory.  Raises BadInput."""
    try:
        data, about = shards.read(path / "dataset.h5")
    except (FileNotFoundError, shards.BadFileError) as error:
        raise BadInput(f"{path / 'dataset.h5'}: {error}") from None
    if about.get("study") != NAME:
        raise BadInput(f"{path}: not a run of this study")
    time, count, size = data["time"], data["vortices"].astype(float), int(about["size"])
    x = np.log(time[1:])
    weight = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    numbers = Numbers(
        size,
        len(count),
        time,
        count.mean(0) / size**2,
        count.std(0, ddof=1) / np.sqrt(len(count)) / size**2,
        of_sums(count[:, 1:], lambda sums: np.log(sums) @ weight),
    )
    return Record(origin(NAME, path, f"L = {size}", len(count), about), numbers)


def claims(record: Record) -> list[Claim]:
    text = "the number of vortices falls with time"
    rule, n = below(0), record.numbers
    return [Claim("text", record.origin.system, text, "falls", rule, n.exponent)]


def pictures(records: list[Record], folder: Path) -> Iterator[Picture | None]:
    for sheet in sheets(records, folder):
        n, fig = sheet.numbers, style.figure()
        axes = fig.subplots()
        axes.errorbar(n.time, n.vortices, n.error, fmt="o-")
        axes.set(xscale="log", yscale="log", xlabel="time", ylabel="vortices a site")
        caption = f"Vortices of either sign after the quench, mean of {n.quenches}."
        yield sheet.save(fig, "vortices", caption, "text")


def sentence(records: list[Record]) -> str:
    quenches = sum(r.numbers.quenches for r in records)
    return f"{quenches} quenches of the XY model from angles at random were followed."


def findings(records: list[Record], claims: list[Claim]) -> list[str]:
    return [f"The vortices fall as t to the power {r.numbers.exponent}." for r in records]
