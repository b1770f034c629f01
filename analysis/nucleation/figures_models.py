"""Figures of the trained models: MSE (3), confusion plots (4), MSE towards the spinodal (5),
weights of the features (6), learning curves.

Every function takes the records, writes PNG and PDF into `folder` and returns the picture, or None
where no record has what it shows.
"""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from analysis import style
from analysis.estimates import Estimate
from analysis.nucleation import paper, skill
from analysis.nucleation.labels import (
    CONFIGURATION,
    EVENT,
    FLOOR,
    MEAN,
    MEASURED,
    PAPER,
    PREDICTED,
    SPLITS,
    in_order,
    label,
    look,
    slug,
    two_lines,
)
from analysis.page import Picture
from analysis.record import Record
from jobs.nucleation.features import NAMES

WIDE = 10.0  # largest over smallest error, from which their axis is logarithmic
SHOWN = 1500  # markers in a confusion panel
PAPER_SPINODAL = (
    (0.06, 0.0052),
    (0.015, 0.0174),
)  # Delta h and MSE of figure 5's first and last point
ERRORS = "error bars: one standard error, the larger of the corrected fold error and of a bootstrap over the test events"


def models_of(records: list[Record], split: str | None = None) -> list[str]:
    return in_order(model for r in records for model in r.numbers.models(split))


def splits_of(records: list[Record]) -> list[str]:
    return [split for split in SPLITS if models_of(records, split)]


def markers(records: list[Record]) -> str:
    """What they mean, of the splits that are drawn."""
    meanings = {
        EVENT: "filled markers and solid lines: training and test sets share no event",
        CONFIGURATION: "open markers and dashed lines: split by configuration, as in the paper",
    }
    found = splits_of(records)
    if found == [EVENT]:
        return "training and test sets share no event, unlike the paper's"
    return "; ".join(meanings[split] for split in found)


def splits_shown(records: list[Record], models: list[str]) -> str:
    """How the folds that Numbers.shown(model) gives were split, in words."""
    found = {split for r in records for m in models if (split := r.numbers.shown(m)[0])}
    return " or ".join(sorted(SPLITS[split] for split in found))


def ground(record: Record) -> tuple[float, float]:
    """(label-noise floor, variance of p_nuc) of the test sets of the first model there is."""
    for split in SPLITS:
        for model in record.numbers.models(split):
            folds = record.numbers.tested(split, model)
            return skill.floor(folds), skill.variance(folds)
    return np.nan, np.nan


def _legend(fig, records: list[Record], others: dict[str, dict], widest: int) -> None:
    """One entry a model, one for the open markers, then `others` {label: line style}; at most
    `widest` columns.
    """
    models, splits = models_of(records), splits_of(records)
    entries = [Line2D([], [], label=label(m), lw=0.8, **look(m)) for m in models]
    if CONFIGURATION in splits:
        only = " (all)" if EVENT not in splits else ""
        open_ = {"ls": "--", "lw": 0.8, "color": style.GREY, "marker": "o", "mfc": "white"}
        entries.append(Line2D([], [], label=f"open: split by configuration{only}", **open_))
    entries += [Line2D([], [], label=name, **look_) for name, look_ in others.items()]
    fig.legend(
        handles=entries, loc="outside upper center", ncols=min(widest, -(-len(entries) // 2))
    )


def errors(records: list[Record], folder: Path) -> Picture | None:
    """Figure 3: MSE of the models, system by system, and the floor of the labels' noise."""
    records = [r for r in records if r.numbers.folds and not paper.near_spinodal(r.numbers.system)]
    if not records:
        return None
    records = sorted(records, key=lambda r: r.numbers.system.range or 0)
    models = models_of(records)
    with_spins = "spins" in models
    fig, axes = style.grid(2 if with_spins else 1, 2.7, per_row=2)
    for ax, skipped in zip(axes, ((), ("spins",)) if with_spins else ((),), strict=True):
        _errors_panel(ax, records, [m for m in models if m not in skipped])
    if with_spins:
        axes[0].set_title("(a) all models")
        axes[1].set_title("(b) without the spin-based regression")
    others = {"label-noise floor": FLOOR} | ({"predicting the mean": MEAN} if with_spins else {})
    stated = any(stated_by_paper(record) for record in records)
    others |= {"the paper's CNN": PAPER} if stated else {}
    _legend(fig, records, others, 5 if with_spins else 2)
    caption = (
        f"Mean square error (MSE) of p_nuc on the test sets, mean over folds; {markers(records)}; "
        "grey: what the labels' noise leaves; "
    )
    caption += "dotted: predicting the mean; " if with_spins else ""
    caption += "cross: what the paper states of its CNN; " if stated else ""
    guide = " Lines only guide the eye." if len(records) > 1 else ""
    return Picture(style.save(fig, folder, "figure-3-mse"), f"{caption}{ERRORS}.{guide}", "3")


def stated_by_paper(record: Record) -> float | None:
    """The MSE of the paper's CNN."""
    system = paper.find(record.numbers.system)
    return system.mse if system is not None else None


def _errors_panel(ax, records: list[Record], models: list[str]) -> None:
    for split, filled in ((EVENT, True), (CONFIGURATION, False)):
        for k, model in enumerate(models):
            rows = [
                (i, skill.mse(folds))
                for i, r in enumerate(records)
                if (folds := r.numbers.tested(split, model))
            ]
            if not rows:
                continue
            dodge = 0.06 * (k - (len(models) - 1) / 2) + (0.02 if filled else -0.02)
            _bars(ax, [(i + dodge, e) for i, e in rows], model, filled, lw=0.8)
    for i, record in enumerate(records):
        floor, variance = ground(record)
        ax.hlines(floor, i - 0.3, i + 0.3, **FLOOR)
        if "spins" in models:
            ax.hlines(variance, i - 0.3, i + 0.3, **MEAN)
        if (stated := stated_by_paper(record)) is not None:
            ax.plot(i - 0.2, stated, **PAPER)
    names = [r.origin.system.replace(", L", "\nL").replace(", h", "\nh") for r in records]
    ax.set(xticks=np.arange(len(records)), xticklabels=names, ylim=(0, None))
    ax.set(ylabel=r"mean square error of $p_\mathrm{nuc}$", xlim=(-0.5, len(records) - 0.5))


def _bars(ax, drawn: list[tuple[float, Estimate]], model: str, filled: bool, **more) -> None:
    ax.errorbar(
        [x for x, _ in drawn],
        [e.value for _, e in drawn],
        [e.error for _, e in drawn],
        ls="-" if filled else "--",
        mfc=None if filled else "white",
        **look(model),
        **more,
    )


def confusion(records: list[Record], folder: Path) -> Picture | None:
    """Figure 4: predicted against measured p_nuc, a row a system, a column a model."""
    records = [r for r in records if r.numbers.folds and not paper.near_spinodal(r.numbers.system)]
    models = models_of(records)
    if not models:
        return None
    columns = max(len(record.numbers.models()) for record in records)
    width = style.COLUMN if columns < 3 else style.PAGE
    fig = style.figure(width, (width / columns + 0.15) * len(records) + 0.3)
    axes = fig.subplots(len(records), columns, squeeze=False, sharex=True, sharey=True)
    for row, record in zip(axes, records, strict=True):  # its own models, side by side
        own = record.numbers.models()
        for ax in row[len(own) :]:
            ax.remove()
        for ax, model in zip(row, own, strict=False):
            _confusion_panel(ax, record, model, f"{label(model)}\n", min(6.5, 36 / columns))
        row[0].set_ylabel(two_lines(record.origin.system) + "\n" + PREDICTED, fontsize=7)
    for ax in axes[-1][: len(records[-1].numbers.models())]:
        ax.set_xlabel(MEASURED, fontsize=7)
    return Picture(
        style.save(fig, folder, "figure-4-confusion"),
        CONFUSION.format(splits_shown(records, models)),
        "4",
    )


def confusion_near_spinodal(records: list[Record], folder: Path) -> Picture | None:
    """The same for the L = 200 systems."""
    records = [r for r in records if r.numbers.folds and paper.near_spinodal(r.numbers.system)]
    pairs = [(r, model) for r in records for model in r.numbers.models()]
    if not pairs:
        return None
    fig, axes = style.grid(len(pairs), 2.3)
    for ax, (record, model) in zip(axes, pairs, strict=True):
        _confusion_panel(ax, record, model, f"{record.origin.system}\n{label(model)}, ")
        ax.set(xlabel=MEASURED, ylabel=PREDICTED)
    return Picture(
        style.save(fig, folder, "confusion-near-the-spinodal"),
        "Towards the spinodal: "
        + CONFUSION.format(splits_shown(records, models_of(records))).replace("Pre", "pre", 1),
    )


CONFUSION = (
    "Predicted against measured p_nuc on the test sets of all folds (split {}; at most "
    + f"{SHOWN} configurations shown), "
    "with 1000 x MSE. Red: perfect prediction; black: mean and standard deviation of the predictions in ten bins of the "
    "measured p_nuc. A perfect predictor still scatters by the labels' noise."
)


def _confusion_panel(ax, record: Record, model: str, title: str, fontsize: float = 6.5) -> None:
    _, folds = record.numbers.shown(model)
    limits = {"xlim": (-0.03, 1.03), "ylim": (-0.03, 1.03), "aspect": "equal"}
    ax.set(**limits, xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    p, q = (np.concatenate([getattr(f, name) for f in folds]) for name in ("p_nuc", "predicted"))
    shown = np.random.default_rng(0).permutation(len(p))[:SHOWN]
    ax.scatter(p[shown], q[shown], s=2.5, lw=0, alpha=0.35, color=style.SKY, rasterized=True)
    ax.plot([0, 1], [0, 1], color=style.VERMILION, lw=1)
    bins = np.minimum((p * 10).astype(int), 9)
    filled = [bins == b for b in range(10) if (bins == b).any()]
    ax.errorbar(
        [p[rows].mean() for rows in filled],
        [q[rows].mean() for rows in filled],
        [q[rows].std() for rows in filled],
        fmt="o",
        ms=2,
        lw=0.8,
        capsize=1,
        color="black",
    )
    error = skill.mse(folds)
    ax.set_title(
        rf"{title}$10^3$ MSE {Estimate(1000 * error.value, 1000 * error.error)}", fontsize=fontsize
    )


def towards_spinodal(records: list[Record], folder: Path) -> Picture | None:
    """Figure 5: MSE against Delta h of the L = 200 systems."""
    records = [r for r in records if r.numbers.folds and paper.near_spinodal(r.numbers.system)]
    if not records:
        return None
    records = sorted(records, key=lambda r: -paper.distance_to_spinodal(r.numbers.system))
    fig = style.figure(style.COLUMN, 2.8)
    ax = fig.subplots()
    for split, filled in ((EVENT, True), (CONFIGURATION, False)):
        for model in models_of(records, split):
            rows = [
                (paper.distance_to_spinodal(r.numbers.system), skill.mse(folds))
                for r in records
                if (folds := r.numbers.tested(split, model))
            ]
            _bars(ax, rows, model, filled)
    for record in records:
        x = paper.distance_to_spinodal(record.numbers.system)
        ax.hlines(ground(record)[0], x - 0.002, x + 0.002, **FLOOR)
    ax.plot(*np.array(PAPER_SPINODAL).T, **PAPER)
    ax.set(
        xlabel=r"distance to the spinodal, $\Delta h = h_s - h$",
        ylabel=r"mean square error of $p_\mathrm{nuc}$",
        xlim=(0, None),
    )
    errors = [skill.mse(r.numbers.shown(m)[1]).value for r in records for m in r.numbers.models()]
    if max(errors) > WIDE * min(errors):
        ax.set_yscale("log")
        style.decades(ax.yaxis)
    else:
        ax.set_ylim(0, None)
    ax.invert_xaxis()
    _legend(fig, records, {"label-noise floor": FLOOR, "the paper's (ends)": PAPER}, 2)
    return Picture(
        style.save(fig, folder, "figure-5-towards-the-spinodal"),
        "Mean square error towards the spinodal (right: h = h_s), L = 200; crosses: the paper's "
        f"0.0052 and 0.0174, for 7 000 training configurations; {markers(records)}; {ERRORS}.",
        "5",
    )


def weights(records: list[Record], folder: Path) -> Picture | None:
    """Figure 6: weights of the features-based regression as the paper trains it, and beside them at
    the minimum of its loss.
    """
    chosen = [
        (r, model, folds)
        for r in records
        for model in ("features", "features_converged")
        if (folds := [f for f in r.numbers.shown(model)[1] if f.fold.weights is not None])
    ]
    if not chosen:
        return None
    converged = any(model == "features_converged" for _, model, _ in chosen)
    fig, axes = style.grid(len(chosen), 2.0, per_row=2)
    for ax, (record, model, folds) in zip(axes, chosen, strict=True):
        values = np.array([f.fold.weights for f in folds])
        found = [skill.over_folds(column, folds) for column in values.T]
        places, bars = range(len(found)), [e.value for e in found]
        ax.bar(places, bars, color=style.SKY, width=0.7)
        ax.errorbar(places, bars, [e.error for e in found], fmt="none", ecolor="black", lw=0.9)
        ax.axhline(0, color="black", lw=0.6)
        title = f"{record.origin.system}\n{label(model)}" if converged else record.origin.system
        ax.set(xticks=places, ylabel="weight")
        ax.set_title(title, fontsize=7)
        ax.set_xticklabels(
            [name.replace("R(", "R$^{(").replace(")", ")}$") for name in NAMES], fontsize=6
        )
    shown = [r for r in records if any(r is record for record, *_ in chosen)]
    how = splits_shown(shown, ["features"])
    return Picture(
        style.save(fig, folder, "figure-6-weights"),
        "Weights of the features-based regression on the standardised features, mean over folds "
        f"(split {how}; bars: corrected fold error, none for a single fold): m along the stable direction, and the moments "
        "R(k) of the distance of stable spins from the droplet's centre. The moments are strongly correlated with each "
        "other, so single weights are less well determined than the prediction"
        + " (converged: at the minimum of the loss, on a scale of its own)" * converged
        + "".join(f"; {at_minimum(record)}" for record in shown if at_minimum(record))
        + ".",
        "6",
    )


def at_minimum(record: Record) -> str:
    """Weights of m and R(1) where the training stops, and at the minimum of the loss."""
    split = record.numbers.shown("features")[0] or EVENT
    both = [record.numbers.tested(split, model) for model in ("features", "features_converged")]
    if not all(both) or any(f.fold.weights is None for folds in both for f in folds):
        return ""
    pairs = [
        [skill.over_folds(np.array([f.fold.weights[k] for f in folds]), folds) for folds in both]
        for k in (0, 1)
    ]
    said = (
        f"{name} has {here}, and {there} at the minimum of the loss"
        for name, (here, there) in zip(NAMES, pairs, strict=False)
    )
    return f"{record.origin.system}: {', '.join(said)}"


def learning(record: Record, folder: Path) -> Picture | None:
    """Training and validation loss by epoch of every model of one run, each fold a line."""
    chosen = []
    for model in record.numbers.models():
        folds = [f.fold for f in record.numbers.shown(model)[1]]
        folds = [f for f in folds if f.history is not None and f.history.shape[1] > 1]
        chosen += [(model, folds)] if folds else []  # Newton's method needs one epoch: no curve
    if not chosen:
        return None
    fig, axes = style.grid(len(chosen), 1.9)
    for ax, (model, folds) in zip(axes, chosen, strict=True):
        for i, fold in enumerate(folds):
            epoch, *losses = fold.history
            thin = {"lw": 0.8, "alpha": 0.9 if len(folds) < 4 else 0.5}
            names = (("training", style.BLUE), ("validation", style.VERMILION))
            for (name, color), loss in zip(names, losses, strict=True):
                ax.plot(epoch, loss, color=color, label=name if i == 0 else None, **thin)
            best = epoch == fold.best_epoch
            kept = {"marker": "o", "ls": "", "ms": 2.5, "color": "black"}
            ax.plot(epoch[best], losses[1][best], **kept, label="epoch kept" if i == 0 else None)
        for name, color in (("training", style.BLUE), ("validation", style.VERMILION)):
            for i, fold in enumerate(folds):
                note = f"entropy of the {name} labels" if i == 0 else None
                least = getattr(fold, f"{name}_entropy")
                ax.axhline(least, color=color, ls=":", lw=0.8, label=note)
        style.whole_numbers(ax.xaxis)
        ax.set(xlabel="epoch", ylabel="cross entropy (nat)", title=label(model))
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=5 if len(chosen) > 2 else 2)
    models = [model for model, _ in chosen]
    return Picture(
        style.save(fig, folder, f"learning-{slug(record.origin.system)}"),
        f"{record.origin.system}: loss by epoch, one line a fold (split {splits_shown([record], models)}); circles: the epoch "
        "that is kept, of the smallest validation loss; dotted: the entropy of the measured labels, the least that any prediction of them "
        "can reach (the two sets' differ, and with them their losses).",
    )
