"""Occlusion maps: how much a prediction changes when a patch is hidden, against the droplet's
density.

Read from RUN/predict/occlusion-MODEL.h5. Radial profiles average over rings one stride wide around
(L//2, L//2) on the torus, over whatever patch positions there are: patches that stay inside the box
leave out the rim, random ones may leave gaps. A number derived from a map has the larger of two
errors: delete-one jackknife over all blocks of events, and the spread of the folds' values with
Nadeau and Bengio's correction (see skill.py).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from analysis.estimates import UNDETERMINED, Estimate
from analysis.nucleation import density, skill
from analysis.nucleation.dataset import Run
from analysis.nucleation.labels import in_order
from analysis.nucleation.skill import FoldEstimate
from analysis.nucleation.training import check_origin
from jobs import shards

DRAWN = 96  # places a side of the picture of a map, at most


@dataclass(frozen=True)
class FoldMap:
    """One fold's map, in b blocks of whole events.

    configurations, radius_of_gyration (b,): how many, and their mean, sites. places (b, k): patch
    positions seen in each ring; sensitivity, density (b, k): means over them, of |change of p_nuc|
    and of the stable spins at the patches' centres. picture: float16 (X, Y), sensitivity by place.
    """

    configurations: np.ndarray
    radius_of_gyration: np.ndarray
    places: np.ndarray
    sensitivity: np.ndarray
    density: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Occlusion:
    """Maps of one model by fold: patches of `patch` sites every `stride` sites, filled with `fill`;
    split: by what the folds were dealt; size: L.

    radius, positions (k,): of the rings, in sites, and how many patch positions each has; low:
    where the first pixel of the pictures begins, (x, y), and pixel: its side, in sites.
    """

    split: str
    size: int
    patch: int
    stride: int
    fill: str
    radius: np.ndarray
    positions: np.ndarray
    low: tuple[float, float]
    pixel: float
    folds: dict[int, FoldMap]


@dataclass(frozen=True)
class Maps:
    """A model's maps with what the statistics need: values (f, b, ...) of all folds together;
    tested_over_trained: n_test/n_training of the folds' models.
    """

    model: str
    of: Occlusion
    tested_over_trained: float

    def all(self, name: str) -> np.ndarray:
        return np.stack([getattr(fold, name) for fold in self.of.folds.values()]).astype(float)

    @property
    def configurations(self) -> np.ndarray:
        return self.all("configurations")

    def gyration(self, weights: np.ndarray) -> float:
        """Mean radius of gyration of blocks weighted (f, b), sites."""
        radius = self.all("radius_of_gyration")
        known = np.isfinite(radius) * weights
        return float((known * np.nan_to_num(radius)).sum() / known.sum())

    def picture(self) -> np.ndarray:
        """Sensitivity (X, Y) by place, mean over the configurations of all folds; NaN: none."""
        return mean_of(self.all("picture"), self.configurations.sum(axis=1))


@dataclass(frozen=True)
class Profiles:
    """Over rings: radius (k,) in sites, positions (k,) in each; sensitivity and density at those
    positions (k,).
    """

    radius: np.ndarray
    positions: np.ndarray
    sensitivity: np.ndarray
    density: np.ndarray


# ---- reading


def read(run: Run) -> tuple[dict[str, Occlusion], list[str]]:
    """({model: maps}, a line for each file left out), models in the order of MODELS."""
    found, left_out = {}, []
    for file in sorted((run.path / "predict").glob("occlusion-*.h5")):
        try:
            arrays, attributes = shards.read(file)
            check_origin(attributes, run)
            model = str(attributes.get("model", file.stem.removeprefix("occlusion-")))
            found[model] = _of_file(arrays, attributes)
        except shards.BadFileError as error:
            left_out.append(f"{file.relative_to(run.path)}: {error}")
    return {model: found[model] for model in in_order(found)}, left_out


def _of_file(arrays: dict, attributes: dict) -> Occlusion:
    fields = ("sensitivity", "x", "y", "density", "radius_of_gyration", "configurations")
    missing = [name for name in fields if name not in arrays]
    missing += [name for name in ("split", "patch", "stride", "fill") if name not in attributes]
    if missing:
        raise shards.BadFileError(f"lacks {', '.join(missing)}")
    if not np.isfinite(arrays["sensitivity"]).any() or arrays["configurations"].sum() == 0:
        raise shards.BadFileError("its map is empty")
    # The maps come in any order of positions; pictures need them sorted.
    i, j = np.argsort(arrays["x"], kind="stable"), np.argsort(arrays["y"], kind="stable")
    x, y = arrays["x"][i].astype(float), arrays["y"][j].astype(float)
    size, stride = arrays["density"].shape[-1], int(attributes["stride"])
    ring, radius, positions = rings(x, y, size, stride)
    step = -(-max(len(x), len(y)) // DRAWN)
    folds = {}
    for row, number in enumerate(fold_numbers(attributes, len(arrays["sensitivity"]))):
        count = arrays["configurations"][row].astype(float)
        maps = arrays["sensitivity"][row][:, i][..., j].astype(float)
        places, change, rho = of_rings(maps, arrays["density"][row].astype(float), (x, y), ring)
        folds[number] = FoldMap(
            configurations=arrays["configurations"][row].astype(np.int32),
            radius_of_gyration=arrays["radius_of_gyration"][row].astype(float),
            places=places,
            sensitivity=change,
            density=rho,
            picture=coarse(mean_of(maps, count), step).astype(np.float16),
        )
    return Occlusion(
        split=str(attributes["split"]),
        size=size,
        patch=int(attributes["patch"]),
        stride=stride,
        fill=str(attributes["fill"]),
        radius=radius,
        positions=positions,
        low=(float(x[0]) - stride / 2, float(y[0]) - stride / 2),
        pixel=float(step * stride),
        folds=folds,
    )


def fold_numbers(attributes: dict, count: int) -> list[int]:
    """The folds whose maps a file holds, in its order: made_from has them in square brackets."""
    listed = re.search(r"\[([\d, ]+)\]", str(attributes.get("made_from", "")))
    found = [int(n) for n in listed[1].split(",")] if listed else []
    return found if len(found) == count else list(range(count))


def rings(x: np.ndarray, y: np.ndarray, size: int, stride: int) -> tuple[np.ndarray, ...]:
    """(ring (X, Y) of each place, -1 beyond L/2; radius (k,), sites; places (k,)) of the rings."""
    r = density.distance(x, y, size)
    number = np.floor(r / stride + 0.5).astype(int)
    inside = r <= size / 2
    taken, ring = np.unique(number[inside], return_inverse=True)
    place = np.full(r.shape, -1)
    place[inside] = ring
    positions = np.bincount(ring, minlength=len(taken))
    return place, np.bincount(ring, r[inside]) / positions, positions


def of_rings(
    maps: np.ndarray, rho: np.ndarray, at: tuple[np.ndarray, np.ndarray], ring: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Of blocks' maps (b, X, Y) and densities (b, L, L): places seen, mean sensitivity and mean
    density, linear between sites, at those places, by ring, (b, k) each; NaN where none was seen.
    """
    where = np.meshgrid(*at, indexing="ij")
    rows = []
    for change, stable in zip(maps, rho, strict=True):
        seen = (ring >= 0) & np.isfinite(change)
        there = map_coordinates(np.nan_to_num(stable), where, order=1, mode="grid-wrap")[seen]
        sums = [
            np.bincount(ring[seen], weights, minlength=ring.max() + 1)
            for weights in (np.ones(seen.sum()), change[seen], there)
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            rows.append((sums[0], sums[1] / sums[0], sums[2] / sums[0]))
    places, sensitivity, density_ = map(np.array, zip(*rows, strict=True))
    return places.astype(np.int32), sensitivity, density_


def mean_of(maps: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean (X, Y) of blocks (b, X, Y) weighted by `count` (b,), without NaN; NaN: none."""
    weights = np.isfinite(maps) * count[:, None, None]
    total = weights.sum(axis=0)
    return np.divide(
        (weights * np.nan_to_num(maps)).sum(axis=0),
        total,
        out=np.full(total.shape, np.nan),
        where=total > 0,
    )


def coarse(image: np.ndarray, step: int) -> np.ndarray:
    """Means of squares of step x step places, the last ones smaller; NaN: none there."""
    padded = np.pad(image, [(0, -n % step) for n in image.shape], constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    known = np.isfinite(blocks).sum(axis=(1, 3))
    sums = np.nansum(blocks, axis=(1, 3))
    return np.divide(sums, known, out=np.full(known.shape, np.nan), where=known > 0)


# ---- numbers of a map


def profiles(maps: Maps, weights: np.ndarray | None = None) -> Profiles:
    """Radial profiles up to L/2 of blocks averaged with `weights` (f, b), by default their
    configurations.

    The density is taken at the patch centres too, so that proportional maps give proportional
    profiles.
    """
    weights = maps.configurations if weights is None else weights
    seen = maps.all("places") * weights[..., None]
    total = seen.sum(axis=(0, 1))
    taken = total > 0

    def average(name: str) -> np.ndarray:
        return (seen * np.nan_to_num(maps.all(name))).sum(axis=(0, 1))[taken] / total[taken]

    return Profiles(
        maps.of.radius[taken],
        maps.of.positions[taken],
        average("sensitivity"),
        average("density"),
    )


def estimate(maps: Maps, statistic: Callable[[np.ndarray], float]) -> Estimate:
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


def ring_errors(maps: Maps) -> np.ndarray:
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


def half_width(maps: Maps) -> Estimate:
    """Radius, sites, at which the sensitivity has fallen half-way from its maximum to its value
    beyond 0.45 L.
    """

    def radius(weights):
        p = profiles(maps, weights)
        far = p.radius >= density.FAR * maps.of.size
        if not far.any():
            return np.nan
        background = np.average(p.sensitivity[far], weights=p.positions[far])
        return density.falls_to(p.radius, p.sensitivity, (p.sensitivity.max() + background) / 2)

    return estimate(maps, radius)


def gyration(maps: Maps) -> Estimate:
    """Mean radius of gyration of the largest cluster in the configurations of the map, sites."""
    return estimate(maps, maps.gyration)


def width_over_gyration(maps: Maps) -> Estimate:
    """half_width divided by the mean radius of gyration, relative errors in quadrature."""
    width, radius = half_width(maps), gyration(maps)
    ratio = width.value / radius.value
    return Estimate(
        ratio, float(ratio * np.hypot(width.error / width.value, radius.error / radius.value))
    )


def peak(maps: Maps) -> Estimate:
    """Largest ring average of the sensitivity."""
    return estimate(maps, lambda weights: profiles(maps, weights).sensitivity.max())


def inside_over_outside(maps: Maps) -> Estimate:
    """Mean sensitivity of patches centred within Rg over that of patches beyond it (up to L/2)."""

    def ratio(weights):
        p = profiles(maps, weights)
        inside = p.radius <= maps.gyration(weights)
        if inside.all() or not inside.any():
            return np.nan
        mean = [
            np.average(p.sensitivity[part], weights=p.positions[part]) for part in (inside, ~inside)
        ]
        return mean[0] / mean[1]

    return estimate(maps, ratio)


def correlation(maps: Maps) -> Estimate:
    """Pearson's correlation of sensitivity and density over rings, each ring weighted by its patch
    positions.
    """

    def pearson(weights):
        p = profiles(maps, weights)
        covariance = np.cov(p.sensitivity, p.density, aweights=p.positions)
        return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])

    return estimate(maps, pearson)
