"""Names of the networks and of the phases, with the colours that every figure gives them."""

import re
from dataclasses import dataclass

from analysis import style

G, BAND, L = 0, 1, 2  # as in phases.h5, and the order of the probabilities
PHASES = ("G", "L+G", "L")
COLOURS = (style.VERMILION, style.PURPLE, style.BLUE)
MARKERS = ("o", "^", "s")
BOUNDARIES = ("L | L+G", "L+G | G")  # by temperature, as the columns of phases.h5's transitions
REFERENCE, ALL = (
    "reference",
    "all",
)  # sets that networks are trained on: the density system.density, or every density
PAPERS = 0.01  # lambda of the paper's regularized networks
LAMBDA_COLOURS = {0.0: style.ORANGE, PAPERS: style.GREEN}


@dataclass(frozen=True, order=True)
class Network:
    """One trained network: its training set, lambda of the L2 term, and which of several starts."""

    set: str
    regularization: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.set}/lambda-{self.regularization:g}/seed-{self.seed}"


def parse(name: str) -> Network | None:
    """The network of a path such as reference/lambda-0.01/seed-0; None: of something else."""
    found = re.fullmatch(r"(\w+)/lambda-([-+.\de]+)/seed-(\d+)", name)
    return Network(found[1], float(found[2]), int(found[3])) if found else None


def colour(regularization: float) -> str:
    return LAMBDA_COLOURS.get(regularization, style.GREY)


def groups(networks) -> dict[tuple[str, float], list[Network]]:
    """{(set, lambda): its networks by seed}, sorted."""
    found = {}
    for network in sorted(networks):
        found.setdefault((network.set, network.regularization), []).append(network)
    return found
