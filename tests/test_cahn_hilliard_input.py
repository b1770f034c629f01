"""What the Cahn-Hilliard solver refuses, warns of and survives, and the mixtures that it starts
from.
"""

import math

import numpy as np
import pytest
from scipy import stats

from kernels.cahn_hilliard import BlownUpError, CahnHilliard, mixtures
from kernels.device import select

INF, NAN = math.inf, math.nan
SHAPES = [(48, 48), (64, 64), (24, 24, 24), (32, 32, 32)]  # each runs another code

SYSTEMS = {  # keywords, what the message says
    "odd": (dict(shape=(9, 8)), "even"),
    "tiny": (dict(shape=(4, 8)), "at least 8"),
    "line": (dict(shape=(8,)), "shape"),
    "4D": (dict(shape=(8, 8, 8, 8)), "shape"),
    "number": (dict(shape=8), "shape"),
    "epsilon 0": (dict(epsilon=0), "epsilon"),
    "epsilon < 0": (dict(epsilon=-1.0), "epsilon"),
    "epsilon nan": (dict(epsilon=math.nan), "epsilon"),
    "well_depth": (dict(well_depth=0), "well_depth"),
    "mobility": (dict(mobility=-1), "mobility"),
    "spacing": (dict(spacing=INF), "spacing"),
    "form": (dict(form="double"), "unit"),
    "laplacian": (dict(laplacian="fd"), "finite_difference"),
    "precision": (dict(precision="float16"), "float32"),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_bad_systems(name):
    options, message = SYSTEMS[name]
    with pytest.raises(ValueError, match=message) as error:
        CahnHilliard(**{"shape": (8, 8), **options})
    assert "\n" not in str(error.value)


FIRST = dict(scheme="first_order")
RUNS = {  # times, keywords, what the message says
    "no times": ([], {}, "times"),
    "falling": ([2.0, 1.0], {}, "increase"),
    "equal": ([1.0, 1.0], {}, "increase"),
    "negative": ([-1.0], {}, "times"),
    "nan": ([math.nan], {}, "times"),
    "two inf": ([INF, INF], {}, "times"),
    "scheme": ([1.0], dict(scheme="euler"), "first_order"),
    "no step": ([1.0], FIRST, "step"),
    "step 0": ([1.0], dict(FIRST, step=0.0), "step"),
    "step < 0": ([1.0], dict(FIRST, step=-0.1), "step"),
    "step inf": ([1.0], dict(FIRST, step=INF), "step"),
    "step nan": ([1.0], dict(FIRST, step=math.nan), "step"),
    "adaptive step": ([1.0], dict(step=0.1), "step"),
    "explicit": ([1.0], dict(scheme="explicit", step=1.0), "unstable"),
    "tolerance 0": ([1.0], dict(tolerance=0.0), "tolerance"),
    "tolerance nan": ([1.0], dict(tolerance=math.nan), "tolerance"),
    "tolerance below round-off": ([1.0], dict(tolerance=1e-6), "at least 3e-06, or precision"),
    "step of 1e9": ([1.0], dict(FIRST, step=1e9), "means nothing beyond 10000 growth times"),
    "third order": ([1.0], dict(scheme="third_order", step=1.1), "unstable beyond 1"),
    "endless": ([INF], dict(steady_state=None), "steady_state"),
    "steady": ([1.0], dict(steady_state=-1.0), "steady_state"),
    "keep": ([1.0], dict(keep=[1]), "keep"),
    "on_blow_up": ([1.0], dict(on_blow_up="ignore"), "on_blow_up"),
}


@pytest.mark.parametrize("name", RUNS)
def test_bad_runs(device, name):
    times, options, message = RUNS[name]
    model = CahnHilliard((8, 8), laplacian="finite_difference", device=device)
    with pytest.raises(ValueError, match=message) as error:
        model.run(mixtures([0.5], 0.1, (8, 8), seed=1), times, **options)
    assert "\n" not in str(error.value)


FIELDS = {
    "flat": np.zeros(64),
    "shape": np.zeros((1, 8, 4)),
    "none": np.zeros((0, 8, 8)),
    "nan": np.full((1, 8, 8), np.nan),
    "inf": np.full((1, 8, 8), np.inf),
    "0 to 255": np.arange(256, dtype=np.uint8).reshape(1, 16, 16)[:, ::2, ::2],
    "5": np.full((1, 8, 8), 5),
}


@pytest.mark.parametrize("name", FIELDS)
def test_bad_fields(device, name):
    with pytest.raises(ValueError, match="fields") as error:
        CahnHilliard((8, 8), device=device).run(FIELDS[name], [1.0])
    assert "\n" not in str(error.value)


def test_what_a_field_out_of_range_is_told(device):
    with pytest.raises(ValueError, match="concentrations are 0 to 238; expected about 0 to 1"):
        CahnHilliard((8, 8), device=device).run(FIELDS["0 to 255"], [1.0])
    model = CahnHilliard((8, 8), device=device)
    far = np.linspace(0.5, 1.4, 64).reshape(1, 8, 8)
    with pytest.warns(UserWarning, match="concentrations are 0.5 to 1.4; expected about 0 to 1"):
        model.run(far, [0.0])
    start = mixtures([0.5], 0.1, (8, 8), seed=1)
    with pytest.warns(
        UserWarning, match=r"step = 100 is 25 growth times of the fastest wave \(4\)"
    ):
        model.run(start, [100.0], scheme="first_order", step=100.0)


def test_an_energy_that_rises_is_said(device):
    """Waves that the scheme's own instability feeds: second order, without enough stabilisation for
    so deep a quench.
    """
    model = CahnHilliard((64, 64), device=device)
    start = 0.5 + 5 * (mixtures([0.5], 0.1, (64, 64), seed=1) - 0.5)
    start = np.clip(3 * start - 1, -0.6, 1.6)
    with pytest.warns(UserWarning, match="energy of 1 of 1 fields rises .* step = 2 is too long"):
        model.run(start, np.arange(0, 21, 2.0), scheme="second_order", step=2.0, on_blow_up="keep")


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        (dict(epsilon=0.5), "2.1"),
        (dict(epsilon=1.0, spacing=2.0), "2.1"),
        (dict(epsilon=1.0, well_depth=4.0), "2.1"),
    ],
)
def test_coarse_interface(options, cells):
    """A grid too coarse for its interface is named with the number of cells, 2 sqrt(2) artanh(0.9)
    e / dx, not refused.
    """
    with pytest.warns(UserWarning, match=rf"\b{cells} cells"):
        assert CahnHilliard((8, 8), **options).interface_cells == pytest.approx(4.164 / 2, abs=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [4, 6, 20])
@pytest.mark.parametrize("scheme", ["first_order", "second_order", "explicit"])
@pytest.mark.filterwarnings("ignore:concentrations are")
def test_blow_up(device, shape, steps, scheme):
    """A wild field is named, however soon it is looked at, with its last good state; the others,
    its neighbour in the batch too, end as if alone.
    """
    model = CahnHilliard(shape, laplacian="finite_difference", device=device)
    start = mixtures([0.5] * 5, 0.1, shape, seed=12)
    start[2] = 0.5 + 19 * (start[2] - 0.5)
    steps_of = {
        "first_order": 10.0,
        "second_order": 0.5,
        "explicit": 0.024 if len(shape) == 2 else 0.0118,
    }
    options = dict(scheme=scheme, step=steps_of[scheme])
    times = [0, steps * options["step"]]
    others = model.run(start[[0, 1, 3, 4]], times, **options)
    with pytest.raises(BlownUpError, match=r"field 2 .*step") as error:
        model.run(start, times, **options)
    run = model.run(start, times, on_blow_up="keep", **options)
    for trajectory in [error.value.trajectory, run]:
        assert np.isfinite(trajectory.fields).all()
        assert np.isfinite(trajectory.free_energy).all()
        assert trajectory.end_time[2] < times[1]
        assert np.array_equal(trajectory.fields[2, 0], trajectory.fields[2, 1])
        assert np.array_equal(trajectory.diverged, [False, False, True, False, False])
        assert np.abs(trajectory.fields[[0, 1, 3, 4]] - others.fields).max() < 1e-6


def test_mixtures():
    """Noise is uniform, has no mean of its own and belongs to (seed, index) alone, indices near
    2^64 included.
    """
    fields = mixtures([0.3, 0.5], 0.1, (64, 64), seed=1)
    assert fields.dtype == np.float32
    assert fields.astype(float).mean((1, 2)) == pytest.approx([0.3, 0.5], abs=1e-8)
    assert stats.kstest((fields[0] - 0.3).ravel(), stats.uniform(-0.1, 0.2).cdf).pvalue > 1e-5
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 5 / 64
    assert np.array_equal(mixtures([0.5], 0.1, (64, 64), seed=1, index=[1])[0], fields[1])
    many = mixtures(
        [0.5] * 6, 0.1, (8, 8), seed=1, index=[0, 1, 2**53 + 1, 2**63, 2**63 + 1, 2**64 - 1]
    )
    assert len(np.unique(many[:, 0, 0])) == 6
    assert not np.array_equal(
        mixtures([0.5], 0.1, (8, 8), seed=2), mixtures([0.5], 0.1, (8, 8), seed=1)
    )


def test_one_field_is_a_batch_of_one_and_numbers_of_any_kind_are_numbers():
    model = CahnHilliard([8, np.int64(8)], epsilon=np.float32(1), device=select("cpu", workers=1))
    assert (model.shape, model.epsilon) == ((8, 8), 1.0)
    start = mixtures(0.5, 0.1, (8, 8), seed=np.uint64(1))
    assert np.array_equal(start, mixtures([0.5], 0.1, (8, 8), seed=1))
    one, batch = model.run(start[0], 1), model.run(start, [1.0])
    assert np.array_equal(one.fields, batch.fields)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(mean=[NAN]), "mean holds nan"),
        (dict(mean="half"), "mean is 'half'; it must hold numbers"),
        (dict(noise=-1), "noise is -1; it must be a finite number of at least 0"),
        (dict(noise=NAN), "noise is nan"),
        (dict(seed=-1), r"seed is -1; it must be a whole number from 0 to 2\^64 - 1"),
        (dict(seed=True), "seed is True"),
        (dict(index=[2**64]), "index is 18446744073709551616"),
        (dict(index=[0, 1]), "index names 2 fields; mean has 1"),
        (dict(shape=64), "shape is 64; it must be 2 or 3 numbers of cells"),
        (dict(stream="noise"), "stream is 'noise'"),
    ],
)
def test_bad_mixtures(arguments, said):
    with pytest.raises(ValueError, match=said) as error:
        mixtures(**{**dict(mean=[0.5], noise=0.1, shape=(8, 8), seed=1), **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(epsilon="1"), "epsilon is '1'; it must be positive and finite"),
        (dict(epsilon=1e200), r"epsilon is 1e\+200; expected a number of the order of 1"),
        (dict(epsilon=1e8), r"epsilon is 1e\+08; an interface would be"),
        (dict(epsilon=True), "epsilon is True"),
        (dict(shape=(8, 9)), r"shape is \(8, 9\); each side must be an even number"),
    ],
)
def test_bad_numbers_of_a_system(arguments, said):
    with pytest.raises(ValueError, match=said):
        CahnHilliard(**{"shape": (8, 8), **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(steady_state=NAN), "steady_state is nan; it must be positive and finite"),
        (dict(max_steps=-1), "max_steps is -1; it must be a whole number of at least 1"),
        (dict(max_steps=1.5), "max_steps is 1.5"),
        (dict(tolerance=NAN), "tolerance is nan"),
        (dict(scheme=3), "scheme is 3; it must be one of adaptive"),
    ],
)
def test_bad_numbers_of_a_run(arguments, said):
    model = CahnHilliard((8, 8), device=select("cpu", workers=1))
    with pytest.raises(ValueError, match=said):
        model.run(mixtures(0.5, 0.1, (8, 8), seed=1), [1.0], **arguments)
