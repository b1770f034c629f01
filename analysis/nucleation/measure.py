"""Every number and every curve of a run, once, with errors: what a record of this study holds."""

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from analysis import record
from analysis.estimates import UNDETERMINED, Estimate
from analysis.nucleation import (
    density,
    estimates,
    film,
    labels,
    occlusion,
    paper,
    rates,
    skill,
    training,
)
from analysis.nucleation.dataset import Run, System, load, system_of
from analysis.nucleation.density import Density
from analysis.nucleation.film import Film
from analysis.nucleation.occlusion import Maps, Occlusion
from analysis.nucleation.rates import Rates
from analysis.nucleation.skill import Tested
from analysis.nucleation.training import Fold, Network
from analysis.record import Origin, Record
from analysis.runs import BadInput
from jobs import shards, yaml12

NAME = "nucleation"
POINTS = 4000  # configurations in a scatter plot; more only add ink
HALF, TENTH = 0.5, 0.1  # p_nuc from which growth times are counted


@dataclass(frozen=True)
class Generated:
    """How the data were made: events, labels (configurations whose p_nuc was measured), balanced
    configurations, copies of each (fewest, most), window and history in MCS, and what counts as
    nucleated; adaptive: only times near the rise of p_nuc are labelled; bins of p_nuc in balancing;
    bonds: of the clusters, None where the data set does not say.

    labelled, balanced: events with labels, with balanced configurations; born, conceived: events
    above p_nuc = 1/2, 0.1 at their first label; filled: bins that are not empty; gaps: whether
    events have times without labels.
    """

    events: int
    labels: int
    configurations: int
    copies: tuple[int, int] | None
    window: int | None
    reading: str | None
    adaptive: bool
    history: int
    bins: int
    bonds: str | None
    default_bonds: str
    labelled: int
    balanced: int
    born: int
    conceived: int
    filled: int
    gaps: bool


@dataclass(frozen=True)
class Configurations:
    """The balanced configurations, in the data set's order: event, nucleated, copies (n,); p_nuc is
    nucleated / copies.
    """

    event: np.ndarray
    nucleated: np.ndarray
    copies: np.ndarray

    @property
    def p_nuc(self) -> np.ndarray:
        """As the data set has it."""
        return (self.nucleated / self.copies).astype(np.float32)


@dataclass(frozen=True)
class InTime:
    """p_nuc against time before nucleation: time (k,) in MCS; mean, low (16%), high (84%) (k,) over
    events, missing labels taken as 0 or 1.

    shown: a typical event; its time (l,) in MCS, nucleated and copies (l,).
    """

    time: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shown_time: np.ndarray
    nucleated: np.ndarray
    copies: np.ndarray


@dataclass(frozen=True)
class AgainstMagnetization:
    """p_nuc against m: m, p float32 (s,) of configurations drawn at random; in bins of m of about
    equal occupation bin_m, bin_p, bin_error (b,): median m, mean p_nuc and its standard error.
    """

    m: np.ndarray
    p: np.ndarray
    bin_m: np.ndarray
    bin_p: np.ndarray
    bin_error: np.ndarray


@dataclass(frozen=True)
class Balance:
    """Configurations in each bin of p_nuc, before and after balancing, (bins,)."""

    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Numbers:
    """All that pages need of one run.

    lifetime: float32 (e,), MCS. quantities: by name, in MCS, sites or without unit. tests: rows of
    `configurations` in a test set, (t,) by the key that its folds name. folds and maps add up over
    records of the same data set.  rates: lifetime by forward flux sampling, where it was run; a run
    of nothing else has empty arrays, and quantities that are undetermined.
    """

    system: System
    generated: Generated
    quantities: dict[str, Estimate]
    lifetime: np.ndarray
    in_time: InTime
    against_m: AgainstMagnetization
    balance: Balance
    configurations: Configurations
    density: Density | None
    film: Film | None
    tests: dict[str, np.ndarray]
    folds: dict[Network, Fold]
    maps: dict[str, Occlusion]
    left_out: list[str] = field(default_factory=list)
    rates: Rates | None = None  # came later: what has a default, records need not have

    @property
    def waited(self) -> bool:
        """Whether there are events; else the run has rates alone."""
        return len(self.lifetime) > 0

    def tested(self, split: str, model: str) -> list[Tested]:
        """Finished folds of a model, in order of their number, with their test rows."""
        data, found = self.configurations, []
        for network in sorted(self.folds):
            if (network.split, network.model) != (split, model):
                continue
            fold = self.folds[network]
            rows = self.tests[fold.test].astype(np.int64)
            found.append(
                Tested(
                    network.fold,
                    fold,
                    rows,
                    data.event[rows],
                    data.nucleated[rows].astype(np.int64),
                    data.copies[rows].astype(np.int64),
                    data.p_nuc[rows].astype(float),
                    fold.predicted.astype(float),
                )
            )
        return found

    def models(self, split: str | None = None) -> list[str]:
        """Models with finished folds (of this split), in the order of labels.MODELS."""
        return labels.in_order(n.model for n in self.folds if split in (None, n.split))

    def shown(self, model: str) -> tuple[str | None, list[Tested]]:
        """(split, folds) that pictures of one model show: split by event where it was run, else by
        configuration.
        """
        return next(
            ((split, folds) for split in labels.SPLITS if (folds := self.tested(split, model))),
            (None, []),
        )

    def map_of(self, model: str) -> Maps | None:
        if model not in self.maps:
            return None
        maps = self.maps[model]
        folds = self.tested(maps.split, model)
        # Unknown sizes: as in cross-validation whose folds cover the data once.
        ratio = skill.tested_over_trained(folds) if folds else 1 / max(len(maps.folds) - 1, 1)
        return Maps(model, maps, ratio)

    def preferred_map(self) -> Maps | None:
        """The map of the paper's deepest network that was run, else of any."""
        names = [m for m in (*paper.NETWORKS, *self.maps) if m in self.maps]
        return self.map_of(names[0]) if names else None


def measure(path: Path) -> Record:
    """The record of a run directory.  Raises BadInput for what cannot be read."""
    if not (path / "dataset.h5").exists() and (path / rates.FILE).exists():
        return of_rates(path)
    run, sampled, bad_rates = load(path), None, []
    try:
        sampled, _ = rates.read(path)
    except FileNotFoundError:
        pass
    except BadInput as error:
        bad_rates = [str(error)]
    trained = training.read(run)
    maps, bad_maps = occlusion.read(run)
    numbers = Numbers(
        system=run.system,
        generated=generated(run),
        quantities=quantities(run) | by_flux(sampled),
        lifetime=run.lifetime.astype(np.float32),
        in_time=in_time(run),
        against_m=against_magnetization(run),
        balance=Balance(
            estimates.fillings(run.raw.nucleated, run.raw.copies, run.bins),
            estimates.fillings(run.nucleated, run.copies, run.bins),
        ),
        configurations=Configurations(*map(small, (run.event, run.nucleated, run.copies))),
        density=density.measure(run),
        film=film.measure(run),
        tests=trained.tests,
        folds=trained.folds,
        maps=maps,
        left_out=trained.left_out + bad_maps + bad_rates,
        rates=sampled,
    )
    return Record(origin(run, len(trained.folds)), numbers)


def by_flux(sampled: Rates | None) -> dict[str, Estimate]:
    return {} if sampled is None else {labels.FLUX_LIFETIME: sampled.lifetime}


def of_rates(path: Path) -> Record:
    """The record of a run directory that has rates alone: one without events."""
    sampled, about = rates.read(path)
    config = yaml12.load(about["config"])
    system, none = system_of(config, path / rates.FILE), np.empty(0)
    asked = config["generate"]
    bonds = config["collect"]["bonds"]
    numbers = Numbers(
        system=system,
        generated=Generated(
            events=0,
            labels=0,
            configurations=0,
            copies=None,
            window=asked["window"],
            reading=asked["reading"],
            adaptive=False,
            history=asked["history"],
            bins=config["collect"]["bins"],
            bonds=bonds,
            default_bonds=bonds,
            labelled=0,
            balanced=0,
            born=0,
            conceived=0,
            filled=0,
            gaps=False,
        ),
        quantities=dict.fromkeys(labels.QUANTITIES, UNDETERMINED) | by_flux(sampled),
        lifetime=none.astype(np.float32),
        in_time=InTime(*(none,) * 7),
        against_m=AgainstMagnetization(*(none,) * 5),
        balance=Balance(none, none),
        configurations=Configurations(*(none.astype(np.uint8),) * 3),
        density=None,
        film=None,
        tests={},
        folds={},
        maps={},
        rates=sampled,
    )
    name = system_name(system, config, bonds)
    return Record(record.origin(NAME, path, name, 0, about), numbers)


def small(values: np.ndarray) -> np.ndarray:
    """Whole numbers >= 0 in as few bytes as they need."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def origin(run: Run, networks: int) -> Origin:
    about = run.attributes
    size = len(run.p_nuc) * (1 + networks)
    named = {"content_digest", "made_from"} & set(about)
    data = None if named else of_arrays(run.path)
    return record.origin(
        NAME, run.path, system_name(run.system, run.config, run.default_bonds), size, about, data
    )


def of_arrays(path: Path) -> str:
    """Digest of a data set that names none."""
    with h5py.File(path / "dataset.h5", "r", locking=False) as file:
        return shards.file_digest(file)


def system_name(system: System, config: dict, bonds: str) -> str:
    """R = 10, L = 100, h = 1.215, and what else tells runs apart that must not add up: other
    dynamics than Metropolis', another temperature than the paper's 4/9 Tc, and other rules for
    p_nuc and for clusters, whose bonds are these.
    """
    name, generate = system.name, config.get("generate") or {}
    if system.dynamics != "metropolis":
        name += f", {system.dynamics.replace('_', ' ')}"
    ratio = system.temperature / system.critical_temperature
    if abs(ratio * 9 / 4 - 1) > 1e-3:
        name += f", T = {system.temperature:g}"
    if generate.get("window") not in (None, 10):
        name += f", window = {generate['window']} MCS"
    if generate.get("reading") not in (None, "one_sided"):
        name += f", {generate['reading'].replace('_', ' ')}"
    usual = "coniglio_klein" if system.interaction == "nearest" else "density_corrected"
    if bonds != usual:
        name += f", {bonds.replace('_', ' ')} bonds"
    strength = (config.get("collect") or {}).get("bond_strength", 1.0)
    if strength != 1:
        name += f", bond strength {strength:g}"
    return name


# ---- the data set


def generated(run: Run) -> Generated:
    asked, raw, copies = run.config.get("generate") or {}, run.raw, run.raw.copies
    ages = [crossings(run, threshold) for threshold in (HALF, TENTH)]
    labelled = np.minimum(run.lifetime, -raw.time.min(initial=0)).sum()
    return Generated(
        events=len(run.lifetime),
        labels=len(copies),
        configurations=len(run.p_nuc),
        copies=(int(copies.min()), int(copies.max())) if len(copies) else None,
        window=asked.get("window"),
        reading=asked.get("reading"),
        adaptive=bool((asked.get("adaptive") or {}).get("enabled")),
        history=run.history.shape[1] - 1,
        bins=run.bins,
        bonds=run.bonds,
        default_bonds=run.default_bonds,
        labelled=len(ages[0]),
        balanced=len(np.unique(run.event)),
        born=int(np.isinf(ages[0]).sum()),
        conceived=int(np.isinf(ages[1]).sum()),
        filled=int((estimates.fillings(run.nucleated, run.copies, run.bins) > 0).sum()),
        gaps=bool(len(raw.time) < labelled),
    )


def crossings(run: Run, threshold: float) -> np.ndarray:
    """Ages (e,) in MCS at which events last rose through p_nuc = threshold; infinite: older."""
    return estimates.crossing_ages(run.raw.event, run.raw.time, run.raw.p_nuc, threshold)[1]


def quantities(run: Run) -> dict[str, Estimate]:
    raw, exactly = run.raw, np.nan
    return {
        labels.LIFETIME: estimates.mean_lifetime(run.lifetime),
        labels.VARIATION: estimates.coefficient_of_variation(run.lifetime),
        labels.RADIUS: estimates.mean(run.event, run.radius_of_gyration),
        labels.GROWTH: estimates.median(crossings(run, HALF)),
        labels.EARLY_GROWTH: estimates.median(crossings(run, TENTH)),
        labels.CORRELATION: estimates.correlation(run.event, run.magnetization, run.p_nuc),
        labels.RANKS: estimates.rank_correlation(run.event, run.magnetization, run.p_nuc),
        labels.RAW_CORRELATION: estimates.correlation(raw.event, raw.magnetization, raw.p_nuc),
        labels.EXPLAINED: estimates.variance_explained(run.event, run.magnetization, run.p_nuc),
        labels.SIZE: Estimate(float(len(run.p_nuc)), exactly),
        labels.NOISE: Estimate(estimates.noise_floor(run.nucleated, run.copies), exactly),
    }


def in_time(run: Run) -> InTime:
    """Adaptive runs leave times of p near 0 or 1 mostly unlabelled, at which their pilot's copies
    were of one mind; averaging what is labelled would be biased towards the undecided. A missing
    time counts as 0 or 1, whichever is nearer to the line between the event's labels (p = 1 at t =
    0).
    """
    raw = run.raw
    time = np.arange(raw.time.min(initial=0), 0)
    events, first = np.unique(raw.event, return_index=True)
    p = np.full((len(events), len(time)), np.nan)
    groups = zip(np.split(raw.time, first[1:]), np.split(raw.p_nuc, first[1:]), strict=True)
    for row, event, (times, shares) in zip(p, events, groups, strict=False):  # no labels: one empty
        known, values = np.append(times, 0), np.append(shares, 1)
        between = np.interp(time, known, values)
        decided = np.where(np.isin(time, known), between, np.rint(between))
        row[:] = np.where(time >= -run.lifetime[event], decided, np.nan)
    curves = (np.empty(0),) * 4
    if p.size:
        curves = (time, np.nanmean(p, axis=0), *np.nanquantile(p, [0.16, 0.84], axis=0))
    shown = np.zeros(len(raw.event), bool)
    if len(run.history_event):
        shown = raw.event == run.history_event[film.typical(run)]
    return InTime(*curves, raw.time[shown], raw.nucleated[shown], raw.copies[shown])


def against_magnetization(run: Run) -> AgainstMagnetization:
    m, p = run.magnetization, run.p_nuc
    shown = np.random.default_rng(0).permutation(len(m))[:POINTS]
    bins = estimates.conditional_mean(run.event, m, p) if len(m) else (np.empty(0),) * 3
    return AgainstMagnetization(m[shown].astype(np.float32), p[shown].astype(np.float32), *bins)
