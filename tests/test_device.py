"""The device layer: random numbers, the build and its cache, and the same bytes whatever runs the
kernels beside what else.
"""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from kernels import device, ising, percolation
from kernels import device as device_module
from kernels.device import DeviceError, select
from tests.conftest import ROOT
from tests.reference.cupy_stand_in import Cupy
from tests.reference.emulation import emulated_gpu

# counter, key, answer of Philox4x32-10: kat_vectors of Random123 (Salmon et al., SC 2011)
RANDOM123 = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

PHILOX = """
#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "word.h"
#include "random.h"
extern "C" __global__ void answer(const unsigned* question, unsigned* answer) {
  question += 6 * blockIdx.x;
  Random4 r = philox(question[0], question[1], question[2], question[3], question[4], question[5]);
  answer += 4 * blockIdx.x;
  if (threadIdx.x == 0) answer[0] = r.x, answer[1] = r.y, answer[2] = r.z, answer[3] = r.w;
}
"""


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder for .cu files of a test, with the kernels' headers, in place of kernels/."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for header in device.FOLDER.glob("*.h"):
        (folder / header.name).write_text(header.read_text())
    monkeypatch.setattr(device, "FOLDER", folder)
    return folder


@pytest.fixture
def nothing_known(tmp_path, monkeypatch):
    """No compiler looked for yet, nothing built yet, an empty cache: the folder of that cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("QUENCH_CACHE", str(folder))
    for function in (device.compiler_or_none, device.build):
        function.cache_clear()
    yield folder
    for function in (device.compiler_or_none, device.build):
        function.cache_clear()


def test_philox_gives_the_known_answers(sources, device):
    (sources / "philox.cu").write_text(PHILOX)
    questions = device.asarray([[*counter, *key] for counter, key, _ in RANDOM123], np.uint32)
    answers = device.zeros((len(RANDOM123), 4), np.uint32)
    device.module("philox.cu", {}).launch(
        "answer", len(RANDOM123), question=questions, answer=answers
    )
    assert device.to_host(answers).tolist() == [list(answer) for *_, answer in RANDOM123]


# ---- the same bytes ----

SYSTEMS = {
    "nearest": dict(size=10, range=1, temperature=1.0, field=0.9),
    "random site": dict(size=20, range=2, temperature=16 / 9, field=1.1),
    "sublattice": dict(size=42, range=6, temperature=16 / 9, field=1.4),
}


def results(device, system, events, configurations):
    """Arrays that two devices, or one cut up otherwise, must agree on."""
    model = ising.Ising(device=device, **SYSTEMS[system])
    units = model.nucleate(seed=51, units=[3, 0], events=events, history=30, equilibration=8)
    spins = np.resize(units[0].history[:, 26], (configurations, units[0].history.shape[2]))
    duration = np.arange(configurations) * 12 // configurations
    passage = model.intervene(seed=51, unit=1, spins=spins, duration=duration, copies=3)
    end = model.evolve(spins, 3, seed=51, field=0.2)
    assert 0 < np.mean(passage > 0) < 1
    return [array for unit in units for array in (unit.lifetime, unit.history)] + [passage, end]


@pytest.mark.parametrize(
    ("system", "events", "configurations"),
    [("nearest", 1100, 1100), ("random site", 200, 530), ("sublattice", 70, 70)],
)
def test_same_bytes_with_any_lanes_and_workers(system, events, configurations):
    """Refilled replicas, several vectors of words, incomplete ones; frames from before an event
    began are the same, too.
    """
    expected = results(select("cpu", workers=1, lanes=16), system, events, configurations)
    for lanes, workers in ((1, 1), (4, 2), (8, 1), (16, 2)):
        found = results(select("cpu", workers=workers, lanes=lanes), system, events, configurations)
        for a, b in zip(expected, found, strict=True):
            assert np.array_equal(a, b), (lanes, workers)


def test_clusters_have_the_same_bytes_with_any_lanes_and_workers():
    spins = np.random.default_rng(52).integers(0, 256, (20, 50), np.uint8)
    table = ising.Ising(device=select("cpu", workers=1), **SYSTEMS["random site"]).coupling_table()
    found = [
        percolation.clusters(
            spins,
            coupling_table=table,
            temperature=4.0,
            bonds="density_corrected",
            seed=52,
            index=np.arange(20, dtype=np.uint64) << np.uint64(40),
            device=select("cpu", workers=workers, lanes=lanes),
            labels=True,
        )
        for lanes, workers in ((16, 1), (16, 2), (4, 1))
    ]
    assert 20 < len(np.unique(found[0].labels))
    for other in found[1:]:
        for name in ("size", "label", "centre", "radius_of_gyration", "labels"):
            assert np.array_equal(getattr(found[0], name), getattr(other, name)), name


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_unit_does_not_depend_on_the_others_or_on_launches(device, monkeypatch, system):
    model = ising.Ising(device=device, **SYSTEMS[system])
    options = dict(seed=53, events=40, history=10, equilibration=8)
    together = model.nucleate(units=[5, 2, 2**32 - 1], **options)
    (alone,) = model.nucleate(units=[2], **options)
    monkeypatch.setattr(device_module, "LAUNCH_SECONDS", 1e-4)
    slowly = model.nucleate(units=[5, 2, 2**32 - 1], **options)
    for other in (alone, slowly[1]):
        assert np.array_equal(together[1].lifetime, other.lifetime)
        assert np.array_equal(together[1].history, other.history)
    assert len({unit.lifetime.tobytes() for unit in together}) == 3


@pytest.mark.parametrize("system", SYSTEMS)
def test_copies_do_not_depend_on_batches_or_launches(device, monkeypatch, system):
    model = ising.Ising(device=device, **SYSTEMS[system])
    (events,) = model.nucleate(seed=54, units=[0], events=40, history=10, equilibration=8)
    options = dict(
        seed=54, unit=0, spins=np.ascontiguousarray(events.history[:, 6]), duration=np.full(40, 8)
    )
    whole = model.intervene(copies=12, **options)
    monkeypatch.setattr(device_module, "LAUNCH_SECONDS", 1e-4)
    parts = [model.intervene(copies=4, first_copy=first, **options) for first in (8, 0, 4)]
    assert np.array_equal(whole, np.concatenate([parts[1], parts[2], parts[0]]))
    assert not np.array_equal(whole, model.intervene(copies=12, stream="pilot", **options))


def check_max_lifetime(model, **options):
    """The longest lifetime is allowed, and one MCS less is an error, however long launches are."""
    free = model.nucleate(**options)
    longest = max(unit.lifetime.max().item() for unit in free)
    allowed = model.nucleate(max_lifetime=longest, **options)
    assert all(np.array_equal(a.lifetime, b.lifetime) for a, b in zip(free, allowed, strict=True))
    with pytest.raises(RuntimeError, match=f"max_lifetime = {longest - 1} MCS"):
        model.nucleate(max_lifetime=longest - 1, **options)


@pytest.mark.parametrize("system", SYSTEMS)
def test_max_lifetime_is_exact(system):
    model = ising.Ising(device=select("cpu", workers=1), **SYSTEMS[system])
    check_max_lifetime(model, seed=57, units=[0, 1], events=40, history=5, equilibration=20)


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_event_that_outlives_max_lifetime_by_far_is_an_error(device, system):
    model = ising.Ising(device=device, **{**SYSTEMS[system], "field": 0.1})
    with pytest.raises(RuntimeError, match="max_lifetime = 30 MCS"):
        model.nucleate(seed=57, units=[0, 1], events=4, history=5, equilibration=5, max_lifetime=30)


@pytest.mark.parametrize(
    ("interaction", "field"),
    [("nearest", 1.1), ("square", 1.2), ("disk", 0.95), ("kac", 1.3), ("power_law", 1.1)],
)
def test_history_ends_at_the_first_turn_over(device, interaction, field):
    """m <= 0 in the last frame, m > 0 in all frames of the metastable state before it; lifetimes
    short and long.
    """
    range, temperature = (1, 1.0) if interaction == "nearest" else (2, 16 / 9)
    model = ising.Ising(
        size=12,
        range=range,
        temperature=temperature,
        field=field,
        interaction=interaction,
        exponent=3.0 if interaction == "power_law" else None,
        device=device,
    )
    (events,) = model.nucleate(seed=56, units=[0], events=60, history=14, equilibration=20)
    assert events.lifetime.dtype == np.int32
    assert (events.history.dtype, events.history.shape) == (np.uint8, (60, 15, 18))
    up = model.unpack(events.history).sum((2, 3), dtype=int)
    time = np.arange(-14, 1)
    metastable = (time < 0) & (time > -events.lifetime[:, None])
    assert np.all(up[:, -1] <= 0)
    assert np.all(up[metastable] > 0)
    assert min(events.lifetime) < 14 < max(events.lifetime)
    with pytest.raises(AttributeError):
        events.lifetime = None


# ---- the device ----


def test_selection(monkeypatch):
    monkeypatch.setattr(device, "gpu_problem", lambda: "cupy sees no CUDA device")
    with pytest.raises(DeviceError, match="no GPU to run on: cupy sees no CUDA device"):
        select("gpu")
    assert (select("auto").kind, select("auto", workers=3).workers) == ("cpu", 3)
    assert select("cpu").workers == device.available_cores() >= 1
    with pytest.raises(DeviceError, match="'tpu'; it must be auto, cpu or gpu"):
        select("tpu")


def test_a_gpu_that_is_not_there_is_named():
    problem = device.gpu_problem()
    if problem is None:
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceError, match=r"no GPU to run on: .*cupy"):
        select("gpu")


@pytest.mark.parametrize("shape", [5, (), (3, 7), (1 << 19) + 1, (1024, 1025)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_arrays_start_on_a_cache_line(shape, dtype):
    cpu = select("cpu", workers=1)
    zeros = cpu.zeros(shape, dtype)
    assert zeros.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert (zeros.dtype, zeros.ctypes.data % 64, zeros.any()) == (dtype, 0, False)
    values = np.ones(shape, dtype)
    copy = cpu.asarray(values)
    copy[...] = 2
    assert (copy.ctypes.data % 64, copy.flags.c_contiguous, np.all(values == 1)) == (0, True, True)


# ---- the build and its cache ----


def library_of(text, sources, name="tiny.cu"):
    (sources / name).write_text(text)
    device.build.cache_clear()
    return device.build(name, (("VALUE", 1),))


def test_a_missing_compiler_says_what_to_install(nothing_known, monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"no C\+\+ compiler found .*apt install g\+\+.*CXX"):
        ising.Ising(size=10, temperature=1.0, field=0.9, device=select("cpu"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(DeviceError, match="no-such-compiler"):
        device.compiler()


def test_a_compile_error_is_reported_and_leaves_nothing(nothing_known, sources):
    with pytest.raises(DeviceError, match=r"(?s)could not compile tiny.cu.*not_declared"):
        library_of("int f() { return not_declared; }", sources)
    assert list(nothing_known.iterdir()) == []


def test_a_changed_header_is_built_anew(nothing_known, sources):
    """Also one that only another header includes; the same text again comes from the cache."""
    source = '#include "outer.h"\nextern "C" int f() { return inner() + VALUE; }'
    (sources / "outer.h").write_text('#pragma once\n#include "inner.h"\n')
    found = []
    for number in (1, 2, 1):
        (sources / "inner.h").write_text(
            f"#pragma once\ninline int inner() {{ return {number}; }}\n"
        )
        found.append(library_of(source, sources).f())
    assert found == [2, 3, 2]
    assert len(list(nothing_known.iterdir())) == 2


def test_the_cache_is_keyed_by_compiler_flags_and_cpu(nothing_known, sources, monkeypatch):
    source = 'extern "C" int f() { return VALUE; }'
    library_of(source, sources)
    path, version = device.compiler()
    for name, value in [
        ("FLAGS", (*device.FLAGS, "-O1")),
        ("cpu_features", lambda: "avx1024"),
        ("compiler_or_none", lambda: (path, version + "a later version")),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(device, name, value)
            library_of(source, sources)
    assert len(list(nothing_known.iterdir())) == 4


def test_an_unwritable_cache_falls_back(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a file is no folder, not even for root")
    monkeypatch.setenv("QUENCH_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    folder = device.cache_folder()
    assert folder == tmp_path / f"quench-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(device.os, "getuid", lambda: folder.stat().st_uid + 1)
    (tmp_path / f"quench-{os.getuid()}").mkdir()
    with pytest.raises(DeviceError, match="set QUENCH_CACHE"):
        device.cache_folder()


def test_the_cache_is_quench_cache_or_the_users(tmp_path, monkeypatch):
    for name in ("QUENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert device.cache_folder() == tmp_path / ".cache" / "quench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert device.cache_folder() == tmp_path / "xdg" / "quench"
    monkeypatch.setenv("QUENCH_CACHE", str(tmp_path / "own"))
    assert device.cache_folder() == tmp_path / "own"


def test_what_others_may_write_is_not_loaded(nothing_known, sources):
    source = 'extern "C" int f() { return VALUE; }'
    library_of(source, sources)
    library = next(nothing_known.iterdir())
    assert (nothing_known.stat().st_mode & 0o777, library.stat().st_mode & 0o777) == (0o700, 0o700)
    library.chmod(0o722)
    with pytest.raises(
        DeviceError, match=f"{library.name} belongs to somebody else, or others may"
    ):
        library_of(source, sources)
    library.chmod(0o700)
    nothing_known.chmod(0o770)
    with pytest.raises(DeviceError, match="set QUENCH_CACHE to a folder of yours"):
        library_of(source, sources)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_belongs_to_somebody_else_is_not_loaded(nothing_known, sources):
    source = 'extern "C" int f() { return VALUE; }'
    library_of(source, sources)
    library = next(nothing_known.iterdir())
    os.chown(library, 12345, -1)
    with pytest.raises(DeviceError, match="belongs to somebody else"):
        library_of(source, sources)


def test_a_link_in_the_temporary_folder_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("QUENCH_CACHE", "/proc/no/such/folder")
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"quench-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeviceError, match="belongs to somebody else"):
        device.cache_folder()


def test_no_home(tmp_path, monkeypatch):
    def no_entry(path):
        raise RuntimeError("Could not determine home directory.")

    for name in ("QUENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(device.Path, "home", lambda: no_entry(None))
    monkeypatch.setattr(device.tempfile, "tempdir", str(tmp_path))
    assert device.cache_folder() == tmp_path / f"quench-{os.getuid()}"


def test_a_library_that_was_cut_short_is_built_again(nothing_known, sources):
    source = 'extern "C" int f() { return VALUE; }'
    library_of(source, sources)
    library = next(nothing_known.iterdir())
    library.unlink()
    library.write_bytes(b"\x7fELF")  # another inode: the loader knows the first one
    library.chmod(0o700)
    assert library_of(source, sources).f() == 1


def test_a_warm_cache_needs_no_compiler(nothing_known, sources, monkeypatch, tmp_path):
    source = 'extern "C" int f() { return VALUE; }'
    library_of(source, sources)
    device.compiler_or_none.cache_clear()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert library_of(source, sources).f() == 1
    with pytest.raises(DeviceError, match=r"no C\+\+ compiler found"):
        library_of(source.replace("VALUE", "VALUE + 1"), sources)


# ---- threads, Ctrl-C, forks ----

INTERRUPTED = """
import math, os, signal, sys, threading, time
import numpy as np
from kernels.active_ising import ActiveIsing
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.device import select
from kernels.ising import Ising

model, workers = sys.argv[1], int(sys.argv[2])
device = select("cpu", workers=workers)
if model in ("square", "cube"):
    shape = (64, 64) if model == "square" else (64, 64, 64)
    system = CahnHilliard(shape, device=device)
    start = mixtures([0.5] * (200 if model == "square" else 1), 0.1, shape, seed=1)
    long, short = (lambda t: system.run(start, [t])), 0.01
elif model == "ising":
    system = Ising(size=50, range=5, temperature=0.25, field=0.1, device=device)
    spins = system.pack(np.ones((2000, 50, 50), np.int8))
    long, short = (lambda steps: system.evolve(spins, steps, seed=1)), 1
else:
    system = ActiveIsing(100, device=device)
    long, short = (lambda t: system.run([0.5] * 4, [3.0] * 4, [0] * 4, [t])), 1.0
long(short)  # compiles
def interrupt():
    time.sleep(0.5)
    at.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
at = []
threading.Thread(target=interrupt).start()
try:
    long(10**7 if model == "ising" else 1e6)
    print("ended")
except KeyboardInterrupt:
    assert threading.active_count() <= 2 + workers
    print("answered" if time.monotonic() - at[0] < 2 else f"late, {time.monotonic() - at[0]:.1f} s")
long(short)  # and goes on
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("model", ["square", "cube", "ising", "active_ising"])
def test_ctrl_c_is_answered_within_two_seconds(model, workers):
    """With nothing written to arrays that are gone: no segmentation fault, then or at the end."""
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", INTERRUPTED, model, str(workers)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert (ran.returncode, ran.stdout.split()[0]) == (0, "answered"), ran.stdout + ran.stderr


def test_an_exception_waits_for_the_other_threads(sources):
    """A launch raises only when none of its threads is at work any more."""
    source = """#include "cpu.h"
#include "block.h"
#include <unistd.h>
extern "C" void f(int* left) {
  for (int i = 0; i < 20000 && !asked_to_stop(); ++i) usleep(1000);
  ++*left;
}"""
    (sources / "slow.cu").write_text(source)
    module = select("cpu", workers=2).module("slow.cu", {})
    left = np.zeros(1, np.int32)
    main = threading.main_thread().ident
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        module.launch("f", 5, left=left)
    assert (left[0], time.monotonic() - began < 10) == (2, True)  # those at work then; no other


def test_a_child_after_a_fork_works():
    """Its parent's threads are not there; multiprocessing forks by default before Python 3.14."""
    code = """
import multiprocessing
import numpy as np
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.device import select
model = CahnHilliard((64, 64), device=select("cpu", workers=2))
start = mixtures([0.5] * 40, 0.1, (64, 64), seed=1)
def run(_):
    return model.run(start, [1.0]).fields
whole = run(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(np.array_equal(fields, whole) for fields in pool.map(run, range(2)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert ran.returncode == 0, ran.stderr


IN_OTHERS = """
import multiprocessing
import numpy as np
from kernels import ActiveIsing, CahnHilliard, ConvGRU, Ising
from kernels.cahn_hilliard import mixtures
from kernels.device import select

def answer(model):
    if isinstance(model, CahnHilliard):
        return model.run(mixtures([0.5], 0.1, (64, 64), seed=1), [0.1]).fields
    if isinstance(model, ConvGRU):
        model.start(mixtures([0.5], 0.1, (16, 16, 16), seed=1))
        model.advance(3)
        return model.fields()
    if isinstance(model, ActiveIsing):
        return model.run([0.5], [3.0], [0], [10.0], seed=1).magnetization
    return model.nucleate(seed=1, units=[0], events=8)[0].lifetime

if __name__ == "__main__":
    on = {"device": select("cpu", workers=2)}
    models = [
        *(Ising(size=24, range=r, temperature=16 / 9, field=1.25, **on) for r in (2, 8)),
        Ising(size=16, range=2, interaction="kac", temperature=16 / 9, field=1.25, **on),
        CahnHilliard((64, 64), **on),
        CahnHilliard((64, 64), form="c**2 * (1 - c)**2 + 0.01 * exp(c)", mobility="c * (1 - c)", **on),
        ActiveIsing(20, **on),
        ConvGRU.committed("staggered", shape=(16, 16, 16), **on),
    ]
    before = [answer(model) for model in models]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        after = pool.map(answer, models)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
"""


def test_models_go_to_other_processes(tmp_path):
    """As multiprocessing, joblib and concurrent.futures send them, after they have run."""
    (tmp_path / "others.py").write_text(IN_OTHERS)
    ran = subprocess.run(
        [sys.executable, tmp_path / "others.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr


BUILD_AND_RUN = """
import numpy as np
from kernels import percolation
from kernels.device import select
table = np.zeros((4, 4))
table[0, 1] = table[1, 0] = 1
found = percolation.clusters(np.zeros((1, 2), np.uint8), coupling_table=table, temperature=1e-3, bonds="coniglio_klein",
                             seed=1, index=np.zeros(1, np.uint64), device=select("cpu", workers=1))
print(found.size[0])
"""


def test_processes_that_build_at_once(tmp_path):
    """Three start together on an empty cache: all of them work, and one library is left."""
    environment = {**os.environ, "QUENCH_CACHE": str(tmp_path / "cache")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD_AND_RUN],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for process in processes:
        out, problem = process.communicate()
        assert (process.returncode, out) == (0, "16\n"), problem
    (library,) = (tmp_path / "cache").iterdir()
    assert library.suffix == ".so"


@pytest.mark.parametrize(
    ("features", "lanes"), [("avx2 avx512f", 16), ("avx2", 8), ("sse2", 4), ("asimd", 4)]
)
def test_vectors_are_as_wide_as_registers(monkeypatch, features, lanes):
    monkeypatch.setattr(device, "cpu_features", lambda: features)
    found = select("cpu", workers=1)
    assert (found.lanes, found.float_lanes) == (lanes, lanes)
    assert select("cpu", workers=1, lanes=16).lanes == 16


def test_amds_gpus_are_refused_by_name(monkeypatch, tmp_path):
    cupy = Cupy(tmp_path, 1000, 1)
    cupy.cuda.runtime.is_hip = True
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(DeviceError, match="AMD"):
        select("gpu")


def test_blocks_at_once_count_what_kernels_and_system_take(tmp_path):
    gpu = emulated_gpu(tmp_path, 100_000)
    assert gpu.blocks_at_once(98_720) == 1
    assert gpu.blocks_at_once(98_721) == 0
    assert gpu.blocks_at_once(22_000) == 4
