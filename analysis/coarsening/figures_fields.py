"""Figures 1c to 4: truth and prediction of one start side by side, as surfaces and as slices; and
the movie.
"""

import numpy as np
from PIL import Image

from analysis import movie_file, style
from analysis.coarsening import surface
from analysis.coarsening.errors import Errors
from analysis.coarsening.labels import TRUTH_COLOUR, case_title
from analysis.coarsening.shots import Film, Shots
from analysis.page import Picture
from analysis.sheet import Sheet

WIDE = 1.27  # inch, of a picture
REACH = 0.5  # of the colours of prediction minus truth
SECONDS = 5.0  # of the movie
# case: (file, figure of the paper, what it is)
FIGURES = {
    "test": ("figure-1-sequence", "1", "A test sequence"),
    "larger": ("figure-2-larger-box", "2", "A larger box than the networks were trained on"),
    "shape": ("figure-2-shape", "2", "A closed shape, unlike anything in the training set"),
    "slice": (
        "figure-3-slice",
        "3",
        "Noise in a slice alone (beside it phi = 1/2 at first: a surface there means nothing)",
    ),
    "long": ("figure-4-stationary", "4", "To the stationary state"),
}


def sequences(sheet: Sheet):
    """Figures 1c, 2a, 2b, 3 and 4, those that there are pictures for."""
    for name, (file, figure, text) in FIGURES.items():
        case = sheet.numbers.cases.get(name)
        shots = None if case is None else case.sequence
        if shots is None:
            yield None
            continue
        errors = case.errors(shots.network)
        cells = "x".join(map(str, case.cells))
        which = f" Shown is the start of median error of {shots.count}." if shots.count > 1 else ""
        yield sheet.save(
            draw(shots),
            file,
            f"{text}: {shots.network.title}, {cells} cells of the network's grid. Surfaces phi = "
            f"1/2, dark where the phase meets the box. {stated(errors)}{which}",
            figure,
        )


def stated(errors: Errors | None) -> str:
    """Mean squared error of a case, and what persistence has, for a caption."""
    if errors is None:
        return "No truth to compare with."
    return (
        f"Mean squared error over the kept frames {errors.mean_squared}; of persistence, the first "
        f"frame for all, {errors.still:.2g}."
    )


def draw(shots: Shots):
    """A figure of surfaces, and of slices where there are some."""
    kinds = ["truth", "prediction"]
    if shots.slices is not None:
        kinds += ["truth, slice", "prediction, slice", "difference"]
    if not shots.there.any():
        kinds = [kind for kind in kinds if kind.startswith("prediction")]
    columns = len(shots.time)
    fig = style.figure(max(style.COLUMN, WIDE * columns + 0.5), WIDE * len(kinds) + 0.3)
    axes = fig.subplots(len(kinds), columns, squeeze=False)
    images = {}
    for line, kind in zip(axes, kinds, strict=True):
        for k, ax in enumerate(line):
            images[kind] = one(ax, shots, k, kind) or images.get(kind)
        beside(line[0], kind)
    for ax, time in zip(axes[0], shots.time, strict=True):
        ax.set_title(f"$t$ = {time:g}", fontsize=7)
    scales(fig, images, dict(zip(kinds, axes, strict=True)))
    return fig


def one(ax, shots: Shots, k: int, kind: str):
    """One panel; the image, None where it was not run."""
    if kind in ("truth", "truth, slice", "difference") and not shots.there[k]:
        text = {"ha": "center", "va": "center", "color": style.GREY, "fontsize": 7}
        ax.text(0.5, 0.5, "not run", transform=ax.transAxes, **text)
        ax.axis("off")
        return None
    if kind in ("truth", "prediction"):
        return surface.draw(ax, shots.image(getattr(shots, kind)[k]))
    true, own = (np.asarray(s[k], float) for s in (shots.slices.truth, shots.slices.prediction))
    if kind == "difference":
        return plane(ax, own - true, cmap="RdBu_r", vmin=-REACH, vmax=REACH)
    return plane(ax, true if kind == "truth, slice" else own, cmap=style.PHASES, vmin=0, vmax=1)


def beside(ax, kind: str) -> None:
    """What a row shows, at its left."""
    ax.text(
        -0.06,
        0.5,
        kind.replace(", ", ",\n"),
        transform=ax.transAxes,
        rotation=90,
        ha="right",
        va="center",
        fontsize=7,
        linespacing=1.1,
    )


def plane(ax, field: np.ndarray, **colours):
    """The middle plane across y, x to the right, z upwards."""
    ax.set(xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, linewidth=0.4)
    return ax.imshow(field, origin="lower", interpolation="nearest", **colours)


def scales(fig, images: dict, lines: dict) -> None:
    """Colour bars of the slices beside their rows."""
    for kind, label in (("prediction, slice", r"$\phi$"), ("difference", r"$\hat\phi - \phi$")):
        if images.get(kind) is not None:
            axes = lines[kind].tolist()
            options = {"aspect": 9, "shrink": 0.85, "pad": 0.01, "extend": "both"}
            made = fig.colorbar(images[kind], ax=axes, **options)
            made.set_label(label, fontsize=7)
            made.ax.tick_params(labelsize=6)


def movie(sheet: Sheet) -> Picture | None:
    """GIF of both boxes and of their free energy in time, of the longest case with truth."""
    numbers = sheet.numbers
    name = next((n for n, case in numbers.cases.items() if case.film is not None), None)
    if name is None:
        return None
    film = numbers.cases[name].film
    pictures = frames(film, 30 * numbers.setup.interval)
    file = sheet.folder / f"{sheet.prefix}movie.gif"
    pause = max(80, int(1000 * SECONDS / len(pictures)))
    movie_file.write(pictures, file, milliseconds=pause, colours=128)
    caption = (
        f"Movie, {case_title(name)}: truth beside prediction ({film.shots.network.title}); below, the "
        "free energy per volume of both: truth black, prediction dashed."
    )
    return Picture(file.name, sheet.captioned(caption))


def frames(film: Film, long: float) -> list[Image.Image]:
    """Time is logarithmic if the film goes beyond `long`."""
    shots = film.shots
    fig = style.figure(4.2, 3.4)
    upper = fig.subplots(2, 2, height_ratios=(2.1, 1))
    ax = fig.add_subplot(upper[1, 0].get_gridspec()[1, :])
    for unused in upper[1]:
        unused.remove()
    rows = shots.truth, shots.prediction
    images = []
    titles = "truth", shots.network.title
    for box, row, title in zip(upper[0], rows, titles, strict=True):
        images.append(surface.draw(box, shots.image(row[0])))
        box.set_title(title, fontsize=8)
    for time, density, colour, line in (
        (film.truth_time, film.truth, TRUTH_COLOUR, "-"),
        (film.prediction_time, film.prediction, shots.network.colour, "--"),
    ):
        ax.plot(time[time > 0], density[time > 0], color=colour, lw=1, ls=line)
    scale = "log" if shots.time[-1] > long else "linear"
    ax.set(xscale=scale, yscale="log", xlabel="time", ylabel="$F / V$ (1 / length)")
    (mark,) = ax.plot([], [], "o", color=style.VERMILION, ms=5)
    clock = fig.suptitle(" ", fontsize=9)
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    pictures = []
    for k, time in enumerate(shots.time):
        for image, row in zip(images, rows, strict=True):
            image.set_data(shots.image(row[k]))
        clock.set_text(f"$t$ = {time:g}")
        x = max(time, film.truth_time[1])
        mark.set_data([x], [np.interp(x, film.truth_time, film.truth)])
        fig.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    return pictures
