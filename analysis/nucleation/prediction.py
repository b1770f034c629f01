"""Pictures of a prediction file, what `jobs nucleation predict --input` wrote: every configuration
with its p_nuc, and the occlusion map.
"""

from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

from analysis import style
from analysis.nucleation.labels import PHASES
from analysis.runs import read_prediction

SHOWN = 24  # configurations in a figure, at most; the next ones are in another
PER_ROW = 4
SPINS = (
    Patch(fc=PHASES(0), ec=style.GREY, label="metastable spins (+1)"),
    Patch(fc=PHASES(1), ec=style.GREY, label="stable spins (\N{MINUS SIGN}1)"),
)


def draw(path: Path, out: Path | None) -> list[Path]:
    """Write PNGs beside the file (or into `out`), as many as show all its configurations, and
    return their paths.  Raises BadInput for a file of another kind.
    """
    arrays, attributes = read_prediction(path, "p_nuc", "standard_error", "spins")
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    count = len(arrays["spins"])
    pages = [range(first, min(first + SHOWN, count)) for first in range(0, count, SHOWN)]
    has_map = "map/shift" in arrays
    files = []
    for number, rows in enumerate(pages, 1):
        with_map = has_map and number == 1
        fig, axes = style.grid(len(rows) + with_map, 2.0, per_row=PER_ROW)
        for ax, row in zip(axes, rows, strict=False):
            _configuration(ax, arrays, row)
        if with_map:
            _map(fig, axes[-1], arrays, attributes)
        fig.legend(handles=SPINS, loc="outside upper center", ncols=2)
        name = path.stem if number == 1 else f"{path.stem}-{number}"
        files.append(folder / style.save(fig, folder, name))
    return files


def _lattice(ax, spins: np.ndarray, title: str, **look) -> None:
    size = len(spins)
    ax.imshow((spins < 0).T, origin="lower", interpolation="nearest", **look)
    ticks = (0, size // 2, size - 1)
    ax.set(xlabel="x (sites)", ylabel="y (sites)", xticks=ticks, yticks=ticks)
    ax.set(xlim=(-0.5, size - 0.5), ylim=(-0.5, size - 0.5))
    ax.set_title(title, fontsize=7)


def _configuration(ax, arrays: dict, row: int) -> None:
    p, error = arrays["p_nuc"][row], arrays["standard_error"][row]
    title = rf"{row}: $p_\mathrm{{nuc}}$ = {p:.2f} $\pm$ {error:.2f}"
    _lattice(ax, arrays["spins"][row], title, cmap=PHASES, vmin=0, vmax=2)


def _map(fig, ax, arrays: dict, attributes: dict) -> None:
    """The occlusion map of one configuration, over its spins in grey."""
    covered, shift = int(attributes["map"]), arrays["map/shift"]
    x, y = arrays["map/x"], arrays["map/y"]
    title = f"{covered}: a square of {attributes['patch']} covered"
    _lattice(ax, arrays["spins"][covered], title, cmap="Greys", vmin=0, vmax=4)
    half, reach = (x[1] - x[0]) / 2 if len(x) > 1 else 0.5, float(np.abs(shift).max()) or 1.0
    image = ax.imshow(
        shift.T,
        origin="lower",
        cmap="RdBu",
        vmin=-reach,
        vmax=reach,
        extent=(x[0] - half, x[-1] + half, y[0] - half, y[-1] + half),
        alpha=0.75,
        interpolation="nearest",
    )
    size = len(arrays["spins"][covered])
    ax.set(xlim=(-0.5, size - 0.5), ylim=(-0.5, size - 0.5))
    fig.colorbar(image, ax=ax, location="bottom", label=r"change of $p_\mathrm{nuc}$")
