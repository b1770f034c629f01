"""Figures of the training itself: weights of the features-based regression (6), learning curves.

As in model_figures: each function returns (file name, caption), or None where no run has what it
shows.
"""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.nucleation import estimates, skill
from analysis.nucleation.study import Study, present, splits_shown
from analysis.nucleation.training import label
from jobs.nucleation.features import NAMES


def weights(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 6: weights of the features-based regression."""
    chosen = [
        (s, folds)
        for s in studies
        if (folds := [f for f in s.shown("features")[1] if f.weights is not None])
    ]
    if not chosen:
        return None
    fig, axes = style.grid(len(chosen), 2.0, per_row=2)
    for ax, (study, folds) in zip(axes, chosen, strict=True):
        values = np.array([fold.weights for fold in folds])
        found = [skill.over_folds(column, folds) for column in values.T]
        ax.bar(range(len(found)), [e.value for e in found], color=style.SKY, width=0.7)
        ax.errorbar(
            range(len(found)),
            [e.value for e in found],
            [e.error for e in found],
            fmt="none",
            ecolor="black",
            lw=0.9,
        )
        ax.axhline(0, color="black", lw=0.6)
        ax.set(xticks=range(len(found)), ylabel="weight", title=study.name)
        ax.set_xticklabels(
            [name.replace("R(", "R$^{(").replace(")", ")}$") for name in NAMES], fontsize=6
        )
    how = splits_shown([study for study, _ in chosen], ["features"])
    return (
        style.save(fig, folder, "figure-6-weights"),
        "Figure 6 of the paper: weights of the features-based regression on the standardised features, mean over folds "
        f"(split {how}; bars: corrected fold error, none for a single fold): m along the stable direction, and the moments of "
        "the distance of stable spins from the droplet's centre. The moments are strongly correlated with each other, so "
        "single weights are less well determined than the prediction.",
    )


def learning(study: Study, folder: Path) -> tuple[str, str] | None:
    """Training and validation loss by epoch of every model of one run, each fold a line."""
    models = [m for m in present([study]) if any("epoch" in f.history for f in study.shown(m)[1])]
    if not models:
        return None
    fig, axes = style.grid(len(models), 1.9)
    for ax, model in zip(axes, models, strict=True):
        folds = [f for f in study.shown(model)[1] if "epoch" in f.history]
        for i, fold in enumerate(folds):
            history, thin = fold.history, {"lw": 0.8, "alpha": 0.9 if len(folds) < 4 else 0.5}
            first = i == 0
            for name, color in (("training", style.BLUE), ("validation", style.VERMILION)):
                ax.plot(
                    history["epoch"],
                    history[f"{name}_loss"],
                    color=color,
                    label=name if first else None,
                    **thin,
                )
            best = history["epoch"] == fold.best_epoch
            ax.plot(
                history["epoch"][best],
                history["validation_loss"][best],
                "o",
                color="black",
                ms=2.5,
                zorder=3,
                label="kept" if first else None,
            )
        for name, color in (("training", style.BLUE), ("validation", style.VERMILION)):
            entropy = np.mean(
                [estimates.label_entropy(study.run.p_nuc[getattr(f, name)]) for f in folds]
            )
            ax.axhline(entropy, color=color, ls=":", lw=1, label=f"entropy of the {name} labels")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.set(xlabel="epoch", ylabel="cross entropy (nat)", title=label(model))
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=5 if len(models) > 2 else 2)
    return (
        style.save(fig, folder, f"learning-{study.slug}"),
        f"{study.name}: loss by epoch, one line a fold (split {splits_shown([study], models)}); circles: the epoch kept by early "
        "stopping; dotted: the entropy of the measured labels, the least that any prediction of them can reach (the two sets' differ, "
        "and with them their losses).",
    )
