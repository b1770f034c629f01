"""Movies: a band on its way, and a sweep through temperature."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from analysis import movie_file, style
from analysis.flocking import panels
from analysis.flocking.frames import Movie
from analysis.flocking.labels import STARTS
from analysis.page import Picture
from analysis.sheet import Sheet

SECONDS = 8.0  # of a whole movie


def pictures(movie: Movie, titles: Sequence[str]) -> list[Image.Image]:
    """One picture for each frame: both maps, and their averages along y below."""
    magnetization, density, x = movie.magnetization[:], movie.density[:], movie.density.x
    end, top = panels.reach(magnetization), panels.reach(density)
    profiles, mean = density.mean(axis=2), float(density.mean())
    fig = style.figure(5.4, 3.5)
    axes = fig.subplots(2, 2, height_ratios=(2.3, 1))
    images = [
        panels.magnetization(axes[0, 0], magnetization[0], end),
        panels.density(axes[0, 1], density[0], top),
    ]
    panels.bar(fig, images[0], axes[0, 0], "magnetization", aspect=16)
    panels.bar(fig, images[1], axes[0, 1], "density", aspect=16)
    lines = []
    across = magnetization.mean(axis=2)
    for ax, values, colour, label in (
        (axes[1, 0], across, style.VERMILION, r"$\langle m \rangle_y$"),
        (axes[1, 1], profiles, style.BLUE, r"$\langle \rho \rangle_y$"),
    ):
        lines.append((ax.plot(x, values[0], color=colour, lw=1.2)[0], values))
        low, high = (
            (-np.abs(across).max(), np.abs(across).max())
            if values is across
            else (0, profiles.max())
        )
        ax.set(
            xlim=(0, movie.density.side - 1),
            ylim=(1.05 * low, 1.05 * high or 1),
            xlabel="$x$ (sites)",
            ylabel=label,
        )
    axes[1, 0].axhline(0, color=style.GREY, lw=0.6, ls=":")
    axes[1, 1].axhline(mean, color=style.GREY, lw=0.6, ls=":")
    title = fig.suptitle(" ", fontsize=9)
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    drawn = sorted(
        [title, *(a for ax in axes.flat for a in (*ax.images, *ax.lines, *ax.spines.values()))],
        key=lambda a: a.get_zorder(),
    )
    for artist in drawn:
        artist.set_animated(True)  # left out by draw()
    fig.canvas.draw()
    rest = fig.canvas.copy_from_bbox(fig.bbox)
    found = []
    for k, text in enumerate(titles):
        images[0].set_data(magnetization[k].T)
        images[1].set_data(density[k].T)
        for line, values in lines:
            line.set_ydata(values[k])
        title.set_text(text)
        fig.canvas.restore_region(rest)
        for artist in drawn:
            fig.draw_artist(artist)
        found.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    return found


def write(movie: Movie, titles: list[str], file: Path, shortest: int) -> Path:
    """A GIF that lasts SECONDS, each frame at least `shortest` milliseconds."""
    drawn = pictures(movie, titles)
    milliseconds = max(shortest, int(1000 * SECONDS / len(drawn)))
    movie_file.write(drawn, file, milliseconds=milliseconds, colours=96)
    return file


def band(sheet: Sheet) -> Picture | None:
    """A band on its way; None: none was filmed."""
    own = sheet.numbers.movies.get("band")
    if own is None:
        return None
    titles = [f"$t$ = {time:.0f}" for time in own.above]
    file = write(own, titles, sheet.folder / f"{sheet.prefix}movie-band.gif", 60)
    caption = (
        f"A replica at rho0 = {own.mean_density:g}, T = {own.temperature:g}, in time. Magnetization and "
        "density, and their averages along y."
    )
    return Picture(file.name, sheet.captioned(caption))


def sweep(sheet: Sheet) -> Picture | None:
    """A sample at each temperature, cold to hot; None: there is one temperature only."""
    own = sheet.numbers.movies.get("sweep")
    if own is None:
        return None
    titles = [f"$T$ = {temperature:.2f}" for temperature in own.above]
    file = write(own, titles, sheet.folder / f"{sheet.prefix}movie-sweep.gif", 120)
    caption = (
        "One sample at each temperature, cold to hot, each from a run of its own that started with "
        f"{STARTS[own.start]}; shifted so that the densest stretch is in the middle. Maps and their "
        "averages along y."
    )
    return Picture(file.name, sheet.captioned(caption))
