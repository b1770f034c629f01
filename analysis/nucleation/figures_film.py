"""Pictures of one event: the strip of snapshots and the movie."""

from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle
from PIL import Image
from scipy.ndimage import gaussian_filter

from analysis import movie_file, style
from analysis.nucleation.dataset import unpack
from analysis.nucleation.film import Film
from analysis.nucleation.labels import PHASES, minus, slug
from analysis.page import Picture
from analysis.record import Record

SMALL = 40  # up to this L the outline follows the sites


class Frames:
    """A film ready to draw: spins and cluster bool (k, L, L)."""

    def __init__(self, film: Film, reach: float | None):
        self.film, self.width = film, max(1.5, (reach or 4) / 3)
        self.spins = unpack(film.spins, film.size)
        self.member = None if film.cluster is None else unpack(film.cluster, film.size)

    def number(self, time: int) -> int:
        return time - int(self.film.time[0])

    def phases(self, k: int) -> np.ndarray:
        """0 metastable, 1 stable, 2 in the largest cluster; (x, y) turned into image rows and
        columns.
        """
        image = (~self.spins[k]).astype(np.uint8)
        if self.member is not None:
            image[self.member[k]] = 2
        return image.T

    def title(self, time: int) -> str:
        known = self.film.p
        p = f"{known[time]:.2f}" if time in known else "not measured"
        m = f"{self.film.m[self.number(time)]:z.2f}"
        return minus(f"t = {time} MCS\nm = {m}\n") + rf"$p_\mathrm{{nuc}}$ = {p}"

    def outline(self, ax, k: int) -> None:
        """Outline of the largest cluster and the circle of its radius of gyration, on the torus."""
        if self.member is None or not self.member[k].any():
            return
        size = self.film.size
        if size <= SMALL:
            ax.add_collection(
                LineCollection(site_edges(self.member[k]), colors=style.VERMILION, lw=1.0)
            )
        else:
            density = smoothed(self.member[k], self.width)
            ax.contour(
                density.T, levels=[density.max() / 2], colors=[style.VERMILION], linewidths=0.8
            )
        circle = {"fill": False, "color": "black", "lw": 0.9, "ls": "--"}
        for dx in (-size, 0, size):
            for dy in (-size, 0, size):
                middle = self.film.centre[k] + (dx, dy)
                ax.add_patch(Circle(tuple(middle), self.film.radius[k], **circle))


def site_edges(member: np.ndarray) -> np.ndarray:
    """Lattice edges around a set of sites (L, L) on the torus: segments (s, 2, 2) of (x, y).

    Site (x, y) is the unit square centred there; no edge is drawn where the cluster goes on across
    the boundary.
    """
    around = np.pad(member, 1, mode="wrap")
    x, y = np.nonzero(around[1:, 1:-1] != around[:-1, 1:-1])
    upright = np.stack([np.stack([x - 0.5, y - 0.5], -1), np.stack([x - 0.5, y + 0.5], -1)], axis=1)
    x, y = np.nonzero(around[1:-1, 1:] != around[1:-1, :-1])
    level = np.stack([np.stack([x - 0.5, y - 0.5], -1), np.stack([x + 0.5, y - 0.5], -1)], axis=1)
    return np.concatenate([upright, level])


def smoothed(member: np.ndarray, width: float) -> np.ndarray:
    """Local density of a cluster (L, L), Gaussian window of `width` sites on the torus: its
    envelope.
    """
    return gaussian_filter(member.astype(float), width, mode="wrap")


def _lattice(ax, size: int) -> None:
    ax.set(xlim=(-0.5, size - 0.5), ylim=(-0.5, size - 0.5), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(True)


def strip_times(film: Film) -> list[int]:
    """Times of the snapshots: first, p_nuc near 0.1, last rise through 1/2, near 0.9, on the way to
    0, 0.
    """
    first, rise, p = int(film.time[0]), film.rise, film.p

    def near(target: float, times) -> int:
        return min(
            (t for t in times if first <= t < 0),
            key=lambda t: (abs(p[t] - target), abs(t - rise)),
            default=rise,
        )

    before, after = near(0.1, (t for t in p if t < rise)), near(0.9, (t for t in p if t > rise))
    return sorted({first, before, rise, after, after // 2, 0})


def strip(record: Record, folder: Path) -> Picture | None:
    """Snapshots of one event before nucleation."""
    film = record.numbers.film
    if film is None:
        return None
    frames, times = Frames(film, record.numbers.system.range), strip_times(film)
    fig = style.figure(style.PAGE, 1.85)
    axes = fig.subplots(1, len(times), squeeze=False)[0]
    for ax, time in zip(axes, times, strict=True):
        k = frames.number(time)
        ax.imshow(
            frames.phases(k), cmap=PHASES, vmin=0, vmax=2, origin="lower", interpolation="nearest"
        )
        frames.outline(ax, k)
        ax.set_title(frames.title(time), fontsize=7)
        _lattice(ax, film.size)
    axes[0].set_xlabel(f"side: L = {film.size} sites", fontsize=7)
    if film.cluster is None:
        what = "its largest cluster is not outlined: the data set of this run does not have it"
    else:
        around = "sites" if film.size <= SMALL else "half the peak of its smoothed density"
        what = (
            f"blue: the largest cluster ({film.bonds.replace('_', '-')} bonds), orange: its "
            f"outline ({around}), dashed: its radius of gyration"
        )
    return Picture(
        style.save(fig, folder, f"snapshots-{slug(record.origin.system)}"),
        f"{record.origin.system}: event {film.event}, t in MCS (Monte Carlo steps per spin) before nucleation; "
        f"light: metastable spins, grey-blue: stable spins, {what}.",
    )


def movie(record: Record, folder: Path) -> Picture | None:
    """GIF of one event, m(t) and p_nuc(t) beside; fewer frames where the file would be too
    large.
    """
    film = record.numbers.film
    if film is None:
        return None
    frames, fig = Frames(film, record.numbers.system.range), style.figure(5.2, 2.7)
    (left, right) = fig.subfigures(1, 2, width_ratios=(1, 1))
    lattice, name = left.subplots(), record.origin.system
    image = lattice.imshow(
        frames.phases(0), cmap=PHASES, vmin=0, vmax=2, origin="lower", interpolation="nearest"
    )
    _lattice(lattice, film.size)
    curves = right.subplots(2, 1, sharex=True)
    _curves(film, *curves)
    dots = [ax.plot([], [], "o", color=style.VERMILION, ms=5)[0] for ax in curves]
    lines = [ax.axvline(0, color=style.VERMILION, lw=0.8) for ax in curves]
    lattice.set_title(" ")
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    p, drawn = film.p, []
    for k, time in enumerate(film.time.tolist()):
        image.set_data(frames.phases(k))
        for old in [*lattice.collections, *lattice.patches]:
            old.remove()
        frames.outline(lattice, k)
        lattice.set_title(minus(f"{name}, t = {time} MCS"), fontsize=7)
        dots[0].set_data([time], [film.m[k]])
        dots[1].set_data([time] if time in p else [], [p[time]] if time in p else [])
        for line in lines:
            line.set_xdata([time, time])
        fig.canvas.draw()
        drawn.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    file = folder / f"movie-{slug(name)}.gif"
    movie_file.write(drawn, file)
    return Picture(
        file.name,
        f"{name}: the same event as a movie, with m(t) and p_nuc(t); one frame an MCS.",
    )


def _curves(film: Film, upper, lower) -> None:
    """m(t) and p_nuc(t)."""
    upper.plot(film.time, film.m, color=style.GREY, lw=1)
    upper.axhline(0, color=style.GREY, lw=0.6, ls=":")
    upper.set(ylabel="m", ylim=(min(-0.1, film.m.min() - 0.05), 1))
    t, share = film.label_time, film.nucleated / film.copies
    lower.plot(np.append(t, 0), np.append(share, 1), color=style.GREY, lw=1, marker="o", ms=2)
    lower.set(ylabel=r"$p_\mathrm{nuc}$", xlabel="t (MCS)", ylim=(-0.05, 1.05))
