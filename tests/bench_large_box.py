"""How a large box scales over MPI ranks on the cores at hand: strong (one box), weak (one slab a
rank), and the time that ranks wait for one another's lines.

    python -m tests.bench_large_box [--rounds 5] [--seconds 20] [--out FOLDER]

Three ways: `lines`, fused line transforms of ranks that share memory; `messages`, of ranks that do
not; `scipy`, a pass for each transform and one MPI_Alltoall each way.  And `apart`: as many boxes
of one rank at the same time, which share the machine and nothing else.  One thread a rank; all
ranks share this machine, so that a second core, a shared cache and shared memory are all that more
ranks can bring: it shows what the slabs cost, not what a network does.  All systems take turns of
some steps.  Kept are the median of all steps and the fastest, which is what others at work on the
same cores let through; the JSON names the CPU.
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
from pathlib import Path

import numpy as np

from jobs import large_box
from jobs.slabs import Slabs
from kernels.cahn_hilliard import coarsening
from kernels.cahn_hilliard_box import Box
from kernels.cahn_hilliard_plan import plan
from kernels.device import available_cores, cpu_model, select

STRONG = [(64, 64, 64), (128, 128, 128), (256, 256, 256)]
WEAK = (64, 128, 128)  # of one rank; of two STRONG[1]
RANKS = (1, 2)
WAYS = {"lines": "", "messages": "1", "scipy": ""}  # QUENCH_SHARED_RANKS
WARM_UP = 3  # steps of each turn that do not count
TURN = 0.08  # s, about


def noise(shape) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.1, 0.1, shape).astype(np.float32)


class Measured:
    """One box, followed by turns; seconds of its steps, and of their exchanges on this rank."""

    def __init__(self, shape, way: str, communicator):
        model = coarsening(shape, laplacian="finite_difference", device=select("cpu", workers=1))
        self.slabs = slabs = Slabs(shape, "float32", model.device, communicator)
        os.environ["QUENCH_SHARED_RANKS"] = WAYS[way]
        path = large_box.serves
        if way == "scipy":
            large_box.serves = lambda *box: False
        self.box = box = large_box.LargeBox(model, slabs, "adaptive", None, 1e-4)
        large_box.serves = path
        box.put(slice(None), noise(slabs.space))
        box.start()
        self.spent, self.steps, self.exchanges = {"exchange": 0.0}, [], []
        parts = [(slabs, "exchange")]
        if way != "scipy" and slabs.ranks > 1:
            names = ("send_tiles", "send_rows", "wait", "meet")
            parts = [(box.spectrum.exchange, name) for name in names]
        for of, name in parts:
            setattr(of, name, timed(getattr(of, name), self.spent, "exchange"))
        self.turn = WARM_UP + max(2, int(TURN / (6e-9 * np.prod(slabs.space))))

    def take_a_turn(self) -> None:
        for step in range(self.turn):
            self.spent["exchange"] = 0.0
            began = time.perf_counter()
            self.box.advance(1e12)
            if step >= WARM_UP:
                self.steps.append(time.perf_counter() - began)
                self.exchanges.append(self.spent["exchange"])

    def found(self) -> dict:
        return numbers(self.steps) | {"exchange": float(np.percentile(self.exchanges, 10))}


class Alone:
    """A cube by the one-device solver, many steps at a time."""

    def __init__(self, shape):
        model = coarsening(shape, laplacian="finite_difference", device=select("cpu", workers=1))
        fields = model.from_symmetric(noise((1, *shape)))
        asked = plan(model, fields, [1e9], "adaptive", None, 1e-4, None, None, 1)
        self.box, self.steps = Box(model, asked.rule, asked.order, True), []
        self.box.put(slice(None), asked.v[0])
        self.box.medium[:] = asked.media[0]
        self.box.start()
        self.some = max(1, int(0.004 / (3e-9 * np.prod(shape))))
        self.turns = max(2, int(TURN / (3e-9 * np.prod(shape) * self.some)))

    def take_a_turn(self) -> None:
        self.box.advance(1e12, WARM_UP)
        for _ in range(self.turns):
            began = time.perf_counter()
            self.box.advance(1e12, self.some)
            self.steps.append((time.perf_counter() - began) / self.some)

    def found(self) -> dict:
        return numbers(self.steps)


def numbers(steps: list[float]) -> dict:
    return {"step": statistics.median(steps), "fastest": min(steps), "steps": len(steps)}


def measured(seconds: float, communicator) -> list[dict]:
    """All systems of so many ranks."""
    ranks = 1 if communicator is None else communicator.Get_size()
    systems: list[tuple] = []
    for shape in STRONG + [WEAK] * (ranks == 1):
        ways = [way for way in WAYS if way != "messages" or ranks > 1]
        systems += [(shape, way, Measured(shape, way, communicator)) for way in ways]
    if ranks == 1:
        systems += [(shape, "one device", Alone(shape)) for shape in STRONG]
    else:
        systems.append((WEAK, "apart", Measured(WEAK, "lines", None)))
    clock, began = systems[0][2].slabs, time.perf_counter()
    while clock.first(time.perf_counter() - began) < seconds:
        for _, _, system in systems:
            clock.first(0.0)
            system.take_a_turn()
    return [{"shape": s, "way": way, "ranks": ranks} | each.found() for s, way, each in systems]


def timed(function, spent: dict, name: str):
    def call(*arguments):
        began = time.perf_counter()
        result = function(*arguments)
        spent[name] += time.perf_counter() - began
        return result

    return call


def launched(ranks: int, seconds: float) -> list[dict]:
    mpiexec = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    words = ["-m", "mpi4py", "-m", "tests.bench_large_box", "--one", "--seconds", str(seconds)]
    command = [mpiexec, "-n", str(ranks), sys.executable, *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of all of one round's turns")
    parser.add_argument("--out", type=Path, default=Path("analysis/results/bench"))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # of several ranks
    options = parser.parse_args()
    if options.one:
        from mpi4py import MPI

        world = MPI.COMM_WORLD
        found = measured(options.seconds, world if world.Get_size() > 1 else None)
        if world.Get_rank() == 0:
            print(json.dumps(found))
        return
    samples: dict[tuple, list[dict]] = {}
    for number in range(options.rounds):
        for ranks in RANKS:
            for each in launched(ranks, options.seconds):
                key = ranks, tuple(each["shape"]), each["way"]
                samples.setdefault(key, []).append(each)
        print(f"round {number + 1} of {options.rounds}", flush=True)
    rows = []
    for (ranks, shape, way), found in samples.items():
        row = {"ranks": ranks, "shape": shape, "way": way}
        row |= {"step": statistics.median(f["step"] for f in found)}
        row |= {
            "fastest": min(f["fastest"] for f in found),
            "steps": sum(f["steps"] for f in found),
        }
        if "exchange" in found[0]:
            row["exchange"] = min(f["exchange"] for f in found)
        rows.append(row)
        print(
            f"{'x'.join(map(str, shape)):12} {ranks} ranks, {way:10}: {row['fastest'] * 1e3:7.2f} ms a step "
            f"at best, median {row['step'] * 1e3:.2f}, exchange {row.get('exchange', 0) * 1e3:.2f}",
            flush=True,
        )
    result = {
        "machine": cpu_model(),
        "cores": available_cores(),
        "date": time.strftime("%Y-%m-%d"),
        "rounds": options.rounds,
        "unit": "seconds of an adaptive step in float32, one thread a rank; step: median of the rounds' "
        "medians; fastest: of all steps; exchange: a tenth of the steps take less; one device: "
        "what CahnHilliard.run takes",
        "note": "all ranks share the cores of one machine, whose other tenants are not idle",
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
