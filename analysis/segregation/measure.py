"""All that the pages need to know of a run, worked out once, with errors: RUN -> record."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis import record
from analysis.estimates import Estimate, ratio
from analysis.segregation import dataset, examples, physics, skill, structure, transition
from analysis.segregation.dataset import TEST, TRAINING, VALIDATION, Run
from analysis.segregation.examples import Examples, Film, Layers
from analysis.segregation.labels import SIX
from analysis.segregation.mixed_states import Statistics, mean_of, root_mean_square, statistics
from analysis.segregation.physics import Physics
from analysis.segregation.predictability import Predictability, predictability
from analysis.segregation.predictions import Predictions
from analysis.segregation.skill import Skills, Trained
from analysis.segregation.structure import Spectrum
from analysis.segregation.transition import Position, Shares

POINTS = 400  # samples of a scatter plot
LEVELS = np.linspace(0, 1, 101)  # of a distribution
EPOCHS = 500  # kept of a training, at most


@dataclass(frozen=True)
class Setting:
    """What was run.

    size: cells a side; spacing: side of a cell, length; epsilon: sqrt(energy / length); well_depth:
    energy / area; noise: amplitude of the first field's.  means: how many mean concentrations, from
    first_mean to last_mean.  training, validation, test: samples; segregated: share of the test
    samples that do.  Of the networks: samples they are trained on, epochs, width (filters of the
    first layers), weight (lambda, of the GAN's loss beside L1).
    """

    size: int
    spacing: float
    epsilon: float
    well_depth: float
    noise: float
    means: int
    first_mean: float
    last_mean: float
    training: int
    validation: int
    test: int
    segregated: float
    samples: int
    epochs: int
    width: int
    weight: float


@dataclass(frozen=True)
class Change:
    """Mean concentration of the answer minus that of the input.

    Of samples that segregate: rms, mean, largest (absolute).  largest_of_all: of all samples.
    by_mean: float64 (m, 4), at each of the mean concentrations of `shares`: median, 16 and 84%
    quantile, rms.
    """

    rms: Estimate
    mean: float
    largest: float
    largest_of_all: float
    by_mean: np.ndarray


@dataclass(frozen=True)
class Points:
    """Some test samples, for scatter plots.  float32 (6, n): truth, predicted, rows as in Skills;
    segregates: bool (n,).
    """

    truth: np.ndarray
    predicted: np.ndarray
    segregates: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Distributions of the six quantities: values below which 0, 1, ... 100% of the samples lie,
    float64 (6, 101), rows as in Skills.
    """

    truth: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Forward:
    """A network from mixed to segregated, on test samples.

    samples; segregated: how many of them segregate in truth.  training, weight: samples and lambda
    of its training.  same: a digest of the samples' rows: networks that share it are compared
    sample by sample.  right: share of samples whose fate (segregated or uniform) is right;
    right_given_mean: of a prediction that says what most training samples of that mean do.
    lower, upper: where half of the samples segregate.  correlation: with the truth, cell by cell,
    mean over the samples that segregate.  uniform, segregating: distributions; None: fewer than two
    such samples.
    """

    samples: int
    segregated: int
    training: int
    weight: float
    same: str
    skills: Skills
    shares: Shares
    lower: Position
    upper: Position
    right: Estimate
    right_given_mean: float
    change: Change
    spectrum: Spectrum | None
    correlation: Estimate
    segregating: Curves | None
    uniform: Curves | None
    points: Points


@dataclass(frozen=True)
class Reverse:
    """A network from segregated to mixed, on test samples; None: there are no such inputs.

    training, weight: samples and lambda of its training.  spectrum: of inputs that segregated.
    """

    training: int
    weight: float
    segregated: Statistics | None
    uniform: Statistics | None
    spectrum: Spectrum | None


@dataclass(frozen=True)
class Numbers:
    """A run of the segregation study.  Networks by MODEL or MODEL/which.

    histories: by network {column of metrics.csv: float32 (epochs,)}: epoch; l1, validation_l1: mean
    |c - truth|; adversarial, discriminator: cross entropies, nat.  examples: "forward", "reverse".
    """

    setting: Setting
    physics: Physics
    forward: dict[str, Forward]
    reverse: dict[str, Reverse]
    histories: dict[str, dict[str, np.ndarray]]
    examples: dict[str, Examples]
    layers: dict[str, Layers]
    film: Film | None
    predictability: Predictability | None
    left_out: list[str]


def measure(path: Path) -> record.Record:
    """The record of a run directory.  Raises BadInput with one line."""
    run = dataset.load(path)
    what = setting(run)
    known = baselines(run)
    of_layers = {
        model: examples.layers(
            arrays["input"],
            arrays["prediction"],
            [arrays[name] for name in sorted(arrays) if name.startswith("layer_")],
        )
        for model, arrays in dataset.activations(run).items()
    }
    shown = {
        way: examples.examples(run.models(way == "reverse"), way == "reverse")
        for way in ("forward", "reverse")
    }
    numbers = Numbers(
        what,
        physics.physics(run),
        {model: forward(run, p, known) for model, p in run.models(reverse=False).items()},
        {model: reverse(run, p) for model, p in run.models(reverse=True).items()},
        {model: thinned(columns) for model, columns in run.histories.items()},
        {way: found for way, found in shown.items() if found is not None},
        of_layers,
        film(run),
        predictability(run),
        run.left_out,
    )
    return record.Record(origin(run, what), numbers)


def origin(run: Run, what: Setting) -> record.Origin:
    size = len(run.split) * (1 + len(run.predictions))
    networks = bool(run.predictions or run.histories)
    return record.origin("segregation", run.path, system(what, networks), size, run.attributes)


def system(what: Setting, networks: bool = True) -> str:
    """What tells runs apart that must not add up; networks: there are some."""
    usual = {"well_depth": ("a", 1.0), "noise": ("noise", 0.1), "spacing": ("spacing", 1.0)}
    parts = [f"{what.size} x {what.size}", f"epsilon = {what.epsilon:g}"]
    for name, (text, value) in usual.items():
        own = getattr(what, name)
        parts += [] if own == value else [f"{text} = {own:g}"]
    if not networks:
        return ", ".join(parts)
    parts += [f"lambda = {what.weight:g}", f"{what.samples} samples", f"{what.epochs} epochs"]
    return ", ".join([*parts, f"width {what.width}"])


def setting(run: Run) -> Setting:
    """Of the data set; of the networks as they were trained, else as they are to be."""
    config, sections = run.config, [p.train for p in run.predictions.values() if p.train]
    train = sections[0] if sections else config.get("train") or {}
    means = np.unique(run.mean_concentration.round(6))
    counts = [int((run.split == k).sum()) for k in (TRAINING, VALIDATION, TEST)]
    share = float(run.segregated[run.split == TEST].mean()) if counts[2] else np.nan
    return Setting(
        run.size,
        run.spacing,
        float(config["system"].get("epsilon", 1.0)),
        float(config["system"].get("well_depth", 1.0)),
        float(config["generate"].get("noise", 0.1)),
        len(means),
        float(means[0]),
        float(means[-1]),
        *counts,
        share,
        run.training_samples(train),
        int(train.get("epochs", 200)),
        int(train.get("width", 64)),
        float(train.get("adversarial_weight", 1.0)),
    )


def thinned(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every second, third, ... epoch of a long training, and the last."""
    step = -(-len(columns["epoch"]) // EPOCHS)
    return {name: values[::-step][::-1].astype(np.float32) for name, values in columns.items()}


def film(run: Run) -> Film | None:
    """None where the fields are not there (any more)."""
    test = run.test_fields()
    if test is None:
        return None
    rows = np.flatnonzero(run.split == TEST)
    inside = np.flatnonzero(run.segregated[rows])
    return examples.film(test, inside, run.quantities["free_energy"][rows] / run.area)


# ---- networks


def baselines(run: Run) -> dict[str, Trained]:
    """What the training set's steady states tell of each quantity."""
    rows = np.flatnonzero((run.split == TRAINING) & run.segregated)
    if len(rows) == 0:
        return {}
    mean = run.mean_concentration[rows]
    return {q.name: skill.trained(mean, run.quantities[q.name][rows, -1]) for q in SIX}


def forward(run: Run, p: Predictions, known: dict[str, Trained]) -> Forward:
    inside, mean = p.segregated, p.mean_concentration
    shares = transition.count(mean, inside, p.predicted_segregated)
    lower, upper = (
        transition.positions(shares, side) for side in (transition.LOWER, transition.UPPER)
    )
    hits = (inside == p.predicted_segregated).astype(float)
    return Forward(
        len(p),
        int(inside.sum()),
        run.training_samples(p.train),
        float(p.train.get("adversarial_weight", 1.0)),
        hashlib.sha256(np.asarray(p.index, "<i8").tobytes()).hexdigest()[:16],
        skill.skills(p.predicted, p.truth, mean, inside, known),
        shares,
        lower,
        upper,
        ratio(hits, np.ones(len(p))),
        right_given_mean(run, p),
        change(p),
        structure.compared(p.spectrum[inside], p.spectrum_truth[inside]),
        mean_of(p.correlation[inside]),
        curves(p, inside),
        curves(p, ~inside),
        points(p),
    )


def reverse(run: Run, p: Predictions) -> Reverse:
    inside = p.segregated
    return Reverse(
        run.training_samples(p.train),
        float(p.train.get("adversarial_weight", 1.0)),
        statistics(p, inside),
        statistics(p, ~inside),
        structure.compared(p.spectrum[inside], p.spectrum_truth[inside]),
    )


def right_given_mean(run: Run, p: Predictions) -> float:
    """Share of p's samples whose fate is what most training samples at the nearest mean
    concentration do.
    """
    rows = np.flatnonzero(run.split == TRAINING)
    if len(rows) == 0:
        return np.nan
    known, place = np.unique(run.mean_concentration[rows].round(6), return_inverse=True)
    most = np.bincount(place, run.segregated[rows]) / np.bincount(place) > 0.5
    nearest = np.abs(p.mean_concentration[:, None] - known).argmin(axis=1)
    return float((most[nearest] == p.segregated).mean())


def change(p: Predictions) -> Change:
    own, inside = p.change, p.change[p.segregated]
    _, place = np.unique(p.mean_concentration.round(6), return_inverse=True)
    groups = [own[place == j] for j in range(place.max() + 1)]
    by_mean = [
        [*np.quantile(g, [0.5, 0.16, 0.84]).tolist(), float(np.sqrt(np.mean(g**2)))] for g in groups
    ]
    some = len(inside) > 0
    return Change(
        root_mean_square(inside),
        float(inside.mean()) if some else np.nan,
        float(np.abs(inside).max()) if some else np.nan,
        float(np.abs(own).max()),
        np.array(by_mean),
    )


def curves(p: Predictions, which: np.ndarray) -> Curves | None:
    if which.sum() < 2:
        return None
    return Curves(
        *(
            np.stack([np.quantile(of[q.name][which], LEVELS, method="inverted_cdf") for q in SIX])
            for of in (p.truth, p.predicted)
        )
    )


def points(p: Predictions) -> Points:
    """Drawn at random, the same of all networks of the same samples."""
    rows = np.random.default_rng(0).permutation(len(p))[:POINTS]
    own = (np.stack([of[q.name][rows] for q in SIX]) for of in (p.truth, p.predicted))
    return Points(*(each.astype(np.float32) for each in own), p.segregated[rows])
