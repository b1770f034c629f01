"""Figure 7 of the paper: the network, drawn to its numbers."""

from pathlib import Path

from matplotlib.patches import Polygon, Rectangle

from analysis import style
from analysis.flocking.dataset import Run


def layers(size: int) -> list[tuple[str, int, int]]:
    """(what makes it, channels, side) of every map from the input on, of a lattice of `size`, a
    multiple of 9.
    """
    from jobs.flocking.networks import FILTERS, POOL  # as below: loads torch, which takes seconds

    third, ninth, pool = size // POOL, size // POOL**2, f"pool {POOL} x {POOL}"
    return [
        ("input", 2, size),
        ("conv 5 x 5", FILTERS, size),
        ("conv 5 x 5", FILTERS, size),
        (pool, FILTERS, third),
        ("conv 3 x 3", FILTERS, third),
        ("conv 3 x 3", FILTERS, third),
        (pool, FILTERS, ninth),
    ]


def architecture(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """None: there is no network for a lattice that cannot be pooled twice."""
    from jobs.flocking.networks import CLASSES, NEURONS, POOL, PhaseNetwork, parameters

    if run.size % POOL**2:
        return None
    fig = style.figure(style.PAGE, 2.2)
    ax = fig.subplots()
    x, scale, apart = 0.0, 1.6 / run.size, 0.035
    for made, channels, side in layers(run.size):
        height = max(side * scale, 0.12)
        for i in reversed(range(channels)):  # square maps seen from the side, the first in front
            left, bottom = x + i * apart, i * apart - height / 2
            colour = (
                (style.STABLE, "#E3EAF2")[i % 2]
                if made != "input"
                else (style.BLUE, style.VERMILION)[i]
            )
            skew = 0.42 * height
            ax.add_patch(
                Polygon(
                    [
                        (left, bottom),
                        (left + skew, bottom + 0.35 * skew),
                        (left + skew, bottom + height + 0.35 * skew),
                        (left, bottom + height),
                    ],
                    fc=colour,
                    ec="black",
                    lw=0.4,
                )
            )
        middle = x + (channels * apart + 0.42 * height) / 2
        ax.text(middle, -1.12, made.replace(" x ", "\u00d7"), ha="center", va="top", fontsize=7)
        ax.text(
            middle,
            -1.32,
            f"{channels} \u00d7 {side}$^2$",
            ha="center",
            va="top",
            fontsize=6,
            color=style.GREY,
        )
        x += max(channels * apart + 0.42 * height + 0.25, 0.78)
    for count, name, text in ((NEURONS, "dense", f"{NEURONS}"), (CLASSES, "softmax", "G, L+G, L")):
        step = min(0.095, 1.4 / count) if count > CLASSES else 0.28
        for i in range(count):
            ax.add_patch(
                Rectangle(
                    (x, (i - (count - 1) / 2) * step - 0.035),
                    0.07,
                    0.07,
                    fc=style.GREEN,
                    ec="black",
                    lw=0.4,
                )
            )
        ax.text(x + 0.035, -1.12, name, ha="center", va="top", fontsize=7)
        ax.text(x + 0.035, -1.32, text, ha="center", va="top", fontsize=6, color=style.GREY)
        x += 0.75
    ax.text(0.0, 1.42, "magnetization", fontsize=7, color=style.BLUE, va="bottom")
    ax.text(0.0, 1.24, "density", fontsize=7, color=style.VERMILION, va="bottom")
    count = parameters(PhaseNetwork(run.size))
    ax.text(
        x - 0.3,
        1.42,
        f"{count} weights and biases",
        fontsize=7,
        ha="right",
        va="bottom",
        color=style.GREY,
    )
    ax.set(xlim=(-0.1, x - 0.3), ylim=(-1.5, 1.65), aspect="equal")
    ax.set_axis_off()
    return (
        style.save(fig, folder, f"{prefix}figure-7-network"),
        f"Figure 7 of the paper: the network for L = {run.size}. Convolutions keep the side and are followed by ReLU, as is the layer of "
        f"{NEURONS}; channels x side below each map.",
    )
