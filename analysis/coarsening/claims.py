"""Every claim of the paper, judged by a fixed rule: training, other starts, stationary state, free
energy, cost, conservation.
"""

from dataclasses import dataclass, replace

import numpy as np

from analysis import estimates
from analysis.claim import Claim
from analysis.coarsening import costs, energy
from analysis.coarsening.dataset import Tested, Trained
from analysis.coarsening.errors import Errors, over_starts
from analysis.coarsening.labels import SIGMOID, Network, in_order, main
from analysis.coarsening.layers import LAYERED
from analysis.coarsening.measure import Followed, Numbers, Setup
from analysis.estimates import UNDETERMINED, Estimate, exact
from analysis.record import Record
from analysis.verdicts import Rule, above, below, between, close_to
from jobs.coarsening.config_rollout import BULK
from kernels.structure import Exponents, local_exponents

CELLS, SEQUENCES, FRAMES, EPOCHS = 32, 1295, 50, 1000  # of the paper
SYSTEM = {"interface_width": 3.0, "spacing": 1.0, "downscale": 2}
CLOSE = 0.1  # of persistence: mean squared error of what corresponds one to one
SLIGHTLY, MAGNITUDE = 2.0, 10.0  # times
LATE = 10  # parts of the training that the last one is
FLAT = 1.1
ROUND_OFF = 1e-5  # of a mean of phi in single precision over many frames
# of a cell of the network's grid: an interface that is no farther off is there, and one that moved
# no farther stands
WITHIN = 0.5
DRIFTS = 0.01  # of phi
SPAN = 3.0  # of the stretches in which local exponents are taken, last time over first
APART = 0.03  # of local exponents: a tenth of the law's
SYMMETRY = 0.01

ONE_TO_ONE = "test sequences from their first frame on: mean squared error over that of persistence"
LARGER = "larger box: mean squared error over that of test sequences"
SHAPE = "closed shape: mean squared error over that of test sequences"
SLICE = "noise in a slice: mean squared error over that of the larger box"
DISPLACED = "long rollout: rms displacement over epsilon, median of the kept frames"
LAYERS = "long rollout ends layered: share of the variance that the means of planes hold"
ENERGY = "long rollout: largest relative error of F"
EXPONENT = "long rollout: exponent of F in t"
AREA = "long rollout: largest relative error of the area of the surface phi = 1/2"
UPSAMPLED = (
    "long rollout: largest relative error of the upsampled F, of the grid's waves on the solver's"
)
LOCAL = {
    f"large box: local exponent of the {what} in t, network minus truth, mean over stretches": name
    for what, name in (
        ("area", "area"),
        ("free energy", "free_energy"),
        ("characteristic length", "length"),
    )
}
STABLE = (
    "noise of 0.001 in one phase alone: rms in the end over that at the start, largest of four phi"
)
SYMMETRIC = "start with a cube's symmetry: largest share of the variance that has not"
CONSERVED = "mean of phi conserved: largest change in any rollout"
DRIFTING = "without fluxes the mean of phi drifts: change by the end of the longest rollout"
EXPLICIT = "time of the explicit scheme over the network's"


def at_same_error(method: str) -> str:
    return f"time of the {costs.SOLVERS[method]} scheme, at least as accurate, over the network's"


@dataclass(frozen=True)
class Subject:
    """What claims are about: a network, of the conserving kind, and the one without fluxes."""

    system: str
    numbers: Numbers
    network: Network | None
    other: Network | None

    def claim(
        self, figure: str, text: str, paper: str, rule: Rule, estimate: Estimate | None, **more
    ) -> Claim:
        """estimate None: not run.  more: other fields of a claim; of: another network."""
        network = more.pop("of", self.network)
        if estimate is None:
            more = {}
        return Claim(
            figure,
            self.system,
            text,
            paper,
            rule,
            estimate,
            network=network.kind if network is not None else "",
            smaller=smaller(self.numbers, network),
            **more,
        )


def claims(record: Record) -> list[Claim]:
    """All claims, of several trainings of one kind of network their means."""
    numbers = record.numbers
    first = main(numbers.networks)
    others = [n for n in in_order(numbers.networks) if n.model == SIGMOID]
    same = [n for n in in_order(numbers.networks) if first is not None and n.model == first.model]
    groups = []
    for network in same or [None]:
        seed = 0 if network is None else network.seed
        other = next((n for n in others if n.seed == seed), next(iter(others), None))
        subject = Subject(record.origin.system, numbers, network, other)
        groups.append(of_network(subject))
    return [*(together(list(rows)) for rows in zip(*groups, strict=True)), *bulk(record)]


def of_network(subject: Subject) -> list[Claim]:
    """In the order of the paper's figures, those of its text before its supplement."""
    rows = [
        *training(subject),
        *elsewhere(subject),
        *stationary(subject),
        *long(subject),
        *free_energy(subject),
        *ensemble(subject),
        *cost(subject),
        symmetry(subject),
        conserved(subject),
        *without_fluxes(subject),
    ]
    return sorted(rows, key=lambda c: int(c.figure) if c.figure.isdigit() else len(rows))


def together(each: list[Claim]) -> Claim:
    """The mean over trainings that differ in their seed alone; its error holds how far they are
    apart, and what they have in common: the starts.
    """
    run = [c for c in each if c.estimate is not None and np.isfinite(c.estimate.value)]
    if len(run) < 2:
        return (run or each)[0]
    values = np.array([c.estimate.value for c in run])
    own = np.nan_to_num([c.estimate.error for c in run]).mean()
    error = float(np.hypot(values.std(ddof=1) / np.sqrt(len(run)), own))
    return replace(
        run[0],
        estimate=Estimate(float(values.mean()), error),
        data=f"{len(run)} trainings; {run[0].data}".removesuffix("; "),
        note=f"one of them: {run[0].note}" if run[0].note else "",
    )


def smaller(numbers: Numbers, network: Network | None) -> str:
    """Why a run cannot be compared with the paper: another grid or equation than its, or less than
    half of its sequences, frames or epochs; "" where it can.
    """
    setup, trained = numbers.setup, numbers.trained.get(network)
    epochs = 0 if trained is None else trained.length
    amounts = (
        (setup.training, SEQUENCES, "training sequences"),
        (setup.frames, FRAMES, "frames"),
        (epochs, EPOCHS, "epochs"),
    )
    parts = [
        f"{have:,} {what} for {wanted:,}".replace(",", " ")
        for have, wanted, what in amounts
        if have < wanted / 2
    ]
    if not same_grid(setup):
        width = f"epsilon = {setup.interface_width:g}"
        grid = f"{setup.network_size}^3 cells of spacing {setup.network_spacing:g}, {width}"
        parts.insert(0, f"{grid} for {CELLS}^3 of spacing 2, epsilon = 3")
    return f"{', '.join(parts)} of the paper" if parts else ""


def same_grid(setup: Setup) -> bool:
    same = all(np.isclose(getattr(setup, name), value) for name, value in SYSTEM.items())
    return bool(same and setup.network_size == CELLS)


def starts(count: int) -> str:
    return f"{count} start" + "s" * (count > 1)


def scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.error * factor)


def training(s: Subject) -> list[Claim]:
    trained, errors = s.numbers.trained.get(s.network), s.numbers.errors("test", s.network)
    tested = None if trained is None else trained.tested
    moved, more = None, {}
    if errors:
        cell = s.numbers.setup.network_spacing
        moved = scaled(errors.moved, 1 / cell)
        more["baselines"] = {"persistence": errors.displacement_still[-1] / cell}
        more["data"] = starts(errors.starts)
    return [
        one_to_one(s, tested),
        s.claim(
            "1",
            "test sequences, last frame: rms displacement of the interfaces over a cell",
            "almost one-to-one",
            below(WITHIN),
            moved,
            **more,
        ),
        s.claim(
            "1",
            "no overfitting: validation loss in the last tenth of the epochs over that in the "
            "tenth before",
            "does not increase",
            below(FLAT),
            late(trained) if trained else None,
            data=f"{len(trained.history.get('epoch', ()))} epochs" if trained else "",
        ),
    ]


def one_to_one(s: Subject, tested: Tested | None) -> Claim:
    found, more = None, {}
    if tested is not None:
        found = estimates.ratio(tested.loss, tested.persistence)
        still = tested.persistence.mean()
        more["baselines"] = {"linear extrapolation": tested.extrapolation.mean() / still}
        more["data"] = f"{len(tested.loss)} test sequences"
        more["note"] = f"mean squared error {over_starts(tested.loss)}, persistence {still:.2g}"
    return s.claim("1", ONE_TO_ONE, "almost one-to-one", below(CLOSE), found, **more)


def late(trained: Trained) -> Estimate:
    losses = trained.history.get("validation_loss", np.array([]))
    count = len(losses) // LATE
    if count < 2:
        return UNDETERMINED
    return costs.ratio(over_starts(losses[-count:]), over_starts(losses[-2 * count : -count]))


def worse(errors: Errors) -> str:
    """A warning where a network is no better than the first frame."""
    return "; not better than persistence" if errors.worse else ""


def stopped(s: Subject, case: str) -> str:
    """Of a rollout that went out of every range, as far as it is told of."""
    followed = s.numbers.followed(case, s.network)
    return f"; stopped after t = {followed.last:g}" if followed and followed.stopped else ""


def elsewhere(s: Subject) -> list[Claim]:
    """Larger box, closed shape, noise in a slice."""
    wanted = (
        ("2", "larger", "test", LARGER, "slightly higher", below(SLIGHTLY)),
        ("2", "shape", "test", SHAPE, "comparable", below(SLIGHTLY)),
        ("3", "slice", "larger", SLICE, "same order of magnitude", below(MAGNITUDE)),
    )
    rows = []
    for figure, case, against, text, paper, rule in wanted:
        own, other = (s.numbers.errors(name, s.network) for name in (case, against))
        found, more = None, {}
        if own and other:
            found = costs.ratio(own.mean_squared, other.mean_squared)
            box = "x".join(map(str, s.numbers.cases[case].cells))
            more["data"] = f"{box} cells, {starts(own.starts)}, t up to {own.time[-1]:g}"
            more["baselines"] = {"persistence": own.still / other.mean_squared.value}
            more["note"] = f"mean squared error {own.mean_squared}{worse(own)}{stopped(s, case)}"
        rows.append(s.claim(figure, text, paper, rule, found, **more))
    return rows


def long(s: Subject) -> list[Claim]:
    """The whole long trajectory, and what downscaling does to it."""
    errors, width = s.numbers.errors("long", s.network), s.numbers.setup.interface_width
    found, grids, more, note = None, None, {}, ""
    if errors:
        moved = errors.displacement[1:] / width
        found = exact(np.median(moved))
        more = {
            "data": f"{starts(errors.starts)}, t up to {errors.time[-1]:g}",
            "baselines": {"persistence": np.median(errors.displacement_still[1:]) / width},
            "note": f"largest {moved.max():.2g} at t = {errors.time[1:][moved.argmax()]:g}, at the "
            f"end {moved[-1]:.2g}{worse(errors)}{stopped(s, 'long')}",
        }
    if errors and errors.full is not None:
        half = len(errors.time) // 2
        grids = exact(np.sqrt(errors.full[half:].mean() / errors.squared[half:].mean()))
        note = f"at t = 0 {np.sqrt(errors.full[0]):.2g} against {errors.rmse[0]:.1g}"
    return [
        s.claim("5", DISPLACED, "comparable for most of the time", below(SLIGHTLY), found, **more),
        s.claim(
            "8",
            "downscaling matters little later: RMSE against the solver's grid over that on the "
            "network's, later half of the kept frames",
            "only slightly affected",
            below(SLIGHTLY),
            grids,
            data=starts(errors.starts) if errors else "",
            note=note,
        ),
    ]


def stationary(s: Subject) -> list[Claim]:
    followed, cell = s.numbers.followed("long", s.network), s.numbers.setup.network_spacing
    layered, still, more, later = None, None, {}, {}
    if followed:
        end, truth = followed.end, s.numbers.cases["long"].truth
        since = f"since t = {end.since:g}" if np.isfinite(end.since) else "never"
        there = end.layered
        layered = exact(end.least)
        still = exact(end.still / cell) if there else UNDETERMINED
        data = {"data": f"{starts(end.starts)}, t up to {end.time:g}"}
        more, later = dict(data), dict(data)
        more["note"] = f"layered {since}"
        later["note"] = f"since t = {end.half:g}" if there else f"not layered at t = {end.half:g}"
        if truth is not None:
            more["note"] += f"; truth {truth.end.mean:.3f} at t = {truth.end.time:g}"
            later["limits"] = {"truth": truth.end.still / cell}
        more["note"] += stopped(s, "long")
    return [
        s.claim("4", LAYERS, "layered", above(LAYERED), layered, **more),
        s.claim(
            "4",
            "the layers stand still: rms displacement over the second half of the time, over a "
            "cell",
            "stable once reached",
            below(WITHIN),
            still,
            **later,
        ),
    ]


def free_energy(s: Subject) -> list[Claim]:
    """Its error and its exponent."""
    rows = []
    for case, text in (
        ("long", ENERGY),
        ("ensemble", "ensemble, mean over the starts: largest relative error of F"),
    ):
        followed = s.numbers.followed(case, s.network)
        gap = followed.gap if followed else None
        found, more = None, {}
        if gap:
            largest, when = gap.largest()
            found = exact(largest)
            more["data"] = f"{starts(followed.starts)}, t up to {gap.time[-1]:g}"
            more["note"] = (
                f"at t = {when:g}; mean over log t {mean_in_log(gap.time, gap.relative):.2g}"
            )
        rows.append(s.claim("6", text, "< 5.5%", below(energy.LIMIT), found, **more))
    rows += [*without_the_grid(s), *local(s)]
    for case, text in (
        ("long", EXPONENT),
        ("ensemble_long", "long ensemble, network alone: exponent of F in t"),
    ):
        followed = s.numbers.followed(case, s.network)
        found, more = None, {}
        if followed:
            found, window = followed.exponent, s.numbers.cases[case].window
            truth = s.numbers.cases[case].truth
            more["data"] = starts(followed.starts)
            more["note"] = "the box is too small for a stretch of coarsening"
            if window:
                more["note"] = f"t = {window[0]:g} to {window[1]:g}"
            if truth is not None and np.isfinite(truth.exponent.value):
                more["note"] += f"; truth {truth.exponent}"
        rule = close_to(round(energy.LAW, 4))
        rows.append(s.claim("6", text, "-1/3", rule, found, **more))
    return rows


def without_the_grid(s: Subject) -> list[Claim]:
    """The free energy without what the coarse grid makes of it, for as long as it can be known.

    The solver itself, from what the network's grid keeps of the start, is another trajectory in the
    end: what a network does from then on tells nothing.
    """
    followed = s.numbers.followed("long", s.network)
    gap = followed.gap if followed else None
    again = s.numbers.cases["long"].sensitivity if followed else None
    until = energy.until(again.gap if again else None)
    rows = []
    for text, name in ((AREA, "area"), (UPSAMPLED, "upsampled")):
        values = getattr(gap, name) if gap else np.empty(0)
        before = gap.kept < until if gap and np.isfinite(until) else np.ones(len(values), bool)
        found, more = None, {}
        if np.isfinite(values[before]).any():
            largest = float(np.nanmax(values[before]))
            found = exact(largest)
            when = gap.kept[before][np.nanargmax(values[before])]
            more["data"] = f"{starts(followed.starts)}, t up to {gap.kept[before][-1]:g}"
            more["note"] = f"at t = {when:g}"
            if again is not None and again.gap is not None:
                own = np.nanmax(getattr(again.gap, name), initial=0)
                more["limits"] = {"the solver from the network's start, at any time": float(own)}
        rows.append(
            s.claim("6", text, "< 5.5% of F, which is the area", below(energy.LIMIT), found, **more)
        )
    return rows


def local(s: Subject) -> list[Claim]:
    """Local exponents in the largest box, of network and truth from the same starts."""
    case, followed = s.numbers.cases.get("box"), s.numbers.followed("box", s.network)
    truth = case.truth if case else None
    rows = []
    for text, name in LOCAL.items():
        found, more = None, {}
        own, true = (exponents(each, name) for each in (followed, truth))
        if own is not None and true is not None:
            count = min(len(own.time), len(true.time))
            apart = own.samples[:, :count] - true.samples[:, :count]
            found = over_starts(apart.mean(1))
            pairs = [
                f"{Estimate(a, b)} and {Estimate(c, d)} at {t:.2g}"
                for a, b, c, d, t in zip(
                    own.mean, own.error, true.mean, true.error, true.time, strict=False
                )
            ]
            more["data"] = f"{starts(followed.starts)}, t = {energy.FIRST:g} to {followed.last:g}"
            more["note"] = f"network and truth: {'; '.join(pairs)}"
        rows.append(s.claim("6", text, "not compared", between(-APART, APART), found, **more))
    return rows


def exponents(followed: Followed | None, name: str) -> Exponents | None:
    """Of a quantity of Kept, from FIRST on, as far as there is one in all starts; None: it ends too
    soon.
    """
    if followed is None or followed.kept is None:
        return None
    values = getattr(followed.kept, name)
    there = np.logical_and.accumulate((values > 0).all(axis=0))
    late = there & (followed.kept.time >= energy.FIRST / 2)
    times = followed.kept.time[late]
    if len(times) < 2 or times[0] > energy.FIRST or times[-1] < energy.FIRST * SPAN:
        return None
    return local_exponents(times, values[:, late], SPAN, energy.FIRST)


def bulk(record: Record) -> list[Claim]:
    """Whether noise in one phase alone dies, as it does under the equation: of every network."""
    numbers, rows = record.numbers, []
    case = numbers.cases.get("bulk")
    models = {network.model: [] for network in in_order(numbers.networks)}
    for network in in_order(numbers.networks):
        models[network.model].append(network)
    for networks in models.values() if case else ():
        each = []
        for network in networks:
            followed = case.networks.get(network)
            subject = Subject(record.origin.system, numbers, network, None)
            found, more = None, {}
            if followed is not None and len(followed.growth):
                found = exact(float(followed.growth.max()))
                levels = zip(BULK, followed.growth, strict=True)
                more["note"] = ", ".join(f"{ratio:.2g} at phi = {phi:g}" for phi, ratio in levels)
                more["data"] = f"t = {followed.last:g}"
                if case.truth is not None:
                    more["limits"] = {"truth": float(case.truth.growth.max())}
            each.append(subject.claim("", STABLE, "not said", below(1), found, **more))
        rows.append(together(each))
    return rows


def symmetry(s: Subject) -> Claim:
    followed = s.numbers.followed("symmetric", s.network)
    found, more = None, {}
    if followed and np.isfinite(followed.asymmetry):
        found = exact(followed.asymmetry)
        more["data"] = (
            f"{starts(followed.starts)}, t up to {followed.last:g}{stopped(s, 'symmetric')}"
        )
        truth = s.numbers.cases["symmetric"].truth
        if truth is not None:
            more["limits"] = {"truth": truth.asymmetry}
    return s.claim("", SYMMETRIC, "not said", below(SYMMETRY), found, **more)


def mean_in_log(time: np.ndarray, values: np.ndarray) -> float:
    """Mean over log t of what is given at times (t,) after 0."""
    after = time > 0
    x = np.log(time[after])
    if len(x) < 2 or np.ptp(x) == 0:
        return float(values[after].mean())
    return float(np.trapezoid(values[after], x) / np.ptp(x))


def ensemble(s: Subject) -> list[Claim]:
    followed = s.numbers.followed("ensemble", s.network)
    bands = followed.bands if followed else None
    off, ratio, more, note = None, None, {}, ""
    if bands:
        apart = np.abs(bands.off)
        off, ratio = exact(apart.max()), bands.ratio
        more, note = {"data": starts(bands.starts)}, f"at t = {bands.time[apart.argmax()]:g}"
    return [
        s.claim(
            "6",
            "ensemble: mean F minus the truth's, in the truth's standard deviations, largest over "
            "time",
            "within the bands",
            below(1),
            off,
            note=note,
            **more,
        ),
        s.claim(
            "6",
            "ensemble: standard deviation of F over the truth's, mean over time",
            "close agreement",
            close_to(1),
            ratio,
            **more,
        ),
    ]


def cost(s: Subject) -> list[Claim]:
    cells, seconds, cases = costs.by_size(s.numbers.cases, s.network)
    boxes = len(np.unique(cells))
    rows = [
        s.claim(
            "7",
            "cost of a frame against cells: exponent",
            "linear",
            close_to(1),
            costs.growth(cells, seconds) if boxes > 1 else None,
            data=f"{len(cases)} cases, {boxes} sizes",
        )
    ]
    table = s.numbers.costs
    own = None if table is None else costs.of_network(table.rows, s.network)
    explicit, data, note, poor = None, "", "", ""
    if own:
        explicit = costs.over_explicit(table.rows, s.network)
        data = f"{table.frames or '?'} frames, {table.device}"
        still = table.persistence_rmse
        poor = f"; not better than persistence, {still:.1e}" if own.rmse >= still else ""
        if np.isfinite(explicit.value):
            theirs = costs.solver(table.rows, "explicit")[0].rmse
            note = f"RMSE {own.rmse:.1e}; explicit {theirs:.1e}{poor}"
    more = {"data": data, "note": note}
    rows.append(s.claim("", EXPLICIT, "a fraction of the cost", above(1), explicit, **more))
    for method in ("second_order", "adaptive"):
        found, how = costs.at_same_error(table.rows, s.network, method) if own else (None, "")
        more = {"data": data, "note": how + poor * bool(how)}
        rows.append(s.claim("", at_same_error(method), "not compared", above(1), found, **more))
    return rows


def conserved(s: Subject) -> Claim:
    changes = {
        name: case.networks[s.network].drift.max()
        for name, case in s.numbers.cases.items()
        if s.network in case.networks
    }
    worst = max(changes, key=changes.get) if changes else None
    return s.claim(
        "S1",
        CONSERVED,
        "up to numerical precision",
        below(ROUND_OFF),
        exact(changes[worst]) if changes else None,
        data=f"{len(changes)} cases",
        note=f"case {worst}",
    )


def without_fluxes(s: Subject) -> list[Claim]:
    """What a network does that has no fluxes: the paper's S1."""
    own, second = s.numbers.trained.get(s.network), s.numbers.trained.get(s.other)
    losses = exact(second.validation_loss / own.validation_loss) if own and second else None
    reach = {n: c.networks[s.other] for n, c in s.numbers.cases.items() if s.other in c.networks}
    far = max(reach, key=lambda name: reach[name].last) if reach else None
    return [
        s.claim(
            "S1",
            "without fluxes: validation loss over the conserving network's",
            "worse",
            above(1),
            losses,
            of=s.other,
            note="the epochs kept",
        ),
        late_errors(s),
        s.claim(
            "S1",
            DRIFTING,
            "drifts",
            above(DRIFTS),
            exact(reach[far].drift[-1]) if reach else None,
            of=s.other,
            data=f"case {far}, t = {reach[far].last:g}" if reach else "",
        ),
    ]


def late_errors(s: Subject) -> Claim:
    case = s.numbers.longest(s.network, s.other)
    found, more = None, {}
    if case:
        pair = [s.numbers.errors(case, network) for network in (s.other, s.network)]
        when = np.intersect1d(pair[0].time, pair[1].time)[-1]
        theirs, ours = (e.rmse_at(int(np.searchsorted(e.time, when))) for e in pair)
        found = costs.ratio(theirs, ours)
        more["data"] = f"case {case}, t = {when:g}"
        more["note"] = f"RMSE {theirs} and {ours}{stopped(s, case)}"
    text = "without fluxes: RMSE late in time over the conserving network's"
    return s.claim("S1", text, "almost twice", above(1), found, of=s.other, **more)
