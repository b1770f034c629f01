"""What one process holds of a Cahn-Hilliard box whose lines are transformed over lanes
(cahn_hilliard_box.h): all of it, or one slab.
"""

import numpy as np

from kernels.cahn_hilliard_clock import SLOPES, clocks
from kernels.cahn_hilliard_lines import LINE_FACTORS, compiled_for, line_order, turns
from kernels.cahn_hilliard_pairs import Coefficients, pairs_of_lines, rows_of
from kernels.cahn_hilliard_system import System

SIZES = tuple(LINE_FACTORS)
START, GO_ON, FROM_REAL, TO_REAL, RESTORE = range(5)  # modes of the kernels


def serves(shape: tuple[int, ...], device, ranks: int = 1) -> bool:
    """Whether a box is one for these kernels, cut into so many slabs: on a CPU, its sides in SIZES,
    half a slab at least two planes thick.
    """
    return (
        len(shape) == 3
        and device.kind == "cpu"
        and all(n in SIZES for n in shape)
        and shape[0] % (4 * ranks) == shape[1] % (2 * ranks) == 0
    )


def lanes_of(model: System, ranks: int = 1) -> int:
    """Numbers in a vector: as many as fill a register, or as half a slab has planes."""
    most = max(2, model.device.float_lanes * 4 // np.dtype(model.precision).itemsize)
    return min(most, model.shape[0] // ranks // 2)


def tiles_shape(model: System, ranks: int = 1) -> tuple[int, ...]:
    """Of the field in one of so many slabs: tiles, y, z and one more, half, lane."""
    lanes = lanes_of(model, ranks)
    tiles = model.shape[0] // ranks // 2 // lanes
    return (tiles, model.shape[1], model.shape[2] + 1, 2, lanes)


def module_of(model: System, order: int, adaptive: bool, ranks: int = 1):
    """The kernels, for this system and scheme: of a whole box, or of one of so many slabs."""
    words = lanes_of(model, ranks) * np.dtype(model.precision).itemsize // 4
    sides = dict(zip(("SIZE_X", "SIZE_Y", "SIZE_Z"), model.shape, strict=True))
    constants = compiled_for(model, order, adaptive) | sides | {"LANES": words}
    file = "cahn_hilliard_box.cpp" if ranks == 1 else "cahn_hilliard_slab.cpp"
    return model.device.module(file, constants)


class Part:
    """A fluctuation v = u - mean in one of `ranks` slabs of the same thickness along x, and what
    its scheme keeps.

    rule: of cahn_hilliard_clock.  order, adaptive: of the scheme.  `medium`, words of Medium, are
    to be put before the start.  clock: CLOCK (1,).  memory: bytes for the field's tiles, zeroed;
    None: of its own.
    """

    def __init__(
        self,
        model: System,
        rule: np.ndarray,
        order: int,
        adaptive: bool,
        rank: int = 0,
        ranks: int = 1,
        memory: np.ndarray | None = None,
    ):
        device, dtype, (nx, ny, nz) = model.device, np.dtype(model.precision), model.shape
        self.shape, self.order, self.workers = model.shape, order, device.workers
        self.thickness, lanes = nx // ranks, lanes_of(model, ranks)
        self.module = module_of(model, order, adaptive, ranks)
        self.rows = line_order(ny) if ranks == 1 else rows_of(ny, rank, ranks)
        self.place, self.ky, self.kz, plane_symbol, weight = pairs_of_lines(model, lanes, self.rows)
        self.groups, shape = len(weight), tiles_shape(model, ranks)
        self.field = (
            device.zeros(shape, dtype) if memory is None else memory.view(dtype).reshape(shape)
        )
        # half, tile, lane: x; then y and z
        self.u = self.field[:, :, :nz].transpose(3, 0, 4, 1, 2)
        self.states = device.zeros((2 * order - 1, self.groups, nx, 2, lanes), dtype)
        self.symbol, self.plane_symbol, self.weight = (
            device.asarray(a, dtype)
            for a in (model.squared_wave_numbers()[0][line_order(nx)], plane_symbol, weight)
        )
        self.alone = self.place[:, 0] == self.place[:, 1]  # k and -k are one
        self.rule = rule
        self.medium = np.zeros(SLOPES - 1 + model.free_energy.compiled["DEGREE"])
        self.clock, self.until = clocks(1, rule[4]), np.zeros(1)
        # of the kernels, by their names
        self.planes_take = dict(
            field=self.field,
            turns_y=device.asarray(turns(ny), dtype),
            turns_z=device.asarray(turns(nz), dtype),
            medium_words=self.medium,
            barrier_place=device.zeros(2 * (1 + self.workers), np.int32),
            workers=self.workers,
        )
        self.lines_take = dict(
            states=self.states,
            place=device.asarray(self.place),
            symbol=self.symbol,
            plane_symbol=self.plane_symbol,
            weight=self.weight,
            turns_x=device.asarray(turns(nx), dtype),
            rule_words=device.asarray(rule, np.float64),
            medium_words=self.medium,
            partial=device.zeros((self.groups, 4), np.float64),
            clock_place=self.clock.view(np.float64),
            until_place=self.until,
            groups=self.groups,
            workers=self.workers,
        )
        self.mode = START

    def put(self, planes: slice, v: np.ndarray) -> None:
        """Planes of x, of those here, of the fluctuation to start with."""
        self.u[self._x(planes)] = v

    def _x(self, planes: slice) -> tuple:
        return np.unravel_index(np.arange(self.thickness)[planes], self.u.shape[:3])

    def planes(self, planes: slice) -> np.ndarray:
        """The field there, (n, ny, nz), a copy."""
        self.to_real()
        return self.u[self._x(planes)]

    @property
    def looked(self) -> bool:
        """Whether the field is in real space, from where the next step rounds otherwise."""
        return self.mode == FROM_REAL

    def to_real(self) -> None:
        """The field in real space, unless it is there."""
        raise NotImplementedError

    def coefficients(self) -> dict[str, Coefficients]:
        """From which a run goes on: of the field now and at the beginnings of the last steps, and
        of its nonlinear part at these; rows in the order of their ky.
        """
        taken, order = int(self.clock["steps"][0]), self.order
        places = {
            **{f"u_{j}": (taken - j) % order for j in range(order)},
            **{f"nonlinear_{j}": order + (taken - j) % (order - 1) for j in range(1, order)},
        }
        of_pairs = self.shape, np.sort(self.rows), self.ky, self.kz, self.alone
        return {name: Coefficients(*of_pairs, self.states[i]) for name, i in places.items()}

    def stiffness(self) -> float:
        """Of the mean over space of |grad u|^2, the share of the coefficients that are here."""
        total = 0.0
        now = self.states[int(self.clock["steps"][0]) % self.order]
        for group, state in enumerate(now):
            squared = (state.astype(np.float64) ** 2).sum(1)
            total += float(
                (
                    self.weight[group] * (self.symbol[:, None] + self.plane_symbol[group]) * squared
                ).sum()
            )
        return total
