"""Figure 5 of the paper, a configuration of each phase, and how long the runs remember."""

import numpy as np

from analysis import style
from analysis.flocking import panels
from analysis.flocking.labels import OBSERVABLES, PHASES, TYPICAL, WORDS
from analysis.flocking.relaxation import Relaxation
from analysis.page import Picture
from analysis.sheet import Sheet


def maps(sheet: Sheet) -> Picture | None:
    """Figure 5."""
    own, about = sheet.numbers.examples, sheet.numbers.about
    if own is None:
        return None
    m, rho = own.magnetization[:], own.density[:]
    end, top = panels.reach(m), panels.reach(rho)
    fig = style.figure(4.9, 3.3)
    axes = fig.subplots(2, 3)
    for k, (phase, _) in enumerate(TYPICAL):
        image = panels.magnetization(axes[0, k], m[k], end)
        other = panels.density(axes[1, k], rho[k], top)
        name = f"{PHASES[phase]}, {WORDS[phase]}, $T$ = {own.temperature[k]:g}"
        axes[0, k].set_title(f"{name}\n$m$ = {own.order[k]:.2f}", fontsize=7)
    axes[1, 0].set_xlabel(f"side: L = {about.size} sites", fontsize=7)
    panels.bar(fig, image, axes[0].tolist(), "magnetization $m_i$", aspect=14)
    panels.bar(fig, other, axes[1].tolist(), r"density $\rho_i$", aspect=14)
    return sheet.save(
        fig,
        "figure-5-maps",
        f"Magnetization (above) and density (below) at rho0 = {about.density:g} in the phases L, "
        "L+G and G; particles propel themselves along x, to the right or left.",
        "5",
    )


def relaxation(sheet: Sheet) -> Picture | None:
    """Correlation times by temperature, and whether ordered and disordered starts agree."""
    found = sheet.numbers.relaxation
    if found is None:
        return None
    fig = style.figure(style.PAGE, 2.8)
    left, right = fig.subplots(1, 2, width_ratios=(1.3, 1))
    correlation_times(left, found)
    apart = starts(right, found)
    panels.letter(left, "a")
    panels.letter(right, "b")
    known = int(np.isfinite(found.agree).sum())
    return sheet.save(
        fig,
        "relaxation",
        f"(a) Integrated autocorrelation times at rho0 = {sheet.numbers.about.density:g}, from "
        "looks after equilibration, of the order parameter |m|, the magnetization m, and the "
        "amplitude and the position of the band; open: longer than the run can tell (a lower "
        "bound). (b) |m| in the second half of those looks, by start, mean over replicas; grey: "
        f"temperatures at which the starts differ ({apart} of {known}).",
    )


def correlation_times(ax, relaxed: Relaxation) -> None:
    t, small = relaxed.temperature, 3 if len(relaxed.temperature) <= 40 else 2
    for i, (name, text) in enumerate(OBSERVABLES.items()):
        own, colour, marker = relaxed.times[name], style.colour(i), style.marker(i)
        error = np.minimum(np.nan_to_num(own.error), 0.9 * own.tau)
        ax.plot(t, own.tau, color=colour, lw=0.6, alpha=0.6)
        look = {"color": colour, "ls": "", "marker": marker, "ms": small}
        known = own.known
        ax.errorbar(t[known], own.tau[known], error[known], elinewidth=0.6, label=text, **look)
        ax.plot(t[~known], own.tau[~known], mfc="white", mew=0.7, **look)
    if np.isfinite(relaxed.interval):
        ax.axhline(relaxed.interval, color=style.GREY, ls="--", lw=0.8)
        place = {"xytext": (0, 2), "textcoords": "offset points", "ha": "right", "va": "bottom"}
        end = (t[-1], relaxed.interval)
        ax.annotate("between samples", end, **place, fontsize=6, color=style.GREY)
    ax.set(yscale="log", xlabel="temperature $T$", ylabel=r"$\tau_\mathrm{int}$ (time units)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1)


def starts(ax, relaxed: Relaxation) -> int:
    """Late |m| by start; at how many temperatures they differ."""
    t, small = relaxed.temperature, 3 if len(relaxed.temperature) <= 40 else 2
    for own, colour, marker, text in (
        (relaxed.ordered, style.BLUE, "o", "ordered start"),
        (relaxed.disordered, style.VERMILION, "s", "disordered start"),
    ):
        look = {"color": colour, "marker": marker, "lw": 0.8, "ms": small, "elinewidth": 0.7}
        filling = "none" if marker == "s" else colour
        ax.errorbar(t, own.value, np.nan_to_num(own.error), label=text, mfc=filling, **look)
    apart = t[relaxed.agree == 0]
    for at in apart:
        ax.axvline(at, color="#E0E0E0", lw=2, zorder=-1)
    ax.set(xlabel="temperature $T$", ylabel=r"late $\langle |m| \rangle$", ylim=(-0.03, 1.05))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return len(apart)
