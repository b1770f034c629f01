"""One large Cahn-Hilliard field, step for step: in slabs over MPI ranks where it is too big for one
device, or in one process.

The schemes are those of kernels.cahn_hilliard.  In slabs a step costs one forward and one inverse
transform, so two transpositions over all ranks; its error, the fall of the free energy and the
field's size are added up over them, so that all choose the same next step.  The result is that of
one rank up to round-off.

On CPUs a box whose sides are 32, 64, 128, 256, 512 or 1024 goes by fused line transforms, in slabs
(jobs.slab_lines) of at least four planes, or whole; memory of a rank with nx ny nz / P cells, in
float32: 24 bytes a cell (first_order: 8, second_order: 16), and up to 4 for rows of ranks that
share no memory with it.  Other boxes, and GPUs, take a library's transforms (jobs.slabs): 32 bytes
a cell (16, 24; one rank alone: 4 less), and some chunks.  Twice as many in float64.
"""

import numpy as np

from jobs.slab_lines import SlabLines
from jobs.slabs import Slabs
from kernels import interface
from kernels.cahn_hilliard import BlownUpError, CahnHilliard
from kernels.cahn_hilliard_box import Box
from kernels.cahn_hilliard_clock import BLOWN_UP, CLOCK, GOING, ORDERS, clocks, media, rule
from kernels.cahn_hilliard_part import serves
from kernels.cahn_hilliard_spectrum import SpectrumStep


class SlabSpectrum:
    """A box in slabs over ranks, or on one device of any kind: transforms by jobs.slabs,
    coefficients by kernels.cahn_hilliard_spectrum.

    `v`, space, is the fluctuation u - mean; `u` and `nonlinear` are spectra, now and before.
    """

    looked = False  # a look changes no bit

    def __init__(self, model: CahnHilliard, slabs: Slabs, scheme: str, words: np.ndarray):
        self.slabs, self.order, self.cells = slabs, ORDERS[scheme], float(np.prod(slabs.shape))
        self.make_step = SpectrumStep(
            model, words, media(model, np.zeros(1)), self.order, scheme == "adaptive", slabs.rows
        )
        device = model.device
        self.v = device.zeros(slabs.space, slabs.real)
        self.u, self.nonlinear = (
            [device.zeros(slabs.spectrum, slabs.complex) for _ in range(self.order)]
            for _ in range(2)
        )
        # for blocks on their way, where there are others
        self.spare = device.zeros(slabs.spectrum, slabs.complex) if slabs.ranks > 1 else None

    def put(self, part: slice, v) -> None:
        """Some of this rank's planes of the fluctuation to start with."""
        self.v[part] = v

    def start(self, medium: np.ndarray) -> None:
        """Begin with the field that was put; medium: words of Medium (1, n)."""
        self.make_step.set_media(medium)
        self.slabs.forward(self.v, self.u[0], self.spare)
        for before in self.u[1:]:
            before[...] = self.u[0]
        self._back()

    def restore(self, medium: np.ndarray, clock: np.ndarray, looked: bool) -> None:
        """Go on at `clock` with the spectra that were put into `arrays`."""
        self.make_step.set_media(medium)
        self.make_step.set_clocks(clock)
        self._back()

    def _back(self) -> None:
        self.slabs.inverse(self.u[0], self.v, self.nonlinear[-1], self.spare)

    def arrays(self, clock: np.ndarray) -> dict:
        """From which a run goes on: of the field now and at the beginnings of the last steps, and
        of its nonlinear part at these.
        """
        found = {f"u_{j}": u for j, u in enumerate(self.u)}
        return found | {f"nonlinear_{j}": self.nonlinear[j - 1] for j in range(1, self.order)}

    def step(self, until: float) -> np.ndarray:
        """One step, no farther than `until` (tau), over all ranks.  CLOCK (1,)."""
        step, slabs = self.make_step, self.slabs
        step.begin([until])
        self.nonlinear = [self.nonlinear[-1], *self.nonlinear[:-1]]
        slabs.forward(self.v, self.nonlinear[0], self.spare, of=step.nonlinear)
        sums = step.advance(self.u, self.nonlinear)
        clock = step.end(slabs.sums(sums[0])[None] / self.cells**2)
        self.u = [self.u[-1], *self.u[:-1]]
        self._back()
        if slabs.ranks > 1:  # processors of other kinds may round the last bit otherwise
            clock.view(np.float64)[:] = slabs.first(clock.view(np.float64))
            step.set_clocks(clock)
        return clock

    def planes(self, part: slice):
        """Some of this rank's planes of the fluctuation."""
        return self.v[part]

    def stiffness(self) -> float:
        """This rank's share of the mean over space of |grad u|^2."""
        return (
            sum(
                self.make_step.stiffness(self.u[0][part], part)
                for part in self.slabs.spectrum_chunks()
            )
            / self.cells**2
        )


class BoxSpectrum:
    """A box in one process on a CPU, all its threads on it: the same by kernels.cahn_hilliard_box,
    several times as fast.
    """

    def __init__(self, model: CahnHilliard, slabs: Slabs, scheme: str, words: np.ndarray):
        self.box = Box(model, words, ORDERS[scheme], scheme == "adaptive")
        self.put, self.planes, self.stiffness = self.box.put, self.box.planes, self.box.stiffness

    @property
    def looked(self) -> bool:
        return self.box.looked

    def start(self, medium: np.ndarray) -> None:
        self.box.medium[:] = medium[0]
        self.box.start()

    def restore(self, medium: np.ndarray, clock: np.ndarray, looked: bool) -> None:
        self.box.medium[:], self.box.clock[:] = medium[0], clock
        self.box.restore()
        if looked:
            self.box.to_real()

    def arrays(self, clock: np.ndarray) -> dict:
        self.box.clock[:] = clock  # says which of its arrays is which
        return self.box.coefficients()

    def step(self, until: float) -> np.ndarray:
        self.box.advance(until, 1)
        return self.box.clock.copy()


class LargeBox:
    """One field on its way, at `time` (tau).

    model: its system, of three dimensions.  scheme, step (time), tolerance, steady_state: as in
    CahnHilliard.run. Raises MemoryError where the slabs do not fit.
    """

    def __init__(
        self,
        model: CahnHilliard,
        slabs: Slabs,
        scheme: str,
        step: float | None,
        tolerance: float,
        steady_state: float | None = 1e-11,
    ):
        self.model, self.slabs = model, slabs
        words = rule(model, scheme, step, tolerance, steady_state)
        fused = SlabLines if slabs.ranks > 1 else BoxSpectrum
        path = fused if serves(slabs.shape, slabs.device, slabs.ranks) else SlabSpectrum
        self.spectrum = path(model, slabs, scheme, words)
        self.cells = float(np.prod(slabs.shape))
        self.clock, self.mean = clocks(1, words[4]), 0.0

    @property
    def time(self) -> float:
        """tau."""
        return float(self.clock["time"][0])

    @property
    def steps(self) -> int:
        return int(self.clock["steps"][0])

    @property
    def next_step(self) -> float:
        """As it is meant, tau."""
        return float(self.clock["meant"][0])

    @property
    def steady(self) -> bool:
        """Whether the field is at rest since `time`."""
        return self.clock["ending"][0] not in (GOING, BLOWN_UP)

    def put(self, part: slice, u) -> None:
        """Some of this rank's planes of the field to start with, u = -1 and 1 in the wells."""
        self.spectrum.put(part, u)

    def start(self) -> None:
        """Begin with the field that was put."""
        slabs, xp = self.slabs, self.slabs.xp
        parts = list(slabs.space_chunks())
        total = sum(float(self.spectrum.planes(part).sum(dtype=xp.float64)) for part in parts)
        self.mean = float(slabs.sums([total])[0] / self.cells)
        for part in parts:
            self.spectrum.put(part, (self._fluctuation(part) - self.mean).astype(slabs.real))
        self.spectrum.start(self._medium())

    def _medium(self) -> np.ndarray:
        return media(self.model, np.array([self.mean]))

    def rows(self, rank: int) -> np.ndarray:
        """ky of a rank's rows of the spectrum, rising."""
        if isinstance(self.spectrum, SlabLines):
            return self.spectrum.rows(rank)
        each = len(self.slabs.rows)
        return np.arange(rank * each, (rank + 1) * each)

    def arrays(self, clock: np.ndarray | None = None) -> dict:
        """What a run goes on from, beside the clock: spectra of this rank's rows, to be read and
        filled by slices of kx.
        """
        return self.spectrum.arrays(self.clock if clock is None else clock)

    def resume(self, position: dict) -> None:
        """Go on, once the arrays are filled: to the same bits on as many ranks as before, to
        round-off on others.
        """
        self.clock, self.mean = clock_of(position), position["mean"]
        self.spectrum.restore(self._medium(), self.clock, position["looked"])

    def position(self) -> dict:
        """The clock, the mean, and whether the field has been looked at since its last step, which
        may round it otherwise.
        """
        words = self.clock.view(np.float64).ravel().tolist()
        return {"clock": words, "mean": self.mean, "looked": self.spectrum.looked}

    def advance(self, until: float) -> None:
        """One step, cut so as to land on `until` (tau) if it would pass it.  BlownUpError, on every
        rank, if the field runs away.
        """
        self.clock = self.spectrum.step(until)
        if self.clock["ending"][0] == BLOWN_UP:
            raise BlownUpError(
                f"the field blew up at t = {self.time / self.model.rate:.6g} after {self.steps} steps",
                None,
            )

    def _fluctuation(self, part: slice):
        """float64, on the device."""
        return self.spectrum.planes(part).astype(self.slabs.xp.float64)

    def _u(self, part: slice):
        return self._fluctuation(part) + self.mean

    def phi(self, part: slice) -> np.ndarray:
        """The concentration on some of this rank's planes, on the host."""
        return self.slabs.host(self.model.from_symmetric(self._u(part)).astype(self.slabs.real))

    def numbers(self, area: bool) -> dict[str, float]:
        """What the field is like, in the whole box; the same on all ranks.

        chemical_energy, surface_energy: energy.  mean, minimum, maximum: of the concentration.
        volume: length^3, where it is above the middle of the wells.  area: length^2, of the surface
        through the middle; nan if it is not asked for: it takes as long as some steps.
        """
        slabs, model = self.slabs, self.model
        chemical, mean, volume, low, high = 0.0, 0.0, 0.0, np.inf, -np.inf
        for part in slabs.space_chunks():
            u = self._u(part)
            chemical, mean = (
                chemical + float(model.free_energy.density(u).sum()),
                mean + float(u.sum()),
            )
            volume, low, high = (
                volume + float((u > 0).sum()),
                min(low, float(u.min())),
                max(high, float(u.max())),
            )
        found = slabs.gathered(
            [
                chemical,
                self.spectrum.stiffness(),
                mean,
                volume,
                self._area() if area else np.nan,
                -low,
                high,
            ]
        )
        chemical, stiff, mean, volume, surface = found[:, :5].sum(0)
        low, high = -found[:, 5].max(), found[:, 6].max()
        scale = model.energy_scale * model.cell
        return {
            "chemical_energy": scale * chemical,
            "surface_energy": scale * model.squared_width / 2 * stiff * self.cells,
            "mean": model.from_symmetric(mean / self.cells),
            "minimum": model.from_symmetric(low),
            "maximum": model.from_symmetric(high),
            "volume": volume * model.cell,
            "area": surface,
        }

    def _area(self) -> float:
        """Of the surface through this rank's planes, and between its last one and the next rank's
        first.
        """
        slabs = self.slabs
        total, above = 0.0, slabs.plane_above(slabs.host(self._u(slice(1))))
        for part in slabs.space_chunks(interface.BATCH_CELLS):
            more = (
                slabs.host(self._u(slice(part.stop, part.stop + 1)))
                if part.stop < len(slabs.planes)
                else above
            )
            planes = np.concatenate([slabs.host(self._u(part)), more])
            total += float(interface.perimeter(planes, 0.0, self.model.spacing, 3, periodic=False))
        return total


def clock_of(position: dict) -> np.ndarray:
    """CLOCK (1,) of LargeBox.position."""
    return np.array(position["clock"]).view(CLOCK)
