"""Names of the phases, boundaries and networks, and the colours that every figure gives them."""

import re
from dataclasses import dataclass

from analysis import style

G, BAND, L = 0, 1, 2  # as in phases.h5, and the order of the probabilities
PHASES = ("G", "L+G", "L")
WORDS = ("gas", "bands", "liquid")
COLOURS = (style.VERMILION, style.PURPLE, style.BLUE)
MARKERS = ("o", "^", "s")
BOUNDARIES = ("L | L+G", "L+G | G")  # by temperature, as the columns of phases.h5's transitions
EDGES = (style.BLUE, style.VERMILION)  # of the two boundaries
# sets that networks are trained on: the density system.density, or every density
REFERENCE, ALL = "reference", "all"
NONE, PAPERS = 0.0, 0.01  # lambda of the paper's networks without and with regularization
TYPICAL = ((L, 0.25), (BAND, 0.55), (G, 0.95))  # the paper's figure 5: phase and temperature
STARTS = {1: "all spins +", -1: "all spins \N{MINUS SIGN}", 0: "random spins"}
OBSERVABLES = {
    "abs_m": r"$|m|$",
    "m": r"$m$",
    "amplitude": "band, amplitude",
    "phase": "band, position",
}


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


def groups(networks) -> dict[tuple[str, float], list[Network]]:
    """{(set, lambda): its networks by seed}, sorted."""
    found = {}
    for network in sorted(networks):
        found.setdefault((network.set, network.regularization), []).append(network)
    return found


def shown_set(*networks) -> str | None:
    """The set whose networks are shown: the first of these groups that has any; of it every
    density, as in the paper, else the reference; None: there are no networks.
    """
    for some in networks:
        sets = {network.set for network in some}
        for name in (ALL, REFERENCE):
            if name in sets:
                return name
    return None


def weights(size: int) -> float:
    """Weights and biases of the paper's network for a lattice of `size`."""
    return 32 / 27 * size**2 + 1939
