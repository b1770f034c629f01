"""Cahn-Hilliard in a cube on a CPU by cahn_hilliard_box.cpp: line transforms over lanes, all
workers on one field.
"""

from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard import CahnHilliard, Control
from kernels.cahn_hilliard_lines import LINE_FACTORS, compiled_for, control_words, line_order, turns
from kernels.cahn_hilliard_plan import Plan, Recorded, keep_last_good

SIZES = tuple(LINE_FACTORS)
STEPS = 200  # in one launch: progress shows
START, GO_ON, FROM_REAL, TO_REAL, RESTORE = range(5)  # modes of the kernel


def serves(model: CahnHilliard) -> bool:
    """Whether a box is one for this kernel: a cube on a CPU."""
    return (
        len(model.shape) == 3
        and len(set(model.shape)) == 1
        and model.shape[0] in SIZES
        and model.device.kind == "cpu"
    )


class Box:
    """One field in the form `symmetric`, and what its scheme keeps.  control: of the steps;
    steady_state: as in CahnHilliard.run.

    clock: float64 (6,), time, length of the last step, of the next one as it was meant (tau),
    steps, whether at rest, whether blown up.
    """

    def __init__(self, model: CahnHilliard, control: Control, adaptive: bool, steady_state: float):
        device, size, dtype = model.device, model.shape[0], np.dtype(model.precision)
        lanes, workers = max(2, device.lanes * 4 // dtype.itemsize), device.workers
        self.size, self.order, self.workers = size, control.order, workers
        self.module = device.module(
            "cahn_hilliard_box.cpp", compiled_for(model, control.order, adaptive)
        )
        place, self.ky, self.kz, plane_symbol, weight = pairs_of_lines(model, lanes)
        groups, tiles = len(weight), size // 2 // lanes
        self.field = device.zeros((tiles, size, size + 1, 2, lanes), dtype)
        self.u = self.field[:, :, :size].transpose(
            3, 0, 4, 1, 2
        )  # half, tile, lane: x; then y and z
        self.states = [
            device.zeros((groups if n == 0 or self.order == 2 else 1, size, 2, lanes), dtype)
            for n in range(3)
        ]
        self.symbol, self.plane_symbol, self.weight = (
            device.asarray(a, dtype)
            for a in (model.wave_numbers()[0][line_order(size)], plane_symbol, weight)
        )
        self.alone = place[:, 0] == place[:, 1]  # k and -k are one
        self.partial, self.clock, self.until = (
            device.zeros((groups, 3), np.float64),
            np.zeros(6),
            np.zeros(1),
        )
        self.arguments = [
            self.field,
            *self.states,
            device.asarray(place),
            self.symbol,
            self.plane_symbol,
            self.weight,
            device.asarray(turns(size), dtype),
            device.asarray(control_words(model, control, steady_state), np.float64),
            self.partial,
            self.clock,
            device.zeros(2 * (1 + workers), np.int32),
            self.until,
        ]
        self.mode = START

    def _launch(self, mode: int, most_steps: int = 0) -> None:
        self.module.launch(
            "separate_box",
            self.workers,
            [*self.arguments, np.int32(mode), np.int32(most_steps), np.int32(self.workers)],
        )

    def put(self, planes: slice, u: np.ndarray) -> None:
        """Planes of x of the field to start with."""
        self.u[self._x(planes)] = u

    def _x(self, planes: slice) -> tuple:
        x = np.arange(self.size)[planes]
        return np.unravel_index(x, self.u.shape[:3])

    def start(self) -> None:
        """Begin with the field that was put."""
        self.clock[:], self.until[0] = 0, 0
        self._launch(START)
        self.mode = GO_ON

    def advance(self, until: float, most_steps: int) -> None:
        """To time `until` (tau), or so many steps."""
        self.until[0] = until
        self._launch(self.mode, most_steps)
        self.mode = GO_ON

    def step(self, length: float, used: float) -> np.ndarray:
        """One step of this length (tau) after one of length `used`, 0: none.

        Returns, float64 (3,), means over space: squared error of the step, fall of the free energy,
        squared size of the field.
        """
        self.clock[:] = 0, used, np.inf, 0, 0, 0
        self.advance(length, 1)
        return self.partial.sum(0)

    @property
    def looked(self) -> bool:
        """Whether the field is in real space, from where the next step rounds otherwise."""
        return self.mode == FROM_REAL

    def to_real(self) -> None:
        if self.mode == GO_ON:
            self._launch(TO_REAL)
            self.mode = FROM_REAL

    def planes(self, planes: slice) -> np.ndarray:
        """The field there, (n, size, size), a copy."""
        self.to_real()
        return self.u[self._x(planes)]

    def coefficients(self) -> list["Coefficients"]:
        """Of the field now, a step ago, and of u^3 - u then (first order: the first alone), from
        which a run goes on.
        """
        return [
            Coefficients(self, state)
            for state in (self.states if self.order == 2 else self.states[:1])
        ]

    def restore(self) -> None:
        """The field of the coefficients that were put in."""
        self._launch(RESTORE)
        self.mode = GO_ON

    def stiffness(self) -> float:
        """Mean over space of |grad u|^2."""
        total = 0.0
        for group, state in enumerate(self.states[0]):
            squared = (state.astype(np.float64) ** 2).sum(1)
            total += float(
                (
                    self.weight[group] * (self.symbol[:, None] + self.plane_symbol[group]) * squared
                ).sum()
            )
        return total


class Coefficients:
    """Of a real field in a box, complex (n, size, size / 2 + 1) for a slice of kx, as
    numpy.fft.rfftn orders and scales them.
    """

    def __init__(self, box: Box, state: np.ndarray):
        self.box, self.state = box, state
        self.place_of = np.argsort(line_order(box.size))
        self.half = box.kz <= box.size // 2
        self.mirror_y, self.mirror_z = -box.ky % box.size, -box.kz % box.size
        self.mirror_half = (self.mirror_z <= box.size // 2) & ~box.alone
        self.scale = float(box.size) ** 3  # a power of two: nothing is rounded

    def _places(self, kx: int) -> tuple[int, int]:
        return self.place_of[kx], self.place_of[-kx % self.box.size]

    def __getitem__(self, part: slice) -> np.ndarray:
        box, real = self.box, self.state.dtype
        waves = range(box.size)[part]
        found = np.zeros(
            (len(waves), box.size, box.size // 2 + 1), np.result_type(real, np.complex64)
        )
        for plane, kx in zip(found, waves, strict=True):
            at, mirror = (
                (self.state[:, i, 0] + 1j * self.state[:, i, 1]) * real.type(self.scale)
                for i in self._places(kx)
            )
            plane[self.mirror_y[self.mirror_half], self.mirror_z[self.mirror_half]] = mirror.conj()[
                self.mirror_half
            ]
            plane[box.ky[self.half], box.kz[self.half]] = at[self.half]
        return found

    def __setitem__(self, part: slice, values: np.ndarray) -> None:
        box = self.box
        for plane, kx in zip(np.asarray(values), range(box.size)[part], strict=True):
            scaled = plane / self.scale
            at, mirror = self._places(kx)
            there = scaled[box.ky[self.half], box.kz[self.half]]
            across = scaled[self.mirror_y[~self.half], self.mirror_z[~self.half]].conj()
            for i, some, numbers in ((at, self.half, there), (mirror, ~self.half, across)):
                for n, component in enumerate((numbers.real, numbers.imag)):
                    self.state[:, i, n][some] = component


def fused_box(model: CahnHilliard, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """One field at a time, all workers on it."""
    recorded = Recorded.empty(plan)
    box = Box(model, plan.control, plan.scheme == "adaptive", plan.steady_state)
    clock = box.clock
    for i in range(len(plan.u)):
        box.put(slice(None), plan.u[i])
        box.start()
        for look, time in enumerate(plan.looks):
            while clock[0] < time and not clock[4:].any() and clock[3] < plan.max_steps:
                box.advance(time, int(min(STEPS, plan.max_steps - clock[3])))
                progress(i + min(0.99, clock[0] / plan.looks[-1]))
            if clock[5]:
                break
            recorded.fields[i, look] = model.from_symmetric(box.planes(slice(None)))
        recorded.time[i], recorded.steps[i], recorded.diverged[i] = (
            clock[0],
            clock[3],
            clock[5] != 0,
        )
        recorded.steady_time[i] = clock[0] if clock[4] else np.nan
        if clock[5]:
            keep_last_good(model, plan, recorded, i)
        progress(i + 1)
    return recorded


def pairs_of_lines(model: CahnHilliard, lanes: int) -> tuple[np.ndarray, ...]:
    """Pairs (k, -k) of k = (ky, kz), in groups of `lanes`: places in a tile, int32 (groups, 2,
    lanes); ky and kz of k, int64, its k^2 along y and z, and its weight in a sum over all k,
    (groups, lanes). The last group is filled up with its last pair at weight 0.
    """
    size = model.shape[0]
    order = line_order(size)
    place_of = np.argsort(order)
    mirror = place_of[-order % size]
    y, z = (a.ravel() for a in np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    plus, minus = y * (size + 1) + z, mirror[y] * (size + 1) + mirror[z]
    kept = plus <= minus
    y, z, plus, minus = y[kept], z[kept], plus[kept], minus[kept]
    # pairs that are neighbours in memory share a group
    weight = np.where(plus == minus, 1.0, 2.0)
    fill = -len(plus) % lanes
    plus, minus, y, z = (
        np.concatenate([a, np.repeat(a[-1:], fill)]).reshape(-1, lanes) for a in (plus, minus, y, z)
    )
    weight = np.concatenate([weight, np.zeros(fill)]).reshape(-1, lanes)
    k2 = model.wave_numbers()[1][order][y] + model.wave_numbers()[2][order][z]
    return np.stack([plus, minus], 1).astype(np.int32), order[y], order[z], k2, weight
