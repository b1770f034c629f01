"""Occlusion maps: how much a prediction changes when a patch is hidden, against the droplet's
density.

Read from RUN/predict/occlusion-MODEL.h5. Radial profiles average over rings one stride wide around
(L//2, L//2) on the torus, over whatever patch positions there are: patches that stay inside the box
leave out the rim, random ones may leave gaps (NaN). A number derived from a map has the larger of
two errors: delete-one jackknife over all blocks of events, and the spread of the folds' values with
Nadeau and Bengio's correction (see skill.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from analysis.estimates import UNDETERMINED, Estimate
from analysis.nucleation import density, skill
from analysis.nucleation.dataset import Run
from analysis.nucleation.skill import FoldEstimate
from analysis.nucleation.training import MODELS, Training, check_origin
from jobs import shards

NETWORKS = (
    "cnn_4layer",
    "cnn_2layer",
    "notebook",
)  # of the paper: the first that was run is shown as the paper's


@dataclass(frozen=True)
class Occlusion:
    """Maps of one model: f folds, b blocks of events each; x, y (X,), (Y,) patch centres in sites.

    sensitivity, shift (f, b, X, Y); density (f, b, X, Y) of stable spins at the patch centres,
    linear between sites; radius_of_gyration, configurations (f, b). size: L. tested_over_trained:
    n_test/n_training of the folds' models.
    """

    model: str
    split: str
    size: int
    patch: int
    stride: int
    fill: str
    x: np.ndarray
    y: np.ndarray
    sensitivity: np.ndarray
    shift: np.ndarray
    density: np.ndarray
    radius_of_gyration: np.ndarray
    configurations: np.ndarray
    tested_over_trained: float

    def mean(self, values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Average of (f, b, ...) over blocks, by configurations (or the given weights (f, b)),
        without NaN; NaN: none.
        """
        weights = self.configurations if weights is None else weights
        share = np.isfinite(values) * weights.reshape(weights.shape + (1,) * (values.ndim - 2))
        total = share.sum(axis=(0, 1))
        return np.where(
            total > 0,
            (share * np.nan_to_num(values)).sum(axis=(0, 1)) / np.where(total > 0, total, 1),
            np.nan,
        )


@dataclass(frozen=True)
class Profiles:
    """Over rings: radius (k,) in sites, positions (k,) in each; sensitivity and density at those
    positions (k,).
    """

    radius: np.ndarray
    positions: np.ndarray
    sensitivity: np.ndarray
    density: np.ndarray


def read(run: Run, training: Training) -> tuple[dict[str, Occlusion], list[str]]:
    """({model: maps}, a line for each file left out), models in the order of MODELS."""
    found, left_out = {}, []
    for file in sorted((run.path / "predict").glob("occlusion-*.h5")):
        try:
            arrays, attributes = shards.read(file)
            check_origin(attributes, run)
            maps = _maps(file, arrays, attributes, training)
        except shards.BadFileError as error:
            left_out.append(f"{file.relative_to(run.path.parent)}: {error}")
        else:
            found[maps.model] = maps
    known = list(MODELS)
    return dict(
        sorted(
            found.items(), key=lambda item: known.index(item[0]) if item[0] in known else len(known)
        )
    ), left_out


def _maps(file: Path, arrays: dict, attributes: dict, training: Training) -> Occlusion:
    fields = ("sensitivity", "shift", "x", "y", "density", "radius_of_gyration", "configurations")
    missing = [name for name in fields if name not in arrays]
    missing += [name for name in ("split", "patch", "stride", "fill") if name not in attributes]
    if missing:
        raise shards.BadFileError(f"lacks {', '.join(missing)}")
    if not np.isfinite(arrays["sensitivity"]).any() or arrays["configurations"].sum() == 0:
        raise shards.BadFileError("its map is empty")
    model, split = (
        str(attributes.get("model", file.stem.removeprefix("occlusion-"))),
        str(attributes["split"]),
    )
    # The maps come in any order of positions; pictures need them sorted.
    i, j = np.argsort(arrays["x"], kind="stable"), np.argsort(arrays["y"], kind="stable")
    folds = training.folds.get((split, model))
    x, y = arrays["x"][i].astype(float), arrays["y"][j].astype(float)
    at = np.meshgrid(x, y, indexing="ij")
    rho = [
        [map_coordinates(m, at, order=1, mode="grid-wrap") for m in fold]
        for fold in arrays["density"].astype(float)
    ]
    # Unknown sizes: as in cross-validation whose folds cover the data once.
    unknown = 1 / max(len(arrays["sensitivity"]) - 1, 1)
    return Occlusion(
        model,
        split,
        arrays["density"].shape[-1],
        int(attributes["patch"]),
        int(attributes["stride"]),
        str(attributes["fill"]),
        x,
        y,
        arrays["sensitivity"][:, :, i][..., j].astype(float),
        arrays["shift"][:, :, i][..., j].astype(float),
        np.array(rho),
        arrays["radius_of_gyration"].astype(float),
        arrays["configurations"].astype(float),
        skill.tested_over_trained(folds) if folds else unknown,
    )


def preferred(maps: dict[str, Occlusion]) -> Occlusion | None:
    """The maps of the paper's deepest network that was run, else of any."""
    for model in (*NETWORKS, *maps):
        if model in maps:
            return maps[model]
    return None


def profiles(maps: Occlusion, weights: np.ndarray | None = None) -> Profiles:
    """Radial profiles up to L/2 of blocks averaged with `weights` (f, b), by default their
    configurations.

    The density is taken at the patch centres too, so that proportional maps give proportional
    profiles.
    """
    rho, change = maps.mean(maps.density, weights), maps.mean(maps.sensitivity, weights)
    r = density.distance(maps.x, maps.y, maps.size)
    ring = np.floor(r / maps.stride + 0.5).astype(int)
    inside = (r <= maps.size / 2) & np.isfinite(change)
    ring = ring[inside]
    positions = np.bincount(ring)
    taken = positions > 0

    def average(values: np.ndarray) -> np.ndarray:
        return np.bincount(ring, values[inside])[taken] / positions[taken]

    return Profiles(average(r), positions[taken], average(change), average(rho))


def estimate(maps: Occlusion, statistic: Callable[[np.ndarray], float]) -> Estimate:
    """statistic(weights (f, b)) of all blocks, with its error; NaN error from a single block."""
    counts = maps.configurations
    value = float(statistic(counts))
    if not np.isfinite(value):
        return UNDETERMINED
    left = []
    for block in zip(*np.nonzero(counts), strict=True):
        weights = counts.copy()
        weights[block] = 0
        left.append(statistic(weights) if weights.any() else np.nan)
    n = len(left)
    jackknife = float(np.sqrt((n - 1) ** 2 / n * np.var(left, ddof=1))) if n > 1 else np.nan
    each = [
        statistic(np.where(np.arange(len(counts))[:, None] == f, counts, 0))
        for f in range(len(counts))
        if counts[f].any()
    ]
    fold_error = skill.corrected_error(np.array(each), maps.tested_over_trained)
    return FoldEstimate(
        value, skill.larger(fold_error, jackknife), fold_error, jackknife, len(each)
    )


def ring_errors(maps: Occlusion) -> np.ndarray:
    """Standard error (k,) of each ring's sensitivity over all blocks of events; NaN from a single
    block.
    """
    rows, radius = [], profiles(maps).radius
    for block in zip(*np.nonzero(maps.configurations), strict=True):
        weights = np.zeros_like(maps.configurations)
        weights[block] = 1
        p = profiles(maps, weights)
        rows.append(
            np.interp(radius, p.radius, p.sensitivity)
            if len(p.radius)
            else np.full(len(radius), np.nan)
        )
    if len(rows) < 2:
        return np.full(len(radius), np.nan)
    return np.nanstd(rows, axis=0, ddof=1) / np.sqrt(len(rows))


def half_width(maps: Occlusion) -> Estimate:
    """Radius, sites, at which the sensitivity has fallen half-way from its maximum to its value
    beyond 0.45 L.
    """

    def radius(weights):
        p = profiles(maps, weights)
        far = p.radius >= density.FAR * maps.size
        if not far.any():
            return np.nan
        background = np.average(p.sensitivity[far], weights=p.positions[far])
        return density.falls_to(p.radius, p.sensitivity, (p.sensitivity.max() + background) / 2)

    return estimate(maps, radius)


def gyration(maps: Occlusion) -> Estimate:
    """Mean radius of gyration of the largest cluster in the configurations of the map, sites."""
    return estimate(maps, lambda weights: maps.mean(maps.radius_of_gyration, weights))


def width_over_gyration(maps: Occlusion) -> Estimate:
    """half_width divided by the mean radius of gyration, relative errors in quadrature."""
    width, radius = half_width(maps), gyration(maps)
    ratio = width.value / radius.value
    return Estimate(
        ratio, float(ratio * np.hypot(width.error / width.value, radius.error / radius.value))
    )


def peak(maps: Occlusion) -> Estimate:
    """Largest ring average of the sensitivity."""
    return estimate(maps, lambda weights: profiles(maps, weights).sensitivity.max())


def inside_over_outside(maps: Occlusion) -> Estimate:
    """Mean sensitivity of patches centred within Rg over that of patches beyond it (up to L/2)."""

    def ratio(weights):
        p = profiles(maps, weights)
        inside = p.radius <= maps.mean(maps.radius_of_gyration, weights)
        if inside.all() or not inside.any():
            return np.nan
        mean = [
            np.average(p.sensitivity[part], weights=p.positions[part]) for part in (inside, ~inside)
        ]
        return mean[0] / mean[1]

    return estimate(maps, ratio)


def correlation(maps: Occlusion) -> Estimate:
    """Pearson's correlation of sensitivity and density over rings, each ring weighted by its patch
    positions.
    """

    def pearson(weights):
        p = profiles(maps, weights)
        covariance = np.cov(p.sensitivity, p.density, aweights=p.positions)
        return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])

    return estimate(maps, pearson)
