"""Kawasaki's exchanges against the exact chain of all states of one magnetization.

A state's exchanges cost the difference of two energies here, by the table of couplings; the kernel
counts neighbours. Replicas of a unit share the order of the bonds, so errors come from the scatter
between units, as in test_ising_dynamics.py.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import sparse

from kernels.ising import Ising
from tests.reference import ising as reference
from tests.test_ising_dynamics import REPLICAS, UNITS, deviation

TEMPERATURE = 1.8
SYSTEMS = {  # with how many spins up
    "nearest": (dict(size=4), 8),
    "nearest, 3 x 3": (dict(size=3), 4),
    "square": (dict(size=4, range=1, interaction="square"), 8),
    "nearest in 3D": (dict(size=3, dimensions=3), 3),
}


class Chain:
    """All states of `up` up spins: spins (n, N), energies (n,), and one attempt's P[from, to]."""

    def __init__(self, model, up):
        sites = model.sites
        table = (
            reference.couplings(model.size, model.interaction, model.range)
            if model.dimensions == 2
            else model.coupling_table()
        )
        places = np.array(list(itertools.product(range(model.size), repeat=model.dimensions)))
        between = (places[:, None] - places[None]) % model.size
        couplings = table[tuple(np.moveaxis(between, -1, 0))]
        chosen = list(itertools.combinations(range(sites), up))
        self.spins = np.full((len(chosen), sites), -1)
        self.spins[np.arange(len(chosen))[:, None], chosen] = 1
        self.energy = -0.5 * np.einsum("ni,ij,nj->n", self.spins, couplings, self.spins)
        powers = 1 << np.arange(sites, dtype=np.int64)
        codes = (self.spins > 0) @ powers
        order = np.argsort(codes)
        state, bonds = np.arange(len(chosen)), []
        for axis in range(model.dimensions):
            for site in places:
                beside = site.copy()
                beside[axis] = (beside[axis] + 1) % model.size
                bonds.append([np.ravel_multi_index(p, model.shape) for p in (site, beside)])
        self.attempt = sparse.csr_matrix((len(chosen),) * 2)
        for i, j in bonds:
            differ = self.spins[:, i] != self.spins[:, j]
            moved = codes ^ np.where(differ, powers[i] + powers[j], 0)
            to = order[np.searchsorted(codes, moved, sorter=order)]
            share = np.exp(-np.maximum(self.energy[to] - self.energy, 0) / TEMPERATURE) / len(bonds)
            self.attempt += sparse.coo_matrix((share, (state, to)), self.attempt.shape)
            self.attempt += sparse.diags(1 / len(bonds) - share)
        self.sites = sites

    def law(self, start, steps):
        """Of the states, `steps` MCS after the state `start`."""
        law = np.zeros(len(self.spins))
        law[start] = 1
        for _ in range(steps * self.sites):
            law = law @ self.attempt
        return law

    def boltzmann(self):
        weight = np.exp(-(self.energy - self.energy.min()) / TEMPERATURE)
        return weight / weight.sum()


@pytest.mark.parametrize("name", SYSTEMS)
def test_of_all_states(device, name):
    """Energy, its square and the overlap with the start after 1 and 3 MCS; then the Boltzmann law,
    which the chain keeps by detailed balance.
    """
    system, up = SYSTEMS[name]
    model = Ising(temperature=TEMPERATURE, dynamics="kawasaki", device=device, **system)
    chain = Chain(model, up)
    flow = sparse.diags(chain.boltzmann()) @ chain.attempt
    assert abs(flow - flow.T).max() < 1e-15
    start = 0  # the first spins up: a block
    spins = np.broadcast_to(chain.spins[start].reshape(model.shape), (REPLICAS, *model.shape))
    overlap = chain.spins @ chain.spins[start]
    runs = [
        model.run(model.pack(spins), [1, 3, 2000], unit=u, snapshots=True) for u in range(UNITS)
    ]
    for look, law in enumerate((chain.law(start, 1), chain.law(start, 3), chain.boltzmann())):
        energy = np.array([run.energy[:, look] * model.sites for run in runs])
        seen = np.array([model.unpack(run.snapshots[:, look]) for run in runs])
        assert (seen.reshape(UNITS, REPLICAS, -1).sum(2) == 2 * up - model.sites).all()
        overlaps = seen.reshape(UNITS, REPLICAS, -1) @ chain.spins[start]
        for found, exact in (
            (energy, chain.energy),
            (energy**2, chain.energy**2),
            (overlaps, overlap),
        ):
            assert abs(deviation(found.mean(1), law @ exact)) < 4.5
    frozen = math.isclose(chain.law(start, 1) @ chain.energy, chain.boltzmann() @ chain.energy)
    assert not frozen, "the first look would not tell the dynamics from its stationary law"


def test_a_complete_graph_exchanges_freely(device):
    """L = 2R + 1: every spin interacts equally with all others, so that all exchanges cost nothing
    and M alone remains; the law of the first row's spins is hypergeometric.
    """
    model = Ising(size=13, range=6, temperature=0.1, field=3.0, dynamics="kawasaki", device=device)
    spins = np.ones((REPLICAS, 13, 13), int)
    spins[:, :, :5] = -1
    ends = [
        model.unpack(model.evolve(model.pack(spins), 200, seed=2, unit=unit))
        for unit in range(UNITS)
    ]
    row = np.array([end[:, 0].sum(1) for end in ends])
    assert all((end.sum((1, 2)) == 3 * 13).all() for end in ends)
    # 104 of 169 up; 13 drawn
    p, n = 104 / 169, 13
    variance = 4 * n * p * (1 - p) * (169 - n) / 168
    assert abs(deviation(row.mean(1), n * (2 * p - 1))) < 4.5
    assert abs(deviation(((row - 3.0) ** 2).mean(1), variance)) < 4.5


def test_what_waits_for_m_is_refused(device):
    model = Ising(size=8, temperature=2.0, dynamics="kawasaki", device=device)
    with pytest.raises(ValueError, match="kawasaki"):
        model.nucleate(seed=1, units=[0], events=1)
    with pytest.raises(ValueError, match="kawasaki"):
        model.intervene(seed=1, unit=0, spins=model.pack(np.ones((8, 8))), duration=1, copies=1)
    with pytest.raises(ValueError, match="kawasaki"):
        model.shoot(model.pack(np.ones((1, 8, 8))), [0], low=3, high=60, seed=1)
    with pytest.raises(ValueError, match="kac"):
        Ising(size=8, temperature=2.0, interaction="kac", range=2, dynamics="kawasaki")
