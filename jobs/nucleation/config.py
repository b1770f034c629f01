"""The nucleation config: which system, how many events, how they are labelled, balanced and
learnt.
"""

from typing import Literal

import numpy as np
import pydantic

from jobs.config import Section, each_once, precision, threads, value
from kernels.forward_flux import MOST_REPEATS
from kernels.ising import checked, critical_temperature


class System(Section):
    """The lattice, its couplings, its temperature and the field that is reversed.  k_B = 1."""

    interaction: Literal["nearest", "square", "disk", "kac", "power_law"] | None = value(
        None, unit="", about="shape of J(r); range 1 means nearest, any other range square"
    )
    range: int | float = value(
        1,
        unit="lattice sites",
        gt=0,
        about="R: half the square's side, the disk's radius, or Kac's decay length",
    )
    size: int = value(unit="lattice sites", ge=3, le=4096, about="L: side of the periodic lattice")
    temperature: float | None = value(
        None, unit="energy / k_B", gt=0, about="T; 4/9 of the critical temperature if null"
    )
    field: float = value(
        unit="energy",
        gt=0,
        about="h: strength of the field, up before the quench and down after it (a spin's couplings add up to 4)",
    )
    exponent: float | None = value(None, unit="", gt=0, about="of the power law J ~ r^-exponent")
    dynamics: Literal["metropolis", "heat_bath"] = value(
        "metropolis",
        unit="",
        neutral="metropolis",
        about="a spin flips with min(1, exp(-dE / T)), or with 1 / (1 + exp(dE / T)), Glauber's",
    )

    @pydantic.model_validator(mode="after")
    def _complete(self):
        if self.interaction is None:
            self.interaction = "nearest" if self.range == 1 else "square"
        if self.range == int(self.range):
            self.range = int(self.range)
        if (self.exponent is not None) != (self.interaction == "power_law"):
            raise ValueError(
                f"system.exponent = {self.exponent}: expected a number above 0 with interaction "
                f"power_law, and null with any other (here {self.interaction})"
            )
        if self.temperature is None:
            self.temperature = 4 / 9 * critical_temperature(self.interaction)
        try:
            checked(
                self.interaction, self.size, self.range, self.temperature, self.field, self.exponent
            )
        except ValueError as error:
            raise ValueError(f"system.{error}") from None
        return self


class Adaptive(Section):
    """Copies where they tell something: a pilot finds the times at which nucleation is neither sure
    nor hopeless.
    """

    enabled: bool = value(False, unit="", about="label only the times a pilot finds worth it")
    pilot_copies: int = value(
        16, unit="copies", ge=2, le=1000, about="copies of the pilot, never used for labels"
    )
    dissenters: int = value(
        1,
        unit="copies",
        ge=0,
        le=500,
        about="a time is decided if at most so many of the pilot's copies differ from the rest",
    )
    margin: int = value(
        1, unit="MCS", ge=0, le=1000, about="times labelled on either side of the undecided ones"
    )
    extremes: float = value(
        0.05, unit="", ge=0, le=1, about="share of the decided times labelled all the same"
    )
    standard_error: float | None = value(
        None,
        unit="",
        gt=0,
        lt=0.5,
        about="of p_nuc: copies go on until it is reached; one round if null",
    )
    max_copies: int = value(
        1000, unit="copies", ge=1, le=100_000, about="where the rounds stop at the latest"
    )


class Generate(Section):
    """Events and their intervention copies.  Unit i is a function of the config and i alone, so
    `units` may grow.
    """

    units: int = value(
        unit="units",
        ge=1,
        le=100_000,
        about="how many shards, the pieces that tasks and ranks share",
    )
    events: int = value(unit="events", ge=1, le=100_000, about="nucleation events in a unit")
    history: int = value(
        50, unit="MCS", ge=1, le=1000, about="how long before m <= 0 configurations are kept"
    )
    copies: int = value(
        100, unit="copies", ge=1, le=100_000, about="copies of each configuration, in each round"
    )
    window: int = value(
        10, unit="MCS", ge=0, le=1000, about="how much later than the original a copy may nucleate"
    )
    reading: Literal["one_sided", "two_sided"] = value(
        "one_sided",
        unit="",
        about="a copy counts if it is at most `window` late, or also at most `window` early",
    )
    equilibration: int = value(
        50, unit="MCS", ge=1, le=1_000_000, about="with the field up, before the quench"
    )
    max_lifetime: int | None = value(
        None, unit="MCS", ge=1, le=2_000_000_000, about="give up on an event after this"
    )
    adaptive: Adaptive = value(default_factory=Adaptive, unit="", about="the pilot")

    @pydantic.model_validator(mode="after")
    def _rounds(self):
        if 2 * self.adaptive.dissenters >= self.adaptive.pilot_copies:
            raise ValueError(
                f"generate.adaptive.dissenters = {self.adaptive.dissenters}: expected less than half of "
                f"generate.adaptive.pilot_copies = {self.adaptive.pilot_copies} [copies]"
            )
        if self.adaptive.enabled and self.adaptive.max_copies < self.copies:
            raise ValueError(
                f"generate.adaptive.max_copies = {self.adaptive.max_copies}: expected at least "
                f"generate.copies = {self.copies} [copies]"
            )
        return self


class Collect(Section):
    """From shards to a balanced data set."""

    bins: int = value(
        33, unit="bins", ge=1, le=1000, about="bins of p_nuc, each thinned to the rarest"
    )
    bonds: Literal["coniglio_klein", "density_corrected"] | None = value(
        None,
        unit="",
        about="bond rule of the clusters; coniglio_klein for nearest, else density_corrected",
    )
    bond_strength: float = value(
        1.0,
        unit="",
        gt=0,
        le=100,
        neutral=1.0,
        about="s of the bonds' probability 1 - exp(-s x) where the rule has 1 - exp(-x)",
    )


Model = Literal[
    "spins",
    "features",
    "features_converged",
    "cnn_2layer",
    "cnn_4layer",
    "notebook",
    "torus",
    "torus_window",
]
Split = Literal["event", "configuration"]


class Train(Section):
    """The models and how they are trained: soft labels, cross entropy, early stopping,
    cross-validation.
    """

    models: list[Model] = value(
        ["spins", "features", "features_converged", "cnn_2layer", "torus", "torus_window"],
        unit="",
        min_length=1,
        about="the paper's logistic regressions on spins and on features (by Adam, and converged), its CNN of two or four "
        "layers, its authors' notebook's, and our own on the torus, without and with the time that the copies had",
    )
    splits: list[Split] = value(
        ["event"],
        unit="",
        min_length=1,
        about="what is dealt into folds: whole events, or single configurations as in the paper",
    )
    folds: int = value(10, unit="folds", ge=1, le=100, about="of the cross-validation")
    training: int | None = value(
        12_000,
        unit="configurations",
        ge=1,
        about="to train on in each fold; all that are left if null",
    )
    validation: int = value(
        1000, unit="configurations", ge=1, about="that stop the training, in each fold"
    )
    test: int = value(
        2000, unit="configurations", ge=1, about="that are only predicted, in each fold"
    )
    kernel: int | None = value(
        None,
        unit="lattice sites",
        ge=1,
        le=31,
        about="side of the CNNs' filters; 3 at R = 1, else 5, as the authors'",
    )
    batch: int = value(64, unit="configurations", ge=1, about="in one step of the optimiser")
    learning_rate: float = value(1.0e-3, unit="", gt=0, lt=1, about="of Adam")
    patience: int = value(
        10, unit="epochs", ge=1, about="without a better validation loss, then it ends"
    )
    max_epochs: int = value(
        200, unit="epochs", ge=1, le=100_000, about="where it ends at the latest"
    )
    precision: Literal["float32", "bfloat16"] = precision(
        "in which the paper's CNNs train; bfloat16 (autocast) takes about half the time; predictions: float32",
    )
    threads: int = threads()

    @property
    def networks(self) -> list[str]:
        """Names of all networks to train, SPLIT/MODEL/fold-K; fold 0 of every model first, to have
        something to look at.
        """
        return [
            f"{by}/{model}/fold-{fold}"
            for fold in range(self.folds)
            for by in self.splits
            for model in self.models
        ]

    @pydantic.model_validator(mode="after")
    def _complete(self):
        each_once("train.models", self.models)
        each_once("train.splits", self.splits)
        if self.kernel is not None and self.kernel % 2 == 0:
            raise ValueError(
                f"train.kernel = {self.kernel}: expected an odd number [lattice sites]"
            )
        return self


class Occlusion(Section):
    """Which part of a configuration a network looks at (paper, section V.B)."""

    patch: int | None = value(
        None,
        unit="lattice sites",
        ge=1,
        about="side of the square that is covered; 20, but at most L/5, if null",
    )
    fill: Literal["zeros", "up"] = value(
        "zeros",
        unit="",
        about="what covers it: 0 as in the paper, or metastable spins as in the authors' code",
    )
    stride: int = value(
        1, unit="lattice sites", ge=1, about="between neighbouring places of the square"
    )
    places: int | None = value(
        None,
        unit="places",
        ge=1,
        about="so many random places in each configuration; every place if null",
    )
    configurations: int = value(
        200,
        unit="configurations",
        ge=0,
        about="of each fold's test set that are covered (0: no maps)",
    )


class Predict(Section):
    """What the trained networks are asked for."""

    models: list[Model] = value(
        ["cnn_2layer", "torus"],
        unit="",
        min_length=1,
        about="whose occlusion maps are made, where they are trained",
    )
    split: Split = value("event", unit="", about="of the folds whose networks are used")
    folds: int | None = value(
        None, unit="folds", ge=1, about="how many folds' networks are used; all if null"
    )
    occlusion: Occlusion = value(default_factory=Occlusion, unit="", about="the maps")


UNASKED = 8  # samplings, where a config names no number


class Rates(Section):
    """The rate of nucleation by forward flux sampling, also where no event is waited for."""

    repeats: int = value(
        0,
        unit="samplings",
        ge=0,
        le=MOST_REPEATS,
        about="independent ones, whose scatter is the error; 0: `all` leaves the stage out, which "
        "takes 8 by its own name",
    )
    trials: int = value(
        16_384,
        unit="trials",
        ge=2,
        le=100_000_000,
        about="from each interface, more where fewer than a quarter of them reach the next",
    )
    coordinate: Literal["magnetization", "largest_cluster"] = value(
        "magnetization", unit="", about="along which the interfaces are"
    )
    every: int = value(1, unit="MCS", ge=1, le=63, about="between two looks at the largest cluster")

    @property
    def samplings(self) -> int:
        """How many the stage takes when it is asked for."""
        return self.repeats or UNASKED


# Balanced configurations an event gives, from 50 MCS of history, in the systems of the paper as
# they were made here (range: configurations / event); none gave more than 0.27 of its history.
YIELD = {1: 13.2, 3: 2.2, 5: 2.1, 10: 3.1, 15: 4.1, 20: 6.1}
MOST = 0.4


class Nucleation(Section):
    """Everything that decides the result.  The device is not in it: it does not."""

    def untrainable(self) -> str | None:
        g = self.generate
        if self.needed <= MOST * g.units * g.events * g.history:
            return None
        return (
            f"generate.units = {g.units}, generate.events = {g.events}: too few for the networks: each fold takes "
            f"{self.needed} configurations, and {g.units * g.events} events give about {self.expected}; "
            "raise them, or lower train.training, train.validation and train.test"
        )

    def unfit(self, stage: str) -> str | None:
        if stage != "rates" or self.system.interaction in ("nearest", "square"):
            return None
        return (
            f"system.interaction = {self.system.interaction}: no rates of it by forward flux sampling; "
            "its trials are for nearest and square alone"
        )

    @property
    def needed(self) -> int:
        """Configurations that a fold takes."""
        return self.train.test + self.train.validation + (self.train.training or 1)

    @property
    def expected(self) -> int:
        """Balanced configurations that the events may give, by what other systems gave."""
        g = self.generate
        each = np.interp(self.system.range or 1, [*YIELD], [*YIELD.values()])
        return int(float(f"{g.units * g.events * each * g.history / 50:.2g}"))

    study: Literal["nucleation"] = value("nucleation", unit="", about="the study")
    seed: int = value(1, unit="", ge=0, le=2**64 - 1, about="of all randomness")
    system: System = value(unit="", about="the lattice and its field")
    generate: Generate = value(unit="", about="events and labels")
    collect: Collect = value(default_factory=Collect, unit="", about="balancing")
    train: Train = value(default_factory=Train, unit="", about="the networks")
    predict: Predict = value(default_factory=Predict, unit="", about="what they are asked for")
    rates: Rates = value(default_factory=Rates, unit="", about="forward flux sampling")

    @pydantic.model_validator(mode="after")
    def _complete(self):
        if self.collect.bonds is None:
            self.collect.bonds = (
                "coniglio_klein" if self.system.interaction == "nearest" else "density_corrected"
            )
        size = self.system.size
        if self.train.kernel is None:
            self.train.kernel = 3 if self.system.range == 1 else 5
        kernel = self.train.kernel
        if "notebook" in self.train.models and ((size - kernel + 1) // 2 - kernel + 1) // 2 < 1:
            raise ValueError(
                f"train.models = {self.train.models}: nothing is left of system.size = {size} after notebook's two filters of "
                f"train.kernel = {kernel} and its two pools; leave it out, or lower train.kernel [lattice sites]"
            )
        if self.predict.occlusion.patch is None:
            self.predict.occlusion.patch = max(1, min(20, size // 5))
        if self.predict.occlusion.patch > size:
            raise ValueError(
                f"predict.occlusion.patch = {self.predict.occlusion.patch}: expected at most system.size = {size} [lattice sites]"
            )
        if self.rates.repeats == 1:
            raise ValueError(
                "rates.repeats = 1: expected 0, or 2 and more, whose scatter is the error [samplings]"
            )
        if self.rates.repeats and self.system.interaction not in ("nearest", "square"):
            raise ValueError(
                f"rates.repeats = {self.rates.repeats}: expected 0 with system.interaction = "
                f"{self.system.interaction}; trials are for nearest and square alone [samplings]"
            )
        if self.collect.bins > self.generate.copies:
            raise ValueError(
                f"collect.bins = {self.collect.bins}: expected at most generate.copies = "
                f"{self.generate.copies} [bins], or some bins could never fill"
            )
        return self
