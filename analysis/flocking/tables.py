"""Long tables of report.json: boundaries, networks, correlation times, a row each."""

import numpy as np

from analysis.estimates import Estimate
from analysis.flocking import extrapolation, filters
from analysis.flocking.labels import BOUNDARIES, OBSERVABLES
from analysis.record import Record
from analysis.verdicts import number


def tables(records: list[Record]) -> dict[str, list[dict]]:
    """Every table with the rows of all records."""
    kinds = {
        "systems": lambda record: [system(record)],
        "boundaries": boundaries,
        "networks": networks,
        "training": training,
        "groups": groups,
        "correlation_times": correlation_times,
        "starts": starts,
    }
    return {
        name: [{"run": r.origin.run, **row} for r in records for row in rows(r)]
        for name, rows in kinds.items()
    }


def of(e: Estimate) -> dict:
    return {"value": number(e.value), "error": number(e.error)}


def system(record: Record) -> dict:
    """What was run."""
    about, numbers = record.numbers.about, record.numbers
    return {
        "system": record.origin.system,
        "size": about.size,
        "diffusion": about.diffusion,
        "self_propulsion": about.self_propulsion,
        "density": about.density,
        "configurations": about.configurations,
        "replicas": about.replicas,
        "temperatures": list(about.temperatures) if about.temperatures else None,
        "of_them": about.of_them,
        "other_densities": [
            float(d) for d in numbers.diagram.density if not np.isclose(d, about.density)
        ],
        "other_configurations": about.everything - about.configurations,
        "equilibration": about.equilibration,
        "interval": number(about.interval),
        "networks": len(numbers.answers),
        "seed": record.origin.seed,
        "git_revision": record.origin.revision,
        "device": record.origin.device,
    }


def boundaries(record: Record) -> list[dict]:
    """Physical and UMAP's boundaries of every density."""
    truth = record.numbers.diagram
    return [
        {
            "density": float(density),
            "boundary": name,
            "physical": of(truth.boundary(k, i)),
            "hysteresis": number(truth.hysteresis[k, i]),
            "both_spins": float(truth.mixed[k]),
            "umap": of(truth.by_umap(k, i)),
        }
        for k, density in enumerate(truth.density)
        for i, name in enumerate(BOUNDARIES)
    ]


def networks(record: Record) -> list[dict]:
    """Every network at every density and boundary."""
    numbers = record.numbers
    return [
        {
            "set": p.network.set,
            "lambda": p.network.regularization,
            "seed": p.network.seed,
            "density": p.density,
            "boundary": BOUNDARIES[p.boundary],
            "temperature": of(p.temperature),
            "physical": of(p.truth),
            "off": number(p.off),
            "failed": p.failed,
            "invented": bool(np.isnan(p.truth.value) and np.isfinite(p.temperature.value)),
        }
        for p in extrapolation.drawn_boundaries(numbers.diagram, numbers.answers)
    ]


def training(record: Record) -> list[dict]:
    """Every network: how it was trained, what it looks at, its first kernels."""
    numbers, rows = record.numbers, []
    for network in sorted({*numbers.trained, *numbers.saliency}):
        own, seen = numbers.trained.get(network), numbers.saliency.get(network)
        row = {"set": network.set, "lambda": network.regularization, "seed": network.seed}
        if own is not None:
            kernels = own.first_layer.astype(float)
            row |= {
                "parameters": own.parameters,
                "epochs": own.epochs,
                "tested": own.tested,
                "accuracy": number(own.accuracy),
                "roughness": number(filters.mean_roughness(kernels)),
                "kernels_alive": filters.share_alive(kernels),
            }
        if seen is not None and len(seen.rows):
            row |= {
                "saliency_on_edges": mean(seen.edges),
                "participation": mean(seen.participation),
                "outside": number(seen.outside),
            }
        rows.append(row)
    return rows


def mean(values: np.ndarray) -> float | None:
    return number(np.nanmean(values)) if np.isfinite(values).any() else None


def groups(record: Record) -> list[dict]:
    """UMAP's groups; phase -1: not assigned."""
    found = record.numbers.groups
    if found is None:
        return []
    return [
        {
            "cluster": int(cluster),
            "count": int(found.count[k]),
            "phase": int(found.phase[k]),
            "positive": number(found.positive[k]),
        }
        for k, cluster in enumerate(found.cluster)
    ]


def correlation_times(record: Record) -> list[dict]:
    """Correlation times of each observable: median and largest over T, and how many lie between two
    samples, over all T and in L+G.
    """
    found, rows = record.numbers.relaxation, []
    for name in OBSERVABLES if found is not None else ():
        times, between = found.times[name], found.between(name)
        finite, worst = np.isfinite(times.tau), times.worst
        if worst is None:
            continue
        banded = between[finite & (found.banded > 0.5)]
        rows.append(
            {
                "observable": name,
                "interval": number(found.interval),
                "temperatures": int(finite.sum()),
                "unknown": int((~times.known).sum()),
                "median_time": float(np.median(times.tau[finite])),
                "longest_time": of(times.longest()),
                "longest_known": bool(times.known[worst]),
                "at": float(found.temperature[worst]),
                "least_between": number(between[finite].min()),
                "median_between": number(np.median(between[finite])),
                "median_between_banded": number(np.median(banded)) if len(banded) else None,
            }
        )
    return rows


def starts(record: Record) -> list[dict]:
    """At how many temperatures late |m| of ordered and disordered starts agree; none: unknown."""
    found = record.numbers.relaxation
    known = np.zeros(0, bool) if found is None else np.isfinite(found.agree)
    if not known.any():
        return []
    return [
        {
            "temperatures": int(known.sum()),
            "agree": int((found.agree[known] == 1).sum()),
            "differ_at": [float(t) for t in found.temperature[known & (found.agree == 0)]],
        }
    ]
