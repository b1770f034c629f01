"""Faults seeded into kernels and the Python around them, and the test of test_emulated_gpu.py that
catches each: a test of the emulated GPU itself.
"""

import inspect
import textwrap
from dataclasses import dataclass

import pytest

from kernels import conv_gru, device, ising_bits, perlin
from kernels.cahn_hilliard_fft import Fft
from tests import test_emulated_gpu
from tests.reference import emulation


@dataclass
class Fault:
    """`old` becomes `new` in the GPU's source text, or in that of a Python function (owner, name);
    `test` of test_emulated_gpu.py, with its arguments, fails, and says `seen`.
    """

    old: str
    new: str
    test: str
    arguments: dict
    seen: str
    owner: object = None
    name: str = ""


SHARED = "sublattices in shared memory"
FAULTS = {
    "a barrier is dropped": Fault(
        "= sum[k];\n  }\n  team_sync();",
        "= sum[k];\n  }\n",
        *("test_lattices", dict(name=SHARED), "configurations differ"),
    ),
    "a warp's mask is wrong": Fault(
        "__syncwarp(0xffu << (threadIdx.x & 24))",
        "__syncwarp(0xffu << (threadIdx.x & 16))",
        *("test_fields", dict(name="fused, 32, adaptive"), "a mask that leaves it out"),
    ),
    "a scalar has the wrong type": Fault(
        "values = self.launches.in_order(kernel, arguments)",
        "values = [np.int64(v) if isinstance(v, np.int32) else v for v in self.launches.in_order(kernel, arguments)]",
        *("test_noise", dict(size=12, points=3), r"planes \(int\) is int64"),
        *(device.GpuModule, "launch"),
    ),
    "an array is not contiguous": Fault(
        "self.xp.ascontiguousarray(v)",
        "self.xp.ascontiguousarray(v.T).T",
        *("test_fields", dict(name="plain FFTs"), "expected a contiguous array"),
        *(Fft, "inverse"),
    ),
    "a synchronisation is missing": Fault(
        "graph.launch(self.cupy.cuda.get_current_stream())",
        "graph.launch(self.cupy.cuda.Stream(non_blocking=True))",
        *("test_networks", dict(output="staggered", hidden=4), "fields differ"),
        *(device.Gpu, "replay"),
    ),
    "an argument too few": Fault(
        "fade=device.asarray(fade(offset), np.float32),",
        "",
        *("test_noise", dict(size=8, points=8), "fade missing"),
        *(perlin, "perlin_noise"),
    ),
    "shared memory is one byte short": Fault(
        "self.shared_bytes = 4 * (self.lattice_words + self.scratch_words)",
        "self.shared_bytes = 4 * (self.lattice_words + self.scratch_words) - 1",
        *("test_lattices", dict(name=SHARED), "written beyond the shared memory"),
        *(ising_bits.BitSlicedLattices, "__init__"),
    ),
    "a stride is wrong": Fault(
        "((size_t)x * grid.ny + y) * grid.row()",
        "((size_t)x * grid.nx + y) * grid.row()",
        *("test_networks", dict(output="staggered", hidden=4), "fields differ"),
    ),
    "an index overflows": Fault(
        "end[(size_t)vector * N + i]",
        "end[(signed char)(vector * N + i)]",
        *("test_lattices", dict(name="nearest"), "written beyond an array"),
    ),
    "a capture allocates": Fault(
        'k.get(f"reset_state.{cell}", self.reset_state)',
        'k.get(f"reset_state.{cell}", self.empty(self.hidden))',
        *(
            "test_networks",
            dict(output="staggered", hidden=4),
            "allocated while a graph is captured",
        ),
        *(conv_gru.ConvGRU, "step"),
    ),
    "a graph outlives its arrays": Fault(
        "self.weights[name][...] = flat[index]",
        "self.weights[name] = flat[index]",
        *("test_networks", dict(output="staggered", hidden=4), "a graph's array was freed"),
        *(conv_gru.ConvGRU, "load"),
    ),
    "an array of the host's": Fault(
        "self.cupy.ascontiguousarray(self.cupy.asarray(values, dtype))",
        "np.asarray(values, dtype)",
        *("test_noise", dict(size=12, points=3), r"identity \(unsigned\*\) is ndarray"),
        *(device.Gpu, "asarray"),
    ),
}


def replaced(text: str, fault: Fault) -> str:
    assert text.count(fault.old) == 1, f"{fault.old} stands {text.count(fault.old)} times"
    return text.replace(fault.old, fault.new)


@pytest.mark.parametrize("name", FAULTS)
def test_caught(name, tmp_path, monkeypatch):
    fault = FAULTS[name]
    if fault.owner is None:
        plain = emulation.with_entries

        def with_fault(source, defines):
            return plain(replaced(source, fault), defines)

        monkeypatch.setattr(emulation, "with_entries", with_fault)
    else:
        seed_into_python(fault, monkeypatch)
    test = getattr(test_emulated_gpu, fault.test)
    more = (
        {"monkeypatch": monkeypatch} if "monkeypatch" in inspect.signature(test).parameters else {}
    )
    with pytest.raises((AssertionError, TypeError), match=fault.seen):
        test(**fault.arguments, tmp_path=tmp_path, **more)


def seed_into_python(fault: Fault, monkeypatch) -> None:
    owner, function = fault.owner, inspect.unwrap(getattr(fault.owner, fault.name))
    names = dict(function.__globals__, np=test_emulated_gpu.np)
    exec(replaced(textwrap.dedent(inspect.getsource(function)), fault), names)
    monkeypatch.setattr(owner, fault.name, names[fault.name])
    if hasattr(test_emulated_gpu, fault.name):
        monkeypatch.setattr(test_emulated_gpu, fault.name, names[fault.name])
