"""Figure 8 of the paper: kernels of the first layer, and how rough they are."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.flocking import locality, panels
from analysis.flocking.dataset import Run
from analysis.flocking.networks import ALL, REFERENCE, Network, groups

SMALLEST = 0.01  # of max |w|: kernels below it are not shown
CHANNELS = ("m", r"\rho")


def alive(kernels: np.ndarray) -> np.ndarray:
    """Which kernels (..., 5, 5) have a weight beyond SMALLEST, bool (...)."""
    return np.abs(kernels).max(axis=(-2, -1)) > SMALLEST


def roughness(kernel: np.ndarray) -> float:
    """Mean squared difference of neighbouring weights over twice the variance: 1 for white noise,
    near 0 for a smooth gradient or bump.
    """
    steps = np.concatenate([np.diff(kernel, axis=0).ravel(), np.diff(kernel, axis=1).ravel()])
    return float((steps**2).mean() / (2 * kernel.var(ddof=1))) if kernel.std() > 0 else np.nan


def shown_set(run: Run) -> str | None:
    """As for the saliency: every density, else the reference; None: nothing is trained."""
    sets = {network.set for network in run.trained}
    return next((name for name in (locality.shown_set(run), ALL, REFERENCE) if name in sets), None)


def by_seed(run: Run, regularization: float, statistic) -> dict[int, float]:
    """statistic(first layer (6, 2, 5, 5)) of the networks of one lambda of the shown set, by
    seed.
    """
    networks = groups(run.trained).get((shown_set(run), regularization), [])
    return {network.seed: statistic(run.trained[network].first_layer) for network in networks}


def mean_roughness(first_layer: np.ndarray) -> float:
    """Over kernels that are alive; nan for none."""
    kernels = first_layer[alive(first_layer)]
    return float(np.mean([roughness(kernel) for kernel in kernels])) if len(kernels) else np.nan


def share_alive(first_layer: np.ndarray) -> float:
    return float(alive(first_layer).mean())


def filters(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """Two rows a lambda, magnetization and density; the first network of each."""
    chosen = shown_set(run)
    if chosen is None:
        return None
    first: dict[float, Network] = {
        lam: networks[0] for (name, lam), networks in groups(run.trained).items() if name == chosen
    }
    count = max(run.trained[network].first_layer.shape[0] for network in first.values())
    fig = style.figure(style.COLUMN + 0.6, 0.56 * 2 * len(first) + 0.15)
    axes = fig.subplots(2 * len(first), count, squeeze=False)
    image = None
    for i, (regularization, network) in enumerate(first.items()):
        kernels = run.trained[network].first_layer
        for channel in range(2):
            line = axes[2 * i + channel]
            for ax, kernel in zip(line, kernels[:, channel], strict=True):
                ax.set(xticks=[], yticks=[])
                if alive(kernel):
                    image = panels.magnetization(ax, kernel / np.abs(kernel).max(), 1.0)
                else:
                    ax.set_aspect("equal")
                    ax.spines[:].set_visible(False)
            sign = rf"$\lambda$ = {regularization:g}" + "\n" if channel == 0 else ""
            line[0].set_ylabel(
                rf"{sign}${CHANNELS[channel]}$",
                fontsize=7,
                rotation=0,
                ha="right",
                va="center",
                labelpad=12,
            )
    if image is not None:
        panels.bar(fig, image, axes.ravel().tolist(), "weight over largest", aspect=30)
    lines = [
        f"lambda = {lam:g}: {100 * share_alive(run.trained[n].first_layer):.0f}% alive, roughness "
        f"{mean_roughness(run.trained[n].first_layer):.2f}"
        for lam, n in first.items()
    ]
    return (
        style.save(fig, folder, f"{prefix}figure-8-kernels"),
        f"Figure 8 of the paper: kernels of the first layer (x to the right), each over its largest weight; only those with a weight "
        f"beyond {SMALLEST:g}. Rows: those that read the magnetization and the density. {'; '.join(lines)}. Roughness: 1 for white noise.",
    )
