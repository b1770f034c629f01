"""analysis nucleation: a tiny simulated data set for the pictures, a hand-made one for the
numbers.
"""

import json
import shutil

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image
from scipy import ndimage

from analysis import nucleation, page, record
from analysis.__main__ import main
from analysis.nucleation import estimates, figures_film, film, paper
from analysis.nucleation.dataset import load, magnetization, unpack
from analysis.nucleation.figures_film import site_edges
from analysis.runs import BadInput, expand

TEMPERATURE = 4 / 9 * 2.269185


def metropolis(spins, sweeps, field, rng, on_sweep):
    """Random-site nearest-neighbour Metropolis, J = 1, all replicas (n, L, L) at once; on_sweep(t)
    -> go on?
    """
    n, size, _ = spins.shape
    rows = np.arange(n)
    for t in range(1, sweeps + 1):
        for _ in range(size * size):
            x, y = rng.integers(0, size, (2, n))
            around = (
                spins[rows, (x + 1) % size, y]
                + spins[rows, x - 1, y]
                + spins[rows, x, (y + 1) % size]
                + spins[rows, x, y - 1]
            )
            cost = 2 * spins[rows, x, y] * (around + field)
            flip = rng.random(n) < np.exp(-np.maximum(cost, 0) / TEMPERATURE)
            spins[rows, x, y] *= np.where(flip, -1, 1)
        if not on_sweep(t):
            return


def pack(spins):
    return np.packbits(spins.reshape(len(spins), -1) > 0, axis=1)


def write(folder, arrays, *, size=10, reach=1, field=0.57, **config):
    """A run directory with config.yaml and a dataset.h5 that holds `arrays` (name -> array)."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(
        {
            "seed": 1,
            "system": {
                "interaction": "nearest" if reach == 1 else "square",
                "range": reach,
                "size": size,
                "temperature": TEMPERATURE if reach == 1 else 16 / 9,
                "field": field,
            },
            "generate": {"copies": 100, "window": 10, "history": 50},
            "collect": {"bins": 33},
            **config,
        }
    )
    (folder / "config.yaml").write_text(text)
    with h5py.File(folder / "dataset.h5", "w") as file:
        file.attrs.update(
            config=text,
            seed=1,
            git_revision="0123abc",
            device="a test",
            bonds="coniglio_klein" if reach == 1 else "density_corrected",
        )
        for name, values in arrays.items():
            file[name] = values
    return folder


def simulate(folder, events=12, copies=10, history=14, field=1.0, size=10):
    """Nucleation events and real interventions, all labels kept in the balanced part too."""
    rng = np.random.default_rng(7)
    spins = np.ones((events, size, size), np.int8)
    lifetime, record = (
        np.zeros(events, int),
        np.zeros((events, history + 1, -(-size * size // 8)), np.uint8),
    )

    def keep(t):
        alive = lifetime == 0
        record[alive] = np.roll(record[alive], -1, axis=1)
        record[alive, -1] = pack(spins[alive])
        lifetime[alive & (spins.sum(axis=(1, 2)) <= 0)] = t
        return (lifetime == 0).any()

    metropolis(spins, 10**5, -field, rng, keep)
    pairs = [(e, t) for e in range(events) for t in range(-history, 0, 2) if t > -lifetime[e]]
    event, time = np.array(pairs).T
    packed = record[event, time + history]
    replicas = np.repeat(unpack(packed, size) * np.int8(2) - np.int8(1), copies, axis=0).astype(
        np.int8
    )
    due, passed = np.repeat(10 - time, copies), np.zeros(len(event) * copies, bool)

    def passage(t):
        passed[(replicas.sum(axis=(1, 2)) <= 0) & (t <= due)] = True
        return True

    metropolis(replicas, int(due.max()), -field, rng, passage)
    nucleated = passed.reshape(-1, copies).sum(axis=1).astype(np.int32)
    number = np.full(len(event), copies, np.int32)
    return write(
        folder,
        field=field,
        size=size,
        arrays={
            "spins": unpack(packed, size) * np.int8(2) - np.int8(1),
            "p_nuc": (nucleated / number).astype(np.float32),
            "magnetization": magnetization(packed, size * size).astype(np.float32),
            "radius_of_gyration": rng.uniform(1, 3, len(event)).astype(np.float32),
            "copies": number,
            "nucleated": nucleated,
            "cluster_size": np.full(len(event), 9, np.int32),
            "time": time,
            "event": event,
            "events/lifetime": lifetime.astype(np.float32),
            "raw/spins": packed,
            "raw/event": event,
            "raw/time": time,
            "raw/copies": number,
            "raw/nucleated": nucleated,
            "raw/history_event": np.arange(8),
            "raw/history": record[:8],
            "raw/history_cluster": clusters(record[:8], size),
        },
    )


def planted(folder, reach=10, size=200, field=1.21, **config):
    """Four events, two of them labelled, whose lifetimes, radii, p_nuc and m give every number of
    the report by hand.
    """
    event, time = np.array([0, 0, 0, 1]), np.array([-10, -5, -2, -5])
    nucleated = np.array([25, 75, 75, 40], np.int32)
    width = -(-size * size // 8)
    raw = np.full((4, width), 255, np.uint8)
    for row, empty in enumerate(
        (100, 300, 300, 160)
    ):  # bytes of down spins: m falls linearly with p_nuc
        raw[row, :empty] = 0
    return write(
        folder,
        reach=reach,
        size=size,
        field=field,
        **config,
        arrays={
            "spins": np.ones((4, size, size), np.int8),
            "p_nuc": (nucleated / 100).astype(np.float32),
            "magnetization": np.array([0.8, 0.6, 0.6, 0.74], np.float32),
            "radius_of_gyration": np.array([18, 18, 18, 26], np.float32),
            "copies": np.full(4, 100, np.int32),
            "nucleated": nucleated,
            "cluster_size": np.full(4, 9, np.int32),
            "time": time,
            "event": event,
            "events/lifetime": np.array([1000, 2000, 3000, 4000], np.float32),
            "raw/spins": raw,
            "raw/event": event,
            "raw/time": time,
            "raw/copies": np.full(4, 100, np.int32),
            "raw/nucleated": nucleated,
            "raw/history_event": np.array([0]),
            "raw/history": np.full((1, 11, width), 255, np.uint8),
        },
    )


def clusters(history, size):
    """Largest geometric clusters of packed frames (k, T + 1, bytes), packed as they are: these
    tests need no compiler.
    """
    found = []
    for frame in history.reshape(-1, history.shape[-1]):
        down = ~unpack(frame, size)
        labels, count = ndimage.label(down)
        found.append(labels == np.bincount(labels.ravel())[1:].argmax() + 1 if count else down)
    return np.packbits(np.reshape(found, (len(found), -1)), axis=1).reshape(history.shape)


def rows(folder):
    """{(system, quantity): row} of a report.json."""
    return {
        (r["system"], r["quantity"]): r
        for r in json.loads((folder / "report.json").read_text())["rows"]
    }


def numbers(*folders):
    """The same rows without drawing anything."""
    records = [nucleation.measure(folder) for folder in folders]
    return {(row["system"], row["quantity"]): row for row in nucleation.tables(records)["rows"]}


def value(table, system, start):
    (row,) = [
        r for (name, quantity), r in table.items() if name == system and quantity.startswith(start)
    ]
    return row


def test_figures_movie_and_report_of_a_simulated_run(tmp_path):
    run = simulate(tmp_path / "run")
    assert main(["nucleation", str(run)]) == 0
    drawn = json.loads((run / "report.json").read_text())["figures"]
    assert len(drawn) == 7
    for picture in drawn:
        assert (run / picture["file"]).stat().st_size > 2000
        assert picture["caption"]
        assert f"({picture['file']})" in (run / "report.md").read_text()
    for png in (run / "figures").glob("*.png"):
        assert png.with_suffix(".pdf").exists()
        assert np.ptp(np.asarray(Image.open(png).convert("L"))) > 100
    (gif,) = (run / "figures").glob("*.gif")
    assert gif.stat().st_size < 2e6
    assert Image.open(gif).n_frames > 10
    assert "coniglio-klein" in (run / "report.md").read_text()
    (origin,) = json.loads((run / "report.json").read_text())["records"]
    assert (origin["revision"], origin["seed"]) == ("0123abc", 1)
    before = {
        path: path.read_bytes() for path in [*(run / "figures").iterdir(), run / "report.json"]
    }
    assert main(["nucleation", str(run)]) == 0
    assert all(path.read_bytes() == content for path, content in before.items()), (
        "a second run gives other bytes"
    )


def test_planted_numbers(tmp_path):
    table, name = numbers(planted(tmp_path / "run")), "R = 10, L = 200, h = 1.21"
    lifetime = value(table, name, "mean lifetime")
    assert (lifetime["ours"], lifetime["paper"], lifetime["status"]) == (
        2500,
        "at least 1e4",
        "run",
    )
    assert lifetime["error"] == pytest.approx(np.std([1, 2, 3, 4], ddof=1) * 1000 / 2)
    radius = value(table, name, "mean radius")
    assert radius["ours"] == 20
    assert radius["paper"] == "19.42"
    naive = np.std([18, 18, 18, 26], ddof=1) / 2
    assert radius["error"] > 1.2 * naive, "three configurations of one event counted as independent"
    assert value(table, name, "growth time, p_nuc = 1/2")["ours"] == pytest.approx(
        (7.5 + 5 - 5 / 6) / 2
    )
    assert value(table, name, "label noise floor")["ours"] == pytest.approx(
        (3 * 0.1875 + 0.24) / 99 / 4
    )
    assert value(table, name, "correlation of p_nuc with m, balanced")["ours"] == pytest.approx(-1)
    assert value(table, name, "correlation of p_nuc with m, all")["ours"] == pytest.approx(-1)
    size = value(table, name, "balanced configurations")
    assert size["ours"] == 4
    assert "from 2 events; 3 of 33 bins" in size["note"]


def test_systems_of_the_paper_without_data_are_not_run(tmp_path):
    run = planted(tmp_path / "run", reach=1, size=10, field=0.57)
    assert main(["nucleation", str(run)]) == 0
    table = rows(run)
    row = value(table, "R = 20, L = 200, h = 1.255", "mean radius")
    assert (row["status"], row["ours"], row["paper"]) == ("not run", None, "57.15")
    assert value(table, "R = 1, L = 10, h = 0.57", "balanced configurations")["paper"] == "14 593"
    assert {system for (system, _), r in table.items() if r["status"] == "not run"} == {
        s.name for s in paper.SYSTEMS if s.range > 1
    }
    assert "not run" in (run / "report.md").read_text()


def test_a_system_that_is_not_the_papers_borrows_none_of_its_numbers(tmp_path):
    run = planted(tmp_path / "run", reach=1, size=10, field=0.9)
    ours = [r for (system, _), r in numbers(run).items() if system == "R = 1, L = 10, h = 0.9"]
    assert ours
    assert all(row["paper"] is None for row in ours)


def test_several_runs_and_sweeps(tmp_path, capsys):
    for field in (0.57, 0.6):
        planted(tmp_path / "sweep" / f"system.field={field}", reach=1, size=10, field=field)
    (tmp_path / "sweep" / "config.yaml").write_text("{}")
    (tmp_path / "sweep" / "system.field=0.7").mkdir()
    (tmp_path / "sweep" / "system.field=0.7" / "config.yaml").write_text("{}")
    other = planted(tmp_path / "other", reach=3, size=30, field=0.89)
    assert (
        main(["nucleation", str(tmp_path / "sweep"), str(other), "--out", str(tmp_path / "out")])
        == 0
    )
    assert "system.field=0.7: no dataset.h5 yet" in capsys.readouterr().err
    systems = json.loads((tmp_path / "out" / "report.json").read_text())["systems"]
    assert [s["system"] for s in systems] == [
        "R = 1, L = 10, h = 0.57",
        "R = 1, L = 10, h = 0.6",
        "R = 3, L = 30, h = 0.89",
    ]
    assert len(expand(tmp_path)[0]) == 3  # a parent of a sweep and a run


def test_two_runs_of_a_system_are_one_page_with_smaller_errors(tmp_path):
    """The claims' numbers are those of both; the second run has other lifetimes."""
    folders = [planted(tmp_path / name, reach=1, size=10, field=0.57) for name in "ab"]
    with h5py.File(folders[1] / "dataset.h5", "a") as file:
        file["events/lifetime"][...] = [1100, 2100, 3100, 4100]
    assert main(["nucleation", *map(str, folders), "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [s["system"] for s in report["systems"]] == ["R = 1, L = 10, h = 0.57"]
    (claim,) = [c for c in report["claims"] if c["claim"] == "mean lifetime"]
    alone = np.std([1, 2, 3, 4], ddof=1) * 1000 / 2
    assert claim["ours"] == pytest.approx(2550)
    assert claim["error"] == pytest.approx(alone / np.sqrt(2))
    assert "2 runs together" in claim["data"]
    assert any("2 runs" in line for line in report["left_out"])


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"generate": {"window": 20}}, ", window = 20 MCS"),
        ({"generate": {"reading": "two_sided"}}, ", two sided"),
        ({"system": {"temperature": 1.2}}, ", T = 1.2"),
        ({"system": {"dynamics": "heat_bath"}}, ", heat bath"),
        ({}, ""),
    ],
)
def test_what_must_not_add_up_has_another_name(tmp_path, change, more):
    run = planted(tmp_path / "run", reach=1, size=10, field=0.57)
    with h5py.File(run / "dataset.h5", "a") as file:
        config = yaml.safe_load(file.attrs["config"])
        for section, values in change.items():
            config[section] |= values
        file.attrs["config"] = yaml.safe_dump(config)
    measured = nucleation.measure(run)
    assert measured.origin.system == "R = 1, L = 10, h = 0.57" + more
    # the paper has Metropolis at 4/9 Tc
    assert (paper.find(measured.numbers.system) is None) == ("system" in change)


def test_a_record_makes_the_page_without_the_run(tmp_path):
    run = simulate(tmp_path / "run", events=8, copies=2, history=6)
    assert main(["nucleation", str(run)]) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(run / "record.h5", elsewhere / "mine.h5")
    shutil.move(run / "report.json", elsewhere / "before.json")
    shutil.rmtree(run)
    assert main(["nucleation", str(elsewhere / "mine.h5"), "--out", str(elsewhere / "page")]) == 0
    again = (elsewhere / "page/report.json").read_bytes()
    assert again == (elsewhere / "before.json").read_bytes()


def test_a_record_is_what_was_measured_and_small(tmp_path):
    """Noise at L = 200 in all frames, which nothing compresses: the film is what takes room."""
    run, rng = planted(tmp_path / "run"), np.random.default_rng(1)
    noise = rng.integers(0, 256, (8, 51, 5000), np.uint8)
    with h5py.File(run / "dataset.h5", "a") as file:
        for name in ("raw/history", "raw/history_event"):
            del file[name]
        file["raw/history"], file["raw/history_cluster"] = noise, noise
        file["raw/history_event"] = np.zeros(8, np.int32)
    measured = nucleation.measure(run)
    path = record.write(tmp_path / "record.h5", measured)
    assert path.stat().st_size < 600_000
    found = record.read(path, {"nucleation": nucleation.Numbers})
    assert found.origin == measured.origin
    assert record.same(found.numbers, measured.numbers)
    assert len(found.numbers.film.spins) == 51


def test_findings_are_sentences_of_these_numbers(tmp_path):
    records = [nucleation.measure(planted(tmp_path / "run", reach=1, size=10, field=0.57))]
    said = nucleation.findings(records, nucleation.claims(records[0]))
    assert len(said) <= page.FINDINGS
    assert any("2500(600) MCS for R = 1, L = 10, h = 0.57" in text for text in said)
    assert all(text.endswith(".") for text in said)


def test_no_balanced_configurations(tmp_path):
    run = planted(tmp_path / "run", reach=1, size=10, field=0.57)
    with h5py.File(run / "dataset.h5", "a") as file:
        for name in [n for n in file if isinstance(file[n], h5py.Dataset)]:
            values = file[name][:0]
            del file[name]
            file[name] = values
    assert main(["nucleation", str(run)]) == 0
    assert value(rows(run), "R = 1, L = 10, h = 0.57", "mean radius")["status"] == "undetermined"


def _no_dataset(folder):
    folder.mkdir()
    (folder / "config.yaml").write_text("seed: 1")


def _not_a_run(folder):
    folder.mkdir()


def _other_study(folder):
    _no_dataset(folder)
    with h5py.File(folder / "dataset.h5", "w") as file:
        file["density"] = np.ones(3)


def _truncated(folder):
    file = planted(folder, reach=1, size=10) / "dataset.h5"
    file.write_bytes(file.read_bytes()[:-2000])


def _not_hdf5(folder):
    _no_dataset(folder)
    (folder / "dataset.h5").write_text("hello")


def _other_size(folder):
    planted(folder, reach=1, size=10)
    with h5py.File(folder / "dataset.h5", "a") as file:
        del file["spins"]
        file["spins"] = np.ones((4, 12, 12), np.int8)


def _absent(folder):
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_no_dataset, "no dataset.h5"),
        (_not_a_run, "not a run directory"),
        (_absent, "does not exist"),
        (_other_study, "not a nucleation dataset"),
        (_truncated, "truncated"),
        (_not_hdf5, "not HDF5"),
        (_other_size, "do not agree"),
    ],
)
def test_bad_runs_end_with_one_line_and_exit_2(tmp_path, capsys, make, message):
    make(tmp_path / "run")
    assert main(["nucleation", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert str(tmp_path) in error
    assert not (tmp_path / "run" / "figures").exists(), "nothing is written for a bad run"


def test_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["cooking", str(tmp_path)])
    assert stop.value.code == 2
    assert main(["nucleation", str(tmp_path), str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "runs/demo-nucleation" in capsys.readouterr().out


def test_noise_floor_of_uniform_labels():
    p = np.random.default_rng(0).random(200_000)
    nucleated = np.random.default_rng(1).binomial(100, p)
    assert estimates.noise_floor(nucleated, np.full(len(p), 100)) == pytest.approx(
        1 / 600, rel=0.01
    )


def test_bootstrap_over_events_sees_their_correlation():
    rng = np.random.default_rng(3)
    events, each = 200, 25
    values = np.repeat(rng.normal(size=events), each)
    estimate = estimates.mean(np.repeat(np.arange(events), each), values)
    assert estimate.error == pytest.approx(1 / np.sqrt(events), rel=0.15)


def test_correlation_and_variance_explained_of_a_parabola():
    x = np.linspace(-1, 1, 4000)
    event = np.arange(4000) // 10
    assert abs(estimates.correlation(event, x, x**2).value) < 1e-6
    assert estimates.variance_explained(event, x, x**2).value > 0.97


@pytest.mark.parametrize(
    ("time", "p", "age"),
    [
        ([-4, -2], [0.0, 0.25], 2 - 2 / 3),
        ([-4, -2], [0.6, 0.9], np.inf),
        ([-6, -4, -2], [0.9, 0.4, 0.6], 3),
    ],
)
def test_age_at_half_probability(time, p, age):
    _, ages = estimates.crossing_ages(np.zeros(len(time), int), np.array(time), np.array(p), 0.5)
    assert ages[0] == pytest.approx(age)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        ((26.3123, 0.4218), "26.3(4)"),  # as kernels.estimate writes it
        ((81096.0, 0.0), "81096"),
        ((1417.3, 0.0), "1417"),
        ((0.23281, np.nan), "0.233"),
        ((np.nan, np.nan), "undetermined"),
    ],
)
def test_error_bars_in_words(estimate, text):
    assert str(estimates.Estimate(*estimate)) == text


def test_site_edges_enclose_a_square():
    member = np.zeros((5, 5), bool)
    member[1:3, 1:3] = True
    edges = site_edges(member)
    assert len(edges) == 8
    assert set(edges.reshape(-1, 2)[:, 0]) == {0.5, 1.5, 2.5}
    member[:] = False
    member[:, 2] = True
    assert set(site_edges(member).reshape(-1, 2)[:, 1]) == {1.5, 2.5}, (
        "a band across the torus has two sides"
    )


def test_truncated_magnetization_padding():
    spins = np.ones((1, 10, 10))
    spins[0, :, 5:] = -1
    assert magnetization(pack(spins), 100)[0] == 0
    assert unpack(pack(spins), 10).sum() == 50


def test_load_refuses_another_study(tmp_path):
    _other_study(tmp_path / "run")
    with pytest.raises(BadInput, match="another study"):
        load(tmp_path / "run")


def test_the_film_keeps_its_droplet_in_the_middle(tmp_path):
    run = simulate(tmp_path / "run", events=8, copies=2)
    found = film.measure(load(run))
    stable, member = ~unpack(found.spins, 10), unpack(found.cluster, 10)
    assert not (member & ~stable).any()
    assert member[-1].sum() > 30, "at t = 0 the droplet fills about half the system"
    middle = found.centre[found.rise // 2 - int(found.time[0])]
    assert np.abs(middle - 5).max() <= 0.5
    assert found.radius[-1] > found.radius[0]
    assert found.m[-1] <= 0


def test_a_data_set_of_before_has_a_film_without_clusters(tmp_path):
    run = simulate(tmp_path / "run", events=8, copies=2)
    with h5py.File(run / "dataset.h5", "a") as file:
        del file["raw/history_cluster"]
    assert film.measure(load(run)).cluster is None
    picture = figures_film.strip(nucleation.measure(run), tmp_path)
    assert "its largest cluster is not outlined" in picture.caption


def test_errors_of_many_events_are_those_of_few():
    """50 000 events, resampled in groups: the textbook's error of a mean and of a ratio."""
    generator = np.random.default_rng(5)
    values = generator.exponential(size=50_000)
    found = estimates.coefficient_of_variation(values)
    # of the exponential law, whose variation has the variance (delta method) 1 / n
    assert found.error == pytest.approx(1 / np.sqrt(len(values)), rel=0.15)
    mean = estimates.mean(np.arange(len(values)), values)
    assert mean.error == pytest.approx(values.std() / np.sqrt(len(values)), rel=0.1)
    assert mean.value == pytest.approx(values.mean(), rel=1e-12)


def test_ranks_correlate_as_without_what_lies_far_off():
    """Bivariate normal numbers: Spearman's r is 6/pi asin(r/2); a few far off spoil Pearson's."""
    x, noise = np.random.default_rng(5).normal(size=(2, 4000))
    event, y = np.arange(4000), 0.6 * x + 0.8 * noise
    known = 6 / np.pi * np.arcsin(0.3)
    found = estimates.rank_correlation(event, x, y)
    assert abs(found.value - known) < 4 * found.error < 0.05
    x[:8] = -100.0
    assert abs(estimates.correlation(event, x, y).value) < 0.2
    # eight of 4 000 ranks go from anywhere to the end
    assert estimates.rank_correlation(event, x, y).value == pytest.approx(found.value, abs=0.01)


def test_bins_of_the_conditional_mean_lie_where_their_points_are():
    m = np.concatenate([[-50.0], np.linspace(0, 1, 119)])
    where, mean, _ = estimates.conditional_mean(np.arange(120), m, m > 0.5)
    assert where[0] == pytest.approx(0.04, abs=0.02)
    assert (mean[0], mean[-1]) == (0, 1)
