"""House style of every figure: one column of a journal page, colour-blind safe, PNG and PDF.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), ordered so that neighbours differ in
lightness too and survive a grey print.
"""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from jobs import whole_file

COLUMN = 3.4  # inch, width of one journal column
PAGE = 7.0  # inch, width of a page

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
METASTABLE, STABLE, GREY = "#F3F3F3", "#B4C7D6", "#666666"
PHASES = LinearSegmentedColormap.from_list(
    "phases", ["#FFFFFF", STABLE, BLUE, "#00263B"]
)  # of a mixture, c from 0 to 1

RC = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "mathtext.fontset": "dejavusans",
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "errorbar.capsize": 1.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
}
matplotlib.rcParams.update(RC)


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def line(index: int) -> str:
    """Solid, then dash-dotted once the colours start again."""
    return ("-", "-.")[index // len(COLOURS) % 2]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def shades(count: int) -> list:
    """Colours of an ordered set, from light to dark."""
    return [colormaps["plasma_r"](x) for x in np.linspace(0.14, 1, max(count, 2))][:count]


def whole_numbers(axis: Axis) -> None:
    """Ticks of an axis that counts (epochs, components): at most six, 1, 2 or 5 times a power of
    ten apart.
    """
    axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def decades(axis: Axis) -> None:
    """Labels at 1, 2 and 5 of each decade of a logarithmic axis, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def from_zero(ax: Axes, first: float, last: float) -> None:
    """A time axis from 0 on: linear up to `first`, then logarithmic; ticks at 0 and at powers of
    ten from `first` on, at `first` and `last` where there is none.
    """
    ax.set_xscale("symlog", linthresh=first, linscale=0.45)
    powers = 10.0 ** np.arange(np.ceil(np.log10(first) - 1e-9), np.log10(last) + 1e-9)
    names = [f"$10^{{{np.log10(p):.0f}}}$" for p in powers]
    if len(powers) == 0:
        powers, names = np.array([first, last]), [f"{first:g}", f"{last:g}"]
    ax.set_xticks([0, *powers], ["0", *names])
    ax.set_xlim(-0.2 * first, 1.25 * last)  # room for markers at both ends
    ax.xaxis.set_minor_locator(NullLocator())


def figure(width: float = COLUMN, height: float = 2.5) -> Figure:
    """An empty figure, width and height in inch, outside pyplot's global list; needs no display."""
    fig = Figure(figsize=(width, height))
    FigureCanvasAgg(fig)
    return fig


def grid(panels: int, panel_height: float = 2.1, per_row: int = 3) -> tuple[Figure, list]:
    """Figure with `panels` axes in rows of at most `per_row`; one panel is one column wide."""
    columns = min(panels, per_row)
    rows = -(-panels // columns)
    fig = figure(COLUMN if columns == 1 else PAGE, panel_height * rows + 0.3)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[panels:]:
        unused.remove()
    return fig, list(axes[:panels])


def legend_columns(fig: Figure) -> int:
    """Of a legend above a figure: as many as short words fit side by side."""
    return 4 if fig.get_figwidth() > COLUMN else 2


def save(fig: Figure, folder: Path, name: str) -> str:
    """Write folder/name.png and .pdf without dates, so that the same data give the same bytes;
    return the PNG's name.
    """
    for kind, metadata in (("png", None), ("pdf", {"CreationDate": None})):
        drawn = io.BytesIO()
        fig.savefig(drawn, format=kind, metadata=metadata)
        fig.set_layout_engine("none")  # laid out once for both
        whole_file.write(folder / f"{name}.{kind}", drawn.getvalue())
    return f"{name}.png"
