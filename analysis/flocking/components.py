"""Principal components of the magnetization, and how much of its variance is the shot noise of
single particles.

Shot noise.  Given the intensities at which particles of either sign come to a site, n+ and n- are
independent Poisson numbers, so Var(m_i) = <n+> + <n-> = <rho_i>, and no two sites share any of it:
it adds rho0 to every eigenvalue of the covariance and N = rho0 L^2 to the total variance.  Thinning
the particles into two halves at random, whose noises are independent, gives the same number: 4
Cov(m_A, m_B) = <m^2> - <rho>.  Averages along y have 1/L of it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import fft2
from scipy.ndimage import uniform_filter1d
from sklearn.decomposition import PCA

from analysis.estimates import UNDETERMINED, Estimate
from analysis.flocking import sampling
from analysis.flocking.crossing import crossings, spacing
from analysis.flocking.dataset import Run
from analysis.flocking.labels import BAND, G, L
from analysis.flocking.physical import BANDED, band_of_maps

COMPONENTS, FIRST = 25, 7  # shown, and those of the paper's claim
BATCH = 256  # maps transformed together
SMOOTH = 5  # columns that a profile is averaged over before its liquid part is counted


@dataclass(frozen=True)
class Components:
    """Of the configurations rows (n,) of dataset.h5.

    vectors (k, L, L), orthonormal, largest eigenvalue first, those with a mean positive.
    projections (n, k): of the configurations as they are, not less their mean.  raw, averaged (k,):
    share of the variance that each eigenvalue explains of m, and of m averaged along y (a
    decomposition of its own).  without_noise (k,): the same for the data matrix with every shift of
    every configuration and of its mirror image (m -> -m), whose components are plane waves, less
    its shot noise (a sample of n rows spreads the noise unevenly over its components, that matrix
    does not).  first_...: what the first FIRST explain together, errors with the components held
    fixed; first_without_noise of the plane waves kx = 0 to 3, ky = 0.  shot_noise: share of the
    variance of m.
    """

    rows: np.ndarray
    vectors: np.ndarray
    projections: np.ndarray
    raw: np.ndarray
    averaged: np.ndarray
    without_noise: np.ndarray
    first_raw: Estimate
    first_averaged: Estimate
    first_without_noise: Estimate
    shot_noise: Estimate


def decompose(data: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(eigenvalues (count,), vectors (count, sites), total variance) of the covariance of the rows
    of data (n, sites).
    """
    count = min(count, min(data.shape) - 1)
    found = PCA(
        count, svd_solver="arpack" if count < min(data.shape) // 2 else "full", random_state=0
    ).fit(data)
    vectors = found.components_ * np.where(found.components_.sum(axis=1, keepdims=True) < 0, -1, 1)
    return (
        found.explained_variance_.astype(float),
        vectors,
        float(data.var(axis=0, ddof=1, dtype=float).sum()),
    )


def spectrum(maps: np.ndarray) -> np.ndarray:
    """Mean power |FFT|^2 / L^2 of maps (n, L, L) by wave vector, (L, L): the eigenvalues once every
    shift is in the data matrix.
    """
    total = np.zeros(maps.shape[1:])
    for first in range(0, len(maps), BATCH):
        total += (np.abs(fft2(maps[first : first + BATCH])) ** 2).sum(axis=0, dtype=float)
    return total / (len(maps) * maps.shape[1] * maps.shape[2])


def components(run: Run, rows: np.ndarray | None = None) -> Components | None:
    """Of these rows of dataset.h5, by default the slice rho0 = system.density; None: fewer than
    four, which have fewer than three components.
    """
    rows = run.at(run.reference) if rows is None else rows
    if len(rows) < 4:
        return None
    size, replica, temperature = run.size, run.replica[rows], run.temperature[rows]
    maps = run.magnetization[rows].astype(np.float32)
    values, vectors, total = decompose(maps.reshape(len(rows), -1), COMPONENTS)
    lines = maps.mean(axis=2)
    line_values, line_vectors, line_total = decompose(lines, COMPONENTS)
    off, line_off = (maps - maps.mean(axis=0)).reshape(len(rows), -1), lines - lines.mean(axis=0)
    everything, line_everything = (off**2).sum(1, dtype=float), (line_off**2).sum(1, dtype=float)
    explained, line_explained = (
        ((o @ v[:FIRST].T) ** 2).sum(1, dtype=float)
        for o, v in ((off, vectors), (line_off, line_vectors))
    )
    shifted, squares = np.sort(spectrum(maps), axis=None)[::-1], (maps**2).sum((1, 2), dtype=float)
    wave = np.abs(np.fft.rfft(lines, axis=1)[:, : FIRST // 2 + 1]) ** 2
    waves = wave[:, 0] + 2 * wave[:, 1:].sum(1)
    particles = run.density[rows].sum((1, 2), dtype=float)
    noise = particles.mean() / size**2  # of every eigenvalue

    def share(upper: np.ndarray, lower: np.ndarray) -> Estimate:
        return sampling.ratio(replica, temperature, upper, lower)

    return Components(
        rows,
        vectors.reshape(-1, size, size),
        maps.reshape(len(rows), -1) @ vectors.T,
        values / total,
        line_values / line_total,
        (shifted[:COMPONENTS] - noise) / (shifted.sum() - noise * size**2),
        share(explained, everything),
        share(line_explained, line_everything),
        share(waves - FIRST * particles / size**2, squares - particles),
        share(particles, squares),
    )


def constant(parts: Components) -> float:
    """Overlap |w_1 . (1, ..., 1) / L|: 1 if the first component is the total magnetization."""
    return float(abs(parts.vectors[0].sum()) / parts.vectors.shape[-1])


def wave_share(parts: Components) -> np.ndarray:
    """Share of the components 2-3, 4-5, 6-7 that lies in the waves of one, two, three periods along
    x, float (3,).
    """
    size = parts.vectors.shape[-1]
    power = (
        2 * np.abs(np.fft.fft(parts.vectors.sum(axis=2), axis=1)) ** 2 / size**2
    )  # of a unit vector: 1 in all
    pairs = [power[1 + 2 * i : 3 + 2 * i, i + 1] for i in range(3)]
    return np.array([pair.mean() if len(pair) else np.nan for pair in pairs])


def order_difference(parts: Components, run: Run) -> float:
    """Largest | |p_1| / (rho0 L) - m | over configurations; rho0 of their own particles."""
    rows = parts.rows
    own = run.density[rows].mean((1, 2), dtype=float)
    return float(np.abs(np.abs(parts.projections[:, 0]) / (own * run.size) - run.order[rows]).max())


def means_and_spreads(
    temperature: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(temperatures (t,), means (t,), standard deviations (t,)) of values (n,)."""
    known, place = np.unique(temperature, return_inverse=True)
    count = np.bincount(place)
    mean = np.bincount(place, values) / count
    return (
        known,
        mean,
        np.sqrt(np.bincount(place, (values - mean[place]) ** 2) / np.maximum(count - 1, 1)),
    )


def pairs(run: Run, parts: Components) -> Estimate:
    """|sum p_a^2 - sum p_b^2| over their mean, of the pairs (2, 3), (4, 5), (6, 7); the largest."""
    squares = (parts.projections - parts.projections.mean(axis=0)) ** 2
    each = [
        sampling.of_sums(
            run.replica[parts.rows],
            run.temperature[parts.rows],
            squares[:, [i, i + 1]].astype(float),
            lambda s: 2 * np.abs(s[..., 0] - s[..., 1]) / (s[..., 0] + s[..., 1]),
        )
        for i in (1, 3, 5)
        if i + 1 < squares.shape[1]
    ]
    return max(each, key=lambda e: e.value, default=UNDETERMINED)


def contrast(run: Run, parts: Components) -> Estimate:
    """Mean ring of L+G configurations over that of L and G ones."""
    phase, ring = (
        run.phases.phase[parts.rows],
        np.hypot(parts.projections[:, 1], parts.projections[:, 2]).astype(float),
    )
    inside, outside = (phase == BAND).astype(float), np.isin(phase, (G, L)).astype(float)
    columns = np.stack([inside, inside * ring, outside, outside * ring], axis=1)
    return sampling.of_sums(
        run.replica[parts.rows],
        run.temperature[parts.rows],
        columns,
        lambda s: s[..., 1] / s[..., 0] * s[..., 2] / s[..., 3],
    )


def liquid_fraction(density: np.ndarray) -> np.ndarray:
    """Share of the columns of each map (n, L, L) whose density lies above the middle between the
    profile's ends, (n,).
    """
    profile = uniform_filter1d(density.mean(axis=2, dtype=float), SMOOTH, axis=1, mode="wrap")
    middle = (profile.min(axis=1) + profile.max(axis=1)) / 2
    return (profile > middle[:, None]).mean(axis=1)


def maximum(run: Run, parts: Components) -> Estimate:
    """T where (p_2^2 + p_3^2)^(1/2) is largest minus T where the mean liquid fraction of banded
    configurations falls through 1/2.

    Of temperatures at which most configurations are banded; errors: replicas drawn again, and the
    spacing of temperatures.
    """
    rows = parts.rows
    ring = np.hypot(parts.projections[:, 1], parts.projections[:, 2]).astype(float)
    banded = (band_of_maps(run.density[rows]) > BANDED).astype(float)
    values = np.stack(
        [np.ones(len(rows)), ring, banded, banded * liquid_fraction(run.density[rows])], axis=1
    )
    first, sums = sampling.by_replica(run.replica[rows], values)
    temperature = run.temperature[rows][first]
    known = np.unique(temperature)

    def apart(means: np.ndarray) -> np.ndarray:
        most = means[..., 2] > 0.5 * means[..., 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.where(most, means[..., 3] / means[..., 2] - 0.5, 0.0)
        return known[(means[..., 1] / means[..., 0]).argmax(axis=-1)] - crossings(known, excess)

    means = sampling.by_temperature(temperature, sums)[1]
    value, again = (
        float(apart(means)),
        apart(sampling.by_temperature(temperature, sums, sampling.draws(temperature))[1]),
    )
    again = again[np.isfinite(again)]
    if not np.isfinite(value) or len(again) < 2:
        return UNDETERMINED
    top = known[(means[:, 1] / means[:, 0]).argmax()]
    grid = np.nan_to_num(spacing(known, top), nan=np.diff(known).max()) / np.sqrt(12)
    return Estimate(value, float(np.hypot(again.std(ddof=1), grid)))
