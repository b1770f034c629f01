"""The segregation config: which mixture, how many samples of it, which networks learn it."""

import math
from itertools import pairwise
from typing import Literal

import pydantic

from jobs import fates
from jobs.config import Ladder, Section, value
from jobs.segregation.config_train import Predict, Train
from kernels.cahn_hilliard import REVISION, TOLERANCE

SPLITS = (
    "train",
    "valid",
    "test",
)  # as The Well calls them; generate.training, .validation and .test say how many
SPINODAL = (
    0.5 - math.sqrt(1 / 12),
    0.5 + math.sqrt(1 / 12),
)  # f'' < 0 between them: a mixture there segregates from any noise

# ages at which fields are kept, unless generate.times gives others, beside 0 and the steady state:
# so many growth times of the fastest wave, then so many times twice the age of the one before
GROWTH_TIMES, DOUBLINGS = 2, 7
LONGEST = 4  # growth times that linear theory may cover, as the first step of a network
FOLDINGS = 3  # growth times that it covers as a forecast of its own
FEWEST_HALVINGS = 3  # of a side, by the networks


class System(Section):
    """The box and the free energy F = integral of well_depth c^2 (1 - c)^2 + epsilon^2/2 |grad
    c|^2, wells at c = 0 and 1.
    """

    size: int = value(
        64, unit="cells", ge=16, le=4096, about="L: side of the periodic square, even"
    )
    epsilon: float = value(
        3.0,
        unit="sqrt(energy / length)",
        gt=0,
        about="epsilon: price of a gradient, width of an interface",
    )
    well_depth: float = value(1.0, unit="energy / area", gt=0, about="a: depth of the wells")
    mobility: float = value(
        1.0,
        unit="length^4 / energy / time",
        gt=0,
        about="M: the diffusion coefficient over f''; sets the time unit",
    )
    spacing: float = value(1.0, unit="length", gt=0, about="dx: side of a cell")

    @pydantic.model_validator(mode="after")
    def _even(self):
        if self.size % 2:
            raise ValueError(
                f"system.size = {self.size}: expected an even number at least 16 and at most 4096 [cells]"
            )
        return self


class Generate(Section):
    """Samples: a uniform mixture with noise, run to its steady state.  Unit i is all samples of the
    i-th mean concentration.
    """

    first_mean: float = value(0.05, unit="", gt=0, lt=1, about="smallest mean concentration")
    last_mean: float = value(0.94, unit="", gt=0, lt=1, about="largest mean concentration")
    mean_step: float = value(
        0.01, unit="", ge=1e-6, lt=1, about="between neighbouring mean concentrations"
    )
    noise: float = value(
        0.1,
        unit="",
        gt=0,
        le=0.5,
        about="amplitude of the first field's noise, uniform in [-noise, noise]",
    )
    training: int = value(96, unit="samples", ge=1, le=1_000_000, about="of each mean, to train on")
    validation: int = value(
        8,
        unit="samples",
        ge=1,
        le=1_000_000,
        about="of each mean, to watch the training (not in the paper)",
    )
    test: int = value(
        96,
        unit="samples",
        ge=1,
        le=1_000_000,
        about="of each mean, that no network sees before it is trained",
    )
    times: list[float] | None = value(
        None,
        unit="time",
        min_length=1,
        about="ages at which fields are kept, from 0 on, and then the steady state; if null 0, "
        f"{GROWTH_TIMES} growth times of the fastest wave, and {DOUBLINGS} doublings of them",
    )
    tolerance: float = value(
        TOLERANCE,
        unit="",
        gt=0,
        lt=1,
        about="error of a step relative to the fluctuation, rms; fates do not hang on the default",
    )
    steady_state: float = value(
        1.0e-11,
        unit="",
        gt=0,
        lt=1,
        about="steady: F falls by less, units of well_depth / 4 an area in 1 / (mobility well_depth)",
    )
    solver_revision: int = value(
        REVISION,
        unit="",
        neutral=1,
        ge=1,
        le=REVISION,
        about="of the solver that makes, or made, the samples",
    )

    def _ladder(self) -> Ladder:
        return Ladder(self.first_mean, self.last_mean, self.mean_step, "generate.mean_step")

    @property
    def means(self) -> list[float]:
        """Mean concentrations, to six places; unit i has the i-th."""
        return [*self._ladder()]

    @property
    def units(self) -> int:
        return len(self._ladder())

    @property
    def samples(self) -> dict[str, int]:
        """How many samples of each mean a split has, {"train": 96, "valid": 8, "test": 96}."""
        return dict(zip(SPLITS, (self.training, self.validation, self.test), strict=True))

    @pydantic.model_validator(mode="after")
    def _in_order(self):
        if self.last_mean < self.first_mean:
            raise ValueError(
                f"generate.last_mean = {self.last_mean}: expected at least generate.first_mean = {self.first_mean}"
            )
        self._ladder()  # not more than units can be
        times = self.times or [0.0]
        if times[0] != 0 or any(b <= a for a, b in pairwise(times)):
            raise ValueError(
                f"generate.times = {self.times}: expected increasing numbers from 0 on [time]"
            )
        return self


class Collect(fates.Collect):
    """What collect asks of the data beside putting them together."""

    foretold: int = value(
        60,
        unit="mixtures",
        ge=0,
        le=10_000,
        about="of the test set, run to their ends again from perturbed inputs: how far ahead one can see (0: none)",
    )
    perturbations: list[float] = value(
        [1e-4, 1e-3, 1e-2], unit="", min_length=1, about="rms of the noise added to these inputs"
    )

    @pydantic.model_validator(mode="after")
    def _small(self):
        if not all(0 < rms <= 0.1 for rms in self.perturbations):
            raise ValueError(
                f"collect.perturbations = {self.perturbations}: expected numbers above 0 and at most 0.1"
            )
        return self


class Segregation(Section):
    """Everything that decides the result.  The device is not in it: it does not, beyond
    round-off.
    """

    def untrainable(self) -> str | None:
        if self.system.size % 2**FEWEST_HALVINGS:
            return (
                f"system.size = {self.system.size}: the networks halve the side; expected a multiple of "
                f"{2**FEWEST_HALVINGS} [cells]"
            )
        longest = LONGEST * self.growth_time
        if (
            "l1_forward_steps" in self.train.models
            and not 0 < max(self.times[1:2], default=0) <= longest
        ):
            return (
                f"generate.times = {self.times}: l1_forward_steps of train.models begins by linear theory and needs a second time "
                f"of at most {longest:.3g} [time]; or leave it out of train.models"
            )
        return None

    @property
    def growth_time(self) -> float:
        """In which the fastest wave of all mixtures grows e-fold, time."""
        s = self.system
        return 4 * s.epsilon**2 / (s.mobility * s.well_depth**2)

    @property
    def times(self) -> list[float]:
        """The ages at which fields are kept, from 0 on."""
        if self.generate.times is not None:
            return self.generate.times
        first = GROWTH_TIMES * self.growth_time
        return [0.0, *(float(f"{first * 2**doubling:.3g}") for doubling in range(DOUBLINGS + 1))]

    study: Literal["segregation"] = value("segregation", unit="", about="the study")
    seed: int = value(1, unit="", ge=0, le=2**64 - 1, about="of all randomness")
    system: System = value(default_factory=System, unit="", about="the box and the free energy")
    generate: Generate = value(default_factory=Generate, unit="", about="the samples")
    collect: Collect = value(default_factory=Collect, unit="", about="checks of the data")
    train: Train = value(default_factory=Train, unit="", about="the networks")
    predict: Predict = value(default_factory=Predict, unit="", about="what they are asked for")

    @pydantic.model_validator(mode="after")
    def _enough(self):
        g, t, p = self.generate, self.train, self.predict
        for key, wanted, source, each in (
            ("train.samples", t.samples, "training", g.training),
            ("predict.samples", p.samples, "test", g.test),
        ):
            if wanted is not None and wanted > g.units * each:
                raise ValueError(
                    f"{key} = {wanted}: there are {g.units * each} samples (generate.{source} = {each} of each of {g.units} mean "
                    f"concentrations); raise generate.{source}, or lower {key}"
                )
        training = t.samples or g.units * g.training
        if t.batch > training:
            raise ValueError(
                f"train.batch = {t.batch}: expected at most the {training} samples there are to train on [samples]"
            )
        return self
