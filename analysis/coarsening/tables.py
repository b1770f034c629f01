"""The report's tables: networks, cases, time and error, checks; as rows for programs and as
text.
"""

import numpy as np

from analysis.coarsening import costs
from analysis.coarsening.ablation import drift
from analysis.coarsening.dataset import Run
from analysis.coarsening.errors import over_starts
from analysis.coarsening.numbers import Numbers
from analysis.estimates import Estimate
from analysis.tables import cell, table, with_error
from analysis.verdicts import number
from jobs.coarsening.measures import energies

RISE = 1e-4  # of F: the adaptive scheme's own error may lift it by less


def as_dict(e: Estimate) -> dict:
    return {"value": number(e.value), "error": number(e.error)}


def networks(run: Run, numbers: Numbers) -> list[dict]:
    """One row a network: how it was trained, its errors on the test set beside the baselines, its
    drift and checkerboard.
    """
    rows = []
    for network in run.networks:
        t, test = run.trained.get(network), numbers.errors.get(("test", network))
        about = t.attributes if t else {}
        done = t is not None and t.loss is not None
        changes = [
            drift(case.networks[network]).max()
            for case in run.cases.values()
            if network in case.networks
        ]
        far = max(
            (key for key in numbers.errors if key[1] == network),
            key=lambda key: numbers.errors[key].time[-1],
            default=None,
        )
        parity = numbers.errors[far] if far else None
        rows.append(
            {
                "run": run.name,
                "network": network.name,
                "downscaling": run.system("downscaling"),
                **{
                    name: plain(about.get(name))
                    for name in ("parameters", "epochs", "best_epoch", "seconds")
                },
                "device": str(about["device"]) if "device" in about else None,
                "validation_loss": number(t.validation_loss) if t else None,
                "mean_squared_error": as_dict(over_starts(t.loss[:, 1:].mean(1)))
                if done
                else as_dict(Estimate(np.nan, np.nan)),
                "persistence": number(t.persistence[:, 1:].mean()) if done else None,
                "extrapolation": number(t.extrapolation[:, 1:].mean()) if done else None,
                "displacement": as_dict(test.at()[1] if test else Estimate(np.nan, np.nan)),
                "drift": number(max(changes)) if changes else None,
                "checkerboard_case": far[0] if far else None,
                "checkerboard": number(parity.parity[:, -1].mean()) if far else None,
                "checkerboard_truth": number(parity.parity_truth[:, -1].mean()) if far else None,
            }
        )
    return rows


def plain(value):
    """A number of an HDF5 attribute as JSON knows it."""
    return (
        None
        if value is None
        else float(value)
        if isinstance(value, float | np.floating)
        else int(value)
    )


def cases(run: Run, numbers: Numbers) -> list[dict]:
    """One row a case and network: errors, free energy, last state."""
    rows = []
    for name, case in run.cases.items():
        for network, rollout in case.networks.items():
            key = name, network
            errors, gap, end = numbers.errors.get(key), numbers.gaps.get(key), numbers.ends[key]
            none = Estimate(np.nan, np.nan)
            rmse, moved = errors.at() if errors else (none, none)
            truth = numbers.ends_truth.get(name)
            rows.append(
                {
                    "run": run.name,
                    "case": name,
                    "network": network.name,
                    "cells": list(rollout.shape),
                    "starts": rollout.count,
                    "time": float(rollout.series_time[-1]),
                    "mean_squared_error": as_dict(errors.mean_squared() if errors else none),
                    "persistence": number(errors.persistence[:, errors.time > 0].mean())
                    if errors and (errors.time > 0).any()
                    else None,
                    "rmse_at_end": as_dict(rmse),
                    "displacement_at_end": as_dict(moved),
                    "compared_until": float(errors.time[-1]) if errors else None,
                    "free_energy_error": number(gap.largest()[0]) if gap else None,
                    "exponent": as_dict(numbers.exponents[key]),
                    "exponent_truth": as_dict(numbers.exponents_truth.get(name, none)),
                    "layering": number(end.layering.mean()),
                    "layering_truth": number(truth.layering.mean()) if truth else None,
                    "drift": number(drift(rollout).max()),
                    "seconds_per_frame": number(
                        float(rollout.attributes.get("seconds_per_frame", np.nan))
                    ),
                    "stopped": rollout.stopped,
                }
            )
    return rows


def downscaling(rows: list[dict], tests: list[dict]) -> list[str]:
    """Networks of runs that downscale in different ways beside one another; [] where all do
    alike.
    """
    if len({r["downscaling"] for r in rows}) < 2:
        return []
    head = [
        "downscaling",
        "run",
        "network",
        "test: mean squared error",
        "over persistence",
        "displacement, last frame",
        "error of F on test sequences",
    ]
    energy = {
        (r["run"], r["network"]): r["free_energy_error"] for r in tests if r["case"] == "test"
    }
    lines = []
    for r in sorted(rows, key=lambda r: (r["network"], r["downscaling"])):
        value, e = r["mean_squared_error"]["value"], energy.get((r["run"], r["network"]))
        lines.append(
            [
                r["downscaling"].replace("_", " "),
                r["run"],
                r["network"],
                _text(r["mean_squared_error"], "not finished"),
                "" if value is None else f"{value / r['persistence']:.3g}",
                _text(r["displacement"]),
                "" if e is None else f"{100 * e:.2g}%",
            ]
        )
    return ["## Nearest against block mean", "", *table(head, lines)]


def methods(run: Run, numbers: Numbers) -> list[dict]:
    """The honest table; times also over that of the network that the claims are judged by."""
    own = costs.of_network(numbers.costs, run.main())
    return [
        {
            "run": run.name,
            "method": row.title,
            "seconds_per_frame": row.seconds,
            "least": row.least,
            "most": row.most,
            "over_network": row.seconds / own.seconds if own else None,
            "rmse": number(row.rmse),
            "free_energy_error": number(row.free_energy_error),
        }
        for row in numbers.costs
    ]


def checks(run: Run, numbers: Numbers) -> list[dict]:
    """What must hold of the truth whatever the paper says: F never rises; its mean on the solver's
    grid stays.
    """
    rises, drifts, coarse = [], [], []
    for case in run.cases.values():
        if case.truth is None:
            continue
        coarse.append(drift(case.truth).max())
        if case.truth.full:
            free, mean = [], []
            for k in range(
                len(case.truth.time)
            ):  # one frame at a time: all of an ensemble's would be large
                phi = case.truth.phi_full(k)
                free.append(energies(phi, float(run.system("spacing")), run.interface_width))
                mean.append(phi.mean((1, 2, 3), dtype=float))
            rises.append((np.diff(free, axis=0) / free[0]).max(initial=-np.inf))
            drifts.append(np.abs(np.subtract(mean, mean[0])).max())
    found = (
        (
            "truth: largest rise of F between two kept frames over F at t = 0, solver's grid (negative: it only falls)",
            rises,
            RISE,
        ),
        ("truth: largest change of the mean of phi, solver's grid", drifts, 1e-5),
        (
            f"truth: largest change of the mean of phi, network's grid ({run.system('downscaling').replace('_', ' ')})",
            coarse,
            None if run.system("downscaling") == "nearest" else 1e-5,
        ),
    )
    return [
        {
            "run": run.name,
            "what": what,
            "value": number(max(values)) if values else None,
            "limit": limit,
            "holds": None if not values or limit is None else bool(max(values) <= limit),
        }
        for what, values, limit in found
    ]


def _text(e: dict, missing: str = "") -> str:
    return with_error(e["value"], e["error"], missing)


def _plain(value: float | None, missing: str = "") -> str:
    return missing if value is None else f"{value:.3g}"


def networks_text(rows: list[dict]) -> list[str]:
    if not rows:
        return ["## Networks", "", "No network of these runs is trained yet.", ""]
    head = [
        "run",
        "network",
        "downscaling",
        "parameters",
        "epochs (kept)",
        "seconds",
        "validation loss",
        "test: mean squared error",
        "persistence",
        "linear extrapolation",
        "displacement, last frame",
        "largest drift of the mean",
        "checkerboard at the end (truth)",
    ]
    lines = [
        [
            r["run"],
            r["network"],
            r["downscaling"],
            cell(r["parameters"]),
            f"{cell(r['epochs'])} ({cell(r['best_epoch'])})"
            if r["epochs"] is not None
            else "not finished",
            _plain(r["seconds"]),
            _plain(r["validation_loss"]),
            _text(r["mean_squared_error"]),
            _plain(r["persistence"]),
            _plain(r["extrapolation"]),
            _text(r["displacement"]),
            _plain(r["drift"]),
            ""
            if r["checkerboard"] is None
            else f"{r['checkerboard']:.2g} ({r['checkerboard_truth']:.2g}), {r['checkerboard_case']}",
        ]
        for r in rows
    ]
    return ["## Networks", "", *table(head, lines)]


def cases_text(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    head = [
        "run",
        "case",
        "network",
        "cells",
        "starts",
        "time",
        "mean squared error",
        "persistence",
        "RMSE at the end",
        "displacement",
        "largest error of F",
        "exponent of F",
        "of the truth's",
        "layering at the end (truth)",
        "drift of the mean",
    ]
    lines = [
        [
            r["run"],
            r["case"],
            r["network"],
            "x".join(map(str, r["cells"])),
            str(r["starts"]),
            f"{r['time']:g}",
            _text(r["mean_squared_error"]),
            _plain(r["persistence"]),
            _text(r["rmse_at_end"]),
            _text(r["displacement_at_end"]),
            "" if r["free_energy_error"] is None else f"{100 * r['free_energy_error']:.2g}%",
            _text(r["exponent"]),
            _text(r["exponent_truth"]),
            _plain(r["layering"])
            + ("" if r["layering_truth"] is None else f" ({r['layering_truth']:.3g})"),
            _plain(r["drift"]),
        ]
        for r in rows
    ]
    stopped = [f"- {r['run']}: {r['stopped']}" for r in rows if r["stopped"]]
    return [
        "## Rollouts",
        "",
        *table(head, lines),
        *(["Stopped early:", "", *stopped, ""] if stopped else []),
    ]


def methods_text(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    head = ["run", "method", "seconds a frame", "over the network's", "RMSE", "relative error of F"]
    lines = [
        [
            r["run"],
            r["method"],
            f"{r['seconds_per_frame']:.3g} ({r['least']:.3g} to {r['most']:.3g})",
            _plain(r["over_network"]),
            _plain(r["rmse"], "not finite"),
            _plain(r["free_energy_error"], "not finite"),
        ]
        for r in rows
    ]
    return [
        "## Time and error",
        "",
        "From one start, on one device; in brackets the quickest and the slowest repeat.",
        "",
        *table(head, lines),
    ]


def checks_text(rows: list[dict]) -> list[str]:
    lines = [
        [
            r["run"],
            r["what"],
            "not run" if r["value"] is None else f"{r['value']:.2g}",
            "no limit" if r["limit"] is None else f"{r['limit']:g}",
            "" if r["holds"] is None else "yes" if r["holds"] else "**no**",
        ]
        for r in rows
    ]
    return ["## Checks", "", *table(["run", "what", "value", "at most", "holds"], lines)]
