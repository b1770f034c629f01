"""The truth that rollouts are compared with: the adaptive solver with finite differences, from the same starts."""

from collections.abc import Callable

import numpy as np

from jobs.coarsening.recording import Plan
from kernels.cahn_hilliard import CahnHilliard

CHUNK_CELLS = 1 << 26  # of the frames of one call
CHUNK_LOOKS = 8  # frames of one call at most: a killed one loses no more; each call's first steps are short
BATCH_CELLS = 1 << 24  # advanced together on a GPU
LOOKS = 120  # times between the kept frames, spaced as a geometric series, at which the truth is looked at as well


def looked_at(frames: int, kept: np.ndarray) -> np.ndarray:
    """The frames of a truth whose numbers are recorded: the kept ones, and some at log-spaced times; all of a short one."""
    between = np.rint(np.geomspace(1, frames - 1, min(LOOKS, frames - 1))).astype(np.int64) if frames > LOOKS else np.arange(1, frames)
    return np.unique(np.concatenate([kept, between]))


class Truth:
    """A recording.Source: `starts`, phi (count, X, Y, Z) on the truth's grid, followed; downscale(phi): on the network's."""

    def __init__(self, model: CahnHilliard, plan: Plan, tolerance: float, starts: np.ndarray, downscale: Callable):
        self.model, self.plan, self.tolerance, self.starts, self.downscale = model, plan, tolerance, starts, downscale
        cells = int(np.prod(model.shape))
        self.batch = 1 if model.device.kind == "cpu" else max(1, BATCH_CELLS // cells)  # each start has its own steps
        self.chunk = max(1, min(CHUNK_LOOKS, CHUNK_CELLS // (cells * self.batch)))

    def begin(self, rows: range, state: dict[str, np.ndarray] | None) -> None:
        self.now = self.starts[rows.start : rows.stop] if state is None else state["full"]
        self.ahead: list[np.ndarray] = []

    def frame(self, look: int, report: Callable[[float], None]) -> tuple[np.ndarray, np.ndarray | None]:
        if look:
            if not self.ahead:
                self._solve(look, report)
            self.now = self.ahead.pop(0)
        return self.downscale(self.now), self.now if self.plan.full else None

    def _solve(self, look: int, report: Callable[[float], None]) -> None:
        """The fields of this frame and the next ones, nan where one blew up: energies are measured elsewhere."""
        frames = self.plan.frames[look : look + self.chunk]
        times = (frames - self.plan.frames[look - 1]) * self.plan.interval
        fields = np.array(self.now)
        sound = np.isfinite(fields).all((1, 2, 3))
        fields[~sound] = 0.5
        run = self.model.run(fields, times, tolerance=self.tolerance, steady_state=None, on_blow_up="keep", observe=False,
                             progress=lambda done: report(done / len(fields) * len(frames)))  # fmt: skip
        late = times[None] > run.time[:, None] * (1 + 1e-9)  # what stands there is older
        run.fields[(late & run.diverged[:, None]) | ~sound[:, None]] = np.nan
        self.ahead = list(np.moveaxis(run.fields, 1, 0))

    def pauses(self, look: int) -> bool:
        return not self.ahead

    def state(self) -> dict[str, np.ndarray]:
        return {"full": self.now}


class Recorded:
    """A recording.Source: the test set's own frames, which the solver made when it was generated."""

    def __init__(self, fields, plan: Plan):
        """fields: (n, frames, x, y, z), an array or on the disk."""
        self.fields, self.batch = fields, max(1, BATCH_CELLS // int(np.prod(plan.shape)))
        self.plan = plan

    def begin(self, rows: range, state) -> None:
        self.rows = rows

    def frame(self, look: int, report) -> tuple[np.ndarray, None]:
        return np.asarray(self.fields[self.rows.start : self.rows.stop, self.plan.frames[look]], np.float32), None

    def pauses(self, look: int) -> bool:
        return True

    def state(self) -> dict[str, np.ndarray]:
        return {"frame": np.zeros(1)}  # none is needed
