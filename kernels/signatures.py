"""What a kernel takes, read from its source: its arguments are given by name, which neither ctypes
nor cupy knows, and neither counts them or looks at their types.
"""

import functools
import operator
import re
from collections.abc import Callable
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

    low: int = 1  # of whole numbers of its type; 1 to 0 where there are none
    high: int = 0
    make: Callable = int  # of a whole number

    @property
    def title(self) -> str:
        return f"{self.name} ({self.type})"


def kernels(source: str) -> list[str]:
    """Names of all kernels in a source text, those that macros make included."""
    lines = re.sub(r"//[^\n]*", "", source.replace("\\\n", " "))
    macros = dict(re.findall(r"^#define (\w+)\((\w+)", lines, re.M))
    makers = [
        macro
        for macro, first in macros.items()
        if re.search(rf"^#define {macro}\(.*__global__ void {first}\(", lines, re.M)
    ]
    plain = re.sub(r"^#define.*$", "", lines, flags=re.M)
    found = re.findall(START.format(name=r"(\w+)").replace('|extern "C"', ""), plain)
    return found + [n for macro in makers for n in re.findall(rf"\b{macro}\(\s*(\w+)", plain)]


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
    bare = re.sub(r"\b(const|__restrict__|__restrict|volatile)\b", " ", text)
    pointer = "*" in bare
    *kind, name = bare.replace("*", " ").split()
    given = known = " ".join(kind)
    while known in words and words[known] != known:
        known = words[known]
    dtype = np.dtype(KINDS[known]) if known in KINDS else None
    written = given + "*" * pointer
    if pointer or dtype is None or dtype.kind not in "iu":
        return Parameter(name, written, pointer, dtype)
    limits = np.iinfo(dtype)
    return Parameter(name, written, pointer, dtype, limits.min, limits.max, dtype.type)


class Launches:
    """The arguments of the kernels of one module: `file` as `source` says it with these
    defines, ((name, value), ...).
    """

    def __init__(self, file: str, source: str, defines: tuple):
        self.file, self.source, self.defines = file, source, defines
        self.known: dict[str, tuple[Parameter, ...]] = {}

    def names(self, kernel: str) -> list[str]:
        """Of its arguments, in order."""
        return [each.name for each in signature(self.source, self.defines, kernel)]

    def in_order(self, kernel: str, arguments: dict) -> list:
        """The named arguments in the order in which the kernel takes them: arrays, None for a
        pointer to nothing, NumPy scalars of its types.

        Raises TypeError, one line, where a name is missing or not the kernel's, or an array has
        another type or is not contiguous; OverflowError where a number does not fit.
        """
        if kernel not in self.known:
            self.known[kernel] = signature(self.source, self.defines, kernel)
        wanted, values = self.known[kernel], []
        try:
            for each in wanted:
                value = arguments[each.name]
                if each.pointer:
                    array(each, value)
                elif type(value) is int and each.low <= value <= each.high:
                    value = each.make(value)
                else:
                    value = number(each, value)
                values.append(value)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"{self.file}, {kernel}: {error}") from None
        except KeyError:
            pass
        if len(values) != len(arguments) or len(values) != len(wanted):
            raise TypeError(f"{self.file}, {kernel}: {difference(wanted, arguments)}")
        return values


def difference(wanted: tuple[Parameter, ...], arguments: dict) -> str:
    """Which names are missing, and which are not the kernel's."""
    names = [each.name for each in wanted]
    missing = ", ".join(name for name in names if name not in arguments)
    unknown = ", ".join(name for name in arguments if name not in names)
    parts = [f"{missing} missing"] * bool(missing) + [f"{unknown} not known"] * bool(unknown)
    return f"{'; '.join(parts)}; it takes {', '.join(names)}"


def array(wanted: Parameter, value) -> None:
    """TypeError where it is not one for this pointer; None is."""
    if value is None:
        return
    if isinstance(value, np.generic) or not hasattr(value, "flags"):
        raise TypeError(f"{wanted.title} expected an array, got {type(value).__name__}")
    if wanted.dtype is not None and value.dtype != wanted.dtype:
        raise TypeError(f"{wanted.title} expected {wanted.dtype}, got {value.dtype}")
    if not value.flags.c_contiguous:
        raise TypeError(f"{wanted.title} expected a contiguous array")


def number(wanted: Parameter, value):
    """A NumPy scalar of this type.  TypeError, OverflowError where it is none."""
    dtype = wanted.dtype
    try:
        if dtype.kind != "f":
            return dtype.type(int(value) if isinstance(value, np.bool_) else operator.index(value))
        if np.isfinite(float(value)) and abs(float(value)) > np.finfo(dtype).max:
            raise OverflowError
        return dtype.type(float(value))
    except TypeError:
        raise TypeError(f"{wanted.title} expected a number, got {type(value).__name__}") from None
    except OverflowError:
        raise OverflowError(f"{wanted.title} is {value}, beyond {dtype}") from None
