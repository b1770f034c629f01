"""A GPU made of CPU threads: kernels.device.Gpu's face, each CUDA thread a thread of its own
(cuda_threads.h), cupy's a stand-in of NumPy's.

For tests on machines without a GPU: the kernels' GPU branch and the Python around it run as they
are, on systems made small.
"""

import ctypes
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kernels.device import as_ctypes, compiler, source_of
from kernels.signatures import Launches, kernels, signature

OPTIONS = ("-std=c++20", "-O1", "-w", "-shared", "-fPIC", "-pthread")
LARGEST_BLOCK = 1024  # threads


def built(folder: Path, source: str, defines: dict, *options: str) -> ctypes.CDLL:
    """The library of a source text, its #includes resolved.  Skips the test where the compiler has
    no <barrier>.
    """
    name = f"gpu-{len(list(folder.glob('*.so')))}"
    text, library = folder / f"{name}.cpp", folder / f"{name}.so"
    text.write_text('#include "cuda_threads.h"\n' + source)
    constants = [f"-D{key}={value}" for key, value in defines.items()]
    headers = f"-I{Path(__file__).parent}"
    command = [*compiler()[0], *OPTIONS, *options, headers, *constants, str(text)]
    ran = subprocess.run([*command, "-o", str(library)], capture_output=True, text=True)
    if "barrier" in ran.stderr and "No such file" in ran.stderr:
        pytest.skip("the C++ compiler has no <barrier>")
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ctypes.CDLL(str(library))


def with_entries(source: str, defines: tuple) -> str:
    """A source with emulate_KERNEL(blocks, threads, shared bytes, arguments ...) for each
    kernel.
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
            f'extern "C" void emulate_{kernel}(int blocks_, int threads_, int shared_{declared}) {{\n'
            f"  run_grid(blocks_, threads_, shared_, [=] {{ {kernel}({names}); }});\n}}"
        )
    return "\n".join([pointed, *entries])


class EmulatedGpu:
    """shared_bytes: that a block may have; processors: how many work at once, which decides how
    many blocks are launched.
    """

    kind, name, index, lanes, float_lanes, workers = "gpu", "emulated", 0, 1, 1, 1

    def __init__(self, folder: Path, shared_bytes: int = 232_448, processors: int = 2):
        self.folder, self.processors, self.shared_bytes = folder, processors, shared_bytes
        self.shared_bytes_of_processor = shared_bytes + 1024
        self.cupy = Cupy(self)
        self.captured: list[Callable] | None = None  # launches of a graph in the making

    def module(self, file: str, defines: dict) -> "EmulatedModule":
        source, constants = source_of(file), tuple(sorted(defines.items()))
        library = built(self.folder, with_entries(source, constants), defines)
        return EmulatedModule(self, library, Launches(file, source, constants))

    def zeros(self, shape, dtype) -> np.ndarray:
        assert self.captured is None, "memory is allocated while a graph is captured"
        return np.zeros(shape, dtype)

    def asarray(self, values, dtype=None) -> np.ndarray:
        assert self.captured is None, "memory is allocated while a graph is captured"
        return np.array(values, dtype, order="C")  # never the host's own

    def to_host(self, array) -> np.ndarray:
        return np.array(array)

    def synchronize(self) -> None:
        assert self.captured is None, "a graph in the making cannot be waited for"


class EmulatedModule:
    """Launches run at once, one block after another, or are kept by a graph."""

    def __init__(self, device: EmulatedGpu, library: ctypes.CDLL, launches: Launches):
        self.device, self.library, self.launches = device, library, launches

    def launch(
        self, kernel: str, blocks: int, /, *, threads: int = 1, shared_bytes: int = 0, **arguments
    ) -> None:
        assert 1 <= threads <= LARGEST_BLOCK, threads
        assert 0 <= shared_bytes <= self.device.shared_bytes, shared_bytes
        values = self.launches.in_order(kernel, arguments)

        def run():
            sizes = map(ctypes.c_int, (blocks, threads, shared_bytes))
            getattr(self.library, f"emulate_{kernel}")(*sizes, *map(as_ctypes, values))

        if self.device.captured is None:
            run()
        else:
            self.device.captured.append(run)


class Cupy:
    """As much of cupy as the kernels' Python takes, of NumPy's; arrays are NumPy's."""

    def __init__(self, device: EmulatedGpu):
        self.device, self.fft, self.cuda = device, np.fft, Cuda(device)

    def __getattr__(self, name: str):
        return getattr(np, name)

    @staticmethod
    def asnumpy(array) -> np.ndarray:
        return np.array(array)


class Cuda:
    """Streams, which run everything at once, and graphs."""

    def __init__(self, device: EmulatedGpu):
        self.Stream = lambda non_blocking=False: Stream(device)
        self.get_current_stream = lambda: Stream(device)


class Stream:
    def __init__(self, device: EmulatedGpu):
        self.device = device

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None: ...
    def record(self) -> None: ...
    def wait_event(self, event) -> None: ...
    def begin_capture(self) -> None:
        self.device.captured = []

    def end_capture(self) -> "Graph":
        graph, self.device.captured = Graph(self.device.captured), None
        return graph


class Graph:
    def __init__(self, launches: list[Callable]):
        self.launches = launches

    def launch(self, stream: Stream) -> None:
        for launch in self.launches:
            launch()
