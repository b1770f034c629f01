"""What figures and movies show of single configurations, chosen here and stored small."""

from dataclasses import dataclass

import numpy as np

from analysis.flocking.dataset import Run
from analysis.flocking.labels import TYPICAL

FRAMES = 40  # of a movie, at most
SIDE, MOVIE_SIDE = 96, 81  # of a map that is stored, at most: larger ones are averaged over blocks


@dataclass(frozen=True)
class Maps:
    """k maps, int8 or uint8 (k, x, y), of values * unit: exact where unit is 1, else rounded.
    side: lattice sites that the whole map is wide.
    """

    values: np.ndarray
    unit: float
    side: int

    def __getitem__(self, which) -> np.ndarray:
        """float64."""
        return self.values[which].astype(float) * self.unit

    @property
    def x(self) -> np.ndarray:
        """Middle of each column, in sites."""
        width = self.side / self.values.shape[1]
        return (np.arange(self.values.shape[1]) + 0.5) * width - 0.5


@dataclass(frozen=True)
class Fields:
    """k configurations: magnetization and density of each site, as Maps, and temperature, mean
    density and order parameter |m|, float64 (k,).
    """

    magnetization: Maps
    density: Maps
    temperature: np.ndarray
    mean_density: np.ndarray
    order: np.ndarray


@dataclass(frozen=True)
class Movie:
    """Frames in order: magnetization and density as Maps, and what stands above each frame, float64
    (k,): its time or its temperature.

    temperature, mean_density: of a movie in time.  start: how the replicas of a movie in
    temperature began, +1, -1 or 0 (random spins).
    """

    magnetization: Maps
    density: Maps
    above: np.ndarray
    temperature: float | None = None
    mean_density: float | None = None
    start: int | None = None


def packed(maps: np.ndarray, side: int = SIDE) -> Maps:
    """Maps (k, L, L) as small as pictures need them."""
    size = maps.shape[-1]
    kind = np.int8 if maps.min(initial=0) < 0 else np.uint8
    if size > side:
        maps = coarse(maps, -(-size // side))
    most = np.iinfo(kind).max
    top = float(np.abs(maps).max(initial=0))
    whole = np.issubdtype(maps.dtype, np.integer) and top <= most
    unit = 1.0 if whole or top == 0 else top / most
    return Maps(np.rint(maps / unit).astype(kind), unit, size)


def coarse(maps: np.ndarray, block: int) -> np.ndarray:
    """Averages over blocks of block^2 sites, the last ones smaller where they do not fit."""
    for axis in (1, 2):
        start = np.arange(0, maps.shape[axis], block)
        count = np.diff(np.append(start, maps.shape[axis]))
        shape = (1, -1, 1) if axis == 1 else (1, 1, -1)
        maps = np.add.reduceat(maps.astype(float), start, axis=axis) / count.reshape(shape)
    return maps


def fields(run: Run, rows: list[int]) -> Fields:
    return Fields(
        packed(run.magnetization[rows]),
        packed(run.density[rows]),
        run.temperature[rows],
        run.mean_density[rows],
        run.order[rows],
    )


def typical(run: Run, phase: int, temperature: float) -> int:
    """Row at the reference density at the temperature nearest this one, of this phase if there is
    one there; the last sample of it.
    """
    rows = run.at(run.reference)
    t = run.temperature[rows]
    rows = rows[np.abs(t - temperature) <= np.abs(t - temperature).min() + 1e-9]
    if run.phases is not None and (run.phases.phase[rows] == phase).any():
        rows = rows[run.phases.phase[rows] == phase]
    return int(rows[run.sample[rows].argmax()])


def examples(run: Run) -> Fields | None:
    """One configuration of each phase, as in the paper's figure 5."""
    if len(run.at(run.reference)) == 0:
        return None
    return fields(run, [typical(run, *each) for each in TYPICAL])


def spread(count: int) -> np.ndarray:
    """Which of `count` frames are kept: at most FRAMES, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int))


def band(run: Run) -> Movie | None:
    """Of the run's film.h5, a band on its way; None: there is none of this run."""
    if run.film is None:
        return None
    film = run.film
    # frames in a row: a band that is looked at too seldom seems to go backwards
    kept = slice(-FRAMES, None)
    return Movie(
        packed(film.magnetization[kept], MOVIE_SIDE),
        packed(film.density[kept], MOVIE_SIDE),
        film.time[kept],
        film.temperature,
        film.mean_density,
    )


def sweep(run: Run) -> Movie | None:
    """A sample at each temperature of the reference density, the last one of the same start, cold
    to hot, shifted so that the band stays in the middle; None: one temperature is no sweep.
    """
    rows = run.at(run.reference)
    temperatures = np.unique(run.temperature[rows])
    if len(temperatures) < 2:
        return None
    chosen = temperatures[spread(len(temperatures))]
    start = 1 if (run.start[rows] == 1).any() else int(run.start[rows][0])
    picked = []
    for temperature in chosen:
        here = rows[run.temperature[rows] == temperature]
        same = here[run.start[here] == start]
        here = same if len(same) else here
        picked.append(int(here[run.sample[here].argmax()]))
    by = shifts(run.density[picked])
    m, rho = (
        np.stack([np.roll(each, n, axis=0) for each, n in zip(maps[picked], by, strict=True)])
        for maps in (run.magnetization, run.density)
    )
    return Movie(packed(m, MOVIE_SIDE), packed(rho, MOVIE_SIDE), chosen, start=start)


def shifts(density: np.ndarray) -> np.ndarray:
    """By how many columns to roll each map (k, L, L) so that the first wave of its profile peaks at
    L // 2.
    """
    size = density.shape[1]
    wave = np.fft.rfft(density.sum(axis=2, dtype=float), axis=1)[:, 1]
    return np.rint(size // 2 + np.angle(wave) * size / (2 * np.pi)).astype(int)
