"""Builds metropolis.cpp with the system C++ compiler and wraps it: plain random-site Metropolis,
one thread.

interaction is nearest or square; `field` is the strength h > 0: +h while equilibrating, -h after
(`chain`: signed).
"""

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("metropolis.cpp")
FLAGS = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC"]


def build(flags=FLAGS):
    """Path of the shared library, compiled if not in the cache (XDG_CACHE_HOME, ~/.cache or the
    temporary folder).

    The key holds the source, the flags and the compiler's predefined macros, which name its version
    and CPU.
    """
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, *flags, "-dM", "-E", "-x", "c++", os.devnull]
    macros = subprocess.run(command, check=True, capture_output=True).stdout
    key = hashlib.sha256(
        SOURCE.read_bytes() + repr((compiler, flags)).encode() + macros
    ).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quench"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"quench-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"metropolis-{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            # Compiled aside and renamed when whole: two builds at once do no harm.
            fresh = Path(scratch) / library.name
            subprocess.run([compiler, *flags, SOURCE, "-o", fresh], check=True)
            os.replace(fresh, library)
    return library


@functools.cache
def library():
    real, integer, seed = ctypes.c_double, ctypes.c_int, ctypes.c_uint64
    int8s, int32s = (
        np.ctypeslib.ndpointer(np.int8, flags="C"),
        np.ctypeslib.ndpointer(np.int32, flags="C"),
    )
    system = [integer, integer, integer, real, real]
    lib = ctypes.CDLL(str(build()))
    lib.lifetimes.argtypes = [*system, integer, integer, integer, seed, int32s]
    lib.passage.argtypes = [*system, int8s, integer, integer, seed, int32s]
    lib.chain.argtypes = [*system, integer, integer, seed, int8s]
    lib.bench.argtypes = [*system, real, seed, ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(real)]
    for function in (lib.lifetimes, lib.passage, lib.chain, lib.bench):
        function.restype = None
    return lib


def system(size, range, temperature, field, interaction):
    if interaction not in ("nearest", "square"):
        raise ValueError(f"interaction is nearest or square, not {interaction!r}")
    if size <= 2 * range:
        raise ValueError(f"size {size} is not above 2 R = {2 * range}")
    return range, interaction == "nearest", size, temperature, field


def lifetimes(
    size,
    range,
    temperature,
    field,
    interaction,
    runs,
    seed,
    equilibration=50,
    max_lifetime=2**31 - 1,
):
    """MCS from the field's flip to m <= 0, int32 (runs,); -1 where max_lifetime was reached."""
    out = np.empty(runs, np.int32)
    arguments = system(size, range, temperature, field, interaction)
    library().lifetimes(*arguments, runs, equilibration, max_lifetime, seed, out)
    return out


def passage(size, range, temperature, field, interaction, spins, copies, duration, seed):
    """First MCS after which m <= 0 for copies of spins (L, L), int32 (copies,); -1: not within
    `duration`.
    """
    out = np.empty(copies, np.int32)
    start = np.ascontiguousarray(spins, np.int8).ravel()
    arguments = system(size, range, temperature, field, interaction)
    library().passage(*arguments, start, copies, duration, seed, out)
    return out


def chain(size, range, temperature, field, interaction, frames, steps, seed):
    """Spins of one chain under a signed field every `steps` MCS, from all up: int8 (frames,
    L, L).
    """
    out = np.empty((frames, size, size), np.int8)
    library().chain(*system(size, range, temperature, field, interaction), frames, steps, seed, out)
    return out


def bench(size, range, temperature, field, interaction, seconds=1.0, seed=1):
    """Attempts and seconds of at least `seconds` in the metastable state (all up again whenever m
    <= 0).
    """
    attempts, elapsed = ctypes.c_int64(), ctypes.c_double()
    arguments = system(size, range, temperature, field, interaction)
    library().bench(*arguments, seconds, seed, ctypes.byref(attempts), ctypes.byref(elapsed))
    return attempts.value, elapsed.value
