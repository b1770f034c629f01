"""Pictures of one event: the strip of snapshots and the movie."""

from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.patches import Circle
from PIL import Image

from analysis import movie_file, style
from analysis.nucleation import droplet, figures
from analysis.nucleation.dataset import Run, magnetization

SMALL = 40  # up to this L the outline follows the sites
PHASES = ListedColormap([style.METASTABLE, style.STABLE, style.BLUE])


class Event:
    """One event ready to draw: time (k,), m (k,), spins (k, L, L), p_nuc by time, clusters.

    All frames are shifted alike, by the centre of the largest cluster half-way from the last rise
    of p_nuc to the end, so the droplet stays put.
    """

    def __init__(self, run: Run, row: int):
        self.system = run.system
        self.number = int(run.history_event[row])
        frames = run.history.shape[1]
        exists = min(
            frames - 1, int(run.lifetime[self.number])
        )  # earlier frames lie before the field flip
        packed = run.history[row, frames - 1 - exists :]
        self.time = np.arange(-exists, 1)
        self.m = magnetization(packed, run.system.sites)
        time, nucleated, copies = figures.labels_of(run, self.number)
        self.label_time, self.nucleated, self.copies = time, nucleated, copies
        self.p = dict(zip(time.tolist(), (nucleated / copies).tolist(), strict=True))
        self.p[0] = 1.0  # by definition: m <= 0 is the event
        spins = droplet.snapshots(run, row)[frames - 1 - exists :]
        found = droplet.largest(run, row, frames - 1 - exists)
        if found is None:
            self.member = self.centre = self.radius = self.bonds = None
            self.spins = spins
            return
        grown = self.rise() // 2  # a droplet past its critical size, not yet the whole system
        self.spins, shift = droplet.centred(spins, found.centre[grown + exists])
        self.member, self.radius, self.bonds = (
            np.roll(found.member, tuple(shift), axis=(1, 2)),
            found.radius,
            found.bonds,
        )
        self.centre = (found.centre + shift) % run.system.size

    def rise(self) -> int:
        """The labelled time (or 0) nearest p_nuc = 1/2 where it last rises through 1/2."""
        times = [t for t in sorted(self.p) if t >= self.time[0]]
        below = [i for i, t in enumerate(times) if self.p[t] < 0.5]
        pair = times[below[-1] : below[-1] + 2] if below else times[:1]
        return min(pair, key=lambda t: abs(self.p[t] - 0.5))

    def frame(self, time: int) -> int:
        return time - int(self.time[0])

    def phases(self, k: int) -> np.ndarray:
        """0 metastable, 1 stable, 2 in the largest cluster; (x, y) turned into image rows and
        columns.
        """
        image = (~self.spins[k]).astype(np.uint8)
        if self.member is not None:
            image[self.member[k]] = 2
        return image.T

    def title(self, time: int) -> str:
        p = f"{self.p[time]:.2f}" if time in self.p else "no label"
        k = self.frame(time)
        return (
            f"t = {time} MCS\nm = {self.m[k]:.2f}\n".replace("-", "\N{MINUS SIGN}")
            + rf"$p_\mathrm{{nuc}}$ = {p}"
        )

    def outline(self, ax, k: int) -> None:
        """Outline of the largest cluster and the circle of its radius of gyration, on the torus."""
        if self.member is None:
            return
        size = self.system.size
        if size <= SMALL:
            ax.add_collection(
                LineCollection(droplet.site_edges(self.member[k]), colors=style.VERMILION, lw=1.0)
            )
        else:
            density = droplet.smoothed(self.member[k], max(1.5, (self.system.range or 4) / 3))
            ax.contour(
                density.T, levels=[density.max() / 2], colors=[style.VERMILION], linewidths=0.8
            )
        for dx in (-size, 0, size):
            for dy in (-size, 0, size):
                x, y = self.centre[k] + (dx, dy)
                ax.add_patch(
                    Circle((x, y), self.radius[k], fill=False, color="black", lw=0.9, ls="--")
                )


def _lattice(ax, size: int) -> None:
    ax.set(xlim=(-0.5, size - 0.5), ylim=(-0.5, size - 0.5), xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(True)


def strip_times(event: Event) -> list[int]:
    """Times of the snapshots: first, p_nuc near 0.1, last rise through 1/2, near 0.9, on the way to
    0, 0.
    """
    first, rise = int(event.time[0]), event.rise()

    def near(target: float, times) -> int:
        return min(
            (t for t in times if first <= t < 0),
            key=lambda t: (abs(event.p[t] - target), abs(t - rise)),
            default=rise,
        )

    before, after = (
        near(0.1, (t for t in event.p if t < rise)),
        near(0.9, (t for t in event.p if t > rise)),
    )
    return sorted({first, before, rise, after, after // 2, 0})


def strip(run: Run, event: Event, folder: Path, name: str) -> tuple[str, str]:
    """Snapshots of one event before nucleation."""
    times = strip_times(event)
    fig = style.figure(style.PAGE, 1.85)
    axes = fig.subplots(1, len(times), squeeze=False)[0]
    for ax, time in zip(axes, times, strict=True):
        k = event.frame(time)
        ax.imshow(
            event.phases(k), cmap=PHASES, vmin=0, vmax=2, origin="lower", interpolation="nearest"
        )
        event.outline(ax, k)
        ax.set_title(event.title(time), fontsize=7)
        _lattice(ax, run.system.size)
    axes[0].set_xlabel(f"side: L = {run.system.size} sites", fontsize=7)
    if event.member is None:
        what = "clusters not outlined: the percolation kernel could not be built on this machine"
    else:
        around = "sites" if run.system.size <= SMALL else "half the peak of its smoothed density"
        what = (
            f"blue: the largest cluster ({event.bonds.replace('_', '-')} bonds), red: its "
            f"outline ({around}), dashed: its radius of gyration"
        )
    return (
        style.save(fig, folder, f"snapshots-{name}"),
        f"{run.system.name}: event {event.number}, t in MCS before nucleation; light: metastable spins, "
        f"grey-blue: stable spins, {what}.",
    )


def movie(run: Run, event: Event, folder: Path, name: str) -> tuple[str, str]:
    """GIF of one event, m(t) and p_nuc(t) beside; fewer frames where the file would be too
    large.
    """
    fig = style.figure(5.2, 2.7)
    (left, right) = fig.subfigures(1, 2, width_ratios=(1, 1))
    lattice = left.subplots()
    upper, lower = right.subplots(2, 1, sharex=True)
    image = lattice.imshow(
        event.phases(0), cmap=PHASES, vmin=0, vmax=2, origin="lower", interpolation="nearest"
    )
    _lattice(lattice, run.system.size)
    upper.plot(event.time, event.m, color=style.GREY, lw=1)
    upper.axhline(0, color=style.GREY, lw=0.6, ls=":")
    upper.set(ylabel="m", ylim=(min(-0.1, event.m.min() - 0.05), 1))
    t, share = event.label_time, event.nucleated / event.copies
    lower.plot(np.append(t, 0), np.append(share, 1), color=style.GREY, lw=1, marker="o", ms=2)
    lower.set(ylabel=r"$p_\mathrm{nuc}$", xlabel="t (MCS)", ylim=(-0.05, 1.05))
    dots = [ax.plot([], [], "o", color=style.VERMILION, ms=5)[0] for ax in (upper, lower)]
    lines = [ax.axvline(0, color=style.VERMILION, lw=0.8) for ax in (upper, lower)]
    lattice.set_title(" ")
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    frames = []
    for k, time in enumerate(event.time.tolist()):
        image.set_data(event.phases(k))
        for old in [*lattice.collections, *lattice.patches]:
            old.remove()
        event.outline(lattice, k)
        lattice.set_title(f"{run.system.name}, t = {time} MCS".replace("-", "\N{MINUS SIGN}"))
        dots[0].set_data([time], [event.m[k]])
        dots[1].set_data(
            [time] if time in event.p else [], [event.p[time]] if time in event.p else []
        )
        for line in lines:
            line.set_xdata([time, time])
        fig.canvas.draw()
        frames.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    file = folder / f"movie-{name}.gif"
    movie_file.write(frames, file)
    return (
        file.name,
        f"{run.system.name}: the same event as a movie, with m(t) and p_nuc(t); one frame an MCS.",
    )
