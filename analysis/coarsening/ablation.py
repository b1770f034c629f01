"""Figure S1: what the layer that conserves phi is good for."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.coarsening.dataset import Run
from analysis.coarsening.error_figures import HIGHEST, Found, decades, log_time, of_case
from analysis.coarsening.rollouts import Rollout

FLOOR = 1e-10  # of the drift: below it only round-off is left


def drift(rollout: Rollout) -> np.ndarray:
    """Largest change of a start's mean since the first frame, over the starts, (t,)."""
    mean = rollout.series["mean"]
    return np.abs(mean - mean[:, :1]).max(axis=0)


def longest(run: Run) -> str | None:
    """The case that goes farthest of those that most models went through."""
    reach = {
        name: (
            len({network.model for network in case.networks}),
            max(rollout.series_time[-1] for rollout in case.networks.values()),
        )
        for name, case in run.cases.items()
        if case.networks
    }
    return max(reach, key=lambda name: reach[name]) if reach else None


def models(run: Run, found: Found, folder: Path, prefix: str) -> tuple[str, str] | None:
    """Validation loss, RMSE and drift of the mean of all networks; needs two models."""
    if len({network.model for network in run.networks}) < 2:
        return None
    trained = {n: t for n, t in run.trained.items() if "validation_loss" in t.history}
    name = next(
        (n for n in ("long", "slice", "test") if len({k.model for k in of_case(found, n)}) > 1),
        None,
    )
    far = longest(run)
    panels = [what for what, there in (("loss", trained), ("rmse", name), ("drift", far)) if there]
    fig, axes = style.grid(len(panels), 2.3)
    for letter, ax, what in zip("abc", axes, panels, strict=False):
        if what == "loss":
            for network, t in trained.items():
                ax.plot(
                    t.history["epoch"],
                    t.history["validation_loss"],
                    color=network.colour,
                    ls=network.line,
                    lw=0.9,
                    label=network.title,
                )
            ax.set(yscale="log", xlabel="epoch", ylabel="validation loss")
            decades(ax.yaxis)
        elif what == "rmse":
            for network, errors in of_case(found, name).items():
                ax.plot(
                    errors.time[1:],
                    errors.rmse[1:],
                    color=network.colour,
                    ls=network.line,
                    label=network.title,
                )
            log_time(ax, max((errors.time for errors in of_case(found, name).values()), key=len))
            ax.axvline(run.horizon, color="#AAAAAA", lw=0.7, zorder=-2)
            ax.set(ylabel=f"RMSE, case {name}", ylim=(0, min(HIGHEST, 1.05 * ax.dataLim.y1)))
        else:
            for network, rollout in run.cases[far].networks.items():
                after = rollout.series_time > 0
                ax.plot(
                    rollout.series_time[after],
                    np.maximum(drift(rollout), FLOOR)[after],
                    color=network.colour,
                    ls=network.line,
                    label=network.title,
                )
            log_time(
                ax,
                max((rollout.series_time for rollout in run.cases[far].networks.values()), key=len),
            )
            ax.set(yscale="log", ylabel=rf"largest $|\Delta\bar\phi|$, case {far}")
        ax.set_title(letter, loc="left")
    handles = {
        label: handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return (
        style.save(fig, folder, f"{prefix}figure-S1-models"),
        f"{run.name}: figure S1 of the paper: networks with fluxes through the cells' faces (staggered) or in their middles (central, as "
        "published), and without fluxes (sigmoid). a: validation loss. b: root mean squared error; grey: as far as training sequences go. "
        f"c: largest change of a start's mean since the first frame (not below {FLOOR:g}).",
    )
