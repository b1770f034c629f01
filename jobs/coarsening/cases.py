"""What there is to roll out: every case by the truth and by each trained network, which frames,
from what.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs import UserError, shards
from jobs.coarsening import fields, paths, starts, trained
from jobs.coarsening.config_rollout import BULK, Case
from jobs.coarsening.frames import (
    EVERY,
    fingerprint,
    kept_frames,
    looked_at,
    looked_at_by_network,
    remembered,
)
from jobs.coarsening.parts import SERIES_REVISION, Plan
from jobs.coarsening.paths import SOLVERS, TRUTH
from jobs.config import digest
from jobs.rundir import System
from kernels.conv_gru import SMALLEST_SIDE


@dataclass(frozen=True, eq=False)
class Unit:
    """One case by the truth, by the solver from what networks are given, or by one network."""

    system: System
    case: str
    who: str

    @property
    def asked(self) -> Case:
        return self.system.config.rollout.cases[self.case]

    @property
    def target(self) -> Path:
        return paths.rollout(self.system, self.case, self.who)

    @property
    def title(self) -> str:
        return f"{self.system.name + ': ' if self.system.name else ''}case {self.case}, {self.who}"


def chosen(system: System, say: Callable[[str], None]) -> list[str]:
    """The networks that are asked for and trained.  UserError if there are none."""
    asked = system.config.rollout.models
    found = [
        name for name in trained.names(system, say) if asked is None or name.split("/")[0] in asked
    ]
    if not found:
        raise UserError(
            f"{system.folder}: none of the networks asked for is trained: run train first"
        )
    return found


def plan(unit: Unit) -> Plan:
    """Which frames of a case are looked at and kept.  UserError where its box cannot be
    followed.
    """
    config, case, who = unit.system.config, unit.asked, unit.who
    s, side, key = (
        config.system,
        unit.asked.size or config.system.size,
        f"rollout.cases.{unit.case}",
    )
    small = side // s.downscale
    if side % s.downscale:
        raise UserError(
            f"{key}.size = {side}: expected a multiple of system.downscale = {s.downscale} [cells]"
        )
    if small < SMALLEST_SIDE:
        raise UserError(
            f"{key}.size = {side}: {small} cells a side of the network's grid; expected at least {SMALLEST_SIDE}: its kernels "
            f"are 3^3 [cells]"
        )
    frames = case.frames or config.generate.frames
    count = case.count or {"test": config.generate.test, "bulk": len(BULK)}.get(case.start, 1)
    kept = kept_frames(frames, case.kept, case.spacing)
    solved = who in SOLVERS and case.start != "test"
    looks = (
        looked_at(frames, kept)
        if solved
        else np.arange(frames)
        if who == TRUTH
        else looked_at_by_network(frames, kept)
    )
    return Plan(
        looks,
        kept,
        config.generate.interval,
        count,
        (small,) * 3,
        s.network_spacing,
        s.interface_width,
        s.downscale,
        (side,) * 3 if who == TRUTH and solved else None,
    )


def size(plan: Plan) -> int:
    """Bytes of the frames on disk."""
    return (
        4
        * plan.count
        * len(plan.kept)
        * (int(np.prod(plan.shape)) + (int(np.prod(plan.full)) if plan.full else 0))
    )


def made_from(unit: Unit) -> str:
    """What a rollout depends on: the data's config, its case, the network's weights."""
    case = unit.asked.model_dump()
    if unit.asked.mesh is not None and Path(unit.asked.mesh).is_file():
        case["mesh"] = shards.content_digest(
            {"mesh": np.frombuffer(Path(unit.asked.mesh).read_bytes(), np.uint8)}
        )
    looks = [] if unit.who in SOLVERS else [EVERY, *remembered(unit.system.config.memory)]
    return fingerprint(
        digest(unit.system.config),
        unit.system.config.generate.model_dump(),
        case,
        weights(unit.system, unit.who),
        *looks,
        SERIES_REVISION,
    )


def weights(system: System, who: str) -> str:
    """A digest of a network's training, of the solver where it starts from, "" from the start
    itself.  UserError if what the training left cannot be used.
    """
    if who in SOLVERS:
        return "" if who == TRUTH else who
    path = system.training(who) / "test.h5"
    try:
        return shards.check(path)
    except (FileNotFoundError, shards.BadFileError) as error:
        raise UserError(
            f"{path}: {error if isinstance(error, shards.BadFileError) else 'is not there'}; run train again"
        ) from None


def small(system: System, name: str, device) -> np.ndarray:
    """What a network starts from in a case, phi (n, x, y, z) on its grid."""
    case = system.config.rollout.cases[name]
    if case.start == "test":
        return fields.read(system.folder, "test").all[: case.count, 0]
    return on_network_grid(system, starts.of_case(system.config, name, device)[0])


def solved(unit: Unit, device) -> np.ndarray:
    """What the solver starts from, phi (n, X, Y, Z) on its own grid."""
    system, start = unit.system, starts.of_case(unit.system.config, unit.case, device)[0]
    if unit.who == TRUTH:
        return start
    s = system.config.system
    return fields.upsample(on_network_grid(system, start), s.downscale, s.downscaling)


def on_network_grid(system: System, phi: np.ndarray) -> np.ndarray:
    """phi (..., X, Y, Z) on the truth's grid as the networks see it."""
    return fields.downscale(phi, system.config.system.downscale, system.config.system.downscaling)
