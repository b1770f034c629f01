"""Pictures of a prediction file, what `jobs segregation predict --input` wrote: all of the fields
given, and the network's answers.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.runs import read_prediction
from analysis.segregation.figures_fields import colour_bar, frame, image
from analysis.segregation.labels import look, title

COLUMNS, ROWS = 8, 4  # pairs of given and answer in a picture


def draw(path: Path, out: Path | None) -> list[Path]:
    """Write PNGs beside the file (or into `out`), as many as show all its fields, and return their
    paths.  Raises BadInput for a file of another kind.
    """
    arrays, attributes = read_prediction(path, "input", "prediction", "mean_concentration")
    given, answered, mean = (arrays[name] for name in ("input", "prediction", "mean_concentration"))
    model = str(attributes["model"])
    mixed = answered if look(model).reverse else given
    reach = float(np.abs(mixed - mean[:, None, None]).max()) or 1.0  # one scale for all pictures
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for first in range(0, len(mean), COLUMNS * ROWS):
        rows = np.arange(first, min(first + COLUMNS * ROWS, len(mean)))
        name = path.stem + (f"-{len(found) + 1}" if len(mean) > COLUMNS * ROWS else "")
        fields = (given[rows], answered[rows], mean[rows])
        fig = picture(fields, rows, model, reach)
        found.append(folder / style.save(fig, folder, name))
    return found


def picture(fields: tuple, rows: np.ndarray, model: str, reach: float):
    """Given above answered, pair by pair; fields: (given (n, L, L), answered, mean concentrations)
    of these rows of the file.
    """
    columns, reverse = min(COLUMNS, len(rows)), look(model).reverse
    lines = -(-len(rows) // columns)
    fig = style.figure(1.2 + 0.84 * max(3, columns), 0.5 + 2.05 * lines)
    axes = fig.subplots(2 * lines, columns, squeeze=False)
    images = {}
    for place in range(lines * columns):
        line, column = divmod(place, columns)
        pair = axes[2 * line : 2 * line + 2, column]
        if place >= len(rows):
            for ax in pair:
                ax.remove()
            continue
        given, answered, mean = (each[place] for each in fields)
        for ax, field, of_mixed in ((pair[0], given, not reverse), (pair[1], answered, reverse)):
            shown = field - mean if of_mixed else field
            images[not of_mixed] = image(ax, shown, reach if of_mixed else None)
            frame(ax)
        pair[0].set_title(rf"{rows[place] + 1}: $\bar c$ = {mean:.2f}", fontsize=7)
    for line in range(lines):
        axes[2 * line, 0].set_ylabel("given", fontsize=7)
        axes[2 * line + 1, 0].set_ylabel(title(model).replace(", ", ",\n"), fontsize=7)
    scale(axes[-1, 0], given.shape[0])
    there = np.array([ax for ax in axes.ravel() if ax.figure is not None])
    for segregated, mapped in images.items():
        colour_bar(fig, mapped, there, segregated)
    return fig


def scale(ax, size: int) -> None:
    """How large a field is, at the first one of the last row."""
    ax.set(xticks=[-0.5, size - 0.5], yticks=[-0.5, size - 0.5])
    ax.set_xticklabels(["0", str(size)], fontsize=6)
    ax.set_yticklabels(["0", str(size)], fontsize=6)
    ax.set_xlabel("x (cells)", fontsize=6, labelpad=-4)
