"""The sequences of a run's data set, and the one way from the truth's grid to the network's."""

import functools
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from jobs import UserError, collecting
from jobs.coarsening.config import SPLITS

FIELD = "t0_fields/phi"


def downscale(phi: np.ndarray, factor: int, downscaling: str) -> np.ndarray:
    """Fields (..., X, Y, Z) on a grid `factor` times as coarse: its first cell of each block
    (nearest), or the block's mean.

    Raises UserError if the sides are no multiples of `factor`.
    """
    *rest, x, y, z = phi.shape
    if x % factor or y % factor or z % factor:
        raise UserError(
            f"a box of {x} x {y} x {z} cells: expected sides that are multiples of system.downscale = {factor} [cells]"
        )
    if downscaling == "nearest":
        return np.ascontiguousarray(phi[..., ::factor, ::factor, ::factor])
    blocks = phi.reshape(*rest, x // factor, factor, y // factor, factor, z // factor, factor)
    return blocks.mean((-5, -3, -1), dtype=np.float64).astype(phi.dtype)


def upsample(phi: np.ndarray, factor: int, downscaling: str) -> np.ndarray:
    """Fields (..., x, y, z) on a grid `factor` times as fine, float32: the waves that the coarse
    grid holds, and no others (trigonometric interpolation).

    downscaling: where a coarse cell's value is taken to be: at its first fine cell (nearest), where
    it is kept, or in its middle (block_mean).
    """
    *rest, x, y, z = phi.shape
    fine = (x * factor, y * factor, z * factor)
    flat = np.asarray(phi, np.float64).reshape(-1, x, y, z)
    found = np.empty((len(flat), *fine), np.float32)
    shift = 0.0 if downscaling == "nearest" else (factor - 1) / 2  # fine cells
    for i, each in enumerate(flat):
        waves = np.fft.fftn(each, norm="forward")
        for axis, many in enumerate(fine):
            waves = padded(waves, axis, many)
            n = np.fft.fftfreq(many, 1 / many).reshape([-1 if a == axis else 1 for a in range(3)])
            waves = waves * np.exp(-2j * np.pi * n * shift / many)
        found[i] = np.fft.ifftn(waves, norm="forward").real
    return found.reshape(*rest, *fine)


def padded(waves: np.ndarray, axis: int, many: int) -> np.ndarray:
    """Coefficients of a transform with zeros for the waves that it has not, `many` along an axis;
    the highest of an even number is shared by both signs.
    """
    few, waves = waves.shape[axis], np.moveaxis(waves, axis, 0)
    found = np.zeros((many, *waves.shape[1:]), complex)
    half = few // 2
    found[: few - half] = waves[: few - half]
    found[many - half :] = waves[few - half :]
    if few % 2 == 0 and many > few:
        found[many - half] /= 2
        found[half] = found[many - half]
    return np.moveaxis(found, 0, axis)


@dataclass(frozen=True)
class Fields:
    """A split of a run's data set, read when it is asked for; rows as in its file, in the order of
    sequences.

    path: its file.  mean_concentration: float64 (n,), of the truth's grid, where it is conserved.
    feature_size: int (n,), cells of the truth's grid.  start_time: float64 (n,), time, of the first
    frame.  times: float64 (frames,), time since the first frame.  row: (n,) int, rows of
    dataset.h5.
    """

    path: Path
    mean_concentration: np.ndarray
    feature_size: np.ndarray
    start_time: np.ndarray
    times: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.mean_concentration)

    @functools.cached_property
    def all(self) -> h5py.Dataset:
        """phi float32 (n, frames, X, Y, Z) on the network's grid, on the disk: all[i] reads one
        sequence.
        """
        return h5py.File(self.path, "r", locking=False)[FIELD]


def data_file(run_folder: Path, split: str) -> Path:
    return Path(run_folder) / "data" / split / "coarsening.h5"


def read(run_folder: Path, split: str) -> Fields:
    """The sequences of a split, one of SPLITS, of the run (or system of a sweep) in `run_folder`.

    Raises UserError if dataset.h5 or the split's file is not there, cannot be read, or they do not
    belong together.
    """
    path, names = data_file(run_folder, split), ("mean_concentration", "feature_size", "start_time")
    mine, columns, times = collecting.read(
        run_folder, "coarsening", SPLITS.index(split), path, FIELD, names
    )
    mean, feature, start = columns
    return Fields(path, mean, feature, start, times, mine)
