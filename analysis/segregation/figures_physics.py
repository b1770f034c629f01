"""Structure factor, phase transition, conservation, and the free energy in time."""

from collections.abc import Iterator

import numpy as np
from matplotlib.ticker import NullLocator

from analysis import style
from analysis.estimates import together, wilson
from analysis.page import Picture
from analysis.segregation.claims import REACHED, STEP
from analysis.segregation.labels import AGE, MEAN_ALONE, STEPS, TRUTH, listed, look, ordered, title
from analysis.segregation.measure import Forward, Reverse, Setting
from analysis.segregation.physics import Physics
from analysis.sheet import Sheet
from jobs.segregation.config import SPINODAL
from kernels.structure import wave_numbers

LEAST = 1e-10  # of the truth's largest structure factor: round-off of single precision is below
FARTHEST = 1e6  # from 1, of ratios that are shown
COARSE = " The stepping network makes no waves finer than its coarse grid."
CUT = f", up to {FARTHEST:.0e}".replace("e+0", "e")


def draw(sheet: Sheet) -> Iterator[Picture | None]:
    yield forward_structure(sheet)
    yield reverse_structure(sheet)
    yield phase_transition(sheet)
    yield conservation(sheet)


# ---- structure factor


def forward_structure(sheet: Sheet) -> Picture | None:
    models = {n: p for n, p in ordered(sheet.numbers.forward).items() if p.spectrum}
    if not models:
        return None
    finest = next(iter(models.values())).spectrum.finest
    fig, upper = spectra(sheet, models, finest)
    truth = next(iter(models.values())).spectrum.truth
    upper.set_yscale("log")
    upper.set_ylim(bottom=max(truth[-1], LEAST * truth.max()) / 10)
    numbers = "; ".join(f"{look(n).title} {finest_power(sheet, n)}" for n in models)
    return sheet.save(
        fig,
        "structure-factor-forward",
        "Structure factor of samples that segregate, truth and predictions: the power of waves of wave number k, below over the truth's "
        f"(errors: bootstrap over samples){CUT * (not lies_within(fig))}. Grey: the truth's shorter waves, which hold at most a "
        "tenth of its power; power of all of them over the truth's: "
        f"{numbers}. At large k, where the truth has next to nothing, a large ratio is little power."
        f"{COARSE * (STEPS in models)}",
        "2",
    )


def finest_power(sheet: Sheet, network: str) -> str:
    """Of all runs that have this network."""
    found = [r.numbers.forward.get(network) for r in sheet.record.runs]
    shares = [p.spectrum.share for p in found if p is not None and p.spectrum]
    return f"{together(shares)}{runs(len(shares))}"


def runs(count: int) -> str:
    return f" ({count} runs)" if count > 1 else ""


def lies_within(fig) -> bool:
    """Whether the lower panel shows all of its points."""
    low, high = fig.axes[1].get_ylim()
    values = np.concatenate([line.get_ydata() for line in fig.axes[1].lines])
    values = values[np.isfinite(values)]
    return bool(((values >= low) & (values <= high)).all())


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
    there = truth > LEAST * truth.max()  # else a ratio is round-off over round-off
    upper.plot(k, truth, color=TRUTH, lw=1.6, label="truth")
    for network, p in models.items():
        own = look(network)
        drawn = {"color": own.colour, "marker": own.marker, "ms": 2.2, "lw": 0.9}
        upper.plot(k, p.spectrum.predicted, label=title(network), **drawn)
        value, error = p.spectrum.ratio.T
        lower.errorbar(
            k,
            np.where(there, value, np.nan),
            np.nan_to_num(error),
            elinewidth=0.6,
            capsize=0,
            **drawn,
        )
    for ax in (upper, lower):
        ax.axvspan(k[grey], k[-1], color="#EEEEEE", lw=0, zorder=-2)
        ax.set_xscale("log")
        style.decades(ax.xaxis)
    lower.axhline(1, color=TRUTH, lw=0.8, zorder=-1)
    upper.set_ylabel(r"structure factor $S(k)$ (length$^2$)")
    lower.set(xlabel=r"wave number $k$ (1 / length)", ylabel=r"$S(k)$ over the truth's")
    ratios(lower, [p.spectrum.ratio[there, 0] for p in models.values()])
    columns = len(models) + 1 if len(models) < 3 else 2
    fig.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=columns)
    return fig, upper


def ratios(ax, values: list[np.ndarray]) -> None:
    """An axis for ratios, which begins at 0 as long as none of them is far from 1."""
    known = np.concatenate(values)
    known = known[np.isfinite(known)]
    if len(known) and (known.max() > 2 or known.min() < 0.2):
        low, high = known[known > 0].min(initial=0.1), known.max(initial=2)
        ax.set_yscale("log")
        ax.set_ylim(max(low / 2, 1 / FARTHEST), min(2 * high, FARTHEST))
    else:
        ax.set_ylim(0, 1.1 * known.max(initial=1.1))


# ---- who segregates


def phase_transition(sheet: Sheet) -> Picture:
    """P(segregated) against the mean concentration, whole and near both spinodals."""
    models, whole = ordered(sheet.numbers.forward), sheet.numbers.physics.shares
    source = "samples of the data set"
    if models:
        whole, source = max(models.values(), key=lambda p: p.samples).shares, "test samples"
    fig = style.figure(style.PAGE, 2.5)
    axes = fig.subplots(1, 3, sharey=True, width_ratios=(1.5, 1, 1))
    step = np.diff(whole.mean).min() if len(whole.mean) > 1 else STEP
    reach = max(0.07, 2.5 * step)
    for ax, side in zip(axes, (None, 0, 1), strict=True):
        line = {"color": TRUTH, "lw": 1.2, "zorder": 3, "label": "truth"}
        shares(ax, (whole.mean, whole.truth, whole.samples), 0.0, line | {"marker": ".", "ms": 3})
        for i, (network, p) in enumerate(models.items()):
            own, s = look(network), p.shares
            apart = 0.0 if side is None else 0.25 * step * (i - (len(models) - 1) / 2)
            line = {"color": own.colour, "lw": 0.8, "zorder": 1, "label": own.title}
            drawn = {"marker": own.marker, "ms": 3.2, "mfc": "white", "mew": 0.7}
            shares(ax, (s.mean, s.predicted, s.samples), apart, line | drawn)
        spinodals(ax, sheet.numbers.setting)
        ax.set(xlabel=r"mean concentration $\bar c$", ylim=(-0.04, 1.04))
        if side is not None:
            ax.set_xlim(SPINODAL[side] - reach, SPINODAL[side] + reach)
            ax.axhline(0.5, color=style.GREY, lw=0.5, zorder=-1)
            ax.locator_params(axis="x", nbins=4)
            ax.set_title(f"near the {('lower', 'upper')[side]} spinodal")
    axes[0].set_ylabel("share of samples that segregate")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    alone = (
        " Since nearly all mixtures of one mean concentration do the same, the mean alone tells as much as the truth's line."
        if models and min(p.right_given_mean for p in models.values()) > REACHED
        else ""
    )
    return sheet.save(
        fig,
        "phase-transition",
        f"Share of {source} that segregate, against their mean concentration, with 68% Wilson intervals. "
        f"{spinodals_in_words(sheet.numbers.setting)} Right: near them; networks' markers, not their lines, are moved apart sideways; "
        f"thin line: half of the samples.{alone}",
        "abstract",
    )


def shares(ax, curve: tuple, apart: float, drawn: dict) -> None:
    """A curve (mean, hits, samples), its markers moved by `apart` sideways."""
    mean, hits, samples = curve
    low, high = wilson(hits, samples)
    share = hits / samples
    ax.plot(mean, share, **{name: drawn[name] for name in ("color", "lw", "zorder")})
    around = np.maximum([share - low, high - share], 0)
    ax.errorbar(mean + apart, share, around, ls="", elinewidth=0.7, **drawn)


def spinodals(ax, setting: Setting) -> None:
    """Of a mixture without bounds, and of this box."""
    for ends, ls in ((SPINODAL, "--"), (box_spinodal(setting) or (), ":")):
        for at in ends:
            ax.axvline(at, color=style.GREY, ls=ls, lw=0.8, zorder=-1)


def spinodals_in_words(setting: Setting) -> str:
    text = f"Dashed: the spinodals {SPINODAL[0]:.3f} and {SPINODAL[1]:.3f}, between which a uniform mixture without bounds is unstable"
    found = box_spinodal(setting)
    if found is None:
        return f"{text}."
    return f"{text}; dotted: {found[0]:.3f} and {found[1]:.3f}, between which the longest wave of this box grows."


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
    left.axhline(0, color=TRUTH, lw=0.9, ls="--", label=f"equation; {MEAN_ALONE}")
    for i, (network, p) in enumerate(models.items()):
        own, mean = look(network), p.shares.mean
        middle, low, high, rms = p.change.by_mean.T
        drawn = {"color": own.colour, "marker": own.marker, "ms": 2.2, "lw": 0.8}
        left.fill_between(mean, low, high, color=own.colour, alpha=0.2, lw=0)
        left.plot(mean, middle, label=own.title, zorder=3 + i, **drawn)
        right.plot(mean, np.maximum(rms, 1e-12), **drawn)
    right.axhline(STEP, color=TRUTH, lw=0.8)
    right.set(yscale="log", ylabel=r"rms change of $\bar c$")
    right.yaxis.set_minor_locator(NullLocator())
    left.set(ylabel=r"change of $\bar c$, answer minus input")
    for ax in (left, right):
        ax.set_xlabel(r"mean concentration $\bar c$ of the input")
        spinodals(ax, sheet.numbers.setting)
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    kept = [look(network).title for network in models if look(network).conserving]
    built = f" By construction {listed(kept)} keeps it but for round-off." if kept else ""
    return sheet.save(
        fig,
        "conservation",
        "How far networks change the mean concentration, which the equation conserves. Left: mean of the answer minus mean of the input, "
        "median and 16 to 84% of the test samples at each mean concentration; at 0 lie the equation and a prediction that knows the mean "
        f"alone. Right: the root mean square over the samples; line: {STEP:g}, the limit of the claim.{built} Vertical lines: the "
        "spinodals, as in the figure of the phase transition.",
        "abstract",
    )


# ---- free energy


def free_energy(sheet: Sheet) -> Picture:
    """F and its two parts in time, for some mean concentrations."""
    p, depth = sheet.numbers.physics, sheet.numbers.setting.well_depth
    fig, axes = style.grid(3, 2.3)
    finite = p.times[np.isfinite(p.times)]
    first = finite[finite > 0].min(initial=np.inf)
    last = np.nanmax([finite[-1], *p.steady])
    looks = list(zip(style.shades(len(p.means)), style.MARKERS, strict=False))
    parts = ("free energy", "chemical energy", "surface energy")
    for ax, part, energies in zip(axes, parts, p.energies, strict=True):
        for mean, end, values, drawn in zip(p.means, p.steady, energies, looks, strict=True):
            of_mean(ax, values, (time_axis(p, end), end), drawn, rf"$\bar c$ = {mean:.2f}")
            if part != "surface energy":
                uniform = depth * (mean * (1 - mean)) ** 2
                ax.axhline(uniform, color=drawn[0], lw=0.8, ls=":", zorder=1)
        style.from_zero(ax, first if np.isfinite(first) else 1.0, last)
        ax.set_ylim(bottom=0)
        ax.set(xlabel=AGE, ylabel=f"{part} / area")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    fell = (
        f"its largest rise between two of them is {p.rise:.0e} of its value at age 0"
        if p.rise > 0
        else f"it rises in none of the {int(p.shares.samples.sum())} samples between two of them"
    )
    return sheet.save(
        fig,
        "free-energy",
        "What the equation does, without a network: free energy per area against age, and its two parts, of mixtures of some mean "
        "concentrations, mean of the samples (band: 16 to 84% of them) at the ages at which fields are kept; linear up to the first, "
        "then logarithmic. White markers: the steady state, at the median age at which it was reached. Dotted: of the uniform mixture, "
        "what the mean concentration alone tells; a mixture that segregates falls below it. The free energy must fall from age to age: "
        f"{fell}.",
    )


def time_axis(p: Physics, end: float) -> np.ndarray:
    """The ages at which fields are kept, and the steady state's where it is later than all."""
    finite = p.times[np.isfinite(p.times)]
    late = np.isinf(p.times[-1]) and finite[-1] < end
    return np.append(finite, end) if late else finite


def of_mean(ax, values: np.ndarray, when: tuple, drawn: tuple, text: str) -> None:
    """Energies (t, 3) of one mean concentration; when: (ages, the steady state's); drawn: (colour,
    marker).
    """
    (time, end), (colour, marker) = when, drawn
    middle, low, high = values[: len(time)].T
    ax.fill_between(time, low, high, color=colour, alpha=0.2, lw=0)
    ax.plot(time, middle, color=colour, marker=marker, ms=2.5, lw=1, label=text)
    if np.isfinite(end):
        ax.plot([end], values[-1:, 0], marker=marker, color=colour, ms=4.5, mfc="white", zorder=4)
