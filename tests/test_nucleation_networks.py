"""The networks: how many parameters, what goes in and comes out, and what leaves their answer as it
is.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from jobs.nucleation import networks
from jobs.nucleation.features import features
from jobs.nucleation.train import Inputs

MODELS = (
    "spins",
    "features",
    "features_converged",
    "cnn_2layer",
    "cnn_4layer",
    "notebook",
    "torus",
    "torus_window",
)
CONVOLUTIONAL = ("cnn_2layer", "cnn_4layer", "notebook")


@pytest.fixture(autouse=True)
def reproducible():
    torch.set_num_threads(1)
    torch.manual_seed(7)


def configurations(count, size, seed=1) -> np.ndarray:
    """Random spins int8, a different magnetization each."""
    random = np.random.default_rng(seed)
    return np.where(
        random.random((count, size, size)) < random.uniform(0.1, 0.9, (count, 1, 1)), -1, 1
    ).astype(np.int8)


def answer(network, model, spins) -> torch.Tensor:
    inputs = Inputs(model, spins, np.linspace(5, 40, len(spins)), "cpu")
    return network(*inputs.batch(network, torch.arange(len(spins))))


# ---- how many numbers are learnt


def convolutions(filters, kernel) -> int:
    return sum(before * after * kernel**2 + after for before, after in pairwise(filters))


def dense(*widths) -> int:
    return sum(before * after + after for before, after in pairwise(widths))


def paper_cnn(size, kernel, *filters) -> int:
    """Convolutions keep the size, each max pool of stride 1 between two of them takes a site."""
    side = size - (len(filters) - 1)
    return convolutions((1, *filters), kernel) + dense(filters[-1] * side**2, 100, 2)


def notebook(size, kernel) -> int:
    """Convolutions without padding, pools of stride 2."""
    side = ((size - kernel + 1) // 2 - kernel + 1) // 2
    return convolutions((2, 8, 16), kernel) + dense(16 * side**2, 10, 2)


def torus(window) -> int:
    block = 2 * (16 * 16 * 9 + 16) + 16  # two convolutions and a share a channel
    return 16 * 25 + 16 + 2 * block + dense(2 * 16 + window, 64, 1)


COUNTS = [
    *[("spins", size, 3, size**2 + 1) for size in (10, 30, 200)],
    *[("features", size, 3, 11) for size in (10, 200)],
    *[
        ("cnn_2layer", size, kernel, paper_cnn(size, kernel, 8, 16))
        for size in (8, 10, 100)
        for kernel in (3, 5, 7)
    ],
    *[
        ("cnn_4layer", size, kernel, paper_cnn(size, kernel, 8, 16, 32, 64))
        for size in (10, 50)
        for kernel in (3, 5)
    ],
    *[
        ("notebook", size, kernel, notebook(size, kernel))
        for size, kernel in ((10, 3), (11, 3), (30, 5), (100, 5))
    ],
    *[("torus", size, kernel, torus(0)) for size, kernel in ((10, 3), (100, 5))],
    ("torus_window", 10, 3, torus(1)),
]


@pytest.mark.parametrize(("model", "size", "kernel", "count"), COUNTS)
def test_parameters(model, size, kernel, count):
    with torch.device("meta"):
        assert networks.parameters(networks.build(model, size, kernel)) == count


def test_the_papers_four_layers_have_248_million_parameters():
    with torch.device("meta"):
        count = networks.parameters(networks.build("cnn_4layer", 200, 5))
    assert count == paper_cnn(200, 5, 8, 16, 32, 64)
    assert round(count / 1e6) == 248


# ---- shapes, gradients, outputs


@pytest.mark.parametrize("size", [10, 13, 30])
@pytest.mark.parametrize("model", MODELS)
def test_a_number_a_configuration_and_a_gradient_for_every_parameter(model, size):
    network = networks.build(model, size, 3)
    spins = configurations(6, size)
    if hasattr(network, "standardise"):
        network.standardise(Inputs(model, spins, np.zeros(6), "cpu").rows)
    logit = answer(network.eval(), model, spins)
    assert logit.shape == (6,)
    assert logit.dtype == torch.float32
    assert torch.isfinite(logit).all()
    assert logit.std() > 0
    binary_cross_entropy_with_logits(logit, torch.linspace(0, 1, 6)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("model", CONVOLUTIONAL)
def test_the_logit_is_that_of_a_softmax_over_two_outputs(model):
    network, spins = (
        networks.build(model, 10, 3).eval(),
        torch.from_numpy(configurations(8, 10))[:, None].float(),
    )
    channels = torch.cat([(1 + spins) / 2, (1 - spins) / 2], 1) if model == "notebook" else spins
    outputs = network.dense(network.local(channels).flatten(1))
    assert outputs.shape == (8, 2)
    assert torch.allclose(torch.softmax(outputs, 1)[:, 0], torch.sigmoid(network(spins)), atol=1e-6)
    p = torch.linspace(0, 1, 8)  # and so are the losses: soft labels under a softmax
    of_two = cross_entropy(outputs, torch.stack([p, 1 - p], 1))
    assert torch.allclose(of_two, binary_cross_entropy_with_logits(network(spins), p), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "share"), [("cnn_2layer", 0.15), ("cnn_4layer", 0.15), ("notebook", 0.1)]
)
def test_dropout_is_the_papers_in_training_and_off_in_predictions(model, share):
    network, spins = (
        networks.build(model, 30, 3),
        torch.from_numpy(configurations(2, 30))[:, None].float(),
    )
    assert {layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)} == {
        share
    }
    assert not torch.equal(network.train()(spins), network(spins))
    assert torch.equal(network.eval()(spins), network(spins))


@pytest.mark.parametrize(
    ("model", "size", "kernel"), [("cnn_2layer", 12, 3), ("cnn_4layer", 12, 5)]
)
def test_the_papers_layers_are_in_the_papers_order(model, size, kernel):
    """Between every two convolutions a max pool of size 2 and stride 1, ReLU and dropout."""
    layers = list(networks.build(model, size, kernel).local)
    kinds = "".join(type(layer).__name__[0] for layer in layers)  # Conv2d, MaxPool2d, ReLU, Dropout
    assert kinds == "CMRD" * (kinds.count("C") - 1) + "CR"
    assert {
        (layer.kernel_size, layer.stride)
        for layer in layers
        if isinstance(layer, torch.nn.MaxPool2d)
    } == {(2, 1)}
    assert {layer.kernel_size for layer in layers if isinstance(layer, torch.nn.Conv2d)} == {
        (kernel, kernel)
    }


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="'transformer'"):
        networks.build("transformer", 10, 3)


# ---- standardisation


def test_features_are_standardised_by_the_training_set_and_that_is_kept_with_the_weights():
    network, found = (
        networks.build("features", 10, 3),
        torch.from_numpy(features(configurations(50, 10))).float(),
    )
    network.standardise(found)
    inner = (found - network.mean) / network.scale
    assert torch.allclose(inner.mean(0), torch.zeros(10), atol=1e-4)
    assert torch.allclose(inner.std(0, correction=0), torch.ones(10), atol=1e-4)
    again = networks.build("features", 10, 3)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(found), network(found))
    network.standardise(found[:1].repeat(5, 1))  # a column without spread divides by nothing
    assert torch.isfinite(network(found)).all()


def test_the_converged_regression_is_at_the_minimum():
    """Of the cross entropy, which is convex: the gradient vanishes, and no other weights near or
    far are better.
    """
    random = np.random.default_rng(3)
    found = torch.from_numpy(features(configurations(400, 10))).float()
    p = torch.from_numpy(
        np.clip(0.5 + 0.5 * found[:, 0].numpy() + random.normal(0, 0.2, 400), 0, 1)
    ).float()
    network = networks.build("features_converged", 10, 3)
    network.standardise(found)
    loss = network.converge(found, p)
    network.double()
    at = binary_cross_entropy_with_logits(network(found.double()), p.double())
    assert loss == pytest.approx(float(at.detach()), abs=1e-7)
    at.backward()
    assert max(float(each.grad.abs().max()) for each in network.parameters()) < 1e-4
    for _ in range(50):
        other = networks.build("features", 10, 3).double()
        other.load_state_dict(network.state_dict())
        with torch.no_grad():
            for each in other.parameters():
                each += torch.randn_like(each) * 10 ** random.uniform(-2, 1)
        assert binary_cross_entropy_with_logits(other(found.double()), p.double()) > loss


def test_the_converged_regression_stays_finite_where_there_is_no_minimum():
    """Labels of 0 and 1 that m separates: weights grow without end; and columns without spread."""
    found = torch.from_numpy(features(configurations(100, 10))).float()
    for x, p in (
        (found, (found[:, 0] > 0).float()),
        (found[:1].repeat(100, 1), torch.full((100,), 0.3)),
        (found, torch.zeros(100)),
    ):
        network = networks.build("features_converged", 10, 3)
        network.standardise(x)
        assert 0 <= network.converge(x, p) < 0.7
        assert all(torch.isfinite(each).all() for each in network.parameters())


def test_tiles_are_standardised():
    network, spins = networks.build("torus", 24, 3), torch.from_numpy(configurations(50, 24))
    network.standardise(spins)
    inner = (network.tiles(spins[:, None].float()) - network.mean) / network.scale
    assert inner.shape == (50, 1, 12, 12)
    assert abs(float(inner.mean())) < 1e-4
    assert abs(float(inner.std()) - 1) < 1e-3


# ---- the torus


@pytest.mark.parametrize(
    ("size", "tile"), [(10, 1), (24, 2), (36, 3), (100, 5), (200, 10), (13, 1)]
)
def test_a_shift_of_whole_tiles_changes_nothing(size, tile):
    network, spins = (
        networks.build("torus", size, 3).eval(),
        torch.from_numpy(configurations(2, size))[:, None].float(),
    )
    assert network.tiles.kernel_size == tile
    before = network(spins)
    for x, y in ((1, 0), (0, 1), (3, 5), (size // tile - 1, 2)):
        assert torch.allclose(network(spins.roll((x * tile, y * tile), (2, 3))), before, atol=1e-5)
    if tile > 1:  # and the test can tell
        assert not torch.allclose(network(spins.roll(1, 2)), before, atol=1e-5)


def neighbours(spins) -> torch.Tensor:
    """Nearest-neighbour correlation sums of each configuration."""
    return sum((spins * spins.roll(1, axis)).sum((1, 2)) for axis in (1, 2))


def test_augmentation_is_a_symmetry_of_the_lattice():
    spins = torch.from_numpy(configurations(200, 9)).long()
    for _ in range(20):
        turned = networks.TorusNetwork.augment(spins)
        assert torch.equal(turned.sum((1, 2)), spins.sum((1, 2)))
        assert torch.equal(neighbours(turned), neighbours(spins))
        assert not torch.equal(turned, spins)


def test_augmentation_reaches_every_shift_and_all_eight_symmetries():
    """Sites carry their numbers; where 0 and its two neighbours come to tells shift and symmetry.
    250 x 40 draws: each of 25 shifts 400 times within 5.5 standard errors, and a symmetry is missed
    with probability 8 (7/8)^250 = 3e-14.
    """
    size, count = 5, 40
    sites = torch.arange(size**2).reshape(1, size, size).repeat(count, 1, 1)
    shifts, symmetries = np.zeros((size, size), int), set()
    for _ in range(250):
        turned = networks.TorusNetwork.augment(sites).flatten(1)
        assert torch.equal(turned.sort(1).values, sites.flatten(1))  # a permutation of the sites
        origin, down, right = (
            np.divmod((turned == site).int().argmax(1).numpy(), size) for site in (0, size, 1)
        )
        np.add.at(shifts, tuple(origin), 1)
        steps = [(np.array(moved) - origin + 1) % size - 1 for moved in (down, right)]
        kinds = np.unique(np.concatenate(steps), axis=1)
        assert kinds.shape == (4, 1)  # all of a batch turned and reflected alike
        assert np.abs(kinds[:2]).sum() == np.abs(kinds[2:]).sum() == 1  # neighbours stay neighbours
        symmetries.add(tuple(kinds[:, 0]))
    assert len(symmetries) == 8
    assert np.abs(shifts - 400).max() < 5.5 * np.sqrt(400)


def test_the_window_matters_to_torus_window_alone():
    spins = torch.from_numpy(configurations(4, 10))[:, None].float()
    late, early = torch.full((4,), 5.0), torch.full((4,), 40.0)
    told, untold = (
        networks.build("torus_window", 10, 3).eval(),
        networks.build("torus", 10, 3).eval(),
    )
    assert (told(spins, late) - told(spins, early)).abs().min() > 1e-4
    assert torch.equal(untold(spins, late), untold(spins, early))
    inputs = Inputs("torus", configurations(4, 10), np.arange(4.0), "cpu")
    assert len(inputs.batch(untold, torch.arange(4))) == 1
    assert inputs.batch(told, torch.tensor([3, 1]))[1].tolist() == [3.0, 1.0]
