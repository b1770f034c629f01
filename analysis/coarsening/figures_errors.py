"""Figures 5 and 8: error and interface displacement in time; and the error on the test set by frame
beside what needs no network.
"""

from pathlib import Path

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from analysis import style
from analysis.coarsening import surface
from analysis.coarsening.dataset import Run
from analysis.coarsening.errors import Errors
from analysis.coarsening.names import Network
from analysis.coarsening.sequence import frame_at, typical

SNAPSHOTS = 5
PERSISTENCE = {"color": style.GREY, "ls": "--", "lw": 0.9}
EXTRAPOLATION = {"color": style.GREY, "ls": ":", "lw": 1.1}
HORIZON = {"color": "#AAAAAA", "lw": 0.7, "zorder": -2}
Found = dict[tuple[str, Network], Errors]


def of_case(found: Found, case: str) -> dict[Network, Errors]:
    return {network: errors for (name, network), errors in found.items() if name == case}


HIGHEST = 1.0  # RMSE that a figure shows: beyond it a network has left every range


def log_time(ax, time: np.ndarray) -> None:
    """Time from its first frame after 0 on, on a log axis where it spans much."""
    after = time[time > 0]
    if len(after) > 1 and after[-1] / after[0] > 30:
        ax.set_xscale("log")
        ax.set_xlim(after[0] * 0.9, after[-1] * 1.1)
    ax.set_xlabel("time")


def decades(axis) -> None:
    """Labels at 1, 2 and 5 of each decade of a log axis, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def errors_in_time(
    run: Run, network: Network, found: Found, folder: Path, prefix: str
) -> tuple[str, str] | None:
    """Figure 5: snapshots of the longest case with truth, RMSE and interface displacement."""
    name = next((n for n in ("long", "slice", "test") if (n, network) in found), None)
    if name is None:
        return None
    errors, case = found[name, network], run.case(name)
    fig = style.figure(style.PAGE, 4.7)
    upper, lower = fig.subfigures(2, 1, height_ratios=(2.0, 1.9))
    start, at = (
        typical(errors),
        sorted({int(i) for i in np.linspace(0, len(errors.time) - 1, SNAPSHOTS).round()}),
    )
    axes = upper.subplots(2, len(at), squeeze=False)
    for column, k in zip(axes.T, at, strict=True):
        time = errors.time[k]
        surface.draw(column[0], case.truth.phi(frame_at(case.truth, time), start))
        surface.draw(
            column[1], case.networks[network].phi(frame_at(case.networks[network], time), start)
        )
        column[0].set_title(f"$t$ = {time:g}", fontsize=7)
    for line, text in zip(axes, ("truth", "prediction"), strict=True):
        line[0].text(
            -0.05,
            0.5,
            text,
            transform=line[0].transAxes,
            rotation=90,
            ha="right",
            va="center",
            fontsize=7,
        )
    left, right = lower.subplots(1, 2)
    for other, e in of_case(found, name).items():
        left.plot(e.time[1:], e.rmse[1:], color=other.colour, ls=other.line, label=other.title)
        right.plot(
            e.time[1:],
            np.sqrt((e.displacement[:, 1:] ** 2).mean(0)),
            color=other.colour,
            ls=other.line,
        )
    longest = max(of_case(found, name).values(), key=lambda e: len(e.time))
    left.plot(
        longest.time[1:],
        np.sqrt(longest.persistence.mean(0)[1:]),
        label="persistence",
        **PERSISTENCE,
    )
    left.plot(
        longest.time[1:],
        np.sqrt(2 * longest.variance.mean(0)[1:]),
        label="two unrelated fields",
        **EXTRAPOLATION,
    )
    right.axhline(run.interface_width, **PERSISTENCE)
    right.annotate(
        r"$\epsilon$",
        (1, run.interface_width),
        xycoords=("axes fraction", "data"),
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )
    left.set(ylabel="RMSE", ylim=(0, min(HIGHEST, 1.05 * left.dataLim.y1)))
    right.set(
        ylabel=r"displacement $\delta$ (length)",
        ylim=(0, min(3 * run.interface_width, 1.05 * right.dataLim.y1)),
    )
    for ax in (left, right):
        log_time(ax, longest.time)
        ax.axvline(run.horizon, **HORIZON)
    lower.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    starts = f"{len(errors.mse)} starts" if len(errors.mse) > 1 else "one start"
    return (
        style.save(fig, folder, f"{prefix}figure-5-errors"),
        f"{run.name}: figure 5 of the paper, case {name}, {starts}; surfaces: {network.title}. Left: root mean squared error on the "
        "network's grid; dashed: persistence; dotted: two unrelated fields of the truth's variance. Right: rms interface displacement by "
        "the paper's eq. 4, RMSE sqrt(epsilon V / F). Dashed: epsilon, the width of an interface. Grey: as far as training sequences go.",
    )


def against_grids(
    run: Run, network: Network, found: Found, folder: Path, prefix: str
) -> tuple[str, str] | None:
    """Figure 8: the error on the network's grid and against the solver's."""
    name = next(
        (
            n
            for n in ("long", "slice", "test")
            if (n, network) in found and found[n, network].full is not None
        ),
        None,
    )
    if name is None:
        return None
    errors = found[name, network]
    fig = style.figure(style.COLUMN, 2.5)
    ax = fig.subplots()
    shown = (
        np.maximum(errors.time, 0.5 * errors.time[1]) if len(errors.time) > 1 else errors.time
    )  # 0 has no place on a log axis
    ax.plot(
        shown, np.sqrt(errors.full.mean(0)), color=style.BLUE, label="against the solver's grid"
    )
    ax.plot(shown, errors.rmse, color=style.VERMILION, label="after downscaling the truth")
    log_time(ax, shown)
    ax.plot(shown[:1], np.sqrt(errors.full.mean(0))[:1], "o", color=style.BLUE, clip_on=False)
    ax.plot(shown[:1], errors.rmse[:1], "o", color=style.VERMILION, clip_on=False)
    ax.set(ylabel="RMSE", ylim=(0, None))
    fig.legend(loc="outside upper center")
    return (
        style.save(fig, folder, f"{prefix}figure-8-grids"),
        f"{run.name}: figure 8 of the paper, case {name}, {network.title}: the same prediction, linear between its cells, against the "
        f"truth on the solver's grid, and against the truth downscaled ({run.system('downscaling').replace('_', ' ')}). "
        "Circles: the start, t = 0, where the first is the error of downscaling alone.",
    )


def by_frame(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """RMSE of each frame of the test sequences, beside persistence and extrapolation."""
    shown = {network: t for network, t in run.trained.items() if t.loss is not None}
    if not shown:
        return None
    fig = style.figure(style.COLUMN, 2.6)
    ax = fig.subplots()
    time = run.interval * np.arange(next(iter(shown.values())).loss.shape[1])
    for network, t in shown.items():
        middle = np.sqrt(t.loss.mean(axis=0))
        low, high = np.sqrt(np.percentile(t.loss, (16, 84), axis=0))
        ax.plot(time[1:], middle[1:], color=network.colour, ls=network.line, label=network.title)
        ax.fill_between(time[1:], low[1:], high[1:], color=network.colour, alpha=0.2, lw=0)
    first = next(iter(shown.values()))
    ax.plot(time[1:], np.sqrt(first.persistence.mean(0)[1:]), label="persistence", **PERSISTENCE)
    ax.plot(
        time[2:],
        np.sqrt(first.extrapolation.mean(0)[2:]),
        label="linear extrapolation",
        **EXTRAPOLATION,
    )
    ax.set(yscale="log", xlabel="time since the first frame", ylabel="RMSE")
    decades(ax.yaxis)
    fig.legend(loc="outside upper center", ncols=2)
    n = len(first.loss)
    return (
        style.save(fig, folder, f"{prefix}test-errors"),
        f"{run.name}: free-running predictions of the {n} test sequences, root of the mean squared error over them by frame; band: 16 to "
        "84% of the sequences. Dashed: persistence. Dotted: the straight line through the first two true frames.",
    )
