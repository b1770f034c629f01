"""What Slurm says of a run's jobs, whose ids submit.sh and continuations leave in
RUN/log/slurm-STAGE.jobs; and which of their tasks have to be done again.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs import notes

BAD = {"BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}
ALIVE = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "SUSPENDED"}
PATIENCE = 20  # seconds for an answer


@dataclass(frozen=True)
class Task:
    """One job, or one task of an array.  index: in its array, None without one; reason: why it
    waits, or ended so, '' where Slurm does not say.
    """

    stage: str
    index: int | None
    job: str
    state: str
    reason: str

    @property
    def title(self) -> str:
        return self.stage if self.index is None else f"{self.stage} task {self.index}"


def tasks(log: Path, stages: Sequence[str]) -> list[Task]:
    """The last job of each stage and task that Slurm still knows, in the order of the stages."""
    ids = {stage: numbers(log / f"slurm-{stage}.jobs") for stage in stages}
    said = known([job for jobs in ids.values() for job in jobs])
    found = []
    for stage, jobs in ids.items():
        last: dict[int | None, Task] = {}
        for job in jobs:
            for name, (state, reason) in said.items():
                base, _, index = name.partition("_")
                if base == job:
                    place = int(index) if index else None
                    last[place] = Task(stage, place, name, state, reason)
        found += [
            last[place] for place in sorted(last, key=lambda place: -1 if place is None else place)
        ]
    return found


def numbers(path: Path) -> list[str]:
    """The ids in a file of ours, the oldest first."""
    words = notes.text(path).split() if path.exists() else []
    return sorted({word for word in words if word.isdigit()}, key=int)


def known(jobs: list[str]) -> dict[str, tuple[str, str]]:
    """{id of a job or an array's task: (state, reason)}: from sacct, where there is accounting, and
    squeue, which knows better what has not ended or has just done so.
    """
    if not jobs:
        return {}
    found = {}
    columns = "JobID,State,ExitCode"
    which = ",".join(jobs)
    for line in output("sacct", "-n", "-X", "-P", "-j", which, "-o", columns):
        name, state, code = line.split("|")
        found[name] = (state.split()[0], f"exit {code}" if code != "0:0" else "")
    for line in output("squeue", "-h", "-r", "-t", "all", "-j", which, "-o", "%i|%T|%r"):
        name, state, reason = line.split("|")
        found[name] = (state, "" if reason == "None" else reason)
    return {name: said for name, said in found.items() if re.fullmatch(r"\d+(_\d+)?", name)}


def output(*command: str) -> list[str]:
    """Its lines; none where it is not there, or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def report(run: Path, stages: Sequence[str]) -> list[str]:
    """Lines for `status`: how many tasks of each stage are in which state, and which failed."""
    found = tasks(run / "log", stages)
    lines = []
    for stage in stages:
        states = Counter(
            task.state.lower()
            + f" ({task.reason})" * (task.state == "PENDING" and bool(task.reason))
            for task in found
            if task.stage == stage
        )
        if states:
            counted = ", ".join(f"{count} {state}" for state, count in states.items())
            lines.append(f"Slurm: {stage}: {counted}")
    bad = [task for task in found if task.state in BAD]
    lines += [
        f"Slurm: {task.title}: {task.state}{f' ({task.reason})' if task.reason else ''}, job {task.job}"
        for task in bad
    ]
    if bad and not any(task.state in ALIVE for task in found):
        lines.append(f"Slurm: slurm/submit.sh --failed {run} does again what failed")
    return lines


def again(run: Path, stages: Sequence[str]) -> str:
    """For submit.sh: "alive TITLE, job ID" while something goes on or waits; else the first stage
    that did not go well and the ids of its array's tasks, "generate 1,3", or "" where all did.
    """
    log = run / "log"
    found = tasks(log, stages)
    for task in found:
        if task.state in ALIVE:
            return f"alive {task.title} is {task.state}, job {task.job}"
    for stage in stages:
        bad = {task.index for task in found if task.stage == stage and task.state in BAD}
        for path in log.glob(f"slurm-{stage}*.failed"):
            index = path.stem.removeprefix(f"slurm-{stage}").removeprefix("-")
            bad.add(int(index) if index.isdigit() else None)
        if bad:
            return f"{stage} {','.join(str(index) for index in sorted(bad - {None}))}".strip()
    return ""
