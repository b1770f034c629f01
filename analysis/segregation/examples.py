"""Fields that figures show, chosen where the run is and kept small: a byte a cell."""

from dataclasses import dataclass

import numpy as np

from analysis.segregation.predictions import Predictions
from jobs.segregation.fields import Fields as TestFields

LARGEST = 64  # cells a side: of larger fields the means of blocks are kept
COLUMNS = 8  # samples in figures 2 and 3
SHOWN = 3  # trajectories side by side in the film
MAPS = 4  # channels kept of a layer, those that vary most


@dataclass(frozen=True)
class Bytes:
    """Fields to look at.

    cells: uint8 (..., x, y), at most 64 a side.  A value is low + (high - low) cells / 255.
    """

    cells: np.ndarray
    low: float
    high: float

    @property
    def values(self) -> np.ndarray:
        return self.low + (self.high - self.low) * self.cells.astype(np.float32) / 255


def kept(fields: np.ndarray, low: float, high: float) -> Bytes:
    """Fields (..., L, L) as bytes from low to high, where what lies beyond is cut."""
    block = -(-fields.shape[-1] // LARGEST)
    if block > 1:
        side = fields.shape[-1] // block
        cut = fields[..., : side * block, : side * block]
        fields = cut.reshape(*fields.shape[:-2], side, block, side, block).mean((-3, -1))
    scaled = (np.asarray(fields, np.float64) - low) / (high - low)
    return Bytes(np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8), float(low), float(high))


def two_phases(fields: np.ndarray) -> Bytes:
    """Of concentrations, as figures show them: from 0 to 1."""
    return kept(fields, 0.0, 1.0)


def deviations(fields: np.ndarray, reach: float) -> Bytes:
    """Of mixed states: less their means, up to `reach` of either sign."""
    return kept(fields - fields.mean((-2, -1), keepdims=True), -reach, reach)


@dataclass(frozen=True)
class Answers:
    """What a network answers.  index: int (n,), rows of the test split; fields: the answers."""

    index: np.ndarray
    fields: Bytes


@dataclass(frozen=True)
class Examples:
    """Samples of the test set side by side; mixed states are kept less their means.

    index: int (n,), rows of the test split.  mean: float64 (n,), mean concentrations.  segregates:
    bool (n,).  given, truth: (n, x, y).  answers: by network.
    """

    index: np.ndarray
    mean: np.ndarray
    segregates: np.ndarray
    given: Bytes
    truth: Bytes
    answers: dict[str, Answers]

    def answer(self, network: str) -> list[np.ndarray | None]:
        """A network's answers in the order of the samples, None where it has none."""
        found = self.answers.get(network)
        own = {} if found is None else {int(i): k for k, i in enumerate(found.index)}
        return [found.fields.values[own[i]] if i in own else None for i in self.index.tolist()]


def chosen(p: Predictions) -> np.ndarray:
    """Rows of the samples to show: the uniform one nearest a mean of 1/2, and segregated ones
    evenly spread over the means.
    """
    uniform, inside = np.flatnonzero(~p.segregated), np.flatnonzero(p.segregated)
    nearest = np.argsort(np.abs(p.mean_concentration[uniform] - 0.5), kind="stable")[:1]
    picked = uniform[nearest].tolist()
    means, first = np.unique(p.mean_concentration[inside].round(6), return_index=True)
    if len(means):
        spread = np.unique(np.linspace(0, len(means) - 1, COLUMNS - 1).round().astype(int))
        picked += inside[first[spread]].tolist()
    return np.array(sorted(picked, key=lambda row: p.mean_concentration[row]), int)


def examples(predictions: dict[str, Predictions], reverse: bool) -> Examples | None:
    """Of these networks' predictions, all forward or all reverse; None without any."""
    if not predictions:
        return None
    first = next(iter(predictions.values()))
    rows = chosen(first)
    own = first.fields(rows)
    mixed = own["truth" if reverse else "input"]
    reach = float(np.abs(mixed - mixed.mean((1, 2), keepdims=True)).max()) or 1.0

    def of(fields: np.ndarray, segregated: bool) -> Bytes:
        return two_phases(fields) if segregated else deviations(fields, reach)

    answers = {}
    for network, p in predictions.items():
        mine = np.flatnonzero(np.isin(p.index, first.index[rows]))
        if len(mine):
            fields = of(p.fields(mine)["prediction"], not reverse)
            answers[network] = Answers(p.index[mine].astype(np.int32), fields)
    return Examples(
        first.index[rows].astype(np.int32),
        first.mean_concentration[rows],
        first.segregated[rows],
        of(own["input"], reverse),
        of(own["truth"], not reverse),
        answers,
    )


@dataclass(frozen=True)
class Film:
    """Mixtures that segregate, at the recorded times.

    mean: float64 (n,), mean concentrations.  free_energy: float64 (n, t), per area, energy /
    area.  frames: (n, t, x, y), concentrations.
    """

    mean: np.ndarray
    free_energy: np.ndarray
    frames: Bytes


def film(test: TestFields, inside: np.ndarray, free_energy: np.ndarray) -> Film | None:
    """Of the test split's fields; inside: rows of those that segregate; free_energy: (n, t) of all
    of them, per area.
    """
    if len(inside) == 0:
        return None
    means, first = np.unique(test.mean_concentration[inside].round(6), return_index=True)
    places = np.unique(np.linspace(0, len(means) - 1, SHOWN + 2).round().astype(int)[1:-1])
    picked = inside[first[places]]
    frames = np.stack([test.all[int(row)] for row in picked])
    return Film(test.mean_concentration[picked], free_energy[picked], two_phases(frames))


@dataclass(frozen=True)
class Layers:
    """What a generator's layers make of one test sample.

    mean: its mean concentration.  uint8, from the smallest (0) to the largest value (255): given,
    answer (x, y); layers, encoder then decoder, each (channels, h, w) of the up to 4 channels that
    vary most, each on a scale of its own; of a layer of a single cell (channels, 1, 1), all kept
    channels on one scale.
    """

    mean: float
    given: np.ndarray
    answer: np.ndarray
    layers: list[np.ndarray]


def layers(given: np.ndarray, answer: np.ndarray, maps: list[np.ndarray]) -> Layers:
    """Of the maps (channels, h, w) of each layer."""
    own = [full_range(given), full_range(answer)]
    return Layers(float(given.mean(dtype=float)), *own, [of_layer(each) for each in maps])


def of_layer(maps: np.ndarray) -> np.ndarray:
    """Channels of a layer (channels, h, w) as Layers keeps them."""
    if maps.shape[-1] == 1:
        return full_range(maps)
    order = np.argsort(-maps.var((1, 2)), kind="stable")[:MAPS]
    return np.stack([full_range(maps[i]) for i in order])


def full_range(values: np.ndarray) -> np.ndarray:
    """As bytes from the smallest to the largest of them."""
    low, high = float(values.min()), float(values.max())
    return kept(values, low, high if high > low else low + 1).cells
