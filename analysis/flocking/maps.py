"""Figure 5 of the paper: magnetization and density of one configuration of each phase."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.flocking import panels
from analysis.flocking.dataset import Run
from analysis.flocking.networks import BAND, PHASES, G, L

SHOWN = ((L, 0.25), (BAND, 0.55), (G, 0.95))  # the paper's


def typical(run: Run, phase: int, temperature: float) -> int:
    """Row at the reference density at the temperature nearest this one, of this phase if there is
    one there; the last sample of it.
    """
    rows = run.at(run.reference)
    t = run.temperature[rows]
    rows = rows[np.abs(t - temperature) <= np.abs(t - temperature).min() + 1e-9]
    if run.phases is not None and (run.phases.phase[rows] == phase).any():
        rows = rows[run.phases.phase[rows] == phase]
    return int(rows[run.sample[rows].argmax()])


def maps(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    if len(run.at(run.reference)) == 0:
        return None
    rows = [typical(run, phase, temperature) for phase, temperature in SHOWN]
    fig = style.figure(4.9, 3.3)
    axes = fig.subplots(2, 3)
    end, top = panels.reach(run.magnetization[rows]), panels.reach(run.density[rows])
    for column, (row, (phase, _)) in enumerate(zip(rows, SHOWN, strict=True)):
        image = panels.magnetization(axes[0, column], run.magnetization[row], end)
        other = panels.density(axes[1, column], run.density[row], top)
        axes[0, column].set_title(
            f"{PHASES[phase]}, $T$ = {run.temperature[row]:g}\n$m$ = {run.order[row]:.2f}",
            fontsize=7,
        )
    axes[1, 0].set_xlabel(f"side: L = {run.size} sites", fontsize=7)
    panels.bar(fig, image, axes[0].tolist(), "magnetization $m_i$", aspect=14)
    panels.bar(fig, other, axes[1].tolist(), r"density $\rho_i$", aspect=14)
    return (
        style.save(fig, folder, f"{prefix}figure-5-maps"),
        f"Figure 5 of the paper: magnetization (above) and density (below) at rho0 = {run.reference:g} in the phases L, L+G and G; "
        "particles propel themselves along x, to the right or left.",
    )
