"""Trajectories of the Ising model with what was seen on the way."""

from dataclasses import dataclass

import numpy as np

from kernels import percolation
from kernels.arguments import brief, one_of, wholes
from kernels.progress import shown
from kernels.streams import Draws

__all__ = ["OBSERVABLES", "IsingRun", "run"]

OBSERVABLES = ("magnetization", "energy", "largest_cluster")
LATEST = 2**31 - 1


@dataclass(frozen=True)
class IsingRun:
    """What n replicas showed at o times.

    times: int64 (o,), MCS since their start. magnetization: float64 (n, o), m = M / N. energy:
    float64 (n, o), H / N in the field, or None where it was not asked for. largest_cluster: int64
    (n, o), spins of the largest droplet of down spins (kernels.percolation, by the rule of bonds
    `density_corrected`), or None. snapshots: uint8 (n, o, ceil(N / 8)), packed configurations, or
    None. spins: uint8 (n, ceil(N / 8)), packed, at the last time, from which Ising.go_on goes on.
    seed, unit: of all. stretch: how often the replicas went on. asked: the field, what to observe
    and whether to keep snapshots, as Ising.run was asked for them.
    """

    times: np.ndarray
    magnetization: np.ndarray
    energy: np.ndarray | None
    largest_cluster: np.ndarray | None
    snapshots: np.ndarray | None
    spins: np.ndarray
    seed: int
    unit: int
    stretch: int
    asked: dict
    __repr__ = brief


def run(model, spins, times, seed, unit, asked, progress, after=0, stretch=0):
    """The trajectories of Ising.run; `stretch` counts how often they went on, `after` is when."""
    field, snapshots = model.field_of(asked["field"]), asked["snapshots"]
    times = np.atleast_1d(wholes("times", times, 0, LATEST, "MCS"))
    if (
        times.ndim != 1
        or not len(times)
        or np.any(np.diff(times) <= 0)
        or (stretch and times[0] <= after)
    ):
        earliest = f"{after + 1}" if stretch else "0"
        raise ValueError(f"times must be one or more increasing numbers from {earliest} on (MCS)")
    observe = asked["observe"]
    observe = (observe,) if isinstance(observe, str) else tuple(observe)
    for name in observe:
        one_of("observe", name, OBSERVABLES)
    draws = Draws(seed, unit, "run", stretch)
    with_clusters = "largest_cluster" in observe
    with_seen = snapshots or with_clusters or ("energy" in observe and model.dynamics == "wolff")
    with shown(progress, len(spins), "replicas") as report:
        up, pairs, seen, end = model.lattices.follow(
            spins, times - after, field, draws, "energy" in observe, with_seen, report
        )
    sum_of_spins = 2 * up - model.sites
    energy = largest = None
    if pairs is not None:
        q = model.neighbours
        products = 4 * pairs - 4 * q * up + q * model.sites  # of both orders of each pair
        energy = (-0.5 * model.coupling * products - field * sum_of_spins) / model.sites
    elif "energy" in observe:
        looks = range(len(times))
        energy = np.stack([model.energy(model.unpack(seen[:, o]), field) for o in looks], 1)
        energy /= model.sites
    if with_clusters:
        found = percolation.clusters(
            seen.reshape(-1, model.bytes),
            coupling_table=model.coupling_table(),
            temperature=model.temperature,
            bonds="density_corrected",
            seed=seed,
            index=(unit << 24) + np.arange(seen.shape[0] * seen.shape[1]),
            device=model.device,
            centres=False,
        )
        largest = found.size.reshape(up.shape).astype(np.int64)
    return IsingRun(
        times,
        sum_of_spins / model.sites,
        energy,
        largest,
        seen if snapshots else None,
        end,
        seed,
        unit,
        stretch,
        asked,
    )
