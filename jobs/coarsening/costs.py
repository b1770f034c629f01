"""rollout/costs.h5, the honest table: time and error of every method along one trajectory, on one
device with one number of threads.

All solve the same semi-discrete equations (seven-point Laplacian; its symbol in Fourier space), in
float32, from the same Perlin noise, without a look on the way.  Errors are on the network's grid,
against the explicit scheme in float64, extrapolated to steps of no length from its step and half of
it: without that the reference would be as wrong as half the explicit line.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from jobs import provenance, shards
from jobs.coarsening import starts, trained
from jobs.coarsening.cases import weights
from jobs.coarsening.fields import downscale
from jobs.coarsening.frames import fingerprint, remembered
from jobs.coarsening.generate import solver
from jobs.coarsening.measures import energies
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels.cahn_hilliard_plan import explicit_limit

# of the semi-implicit schemes, times the interval between two frames: from worse than a network on
STEPS = (1.0, 0.2, 0.05, 0.0125)
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # of the adaptive scheme, the same
CASE = "costs"  # whose start this is


@dataclass
class Method:
    """One line of the table.  run(frames) -> (phi (x, y, z) on the network's grid, solver's steps);
    setting: what was chosen of it.
    """

    name: str
    setting: str
    value: float
    run: Callable[[int], tuple[np.ndarray, int]]
    seconds: list[float] = field(default_factory=list)


def write(system: System, networks: list[str], device, progress: Progress) -> None:
    """Write rollout/costs.h5, unless the one there was made with the same."""
    config, target = system.config, system.folder / "rollout" / "costs.h5"
    made_from = fingerprint(
        digest(config),
        config.rollout.costs.model_dump() | {"frames": config.compared},
        STEPS,
        TOLERANCES,
        device.name,
        [weights(system, name) for name in networks],
        *remembered(config.memory),
    )
    try:
        shards.check(target, made_from=made_from)
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "coarsening",
        "frames": config.compared,
        "repeats": config.rollout.costs.repeats,
        "threads": device.workers,
    }
    data, more = table(system, networks, device, progress)
    shards.write(target, data, attributes | more)
    progress.say(
        f"{target}: {len(data['rmse'].values)} methods over {config.compared} frames; reference converged to "
        f"{more['convergence_rmse']:.1e}"
    )


def table(
    system: System, networks: list[str], device, progress: Progress
) -> tuple[dict[str, Data], dict]:
    """The datasets of costs.h5 and its attributes: what was measured on the way."""
    config, asked = system.config, system.config.rollout.costs
    frames = config.compared
    s, step = config.system, config.generate.step
    g = config.generate
    feature = sorted(g.feature_sizes)[len(g.feature_sizes) // 2]
    start = starts.perlin(
        s.size,
        [feature],
        [g.mean],
        g.noise,
        config.seed,
        [starts.identity(starts.CASE, 0, CASE)],
        device,
    )

    def solved(
        scheme: str, frames: float, precision: str = "float32", **how
    ) -> tuple[np.ndarray, int]:
        run = solver(config, s.size, device, precision).run(
            start,
            [frames * config.generate.interval],
            scheme=scheme,
            steady_state=None,
            observe=False,
            progress=False,
            **how,
        )
        return downscale(run.fields[0, 0], s.downscale, s.downscaling), int(run.steps[0])

    begin = downscale(start[0], s.downscale, s.downscaling)
    step = min(step, 0.9 * explicit_limit(solver(config, s.size, device)))
    methods = [
        Method("network " + name, "", np.nan, rolled(system, name, begin, device))
        for name in networks
    ]
    methods.append(
        Method("explicit", "step", step, lambda frames: solved("explicit", frames, step=step))
    )
    for scheme in ("first_order", "second_order"):
        for share in STEPS:
            dt = share * config.generate.interval
            methods.append(
                Method(
                    scheme,
                    "step",
                    dt,
                    lambda frames, scheme=scheme, dt=dt: solved(scheme, frames, step=dt),
                )
            )
    for tolerance in TOLERANCES:
        methods.append(
            Method(
                "adaptive",
                "tolerance",
                tolerance,
                lambda frames, t=tolerance: solved("adaptive", frames, tolerance=t),
            )
        )

    progress.begin(2 + asked.repeats * len(methods), "runs")
    reference = extrapolated(
        *(solved("explicit", frames, "float64", step=step / parts)[0] for parts in (1, 2))
    )
    progress.reach(1)
    few = max(1, frames // 5)  # a quarter of the step costs twice as much
    once, half, quarter = (
        solved("explicit", few, "float64", step=step / parts)[0] for parts in (1, 2, 4)
    )
    progress.reach(2)
    for method in methods:
        method.run(1)  # compiles, plans transforms, touches memory
    found, steps = {}, {}
    for repeat in range(asked.repeats):  # interleaved: what else the machine does meets all alike
        for order, method in enumerate(methods):
            clock = time.perf_counter()
            found[order], steps[order] = method.run(frames)
            method.seconds.append((time.perf_counter() - clock) / frames)
            progress.reach(3 + repeat * len(methods) + order, f"{method.name} {method.value:g}")
    progress.end()

    errors = np.array([error(found[i], reference, config) for i in range(len(methods))])
    seconds = np.array([method.seconds for method in methods])
    data = {
        "method": Data(
            np.array([m.name.encode() for m in methods]),
            "",
            "method",
            "network MODEL/SEED, or the solver's scheme",
        ),
        "setting": Data(
            np.array([m.setting.encode() for m in methods]),
            "",
            "method",
            "what its value is: step [time], or tolerance",
        ),
        "value": Data(
            np.array([m.value for m in methods]),
            "",
            "method",
            "of the step (time), or of the tolerance; nan: neither",
        ),
        "steps": Data(
            np.array([steps[i] for i in range(len(methods))]), "steps", "method", "over all frames"
        ),
        "seconds_per_frame": Data(np.median(seconds, 1), "s", "method", "median of the repeats"),
        "seconds_least": Data(seconds.min(1), "s", "method", "of a frame, the quickest repeat"),
        "seconds_most": Data(seconds.max(1), "s", "method", "of a frame, the slowest repeat"),
        "rmse": Data(
            errors[:, 0],
            "",
            "method",
            "rms of phi - reference at the last frame, on the network's grid",
        ),
        "free_energy_error": Data(
            errors[:, 1],
            "",
            "method",
            "|F - F of the reference| / F of the reference at the last frame",
        ),
    }
    still, converged = (
        error(begin, reference, config),
        error(extrapolated(once, half), extrapolated(half, quarter), config),
    )
    return data, {
        "reference": f"the explicit scheme in float64, extrapolated to no step from {step:g} and {step / 2:g}",
        "convergence_frames": few,
        "convergence_rmse": converged[0],
        "convergence_free_energy_error": converged[1],
        "convergence_ratio": error(once, half, config)[0] / error(half, quarter, config)[0],
        "convergence": "after convergence_frames frames, the reference against the same of half the steps; ratio: the step against half of "
        "it over half against a quarter, 2 if the explicit scheme's error is of first order, as the extrapolation takes for granted",
        "persistence_rmse": still[0],
        "persistence_free_energy_error": still[1],
        "cells": s.size**3,
    }


def extrapolated(whole: np.ndarray, half: np.ndarray) -> np.ndarray:
    """What steps of no length would give, of the fields that a step and half of it gave by a scheme
    of first order (Richardson).
    """
    return 2 * half - whole


def rolled(
    system: System, name: str, start: np.ndarray, device
) -> Callable[[int], tuple[np.ndarray, int]]:
    """run(frames) of a network from phi (x, y, z)."""
    network = trained.stepper(system, name, start.shape, 1, device)

    def run(frames: int) -> tuple[np.ndarray, int]:
        network.start(start[None])
        network.advance(frames, progress=False)
        return network.fields()[0], frames

    return run


def error(phi: np.ndarray, reference: np.ndarray, config) -> tuple[float, float]:
    """(rms of the difference, relative error of the free energy)."""
    spacing, width = config.system.network_spacing, config.system.interface_width
    rms = float(np.sqrt(np.mean((phi.astype(np.float64) - reference) ** 2)))
    free = energies(np.stack([phi, reference]).astype(np.float64), spacing, width)
    return rms, float(abs(free[0] / free[1] - 1))
