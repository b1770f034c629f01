"""Figure 7, cost against size; and time of a frame against error, each method a point or curve."""

import numpy as np

from analysis import style
from analysis.coarsening import costs
from analysis.coarsening.costs import Costs
from analysis.coarsening.figures_errors import PERSISTENCE
from analysis.coarsening.measure import Numbers
from analysis.page import Picture
from analysis.sheet import Sheet

SOLVER_COLOURS = {
    "explicit": "#222222",
    "first_order": style.PURPLE,
    "second_order": style.ORANGE,
    "adaptive": style.SKY,
}
SOLVER_MARKERS = {"explicit": "X", "first_order": "v", "second_order": "D", "adaptive": "o"}


def against_size(sheet: Sheet) -> Picture | None:
    """Seconds of a frame against cells, a point for each box that a network went through."""
    numbers: Numbers = sheet.numbers
    found = {network: costs.by_size(numbers.cases, network) for network in numbers.networks}
    found = {network: (c, s) for network, (c, s, _) in found.items() if len(np.unique(c)) > 1}
    if not found:
        return None
    fig = style.figure(style.COLUMN, 2.5)
    ax = fig.subplots()
    own = numbers.setup.network_size**3
    for index, (network, (cells, seconds)) in enumerate(found.items()):
        same = seconds[0] * own / cells[0]
        if (cells == own).any():
            same = np.median(seconds[cells == own])
        label = f"{network.title}: {costs.growth(cells, seconds)}"
        marker, looks = style.marker(index), {"color": network.colour, "mfc": "none"}
        ax.plot(cells / own, seconds / same, marker, label=label, **looks)
    all_cells = np.concatenate([cells for cells, _ in found.values()])
    reach = np.array([all_cells.min(), all_cells.max()]) / own
    ax.plot(reach, reach, label="linear", color=style.GREY, ls="--", lw=0.9)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="cells / cells of the training box",
        ylabel="time of a frame / same",
    )
    style.decades(ax.xaxis)
    style.decades(ax.yaxis)
    ax.legend(title="exponent", title_fontsize=7)
    return sheet.save(
        fig,
        "figure-7-cost",
        "Wall time of a frame against the number of cells, over that of a box of the training's "
        f"size ({numbers.setup.network_size}^3); a point a case of one start. Dashed: linear.",
        "7",
    )


def time_and_error(sheet: Sheet) -> Picture | None:
    """Both errors of the table of costs."""
    found: Costs | None = sheet.numbers.costs
    if found is None:
        return None
    fig = style.figure(style.PAGE, 3.1)
    axes = fig.subplots(1, 2, sharey=True)
    for ax, name, label in zip(
        axes, ("rmse", "free_energy_error"), ("RMSE", "relative error of $F$"), strict=True
    ):
        panel(ax, found, name)
        ax.set(xscale="log", yscale="log", xlabel=f"{label} after {found.frames or '?'} frames")
    axes[0].set_ylabel("seconds a frame")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    threads = f", {found.threads} thread{'s' * (found.threads != 1)}" if found.threads else ""
    return sheet.save(
        fig,
        "costs",
        "Time and error of every method from one start in a box of "
        f"{sheet.numbers.setup.size}^3 cells of the solver's grid, on {found.device}"
        f"{threads * (threads not in ', ' + found.device)}, float32, against {found.reference}; "
        "bars: quickest and slowest repeat. Left and below is better. All solve the same "
        "semi-discrete equations, the networks on their coarse grid.",
    )


def panel(ax, table: Costs, name: str) -> None:
    for method, title in costs.SOLVERS.items():
        rows = costs.solver(table.rows, method)
        if rows:
            looks = {"color": SOLVER_COLOURS[method], "lw": 0.9}
            bars(ax, rows, name, fmt=SOLVER_MARKERS[method] + "-", label=title, **looks)
    for row in table.rows:
        if row.network is not None:
            looks = {"color": row.network.colour, "ms": 9, "zorder": 4}
            bars(ax, [row], name, fmt="*", label=row.title, **looks)
    still = getattr(table, f"persistence_{name}")
    if np.isfinite(still) and still > 0:
        ax.axvline(still, label="persistence", **PERSISTENCE)


def bars(ax, measured: list[costs.Cost], name: str, **looks) -> None:
    """Seconds against an error, from the quickest to the slowest repeat."""
    errors, seconds, least, most = np.array(
        [[getattr(row, name), row.seconds, row.least, row.most] for row in measured]
    ).T
    ax.errorbar(errors, seconds, np.abs([seconds - least, most - seconds]), **looks)
