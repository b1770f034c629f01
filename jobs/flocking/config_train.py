"""The part of the flocking config that says how phases are found, what is filmed, and which
networks learn the phases.
"""

from typing import Literal

import pydantic

from jobs.config import Section, each_once, precision, threads, value

Set = Literal["reference", "all"]
MARGIN = "margin"  # group of saliency.h5: maps of the difference of the two largest scores


class Unsupervised(Section):
    """UMAP of the magnetization maps, HDBSCAN of the embedding, at every density with enough
    configurations.
    """

    copies: int = value(
        3,
        unit="copies",
        ge=0,
        le=1000,
        about="of each configuration, shifted at random, that UMAP sees besides (the paper's augmentation)",
    )
    modes: int | None = value(
        10,
        unit="modes",
        ge=1,
        about="of the maps' Fourier modes, the strongest, that UMAP is given; all, which is the maps, if null",
    )
    neighbours: int = value(
        15,
        unit="neighbours",
        ge=2,
        le=1000,
        about="of UMAP: how local the structure is that it keeps",
    )
    min_dist: float = value(
        0.0, unit="", ge=0, lt=1, about="of UMAP: how close points may come in the embedding"
    )
    min_cluster_size: int | float = value(
        0.03,
        unit="",
        gt=0,
        about="of HDBSCAN: the smallest group; a share of the configurations below 1, else their number",
    )
    fewest: int = value(
        100, unit="configurations", ge=10, about="a density with fewer is not clustered"
    )
    bootstraps: int = value(
        200,
        unit="",
        ge=2,
        le=100_000,
        about="drawings of replicas, for the errors of the transition temperatures",
    )


class Film(Section):
    """A replica that is filmed, beside the configurations."""

    temperature: float = value(0.56, unit="", gt=0, about="T, at system.density")
    equilibration: float = value(
        1000.0, unit="time", ge=0, le=1e9, about="before the first frame, from all spins +1"
    )
    frames: int = value(60, unit="frames", ge=0, le=1000, about="how many; 0: no film")
    interval: float = value(1.0, unit="time", gt=0, le=1e9, about="between frames")


class Train(Section):
    """The networks and how they are trained: cross entropy + lambda x sum of squared weights, early
    stopping, as in the paper.
    """

    sets: list[Set] = value(
        ["reference"],
        unit="",
        min_length=1,
        about="what is learnt: the slice at system.density only (reference), or all densities (all)",
    )
    regularization: list[float] = value(
        [0.0, 0.01],
        unit="",
        min_length=1,
        about="lambda: of the sum of squared weights (without biases) in the loss",
    )
    seeds: int = value(
        3,
        unit="networks",
        ge=1,
        le=1000,
        about="of each set and lambda, with their own first weights and split",
    )
    batch: int = value(
        64, unit="configurations", ge=1, le=100_000, about="in one step of the optimiser"
    )
    learning_rate: float = value(1.0e-3, unit="", gt=0, lt=1, about="of Adam")
    patience: int = value(
        100, unit="epochs", ge=1, le=100_000, about="without a better validation loss, then it ends"
    )
    max_epochs: int | None = value(
        None,
        unit="epochs",
        ge=1,
        le=100_000,
        about="where it ends at the latest; when the patience is over if null",
    )
    copies: int | None = value(
        1,
        unit="copies",
        ge=0,
        le=1000,
        about="of each configuration, shifted at random once and for all, that are learnt besides, as in the paper; "
        "all are shifted anew in each epoch if null",
    )
    precision: Literal["float32", "bfloat16"] = precision()
    threads: int = threads()

    @property
    def networks(self) -> list[str]:
        """Names of all networks to train, SET/lambda-X/seed-S; seed 0 of every kind first, to have
        something to look at.
        """
        kinds = [
            f"{each}/lambda-{strength:g}" for each in self.sets for strength in self.regularization
        ]
        return [f"{kind}/seed-{seed}" for seed in range(self.seeds) for kind in kinds]

    @pydantic.model_validator(mode="after")
    def _complete(self):
        each_once("train.sets", self.sets)
        if not all(0 <= strength < 100 for strength in self.regularization):
            raise ValueError(
                f"train.regularization = {self.regularization}: expected numbers at least 0 and below 100"
            )
        each_once("train.regularization", self.regularization)
        return self


class Saliency(Section):
    """Which configurations the networks are asked about, site by site."""

    temperature: float = value(
        0.56,
        unit="",
        gt=0,
        about="T of the liquid-gas configurations whose saliency is mapped, or the nearest",
    )
    configurations: int = value(
        8,
        unit="configurations",
        ge=1,
        le=10_000,
        about="how many of them, and as many liquid and gas ones",
    )


class Predict(Section):
    """What the trained networks are asked for."""

    sets: list[Set] | None = value(
        None, unit="", min_length=1, about="whose networks answer; all that are trained if null"
    )
    saliency: Saliency = value(
        default_factory=Saliency, unit="", about="the maps of what a network looks at"
    )
