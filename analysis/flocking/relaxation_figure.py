"""How long the runs remember, by temperature, and whether ordered and disordered starts agree."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.flocking import panels
from analysis.flocking.dataset import Run
from analysis.flocking.relaxation import OBSERVABLES, Relaxation


def relaxation(
    run: Run, found: Relaxation | None, folder: Path, prefix: str
) -> tuple[str, str] | None:
    if found is None:
        return None
    fig = style.figure(style.PAGE, 2.8)
    left, right = fig.subplots(1, 2, width_ratios=(1.3, 1))
    t = found.temperature
    small = 3 if len(t) <= 40 else 2
    for i, (name, text) in enumerate(OBSERVABLES.items()):
        tau = np.array([time.tau.value for time in found.times[name]])
        error = np.array([time.tau.error for time in found.times[name]])
        known = np.array([time.known for time in found.times[name]])
        left.plot(t, tau, color=style.colour(i), lw=0.6, alpha=0.6)
        left.errorbar(
            t[known],
            tau[known],
            np.minimum(np.nan_to_num(error[known]), 0.9 * tau[known]),
            color=style.colour(i),
            ls="",
            marker=style.marker(i),
            ms=small,
            elinewidth=0.6,
            label=text,
        )
        left.plot(
            t[~known],
            tau[~known],
            color=style.colour(i),
            marker=style.marker(i),
            mfc="white",
            ls="",
            ms=small,
            mew=0.7,
        )
    if np.isfinite(found.interval):
        left.axhline(found.interval, color=style.GREY, ls="--", lw=0.8)
        left.annotate(
            "between samples",
            (t[-1], found.interval),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=6,
            color=style.GREY,
        )
    left.set(yscale="log", xlabel="temperature $T$", ylabel=r"$\tau_\mathrm{int}$ (time units)")
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1)
    for starts, colour, marker, text in (
        (found.ordered, style.BLUE, "o", "ordered start"),
        (found.disordered, style.VERMILION, "s", "disordered start"),
    ):
        value, error = (np.array([getattr(e, what) for e in starts]) for what in ("value", "error"))
        right.errorbar(
            t,
            value,
            np.nan_to_num(error),
            color=colour,
            marker=marker,
            lw=0.8,
            ms=small,
            elinewidth=0.7,
            label=text,
            mfc="none" if marker == "s" else colour,
        )
    apart = t[found.agree == 0]
    for at in apart:
        right.axvline(at, color="#E0E0E0", lw=2, zorder=-1)
    right.set(xlabel="temperature $T$", ylabel=r"late $\langle |m| \rangle$", ylim=(-0.03, 1.05))
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    panels.letter(left, "a")
    panels.letter(right, "b")
    return (
        style.save(fig, folder, f"{prefix}relaxation"),
        f"(a) Integrated autocorrelation times at rho0 = {run.reference:g}, looks after equilibration; open: longer than the run can tell "
        "(a lower bound). (b) |m| in the second half of those looks, by start, mean over replicas; grey: temperatures at which the starts "
        f"differ ({len(apart)} of {np.isfinite(found.agree).sum()}).",
    )
