"""The part of the coarsening config that says from what, and how far, the trained networks go on
alone.
"""

import re
from typing import Literal

import pydantic

from jobs.coarsening.config_train import Model
from jobs.config import Section, value


class Case(Section):
    """One kind of start, and how far it is followed."""

    start: Literal["test", "perlin", "shape", "slice", "layers", "symmetric", "bulk"] = value(
        "perlin",
        unit="",
        about="the test set's first frames, Perlin noise, a closed surface, noise in the central slice alone, lamellae at rest, "
        "noise with the symmetry of a cube, or white noise in each phase alone, at phi = 0, 0.03, 0.97 and 1",
    )
    size: int | None = value(
        None,
        unit="cells",
        ge=8,
        le=4096,
        about="side of the cube on the truth's grid; system.size if null",
    )
    frames: int | None = value(
        None,
        unit="frames",
        ge=2,
        le=10_000_000,
        about="of a rollout with its start; generate.frames if null",
    )
    kept: int | None = value(
        None,
        unit="frames",
        ge=2,
        le=1_000_000,
        about="of them on disk, with the first and the last; all if null",
    )
    spacing: Literal["linear", "log"] = value("linear", unit="", about="of the kept frames in time")
    count: int | None = value(
        None,
        unit="starts",
        ge=1,
        le=1_000_000,
        about="independent ones; if null all of the test set, else one",
    )
    mean: float | None = value(
        None, unit="", gt=0, lt=1, about="of phi; drawn as generate's if null"
    )
    feature_size: int | None = value(
        None,
        unit="cells",
        ge=2,
        le=4096,
        about="of the Perlin noise, also the thickness of the slice and the period of the layers; dealt "
        "as generate's if null",
    )
    noise: float | None = value(
        None, unit="", gt=0, le=0.5, about="rms of phi - mean; generate.noise if null"
    )
    truth: bool = value(
        True, unit="", about="whether the solver follows the same start, to compare with"
    )
    sensitivity: bool = value(
        True,
        unit="",
        about="whether the solver, with truth, follows also what the network's grid keeps of it: how close to the truth one could be",
    )
    mesh: str | None = value(
        None,
        unit="",
        about="file of the closed surface (.obj or .stl), start shape; a built-in one if null",
    )

    @property
    def sensitive(self) -> bool:
        """Whether the solver follows it once more, from what the network's grid keeps of it."""
        return self.truth and self.sensitivity and self.start not in GRIDDED


# phi of start bulk: the wells, and next to them, where the middle of a small domain is
BULK = (0.0, 0.03, 0.97, 1.0)
GRIDDED = ("layers", "test", "bulk")  # starts of which a sensitivity would tell nothing new
# the paper's figures: 1 and 2 (test, larger, shape), 3 (slice), 4 to 6 (long), 6 (ensemble,
# ensemble_long)
CASES = {
    "test": {"start": "test"},
    "larger": {"start": "perlin", "size": 128, "frames": 101, "kept": 11, "mean": 0.5},
    "shape": {"start": "shape", "frames": 101, "kept": 11},
    "slice": {
        "start": "slice",
        "frames": 1001,
        "kept": 40,
        "spacing": "log",
        "mean": 0.5,
        "feature_size": 16,
    },
    "long": {
        "start": "perlin",
        "frames": 10_001,
        "kept": 60,
        "spacing": "log",
        "mean": 0.5,
        "feature_size": 16,
    },
    "ensemble": {"start": "perlin", "count": 20, "frames": 201, "kept": 30, "spacing": "log"},
    "ensemble_long": {
        "start": "perlin",
        "count": 10,
        "frames": 5001,
        "kept": 40,
        "spacing": "log",
        "truth": False,
    },
    "box": {
        "start": "perlin",
        "size": 128,
        "count": 5,
        "frames": 2001,
        "kept": 30,
        "spacing": "log",
        "mean": 0.5,
        "feature_size": 16,
        "sensitivity": False,
    },
    "bulk": {"start": "bulk", "frames": 201, "kept": 11},
    "symmetric": {"start": "symmetric", "frames": 101, "kept": 11, "mean": 0.5},
}


class Costs(Section):
    """The table of time and error of all methods from one start."""

    frames: int | None = value(
        None,
        unit="frames",
        ge=1,
        le=100_000,
        about="after which fields and free energies are compared; as many as a training sequence has after its first if null",
    )
    repeats: int = value(
        3,
        unit="runs",
        ge=0,
        le=1000,
        about="of each method in turn, the median of whose times counts (0: no table)",
    )


class Rollout(Section):
    """What the trained networks are asked for."""

    models: list[Model] | None = value(
        None, unit="", min_length=1, about="which go on alone; all that are trained if null"
    )
    memory: int | None = value(
        None,
        unit="frames",
        ge=0,
        le=1_000_000,
        about="after which a network's hidden states begin anew at 0; as many as in training, generate.frames - 1, if null; 0: they never "
        "do, as published",
    )
    cases: dict[str, Case] = value(
        default_factory=lambda: {name: Case(**case) for name, case in CASES.items()},
        unit="",
        about="by name; what is left out of a case of the paper is as there",
    )
    without: list[str] = value([], unit="", about="cases that are left out, by name")
    costs: Costs = value(default_factory=Costs, unit="", about="the table of time and error")

    @property
    def followed(self) -> dict[str, Case]:
        """The cases that are not left out, by name."""
        return {name: case for name, case in self.cases.items() if name not in self.without}

    @pydantic.field_validator("cases", mode="before")
    @classmethod
    def _as_in_the_paper(cls, cases):
        """Known names need not say everything again."""
        if not isinstance(cases, dict):
            return cases
        return {
            name: {**CASES.get(name, {}), **(case or {})} if isinstance(case, dict | None) else case
            for name, case in cases.items()
        }

    @pydantic.model_validator(mode="after")
    def _sound(self):
        for name in self.without:
            if name not in self.cases:
                raise ValueError(
                    f"rollout.without = {self.without}: {name} is none of the cases {', '.join(self.cases)}"
                )
        for name, case in self.cases.items():
            key = f"rollout.cases.{name}"
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(
                    f"{key}: expected a name of letters, digits, _ and -: it names a folder"
                )
            if case.size is not None and case.size % 2:
                raise ValueError(
                    f"{key}.size = {case.size}: expected an even number at least 8 [cells]"
                )
            if case.kept is not None and case.frames is not None and case.kept > case.frames:
                raise ValueError(
                    f"{key}.kept = {case.kept}: expected at most {key}.frames = {case.frames} [frames]"
                )
            for other in (
                ("mean", "feature_size", "noise")
                if case.start in ("test", "shape")
                else ("mean", "feature_size") * (case.start == "bulk")
                + ("noise",) * (case.start == "layers")
            ):
                if getattr(case, other) is not None:
                    raise ValueError(
                        f"{key}.{other} = {getattr(case, other):g}: expected null: start {case.start} has its own"
                    )
            if case.mesh is not None and case.start != "shape":
                raise ValueError(
                    f"{key}.mesh = {case.mesh}: only with start = shape, not {case.start}"
                )
            if case.count not in (None, 1) and case.start in ("shape", "layers"):
                raise ValueError(
                    f"{key}.count = {case.count}: expected 1, or null: start {case.start} holds nothing random [starts]"
                )
            if case.count is not None and case.start == "bulk":
                raise ValueError(
                    f"{key}.count = {case.count}: expected null: start bulk has one for each phi [starts]"
                )
        return self
