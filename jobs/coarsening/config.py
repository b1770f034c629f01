"""The coarsening config: which mixture, how many sequences of it, which networks learn them, how
far these go on alone.
"""

from typing import Literal

import pydantic

from jobs.coarsening.config_large import Large
from jobs.coarsening.config_rollout import Rollout
from jobs.coarsening.config_train import Train
from jobs.config import Section, each_once, value
from jobs.fates import Collect
from kernels.cahn_hilliard import REVISION, TOLERANCE
from kernels.conv_gru import SMALLEST_SIDE

SPLITS = (
    "train",
    "valid",
    "test",
)  # as The Well calls them; generate.training, .validation and .test say how many


class System(Section):
    """The box and F = integral of epsilon/2 |grad phi|^2 + 18/epsilon phi^2 (1 - phi)^2, wells at 0
    and 1, surface tension 1.
    """

    size: int = value(
        64,
        unit="cells",
        ge=8,
        le=1024,
        about="side of the periodic cube in which the truth is computed, even",
    )
    interface_width: float = value(
        3.0,
        unit="length",
        gt=0,
        le=1000,
        about="epsilon: a flat interface is 1/2 (1 - tanh(3 x / epsilon))",
    )
    mobility: float = value(
        1.0, unit="length^5 / energy / time", gt=0, le=1e6, about="M; sets the time unit"
    )
    spacing: float = value(
        1.0, unit="length", gt=0, le=1000, about="dx: side of a cell of the truth's grid"
    )
    downscale: Literal[1, 2, 4] = value(
        2, unit="", about="cells of the truth's grid along a side of one of the network's"
    )
    downscaling: Literal["nearest", "block_mean"] = value(
        "nearest",
        unit="",
        about="what a cell of the network's grid holds: the first of the truth's cells (as in the paper), or their mean",
    )

    @property
    def network_size(self) -> int:
        """Cells a side of the grid that the network sees."""
        return self.size // self.downscale

    @property
    def network_spacing(self) -> float:
        """Side of a cell that the network sees, length."""
        return self.spacing * self.downscale

    @pydantic.model_validator(mode="after")
    def _even(self):
        if self.size % 2:
            raise ValueError(
                f"system.size = {self.size}: expected an even number at least 8 and at most 1024 [cells]"
            )
        if self.size % self.downscale:
            raise ValueError(
                f"system.size = {self.size}: expected a multiple of system.downscale = {self.downscale} [cells]"
            )
        return self


class Generate(Section):
    """Sequences of frames from Perlin noise on, or from later.  A unit is a block of one split that
    starts at one time.
    """

    training: int = value(1295, unit="sequences", ge=1, le=1_000_000, about="to train on")
    validation: int = value(
        555,
        unit="sequences",
        ge=1,
        le=1_000_000,
        about="to watch the training and choose the best epoch",
    )
    test: int = value(
        40,
        unit="sequences",
        ge=1,
        le=1_000_000,
        about="that no network sees before it is trained (not in the paper)",
    )
    frames: int = value(
        50, unit="frames", ge=2, le=100_000, about="of a sequence, its first field among them"
    )
    interval: float = value(1.0, unit="time", gt=0, le=1e6, about="between two frames")
    scheme: Literal["adaptive", "explicit"] = value(
        "adaptive",
        unit="",
        about="of the solver: spectral with varying steps, or forward Euler as in the paper; the same stencil",
    )
    step: float = value(2.5e-3, unit="time", gt=0, le=1e6, about="of the explicit scheme")
    tolerance: float = value(
        TOLERANCE,
        unit="",
        gt=0,
        lt=1,
        about="error of an adaptive step relative to the fluctuation, rms",
    )
    solver_revision: int = value(
        REVISION,
        neutral=1,
        unit="",
        ge=1,
        le=REVISION,
        about="of the solver that makes, or made, the sequences",
    )
    mean: float = value(0.5, unit="", gt=0, lt=1, about="of phi, on average over the sequences")
    mean_deviation: float = value(
        0.05,
        unit="",
        ge=0,
        lt=0.5,
        about="deviation of a sequence's mean, normal, cut at 2.5 of it",
    )
    feature_sizes: list[int] = value(
        # of 32, what becomes of them hangs on round-off: such noise all but lacks the waves that
        # grow
        [8, 16],
        unit="cells",
        min_length=1,
        about="between lattice points of the Perlin noise, dealt to the sequences at random",
    )
    noise: float = value(0.1, unit="", gt=0, le=0.5, about="rms of phi - mean at t = 0")
    later: float = value(
        0.5,
        unit="",
        ge=0,
        le=1,
        about="share of the units of each split that start later than from the noise",
    )
    latest_start: float = value(
        100.0,
        unit="time",
        gt=0,
        le=1e9,
        about="latest such start; they are uniform in (0, latest_start], in whole intervals",
    )
    sequences_per_unit: int = value(
        10, unit="sequences", ge=1, le=10_000, about="in a unit, at most"
    )

    @property
    def sequences(self) -> dict[str, int]:
        """How many sequences a split has, {"train": 1295, "valid": 555, "test": 40}."""
        return dict(zip(SPLITS, (self.training, self.validation, self.test), strict=True))

    @property
    def blocks(self) -> list[tuple[int, int, int]]:
        """(split, first sequence, how many) of each unit: those of train, then of valid, then of
        test.
        """
        per, counts = self.sequences_per_unit, self.sequences.values()
        return [
            (k, first, min(per, count - first))
            for k, count in enumerate(counts)
            for first in range(0, count, per)
        ]

    @property
    def units(self) -> int:
        return len(self.blocks)

    @property
    def times(self) -> list[float]:
        """Of the frames, since the first, time."""
        return [i * self.interval for i in range(self.frames)]

    @pydantic.model_validator(mode="after")
    def _in_range(self):
        low, high = self.mean - 2.5 * self.mean_deviation, self.mean + 2.5 * self.mean_deviation
        if low <= 0 or high >= 1:
            raise ValueError(
                f"generate.mean = {self.mean:g} and generate.mean_deviation = {self.mean_deviation:g}: means would be {low:g} to {high:g}; "
                "expected all above 0 and below 1"
            )
        each_once("generate.feature_sizes", self.feature_sizes, "cells")
        if self.later and self.latest_start < self.interval:
            least = f"at least generate.interval = {self.interval:g}"
            raise ValueError(
                f"generate.latest_start = {self.latest_start:g}: expected {least} [time]"
            )
        return self


class Coarsening(Section):
    """Everything that decides the result.  The device is not in it: it does not, beyond
    round-off.
    """

    def untrainable(self) -> str | None:
        if self.system.network_size >= SMALLEST_SIDE:
            return None
        return (
            f"system.size = {self.system.size}, system.downscale = {self.system.downscale}: the network needs "
            f"{SMALLEST_SIDE} cells a side"
        )

    study: Literal["coarsening"] = value("coarsening", unit="", about="the study")
    seed: int = value(1, unit="", ge=0, le=2**64 - 1, about="of all randomness")
    system: System = value(default_factory=System, unit="", about="the box and the free energy")
    generate: Generate = value(default_factory=Generate, unit="", about="the sequences")
    collect: Collect = value(default_factory=Collect, unit="", about="checks of the data")
    train: Train = value(default_factory=Train, unit="", about="the networks")
    rollout: Rollout = value(
        default_factory=Rollout, unit="", about="how far they go on alone, and from what"
    )
    large: Large = value(
        default_factory=Large, unit="", about="one large box, shared by all MPI ranks"
    )

    @property
    def compared(self) -> int:
        """Frames of the table of costs: just before hidden states begin anew, by default."""
        asked = self.rollout.costs.frames
        return self.generate.frames - 1 if asked is None else asked

    @property
    def memory(self) -> int:
        """Steps of a rollout after which a network's hidden states begin anew; 0: never."""
        asked = self.rollout.memory
        return self.generate.frames - 1 if asked is None else asked

    @pydantic.model_validator(mode="after")
    def _fits(self):
        s, g, cases = self.system, self.generate, self.rollout.cases
        features = [("generate.feature_sizes", f, s.size, "system.size") for f in g.feature_sizes]
        for name, case in cases.items():
            key = f"rollout.cases.{name}"
            size = case.size or s.size
            if size % s.downscale:
                raise ValueError(
                    f"{key}.size = {size}: expected a multiple of system.downscale = {s.downscale} [cells]"
                )
            if case.start == "test" and (case.size or s.size) != s.size:
                raise ValueError(
                    f"{key}.size = {case.size}: expected system.size = {s.size}, or null: it starts from the test set [cells]"
                )
            if case.start == "test" and case.frames is not None and case.frames > g.frames:
                raise ValueError(
                    f"{key}.frames = {case.frames}: expected at most generate.frames = {g.frames}: a test sequence has no more [frames]"
                )
            if case.start == "test" and case.count is not None and case.count > g.test:
                raise ValueError(
                    f"{key}.count = {case.count}: expected at most generate.test = {g.test} [sequences]"
                )
            if case.start != "test" and case.feature_size is not None:
                features.append((f"{key}.feature_size", case.feature_size, size, f"{key}.size"))
            elif case.start in ("perlin", "slice", "layers"):
                features += [
                    ("generate.feature_sizes", f, size, f"{key}.size") for f in g.feature_sizes
                ]
        for key, feature, size, of in features:
            if feature < 2 or size % feature:
                raise ValueError(
                    f"{key} = {feature}: expected a number at least 2 that divides {of} = {size} [cells]"
                )
        if self.train.batch > g.training:
            raise ValueError(
                f"train.batch = {self.train.batch}: expected at most generate.training = {g.training} [sequences]"
            )
        return self
