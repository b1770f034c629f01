"""Every claim of the paper as one row, by a fixed rule: training, other starts, stationary state,
conservation.
"""

import numpy as np

from analysis.coarsening import costs
from analysis.coarsening.ablation import drift
from analysis.coarsening.dataset import Run, Trained
from analysis.coarsening.errors import Errors, over_starts
from analysis.coarsening.layers import LAYERED
from analysis.coarsening.names import SIGMOID, Network, in_order
from analysis.coarsening.numbers import Numbers
from analysis.coarsening.physics_claims import cost, free_energy
from analysis.coarsening.rows import Claim, row, starts
from analysis.estimates import UNDETERMINED, Estimate, exact, ratio
from analysis.verdicts import above, below

CLOSE = 0.1  # of persistence: mean squared error of what corresponds one to one
SLIGHTLY, MAGNITUDE = 2.0, 10.0  # times
LATE = 10  # parts of the training that the last one is
FLAT = 1.1
ROUND_OFF = 1e-5  # of a mean of phi in single precision over many frames
# of a cell of the network's grid: an interface that is no farther off is there, and one that moved
# no farther stands
WITHIN = 0.5
DRIFTS = 0.01  # of phi


def all_claims(run: Run, numbers: Numbers) -> list[Claim]:
    network = run.main()
    return [
        *training(run, network, numbers),
        *elsewhere(run, network, numbers),
        *stationary(run, network, numbers),
        *free_energy(run, network, numbers),
        *cost(run, network, numbers),
        *conservation(run, network, numbers),
    ]


def training(run: Run, network: Network | None, numbers: Numbers) -> list[Claim]:
    trained = run.trained.get(network)
    found, more = None, {}
    if trained is not None and trained.loss is not None:
        loss, still, line = (
            values[:, 1:].mean(axis=1)
            for values in (trained.loss, trained.persistence, trained.extrapolation)
        )
        found = ratio(loss, still)
        more = {
            "data": f"{len(loss)} test sequences",
            "baselines": {"persistence": 1.0, "linear extrapolation": line.mean() / still.mean()},
            "note": f"mean squared error {over_starts(loss)}, persistence {still.mean():.2g}",
        }
    text = "test sequences from their first frame on: mean squared error over that of persistence"
    rows = [row(run, network, text, "almost one-to-one", below(CLOSE), found, **more)]
    errors = numbers.errors.get(("test", network))
    found, more = None, {}
    if errors:
        found = scaled(errors.at()[1], 1 / run.network_spacing)
        still = np.sqrt((errors.displacement_still[:, -1] ** 2).mean()) / run.network_spacing
        more = {"data": starts(len(errors.mse)), "baselines": {"persistence": still}}
    text = "test sequences, last frame: rms displacement of the interfaces over a cell"
    rows.append(row(run, network, text, "almost one-to-one", below(WITHIN), found, **more))
    text = "no overfitting: validation loss in the last tenth of the epochs over that in the tenth before"
    epochs = f"{len(trained.history.get('epoch', ()))} epochs" if trained else ""
    return [
        *rows,
        row(
            run,
            network,
            text,
            "does not increase",
            below(FLAT),
            late(trained) if trained else None,
            data=epochs,
        ),
    ]


def scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.error * factor)


def late(trained: Trained) -> Estimate:
    losses = trained.history.get("validation_loss", np.array([]))
    count = len(losses) // LATE
    if count < 2:
        return UNDETERMINED
    return costs.ratio(over_starts(losses[-count:]), over_starts(losses[-2 * count : -count]))


def worse(errors: Errors) -> str:
    """A warning where a network is no better than the first frame."""
    return (
        ""
        if errors.mean_squared().value < errors.persistence[:, errors.time > 0].mean()
        else "; not better than persistence"
    )


def stopped(run: Run, case: str, network: Network) -> str:
    """Of a rollout that went out of every range, as far as it is told of."""
    rollout = run.cases[case].networks[network]
    return f"; stopped after t = {rollout.series_time[-1]:g}" if rollout.stopped else ""


def mse_ratio(first: Errors | None, second: Errors | None) -> Estimate | None:
    return costs.ratio(first.mean_squared(), second.mean_squared()) if first and second else None


def elsewhere(run: Run, network: Network | None, numbers: Numbers) -> list[Claim]:
    """Larger box, shape, slice, the whole long trajectory, downscaling."""
    rows = []
    for case, against, text, paper, rule in (
        (
            "larger",
            "test",
            "larger box: mean squared error over that of test sequences",
            "slightly higher",
            below(SLIGHTLY),
        ),
        (
            "shape",
            "test",
            "closed shape: mean squared error over that of test sequences",
            "comparable",
            below(SLIGHTLY),
        ),
        (
            "slice",
            "larger",
            "noise in a slice: mean squared error over that of the larger box",
            "same order of magnitude",
            below(MAGNITUDE),
        ),
    ):
        own, other = (numbers.errors.get((name, network)) for name in (case, against))
        more = {}
        if own and other:
            box = run.cases[case].truth.shape
            more = {
                "data": f"{'x'.join(map(str, box))}, {starts(len(own.mse))}, t up to {own.time[-1]:g}",
                "baselines": {
                    "persistence": own.persistence[:, own.time > 0].mean()
                    / other.mean_squared().value
                },
                "note": f"mean squared error {own.mean_squared()}"
                + worse(own)
                + stopped(run, case, network),
            }
        rows.append(row(run, network, text, paper, rule, mse_ratio(own, other), **more))
    long = numbers.errors.get(("long", network))
    found, more = None, {}
    if long:
        delta = np.sqrt((long.displacement[:, 1:] ** 2).mean(axis=0)) / run.interface_width
        found = exact(np.median(delta))
        more = {
            "data": f"{starts(len(long.mse))}, t up to {long.time[-1]:g}",
            "note": f"largest {delta.max():.2g} at t = {long.time[1:][delta.argmax()]:g}, at the end {delta[-1]:.2g}"
            + worse(long)
            + stopped(run, "long", network),
            "baselines": {
                "persistence": np.median(
                    np.sqrt((long.displacement_still[:, 1:] ** 2).mean(axis=0))
                )
                / run.interface_width
            },
        }
    rows.append(
        row(
            run,
            network,
            "long rollout: rms displacement over epsilon, median of the kept frames",
            "comparable for most of the time",
            below(SLIGHTLY),
            found,
            **more,
        )
    )
    found, more = None, {}
    if long and long.full is not None:
        half = len(long.time) // 2
        found = exact(np.sqrt(long.full[:, half:].mean() / long.mse[:, half:].mean()))
        more = {
            "data": starts(len(long.mse)),
            "note": f"at t = 0 {np.sqrt(long.full[:, 0].mean()):.2g} against {long.rmse[0]:.1g}",
        }
    text = "downscaling matters little later: RMSE against the solver's grid over that on the network's, later half of the kept frames"
    rows.append(row(run, network, text, "only slightly affected", below(SLIGHTLY), found, **more))
    return rows


def stationary(run: Run, network: Network | None, numbers: Numbers) -> list[Claim]:
    end, truth = numbers.ends.get(("long", network)), numbers.ends_truth.get("long")
    layered, still, more = None, None, {}
    if end:
        at = "" if truth is None else f"; truth {truth.layering.mean():.3f} at t = {truth.time:g}"
        since = f"since t = {np.nanmax(end.since):g}" if np.isfinite(end.since).any() else "never"
        layered = exact(end.layering.min())
        more = {
            "data": f"{starts(len(end.layering))}, t up to {end.time:g}",
            "note": f"layered {since}{at}" + stopped(run, "long", network),
        }
        there = (end.since <= end.half).all()
        still = exact(end.still.max() / run.network_spacing) if there else UNDETERMINED
    rows = [
        row(
            run,
            network,
            "long rollout ends layered: share of the variance that the means of planes hold",
            "layered",
            above(LAYERED),
            layered,
            **more,
        )
    ]
    if end:
        more["note"] = (
            f"since t = {end.half:g}" if there else f"not layered yet at t = {end.half:g}"
        )
        if truth is not None:
            more["baselines"] = {"truth": truth.still.max() / run.network_spacing}
    rows.append(
        row(
            run,
            network,
            "the layers stand still: rms displacement over the second half of the time, over a cell",
            "stable once reached",
            below(WITHIN),
            still,
            **more,
        )
    )
    return rows


def conservation(run: Run, network: Network | None, numbers: Numbers) -> list[Claim]:
    """The mean of phi, and what a network without fluxes does (the paper's S1)."""
    changes = {
        name: drift(case.networks[network]).max()
        for name, case in run.cases.items()
        if network in case.networks
    }
    worst = max(changes, key=changes.get) if changes else None
    found = exact(changes[worst]) if changes else None
    rows = [
        row(
            run,
            network,
            "mean of phi conserved: largest change in any rollout",
            "up to numerical precision",
            below(ROUND_OFF),
            found,
            data=f"{len(changes)} cases",
            note=f"case {worst}",
        )
    ]
    other = next((n for n in in_order(run.networks) if n.model == SIGMOID), None)
    own, second = run.trained.get(network), run.trained.get(other)
    both = own is not None and second is not None
    rows.append(
        row(
            run,
            other,
            "without fluxes: validation loss over the conserving network's",
            "worse",
            above(1),
            exact(second.validation_loss / own.validation_loss) if both else None,
            note="the epochs kept" if both else "",
        )
    )
    case = next(
        (n for n in ("long", "slice", "test") if {(n, network), (n, other)} <= set(numbers.errors)),
        None,
    )
    found, more = None, {}
    if case:
        pair = numbers.errors[case, other], numbers.errors[case, network]
        when = np.intersect1d(pair[0].time, pair[1].time)[-1]
        theirs, ours = (e.at(int(np.searchsorted(e.time, when)))[0] for e in pair)
        found = costs.ratio(theirs, ours)
        more = {
            "data": f"case {case}, t = {when:g}",
            "note": f"RMSE {theirs} and {ours}" + stopped(run, case, network),
        }
    rows.append(
        row(
            run,
            other,
            "without fluxes: RMSE late in time over the conserving network's",
            "almost twice",
            above(1),
            found,
            **more,
        )
    )
    reach = {name: c.networks[other] for name, c in run.cases.items() if other in c.networks}
    far = max(reach, key=lambda name: reach[name].series_time[-1]) if reach else None
    rows.append(
        row(
            run,
            other,
            "without fluxes the mean of phi drifts: change by the end of the longest rollout",
            "drifts",
            above(DRIFTS),
            exact(drift(reach[far])[-1]) if reach else None,
            data=f"case {far}, t = {reach[far].series_time[-1]:g}" if reach else "",
        )
    )
    return rows
