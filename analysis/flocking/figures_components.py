"""Figures 1, 2 and 6 of the paper: what principal components and UMAP see in the magnetization."""

import numpy as np

from analysis import style
from analysis.estimates import UNDETERMINED
from analysis.flocking import panels
from analysis.flocking.components import FIRST
from analysis.flocking.groups import Groups
from analysis.flocking.labels import BOUNDARIES, COLOURS, PHASES
from analysis.flocking.measure import About, Components, Dots
from analysis.page import Picture
from analysis.sheet import Sheet

NAME = (0.4, 0.15)  # of UMAP's plane that a group's name takes, at most


def explained(sheet: Sheet) -> Picture | None:
    """Figure 1: explained variance ratio of the components; their x-dependence."""
    found, about = sheet.numbers.components, sheet.numbers.about
    if found is None:
        return None
    fig = style.figure(style.PAGE, 2.7)
    left, right = fig.subplots(1, 2, width_ratios=(1.15, 1))
    ratios(left, found, about.size)
    x = np.arange(about.size)
    for i, (mean, error) in enumerate(zip(found.profile, found.profile_error, strict=True)):
        colour = style.colour(i)
        right.plot(x, mean, color=colour, lw=1.1, label=f"$w_{i + 1}$")
        right.fill_between(x, mean - 3 * error, mean + 3 * error, color=colour, alpha=0.25, lw=0)
    right.set(xlabel="$x$ (sites)", ylabel=r"$L\,\langle w_i \rangle_y$", xlim=(0, about.size - 1))
    right.legend(
        ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=1, handlelength=1.2
    )
    panels.letter(left, "a")
    panels.letter(right, "b")
    return sheet.save(
        fig,
        "figure-1-explained-variance",
        "(a) Share of the variance of the magnetization that each principal component explains "
        f"(L = {about.size}, rho0 = {about.density:g}): of the maps as they are; less the shot "
        "noise of single particles (see Definitions); and of maps averaged along y. (b), the "
        "paper's inset: the first five components averaged along y, with three standard errors.",
        "1",
    )


def ratios(ax, parts: Components, size: int) -> None:
    """Explained variance ratios, three ways, and where the shot noise lies."""
    curves = (
        (parts.raw, parts.first_raw, style.VERMILION, "o", f"as it is: first {FIRST} explain"),
        (parts.without_noise, parts.first_without_noise, style.BLUE, "s", "less its shot noise:"),
        (parts.averaged, parts.first_averaged, style.GREEN, "^", "averaged along y:"),
    )
    for values, first, colour, marker, text in curves:
        share = f" {100 * first.value:.1f}%" if np.isfinite(first.value) else " undetermined"
        shown = np.where(values > 0, values, np.nan)
        count = np.arange(1, len(values) + 1)
        ax.plot(count, shown, color=colour, marker=marker, lw=0.8, ms=2.8, label=text + share)
    one = parts.shot_noise.value / size**2
    ax.axhline(one, color=style.GREY, lw=0.8, ls="--")
    noise = f"shot noise, {100 * parts.shot_noise.value:.1f}% of the variance, over all components"
    below = {"xytext": (0, -2), "textcoords": "offset points", "ha": "left", "va": "top"}
    ax.annotate(noise, (0.5, one), **below, fontsize=6, color=style.GREY)
    ax.set(
        yscale="log",
        xlabel="component $i$",
        ylabel=r"explained variance ratio $\bar\lambda_i$",
        ylim=(one / 4, 2),
    )
    style.whole_numbers(ax.xaxis)
    ax.legend(loc="upper right")


def sign_of(positive: float) -> str:
    """Of a group's magnetization, given the share of its configurations with m > 0; with a share
    where not all have it.
    """
    sign, share = (">", positive) if positive >= 0.5 else ("<", 1 - positive)
    most = "" if share == 1 else f"\nin {np.floor(1000 * share) / 10:g}%"
    return f", $m {sign} 0${most}"


def name_of(phase: int, positive: float) -> str:
    """What stands beside a group of UMAP's."""
    if phase < 0:
        return "not assigned"
    return PHASES[phase] + (sign_of(positive) if phase else "")


def umap_plane(ax, dots: Dots, groups: Groups) -> None:
    """UMAP's plane, coloured by T, each group ringed and named by its phase, above it or, where
    another name stands there, below.
    """
    own = dots.embedding.astype(float)
    name = NAME * (np.nanmax(own, axis=0) - np.nanmin(own, axis=0))
    above: list[tuple[float, float]] = []  # where names stand
    ax.scatter(*own.T, c=dots.temperature, cmap=panels.TEMPERATURE, s=3, lw=0, rasterized=True)
    for k, cluster in enumerate(groups.cluster.tolist()):
        points = own[dots.cluster == cluster]
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) == 0:
            continue
        kind = int(groups.phase[k])
        colour = COLOURS[kind] if kind >= 0 else style.GREY
        ring = {"facecolors": "none", "edgecolors": colour, "linewidths": 0.35, "alpha": 0.5}
        ax.scatter(*points.T, s=14, zorder=-1, rasterized=True, **ring)
        middle, low, high = np.median(points[:, 0]), points[:, 1].min(), points[:, 1].max()
        below = any((abs(np.subtract(other, (middle, high))) < name).all() for other in above)
        above += [] if below else [(middle, high)]
        ax.annotate(
            name_of(kind, float(groups.positive[k])),
            (middle, low if below else high),
            xytext=(0, -3 if below else 3),
            textcoords="offset points",
            color=colour,
            fontsize=6,
            ha="center",
            va="top" if below else "bottom",
        )
    ax.margins(x=0.15, y=0.12)
    ax.set(xlabel="UMAP-1", ylabel="UMAP-2", xticks=[], yticks=[])


def projections(sheet: Sheet) -> Picture | None:
    """Figure 2: projections on the first three components, their means by temperature, and UMAP's
    plane.
    """
    found, about = sheet.numbers.components, sheet.numbers.about
    if found is None or found.dots.projections.shape[1] < 3:
        return None
    fig = style.figure(style.PAGE, 4.4)
    axes = fig.subplots(2, 3)
    p, t = found.dots.projections.astype(float), found.dots.temperature
    for ax, (i, j) in zip(axes[0], ((0, 1), (0, 2), (1, 2)), strict=True):
        image = ax.scatter(
            p[:, i], p[:, j], c=t, cmap=panels.TEMPERATURE, s=3, lw=0, rasterized=True
        )
        ax.set(xlabel=rf"$p_{i + 1} / \rho_0 L$", ylabel=rf"$p_{j + 1} / \rho_0 L$")
    d, e, f = axes[1]
    means = found.means
    by_temperature(d, means.temperature, means.order, means.order_spread)
    by_temperature(e, means.temperature, means.ring, means.ring_spread)
    d.set_ylabel(r"$\langle |p_1| \rangle / \rho_0 L$")
    e.set_ylabel(r"$\langle (p_2^2 + p_3^2)^{1/2} \rangle / \rho_0 L$")
    for ax, text in zip(axes.ravel(), "abcdef", strict=True):
        panels.letter(ax, text)
    caption = ""
    groups = sheet.numbers.groups
    if groups is not None and np.isfinite(found.dots.embedding).any():
        umap_plane(f, found.dots, groups)
        caption = f" UMAP was given {given_to_umap(about)}. " + dashed(sheet, (d, e))
    else:
        empty = {"transform": f.transAxes, "ha": "center", "va": "center", "color": style.GREY}
        f.text(0.5, 0.5, "no groups yet\n(phases.h5)", fontsize=7, **empty)
        f.set(xticks=[], yticks=[])
    panels.bar(fig, image, axes.ravel().tolist(), "temperature $T$", aspect=45)
    few = found.configurations > len(p)
    shown = f"{len(p)} of the {found.configurations}" if few else f"the {len(p)}"
    return sheet.save(
        fig,
        "figure-2-projections",
        f"(a-c) Projections p_1, p_2, p_3 of {shown} configurations of rho0 = {about.density:g} on "
        "the first three principal components of the magnetization; (d, e) means at one "
        "temperature with one standard deviation; (f) the plane in which UMAP puts configurations "
        "that are alike near each other, each group (configurations with a ring) named by its "
        f"phase and the sign of m in it; without a ring: in no phase.{caption}",
        "2",
    )


def by_temperature(ax, t: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> None:
    ax.fill_between(t, mean - spread, mean + spread, color=style.BLUE, alpha=0.2, lw=0)
    ax.plot(t, mean, color=style.BLUE, marker="o", ms=2 if len(t) <= 40 else 1.3, lw=1)
    ax.set(xlabel="temperature $T$", ylim=(min(0, (mean - spread).min()), None))


def given_to_umap(about: About) -> str:
    maps = "the magnetization maps"
    if about.modes is not None:
        maps = f"the {about.modes} strongest Fourier modes of {maps}"
    return f"{maps}, and {about.copies} randomly shifted copies of each"


def dashed(sheet: Sheet, axes) -> str:
    """UMAP's transitions as lines; their values in words, "" for none."""
    truth, words = sheet.numbers.diagram, []
    k = truth.at(sheet.numbers.about.density)
    for i, name in enumerate(BOUNDARIES):
        own = truth.by_umap(k, i) if k is not None else UNDETERMINED
        if not np.isfinite(own.value):
            continue
        words.append(f"{name} at T = {own}")
        error = np.nan_to_num(own.error)
        for ax in axes:
            ax.axvline(own.value, color=style.GREY, lw=0.8, ls="--", zorder=-1)
            low, high = own.value - error, own.value + error
            ax.axvspan(low, high, color=style.GREY, alpha=0.2, lw=0, zorder=-2)
    return f"Dashed: transitions by its groups, {', '.join(words)}." if words else ""


def taken_apart(sheet: Sheet) -> Picture | None:
    """Figure 6: one banded configuration as a sum of components."""
    found = sheet.numbers.components and sheet.numbers.components.taken_apart
    if not found:
        return None
    own, w, p = found.magnetization[0], found.vectors[:], found.projection
    parts = p[:, None, None] * w
    count, rest = len(p), parts.sum(axis=0)
    end, end_rest, top = panels.reach(own), panels.reach(rest), float(np.abs(w).max())
    fig = style.figure(style.PAGE, 1.75)
    grid = fig.add_gridspec(2, count + 4, width_ratios=[2.1, 0.05, *[1] * count, 0.05, 2.1])
    first, last = fig.add_subplot(grid[:, 0]), fig.add_subplot(grid[:, -1])
    image = panels.magnetization(first, own, end)
    sum_image = panels.magnetization(last, rest, end_rest)
    first.set_title(f"$T$ = {found.temperature:g}", fontsize=7)
    last.set_title("their sum", fontsize=7)
    for i in range(count):
        upper, lower = fig.add_subplot(grid[0, i + 2]), fig.add_subplot(grid[1, i + 2])
        panels.magnetization(upper, w[i], top)
        panels.magnetization(lower, parts[i], end_rest)
        upper.set_title(f"$w_{i + 1}$", fontsize=7)
        lower.set_xlabel(f"$p_{i + 1}$ = {panels.whole(p[i])}", fontsize=6)
    panels.bar(fig, image, first, "$m_i$", aspect=14, location="left", shrink=0.62)
    panels.bar(fig, sum_image, last, "below, and sum", aspect=14, shrink=0.62)
    return sheet.save(
        fig,
        "figure-6-components",
        f"A configuration of phase L+G, the first {count} principal components w_i (above), what "
        f"each adds to it, p_i w_i (below), and their sum. {100 * found.left:.0f}% of the sum of "
        "m_i^2 is left out: the fluctuations.",
        "6",
    )
