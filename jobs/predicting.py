"""What the predict stages of all studies begin with: the device, the data, what --input asks for,
trained networks.
"""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from jobs import UserError, checkpoint
from jobs.progress import Progress
from jobs.rundir import System
from jobs.training import torch_device, use
from jobs.units import Rank


def begin(
    systems: list[System],
    rank: Rank,
    request,
    device,
    progress: Progress,
    check: Callable,
    answer: Callable,
) -> str | None:
    """torch's name of the device, all systems checked by check(system); None where --input asked.

    answer(system, request, device, name, progress) then answers, in one process.
    """
    device_kind = torch_device(device, request.device, progress.say)
    use(device_kind, device.workers)
    if request.input is not None and len(systems) > 1:
        raise UserError(
            f"--input: {request.run} holds {len(systems)} systems; give one of them as --run"
        )
    for system in systems:
        check(system)
    if request.input is None:
        return device_kind
    if rank.index == rank.task == 0:
        answer(systems[0], request, device, device_kind, progress)
    return None


def restored(
    network: nn.Module,
    folder: Path,
    entry: str,
    belongs: dict,
    device: str,
    say: Callable[[str], None],
) -> nn.Module:
    """The network, on its device, with the weights that its finished checkpoint has as `entry`.
    Raises UserError without one.
    """
    state = checkpoint.load(folder / "checkpoint.pt", say, **belongs)
    if state is None or not state["finished"]:
        raise UserError(
            f"{folder}: its checkpoint cannot be used; remove its test.h5 and train again"
        )
    try:
        network.load_state_dict(state[entry])
    except RuntimeError:
        raise UserError(
            f"{folder}: trained by another version of this program; train in another --run"
        ) from None
    return network.to(device).eval()
