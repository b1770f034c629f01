"""One's own field, followed by a network that comes with Quench, the solver beside it, without a
run.
"""

import h5py
import numpy as np
import pytest
from conftest import PROVENANCE

from analysis.__main__ import main as analysis
from analysis.coarsening import figures_own
from jobs import shards
from jobs.coarsening.fields import downscale, upsample
from kernels import ConvGRU, conv_gru_file, interface, select
from kernels.cahn_hilliard import coarsening
from kernels.conv_gru import random_parameters

CPU = select("cpu", workers=1)
SHAPE = (8, 8, 8)


def smooth(mean=0.5, amplitude=0.2, shape=SHAPE):
    """Waves that fit the box, as noise that was smoothed."""
    x, y, z = (2 * np.pi * np.arange(n) / n for n in shape)
    waves = np.cos(x)[:, None, None] + np.sin(2 * y)[:, None] * np.cos(z)
    return (mean + amplitude * waves / 2).astype(np.float32)


@pytest.fixture
def follow(quench, tmp_path, monkeypatch):
    """follow(*arguments, status=0) -> the lines of `rollout --input`, in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, status=0):
        code, lines = quench("coarsening", "rollout", "--input", *arguments)
        assert code == status, "\n".join(lines)
        return lines

    return call


def test_network_and_solver_are_the_models_own(follow, tmp_path):
    phi = smooth()
    np.save("phi.npy", phi)
    lines = follow("phi.npy", "--steps", 6)
    found, marks = shards.read(tmp_path / "phi-rollout.h5")
    network = ConvGRU.committed("staggered", SHAPE, device=CPU)
    network.start(phi)
    network.advance(6)
    assert found["phi"].shape == found["solver/phi"].shape == (1, 7, *SHAPE)
    assert np.array_equal(found["phi"][0, -1], network.fields()[0])
    # the solver on the grid that the network learnt from: cells of 1, epsilon = 3
    model = coarsening((16, 16, 16), 3.0, spacing=1.0, laplacian="finite_difference", device=CPU)
    run = model.run(upsample(phi, 2, "nearest"), [6.0], steady_state=None, observe=False)
    assert np.abs(found["solver/phi"][0, 0] - phi).max() < 1e-6
    assert (
        np.abs(found["solver/phi"][0, -1] - downscale(run.fields[0, 0], 2, "nearest")).max() < 1e-3
    )
    assert np.array_equal(found["time"], np.arange(7))
    assert np.isfinite(found["solver/series/area"]).all()
    assert PROVENANCE < set(marks)
    assert (marks["model"], marks["spacing"], marks["interface_width"]) == ("staggered", 2, 3)
    with h5py.File("phi-rollout.h5") as file:
        file.visititems(
            lambda name, item: (
                pytest.fail(f"{name}: no unit or axes")
                if isinstance(item, h5py.Dataset) and not {"unit", "axes"} <= set(item.attrs)
                else None
            )
        )
    rms = np.sqrt(np.mean((found["phi"][0, -1] - found["solver/phi"][0, -1]) ** 2))
    assert any(f"at t = 6 it is {rms:.2g} (rms of phi) from the solver" in line for line in lines)
    assert lines[-1] == "python -m analysis coarsening phi-rollout.h5 draws both"
    assert not any("warning" in line for line in lines)
    assert [path.name for path in tmp_path.glob(".*")] == []
    assert any(
        "made by the same network before, kept" in line for line in follow("phi.npy", "--steps", 6)
    )
    follow("phi.npy", "--steps", 3)  # its own answer is overwritten
    assert len(shards.read(tmp_path / "phi-rollout.h5")[0]["time"]) == 4


@pytest.mark.parametrize("network", ["staggered", "central", "sigmoid", "mine.npz"])
def test_every_network_in_any_box(follow, tmp_path, network):
    with h5py.File("phi.h5", "w") as file:
        file["other"] = np.zeros(3)
        file["deep/psi"] = np.stack([smooth(shape=(9, 5, 7))] * 2)
        file["deep/psi"].attrs["spacing"] = [2.0]
    about = conv_gru_file.About("central", interface_width=3.0, spacing=2.0, interval=0.5)
    conv_gru_file.write("mine.npz", random_parameters(seed=1, hidden=2, output="central"), about)
    out = ("--dataset", "deep/psi", "--steps", 2, "--network", network, "--out", "answer.h5")
    lines = follow("phi.h5", *out)
    found, marks = shards.read(tmp_path / "answer.h5")
    assert found["phi"].shape == found["solver/phi"].shape == (2, 3, 9, 5, 7)
    assert marks["dataset"] == "deep/psi"
    interval = 0.5 if network == "mine.npz" else 1.0
    assert np.array_equal(found["time"], interval * np.arange(3))
    assert any("known to fail: " in line for line in lines) == (network != "mine.npz")
    assert not any("says no spacing" in line for line in lines)


def test_a_box_that_the_solver_does_not_take_is_followed_alone(follow, tmp_path):
    np.save("phi.npy", smooth(shape=(3, 8, 8)))
    lines = follow("phi.npy", "--steps", 2)
    assert any(
        line.startswith("no solver beside it, in a box that it does not take: ") for line in lines
    )
    assert "solver/phi" not in shards.read(tmp_path / "phi-rollout.h5")[0]
    assert analysis(["coarsening", "phi-rollout.h5"]) == 0


def test_killed_it_goes_on(follow, tmp_path, monkeypatch):
    """The network's part is there already: the answer is the same, and it is not made again."""
    np.save("phi.npy", smooth())
    follow("phi.npy", "--steps", 4)
    whole = shards.check(tmp_path / "phi-rollout.h5")
    (tmp_path / "phi-rollout.h5").unlink()
    from jobs.coarsening import own

    together = own.together
    monkeypatch.setattr(own, "together", lambda *_: 1 / 0)
    follow("phi.npy", "--steps", 4, status=1)
    monkeypatch.setattr(own, "together", together)
    monkeypatch.setattr(own, "record", None)
    follow("phi.npy", "--steps", 4)
    series = "series/area"
    assert whole == shards.check(tmp_path / "phi-rollout.h5"), series


def test_what_the_network_never_saw_is_said(follow):
    x = np.arange(32)
    wide = 0.5 * (1 - np.tanh(3 * 2 * (np.abs(x - 16) - 8) / 7))  # epsilon = 7, cells of 2
    layers = np.broadcast_to(wide[:, None, None], (32, 4, 4))
    fields = {
        "the mean of phi is 0.2; this network was trained on 0.38 to 0.62": smooth(0.2, 0.1),
        "phi is -0.2 to 1.2; this network was trained on 0 to 1": np.clip(
            smooth(0.5, 5), -0.2, 1.2
        ),
        "interfaces are about 7 wide (epsilon, at a spacing of 2); this network was trained on 3": layers,
    }
    for said, phi in fields.items():
        np.save("phi.npy", phi)
        lines = follow("phi.npy", "--steps", 1)
        assert any(line.startswith(f"warning: phi.npy: {said}") for line in lines), (said, lines)


BAD = {
    "two dimensions": (smooth()[0], (), "phi of shape (8, 8); expected (x, y, z) or (n, x, y, z)"),
    "thin": (smooth()[:2], (), "sides of at least 3"),
    "out of range": (smooth() * 3, (), "expected 0 to 1, where the two phases are"),
    "no steps": (smooth(), ("--steps", 0), "--steps 0: expected at least 1"),
    "both": (smooth(), ("--steps", 1, "--frames", 2), "--steps, --frames: one of them"),
    "no network": (smooth(), ("--network", "gan"), "it must be one of staggered, central, sigmoid"),
    "no file": (smooth(), ("--network", "gan.npz"), "--network gan.npz: "),
    "a run's": (smooth(), ("--model", "staggered/seed-0"), "--model: only with --run"),
    "a setting": (smooth(), ("--set", "seed=2"), "CONFIG.yaml, --set: only with --run"),
    "a task": (smooth(), ("--task", "0/2"), "one process answers, not ranks or an array"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_line(follow, name):
    values, more, said = BAD[name]
    np.save("phi.npy", values)
    line = follow("phi.npy", *more, status=2)[-1]
    assert said in line


def test_several_datasets_and_spacing(follow):
    with h5py.File("phi.h5", "w") as file:
        file["a"], file["b"] = smooth(), smooth()
        file["b"].attrs["spacing"] = 1.0
    last = follow("phi.h5", status=2)[-1]
    assert last == (
        "--input phi.h5: holds a, b, and no dataset `phi`; --dataset NAME takes another"
    )
    last = follow("phi.h5", "--dataset", "b", status=2)[-1]
    assert "its spacing is 1; these networks were trained with 2 and know no other" in last


def test_other_stages_and_studies_need_a_run(quench):
    for arguments in (
        ("coarsening", "rollout"),
        ("coarsening", "train", "--input", "x.npy"),
        ("segregation", "predict", "--input", "x.npy"),
    ):
        code, lines = quench(*arguments)
        assert code == 2
        assert "the following arguments are required: --run" in lines[-1]


@pytest.mark.parametrize("steps", [1, 30])
def test_the_picture(follow, tmp_path, capsys, steps):
    np.save("phi.npy", np.stack([smooth(), smooth(0.4)]))
    follow("phi.npy", "--steps", steps)
    capsys.readouterr()
    assert analysis(["coarsening", "phi-rollout.h5"]) == 0
    assert capsys.readouterr().out.split() == ["phi-rollout.png"]
    assert (tmp_path / "phi-rollout.png").stat().st_size > 10_000
    with h5py.File("phi-rollout.h5", "r+") as file:
        file["phi"][0, 0, 0, 0, 0] += 0.5
    assert analysis(["coarsening", "phi-rollout.h5"]) == 2
    assert "damaged" in capsys.readouterr().err


def test_black_and_white_is_smoothed_and_said(follow, tmp_path):
    """Into interfaces of about the width that the networks know, at the same mean; --smooth 0 takes
    the field as it is, and another width any field.
    """
    x = np.indices((16, 16, 16))
    white = (np.sqrt(((x - 8) ** 2).sum(0)) < 6.2).astype(np.uint8)
    np.save("phi.npy", white)
    lines = follow("phi.npy", "--steps", 1)
    said = (
        "phi.npy: is black and white, which no mixture is: smoothed by a Gaussian of 0.55 [cells]"
    )
    assert any(line.startswith(said) for line in lines)
    assert not any("smooth it first" in line for line in lines)
    found, marks = shards.read(tmp_path / "phi-rollout.h5")
    start = found["phi"][:, 0]
    assert marks["smoothed"] == 0.55
    assert start.mean() == pytest.approx(white.mean(), abs=1e-6)
    assert interface.width(start, 2.0)[0] == pytest.approx(3, rel=0.15)
    assert interface.width(white[None], 2.0)[0] < 1
    lines = follow("phi.npy", "--steps", 1, "--smooth", 0)
    found, marks = shards.read(tmp_path / "phi-rollout.h5")
    assert np.array_equal(found["phi"][0, 0], white)
    assert marks["smoothed"] == 0
    assert any("smooth it first" in line for line in lines)
    np.save("phi.npy", smooth())
    follow("phi.npy", "--steps", 1)
    assert np.array_equal(shards.read(tmp_path / "phi-rollout.h5")[0]["phi"][0, 0], smooth())
    follow("phi.npy", "--steps", 1, "--smooth", 1.5)
    assert shards.read(tmp_path / "phi-rollout.h5")[0]["phi"][0, 0].std() < 0.9 * smooth().std()
    for wrong in ("-1", "nan", "1e9"):
        lines = follow("phi.npy", "--smooth", wrong, status=2)
        assert any(line.endswith("expected from 0 (as it is) to 100 [cells]") for line in lines)


def test_the_picture_says_what_it_shows(follow):
    """Colour bar with its label, plane and times with units."""
    np.save("phi.npy", np.stack([smooth(), smooth(0.4)]))
    follow("phi.npy", "--steps", 2)
    with h5py.File("phi-rollout.h5") as file:
        fig = figures_own.panels(file)
    above, below = fig.subfigs
    assert above.get_suptitle() == "plane z = 8 [length] of the first of 2 fields"
    labels = [ax.get_ylabel() for ax in above.axes]
    assert r"$\phi$ (phases: 0 and 1)" in labels
    titles = [ax.get_title() for ax in above.axes if ax.get_title()]
    assert titles == ["$t$ = 0 [time]", "$t$ = 1 [time]", "$t$ = 2 [time]"]
    assert {ax.get_xlabel() for ax in below.axes} == {"$t$ [time]"}
    assert all("[" in ax.get_ylabel() for ax in below.axes)
