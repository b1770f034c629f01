"""The lives of a Slurm task: when it begins again (time limit, preemption, dead node) it leaves a
line, which `status` counts.
"""

import contextlib
import datetime
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from jobs import notes
from jobs.units import Rank


def note(folder: Path, stage: str, rank: Rank, environment: Mapping[str, str] = os.environ) -> None:
    """Append a line to RUN/log/STAGE-task-k.requeued, unless this is the task's first life."""
    life = environment.get("SLURM_RESTART_COUNT", "0")
    if rank.index or life == "0":
        return
    now = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    with (
        contextlib.suppress(OSError),
        (folder / f"{stage}-task-{rank.task:04d}.requeued").open("a", encoding="utf-8") as file,
    ):
        file.write(
            f"{now} on {environment.get('SLURMD_NODENAME', platform.node())}, job {environment.get('SLURM_JOB_ID')}\n"
        )


def report(folder: Path) -> list[str]:
    """A line for every task that was requeued."""
    found = []
    for path in sorted(folder.glob("*.requeued")):
        stage, _, task = path.stem.rpartition("-task-")
        lives = notes.text(path).splitlines()
        if lives and task.isdigit():  # none: the disk was full
            found.append(
                f"requeued: {stage} task {int(task)}: {len(lives)} time{'s' * (len(lives) != 1)}, last {lives[-1]}"
            )
    return found
