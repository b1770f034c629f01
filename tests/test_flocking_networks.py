"""The network of the flocking study: the paper's number of weights, what goes in and comes out,
what is penalised.
"""

import numpy as np
import pytest
import torch
from torch import nn

from jobs import UserError
from jobs.flocking import epochs, networks
from jobs.flocking.networks import PhaseNetwork


@pytest.fixture(autouse=True)
def _reproducible():
    torch.set_num_threads(1)
    torch.manual_seed(7)


@pytest.mark.parametrize("size", [9, 18, 27, 45, 54, 81, 162])
def test_as_many_weights_as_in_the_paper(size):
    assert networks.parameters(PhaseNetwork(size)) == 32 * size**2 // 27 + 1939
    assert (32 * size**2) % 27 == 0


def test_it_is_the_papers_network():
    """Layer by layer, as the paper puts it: ReLU before the pool, borders of zeros."""
    network = PhaseNetwork(27)
    a, b, c, d = network.convolutions
    assert [tuple(each.weight.shape) for each in network.convolutions] == [
        (6, 2, 5, 5),
        (6, 6, 5, 5),
        (6, 6, 3, 3),
        (6, 6, 3, 3),
    ]
    plain = nn.Sequential(
        a,
        nn.ReLU(),
        b,
        nn.ReLU(),
        nn.MaxPool2d(3),
        c,
        nn.ReLU(),
        d,
        nn.ReLU(),
        nn.MaxPool2d(3),
        nn.Flatten(),
        network.hidden,
        nn.ReLU(),
        network.scores,
    )
    maps = torch.randn(5, 2, 27, 27)
    assert network(maps).shape == (5, 3)
    assert torch.allclose(network(maps), plain(maps), atol=1e-5)
    assert all(
        (each.bias == 0).all() for each in (*network.convolutions, network.hidden, network.scores)
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert network(maps).dtype == torch.float32


def test_the_penalty_leaves_biases_out():
    network = PhaseNetwork(9)
    wanted = sum(
        float((p.detach().double() ** 2).sum())
        for name, p in network.named_parameters()
        if name.endswith("weight")
    )
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            nn.init.constant_(p, 100.0)
    assert float(network.penalty()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("size", "said"), [(80, "such as 72 or 81"), (10, "such as 9 or 18"), (3, "such as 9 or 18")]
)
def test_a_side_that_cannot_be_pooled(size, said):
    with pytest.raises(
        UserError,
        match=rf"system.size = {size}: the networks pool twice by 3; expected a multiple of 9, {said} \[lattice",
    ):
        PhaseNetwork(size)


def test_maps_are_packed_and_unpacked():
    random = np.random.default_rng(1)
    m, rho = (
        random.integers(-300, 300, (4, 9, 9)).astype(np.int16),
        random.integers(0, 700, (4, 9, 9)).astype(np.uint16),
    )
    maps = epochs.packed(m, rho)
    assert (maps.shape, maps.dtype) == ((4, 9, 9), torch.int32)
    found = epochs.unpacked(maps)
    assert found.shape == (4, 2, 9, 9)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(found[:, 0].numpy(), m)
    assert np.array_equal(found[:, 1].numpy(), rho)
    some = torch.tensor([2, 0, 2])
    assert np.array_equal(epochs.unpacked(maps[some])[:, 1].numpy(), rho[[2, 0, 2]])


def test_shifts_are_on_the_torus_in_both_directions():
    maps = torch.arange(36, dtype=torch.int32).reshape(1, 6, 6).repeat(3, 1, 1)
    seen = set()
    for _ in range(80):
        shifts = epochs.drawn(6, 3)
        found = epochs.shifted(maps, torch.tensor([0, 2, 1]), shifts)
        for each, shift in zip(found, shifts.tolist(), strict=True):
            x, y = divmod(int(each[0, 0]), 6)
            assert [x, y] == shift
            assert torch.equal(each, torch.roll(maps[0], (-x, -y), (0, 1)))
            seen.add((x, y))
    assert len(seen) == 36
