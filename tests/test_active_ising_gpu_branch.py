"""The Active Ising kernel's GPU branch, run thread by thread on a CPU, gives the CPU's bytes.

128 real threads with barriers take the place of a block: attempts evaluated side by side, the first
conflict found, what precedes it carried out together.
"""

import ctypes
from dataclasses import fields

import numpy as np
import pytest

from kernels import active_ising_batch
from kernels.active_ising import ActiveIsing
from kernels.device import select, source_of
from kernels.signatures import Launches
from tests.reference import emulation

ENTRY = """
extern "C" void emulate(int which, void** a, int stride, int looks, int most, int maps, unsigned low, unsigned high, unsigned stream) {
  run_block(SLOTS, [=] {
    if (which == 0)
      populate((CODE*)a[0], stride, (COUNT*)a[1], (unsigned*)a[2], (INDEX*)a[3], (CELL*)a[4], (CELL*)a[5], (wide*)a[6],
               (int*)a[7], (int*)a[8], (unsigned*)a[9], (CODE*)a[10], low, high, stream);
    else
      run_replicas((CODE*)a[0], stride, (COUNT*)a[1], (unsigned*)a[2], (INDEX*)a[3], (CELL*)a[4], (CELL*)a[5], (wide*)a[6],
                   (int*)a[7], (int*)a[8], (Rates*)a[9], (wide*)a[10], (unsigned*)a[11], (wide*)a[12], looks, most, (int*)a[13], maps,
                   (int*)a[14], (int*)a[15], (int*)a[16], (int*)a[17], (short*)a[18]);
  });
}
"""


class EmulatedModule:
    """Stands in for a built module: blocks one after another, 128 threads each, what is shared of
    64 KB.
    """

    def __init__(self, folder, defines):
        source = source_of("active_ising.cu").replace(
            "extern __shared__ int shared[];", "static int shared[16384];"
        )
        constants = tuple(sorted(defines.items()))
        self.library = emulation.built(folder, source + ENTRY, defines)
        self.launches = Launches("active_ising.cu", source, constants)

    def launch(self, kernel, blocks, /, *, threads, shared_bytes=0, **arguments):
        assert threads == 128
        assert shared_bytes <= 65536
        arguments = self.launches.in_order(kernel, arguments)
        arrays = [a for a in arguments if a is None or isinstance(a, np.ndarray)]
        pointers = (ctypes.c_void_p * len(arrays))(
            *(None if a is None else a.ctypes.data for a in arrays)
        )
        integers = [int(a) for a in arguments if not (a is None or isinstance(a, np.ndarray))]
        if kernel == "populate":
            stride, low, high, stream = integers
            looks = most = maps = 0
        else:
            stride, looks, most, maps = integers
            low = high = stream = 0
        for block in range(blocks):
            self.library.emulate_block(block)
            self.library.emulate(
                int(kernel == "run_replicas"),
                pointers,
                stride,
                looks,
                most,
                maps,
                low,
                high,
                stream,
            )


class EmulatedGpu:
    """A CPU that runs the GPU's branch."""

    kind, name = "gpu", "emulated"

    def __init__(self, folder, shared_bytes):
        self.cpu, self.folder, self.shared_bytes = select("cpu", workers=1), folder, shared_bytes

    def module(self, file, defines):
        assert file == "active_ising.cu"
        return EmulatedModule(self.folder, defines)

    def __getattr__(self, name):
        return getattr(self.cpu, name)


SYSTEMS = {
    "standard": (dict(size=12, algorithm="standard"), [0.95, 0.5], [3, 1.5], [0, 1], 65536),
    "standard, dense": (
        dict(size=4, algorithm="standard"),
        [0.7],
        [9],
        [0],
        65536,
    ),  # a conflict in almost every batch
    "continuous time": (
        dict(size=12, algorithm="continuous_time"),
        [0.3, 0.8],
        [3, 2],
        [1, 0],
        65536,
    ),
    "continuous time, dense": (dict(size=4, algorithm="continuous_time"), [0.5], [12], [0], 0),
    "wide counters": (
        dict(size=3, algorithm="continuous_time"),
        [0.6],
        [39],
        [1],
        65536,
    ),  # some site holds 64 of a spin soon
    "wide codes": (dict(size=130, algorithm="continuous_time"), [0.4], [0.05], [0], 0),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_same_bytes(tmp_path, monkeypatch, name):
    system, temperature, density, start, shared_bytes = SYSTEMS[name]
    monkeypatch.setattr(
        active_ising_batch, "FIRST_LAUNCH", 777
    )  # several launches, which end within a batch
    times = [0, 0.07, 0.3]
    cpu = ActiveIsing(**system, device=select("cpu", workers=1)).run(
        temperature, density, start, times, seed=2**35 + 3
    )
    gpu = ActiveIsing(**system, device=EmulatedGpu(tmp_path, shared_bytes)).run(
        temperature, density, start, times, seed=2**35 + 3
    )
    for field in fields(cpu):
        assert np.array_equal(getattr(cpu, field.name), getattr(gpu, field.name)), field.name
    maps = (cpu.magnetization_map[:, -1], cpu.density_map[:, -1])  # and on from there
    on = [
        ActiveIsing(**system, device=device).run(temperature, None, maps, times, seed=5)
        for device in (
            select("cpu", workers=1),
            EmulatedGpu(tmp_path, shared_bytes),
        )
    ]
    for field in fields(cpu):
        assert np.array_equal(*(getattr(each, field.name) for each in on)), field.name
    assert (cpu.attempts > 256).all()
    assert np.any(cpu.magnetization_map[:, 0] != cpu.magnetization_map[:, -1])
