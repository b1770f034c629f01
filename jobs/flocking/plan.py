"""What a flocking config makes and takes: jobs/trials.py.

How long a particle takes is tried at temperatures spread over the config's, whose attempts differ,
and where the algorithm does.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.flocking.config import Flocking, unpoolable
from jobs.flocking.generate import attempts, build, looks, unchecked, work
from jobs.pace import expected_epochs
from jobs.trials import Kind, Machine, Part, Timed, Untimed, seconds_of, training
from kernels.active_ising import CountersFull

TRIED = 5  # units of a trial
SECONDS = 0.2  # of each
LARGEST = 1 << 20  # lattice sites
# bytes of a site in a map, of magnetization and density together, which are compressed; of what is
# kept of a look; of what is known of a configuration
SITE_BYTES, LOOK_BYTES, ROW_BYTES = 1.6, 52, 60
SALIENCY_BYTES = 16.0  # of a site: two channels, two kinds
GRADIENTS = 6  # a map of what a network looks at takes as long as so many scores
SHARE = 0.6  # of the configurations is learnt (train.DEAL)


def rates(config: Flocking, device) -> tuple[np.ndarray, np.ndarray]:
    """(units, seconds of an attempt there, all workers at work)."""
    model, points = build(config, device), config.points
    if model.size**2 > LARGEST:
        raise Untimed(f"system.size = {model.size} is too large")
    copies = device.workers if device.kind == "cpu" else 2 * device.processors
    found = []
    for unit in np.unique(np.linspace(0, len(points) - 1, TRIED).round().astype(int)):
        density, temperature, *_ = points[unit]

        def run(until: float, density=density, temperature=temperature) -> float:
            began = time.perf_counter()
            some = [temperature] * copies, [density] * copies, 1
            model.run(*some, [until], seed=config.seed, progress=False)
            return time.perf_counter() - began

        until, seconds = 1.0, 0.0
        try:
            none = run(1e-6)  # what it takes to begin
            while (seconds := run(until)) < SECONDS / 2:
                until *= float(np.clip(SECONDS / max(seconds, 1e-4), 2, 10))
        except CountersFull:
            continue
        tried = until * copies * attempts(model, density, temperature)
        found.append((unit, max(seconds - none, seconds / 10) / tried))
    if not found:
        raise Untimed("sites hold more particles than can be counted")
    units, each = zip(*found, strict=True)
    return np.array(units), np.array(each)


def tried_rates(config: Flocking, machine: Machine) -> tuple[np.ndarray, np.ndarray]:
    key = ("rates", config.system.model_dump_json(), config.generate.model_dump_json())
    return machine.once(key, lambda: rates(config, machine.device))


HOW = "replicas at some of the densities and temperatures, all spins +1"


def kernels(config: Flocking, device) -> None:
    """Compile those of all stages, for each density's arrays."""
    model, densities = unchecked(config, device), {point[0] for point in config.points}
    densities.add(config.system.density)  # of the film
    model.compile([round(density * model.size**2) for density in densities])


def generate(config: Flocking, machine: Machine) -> list[Part]:
    points, side = config.points, config.system.size

    def timed() -> Timed:
        units, each = tried_rates(config, machine)
        model = build(config, machine.device)
        whole = [work(model, config, unit) for unit in range(len(points))]
        seconds = np.interp(np.arange(len(points)), units, each) @ whole
        return Timed(float(seconds), HOW)

    maps = sum(replicas * samples for *_, replicas, samples in points)
    seen = sum(replicas * len(looks(config, samples)[0]) for *_, replicas, samples in points)
    return [
        Part(
            "generate",
            {
                "units": len(points),
                "replicas": sum(replicas for *_, replicas, _ in points),
                "configurations": maps,
            },
            maps * side**2 * SITE_BYTES + seen * LOOK_BYTES,
            timed,
        )
    ]


def collect(config: Flocking, machine: Machine) -> list[Part]:
    points, side, film = config.points, config.system.size, config.film
    maps = sum(replicas * samples for *_, replicas, samples in points)
    seen = sum(replicas * len(looks(config, samples)[0]) for *_, replicas, samples in points)

    def phases() -> Timed:
        raise Untimed("UMAP and HDBSCAN, which compile for half a minute; minutes in all")

    def filmed() -> Timed:
        _, each = tried_rates(config, machine)
        model = build(config, machine.device)
        tries = attempts(model, config.system.density, film.temperature)
        last = film.equilibration + film.interval * (film.frames - 1)
        busy = machine.device.workers if machine.device.kind == "cpu" else 1
        return Timed(float(each.mean()) * busy * tries * last, HOW)

    parts = [
        Part(
            "collect",
            {"configurations in a data set": maps},
            maps * (side**2 * SITE_BYTES + ROW_BYTES) + seen * LOOK_BYTES,
            phases,
        )
    ]
    if film.frames:
        parts.append(
            Part(
                "collect",
                {"frames of a film": film.frames},
                film.frames * side**2 * SITE_BYTES,
                filmed,
                leave_out="film.frames=0",
                files=("film.h5",),
            )
        )
    return parts


# ---- networks


def learnt(config: Flocking, which: str) -> int:
    """Configurations that a network of a set trains on, if all have a phase."""
    points = config.points
    mine = [p for p in points if which == "all" or p[0] == config.system.density]
    return round(SHARE * sum(replicas * samples for *_, replicas, samples in mine))


def train(config: Flocking, machine: Machine) -> list[Part]:
    from jobs.flocking import networks

    t, size = config.train, config.system.size
    if unpoolable(size):
        return []
    count = networks.parameters(networks.PhaseNetwork(size))

    def each() -> float:
        """Of an epoch, for each configuration that is learnt."""
        return machine.once(
            ("epoch", size, t.model_dump_json()), lambda: sample_seconds(config, machine)
        )

    kinds = [
        Kind(
            f"set {which}",
            len(t.regularization) * t.seeds,
            expected_epochs(np.inf if t.max_epochs is None else t.max_epochs, t.patience),
            t.max_epochs,
            count,
            lambda which=which: each() * learnt(config, which),
        )
        for which in t.sets
    ]
    return [training(config, machine, kinds)]


def sample_seconds(config: Flocking, machine: Machine) -> float:
    """Of an epoch, for each configuration that is learnt, from one batch of random ones."""
    from jobs.flocking.epochs import Training, packed
    from jobs.flocking.networks import PhaseNetwork

    t, size, draw = config.train, config.system.size, np.random.default_rng(0)
    device = machine.use(t.threads)
    copies = 1 + (t.copies or 0)
    rows = max(1, t.batch // copies)
    more = max(1, round(rows / 3))
    data = Random(
        packed(
            *(draw.integers(0, 5, (rows + more, size, size)).astype(np.int16) for _ in range(2))
        ),
        draw.integers(0, 3, rows + more).astype(np.int8),
    )
    run = Training(
        config,
        "reference/lambda-0/seed-0",
        PhaseNetwork(size),
        data,
        np.arange(rows),
        np.arange(rows, rows + more),
        device,
    )
    return seconds_of(lambda: run.epoch(lambda *_: None)) / rows


@dataclass(frozen=True)
class Random:
    """Configurations at random, as train.Dataset has them: packed maps (n, L, L), phase (n,)."""

    maps: Any
    phase: np.ndarray


def predict(config: Flocking, machine: Machine) -> list[Part]:
    from jobs.flocking import networks
    from jobs.flocking.epochs import packed, scores_of

    size, asked = config.system.size, config.predict
    if unpoolable(size):
        return []
    sets = asked.sets or config.train.sets
    names = [name for name in config.train.networks if name.split("/")[0] in sets]
    maps = sum(replicas * samples for *_, replicas, samples in config.points)
    mapped = 3 * asked.saliency.configurations

    def timed() -> Timed:
        device = machine.use(machine.device.workers)
        zeros = np.zeros((TRIED, size, size), np.int16)
        network = networks.PhaseNetwork(size).to(device).eval()
        given = packed(zeros, zeros).to(device)
        each = seconds_of(lambda: scores_of(network, given)) / TRIED
        return Timed(
            len(names) * each * (maps + GRADIENTS * mapped), f"scores of {TRIED} configurations"
        )

    return [
        Part(
            "predict",
            {"networks": len(names), "configurations answered": maps * len(names)},
            len(names) * (maps * 12.0 + mapped * size**2 * SALIENCY_BYTES) + maps * 12.0,
            timed,
        )
    ]
