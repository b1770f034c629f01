"""The Active Ising Model the plain way: one attempt at a time, one event at a time, the master
equation, closed forms.

    a particle of spin s = +1, -1 at a site with magnetization m and rho particles, itself among
    them: flips at rate exp(-s m / (rho T)), hops to +x at D (1 + eps s), to -x at D (1 - eps s), to
    +y and to -y at D

on a periodic L x L lattice. Everywhere counts[x, y, k] is the number of particles of spin s = 2k -
1. Standard algorithm (Solon, Tailleur 2015): an attempt takes dt/N, dt = 1/(4D + exp(1/T)); it
picks a particle, which does one of the above with probability rate * dt, and nothing else. Its
chain has the stationary law of the rates, whatever dt is.
"""

import itertools

import numpy as np
from numba import njit
from scipy.linalg import expm
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu, spsolve
from scipy.special import gammaln, logsumexp

TABLED = (
    64  # flip probabilities of sites with fewer particles than this of either spin are looked up
)

GOLDEN, FIRST, SECOND = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
SHIFTS = tuple(map(np.uint64, (30, 27, 31)))


@njit(cache=True)
def splitmix(state):
    """The number that belongs to a state of SplitMix64 (Steele, Lea, Flood 2014), which advances by
    GOLDEN.
    """
    state = (state ^ (state >> SHIFTS[0])) * FIRST
    state = (state ^ (state >> SHIFTS[1])) * SECOND
    return state ^ (state >> SHIFTS[2])


@njit(cache=True)
def attempt(x, y, k, counts, flips, beta, diffusion, self_propulsion, dt, random, attempts):
    """`attempts` attempts on particles (n,) at x, y with spins 2k - 1; everything is changed in
    place.
    """
    size, state = len(counts), random[0]
    particles, hop = np.uint64(len(x)), diffusion * dt
    for _ in range(attempts):
        state += GOLDEN
        i = ((splitmix(state) >> np.uint64(32)) * particles) >> np.uint64(32)
        state += GOLDEN
        u = (splitmix(state) >> np.uint64(11)) * 2.0**-53
        px, py, pk = x[i], y[i], k[i]
        if u < 4 * hop:
            counts[px, py, pk] -= 1
            if u < hop * (1 + self_propulsion * (2 * pk - 1)):
                px = px + 1 if px < size - 1 else 0
            elif u < 2 * hop:
                px = px - 1 if px > 0 else size - 1
            elif u < 3 * hop:
                py = py + 1 if py < size - 1 else 0
            else:
                py = py - 1 if py > 0 else size - 1
            x[i], y[i] = px, py
            counts[px, py, pk] += 1
        else:
            same, other = counts[px, py, pk], counts[px, py, 1 - pk]
            flip = (
                flips[same, other]
                if same < TABLED and other < TABLED
                else np.exp(-beta * (same - other) / (same + other)) * dt
            )
            if u < 4 * hop + flip:
                counts[px, py, pk] -= 1
                counts[px, py, 1 - pk] += 1
                k[i] = 1 - pk
    random[0] = state


def at_random(size, particles, start, random):
    """Sites x, y uniform at random and k (n,), int32, of a start: +1, -1 (all spins that way) or 0
    (each at random).
    """
    x, y = random.integers(size, size=(2, particles), dtype=np.int32)
    return (
        x,
        y,
        random.integers(2, size=particles, dtype=np.int32)
        if start == 0
        else np.full(particles, (1 + start) // 2, np.int32),
    )


def count(size, x, y, k):
    counts = np.zeros((size, size, 2), np.int32)
    np.add.at(counts, (x, y, k), 1)
    return counts


class Lattice:
    """One system under the standard algorithm. `advance` attempts; `counts` (L, L, 2) is its state
    at any time.
    """

    def __init__(
        self, size, particles, temperature, start, seed, diffusion=1.0, self_propulsion=0.9
    ):
        random = np.random.default_rng(seed)
        self.x, self.y, self.k = at_random(size, particles, start, random)
        self.counts, self.random = (
            count(size, self.x, self.y, self.k),
            random.integers(2**63, size=1).astype(np.uint64),
        )
        self.dt = 1 / (4 * diffusion + np.exp(1 / temperature))
        same, other = np.ogrid[:TABLED, :TABLED]
        flips = np.exp(-(same - other) / np.maximum(same + other, 1) / temperature) * self.dt
        self.system = flips, 1 / temperature, float(diffusion), float(self_propulsion), self.dt

    def advance(self, attempts):
        attempt(self.x, self.y, self.k, self.counts, *self.system, self.random, attempts)

    def attempts_until(self, times):
        """Attempts, int (o,), of time units (o,)."""
        return np.rint(np.asarray(times) * len(self.x) / self.dt).astype(int)

    def look(self, times):
        """Copies of counts, (o, L, L, 2), at increasing times after now."""
        looks = []
        for attempts in np.diff(self.attempts_until(times), prepend=0):
            self.advance(attempts)
            looks.append(self.counts.copy())
        return np.array(looks)


def gillespie(
    size, particles, temperature, start, times, random, diffusion=1.0, self_propulsion=0.9
):
    """Counts (o, L, L, 2) at increasing times: exponential waiting times, events in proportion to
    their rates. Slow.
    """
    x, y, k = at_random(size, particles, start, random)
    counts, now, looks = count(size, x, y, k), 0.0, []
    while True:
        s, m, rho = 2 * k - 1, counts[x, y, 1] - counts[x, y, 0], counts[x, y].sum(1)
        ahead, along = diffusion * (1 + self_propulsion * s), np.full(particles, diffusion)
        rates = np.stack(
            [np.exp(-s * m / (rho * temperature)), ahead, 2 * diffusion - ahead, along, along]
        )
        now += random.exponential(1 / rates.sum())
        while now > times[len(looks)]:
            looks.append(counts.copy())
            if len(looks) == len(times):
                return np.array(looks)
        event, i = np.divmod(
            np.searchsorted(np.cumsum(rates), random.random() * rates.sum()), particles
        )
        counts[x[i], y[i], k[i]] -= 1
        if event == 0:
            k[i] = 1 - k[i]
        elif event <= 2:
            x[i] = (x[i] + (1 if event == 1 else -1)) % size
        else:
            y[i] = (y[i] + (1 if event == 3 else -1)) % size
        counts[x[i], y[i], k[i]] += 1


class MasterEquation:
    """All states of a few particles on a tiny lattice and their exact laws.

    states: counts, int (q, L, L, 2); generator: rates, sparse (q, q), from row to column; rows sum
    to 0. common: the part of them that is the same everywhere, hops and flips at exp(-1/T), the
    least that a flip has.
    """

    def __init__(self, size, particles, temperature, diffusion=1.0, self_propulsion=0.9):
        bins = 2 * size**2
        chosen = itertools.combinations_with_replacement(range(bins), particles)
        self.states = np.array([np.bincount(c, minlength=bins) for c in chosen]).reshape(
            -1, size, size, 2
        )
        self.weights = np.array(
            [(particles + 1) ** i for i in range(bins)]
        )  # a state as one number
        self.order = np.argsort(self.states.reshape(-1, bins) @ self.weights)
        self.numbers = (self.states.reshape(-1, bins) @ self.weights)[self.order]
        rows, columns, rates, common = [], [], [], []
        for q, state in enumerate(self.states):
            for x, y, k in np.argwhere(state):
                s, m, rho = 2 * k - 1, state[x, y, 1] - state[x, y, 0], state[x, y].sum()
                moves = [
                    ((x, y, 1 - k), np.exp(-s * m / (rho * temperature))),
                    ((x, (y + 1) % size, k), diffusion),
                    ((x, (y - 1) % size, k), diffusion),
                    (((x + 1) % size, y, k), diffusion * (1 + self_propulsion * s)),
                    (((x - 1) % size, y, k), diffusion * (1 - self_propulsion * s)),
                ]
                for to, rate in moves:
                    after = state.copy()
                    after[x, y, k] -= 1
                    after[to] += 1
                    rows += [q, q]
                    columns += [self.index(after), q]
                    rates += [state[x, y, k] * rate, -state[x, y, k] * rate]
                    least = state[x, y, k] * (np.exp(-1 / temperature) if to[2] != k else rate)
                    common += [least, -least]
        self.generator, self.common = (
            csr_array((r, (rows, columns)), shape=(len(self.states),) * 2) for r in (rates, common)
        )

    def index(self, counts):
        """Row of states (..., L, L, 2) in self.states, int (...)."""
        counts = np.asarray(counts)
        numbers = counts.reshape(*counts.shape[:-3], -1) @ self.weights
        return self.order[np.searchsorted(self.numbers, numbers)]

    def stationary(self):
        """The law (q,) that the rates leave as it is: its first state weighs 1, balance gives the
        others, and all sum to 1.
        """
        balance = self.generator.T.tocsc()
        weights = np.append(1.0, spsolve(balance[1:, 1:], -balance[1:, [0]].toarray()[:, 0]))
        return weights / weights.sum()

    def start(self, start):
        """Law (q,) at time 0: sites uniform at random, spins all `start`, or each at random (0)."""
        flat = self.states.reshape(len(self.states), -1, 2)
        ways = gammaln(flat.sum((1, 2)) + 1) - gammaln(flat + 1).sum((1, 2))
        law = np.exp(ways - flat.sum((1, 2)) * np.log(flat.shape[1] * (2 if start == 0 else 1)))
        return law if start == 0 else np.where(flat[:, :, (1 - start) // 2].sum(1) == 0, law, 0)

    def at(self, law, time):
        """The law (q,) after `time`."""
        return law @ expm(self.generator.toarray() * time)

    def after(self, law, attempts, temperature, diffusion=1.0):
        """The law (q,) after so many attempts of the standard algorithm."""
        particles = self.states[0].sum()
        step = eye_array(len(law)) + self.generator / (
            particles * (4 * diffusion + np.exp(1 / temperature))
        )
        for _ in range(attempts):
            law = law @ step
        return law

    def after_common(self, law, attempts):
        """The law (q,) just before the next of the common rates' events, after so many of them;
        other flips come between.

        Each state has the same sum of common rates, so that their events do not depend on it.
        """
        total = -self.common.diagonal().min()
        between = splu(
            eye_array(len(law)).tocsc() - (self.generator - self.common).T.tocsc() / total
        )
        for _ in range(attempts):
            law = between.solve(law)
            law = law + law @ self.common / total
        return between.solve(law)

    def gap(self):
        """Rate at which the slowest deviation from the stationary law decays."""
        return -np.sort(np.linalg.eigvals(self.generator.toarray()).real)[-2]


def site_law(particles, temperature):
    """P(n+), (n + 1,), of a site whose n particles never leave (D = 0): C(n, n+) exp(m^2 / (2 n
    T)), m = 2 n+ - n.
    """
    up = np.arange(particles + 1)
    log_weight = (
        -gammaln(up + 1)
        - gammaln(particles - up + 1)
        + (2 * up - particles) ** 2 / (2 * particles * temperature)
    )
    return np.exp(log_weight - logsumexp(log_weight))


def scattering(k, time, flip=1.0, diffusion=1.0, self_propulsion=0.9):
    """<exp(i k (x(t) - x(0)))> of a particle that flips at a constant rate, from either spin alike.

    flip: 1 at infinite temperature, exp(-1/T) alone on its lattice. Spins s = -1, +1 carry the wave
    at the rates 2D (cos k - 1) + 2 i D eps s sin k, and exchange at the flip rate. Along y:
    self_propulsion = 0.
    """
    carried = 2 * diffusion * (np.cos(k) - 1) + 2j * diffusion * self_propulsion * np.array(
        [-1, 1]
    ) * np.sin(k)
    return expm((np.diag(carried - flip) + flip * (1 - np.eye(2))) * time).sum().real / 2


def diffusion_constants(diffusion=1.0, self_propulsion=0.9, flip=1.0):
    """D_x, D_y of a particle that flips at a constant rate.

    Its velocity is 2 D eps s and <s(0) s(t)> = exp(-2 flip t), so that the integral of <v v> is (2
    D eps)^2 / (2 flip).
    """
    return diffusion + (2 * diffusion * self_propulsion) ** 2 / (2 * flip), diffusion
