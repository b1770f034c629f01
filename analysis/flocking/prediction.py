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
MAPS = ("magnetization", "density")


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
    maps = {name: arrays[name] for name in MAPS if name in arrays and arrays[name].ndim == 3}
    ends = {name: panels.reach(own) for name, own in maps.items()}  # one scale for all pictures
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    found, model = [], str(attributes.get("model", ""))
    for first in range(0, len(p), COLUMNS * ROWS):
        rows = np.arange(first, min(first + COLUMNS * ROWS, len(p)))
        fig = picture(
            rows, {k: own[rows] for k, own in maps.items()}, ends, (p[rows], spread[rows])
        )
        fig.suptitle(f"{model}; bars: probability of gas (G), bands (L+G), liquid (L)", fontsize=7)
        name = path.stem + (f"-{len(found) + 1}" if len(p) > COLUMNS * ROWS else "")
        found.append(folder / style.save(fig, folder, name))
    return found


def picture(rows: np.ndarray, maps: dict, ends: dict, answers: tuple):
    """These configurations of the file, each its maps {name: (n, L, L)} above its probabilities;
    answers: these and their spread over networks, (n, 3) each.
    """
    columns, deep = min(COLUMNS, len(rows)), len(maps) + 1
    lines = -(-len(rows) // columns)
    fig = style.figure(1.3 + 0.84 * max(3, columns), 0.5 + 0.95 * deep * lines)
    axes = fig.subplots(deep * lines, columns, squeeze=False)
    images = {}
    for place in range(lines * columns):
        line, column = divmod(place, columns)
        own = axes[deep * line : deep * (line + 1), column]
        if place >= len(rows):
            for ax in own:
                ax.remove()
            continue
        for ax, (name, values) in zip(own, maps.items(), strict=False):
            images[name] = getattr(panels, name)(ax, values[place].astype(float), ends[name])
        bars(own[-1], *(each[place] for each in answers))
        phase = PHASES[int(answers[0][place].argmax())]
        own[0].set_title(f"{rows[place] + 1}: {phase}", fontsize=7)
        if column == 0:
            for ax, text in zip(own, (*maps, "$P_c$"), strict=True):
                ax.set_ylabel(text, fontsize=7)
            own[-1].set_yticks([0, 1])
    for name, image in images.items():
        shown = [ax for ax in axes.ravel() if ax.figure is not None]
        label = {"magnetization": "magnetization $m_i$", "density": r"density $\rho_i$"}[name]
        panels.bar(fig, image, shown, label, aspect=30 * lines, shrink=max(0.4, 1 / lines))
    return fig


def bars(ax, probabilities: np.ndarray, spread: np.ndarray) -> None:
    ax.bar(range(len(PHASES)), probabilities, yerr=spread, color=COLOURS, width=0.8)
    ax.set(xticks=range(len(PHASES)), ylim=(0, 1.05), yticks=[])
    ax.set_xticklabels(PHASES, fontsize=6)
