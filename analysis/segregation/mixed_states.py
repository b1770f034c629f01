"""Mixed states by what all those of one mixture share: variance, structure factor, mean,
distribution.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import Estimate, of_sums, ratio
from analysis.segregation import structure
from analysis.segregation.predictions import Predictions
from analysis.segregation.skill import overlap

JUDGED = ("variance", "coarse", "fine", "change", "overlap")


@dataclass(frozen=True)
class Statistics:
    """Mixed states that a reverse network makes of `samples` segregated (or uniform) ones.

    Over the true ones': variance of the cells; power in the lower (coarse) and upper half (fine) of
    wave numbers.  change: rms of the mean concentration's.  overlap: of the distributions of c
    less its field's mean.  correlation: with the true ones, cell by cell, mean over samples; NaN:
    the answers are flat.
    """

    samples: int
    variance: Estimate
    coarse: Estimate
    fine: Estimate
    change: Estimate
    overlap: Estimate
    correlation: Estimate


def statistics(p: Predictions, which: np.ndarray) -> Statistics | None:
    """Over samples `which` (n,) bool; None for none."""
    if not which.any():
        return None
    half = p.spectrum.shape[1] // 2
    spectra = p.spectrum[which], p.spectrum_truth[which]
    fine, fine_truth = (structure.power(s, half) for s in spectra)
    whole, whole_truth = (structure.power(s, 0) for s in spectra)
    return Statistics(
        int(which.sum()),
        ratio(p.variance[which], p.variance_truth[which]),
        ratio(whole - fine, whole_truth - fine_truth),
        ratio(fine, fine_truth),
        root_mean_square(p.change[which]),
        common(p.histogram[which], p.histogram_truth[which]),
        mean_of(p.correlation[which]),
    )


def common(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Overlap of two sets of histograms, counts (n, bins), added up."""
    bins = first.shape[1]
    both = np.hstack([first, second]).astype(float)
    return of_sums(
        both,
        lambda s: overlap(*(h / h.sum(-1, keepdims=True) for h in (s[..., :bins], s[..., bins:]))),
    )


def root_mean_square(change: np.ndarray) -> Estimate:
    return of_sums(
        np.stack([np.ones(len(change)), change**2], axis=1),
        lambda s: np.sqrt(s[..., 1] / s[..., 0]),
    )


def mean_of(values: np.ndarray) -> Estimate:
    """Mean of those that are numbers, and its error."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return Estimate(np.nan, np.nan)
    error = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    return Estimate(float(known.mean()), float(error))
