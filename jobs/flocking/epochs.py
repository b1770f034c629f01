"""One network, epoch by epoch: what it is fed, how it learns, and everything that its checkpoint
holds.
"""

import re
import time

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from jobs import training
from jobs.early_stopping import EarlyStopped
from jobs.flocking.networks import PhaseNetwork
from jobs.progress import EVERY
from jobs.training import Report
from kernels.streams import STREAMS

SITES_AT_ONCE = 1 << 20  # lattice sites predicted at once


def parsed(network_name: str) -> tuple[str, float, int]:
    """reference/lambda-0.01/seed-2 -> ("reference", 0.01, 2).  Raises ValueError for another
    name.
    """
    found = re.fullmatch(r"(reference|all)/lambda-([0-9.e-]+)/seed-([0-9]+)", network_name)
    if not found:
        raise ValueError(f"{network_name}: not a network of this study")
    return found[1], float(found[2]), int(found[3])


def packed(magnetization: np.ndarray, density: np.ndarray) -> Tensor:
    """Both maps (n, L, L) as one int32 (n, L, L), a pair of int16 a site: what is gathered site by
    site is gathered once.
    """
    both = np.empty((*magnetization.shape, 2), np.int16)
    both[..., 0], both[..., 1] = magnetization, density
    return torch.from_numpy(both.view(np.int32)[..., 0])


def unpacked(maps: Tensor) -> Tensor:
    """Packed maps int32 (n, L, L) as float32 (n, 2, L, L), magnetization and density, in torch's
    channels-last order.
    """
    return maps.contiguous().view(torch.int16).unflatten(-1, (-1, 2)).permute(0, 3, 1, 2).float()


def drawn(side: int, count: int) -> Tensor:
    """Shifts (count, 2) on a torus of that side, at random."""
    return torch.randint(side, (2, count)).T


def shifted(maps: Tensor, rows: Tensor, shifts: Tensor) -> Tensor:
    """Some rows of maps (n, L, L), each shifted on the torus by its own of `shifts` (rows, 2)."""
    side = maps.shape[1]
    x, y = (((torch.arange(side) + by[:, None]) % side).to(maps.device) for by in shifts.T)
    return maps[rows[:, None, None], x[:, :, None], y[:, None, :]]


def epoch_seed(config, network_name: str, epoch: int) -> int:
    """jobs.training's, on this study's stream."""
    return training.epoch_seed(config.seed, STREAMS["flocking"] << 32, network_name, epoch)


class Training(EarlyStopped):
    """data: a DataSet of jobs.flocking.train; training, validation: rows of it."""

    columns = (
        "epoch",
        "training_loss",
        "validation_loss",
        "validation_cross_entropy",
        "validation_accuracy",
        "seconds",
    )

    def __init__(
        self,
        config,
        network_name: str,
        network: PhaseNetwork,
        data,
        training: np.ndarray,
        validation: np.ndarray,
        device: str,
    ):
        t = config.train
        optimiser = torch.optim.Adam(
            network.to(device).parameters(), lr=t.learning_rate, fused=True
        )
        super().__init__(network, optimiser, t.max_epochs, t.patience)
        self.config, self.network_name, self.device = config, network_name, device
        self.maps = data.maps.to(device)
        self.phase = torch.from_numpy(data.phase.astype(np.int64)).to(device)
        self.training, self.validation = (
            torch.from_numpy(training),
            torch.from_numpy(validation).to(device),
        )
        self.strength = parsed(network_name)[1]
        self.shifts = self.fixed_shifts()

    def fixed_shifts(self) -> Tensor | None:
        """Shifts (rows, 2) of the training set and its copies, those of the originals 0; None:
        shifts are drawn anew in each epoch.
        """
        copies = self.config.train.copies
        if copies is None:
            return None
        torch.manual_seed(epoch_seed(self.config, f"{self.network_name}/copies", 0))
        count, side = len(self.training), self.maps.shape[1]
        originals = torch.zeros(count, 2, dtype=torch.int64)
        return torch.cat([originals, drawn(side, copies * count)])

    def epoch(self, report: Report) -> None:
        """Once through the training set, then the validation set.  Says every few seconds that it
        is alive.
        """
        started, number, t = time.monotonic(), self.epochs + 1, self.config.train
        spoken = started
        torch.manual_seed(epoch_seed(self.config, self.network_name, number))
        count = len(self.training)
        order = torch.randperm(count if self.shifts is None else len(self.shifts))
        total = torch.zeros((), device=self.device)
        for some in order.split(t.batch):
            chosen = self.training[some % count].to(self.device)
            new = self.shifts is None
            shifts = drawn(self.maps.shape[1], len(some)) if new else self.shifts[some]
            maps = unpacked(shifted(self.maps, chosen, shifts))
            with torch.autocast(
                torch.device(self.device).type, torch.bfloat16, enabled=t.precision == "bfloat16"
            ):
                scores = self.network(maps)
            loss = (
                cross_entropy(scores, self.phase[chosen]) + self.strength * self.network.penalty()
            )
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            total += loss.detach() * len(chosen)
            if time.monotonic() - spoken > EVERY / 2:
                spoken = time.monotonic()
                report("alive", None)
        found, wanted = (
            scores_of(self.network, self.maps, self.validation),
            self.phase[self.validation].cpu(),
        )
        entropy = float(cross_entropy(found, wanted))
        with torch.inference_mode():
            loss = entropy + self.strength * float(self.network.penalty())
        accuracy = float((found.argmax(1) == wanted).double().mean())
        self.note(
            number, float(total) / len(order), loss, entropy, accuracy, time.monotonic() - started
        )


def scores_of(network: PhaseNetwork, maps: Tensor, rows: Tensor | None = None) -> Tensor:
    """Scores float32 (n, 3), on the CPU, of packed maps on the network's device; rows None:
    of all.
    """
    rows = torch.arange(len(maps), device=maps.device) if rows is None else rows
    with torch.inference_mode():
        pieces = rows.split(max(1, SITES_AT_ONCE // maps[0].numel()))
        return torch.cat([network(unpacked(maps[piece])).cpu() for piece in pieces])
