"""Figure 6: the free energy in time."""

import numpy as np

from analysis import style
from analysis.coarsening import energy
from analysis.coarsening.energy import Bands
from analysis.coarsening.figures_errors import HORIZON, decades
from analysis.coarsening.labels import SIGMOID, TRUTH_COLOUR, Network, case_title
from analysis.coarsening.measure import Numbers
from analysis.coarsening.shots import LONGEST_FIRST
from analysis.estimates import Estimate
from analysis.page import Picture
from analysis.sheet import Sheet

HIGH = 1.5  # times F at the start that a panel shows
TRUE = {"color": TRUTH_COLOUR, "lw": 2.2, "alpha": 0.6}
LAW = {"color": style.GREY, "lw": 0.9, "ls": "--"}
LEGEND = {"frameon": True, "framealpha": 1, "edgecolor": "none", "borderpad": 0.1}
PER_VOLUME = r"$F / V$ (1 / length)"


def free_energy(sheet: Sheet) -> Picture | None:
    """Panels a to d, those that there is data for."""
    numbers = sheet.numbers
    network = numbers.main()
    if network is None:
        return None
    long = next((n for n in LONGEST_FIRST if with_truth(numbers, n)), None)
    ensemble = numbers.followed("ensemble", network)
    panels = []
    if long is not None:
        panels.append(lambda ax: decay(ax, numbers, long))
        panels.append(lambda ax: relative(ax, numbers, long))
    if ensemble is not None and ensemble.bands is not None:
        panels.append(lambda ax: banded(ax, numbers, ensemble.bands, network))
    if numbers.followed("ensemble_long", network) is not None:
        panels.append(lambda ax: alone(ax, numbers, network))
    if not panels:
        return None
    fig, axes = style.grid(len(panels), 2.25, per_row=2)
    for letter, ax, panel in zip("abcd", axes, panels, strict=False):
        panel(ax)
        ax.set_title(f"{letter}  " + ax.get_title(), loc="left")
        ax.set_title("")
    return sheet.save(
        fig,
        "figure-6-free-energy",
        "Free energy per volume in time, of truth and networks on the same grid. Dashed: t^-1/3; "
        "in brackets the exponents fitted over the stretch that the dashed line spans. Relative "
        "error: |F predicted - F| / F, mean over the starts; dashed: the paper's "
        f"{100 * energy.LIMIT:g}%; the scale is the conserving networks'. Bands: one standard "
        "deviation over the starts. Grey: as far as training sequences go.",
        "6",
    )


def with_truth(numbers: Numbers, name: str) -> bool:
    case = numbers.cases.get(name)
    return case is not None and case.truth is not None and bool(case.networks)


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
    line = 1.25 * np.interp(middle, time, mean) * (x / middle) ** energy.LAW
    ax.plot(x, line, label="$t^{-1/3}$", **LAW)


def axes_of_decay(ax, time: np.ndarray, shown: np.ndarray) -> None:
    """Both logarithmic, as far as `time` goes, around the values `shown`: what leaves every range
    leaves the figure.
    """
    after = time[time > 0]
    ax.set(xscale="log", yscale="log", xlabel="time", ylabel=PER_VOLUME)
    ax.set_xlim(after[0] * 0.9, after[-1] * 1.1)
    ax.set_ylim(shown.min() / 5, 1.6 * shown.max())
    decades(ax.yaxis)


def decay(ax, numbers: Numbers, name: str) -> None:
    case = numbers.cases[name]
    truth, mean = case.truth, case.truth.free_energy / case.volume
    ax.plot(truth.time, mean, label=f"truth{fitted(truth.exponent)}", **TRUE)
    for network, followed in case.networks.items():
        ax.plot(
            followed.time,
            followed.free_energy / case.volume,
            color=network.colour,
            ls=network.line,
            lw=1,
            label=network.title + fitted(followed.exponent),
        )
    law(ax, case.window, truth.time, mean)
    times = [f.time for f in (truth, *case.networks.values())]
    axes_of_decay(ax, max(times, key=lambda t: t[-1]), mean)
    ax.axvline(numbers.setup.horizon, **HORIZON)
    ax.set_title(case_title(name))
    ax.legend(loc="lower left", **LEGEND)


def relative(ax, numbers: Numbers, name: str) -> None:
    case = numbers.cases[name]
    gaps = {n: f.gap for n, f in case.networks.items() if f.gap is not None}
    for network, gap in gaps.items():
        looks = {"color": network.colour, "ls": network.line, "lw": 1}
        ax.plot(gap.time, 100 * gap.relative, label=network.title, **looks)
    ax.axhline(100 * energy.LIMIT, **LAW)
    ax.axvline(numbers.setup.horizon, **HORIZON)
    conserving = [g.relative for n, g in gaps.items() if n.model != SIGMOID]
    highest = 100 * max((g.max() for g in conserving), default=0)
    last = max((g.time[-1] for g in gaps.values()), default=1.0)
    ax.set(
        xscale="log",
        xlabel="time",
        ylabel="relative error of $F$ (%)",
        ylim=(0, np.clip(1.1 * highest, 1.4 * 100 * energy.LIMIT, 100)),
        xlim=(0.9 * numbers.setup.interval, 1.1 * last),
        title=case_title(name),
    )
    ax.legend(loc="upper left", **LEGEND)


def banded(ax, numbers: Numbers, found: Bands, network: Network) -> None:
    for mean, spread, colour, line, label in (
        (found.mean_truth, found.spread_truth, TRUTH_COLOUR, "-", "truth"),
        (found.mean, found.spread, network.colour, "--", network.title),
    ):
        ax.plot(found.time, mean, color=colour, lw=1, ls=line, label=label)
        ax.fill_between(found.time, mean - spread, mean + spread, color=colour, alpha=0.22, lw=0)
    ax.axvline(numbers.setup.horizon, **HORIZON)
    ax.set(
        yscale="log", xlabel="time", ylabel=PER_VOLUME, title=f"ensemble of {found.starts} starts"
    )
    lowest = min(found.mean_truth.min(), found.mean.min())
    most = found.mean_truth.max()
    ax.set_ylim(lowest / 1.3, 1.1 * min(max(most, found.mean.max()), HIGH * most))
    decades(ax.yaxis)
    ax.legend(**LEGEND)


def alone(ax, numbers: Numbers, network: Network) -> None:
    case = numbers.cases["ensemble_long"]
    followed = case.networks[network]
    time, mean = followed.time, followed.free_energy / case.volume
    spread = followed.spread / case.volume
    ax.plot(time, mean, color=network.colour, lw=1, label=network.title + fitted(followed.exponent))
    ax.fill_between(time, mean - spread, mean + spread, color=network.colour, alpha=0.22, lw=0)
    law(ax, case.window, time, mean)
    axes_of_decay(ax, time, mean[mean <= HIGH * mean[0]])
    ax.axvline(numbers.setup.horizon, **HORIZON)
    ax.set_title(f"ensemble of {followed.starts}, network alone")
    ax.legend(loc="lower left", **LEGEND)
