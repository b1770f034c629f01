"""Sequences of a mixture that separates and coarsens, from Perlin noise on or from later, kept on
the network's grid.

Sequence s of a split has a mean, a feature size and noise that are functions of (seed, split, s)
alone.  A unit is a block of sequences of one split; its start time is a function of (seed, config,
unit).
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jobs import UserError
from jobs.coarsening import starts
from jobs.coarsening.config import SPLITS, Coarsening
from jobs.coarsening.fields import downscale
from jobs.generating import UnitError
from jobs.progress import duration, in_bytes
from jobs.shards import Data
from jobs.slabs import available_memory
from kernels.cahn_hilliard import CahnHilliard, Trajectory, coarsening
from kernels.cahn_hilliard_plan import explicit_limit
from kernels.cahn_hilliard_system import COARSEST_INTERFACE
from kernels.device import DeviceError
from kernels.streams import STREAMS

CALL_BYTES = (
    1 << 31
)  # of frames on the truth's grid that come back from one call of the solver on a GPU
TRIAL_CELLS = 2e7  # times steps of the solver, run so as to say how long all will take
GROWTH = 0.48  # exponent of the adaptive scheme's steps in time
PROGRAM_BYTES = 150e6  # that a process takes without any field

# what is known of each sequence beside its frames: unit, axes, what it is
COLUMNS = {
    "mean_concentration": ("", "sequence", "of phi on the truth's grid, where it is conserved"),
    "feature_size": (
        "cells",
        "sequence",
        "between lattice points of the Perlin noise, on the truth's grid",
    ),
    "steps": ("steps", "sequence", "of the solver, from the noise to the last frame"),
    "split": ("", "sequence", "0 train, 1 valid, 2 test"),
    "sequence": ("", "sequence", "number in its split"),
}
START = ("time", "", "of the first frame, since the noise")

Report = Callable[[float], None]


def build(config: Coarsening, device) -> CahnHilliard:
    """The model of a config.  Raises UserError for what the kernels cannot do."""
    try:
        model = solver(config, config.system.size, device)
    except ValueError as error:
        raise UserError(f"system: {error}") from None
    except DeviceError as error:
        raise UserError(str(error)) from None
    limit, step = explicit_limit(model), config.generate.step
    if config.generate.scheme == "explicit" and step > limit:
        raise UserError(
            f"generate.step = {step:g}: expected at most {limit:.4g}, beyond which the explicit scheme is unstable [time]"
        )
    return model


def solver(
    config: Coarsening, size: int | tuple[int, ...], device, precision: str = "float32"
) -> CahnHilliard:
    """The truth in a cube of size^3 cells, or in a box of these sides.  Every scheme has the
    seven-point Laplacian, so that all solve the same equations.
    """
    s = config.system
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `warn` says it in the config's words
        return coarsening(
            (size,) * 3 if isinstance(size, int) else size,
            s.interface_width,
            s.mobility,
            spacing=s.spacing,
            laplacian="finite_difference",
            precision=precision,
            device=device,
        )


def warn(model: CahnHilliard, config: Coarsening) -> list[str]:
    """What is allowed but probably not meant."""
    lines, s = [], config.system
    if model.interface_cells < COARSEST_INTERFACE:
        lines.append(
            f"system.interface_width = {s.interface_width:g}: an interface is {model.interface_cells:.1f} cells wide (90% of the step), "
            f"fewer than {COARSEST_INTERFACE:g}: the grid pins it; raise system.interface_width, or lower system.spacing"
        )
    fastest = 2 * math.pi * s.interface_width / 3 / s.network_spacing
    if fastest < 3:
        lines.append(
            f"system.downscale = {s.downscale}: the waves that grow fastest are {fastest:.1f} cells of the network's grid long, fewer "
            "than 3; lower system.downscale"
        )
    unseen = [
        feature
        for feature in config.generate.feature_sizes
        if s.downscale % feature == 0 and s.downscaling == "nearest"
    ]
    if unseen:
        lines.append(
            f"generate.feature_sizes = {unseen[0]}: the network's grid, every {s.downscale} cells, meets this noise on its lattice points, "
            f"where it is 0: the first frame shows none of it; choose more than system.downscale = {s.downscale}"
        )
    return lines


def announce(model: CahnHilliard, config: Coarsening, units: Sequence[int]) -> list[str]:
    """What `units` will take, before it starts: disk, memory, time (from some steps made now).

    Raises UserError where there is not as much memory.
    """
    s, g = config.system, config.generate
    mine, everything = sum(g.blocks[unit][2] for unit in units), sum(g.sequences.values())
    small, large = 4 * s.network_size**3 * g.frames, 4 * s.size**3 * g.frames
    call = together(config, model.device)
    memory = PROGRAM_BYTES + 3 * call * large + 2 * g.sequences_per_unit * small
    there = available_memory()
    if memory > there and model.device.kind == "cpu":
        raise UserError(
            f"system.size = {s.size}: a sequence of {g.frames} frames takes about {in_bytes(memory)} of memory, and there are "
            f"{in_bytes(there)}; lower system.size or generate.frames, or use a larger machine"
        )
    steps = sum(work(model, config, unit) for unit in units)
    seconds = step_seconds(model, config, call) / call * steps
    return [
        f"{everything} sequences of {g.frames} frames of {s.size}^3 cells, kept on {s.network_size}^3: "
        f"{in_bytes(everything * small)} of disk, and as much again when they are collected",
        f"{mine} of them here: about {in_bytes(memory)} of memory, about {duration(seconds)}",
    ]


def step_seconds(model: CahnHilliard, config: Coarsening, count: int) -> float:
    """Time on the clock of a step of `count` fields at once, from two short runs of which the
    longer has so many steps more.
    """
    s, g = config.system, config.generate
    fields = starts.perlin(
        s.size,
        g.feature_sizes[:1] * count,
        [g.mean] * count,
        g.noise,
        config.seed,
        range(count),
        model.device,
    )
    more, seconds = int(np.clip(TRIAL_CELLS / fields.size, 4, 400)), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they do not reach their end
        for steps in (1, 4, 4 + more):  # the first compiles
            began = time.monotonic()
            run(model, config, fields, [1e6 * g.interval], max_steps=steps)
            seconds.append(time.monotonic() - began)
    return max((seconds[2] - seconds[1]) / more, 1e-9)


def expected_steps(model: CahnHilliard, config: Coarsening, span: float) -> float:
    """Solver steps in a time `span` from the noise on; of the adaptive scheme as measured: 5.3 (M a
    t)^GROWTH / tolerance^0.23.
    """
    g = config.generate
    if g.scheme == "explicit":
        return span / g.step
    return adaptive_steps(model, span, g.tolerance)


def adaptive_steps(model: CahnHilliard, span: float, tolerance: float) -> float:
    return 5.3 * (span * model.rate) ** GROWTH / tolerance**0.23


def work(model: CahnHilliard, config: Coarsening, unit: int) -> float:
    """Steps of the solver for a unit's sequences."""
    g = config.generate
    return g.blocks[unit][2] * expected_steps(model, config, start_time(config, unit) + g.times[-1])


def batch(config: Coarsening, device) -> int:
    """Units in one call of `simulate`."""
    return 1


def together(config: Coarsening, device) -> int:
    """Sequences in one call of the solver: on a CPU one, as plain FFTs may round otherwise in
    another batch.
    """
    g = config.generate
    return (
        1
        if device.kind == "cpu"
        else min(g.sequences_per_unit, max(1, CALL_BYTES // (4 * g.frames * config.system.size**3)))
    )


def start_time(config: Coarsening, unit: int) -> float:
    """Time of a unit's first frame: of each split's units a share generate.later starts later than
    the noise, whole intervals.
    """
    g = config.generate
    split = g.blocks[unit][0]
    mine = [i for i, block in enumerate(g.blocks) if block[0] == split]
    key, counter = (
        np.array([config.seed, STREAMS["coarsening"]], np.uint64),
        np.array([0, 0, 1, split], np.uint64),
    )
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    order = generator.permutation(len(mine))
    intervals = (
        generator.integers(1, int(g.latest_start / g.interval + 1e-9), len(mine), endpoint=True)
        if g.later
        else order
    )
    number = unit - mine[0]
    return (
        float(intervals[number] * g.interval) if order[number] < round(g.later * len(mine)) else 0.0
    )


def run(
    model: CahnHilliard, config: Coarsening, fields: np.ndarray, times: Sequence[float], **more
) -> Trajectory:
    """The truth from fields (n, X, Y, Z) on, by the scheme that the config names."""
    g = config.generate
    how = {"step": g.step} if g.scheme == "explicit" else {"tolerance": g.tolerance}
    return model.run(
        fields,
        times,
        scheme=g.scheme,
        **how,
        steady_state=None,
        observe=False,
        on_blow_up="keep",
        **{"progress": False, **more},
    )


def simulate(
    model: CahnHilliard, config: Coarsening, units: Sequence[int], report: Report
) -> Iterator[tuple[int, dict[str, Data]]]:
    """Yield (unit, its datasets) one by one; report(done) hears how many units' worth of work is
    done.

    Raises UnitError where a field of a unit left every physical range.
    """
    s, g = config.system, config.generate
    call = together(config, model.device)
    for order, unit in enumerate(units):
        split, first, count = g.blocks[unit]
        sequence = np.arange(first, first + count, dtype=np.int32)
        index = [starts.identity(split, int(number)) for number in sequence]
        means, features = zip(*(starts.drawn(config, i) for i in index), strict=True)
        begin = start_time(config, unit)
        phi = np.empty((count, g.frames, *(s.network_size,) * 3), np.float32)
        steps = np.empty(count, np.int64)
        for low in range(
            0, count, call
        ):  # frames on the truth's grid are many: no more of them than one call's
            part = slice(low, min(low + call, count))
            start = starts.perlin(
                s.size, features[part], means[part], g.noise, config.seed, index[part], model.device
            )

            def progress(
                done: float, order: float = order, low: int = low, count: int = count
            ) -> None:
                report(order + (low + done) / count)

            found = run(model, config, start, [begin + t for t in g.times], progress=progress)
            bad = np.flatnonzero(found.diverged | ~np.isfinite(found.fields[:, -1]).all((1, 2, 3)))
            if len(bad):
                raise blow_up(config, found, bad, SPLITS[split], sequence[part])
            phi[part], steps[part] = (
                downscale(found.fields.astype(np.float32, copy=False), s.downscale, s.downscaling),
                found.steps,
            )
        columns = {
            "mean_concentration": np.array(means),
            "feature_size": np.array(features, np.int32),
            "steps": steps,
            "split": np.full(count, split, np.int8),
            "sequence": sequence,
        }
        yield (
            unit,
            {
                "phi": Data(phi, "", "sequence, frame, x, y, z", "on the network's grid"),
                "times": Data(np.array(g.times), "time", "frame", "since the first frame"),
                "start_time": Data(np.array(begin), *START),
                **{name: Data(values, *COLUMNS[name]) for name, values in columns.items()},
            },
        )
        report(order + 1)


def blow_up(
    config: Coarsening, trajectory: Trajectory, bad: np.ndarray, split: str, sequence: np.ndarray
) -> UnitError:
    """The failure of a unit whose fields `bad` of a call blew up, with what was good of them."""
    g, i = config.generate, bad[0]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    cure = (
        f"generate.step = {g.step:g}"
        if g.scheme == "explicit"
        else f"generate.tolerance = {g.tolerance:g}"
    )
    return UnitError(
        f"sequence {sequence[i]} of {split} blew up at t = {trajectory.end_time[i]:.6g} "
        f"after {trajectory.steps[i]} steps{more}; lower {cure}",
        {
            "phi": Data(
                trajectory.fields[bad, -1],
                "",
                "sequence, x, y, z",
                "on the truth's grid, the last good state",
            ),
            "time": Data(trajectory.end_time[bad], "time", "sequence", "of the last good state"),
            "steps": Data(trajectory.steps[bad], *COLUMNS["steps"]),
            "sequence": Data(sequence[bad], *COLUMNS["sequence"]),
        },
    )
