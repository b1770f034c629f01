"""A rollout on its way to the disk: parts in a folder beside the file to be, and the state to go on
from; then the file.
"""

import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from jobs import shards
from jobs.shards import Data

FRAMES = {
    "phi": ("", "start, frame, x, y, z", "phi on the network's grid"),
    "phi_full": ("", "start, frame, X, Y, Z", "phi on the truth's grid"),
}
SERIES_REVISION = 3  # to be raised when SERIES changes: rollouts are then made again
OF_THE_KEPT = "; of the kept frames alone (a frame's takes as long as some steps), nan in between"
SERIES = {
    "free_energy": ("energy", "on the network's grid, gradients between neighbouring cells"),
    "mean": ("", "mean of phi on the network's grid"),
    "area": ("length^2", f"of the surface phi = 1/2{OF_THE_KEPT}"),
    "free_energy_upsampled": (
        "energy",
        f"of the waves of the network's grid, on the solver's grid{OF_THE_KEPT}",
    ),
    "length": ("length", f"2 pi over the mean wave number, weighted by S(k){OF_THE_KEPT}"),
    "minimum": ("", "least phi"),
    "maximum": ("", "largest phi"),
}


@dataclass(frozen=True)
class Plan:
    """Whose frames are looked at: `count` starts on boxes of `shape` cells of `spacing`.

    frames: int64 (t,), increasing from 0.  kept: int64, those of them that are kept.  downscale: so
    many times finer is the truth's grid.  full: its cells, if fields on it are kept too.
    """

    frames: np.ndarray
    kept: np.ndarray
    interval: float
    count: int
    shape: tuple[int, int, int]
    spacing: float
    interface_width: float
    downscale: int
    full: tuple[int, int, int] | None = None


@dataclass
class Position:
    """How far a rollout is: the first of the starts at work, the frame that comes next of them, and
    what is known of all.
    """

    row: int = 0
    look: int = 0
    rows: int = 0
    seconds: float = 0.0
    stepping: float = 0.0
    last: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class Parts:
    """The folder of a rollout that is not whole."""

    def __init__(self, target: Path, made_from: str):
        self.folder, self.made_from = target.with_name(f".{target.stem}.parts"), made_from

    def resume(self, count: int) -> tuple[Position, dict[str, np.ndarray] | None]:
        """Where to go on, and from which state: from the beginning unless a sound state of the same
        rollout is there.
        """
        try:
            arrays, attributes = shards.read(self.folder / "state.h5", made_from=self.made_from)
            position = Position(**json.loads(attributes["position"]))
            for path in self.files():  # also those after the state: the same frames will come again
                try:
                    shards.check(path, made_from=self.made_from)
                except shards.BadFileError:
                    path.unlink(missing_ok=True)
            if not self.cover(position):
                raise shards.BadFileError("parts are missing")
            return position, arrays or None
        except (FileNotFoundError, shards.BadFileError):
            shutil.rmtree(self.folder, ignore_errors=True)
            return Position(last=[-1] * count), None

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.h5"))

    def cover(self, position: Position) -> bool:
        """Whether the parts hold every frame up to `position`: another job on the same rollout may
        have removed some.
        """
        ends: dict[int, int] = {}
        for path in self.files():
            with h5py.File(path, "r", locking=False) as part:
                row, look = int(part.attrs["row"]), int(part.attrs["look"])
                rows, looks = part[next(iter(SERIES))].shape
            for start in range(row, row + rows):
                if look <= ends.get(start, 0):
                    ends[start] = max(ends.get(start, 0), look + looks)
        wanted = [1 + last for last in position.last[: position.row]] + [
            position.look
        ] * position.rows
        return all(ends.get(start, 0) >= looks for start, looks in enumerate(wanted))

    def write(
        self,
        row: int,
        look: int,
        data: dict[str, np.ndarray],
        position: Position,
        state: dict[str, np.ndarray],
    ) -> None:
        """A part that begins with start `row` and frame `look`, then the state after it."""
        attributes = {"made_from": self.made_from, "row": row, "look": look}
        shards.write(
            self.folder / f"part-{row:08d}-{look:08d}.h5",
            {k: Data(v, "", "") for k, v in data.items()},
            attributes,
        )
        marks = {"made_from": self.made_from, "position": json.dumps(position.__dict__)}
        shards.write(
            self.folder / "state.h5", {k: Data(v, "", "") for k, v in state.items()}, marks
        )

    def assemble(self, target: Path, plan: Plan, position: Position, attributes: dict) -> None:
        """All parts as one file; frames after the last that any start reached are left out."""
        if not self.cover(position):
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError, shards.BadFileError):
                shards.check_large(target, made_from=self.made_from)
                return  # that other job has finished it
            raise RuntimeError(
                "another job was at work on it, and removed parts of it; the same command makes it again"
            )
        looks = max(position.last) + 1
        frames, kept = plan.frames[:looks], plan.kept[plan.kept <= plan.frames[looks - 1]]
        grids = {"phi": plan.shape} | ({"phi_full": plan.full} if plan.full else {})
        with shards.new(target, attributes) as file:
            _put(file, "time", kept * plan.interval, "time", "frame", "of the kept frames")
            _put(
                file,
                "series/time",
                frames * plan.interval,
                "time",
                "look",
                "of all frames whose numbers are in series",
            )
            _put(
                file,
                "last_time",
                plan.frames[position.last] * plan.interval,
                "time",
                "start",
                "of the last frame before it stopped",
            )
            for name, grid in grids.items():
                dataset = file.create_dataset(
                    name, (plan.count, len(kept), *grid), np.float32, fillvalue=np.nan
                )
                dataset.attrs.update(
                    dict(zip(("unit", "axes", "about"), FRAMES[name], strict=True))
                )
            for name, (unit, about) in SERIES.items():
                dataset = file.create_dataset(
                    f"series/{name}", (plan.count, looks), np.float64, fillvalue=np.nan
                )
                dataset.attrs.update({"unit": unit, "axes": "start, look", "about": about})
            for path in self.files():
                with h5py.File(path, "r", locking=False) as part:
                    row, look = int(part.attrs["row"]), int(part.attrs["look"])
                    first = int(np.searchsorted(plan.kept, plan.frames[look]))
                    for name in [*SERIES, *(grid for grid in grids if grid in part)]:
                        goal, at = (
                            (file[f"series/{name}"], look)
                            if name in SERIES
                            else (file[name], first)
                        )
                        values = part[name][:, : max(0, goal.shape[1] - at)]
                        goal[row : row + len(values), at : at + values.shape[1]] = values
        shutil.rmtree(self.folder, ignore_errors=True)


def _put(file: h5py.File, name: str, values: np.ndarray, unit: str, axes: str, about: str) -> None:
    file.create_dataset(name, data=values).attrs.update(
        {"unit": unit, "axes": axes, "about": about}
    )
