"""The Active Ising kernel's GPU branch, run thread by thread on a CPU, gives the CPU's bytes.

128 real threads with barriers take the place of a block: attempts evaluated side by side, the first
conflict found, what precedes it carried out together.
"""

from dataclasses import fields

import numpy as np
import pytest

from kernels import active_ising_batch
from kernels.active_ising import ActiveIsing
from kernels.device import select
from tests.reference.emulation import EmulatedGpu

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
