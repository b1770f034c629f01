"""How far ahead one can see: how well the end of a mixture is told from it, by its age."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.estimates import Estimate
from analysis.segregation.dataset import Run
from analysis.segregation.labels import MODELS
from analysis.segregation.predictions import correlation
from jobs import shards

FILE = "predictability.h5"
LINEAR = "linear theory"
SOLVER = "solver"  # a forecaster's name begins with it: "solver, noise 0.001"
REFERENCE = 1e-3  # rms of the noise that the measured limit is quoted at
COARSE = 1e-2  # and at which systems differ most


@dataclass(frozen=True)
class Predictability:
    """Skill of forecasters on mixtures that segregate, the same ones for all.

    age: float64 (a,), time.  perturbation: float64 (p,), rms of the noise on the solver's inputs.
    samples: how many mixtures.  skill: by forecaster, float64 (a, 3, 2): MEASURES of forecast and
    steady state, mean and standard error over the mixtures.  Forecasters: "linear theory", "solver,
    noise 0.001" and so on, and networks by their names.  Of several runs (`of_all`) samples are of
    each, and errors know what another seed gives.
    """

    age: np.ndarray
    perturbation: np.ndarray
    samples: int
    skill: dict[str, np.ndarray]

    def at_first(self, forecaster: str) -> Estimate | None:
        """Correlation of a forecaster from the youngest inputs; None: it did not forecast."""
        found = self.skill.get(forecaster)
        return None if found is None else Estimate(*found[0, 0].tolist())


def of_all(found: list[Predictability | None]) -> Predictability | None:
    """Of runs of one system, each of which counts as one: means of their skills, with the error
    that the mixtures of all have or, if that is larger, that the runs' scatter gives.
    """
    known = [p for p in found if p is not None]
    if len(known) < 2:
        return known[0] if known else None
    first = known[0]
    alike = [p for p in known if np.array_equal(p.age, first.age)]
    skill = {}
    for name in dict.fromkeys(name for p in alike for name in p.skill):
        each = np.stack([p.skill[name] for p in alike if name in p.skill])
        value, error = each[..., 0], np.sqrt((each[..., 1] ** 2).sum(0)) / len(each)
        if len(each) > 1:
            error = np.fmax(error, value.std(0, ddof=1) / np.sqrt(len(each)))
        skill[name] = np.stack([value.mean(0), error], -1)
    return Predictability(first.age, first.perturbation, first.samples, skill)


def solver(rms: float) -> str:
    """The solver as a forecaster, from inputs with noise."""
    return f"{SOLVER}, noise {rms:g}"


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of fields (n, L, L), (n,): the area that lies in the rarer phase of both over the area that
    lies in that of either; each field's as many cells as the truth's, `other`, so that a faint
    forecast counts as well as a strong one.
    """
    found = np.empty(len(one))
    for i, (a, b) in enumerate(zip(one, other, strict=True)):
        sign = 1 if (b > 0.5).mean() <= 0.5 else -1
        inside = sign * b > sign * 0.5
        most = np.argsort(-sign * a, axis=None, kind="stable")[: inside.sum()]
        mine = np.zeros(a.size, bool)
        mine[most] = True
        mine = mine.reshape(a.shape)
        found[i] = (mine & inside).sum() / max((mine | inside).sum(), 1)
    return found


def coherence(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of fields (n, L, L), (n,): how well the phases of the longest waves agree, the cosine of the
    angle between their two amplitudes as one vector; 0 by chance, 1 for the same place.
    """
    a, b = (
        np.stack([waves[:, 1, 0], waves[:, 0, 1]], 1)
        for waves in (np.fft.fft2(np.asarray(each, float)) for each in (one, other))
    )
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b.conj()).sum(1).real / np.maximum(size, 1e-300)


MEASURES: dict[str, Callable] = {
    "correlation, cell by cell": correlation,
    "overlap of the rarer phase": overlap,
    "coherence of the longest waves": coherence,
}


def predictability(run: Run) -> Predictability | None:
    """None where collect was not asked for it, or nothing segregates."""
    found, about = read(run, FILE, run.attributes["content_digest"])
    if found is None:
        return None
    truth, age = found["truth"], found["age"]
    forecasts = {solver(rms): found["solver"][:, k] for k, rms in enumerate(found["perturbation"])}
    forecasts[LINEAR] = found["linear"]
    for model in MODELS:
        answers, _ = read(run, f"predict/{model}-ages.h5", about["content_digest"])
        if answers is not None:
            forecasts[model] = answers["prediction"]
    skill = {
        name: np.stack([skills(each, truth) for each in own]) for name, own in forecasts.items()
    }
    return Predictability(age, found["perturbation"], len(truth), skill)


def skills(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """MEASURES of fields (n, L, L): float64 (3, 2), mean and standard error."""
    # a flat forecast tells nothing
    values = np.stack([np.nan_to_num(measure(forecast, truth)) for measure in MEASURES.values()])
    error = values.std(1, ddof=1) / np.sqrt(len(truth)) if len(truth) > 1 else np.full(3, np.nan)
    return np.stack([values.mean(1), error], 1)


def read(run: Run, name: str, made_from: str) -> tuple[dict[str, np.ndarray] | None, dict]:
    """Arrays and attributes of a file of the run; None where it is not there, or (said in left_out)
    is damaged or made from another file than that of this digest.
    """
    try:
        arrays, attributes = shards.read(run.path / name)
        if not str(attributes["made_from"]).startswith(made_from):
            raise shards.BadFileError("made from another file")
        return arrays, attributes
    except FileNotFoundError:
        return None, {}
    except (shards.BadFileError, KeyError) as error:
        run.left_out.append(f"{run.path.name}/{name}: {error}")
        return None, {}
