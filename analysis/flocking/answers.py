"""Reading what later stages made of dataset.h5: phases.h5, probabilities.h5, saliency.h5 and the networks' test.h5."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.flocking.networks import Network, parse
from jobs import shards


@dataclass(frozen=True)
class Phases:
    """By configuration: embedding (n, 2), nan where there is none; cluster (-1: noise) and phase (-1: not assigned) (n,).

    transitions, errors: {density: (L to L+G, L+G to G)} temperatures.
    """

    embedding: np.ndarray
    cluster: np.ndarray
    phase: np.ndarray
    transitions: dict[float, np.ndarray]
    errors: dict[float, np.ndarray]

    def transition(self, density: float) -> tuple[np.ndarray, np.ndarray]:
        """(temperatures (2,), errors (2,)) at a density, nan where there are none."""
        for known in self.transitions:
            if np.isclose(known, density):
                return self.transitions[known], self.errors[known]
        return np.full(2, np.nan), np.full(2, np.nan)


@dataclass(frozen=True)
class Saliency:
    """|dS_c / dI| of k configurations, rows index (k,) of dataset.h5: {network: float (k, 2, L, L)}, magnetization then density."""

    index: np.ndarray
    maps: dict[Network, np.ndarray]


@dataclass(frozen=True)
class Trained:
    """One network after training: how it does on its test set, and the weights of its first layer (6, 2, 5, 5)."""

    parameters: int | None
    accuracy: float
    epochs: int | None
    tested: int
    first_layer: np.ndarray


def _read(file: Path, attributes: dict, needed: tuple[str, ...], left_out: list[str]) -> tuple[dict, dict] | None:
    """(arrays, attributes) of a sound file made from this data set; None: there is none (a line in left_out if it is unusable)."""
    try:
        arrays, own = shards.read(file)
        if own.get("dataset_digest", attributes["content_digest"]) != attributes["content_digest"]:
            raise shards.BadFileError("made from another data set than the dataset.h5 beside it")
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise shards.BadFileError(f"lacks {', '.join(missing)}")
    except FileNotFoundError:
        return None
    except shards.BadFileError as error:
        left_out.append(f"{file.name}: {error}" if file.parent.name != "predict" else f"predict/{file.name}: {error}")
        return None
    return arrays, own


def read_phases(path: Path, attributes: dict, count: int, left_out: list[str]) -> Phases | None:
    found = _read(path / "phases.h5", attributes, ("embedding", "cluster", "phase"), left_out)
    if found is None:
        return None
    arrays, own = found
    if len(arrays["phase"]) != count:
        left_out.append("phases.h5: not as many rows as dataset.h5 has configurations")
        return None
    densities = arrays.get("densities", arrays.get("mean_density", np.empty(0)))
    values = arrays.get("transitions", np.full((len(densities), 2), np.nan))
    errors = arrays.get("transition_errors", np.full(values.shape, np.nan))
    by_density = [{float(d): row.astype(float) for d, row in zip(densities, rows, strict=False)} for rows in (values, errors)]
    return Phases(arrays["embedding"].astype(float), arrays["cluster"], arrays["phase"], *by_density)


def read_probabilities(path: Path, attributes: dict, count: int, left_out: list[str]) -> dict[Network, np.ndarray]:
    found = _read(path / "predict" / "probabilities.h5", attributes, (), left_out)
    if found is None:
        return {}
    named = {network: values for name, values in found[0].items() if (network := parse(name))}
    sound = {network: v.astype(float) for network, v in named.items() if v.shape == (count, 3) and np.isfinite(v).all()}
    left_out += [f"predict/probabilities.h5: {network.name} has not one probability of each phase for every configuration"
                 for network in sorted(set(named) - set(sound))]  # fmt: skip
    return dict(sorted(sound.items()))


def read_saliency(path: Path, attributes: dict, shape: tuple, left_out: list[str]) -> Saliency | None:
    found = _read(path / "predict" / "saliency.h5", attributes, ("index",), left_out)
    if found is None:
        return None
    index = found[0]["index"].astype(int)
    wanted = (len(index), 2, *shape[1:])
    maps = {network: v.astype(float) for name, v in found[0].items() if (network := parse(name)) and v.shape == wanted}
    if len(index) == 0 or not maps or index.min() < 0 or index.max() >= shape[0]:
        left_out.append("predict/saliency.h5: no maps of this data set's configurations")
        return None
    return Saliency(index, dict(sorted(maps.items())))


def read_trained(path: Path, attributes: dict, left_out: list[str]) -> dict[Network, Trained]:
    networks = {}
    for file in sorted((path / "train").glob("*/*/*/test.h5")):
        network = parse(str(file.parent.relative_to(path / "train")))
        found = _read(file, attributes, ("phase", "probabilities", "first_layer"), left_out) if network else None
        if found is None:
            continue
        arrays, own = found
        right = arrays["probabilities"].argmax(axis=1) == arrays["phase"]
        networks[network] = Trained(
            int(own["parameters"]) if "parameters" in own else None, float(right.mean()) if len(right) else np.nan,
            int(own["epochs"]) if "epochs" in own else None, len(right), arrays["first_layer"].astype(float),
        )  # fmt: skip
    return dict(sorted(networks.items()))
