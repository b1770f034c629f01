"""The network that goes to the end in steps: linear theory, coarse grids, steps, training."""

import numpy as np
import pytest
import torch
from test_segregation_networks import mixed
from test_segregation_train import go_on

from jobs import rundir, shards
from jobs.segregation import config, fields, steps, train
from jobs.segregation.config import Segregation
from jobs.segregation.epochs import Training, predict
from jobs.segregation.networks import parameters
from jobs.segregation.steps import (
    IMAGES,
    LinearTheory,
    Steps,
    coarse_side,
    resampled,
    turned,
    turned_back,
)
from kernels.cahn_hilliard import CahnHilliard
from kernels.device import select

LIMITS = (-0.15, 1.15)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(1)


@pytest.mark.parametrize(
    ("mean", "epsilon", "well_depth", "spacing", "mobility"),
    [(0.5, 3.0, 1.0, 1.0, 1.0), (0.35, 2.0, 1.7, 1.25, 0.5)],
)
def test_linear_theory_is_what_the_equation_does_to_a_small_fluctuation(
    mean, epsilon, well_depth, spacing, mobility
):
    """A fluctuation of 1e-6, over three growth times of its fastest wave."""
    system = {"spacing": spacing, "mobility": mobility, "precision": "float64"}
    model = CahnHilliard((32, 32), epsilon, well_depth, **system, device=select("cpu", workers=1))
    noise = mixed(1, 32).double() - mixed(1, 32).double().mean()
    theory = LinearTheory(32, spacing, epsilon, well_depth, mobility)
    k = 2 * np.pi * np.hypot.outer(np.fft.fftfreq(32, spacing), np.fft.fftfreq(32, spacing))
    time = 3 * theory.growth_time(mean + noise)
    assert float(time) == pytest.approx(3 / model.growth_rate(k[k > 0], mean).max())
    run = model.run(
        (mean + 1e-6 * noise).numpy(),
        [0, float(time)],
        scheme="second_order",
        step=float(time) / 2000,
    )
    wanted = (run.fields[0, -1] - mean) / 1e-6
    found = theory(mean + noise, time)[0].double().numpy()
    assert found.mean() == pytest.approx(mean, abs=1e-6)
    assert np.abs(found - mean - wanted).max() < 0.01 * np.abs(wanted).max()


def test_a_stable_mixture_decays():
    theory, fields = LinearTheory(32, 1.0, 3.0, 1.0, 1.0), mixed(1, 32) - 0.15
    found = theory(fields, 3 * theory.growth_time(fields))
    power = torch.fft.rfft2(found[0] - found.mean()).abs().square()
    assert found.std() < 0.05 * fields.std()
    assert (power[1, 0] + power[0, 1]) / power.sum() > 0.3
    uniform = torch.full((1, 32, 32), 0.25)
    assert torch.equal(theory(uniform, 100.0), uniform)


@pytest.mark.parametrize(
    ("size", "spacing", "epsilon", "well_depth", "side"),
    [
        (64, 1.0, 3.0, 1.0, 32),
        (64, 1.0, 1.0, 1.0, 64),
        (64, 1.0, 5.0, 1.0, 16),
        (64, 0.5, 3.0, 1.0, 16),
        (64, 1.0, 3.0, 4.0, 64),
        (48, 1.0, 3.0, 1.0, 24),
        (40, 1.0, 3.0, 1.0, 40),  # 20 cannot be halved three times
        (16, 1.0, 100.0, 1.0, 8),
    ],
)
def test_the_grid_is_as_coarse_as_interfaces_allow(size, spacing, epsilon, well_depth, side):
    assert coarse_side(size, spacing, epsilon, well_depth) == side


def test_resampling_keeps_waves_and_means():
    x = torch.arange(64) * 2 * np.pi / 64
    fields = (0.4 + 0.1 * torch.cos(3 * x)[:, None] * torch.sin(5 * x) + 0.05 * torch.sin(x))[None]
    coarse = resampled(fields, 32)
    assert torch.allclose(coarse, fields[:, ::2, ::2], atol=1e-6)
    assert torch.allclose(resampled(coarse, 64), fields, atol=1e-6)
    assert torch.equal(resampled(fields, 64), fields)
    noise = mixed(2, 64)
    assert torch.allclose(resampled(noise, 32).mean((1, 2)), noise.mean((1, 2)), atol=1e-6)


def test_steady_states_lose_nothing_on_the_coarse_grid():
    model = CahnHilliard((64, 64), 3.0, device=select("cpu", workers=1))
    ends = torch.from_numpy(model.run(mixed(2, 64).numpy(), [np.inf]).fields[:, -1]).float()
    side = coarse_side(64, 1.0, 3.0, 1.0)
    assert (resampled(resampled(ends, side), 64) - ends).abs().max() < 1e-3


def build(size=32, width=4, **system) -> Steps:
    system = {"size": size, "epsilon": 3.0, **system}
    found = config.Segregation(**{"study": "segregation", "system": system})
    return Steps(width, LIMITS, found.system, found.times)


def test_before_training_a_step_is_none_and_means_are_kept():
    network, fields = build(), mixed(3, 32)
    found = network(fields)
    coarse = network.start(fields)
    assert network.count == 8
    assert torch.allclose(found, resampled(coarse, 32), atol=1e-4)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    found = network(fields)
    assert (found.mean((1, 2)) - fields.mean((1, 2))).abs().max() < 1e-6
    assert not torch.allclose(found, resampled(coarse, 32), atol=1e-2)
    several = network(coarse, 2, 3)
    assert several.shape == (3, 3, 16, 16)
    assert torch.equal(several[:, 0], network.step(coarse, 2))
    assert torch.equal(several[:, 1], network.step(network.step(coarse, 2), 3))
    assert not torch.equal(network.step(coarse, 2), network.step(coarse, 3))
    # from a field of one of the kept times on: the steps that are left
    assert torch.equal(network.onwards(fields, 0), found)
    assert torch.equal(network.onwards(network.theory(fields, network.first), 1), found)
    late = network.symmetric_step(resampled(fields, 16), 7)
    assert torch.equal(network.onwards(fields, 8), resampled(late, 32))
    assert len(network.maps(fields)) > 4


def test_its_answers_turn_with_the_field():
    network, fields = build(), mixed(3, 32)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    found, coarse, steps_differ = network(fields), network.start(fields), 0
    images = [turned(fields, image) for image in range(IMAGES)]
    assert len({image.numpy().tobytes() for image in images}) == IMAGES
    for image, other in enumerate(images):
        assert torch.equal(turned_back(other, image), fields)
        # float32 through eight steps: answers are of order 1, and steps alone differ by over 1e-2
        assert torch.allclose(network(other), turned(found, image), atol=1e-4)
        step = turned(network.step(coarse, 0), image)
        steps_differ += not torch.allclose(network.step(turned(coarse, image), 0), step, atol=1e-2)
    assert steps_differ == IMAGES - 1


def test_ages_follow_the_growth_time():
    """In units of the fastest wave's growth time they are the same for all systems."""
    a = Segregation(study="segregation")
    b = Segregation(
        study="segregation", system={"epsilon": 1.5, "well_depth": 2.0, "mobility": 0.5}
    )
    assert a.times == [0, 72, 144, 288, 576, 1150, 2300, 4610, 9220]
    assert a.growth_time == 36
    assert b.growth_time == pytest.approx(4.5)
    assert np.allclose(np.array(b.times) / b.growth_time, np.array(a.times) / 36, rtol=0.01)


def test_what_linear_theory_cannot_reach_is_refused():
    for times in ([0], [0, 1000]):
        said = Segregation(study="segregation", generate={"times": times}).untrainable()
        assert "begins by linear theory and needs a second time of at most 144" in said
        assert said.startswith("generate.times = ")
    assert Segregation(study="segregation").untrainable() is None
    for more in ({"times": [0]}, {"times": [0, 1000]}):
        found = Segregation(study="segregation", generate=more, train={"models": ["l1_forward"]})
        assert found.times == more["times"]
        assert found.untrainable() is None
    assert steps.CELLS > 1


# ---- training

SMALL = """
seed: 3
system: {size: 32}
generate: {first_mean: 0.4, last_mean: 0.6, mean_step: 0.1, training: 24, validation: 2, test: 12}
collect: {fates: 0, foretold: 12, perturbations: [1.0e-3]}
train: {models: [l1_forward_steps], width: 4, batch: 8, epochs: 10, learning_rate: 0.003}
"""


@pytest.fixture
def collected(quench, tmp_path):
    config, run = tmp_path / "small.yaml", tmp_path / "run"
    config.write_text(SMALL)
    for stage in ("generate", "collect"):
        assert quench("segregation", stage, config, "--run", run)[0] == 0
    return run


def test_it_learns_more_than_linear_theory_and_goes_on_where_it_stopped(
    quench, collected, monkeypatch
):
    (system,) = rundir.load(collected)[1]
    whole, parts = collected / "train/l1_forward_steps", collected / "parts"
    assert quench("segregation", "train", "--run", collected)[0] == 0
    arrays, about = shards.read(whole / "test.h5")
    assert about["parameters"] == parameters(train.build(system.config, "l1_forward_steps"))
    untrained = train.build(system.config, "l1_forward_steps")
    test = fields.read(collected, "test")
    truth = torch.from_numpy(test.last)
    at_first = (predict(untrained, torch.from_numpy(test.first)) - truth).abs().mean()
    assert arrays["l1"].mean() < 0.7 * at_first
    strides = []
    original = Training.walk
    monkeypatch.setattr(
        Training, "walk", lambda self, at: strides.append(self.stride) or original(self, at)
    )
    whole.rename(parts)
    for epochs in (2, 5, 3, None):
        go_on(system, "l1_forward_steps", epochs)
    assert sorted(set(strides)) == [1, 2, 4, 8]
    assert shards.check(whole / "test.h5") == shards.check(parts / "test.h5")


def test_what_it_makes_of_inputs_of_every_age_is_kept(quench, collected):
    settings = ("--set", "train.epochs=1", "--run", collected.with_name("short"))
    for stage in ("generate", "collect", "train", "predict"):
        code, lines = quench("segregation", stage, collected.with_name("small.yaml"), *settings)
        assert code == 0, lines
    folder = collected.with_name("short")
    given, _ = shards.read(folder / "predictability.h5")
    found, _ = shards.read(folder / "predict/l1_forward_steps-ages.h5")
    assert found["prediction"].shape == given["input"].shape
    assert np.allclose(found["prediction"].mean((2, 3)), given["input"].mean((2, 3)), atol=1e-6)
