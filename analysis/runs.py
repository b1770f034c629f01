"""Which system directories a RUN argument means, what the runs are called, and the one error that
ends a command with exit status 2.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from jobs import shards

DATA = ("dataset.h5", "rates.h5")  # of a system: any of them is enough for a page


class BadInput(Exception):
    """The user's runs cannot be analysed; the message is one line that says what to do."""


def _natural(path: Path) -> list:
    """Sort range=3 before range=10."""
    return [
        float(part) if re.fullmatch(r"[\d.]*\d", part) else part
        for part in re.split(r"(\d+(?:\.\d+)?)", path.name)
    ]


def _ready(folder: Path) -> bool:
    return any((folder / name).exists() for name in DATA)


def _below(folder: Path, depth: int) -> list[Path]:
    """System directories under `folder`: a config.yaml or DATA of their own and no system below."""
    found = []
    for child in sorted((c for c in folder.iterdir() if c.is_dir()), key=_natural):
        inner = _below(child, depth - 1) if depth > 1 and not _ready(child) else []
        if inner:
            found += inner
        elif (child / "config.yaml").exists() or _ready(child):
            found.append(child)
    return found


def expand(run: Path) -> tuple[list[Path], list[Path]]:
    """(systems with any of DATA, systems without) that `run` stands for.

    A run directory stands for itself, a sweep or a parent folder for the systems one or two levels
    below it.
    """
    if not run.exists():
        raise BadInput(f"{run} does not exist")
    if not run.is_dir():
        raise BadInput(
            f"{run} is neither a run directory nor a file that Quench wrote: give the folder that "
            "holds dataset.h5, a record, or what rollout --input wrote"
        )
    if _ready(run):
        return [run], []
    below = _below(run, depth=2)
    if not below and not (run / "config.yaml").exists():
        raise BadInput(
            f"{run} is not a run directory: it has no config.yaml, no dataset.h5, and no systems below it"
        )
    ready = [path for path in below if _ready(path)]
    if not ready:
        raise BadInput(
            f"no dataset.h5 in {run}: the study's collect stage writes it, `python -m jobs STUDY collect --run {run}`"
        )
    return ready, [path for path in below if path not in ready]


def is_prediction(path: Path) -> bool:
    """Whether a path may be what `python -m jobs STUDY predict --input` or `... coarsening large`
    wrote, rather than a run.
    """
    return path.is_file() and path.suffix == ".h5" and path.name not in DATA


def read_prediction(path: Path, *needed: str) -> tuple[dict, dict]:
    """Arrays and attributes of a prediction file.  Raises BadInput for a file of another kind."""
    try:
        arrays, attributes = shards.read(path)
    except shards.BadFileError as error:
        raise BadInput(f"{path}: {error}") from None
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise BadInput(f"{path} is not a prediction: it lacks {', '.join(missing)}")
    return arrays, attributes


def named(runs: list) -> list:
    """A study's runs (dataclasses with a name), numbered where folders share one: names make file
    names.
    """
    seen, found = Counter(), []
    for run in runs:
        seen[run.name] += 1
        found.append(
            run if seen[run.name] == 1 else replace(run, name=f"{run.name}-{seen[run.name]}")
        )
    return found
