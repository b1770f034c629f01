"""Who of a job's ranks does what next: one list for all of them, and a counter of how much of it is
taken.

The counter lies at rank 0 and is read and moved on by MPI's one-sided Fetch_and_op, so that nobody
hands out work: rank 0 computes like the others.  A library need not serve such a call before rank 0
enters MPI (MPICH 5 does not: ranks waited for all of the 2.8 s that rank 0 was busy), so a thread
of rank 0 looks in every 10 ms (then they waited 5 ms, 27 ms at most).  mpi4py.futures was the other
choice: it keeps one rank as a manager that computes nothing (30 tasks of 0.2 s on three ranks took
3.1 s, from the counter 2.2 s), and a rank that is asked to stop could not put its task back.

Array tasks have a list each (jobs.units): Slurm balances those, by more and shorter tasks than
there is room for.  So do torch's ranks, which train each network together.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from jobs import UserError, signals
from jobs.units import Rank

LOOKS = 0.01  # seconds between two looks of rank 0's thread
WAITS = 0.05  # seconds between two looks of a rank that leaves the last pieces to others
# times as long as the ranks on average: in a model of 64 ranks, 8 of them at half speed, ends are
# then 1.05 to 1.08 of the ideal, else 1.07 to 1.21; equal ranks with unequal units lose nothing
SLOW = 1.4
NEAR = 3  # times as many pieces left as ranks: from there on a rank looks whether it is slow
WHOLE = 1_000_000_000  # the work of all pieces, as counted


class Counter(Protocol):
    def add(self, number: int) -> int:
        """Count on by so much; where it stood before."""

    def tell(self, took: int, work: int) -> None:
        """A piece took so many millionths of a second, for so much work."""

    def counts(self) -> tuple[int, int, int]:
        """Where it stands; what all ranks have told so far, added up."""


class Claims:
    """A list of work, the same for all `ranks` that share it; each piece is one's.

    work: of each piece beside the others, where that is known.  A slow rank then leaves the last
    pieces, fewer than there are ranks, to faster ones, and waits whether they take them.
    """

    def __init__(
        self,
        items: list,
        counter: Counter,
        ranks: int = 1,
        work: Sequence[float] | None = None,
    ):
        self.items, self.counter, self.ranks = items, counter, ranks
        self.taken = 0  # by all ranks, when this one last looked
        self.work = None if work is None else [round(w / sum(work) * WHOLE) for w in work]
        self.pace = [0, 0]  # of this rank so far: seconds in millionths, work
        self.began: tuple[float, int] | None = None  # with which piece, and when

    def take(self) -> Any | None:
        """The next piece; None if there is none left, or this rank leaves them to others and is
        asked to stop.
        """
        if self.work is not None and self.ranks > 1:
            self._tell()
            while self._better_left():
                if signals.asked():
                    return None
                time.sleep(WAITS)
        at = self._add(1)
        self.began = time.monotonic(), at
        return self.items[at] if at < len(self.items) else None

    @property
    def left(self) -> int:
        """How many pieces there were to take, when this rank last looked."""
        return len(self.items) - self.taken

    def _tell(self) -> None:
        """What the piece just done took."""
        if self.began is None or self.began[1] >= len(self.items):
            return
        took, work = round(1e6 * (time.monotonic() - self.began[0])), self.work[self.began[1]]
        self.pace = [self.pace[0] + took, self.pace[1] + work]
        self.counter.tell(took, work)
        self.began = None

    def _better_left(self) -> bool:
        if not self.pace[1] or self.left > NEAR * self.ranks:
            return False
        taken, took, work = self.counter.counts()
        self.taken = min(taken, len(self.items))
        if not 0 < self.left < self.ranks:
            return False
        return self.pace[0] / self.pace[1] > SLOW * took / work

    def each(
        self, left: Callable[[list], str], expect: Callable[[list], None] = lambda pieces: None
    ) -> Iterator[Any]:
        """Piece after piece, as long as there are any.  Raises signals.Stopped, with left(pieces)
        of what nobody has taken, where this rank was asked to stop, but not before the first: each
        life does some of the work.

        expect(pieces): told after each is taken what this rank is likely to have, of several.
        """
        mine: list = []
        while not (mine and signals.asked()):
            piece = self.take()
            if piece is None:
                break
            mine.append(piece)
            if self.ranks > 1:
                expect(self.foreseen(mine))
            yield piece
        rest = self.end() if signals.asked() else []
        if rest:
            raise signals.Stopped(left(rest))

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


def alone(items: list) -> Claims:
    """All of them are this process's."""
    return Claims(items, _Own())


@contextlib.contextmanager
def shared(rank: Rank, items: list, work: Sequence[float] | None = None) -> Iterator[Claims]:
    """The claims to `items`, which are the same on all ranks; they enter and leave together, by the
    end, UserError or signals.Stopped.  After anything else they are to be aborted.

    work: of each item beside the others, if it is known (Claims).

    torch's ranks, who have no such counter, and those of an MPI library without threads get a fixed
    share each.
    """
    if rank.communicator is None or rank.together or not _threads():
        yield alone(items[rank.index :: rank.count])
        return
    counter = _Window(rank.communicator)
    found = Claims(items, counter, rank.count, work)
    try:
        yield found
    except signals.Stopped:  # in the midst of a piece: the others are to take no more either
        found.end()
        counter.free()
        raise
    except UserError:
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

    def tell(self, took: int, work: int) -> None:
        """To nobody."""

    def counts(self) -> tuple[int, int, int]:
        return self.count, 0, 0


class _Window:
    """Of all ranks of an MPI communicator, each of which makes one, at the same time."""

    def __init__(self, communicator):
        from mpi4py import MPI

        self.mpi, self.communicator = MPI, communicator
        self.memory = np.zeros(3 if communicator.Get_rank() == 0 else 0, np.int64)
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

    def tell(self, took: int, work: int) -> None:
        self.told = np.array([took, work])  # which is sent with the next question
        with self.one_at_a_time:
            self.window.Accumulate(self.told, 0, 1, self.mpi.SUM)

    def counts(self) -> tuple[int, int, int]:
        found = np.empty(3, np.int64)
        with self.one_at_a_time:
            self.window.Get_accumulate(found, found, 0, op=self.mpi.NO_OP)
            self.window.Flush(0)
        return tuple(found.tolist())

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
