"""Figure 3 of the paper: phase boundaries in the (rho0, T) plane, physical and by networks that
know one density.
"""

import numpy as np
from matplotlib.transforms import ScaledTranslation

from analysis import style
from analysis.flocking import extrapolation, panels
from analysis.flocking.extrapolation import Boundary
from analysis.flocking.labels import (
    BOUNDARIES,
    COLOURS,
    EDGES,
    MARKERS,
    PHASES,
    REFERENCE,
    Network,
    groups,
)
from analysis.flocking.measure import Numbers
from analysis.flocking.physical import Diagram
from analysis.page import Picture
from analysis.sheet import Sheet


def diagram(sheet: Sheet) -> Picture | None:
    """One panel for each lambda of the networks that know the reference density alone, and P_c(T)
    below each; None: one density and no networks.
    """
    numbers, reference = sheet.numbers, sheet.numbers.about.density
    by_lambda = {
        lam: own for (set_, lam), own in groups(numbers.answers).items() if set_ == REFERENCE
    }
    truth, lambdas = numbers.diagram, list(by_lambda)
    if len(truth.density) < 2 and not lambdas:
        return None
    fig, axes = laid_out(lambdas)
    shown = extrapolation.shown_density(truth, reference)
    found = extrapolation.drawn_boundaries(truth, numbers.answers)
    for column, lam in enumerate(lambdas or [None]):
        ax = axes[0, column]
        ax.axvline(reference, color="#E8E8E8", lw=14, zorder=-3)
        physical(ax, truth)
        if lam is not None:
            crosses(ax, extrapolation.select(found, set=REFERENCE, regularization=lam))
            ax.set_title(rf"networks trained at $\rho_0$ = {reference:g}, $\lambda$ = {lam:g}")
            probabilities(axes[1, column], numbers, by_lambda[lam])
    axes[0, 0].set_ylabel("temperature $T$")
    if lambdas:
        axes[1, 0].set_ylabel(rf"$P_c$ at $\rho_0$ = {shown:g}")
        axes[1, -1].legend(loc="center right")
        for ax, text in zip(axes.ravel(), "abcdefgh", strict=False):
            panels.letter(ax, text)
    handles = dict(
        pair[::-1] for ax in axes[0] for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    )
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return sheet.save(
        fig,
        "figure-3-phase-diagram",
        "Boundaries of the phases L, liquid (below), L+G, bands of liquid that travel through gas, "
        "and G, gas (above). Circles: physical boundaries, from the particles alone (see "
        "Definitions), with errors." + (caption(shown) if lambdas else ""),
        "3",
    )


def caption(shown: float) -> str:
    return (
        " Crosses: where a network gives two phases the same probability, mean and spread over "
        "networks that have such a place; small dots, aside: single networks. lambda: strength of "
        "the penalty on squared weights. Grey: the density they were trained at. Below: the "
        f"probabilities P_c at rho0 = {shown:g}, a line a network."
    )


def laid_out(lambdas: list[float]):
    """(figure, axes): a row of boundaries, and one of probabilities where there are networks."""
    count = max(1, len(lambdas))
    fig = style.figure(style.PAGE if count > 1 else style.COLUMN, 4.6 if lambdas else 2.8)
    ratios = (1.7, 1) if lambdas else None
    axes = fig.subplots(
        len(ratios or "1"), count, squeeze=False, height_ratios=ratios, sharey="row"
    )
    return fig, axes


def physical(ax, truth: Diagram) -> None:
    for i, colour in enumerate(EDGES):
        ax.errorbar(
            truth.density,
            truth.physical[:, i],
            np.nan_to_num(truth.error[:, i]),
            color=colour,
            marker="o",
            mfc="none",
            ms=5,
            ls="-",
            lw=0.6,
            elinewidth=0.8,
            label=f"{BOUNDARIES[i]}, physical",
        )
    ax.set(xscale="log", xlabel=r"mean density $\rho_0$ (particles a site)")
    ax.set_xticks(truth.density, [f"{d:g}" for d in truth.density])
    ax.minorticks_off()


def crosses(ax, drawn: list[Boundary]) -> None:
    """Mean and spread over networks, and the networks."""
    aside = ax.transData + ScaledTranslation(6 / 72, 0, ax.figure.dpi_scale_trans)
    labels = [f"{name}, networks" for name in BOUNDARIES]
    for (density, i), by_seed in sorted(extrapolation.temperatures(drawn).items()):
        values = np.array([t for t in by_seed.values() if np.isfinite(t)])
        if len(values) == 0:
            continue
        bar = {"color": EDGES[i], "ms": 5, "mew": 1.4, "elinewidth": 0.8, "ls": "", "marker": "x"}
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        ax.errorbar([density], [values.mean()], [spread], label=labels[i], **bar)
        labels[i] = None
        if len(values) > 1:
            dots = {"color": EDGES[i], "ms": 2.5, "alpha": 0.7, "transform": aside}
            ax.plot(np.full(len(values), density), values, ".", **dots)


def probabilities(ax, numbers: Numbers, networks: list[Network]) -> None:
    for network in networks:
        own = numbers.answers[network]
        for phase in range(len(PHASES)):
            ax.plot(
                own.at,
                own.curve[:, phase],
                color=COLOURS[phase],
                marker=MARKERS[phase],
                ms=2,
                lw=0.8,
                alpha=0.9,
                label=PHASES[phase] if network is networks[0] else None,
            )
    ax.set(xlabel="temperature $T$", ylim=(-0.03, 1.03))
