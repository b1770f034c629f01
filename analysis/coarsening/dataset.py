"""Reading a coarsening run: dataset.h5, the trained networks, the rollouts, the table of costs."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from analysis.coarsening import costs
from analysis.coarsening.costs import Costs
from analysis.coarsening.labels import MODELS, Network, in_order, parse
from analysis.coarsening.rollouts import Case, read_cases
from analysis.runs import BadInput
from jobs import shards, yaml12

SPLITS = ("training", "validation", "test")
# columns that figures and claims need, and as what they are kept
HISTORY = {"epoch": float, "given": float, "loss": np.float32, "validation_loss": float}


@dataclass(frozen=True)
class Tested:
    """Mean squared errors on n test sequences, which a network goes on alone with from their first
    frame.

    loss, persistence, extrapolation: of the network, of the first frame itself, of the straight
    line through the first two true frames: means over the frames after the first (n,).
    loss_by_frame, low, high: mean over sequences and its 16 and 84% (frames,).
    persistence_by_frame, extrapolation_by_frame: means over sequences (frames,).
    """

    loss: np.ndarray
    persistence: np.ndarray
    extrapolation: np.ndarray
    loss_by_frame: np.ndarray
    low: np.ndarray
    high: np.ndarray
    persistence_by_frame: np.ndarray
    extrapolation_by_frame: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A network's training.

    history: {column: (epochs,)}: epoch, given (frames given of each sequence), loss (float32) and
    validation_loss, mean squared errors. parameters, epochs, best_epoch: numbers, None before it
    is finished. seconds: it took. device: it ran on. tested: None before it is finished.
    """

    history: dict[str, np.ndarray]
    parameters: int | None
    epochs: int | None
    best_epoch: int | None
    seconds: float | None
    device: str | None
    tested: Tested | None

    @property
    def validation_loss(self) -> float:
        """Of the epoch that was kept."""
        losses = self.history.get("validation_loss", np.array([np.nan]))
        at = np.flatnonzero(self.history.get("epoch", np.array([])) == self.best_epoch)
        return float(losses[at[0]] if len(at) else losses[-1])

    @property
    def length(self) -> int:
        """Epochs there are."""
        return self.epochs or len(self.history.get("epoch", ()))


@dataclass(frozen=True)
class Grid:
    """The grid that networks see.  spacing: of its cells, length; interface_width: epsilon, length;
    downscaling: nearest or block_mean.
    """

    spacing: float
    interface_width: float
    downscaling: str

    def volume(self, shape) -> float:
        """Of a box of so many cells, length^3."""
        return float(np.prod(shape)) * self.spacing**3


@dataclass(frozen=True)
class Run:
    """One run.  split, mean_concentration: (n,) of all sequences."""

    path: Path
    config: dict
    attributes: dict
    split: np.ndarray
    mean_concentration: np.ndarray
    trained: dict[Network, Trained]
    cases: dict[str, Case]
    costs: Costs | None
    left_out: list[str]

    def system(self, key: str):
        return self.config["system"][key]

    @property
    def grid(self) -> Grid:
        spacing = float(self.system("spacing")) * int(self.system("downscale"))
        return Grid(spacing, float(self.system("interface_width")), self.system("downscaling"))

    def sequences(self, split: str) -> int:
        return int((self.split == SPLITS.index(split)).sum())


def load(path: Path) -> Run:
    """Read a run directory.  Raises BadInput with one line."""
    file = path / "dataset.h5"
    try:
        arrays, attributes = shards.read(file)
        if attributes.get("study") != "coarsening":
            raise BadInput(f"{file} is not a data set of the coarsening study")
        config = yaml12.load(attributes["config"])
        for name in ("size", "downscale", "downscaling", "spacing", "interface_width"):
            config["system"][name]
        for name in ("interval", "frames"):
            config["generate"][name]
        config["train"]["epochs"]
    except shards.BadFileError as error:
        raise BadInput(f"{file}: {error}") from None
    except (KeyError, TypeError, yaml.YAMLError):
        raise BadInput(f"{file}: damaged config") from None
    missing = [name for name in ("split", "mean_concentration") if name not in arrays]
    if missing:
        raise BadInput(f"{file} lacks {', '.join(missing)}; run collect again")
    left_out = []
    return Run(
        path,
        config,
        attributes,
        arrays["split"],
        arrays["mean_concentration"].astype(float),
        read_trained(path, attributes.get("config_digest"), left_out),
        read_cases(path, attributes.get("config_digest"), left_out),
        read_costs(path, left_out),
        left_out,
    )


def read_trained(
    path: Path, config_digest: str | None, left_out: list[str]
) -> dict[Network, Trained]:
    """Every network below RUN/train that has begun: its metrics.csv, and its test.h5 once it is
    finished.
    """
    found = {}
    for folder in sorted((path / "train").glob("*/seed-*")):
        network = parse(f"{folder.parent.name}/{folder.name}")
        if network is None or network.model not in MODELS:
            continue
        arrays, about, tested = {}, {}, None
        try:
            arrays, about = shards.read(folder / "test.h5")
            if about.get("config_digest", config_digest) != config_digest:
                raise shards.BadFileError("made from another data set")
            tested = of_sequences(arrays)
        except FileNotFoundError:
            pass
        except (shards.BadFileError, KeyError) as error:
            arrays, about = {}, {}
            left_out.append(f"{(folder / 'test.h5').relative_to(path)}: {error}")
        history = read_history(folder / "metrics.csv", path, left_out) or {
            key.split("/")[1]: v for key, v in arrays.items() if key.startswith("history/")
        }
        if history or tested is not None:
            found[network] = Trained(
                {n: np.asarray(history[n]).astype(t) for n, t in HISTORY.items() if n in history},
                *(_number(about, int, name) for name in ("parameters", "epochs", "best_epoch")),
                _number(about, float, "seconds"),
                str(about["device"]) if "device" in about else None,
                tested,
            )
    return {network: found[network] for network in in_order(found)}


def _number(about: dict, kind: type, name: str):
    return kind(about[name]) if name in about else None


def of_sequences(arrays: dict) -> Tested:
    """From test.h5's arrays (n, frames).  KeyError where one is missing."""
    names = ("loss", "persistence", "extrapolation")
    loss, still, line = (np.asarray(arrays[name], float) for name in names)
    return Tested(
        *(values[:, 1:].mean(axis=1) for values in (loss, still, line)),
        loss.mean(axis=0),
        *np.percentile(loss, (16, 84), axis=0),
        still.mean(axis=0),
        line.mean(axis=0),
    )


def read_history(file: Path, path: Path, left_out: list[str]) -> dict[str, np.ndarray]:
    """Columns of metrics.csv, {} where there is none."""
    if not file.exists():
        return {}
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    try:
        found = {
            name: np.array([float(row[name] or "nan") for row in rows])
            for name in (rows[0] if rows else ())
        }
        if "epoch" not in found:
            raise ValueError
        return found
    except (ValueError, TypeError):
        left_out.append(f"{file.relative_to(path)}: no epochs in it, or damaged")
        return {}


def read_costs(path: Path, left_out: list[str]) -> Costs | None:
    """The table of rollout/costs.h5."""
    try:
        return costs.of_file(*shards.read(path / "rollout" / "costs.h5"))
    except FileNotFoundError:
        return None
    except KeyError:
        left_out.append("rollout/costs.h5: lacks some of its columns")
        return None
    except shards.BadFileError as error:
        left_out.append(f"rollout/costs.h5: {error}")
        return None
