"""Picture of a prediction file, what `jobs segregation predict --input` wrote: the fields given,
and the network's answers.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.runs import read_prediction
from analysis.segregation.figures_fields import MIXED
from analysis.style import PHASES

SHOWN = 8  # fields in the picture, at most


def draw(path: Path, out: Path | None) -> Path:
    """Write a PNG beside the file (or into `out`) and return its path.  Raises BadInput for a file
    of another kind.
    """
    arrays, attributes = read_prediction(path, "input", "prediction", "mean_concentration")
    given, answered, mean = (
        arrays[name][:SHOWN] for name in ("input", "prediction", "mean_concentration")
    )
    reverse = str(attributes["model"]).endswith("reverse")
    reach = float(np.abs((answered if reverse else given) - mean[:, None, None]).max()) or 1.0
    mixed, segregated = (
        {"cmap": MIXED, "vmin": -reach, "vmax": reach},
        {"cmap": PHASES, "vmin": 0, "vmax": 1},
    )
    fig = style.figure(0.4 + 0.84 * max(3, len(given)), 2.4)
    axes = fig.subplots(2, len(given), squeeze=False)
    for column, average in enumerate(mean):
        for ax, field, of_mixed in (
            (axes[0, column], given, not reverse),
            (axes[1, column], answered, reverse),
        ):
            shown = field[column] - average if of_mixed else field[column]
            ax.imshow(
                shown.T,
                origin="lower",
                interpolation="nearest",
                **(mixed if of_mixed else segregated),
            )
            ax.set(xticks=[], yticks=[])
        axes[0, column].set_title(rf"$\bar c$ = {average:.2f}", fontsize=7)
    axes[0, 0].set_ylabel("given", fontsize=7)
    axes[1, 0].set_ylabel(str(attributes["model"]), fontsize=7)
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder / style.save(fig, folder, path.stem)
