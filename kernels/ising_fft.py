"""Ising model with any coupling J(r): disk, Kac exponential, power law, and others as a check.

Equation     H = -1/2 sum_{i != j} J(r_ij) s_i s_j - h sum_i s_i on a periodic L x L lattice
             (minimum images)
Symbols      local field f_i = sum_j J(r_ij) s_j, the convolution J * s, by FFT (cupy.fft on a GPU,
             scipy.fft on a CPU)
Couplings    disk: equal within r <= R; kac: exp(-r / R); power_law: r^-exponent; all scaled to
             sum_r J(r) = 4
Update rule  as in ising.py, in true random-site order, exact by construction: no two spins flip at
             once.
             A flip adds -2 s J(r) to the fields of the sites in reach (ising_fft.cu), so a costly
             FFT is needed only at the start
Exactness    J and h are rounded to multiples of QUANTUM = 2^-26 (1.5e-8 where sum J = 4): fields
             are integers, the FFT's result is rounded to them, and they never drift; every machine
             gives the same bytes
Source       Kac, Uhlenbeck, Hemmer, J. Math. Phys. 4, 216 (1963), for the exponential; the rule as
             in ising.py

`kernels.ising.Ising(interaction="kac", ...)` is the way in; `local_fields` and `energy` serve any
coupling table.
"""

import time
from functools import partial

import numpy as np
import scipy.fft

from kernels.device import launch_tasks, next_launch
from kernels.ising_events import NucleationEvents, check_lifetimes
from kernels.streams import STREAMS, Draws, seed_words

QUANTUM = 2.0**-26
SLICE = 1024  # configurations held with their fields at once


def quanta(energy) -> np.ndarray:
    return np.rint(np.asarray(energy) / QUANTUM).astype(np.int64)


def local_fields(spins: np.ndarray, coupling_table: np.ndarray, device) -> np.ndarray:
    """f_i = sum_j J(r_i - r_j) s_j by FFT. spins (..., *shape); coupling_table float64 (*shape), J
    by displacement (energy).

    Returns float64 (..., *shape), energy; exact multiples of QUANTUM for J rounded to it.
    """
    return to_fields(device, spins, coupling_table) * QUANTUM


def energy(spins: np.ndarray, coupling_table: np.ndarray, field: float, device) -> np.ndarray:
    """H of configurations (..., *shape), energy, float64 (...): -1/2 sum_i s_i f_i - h sum_i
    s_i.
    """
    fields, axes = local_fields(spins, coupling_table, device), axes_of(coupling_table)
    return -0.5 * np.sum(fields * spins, axis=axes) - field * np.sum(spins, axis=axes)


def axes_of(coupling_table: np.ndarray) -> tuple[int, ...]:
    """Those of a lattice, its last ones."""
    return tuple(range(-coupling_table.ndim, 0))


def to_fields(device, spins: np.ndarray, coupling_table: np.ndarray) -> np.ndarray:
    """Local fields in quanta, int64 (..., *shape), on the host."""
    over = dict(axes=axes_of(coupling_table))
    back = dict(s=coupling_table.shape, **over)
    table = quanta(coupling_table).astype(np.float64)
    if device.kind == "gpu":
        cupy = device.cupy
        product = cupy.fft.rfftn(cupy.asarray(spins, np.float64), **over) * cupy.fft.rfftn(
            cupy.asarray(table), **over
        )
        return cupy.asnumpy(cupy.rint(cupy.fft.irfftn(product, **back))).astype(np.int64)
    product = scipy.fft.rfftn(
        spins.astype(np.float64), workers=device.workers, **over
    ) * scipy.fft.rfftn(table, **over)
    return np.rint(scipy.fft.irfftn(product, workers=device.workers, **back)).astype(np.int64)


class ConvolutionLattices:
    """Replicas with any coupling, one a block (ising_fft.cu); the same methods as
    BitSlicedLattices.
    """

    def __init__(self, model):
        self.model, self.device = model, model.device
        self.threads = 128  # of a GPU block: the attempts it looks ahead
        self.module = self.device.module(
            "ising_fft.cu",
            dict(
                SIZE=model.size,
                HEAT_BATH=int(model.dynamics == "heat_bath"),
                THREADS=self.threads,
            ),
        )
        self.table = model.coupling_table()
        table = quanta(self.table)
        size, asarray = model.size, self.device.asarray
        distance = np.minimum(np.arange(size), size - np.arange(size))
        reach = np.where(table != 0, distance, -1).max(1)
        rows = np.flatnonzero(reach >= 0)
        powers = 256.0 ** np.arange(4)[:, None] * np.arange(256) * QUANTUM / model.temperature
        self.interaction = dict(
            table=asarray(np.concatenate([table, table], 1), np.int32),
            rows=asarray(rows, np.int32),
            half_width=asarray(reach, np.int32),
            row_count=len(rows),
            factor=asarray(np.rint(np.exp(-powers) * 2.0**31), np.uint32),
        )
        self.places = (
            8 * self.device.workers if self.device.kind == "cpu" else 8 * self.device.processors
        )

    def _launch(self, kernel: str, blocks: int, **arguments) -> None:
        self.module.launch(kernel, blocks, threads=self.threads, **arguments)
        self.device.synchronize()

    def nucleate(self, seed, units, events, history, equilibration, max_lifetime, progress):
        device, model, n = self.device, self.model, self.model.sites
        todo = [(u, e) for u in range(len(units)) for e in range(events)]
        places = min(self.places, len(todo))
        event, unit, times = np.full(places, -1), np.zeros(places, int), np.zeros(places, int)
        held = [None] * places
        spins, local = device.zeros((places, n), np.int8), device.zeros((places, n), np.int32)
        frames = device.zeros((places, history + 1, n), np.int8)
        lifetime = np.zeros((len(units), events), np.int32)
        record = np.zeros((len(units), events, history + 1, (n + 7) // 8), np.uint8)
        field_all_up, done, steps = int(quanta(self.table).sum()), 0, 1
        while done < len(units) * events:
            for p in np.flatnonzero(event < 0):  # places free for another event
                if todo:
                    held[p] = todo.pop(0)
                    event[p], unit[p], times[p] = held[p][1], units[held[p][0]], 0
                    spins[p], local[p], frames[p] = 1, field_all_up, 0
            start, times_array = time.monotonic(), device.asarray(times, np.int32)
            self._launch(
                "nucleate",
                places,
                spins=spins,
                local=local,
                frames=frames,
                event=device.asarray(event, np.int32),
                times=times_array,
                steps=steps,
                equilibration=equilibration,
                history=history,
                **self.interaction,
                field=quanta(abs(model.field)),
                **seed_words(seed),
                units=device.asarray(unit, np.uint32),
                stream_id=STREAMS["nucleation"],
            )
            steps = next_launch(steps, time.monotonic() - start)
            times = device.to_host(times_array).astype(int)
            for p in np.flatnonzero((event >= 0) & (times < 0)):
                u, e = held[p]
                lifetime[u, e] = -times[p] - equilibration
                order = (-times[p] + 1 + np.arange(history + 1)) % (history + 1)
                record[u, e] = np.packbits(device.to_host(frames[p])[order] > 0, axis=1)
                event[p] = -1
                done += 1
            if progress:
                progress(done)
            check_lifetimes(np.where(event >= 0, times - equilibration, 0), max_lifetime)
        check_lifetimes(lifetime, max_lifetime)
        return [NucleationEvents(lifetime[u], record[u]) for u in range(len(units))]

    def evolve(self, spins, duration, field, draws: Draws, copies, progress):
        parts = []
        for first in range(0, len(spins), SLICE):  # fields take 32 times the memory of packed spins
            part = slice(first, first + SLICE)
            share = min(SLICE, len(spins) - first)
            heard = progress and partial(self._progress, progress, first, share, len(spins), copies)
            parts.append(
                self._evolve(spins[part], duration[part], field, draws, first, copies, heard)
            )
        passage, end = zip(*parts, strict=True)
        return (None, np.concatenate(end)) if copies is None else (np.concatenate(passage, 1), None)

    @staticmethod
    def _progress(progress, first, share, total, copies, done):
        """done: copies of a share of the replicas from `first` on, or, without copies, replicas."""
        progress(first + done if copies is None else (first * copies + done * share) // total)

    def _evolve(self, spins, duration, field, draws: Draws, first_replica, copies, progress):
        device, model, count, n = self.device, self.model, len(spins), self.model.sites
        start_spins = model.unpack(spins)
        parts = (
            to_fields(device, start_spins[k : k + 64], self.table).astype(np.int32)
            for k in range(0, count, 64)
        )
        start_local = np.concatenate(list(parts))
        passage = end = None
        if copies is None:
            end = device.zeros((count, n), np.int8)
        else:
            passage = device.asarray(np.full((copies, count), -1, np.int32))
        tasks = count * (copies or 1)
        blocks = min(tasks, device.workers if device.kind == "cpu" else self.places)
        constant = dict(
            start=device.asarray(start_spins.reshape(count, n)),
            start_local=device.asarray(start_local.reshape(count, n), np.int32),
            duration=device.asarray(duration, np.int32),
            passage=passage,
            end=end,
            spins=device.zeros((blocks, n), np.int8),
            local=device.zeros((blocks, n), np.int32),
            replicas=count,
            first_replica=first_replica,
            **self.interaction,
            field=quanta(field),
            **draws.arguments(),
        )
        launch_tasks(
            tasks,
            self.places,
            blocks,
            lambda first, last: self._launch(
                "evolve",
                min(blocks, last - first),
                **constant,
                next_task=device.asarray([first], np.int32),
                last_task=last,
            ),
            progress and (lambda done: progress(done if copies is None else done // count)),
        )
        return (
            None if passage is None else device.to_host(passage),
            None if end is None else np.packbits(device.to_host(end) > 0, axis=1),
        )
