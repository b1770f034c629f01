"""make bench, Cahn-Hilliard: cell-steps per second and time to equilibrium beside the peers', one
thread each, interleaved.

Peers: scipy.fft, the plain stabilised first-order step in float32 with all that does not change
precomputed (a peer that a physicist would write); exponax (PyPI), its ETDRK2 stepper in float32,
compiled, many steps a call. Ours are whole calls of CahnHilliard.run, from fields to Trajectory.
All run on one core: XLA takes every core it may use, and is kept to one.
"""

import math
import os
import statistics
import time
import warnings
from functools import cache

import numpy as np
import scipy.fft

from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.device import select

# shape, fields in the batch, step, goal against scipy.fft, goal against exponax
SYSTEMS = [
    ((64, 64), 64, 0.01, 12, 35),
    ((64, 64, 64), 1, 0.01, 3, None),
    ((128, 128, 128), 1, 0.01, 2, None),
    ((256, 256, 256), 1, 0.01, 2, None),
]
EQUILIBRIUM_GOAL = 100
TOLERANCE = 1e-4
FIRST_ORDER = (0.02, 0.01)  # steps whose error is measured
STEPS = (2.0, 1.0, 0.5, 0.25, 0.1)  # that exponax may take; each divides the looks


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


def gpu(device, seconds: float) -> list[dict]:
    """Cell-steps per second of second-order steps on a GPU and the share of what its memories could
    do, counted by hand.

    Fused, 64^2: a step loads and stores the field six times each in shared memory, 8 bytes of a
    pair: 48 bytes a cell; 128 bytes a clock and processor. 64^3 and 128^3 by cuFFT: two transforms
    of three passes, u^3 - u, and an update that reads four arrays and writes three: 84 bytes a cell
    of global memory.
    """
    rows = []
    shared = device.processors * 128 * device.clock / 48
    memory = device.memory_rate / 84
    for shape, count, what, limit in [
        ((64, 64), 4 * device.processors, "shared memory", shared),
        ((64,) * 3, 64, "global memory", memory),
        ((128,) * 3, 8, "global memory", memory),
    ]:
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


def energy_error(run, reference) -> float:
    """Largest relative error of F at a look, median over the fields: a few of them sit near a
    saddle, where no step agrees.
    """
    return float(np.median(np.abs(run.free_energy / reference.free_energy - 1).max(1)))


def time_to_equilibrium(rows: list[dict], count: int = 64) -> list[dict]:
    """Wall time of a 64^2 batch to its steady state, adaptive against fixed steps of the same error
    of F(t).

    Until tau = 100 the error of F of adaptive steps is measured against a run of 300 times the
    accuracy, and so are those of fixed first-order steps 0.02 and 0.01; the fixed step with the
    adaptive error follows (error ~ dt). exponax gets the longest step of STEPS whose error, against
    its own run of short steps (it drops half of the waves: another limit), is not above ours. The
    fixed schemes' time to the mean steady state is then steps times the measured time of a step:
    they are not run to the end, which would take the better part of an hour.
    """
    shape = (64, 64)
    start, looks = start_of(shape, count, seed=5), [2.0, 4.0, 10.0, 30.0, 100.0]
    model = CahnHilliard(shape, device=select("cpu", workers=1))
    double = CahnHilliard(shape, precision="float64", device=select("cpu", workers=1))
    reference = double.run(start, looks, tolerance=TOLERANCE / 300, steady_state=None)
    error = energy_error(model.run(start, looks, tolerance=TOLERANCE, steady_state=None), reference)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = model.run(start, [math.inf], tolerance=TOLERANCE, observe=False)
    ours = time.perf_counter() - begin
    until = float(np.nanmean(whole.steady_time))
    found = []
    rate = {(*r["shape"], r["peer"]): r["theirs"] for r in rows}
    own = next(r["ours"] for r in rows if r["shape"] == [64, 64])
    errors = [
        energy_error(
            model.run(start, looks, scheme="first_order", step=dt, steady_state=None), reference
        )
        for dt in FIRST_ORDER
    ]
    peers = [
        (
            "first-order fixed steps, ours",
            FIRST_ORDER[1] * error / errors[1],
            own,
            EQUILIBRIUM_GOAL,
        ),
        (
            "first-order fixed steps, scipy.fft",
            FIRST_ORDER[1] * error / errors[1],
            rate[64, 64, "scipy.fft"],
            None,
        ),
    ]
    if exponax():
        peers.append(
            (
                "exponax ETDRK2",
                longest_exponax_step(model, start, looks, error),
                rate[64, 64, "exponax"],
                None,
            )
        )
    for name, step, cells_a_second, goal in peers:
        seconds = until / step * start.size / cells_a_second
        found.append(
            {
                "peer": name,
                "error_of_F": error,
                "first_order_errors": errors,
                "step": step,
                "mean_steady_time": until,
                "ours_seconds": ours,
                "theirs_seconds": seconds,
                "ratio": seconds / ours,
                "goal": goal,
            }
        )
        print(
            f"to equilibrium (mean tau {until:.0f}), error of F {error:.1e}: adaptive {ours:.2f} s, {name} {seconds:.0f} s at "
            f"dt = {step:.2g}: ratio {seconds / ours:.0f}" + (f"   goal {goal}x" if goal else ""),
            flush=True,
        )
    return found


def longest_exponax_step(
    model: CahnHilliard, start: np.ndarray, looks: list[float], error: float
) -> float:
    limit = _exponax_energies(model, start, looks, 0.02)
    for step in STEPS:
        found = energy_error(_exponax_energies(model, start, looks, step), limit)
        print(f"    exponax at dt = {step}: error of F {found:.1e}", flush=True)
        if found <= error:  # a run that blew up has nan
            return step
    return STEPS[-1]


class _Energies:
    def __init__(self, free_energy):
        self.free_energy = free_energy


def _exponax_energies(
    model: CahnHilliard, start: np.ndarray, looks: list[float], step: float
) -> _Energies:
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
    u, now, energies = jax.numpy.asarray((2 * start - 1)[:, None]), 0.0, []
    for look in looks:
        u = jax.jit(jax.vmap(library.repeat(stepper, round((look - now) / step))))(u)
        now = look
        energies.append(sum(model.energies((np.asarray(u, np.float64)[:, 0] + 1) / 2)))
    return _Energies(np.stack(energies, 1))


def measure(rounds: int, seconds: float) -> dict:
    found = rates(rounds, seconds)
    return {"rates": found, "equilibrium": time_to_equilibrium(found)}


if __name__ == "__main__":
    measure(5, 1.5)
