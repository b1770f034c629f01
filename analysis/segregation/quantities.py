"""Names: the paper's six quantities and the networks, with the colours that every figure gives
them.
"""

from dataclasses import dataclass

from analysis import style


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
    """A network: title in figures and tables, colour, marker; reverse: from segregated to mixed."""

    title: str
    colour: str
    marker: str
    reverse: bool = False


PAPERS, L1_ALONE, CONSERVING, REVERSE = (
    "gan_forward",
    "l1_forward",
    "gan_forward_conserving",
    "gan_reverse",
)
MODELS = {
    L1_ALONE: Model("L1 alone", style.VERMILION, "s"),
    PAPERS: Model("L1 + GAN", style.BLUE, "o"),
    CONSERVING: Model("L1 + GAN, conserving", style.GREEN, "^"),
    "l1_reverse": Model("L1 alone, reverse", style.VERMILION, "s", True),
    REVERSE: Model("L1 + GAN, reverse", style.BLUE, "o", True),
}
TRUTH = "black"  # the colour of what the equation gives
