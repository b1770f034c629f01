"""Arguments of the wrong kind, to every public call for fields: one line that names the argument
and what it got, never Python's or NumPy's own words.
"""

import numpy as np
import pytest

from kernels import interface, structure
from kernels.cahn_hilliard import CahnHilliard, coarsening, mixtures
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.critical_nucleus import critical_nucleus
from kernels.device import select
from kernels.free_energy import FreeEnergy, double_well, flory_huggins, from_expression

CPU = select("cpu", workers=1)
START = np.full((1, 8, 8), 0.5) + 0.01 * np.cos(np.arange(8) * np.pi / 4)
MODEL = CahnHilliard((8, 8), epsilon=2, device=CPU)
NETWORK = random_parameters(1, hidden=2)


def network() -> ConvGRU:
    found = ConvGRU(NETWORK, (4, 4, 4), device=CPU)
    found.start(np.full((4, 4, 4), 0.5))
    return found


# what is called, with what else, and its arguments
CALLS = {
    "CahnHilliard": (
        lambda **k: CahnHilliard(device=CPU, **k),
        dict(shape=(8, 8), epsilon=2),
        "shape epsilon well_depth mobility form spacing laplacian precision boundary reaction_rate",
    ),
    "coarsening": (
        lambda **k: coarsening(device=CPU, **k),
        {"shape": (8, 8, 8)},
        "interface_width",
    ),
    "run": (
        lambda **k: MODEL.run(**{"max_steps": 9, **k}),
        dict(fields=START, times=[0, 0.1]),
        "fields times scheme step tolerance keep max_steps on_blow_up observe temperature seed index "
        "progress",
    ),
    "compile": (MODEL.compile, {}, "scheme"),
    "energies": (MODEL.energies, {}, "fields"),
    "long_range_energy": (MODEL.long_range_energy, {}, "fields"),
    "growth_rate": (MODEL.growth_rate, dict(wave_number=1, mean=0.5), "wave_number mean"),
    "mixtures": (
        mixtures,
        dict(mean=[0.5], noise=0.1, shape=(8, 8), seed=1),
        "mean noise shape seed index stream",
    ),
    "FreeEnergy": (FreeEnergy, {}, "wells depth coefficients"),
    "double_well": (double_well, dict(c_a=0, c_b=1), "c_a c_b rho"),
    "from_expression": (from_expression, dict(text="c**2*(1-c)**2"), "wells cut"),
    "flory_huggins": (flory_huggins, dict(chi=3), "chi n_a n_b cut"),
    "derivative": (double_well(0, 1).derivative, dict(order=1, c=0.5), "order c"),
    "derivative of an expression": (flory_huggins(3).derivative, dict(order=1, c=0.5), "order c"),
    "critical_nucleus": (critical_nucleus, dict(model=MODEL, mean=0.15), "model mean"),
    "ConvGRU": (
        lambda **k: ConvGRU(device=CPU, **k),
        dict(parameters=NETWORK, shape=(4, 4, 4)),
        "parameters shape count output",
    ),
    "from_file": (lambda **k: ConvGRU.from_file(device=CPU, shape=(4, 4, 4), **k), {}, "path"),
    "start": (lambda **k: network().start(**k), {"phi": np.full((4, 4, 4), 0.5)}, "phi hidden"),
    "advance": (lambda **k: network().advance(**k), {}, "steps"),
    "load": (lambda **k: network().load(**k), {}, "flat"),
    "random_parameters": (random_parameters, dict(seed=1, hidden=2), "seed hidden output"),
    "structure_factor": (
        structure.structure_factor,
        dict(fields=START),
        "fields spacing dimensions",
    ),
    "length": (structure.length, dict(fields=START), "fields spacing dimensions"),
    "wave_numbers": (structure.wave_numbers, dict(shape=(8, 8)), "shape spacing"),
    "area": (interface.area, dict(fields=START, level=0.5), "fields level spacing dimensions"),
    "perimeter": (
        interface.perimeter,
        dict(fields=START, level=0.5),
        "fields level spacing dimensions",
    ),
    "euler_characteristic": (
        interface.euler_characteristic,
        dict(fields=START, level=0.5),
        "fields level dimensions",
    ),
    "width": (interface.width, dict(phi=np.ones((1, 4, 4, 4))), "phi spacing"),
}
WRONG = {
    "an object": object(),
    "a function": lambda: 1,
    "a dict": {"a": 1},
    "a set": {1, 2},
    "a ragged list": [[1], [1, 2]],
    "a complex number": 3j,
    "a generator": (each for each in ()),
    "a slice": slice(3),
}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_kinds(name):
    call, more, arguments = CALLS[name]
    for argument in arguments.split():
        for kind, value in WRONG.items():
            if (argument, kind) == ("progress", "a function"):
                continue
            with pytest.raises(ValueError, match=argument.rstrip("s")) as error:
                call(**{**more, argument: value})
            assert "\n" not in str(error.value), (argument, kind)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(keep=True), r"keep is True; it must be a list of numbers of the 2 times, from 0"),
        (dict(keep=[0.5]), r"keep is 0\.5; it must be a whole number"),
        (dict(keep=[True]), r"keep is True"),
        (dict(keep=["a"]), r"keep is 'a'"),
        (dict(keep=[2]), r"keep is \[2\]; it must be a list of numbers of the 2 times, from 0"),
        (dict(observe=None), r"observe is None; it must be a list of names"),
        (dict(observe=[3]), r"observe is 3; it must be one of energy"),
        (dict(times="now"), r"times is 'now'; it must hold numbers"),
        (dict(times=[[0, 1]]), r"times are \[\[0, 1\]\]; they must increase from 0 on"),
        (dict(times=[-np.inf, 0]), r"times holds -inf"),
        (dict(seed=-1), r"seed is -1; it must be a whole number from 0 to 2\^64 - 1"),
        (dict(seed="a"), r"seed is 'a'"),
        (dict(index=5), r"index is 5; it must be a list of whole numbers"),
        (dict(index=[-5]), r"index is -5"),
    ],
)
def test_what_a_run_says(arguments, said):
    """The seed and the index too, where there is no noise."""
    with pytest.raises(ValueError, match=said) as error:
        MODEL.run(**{**dict(fields=START, times=[0, 1]), **arguments})
    assert "\n" not in str(error.value)


def test_lists_of_any_kind():
    kept = MODEL.run(START, (0, 1), keep=range(1), observe=("energy",), seed=np.uint64(3))
    assert kept.fields.shape == (1, 1, 8, 8)
    kept = MODEL.run(START, np.array([0, 1, np.inf]), keep=np.array([0, -1]), observe=["energy"])
    assert kept.kept_times.tolist() == [0, np.inf]
