"""Claims of the paper's section on unsupervised learning: principal components, and UMAP's
groups.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from analysis.estimates import UNDETERMINED, Estimate, exact
from analysis.flocking import components, sampling
from analysis.flocking.components import FIRST, Components
from analysis.flocking.crossing import crossings, spacing
from analysis.flocking.dataset import Run
from analysis.flocking.maps import SHOWN
from analysis.flocking.networks import BAND, PHASES, G, L
from analysis.flocking.physical import BANDED, band_of_maps
from analysis.flocking.rows import Claim, exactly, row
from analysis.verdicts import above, below, between

SMOOTH = 5  # columns that a profile is averaged over before its liquid part is counted
NEAREST = 0.0101  # of T: no further from the paper's example
AT_HALF = 0.03  # of T: the maximum lies where the liquid fills half


def rows(run: Run, found: Components | None) -> list[Claim]:
    """Principal components."""

    def claim(text: str, paper: str, rule, of_components) -> Claim:
        return row(run, text, paper, rule, None if found is None else of_components(found))

    share = f"the first {FIRST} principal components explain the variance: share"
    return [
        claim(f"{share}, magnetization as it is", "> 0.999", above(0.999), lambda f: f.first_raw),
        claim(
            f"{share}, less the shot noise of single particles",
            "> 0.999",
            above(0.999),
            lambda f: f.first_without_noise,
        ),
        claim(
            f"{share}, magnetization averaged along y",
            "> 0.999",
            above(0.999),
            lambda f: f.first_averaged,
        ),
        claim(
            "the first component is the total magnetization: overlap with (1, ..., 1) / L",
            "equal",
            above(0.99),
            lambda f: exact(components.constant(f)),
        ),
        claim(
            "components 2 to 7 have periods L, L/2, L/3 along x: share of them in those waves, the least of the three pairs",
            "all",
            above(0.9),
            lambda f: exact(components.wave_share(f).min()),
        ),
        claim(
            "they come in pairs of equal variance: relative difference in a pair, largest of three",
            "equal",
            below(0.1),
            lambda f: pairs(run, f),
        ),
        claim(
            "|p_1| / (rho0 L) is the order parameter: largest difference over configurations",
            "equal",
            below(0.01),
            lambda f: exact(components.order_difference(f, run)),
        ),
        row(
            run,
            "mean of (p_2^2 + p_3^2)^(1/2) in phase L+G over that in L and G",
            "only there not 0",
            above(2),
            None if found is None or run.phases is None else contrast(run, found),
        ),
        claim(
            "its maximum is where the liquid fills half: T of the maximum minus T of liquid fraction 1/2",
            "0",
            between(-AT_HALF, AT_HALF),
            lambda f: maximum(run, f),
        ),
    ]


def pairs(run: Run, found: Components) -> Estimate:
    """|sum p_a^2 - sum p_b^2| over their mean, of the pairs (2, 3), (4, 5), (6, 7); the largest."""
    squares = (found.projections - found.projections.mean(axis=0)) ** 2
    each = [
        sampling.of_sums(
            run.replica[found.rows],
            run.temperature[found.rows],
            squares[:, [i, i + 1]].astype(float),
            lambda s: 2 * np.abs(s[..., 0] - s[..., 1]) / (s[..., 0] + s[..., 1]),
        )
        for i in (1, 3, 5)
        if i + 1 < squares.shape[1]
    ]
    return max(each, key=lambda e: e.value, default=UNDETERMINED)


def contrast(run: Run, found: Components) -> Estimate:
    """Mean ring of L+G configurations over that of L and G ones."""
    phase, ring = (
        run.phases.phase[found.rows],
        np.hypot(found.projections[:, 1], found.projections[:, 2]).astype(float),
    )
    inside, outside = (phase == BAND).astype(float), np.isin(phase, (G, L)).astype(float)
    columns = np.stack([inside, inside * ring, outside, outside * ring], axis=1)
    return sampling.of_sums(
        run.replica[found.rows],
        run.temperature[found.rows],
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


def maximum(run: Run, found: Components) -> Estimate:
    """T where (p_2^2 + p_3^2)^(1/2) is largest minus T where the mean liquid fraction of banded
    configurations falls through 1/2.

    Of temperatures at which most configurations are banded; errors: replicas drawn again, and the
    spacing of temperatures.
    """
    rows = found.rows
    ring = np.hypot(found.projections[:, 1], found.projections[:, 2]).astype(float)
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


def groups(run: Run) -> list[Claim]:
    """UMAP."""
    at_reference = run.at(run.reference)
    there = run.phases is not None and bool((run.phases.cluster[at_reference] >= 0).any())
    all_groups = gas = sign = None
    if there:
        cluster, phase = run.phases.cluster[at_reference], run.phases.phase[at_reference]
        all_groups, gas = (
            exact(len(np.unique(cluster[(cluster >= 0) & own]))) for own in (True, phase == G)
        )
        sign = signs(run, at_reference)
    found = [
        row(run, "UMAP: well separated groups", "5", exactly(5), all_groups),
        row(run, "UMAP: groups of phase G", "1", exactly(1), gas),
        row(
            run,
            "UMAP separates the signs: share of configurations in L and L+G whose m has the sign of most of their group",
            "all",
            above(0.99),
            sign,
        ),
    ]
    for kind, temperature in SHOWN:
        off = np.abs(run.temperature[at_reference] - temperature)
        at = at_reference[(off <= NEAREST) & (off <= off.min(initial=np.inf) + 1e-9)]
        share = None
        if there and len(at):
            own = (run.phases.phase[at] == kind).astype(float)
            share = sampling.ratio(run.replica[at], run.temperature[at], own, np.ones(len(at)))
        found.append(
            row(
                run,
                f"T = {temperature:g} is in phase {PHASES[kind]}: share of its configurations",
                "all",
                above(0.9),
                share,
                data=f"{len(at)} configurations",
            )
        )
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
