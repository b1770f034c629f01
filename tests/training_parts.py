"""A training that is killed after some epochs and goes on, and all that it leaves."""

import csv
import hashlib

import pytest
import torch

from jobs import shards


class Killed(BaseException):
    """As KeyboardInterrupt: no handler of ordinary errors sees it."""


def go_on(train, system, name: str, epochs: int | None = None) -> list[str]:
    """Train to the end, or die after the checkpoint of so many epochs more; what was said.  train:
    the study's module.
    """
    said, left = [], [epochs]

    def report(kind, content):
        if kind == "say":
            said.append(content)
        elif kind == "epoch" and epochs:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

    torch.set_num_threads(1)
    torch.rand(7)  # whoever ran before leaves another generator
    if epochs is None:
        train.fit(system, name, "cpu", report)
    else:
        with pytest.raises(Killed):
            train.fit(system, name, "cpu", report)
        assert not (system.training(name) / "test.h5").exists()
    return said


def outcome(system, name: str, weights: str = "best") -> tuple:
    """All that a training leaves, but for the clock: digests of test.h5 and of the checkpoint's
    `weights`, the rows of metrics.csv, the names of files.
    """
    folder = system.training(name)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)[weights]
    whole = hashlib.sha256(b"".join(state[key].numpy().tobytes() for key in sorted(state)))
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.reader(file))
    clock = rows[0].index("seconds")
    metrics = [[*row[:clock], *row[clock + 1 :]] for row in rows]
    left = sorted(path.name for path in folder.iterdir() if ".bad" not in path.name)
    return shards.check(folder / "test.h5"), whole.hexdigest(), metrics, left
