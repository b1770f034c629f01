"""Figure 6: the free energy in time."""

import numpy as np

from analysis import style
from analysis.coarsening import energy
from analysis.coarsening.claims import exponents
from analysis.coarsening.energy import Bands, Gap
from analysis.coarsening.figures_errors import HORIZON, KNOWN, KNOWN_IS, SENSITIVITY
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
    if long is not None and any(np.isfinite(g.area).any() for g in gaps(numbers, long).values()):
        panels.insert(2, lambda ax: of_area(ax, numbers, long))
    if not panels:
        return None
    fig, axes = style.grid(len(panels), 2.25, per_row=2)
    for letter, ax, panel in zip("abcde", axes, panels, strict=False):
        panel(ax)
        ax.set_title(f"{letter}  " + ax.get_title(), loc="left")
        ax.set_title("")
    return sheet.save(
        fig,
        "figure-6-free-energy",
        "Free energy per volume in time, of truth and networks on the same grid. Dashed: t^-1/3; "
        "in brackets the exponents fitted over the stretch that the dashed line spans. Relative "
        "error: |F predicted - F| / F, mean over the starts; dashed: the paper's "
        f"{100 * energy.LIMIT:g}%; the scale is the conserving networks'. So too of the area of the "
        "surface phi = 1/2, where that was recorded, with which the grid has nothing to do; grey "
        f"area: {KNOWN_IS}. Bands: one standard "
        "deviation over the starts. Grey: as far as training sequences go.",
        "6",
    )


QUANTITIES = {  # of Kept: title, law of coarsening
    "length": ("characteristic length", 1 / 3),
    "area": (r"area of the surface $\phi = 1/2$", -1 / 3),
    "free_energy": ("free energy", -1 / 3),
}


def local_exponents(sheet: Sheet) -> Picture | None:
    """Of length, area and free energy in the large box, of truth and networks."""
    case = sheet.numbers.cases.get("box")
    if case is None or exponents(case.truth, "length") is None:
        return None
    fig = style.figure(style.PAGE, 2.4)
    for ax, (name, (title, law_)) in zip(
        fig.subplots(1, 3, sharex=True), QUANTITIES.items(), strict=True
    ):
        ax.axhline(law_, **LAW)
        for followed, label, looks in [
            (case.truth, "truth", {"color": TRUTH_COLOUR, "marker": "o"}),
            *(
                (f, network.title, {"color": network.colour, "marker": "s", "ls": network.line})
                for network, f in case.networks.items()
            ),
        ]:
            found = exponents(followed, name)
            if found is None:
                continue
            ax.errorbar(
                found.time, found.mean, found.error, label=label, ms=3, lw=1, capsize=2, **looks
            )
        ax.set(xscale="log", xlabel="time", title=title)
        style.decades(ax.xaxis)
    fig.axes[0].set_ylabel("local exponent in time")
    fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    cells = "x".join(map(str, case.cells))
    return sheet.save(
        fig,
        "local-exponents",
        f"Local exponents d log / d log t in a box of {cells} cells, from {case.truth.starts} "
        "starts that truth and networks have in common: straight lines over stretches of a factor "
        "of three in time; errors: over the starts. Free energy: of the waves that the network's "
        "grid holds, on the solver's. Dashed: the law of late times, 1/3 and -1/3.",
        "6",
    )


def with_truth(numbers: Numbers, name: str) -> bool:
    case = numbers.cases.get(name)
    return case is not None and case.truth is not None and bool(case.networks)


def fitted(exponent: Estimate) -> str:
    return f" ({exponent})".replace("-", "\N{MINUS SIGN}") if np.isfinite(exponent.value) else ""


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
    style.decades(ax.yaxis)


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


def gaps(numbers: Numbers, name: str) -> dict[Network, Gap]:
    networks = numbers.cases[name].networks
    return {network: f.gap for network, f in networks.items() if f.gap is not None}


def relative(ax, numbers: Numbers, name: str) -> None:
    """Of F as the network's grid has it."""
    shown = {n: (gap.time, gap.relative) for n, gap in gaps(numbers, name).items()}
    of_relative_errors(ax, numbers, shown, "relative error of $F$ (%)", case_title(name))


def of_area(ax, numbers: Numbers, name: str) -> None:
    """Of the area of the surface phi = 1/2, which no grid stands between."""
    shown = {n: (gap.kept, gap.area) for n, gap in gaps(numbers, name).items()}
    case = numbers.cases[name]
    known = case.sensitivity.gap if case.sensitivity is not None else None
    if known is not None:
        ax.fill_between(known.kept, 0, 100 * known.area, label=KNOWN, **SENSITIVITY)
    of_relative_errors(ax, numbers, shown, "relative error of the area (%)", case_title(name))


def of_relative_errors(ax, numbers: Numbers, shown: dict, what: str, title: str) -> None:
    """shown: {network: (times, relative errors)}."""
    for network, (time, values) in shown.items():
        looks = {"color": network.colour, "ls": network.line, "lw": 1}
        ax.plot(time, 100 * values, label=network.title, **looks)
    ax.axhline(100 * energy.LIMIT, **LAW)
    ax.axvline(numbers.setup.horizon, **HORIZON)
    conserving = [values for n, (_, values) in shown.items() if n.model != SIGMOID]
    highest = 100 * np.nanmax([np.nanmax(values) for values in conserving], initial=0)
    last = max((time[-1] for time, _ in shown.values()), default=1.0)
    ax.set(
        xscale="log",
        xlabel="time",
        ylabel=what,
        ylim=(0, np.clip(1.1 * highest, 1.4 * 100 * energy.LIMIT, 100)),
        xlim=(0.9 * numbers.setup.interval, 1.1 * last),
        title=title,
    )
    ax.legend(loc="upper left", **LEGEND)


def banded(ax, numbers: Numbers, bands: Bands, network: Network) -> None:
    for mean, spread, colour, line, label in (
        (bands.mean_truth, bands.spread_truth, TRUTH_COLOUR, "-", "truth"),
        (bands.mean, bands.spread, network.colour, "--", network.title),
    ):
        ax.plot(bands.time, mean, color=colour, lw=1, ls=line, label=label)
        ax.fill_between(bands.time, mean - spread, mean + spread, color=colour, alpha=0.22, lw=0)
    ax.axvline(numbers.setup.horizon, **HORIZON)
    ax.set(
        yscale="log", xlabel="time", ylabel=PER_VOLUME, title=f"ensemble of {bands.starts} starts"
    )
    lowest = min(bands.mean_truth.min(), bands.mean.min())
    most = bands.mean_truth.max()
    ax.set_ylim(lowest / 1.3, 1.1 * min(max(most, bands.mean.max()), HIGH * most))
    style.decades(ax.yaxis)
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
