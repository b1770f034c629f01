"""What NVIDIA's compiler makes of the kernels, in the launches of the papers' systems: registers,
stack, shared memory, blocks a processor, and the instructions of each kernel's hottest loop.

A table of it is kept (gpu_resources.json), and a kernel that gets worse fails its test
(test_kernels_compile.py). No GPU is needed.

    python -m tests.gpu_resources             the table, beside the one that is kept
    python -m tests.gpu_resources --keep      keep it
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from kernels.active_ising import ActiveIsing
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.conv_gru_training import Backpropagation
from kernels.device import FOLDER, Gpu, source_of
from kernels.ising import Ising
from kernels.percolation import clusters
from kernels.perlin import perlin_noise
from kernels.signatures import kernels
from tests.reference import cupy_stand_in
from tests.reference.emulation import gpu_on

TABLE = Path(__file__).with_name("gpu_resources.json")
WARP = 32
SYSTEMS_SHARED = 1024  # bytes that the system takes of a block's shared memory
COUNTED_IN = ("sm_90", "sm_100")  # where the tool counts them with the kernel's
SHORT = 20  # instructions: a loop so short is not what the kernel's time goes to
WORSE = 1.1  # what fails: a tenth more registers, shared memory or cycles


@dataclass(frozen=True)
class Card:
    """One of an architecture, by its data sheet; warps and blocks: the most at once on one of its
    processors.
    """

    name: str
    processors: int
    shared_bytes: int
    warps: int
    blocks: int
    cache_bytes: int

    @property
    def shared_bytes_of_processor(self) -> int:
        return self.shared_bytes + 1024


CARDS = {
    "sm_80": Card("A100", 108, 166_912, 64, 32, 40 << 20),
    "sm_86": Card("RTX A6000", 84, 101_376, 48, 16, 6 << 20),
    "sm_90": Card("H100", 132, 232_448, 64, 32, 50 << 20),
    "sm_100": Card("B200", 148, 232_448, 64, 32, 126 << 20),
}


@dataclass(frozen=True)
class Launch:
    """One kernel of one system, as its Python launches it."""

    system: str
    code: str
    defines: tuple
    kernel: str
    threads: int
    shared_bytes: int

    @property
    def file(self) -> str:
        return next(path.name for path in FOLDER.glob("*.cu") if source_of(path.name) == self.code)

    @property
    def name(self) -> str:
        return f"{self.file}, {self.kernel}: {self.system}"


class Enough(Exception):
    """All kernels that were wanted have been launched."""


class Recorder(cupy_stand_in.Cupy):
    """Launches nothing, and remembers it."""

    def __init__(self, card: Card):
        super().__init__(None, card.shared_bytes, card.processors)
        self.system, self.wanted, self.launches = "", set(), []
        self.RawModule = lambda *, code, options: RecordedModule(self, code, options)


class RecordedModule(cupy_stand_in.RawModule):
    def __init__(self, cupy: Recorder, code: str, options: tuple):
        super().__init__(cupy, code=code, options=options)

    def get_function(self, name: str) -> Callable:
        cupy = self.cupy

        def record(grid, block, arguments, shared_mem=0) -> None:
            if name in cupy.wanted:
                cupy.wanted.remove(name)
                cupy.launches.append(
                    Launch(cupy.system, self.code, self.defines, name, block[0], shared_mem)
                )
            if not cupy.wanted:
                raise Enough

        return record


def systems() -> Iterator[tuple[str, tuple[str, ...], Callable[[Gpu], None]]]:
    """(name, kernels, what launches them on a device) of the papers' systems, the demos' and those
    of the other paths.
    """
    for reach, size in ((1, 10), (3, 30), (5, 50), (10, 100), (10, 200), (20, 200)):
        yield f"R = {reach}, L = {size}", ("evolve", "nucleate"), lattices(range=reach, size=size)
    for reach, size in ((3, 30), (10, 100)):
        followed = paths(range=reach, size=size)
        yield f"R = {reach}, L = {size}, paths", ("follow", "shoot"), followed
    heat_bath = lattices(range=10, size=100, dynamics="heat_bath")
    yield "R = 10, L = 100, heat bath", ("evolve",), heat_bath
    for reach, size in ((1, 100), (10, 100)):
        exchanges = lattices(range=reach, size=size, dynamics="kawasaki")
        yield f"R = {reach}, L = {size}, kawasaki", ("evolve",), exchanges
    yield "L = 64, wolff", ("flip_clusters",), lattices(range=1, size=64, dynamics="wolff")
    yield "kac, L = 100", ("evolve", "nucleate"), lattices(range=5, size=100, interaction="kac")
    yield "L = 200", ("label_clusters",), clusters_of
    yield "64^3", ("draw_gradients", "interpolate"), noise
    for size, precision in ((32, "float32"), (64, "float32"), (64, "float64")):
        yield f"{size}^2, {precision}", ("separate",), fields((size, size), precision)
    spectrum = ("begin_steps", "nonlinear_part", "advance_coefficients", "end_steps")
    yield "256^2, float32", spectrum, fields((256, 256), "float32")
    yield "64^3, float32", spectrum, fields((64, 64, 64), "float32")
    own = "c*log(c) + (1-c)*log(1-c) + 3*c*(1-c)"
    yield "64^2, Flory-Huggins", ("separate",), fields((64, 64), "float32", form=own)
    mobile = fields((256, 256), "float32", mobility="c*(1-c)")
    yield "256^2, mobility c (1 - c)", ("mobile_flux",), mobile
    noisy = dict(scheme="first_order", step=0.1, temperature=0.01, seed=1, steady_state=None)
    yield "256^2, noise", ("white_noise",), fields((256, 256), "float32", run=noisy)
    explicit = ("chemical_potential", "forward_euler")
    euler = fields(
        (64, 64, 64),
        "float32",
        run=dict(scheme="explicit", step=1e-3),
        laplacian="finite_difference",
    )
    yield "64^3, float32", explicit, euler
    for algorithm in ("standard", "continuous_time"):
        yield f"L = 81, rho0 = 3, {algorithm}", ("populate", "run_replicas"), flock(algorithm)
    forward = ("first_gates", "second_gates", "new_state", "flux", "divergence")
    backward = tuple(kernels(source_of("conv_gru_backward.cu")))
    yield "h = 10", forward + backward, network


def lattices(**system) -> Callable:
    def launch(device) -> None:
        field = 0.0 if system.get("dynamics") == "wolff" else 1.0
        model = Ising(temperature=1.0, field=field, device=device, **system)
        model.nucleating = model.lattices
        model.evolve(np.zeros((1, model.bytes), np.uint8), 1, seed=1)
        if model.dynamics not in ("kawasaki", "wolff"):
            model.nucleate(seed=1, units=[0], events=1280)

    return launch


def paths(**system) -> Callable:
    def launch(device) -> None:
        model = Ising(temperature=1.0, field=1.0, device=device, **system)
        packed = np.zeros((1, model.bytes), np.uint8)
        model.run(packed, [1])
        model.shoot(packed, np.zeros(1, int), low=1, high=model.sites, seed=1)

    return launch


def clusters_of(device) -> None:
    bonds = {"coupling_table": np.eye(200), "temperature": 1.0, "bonds": "density_corrected"}
    clusters(np.zeros((1, 5000), np.uint8), seed=1, index=np.arange(1), device=device, **bonds)


def noise(device) -> None:
    perlin_noise((64, 64, 64), [4], 1, [0], device=device)


def fields(shape: tuple, precision: str, run: dict | None = None, **system) -> Callable:
    def launch(device) -> None:
        model = CahnHilliard(shape, epsilon=2, precision=precision, device=device, **system)
        model.run(mixtures([0.5], 0.1, shape, seed=1), [1.0], **(run or {}))

    return launch


def flock(algorithm: str) -> Callable:
    def launch(device) -> None:
        ActiveIsing(size=81, algorithm=algorithm, device=device).run(
            [0.5], [3.0], [1], [1.0], seed=1
        )

    return launch


def network(device) -> None:
    there = ConvGRU(random_parameters(1), (16, 16, 16), 4, device=device)
    there.start(np.full((4, 16, 16, 16), 0.5))
    training = Backpropagation(there, 3)
    training.load(there.packing.count * [0.0])
    training.gradient(np.zeros((4, 3, 16, 16, 16), np.float32))


def launches(card: Card) -> list[Launch]:
    """Of all systems, as they are on this card."""
    cupy = Recorder(card)
    device = gpu_on(cupy)
    device.cache_bytes = card.cache_bytes
    for cupy.system, wanted, launch in systems():
        cupy.wanted = set(wanted)
        try:
            launch(device)
        except Enough:
            continue
        raise AssertionError(f"{cupy.system}: {cupy.wanted} were not launched")
    return cupy.launches


# ---- what the compiler makes of them


@cache
def compiled(code: str, defines: tuple, arch: str) -> dict[str, dict]:
    """{kernel: its resources and the instructions of its hottest loop}."""
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(arch=arch, std="c++17", define_macro=list(defines), ftz=True)
    cubin = Program(code, "c++", options).compile("cubin").code
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(bytes(cubin))
        file.flush()
        used = ran("cuobjdump", "--dump-resource-usage", file.name)
        listing = ran("nvdisasm", "--print-code", file.name)
    loops = hottest_loops(listing, loads="HIDDEN" in dict(defines))
    found = {}
    for kernel, text in re.findall(r"Function (\w+):\s*\n\s*(.*)", used):
        number = dict(re.findall(r"(\w+)(?:\[\d\])?:(\d+)", text))
        found[kernel] = {
            "registers": int(number["REG"]),
            "stack": int(number["STACK"]),
            "static_shared": max(0, int(number["SHARED"]) - SYSTEMS_SHARED * (arch in COUNTED_IN)),
            "loop": loops.get(kernel, {}),
        }
    return found


def ran(tool: str, *arguments: str) -> str:
    """What one of the CUDA wheels' tools prints."""
    import nvidia

    paths = [p for root in nvidia.__path__ for p in Path(root).glob(f"*/bin/{tool}")]
    return subprocess.run([paths[0], *arguments], capture_output=True, text=True, check=True).stdout


KINDS = {  # of instructions, by the unit that carries them out
    "float": r"FFMA|FADD|FMUL|FSET|FMNMX|FSEL",
    "double": r"D(FMA|ADD|MUL|SETP)",
    "integer": r"LOP3|I?MAD|IADD|IADD3|LEA|ISETP|SHF|PRMT|SEL|IMNMX|VIADD|VIMNMX|LOP|PLOP3|POPC|BFI",
    "special": r"MUFU|I2F|F2I",
    "global": r"LDG|STG|ATOMG|LD|ST|RED",
    "shared": r"LDS|STS|ATOMS",
    "local": r"LDL|STL",
    "barrier": r"BAR",
}


def kind_of(instruction: str) -> str:
    word = re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0].split(".")[0].removeprefix("U")
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, word)), "other")


DEEPER = 8  # times a loop is passed oftener than the one about it, to choose the hottest


def hottest_loops(listing: str, loads: bool) -> dict[str, dict[str, int]]:
    """Of each function of a disassembly: instructions by kind of the loop that most of its time
    goes to, guessed from its length and depth; of the whole function where it has none.

    loads: only loops that read global memory.
    """
    found, lines, labels, name = {}, [], {}, None

    def close() -> None:
        if name is None:
            return
        loops = [(0, len(lines) - 1)]
        for at, text in enumerate(lines):
            target = re.search(r"\bBRA\b.*?(\.L_x?_?\w+)", text)
            if target and labels.get(target[1], at + 1) <= at:
                loops.append((labels[target[1]], at))
        best, most = {}, -1
        for a, b in loops:
            counts = Counter(kind_of(text) for text in lines[a : b + 1])
            depth = sum(c <= a and b <= d for c, d in loops) - 1
            score = (b - a + 1) * DEEPER**depth
            if score > most and (not loads or counts["global"] or depth == 0):
                best, most = dict(counts), score
        found[name] = best

    for line in listing.splitlines():
        if begun := re.match(r"\.text\.(\w+):", line):
            close()
            name, lines, labels = begun[1], [], {}
        elif label := re.match(r"(\.L_\w+):", line.strip()):
            labels[label[1]] = len(lines)
        elif instruction := re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            lines.append(instruction[1].strip())
    close()
    return found


def cycles(loop: dict[str, int], arch: str) -> dict[str, float]:
    """Of one processor, for one warp to pass the loop once, by what it waits for (CUDA C++
    Programming Guide, throughput of arithmetic instructions).
    """
    floats = {"sm_80": 2.0}.get(arch, 4.0)  # warps a cycle
    doubles = {"sm_80": 1.0, "sm_86": 1 / 16}.get(arch, 2.0)
    each = {"float": floats, "double": doubles, "integer": 2.0, "special": 0.5}
    found = {kind: loop.get(kind, 0) / rate for kind, rate in each.items()}
    found["memory"] = float(sum(loop.get(kind, 0) for kind in ("global", "shared", "local")))
    found["issue"] = sum(loop.values()) / 4
    return found


def row(launch: Launch, arch: str) -> dict:
    """One row of the table."""
    card, one = CARDS[arch], compiled(launch.code, launch.defines, arch)[launch.kernel]
    warps = -(-launch.threads // WARP)
    of_warp = -(-one["registers"] * WARP // 256) * 256
    shared = -(-(one["static_shared"] + launch.shared_bytes + SYSTEMS_SHARED) // 128) * 128
    blocks = min(
        65536 // 4 // of_warp * 4 // warps,
        card.shared_bytes_of_processor // shared,
        card.warps // warps,
        card.blocks,
    )
    spent = cycles(one["loop"], arch)
    binding = max(spent, key=spent.get)
    network = "HIDDEN" in dict(launch.defines)  # its limit is the multiply-adds
    work = max(spent[kind] for kind in ("float", *(() if network else ("double", "integer"))))
    return {
        "registers": one["registers"],
        "stack": one["stack"],
        "shared": one["static_shared"] + launch.shared_bytes,
        "threads": launch.threads,
        "blocks": blocks,
        "occupancy": round(blocks * warps / card.warps, 3),
        "cycles": round(spent[binding], 2),
        "bound_by": binding,
        "arithmetic": round(work / spent[binding], 2) if spent[binding] else 0.0,
        "loop": dict(sorted(one["loop"].items())),
    }


def table(arch: str) -> dict[str, dict]:
    """{launch: row} of an architecture."""
    return {launch.name: row(launch, arch) for launch in launches(CARDS[arch])}


def kept() -> dict[str, dict[str, dict]]:
    return json.loads(TABLE.read_text()) if TABLE.exists() else {}


def worse(name: str, before: dict, now: dict) -> list[str]:
    """What a kernel needs a tenth more of than before, in words."""
    found = []
    known = min(sum(row["loop"].values()) for row in (before, now)) >= SHORT
    for what in ("registers", "stack", "shared", *(("cycles",) if known else ())):
        if now[what] > WORSE * before[what]:
            found.append(f"{name}: {what} {before[what]} -> {now[what]}")
    if now["blocks"] * WORSE < before["blocks"]:
        found.append(f"{name}: blocks {before['blocks']} -> {now['blocks']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--arch", nargs="+", default=list(CARDS), choices=list(CARDS))
    parser.add_argument("--keep", action="store_true", help="write gpu_resources.json")
    options = parser.parse_args()
    all_kept = kept()
    for arch in options.arch:
        now, before = table(arch), all_kept.get(arch, {})
        print(f"\n{arch}, {CARDS[arch].name}")
        print(
            "| kernel | registers | stack | shared | threads | blocks | occupancy | bound by | arithmetic |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for name, new in now.items():
            old = before.get(name, new)

            def cell(what, old=old, new=new):
                return f"{new[what]}" if old[what] == new[what] else f"{old[what]} → {new[what]}"

            columns = ("registers", "stack", "shared", "threads", "blocks", "occupancy", "bound_by")
            print(f"| {name} | {' | '.join(cell(each) for each in (*columns, 'arithmetic'))} |")
        all_kept[arch] = now
        if options.keep:
            TABLE.write_text(json.dumps(all_kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
