"""The trained networks of a run: which there are, their weights, their answers, and what in a
configuration they rest on.
"""

import contextlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from jobs import predicting, training
from jobs.flocking import epochs, train
from jobs.flocking.networks import PhaseNetwork
from jobs.rundir import System


def trained(system: System, sets: list[str] | None, say: Callable[[str], None]) -> list[str]:
    """Names of the networks that are trained, of `sets` or (None) of all there are, in order."""
    found = {}
    for path in system.training("").glob("*/*/*/test.h5"):
        with contextlib.suppress(ValueError):  # a folder of somebody's own
            name = f"{path.parent.relative_to(system.training(''))}"
            found[name] = epochs.parsed(name)
    there = sorted(
        (name for name in found if sets is None or found[name][0] in sets), key=found.get
    )
    return [name for name in there if training.finished(train, system, name, say)]


def network_of(
    system: System, network_name: str, device: str, say: Callable[[str], None]
) -> PhaseNetwork:
    """The trained network of a name, the one with the best validation loss.  Raises UserError
    without a sound checkpoint.
    """
    network = PhaseNetwork(system.config.system.size)
    return predicting.restored(
        network, system.training(network_name), "best", train.belonging(system), device, say
    )


def probabilities(network: PhaseNetwork, maps: Tensor) -> np.ndarray:
    """float32 (n, 3), of G, L+G, L, of packed maps int32 (n, L, L)."""
    device = next(network.parameters()).device
    return torch.softmax(epochs.scores_of(network, maps.to(device)), 1).numpy()


def saliency(network: PhaseNetwork, maps: Tensor, margin: bool = False) -> np.ndarray:
    """|dS_c / dI| float32 (n, 2, L, L), magnetization and density, of packed maps, c being the
    phase with the largest score; margin: |d(S_c - S_d) / dI|, d being that with the second largest.

    Probabilities are functions of differences of scores: a change of all scores alike, which the
    first has too, decides nothing.
    """
    device = next(network.parameters()).device
    given = epochs.unpacked(maps.to(device)).requires_grad_(True)
    best, second = network(given).topk(2, 1).values.T
    (slope,) = torch.autograd.grad((best - second if margin else best).sum(), given)
    return slope.abs().cpu().contiguous().numpy()
