"""Epoch after epoch of one network, from its checkpoint to the end of its training."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from jobs import checkpoint, distributed, signals
from jobs.shards import Data
from jobs.training import Report, write_metrics


class Run(Protocol):
    """A training that can be left after any epoch."""

    columns: tuple[str, ...]  # of its history
    history: list[list[float]]  # a row an epoch

    @property
    def epochs(self) -> int:
        """How many are done."""

    @property
    def ended(self) -> bool: ...
    @property
    def share(self) -> float:
        """Done, of all its work."""

    @property
    def line(self) -> str:
        """How it stands."""

    def epoch(self, report: Report) -> None: ...
    def state(self) -> dict:
        """Everything to go on from here."""

    def record(self) -> dict:
        """What is kept of it at its end."""

    def restore(self, state: dict) -> None: ...


def to_the_end(
    run: Run, folder: Path, belongs: dict, finished: Callable[[Callable], bool], report: Report
) -> bool:
    """Train on from folder's checkpoint, if there is one.

    finished(say): whether folder's test.h5 is sound.  False: another process has made it meanwhile.
    Where several ranks train it, all call this; the first one reads and writes the files.  Raises
    signals.Stopped after an epoch where that is asked for.
    """
    say = lambda line: report("say", line)  # noqa: E731
    writes = distributed.rank() == 0
    state = distributed.of_the_first(
        lambda: checkpoint.load(folder / "checkpoint.pt", say, **belongs)
    )
    if state is not None:
        run.restore(state)
    while not run.ended:
        if distributed.of_the_first(lambda: (folder / "test.h5").exists() and finished(say)):
            return False
        run.epoch(report)
        if writes:
            checkpoint.save(folder / "checkpoint.pt", {**run.state(), **belongs})
            write_metrics(folder / "metrics.csv", run.columns, run.history)
            report("epoch", (run.share, run.line))
        if not run.ended and distributed.asked_to_stop():
            raise signals.Stopped(f"{folder.name} after epoch {run.epochs}")
    if writes:
        checkpoint.save(folder / "checkpoint.pt", {"finished": True, **run.record(), **belongs})
    return True


def history_of(run: Run) -> dict[str, Data]:
    """The columns history/... of a test.h5; metrics.csv has the seconds: they are no result."""
    return {
        f"history/{what}": Data(
            np.array([line[i] for line in run.history]), "", "epoch", what.replace("_", " ")
        )
        for i, what in enumerate(run.columns)
        if what != "seconds"
    }
