"""Where kernels run: a GPU through cupy.RawModule, or this machine's cores through the system C++
compiler.

A .cu file is compiled for one set of #defines. On a CPU the very same file is built as a shared
library by `c++`, with cpu.h standing in for CUDA (a block is one wide thread); the library is kept
in a cache whose key is the source with its headers, the flags, the compiler and the CPU's features,
since the nodes of one cluster differ. A library is built under a temporary name and renamed, so
that any number of ranks may start at once.
"""

import contextlib
import ctypes
import hashlib
import mmap
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
FLAGS = (
    "-O3",
    "-march=native",
    "-std=c++17",
    "-shared",
    "-fPIC",
    "-Wno-psabi",
    "-Wno-unknown-pragmas",
    "-Wno-attributes",
)
HUGE_PAGE = 2 << 20
UNDISTURBED = (
    "sh",
    "-c",
    'trap "" USR1 TERM; exec "$@"',
    "sh",
)  # by what Slurm sends to all processes of a step, compilers too


class DeviceError(RuntimeError):
    """The device asked for is not there, or its compiler is missing or fails; the message says what
    to do.
    """


def source_of(name: str) -> str:
    """Source text of kernels/`name` with this folder's headers in place of their #includes (each
    once).
    """
    seen = set()

    def text(file: str) -> str:
        if file in seen:
            return ""
        seen.add(file)
        source = (FOLDER / file).read_text()
        return re.sub(r'^#include "(.+)"$', lambda m: text(m[1]), source, flags=re.M).replace(
            "#pragma once", ""
        )

    return text(name)


def select(name: str = "auto", workers: int | None = None, lanes: int = 16) -> "Cpu | Gpu":
    """The device to run on.

    name: `auto` takes a GPU where cupy finds one, else the CPU; `cpu`; `gpu`.
    workers: CPU threads (default: all cores this process may use).
    lanes: 32-bit words a CPU vector holds, 1 to 16; changes the speed, never a result.
    Raises DeviceError: no GPU, or no C++ compiler.
    """
    if name not in ("auto", "cpu", "gpu"):
        raise DeviceError(f"device is {name!r}; it must be auto, cpu or gpu")
    if lanes not in (1, 2, 4, 8, 16):
        raise DeviceError(f"lanes is {lanes}; it must be 1, 2, 4, 8 or 16")
    if name != "cpu":
        problem = gpu_problem()
        if problem is None:
            return Gpu()
        if name == "gpu":
            raise DeviceError(f"no GPU to run on: {problem}")
    return Cpu(workers or available_cores(), lanes)


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_problem() -> str | None:
    """Why cupy cannot run here, in a line; None where it can."""
    try:
        import cupy
    except ImportError:
        return "cupy is not installed (pip install 'quench[cuda12]' or 'quench[cuda13]')"
    try:
        if cupy.cuda.runtime.getDeviceCount() == 0:
            return "cupy sees no CUDA device"
        capability = cupy.cuda.Device().compute_capability
        return (
            None
            if int(capability) >= 80
            else f"the GPU's compute capability is {capability}; 80 or more is needed"
        )
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"cupy sees no CUDA device ({error})"


class Cpu:
    """This machine's cores. Arrays are NumPy arrays on 64-byte boundaries."""

    kind = "cpu"

    def __init__(self, workers: int, lanes: int):
        self.workers, self.lanes = workers, lanes
        # of a vector register: compilers spill the long sums of transforms over wider ones, which
        # then take five times as long
        self.float_lanes = min(lanes, 16 if "avx512f" in cpu_features().split() else 8)
        self.name = f"{cpu_model()}, {workers} thread{'s' if workers > 1 else ''}"
        self._pool = ThreadPoolExecutor(workers)

    def module(self, file: str, defines: dict) -> "CpuModule":
        return CpuModule(self, build(file, tuple(sorted({"LANES": self.lanes, **defines}.items()))))

    def zeros(self, shape, dtype) -> np.ndarray:
        """Zeroed array on a cache line; a large one on huge pages, which spares a strided kernel
        its TLB misses.
        """
        shape = (shape,) if np.isscalar(shape) else tuple(shape)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size < HUGE_PAGE:
            raw = np.zeros(size + 64, np.uint8)
            start = -raw.ctypes.data % 64
        else:
            memory = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                with contextlib.suppress(OSError):  # a kernel without huge pages
                    memory.madvise(mmap.MADV_HUGEPAGE)
            raw = np.frombuffer(memory, np.uint8)
            start = -raw.ctypes.data % HUGE_PAGE
        return raw[start : start + size].view(dtype).reshape(shape)

    def asarray(self, values, dtype=None) -> np.ndarray:
        values = np.asarray(values, dtype)
        array = self.zeros(values.shape, values.dtype)
        array[...] = values
        return array

    def to_host(self, array) -> np.ndarray:
        return array

    def synchronize(self) -> None:
        pass


class CpuModule:
    """A built .cu file; `launch` spreads the blocks over the workers."""

    def __init__(self, device: Cpu, library: ctypes.CDLL):
        self.device, self.library = device, library

    def launch(
        self, kernel: str, blocks: int, arguments: list, threads: int = 1, shared_bytes: int = 0
    ) -> None:
        function = getattr(self.library, kernel)
        values = [as_ctypes(a) for a in arguments]
        remaining = iter(range(blocks))

        def work(_):
            for block in remaining:  # next() on an iterator over a range is atomic
                self.library.select_block(block)
                function(*values)

        if min(blocks, self.device.workers) == 1:
            work(0)
        else:
            list(self.device._pool.map(work, range(min(blocks, self.device.workers))))


def as_ctypes(argument):
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        return ctypes.c_void_p(argument.ctypes.data)
    return {"i": ctypes.c_int, "u": ctypes.c_uint}[np.dtype(type(argument)).kind](int(argument))


def local_rank() -> int:
    """This process's place among those on its node, as the launcher gives it; 0 without one."""
    names = (
        "LOCAL_RANK",
        "SLURM_LOCALID",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "MPI_LOCALRANKID",
        "PALS_LOCAL_RANKID",
    )
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), 0)


class Gpu:
    """A CUDA device; the ranks of a node take its devices in turn."""

    kind, lanes, float_lanes, workers = "gpu", 1, 1, 1

    def __init__(self):
        import cupy

        self.cupy = cupy
        self.index = local_rank() % cupy.cuda.runtime.getDeviceCount()
        cupy.cuda.Device(self.index).use()
        self.properties = cupy.cuda.runtime.getDeviceProperties(self.index)
        self.name = self.properties["name"].decode()
        attributes = cupy.cuda.Device(self.index).attributes  # CUDA 13's properties have no clocks
        self.clock = attributes["ClockRate"] * 1e3  # 1 / s
        self.memory_rate = (
            2 * attributes["MemoryClockRate"] * 1e3 * attributes["GlobalMemoryBusWidth"] / 8
        )  # bytes / s
        self.processors = self.properties["multiProcessorCount"]
        self.shared_bytes = self.properties["sharedMemPerBlockOptin"]
        self.shared_bytes_of_processor = self.properties["sharedMemPerMultiprocessor"]

    def module(self, file: str, defines: dict) -> "GpuModule":
        # cupy keeps compiled code by source and options; the headers are in the source, so a
        # changed one is seen
        options = ("-std=c++17", *(f"-D{key}={value}" for key, value in sorted(defines.items())))
        return GpuModule(self, self.cupy.RawModule(code=source_of(file), options=options))

    def zeros(self, shape, dtype):
        return self.cupy.zeros(shape, dtype)

    def asarray(self, values, dtype=None):
        return self.cupy.ascontiguousarray(self.cupy.asarray(values, dtype))

    def to_host(self, array) -> np.ndarray:
        return self.cupy.asnumpy(array)

    def synchronize(self) -> None:
        self.cupy.cuda.get_current_stream().synchronize()


class GpuModule:
    def __init__(self, device: Gpu, module):
        self.device, self.module = device, module

    def launch(
        self, kernel: str, blocks: int, arguments: list, threads: int = 1, shared_bytes: int = 0
    ) -> None:
        function = self.module.get_function(kernel)
        if shared_bytes:
            function.max_dynamic_shared_size_bytes = shared_bytes
        null = np.uintp(0)
        assert all(a is None or np.isscalar(a) or a.flags.c_contiguous for a in arguments)
        function(
            (blocks,),
            (threads,),
            tuple(null if a is None else a for a in arguments),
            shared_mem=shared_bytes,
        )


@cache
def cpu_model() -> str:
    try:
        return re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        return platform.processor() or platform.machine()


@cache
def cpu_features() -> str:
    try:
        return " ".join(
            sorted(
                re.search(r"(?:flags|Features)\s*: (.+)", Path("/proc/cpuinfo").read_text())[
                    1
                ].split()
            )
        )
    except (OSError, TypeError):
        return cpu_model()


@cache
def compiler() -> tuple[tuple[str, ...], str]:
    """The C++ compiler's command and version. CXX is honoured. Raises DeviceError if there
    is none.
    """
    name = os.environ.get("CXX") or next(
        (c for c in ("c++", "g++", "clang++") if shutil.which(c)), None
    )
    command = shlex.split(name) if name else []
    if not command or not shutil.which(command[0]):
        raise DeviceError(
            f"no C++ compiler found ({name or 'c++, g++, clang++'}): install one, e.g. `apt install g++`, "
            "`dnf install gcc-c++`, `module load gcc` or `conda install cxx-compiler`, or point CXX to it"
        )
    return tuple(command), subprocess.run(
        [*command, "--version"], capture_output=True, text=True
    ).stdout


def cache_folder() -> Path:
    """QUENCH_CACHE, else the user's cache folder; a temporary one where that cannot be written."""
    base = (
        os.environ.get("QUENCH_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quench"
    )
    try:
        Path(base).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=base):
            return Path(base)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"quench-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise DeviceError(
                f"{folder} belongs to somebody else: set QUENCH_CACHE to a folder of yours"
            ) from None
        return folder


@cache
def build(file: str, defines: tuple) -> ctypes.CDLL:
    """Compiles kernels/`file` for this CPU, or takes it from the cache."""
    command, version = compiler()
    options = [*FLAGS, *(f"-D{key}={value}" for key, value in defines)]
    key = hashlib.sha256(
        "\n".join([source_of(file), *options, *command, version, cpu_features()]).encode()
    ).hexdigest()[:24]
    library = cache_folder() / f"{Path(file).stem}-{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            built = Path(folder) / library.name
            compile_it = [*command, *options, "-x", "c++", str(FOLDER / file), "-o", str(built)]
            result = subprocess.run([*UNDISTURBED, *compile_it], capture_output=True, text=True)
            if result.returncode:
                raise DeviceError(
                    f"{command[0]} could not compile {file}:\n{result.stderr[-2000:]}"
                )
            os.replace(built, library)
    return ctypes.CDLL(str(library))
