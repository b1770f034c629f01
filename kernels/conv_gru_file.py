"""Parameter files of the coarsening network: .npz with the numbers, by name, and what they are.

Networks with fluxes on faces and in cells have the same numbers by name and shape, and are other
physics: a file says which it holds, and on what it was trained.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kernels.arguments import number, one_of

ABOUT = "about"
OUTPUTS = ("staggered", "central", "sigmoid")


@dataclass(frozen=True)
class About:
    """What a parameter file holds.

    output: of OUTPUTS. interface_width: epsilon of the mixtures it was trained on, spacing: side of
    one of its cells, both in the units of the truth's cells; interval: time of one step. low, high:
    phi of the two phases. trained: a sentence on data and revision.
    """

    output: str
    interface_width: float
    spacing: float
    interval: float
    low: float = 0.0
    high: float = 1.0
    trained: str = ""

    def __post_init__(self):
        one_of("output", self.output, OUTPUTS)
        for name in ("interface_width", "spacing", "interval"):
            number(name, getattr(self, name), above=0)
        number("high", self.high, above=number("low", self.low))


def write(path: Path, parameters: Mapping[str, np.ndarray], about: About) -> None:
    """The numbers and what they are, complete or not at all."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        np.savez(file, **parameters, **{ABOUT: np.array(json.dumps(asdict(about)))})
    temporary.replace(path)


def read(path: Path) -> tuple[dict[str, np.ndarray], About]:
    """The numbers, by name, and what they are.  Raises ValueError, one line, on a file that does
    not say it, and OSError on one that cannot be read.
    """
    try:
        with np.load(path) as file:
            parameters = {name: file[name] for name in file.files}
    except (ValueError, KeyError, EOFError, AttributeError) as error:
        raise ValueError(f"{path}: no file of parameters ({error})") from None
    if ABOUT not in parameters:
        raise ValueError(
            f"{path}: does not say which network it holds; conv_gru_file.write adds what is missing"
        )
    return parameters, about(parameters)


def about(parameters: Mapping[str, np.ndarray]) -> About | None:
    """What parameters read from a file are; None if they do not say."""
    if ABOUT not in parameters:
        return None
    try:
        return About(**json.loads(str(parameters[ABOUT])))
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameters: {ABOUT} is of no network of this kind ({error})") from None
