"""Layers of networks on a torus: 4 x 4 convolutions with circular padding, as matrix products, and
a norm that keeps the mean.

Fields and features are (n, height, width, channels).  A convolution gathers its 4 x 4 patches and
multiplies them with one matrix: on a CPU with bfloat16 matrix units that is several times as fast
as a convolution of the library, and upsampling, its transpose, costs no more.  Nothing here mixes
samples: results depend neither on the batch nor on how it is dealt to several devices.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

KERNEL = 4  # side of every filter, as in pix2pix
ABOUT = 32  # numbers that tell the norms about a sample
BUMPS = 16  # of each number that it is told from


def gathered(x: Tensor, stride: int) -> Tensor:
    """Patches (n, h / stride, w / stride, 4, 4, c) of (n, h, w, c): cells 2i - 1 ... 2i + 2, with
    stride 1 i - 1 ... i + 2.
    """
    after = 3 - stride
    x = torch.cat([x[:, -1:], x, x[:, :after]], 1)
    x = torch.cat([x[:, :, -1:], x, x[:, :, :after]], 2)
    return (
        x.unfold(1, KERNEL, stride).unfold(2, KERNEL, stride).permute(0, 1, 2, 4, 5, 3).contiguous()
    )


def scattered(patches: Tensor, stride: int) -> Tensor:
    """The transpose of `gathered`: every cell is the sum of its places in all patches."""
    count, h, w, *_, channels = patches.shape
    blocks = (
        KERNEL // stride
    )  # a patch is blocks x blocks squares of side `stride`, each laid on the squares of a tiling
    tiled = patches.new_zeros(count, h + blocks - 1, stride, w + blocks - 1, stride, channels)
    squares = patches.unflatten(4, (blocks, stride)).unflatten(
        3, (blocks, stride)
    )  # (n, h, w, block, row, block, column, c)
    for i in range(blocks):
        for j in range(blocks):
            tiled[:, i : i + h, :, j : j + w] += squares[:, :, :, i, :, j].transpose(2, 3)
    return wrapped(wrapped(tiled.flatten(3, 4).flatten(1, 2), 1, 3 - stride), 2, 3 - stride)


def wrapped(x: Tensor, axis: int, after: int) -> Tensor:
    """Add the one row before the torus and the `after` rows behind it to the rows that they are
    copies of.
    """
    length = x.shape[axis] - 1 - after
    inside = x.narrow(axis, 1, length)
    inside.narrow(axis, length - 1, 1).add_(x.narrow(axis, 0, 1))
    inside.narrow(axis, 0, after).add_(x.narrow(axis, length + 1, after))
    return inside.contiguous()


class Gather(torch.autograd.Function):
    """`gathered`, whose gradient is `scattered`: autograd would undo the overlapping view one
    element at a time.
    """

    @staticmethod
    def forward(ctx, x: Tensor, stride: int) -> Tensor:
        ctx.stride = stride
        return gathered(x, stride)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return scattered(gradient, ctx.stride), None


class Scatter(torch.autograd.Function):
    """`scattered`, whose gradient is `gathered`."""

    @staticmethod
    def forward(ctx, patches: Tensor, stride: int) -> Tensor:
        ctx.stride = stride
        return scattered(patches, stride)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gathered(gradient, ctx.stride), None


def lowered(x: Tensor) -> Tensor:
    """x as the products want it: bfloat16 under autocast.  Before it is gathered it is a quarter as
    large.
    """
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def filters(outputs: int, inputs: int, fan_in: int) -> nn.Parameter:
    """A matrix that keeps the size of what comes through a rectifier (He et al. 2015)."""
    return nn.Parameter(torch.randn(outputs, inputs) * math.sqrt(2 / fan_in))


class Convolution(nn.Module):
    """4 x 4, stride 1 or 2, circular: (n, h, w, before) to (n, h / stride, w / stride, after).
    bias: where no norm follows.
    """

    def __init__(self, before: int, after: int, stride: int = 2, bias: bool = False):
        super().__init__()
        self.stride = stride
        self.weight = filters(after, KERNEL**2 * before, KERNEL**2 * before)
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return linear(Gather.apply(lowered(x), self.stride).flatten(3), self.weight, self.bias)


class Upsampling(nn.Module):
    """Every cell doubled to 2 x 2, then a circular 3 x 3 convolution: (n, h, w, before) to
    (n, 2h, 2w, after).

    The two in one: 3 x 3 filters over doubled cells are the 4 x 4 ones of a transposed convolution
    of stride 2 that are the 3 x 3 ones folded with a 2 x 2 box.  Free 4 x 4 filters would have four
    sums, one for each place in a doubled cell, and draw a checkerboard on what is constant (Odena,
    Dumoulin and Olah, Distill 2016).
    """

    def __init__(self, before: int, after: int, bias: bool = False):
        super().__init__()
        self.weight = filters(9 * after, before, 9 * before)
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.weight.view(3, 3, -1, self.weight.shape[1])
        wide = sum(
            pad(narrow, (0, 0, 0, 0, j, 1 - j, i, 1 - i)) for i in range(2) for j in range(2)
        )
        patches = linear(lowered(x), wide.flatten(0, 2)).unflatten(3, (KERNEL, KERNEL, -1))
        found = Scatter.apply(patches, 2)
        return found if self.bias is None else found + self.bias


class Norm(nn.Module):
    """Instance norm (each channel of each sample alone) whose scale and shift depend on what
    `about` tells of the sample.

    Instance norm brings out the weak long waves of a noisy field, but takes the mean concentration,
    on which everything depends here, out of every layer.  `about` (n, ABOUT) gives it back
    (conditional instance norm: Dumoulin, Shlens and Kudlur 2017).  A single cell has nothing to be
    normalised by and is only scaled and shifted.
    """

    def __init__(self, channels: int, epsilon: float = 1e-5):
        super().__init__()
        self.affine, self.epsilon = nn.Linear(ABOUT, 2 * channels), epsilon
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, about: Tensor) -> Tensor:
        scale, shift = self.affine(about).float()[:, None, None].chunk(2, -1)
        scale, wide = 1 + scale, x.float()
        if x.shape[1] * x.shape[2] > 1:
            wide = wide - wide.mean((1, 2), keepdim=True)
            scale = scale * torch.rsqrt(wide.square().mean((1, 2), keepdim=True) + self.epsilon)
        return torch.addcmul(shift, wide, scale).to(x.dtype)


class About(nn.Module):
    """What the norms are told, (n, ABOUT): a function of `count` numbers (n, count), each about -1
    to 1.

    Each number comes as BUMPS Gaussian bumps, so that a sharp change, as at the spinodal, is learnt
    soon.
    """

    def __init__(self, count: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(BUMPS * count, ABOUT), nn.GELU(), nn.Linear(ABOUT, ABOUT), nn.GELU()
        )

    def forward(self, numbers: Tensor) -> Tensor:
        centres = torch.linspace(-1, 1, BUMPS, device=numbers.device)
        bumps = torch.exp(-(((numbers[..., None] - centres) * (BUMPS - 1) / 2) ** 2))
        return self.layers(bumps.flatten(1))


def mean_of(fields: Tensor) -> Tensor:
    """Mean (n, 1) of fields (n, h, w), float64."""
    return fields.mean((1, 2), dtype=torch.float64)[:, None]
