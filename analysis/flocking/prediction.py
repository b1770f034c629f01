"""Pictures of a prediction file, what `jobs flocking predict --input` wrote: all of the maps given,
and their phases.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.flocking import panels
from analysis.flocking.labels import COLOURS, PHASES
from analysis.runs import BadInput, read_prediction

COLUMNS, ROWS = 8, 4  # configurations in a picture
CELL = 0.88  # inch, of a panel and the gap beside it
LABELS = {"magnetization": "magnetization $m_i$", "density": r"density $\rho_i$"}


def draw(path: Path, out: Path | None) -> list[Path]:
    """Write PNGs beside the file (or into `out`), as many as show all its configurations, and
    return their paths.  Raises BadInput for a file of another kind.

    Maps are shown where the file has them (magnetization, density); the probabilities always.
    """
    arrays, attributes = read_prediction(path, "probabilities", "phase")
    p = arrays["probabilities"].astype(float)
    if p.ndim != 2 or p.shape[1] != len(PHASES) or len(p) == 0:
        raise BadInput(
            f"{path} is not a prediction: probabilities {p.shape}, expected (configurations, "
            f"{len(PHASES)})"
        )
    spread = arrays.get("spread", np.zeros_like(p)).astype(float)
    maps = {name: arrays[name] for name in LABELS if name in arrays and arrays[name].ndim == 3}
    ends = {name: panels.reach(own) for name, own in maps.items()}  # one scale for all pictures
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    found, model = [], str(attributes.get("model", ""))
    for first in range(0, len(p), COLUMNS * ROWS):
        rows = np.arange(first, min(first + COLUMNS * ROWS, len(p)))
        fig = picture(
            rows, {k: own[rows] for k, own in maps.items()}, ends, (p[rows], spread[rows])
        )
        fig.suptitle(
            f"{model}; bars: probability of gas (G), bands (L+G), liquid (L)",
            fontsize=7,
            y=1 - 0.05 / fig.get_figheight(),
            va="top",
        )
        name = path.stem + (f"-{len(found) + 1}" if len(p) > COLUMNS * ROWS else "")
        found.append(folder / style.save(fig, folder, name))
    return found


def picture(rows: np.ndarray, maps: dict, ends: dict, answers: tuple):
    """These configurations of the file, each its maps {name: (n, L, L)} above its probabilities;
    answers: these and their spread over networks, (n, 3) each.

    Laid out in inches by hand: the layout engine takes half a minute for so many panels.
    """
    columns, block = min(COLUMNS, len(rows)), CELL * (len(maps) + 1) + 0.35
    lines, right = -(-len(rows) // columns), 0.5 + CELL * columns
    size = (max(4.4, right + 1.3), 0.4 + block * lines)
    fig, images = style.figure(*size), {}
    fig.set_layout_engine("none")

    def panel(left: float, top: float, width: float, tall: float):
        across, up = size
        return fig.add_axes((left / across, 1 - (top + tall) / up, width / across, tall / up))

    for place, row in enumerate(rows):
        line, column = divmod(place, columns)
        corner = 0.5 + CELL * column, 0.45 + block * line
        own = [
            panel(corner[0], corner[1] + CELL * k, 0.9 * CELL, 0.9 * CELL)
            for k in range(len(maps) + 1)
        ]
        for ax, (name, values) in zip(own, maps.items(), strict=False):
            images[name] = getattr(panels, name)(ax, values[place].astype(float), ends[name])
        bars(own[-1], *(each[place] for each in answers))
        own[0].set_title(f"{row + 1}: {PHASES[int(answers[0][place].argmax())]}", fontsize=7)
        if column == 0:
            for ax, text in zip(own, (*maps, "$P_c$"), strict=True):
                ax.set_ylabel(text, fontsize=7)
            own[-1].set_yticks([0, 1])
    for k, (name, image) in enumerate(images.items()):
        ax = panel(right + 0.1 + 0.6 * k, 0.45, 0.08, min(2.4, block - 0.5))
        fig.colorbar(image, cax=ax).set_label(LABELS[name], fontsize=7)
        ax.tick_params(labelsize=6)
    return fig


def bars(ax, probabilities: np.ndarray, spread: np.ndarray) -> None:
    ax.bar(range(len(PHASES)), probabilities, yerr=spread, color=COLOURS, width=0.8)
    ax.set(xticks=range(len(PHASES)), ylim=(0, 1.05), yticks=[])
    ax.set_xticklabels(PHASES, fontsize=6)
