"""How far ahead one can see: against the age of the input, and against epsilon."""

import numpy as np

from analysis import style
from analysis.page import Picture
from analysis.record import Record
from analysis.segregation.labels import look, ordered
from analysis.segregation.predictability import LINEAR, MEASURES, SOLVER, Predictability
from analysis.sheet import Sheet

SHADES = ("black", "#555555", "#999999", "#BBBBBB")
CAPTION = (
    "{what}, of mixtures that segregate; mean and standard error over them. Black and grey: the solver, from the input with "
    "noise of that rms (networks are shown it without). Linear theory: every wave grown at its own rate, nothing else. "
    "{networks}Correlation: cell by cell; overlap: area in the rarer phase of both over that of either; coherence: of the "
    "phases of the two longest waves."
)


def looks(predictability: Predictability) -> dict[str, dict]:
    """How each forecaster is drawn, the solver's from the least noise on."""
    solver = [name for name in predictability.skill if name.startswith(SOLVER)]
    drawn = {
        name: {"color": SHADES[k % len(SHADES)], "label": name} for k, name in enumerate(solver)
    }
    drawn[LINEAR] = {"color": style.PURPLE, "label": LINEAR, "ls": "--"}
    networks = [name for name in predictability.skill if name not in drawn]
    for name in ordered(dict.fromkeys(networks)):
        own = look(name)
        drawn[name] = {"color": own.colour, "marker": own.marker, "label": own.title}
    return {name: style_ for name, style_ in drawn.items() if name in predictability.skill}


def panels(count: int, xlabel: str):
    fig = style.figure(style.PAGE, 2.6)
    axes = fig.subplots(1, count, sharey=True)
    for ax, what in zip(axes, MEASURES, strict=True):
        ax.set(xlabel=xlabel, title=what, ylim=(-0.08, 1.05))
        ax.axhline(0, color=style.GREY, lw=0.5, zorder=0)
    axes[0].set_ylabel("skill")
    return fig, axes


def against_age(sheet: Sheet) -> Picture | None:
    found = sheet.numbers.predictability
    if found is None:
        return None
    fig, axes = panels(len(MEASURES), "age of the input (time)")
    first = found.age[found.age > 0].min(initial=np.inf)
    for name, drawn in looks(found).items():
        for m, ax in enumerate(axes):
            value, error = found.skill[name][:, m].T
            ax.errorbar(found.age, value, np.nan_to_num(error), ms=2.5, lw=1, **drawn)
    for ax in axes:
        if np.isfinite(first):
            ax.set_xscale("symlog", linthresh=first, linscale=0.4)
            powers = 10.0 ** np.arange(np.ceil(np.log10(first)), np.log10(found.age[-1]) + 0.01)
            ax.set_xticks([0, *powers], ["0", *(f"$10^{{{np.log10(p):.0f}}}$" for p in powers)])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    networks = any(not n.startswith((SOLVER, LINEAR)) for n in found.skill)
    return sheet.save(
        fig,
        "predictability-age",
        CAPTION.format(
            what=f"How well the end is told from an input of some age, {found.samples} of them",
            networks="Networks were trained on inputs of age 0. " * networks,
        ),
    )


def against_epsilon(records: list[Record], sheet: Sheet) -> Picture | None:
    """At age 0, where there are several epsilon; of equal ones the record with most forecasters."""
    best = {}
    for record in records:
        found, s = record.numbers.predictability, record.numbers.setting
        if found is not None and found.age[0] == 0:
            x = s.epsilon / s.spacing
            if x not in best or len(found.skill) > len(best[x].skill):
                best[x] = found
    if len(best) < 2:
        return None
    best = dict(sorted(best.items()))
    fig, axes = panels(len(MEASURES), "epsilon (cells)")
    names = {name: drawn for found in best.values() for name, drawn in looks(found).items()}
    for name, drawn in names.items():
        x = [e for e, found in best.items() if name in found.skill]
        values = np.array([best[e].skill[name][0] for e in x])  # (epsilon, measure, 2)
        for m, ax in enumerate(axes):
            value, error = values[:, m].T
            line = {"marker": "o", **drawn} if len(x) == 1 else drawn
            ax.errorbar(x, value, np.nan_to_num(error), ms=2.5, lw=1, **line)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    networks = any(not n.startswith((SOLVER, LINEAR)) for n in names)
    return sheet.save(
        fig,
        "predictability-epsilon",
        CAPTION.format(
            what="How well the end is told from the uniform mixture with its noise, against the width of an interface",
            networks="Networks: where they were trained. " * networks,
        ),
    )
