"""How a large box scales over MPI ranks on the cores at hand: strong (one box), weak (one slab a
rank), memory, the time in all-to-alls.

    python -m tests.bench_large_box [--rounds 5] [--seconds 2] [--out FOLDER]

One thread a rank; all ranks share this machine, so that a second core, a shared cache and shared
memory are all that more ranks can
bring: it shows what the slabs cost, not what a network does.  Rounds are interleaved, medians kept;
the JSON names the CPU.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from jobs import large_box
from jobs.slabs import Slabs
from kernels.cahn_hilliard import coarsening
from kernels.cahn_hilliard_paths import choose
from kernels.cahn_hilliard_plan import plan
from kernels.cahn_hilliard_spectrum import SpectrumStep
from kernels.device import available_cores, cpu_model, select

STRONG = [(64, 64, 64), (128, 128, 128), (256, 256, 256)]
WEAK = (64, 128, 128)  # of each rank: as many planes more as there are ranks
RANKS = (1, 2, 4)
WARM_UP = 3  # steps


def noise(shape) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.1, 0.1, shape).astype(np.float32)


def measured(shape, seconds: float, communicator) -> dict:
    """Seconds of a step and of its parts on the first rank, bytes a cell of the ranks' memory."""
    model = coarsening(shape, laplacian="finite_difference", device=select("cpu", workers=1))
    slabs = Slabs(shape, "float32", model.device, communicator)
    start = noise(slabs.space)
    before = resident("VmRSS")
    large_box.serves = lambda model: (
        False
    )  # slabs on one rank, too: the fused kernel is timed as `one_device`
    box = large_box.LargeBox(model, slabs, "adaptive", None, 1e-4)
    box.put(slice(None), start)
    box.start()
    spent = {"exchange": 0.0, "update": 0.0}
    slabs.exchange = timed(slabs.exchange, spent, "exchange")
    SpectrumStep.advance = timed(SpectrumStep.advance, spent, "update")
    times = []
    while len(times) < WARM_UP + 3 or slabs.first(sum(times)) < seconds:
        if len(times) == WARM_UP:
            spent.update(exchange=0.0, update=0.0)
        began = time.perf_counter()
        box.advance(1e12)
        times.append(time.perf_counter() - began)
    steps = len(times) - WARM_UP
    memory = max(slabs.gathered([resident("VmHWM") - before])[:, 0]) / np.prod(slabs.space)
    return {"step": statistics.median(times[WARM_UP:]), "bytes_a_cell": float(memory)} | {
        k: v / steps for k, v in spent.items()
    }


def timed(function, spent: dict, name: str):
    def call(*arguments):
        began = time.perf_counter()
        result = function(*arguments)
        spent[name] += time.perf_counter() - began
        return result

    return call


def resident(name: str) -> float:
    """Bytes of this process, VmRSS now, VmHWM at its largest."""
    return next(
        1024.0 * int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(name)
    )


def one_device(shape, seconds: float) -> float:
    """Seconds of a step of the one-device solver, its first steps taken off."""
    model = coarsening(shape, laplacian="finite_difference", device=select("cpu", workers=1))
    fields, took = model.from_symmetric(noise((1, *shape))), []
    more = max(10, int(seconds / (3e-9 * np.prod(shape))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for steps in (2, 2 + more):
            began = time.perf_counter()
            choose(model, "adaptive")(
                model,
                plan(model, fields, [1e9], "adaptive", None, 1e-4, None, None, steps),
                lambda done: None,
            )
            took.append(time.perf_counter() - began)
    return (took[1] - took[0]) / more


def launched(ranks: int, shape, seconds: float) -> dict:
    mpiexec = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    command = [
        mpiexec,
        "-n",
        str(ranks),
        sys.executable,
        "-m",
        "mpi4py",
        "-m",
        "tests.bench_large_box",
        "--shape",
        *map(str, shape),
        "--seconds",
        str(seconds),
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=Path("analysis/results/bench"))
    parser.add_argument(
        "--shape", type=int, nargs=3, help=argparse.SUPPRESS
    )  # this is one of several ranks
    options = parser.parse_args()
    if options.shape:
        from mpi4py import MPI

        world = MPI.COMM_WORLD
        found = measured(
            tuple(options.shape), options.seconds, world if world.Get_size() > 1 else None
        )
        if world.Get_rank() == 0:
            print(json.dumps(found))
        return
    systems = [("strong", ranks, shape) for shape in STRONG for ranks in RANKS]
    systems += [("weak", ranks, (WEAK[0] * ranks, *WEAK[1:])) for ranks in RANKS]
    samples, alone = {system: [] for system in systems}, {shape: [] for shape in STRONG}
    for number in range(options.rounds):
        for system in systems:
            samples[system].append(launched(*system[1:], options.seconds))
        for shape in STRONG:
            alone[shape].append(one_device(shape, options.seconds))
        print(f"round {number + 1} of {options.rounds}", flush=True)
    rows = []
    for (kind, ranks, shape), found in samples.items():
        row = {"scaling": kind, "ranks": ranks, "shape": shape} | {
            k: statistics.median(f[k] for f in found) for k in found[0]
        }
        row |= {
            "step_min": min(f["step"] for f in found),
            "step_max": max(f["step"] for f in found),
        }
        if kind == "strong":
            row["one_device"] = statistics.median(alone[shape])
        rows.append(row)
        print(
            f"{kind:6} {'x'.join(map(str, shape)):12} {ranks} ranks: {row['step'] * 1e3:7.1f} ms a step ({row['step_min'] * 1e3:.1f} to "
            f"{row['step_max'] * 1e3:.1f}), all-to-all {row['exchange'] * 1e3:.1f}, coefficients {row['update'] * 1e3:.1f}, "
            f"{row['bytes_a_cell']:.1f} bytes a cell",
            flush=True,
        )
    result = {
        "machine": cpu_model(),
        "cores": available_cores(),
        "date": time.strftime("%Y-%m-%d"),
        "rounds": options.rounds,
        "unit": "seconds of an adaptive step in float32, one thread a rank; one_device: what CahnHilliard.run takes",
        "note": "all ranks share the cores of one machine, whose other tenants are not idle; 4 ranks on fewer cores take turns",
        "rows": rows,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / (
        "large-box-" + re.sub(r"[^a-z0-9]+", "-", cpu_model().lower()).strip("-") + ".json"
    )
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(f"kept in {file}")


if __name__ == "__main__":
    main()
