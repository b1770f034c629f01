"""What a rollout leaves on the disk: its frames as they are made, and numbers of every one of them.

Frames wait in memory for at most SECONDS or BUFFER bytes, then go to a part of their own in a folder beside the file to be,
and with them, in state.h5, all that is needed to go on.  A killed rollout so loses seconds, and continues to the same bytes;
its memory does not grow with its length.  Once whole, the parts become the file and are removed.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from jobs import shards
from jobs.coarsening.measures import energies
from jobs.shards import Data
from kernels import interface

SECONDS = 30.0  # between two parts
BUFFER = 256 << 20  # bytes of frames in a part
RUNAWAY = 5.0  # outside of [0, 1]: farther than any rollout that could come back
NAMED = 3  # starts that `stopped` tells of

FRAMES = {"phi": ("", "start, frame, x, y, z", "phi on the network's grid"),
          "phi_full": ("", "start, frame, X, Y, Z", "phi on the truth's grid")}  # fmt: skip
SERIES = {
    "free_energy": ("energy", "on the network's grid, gradients between neighbouring cells"),
    "mean": ("", "mean of phi on the network's grid"),
    "area": ("length^2", "of the surface phi = 1/2, of the kept frames alone (a frame's takes as long as some steps); nan in between"),
    "minimum": ("", "least phi"),
    "maximum": ("", "largest phi"),
}


def kept_frames(frames: int, kept: int | None, spacing: str) -> np.ndarray:
    """Which of `frames` frames are kept, int64, the first and the last among them; where that asks for fractions, each once."""
    if kept is None or kept >= frames:
        return np.arange(frames)
    if spacing == "linear":
        return np.unique(np.rint(np.linspace(0, frames - 1, kept)).astype(np.int64))
    early = np.rint(np.geomspace(1, frames - 1, kept - 1)).astype(np.int64)
    return np.unique(np.concatenate([[0], np.maximum(early, np.arange(1, kept))]))


@dataclass(frozen=True)
class Plan:
    """Whose frames are looked at: `count` starts on boxes of `shape` cells of `spacing`.

    frames: int64 (t,), increasing from 0.  kept: int64, those of them that are kept.  full: the truth's grid, if that is kept too.
    """

    frames: np.ndarray
    kept: np.ndarray
    interval: float
    count: int
    shape: tuple[int, int, int]
    spacing: float
    interface_width: float
    full: tuple[int, int, int] | None = None


class Source(Protocol):
    """Where frames come from, some starts at a time."""

    batch: int

    def begin(self, rows: range, state: dict[str, np.ndarray] | None) -> None:
        """Make ready for these starts, from their first frame on or from a `state` after some frame."""

    def frame(self, look: int, report: Callable[[float], None]) -> tuple[np.ndarray, np.ndarray | None]:
        """phi float32 (rows, x, y, z) of Plan.frames[look], asked for in order, and on the truth's grid; report: share of it done."""

    def pauses(self, look: int) -> bool:
        """Whether going on from `state()` after frame `look` gives the same frames as going on."""

    def state(self) -> dict[str, np.ndarray]: ...


@dataclass
class Position:
    """How far a rollout is: the first of the starts at work, the frame that comes next of them, and what is known of all."""

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
        """Where to go on, and from which state: from the beginning unless a sound state of the same rollout is there."""
        try:
            arrays, attributes = shards.read(self.folder / "state.h5", made_from=self.made_from)
            position = Position(**json.loads(attributes["position"]))
            for path in self.files():
                if tuple(map(int, path.stem.split("-")[1:])) >= (position.row, position.look):  # written after the state: made again
                    path.unlink()
                else:
                    shards.check(path, made_from=self.made_from)
            return position, arrays or None
        except (FileNotFoundError, shards.BadFileError):
            shutil.rmtree(self.folder, ignore_errors=True)
            return Position(last=[-1] * count), None

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.h5"))

    def write(self, row: int, look: int, data: dict[str, np.ndarray], position: Position, state: dict[str, np.ndarray]) -> None:
        """A part that begins with start `row` and frame `look`, then the state after it."""
        attributes = {"made_from": self.made_from, "row": row, "look": look}
        shards.write(self.folder / f"part-{row:08d}-{look:08d}.h5", {k: Data(v, "", "") for k, v in data.items()}, attributes)
        marks = {"made_from": self.made_from, "position": json.dumps(position.__dict__)}
        shards.write(self.folder / "state.h5", {k: Data(v, "", "") for k, v in state.items()}, marks)

    def assemble(self, target: Path, plan: Plan, position: Position, attributes: dict) -> None:
        """All parts as one file; frames after the last that any start reached are left out."""
        looks = max(position.last) + 1
        frames, kept = plan.frames[:looks], plan.kept[plan.kept <= plan.frames[looks - 1]]
        grids = {"phi": plan.shape} | ({"phi_full": plan.full} if plan.full else {})
        with shards.new(target, attributes) as file:
            _put(file, "time", kept * plan.interval, "time", "frame", "of the kept frames")
            _put(file, "series/time", frames * plan.interval, "time", "look", "of all frames whose numbers are in series")
            _put(file, "last_time", plan.frames[position.last] * plan.interval, "time", "start", "of the last frame before it stopped")
            for name, grid in grids.items():
                dataset = file.create_dataset(name, (plan.count, len(kept), *grid), np.float32, fillvalue=np.nan)
                dataset.attrs.update(dict(zip(("unit", "axes", "about"), FRAMES[name], strict=True)))
            for name, (unit, about) in SERIES.items():
                dataset = file.create_dataset(f"series/{name}", (plan.count, looks), np.float64, fillvalue=np.nan)
                dataset.attrs.update({"unit": unit, "axes": "start, look", "about": about})
            for path in self.files():
                with h5py.File(path, "r", locking=False) as part:
                    row, look = int(part.attrs["row"]), int(part.attrs["look"])
                    first = int(np.searchsorted(plan.kept, plan.frames[look]))
                    for name in [*SERIES, *(grid for grid in grids if grid in part)]:
                        goal, at = (file[f"series/{name}"], look) if name in SERIES else (file[name], first)
                        values = part[name][:, : max(0, goal.shape[1] - at)]
                        goal[row : row + len(values), at : at + values.shape[1]] = values
        shutil.rmtree(self.folder, ignore_errors=True)


def record(target: Path, plan: Plan, source: Source, attributes: dict, name: str, report: Callable[[float], None]) -> str:
    """Write the frames of a source to `target`; why starts stopped early ("": none did).

    attributes: the file's, made_from among them; seconds, seconds_per_frame (of one start, measuring aside), stopped and
    frames_done (whole for all starts) are added.  name: whose rollout it is, for `stopped`.  report(frames done of all starts).
    """
    parts = Parts(target, attributes["made_from"])
    position, state = parts.resume(plan.count)
    measure = Measure(plan)
    while position.row < plan.count:
        rows = range(position.row, min(plan.count, position.row + (position.rows or source.batch)))
        position.rows = len(rows)
        source.begin(rows, state)
        _follow(plan, source, rows, position, parts, measure, name, report)
        state = None
    reasons = position.reasons
    stopped = "; ".join(reasons[:NAMED]) + (f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else "")
    if min(position.last) < 0:
        raise ValueError(f"{stopped}: a start that cannot be followed")
    steps = int(plan.frames[position.last].sum())
    attributes |= {"seconds": position.seconds, "seconds_per_frame": position.stepping / max(1, steps), "stopped": stopped,
                   "frames_done": int(plan.frames[min(position.last)]) + 1}  # fmt: skip
    parts.assemble(target, plan, position, attributes)
    return stopped


def _follow(plan: Plan, source: Source, rows: range, position: Position, parts: Parts, measure: "Measure", name: str, report) -> None:
    """The frames of some starts, from where they are to their last."""
    waiting, begun, spoken = Waiting(position.look), time.monotonic(), time.monotonic()
    going = np.array([position.last[row] == position.look - 1 for row in rows])
    while True:
        look, before = position.look, rows.start * len(plan.frames)
        clock = time.monotonic()
        phi, full = source.frame(look, lambda share: report(before + len(rows) * (look + share)))  # noqa: B023
        position.stepping += time.monotonic() - clock
        kept = plan.frames[look] in plan.kept
        numbers = measure(phi, kept)
        for i in np.flatnonzero(going & ~((numbers["minimum"] >= -RUNAWAY) & (numbers["maximum"] <= 1 + RUNAWAY))):  # nan too
            what = "phi is not finite" if not np.isfinite(phi[i]).all() else f"phi is {phi[i].min():.3g} to {phi[i].max():.3g}"
            start = f", start {rows[i]}" if plan.count > 1 else ""
            position.reasons.append(f"{name}{start}: stopped at frame {plan.frames[look]}: {what}")
            going[i] = False
        for i in np.flatnonzero(going):
            position.last[rows[i]] = look
        waiting.add(phi, full, numbers, kept, going)
        position.look += 1
        report(before + len(rows) * position.look)
        ended = position.look == len(plan.frames) or not going.any()
        due = time.monotonic() - spoken >= SECONDS or waiting.bytes >= BUFFER
        if ended or (due and source.pauses(look)):
            now = time.monotonic()
            position.seconds += now - begun
            begun = spoken = now
            if ended:
                position.row, position.look, position.rows = rows.stop, 0, 0
            parts.write(rows.start, waiting.look, waiting.arrays(), position, {} if ended else source.state())
            waiting = Waiting(position.look)
        if ended:
            return


class Measure:
    """The numbers of frames."""

    def __init__(self, plan: Plan):
        self.plan = plan

    def __call__(self, phi: np.ndarray, kept: bool) -> dict[str, np.ndarray]:
        """SERIES of phi (n, x, y, z), float64 (n,) each."""
        spacing, axes = self.plan.spacing, (1, 2, 3)
        with np.errstate(all="ignore"):  # a field that has run away is noticed by its extent
            return {
                "free_energy": energies(phi, spacing, self.plan.interface_width),
                "mean": phi.mean(axes, dtype=np.float64),
                "area": interface.perimeter(phi, 0.5, spacing, 3) if kept else np.full(len(phi), np.nan),
                "minimum": phi.min(axes).astype(np.float64),
                "maximum": phi.max(axes).astype(np.float64),
            }


class Waiting:
    """Frames and numbers that are not on the disk yet, from frame `look` on."""

    def __init__(self, look: int):
        self.look, self.bytes = look, 0
        self.frames: dict[str, list[np.ndarray]] = {}
        self.numbers: list[dict[str, np.ndarray]] = []

    def add(self, phi, full, numbers, kept: bool, going: np.ndarray) -> None:
        """A frame of all starts; of those that stopped it is nan."""
        for name, values in numbers.items():
            numbers[name] = np.where(going, values, np.nan)
        self.numbers.append(numbers)
        for name, values in (("phi", phi), ("phi_full", full)) if kept else ():
            if values is not None:
                values = np.array(values, np.float32)
                values[~going] = np.nan
                self.frames.setdefault(name, []).append(values)
                self.bytes += values.nbytes

    def arrays(self) -> dict[str, np.ndarray]:
        """(starts, frames, ...) of each."""
        found = {name: np.stack([each[name] for each in self.numbers], axis=1) for name in SERIES}
        return found | {name: np.stack(values, axis=1) for name, values in self.frames.items()}


def _put(file: h5py.File, name: str, values: np.ndarray, unit: str, axes: str, about: str) -> None:
    file.create_dataset(name, data=values).attrs.update({"unit": unit, "axes": axes, "about": about})


def fingerprint(*of) -> str:
    """What a file is made from, as one word."""
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()
