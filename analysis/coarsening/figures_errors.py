"""Figures 5 and 8: error and interface displacement in time."""

import numpy as np

from analysis import style
from analysis.coarsening import surface
from analysis.coarsening.figures_fields import beside
from analysis.coarsening.labels import case_title
from analysis.coarsening.shots import LONGEST_FIRST
from analysis.page import Picture
from analysis.sheet import Sheet

PERSISTENCE = {"color": style.GREY, "ls": "--", "lw": 0.9}
EXTRAPOLATION = {"color": style.GREY, "ls": ":", "lw": 1.1}
SENSITIVITY = {"color": style.GREY, "alpha": 0.25, "lw": 0, "zorder": -3}
KNOWN = "the truth's sensitivity"
KNOWN_IS = "the solver itself, started from what the network's grid keeps of the start"
HORIZON = {"color": "#AAAAAA", "lw": 0.7, "zorder": -2}
HIGHEST = 1.0  # RMSE that a figure shows: beyond it a network has left every range


def log_time(ax, time: np.ndarray) -> None:
    """Time from its first frame after 0 on, on a log axis where it spans much."""
    after = time[time > 0]
    if len(after) > 1 and after[-1] / after[0] > 30:
        ax.set_xscale("log")
        ax.set_xlim(after[0] * 0.9, after[-1] * 1.1)
    ax.set_xlabel("time")


def in_time(sheet: Sheet) -> Picture | None:
    """Figure 5: snapshots of the longest case with truth, RMSE and interface displacement."""
    numbers = sheet.numbers
    network = numbers.main()
    name = numbers.longest(network) if network is not None else None
    if name is None or numbers.cases[name].sequence is None:
        return None
    case = numbers.cases[name]
    width = numbers.setup.interface_width
    fig = style.figure(style.PAGE, 4.7)
    upper, lower = fig.subfigures(2, 1, height_ratios=(2.0, 1.9))
    snapshots(upper, case.sequence)
    left, right = lower.subplots(1, 2)
    for other, e in case.compared().items():
        looks = {"color": other.colour, "ls": other.line}
        left.plot(e.time[1:], e.rmse[1:], label=other.title, **looks)
        right.plot(e.time[1:], e.displacement[1:], **looks)
    longest = max(case.compared().values(), key=lambda e: len(e.time))
    known = case.sensitivity.errors if case.sensitivity is not None else None
    if known is not None:
        for ax, values in ((left, known.rmse), (right, known.displacement)):
            ax.fill_between(known.time[1:], 0, values[1:], label=KNOWN, **SENSITIVITY)
    still, unrelated = np.sqrt([longest.persistence, 2 * longest.variance])
    left.plot(longest.time[1:], still[1:], label="persistence", **PERSISTENCE)
    left.plot(longest.time[1:], unrelated[1:], label="two unrelated fields", **EXTRAPOLATION)
    right.axhline(width, **PERSISTENCE)
    at_the_right = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    right.annotate(r"$\epsilon$", (1, width), xytext=(2, 0), va="center", **at_the_right)
    left.set(ylabel="RMSE", ylim=(0, min(HIGHEST, 1.05 * left.dataLim.y1)))
    highest = min(3 * width, 1.05 * right.dataLim.y1)
    right.set(ylabel=r"displacement $\delta$ (length)", ylim=(0, highest))
    for ax in (left, right):
        log_time(ax, longest.time)
        ax.axvline(numbers.setup.horizon, **HORIZON)
    lower.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    starts = f"{longest.starts} starts" if longest.starts > 1 else "one start"
    return sheet.save(
        fig,
        "figure-5-errors",
        f"{case_title(name).capitalize()}, {starts}; surfaces: {case.sequence.network.title}. "
        "Left: root mean squared error (RMSE) on the network's grid; dashed: persistence, the first frame for "
        "all; dotted: two unrelated fields of the truth's variance. Right: rms displacement of "
        "the interfaces by the paper's eq. 4, RMSE sqrt(epsilon V / F); dashed: epsilon, the "
        "width of an interface. "
        + (f"Grey area: {KNOWN_IS}; no network can be expected below. " if known else "")
        + "Grey line: as far as training sequences go.",
        "5",
    )


def snapshots(fig, shots) -> None:
    """Truth above prediction, where there is a truth."""
    at = np.flatnonzero(shots.there)
    axes = fig.subplots(2, len(at), squeeze=False)
    for column, k in zip(axes.T, at, strict=True):
        for ax, row in zip(column, (shots.truth, shots.prediction), strict=True):
            surface.draw(ax, shots.image(row[k]))
        column[0].set_title(f"$t$ = {shots.time[k]:g}", fontsize=7)
    for line, text in zip(axes, ("truth", "prediction"), strict=True):
        beside(line[0], text)


def against_grids(sheet: Sheet) -> Picture | None:
    """Figure 8: the error on the network's grid and against the solver's."""
    numbers = sheet.numbers
    network = numbers.main()
    found = {n: numbers.errors(n, network) for n in LONGEST_FIRST}
    name = next((n for n, e in found.items() if e is not None and e.full is not None), None)
    if name is None:
        return None
    errors = found[name]
    fig = style.figure(style.COLUMN, 2.5)
    ax = fig.subplots()
    first = 0.5 * errors.time[1] if len(errors.time) > 1 else 0  # 0 has no place on a log axis
    shown = np.maximum(errors.time, first)
    for values, colour, label in (
        (np.sqrt(errors.full), style.BLUE, "against the solver's grid"),
        (errors.rmse, style.VERMILION, "after downscaling the truth"),
    ):
        ax.plot(shown, values, color=colour, label=label)
        ax.plot(shown[:1], values[:1], "o", color=colour, clip_on=False)
    log_time(ax, shown)
    ax.set(ylabel="RMSE", ylim=(0, None))
    fig.legend(loc="outside upper center")
    return sheet.save(
        fig,
        "figure-8-grids",
        f"{case_title(name).capitalize()}, {network.title}: root mean squared error (RMSE) of the "
        "same prediction, linear between its cells, against the truth on the solver's grid, and "
        f"against the truth downscaled ({numbers.setup.downscaling.replace('_', ' ')}). Circles: "
        "the start, t = 0, where the first is the error of downscaling alone.",
        "8",
    )
