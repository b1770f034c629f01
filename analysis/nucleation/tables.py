"""Tables of report.json: what was run, every quantity, every model, every paired difference."""

import numpy as np

from analysis.estimates import Estimate
from analysis.nucleation import labels, paper, skill
from analysis.nucleation.labels import CONFIGURATION, EVENT, SPLITS, label
from analysis.nucleation.measure import HALF, TENTH
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.rates import interfaces
from analysis.nucleation.skill import FoldEstimate
from analysis.record import Record
from analysis.verdicts import NOT_RUN, number

REGRESSIONS = ("features", "features_converged")
PAIRS = (
    *((network, regression) for network in paper.NETWORKS for regression in REGRESSIONS),
    ("features", "spins"),
    ("features_converged", "spins"),
    REGRESSIONS,
    *(("torus", network) for network in paper.NETWORKS),
    ("torus_window", "torus"),
    ("cnn_4layer", "cnn_2layer"),
    *((paper.PROGRAM, network) for network in paper.NETWORKS if network != paper.PROGRAM),
)


def tables(records: list[Record]) -> dict[str, list[dict]]:
    return {
        "systems": [summary(record) for record in records],
        "rows": quantities(records),
        "models": [row for record in records for row in models(record)],
        "differences": [row for record in records for row in differences(record)],
    }


def summary(record: Record) -> dict:
    """What was run: the provenance and sizes of one system."""
    system, made, origin = record.numbers.system, record.numbers.generated, record.origin
    return {
        "system": origin.system,
        "run": origin.run,
        "interaction": system.interaction,
        "range": system.range,
        "size": system.size,
        "temperature": system.temperature,
        "field": system.field,
        "events": made.events,
        "labels": made.labels,
        "configurations": made.configurations,
        "copies": None if made.copies is None else list(made.copies),
        "window": made.window,
        "reading": made.reading,
        "adaptive": made.adaptive,
        "history": made.history,
        "bins": made.bins,
        "bonds": made.bonds,
        "seed": origin.seed,
        "git_revision": origin.revision,
        "device": origin.device,
        "date": origin.date,
    }


# ---- quantities


def quantities(records: list[Record]) -> list[dict]:
    """Rows of every record, then "not run" rows for the paper's systems that no record covers."""
    covered = {paper.find(record.numbers.system) for record in records}
    return [row for record in records for row in quantities_of(record)] + [
        row for system in paper.SYSTEMS if system not in covered for row in not_run(system)
    ]


def quantities_of(record: Record) -> list[dict]:
    """All quantities of one system, each beside the value that the paper states."""
    numbers, found = record.numbers, record.numbers.quantities
    stated = paper.find(numbers.system) or PaperSystem(0, 0, None, None)
    about = notes(record, stated)
    given = {
        labels.LIFETIME: stated.lifetime,
        labels.RADIUS: stated.radius,
        labels.GROWTH: stated.growth and f"about {stated.growth:g}",
        labels.EARLY_GROWTH: stated.growth and f"about {stated.growth:g}",
        labels.CORRELATION: stated.correlation,
        labels.SIZE: stated.configurations,
    }
    return [
        row(record.origin.system, name, given.get(name), estimate, about.get(name, ""))
        for name, estimate in found.items()
        if numbers.waited or np.isfinite(estimate.value)
    ]


UNITS = {
    labels.LIFETIME: "MCS",
    labels.FLUX_LIFETIME: "MCS",
    labels.RADIUS: "lattice units",
    labels.GROWTH: "MCS",
    labels.EARLY_GROWTH: "MCS",
}


def row(system: str, quantity: str, stated, estimate: Estimate | None, note: str = "") -> dict:
    """One quantity; estimate None: not run."""
    value, error = (
        (None, None) if estimate is None else map(number, (estimate.value, estimate.error))
    )
    status = NOT_RUN if estimate is None else "undetermined" if value is None else "run"
    return {
        "system": system,
        "quantity": quantity,
        "paper": None if stated is None else str(stated),
        "ours": value,
        "error": error,
        "unit": UNITS.get(quantity, ""),
        "status": status,
        "note": note,
    }


def notes(record: Record, stated: PaperSystem) -> dict[str, str]:
    """What else is worth saying of a quantity."""
    made, found = record.numbers.generated, record.numbers.quantities
    bonds = made.bonds or f"{made.default_bonds}, assumed: not recorded"
    radius = found[labels.RADIUS]
    reach = f"{radius.value / record.numbers.system.size:.2f} L; {bonds.replace('_', '-')} bonds"

    def growth(name: str, threshold: float, older: int) -> str:
        note = f"{made.labelled} events, {older} of them above {threshold:g} at their first label"
        return "; ".join(filter(None, [against(found[name], stated.growth, exact=False), note]))

    rates = record.numbers.rates
    by_flux = f"{rates.samplings} samplings, {interfaces(rates)}" if rates else ""
    return {
        labels.LIFETIME: f"{made.events} events",
        labels.FLUX_LIFETIME: by_flux,
        labels.VARIATION: "1 for an exponential law",
        labels.RADIUS: "; ".join(filter(None, [against(radius, stated.radius), reach])),
        labels.GROWTH: growth(labels.GROWTH, HALF, made.born),
        labels.EARLY_GROWTH: growth(labels.EARLY_GROWTH, TENTH, made.conceived),
        labels.CORRELATION: "negative: m falls as the droplet grows",
        labels.RAW_CORRELATION: f"{made.labels} labels, most of them near 0 and 1",
        labels.EXPLAINED: "correlation ratio, whatever the curve's shape; 0: m tells nothing, 1: m tells all",
        labels.SIZE: f"from {made.balanced} events; {made.filled} of {made.bins} bins of p_nuc filled",
        labels.NOISE: "balanced data",
    }


def against(estimate: Estimate, stated: float | None, exact: bool = True) -> str:
    """How far ours is from a number of the paper's; in standard errors too where the paper's is not
    a round figure.
    """
    if stated is None or not np.isfinite(estimate.value):
        return ""
    text = f"{estimate.value / stated - 1:+.0%} of the paper's".replace("-", "\N{MINUS SIGN}")
    if exact and np.isfinite(estimate.error) and estimate.error > 0:
        text += f", {abs(estimate.value - stated) / estimate.error:.1f} of our standard errors"
    return text


def not_run(system: PaperSystem) -> list[dict]:
    """The rows of a paper's system for which there is no record: those where the paper states a
    value.
    """
    given = {
        labels.LIFETIME: system.lifetime,
        labels.RADIUS: system.radius,
        labels.GROWTH: system.growth and f"about {system.growth:g}",
        labels.CORRELATION: system.correlation,
        labels.SIZE: system.configurations,
    }
    return [
        row(system.name, quantity, value, None)
        for quantity, value in given.items()
        if value is not None
    ]


# ---- models


def errors(estimate: FoldEstimate) -> dict:
    """A number with its two errors; error: the larger."""
    names = ("value", "error", "fold_error", "event_error")
    return {name: number(getattr(estimate, name)) for name in names}


def models(record: Record) -> list[dict]:
    """A row for each split and model. training, test: configurations of the smallest fold; epochs,
    best_epoch, seconds: mean over folds, seconds of training per fold.
    """
    return [
        model_row(record, split, model)
        for split in SPLITS
        for model in record.numbers.models(split)
    ]


def model_row(record: Record, split: str, model: str) -> dict:
    folds = record.numbers.tested(split, model)
    seconds = [f.fold.seconds for f in folds if f.fold.seconds is not None]
    measures = {
        "mse": skill.mse,
        "root_mse": skill.root_mse,
        "absolute_error": skill.absolute_error,
        "excess": skill.excess,
        "explained": skill.explained,
    }
    return {
        "system": record.origin.system,
        "split": split,
        "model": model,
        "parameters": folds[0].fold.parameters,
        "folds": len(folds),
        "training": min(f.fold.training for f in folds),
        "test": min(len(f.index) for f in folds),
        "floor": number(skill.floor(folds)),
        **{name: errors(of(folds)) for name, of in measures.items()},
        "epochs": float(np.mean([f.fold.epochs for f in folds])),
        "best_epoch": float(np.mean([f.fold.best_epoch for f in folds])),
        "seconds": float(np.mean(seconds)) if seconds else None,
        "device": "; ".join(sorted({f.fold.device for f in folds})),
    }


def differences(record: Record) -> list[dict]:
    """MSE of `first` minus MSE of `second`, paired by fold and row between models; then each
    model's price of splitting by event.  Smaller than 0: the first is better.
    """
    numbers, name, rows = record.numbers, record.origin.system, []
    for split in SPLITS:
        for first, second in PAIRS:
            found = skill.difference(numbers.tested(split, first), numbers.tested(split, second))
            if found is not None:
                rows.append(difference(name, split, (label(first), label(second)), found))
    for model in numbers.models(EVENT):
        by_configuration = numbers.tested(CONFIGURATION, model)
        if by_configuration:
            found = skill.between_splits(numbers.tested(EVENT, model), by_configuration)
            both = tuple(f"{label(model)}, {SPLITS[split]}" for split in (EVENT, CONFIGURATION))
            rows.append(difference(name, "both", both, found))
    return rows


def difference(system: str, split: str, pair: tuple[str, str], estimate: FoldEstimate) -> dict:
    return {
        "system": system,
        "split": split,
        "first": pair[0],
        "second": pair[1],
        "folds": estimate.folds,
        "difference": errors(estimate),
    }
