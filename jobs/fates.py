"""Whether what became of the fields of a data set hangs on the solver's steps.

collect runs a sample of them again in double precision with a tenth of the tolerance, and keeps in
every file of the data set how many ended otherwise: `fates_checked`, `fates_changed` (the free
energy of the end by more than 1%) and `fields_changed` (any cell by more than 0.1). A field whose
interfaces lie otherwise may have the same energy. Some fields sit near a saddle, where no tolerance
is small enough.
"""

from dataclasses import dataclass

import numpy as np

from jobs.config import Section, value

TIGHTER = 10  # times the tolerance
ENERGY, FIELD = 0.01, 0.1  # relative, and of the concentration: larger differences are a change
STREAM = 0xFA7E  # of the choice of the sample


class Collect(Section):
    """What collect asks of the data beside putting them together."""

    fates: int = value(
        50,
        unit="fields",
        ge=0,
        le=100_000,
        about="run again with a tenth of the tolerance: how many end otherwise (0: none)",
    )


@dataclass(frozen=True)
class Fates:
    """checked: how many; of them, energy and field: how many changed."""

    checked: int
    energy: int
    field: int

    def attributes(self) -> dict[str, float | int]:
        share = max(self.checked, 1)
        return {
            "fates_checked": self.checked,
            "fates_changed": self.energy / share,
            "fields_changed": self.field / share,
        }

    def lines(self, where) -> list[str]:
        """What is said of them."""
        if not self.checked:
            return []
        text = (
            f"{self.checked} fields again with a tenth of the tolerance: {self.energy} end with another "
            f"free energy, {self.field} with another field"
        )
        bad = self.energy > 0.05 * self.checked
        return [f"{'warning: ' * bad}{where}: {text}" + "; lower generate.tolerance" * bad]


NONE = Fates(0, 0, 0)


def sample(config, candidates: np.ndarray) -> np.ndarray:
    """At most collect.fates of the candidates, in order; a function of the seed."""
    count = min(config.collect.fates, len(candidates))
    generator = np.random.default_rng([config.seed, STREAM])
    return np.sort(generator.choice(candidates, count, replace=False)) if count else candidates[:0]


def compare(ends: np.ndarray, energies: np.ndarray, again: np.ndarray, energies_again) -> Fates:
    """ends, again: (n, ...) concentrations; energies: (n,)."""
    apart = np.abs(ends - again).reshape(len(ends), -1).max(1)
    energy = np.abs(np.asarray(energies) / np.asarray(energies_again) - 1)
    return Fates(len(ends), int((energy > ENERGY).sum()), int((apart > FIELD).sum()))
