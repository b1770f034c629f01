"""The fields of a run's data set, and what they are judged by: six quantities, and whether they
segregated.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from jobs import collecting
from jobs.segregation.config import SPLITS
from kernels import interface
from kernels.cahn_hilliard import CahnHilliard

FIELD = "t0_fields/concentration"
QUANTITIES = (
    "mean_concentration",
    "area",
    "perimeter",
    "chemical_energy",
    "surface_energy",
    "free_energy",
)
# of the variance m (1 - m) of pure phases with sharp interfaces: steady states have more than half
# of it or nothing, and a uniform answer with a few dots or tiles on it has little
SEGREGATED = 0.25
BATCH = 512  # fields measured together


@dataclass(frozen=True)
class Fields:
    """A split of a run's data set, read when it is asked for; rows as in its file.

    path: its file.  mean_concentration: float64 (n,).  times: float64 (t,), time, the last inf, the
    steady state.
    steady_time: float64 (n,), time, nan where a field did not get there.  row: (n,) int, rows of
    dataset.h5.
    """

    path: Path
    mean_concentration: np.ndarray
    times: np.ndarray
    steady_time: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.mean_concentration)

    @functools.cached_property
    def all(self) -> h5py.Dataset:
        """Concentrations float32 (n, t, L, L), on the disk: all[i, j] reads one field."""
        return h5py.File(self.path, "r", locking=False)[FIELD]

    @functools.cached_property
    def first(self) -> np.ndarray:
        """The mixed fields, float32 (n, L, L)."""
        return self.all[:, 0]

    @functools.cached_property
    def last(self) -> np.ndarray:
        """The steady states, float32 (n, L, L)."""
        return self.all[:, -1]


def data_file(run_folder: Path, split: str) -> Path:
    return Path(run_folder) / "data" / split / "segregation.h5"


def read(run_folder: Path, split: str) -> Fields:
    """The fields of a split, one of SPLITS, of the run (or system of a sweep) in `run_folder`.

    Raises UserError if dataset.h5 or the split's file is not there, cannot be read, or they do not
    belong together.
    """
    path, names = data_file(run_folder, split), ("mean_concentration", "steady_time")
    mine, (mean, steady), times = collecting.read(
        run_folder, "segregation", SPLITS.index(split), path, FIELD, names
    )
    return Fields(path, mean, times, steady, mine)


def measure(model: CahnHilliard, fields: np.ndarray) -> dict[str, np.ndarray]:
    """The paper's six quantities of fields (n, L, L), QUANTITIES, each float64 (n,).

    area: of c > 1/2, area.  perimeter: of the line c = 1/2, length.  Energies: totals over the box.
    """
    found = {name: np.empty(len(fields)) for name in QUANTITIES}
    for first in range(0, len(fields), BATCH):
        part, here = np.asarray(fields[first : first + BATCH]), slice(first, first + BATCH)
        found["mean_concentration"][here] = part.mean((1, 2), dtype=np.float64)
        found["area"][here] = interface.area(part, 0.5, model.spacing)
        found["perimeter"][here] = interface.perimeter(part, 0.5, model.spacing)
        found["chemical_energy"][here], found["surface_energy"][here] = model.energies(part)
    found["free_energy"] = found["chemical_energy"] + found["surface_energy"]
    return found


def segregated(fields_last: np.ndarray) -> np.ndarray:
    """Which of fields (n, L, L), in their steady state, hold two phases: bool (n,)."""
    mean = fields_last.mean((1, 2), dtype=np.float64)
    return fields_last.var((1, 2), dtype=np.float64) > SEGREGATED * mean * (1 - mean)
