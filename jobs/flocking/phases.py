"""The phases, found without labels: UMAP of the magnetization maps, HDBSCAN of the embedding, and
where the groups meet in T.

Of every density with enough configurations.  The principal components of maps and all their shifts
are Fourier modes: the strongest ones are what UMAP is given, and a shifted copy differs from its
original by their phases alone.  A group is named by what it is: its mean |m| and the first modes of
its magnetization along x.  A configuration with domains of both spins is none of the three phases,
but on its way to one of them: it is not assigned, whatever its group.
"""

import hashlib
import json
from collections.abc import Callable

import h5py
import numpy as np
from sklearn.cluster import HDBSCAN

from jobs import provenance, shards
from jobs.config import digest
from jobs.flocking.config_train import Unsupervised
from jobs.flocking.transitions import boundaries
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels.estimate import written
from kernels.flock_phases import BAND, GAS, PHASES, band_amplitude
from kernels.streams import STREAMS, generator

GROUPS = 5  # G, and L and L+G of either sign
# points that make a place dense, for HDBSCAN: more of them tear the long rings of bands apart
NEAREST = 15
AT_ONCE = 512  # maps transformed together
NOISY = 0.2  # share in no group that is worth a warning


def run(system: System, device, progress: Progress) -> None:
    """Write phases.h5 of a system from its dataset.h5, unless the one there was made from it with
    the same settings.
    """
    config, target = system.config, system.folder / "phases.h5"
    settings = config.unsupervised
    data = shards.check_large(system.folder / "dataset.h5")
    made_from = hashlib.sha256(
        f"{data} {json.dumps(settings.model_dump(), sort_keys=True)}".encode()
    ).hexdigest()
    if shards.finished(target, made_from, progress):
        progress.say(f"{target}: made from the same data set before, kept")
        return
    with h5py.File(system.folder / "dataset.h5", "r", locking=False) as file:
        rows = {name: file[name][...] for name in ("temperature", "mean_density", "replica")}
        particles = file["series/particles"][...][rows["replica"]]
        maps = {"magnetization": file["magnetization"]}  # those of one density at a time
        found = of_all(rows | maps, particles, settings, config.seed, progress)
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "flocking",
        "unsupervised": json.dumps(settings.model_dump(), sort_keys=True),
    }
    shards.write(
        target, {name: Data(values, *ABOUT[name]) for name, values in found.items()}, attributes
    )
    counts = ", ".join(
        f"{int((found['phase'] == k).sum())} {name}" for k, name in enumerate(PHASES)
    )
    progress.say(f"{target}: {counts}, {int((found['phase'] < 0).sum())} not assigned")


ABOUT = {
    "embedding": (
        "",
        "configuration, axis",
        "UMAP, of each density by itself; nan where there are too few configurations",
    ),
    "cluster": (
        "",
        "configuration",
        "HDBSCAN, numbered through all densities; -1 noise, or a density without a clustering",
    ),
    "phase": ("", "configuration", "0 G, 1 L+G, 2 L, -1 not assigned"),
    "densities": ("particles / site", "density", "rho0"),
    "transitions": (
        "",
        "density, transition",
        "T of L -> L+G and of L+G -> G, where a phase's share crosses 1/2; nan: not seen",
    ),
    "transition_errors": (
        "",
        "density, transition",
        "standard deviation over drawings of replicas, and the spacing of T over sqrt(12)",
    ),
    "clusters/density": ("particles / site", "cluster", "rho0"),
    "clusters/configurations": ("", "cluster", "how many"),
    "clusters/magnetization": ("", "cluster", "mean m per particle, with its sign"),
    "clusters/order": ("", "cluster", "mean |m| per particle"),
    "clusters/band": (
        "",
        "cluster",
        "mean of the largest of three modes of the magnetization along x, per particle",
    ),
    "clusters/phase": ("", "cluster", "0 G, 1 L+G, 2 L, -1 domains of both spins"),
}


def of_all(
    rows: dict[str, np.ndarray],
    particles: np.ndarray,
    settings: Unsupervised,
    seed: int,
    progress: Progress,
) -> dict:
    """All arrays of phases.h5, from rows of dataset.h5 and the number of particles (n,) in each.

    rows["magnetization"] may be on the disk: of it one density's rows are read at a time.
    """
    n, of = len(rows["temperature"]), np.unique(rows["mean_density"])
    reference = rows["mean_density"][0]  # its slice comes first
    of = np.concatenate([[reference], of[of != reference]])
    embedding, cluster, phase = (
        np.full((n, 2), np.nan, np.float32),
        np.full(n, -1, np.int32),
        np.full(n, -1, np.int8),
    )
    transitions, errors = np.full((len(of), 2), np.nan), np.full((len(of), 2), np.nan)
    about = {name.split("/")[1]: [] for name in ABOUT if name.startswith("clusters/")}
    progress.begin(len(of), "densities")
    for k, density in enumerate(of):
        here = np.flatnonzero(rows["mean_density"] == density)
        if len(here) < settings.fewest:
            progress.say(
                f"density {density:g}: {len(here)} configurations, fewer than unsupervised.fewest = {settings.fewest}: no phases"
            )
            continue
        maps = rows_of(rows["magnetization"], here)
        temperature, replica = rows["temperature"][here], rows["replica"][here]
        embedding[here], label = embed_and_cluster(maps, settings, seed, k)
        order = order_parameters(maps, particles[here])
        named = name_groups(label, *order)
        first = len(about["phase"])
        cluster[here] = np.where(label < 0, -1, label + first)
        domains = both_spins(*order)
        phase[here] = np.where((label < 0) | domains, -1, np.array([*named, -1], np.int8)[label])
        if domains.any():
            progress.say(
                f"density {density:g}: {domains.sum()} of {len(here)} configurations have domains of both spins: not assigned"
            )
        if (label < 0).mean() > NOISY:
            progress.say(
                f"density {density:g}: {(label < 0).mean():.0%} of the configurations are in no group: judge by the figure"
            )
        for each, what in enumerate(named):
            mine = label == each
            m, band = order[0][mine], order[1][mine]
            means = [
                each.mean() if len(each) else np.nan for each in (m, np.abs(m), band)
            ]  # a group of shifted copies alone has none
            values = (density, len(m), *means, what)
            for name, value in zip(about, values, strict=True):
                about[name].append(value)
        settled = phase[here] >= 0
        random = np.random.Generator(
            np.random.Philox(
                key=np.array([seed, STREAMS["flocking"] << 32 | 1 << 31 | k], np.uint64)
            )
        )
        transitions[k], errors[k] = boundaries(
            phase[here][settled],
            temperature[settled],
            replica[settled],
            settings.bootstraps,
            random,
        )
        describe(density, label, np.array(named), order[0], transitions[k], errors[k], progress.say)
        progress.reach(k + 1)
    kinds = {"configurations": np.int32, "phase": np.int8}
    groups = {
        f"clusters/{name}": np.array(values, kinds.get(name, np.float64))
        for name, values in about.items()
    }
    return {
        "embedding": embedding,
        "cluster": cluster,
        "phase": phase,
        "densities": of.astype(np.float64),
        "transitions": transitions,
        "transition_errors": errors,
        **groups,
    }


def rows_of(maps, here: np.ndarray) -> np.ndarray:
    """Rows of an array or data set by their sorted numbers, which are few runs of neighbours."""
    runs = np.split(here, np.flatnonzero(np.diff(here) > 1) + 1)
    return np.concatenate([maps[run[0] : run[-1] + 1] for run in runs])


def describe(
    density: float,
    label: np.ndarray,
    named: np.ndarray,
    m: np.ndarray,
    at,
    errors,
    say: Callable[[str], None],
) -> None:
    """What was found at a density, and whether it is the five groups of the paper."""
    sign = lambda each: "" if named[each] <= 0 else "+-"[int(m[label == each].mean() < 0)]  # noqa: E731
    words = sorted(
        f"{[*PHASES, 'both spins'][named[each]]}{sign(each)}: {(label == each).sum()}"
        for each in range(len(named))
    )
    say(
        f"density {density:g}: {len(named)} groups ({', '.join(words)}; noise: {(label < 0).sum()}); "
        f"T(L, L+G) = {written(at[0], errors[0])}, T(L+G, G) = {written(at[1], errors[1])}"
    )
    if len(named) != GROUPS:
        say(
            f"density {density:g}: {GROUPS} groups were expected (G, and L and L+G of either sign): judge the embedding by its figure"
        )


def strongest_modes(maps: np.ndarray, count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Fourier modes of maps (n, L, L) that carry most of their power, complex64 (n, modes), and
    their numbers k (modes, 2).

    Scaled so that distances between all modes (count None) are those between the maps.
    """
    side = maps.shape[1]
    half = side // 2 + 1
    weight = np.full((side, half), np.sqrt(2))  # a mode and its complex conjugate are one,
    for column in (
        (0, half - 1) if side % 2 == 0 else (0,)
    ):  # both of which are here in these columns: one is left out
        weight[half:, column] = 0
        weight[[0, half - 1] if side % 2 == 0 else [0], column] = 1  # its own conjugate
    pieces = [slice(first, first + AT_ONCE) for first in range(0, len(maps), AT_ONCE)]
    transform = lambda piece: np.fft.rfft2(maps[piece].astype(np.float32), norm="ortho") * weight  # noqa: E731
    power = sum((np.abs(transform(piece)) ** 2).sum(0) for piece in pieces)
    chosen = np.argsort(-power.ravel(), kind="stable")[: count or power.size]
    chosen = np.sort(chosen[weight.ravel()[chosen] > 0])
    found = np.concatenate(
        [
            transform(piece).reshape(-1, side * half)[:, chosen].astype(np.complex64)
            for piece in pieces
        ]
    )
    k = np.stack([chosen // half, chosen % half], 1)
    return found, k


def embed_and_cluster(
    maps: np.ndarray, settings: Unsupervised, seed: int, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """UMAP of magnetization maps (n, L, L) and shifted copies of them, float32 (n, 2), and
    HDBSCAN's groups of it, (n,), -1 noise.
    """
    from umap import UMAP  # half a minute of compilation

    random = generator(seed, "flocking", number)
    found, k = strongest_modes(maps, settings.modes)
    shift = random.integers(maps.shape[1], size=(settings.copies, len(maps), 2))
    shift = np.concatenate([np.zeros((1, len(maps), 2), int), shift])
    copies = (found * np.exp(-2j * np.pi * (shift @ k.T) / maps.shape[1])).reshape(-1, len(k))
    data = np.concatenate([copies.real, copies.imag], 1).astype(np.float32)
    state = int(random.integers(2**31))
    embedding = UMAP(
        n_neighbors=min(settings.neighbours, len(data) - 1),
        min_dist=settings.min_dist,
        random_state=state,
        n_jobs=1,
    )
    placed = embedding.fit_transform(data)
    smallest = settings.min_cluster_size * (
        len(data) if settings.min_cluster_size < 1 else settings.copies + 1
    )
    groups = HDBSCAN(
        min_cluster_size=max(2, round(smallest)), min_samples=min(NEAREST, len(data)), copy=True
    )
    return placed[: len(maps)], groups.fit_predict(placed)[: len(maps)]


def order_parameters(
    maps: np.ndarray, particles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per particle, of magnetization maps (n, L, L): m with its sign, the largest of three modes
    along x, and of those along y.
    """
    profiles = [maps.sum(axis, dtype=np.int64) for axis in (2, 1)]
    along_x, along_y = (band_amplitude(each, particles) for each in profiles)
    return profiles[0].sum(1) / particles, along_x, along_y


def name_groups(
    label: np.ndarray, m: np.ndarray, along_x: np.ndarray, along_y: np.ndarray
) -> list[int]:
    """The phase of every group 0..: 0 G, 1 L+G, 2 L, -1 if it holds nothing but domains of both
    spins, which name no other group.
    """
    named, settled = [], ~both_spins(m, along_x, along_y)
    for group in range(label.max() + 1):
        mine = (label == group) & settled
        if not mine.any():
            named.append(-1)
            continue
        order, band = np.abs(m[mine]).mean(), along_x[mine].mean()
        if max(order, band) < GAS:
            named.append(0)
        else:
            named.append(1 if band > BAND * order else 2)
    return named


def both_spins(m: np.ndarray, along_x: np.ndarray, along_y: np.ndarray) -> np.ndarray:
    """Whether a configuration has domains of both spins, bool (n,): modes larger than |m|, and than
    a gas has.  A run on its way.
    """
    mode = np.maximum(along_x, along_y)
    return (mode > np.abs(m)) & (mode > GAS)
