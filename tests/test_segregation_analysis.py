"""analysis segregation: a small simulated data set, and 'predictions' made from the truth so that
their numbers are known.
"""

import json

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image
from resealed import with_attributes

from analysis.__main__ import main
from analysis.segregation import checks, claims, dataset, predictions, skill, structure, transition
from analysis.segregation.quantities import SIX
from jobs import shards
from jobs.segregation.fields import measure
from jobs.shards import Data
from kernels.cahn_hilliard import CahnHilliard, mixtures

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
    (row,) = [r for r in rows if r.claim.startswith(start)]
    return row


def judged(folder):
    run = dataset.load(folder)
    return claims.all_claims(run, skill.skills(run))


# --- the numbers ---


def test_what_the_gan_shifted_and_lifted(run):
    plant_all(run)
    rows = judged(run)
    kept = the(rows, "conserves the phase fraction")
    assert kept.ours == pytest.approx(0.004, rel=1e-3)
    assert (kept.by_rule, kept.agrees) == ("yes", "not comparable"), (
        "32 cells and 36 samples are not the paper's"
    )
    lifted = dataset.load(run).predictions["gan_forward"]
    inside = lifted.segregated
    expected = 1 - np.median(0.004 / lifted.truth["mean_concentration"][inside])
    assert the(rows, "accuracy of the mean concentration").ours == pytest.approx(expected, rel=1e-4)
    assert the(rows, "best accuracy").ours == max(
        the(rows, f"accuracy of the {q}").ours for q in ("area", "perimeter", "free energy")
    )
    fate = the(rows, "predicts the phase transition: share")
    assert fate.ours == 1
    assert fate.baselines == {"most training samples at this mean": 1.0}


def test_a_perfect_network_is_perfect_in_every_quantity(run):
    _, last = ends(run)
    plant(run, "gan_forward", np.roll(last, (3, 5), axis=(1, 2)))
    found = dataset.load(run)
    for s in skill.skills(found):
        exact = 1e-5 if s.quantity == "surface_energy" else 1e-6
        assert s.accuracy["value"] == pytest.approx(1, abs=exact), s.quantity
        assert s.advantage["value"] > 0 or s.quantity == "mean_concentration"
    p = found.predictions["gan_forward"]
    assert p.spectrum == pytest.approx(p.spectrum_truth, rel=1e-3, abs=1e-6)
    assert (p.correlation[p.segregated] < 0.9).all(), "though not cell by cell"


def test_segregated_and_uniform_samples_are_apart(run):
    _, last = ends(run)
    found = dataset.load(run)
    means = found.mean_concentration[found.split == 2]
    wrong = np.where(
        ((means > 0.2) & (means < 0.8))[:, None, None], last * 0.9, last
    )  # bad only where it segregates
    plant(run, "gan_forward", wrong)
    found = dataset.load(run)
    mean = skill.skill(found, found.predictions["gan_forward"], SIX[0])
    assert (mean.samples, mean.uniform_samples) == (5 * EACH, 4 * EACH)
    assert mean.accuracy["value"] == pytest.approx(0.9, abs=1e-5)
    assert mean.uniform_accuracy["value"] == pytest.approx(1, abs=1e-6)
    assert mean.everything["value"] == pytest.approx(0.9, abs=1e-5)
    few = np.flatnonzero((means < 0.2) | (means > 0.8) | (means == 0.5))
    plant(run, "gan_forward", wrong, rows=few)
    found = dataset.load(run)
    mean = skill.skill(found, found.predictions["gan_forward"], SIX[0])
    assert mean.accuracy["value"] == pytest.approx(0.9, abs=1e-5)
    assert mean.everything["value"] == pytest.approx(1, abs=1e-6), "uniform samples flatter"


def test_baselines_know_the_training_set_alone(run):
    _, last = ends(run)
    plant(run, "gan_forward", last)
    found = dataset.load(run)
    p = found.predictions["gan_forward"]
    s = skill.skill(found, p, SIX[1])
    training = (found.split == 0) & (found.quantities["perimeter"][:, -1] > 0)
    area, truth = found.quantities["area"][training, -1], p.truth["area"][p.segregated]
    assert s.baseline_mean["value"] == pytest.approx(
        1 - np.median(np.abs(area.mean() - truth) / truth)
    )
    own = np.array(
        [
            area[found.mean_concentration[training] == m].mean()
            for m in p.mean_concentration[p.segregated]
        ]
    )
    assert s.baseline_given_mean["value"] == pytest.approx(
        1 - np.median(np.abs(own - truth) / truth)
    )
    assert s.baseline_given_mean["value"] > s.baseline_mean["value"] + 0.2
    assert s.advantage["value"] == pytest.approx(1 - s.baseline_given_mean["value"])


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


def test_structure_factor_of_a_wave_and_of_noise():
    x = np.arange(64)
    wave = np.broadcast_to(0.5 + 0.1 * np.cos(2 * np.pi * 5 * x / 64), (2, 64, 64))
    found = structure.spectrum(wave)
    modes = structure.shells(64)[1]
    assert found[0, 4] * modes[4] == pytest.approx(0.1**2 / 2 * 64**2), (
        "all of the variance, times L^2, in the shell of 5 waves"
    )
    assert np.delete(found, 4, axis=1) == pytest.approx(0, abs=1e-12)
    noise = structure.spectrum(np.random.default_rng(0).normal(0, 0.3, (200, 64, 64)))
    assert noise.mean(0) == pytest.approx(0.09, rel=0.1), "white"
    assert structure.wave_numbers(64, 0.5)[[0, -1]] == pytest.approx([2 * np.pi / 32, np.pi / 0.5])


def test_blur_is_measured(run):
    plant_all(run)
    found = dataset.load(run)
    p = found.predictions["l1_forward"]
    inside = p.segregated
    value, _ = structure.ratio_by_shell(p.spectrum[inside], p.spectrum_truth[inside])
    k = structure.wave_numbers(SIZE, 1.0)
    assert value[:6] == pytest.approx(np.exp(-((k[:6] * 1.5) ** 2)), rel=0.15), (
        "shells are not infinitely thin"
    )
    first = structure.finest(p.spectrum_truth[inside])
    share = p.spectrum_truth[inside].mean(0) * structure.shells(SIZE)[1]
    assert share[first:].sum() >= 0.1 * share.sum() > share[first + 1 :].sum()
    rows = judged(run)
    assert the(rows, "L1 alone misses").by_rule == "yes"
    assert the(rows, "L1 alone misses").ours < 0.7
    assert the(rows, "the GAN's loss makes up").ours == pytest.approx(1, abs=1e-6)
    nearer = the(rows, "with the GAN that share")
    assert nearer.ours == pytest.approx(the(rows, "L1 alone misses").ours - 1, abs=1e-6)
    assert nearer.by_rule == "yes"


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
        at, same, difference = transition.positions(transition.count(mean, truth, truth), "lower")
        found.append((at.value, at.error))
        assert (same.value, difference.value, difference.error) == (at.value, 0, 0), (
            "the same samples, not independent ones"
        )
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
    assert lower.ours == pytest.approx(0.075), "from between 0.15 and 0.25 to between 0.25 and 0.3"
    assert (lower.by_rule, lower.agrees) == ("no", "not comparable")
    assert the(judged(run), "predicts the phase transition: upper").ours == 0
    assert the(judged(run), "predicts the phase transition: share").ours == pytest.approx(8 / 9)


def test_a_missing_transition_is_a_wrong_one(run):
    _, last = ends(run)
    plant(
        run, "gan_forward", np.broadcast_to(last[5 * EACH], last.shape)
    )  # a droplet, whatever the mixture
    lower = the(judged(run), "predicts the phase transition: lower")
    assert (lower.ours, lower.by_rule) == (None, "no")


def test_reverse_models_are_judged_by_statistics(run):
    plant_all(run)
    found = dataset.load(run)
    drawn, flat = (
        claims.reverse_statistics(found.predictions[m], found.predictions[m].segregated)
        for m in ("gan_reverse", "l1_reverse")
    )
    assert drawn.variance.value == pytest.approx(1, abs=0.03), "other noise of the same kind"
    assert drawn.fine.value == pytest.approx(1, abs=0.05)
    assert drawn.overlap.value > 0.98
    assert drawn.change.value < 1e-6
    assert abs(drawn.correlation) < 0.05
    assert flat.variance.value == pytest.approx(0, abs=1e-9)
    assert np.isnan(flat.correlation)
    rows = judged(run)
    assert {
        the(rows, f"reversible mapping: {start}").by_rule for start in ("variance", "rms change")
    } == {"yes"}


@pytest.mark.parametrize(
    ("size", "training", "expected"), [(64, 4320, True), (64, 4319, False), (32, 8640, False)]
)
def test_what_is_comparable_with_the_paper(run, size, training, expected):
    plant(run, "gan_forward", ends(run)[1])
    found = dataset.load(run)
    found.config["system"]["size"] = size
    found.split.resize(training, refcheck=False)
    found.split[:] = 0
    assert claims.same_task(found, found.predictions["gan_forward"]) == expected


def test_checks_hold_and_find_what_is_wrong(run, tmp_path, simulated):
    assert [c.holds for c in checks.checks(dataset.load(run))] == [True, True, True, None]
    fields, columns, split, mean = simulated
    bad = {name: values.copy() for name, values in columns.items()}
    bad["chemical_energy"][5, 2] = 2 * bad["chemical_energy"][5, 1] + bad["surface_energy"][5, 1]
    bad["mean"][3, 1] += 1e-3
    bad["steady_time"][0] = np.nan
    found = checks.checks(dataset.load(write_run(tmp_path / "bad", fields, bad, split, mean)))
    assert [c.holds for c in found] == [False, False, False, None]
    assert found[1].value == pytest.approx(1e-3, rel=1e-2)
    assert found[2].value == pytest.approx(1 / len(mean))


def test_the_conserving_network_is_checked(run):
    plant_all(run)
    assert checks.checks(dataset.load(run))[3].holds
    plant(run, "gan_forward_conserving", ends(run)[1] + 1e-3)
    assert checks.checks(dataset.load(run))[3].holds is False


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


# --- everything together ---


def test_report_and_figures(run, capsys):
    plant_all(run)
    for model in ("l1_forward", "gan_forward"):
        plant_training(run, model)
    plant_activations(run)
    assert main(["segregation", str(run)]) == 0
    wanted = [
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
        "activations-gan_forward",
        "learning",
        "free-energy",
    ]
    figures = run / "figures"
    assert (
        {p.stem for p in figures.glob("*.png")}
        == {p.stem for p in figures.glob("*.pdf")}
        == set(wanted)
    )
    with Image.open(figures / "movie.gif") as movie:
        assert movie.n_frames == len(TIMES)
    text, numbers = (run / "report.md").read_text(), json.loads((run / "report.json").read_text())
    assert [f["file"] for f in numbers["figures"]] == [f"figures/{name}.png" for name in wanted] + [
        "figures/movie.gif"
    ]
    assert all(f["file"] in text for f in numbers["figures"])
    assert "### Not run" not in text
    assert "many mixed states lead to one segregated state" in text
    assert len(numbers["skills"]) == 3 * len(SIX)
    assert not numbers["left_out"]
    assert "figures/movie.gif" in capsys.readouterr().out


def test_a_run_without_networks_reports_its_data_and_nothing_else(run):
    assert main(["segregation", str(run)]) == 0
    numbers = json.loads((run / "report.json").read_text())
    assert {c["agrees"] for c in numbers["claims"]} == {"not run"}
    assert all(c["ours"] is None for c in numbers["claims"])
    assert {p.stem for p in (run / "figures").glob("*.png")} == {"phase-transition", "free-energy"}
    assert "No network of these runs has made predictions yet." in (run / "report.md").read_text()


def test_two_runs_in_one_report(tmp_path, simulated):
    folders = [write_run(tmp_path / name / "run", *simulated) for name in ("a", "b")]
    assert main(["segregation", *map(str, folders), "--out", str(tmp_path / "out")]) == 0
    assert {p.stem for p in (tmp_path / "out" / "figures").glob("*.gif")} == {
        "run-movie",
        "run-2-movie",
    }
    assert not list(folders[0].glob("report*")), "runs are not written to"


def test_other_studies_and_bare_files_are_refused(run, capsys):
    for change, expected in (
        ({"study": "nucleation"}, "not a data set of the segregation study"),
        ({"config": "a: 1"}, "damaged config"),
    ):
        with_attributes(run / "dataset.h5", **{"study": "segregation", **change})
        assert main(["segregation", str(run)]) == 2
        assert expected in capsys.readouterr().err
