"""analysis segregation: a small simulated data set, and 'predictions' made from the truth so that
their numbers are known.
"""

import contextlib
import io
import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import yaml
from figure_labels import unreadable
from PIL import Image
from resealed import with_attributes

from analysis import record, segregation, style
from analysis.__main__ import main
from analysis.estimates import Estimate
from analysis.record import Record
from analysis.segregation import (
    dataset,
    examples,
    physics,
    predictions,
    skill,
    structure,
    transition,
)
from analysis.segregation.claims import all_claims, checks, smaller
from analysis.segregation.figures_physics import box_spinodal
from analysis.segregation.labels import SIX
from analysis.segregation.measure import Numbers, system, thinned
from analysis.segregation.mixtures import side_by_side
from jobs import shards
from jobs.segregation.fields import measure
from jobs.shards import Data
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.cahn_hilliard_clock import largest_growth
from kernels.device import select
from kernels.structure import wave_numbers, waves

SIZE, NOISE, EACH = (
    32,
    0.1,
    4,
)  # cells, amplitude, samples of a mean in each of training and test set
MEANS = (0.1, 0.15, 0.25, 0.3, 0.5, 0.7, 0.75, 0.85, 0.9)
TIMES = [0.0, 10.0, 100.0, np.inf]
SYSTEM = {"size": SIZE, "epsilon": 1.0, "well_depth": 1.0, "mobility": 1.0, "spacing": 1.0}
COLUMNS = ("chemical_energy", "surface_energy", "mean", "area", "perimeter", "steady_time", "steps")


def wrap(arrays):
    return {name: Data(np.asarray(values), "", "") for name, values in arrays.items()}


def write_run(folder, fields, columns, split, mean, *, times=TIMES, **config):
    """config.yaml, dataset.h5 and the test split's fields (n, t, L, L) of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(
        {
            "study": "segregation",
            "seed": 3,
            "system": SYSTEM,
            "generate": {"noise": NOISE},
            "train": {},
            **config,
        }
    )
    about = {
        "study": "segregation",
        "config": text,
        "seed": 3,
        "made_from": "units",
        "git_revision": "0123abc",
        "device": "a test",
    }
    (folder / "config.yaml").write_text(text)
    arrays = {
        **columns,
        "split": split.astype(np.int8),
        "mean_concentration": mean,
        "times": np.array(times),
    }
    shards.write(folder / "dataset.h5", wrap(arrays), about)
    target = folder / "data" / "test" / "segregation.h5"
    target.parent.mkdir(parents=True)
    with h5py.File(target, "w") as file:
        file.attrs["made_from"] = "units"
        file["t0_fields/concentration"] = fields[split == 2]
    return folder


@pytest.fixture(scope="module")
def simulated():
    """(fields (n, t, L, L), columns, split, mean) of EACH training and EACH test samples of every
    mean.
    """
    mean = np.repeat(MEANS, 2 * EACH)
    split = np.tile(np.repeat([0, 2], EACH), len(MEANS))
    start = mixtures(mean, NOISE, (SIZE, SIZE), seed=3)
    run = CahnHilliard((SIZE, SIZE)).run(start, TIMES, steady_state=1e-8, tolerance=1e-3)
    return run.fields, {name: getattr(run, name) for name in COLUMNS}, split, mean


@pytest.fixture
def run(tmp_path, simulated):
    return write_run(tmp_path / "run", *simulated)


def plant(folder, model, prediction, *, rows=None, **attributes):
    """predict/MODEL.h5 that answers `prediction` (n, L, L) for the test samples, in the file's
    order.
    """
    with h5py.File(folder / "dataset.h5") as file:
        digest, config = file.attrs["content_digest"], file.attrs["config"]
        mean = file["mean_concentration"][...][file["split"][...] == 2]
    with h5py.File(folder / "data" / "test" / "segregation.h5") as file:
        first, last = (file["t0_fields/concentration"][:, i] for i in (0, -1))
    start, truth = (last, first) if "reverse" in model else (first, last)
    rows = np.arange(len(mean)) if rows is None else rows
    system = yaml.safe_load(config)["system"]
    ruler = CahnHilliard((system["size"],) * 2)
    arrays = {
        "input": start[rows],
        "prediction": prediction.astype(np.float32)[rows],
        "truth": truth[rows],
        "mean_concentration": mean[rows],
        "index": rows,
    }
    for kind, fields in (("truth", arrays["truth"]), ("predicted", arrays["prediction"])):
        arrays |= {f"{kind}_{name}": values for name, values in measure(ruler, fields).items()}
    shards.write(
        folder / "predict" / f"{model}.h5",
        wrap(arrays),
        {"dataset_digest": digest, "config": config, **attributes},
    )


def ends(folder):
    """(mixed, segregated) of the test split."""
    with h5py.File(folder / "data" / "test" / "segregation.h5") as file:
        return file["t0_fields/concentration"][:, 0], file["t0_fields/concentration"][:, -1]


def blurred(fields, width):
    """Gaussian blur: S(k) falls by exp(-k^2 width^2), the mean stays."""
    k = 2 * np.pi * np.fft.fftfreq(fields.shape[-1])
    return np.fft.ifft2(np.fft.fft2(fields) * np.exp(-(k[:, None] ** 2 + k**2) * width**2 / 2)).real


def plant_all(folder, offset=0.004):
    """L1 blurs, the GAN shifts the truth by 3 cells and lifts it, the conserving one only shifts;
    the reverse ones draw or give up.
    """
    mixed, last = ends(folder)
    size, means = last.shape[-1], mixed.mean((1, 2), dtype=float)
    plant(folder, "l1_forward", blurred(last, 1.5))
    plant(folder, "gan_forward", np.roll(last, 3, axis=1) + offset)
    plant(folder, "gan_forward_conserving", np.roll(last, 3, axis=2))
    plant(folder, "gan_reverse", mixtures(means, NOISE, (size, size), seed=8))
    plant(folder, "l1_reverse", np.broadcast_to(means[:, None, None], last.shape))


def plant_training(folder, model, epochs=6):
    file = folder / "train" / model / "metrics.csv"
    file.parent.mkdir(parents=True)
    game = "0,0" if model.startswith("l1") else "0.8,0.6"
    lines = [f"{e},1.5,{0.2 * 0.9**e},{game},{0.21 * 0.9**e}" for e in range(epochs)]
    file.write_text(
        "\n".join(["epoch,seconds,l1,adversarial,discriminator,validation_l1", *lines]) + "\n"
    )


def plant_activations(folder, model="gan_forward"):
    mixed, last = ends(folder)
    arrays = {f"layer_{i:02d}": last[:5, :side, :side] for i, side in enumerate((16, 8, 16, 32))}
    shards.write(
        folder / "predict" / f"{model}-activations.h5",
        wrap({"input": mixed[0], "prediction": last[0], **arrays}),
        {},
    )


def the(rows, start):
    """Of the paper's own network, where others are judged by it too."""
    found = [r for r in rows if r.text.startswith(start)]
    (row,) = [r for r in found if r.figure] or found
    return row


def judged(folder):
    return all_claims(segregation.measure(folder))


def numbers_of(folder) -> Numbers:
    return segregation.measure(folder).numbers


# --- the numbers ---


def test_what_the_gan_shifted_and_lifted(run):
    plant_all(run)
    rows = judged(run)
    kept = the(rows, "conserves the phase fraction")
    assert kept.estimate.value == pytest.approx(0.004, rel=1e-3)
    assert (kept.by_rule, kept.agrees) == ("yes", "not comparable"), (
        "32 cells and 36 samples are not the paper's"
    )
    lifted = dataset.load(run).predictions["gan_forward"]
    inside = lifted.segregated
    expected = 1 - np.median(0.004 / lifted.truth["mean_concentration"][inside])
    mean = the(rows, "accuracy of the mean concentration")
    assert mean.estimate.value == pytest.approx(expected, rel=1e-4)
    assert the(rows, "best accuracy").estimate.value == max(
        the(rows, f"accuracy of the {q}").estimate.value
        for q in ("area", "perimeter", "free energy")
    )
    fate = the(rows, "predicts the phase transition: share")
    assert fate.estimate.value == 1
    assert fate.baselines == {"what most training samples at this mean do": 1.0}


def test_a_perfect_network_is_perfect_in_every_quantity(run):
    _, last = ends(run)
    plant(run, "gan_forward", np.roll(last, (3, 5), axis=(1, 2)))
    found = numbers_of(run).forward["gan_forward"]
    for q in SIX:
        exact = 1e-5 if q.name == "surface_energy" else 1e-6
        assert found.skills.of("accuracy", q.name).value == pytest.approx(1, abs=exact), q.name
        assert found.skills.of("advantage", q.name).value > 0 or q.name == "mean_concentration"
    assert found.spectrum.predicted == pytest.approx(found.spectrum.truth, rel=1e-3, abs=1e-6)
    assert found.spectrum.ratio[:, 0] == pytest.approx(1, abs=0.02)
    alike = the(judged(run), "output and truth look alike")
    assert 0 < alike.estimate.value < 0.9, "though not cell by cell"
    assert alike.by_rule == "no"
    plant(run, "gan_forward", last)
    assert the(judged(run), "output and truth look alike").estimate.value == pytest.approx(1)


def test_segregated_and_uniform_samples_are_apart(run):
    _, last = ends(run)
    found = dataset.load(run)
    means = found.mean_concentration[found.split == 2]
    wrong = np.where(
        ((means > 0.2) & (means < 0.8))[:, None, None], last * 0.9, last
    )  # bad only where it segregates
    plant(run, "gan_forward", wrong)
    p = numbers_of(run).forward["gan_forward"]
    assert (p.segregated, p.samples) == (5 * EACH, 9 * EACH)
    assert p.skills.accuracy[0, 0] == pytest.approx(0.9, abs=1e-5)
    assert p.skills.uniform_accuracy[0, 0] == pytest.approx(1, abs=1e-6)
    assert p.skills.everything[0, 0] == pytest.approx(0.9, abs=1e-5)
    few = np.flatnonzero((means < 0.2) | (means > 0.8) | (means == 0.5))
    plant(run, "gan_forward", wrong, rows=few)
    p = numbers_of(run).forward["gan_forward"]
    assert p.skills.accuracy[0, 0] == pytest.approx(0.9, abs=1e-5)
    assert p.skills.everything[0, 0] == pytest.approx(1, abs=1e-6), "uniform samples flatter"


def test_baselines_know_the_training_set_alone(run):
    _, last = ends(run)
    plant(run, "gan_forward", last)
    found = dataset.load(run)
    p = found.predictions["gan_forward"]
    s = numbers_of(run).forward["gan_forward"].skills
    training = (found.split == 0) & (found.quantities["perimeter"][:, -1] > 0)
    area, truth = found.quantities["area"][training, -1], p.truth["area"][p.segregated]
    alone = s.of("baseline_mean", "area").value
    given = s.of("baseline_given_mean", "area").value
    assert alone == pytest.approx(1 - np.median(np.abs(area.mean() - truth) / truth))
    own = np.array(
        [
            area[found.mean_concentration[training] == m].mean()
            for m in p.mean_concentration[p.segregated]
        ]
    )
    assert given == pytest.approx(1 - np.median(np.abs(own - truth) / truth))
    assert given > alone + 0.2
    assert s.of("advantage", "area").value == pytest.approx(1 - given)


def test_what_the_mean_alone_tells_of_a_sample_is_told_by_the_others():
    mean = np.array([0.3, 0.3, 0.3, 0.4, 0.5, 0.5])
    truth = np.array([[1.0, 2, 6, 4, 8, 10], [0, 0, 0, 1, 0, 0]])
    found = skill.mean_alone(mean, truth)
    assert found[0] == pytest.approx([4, 3.5, 1.5, 6, 10, 8]), "0.4 lies between means of 3 and 9"
    assert found[1] == pytest.approx(0), "its own value is not known to it"
    assert np.isnan(skill.mean_alone(mean[:1], truth[:, :1])).all()


def test_longest_waves_are_those_of_the_box_alone():
    x = np.arange(32)
    first = np.cos(2 * np.pi * (x[:, None] + x) / 32) + 0.3 * np.sin(2 * np.pi * x / 32)
    second = np.cos(2 * np.pi * (2 * x[:, None] + x) / 32)
    found = structure.longest((first + second)[None])[0]
    assert found == pytest.approx(first, abs=1e-6)


def test_what_the_longest_waves_tell(run):
    _, last = ends(run)
    found = numbers_of(run).physics.longest_waves
    assert -0.2 < found.value < 0.9
    assert 0 < found.error < 0.2
    plant(run, "gan_forward", last)
    with h5py.File(run / "data" / "test" / "segregation.h5", "r+") as file:
        file["t0_fields/concentration"][:, 0] = structure.longest(last)
    told = numbers_of(run).physics.longest_waves
    assert told.value > 0.8, "a droplet or a stripe is mostly that"
    shutil.rmtree(run / "data")
    assert np.isnan(numbers_of(run).physics.longest_waves.value)


def test_accuracy_and_its_error_of_known_errors():
    truth = np.full(4001, 2.0)
    errors = np.random.default_rng(0).uniform(0, 0.2, len(truth))
    value, drawn = skill.accuracies(skill.relative_error(truth * (1 + errors), truth)[None])
    found = skill.estimate(value[0], drawn[:, 0])
    assert found.value == pytest.approx(0.9, abs=0.005)
    assert found.error == pytest.approx(0.1 / np.sqrt(len(truth)), rel=0.15), (
        "of a median: 1 / (2 f sqrt(n)), f = 5"
    )


def test_a_truth_of_zero_leaves_the_accuracy_undetermined():
    assert skill.relative_error(np.array([0.0, 1.0]), np.zeros(2)).tolist() == [0, np.inf]
    value, drawn = skill.accuracies(np.array([[np.inf, np.inf, 0.1]]))
    assert np.isnan(skill.estimate(value[0], drawn[:, 0]).value)


def test_distances_of_known_distributions():
    truth = np.random.default_rng(1).uniform(0, 1, 20000)
    overlap, distance = skill.distances(truth + 0.25, truth)
    assert overlap.value == pytest.approx(0.75, abs=0.02)
    assert distance.value == pytest.approx(0.25 / truth.std(), rel=1e-6)
    assert skill.distances(truth + 5, truth)[0].value == 0
    assert skill.distances(truth, truth)[0].value == pytest.approx(1, abs=1e-12)


def test_blur_is_measured(run):
    plant_all(run)
    p = numbers_of(run).forward["l1_forward"]
    k = wave_numbers((SIZE, SIZE))
    assert p.spectrum.ratio[:6, 0] == pytest.approx(np.exp(-((k[:6] * 1.5) ** 2)), rel=0.15), (
        "shells are not infinitely thin"
    )
    share = p.spectrum.truth * waves((SIZE, SIZE))
    first = p.spectrum.finest
    assert share[first:].sum() <= 0.1 * share.sum() < share[first - 1 :].sum()
    rows = judged(run)
    alone, both = the(rows, "L1 alone misses"), the(rows, "the GAN's loss makes up")
    assert alone.by_rule == "yes"
    assert alone.estimate.value < 0.7
    assert both.estimate.value == pytest.approx(1, abs=1e-6)
    nearer = the(rows, "with the GAN that share")
    assert nearer.estimate.value == pytest.approx(alone.estimate.value - 1, abs=1e-6)
    assert nearer.estimate.error == pytest.approx(alone.estimate.error, rel=1e-6), "drawn together"
    assert nearer.by_rule == "yes"


def test_networks_of_other_samples_are_not_compared_sample_by_sample(run):
    plant_all(run)
    plant(run, "l1_forward", blurred(ends(run)[1], 1.5), rows=np.arange(0, 36, 2))
    assert the(judged(run), "with the GAN that share").agrees == "not run"
    assert the(judged(run), "L1 alone misses").by_rule == "yes"


def test_position_of_the_transition_of_a_known_curve():
    mean = np.array([0.1, 0.18, 0.2, 0.22, 0.3, 0.5, 0.7, 0.78, 0.8, 0.9])
    share = np.array([0, 0, 0.25, 0.75, 1, 1, 1, 1, 0.2, 0])
    assert transition.position(mean, share, "lower") == pytest.approx(0.21)
    assert transition.position(mean, share, "upper") == pytest.approx(0.78 + 0.5 / 0.8 * 0.02)
    assert transition.gap(mean, share, "lower") == pytest.approx(0.02)
    assert np.isnan(transition.position(mean, np.zeros(10), "lower"))
    assert np.isnan(transition.position(mean, np.ones(10), "upper"))


def test_error_of_the_transition_and_pairing():
    mean = np.repeat(np.arange(0.17, 0.26, 0.01), 400)
    found = []
    for seed in range(12):
        truth = np.random.default_rng(seed).random(len(mean)) < np.clip(
            (mean - 0.18) / 0.06, 0, 1
        )  # 1/2 at 0.21
        at = transition.positions(transition.count(mean, truth, truth), "lower")
        found.append((at.truth.value, at.truth.error))
        assert (at.prediction.value, at.difference.value, at.difference.error) == (
            at.truth.value,
            0,
            0,
        ), "the same samples, not independent ones"
    value, error = np.transpose(found)
    assert value.mean() == pytest.approx(0.21, abs=1.2e-3)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.6)


def test_a_shifted_transition_is_found(run):
    _, last = ends(run)
    found = dataset.load(run)
    means = found.mean_concentration[found.split == 2]
    missed = np.where((means == 0.25)[:, None, None], 0.25, last)
    plant(run, "gan_forward", missed)
    lower = the(judged(run), "predicts the phase transition: lower")
    assert lower.estimate.value == pytest.approx(0.075), (
        "from between 0.15 and 0.25 to between 0.25 and 0.3"
    )
    assert (lower.by_rule, lower.agrees) == ("no", "not comparable")
    assert the(judged(run), "predicts the phase transition: upper").estimate.value == 0
    right = the(judged(run), "predicts the phase transition: share").estimate.value
    assert right == pytest.approx(8 / 9)


def test_a_missing_transition_is_a_wrong_one(run):
    _, last = ends(run)
    for field, least in ((last[5 * EACH], 0.1 - 0.2), (np.full_like(last[0], 0.5), 0.5 - 0.2)):
        plant(run, "gan_forward", np.broadcast_to(field, last.shape))  # whatever the mixture
        lower = the(judged(run), "predicts the phase transition: lower")
        assert (lower.estimate.value, lower.by_rule) == (pytest.approx(least), "no")
        assert "nowhere" in lower.note


def test_reverse_models_are_judged_by_statistics(run):
    plant_all(run)
    found = numbers_of(run).reverse
    drawn, flat = (found[m].segregated for m in ("gan_reverse", "l1_reverse"))
    assert (drawn.samples, found["gan_reverse"].uniform.samples) == (5 * EACH, 4 * EACH)
    assert drawn.variance.value == pytest.approx(1, abs=0.03), "other noise of the same kind"
    assert drawn.fine.value == pytest.approx(1, abs=0.05)
    assert drawn.overlap.value > 0.98
    assert drawn.change.value < 1e-6
    assert abs(drawn.correlation.value) < 0.05
    assert flat.variance.value == pytest.approx(0, abs=1e-9)
    assert np.isnan(flat.correlation.value)
    rows = judged(run)
    assert {
        the(rows, f"reversible mapping: {start}").by_rule for start in ("variance", "rms change")
    } == {"yes"}


@pytest.mark.parametrize(
    ("size", "training", "weight", "why"),
    [
        (64, 4320, 1.0, ""),
        (64, 4319, 1.0, "4319 training samples of the paper's 8 640"),
        (32, 8640, 1.0, "32 x 32 cells, the paper's 64 x 64"),
        (64, 8640, 0.05, "lambda = 0.05, the paper's 1"),
    ],
)
def test_what_is_comparable_with_the_paper(run, size, training, weight, why):
    plant(run, "gan_forward", ends(run)[1])
    found = segregation.measure(run)
    setting = replace(found.numbers.setting, size=size)
    other = Record(found.origin, replace(found.numbers, setting=setting))
    p = replace(found.numbers.forward["gan_forward"], training=training, weight=weight)
    assert smaller(other, "gan_forward", p) == why
    assert smaller(other, "l1_forward", p) == ("" if "lambda" in why else why), "it has no lambda"


def holds(folder):
    values = checks(numbers_of(folder))
    return [None if np.isnan(value) else value <= limit for _, value, limit in values], values


def test_checks_hold_and_find_what_is_wrong(run, tmp_path, simulated):
    assert holds(run)[0] == [True, True, True, None]
    assert segregation.left_out(segregation.measure(run)) == []
    fields, columns, split, mean = simulated
    bad = {name: values.copy() for name, values in columns.items()}
    bad["chemical_energy"][5, 2] = 2 * bad["chemical_energy"][5, 1] + bad["surface_energy"][5, 1]
    bad["mean"][3, 1] += 1e-3
    bad["steady_time"][0] = np.nan
    folder = write_run(tmp_path / "bad", fields, bad, split, mean)
    held, found = holds(folder)
    assert held == [False, False, False, None]
    assert found[1][1] == pytest.approx(1e-3, rel=1e-2)
    assert found[2][1] == pytest.approx(1 / len(mean))
    assert len(segregation.left_out(segregation.measure(folder))) == 3, "the page says so"


def test_the_conserving_network_is_checked(run):
    plant_all(run)
    assert holds(run)[0][3]
    plant(run, "gan_forward_conserving", ends(run)[1] + 1e-3)
    assert holds(run)[0][3] is False


def test_the_network_in_steps_conserves_too(run):
    plant(run, "l1_forward_steps", ends(run)[1])
    assert holds(run)[0][3]
    plant(run, "l1_forward_steps", ends(run)[1] + 1e-3)
    assert holds(run)[0][3] is False


# --- what is read ---


def test_predictions_of_other_data_and_damaged_ones_are_left_out(run):
    _, last = ends(run)
    plant(run, "gan_forward", last, dataset_digest="another")
    broken = last.copy()
    broken[0, 0, 0] = np.nan
    plant(run, "l1_forward", broken)
    (run / "predict" / "gan_reverse.h5").write_bytes(b"not HDF5")
    plant(run, "l1_reverse", last)
    found = dataset.load(run)
    assert list(found.predictions) == ["l1_reverse"]
    text = "\n".join(found.left_out)
    for reason in (
        "gan_forward.h5: made from another data set",
        "l1_forward.h5: the network predicts",
        "gan_reverse.h5: truncated",
    ):
        assert reason in text


def test_histogram_of_deviations_counts_every_cell():
    fields = np.full((2, 8, 8), 0.3, np.float32)
    fields[0, 0, 0] += 6.3  # its mean rises by 0.1: 63 cells 0.1 below it, one far above
    found = predictions.histogram(fields)
    assert found.sum(1).tolist() == [64, 64]
    assert found[0, -1] == 1


def test_fields_are_kept_small():
    fields = np.random.default_rng(0).uniform(-0.1, 1.1, (3, 128, 128))
    found = examples.two_phases(fields)
    assert (found.cells.dtype, found.cells.shape) == (np.uint8, (3, 64, 64))
    means = fields.reshape(3, 64, 2, 64, 2).mean((2, 4))
    assert found.values == pytest.approx(means.clip(0, 1), abs=0.5 / 255 + 1e-6)
    mixed = examples.deviations(fields[:, :64, :64] + 3, 0.4)
    own = fields[:, :64, :64] - fields[:, :64, :64].mean((1, 2), keepdims=True)
    assert mixed.values == pytest.approx(own.clip(-0.4, 0.4), abs=0.4 / 255 + 1e-6)


def test_examples_are_the_same_samples_for_all_networks(run):
    plant_all(run)
    _, last = ends(run)
    plant(run, "l1_forward", last * 0.9, rows=np.arange(0, len(last), 3))
    shown = numbers_of(run).examples["forward"]
    assert shown.truth.values == pytest.approx(last[shown.index].clip(0, 1), abs=0.003)
    assert [m for m, there in zip(shown.mean, shown.segregates, strict=True) if not there] == [0.15]
    for field, index in zip(shown.answer("l1_forward"), shown.index, strict=True):
        assert (field is None) == (index % 3 > 0)
        if field is not None:
            assert field == pytest.approx((last[index] * 0.9).clip(0, 1), abs=0.003)
    assert shown.answer("another") == [None] * len(shown.index)


def test_long_trainings_are_thinned_to_their_last_epoch():
    found = thinned({"epoch": np.arange(1.0, 1202), "l1": np.ones(1201)})
    assert len(found["epoch"]) == len(found["l1"]) == 401
    assert found["epoch"][-1] == 1201


# --- everything together ---


def full(folder):
    plant_all(folder)
    for model in ("l1_forward", "gan_forward"):
        plant_training(folder, model)
    plant_activations(folder)
    return folder


WANTED = [
    "figure-2-forward",
    "figure-3-reverse",
    "distributions-segregated",
    "distributions-uniform",
    "scatter-l1_forward",
    "scatter-gan_forward",
    "scatter-gan_forward_conserving",
    "structure-factor-forward",
    "structure-factor-reverse",
    "phase-transition",
    "conservation",
    "free-energy",
    "learning",
    "figure-1-layers-gan_forward",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, simulated):
    """(run, folder of its page, what was printed, what cannot be read in its figures)."""
    folder = tmp_path_factory.mktemp("whole")
    run, said, bad, save = (
        full(write_run(folder / "run", *simulated)),
        io.StringIO(),
        {},
        style.save,
    )

    def saved(fig, where, name):
        bad[name] = unreadable(fig)
        return save(fig, where, name)

    with contextlib.redirect_stdout(said), pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "save", saved)
        assert main(["segregation", str(run), "--out", str(folder / "first")]) == 0
    return run, folder / "first", said.getvalue(), bad


def test_page_and_figures(whole):
    _, out, said, _ = whole
    figures = out / "figures"
    assert (
        {p.stem for p in figures.glob("*.png")}
        == {p.stem for p in figures.glob("*.pdf")}
        == set(WANTED)
    )
    with Image.open(figures / "movie.gif") as movie:
        assert movie.n_frames == len(TIMES)
    text, numbers = (out / "report.md").read_text(), json.loads((out / "report.json").read_text())
    assert {f["file"] for f in numbers["figures"]} == {
        *(f"figures/{name}.png" for name in WANTED),
        "figures/movie.gif",
    }
    assert all(f["file"] in text for f in numbers["figures"])
    assert text.index("figures/figure-2-forward.png") < text.index("| figure of the paper")
    assert {row["figure"]: row["verdict"] for row in numbers["verdicts"]} == {
        "abstract": "(agrees in part)",
        "1": "drawn",
        "2": "(agrees in part)",
        "3": "(agrees, in part undecided)",
    }
    assert len(numbers["skills"]) == 3 * len(SIX)
    assert len(numbers["findings"]) == 5
    assert not numbers["left_out"]
    widest = max(line.count(" | ") + 1 for line in text.splitlines() if line.startswith("| "))
    assert widest <= 7
    assert "figures/movie.gif" in said
    assert (whole[0] / "record.h5").stat().st_size < 500_000


def test_all_labels_can_be_read(whole):
    assert whole[3] == {name: [] for name in WANTED}


def test_a_run_without_networks_reports_its_data_and_nothing_else(run):
    assert main(["segregation", str(run)]) == 0
    numbers = json.loads((run / "report.json").read_text())
    assert {c["agrees"] for c in numbers["claims"]} == {"not run"}
    assert all(c["ours"] is None for c in numbers["claims"])
    assert {p.stem for p in (run / "figures").glob("*.png")} == {"phase-transition", "free-energy"}
    assert "No network has made predictions yet." in (run / "report.md").read_text()
    assert len(numbers["findings"]) == 2, "what the equation does"


@pytest.fixture
def unsaved(monkeypatch):
    """Figures are drawn but not written, which takes longest."""
    monkeypatch.setattr(style, "save", lambda fig, folder, name: f"{name}.png")


def test_a_record_makes_the_same_page_without_the_run(whole, tmp_path, unsaved):
    run, first, *_ = whole
    kept = shutil.copy(run / "record.h5", tmp_path / "kept.h5")
    away = shutil.move(run, tmp_path / "away")
    try:
        assert main(["segregation", str(kept), "--out", str(tmp_path / "second")]) == 0
    finally:
        shutil.move(away, run)
    for name in ("report.json", "report.md"):
        assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_records_of_two_seeds_are_one_page_with_smaller_errors(tmp_path, simulated, unsaved):
    """The same statistics in another place: errors fall by the square root of 2."""
    found = []
    for name, shift in (("a", 0), ("b", 7)):
        fields, *rest = simulated
        folder = write_run(tmp_path / name, np.roll(fields, shift, axis=2), *rest, seed=3 + shift)
        plant(folder, "gan_forward", blurred(ends(folder)[1], 1.0))
        with h5py.File(folder / "data" / "test" / "segregation.h5") as file:
            assert len(file["t0_fields/concentration"]) == 9 * EACH
        found.append(segregation.measure(folder))
    one, other = found
    assert one.origin.system == other.origin.system
    other = Record(replace(other.origin, data="of another seed", seed=10), other.numbers)
    files = [record.write(tmp_path / f"{i}.h5", r) for i, r in enumerate((one, other))]
    assert main(["segregation", *map(str, files), "--out", str(tmp_path / "2")]) == 0
    alone = [c.as_row() for c in all_claims(one)]
    both = json.loads((tmp_path / "2" / "report.json").read_text())["claims"]
    assert [c["claim"] for c in alone] == [c["claim"] for c in both]
    smaller_now = [
        second["error"] < 0.8 * first["error"]
        for first, second in zip(alone, both, strict=True)
        if first["error"] and first["error"] > 1e-9 * abs(first["ours"])
    ]
    assert len(smaller_now) > 8
    assert all(smaller_now)
    assert "2 runs together" in next(c["data"] for c in both if c["error"])
    assert len(list((tmp_path / "2" / "figures").glob("*.gif"))) == 1, "one system, one set"
    alike = [next(c for c in rows if c["claim"].startswith("output and")) for rows in (alone, both)]
    waves = [c["baselines"]["the input's longest waves"] for c in alike]
    assert waves[0] == pytest.approx(waves[1]), "of both runs, which are the same in another place"
    text = (tmp_path / "2" / "report.md").read_text()
    assert "In each of 2 runs (seeds 10 and 3) 72 mixtures" in text
    assert f"L1 + GAN {Estimate(alike[1]['ours'], alike[1]['error'])} (mean of 2 trainings)" in text
    assert "| L1 + GAN, 2 runs | conserves" in text
    assert "One of 2 runs, seed 3: How far networks change the mean concentration" in text


def test_a_network_of_the_same_mixtures_shares_their_pictures(run, tmp_path, unsaved):
    """Another training of one data set is another system; the networks of both stand in one
    figure, also where the mixtures were made again, and another digest tells of other round-off.
    """
    _, last = ends(run)
    plant(run, "gan_forward", np.roll(last, 3, axis=1))
    first = segregation.measure(run)
    setting = replace(first.numbers.setting, epochs=7)
    origin = replace(first.origin, system=system(setting), run="again")
    steps = {"l1_forward_steps": first.numbers.forward["gan_forward"]}
    second = Record(origin, replace(first.numbers, setting=setting, forward=steps))
    drawn = [p.file for p in segregation.pictures([first, second], tmp_path) if p]
    assert sum("free-energy" in file for file in drawn) == 1
    assert sum("movie" in file for file in drawn) == 1
    assert sum("conservation" in file for file in drawn) == 1
    again = replace(second, origin=replace(origin, data="made again"))
    (both,) = side_by_side([first, again])
    assert list(both.numbers.forward) == ["gan_forward", "l1_forward_steps"]
    assert both.origin == first.origin
    moved = replace(first.numbers.examples["forward"], index=np.arange(8))
    others = replace(again.numbers, examples={"forward": moved})
    assert len(side_by_side([first, replace(again, numbers=others)])) == 2, "other mixtures"
    assert len(side_by_side([first, first])) == 2, "two networks of one name"
    told = segregation.sentence([first, second])
    assert told.count("72 mixtures of two components") == 1
    assert "The mixtures are those of seed 3 above. 1 network, *stepping (ours)*" in told
    assert "kept at the ages 0, 10, 100 and the steady state. 1 network" in told
    (where,) = (f for f in segregation.findings([first, second], []) if f.startswith("Where"))
    assert "L1 + GAN 0." in where
    assert where.count("(one training)") == 2


def test_networks_of_one_data_set_are_put_side_by_side(run, tmp_path):
    """Two records of one data set with other networks: all networks in each figure."""
    _, last = ends(run)
    plant(run, "gan_forward", np.roll(last, 3, axis=1))
    first = segregation.measure(run)
    (run / "predict" / "gan_forward.h5").unlink()
    plant(run, "l1_forward", blurred(last, 1.5))
    (both,) = record.gathered([first, segregation.measure(run)])
    plant(run, "gan_forward", np.roll(last, 3, axis=1))
    at_once = segregation.measure(run)
    assert set(both.numbers.forward) == {"gan_forward", "l1_forward"}
    assert record.same(both.numbers.forward["l1_forward"], at_once.numbers.forward["l1_forward"])
    mine, wanted = (the(all_claims(r), "with the GAN that share") for r in (both, at_once))
    assert mine.as_row() == wanted.as_row()
    assert mine.by_rule == "yes"


def test_a_network_may_have_several_keys(run):
    """MODEL/which: what a later version has, several seeds of a model."""
    plant_all(run)
    found = segregation.measure(run)
    n = found.numbers
    second = {"l1_forward/seed-2": n.forward["l1_forward"]} | n.forward
    wider = Record(found.origin, replace(n, forward=second))
    assert [c.as_row() for c in all_claims(wider)] == [c.as_row() for c in all_claims(found)]
    keys = [row["model"] for row in segregation.tables([wider])["networks"]]
    assert keys == ["l1_forward", "l1_forward/seed-2", "gan_forward", "gan_forward_conserving"]


def test_two_systems_on_one_page(tmp_path, simulated, unsaved):
    fields, columns, *rest = simulated
    folders = [
        write_run(
            tmp_path / name / "run",
            fields,
            columns | {"steps": columns["steps"] + more},
            *rest,
            generate={"noise": noise},
        )
        for name, noise, more in (("a", 0.1, 0), ("b", 0.05, 1))
    ]
    assert main(["segregation", *map(str, folders), "--out", str(tmp_path / "out")]) == 0
    gifs = list((tmp_path / "out" / "figures").glob("*.gif"))
    assert len(gifs) == 2
    text = (tmp_path / "out" / "report.md").read_text()
    assert "and noise up to 0.1 (uniform), were run" in text
    assert ", noise = 0.05.** " in text


def test_energies_in_time_are_of_the_samples(run):
    found, data = numbers_of(run).physics, dataset.load(run)
    rows = np.abs(data.mean_concentration - found.means[-1]) < 1e-6
    own = data.quantities["chemical_energy"][rows] / SIZE**2
    assert found.energies[1, -1, :, 0] == pytest.approx(own.mean(0))
    assert found.energies[1, -1, :, 2] == pytest.approx(np.quantile(own, 0.84, axis=0))
    assert physics.rises(np.array([[4.0, 3, 1], [4, 2, 3]])).tolist() == [-0.25, 0.25]


def test_other_studies_and_bare_files_are_refused(run, capsys):
    for change, expected in (
        ({"study": "nucleation"}, "not a data set of the segregation study"),
        ({"config": "a: 1"}, "damaged config"),
    ):
        with_attributes(run / "dataset.h5", **{"study": "segregation", **change})
        assert main(["segregation", str(run)]) == 2
        assert expected in capsys.readouterr().err


def test_finest_structures_are_never_all():
    """Of one domain that fills the box the first shell holds nearly everything."""
    spectrum = np.full((3, 32), 1e-9)
    spectrum[:, :3] = 70, 2, 1
    assert structure.finest(spectrum) == 1


def test_the_boxs_spinodal_is_where_the_kernels_waves_begin_to_grow(run):
    setting = replace(numbers_of(run).setting, size=64, epsilon=3.0, spacing=1.0, well_depth=1.0)
    low, high = box_spinodal(setting)
    model = CahnHilliard((64, 64), epsilon=3.0, device=select("cpu", 1))
    c = np.array([low - 1e-4, low + 1e-4, high - 1e-4, high + 1e-4])
    assert ((largest_growth(model, 2 * c - 1) > 0) == [False, True, True, False]).all()
