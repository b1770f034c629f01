"""Where a run keeps what this study alone has: rollouts, and one large box."""

from pathlib import Path

from jobs.rundir import System

# files of a case that no network made: the solver from the start itself, and from what the
# networks' grid keeps of it
TRUTH, SENSITIVITY = SOLVERS = ("truth", "sensitivity")


def box(system: System) -> Path:
    """The box that is shared by all ranks: its numbers and, as one, its frames."""
    return system.folder / "large" / "box.h5"


def rollout(system: System, case: str, who: str) -> Path:
    """The frames of a case by the truth or by a network, named as staggered/seed-0."""
    return system.folder / "rollout" / case / f"{who.replace('/', '-')}.h5"


def rollout_failure(system: System, case: str, who: str) -> Path:
    """Where a rollout that failed leaves its reason, until it succeeds."""
    return system.folder / "log" / f"rollout-{case}-{who.replace('/', '-')}.failed"
