"""What a page says first: what was run, and the findings that matter, worded by the numbers."""

import numpy as np

from analysis.claim import Claim
from analysis.coarsening import costs
from analysis.coarsening.claims import (
    CLOSE,
    CONSERVED,
    DISPLACED,
    DRIFTING,
    ENERGY,
    EXPLICIT,
    EXPONENT,
    LARGER,
    LAYERS,
    ONE_TO_ONE,
    SHAPE,
    SLICE,
    SLIGHTLY,
    at_same_error,
)
from analysis.coarsening.claims import claims as claims_of
from analysis.coarsening.labels import main
from analysis.coarsening.layers import LAYERED
from analysis.coarsening.measure import Numbers, Setup
from analysis.estimates import exact, percent
from analysis.record import Record
from analysis.verdicts import NO, YES, Rule
from analysis.verdicts import between as within

NEAREST, BLOCKS = "nearest", "block_mean"


def sentence(records: list[Record]) -> str:
    return " ".join(
        [
            "Networks learn to follow the Cahn-Hilliard equation, in which a mixture separates and "
            "its domains coarsen, and then go on alone, far beyond what they were trained on. phi "
            "is the local concentration; networks that conserve it predict its fluxes, through the "
            "faces of cells (staggered) or in their middles (central).",
            *(of_system(record) for record in records),
        ]
    )


def of_system(record: Record) -> str:
    numbers, setup = record.numbers, record.numbers.setup
    spell = {
        "training": f"{setup.training} training sequences of {setup.frames} frames",
        "grid": f"{setup.network_size}^3 cells, {kept(setup)} of the solver's {setup.size}^3",
    }
    trained = len(numbers.trained)
    text = f"This run ({record.origin.run}): {spell['training']} on {spell['grid']}; "
    text += f"{trained or 'no'} network{'s' * (trained != 1)} trained"
    if trained:
        lengths = sorted({t.length for t in numbers.trained.values()})
        text += f" for {' to '.join(map(str, {lengths[0]: 0, lengths[-1]: 0}))} epochs"
    if numbers.cases:
        last = max(f.last for c in numbers.cases.values() for f in c.networks.values() or [c.truth])
        text += (
            f", followed in {len(numbers.cases)} case{'s' * (len(numbers.cases) > 1)} up to t = "
            f"{last:g} (training sequences end at {setup.horizon:g})"
        )
        text += f", {memory(setup)}" * any(c.networks for c in numbers.cases.values())
    return text + "."


def memory(setup: Setup) -> str:
    if not setup.memory:
        return "with the hidden states of the whole rollout, as published"
    as_in_training = ", as old as in training" * (setup.memory == setup.frames - 1)
    return f"with hidden states that begin anew after every {setup.memory} frames{as_in_training}"


def kept(setup: Setup) -> str:
    """Of a coarse cell."""
    block = f"{setup.downscale}^3 block"
    return f"one of each {block}" if setup.downscaling == NEAREST else f"the mean of each {block}"


def findings(records: list[Record], claims: list[Claim]) -> list[str]:
    """Of the largest system; where there are several, each sentence begins with its name."""
    record = max(records, key=lambda r: r.origin.size)
    if main(record.numbers.networks) is None:
        return ["No network that conserves phi is trained yet: there is nothing to judge."]
    mine = {c.text: c for c in claims if c.system == record.origin.system}
    about = f"{record.origin.system}: " if len(records) > 1 else ""
    lines = (
        far(record.numbers, mine),
        energy_falls(mine),
        one_to_one(mine),
        quick(record.numbers, mine),
        conserved(mine),
    )
    return [about + line for line in lines if line]


def known(claim: Claim | None) -> bool:
    return claim is not None and claim.estimate is not None and np.isfinite(claim.estimate.value)


def far(numbers: Numbers, claims: dict[str, Claim]) -> str:
    """Beyond the training's time: the paper's main point."""
    layers, moved = claims.get(LAYERS), claims.get(DISPLACED)
    followed = numbers.followed("long", main(numbers.networks))
    if not known(layers) or followed is None:
        return ""
    times = followed.last / numbers.setup.horizon
    ends = "in flat layers" if layers.by_rule == YES else "without flat layers"
    if followed.stopped:
        ends = f"there, where it diverged, {ends}"
    text = (
        f"The network with {layers.network} goes on alone to t = {followed.last:g}, "
        f"{exact(times)} times as long as the training sequences, and ends {ends}: planes "
        f"hold {layers.estimate} of the variance ({LAYERED:g} or more is layered"
    )
    truth = numbers.cases["long"].truth
    if truth is not None:
        text += f"; truth {truth.end.mean:.3g}"
    text += ")."
    if known(moved):
        still = moved.known(moved.baselines).get("persistence", exact(np.inf))
        than = "less" if moved.estimate.value < still.value else "no less"
        text += (
            f" On the way its interfaces are {moved.estimate} of their own width off "
            f"(median), {than} than those of the first frame, {still}."
        )
    return text


def energy_falls(claims: dict[str, Claim]) -> str:
    largest, exponent = claims.get(ENERGY), claims.get(EXPONENT)
    parts = []
    if known(largest):
        side = "within" if largest.by_rule == YES else "beyond"
        parts.append(
            f"The free energy on the way there is off by at most {percent(largest.estimate)}, "
            f"{side} the paper's 5.5%."
        )
    if known(exponent):
        close = {YES: "as", NO: "not as"}.get(exponent.by_rule, "too uncertain to tell from")
        truth = exponent.note.partition("truth ")[2]
        parts.append(
            f"It falls as t to the power of {exponent.estimate}, {close} the -1/3 of the coarsening law"
            + (f" (truth {truth})." if truth else ".")
        )
    return " ".join(parts)


def one_to_one(claims: dict[str, Claim]) -> str:
    test = claims.get(ONE_TO_ONE)
    if not known(test):
        return ""
    follows = {YES: "follows", NO: "does not follow"}.get(test.by_rule, "may or may not follow")
    text = (
        f"The network {follows} test sequences one to one: the mean squared error is "
        f"{percent(test.estimate)} of that of persistence, the first frame for all (below "
        f"{100 * CLOSE:g}% counts as one to one)."
    )
    others = [
        f"{claims[name].estimate} {what}"
        for name, what in (
            (LARGER, "in a larger box"),
            (SHAPE, "for a closed shape"),
            (SLICE, "for noise in a slice (this one in units of the larger box's)"),
        )
        if known(claims.get(name))
    ]
    return (
        f"{text} In units of the network's own error there it is {', '.join(others)}."
        if others
        else text
    )


def quick(numbers: Numbers, claims: dict[str, Claim]) -> str:
    explicit = claims.get(EXPLICIT)
    if not known(explicit):
        return ""
    text = f"The explicit scheme takes {explicit.estimate} times as long as the network"
    for method in ("adaptive", "second_order"):
        same = claims.get(at_same_error(method))
        if known(same):
            than = "less" if same.estimate.value < 1 else "more"
            text += (
                f"; the {costs.SOLVERS[method]} scheme, at least as accurate as the network, takes "
                f"{than}, {same.estimate} times its time"
            )
    table = numbers.costs
    own = None if table is None else costs.of_network(table.rows, main(numbers.networks))
    if own is None:  # the numbers are another run's
        return f"{text}."
    errors = {
        "the network's": own.rmse,
        "the explicit scheme's": costs.solver(table.rows, "explicit")[0].rmse,
        "that of the first frame for all": table.persistence_rmse,
    }
    each = [f"{whose} {exact(error)}" for whose, error in errors.items() if np.isfinite(error)]
    return f"{text}. Root mean squared errors after {table.frames} frames: {', '.join(each)}."


def conserved(claims: dict[str, Claim]) -> str:
    mean, drifts = claims.get(CONSERVED), claims.get(DRIFTING)
    if not known(mean):
        return ""
    is_ = "is conserved up to round-off" if mean.by_rule == YES else "is not conserved"
    text = f"The mean of phi {is_} (largest change {mean.estimate.value:.1e})"
    if known(drifts):
        text += f"; without fluxes it changes by {exact(drifts.estimate.value)} ({drifts.data})"
    return text + "."


def between(records: list[Record]) -> list[Claim]:
    """Whether the two ways to downscale make a difference on test sequences."""
    ways = {}
    for record in records:
        mine = [c for c in claims_of(record) if c.text == ONE_TO_ONE and known(c)]
        if mine:
            ways.setdefault(record.numbers.setup.downscaling, mine[0])
    if not {NEAREST, BLOCKS} <= set(ways):
        return []
    first, second = ways[NEAREST], ways[BLOCKS]
    return [
        Claim(
            "",
            f"{second.system} over {first.system}",
            "downscaling by block means instead of nearest cells: mean squared error over that of "
            "persistence, test sequences, ratio",
            "not compared",
            about_one(),
            costs.ratio(second.estimate, first.estimate),
            network=first.network,
            smaller=first.smaller or second.smaller,
        )
    ]


def about_one() -> Rule:
    """As "slightly" elsewhere: a factor of 2."""
    return within(1 / SLIGHTLY, SLIGHTLY)
