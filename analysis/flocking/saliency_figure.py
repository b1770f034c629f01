"""Figure 4 of the paper: saliency maps with and without regularization, above the configuration."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.flocking import locality, panels
from analysis.flocking.dataset import Run
from analysis.flocking.networks import groups


def saliency(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """The first L+G configuration; one column a lambda, the first network of each."""
    chosen = locality.shown_set(run)
    rows = np.flatnonzero(locality.banded_rows(run)) if chosen else []
    if chosen is None or len(rows) == 0:
        return None
    k, row = int(rows[0]), int(run.saliency.index[rows[0]])
    first = {
        lam: networks[0]
        for (name, lam), networks in groups(run.saliency.maps).items()
        if name == chosen
    }
    numbers = locality.localities(run)
    columns = max(2, len(first))
    fig = style.figure(1.75 * columns + 0.5, 3.5)
    axes = fig.subplots(2, columns, squeeze=False)
    image = None
    for ax, (regularization, network) in zip(axes[0], first.items(), strict=False):
        own = np.abs(run.saliency.maps[network][k]).sum(axis=0)
        panels.bare(ax)
        image = ax.imshow(
            (own / (own.max() or 1)).T,
            origin="lower",
            cmap=panels.SALIENCY,
            vmin=0,
            vmax=1,
            interpolation="nearest",
        )
        ax.set_title(rf"$|\partial S_c / \partial I|$, $\lambda$ = {regularization:g}", fontsize=7)
        mine = [n for n in numbers if n.network == network and n.row == row]
        if mine:
            ax.set_xlabel(
                f"on edges: r = {mine[0].edges:.2f}".replace("-", "\N{MINUS SIGN}"), fontsize=6
            )
    for ax in axes[0, len(first) :]:
        ax.remove()
    m, rho = run.magnetization[row], run.density[row]
    below = [
        panels.magnetization(axes[1, 0], m, panels.reach(m)),
        panels.density(axes[1, 1], rho, panels.reach(rho)),
    ]
    for ax in axes[1, 2:]:
        ax.remove()
    panels.bar(fig, image, axes[0].tolist()[: len(first)], "of its largest", aspect=14)
    panels.bar(fig, below[0], axes[1, 0], "$m_i$", aspect=14, location="left")
    panels.bar(fig, below[1], axes[1, 1], r"$\rho_i$", aspect=14)
    where = "every density" if chosen == locality.ALL else f"rho0 = {run.reference:g} only"
    return (
        style.save(fig, folder, f"{prefix}figure-4-saliency"),
        f"Figure 4 of the paper: above, saliency |dS_c / dI| (both channels added, over its largest value) of networks trained on {where}; "
        f"below, magnetization and density of the configuration (T = {run.temperature[row]:g}, rho0 = {run.mean_density[row]:g}). r: "
        "correlation, column by column, with the gradient of the density's profile.",
    )
