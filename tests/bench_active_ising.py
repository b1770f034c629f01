"""make bench, Active Ising Model: time units and attempts per second beside the plain numba
version, one thread each, interleaved.

The peers: the standard random-sequential algorithm in numba as a physicist writes it (`plain`,
below: np.random, exp), which the goals are for, and as well as we could
(tests/reference/active_ising.py: flip probabilities looked up, a SplitMix64 of its own), more than
twice as fast. All start from all spins up and relax for RELAX time units, which are not timed: ours
takes one run of those and one of more, and counts the difference.
"""

import statistics
import time

import numpy as np
from numba import njit

from kernels.active_ising import ActiveIsing
from kernels.device import select
from tests.bench_cahn_hilliard import interleaved
from tests.reference.active_ising import Lattice

SIZE, DENSITY = 81, 3.0
SYSTEMS = [(0.25, 40), (0.55, 12), (0.95, 10)]  # temperature, goal of the ratio of time units
RELAX = 200.0
REPLICAS = 4050  # of the paper, on a GPU


class Ours:
    def __init__(
        self, temperature: float, algorithm: str, device, replicas: int = 1, relax: float = RELAX
    ):
        self.model = ActiveIsing(size=SIZE, algorithm=algorithm, device=device)
        self.temperature, self.relax, self.units = np.full(replicas, temperature), relax, relax / 10
        self.run()  # compiles

    def run(self, units: float = 0.0) -> tuple[float, int]:
        """Seconds and attempts of a run for `units` after the relaxation."""
        begin, replicas = time.perf_counter(), len(self.temperature)
        found = self.model.run(
            self.temperature,
            np.full(replicas, DENSITY),
            np.ones(replicas, int),
            [self.relax + units],
            seed=1,
            snapshots=[False],
        )
        return time.perf_counter() - begin, int(found.attempts.sum())

    def rates(self, seconds: float) -> tuple[float, float]:
        """Time units of all replicas and attempts, a second."""
        while True:
            relaxing = self.run()
            elapsed, attempts = (a - b for a, b in zip(self.run(self.units), relaxing, strict=True))
            if elapsed > 0.5 * seconds:
                return len(self.temperature) * self.units / elapsed, attempts / elapsed
            self.units *= 10 if elapsed <= 0 else min(10.0, max(1.5, seconds / elapsed))

    def rate(self, seconds: float) -> float:
        return self.rates(seconds)[0]


@njit(cache=True)
def plain(x, y, spin, n, m, beta, diffusion, self_propulsion, attempts):
    """`attempts` attempts on particles (N,) at x, y with spins +1 and -1; n, m (L, L): density and
    magnetization.
    """
    size, dt = len(n), 1 / (4 * diffusion + np.exp(beta))
    for _ in range(attempts):
        i = np.random.randint(len(x))  # noqa: NPY002  numba knows no Generator here
        a, b, s = x[i], y[i], spin[i]
        u = np.random.random() / dt  # noqa: NPY002
        if u < 4 * diffusion:
            n[a, b] -= 1
            m[a, b] -= s
            if u < diffusion * (1 + self_propulsion * s):
                a = (a + 1) % size
            elif u < 2 * diffusion:
                a = (a - 1) % size
            elif u < 3 * diffusion:
                b = (b + 1) % size
            else:
                b = (b - 1) % size
            x[i], y[i] = a, b
            n[a, b] += 1
            m[a, b] += s
        elif u < 4 * diffusion + np.exp(-s * beta * m[a, b] / n[a, b]):
            spin[i] = -s
            m[a, b] -= 2 * s


class Plain:
    def __init__(self, temperature: float):
        particles = round(DENSITY * SIZE**2)
        random = np.random.default_rng(1)
        x, y = random.integers(SIZE, size=(2, particles))
        n = np.zeros((SIZE, SIZE), np.int64)
        np.add.at(n, (x, y), 1)
        self.state = (x, y, np.ones(particles, np.int64), n, n.copy(), 1 / temperature, 1.0, 0.9)
        self.unit = round(particles * (4 + np.exp(1 / temperature)))
        plain(*self.state, round(RELAX / 4) * self.unit)

    def rate(self, seconds: float) -> float:
        """Time units a second."""
        units, begin = 0.0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            plain(*self.state, self.unit // 4)
            units += (self.unit // 4) / self.unit
        return units / elapsed


class Numba:
    def __init__(self, temperature: float):
        self.lattice = Lattice(SIZE, round(DENSITY * SIZE**2), temperature, start=1, seed=1)
        self.unit = self.lattice.attempts_until([1.0])[0]
        self.lattice.look([RELAX])

    def rate(self, seconds: float) -> float:
        """Time units a second."""
        units, begin = 0.0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            self.lattice.advance(self.unit // 4)
            units += (self.unit // 4) / self.unit
        return units / elapsed


def measure(rounds: int, seconds: float) -> list[dict]:
    rows, cpu = [], select("cpu", workers=1)
    for temperature, goal in SYSTEMS:
        algorithms = {
            name: Ours(temperature, name, cpu) for name in ("auto", "standard", "continuous_time")
        }
        peers = {"plain numba": Plain(temperature), "tuned numba": Numba(temperature)}
        samples = interleaved({**algorithms, **peers}, rounds, seconds)
        for name, ours in algorithms.items():
            attempts = (ours.run(100.0)[1] - ours.run()[1]) / 100
            for peer, theirs in peers.items():
                ratios = [a / b for a, b in zip(samples[name], samples[peer], strict=True)]
                rows.append(
                    {
                        "size": SIZE,
                        "density": DENSITY,
                        "temperature": temperature,
                        "algorithm": name,
                        "peer": peer,
                        "ours": statistics.median(samples[name]),
                        "theirs": statistics.median(samples[peer]),
                        "ours_attempts": statistics.median(samples[name]) * attempts,
                        "theirs_attempts": statistics.median(samples[peer]) * int(theirs.unit),
                        "ratio": statistics.median(ratios),
                        "ratio_min": min(ratios),
                        "ratio_max": max(ratios),
                        "goal": goal if name == "auto" and peer == "plain numba" else None,
                    }
                )
                print(row_text(rows[-1]), flush=True)
    return rows


def row_text(r: dict) -> str:
    return (
        f"T={r['temperature']} {r['algorithm']:<15} {r['ours']:7.0f} time units/s ({r['ours_attempts']:.3g} attempts/s)   {r['peer']} "
        f"{r['theirs']:5.1f} ({r['theirs_attempts']:.3g})   ratio {r['ratio']:5.1f}  ({r['ratio_min']:.1f} to {r['ratio_max']:.1f})"
        + (f"   goal {r['goal']}x" if r["goal"] else "")
    )


def gpu(device, seconds: float) -> list[dict]:
    """Attempts per second of all replicas at once, and the share of what shared memory could do.

    An attempt reads a particle and its site; a hop, 4 D N of which happen in a time unit whatever
    the algorithm, writes the particle and changes (reads and writes) two sites. 32 such accesses a
    clock and processor.
    """
    rows = []
    for temperature, _ in SYSTEMS:
        units, attempts = Ours(temperature, "auto", device, replicas=REPLICAS, relax=5.0).rates(
            seconds
        )
        accesses = 2 * attempts + 5 * 4 * round(DENSITY * SIZE**2) * units
        limit = attempts / accesses * device.processors * 32 * device.clock
        rows.append(
            {
                "size": SIZE,
                "density": DENSITY,
                "temperature": temperature,
                "replicas": REPLICAS,
                "time_units_per_second": units,
                "attempts_per_second": attempts,
                "limit": limit,
                "limited_by": "shared memory",
            }
        )
        print(
            f"T={temperature} x{REPLICAS} {units:7.0f} time units/s, {attempts:.3g} attempts/s, {attempts / limit:.0%} of the limit "
            f"{limit:.3g} of shared memory",
            flush=True,
        )
    return rows


if __name__ == "__main__":
    measure(5, 1.5)
