"""A wrong name of an argument is answered with the right one, in one line."""

import inspect
import pydoc
import warnings

import numpy as np
import pytest

from kernels import ActiveIsing, CahnHilliard, ConvGRU, Ising, rare_events, select, structure
from kernels.cahn_hilliard import coarsening, mixtures
from kernels.names import ARGUMENTS, GIVEN_BY, named

CPU = select("cpu", workers=1)


def flocks():
    return ActiveIsing(size=9, device=CPU)


CALLS = {  # what is written, and what is answered
    "T": (
        lambda: Ising(size=8, T=2.0),
        r"^T: the argument of Ising is called temperature \[energy / k_B\]$",
    ),
    "beta": (lambda: Ising(size=8, beta=0.5), r"temperature .*, which is 1 / beta"),
    "h": (lambda: Ising(size=8, temperature=1, h=0.5), r"h: .* is called field \[energy\]"),
    "L": (lambda: Ising(L=8, temperature=1), r"L: .* is called size \[sites a side\]"),
    "J": (lambda: Ising(size=8, temperature=1, J=1), "J: no argument of Ising: couplings are 1"),
    "found": (lambda: rare_events.find_field(200, size=4, T=1.0), "T: .* is called temperature"),
    "misspelt": (
        lambda: Ising(size=8, temprature=1),
        "temprature: no argument of Ising; is temperature meant",
    ),
    "unknown": (
        lambda: Ising(size=8, temperature=1, colour=1),
        "colour: no argument of Ising, which takes size, temperature, field",
    ),
    "no name": (
        lambda: Ising(8, 2.0),
        "Ising takes no arguments without a name, here are 2; write",
    ),
    "epsilon": (lambda: ActiveIsing(size=9, epsilon=0.9), "epsilon: .* is called self_propulsion"),
    "D": (lambda: ActiveIsing(size=9, D=1), "D: .* is called diffusion"),
    "of run": (
        lambda: ActiveIsing(size=9, temperature=0.5),
        "temperature: no argument of ActiveIsing, but of ActiveIsing.run",
    ),
    "letter of run": (
        lambda: ActiveIsing(size=9, T=0.5),
        "T: no argument of ActiveIsing, but of ActiveIsing.run, called temperature",
    ),
    "a run's": (
        lambda: flocks().run(T=0.5, density=2, start=1, times=[1]),
        "T: the argument of ActiveIsing.run is called temperature",
    ),
    "rho0": (lambda: flocks().run(0.5, rho0=2, start=1, times=[1]), "rho0: .* density"),
    "size": (lambda: CahnHilliard(size=(8, 8)), "size: .* is called shape"),
    "eps": (lambda: CahnHilliard((8, 8), eps=2), "eps: .* is called epsilon"),
    "kappa": (
        lambda: CahnHilliard((8, 8), kappa=4),
        r"kappa: .* is called epsilon .*, which is sqrt\(kappa\)$",
    ),
    "B": (lambda: CahnHilliard((8, 8), B=1), r"B: .* is called reaction_rate \[1 / time\]$"),
    "dx": (lambda: CahnHilliard((8, 8), dx=2), "dx: .* is called spacing"),
    "3D": (lambda: coarsening((8, 8, 8), dx=2), "dx: .* is called spacing"),
    "dt": (
        lambda: CahnHilliard((8, 8), epsilon=2, device=CPU).run(np.zeros((8, 8)), [1], dt=1),
        r"dt: the argument of CahnHilliard.run is called step \[time\]",
    ),
    "c0": (lambda: mixtures(c0=0.3, noise=0.1, shape=(8, 8), seed=1), "c0: .* is called mean"),
    "committed": (lambda: ConvGRU.committed("staggered", size=(8, 8, 8)), "size: .* shape"),
    "measure": (lambda: structure.length(np.zeros((8, 8)), dx=2), "dx: .* is called spacing"),
    "too many": (lambda: structure.length(0, 1, 2, 3), "takes 3 arguments without a name, here"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_name_is_answered_with_the_right_one(name):
    call, message = CALLS[name]
    with pytest.raises(TypeError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_signatures_and_help_are_those_of_the_functions():
    assert list(inspect.signature(Ising).parameters)[:3] == ["size", "temperature", "field"]
    assert list(inspect.signature(CahnHilliard).parameters)[:2] == ["shape", "epsilon"]
    assert list(inspect.signature(ActiveIsing.run).parameters)[:2] == ["self", "temperature"]
    assert inspect.signature(Ising.run).parameters["spins"].annotation is np.ndarray
    text = pydoc.plain(pydoc.render_doc(Ising))
    assert "run(self, spins" in text
    assert "increasing MCS from 0 on" in text
    assert "mean_lifetime(model" in pydoc.plain(pydoc.render_doc(rare_events.mean_lifetime))


def test_every_name_that_is_offered_is_some_argument():
    """Of a public class or function of the models."""
    known: set[str] = set()
    for each in (Ising, CahnHilliard, ActiveIsing, ConvGRU):
        for function in (each, each.run if hasattr(each, "run") else each.advance):
            known |= {*inspect.signature(function).parameters}
    for function in (mixtures, coarsening, rare_events.find_field, rare_events.committor):
        known |= {*inspect.signature(function).parameters}
    known |= {*inspect.signature(Ising.evolve).parameters}
    known |= {*inspect.signature(ConvGRU.start).parameters}
    assert {*ARGUMENTS} <= known
    assert {*GIVEN_BY} <= {word for _, words in ARGUMENTS.values() for word in words.split()}


def test_warnings_are_of_the_line_that_calls():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = CahnHilliard((8, 8), epsilon=0.5, device=CPU)
        model.run(np.full((8, 8), 2.0), [0])
        network = ConvGRU.committed("staggered", shape=(8, 8, 8), device=CPU)
        network.start(mixtures([0.1], 0.05, (8, 8, 8), seed=1))
    assert len(seen) >= 3
    assert {each.filename for each in seen} == {__file__}


def test_any_name_stays_any_name():
    @named
    def free(first, **rest):
        return rest

    assert free(1, T=2) == {"T": 2}
