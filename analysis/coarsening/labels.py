"""Names, titles and colours of the networks and of the cases they are followed in."""

from dataclasses import dataclass

from analysis import style

TRUTH_COLOUR = "#222222"


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
CONSERVING = tuple(name for name, model in MODELS.items() if model.conserves)
SIGMOID = "sigmoid"
CASES = {
    "test": "test sequences",
    "larger": "larger box",
    "shape": "closed shape",
    "slice": "noise in a slice",
    "long": "long rollout",
    "ensemble": "ensemble",
    "ensemble_long": "long ensemble",
    "box": "large box",
    "symmetric": "start with a cube's symmetry",
    "bulk": "one phase alone",
}


def case_title(name: str) -> str:
    """Of a case in words; a user's own case has its own name."""
    return CASES.get(name, name)


@dataclass(frozen=True, order=True)
class Network:
    """One trained network, MODEL/seed-S in the run's folders."""

    model: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.model}/seed-{self.seed}"

    @property
    def kind(self) -> str:
        """Its model's title, the same for all seeds."""
        return MODELS[self.model].title

    @property
    def title(self) -> str:
        return self.kind + (f", seed {self.seed}" if self.seed else "")

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


def main(networks) -> Network | None:
    """The network that the paper's claims are judged by: conserving, staggered before central, the
    first seed.
    """
    among = in_order(networks)
    return next((n for model in CONSERVING for n in among if n.model == model), None)
