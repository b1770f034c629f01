"""As much of cupy as the kernels' Python takes, made of NumPy: arrays, streams, graphs, modules.

It refuses what cupy refuses (v14: cupy/_core/core.pyx, _scalar.pyx, raw.pyx, cuda/stream.pyx):
NumPy's arrays beside its own, arrays of its own where NumPy wants one, memory allocated or waited
for while a graph is captured. Launches run as late as a GPU might run them: when the host asks for
what their stream holds. What cupy has, and nobody here has looked at yet, it does not know (KNOWN).
"""

import ctypes
import functools
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from tests.reference.emulation import SANITIZER, EmulationError, RawFunction

KNOWN = frozenset(
    (
        "ascontiguousarray",
        "bincount",
        "concatenate",
        "diff",
        "flatnonzero",
        "flip",
        "maximum",
        "minimum",
        "nonzero",
        "rint",
        "roll",
        "sort",
        "sqrt",
        "stack",
        "where",
        "zeros",
        "zeros_like",
    )
)
GUARD = 0 if SANITIZER == "address" else 4096  # bytes about an array that nobody may write
LIBC = ctypes.CDLL(None)
LIBC.malloc.restype, LIBC.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
LIBC.free.argtypes = [ctypes.c_void_p]


class Memory:
    """Bytes of one allocation, with guards about them."""

    def __init__(self, size: int):
        self.address = LIBC.malloc(size + 2 * GUARD + (size == 0))
        all_bytes = (ctypes.c_uint8 * (size + 2 * GUARD)).from_address(self.address)
        self.raw = np.frombuffer(all_bytes, np.uint8) if size + GUARD else np.empty(0, np.uint8)
        self.raw[...] = 0xA5
        self.inside = self.raw[GUARD : GUARD + size]
        weakref.finalize(self, LIBC.free, self.address)

    def is_whole(self) -> bool:
        size = len(self.inside)
        return bool((self.raw[:GUARD] == 0xA5).all() and (self.raw[GUARD + size :] == 0xA5).all())


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """On the device: `values`, NumPy's, in `memory`."""

    __array_priority__ = 100

    def __init__(self, cupy: "Cupy", values: np.ndarray, memory: Memory | None = None):
        if memory is None:
            memory = Memory(values.nbytes)
            inside = memory.inside.view(values.dtype).reshape(values.shape)
            inside[...] = values
            values = inside
        self.cupy, self.values, self.memory = cupy, values, memory

    def __getattr__(self, name: str):
        found = getattr(self.values, name)
        if callable(found):
            return functools.partial(self.cupy.apply, found, self)
        return self.cupy.given(found, self) if isinstance(found, np.ndarray) else found

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, ufunc, method: str, *inputs, out=None, **more):
        if out is not None:
            more["out"] = out
        return self.cupy.apply(getattr(ufunc, method), None, *inputs, **more)

    def __array_function__(self, function, _types, arguments, more):
        return self.cupy.apply(function, None, *arguments, **more)

    def __getitem__(self, index):
        if isinstance(index, tuple):
            index = tuple(each.values if isinstance(each, Array) else each for each in index)
        elif isinstance(index, Array):
            index = index.values
        return self.cupy.apply(self.values.__getitem__, self, index, may_be_numpys=True)

    def __setitem__(self, index, value) -> None:
        if isinstance(value, np.ndarray):
            raise TypeError(f"Unsupported type {type(value)}")
        self.cupy.before_an_operation()
        plain = tuple(
            each.values if isinstance(each, Array) else each
            for each in (index if isinstance(index, tuple) else (index,))
        )
        self.values[plain] = value.values if isinstance(value, Array) else value

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.cupy.asnumpy(self))

    def __float__(self) -> float:
        return float(self.cupy.asnumpy(self))

    def __int__(self) -> int:
        return int(self.cupy.asnumpy(self))


class Cupy:
    """The module `cupy` on a machine with one GPU.

    folder: of compiled kernels; shared_bytes: that a block may have; processors: of the GPU.
    """

    def __init__(self, folder, shared_bytes: int, processors: int):
        self.folder, self.shared_bytes, self.processors = folder, shared_bytes, processors
        self.streams = [Stream(self)]
        self.cuda = SimpleNamespace(
            runtime=Runtime(self),
            Device=Device,
            Stream=functools.partial(Stream, self),
            get_current_stream=lambda: self.current_stream,
        )
        self.fft = Fft(self)
        self.get_default_memory_pool = lambda: SimpleNamespace(free_all_blocks=lambda: None)
        self.RawModule = functools.partial(RawModule, self)

    def __getattr__(self, name: str):
        if name not in KNOWN:
            raise AttributeError(f"cupy.{name}: not looked at yet (cupy_stand_in.py, KNOWN)")
        return functools.partial(self.apply, getattr(np, name), None)

    @property
    def current_stream(self) -> "Stream":
        return self.streams[-1]

    def before_an_operation(self) -> None:
        """On arrays, in the order of the current stream."""
        if self.current_stream.captured is not None:
            raise EmulationError("memory is allocated while a graph is captured")
        self.current_stream.run()

    def apply(
        self, function: Callable, base: Array | None, *arguments, may_be_numpys=False, **more
    ):
        """What NumPy's function gives for arrays on the device, on the device; base: whose memory
        a view would share.
        """
        self.before_an_operation()
        used = [base] if base is not None else []

        def plain(value):
            if isinstance(value, Array):
                used.append(value)
                return value.values
            if isinstance(value, np.ndarray) and not may_be_numpys:
                raise TypeError(f"Unsupported type {type(value)}")
            return type(value)(map(plain, value)) if isinstance(value, list | tuple) else value

        found = function(
            *map(plain, arguments), **{key: plain(value) for key, value in more.items()}
        )
        return self.given(found, *used)

    def given(self, found, *used: Array):
        """NumPy's result as an array on the device; it shares the memory of one of `used` where it
        is a view.
        """
        if isinstance(found, list | tuple):
            return type(found)(self.given(each, *used) for each in found)
        if not isinstance(found, np.ndarray | np.generic):
            return found
        found = np.asarray(found)
        owner = next((each for each in used if np.may_share_memory(found, each.memory.raw)), None)
        return Array(self, found, owner.memory if owner is not None else None)

    def asarray(self, values, dtype=None) -> Array:
        if isinstance(values, Array):
            return values if dtype in (None, values.dtype) else values.astype(dtype)
        self.before_an_operation()
        return Array(self, np.array(values, dtype, order="C"))

    def asnumpy(self, array) -> np.ndarray:
        if isinstance(array, Array):
            self.current_stream.synchronize()
            return np.array(array.values)
        return np.asarray(array)


class Fft:
    """cupy.fft: float32 stays single."""

    def __init__(self, cupy: Cupy):
        self.cupy = cupy
        self.config = SimpleNamespace(get_plan_cache=lambda: {})

    def __getattr__(self, name: str):
        return functools.partial(self.cupy.apply, getattr(np.fft, name), None)


class Runtime:
    CUDARuntimeError, is_hip = RuntimeError, False

    def __init__(self, cupy: Cupy):
        self.cupy = cupy

    def getDeviceCount(self) -> int:
        return 1

    def getDeviceProperties(self, index: int) -> dict:
        return {
            "name": b"emulated",
            "multiProcessorCount": self.cupy.processors,
            "sharedMemPerBlockOptin": self.cupy.shared_bytes,
            "sharedMemPerMultiprocessor": self.cupy.shared_bytes + 1024,
            "l2CacheSize": 50 << 20,
            "totalGlobalMem": 80 << 30,
            "computeMode": 0,
        }


class Device:
    compute_capability = "90"

    def __init__(self, index: int = 0):
        self.attributes = {
            "ClockRate": 1_980_000,
            "MemoryClockRate": 2_619_000,
            "GlobalMemoryBusWidth": 5120,
        }

    def use(self) -> None: ...


class RawModule:
    """Kernels of a source text with -D options."""

    def __init__(self, cupy: Cupy, *, code: str, options: tuple):
        named = (option[2:].split("=", 1) for option in options if option.startswith("-D"))
        self.cupy, self.code, self.defines = cupy, code, tuple(sorted(map(tuple, named)))

    def get_function(self, name: str) -> RawFunction:
        return RawFunction(self.cupy, self.code, self.defines, name)


class Stream:
    """What is launched waits until the host asks; streams that do not block wait for nobody."""

    def __init__(self, cupy: Cupy, non_blocking: bool = False):
        self.cupy, self.non_blocking = cupy, non_blocking
        self.waiting: list[Callable] = []
        self.begun = 0  # launches run so far
        self.captured: list[Callable] | None = None

    def add(self, work: Callable) -> None:
        (self.waiting if self.captured is None else self.captured).append(work)

    def run(self, until: int | None = None) -> None:
        """Everything, or the first `until` launches since its beginning."""
        while self.waiting and (until is None or self.begun < until):
            work = self.waiting.pop(0)
            self.begun += 1
            work()

    def synchronize(self) -> None:
        if self.captured is not None:
            raise EmulationError("a graph in the making cannot be waited for")
        self.run()

    def __enter__(self) -> "Stream":
        self.cupy.streams.append(self)
        return self

    def __exit__(self, *_) -> None:
        self.cupy.streams.pop()

    def record(self) -> tuple["Stream", int]:
        return self, self.begun + len(self.waiting)

    def wait_event(self, event: tuple["Stream", int]) -> None:
        stream, until = event
        self.add(lambda: stream.run(until))

    def begin_capture(self) -> None:
        if not self.non_blocking:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        self.captured = []

    def end_capture(self) -> "Graph":
        graph, self.captured = Graph(self.captured), None
        return graph


class Graph:
    def __init__(self, launches: list[Callable]):
        self.launches = launches

    def launch(self, stream: Stream) -> None:
        for launch in self.launches:
            stream.add(launch)
