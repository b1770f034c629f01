"""Figure 1b, the losses by epoch; the errors on the test set by frame; figure S1, what the layer
that conserves phi is good for.
"""

import numpy as np

from analysis import style
from analysis.coarsening.dataset import Trained
from analysis.coarsening.figures_errors import (
    EXTRAPOLATION,
    HIGHEST,
    HORIZON,
    PERSISTENCE,
    log_time,
)
from analysis.coarsening.labels import Network, case_title
from analysis.page import Picture
from analysis.sheet import Sheet

FLOOR = 1e-10  # of the drift: below it only round-off is left


def curriculum(trained: Trained) -> float | None:
    """Last epoch in which a network was given more than the first frame; None: there was none."""
    given = trained.history.get("given")
    more = np.flatnonzero(given > 1) if given is not None else []
    return float(trained.history["epoch"][more[-1]]) if len(more) else None


def learning(sheet: Sheet) -> Picture | None:
    """A panel a network."""
    trained = sheet.numbers.trained
    shown = {network: t for network, t in trained.items() if len(t.history.get("epoch", ()))}
    if not shown:
        return None
    fig, axes = style.grid(len(shown), 2.3)
    for ax, (network, t) in zip(axes, shown.items(), strict=True):
        panel(ax, network, t)
        ax.label_outer() if len(axes) > 1 else None
    low = min(ax.get_ylim()[0] for ax in axes)
    high = max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
    fig.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=style.legend_columns(fig),
    )
    return sheet.save(
        fig,
        "figure-1-learning",
        "Mean squared error of phi by epoch of the training. Grey: the curriculum, in which the "
        "training loss is of an easier task (fewer frames to predict); the validation loss is "
        "always of whole sequences from their first frame. Circle: the epoch kept. Dashed: "
        "persistence (the first frame for all) on the test set.",
        "1",
    )


def panel(ax, network: Network, trained: Trained) -> None:
    history = trained.history
    for name, colour, text in (
        ("loss", style.BLUE, "training"),
        ("validation_loss", style.VERMILION, "validation"),
    ):
        if name in history:
            ax.plot(history["epoch"], history[name], color=colour, lw=0.9, label=text)
    end = curriculum(trained)
    if end is not None:
        first = history["epoch"][0] - 0.5
        ax.axvspan(first, end + 0.5, color="#E4E4E4", lw=0, zorder=-2, label="curriculum")
    if trained.best_epoch is not None:
        kept = [trained.best_epoch], [trained.validation_loss]
        ax.plot(*kept, "o", mfc="none", color="black", ms=5)
    if trained.tested is not None:
        ax.axhline(trained.tested.persistence.mean(), label="persistence", **PERSISTENCE)
    ax.set(yscale="log", xlabel="epoch", ylabel="mean squared error", title=network.title)
    style.whole_numbers(ax.xaxis)


def by_frame(sheet: Sheet) -> Picture | None:
    """RMSE of each frame of the test sequences, beside persistence and extrapolation."""
    numbers = sheet.numbers
    shown = {n: t.tested for n, t in numbers.trained.items() if t.tested is not None}
    if not shown:
        return None
    fig = style.figure(style.COLUMN, 2.6)
    ax = fig.subplots()
    first = next(iter(shown.values()))
    time = numbers.setup.interval * np.arange(len(first.loss_by_frame))
    for network, t in shown.items():
        middle, low, high = np.sqrt([t.loss_by_frame, t.low, t.high])
        ax.plot(time[1:], middle[1:], color=network.colour, ls=network.line, label=network.title)
        ax.fill_between(time[1:], low[1:], high[1:], color=network.colour, alpha=0.2, lw=0)
    still, line = np.sqrt([first.persistence_by_frame, first.extrapolation_by_frame])
    ax.plot(time[1:], still[1:], label="persistence", **PERSISTENCE)
    ax.plot(time[2:], line[2:], label="linear extrapolation", **EXTRAPOLATION)
    ax.set(yscale="log", xlabel="time since the first frame", ylabel="RMSE")
    style.decades(ax.yaxis)
    fig.legend(loc="outside upper center", ncols=2)
    return sheet.save(
        fig,
        "test-errors",
        f"{len(first.loss)} test sequences, each predicted from its first frame alone: root of the "
        "mean squared error (RMSE) by frame; band: 16 to 84% of the sequences. Dashed: "
        "persistence, the first frame for all. Dotted: the straight line through the first two "
        "true frames.",
    )


def models(sheet: Sheet) -> Picture | None:
    """Figure S1: validation loss, RMSE and drift of the mean of all networks; needs two models."""
    numbers = sheet.numbers
    if len({network.model for network in numbers.networks}) < 2:
        return None
    losses = {n: t.history for n, t in numbers.trained.items() if "validation_loss" in t.history}
    name = next(
        (n for n in ("long", "slice", "test") if len(models_of(numbers, n)) > 1),
        None,
    )
    far = longest(numbers)
    panels = []
    if losses:
        panels.append(lambda ax: validation(ax, losses))
    if name:
        panels.append(lambda ax: deviations(ax, numbers, name))
    if far:
        panels.append(lambda ax: drifts(ax, numbers, far))
    fig, axes = style.grid(len(panels), 2.3)
    for letter, ax, draw in zip("abc", axes, panels, strict=False):
        draw(ax)
        ax.set_title(letter, loc="left")
    handles = {
        label: handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    fig.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=style.legend_columns(fig),
    )
    return sheet.save(
        fig,
        "figure-S1-models",
        "Networks with fluxes through the cells' faces (staggered) or in their middles (central, "
        "as published), and one without fluxes (sigmoid): validation loss; root mean squared "
        "error (RMSE), grey: as far as training sequences go; largest change of a start's mean "
        f"of phi since the first frame (not below {FLOOR:g}).",
        "S1",
    )


def models_of(numbers, case: str) -> set[str]:
    """Models that are compared with the truth in a case."""
    return {n.model for n in numbers.cases[case].compared()} if case in numbers.cases else set()


def longest(numbers) -> str | None:
    """The case that goes farthest of those that most models went through."""
    reach = {
        name: (len({n.model for n in case.networks}), max(f.last for f in case.networks.values()))
        for name, case in numbers.cases.items()
        if case.networks
    }
    return max(reach, key=reach.get) if reach else None


def looks(network: Network) -> dict:
    return {"color": network.colour, "ls": network.line, "label": network.title}


def validation(ax, losses: dict) -> None:
    for network, history in losses.items():
        ax.plot(history["epoch"], history["validation_loss"], lw=0.9, **looks(network))
    ax.set(yscale="log", xlabel="epoch", ylabel="validation loss")
    style.decades(ax.yaxis)


def deviations(ax, numbers, name: str) -> None:
    found = numbers.cases[name].compared()
    for network, errors in found.items():
        ax.plot(errors.time[1:], errors.rmse[1:], **looks(network))
    log_time(ax, max((errors.time for errors in found.values()), key=len))
    ax.axvline(numbers.setup.horizon, **HORIZON)
    ax.set(ylabel=f"RMSE, {case_title(name)}", ylim=(0, min(HIGHEST, 1.05 * ax.dataLim.y1)))


def drifts(ax, numbers, name: str) -> None:
    found = numbers.cases[name].networks
    for network, followed in found.items():
        after = followed.time > 0
        drift = np.maximum(followed.drift, FLOOR)
        ax.plot(followed.time[after], drift[after], **looks(network))
    log_time(ax, max((followed.time for followed in found.values()), key=len))
    ax.set(yscale="log", ylabel=rf"largest $|\Delta\bar\phi|$, {case_title(name)}")
