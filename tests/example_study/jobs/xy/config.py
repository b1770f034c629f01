"""The XY study's config."""

from typing import Literal

from jobs.config import MOST_UNITS, Section, value


class System(Section):
    """Angles theta on a periodic square lattice, H = - sum of cos(theta - theta') of neighbours."""

    size: int = value(32, unit="lattice sites", ge=4, le=1024, about="L: side of the lattice")
    temperature: float = value(0.2, unit="J / k_B", ge=0, about="T that is quenched to")


class Generate(Section):
    """Independent quenches from angles at random; a unit is some of them."""

    units: int = value(2, unit="units", ge=1, le=MOST_UNITS, about="how many shards")
    quenches: int = value(4, unit="quenches", ge=1, le=1000, about="in a unit")
    times: list[float] = value(
        [1.0, 3.0, 10.0, 30.0], unit="time", min_length=1, about="when vortices are counted"
    )
    step: float = value(0.05, unit="time", gt=0, le=0.1, about="of the Langevin dynamics")


class XY(Section):
    """Everything that decides the result."""

    study: Literal["xy"] = value("xy", unit="", about="the study")
    seed: int = value(1, unit="", ge=0, le=2**64 - 1, about="of all randomness")
    system: System = value(default_factory=System, unit="", about="the lattice")
    generate: Generate = value(default_factory=Generate, unit="", about="the quenches")
