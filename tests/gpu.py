"""make gpu: what a machine with an NVIDIA GPU has to say about Quench, in half an hour.

    python -m tests.gpu [PART ...] [--out runs/gpu] [--emulated]

Parts, in this order: machine, compile, digests, tests, sanitizers, bench, studies, trainings. Each
runs in a process of its own, for at most its minutes, and what fails in one stops no other. What
they found is kept in FOLDER/report.json and, for people, FOLDER/report.md. --emulated: on a GPU
made of CPU threads (tests/reference/emulation.py), with systems made small, to try it all.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
STUDIES = ("nucleation", "segregation", "flocking", "coarsening")
TAIL = 4000  # characters of a part's output that are kept
# what tests first whether a GPU gives the bytes and numbers that it should
TESTS = (
    "test_ising_model.py",
    "test_ising_fft.py",
    "test_active_ising_reference.py",
    "test_percolation.py",
    "test_perlin.py",
    "test_cahn_hilliard_paths.py",
    "test_cahn_hilliard_physics.py",
    "test_conv_gru.py",
    "test_nucleation_generate.py",
    "test_segregation_generate.py",
)
# of --emulated: settings of the demos, and the tests that such threads can bear
SMALL = {
    "nucleation": [
        *(
            "system.size=8",
            "generate.units=3",
            "generate.events=64",
            "generate.copies=4",
            "collect.bins=4",
        ),
        *("generate.history=4", "generate.window=2", "train.training=60", "train.validation=20"),
        *("train.test=20", "train.folds=1", "train.max_epochs=2"),
    ],
    "segregation": [
        *("system.size=32", "generate.mean_step=0.15", "generate.training=2", "train.epochs=1"),
        *("generate.validation=1", "generate.test=2", "generate.times=[0,1]", "collect.foretold=0"),
        *("collect.fates=0", "generate.noise=0.3", "train.width=2"),
    ],
    "flocking": [
        *("system.size=9", "generate.temperature_step=0.1", "generate.replicas=5"),
        *(
            "generate.equilibration=2",
            "generate.interval=1",
            "generate.samples=2",
            "unsupervised.fewest=10",
        ),
        *(
            "generate.annealing=2",
            "generate.other_densities=[]",
            "train.sets=[reference]",
            "film.frames=0",
        ),
        "train.max_epochs=1",
    ],
    "coarsening": [
        *(
            "system.size=8",
            "generate.feature_sizes=[4]",
            "generate.training=2",
            "generate.validation=1",
            "generate.test=1",
        ),
        *("generate.frames=3", "generate.sequences_per_unit=1", "generate.latest_start=1"),
        *("train.epochs=1", "train.select_from=1", "rollout.cases={test: {}}"),
    ],
}
SMALL_TESTS = "disk or power_law or perlin"


@dataclass
class Task:
    """What a part is told: small: on the emulated GPU; folder: for its files; answer: of what it
    found so far, should its time run out.
    """

    small: bool
    folder: Path
    answer: Path | None = None

    def keep(self, found: dict) -> None:
        if self.answer:
            self.answer.write_text(json.dumps({"result": found}, indent=1))


# ---- the parts: each returns what is kept, with its `problems`, and prints what people read


def machine(task: Task) -> dict:
    import cupy
    import torch

    from kernels.device import available_cores, cpu_model, select

    device = select("gpu")
    found = {
        "device": device.name,
        "processors": device.processors,
        "memory_bytes": device.memory_bytes,
        "shared_bytes": device.shared_bytes,
        "cache_bytes": device.cache_bytes,
        "clock": device.clock,
        "memory_rate": device.memory_rate,
        "compute_capability": str(cupy.cuda.Device().compute_capability),
        "cupy": str(getattr(cupy, "__version__", "stand-in")),
        "torch": torch.__version__,
        "torch_sees_it": torch.cuda.is_available(),
        "cpu": cpu_model(),
        "cores": available_cores(),
        "python": platform.python_version(),
    }
    for name, value in found.items():
        print(f"- {name.replace('_', ' ')}: {value}")
    return found


def compile_all(task: Task) -> dict:
    """Every kernel of the papers' systems by this machine's compiler, for this GPU."""
    import cupy

    from kernels.device import select
    from tests import gpu_resources

    device, found, problems = select("gpu"), {}, []
    card = gpu_resources.Card(
        device.name, device.processors, device.shared_bytes, 64, 32, device.cache_bytes
    )
    launches = gpu_resources.launches(card)
    for launch in launches[: 3 if task.small else None]:
        options = ("-std=c++17", *(f"-D{key}={value}" for key, value in launch.defines))
        begun = time.monotonic()
        try:
            kernel = cupy.RawModule(code=launch.code, options=options).get_function(launch.kernel)
        except Exception as error:
            problems.append(f"{launch.name}: {type(error).__name__}: {error}"[:1000])
            continue
        found[launch.name] = row = {
            "registers": getattr(kernel, "num_regs", None),
            "local_bytes": getattr(kernel, "local_size_bytes", None),
            "threads": launch.threads,
            "most_threads": getattr(kernel, "max_threads_per_block", None),
            "seconds": round(time.monotonic() - begun, 2),
        }
        if row["threads"] > (row["most_threads"] or row["threads"]):
            problems.append(f"{launch.name}: {row['threads']} threads, of {row['most_threads']}")
        task.keep(found | {"problems": problems})
    print("| kernel | registers | local bytes | threads |\n|---|---|---|---|")
    for name, row in found.items():
        print(f"| {name} | {row['registers']} | {row['local_bytes']} | {row['threads']} |")
    return found | {"problems": problems}


def digests(task: Task) -> dict:
    return run_tests(task, ["test_digests.py"])


def tests(task: Task) -> dict:
    return run_tests(task, ["test_perlin.py"] if task.small else TESTS)


def run_tests(task: Task, files, prefix: tuple[str, ...] = ()) -> dict:
    """The tests marked gpu in these files: {passed, failed: {test: message}}."""
    report = task.folder / "tests.xml"
    report.unlink(missing_ok=True)
    arguments = ["-m", "gpu and not slow", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    arguments += ["-k", SMALL_TESTS] if task.small else []
    arguments += [str(ROOT / "tests" / file) for file in files]
    if prefix:
        subprocess.run([*prefix, sys.executable, "-m", "pytest", *arguments], cwd=ROOT, check=False)
    else:
        import pytest

        pytest.main(arguments)
    cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    failed = {
        f"{case.get('classname')}::{case.get('name')}": (problem.get("message") or "")[:500]
        for case in cases
        for problem in [*case.findall("failure"), *case.findall("error")]
    }
    skipped = sum(case.find("skipped") is not None for case in cases)
    passed = len(cases) - len(failed) - skipped
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
    for name, message in failed.items():
        print(f"- {name}: {message.splitlines()[0] if message else ''}")
    problems = [f"{len(failed)} tests failed"] * bool(failed) + ["no test ran"] * (passed == 0)
    return {"passed": passed, "skipped": skipped, "failed": failed, "problems": problems}


def sanitizers(task: Task) -> dict:
    """NVIDIA's compute-sanitizer over the smallest digests, where it is installed."""
    import shutil

    tool = shutil.which("compute-sanitizer")
    if tool is None:
        print("compute-sanitizer is not installed (it comes with the CUDA toolkit): left out")
        return {"installed": False}
    found: dict = {"installed": True, "problems": []}
    for name in ("memcheck", "synccheck", "racecheck"):
        log = task.folder / f"{name}.txt"
        prefix = (tool, f"--tool={name}", f"--log-file={log}")
        tests = run_tests(Task(True, task.folder), ["test_digests.py"], prefix)
        said = log.read_text().strip().splitlines()[-1:] if log.exists() else []
        found[name] = {"summary": said, "tests": tests}
        found["problems"] += [f"{name}: {problem}" for problem in tests["problems"]]
        if not said or not re.search(r"\b0 (errors|hazards)", said[0]):
            found["problems"].append(f"{name}: {said[0] if said else 'no summary'}")
        print(f"{name}: {' '.join(said)}")
        task.keep(found)
    return found


def bench(task: Task) -> dict:
    from kernels.device import select
    from tests import bench as benches
    from tests import bench_active_ising, bench_cahn_hilliard, bench_conv_gru

    rounds, seconds = 3, 1.0
    if task.small:
        rounds, seconds = 1, 1e-3
        benches.SYSTEMS = [(1, 10, 0.57, None), (6, 14, 1.2, None)]
        bench_cahn_hilliard.GPU_SYSTEMS = [((32, 32), 1)]
        bench_active_ising.SIZE, bench_active_ising.REPLICAS = 8, 1
        bench_conv_gru.GPU_SYSTEMS, bench_conv_gru.PEERS_GPU = [("rollout", 4, 1, 1, 2.0)], "cpu"
    device, found = select("gpu"), {}
    for model in benches.MODELS:  # one that fails costs no other
        try:
            found |= benches.gpu(device, [model], rounds, seconds)
        except Exception:
            found[model] = {"failed": traceback.format_exc()}
            print(f"{model} failed:\n{traceback.format_exc()}")
        task.keep(found)
    return found | {"problems": [f"{model} failed" for model in found if "failed" in found[model]]}


def studies(task: Task) -> dict:
    """Each demo, from nothing to its last stage."""
    from jobs.__main__ import main

    found = {}
    for study in STUDIES:
        settings = [word for one in SMALL[study] for word in ("--set", one)] if task.small else []
        run = task.folder / study
        begun = time.monotonic()
        arguments = [study, "all", str(ROOT / f"jobs/{study}/demo.yaml"), "--run", str(run)]
        arguments += ["--device", "auto" if task.small else "gpu", *settings]
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                code = main(arguments)
            except SystemExit as stop:
                code = stop.code
            except Exception:
                code, _ = 1, said.write(traceback.format_exc())
        seconds = time.monotonic() - begun
        found[study] = {"status": code, "seconds": round(seconds, 1)}
        print(f"- {study}: status {code} after {seconds:.0f} s")
        task.keep(found)
        if code:
            found[study]["said"] = said.getvalue()[-TAIL:]
            print(found[study]["said"])
    return found | {"problems": [study for study in STUDIES if found[study]["status"]]}


def trainings(task: Task) -> dict:
    """Samples a second of each network's step of training: plain float32, with bfloat16, and
    compiled.
    """
    import torch

    from jobs.flocking.networks import PhaseNetwork
    from jobs.nucleation.networks import build
    from jobs.segregation.networks import Generator

    where = "cpu" if task.small else "cuda"
    size = 16 if task.small else 64
    networks: dict[str, tuple[Callable, tuple[int, ...]]] = {
        "nucleation, notebook, L = 100": (lambda: build("notebook", 100, 5), (1, 100, 100)),
        "nucleation, torus, L = 100": (lambda: build("torus", 100, 5), (1, 100, 100)),
        "flocking, L = 81": (lambda: PhaseNetwork(81), (2, 81, 81)),
        f"segregation, U-Net, L = {size}": (
            lambda: Generator(16, size, (0.0, 1.0), False, 0.0),
            (size, size),
        ),
    }
    found, problems = {}, []
    for name, (make, shape) in networks.items():
        row = {}
        for how in ("float32", "bfloat16", *(() if task.small else ("float32, compiled",))):
            try:
                row[how] = samples_per_second(torch, make, shape, how, where, task.small)
            except Exception as error:
                row[how] = None
                problems.append(f"{name}, {how}: {type(error).__name__}: {error}".splitlines()[0])
                print(problems[-1])
        found[name] = row
        print(
            f"- {name}: " + ", ".join(f"{how} {rate:.3g} / s" for how, rate in row.items() if rate)
        )
    return found | {"problems": problems}


def samples_per_second(torch, make: Callable, shape, how: str, where: str, small: bool) -> float:
    torch.manual_seed(1)
    network = make().to(where)
    model = torch.compile(network) if "compiled" in how else network
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    batch, seconds = (2, 0.01) if small else (64, 2.0)
    given = torch.rand(batch, *shape, device=where)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(where, torch.bfloat16, enabled=how == "bfloat16"):
            loss = model(given).float().square().mean()
        loss.backward()
        optimiser.step()
        if where == "cuda":
            torch.cuda.synchronize()

    for _ in range(1 if small else 5):
        step()
    begun, steps = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < seconds or not steps:
        step()
        steps += 1
    return batch * steps / max(elapsed, 1e-9)


PARTS: dict[str, tuple[Callable[[Task], dict], float]] = {  # with their minutes
    "machine": (machine, 1),
    "compile": (compile_all, 4),
    "digests": (digests, 3),
    "tests": (tests, 6),
    "sanitizers": (sanitizers, 3),
    "bench": (bench, 6),
    "studies": (studies, 5),
    "trainings": (trainings, 2),
}


# ---- one part in this process, all of them in processes of their own


def run_part(name: str, task: Task, answer: Path) -> None:
    """The part's result, or what went wrong, into `answer`."""
    if task.small:
        from tests.reference.cupy_stand_in import Cupy

        sys.modules["cupy"] = Cupy(task.folder, 232_448, 1)  # type: ignore[assignment]
    try:
        result = {"result": PARTS[name][0](task)}
    except Exception:
        print(traceback.format_exc())
        result = {"failed": traceback.format_exc()}
    answer.write_text(json.dumps(result, indent=1))


def outcome(name: str, small: bool, folder: Path) -> dict:
    """Of a part, run in a process of its own: result or failed, its output, and its seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        answer = Path(temporary) / "answer.json"
        command = [sys.executable, "-u", "-m", "tests.gpu", name, "--answer", str(answer)]
        command += ["--emulated"] if small else []
        begun, minutes, late = time.monotonic(), PARTS[name][1], False
        with open(Path(temporary) / "said.txt", "w+") as said:
            child = subprocess.Popen(
                command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                child.wait(60 * minutes)
            except subprocess.TimeoutExpired:
                late = True
                os.killpg(child.pid, signal.SIGKILL)  # and what it started
                child.wait()
            said.seek(0)
            text = said.read()
        problem = f"not done after {minutes:g} minutes" if late else f"status {child.returncode}"
        found = json.loads(answer.read_text()) if answer.exists() else {"failed": problem}
    problems = [found["failed"]] if "failed" in found else found["result"].get("problems", [])
    problems = [*problems, *[problem] * ((late or child.returncode != 0) and "failed" not in found)]
    seconds = round(time.monotonic() - begun, 1)
    return {**found, "problems": problems, "said": text[-TAIL:], "seconds": seconds}


def verdict(part: dict) -> str:
    if "failed" in part:
        return "**failed**"
    count = len(part["problems"])
    return f"**{count} problem{'s' * (count > 1)}**" if count else "done"


def page(report: dict) -> str:
    """The report for people, Markdown."""
    about = report["parts"].get("machine", {}).get("result", {})
    lines = [f"# Quench on {about.get('device', 'an unknown GPU')}", ""]
    if report["emulated"]:
        lines += [
            "> This GPU is emulated by CPU threads, with systems made small: no rate means anything.",
            "",
        ]
    lines += ["| part | outcome | seconds |", "|---|---|---|"]
    for name, part in report["parts"].items():
        lines.append(f"| {name} | {verdict(part)} | {part['seconds']:.0f} |")
    for name, part in report["parts"].items():
        lines += ["", f"## {name.capitalize()}", "", part["said"].strip() or "Nothing was said."]
        lines += [f"\n```\n{problem.strip()}\n```" for problem in part["problems"]]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all")
    parser.add_argument("--out", type=Path, default=ROOT / "runs/gpu", help="of the report")
    parser.add_argument("--emulated", action="store_true", help="a GPU made of CPU threads")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: not a part; they are {', '.join(PARTS)}")
    if options.answer:
        task = Task(options.emulated, options.answer.parent, options.answer)
        run_part(options.parts[0], task, options.answer)
        return 0
    if not options.emulated:
        from kernels.device import gpu_problem

        if problem := gpu_problem():
            print(f"no GPU to report on: {problem}", file=sys.stderr)
            return 2
    options.out.mkdir(parents=True, exist_ok=True)
    report: dict = {"date": time.strftime("%Y-%m-%d"), "emulated": options.emulated, "parts": {}}
    for name in options.parts or PARTS:
        print(f"{name} ...", flush=True)
        part = report["parts"][name] = outcome(name, options.emulated, options.out)
        print(f"{name}: {verdict(part)}, {part['seconds']:.0f} s", flush=True)
        (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
        (options.out / "report.md").write_text(page(report))
    print(f"{options.out}/report.md and report.json: please send them to the authors")
    return int(any(part["problems"] for part in report["parts"].values()))


if __name__ == "__main__":
    sys.exit(main())
