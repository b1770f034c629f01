"""Structure factor, phase transition, free energy in time, conservation."""

from collections.abc import Iterator

import numpy as np
from matplotlib import colormaps

from analysis import style
from analysis.estimates import wilson
from analysis.page import Picture
from analysis.segregation.claims import STEP
from analysis.segregation.labels import TRUTH, look, ordered, title
from analysis.segregation.measure import Forward, Reverse, Setting
from analysis.segregation.physics import Physics
from analysis.sheet import Sheet
from jobs.segregation.config import SPINODAL
from kernels.structure import wave_numbers


def draw(sheet: Sheet) -> Iterator[Picture | None]:
    yield forward_structure(sheet)
    yield reverse_structure(sheet)
    yield phase_transition(sheet)
    yield conservation(sheet)
    yield free_energy(sheet)


# ---- structure factor


def forward_structure(sheet: Sheet) -> Picture | None:
    models = {n: p for n, p in ordered(sheet.numbers.forward).items() if p.spectrum}
    if not models:
        return None
    finest = next(iter(models.values())).spectrum.finest
    fig, upper = spectra(sheet, models, finest)
    truth = next(iter(models.values())).spectrum.truth
    upper.set_yscale("log")
    upper.set_ylim(bottom=truth[-1] / 10)
    numbers = "; ".join(f"{look(n).title}: {p.spectrum.share}" for n, p in models.items())
    return sheet.save(
        fig,
        "structure-factor-forward",
        "Structure factor of samples that segregate, truth and predictions: the power of waves of wave number k; below over the truth's "
        "(errors: bootstrap over samples). Grey: the truth's finest structures, which hold at most a tenth of its power; "
        f"power there over the truth's: {numbers}.",
        "2",
    )


def reverse_structure(sheet: Sheet) -> Picture | None:
    models = {n: p for n, p in ordered(sheet.numbers.reverse).items() if p.spectrum}
    if not models:
        return None
    fig, upper = spectra(sheet, models, sheet.numbers.setting.size // 4)
    upper.set_ylim(bottom=0)
    numbers = "; ".join(
        f"{title(n)}: {p.segregated.fine}" for n, p in models.items() if p.segregated
    )
    return sheet.save(
        fig,
        "structure-factor-reverse",
        "Structure factor of the mixed states of samples that segregate, truth and predictions; below over the truth's (errors: "
        f"bootstrap over samples). Grey: the upper half of wave numbers; power there over the truth's: {numbers}.",
        "3",
    )


def spectra(sheet: Sheet, models: dict[str, Forward | Reverse], grey: int):
    """S(k), above; over the truth's, below; grey: first shell of the region that is judged."""
    s = sheet.numbers.setting
    k = wave_numbers((s.size, s.size), s.spacing)
    fig = style.figure(style.COLUMN, 3.9)
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    truth = next(iter(models.values())).spectrum.truth
    upper.plot(k, truth, color=TRUTH, lw=1.6, label="truth")
    for network, p in models.items():
        own = look(network)
        drawn = {"color": own.colour, "marker": own.marker, "ms": 2.2, "lw": 0.9}
        upper.plot(k, p.spectrum.predicted, label=title(network), **drawn)
        value, error = p.spectrum.ratio.T
        lower.errorbar(k, value, np.nan_to_num(error), elinewidth=0.6, capsize=0, **drawn)
    for ax in (upper, lower):
        ax.axvspan(k[grey], k[-1], color="#EEEEEE", lw=0, zorder=-2)
        ax.set_xscale("log")
    lower.axhline(1, color=TRUTH, lw=0.8, zorder=-1)
    upper.set_ylabel(r"structure factor $S(k)$ (length$^2$)")
    lower.set(xlabel=r"wave number $k$ (1 / length)", ylabel=r"$S(k)$ over the truth's")
    ratios(lower, [p.spectrum.ratio[:, 0] for p in models.values()])
    fig.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig, upper


def ratios(ax, values: list[np.ndarray]) -> None:
    """An axis for ratios, which begins at 0 as long as none of them is far from 1."""
    known = np.concatenate(values)
    known = known[np.isfinite(known)]
    if len(known) and (known.max() > 2 or known.min() < 0.2):
        low, high = known[known > 0].min(initial=0.1), known.max(initial=2)
        ax.set_yscale("log")
        ax.set_ylim(max(low / 2, 1e-6), min(2 * high, 1e6))
    else:
        ax.set_ylim(0, 1.1 * known.max(initial=1.1))


# ---- who segregates


def phase_transition(sheet: Sheet) -> Picture:
    """P(segregated) against the mean concentration, whole and near both spinodals."""
    models, whole = ordered(sheet.numbers.forward), sheet.numbers.physics.shares
    source = "samples of the data set"
    if models:
        whole, source = max(models.values(), key=lambda p: p.samples).shares, "test samples"
    curves = [(whole.mean, whole.truth, whole.samples, {"color": TRUTH, "marker": "D"}, "truth")]
    for network, p in models.items():
        own, s = look(network), p.shares
        drawn = {"color": own.colour, "marker": own.marker}
        curves.append((s.mean, s.predicted, s.samples, drawn, own.title))
    fig = style.figure(style.PAGE, 2.5)
    axes = fig.subplots(1, 3, sharey=True, width_ratios=(1.5, 1, 1))
    step = np.diff(whole.mean).min() if len(whole.mean) > 1 else STEP
    reach = max(0.07, 2.5 * step)
    for ax, side in zip(axes, (None, 0, 1), strict=True):
        shares(ax, curves, 0.0 if side is None else 0.12 * step)
        if side is not None:
            ax.set_xlim(SPINODAL[side] - reach, SPINODAL[side] + reach)
            ax.axhline(0.5, color=style.GREY, lw=0.5, ls=":", zorder=-1)
            ax.locator_params(axis="x", nbins=4)
            ax.set_title(f"near the {('lower', 'upper')[side]} spinodal")
        box_spinodals(ax, sheet.numbers.setting)
    axes[0].set_ylabel("share of samples that segregate")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return sheet.save(
        fig,
        "phase-transition",
        f"Share of {source} that segregate, against their mean concentration, with 68% Wilson intervals. Dashed: the "
        f"spinodals {SPINODAL[0]:.4f} and {SPINODAL[1]:.4f}, between which a uniform mixture "
        f"without bounds is unstable{in_the_box(sheet.numbers.setting)}. Right: near them, markers (not lines) moved apart sideways.",
        "abstract",
    )


def shares(ax, curves: list[tuple], apart: float) -> None:
    """All curves, (mean, hits, samples, look, name); markers `apart` from each other."""
    for i, (mean, hits, samples, drawn, text) in enumerate(curves):
        low, high = wilson(hits, samples)
        share = hits / samples
        truth = i == 0
        ax.plot(
            mean, share, color=drawn["color"], lw=1.2 if truth else 0.8, zorder=3 if truth else 1
        )
        look = {"mfc": "none", "zorder": 4} if truth else {"zorder": 2}
        ax.errorbar(
            mean + (i - (len(curves) - 1) / 2) * apart,
            share,
            np.maximum([share - low, high - share], 0),
            label=text,
            ms=3.2 if apart else 2,
            ls="",
            elinewidth=0.7,
            **look,
            **drawn,
        )
    spinodals(ax)
    ax.set(xlabel=r"mean concentration $\bar c$", ylim=(-0.04, 1.04))


def spinodals(ax) -> None:
    for at in SPINODAL:
        ax.axvline(at, color=style.GREY, ls="--", lw=0.8, zorder=-1)


def box_spinodals(ax, setting: Setting) -> None:
    for at in box_spinodal(setting) or ():
        ax.axvline(at, color=style.GREY, ls=":", lw=0.8, zorder=-1)


def in_the_box(setting: Setting) -> str:
    found = box_spinodal(setting)
    if found is None:
        return ""
    return f"; dotted: {found[0]:.3f} and {found[1]:.3f}, between which the longest wave of this box grows"


def box_spinodal(setting: Setting) -> tuple[float, float] | None:
    """Mean concentrations between which the longest wave of the box grows, k = 2 pi / L: f''(c) +
    epsilon^2 k^2 < 0 (Cahn 1961), f'' = a (2 - 12 c (1 - c)); None where it never does.
    """
    k = 2 * np.pi / (setting.size * setting.spacing)
    product = (2 + (setting.epsilon * k) ** 2 / setting.well_depth) / 12  # c (1 - c)
    if product >= 0.25:
        return None
    half = np.sqrt(0.25 - product)
    return 0.5 - half, 0.5 + half


def conservation(sheet: Sheet) -> Picture | None:
    """Predicted minus input mean concentration of all forward networks."""
    models = ordered(sheet.numbers.forward)
    if not models:
        return None
    fig = style.figure(style.PAGE, 2.5)
    left, right = fig.subplots(1, 2)
    for i, (network, p) in enumerate(models.items()):
        own, mean = look(network), p.shares.mean
        middle, low, high, rms = p.change.by_mean.T
        drawn = {"color": own.colour, "marker": own.marker, "ms": 2.2, "lw": 0.8}
        left.fill_between(mean, low, high, color=own.colour, alpha=0.2, lw=0)
        left.plot(mean, middle, label=own.title, zorder=3 + i, **drawn)
        right.plot(mean, np.maximum(rms, 1e-12), **drawn)
    left.axhline(0, color=style.GREY, lw=0.7)
    right.axhline(STEP, color=style.GREY, lw=0.8, ls=":")
    right.set(yscale="log", ylabel=r"rms change of $\bar c$")
    left.set(ylabel=r"predicted minus input $\bar c$")
    for ax in (left, right):
        ax.set_xlabel(r"mean concentration $\bar c$")
        spinodals(ax)
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return sheet.save(
        fig,
        "conservation",
        "Conservation of the mean concentration by the forward networks. Left: predicted minus input mean, median and 16 to 84% of test "
        f"samples. Right: its root mean square; dotted: {STEP:g}, the limit of the claim. Dashed: the spinodals.",
        "abstract",
    )


# ---- free energy


def free_energy(sheet: Sheet) -> Picture:
    """F and its two parts in time, for some mean concentrations."""
    p = sheet.numbers.physics
    fig, axes = style.grid(3, 2.3)
    finite = p.times[np.isfinite(p.times)]
    first = finite[finite > 0].min(initial=np.inf)
    colours = ordered_colours(len(p.means))
    parts = ("free energy", "chemical energy", "surface energy")
    for ax, part, energies in zip(axes, parts, p.energies, strict=True):
        for mean, end, values, colour in zip(p.means, p.steady, energies, colours, strict=True):
            of_mean(ax, values, (time_axis(p, end), end), colour, rf"$\bar c$ = {mean:g}")
        ax.set_xscale("symlog", linthresh=first if np.isfinite(first) else 1.0, linscale=0.5)
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
        ax.minorticks_off()
        ax.set(xlabel="time (units of the system)", ylabel=f"{part} / area")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    fell = (
        f"its largest rise between two recorded times is {p.rise:.1e} of its value at t = 0"
        if p.rise > 0
        else f"it rises in none of the {int(p.shares.samples.sum())} samples between two recorded times"
    )
    return sheet.save(
        fig,
        "free-energy",
        "Free energy per area in time and its two parts, by mean concentration: mean of the samples (band: 16 to 84% of them), at the "
        "recorded times; linear up to the first, then logarithmic. White squares: the steady state, at the median time at "
        f"which it was reached. The free energy must fall: {fell}.",
    )


def time_axis(p: Physics, end: float) -> np.ndarray:
    """The recorded times, and the steady state's where it is later than all."""
    finite = p.times[np.isfinite(p.times)]
    late = np.isinf(p.times[-1]) and finite[-1] < end
    return np.append(finite, end) if late else finite


def of_mean(ax, values: np.ndarray, when: tuple, colour, text: str) -> None:
    """Energies (t, 3) of one mean concentration; when: (times, the steady state's)."""
    time, end = when
    middle, low, high = values[: len(time)].T
    ax.fill_between(time, low, high, color=colour, alpha=0.2, lw=0)
    ax.plot(time, middle, color=colour, marker="o", ms=2, label=text)
    if np.isfinite(end):
        ax.plot([end], values[-1:, 0], marker="s", color=colour, ms=4, mfc="white", zorder=4)


def ordered_colours(count: int) -> list:
    """From light to dark: an ordered set."""
    return [colormaps["viridis_r"](x) for x in np.linspace(0.12, 1, max(count, 2))][:count]
