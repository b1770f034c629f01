"""Reading RUN/rollout: each case's truth and what the networks made of the same starts.  Fields
stay on the disk.

A file that is damaged or of another data set is left out, and the report says so.
"""

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from analysis.coarsening.labels import Network, in_order, parse
from jobs.coarsening.paths import SOLVERS

SERIES = (
    "free_energy",
    "mean",
    "area",
    "free_energy_upsampled",
    "length",
    "minimum",
    "maximum",
)


class BadRolloutError(Exception):
    """The file cannot be used; the text says why in a few words."""


@dataclass(frozen=True)
class Rollout:
    """One file.  time: (kept,) of the kept frames; shape: of a field on the network's grid; count:
    starts.

    series: {name: float64 (count, t)} at series_time (t,).  Only what lies before a rollout that
    was stopped.
    """

    path: Path
    count: int
    shape: tuple[int, int, int]
    time: np.ndarray
    series_time: np.ndarray
    series: dict[str, np.ndarray]
    attributes: dict
    full: bool

    @property
    def memory(self) -> int:
        """Frames after which a network's hidden states began anew; earlier rollouts kept them."""
        return int(self.attributes.get("memory", 0))

    @property
    def stopped(self) -> str:
        return str(self.attributes.get("stopped", ""))

    def phi(self, frame: int, start: int | slice = slice(None)) -> np.ndarray:
        """A kept frame, float32 ([count,] x, y, z), on the network's grid."""
        with h5py.File(self.path, "r", locking=False) as file:
            return file["phi"][start, frame]

    def phi_full(self, frame: int, start: int | slice = slice(None)) -> np.ndarray:
        """A kept frame of the truth on the solver's grid, float32 ([count,] X, Y, Z)."""
        with h5py.File(self.path, "r", locking=False) as file:
            return file["phi_full"][start, frame]

    def nearest(self, time: float) -> int:
        """The kept frame nearest to a time."""
        return int(np.abs(self.time - time).argmin())


@dataclass(frozen=True)
class Case:
    """One case.  truth: None where it was not asked for, or is not there; sensitivity: so too, of
    the solver from what the network's grid keeps of the start.
    """

    name: str
    truth: Rollout | None
    networks: dict[Network, Rollout] = field(default_factory=dict)
    sensitivity: Rollout | None = None

    @property
    def first(self) -> Rollout | None:
        return next(iter(self.networks.values()), None)


def common(first: Rollout, second: Rollout) -> tuple[np.ndarray, np.ndarray]:
    """Kept frames of both at the same times: (frames of the first, frames of the second)."""
    same = np.isclose(first.time[:, None], second.time[None, :], rtol=1e-6, atol=1e-9)
    return np.nonzero(same)


def read(path: Path) -> Rollout:
    """Raises BadRolloutError, FileNotFoundError."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            time, shape = file["time"][...].astype(float), file["phi"].shape
            series_time = file["series/time"][...].astype(float)
            series = {
                name: file[f"series/{name}"][...].astype(float)
                for name in SERIES
                if f"series/{name}" in file
            }
            attributes, full = dict(file.attrs), "phi_full" in file
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError):
        raise BadRolloutError("truncated, or not a rollout") from None
    if (
        len(shape) != 5
        or shape[1] != len(time)
        or any(s.shape != (shape[0], len(series_time)) for s in series.values())
    ):
        raise BadRolloutError("its arrays do not fit together")
    if "free_energy" not in series or "mean" not in series:
        raise BadRolloutError("lacks series of the free energy or the mean")
    sound = np.isfinite(series["free_energy"]).all(axis=0) & np.isfinite(series_time)
    sound = np.logical_and.accumulate(sound)
    if not sound.any():
        raise BadRolloutError("no frame in it")
    last = series_time[sound][-1]
    kept = np.isfinite(time) & (time <= last * (1 + 1e-9))
    kept = time[: int(np.logical_and.accumulate(kept).sum())]
    return Rollout(
        path,
        shape[0],
        shape[2:],
        kept,
        series_time[sound],
        {k: v[:, sound] for k, v in series.items()},
        attributes,
        full,
    )


def read_cases(path: Path, config_digest: str | None, left_out: list[str]) -> dict[str, Case]:
    """All cases below RUN/rollout, by name; lines about files that cannot be used go to
    left_out.
    """
    cases = {}
    for folder in sorted(p for p in (path / "rollout").glob("*") if p.is_dir()):
        found = {}
        for file in sorted(folder.glob("*.h5")):
            who = file.stem if file.stem in SOLVERS else parse(file.stem)
            if who is None:
                continue
            try:
                rollout = read(file)
                if rollout.attributes.get("config_digest", config_digest) != config_digest:
                    raise BadRolloutError("made from another data set")
                found[who] = rollout
            except BadRolloutError as error:
                left_out.append(f"{file.relative_to(path)}: {error}")
        truth, sensitivity = (found.pop(solver, None) for solver in SOLVERS)
        if truth is not None or found:
            networks = {network: found[network] for network in in_order(found)}
            cases[folder.name] = Case(folder.name, truth, networks, sensitivity)
    return alike(path, cases, left_out)


def alike(path: Path, cases: dict[str, Case], left_out: list[str]) -> dict[str, Case]:
    """The cases with rollouts of one memory alone: where there are some of several, they are on
    their way to the longest one, or were left when that began.
    """
    memory = max((r.memory for case in cases.values() for r in case.networks.values()), default=0)
    for case in cases.values():
        for network, rollout in list(case.networks.items()):
            if rollout.memory != memory:
                kept = f"{rollout.memory} frames" if rollout.memory else "the whole rollout"
                left_out.append(
                    f"{rollout.path.relative_to(path)}: hidden states of {kept}, others of {memory}; run rollout again"
                )
                del case.networks[network]
    return {name: case for name, case in cases.items() if case.truth or case.networks}
