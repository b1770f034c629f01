"""Figure 1, its curves: training and validation loss by epoch, the curriculum marked."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.coarsening.dataset import Run, Trained
from analysis.coarsening.names import Network


def curriculum(trained: Trained) -> float | None:
    """Last epoch in which a network was given more than the first frame; None: there was none."""
    given = trained.history.get("given")
    more = np.flatnonzero(given > 1) if given is not None else []
    return float(trained.history["epoch"][more[-1]]) if len(more) else None


def learning(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """A panel a network."""
    shown = {network: t for network, t in run.trained.items() if len(t.history.get("epoch", ()))}
    if not shown:
        return None
    fig, axes = style.grid(len(shown), 2.3)
    for ax, (network, trained) in zip(axes, shown.items(), strict=True):
        panel(ax, network, trained)
        ax.label_outer() if len(axes) > 1 else None
    low = min(ax.get_ylim()[0] for ax in axes)
    high = max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return (
        style.save(fig, folder, f"{prefix}figure-1-learning"),
        f"{run.name}: figure 1b of the paper: mean squared error of phi by epoch. Grey: the curriculum, in which the training loss is of "
        "an easier task (fewer frames to predict); the validation loss is always of whole sequences from their first frame. Circle: the "
        "epoch kept. Dashed: persistence on the test set, the first frame for all.",
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
        ax.axvspan(
            history["epoch"][0] - 0.5,
            end + 0.5,
            color="#E4E4E4",
            lw=0,
            zorder=-2,
            label="curriculum",
        )
    best = trained.attributes.get("best_epoch")
    if best is not None:
        ax.plot([best], [trained.validation_loss], "o", mfc="none", color="black", ms=5)
    if trained.persistence is not None:
        ax.axhline(
            trained.persistence[:, 1:].mean(),
            color=style.GREY,
            lw=0.8,
            ls="--",
            label="persistence",
        )
    ax.set(yscale="log", xlabel="epoch", ylabel="mean squared error", title=network.title)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
