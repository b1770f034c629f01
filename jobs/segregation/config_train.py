"""The part of the segregation config that says which networks are trained, how, and what they are
asked for.
"""

from typing import Literal, get_args

import pydantic

from jobs.config import Section, each_once, precision, threads, value

Model = Literal[
    "l1_forward",
    "gan_forward",
    "l1_reverse",
    "gan_reverse",
    "gan_forward_conserving",
    "l1_forward_steps",
]


class Train(Section):
    """The networks and how they are trained: L1 + adversarial_weight x conditional GAN (pix2pix),
    as in the paper.
    """

    models: list[Model] = value(
        [*get_args(Model)],
        unit="",
        min_length=1,
        about="from mixed to segregated (forward) or back (reverse), by L1 alone or with the GAN; conserving: the mean is kept "
        "exactly; steps: so it is, by linear theory and then from age to age",
    )
    samples: int | None = value(
        None,
        unit="samples",
        ge=1,
        about="to train on, spread evenly over the mean concentrations; the whole training set if null",
    )
    width: int = value(
        64, unit="filters", ge=1, le=1024, about="of the first layers; 64 in pix2pix"
    )
    batch: int = value(
        16,
        unit="samples",
        ge=1,
        le=100_000,
        about="in one step of the optimisers, over all ranks together",
    )
    epochs: int = value(
        200,
        unit="epochs",
        ge=1,
        le=100_000,
        about="of the training; over the second half the learning rate falls to 0",
    )
    learning_rate: float = value(2.0e-4, unit="", gt=0, lt=1, about="of Adam, for both networks")
    betas: list[float] = value(
        [0.5, 0.999], unit="", min_length=2, max_length=2, about="of Adam, each from 0 to 1"
    )
    adversarial_weight: float = value(
        1.0,
        unit="",
        gt=0,
        le=1e6,
        about="lambda: of the GAN's loss beside L1, in the gan_ models; 1 in the paper, 0.01 in pix2pix",
    )
    dropout: float = value(
        0.5,
        unit="",
        ge=0,
        lt=1,
        about="in the generator's decoder while it trains: pix2pix's noise",
    )
    augmentation: bool = value(
        True,
        unit="",
        about="shifts on the torus, flips and quarter turns: what the equation does not notice",
    )
    precision: Literal["float32", "bfloat16"] = precision()
    threads: int = threads()

    @property
    def networks(self) -> list[str]:
        """Names of all networks to train."""
        return list(self.models)

    @pydantic.model_validator(mode="after")
    def _complete(self):
        each_once("train.models", self.models)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                f"train.betas = {self.betas}: expected two numbers at least 0 and below 1"
            )
        return self


class Predict(Section):
    """What the trained networks are asked for."""

    models: list[Model] | None = value(
        None,
        unit="",
        min_length=1,
        about="whose predictions are made; all that are trained if null",
    )
    samples: int | None = value(
        None,
        unit="samples",
        ge=1,
        about="of the test set, spread evenly over the mean concentrations; all of it if null",
    )
