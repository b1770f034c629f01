"""Figures 4, 7 and 8 of the paper: what the networks look at, their layers, their first kernels."""

import numpy as np
from matplotlib.patches import Polygon, Rectangle

from analysis import style
from analysis.flocking import filters, panels
from analysis.flocking.labels import ALL, Network, groups, shown_set, weights
from analysis.flocking.measure import Numbers
from analysis.flocking.network_claims import kernels_set
from analysis.page import Picture
from analysis.sheet import Sheet
from jobs.flocking.config import CLASSES, FILTERS, NEURONS, POOL

CHANNELS = ("m", r"\rho")
MARGINS = "in the middle, that of S_c less S_d, the score of the next phase; "


# ---- figure 4


def by_lambda(numbers: Numbers) -> dict[float, list[Network]]:
    """{lambda: networks of the shown set whose saliency of the shown configuration is there}."""
    chosen = shown_set(numbers.saliency)
    mapped = [n for n, own in numbers.saliency.items() if n.set == chosen and own.map is not None]
    return {lam: own for (_, lam), own in groups(mapped).items()}


def saliency(sheet: Sheet) -> Picture | None:
    """Figure 4: a column a lambda, each the average over its networks, above the configuration."""
    numbers = sheet.numbers
    own, shown = by_lambda(numbers), numbers.shown
    if shown is None or not own:
        return None
    columns = max(2, len(own))
    margins = all(numbers.saliency[n].margin is not None for each in own.values() for n in each)
    rows = 2 + margins
    fig = style.figure(1.75 * columns + 0.5, 1.75 * rows)
    axes = fig.subplots(rows, columns, squeeze=False)
    for ax in (*axes[:-1, len(own) :].ravel(), *axes[-1, 2:]):
        ax.remove()
    for row in range(rows - 1):
        for ax, (lam, networks) in zip(axes[row], own.items(), strict=False):
            image = mean_map(ax, numbers, lam, networks, margin=row == 1)
        panels.bar(fig, image, axes[row].tolist()[: len(own)], "of its largest", aspect=14)
    m, rho = shown.magnetization[0], shown.density[0]
    below = (
        panels.magnetization(axes[-1, 0], m, panels.reach(m)),
        panels.density(axes[-1, 1], rho, panels.reach(rho)),
    )
    panels.bar(fig, below[0], axes[-1, 0], "$m_i$", aspect=14, location="left")
    panels.bar(fig, below[1], axes[-1, 1], r"$\rho_i$", aspect=14)
    every = shown_set(numbers.saliency) == ALL
    where = "every density" if every else f"rho0 = {numbers.about.density:g} only"
    return sheet.save(
        fig,
        "figure-4-saliency",
        "Above, saliency |dS_c / dI|: how much the score S_c of the phase that a network sees "
        "changes with each site; both channels added, over its largest value, averaged over the "
        f"networks of each lambda, trained on {where}; {MARGINS if margins else ''}below, "
        "magnetization and density of the "
        f"configuration (T = {shown.temperature[0]:g}, rho0 = {shown.mean_density[0]:g}). r: "
        "correlation, column by column, with the gradient of the density's profile, mean over "
        "networks.",
        "4",
    )


def mean_map(ax, numbers: Numbers, lam: float, networks: list[Network], margin: bool):
    found = [numbers.saliency[network] for network in networks]
    score = "(S_c - S_d)" if margin else "S_c"
    if margin:
        found = [own.margin for own in found]
    panels.bare(ax)
    values = np.mean([own.map[0] for own in found], axis=0)
    several = f", {len(found)} networks" if len(found) > 1 else ", 1 network"
    count = "" if margin else several
    ax.set_title(rf"$|\partial {score} / \partial I|$, $\lambda$ = {lam:g}{count}", fontsize=7)
    r = float(np.mean([own.edges[0] for own in found]))
    if np.isfinite(r):
        text = f"on edges: r = {r:.2f}".replace("-0.00", "0.00")
        ax.set_xlabel(text.replace("-", "\N{MINUS SIGN}"), fontsize=6)
    return panels.field(ax, values / (values.max() or 1), panels.SALIENCY, (0, 1))


# ---- figure 7


def layers(size: int) -> list[tuple[str, int, int]]:
    """(what makes it, channels, side) of every map from the input on, of a lattice of `size`, a
    multiple of 9.
    """
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


def architecture(sheet: Sheet) -> Picture | None:
    """Figure 7: the network, drawn to its numbers; None: there is no network for a lattice that
    cannot be pooled twice.
    """
    size = sheet.numbers.about.size
    if size % POOL**2:
        return None
    fig = style.figure(style.PAGE, 2.2)
    ax = fig.subplots()
    x = 0.0
    for made, channels, side in layers(size):
        height = max(1.6 * side / size, 0.12)
        width = stack(ax, x, height, made == "input", channels)
        under(ax, x + width / 2, made.replace(" x ", "\u00d7"), f"{channels} \u00d7 {side}$^2$")
        x += max(width + 0.25, 0.88)
    for count, name, text in ((NEURONS, "dense", f"{NEURONS}"), (CLASSES, "softmax", "G, L+G, L")):
        neurons(ax, x, count)
        under(ax, x + 0.035, name, text)
        x += 0.75
    ax.text(0.0, 1.42, "magnetization", fontsize=7, color=style.BLUE, va="bottom")
    ax.text(0.0, 1.24, "density", fontsize=7, color=style.VERMILION, va="bottom")
    corner = {"ha": "right", "va": "bottom", "color": style.GREY, "fontsize": 7}
    ax.text(x - 0.3, 1.42, f"{weights(size):.0f} weights and biases", **corner)
    ax.set(xlim=(-0.1, x - 0.3), ylim=(-1.5, 1.65), aspect="equal")
    ax.set_axis_off()
    return sheet.save(
        fig,
        "figure-7-network",
        f"The network for L = {size}. Convolutions keep the side and are followed by ReLU, as is "
        f"the layer of {NEURONS} neurons; channels x side below each map.",
        "7",
    )


def stack(ax, x: float, height: float, is_input: bool, channels: int) -> float:
    """Square maps seen from the side, the first in front; their width together."""
    apart, skew = 0.035, 0.42 * height
    for i in reversed(range(channels)):
        left, bottom = x + i * apart, i * apart - height / 2
        colours = (style.BLUE, style.VERMILION) if is_input else (style.STABLE, "#E3EAF2")
        corners = [
            (left, bottom),
            (left + skew, bottom + 0.35 * skew),
            (left + skew, bottom + height + 0.35 * skew),
            (left, bottom + height),
        ]
        ax.add_patch(Polygon(corners, fc=colours[i % 2], ec="black", lw=0.4))
    return channels * apart + skew


def neurons(ax, x: float, count: int) -> None:
    step = min(0.095, 1.4 / count) if count > CLASSES else 0.28
    for i in range(count):
        corner = (x, (i - (count - 1) / 2) * step - 0.035)
        ax.add_patch(Rectangle(corner, 0.07, 0.07, fc=style.GREEN, ec="black", lw=0.4))


def under(ax, x: float, name: str, text: str) -> None:
    ax.text(x, -1.12, name, ha="center", va="top", fontsize=7)
    ax.text(x, -1.32, text, ha="center", va="top", fontsize=6, color=style.GREY)


# ---- figure 8


def kernels(sheet: Sheet) -> Picture | None:
    """Figure 8: two rows a lambda, magnetization and density; the first network of each."""
    numbers = sheet.numbers
    chosen = kernels_set(numbers)
    if chosen is None:
        return None
    first = {
        lam: numbers.trained[own[0]].first_layer.astype(float)
        for (name, lam), own in groups(numbers.trained).items()
        if name == chosen
    }
    fig = style.figure(style.COLUMN + 0.6, 0.56 * 2 * len(first) + 0.15)
    count = max(len(own) for own in first.values())
    axes, image = fig.subplots(2 * len(first), count, squeeze=False), None
    for i, (lam, own) in enumerate(first.items()):
        for channel in range(2):
            line = axes[2 * i + channel]
            images = [kernel_map(ax, k) for ax, k in zip(line, own[:, channel], strict=False)]
            image = next((one for one in images if one is not None), image)
            above = rf"$\lambda$ = {lam:g}" + "\n" if channel == 0 else ""
            side = {"fontsize": 7, "rotation": 0, "ha": "right", "va": "center", "labelpad": 12}
            line[0].set_ylabel(f"{above}${CHANNELS[channel]}$", **side)
    if image is not None:
        panels.bar(fig, image, axes.ravel().tolist(), "weight over largest", aspect=30)
    lines = [
        f"lambda = {lam:g}: {100 * filters.share_alive(own):.0f}% shown, roughness "
        f"{filters.mean_roughness(own):.2f}"
        for lam, own in first.items()
    ]
    return sheet.save(
        fig,
        "figure-8-kernels",
        "Kernels of the first layer of one network of each lambda (x to the right), each over its "
        f"largest weight; only those with a weight beyond {filters.SMALLEST:g}. Rows: those that "
        f"read the magnetization and the density. {'; '.join(lines)}. Roughness: 1 for white "
        "noise, 0 for a smooth kernel.",
        "8",
    )


def kernel_map(ax, kernel: np.ndarray):
    ax.set(xticks=[], yticks=[])
    if filters.alive(kernel):
        return panels.magnetization(ax, kernel / np.abs(kernel).max(), 1.0)
    ax.set_aspect("equal")
    ax.spines[:].set_visible(False)
    return None
