"""Arguments of a launch are those of the kernel's source: as many, and of its types."""

import contextlib

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
    assert signatures.kernels(SOURCE) == ["fill", "made"]
    count = 0
    for path in sorted([*FOLDER.glob("*.cu")]):
        source = source_of(path.name)
        for kernel in signatures.kernels(source):
            found = signatures.signature(source, (), kernel)
            assert found, kernel
            assert len({p.name for p in found}) == len(found), kernel
            count += 1
    assert count > 30


def good() -> dict:
    return {
        "from": np.zeros(3),
        "to": np.zeros(3, np.uint16),
        "clock": None,
        "rates": np.zeros(5, np.uint8),
        "count": 3,
        "seed": np.uint64(2**32 - 1),
        "nx": np.int32(4),
        "ny": True,
    }


def launches() -> signatures.Launches:
    return signatures.Launches("some.cu", SOURCE, DEFINES)


def test_arguments_are_put_in_order():
    """Whatever order they are given in; numbers get the kernel's types."""
    arguments = good()
    values = launches().in_order("fill", dict(reversed(arguments.items())))
    assert all(values[i] is arguments[name] for i, name in enumerate(("from", "to", "clock")))
    numbers = [(type(value), int(value)) for value in values[4:]]
    assert numbers == [(np.int32, 3), (np.uint32, 2**32 - 1), (np.int32, 4), (np.int32, 1)]


FAULTS = {  # what is done to the arguments, the error, what is said
    "an argument too few": (
        lambda a: a.pop("ny"),
        TypeError,
        "fill: ny missing; it takes from, to, clock, rates, count, seed, nx, ny",
    ),
    "one too many": (lambda a: a.update(nz=1), TypeError, "fill: nz not known; it takes from"),
    "a misspelt name": (
        lambda a: a.update(sed=a.pop("seed")),
        TypeError,
        "fill: seed missing; sed not known; it takes",
    ),
    "two swapped": (
        lambda a: a.update({"from": a["to"], "to": a["from"]}),
        TypeError,
        r"from \(REAL\*\) expected float64, got uint16",
    ),
    "a fraction": (lambda a: a.update(count=3.0), TypeError, r"count \(int\) expected a number"),
    "a number too large": (
        lambda a: a.update(count=2**31),
        OverflowError,
        r"count \(int\) is 2147483648, beyond int32",
    ),
    "a negative number": (lambda a: a.update(seed=-1), OverflowError, "is -1, beyond uint32"),
    "an array for a number": (lambda a: a.update(nx=np.zeros(2)), TypeError, "expected a number"),
    "a number for an array": (lambda a: a.update(to=1), TypeError, "expected an array, got int"),
    "a scalar for an array": (
        lambda a: a.update(to=np.uint16(1)),
        TypeError,
        "expected an array, got uint16",
    ),
    "another precision": (
        lambda a: a.update({"from": np.zeros(3, np.float32)}),
        TypeError,
        "expected float64, got float32",
    ),
    "a view that is not contiguous": (
        lambda a: a.update({"from": np.zeros(6)[::2]}),
        TypeError,
        "expected a contiguous array",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_said(name):
    """At a first launch, after another mistake, and after a good one."""
    arguments, checked = good(), launches()
    spoil, kind, said = FAULTS[name]
    spoil(arguments)
    for before in (None, {}, good()):
        with contextlib.suppress(TypeError):
            if before is not None:
                checked.in_order("fill", before)
        with pytest.raises(kind, match=said) as error:
            checked.in_order("fill", arguments)
        assert str(error.value).startswith("some.cu, fill: ")
        assert "\n" not in str(error.value)


def test_a_launch_is_checked_before_it_runs(device):
    """Else an argument too few would be read from wherever the stack ends."""
    module = device.module("perlin.cu", {"SIZE": 8, "POINTS": 2})
    with pytest.raises(
        TypeError, match=r"perlin.cu, draw_gradients: gradient, seed_low, .* missing"
    ):
        module.launch("draw_gradients", 1, identity=device.zeros(4, np.uint32))


def test_an_array_is_looked_at_where_a_freed_one_lay():
    """A temporary array often gets the identity of the last one."""
    checked, mine, kept = launches(), np.zeros(3, np.uint16), []
    checked.in_order("fill", good() | {"to": mine})
    before = id(mine)
    del mine
    for _ in range(1000):
        other = np.zeros(3, np.float32)
        kept.append(other)
        if id(other) == before:
            break
    with pytest.raises(TypeError, match="expected uint16, got float32"):
        checked.in_order("fill", good() | {"to": other})
