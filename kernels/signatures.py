"""What a kernel takes, read from its source: neither ctypes nor cupy counts arguments or looks at
their types.
"""

import functools
import re
from dataclasses import dataclass

import numpy as np

KINDS = {
    "char": "i1",
    "signed char": "i1",
    "unsigned char": "u1",
    "short": "i2",
    "unsigned short": "u2",
    "int": "i4",
    "unsigned": "u4",
    "unsigned int": "u4",
    "word": "u4",  # a vector of them on a CPU
    "long long": "i8",
    "unsigned long long": "u8",
    "float": "f4",
    "double": "f8",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel.  dtype: NumPy's, None of a struct's; pointer: to an array of
    them.
    """

    name: str
    type: str
    pointer: bool
    dtype: np.dtype | None


@functools.lru_cache(maxsize=256)
def signature(source: str, defines: tuple, kernel: str) -> tuple[Parameter, ...]:
    """Of a kernel in a source text, its #includes resolved; defines: ((name, value), ...).  Raises
    LookupError where the source has no such kernel.
    """
    words = {name: str(value) for name, value in defines}
    lines = re.sub(r"//[^\n]*", "", source.replace("\\\n", " "))
    for known, name in re.findall(r"^\s*typedef ([\w ]+?) (\w+);", lines, re.M):
        words.setdefault(name, known)
    macros = dict(re.findall(r"^#define (\w+) ([^\n(]*)$", lines, re.M))
    found = re.search(START.format(name=kernel), lines)
    if found is None:  # of a macro that makes kernels: #define MAKE(name, ...) ... void name(...)
        for macro, first in re.findall(r"^#define (\w+)\((\w+)", lines, re.M):
            body = re.search(rf"^#define {macro}\(.*$", lines, re.M)
            made = re.search(START.format(name=first), body[0]) if body else None
            if made and re.search(rf"\b{macro}\(\s*{kernel}\b", lines):
                found, lines = made, body[0]
                break
    if found is None:
        raise LookupError(f"no kernel {kernel} in this source")
    end = lines.index(")", found.end())
    inside = re.sub(r"\b(\w+)\b", lambda m: macros.get(m[1], m[1]), lines[found.end() : end])
    return tuple(parameter(text, words) for text in inside.split(",") if text.strip())


START = (  # of {name}
    r'(?:__global__|extern "C")\s+void(?:\s|#[^\n]*\n|__launch_bounds__\s*\([^()]*\))*\b{name}\s*\('
)


def parameter(text: str, words: dict[str, str]) -> Parameter:
    """Of `const REAL* __restrict__ u`."""
    bare = re.sub(r"\b(const|__restrict__|volatile)\b", " ", text)
    pointer = "*" in bare
    *kind, name = bare.replace("*", " ").split()
    given = known = " ".join(kind)
    while known in words and words[known] != known:
        known = words[known]
    dtype = KINDS.get(known)
    return Parameter(name, given + "*" * pointer, pointer, np.dtype(dtype) if dtype else None)


def check(file: str, source: str, defines: tuple, kernel: str, arguments: list) -> None:
    """TypeError, one line, unless the arguments are as many as the kernel takes, and of its types:
    None or a contiguous array for a pointer, a NumPy scalar for a number.
    """
    wanted = signature(source, defines, kernel)
    where = f"{file}, {kernel}"
    if len(arguments) != len(wanted):
        names = ", ".join(each.name for each in wanted)
        raise TypeError(f"{where}: {len(arguments)} arguments; it takes {len(wanted)}: {names}")
    for number, (each, given) in enumerate(zip(wanted, arguments, strict=True)):
        what = f"{where}: argument {number}, {each.name} ({each.type})"
        if each.pointer and given is None:
            continue
        if each.pointer and np.ndim(given) == 0 and np.isscalar(given):
            raise TypeError(f"{what}: expected an array, got {type(given).__name__}")
        if not each.pointer and not isinstance(given, np.generic):
            raise TypeError(f"{what}: expected a NumPy scalar, got {type(given).__name__}")
        dtype = given.dtype
        if each.dtype is not None and dtype != each.dtype:
            raise TypeError(f"{what}: expected {each.dtype}, got {dtype}")
        if each.pointer and not given.flags.c_contiguous:
            raise TypeError(f"{what}: expected a contiguous array")
