"""The loop of every predict stage: the device, the data, what --input asks for, and the work, of
which ranks take one piece after another (jobs.claims); trained networks.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from jobs import UserError, checkpoint, claims
from jobs.progress import Progress
from jobs.rundir import System
from jobs.training import torch_device, usable, use
from jobs.units import Rank


class Stage(Protocol):
    """What a predict stage's module has for `share`."""

    WHAT: str  # its units, in the plural
    NOTHING: str | None  # what is said where there are none; None: that is all right

    def check(self, system: System) -> None:
        """Raises UserError for what it cannot be asked of."""

    def answer(self, system: System, request, device, device_kind: str, progress: Progress) -> None:
        """What --input asks for."""

    def units(self, system: System, say: Callable[[str], None]) -> list:
        """What there is to do, each the work of one process; a list counts as many as it holds."""

    def work(
        self,
        system: System,
        unit: Any,
        device,
        device_kind: str,
        progress: Progress,
        report: Callable[[float], None],
    ) -> None:
        """Do a unit, unless it was done before; report(share of it that is done)."""


def share(
    stage: Stage, systems: list[System], rank: Rank, request, device, progress: Progress
) -> int:
    """This process's share of a predict stage, or, in one process, the answer to --input; how many
    failed (none: they raise).
    """
    device_kind = torch_device(device, request.device, progress.say)
    use(device_kind, device.workers)
    check_input(systems, request)
    systems = usable(stage.check, systems, rank, progress)
    if request.input is not None:
        if rank.index == rank.task == 0:
            stage.answer(systems[0], request, device, device_kind, progress)
        return 0

    def listed() -> list[tuple[int, Any]]:
        found = [(k, unit) for k, s in enumerate(systems) for unit in stage.units(s, progress.say)]
        if not found and stage.NOTHING:
            raise UserError(f"{request.run}: {stage.NOTHING}")
        return rank.job.share(found)

    with claims.shared(rank, rank.of_the_first(listed)) as shared:
        progress.begin(count(shared.foreseen([])), stage.WHAT)
        done = 0
        for number, unit in shared.each(
            lambda rest: f"{count(rest)} {stage.WHAT} left",
            lambda all_: progress.expect(count(all_)),
        ):
            report = functools.partial(_report, progress, done, size(unit))
            stage.work(systems[number], unit, device, device_kind, progress, report)
            done += size(unit)
            progress.reach(done)
    progress.end()
    return 0


def size(unit) -> int:
    return len(unit) if isinstance(unit, list) else 1


def count(pieces: list[tuple[int, Any]]) -> int:
    """Of what the stage says it does, in (number of a system, unit)."""
    return sum(size(unit) for _, unit in pieces)


def _report(progress: Progress, done: int, whole: int, part: float) -> None:
    progress.reach(done + whole * part)


def check_input(systems: list[System], request) -> None:
    """UserError where --input is asked of several systems at once."""
    if request.input is not None and len(systems) > 1:
        raise UserError(
            f"--input: {request.run} holds {len(systems)} systems; give one of them as --run"
        )


def restored(
    network: nn.Module,
    folder: Path,
    entry: str,
    belongs: dict,
    device: str,
    say: Callable[[str], None],
) -> nn.Module:
    """The network, on its device, with the weights that its finished checkpoint has as `entry`.
    Raises UserError without one.
    """
    state = checkpoint.load(folder / "checkpoint.pt", say, **belongs)
    if state is None or not state["finished"]:
        raise UserError(
            f"{folder}: its checkpoint cannot be used; remove its test.h5 and train again"
        )
    try:
        network.load_state_dict(state[entry])
    except RuntimeError:
        raise UserError(
            f"{folder}: trained by another version of this program; train in another --run"
        ) from None
    return network.to(device).eval()
