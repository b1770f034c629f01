"""How far ahead one can see: ends from perturbed inputs, and linear theory beside them."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from figure_labels import unreadable

from analysis import segregation, style
from analysis.__main__ import main
from analysis.record import Record
from analysis.segregation import figures_predictability
from analysis.segregation import predictability as measures
from analysis.segregation.claims import foretold
from jobs import shards
from jobs.segregation import fields, predictability

SMALL = """
seed: 3
system: {size: 32, epsilon: 1.5}
generate: {first_mean: 0.35, last_mean: 0.5, mean_step: 0.15, training: 1, validation: 1, test: 4, times: [0, 20, 100]}
collect: {fates: 0, foretold: 6, perturbations: [1.0e-5, 0.05]}
train: {batch: 1}
"""


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation cell by cell of fields (..., L, L), (...)."""
    a, b = (x - x.mean((-2, -1), keepdims=True, dtype=np.float64) for x in (a, b))
    return (a * b).sum((-2, -1)) / np.sqrt((a**2).sum((-2, -1)) * (b**2).sum((-2, -1)))


@pytest.fixture
def collected(quench, tmp_path):
    config, run = tmp_path / "small.yaml", tmp_path / "run"
    config.write_text(SMALL)
    for stage in ("generate", "collect"):
        assert quench("segregation", stage, config, "--run", run)[0] == 0
    return run


def test_what_is_nearly_known_ends_nearly_the_same(quench, collected):
    found, about = shards.read(collected / predictability.NAME)
    test = fields.read(collected, "test")
    rows = found["index"]
    assert len(rows) == 6
    assert found["age"].tolist() == [0, 20, 100]
    assert found["solver"].shape == (3, 2, 6, 32, 32)
    assert np.array_equal(found["truth"], test.last[rows])
    for j in range(3):
        assert np.array_equal(found["input"][j], np.stack([test.all[row, j] for row in rows]))
    mean = found["input"].mean((2, 3), dtype=np.float64)
    for k in range(2):
        assert np.abs(found["solver"][:, k].mean((2, 3), dtype=np.float64) - mean).max() < 1e-5
    skill = alike(found["solver"], found["truth"][None, None]).mean(2)  # (age, perturbation)
    assert (skill[:, 0] > 0.99).all()
    assert skill[0, 1] < 0.9  # noise half as strong as the mixture's own
    assert skill[2, 1] > skill[0, 1]
    assert about["study"] == "segregation"
    assert np.allclose(found["linear"].mean((2, 3)), mean, atol=1e-6)
    assert np.isfinite(found["linear"]).all()


def test_it_is_made_once_and_again_when_what_it_is_made_from_changes(quench, collected):
    path = collected / predictability.NAME
    made = path.stat().st_mtime_ns
    assert quench("segregation", "collect", "--run", collected)[0] == 0
    assert path.stat().st_mtime_ns == made
    with h5py.File(path, "r+") as file:
        file["solver"][0, 0, 0, 0, 0] += 1
    code, lines = quench("segregation", "collect", "--run", collected)
    assert code == 0
    assert any("made anew" in line for line in lines)
    assert shards.read(path)[0]["index"].size == 6
    path.unlink()
    settings = ("--set", "collect.foretold=0", "--run", collected.with_name("none"))
    for stage in ("generate", "collect"):
        assert quench("segregation", stage, collected.with_name("small.yaml"), *settings)[0] == 0
    assert not (collected.with_name("none") / predictability.NAME).exists()


def test_the_noise_has_the_rms_that_is_asked_for():
    class Config:
        seed, collect = 1, type("", (), {"perturbations": [1e-3, 0.1]})

    given = np.full((5, 16, 16), 0.4, np.float32)
    found = predictability.perturbed(Config, 0, given)
    assert found.shape == (2, 5, 16, 16)
    for each, rms in zip(found, (1e-3, 0.1), strict=True):
        assert (each - 0.4).std((1, 2)) == pytest.approx([rms] * 5, rel=1e-3)
    assert not np.array_equal(found, predictability.perturbed(Config, 1, given))


# ---- what is measured of it


def stripe(shift: int, size: int = 16) -> np.ndarray:
    x = (np.arange(size) - shift) % size
    return np.broadcast_to((x < size // 4).astype(float)[:, None], (size, size))[None]


def test_measures_of_a_shifted_stripe():
    """A stripe of a quarter of the box, moved by nothing, an eighth, a quarter, a half."""
    correlation, overlap, coherence = measures.MEASURES.values()
    for shift, cells, share, cosine in [
        (0, 1, 1, 1),
        (2, 1 / 3, 1 / 3, 0.5**0.5),
        (4, -1 / 3, 0, 0),
    ]:
        moved = stripe(shift)
        assert correlation(moved, stripe(0)) == pytest.approx(cells, abs=1e-9)
        assert overlap(moved, stripe(0)) == pytest.approx(share)
        assert coherence(moved, stripe(0)) == pytest.approx(cosine, abs=1e-9)
    faint = 0.5 + 0.01 * (stripe(0) - 0.5)
    for measure in measures.MEASURES.values():
        assert measure(faint, stripe(0)) == pytest.approx(1)
    assert overlap(1 - stripe(0), 1 - stripe(0)) == 1
    assert coherence(stripe(8), stripe(0)) == pytest.approx(-1)


def test_the_record_and_the_page_have_it(quench, collected):
    found, _ = shards.read(collected / predictability.NAME)
    numbers = segregation.measure(collected).numbers.predictability
    wanted = alike(found["solver"], found["truth"][None, None])  # (age, perturbation, sample)
    own = numbers.skill["solver, noise 0.05"][:, 0]
    assert np.allclose(own[:, 0], wanted[:, 1].mean(1), atol=1e-6)
    assert np.allclose(own[:, 1], wanted[:, 1].std(1, ddof=1) / 6**0.5, atol=1e-6)
    assert numbers.samples == 6
    assert set(numbers.skill) == {"solver, noise 1e-05", "solver, noise 0.05", "linear theory"}
    assert main(["segregation", str(collected)]) == 0
    page = (collected / "report.md").read_text()
    assert "![predictability-age.png](figures/predictability-age.png)" in page
    report = json.loads((collected / "report.json").read_text())
    assert len(report["predictability"]) == 3 * 3
    (collected / predictability.NAME).write_bytes(b"damaged")
    record = segregation.measure(collected)
    assert record.numbers.predictability is None
    assert any("predictability.h5" in line for line in record.numbers.left_out)


def test_several_epsilon_are_one_picture(quench, tmp_path):
    config, run = tmp_path / "sweep.yaml", tmp_path / "run"
    config.write_text(
        SMALL.replace("epsilon: 1.5", "epsilon: [1.5, 2.0]").replace("1.0e-5", "1.0e-3")
    )
    for stage in ("generate", "collect"):
        assert quench("segregation", stage, config, "--run", run)[0] == 0
    assert main(["segregation", str(run)]) == 0
    report = json.loads((run / "report.json").read_text())
    files = [picture["file"] for picture in report["figures"]]
    assert (
        "figures/predictability-epsilon.png" in files[:2]
    )  # before it the numbers against epsilon
    assert any("from mixtures known to 0.001 the solver tells" in f for f in report["findings"])


def test_our_network_is_judged_by_what_can_be_foretold():
    """Correlations beside a limit of exactly 1."""

    def skill(value, error):
        return np.array([[[value, error]] * 3])

    for own, error, verdict in ((0.99, 0.01, "yes"), (0.8, 0.04, "no"), (0.9, 0.05, "undecided")):
        found = measures.Predictability(
            np.zeros(1),
            np.array([1e-3]),
            50,
            {
                "solver, noise 0.001": skill(1.0, 0.0),
                "linear theory": skill(0.2, 0.01),
                "l1_forward_steps": skill(own, error),
            },
        )
        network = SimpleNamespace(training=8640, weight=1.0)
        numbers = SimpleNamespace(
            forward={"l1_forward_steps": network},
            predictability=found,
            setting=SimpleNamespace(size=64),
        )
        record = SimpleNamespace(numbers=numbers, origin=SimpleNamespace(system="a system"))
        (claim,) = foretold(record)
        assert (claim.estimate.value, claim.estimate.error) == pytest.approx((own, error))
        assert claim.agrees == verdict
        assert claim.baselines == {"linear theory's over the same": pytest.approx(0.2)}
        numbers.forward = {}
        assert foretold(record) == []


def told(value: float, error: float = 0.0) -> np.ndarray:
    """Skill of a forecaster at one age."""
    return np.array([[[value, error]] * 3])


def foresight(**skill: np.ndarray) -> measures.Predictability:
    return measures.Predictability(np.zeros(1), np.array([1e-3]), 50, skill)


def test_several_runs_tell_more_and_how_far_they_are_apart():
    one = foresight(near=told(0.6, 0.02), apart=told(0.2, 0.02), alone=told(0.5, 0.1))
    other = foresight(near=told(0.6, 0.02), apart=told(0.4, 0.02))
    both = measures.of_all([one, None, other])
    found = {name: both.skill[name][0, 0].tolist() for name in both.skill}
    assert found["near"] == pytest.approx([0.6, 0.02 / 2**0.5])
    assert found["apart"] == pytest.approx([0.3, 0.1])
    assert found["alone"] == [0.5, 0.1]
    assert measures.of_all([None]) is None


def test_of_one_epsilon_the_solver_has_one_kind_of_mixtures(tmp_path, monkeypatch):
    """Runs with networks have other mixtures than the sweep beside them."""

    def run(epsilon: float, **skill: np.ndarray) -> Record:
        numbers = SimpleNamespace(
            predictability=foresight(**{"linear theory": told(0.1 * epsilon), **skill}),
            setting=SimpleNamespace(epsilon=epsilon, spacing=1.0),
        )
        return Record(None, numbers)

    trained = run(3.0, **{"linear theory": told(0.9), "gan_forward": told(0.5)})
    later = run(3.0, **{"linear theory": told(0.8), "l1_forward_steps": told(0.7)})
    shown = []
    monkeypatch.setattr(style, "save", lambda fig, folder, name: shown.append(fig) or name)
    records = [trained, later, run(1.0), run(3.0)]
    picture = figures_predictability.against_epsilon(records, tmp_path)
    (fig,) = shown
    assert unreadable(fig) == []
    curves = {
        bars.get_label(): bars.lines[0].get_xydata().tolist() for bars in fig.axes[0].containers
    }
    assert curves["linear theory"] == [[1, pytest.approx(0.1)], [3, pytest.approx(0.3)]]
    assert curves["L1 + GAN"] == [[3, 0.5]]
    assert curves["stepping (ours)"] == [[3, 0.7]]
    assert "of 50 test mixtures" in picture.caption
