"""Cahn-Hilliard in a whole box on a CPU by cahn_hilliard_box.cpp: line transforms over lanes, all
workers on one field.
"""

from collections.abc import Callable

from kernels.cahn_hilliard_clock import BLOWN_UP
from kernels.cahn_hilliard_part import FROM_REAL, GO_ON, RESTORE, START, TO_REAL, Part
from kernels.cahn_hilliard_plan import Plan
from kernels.cahn_hilliard_record import Recorded, keep_last_good
from kernels.cahn_hilliard_system import System

STEPS = 200  # in one launch: progress shows


class Box(Part):
    """All of a box in one process."""

    def _launch(self, mode: int, most_steps: int = 0) -> None:
        self.module.launch(
            "separate_box",
            self.workers,
            **self.planes_take | self.lines_take,
            mode=mode,
            most_steps=most_steps,
        )

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

    def to_real(self) -> None:
        if self.mode == GO_ON:
            self._launch(TO_REAL)
            self.mode = FROM_REAL

    def restore(self) -> None:
        """The field of the coefficients that were put in."""
        self._launch(RESTORE)
        self.mode = GO_ON


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
