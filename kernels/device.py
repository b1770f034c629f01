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
import stat
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path

import numpy as np

from kernels.arguments import shown
from kernels.signatures import Launches

__all__ = ["DeviceError", "available_cores", "select"]

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
EXCLUSIVE_PROCESS = 3  # cudaComputeModeExclusiveProcess
# of a GPU block's shared memory: what kernels declare, at most, and what the system takes
STATIC_BYTES, SYSTEM_BYTES = 1280, 1024
NULL = np.uintp(0)  # a pointer to nothing, as cupy passes it
MOST_ADDRESSES = 256  # of arrays, kept by a module
HUGE_PAGE = 2 << 20
# a launch lasts about this long, so that progress shows and a desktop GPU's watchdog stays quiet
LAUNCH_SECONDS = 0.5
COMPILERS = ("c++", "g++", "clang++")
# Levels of x86-64 by its psABI, the highest first: 32-bit words of a vector register, and what
# Linux calls the instructions that the level has beyond the one below.
AVX2 = ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe")
LEVELS = {
    "x86-64-v4": (16, (*AVX2, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")),
    "x86-64-v3": (8, AVX2),
}
# processors by a compiler's names for them, whose level is all that is used of them
PROCESSORS = {name: name for name in LEVELS}
PROCESSORS |= dict.fromkeys(
    ("skylake-avx512", "cascadelake", "icelake-server", "sapphirerapids", "znver4", "znver5"),
    "x86-64-v4",
)
PROCESSORS |= dict.fromkeys(("haswell", "broadwell", "znver1", "znver2", "znver3"), "x86-64-v3")
CACHES = (1 << 18, 1 << 22)  # bytes: a core's own lies between; kernels differ by it
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


def select(name: str = "auto", workers: int | None = None, lanes: int | None = None) -> "Cpu | Gpu":
    """The device to run on.

    name: `auto` takes a GPU where cupy finds one, else the CPU; `cpu`; `gpu`.
    workers: CPU threads (default: all cores this process may use); beside a GPU those for what is
    faster there.
    lanes: 32-bit words a CPU vector holds, 1 to 16 (default: as many as its registers); changes the
    speed, never a result.
    Raises DeviceError: no GPU, or no C++ compiler.
    """
    if name not in ("auto", "cpu", "gpu"):
        raise DeviceError(f"device is {name!r}; it must be auto, cpu or gpu")
    if lanes not in (None, 1, 2, 4, 8, 16):
        raise DeviceError(f"lanes is {lanes}; it must be 1, 2, 4, 8 or 16")
    if name != "cpu":
        problem = gpu_problem()
        if problem is None:
            return Gpu(workers)
        if name == "gpu":
            raise DeviceError(f"no GPU to run on: {problem}")
    return Cpu(workers or available_cores(), lanes or register_lanes())


def device_of(device=None) -> "Cpu | Gpu":
    """The device that a model's argument `device` means: one that select() gave, its name, or None,
    which is `auto`.  DeviceError on anything else, and where it is not there.
    """
    if device is None:
        return select()
    if isinstance(device, str):
        return select(device)
    if getattr(device, "kind", None) not in ("cpu", "gpu"):
        raise DeviceError(
            f"device is {shown(device)}; it must be auto, cpu, gpu, or what kernels.select returns"
        )
    return device


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_problem() -> str | None:
    """Why cupy cannot run here, in a line; None where it can."""
    try:
        import cupy
    except ImportError:
        return "cupy is not installed (pip install 'quench[cuda12]' or 'quench[cuda13]')"
    if cupy.cuda.runtime.is_hip:  # its warps are of 64 threads, and its compiler another
        return "this cupy is for AMD's GPUs, which the kernels were not written for: NVIDIA's are needed"
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


def register_lanes() -> int:
    """32-bit words of a vector register. Of wider vectors, two registers each, compilers spill
    nearly everything: sums of spins and transforms then take three to five times as long.
    """
    features = cpu_features().split()
    return 16 if "avx512f" in features else 8 if "avx2" in features else 4


def cpu_level() -> str | None:
    """The highest of LEVELS whose instructions this CPU has."""
    features = set(cpu_features().split())
    return next((name for name, (_, needs) in LEVELS.items() if features >= set(needs)), None)


@cache
def core_cache() -> int:
    """Bytes of the second-level cache, a core's own; 1 MiB where the system does not say."""
    try:
        size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text()
        return int(size.strip().removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**20


def others(name: str) -> list["Cpu"]:
    """CPUs for which kernels are compiled, never run: of this name, one of PROCESSORS, with all
    caches that matter.  Raises DeviceError for another name.
    """
    if name not in PROCESSORS:
        raise DeviceError(f"cpu is {name!r}; it must be one of {', '.join(PROCESSORS)}")
    level = PROCESSORS[name]
    return [Cpu(1, LEVELS[level][0], level, size) for size in CACHES]


class Cpu:
    """This machine's cores. Arrays are NumPy arrays on 64-byte boundaries.

    level: of LEVELS, for which kernels are compiled, and not run; None: for this CPU.
    """

    kind, exclusive = "cpu", False

    def __init__(
        self, workers: int, lanes: int, level: str | None = None, cache_bytes: int | None = None
    ):
        self.workers, self.lanes, self.level = workers, lanes, level
        self.float_lanes = lanes if level else min(lanes, register_lanes())
        self.core_cache = cache_bytes or core_cache()
        self.name = level or f"{cpu_model()}, {workers} thread{'s' if workers > 1 else ''}"
        self._pool, self._process = None, None

    def __getstate__(self) -> dict:
        """Without the threads, which no other process has."""
        return {**vars(self), "_pool": None, "_process": None}

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The worker threads; a child process after a fork has none of its parent's."""
        if self._process != os.getpid():
            self._pool, self._process = ThreadPoolExecutor(self.workers), os.getpid()
        return self._pool

    def module(self, file: str, defines: dict) -> "CpuModule":
        options = tuple(sorted({"LANES": self.lanes, **defines}.items()))
        return CpuModule(
            self, build(file, options, self.level), Launches(file, source_of(file), options)
        )

    def compiled(self) -> list[Path]:
        """The files of kernels that are kept."""
        return sorted(cache_folder().glob("*.so"))

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

    def free(self) -> None:
        pass


class CpuModule:
    """A built .cu file; `launch` spreads the blocks over the workers.

    Ctrl-C and other exceptions are raised once no thread writes into the arrays any more, which
    long kernels hear of (block.h).
    """

    def __init__(self, device: Cpu, library: ctypes.CDLL, launches: Launches):
        self.device, self.library, self.launches = device, library, launches
        self.interruptible = hasattr(library, "interruptible")
        self.addresses: dict[int, tuple] = {}  # of arrays by identity; NumPy takes long to tell

    def __reduce__(self):
        """Another process builds or loads it anew."""
        return _module_of, (self.device, self.launches.file, self.launches.defines)

    def compile(self) -> None:
        """It is, from the beginning."""

    def _as_ctypes(self, argument):
        known = self.addresses.get(id(argument))
        if known is not None and known[0]() is argument:
            return known[1]
        value = as_ctypes(argument)
        if isinstance(argument, np.ndarray):
            if len(self.addresses) >= MOST_ADDRESSES:
                self.addresses.clear()
            self.addresses[id(argument)] = weakref.ref(argument), value
        return value

    def launch(
        self, kernel: str, blocks: int, /, *, threads: int = 1, shared_bytes: int = 0, **arguments
    ) -> None:
        """Arguments by the names that the kernel's source gives them (Launches.in_order)."""
        if self.device.level is not None:
            raise DeviceError(f"compiled for {self.device.name}, which is not this machine")
        values = [self._as_ctypes(a) for a in self.launches.in_order(kernel, arguments)]
        self._run(getattr(self.library, kernel), blocks, values)

    def prepared(self, kernel: str, blocks: int, /, **arguments) -> Callable[..., None]:
        """The same launch again and again, its arguments checked once, which takes longer than a
        small launch: a function of those whole numbers among them, by name, that have changed.
        """
        ordered = self.launches.in_order(kernel, arguments)
        values = dict(zip(self.launches.names(kernel), map(as_ctypes, ordered), strict=True))
        function, in_order = getattr(self.library, kernel), list(values.values())

        def launch(_alive=ordered, **changed: int) -> None:  # arrays, as long as the function is
            for name, value in changed.items():
                values[name].value = value
            self._run(function, blocks, in_order)

        return launch

    def _run(self, function, blocks: int, values: list) -> None:
        remaining, stop = iter(range(blocks)), ctypes.c_int(0)

        def work():
            for block in remaining:  # next() on an iterator over a range is atomic
                if stop.value:
                    return
                self.library.begin_block(block, ctypes.byref(stop))
                function(*values)

        threads_at_work = min(blocks, self.device.workers)
        if threads_at_work == 1 and not self.interruptible:
            work()
            return
        # never by this thread itself: Python hears Ctrl-C between two of its own instructions
        tasks = [self.device.pool.submit(work) for _ in range(threads_at_work)]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            stop.value = 1
            while not all(task.done() for task in tasks):
                with contextlib.suppress(KeyboardInterrupt):  # an impatient second one
                    wait(tasks)
            raise


CTYPES = {  # looked up at each launch, where numpy.ctypeslib takes microseconds
    np.dtype(code).type: np.ctypeslib.as_ctypes_type(code) for code in "bBhHiIqQfd"
}


def as_ctypes(argument):
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return CTYPES[type(argument)](argument.item())


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

    def __init__(self, host_workers: int | None = None):
        import cupy

        self.cupy, self.host_workers = cupy, host_workers or available_cores()
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
        self.cache_bytes = self.properties["l2CacheSize"]
        self.memory_bytes = self.properties["totalGlobalMem"]
        # whether it serves one process at a time (nvidia-smi -c EXCLUSIVE_PROCESS): this one, now
        self.exclusive = self.properties["computeMode"] == EXCLUSIVE_PROCESS

    def __reduce__(self):
        """Another process takes the device that is its own."""
        return Gpu, (self.host_workers,)

    def blocks_at_once(self, shared_bytes: int) -> int:
        """Blocks with so much dynamic shared memory that one processor holds; 0 where none fits."""
        if shared_bytes + STATIC_BYTES > self.shared_bytes:
            return 0
        return self.shared_bytes_of_processor // (shared_bytes + STATIC_BYTES + SYSTEM_BYTES)

    def module(self, file: str, defines: dict) -> "GpuModule":
        # cupy keeps compiled code by source and options; the headers are in the source, so a
        # changed one is seen
        options = ("-std=c++17", *(f"-D{key}={value}" for key, value in sorted(defines.items())))
        source = source_of(file)
        module = self.cupy.RawModule(code=source, options=options)
        return GpuModule(self, module, Launches(file, source, tuple(sorted(defines.items()))))

    def compiled(self) -> list[Path]:
        """The files of kernels that cupy keeps, ours and its own."""
        folder = os.environ.get("CUPY_CACHE_DIR") or Path.home() / ".cupy/kernel_cache"
        return sorted(Path(folder).glob("*.cubin"))

    def zeros(self, shape, dtype):
        return self.cupy.zeros(shape, dtype)

    def asarray(self, values, dtype=None):
        return self.cupy.ascontiguousarray(self.cupy.asarray(values, dtype))

    def to_host(self, array) -> np.ndarray:
        return self.cupy.asnumpy(array)

    def synchronize(self) -> None:
        self.cupy.cuda.get_current_stream().synchronize()

    def graph(self, work: Callable[[], None]):
        """The launches of work(), which has run before, so that its modules are loaded; they run
        whenever replay() is called. work allocates no memory and waits for nothing.
        """
        stream = self.cupy.cuda.Stream(non_blocking=True)
        stream.wait_event(self.cupy.cuda.get_current_stream().record())
        with stream:
            stream.begin_capture()
            work()
            return stream.end_capture()

    def replay(self, graph) -> None:
        """In one launch, where many cost more than a small field's arithmetic."""
        graph.launch(self.cupy.cuda.get_current_stream())

    def free(self) -> None:
        """Give back the memory that no array holds any more, which others on this GPU may need, and
        the work areas of transforms.
        """
        self.cupy.fft.config.get_plan_cache().clear()
        self.cupy.get_default_memory_pool().free_all_blocks()


class GpuModule:
    """A .cu file for a GPU, compiled at its first launch."""

    def __init__(self, device: Gpu, module, launches: Launches):
        self.device, self.module, self.launches = device, module, launches
        self.functions: dict = {}  # (kernel, bytes of shared memory): cupy finds one anew each time

    def __reduce__(self):
        return _module_of, (self.device, self.launches.file, self.launches.defines)

    def compile(self) -> None:
        """Now, into cupy's cache."""
        self.module.compile()

    def launch(
        self, kernel: str, blocks: int, /, *, threads: int = 1, shared_bytes: int = 0, **arguments
    ) -> None:
        """Arguments by the names that the kernel's source gives them (Launches.in_order)."""
        values = self.launches.in_order(kernel, arguments)
        function = self.functions.get((kernel, shared_bytes))
        if function is None:
            function = self.functions[kernel, shared_bytes] = self.module.get_function(kernel)
            if shared_bytes:
                function.max_dynamic_shared_size_bytes = shared_bytes
        function(
            (blocks,),
            (threads,),
            tuple(NULL if a is None else a for a in values),
            shared_mem=shared_bytes,
        )


def _module_of(device: Cpu | Gpu, file: str, defines: tuple) -> CpuModule | GpuModule:
    return device.module(file, dict(defines))


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


def compiler() -> tuple[tuple[str, ...], str]:
    """The C++ compiler's command and version. CXX is honoured. Raises DeviceError if there
    is none.
    """
    found = compiler_or_none()
    if found is None:
        name = os.environ.get("CXX")
        raise DeviceError(
            f"no C++ compiler found ({name or ', '.join(COMPILERS)}): install one, e.g. `apt install g++`, "
            "`dnf install gcc-c++`, `module load gcc` or `conda install cxx-compiler`, or point CXX to it"
        )
    return found


@cache
def compiler_or_none() -> tuple[tuple[str, ...], str] | None:
    """As compiler(), None where there is none."""
    name = os.environ.get("CXX") or next((c for c in COMPILERS if shutil.which(c)), None)
    command = shlex.split(name) if name else []
    if not command or not shutil.which(command[0]):
        return None
    return tuple(command), subprocess.run(
        [*command, "--version"], capture_output=True, text=True
    ).stdout


def cache_folder() -> Path:
    """QUENCH_CACHE, else the user's cache folder; a temporary one where that cannot be written. It
    is this user's, and nobody else may write there. Raises DeviceError where it is not so.
    """
    named = os.environ.get("QUENCH_CACHE")
    try:
        base = named or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quench"
        folder = Path(base)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not named and folder.stat().st_uid == os.getuid():  # an earlier version left it to umask
            folder.chmod(0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (RuntimeError, OSError):  # no HOME; a disk that cannot be written
        folder = Path(tempfile.gettempdir()) / f"quench-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
    return only_mine(folder)


def kept_libraries(pattern: str) -> list[Path]:
    """Those of the cache, and of a QUENCH_CACHE that this machine may only read."""
    folders = [cache_folder()]
    named = os.environ.get("QUENCH_CACHE")
    if named and Path(named) not in folders and Path(named).is_dir():
        folders.append(only_mine(Path(named)))
    return [path for folder in folders for path in sorted(folder.glob(pattern))]


def only_mine(path: Path) -> Path:
    """`path`, a folder or library of compiled kernels. Raises DeviceError if somebody else owns it
    or may write it, or if it is a link in a place where anybody may put one.
    """
    found = path.lstat() if path.parent == Path(tempfile.gettempdir()) else path.stat()
    if (
        found.st_uid == os.getuid()
        and not found.st_mode & 0o022
        and not stat.S_ISLNK(found.st_mode)
    ):
        return path
    raise DeviceError(
        f"{path} belongs to somebody else, or others may write there: compiled kernels are not run "
        f"from it; set QUENCH_CACHE to a folder of yours, or `chmod go-w {path}`"
    )


@cache
def build(file: str, defines: tuple, level: str | None = None) -> ctypes.CDLL:
    """kernels/`file` compiled for this CPU, or for a level of LEVELS, from the cache if it is
    there; only otherwise a compiler is needed. For this CPU what was compiled for its level will
    do. A library that cannot be loaded is compiled once more.
    """
    name, options = named(file, defines, level)
    folder, found = cache_folder(), compiler_or_none()
    version = digest(*found[0], found[1]) if found else "*"
    wanted = [f"{name}-{version}.so"]
    if level is None and cpu_level() is not None:
        wanted.append(f"{named(file, defines, cpu_level())[0]}-*.so")
    for library in (path for each in wanted for path in kept_libraries(each)):
        only_mine(library)
        with contextlib.suppress(OSError):  # cut short
            return ctypes.CDLL(str(library))
    compiler()  # says what to install
    library = folder / f"{name}-{version}.so"
    compile_library(file, options, library)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise DeviceError(
            f"a compiled kernel cannot be loaded ({error}): if its file system allows no programs "
            "(noexec), set QUENCH_CACHE to a folder elsewhere"
        ) from None


def named(file: str, defines: tuple, level: str | None) -> tuple[str, list[str]]:
    """How a library's name begins, and the compiler's options; level: None for this CPU."""
    target = f"-march={level or 'native'}"
    options = [target if flag == "-march=native" else flag for flag in FLAGS]
    options += [f"-D{key}={value}" for key, value in defines]
    of_cpu = [] if level else [cpu_features()]
    return f"{Path(file).stem}-{digest(source_of(file), *options, *of_cpu)}", options


def compile_library(file: str, options: list[str], library: Path) -> None:
    """Compiles kernels/`file`; the library appears whole, on the disk, and under its own name.
    Raises DeviceError if the compiler fails.
    """
    command, _ = compiler()
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        built = Path(folder) / library.name
        compile_it = [*command, *options, "-x", "c++", str(FOLDER / file), "-o", str(built)]
        result = subprocess.run([*UNDISTURBED, *compile_it], capture_output=True, text=True)
        if result.returncode:
            raise DeviceError(f"{command[0]} could not compile {file}:\n{result.stderr[-2000:]}")
        built.chmod(0o700)  # whatever the umask is
        with open(built, "rb") as whole:
            os.fsync(whole.fileno())
        os.replace(built, library)


def digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def next_launch(size: int, seconds: float, teams: int = 1) -> int:
    """How much to do in the next launch for it to last about LAUNCH_SECONDS: as much for each team,
    since fewer tasks than teams leave some of them idle and end no sooner.
    """
    wanted = int(size * min(4.0, LAUNCH_SECONDS / max(seconds, 1e-3)))
    return min(1 << 24, max(teams, wanted // teams * teams))


def launch_tasks(
    tasks: int, batch: int, least: int, launch: Callable, done: Callable | None
) -> None:
    """launch(first, last) for all tasks, `batch` at first, then as many as next_launch says; done:
    called with how many are.
    """
    first = 0
    while first < tasks:
        last, began = min(first + batch, tasks), time.monotonic()
        launch(first, last)
        first, batch = last, next_launch(batch, time.monotonic() - began, least)
        if done:
            done(first)
