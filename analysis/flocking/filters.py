"""Kernels of the first layer: which are alive, and how rough they are."""

import numpy as np

SMALLEST = 0.01  # of max |w|: kernels below it are not shown


def alive(kernels: np.ndarray) -> np.ndarray:
    """Which kernels (..., 5, 5) have a weight beyond SMALLEST, bool (...)."""
    return np.abs(kernels).max(axis=(-2, -1)) > SMALLEST


def roughness(kernel: np.ndarray) -> float:
    """Mean squared difference of neighbouring weights over twice the variance: 1 for white noise,
    near 0 for a smooth gradient or bump.
    """
    steps = np.concatenate([np.diff(kernel, axis=0).ravel(), np.diff(kernel, axis=1).ravel()])
    return float((steps**2).mean() / (2 * kernel.var(ddof=1))) if kernel.std() > 0 else np.nan


def mean_roughness(first_layer: np.ndarray) -> float:
    """Over kernels that are alive; nan for none."""
    kernels = first_layer[alive(first_layer)]
    return float(np.mean([roughness(kernel) for kernel in kernels])) if len(kernels) else np.nan


def share_alive(first_layer: np.ndarray) -> float:
    return float(alive(first_layer).mean())
