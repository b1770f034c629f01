"""Parameter files of the coarsening network: .npz with the numbers, by name, and what they are.

Networks with fluxes on faces and in cells have the same numbers by name and shape, and are other
physics: a file says which it holds, and on what it was trained. Those that come with Quench are
found by their names (`committed`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kernels import interface
from kernels.arguments import number, one_of, shown, whole, wholes

ABOUT = "about"
OUTPUTS = ("staggered", "central", "sigmoid")
# of the networks that come with Quench, in a checkout and beside an installed package alike
FOLDER = Path(__file__).parent.parent / "analysis" / "results" / "coarsening"
BEYOND = 0.1  # of the span of phi: farther outside of it phi is called so
SEPARATED = 0.5  # of the variance of two pure phases, from which on there are interfaces
# a factor from which on interfaces have another width: cells of 2 show flat ones of 3 as 2.1 to
# 4.2 wide, by where these lie between them
SHARP = 0.5  # cells; of images whose cells are one phase or the other
SMOOTHING = 0.55  # cells: of these images; spheres are then nearest to the profile at rest
BLACK_AND_WHITE = (
    ". The field is black and white, which no mixture is: smooth it first, for instance by "
    f"scipy.ndimage.gaussian_filter(phi, {SMOOTHING}, mode='wrap'), of one field (x, y, z)"
)
OTHER_WIDTH = 1.6


@dataclass(frozen=True)
class About:
    """What a parameter file holds.

    output: of OUTPUTS. interface_width: epsilon of the mixtures it was trained on, spacing: side of
    one of its cells, both in the units of the truth's cells; interval: time of one step. low, high:
    phi of the two phases. trained: a sentence on data and revision. grid: cells of its fields, and
    means: least and largest mean of phi, in training; None where that is not known. fails: where it
    is known to fail, in sentences. memory: steps that its hidden states made at most in training,
    one for each frame of a sequence but the first; None where that is not known.
    """

    output: str
    interface_width: float
    spacing: float
    interval: float
    low: float = 0.0
    high: float = 1.0
    trained: str = ""
    grid: tuple[int, int, int] | None = None
    means: tuple[float, float] | None = None
    fails: str = ""
    memory: int | None = None

    def __post_init__(self):
        one_of("output", self.output, OUTPUTS)
        for name in ("interface_width", "spacing", "interval"):
            number(name, getattr(self, name), above=0)
        number("high", self.high, above=number("low", self.low))
        if self.memory is not None:
            whole("memory", self.memory, 1, 1 << 40, "steps")
        if self.grid is not None:
            object.__setattr__(self, "grid", tuple(wholes("grid", self.grid, 3, 1 << 20).tolist()))
        if self.means is not None:  # JSON has lists
            low, high = self.means
            number("means", high, number("means", low))
            object.__setattr__(self, "means", (low, high))

    def __str__(self) -> str:
        """In a few lines."""
        grid = f"{' x '.join(map(str, self.grid))} cells of " if self.grid else ""
        means = f", means of {self.means[0]:g} to {self.means[1]:g}" if self.means else ""
        lines = [
            f"{self.output}: a step is {self.interval:g} [time]",
            f"trained on: {grid}spacing {self.spacing:g}, interfaces of epsilon = "
            f"{self.interface_width:g} [length], phi of {self.low:g} to {self.high:g}{means}; "
            f"{self.trained}",
        ]
        if self.memory:
            lines.append(f"memory: its hidden states begin anew after {self.memory} steps")
        if self.fails:
            lines.append(f"known to fail: {self.fails}")
        return "\n".join(lines)

    def outside(self, phi: np.ndarray) -> list[str]:
        """How fields (n, x, y, z) differ from those that it was trained on, a line each."""
        lines, span = [], self.high - self.low
        least, most = float(phi.min()), float(phi.max())
        if least < self.low - BEYOND * span or most > self.high + BEYOND * span:
            lines.append(
                f"phi is {least:g} to {most:g}; this network was trained on {self.low:g} to {self.high:g}"
            )
        mean = phi.mean((1, 2, 3), dtype=np.float64)
        if self.means and not (self.means[0] <= mean.min() and mean.max() <= self.means[1]):
            far = mean[np.argmax(np.abs(mean - sum(self.means) / 2))]
            lines.append(
                f"the mean of phi is {far:.3g}; this network was trained on {self.means[0]:g} to "
                f"{self.means[1]:g}"
            )
        pure = (mean - self.low) * (self.high - mean)
        there = phi[phi.var((1, 2, 3), dtype=np.float64) > SEPARATED * np.maximum(pure, 1e-6)]
        if len(there):
            widths = interface.width((there - self.low) / span, self.spacing)
            far = widths[
                np.nanargmax(np.abs(np.log(np.maximum(widths, 1e-3) / self.interface_width)))
            ]
            if not 1 / OTHER_WIDTH < far / self.interface_width < OTHER_WIDTH:
                lines.append(
                    f"interfaces are about {far:.2g} wide (epsilon, at a spacing of {self.spacing:g}); "
                    f"this network was trained on {self.interface_width:g} [length]"
                    + (BLACK_AND_WHITE if far < SHARP * self.spacing else "")
                )
        return lines


def committed(name: str) -> Path:
    """The parameter file of a network that comes with Quench, one of OUTPUTS by name: trained for
    the study of analysis/results/coarsening.  ValueError for another name, FileNotFoundError where
    the package was installed without it.
    """
    path = FOLDER / f"{one_of('network', name, OUTPUTS)}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: is not there; it comes with Quench: install it again")
    return path


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
    if not isinstance(path, str | Path):
        raise ValueError(f"path is {shown(path)}; it must be the name of a file of parameters")
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
