"""make bench, the coarsening paper's network: cell-steps per second beside the same of torch's
modules, one thread each, interleaved.

The peers: tests/reference/conv_gru.py, in float32 and under torch.autocast in bfloat16
(`kernels.conv_gru` is float32 throughout), with glibc told to keep freed memory, without which
torch is slower still (five times at 32^3). Training: loss and gradient of sequences; the optimiser
is left out on both sides. The limit: 28 920 multiply-adds a cell and step, three times that for a
training.
"""

import statistics
import time

import numpy as np
import torch

from jobs.training import keep_memory
from kernels.conv_gru import ConvGRU, parameter_shapes, random_parameters
from kernels.conv_gru_training import Backpropagation
from kernels.device import select
from tests.bench_cahn_hilliard import interleaved
from tests.reference import conv_gru as reference

MULTIPLY_ADDS = 29183 - sum(
    shape[0] for name, shape in parameter_shapes().items() if name.endswith("bias")
)
CPU_SYSTEMS = [
    ("rollout", 16, 4, 1),
    ("rollout", 32, 1, 1),
    ("rollout", 64, 1, 1),
    ("training", 16, 4, 10),
    ("training", 32, 1, 10),
]
PEERS_GPU = "cuda"
GPU_SYSTEMS = [
    ("rollout", 32, 1, 1, 2.0),
    ("rollout", 64, 1, 1, 2.0),
    ("training", 32, 4, 10, 1.5),
]  # the last: goal


class Ours:
    def __init__(self, kind: str, size: int, count: int, frames: int, device):
        self.kind, self.cells, self.device = kind, size**3 * count, device
        self.together = (
            count if device.kind == "gpu" else 1
        )  # fields that go through at once, as in jobs.coarsening.epochs
        parameters = random_parameters(1)
        self.network = ConvGRU(
            parameters, (size,) * 3, self.together if kind == "training" else count, device=device
        )
        truth = np.random.default_rng(1).random((count, frames + 1, size, size, size), np.float32)
        self.network.start(truth[: self.network.count, 0])
        self.steps = 1
        if kind == "training":
            self.training = Backpropagation(self.network, frames + 1)
            self.training.load(np.concatenate([value.ravel() for value in parameters.values()]))
            self.groups = [
                truth[first : first + self.together] for first in range(0, count, self.together)
            ]
            self.steps = frames
        self.work()

    def work(self, repeats: int = 1) -> None:
        if self.kind == "rollout":
            self.network.advance(repeats * self.steps)
        else:
            for _ in range(repeats):
                for group in self.groups:
                    self.training.gradient(group)
        self.device.synchronize()

    def rate(self, seconds: float) -> float:
        """Cells x steps a second."""
        return timed(self.work, seconds) * self.cells * self.steps


class Torch:
    def __init__(
        self, kind: str, size: int, count: int, frames: int, bfloat16: bool, device: str = "cpu"
    ):
        self.kind, self.cells, self.steps, self.bfloat16, self.device = (
            kind,
            size**3 * count,
            frames,
            bfloat16,
            device,
        )
        self.network = reference.ConvGRU().take(random_parameters(1)).to(device)
        self.truth = torch.rand(count, frames + 1, size, size, size, device=device)
        self.at = self.truth[:, :1], None
        self.work()

    def work(self, repeats: int = 1) -> None:
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.bfloat16):
            for _ in range(repeats):
                if self.kind == "rollout":
                    with torch.inference_mode():
                        self.at = self.network(*self.at)
                else:
                    self.network.zero_grad()
                    reference.sequence_loss(self.network, self.truth).backward()
        if self.device != "cpu":
            torch.cuda.synchronize()

    def rate(self, seconds: float) -> float:
        return timed(self.work, seconds) * self.cells * self.steps


def timed(work, seconds: float) -> float:
    """Calls of work a second."""
    begin = time.perf_counter()
    work()
    repeats = max(1, int(seconds / (time.perf_counter() - begin)))
    begin = time.perf_counter()
    work(repeats)
    return repeats / (time.perf_counter() - begin)


def measure(rounds: int, seconds: float) -> list[dict]:
    """Ours beside the peers, on one core."""
    keep_memory()
    torch.set_num_threads(1)
    rows = []
    for kind, size, count, frames in CPU_SYSTEMS:
        runs = {
            "ours": Ours(kind, size, count, frames, select("cpu", workers=1)),
            "torch": Torch(kind, size, count, frames, False),
            "torch bfloat16": Torch(kind, size, count, frames, True),
        }
        samples = interleaved(runs, rounds, seconds)
        rows += compared(kind, size, count, samples, None)
    return rows


def gpu(device, seconds: float, rounds: int = 5) -> list[dict]:
    """The same on a GPU, with the share of its float32 limit."""
    rows = []
    for kind, size, count, frames, goal in GPU_SYSTEMS:
        runs = {
            "ours": Ours(kind, size, count, frames, device),
            "torch": Torch(kind, size, count, frames, False, PEERS_GPU),
            "torch bfloat16": Torch(kind, size, count, frames, True, PEERS_GPU),
        }
        samples = interleaved(runs, rounds, seconds)
        rows += compared(kind, size, count, samples, goal)
        passes = 3 if kind == "training" else 1
        limit = device.processors * 128 * device.clock / MULTIPLY_ADDS / passes
        share = statistics.median(samples["ours"]) / limit
        print(
            f"  {share:.0%} of the limit {limit:.3g} cell-steps/s = {device.processors} processors x 128 multiply-adds x clock "
            f"/ {MULTIPLY_ADDS} / {passes}"
        )
        rows[-1]["share_of_limit"] = rows[-2]["share_of_limit"] = share
    return rows


def compared(
    kind: str, size: int, count: int, samples: dict[str, list[float]], goal: float | None
) -> list[dict]:
    rows = []
    for name in ("torch", "torch bfloat16"):
        ratios = [a / b for a, b in zip(samples["ours"], samples[name], strict=True)]
        ours, theirs = (statistics.median(samples[key]) for key in ("ours", name))
        rows.append(
            {
                "kind": kind,
                "size": size,
                "fields": count,
                "peer": name,
                "ours": ours,
                "theirs": theirs,
                "ratio": statistics.median(ratios),
                "ratio_min": min(ratios),
                "ratio_max": max(ratios),
                "goal": goal if name == "torch" else None,
            }
        )
        text = f"   goal {goal}x" if rows[-1]["goal"] else ""
        print(
            f"{kind:8} {size:3}^3 x {count} {ours:9.3g} cell-steps/s   {name:14} {theirs:9.3g}   "
            f"ratio {rows[-1]['ratio']:5.2f}  ({min(ratios):.2f} to {max(ratios):.2f}){text}",
            flush=True,
        )
    return rows
