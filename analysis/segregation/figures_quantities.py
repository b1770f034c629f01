"""The six quantities: distributions of truth and predictions, and predicted against true."""

from collections.abc import Iterator

import numpy as np

from analysis import style
from analysis.page import Picture
from analysis.segregation.labels import SIX, TRUTH, file_name, look, ordered
from analysis.segregation.measure import LEVELS, Forward
from analysis.segregation.skill import PLACES
from analysis.sheet import Sheet


def draw(sheet: Sheet) -> Iterator[Picture | None]:
    yield distributions(sheet, segregated=True)
    yield distributions(sheet, segregated=False)
    for network, p in ordered(sheet.numbers.forward).items():
        yield scatter(sheet, network, p)


def samples(p: Forward, segregated: bool) -> int:
    return p.segregated if segregated else p.samples - p.segregated


def distributions(sheet: Sheet, *, segregated: bool) -> Picture | None:
    """Six panels: the truth black, each network a line; no bins, since mean concentrations are
    discrete.
    """
    name = "segregating" if segregated else "uniform"
    models = {
        network: p
        for network, p in ordered(sheet.numbers.forward).items()
        if getattr(p, name) is not None
    }
    if not models:
        return None
    widest = max(models.values(), key=lambda p: samples(p, segregated))
    fig, axes = style.grid(6, 1.9)
    for ax, quantity in zip(axes, SIX, strict=True):
        truth = getattr(widest, name).truth[PLACES[quantity.name]]
        scale = max(np.abs(p.points.truth[PLACES[quantity.name]]).max() for p in models.values())
        panel(ax, quantity.name, models, truth, (name, max(scale, np.abs(truth).max())))
        ax.set_xlabel(quantity.axis)
        ax.set_ylabel("share of samples below")
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=4)
    fate = "segregate" if segregated else "stay uniform"
    note = (
        ""
        if segregated
        else " Where all are the same (no interface: perimeter and surface energy are 0) there is none."
    )
    return sheet.save(
        fig,
        f"distributions-{'segregated' if segregated else 'uniform'}",
        f"Distributions of the six quantities over the {samples(widest, segregated)} test samples that {fate}: share of samples below a "
        "value, up to a twentieth of the predictions out of sight on either side. Numbers: overlap of prediction and truth as "
        f"histograms.{note}",
        "abstract",
    )


def panel(ax, quantity: str, models: dict[str, Forward], truth: np.ndarray, of: tuple) -> None:
    """Of one quantity; of: (which samples, the quantity's scale)."""
    name, scale = of
    ax.plot(truth, LEVELS, color=TRUTH, lw=2, drawstyle="steps-post", label="truth")
    ends, numbers = [truth.min(), truth.max()], []
    for network, p in models.items():
        values = getattr(p, name).predicted[PLACES[quantity]]
        own = look(network)
        ax.plot(values, LEVELS, color=own.colour, lw=1, drawstyle="steps-post", label=own.title)
        ends += np.interp([0.05, 0.95], LEVELS, values).tolist()
        common = p.skills.of("overlap" if name == "segregating" else "uniform_overlap", quantity)
        if np.isfinite(common.value):
            numbers.append((common.value, own.colour))
    room = 0.05 * max(max(ends) - min(ends), 0.2 * scale)
    ax.set(xlim=(min(ends) - room, max(ends) + room), ylim=(-0.02, 1.02))
    right = {"transform": ax.transAxes, "ha": "right", "va": "bottom", "fontsize": 7}
    for i, (number, colour) in enumerate(reversed(numbers)):
        ax.text(0.98, 0.04 + 0.11 * i, f"{number:.2f}", color=colour, **right)


def scatter(sheet: Sheet, network: str, p: Forward) -> Picture:
    """Six panels: predicted against true, segregated and uniform samples apart."""
    fig, axes = style.grid(6, 2.2)
    for ax, quantity in zip(axes, SIX, strict=True):
        truth, predicted = (
            of[PLACES[quantity.name]] for of in (p.points.truth, p.points.predicted)
        )
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        ax.plot(ends, ends, color="black", lw=0.5, zorder=0)
        for flag, colour, text in (
            (False, style.GREY, "stays uniform"),
            (True, look(network).colour, "segregates"),
        ):
            rows = p.points.segregates == flag
            dots = {"s": 7, "lw": 0, "alpha": 0.6, "rasterized": True}
            ax.scatter(truth[rows], predicted[rows], color=colour, label=text, **dots)
        ax.set(xlabel=f"true {quantity.axis}", ylabel="predicted")
        ax.locator_params(nbins=5)
    handles, names = axes[0].get_legend_handles_labels()
    for handle in handles:
        handle.set_alpha(1)
    fig.legend(handles, names, loc="outside upper center", ncols=2, markerscale=2)
    return sheet.save(
        fig,
        f"scatter-{file_name(network)}",
        f"{look(network).title}: predicted against true quantities of {len(p.points.segregates)} test samples; line: equal.",
        "abstract",
    )
