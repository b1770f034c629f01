"""Who of a job's ranks does what next: one list for all of them, and a counter of how much of it is
taken.

The counter lies at rank 0 and is read and moved on by MPI's one-sided Fetch_and_op, so that nobody
hands out work: rank 0 computes like the others.  A library need not serve such a call before rank 0
enters MPI (MPICH 5 does not: ranks waited for all of the 2.8 s that rank 0 was busy), so a thread
of rank 0 looks in every 10 ms (then they waited 5 ms, 27 ms at most).  mpi4py.futures was the other
choice: it keeps one rank as a manager that computes nothing (30 tasks of 0.2 s on three ranks took
3.1 s, from the counter 2.2 s), and a rank that is asked to stop could not put its task back.

Array tasks have a list each (jobs.units): Slurm balances those, by more and shorter tasks than
there is room for.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from jobs import UserError, signals
from jobs.units import Rank

LOOKS = 0.01  # seconds between two looks of rank 0's thread


class Counter(Protocol):
    def add(self, number: int) -> int:
        """Count on by so much; where it stood before."""


class Claims:
    """A list of work, the same for all `ranks` that share it; each piece is one's."""

    def __init__(self, items: list, counter: Counter, ranks: int = 1):
        self.items, self.counter, self.ranks = items, counter, ranks
        self.taken = 0  # by all ranks, when this one last looked

    def take(self) -> Any | None:
        """The next piece; None if there is none left."""
        at = self._add(1)
        return self.items[at] if at < len(self.items) else None

    def end(self) -> list:
        """From now on nobody takes any; what was left.  The ranks after the first one find none."""
        return self.items[self._add(len(self.items)) :]

    def foreseen(self, mine: list) -> list:
        """What this rank took, `mine`, and as much of what was left then as it will take if its
        share stays what it was.
        """
        of_all = max(self.taken, self.ranks) / max(len(mine), 1)
        return mine + self.items[self.taken :: max(1, round(of_all))]

    def _add(self, number: int) -> int:
        at = self.counter.add(number)
        self.taken = min(at + number, len(self.items))
        return at


@contextlib.contextmanager
def shared(rank: Rank, items: list) -> Iterator[Claims]:
    """The claims to `items`, which are the same on all ranks; they enter and leave together, by the
    end, UserError or signals.Stopped.  After anything else they are to be aborted.

    torch's ranks, who have no such counter, and those of an MPI library without threads get a fixed
    share each.
    """
    if rank.communicator is None or rank.together or not _threads():
        yield Claims(items[rank.index :: rank.count], _Own())
        return
    counter = _Window(rank.communicator)
    try:
        yield Claims(items, counter, rank.count)
    except (UserError, signals.Stopped):
        counter.free()
        raise
    counter.free()


def _threads() -> bool:
    from mpi4py import MPI

    return MPI.Query_thread() >= MPI.THREAD_SERIALIZED


class _Own:
    """Of a process that shares its list with nobody."""

    count = 0

    def add(self, number: int) -> int:
        self.count += number
        return self.count - number


class _Window:
    """Of all ranks of an MPI communicator, each of which makes one, at the same time."""

    def __init__(self, communicator):
        from mpi4py import MPI

        self.mpi, self.communicator = MPI, communicator
        self.memory = np.zeros(int(communicator.Get_rank() == 0), np.int64)
        self.window = MPI.Win.Create(self.memory, self.memory.itemsize, comm=communicator)
        self.one_at_a_time = threading.Lock()  # MPI_THREAD_SERIALIZED is enough
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look_in, daemon=True)
        self.window.Lock_all()
        if len(self.memory):
            self.thread.start()

    def add(self, number: int) -> int:
        before = np.empty(1, np.int64)
        with self.one_at_a_time:
            self.window.Fetch_and_op(np.array([number]), before, 0, op=self.mpi.SUM)
            self.window.Flush(0)
        return int(before[0])

    def free(self) -> None:
        """All ranks meet here; rank 0 serves the others meanwhile, being inside MPI."""
        if len(self.memory):
            self.over.set()
            self.thread.join()
        self.window.Unlock_all()
        self.window.Free()

    def _look_in(self) -> None:
        while not self.over.wait(LOOKS):
            with self.one_at_a_time:
                self.communicator.Iprobe()
