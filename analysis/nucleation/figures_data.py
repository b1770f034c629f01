"""Figures of the data set: p_nuc in time (figure 1) and against m (figure 2), lifetimes, balance.

Every function takes the records, writes PNG and PDF into `folder` and returns the picture.
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.estimates import wilson
from analysis.nucleation import labels, paper
from analysis.nucleation.labels import MEASURED, P_NUC, minus
from analysis.nucleation.measure import POINTS
from analysis.page import Picture
from analysis.record import Record


def in_time(records: list[Record], folder: Path) -> Picture:
    """Figure 1: p_nuc against time before nucleation."""
    together = len(records) <= 2
    fig, axes = style.grid(1 if together else len(records), 2.6)
    for i, record in enumerate(records):
        ax = axes[0] if together else axes[i]
        _in_time(ax, record, i if together else 0)
        if not together:
            ax.set_title(record.origin.system)
    left = min(float(r.numbers.in_time.time.min(initial=-1)) for r in records)
    for ax in axes:
        ax.axvline(0, color=style.GREY, lw=0.8, ls="--")
        ax.set(xlabel="time before nucleation, t (MCS)", ylabel=P_NUC, ylim=(-0.03, 1.03))
        ax.set_xlim(left * 1.03, max(1, -left * 0.03))
        ax.annotate(
            r"$m \leq 0$",
            (0, 0.04),
            xytext=(-2, 0),
            textcoords="offset points",
            ha="right",
            color=style.GREY,
            fontsize=7,
        )
    color = style.colour(0) if len(records) == 1 or not together else style.GREY
    axes[0].plot([], [], color=color, lw=1.2, label="mean of all events; band: 16 to 84%")
    handles, names = axes[0].get_legend_handles_labels()
    if not together:
        names = [names[0], *("one event" for _ in names[1:])]
    fig.legend(handles, names, loc="outside upper center", ncols=1 if together else 2)
    caption = (
        "p_nuc against time before m <= 0. Markers: one event, which passes p_nuc = 1/2 when the median event does, with 68% Wilson "
        "intervals of its copies, joined where it was measured in each MCS; line and band: mean and 16 to 84% range over all events."
    )
    if any(r.numbers.generated.gaps for r in records):
        caption += (
            " At times where a first few copies all ended alike, p_nuc was not measured further; they count as 0 or "
            "1 in the mean and the range."
        )
    return Picture(style.save(fig, folder, "figure-1-p_nuc-in-time"), caption, "1")


def _in_time(ax, record: Record, index: int) -> None:
    curves, color = record.numbers.in_time, style.colour(index)
    ax.fill_between(curves.time, curves.low, curves.high, color=color, alpha=0.18, lw=0)
    ax.plot(curves.time, curves.mean, color=color, lw=1.2)
    if len(curves.shown_time) == 0:
        return
    p = curves.nucleated / curves.copies
    low, high = wilson(curves.nucleated, curves.copies)
    ax.errorbar(
        curves.shown_time,
        p,
        yerr=np.maximum([p - low, high - p], 0),
        color=color,
        marker=style.marker(index),
        mfc="white",
        ms=3,
        ls="",
        elinewidth=0.7,
        label=f"one event, {record.origin.system}",
    )
    for part in np.split(np.arange(len(p)), np.flatnonzero(np.diff(curves.shown_time) > 1.5) + 1):
        ax.plot(curves.shown_time[part], p[part], color=color, lw=0.5)


def against_magnetization(records: list[Record], folder: Path) -> Picture:
    """Figure 2: p_nuc against m in the balanced data, with the conditional mean."""
    fig, axes = style.grid(len(records), 2.4)
    for ax, record in zip(axes, records, strict=True):
        found = record.numbers.against_m
        ax.scatter(
            found.m,
            found.p,
            s=3,
            lw=0,
            color=style.SKY,
            alpha=0.5 if len(found.m) < 1500 else 0.3,
            rasterized=True,
        )
        title = record.origin.system
        if len(found.m):
            ax.errorbar(
                found.bin_m,
                found.bin_p,
                found.bin_error,
                color=style.VERMILION,
                marker="o",
                ms=2.8,
                lw=1,
                label=r"mean of $p_\mathrm{nuc}$ given $m$",
            )
            title += f"\ncorrelation {record.numbers.quantities[labels.CORRELATION]}"
            ax.set_xlim(*shown_range(record))
        ax.set_title(title.replace(" -", " \N{MINUS SIGN}"))
        ax.set(xlabel="magnetization, m", ylabel=P_NUC, ylim=(-0.03, 1.03))
    legends = [found for ax in axes if (found := ax.get_legend_handles_labels())[0]]
    if legends:
        fig.legend(*legends[0], loc="outside lower center")
    alone = "; ".join(
        f"{r.origin.system}: {r.numbers.quantities[labels.EXPLAINED]}" for r in records
    )
    spearman = [r.numbers.quantities.get(labels.RANKS) for r in records]
    of_ranks = [f"{s} ({r.origin.system})" for s, r in zip(spearman, records, strict=True)]
    ranks = (
        f"; of the ranks, in which the few configurations far off count no more than others, {', '.join(of_ranks)}"
        if all(spearman)
        else ""
    )
    return Picture(
        style.save(fig, folder, "figure-2-p_nuc-against-m"),
        "Measured p_nuc against magnetization (stable direction: -1), one point a balanced "
        f"configuration (at most {POINTS} shown; m from 0.725 to 0.825 where the paper shows the system, else without those of "
        "the smallest 1% that lie below all bins), with the mean of p_nuc given m in bins of "
        "equal occupation (errors: bootstrap over events; some are smaller than the markers) and Pearson's correlation, which "
        f"the paper calls very weak{ranks}. Share of the variance of p_nuc that the conditional mean explains, straight line or "
        f"not: {alone}.",
        "2",
    )


def shown_range(record: Record) -> tuple[float, float]:
    """Of m: the paper's own where there is one, else all but the smallest 1%, and all bins."""
    system, found = paper.find(record.numbers.system), record.numbers.against_m
    if system is not None and system.magnetization is not None:
        return system.magnetization
    least = min(np.quantile(found.m, 0.01), *found.bin_m)
    return float(least - 0.01), float(found.m.max() + 0.01)


def lifetimes(records: list[Record], folder: Path) -> Picture:
    """Survival of the metastable state against the exponential with the measured mean."""
    fig = style.figure(style.COLUMN, 2.3 + 0.3 * len(records))
    ax = fig.subplots()
    reach, fewest = 3.0, 0.1
    for i, record in enumerate(records):
        tau, cv = (record.numbers.quantities[n] for n in (labels.LIFETIME, labels.VARIATION))
        t = np.sort(record.numbers.lifetime.astype(float)) / tau.value
        alive = 1 - np.arange(len(t) + 1) / len(t)
        reach, fewest = max(reach, t[-1]), min(fewest, 0.5 / len(t))
        ax.step(
            np.concatenate([[0], t]),
            alive,
            where="post",
            color=style.colour(i),
            ls=style.line(i),
            label=f"{record.origin.system}: {len(t)} events\n"
            + r"$\tau$ = "
            + f"{tau} MCS, CV {cv}",
        )
        low, high = wilson(np.arange(len(t), -1, -1), len(t))
        ax.fill_between(
            np.append(0, t), low, high, step="post", color=style.colour(i), alpha=0.18, lw=0
        )
    x = np.linspace(0, reach, 100)
    ax.plot(x, np.exp(-x), color="black", ls="--", lw=0.9, label=r"exp($-t/\tau$)")
    ax.set(
        yscale="log",
        ylim=(fewest, 1.3),
        xlim=(0, None),
        xlabel=r"time since the field flip / mean lifetime, $t/\tau$",
        ylabel="share still metastable",
    )
    fig.legend(loc="outside upper center")
    return Picture(
        style.save(fig, folder, "lifetimes"),
        "Survival of the metastable state: share of events with m > 0 until t (band: 68% Wilson interval), "
        "time in units of the measured mean lifetime tau; dashed: the exponential law of a memoryless decay, "
        "whose coefficient of variation CV is 1. A flat start or CV < 1 is the time that relaxation and "
        "droplet growth take.",
    )


def balance(records: list[Record], folder: Path) -> Picture:
    """Histogram of p_nuc before and after balancing."""
    fig, axes = style.grid(len(records), 1.9)
    for ax, record in zip(axes, records, strict=True):
        before, after = record.numbers.balance.before, record.numbers.balance.after
        edges = np.linspace(0, 1, len(before) + 1)
        ax.stairs(before, edges, color=style.GREY, label=f"all labels ({before.sum()})")
        ax.stairs(
            after, edges, fill=True, color=style.BLUE, alpha=0.7, label=f"balanced ({after.sum()})"
        )
        ax.set(
            yscale="log",
            xlim=(0, 1),
            ylim=(0.7, 10 * max(10, before.max(initial=1))),  # room for the legend
            xlabel=MEASURED,
            ylabel="configurations",
            title=minus(record.origin.system),
        )
        ax.legend(loc="upper center")
    return Picture(
        style.save(fig, folder, "balance"),
        "Labels before and after balancing: number of configurations in each bin of p_nuc; after balancing "
        "each bin keeps as many as the rarest, so that p_nuc is uniform.",
    )
