"""Structure factor of fields, how much of their power lies in the finest structures, and their
longest waves.
"""

from dataclasses import dataclass

import numpy as np

from analysis.estimates import UNDETERMINED, Estimate, ratio, resampled
from kernels.structure import waves

BATCH = 512  # fields looked at together
FINEST = 0.1  # share of the truth's power that "the finest structures" hold at most
LONGEST = (
    1.5  # of wave numbers in units of 2 pi / L: the box holds no longer waves than these eight
)


@dataclass(frozen=True)
class Spectrum:
    """Structure factors of the samples that segregate, of L/2 shells of k.

    truth, predicted: float64 (L/2,), length^2, means over samples.  ratio: float64 (L/2, 2),
    predicted over truth and its error.  finest: first shell (0-based) of the truth's finest
    structures.  share: power of the prediction in them over the truth's.  drawn: that share in each
    bootstrap resample of the samples, float64 (1000,): the same resamples for all networks of the
    same samples; empty for one sample.
    """

    truth: np.ndarray
    predicted: np.ndarray
    ratio: np.ndarray
    finest: int
    share: Estimate
    drawn: np.ndarray


def compared(predicted: np.ndarray, truth: np.ndarray) -> Spectrum | None:
    """Spectra (n, L/2) of predictions beside the truth's; None for none."""
    if len(truth) == 0:
        return None
    first = finest(truth)
    own, true = power(predicted, first), power(truth, first)
    drawn = np.empty(0)
    if len(truth) > 1:
        both = resampled(np.stack([own, true], axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = both[:, 0] / both[:, 1]
    by_shell = np.stack(ratio_by_shell(predicted, truth), axis=1)
    return Spectrum(truth.mean(0), predicted.mean(0), by_shell, first, ratio(own, true), drawn)


def modes(spectra: np.ndarray) -> np.ndarray:
    """Waves in each shell, of spectra (n, L/2)."""
    return waves((2 * spectra.shape[1],) * 2)


def finest(truth: np.ndarray) -> int:
    """First shell (0-based) of those at large k that together hold at most FINEST of the power of S
    (n, L/2); the last shell where it alone holds more. Never the first: where one domain fills the
    box, it holds nearly all.
    """
    power = truth.mean(axis=0) * modes(truth)
    tail = np.cumsum(power[::-1])[::-1]
    few = np.flatnonzero(tail <= FINEST * tail[0])
    return int(few[0]) if tail[0] > 0 and len(few) else len(tail) - 1


def power(spectra: np.ndarray, first: int) -> np.ndarray:
    """Power of each sample in the shells from `first` on, (n,)."""
    return spectra[:, first:] @ modes(spectra)[first:]


def ratio_by_shell(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S predicted over S truth, error), both (L/2,), of spectra (n, L/2)."""
    found = [ratio(p, t) for p, t in zip(predicted.T, truth.T, strict=True)]
    return np.array([e.value for e in found]), np.array([e.error for e in found])


def nearer_to_one(first: Spectrum, second: Spectrum) -> Estimate:
    """|1 - share| of the first minus that of the second, both of the same samples; below 0: the
    first is nearer.
    """
    value = abs(1 - first.share.value) - abs(1 - second.share.value)
    if not np.isfinite(value):
        return UNDETERMINED
    drawn = np.abs(1 - first.drawn) - np.abs(1 - second.drawn)
    drawn = drawn[np.isfinite(drawn)]
    return Estimate(value, float(drawn.std(ddof=1)) if len(drawn) > 1 else np.nan)


def longest(fields: np.ndarray) -> np.ndarray:
    """The longest waves of fields (n, L, L) alone, those along the sides and diagonals of the box:
    float32 (n, L, L).
    """
    n = np.fft.fftfreq(fields.shape[-1], 1 / fields.shape[-1])
    waves = np.hypot(n[:, None], n) <= LONGEST
    return np.fft.ifft2(np.fft.fft2(fields) * waves).real.astype(np.float32)
