"""Figures of the trained models: MSE (3), confusion plots (4), MSE towards the spinodal (5).

Every function takes the studies, writes PNG and PDF into `folder` and returns (file name, caption),
or None where no run has what it shows.
"""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from analysis import style
from analysis.estimates import Estimate
from analysis.nucleation import skill
from analysis.nucleation.earlier import Skill
from analysis.nucleation.study import Study, present, splits_shown
from analysis.nucleation.training import CONFIGURATION, EVENT, MODELS, SPLITS, label

SHOWN = 1500  # markers in a confusion panel
PAPER_SPINODAL = (
    (0.06, 0.0052),
    (0.015, 0.0174),
)  # Delta h and MSE of figure 5's first and last point
ERRORS = "error bars: one standard error, the larger of the corrected fold error and of a bootstrap over the test events"


def look(model: str) -> dict:
    """Colour and marker of a model, the same in every figure."""
    index = list(MODELS).index(model) if model in MODELS else len(MODELS)
    return {
        "color": "black" if index == len(style.COLOURS) else style.colour(index),
        "marker": style.marker(index),
    }


def _legend(
    fig, models: list[str], splits: list[str], others: dict[str, dict], widest: int
) -> None:
    """One entry a model, one for the open markers, then `others` {label: line style}; at most
    `widest` columns.
    """
    entries = [Line2D([], [], label=label(m), lw=0.8, **look(m)) for m in models]
    if CONFIGURATION in splits:
        only = " (all)" if EVENT not in splits else ""
        open_ = {"ls": "--", "lw": 0.8, "color": style.GREY, "marker": "o", "mfc": "white"}
        entries.append(Line2D([], [], label=f"open: split by configuration{only}", **open_))
    entries += [Line2D([], [], label=name, **look_) for name, look_ in others.items()]
    fig.legend(
        handles=entries, loc="outside upper center", ncols=min(widest, -(-len(entries) // 2))
    )


def _splits_of(studies: list[Study]) -> list[str]:
    return [split for split in SPLITS if present(studies, split)]


FLOOR = {"color": style.GREY, "lw": 2.5, "alpha": 0.6}
PAPER = {"color": "black", "ls": "", "marker": "x"}
MEAN = {"color": "black", "ls": ":", "lw": 1}


def skill_of(study: Study) -> Skill:
    models = [m for m in present([study]) if any(study.folds(split, m) for split in SPLITS)]
    mse = {
        (split, m): skill.mse(study.run, folds)
        for split in SPLITS
        for m in models
        if (folds := study.folds(split, m))
    }
    system = study.run.system
    name = f"R = {system.range:g}\nL = {system.size}" if system.range else study.name
    return Skill(
        system.range or 0,
        name,
        {k: Estimate(e.value, e.error) for k, e in mse.items()},
        *_ground(study, models),
    )


def errors(studies: list[Study], folder: Path, more: list[Skill] = ()) -> tuple[str, str] | None:
    """Figure 3: MSE of the models, system by system, and the floor of the labels' noise. more: from
    an earlier report.
    """
    studies = [s for s in studies if s.training.folds and not s.near_spinodal]
    systems = sorted([*map(skill_of, studies), *more], key=lambda s: s.range)
    if not systems:
        return None
    found = {key for s in systems for key in s.mse}
    models = [m for m in MODELS if any((split, m) in found for split in SPLITS)]
    models += sorted({m for _, m in found} - set(models))
    with_spins = "spins" in models
    fig, axes = style.grid(2 if with_spins else 1, 2.7, per_row=2)
    for ax, skipped in zip(axes, ((), ("spins",)) if with_spins else ((),), strict=True):
        _errors_panel(ax, systems, [m for m in models if m not in skipped])
    if with_spins:
        axes[0].set_title("(a) all models")
        axes[1].set_title("(b) without the spin-based regression")
    others = {"label-noise floor": FLOOR} | ({"predicting the mean": MEAN} if with_spins else {})
    _legend(
        fig,
        models,
        [split for split in SPLITS if any(split == s for s, _ in found)],
        others,
        5 if with_spins else 2,
    )
    taken = (
        f" From an earlier report: {', '.join(s.label.replace(chr(10), ', ') for s in more)}."
        if more
        else ""
    )
    return (
        style.save(fig, folder, "figure-3-mse"),
        "Figure 3 of the paper: mean square error of p_nuc on the test sets, mean over folds; filled markers and solid "
        "lines: training and test sets share no event; open markers and dashed lines: split by configuration, as in "
        f"the paper; grey: label-noise floor; dotted: predicting the mean; {ERRORS}. Lines only guide the eye.{taken}",
    )


def _errors_panel(ax, systems: list[Skill], models: list[str]) -> None:
    for split, filled in ((EVENT, True), (CONFIGURATION, False)):
        for k, model in enumerate(models):
            rows = [
                (i, s.mse[split, model]) for i, s in enumerate(systems) if (split, model) in s.mse
            ]
            if not rows:
                continue
            dodge = 0.06 * (k - (len(models) - 1) / 2) + (0.02 if filled else -0.02)
            ax.errorbar(
                [i + dodge for i, _ in rows],
                [e.value for _, e in rows],
                [e.error for _, e in rows],
                ls="-" if filled else "--",
                lw=0.8,
                mfc=None if filled else "white",
                **look(model),
            )
    for i, system in enumerate(systems):
        ax.hlines(system.floor, i - 0.3, i + 0.3, **FLOOR)
        if "spins" in models:
            ax.hlines(system.variance, i - 0.3, i + 0.3, **MEAN)
    ax.set(xticks=np.arange(len(systems)), xticklabels=[s.label for s in systems], ylim=(0, None))
    ax.set(ylabel=r"mean square error of $p_\mathrm{nuc}$", xlim=(-0.5, len(systems) - 0.5))


def _ground(study: Study, models: list[str]) -> tuple[float, float]:
    """(floor, variance of p_nuc) of the test sets of the first model there is."""
    for split in SPLITS:
        for model in models:
            if folds := study.folds(split, model):
                return skill.floor(study.run, folds), float(np.mean([f.p_nuc.var() for f in folds]))
    return np.nan, np.nan


def confusion(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 4: predicted against measured p_nuc, a row a system, a column a model."""
    studies = [s for s in studies if s.training.folds and not s.near_spinodal]
    models = present(studies)
    if not models:
        return None
    width = style.COLUMN if len(models) < 3 else style.PAGE
    fig = style.figure(width, (width / len(models) + 0.15) * len(studies) + 0.3)
    axes = fig.subplots(len(studies), len(models), squeeze=False, sharex=True, sharey=True)
    for row, study in zip(axes, studies, strict=True):
        for ax, model in zip(row, models, strict=True):
            _confusion_panel(ax, study, model, f"{label(model)}\n", min(6.5, 36 / len(models)))
        row[0].set_ylabel(study.name.replace(", h", "\nh", 1) + "\n" + PREDICTED, fontsize=7)
        row[0].set_axis_on()
    for ax in axes[-1]:
        ax.set_xlabel(MEASURED, fontsize=7)
    return style.save(fig, folder, "figure-4-confusion"), CONFUSION.format(
        "Figure 4 of the paper", splits_shown(studies, models)
    )


def confusion_near_spinodal(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """The same for the L = 200 systems."""
    studies = [s for s in studies if s.training.folds and s.near_spinodal]
    pairs = [(s, model) for s in studies for model in present([s])]
    if not pairs:
        return None
    fig, axes = style.grid(len(pairs), 2.3)
    for ax, (study, model) in zip(axes, pairs, strict=True):
        _confusion_panel(ax, study, model, f"{study.name}\n{label(model)}, ")
        ax.set(xlabel=MEASURED, ylabel=PREDICTED)
    caption = CONFUSION.format(
        "As figure 4, towards the spinodal", splits_shown(studies, present(studies))
    )
    return style.save(fig, folder, "figure-4-confusion-near-the-spinodal"), caption


PREDICTED, MEASURED = r"predicted $p_\mathrm{nuc}$", r"measured $p_\mathrm{nuc}$"
CONFUSION = (
    "{}: predicted against measured p_nuc on the test sets of all folds (split {}; at most "
    + f"{SHOWN} configurations shown), "
    "with 1000 x MSE. Red: perfect prediction; black: mean and standard deviation of the predictions in ten bins of the "
    "measured p_nuc. A perfect predictor still scatters by the labels' noise."
)


def _confusion_panel(ax, study: Study, model: str, title: str, fontsize: float = 6.5) -> None:
    _, folds = study.shown(model)
    if not folds:
        ax.set_axis_off()
        return
    p, q = (np.concatenate([getattr(f, name) for f in folds]) for name in ("p_nuc", "predicted"))
    shown = np.random.default_rng(0).permutation(len(p))[:SHOWN]
    ax.scatter(p[shown], q[shown], s=2.5, lw=0, alpha=0.35, color=style.SKY, rasterized=True)
    ax.plot([0, 1], [0, 1], color=style.VERMILION, lw=1)
    bins = np.minimum((p * 10).astype(int), 9)
    filled = [bins == b for b in range(10) if (bins == b).any()]
    mean, spread = [q[rows].mean() for rows in filled], [q[rows].std() for rows in filled]
    ax.errorbar(
        [p[rows].mean() for rows in filled],
        mean,
        spread,
        fmt="o",
        ms=2,
        lw=0.8,
        capsize=1,
        color="black",
    )
    ax.set(
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        aspect="equal",
        xticks=(0, 0.5, 1),
        yticks=(0, 0.5, 1),
    )
    error = skill.mse(study.run, folds)
    ax.set_title(
        rf"{title}$10^3$ MSE {Estimate(1000 * error.value, 1000 * error.error)}", fontsize=fontsize
    )


def towards_spinodal(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 5: MSE against Delta h of the L = 200 systems."""
    studies = [s for s in studies if s.training.folds and s.near_spinodal]
    if not studies:
        return None
    fig = style.figure(style.COLUMN, 2.8)
    ax = fig.subplots()
    for split, filled in ((EVENT, True), (CONFIGURATION, False)):
        for model in present(studies, split):
            rows = [
                (s.distance_to_spinodal, skill.mse(s.run, s.folds(split, model)))
                for s in sorted(studies, key=lambda s: -s.distance_to_spinodal)
                if s.folds(split, model)
            ]
            ax.errorbar(
                [x for x, _ in rows],
                [e.value for _, e in rows],
                [e.error for _, e in rows],
                ls="-" if filled else "--",
                mfc=None if filled else "white",
                **look(model),
            )
    for study in studies:
        x = study.distance_to_spinodal
        ax.hlines(_ground(study, present(studies))[0], x - 0.002, x + 0.002, **FLOOR)
    ax.plot(*np.array(PAPER_SPINODAL).T, **PAPER)
    ax.set(
        xlabel=r"distance to the spinodal, $\Delta h = h_s - h$",
        ylabel=r"mean square error of $p_\mathrm{nuc}$",
    )
    ax.set(ylim=(0, None), xlim=(0, None))
    ax.invert_xaxis()
    others = {"label-noise floor": FLOOR, "the paper's (ends)": PAPER}
    _legend(fig, present(studies), _splits_of(studies), others, 2)
    return (
        style.save(fig, folder, "figure-5-towards-the-spinodal"),
        "Figure 5 of the paper: mean square error towards the spinodal (right: h = h_s), L = 200; crosses: the paper's "
        f"0.0052 and 0.0174, for 7 000 training configurations; open markers: split by configuration; {ERRORS}.",
    )
