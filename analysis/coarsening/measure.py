"""All that is worked out of a run, once: its record."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis import record
from analysis.coarsening import energy, errors, layers, shots
from analysis.coarsening.costs import Costs
from analysis.coarsening.dataset import SPLITS, Grid, Run, Trained, load
from analysis.coarsening.energy import Bands, Gap
from analysis.coarsening.errors import Errors
from analysis.coarsening.labels import Network, in_order, main
from analysis.coarsening.layers import End
from analysis.coarsening.rollouts import Rollout
from analysis.coarsening.shots import LONGEST_FIRST, SHOWN, Film, Shots
from analysis.estimates import Estimate
from analysis.record import Origin, Record
from jobs.coarsening.config_rollout import CASES
from jobs.coarsening.measures import energies


@dataclass(frozen=True)
class Setup:
    """What was simulated, and what networks are to learn.

    size: cells a side of the solver's grid, spacing: of its cells, length; downscale: of how many a
    network sees one, along each axis; downscaling: nearest or block_mean. interface_width: epsilon,
    length. interval: time between frames. frames: of a training sequence. training, validation,
    test: sequences. epochs: asked for. mean: lowest and highest mean of phi of the sequences.
    memory: frames of a rollout after which hidden states begin anew; 0: they never do.
    """

    size: int
    spacing: float
    downscale: int
    downscaling: str
    interface_width: float
    interval: float
    frames: int
    training: int
    validation: int
    test: int
    epochs: int
    mean: tuple[float, float]
    memory: int = 0

    @property
    def network_size(self) -> int:
        """Cells a side of the grid that the networks see."""
        return self.size // self.downscale

    @property
    def network_spacing(self) -> float:
        return self.spacing * self.downscale

    @property
    def horizon(self) -> float:
        """Time that the training sequences cover."""
        return self.interval * (self.frames - 1)


@dataclass(frozen=True)
class Kept:
    """Of n starts at k kept times after t = 0, float32 (n, k): area of the surface phi = 1/2,
    length^2; free_energy of the waves of the network's grid, on the solver's, energy; length: the
    characteristic length.  time: (k,).
    """

    time: np.ndarray
    area: np.ndarray
    free_energy: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class Followed:
    """What the solver (the truth) or a network made of a case's starts.

    cells: of the box along x, y, z, on the network's grid. starts: how many. time: (t,), of all
    looks. free_energy: mean of F over the starts (t,), energy. spread: its standard deviation over
    the starts (t,), 0 of a single one. drift: largest change of a start's mean of phi since the
    first frame (t,). exponent: d log F / d log t in the case's window. end: the last kept frame.
    seconds: of a frame, nan where it was not recorded. stopped: why it ended early, "" if not.
    kept: None where that was not recorded. growth: of starts in one phase alone, rms of phi less
    the start's mean in the last kept frame over that in the first (n,), else empty. asymmetry: of
    starts with the symmetry of a cube, largest share of the variance of a kept frame that has not,
    else nan. errors, gap, bands: against the truth, None without one, bands also of a single start.
    """

    cells: tuple[int, ...]
    starts: int
    time: np.ndarray
    free_energy: np.ndarray
    spread: np.ndarray
    drift: np.ndarray
    exponent: Estimate
    end: End
    seconds: float
    stopped: str
    kept: Kept | None
    growth: np.ndarray
    asymmetry: float
    errors: Errors | None = None
    gap: Gap | None = None
    bands: Bands | None = None

    @property
    def last(self) -> float:
        """Time of the last look."""
        return float(self.time[-1])


@dataclass(frozen=True)
class Checks:
    """What must hold of the truth on the solver's grid.  rise: largest rise of F between two kept
    frames over F at t = 0; drift: largest change of a start's mean of phi.
    """

    rise: float
    drift: float


@dataclass(frozen=True)
class Case:
    """One set of starts, followed by the solver and by networks.

    start: kind of its starts. cells: of the box, on the network's grid. volume: length^3. window:
    times between which exponents are fitted, None: too short. truth: None where there is none.
    sensitivity: of the solver from what the network's grid keeps of the start, None where there is
    none. checks: None without the solver's grid. sequence: pictures of the network that the claims
    are judged by, else of the first; film: the same for the movie, of the longest case with truth
    only.
    """

    start: str
    cells: tuple[int, ...]
    volume: float
    window: tuple[float, float] | None
    truth: Followed | None
    sensitivity: Followed | None
    checks: Checks | None
    networks: dict[Network, Followed]
    sequence: Shots | None
    film: Film | None

    def errors(self, network: Network | None) -> Errors | None:
        found = self.networks.get(network)
        return None if found is None else found.errors

    def compared(self) -> dict[Network, Errors]:
        """Errors of all networks that can be compared with the truth."""
        return {n: f.errors for n, f in self.networks.items() if f.errors is not None}


@dataclass(frozen=True)
class Numbers:
    """A run of the coarsening study.

    trained: by network. cases: by name. costs: None without the table. left_out: files that could
    not be used, and why.
    """

    setup: Setup
    trained: dict[Network, Trained]
    cases: dict[str, Case]
    costs: Costs | None
    left_out: list[str] = field(default_factory=list)

    @property
    def networks(self) -> list[Network]:
        """All there are, trained or in a rollout."""
        return in_order({*self.trained, *(n for c in self.cases.values() for n in c.networks)})

    def main(self) -> Network | None:
        """The network whose pictures are shown."""
        return main(self.networks) or next(iter(self.networks), None)

    def errors(self, case: str, network: Network | None) -> Errors | None:
        return self.cases[case].errors(network) if case in self.cases else None

    def followed(self, case: str, network: Network | None) -> Followed | None:
        return self.cases[case].networks.get(network) if case in self.cases else None

    def longest(self, *networks: Network) -> str | None:
        """The longest of the usual cases in which all of these are compared with the truth."""
        return next(
            (n for n in LONGEST_FIRST if all(self.errors(n, network) for network in networks)), None
        )


def measure(path: Path) -> Record:
    """The record of a run directory.  Raises BadInput with one line."""
    run = load(path)
    setup = setup_of(run)
    network = main(networks_of(run)) or next(iter(networks_of(run)), None)
    cases = {name: case_of(run, name, network) for name in run.cases}
    cases |= filmed(run, cases, network)
    found = Numbers(setup, run.trained, cases, run.costs, run.left_out)
    return Record(origin(run, setup), found)


def networks_of(run: Run) -> list[Network]:
    return in_order({*run.trained, *(n for case in run.cases.values() for n in case.networks)})


def setup_of(run: Run) -> Setup:
    system, generate, mean = run.config["system"], run.config["generate"], run.mean_concentration
    return Setup(
        size=int(system["size"]),
        spacing=float(system["spacing"]),
        downscale=int(system["downscale"]),
        downscaling=str(system["downscaling"]),
        interface_width=float(system["interface_width"]),
        interval=float(generate["interval"]),
        frames=int(generate["frames"]),
        epochs=int(run.config["train"]["epochs"]),
        mean=(float(mean.min()), float(mean.max())),
        memory=memory_of(run),
        **{split: run.sequences(split) for split in SPLITS},
    )


def memory_of(run: Run) -> int:
    """Of the rollouts, which say it and are alike (`alike`), else what the config asks for."""
    for case in run.cases.values():
        for rollout in case.networks.values():
            return rollout.memory
    asked = run.config.get("rollout", {}).get("memory")
    return int(run.config["generate"]["frames"]) - 1 if asked is None else int(asked)


def origin(run: Run, setup: Setup) -> Origin:
    """Runs add up if networks saw the same grid, as much of it for as long, and remember as
    much.
    """
    words = [
        f"{setup.network_size}^3 cells",
        f"spacing {setup.network_spacing:g}",
        f"epsilon = {setup.interface_width:g}",
        f"interval {setup.interval:g}" if setup.interval != 1 else "",
        "block means" if setup.downscaling == "block_mean" else "",
        f"{setup.training} sequences",
        f"{setup.epochs} epochs",
        f"memory of {setup.memory} frames" if setup.memory else "",
    ]
    sequences = setup.training + setup.validation + setup.test
    size = sequences * setup.frames * (1 + len(run.trained))
    words = ", ".join(filter(None, words))
    return record.origin("coarsening", run.path, words, size, run.attributes)


def case_of(run: Run, name: str, network: Network | None) -> Case:
    """A case without its film; network: of whose rollout pictures are kept."""
    case, grid = run.cases[name], run.grid
    by = case.truth or case.networks.get(main(case.networks)) or case.first
    cells = tuple(int(n) for n in (case.truth or case.first).shape)
    volume, side = grid.volume(cells), min(cells) * grid.spacing
    # by the truth, or where there is none by the network that the claims are judged by
    window = energy.window(by.series_time, by.series["free_energy"].mean(axis=0), volume, side)
    start_kind = kind_of_start(run.config, name)

    def compared(rollout: Rollout) -> Followed:
        """Beside the truth where there is one."""
        return followed(
            rollout,
            grid,
            window,
            start_kind,
            errors=errors.compare(case.truth, rollout, grid),
            gap=energy.gap(case.truth, rollout),
            bands=energy.bands(case.truth, rollout, grid.volume((case.truth or rollout).shape)),
        )

    networks = {n: compared(rollout) for n, rollout in case.networks.items()}
    shown = networks.get(network)
    start = shown.errors.typical if shown is not None and shown.errors is not None else 0
    return Case(
        start_kind,
        cells,
        volume,
        window,
        None if case.truth is None else followed(case.truth, grid, window, start_kind),
        None if case.sensitivity is None else compared(case.sensitivity),
        checks(case.truth, run) if case.truth is not None and case.truth.full else None,
        networks,
        shots.sequence(name, case, network, start) if shown and name in SHOWN else None,
        None,
    )


def kind_of_start(config: dict, case: str) -> str:
    asked = (config.get("rollout") or {}).get("cases") or CASES
    return str(asked.get(case, CASES.get(case, {})).get("start", "perlin"))


def filmed(run: Run, cases: dict[str, Case], network: Network | None) -> dict[str, Case]:
    """The longest case with truth, and its film; {} where there is none."""
    name = next((n for n in LONGEST_FIRST if n in cases and cases[n].errors(network)), None)
    if name is None:
        return {}
    case = cases[name]
    drawn = shots.film(run.cases[name], network, case.errors(network).typical, case.volume)
    return {name: Case(**{**case.__dict__, "film": drawn})}


def followed(rollout: Rollout, grid: Grid, window, start: str, **against) -> Followed:
    free_energy, mean = rollout.series["free_energy"], rollout.series["mean"]
    several = int(rollout.count > 1)
    return Followed(
        cells=tuple(int(n) for n in rollout.shape),
        starts=int(rollout.count),
        time=rollout.series_time,
        free_energy=free_energy.mean(axis=0).astype(np.float32),
        spread=free_energy.std(axis=0, ddof=several).astype(np.float32),
        drift=np.abs(mean - mean[:, :1]).max(axis=0),
        exponent=energy.exponent(rollout.series_time, free_energy, window),
        end=layers.end(rollout, grid),
        seconds=float(rollout.attributes.get("seconds_per_frame", np.nan)),
        stopped=rollout.stopped,
        kept=kept(rollout),
        growth=growth(rollout) if start == "bulk" else np.empty(0),
        asymmetry=asymmetry(rollout) if start == "symmetric" else np.nan,
        **against,
    )


def kept(rollout: Rollout) -> Kept | None:
    names = ("area", "free_energy_upsampled", "length")
    if not set(names) <= set(rollout.series):
        return None
    times = rollout.time[rollout.time > 0]
    found = (energy.at(rollout, times, name).astype(np.float32) for name in names)
    return Kept(times, *found) if len(times) else None


def growth(rollout: Rollout) -> np.ndarray:
    """(n,), of each start; inf of those that were stopped."""
    first, last = rollout.phi(0).astype(float), rollout.phi(len(rollout.time) - 1)
    mean = first.mean((1, 2, 3), keepdims=True)
    sizes = [np.sqrt(((phi - mean) ** 2).mean((1, 2, 3))) for phi in (first, last)]
    return sizes[1] / sizes[0] if not rollout.stopped else np.full(len(first), np.inf)


def asymmetry(rollout: Rollout) -> float:
    """Largest over starts and kept frames."""
    found = []
    for k in range(len(rollout.time)):
        phi = rollout.phi(k).astype(float)
        variance = ((phi - symmetrised(phi)) ** 2).mean((1, 2, 3))
        found.append((variance / phi.var((1, 2, 3))).max())
    return float(max(found))


def symmetrised(phi: np.ndarray) -> np.ndarray:
    """Mean of fields (n, l, l, l) over the 48 turns and reflections of a cube about its first
    cell.
    """
    for axis in (1, 2, 3):
        phi = (phi + np.roll(np.flip(phi, axis), 1, axis)) / 2
    turns = [phi.transpose(0, *axes) for axes in itertools.permutations((1, 2, 3))]
    return np.mean(turns, axis=0)


def checks(truth: Rollout, run: Run) -> Checks:
    """One frame at a time: all of an ensemble's would be large."""
    spacing, width = float(run.system("spacing")), run.grid.interface_width
    free, mean = [], []
    for k in range(len(truth.time)):
        phi = truth.phi_full(k)
        free.append(energies(phi, spacing, width))
        mean.append(phi.mean((1, 2, 3), dtype=float))
    return Checks(
        float((np.diff(free, axis=0) / free[0]).max(initial=-np.inf)),
        float(np.abs(np.subtract(mean, mean[0])).max()),
    )
