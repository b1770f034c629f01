"""What the flocking networks say of all configurations, what they look at, and of a user's own: the
files and the mistakes.
"""

import h5py
import numpy as np
import pytest
import torch
from test_flocking_train import configurations, planted

from jobs import shards
from jobs.flocking import epochs, train
from jobs.flocking.networks import PhaseNetwork
from jobs.flocking.trained import network_of, probabilities, saliency
from jobs.rundir import System

NAMES = [
    f"{which}/lambda-{x}/seed-{s}"
    for which in ("all", "reference")
    for x in ("0", "0.01")
    for s in (0, 1)
]


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> System:
    """Eight small networks, on 120 configurations of two densities."""
    torch.set_num_threads(1)
    m, rho, phase = configurations(20)
    density = np.where(np.arange(120) % 4 < 3, 3.0, 5.0)
    made = planted(
        tmp_path_factory.mktemp("trained") / "run",
        m,
        rho,
        phase,
        density=density,
        other=[5.0],
        sets=["reference", "all"],
        regularization=[0.0, 0.01],
        seeds=2,
        max_epochs=3,
        learning_rate=3e-3,
        samples=4,
        predict={"saliency": {"temperature": 0.5, "configurations": 6}},
    )
    for name in NAMES:
        train.fit(made, name, "cpu", lambda *_: None)
    return made


@pytest.fixture
def predict(quench, system):
    def call(*arguments, status=0):
        code, lines = quench(
            "flocking", "predict", f"{system.folder}.yaml", "--run", system.folder, *arguments
        )
        assert code == status, lines
        return lines

    return call


def test_every_network_answers_for_every_configuration(predict, system):
    predict()
    said, about = shards.read(system.folder / "predict/probabilities.h5")
    data = train.dataset_of(system)
    assert set(said) == {*NAMES, "temperature", "mean_density", "replica"}
    for name in ("temperature", "mean_density", "replica"):
        assert np.array_equal(said[name], getattr(data, name))
    for name in NAMES:
        assert (said[name].shape, said[name].dtype) == ((120, 3), np.float32)
        assert said[name].sum(1) == pytest.approx(1, abs=1e-5)
        tested = shards.read(system.training(name) / "test.h5")[0]
        assert np.allclose(said[name][tested["index"]], tested["probabilities"], atol=1e-5)
    assert (about["study"], about["config_digest"]) == ("flocking", data.digests["config_digest"])


def test_saliency_of_bands_at_the_reference_density(predict, system):
    predict()
    maps, about = shards.read(system.folder / "predict/saliency.h5")
    data = train.dataset_of(system)
    index = maps["index"]
    assert (np.diff(index) > 0).all()
    assert (data.mean_density[index] == 3).all()
    for phase in (0, 1, 2):
        mine = index[data.phase[index] == phase]
        assert len(mine) == 6
        assert len(np.unique(data.replica[mine])) == 6  # one of each run, as long as there are runs
        assert len(np.unique(data.temperature[mine])) == 1
    assert about["temperature"] == 0.5
    for name in NAMES:
        assert (maps[name].shape, maps[name].dtype) == ((18, 2, 18, 18), np.float32)
        assert np.isfinite(maps[name]).all()
        assert maps[f"margin/{name}"].shape == (18, 2, 18, 18)
        assert np.isfinite(maps[f"margin/{name}"]).all()
    network = network_of(system, NAMES[0], "cpu", print).double()
    given = epochs.unpacked(data.maps[index[:1].astype(np.int64)]).double()
    score, other = network(given)[0].argsort(descending=True)[:2].tolist()
    with torch.no_grad():
        for channel, x, y in ((0, 3, 4), (1, 10, 2)):
            high, low = given.clone(), given.clone()
            high[0, channel, x, y] += 1e-4
            low[0, channel, x, y] -= 1e-4
            slopes = (exact(network, high)[0] - exact(network, low)[0]) / 2e-4
            for name, slope in (
                (NAMES[0], slopes[score]),
                (f"margin/{NAMES[0]}", slopes[score] - slopes[other]),
            ):
                assert float(slope.abs()) == pytest.approx(
                    maps[name][0, channel, x, y], rel=2e-3, abs=1e-6
                )


def exact(network, maps):
    """The network's scores in float64, in which it does not answer by itself."""
    a, b, c, d = network.convolutions
    pool, relu = torch.nn.functional.max_pool2d, torch.relu
    out = pool(relu(d(relu(c(pool(relu(b(relu(a(maps)))), 3))))), 3)
    return network.scores(relu(network.hidden(out.flatten(1))))


def test_saliency_finds_the_patch_that_decides():
    """A network that learnt whether a patch in one corner is magnetized looks there; the penalty
    makes it forget the rest.
    """
    torch.manual_seed(3)
    random = np.random.default_rng(3)
    m = random.integers(-1, 2, (300, 18, 18))
    phase = random.integers(0, 2, 300) * 2
    m[phase == 2, :6, :6] += 2
    maps, network = epochs.packed(m, np.abs(m) + 2), PhaseNetwork(18)
    optimiser, labels = torch.optim.Adam(network.parameters(), lr=3e-3), torch.from_numpy(phase)
    for _ in range(30):
        for rows in torch.randperm(300).split(25):
            loss = (
                torch.nn.functional.cross_entropy(
                    network(epochs.unpacked(maps[rows])), labels[rows]
                )
                + 0.01 * network.penalty()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert (probabilities(network, maps).argmax(1) == phase).mean() > 0.97
    found = saliency(network, maps[:100])
    assert found.shape == (100, 2, 18, 18)
    patch = found[:, :, :6, :6].mean()
    assert patch > 3 * (found.sum() - found[:, :, :8, :8].sum()) / (
        found.size - found[:, :, :8, :8].size
    )


def test_what_is_there_is_kept_and_what_is_damaged_or_asked_otherwise_is_made_again(
    predict, system
):
    predict()
    path = system.folder / "predict/probabilities.h5"
    before = path.stat().st_mtime_ns
    assert sum("made by the same networks before, kept" in line for line in predict()) == 1
    assert path.stat().st_mtime_ns == before
    path.write_text("words")
    assert any("120 configurations by 8 networks" in line for line in predict())
    assert any(
        "120 configurations by 4 networks" in line
        for line in predict("--set", "predict.sets=[reference]")
    )
    assert not any(name.startswith("all") for name in shards.read(path)[0])
    predict("--set", "predict.saliency.configurations=2")
    assert len(shards.read(system.folder / "predict/saliency.h5")[0]["index"]) == 6


# ---- a user's own configurations


def own(path, m, rho):
    if path.suffix == ".npz":
        np.savez(path, magnetization=m, density=rho)
    else:
        with h5py.File(path, "w") as file:
            file["magnetization"], file["density"] = m, rho
    return path


good = configurations(2, seed=9)


@pytest.mark.parametrize("name", ["mine.npz", "mine.h5"])
def test_ones_own_configurations_are_answered(predict, system, tmp_path, name):
    m, rho, _ = good
    lines = predict("--input", own(tmp_path / name, m, rho))
    found, about = shards.read(tmp_path / "mine-phases.h5")
    each = [
        probabilities(
            network_of(system, f"reference/lambda-0.01/seed-{s}", "cpu", print),
            epochs.packed(m, rho),
        )
        for s in (0, 1)
    ]
    assert np.allclose(found["probabilities"], np.mean(each, 0), atol=1e-6)
    assert np.allclose(found["spread"], np.std(each, 0), atol=1e-6)
    assert np.array_equal(found["phase"], found["probabilities"].argmax(1))
    assert np.allclose(found["mean_density"], rho.mean((1, 2)))
    assert (about["model"], about["input"], about["study"]) == (
        "reference/lambda-0.01",
        name,
        "flocking",
    )
    assert lines[-1].startswith(f"{tmp_path / 'mine-phases.h5'}: 12 configurations, ")
    predict(
        "--input",
        own(tmp_path / f"one{name[4:]}", m[0] * 1.0, rho[0]),
        "--model",
        "all/lambda-0",
        "--output",
        tmp_path / "a/b.h5",
    )
    found, about = shards.read(tmp_path / "a/b.h5")
    assert found["probabilities"].shape == (1, 3)
    assert about["model"] == "all/lambda-0"


def changed(which, value):
    maps = [good[0].copy(), good[1].copy()]
    maps[which][1, 2, 3] = value
    return maps


BAD = {
    "another L": (
        [each[:, :9, :9] for each in good[:2]],
        "magnetization of shape (12, 9, 9); this run's networks know (n, 18, 18)",
    ),
    "a flat one": ([each[:, 0] for each in good[:2]], "magnetization of shape (12, 18)"),
    "as many": (
        [good[0], good[1][:3]],
        "12 maps of magnetization and 3 of density; expected as many",
    ),
    "negative": (changed(1, -2), "a negative density: configuration 1, site (2, 3) has m = "),
    "too magnetic": (
        changed(0, 99),
        "|magnetization| > density: configuration 1, site (2, 3) has m = 99, density ",
    ),
    "parity": ([good[0], good[1] + 1], "magnetization and density of different parity"),
    "halves": (
        changed(0, 0)[:1] and [good[0] + 0.5, good[1]],
        "magnetization must be whole numbers, of the particles on a site",
    ),
    "nan": ([good[0] * np.nan, good[1]], "magnetization must be whole numbers"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_input_is_one_line(predict, tmp_path, kind):
    maps, said = BAD[kind]
    lines = predict("--input", own(tmp_path / "mine.npz", *maps), status=2)
    assert said in lines[-1]
    assert len(lines) == 2, lines  # the first one names the device
    assert not (tmp_path / "mine-phases.h5").exists()


def test_files_that_are_no_configurations(predict, tmp_path):
    np.save(tmp_path / "mine.npy", good[0])
    assert (
        "a .npy file holds one array; expected `magnetization` and `density`"
        in predict("--input", tmp_path / "mine.npy", status=2)[-1]
    )
    for name in ("text.npz", "text.h5"):
        (tmp_path / name).write_text("words")
        assert "neither a .npy file nor HDF5" in predict("--input", tmp_path / name, status=2)[-1]
    np.savez(tmp_path / "half.npz", magnetization=good[0])
    assert (
        "holds magnetization, and no dataset `density`"
        in predict("--input", tmp_path / "half.npz", status=2)[-1]
    )
    path = own(tmp_path / "mine.npz", *good[:2])
    line = predict("--input", path, "--model", "reference/lambda-1", status=2)[-1]
    assert "--model reference/lambda-1: not trained in " in line
    assert (
        "there are all/lambda-0, all/lambda-0.01, reference/lambda-0, reference/lambda-0.01" in line
    )
    assert "would overwrite the input" in predict("--input", path, "--output", path, status=2)[-1]
    (tmp_path / "other.h5").write_text("words")
    assert (
        "is not a prediction; nothing is overwritten"
        in predict("--input", path, "--output", tmp_path / "other.h5", status=2)[-1]
    )
    predict("--input", path)
    predict("--input", path)  # its own answer is


def test_without_a_trained_network_there_is_no_answer(quench, tmp_path):
    made = planted(tmp_path / "run", *configurations(10))
    call = ["flocking", "predict", f"{made.folder}.yaml", "--run", made.folder]
    code, lines = quench(*call)
    assert (code, lines[-1]) == (
        2,
        f"{made.folder}: none of the networks asked for is trained: run train first",
    )
    code, lines = quench(*call, "--input", own(tmp_path / "mine.npz", *good[:2]))
    assert (code, lines[-1]) == (2, f"{made.folder}: no network is trained: run train first")
