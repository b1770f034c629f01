"""The networks of the study: the conditional GAN pix2pix (Isola et al. 2017) as Farimani et al.
(2018) use it, on a torus.

Fields are float32 (n, L, L), concentrations.  The generator is a U-Net, the discriminator a 70 x 70
patch one.  Different from pix2pix: every convolution is circular, since the fields live on a torus;
instance norm that knows the mean concentration in place of batch norm; an output range that the
fields do not reach; upsampling and convolution in place of transposed convolutions.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, leaky_relu, relu
from torch.nn.utils.parametrizations import spectral_norm

from jobs.segregation.layers import About, Convolution, Norm, Upsampling, mean_of

DEEPEST = 6  # halvings of the side
SMALLEST = 2  # cells a side: one cell, doubled, is the same everywhere, which a norm takes out
NOISY = 3  # the decoder's first blocks have dropout, pix2pix's noise z
LEAK = 0.2


def depth(size: int) -> int:
    """How often a side can be halved, at most DEEPEST times, to SMALLEST or more."""
    return next(d for d in range(DEEPEST, -1, -1) if size % 2**d == 0 and size >= SMALLEST << d)


class Generator(nn.Module):
    """U-Net (n, L, L) -> (n, L, L): depth(L) halvings, at 64 five, to width, 2, 4, 8, 8 x width
    channels, and back with skip connections.

    limits: (low, high) of the answers.  conserving: the answer's mean equals the input's.  noise:
    dropout masks from `draw`, or None for none: the answer is then a function of the input.  told:
    how many numbers the norms are told, the mean concentration and (`more`) others, -1 to 1.
    """

    def __init__(
        self,
        width: int,
        size: int,
        limits: tuple[float, float],
        conserving: bool,
        dropout: float = 0.5,
        told: int = 1,
    ):
        super().__init__()
        halvings = depth(size)
        self.limits, self.conserving, self.dropout = limits, conserving, dropout
        down = [width * min(8, 2**level) for level in range(halvings)]
        self.about = About(told)
        self.encoder = nn.ModuleList(
            Convolution(*pair, bias=not level) for level, pair in enumerate(pairwise((1, *down)))
        )
        self.encoder_norms = nn.ModuleList(Norm(channels) for channels in down[1:])
        up = down[-2::-1]
        inputs = [down[-1], *(2 * channels for channels in up)]
        self.decoder = nn.ModuleList(
            Upsampling(before, after) for before, after in zip(inputs, up, strict=False)
        )
        self.decoder.append(
            Upsampling(inputs[-1], 1, bias=not conserving)
        )  # where the mean is kept a bias would do nothing
        self.decoder_norms = nn.ModuleList(Norm(channels) for channels in up)
        self.noisy = [
            (size >> halvings - 1 - level, channels) for level, channels in enumerate(up[:NOISY])
        ]

    def draw(self, count: int, device) -> list[Tensor]:
        """The noise of `count` samples: dropout masks (count, side, side, channels) of the
        decoder's first blocks.
        """
        return [
            dropout(torch.ones(count, side, side, channels, device=device), self.dropout)
            for side, channels in self.noisy
        ]

    def maps(
        self, fields: Tensor, noise: list[Tensor] | None = None, more: Tensor | None = None
    ) -> list[Tensor]:
        """Activation maps (n, h, w, channels), layer by layer; the last are the logits of the
        answer (n, L, L, 1).  more: (n, told - 1).
        """
        mean = 2 * mean_of(fields).float() - 1
        about = self.about(mean if more is None else torch.cat([mean, more], 1))
        x, found = (2 * fields - 1)[..., None], []
        for level, convolution in enumerate(self.encoder):
            x = convolution(x)
            x = leaky_relu(self.encoder_norms[level - 1](x, about) if level else x, LEAK)
            found.append(x)
        skips = found[-2::-1]
        for level, (upsampling, norm) in enumerate(
            zip(self.decoder, self.decoder_norms, strict=False)
        ):
            x = norm(upsampling(x), about)
            if noise and level < len(noise):
                x = x * noise[level].to(x.dtype)
            found.append(relu(x))
            x = torch.cat([found[-1], skips[level]], -1)
        return [*found, self.decoder[-1](x)]

    def forward(self, fields: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        logits = self.maps(fields, noise)[-1][..., 0].float()
        if self.conserving:
            return conserved(logits, mean_of(fields), self.limits)
        low, high = self.limits
        return low + (high - low) * torch.sigmoid(logits)


def conserved(
    logits: Tensor, mean: Tensor, limits: tuple[float, float], steps: int = 100
) -> Tensor:
    """low + (high - low) sigmoid(logits + s), s such that the mean (n, 1) is kept: to the round-off
    of float32 (n, h, w).

    Adding a constant to the field itself would move the wells and leave the range; adding one to
    the logits moves interfaces and leaves the wells alone.  The mean rises with s, so there is one
    s; a bracketed Newton iteration in float64 finds it.  One more Newton step, with its slope held
    fixed, then gives the gradient of the implicit s.
    """
    low, high = limits
    logits = logits.double().flatten(1)
    wanted = (mean - low) / (high - low)
    with torch.no_grad():
        edge = torch.logit(wanted)
        below, above = edge - logits.amax(1, True), edge - logits.amin(1, True)
        shift = (below + above) / 2
        for _ in range(steps):
            p = torch.sigmoid(logits + shift)
            error = p.mean(1, True) - wanted
            if bool((error.abs() < 1e-13).all()):
                break
            below, above = (
                torch.where(error < 0, shift, below),
                torch.where(error > 0, shift, above),
            )
            newton = shift - error / (p * (1 - p)).mean(1, True)
            shift = torch.where((newton > below) & (newton < above), newton, (below + above) / 2)
        p = torch.sigmoid(logits + shift)
        slope = (p * (1 - p)).mean(1, True)
    shift = shift - (torch.sigmoid(logits + shift).mean(1, True) - wanted) / slope
    return (
        (low + (high - low) * torch.sigmoid(logits + shift))
        .float()
        .unflatten(1, (math.isqrt(logits.shape[1]), -1))
    )


class Discriminator(nn.Module):
    """Is `answer` the true partner of `fields`?  Logits (n, L/8, L/8), each about a patch of 70 x
    70 cells.

    Spectral norm (Miyato et al. 2018) in place of batch norm: a layer changes nothing by more than
    its input changes.  An instance norm would bring out the faintest ripple of an answer where the
    truth is uniform, and tell the two apart by it, whatever the generator does.
    """

    def __init__(self, width: int):
        super().__init__()
        channels = [2, width, 2 * width, 4 * width, 8 * width, 1]
        self.layers = nn.ModuleList(
            spectral_norm(Convolution(*pair, stride=2 if level < 3 else 1, bias=True))
            for level, pair in enumerate(pairwise(channels))
        )

    def forward(self, fields: Tensor, answer: Tensor) -> Tensor:
        x = 2 * torch.stack([fields, answer], -1).float() - 1
        for layer in self.layers[:-1]:
            x = leaky_relu(layer(x), LEAK)
        return self.layers[-1](x)[..., 0].float()


def parameters(network: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in network.parameters())
