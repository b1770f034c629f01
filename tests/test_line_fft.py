"""Line transforms against numpy's: coefficients in the order that `line_order` says, and the line
again on the way back.
"""

import ctypes
import subprocess

import numpy as np
import pytest
from conftest import ROOT

from kernels.cahn_hilliard_lines import LINE_FACTORS, line_order, turns
from kernels.device import FLAGS, compiler, select

BOUND = {
    "float32": 4e-7,
    "float64": 1e-15,
}  # of a coefficient's error over the root mean square of all; seen: a third of it


@pytest.fixture(
    scope="module",
    params=[
        (size, real, lanes)
        for size in LINE_FACTORS
        for real, lanes in (("float32", 16), ("float64", 4))
    ],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def line(request, tmp_path_factory):
    size, real, lanes = request.param
    select("cpu")  # which says so if there is no compiler
    built = tmp_path_factory.mktemp("line") / "line.so"
    types = {"float32": "float", "float64": "double"}
    command = [
        *compiler()[0],
        *FLAGS,
        f"-I{ROOT / 'kernels'}",
        f"-DSIZE={size}",
        f"-DREAL={types[real]}",
        f"-DLANES={lanes}",
        str(ROOT / "tests/reference/line_transforms.cpp"),
        "-o",
        str(built),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return size, real, ctypes.CDLL(str(built))


def test_there_and_back(line):
    size, real, library = line
    lanes = library.lanes()
    random = np.random.default_rng(size)
    start = random.normal(size=(size, 2, lanes)).astype(real)
    twist, place = np.ascontiguousarray(turns(size).astype(real)), select("cpu").asarray(start)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (place, twist)]
    library.forward(*pointers)
    expected = np.fft.fft((start[:, 0] + 1j * start[:, 1]).astype(np.complex128), axis=0)[
        line_order(size)
    ]
    error = np.abs(place[:, 0] + 1j * place[:, 1] - expected)
    assert error.max() < BOUND[real] * np.sqrt(2 * size) * np.sqrt(np.log2(size))
    library.back(*pointers)
    assert np.abs(place / size - start).max() < 10 * BOUND[real]
