"""Configurations of the Active Ising Model: independent runs at every density and temperature,
looked at on their way.

A unit is one density and temperature.  Its replicas start with all spins +1, all -1, or each at
random (STARTS): where the ordered state outlives a run, or disorder orders slowly, they disagree.
A replica is a function of (seed, unit, its number, its start) alone.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jobs import UserError
from jobs.flocking.config import Flocking
from jobs.shards import Data
from jobs.work import UnitError
from kernels.active_ising import ActiveIsing, CountersFull
from kernels.device import DeviceError

STARTS = (
    1,
    -1,
    0,
    1,
    -1,
)  # in turn: disorder takes the longest to order, and only has to show that it comes to the same
MODES = 3  # Fourier modes of the profiles along x that are kept
CALL_BYTES = 1 << 30  # of maps and profiles that come back from one call on a GPU
CALL_REPLICAS = 1024  # in one call on a GPU

Report = Callable[[float], None]


def build(config: Flocking, device) -> ActiveIsing:
    """The model of a config.  Raises UserError for what the kernel cannot do, at any density and
    temperature of the config.
    """
    s = config.system
    try:
        model = ActiveIsing(
            size=s.size,
            diffusion=s.diffusion,
            self_propulsion=s.self_propulsion,
            algorithm=s.algorithm,
            time_step=s.time_step,
            device=device,
        )
        points = config.points
        density, temperature = (
            np.array([f(p[k] for p in points)]) for k, f in ((0, max), (1, min))
        )
        if config.film.frames:
            temperature = np.minimum(temperature, config.film.temperature)
        model.run(
            temperature, density, np.array([0]), np.array([0.0]), seed=config.seed
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
        times, kept = looks(config, samples)
        counts = [points[unit][2] for unit in these]
        number = np.concatenate([np.arange(count) for count in counts])
        start = np.array(STARTS, np.int32)[number % len(STARTS)]
        density, temperature = (
            np.repeat([points[unit][k] for unit in these], counts) for k in (0, 1)
        )
        index = np.repeat(np.array(these, np.int64) << 20, counts) | number
        progress = functools.partial(_report, report, done, len(these) / len(start))
        while True:
            try:
                run = model.run(
                    temperature,
                    density,
                    start,
                    times,
                    seed=config.seed,
                    index=index,
                    snapshots=kept,
                    progress=progress,
                )
                break
            except CountersFull as error:
                full = np.asarray(error.replicas)
                if (start[full] != 0).any():
                    unit = these[
                        int(
                            np.searchsorted(
                                np.cumsum(counts), full[start[full] != 0][0], side="right"
                            )
                        )
                    ]
                    raise UnitError(
                        f"density {points[unit][0]:g}, T = {points[unit][1]:g}: a site holds more particles than the model can count, also "
                        "from an ordered start; raise generate.first_temperature, or lower the density",
                        {},
                    ) from None
                start[full] = np.where(number[full] // len(STARTS) % 2, -1, 1)
        done += len(these)
        report(done)
        for unit, last in zip(these, np.cumsum(counts), strict=True):
            yield (
                unit,
                datasets(
                    run,
                    slice(last - points[unit][2], last),
                    start,
                    config,
                    points[unit],
                    times,
                    kept,
                ),
            )


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
            MODE.format("magnetisation"),
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
