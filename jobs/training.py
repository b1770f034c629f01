"""The loop of every train stage: this process's units, several side by side, each going on from its
last checkpoint.

A unit is one network to train, named by its folder below RUN/train, such as event/torus/fold-3.
MPI's ranks take one after another from one list (jobs.claims), those first that take longest where
the study knows.  On a CPU a unit trains on `train.threads` threads, so that its result does not
depend on how many others train beside it.  Under torchrun all processes train one unit after
another together, where the study's networks can be (Study.together).
"""

import contextlib
import csv
import ctypes
import hashlib
import importlib
import io
import json
import multiprocessing
import os
import re
import signal
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType

import numpy as np

from jobs import TooFewDataError, UserError, claims, distributed, shards, signals
from jobs.config import digest, telling
from jobs.progress import Progress
from jobs.rundir import System
from jobs.study import Study
from jobs.units import Rank
from kernels.device import available_cores, cpu_model

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
GPU_MEMORY = (
    16 << 30
)  # bytes that one unit may take, at a guess: so many train side by side on a GPU

SIGNALS = {signal.SIGINT, signal.SIGUSR1, signal.SIGTERM}  # that processes side by side hear of

Report = Callable[
    [str, object], None
]  # ("alive", None), ("epoch", (share done, line)) or ("say", line)


@dataclass(frozen=True)
class Unit:
    """One network: the system it belongs to and its name."""

    system: System
    name: str

    @property
    def title(self) -> str:
        return f"{self.system.name + ': ' if self.system.name else ''}{self.name}"

    @property
    def kind(self) -> str:
        """Its title without the number of fold or seed: networks of a kind take equally long."""
        return re.sub(r"/(fold|seed)-\d+$", "", self.title)


@dataclass
class Tally:
    """What the units of this process report, on the screen and in the log."""

    progress: Progress
    waiting: list[Unit] = field(default_factory=list)  # all that are not through, as foreseen
    slots: int = 1  # side by side
    done: int = 0
    failed: int = 0
    shares: dict[str, float] = field(default_factory=dict)  # of the units at work
    heard: dict[str, float] = field(default_factory=dict)  # when of each of them
    through: set[str] = field(default_factory=set)
    taken: dict[str, list[float]] = field(
        default_factory=dict
    )  # by kind: [networks' worth, seconds]

    def expect(self, units: list[Unit]) -> None:
        """All that this process has had, and is likely to have yet."""
        self.waiting = [unit for unit in units if unit.title not in self.through]
        self.progress.expect(len(units))

    def begin(self, unit: Unit) -> None:
        """A unit is at work from now on."""
        gone_on = (unit.system.training(unit.name) / "checkpoint.pt").exists()
        if not gone_on:  # else what its first word says is done was not done in this time
            self.heard[unit.title] = time.monotonic()

    def hear(self, unit: Unit, kind: str, content) -> None:
        """One message of a unit: "alive" None, "epoch" (share done, line), "say" line, "done" line,
        "failed" (reason, traceback).
        """
        if kind == "alive":
            self._reach()
            return
        if kind == "epoch":
            share, line = content
            self._learn(unit, share)
            self.progress.write(f"{unit.title}: {line}")
            self._reach(f"{unit.title}: {line}")
            return
        if kind == "failed":
            reason, trace = content
            self.progress.write(trace)
            content = f"failed: {reason}; see {self.progress.path}"
            self.failed += 1
        if content:
            self.progress.say(f"{unit.title}: {content}")
        if kind in ("done", "failed"):
            if kind == "done":
                self._learn(unit, 1.0)
            self.shares.pop(unit.title, None)
            self.waiting = [other for other in self.waiting if other.title != unit.title]
            self.through.add(unit.title)
            self.done += 1
            self._reach()
            note(unit, f"{content}\n" if kind == "failed" else None)

    def _learn(self, unit: Unit, share: float) -> None:
        """So much of a unit is done."""
        now, taken = time.monotonic(), self.taken.setdefault(unit.kind, [0.0, 0.0])
        if unit.title in self.heard:
            taken[0] += share - self.shares.get(unit.title, 0.0)
            taken[1] += now - self.heard[unit.title]
        else:
            self.progress.found(share)
        self.shares[unit.title], self.heard[unit.title] = share, now

    def _reach(self, news: str = "") -> None:
        left = self.left()
        self.progress.reach(self.done + sum(self.shares.values()), news, left)

    def left(self) -> float | None:
        """Seconds: networks of a kind take as long as that kind did so far, those of a kind that no
        one has begun yet as long as the others on average.
        """
        known = {kind: s / n for kind, (n, s) in self.taken.items() if n > 0}
        if not known:
            return None
        mean = sum(known.values()) / len(known)
        seconds = [
            known.get(unit.kind, mean) * (1 - self.shares.get(unit.title, 0.0))
            for unit in self.waiting
        ]
        return max([sum(seconds) / self.slots, *seconds])


def train(
    study: Study,
    systems: list[System],
    rank: Rank,
    device,
    asked: str,
    slots: int | None,
    progress: Progress,
) -> int:
    """Train this process's share of the units of all systems; the number of units that failed.

    The study's train module is as jobs/study.py says; the networks' names are
    config.train.networks.  asked: auto, cpu or gpu, as the user said.  slots: how many train side
    by side; None: as many as there are cores, or as fit into a GPU's memory.
    """
    stage = study.stage("train")
    systems = usable(stage.check, systems, rank, progress)
    everything = [
        Unit(system, network_name)
        for system in systems
        for network_name in system.config.train.networks
    ]
    together = rank.together
    if together and not study.together:
        raise UserError(
            f"{study.name} train: each network is trained by one process: start several by an array or mpiexec, not by torchrun"
        )
    mine = rank.job.share(everything)
    missing = rank.of_the_first(lambda: unfinished(stage, mine, progress.say))
    if rank.count > 1 and not together and hasattr(stage, "work"):
        missing.sort(key=lambda unit: -stage.work(unit.system, unit.name))
    if rank.index == 0:
        progress.say(
            f"{len(mine)} of {len(everything)} networks are mine, {len(mine) - len(missing)} of them trained before"
            + (f"; {rank.count} ranks share them" if rank.count > 1 and not together else "")
        )
    if not missing:
        return 0
    device_kind = device.kind if study.own_kernels else torch_device(device, asked, progress.say)
    threads = max(system.config.train.threads for system in systems)
    share = len(missing) if together else -(-len(missing) // rank.count)
    slots = 1 if together else min(share, slots_of(device, device_kind, threads, slots))
    with (
        contextlib.nullcontext(claims.alone(missing)) if together else claims.shared(rank, missing)
    ) as shared:
        tally = Tally(progress, slots=slots)
        expected = shared.foreseen([])
        progress.begin(len(expected), "networks")
        tally.expect(expected)
        if slots == 1:
            one_by_one(stage, shared, device_kind, tally, together)
        else:
            side_by_side(stage, shared, device_kind, slots, tally)
    if together and rank.index:  # the first rank says and counts what they all did
        return 0
    progress.say(
        f"{tally.done - tally.failed} networks trained in {progress.elapsed()}"
        + (f", {tally.failed} failed" if tally.failed else "")
    )
    return tally.failed


def usable(
    check: Callable[[System], object], systems: list[System], rank: Rank, progress: Progress
) -> list[System]:
    """Those of a sweep's systems whose data can be used, as `check` finds; which are left out, and
    why, is said in a line, and the command ends as if units had failed, but where there are too few
    data alone.  UserError where none can.
    """
    found, problems = [], {}
    for system in systems:
        try:
            check(system)
            found.append(system)
        except UserError as error:
            problems[system.name] = error
    if problems and not found:
        raise UserError("\n".join(map(str, problems.values())))
    if problems:
        faults = {name: not isinstance(e, TooFewDataError) for name, e in problems.items()}
        progress.left_out |= faults
        if rank.index == 0:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in problems.items())
            progress.say(f"left out: {reasons}")
    return found


def unfinished(stage: ModuleType, units: list[Unit], say: Callable[[str], None]) -> list[Unit]:
    """The units that are not trained yet."""
    missing = []
    for unit in units:
        if finished(stage, unit.system, unit.name, say):
            note(unit, None)  # it may have failed before, and another process brought it home
        else:
            missing.append(unit)
    return missing


def note(unit: Unit, text: str | None) -> None:
    """Leave, or remove, the note of a failure that `status` shows; a full disk must not cost
    results.
    """
    path = unit.system.training_failure(unit.name)
    try:
        path.unlink(missing_ok=True) if text is None else path.write_text(text)
    except OSError:
        return


def torch_device(device, asked: str, say: Callable[[str], None]) -> str:
    """torch's name of a kernels.device device.  Raises UserError where this torch cannot use a GPU
    that was asked for.
    """
    if device.kind == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return f"cuda:{device.index}"
    problem = (
        f"torch {torch.__version__} cannot use {device.name} (its CUDA build must fit the driver)"
    )
    if asked == "gpu":
        raise UserError(f"{problem}; install one that does, or use --device cpu")
    say(f"warning: {problem}: the networks use the CPU")
    return "cpu"


def slots_of(device, device_kind: str, threads: int, asked: int | None) -> int:
    """How many networks train side by side where there are enough of them; asked: by the user."""
    if device.exclusive and device_kind != "cpu":  # others could not use it
        return 1
    return asked or (1 if device_kind == "gpu" else default_slots(device, device_kind, threads))


def default_slots(device, device_kind: str, threads: int) -> int:
    """How many units train side by side: the cores over `threads` each, or what a GPU's free memory
    allows, at most 4.
    """
    if device_kind == "cpu":
        return max(1, (device.workers if device.kind == "cpu" else available_cores()) // threads)
    import torch

    return max(1, min(4, torch.cuda.mem_get_info(device.index)[0] // GPU_MEMORY))


def use(device: str, threads: int) -> None:
    """Make torch use this device and so many CPU threads, with full float32: bfloat16 only where a
    config asks for it.
    """
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(
        True
    )  # weights that regularisation takes below 1e-38 would cost a CPU two thirds of its speed
    keep_memory()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if device.startswith("cuda"):
        torch.cuda.set_device(device)


def keep_memory() -> None:
    """Let glibc keep what tensors give back: else every large one is mapped and cleared anew, half
    of a CPU training's time.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def fit_one(
    stage: ModuleType, unit: Unit, device: str, report: Report, raises: bool = False
) -> None:
    """Train one unit here; what goes wrong with it is reported, and raised only where other ranks
    would wait for this one.
    """
    try:
        use(device, unit.system.config.train.threads)
        report("done", stage.fit(unit.system, unit.name, device, report))
    except ConnectionError:  # nobody listens any more: the parent is gone
        raise
    except Exception as error:  # one bad unit must not stop the rest
        text = str(error).splitlines()
        report(
            "failed",
            (
                f"{type(error).__name__}: {text[0] if text else 'no message'}",
                traceback.format_exc(),
            ),
        )
        if raises:
            raise


def one_by_one(
    stage: ModuleType, shared: claims.Claims, device: str, tally: Tally, together: bool
) -> None:
    """Train here, for as long as there are units to be had; together: with all other ranks."""
    taken: list[Unit] = []
    while not distributed.asked_to_stop():
        unit = shared.take()
        if unit is None:
            return
        taken.append(unit)
        if shared.ranks > 1:
            tally.expect(shared.foreseen(taken))
        tally.begin(unit)
        fit_one(
            stage,
            unit,
            device,
            lambda kind, content, unit=unit: tally.hear(unit, kind, content),
            raises=together,
        )
    left = len(shared.end())
    if left:
        raise signals.Stopped(f"{left} networks left")


def side_by_side(
    stage: ModuleType, shared: claims.Claims, device: str, slots: int, tally: Tally
) -> None:
    """Train in `slots` processes, for as long as there are units to be had.  One that dies (killed,
    out of memory) costs its unit, and another takes its place.

    Asked to stop, this process tells them, and raises signals.Stopped when all have written the
    checkpoints of their epochs.
    """
    context = multiprocessing.get_context("spawn")  # a forked child could not use CUDA, nor MPI
    waiting: list[Unit] = []  # given back
    taken: list[Unit] = []
    working: dict = {}

    def take() -> Unit | None:
        if signals.asked() and taken:  # an epoch of the first one is for any life
            return None
        if waiting:
            return waiting.pop()
        unit = shared.take()
        if unit is not None:
            taken.append(unit)
            if shared.ranks > 1:
                tally.expect(shared.foreseen(taken))
        return unit

    def start() -> None:
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(stage.__name__, there, device), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until it listens
        process.start()
        working[here] = process, None
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        there.close()
        give(here, process)

    def give(pipe: Connection, process) -> None:
        unit = take()
        try:
            pipe.send(unit)
        except ConnectionError:  # it died while it had nothing to do: its unit goes to another
            if unit is not None:
                waiting.append(unit)
                start()
            unit = None
        if unit is None:
            working.pop(pipe, None)
            process.join()
        else:
            working[pipe] = process, unit
            tally.begin(unit)

    resource_tracker.ensure_running()  # as it starts it unblocks what `start` has blocked
    try:
        for _ in range(slots):
            start()
        told = False
        while working:
            if signals.asked() and not told:
                told = True
                for process, _ in working.values():
                    os.kill(process.pid, signal.SIGUSR1)
            for pipe in wait(list(working), timeout=1.0):
                process, unit = working[pipe]
                try:
                    kind, content = pipe.recv()  # type: ignore[call-arg]
                except (EOFError, ConnectionError):
                    process.join()
                    del working[pipe]
                    reason = f"its process ended with status {process.exitcode}" + (
                        " (out of memory?)" if process.exitcode == -9 else ""
                    )
                    tally.hear(unit, "failed", (reason, reason))
                    if waiting or shared.taken < len(shared.items):
                        start()
                    continue
                if kind == "stopped":
                    del working[pipe]
                    tally.progress.say(f"stopped: {content}")
                    continue
                tally.hear(unit, kind, content)
                if kind in ("done", "failed"):
                    give(pipe, process)
    finally:  # after Ctrl-C there are some
        for process, _ in working.values():
            process.kill()
    left = len(taken) - tally.done + len(shared.end())
    if left:
        raise signals.Stopped(f"{left} networks left")


def _serve(stage: str, pipe: Connection, device: str) -> None:
    """A process of `side_by_side`: units come in, messages go out, until None comes or the parent
    is gone.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signals.listen()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    module = importlib.import_module(stage)
    try:
        while (unit := pipe.recv()) is not None:
            fit_one(module, unit, device, lambda kind, content: pipe.send((kind, content)))
    except signals.Stopped as stop:
        pipe.send(("stopped", str(stop)))
    except (EOFError, ConnectionError):
        return


def _end_with_parent() -> None:
    """A parent that is killed says nothing; its next life is not to find this one at work."""
    multiprocessing.parent_process().join()
    os._exit(1)


def epoch_seed(seed: int, stream: int, network_name: str, epoch: int) -> int:
    """Of torch's generators in an epoch of a network; epoch 0: of the first weights.
    stream: see kernels.streams.
    """
    bits = np.random.Philox(
        key=np.array([seed, stream], np.uint64),
        counter=np.array([epoch, zlib.crc32(network_name.encode()), 0, 0], np.uint64),
    )
    return int(np.random.Generator(bits).integers(2**63))


def check_dataset(system: System, names: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """UserError unless the system's dataset.h5 is there, sound, and of this very system, and the
    fields beside it are sound: nobody looks at them again, and a network would learn the damage.
    Returns its arrays, `names` among them.
    """
    path, study = system.folder / "dataset.h5", system.config.study
    try:
        arrays, attributes = shards.read(path)
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run generate and collect first") from None
    except shards.BadFileError as error:
        raise UserError(f"{path}: {error}; run collect again") from None
    if attributes.get("study") != study or not set(names) <= set(arrays):
        held = f"study = {attributes.get('study')}, it holds {', '.join(sorted(arrays)[:5])}"
        raise UserError(f"{path}: not a {study} data set ({held})")
    if attributes.get("config_digest") != digest(system.config):
        raise UserError(
            f"{path}: made with another config than {system.folder / 'config.yaml'}; run collect again"
        )
    for fields in sorted(system.folder.glob("data/*/*.h5")):
        try:
            shards.check_large(fields)
        except shards.BadFileError as error:
            raise UserError(f"{fields}: {error}; run collect again") from None
    return arrays


def made_of(
    system: System, recipe: int, lists: tuple[str, ...], data: dict[str, str]
) -> dict[str, str]:
    """What the files of a trained network must say that they were made from.

    recipe: raised when an architecture or the way of training changes: what was trained before is
    then set aside.  lists: keys that say which networks there are, not what one of them is.  data:
    digests of what it learns from.
    """
    config = system.config
    keys = {k: v for k, v in telling(config, ("train",)).items() if k not in lists}
    if recipe:
        keys["recipe"] = recipe
    text = digest(config) + json.dumps(keys, sort_keys=True)
    return {"train_digest": hashlib.sha256(text.encode()).hexdigest(), **data}


def finished(
    stage: ModuleType, system: System, network_name: str, say: Callable[[str], None]
) -> bool:
    """Whether test.h5 of a network is there, sound, and of the present data and settings, as
    stage.belonging(system) says.  Another one is moved aside.
    """
    return sound(system.training(network_name) / "test.h5", stage.belonging(system), say)


def device_name(device: str) -> str:
    """The product's name of a device of torch."""
    import torch

    return cpu_model() if device == "cpu" else torch.cuda.get_device_name(device)


def sound(path: Path, belongs: dict[str, str], say: Callable[[str], None]) -> bool:
    """Whether a trained network's test.h5 is there, undamaged, and says that it belongs to these.
    Another one is moved aside.
    """
    try:
        shards.check(path, **belongs)
    except FileNotFoundError:
        return False
    except shards.BadFileError as error:
        say(f"{path}: {error}; moved aside to {shards.set_aside(path).name}")
        return False
    return True


def write_metrics(path: Path, names: tuple[str, ...], history: list[list[float]]) -> None:
    """metrics.csv, a line an epoch, whose number comes first, as a whole: a reader never sees half
    of it.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [names, *([int(line[0]), *line[1:]] for line in history)]
    )
    temporary = path.with_name(f".metrics-{os.getpid()}.tmp")
    temporary.write_text(text.getvalue())
    os.replace(temporary, path)
