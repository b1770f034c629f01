"""What a config will make, and what that takes, before anything is made: `python -m jobs plan`, and
what `all` says of the costly parts that can be left out.

A study's module `plan` has a function for each of its stages, (config, machine) -> parts
(jobs.trials.Part), whose times come from trials.
"""

import importlib
import importlib.util
import math
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jobs import UserError
from jobs.progress import duration, in_bytes
from jobs.rundir import System
from jobs.study import Study
from jobs.trials import Machine, Part, Timed, Untimed
from kernels.device import DeviceError

TRIED = 3  # systems of a sweep, at most, that have trials of their own
PATIENCE = 10.0  # seconds of trials, after which those of the first system have to do
COSTLY = 60.0  # seconds from which a part that can be left out is announced


def parts(study: Study, config: Any, machine: Machine, stages: Iterable[str]) -> list[Part]:
    """Of these stages, in their order; of a study without a module `plan` its units alone."""
    if importlib.util.find_spec(f"jobs.{study.name}.plan") is None:
        units = {"units": config.generate.units}
        return [Part("generate", units, 0.0, untold)] if "generate" in stages else []
    module = importlib.import_module(f"jobs.{study.name}.plan")
    return [part for stage in stages for part in getattr(module, stage)(config, machine)]


def untold() -> Timed:
    raise Untimed("this study has no trial")


@dataclass
class Line:
    """A part, of all systems of a sweep."""

    parts: dict[int, Part] = field(default_factory=dict)  # by system
    timed: dict[int, Timed] = field(default_factory=dict)
    untimed: str = ""

    @property
    def first(self) -> Part:
        return next(iter(self.parts.values()))

    @property
    def seconds(self) -> float | None:
        """Of all systems: those without a trial take as long as it lies between their neighbours,
        by their logarithms.
        """
        if not self.timed:
            return None
        known = sorted(self.timed)
        logs = [math.log(max(self.timed[i].seconds, 1e-9)) for i in known]
        between = np.exp(np.interp([*self.parts], known, logs))
        return sum(
            self.timed[system].seconds if system in self.timed else float(seconds)
            for system, seconds in zip(self.parts, between, strict=True)
        )

    @property
    def at_least(self) -> bool:
        return any(timed.at_least for timed in self.timed.values())

    @property
    def makes(self) -> str:
        totals: dict[str, float] = {}
        for part in self.parts.values():
            for what, count in part.counts.items():
                totals[what] = totals.get(what, 0) + count
        return ", ".join(f"{grouped(count)} {what}" for what, count in totals.items())

    @property
    def time(self) -> str:
        if self.seconds is None:
            return "not tried"
        return f"{'at least ' * self.at_least}{duration(self.seconds)}"

    @property
    def bytes(self) -> float:
        return sum(part.bytes for part in self.parts.values())

    @property
    def row(self) -> tuple[str, ...]:
        first = self.first
        stage = first.stage + ", not in all" * first.apart
        setting = f"--set {first.leave_out}" if first.leave_out else ""
        return stage, self.makes, self.time, in_bytes(self.bytes), setting


def grouped(count: float) -> str:
    """12 000."""
    return f"{round(count):,}".replace(",", " ")


def lines(
    configs: Sequence[Any],
    machine: Machine,
    stages: Sequence[str],
    wanted: Callable[[int, Part], bool] = lambda system, part: True,
) -> list[Line]:
    """The parts that are wanted, with their trials, of at most TRIED of the systems, and fewer
    where they take long.
    """
    found: dict[tuple, Line] = {}
    began, tried = (
        time.perf_counter(),
        {round(i) for i in np.linspace(0, len(configs) - 1, min(TRIED, len(configs)))},
    )
    for system, config in enumerate(configs):
        for part in parts(machine.study, config, machine, stages):
            if not wanted(system, part):
                continue
            line = found.setdefault((part.stage, *part.counts), Line())
            line.parts[system] = part
            late = line.timed and time.perf_counter() - began > PATIENCE
            if system in tried and not late:
                try:
                    line.timed[system] = part.timed()
                except Untimed as reason:
                    line.untimed = str(reason)
    return list(found.values())


def report(source: Path, configs: Sequence[Any], machine: Machine) -> str:
    """What `plan` prints."""
    study = machine.study
    found = lines(configs, machine, study.stages)
    count = f", {len(configs)} systems" if len(configs) > 1 else ""
    rows = [("stage", "makes", "time", "disk", "left out by")]
    rows += [line.row for line in found]
    mine = [line for line in found if not line.first.apart]
    seconds = sum(line.seconds or 0.0 for line in mine)
    short = any(line.at_least or line.seconds is None for line in mine)
    disk = in_bytes(sum(line.bytes for line in mine))
    rows.append(("all", "", f"{'at least ' * short}{duration(seconds)}", disk, ""))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    text = [f"{study.name}, {source}{count}"]
    text += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    text += dict.fromkeys(
        f"{line.first.stage}: {line.first.about}" for line in found if line.first.about
    )
    text.append(
        f"Times are estimates for this machine, {machine.device.name}, beside what else it does now, from trials made now:"
    )
    text += dict.fromkeys(
        f"  {line.first.stage}: {how}" for line in found for how in trials(line, len(configs))
    )
    return "\n".join(text)


def build(configs: Sequence[Any], study: Study, devices: Sequence[Any]) -> str:
    """Compile the kernels of all stages of these systems, as the study's plan.kernels says, for
    each device; a line: how many, and where they are kept.  UserError where there is no compiler,
    or it fails.
    """
    device = devices[0]
    if importlib.util.find_spec(f"jobs.{study.name}.plan") is None:
        raise UserError(f"{study.name}: does not say which kernels it uses")
    before = set(device.compiled())
    try:
        for config in configs:
            for each in devices:
                importlib.import_module(f"jobs.{study.name}.plan").kernels(config, each)
    except DeviceError as error:
        raise UserError(str(error)) from None
    after = set(device.compiled())
    folder = f" in {next(iter(after)).parent}" if after else ""
    return f"{study.name}: {len(after - before)} kernels compiled, {len(after)} kept{folder}, for {device.name}"


def trials(line: Line, systems: int) -> list[str]:
    """From what the seconds of a part were got."""
    if not line.timed:
        return [f"not tried: {line.untimed}"]
    some = f"; {len(line.timed)} of {systems} systems tried" if len(line.timed) < systems else ""
    return [next(iter(line.timed.values())).how + some]


def announce(
    systems: Sequence[System],
    stages: Sequence[str],
    machine: Machine,
    say: Callable[[str], None],
    write: Callable[[str], None],
) -> None:
    """Say which costly parts are to come that can be left out.  An estimate that fails is none: it
    goes to the log.
    """

    def wanted(number: int, part: Part) -> bool:
        there = all((systems[number].folder / name).exists() for name in part.files)
        return bool(part.leave_out) and not there

    try:
        for line in lines([system.config for system in systems], machine, stages, wanted):
            if line.seconds is None or line.seconds >= COSTLY:
                takes = f"about {line.time}" if line.seconds is not None else line.untimed
                say(
                    f"{line.first.stage}: {line.makes}: {takes}; --set {line.first.leave_out} leaves them out"
                )
    except Exception:
        write(traceback.format_exc())
