"""One network, epoch by epoch: what it is fed, how it learns, and everything that its checkpoint
holds.
"""

import math
import time
import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from jobs.early_stopping import EarlyStopped
from jobs.nucleation import networks
from jobs.nucleation.config import Nucleation, Train
from jobs.nucleation.features import features
from jobs.progress import EVERY
from jobs.training import Report
from kernels.streams import STREAMS

SITES_AT_ONCE = 5_000_000  # lattice sites predicted at once
CYCLE, PEAK = (
    24,
    6,
)  # epochs that our network trains, and its largest learning rate, in units of the others'
# our network's gradients are shortened to this: without normalisation one odd batch throws it far
# off
LONGEST_GRADIENT = 1.0


def parsed(network_name: str) -> tuple[str, str, int]:
    """event/torus/fold-3 -> ("event", "torus", 3)."""
    by, model, fold = network_name.split("/")
    return by, model, int(fold.removeprefix("fold-"))


def limits(model: str, t: Train) -> tuple[int, int | None]:
    """The last epoch of a model, and its patience (None: it goes to the end)."""
    if model == "features_converged":
        return 1, t.patience
    if model.startswith("torus"):
        return min(CYCLE, t.max_epochs), None
    return t.max_epochs, t.patience


class Inputs:
    """What a network is fed, on its device: features float32 (n, 10), or spins int8 (n, L, L); and
    windows float32 (n,), MCS.

    A window is the time the copies of a configuration had to nucleate, generate.window - t_int.
    """

    def __init__(self, model: str, spins: np.ndarray, windows: np.ndarray, device: str):
        rows_ = features(spins).astype(np.float32) if model.startswith("features") else spins
        self.rows = torch.from_numpy(rows_).to(device)
        self.windows = torch.from_numpy(windows.astype(np.float32)).to(device)
        self.device = device

    def batch(
        self, network: nn.Module, chosen: Tensor, augment: Callable | None = None
    ) -> tuple[Tensor, ...]:
        """The arguments of the network for some rows: spins get a channel and become float32."""
        found = self.rows[chosen]
        if found.dtype == torch.int8:
            found = (augment(found) if augment else found)[:, None].float()
        return (
            (found, self.windows[chosen]) if getattr(network, "takes_window", False) else (found,)
        )


def epoch_seed(config: Nucleation, network_name: str, epoch: int) -> int:
    """Of torch's generators in an epoch; epoch 0: of the first weights."""
    by, model, fold = parsed(network_name)
    counter = [epoch, fold, zlib.crc32(model.encode()), by == "event"]
    key = np.array([config.seed, STREAMS["train"]], np.uint64)
    bits = np.random.Philox(key=key, counter=np.array(counter, np.uint64))
    return int(np.random.Generator(bits).integers(2**63))


class Training(EarlyStopped):
    """A cycle of the learning rate, our network's, goes to its end: it is worth little until it is
    through.
    """

    columns = ("epoch", "training_loss", "validation_loss", "validation_mse", "seconds")

    def __init__(self, config, network_name, network, inputs, labels, training, validation):
        t = config.train
        model = parsed(network_name)[1]
        self.converged, self.one_cycle = model == "features_converged", model.startswith("torus")
        if isinstance(network, networks.NotebookNetwork):
            optimiser = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
        elif self.one_cycle:
            optimiser = torch.optim.AdamW(
                network.parameters(), lr=PEAK * t.learning_rate, fused=True
            )
        else:
            optimiser = torch.optim.Adam(network.parameters(), lr=t.learning_rate, fused=True)
        super().__init__(network, optimiser, *limits(model, t))
        self.config, self.network_name, self.inputs, self.labels = (
            config,
            network_name,
            inputs,
            labels,
        )
        self.training, self.validation = torch.from_numpy(training), validation
        self.batch = min(
            32 if isinstance(network, networks.NotebookNetwork) else t.batch, len(training)
        )
        self.mixed = t.precision == "bfloat16" and isinstance(
            network, networks.ConvolutionalNetwork
        )
        self.augment = getattr(network, "augment", None)

    def epoch(self, report: Report) -> None:
        """Once through the training set, then the validation set.  Says every few seconds that it
        is alive.
        """
        started, number, device = time.monotonic(), self.epochs + 1, self.inputs.device
        spoken = started
        torch.manual_seed(epoch_seed(self.config, self.network_name, number))
        self.network.train()
        order = self.training[torch.randperm(len(self.training))].to(device)
        total = torch.zeros((), device=device)
        pieces = () if self.converged else order.split(self.batch)
        for step, chosen in enumerate(pieces):
            if self.one_cycle:
                self.set_rate(number - 1 + step / len(pieces))
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=self.mixed):
                logit = self.network(*self.inputs.batch(self.network, chosen, self.augment)).float()
            loss = binary_cross_entropy_with_logits(logit, self.labels[chosen])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if self.one_cycle:
                nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
            self.optimiser.step()
            total += loss.detach() * len(chosen)
            if time.monotonic() - spoken > EVERY / 2:
                spoken = time.monotonic()
                report("alive", None)
        if self.converged:
            total += self.network.converge(self.inputs.rows[order], self.labels[order]) * len(order)
        p = self.labels[self.validation].cpu()
        logit = torch.from_numpy(predict(self.network, self.inputs, self.validation, logits=True))
        loss = float(binary_cross_entropy_with_logits(logit, p))
        mse = float(torch.mean((torch.sigmoid(logit) - p) ** 2))
        self.note(number, float(total) / len(order), loss, mse, time.monotonic() - started)

    def set_rate(self, epoch: float) -> None:
        """Learning rate of one cycle: up in the first epoch, then down to nothing along a
        cosine.
        """
        rate = (
            PEAK
            * self.config.train.learning_rate
            * min(1.0, epoch)
            * (1 + math.cos(math.pi * epoch / self.last_epoch))
            / 2
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate


def predict(
    network: nn.Module, inputs: Inputs, chosen: np.ndarray, logits: bool = False
) -> np.ndarray:
    """p_nuc, or its logit, float32 (n,) of the chosen rows."""
    network.eval()
    with torch.inference_mode():
        at_once = max(16, min(500, SITES_AT_ONCE // inputs.rows[0].numel()))
        pieces = torch.from_numpy(chosen).to(inputs.device).split(at_once)
        found = torch.cat([network(*inputs.batch(network, piece)) for piece in pieces])
        return (found if logits else torch.sigmoid(found)).cpu().numpy()
