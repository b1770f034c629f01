"""Clusters of the percolation kernel against brute force, and the frequencies of its bonds."""

import numpy as np
import pytest
from scipy import stats

from kernels import percolation
from tests.reference import ising as reference
from tests.reference import percolation as brute

ALL, NONE = 1e-3, 1e30  # temperatures at which every bond is active, and none


def clusters(device, spins, table, temperature, bonds="coniglio_klein", seed=31, **more):
    return percolation.clusters(
        reference.pack(spins),
        coupling_table=table,
        temperature=temperature,
        bonds=bonds,
        seed=seed,
        index=np.arange(len(spins), dtype=np.uint64),
        device=device,
        **{"labels": True, **more},
    )


def check(found, spins, labels, i, name):
    """Configuration i of the kernel's result against brute-force labels (L, L)."""
    size = len(spins)
    label, count = brute.largest(labels)
    members = np.argwhere(labels == label)
    assert np.array_equal(found.labels[i], labels), name
    assert (found.label[i], found.size[i]) == (label, count), name
    # Where the sum of exp(2 pi i x/L) vanishes (a cluster around the whole torus) the centre is not
    # defined.
    if np.all(np.abs(np.exp(2j * np.pi * members / size).mean(axis=0)) > 1e-6):
        offset = found.centre[i] - brute.centre(members, size)
        assert np.abs(offset - size * np.round(offset / size)) == pytest.approx([0, 0], abs=1e-6), (
            name
        )
        assert found.radius_of_gyration[i] == pytest.approx(
            brute.radius_of_gyration(members, size), abs=1e-6
        ), name
    assert np.all((found.centre[i] >= 0) & (found.centre[i] <= size)), name  # L is 0, to rounding


SYSTEMS = [
    ("nearest", 1, 6),
    ("nearest", 1, 10),
    ("square", 1, 8),
    ("square", 3, 30),
    ("square", 2, 5),
    ("disk", 2, 9),
]


@pytest.mark.parametrize(("interaction", "range", "size"), SYSTEMS)
@pytest.mark.parametrize("temperature", [ALL, NONE])
def test_all_and_no_bonds(device, interaction, range, size, temperature):
    """Random configurations of several densities, bonds of probability 1 and 0: everything exact.
    Seed 31.
    """
    random = np.random.default_rng(31)
    table = reference.couplings(size, interaction, range)
    density = np.repeat([0.02, 0.1, 0.3, 0.6], 5)
    spins = np.where(random.random((20, size, size)) < density[:, None, None], -1, 1)
    spins[:, size // 2, size - 1] = -1  # at least one stable spin each
    found = clusters(device, spins, table, temperature)
    for i, each in enumerate(spins):
        bonds = brute.candidate_bonds(each, table)[0] if temperature == ALL else []
        check(found, each, brute.label(each, bonds), i, f"configuration {i}")


def hand_made(size):
    """Shapes on a size x size torus that bonds of probability 1 between nearest neighbours turn
    into clusters.
    """

    def torus(*sites):
        spins = np.ones((size, size), int)
        for x, y in sites:
            spins[x % size, y % size] = -1
        return spins

    return {
        "one site": torus((3, 4)),
        "line through the edge in y": torus((5, -2), (5, -1), (5, 0), (5, 1)),
        "line through the edge in x": torus((-2, 5), (-1, 5), (0, 5)),
        "block around the corner": torus(*[(x, y) for x in (-2, -1, 0, 1) for y in (-1, 0, 1)]),
        "tie of two pairs": torus((6, 6), (6, 7), (2, 2), (3, 2)),
        "tie through the edge": torus((4, 4), (4, 5), (0, 3), (-1, 3)),
        "ring around the torus": torus(*[(4, y) for y in np.arange(size)]),
        "spiral": torus(
            (1, 1), (1, 2), (1, 3), (1, 4), (2, 4), (3, 4), (4, 4), (4, 3), (4, 2), (3, 2)
        ),
        "comb": torus(
            *[(0, y) for y in np.arange(size - 1)],
            *[(x, y) for x in (1, 2) for y in np.arange(0, 8, 2)],
        ),
        "all stable": torus(*[(x, y) for x in np.arange(size) for y in np.arange(size)]),
    }


def test_hand_made_clusters(device):
    shapes = hand_made(9)
    spins = np.array(list(shapes.values()))
    table = reference.couplings(9, "nearest")
    found = clusters(device, spins, table, ALL)
    for i, name in enumerate(shapes):
        check(
            found,
            spins[i],
            brute.label(spins[i], brute.candidate_bonds(spins[i], table)[0]),
            i,
            name,
        )
    named = {name: i for i, name in enumerate(shapes)}
    assert found.label[named["tie of two pairs"]] == 2 * 9 + 2
    assert found.label[named["tie through the edge"]] == 3
    block = named["block around the corner"]
    offset = found.centre[block] - [8.5, 0]
    assert offset - 9 * np.round(offset / 9) == pytest.approx([0, 0], abs=1e-6)
    assert found.radius_of_gyration[block] == pytest.approx(np.sqrt(5 / 4 + 2 / 3))
    assert found.size[named["all stable"]] == 81
    assert found.label[named["all stable"]] == 0


def test_labels_are_optional_and_do_not_change_the_rest(device):
    spins = np.where(np.random.default_rng(32).random((7, 12, 12)) < 0.4, -1, 1)
    table = reference.couplings(12, "square", 2)
    full, short = (clusters(device, spins, table, 2.0, labels=labels) for labels in (True, False))
    assert short.labels is None
    for name in ("size", "label", "centre", "radius_of_gyration"):
        assert np.array_equal(getattr(full, name), getattr(short, name))


def test_centres_are_optional_and_do_not_change_the_rest(device):
    spins = np.where(np.random.default_rng(32).random((7, 12, 12)) < 0.4, -1, 1)
    spins[3] = 1
    table = reference.couplings(12, "square", 2)
    full = clusters(device, spins, table, 2.0)
    short = clusters(device, spins, table, 2.0, centres=False)
    for name in ("size", "label", "labels"):
        assert np.array_equal(getattr(full, name), getattr(short, name))
    assert np.isnan(short.centre).all()
    assert np.isnan(short.radius_of_gyration).all()


def test_clusters_belong_to_the_index_not_to_the_batch(device):
    """A configuration's bonds are a function of (seed, index): the same alone, and others under
    another seed.
    """
    spins = np.where(np.random.default_rng(33).random((9, 12, 12)) < 0.5, -1, 1)
    table = reference.couplings(12, "square", 2)
    full = clusters(device, spins, table, 4.0)
    alone = percolation.clusters(
        reference.pack(spins[4:5]),
        coupling_table=table,
        temperature=4.0,
        bonds="coniglio_klein",
        seed=31,
        index=np.array([4], np.uint64),
        device=device,
        labels=True,
    )
    assert np.array_equal(full.labels[4], alone.labels[0])
    assert not np.array_equal(full.labels, clusters(device, spins, table, 4.0, seed=32).labels)


@pytest.mark.parametrize("bonds", ["coniglio_klein", "density_corrected"])
@pytest.mark.parametrize(
    ("interaction", "range", "size", "temperature", "pair"),
    [
        ("nearest", 1, 8, 2.269185, ((3, 3), (3, 4))),
        ("nearest", 1, 8, 1.5, ((0, 5), (7, 5))),
        ("square", 1, 8, 16 / 9, ((0, 0), (7, 7))),
        ("square", 3, 30, 0.2, ((10, 4), (13, 1))),
        ("kac", 2, 9, 0.5, ((4, 4), (1, 1))),
    ],
)
def test_bond_frequency(device, bonds, interaction, range, size, temperature, pair):
    """One pair of stable spins in 20000 copies: it is joined with the bond's probability, within 4
    standard errors.

    A bond drawn once from either end would be joined with 1 - (1-p)^2. Seed 31.
    """
    count = 20000
    table = reference.couplings(size, interaction, range)
    spins = np.ones((size, size), int)
    spins[tuple(np.transpose(pair))] = -1
    (coupling,) = brute.candidate_bonds(spins, table)[1]
    density = 2 / size**2 if bonds == "density_corrected" else None
    p = brute.bond_probability(coupling, temperature, density)
    assert 0.05 < p < 0.95
    found = clusters(
        device, np.broadcast_to(spins, (count, size, size)), table, temperature, bonds, labels=False
    )
    joined = np.mean(found.size == 2)
    assert abs(joined - p) < 4 * np.sqrt(p * (1 - p) / count)
    assert np.all(found.size[found.size != 2] == 1)


@pytest.mark.parametrize(
    ("interaction", "range", "temperature"), [("nearest", 1, 2.0), ("square", 1, 1.0)]
)
def test_bonds_of_one_configuration_are_independent(device, interaction, range, temperature):
    """A 2 x 2 block: the law of its partition into clusters, by brute force over all its bonds,
    chi-square p > 1e-5.
    """
    count, size = 20000, 8
    table = reference.couplings(size, interaction, range)
    spins = np.ones((size, size), int)
    spins[3:5, 7], spins[3:5, 0] = -1, -1  # through the edge
    pairs, coupling = brute.candidate_bonds(spins, table)
    p = brute.bond_probability(coupling[0], temperature)
    law = {}
    for chosen in np.ndindex(*[2] * len(pairs)):
        key = brute.label(spins, pairs[np.array(chosen, bool)])[spins < 0].tobytes()
        law[key] = law.get(key, 0) + p ** sum(chosen) * (1 - p) ** (len(pairs) - sum(chosen))
    found = clusters(device, np.broadcast_to(spins, (count, size, size)), table, temperature)
    keys = [row.tobytes() for row in found.labels[:, spins < 0].astype(np.int64)]
    assert set(keys) <= set(law)
    observed = [keys.count(key) for key in law]
    assert stats.chisquare(observed, count * np.array(list(law.values()))).pvalue > 1e-5
