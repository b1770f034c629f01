"""Builds a kernel's GPU branch for a CPU: real threads in place of CUDA's (cuda_threads.h)."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from kernels.device import compiler

OPTIONS = ("-std=c++20", "-O1", "-w", "-shared", "-fPIC", "-pthread")


def built(folder: Path, source: str, defines: dict, *options: str) -> ctypes.CDLL:
    """The library of a source text, its #includes resolved, with its entries.  Skips the test where
    the compiler has no <barrier>.
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
