"""The rollout stage: networks and solver go on alone from every case's starts, or with --input a network from a user's own."""

import functools
import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs import UserError, provenance, shards
from jobs.coarsening import costs, fields, generate, rollout_own, starts, trained
from jobs.coarsening.config_rollout import Case
from jobs.coarsening.recording import Plan, fingerprint, kept_frames, record
from jobs.coarsening.truth import Recorded, Truth, looked_at
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.units import Place
from kernels.conv_gru import SMALLEST_SIDE

TRUTH = "truth"
NETWORK_CELLS = 1 << 22  # a network goes on from so many starts at once as fit in


@dataclass(frozen=True, eq=False)
class Unit:
    """One case by the truth or by one network."""

    system: System
    case: str
    who: str

    @property
    def asked(self) -> Case:
        return self.system.config.rollout.cases[self.case]

    @property
    def target(self) -> Path:
        return self.system.rollout(self.case, self.who)

    @property
    def title(self) -> str:
        return f"{self.system.name + ': ' if self.system.name else ''}case {self.case}, {self.who}"


def run(systems: list[System], place: Place, request, device, progress: Progress) -> int:
    """This process's share of the rollouts of all systems, or that of --input; how many failed."""
    if request.input is not None and len(systems) > 1:
        raise UserError(f"--input: {request.run} holds {len(systems)} systems; give one of them as --run")
    if request.input is not None:
        if place.rank == place.task == 0:
            rollout_own.answer(systems[0], request, device, progress)
        return 0
    networks = {system.name: chosen(system) for system in systems}
    everything = [
        Unit(system, case, who)
        for kind in (False, True)  # truths are dealt among the ranks first, then networks
        for system in systems
        for case, asked in system.config.rollout.cases.items()
        for who in (networks[system.name] if kind else [TRUTH] * asked.truth)
    ]
    plans = {unit: plan(unit) for unit in everything}  # what cannot be followed is said before hours are spent
    mine = place.share(everything)
    missing = [unit for unit in mine if not finished(unit, progress)]
    progress.say(f"{len(mine)} of {len(everything)} rollouts are mine, {len(mine) - len(missing)} of them finished before")
    if missing:
        progress.say(f"they take {generate.size(sum(size(plans[unit]) for unit in missing))} of disk")
    progress.begin(sum(plans[unit].count * len(plans[unit].frames) for unit in missing), "frames")
    done = failed = 0
    for unit in missing:
        failed += not follow(unit, plans[unit], device, progress, done)
        done += plans[unit].count * len(plans[unit].frames)
        progress.reach(done)
    progress.end()
    place.gather(None)  # times are taken when no other rank is at work
    if place.rank == place.task == 0:
        failed += sum(not costs.write(system, networks[system.name], device, progress) for system in systems)
    return failed


def chosen(system: System) -> list[str]:
    """The networks that are asked for and trained.  UserError if there are none."""
    asked = system.config.rollout.models
    found = [name for name in trained.names(system) if asked is None or name.split("/")[0] in asked]
    if not found:
        raise UserError(f"{system.folder}: none of the networks asked for is trained: run train first")
    return found


def plan(unit: Unit) -> Plan:
    """Which frames of a case are looked at and kept.  UserError where its box cannot be followed."""
    config, case, who = unit.system.config, unit.asked, unit.who
    s, side, key = config.system, unit.asked.size or config.system.size, f"rollout.cases.{unit.case}"
    small = side // s.downscale
    if side % s.downscale:
        raise UserError(f"{key}.size = {side}: expected a multiple of system.downscale = {s.downscale} [cells]")
    if small < SMALLEST_SIDE:
        raise UserError(f"{key}.size = {side}: {small} cells a side of the network's grid; expected at least {SMALLEST_SIDE}: its kernels "
                        f"are 3^3 [cells]")  # fmt: skip
    frames = case.frames or config.generate.frames
    count = case.count or (config.generate.test if case.start == "test" else 1)
    kept = kept_frames(frames, case.kept, case.spacing)
    solved = who == TRUTH and case.start != "test"
    looks = looked_at(frames, kept) if solved else np.arange(frames)
    return Plan(looks, kept, config.generate.interval, count, (small,) * 3, s.network_spacing, s.interface_width,
                (side,) * 3 if solved else None)  # fmt: skip


def size(plan: Plan) -> int:
    """Bytes of the frames on disk."""
    return 4 * plan.count * len(plan.kept) * (int(np.prod(plan.shape)) + (int(np.prod(plan.full)) if plan.full else 0))


def made_from(unit: Unit) -> str:
    """What a rollout depends on: the data's config, its case, the network's weights."""
    case = unit.asked.model_dump()
    if unit.asked.mesh is not None and Path(unit.asked.mesh).is_file():
        case["mesh"] = shards.content_digest({"mesh": np.frombuffer(Path(unit.asked.mesh).read_bytes(), np.uint8)})
    return fingerprint(digest(unit.system.config), unit.system.config.generate.model_dump(), case, weights(unit.system, unit.who))


def weights(system: System, who: str) -> str:
    """A digest of a network's training, "" of the truth."""
    return "" if who == TRUTH else shards.check(system.training(who) / "test.h5")


def finished(unit: Unit, progress: Progress) -> bool:
    """Whether a sound file of this very rollout is there.  A damaged one is moved aside, one of another config made again."""
    try:
        shards.check_large(unit.target, made_from=made_from(unit))
    except FileNotFoundError:
        return False
    except shards.BadFileError as error:
        if "made from" not in str(error):
            progress.say(f"{unit.target}: {error}; moved aside to {shards.set_aside(unit.target).name}")
        return False
    shutil.rmtree(unit.target.with_name(f".{unit.target.stem}.parts"), ignore_errors=True)  # a kill between naming and tidying up
    note(unit, None)
    return True


def follow(unit: Unit, plan: Plan, device, progress: Progress, before: int) -> bool:
    """Write one rollout; whether that went well.  What goes wrong with it does not stop the others."""
    system, case = unit.system, unit.asked
    attributes = {
        **provenance.block(system.config, device.name), "config_digest": digest(system.config), "made_from": made_from(unit),
        "study": "coarsening", "case": unit.case, "model": unit.who,
    }  # fmt: skip
    try:
        if unit.who != TRUTH:
            make = functools.partial(trained.stepper, system, unit.who, plan.shape, device=device)
            source = Network(make, plan, functools.partial(small, system, unit.case, device))
        elif case.start == "test":
            source = Recorded(fields.read(system.folder, "test").all, plan)
        else:
            begin = starts.of_case(system.config, unit.case, device)[0]
            model = generate.solver(system.config, plan.full[0], device)
            source = Truth(model, plan, system.config.generate.tolerance, begin, functools.partial(on_network_grid, system))
        stopped = record(unit.target, plan, source, attributes, unit.title, lambda done: progress.reach(before + done, unit.title))
    except Exception as error:
        text = str(error).splitlines()
        reason = f"{type(error).__name__ + ': ' if not isinstance(error, UserError) else ''}{text[0] if text else 'no message'}"
        progress.write(traceback.format_exc())
        progress.say(f"{unit.title}: failed: {reason}; see {progress.path}")
        note(unit, f"{reason}; see {progress.path}\n")
        return False
    note(unit, None)
    progress.say(f"{unit.target}: {attributes['frames_done']} frames in {attributes['seconds']:.3g} s{'; ' * bool(stopped)}{stopped}")
    return True


def note(unit: Unit, text: str | None) -> None:
    """Leave, or remove, the note of a failure that `status` shows; a full disk must not cost results."""
    path = unit.system.rollout_failure(unit.case, unit.who)
    try:
        path.unlink(missing_ok=True) if text is None else path.write_text(text)
    except OSError:
        return


def small(system: System, name: str, device) -> np.ndarray:
    """What a network starts from in a case, phi (n, x, y, z) on its grid."""
    case = system.config.rollout.cases[name]
    if case.start == "test":
        return fields.read(system.folder, "test").all[: case.count, 0]
    return on_network_grid(system, starts.of_case(system.config, name, device)[0])


def on_network_grid(system: System, phi: np.ndarray) -> np.ndarray:
    """phi (..., X, Y, Z) on the truth's grid as the networks see it."""
    return fields.downscale(phi, system.config.system.downscale, system.config.system.downscaling)


class Network:
    """A recording.Source: `make(count=)` -> kernels.conv_gru.ConvGRU, `starts()` -> phi (count, x, y, z)."""

    def __init__(self, make: Callable, plan: Plan, starts: Callable[[], np.ndarray]):
        self.make, self.plan, self.starts, self.network = make, plan, starts(), None
        self.batch = max(1, NETWORK_CELLS // int(np.prod(plan.shape)))

    def begin(self, rows: range, state: dict[str, np.ndarray] | None) -> None:
        if self.network is None or self.network.count != len(rows):
            self.network = self.make(count=len(rows))
        if state is None:
            self.network.start(self.starts[rows.start : rows.stop])
        else:
            self.network.start(state["phi"], state["hidden"])

    def frame(self, look: int, report) -> tuple[np.ndarray, None]:
        if look:
            self.network.advance(int(self.plan.frames[look] - self.plan.frames[look - 1]))
        return self.network.fields(), None

    def pauses(self, look: int) -> bool:
        return True

    def state(self) -> dict[str, np.ndarray]:
        return {"phi": self.network.fields(), "hidden": self.network.hidden_states()}
