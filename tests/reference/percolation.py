"""Clusters by brute force: an explicit list of active bonds, breadth-first search, sums over sites.

The stable direction is -1. A bond joins two interacting stable spins with probability 1 - exp(-2
J/T) (Coniglio-Klein) or 1 - exp(-4 J (1 - rho)/T), rho the fraction of stable spins
(density-corrected).
"""

from collections import deque

import numpy as np


def bond_probability(coupling, temperature, density=None):
    """Coniglio-Klein without `density`, density-corrected with it."""
    exponent = 2 * coupling if density is None else 4 * coupling * (1 - density)
    return -np.expm1(-exponent / temperature)


def candidate_bonds(spins, table):
    """All pairs i < j of stable spins that interact: site indices x L + y, int (k, 2), and
    couplings (k,).
    """
    size = len(spins)
    sites = np.flatnonzero(spins.ravel() < 0)
    x, y = np.divmod(sites, size)
    coupling = table[(x[:, None] - x) % size, (y[:, None] - y) % size]
    first, second = np.nonzero(np.triu(coupling, 1) > 0)
    return np.column_stack([sites[first], sites[second]]), coupling[first, second]


def label(spins, bonds):
    """Labels (L, L): the smallest site index of the cluster, -1 on metastable sites. bonds: (k, 2)
    site indices.
    """
    neighbours = {site: [] for site in np.flatnonzero(spins.ravel() < 0).tolist()}
    for i, j in np.asarray(bonds, int).reshape(-1, 2).tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    labels = np.full(spins.size, -1)
    for start in neighbours:  # ascending, so the first site met in a cluster is its smallest
        queue = deque([start] if labels[start] < 0 else [])
        while queue:
            site = queue.popleft()
            if labels[site] < 0:
                labels[site] = start
                queue.extend(neighbours[site])
    return labels.reshape(spins.shape)


def largest(labels):
    """Label and size of the largest cluster; ties go to the smallest label."""
    names, sizes = np.unique(labels[labels >= 0], return_counts=True)
    best = np.argmax(sizes)  # the first of the largest, and names ascend
    return names[best], sizes[best]


def centre(sites, size):
    """Centre of mass of sites (k, 2) on the torus: each way the angle of sum exp(2 pi i x/L) (Bai
    and Breen 2008).
    """
    angle = np.angle(np.exp(2j * np.pi * np.asarray(sites) / size).sum(axis=0))
    return angle * size / (2 * np.pi) % size


def radius_of_gyration(sites, size):
    """Root mean square distance of sites (k, 2) from their centre of mass, to the nearest image."""
    offset = np.asarray(sites) - centre(sites, size)
    offset -= size * np.round(offset / size)
    return np.sqrt(np.mean(np.sum(offset**2, axis=1)))
