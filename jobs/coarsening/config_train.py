"""The part of the coarsening config that says which networks are trained, and how."""

from typing import Literal

import pydantic

from jobs.config import Section, each_once, threads, value

Model = Literal["staggered", "central", "sigmoid"]


class Train(Section):
    """Two ConvGRU cells that predict the next frame from the last ones, as in the paper."""

    models: list[Model] = value(
        ["staggered"],
        unit="",
        min_length=1,
        about="what they put out: fluxes through cells' faces (staggered), in their middles (central, as published), or phi (sigmoid)",
    )
    hidden: int = value(10, unit="channels", ge=1, le=64, about="of the hidden state of each cell")
    epochs: int = value(1000, unit="epochs", ge=1, le=1_000_000, about="of the training")
    curriculum: int = value(
        25,
        unit="epochs",
        ge=0,
        le=1_000_000,
        about="in which the frames given fall from all but the last to the first alone",
    )
    batch: int = value(
        2,
        unit="sequences",
        ge=1,
        le=100_000,
        about="in one step of the optimiser, over all ranks together; with their duals twice as many",
    )
    duals: bool = value(
        True,
        unit="",
        about="each sequence also as 1 - phi, in the same step; false: one or the other, at random",
    )
    augmentation: bool = value(
        True,
        unit="",
        about="flips and quarter turns, at random; without it and duals phi is always as it was",
    )
    learning_rate: float = value(1.0e-4, unit="", gt=0, lt=1, about="of Adam")
    schedule: Literal["constant", "cosine"] = value(
        "constant",
        unit="",
        about="of the learning rate: as in the paper, or falling to 0 as a cosine, which a short training needs",
    )
    mass_penalty: float = value(
        1.0,
        unit="",
        ge=0,
        le=1e6,
        about="of the sigmoid's loss, times the squared error of the mean",
    )
    select_from: int = value(
        50,
        unit="epochs",
        ge=1,
        le=1_000_000,
        about="the last ones, of which that with the least validation loss is kept",
    )
    threads: int = threads()
    seeds: int = value(
        1,
        unit="networks",
        ge=1,
        le=1000,
        about="of each model, which differ in first weights and order",
    )

    @property
    def networks(self) -> list[str]:
        """Names of all networks to train."""
        return [f"{model}/seed-{seed}" for model in self.models for seed in range(self.seeds)]

    @pydantic.model_validator(mode="after")
    def _complete(self):
        each_once("train.models", self.models)
        if self.curriculum >= self.epochs:
            raise ValueError(
                f"train.curriculum = {self.curriculum}: expected fewer than train.epochs = {self.epochs}: only after it the loss is of "
                "whole sequences [epochs]"
            )
        return self
