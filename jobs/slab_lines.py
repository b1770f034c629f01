"""Slabs whose lines kernels.cahn_hilliard_slab transforms over lanes, and how lines pass between
ranks.

A step is two passes through memory: one over this rank's planes, and one over its rows of ky, whose
lines along x go through all slabs.  Nothing is packed or sorted between them.  Ranks that share a
node's memory read and write one another's planes where they lie, and only wait for one another.
Elsewhere, rows of some planes are sent as soon as these are through, and come back chunk by chunk,
each while the next is at work: MPI_Isend and MPI_Irecv of derived types, whose blocks are whole
rows of some ten kilobytes.  QUENCH_SHARED_RANKS says how many ranks of a node share memory at most;
1: none, they send messages.

What is shared is an anonymous file of each rank's (memfd_create) that the others open: an MPI
window (MPI_Win_allocate_shared) lies in /dev/shm, which containers keep small, and can only be
given back by all ranks at a time.
"""

import contextlib
import mmap
import os
from collections.abc import Mapping

import numpy as np

from jobs.slabs import Slabs
from kernels.cahn_hilliard import CahnHilliard
from kernels.cahn_hilliard_clock import ORDERS
from kernels.cahn_hilliard_pairs import rows_of
from kernels.cahn_hilliard_part import GO_ON, RESTORE, START, tiles_shape
from kernels.cahn_hilliard_slab import Slab

STEP = GO_ON  # of an x pass


class SlabLines:
    """A box in slabs over several ranks on CPUs: as jobs.large_box.SlabSpectrum, several times as
    fast.
    """

    def __init__(self, model: CahnHilliard, slabs: Slabs, scheme: str, words: np.ndarray):
        self.slabs = slabs
        size = int(np.prod(tiles_shape(model, slabs.ranks))) * slabs.real.itemsize
        near = sharing(slabs.communicator)
        memory = shared_memory(near, size)
        if memory is None:
            near, memory = near.Split(near.Get_rank()), [None]
        how = words, ORDERS[scheme], scheme == "adaptive"
        self.slab = Slab(model, *how, slabs.rank, slabs.ranks, memory[near.Get_rank()])
        self.exchange = Exchange(slabs, self.slab, near, memory)
        self.put, self.planes = self.slab.put, self.slab.planes
        self.stiffness = self.slab.stiffness

    @property
    def looked(self) -> bool:
        return self.slab.looked

    def rows(self, rank: int) -> np.ndarray:
        """ky of a rank's rows, as `arrays` have them."""
        return np.sort(rows_of(self.slabs.shape[1], rank, self.slabs.ranks))

    def start(self, medium: np.ndarray) -> None:
        self.slab.medium[:] = medium[0]
        self.slab.reset()
        self._planes(START)
        self._lines(START)
        self.exchange.meet()

    def restore(self, medium: np.ndarray, clock: np.ndarray, looked: bool) -> None:
        self.slab.medium[:], self.slab.clock[:] = medium[0], clock
        self._lines(RESTORE)
        self.exchange.meet()
        if looked:
            self.slab.to_real()

    def arrays(self, clock: np.ndarray) -> dict:
        self.slab.clock[:] = clock  # says which of its arrays is which
        return self.slab.coefficients()

    def step(self, until: float) -> np.ndarray:
        slab, slabs = self.slab, self.slabs
        slab.until[0] = until
        self._planes(slab.mode)
        self._lines(STEP)
        # where all ranks meet, those too that share memory
        slabs.communicator.Allgather(slab.totals, slab.sums)
        slab.tick()
        # processors of other kinds may round the last bit otherwise
        slabs.communicator.Bcast(slab.clock.view(np.float64))
        return slab.clock.copy()

    def _planes(self, mode: int) -> None:
        """The plane pass; then this rank's rows are here, of all planes."""
        self.exchange.expect_tiles()
        for first, last in self.exchange.tiles:
            self.slab.plane_pass(mode, first, last)
            self.exchange.send_tiles(first, last)
        self.exchange.wait()
        self.exchange.meet()

    def _lines(self, mode: int) -> None:
        """The x pass; then this rank's planes are here, with all rows, once the ranks have met."""
        self.exchange.expect_rows()
        for chunk, (first, last) in enumerate(self.exchange.groups):
            self.slab.line_pass(mode, first, last)
            self.exchange.send_rows(chunk)
        self.exchange.wait()
        self.slab.mode = GO_ON


class Exchange:
    """Of a slab's planes and rows with those of the other ranks.

    near: communicator of the ranks whose tiles this one reads and writes, each in its `memory`.
    tiles, groups: (first, last) of the parts in which the two passes go.
    """

    def __init__(self, slabs: Slabs, slab: Slab, near, memory: list):
        self.communicator, self.near, self.slab = slabs.communicator, near, slab
        self.memory = memory  # addresses in it are all that the slab knows
        self.requests: list = []
        here, count = near.allgather(slabs.rank), len(slab.field)
        self.elsewhere = [rank for rank in range(slabs.ranks) if rank not in here]
        # [rank elsewhere, chunk, tile, row, ...]
        self.copies = slab.copies(len(self.elsewhere))
        self.tiles, self.groups = [(0, count)], [(0, slab.groups)]
        for rank, memory_there in zip(here, memory, strict=True):
            slab.find(rank, slab.field if rank == slabs.rank else memory_there)
        for rank, copy in zip(self.elsewhere, self.copies, strict=True):
            slab.find(rank, copy, far=True)
        if not self.elsewhere:
            return
        self.tiles = [(tile, tile + 1) for tile in range(count)]
        self.groups = list(zip([0, *slab.through], slab.through, strict=False))
        row = self._type("Create_contiguous", byte_type(), slab.row_bytes)
        chunks, chunk_rows, places = self.copies.shape[1], self.copies.shape[3], slab.places
        # of one tile: the rows of a rank, there and as copies here
        self.rows_of = [self._type("Create_indexed_block", row, 1, each) for each in places]
        self.as_copies = self._type("Create_vector", row, chunks, chunk_rows, count * chunk_rows)
        # of all tiles: the rows of one chunk
        first_row = np.arange(count)[:, None] * slab.field.shape[1]
        self.chunk_of = [
            [
                self._type("Create_indexed_block", row, 1, (first_row + some).ravel())
                for some in each.reshape(chunks, chunk_rows)
            ]
            for each in places
        ]
        self.chunk = self._type("Create_contiguous", row, count * chunk_rows)

    @staticmethod
    def _type(kind: str, of, *how):
        """Of MPI, ready for use."""
        return getattr(of, kind)(*how).Commit()

    def expect_tiles(self) -> None:
        """Before a plane pass: this rank's rows of planes elsewhere."""
        for rank, copy in zip(self.elsewhere, self.copies, strict=True):
            for tile in range(len(self.tiles)):
                place = [copy[0, tile:], 1, self.as_copies]
                self.requests.append(self.communicator.Irecv(place, rank, tile))

    def send_tiles(self, first: int, last: int) -> None:
        """After the plane pass of some tiles."""
        for tile in range(first, last):
            for rank in self.elsewhere:
                rows = [self.slab.field[tile], 1, self.rows_of[rank]]
                self.requests.append(self.communicator.Isend(rows, rank, tile))
        self._go_on()

    def expect_rows(self) -> None:
        """Before an x pass: the rows of this rank's planes that are elsewhere."""
        for rank in self.elsewhere:
            for chunk, rows in enumerate(self.chunk_of[rank]):
                place = [self.slab.field, 1, rows]
                self.requests.append(self.communicator.Irecv(place, rank, chunk))

    def send_rows(self, chunk: int) -> None:
        """After the x pass of a chunk of this rank's rows."""
        for rank, copy in zip(self.elsewhere, self.copies, strict=True):
            rows = [copy[chunk], 1, self.chunk]
            self.requests.append(self.communicator.Isend(rows, rank, chunk))
        self._go_on()

    def _go_on(self) -> None:
        """Many MPI libraries move messages only while one of their functions is called."""
        for request in self.requests:
            request.Test()

    def wait(self) -> None:
        """For all that was expected."""
        for request in self.requests:
            request.Wait()
        self.requests.clear()

    def meet(self) -> None:
        """The ranks that share this one's memory."""
        if self.near.Get_size() > 1:
            self.near.Barrier()


def byte_type():
    from mpi4py import MPI

    return MPI.BYTE


def sharing(communicator, environment: Mapping[str, str] = os.environ):
    """Communicator of the ranks of this one's node; QUENCH_SHARED_RANKS of them at most."""
    from mpi4py import MPI

    node = communicator.Split_type(MPI.COMM_TYPE_SHARED)
    most = environment.get("QUENCH_SHARED_RANKS", "")
    if not most.isdigit() or int(most) < 1:
        return node
    return node.Split(node.Get_rank() // int(most))


def shared_memory(communicator, size: int) -> list | None:
    """Of each rank `size` bytes, zeroed, that all of them read and write: uint8 arrays in the order
    of the ranks; [None] of one rank alone; None where the system does not allow it, on all of them.
    """
    if communicator.Get_size() == 1:
        return [None]
    mark, mine, maps = os.urandom(16), (0, -1), []
    with contextlib.suppress(OSError, AttributeError):  # not Linux, or a sandbox
        file = os.memfd_create("quench-slab")
        os.ftruncate(file, size)
        mine = (os.getpid(), file)
        os.pwrite(file, mark, 0)
    with contextlib.suppress(OSError, ValueError):
        for process, number in communicator.allgather(mine):
            there = os.open(f"/proc/{process}/fd/{number}", os.O_RDWR | os.O_CLOEXEC)
            try:
                maps.append(mmap.mmap(there, size))
            finally:
                os.close(there)
            if hasattr(mmap, "MADV_HUGEPAGE"):  # few systems have any for shared memory
                maps[-1].madvise(mmap.MADV_HUGEPAGE)
    marks = communicator.allgather(mark)
    found = [bytes(each[: len(mark)]) for each in maps] == marks
    everywhere = all(communicator.allgather(found))
    if mine[1] >= 0:
        os.pwrite(mine[1], bytes(len(mark)), 0)
        os.close(mine[1])
    communicator.Barrier()  # nobody puts a field where a mark will be wiped out
    return [np.frombuffer(each, np.uint8) for each in maps] if everywhere else None
