"""One run with everything that the figures and the report need of it, read once."""

from dataclasses import dataclass

import numpy as np

from analysis.nucleation import density, occlusion, paper, training
from analysis.nucleation.dataset import Run
from analysis.nucleation.density import Density
from analysis.nucleation.occlusion import Occlusion
from analysis.nucleation.training import MODELS, SPLITS, Fold, Training

NEAR_SPINODAL = 200  # L of the paper's systems that approach the spinodal; the others have L = 10 R


@dataclass(frozen=True)
class Study:
    """A run, its name and part of file names, its trained models, occlusion maps and droplet
    profile.
    """

    run: Run
    name: str
    slug: str
    training: Training
    maps: dict[str, Occlusion]
    density: Density | None
    left_out: list[str]

    @property
    def paper(self) -> "paper.PaperSystem | None":
        return paper.find(self.run.system)

    @property
    def near_spinodal(self) -> bool:
        return self.run.system.size == NEAR_SPINODAL

    @property
    def distance_to_spinodal(self) -> float:
        return distance_to_spinodal(self.run.system)

    def folds(self, split: str, model: str) -> list[Fold]:
        """Finished folds, empty if there are none."""
        return self.training.folds.get((split, model), [])

    def shown(self, model: str) -> tuple[str | None, list[Fold]]:
        """(split, folds) that pictures of one model show: split by event where it was run, else by
        configuration.
        """
        return next(
            ((split, folds) for split in SPLITS if (folds := self.folds(split, model))), (None, [])
        )


def present(studies: list[Study], split: str | None = None) -> list[str]:
    """Models that any study has (of this split), in the order of MODELS."""
    found = {
        model
        for s in studies
        for of in SPLITS
        if split in (None, of)
        for model in s.training.models(of)
    }
    return [*(m for m in MODELS if m in found), *sorted(found - set(MODELS))]


def splits_shown(studies: list[Study], models: list[str]) -> str:
    """How the folds that study.shown(model) gives were split, in words."""
    return " or ".join(
        sorted({SPLITS[split] for s in studies for m in models if (split := s.shown(m)[0])})
    )


def distance_to_spinodal(system) -> float:
    """Delta h = h_s - |h|, h_s = Tc m_s - T atanh(m_s), m_s = sqrt(1 - T/Tc): mean-field spinodal
    of long range.

    Tc and T in the units of the long-range model (Tc = 4, T = 16/9) for R = 1 too, as in the paper:
    h_s = 1.2704.
    """
    critical = 4.0
    temperature = critical * system.temperature / system.critical_temperature
    m = np.sqrt(1 - temperature / critical)
    return float(critical * m - temperature * np.arctanh(m) - system.field)


def read(run: Run, name: str, slug: str) -> Study:
    trained = training.read(run)
    maps, bad_maps = occlusion.read(run, trained)
    return Study(run, name, slug, trained, maps, density.measure(run), trained.left_out + bad_maps)
