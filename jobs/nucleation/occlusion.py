"""Occlusion: how much a network's p_nuc changes when a square of the configuration is covered
(paper, section V.B).

The change is p(covered) - p(as it is), for a square of side `patch` whose lowest corner is at site
(x, y) and which lies within the box, x and y from 0 to L - patch.  The paper covers with zeros at
random places; here every place is tried.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from jobs.nucleation.networks import ConvolutionalNetwork

FILLS = {"zeros": 0.0, "up": 1.0}
AT_ONCE = 256  # configurations in one call of a network

Report = Callable[[float], None]


def corners(size: int, patch: int, stride: int) -> np.ndarray:
    """The places of the square along one axis: 0, stride, ... up to L - patch."""
    return np.arange(0, size - patch + 1, stride)


def changes(
    network: nn.Module,
    spins: Tensor,
    windows: Tensor,
    *,
    patch: int,
    stride: int,
    fill: str,
    report: Report,
) -> np.ndarray:
    """float32 (n, X, Y): change of p_nuc of int8 (n, L, L) for every place of the square, lowest
    corners as `corners` says.

    The paper's networks are not run anew for every place: only the filters near the square see it,
    and the dense layer is linear in what they say.
    """
    at = corners(spins.shape[-1], patch, stride)
    network.eval()
    with torch.inference_mode():
        if isinstance(network, ConvolutionalNetwork):
            return _local(network, spins, at, patch, FILLS[fill], report)
        return _anew(network, spins, windows, at, patch, FILLS[fill], report)


def random_changes(
    network: nn.Module, spins: Tensor, windows: Tensor, at: np.ndarray, *, patch: int, fill: str
) -> np.ndarray:
    """float32 (n, k): the same for k chosen places of each configuration, lowest corners int (n, k,
    2).
    """
    network.eval()
    found = np.empty(at.shape[:2], np.float32)
    with torch.inference_mode():
        for row, places in enumerate(at):
            covered = spins[row].float().repeat(len(places) + 1, 1, 1, 1)
            for i, (x, y) in enumerate(places, start=1):
                covered[i, 0, x : x + patch, y : y + patch] = FILLS[fill]
            p = torch.sigmoid(
                network(*_arguments(network, covered, windows[row].expand(len(covered))))
            )
            found[row] = (p[1:] - p[0]).cpu().numpy()
    return found


def _arguments(network: nn.Module, spins: Tensor, windows: Tensor) -> tuple[Tensor, ...]:
    return (spins, windows) if getattr(network, "takes_window", False) else (spins,)


def _anew(network, spins, windows, at, patch, value, report) -> np.ndarray:
    """Any network: run it on every covered configuration."""
    found = np.empty((len(spins), len(at), len(at)), np.float32)
    for first in range(0, len(spins), AT_ONCE):
        here = slice(first, first + AT_ONCE)
        whole, window = spins[here, None].float(), windows[here]
        before = torch.sigmoid(network(*_arguments(network, whole, window)))
        for i, x in enumerate(at):
            for j, y in enumerate(at):
                covered = whole.clone()
                covered[:, :, x : x + patch, y : y + patch] = value
                after = torch.sigmoid(network(*_arguments(network, covered, window)))
                found[here, i, j] = (after - before).cpu().numpy()
            report((first + len(whole) * (i + 1) / len(at)) / len(spins))
    return found


def _local(network: ConvolutionalNetwork, spins, at, patch, value, report) -> np.ndarray:
    """The paper's networks: filters anew where they see the square, and the difference through the
    dense layer.
    """
    size = spins.shape[-1]
    reach = sum(
        layer.kernel_size[0] // 2 for layer in network.local if isinstance(layer, nn.Conv2d)
    )
    pools = sum(isinstance(layer, nn.MaxPool2d) for layer in network.local)
    side = (
        size - pools
    )  # of the last filters' output, whose place j sees sites j - reach .. j + reach + pools
    hidden, *rest = network.dense
    weight = hidden.weight.view(len(hidden.weight), -1, side, side)
    margin = 2 * reach + pools
    found = np.empty((len(spins), len(at), len(at)), np.float32)
    for first in range(0, len(spins), AT_ONCE):
        here = slice(first, first + AT_ONCE)
        whole = spins[here, None].float()
        before = network.local(whole)
        linear = hidden(before.flatten(1))
        p = _probability(rest, linear)
        padded = nn.functional.pad(whole, (margin,) * 4)
        for i, x in enumerate(at):
            for j, y in enumerate(at):
                seen = [
                    slice(max(0, c - reach - pools), min(side, c + patch + reach)) for c in (x, y)
                ]
                crop = padded[:, :, x : x + patch + 2 * margin, y : y + patch + 2 * margin].clone()
                crop[:, :, margin : margin + patch, margin : margin + patch] = value
                start = [x - margin, y - margin]
                after = _filters(network, crop, start, size)
                inner = [slice(s.start - o, s.stop - o) for s, o in zip(seen, start, strict=True)]
                change = after[:, :, inner[0], inner[1]] - before[:, :, seen[0], seen[1]]
                moved = change.flatten(1) @ weight[:, :, seen[0], seen[1]].flatten(1).T
                found[here, i, j] = (_probability(rest, linear + moved) - p).cpu().numpy()
            report((first + len(whole) * (i + 1) / len(at)) / len(spins))
    return found


def _probability(rest: list[nn.Module], linear: Tensor) -> Tensor:
    for layer in rest:
        linear = layer(linear)
    return torch.sigmoid(linear[:, 0] - linear[:, 1])


def _filters(network: ConvolutionalNetwork, crop: Tensor, start: list[int], size: int) -> Tensor:
    """The filters of a piece of the lattice; `start` is the site of its first place and is moved
    along with the output's.

    Outside the lattice every layer sees zeros, as in the whole network.
    """
    for layer in network.local:
        if isinstance(layer, nn.Conv2d):
            crop = nn.functional.conv2d(crop, layer.weight, layer.bias)
            start[:] = [s + layer.kernel_size[0] // 2 for s in start]
        elif isinstance(layer, nn.MaxPool2d):
            crop, size = layer(crop), size - 1
        else:
            crop = layer(crop)
            continue
        for axis, s in enumerate(start, start=2):
            length = crop.shape[axis]
            if s < 0:
                crop.narrow(axis, 0, min(length, -s)).zero_()
            if s + length > size:
                crop.narrow(axis, max(0, size - s), min(length, s + length - size)).zero_()
    return crop
