"""UMAP's groups of the reference density: how many, of which phase, of one sign or of both."""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate
from analysis.flocking import sampling
from analysis.flocking.dataset import Run
from analysis.flocking.labels import BAND, TYPICAL, G, L

NEAREST = 0.0101  # of T: no further from the paper's example


@dataclass(frozen=True)
class Groups:
    """UMAP's groups of the n configurations of the reference density.

    Of each group (g,): cluster, HDBSCAN's number; count, how many configurations it has that are in
    a phase (those with domains of both spins are not); phase, that of most of them (0 G, 1 L+G, 2
    L, -1: none is in a phase); positive, share of them with m > 0, NaN for none.  gas: how many
    groups have a configuration of phase G.  one_sign: share of the configurations of L and L+G
    whose m has the sign of most of their group.  unassigned: share of the n that is in no phase.
    typical: {phase: (share in that phase of the configurations at the paper's temperature for it,
    how many these are)}.
    """

    cluster: np.ndarray
    count: np.ndarray
    phase: np.ndarray
    positive: np.ndarray
    gas: int
    one_sign: Estimate
    unassigned: float
    typical: dict[int, tuple[Estimate, int]]


def groups(run: Run) -> Groups | None:
    """None: there are no phases, or no group at the reference density."""
    rows = run.at(run.reference)
    if run.phases is None or not (run.phases.cluster[rows] >= 0).any():
        return None
    cluster, phase = run.phases.cluster[rows], run.phases.phase[rows]
    up = run.magnetization[rows].sum((1, 2), dtype=float) > 0
    known = np.unique(cluster[cluster >= 0])
    own = [(cluster == each) & (phase >= 0) for each in known]
    return Groups(
        known.astype(int),
        np.array([here.sum() for here in own]),
        np.array([np.bincount(phase[here] + 1, minlength=1).argmax() - 1 for here in own]),
        np.array([up[here].mean() if here.any() else np.nan for here in own]),
        len(np.unique(cluster[(cluster >= 0) & (phase == G)])),
        signs(run, rows),
        float((phase < 0).mean()),
        typical(run, rows),
    )


def typical(run: Run, rows: np.ndarray) -> dict[int, tuple[Estimate, int]]:
    """Of the temperatures that are no further than NEAREST from the paper's."""
    found = {}
    for kind, temperature in TYPICAL:
        off = np.abs(run.temperature[rows] - temperature)
        at = rows[(off <= NEAREST) & (off <= off.min(initial=np.inf) + 1e-9)]
        if len(at):
            own = (run.phases.phase[at] == kind).astype(float)
            share = sampling.ratio(run.replica[at], run.temperature[at], own, np.ones(len(at)))
            found[kind] = (share, len(at))
    return found


def signs(run: Run, rows: np.ndarray) -> Estimate:
    """Share of the configurations of L and L+G with the sign of their group's majority."""
    rows = rows[np.isin(run.phases.phase[rows], (BAND, L)) & (run.phases.cluster[rows] >= 0)]
    if len(rows) == 0:
        return UNDETERMINED
    sign, own = np.sign(run.magnetization[rows].sum((1, 2), dtype=float)), run.phases.cluster[rows]
    right = np.zeros(len(rows))
    for value in np.unique(own):
        right[own == value] = sign[own == value] == (1 if sign[own == value].sum() >= 0 else -1)
    return sampling.ratio(run.replica[rows], run.temperature[rows], right, np.ones(len(rows)))
