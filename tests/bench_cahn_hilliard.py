"""make bench, Cahn-Hilliard: cell-steps per second and time to a converged fate beside the peers',
one thread each, interleaved.

Peers: scipy.fft, the plain stabilised first-order step in float32 with all that does not change
precomputed (a peer that a physicist would write); exponax (PyPI), its ETDRK2 stepper in float32,
compiled, many steps a call. Ours are whole calls of CahnHilliard.run, from fields to Trajectory.
All run on one core: XLA takes every core it may use, and is kept to one.
"""

import math
import os
import statistics
import time
from functools import cache

import numpy as np
import scipy.fft

from kernels.cahn_hilliard import TOLERANCE, CahnHilliard, mixtures
from kernels.device import select

# shape, fields in the batch, step, goal against scipy.fft, goal against exponax
SYSTEMS = [
    ((64, 64), 64, 0.01, 12, 35),
    ((64, 64, 64), 1, 0.01, 3, None),
    ((128, 128, 128), 1, 0.01, 2, None),
    ((256, 256, 256), 1, 0.01, 2, None),
]
FATE = 1000.0  # time
FIRST_ORDER = (0.2, 0.1, 0.05, 0.02, 0.01)  # steps that may get the right fates, longest first
STEPS = (1.0, 0.5, 0.25, 0.125, 0.0625)  # of exponax; the last is its own truth


def start_of(shape, count: int, seed: int = 1) -> np.ndarray:
    return mixtures(np.linspace(0.35, 0.65, count) if count > 1 else [0.5], 0.1, shape, seed)


class Ours:
    """Fixed first-order steps, the same arithmetic as the scipy.fft peer."""

    def __init__(self, shape, count: int, step: float):
        self.model, self.step = CahnHilliard(shape, device=select("cpu", workers=1)), step
        self.start, self.steps = start_of(shape, count), 200
        self.model.run(
            self.start, [step], scheme="first_order", step=step, steady_state=None, observe=False
        )  # compiles

    def rate(self, seconds: float) -> float:
        while True:
            begin = time.perf_counter()
            self.model.run(
                self.start,
                [self.steps * self.step],
                scheme="first_order",
                step=self.step,
                steady_state=None,
                observe=False,
            )
            elapsed = time.perf_counter() - begin
            if elapsed > 0.5 * seconds:
                return self.start.size * self.steps / elapsed
            self.steps = max(self.steps + 1, int(self.steps * min(10, seconds / elapsed)))


class ScipyFft:
    def __init__(self, shape, count: int, step: float):
        self.axes, self.shape = tuple(range(1, 1 + len(shape))), shape
        waves = [(2 * np.pi * np.fft.fftfreq(n)) ** 2 for n in shape]
        waves[-1] = waves[-1][: shape[-1] // 2 + 1]
        k2 = sum(np.ix_(*waves))
        self.keep = (1 / (1 + step * k2 * (k2 + 2))).astype(np.float32)
        self.gain = (step * k2 * self.keep).astype(np.float32)
        self.u = 2 * start_of(shape, count) - 1
        self.now = scipy.fft.rfftn(self.u, axes=self.axes, workers=1)

    def rate(self, seconds: float) -> float:
        steps, begin = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            nonlinear = scipy.fft.rfftn(
                self.u * (self.u * self.u - 3), axes=self.axes, workers=1, overwrite_x=True
            )
            self.now *= self.keep
            nonlinear *= self.gain
            self.now -= nonlinear
            self.u = scipy.fft.irfftn(self.now, s=self.shape, axes=self.axes, workers=1)
            steps += 1
        return self.u.size * steps / elapsed


@cache
def exponax():
    """(exponax, jax), or None where it is not installed; to be called before anything else starts
    XLA.
    """
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import exponax
        import jax
    except ImportError:
        return None
    return exponax, jax


class Exponax:
    CALL = 10  # steps a compiled call

    def __init__(self, shape, count: int, step: float):
        library, jax = exponax()
        stepper = library.stepper.reaction.CahnHilliard(
            len(shape),
            float(shape[0]),
            shape[0],
            step,
            diffusivity=1.0,
            gamma=1.0,
            first_order_coefficient=-1.0,
            third_order_coefficient=1.0,
            order=2,
        )
        many = library.repeat(stepper, self.CALL)
        self.advance = jax.jit(jax.vmap(many))
        self.u = jax.numpy.asarray((2 * start_of(shape, count) - 1)[:, None])
        self.u = self.advance(self.u).block_until_ready()

    def rate(self, seconds: float) -> float:
        steps, begin = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            self.u = self.advance(self.u).block_until_ready()
            steps += self.CALL
        return self.u.size * steps / elapsed


def interleaved(runners: dict, rounds: int, seconds: float) -> dict[str, list[float]]:
    samples = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            samples[name].append(runner.rate(seconds))
    return samples


def rates(rounds: int, seconds: float) -> list[dict]:
    rows = []
    for shape, count, step, *goals in SYSTEMS:
        runners = {"ours": Ours(shape, count, step), "scipy.fft": ScipyFft(shape, count, step)}
        if exponax():
            runners["exponax"] = Exponax(shape, count, step)
        else:
            print("exponax is not installed: its rows are left out")
        samples = interleaved(runners, rounds, seconds)
        for (name, theirs), goal in zip(
            [item for item in samples.items() if item[0] != "ours"], goals, strict=False
        ):
            ratios = [a / b for a, b in zip(samples["ours"], theirs, strict=True)]
            rows.append(
                {
                    "shape": list(shape),
                    "fields": count,
                    "peer": name,
                    "ours": statistics.median(samples["ours"]),
                    "theirs": statistics.median(theirs),
                    "ratio": statistics.median(ratios),
                    "ratio_min": min(ratios),
                    "ratio_max": max(ratios),
                    "goal": goal,
                }
            )
            r = rows[-1]
            print(
                f"{'x'.join(map(str, shape)):<11} x{count:<3} {r['ours']:9.3g} cell-steps/s   {name:10} {r['theirs']:9.3g}   "
                f"ratio {r['ratio']:6.1f}  ({r['ratio_min']:.1f} to {r['ratio_max']:.1f})"
                + (f"   goal {goal}x" if goal else ""),
                flush=True,
            )
    return rows


GPU_SYSTEMS = [((64, 64), 0), ((64,) * 3, 64), ((128,) * 3, 8)]  # fields; 0: four a processor


def gpu(device, seconds: float) -> list[dict]:
    """Cell-steps per second of second-order steps on a GPU and the share of what its memories could
    do, counted by hand.

    Fused, 64^2: a step loads and stores the field eight times each in shared memory, 4 bytes a
    cell: 64 bytes a cell; 128 bytes a clock and processor. 64^3 and 128^3 by cuFFT: two transforms
    of three passes, f'(u), and an update that reads four arrays and writes one: 76 bytes a cell of
    global memory.
    """
    rows = []
    shared = device.processors * 128 * device.clock / 64
    memory = device.memory_rate / 76
    for shape, count in GPU_SYSTEMS:
        what, limit = ("global memory", memory) if count else ("shared memory", shared)
        count = count or 4 * device.processors
        model, start, steps, elapsed = (
            CahnHilliard(shape, device=device),
            start_of(shape, count),
            20,
            0.0,
        )
        while elapsed < 0.5 * seconds:
            steps = int(steps * (2 if elapsed == 0 else min(10, 1 + seconds / elapsed)))
            begin = time.perf_counter()
            model.run(
                start,
                [steps * 0.01],
                scheme="second_order",
                step=0.01,
                steady_state=None,
                observe=False,
            )
            elapsed = time.perf_counter() - begin
        rate = start.size * steps / elapsed
        rows.append(
            {
                "shape": list(shape),
                "fields": count,
                "cell_steps_per_second": rate,
                "limit": limit,
                "limited_by": what,
            }
        )
        name = "x".join(map(str, shape))
        print(
            f"{name:<11} x{count:<5} {rate:9.3g} cell-steps/s, {rate / limit:.0%} of the limit {limit:.3g} of {what}",
            flush=True,
        )
    return rows


def wrong(fields: np.ndarray, expected: np.ndarray, model: CahnHilliard) -> tuple[int, int]:
    """How many fields have another free energy (1%), how many differ somewhere by more than 0.1."""
    energies = [sum(model.energies(c)) for c in (fields, expected)]
    with np.errstate(invalid="ignore"):
        energy = ~(np.abs(energies[0] / energies[1] - 1) <= 0.01)
        apart = ~(np.abs(fields - expected).reshape(len(fields), -1).max(1) <= 0.1)
    return int(energy.sum()), int(apart.sum())


def time_to_fate(rows: list[dict], count: int = 24) -> list[dict]:
    """Wall time of a 64^2 batch at c = 0.5 until t = FATE, where what becomes of nearly all of them
    is decided, with steps that get the right fates.

    Right: the free energy of all but at most one is within 1% of a run in float64 at a thousandth
    of our tolerance, and all but at most two differ from it nowhere by more than 0.1. Ours take the
    default tolerance. The peers get the longest of their steps that does as well: fixed first-order
    steps (ours), exponax's ETDRK2 against its own run at the shortest step (it drops a third of the
    waves: another limit). Theirs is steps times the measured time of a step.
    """
    start = mixtures([0.5] * count, 0.1, (64, 64), seed=5)
    model = CahnHilliard((64, 64), device=select("cpu", workers=1))
    double = CahnHilliard((64, 64), precision="float64", device=model.device)
    how = dict(steady_state=None, observe=False)
    expected = double.run(start, [FATE], tolerance=TOLERANCE / 1000, **how).fields[:, 0]
    began = time.perf_counter()
    run = model.run(start, [FATE], **how)
    ours = time.perf_counter() - began
    errors = wrong(run.fields[:, 0], expected, model)
    rests, units = [], []  # a unit: 2 000 first-order steps of the same batch
    for _ in range(3):
        began = time.perf_counter()
        whole = model.run(start, [math.inf], observe=False)
        rests.append(time.perf_counter() - began)
        began = time.perf_counter()
        model.run(start, [20.0], scheme="first_order", step=0.01, **how)
        units.append(time.perf_counter() - began)
    rest = statistics.median(rests)
    in_units = statistics.median(a / b for a, b in zip(rests, units, strict=True))
    own = next(r["ours"] for r in rows if r["shape"] == [64, 64])
    print(
        f"to a converged fate, {count} fields at t = {FATE:g}: ours {ours:.2f} s, {run.steps.mean():.0f} "
        f"steps a field, wrong {errors}; to rest {rest:.2f} s, {whole.steps.mean():.0f} steps: "
        f"{in_units:.1f} times 2 000 first-order steps of the same fields",
        flush=True,
    )
    found = [
        {
            "peer": None,
            "ours_seconds": ours,
            "steps": float(run.steps.mean()),
            "wrong": errors,
            "to_rest_seconds": rest,
            "to_rest_steps": float(whole.steps.mean()),
            "to_rest_units": in_units,
        }
    ]

    def first_order(step):
        return model.run(start, [FATE], scheme="first_order", step=step, **how).fields[:, 0]

    peers = [("first-order fixed steps, ours", first_order, expected, FIRST_ORDER, own)]
    if exponax():
        theirs = next(
            r["theirs"] for r in rows if r["peer"] == "exponax" and r["shape"] == [64, 64]
        )
        limit = exponax_fields(start, min(STEPS))
        run_theirs = lambda step: exponax_fields(start, step)  # noqa: E731
        peers.append(
            ("exponax ETDRK2", run_theirs, limit, sorted(STEPS[:-1], reverse=True), theirs)
        )
    for name, fields, truth, steps, cells_a_second in peers:
        step, bad = None, None
        for step in steps:
            bad = wrong(fields(step), truth, model)
            print(f"    {name} at dt = {step}: wrong {bad}", flush=True)
            if bad[0] <= 1 and bad[1] <= 2:
                break
        seconds = FATE / step * start.size / cells_a_second
        found.append(
            {
                "peer": name,
                "step": step,
                "wrong": bad,
                "theirs_seconds": seconds,
                "ratio": seconds / ours,
            }
        )
        print(
            f"    {name}: {seconds:.0f} s at dt = {step}, wrong {bad}: {seconds / ours:.0f} times ours",
            flush=True,
        )
    return found


def exponax_fields(start: np.ndarray, step: float) -> np.ndarray:
    """c at t = FATE."""
    library, jax = exponax()
    stepper = library.stepper.reaction.CahnHilliard(
        2,
        64.0,
        64,
        step,
        diffusivity=1.0,
        gamma=1.0,
        first_order_coefficient=-1.0,
        third_order_coefficient=1.0,
        order=2,
    )
    u = jax.numpy.asarray((2 * start - 1)[:, None])
    u = jax.jit(jax.vmap(library.repeat(stepper, round(FATE / step))))(u)
    return (np.asarray(u, np.float64)[:, 0] + 1) / 2


def measure(rounds: int, seconds: float) -> dict:
    found = rates(rounds, seconds)
    return {"rates": found, "fates": time_to_fate(found)}


if __name__ == "__main__":
    measure(5, 1.5)
