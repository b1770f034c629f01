"""The trained networks of a run: which there are, their parameters, and the network that steps a
field on.
"""

from collections.abc import Callable

from jobs import UserError, checkpoint, training
from jobs.coarsening import train
from jobs.coarsening.networks import Parameters, build
from jobs.rundir import System
from kernels.conv_gru import ConvGRU


def names(system: System, say: Callable[[str], None] = lambda line: None) -> list[str]:
    """Of the networks that are trained, in order, such as staggered/seed-0."""
    there = sorted("/".join(path.parts[-3:-1]) for path in system.training("").glob("*/*/test.h5"))
    return [name for name in there if training.finished(train, system, name, say)]


def load(
    system: System, network_name: str, say: Callable[[str], None] = lambda line: None
) -> Parameters:
    """The parameters of a trained network, those of its best epoch.  Raises UserError without a
    sound checkpoint.
    """
    folder = system.training(network_name)
    state = checkpoint.load(folder / "checkpoint.pt", say, **train.belonging(system))
    if state is None or not state["finished"]:
        raise UserError(
            f"{folder}: its checkpoint cannot be used; remove its test.h5 and train again"
        )
    network = build(system.config, network_name)
    try:
        network.load_state_dict(state["best"])
    except RuntimeError:
        raise UserError(
            f"{folder}: trained by another version of this program; train in another --run"
        ) from None
    return network


def stepper(
    system: System, network_name: str, shape: tuple[int, int, int], count: int, device
) -> ConvGRU:
    """A trained network on `count` fields of `shape`, ready for start(), with the memory that the
    config gives it.
    """
    return load(system, network_name).on(shape, count, device, system.config.memory)
