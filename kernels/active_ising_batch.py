"""Replicas of the Active Ising Model on a device: their arrays, and one launch of active_ising.cu
after another.
"""

import time
from collections.abc import Callable

import numpy as np

from kernels.active_ising_rates import WIDE_COUNTER, rate_tables
from kernels.device import next_launch
from kernels.streams import STREAMS, seed_words

SLOTS, BINS = 128, 65  # as in active_ising_attempt.h
DONE, LOOK, EXCESS_ATTEMPTS, IS_FULL, STATE = 0, 1, 3, 6, 7  # as in active_ising_attempt.h
# blocks of a GPU's processor, which hide one another's barriers: worth more than near particles
ENOUGH_BLOCKS = 4
FIRST_LAUNCH, SHORTEST_LAUNCH = 1 << 18, 1 << 12  # attempts of particles a replica
C_TYPES = {np.uint16: "unsigned short", np.uint32: "unsigned"}


class Layout:
    """Types and sizes of a batch's arrays, as narrow as they may be.

    A coordinate with its two ghosts takes `bits`, a particle's code two coordinates and the spin;
    stride: places in a replica's list of particles, with room to search 64 at a time; counter_bits:
    of the particles of one spin on a site; particles: the most of a replica; continuous: by the
    algorithm in continuous time.
    """

    def __init__(self, size: int, particles: int, counter_bits: int, continuous: bool, device):
        self.continuous, self.counter_bits, self.count = (
            continuous,
            counter_bits,
            np.uint32 if counter_bits == WIDE_COUNTER else np.uint16,
        )
        self.bits = max(7, (size + 1).bit_length())
        self.cells, self.stride = (size + 2) << self.bits, -(-(particles + 64) // 64) * 64
        self.code = np.uint16 if self.bits == 7 else np.uint32
        self.cell = np.uint16 if self.cells <= 1 << 16 else np.uint32
        self.order = np.uint16 if self.stride <= 1 << 16 else np.uint32
        self.shared_bytes, particles_too = 0, False  # of a GPU's block
        if device.kind == "gpu":
            sites = 4 * size**2 + np.dtype(self.count).itemsize * self.cells
            everything = sites + np.dtype(self.code).itemsize * self.stride
            few, many = (device.blocks_at_once(size) for size in (everything, sites))
            particles_too = 0 < min(ENOUGH_BLOCKS, many) <= few
            self.shared_bytes = everything if particles_too else sites if many else 0
        self.defines = dict(
            SIZE=size,
            BITS=self.bits,
            COUNTER_BITS=counter_bits,
            CONTINUOUS=int(continuous),
            COUNT=C_TYPES[self.count],
            CODE=C_TYPES[self.code],
            INDEX=C_TYPES[self.order],
            CELL=C_TYPES[self.cell],
            SHARED_STATE=int(self.shared_bytes > 0),
            SHARED_PARTICLES=int(particles_too),
        )


def run_batch(
    model,
    layout: Layout,
    replicas,
    times: np.ndarray,
    kept: np.ndarray,
    seed: int,
    report: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """What Trajectories holds of `replicas` (active_ising.Replicas) of one algorithm, and is_full
    (r,): whose counters overflowed.
    """
    device, count, size, looks, maps = (
        model.device,
        len(replicas.particles),
        model.size,
        len(times),
        int(kept.sum()),
    )
    module = device.module("active_ising.cu", layout.defines)
    memory = memory_of(layout, replicas, size, device)
    identity = np.stack([replicas.index & 0xFFFFFFFF, replicas.index >> np.uint64(32)], 1).astype(
        np.uint32
    )
    module.launch(
        "populate",
        count,
        threads=SLOTS,
        **memory,
        start=device.asarray(replicas.start, np.int32),
        identity=device.asarray(identity),
        given=None if replicas.maps is None else device.asarray(codes_of(replicas, layout)),
        **seed_words(seed),
        stream_id=STREAMS["active_ising"],
    )
    constants, clock = constants_of(model, replicas, times, layout)
    constants = {
        name: None if values is None else device.asarray(values)
        for name, values in constants.items()
    }
    places = device.asarray(np.where(kept, np.cumsum(kept) - 1, -1), np.int32)
    tags = (
        device.zeros((count, size**2), np.int32)
        if device.kind == "gpu" and not layout.shared_bytes
        else None
    )
    recorded = dict(
        magnetization=device.zeros((count, looks), np.int32),
        profile=device.zeros((count, looks, 2, size), np.int32),
        histogram=device.zeros((count, looks, BINS), np.int32),
        map=device.zeros((count, max(maps, 1), 2, size, size), np.int16),
    )
    most, ended = FIRST_LAUNCH, np.zeros(count, bool)
    while not ended.all():
        begun = time.monotonic()
        module.launch(
            "run_replicas",
            count,
            threads=SLOTS,
            shared_bytes=layout.shared_bytes,
            **memory,
            **constants,
            looks=looks,
            most=most,
            kept=places,
            maps=maps,
            tags=tags,
            **recorded,
        )
        device.synchronize()
        most = max(SHORTEST_LAUNCH, next_launch(most, time.monotonic() - begun))
        state = device.to_host(memory["state"])
        ended = (state[:, LOOK] == looks) | (state[:, IS_FULL] > 0)
        report(float(np.where(ended, 1.0, state[:, DONE] / np.maximum(clock[:, -1], 1)).sum()))
    magnetization, profile, histogram, pictures = map(device.to_host, recorded.values())
    return {
        "particles": replicas.particles.astype(np.int32),
        "magnetization": magnetization,
        "density_profile": profile[:, :, 0],
        "magnetization_profile": profile[:, :, 1],
        "density_histogram": histogram,
        "magnetization_map": pictures[:, :maps, 0],
        "density_map": pictures[:, :maps, 1].astype(np.uint16),
        "attempts": (state[:, DONE] + state[:, EXCESS_ATTEMPTS]).astype(np.int64),
        "is_full": state[:, IS_FULL] > 0,
    }


def codes_of(replicas, layout: Layout) -> np.ndarray:
    """Codes (r, stride) of the particles of replicas.maps, site by site."""
    found = np.zeros((len(replicas.particles), layout.stride), layout.code)
    for codes, (magnetization, density) in zip(found, replicas.maps, strict=True):
        x, y = np.indices(density.shape) + 1
        minus = ((x << layout.bits | y) << 1).ravel()
        number = np.concatenate([density - magnetization, density + magnetization], None) // 2
        codes[: density.sum()] = np.repeat(np.concatenate([minus, minus | 1]), number)
    return found


def memory_of(layout: Layout, replicas, size: int, device) -> dict:
    """Everything that changes, on the device, by the names of the kernels' arguments."""
    count, lists = len(replicas.particles), {"hint": None, "list": None, "place": None}
    if layout.continuous:
        lists = {
            "hint": device.zeros((count, 2 * layout.cells), layout.order),
            "list": device.zeros((count, size**2), layout.cell),
            "place": device.zeros((count, layout.cells), layout.cell),
        }
    return {
        "particle": device.zeros((count, layout.stride), layout.code),
        "stride": layout.stride,
        "count": device.zeros((count, layout.cells), layout.count),
        "generators": device.zeros((count, 4 * SLOTS), np.uint32),
        **lists,
        "state": device.asarray(np.zeros((count, STATE), np.uint64)),
        "particles": device.asarray(replicas.particles, np.int32),
    }


def constants_of(
    model, replicas, times: np.ndarray, layout: Layout
) -> tuple[dict[str, np.ndarray | None], np.ndarray]:
    """Arguments rates_of, rates, excess, weights, clock of run_replicas, and the clock: attempts of
    particles until each look, (r, o).
    """
    pairs = np.stack([replicas.temperature, replicas.particles], 1)
    pairs, rates_of = np.unique(pairs, axis=0, return_inverse=True)
    tables = [
        rate_tables(
            model, layout.continuous, layout.counter_bits, float(temperature), int(particles)
        )
        for temperature, particles in pairs
    ]
    weights = np.array([tables[i].weights for i in rates_of.ravel()], np.uint32)
    excess = np.stack([table.excess for table in tables]) if layout.continuous else None
    rates = np.array(
        [
            4 * model.diffusion + model.common_flip_rate(t, layout.continuous)
            for t in replicas.temperature
        ]
    )
    clock = np.rint(times[None, :] * (replicas.particles * rates)[:, None]).astype(np.uint64)
    rates = np.concatenate([table.words(layout.bits) for table in tables])
    return dict(
        rates_of=rates_of.astype(np.int32).ravel(),
        rates=rates,
        excess=excess,
        weights=weights,
        clock=clock,
    ), clock
