"""Trials: short runs of a study's own kernels and networks, of a config's own size, that tell how
long all of it will take; made when they are asked for, and kept nowhere.
"""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.study import Study

LEAST, MOST = 0.1, 0.6  # seconds: below the first a trial is repeated, above the second it is not
LARGEST_NETWORK = 1 << 27  # parameters that a trial takes: with Adam's moments and gradients 2 GiB


class Untimed(Exception):
    """A trial would take too long; the text says what of."""


@dataclass(frozen=True)
class Timed:
    """seconds: on the clock, by an estimate; how: from which trial; at_least: it may be many times
    as many.
    """

    seconds: float
    how: str
    at_least: bool = False


@dataclass(frozen=True)
class Part:
    """A part of a stage.

    counts: how much of what it makes, in the plural.  bytes: on disk in the end.  timed: makes its
    trial.  about: what else is to be known of it.  leave_out: the setting, of --set, that leaves it
    out; files: that it makes then, below the run.  apart: `all` has no such part.
    """

    stage: str
    counts: dict[str, float]
    bytes: float
    timed: Callable[[], Timed]
    about: str = ""
    leave_out: str = ""
    files: tuple[str, ...] = ()
    apart: bool = False


@dataclass(frozen=True, eq=False)
class Machine:
    """Where a study is to run.  device: kernels.device's; asked (auto, cpu or gpu), workers: as the
    user said.
    """

    study: Study
    device: Any
    asked: str = "auto"
    workers: int | None = None
    kept: dict[tuple, Any] = field(default_factory=dict)

    def once(self, key: tuple, trial: Callable[[], Any]) -> Any:
        """What a trial found, made once for all parts and systems that share its key."""
        if key not in self.kept:
            self.kept[key] = trial()
        return self.kept[key]

    @functools.cached_property
    def torch(self) -> str:
        """torch's name of the device that networks use."""
        from jobs.training import torch_device  # torch takes seconds to import

        return torch_device(self.device, self.asked, lambda line: None)

    def use(self, threads: int) -> str:
        """torch's name of the device, made ready for so many threads."""
        from jobs.training import use

        use(self.torch, threads)
        return self.torch

    def side_by_side(self, threads: int) -> int:
        """Networks that train at a time."""
        from jobs import training

        kind = self.device.kind if self.study.own_kernels else self.torch
        asked = self.workers if self.device.kind == "gpu" else None
        return training.slots_of(self.device, kind, threads, asked)


@dataclass(frozen=True)
class Kind:
    """Networks that take equally long.  expected, most: epochs of one, as far as can be told, and
    at the latest (None: nobody knows).  epoch(): seconds of one epoch, by a trial.
    """

    name: str
    count: int
    expected: float
    most: float | None
    parameters: int
    epoch: Callable[[], float]

    @property
    def epochs(self) -> str:
        most = "or more" if self.most is None else f"to {self.most:g}"
        return f"{self.expected:g}" + (f" {most}" if self.most != self.expected else "")


def seconds_of(act: Callable[[], object], compiles: Callable[[], object] | None = None) -> float:
    """Of the quickest of some calls, on the clock: what else the machine does counts as little as
    can be.  compiles: what is to be called before, untimed.
    """
    if compiles is not None:
        compiles()
    calls: list[float] = []
    while not calls or (len(calls) < 2 and calls[0] < MOST) or sum(calls) < LEAST:
        began = time.perf_counter()
        act()
        calls.append(time.perf_counter() - began)
    return min(calls)


def training(config: Any, machine: Machine, kinds: Sequence[Kind]) -> Part:
    """The stage train, of networks of these kinds."""

    def timed() -> Timed:
        seconds, missing = [], []
        for kind in kinds:
            try:
                if kind.parameters > LARGEST_NETWORK:
                    raise Untimed(f"{kind.name} has {kind.parameters / 1e6:.0f} million parameters")
                seconds += [kind.expected * kind.epoch()] * kind.count
            except Untimed as reason:
                missing.append(str(reason))
        if not seconds:
            raise Untimed("; ".join(missing))
        slots = min(machine.side_by_side(config.train.threads), len(seconds))
        how = f"steps of each kind of network, {slots} of which train side by side"
        if missing:
            how += f"; without those that are too large to be tried: {'; '.join(missing)}"
        open_ended = any(kind.most != kind.expected for kind in kinds)
        if open_ended:
            how += "; those that may stop early are counted with their fewest epochs"
        whole = max(sum(seconds) / slots, *seconds)
        return Timed(whole, how, open_ended or bool(missing))

    return Part(
        "train",
        {"networks": sum(kind.count for kind in kinds)},
        sum(4.0 * kind.parameters * kind.count for kind in kinds),
        timed,
        "epochs: " + ", ".join(f"{kind.epochs} of {kind.name}" for kind in kinds),
    )
