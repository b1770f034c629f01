"""Time and error of networks and solvers from one start; and how time grows with size."""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.labels import Network, parse
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
    """One method.

    method: its name in the file. network: None for a solver. value: a solver's step (time) or
    tolerance. seconds, least, most: of a frame, median and range of the repeats. rmse: against the
    converged solution after all frames. free_energy_error: the same of F, relative.
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


@dataclass(frozen=True)
class Costs:
    """Time and error of every method from one start.

    methods: names in the file's order. values: float64 (methods, 6), of each what Cost has from
    `value` on. frames: followed. device, threads: they ran on. reference: what they are compared
    with. persistence_rmse, persistence_free_energy_error: of the first frame for all, nan where it
    was not recorded.
    """

    methods: list[str]
    values: np.ndarray
    frames: int | None
    device: str
    threads: int | None
    reference: str
    persistence_rmse: float
    persistence_free_energy_error: float

    @property
    def rows(self) -> list[Cost]:
        return [
            Cost(method, of_method(method), *map(float, numbers))
            for method, numbers in zip(self.methods, self.values, strict=True)
        ]


def of_method(method: str) -> Network | None:
    """The network of `network MODEL/seed-S`."""
    return parse(method.removeprefix("network ")) if method.startswith("network ") else None


def of_file(columns: dict, about: dict) -> Costs:
    """From the columns and attributes of costs.h5.  KeyError where a column is missing."""
    names, *numbers = (columns[name] for name in NEEDED)
    whole = [int(about[name]) if name in about else None for name in ("frames", "threads")]
    still = ("persistence_rmse", "persistence_free_energy_error")
    return Costs(
        [name.decode() if isinstance(name, bytes) else str(name) for name in names],
        np.array(numbers, float).T,
        whole[0],
        str(about.get("device", "a device not recorded")),
        whole[1],
        str(about.get("reference", "the converged solution")),
        *(float(about.get(name, np.nan)) for name in still),
    )


def of_network(measured: list[Cost], network: Network | None) -> Cost | None:
    return next(
        (row for row in measured if row.network is not None and row.network == network), None
    )


def solver(measured: list[Cost], method: str) -> list[Cost]:
    """Of one scheme, the coarsest first."""
    return sorted(
        (row for row in measured if row.network is None and row.method == method),
        key=lambda row: -row.value,
    )


def ratio(first: Estimate, second: Estimate) -> Estimate:
    value = first.value / second.value
    return Estimate(
        value, float(value * np.hypot(first.error / first.value, second.error / second.value))
    )


def over_explicit(measured: list[Cost], network: Network | None) -> Estimate:
    """Time of the explicit scheme over the network's."""
    own, explicit = of_network(measured, network), solver(measured, "explicit")
    return ratio(explicit[0].time(), own.time()) if own and explicit else UNDETERMINED


def at_same_error(
    measured: list[Cost], network: Network | None, method: str = "adaptive"
) -> tuple[Estimate, str]:
    """(time of a scheme at the network's RMSE over the network's time, how it was found).

    Log-linear between settings; where every setting is more accurate than the network, the quickest
    one stands for it: a coarser one might do, so that a time above the network's says nothing and
    has no error.
    """
    own, settings = of_network(measured, network), solver(measured, method)
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


def by_size(cases: dict, network: Network | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(cells of the network's grid, seconds of a frame, case) of its rollouts of one start, by
    size: several fill a GPU better.
    """
    rollouts = {n: c.networks[network] for n, c in cases.items() if network in c.networks}
    found = sorted(
        (int(np.prod(followed.cells)), followed.seconds, name)
        for name, followed in rollouts.items()
        if followed.starts == 1 and followed.seconds > 0
    )
    columns = zip(*found, strict=True) if found else ((), (), ())
    cells, seconds, names = (list(column) for column in columns)
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
