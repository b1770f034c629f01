"""Mixtures that segregate: uniform fields with noise, run to their steady state.

A unit is one mean concentration, all its samples.  Sample s of a split is a function of (seed,
unit, split, s) alone: more samples, or more of another split, leave the others as they are.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jobs import UserError
from jobs.generating import UnitError
from jobs.segregation.config import SPINODAL, SPLITS, Segregation
from jobs.shards import Data
from kernels import cahn_hilliard_paths
from kernels.cahn_hilliard import CahnHilliard, Trajectory, mixtures
from kernels.cahn_hilliard_plan import SMALLEST_TOLERANCE
from kernels.cahn_hilliard_system import COARSEST_INTERFACE
from kernels.device import DeviceError

CALL_BYTES = 1 << 28  # of fields that come back from one call on a GPU

# epsilon / a^(1/2) in a side of the box, of which it takes a mixture that segregates once more the
# steps of one that does not: ten times as many at 64, 2.5 times at 21
DOMAINS = 6.4

# what is known of each sample beside its fields: unit, axes, what it is
COLUMNS = {
    "chemical_energy": ("energy", "sample, time", "part of the free energy, f(c)"),
    "surface_energy": ("energy", "sample, time", "part of the free energy, the gradients'"),
    "mean": ("", "sample, time", "mean of c"),
    "area": ("area", "sample, time", "where c > 1/2"),
    "perimeter": ("length", "sample, time", "of the line c = 1/2"),
    "steady_time": ("time", "sample", "at which the free energy stood still; nan: it did not"),
    "steps": ("steps", "sample", "of the solver"),
    "split": ("", "sample", "0 train, 1 valid, 2 test"),
    "sample": ("", "sample", "number in its split and mean concentration"),
}
TIMES = ("time", "time", "inf: the steady state; a field that was steady before stays as it was")

Report = Callable[[float], None]


def build(config: Segregation, device) -> CahnHilliard:
    """The model of a config.  Raises UserError for what the kernels cannot do."""
    s, tolerance = config.system, config.generate.tolerance
    if tolerance < SMALLEST_TOLERANCE["float32"]:
        raise UserError(
            f"generate.tolerance = {tolerance:g}: expected at least "
            f"{SMALLEST_TOLERANCE['float32']:g}: float32 rounds a step by more"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `warn` says it in the config's words
            return CahnHilliard(
                shape=(s.size, s.size),
                epsilon=s.epsilon,
                well_depth=s.well_depth,
                mobility=s.mobility,
                spacing=s.spacing,
                device=device,
            )
    except ValueError as error:
        raise UserError(f"system: {error}") from None
    except DeviceError as error:
        raise UserError(str(error)) from None


def warn(model: CahnHilliard, config: Segregation) -> list[str]:
    """What is allowed but probably not meant."""
    lines, means = [], config.generate.means
    if model.interface_cells < COARSEST_INTERFACE:
        lines.append(
            f"system.epsilon = {config.system.epsilon:g}: an interface is {model.interface_cells:.1f} cells wide (90% of the step), fewer "
            f"than {COARSEST_INTERFACE:g}: the grid pins it; raise system.epsilon, or lower system.spacing"
        )
    if not any(SPINODAL[0] < mean < SPINODAL[1] for mean in means):
        lines.append(
            f"generate: no mean concentration of {means[0]:g} to {means[-1]:g} lies between the spinodals, {SPINODAL[0]:.3f} and "
            f"{SPINODAL[1]:.3f}: no field segregates"
        )
    return lines


def work(model: CahnHilliard, config: Segregation, unit: int) -> float:
    """Steps of the solver, beside those of a mixture that stays uniform: one that segregates has
    its domains to merge, the longer the more of them fit into the box.
    """
    if not SPINODAL[0] < config.generate.means[unit] < SPINODAL[1]:
        return 1.0
    s = config.system
    return max(2.0, s.size * s.spacing * math.sqrt(s.well_depth) / s.epsilon / DOMAINS)


def batch(config: Segregation, device) -> int:
    """Units in one call of the solver.  Results do not depend on it: cuFFT, which may round
    otherwise in another batch, gets one.
    """
    model = build(config, device)
    path = cahn_hilliard_paths.choose(model, "adaptive")
    if device.kind == "cpu" or path is cahn_hilliard_paths.by_fft:
        return 1
    g = config.generate
    return max(
        1,
        CALL_BYTES
        // (sum(g.samples.values()) * (len(config.times) + 1) * config.system.size**2 * 4),
    )


def rows(config: Segregation) -> tuple[np.ndarray, np.ndarray]:
    """(split int8, sample int32) of the fields of a unit, split by split."""
    counts = list(config.generate.samples.values())
    split = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
    return split, np.concatenate([np.arange(n, dtype=np.int32) for n in counts])


def identity(unit: int, split: np.ndarray, sample: np.ndarray) -> list[int]:
    """Index of each field's noise: no two (unit, split, sample) share one."""
    return [unit << 34 | int(k) << 32 | int(s) for k, s in zip(split, sample, strict=True)]


def simulate(
    model: CahnHilliard, config: Segregation, units: Sequence[int], report: Report
) -> Iterator[tuple[int, dict[str, Data]]]:
    """Yield (unit, its datasets) one by one; report(done) hears how many units' worth of work is
    done.

    Raises UnitError where a field of a unit left every physical range, after the units that are
    good.
    """
    g = config.generate
    split, sample = rows(config)
    start = np.concatenate(
        [
            mixtures(
                [g.means[unit]] * len(split),
                g.noise,
                model.shape,
                config.seed,
                identity(unit, split, sample),
            )
            for unit in units
        ]
    )
    run = model.run(
        start,
        [*config.times, np.inf],
        tolerance=g.tolerance,
        steady_state=g.steady_state,
        on_blow_up="keep",
        progress=lambda done: report(done / len(split)),
    )
    report(len(units))
    bad = []
    for order, unit in enumerate(units):
        first = order * len(split)
        if run.diverged[first : first + len(split)].any():
            bad.append((unit, first))
        else:
            yield unit, datasets(run, first + np.arange(len(split)), split, sample)
    if bad:
        unit, first = bad[0]
        blown = np.flatnonzero(run.diverged[first : first + len(split)])
        raise blow_up(run, first + blown, g.means[unit], split[blown], sample[blown], g.tolerance)


def datasets(
    run: Trajectory, at: np.ndarray, split: np.ndarray, sample: np.ndarray
) -> dict[str, Data]:
    """What a shard holds of the fields in rows `at` of a run."""
    columns = {name: getattr(run, name)[at] for name in COLUMNS if name not in ("split", "sample")}
    columns |= {"split": split, "sample": sample}
    return {
        "fields": Data(
            run.fields[at].astype(np.float32), "", "sample, time, x, y", "concentration c"
        ),
        "times": Data(run.times, *TIMES),
        **{name: Data(values, *COLUMNS[name]) for name, values in columns.items()},
    }


def blow_up(
    run: Trajectory,
    at: np.ndarray,
    mean: float,
    split: np.ndarray,
    sample: np.ndarray,
    tolerance: float,
) -> UnitError:
    """The failure of a unit whose fields in rows `at` blew up, with what was good of them."""
    i = at[0]
    more = f" (and {len(at) - 1} more)" if len(at) > 1 else ""
    return UnitError(
        f"mean concentration {mean:g}: sample {sample[0]} of {SPLITS[split[0]]} blew up at t = {run.end_time[i]:.6g} after "
        f"{run.steps[i]} steps{more}; lower generate.tolerance = {tolerance:g}",
        {
            "fields": Data(
                run.fields[at, -1], "", "sample, x, y", "concentration c, the last good state"
            ),
            "time": Data(run.end_time[at], "time", "sample", "of the last good state"),
            "steps": Data(run.steps[at], *COLUMNS["steps"]),
            "split": Data(split, *COLUMNS["split"]),
            "sample": Data(sample, *COLUMNS["sample"]),
        },
    )
