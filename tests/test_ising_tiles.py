"""Keeping 4 x 4 tiles counted changes the speed of the sublattice update, never a byte."""

import numpy as np
import pytest

from kernels import ising
from kernels.device import select


@pytest.mark.parametrize(
    ("range_", "size"), [(12, 28), (13, 40), (14, 32), (15, 36), (17, 52), (20, 44)]
)
def test_tiles_change_nothing(monkeypatch, range_, size):
    """All remainders of R by 4, one and several sites a substep, blocks that wrap."""
    results = []
    for tiled_range in (range_, range_ + 1):
        monkeypatch.setattr(ising, "TILED_RANGE", tiled_range)
        model = ising.Ising(
            size=size, range=range_, temperature=16 / 9, field=1.3, device=select("cpu", workers=1)
        )
        events = model.nucleate(seed=5, units=[2], events=40, history=5, equilibration=5)[0]
        random = np.random.default_rng(1).choice([-1, 1], size=(40, size, size))
        results.append(
            (
                events.lifetime,
                events.history,
                model.evolve(model.pack(random), 4, seed=3, field=0.1),
            )
        )
    for tiled, plain in zip(*results, strict=True):
        assert np.array_equal(tiled, plain)
