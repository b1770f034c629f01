"""The trained networks of a run: which there are, their weights, their answers, and what happens
inside them.
"""

from collections.abc import Callable

import numpy as np
import torch

from jobs import predicting, training
from jobs.rundir import System
from jobs.segregation import epochs, train
from jobs.segregation.networks import Generator
from jobs.segregation.steps import Steps


def trained(system: System, models: list[str] | None, say: Callable[[str], None]) -> list[str]:
    """Names of the networks that are trained, of `models` or (None) of all there are."""
    there = sorted(path.parent.name for path in system.training("").glob("*/test.h5"))
    return [
        name
        for name in (there if models is None else models)
        if training.finished(train, system, name, say)
    ]


def network_of(
    system: System, network_name: str, device: str, say: Callable[[str], None]
) -> Generator | Steps:
    """The trained generator of a name.  Raises UserError without a sound checkpoint."""
    return predicting.restored(
        train.build(system.config, network_name),
        system.training(network_name),
        "generator",
        train.belonging(system),
        device,
        say,
    )


def answers(network: Generator | Steps, fields: np.ndarray, number: int = 0) -> np.ndarray:
    """What the network makes of fields (n, L, L), float32 (n, L, L), without noise: a function of
    the field alone, and, of a network that goes in steps, of its age, times[number].
    """
    device = next(network.parameters()).device
    given = torch.from_numpy(np.asarray(fields, np.float32)).to(device)
    if isinstance(network, Steps):
        return epochs.predict(lambda piece: network.onwards(piece, number), given).numpy()
    return epochs.predict(network, given).numpy()


def activations(network: Generator | Steps, field: np.ndarray) -> list[np.ndarray]:
    """Activation maps of every layer for one field (L, L), float32 (channels, h, w): encoder,
    decoder, the answer's logits.
    """
    device = next(network.parameters()).device
    with torch.inference_mode():
        maps = network.maps(torch.from_numpy(np.asarray(field, np.float32))[None].to(device))
    return [each[0].movedim(-1, 0).float().cpu().numpy() for each in maps]
