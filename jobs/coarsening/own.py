"""A network's rollout from fields of a user's own, on the network's grid."""

from pathlib import Path

import h5py
import numpy as np

from jobs import UserError, own_input, provenance, shards
from jobs.coarsening import trained
from jobs.coarsening.cases import weights
from jobs.coarsening.frames import EVERY, fingerprint, kept_frames, looked_at_by_network
from jobs.coarsening.parts import Plan
from jobs.coarsening.recording import record
from jobs.coarsening.sources import Network
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.squares import answer_path
from kernels.arguments import real, shown
from kernels.conv_gru import SMALLEST_SIDE

CASE = "input"
FARTHEST = 0.5  # that phi may lie outside of [0, 1]
KEPT = 1000  # frames on disk at most


def read_start(path: Path, config, say) -> np.ndarray:
    """phi float32 (n, x, y, z) of a .npy file or of `phi` in an HDF5 file; one field counts as n =
    1.  UserError for anything else.
    """
    found, attributes = own_input.read(path, "phi")
    expected, spacing = config.system.network_spacing, attributes.get("spacing")
    if spacing is not None:
        given, spacing = spacing, real(np.squeeze(spacing)[()] if np.size(spacing) == 1 else None)
        if spacing is None:
            raise UserError(
                f"--input {path}: spacing is {shown(given)}; expected one number, {expected:g} [length]"
            )
    if spacing is not None and not np.isclose(spacing, expected, rtol=1e-6):
        raise UserError(
            f"--input {path}: its spacing is {spacing:g}; these networks were trained with {expected:g} "
            f"(system.spacing x system.downscale) and know no other [length]"
        )
    if spacing is None:
        say(f"{path}: says no spacing; taken as the networks' {expected:g} [length]")
    shape, found = found.shape, found[None] if found.ndim == 3 else found
    if found.ndim != 4 or not len(found) or min(found.shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"--input {path}: phi of shape {shape}; expected (x, y, z) or (n, x, y, z) with sides of at least {SMALLEST_SIDE}: "
            f"the networks' kernels are 3^3 [cells]"
        )
    if not np.isfinite(found).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0][-len(shape) :])
        raise UserError(
            f"--input {path}: phi is not finite at {where}; expected numbers from 0 to 1"
        )
    low, high = float(found.min()), float(found.max())
    if not (-FARTHEST <= low and high <= 1 + FARTHEST):
        raise UserError(
            f"--input {path}: phi from {low:g} to {high:g}; expected 0 to 1, where the two phases are"
        )
    return found.astype(np.float32)


def answer(system: System, request, device, progress: Progress) -> None:
    """Write what a network makes of the fields in request.input, frame by frame, to request.output
    (default: NAME-rollout.h5).
    """
    config, frames = system.config, request.frames
    frames = config.generate.frames if frames is None else frames
    if frames < 2:
        raise UserError(f"--frames {frames}: expected at least 2, the start among them")
    there = trained.names(system, progress.say)
    if not there:
        raise UserError(f"{system.folder}: no network is trained: run train first")
    model = request.model or there[0]
    if model not in there:
        raise UserError(
            f"--model {model}: not trained in {system.folder}; there are {', '.join(there)}"
        )
    start = read_start(request.input, config, progress.say)
    output = answer_path(request, "rollout", is_rollout)
    kept = kept_frames(frames, min(frames, KEPT), "linear")
    looks = looked_at_by_network(frames, kept)
    plan = Plan(
        looks,
        kept,
        config.generate.interval,
        len(start),
        start.shape[1:],
        config.system.network_spacing,
        config.system.interface_width,
        config.system.downscale,
    )
    made_from = fingerprint(
        digest(config), weights(system, model), frames, EVERY, shards.content_digest({"phi": start})
    )
    try:
        shards.check_large(output, made_from=made_from)
        progress.say(f"{output}: made by the same network before, kept")
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "coarsening",
        "case": CASE,
        "model": model,
        "input": request.input.name,
    }
    source = Network(
        lambda count: trained.stepper(system, model, plan.shape, count, device), plan, lambda: start
    )
    progress.begin(len(start) * len(looks), "frames looked at")
    try:
        stopped = record(
            output, plan, source, attributes, f"{request.input.name}, {model}", progress.reach
        )
    except OSError as error:
        raise UserError(
            f"--output {output}: cannot be written: {error.strerror or error}"
        ) from None
    progress.end()
    some = f", {len(kept)} of them kept" if len(kept) < frames else ""
    progress.say(
        f"{output}: {attributes['frames_done']} frames by {model}{some}"
        + (f"; {stopped}" if stopped else "")
    )


def is_rollout(path: Path) -> bool:
    """Whether a file was written by `answer`: only such a one is overwritten."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file.attrs.get("study") == "coarsening" and file.attrs.get("case") == CASE
    except OSError:
        return False
