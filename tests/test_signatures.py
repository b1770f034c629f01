"""Arguments of a launch are those of the kernel's source: as many, and of its types."""

import re

import numpy as np
import pytest

from kernels import signatures
from kernels.device import FOLDER, source_of

SOURCE = """
typedef unsigned long long wide;
#define BOX int nx, int ny
extern "C" __global__ void
#ifdef __CUDACC__
__launch_bounds__(THREADS)
#endif
    fill(const REAL* __restrict__ from, CODE* to, wide* clock,  // a comment, with (a) bracket
         const Rates* rates, int count, unsigned seed, BOX) {
}
#define MAKE(name, N)                                       \\
  extern "C" __global__ void name(const float* x, int n) { \\
  }
MAKE(made, 3)
"""
DEFINES = (("CODE", "unsigned short"), ("REAL", "double"), ("THREADS", 64))


def test_names_and_types_of_a_kernel():
    found = signatures.signature(SOURCE, DEFINES, "fill")
    assert [(p.name, p.type, p.pointer, p.dtype) for p in found] == [
        ("from", "REAL*", True, np.float64),
        ("to", "CODE*", True, np.uint16),
        ("clock", "wide*", True, np.uint64),
        ("rates", "Rates*", True, None),
        ("count", "int", False, np.int32),
        ("seed", "unsigned", False, np.uint32),
        ("nx", "int", False, np.int32),
        ("ny", "int", False, np.int32),
    ]
    made = signatures.signature(SOURCE, DEFINES, "made")
    assert [(p.name, p.dtype) for p in made] == [("x", np.float32), ("n", np.int32)]
    with pytest.raises(LookupError, match="no kernel other"):
        signatures.signature(SOURCE, DEFINES, "other")


def test_every_kernel_of_every_source_is_read():
    """As many as there are; no parameter without a name."""
    count = 0
    for path in sorted([*FOLDER.glob("*.cu"), *FOLDER.glob("*.cpp")]):
        source = source_of(path.name)
        for kernel in re.findall(signatures.START.replace("{name}", r"(\w+)"), source):
            if kernel == "name":
                continue  # a macro's
            found = signatures.signature(source, (), kernel)
            assert found, kernel
            assert len({p.name for p in found}) == len(found), kernel
            count += 1
    assert count > 25


def good() -> list:
    return [
        np.zeros(3),
        np.zeros(3, np.uint16),
        None,
        np.zeros(5, np.uint8),
        np.int32(3),
        np.uint32(1),
        np.int32(4),
        np.int32(5),
    ]


FAULTS = {  # what is done to the arguments, what is said
    "an argument too few": (lambda a: a.pop(), r"7 arguments; it takes 8: from, to, clock"),
    "one too many": (lambda a: a.append(np.int32(0)), "9 arguments"),
    "two swapped": (lambda a: a.insert(0, a.pop(1)), r"argument 0, from .*float64, got uint16"),
    "a scalar of the wrong type": (
        lambda a: a.__setitem__(4, np.int64(3)),
        r"argument 4, count \(int\): expected int32, got int64",
    ),
    "a Python number": (lambda a: a.__setitem__(5, 1), "expected a NumPy scalar, got int"),
    "a number for an array": (lambda a: a.__setitem__(1, np.uint16(1)), "expected an array"),
    "another precision": (
        lambda a: a.__setitem__(0, np.zeros(3, np.float32)),
        "expected float64, got float32",
    ),
    "a view that is not contiguous": (
        lambda a: a.__setitem__(0, np.zeros(6)[::2]),
        "expected a contiguous array",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_said(name):
    signatures.check("some.cu", SOURCE, DEFINES, "fill", good())
    arguments = good()
    spoil, said = FAULTS[name]
    spoil(arguments)
    with pytest.raises(TypeError, match=said) as error:
        signatures.check("some.cu", SOURCE, DEFINES, "fill", arguments)
    assert str(error.value).startswith("some.cu, fill")
    assert "\n" not in str(error.value)


def test_a_launch_is_checked_before_it_runs(device):
    """Else an argument too few would be read from wherever the stack ends."""
    module = device.module("perlin.cu", {"SIZE": 8, "POINTS": 2})
    with pytest.raises(TypeError, match=r"perlin.cu, draw_gradients: 1 arguments; it takes 5"):
        module.launch("draw_gradients", 1, [device.zeros(4, np.uint32)])
