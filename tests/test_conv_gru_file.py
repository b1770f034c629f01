"""Parameter files say which network they hold, and are refused by another."""

import configparser

import numpy as np
import pytest

from kernels import conv_gru_file
from kernels.cahn_hilliard import mixtures
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.conv_gru_file import About
from kernels.device import select
from tests.conftest import ROOT

RESULTS = ROOT / "analysis/results/coarsening"
CPU = select("cpu", workers=1)
ABOUT = About("central", interface_width=3.0, spacing=2.0, interval=1.0, trained="not at all")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "central.npz"
    conv_gru_file.write(path, random_parameters(seed=1, hidden=3, output="central"), ABOUT)
    return path


def test_round_trip(file):
    network = ConvGRU.from_file(file, (4, 4, 4), device=CPU)
    assert (network.about, network.output, network.hidden) == (ABOUT, "central", 3)
    parameters, about = conv_gru_file.read(file)
    expected = random_parameters(seed=1, hidden=3, output="central")
    assert about == ABOUT
    assert all(np.array_equal(parameters[name], expected[name]) for name in expected)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_another_network_refuses_them(file):
    """Fluxes in cells and on faces have the same names and shapes."""
    with np.load(file) as numbers:
        parameters = dict(numbers)
    with pytest.raises(ValueError, match=r"output is 'staggered'; .* with output 'central'"):
        ConvGRU(parameters, (4, 4, 4), output="staggered", device=CPU)


@pytest.mark.parametrize("name", ["staggered", "central", "sigmoid"])
def test_committed_networks_say_what_they_are(name):
    network = ConvGRU.from_file(RESULTS / f"{name}.npz", (4, 4, 4), device=CPU)
    assert (network.output, network.about.interface_width, network.about.spacing) == (name, 3, 2)
    with pytest.raises(ValueError, match=r"phi is -1 to 1; this network knows mixtures of 0 to 1"):
        network.start(np.linspace(-1, 1, 64).reshape(1, 4, 4, 4))


def test_a_field_that_is_none(file):
    network = ConvGRU.from_file(file, (4, 4, 4), device=CPU)
    with pytest.raises(ValueError, match=r"start\(phi\) comes before advance"):
        network.advance(1)
    phi = np.full((1, 4, 4, 4), 0.5)
    with pytest.raises(ValueError, match="phi holds nan; it must hold finite numbers"):
        network.start(np.where(np.arange(64).reshape(phi.shape) == 3, np.nan, phi))
    network.start(phi)
    for steps, said in ((-1, "steps is -1"), (1.5, "steps is 1.5")):
        with pytest.raises(ValueError, match=said):
            network.advance(steps)


@pytest.mark.parametrize("content", ["nothing", "text", "no about", "another about"])
def test_files_that_are_none(tmp_path, content):
    path = tmp_path / "file.npz"
    if content == "text":
        path.write_text("not a file of numbers")
    elif content == "nothing":
        path.touch()
    elif content == "no about":
        np.savez(path, **random_parameters(seed=1, hidden=3))
    else:
        np.savez(path, **random_parameters(seed=1, hidden=3), about=np.array('{"kind": "UNet"}'))
    with pytest.raises(
        ValueError, match=r"no file of parameters|does not say|of no network"
    ) as error:
        conv_gru_file.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["staggered", "central", "sigmoid"])
def test_committed_networks_by_their_names(name):
    network = ConvGRU.committed(name, (4, 4, 4), device=CPU)
    about = network.about
    assert (about.grid, about.means, about.low, about.high) == ((16, 16, 16), (0.38, 0.62), 0, 1)
    for said in ("spacing 2", "epsilon = 3", "means of 0.38 to 0.62", "known to fail: "):
        assert said in str(about)


def test_other_names_and_a_package_without_them(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="network is 'gan'; it must be one of staggered, central"):
        ConvGRU.committed("gan", (4, 4, 4), device=CPU)
    monkeypatch.setattr(conv_gru_file, "FOLDER", tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"central\.npz: is not there; it comes with Quench"
    ):
        ConvGRU.committed("central", (4, 4, 4), device=CPU)


def test_committed_networks_are_part_of_the_package():
    """In the folder where conv_gru_file looks for them, beside kernels in site-packages too."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    pattern = setup["options.package_data"]["analysis"]
    found = {path.resolve() for path in (ROOT / "analysis").glob(pattern)}
    assert {conv_gru_file.committed(name).resolve() for name in conv_gru_file.OUTPUTS} <= found


@pytest.mark.parametrize("name", ["staggered", "central"])
def test_the_failures_that_are_told_happen(name):
    """Ripples about a pure phase: the central network's grow, the staggered one's decay."""
    network = ConvGRU.committed(name, (16, 16, 16), device=CPU)
    phi = 0.03 + 1e-3 * np.random.default_rng(1).standard_normal((1, 16, 16, 16))
    with pytest.warns(
        UserWarning, match=r"^the mean of phi is 0\.03; .* trained on 0\.38 to 0\.62"
    ):
        network.start(phi)
    network.advance(75)
    rms = network.fields().std()
    assert rms > 0.1 if name == "central" else rms < 1e-4


def test_fields_like_those_of_the_training_are_not_warned_of(recwarn):
    network = ConvGRU.committed("staggered", (8, 8, 8), device=CPU)
    network.start(mixtures(0.5, 0.1, (8, 8, 8), seed=1))
    x = np.abs(np.arange(8) - 4) - 2
    layers = 0.5 * (1 - np.tanh(3 * 2 * x / 3))  # at rest: epsilon = 3, in cells of 2
    network.start(np.broadcast_to(layers[:, None, None], (1, 8, 8, 8)))
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"^interfaces are about .* wide"):
        network.start(np.broadcast_to((x < 0.5)[:, None, None] * 1.0, (1, 8, 8, 8)))  # sharp
