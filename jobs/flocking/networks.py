"""The network that learns the phases: the paper's CNN (Fig. 7), 32/27 L^2 + 1939 weights and
biases.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from jobs import UserError
from jobs.flocking.config import CLASSES, FILTERS, NEURONS, POOL, unpoolable


class PhaseNetwork(nn.Module):
    """Magnetization and density, float32 (n, 2, L, L), to scores of G, L+G, L, float32 (n, 3);
    their softmax is the probability.

    Two 5x5 convolutions, a max pool of 3, two 3x3 convolutions, a max pool of 3, 16 neurons, 3
    scores; ReLU after every layer but the last; borders are filled with zeros ('same').  First
    weights are Keras' default, which the authors used: Glorot's uniform ones, biases 0.  Raises
    UserError unless L is a multiple of 9.
    """

    def __init__(self, size: int):
        super().__init__()
        if problem := unpoolable(size):
            raise UserError(problem)
        sizes = ((2, 5), (FILTERS, 5), (FILTERS, 3), (FILTERS, 3))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, FILTERS, kernel, padding=kernel // 2) for before, kernel in sizes
        )
        self.convolutions.to(
            memory_format=torch.channels_last
        )  # half the time of the other order on a CPU
        self.hidden = nn.Linear(FILTERS * (size // POOL**2) ** 2, NEURONS)
        self.scores = nn.Linear(NEURONS, CLASSES)
        for layer in (*self.convolutions, self.hidden, self.scores):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        out = maps.contiguous(memory_format=torch.channels_last)
        for first, second in (self.convolutions[:2], self.convolutions[2:]):
            out = relu(first(out), inplace=True)
            out = relu(
                max_pool2d(second(out), POOL), inplace=True
            )  # the same as ReLU, then pool, on a ninth of the sites
        return self.scores(relu(self.hidden(out.flatten(1)))).float()

    def penalty(self) -> Tensor:
        """Sum of squared weights, biases left out: what lambda multiplies."""
        return sum(
            layer.weight.square().sum() for layer in (*self.convolutions, self.hidden, self.scores)
        )


def parameters(network: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in network.parameters())
