"""The network's parameters as torch keeps them, and what a network's name means.

The arithmetic, there and back, is kernels.conv_gru's and kernels.conv_gru_training's; torch has the
optimiser and the checkpoints.
"""

import math

import numpy as np
import torch
from torch import nn

from kernels.conv_gru import ConvGRU, parameter_shapes


class Parameters(nn.Module):
    """All parameters of a network in one vector, `flat`, in the order of
    kernels.conv_gru.parameter_shapes(hidden, output).

    At first uniform in +- 1 / sqrt(inputs of a sum), torch's own beginning, from torch's generator.
    """

    def __init__(self, output: str, hidden: int):
        super().__init__()
        self.output, self.shapes = output, parameter_shapes(hidden, output)
        parts = []
        for name, shape in self.shapes.items():
            weight = self.shapes[name.rsplit(".", 1)[0] + ".weight"]
            parts.append((2 * torch.rand(math.prod(shape)) - 1) / math.sqrt(math.prod(weight[1:])))
        self.flat = nn.Parameter(torch.cat(parts))

    def named_arrays(self) -> dict[str, np.ndarray]:
        """{name: float32 array of its shape}."""
        parts = self.flat.detach().numpy().copy()
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()])
        pairs = zip(self.shapes.items(), ends, strict=True)
        return {
            name: parts[end - math.prod(shape) : end].reshape(shape) for (name, shape), end in pairs
        }

    def on(self, shape: tuple[int, int, int], count: int, device, memory: int = 0) -> ConvGRU:
        """The network, ready to start() on `count` fields of `shape` on a kernels.device device.
        memory: as ConvGRU's.
        """
        return ConvGRU(self.named_arrays(), shape, count, self.output, device, memory)


def parsed(network_name: str) -> tuple[str, int]:
    """Of staggered/seed-0: ("staggered", 0)."""
    model, seed = network_name.split("/")
    return model, int(seed.removeprefix("seed-"))


def build(config, network_name: str) -> Parameters:
    """The parameters of a network's name, untrained."""
    return Parameters(parsed(network_name)[0], config.train.hidden)
