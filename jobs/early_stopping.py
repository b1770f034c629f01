"""Trainings that stop early and keep the best epoch's network: what their checkpoints hold, and
their way to the end.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn, optim

from jobs import checkpoint, epochs, shards
from jobs.pace import expected_epochs
from jobs.shards import Data
from jobs.training import Report


class EarlyStopped:
    """A network, its optimiser and its history: everything that a checkpoint holds.

    A study's Training adds epoch(report), once through the training set, which ends with note(),
    and `columns`, the names of the numbers of an epoch: epoch, training_loss, validation_loss, ...,
    seconds.  patience: epochs without a smaller validation loss until the end; None: on to the last
    epoch.  last_epoch: None: when the patience is over.
    """

    columns: tuple[str, ...]
    epoch: Callable[[Report], None]

    def __init__(
        self,
        network: nn.Module,
        optimiser: optim.Optimizer,
        last_epoch: int | None,
        patience: int | None,
    ):
        if last_epoch is None and patience is None:
            raise ValueError("last_epoch and patience are None: the training would never end")
        self.network, self.optimiser = network, optimiser
        self.last_epoch = math.inf if last_epoch is None else last_epoch
        self.patience = patience
        self.history: list[list[float]] = []
        self.best, self.best_loss, self.best_epoch = {}, float("inf"), 0

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def ended(self) -> bool:
        impatient = (
            self.patience is not None
            and self.epochs > 0
            and self.epochs - self.best_epoch >= self.patience
        )
        return impatient or self.epochs >= self.last_epoch

    @property
    def share(self) -> float:
        """How much is done; with early stopping a guess, for nobody knows when the patience will
        end.
        """
        return min(1.0, self.epochs / self.expected)

    @property
    def expected(self) -> float:
        """Epochs, as far as can be told."""
        return expected_epochs(self.last_epoch, self.patience, self.best_epoch)

    @property
    def line(self) -> str:
        return f"epoch {self.epochs}, validation loss {self.history[-1][2]:.5f}, best {self.best_loss:.5f} at {self.best_epoch}"

    def note(self, *numbers: float) -> None:
        """Write down an epoch, and keep its network if it is the best so far.  Raises
        FloatingPointError for a loss that is no number.
        """
        number, loss = numbers[0], numbers[2]
        self.history.append(list(numbers))
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"the loss is not finite in epoch {number}: lower train.learning_rate, in another --run"
            )
        if loss < self.best_loss:
            self.best = {
                key: value.detach().cpu().clone()
                for key, value in self.network.state_dict().items()
            }
            self.best_loss, self.best_epoch = loss, number

    def record(self) -> dict:
        best = {"best": self.best, "best_loss": self.best_loss, "best_epoch": self.best_epoch}
        return {"epoch": self.epochs, "history": self.history, **best}

    def state(self) -> dict:
        """Everything to go on from here."""
        now = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        return {"finished": False, **now, **self.record()}

    def restore(self, state: dict) -> None:
        self.history, self.best = [list(line) for line in state["history"]], state["best"]
        self.best_loss, self.best_epoch = state["best_loss"], state["best_epoch"]
        if not state["finished"]:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])

    def to_the_end(
        self, folder: Path, belongs: dict, finished: Callable[[Callable], bool], report: Report
    ) -> bool:
        """Train on from folder's checkpoint, if there is one; the best epoch's weights are in the
        network then.

        As jobs.epochs.to_the_end.
        """
        if not epochs.to_the_end(self, folder, belongs, finished, report):
            return False
        self.network.load_state_dict(self.best)
        return True

    def write_test(self, folder: Path, data: dict[str, Data], attributes: dict) -> None:
        """test.h5, by which a training is finished: data, the history, and attributes."""
        own = {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "seconds": sum(line[-1] for line in self.history),
        }
        shards.write(folder / "test.h5", {**data, **epochs.history_of(self)}, {**attributes, **own})
        checkpoint.previous(folder / "checkpoint.pt").unlink(missing_ok=True)
