"""How far ahead one can see: against the age of the input, and against epsilon."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.page import Picture
from analysis.record import Record
from analysis.segregation.labels import STEPS, listed, look, ordered
from analysis.segregation.predictability import (
    LINEAR,
    MEASURES,
    SOLVER,
    Predictability,
    of_all,
)
from analysis.sheet import Sheet

SHADES = ("black", "#555555", "#999999", "#BBBBBB")
CAPTION = (
    "{what}; mean and standard error. Black and grey: the solver, from the input with Gaussian noise of that rms: what noise of that size "
    "leaves of the end; networks are told the input without noise. Linear theory: every wave grown at its own "
    "rate, nothing else. {networks}Correlation: cell by cell, 0 by chance; overlap: area in the rarer phase of both over that of either, "
    "by chance s / (2 - s) for a share s of that phase; coherence: of the phases of the two longest waves, 0 by chance."
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
    every = [r.numbers.predictability for r in sheet.record.runs]
    found = of_all(every)
    if found is None:
        return None
    fig, axes = panels(len(MEASURES), "age of the input (time)")
    for name, drawn in looks(found).items():
        for m, ax in enumerate(axes):
            value, error = found.skill[name][:, m].T
            ax.errorbar(found.age, value, np.nan_to_num(error), ms=2.5, lw=1, **drawn)
    first = found.age[found.age > 0].min(initial=np.inf)
    for ax in axes:
        if np.isfinite(first):
            style.from_zero(ax, first, found.age[-1])
    legend(fig, axes[0])
    runs = sum(p is not None for p in every)
    of_each = f" of each of {runs} runs, over which errors are" if runs > 1 else ""
    return sheet.save(
        fig,
        "predictability-age",
        CAPTION.format(
            what="How well the end is told from an input of some age, of "
            f"{found.samples} test mixtures that segregate{of_each}",
            networks=asked(found),
        ),
        of_all=True,
    )


def asked(found: Predictability) -> str:
    """What networks are given."""
    titles = [look(name).title for name in found.skill if is_network(name) and name != STEPS]
    text = f"{listed(titles)} learnt from inputs of age 0 alone. " if titles else ""
    return text + "The stepping network begins at the age of its input. " * (STEPS in found.skill)


def is_network(name: str) -> bool:
    return not name.startswith((SOLVER, LINEAR))


def legend(fig, ax) -> None:
    """Below, in as few rows as the page is wide."""
    handles, labels = ax.get_legend_handles_labels()
    columns = len(labels) if len(labels) < 5 else -(-len(labels) // 2)
    fig.legend(handles, labels, loc="outside lower center", ncols=columns)


def against_epsilon(records: list[Record], folder: Path) -> Picture | None:
    """At age 0, where there are several epsilon.  The solver and linear theory are those of the
    records without networks, if there are any: one kind of mixtures for all epsilon; networks have
    their own.
    """
    without: dict[float, Predictability] = {}
    own: dict[str, dict[float, np.ndarray]] = {}
    for record in records:
        found, s = of_all([r.numbers.predictability for r in record.runs]), record.numbers.setting
        if found is None or found.age[0] != 0:
            continue
        x = s.epsilon / s.spacing
        networks = {name: skill for name, skill in found.skill.items() if is_network(name)}
        for name, skill in networks.items():
            own.setdefault(name, {}).setdefault(x, skill[0])
        if not networks or x not in without:
            without[x] = found
    if len(without) < 2:
        return None
    fig, axes = panels(len(MEASURES), r"$\varepsilon$ (cells)")
    foretold = dict(sorted(without.items()))
    names = {
        name: drawn
        for found in foretold.values()
        for name, drawn in looks(found).items()
        if not is_network(name)
    }
    for name, drawn in names.items():
        line(axes, {e: p.skill[name][0] for e, p in foretold.items() if name in p.skill}, drawn)
    for name, skills in ordered(own).items():
        drawn = {"color": look(name).colour, "marker": look(name).marker, "label": look(name).title}
        line(axes, dict(sorted(skills.items())), drawn)
    legend(fig, axes[0])
    counts = sorted({found.samples for found in foretold.values()})
    many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    caption = CAPTION.format(
        what="How well the end is told from the uniform mixture with its noise (age 0), against the width of an interface, of "
        f"{many} test mixtures that segregate at each epsilon",
        networks="Networks: where they were trained, on the test mixtures of their own runs. "
        * bool(own),
    )
    return Picture(style.save(fig, folder, "predictability-epsilon"), caption)


def line(axes, skills: dict[float, np.ndarray], drawn: dict) -> None:
    """Of a forecaster, {epsilon: (measure, 2)}, a panel a measure."""
    lonely = {"marker": "o"} if len(skills) == 1 else {}
    for m, ax in enumerate(axes):
        value, error = np.array([skill[m] for skill in skills.values()]).T
        ax.errorbar(list(skills), value, np.nan_to_num(error), ms=2.5, lw=1, **(lonely | drawn))
