"""The fused paths give what plain FFTs give, whatever the lanes, the workers and the company a
field keeps.
"""

import numpy as np
import pytest

from kernels import cahn_hilliard_explicit
from kernels.cahn_hilliard import BlownUpError, CahnHilliard, mixtures
from kernels.cahn_hilliard_box import Box
from kernels.cahn_hilliard_clock import media, rule
from kernels.cahn_hilliard_fft import by_fft
from kernels.cahn_hilliard_lines import line_order
from kernels.cahn_hilliard_pairs import pairs_of_lines
from kernels.cahn_hilliard_paths import choose
from kernels.cahn_hilliard_plan import plan as planned
from kernels.device import select

FIXED = [("first_order", 0.05), ("second_order", 0.05), ("third_order", 0.05)]
ROUND_OFF = {"float32": 3e-6, "float64": 1e-13}  # after some 100 steps, largest difference of c


def both(model, start, times, **how):
    """The same run on its own path and by plain FFTs."""
    plan = planned(
        model,
        start,
        times,
        how["scheme"],
        how.get("step"),
        how.get("tolerance", 1e-5),
        how.get("steady_state"),
        None,
        10**6,
    )
    path = choose(model, how["scheme"])
    assert path is not by_fft
    return path(model, plan, lambda done: None), by_fft(model, plan, lambda done: None)


SYSTEMS = [
    ((32, 32), "float32"),
    ((64, 64), "float32"),
    ((64, 64), "float64"),
    ((128, 128), "float32"),
    ((32, 32, 32), "float32"),
    ((32, 32, 32), "float64"),
    ((64, 64, 64), "float32"),
    ((32, 128, 64), "float32"),
]


@pytest.mark.parametrize(
    ("shape", "precision"),
    SYSTEMS,
    ids=lambda v: "x".join(map(str, v)) if isinstance(v, tuple) else v,
)
@pytest.mark.parametrize("laplacian", ["spectral", "finite_difference"])
def test_fixed_steps_are_those_of_plain_ffts(shape, precision, laplacian):
    model = CahnHilliard(
        shape,
        epsilon=1.3,
        well_depth=0.8,
        mobility=1.7,
        spacing=1.1,
        laplacian=laplacian,
        precision=precision,
        device=select("cpu", workers=1),
    )
    start = mixtures([0.3, 0.5, 0.62][: 3 if len(shape) == 2 else 1], 0.1, shape, seed=3)
    for scheme, step in FIXED:
        fused, plain = both(model, start, [0.0, 1.01, 4.0], scheme=scheme, step=step)
        assert np.array_equal(fused.steps, plain.steps)
        assert np.abs(fused.fields - plain.fields).max() < ROUND_OFF[precision]
        assert fused.fields[:, -1].std() > 0.003  # a wave is there


@pytest.mark.slow
@pytest.mark.parametrize(("size", "precision"), [(128, "float64"), (256, "float32")])
def test_some_steps_in_a_larger_box(size, precision):
    model = CahnHilliard(
        (size,) * 3,
        precision=precision,
        laplacian="finite_difference",
        device=select("cpu", workers=2),
    )
    start = mixtures([0.4], 0.1, model.shape, seed=3)
    plan = planned(model, start, [1e9], "second_order", 0.02, 1e-5, None, None, 4)
    fused, plain = (
        choose(model, "adaptive")(model, plan, lambda done: None),
        by_fft(model, plan, lambda done: None),
    )
    assert choose(model, "adaptive") is not by_fft
    assert fused.steps == plain.steps == 4
    assert fused.time == pytest.approx(plain.time, rel=1e-6)
    assert np.abs(fused.fields - plain.fields).max() < ROUND_OFF[precision]
    assert np.abs(fused.fields - start).max() > 0.01


@pytest.mark.parametrize("shape", [(64, 64), (32, 32, 32)])
def test_adaptive_steps_are_those_of_plain_ffts(shape):
    model = CahnHilliard(shape, precision="float64", device=select("cpu", workers=1))
    start = mixtures([0.45, 0.3], 0.1, shape, seed=4)
    fused, plain = both(model, start, [0.0, 3.0, 20.0, 21.0], scheme="adaptive", steady_state=1e-10)
    assert np.array_equal(fused.steps, plain.steps)
    assert fused.steps[0] != fused.steps[1]
    assert np.abs(fused.fields - plain.fields).max() < 1e-10


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 32)])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_lanes_change_round_off_alone(shape, precision):
    start = mixtures([0.5, 0.4, 0.3], 0.1, shape, seed=5)
    devices = [select("cpu", workers=1, lanes=lanes) for lanes in (16, 4, 1)]
    models = [CahnHilliard(shape, precision=precision, device=device) for device in devices]
    fields = [model.run(start, [2.0], scheme="second_order", step=0.02).fields for model in models]
    assert max(np.abs(f - fields[0]).max() for f in fields[1:]) < ROUND_OFF[precision]


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 32), (64, 64, 64)])
def test_workers_change_nothing(shape):
    start = mixtures(np.linspace(0.3, 0.7, 80 if len(shape) == 2 else 1), 0.1, shape, seed=6)
    one, three = (
        CahnHilliard(shape, device=select("cpu", workers=n)).run(start, [0.0, 1.0, 5.0])
        for n in (1, 3)
    )
    assert np.array_equal(one.fields, three.fields)
    assert np.array_equal(one.steps, three.steps)


def test_a_field_does_not_depend_on_the_others():
    """83 fields: more than lanes, so that they come and go at different times."""
    model = CahnHilliard((32, 32), device=select("cpu", workers=1))
    start = mixtures(np.linspace(0.1, 0.9, 83), 0.1, (32, 32), seed=7)
    times = [0.0, 2.0, 50.0, np.inf]
    together = model.run(start, times)
    for i in (0, 17, 34, 41, 82):
        alone = model.run(start[i : i + 1], times)
        assert np.array_equal(together.fields[i], alone.fields[0])
        assert together.steady_time[i] == alone.steady_time[0]
    assert np.allclose(together.fields[:, 0], start, atol=1e-7)
    assert np.isfinite(together.steady_time).all()
    assert len(set(together.steps)) > 20


@pytest.mark.parametrize("scheme", ["first_order", "second_order", "third_order"])
def test_nor_at_fixed_steps(scheme):
    model = CahnHilliard((32, 32), device=select("cpu", workers=1))
    start = mixtures(np.linspace(0.1, 0.9, 70), 0.1, (32, 32), seed=7)
    together = model.run(start, [2.0, 10.0, np.inf], scheme=scheme, step=0.13, steady_state=1e-5)
    assert len(set(together.steps)) > 10
    for i in (0, 31, 36, 69):
        alone = model.run(
            start[i : i + 1], [2.0, 10.0, np.inf], scheme=scheme, step=0.13, steady_state=1e-5
        )
        assert np.array_equal(together.fields[i], alone.fields[0])


@pytest.mark.parametrize("shape", [(32, 32), (48, 48), (32, 32, 32)])
def test_more_looks_do_not_disturb(shape):
    """Landing on 40 more times costs steps, not accuracy: F(t) agrees within the tolerance's own
    error.
    """
    model = CahnHilliard(shape, device=select("cpu", workers=1))
    start = mixtures([0.5, 0.5], 0.1, shape, seed=9)
    few, many = model.run(start, [10.0, 40.0]), model.run(start, np.linspace(1.0, 40.0, 40))
    assert (many.free_energy[:, [9, 39]] / few.free_energy - 1 < 3e-3).all()
    assert (many.steps < 2.5 * few.steps + 100).all()


@pytest.mark.parametrize("shape", [(32, 32), (48, 48), (32, 32, 32)])
@pytest.mark.filterwarnings("ignore:concentrations are")
def test_what_blows_up_is_stopped_and_the_last_look_kept(shape):
    model = CahnHilliard(shape, device=select("cpu", workers=1))
    start = mixtures([0.5, 0.5, 0.5, 0.5], 0.1, shape, seed=10)
    start[2] = (start[2] - 0.5) * 19 + 0.5  # u of -3.8 to 3.8: what no stabilisation holds
    with pytest.raises(BlownUpError, match="field 2 blew up at t = "):
        model.run(start, [0.0, 10.0, 30.0], scheme="second_order", step=0.5)
    kept = model.run(start, [0.0, 10.0, 30.0], scheme="second_order", step=0.5, on_blow_up="keep")
    assert kept.diverged.tolist()[2]
    assert np.isfinite(kept.fields).all()
    assert np.array_equal(kept.fields[2, 1], kept.fields[2, 0])
    others = [0, 1, 3]
    assert not kept.diverged[others].any()
    assert (kept.end_time[others] == 30.0).all()


def test_too_few_steps_are_said():
    model = CahnHilliard((32, 32), device=select("cpu", workers=1))
    with pytest.warns(
        UserWarning, match="2 of 2 fields did not reach the last time within 7 steps"
    ):
        run = model.run(mixtures([0.5, 0.4], 0.1, (32, 32), seed=11), [0.0, 50.0], max_steps=7)
    assert (run.steps == 7).all()
    assert (run.end_time < 50).all()


@pytest.mark.parametrize("size", [32, 64])
def test_every_wave_is_in_one_pair(size):
    model = CahnHilliard((size,) * 3, device=select("cpu", workers=1))
    place, _, _, k2, weight = pairs_of_lines(model, 16)
    assert weight.sum() == size**2
    seen = np.zeros((size, size + 1), int)
    for which in (0, 1):
        np.add.at(seen.reshape(-1), place[:, which][weight > 0], 1)
    assert (seen == 2).sum() == 4  # those that are their own mirror image
    assert (seen[:, :size] >= 1).all()
    assert not seen[:, size].any()
    one, two = (np.divmod(place[:, which], size + 1) for which in (0, 1))
    order = line_order(size)
    assert ((order[one[0]] + order[two[0]]) % size == 0).all()
    assert ((order[one[1]] + order[two[1]]) % size == 0).all()
    assert k2.max() == pytest.approx(2 * np.pi**2, rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_coefficients_of_a_box_are_those_of_numpy_and_make_it_again(precision):
    model = CahnHilliard((32, 32, 32), precision=precision, device=select("cpu", workers=2))
    u = np.random.default_rng(1).normal(size=model.shape).astype(precision)
    v = u - u.mean()
    words = rule(model, "adaptive", None, 1e-5, None)
    box, again = (Box(model, words, 3, True) for _ in range(2))
    box.put(slice(0, 20), v[:20])
    box.put(slice(20, None), v[20:])
    assert np.array_equal(box.planes(slice(7, 23)), v[7:23])
    box.medium[:] = again.medium[:] = media(model, np.array([float(u.mean())]))[0]
    box.start()
    now = box.coefficients()["u_0"]
    expected, bound = np.fft.rfftn(v.astype(np.float64)), 200 * np.finfo(precision).eps
    assert np.abs(now[:] - expected).max() < bound * np.abs(expected).max()
    assert np.abs(now[3:5] - expected[3:5]).max() < bound * np.abs(expected).max()
    assert box.stiffness() == pytest.approx(
        np.mean(v * -second_derivatives(v)), rel=1e-4 if precision == "float32" else 1e-10
    )
    for _ in range(4):
        box.advance(1.0, 1)
    again.clock[:] = box.clock
    here, there = box.coefficients(), again.coefficients()
    assert list(here) == list(there) == ["u_0", "u_1", "u_2", "nonlinear_1", "nonlinear_2"]
    for name in here:
        for part in (slice(0, 9), slice(9, 32)):
            there[name][part] = here[name][part]
        assert np.array_equal(there[name].state, here[name].state)  # fills too
    again.restore()
    for each in (box, again):
        each.advance(1.0, 1)
    assert np.array_equal(again.planes(slice(None)), box.planes(slice(None)))


def second_derivatives(u):
    """Of a field by its Fourier coefficients, float64."""
    k = 2 * np.pi * np.fft.fftfreq(len(u))
    k2 = k[:, None, None] ** 2 + k[:, None] ** 2 + k[: len(u) // 2 + 1] ** 2
    return np.fft.irfftn(-k2 * np.fft.rfftn(u.astype(np.float64)))


@pytest.mark.parametrize(
    ("workers", "shape", "threads"),
    [
        (8, (1, 32, 32, 32), 1),
        (2, (1, 64, 64, 64), 1),
        (2, (2, 64, 64, 64), 2),
        (8, (9, 512, 512), 8),
    ],
)
def test_explicit_steps_wake_threads_for_large_fields_alone(workers, shape, threads):
    rows, row = int(np.prod(shape[:-1])), shape[-1]
    assert cahn_hilliard_explicit.threads_worth_waking(workers, rows, row) == threads


def test_explicit_steps_have_the_same_bytes_by_several_threads(monkeypatch):
    monkeypatch.setattr(cahn_hilliard_explicit, "CELLS_A_THREAD", 1 << 10)
    start = 0.5 + 0.1 * np.random.default_rng(3).normal(size=(2, 16, 16, 16))
    found = []
    for workers in (1, 3):
        model = CahnHilliard(
            shape=(16, 16, 16),
            laplacian="finite_difference",
            device=select("cpu", workers),
        )
        run = model.run(start, [0.05], scheme="explicit", step=0.0025, steady_state=None)
        found.append(run.fields)
    assert np.array_equal(*found)
