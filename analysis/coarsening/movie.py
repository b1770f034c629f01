"""Movie of a rollout, truth beside prediction, from the kept frames: nothing is simulated
for it.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from analysis import movie_file, style
from analysis.coarsening import surface
from analysis.coarsening.dataset import Run
from analysis.coarsening.error_figures import Found
from analysis.coarsening.names import TRUTH_COLOUR, Network
from analysis.coarsening.rollouts import common
from analysis.coarsening.sequence import typical

FRAMES, PIXELS, SECONDS = 30, 150, 5.0  # at most; of a box's picture; of the whole


def movie(
    run: Run, network: Network, found: Found, folder: Path, prefix: str
) -> tuple[str, str] | None:
    """GIF of both boxes and of their free energy in time, of the longest case with truth."""
    name = next((n for n in ("long", "slice", "test") if (n, network) in found), None)
    if name is None:
        return None
    case, start = run.case(name), typical(found[name, network])
    truth, rollout = case.truth, case.networks[network]
    pairs = list(zip(*common(truth, rollout), strict=True))
    pairs = [
        pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, FRAMES).round().astype(int))
    ]
    times = truth.time[[there for there, _ in pairs]]
    fig = style.figure(4.2, 3.4)
    upper = fig.subplots(2, 2, height_ratios=(2.1, 1))
    ax = fig.add_subplot(upper[1, 0].get_gridspec()[1, :])
    for unused in upper[1]:
        unused.remove()
    volume = run.volume(case)
    pictures = []
    for box, title in zip(upper[0], ("truth", network.title), strict=True):
        surface.draw(box, truth.phi(pairs[0][0], start), PIXELS)
        box.set_title(title, fontsize=8)
    images = [box.images[0] for box in upper[0]]
    logs = times[-1] > 30 * run.interval
    for each, colour, line in ((truth, TRUTH_COLOUR, "-"), (rollout, network.colour, "--")):
        after = each.series_time > 0
        ax.plot(
            each.series_time[after],
            each.series["free_energy"][start, after] / volume,
            color=colour,
            lw=1,
            ls=line,
        )
    ax.set(xscale="log" if logs else "linear", yscale="log", xlabel="time", ylabel="$F / V$")
    (mark,) = ax.plot([], [], "o", color=style.VERMILION, ms=5)
    clock = fig.suptitle(" ", fontsize=9)
    fig.canvas.draw()
    fig.set_layout_engine("none")  # laid out once: nothing may move between frames
    for (there, here), time in zip(pairs, times, strict=True):
        for image, phi in zip(
            images, (truth.phi(there, start), rollout.phi(here, start)), strict=True
        ):
            image.set_data(surface.image(phi, PIXELS))
        clock.set_text(f"$t$ = {time:g}")
        x = max(time, truth.series_time[1])
        mark.set_data(
            [x], [np.interp(x, truth.series_time, truth.series["free_energy"][start]) / volume]
        )
        fig.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()))
    file = folder / f"{prefix}movie.gif"
    movie_file.write(
        pictures, file, milliseconds=max(80, int(1000 * SECONDS / len(pictures))), colours=128
    )
    return (
        file.name,
        f"{run.name}: case {name}, truth beside prediction ({network.title}), kept frames; below, the free energy of both.",
    )
