"""The flocking config: which lattice, which densities and temperatures, how the phases are found,
which networks learn them.
"""

import math
from typing import Literal

import pydantic

from jobs.config import MOST_UNITS, Ladder, Section, value
from jobs.flocking.config_train import Film, Predict, Train, Unsupervised
from kernels.active_ising import LARGEST_DENSITY

# of the networks: the pooling, done twice, maps of each convolution, neurons, classes (G, L+G, L)
POOL, FILTERS, NEURONS, CLASSES = 3, 6, 16, 3


def unpoolable(size: int) -> str | None:
    """Why a lattice of side `size` is none for the networks."""
    unit = POOL**2
    if size % unit == 0:
        return None
    below = max(unit, size // unit * unit)
    return (
        f"system.size = {size}: the networks pool twice by {POOL}; expected a multiple of {unit}, such "
        f"as {below} or {below + unit} [lattice sites]"
    )


class System(Section):
    """Particles of spin +1 and -1 on a periodic square lattice; those of spin +1 hop mostly to
    larger x.
    """

    size: int = value(
        81,
        unit="lattice sites",
        ge=3,
        le=4094,
        about="L: side of the lattice; the networks need a multiple of 9",
    )
    diffusion: float = value(
        1.0, unit="1 / time", ge=0, le=1e6, about="D: rate of hops in each direction"
    )
    self_propulsion: float = value(
        0.9, unit="", ge=0, le=1, about="epsilon: spin s hops along x at rates D (1 +- epsilon s)"
    )
    density: float = value(
        3.0,
        unit="particles / site",
        gt=0,
        le=LARGEST_DENSITY,
        about="rho0: of the slice that is learnt",
    )
    algorithm: Literal["auto", "standard", "continuous_time"] = value(
        "auto",
        unit="",
        about="standard: random-sequential steps; continuous_time: the same jump chain, faster at low T; auto: by T",
    )
    time_step: float | None = value(
        None,
        unit="time",
        gt=0,
        about="dt, with algorithm standard only; the longest, 1 / (4 D + e^(1/T)), if null",
    )


class Generate(Section):
    """Configurations of independent runs.  A unit is one density and temperature, all its runs
    (replicas).
    """

    first_temperature: float = value(0.2, unit="", gt=0, le=1000, about="lowest T")
    last_temperature: float = value(1.0, unit="", gt=0, le=1000, about="highest T")
    temperature_step: float = value(0.01, unit="", ge=1e-6, le=1000, about="between neighbouring T")
    replicas: int = value(
        10,
        unit="replicas",
        ge=1,
        le=100_000,
        about="of each T; of five, two start with all spins +1, two with all -1, one at random and hot",
    )
    samples: int = value(5, unit="configurations", ge=1, le=100_000, about="kept of each replica")
    annealing: float = value(
        2000.0,
        unit="time",
        ge=0,
        le=1e9,
        about="in which replicas that start at random are cooled from T = 1, before equilibration; 0: at T from the start",
    )
    equilibration: float = value(
        2000.0, unit="time", ge=0, le=1e9, about="before a replica's first configuration is kept"
    )
    interval: float = value(
        500.0, unit="time", gt=0, le=1e9, about="between the configurations of a replica"
    )
    observe: float = value(
        10.0,
        unit="time",
        gt=0,
        le=1e9,
        about="between looks at magnetization, profile and occupancy",
    )
    other_densities: list[float] = value(
        [], unit="particles / site", about="rho0 of further slices, for the phase diagram"
    )
    other_replicas: int = value(
        3, unit="replicas", ge=1, le=100_000, about="of each T, at the other densities"
    )
    other_samples: int = value(
        2, unit="configurations", ge=1, le=100_000, about="of each replica, at the other densities"
    )
    other_temperature_step: float = value(
        0.02, unit="", ge=1e-6, le=1000, about="between neighbouring T, at the other densities"
    )

    def temperatures(self, other: bool = False) -> Ladder:
        """T of the slice to learn on, or of each of the others, to six places."""
        key = "other_temperature_step" if other else "temperature_step"
        step = getattr(self, key)
        return Ladder(self.first_temperature, self.last_temperature, step, f"generate.{key}")

    @property
    def units(self) -> int:
        others = self.other_densities
        return len(self.temperatures()) + (
            len(others) * len(self.temperatures(other=True)) if others else 0
        )

    @pydantic.model_validator(mode="after")
    def _in_order(self):
        if self.last_temperature < self.first_temperature:
            raise ValueError(
                f"generate.last_temperature = {self.last_temperature}: expected at least generate.first_temperature = "
                f"{self.first_temperature}"
            )
        if self.units > MOST_UNITS:
            raise ValueError(
                f"generate.other_temperature_step = {self.other_temperature_step}: {self.units} densities and temperatures in all; "
                f"at most {MOST_UNITS} are one run"
            )
        others = self.other_densities
        if not all(0 < density <= LARGEST_DENSITY for density in others) or len(set(others)) < len(
            others
        ):
            limits = f"above 0 and at most {LARGEST_DENSITY:g}"
            raise ValueError(
                f"generate.other_densities = {others}: expected numbers {limits}, each once [particles / site]"
            )
        return self


class Flocking(Section):
    """Everything that decides the result.  The device is not in it: it does not, beyond the
    networks' round-off.
    """

    def untrainable(self) -> str | None:
        return unpoolable(self.system.size)

    study: Literal["flocking"] = value("flocking", unit="", about="the study")
    seed: int = value(1, unit="", ge=0, le=2**64 - 1, about="of all randomness")
    system: System = value(default_factory=System, unit="", about="the lattice and the rates")
    generate: Generate = value(default_factory=Generate, unit="", about="the configurations")
    unsupervised: Unsupervised = value(
        default_factory=Unsupervised, unit="", about="how the phases are found without labels"
    )
    film: Film = value(default_factory=Film, unit="", about="a replica to look at")
    train: Train = value(default_factory=Train, unit="", about="the networks")
    predict: Predict = value(default_factory=Predict, unit="", about="what they are asked for")

    @property
    def points(self) -> list[tuple[float, float, int, int]]:
        """(density, temperature, replicas, samples) of every unit: the slice to learn on first,
        then the others in order.
        """
        g = self.generate
        here = [(self.system.density, t, g.replicas, g.samples) for t in g.temperatures()]
        other = g.temperatures(other=True) if g.other_densities else []
        return here + [
            (density, t, g.other_replicas, g.other_samples)
            for density in g.other_densities
            for t in other
        ]

    @pydantic.model_validator(mode="after")
    def _possible(self):
        s, g = self.system, self.generate
        if s.density in g.other_densities:
            raise ValueError(
                f"generate.other_densities = {g.other_densities}: has system.density = {s.density}, whose slice comes first"
            )
        for density in (s.density, *g.other_densities):
            if round(density * s.size**2) < 1:
                raise ValueError(
                    f"density {density}: no particle on {s.size} x {s.size} sites; raise it [particles / site]"
                )
        if "all" in self.train.sets and not g.other_densities:
            raise ValueError(
                f"train.sets = {self.train.sets}: all needs densities beside system.density; give generate.other_densities"
            )
        if s.time_step is not None and s.algorithm != "standard":
            raise ValueError(
                f"system.time_step = {s.time_step}: expected null with algorithm {s.algorithm}: only standard has one"
            )
        longest = 1 / (4 * s.diffusion + math.exp(min(700.0, 1 / g.first_temperature)))
        if s.time_step is not None and s.time_step > longest * (1 + 1e-12):
            raise ValueError(
                f"system.time_step = {s.time_step}: expected at most {longest:.6g} [time], 1 / (4 D + e^(1/T)) at "
                f"generate.first_temperature = {g.first_temperature}: a longer one makes a probability exceed 1"
            )
        return self
