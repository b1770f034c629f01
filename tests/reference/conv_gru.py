"""The coarsening network written with torch's own modules: the reference of kernels.conv_gru, and
its peer in `make bench`.
"""

import numpy as np
import torch
from torch import Tensor, nn

ORDER = {
    "input": "input",
    "state": "state",
    "reset_state": "candidate",
    "spatial": "0",
    "mixing": "2",
}
HEAD = {"first": "0", "second": "2", "flux": "4"}


def mapping(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1, padding_mode="circular"),
        nn.Tanh(),
        nn.Conv3d(outputs, outputs, 1),
    )


class Cell(nn.Module):
    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.input, self.state, self.candidate = (
            mapping(inputs, 3 * hidden),
            mapping(hidden, 2 * hidden),
            mapping(hidden, hidden),
        )

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        update, reset, new = self.input(x).chunk(3, 1)
        more_update, more_reset = self.state(state).chunk(2, 1)
        update, reset = torch.sigmoid(update + more_update), torch.sigmoid(reset + more_reset)
        new = torch.tanh(new + self.candidate(reset * state))
        return (1 - update) * new + update * state


class ConvGRU(nn.Module):
    """forward(phi (n, 1, x, y, z), states) -> (phi, states); states None: 0."""

    def __init__(self, hidden: int = 10, output: str = "staggered"):
        super().__init__()
        self.hidden, self.output = hidden, output
        self.cells = nn.ModuleList([Cell(1, hidden), Cell(hidden, hidden)])
        flux = nn.Conv3d(
            hidden, 1 if output == "sigmoid" else 3, 3, padding=1, padding_mode="circular"
        )
        self.head = nn.Sequential(
            nn.Conv3d(hidden, hidden, 1), nn.Tanh(), nn.Conv3d(hidden, hidden, 1), nn.Tanh(), flux
        )

    def forward(self, phi: Tensor, states=None):
        if states is None:
            states = [phi.new_zeros(len(phi), self.hidden, *phi.shape[2:])] * 2
        first = self.cells[0](phi, states[0])
        second = self.cells[1](first, states[1])
        flux = self.head(second)
        if self.output == "sigmoid":
            return torch.sigmoid(flux), [first, second]
        ahead = [flux[:, k : k + 1].roll(-1, k + 2) for k in range(3)]
        behind = [flux[:, k : k + 1].roll(1, k + 2) for k in range(3)]
        here = [flux[:, k : k + 1] for k in range(3)]
        if self.output == "staggered":
            return phi + sum(h - b for h, b in zip(here, behind, strict=True)), [first, second]
        return phi + sum(a - b for a, b in zip(ahead, behind, strict=True)) / 2, [first, second]

    def name_of(self, name: str) -> str:
        """Of a parameter of kernels.conv_gru."""
        words = name.split(".")
        if words[0] == "head":
            return f"head.{HEAD[words[1]]}.{words[2]}"
        return f"cells.{words[1]}.{ORDER[words[2]]}.{ORDER[words[3]]}.{words[4]}"

    def take(self, parameters: dict[str, np.ndarray]) -> "ConvGRU":
        """Load parameters of kernels.conv_gru."""
        self.load_state_dict(
            {self.name_of(name): torch.from_numpy(value) for name, value in parameters.items()}
        )
        return self


def sequence_loss(
    network: ConvGRU, truth: Tensor, given: int = 1, mass_penalty: float = 0.0
) -> Tensor:
    """The loss of kernels.conv_gru_training, of truth (n, frames, x, y, z)."""
    phi, states, losses = None, None, []
    for t in range(truth.shape[1] - 1):
        phi, states = network(truth[:, t : t + 1] if t < given else phi, states)
        if t + 1 >= given:
            error = phi[:, 0] - truth[:, t + 1]
            losses.append((error**2).mean() + mass_penalty * (error.mean((1, 2, 3)) ** 2).mean())
    return sum(losses) / len(losses)
