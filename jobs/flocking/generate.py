"""Configurations of the Active Ising Model: independent runs at every density and temperature,
looked at on their way.

A unit is one density and temperature.  Its replicas start with all spins +1, all -1, or each at
random (STARTS) and hot, then cooled: where the ordered state outlives a run, or disorder orders
slowly, they disagree.
A replica is a function of (seed, unit, its number, its start) alone.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs import UserError
from jobs.flocking.config import Flocking
from jobs.generating import UnitError
from jobs.shards import Data
from kernels.active_ising import ActiveIsing, CountersFull, Trajectories
from kernels.device import DeviceError

STARTS = (
    1,
    -1,
    0,
    1,
    -1,
)  # in turn: disorder takes the longest to order, and only has to show that it comes to the same
HOT = 1.0  # T that disorder is cooled from: above it the model does not order at any density
COOLINGS = 20  # temperatures on the way down
MODES = 3  # Fourier modes of the profiles along x that are kept
CALL_BYTES = 1 << 30  # of maps and profiles that come back from one call on a GPU
CALL_REPLICAS = 1024  # in one call on a GPU

Report = Callable[[float], None]


def unchecked(config: Flocking, device) -> ActiveIsing:
    """The model of a config, of which nothing has run, for a device that may not be here."""
    s = config.system
    try:
        return ActiveIsing(
            size=s.size,
            diffusion=s.diffusion,
            self_propulsion=s.self_propulsion,
            algorithm=s.algorithm,
            time_step=s.time_step,
            device=device,
        )
    except ValueError as error:
        raise UserError(f"system: {error}") from None


def build(config: Flocking, device) -> ActiveIsing:
    """The model of a config.  Raises UserError for what the kernel cannot do, at any density and
    temperature of the config.
    """
    model, points = unchecked(config, device), config.points
    density, temperature = (np.array([f(p[k] for p in points)]) for k, f in ((0, max), (1, min)))
    if config.film.frames:
        temperature = np.minimum(temperature, config.film.temperature)
    try:
        model.run(
            temperature, density, np.array([0]), np.array([0.0]), seed=config.seed, progress=False
        )  # the hardest point, no step of it
    except ValueError as error:
        raise UserError(f"system: {error}") from None
    except DeviceError as error:
        raise UserError(str(error)) from None
    return model


def warn(model: ActiveIsing, config: Flocking) -> list[str]:
    """What is allowed but probably not meant."""
    s, g, lines = config.system, config.generate, []
    if problem := config.untrainable():
        lines.append(problem)
    spread = s.size**2 / 40 / max(s.diffusion, 1e-9)  # of the slowest mode, (L / 2 pi)^2 / D
    if g.equilibration < spread:
        lines.append(
            f"generate.equilibration = {g.equilibration:g}: particles take {spread:.0f} to spread over the lattice [time]"
        )
    return lines


def work(model: ActiveIsing, config: Flocking, unit: int) -> float:
    """Attempts of a unit's replicas."""
    density, temperature, replicas, samples = config.points[unit]
    g = config.generate
    annealed = sum(STARTS[i % len(STARTS)] == 0 for i in range(replicas))
    span = replicas * (g.equilibration + g.interval * (samples - 1)) + annealed * g.annealing
    return attempts(model, density, temperature) * span


def attempts(model: ActiveIsing, density: float, temperature: float) -> float:
    """Of one replica in a unit of time."""
    particles = round(density * model.size**2)
    continuous = model.continuous(temperature, particles)
    return particles * (4 * model.diffusion + model.common_flip_rate(temperature, continuous))


def batch(config: Flocking, device) -> int:
    """Units in one call of the model.  Results do not depend on it."""
    g, side = config.generate, config.system.size
    if device.kind == "cpu":
        return max(1, -(-2 * device.workers // g.replicas))
    times, _ = looks(config, g.samples)
    each = g.samples * side**2 * 4 + len(times) * (2 * side + 66) * 4
    return max(1, min(CALL_REPLICAS, CALL_BYTES // each) // g.replicas)


def looks(config: Flocking, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Times float64 (o,) at which a replica is looked at, and which of them are its samples, bool
    (o,).
    """
    g = config.generate
    kept = np.round(g.equilibration + g.interval * np.arange(samples), 9)
    times = np.union1d(np.round(np.arange(0, kept[-1], g.observe), 9), kept)
    return times, np.isin(times, kept)


def simulate(
    model: ActiveIsing, config: Flocking, units: Sequence[int], report: Report
) -> Iterator[tuple[int, dict[str, Data]]]:
    """Yield (unit, its datasets) one by one; report(done) hears how many units' worth of work is
    done.

    A replica from disorder may pile more particles up on a site than the model can count, at a low
    temperature where domains collide: it starts anew with all its spins alike, and its `start` says
    so.  Raises UnitError if that fails too.
    """
    points, done = config.points, 0
    for samples, group in itertools.groupby(units, key=lambda unit: points[unit][3]):
        these = list(group)
        counts = [points[unit][2] for unit in these]
        number = np.concatenate([np.arange(count) for count in counts])
        density, temperature = (
            np.repeat([points[unit][k] for unit in these], counts) for k in (0, 1)
        )
        replicas = Replicas(
            temperature,
            density,
            np.array(STARTS, np.int32)[number % len(STARTS)],
            np.repeat(np.array(these, np.int64) << 20, counts) | number,
        )
        times, kept = looks(config, samples)
        progress = functools.partial(_report, report, done, len(these) / len(number))
        try:
            run = trajectories(model, config, replicas, times, kept, progress)
        except CountersFull as error:
            unit = int(replicas.index[error.replicas[0]] >> 20)
            raise UnitError(
                f"density {points[unit][0]:g}, T = {points[unit][1]:g}: a site holds more particles than the model can count, also "
                "from an ordered start; raise generate.first_temperature, or lower the density",
                {},
            ) from None
        done += len(these)
        report(done)
        for unit, last in zip(these, np.cumsum(counts), strict=True):
            yield (
                unit,
                datasets(
                    run,
                    slice(last - points[unit][2], last),
                    replicas.start,
                    config,
                    points[unit],
                    times,
                    kept,
                ),
            )


@dataclass(frozen=True)
class Replicas:
    """temperature, density float64, start int32, index int64: (r,) each.  `start` is changed where
    a replica starts anew.
    """

    temperature: np.ndarray
    density: np.ndarray
    start: np.ndarray
    index: np.ndarray


def trajectories(
    model: ActiveIsing,
    config: Flocking,
    replicas: Replicas,
    times: np.ndarray,
    kept: np.ndarray,
    progress: Report,
) -> Trajectories:
    """Replicas from their starts on, those from disorder annealed first.  progress hears how many
    replicas' worth of work is done.  Raises CountersFull, of ordered starts.
    """
    r, g, options = replicas, config.generate, {"seed": config.seed, "snapshots": kept}
    parts, cooling = [], g.annealing / (g.annealing + max(times[-1], 1e-9))
    chosen = np.flatnonzero(r.start == 0)
    while len(chosen):
        try:
            start, density = annealed(
                model, config, r, chosen, lambda done: progress(cooling * done)
            )
            found = model.run(
                r.temperature[chosen],
                density,
                start,
                times,
                index=r.index[chosen],
                progress=lambda done: progress(
                    cooling * len(chosen) + (1 - cooling) * done  # noqa: B023 (called at once)
                ),
                **options,
            )
            parts.append((chosen, found))
            break
        except CountersFull as error:
            full = chosen[np.asarray(error.replicas)]
            r.start[full] = np.where((r.index[full] & 0xFFFFF) // len(STARTS) % 2, -1, 1)
            chosen = np.flatnonzero(r.start == 0)
    before, chosen = len(chosen), np.flatnonzero(r.start)
    if len(chosen):
        try:
            found = model.run(
                r.temperature[chosen],
                r.density[chosen],
                r.start[chosen],
                times,
                index=r.index[chosen],
                progress=lambda done: progress(before + done),
                **options,
            )
        except CountersFull as error:
            raise CountersFull([int(i) for i in chosen[np.asarray(error.replicas)]]) from None
        parts.append((chosen, found))
    order = np.argsort(np.concatenate([chosen for chosen, _ in parts]))
    return Trajectories.joined([found for _, found in parts], order)


def annealed(
    model: ActiveIsing, config: Flocking, r: Replicas, chosen: np.ndarray, progress: Report
) -> tuple[tuple[np.ndarray, np.ndarray] | np.ndarray, np.ndarray | None]:
    """Start and density, as ActiveIsing.run takes them, of replicas from disorder that cooled to
    their temperatures.

    Quenched at once they would get stuck: below T = 0.23 or so, at rho0 = 3, domains of either
    spin or stripes along x outlive any run.
    """
    if not config.generate.annealing:
        return r.start[chosen], r.density[chosen]
    hot = np.maximum(HOT, r.temperature[chosen])
    start, density = r.start[chosen], r.density[chosen]
    for step in range(COOLINGS):
        found = model.run(
            hot + (r.temperature[chosen] - hot) * step / COOLINGS,
            density,
            start,
            [config.generate.annealing / COOLINGS],
            seed=config.seed,
            index=r.index[chosen] | (step + 1) << 42,
            progress=lambda done, step=step: progress((step * len(chosen) + done) / COOLINGS),
        )
        start, density = (found.magnetization_map[:, 0], found.density_map[:, 0]), None
    return start, density


def _report(report: Report, before: float, share: float, replicas: float) -> None:
    report(before + share * replicas)


def datasets(
    run,
    at: slice,
    start: np.ndarray,
    config: Flocking,
    point: tuple,
    times: np.ndarray,
    kept: np.ndarray,
) -> dict[str, Data]:
    """What a shard holds of the replicas `at` of a run."""
    density, temperature, _, _ = point
    settled = times >= config.generate.equilibration
    histogram = run.density_histogram[at][:, settled].sum(1, dtype=np.int64)
    return {
        "temperature": Data(np.float64(temperature), "", "", "T"),
        "mean_density": Data(np.float64(density), "particles / site", "", "rho0, as asked for"),
        "particles": Data(run.particles[at], "particles", "replica", "N"),
        "start": Data(
            start[at].astype(np.int8),
            "",
            "replica",
            "spins at t = 0: +1, -1 all alike, 0 each at random",
        ),
        "time": Data(times, "time", "time", "of the looks"),
        "magnetization": Data(run.magnetization[at], "", "replica, time", "sum of all spins"),
        "density_modes": Data(
            modes(run.density_profile[at], run.particles[at]),
            "",
            "replica, time, k, part",
            MODE.format("density"),
        ),
        "magnetization_modes": Data(
            modes(run.magnetization_profile[at], run.particles[at]),
            "",
            "replica, time, k, part",
            MODE.format("magnetization"),
        ),
        "density_histogram": Data(
            histogram,
            "sites",
            "replica, particles",
            "that hold 0 to 63 particles, last: 64 and more; all looks after equilibration",
        ),
        "sample_time": Data(times[kept], "time", "sample", "of the configurations"),
        "magnetization_map": Data(
            run.magnetization_map[at], "", "replica, sample, x, y", "sum of a site's spins", True
        ),
        "density_map": Data(
            run.density_map[at], "particles", "replica, sample, x, y", "on a site", True
        ),
        "attempts": Data(run.attempts[at], "attempts", "replica", "of the model, in all"),
    }


MODE = "real and imaginary part of sum over x of the {}'s profile exp(-2 pi i k x / L) / N, k = 1, 2, 3"


def modes(profile: np.ndarray, particles: np.ndarray) -> np.ndarray:
    """float32 (r, o, 3, 2) of profiles (r, o, L): the first Fourier modes along x, over the number
    of particles.
    """
    found = np.fft.rfft(profile, axis=-1)[..., 1 : MODES + 1] / particles[:, None, None]
    missing = MODES - found.shape[-1]  # L < 6 has fewer
    found = np.pad(found, [(0, 0), (0, 0), (0, missing)])
    return np.stack([found.real, found.imag], -1).astype(np.float32)
