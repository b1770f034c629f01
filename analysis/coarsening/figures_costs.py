"""Figure 7, cost against size; and the honest table as a figure: time of a frame against error,
each method a point or curve.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.coarsening import costs
from analysis.coarsening.dataset import Run
from analysis.coarsening.error_figures import decades

SOLVER_COLOURS = {
    "explicit": "#222222",
    "first_order": style.PURPLE,
    "second_order": style.ORANGE,
    "adaptive": style.SKY,
}
SOLVER_MARKERS = {"explicit": "X", "first_order": "v", "second_order": "D", "adaptive": "o"}


def against_size(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """Seconds of a frame against cells, a point for each box that a network went through."""
    found = {network: costs.by_size(run, network) for network in run.networks}
    found = {network: values for network, values in found.items() if len(np.unique(values[0])) > 1}
    if not found:
        return None
    fig = style.figure(style.COLUMN, 2.5)
    ax = fig.subplots()
    own = run.network_size**3
    for index, (network, (cells, seconds, _)) in enumerate(found.items()):
        same = (
            np.median(seconds[cells == own])
            if (cells == own).any()
            else seconds[0] * own / cells[0]
        )
        slope = costs.growth(cells, seconds)
        ax.plot(
            cells / own,
            seconds / same,
            style.marker(index),
            color=network.colour,
            mfc="none",
            label=f"{network.title}: {slope}",
        )
        reach = np.array([min(cells) / own, max(cells) / own])
    ax.plot(reach, reach, label="linear", color=style.GREY, ls="--", lw=0.9)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="cells / cells of the training box",
        ylabel="time of a frame / same",
    )
    decades(ax.xaxis)
    decades(ax.yaxis)
    ax.legend(title="exponent", title_fontsize=7)
    return (
        style.save(fig, folder, f"{prefix}figure-7-cost"),
        f"{run.name}: figure 7 of the paper: wall time of a frame against the number of cells, over that of a box of the training's size "
        f"({run.network_size}^3); a point a case of one start. Dashed: linear.",
    )


def time_and_error(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """Both errors of costs.h5."""
    rows = costs.table(run)
    if not rows:
        return None
    fig = style.figure(style.PAGE, 3.1)
    axes = fig.subplots(1, 2, sharey=True)
    for ax, name, label in zip(
        axes, ("rmse", "free_energy_error"), ("RMSE", "relative error of $F$"), strict=True
    ):
        for method, title in costs.SOLVERS.items():
            points = costs.solver(rows, method)
            if points:
                errors = np.array([getattr(p, name) for p in points])
                seconds = np.array(
                    [[p.seconds, p.seconds - p.least, p.most - p.seconds] for p in points]
                ).T
                ax.errorbar(
                    errors,
                    seconds[0],
                    np.abs(seconds[1:]),
                    fmt=SOLVER_MARKERS[method] + "-",
                    color=SOLVER_COLOURS[method],
                    lw=0.9,
                    label=title,
                )
        for row in rows:
            if row.network is not None:
                ax.errorbar(
                    [getattr(row, name)],
                    [row.seconds],
                    [[row.seconds - row.least], [row.most - row.seconds]],
                    fmt="*",
                    ms=9,
                    color=row.network.colour,
                    label=row.title,
                    zorder=4,
                )
        still = run.costs.get(f"persistence_{name}")
        if still:
            ax.axvline(float(still), color=style.GREY, ls="--", lw=0.9, label="persistence")
        ax.set(
            xscale="log",
            yscale="log",
            xlabel=f"{label} after {run.costs.get('frames', '?')} frames",
        )
    axes[0].set_ylabel("seconds a frame")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    device = str(run.costs.get("device", "a device not recorded"))
    return (
        style.save(fig, folder, f"{prefix}costs"),
        f"{run.name}: time and error of every method from one start in a box of {run.system('size')}^3 cells of the solver's grid, on "
        f"{device}, {run.costs.get('threads', '?')} thread(s), float32, against {run.costs.get('reference', 'the converged solution')}; "
        "bars: quickest and slowest repeat. Left and below is better. All solve the same semi-discrete equations, the networks on their "
        "coarse grid.",
    )
