"""Quenches by overdamped Langevin dynamics, d theta / dt = sum of sin(theta' - theta) + noise of
strength 2 T.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jobs.xy.config import XY

from jobs.shards import Data
from kernels.streams import generator

STREAM = 1 << 20  # in a study of Quench a name in kernels/streams.py


def build(config: XY, device) -> None:
    """There is no kernel: the arithmetic is NumPy's."""


def warn(model: None, config: XY) -> list[str]:
    if config.system.temperature > 0.89:
        return [f"system.temperature = {config.system.temperature:g}: above T_KT, vortices stay"]
    return []


def batch(config: XY, device) -> int:
    return 1


def simulate(
    model: None, config: XY, units: Sequence[int], report: Callable[[float], None]
) -> Iterator[tuple[int, dict[str, Data]]]:
    g, s = config.generate, config.system
    for done, unit in enumerate(units):
        random = generator(config.seed, STREAM, unit)
        theta = random.uniform(-np.pi, np.pi, (g.quenches, s.size, s.size))
        found, now = [], 0.0
        for time in g.times:
            while now < time - 1e-9:
                step = min(g.step, time - now)
                kick = random.standard_normal(theta.shape) * np.sqrt(2 * s.temperature * step)
                theta = theta + step * torque(theta) + kick
                now += step
                report(done + now / g.times[-1])
            found.append(np.abs(vorticity(theta)).sum((1, 2)))
        yield (
            unit,
            {
                "time": Data(np.array(g.times), "time", "time", "since the quench"),
                "vortices": Data(
                    np.stack(found, 1).astype(np.int32), "", "quench, time", "of either sign"
                ),
            },
        )


def torque(theta: np.ndarray) -> np.ndarray:
    """Of angles (n, L, L)."""
    neighbours = [np.roll(theta, shift, axis) for axis in (1, 2) for shift in (1, -1)]
    return sum(np.sin(other - theta) for other in neighbours)


def vorticity(theta: np.ndarray) -> np.ndarray:
    """Turns of the angle around each plaquette, int (n, L, L): +1, -1 or 0."""
    corners = [
        theta,
        np.roll(theta, -1, 1),
        np.roll(theta, (-1, -1), (1, 2)),
        np.roll(theta, -1, 2),
    ]
    turns = [
        (after - before + np.pi) % (2 * np.pi) - np.pi
        for before, after in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    return np.rint(sum(turns) / (2 * np.pi)).astype(int)
