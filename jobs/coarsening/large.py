"""The large stage: one large box from Perlin noise on, followed by all MPI ranks together where it
is too big for one device.

    python -m jobs coarsening large CONFIG.yaml --run RUN --set large.size=256
    mpiexec -n 4 python -m mpi4py -m jobs coarsening large CONFIG.yaml --run RUN --set
    large.size=512

Each rank holds a slab (jobs.slabs), makes the noise of its own planes, and writes its own part of
every file.  A killed run goes on from its last state with the same command, to the same bytes on as
many ranks, to round-off on others.
"""

import time
from typing import Any

import numpy as np

from jobs import UserError, provenance, signals
from jobs.coarsening import paths
from jobs.coarsening.config import Coarsening
from jobs.coarsening.frames import fingerprint, kept_frames, looked_at
from jobs.coarsening.generate import solver, warn
from jobs.coarsening.large_files import Files
from jobs.coarsening.large_start import announce, cut, fits, start
from jobs.config import digest
from jobs.large_box import LargeBox
from jobs.progress import Progress
from jobs.rundir import System
from jobs.units import Rank
from kernels.cahn_hilliard import BlownUpError

SERIES = {
    "time": ("time", "of all frames whose numbers are here"),
    "chemical_energy": ("energy", "total, on the box's own grid"),
    "surface_energy": ("energy", "total, gradients between neighbouring cells"),
    "mean": ("", "mean of phi"),
    "minimum": ("", "least phi"),
    "maximum": ("", "largest phi"),
    "volume": ("length^3", "where phi is above 1/2"),
    "area": ("length^2", "of the surface phi = 1/2, of the kept frames alone; nan in between"),
    "steps": ("steps", "of the solver since the start"),
    "step": ("time", "length of the solver's next one"),
}


def run(systems: list[System], rank: Rank, request, device, progress: Progress) -> int:
    """Follow the large box of every system in turn; how many failed (none: they raise).  UserError,
    on all ranks, for what cannot be.
    """
    if rank.tasks > 1:
        raise UserError(
            "large: one box is shared by MPI ranks, not by an array's tasks: start it without an array, or --task"
        )
    if rank.together:
        raise UserError(
            "large: its ranks are MPI's, not torchrun's: mpiexec -n 4 python -m mpi4py -m jobs coarsening large ..."
        )
    for system in systems:
        follow(system, rank, device, progress)
    return 0


def follow(system: System, rank: Rank, device, progress: Progress) -> None:
    """Bring the box of one system to its last frame, or to rest."""
    config, asked = system.config, system.config.large
    say = progress.say if rank.index == 0 else lambda text: None
    slabs = cut(config, rank, device)
    files = Files(
        paths.box(system),
        fingerprint(digest(config), asked.model_dump(exclude={"checkpoint"})),
        slabs,
        say,
    )
    if files.finished():
        say(f"{paths.box(system)}: finished before")
        return
    model = solver(config, asked.size, device, asked.precision)
    for line in warn(model, config):
        if line.startswith("system.interface_width"):  # the others are about the networks' grid
            say(f"warning: {line}")
    say(announce(config, slabs))
    files.together(lambda: fits(config, slabs))
    tolerance = asked.tolerance or config.generate.tolerance
    box = files.together(
        lambda: LargeBox(model, slabs, asked.scheme, asked.step, tolerance, asked.steady_state)
    )
    kept = kept_frames(asked.frames, asked.kept, asked.spacing)
    frames = {int(number): bool(number in kept) for number in looked_at(asked.frames, kept)}
    found = files.read_state(box)
    if found is None:
        position: dict[str, Any] = {"look": 0, "kept": {}, "seconds": 0.0}
        series: dict[str, list] = {name: [] for name in SERIES}
        start(box, config, files)
    else:
        position, series = found
        say(f"going on at t = {box.time / model.rate:.6g}, step {box.steps}")
    if rank.index == 0:
        progress.begin(len(frames) - position["look"], "frames")
    try:
        _follow(box, config, frames, files, position, series, progress if rank.index == 0 else None)
    except BlownUpError as error:
        cure = f"large.step = {asked.step:g}" if asked.step else f"large.tolerance = {tolerance:g}"
        raise UserError(f"large: {error}; lower {cure}") from None
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "study": "coarsening",
        "ranks": slabs.ranks,
        "seconds": position["seconds"],
        "steps": box.steps,
        "steady_time": box.time / model.rate if box.steady else np.nan,
        "spacing": config.system.spacing,
    }
    written = {int(number): ranks for number, ranks in position["kept"].items()}
    files.write_box(config.generate.interval, written, series, SERIES, attributes)
    if rank.index == 0:
        progress.end()
    rest = f", at rest since t = {attributes['steady_time']:.6g}" if box.steady else ""
    say(
        f"{paths.box(system)}: {len(written)} frames, {box.steps} steps, {position['seconds']:.3g} s{rest}"
    )


def _follow(
    box: LargeBox,
    config: Coarsening,
    frames: dict[int, bool],
    files: Files,
    position: dict,
    series: dict,
    progress: Progress | None,
) -> None:
    """The frames from position["look"] on; `position` and `series` are brought up to date.
    frames: {number: whether it is kept}; progress: the first rank's.
    """
    asked, rate, numbers = config.large, box.model.rate, list(frames)
    now, first, came = time.monotonic(), position["look"], box.time
    saved = now
    while position["look"] < len(numbers):
        number = numbers[position["look"]]
        until = number * config.generate.interval * rate
        if box.time >= until or box.steady:
            _look(box, number, frames[number] or box.steady, files, position, series)
            came = box.time
            if box.steady:
                return
        else:
            box.advance(until)
            if progress is not None:
                share = min((box.time - came) / (until - came), 0.99)
                progress.reach(
                    position["look"] - first + share,
                    f"t = {box.time / rate:.6g}, step {box.next_step / rate:.3g}",
                )
        before, now = now, time.monotonic()
        position["seconds"] += now - before
        wishes = files.slabs.gathered(
            [signals.asked(), now - saved >= asked.checkpoint]
        )  # of all ranks, by one message a step
        stopping = wishes[:, 0].any()
        if stopping or wishes[0, 1]:
            files.write_state(box, position, series)
            saved = time.monotonic()
        if stopping and position["look"] < len(numbers):
            raise signals.Stopped(f"the large box at t = {box.time / rate:.6g}")


def _look(
    box: LargeBox, number: int, keeps: bool, files: Files, position: dict, series: dict
) -> None:
    """The numbers of a frame, and the frame itself if it is kept."""
    rate = box.model.rate
    found = box.numbers(area=keeps) | {
        "time": box.time / rate,
        "steps": box.steps,
        "step": box.next_step / rate,
    }
    for name, values in series.items():
        values.append(float(found[name]))
    if keeps:
        files.write_frame(number, box)
        position["kept"][str(number)] = files.slabs.ranks
    position["look"] += 1
