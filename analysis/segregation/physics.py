"""Structure factor, phase transition, free energy in time, conservation."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps

from analysis import style
from analysis.estimates import wilson
from analysis.segregation import structure, transition
from analysis.segregation.checks import rises
from analysis.segregation.claims import STEP, finest_share, reverse_statistics
from analysis.segregation.dataset import Run
from analysis.segregation.quantities import MODELS, SIX, TRUTH
from jobs.segregation.config import SPINODAL

CURVES = 6  # mean concentrations in the figure of the free energy


def structure_factor(
    run: Run, folder: Path, prefix: str, *, reverse: bool
) -> tuple[str, str] | None:
    """S(k) of segregated samples, above; over the truth's, below."""
    models = [p for p in run.models(reverse) if p.segregated.any()]
    if not models:
        return None
    k = structure.wave_numbers(run.size, run.spacing)
    fig = style.figure(style.COLUMN, 3.9)
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    truth = models[0].spectrum_truth[models[0].segregated]
    upper.plot(k, truth.mean(0), color=TRUTH, lw=1.6, label="truth")
    numbers = []
    for p in models:
        inside, look = p.segregated, MODELS[p.model]
        own, found = p.spectrum_truth[inside], p.spectrum[inside]
        upper.plot(
            k,
            found.mean(0),
            color=look.colour,
            marker=look.marker,
            ms=2.2,
            lw=0.9,
            label=look.title.removesuffix(", reverse"),
        )
        value, error = structure.ratio_by_shell(found, own)
        lower.errorbar(
            k,
            value,
            np.nan_to_num(error),
            color=look.colour,
            marker=look.marker,
            ms=2.2,
            lw=0.9,
            elinewidth=0.6,
            capsize=0,
        )
        numbers.append(
            f"{look.title}: {reverse_statistics(p, inside).fine if reverse else finest_share(p)}"
        )
    edge = k[len(k) // 2] if reverse else k[structure.finest(truth)]
    for ax in (upper, lower):
        ax.axvspan(edge, k[-1], color="#EEEEEE", lw=0, zorder=-2)
    lower.axhline(1, color=TRUTH, lw=0.8, zorder=-1)
    if not reverse:
        upper.set_yscale("log")
        upper.set_ylim(bottom=truth.mean(0)[-1] / 10)
    else:
        upper.set_ylim(bottom=0)
    upper.set(xscale="log", ylabel=r"structure factor $S(k)$ (length$^2$)")
    lower.set(
        xscale="log", xlabel=r"wave number $k$ (1 / length)", ylabel=r"$S(k)$ over the truth's"
    )
    ratios = [line.get_ydata() for line in lower.get_lines()]
    top = max(np.nanmax(y) for y in ratios)
    lower.set_ylim(0, min(2.0, 1.1 * max(top, 1.1)))
    fig.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    way = "reverse" if reverse else "forward"
    band = (
        "the upper half of wave numbers"
        if reverse
        else "the truth's finest structures, which hold at least a tenth of its power"
    )
    return (
        style.save(fig, folder, f"{prefix}structure-factor-{way}"),
        f"Radially averaged structure factor of {'the mixed states of samples' if reverse else 'samples'} that segregate, truth and "
        f"predictions; below over the truth's (up to 2; errors: bootstrap over samples). Grey: {band}; power there over the truth's: "
        + "; ".join(numbers)
        + ".",
    )


def phase_transition(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """P(segregated) against the mean concentration, whole and near both spinodals."""
    models, curves = run.models(reverse=False), []
    if models:
        widest = max(models, key=len)
        whole = transition.count(widest.mean_concentration, widest.segregated, widest.segregated)
        source = "test samples"
    else:
        whole = transition.count(run.mean_concentration, run.segregated, run.segregated)
        source = "samples of the data set"
    curves.append((whole.mean, whole.truth, whole.samples, TRUTH, "D", "truth"))
    for p in models:
        s = transition.count(p.mean_concentration, p.segregated, p.predicted_segregated)
        look = MODELS[p.model]
        curves.append((s.mean, s.predicted, s.samples, look.colour, look.marker, look.title))
    fig = style.figure(style.PAGE, 2.5)
    axes = fig.subplots(1, 3, sharey=True, width_ratios=(1.5, 1, 1))
    step = np.diff(whole.mean).min() if len(whole.mean) > 1 else STEP
    reach = max(0.07, 2.5 * step)
    for panel, ax in enumerate(axes):
        for i, (mean, hits, samples, colour, marker, text) in enumerate(curves):
            low, high = wilson(hits, samples)
            share = hits / samples
            ax.plot(mean, share, color=colour, lw=1.2 if i == 0 else 0.8, zorder=3 if i == 0 else 1)
            aside = (i - (len(curves) - 1) / 2) * 0.12 * step * (panel > 0)
            truth = {"mfc": "none", "zorder": 4} if i == 0 else {"zorder": 2}
            ax.errorbar(
                mean + aside,
                share,
                np.maximum([share - low, high - share], 0),
                color=colour,
                marker=marker,
                label=text,
                ms=3.2 if panel else 2,
                ls="",
                elinewidth=0.7,
                **truth,
            )
        for at in SPINODAL:
            ax.axvline(at, color=style.GREY, ls="--", lw=0.8, zorder=-1)
        if panel:
            ax.set_xlim(SPINODAL[panel - 1] - reach, SPINODAL[panel - 1] + reach)
            ax.axhline(0.5, color=style.GREY, lw=0.5, ls=":", zorder=-1)
            ax.locator_params(axis="x", nbins=4)
            ax.set_title(f"near the {('lower', 'upper')[panel - 1]} spinodal")
        ax.set(xlabel=r"mean concentration $\bar c$", ylim=(-0.04, 1.04))
    axes[0].set_ylabel("share of samples that segregate")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return (
        style.save(fig, folder, f"{prefix}phase-transition"),
        f"Share of {source} that segregate, against their mean concentration, with 68% Wilson intervals. Dashed: the "
        f"spinodals {SPINODAL[0]:.4f} and {SPINODAL[1]:.4f}, between which a uniform mixture "
        "is unstable. Right: near them, markers (not lines) moved apart sideways.",
    )


def free_energy(run: Run, folder: Path, prefix: str) -> tuple[str, str]:
    """F and its two parts in time, mean and 16 to 84% range of the samples of some mean
    concentrations.

    Of means up to 1/2: c and 1 - c are the same mixture.
    """
    fig, axes = style.grid(3, 2.3)
    means = np.unique(run.mean_concentration.round(6))
    means = means[means <= 0.5 + 1e-9] if (means <= 0.5).any() else means
    picked = means[np.unique(np.linspace(0, len(means) - 1, CURVES).round().astype(int))]
    finite = run.times[np.isfinite(run.times)]
    first = finite[finite > 0].min(initial=np.inf)
    first = first if np.isfinite(first) else 1.0
    colours = ordered_colours(len(picked))
    cells = (run.size * run.spacing) ** 2
    for ax, quantity in zip(axes, (SIX[5], SIX[3], SIX[4]), strict=True):
        for mean, colour in zip(picked, colours, strict=True):
            rows = np.abs(run.mean_concentration - mean) < 5e-7
            values = run.quantities[quantity.name][rows] / cells
            steady = run.steady_time[rows]
            end = np.nanmedian(steady) if np.isfinite(steady).any() else np.inf
            late = (
                np.isinf(run.times[-1]) and finite[-1] < end < np.inf
            )  # else the steady state is among the recorded times
            time = np.append(finite, end) if late else finite
            low, high = np.quantile(values[:, : len(time)], [0.16, 0.84], axis=0)
            ax.fill_between(time, low, high, color=colour, alpha=0.2, lw=0)
            ax.plot(
                time,
                values.mean(0)[: len(time)],
                color=colour,
                marker="o",
                ms=2,
                label=rf"$\bar c$ = {mean:g}",
            )
            if np.isfinite(end):
                ax.plot(
                    [end],
                    values.mean(0)[-1:],
                    marker="s",
                    color=colour,
                    ms=4,
                    mfc="white",
                    zorder=4,
                )
        ax.set_xscale("symlog", linthresh=first, linscale=0.5)
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
        ax.minorticks_off()
        ax.set(xlabel="time (units of the system)", ylabel=f"{quantity.title} / area")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    worst = rises(run).max(initial=-np.inf)
    fell = (
        f"its largest rise between two recorded times is {worst:.1e} of its value at t = 0"
        if worst > 0
        else f"it rises in none of the {len(run.split)} samples between two recorded times"
    )
    return (
        style.save(fig, folder, f"{prefix}free-energy"),
        f"Free energy per area in time and its two parts, ensemble mean by mean concentration (band: 16 to 84% of samples), at the "
        "recorded times; linear up to the first, then logarithmic. White squares: the steady state, at the median time at "
        "which it was reached. "
        f"The free energy must fall: {fell}.",
    )


def ordered_colours(count: int) -> list:
    """From light to dark: an ordered set."""
    return [colormaps["viridis_r"](x) for x in np.linspace(0.12, 1, max(count, 2))][:count]


def conservation(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """Predicted minus input mean concentration of all forward models."""
    models = run.models(reverse=False)
    if not models:
        return None
    fig = style.figure(style.PAGE, 2.5)
    left, right = fig.subplots(1, 2)
    for i, p in enumerate(models):
        look = MODELS[p.model]
        means, place = np.unique(p.mean_concentration.round(6), return_inverse=True)
        groups = [p.change[place == j] for j in range(len(means))]
        middle = np.array([np.median(g) for g in groups])
        low, high = np.array([np.quantile(g, [0.16, 0.84]) for g in groups]).T
        left.fill_between(means, low, high, color=look.colour, alpha=0.2, lw=0)
        left.plot(
            means,
            middle,
            color=look.colour,
            marker=look.marker,
            ms=2.2,
            lw=0.8,
            label=look.title,
            zorder=3 + i,
        )
        rms = np.array([np.sqrt(np.mean(g**2)) for g in groups])
        right.plot(
            means, np.maximum(rms, 1e-12), color=look.colour, marker=look.marker, ms=2.2, lw=0.8
        )
    left.axhline(0, color=style.GREY, lw=0.7)
    right.axhline(STEP, color=style.GREY, lw=0.8, ls=":")
    right.set(yscale="log", ylabel=r"rms change of $\bar c$")
    left.set(ylabel=r"predicted minus input $\bar c$")
    for ax in (left, right):
        ax.set_xlabel(r"mean concentration $\bar c$")
        for at in SPINODAL:
            ax.axvline(at, color=style.GREY, ls="--", lw=0.8, zorder=-1)
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return (
        style.save(fig, folder, f"{prefix}conservation"),
        "Conservation of the mean concentration by the forward models. Left: predicted minus input mean, median and 16 to 84% of test "
        f"samples. Right: its root mean square; dotted: {STEP:g}, the limit of the claim. Dashed: the spinodals.",
    )
