"""SHA-256 digests of small runs, made on a CPU and kept in digests.json: every machine gives the
same bytes.

`python -m tests.test_digests` makes the file anew; do that only where results are meant to change,
and say so.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from kernels import ising, ising_bits, percolation
from kernels.active_ising import ActiveIsing
from kernels.device import select
from kernels.perlin import perlin_noise
from kernels.streams import STREAMS

FILE = Path(__file__).with_name("digests.json")
SYSTEMS = {  # square R=6: 144 attempts a substep, more than the 128 slots
    "nearest": dict(size=10, range=1, temperature=1.0, field=0.9),
    "square R=2": dict(size=20, range=2, temperature=16 / 9, field=1.1),
    "square R=6": dict(size=84, range=6, temperature=16 / 9, field=1.4),
    "square R=10": dict(size=40, range=10, temperature=16 / 9, field=1.4),
    "square R=3, heat bath": dict(
        size=20, range=3, temperature=16 / 9, field=1.4, dynamics="heat_bath"
    ),
    "square R=10, heat bath": dict(
        size=40, range=10, temperature=16 / 9, field=1.5, dynamics="heat_bath"
    ),
    "disk": dict(size=12, range=2, interaction="disk", temperature=16 / 9, field=1.4),
    "kac": dict(size=12, range=2, interaction="kac", temperature=16 / 9, field=1.4),
    "power_law": dict(
        size=12, interaction="power_law", exponent=3.0, temperature=16 / 9, field=1.4
    ),
}
# model, temperature of replicas
FLOCKS = {
    "active ising standard": (dict(size=27, algorithm="standard"), [0.3, 0.55, 0.95]),
    "active ising continuous_time": (
        dict(size=27, algorithm="continuous_time"),
        [0.25, 0.55, 0.95],
    ),
    "active ising L=300": (dict(size=300, diffusion=0.8, self_propulsion=0.6), [0.35, 0.6]),
}


def digest(array, dtype):
    """Of the shape and the little-endian bytes."""
    array = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<"))
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def digests(device, name):
    """Digests of nucleate (two units), intervene, evolve and percolation on one system."""
    model = ising.Ising(device=device, **SYSTEMS[name])
    events = 600 if name == "nearest" else 80
    units = model.nucleate(
        seed=2**33 + 71, units=[0, 7], events=events, history=12, equilibration=12
    )
    spins = np.ascontiguousarray(units[1].history[:, 9])
    passage = model.intervene(
        seed=72, unit=3, spins=spins, duration=np.arange(events) % 8 + 4, copies=4, first_copy=2
    )
    clusters = {
        bonds: percolation.clusters(
            spins,
            coupling_table=model.coupling_table(),
            temperature=model.temperature,
            bonds=bonds,
            seed=74,
            index=np.arange(events, dtype=np.uint64) + np.uint64(2**33),
            device=device,
            labels=True,
        )
        for bonds in percolation.BONDS
    }
    return {
        "lifetime": digest([unit.lifetime for unit in units], np.int32),
        "history": digest([unit.history for unit in units], np.uint8),
        "intervene": digest(passage, np.int32),
        "evolve": digest(model.evolve(spins, 6, seed=73, unit=1, field=0.3), np.uint8),
        **{bonds: digest(found.labels, np.int32) for bonds, found in clusters.items()},
    }


MOVES = {
    "kawasaki": dict(size=20, temperature=1.5, dynamics="kawasaki"),
    "kawasaki R=6": dict(size=28, range=6, temperature=16 / 9, dynamics="kawasaki"),
    "kawasaki in 3D": dict(size=6, temperature=3.0, dimensions=3, dynamics="kawasaki"),
    "wolff": dict(size=20, temperature=2.3, dynamics="wolff"),
    "wolff, kac": dict(size=12, range=2, interaction="kac", temperature=3.0, dynamics="wolff"),
    "walls": dict(size=12, temperature=1.2, field=0.6, fixed=np.eye(12) - np.eye(12, k=5)),
}


def move_digests(device, name):
    """Configurations and what was counted of a run, and of the one that goes on from it."""
    model = ising.Ising(device=device, **MOVES[name])
    spins = np.random.default_rng(5).choice([-1, 1], (70, *model.shape))
    run = model.run(model.pack(spins), [1, 4], seed=2**33 + 77, unit=3, observe="magnetization")
    on = model.go_on(run, [6])
    return {
        "spins": digest([run.spins, on.spins], np.uint8),
        "magnetization": digest(np.rint(run.magnetization * model.sites), np.int32),
    }


def thermal_digests(device):
    """White noise of conserved fields, in units of 1 / sqrt(8), at two steps of two indices."""
    module = device.module("cahn_hilliard_noise.cu", {"REAL": "float"})
    index = device.asarray([[5, 0], [7, 9]], np.uint32)
    found = {}
    for step in (0, 70_000):
        noise = device.zeros((2, 96), np.float32)
        module.launch(
            "white_noise",
            3,
            threads=64 if device.kind == "gpu" else 1,
            identity=index,
            noise=noise,
            seed_low=76,
            seed_high=2,
            stream_id=STREAMS["thermal"],
            fields=2,
            cells=96,
            step=step,
            blocks=3,
        )
        whole = device.to_host(noise).astype(np.float64) * 8**0.5
        assert np.abs(whole - np.rint(whole)).max() < 1e-5
        found[f"step {step}"] = digest(np.rint(whole), np.int8)
    return found


def flock_digests(device, name):
    """Digests of all that a run gives, starts, densities and indices mixed."""
    system, temperature = FLOCKS[name]
    n = len(temperature)
    run = ActiveIsing(device=device, **system).run(
        temperature,
        [3.0, 2.0, 4.5][:n],
        [1, 0, -1][:n],
        [0.0, 2.5, 6.0],
        seed=2**33 + 75,
        index=[5, 2**47 + 3, 0][:n],
        snapshots=[False, True, True],
    )
    return {
        name: digest(getattr(run, name), dtype)
        for name, dtype in (
            ("attempts", np.int64),
            ("magnetization", np.int32),
            ("density_profile", np.int32),
            ("magnetization_profile", np.int32),
            ("density_histogram", np.int32),
            ("magnetization_map", np.int16),
            ("density_map", np.uint16),
        )
    }


def noise_digests(device):
    """Digests of Perlin noise, by lattice constant."""
    noise = perlin_noise(
        (48,) * 3, [12, 6, 3, 2], seed=2**33 + 76, index=[1, 2**40 + 3, 0, 5], device=device
    )
    return {
        f"{48 // points} cells": digest(field, np.float32)
        for points, field in zip((12, 6, 3, 2), noise, strict=True)
    }


@pytest.mark.parametrize("name", SYSTEMS)
def test_digests(device, name):
    assert digests(device, name) == json.loads(FILE.read_text())[name]


@pytest.mark.parametrize("name", FLOCKS)
def test_flock_digests(device, name):
    assert flock_digests(device, name) == json.loads(FILE.read_text())[name]


@pytest.mark.parametrize("name", MOVES)
def test_move_digests(device, name):
    assert move_digests(device, name) == json.loads(FILE.read_text())[name]


def test_thermal_digests(device):
    assert thermal_digests(device) == json.loads(FILE.read_text())["thermal noise"]


def test_noise_digests(device):
    assert noise_digests(device) == json.loads(FILE.read_text())["perlin"]


def test_the_file_holds_these_systems():
    assert list(json.loads(FILE.read_text())) == [
        *SYSTEMS,
        *FLOCKS,
        *MOVES,
        "perlin",
        "thermal noise",
    ]


@pytest.mark.parametrize("name", SYSTEMS)
def test_tables_do_not_hang_on_a_last_bit(name):
    """exp may differ between machines by 1e-16 of its value: 1e-14 in T, range or exponent changes
    no integer table.
    """
    cpu = select("cpu", workers=1)

    def tables(scale):
        scaled = {"kac": ("temperature", "range"), "power_law": ("temperature", "exponent")}.get(
            name, ("temperature",)
        )
        model = ising.Ising(
            device=cpu, **{**SYSTEMS[name], **{key: SYSTEMS[name][key] * scale for key in scaled}}
        )
        if "interaction" in SYSTEMS[name]:
            return [*model.lattices.interaction.values()]
        return [ising_bits.acceptance_table(model, field)[0] for field in (-model.field, 0.3)]

    for scale in (1 - 1e-14, 1 + 1e-14):
        assert all(np.array_equal(a, b) for a, b in zip(tables(1.0), tables(scale), strict=True))


if __name__ == "__main__":
    found = {name: digests(select("cpu"), name) for name in SYSTEMS}
    found |= {name: flock_digests(select("cpu"), name) for name in FLOCKS}
    found |= {name: move_digests(select("cpu"), name) for name in MOVES}
    found["perlin"] = noise_digests(select("cpu"))
    found["thermal noise"] = thermal_digests(select("cpu"))
    FILE.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{FILE} written")
