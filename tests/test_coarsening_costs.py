"""The table of time and error: the same trajectory by every method, errors against a converged
reference.
"""

import numpy as np
import pytest
from test_coarsening_rollout import config, planted, weights

from jobs import shards
from jobs.coarsening import costs, starts, trained
from jobs.coarsening.generate import solver
from jobs.coarsening.measures import energies
from jobs.progress import Progress
from jobs.rundir import System
from jobs.units import Rank
from kernels.conv_gru import ConvGRU
from kernels.device import select

NAMES = ["staggered/seed-0"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(arrays, attributes, path) of costs.h5 of a 16^3 truth over 4 frames."""
    folder = planted(tmp_path_factory.mktemp("costs") / "run")
    (folder / "log").mkdir()
    c, device = config(), select("cpu", 1)
    c.rollout.costs.frames, c.rollout.costs.repeats = 4, 3

    def stepper(system, name, shape, count, device):
        return ConvGRU(weights(name), shape, count, "staggered", device)

    with (
        pytest.MonkeyPatch.context() as patch,
        Progress(folder / "log", "rollout", Rank()) as progress,
    ):
        patch.setattr(trained, "stepper", stepper)
        costs.write(System("", folder, c), NAMES, device, progress)
        path = folder / "rollout" / "costs.h5"
        before = path.stat().st_mtime_ns
        costs.write(System("", folder, c), NAMES, device, progress)
        assert path.stat().st_mtime_ns == before  # made with the same before
    return *shards.read(path), path


def lines_of(found, method):
    return [i for i, name in enumerate(found["method"]) if name.decode() == method]


def test_every_method_has_a_line(written):
    found, attributes, _ = written
    names = [name.decode() for name in found["method"]]
    assert set(names) == {
        "network staggered/seed-0",
        "explicit",
        "first_order",
        "second_order",
        "adaptive",
    }
    assert names.count("adaptive") == len(costs.TOLERANCES)
    for name in ("seconds_per_frame", "seconds_least", "seconds_most", "rmse", "free_energy_error"):
        assert found[name].shape == (len(names),)
        assert np.isfinite(found[name]).all()
    assert (found["seconds_least"] <= found["seconds_per_frame"]).all()
    assert (found["seconds_per_frame"] <= found["seconds_most"]).all()
    assert found["steps"][lines_of(found, "explicit")[0]] == pytest.approx(4 / 2.5e-3, abs=2)
    assert found["steps"][lines_of(found, "network staggered/seed-0")[0]] == 4
    assert (
        attributes["frames"],
        attributes["repeats"],
        attributes["threads"],
        attributes["cells"],
    ) == (4, 3, 1, 16**3)
    assert {"device", "host", "git_revision", "reference"} <= set(attributes)


def test_errors_fall_with_steps_and_tolerances_and_the_reference_is_converged(written):
    found, attributes, _ = written
    for method in ("first_order", "second_order", "adaptive"):
        rows = lines_of(found, method)
        assert (np.diff(found["value"][rows]) < 0).all()
        assert found["rmse"][rows[-1]] < found["rmse"][rows[0]] / 3
    explicit, best = found["rmse"][lines_of(found, "explicit")[0]], found["rmse"].min()
    assert attributes["convergence_ratio"] == pytest.approx(2, abs=0.1)
    assert attributes["convergence_rmse"] < 0.02 * explicit
    assert best < 0.1 * attributes["persistence_rmse"]
    assert explicit < 0.02 * attributes["persistence_rmse"]
    untrained = lines_of(found, "network staggered/seed-0")[0]
    assert found["rmse"][untrained] > 10 * explicit


def test_the_explicit_scheme_is_as_wrong_as_its_step_makes_it(written):
    """Against a step eight times as short in float64, its own error an eighth: not half of it, as
    against half the step.
    """
    found, _, _ = written
    c, device = config(), select("cpu", 1)
    start = starts.perlin(
        16, [8], [0.5], 0.1, c.seed, [starts.identity(starts.CASE, 0, costs.CASE)], device
    )
    fine, plain = (
        solver(c, 16, device, "float64").run(
            start, [4.0], scheme="explicit", step=2.5e-3 / n, steady_state=None, observe=False
        )
        for n in (8, 1)
    )
    expected = np.sqrt(((plain.fields - fine.fields)[0, 0, ::2, ::2, ::2] ** 2).mean())
    assert found["rmse"][lines_of(found, "explicit")[0]] == pytest.approx(
        expected * 8 / 7, rel=0.05
    )


def test_an_error_is_rms_and_relative_free_energy():
    c, generator = config(), np.random.default_rng(1)
    reference = generator.uniform(0, 1, (4, 4, 4))
    phi = reference + 0.01
    rms, free = costs.error(phi, reference, c)
    assert rms == pytest.approx(0.01)
    both = energies(np.stack([phi, reference]), 2.0, 3.0)
    assert free == pytest.approx(abs(both[0] - both[1]) / both[1])
    assert costs.error(reference, reference, c) == (0, 0)
