"""Picture of a prediction file, what `jobs flocking predict --input` wrote: the maps given, and
their phases.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.flocking import panels
from analysis.flocking.labels import COLOURS, PHASES
from analysis.runs import BadInput, read_prediction

SHOWN = 8  # configurations in the picture, at most


def draw(path: Path, out: Path | None) -> Path:
    """Write a PNG beside the file (or into `out`) and return its path.  Raises BadInput for a file
    of another kind.

    Maps are shown where the file has them (magnetization, density); the probabilities always.
    """
    arrays, attributes = read_prediction(path, "probabilities", "phase")
    probabilities = arrays["probabilities"].astype(float)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(PHASES) or len(probabilities) == 0:
        raise BadInput(
            f"{path} is not a prediction: probabilities {probabilities.shape}, expected (configurations, {len(PHASES)})"
        )
    spread = arrays.get("spread", np.zeros_like(probabilities)).astype(float)
    chosen = np.arange(min(SHOWN, len(probabilities)))
    given = [
        name for name in ("magnetization", "density") if name in arrays and arrays[name].ndim == 3
    ]
    fig = style.figure(0.5 + 0.95 * max(3, len(chosen)), 1.2 + 0.95 * len(given))
    axes = fig.subplots(len(given) + 1, len(chosen), squeeze=False)
    for row, name in enumerate(given):
        maps = arrays[name][chosen].astype(float)
        for ax, field in zip(axes[row], maps, strict=True):
            getattr(panels, name)(ax, field, panels.reach(maps))
        axes[row, 0].set_ylabel(name, fontsize=7)
    for ax, k in zip(axes[-1], chosen, strict=True):
        ax.bar(
            range(3),
            probabilities[k],
            yerr=spread[k] if spread.shape == probabilities.shape else None,
            color=COLOURS,
            width=0.8,
        )
        ax.set(xticks=range(3), ylim=(0, 1.05), yticks=[0, 1] if k == 0 else [])
        ax.set_xticklabels(PHASES, fontsize=6)
        axes[0, k].set_title(PHASES[int(probabilities[k].argmax())], fontsize=7)
    axes[-1, 0].set_ylabel("$P_c$", fontsize=7)
    fig.suptitle(str(attributes.get("model", "")), fontsize=7)
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder / style.save(fig, folder, path.stem)
