"""A box in slabs over 1, 2 and 4 ranks is what one device makes of it, and the stage that follows
it survives what may happen.

Bounds on differences from the one-device solver, after some hundred steps: 1e-12 in float64 (seen:
2e-13), 2e-4 in float32 (4e-5).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from analysis.__main__ import main as analysis
from jobs import UserError, signals
from jobs.coarsening import large_files, starts
from jobs.coarsening.config import Coarsening
from jobs.coarsening.large_files import runs
from jobs.coarsening.large_start import cut
from jobs.config import systems
from jobs.large_box import BoxSpectrum, SlabSpectrum
from jobs.slab_lines import SlabLines
from jobs.slabs import Slabs, available_memory, takes_gpu_memory
from jobs.units import Rank
from kernels import interface
from kernels.cahn_hilliard_clock import media, rule
from kernels.cahn_hilliard_pairs import rows_of
from kernels.cahn_hilliard_part import serves
from kernels.device import select
from tests.conftest import ROOT
from tests.large_box_run import (
    LINES,
    REST,
    RUNS,
    SHAPE,
    SHARED,
    TIMES,
    WAVE,
    ask,
    box_of,
    model_of,
    noise,
    until,
    whole,
)

ROUND_OFF = {"float64": 1e-12, "float32": 2e-4}
CUBE = (32, 32, 32)
RANKS = [1, pytest.param(2, marks=pytest.mark.mpi), pytest.param(4, marks=pytest.mark.mpi)]


def launch(ranks: int, *words, **options) -> subprocess.Popen:
    pytest.importorskip("mpi4py")
    mpiexec = shutil.which(
        "mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    )
    if mpiexec is None:
        pytest.skip("no mpiexec")
    start = [mpiexec, "-n", str(ranks), sys.executable, "-m", "mpi4py", "-m", *map(str, words)]
    return subprocess.Popen(
        start,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """answers(ranks) -> what tests.large_box_run found on so many."""
    found = {}

    def of(ranks: int):
        if ranks == 1 and 1 not in found:
            found[1] = ask(None)
        elif ranks not in found:
            path = tmp_path_factory.mktemp("ranks") / f"{ranks}.npz"
            process = launch(ranks, "tests.large_box_run", path)
            said = process.communicate(timeout=120)
            assert process.returncode == 0, said
            found[ranks] = dict(np.load(path))
        return found[ranks]

    return of


@pytest.fixture(scope="module")
def expected():
    """Of each of RUNS by the solver on one device."""
    return {
        name: model_of(precision, shape).run(
            noise(shape), TIMES, scheme=scheme, step=step, tolerance=tolerance, steady_state=None
        )
        for name, (scheme, precision, step, tolerance, shape) in RUNS.items()
    }


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", RUNS)
def test_fields_and_numbers_are_those_of_one_device(answers, expected, name, ranks):
    found, one, (_, precision, *_, shape) = answers(ranks), expected[name], RUNS[name]
    bound, fused = ROUND_OFF[precision], SlabLines if ranks > 1 else BoxSpectrum
    assert found[f"{name} path"] == (fused if shape == LINES else SlabSpectrum).__name__
    assert found[f"{name} ranks agree"]
    assert found[f"{name} steps"] == one.steps[0]
    for i in range(len(TIMES)):
        assert np.abs(found[f"{name} fields {i}"] - one.fields[0, i]).max() < bound
        fields = found[f"{name} fields {i}"]
        numbers = dict(
            zip(
                (
                    "area",
                    "chemical_energy",
                    "maximum",
                    "mean",
                    "minimum",
                    "surface_energy",
                    "volume",
                ),
                found[f"{name} numbers {i}"],
                strict=True,
            )
        )
        close = dict(rel=10 * bound, abs=10 * bound)
        assert numbers["chemical_energy"] == pytest.approx(one.chemical_energy[0, i], **close)
        assert numbers["surface_energy"] == pytest.approx(one.surface_energy[0, i], **close)
        assert numbers["area"] == pytest.approx(one.perimeter[0, i], **close)
        assert numbers["volume"] == pytest.approx(
            one.area[0, i], abs=1e-6 if precision == "float64" else 3
        )
        assert (numbers["minimum"], numbers["maximum"]) == pytest.approx(
            (fields.min(), fields.max()), abs=1e-6
        )
        assert numbers["mean"] == pytest.approx(
            noise(shape).mean(dtype=np.float64), abs=1e-14 if precision == "float64" else 3e-8
        )
    assert one.fields[0, -1].std() > 0.3  # it has separated


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, 4])
def test_rows_by_way_of_messages(answers, ranks):
    """The same bytes whether all ranks share memory, some, none, or the system has none to share;
    and by several threads of each.
    """
    found = answers(ranks)
    for most in SHARED:
        assert np.array_equal(found[f"shared by {most}"], found["shared by all"])
    assert np.array_equal(found["by 3 threads"], found["shared by all"])


@pytest.mark.parametrize("ranks", RANKS)
def test_another_box_goes_on_to_the_same_bytes(answers, ranks):
    found = answers(ranks)
    assert np.array_equal(found["gone on"], found["not interrupted"])
    assert found["gone on"].std() > 0.05


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_rows_of_all_ranks(ranks):
    """Each once, ky and -ky together; and in a file they stand where they belong."""
    rows = [rows_of(32, rank, ranks) for rank in range(ranks)]
    assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(32))
    whole = np.zeros(32, int)
    for mine in rows:
        assert set(mine) == set(-mine % 32)
        rising = np.sort(mine)
        for here, there in runs(rising):
            whole[there] = rising[here]
    assert np.array_equal(whole, np.arange(32))


@pytest.mark.parametrize(
    ("shape", "ranks", "lines"),
    [
        ((32, 32, 32), 8, True),
        ((32, 32, 32), 16, False),  # slabs of two planes
        ((64, 32, 128), 16, True),
        ((1024, 32, 32), 4, True),
        ((48, 32, 32), 2, False),
        ((16, 16, 16), 1, False),
    ],
)
def test_which_slabs_go_by_lines(shape, ranks, lines):
    assert serves(shape, select("cpu", workers=1), ranks) is lines


@pytest.mark.parametrize("name", [name for name in RUNS if "lines" not in name])
def test_a_cube_in_one_process(name):
    """By the fused kernel, as CahnHilliard.run does it; and as slabs do."""
    scheme, precision, step, tolerance, _ = RUNS[name]
    model, start, bound = model_of(precision, CUBE), noise(CUBE), ROUND_OFF[precision]
    one = model.run(start, TIMES, scheme=scheme, step=step, tolerance=tolerance, steady_state=None)
    box = box_of(model, None, start, scheme, step, tolerance)
    assert isinstance(box.spectrum, BoxSpectrum)
    words = rule(model, scheme, step, tolerance, None)
    slabs = SlabSpectrum(model, box.slabs, scheme, words)
    for i, moment in enumerate(TIMES):
        until(box, moment)
        assert np.abs(whole(box) - one.fields[0, i]).max() < bound
        found, close = box.numbers(area=True), dict(rel=10 * bound, abs=10 * bound)
        for name_found, name_there in (
            ("chemical_energy",) * 2,
            ("surface_energy",) * 2,
            ("area", "perimeter"),
        ):
            assert found[name_found] == pytest.approx(getattr(one, name_there)[0, i], **close)
    assert box.steps == one.steps[0]
    slabs.put(slice(None), box.spectrum.planes(slice(None)))
    slabs.start(media(model, np.array([box.mean])))
    assert slabs.stiffness() == pytest.approx(box.spectrum.stiffness(), rel=100 * bound)
    there, here = slabs.arrays(box.clock)["u_0"], box.arrays()["u_0"][:]
    assert np.abs(there - here).max() < bound * np.abs(here).max()


@pytest.mark.parametrize("ranks", RANKS)
def test_a_wave_grows_as_it_should(answers, ranks):
    """exp(omega t), omega of the wave number as the stencil sees it."""
    model = model_of("float64")
    k = 2 / model.spacing * np.sin(np.pi * np.array(WAVE["turns"]) / SHAPE)
    rate = model.growth_rate(np.linalg.norm(k), WAVE["mean"])
    found = answers(ranks)["wave"]
    amplitude = 2 * np.abs(np.fft.fftn(found)[WAVE["turns"]]) / found.size
    assert rate > 0.5
    assert amplitude / WAVE["amplitude"] == pytest.approx(np.exp(rate * WAVE["time"]), rel=1e-4)


@pytest.mark.parametrize("ranks", RANKS)
def test_it_comes_to_rest(answers, ranks):
    one = model_of("float64", REST["shape"]).run(
        noise(REST["shape"]),
        [np.inf],
        tolerance=REST["tolerance"],
        steady_state=REST["steady_state"],
    )
    found = answers(ranks)
    assert found["rest time"] == pytest.approx(one.steady_time[0], rel=1e-9)
    assert np.abs(found["rest"] - one.fields[0, 0]).max() < 1e-10


@pytest.mark.parametrize("ranks", RANKS)
def test_blocks_by_way_of_the_host(answers, expected, ranks):
    """The GPU's branch, on a device that only says that it is one."""
    found = answers(ranks)
    assert found["is staged"] == (ranks > 1)
    assert (
        np.abs(found["staged"] - expected["adaptive, float32"].fields[0, 1]).max()
        < ROUND_OFF["float32"]
    )


@pytest.mark.parametrize("ranks", RANKS)
def test_a_wild_field_is_named_on_every_rank(answers, ranks):
    assert str(answers(ranks)["blown up"]).startswith("the field blew up at t = ")


def test_area_of_a_part():
    """Parts that share a plane add up to the whole."""
    field = noise()[0].astype(np.float64)
    parts = [np.take(field, range(first, first + 9), axis=0, mode="wrap") for first in (0, 8, 16)]
    total = sum(interface.perimeter(part, 0.45, 1.1, 3, periodic=False) for part in parts)
    assert total == pytest.approx(interface.perimeter(field, 0.45, 1.1, 3), rel=1e-13)


@pytest.mark.parametrize(
    ("kinds", "environment", "takes"),
    [
        (None, {}, False),
        ("mpi,system", {}, False),
        ("system,mpi,cuda:device", {}, True),
        ("mpi,cuda", {}, True),
        ("mpi,cuda", {"QUENCH_GPU_AWARE_MPI": "0"}, False),
        (None, {"QUENCH_GPU_AWARE_MPI": "1"}, True),
        (None, {"MPICH_GPU_SUPPORT_ENABLED": "1"}, True),
        (None, {"MPICH_GPU_SUPPORT_ENABLED": "0"}, False),
    ],
)
def test_whether_mpi_takes_gpu_memory(kinds, environment, takes):
    info = SimpleNamespace(Get={"mpi_memory_alloc_kinds": kinds}.get)
    assert takes_gpu_memory(SimpleNamespace(Get_info=lambda: info), environment) is takes


# The stage.

CONFIG = """
seed: 5
system: {size: 16}
generate: {training: 2, validation: 1, test: 1, tolerance: 1.0e-4}
train: {batch: 1}
rollout: {cases: {test: {}}}
large: {size: 32, feature_size: 8, frames: 12, kept: 4, spacing: linear}
"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def read(run: Path) -> dict:
    with h5py.File(run / "large" / "box.h5") as file:
        return {
            "phi": file["phi"][...],
            "kept": file["time"][...],
            **{k: v[...] for k, v in file["series"].items()},
        }


def same(one: dict, other: dict) -> bool:
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def interrupted(monkeypatch, after: int):
    """The process ends after so many states."""
    write, count = large_files.Files.write_state, []

    def then_stop(self, *arguments):
        write(self, *arguments)
        count.append(1)
        if len(count) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(large_files.Files, "write_state", then_stop)


OFTEN = ["--set", "large.checkpoint=0.01"]


def test_the_stage(quench, config, tmp_path):
    run = tmp_path / "run"
    code, lines = quench("coarsening", "large", config, "--run", run)
    assert code == 0, lines
    found = read(run)
    assert found["phi"].shape == (4, 32, 32, 32)
    assert found["kept"].tolist() == [0, 4, 7, 11]
    assert found["time"].tolist() == list(range(12))
    assert np.array_equal(np.isfinite(found["area"]), np.isin(found["time"], found["kept"]))
    (start,) = starts.perlin(
        32, [8], [0.5], 0.1, 5, [starts.identity(starts.CASE, 0, "large")], select("cpu", workers=1)
    )
    assert np.abs(found["phi"][0] - start).max() < 2e-7
    assert np.abs(found["mean"] - 0.5).max() < 1e-7
    free = found["chemical_energy"] + found["surface_energy"]
    assert (np.diff(free) < 0).all()
    assert "large: " in "\n".join(quench("status", run)[1])
    assert analysis(["coarsening", str(run / "large/box.h5")]) == 0
    assert (run / "large/box.png").stat().st_size > 10_000
    code, lines = quench("coarsening", "large", config, "--run", run)
    assert code == 0
    assert "finished before" in "\n".join(lines)
    code, lines = quench(
        "coarsening", "large", config, "--run", run, "--set", "large.frames=13", *OFTEN
    )
    assert code == 2
    assert "large.frames is 12 there and 13 here; made with it: " in lines[-1]


def test_the_stage_ends_at_rest(quench, config, tmp_path):
    run, words = (
        tmp_path / "run",
        ("size=16", "frames=1000", "steady_state=1.0e-5", "precision=float64"),
    )
    code, lines = quench(
        "coarsening",
        "large",
        config,
        "--run",
        run,
        *(w for s in words for w in ("--set", f"large.{s}")),
    )
    assert code == 0, lines
    found = read(run)
    with h5py.File(run / "large/box.h5") as file:
        at_rest = file.attrs["steady_time"]
    assert 1 < at_rest < 900
    assert found["time"][-1] == at_rest
    assert found["kept"][-1] >= at_rest
    assert np.isfinite(found["phi"]).all()


@pytest.mark.parametrize("damage", [None, "newest", "all"])
def test_going_on(quench, config, tmp_path, monkeypatch, damage):
    """Of a run that ended after three states the rest is the same bytes, from the state before
    where the newest is damaged.
    """
    quench("coarsening", "large", config, "--run", tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupted(patch, 3)
        assert quench("coarsening", "large", config, "--run", tmp_path / "run", *OFTEN)[0] == 130
    assert "a state to go on from" in "\n".join(quench("status", tmp_path / "run")[1])
    states = sorted((tmp_path / "run/large/.state").glob("step-*"))
    assert len(states) == 2
    for state in {"newest": states[-1:], "all": states}.get(damage, []):
        part = state / "part-0000-of-0001.h5"
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
    code, lines = quench("coarsening", "large", config, "--run", tmp_path / "run")
    assert code == 0
    assert (
        sum("this state is not used" in line for line in lines)
        == {None: 0, "newest": 1, "all": 2}[damage]
    )
    assert sum("going on at t = " in line for line in lines) == (damage != "all")
    assert same(read(tmp_path / "whole"), read(tmp_path / "run"))
    assert not (tmp_path / "run/large/.state").exists()


def test_a_damaged_state_does_not_cost_the_one_before(quench, config, tmp_path, monkeypatch):
    def states() -> list[Path]:
        return sorted((tmp_path / "run/large/.state").glob("*step-*"))

    for lives in (3, 1):
        with monkeypatch.context() as patch:
            interrupted(patch, lives)
            assert (
                quench("coarsening", "large", config, "--run", tmp_path / "run", *OFTEN)[0] == 130
            )
        if lives == 3:
            sound, damaged = states()
            (damaged / "part-0000-of-0001.h5").write_bytes(b"words")
    assert states()[0] == sound
    assert len(states()) == 2
    assert damaged not in states() or states()[1] == damaged  # made again


@pytest.mark.parametrize(
    ("environment", "megabytes"),
    [
        ({"SLURM_MEM_PER_NODE": "100"}, 100),
        ({"SLURM_MEM_PER_CPU": "50", "SLURM_CPUS_ON_NODE": "3"}, 150),
        ({"SLURM_MEM_PER_NODE": "0"}, None),
        ({}, None),
        ({"SLURM_MEM_PER_NODE": "what"}, None),
    ],
)
def test_memory_of_a_job(environment, megabytes):
    found, free = available_memory(environment), available_memory({})
    assert free > 2**30
    assert found == megabytes * 2**20 if megabytes else found == pytest.approx(free, rel=0.2)


@pytest.mark.parametrize(
    ("others", "share"),
    [([], 1), ([("here", "bus 1")], 1), ([("here", "bus 0"), ("there", "bus 0")], 2)],
)
def test_memory_of_a_gpu_is_shared_by_those_that_see_the_same_one(monkeypatch, others, share):
    """Whatever their indices of it are: a rank may be shown no other."""
    runtime = SimpleNamespace(
        getDevice=lambda: 0,
        deviceGetPCIBusId=lambda device: "bus 0",
        memGetInfo=lambda: (600.0, 1000.0),
    )
    slabs = object.__new__(Slabs)
    slabs.gpu, slabs.xp = True, SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    slabs.shared = lambda mine: [mine, *others]
    monkeypatch.setattr("jobs.slabs.platform.node", lambda: "here")
    assert slabs.memory() == 600 / share


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_that_are_killed_go_on(quench, config, tmp_path):
    """On as many ranks to the same bytes, on one to round-off; frames and states of either number
    of ranks go together.
    """
    words = ["jobs", "coarsening", "large", config, "--device", "cpu", "--workers", "1", "--run"]
    whole = launch(2, *words, tmp_path / "whole")
    said = whole.communicate(timeout=120)
    assert whole.returncode == 0, said
    killed = launch(2, *words, tmp_path / "run", "--set", "large.checkpoint=0.02")
    limit = time.monotonic() + 60
    while not list((tmp_path / "run").glob("large/.state/step-*/state.h5")):
        assert time.monotonic() < limit
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    time.sleep(0.5)  # the ranks notice that their launcher is gone
    shutil.copytree(tmp_path / "run", tmp_path / "one")
    again = launch(2, *words, tmp_path / "run")
    said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert said[1].count("going on at t = ") == 1
    expected = read(tmp_path / "whole")
    assert same(expected, read(tmp_path / "run"))
    code, lines = quench("coarsening", "large", config, "--run", tmp_path / "one")
    assert code == 0, lines
    assert any("going on at t = " in line for line in lines)
    assert np.abs(expected["phi"] - read(tmp_path / "one")["phi"]).max() < ROUND_OFF["float32"]
    names = {path.name.partition("-of-")[2] for path in (tmp_path / "one").rglob("part-*.h5")}
    assert names <= {"0001.h5", "0002.h5"}


@pytest.mark.mpi
@pytest.mark.slow
def test_ranks_that_are_signalled_leave_a_state(quench, config, tmp_path):
    """One of them hears it; all end with the status that says so, and the rest is the same
    bytes.
    """
    words = [
        "jobs",
        "coarsening",
        "large",
        config,
        "--device",
        "cpu",
        "--workers",
        "1",
        "--run",
        tmp_path / "run",
    ]
    process = launch(2, *words)
    limit, rank = time.monotonic() + 60, None
    while rank is None or not list(
        (tmp_path / "run").glob("large/frames/frame-00000004/part-0001*")
    ):
        assert time.monotonic() < limit
        assert process.poll() is None, process.communicate()
        beats = list((tmp_path / "run").glob("log/*.json"))
        rank = json.loads(beats[0].read_text())["pid"] if beats else None
        time.sleep(0.01)
    os.kill(rank, signal.SIGUSR1)
    said = process.communicate(timeout=60)
    assert process.returncode == signals.TO_BE_CONTINUED, said
    assert said[1].count("stopped by a signal: the large box at t = ") == 1
    assert quench("coarsening", "large", config, "--run", tmp_path / "run")[0] == 0
    assert len(read(tmp_path / "run")["mean"]) == 12


@pytest.mark.mpi
def test_one_rank_that_cannot_write_stops_all(config, tmp_path):
    run = tmp_path / "run"
    (run / "log").mkdir(parents=True)
    start = [config, "--device", "cpu", "--workers", "1", "--run", run]
    ready = launch(3, "jobs", "coarsening", "large", *start)
    said = ready.communicate(timeout=60)
    assert ready.returncode == 2, said
    assert said[1].count("large.size = 32: 3 ranks cannot share it in equal slabs, 2 can") == 1
    (run / "large/frames/frame-00000000/part-0001-of-0002.h5").mkdir(
        parents=True
    )  # a folder where rank 1 wants its file
    stopped = launch(2, "jobs", "coarsening", "large", *start)
    said = stopped.communicate(timeout=60)
    assert stopped.returncode == 2, said
    assert said[1].count("cannot be written") == 1


BAD = {  # settings, what the one line says
    "odd": (["large.size=33"], "large.size = 33"),
    "feature": (["large.feature_size=24"], "large.feature_size = 24"),
    "points": (
        ["large.size=16384", "large.feature_size=8"],
        "large.feature_size = 8: expected at least large.size / 1024 = 16",
    ),
    "fine": (["large.feature_size=4"], "large.feature_size = 4"),
    "kept": (["large.kept=13"], "large.kept = 13"),
    "step": (["large.step=0.1"], "large.step = 0.1: expected null"),
    "no step": (["large.scheme=first_order"], "large.step = None: exp"),
    "scheme": (["large.scheme=explicit"], "large.scheme = 'explicit'"),
    "unknown": (["large.sizes=8"], "did you mean size?"),
    "blow up": (
        [
            "large.scheme=first_order",
            "large.step=100.0",
            "large.noise=0.5",
            "system.mobility=1000.0",
        ],
        "blew up",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(quench, config, tmp_path, name):
    settings, message = BAD[name]
    code, lines = quench(
        "coarsening",
        "large",
        config,
        "--run",
        tmp_path / "run",
        *(w for s in settings for w in ("--set", s)),
    )
    assert code == 2
    assert message in lines[-1]
    assert len(lines) == 1 or name == "blow up"


def test_what_cannot_be_shared(quench, config, tmp_path, monkeypatch):
    code, lines = quench("coarsening", "large", config, "--run", tmp_path / "run", "--task", "0/2")
    assert code == 2
    assert "not by an array's tasks" in lines[-1]
    monkeypatch.setattr("jobs.slabs.available_memory", lambda: 1e6)
    code, lines = quench("coarsening", "large", config, "--run", tmp_path / "run")
    assert code == 2
    assert lines[-1].startswith("large.size = 32: a rank of 1 needs ")
    one = select("cpu", workers=1)
    asked = systems(
        {"study": "coarsening", "system": {"size": 16}, "large": {"size": 48}}, Coarsening, ""
    )[""]
    with pytest.raises(UserError, match="48: 32 ranks cannot share it in equal slabs, 24 can"):
        cut(asked, Rank(count=32), one)
    with pytest.raises(ValueError, match="24 x 16 x 20 cells cannot be cut into 3 equal slabs"):
        Slabs((24, 16, 20), "float32", one, SimpleNamespace(Get_rank=lambda: 0, Get_size=lambda: 3))
