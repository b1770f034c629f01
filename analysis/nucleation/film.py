"""The film of one event: which is shown, and what is kept of it."""

from dataclasses import dataclass

import numpy as np

from analysis.nucleation import estimates
from analysis.nucleation.dataset import Run, magnetization, unpack
from kernels.percolation import centre_and_radius


@dataclass(frozen=True)
class Film:
    """One event's last k MCS, all frames shifted alike so that the droplet stays in the middle.

    event: its number; time: int32 (k,), MCS, the last one 0; m: float64 (k,); spins, cluster: uint8
    (k, bytes), a bit a site, 1 is up, and 1 is in the largest cluster; centre (k, 2) and radius
    (k,) of it, sites; bonds: of the clusters. label_time (MCS), nucleated, copies: (l,), the
    event's labels. Without clusters in the data set cluster, centre and radius are None.
    """

    event: int
    size: int
    time: np.ndarray
    m: np.ndarray
    spins: np.ndarray
    cluster: np.ndarray | None
    centre: np.ndarray | None
    radius: np.ndarray | None
    bonds: str
    label_time: np.ndarray
    nucleated: np.ndarray
    copies: np.ndarray

    @property
    def p(self) -> dict[int, float]:
        """p_nuc by time; 1 at t = 0 by definition: m <= 0 is the event."""
        share = (self.nucleated / self.copies).tolist()
        return dict(zip(self.label_time.tolist(), share, strict=True)) | {0: 1.0}

    @property
    def rise(self) -> int:
        """The labelled time (or 0) nearest p_nuc = 1/2 where it last rises through 1/2."""
        return rise_of(self.p, int(self.time[0]))


def rise_of(p: dict[int, float], first: int) -> int:
    times = [t for t in sorted(p) if t >= first]
    below = [i for i, t in enumerate(times) if p[t] < 0.5]
    pair = times[below[-1] : below[-1] + 2] if below else times[:1]
    return min(pair, key=lambda t: abs(p[t] - 0.5))


def typical(run: Run) -> int:
    """Row in run.history of the event whose age at p_nuc = 1/2 is nearest the median.

    Events that lived through the whole recorded history are preferred: their early frames exist.
    """
    events, ages = estimates.crossing_ages(run.raw.event, run.raw.time, run.raw.p_nuc, 0.5)
    middle = np.median(ages) if len(ages) else np.inf
    age = dict(zip(events.tolist(), ages.tolist(), strict=True))
    frames = run.history.shape[1] - 1

    def oddness(row: int) -> tuple:
        event = int(run.history_event[row])
        own = age.get(event, np.inf)
        known = np.isfinite(own) and np.isfinite(middle)
        distance = 0.0 if own == middle else abs(own - middle) if known else np.inf
        return run.lifetime[event] < frames, distance

    return min(range(len(run.history_event)), key=oddness)


def measure(run: Run) -> Film | None:
    """The film of the typical event; None where no history is kept."""
    if len(run.history_event) == 0:
        return None
    row = typical(run)
    event, frames = int(run.history_event[row]), run.history.shape[1]
    exists = min(frames - 1, int(run.lifetime[event]))  # earlier frames lie before the field flip
    part = np.s_[row, frames - 1 - exists :]
    labels = run.raw.event == event
    times, nucleated, copies = (
        values[labels] for values in (run.raw.time, run.raw.nucleated, run.raw.copies)
    )
    share = dict(zip(times.tolist(), (nucleated / copies).tolist(), strict=True)) | {0: 1.0}
    grown = exists + rise_of(share, -exists) // 2  # past its critical size, not the whole system
    spins = unpack(run.history[part], run.system.size)
    cluster = centre = radius = None
    if run.history_cluster is None:
        middle = centre_of(~spins[grown])[0]
    else:
        member = unpack(run.history_cluster[part], run.system.size)
        centre, radius = map(np.array, zip(*map(centre_of, member), strict=True))
        middle = centre[grown]
    shift = np.round(run.system.size // 2 - middle).astype(int)
    spins = np.roll(spins, tuple(shift), axis=(1, 2))
    if centre is not None:
        cluster = pack(np.roll(member, tuple(shift), axis=(1, 2)))
        centre = (centre + shift) % run.system.size
    return Film(
        event=event,
        size=run.system.size,
        time=np.arange(-exists, 1, dtype=np.int32),
        m=magnetization(run.history[part], run.system.sites),
        spins=pack(spins),
        cluster=cluster,
        centre=centre,
        radius=radius,
        bonds=run.default_bonds,
        label_time=times,
        nucleated=nucleated,
        copies=copies,
    )


def centre_of(member: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (2,) and radius of gyration of a set of sites (L, L) on the torus; 0 of none."""
    sites = np.argwhere(member)
    return centre_and_radius(sites, len(member)) if len(sites) else (np.zeros(2), 0.0)


def pack(sites: np.ndarray) -> np.ndarray:
    """Bool (k, L, L) as uint8 (k, bytes), as the data set has them."""
    return np.packbits(sites.reshape(len(sites), -1), axis=1)
