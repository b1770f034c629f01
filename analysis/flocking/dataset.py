"""Reading a flocking run: dataset.h5, the phases, what the networks answer.

A file that is damaged or made from another data set is left out, and the report says so.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from analysis.flocking.answers import (
    Origin,
    Phases,
    Saliency,
    Trained,
    read_phases,
    read_probabilities,
    read_saliency,
    read_trained,
)
from analysis.flocking.labels import Network
from analysis.runs import BadInput
from jobs import shards, yaml12

NEEDED = ("magnetization", "density", "temperature", "mean_density", "start", "replica", "sample")
OF_SERIES = (
    "replica",
    "unit",
    "magnetization",
    "density_modes",
    "particles",
    "time",
    "temperature",
    "mean_density",
)


@dataclass(frozen=True)
class Series:
    """Looks at q replicas at times (o,): magnetization (q, o), sum of m_i; modes complex (q, o, 3):
    sum_x rho(x) exp(-2 pi i k x / L) / N.

    temperature, mean_density, particles, start, replica (as in the configurations) (q,).
    """

    time: np.ndarray
    temperature: np.ndarray
    mean_density: np.ndarray
    start: np.ndarray
    replica: np.ndarray
    particles: np.ndarray
    magnetization: np.ndarray
    modes: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """Signed order parameter m, float64 (q, o)."""
        return self.magnetization / self.particles[:, None]

    @property
    def step(self) -> float:
        """Time between looks; samples may lie between them."""
        return float(self.time[1] - self.time[0]) if len(self.time) > 1 else np.nan


@dataclass(frozen=True)
class Film:
    """A replica in time: magnetization and density (k, L, L) at time (k,), and its temperature and
    mean density.
    """

    magnetization: np.ndarray
    density: np.ndarray
    time: np.ndarray
    temperature: float
    mean_density: float


@dataclass(frozen=True)
class Run:
    """One run.  n configurations: magnetization int16 and density uint16 (n, L, L) as [x, y]; the
    rest (n,).

    probabilities: {network: float64 (n, 3)} in the order of networks.PHASES.
    """

    path: Path
    name: str
    config: dict
    attributes: dict
    magnetization: np.ndarray
    density: np.ndarray
    temperature: np.ndarray
    mean_density: np.ndarray
    start: np.ndarray
    replica: np.ndarray
    sample: np.ndarray
    series: Series | None
    phases: Phases | None
    probabilities: dict[Network, np.ndarray]
    saliency: Saliency | None
    trained: dict[Network, Trained]
    film: Film | None
    left_out: list[str]

    @property
    def size(self) -> int:
        return self.magnetization.shape[-1]

    @property
    def reference(self) -> float:
        """rho0 of the slice that the networks learn."""
        return float(self.config["system"]["density"])

    @property
    def densities(self) -> np.ndarray:
        return np.unique(self.mean_density)

    def at(self, density: float) -> np.ndarray:
        """Rows of one density."""
        return np.flatnonzero(np.isclose(self.mean_density, density))

    @property
    def order(self) -> np.ndarray:
        """Order parameter |sum m_i| / N of every configuration, float64 (n,)."""
        return np.abs(self.magnetization.sum((1, 2), dtype=float)) / self.density.sum(
            (1, 2), dtype=float
        )

    @property
    def equilibration(self) -> float:
        """Time of the first sample."""
        return float(self.config["generate"]["equilibration"])


def load(path: Path) -> Run:
    """Read a run directory.  Raises BadInput with one line."""
    file = path / "dataset.h5"
    try:
        arrays, attributes = shards.read(file)
        if attributes.get("study") != "flocking":
            raise BadInput(f"{file} is not a data set of the flocking study")
        config = yaml12.load(attributes["config"])
        float(config["system"]["density"]), float(config["generate"]["equilibration"])
    except FileNotFoundError:
        raise BadInput(
            f"no dataset.h5 in {path}: `python -m jobs flocking collect CONFIG.yaml --run {path}` "
            "writes it"
        ) from None
    except shards.BadFileError as error:
        raise BadInput(f"{file}: {error}") from None
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        raise BadInput(f"{file}: damaged config") from None
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        raise BadInput(f"{file} lacks {', '.join(missing)}; run collect again")
    if len(arrays["magnetization"]) == 0:
        raise BadInput(f"{file} holds no configurations; run generate and collect again")
    left_out, count = [], len(arrays["magnetization"])
    series = series_of(arrays)
    if series is None:
        left_out.append("dataset.h5: no series in it")
    origin = Origin(path, attributes["content_digest"])
    phases = read_phases(origin, count, left_out)
    origin = Origin(path, attributes["content_digest"], phases.digest if phases else "")
    return Run(
        path,
        path.name,
        config,
        attributes,
        arrays["magnetization"],
        arrays["density"],
        *(arrays[name].astype(float).round(6) for name in ("temperature", "mean_density")),
        *(arrays[name] for name in ("start", "replica", "sample")),
        series,
        phases,
        read_probabilities(origin, count, left_out),
        read_saliency(origin, arrays["magnetization"].shape, left_out),
        read_trained(origin, arrays["replica"], left_out),
        read_film(path, attributes, left_out),
        left_out,
    )


def series_of(arrays: dict) -> Series | None:
    """The series among the arrays of dataset.h5; None: they are not (all) there."""
    if any(f"series/{name}" not in arrays for name in OF_SERIES):
        return None
    own = {
        name.removeprefix("series/"): values
        for name, values in arrays.items()
        if name.startswith("series/")
    }
    starts = dict(zip(arrays["replica"].tolist(), arrays["start"].tolist(), strict=True))
    modes = own["density_modes"].astype(float)
    unit = own["unit"].astype(int)
    return Series(
        own["time"].astype(float),
        own["temperature"].astype(float).round(6)[unit],
        own["mean_density"].astype(float).round(6)[unit],
        own["start"]
        if "start" in own
        else np.array([starts.get(r, 0) for r in own["replica"].tolist()]),
        own["replica"],
        own["particles"].astype(float),
        own["magnetization"].astype(float),
        modes[..., 0] + 1j * modes[..., 1],
    )


def read_film(path: Path, attributes: dict, left_out: list[str]) -> Film | None:
    """The film of the run with these attributes of dataset.h5; None: it has none."""
    try:
        found, own = shards.read(
            path / "film.h5", study="flocking", config_digest=attributes.get("config_digest")
        )
        return Film(
            found["magnetization"],
            found["density"],
            found["time"],
            float(own["temperature"]),
            float(own["mean_density"]),
        )
    except FileNotFoundError:
        return None
    except (shards.BadFileError, KeyError) as error:
        left_out.append(f"film.h5: {error}")
        return None
