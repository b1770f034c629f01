"""Which fields figures and the movie show, drawn when a run is measured: of a field of 64^3 cells
its shaded surface takes a tenth of the bytes, and is as sharp as the figure.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from analysis.coarsening import surface
from analysis.coarsening.labels import Network
from analysis.coarsening.rollouts import Case, Rollout, common

COLUMNS = 5  # of a figure
FRAMES, PIXELS = 20, 120  # of the movie, at most; a side of its pictures
SHOWN = ("test", "larger", "shape", "slice", "long")  # cases of which there are pictures
SHADES = 63  # of a palette; number 0 is for where there is nothing to see
SLICED = ("test", "slice")  # cases of which slices are shown as well
LONGEST_FIRST = ("long", "slice", "test")


@dataclass(frozen=True)
class Slices:
    """phi in the middle plane across y, float16 (m, z, x), z upwards; of the truth and of the
    network; of the truth 0 where it is not there.
    """

    truth: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True)
class Shots:
    """Truth and prediction of one start at m times, as pictures of the surface phi = 1/2.

    network: that predicted; count: starts there are. time: (m,). there: bool (m,), whether there is
    a truth. palette: RGB, uint8 (colours, 3). truth, prediction: uint8 (m, pixels, pixels), numbers
    of colours, 0: nothing to see. slices: None where none are shown.
    """

    network: Network
    count: int
    time: np.ndarray
    there: np.ndarray
    palette: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    slices: Slices | None

    def image(self, picture: np.ndarray) -> np.ndarray:
        """One of the pictures as RGBA, uint8 (pixels, pixels, 4)."""
        seen = np.where(picture[..., None] > 0, 255, 0).astype(np.uint8)
        return np.concatenate([self.palette[picture], seen], axis=-1)


@dataclass(frozen=True)
class Film:
    """shots: frames of a movie. truth, prediction: F / V (1 / length) of the shown start, (t,) at
    truth_time and at prediction_time.
    """

    shots: Shots
    truth_time: np.ndarray
    truth: np.ndarray
    prediction_time: np.ndarray
    prediction: np.ndarray


def chosen(rollout: Rollout) -> np.ndarray:
    """Times of kept frames to show: evenly among them, from the first to the last (a log series is
    even in log t).
    """
    return rollout.time[_evenly(len(rollout.time), COLUMNS)]


def _evenly(count: int, wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, wanted).round().astype(int))


def sequence(name: str, case: Case, network: Network, start: int) -> Shots:
    """The columns of figures 1c to 5 for a case."""
    times = chosen(case.networks[network])
    return shots(case, network, start, times, surface.PIXELS, sliced=name in SLICED)


def film(case: Case, network: Network, start: int, volume: float) -> Film:
    """Frames evenly among those that truth and network have both, of a case with truth."""
    truth, rollout = case.truth, case.networks[network]
    there, _ = common(truth, rollout)
    times = truth.time[there][_evenly(len(there), FRAMES)]
    return Film(
        shots(case, network, start, times, PIXELS),
        truth.series_time,
        truth.series["free_energy"][start] / volume,
        rollout.series_time,
        rollout.series["free_energy"][start] / volume,
    )


def shots(
    case: Case, network: Network, start: int, times: np.ndarray, pixels: int, sliced: bool = False
) -> Shots:
    rollout = case.networks[network]
    true = [at(case.truth, start, time) for time in times]
    own = [at(rollout, start, time) for time in times]
    palette, pictures = paletted(
        [
            np.zeros((pixels, pixels, 4)) if phi is None else surface.image(phi, pixels)
            for phi in (*true, *own)
        ]
    )
    planes = Slices(*(np.stack([plane(p, own[0]) for p in some]) for some in (true, own)))
    return Shots(
        network,
        rollout.count,
        times,
        np.array([phi is not None for phi in true]),
        palette,
        pictures[: len(times)],
        pictures[len(times) :],
        planes if sliced else None,
    )


def at(rollout: Rollout | None, start: int, time: float) -> np.ndarray | None:
    """The field kept at a time, None where there is none."""
    if rollout is None:
        return None
    k = rollout.nearest(time)
    close = np.isclose(rollout.time[k], time, rtol=1e-6, atol=1e-9)
    return rollout.phi(k, start) if close else None


def plane(phi: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    phi = np.zeros_like(like) if phi is None else phi
    return phi[:, phi.shape[1] // 2].T.astype(np.float16)


def paletted(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(palette, numbers of its colours (m, pixels, pixels), uint8) of RGBA pictures on white."""
    strip = np.concatenate(pictures)
    opacity = strip[..., 3:]
    shown = np.rint(255 * (strip[..., :3] * opacity + 1 - opacity)).astype(np.uint8)
    drawn = Image.fromarray(shown).quantize(SHADES, dither=Image.Dither.NONE)
    numbers = np.where(opacity[..., 0] > 0, np.asarray(drawn) + 1, 0).astype(np.uint8)
    colours = np.array(drawn.getpalette(), np.uint8).reshape(-1, 3)[:SHADES]
    palette = np.concatenate([np.full((1, 3), 255, np.uint8), colours])
    return palette, numbers.reshape(len(pictures), *pictures[0].shape[:2])
