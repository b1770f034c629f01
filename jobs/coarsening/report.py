"""What `status` says of rollouts and of a large box."""

from jobs import notes
from jobs.coarsening import paths
from jobs.rundir import System
from jobs.status import complete


def lines(system: System) -> list[str]:
    """How many rollouts are whole, and how far the large box is, where they have begun."""
    return rollouts(system) + large(system)


def rollouts(system: System) -> list[str]:
    top = system.folder / "rollout"
    failures = sorted((system.folder / "log").glob("rollout-*.failed"))
    if not top.exists() and not failures:
        return []
    whole = [path for path in sorted(top.glob("*/[!.]*.h5")) if complete(path)]
    begun = [path for path in sorted(top.glob("*/.*.parts/state.h5")) if complete(path)]
    truths = sum(path.stem in paths.SOLVERS for path in whole)
    found = [f"    rollouts: {len(whole) - truths} by networks and {truths} by the solver done"]
    found[0] += ", with costs.h5" if complete(top / "costs.h5") else ""
    for path in begun:
        found.append(
            f"    begun: rollout {path.parent.parent.name}, {path.parent.stem.lstrip('.')}"
        )
    return found + [f"    failed: {path.stem}: {notes.text(path).strip()}" for path in failures]


def large(system: System) -> list[str]:
    box = paths.box(system)
    if not box.parent.exists():
        return []
    if complete(box):
        return [f"    large: {box} is there"]
    states = [path for path in sorted(box.parent.glob(".state/step-*/state.h5")) if complete(path)]
    frames = len(list(box.parent.glob("frames/frame-*")))
    return [
        f"    large: begun, {frames} frames; "
        + (f"a state to go on from, {states[-1].parent.name}" if states else "no state yet")
    ]
