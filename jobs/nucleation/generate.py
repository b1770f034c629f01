"""Nucleation events and the probability that each of their last configurations was about to
nucleate.

Intervention method (paper, section II.A): equilibrate with the field up, reverse it, run to the
first m <= 0, which is t = 0; keep the last `history` MCS.  Copies of a configuration at t < 0, each
with its own randomness, then tell p_nuc.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs import UserError, signals
from jobs.nucleation.config import Generate, Nucleation
from jobs.shards import Data
from kernels.device import DeviceError
from kernels.ising import Ising, leaves_the_gpu
from kernels.ising_bits import GROUP
from kernels.streams import generator

# packed configurations in one call of `intervene`: a constant, for results depend on the cut
CALL_BYTES = 256 << 20
# the c-th call numbers its copies from c times this, so that no two calls share randomness
CALL_COPIES = 1 << 17
CALLS = 1 << 7  # the kernels number copies with 24 bits
HISTORY_BYTES, HISTORY_SHARE = 2 << 30, 10  # histories in one call on a GPU; of its memory
TYPICAL_LIFETIME = 1e4  # MCS; only weighs the two halves of a unit in the progress bar
FEW = 16  # events at once, of lattices with transforms

Report = Callable[[float], None]


def build(config: Nucleation, device) -> Ising:
    """The model of a config.  Raises UserError for what the kernels cannot do."""
    try:
        return Ising(device=device, **config.system.model_dump())
    except ValueError as error:
        raise UserError(f"system: {error}") from None
    except DeviceError as error:
        raise UserError(str(error)) from None


def warn(model: Ising, config: Nucleation) -> list[str]:
    """What is allowed but probably not meant."""
    lines = []
    if config.expected < config.needed:
        lines.append(
            f"about {config.expected} balanced configurations are expected, and a fold of train takes "
            f"{config.needed}: raise generate.units, or lower train.training"
        )
    if model.is_metastable():
        return lines
    return [
        *lines,
        f"system.field = {config.system.field} at system.temperature = {config.system.temperature:.6g}: "
        f"the state is not metastable (the mean-field spinodal is at {model.spinodal_field:.4f}): "
        "m falls at once, without nucleation",
    ]


def batch(config: Nucleation, device) -> int:
    """Units that nucleate together: one a CPU worker, as many as memory allows on a GPU.  Results
    do not depend on it.
    """
    if device.kind == "cpu":
        return device.workers
    if leaves_the_gpu(config.system.interaction, config.system.range, device):
        return device.host_workers
    generate, bytes_each = config.generate, (config.system.size**2 + 7) // 8
    replicas = max(
        generate.events, 32 * min(16, -(-generate.events // 32))
    )  # of the records, of whole words
    most = min(HISTORY_BYTES, device.memory_bytes // HISTORY_SHARE)
    return max(1, most // (replicas * (generate.history + 1) * bytes_each))


def simulate(
    model: Ising, config: Nucleation, units: Sequence[int], report: Report
) -> Iterator[tuple[int, dict[str, Data]]]:
    """Yield (unit, its datasets) one by one; report(done) hears how many units' worth of work is
    done.
    """
    g = config.generate
    at_once = replicas_at_once(config)
    nucleating = TYPICAL_LIFETIME * lives(g.events, g.events, at_once)
    share = nucleating / (nucleating + g.events * label_steps(g) / at_once)
    events = model.nucleate(
        seed=config.seed,
        units=list(units),
        events=g.events,
        history=g.history,
        equilibration=g.equilibration,
        max_lifetime=g.max_lifetime,
        progress=lambda ended: report(
            share * len(units) * through(ended / len(units), g.events, at_once)
        ),
    )
    labelled = 0.0
    for unit, found in zip(units, events, strict=True):

        def part(fraction, before=labelled):
            report(share * len(units) + (1 - share) * (before + fraction))

        event, time, copies, nucleated = label(model, config, unit, found, part)
        labelled += 1
        last = (
            signals.asked()
        )  # what the next one would take is many times what has been done for it
        yield (
            unit,
            {
                "lifetime": Data(
                    found.lifetime, "MCS", "event", "from the field flip to the first m <= 0"
                ),
                "history": Data(
                    found.history,
                    "",
                    "event, time, byte",
                    f"configurations at t = -{g.history}..0 MCS: a bit a spin, 1 is up, big-endian, "
                    "site x L + y; "
                    "those before the field flip (t < -lifetime) mean nothing",
                ),
                "configuration/event": Data(
                    event, "", "configuration", "event of this unit, from 0"
                ),
                "configuration/time": Data(
                    time, "MCS", "configuration", "relative to the first m <= 0 of the original"
                ),
                "configuration/copies": Data(copies, "", "configuration", "copies made"),
                "configuration/nucleated": Data(
                    nucleated, "", "configuration", f"copies that nucleated, {g.reading}"
                ),
            },
        )
        if last:
            return


def replicas_at_once(config: Nucleation) -> int:
    """Of a unit, at most: lattices of bits go in groups, those with transforms one by one, of which
    a few stand for any number.
    """
    return GROUP if config.system.interaction in ("nearest", "square") else FEW


def lives(ended: float, events: int, at_once: int) -> float:
    """Mean lifetimes that pass until so many of `events` have ended, `at_once` of them at a time:
    where one has ended the next begins, and when there is none left the last ones take as long as
    many before, since the decay has no memory.
    """
    at_once = min(at_once, events)
    full = events - at_once
    if ended <= full:
        return ended / at_once
    ages = np.log((at_once + 0.5) / (max(events - ended, 0.0) + 0.5))  # of harmonic numbers
    return full / at_once + float(ages)


def through(ended: float, events: int, at_once: int) -> float:
    """Share of the time that nucleation takes, when so many events have ended."""
    return lives(ended, events, at_once) / lives(events, events, at_once)


def label_times(g: Generate) -> float:
    """Labels of one event, roughly."""
    if not g.adaptive.enabled:
        return g.history
    return min(g.history, 10 + 2 * g.adaptive.margin + g.adaptive.extremes * g.history)


def label_steps(g: Generate) -> float:
    """MCS that labels take for one event, roughly."""
    pilot = g.adaptive.pilot_copies * g.history * g.adaptive.enabled
    return (pilot + g.copies * label_times(g)) * (g.history / 2 + g.window)


def label(
    model: Ising, config: Nucleation, unit: int, original, report: Report
) -> tuple[np.ndarray, ...]:
    """Copies of a unit's configurations: (event, time, copies, nucleated), int32 (c,) each, sorted
    by event, then time.

    Every time from -history to -1 MCS is labelled, or those that a pilot chooses; never one before
    the field flip.
    """
    g = config.generate
    time = np.repeat(
        np.arange(-1, -g.history - 1, -1), g.events
    )  # sorted by duration: equal ones share a word
    event = np.tile(np.arange(g.events), g.history)
    after_flip = time >= -original.lifetime[event]
    event, time = event[after_flip], time[after_flip]
    unit_copies = Copies(model, config, unit, original.history)
    if g.adaptive.enabled:
        pilot, _ = unit_copies.count(
            event, time, "pilot", g.adaptive.pilot_copies, None, lambda f: report(f / 3)
        )
        chosen = worth_copies(config, unit, event, time, pilot)
        event, time = event[chosen], time[chosen]
        nucleated, copies = unit_copies.count(
            event,
            time,
            "intervention",
            g.copies,
            g.adaptive.standard_error,
            lambda f: report((1 + 2 * f) / 3),
        )
    else:
        nucleated, copies = unit_copies.count(event, time, "intervention", g.copies, None, report)
    order = np.lexsort((time, event))
    return tuple(column[order].astype(np.int32) for column in (event, time, copies, nucleated))


@dataclass(frozen=True)
class Copies:
    """Of the configurations of a unit.  history: packed spins (events, history + 1, bytes)."""

    model: Ising
    config: Nucleation
    unit: int
    history: np.ndarray

    def count(
        self,
        event: np.ndarray,
        time: np.ndarray,
        stream: str,
        copies: int,
        standard_error: float | None,
        report: Report,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(nucleated, copies) int64 (n,) of the configurations (event, time), which come sorted by
        duration.

        Copies come in rounds of `copies`.  Without a `standard_error` there is one round; with one,
        rounds go on for each configuration until sqrt(p (1 - p) / copies) is that small, p =
        (nucleated + 1) / (copies + 2), or until another round would exceed adaptive.max_copies.
        """
        g = self.config.generate
        nucleated, made = np.zeros(len(event), int), np.zeros(len(event), int)
        size = max(512, CALL_BYTES // self.history.shape[2])
        calls = range(0, len(event), size)
        if len(calls) > CALLS:
            raise ValueError(
                f"{len(event)} configurations are too many for a unit: "
                "lower generate.events, raise generate.units"
            )
        for call, first in enumerate(calls):
            open_ = np.arange(first, min(first + size, len(event)))
            done = 0
            while len(open_):
                passage = self.model.intervene(
                    seed=self.config.seed,
                    unit=self.unit,
                    spins=self.history[event[open_], g.history + time[open_]],
                    duration=(g.window - time[open_]).astype(np.int32),
                    copies=copies,
                    first_copy=call * CALL_COPIES + done,
                    stream=stream,
                    progress=lambda ended, call=call: report((call + ended / copies) / len(calls)),
                )
                nucleated[open_] += hits(passage, time[open_], g.window, g.reading).sum(0)
                made[open_] += copies
                done += copies
                if standard_error is None or done + copies > g.adaptive.max_copies:
                    break
                p = (nucleated[open_] + 1) / (made[open_] + 2)
                open_ = open_[np.sqrt(p * (1 - p) / made[open_]) > standard_error]
        report(1.0)
        return nucleated, made


def hits(passage: np.ndarray, time: np.ndarray, window: int, reading: str) -> np.ndarray:
    """Which copies nucleated: bool (copies, n).

    passage: int (copies, n), MCS after the start of a copy at which it first had m <= 0, or -1.
    time: int (n,), t_int < 0 in MCS, so that the original's t = 0 is -t_int after the start.

    The paper counts copies "that reach m < 0 at roughly t = 0 (we allow a difference within 10
    MCS)". `one_sided`, the default: no later than `window` MCS after t = 0.  `two_sided`: neither
    later nor earlier than that.
    """
    good = (passage >= 0) & (passage <= window - time)
    if reading == "two_sided":
        good &= passage >= -time - window
    return good


def worth_copies(
    config: Nucleation, unit: int, event: np.ndarray, time: np.ndarray, pilot: np.ndarray
) -> np.ndarray:
    """bool (n,): the configurations that get full copies, from `pilot` int (n,), the pilot's
    nucleated copies.

    All that the pilot left undecided, `margin` MCS around them in the same event, and a share
    `extremes` of the rest: without it the first and the last bin of p_nuc would know the neighbours
    of the undecided only. Choosing by the pilot does not bias the labels, which come from fresh
    copies.
    """
    a, history = config.generate.adaptive, config.generate.history
    undecided = np.zeros(
        (config.generate.events, history + 2 * a.margin), bool
    )  # [event, time + history + margin]
    column = time + history + a.margin
    undecided[event, column] = (pilot > a.dissenters) & (pilot < a.pilot_copies - a.dissenters)
    near = np.zeros(len(event), bool)
    for shift in range(-a.margin, a.margin + 1):
        near |= undecided[event, column + shift]
    random = generator(config.seed, "pilot", unit).random((config.generate.events, history))
    return near | (random[event, time + history] < a.extremes)
