"""Saliency |dS_c / dI|: which sites of a configuration decide its class, and how local they are."""

import numpy as np
from scipy.ndimage import uniform_filter1d

from analysis.flocking.dataset import Run
from analysis.flocking.labels import BAND

# columns that a profile is averaged over before its gradient is taken: the reach of the first
# layer's kernels
SMOOTH = 5


def participation(values: np.ndarray) -> float:
    """(sum v)^2 / (n sum v^2) of |values|, n of them: 1 if all are equal, 1/n if one is all."""
    v = np.abs(np.asarray(values, float)).ravel()
    return float(v.sum() ** 2 / (v.size * (v**2).sum())) if v.any() else np.nan


def gradient(density: np.ndarray) -> np.ndarray:
    """|d rho / dx| (L,) of the profile of a map (L, L), averaged along y and over SMOOTH columns,
    periodic.
    """
    profile = uniform_filter1d(density.mean(axis=1, dtype=float), SMOOTH, mode="wrap")
    return np.abs(np.roll(profile, -1) - np.roll(profile, 1)) / 2


def edges(saliency: np.ndarray, density: np.ndarray) -> float:
    """Pearson's r of the saliency (2, L, L), both channels, averaged along y and over SMOOTH
    columns, with gradient(density).
    """
    line = uniform_filter1d(np.abs(saliency).sum(axis=0).mean(axis=1), SMOOTH, mode="wrap")
    steep = gradient(density)
    if line.std() == 0 or steep.std() == 0:
        return np.nan
    return float(np.corrcoef(line, steep)[0, 1])


def banded_rows(run: Run) -> np.ndarray:
    """Which of the saliency's configurations are in phase L+G (all where there are no phases), bool
    (k,).
    """
    index = run.saliency.index
    return np.ones(len(index), bool) if run.phases is None else run.phases.phase[index] == BAND
