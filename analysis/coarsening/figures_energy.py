"""Figure 6: the free energy in time."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.coarsening import energy
from analysis.coarsening.dataset import Run
from analysis.coarsening.energy import Bands
from analysis.coarsening.error_figures import decades
from analysis.coarsening.names import SIGMOID, TRUTH_COLOUR, Network
from analysis.coarsening.numbers import Numbers
from analysis.coarsening.rollouts import Case
from analysis.estimates import Estimate

LIMIT = 0.055  # of the relative error, the paper's
HIGH = 1.5  # times F at the start that a panel shows
TRUE = {"color": TRUTH_COLOUR, "lw": 2.2, "alpha": 0.6}
LAW = {"color": style.GREY, "lw": 0.9, "ls": "--"}


def free_energy(
    run: Run, network: Network, numbers: Numbers, folder: Path, prefix: str
) -> tuple[str, str] | None:
    """Panels a to d, those that there is data for."""
    long, ensemble, far = (
        run.case(name, truth)
        for name, truth in (("long", True), ("ensemble", True), ("ensemble_long", False))
    )
    long = long or run.case("slice") or run.case("test")
    panels = []
    if long is not None:
        panels += [
            lambda ax: decay(ax, run, long, numbers),
            lambda ax: relative(ax, run, long, numbers),
        ]
    if ("ensemble", network) in numbers.bands:
        panels.append(
            lambda ax: banded(ax, run, ensemble, numbers.bands["ensemble", network], network)
        )
    if far is not None and network in far.networks:
        panels.append(lambda ax: alone(ax, run, far, network, numbers))
    if not panels:
        return None
    fig, axes = style.grid(len(panels), 2.25, per_row=2)
    for letter, ax, panel in zip("abcd", axes, panels, strict=False):
        panel(ax)
        ax.set_title(f"{letter}  " + ax.get_title(), loc="left")
        ax.set_title("")
    return (
        style.save(fig, folder, f"{prefix}figure-6-free-energy"),
        f"{run.name}: figure 6 of the paper: free energy per volume in time, of truth and networks on the same grid. Dashed: t^-1/3; in "
        "brackets the exponents fitted over the stretch that the dashed line spans. Relative error: |F predicted - F| / F, mean over the "
        f"starts; dashed: {100 * LIMIT:g}%; the scale is the conserving networks'. Bands: one standard deviation "
        "over the starts. Grey: as far as training sequences go.",
    )


def fitted(found: Estimate) -> str:
    return f" ({found})".replace("-", "\N{MINUS SIGN}") if np.isfinite(found.value) else ""


def law(ax, between: tuple[float, float] | None, time: np.ndarray, mean: np.ndarray) -> None:
    """The line t^-1/3 above the curve, where exponents are fitted (or over its last two thirds in
    log t).
    """
    after = time[time > 0]
    low, high = between or (after[0] ** (1 / 3) * after[-1] ** (2 / 3), after[-1])
    x = np.geomspace(low, high, 20)
    middle = np.sqrt(low * high)
    ax.plot(
        x,
        1.25 * np.interp(middle, time, mean) * (x / middle) ** energy.LAW,
        label="$t^{-1/3}$",
        **LAW,
    )


def axes_of(ax, run: Run, time: np.ndarray, shown: np.ndarray) -> None:
    """Those of a decay, with a line as far as training sequences go."""
    axes_of_decay(ax, time, shown)
    ax.axvline(run.horizon, color="#AAAAAA", lw=0.7, zorder=-2)


def axes_of_decay(ax, time: np.ndarray, shown: np.ndarray) -> None:
    """Both logarithmic, as far as `time` goes, around the values `shown`: what leaves every range
    leaves the figure.
    """
    after = time[time > 0]
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="time",
        ylabel=r"$F / V$ (1 / length)",
        xlim=(after[0] * 0.9, after[-1] * 1.1),
    )
    ax.set_ylim(shown.min() / 5, 1.6 * shown.max())
    decades(ax.yaxis)


def decay(ax, run: Run, case: Case, numbers: Numbers) -> None:
    between, volume = numbers.windows[case.name], run.volume(case)
    mean = case.truth.series["free_energy"].mean(axis=0) / volume
    ax.plot(
        case.truth.series_time,
        mean,
        label=f"truth{fitted(numbers.exponents_truth[case.name])}",
        **TRUE,
    )
    for network, rollout in case.networks.items():
        ax.plot(
            rollout.series_time,
            rollout.series["free_energy"].mean(axis=0) / volume,
            color=network.colour,
            ls=network.line,
            lw=1,
            label=network.title + fitted(numbers.exponents[case.name, network]),
        )
    law(ax, between, case.truth.series_time, mean)
    axes_of(
        ax,
        run,
        max((r.series_time for r in (case.truth, *case.networks.values())), key=lambda t: t[-1]),
        mean,
    )
    ax.set_title(f"case {case.name}")
    ax.legend(loc="lower left")


def relative(ax, run: Run, case: Case, numbers: Numbers) -> None:
    last = 1.0
    for network in case.networks:
        gap = numbers.gaps.get((case.name, network))
        if gap is not None:
            ax.plot(
                gap.time,
                100 * gap.relative.mean(axis=0),
                color=network.colour,
                ls=network.line,
                lw=1,
                label=network.title,
            )
            last = max(last, gap.time[-1])
    ax.axhline(100 * LIMIT, **LAW)
    ax.axvline(run.horizon, color="#AAAAAA", lw=0.7, zorder=-2)
    conserving = {network.title for network in case.networks if network.model != SIGMOID}
    highest = max(
        (line.get_ydata().max() for line in ax.lines if line.get_label() in conserving), default=0
    )
    ax.set(
        xscale="log",
        xlabel="time",
        ylabel="relative error of $F$ (%)",
        ylim=(0, np.clip(1.1 * highest, 1.4 * 100 * LIMIT, 100)),
        xlim=(0.9 * run.interval, 1.1 * last),
        title=f"case {case.name}",
    )
    ax.legend(loc="upper left")


def banded(ax, run: Run, case: Case, found: Bands, network: Network) -> None:
    for mean, spread, colour, label in (
        (found.mean_truth, found.spread_truth, TRUTH_COLOUR, "truth"),
        (found.mean, found.spread, network.colour, network.title),
    ):
        ax.plot(
            found.time, mean, color=colour, lw=1, ls="-" if label == "truth" else "--", label=label
        )
        ax.fill_between(found.time, mean - spread, mean + spread, color=colour, alpha=0.22, lw=0)
    ax.axvline(run.horizon, color="#AAAAAA", lw=0.7, zorder=-2)
    ax.set(
        yscale="log",
        xlabel="time",
        ylabel=r"$F / V$ (1 / length)",
        title=f"{case.truth.count} starts",
    )
    lowest = min(found.mean_truth.min(), found.mean.min())
    ax.set_ylim(
        lowest / 1.3,
        1.1 * min(max(found.mean_truth.max(), found.mean.max()), HIGH * found.mean_truth.max()),
    )
    decades(ax.yaxis)
    ax.legend()


def alone(ax, run: Run, case: Case, network: Network, numbers: Numbers) -> None:
    rollout, volume, between = case.networks[network], run.volume(case), numbers.windows[case.name]
    each = rollout.series["free_energy"] / volume
    mean, spread = each.mean(axis=0), each.std(axis=0, ddof=1) if len(each) > 1 else 0
    ax.plot(
        rollout.series_time,
        mean,
        color=network.colour,
        lw=1,
        label=network.title + fitted(numbers.exponents[case.name, network]),
    )
    ax.fill_between(
        rollout.series_time, mean - spread, mean + spread, color=network.colour, alpha=0.22, lw=0
    )
    law(ax, between, rollout.series_time, mean)
    axes_of(ax, run, rollout.series_time, mean[mean <= HIGH * mean[0]])
    ax.set_title(f"{rollout.count} starts, network alone")
    ax.legend(loc="lower left")
