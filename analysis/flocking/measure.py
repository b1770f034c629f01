"""What a run says: every number and every curve of the study, worked out once, with errors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis import record
from analysis.estimates import Estimate
from analysis.flocking import (
    components,
    extrapolation,
    frames,
    groups,
    locality,
    physical,
    relaxation,
)
from analysis.flocking.answers import Trained
from analysis.flocking.components import FIRST
from analysis.flocking.dataset import Run, load
from analysis.flocking.extrapolation import Answers
from analysis.flocking.frames import Fields, Maps, Movie
from analysis.flocking.groups import Groups
from analysis.flocking.labels import BAND, Network
from analysis.flocking.physical import Diagram
from analysis.flocking.relaxation import Relaxation
from analysis.record import Origin, Record
from jobs.config import Section
from jobs.flocking.config_train import Unsupervised

DOTS = 5000  # in a scatter plot, at most
PROFILES = 5  # components whose shape along x is shown
SHOWN = 0.56  # temperature of the configuration that is taken apart, or the nearest one


@dataclass(frozen=True)
class About:
    """What was run.  size L, diffusion D, self_propulsion epsilon, density rho0 of the slice that
    the networks learn.

    configurations, replicas, temperatures (lowest and highest) and how many of them: of the slice.
    hottest, everything: highest temperature and configurations of all densities.  equilibration,
    interval: time units before a replica's first sample, and between two.  modes: how many Fourier
    modes of the maps UMAP was given, None: the maps; copies: shifted copies of each configuration
    besides.
    """

    size: int
    diffusion: float
    self_propulsion: float
    density: float
    configurations: int
    replicas: int
    temperatures: tuple[float, float] | None
    of_them: int
    hottest: float
    everything: int
    equilibration: float
    interval: float
    modes: int | None
    copies: int


@dataclass(frozen=True)
class Means:
    """By temperature (t,): mean and standard deviation over configurations of |p_1| and of
    (p_2^2 + p_3^2)^(1/2), over rho0 L, float64 (t,).
    """

    temperature: np.ndarray
    order: np.ndarray
    order_spread: np.ndarray
    ring: np.ndarray
    ring_spread: np.ndarray


@dataclass(frozen=True)
class Dots:
    """Configurations of the reference density, n of them at most, for scatter plots: temperature
    float32 (n,); projections float16 (n, 3) on the first three components, over rho0 L; embedding
    float16 (n, 2) in UMAP's plane, NaN where there is none; cluster int16 (n,): HDBSCAN's group,
    -1: of none, or in no phase.
    """

    temperature: np.ndarray
    projections: np.ndarray
    embedding: np.ndarray
    cluster: np.ndarray


@dataclass(frozen=True)
class TakenApart:
    """One configuration as a sum of principal components: magnetization, one map; vectors, k maps;
    projection float64 (k,) on each; left: share of the sum of m_i^2 that the k do not have.
    """

    temperature: float
    magnetization: Maps
    vectors: Maps
    projection: np.ndarray
    left: float


@dataclass(frozen=True)
class Components:
    """Principal components of the magnetization of n configurations.

    raw, without_noise, averaged: share of the variance that each component explains, float64 (k,),
    of the maps, less the shot noise of single particles, and averaged along y; first_...: of the
    first seven together; shot_noise: share of the variance of the maps.  profile, profile_error: L
    times the mean along y of the first five components, and its standard error, float64 (5, L).
    constant: overlap of the first one with (1, ..., 1) / L.  wave_share (3,): of components 2-3,
    4-5, 6-7 in waves of one, two, three periods along x.  pairs: relative difference of the
    variance in a pair, the largest of the three.  order_difference: largest | |p_1| / (rho0 L) - m
    |. contrast: mean (p_2^2 + p_3^2)^(1/2) in phase L+G over that in L and G.  maximum: T of its
    maximum less T of liquid fraction 1/2.
    """

    configurations: int
    raw: np.ndarray
    without_noise: np.ndarray
    averaged: np.ndarray
    first_raw: Estimate
    first_without_noise: Estimate
    first_averaged: Estimate
    shot_noise: Estimate
    profile: np.ndarray
    profile_error: np.ndarray
    constant: float
    wave_share: np.ndarray
    pairs: Estimate
    order_difference: float
    contrast: Estimate | None
    maximum: Estimate
    means: Means
    dots: Dots
    taken_apart: TakenApart | None


@dataclass(frozen=True)
class Saliency:
    """|dS_c / dI| of one network, S_c the score of the phase it sees.

    map: of the configuration that is shown, both channels added, over its largest value; None: that
    is not among those mapped.  rows int32 (k,) of dataset.h5: the configurations of phase L+G;
    participation, edges float64 (k,): the share of the sites that it lives on, and Pearson's r over
    columns with the gradient of the density's profile.  outside: mean |dS_c / dI| of L and G
    configurations over that of L+G, NaN where one kind is not mapped.  margin: all this of |d(S_c -
    S_d) / dI|, S_d the score of the second phase.
    """

    map: Maps | None
    rows: np.ndarray
    participation: np.ndarray
    edges: np.ndarray
    outside: float
    margin: "Saliency | None"


@dataclass(frozen=True)
class Numbers:
    """All numbers of a run; what is keyed by networks adds up between records of one data set.

    shown: the configuration whose saliency is shown.  examples: one configuration of each phase.
    movies: "band" in time and "sweep" in temperature.  left_out: files that could not be used.
    """

    about: About
    components: Components | None
    groups: Groups | None
    diagram: Diagram
    answers: dict[Network, Answers]
    trained: dict[Network, Trained]
    saliency: dict[Network, Saliency]
    shown: Fields | None
    examples: Fields | None
    relaxation: Relaxation | None
    movies: dict[str, Movie]
    left_out: list[str]


def measure(path: Path) -> Record:
    """Everything that the pages need to know of a run directory.  Raises BadInput with one line."""
    run = load(path)
    numbers = numbers_of(run)
    return Record(origin(run, numbers), numbers)


def numbers_of(run: Run) -> Numbers:
    settled, truth = physical.settled(run, run.reference), physical.diagram(run)
    saliency, shown = saliencies(run)
    movies = {"band": frames.band(run), "sweep": frames.sweep(run)}
    return Numbers(
        about(run),
        of_components(run, components.components(run, settled)),
        groups.groups(run),
        truth,
        extrapolation.answers(run, truth),
        run.trained,
        saliency,
        shown,
        frames.examples(run),
        relaxation.relaxation(run),
        {name: movie for name, movie in movies.items() if movie is not None},
        run.left_out,
    )


def origin(run: Run, numbers: Numbers) -> Origin:
    own, networks = run.attributes, {*numbers.answers, *numbers.trained}
    size = len(run.temperature) * (1 + len(networks))
    return record.origin("flocking", run.path, system(run), size, own)


def system(run: Run) -> str:
    """What tells runs apart that must not add up: lattice, rates, the slice that is learnt, finite
    time steps, and how UMAP was set.
    """
    own = run.config["system"]
    words = [
        f"L = {run.size}",
        f"D = {own.get('diffusion', 1.0):g}",
        f"epsilon = {own.get('self_propulsion', 0.9):g}",
        f"rho0 = {run.reference:g}",
    ]
    if own.get("algorithm") == "standard":
        step = own.get("time_step")
        words.append("finite time steps" if step is None else f"time step {step:g}")
    return ", ".join([*words, *changed(unsupervised(run), Unsupervised())])


def unsupervised(run: Run) -> Unsupervised:
    return Unsupervised.model_validate(run.config.get("unsupervised") or {})


def changed(section: Section, default: Section) -> list[str]:
    """The settings of a section that are not the usual ones."""
    usual = default.model_dump()
    return [f"{k} = {v}" for k, v in section.model_dump().items() if v != usual[k]]


def about(run: Run) -> About:
    own, here = run.config["system"], run.at(run.reference)
    t, umap = np.unique(run.temperature[here]), unsupervised(run)
    return About(
        run.size,
        float(own.get("diffusion", 1.0)),
        float(own.get("self_propulsion", 0.9)),
        run.reference,
        len(here),
        len(np.unique(run.replica[here])),
        (float(t[0]), float(t[-1])) if len(t) else None,
        len(t),
        float(run.temperature.max()),
        len(run.temperature),
        run.equilibration,
        float(run.config["generate"].get("interval", np.nan)),
        umap.modes,
        umap.copies,
    )


def of_components(run: Run, parts: components.Components | None) -> Components | None:
    if parts is None:
        return None
    size, scale = run.size, run.reference * run.size
    t, p = run.temperature[parts.rows], parts.projections / scale
    ring = np.hypot(p[:, 1], p[:, 2])
    known, order, order_spread = components.means_and_spreads(t, np.abs(p[:, 0]))
    _, ring_mean, ring_spread = components.means_and_spreads(t, ring)
    profile = size * parts.vectors[:PROFILES].mean(axis=2)
    error = np.sqrt(size) * parts.vectors[:PROFILES].std(axis=2, ddof=1)
    return Components(
        len(parts.rows),
        parts.raw,
        parts.without_noise,
        parts.averaged,
        parts.first_raw,
        parts.first_without_noise,
        parts.first_averaged,
        parts.shot_noise,
        profile.astype(float),
        error.astype(float),
        components.constant(parts),
        components.wave_share(parts),
        components.pairs(run, parts),
        components.order_difference(parts, run),
        components.contrast(run, parts) if run.phases is not None else None,
        components.maximum(run, parts),
        Means(known, order, order_spread, ring_mean, ring_spread),
        dots(run, parts, p),
        taken_apart(run, parts),
    )


def dots(run: Run, parts: components.Components, p: np.ndarray) -> Dots:
    """In a random order, that none lies on top for its temperature."""
    order = np.random.default_rng(0).permutation(len(p))[:DOTS]
    rows = parts.rows[order]
    there = run.phases is not None
    cluster = np.full(len(rows), -1)
    if there:
        cluster = np.where(run.phases.phase[rows] >= 0, run.phases.cluster[rows], -1)
    return Dots(
        run.temperature[rows].astype(np.float32),
        p[order, :3].astype(np.float16),
        (run.phases.embedding[rows] if there else np.full((len(rows), 2), np.nan)).astype(
            np.float16
        ),
        cluster.astype(np.int16),
    )


def taken_apart(run: Run, parts: components.Components) -> TakenApart | None:
    """A banded configuration, or one that has waves at all; None: there is none."""
    count = min(FIRST, len(parts.vectors))
    banded = run.phases is not None and run.phases.phase[parts.rows] == BAND
    rows = np.flatnonzero(banded if np.any(banded) else np.hypot(*parts.projections[:, 1:3].T) > 0)
    if len(rows) == 0:
        return None
    row = int(rows[np.argmin(np.abs(run.temperature[parts.rows[rows]] - SHOWN))])
    own = run.magnetization[parts.rows[row]]
    p, w = parts.projections[row, :count].astype(float), parts.vectors[:count]
    rest = own - np.tensordot(p, w, 1)
    return TakenApart(
        float(run.temperature[parts.rows[row]]),
        frames.packed(own[None]),
        frames.packed(w),
        p,
        float((rest**2).sum() / (own.astype(float) ** 2).sum()),
    )


def saliencies(run: Run) -> tuple[dict[Network, Saliency], Fields | None]:
    """Of every network, and the first configuration of phase L+G."""
    if run.saliency is None:
        return {}, None
    index, banded = run.saliency.index, locality.banded_rows(run)
    where = np.flatnonzero(banded)

    def measured(maps: np.ndarray | None, margin: Saliency | None) -> Saliency | None:
        if maps is None:
            return None
        return Saliency(
            shown_map(maps[where[0]]) if len(where) else None,
            index[where].astype(np.int32),
            np.array([locality.participation(maps[k]) for k in where]),
            np.array([locality.edges(maps[k], run.density[index[k]]) for k in where]),
            outside(maps, banded),
            margin,
        )

    found = {
        network: measured(maps, measured(run.saliency.margins.get(network), None))
        for network, maps in run.saliency.maps.items()
    }
    return found, frames.fields(run, [int(index[where[0]])]) if len(where) else None


def shown_map(saliency: np.ndarray) -> Maps:
    both = np.abs(saliency).sum(axis=0)
    return frames.packed(both[None] / (both.max() or 1.0))


def outside(maps: np.ndarray, banded: np.ndarray) -> float:
    """Of maps (k, 2, L, L); NaN where all or none are banded."""
    if banded.all() or not banded.any():
        return np.nan
    return float(maps[~banded].mean() / maps[banded].mean())
