"""Figures of the data set: p_nuc in time (figure 1), p_nuc against m (figure 2), lifetimes,
balance.

Every function takes the runs, writes PNG and PDF into `folder` and returns (file name, caption).
"""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.estimates import wilson
from analysis.nucleation import estimates
from analysis.nucleation.dataset import Run

POINTS = 4000  # markers in a scatter panel; more only add ink


def typical_event(run: Run) -> int:
    """Row in run.history of the event whose age at p_nuc = 1/2 is nearest the median: the one
    shown.

    Events that lived through the whole recorded history are preferred: their early frames exist.
    """
    events, ages = estimates.crossing_ages(run.raw.event, run.raw.time, run.raw.p_nuc, 0.5)
    middle = np.median(ages) if len(ages) else np.inf
    age = dict(zip(events.tolist(), ages.tolist(), strict=True))
    frames = run.history.shape[1] - 1

    def oddness(row: int) -> tuple:
        event = int(run.history_event[row])
        own = age.get(event, np.inf)
        distance = (
            0.0
            if own == middle
            else abs(own - middle)
            if np.isfinite(own) and np.isfinite(middle)
            else np.inf
        )
        return run.lifetime[event] < frames, distance

    return min(range(len(run.history_event)), key=oddness)


def labels_of(run: Run, event: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(time, nucleated, copies) of one event's labels, in order of time."""
    rows = run.raw.event == event
    return run.raw.time[rows], run.raw.nucleated[rows], run.raw.copies[rows]


def by_time(run: Run) -> tuple[np.ndarray, ...]:
    """(time, mean p, 16% quantile, 84% quantile) over all events with labels.

    Adaptive runs leave times of p near 0 or 1 mostly unlabelled; averaging what is labelled would
    be biased towards the undecided. An event's missing times are interpolated between its labels (p
    = 1 at t = 0) instead.
    """
    time = np.arange(run.raw.time.min(initial=0), 0)
    events, first = np.unique(run.raw.event, return_index=True)
    p = np.full((len(events), len(time)), np.nan)
    groups = np.split(np.arange(len(run.raw.event)), first[1:])
    for row, event, labels in zip(
        p, events, groups, strict=False
    ):  # no labels: no events, one empty group
        known, values = np.append(run.raw.time[labels], 0), np.append(run.raw.p_nuc[labels], 1)
        row[:] = np.where(time >= -run.lifetime[event], np.interp(time, known, values), np.nan)
    if p.size == 0:
        return (np.empty(0),) * 4
    return time, np.nanmean(p, axis=0), *np.nanquantile(p, [0.16, 0.84], axis=0)


def evolution(runs: list[Run], folder: Path) -> tuple[str, str]:
    """Figure 1: p_nuc against time before nucleation."""
    together = len(runs) <= 2
    fig, axes = style.grid(1 if together else len(runs), 2.6)
    for i, run in enumerate(runs):
        ax = axes[0] if together else axes[i]
        color = style.colour(i if together else 0)
        time, average, low, high = by_time(run)
        ax.fill_between(time, low, high, color=color, alpha=0.18, lw=0)
        ax.plot(time, average, color=color, lw=1.2)
        if len(run.history_event):
            t, k, n = labels_of(run, int(run.history_event[typical_event(run)]))
            low, high = wilson(k, n)
            ax.errorbar(
                t,
                k / n,
                yerr=np.maximum([k / n - low, high - k / n], 0),
                color=color,
                marker=style.marker(i if together else 0),
                ms=2.6,
                lw=0.5,
                elinewidth=0.7,
                label=run.system.name,
            )
        if not together:
            ax.set_title(run.system.name)
    for ax in axes:
        ax.axvline(0, color=style.GREY, lw=0.8, ls="--")
        ax.set(
            xlabel="time before nucleation, t (MCS)",
            ylabel=r"nucleation probability, $p_\mathrm{nuc}$",
            ylim=(-0.03, 1.03),
        )
        left = min((run.raw.time.min(initial=-1) for run in runs), default=-1)
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
    axes[0].plot([], [], color=style.GREY, lw=1.2, label="mean of all events; band: 16 to 84%")
    handles, labels = axes[0].get_legend_handles_labels()
    if not together:
        labels = [labels[0], *("one event" for _ in labels[1:])]
    fig.legend(handles, labels, loc="outside upper center", ncols=1 if together else 2)
    caption = (
        "Figure 1 of the paper: p_nuc against time before m <= 0. Markers: one typical event, with 68% "
        "Wilson intervals of its copies; line and band: mean and 16 to 84% range over all events."
    )
    if any(
        len(run.raw.time) < np.minimum(run.lifetime, -run.raw.time.min(initial=0)).sum()
        for run in runs
    ):
        caption += (
            " Times without labels (adaptive runs) are interpolated for the mean and the range."
        )
    return style.save(fig, folder, "figure-1-p_nuc-in-time"), caption


def against_magnetization(runs: list[Run], folder: Path) -> tuple[str, str]:
    """Figure 2: p_nuc against m in the balanced data, with the conditional mean."""
    fig, axes = style.grid(len(runs), 2.4)
    generator = np.random.default_rng(0)
    for ax, run in zip(axes, runs, strict=True):
        m, p = run.magnetization, run.p_nuc
        shown = generator.permutation(len(m))[:POINTS]
        ax.scatter(
            m[shown],
            p[shown],
            s=3,
            lw=0,
            color=style.SKY,
            alpha=0.5 if len(shown) < 1500 else 0.3,
            rasterized=True,
        )
        if len(m):
            x, y, error = estimates.conditional_mean(run.event, m, p)
            ax.errorbar(
                x,
                y,
                error,
                color=style.VERMILION,
                marker="o",
                ms=2.8,
                lw=1,
                label=r"mean of $p_\mathrm{nuc}$ given $m$",
            )
            r = estimates.correlation(run.event, m, p)
            ax.set_title(f"{run.system.name}\ncorrelation {r}".replace(" -", " \N{MINUS SIGN}"))
            ax.legend(loc="lower left")
        ax.set(
            xlabel="magnetization, m",
            ylabel=r"nucleation probability, $p_\mathrm{nuc}$",
            ylim=(-0.03, 1.03),
        )
    alone = "; ".join(
        f"{run.system.name}: {estimates.variance_explained(run.event, run.magnetization, run.p_nuc)}"
        for run in runs
    )
    return (
        style.save(fig, folder, "figure-2-p_nuc-against-m"),
        "Figure 2 of the paper: measured p_nuc against magnetization (stable direction: -1), one point a "
        "balanced configuration (at most "
        f"{POINTS} shown), with the mean of p_nuc given m in bins of equal occupation (errors: bootstrap "
        "over events) and Pearson's correlation, which the paper calls very weak. "
        f"Share of the variance of p_nuc that the conditional mean explains: {alone}.",
    )


def lifetimes(runs: list[Run], folder: Path) -> tuple[str, str]:
    """Survival of the metastable state against the exponential with the measured mean."""
    fig = style.figure(style.COLUMN, 2.3 + 0.3 * len(runs))
    ax = fig.subplots()
    reach, fewest = 3.0, 0.1
    for i, run in enumerate(runs):
        tau = estimates.mean_lifetime(run.lifetime)
        cv = estimates.coefficient_of_variation(run.lifetime)
        t = np.sort(run.lifetime) / tau.value
        alive = 1 - np.arange(len(t) + 1) / len(t)
        reach, fewest = max(reach, t[-1]), min(fewest, 0.5 / len(t))
        ax.step(
            np.concatenate([[0], t]),
            alive,
            where="post",
            color=style.colour(i),
            ls=style.line(i),
            label=f"{run.system.name}: {len(t)} events\n" + r"$\tau$ = " + f"{tau} MCS, CV {cv}",
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
    return (
        style.save(fig, folder, "lifetimes"),
        "Survival of the metastable state: share of events with m > 0 until t (band: 68% Wilson interval), "
        "time in units of the measured mean; dashed: the exponential law of a memoryless decay, whose "
        "coefficient of variation CV is 1. A flat start or CV < 1 is the time that relaxation and droplet growth take.",
    )


def balance(runs: list[Run], folder: Path) -> tuple[str, str]:
    """Histogram of p_nuc before and after balancing."""
    fig, axes = style.grid(len(runs), 1.9)
    for ax, run in zip(axes, runs, strict=True):
        edges = np.linspace(0, 1, run.bins + 1)
        before = estimates.fillings(run.raw.nucleated, run.raw.copies, run.bins)
        after = estimates.fillings(run.nucleated, run.copies, run.bins)
        ax.stairs(before, edges, color=style.GREY, label=f"all labels ({before.sum()})")
        ax.stairs(
            after, edges, fill=True, color=style.BLUE, alpha=0.7, label=f"balanced ({after.sum()})"
        )
        ax.set(
            yscale="log",
            xlim=(0, 1),
            ylim=(0.7, None),
            xlabel=r"nucleation probability, $p_\mathrm{nuc}$",
            ylabel="configurations",
            title=run.system.name,
        )
        ax.legend(loc="upper center")
    return (
        style.save(fig, folder, "balance"),
        "Labels before and after balancing: number of configurations in each bin of p_nuc; after balancing "
        "each bin keeps as many as the rarest, so that p_nuc is uniform.",
    )
