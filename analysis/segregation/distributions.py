"""The six quantities: distributions of truth and predictions, and predicted against true."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.segregation.dataset import Run
from analysis.segregation.predictions import Predictions
from analysis.segregation.quantities import MODELS, SIX, TRUTH, Quantity
from analysis.segregation.skill import edges, overlap, shares

POINTS = 2000  # markers in a panel; more only add ink
FLAT = 1e-3  # of the segregated samples' scale: a quantity that spreads less is a single number


def cumulative(run: Run, folder: Path, prefix: str, *, segregated: bool) -> tuple[str, str] | None:
    """Six panels: the truth black, each model a line; no bins, since mean concentrations are
    discrete.
    """
    models = [p for p in run.models(reverse=False) if (p.segregated == segregated).sum() > 1]
    if not models:
        return None
    widest = max(models, key=lambda p: (p.segregated == segregated).sum())
    fig, axes = style.grid(6, 1.9)
    for ax, quantity in zip(axes, SIX, strict=True):
        panel(ax, quantity, models, widest, segregated)
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=4)
    which = "segregated" if segregated else "uniform"
    count = int((widest.segregated == segregated).sum())
    return (
        style.save(fig, folder, f"{prefix}distributions-{which}"),
        f"Distributions of the six quantities over the {count} test samples that {'segregate' if segregated else 'stay uniform'}: share of "
        "samples below a value, up to a twentieth of the predictions out of sight on either side. Numbers: overlap of prediction and "
        "truth as histograms."
        + (
            ""
            if segregated
            else " Where all are the same (no interface: perimeter and surface energy are 0) there is none."
        ),
    )


def panel(
    ax, quantity: Quantity, models: list[Predictions], widest: Predictions, segregated: bool
) -> None:
    truth = widest.truth[quantity.name][widest.segregated == segregated]
    scale = np.abs(widest.truth[quantity.name]).max()
    ax.ecdf(truth, color=TRUTH, lw=2, label="truth")
    ends, numbers = [truth.min(), truth.max()], []
    for p in models:
        inside = p.segregated == segregated
        own, predicted = p.truth[quantity.name][inside], p.predicted[quantity.name][inside]
        ax.ecdf(predicted, color=MODELS[p.model].colour, lw=1, label=MODELS[p.model].title)
        ends += np.quantile(predicted, [0.05, 0.95]).tolist()
        if np.ptp(truth) > FLAT * scale:
            at = edges(own)
            numbers.append(
                (float(overlap(shares(predicted, at), shares(own, at))), MODELS[p.model].colour)
            )
    room = 0.05 * max(max(ends) - min(ends), 0.2 * scale)
    ax.set(
        xlabel=quantity.axis,
        ylabel="share of samples below",
        xlim=(min(ends) - room, max(ends) + room),
        ylim=(-0.02, 1.02),
    )
    for i, (number, colour) in enumerate(reversed(numbers)):
        ax.text(
            0.98,
            0.04 + 0.11 * i,
            f"{number:.2f}",
            color=colour,
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize=7,
        )


def scatter(run: Run, folder: Path, prefix: str, p: Predictions) -> tuple[str, str]:
    """Six panels: predicted against true, segregated and uniform samples apart."""
    fig, axes = style.grid(6, 2.2)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(p))[:POINTS]
    for ax, quantity in zip(axes, SIX, strict=True):
        truth, predicted = p.truth[quantity.name], p.predicted[quantity.name]
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        ax.plot(ends, ends, color="black", lw=0.5, zorder=0)
        for flag, colour, text in (
            (False, style.GREY, "stays uniform"),
            (True, MODELS[p.model].colour, "segregates"),
        ):
            rows = order[p.segregated[order] == flag]
            ax.scatter(
                truth[rows],
                predicted[rows],
                s=7,
                lw=0,
                alpha=0.6,
                color=colour,
                label=text,
                rasterized=True,
            )
        ax.set(xlabel=f"true {quantity.axis}", ylabel="predicted")
        ax.locator_params(nbins=5)
    handles, names = axes[0].get_legend_handles_labels()
    for handle in handles:
        handle.set_alpha(1)
    fig.legend(handles, names, loc="outside upper center", ncols=2, markerscale=2)
    return (
        style.save(fig, folder, f"{prefix}scatter-{p.model}"),
        f"{MODELS[p.model].title}: predicted against true quantities of {len(order)} test samples; line: equal.",
    )
