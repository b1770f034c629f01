"""Exact results: Onsager, Kaufman's finite torus, enumeration of small tori, mean field. J = 1
nearest, k_B = 1.
"""

import itertools

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

ONSAGER_TEMPERATURE = 2 / np.log(1 + np.sqrt(2))  # Tc = 2.269185


def onsager_magnetization(temperature):
    """Spontaneous m of the infinite lattice, (1 - sinh(2/T)^-4)^(1/8) below Tc and 0 above (Yang
    1952).
    """
    if temperature >= ONSAGER_TEMPERATURE:
        return 0.0
    return (1 - np.sinh(2 / temperature) ** -4) ** 0.125


def kaufman(rows, columns, temperature):
    """ln Z and mean energy a site of the rows x columns torus at zero field (Kaufman 1949).

        Z = (2 sinh 2K)^(nm/2) / 2 [prod 2 cosh(m g_(2r+1)/2) + prod 2 sinh(m g_(2r+1)/2)
                                    + prod 2 cosh(m g_(2r)/2) + prod 2 sinh(m g_(2r)/2)],  r = 0 ..
                                    n-1, K = 1/T,
        cosh g_l = sinh 2K + 1/sinh 2K - cos(pi l/n),      g_0 = 2K + ln tanh K  (negative above
        Tc).

    Products are sums of logarithms. The factor sinh(m g_0/2), which vanishes at Tc while its
    derivative does not, is kept apart. The energy is -d ln Z/dK, differentiated by hand.
    """
    n, m, coupling = rows, columns, 1 / temperature
    sinh, cosh = np.sinh(2 * coupling), np.cosh(2 * coupling)
    waves = np.arange(1, 2 * n)
    # cosh g - 1 without cancellation, and d(cosh g)/dK, the same for all waves.
    excess = (sinh - 1) ** 2 / sinh + 2 * np.sin(np.pi * waves / (2 * n)) ** 2
    gamma = np.log1p(excess + np.sqrt(excess * (excess + 2)))
    slope = 2 * cosh * (1 - 1 / sinh**2) / np.sqrt(excess * (excess + 2))
    gamma0 = 2 * coupling + np.log(np.tanh(coupling))
    slope0 = 2 + 2 / sinh

    odd, even = slice(0, None, 2), slice(1, None, 2)  # waves 1, 3, .. and 2, 4, ..
    log_cosh = np.abs(m * gamma / 2) + np.log1p(np.exp(-m * gamma))
    log_sinh = m * gamma / 2 + np.log1p(-np.exp(-m * gamma))
    d_cosh = m / 2 * slope * np.tanh(m * gamma / 2)
    d_sinh = m / 2 * slope / np.tanh(m * gamma / 2)

    half = m * gamma0 / 2
    log_scale0 = np.abs(half)
    cosh0 = 1 + np.exp(-2 * np.abs(half))  # 2 cosh(half) exp(-|half|)
    sinh0 = np.sign(half) * -np.expm1(-2 * np.abs(half))
    # Each term: logarithm of a positive scale, value over scale, derivative over scale.
    logs = np.array(
        [
            log_cosh[odd].sum(),
            log_sinh[odd].sum(),
            log_cosh[even].sum() + log_scale0,
            log_sinh[even].sum() + log_scale0,
        ]
    )
    values = np.array([1, 1, cosh0, sinh0])
    derivatives = np.array(
        [
            d_cosh[odd].sum(),
            d_sinh[odd].sum(),
            d_cosh[even].sum() * cosh0 + m / 2 * slope0 * sinh0,
            d_sinh[even].sum() * sinh0 + m / 2 * slope0 * cosh0,
        ]
    )
    weights = np.exp(logs - logs.max())
    total = (weights * values).sum()
    log_prefactor = (
        n * m / 2 * (2 * coupling + np.log1p(-np.exp(-4 * coupling)))
    )  # (2 sinh 2K)^(nm/2)
    log_z = log_prefactor - np.log(2) + logs.max() + np.log(total)
    derivative = n * m * cosh / sinh + (weights * derivatives).sum() / total
    return log_z, -derivative / (n * m)


def enumerate_states(table):
    """Total spin M and zero-field energy E of all 2^N states on the torus of a couplings table (L,
    L), L <= 4.
    """
    size = len(table)
    sites = np.arange(size * size)
    x, y = np.divmod(sites, size)
    pairs = table[(x[:, None] - x) % size, (y[:, None] - y) % size]
    states = 1 - 2.0 * ((np.arange(2**sites.size)[:, None] >> sites) & 1)
    return states.sum(1).astype(int), -0.5 * np.sum(states @ pairs * states, axis=1)


def distribution(table, temperature, field=0.0):
    """The canonical law of (M, E) on a small torus, E without the field term.

    Returns levels (k, 2), the distinct (M, E), and their probabilities (k,).
    """
    spin, energy = enumerate_states(table)
    log_weight = -(energy - field * spin) / temperature
    weight = np.exp(log_weight - logsumexp(log_weight))
    levels, index = np.unique(
        np.column_stack([spin, np.round(energy, 6)]), axis=0, return_inverse=True
    )
    return levels, np.bincount(index.ravel(), weight)


def averages(table, temperature, field=0.0):
    """Exact <m>, <|m|> and the energy a site, field term included, on a small torus."""
    levels, probability = distribution(table, temperature, field)
    sites = table.size
    spin, energy = levels.T
    return tuple(
        probability @ quantity / sites for quantity in (spin, np.abs(spin), energy - field * spin)
    )


def complete_graph(sites, temperature, field=0.0):
    """The law of M when every pair interacts with J = 4/(N-1): square range R on its smallest
    torus, L = 2R + 1.

    Returns M (N+1,) = N, N-2, .. -N and its probabilities: binomial(N, down) exp((J (M^2 - N)/2 + h
    M)/T).
    """
    down = np.arange(sites + 1)
    spin = sites - 2 * down
    log_weight = gammaln(sites + 1) - gammaln(down + 1) - gammaln(sites - down + 1)
    log_weight += (2 / (sites - 1) * (spin.astype(float) ** 2 - sites) + field * spin) / temperature
    return spin, np.exp(log_weight - logsumexp(log_weight))


def spinodal(temperature, critical_temperature=4.0):
    """Mean-field m_s = sqrt(1 - T/Tc) and h_s = Tc m_s - T atanh(m_s); there is a metastable state
    for |h| < h_s.
    """
    spin = np.sqrt(1 - temperature / critical_temperature)
    return spin, critical_temperature * spin - temperature * np.arctanh(spin)


def mean_field(temperature, field, critical_temperature=4.0):
    """All roots of m = tanh((Tc m + h)/T), ascending: one, or three (the middle one unstable)
    inside the spinodal.
    """

    def residual(m):
        return np.tanh((critical_temperature * m + field) / temperature) - m

    ends = [-1.0, 1.0]
    if temperature < critical_temperature:
        # residual' = 0 where 1 - tanh^2 = T/Tc: between those two points and the ends it is
        # monotonic.
        turn = np.sqrt(1 - temperature / critical_temperature)
        turns = (temperature * np.arctanh(np.array([-turn, turn])) - field) / critical_temperature
        ends = [-1.0, *turns[np.abs(turns) < 1], 1.0]
    roots = []
    for left, right in itertools.pairwise(ends):
        if residual(left) * residual(right) < 0:
            roots.append(brentq(residual, left, right, xtol=1e-14))
    return np.array(roots)


def mean_first_passage(size, temperature, field):
    """Mean MCS, N attempts at random sites, from all up to m <= 0 seen after an MCS, nearest
    neighbours, Metropolis, in the signed `field`; exact, of all 2^N states by their orbits under
    translations, rotations and reflections. For 3 x 3 and 4 x 4 sites.
    """
    sites = size * size
    grid = np.arange(sites).reshape(size, size)
    images = [
        np.roll(turned, (dx, dy), (0, 1)).ravel()
        for reflected in (grid, grid[::-1])
        for turned in (np.rot90(reflected, k) for k in range(4))
        for dx in range(size)
        for dy in range(size)
    ]
    states = np.arange(1 << sites)
    up = (states[:, None] >> np.arange(sites) & 1).astype(np.int64)
    orbit = np.full(1 << sites, 1 << sites)
    for image in images:
        orbit = np.minimum(orbit, up[:, image] @ (1 << np.arange(sites)))
    representative, orbit = np.unique(orbit, return_inverse=True)
    spins = 2 * up[representative] - 1
    table = np.zeros((sites, sites))
    for axis in (0, 1):
        for way in (-1, 1):
            np.add.at(table, (grid.ravel(), np.roll(grid, way, axis).ravel()), 1)
    change = 2 * spins * (spins @ table + field)
    attempt = np.zeros((len(representative),) * 2)
    for site in range(sites):
        flip = np.exp(-np.maximum(change[:, site], 0) / temperature) / sites
        rows = np.arange(len(representative))
        np.add.at(attempt, (rows, orbit[representative ^ 1 << site]), flip)
        attempt[rows, rows] += 1 / sites - flip
    metastable = spins.sum(1) > 0
    step = np.linalg.matrix_power(attempt, sites)[np.ix_(metastable, metastable)]
    times = np.linalg.solve(np.eye(len(step)) - step, np.ones(len(step)))
    return times[np.flatnonzero(np.flatnonzero(metastable) == orbit[-1])[0]]
