"""Figures 2 and 3 of the paper, input, output and truth side by side for several mean
concentrations, and a film of mixtures that segregate.
"""

from collections.abc import Iterator

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

from analysis import movie_file, style
from analysis.page import Picture
from analysis.segregation.examples import Examples, Film
from analysis.segregation.labels import AGE, ages, ordered, title
from analysis.sheet import Sheet
from analysis.style import PHASES

MIXED = "RdBu_r"  # c minus its mean
SECONDS = 4.0  # of a whole movie, at least half a second a frame


def draw(sheet: Sheet) -> Iterator[Picture | None]:
    for way in ("forward", "reverse"):
        if way in sheet.numbers.examples:
            yield panels(sheet, sheet.numbers.examples[way], way == "reverse")


def panels(sheet: Sheet, shown: Examples, reverse: bool) -> Picture:
    """Rows: input, each network's output, truth; columns: mean concentrations."""
    rows = [
        ("input", list(shown.given.values), reverse),
        *((title(n), shown.answer(n), not reverse) for n in ordered(shown.answers)),
        ("truth", list(shown.truth.values), not reverse),
    ]
    reach = (shown.truth if reverse else shown.given).high
    fig = style.figure(style.PAGE, 0.84 * len(rows) + 0.35)
    axes = fig.subplots(len(rows), len(shown.index), squeeze=False)
    images = {}
    for line, (text, fields, segregated) in zip(axes, rows, strict=True):
        for ax, field in zip(line, fields, strict=True):
            if field is not None:
                images[segregated] = image(ax, field, None if segregated else reach)
            frame(ax)
        line[0].set_ylabel(text.replace(", ", ",\n"), fontsize=7)
    for ax, mean, segregates in zip(axes[0], shown.mean, shown.segregates, strict=True):
        ax.set_title(
            rf"$\bar c$ = {mean:.2f}{'' if segregates else chr(10) + 'uniform'}", fontsize=7
        )
    first, others = axes[:1], axes[1:]
    for segregated, mapped in images.items():
        extend = "both" if reverse and not segregated else "neither"
        colour_bar(fig, mapped, first if segregated == reverse else others, segregated, extend)
    number, way = (3, "reverse") if reverse else (2, "forward")
    end = (
        " Many mixed states lead to one segregated state: the output is to look like the truth in its statistics, not cell by cell."
        if reverse
        else ""
    )
    direction = "segregated to mixed" if reverse else "mixed to segregated"
    return sheet.save(
        fig,
        f"figure-{number}-{way}",
        f"As in figure {number} of the paper, {direction}: samples of the test set, what the networks answer, and the truth. "
        f"Of mixed states the deviation from their mean is shown, on a scale of its own.{end}",
        str(number),
    )


def image(ax, field: np.ndarray, reach: float | None = None):
    """Draw a field (x to the right, y upwards): concentrations from 0 to 1, or of a mixed state
    deviations up to `reach`.
    """
    look = {"cmap": PHASES, "vmin": 0, "vmax": 1}
    if reach is not None:
        look = {"cmap": MIXED, "vmin": -reach, "vmax": reach}
    return ax.imshow(field.T, origin="lower", interpolation="nearest", **look)


def frame(ax) -> None:
    ax.set(xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)


def colour_bar(fig, mapped, axes: np.ndarray, segregated: bool, extend: str = "neither") -> None:
    """A colour bar beside rows of panels."""
    where = {"ax": axes.ravel().tolist(), "aspect": 7 * len(axes), "shrink": 0.9, "pad": 0.01}
    labelled(fig.colorbar(mapped, extend=extend, **where), segregated)


def labelled(bar, segregated: bool) -> None:
    bar.locator = MaxNLocator(4)
    bar.set_label("$c$" if segregated else r"$c - \bar c$", fontsize=7)
    bar.ax.tick_params(labelsize=6)


def film(sheet: Sheet) -> Picture | None:
    """GIF of some mixtures that segregate, with their free energy below."""
    shown: Film | None = sheet.numbers.film
    if shown is None:
        return None
    times, frames = sheet.numbers.physics.times, shown.frames.values
    fig = style.figure(1.75 * len(frames) + 0.3, 3.0)
    axes = fig.subplots(2, len(frames), squeeze=False, height_ratios=(2.4, 1), sharey="row")
    images, dots, at = [], [], np.arange(len(times))
    for column, mean, stack, values in zip(
        axes.T, shown.mean, frames, shown.free_energy, strict=True
    ):
        images.append(image(column[0], stack[0]))
        column[0].set(xticks=[], yticks=[], title=rf"$\bar c$ = {mean:.2f}")
        column[0].spines[:].set_visible(True)
        column[1].plot(at, values, color=style.GREY, lw=0.9, marker="o", ms=2)
        dots += column[1].plot([0], values[:1], "o", color=style.VERMILION, ms=5)
        names = ["steady" if np.isinf(t) else f"{t:g}" for t in times]
        column[1].set_xticks(at, names, fontsize=6, rotation=45)
        column[1].set_xlabel(AGE)
    axes[1, 0].set(ylabel="F / area", ylim=(0, 1.1 * shown.free_energy.max()))
    heading = fig.suptitle(" ", fontsize=9)
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    pictures = []
    for k, time in enumerate(times):
        heading.set_text("steady state" if np.isinf(time) else f"age {time:g}")
        for drawn, stack, dot, values in zip(images, frames, dots, shown.free_energy, strict=True):
            drawn.set_data(stack[k].T)
            dot.set_data([at[k]], [values[k]])
        fig.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    name = f"{sheet.prefix}movie.gif"
    pace = max(500, int(1000 * SECONDS / len(pictures)))
    movie_file.write(pictures, sheet.folder / name, milliseconds=pace, colours=96)
    caption = (
        f"Mixtures that segregate, at the ages {ages(times)}, and their free energy per area (below; ages are not to scale). "
        "What the equation does, without a network."
    )
    return Picture(name, sheet.captioned(caption))
