"""Where a rollout's frames come from: a network, the adaptive solver with finite differences (the
truth), or the test set.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from jobs.coarsening.parts import Plan
from kernels.cahn_hilliard import CahnHilliard

CHUNK_CELLS = 1 << 26  # of the solver's frames in one call
# of its frames in one call at most: a killed one loses no more; each call's first steps are short
CHUNK_LOOKS = 8
BATCH_CELLS = 1 << 24  # advanced together by the solver on a GPU
NETWORK_CELLS = 1 << 22  # a network goes on from so many starts at once as fit in


class Source(Protocol):
    """Where frames come from, `batch` starts at a time; computed: not merely read."""

    batch: int
    computed: bool

    def begin(self, rows: range, state: dict[str, np.ndarray] | None) -> None:
        """Make ready for these starts, from their first frame on or from a `state` after some
        frame.
        """

    def frame(
        self, look: int, report: Callable[[float], None]
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """phi float32 (rows, x, y, z) of Plan.frames[look], asked for in order, and on the truth's
        grid; report: share of it done.
        """

    def pauses(self, look: int) -> bool:
        """Whether going on from `state()` after frame `look` gives the same frames as going on."""

    def state(self) -> dict[str, np.ndarray]: ...


class Network:
    """A Source: `make(count=)` -> kernels.conv_gru.ConvGRU, `starts()` -> phi (count, x, y, z)."""

    computed = True

    def __init__(self, make: Callable, plan: Plan, starts: Callable[[], np.ndarray]):
        self.make, self.plan, self.starts = make, plan, starts()
        self.network: Any = None
        self.batch = max(1, NETWORK_CELLS // int(np.prod(plan.shape)))

    def begin(self, rows: range, state: dict[str, np.ndarray] | None) -> None:
        if self.network is None or self.network.count != len(rows):
            self.network = self.make(count=len(rows))
        if state is None:
            self.network.start(self.starts[rows.start : rows.stop])
        else:
            self.network.resume(state)

    def frame(self, look: int, report) -> tuple[np.ndarray, None]:
        if look:
            steps = int(self.plan.frames[look] - self.plan.frames[look - 1])
            self.network.advance(steps, progress=False)
        return self.network.fields(), None

    def pauses(self, look: int) -> bool:
        return True

    def state(self) -> dict[str, np.ndarray]:
        return self.network.state()


class Truth:
    """A Source: `starts`, phi (count, X, Y, Z) on the truth's grid, followed; downscale(phi): on
    the network's.
    """

    computed = True

    def __init__(
        self,
        model: CahnHilliard,
        plan: Plan,
        tolerance: float,
        starts: np.ndarray,
        downscale: Callable,
    ):
        self.model, self.plan, self.tolerance, self.starts, self.downscale = (
            model,
            plan,
            tolerance,
            starts,
            downscale,
        )
        cells = int(np.prod(model.shape))
        self.batch = (
            1 if model.device.kind == "cpu" else max(1, BATCH_CELLS // cells)
        )  # each start has its own steps
        self.chunk = max(1, min(CHUNK_LOOKS, CHUNK_CELLS // (cells * self.batch)))

    def begin(self, rows: range, state: dict[str, np.ndarray] | None) -> None:
        self.now = self.starts[rows.start : rows.stop] if state is None else state["full"]
        self.ahead: list[np.ndarray] = []

    def frame(
        self, look: int, report: Callable[[float], None]
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if look:
            if not self.ahead:
                self._solve(look, report)
            self.now = self.ahead.pop(0)
        return self.downscale(self.now), self.now if self.plan.full else None

    def _solve(self, look: int, report: Callable[[float], None]) -> None:
        """The fields of this frame and the next ones, nan where one blew up: energies are measured
        elsewhere.
        """
        frames = self.plan.frames[look : look + self.chunk]
        times = (frames - self.plan.frames[look - 1]) * self.plan.interval
        fields = np.array(self.now)
        sound = np.isfinite(fields).all((1, 2, 3))
        fields[~sound] = 0.5
        run = self.model.run(
            fields,
            times,
            tolerance=self.tolerance,
            steady_state=None,
            on_blow_up="keep",
            observe=False,
            progress=lambda done: report(done / len(fields) * len(frames)),
        )
        late = times[None] > run.end_time[:, None] * (1 + 1e-9)  # what stands there is older
        run.fields[(late & run.diverged[:, None]) | ~sound[:, None]] = np.nan
        self.ahead = list(np.moveaxis(run.fields, 1, 0))

    def pauses(self, look: int) -> bool:
        return not self.ahead

    def state(self) -> dict[str, np.ndarray]:
        return {"full": self.now}


class Recorded:
    """A Source: the test set's own frames, which the solver made when it was generated."""

    computed = False

    def __init__(self, fields, plan: Plan):
        """fields: (n, frames, x, y, z), an array or on the disk."""
        self.fields, self.batch = fields, max(1, BATCH_CELLS // int(np.prod(plan.shape)))
        self.plan = plan

    def begin(self, rows: range, state) -> None:
        self.rows = rows

    def frame(self, look: int, report) -> tuple[np.ndarray, None]:
        return np.asarray(
            self.fields[self.rows.start : self.rows.stop, self.plan.frames[look]], np.float32
        ), None

    def pauses(self, look: int) -> bool:
        return True

    def state(self) -> dict[str, np.ndarray]:
        return {"frame": np.zeros(1)}  # none is needed
