"""Picture of a prediction file, what `jobs nucleation predict --input` wrote: configurations,
p_nuc, and the occlusion map.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.nucleation.event import PHASES
from analysis.runs import read_prediction

SHOWN = 6  # configurations in the picture, at most


def draw(path: Path, out: Path | None) -> Path:
    """Write a PNG beside the file (or into `out`) and return its path.  Raises BadInput for a file
    of another kind.
    """
    arrays, attributes = read_prediction(path, "p_nuc", "standard_error", "spins")
    spins, p, error = (arrays[name] for name in ("spins", "p_nuc", "standard_error"))
    covered = int(attributes["map"]) if "map/shift" in arrays else None
    rows = list(range(min(len(spins), SHOWN)))
    if covered is not None and covered not in rows:
        rows[-1] = covered
    fig, axes = style.grid(len(rows) + (covered is not None), 2.2)
    for ax, row in zip(axes, rows, strict=False):
        ax.imshow(
            (spins[row] < 0).T, origin="lower", cmap=PHASES, vmin=0, vmax=2, interpolation="nearest"
        )
        ax.set(
            title=rf"configuration {row}: $p_\mathrm{{nuc}}$ = {p[row]:.2f} $\pm$ {error[row]:.2f}",
            xticks=[],
            yticks=[],
        )
    if covered is not None:
        shift, x, y = arrays["map/shift"], arrays["map/x"], arrays["map/y"]
        ax, half = axes[len(rows)], (x[1] - x[0]) / 2 if len(x) > 1 else 0.5
        ax.imshow(
            (spins[covered] < 0).T,
            origin="lower",
            cmap="Greys",
            vmin=0,
            vmax=4,
            interpolation="nearest",
        )
        reach = float(np.abs(shift).max()) or 1.0
        extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
        image = ax.imshow(
            shift.T,
            origin="lower",
            cmap="RdBu",
            vmin=-reach,
            vmax=reach,
            extent=extent,
            alpha=0.75,
            interpolation="nearest",
        )
        size = spins.shape[1]
        ax.set(
            xlim=(-0.5, size - 0.5),
            ylim=(-0.5, size - 0.5),
            xticks=[],
            yticks=[],
            title=f"{covered}: change of $p_\\mathrm{{nuc}}$ when\na square of {attributes['patch']} is covered",
        )
        fig.colorbar(image, ax=ax, shrink=0.8)
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder / style.save(fig, folder, path.stem)
