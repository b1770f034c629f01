"""The paper's claims about the free energy and about cost."""

import numpy as np

from analysis.coarsening import costs, energy
from analysis.coarsening.dataset import Run
from analysis.coarsening.energy_figure import LIMIT
from analysis.coarsening.names import Network
from analysis.coarsening.numbers import Numbers
from analysis.coarsening.rows import Claim, row, starts
from analysis.estimates import exact
from analysis.verdicts import above, below, close_to


def free_energy(run: Run, network: Network | None, numbers: Numbers) -> list[Claim]:
    rows = []
    for case, text in (("long", "long rollout"), ("ensemble", "ensemble, mean over the starts")):
        gap, more = numbers.gaps.get((case, network)), {}
        if gap:
            largest, when = gap.largest()
            more = {
                "data": f"{starts(len(gap.relative))}, t up to {gap.time[-1]:g}",
                "note": f"at t = {when:g}; mean over log t {mean_in_log(gap.time, gap.relative.mean(0)):.2g}",
            }
        found = exact(largest) if gap else None
        rows.append(
            row(
                run,
                network,
                f"{text}: largest relative error of F",
                "< 5.5%",
                below(LIMIT),
                found,
                **more,
            )
        )
    for case, text in (("long", "long rollout"), ("ensemble_long", "long ensemble, network alone")):
        found, more = numbers.exponents.get((case, network)), {}
        if found:
            true, between = numbers.exponents_truth.get(case), numbers.windows[case]
            more = {
                "data": starts(run.cases[case].networks[network].count),
                "note": f"t = {between[0]:g} to {between[1]:g}"
                if between
                else "the box is too small for a stretch of coarsening",
            }
            if true is not None and np.isfinite(true.value):
                more["note"] += f"; truth {true}"
        rows.append(
            row(
                run,
                network,
                f"{text}: exponent of F in t",
                "-1/3",
                close_to(round(energy.LAW, 4)),
                found,
                **more,
            )
        )
    bands = numbers.bands.get(("ensemble", network))
    count = starts(run.cases["ensemble"].truth.count) if bands else ""
    rows.append(
        row(
            run,
            network,
            "ensemble: mean F minus the truth's, in the truth's standard deviations, largest over time",
            "within the bands",
            below(1),
            exact(np.abs(bands.off).max()) if bands else None,
            data=count,
            note=f"at t = {bands.time[np.abs(bands.off).argmax()]:g}" if bands else "",
        )
    )
    text = "ensemble: standard deviation of F over the truth's, mean over time"
    rows.append(
        row(
            run,
            network,
            text,
            "close agreement",
            close_to(1),
            bands.ratio if bands else None,
            data=count,
        )
    )
    return rows


def mean_in_log(time: np.ndarray, values: np.ndarray) -> float:
    """Mean over log t of what is given at times (t,) after 0."""
    after = time > 0
    x = np.log(time[after])
    return (
        float(np.trapezoid(values[after], x) / np.ptp(x))
        if len(x) > 1 and np.ptp(x) > 0
        else float(values[after].mean())
    )


def cost(run: Run, network: Network | None, numbers: Numbers) -> list[Claim]:
    cells, seconds, cases = (
        costs.by_size(run, network) if network else (np.array([]), np.array([]), [])
    )
    boxes = len(np.unique(cells))
    rows = [
        row(
            run,
            network,
            "cost of a frame against cells: exponent",
            "linear",
            close_to(1),
            costs.growth(cells, seconds) if boxes > 1 else None,
            data=f"{len(cases)} cases, {boxes} sizes",
        )
    ]
    own = costs.of_network(numbers.costs, network)
    frames = f"{run.costs.get('frames', '?')} frames, {run.costs.get('device', '?')}" if own else ""
    explicit = costs.over_explicit(numbers.costs, network) if own else None
    known = own and np.isfinite(explicit.value)
    still = float(run.costs.get("persistence_rmse", np.inf)) if own else np.inf
    poor = "" if own is None or own.rmse < still else f"; not better than persistence, {still:.1e}"
    note = (
        f"RMSE {own.rmse:.1e}; explicit {costs.solver(numbers.costs, 'explicit')[0].rmse:.1e}{poor}"
        if known
        else ""
    )
    text = "time of the explicit scheme over the network's"
    rows.append(
        row(
            run, network, text, "a fraction of the cost", above(1), explicit, data=frames, note=note
        )
    )
    for method in ("second_order", "adaptive"):
        found, how = costs.at_same_error(numbers.costs, network, method) if own else (None, "")
        rows.append(
            row(
                run,
                network,
                f"time of the {costs.SOLVERS[method]} scheme, at least as accurate, over the network's",
                "not compared",
                above(1),
                found,
                data=frames,
                note=how + poor * bool(how),
            )
        )
    return rows
