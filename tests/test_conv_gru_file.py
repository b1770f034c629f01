"""Parameter files say which network they hold, and are refused by another."""

import numpy as np
import pytest

from kernels import conv_gru_file
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
