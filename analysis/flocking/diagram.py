"""Figure 3 of the paper: phase boundaries in the (rho0, T) plane, physical and by networks that
know one density.
"""

from pathlib import Path

import numpy as np
from matplotlib.transforms import ScaledTranslation

from analysis import style
from analysis.flocking import extrapolation, panels
from analysis.flocking.dataset import Run
from analysis.flocking.extrapolation import Place
from analysis.flocking.networks import (
    BOUNDARIES,
    COLOURS,
    MARKERS,
    PAPERS,
    PHASES,
    REFERENCE,
    groups,
)
from analysis.flocking.physical import Boundaries, settled

INSET = 5.0  # density of the paper's inset, or the nearest other one
EDGES = (style.BLUE, style.VERMILION)  # of the two boundaries


def diagram(
    run: Run, truth: list[Boundaries], places: list[Place], folder: Path, prefix: str
) -> tuple[str, str] | None:
    """One panel for each lambda of the networks that know the reference density alone, and P_c(T)
    below each.
    """
    lambdas = [
        regularization for (set_, regularization) in groups(run.probabilities) if set_ == REFERENCE
    ]
    others = [b.density for b in truth if not np.isclose(b.density, run.reference)]
    if not others and not lambdas:
        return None
    shown = min(others, key=lambda d: abs(d - INSET)) if others else run.reference
    count = max(1, len(lambdas))
    fig = style.figure(style.PAGE if count > 1 else style.COLUMN, 4.6 if lambdas else 2.8)
    axes = fig.subplots(
        2 if lambdas else 1,
        count,
        squeeze=False,
        height_ratios=(1.7, 1) if lambdas else None,
        sharey="row",
    )
    densities = np.array([b.density for b in truth])
    for column, regularization in enumerate(lambdas or [None]):
        ax = axes[0, column]
        ax.axvline(run.reference, color="#E8E8E8", lw=14, zorder=-3)
        for i, colour in enumerate(EDGES):
            value, error = (
                np.array([getattr(b.estimates[i], what) for b in truth])
                for what in ("value", "error")
            )
            ax.errorbar(
                densities,
                value,
                np.nan_to_num(error),
                color=colour,
                marker="o",
                mfc="none",
                ms=5,
                ls="-",
                lw=0.6,
                elinewidth=0.8,
                label=f"{BOUNDARIES[i]}, physical",
            )
            if regularization is not None:
                _crosses(
                    ax,
                    extrapolation.select(places, set=REFERENCE, regularization=regularization),
                    i,
                    colour,
                )
        ax.set(xscale="log", xlabel=r"mean density $\rho_0$")
        ax.set_xticks(densities, [f"{d:g}" for d in densities])
        ax.minorticks_off()
        if regularization is not None:
            ax.set_title(
                rf"networks trained at $\rho_0$ = {run.reference:g}, $\lambda$ = {regularization:g}"
            )
            _probabilities(axes[1, column], run, regularization, shown)
    axes[0, 0].set_ylabel("temperature $T$")
    if lambdas:
        axes[1, 0].set_ylabel(rf"$P_c$ at $\rho_0$ = {shown:g}")
        for ax, text in zip(axes.ravel(), "abcdefgh", strict=False):
            panels.letter(ax, text)
    handles = dict(
        pair[::-1] for ax in axes[0] for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    )
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return (
        style.save(fig, folder, f"{prefix}figure-3-phase-diagram"),
        "Figure 3 of the paper: boundaries of the phases L (below), L+G and G (above). Circles: physical boundaries, from the amplitude "
        "of bands and the order parameter alone (see Definitions), with errors. Crosses: where the probabilities of two phases are equal, "
        "mean and spread over networks that have such a place (see the table); small dots, aside: single networks. Grey: the density "
        f"they were trained at. Below: the probabilities at rho0 = {shown:g}, a line a network.",
    )


def _crosses(ax, places: list[Place], boundary: int, colour: str) -> None:
    """Mean and spread over networks, and the networks."""
    label = f"{BOUNDARIES[boundary]}, networks"
    for density in sorted({p.density for p in places}):
        values = np.array(
            [p.temperature.value for p in places if p.density == density and p.boundary == boundary]
        )
        values = values[np.isfinite(values)]
        if len(values) == 0:
            continue
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        ax.errorbar(
            [density],
            [values.mean()],
            [spread],
            color=colour,
            marker="x",
            ms=5,
            mew=1.4,
            elinewidth=0.8,
            label=label,
            ls="",
        )
        if len(values) > 1:
            aside = ax.transData + ScaledTranslation(6 / 72, 0, ax.figure.dpi_scale_trans)
            ax.plot(
                np.full(len(values), density),
                values,
                ".",
                color=colour,
                ms=2.5,
                alpha=0.7,
                transform=aside,
            )
        label = None


def _probabilities(ax, run: Run, regularization: float, density: float) -> None:
    networks, rows = groups(run.probabilities)[REFERENCE, regularization], settled(run, density)
    for network in networks:
        t, p = extrapolation.curves(run, network, rows)
        for phase in range(3):
            first = network is networks[0]
            ax.plot(
                t,
                p[:, phase],
                color=COLOURS[phase],
                marker=MARKERS[phase],
                ms=2,
                lw=0.8,
                alpha=0.9,
                label=PHASES[phase] if first else None,
            )
    ax.set(xlabel="temperature $T$", ylim=(-0.03, 1.03))
    if regularization == PAPERS or len(groups(run.probabilities)) == 1:
        ax.legend(loc="center right")
