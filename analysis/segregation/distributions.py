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


def histograms(run: Run, folder: Path, prefix: str, *, segregated: bool) -> tuple[str, str] | None:
    """Six panels: the truth filled, each model a line."""
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
        f"Distributions of the six quantities over the {count} test samples that {'segregate' if segregated else 'stay uniform'}: truth "
        "and predictions, share of samples in bins between the truth's smallest and largest value; what lies beyond is drawn in the "
        "outermost bins. Numbers: overlap of the histograms."
        + ("" if segregated else " A quantity that is the same for all samples (no interface: perimeter and surface energy 0) has none."),
    )  # fmt: skip


def panel(ax, quantity: Quantity, models: list[Predictions], widest: Predictions, segregated: bool) -> None:
    truth = widest.truth[quantity.name][widest.segregated == segregated]
    scale = np.abs(widest.truth[quantity.name]).max()
    single = np.ptp(truth) <= FLAT * scale
    at = np.linspace(truth.mean() - 0.05 * scale, truth.mean() + 0.05 * scale, 21) if single else edges(truth)
    width = at[1] - at[0]
    drawn = np.concatenate([[at[0] - width], at, [at[-1] + width]])  # the open bins, as wide as the others
    ax.stairs(shares(truth, at), drawn, fill=True, color="#CCCCCC", label="truth")
    ax.stairs(shares(truth, at), drawn, color=TRUTH, lw=0.8)
    numbers = []
    for p in models:
        inside = p.segregated == segregated
        own, predicted = p.truth[quantity.name][inside], p.predicted[quantity.name][inside]
        ax.stairs(shares(predicted, at), drawn, color=MODELS[p.model].colour, lw=1.1, label=MODELS[p.model].title)
        if not single:
            numbers.append((overlap(shares(predicted, at), shares(own, at)), MODELS[p.model].colour))
    top = ax.get_ylim()[1]
    ax.set(xlabel=quantity.axis, ylabel="share of samples", ylim=(0, top * (1 + 0.12 * len(numbers))))
    for i, (number, colour) in enumerate(numbers):
        ax.text(0.98, 0.98 - 0.1 * i, f"{number:.2f}", color=colour, transform=ax.transAxes, ha="right", va="top", fontsize=7)


def scatter(run: Run, folder: Path, prefix: str, p: Predictions) -> tuple[str, str]:
    """Six panels: predicted against true, segregated and uniform samples apart."""
    fig, axes = style.grid(6, 2.2)
    generator = np.random.default_rng(0)
    order = generator.permutation(len(p))[:POINTS]
    for ax, quantity in zip(axes, SIX, strict=True):
        truth, predicted = p.truth[quantity.name], p.predicted[quantity.name]
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        ax.plot(ends, ends, color=style.GREY, lw=0.7, zorder=3)
        for flag, colour, text in ((False, style.ORANGE, "stays uniform"), (True, MODELS[p.model].colour, "segregates")):
            rows = order[p.segregated[order] == flag]
            ax.scatter(truth[rows], predicted[rows], s=5, lw=0, alpha=0.5, color=colour, label=text, rasterized=True)
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
