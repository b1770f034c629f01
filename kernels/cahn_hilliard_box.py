"""Cahn-Hilliard in a cube on a CPU by cahn_hilliard_box.cpp: line transforms over lanes, all
workers on one field.
"""

from collections.abc import Callable

import numpy as np

from kernels.cahn_hilliard_clock import BLOWN_UP, SLOPES, clocks
from kernels.cahn_hilliard_lines import LINE_FACTORS, compiled_for, line_order, turns
from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_record import Recorded, keep_last_good
from kernels.cahn_hilliard_system import System

SIZES = tuple(LINE_FACTORS)
STEPS = 200  # in one launch: progress shows
START, GO_ON, FROM_REAL, TO_REAL, RESTORE = range(5)  # modes of the kernel


def serves(model: System) -> bool:
    """Whether a box is one for this kernel: a cube on a CPU."""
    return (
        len(model.shape) == 3
        and len(set(model.shape)) == 1
        and model.shape[0] in SIZES
        and model.device.kind == "cpu"
    )


def module_of(model: System, order: int, adaptive: bool):
    """The kernels, for this system and scheme."""
    constants = compiled_for(model, order, adaptive) | {"SIZE": model.shape[0]}
    return model.device.module("cahn_hilliard_box.cpp", constants)


class Box:
    """One fluctuation v = u - mean, and what its scheme keeps.

    rule: of cahn_hilliard_clock.  order, adaptive: of the scheme.  `medium`, words of Medium, are
    to be put before the start.  clock: CLOCK (1,).
    """

    def __init__(self, model: System, rule: np.ndarray, order: int, adaptive: bool):
        device, size, dtype = model.device, model.shape[0], np.dtype(model.precision)
        lanes, workers = max(2, device.float_lanes * 4 // dtype.itemsize), device.workers
        self.size, self.order, self.workers = size, order, workers
        self.module = module_of(model, order, adaptive)
        place, self.ky, self.kz, plane_symbol, weight = pairs_of_lines(model, lanes)
        groups, tiles = len(weight), size // 2 // lanes
        self.field = device.zeros((tiles, size, size + 1, 2, lanes), dtype)
        # half, tile, lane: x; then y and z
        self.u = self.field[:, :, :size].transpose(3, 0, 4, 1, 2)
        self.states = device.zeros((2 * order - 1, groups, size, 2, lanes), dtype)
        self.symbol, self.plane_symbol, self.weight = (
            device.asarray(a, dtype)
            for a in (model.squared_wave_numbers()[0][line_order(size)], plane_symbol, weight)
        )
        self.alone = place[:, 0] == place[:, 1]  # k and -k are one
        self.medium = np.zeros(SLOPES - 1 + model.free_energy.compiled["DEGREE"])
        self.clock, self.until = clocks(1, rule[4]), np.zeros(1)
        self.arguments = dict(
            field=self.field,
            states=self.states,
            place=device.asarray(place),
            symbol=self.symbol,
            plane_symbol=self.plane_symbol,
            weight=self.weight,
            turns=device.asarray(turns(size), dtype),
            rule_words=device.asarray(rule, np.float64),
            medium_words=self.medium,
            partial=device.zeros((groups, 4), np.float64),
            clock_place=self.clock.view(np.float64),
            barrier_place=device.zeros(2 * (1 + workers), np.int32),
            until_place=self.until,
            workers=workers,
        )
        self.mode = START

    def _launch(self, mode: int, most_steps: int = 0) -> None:
        self.module.launch(
            "separate_box",
            self.workers,
            **self.arguments,
            mode=mode,
            most_steps=most_steps,
        )

    def put(self, planes: slice, v: np.ndarray) -> None:
        """Planes of x of the fluctuation to start with."""
        self.u[self._x(planes)] = v

    def _x(self, planes: slice) -> tuple:
        x = np.arange(self.size)[planes]
        return np.unravel_index(x, self.u.shape[:3])

    def start(self) -> None:
        """Begin with the field that was put."""
        self.until[0] = 0
        self._launch(START)
        self.mode = GO_ON

    def advance(self, until: float, most_steps: int) -> None:
        """To time `until` (tau), or so many steps."""
        self.until[0] = until
        self._launch(self.mode, most_steps)
        self.mode = GO_ON

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

    def coefficients(self) -> dict[str, "Coefficients"]:
        """From which a run goes on: of the field now and at the beginnings of the last steps, and
        of its nonlinear part at these.
        """
        taken, order = int(self.clock["steps"][0]), self.order
        places = {
            **{f"u_{j}": (taken - j) % order for j in range(order)},
            **{f"nonlinear_{j}": order + (taken - j) % (order - 1) for j in range(1, order)},
        }
        return {name: Coefficients(self, self.states[place]) for name, place in places.items()}

    def restore(self) -> None:
        """The field of the coefficients that were put in."""
        self._launch(RESTORE)
        self.mode = GO_ON

    def stiffness(self) -> float:
        """Mean over space of |grad u|^2."""
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


def fused_box(model: System, plan: Plan, progress: Callable[[float], None]) -> Recorded:
    """One field at a time, all workers on it."""
    recorded = Recorded.empty(plan)
    box = Box(model, plan.rule, plan.order, plan.adaptive)
    clock = box.clock
    for i in range(len(plan.v)):
        box.put(slice(None), plan.v[i])
        box.medium[:] = plan.media[i]
        box.start()
        for look, time in enumerate(plan.looks):
            while (
                clock["time"][0] < time
                and not clock["ending"][0]
                and clock["steps"][0] < plan.max_steps
            ):
                box.advance(time, int(min(STEPS, plan.max_steps - clock["steps"][0])))
                progress(i + min(0.99, clock["time"][0] / plan.looks[-1]))
            if clock["ending"][0] == BLOWN_UP:
                break
            seen = box.planes(slice(None))
            recorded.fields[i, look] = plan.concentrations(model, seen, [i])[0]
        recorded.end([i], clock)
        if clock["ending"][0] == BLOWN_UP:
            keep_last_good(model, plan, recorded, i)
        progress(i + 1)
    return recorded


def pairs_of_lines(model: System, lanes: int) -> tuple[np.ndarray, ...]:
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
    k2 = model.squared_wave_numbers()[1][order][y] + model.squared_wave_numbers()[2][order][z]
    return np.stack([plus, minus], 1).astype(np.int32), order[y], order[z], k2, weight
