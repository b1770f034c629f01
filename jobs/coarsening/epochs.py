"""One network, epoch by epoch: sequences in random order, turned and reflected at random, each with
its dual; Adam.

In the first `curriculum` epochs most frames of a sequence are given and the last ones asked for,
later all but the first (paper, section II.2).
"""

import itertools
import math
import time
from collections.abc import Sequence

import numpy as np
import torch

from jobs import distributed, training
from jobs.coarsening.networks import Parameters, parsed
from jobs.early_stopping import EarlyStopped
from jobs.progress import EVERY
from jobs.training import Report
from kernels.conv_gru_training import Backpropagation
from kernels.streams import STREAMS

# of a cube: 48
TURNS = [
    (axes, flips)
    for axes in itertools.permutations((1, 2, 3))
    for flips in itertools.product((False, True), repeat=3)
]


def epoch_seed(config, network_name: str, epoch: int) -> int:
    """jobs.training's, on this study's stream."""
    return training.epoch_seed(config.seed, STREAMS["coarsening"] << 32, network_name, epoch)


def frames_given(epoch: int, curriculum: int, frames: int) -> int:
    """Of a sequence in an epoch, counted from 1: a share 1 - epoch / curriculum; at least one is
    given, and one asked for.
    """
    share = 1 - epoch / curriculum if epoch <= curriculum else 0.0
    return min(frames - 1, max(1, round(frames * share)))


def in_groups(items: Sequence, size: int) -> list[Sequence]:
    """The items, so many at a time."""
    return [items[first : first + size] for first in range(0, len(items), size)]


def turned(sequence: np.ndarray, turn: int) -> np.ndarray:
    """A sequence (t, x, y, z) of a cube under the turn-th of the cube's 48 symmetries."""
    axes, flips = TURNS[turn]
    return np.flip(sequence.transpose(0, *axes), [axis + 1 for axis in range(3) if flips[axis]])


class Training(EarlyStopped):
    """training, validation: sequences (n, frames, x, y, z) on the disk or in memory; device:
    kernels.device's, where the kernels run.
    """

    columns = ("epoch", "loss", "validation_loss", "validation_mean_error", "given", "seconds")

    def __init__(
        self, config, network_name: str, network: Parameters, training_set, validation_set, device
    ):
        t = config.train
        super().__init__(
            network, torch.optim.Adam(network.parameters(), lr=t.learning_rate), t.epochs, None
        )
        self.config, self.network_name, self.training, self.validation = (
            config,
            network_name,
            training_set,
            validation_set,
        )
        self.penalty = t.mass_penalty if parsed(network_name)[0] == "sigmoid" else 0.0
        _, self.frames, *shape = training_set.shape
        mine = t.batch * (1 + t.duals) // distributed.ranks()
        # fields that go through together: on a CPU one, which stays in its cache
        self.together = 1 if device.kind == "cpu" else mine
        self.kernels = network.on(tuple(shape), self.together, device)
        self.backpropagation = Backpropagation(self.kernels, self.frames)

    @property
    def line(self) -> str:
        _, loss, validation, _, given, _ = self.history[-1]
        return (
            f"epoch {self.epochs} of {self.last_epoch}, {given:.0f} of {self.frames} frames given, loss {loss:.6f}, "
            f"validation loss {validation:.6f}"
        )

    def epoch(self, report: Report) -> None:
        """Once through the training set (but for what is left over of the last batch), then the
        validation set.
        """
        started, number, t = time.monotonic(), self.epochs + 1, self.config.train
        spoken = started
        torch.manual_seed(epoch_seed(self.config, self.network_name, number))
        given = frames_given(number, t.curriculum, self.frames)
        order = torch.randperm(len(self.training))
        turns, duals = (
            torch.randint(len(TURNS), order.shape) * t.augmentation,
            torch.randint(2, order.shape) * t.augmentation,
        )
        if t.schedule == "cosine":
            for group in self.optimiser.param_groups:
                group["lr"] = (
                    t.learning_rate * (1 + math.cos(math.pi * (number - 1) / t.epochs)) / 2
                )
        batches, total = len(order) // t.batch, 0.0
        for k in range(batches):
            rows = slice(k * t.batch, (k + 1) * t.batch)
            total += self.step(torch.stack([order, turns, duals], 1)[rows].tolist(), given)
            if time.monotonic() - spoken > EVERY / 2:
                spoken = time.monotonic()
                report("alive", None)
        by_frame, mean_error = self.errors(self.validation)
        if number == max(1, self.last_epoch - t.select_from + 1):
            self.best_loss = float("inf")  # epochs before are not chosen from
        self.note(
            number,
            total / batches,
            float(by_frame[:, 1:].mean()),
            mean_error,
            given,
            time.monotonic() - started,
        )

    def step(self, batch: list[list[int]], given: int) -> float:
        """One step of the optimiser over a batch of (row, turn, dual); its loss.  Ranks share it;
        their sum is what one would find.
        """
        fields = [
            (row, turn, k)
            for row, turn, dual in batch
            for k in ((0, 1) if self.config.train.duals else (dual,))
        ]
        rank, ranks = distributed.rank(), distributed.ranks()
        sums = torch.zeros(1 + self.network.flat.numel(), dtype=torch.float64)
        self.backpropagation.load(self.network.flat.detach().numpy())
        for group in in_groups(fields[rank::ranks], self.together):
            loss, gradient = self.backpropagation.gradient(
                np.stack([self.sequence(*field) for field in group]), given, self.penalty
            )
            sums[0] += loss * len(group)
            sums[1:] += torch.from_numpy(np.asarray(self.kernels.device.to_host(gradient))) * len(
                group
            )
        sums = distributed.total(sums) / len(fields)
        self.network.flat.grad = sums[1:].float()
        self.optimiser.step()
        return float(sums[0])

    def sequence(self, row: int, turn: int, dual: int) -> np.ndarray:
        """One of the training set, float32 (frames, x, y, z), turned, or phi -> 1 - phi (dual)."""
        found = np.asarray(self.training[row], np.float32)
        return turned(1 - found if dual else found, turn)

    def errors(self, sequences) -> tuple[np.ndarray, float]:
        """Of free predictions from each sequence's first frame: mean squared error float64 (n,
        frames); mean |error of the mean of phi|.
        """
        rank, ranks = distributed.rank(), distributed.ranks()
        self.kernels.load(self.network.flat.detach().numpy())
        found, drift = (
            torch.zeros(len(sequences), self.frames, dtype=torch.float64),
            torch.zeros(1, dtype=torch.float64),
        )
        mine = range(rank, len(sequences), ranks)
        for group in in_groups(mine, self.together):
            truth = np.stack([np.asarray(sequences[row], np.float32) for row in group])
            padded = np.concatenate([truth, np.repeat(truth[:1], self.together - len(group), 0)])
            self.kernels.start(padded[:, 0])
            for frame in range(1, self.frames):
                self.kernels.advance(1, progress=False)
                error = self.kernels.fields()[: len(group)].astype(np.float64) - truth[:, frame]
                found[list(group), frame] = torch.from_numpy((error**2).mean((1, 2, 3)))
                drift += np.abs(error.mean((1, 2, 3))).sum()
        return distributed.total(found).numpy(), float(distributed.total(drift)) / (
            len(sequences) * (self.frames - 1)
        )


def baselines(sequences) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared errors float64 (n, frames) of persistence (nothing changes after frame 0) and of
    linear extrapolation.

    Extrapolation is from frames 0 and 1: one more than the network sees.
    """
    persistence, extrapolation = np.zeros((2, len(sequences), sequences.shape[1]))
    for i in range(len(sequences)):
        truth = np.asarray(sequences[i], np.float64)
        steps = np.arange(len(truth))[:, None, None, None]
        persistence[i] = ((truth - truth[0]) ** 2).mean((1, 2, 3))
        extrapolation[i] = ((truth - truth[0] - steps * (truth[1] - truth[0])) ** 2).mean((1, 2, 3))
    return persistence, extrapolation
