"""Figures 1, 2 and 6 of the paper: what principal components and UMAP see in the magnetization."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.flocking import panels
from analysis.flocking.components import FIRST, Components, means_and_spreads
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BAND, BOUNDARIES, COLOURS, PHASES

# temperature of the configuration that figure 6 takes apart, or the nearest one in phase L+G
SHOWN = 0.56


def explained(run: Run, found: Components, folder: Path, prefix: str) -> tuple[str, str]:
    """Figure 1: explained variance ratio of the components; their x-dependence."""
    fig = style.figure(style.PAGE, 2.7)
    left, right = fig.subplots(1, 2, width_ratios=(1.15, 1))
    curves = (
        (
            found.raw,
            style.VERMILION,
            "o",
            f"as it is: first {FIRST} explain {100 * found.first_raw.value:.1f}%",
        ),
        (
            found.without_noise,
            style.BLUE,
            "s",
            f"less its shot noise: {100 * found.first_without_noise.value:.1f}%",
        ),
        (
            found.averaged,
            style.GREEN,
            "^",
            f"averaged along y: {100 * found.first_averaged.value:.1f}%",
        ),
    )
    for values, colour, marker, text in curves:
        shown = np.where(values > 0, values, np.nan)
        left.plot(
            np.arange(1, len(values) + 1),
            shown,
            color=colour,
            marker=marker,
            lw=0.8,
            ms=2.8,
            label=text,
        )
    one = found.shot_noise.value / run.size**2
    left.axhline(one, color=style.GREY, lw=0.8, ls="--")
    left.annotate(
        f"shot noise, {100 * found.shot_noise.value:.1f}% of the variance, over all components",
        (0.5, one),
        xytext=(0, -2),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=6,
        color=style.GREY,
    )
    left.set(
        yscale="log",
        xlabel="component $i$",
        ylabel=r"explained variance ratio $\bar\lambda_i$",
        ylim=(one / 4, 2),
    )
    left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    left.legend(loc="upper right")
    x = np.arange(run.size)
    for i, vector in enumerate(found.vectors[:5]):
        mean, error = (
            vector.mean(axis=1) * run.size,
            vector.std(axis=1, ddof=1) / np.sqrt(run.size) * run.size,
        )
        right.plot(x, mean, color=style.colour(i), lw=1.1, label=f"$w_{i + 1}$")
        right.fill_between(
            x, mean - 3 * error, mean + 3 * error, color=style.colour(i), alpha=0.25, lw=0
        )
    right.set(xlabel="$x$ (sites)", ylabel=r"$L\,\langle w_i \rangle_y$", xlim=(0, run.size - 1))
    right.legend(
        ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=1, handlelength=1.2
    )
    panels.letter(left, "a")
    panels.letter(right, "b")
    return (
        style.save(fig, folder, f"{prefix}figure-1-explained-variance"),
        f"Figure 1 of the paper: share of the variance of the magnetization that its principal components explain (L = {run.size}, rho0 = "
        f"{run.reference:g}), three ways: of the maps as they are; less the shot noise of single particles (by the plane waves, see "
        "Definitions); and of maps averaged along y. (b), the paper's inset: the first five components averaged along y, with three "
        "standard errors of that average.",
    )


def _clusters(ax, run: Run, found: Components) -> None:
    """UMAP's plane, coloured by T, each group ringed and named by its phase."""
    phases = run.phases
    own, group, phase = (
        phases.embedding[found.rows],
        phases.cluster[found.rows],
        phases.phase[found.rows],
    )
    order = np.random.default_rng(0).permutation(len(own))
    ax.scatter(
        *own[order].T,
        c=run.temperature[found.rows][order],
        cmap=panels.TEMPERATURE,
        s=3,
        lw=0,
        rasterized=True,
    )
    for cluster in np.unique(group[group >= 0]):
        points = own[group == cluster]
        kind = int(np.bincount(phase[group == cluster] + 1).argmax()) - 1
        colour, name = (COLOURS[kind], PHASES[kind]) if kind >= 0 else (style.GREY, "?")
        m = run.magnetization[found.rows[group == cluster]].sum(dtype=float)
        sign = (
            {1: ", $m > 0$", -1: ", $m < 0$"}.get(int(np.sign(m)), "")
            if name not in ("G", "?")
            else ""
        )
        ax.scatter(
            *points.T,
            s=14,
            facecolors="none",
            edgecolors=colour,
            linewidths=0.35,
            alpha=0.5,
            zorder=-1,
            rasterized=True,
        )
        top = np.array([np.median(points[:, 0]), points[:, 1].max()])
        ax.annotate(
            f"{name}{sign}",
            top,
            xytext=(0, 3),
            textcoords="offset points",
            color=colour,
            fontsize=6,
            ha="center",
            va="bottom",
        )
    ax.margins(x=0.15, y=0.12)
    ax.set(xlabel="UMAP-1", ylabel="UMAP-2", xticks=[], yticks=[])


def projections(run: Run, found: Components, folder: Path, prefix: str) -> tuple[str, str]:
    """Figure 2: projections on the first three components, their means by temperature, and UMAP's
    plane.
    """
    p, t = found.projections[:, :3], run.temperature[found.rows]
    fig = style.figure(style.PAGE, 4.4)
    axes = fig.subplots(2, 3)
    order = np.random.default_rng(0).permutation(len(p))
    scale = run.reference * run.size
    for ax, (i, j), text in zip(axes[0], ((0, 1), (0, 2), (1, 2)), "abc", strict=True):
        image = ax.scatter(
            p[order, i] / scale,
            p[order, j] / scale,
            c=t[order],
            cmap=panels.TEMPERATURE,
            s=3,
            lw=0,
            rasterized=True,
        )
        ax.set(xlabel=rf"$p_{i + 1} / \rho_0 L$", ylabel=rf"$p_{j + 1} / \rho_0 L$")
        panels.letter(ax, text)
    d, e, f = axes[1]
    ring = np.hypot(p[:, 1], p[:, 2])
    for ax, values, label in (
        (d, np.abs(p[:, 0]), r"$\langle |p_1| \rangle / \rho_0 L$"),
        (e, ring, r"$\langle (p_2^2 + p_3^2)^{1/2} \rangle / \rho_0 L$"),
    ):
        known, mean, spread = means_and_spreads(t, values / scale)
        ax.fill_between(known, mean - spread, mean + spread, color=style.BLUE, alpha=0.2, lw=0)
        ax.plot(known, mean, color=style.BLUE, marker="o", ms=2 if len(known) <= 40 else 1.3, lw=1)
        ax.set(xlabel="temperature $T$", ylabel=label, ylim=(min(0, (mean - spread).min()), None))
    for ax, text in ((d, "d"), (e, "e"), (f, "f")):
        panels.letter(ax, text)
    caption = ""
    if run.phases is not None and np.isfinite(run.phases.embedding[found.rows]).any():
        _clusters(f, run, found)
        at, error = run.phases.transition(run.reference)
        for value, own, name in zip(at, error, BOUNDARIES, strict=True):
            if np.isfinite(value):
                caption += (
                    f" {name}: T = {value:.3f}"
                    + (f" ± {own:.3f}" if np.isfinite(own) else "")
                    + "."
                )
                for ax in (d, e):
                    ax.axvline(value, color=style.GREY, lw=0.8, ls="--", zorder=-1)
                    ax.axvspan(
                        value - np.nan_to_num(own),
                        value + np.nan_to_num(own),
                        color=style.GREY,
                        alpha=0.2,
                        lw=0,
                        zorder=-2,
                    )
    else:
        f.text(
            0.5,
            0.5,
            "no clusters yet\n(phases.h5)",
            transform=f.transAxes,
            ha="center",
            va="center",
            fontsize=7,
            color=style.GREY,
        )
        f.set(xticks=[], yticks=[])
    panels.bar(fig, image, axes.ravel().tolist(), "temperature $T$", aspect=45)
    return (
        style.save(fig, folder, f"{prefix}figure-2-projections"),
        f"Figure 2 of the paper: (a-c) the {len(p)} configurations of rho0 = {run.reference:g} on the first three principal components; "
        "(d, e) means at one temperature with one standard deviation; (f) UMAP, each group named by its phase."
        + (
            f" Dashed: transitions by UMAP's groups, with their errors.{caption}" if caption else ""
        ),
    )


def taken_apart(run: Run, found: Components, folder: Path, prefix: str) -> tuple[str, str] | None:
    """Figure 6: one banded configuration as a sum of components."""
    count = min(FIRST, len(found.vectors))
    banded = run.phases is not None and run.phases.phase[found.rows] == BAND
    rows = (
        np.flatnonzero(banded)
        if np.any(banded)
        else np.flatnonzero(np.hypot(*found.projections[:, 1:3].T) > 0)
    )
    if len(rows) == 0:
        return None
    row = int(rows[np.argmin(np.abs(run.temperature[found.rows[rows]] - SHOWN))])
    own = run.magnetization[found.rows[row]].astype(float)
    p, w = found.projections[row, :count], found.vectors[:count]
    rest = np.tensordot(p, w, 1)
    end, end_rest = panels.reach(own), panels.reach(rest)
    fig = style.figure(style.PAGE, 1.75)
    grid = fig.add_gridspec(2, count + 4, width_ratios=[2.1, 0.05, *[1] * count, 0.05, 2.1])
    first, last = fig.add_subplot(grid[:, 0]), fig.add_subplot(grid[:, -1])
    image = panels.magnetization(first, own, end)
    sum_image = panels.magnetization(last, rest, end_rest)
    first.set_title(f"$T$ = {run.temperature[found.rows[row]]:g}", fontsize=7)
    last.set_title("their sum", fontsize=7)
    top = float(np.abs(w).max())
    for i in range(count):
        upper, lower = fig.add_subplot(grid[0, i + 2]), fig.add_subplot(grid[1, i + 2])
        panels.magnetization(upper, w[i], top)
        panels.magnetization(lower, p[i] * w[i], end_rest)
        upper.set_title(f"$w_{i + 1}$", fontsize=7)
        lower.set_xlabel(rf"$p_{i + 1}$ = {p[i]:.0f}".replace("-", "\N{MINUS SIGN}"), fontsize=6)
    panels.bar(fig, image, first, "$m_i$", aspect=14, location="left", shrink=0.62)
    panels.bar(fig, sum_image, last, "below, and sum", aspect=14, shrink=0.62)
    left = float(((own - rest) ** 2).sum() / (own**2).sum())
    return (
        style.save(fig, folder, f"{prefix}figure-6-components"),
        f"Figure 6 of the paper: a configuration of phase L+G, the first {count} components (above), what each adds to it (below), and "
        f"their sum. {100 * left:.0f}% of the sum of m_i^2 is left out: the fluctuations.",
    )
