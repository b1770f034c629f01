"""Movie of trajectories, from the frames that were kept: nothing is simulated for it."""

from pathlib import Path

import numpy as np
from PIL import Image

from analysis import movie_file, style
from analysis.segregation.dataset import TEST, Run
from analysis.style import PHASES

SHOWN = 3  # trajectories side by side
SECONDS = 4.0  # of a whole movie, at least half a second a frame


def movie(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """GIF of some mixtures that segregate, with their free energy below."""
    fields = run.test_fields()
    if fields is None:
        return None
    rows = np.flatnonzero(run.split == TEST)
    inside = np.flatnonzero(run.segregated[rows])
    if len(inside) == 0:
        return None
    means, first = np.unique(fields.mean_concentration[inside].round(6), return_index=True)
    picked = inside[
        first[np.unique(np.linspace(0, len(means) - 1, SHOWN + 2).round().astype(int)[1:-1])]
    ]
    frames = [fields.all[int(row)] for row in picked]
    free = run.quantities["free_energy"][rows[picked]] / (run.size * run.spacing) ** 2
    fig = style.figure(1.75 * len(picked) + 0.3, 3.0)
    axes = fig.subplots(2, len(picked), squeeze=False, height_ratios=(2.4, 1), sharey="row")
    images, dots = [], []
    at = np.arange(len(run.times))
    for ax, below, row, stack, values in zip(axes[0], axes[1], picked, frames, free, strict=True):
        images.append(
            ax.imshow(
                stack[0].T, origin="lower", cmap=PHASES, vmin=0, vmax=1, interpolation="nearest"
            )
        )
        ax.set(xticks=[], yticks=[], title=rf"$\bar c$ = {fields.mean_concentration[row]:.2f}")
        ax.spines[:].set_visible(True)
        below.plot(at, values, color=style.GREY, lw=0.9, marker="o", ms=2)
        dots.append((below.plot([0], values[:1], "o", color=style.VERMILION, ms=5)[0], values))
        below.set_xticks(
            at, ["steady" if np.isinf(t) else f"{t:g}" for t in run.times], fontsize=6, rotation=45
        )
        below.set_xlabel("time")
    axes[1, 0].set(ylabel="F / area", ylim=(0, 1.1 * free.max()))
    title = fig.suptitle(" ", fontsize=9)
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    pictures = []
    for k, time in enumerate(run.times):
        title.set_text("steady state" if np.isinf(time) else f"t = {time:g}")
        for image, stack, (dot, values) in zip(images, frames, dots, strict=True):
            image.set_data(stack[k].T)
            dot.set_data([at[k]], [values[k]])
        fig.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    file = folder / f"{prefix}movie.gif"
    movie_file.write(
        pictures, file, milliseconds=max(500, int(1000 * SECONDS / len(pictures))), colours=96
    )
    return (
        file.name,
        f"{run.name}: mixtures that segregate, at the {len(run.times)} recorded times, and their free energy.",
    )
