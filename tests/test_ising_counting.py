"""How neighbours are counted changes the speed of the sublattice update, never a byte: in 4 x 4
tiles that are kept counted, and for several substeps in one pass over the lattice.
"""

import numpy as np
import pytest

from kernels import device, ising, ising_bits


def results(range_, size):
    model = ising.Ising(
        size=size,
        range=range_,
        temperature=16 / 9,
        field=1.3,
        device=device.select("cpu", workers=1),
    )
    events = model.nucleate(seed=5, units=[2], events=40, history=5, equilibration=5)[0]
    random = np.random.default_rng(1).choice([-1, 1], size=(40, size, size))
    end = model.evolve(model.pack(random), 4, seed=3, field=0.1)
    return events.lifetime, events.history, end


@pytest.mark.parametrize(
    ("range_", "size"), [(12, 28), (13, 40), (14, 32), (15, 36), (17, 52), (20, 44)]
)
def test_tiles_change_nothing(monkeypatch, range_, size):
    """All remainders of R by 4, one and several sites a substep, blocks that wrap."""
    monkeypatch.setattr(ising_bits, "TILED_RANGE", range_)
    tiled = results(range_, size)
    monkeypatch.setattr(ising_bits, "TILED_RANGE", range_ + 1)
    for kept, counted in zip(tiled, results(range_, size), strict=True):
        assert np.array_equal(kept, counted)


@pytest.mark.parametrize(("range_", "size"), [(6, 13), (7, 33), (12, 60)])
def test_substeps_taken_together_change_nothing(monkeypatch, range_, size):
    """One and many sites a substep, gaps that close evenly and not, sites that substeps share,
    tiled and plain.
    """
    one_by_one = results(range_, size)
    monkeypatch.setattr(device, "core_cache", lambda: 0)
    for alone, shared in zip(one_by_one, results(range_, size), strict=True):
        assert np.array_equal(alone, shared)
