"""The files of a large box: every rank writes its own slab, and a small file shows the slabs as one
array (HDF5's virtual datasets).

RUN/large/frames/frame-00000010/part-0002-of-0004.h5   phi of the planes of rank 2
RUN/large/box.h5                                       numbers of all frames, and `phi` (frame, x,
y, z) in the parts above
RUN/large/.state/step-0000000420/                      what a killed run goes on from: parts of
spectra, and state.h5, which shows them

A part is complete or not there (jobs.shards); state.h5 is written when all parts are, so a state
with it is whole.  Parallel HDF5 is not needed, nor the same number of ranks to go on: state.h5 is
read by rows, whoever wrote them.
"""

import contextlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from jobs import UserError, shards
from jobs.large_box import LargeBox, clock_of
from jobs.slabs import Slabs
from kernels.cahn_hilliard import REVISION

STATE = "of 2 phi - 1 or of its nonlinear part, some rows of ky"


def part_name(rank: int, ranks: int) -> str:
    return f"part-{rank:04d}-of-{ranks:04d}.h5"


class Files:
    """RUN/large of one system, for this rank.  made_from: what the box depends on.  say: hears of
    what was damaged.
    """

    def __init__(self, box: Path, made_from: str, slabs: Slabs, say: Callable[[str], None]):
        self.box, self.folder, self.made_from, self.slabs, self.say = (
            box,
            box.parent,
            made_from,
            slabs,
            say,
        )
        self.states = self.folder / ".state"

    def frame(self, number: int) -> Path:
        return self.folder / "frames" / f"frame-{number:08d}"

    def together(self, act: Callable[[], object]):
        """What `act` returns here.  Where it fails on one rank, UserError on all: none is left
        waiting for it.
        """
        result = problem = None
        try:
            result = act()
        except OSError as error:
            problem = f"{error.filename or self.folder}: cannot be written or read: {error.strerror or error}"
        except (MemoryError, RuntimeError, UserError) as error:  # HDF5's own, or the device's
            problem = str(error) or "not enough memory"
        problems = [text for text in self.slabs.shared(problem) if text]
        if problems:
            raise UserError(problems[0])
        return result

    def from_first(self, act: Callable[[], object]):
        """What `act` returns on the first rank, on all."""
        return self.slabs.shared(self.together(act if self.slabs.rank == 0 else lambda: None))[0]

    def write_frame(self, number: int, box: LargeBox) -> None:
        """This rank's planes of phi."""
        slabs = self.slabs

        def write():
            with shards.new(
                self.frame(number) / part_name(slabs.rank, slabs.ranks),
                {"made_from": self.made_from},
            ) as file:
                phi = file.create_dataset("phi", slabs.space, slabs.real)
                phi.attrs.update(
                    {
                        "unit": "",
                        "axes": "x, y, z",
                        "about": "phi of some planes of x",
                        "first": slabs.planes.start,
                    }
                )
                for part in slabs.space_chunks():
                    phi[part] = box.phi(part)

        self.together(write)

    def write_state(self, box: LargeBox, position: dict, series: dict[str, list[float]]) -> None:
        """A state to go on from, and away with those before the last one."""
        self.from_first(lambda: self.forget(keep=1))
        slabs, folder = self.slabs, self.states / f"step-{box.steps:010d}"

        def write():
            with shards.new(
                folder / part_name(slabs.rank, slabs.ranks), {"made_from": self.made_from}
            ) as file:
                for name, array in box.arrays().items():
                    dataset = file.create_dataset(name, slabs.spectrum, slabs.complex)
                    dataset.attrs.update({"unit": "", "axes": "kx, ky, kz", "about": STATE})
                    for part in slabs.spectrum_chunks():
                        dataset[part] = slabs.host(array[part])

        def show():
            marks = {
                "made_from": self.made_from,
                "solver_revision": REVISION,
                "position": json.dumps(position | {"clock": box.position(), "ranks": slabs.ranks}),
            }
            with shards.new(folder / "state.h5", marks) as file:
                for name in box.arrays():
                    whole = (slabs.shape[0], slabs.shape[1], slabs.half)
                    layout = h5py.VirtualLayout(whole, slabs.complex)
                    for rank in range(slabs.ranks):
                        source = h5py.VirtualSource(
                            part_name(rank, slabs.ranks), name, slabs.spectrum, slabs.complex
                        )
                        for here, there in runs(box.rows(rank)):
                            layout[:, there] = source[:, here]
                    file.create_virtual_dataset(name, layout)
                for name, values in series.items():
                    file[f"series/{name}"] = np.array(values)

        self.together(write)
        self.from_first(show)

    def read_state(self, box: LargeBox) -> tuple[dict, dict[str, list[float]]] | None:
        """(position, series) of the newest sound state, its spectra put into the box; None if there
        is none.
        """
        for folder in self.from_first(lambda: sorted(self.states.glob("step-*"), reverse=True)):
            found = self.from_first(lambda folder=folder: self._open(folder))
            if found is None:
                continue
            position, series = found
            names = [part_name(rank, position["ranks"]) for rank in range(position["ranks"])]
            mine = [
                self._problem(folder / name) for name in names[self.slabs.rank :: self.slabs.ranks]
            ]
            problems = [text for texts in self.slabs.shared(mine) for text in texts if text]
            if problems:
                self.say(f"{problems[0]}; this state is not used")
                self.from_first(lambda folder=folder: self._set_aside(folder))
                continue
            clock = position.pop("clock")
            self.together(
                lambda folder=folder, clock=clock: self._load(folder / "state.h5", box, clock)
            )
            box.resume(clock)
            return position, series
        return None

    def _open(self, folder: Path) -> tuple[dict, dict[str, list[float]]] | None:
        path = folder / "state.h5"
        try:
            shards.check_large(path, made_from=self.made_from)
        except FileNotFoundError:
            return None
        except shards.BadFileError as error:
            self.say(f"{path}: {error}; this state is not used")
            self._set_aside(folder)
            return None
        with h5py.File(path, "r", locking=False) as file:
            if file.attrs.get("solver_revision", 1) != REVISION:
                self.say(f"{path}: of another revision of the solver; the box begins anew")
                self._set_aside(folder)
                return None
            return json.loads(file.attrs["position"]), {
                name: values[...].tolist() for name, values in file["series"].items()
            }

    def _set_aside(self, folder: Path) -> None:
        """Out of the way of those that count: `forget` is to keep a sound one."""
        folder.rename(folder.with_name("bad-" + folder.name))

    def _problem(self, path: Path) -> str | None:
        try:
            shards.check_large(path, made_from=self.made_from)
        except FileNotFoundError:
            return f"{path}: is not there"
        except shards.BadFileError as error:
            return f"{path}: {error}"
        return None

    def _load(self, path: Path, box: LargeBox, position: dict) -> None:
        slabs = self.slabs
        with h5py.File(path, "r", locking=False) as file:
            for name, array in box.arrays(clock_of(position)).items():
                for part in slabs.spectrum_chunks():
                    rows = [file[name][part, there] for _, there in runs(box.rows(slabs.rank))]
                    array[part] = slabs.xp.asarray(np.concatenate(rows, 1))

    def forget(self, keep: int = 0) -> None:
        """Remove all states but the newest `keep` that are whole."""
        whole = sorted((path.parent for path in self.states.glob("step-*/state.h5")), reverse=True)[
            :keep
        ]
        for folder in self.states.glob("*step-*"):
            if folder not in whole:
                shutil.rmtree(folder, ignore_errors=True)
        if not keep:
            with contextlib.suppress(OSError):
                self.states.rmdir()

    def finished(self) -> bool:
        """Whether box.h5 of this very box and all parts that it shows are there."""
        return self.from_first(self._finished)

    def _finished(self) -> bool:
        if self._problem(self.box):
            return False
        with h5py.File(self.box, "r", locking=False) as file:
            return all(
                (self.folder / source.file_name).is_file()
                for source in file["phi"].virtual_sources()
            )

    def write_box(
        self,
        interval: float,
        kept: dict[int, int],
        series: dict[str, list[float]],
        units: dict,
        attributes: dict,
    ) -> None:
        """box.h5.  kept: ranks that wrote each kept frame.  series: numbers of every frame that was
        looked at; units: (unit, about).
        """
        slabs = self.slabs

        def write():
            shown = set()
            with shards.new(self.box, attributes | {"made_from": self.made_from}) as file:
                layout = h5py.VirtualLayout((len(kept), *slabs.shape), slabs.real)
                for i, (number, ranks) in enumerate(kept.items()):
                    for rank, planes in enumerate(cuts(slabs.shape[0], ranks)):
                        path, shape = (
                            self.frame(number) / part_name(rank, ranks),
                            (planes.stop - planes.start, *slabs.shape[1:]),
                        )
                        layout[i, planes] = h5py.VirtualSource(
                            str(path.relative_to(self.folder)), "phi", shape, slabs.real
                        )
                        shown.add(path)
                file.create_virtual_dataset("phi", layout, fillvalue=np.nan)
                file["phi"].attrs.update(
                    {
                        "unit": "",
                        "axes": "frame, x, y, z",
                        "about": "in the parts in frames/; nan: one is missing",
                    }
                )
                file["time"] = np.array(list(kept), np.float64) * interval
                file["time"].attrs.update(
                    {"unit": "time", "axes": "frame", "about": "of the kept frames"}
                )
                for name, values in series.items():
                    file[f"series/{name}"] = np.array(values, np.float64)
                    unit, about = units[name]
                    file[f"series/{name}"].attrs.update(
                        {"unit": unit, "axes": "look", "about": about}
                    )
            for path in (
                set(self.folder.glob("frames/*/part-*.h5")) - shown
            ):  # of a life with another number of ranks
                path.unlink()
            self.forget()

        self.from_first(write)


def cuts(cells: int, ranks: int) -> list[slice]:
    """Which of `cells` planes (rows) each rank has."""
    return [slice(rank * cells // ranks, (rank + 1) * cells // ranks) for rank in range(ranks)]


def runs(rows: np.ndarray) -> list[tuple[slice, slice]]:
    """Of rising rows those that follow one another: where they stand, and which they are."""
    ends = [0, *(np.flatnonzero(np.diff(rows) > 1) + 1), len(rows)]
    return [
        (slice(a, b), slice(int(rows[a]), int(rows[b - 1]) + 1))
        for a, b in itertools.pairwise(ends)
    ]
