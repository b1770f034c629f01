"""Replicas of the Ising model, 32 in a word: how they are laid out, and launched (ising.cu).

`kernels.ising.Ising` is the way in; it hands over systems whose interaction is `nearest` or
`square`. The other interactions are ising_fft.py's.
"""

import math
import time
from functools import cached_property

import numpy as np

from kernels.device import launch_tasks, next_launch
from kernels.ising_events import NucleationEvents, check_lifetimes
from kernels.streams import STREAMS, Draws, seed_words

GROUP = 512  # replicas that share the order of the sites (GROUP_WORDS in ising.cu)
TRIALS_OF_GROUP = 8 * GROUP  # that share it in shoot: eight a replica, so that few idle at the end
# Up to this range sites are attempted in random order; beyond it the sublattice's lifetimes agree
# (tests/lifetime_study.py).
RANDOM_SITE_RANGE = 5
LARGEST_BLOCK = 512  # threads of a GPU
# From this range on a CPU keeps 4 x 4 tiles counted (ising_sublattice.h); a GPU's shared memory is
# better spent on spins.
TILED_RANGE = 12
# Substeps whose neighbours are counted in one pass over lattices that a core's own cache cannot
# hold (ising_sublattice.h).
SUBSTEPS_TOGETHER = 4


def fixed_point(probability: np.ndarray) -> np.ndarray:
    """Probabilities as uint32 multiples of 2^-32; 1 becomes 1 - 2^-32."""
    return np.minimum(np.rint(np.clip(probability, 0, 1) * 2.0**32), 2.0**32 - 1).astype(np.uint32)


def acceptance_table(model, field: float) -> tuple[np.ndarray, int]:
    """The table of acceptance.h for the signed `field`, uint32, and the edge floor(c0).  With
    kawasaki the number of up neighbours is that of an exchange (ising_random_site.h), without
    field.

    Masks, 0 or all ones, bits from the highest. nearest: [32 bits][number of up neighbours], of a
    flip that costs energy, or with heat_bath of a new spin that is up. square: [32][p_s q^n: s up,
    n = 0..3; s down], then for each higher base-4 digit [32][q^(n 4^digit), n = 1..3]. square with
    heat_bath: heat_bath_table of the probabilities of up.
    """
    q, slope = model.neighbours, 4 * model.coupling / model.temperature  # lambda
    if model.dynamics == "kawasaki":
        alone = q - 1 if model.interaction == "nearest" else 2 * model.range + 1
        q, field = 2 * alone, 0.0
    c0 = (q - field / model.coupling) / 2
    edge = int(np.clip(math.floor(c0), -1, q))
    number = np.arange(q + 1)
    if model.dynamics == "heat_bath":
        up = np.exp(-np.logaddexp(0, -slope * (number - c0)))
        if model.interaction == "square":
            return heat_bath_table(fixed_point(up)), 0
        cases = [up]
    elif model.interaction == "nearest":
        cases = [np.exp(-slope * np.abs(number - c0))]
    else:
        up, down = (
            math.exp(-max(slope * (edge + 1 - c0), 0)),
            math.exp(-max(slope * (c0 - edge), 0)),
        )
        cases = [np.outer([up, down], np.exp(-slope * np.arange(4))).ravel()]
        digits = (q.bit_length() + 1) // 2
        cases += [np.exp(-slope * 4.0**digit * np.arange(1, 4)) for digit in range(1, digits)]
    bits = np.arange(31, -1, -1, dtype=np.uint32)[:, None]
    masks = [(fixed_point(p)[None, :] >> bits & 1) * np.uint32(0xFFFFFFFF) for p in cases]
    return np.concatenate([m.ravel() for m in masks]).astype(np.uint32), edge


def heat_bath_table(probability: np.ndarray) -> np.ndarray:
    """What heat_bath.h looks up, uint32: the `probability` of up, multiples of 2^-32 that increase
    with the number of up neighbours; then, by the number's first seven bits, 128 bytes, the first
    of the lowest of these probabilities, and 128 of the highest.
    """
    bits = (len(probability) - 1).bit_length()
    table = np.full(1 << bits, probability[-1], np.uint32)  # numbers that do not occur
    table[: len(probability)] = probability
    first = (table >> np.uint32(24)).astype(np.uint8).reshape(1 << min(bits, 7), -1)
    bounds = np.zeros((2, 128), np.uint8)
    bounds[:, : len(first)] = first[:, [0, -1]].T
    return np.concatenate([table, bounds.ravel().view("<u4")])


def at_random_sites(model) -> bool:
    """Whether sites are attempted in random order, not by sublattices."""
    return (
        model.range <= RANDOM_SITE_RANGE or model.dynamics == "kawasaki" or model.fixed is not None
    )


def words_of(model, tiled: bool, gpu: bool, together: int) -> tuple[int, int]:
    """32-bit words of a lattice and of its scratch, for each lane, as ising_random_site.h and
    ising_sublattice.h lay them out.
    """
    size, reach = model.size, model.range
    if at_random_sites(model):
        return model.sites if model.interaction == "nearest" else (size + 2 * reach) ** 2, 1
    pitch, sites = size + reach, size // (reach + 1)
    tiles = (pitch // 4 + 1) ** 2 * 5
    block, strip = (n.bit_length() | int(gpu) for n in (reach**2, reach * (2 * reach + 1)))
    blocks = (sites + 1) * (1 if together > 1 else sites + 1) * block
    flips = 2 * (sites**2 + 1) if together > 1 else 0
    scratch = blocks + together * ((sites + 1) * sites * strip + flips)
    return pitch**2 + tiled * tiles, scratch


class BitSlicedLattices:
    """Replicas of nearest-neighbour or square-range lattices, one bit each (ising.cu)."""

    def __init__(self, model, device=None):
        self.model, self.device = model, device or model.device
        gpu, random_site = self.device.kind == "gpu", at_random_sites(model)
        # to count in a substep, the most that threads share
        blocks = (model.size // (model.range + 1) + 1) ** 2
        self.slots = 2 if random_site else min(128, 32 * math.ceil(blocks / 32))
        # of a GPU's block: a lattice each, or a lattice together
        self.threads = 32 if random_site else min(LARGEST_BLOCK, 32 * math.ceil(blocks / 32))
        self.teams_of_block = self.threads if gpu and random_site else 1
        tiled = not (gpu or random_site or model.range < TILED_RANGE or model.size % 4)
        together = self._substeps_together(tiled)
        self.lattice_words, self.scratch_words = words_of(model, tiled, gpu, together)
        self.shared_bytes = 4 * (self.lattice_words + self.scratch_words)
        if random_site or not gpu or not self.device.blocks_at_once(self.shared_bytes):
            self.shared_bytes = 0
        defines = dict(
            DIMENSIONS=model.dimensions,
            SIZE=model.size,
            RANGE=model.range,
            NEAREST=int(model.interaction == "nearest"),
            HEAT_BATH=int(model.dynamics == "heat_bath"),
            KAWASAKI=int(model.dynamics == "kawasaki"),
            FIXED=0 if model.fixed is None else len(acceptance_table(model, 0.0)[0]),
            RANDOM_SITE=int(random_site),
            TILED=int(tiled),
            TOGETHER=together,
            SLOTS=self.slots,
            THREADS=self.threads,
            COUNTED_LATTICE=self.lattice_words,
            COUNTED_SCRATCH=self.scratch_words,
        )
        if gpu:
            defines["SHARED_LATTICE"] = int(self.shared_bytes > 0)
        self.defines = defines
        self.module = self.device.module("ising.cu", defines)

    @cached_property
    def paths(self):
        """The kernels of ising_paths.cu, compiled when they are first asked for."""
        return self.device.module("ising_paths.cu", self.defines)

    def _substeps_together(self, tiled: bool) -> int:
        """SUBSTEPS_TOGETHER where a core counts windows of lattices that its own cache cannot
        hold, else 1. Bytes are the same.
        """
        if self.device.kind == "gpu" or at_random_sites(self.model):
            return 1
        lattice, _ = words_of(self.model, tiled, gpu=False, together=1)
        return SUBSTEPS_TOGETHER if 4 * self.device.lanes * lattice > self.device.core_cache else 1

    def _acceptance(self, field: float) -> tuple[np.ndarray, int]:
        """acceptance_table; behind it, where spins are fixed, which are, and which are down."""
        table, edge = acceptance_table(self.model, field)
        if self.model.fixed is None:
            return table, edge
        bits = np.zeros((2, -(-self.model.sites // 32) * 32), np.uint8)
        bits[:, : self.model.sites] = [self.model.fixed.ravel() != 0, self.model.fixed.ravel() < 0]
        masks = np.packbits(bits, axis=1, bitorder="little").view("<u4")
        return np.concatenate([table, masks.ravel()]), edge

    def _teams(self, tasks: int) -> int:
        """Teams that run at once when there are `tasks` of them to do: on a GPU as many as find
        place for their lattices, in shared memory or else in its cache.
        """
        if self.device.kind == "cpu":
            return min(self.device.workers, tasks)
        processors = self.device.processors
        if self.shared_bytes:
            blocks = processors * self.device.blocks_at_once(self.shared_bytes)
        else:
            block = 4 * (self.lattice_words + self.scratch_words) * self.teams_of_block
            blocks = max(processors, min(8 * processors, self.device.cache_bytes // block))
        return min(blocks * self.teams_of_block, tasks)

    def _words(self, count: int, *shape) -> np.ndarray:
        return self.device.zeros((count, *shape, self.device.lanes), np.uint32)

    def _launch_tasks(self, module, kernel: str, tasks: int, teams: int, done, **arguments) -> None:
        """Launches of a kernel whose teams take tasks."""
        launch_tasks(
            tasks,
            teams,
            teams,
            lambda first, last: self._launch(
                kernel,
                min(teams, last - first),
                module=module,
                **arguments,
                next_task=self.device.asarray([first], np.int32),
                last_task=last,
            ),
            done,
        )

    def _launch(self, kernel: str, teams: int, module=None, **arguments) -> None:
        (module or self.module).launch(
            kernel,
            -(-teams // self.teams_of_block),
            threads=self.threads,
            shared_bytes=self.shared_bytes,
            **arguments,
        )
        self.device.synchronize()

    def _allocated_teams(self, teams: int) -> int:
        """Teams rounded up to whole blocks: every thread of a block has its own place in memory."""
        return -(-teams // self.teams_of_block) * self.teams_of_block

    def nucleate(self, seed, units, events, history, equilibration, max_lifetime, progress):
        device, lanes, n = self.device, self.device.lanes, self.model.sites
        words = min(GROUP // 32, -(-events // 32))  # of a unit
        vectors = len(units) * -(-words // lanes)
        teams = self._allocated_teams(vectors)
        table, edge = self._acceptance(-abs(self.model.field))

        # replica [vector, lane, bit] starts with event 32 word + bit of its unit, where there is
        # one
        word = np.arange(vectors * lanes) % (vectors // len(units) * lanes)
        event = 32 * word[:, None] + np.arange(32)
        event[(event >= events) | (word >= words)[:, None]] = -1
        masks = np.repeat(
            ((event >= 0) << np.arange(32, dtype=np.uint32))
            .sum(1)
            .astype(np.uint32)
            .reshape(vectors, 1, lanes),
            2,
            1,
        )
        masks = device.asarray(masks)
        times, since = device.zeros(vectors, np.int32), device.zeros((vectors, lanes, 32), np.int32)
        taken = device.asarray(np.full((vectors, lanes), 32), np.int32)
        lifetime = device.zeros((len(units), events), np.int32)
        record = device.zeros((len(units), events, history + 1, (n + 7) // 8), np.uint8)
        constant = dict(
            event=device.asarray(event, np.int32),
            units=device.asarray(units, np.uint32),
            vectors=vectors,
            words_of_unit=words,
            events=events,
            equilibration=equilibration,
            history=history,
            threshold=device.asarray(table),
            edge=edge,
            **seed_words(seed),
            stream_id=STREAMS["nucleation"],
        )
        memory = dict(
            lattices=self._words(teams, self.lattice_words),
            scratches=self._words(teams, self.scratch_words),
            states=self._words(vectors, self.slots, 4),
            frames=self._words(teams, history + 1, n),
        )

        steps = 16
        while np.any(device.to_host(masks)[:, 0]):
            start = time.monotonic()
            self._launch(
                "nucleate",
                vectors,
                **memory,
                **constant,
                masks=masks,
                times=times,
                next=taken,
                since=since,
                steps=steps,
                lifetime=lifetime,
                record=record,
            )
            steps = next_launch(steps, time.monotonic() - start)
            if progress:
                progress(int(np.count_nonzero(device.to_host(lifetime))))
            held = device.to_host(constant["event"]).reshape(vectors, lanes, 32) >= 0
            age = device.to_host(times)[:, None, None] - device.to_host(since)
            check_lifetimes(np.where(held, age - equilibration, 0), max_lifetime)
        lifetime, record = device.to_host(lifetime), device.to_host(record)
        check_lifetimes(lifetime, max_lifetime)
        return [NucleationEvents(lifetime[u].copy(), record[u].copy()) for u in range(len(units))]

    def evolve(self, spins, duration, field, draws: Draws, copies, progress):
        """(passage or None, packed end configurations or None); copies None: one copy that runs on
        past m <= 0.
        """
        device, lanes, count = self.device, self.device.lanes, len(spins)
        vectors = -(-count // (32 * lanes))
        table, edge = self._acceptance(field)
        until = np.zeros(vectors * 32 * lanes, np.int32)
        until[:count] = duration
        passage = end = None
        if copies is None:
            end = self._words(vectors, self.model.sites)
        else:
            passage = device.asarray(np.full((copies, vectors * 32 * lanes), -1, np.int32))
        tasks = vectors * (copies or 1)
        teams = self._teams(tasks)
        allocated = self._allocated_teams(teams)
        constant = dict(
            start=device.asarray(to_words(spins, self.model.sites, vectors, lanes)),
            duration=device.asarray(until),
            passage=passage,
            end=end,
            lattices=self._words(allocated, self.lattice_words),
            scratches=self._words(allocated, self.scratch_words),
            vectors=vectors,
            threshold=device.asarray(table),
            edge=edge,
            **draws.arguments(),
        )
        self._launch_tasks(
            self.module,
            "evolve",
            tasks,
            teams,
            progress
            and (
                lambda done: progress(
                    min(count, done * 32 * lanes) if copies is None else done // vectors
                )
            ),
            **constant,
        )
        if passage is not None:
            passage = device.to_host(passage)[:, :count]
        if end is not None:
            end = from_words(device.to_host(end), self.model.sites, count)
        return passage, end

    def follow(self, spins, looks, field, draws: Draws, with_pairs, with_seen, progress):
        """Numbers of up spins and, if asked for, of ordered pairs of up neighbours, int64 (n, o),
        and packed configurations (n, o, bytes) at `looks`, o increasing MCS; and the last
        configurations, packed.
        """
        device, lanes, count, n = self.device, self.device.lanes, len(spins), self.model.sites
        vectors = -(-count // (32 * lanes))
        pair_bits = n.bit_length() + self.model.neighbours.bit_length()
        table, edge = self._acceptance(field)
        teams = self._teams(vectors)
        allocated = self._allocated_teams(teams)
        end = self._words(vectors, n)
        up = self._words(len(looks), vectors, n.bit_length())
        pairs = self._words(len(looks), vectors, pair_bits) if with_pairs else None
        seen = self._words(len(looks), vectors, n) if with_seen else None
        self._launch_tasks(
            self.paths,
            "follow",
            vectors,
            teams,
            progress and (lambda done: progress(min(count, done * 32 * lanes))),
            start=device.asarray(to_words(spins, n, vectors, lanes)),
            end=end,
            looks=device.asarray(looks, np.int32),
            look_count=len(looks),
            up=up,
            pairs=pairs,
            seen=seen,
            lattices=self._words(allocated, self.lattice_words),
            scratches=self._words(allocated, self.scratch_words),
            vectors=vectors,
            threshold=device.asarray(table),
            edge=edge,
            **draws.arguments(),
        )
        return (
            numbers_of(device.to_host(up), count),
            None if pairs is None else numbers_of(device.to_host(pairs), count),
            None
            if seen is None
            else np.stack([from_words(words, n, count) for words in device.to_host(seen)], 1),
            from_words(device.to_host(end), n, count),
        )

    def shoot(self, configurations, parent, low, high, limit, field, draws: Draws):
        """Trials from packed configurations (c, bytes), trial i from parent[i], until at most `low`
        spins are up or at least `high`: duration int32 (t,), MCS, negative where it ended at
        `high`, 0 where it lasted `limit` MCS; the lowest number of up spins, int32 (t,), and the
        last configuration, packed (t, bytes). Groups of trials take the units from draws.unit on.
        """
        device, trials = self.device, len(parent)
        words = min(GROUP // 32, -(-trials // 32))
        groups, vectors = -(-trials // TRIALS_OF_GROUP), -(-words // device.lanes)
        table, edge = self._acceptance(field)
        teams = self._teams(groups * vectors)
        allocated = self._allocated_teams(teams)
        duration, lowest = device.zeros(trials, np.int32), device.zeros(trials, np.int32)
        reached = device.zeros((trials, self.model.bytes), np.uint8)
        arguments = draws.arguments()
        arguments.pop("first_copy")
        self._launch_tasks(
            self.paths,
            "shoot",
            groups * vectors,
            teams,
            None,
            configurations=device.asarray(configurations, np.uint8),
            parent=device.asarray(parent, np.int32),
            duration=duration,
            lowest=lowest,
            reached=reached,
            trial=device.zeros((allocated, device.lanes, 32), np.int32),
            since=device.zeros((allocated, device.lanes, 32), np.int32),
            lattices=self._words(allocated, self.lattice_words),
            scratches=self._words(allocated, self.scratch_words),
            words_of_group=words,
            trials_of_group=TRIALS_OF_GROUP,
            trials=trials,
            low=low,
            high=high,
            limit=limit,
            threshold=device.asarray(table),
            edge=edge,
            **arguments,
        )
        return device.to_host(duration), device.to_host(lowest), device.to_host(reached)


def to_words(packed: np.ndarray, sites: int, vectors: int, lanes: int) -> np.ndarray:
    """Packed configurations (n, bytes) as words (vectors, sites, lanes): replica 32 w + b is bit b
    of word w.
    """
    width = 4 * lanes
    words = np.zeros((vectors, sites, width), np.uint8)
    for v in range(vectors):
        bits = np.unpackbits(packed[v * 8 * width : (v + 1) * 8 * width], axis=1, count=sites)
        rows = np.packbits(bits, axis=0, bitorder="little")
        words[v, :, : len(rows)] = rows.T
    return words.view("<u4")


def from_words(words: np.ndarray, sites: int, count: int) -> np.ndarray:
    """The inverse of to_words for `count` configurations."""
    rows = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), sites, -1)
    packed = [
        np.packbits(np.unpackbits(np.ascontiguousarray(r.T), axis=0, bitorder="little"), axis=1)
        for r in rows
    ]
    return np.concatenate(packed)[:count]


def numbers_of(planes: np.ndarray, count: int) -> np.ndarray:
    """Numbers in planes, uint32 (o, vectors, bits, lanes), of `count` replicas: int64 (count,
    o).
    """
    looks, _, bits, _ = planes.shape
    lanes_last = np.ascontiguousarray(planes.transpose(2, 0, 1, 3), "<u4")
    each = np.unpackbits(
        lanes_last.view(np.uint8).reshape(bits, looks, -1), axis=2, bitorder="little"
    )
    weights = 1 << np.arange(bits, dtype=np.int64)
    return np.tensordot(weights, each, 1).T[:count]
