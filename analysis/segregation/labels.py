"""Names and colours: the paper's six quantities, and the networks as every figure and table calls
them.

Predictions, histories and pictures of networks are kept by a key: the model's name, with what tells
several of one model apart after a slash.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from analysis import style

T = TypeVar("T")


@dataclass(frozen=True)
class Quantity:
    """name: in files; title: in words; unit: of its axis ("": pure number); column: its name in
    dataset.h5, None: a sum.
    """

    name: str
    title: str
    unit: str
    column: str | None

    @property
    def axis(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


SIX = (
    Quantity("mean_concentration", "mean concentration", "", "mean"),
    Quantity("area", "area", r"length$^2$", "area"),
    Quantity("perimeter", "perimeter", "length", "perimeter"),
    Quantity("chemical_energy", "chemical energy", "energy", "chemical_energy"),
    Quantity("surface_energy", "surface energy", "energy", "surface_energy"),
    Quantity("free_energy", "free energy", "energy", None),
)
NAMED_IN_ABSTRACT = ("area", "perimeter", "free_energy")


@dataclass(frozen=True)
class Model:
    """A network: title in figures and tables, colour, marker, and dash of a line that may cover
    others; reverse: from segregated to mixed; gan: it has a discriminator; conserving: it keeps the
    mean by construction.
    """

    title: str
    colour: str
    marker: str
    dash: str | tuple = "-"
    reverse: bool = False
    gan: bool = True
    conserving: bool = False


PAPERS, L1_ALONE, CONSERVING, STEPS, REVERSE = (
    "gan_forward",
    "l1_forward",
    "gan_forward_conserving",
    "l1_forward_steps",
    "gan_reverse",
)
MODELS = {
    L1_ALONE: Model("L1 alone", style.VERMILION, "s", gan=False),
    PAPERS: Model("L1 + GAN", style.BLUE, "o", (0, (4, 1.5))),
    CONSERVING: Model("L1 + GAN, conserving", style.GREEN, "^", (0, (1.5, 1)), conserving=True),
    STEPS: Model("stepping (ours)", style.ORANGE, "D", "-.", gan=False, conserving=True),
    "l1_reverse": Model("L1 alone, reverse", style.VERMILION, "s", reverse=True, gan=False),
    REVERSE: Model("L1 + GAN, reverse", style.BLUE, "o", (0, (4, 1.5)), reverse=True),
}
TRUTH = "black"  # the colour of what the equation gives
MEAN_ALONE = "mean concentration alone"  # a prediction that has seen no field
AGE = "age (time)"  # of a field: the label of its axis


def ages(times: Iterable[float]) -> str:
    """Those at which fields are kept, in words; inf: the steady state."""
    return listed(["the steady state" if np.isinf(t) else f"{t:g}" for t in times])


def listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def model_of(key: str) -> str:
    """The model of a key."""
    return key.partition("/")[0]


def look(key: str) -> Model:
    """How a network is shown."""
    return MODELS[model_of(key)]


def title(key: str) -> str:
    """A network in figures, where "reverse" is said once for all."""
    return look(key).title.removesuffix(", reverse")


def file_name(key: str) -> str:
    """A network in the names of files."""
    return key.replace("/", "-")


def ordered(by_network: Mapping[str, T]) -> dict[str, T]:
    """What is kept of networks, in the order of MODELS."""
    names = list(MODELS)
    return dict(
        sorted(by_network.items(), key=lambda item: (names.index(model_of(item[0])), item[0]))
    )


def first_of(by_network: Mapping[str, T], model: str) -> T | None:
    """What is kept of the first network of a model, None for none."""
    return next(
        (value for key, value in ordered(by_network).items() if model_of(key) == model), None
    )
