"""The networks of the study and the cases they are followed in: titles, colours, order."""

from dataclasses import dataclass

from analysis import style

TRUTH = "truth"


@dataclass(frozen=True)
class Model:
    """title: for people.  conserves: the mean of phi, by construction."""

    title: str
    colour: str
    conserves: bool


MODELS = {
    "staggered": Model("staggered fluxes", style.VERMILION, True),
    "central": Model("central fluxes", style.BLUE, True),
    "sigmoid": Model("sigmoid", style.GREEN, False),
}
TRUTH_COLOUR = "#222222"
CONSERVING = tuple(name for name, model in MODELS.items() if model.conserves)
SIGMOID = "sigmoid"
CASES = {
    "test": "test sequences",
    "larger": "larger box",
    "shape": "shape",
    "slice": "noise in a slice",
    "long": "long",
    "ensemble": "ensemble",
    "ensemble_long": "long ensemble",
}


@dataclass(frozen=True, order=True)
class Network:
    """One trained network, MODEL/seed-S in the run's folders."""

    model: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.model}/seed-{self.seed}"

    @property
    def file(self) -> str:
        """Its name in file names."""
        return f"{self.model}-seed-{self.seed}"

    @property
    def title(self) -> str:
        return MODELS[self.model].title + (f", seed {self.seed}" if self.seed else "")

    @property
    def colour(self) -> str:
        return MODELS[self.model].colour

    @property
    def line(self) -> str:
        return style.line(0) if self.seed == 0 else (":", "--", "-.")[(self.seed - 1) % 3]


def parse(text: str) -> Network | None:
    """The network of MODEL/seed-S or MODEL-seed-S; None for a name of another kind."""
    model, _, seed = text.replace("/", "-").rpartition("-seed-")
    return Network(model, int(seed)) if model in MODELS and seed.isdigit() else None


def in_order(networks) -> list[Network]:
    """As in MODELS, then by seed."""
    return sorted(networks, key=lambda n: (list(MODELS).index(n.model), n.seed))
