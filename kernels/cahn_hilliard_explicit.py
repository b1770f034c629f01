"""Cahn-Hilliard by forward Euler with finite differences: cahn_hilliard_explicit.cu."""

from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard import DIVERGED, CahnHilliard
from kernels.cahn_hilliard_plan import Plan, Recorded, keep_last_good

LOOK_STEPS = 64  # explicit steps between two looks at size and free energy


def explicit(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """cahn_hilliard_explicit.cu: all fields together, one step for all; steady states are noticed
    every LOOK_STEPS steps.
    """
    device, dtype, dimensions = model.device, np.dtype(model.precision), len(model.shape)
    xp = np if device.kind == "cpu" else device.cupy
    nx, ny, nz = (1,) * (3 - dimensions) + model.shape
    module = device.module(
        "cahn_hilliard_explicit.cu",
        dict(
            DIMENSIONS=dimensions,
            NX=nx,
            NY=ny,
            NZ=nz,
            REAL="float" if dtype == np.float32 else "double",
        ),
    )
    recorded = Recorded.empty(plan)
    count, axes = len(plan.u), tuple(range(1, 1 + dimensions))
    planes = count * nx
    blocks = min(device.workers, planes) if device.kind == "cpu" else planes
    u = device.asarray(plan.u)
    mu = device.zeros(u.shape, dtype)

    def steps(dt: float, number: int) -> None:
        numbers = device.asarray(
            [model.squared_width / model.spacing**2, dt / model.spacing**2], dtype
        )
        for _ in range(number):
            module.launch(
                "chemical_potential",
                blocks,
                [u, mu, numbers, np.int32(planes), np.int32(blocks)],
                threads=min(256, nz),
            )
            module.launch(
                "forward_euler",
                blocks,
                [u, mu, numbers, np.int32(planes), np.int32(blocks)],
                threads=min(256, nz),
            )

    time, taken, look, going = 0.0, 0, 0, np.ones(count, bool)
    while True:
        while look < len(plan.looks) and time >= plan.looks[look]:
            recorded.fields[going, look] = model.from_symmetric(device.to_host(u)[going])
            look += 1
        if look == len(plan.looks) or not going.any() or taken >= plan.max_steps:
            break
        whole = int(
            min(LOOK_STEPS, (plan.looks[look] - time) / plan.control.fixed, plan.max_steps - taken)
        )
        dt, number = (plan.control.fixed, whole) if whole else (plan.looks[look] - time, 1)
        steps(dt, number)
        taken += number
        time += dt * number
        if plan.looks[look] - time < 1e-9 * plan.control.fixed:
            time = plan.looks[look]
        recorded.steps[going], recorded.time[going] = taken, time
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # a field that has blown up is found here
            size = np.sqrt(device.to_host((u * u).mean(axes)))
            gradient = sum(((mu - xp.roll(mu, 1, axis)) ** 2).mean(axes) for axis in axes)
        falls = device.to_host(gradient) / model.spacing**2
        for i in np.flatnonzero(going & ~(size < DIVERGED)):
            recorded.diverged[i], going[i] = True, False
            keep_last_good(model, plan, recorded, i, seen=look)
        for i in np.flatnonzero(going & (falls < plan.steady_state)):
            recorded.fields[i, look:] = model.from_symmetric(device.to_host(u[i]))
            recorded.steady_time[i], going[i] = time, False
        progress(float((~going).sum() + going.sum() * min(1.0, time / plan.looks[-1])))
    recorded.fields[going, look:] = model.from_symmetric(device.to_host(u)[going])[
        :, None
    ]  # max_steps
    return recorded
