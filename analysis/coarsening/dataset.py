"""Reading a coarsening run: dataset.h5, the trained networks, the rollouts, the table of costs."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from analysis.coarsening.names import CONSERVING, MODELS, Network, in_order, parse
from analysis.coarsening.rollouts import Case, read_cases
from analysis.runs import BadInput
from jobs import shards, yaml12

SPLITS = ("training", "validation", "test")


@dataclass(frozen=True)
class Trained:
    """A network's training.  history: {column: (epochs,)}.  loss, persistence, extrapolation: (n,
    frames), None before it is finished.

    loss: mean squared error of each frame of test sequences that the network goes on alone with
    from their first frame; the others: of the first frame itself, and of the straight line through
    the first two.
    """

    history: dict[str, np.ndarray]
    loss: np.ndarray | None
    persistence: np.ndarray | None
    extrapolation: np.ndarray | None
    attributes: dict

    @property
    def validation_loss(self) -> float:
        """Of the epoch that was kept."""
        losses = self.history.get("validation_loss", np.array([np.nan]))
        best = self.attributes.get("best_epoch")
        at = (
            np.flatnonzero(self.history.get("epoch", np.array([])) == best)
            if best is not None
            else []
        )
        return float(losses[at[0]] if len(at) else losses[-1])


@dataclass(frozen=True)
class Run:
    """One run.  split, mean_concentration: (n,) of all sequences.  costs: columns of
    rollout/costs.h5 (methods,), None without it.
    """

    path: Path
    name: str
    config: dict
    attributes: dict
    split: np.ndarray
    mean_concentration: np.ndarray
    trained: dict[Network, Trained]
    cases: dict[str, Case]
    costs: dict | None
    left_out: list[str]

    def system(self, key: str):
        return self.config["system"][key]

    @property
    def downscale(self) -> int:
        return int(self.system("downscale"))

    @property
    def network_size(self) -> int:
        """Cells a side of the grid that the networks see."""
        return int(self.system("size")) // self.downscale

    @property
    def network_spacing(self) -> float:
        return float(self.system("spacing")) * self.downscale

    @property
    def interface_width(self) -> float:
        return float(self.system("interface_width"))

    @property
    def interval(self) -> float:
        return float(self.config["generate"]["interval"])

    @property
    def horizon(self) -> float:
        """Time that the training sequences cover."""
        return self.interval * (int(self.config["generate"]["frames"]) - 1)

    def sequences(self, split: str) -> int:
        return int((self.split == SPLITS.index(split)).sum())

    @property
    def networks(self) -> list[Network]:
        """All there are, trained or in a rollout."""
        return in_order(
            {*self.trained, *(n for case in self.cases.values() for n in case.networks)}
        )

    def case(self, name: str, truth: bool = True) -> Case | None:
        """A case with rollouts of networks, and with the truth if that is needed; else None."""
        case = self.cases.get(name)
        return None if case is None or not case.networks or (truth and case.truth is None) else case

    def main(self, among=None) -> Network | None:
        """The network the paper's claims are judged by: conserving, staggered before central, the
        first seed.
        """
        among = self.networks if among is None else in_order(among)
        return next((n for model in CONSERVING for n in among if n.model == model), None)

    def volume(self, case: Case) -> float:
        """Of the box of a case, length^3."""
        shape = (case.truth or case.first).shape
        return float(np.prod(shape)) * self.network_spacing**3

    def side(self, case: Case) -> float:
        """Shortest side of the box of a case, length."""
        return min((case.truth or case.first).shape) * self.network_spacing


def load(path: Path) -> Run:
    """Read a run directory.  Raises BadInput with one line."""
    file = path / "dataset.h5"
    try:
        arrays, attributes = shards.read(file)
        if attributes.get("study") != "coarsening":
            raise BadInput(f"{file} is not a data set of the coarsening study")
        config = yaml12.load(attributes["config"])
        system, generate = config["system"], config["generate"]
        (
            system["size"],
            system["downscale"],
            system["spacing"],
            system["interface_width"],
            generate["interval"],
            generate["frames"],
        )
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
        path.name,
        config,
        attributes,
        arrays["split"],
        arrays["mean_concentration"].astype(float),
        read_trained(path, attributes, left_out),
        read_cases(path, attributes.get("config_digest"), left_out),
        read_costs(path, left_out),
        left_out,
    )


def read_trained(path: Path, attributes: dict, left_out: list[str]) -> dict[Network, Trained]:
    """Every network below RUN/train that has begun: its metrics.csv, and its test.h5 once it is
    finished.
    """
    found = {}
    for folder in sorted((path / "train").glob("*/seed-*")):
        network = parse(f"{folder.parent.name}/{folder.name}")
        if network is None or network.model not in MODELS:
            continue
        history = read_history(folder / "metrics.csv", path, left_out)
        arrays, about = {}, {}
        try:
            arrays, about = shards.read(folder / "test.h5")
            if about.get("config_digest", attributes.get("config_digest")) != attributes.get(
                "config_digest"
            ):
                raise shards.BadFileError("made from another data set")
            losses = [
                np.asarray(arrays[name], float) for name in ("loss", "persistence", "extrapolation")
            ]
            history = history or {
                key.split("/")[1]: v for key, v in arrays.items() if key.startswith("history/")
            }
        except FileNotFoundError:
            losses = [None] * 3
        except (shards.BadFileError, KeyError) as error:
            losses, about = [None] * 3, {}
            left_out.append(f"{(folder / 'test.h5').relative_to(path)}: {error}")
        if history or losses[0] is not None:
            found[network] = Trained(history, *losses, about)
    return {network: found[network] for network in in_order(found)}


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


def read_costs(path: Path, left_out: list[str]) -> dict | None:
    """Arrays and attributes of rollout/costs.h5 in one mapping."""
    try:
        arrays, attributes = shards.read(path / "rollout" / "costs.h5")
        return {**attributes, **arrays}
    except FileNotFoundError:
        return None
    except shards.BadFileError as error:
        left_out.append(f"rollout/costs.h5: {error}")
        return None
