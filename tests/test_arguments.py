"""What all models say of arguments and results: one line each."""

import importlib

import numpy as np
import pytest

import kernels
from kernels import (
    ActiveIsing,
    CahnHilliard,
    ConvGRU,
    Ising,
    __version__,
    arguments,
    device,
    select,
)
from kernels.cahn_hilliard import mixtures
from kernels.conv_gru import random_parameters
from kernels.device import DeviceError, device_of
from kernels.percolation import clusters
from kernels.perlin import perlin_noise
from tests.conftest import ROOT

CPU = select("cpu", workers=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (3.0, 3), (np.int8(3), 3), (np.float32(3), 3), (np.array(3), 3), (2**63, 2**63)],
)
def test_whole_numbers(value, expected):
    found = arguments.whole("n", value)
    assert (found, type(found)) == (expected, int)


@pytest.mark.parametrize(
    "value", [True, np.bool_(1), "3", None, 3.5, float("nan"), float("inf"), [3], 3j]
)
def test_what_is_no_whole_number(value):
    with pytest.raises(
        ValueError, match=r"^n is .*; it must be a whole number from 1 to 9 \(cells\)$"
    ):
        arguments.whole("n", value, 1, 9, "cells")


def test_a_message_never_fills_the_screen():
    with pytest.raises(ValueError, match=r"^n is .{1,60}; it must be a finite number$") as error:
        arguments.number("n", np.arange(10_000).reshape(100, 100))
    assert "\n" not in str(error.value)


def largest_cluster(on):
    table = Ising(size=8, temperature=1.0, device=CPU).coupling_table()
    bonds = dict(coupling_table=table, temperature=1.0, bonds="coniglio_klein", seed=1, index=[0])
    return clusters(np.full((1, 8), 0x18, np.uint8), **bonds, device=on).size


ON_DEVICES = {  # of every model: made, and asked for a number
    "Ising": lambda on: Ising(size=10, temperature=1, field=0.3, device=on).device.kind,
    "Ising, Kac": lambda on: (
        Ising(size=10, temperature=1, interaction="kac", device=on).device.kind
    ),
    "CahnHilliard": lambda on: CahnHilliard((8, 8), device=on).device.kind,
    "ActiveIsing": lambda on: ActiveIsing(9, device=on).device.kind,
    "ConvGRU": lambda on: (
        ConvGRU(random_parameters(seed=1, hidden=2), (4, 4, 4), device=on).device.kind
    ),
    "percolation": largest_cluster,
    "perlin": lambda on: perlin_noise((8, 8, 8), 4, seed=1, device=on),
}


@pytest.mark.parametrize("name", ON_DEVICES)
def test_a_device_by_its_name(name):
    """As select() takes it, and with the result of the device it names; one line on all else."""
    assert np.array_equal(ON_DEVICES[name]("cpu"), ON_DEVICES[name](CPU))
    for given in ("cuda", "", 0, 1.5, True, ["cpu"], np.zeros(3)):
        with pytest.raises(DeviceError, match=r"^device is .*; it must be auto, cpu") as error:
            ON_DEVICES[name](given)
        assert "\n" not in str(error.value)


def test_the_device_that_is_meant(monkeypatch):
    assert device_of(CPU) is CPU
    assert device_of("cpu").kind == "cpu"
    monkeypatch.setattr(device, "gpu_problem", lambda: "there is none")
    assert device_of().kind == device_of("auto").kind == "cpu"
    with pytest.raises(DeviceError, match=r"^no GPU to run on: there is none$"):
        device_of("gpu")


@pytest.mark.parametrize("value", [-1, 2**64, 1.5, "1", True, None])
def test_seeds(value):
    with pytest.raises(ValueError, match=r"it must be a whole number from 0 to 2\^64 - 1"):
        arguments.seed_of(value)
    assert arguments.seed_of(2**64 - 1) == 2**64 - 1


def test_models_and_results_are_a_line():
    ising = Ising(size=12, temperature=1.5, field=0.9, device=CPU)
    events = ising.nucleate(seed=1, units=[0], events=4)[0]
    mixture = CahnHilliard((8, 8), device=CPU)
    run = mixture.run(mixtures(0.5, 0.1, (8, 8), seed=1), [0, 1])
    flock = ActiveIsing(9, device=CPU)
    replicas = flock.run(0.5, 2.0, 0, [1.0])
    for model, result, shape in (
        (ising, events, "history: 4 x 51 x 18 uint8"),
        (mixture, run, "fields: 1 x 2 x 8 x 8"),
        (flock, replicas, "magnetization: 1 x 1 int32"),
    ):
        assert repr(model).startswith(f"{type(model).__name__}(")
        assert "object at" not in repr(model)
        assert shape in repr(result)
        assert "\n" not in repr(model) + repr(result)
    assert __version__.count(".") == 2


def test_modules_say_what_is_public():
    """`from kernels.ising import *` brings names that are there, and documents each."""
    for name in sorted(path.stem for path in (ROOT / "kernels").glob("*.py")):
        module = importlib.import_module(f"kernels.{name}")
        for public in getattr(module, "__all__", ()):
            found = getattr(kernels if name == "__init__" else module, public)
            assert not callable(found) or found.__doc__, (name, public)
