"""A periodic box cut into slabs, one a rank, and its Fourier transform over all of them.

In space a rank holds whole planes of x, (nx / P, ny, nz); of the spectrum it holds rows of y, (nx,
ny / P, nz / 2 + 1).  Forward: a real-to-complex transform of each plane, blocks packed for their
ranks, one MPI_Alltoall, a transform along x, which then is whole;
inverse: the same backwards.  Packed blocks of one size each, not subarray types: several MPI
libraries move those element by element out of a GPU's memory
(https://github.com/mpi4py/mpi4py-fft/pull/37).  One rank alone needs no MPI.

Transforms along local axes are scipy.fft's on a CPU and cuFFT's, by the same names in cupyx, on a
GPU, a chunk at a time: their memory is that of a chunk.  An MPI library that reads a GPU's memory
is handed it; for others the blocks pass through the host's.
Source: L. Dalcin, M. Mortensen and D. E. Keyes, J. Parallel Distrib. Comput. 128, 137 (2019), with
subarray types.
"""

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

CHUNK_BYTES = {
    "cpu": 1 << 20,
    "gpu": 1 << 28,
}  # worked on at once: on a CPU so that it stays in the caches


class Slabs:
    """The part of a box of `shape` = (nx, ny, nz) cells that is this rank's, and how the ranks work
    on it together.

    communicator: mpi4py's, or None for one rank alone.  device: kernels.device.select's.
    precision: float32 or float64. planes, rows: which x, in space, and which y, of the spectrum,
    are here. Raises ValueError, one line, if the ranks cannot share the box evenly.
    """

    def __init__(self, shape: tuple[int, int, int], precision: str, device, communicator=None):
        self.communicator, self.device = communicator, device
        self.rank, self.ranks = (
            (0, 1) if communicator is None else (communicator.Get_rank(), communicator.Get_size())
        )
        nx, ny, nz = self.shape = shape
        if nx % self.ranks or ny % self.ranks:
            raise ValueError(
                f"a box of {nx} x {ny} x {nz} cells cannot be cut into {self.ranks} equal slabs along x and y"
            )
        self.planes = range(self.rank * nx // self.ranks, (self.rank + 1) * nx // self.ranks)
        self.rows = range(self.rank * ny // self.ranks, (self.rank + 1) * ny // self.ranks)
        self.half = nz // 2 + 1
        self.space, self.spectrum = (len(self.planes), ny, nz), (nx, len(self.rows), self.half)
        self.real, self.complex = np.dtype(precision), np.result_type(precision, np.complex64)
        self.gpu = device.kind == "gpu"
        if self.gpu:
            import cupyx.scipy.fft

            self.xp, self.library, self.more = device.cupy, cupyx.scipy.fft, {}
        else:
            import scipy.fft

            self.xp, self.library, self.more = np, scipy.fft, {"workers": device.workers}
        self.staged = self.gpu and self.ranks > 1 and not takes_gpu_memory(communicator)
        if self.staged:  # blocks on their way out and in
            self.out, self.back = (
                cupyx.empty_pinned(self.spectrum, self.complex) for _ in range(2)
            )

    def space_chunks(self, size: int | None = None) -> Iterator[slice]:
        """Of the planes of x that are here, about `size` bytes each."""
        return chunks(
            len(self.planes),
            self.shape[1] * self.shape[2] * self.real.itemsize,
            size or CHUNK_BYTES[self.device.kind],
        )

    def spectrum_chunks(self) -> Iterator[slice]:
        """Of the planes of k_x."""
        return chunks(
            self.shape[0],
            len(self.rows) * self.half * self.complex.itemsize,
            CHUNK_BYTES[self.device.kind],
        )

    def forward(self, field, out, work, of: Callable = lambda u: u) -> None:
        """The spectrum of of(field) into `out`.  field: space, out and work: spectrum; `work` is
        overwritten; `of` may change the field.
        """
        blocks = (out if self.ranks == 1 else work).reshape(
            self.ranks, len(self.planes), len(self.rows), self.half
        )
        for part in self.space_chunks():
            plane = self.library.rfftn(of(field[part]), axes=(1, 2), **self.more)
            blocks[:, part] = plane.reshape(-1, self.ranks, len(self.rows), self.half).swapaxes(
                0, 1
            )
        self.exchange(work, out)
        for part in self._lines():
            out[:, part] = self.library.fft(out[:, part], axis=0, overwrite_x=True, **self.more)

    def inverse(self, spectrum, out, work, more_work) -> None:
        """The field of `spectrum`, which is kept, into `out`; both work arrays, of the spectrum's
        shape, are overwritten.
        """
        whole = {
            "norm": "forward",
            **self.more,
        }  # not scaled; at the end, once, in the copy that is made anyway
        for part in self._lines():
            work[:, part] = self.library.ifft(spectrum[:, part], axis=0, **whole)
        self.exchange(work, more_work)
        found = work if self.ranks == 1 else more_work
        blocks = found.reshape(self.ranks, len(self.planes), len(self.rows), self.half)
        scale = self.real.type(1 / np.prod(self.shape))
        for part in self.space_chunks():
            plane = blocks[:, part].swapaxes(0, 1).reshape(-1, self.shape[1], self.half)
            field = self.library.irfftn(
                plane, s=self.shape[1:], axes=(1, 2), overwrite_x=True, **whole
            )
            self.xp.multiply(field, scale, out=out[part])

    def _lines(self) -> Iterator[slice]:
        """Of the rows of y that are here: lines along x."""
        return chunks(
            len(self.rows),
            self.shape[0] * self.half * self.complex.itemsize,
            CHUNK_BYTES[self.device.kind],
        )

    def exchange(self, send, receive) -> None:
        """Block p of `send` to rank p, whose block for this rank becomes block p of `receive`;
        nothing if there is one rank.
        """
        if self.ranks == 1:
            return
        if self.staged:
            self.xp.asnumpy(send, out=self.out)
            self.communicator.Alltoall(self.out, self.back)
            receive.set(self.back)
            return
        self.device.synchronize()
        self.communicator.Alltoall(send, receive)

    def gathered(self, numbers) -> np.ndarray:
        """float64 (ranks, n): the n numbers of every rank, on every rank."""
        mine = np.array(numbers, np.float64)
        if self.ranks == 1:
            return mine[None]
        found = np.empty((self.ranks, len(mine)))
        self.communicator.Allgather(mine, found)
        return found

    def shared(self, item) -> list:
        """What every rank hands in, on every rank, in their order."""
        return [item] if self.ranks == 1 else self.communicator.allgather(item)

    def first(self, numbers) -> np.ndarray:
        """The first rank's numbers, float64, on every rank: processors of other kinds may round the
        last bit otherwise.
        """
        found = np.array(numbers, np.float64)
        if self.ranks > 1:
            self.communicator.Bcast(found)
        return found

    def sums(self, numbers) -> np.ndarray:
        """float64 (n,), sums over the ranks, in their order: the same bits on all of them, whatever
        the MPI library.
        """
        return self.gathered(numbers).sum(0)

    def plane_above(self, plane: np.ndarray) -> np.ndarray:
        """The first plane of the next rank (of the first, on the last), on the host; plane: this
        rank's first.
        """
        if self.ranks == 1:
            return plane
        above, plane = np.empty_like(plane), np.ascontiguousarray(plane)
        self.communicator.Sendrecv(
            plane, (self.rank - 1) % self.ranks, recvbuf=above, source=(self.rank + 1) % self.ranks
        )
        return above

    def memory(self) -> float:
        """Bytes that this rank may still take: its even share of its GPU's, or of its node's."""
        if self.gpu:
            runtime = self.xp.cuda.runtime
            mine = (
                platform.node(),
                runtime.deviceGetPCIBusId(runtime.getDevice()),
            )  # indices are of those that a rank is shown
            return runtime.memGetInfo()[0] / self.shared(mine).count(mine)
        return available_memory() / self.shared(platform.node()).count(platform.node())

    def host(self, array) -> np.ndarray:
        return self.device.to_host(array)


def chunks(planes: int, plane_bytes: int, size: int) -> Iterator[slice]:
    """Slices of 0 ... planes, about `size` bytes each."""
    some = max(1, size // plane_bytes)
    return (slice(first, min(planes, first + some)) for first in range(0, planes, some))


def takes_gpu_memory(communicator, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether MPI may be handed arrays in a GPU's memory.

    QUENCH_GPU_AWARE_MPI = 1 or 0 decides; else what the library says of itself (MPI 4.1's
    mpi_memory_alloc_kinds), or the variables that switch it on in Cray's MPICH and MVAPICH2.  If
    nothing says so: no, which is slower and works everywhere.
    """
    asked = environment.get("QUENCH_GPU_AWARE_MPI")
    if asked in ("0", "1"):
        return asked == "1"
    kinds = communicator.Get_info().Get("mpi_memory_alloc_kinds") or ""
    known = any(kind.partition(":")[0] == "cuda" for kind in kinds.split(","))
    return known or "1" in (
        environment.get("MPICH_GPU_SUPPORT_ENABLED"),
        environment.get("MV2_USE_CUDA"),
    )


def available_memory(environment: Mapping[str, str] = os.environ) -> float:
    """Bytes that this node has free, or would free for a program, or a Slurm job's share of them;
    inf where the system does not say.
    """
    free = float("inf")
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(
            1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")
        )
    asked = (
        environment.get("SLURM_MEM_PER_NODE"),
        environment.get("SLURM_MEM_PER_CPU"),
        environment.get("SLURM_CPUS_ON_NODE", "1"),
    )
    with contextlib.suppress(ValueError):
        megabytes = int(asked[0]) if asked[0] else int(asked[1] or 0) * int(asked[2])
        if megabytes > 0:  # 0: all that there is
            return min(free, megabytes * 2.0**20)
    return free
