"""The models that learn p_nuc from a configuration: the paper's three, the authors' notebook's, and
one of our own.

All return log(p / (1 - p)), float32 (n,).  Spins come as float32 (n, 1, L, L), +1 and -1 (stable),
features as float32 (n, 10).  Cross entropy with soft labels is then torch's binary cross entropy
with logits, also for networks that end in two outputs under a softmax, as the paper's do: the
difference of the two outputs is the logit.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from jobs.nucleation.features import NAMES


class SpinsRegression(nn.Module):
    """Spin-based logistic regression (paper, III.A): a weight a site and a constant, L^2 + 1
    parameters.
    """

    def __init__(self, size: int):
        super().__init__()
        self.linear = nn.Linear(size * size, 1)

    def forward(self, spins: Tensor) -> Tensor:
        return self.linear(spins.flatten(1))[:, 0]


class FeaturesRegression(nn.Module):
    """Features-based logistic regression (paper, III.B, equation 3) on standardised features: 11
    parameters.

    `standardise` sets mean and scale from the training configurations; they are buffers, kept with
    the weights.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(NAMES)))
        self.register_buffer("scale", torch.ones(len(NAMES)))
        self.linear = nn.Linear(len(NAMES), 1)

    def standardise(self, features: Tensor) -> None:
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0, correction=0).clamp_min(1e-12))

    def converge(self, features: Tensor, labels: Tensor, steps: int = 50) -> float:
        """Set the weights that minimise the cross entropy, by Newton's method in float64; the cross
        entropy there.

        The loss is convex and the moments are nearly collinear, so that Adam stops far from its
        minimum.
        """
        x = ((features.double() - self.mean) / self.scale).cpu()
        x = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)
        p, w = labels.double().cpu(), torch.zeros(x.shape[1], dtype=torch.float64)
        entropy = nn.functional.binary_cross_entropy_with_logits
        loss = entropy(x @ w, p)
        for _ in range(steps):
            q = torch.sigmoid(x @ w)
            curvature = (x.T * (q * (1 - q))) @ x / len(x)
            step = torch.linalg.lstsq(curvature, x.T @ (p - q) / len(x), driver="gelsd").solution
            while entropy(x @ (w + step), p) > loss and step.norm() > 1e-12 * (1 + w.norm()):
                step /= 2
            before, w = loss, w + step
            loss = entropy(x @ w, p)
            if before - loss < 1e-12:
                break
        with torch.no_grad():
            self.linear.weight.copy_(w[None, :-1])
            self.linear.bias.copy_(w[-1:])
        return float(loss)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear((features - self.mean) / self.scale)[:, 0]


class ConvolutionalNetwork(nn.Module):
    """The paper's CNN (III.C): between every two convolutions a max pool of size 2 and stride 1,
    ReLU and dropout.

    filters: (8, 16), or (8, 16, 32, 64) near the spinodal.  Convolutions keep the size: with three
    pools L = 200 becomes 197, and 64 x 197^2 x 100 weights are the 248 million that the four layers
    have there.  Then 100 neurons, ReLU, 2 outputs.  A ReLU follows the last convolution too, which
    would otherwise be one linear map with the first of the dense layers.  The kernel's side is not
    in the paper; the authors' code has 3 for R = 1 and 5 for R > 1.
    """

    def __init__(
        self,
        size: int,
        filters: tuple[int, ...],
        kernel: int,
        dropout: float = 0.15,
        neurons: int = 100,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for depth, (before, after) in enumerate(pairwise((1, *filters))):
            if depth:
                layers += [nn.MaxPool2d(2, stride=1), nn.ReLU(), nn.Dropout(dropout)]
            layers.append(nn.Conv2d(before, after, kernel, padding=kernel // 2))
        # channels last: a max pool on a CPU is then 10 to 50 times as fast
        self.local = nn.Sequential(*layers, nn.ReLU()).to(memory_format=torch.channels_last)
        side = size - len(filters) + 1
        self.dense = nn.Sequential(
            nn.Linear(filters[-1] * side**2, neurons), nn.ReLU(), nn.Linear(neurons, 2)
        )

    def forward(self, spins: Tensor) -> Tensor:
        out = self.dense(self.local(spins).flatten(1))
        return out[:, 0] - out[:, 1]


class NotebookNetwork(nn.Module):
    """The CNN of the authors' published notebook, which differs from the paper's.

    Input one-hot (up, down); each of two convolutions without padding is followed by ReLU, a max
    pool of 2 with stride 2 and dropout 0.1; 10 neurons, 2 outputs.  Weights start uniform in [-0.1,
    0.1].
    """

    def __init__(self, size: int, kernel: int, dropout: float = 0.1):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((2, 8, 16)):
            layers += [
                nn.Conv2d(before, after, kernel),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout(dropout),
            ]
            size = (size - kernel + 1) // 2
        self.local = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.dense = nn.Sequential(nn.Linear(16 * size**2, 10), nn.ReLU(), nn.Linear(10, 2))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def forward(self, spins: Tensor) -> Tensor:
        one_hot = torch.cat([(1 + spins) / 2, (1 - spins) / 2], 1)
        out = self.dense(self.local(one_hot).flatten(1))
        return out[:, 0] - out[:, 1]


class TorusNetwork(nn.Module):
    """Ours: a residual network without borders, for a lattice without borders.

    The mean spin of square tiles, standardised, goes through a circular 5x5 convolution and
    residual blocks of circular 3x3 ones; mean and maximum over the torus meet in a dense layer.  A
    tile's side is the largest divisor of L that leaves at least 12 tiles a side: with L = 10 R
    about R/2, half a spin's reach, below which the local field knows nothing.  So p_nuc is
    unchanged by shifts of whole tiles by construction; `augment` teaches the rest of the lattice's
    symmetries: all shifts, quarter turns and reflections.

    window: whether the network is also told how much time the copies had, window - t_int in MCS.
    The labels depend on it (a configuration at t_int = -40 has 50 MCS to nucleate, the same one at
    -5 only 15), and no network without it can reach the noise of the labels.
    """

    def __init__(
        self,
        size: int,
        window: bool = False,
        channels: int = 16,
        blocks: int = 2,
        neurons: int = 64,
    ):
        super().__init__()
        tile = max(side for side in range(1, max(1, size // 12) + 1) if size % side == 0)
        self.takes_window = window
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.tiles = nn.AvgPool2d(tile)
        local = [
            circular(1, channels, 5),
            *(ResidualBlock(channels) for _ in range(blocks)),
            nn.GELU(),
        ]
        self.local = nn.Sequential(*local)
        self.dense = nn.Sequential(
            nn.Linear(2 * channels + window, neurons), nn.GELU(), nn.Linear(neurons, 1)
        )

    def standardise(self, spins: Tensor) -> None:
        """Set mean and scale from training configurations int8 (n, L, L)."""
        tiles = self.tiles(spins[:, None].float())
        self.mean.copy_(tiles.mean())
        self.scale.copy_(tiles.std().clamp_min(1e-12))

    def forward(self, spins: Tensor, window: Tensor | None = None) -> Tensor:
        found = self.local((self.tiles(spins) - self.mean) / self.scale)
        summary = [found.mean((2, 3)), found.amax((2, 3))]
        if self.takes_window:
            summary.append(window[:, None] / 30)  # to order one
        return self.dense(torch.cat(summary, 1))[:, 0]

    @staticmethod
    def augment(spins: Tensor) -> Tensor:
        """Each configuration (n, L, L) shifted at random on the torus, all turned and reflected
        alike.
        """
        count, size, _ = spins.shape
        site = torch.arange(size, device=spins.device)
        x, y = (
            (site + torch.randint(size, (count, 1), device=spins.device)) % size for _ in range(2)
        )
        moved = spins[
            torch.arange(count, device=spins.device)[:, None, None], x[:, :, None], y[:, None, :]
        ]
        transpose, *flips = torch.randint(2, (3,)).tolist()
        return (moved.transpose(1, 2) if transpose else moved).flip(
            [axis + 1 for axis in (0, 1) if flips[axis]]
        )


class ResidualBlock(nn.Module):
    """x plus a learnt share of: circular 3x3 convolution, GELU, circular 3x3 convolution.  No
    normalisation: scale is signal.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.change = nn.Sequential(
            circular(channels, channels, 3), nn.GELU(), circular(channels, channels, 3)
        )
        self.share = nn.Parameter(torch.full((channels, 1, 1), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.share * self.change(x)


def circular(before: int, after: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="circular")


def build(model: str, size: int, kernel: int) -> nn.Module:
    """The network of a config's name for configurations of side `size`; `kernel`: the CNNs'
    filters' side.
    """
    match model:
        case "spins":
            return SpinsRegression(size)
        case "features" | "features_converged":
            return FeaturesRegression()
        case "cnn_2layer":
            return ConvolutionalNetwork(size, (8, 16), kernel)
        case "cnn_4layer":
            return ConvolutionalNetwork(size, (8, 16, 32, 64), kernel)
        case "notebook":
            return NotebookNetwork(size, kernel)
        case "torus":
            return TorusNetwork(size)
        case "torus_window":
            return TorusNetwork(size, window=True)
    raise ValueError(f"model = {model!r}: not a model of this study")


def parameters(network: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in network.parameters())
