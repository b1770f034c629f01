"""One large Cahn-Hilliard field, step for step: in slabs over MPI ranks where it is too big for one
device, or in one process.

The schemes are those of kernels.cahn_hilliard.  In slabs a step costs one forward and one inverse
transform, so two all-to-alls; its error, the fall of the free energy and the field's size are added
up over all ranks, which so choose the same next step.  The result is that of one rank up to
round-off.  Memory of a rank with nx ny nz / P cells: 24 bytes a cell in float32 (first_order: 16;
one rank alone: 4 less), twice as many in float64, and some chunks.
"""

from dataclasses import asdict, dataclass

import numpy as np

from jobs.slabs import Slabs
from kernels import interface
from kernels.cahn_hilliard import DIVERGED, BlownUpError, CahnHilliard, Control
from kernels.cahn_hilliard_box import Box, serves
from kernels.cahn_hilliard_slab import SlabStep

ARRAYS = {
    1: ("now",),
    2: ("now", "before", "nonlinear_before"),
}  # of the spectrum, from which a run goes on; by the scheme's order


@dataclass
class Clock:
    """Where a run is: time, length of the last step and of the next one, in tau; steady: the free
    energy stands still since `time`.
    """

    time: float = 0.0
    used: float = 0.0
    step: float = 0.0
    steps: int = 0
    steady: bool = False


class SlabSpectrum:
    """A box in slabs over ranks, or on one device of any kind: transforms by jobs.slabs,
    coefficients by kernels.cahn_hilliard_slab.

    `u`, space, is the field in the form `symmetric`; the spectra `now` and, order 2, `before` and
    `nonlinear_before` are kept.
    """

    looked = False  # a look changes no bit

    def __init__(self, model: CahnHilliard, slabs: Slabs, control: Control, adaptive: bool):
        self.slabs, self.order = slabs, control.order
        self.make_step = SlabStep(model, slabs.rows, control.order, adaptive)
        self.cells = float(np.prod(slabs.shape))
        self.u, self.before, self.nonlinear_before = (
            model.device.zeros(slabs.space, slabs.real),
            None,
            None,
        )
        self.spare = None  # for blocks on their way, where there are others
        for name in (*ARRAYS[control.order], "nonlinear", *(["spare"] if slabs.ranks > 1 else [])):
            setattr(self, name, model.device.zeros(slabs.spectrum, slabs.complex))

    def put(self, part: slice, u) -> None:
        """Some of this rank's planes of the field to start with."""
        self.u[part] = u

    def start(self) -> None:
        """Begin with the field that was put."""
        self.slabs.forward(self.u, self.now, self.spare)
        if self.order == 2:
            self.before[...] = self.now
        self.restore()

    def restore(self, looked: bool = False) -> None:
        """The field of the spectra that were put into `arrays`."""
        self.slabs.inverse(self.now, self.u, self.nonlinear, self.spare)

    def arrays(self) -> dict:
        return {name: getattr(self, name) for name in ARRAYS[self.order]}

    def step(self, length: float, used: float) -> np.ndarray:
        """kernels.cahn_hilliard_box.Box.step, over all ranks."""
        ratio = length / used if self.order == 2 and used > 0 else 0.0
        self.slabs.forward(self.u, self.nonlinear, self.spare, of=self.make_step.nonlinear)
        sums = self.make_step(
            self.now, self.before, self.nonlinear, self.nonlinear_before, ratio, length
        )
        if self.order == 2:
            self.now, self.before = self.before, self.now
            self.nonlinear, self.nonlinear_before = self.nonlinear_before, self.nonlinear
        self.restore()
        return self.slabs.sums(sums) / self.cells**2

    def planes(self, part: slice):
        """Some of this rank's planes of the field."""
        return self.u[part]

    def stiffness(self) -> float:
        """This rank's share of the mean over space of |grad u|^2."""
        return (
            sum(
                self.make_step.stiffness(self.now[part], part)
                for part in self.slabs.spectrum_chunks()
            )
            / self.cells**2
        )


class BoxSpectrum:
    """A cube in one process on a CPU, all its threads on it: the same by kernels.cahn_hilliard_box,
    several times as fast.
    """

    def __init__(self, model: CahnHilliard, slabs: Slabs, control: Control, adaptive: bool):
        self.order, self.box = control.order, Box(model, control, adaptive, -np.inf)
        self.put, self.start, self.step = self.box.put, self.box.start, self.box.step
        self.planes, self.stiffness = self.box.planes, self.box.stiffness

    @property
    def looked(self) -> bool:
        return self.box.looked

    def restore(self, looked: bool) -> None:
        self.box.restore()
        if looked:
            self.box.to_real()

    def arrays(self) -> dict:
        return dict(zip(ARRAYS[self.order], self.box.coefficients(), strict=True))


class LargeBox:
    """One field on its way, at `clock.time`.

    model: its system, of three dimensions.  control: kernels.cahn_hilliard_plan.control's.
    steady_state: as in CahnHilliard.run. Raises MemoryError where the slabs do not fit.
    """

    def __init__(
        self,
        model: CahnHilliard,
        slabs: Slabs,
        control: Control,
        adaptive: bool,
        steady_state: float | None = 1e-10,
    ):
        self.model, self.slabs, self.control = model, slabs, control
        self.steady_state = -np.inf if steady_state is None else steady_state
        self.spectrum = (BoxSpectrum if slabs.ranks == 1 and serves(model) else SlabSpectrum)(
            model, slabs, control, adaptive
        )
        self.cells = float(np.prod(slabs.shape))
        self.clock = Clock(step=control.first)

    def put(self, part: slice, u) -> None:
        """Some of this rank's planes of the field to start with, in the form `symmetric`."""
        self.spectrum.put(part, u)

    def start(self) -> None:
        """Begin with the field that was put."""
        self.spectrum.start()

    def arrays(self) -> dict:
        """What a run goes on from, beside the clock: spectra of this rank's rows, to be read and
        filled by slices of kx.
        """
        return self.spectrum.arrays()

    def resume(self, position: dict) -> None:
        """Go on, once the arrays are filled: to the same bits on as many ranks as before, to
        round-off on others.
        """
        self.clock = Clock(**{name: value for name, value in position.items() if name != "looked"})
        self.spectrum.restore(position["looked"])

    def position(self) -> dict:
        """The clock, and whether the field has been looked at since its last step, which may round
        it otherwise.
        """
        return asdict(self.clock) | {"looked": self.spectrum.looked}

    def advance(self, until: float) -> None:
        """One step, cut so as to land on `until` (tau) if it would pass it.  BlownUpError, on every
        rank, if the field runs away.
        """
        clock, control = self.clock, self.control
        meant, remaining = clock.step, until - clock.time
        step = float(control.land(np.float64(meant), remaining))
        error, fall, size = self.spectrum.step(step, clock.used)
        clock.steps += 1
        if not np.sqrt(size) < DIVERGED:
            raise BlownUpError(
                f"the field blew up at t = {clock.time / self.model.rate:.6g} after {clock.steps} steps",
                None,
            )
        clock.time = until if step >= remaining else clock.time + step
        clock.steady = bool(fall / step < self.steady_state)
        clock.used, clock.step = (
            step,
            self.slabs.first(float(control.next(np.float64(step), np.sqrt(error), meant))),
        )

    def phi(self, part: slice) -> np.ndarray:
        """The concentration on some of this rank's planes, on the host."""
        return self.slabs.host(self.model.from_symmetric(self.spectrum.planes(part)))

    def numbers(self, area: bool) -> dict[str, float]:
        """What the field is like, in the whole box; the same on all ranks.

        chemical_energy, surface_energy: energy.  mean, minimum, maximum: of the concentration.
        volume: length^3, where it is above the middle of the wells.  area: length^2, of the surface
        through the middle; nan if it is not asked for: it takes as long as some steps.
        """
        slabs, model, xp = self.slabs, self.model, self.slabs.xp
        chemical, mean, volume, low, high = 0.0, 0.0, 0.0, np.inf, -np.inf
        for part in slabs.space_chunks():
            u = self.spectrum.planes(part)
            wide = u.astype(xp.float64)
            chemical, mean = (
                chemical + float(((wide * wide - 1) ** 2).sum()),
                mean + float(wide.sum()),
            )
            volume, low, high = (
                volume + float((u > 0).sum()),
                min(low, float(u.min())),
                max(high, float(u.max())),
            )
        found = slabs.gathered(
            [
                chemical / 4,
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
        total, above = 0.0, slabs.plane_above(slabs.host(self.spectrum.planes(slice(1))))
        for part in slabs.space_chunks(interface.BATCH_CELLS):
            more = (
                slabs.host(self.spectrum.planes(slice(part.stop, part.stop + 1)))
                if part.stop < len(slabs.planes)
                else above
            )
            planes = np.concatenate([slabs.host(self.spectrum.planes(part)), more])
            total += float(interface.perimeter(planes, 0.0, self.model.spacing, 3, periodic=False))
        return total
