"""Structure factor of fields, and how much of their power lies in the finest structures."""

import numpy as np

from analysis.estimates import Estimate, of_sums, ratio

FINEST = 0.1  # share of the truth's power that "the finest structures" hold
BATCH = 512  # fields transformed together


def shells(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Shell of each wave vector (L, L), 0 for k = 0 and beyond the largest circle, and modes in
    shells 1 to L/2.
    """
    n = np.fft.fftfreq(size, 1 / size)
    shell = np.rint(np.hypot(n[:, None], n[None, :])).astype(int)
    shell[shell > size // 2] = 0
    return shell, np.bincount(shell.ravel(), minlength=size // 2 + 1)[1:]


def spectrum(fields: np.ndarray) -> np.ndarray:
    """S(k) = |c_k|^2 / L^2 averaged over shells |k| = 2 pi j / (L dx), j = 1 to L/2, of fields (n,
    L, L): float64 (n, L/2).
    """
    size = fields.shape[-1]
    shell, modes = shells(size)
    flat, found = shell.ravel(), np.empty((len(fields), size // 2))
    for first in range(0, len(fields), BATCH):
        part = np.asarray(fields[first : first + BATCH], np.float64)
        power = np.abs(np.fft.fft2(part)).reshape(len(part), -1) ** 2 / size**2
        for i, row in enumerate(power):
            found[first + i] = np.bincount(flat, row, size // 2 + 1)[1:] / modes
    return found


def wave_numbers(size: int, spacing: float) -> np.ndarray:
    """k of the shells, 1 / length."""
    return 2 * np.pi * np.arange(1, size // 2 + 1) / (size * spacing)


def finest(truth: np.ndarray) -> int:
    """First shell (0-based) of those at large k that together hold FINEST of the power of S (n,
    L/2), at least.
    """
    power = truth.mean(axis=0) * shells(2 * truth.shape[1])[1]
    tail = np.cumsum(power[::-1])[::-1]
    return int(np.flatnonzero(tail >= FINEST * tail[0])[-1]) if tail[0] > 0 else 0


def power(spectra: np.ndarray, first: int) -> np.ndarray:
    """Power of each sample in the shells from `first` on, (n,)."""
    return spectra[:, first:] @ shells(2 * spectra.shape[1])[1][first:]


def ratio_by_shell(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S predicted over S truth, error), both (L/2,), of spectra (n, L/2)."""
    found = [ratio(p, t) for p, t in zip(predicted.T, truth.T, strict=True)]
    return np.array([e.value for e in found]), np.array([e.error for e in found])


def nearer_to_one(first: np.ndarray, second: np.ndarray, truth: np.ndarray) -> Estimate:
    """|1 - sum first / sum truth| - |1 - sum second / sum truth| of three (n,) on the same samples;
    below 0: the first is nearer.
    """
    return of_sums(
        np.stack([first, second, truth], axis=1),
        lambda s: np.abs(1 - s[..., 0] / s[..., 2]) - np.abs(1 - s[..., 1] / s[..., 2]),
    )
