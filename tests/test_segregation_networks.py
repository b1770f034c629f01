"""The segregation study's networks: circular convolutions, a norm that keeps the mean, exact
conservation, the patch discriminator.
"""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, interpolate, pad, softplus

from jobs.segregation import layers, networks
from jobs.segregation.layers import Convolution, Gather, Norm, Scatter, Upsampling
from jobs.segregation.networks import Discriminator, Generator, conserved

LIMITS = (-0.1, 1.1)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(1)


def channels_first(x):
    return x.movedim(-1, 1)


def random(*shape, seed=1, **kind):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **kind)


def mixed(count, size, seed=1) -> torch.Tensor:
    """Noise of 0.1 about means from 0.2 to 0.8, float32 (n, L, L)."""
    noise = torch.rand(count, size, size, generator=torch.Generator().manual_seed(seed))
    return torch.linspace(0.2, 0.8, count)[:, None, None] + 0.2 * (noise - 0.5)


# ---- layers


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_is_the_librarys_on_a_wrapped_field(stride):
    layer, x = Convolution(3, 5, stride, bias=True), random(2, 8, 6, 3)
    torch.nn.init.normal_(layer.bias)
    wrapped = pad(channels_first(x), (1, 3 - stride, 1, 3 - stride), mode="circular")
    wanted = conv2d(wrapped, layer.weight.view(5, 4, 4, 3).permute(0, 3, 1, 2), layer.bias, stride)
    assert torch.allclose(channels_first(layer(x)), wanted, atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 5])
def test_upsampling_is_the_librarys_nearest_neighbours_and_a_convolution(side):
    layer, x = Upsampling(3, 5, bias=True), random(2, side, 4, 3)
    torch.nn.init.normal_(layer.bias)
    doubled = interpolate(channels_first(x), scale_factor=2, mode="nearest")
    weight = layer.weight.view(3, 3, 5, 3).permute(2, 3, 0, 1).flip(2, 3)
    wanted = conv2d(pad(doubled, (1, 1, 1, 1), mode="circular"), weight, layer.bias)
    assert torch.allclose(channels_first(layer(x)), wanted, atol=1e-5)


def test_a_constant_is_upsampled_without_a_checkerboard():
    found = Upsampling(3, 5)(torch.ones(1, 4, 4, 3))
    assert found.abs().max() > 0.1
    assert torch.allclose(found, found[:, :1, :1].expand_as(found), atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_gather_and_scatter_are_each_others_gradient(stride):
    cells = random(2, 4, 6, 2, dtype=torch.float64).requires_grad_()
    patches = random(
        2, 4 // stride, 6 // stride, 4, 4, 2, seed=2, dtype=torch.float64
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: Gather.apply(x, stride), cells)
    assert torch.autograd.gradcheck(lambda x: Scatter.apply(x, stride), patches)
    assert torch.allclose(
        (Gather.apply(cells, stride) * patches).sum(),
        (cells * Scatter.apply(patches, stride)).sum(),
    )


def test_the_norm_is_each_samples_own_and_gives_back_what_about_tells():
    norm, x, about = (
        Norm(4),
        random(3, 5, 6, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0]) + 2,
        random(3, layers.ABOUT),
    )
    plain = norm(x, about)
    assert torch.allclose(plain.mean((1, 2)), torch.zeros(3, 4), atol=1e-5)
    assert torch.allclose(plain.var((1, 2), correction=0), torch.ones(3, 4), atol=1e-4)
    torch.nn.init.normal_(norm.affine.weight)
    together = norm(x, about)
    assert torch.allclose(
        together, torch.cat([norm(x[i : i + 1], about[i : i + 1]) for i in range(3)]), atol=1e-5
    )
    scale, shift = norm.affine(about).chunk(2, -1)
    assert torch.allclose(
        together, plain * (1 + scale[:, None, None]) + shift[:, None, None], atol=1e-5
    )
    assert torch.allclose(
        norm(x[:, :1, :1], about)[:, 0, 0], x[:, 0, 0] * (1 + scale) + shift, atol=1e-5
    )


# ---- the generator


@pytest.mark.parametrize(
    ("size", "halvings"), [(64, 5), (256, 6), (96, 5), (48, 4), (16, 3), (18, 1)]
)
def test_depth(size, halvings):
    assert networks.depth(size) == halvings


@pytest.mark.parametrize("size", [64, 48, 16])
def test_the_u_net_goes_down_and_up_again(size):
    network = Generator(4, size, LIMITS, conserving=False)
    maps, noise = network.maps(mixed(2, size)), network.draw(2, "cpu")
    sides = [size // 2**level for level in range(1, networks.depth(size) + 1)]
    assert [m.shape[1] for m in maps] == [*sides, *sides[-2::-1], size]
    assert [m.shape[3] for m in maps[: len(sides)]] == [4, 8, 16, 32, 32, 32][: len(sides)]
    assert maps[-1].shape == (2, size, size, 1)
    assert network(mixed(2, size), noise).shape == (2, size, size)


def test_noise_changes_the_answer_and_without_it_there_is_one_answer():
    network, fields = Generator(4, 16, LIMITS, conserving=False), mixed(3, 16)
    with torch.no_grad():
        noise, other = network.draw(3, "cpu"), network.draw(3, "cpu")
        assert torch.equal(network(fields), network(fields))
        assert torch.equal(network(fields, noise), network(fields, noise))
        assert not torch.allclose(network(fields, noise), network(fields, other), atol=0.1)
        one = network(fields[1:2], [mask[1:2] for mask in noise])
        assert torch.allclose(one, network(fields, noise)[1:2], atol=1e-3)
    assert 0.3 < torch.cat([mask.flatten() for mask in noise]).eq(0).float().mean() < 0.7


@pytest.mark.parametrize("size", [64, 32, 16, 8])
def test_what_the_deepest_cells_have_seen_reaches_the_answer(size):
    """A box is halved to 2 x 2 cells: of one, doubled, a norm would leave nothing."""
    network, fields = Generator(4, size, LIMITS, conserving=False), mixed(2, size)
    network(fields).square().mean().backward()
    deepest = [each.weight.grad.abs().max() for each in (network.encoder[-1], network.decoder[0])]
    assert min(deepest) > 1e-3 * network.encoder[0].weight.grad.abs().max()


def test_the_torus_has_no_border():
    """A core of 4 x 4 cells for 32: a shift by 8 shifts the answer; one by 4 falls between the
    core's cells.
    """
    torch.manual_seed(1)
    network, fields = Generator(8, 16, LIMITS, conserving=False), mixed(2, 32)
    with torch.no_grad():
        answer = network(fields)
        for shift in ((8, 0), (0, 24), (16, 8)):
            assert torch.allclose(
                network(fields.roll(shift, (1, 2))), answer.roll(shift, (1, 2)), atol=1e-4
            )
        assert not torch.allclose(network(fields.roll(4, 1)), answer.roll(4, 1), atol=1e-2)
    assert answer.std() > 1e-2


@pytest.mark.parametrize("conserving", [False, True])
def test_answers_reach_beyond_the_wells_and_stay_in_their_limits(conserving):
    """A generator whose last layer is made large: cells of both signs saturate."""
    torch.manual_seed(2)
    network = Generator(4, 16, LIMITS, conserving)
    with torch.no_grad():
        network.decoder[-1].weight.mul_(100)
        answer = network(mixed(4, 16))
    assert answer.min() >= np.float32(LIMITS[0])
    assert answer.max() <= np.float32(LIMITS[1])
    assert answer.min() < -0.05
    assert answer.max() > 1.05


# ---- the mean


@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0])
def test_the_mean_is_kept_to_round_off(size):
    """Whatever the logits: nearly uniform ones, and ones that saturate nearly every cell."""
    mean = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)[:, None]
    found = conserved(size * random(25, 32, 32), mean, LIMITS)
    assert found.dtype == torch.float32
    assert torch.allclose(found.mean((1, 2), dtype=torch.float64), mean[:, 0], rtol=0, atol=6e-8)
    assert found.min() >= np.float32(LIMITS[0])
    assert found.max() <= np.float32(LIMITS[1])
    if size == 50:
        assert (
            (found < 0) | (found > 1)
        ).float().mean() > 0.9  # the wells are where they were: no cell had to go between them


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_network_keeps_the_mean_of_its_input(precision):
    network, fields = Generator(4, 16, LIMITS, conserving=True), mixed(7, 16)
    with (
        torch.no_grad(),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16),
    ):
        answer = network(fields, network.draw(7, "cpu"))
        free = Generator(4, 16, LIMITS, conserving=False)(fields)
    means = [each.mean((1, 2), dtype=torch.float64) for each in (fields, answer, free)]
    assert torch.allclose(means[0], means[1], rtol=0, atol=6e-8)
    assert (means[0] - means[2]).abs().max() > 1e-2
    assert answer.std() > 1e-2


def test_the_gradient_knows_that_the_mean_is_kept():
    logits, direction = 2 * random(2, 6, 6), random(2, 6, 6, seed=3)
    mean, weight = torch.tensor([[0.3], [0.8]], dtype=torch.float64), random(2, 6, 6, seed=4)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad((conserved(logits, mean, LIMITS) * weight).sum(), logits)
    with torch.no_grad():
        up, down = (conserved(logits + step * direction, mean, LIMITS) for step in (1e-2, -1e-2))
    assert float((gradient * direction).sum()) == pytest.approx(
        float(((up - down) * weight).sum() / 2e-2), rel=1e-3
    )
    (gradient,) = torch.autograd.grad(conserved(logits, mean, LIMITS).sum(), logits)
    assert gradient.abs().max() < 1e-6
    assert torch.allclose(gradient.sum((1, 2)), torch.zeros(2), atol=1e-5)


# ---- the discriminator


def test_the_discriminator_has_no_border_either():
    network, given, answer = Discriminator(4), mixed(2, 32), mixed(2, 32, seed=2)
    with torch.no_grad():
        logits = network(given, answer)
        shifted = network(given.roll(8, 2), answer.roll(8, 2))
        assert logits.shape == (2, 4, 4)
        assert torch.allclose(shifted, logits.roll(1, 2), atol=1e-4)
        assert not torch.allclose(
            network(given.roll(8, 2), answer), logits.roll(1, 2), atol=1e-2
        )  # conditioned on the input


def test_a_logit_sees_70_cells(monkeypatch):
    """Without the norms, which look at the whole field, each of the first layers' patches
    counts.
    """
    monkeypatch.setattr(Norm, "forward", lambda self, x, about: x)
    answer = mixed(1, 128).requires_grad_()
    Discriminator(4)(mixed(1, 128), answer)[0, 8, 8].backward()
    rows, columns = (answer.grad[0].abs().sum(axis).nonzero()[:, 0] for axis in (1, 0))
    assert int(rows[-1] - rows[0]) + 1 == int(columns[-1] - columns[0]) + 1 == 70


def test_the_discriminator_tells_true_from_blurred():
    """True partners are sharp; the false ones are their means over 3 x 3 cells, with which it has
    never met these.
    """
    torch.manual_seed(3)

    def sharp(count, seed):
        given = mixed(count, 16, seed)
        smooth = torch.nn.functional.avg_pool2d(
            pad(given[:, None], (2, 2, 2, 2), mode="circular"), 5, 1
        )[:, 0]
        return given, (smooth > smooth.mean((1, 2), keepdim=True)).float()

    def blurred(fields):
        return torch.nn.functional.avg_pool2d(
            pad(fields[:, None], (1, 1, 1, 1), mode="circular"), 3, 1
        )[:, 0]

    network = Discriminator(8)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3, (0.5, 0.999))
    for step in range(250):
        given, answer = sharp(16, step)
        loss = (
            softplus(network(given, blurred(answer))).mean()
            + softplus(-network(given, answer)).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        given, answer = sharp(64, 1000)
        true, false = (network(given, each).mean((1, 2)) for each in (answer, blurred(answer)))
    assert (true > 0).float().mean() > 0.9
    assert (false < 0).float().mean() > 0.9
