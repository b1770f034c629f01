"""A GPU made of CPU threads: kernels.device.Gpu on a stand-in for cupy (cupy_stand_in.py), whose
kernels are compiled for this CPU, each CUDA thread by itself (cuda_threads.h).

For tests on machines without a GPU: the kernels' GPU branch and the Python around it run as they
are, on systems made small.
"""

import ctypes
import os
import re
import subprocess
import sys
import weakref
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from kernels.device import Gpu, as_ctypes, compiler
from kernels.signatures import kernels, signature

OPTIONS = ("-std=c++17", "-O1", "-w", "-shared", "-fPIC")
APART = "-fno-gnu-unique"  # for g++: arrays of one name in two libraries are two arrays
# that this process runs under
SANITIZER = next(
    (
        name
        for name, library in (("thread", "libtsan"), ("address", "libasan"))
        if library in os.environ.get("LD_PRELOAD", "")
    ),
    None,
)
SANITIZER_OPTIONS = {
    "thread": ("--param", "tsan-distinguish-volatile=1"),
    "address": (),
}
LAUNCHED: set[tuple[str, str]] = set()  # (source text, kernel), in this process
LARGEST_BLOCK = 1024  # threads
STATIC_SHARED = 48 << 10  # bytes of a launch's shared memory that need not be asked for


def built(folder: Path, source: str, defines: dict) -> ctypes.CDLL:
    """The library of a source text, its #includes resolved."""
    name = f"gpu-{len(list(folder.glob('*.so')))}"
    text, library = folder / f"{name}.cpp", folder / f"{name}.so"
    text.write_text('#include "cuda_threads.h"\n' + source)
    constants = [f"-D{key}={value}" for key, value in defines.items()]
    constants += [] if "clang" in compiler()[1] else [APART]
    if SANITIZER:
        constants += ["-g", f"-fsanitize={SANITIZER}", *SANITIZER_OPTIONS[SANITIZER]]
    command = [*compiler()[0], *OPTIONS, f"-I{Path(__file__).parent}", *constants, str(text)]
    alone = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    ran = subprocess.run([*command, "-o", str(library)], capture_output=True, text=True, env=alone)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ctypes.CDLL(str(library))


def with_entries(source: str, defines: tuple) -> str:
    """A source with emulate_KERNEL(blocks, threads, shared bytes, arguments ...) for each
    kernel; it returns what went wrong, or null.
    """
    pointed = re.sub(
        r"extern __shared__ (\w+) (\w+)\[\];", r"#define \2 ((\1*)emulated_shared)\n", source
    )
    entries = []
    for kernel in kernels(source):
        wanted = signature(source, defines, kernel)
        declared = "".join(f", {each.type} {each.name}" for each in wanted)
        names = ", ".join(each.name for each in wanted)
        entries.append(
            f'extern "C" const char* emulate_{kernel}(int blocks_, int threads_, int shared_{declared}) {{\n'
            f"  return run_grid(blocks_, threads_, shared_, [=] {{ {kernel}({names}); }});\n}}"
        )
    return "\n".join([pointed, *entries])


@cache
def library_of(folder: Path, source: str, defines: tuple) -> ctypes.CDLL:
    """Of a source with entries, built once for a folder."""
    return built(folder, with_entries(source, defines), dict(defines))


class EmulationError(AssertionError):
    """A GPU would have refused this, or given something else each time."""


def emulated_gpu(folder: Path, shared_bytes: int = 232_448, processors: int = 2) -> Gpu:
    """The GPU; folder: of its compiled kernels.

    shared_bytes: that a block may have; processors: how many work at once, which decides how many
    blocks are launched.
    """
    from tests.reference.cupy_stand_in import Cupy

    return gpu_on(Cupy(folder, shared_bytes, processors))


def gpu_on(cupy) -> Gpu:
    """The GPU that a stand-in for cupy has."""
    with mock.patch.dict(sys.modules, cupy=cupy):
        return Gpu()


class RawFunction:
    """One kernel of a module; its launches are checked when they are made, and run when their
    stream does.
    """

    def __init__(self, cupy, code: str, defines: tuple, name: str):
        self.cupy, self.code, self.name = cupy, code, name
        self.wanted = signature(code, defines, name)
        library = library_of(cupy.folder, code, defines)
        self.entry = getattr(library, f"emulate_{name}")
        self.entry.restype = ctypes.c_char_p
        self.max_dynamic_shared_size_bytes = STATIC_SHARED

    def __call__(self, grid: tuple, block: tuple, arguments: tuple, shared_mem: int = 0) -> None:
        most = min(self.max_dynamic_shared_size_bytes, self.cupy.shared_bytes)
        self.refuse(len(grid) != 1 or len(block) != 1, "a grid of more than one dimension")
        self.refuse(grid[0] < 1, f"{grid[0]} blocks")
        self.refuse(not 1 <= block[0] <= LARGEST_BLOCK, f"{block[0]} threads a block")
        self.refuse(shared_mem > most, f"{shared_mem} bytes of shared memory, of {most}")
        self.refuse(len(arguments) != len(self.wanted), f"{len(arguments)} arguments")
        pairs = list(zip(self.wanted, arguments, strict=True))
        for wanted, value in pairs:
            self.check(wanted, value)
        stream = self.cupy.current_stream
        memories = [value.memory for _, value in pairs if hasattr(value, "memory")]
        in_graph = stream.captured is not None  # which knows addresses, and keeps no array alive
        held = [weakref.ref(m) if in_graph else (lambda m=m: m) for m in memories]
        sizes = [ctypes.c_int(number) for number in (grid[0], block[0], shared_mem)]
        values = [self.c_value(value) for value in arguments]

        def run() -> None:
            self.refuse(any(of() is None for of in held), "a graph's array was freed")
            LAUNCHED.add((self.code, self.name))
            failure = self.entry(*sizes, *values)
            self.refuse(failure is not None, (failure or b"").decode())
            self.refuse(any(not of().is_whole() for of in held), "written beyond an array")

        stream.add(run)

    def refuse(self, condition: bool, why: str) -> None:
        if condition:
            raise EmulationError(f"{self.name}: {why}")

    def check(self, wanted, value) -> None:
        """A pointer is a device array's or null; a scalar has the bytes that the kernel reads."""
        if wanted.pointer:
            fits = hasattr(value, "memory") or (isinstance(value, np.uintp) and value == 0)
        else:
            fits = isinstance(value, np.generic) and value.dtype == wanted.dtype
        self.refuse(not fits, f"{wanted.title} is {type(value).__name__}")

    @staticmethod
    def c_value(value):
        if hasattr(value, "memory"):
            return as_ctypes(value.values)
        return ctypes.c_void_p(None) if isinstance(value, np.uintp) else as_ctypes(value)
