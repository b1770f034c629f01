"""Who does what: array task k of K has units[k::K], of which its MPI ranks take one after another
(jobs.claims); of what a stage deals out beforehand rank r of P takes [(k*P + r)::(K*P)].

Ranks never wait for one another while they work; they meet where a stage begins and ends.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs import UserError
from kernels.device import available_cores

GAPS = (
    "this array's ids have gaps, and its tasks cannot tell which shares are nobody's: submit it without gaps, such as "
    "--array=0-3, or one id alone, which does all that is missing; what is finished is skipped"
)


@dataclass
class Rank:
    """This process among the others: rank `index` of `count`, in array task `task` of `tasks`."""

    task: int = 0
    tasks: int = 1
    index: int = 0
    count: int = 1
    communicator: Any = None  # mpi4py's, or jobs.distributed's, when there are ranks
    together: bool = (
        False  # the ranks are torch's: networks that can be are trained by all of them at once
    )

    def share(self, items: Sequence) -> list:
        """The items that are this process's to do."""
        return list(items[self.task * self.count + self.index :: self.tasks * self.count])

    @property
    def job(self) -> "Rank":
        """All ranks of this array task as one."""
        return Rank(self.task, self.tasks)

    def of_the_first(self, make: Callable[[], Any]) -> Any:
        """What `make()` returns, or the UserError that it raises, on rank 0, on every rank; the
        others do not call it.
        """
        found, problem = None, None
        if self.index == 0:
            try:
                found = make()
            except UserError as error:
                problem = str(error)
        found, problem = self.gather((found, problem))[0]
        if problem is not None:
            raise UserError(problem)
        return found

    def gather(self, item) -> list:
        """What every rank hands in, on every rank; ranks wait for one another here."""
        return [item] if self.communicator is None else self.communicator.allgather(item)

    def __str__(self) -> str:
        return f"task {self.task} of {self.tasks}, rank {self.index} of {self.count}"


def here(task: str | None, environment: Mapping[str, str] = os.environ) -> Rank:
    """Where this process stands: --task k/K, else QUENCH_TASK and QUENCH_TASKS, else Slurm's array;
    and its rank, torch's or MPI's.
    """
    k, count = array_task(task, environment)
    if _count(environment, "WORLD_SIZE") > 1 and {"RANK", "MASTER_ADDR"} <= set(environment):
        from jobs.distributed import Ranks  # torch takes seconds to import

        ranks = Ranks(environment)
        return Rank(k, count, ranks.rank, ranks.size, ranks, together=True)
    communicator = world(environment)
    if communicator is None:
        return Rank(k, count)
    return Rank(k, count, communicator.Get_rank(), communicator.Get_size(), communicator)


def array_task(task: str | None, environment: Mapping[str, str]) -> tuple[int, int]:
    """(k, K), k counted from 0."""
    if task is not None:
        match = re.fullmatch(r"(\d+)/(\d+)", task)
        k, count = map(int, match.groups()) if match else (0, 0)
        if k >= count:
            raise UserError(
                f"--task {task}: expected k/K with k from 0 to K - 1, such as --task 0/4"
            )
        return k, count
    try:
        if "QUENCH_TASKS" in environment:
            k, count = int(environment.get("QUENCH_TASK", "0")), int(environment["QUENCH_TASKS"])
            source = "QUENCH_TASK and QUENCH_TASKS"
        elif "SLURM_ARRAY_TASK_ID" in environment:
            first, step = (
                int(environment["SLURM_ARRAY_TASK_MIN"]),
                int(environment.get("SLURM_ARRAY_TASK_STEP", "1")),
            )
            k, count = (
                int(environment["SLURM_ARRAY_TASK_ID"]) - first,
                int(environment["SLURM_ARRAY_TASK_COUNT"]),
            )
            if step < 1:
                raise ValueError(f"SLURM_ARRAY_TASK_STEP = {step}")
            if "SLURM_JOB_ID" not in environment:  # left behind in a shell, or in a script's copy
                raise ValueError(
                    "SLURM_ARRAY_TASK_ID is set, and no SLURM_JOB_ID: is this an array?"
                )
            last = int(environment.get("SLURM_ARRAY_TASK_MAX", first + (count - 1) * step))
            if last != first + (count - 1) * step:
                raise UserError(GAPS)
            k //= step
            source = "SLURM_ARRAY_TASK_ID"
        else:
            return 0, 1
    except (KeyError, ValueError) as error:
        raise UserError(
            f"cannot tell this array task from the environment ({error}); use --task k/K"
        ) from None
    if not 0 <= k < count:
        raise UserError(
            f"{source}: task {k} of {count} does not exist; use --array=0-7, or --task k/K"
        )
    return k, count


def world(environment: Mapping[str, str]):
    """mpi4py's COMM_WORLD when several ranks were launched (mpiexec, srun), else None; mpi4py stays
    out otherwise.
    """
    launched = any(
        _count(environment, name) > 1
        for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")
    )
    stepped = _count(environment, "SLURM_STEP_NUM_TASKS") > 1
    if "mpi4py" not in sys.modules and not launched and not stepped:
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f"launched as several MPI ranks, but mpi4py cannot be used ({str(error).splitlines()[0]}); "
            "install mpi4py and an MPI library"
        ) from None
    found = _count(environment, "SLURM_STEP_NUM_TASKS") if stepped else 1
    if MPI.COMM_WORLD.Get_size() == 1 and found > 1:
        raise UserError(
            f"srun started {found} tasks that do not see one another as MPI ranks; use srun --mpi=pmi2 "
            "(or pmix), or mpiexec"
        )
    return MPI.COMM_WORLD if MPI.COMM_WORLD.Get_size() > 1 else None


def _count(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    return int(text) if text.isdigit() else 0


def workers(rank: Rank) -> int | None:
    """CPU workers: what Slurm gave this task, whose cores need not be bound; for one of several
    ranks that share a node unbound an even share.  None: let the device decide.
    """
    given = _count(os.environ, "SLURM_CPUS_PER_TASK")
    if given:
        return min(given, available_cores())
    if rank.communicator is None:
        return None
    if rank.together:
        neighbours = rank.communicator.neighbours
    else:
        from mpi4py import MPI

        neighbours = rank.communicator.Split_type(MPI.COMM_TYPE_SHARED).Get_size()
    cores, mine = os.cpu_count() or 1, len(os.sched_getaffinity(0))
    return None if mine < cores else max(1, cores // neighbours)
