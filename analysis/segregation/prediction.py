"""Pictures of a prediction file, what `jobs segregation predict --input` wrote: all of the fields
given, and the network's answers.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.runs import read_prediction
from analysis.segregation.figures_fields import frame, image, labelled
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
    fig, axes = sheet(lines, columns)
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
    for (segregated, mapped), left in zip(images.items(), (1.55, 0.7), strict=True):
        width, height = fig.get_size_inches()
        ax = fig.add_axes((1 - left / width, 1 - 2 / height, 0.07 / width, 1.7 / height))
        labelled(fig.colorbar(mapped, cax=ax), segregated)
    return fig


def sheet(lines: int, columns: int):
    """A figure and its axes (2 lines, columns), placed by hand: to lay out so many takes long."""
    width, height = 0.6 + 0.9 * columns + 1.7, 0.1 + 2.1 * lines + 0.35
    fig = style.figure(width, height)
    fig.set_layout_engine("none")
    axes = np.empty((2 * lines, columns), object)
    for (row, column), _ in np.ndenumerate(axes):
        top = height - 0.1 - 2.1 * (row // 2) - 0.17 - 0.92 * (row % 2)
        place = (0.6 + 0.9 * column, top - 0.82, 0.82, 0.82)
        axes[row, column] = fig.add_axes(
            (place[0] / width, place[1] / height, place[2] / width, place[3] / height)
        )
    return fig, axes


def scale(ax, size: int) -> None:
    """How large a field is, at the first one of the last row."""
    ax.set(xticks=[-0.5, size - 0.5], yticks=[-0.5, size - 0.5])
    ax.set_xticklabels(["0", str(size)], fontsize=6)
    ax.set_yticklabels(["0", str(size)], fontsize=6)
    ax.set_xlabel("x (cells)", fontsize=6, labelpad=-4)
