"""Mixtures that go on from the end of a run."""

from dataclasses import replace

import numpy as np
import pytest

from kernels.cahn_hilliard import CahnHilliard, mixtures


def test_a_mixture_goes_on():
    """In two stretches as in one, to the error of a step; by another model it is a quench."""
    model = CahnHilliard((16, 16), epsilon=1.5, precision="float64")
    start = mixtures([0.4, 0.5], 0.1, (16, 16), seed=1)
    how = dict(tolerance=1e-6, observe=("energy", "length"))
    whole = model.run(start, [2, 5, float("inf")], **how)
    first = model.run(start, [1, 2], **how, keep=[-1])
    on = model.go_on(first, [5, float("inf")])
    assert on.times.tolist() == [5, float("inf")]
    assert on.kept_times.tolist() == [5, float("inf")]
    assert on.fields == pytest.approx(whole.fields[:, 1:], abs=2e-5)
    assert on.length == pytest.approx(whole.length[:, 1:], rel=2e-5)
    assert on.steady_time == pytest.approx(whole.steady_time, rel=0.05)
    wider = replace(model, epsilon=3.0)
    assert wider.go_on(first, [5]).fields == pytest.approx(
        wider.run(first.fields[:, 0], [3], **how).fields
    )
    with pytest.raises(ValueError, match=r"beyond 2, the run's last"):
        model.go_on(first, [2])
    with pytest.raises(ValueError, match="at rest"):
        model.go_on(on, [1e9])
    with pytest.raises(ValueError, match=r"kept no field of its last time, 2; .* keep=\[-1\]"):
        model.go_on(model.run(start, [1, 2], keep=[0]), [5])


def test_no_run_goes_on_from_before_its_last_time():
    """Fields that max_steps or a blow-up stopped are those of an earlier time."""
    model = CahnHilliard((16, 16), epsilon=1.5)
    start = mixtures([0.4, 0.5], 0.1, (16, 16), seed=1)
    with pytest.warns(UserWarning, match="did not reach the last time"):
        short = model.run(start, [1, 50], max_steps=20)
    with pytest.raises(
        ValueError, match=r"field 0 of the run ended at t = 0\.\d+, before its last"
    ):
        model.go_on(short, [60])
    run = model.run(start, [1, 2])
    gone = replace(run, diverged=np.array([False, True]), end_time=np.array([2.0, 1.0]))
    with pytest.raises(ValueError, match=r"field 1 of the run ended at t = 1, .* it blew up"):
        model.go_on(gone, [3])
    for times in ([[3, 4]], [3, 3], [4, 3], []):
        with pytest.raises(ValueError, match="must be one or more increasing numbers beyond 2"):
            model.go_on(run, times)


def test_noise_goes_on_where_a_mixture_does():
    """As if the run had not ended: in two stretches the fields of one."""
    model = CahnHilliard((8, 8), epsilon=2, spacing=2, precision="float64")
    how = dict(scheme="first_order", step=0.5, steady_state=None, temperature=0.1, seed=1)
    start = np.full((3, 8, 8), 0.1)
    whole = model.run(start, [1, 2, 3], **how)
    on = model.go_on(model.run(start, [1], **how), [2])
    assert on.fields[:, 0] == pytest.approx(whole.fields[:, 1], abs=1e-12)
    on = model.go_on(on, [3])
    assert on.fields[:, 0] == pytest.approx(whole.fields[:, 2], abs=1e-12)
    assert np.array_equal(on.steps, whole.steps)
    again = model.run(whole.fields[:, 0], [1], **how)
    assert np.abs(again.fields[:, 0] - whole.fields[:, 1]).max() > 0.01, "other noise"


def test_a_reaction_goes_on():
    """The mean relaxes on, to round-off."""
    model = CahnHilliard(
        (16, 16), precision="float64", reaction_mean=0.6, epsilon=1.5, reaction_rate=0.07
    )
    run = model.run(mixtures([0.3], 0.1, (16, 16), seed=1), [0, 2], steady_state=None)
    later = model.go_on(run, [5])
    assert later.mean[0, 0] == pytest.approx(0.6 - 0.3 * np.exp(-0.07 * 5), abs=1e-8)
