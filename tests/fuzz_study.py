"""Configs and files that nobody meant, tried and counted: python -m tests.fuzz_study
[--configs 1000] [--bytes 500] [--stages 10] [--studies STUDY ...].

A config, however odd, is valid or refused in a few plain lines, within seconds.  A changed byte of
a file is noticed by whoever reads it next, or changes nothing that is read.  Everything else is a
defect, and is listed.
"""

import argparse
import contextlib
import io
import json
import math
import multiprocessing
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from jobs import UserError, checkpoint, config, shards
from jobs.__main__ import main as quench
from jobs.study import NAMES, models
from tests.fault_study import CONFIGS, STAGES, results

ROOT = Path(__file__).parent.parent
PATIENCE = 5  # seconds of a processor that a config may take
MEMORY = 8 << 30  # bytes of addresses that a config may take
MOST_LINES, LONGEST_LINE = 25, 700  # of a refusal
MOST_FOLDERS = 50  # of a sweep's systems, that are made here
LARGE = {"coarsening": 64}  # side of a lattice whose model is not made here; of the others: 256
MOST_GROWN = (
    5 << 20
)  # KiB, of reading a small file; HDF5 takes up to 4 GiB for a text's wrong length
HANGS = 60  # seconds, of reading one small file

# ---- configs

NESTED = "[" * 60 + "]" * 60
ODD = """2026-01-01 | 2026-01-01T10:00:00Z | !!int x | !!int 3 | !!float 3 | !!float x | !!str 3 | !!bool 1
!!binary aGVsbG8= | !!binary "%%%" | !!set {a, b} | !!omap [a: 1, b: 2] | !!pairs [a: 1, a: 2] | !!null x
!!timestamp 2026-01-01 | !!timestamp x | !!python/object/apply:os.system [true] | !thing 3 | !<tag:x> 3
!!map [1] | !!seq {a: 1} | !!map {} | .nan | .inf | -.inf | 1e308 | 1e309 | -1e308 | 1e-320 | 1e-400 | -0.0
0 | 0.0 | -1 | 1 | 2 | 3 | 8 | 16 | 0.5 | 1e-6 | 1e-7 | 1000 | 1e3 | 1e9 | 1000000000 | 1180591620717411303424
18446744073709551616 | 9223372036854775808 | -9223372036854775809 | 0x10 | 0o17 | 010 | 0b1 | 1:30 | 1_000
1e400000 | 1e-400000 | 0x | 0o9 | + | - | . | e5 | true | false | yes | no | null | ~ | "" | '' | [] | {} | [[]] | [{}]
[null] | [1, 1] | [1, 1.0] | [true, false] | [1, 2] | [0.1, 0.2, 0.3] | [nan, nan] | [.nan, .nan] | [[1, 2], [3]]
[1, [2]] | [-0.0, 0.0] | [1, null] | [a, b] | ["a/b", ".."] | {a: 1} | {1: 2} | {true: [1]} | {null: {a: [1]}}
{1.5: {a: [1, 2]}} | {[1]: 2} | {{a: 1}: 2} | {!!binary aGk=: 1} | {!!timestamp 2026-01-01: 1} | {? a} | *nobody
"\\x00" | "\\x1b[31mred\\x07" | "\\u2028\\u202e" | "two\\nlines" | "\\ud800" | "tab\\t" | \U0001f600 | auto | nearest
"../../up" | "a=b,c=d" | {<<: {a: 1}} | {<<: 3} | {<<: [1]} | {<<: {}} | <<: 3 | = | %a | @a | `a` | a: b: c | - - 1
&a [*a] | &a {b: *a} | {a: &a 1, b: *a} | !!int "" | !!float "" | !!bool "" | "%s %d {0} {x}" | '{' | [1, 2"""
VALUES = [each.strip() for line in ODD.splitlines() for each in line.split(" | ")]
MADE = {  # what is too long to be written
    "digits": "7" * 5000,
    "float_digits": "0." + "7" * 5000,
    "tagged_digits": '!!int "' + "7" * 5000 + '"',
    "tagged_hexadecimal": '!!int "0x' + "f" * 5000 + '"',
    "nested": NESTED,
    "nested_blocks": "{a: " * 200 + "1" + "}" * 200,
    "nested_deep": "[" * 5000 + "]" * 5000,
    "text": "x" * 100_000,
    "words": '"' + "word " * 1000 + '"',
    "few": "[" + ", ".join(map(str, range(1, 100))) + "]",
    "thousands": "[" + ", ".join(map(str, range(1, 1501))) + "]",
    "fractions": "[" + ", ".join(f"0.{i:06d}" for i in range(1, 3001)) + "]",
    "many": "[" + ", ".join(map(str, range(100_000))) + "]",
    "same": "[" + "1, " * 10_000 + "1]",
    "keys": "{" + ", ".join(f"k{i}: {i}" for i in range(3000)) + "}",
    "lists": "[" + "[1, 2], " * 1000 + "[]]",
}
LAUGHS = "\n".join(
    ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
)
MERGES = "\n".join(
    ["a0: &a0 {k: 1}"]
    + [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10)]
)
KEYS = ["", "~", "1", "true", "null", "1.5", "010", '"\\n"', '"\\x1b[2J"', "<<", "study", "system"]
KEYS += ["? [1]\n", '"a.b"', "size ", "x" * 3000, "!!binary aGk=", "!!timestamp 2026-01-01", "&k k"]

INSERTS = b"\xff\xfe|\x00|\xef\xbb\xbf|\t|\r|\n---\n|\n...\n|\x85|\xc2\x85|\xe2\x80\xa8|#|%YAML 1.1\n|'|\"|: ".split(
    b"|"
)

WAYS = ["remove", "rename", "twice", "list", "swap", "foreign", "alias", "laughs", "merges"]
WAYS += ["odd"] * 3 + ["near"] * 5 + ["set"] * 3

Tree = list  # of [key, value]: a block as it is written; a value is a Tree or text


def tree(plain: dict) -> Tree:
    return [
        [str(key), tree(item) if isinstance(item, dict) and item else json.dumps(item)]
        for key, item in plain.items()
    ]


def text_of(block: Tree, indent: int = 0) -> str:
    lines = []
    for key, item in block:
        inner = "\n" + text_of(item, indent + 2) if isinstance(item, list) else f" {item}\n"
        lines.append(f"{' ' * indent}{key}:{inner}")
    return "".join(lines)


def places(block: Tree, path: tuple = ()) -> Iterator[tuple[tuple, Tree, int]]:
    """(key path, block that has it, position there) of every key."""
    for position, (key, item) in enumerate(block):
        yield (*path, key), block, position
        if isinstance(item, list):
            yield from places(item, (*path, key))


class Configs:
    """A study's configs, and as many odd ones made of them as are asked for."""

    def __init__(self, study: str):
        self.study, self.dice, self.bases = study, random.Random(f"configs {study}"), {}
        for name, model in models().items():
            found = []
            for path in sorted((ROOT / "jobs" / name).glob("*.yaml")):
                found.append(tree(yaml.safe_load(path.read_text())))
                systems = config.systems(config.read(path, [], name), model, str(path))
                found.append(tree(yaml.safe_load(config.to_yaml(next(iter(systems.values()))))))
            self.bases[name] = found

    def odd(self) -> str:
        return self.dice.choice(self.dice.choice([VALUES, VALUES, VALUES, [*MADE.values()]]))

    def number(self, item) -> str:
        """A value not far from one that is there."""
        try:
            size = float(item)
        except (TypeError, ValueError):
            return self.odd()
        changed = size * self.dice.choice([-1, 0.5, 0.999, 1.001, 2, 3, 10, 100, 1e6, 1e-6, 1e-300])
        if not math.isfinite(changed):
            return str(changed)
        return str(self.dice.choice([changed, round(changed), round(changed) + 1]))

    def mutated(self) -> tuple[bytes, list[str]]:
        """(the bytes of a config, what --set adds)."""
        block = json.loads(json.dumps(self.dice.choice(self.bases[self.study])))
        prelude, settings = "", []
        for _ in range(self.dice.choice([1, 1, 1, 1, 2, 3])):
            path, parent, at = self.dice.choice([*places(block)] or [(("x",), block, 0)])
            if not block:
                break
            kind = self.dice.choice(WAYS)
            value = parent[at][1]
            if kind == "remove":
                del parent[at]
            elif kind == "rename":
                known = [key for (*_, key), _, _ in places(block)]
                parent[at][0] = self.dice.choice([*KEYS, *known, path[-1] + "s", path[-1][:-1]])
            elif kind == "twice":
                parent.append([path[-1], self.dice.choice([value, self.odd()])])
            elif kind == "odd":
                parent[at][1] = self.odd()
            elif kind == "near":
                parent[at][1] = self.number(value)
            elif kind == "list":
                count = self.dice.choice([0, 1, 2, 3, 40])
                parent[at][1] = f"[{', '.join(self.number(value) for _ in range(count))}]"
            elif kind == "swap":
                other = self.dice.choice([*places(block)])
                parent[at][1] = json.loads(json.dumps(other[1][other[2]][1]))
            elif kind == "foreign":
                blocks = self.dice.choice(self.bases[self.dice.choice([*NAMES])])
                key, item = self.dice.choice(blocks)
                item = json.loads(json.dumps(item))
                block[:] = [each for each in block if each[0] != key] + [[key, item]]
            elif kind == "alias":
                prelude = self.dice.choice(["", "x: "]) + f"&a {self.dice.choice(VALUES)}\n"
                parent[at][1] = self.dice.choice(["*a", "[*a, *a]", "{<<: *a}", "{a: *a}"])
            elif kind in ("laughs", "merges"):
                prelude = (LAUGHS if kind == "laughs" else MERGES) + "\n"
                parent[at][1] = self.dice.choice(["*a9", "*a5", "[*a9, *a8]", "*a1"])
            else:
                item = self.dice.choice([self.odd(), self.number(value)])
                name = self.dice.choice([".".join(path), path[-1], ".".join((*path, "x"))])
                settings.append(f"{name}={item.encode().decode('utf-8', 'surrogateescape')}")
        return self.damaged((prelude + text_of(block)).encode()), settings

    def damaged(self, content: bytes) -> bytes:
        """The text itself is changed in one of four."""
        if self.dice.random() < 0.75 or not content:
            return content
        found = bytearray(content)
        for _ in range(self.dice.choice([1, 1, 3, 20])):
            at = self.dice.randrange(len(found))
            how = self.dice.choice(["flip", "bit", "insert", "cut", "end"])
            if how == "flip":
                found[at] = self.dice.randrange(256)
            elif how == "bit":
                found[at] ^= 1 << self.dice.randrange(8)
            elif how == "insert":
                found[at:at] = self.dice.choice(INSERTS)
            elif how == "cut":
                del found[at : at + self.dice.randrange(1, 20)]
            else:
                del found[max(1, at) :]
            if not found:
                break
        return bytes(found)


class TooSlow(BaseException):
    """As KeyboardInterrupt: no handler of ordinary errors sees it."""


@contextlib.contextmanager
def limits():
    """TooSlow after twice the patience, MemoryError beyond the memory."""

    def late(*_):
        raise TooSlow

    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, before[1]))
    signal.setitimer(signal.ITIMER_PROF, 2 * PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def called(*words) -> tuple[int, str]:
    """(exit status, what is said) of `python -m jobs`, in this process."""
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = quench([str(word) for word in words])
        except SystemExit as stop:  # argparse
            code = stop.code
    return code, said.buffer.getvalue().decode()


def verdict(study: str, path: Path, settings: list[str], run: Path) -> str:
    """`valid`, `refused`, or what is wrong with how it ended."""
    words = ["plan", "--counts", study, path, *(f"--set={each}" for each in settings)]
    began, stage = time.process_time(), "plan"
    try:
        with limits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code, said = called(*words)
            if code == 2:
                return problem_of(said) or late(began) or "refused"
            if code != 0:
                return f"plan ended with {code}: {said[:300]}"
            raw = config.read(path, settings, study)
            systems = list(config.systems(raw, models()[study], str(path)).values())
            if len(systems) > MOST_FOLDERS:  # a folder for each takes its time
                return late(began) or "valid"
            for stage in ("plan --run", "plan --run again"):
                shutil.rmtree(run, ignore_errors=True) if stage == "plan --run" else None
                code, said = called(*words, "--run", run)
                if code:
                    return f"{stage} refuses what plan took: {said[:300]}"
            stage = "build"
            return built(study, systems) or late(began) or "valid"
    except TooSlow:
        return f"slow: {stage} took more than {2 * PATIENCE} s"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{Path(last.filename).name}:{last.lineno}"
        return f"{stage}: {type(error).__name__} at {name}: {str(error)[:200]}"


def late(began: float) -> str | None:
    took = time.process_time() - began
    return f"slow: {took:.1f} s" if took > PATIENCE else None


def problem_of(said: str) -> str | None:
    """What is wrong with the words of a refusal."""
    lines = said.splitlines()
    if not said.strip() or len(lines) > MOST_LINES:
        return f"{len(lines)} lines are said"
    if max(map(len, lines)) > LONGEST_LINE:
        return f"a line of {max(map(len, lines))} characters: {max(lines, key=len)[:150]}"
    if not all(line.isprintable() for line in said.split("\n")):
        return f"control characters are said: {said[:300]!r}"
    return None


def built(study: str, systems: list) -> str | None:
    """What is wrong with the model of a valid config, which may be refused in a line."""
    import importlib

    from kernels.device import select

    stage, device = importlib.import_module(f"jobs.{study}.generate"), select("cpu", workers=1)
    for system in systems[:3]:
        if system.system.size > LARGE.get(study, 256):
            continue
        try:
            model = stage.build(system, device)
            stage.warn(model, system)
            stage.batch(system, device)
        except UserError as error:
            return problem_of(str(error))
    return None


def configs(study: str, count: int, folder: Path) -> tuple[Counter, list[str]]:
    """How many of `count` odd configs are valid or refused, and a line on each that is neither."""
    made, found, defects = Configs(study), Counter(), []
    path, run = folder / f"odd-{study}.yaml", folder / f"run-{study}"
    for number in range(count):
        content, settings = made.mutated()
        settings = [each for each in settings if "\0" not in each]  # no command line has them
        path.write_bytes(content)
        answer = verdict(study, path, settings, run)
        found[answer if answer in ("valid", "refused") else "defect"] += 1
        if answer not in ("valid", "refused"):
            defects.append(f"{study} {number}: {answer}; --set {str(settings)[:200]}")
            shutil.copy(path, folder / f"{study}-{number}.yaml")
        if number % 100 == 99:
            print(f"{study}: {number + 1} configs, {dict(found)}", file=sys.stderr, flush=True)
    return found, defects


# ---- bytes

KINDS = {  # of files, and the stage that reads them next
    "unit": ("generate/**/unit-*.h5", "collect"),
    "dataset": ("dataset.h5", "train"),
    "data": ("data/*/*.h5", "train"),
    "checkpoint": ("train/**/checkpoint.pt", "train"),
    "test": ("train/**/test.h5", "last"),
}
BELONGS = ("config_digest", "unit_index", "made_from", "dataset_digest", "train_digest")
SHORT = {  # a run of fault_study, with less to wait for
    "nucleation": ["generate.units=3", "train.folds=1", "train.max_epochs=2"],
    "segregation": ["train.epochs=2"],
    "flocking": ["train.max_epochs=2", "unsupervised.bootstraps=2"],
    "coarsening": ["train.epochs=2", "rollout.cases={}", "rollout.costs.frames=1"],
}


def small_run(study: str, folder: Path, stages: int) -> list:
    """What starts every command on a finished small run in folder/whole-STUDY."""
    path = folder / f"{study}.yaml"
    path.write_text(CONFIGS[study])
    words = [
        study,
        path,
        "--run",
        folder / f"whole-{study}",
        *("--device", "cpu", "--workers", "1"),
    ]
    words += [f"--set={each}" for each in SHORT[study]]
    for stage in STAGES[study][:stages]:
        code, said = called(words[0], stage, *words[1:])
        assert code == 0, said
    return words


def files(run: Path, kind: str) -> list[Path]:
    return sorted(run.glob(KINDS[kind][0]))


def place_in(path: Path, dice: random.Random) -> int:
    """A byte of a file; in one of two outside its arrays, where HDF5 keeps what they are."""
    size, arrays = path.stat().st_size, []
    if path.suffix == ".pt" or dice.random() < 0.5:
        return dice.randrange(size)
    with h5py.File(path, "r", locking=False) as file:
        file.visititems(
            lambda _, item: arrays.append(item.id) if isinstance(item, h5py.Dataset) else None
        )
        spans = [(each.get_offset(), each.get_storage_size()) for each in arrays]
    while True:
        at = dice.randrange(size)
        if not any(first is not None and first <= at < first + length for first, length in spans):
            return at


def content(path: Path) -> dict:
    """All that a file says: of arrays and attributes names, types, shapes and values; of a
    checkpoint its entries.
    """
    if path.suffix == ".pt":
        return flattened(torch.load(path, map_location="cpu", weights_only=True))
    found = {}

    def look(name: str, item) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = plain(item[()])
        found.update({(name, key): plain(item.attrs[key]) for key in item.attrs})

    with h5py.File(path, "r", locking=False) as file:
        look("", file)
        file.visititems(look)
    return found


def plain(value) -> tuple:
    if isinstance(value, np.ndarray | np.generic):
        bits = repr(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return value.dtype.str, value.shape, bits
    return type(value).__name__, repr(value)


def flattened(item, name: str = "") -> dict:
    if isinstance(item, dict | list | tuple):
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        found = {(name, "is"): (type(item).__name__, len(item))}
        for key, each in pairs:
            found |= flattened(each, f"{name}/{key!r}")
        return found
    return {name: plain(item.numpy()) if isinstance(item, torch.Tensor) else plain(item)}


def answered(path: Path, wanted: dict, belongs: dict) -> str:
    """`noticed` by those that read such a file, or `harmless`, or what is wrong."""
    if path.suffix == ".pt":
        said = []
        if checkpoint.load(path, said.append, **belongs) is None:
            return "noticed" if len(said) == 1 and said[0].isprintable() else f"it says {said}"
        return "harmless" if content(path) == wanted else "another value was read"
    answers = set()
    for look in (shards.read, shards.check_large):
        try:
            look(path, **belongs)
            answers.add("harmless")
            if content(path) != wanted:
                return f"{look.__name__} lets another value pass"
        except shards.BadFileError:
            answers.add("noticed")
    return "noticed" if "noticed" in answers else "harmless"


def read_all(pipe, run: Path, folder: Path, changes: list) -> None:
    """In a process of its own: an answer on each changed byte, from the first that has none."""
    known = {}
    for name, at, bits in changes:
        path, copy = run / name, folder / Path(name).name
        if name not in known:
            said = content(path)
            if path.suffix == ".pt":
                whole = torch.load(path, weights_only=True)
            else:
                with h5py.File(path) as file:
                    whole = dict(file.attrs)
            known[name] = said, {key: whole[key] for key in BELONGS if key in whole}
        changed = bytearray(path.read_bytes())
        changed[at] ^= bits
        copy.write_bytes(changed)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            answer = answered(copy, *known[name])
        except Exception as error:
            answer = f"{type(error).__name__}: {str(error)[:200]}"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if grown > MOST_GROWN or time.process_time() - began > 2 * PATIENCE:
            answer = f"{grown >> 10} MiB and {time.process_time() - began:.0f} s, {answer}"
        for left in folder.glob(f"{copy.name}*"):
            left.unlink()
        pipe.send(answer)


def changed_bytes(study: str, count: int, folder: Path) -> tuple[Counter, list[str]]:
    """How many of `count` changed bytes were noticed or harmless in each kind of file, and a line
    on each that was neither.
    """
    run, dice = folder / f"whole-{study}", random.Random(f"bytes {study}")
    kinds = [kind for kind in KINDS if files(run, kind)]
    changes, found, defects = [], Counter(), []
    for number in range(count):
        path = dice.choice(files(run, kinds[number % len(kinds)]))
        changes.append((str(path.relative_to(run)), place_in(path, dice), dice.randrange(1, 256)))
    context, done = multiprocessing.get_context("spawn"), 0
    while done < count:
        here, there = context.Pipe()
        place = Path(tempfile.mkdtemp(dir=folder))
        process = context.Process(target=read_all, args=(there, run, place, changes[done:]))
        process.start()
        there.close()
        answer = None
        while done < count and answer != "dead":
            try:
                answer = here.recv() if here.poll(HANGS) else "dead"
            except EOFError:
                answer = "dead"
            kind = kinds[done % len(kinds)]
            sound = answer in ("noticed", "harmless")
            found[kind, answer if sound else "defect"] += 1
            if not sound:
                defects.append(f"{study} {changes[done]}: {answer}")
            done += 1
        process.kill() if answer == "dead" else None
        process.join()
    return found, defects


def next_stages(study: str, count: int, folder: Path, words: list) -> tuple[Counter, list[str]]:
    """A changed byte in each kind of file, `count` times: the next stage ends with 0, or 2 and a
    line, and `all` brings the same results.
    """
    whole, run, dice = folder / f"whole-{study}", folder / f"stage-{study}", random.Random(study)
    wanted, found, defects = results(whole), Counter(), []
    words = [run if word == whole else word for word in words]
    for kind, number in ((kind, number) for kind in KINDS for number in range(count)):
        if not files(whole, kind):
            continue
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(whole, run)
        path, stage = dice.choice(files(run, kind)), KINDS[kind][1]
        at, bits = place_in(path, dice), dice.randrange(1, 256)
        changed = bytearray(path.read_bytes())
        changed[at] ^= bits
        path.write_bytes(changed)
        if kind == "unit":  # else nobody asks for the units
            (run / "dataset.h5").unlink()
        elif kind == "checkpoint":
            path.with_name("test.h5").unlink()
        stage = STAGES[study][-1] if stage == "last" else stage
        problem = None
        try:
            code, said = called(study, stage, *words[1:])
            if code not in (0, 2) or "Traceback" in said:
                problem = f"{stage} ended with {code}: {said[-300:]}"
            again, more = called(study, "all", *words[1:])
            if again or "Traceback" in more:
                problem = problem or f"all ended with {again}: {more[-300:]}"
            elif (after := results(run)) != wanted:
                other = [name for name in wanted if after.get(name) != wanted[name]]
                problem = problem or f"other results: {other}"
        except Exception as error:
            problem = f"{type(error).__name__}: {str(error)[:200]}"
        found[kind, f"status {code}" if problem is None else "defect"] += 1
        if problem:
            defects.append(f"{study} {path.relative_to(run)} {at} {bits} {number}: {problem}")
    return found, defects


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--configs", type=int, default=1000, help="of each study")
    options.add_argument("--bytes", type=int, default=500, help="changed, of each study")
    options.add_argument(
        "--stages",
        type=int,
        default=10,
        help="changed bytes of each kind of file after which the next stage is run",
    )
    options.add_argument("--studies", nargs="*", default=list(NAMES), choices=NAMES)
    options = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="quench-fuzz-"))
    for study in options.studies:
        began = time.monotonic()
        if options.configs:
            found, defects = configs(study, options.configs, folder)
            print(f"| configs | {study} | {counted(found)} |", *defects, sep="\n", flush=True)
        if options.bytes or options.stages:
            words = small_run(study, folder, 4 if options.stages else 3)
            found, defects = changed_bytes(study, options.bytes, folder)
            print(f"| bytes | {study} | {counted(found)} |", *defects, sep="\n", flush=True)
        if options.stages:
            found, defects = next_stages(study, options.stages, folder, words)
            print(f"| stages | {study} | {counted(found)} |", *defects, sep="\n", flush=True)
        print(f"{study}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def counted(found: Counter) -> str:
    """noticed or not, by kind of file: a line of them."""
    return ", ".join(
        f"{key if isinstance(key, str) else ' '.join(key)}: {number}"
        for key, number in sorted(found.items())
    )


if __name__ == "__main__":
    main()
