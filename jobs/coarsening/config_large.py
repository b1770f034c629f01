"""The part of the coarsening config that says which large box all ranks follow together."""

from typing import Literal

import pydantic

from jobs.config import Section, value

FINEST_NOISE = 8  # cells between lattice points
MOST_POINTS = 1024  # of the lattice a side: every rank keeps all of it, 12 bytes a point


class Large(Section):
    """One box of Perlin noise and how long it is followed; free energy, spacing and time between
    frames are the other sequences'.
    """

    size: int = value(
        1024,
        unit="cells",
        ge=8,
        le=16384,
        about="side of the periodic cube, even, a multiple of the number of ranks",
    )
    frames: int = value(
        1001,
        unit="frames",
        ge=2,
        le=10_000_000,
        about="generate.interval apart, the first field among them",
    )
    kept: int | None = value(
        6,
        unit="frames",
        ge=2,
        le=1_000_000,
        about="of them on disk, with the first and the last; all if null",
    )
    spacing: Literal["linear", "log"] = value("log", unit="", about="of the kept frames in time")
    mean: float = value(0.5, unit="", gt=0, lt=1, about="of phi")
    feature_size: int = value(
        16,
        unit="cells",
        ge=FINEST_NOISE,
        le=16384,
        about="between lattice points of the Perlin noise",
    )
    noise: float | None = value(
        None, unit="", gt=0, le=0.5, about="rms of phi - mean at t = 0; generate.noise if null"
    )
    scheme: Literal["adaptive", "first_order", "second_order", "third_order"] = value(
        "adaptive", unit="", about="of the solver, as in kernels/"
    )
    step: float | None = value(
        None, unit="time", gt=0, le=1e6, about="of a scheme that is not adaptive"
    )
    tolerance: float | None = value(
        None,
        unit="",
        gt=0,
        lt=1,
        about="error of an adaptive step relative to the fluctuation, rms; generate.tolerance if null",
    )
    steady_state: float | None = value(
        1e-11,
        unit="",
        gt=0,
        le=1,
        about="fall of the free energy per volume and time, in units of the wells' depth and M times it, below "
        "which the box is at rest and the run ends; never if null",
    )
    precision: Literal["float32", "float64"] = value("float32", unit="", about="of the field")
    checkpoint: float = value(
        600.0, unit="s", ge=0, le=1e6, about="between two states from which a killed run goes on"
    )

    @pydantic.model_validator(mode="after")
    def _sound(self):
        if self.size % 2:
            raise ValueError(
                f"large.size = {self.size}: expected an even number at least 8 and at most 16384 [cells]"
            )
        if self.size % self.feature_size:
            raise ValueError(
                f"large.feature_size = {self.feature_size}: expected a number that divides large.size = {self.size} [cells]"
            )
        if self.size // self.feature_size > MOST_POINTS:
            raise ValueError(
                f"large.feature_size = {self.feature_size}: expected at least large.size / {MOST_POINTS} = "
                f"{self.size / MOST_POINTS:g} [cells]"
            )
        if self.kept is not None and self.kept > self.frames:
            raise ValueError(
                f"large.kept = {self.kept}: expected at most large.frames = {self.frames} [frames]"
            )
        if (self.step is None) != (self.scheme == "adaptive"):
            wanted = "null" if self.scheme == "adaptive" else "a number above 0"
            raise ValueError(
                f"large.step = {self.step}: expected {wanted} with large.scheme = {self.scheme} [time]"
            )
        return self
