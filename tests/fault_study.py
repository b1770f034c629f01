"""What goes wrong on real machines, tried and counted: python -m tests.fault_study [FAULT ...]
[--kills 15] (a quarter of an hour).

Each fault hits small runs of all studies; afterwards the same command must bring every result, byte
for byte that of a run in peace, and no finished file may be lost on the way.  The table that it
prints is in README.md.  The faults of Slurm itself (time limits, preemption, dead nodes) are in
test_slurm_lives.py.
"""

import argparse
import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py

from jobs import shards, signals
from jobs.study import of

ROOT = Path(__file__).parent.parent
CONFIGS = {
    "nucleation": """
seed: 7
system: {range: 1, size: 8, field: 0.9}
generate: {units: 6, events: 512, history: 12, copies: 60, window: 5, equilibration: 10}
collect: {bins: 4}
train: {models: [spins], folds: 2, training: 60, validation: 20, test: 20, max_epochs: 8}
predict: {models: [spins], occlusion: {configurations: 5, stride: 3}}
""",
    "segregation": """
seed: 3
system: {size: 16, epsilon: 1}
generate: {first_mean: 0.21, last_mean: 0.5, mean_step: 0.29, noise: 0.01, training: 6, validation: 2, test: 2, times: [0, 10]}
train: {models: [l1_forward, gan_forward], width: 4, batch: 2, epochs: 8}
""",
    "flocking": """
seed: 1
system: {size: 27}
generate: {temperature_step: 0.1, replicas: 5, samples: 4, equilibration: 60, interval: 12}
unsupervised: {fewest: 50, min_cluster_size: 10, neighbours: 10, bootstraps: 10}
film: {frames: 5, equilibration: 20}
train: {seeds: 1, batch: 16, max_epochs: 6}
""",
    "coarsening": """
seed: 5
system: {size: 16}
generate: {training: 4, validation: 1, test: 2, frames: 4, feature_sizes: [8], latest_start: 4.0, sequences_per_unit: 1}
train: {models: [staggered], epochs: 4, curriculum: 1, batch: 1, hidden: 4}
rollout:
  cases:
    bigger: {size: 32, frames: 9, kept: 4, mean: 0.5, feature_size: 8}
    several: {frames: 12, kept: 5, count: 3, feature_size: 8, spacing: log}
  costs: {frames: 2, repeats: 1}
""",
}
STAGES = {
    study: tuple(
        stage
        for stage in of(study).stages
        if stage not in of(study).apart and stage not in of(study).optional
    )
    for study in CONFIGS
}

EARLIEST = 0.3  # seconds: before, Python itself may be starting, and it dies of the signal
PATIENCE = 5.0  # seconds for an answer, of a machine that does other things as well


class Study:
    """A study's small config, a run of it in peace, and what its stages took."""

    workers = 1

    def __init__(self, name: str, folder: Path, stages: tuple[str, ...] = ()):
        self.name, self.folder, self.config = name, folder, folder / f"{name}.yaml"
        self.stages = stages or STAGES[name]
        self.config.write_text(CONFIGS[name])
        self.whole, self.took = folder / f"{name}-whole", {}
        for stage in self.stages:
            began = time.monotonic()
            code, said = self.call(stage, self.whole)
            assert code == 0, said
            self.took[stage] = time.monotonic() - began
        self.wanted = results(self.whole)

    def command(self, stage: str, run: Path, *more) -> list[str]:
        words = (
            sys.executable,
            "-m",
            "jobs",
            self.name,
            stage,
            self.config,
            "--run",
            run,
            "--device",
            "cpu",
            "--workers",
            self.workers,
            *more,
        )
        return [str(word) for word in words]

    def start(self, stage: str, run: Path, before: tuple = (), **options) -> subprocess.Popen:
        return subprocess.Popen(
            [*before, *self.command(stage, run)],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **options,
        )

    def call(self, stage: str, run: Path, before: tuple = ()) -> tuple[int, str]:
        process = self.start(stage, run, before)
        said = process.communicate(timeout=600)
        return process.returncode, "".join(said)

    def finish(self, run: Path) -> None:
        """The same commands again; everything must be there then, byte for byte."""
        for stage in self.stages:
            code, said = self.call(stage, run)
            assert code == 0, said
        found = results(run)
        assert found == self.wanted, [
            name for name in self.wanted if found.get(name) != self.wanted[name]
        ]


def results(run: Path) -> dict[str, str]:
    """{file: digest} of what a run has under its final name; not what it cost."""
    found = {}
    for path in sorted(run.rglob("[!.]*.h5")):
        hidden = any(part.startswith(".") for part in path.relative_to(run).parts)
        if not hidden and path.name != "costs.h5" and path.parent.name != "log":
            with h5py.File(path, "r", locking=False) as file:
                found[str(path.relative_to(run))] = shards.file_digest(file)
    return found


def kills(study: Study, count: int) -> str:
    """SIGKILL at random moments of all stages."""
    run, done, lost, dice = (
        study.folder / f"{study.name}-killed",
        dict.fromkeys(study.stages, 0),
        0,
        random.Random(study.name),
    )
    times = {"collect": 1 if study.took["collect"] > 20 else max(1, count // 8)}
    while sum(done.values()) < count:
        shutil.rmtree(run, ignore_errors=True)
        for stage in study.stages:
            for _ in range(times.get(stage, 3)):
                before, process = results(run), study.start(stage, run)
                time.sleep(dice.uniform(0.2, max(1.0, 0.9 * study.took[stage])))
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done[stage] += process.returncode == -signal.SIGKILL
                after = results(run)
                lost += sum(after.get(name) != digest for name, digest in before.items())
            code, said = study.call(stage, run)
            assert code == 0, said
        assert results(run) == study.wanted
    left = len([path for path in run.rglob("*.tmp")])
    return f"{sum(done.values())} kills ({', '.join(f'{n} in {stage}' for stage, n in done.items())}), {lost} files lost, {left} left over"


def interrupts(study: Study, count: int) -> str:
    """Ctrl-C at `count` random moments of every stage with two workers, from its start or from its
    first line, sent to all processes, as a terminal does, or to the first alone: answered within
    seconds by status 130.
    """
    run, before = study.folder / f"{study.name}-interrupted", study.folder / "before"
    said, wrong, dice = [], [], random.Random(study.name)
    study.workers = 2
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    for stage in study.stages:
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(run, before)
        codes, early, slowest, length = [], 0, 0.0, study.took[stage]
        for moment in range(count):
            process = study.start(stage, run)
            if moment % 4 < 2:
                process.stderr.readline()
                time.sleep(dice.uniform(0, length / 2))
            else:
                time.sleep(dice.uniform(EARLIEST, max(2 * EARLIEST, length)))
            code, took, text = interrupted(process, moment % 2 == 0)
            codes.append(code)
            early += "before it began" in text
            slowest = max(slowest, took)
            if code not in (0, signals.INTERRUPTED) or took > PATIENCE or "Traceback" in text:
                wrong.append(f"{stage}, moment {moment}: status {code} after {took:.1f} s\n{text}")
                print(wrong[-1], flush=True)
            if code == 0:  # it was too late: once more from the beginning
                expected = {path: d for path, d in study.wanted.items() if path in results(run)}
                assert results(run) == expected, text
                shutil.rmtree(run)
                shutil.copytree(before, run)
        code, text = study.call(stage, run)
        assert code == 0, text
        said.append(
            f"{codes.count(130)} of {count} in {stage} ({early} in its imports), the slowest {slowest:.1f} s"
        )
        print(f"{study.name}: {said[-1]}", flush=True)
    study.workers = 1
    assert not wrong, "\n".join(wrong)
    assert results(run) == study.wanted
    assert not list(run.rglob("*.tmp"))
    return f"status 130: {'; '.join(said)}"


def interrupted(process: subprocess.Popen, everyone: bool) -> tuple[int, float, str]:
    """(status, seconds until nothing of it was left, what it said) of a process after Ctrl-C."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)
    told = time.monotonic()
    text = "".join(process.communicate(timeout=120))
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() - told < 120:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
    return process.returncode, time.monotonic() - told, text


def full(study: Study, _: int) -> str:
    """A disk that has room for less than half of it."""
    size = sum(path.stat().st_size for path in study.whole.rglob("*") if path.is_file())
    with tmpfs(study.folder / "small", max(64 << 10, int(0.4 * size))) as disk:
        said = ""
        for stage in study.stages:
            code, said = study.call(stage, disk / "run")
            if code:
                break
        assert code in (1, 2), said
        lines = [line for line in said.splitlines() if "No space" in line or "failed" in line]
        assert "Traceback" not in said, said
        kept = results(disk / "run")
        subprocess.run(["mount", "-o", f"remount,size={16 * size + (64 << 20)}", disk], check=True)
        study.finish(disk / "run")
        return f"{stage}: exit {code}, {len(kept)} files were there and sound; `{shortened(lines[0], disk)}`"


def read_only(study: Study, _: int) -> str:
    """A run directory on a disk mounted read-only, half way."""
    with tmpfs(study.folder / "locked", 64 << 20) as disk:
        assert study.call("generate", disk / "run")[0] == 0
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, said = study.call("collect", disk / "run")
        assert (code, len(said.splitlines())) == (2, 1), said
        status = subprocess.run(
            [sys.executable, "-m", "jobs", "status", disk / "run"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert status.returncode == 0, status.stderr
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        study.finish(disk / "run")
        return f"exit 2, `{shortened([said.strip()][0], disk)}`"


def damaged(study: Study, count: int) -> str:
    """A shard cut short, then shards with one bit turned, at random places."""
    run, dice, noticed = study.folder / f"{study.name}-damaged", random.Random(study.name), 0
    shutil.copytree(study.whole, run)
    paths = sorted((run / "generate").glob("unit-*.h5"))
    paths[0].write_bytes(paths[0].read_bytes()[: -dice.randrange(1, 2000)])
    assert "moved aside" in made_anew(study, run)
    for _ in range(count):
        path = dice.choice(paths)
        content = bytearray(path.read_bytes())
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)
        noticed += "moved aside" in made_anew(study, run)
        assert results(run) == study.wanted
    return f"cut short: made again; {count} turned bits: {noticed} noticed and made again, {count - noticed} in nothing that is read"


def made_anew(study: Study, run: Path) -> str:
    """What collect, generate and collect say, of which the first sets damaged units aside."""
    (run / "dataset.h5").unlink()  # else nobody asks for the units
    code, said = study.call("collect", run)
    if code:
        for stage in ("generate", "collect"):
            code, more = study.call(stage, run)
            assert code == 0, more
    return said


def twice(study: Study, _: int) -> str:
    """Two jobs on one run directory at once."""
    run, said = study.folder / f"{study.name}-twice", []
    for stage in study.stages:
        processes = [study.start(stage, run) for _ in range(2)]
        for process in processes:
            said.append("".join(process.communicate(timeout=600)))
            assert process.returncode == 0, said[-1]
    assert results(run) == study.wanted
    assert not list(run.rglob("*.bad*"))
    return f"both exit 0, {sum('another process' in each for each in said)} trainings gave way to the other"


def clock(study: Study, _: int) -> str:
    """A clock that is two years ahead, then three behind."""
    if shutil.which("faketime") is None:
        return "not tried: no faketime"
    run = study.folder / f"{study.name}-clock"
    for stage, jump in zip(study.stages, itertools.cycle(("+2 years", "-3 years")), strict=False):
        code, said = study.call(
            stage, run, ("faketime", "-m", "--exclude-monotonic", "-f", jump.replace(" years", "y"))
        )
        assert code == 0, said
    assert results(run) == study.wanted
    return "nothing"


def thrown(study: Study, _: int) -> str:
    """One of two ranks that throws, and one that is killed, where nobody expects it."""
    took, mpiexec = [], Path(sys.executable).with_name("mpiexec")
    for how in ("raise RuntimeError('the roof is on fire')", "os.kill(os.getpid(), 9)"):
        run = study.folder / f"{study.name}-thrown"
        shutil.rmtree(run, ignore_errors=True)
        code = f"""
import os, sys, time
from jobs import generating
from jobs.__main__ import main
whole = generating.generate
def generate(stage, systems, rank, device, progress):
    found = whole(stage, systems, rank, device, progress)
    if rank.index == 1:
        open({str(run / "moment")!r}, "w").close()
        {how}
    return found
generating.generate = generate
sys.exit(main(sys.argv[1:]))
"""
        command = [
            str(mpiexec),
            "-n",
            "2",
            sys.executable,
            "-c",
            code,
            *study.command("generate", run)[3:],
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        took.append(time.time() - (run / "moment").stat().st_mtime)
        assert done.returncode not in (0, 75), done.stderr
        study.finish(run)
        (run / "moment").unlink()
    return f"all ranks ended {took[0]:.1f} s after the exception, {took[1]:.1f} s after the SIGKILL"


def stale(study: Study, _: int) -> str:
    """What the dead leave behind: half-written files, heartbeats, and an HDF5 lock held on every
    shard.
    """
    run = study.folder / f"{study.name}-stale"
    shutil.copytree(study.whole, run)
    first, *_ = sorted((run / "generate").glob("unit-*.h5"))
    content = first.read_bytes()
    first.unlink()
    for left in (
        f"generate/.{first.name}.{os.uname().nodename}-999999.tmp",
        ".config.yaml.n7-4711.tmp",
        "log/.probe-n7-4711",
    ):
        (run / left).write_bytes(content[:1000])
    (run / "log/generate-task-0000-rank-0000.json").write_text("{")
    holds = f"import fcntl, glob, time; files = [open(p, 'rb+') for p in glob.glob({str(run / '**/*.h5')!r}, recursive=True)]\n"
    holds += (
        "[fcntl.flock(file, fcntl.LOCK_EX) for file in files]; print(flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE)
    holder.stdout.readline()
    try:
        study.finish(run)
    finally:
        holder.kill()
        holder.wait()
    return "no lock is taken, none is waited for"


FAULTS = {
    "kills": kills,
    "interrupts": interrupts,
    "full": full,
    "read_only": read_only,
    "damaged": damaged,
    "twice": twice,
    "clock": clock,
    "thrown": thrown,
    "stale": stale,
}


@contextlib.contextmanager
def tmpfs(folder: Path, size: int):
    """A disk of so many bytes; root only."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "quench", folder],
        check=True,
        capture_output=True,
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


def shortened(line: str, folder: Path) -> str:
    return re.sub(r"; see \S+", "; see LOG", line.replace(f"{folder}/run", "RUN"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("faults", nargs="*", choices=[*FAULTS, []])
    options.add_argument("--studies", nargs="*", default=list(CONFIGS), choices=CONFIGS)
    options.add_argument("--kills", type=int, default=15, help="of each study; and bits turned")
    options = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="quench-faults-"))
    for name in options.studies:
        study = Study(name, folder)
        print(
            f"{name}: in peace {', '.join(f'{stage} {seconds:.0f} s' for stage, seconds in study.took.items())}",
            flush=True,
        )
        for fault in options.faults or FAULTS:
            print(f"| {fault} | {name} | {FAULTS[fault](study, options.kills)} |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
