"""Movies: the run's film of a band, and a sweep through temperature from its samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from analysis import movie_file, style
from analysis.flocking import panels
from analysis.flocking.dataset import Run
from jobs import shards

FRAMES = 60  # at most
SECONDS = 8.0  # of a whole movie


def pictures(
    magnetization: np.ndarray, density: np.ndarray, titles: Sequence[str]
) -> list[Image.Image]:
    """One picture for each of magnetization, density (k, L, L): both maps, and the density's
    profile with its mean below.
    """
    magnetization, density = np.asarray(magnetization, float), np.asarray(density, float)
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
        lines.append(
            (ax.plot(np.arange(values.shape[1]), values[0], color=colour, lw=1.2)[0], values)
        )
        low, high = (
            (-np.abs(across).max(), np.abs(across).max())
            if values is across
            else (0, profiles.max())
        )
        ax.set(
            xlim=(0, values.shape[1] - 1),
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


def movie(frames: tuple[np.ndarray, np.ndarray], times: Sequence[float], file: Path) -> None:
    """Write a GIF of frames = (magnetization, density), each (k, L, L) as [x, y], at times (k,) in
    the model's time units.
    """
    magnetization, density = frames
    if not len(magnetization) == len(density) == len(times) > 0:
        raise ValueError(
            f"as many maps of both kinds as times, and some: {len(magnetization)}, {len(density)}, {len(times)}"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = pictures(magnetization, density, [f"$t$ = {time:.0f}" for time in times])
    movie_file.write(
        drawn, file, milliseconds=max(60, int(1000 * SECONDS / len(drawn))), colours=96
    )


def band(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """GIF of the run's film.h5, a band on its way; None: there is none of this run."""
    try:
        found, attributes = shards.read(
            run.path / "film.h5",
            study="flocking",
            config_digest=run.attributes.get("config_digest"),
        )
        frames, times, temperature = (
            (found["magnetization"], found["density"]),
            found["time"],
            float(attributes["temperature"]),
        )
    except FileNotFoundError:
        return None
    except (shards.BadFileError, KeyError) as error:
        run.left_out.append(f"film.h5: {error}")
        return None
    file = folder / f"{prefix}movie-band.gif"
    movie(frames, times, file)
    return (
        file.name,
        rf"{run.name}: a replica at rho0 = {float(attributes['mean_density']):g}, T = {temperature:g}, in time. "
        "Magnetisation and density, and their averages along y.",
    )


def sweep(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """GIF of a sample at each temperature of the reference density, the last one of the same start,
    cold to hot.

    Maps are shifted so that the band stays in the middle.
    """
    rows = run.at(run.reference)
    temperatures = np.unique(run.temperature[rows])
    if len(temperatures) < 2:
        return None
    chosen = temperatures[
        np.unique(np.linspace(0, len(temperatures) - 1, FRAMES).round().astype(int))
    ]
    start = 1 if (run.start[rows] == 1).any() else int(run.start[rows][0])
    picked = []
    for temperature in chosen:
        here = rows[run.temperature[rows] == temperature]
        same = here[run.start[here] == start]
        here = same if len(same) else here
        picked.append(int(here[run.sample[here].argmax()]))
    m, rho = run.magnetization[picked], run.density[picked]
    m, rho = (
        np.stack(
            [np.roll(each, centre, axis=0) for each, centre in zip(maps, shifts(rho), strict=True)]
        )
        for maps in (m, rho)
    )
    frames = pictures(m, rho, [rf"$T$ = {temperature:.2f}" for temperature in chosen])
    file = folder / f"{prefix}movie.gif"
    movie_file.write(
        frames, file, milliseconds=max(120, int(1000 * SECONDS / len(frames))), colours=96
    )
    words = {1: "all spins +", -1: "all spins \N{MINUS SIGN}", 0: "random spins"}[start]
    return (
        file.name,
        f"{run.name}: one sample at each temperature, cold to hot, each from a run of its own that started with {words}; "
        "shifted so that the densest stretch is in the middle. Maps and their averages along y.",
    )


def shifts(density: np.ndarray) -> np.ndarray:
    """By how many columns to roll each map (k, L, L) so that the first wave of its profile peaks at
    L // 2.
    """
    size = density.shape[1]
    wave = np.fft.rfft(density.sum(axis=2, dtype=float), axis=1)[:, 1]
    return np.rint(size // 2 + np.angle(wave) * size / (2 * np.pi)).astype(int)
