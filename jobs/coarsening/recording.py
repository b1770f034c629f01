"""What a rollout leaves on the disk: its frames as they are made, and numbers of every one of them.

Frames wait in memory for at most SECONDS or BUFFER bytes, then go to a part of their own in a
folder beside the file to be, and with them, in state.h5, all that is needed to go on.  A killed
rollout so loses seconds, and continues to the same bytes; its memory does not grow with its length.
Once whole, the parts become the file and are removed.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jobs import signals
from jobs.coarsening.measures import energies, upsampled_energies
from jobs.coarsening.parts import SERIES, Parts, Plan, Position
from jobs.coarsening.sources import Source
from kernels import interface, structure

SECONDS = 60.0  # between two parts
BUFFER = 256 << 20  # bytes of frames in a part
RUNAWAY = 5.0  # outside of [0, 1]: farther than any rollout that could come back
NAMED = 3  # starts that `stopped` tells of


def record(
    target: Path,
    plan: Plan,
    source: Source,
    attributes: dict,
    name: str,
    report: Callable[[float], None],
) -> str:
    """Write the frames of a source to `target`; why starts stopped early ("": none did).

    attributes: the file's, made_from among them; seconds, seconds_per_frame (of one start,
    measuring aside), stopped and frames_done (by all starts) are added.  name: whose rollout it is,
    for `stopped`.  report(frames done of all starts).
    """
    parts = Parts(target, attributes["made_from"])
    position, state = parts.resume(plan.count)
    measure = Measure(plan)
    while position.row < plan.count:
        rows = range(position.row, min(plan.count, position.row + (position.rows or source.batch)))
        position.rows = len(rows)
        source.begin(rows, state)
        _follow(measure, source, rows, position, parts, name, report)
        state = None
    reasons = position.reasons
    stopped = "; ".join(reasons[:NAMED]) + (
        f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    )
    if min(position.last) < 0:
        raise ValueError(f"{stopped}: a start that cannot be followed")
    steps = int(plan.frames[position.last].sum())
    attributes |= {
        "seconds": position.seconds,
        "seconds_per_frame": position.stepping / steps if source.computed and steps else np.nan,
        "stopped": stopped,
        "frames_done": int(plan.frames[min(position.last)]) + 1,
    }
    parts.assemble(target, plan, position, attributes)
    return stopped


def _follow(
    measure: "Measure",
    source: Source,
    rows: range,
    position: Position,
    parts: Parts,
    name: str,
    report,
) -> None:
    """The frames of some starts, from where they are to their last."""
    plan = measure.plan
    waiting, begun, spoken = Waiting(position.look), time.monotonic(), time.monotonic()
    going = np.array([position.last[row] == position.look - 1 for row in rows])
    while True:
        look, before = position.look, rows.start * len(plan.frames)
        clock = time.monotonic()
        phi, full = source.frame(look, lambda share: report(before + len(rows) * (look + share)))  # noqa: B023
        position.stepping += time.monotonic() - clock
        kept = plan.frames[look] in plan.kept
        numbers = measure(phi, kept)
        for i in np.flatnonzero(
            going & ~((numbers["minimum"] >= -RUNAWAY) & (numbers["maximum"] <= 1 + RUNAWAY))
        ):  # nan too
            what = (
                "phi is not finite"
                if not np.isfinite(phi[i]).all()
                else f"phi is {phi[i].min():.3g} to {phi[i].max():.3g}"
            )
            start = f", start {rows[i]}" if plan.count > 1 else ""
            position.reasons.append(f"{name}{start}: stopped at frame {plan.frames[look]}: {what}")
            going[i] = False
        for i in np.flatnonzero(going):
            position.last[rows[i]] = look
        waiting.add(phi, full, numbers, kept, going)
        position.look += 1
        report(before + len(rows) * position.look)
        ended = position.look == len(plan.frames) or not going.any()
        due = time.monotonic() - spoken >= SECONDS or waiting.bytes >= BUFFER or signals.asked()
        if ended or (due and source.pauses(look)):
            now = time.monotonic()
            position.seconds += now - begun
            begun = spoken = now
            if ended:
                position.row, position.look, position.rows = rows.stop, 0, 0
            parts.write(
                rows.start,
                waiting.look,
                waiting.arrays(),
                position,
                {} if ended else source.state(),
            )
            waiting = Waiting(position.look)
            if position.row < plan.count:
                signals.stop_if_asked(f"{name} at frame {plan.frames[look]}")
        if ended:
            return


class Measure:
    """The numbers of frames."""

    def __init__(self, plan: Plan):
        self.plan = plan

    def __call__(self, phi: np.ndarray, kept: bool) -> dict[str, np.ndarray]:
        """SERIES of phi (n, x, y, z), float64 (n,) each."""
        spacing, width, axes = self.plan.spacing, self.plan.interface_width, (1, 2, 3)
        none = np.full(len(phi), np.nan)
        with np.errstate(all="ignore"):  # a field that has run away is noticed by its extent
            return {
                "free_energy": energies(phi, spacing, width),
                "mean": phi.mean(axes, dtype=np.float64),
                "area": interface.perimeter(phi, 0.5, spacing, 3) if kept else none,
                "free_energy_upsampled": upsampled_energies(
                    phi, spacing, width, self.plan.downscale
                )
                if kept
                else none,
                "length": structure.length(phi, spacing, 3) if kept else none,
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
