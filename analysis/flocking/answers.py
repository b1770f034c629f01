"""Reading what later stages made of dataset.h5: phases.h5, probabilities.h5, saliency.h5 and the
networks' test.h5.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.flocking.labels import Network, parse
from jobs import shards
from jobs.flocking.config_train import MARGIN


@dataclass(frozen=True)
class Phases:
    """By configuration: embedding (n, 2), nan where there is none; cluster (-1: noise) and phase
    (-1: not assigned) (n,).

    transitions, errors: {density: (L to L+G, L+G to G)} temperatures.  digest: of the file.
    """

    embedding: np.ndarray
    cluster: np.ndarray
    phase: np.ndarray
    transitions: dict[float, np.ndarray]
    errors: dict[float, np.ndarray]
    digest: str

    def transition(self, density: float) -> tuple[np.ndarray, np.ndarray]:
        """(temperatures (2,), errors (2,)) at a density, nan where there are none."""
        for known in self.transitions:
            if np.isclose(known, density):
                return self.transitions[known], self.errors[known]
        return np.full(2, np.nan), np.full(2, np.nan)


@dataclass(frozen=True)
class Saliency:
    """|dS_c / dI| of k configurations, rows index (k,) of dataset.h5: {network: float (k, 2, L,
    L)}, magnetization then density.  margins: |d(S_c - S_d) / dI| likewise.
    """

    index: np.ndarray
    maps: dict[Network, np.ndarray]
    margins: dict[Network, np.ndarray]


@dataclass(frozen=True)
class Trained:
    """One network after training.  index, replica int32 (k,), right bool (k,): rows of dataset.h5
    in its test set, the replica of each, and whether it is classified right.  first_layer: its
    kernels, float32 (6, 2, 5, 5): output, magnetization or density, x, y.
    """

    parameters: int | None
    epochs: int | None
    index: np.ndarray
    replica: np.ndarray
    right: np.ndarray
    first_layer: np.ndarray

    @property
    def tested(self) -> int:
        return len(self.right)

    @property
    def accuracy(self) -> float:
        """On its test set, nan if that is empty."""
        return float(self.right.mean()) if self.tested else np.nan


@dataclass(frozen=True)
class Origin:
    """The run that a file has to belong to: its folder, and the digests of dataset.h5 and of
    phases.h5 ("" for none).
    """

    path: Path
    dataset_digest: str
    phases_digest: str = ""


def _read(
    name: str, origin: Origin, needed: tuple[str, ...], left_out: list[str]
) -> tuple[dict, dict] | None:
    """(arrays, attributes) of a sound file made from this data set; None: there is none (a line in
    left_out if it is unusable).
    """
    try:
        arrays, own = shards.read(origin.path / name)
        unsaid = (
            origin.dataset_digest if name == "phases.h5" else ""
        )  # which says what it was made from in another way
        if own.get("dataset_digest", unsaid) != origin.dataset_digest:
            raise shards.BadFileError("made from another data set than the dataset.h5 beside it")
        if (
            origin.phases_digest
            and own.get("phases_digest", origin.phases_digest) != origin.phases_digest
        ):
            raise shards.BadFileError(
                "made with other phases than those of the phases.h5 beside it"
            )
        missing = [each for each in needed if each not in arrays]
        if missing:
            raise shards.BadFileError(f"lacks {', '.join(missing)}")
    except FileNotFoundError:
        return None
    except shards.BadFileError as error:
        left_out.append(f"{name}: {error}")
        return None
    return arrays, own


def phases_of(dataset_digest: str, settings: str) -> str:
    """What phases.h5 says that it was made from, given the settings (JSON) that it says it was made
    with.
    """
    return hashlib.sha256(
        f"{dataset_digest} {json.dumps(json.loads(settings), sort_keys=True)}".encode()
    ).hexdigest()


def read_phases(origin: Origin, count: int, left_out: list[str]) -> Phases | None:
    """The phases of `count` configurations."""
    found = _read(
        "phases.h5",
        origin,
        ("embedding", "cluster", "phase", "densities", "transitions", "transition_errors"),
        left_out,
    )
    if found is None:
        return None
    arrays, own = found
    wrong = "unsupervised" in own and own.get("made_from") != phases_of(
        origin.dataset_digest, own["unsupervised"]
    )
    if wrong or len(arrays["phase"]) != count:
        left_out.append("phases.h5: made from another data set than the dataset.h5 beside it")
        return None
    by_density = [
        {
            float(density): row.astype(float)
            for density, row in zip(arrays["densities"], arrays[name], strict=True)
        }
        for name in ("transitions", "transition_errors")
    ]
    return Phases(
        arrays["embedding"].astype(float),
        arrays["cluster"],
        arrays["phase"],
        *by_density,
        own["content_digest"],
    )


def read_probabilities(
    origin: Origin, count: int, left_out: list[str]
) -> dict[Network, np.ndarray]:
    """{network: its probabilities of `count` configurations}."""
    found = _read("predict/probabilities.h5", origin, (), left_out)
    if found is None:
        return {}
    named = {network: values for name, values in found[0].items() if (network := parse(name))}
    sound = {
        network: v.astype(float)
        for network, v in named.items()
        if v.shape == (count, 3) and np.isfinite(v).all()
    }
    left_out += [
        f"predict/probabilities.h5: {network.name} has not one probability of each phase for every "
        "configuration"
        for network in sorted(set(named) - set(sound))
    ]
    return dict(sorted(sound.items()))


def read_saliency(origin: Origin, shape: tuple, left_out: list[str]) -> Saliency | None:
    """Maps of some of the configurations of a data set of this shape (n, L, L)."""
    found = _read("predict/saliency.h5", origin, ("index",), left_out)
    if found is None:
        return None
    index = found[0]["index"].astype(int)
    wanted = (len(index), 2, *shape[1:])
    maps, margins = (
        {
            network: v.astype(float)
            for name, v in found[0].items()
            if (network := parse(name.removeprefix(group)))
            and name.startswith(group)
            and v.shape == wanted
        }
        for group in ("", f"{MARGIN}/")
    )
    if len(index) == 0 or not maps or index.min() < 0 or index.max() >= shape[0]:
        left_out.append("predict/saliency.h5: no maps of this data set's configurations")
        return None
    return Saliency(index, dict(sorted(maps.items())), margins)


def read_trained(
    origin: Origin, replica: np.ndarray, left_out: list[str]
) -> dict[Network, Trained]:
    """Of every network of the run; replica (n,) of each row of its data set."""
    networks = {}
    for file in sorted((origin.path / "train").glob("*/*/*/test.h5")):
        network = parse(str(file.parent.relative_to(origin.path / "train")))
        name = str(file.relative_to(origin.path))
        found = (
            _read(name, origin, ("index", "phase", "probabilities", "first_layer"), left_out)
            if network
            else None
        )
        if found is None:
            continue
        arrays, own = found
        right = arrays["probabilities"].argmax(axis=1) == arrays["phase"]
        networks[network] = Trained(
            int(own["parameters"]) if "parameters" in own else None,
            int(own["epochs"]) if "epochs" in own else None,
            arrays["index"].astype(np.int32),
            replica[arrays["index"]].astype(np.int32),
            right,
            arrays["first_layer"].astype(np.float32),
        )
    return dict(sorted(networks.items()))
