"""The honest table, rollout/costs.h5: time and error of networks and solvers from one start; and
time against size from the rollouts.
"""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.dataset import Run
from analysis.coarsening.names import Network, parse
from analysis.estimates import UNDETERMINED, Estimate

NEEDED = (
    "method",
    "value",
    "seconds_per_frame",
    "seconds_least",
    "seconds_most",
    "rmse",
    "free_energy_error",
)
SOLVERS = {
    "explicit": "explicit",
    "first_order": "semi-implicit, first order",
    "second_order": "semi-implicit, second order",
    "adaptive": "adaptive",
}


@dataclass(frozen=True)
class Cost:
    """One method: a network, or a solver with its step or tolerance `value`.  seconds: of a frame,
    median, least and most.
    """

    method: str
    network: Network | None
    value: float
    seconds: float
    least: float
    most: float
    rmse: float
    free_energy_error: float

    @property
    def title(self) -> str:
        if self.network is not None:
            return f"network, {self.network.title}"
        setting = "tolerance" if self.method == "adaptive" else "step"
        return f"{SOLVERS.get(self.method, self.method)}, {setting} {self.value:g}"

    def time(self) -> Estimate:
        """Seconds of a frame, with half of their range as error."""
        return Estimate(self.seconds, (self.most - self.least) / 2)


def table(run: Run) -> list[Cost]:
    """All methods, in the file's order; [] without the file."""
    if run.costs is None:
        return []
    if any(name not in run.costs for name in NEEDED):
        text = "rollout/costs.h5: lacks some of its columns"
        if text not in run.left_out:
            run.left_out.append(text)
        return []
    rows = []
    for method, *numbers in zip(*(run.costs[name] for name in NEEDED), strict=True):
        name = method.decode() if isinstance(method, bytes) else str(method)
        network = parse(name.removeprefix("network ")) if name.startswith("network ") else None
        rows.append(Cost(name, network, *(float(x) for x in numbers)))
    return rows


def of_network(rows: list[Cost], network: Network | None) -> Cost | None:
    return next((row for row in rows if row.network is not None and row.network == network), None)


def solver(rows: list[Cost], method: str) -> list[Cost]:
    """Of one scheme, the coarsest first."""
    return sorted(
        (row for row in rows if row.network is None and row.method == method),
        key=lambda row: -row.value,
    )


def ratio(first: Estimate, second: Estimate) -> Estimate:
    value = first.value / second.value
    return Estimate(
        value, float(value * np.hypot(first.error / first.value, second.error / second.value))
    )


def over_explicit(rows: list[Cost], network: Network | None) -> Estimate:
    """Time of the explicit scheme over the network's."""
    own, explicit = of_network(rows, network), solver(rows, "explicit")
    return ratio(explicit[0].time(), own.time()) if own and explicit else UNDETERMINED


def at_same_error(
    rows: list[Cost], network: Network | None, method: str = "adaptive"
) -> tuple[Estimate, str]:
    """(time of a scheme at the network's RMSE over the network's time, how it was found).

    Log-linear between settings; where every setting is more accurate than the network, the quickest
    one stands for it: a coarser one might do, so that a time above the network's says nothing and
    has no error.
    """
    own, settings = of_network(rows, network), solver(rows, method)
    settings = [row for row in settings if np.isfinite(row.rmse) and row.rmse > 0]
    if own is None or not settings:
        return UNDETERMINED, ""
    if not np.isfinite(own.rmse):
        return UNDETERMINED, "the network's RMSE is not finite"
    better = [row for row in settings if row.rmse <= own.rmse]
    if not better:
        return UNDETERMINED, "no setting is as accurate as the network"
    worse = [row for row in settings if row.rmse > own.rmse]
    if not worse:
        quickest = min(better, key=lambda row: row.seconds)
        most = ratio(quickest.time(), own.time())
        return Estimate(most.value, most.error if most.value < 1 else np.nan), (
            f"at most: at RMSE {quickest.rmse:.1e}, the network's is {own.rmse:.1e}"
        )
    low, high = max(better, key=lambda row: row.rmse), min(worse, key=lambda row: row.rmse)
    share = np.log(own.rmse / low.rmse) / np.log(high.rmse / low.rmse)
    seconds = np.exp((1 - share) * np.log(low.seconds) + share * np.log(high.seconds))
    return ratio(
        Estimate(float(seconds), low.time().error), own.time()
    ), f"at the network's RMSE, {own.rmse:.1e}"


def by_size(run: Run, network: Network) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(cells of the network's grid, seconds of a frame, case) of its rollouts of one start, by
    size: several fill a GPU better.
    """
    rollouts = {
        name: case.networks[network] for name, case in run.cases.items() if network in case.networks
    }
    found = sorted(
        (int(np.prod(rollout.shape)), float(rollout.attributes["seconds_per_frame"]), name)
        for name, rollout in rollouts.items()
        if rollout.count == 1 and rollout.attributes.get("seconds_per_frame", 0) > 0
    )
    cells, seconds, names = (
        (list(column) for column in zip(*found, strict=True)) if found else ([], [], [])
    )
    return np.array(cells), np.array(seconds), names


def growth(cells: np.ndarray, seconds: np.ndarray) -> Estimate:
    """d log(time) / d log(cells) by least squares; its error from the scatter of boxes of one size
    where there is one.
    """
    if len(np.unique(cells)) < 2:
        return UNDETERMINED
    x, y = np.log(cells), np.log(seconds)
    x = x - x.mean()
    slope = (x @ y) / (x @ x)
    rest = y - y.mean() - slope * x
    return Estimate(
        float(slope),
        float(np.sqrt((rest @ rest) / (len(x) - 2) / (x @ x))) if len(x) > 2 else np.nan,
    )
