"""The six quantities: distributions of truth and predictions, and predicted against true."""

from collections.abc import Iterator

import numpy as np

from analysis import style
from analysis.page import Picture
from analysis.segregation.labels import MEAN_ALONE, SIX, TRUTH, file_name, look, ordered
from analysis.segregation.measure import LEVELS, Forward
from analysis.segregation.skill import PLACES, mean_alone, trained
from analysis.sheet import Sheet


def draw(sheet: Sheet) -> Iterator[Picture | None]:
    yield distributions(sheet, segregated=True)
    yield distributions(sheet, segregated=False)
    for network, p in ordered(sheet.numbers.forward).items():
        yield scatter(sheet, network, p)


def samples(p: Forward, segregated: bool) -> int:
    return p.segregated if segregated else p.samples - p.segregated


def segregating(p: Forward) -> np.ndarray:
    """True quantities (6, n) of the drawn samples that segregate."""
    return p.points.truth[:, p.points.segregates].astype(float)


def told_by_mean(p: Forward, quantity: str) -> np.ndarray:
    """Of all samples that segregate, what is told by the mean of those drawn at the same mean
    concentration.
    """
    mean, truth = (segregating(p)[PLACES[name]] for name in ("mean_concentration", quantity))
    return np.repeat(trained(mean, truth).given(p.shares.mean), p.shares.truth.astype(int))


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
    count = segregating(widest).shape[1] if segregated else 0
    fig, axes = style.grid(6, 1.9)
    for i, (ax, quantity) in enumerate(zip(axes, SIX, strict=True)):
        place = PLACES[quantity.name]
        own = getattr(widest, name).truth[place]
        scale = max(np.abs(p.points.truth[place]).max() for p in models.values())
        panel(ax, quantity.name, models, own, (name, max(scale, np.abs(own).max())))
        if count:
            told = told_by_mean(widest, quantity.name)
            values = np.quantile(told, LEVELS, method="inverted_cdf")
            look_ = {"color": style.GREY, "lw": 1.4, "ls": ":", "zorder": 1.5}
            ax.plot(values, LEVELS, drawstyle="steps-post", label=MEAN_ALONE, **look_)
        ax.set_xlabel(quantity.axis)
        ax.locator_params(axis="x", nbins=4)
        if i % 3:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel("share of samples below")
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=5)
    if segregated:
        what = (
            f"{samples(widest, True)} test samples that segregate: share of samples below a value. Where a network's line lies on the "
            "truth's it makes as many of each kind as there are, not necessarily of the right samples. Dotted: a prediction that knows "
            f"the mean concentration alone, means at each mean concentration of the {count} of these samples that the scatter plots show."
        )
    else:
        what = (
            f"{samples(widest, False)} test samples that stay uniform: share of samples below a value. They end as constants, so that "
            "the mean concentration alone tells all six quantities exactly: perimeter and surface energy are 0, the area is nothing or "
            "the whole box."
        )
    one_number = "" if segregated else ", left out where the truth is a single number"
    return sheet.save(
        fig,
        f"distributions-{'segregated' if segregated else 'uniform'}",
        f"Distributions of the six quantities over the {what} Numbers: overlap of prediction and truth as histograms, of the networks "
        f"drawn{one_number}. Up to a twentieth of the predictions are out of sight on either side.",
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
        drawn = {"color": own.colour, "ls": own.dash, "lw": 1.1, "drawstyle": "steps-post"}
        ax.plot(values, LEVELS, label=own.title, **drawn)
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
    """Six panels: predicted against true, segregated and uniform samples apart, beside what the
    mean concentration alone tells.
    """
    fig, axes = style.grid(6, 2.2)
    inside, known = p.points.segregates, segregating(p)
    told = mean_alone(known[PLACES["mean_concentration"]], known)
    dots = {"s": 6, "lw": 0, "alpha": 0.7, "rasterized": True}
    crosses = {"s": 12, "lw": 0.4, "alpha": 0.5, "rasterized": True}
    for i, (ax, quantity) in enumerate(zip(axes, SIX, strict=True)):
        place = PLACES[quantity.name]
        truth, predicted = p.points.truth[place], p.points.predicted[place]
        ends = np.array([truth.min(), truth.max()])
        ax.plot(ends, ends, color="black", lw=0.5, zorder=0)
        for which, colour, text in (
            (~inside, style.GREY, "stays uniform"),
            (inside, look(network).colour, "segregates"),
        ):
            ax.scatter(truth[which], predicted[which], color=colour, label=text, zorder=2, **dots)
        alone = {"color": "black", "marker": "x", "label": MEAN_ALONE, "zorder": 1}
        ax.scatter(known[place], told[place], **alone, **crosses)
        own, other = (p.skills.of(s, quantity.name) for s in ("accuracy", "baseline_given_mean"))
        if np.isfinite(own.value) and np.isfinite(other.value):
            ax.set_title(f"accuracy {own.value:.3f}; mean alone {other.value:.3f}", fontsize=7)
        ax.set(xlabel=f"true {quantity.axis}", ylabel="" if i % 3 else "predicted")
        ax.locator_params(nbins=4)
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=3, markerscale=2)
    return sheet.save(
        fig,
        f"scatter-{file_name(network)}",
        f"{look(network).title}: predicted against true quantities of {len(inside)} test samples; on the line they are equal. Crosses: a "
        "prediction that knows the mean concentration alone, for each sample that segregates the mean of the others drawn at its mean "
        "concentration. A network has read the field where its dots are nearer to the line than the crosses. Above: accuracies over "
        f"all {p.segregated} test samples that segregate, of this network and of what the training set's mean at the same mean "
        "concentration tells.",
        "abstract",
    )
