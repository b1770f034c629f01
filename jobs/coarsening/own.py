"""What a network makes of fields of a user's own, on the network's grid, with the solver beside it:
by a network of a run, or, without one, by one that comes with Quench.
"""

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from scipy.ndimage import gaussian_filter

from jobs import UserError, own_input, provenance, shards
from jobs.coarsening import fields, generate
from jobs.coarsening.config import Coarsening
from jobs.coarsening.frames import EVERY, fingerprint, kept_frames, looked_at_by_network, remembered
from jobs.coarsening.parts import SERIES_REVISION, Plan
from jobs.coarsening.recording import record
from jobs.coarsening.sources import Network, Truth
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.squares import answer_path
from kernels import conv_gru_file
from kernels.arguments import real, shown
from kernels.cahn_hilliard import REVISION, CahnHilliard
from kernels.conv_gru import SMALLEST_SIDE, ConvGRU
from kernels.conv_gru_file import About

CASE = "input"
FARTHEST = 0.5  # that phi may lie outside of [0, 1]
KEPT = 1000  # frames on disk at most
STEPS = 100  # of a network that comes with Quench, if nobody says how many
WIDEST = 100  # cells
DATASET = "phi"
SOLVER = "solver"  # the group of its frames and numbers


@dataclass(frozen=True)
class Follower:
    """Who follows the fields. name: MODEL/seed-S of a run, or of a network that comes with Quench.
    weights: a digest of its parameters. make(shape, count): the network, ready to start.
    memory: steps after which its hidden states begin anew; 0: never.
    about: what it was trained on, None of a run's, whose config says it.
    """

    name: str
    config: Coarsening
    weights: str
    make: Callable[[tuple[int, int, int], int], ConvGRU]
    memory: int
    about: About | None = None


def of_run(system: System, request, device, progress: Progress) -> Follower:
    """A trained network of a run: request.model, or the first.  UserError where there is none."""
    from jobs.coarsening import cases, trained  # torch takes seconds to import

    if request.network is not None:
        raise UserError("--network: only without --run; of a run's networks --model names one")
    there = trained.names(system, progress.say)
    if not there:
        raise UserError(f"{system.folder}: no network is trained: run train first")
    model = request.model or there[0]
    if model not in there:
        raise UserError(
            f"--model {model}: not trained in {system.folder}; there are {', '.join(there)}"
        )
    memory = memory_of(request, system.config.memory)

    def make(shape: tuple[int, int, int], count: int) -> ConvGRU:
        network = trained.stepper(system, model, shape, count, device)
        network.memory = memory
        return network

    return Follower(model, system.config, cases.weights(system, model), make, memory)


def of_file(request, device) -> Follower:
    """A network of a parameter file: one that comes with Quench, by name (staggered), or a file of
    the user's own.  UserError where it is none.
    """
    name = request.network or "staggered"
    if request.model is not None:
        raise UserError("--model: only with --run; --network names one that comes with Quench")
    own = name.endswith(".npz")
    try:
        parameters, about = conv_gru_file.read(name if own else conv_gru_file.committed(name))
        parameters.pop(conv_gru_file.ABOUT)  # what it says of fields is said here
        ConvGRU(parameters, (SMALLEST_SIDE,) * 3, 1, about.output, device)
    except (ValueError, OSError) as error:
        raise UserError(f"--network {name}: {error}" + ("" if own else ", or FILE.npz")) from None
    factor = round(about.spacing)  # cells of the truth to one of its own
    if about.spacing != factor or factor not in (1, 2, 4):
        raise UserError(f"--network {name}: its spacing is {about.spacing:g}; expected 1, 2 or 4")
    system = {"interface_width": about.interface_width, "downscale": factor}
    config = Coarsening.model_validate(
        {"system": system, "generate": {"interval": about.interval, "frames": STEPS + 1}}
    )
    memory = memory_of(request, about.memory or 0)
    return Follower(
        name if not own else Path(name).stem,
        config,
        shards.content_digest(parameters),
        lambda shape, count: ConvGRU(parameters, shape, count, about.output, device, memory),
        memory,
        about,
    )


def memory_of(request, otherwise: int) -> int:
    """request.memory, where it is given.  UserError where it is none."""
    if request.memory is None:
        return otherwise
    if request.memory < 0:
        raise UserError(f"--memory {request.memory}: expected at least 0 (never anew) [steps]")
    return request.memory


def read_start(path: Path, dataset: str, spacing_of_network: float, say) -> np.ndarray:
    """phi float32 (n, x, y, z) of a .npy file or of `dataset` in an HDF5 file; one field counts as
    n = 1.  UserError for anything else.
    """
    found, attributes = own_input.read(path, dataset, "--dataset NAME takes another")
    expected, spacing = spacing_of_network, attributes.get("spacing")
    if spacing is not None:
        given, spacing = spacing, real(np.squeeze(spacing)[()] if np.size(spacing) == 1 else None)
        if spacing is None:
            raise UserError(
                f"--input {path}: spacing is {shown(given)}; expected one number, {expected:g} [length]"
            )
    if spacing is not None and not np.isclose(spacing, expected, rtol=1e-6):
        raise UserError(
            f"--input {path}: its spacing is {spacing:g}; these networks were trained with {expected:g} "
            f"and know no other: resample the field [length]"
        )
    if spacing is None:
        say(f"{path}: says no spacing; taken as the networks' {expected:g} [length]")
    shape, found = found.shape, found[None] if found.ndim == 3 else found
    if found.ndim != 4 or not len(found) or min(found.shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"--input {path}: {dataset} of shape {shape}; expected (x, y, z) or (n, x, y, z) with sides of at least {SMALLEST_SIDE}: "
            f"the networks' kernels are 3^3 [cells]"
        )
    if not np.isfinite(found).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0][-len(shape) :])
        raise UserError(
            f"--input {path}: {dataset} is not finite at {where}; expected numbers from 0 to 1"
        )
    low, high = float(found.min()), float(found.max())
    if not (-FARTHEST <= low and high <= 1 + FARTHEST):
        raise UserError(
            f"--input {path}: {dataset} from {low:g} to {high:g}; expected 0 to 1, where the two phases are"
        )
    return found.astype(np.float32)


def smoothed(start: np.ndarray, request, say) -> tuple[np.ndarray, float]:
    """The fields (n, x, y, z) that are followed, and by how many cells they were smoothed:
    request.smooth, or, where nobody says, as many as give black and white fields interfaces of
    about the networks' width. Their means stay. UserError on a width that is none.
    """
    cells = request.smooth
    if cells is not None and not 0 <= cells <= WIDEST:  # nan too
        raise UserError(f"--smooth {cells:g}: expected from 0 (as it is) to {WIDEST} [cells]")
    if cells is None:
        cells = conv_gru_file.SMOOTHING if all(len(np.unique(each)) == 2 for each in start) else 0.0
        if cells:
            say(
                f"{request.input}: is black and white, which no mixture is: smoothed by a Gaussian of {cells:g} "
                "[cells] first, its mean kept; --smooth 0 takes it as it is"
            )
    if not cells:
        return start, 0.0
    return gaussian_filter(start, (0, *[cells] * 3), mode="wrap"), cells


def frames_of(request, config: Coarsening) -> int:
    """So many are asked for.  UserError for none."""
    if request.steps is not None and request.frames is not None:
        raise UserError("--steps, --frames: one of them; frames are steps and the start")
    if request.steps is not None and request.steps < 1:
        raise UserError(f"--steps {request.steps}: expected at least 1")
    frames = config.generate.frames if request.frames is None else request.frames
    frames = frames if request.steps is None else request.steps + 1
    if frames < 2:
        raise UserError(f"--frames {frames}: expected at least 2, the start among them")
    return frames


def answer(system: System, request, device, progress: Progress) -> None:
    """--input with a run: by a network of it."""
    frames_of(request, system.config)
    follow(of_run(system, request, device, progress), request, device, progress)


def alone(request, device, progress: Progress) -> None:
    """--input without a run: by a network that comes with Quench."""
    follow(of_file(request, device), request, device, progress)


def follow(by: Follower, request, device, progress: Progress) -> None:
    """Write what the network makes of the fields in request.input, and the solver of the same,
    frame by frame, to request.output (default: NAME-rollout.h5).
    """
    config, frames, say = by.config, frames_of(request, by.config), progress.say
    s, dataset = config.system, request.dataset or DATASET
    start = read_start(request.input, dataset, s.network_spacing, say)
    start, smoothing = smoothed(start, request, say)
    output = answer_path(request, "rollout", is_rollout)
    for line in by.about.outside(start) if by.about else ():
        say(f"warning: {request.input}: {line}")
    if by.about and by.about.fails:
        say(f"{by.name}: known to fail: {by.about.fails}")
    kept = kept_frames(frames, min(frames, KEPT), "linear")
    looks = looked_at_by_network(frames, kept)
    plan = Plan(
        looks,
        kept,
        config.generate.interval,
        len(start),
        start.shape[1:],
        s.network_spacing,
        s.interface_width,
        s.downscale,
    )
    made_from = fingerprint(
        *(digest(config), by.weights, frames, EVERY, *remembered(by.memory)),
        *(SERIES_REVISION, REVISION),
        shards.content_digest({"phi": start}),
    )
    try:
        shards.check_large(output, made_from=made_from)
        say(f"{output}: made by the same network before, kept")
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "coarsening",
        "case": CASE,
        "model": by.name,
        "input": request.input.name,
        "dataset": dataset,
        "spacing": s.network_spacing,
        "interface_width": s.interface_width,
        "smoothed": smoothing,  # cells, standard deviation
        "memory": by.memory,
    }
    if by.about:
        attributes["config"] = yaml.safe_dump({"network": by.name, **known(by.about)})
    sources: dict[str, Any] = {
        by.name: Network(lambda count: by.make(plan.shape, count), plan, lambda: start)
    }
    try:
        sources[SOLVER] = solver(config, plan, start, device)
    except ValueError as error:
        say(f"no solver beside it, in a box that it does not take: {error}")
    one = len(start) * len(looks)
    progress.begin(len(sources) * one, "frames looked at")
    parts = []
    try:
        for number, (who, source) in enumerate(sources.items()):
            part = output.with_name(f".{output.stem}-{'solver' if number else 'network'}.h5")
            parts.append(
                (part, followed(part, plan, source, attributes, who, progress, number * one))
            )
        together(output, parts, attributes)
    except OSError as error:
        raise UserError(
            f"--output {output}: cannot be written: {error.strerror or error}"
        ) from None
    progress.end()
    told(output, by, parts, kept, frames, say)


def known(about: About) -> dict:
    """For YAML."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(about).items()}


def solver(config: Coarsening, plan: Plan, start: np.ndarray, device) -> Truth:
    """The solver on the grid that networks learn from, from what the network's grid holds of the
    start: on the network's own grid it would be pinned.  ValueError in a box that it does not take.
    """
    s = config.system
    model: CahnHilliard = generate.solver(
        config, tuple(s.downscale * side for side in plan.shape), device
    )
    return Truth(
        model,
        plan,
        config.generate.tolerance,
        fields.upsample(start, s.downscale, s.downscaling),
        lambda phi: fields.downscale(phi, s.downscale, s.downscaling),
    )


def followed(
    part: Path, plan: Plan, source, attributes: dict, who: str, progress: Progress, before: int
) -> dict:
    """Write a part of the answer, unless it is there: its attributes."""
    mine = dict(attributes)
    try:
        shards.check_large(part, made_from=mine["made_from"])
    except (FileNotFoundError, shards.BadFileError):
        title = f"{mine['input']}, {who}"
        with warnings.catch_warnings(record=True) as heard:  # of the solver
            warnings.simplefilter("always")
            record(part, plan, source, mine, title, lambda done: progress.reach(before + done, who))
        for line in dict.fromkeys(str(each.message) for each in heard):
            progress.say(f"warning: {who}: {line}")
    with h5py.File(part, "r", locking=False) as file:
        return dict(file.attrs)


def together(output: Path, parts: list[tuple[Path, dict]], attributes: dict) -> None:
    """The answer: the network's part, and in the group `solver` the solver's."""
    own = ("seconds", "seconds_per_frame", "stopped", "frames_done")
    with shards.new(output, attributes | {key: parts[0][1][key] for key in own}) as file:
        for number, (part, found) in enumerate(parts):
            group = file.create_group(SOLVER) if number else file
            with h5py.File(part, "r", locking=False) as made:
                for name in made:
                    made.copy(name, group)
            if number:
                group.attrs.update({key: found[key] for key in own})
    for part, _ in parts:
        part.unlink(missing_ok=True)


def told(output: Path, by: Follower, parts: list, kept, frames: int, say) -> None:
    """What was written, how far network and solver are apart, and what draws it."""
    some = f", {len(kept)} of them kept" if len(kept) < frames else ""
    stops = "".join(f"; {found['stopped']}" for _, found in parts if found["stopped"])
    say(f"{output}: {parts[0][1]['frames_done']} frames by {by.name}{some}{stops}")
    if len(parts) > 1:
        with h5py.File(output, "r", locking=False) as file:
            many = min(len(file["time"]), len(file[f"{SOLVER}/time"]))
            time, last = file["time"][many - 1], file["phi"][:, many - 1]
            apart = np.sqrt(np.mean((last - file[f"{SOLVER}/phi"][:, many - 1]) ** 2))
            area, true = (file[f"{g}series/area"][...] for g in ("", f"{SOLVER}/"))
            at = np.searchsorted(file["series/time"][...], time)
            with np.errstate(divide="ignore", invalid="ignore"):
                off = 100 * np.mean(np.abs(area[:, at] / true[:, at] - 1))
        say(
            f"at t = {time:g} it is {apart:.2g} (rms of phi) from the solver"
            + (
                f", its interface area {off:.{0 if off >= 10 else 1}f}% off"
                if np.isfinite(off)
                else ""
            )
        )
    say(f"python -m analysis coarsening {output} draws both")


def is_rollout(path: Path) -> bool:
    """Whether a file was written by `answer`: only such a one is overwritten."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file.attrs.get("study") == "coarsening" and file.attrs.get("case") == CASE
    except OSError:
        return False
