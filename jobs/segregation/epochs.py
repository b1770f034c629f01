"""One network, epoch by epoch: its pairs of fields, how generator and discriminator learn, and what
its checkpoint holds.

Per batch (Isola et al. 2017): the discriminator D learns to tell the true partner y of x from the
generator's answer G(x, z), by cross entropy over 2; then G learns to minimise mean |G - y| + lambda
times the cross entropy of D calling G's answer true.  The learning rate is constant for half of the
epochs and then falls linearly to 0, as in the authors' code.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from jobs import distributed, training
from jobs.progress import EVERY
from jobs.segregation.fields import segregated
from jobs.segregation.networks import Discriminator, Generator
from jobs.segregation.steps import Steps, resampled
from jobs.training import Report
from kernels.streams import STREAMS

HISTORY = ("epoch", "seconds", "l1", "adversarial", "discriminator", "validation_l1")
AT_ONCE = 1 << 20  # cells predicted at once
UNIFORM = 10  # of so many mixtures that stay uniform networks that go in steps see one
# of networks that go in steps: until this share of the epochs so many in a row, then all
STRIDES = ((0.25, 1), (0.45, 2), (0.7, 4))
NOISE = 0.01  # rms, at most, of what is added to the field that they start from


def epoch_seed(config, network_name: str, epoch: int) -> int:
    """jobs.training's, on this study's stream."""
    return training.epoch_seed(config.seed, STREAMS["learning"], network_name, epoch)


def partners(network_name: str, fields, rows=slice(None)) -> tuple[Tensor, Tensor]:
    """What a network is given and what it should answer, float32 (n, L, L), of
    jobs.segregation.fields.Fields.
    """
    first, last = (
        torch.from_numpy(np.asarray(each[rows], np.float32)) for each in (fields.first, fields.last)
    )
    return (last, first) if network_name.endswith("reverse") else (first, last)


def course(generator: Steps, fields, rows) -> Tensor:
    """What a network that goes in steps learns from: these samples at all kept ages but 0, and
    their steady states, as coarse as it is, float32 (n, t, side, side).  Of those that stay
    uniform, which teach little, one in UNIFORM.
    """
    found, uniform = [], 0
    for row in rows:
        frames = fields.all[row, 1:]
        if not segregated(frames[-1:])[0]:
            uniform += 1
            if uniform % UNIFORM != 1:
                continue
        found.append(resampled(torch.from_numpy(frames), generator.side))
    return torch.stack(found)


class Training:
    """Generator, discriminator (gan_ networks), their optimisers and their history: everything that
    a checkpoint holds.

    training: (given, wanted) of `partners`, or of a network that goes in steps `course`.
    """

    columns = HISTORY

    def __init__(
        self,
        config,
        network_name: str,
        generator: Generator | Steps,
        training,
        validation,
        device: str,
    ):
        t = config.train
        self.config, self.network_name, self.device = config, network_name, device
        self.course = training.to(device) if isinstance(generator, Steps) else None
        self.training = None if self.course is not None else [f.to(device) for f in training]
        self.validation = [each.to(device) for each in validation]
        self.generator, self.discriminator = generator.to(device), None
        adam = {"lr": t.learning_rate, "betas": tuple(t.betas), "fused": True}
        self.optimiser = torch.optim.Adam(generator.parameters(), **adam)
        self.train_generator = distributed.wrapped(generator, device)
        if network_name.startswith("gan"):
            self.discriminator = Discriminator(t.width).to(device)
            self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), **adam)
            self.train_discriminator = distributed.wrapped(self.discriminator, device)
        self.history: list[list[float]] = []

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def ended(self) -> bool:
        return self.epochs >= self.config.train.epochs

    @property
    def share(self) -> float:
        return self.epochs / self.config.train.epochs

    @property
    def line(self) -> str:
        return f"epoch {self.epochs} of {self.config.train.epochs}, validation L1 {self.history[-1][5]:.5f}"

    def record(self) -> dict:
        """What is kept of it at its end."""
        kept = {"generator": self.generator.state_dict(), "history": self.history}
        return {"epoch": self.epochs, **kept}

    def epoch(self, report: Report) -> None:
        """Once through the training set, then the validation set.  Says every few seconds that it
        is alive.
        """
        started, number, t = time.monotonic(), self.epochs + 1, self.config.train
        spoken = started
        torch.manual_seed(epoch_seed(self.config, self.network_name, number))
        self.set_rate(t.learning_rate * min(1.0, 2 * (1 - (number - 1) / t.epochs)))
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        inputs = self.training[0] if self.course is None else self.course
        for chosen in torch.randperm(len(inputs)).split(t.batch):
            batch = chosen.to(self.device)
            sums += self.step(batch) if self.course is None else self.walk(batch)
            if time.monotonic() - spoken > EVERY / 2:
                spoken = time.monotonic()
                report("alive", None)
        l1, adversarial, judged = (distributed.total(sums) / len(inputs)).tolist()
        validation = self.validate()
        self.history.append(
            [number, time.monotonic() - started, l1, adversarial, judged, validation]
        )
        if not np.isfinite([l1, adversarial, judged, validation]).all():
            raise FloatingPointError(
                f"the loss is not finite in epoch {number}: lower train.learning_rate, in another --run"
            )

    def step(self, chosen: Tensor) -> Tensor:
        """One batch; the sums over this rank's samples of L1, the generator's and the
        discriminator's cross entropy.

        Every rank draws the randomness of the whole batch and takes its own samples from it: the
        result is one rank's.
        """
        given, wanted = (field[chosen] for field in self.training)
        if self.config.train.augmentation:
            given, wanted = augmented(given, wanted)
        noise = self.generator.draw(len(chosen), self.device)
        mine, weight = self.share_of(len(chosen))
        given, wanted, noise = given[mine], wanted[mine], [mask[mine] for mask in noise]
        with self.autocast():
            answer = self.train_generator(given, noise)
        l1 = (answer - wanted).abs().mean()
        fooled = judged = torch.zeros((), device=self.device)
        if self.discriminator is not None:
            judged = self.judge(given, wanted, answer.detach(), weight)
            self.discriminator.requires_grad_(False)
            with self.autocast():
                fooled = softplus(-self.discriminator(given, answer)).mean()
        self.optimiser.zero_grad(set_to_none=True)
        ((l1 + self.config.train.adversarial_weight * fooled) * weight).backward()
        self.optimiser.step()
        if self.discriminator is not None:
            self.discriminator.requires_grad_(True)
        return (
            torch.stack([l1, fooled, judged]).detach().double()
            * weight
            * len(chosen)
            / distributed.ranks()
        )

    def share_of(self, count: int) -> tuple[Tensor, float]:
        """Which of `count` samples are this rank's, and how much they weigh: gradients are means
        over ranks, whose samples may differ in number.
        """
        rank, ranks = distributed.rank(), distributed.ranks()
        mine = torch.arange(rank, count, ranks, device=self.device)
        weight = len(mine) * ranks / count
        # every rank takes part in every step
        return (mine if len(mine) else mine.new_zeros(1)), weight

    @property
    def stride(self) -> int:
        """Steps that are taken in a row, all of whose errors count: more as the epochs go by."""
        last = self.generator.count
        return min(next((n for until, n in STRIDES if self.share < until), last), last)

    def walk(self, chosen: Tensor) -> Tensor:
        """One batch of a network that goes in steps: all of their way, `stride` steps at a time,
        each time from true fields with a little noise; sums as of `step`.
        """
        count, stride, found = self.generator.count, self.stride, 0.0
        firsts = [*range(0, count - stride, stride), count - stride]
        mine, weight = self.share_of(len(chosen))
        for number in firsts:
            frames = self.course[chosen, number : number + stride + 1].unbind(1)
            if self.config.train.augmentation:
                frames = augmented(*frames)
            noise = torch.randn(frames[0].shape, device="cpu").to(self.device)
            noise *= NOISE * torch.rand(len(chosen), 1, 1).to(self.device)
            noise -= noise.mean((1, 2), keepdim=True)
            given, *wanted = (frame[mine] for frame in frames)
            with self.autocast():
                answer = self.train_generator(given + noise[mine], number, stride)
            l1 = (answer - torch.stack(wanted, 1)).abs().mean()
            self.optimiser.zero_grad(set_to_none=True)
            (l1 * weight).backward()
            self.optimiser.step()
            found += l1.detach().double() * weight / len(firsts)
        nothing = torch.zeros((), dtype=torch.float64, device=self.device)
        return torch.stack([found, nothing, nothing]) * len(chosen) / distributed.ranks()

    def judge(self, given: Tensor, wanted: Tensor, answer: Tensor, weight: float) -> Tensor:
        """One step of the discriminator; its loss."""
        with self.autocast():
            false, true = self.train_discriminator(
                torch.cat([given, given]), torch.cat([answer, wanted])
            ).chunk(2)
        loss = (softplus(false).mean() + softplus(-true).mean()) / 2
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        (loss * weight).backward()
        self.discriminator_optimiser.step()
        return loss

    def autocast(self):
        return torch.autocast(
            torch.device(self.device).type,
            torch.bfloat16,
            enabled=self.config.train.precision == "bfloat16",
        )

    def validate(self) -> float:
        """Mean |answer - truth| of the validation set, without noise; the ranks share it."""
        rank, ranks = distributed.rank(), distributed.ranks()
        given, wanted = (field[rank::ranks] for field in self.validation)
        error = (predict(self.generator, given) - wanted.cpu()).abs().sum(dtype=torch.float64)
        return float(distributed.total(error)) / self.validation[0].numel()

    def set_rate(self, rate: float) -> None:
        for optimiser in (
            [self.optimiser]
            if self.discriminator is None
            else [self.optimiser, self.discriminator_optimiser]
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate

    def state(self) -> dict:
        """Everything to go on from here."""
        now = {"generator": self.generator.state_dict(), "optimiser": self.optimiser.state_dict()}
        if self.discriminator is not None:
            now["discriminator"] = self.discriminator.state_dict()
            now["discriminator_optimiser"] = self.discriminator_optimiser.state_dict()
        return {"epoch": self.epochs, "finished": False, "history": self.history, **now}

    def restore(self, state: dict) -> None:
        self.history = [list(line) for line in state["history"]]
        self.generator.load_state_dict(state["generator"])
        if not state["finished"]:
            self.optimiser.load_state_dict(state["optimiser"])
            if self.discriminator is not None:
                self.discriminator.load_state_dict(state["discriminator"])
                self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])


def augmented(*fields: Tensor) -> list[Tensor]:
    """Fields (n, L, L), sample by sample shifted alike at random on the torus, and all turned and
    reflected alike.
    """
    count, size, _ = fields[0].shape
    device = fields[0].device
    cell, sample = torch.arange(size), torch.arange(count, device=device)[:, None, None]
    x, y = (((cell + torch.randint(size, (count, 1))) % size).to(device) for _ in range(2))
    transpose, *flips = torch.randint(2, (3,)).tolist()
    axes = [axis + 1 for axis in (0, 1) if flips[axis]]
    moved = (field[sample, x[:, :, None], y[:, None, :]] for field in fields)
    return [(field.transpose(1, 2) if transpose else field).flip(axes) for field in moved]


def predict(generator: Callable[[Tensor], Tensor], fields: Tensor) -> Tensor:
    """Answers without noise, float32 (n, L, L) on the CPU, to fields (n, L, L) on the generator's
    device.
    """
    if not len(fields):
        return torch.empty(fields.shape)
    with torch.inference_mode():
        pieces = fields.split(max(1, AT_ONCE // fields[0].numel()))
        return torch.cat([generator(piece).cpu() for piece in pieces])
