"""make bench: how fast, beside the peers, in one run, one thread each, interleaved, medians.

    python -m tests.bench [--only MODEL] [--rounds 5] [--seconds 1.5] [--device cpu|gpu|auto] [--out
    FOLDER]

Cahn-Hilliard: bench_cahn_hilliard.py. Active Ising: bench_active_ising.py. The coarsening network:
bench_conv_gru.py. Ising's peers:
tests/reference/metropolis.cpp, plain random-site Metropolis with cached local fields, compiled with
the kernels' own optimisation flags; mcising (PyPI), nearest neighbours, its sequential-scan
Metropolis. Every system stays metastable. Ours are whole calls of Ising.evolve on 512 replicas,
packing included. The JSON is kept per machine.
"""

import argparse
import json
import math
import os
import re
import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np

from kernels.device import available_cores, cpu_model, register_lanes, select
from kernels.ising import Ising
from kernels.ising_bits import RANDOM_SITE_RANGE
from tests import bench_active_ising, bench_cahn_hilliard, bench_conv_gru
from tests.reference import metropolis

MODELS = ["ising", "cahn_hilliard", "active_ising", "conv_gru"]
# range, size, field, goal of the ratio
SYSTEMS = [
    (1, 10, 0.57, 34),
    (3, 30, 0.89, 18),
    (5, 50, 1.09, None),
    (10, 100, 1.215, 40),
    (10, 200, 1.21, None),
    (20, 200, 1.255, 68),
]


class Ours:
    def __init__(self, range_: int, size: int, field: float, device):
        self.model = system(range_, size, field, device)
        replicas = (
            512 if device.kind == "cpu" else 32 * self.model.lattices._teams(1 << 30)
        )  # all that run at once
        self.start = self.model.evolve(self.model.pack(np.ones((replicas, size, size))), 20, seed=1)
        self.steps = 1

    def attempts_per_second(self, seconds: float) -> float:
        while True:
            start = time.perf_counter()
            self.model.evolve(self.start, self.steps, seed=2)
            elapsed = time.perf_counter() - start
            if elapsed > 0.5 * seconds:
                return len(self.start) * self.model.sites * self.steps / elapsed
            self.steps = max(self.steps + 1, int(self.steps * min(10, seconds / elapsed)))


def system(range_: int, size: int, field: float, device) -> Ising:
    return Ising(
        range=range_,
        size=size,
        temperature=4 / 9 * (2.269185314213022 if range_ == 1 else 4),
        field=field,
        device=device,
    )


def plain(range_: int, size: int, field: float, seconds: float) -> float:
    interaction = "nearest" if range_ == 1 else "square"
    temperature = 4 / 9 * (2.269185314213022 if range_ == 1 else 4)
    attempts, elapsed = metropolis.bench(size, range_, temperature, field, interaction, seconds)
    return attempts / elapsed


def mcising(size: int, field: float, seconds: float) -> float | None:
    try:
        from mcising import IsingSimulation
    except ImportError:
        return None
    simulation = IsingSimulation(size, 1.0, 0.0, 0.0, -field, 1)
    up = np.ones_like(simulation.get_spins())
    attempts, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        simulation.set_spins(up)
        simulation.sweep(2000, temperature=4 / 9 * 2.269185314213022)
        attempts += 2000 * size**2
    return attempts / (time.perf_counter() - start)


def gpu_limit(range_: int, size: int, rate: float, device) -> str:
    """Share of the integer-instruction limit: three-input logic runs on 64 lanes a processor and
    clock.
    """
    sites = size // (range_ + 1)
    if range_ <= RANDOM_SITE_RANGE:
        count = 2 * (6 if range_ == 1 else (2 * range_ + 1) ** 2)
    else:
        bits = (4 * range_ * (range_ + 1)).bit_length()
        blocks = (
            (sites + 1) / sites
        ) ** 2 * range_**2  # full adders to count the gap x gap blocks, an attempt
        count = 2 * (blocks + (sites + 1) / sites * (range_ + 2 * bits) + 2 * range_ + 3 * bits)
    rounds = 12 if range_ == 1 else 34  # of acceptance, a warp's 1024 replicas
    logic = count + rounds * 18
    clock = device.clock
    limit = device.processors * 64 * clock * 32 / logic
    return (
        f"{rate:.3g} attempts/s, {rate / limit:.0%} of the instruction limit {limit:.3g} = {device.processors} processors x 64 lanes x "
        f"{clock / 1e9:.2f} GHz x 32 replicas / {logic:.0f} instructions an attempt ({count:.0f} to count neighbours, "
        f"{rounds} x 18 to accept)"
    )


def measure(rounds: int, seconds: float) -> list[dict]:
    rows = []
    for range_, size, field, goal in SYSTEMS:
        ours = Ours(range_, size, field, select("cpu", workers=1))
        peers = {"plain C++": partial(plain, range_, size, field, seconds)}
        if range_ == 1:
            peers["mcising"] = partial(mcising, size, field, seconds)
        samples = {name: [] for name in ("ours", *peers)}
        for _ in range(rounds):
            samples["ours"].append(ours.attempts_per_second(seconds))
            for name, peer in peers.items():
                samples[name].append(peer())
        for name in peers:
            if None in samples[name]:
                print(f"{name} is not installed: its row is left out")
                continue
            ratios = [a / b for a, b in zip(samples["ours"], samples[name], strict=True)]
            against_goal = goal if (name == "mcising") == (range_ == 1) else None
            rows.append(
                {
                    "range": range_,
                    "size": size,
                    "field": field,
                    "peer": name,
                    "ours": statistics.median(samples["ours"]),
                    "theirs": statistics.median(samples[name]),
                    "ratio": statistics.median(ratios),
                    "ratio_min": min(ratios),
                    "ratio_max": max(ratios),
                    "goal": against_goal,
                }
            )
            print(row_text(rows[-1]), flush=True)
    return rows


def row_text(r: dict) -> str:
    goal = f"   goal {r['goal']}x" if r["goal"] else ""
    return (
        f"R={r['range']:<3} L={r['size']:<4} {r['ours']:10.3g} attempts/s   {r['peer']:10} {r['theirs']:10.3g}   "
        f"ratio {r['ratio']:6.1f}  ({r['ratio_min']:.1f} to {r['ratio_max']:.1f}){goal}"
    )


def gpu(device, models: list[str], rounds: int, seconds: float) -> dict[str, list[dict]]:
    """{model: rows} of a GPU, beside the limits."""
    found: dict[str, list[dict]] = {}
    for model in models:
        if model == "cahn_hilliard":
            found[model] = bench_cahn_hilliard.gpu(device, seconds)
        elif model == "active_ising":
            found[model] = bench_active_ising.gpu(device, seconds)
        elif model == "conv_gru":
            found[model] = bench_conv_gru.gpu(device, seconds, rounds)
        else:
            found[model] = [lattices_on_gpu(*each[:3], device, rounds, seconds) for each in SYSTEMS]
    return found


def lattices_on_gpu(
    range_: int, size: int, field: float, device, rounds: int, seconds: float
) -> dict:
    ours = Ours(range_, size, field, device)
    rate = statistics.median(ours.attempts_per_second(seconds) for _ in range(rounds))
    limit = gpu_limit(range_, size, rate, device)
    print(f"R={range_:<3} L={size:<4} {limit}", flush=True)
    return {"range": range_, "size": size, "attempts_per_second": rate, "limit": limit}


def file_name(machine: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", machine.lower()).strip("-") + ".json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "gpu"],
        default="auto",
        help="also time a GPU (auto: if there is one)",
    )
    parser.add_argument("--out", type=Path, default=Path("analysis/results/bench"))
    parser.add_argument(
        "--only",
        choices=MODELS,
        help="one model alone; the kept JSON keeps the others' last figures",
    )
    options = parser.parse_args()
    # one model's name may stand for processors whose vectors differ
    name = f"{cpu_model()}, vectors of {32 * register_lanes()} bits"
    result = {
        "machine": name,
        "cores": available_cores(),
        "date": time.strftime("%Y-%m-%d"),
        "rounds": options.rounds,
        "unit": "ising: attempts per second; cahn_hilliard, conv_gru: cell-steps per second; active_ising: time units per second; "
        "one thread",
    }
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(
            0, {max(os.sched_getaffinity(0))}
        )  # one core for us and the peers alike
    file = options.out / file_name(name)
    if options.only and file.exists():
        result = {**json.loads(file.read_text()), **result}
    models = [options.only] if options.only else MODELS
    if "ising" in models:
        result["ising"] = measure(options.rounds, options.seconds)
    if "cahn_hilliard" in models:
        result["cahn_hilliard"] = bench_cahn_hilliard.measure(options.rounds, options.seconds)
    if "active_ising" in models:
        result["active_ising"] = bench_active_ising.measure(options.rounds, options.seconds)
    if "conv_gru" in models:
        result["conv_gru"] = bench_conv_gru.measure(options.rounds, options.seconds)
    device = select(options.device)
    if device.kind == "gpu":
        name = device.name
        result["gpu"] = {"device": name, **gpu(device, models, options.rounds, options.seconds)}
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / file_name(name)
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(f"kept in {file}")
    rows = [*result.get("ising", []), *result.get("active_ising", [])]
    rows += [r for part in result.get("cahn_hilliard", {}).values() for r in part]
    ratios = [r["ratio"] / r["goal"] for r in rows if r.get("goal")]
    if ratios:
        print(
            f"geometric mean of ratio over goal: {math.exp(statistics.mean(map(math.log, ratios))):.2f}"
        )


if __name__ == "__main__":
    main()
