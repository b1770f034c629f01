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
    return Fields(path, *columns, times, mine)
