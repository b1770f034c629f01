"""Figures 2 and 3 of the paper: input, output and truth side by side, for several mean
concentrations.
"""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.segregation.dataset import Run
from analysis.segregation.predictions import Predictions
from analysis.segregation.quantities import MODELS
from analysis.style import PHASES

COLUMNS = 8
MIXED = "RdBu_r"  # c minus its mean


def shown(p: Predictions) -> np.ndarray:
    """Rows of the samples to show: the uniform one nearest a mean of 1/2, and segregated ones
    evenly spread over the means.
    """
    uniform, inside = np.flatnonzero(~p.segregated), np.flatnonzero(p.segregated)
    picked = uniform[
        np.argsort(np.abs(p.mean_concentration[uniform] - 0.5), kind="stable")[:1]
    ].tolist()
    means, first = np.unique(p.mean_concentration[inside].round(6), return_index=True)
    if len(means):
        picked += inside[
            first[np.unique(np.linspace(0, len(means) - 1, COLUMNS - 1).round().astype(int))]
        ].tolist()
    return np.array(sorted(picked, key=lambda row: p.mean_concentration[row]), int)


def draw(run: Run, folder: Path, prefix: str, *, reverse: bool) -> tuple[str, str] | None:
    """Rows: input, each model's output, truth; columns: mean concentrations."""
    models = run.models(reverse)
    if not models:
        return None
    rows = shown(models[0])
    index = models[0].index[rows]
    pictures = [
        ("input", "input", reverse),
        *((MODELS[p.model].title.removesuffix(", reverse"), p, not reverse) for p in models),
        ("truth", "truth", not reverse),
    ]
    own = models[0].fields(rows)
    noise = max(np.abs(f - f.mean()).max() for f in own["truth" if reverse else "input"])
    fig = style.figure(style.PAGE, 0.84 * len(pictures) + 0.35)
    axes = fig.subplots(len(pictures), len(rows), squeeze=False)
    images = {}
    for line, (text, source, segregated) in zip(axes, pictures, strict=True):
        fields = own[source] if isinstance(source, str) else of_samples(source, index)
        for ax, field in zip(line, fields, strict=True):
            if field is not None:
                images[segregated] = image(ax, field, segregated, noise)
            ax.set(xticks=[], yticks=[], aspect="equal")
            for spine in ax.spines.values():
                spine.set_visible(True)
                spine.set_linewidth(0.4)
        line[0].set_ylabel(text.replace(", ", ",\n"), fontsize=7)
    for ax, row in zip(axes[0], rows, strict=True):
        fate = "" if models[0].segregated[row] else "\nuniform"
        ax.set_title(rf"$\bar c$ = {models[0].mean_concentration[row]:.2f}{fate}", fontsize=7)
    places = {
        True: axes[1:] if not reverse else axes[:1],
        False: axes[:1] if not reverse else axes[1:],
    }
    for segregated, mapped in images.items():
        line = places[segregated]
        bar = fig.colorbar(
            mapped,
            ax=line.ravel().tolist(),
            aspect=7 * len(line),
            shrink=0.9,
            pad=0.01,
            extend="both" if reverse and not segregated else "neither",
        )
        bar.locator = MaxNLocator(4)
        bar.set_label("$c$" if segregated else r"$c - \bar c$", fontsize=7)
        bar.ax.tick_params(labelsize=6)
    number, way = (3, "Reverse") if reverse else (2, "Forward")
    return (
        style.save(fig, folder, f"{prefix}figure-{number}-{way.lower()}"),
        f"Figure {number} of the paper: {'segregated to mixed' if reverse else 'mixed to segregated'}, samples of the test set. Mixed "
        "states are shown less their mean, on a scale of their own."
        + (
            " Many mixed states lead to one segregated state: the output is to look like the truth in its statistics, not cell by cell."
            if reverse
            else ""
        ),
    )


def of_samples(p: Predictions, index: np.ndarray) -> list[np.ndarray | None]:
    """Predictions for these rows of the test split, None where the model has none."""
    place = {int(i): k for k, i in enumerate(p.index)}
    return [
        p.fields(np.array([place[i]]))["prediction"][0] if i in place else None
        for i in index.tolist()
    ]


def image(ax, field: np.ndarray, segregated: bool, noise: float):
    """Draw a field (x to the right, y upwards): a segregated one from 0 to 1, a mixed one by its
    deviations, up to `noise`.
    """
    if segregated:
        return ax.imshow(
            field.T, origin="lower", cmap=PHASES, vmin=0, vmax=1, interpolation="nearest"
        )
    return ax.imshow(
        (field - field.mean()).T,
        origin="lower",
        cmap=MIXED,
        vmin=-noise,
        vmax=noise,
        interpolation="nearest",
    )
