"""A network of our own, which goes to the end in steps: linear theory first, exact as long as
fluctuations are small, then one U-Net again and again, each time to the next age at which fields
are kept.

Between two ages domains change little and near by, which a network learns soon; where they are
after many such changes, in one leap, it hardly does (predictability.h5 says how far one could see).
Wells and means are kept as in the conserving generator.  The U-Net sees fields on a grid as coarse
as interfaces allow, by their Fourier coefficients, which loses nothing there.  A mixture that is
turned or reflected ends turned or reflected: in what it answers each step is the mean of those of
the eight images of a field, turned back, and so keeps the square's symmetries exactly.
"""

import math

import torch
from torch import Tensor, nn

from jobs.segregation.layers import mean_of
from jobs.segregation.networks import Generator, conserved

CELLS = 1.25  # of the coarse grid, or more, an epsilon has
IMAGES = 8  # of a square, turned and reflected
EDGE = (
    0.02  # of the range of answers: logits of what lies nearer to its ends, or beyond, are bounded
)


def turned(fields: Tensor, image: int) -> Tensor:
    """Fields (n, L, L) turned and reflected, image 0 to 7, about their first cell, which coarse and
    fine grids share.
    """
    for axis in (1, 2):
        fields = fields.flip(axis).roll(1, axis) if image & axis else fields
    return fields.mT if image & 4 else fields


def turned_back(fields: Tensor, image: int) -> Tensor:
    """The inverse of `turned`."""
    return turned(fields, {5: 6, 6: 5}.get(image, image))


class LinearTheory(nn.Module):
    """Fields (n, L, L) after a time (n, 1, 1), as long as their fluctuations stay small.

    A wave k about the mean m grows as exp(sigma t), sigma = -M k^2 (f''(m) + epsilon^2 k^2)
    (Cahn 1961).
    """

    def __init__(
        self, size: int, spacing: float, epsilon: float, well_depth: float, mobility: float
    ):
        super().__init__()
        k = 2 * math.pi * torch.fft.fftfreq(size, spacing, dtype=torch.float64)
        square = k[:, None] ** 2 + k[: size // 2 + 1].abs() ** 2
        self.register_buffer("square", square, persistent=False)
        self.epsilon, self.well_depth, self.mobility = epsilon, well_depth, mobility

    def rates(self, mean: Tensor) -> Tensor:
        """sigma of all waves (n, L, L / 2 + 1) about means (n, 1, 1), 1 / time."""
        curvature = self.well_depth * (2 - 12 * mean * (1 - mean))
        return -self.mobility * self.square * (curvature + self.epsilon**2 * self.square)

    def growth_time(self, fields: Tensor) -> Tensor:
        """(n, 1, 1), time: in which the fastest wave in the box grows, or decays, e-fold."""
        rates = self.rates(mean_of(fields)[..., None])
        return 1 / rates.flatten(1)[:, 1:].amax(1).abs()[:, None, None]

    def forward(self, fields: Tensor, time) -> Tensor:
        mean = mean_of(fields)[..., None]
        waves = torch.fft.rfft2(fields.double() - mean) * torch.exp(self.rates(mean) * time)
        return (mean + torch.fft.irfft2(waves, s=fields.shape[1:])).float()


def coarse_side(size: int, spacing: float, epsilon: float, well_depth: float) -> int:
    """Cells a side of the coarse grid: halved as long as it is even and an interface's epsilon /
    well_depth^(1/2) has CELLS cells or more, and the U-Net can halve it three times.
    """
    while size % 16 == 0 and size >= 16 and epsilon / well_depth**0.5 >= 2 * CELLS * spacing:
        size, spacing = size // 2, 2 * spacing
    return size


def resampled(fields: Tensor, side: int) -> Tensor:
    """Fields (..., L, L) on a grid of `side` x `side` cells, by their Fourier coefficients below
    the smaller grid's highest wave number.
    """
    size = fields.shape[-1]
    if side == size:
        return fields
    half = min(side, size) // 2
    waves = torch.fft.fft2(fields.double(), norm="forward")
    found = waves.new_zeros(*fields.shape[:-2], side, side)
    rows = torch.cat([torch.arange(half), torch.arange(1 - half, 0)])
    there = (rows % side)[:, None], (rows % side)[None]
    here = (rows % size)[:, None], (rows % size)[None]
    found[..., there[0], there[1]] = waves[..., here[0], here[1]]
    return torch.fft.ifft2(found, norm="forward").real.float()


class Steps(nn.Module):
    """(n, L, L) -> (n, L, L): from mixed fields to their ends.

    times: ages at which the training fields are kept, from 0 on; the steady state follows.  Linear
    theory goes to times[1]; step s, of `count`, from times[s + 1] to the next, the last to the
    steady state.
    """

    def __init__(self, width: int, limits: tuple[float, float], system, times: list[float]):
        super().__init__()
        s = system
        self.size, self.first = s.size, times[1]
        self.side = coarse_side(s.size, s.spacing, s.epsilon, s.well_depth)
        self.theory = LinearTheory(s.size, s.spacing, s.epsilon, s.well_depth, s.mobility)
        self.count = len(times) - 1
        self.net = Generator(width, self.side, limits, conserving=True, dropout=0.0, told=2)
        nn.init.zeros_(self.net.decoder[-1].weight)  # a step begins as none

    def step(self, fields: Tensor, number: int) -> Tensor:
        """Coarse fields (n, side, side) after one more step."""
        low, high = self.net.limits
        share = ((fields - low) / (high - low)).clamp(EDGE, 1 - EDGE)
        told = fields.new_full((len(fields), 1), 2 * number / max(self.count - 1, 1) - 1)
        change = self.net.maps(fields, None, told)[-1][..., 0].float()
        return conserved(torch.logit(share) + change, mean_of(fields), self.net.limits)

    def symmetric_step(self, fields: Tensor, number: int) -> Tensor:
        """`step`, as the mean over the square's IMAGES: turns and reflects with the fields."""
        found = [turned_back(self.step(turned(fields, i), number), i) for i in range(IMAGES)]
        return torch.stack(found).mean(0)

    def ends(self, fields: Tensor, number: int) -> Tensor:
        """(n, L, L), where coarse fields (n, side, side) end, from that step on."""
        for each in range(number, self.count):
            fields = self.symmetric_step(fields, each)
        return resampled(fields, self.size)

    def follow(self, fields: Tensor, number: int, steps: int) -> Tensor:
        """Coarse fields (n, side, side) after each of `steps` steps from that number on: (n, steps,
        side, side).  In training, where augmentation shows the symmetries.
        """
        found = []
        for each in range(number, number + steps):
            fields = self.step(fields, each)
            found.append(fields)
        return torch.stack(found, 1)

    def start(self, fields: Tensor) -> Tensor:
        """Mixed fields (n, L, L) as the first step is given them."""
        return resampled(self.theory(fields, self.first), self.side)

    def maps(self, fields: Tensor) -> list[Tensor]:
        """Activation maps of the first step."""
        coarse = self.start(fields)
        return self.net.maps(coarse, None, -torch.ones_like(coarse[:, 0, :1]))

    def onwards(self, fields: Tensor, number: int) -> Tensor:
        """The ends of fields (n, L, L) of times[number]: those of the steps that are left."""
        if number == 0:
            return self(fields)
        return self.ends(resampled(fields, self.side), number - 1)

    def forward(self, fields: Tensor, number: int | None = None, steps: int = 0) -> Tensor:
        """The ends of mixed fields (n, L, L); in training, with a number, `follow`."""
        if number is not None:
            return self.follow(fields, number, steps)
        return self.ends(self.start(fields), 0)
