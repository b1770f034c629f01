"""Several processes that train one network together: torch.distributed, under torchrun or srun.

They are told of one another by torch's own variables RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
MASTER_PORT:

    torchrun --nproc-per-node 4 -m -- jobs segregation train ...    (without the -- torchrun takes
    --run for its own) export MASTER_ADDR=$(hostname) MASTER_PORT=29500 WORLD_SIZE=$SLURM_NTASKS
    srun bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID exec python -m jobs segregation train
    ...'
"""

import atexit
import os
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import torch
import torch.distributed
from torch import Tensor, nn

from jobs import UserError, signals

MEETING = timedelta(seconds=300)  # the ranks of a job begin one after another
ANNOUNCED = 5.0  # seconds, after which a rank says that it waits
PATIENCE = timedelta(days=7)  # a rank may wait for hours where the stages meet


class Ranks:
    """torch's process group, with as much of mpi4py's communicator as the stages use."""

    def __init__(self, environment: Mapping[str, str]):
        where = f"{environment.get('MASTER_ADDR')}:{environment.get('MASTER_PORT')}"
        names = ("RANK", "WORLD_SIZE", "MASTER_PORT")
        wrong = [name for name in names if not environment.get(name, "").isdigit()]
        if wrong:
            raise UserError(
                f"{wrong[0]} is {environment.get(wrong[0])!r}: of several processes that train together each needs "
                f"{', '.join(names)} and MASTER_ADDR; unset WORLD_SIZE to train alone"
            )
        waiting = threading.Timer(
            ANNOUNCED,
            print,
            [
                f"rank {environment['RANK']} of {environment['WORLD_SIZE']} waits for the others at {where}, for at most "
                f"{MEETING.seconds} s; WORLD_SIZE, RANK and MASTER_ADDR are set: to train alone, unset them"
            ],
            {"file": sys.stderr, "flush": True},
        )
        waiting.daemon = True
        waiting.start()
        try:
            torch.distributed.init_process_group("gloo", timeout=MEETING)
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"rank {environment['RANK']} of {environment['WORLD_SIZE']} did not meet the others at {where} within "
                f"{MEETING.seconds} s ({str(error).splitlines()[0][:120]}); unset WORLD_SIZE to train alone"
            ) from None
        finally:
            waiting.cancel()
        atexit.register(torch.distributed.destroy_process_group)
        self.rank, self.size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self.neighbours = int(
            environment.get("LOCAL_WORLD_SIZE")
            or environment.get("SLURM_NTASKS_PER_NODE")
            or self.size
        )

    def allgather(self, item) -> list:
        """What every rank hands in, on every rank."""
        found = [None] * self.size
        torch.distributed.all_gather_object(found, item, group=patient())
        return found

    def Abort(self, code: int) -> None:
        """End at once, without waiting for the others; their launcher ends them too."""
        os._exit(code)


@cache
def patient():
    """The group over which all ranks speak, whatever their device."""
    return torch.distributed.new_group(backend="gloo", timeout=PATIENCE)


@cache
def group(kind: str):
    """The group that adds up gradients on devices of a kind, cpu or cuda."""
    return torch.distributed.new_group(backend="nccl") if kind == "cuda" else patient()


def rank() -> int:
    """This process's number among those that train together; 0 where it trains alone."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def ranks() -> int:
    """How many processes train together; 1 where this one trains alone."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def wrapped(network: nn.Module, device: str) -> nn.Module:
    """The network, with the first rank's weights; its gradients are means over the ranks.  Alone:
    as it is.
    """
    if ranks() == 1:
        return network
    kind = torch.device(device).type
    devices = [torch.device(device)] if kind == "cuda" else None
    return nn.parallel.DistributedDataParallel(
        network, device_ids=devices, process_group=group(kind)
    )


def total(numbers: Tensor) -> Tensor:
    """The sum over the ranks, on the CPU."""
    numbers = numbers.cpu()
    if ranks() > 1:
        torch.distributed.all_reduce(numbers, group=patient())
    return numbers


def asked_to_stop() -> bool:
    """Whether any rank is to come to an end: the same answer on all of them."""
    return bool(total(torch.tensor([float(signals.asked())])))


def of_the_first(make):
    """What `make()` returns on the first rank, on every rank; the others do not call it."""
    if ranks() == 1:
        return make()
    found = [make() if rank() == 0 else None]
    torch.distributed.broadcast_object_list(found, src=0, group=patient())
    return found[0]
