"""Picture of NAME-rollout.h5, what `jobs coarsening rollout --input` wrote: slices of the network's
fields above the solver's, and their free energy and surface in time.
"""

from pathlib import Path

import h5py
import numpy as np

from analysis import style
from analysis.coarsening.figures_large_box import SLICES
from analysis.coarsening.labels import MODELS, TRUTH_COLOUR
from analysis.runs import BadInput
from jobs import shards
from jobs.coarsening.own import CASE, SOLVER

NUMBERS = {  # of the file: what it is, and its unit once over a volume
    "free_energy_upsampled": ("free energy", "energy / length$^3$"),
    "area": (r"area of $\phi$ = 1/2", "1 / length"),
}


def is_own(path: Path) -> bool:
    """Whether a file says that it is one."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file.attrs.get("case") == CASE
    except OSError:
        return False


def draw(path: Path, out: Path | None) -> list[Path]:
    """Write a PNG beside the file (or into `out`) and return its path, alone in a list.  Raises
    BadInput for a damaged file.
    """
    try:
        shards.check_large(path)
    except shards.BadFileError as error:
        raise BadInput(f"{path}: {error}") from None
    with h5py.File(path, "r", locking=False) as file:
        fig = panels(file)
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return [folder / style.save(fig, folder, path.stem)]


def panels(file: h5py.File):
    """The figure of an open file."""
    name = str(file.attrs["model"])
    colour = MODELS[name.split("/")[0]].colour if name.split("/")[0] in MODELS else style.PURPLE
    rows = [(file, name, colour)]
    if SOLVER in file:
        rows.append((file[SOLVER], "solver", TRUTH_COLOUR))
    time = file["time"][...]
    shown = np.unique(np.rint(np.linspace(0, len(time) - 1, SLICES)).astype(int))
    high = style.PAGE / max(3, len(shown)) * len(rows) + 0.45
    fig = style.figure(style.PAGE, high + 2.1)
    above, below = fig.subfigures(2, 1, height_ratios=[high, 2.1])
    fields, spacing = file["phi"].shape[0], float(file.attrs["spacing"])
    middle = file["phi"].shape[4] // 2
    smoothed = float(file.attrs.get("smoothed", 0))
    above.suptitle(
        f"plane z = {spacing * middle:g} [length]"
        + (f" of the first of {fields} fields" if fields > 1 else "")
        + (f", smoothed by {spacing * smoothed:g} [length] at the start" if smoothed else ""),
        fontsize=7,
    )
    axes = above.subplots(len(rows), len(shown), squeeze=False)
    for line, (group, title, _) in zip(axes, rows, strict=True):
        line[0].set_ylabel(title)
        for ax, frame in zip(line, shown, strict=True):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
            if frame < len(group["time"]):  # where it stopped early there is no field
                plane = group["phi"][0, frame, :, :, middle]
                colours = dict(cmap=style.PHASES, vmin=0, vmax=1)
                image = ax.imshow(plane.T, origin="lower", interpolation="nearest", **colours)
    for ax, frame in zip(axes[0], shown, strict=True):
        ax.set_title(f"$t$ = {time[frame]:g} [time]", fontsize=7)
    above.colorbar(image, ax=axes, label=r"$\phi$ (phases: 0 and 1)", shrink=0.9, aspect=30)
    cells = float(np.prod(file["phi"].shape[2:])) * spacing**3
    for ax, (number, (title, unit)) in zip(below.subplots(1, 2), NUMBERS.items(), strict=True):
        for (group, label, shade), look in zip(rows, ("-", "--"), strict=False):
            at, values = group["series/time"][...], group[f"series/{number}"][...].mean(0) / cells
            there = np.isfinite(values)
            ax.plot(at[there], values[there], look, color=shade, label=label)
        style.from_zero(ax, time[1], time[-1])
        ax.set(xlabel="$t$ [time]", ylabel=f"{title}\nper volume [{unit}]", ylim=(0, None))
        ax.legend(loc="lower left")
    return fig
