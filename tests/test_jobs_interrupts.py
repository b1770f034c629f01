"""Ctrl-C: answered within seconds by status 130, never by another, wherever it is met."""

import os
import signal
import subprocess
import sys
import time

import fault_study
import pytest
from conftest import ROOT, one_of_the_kind
from fault_study import CONFIGS, PATIENCE, Study, interrupted

from jobs import signals

WHERE = """
import contextlib, ctypes, gc, os, sys, time, weakref
import h5py
from jobs import hdf5, signals

signals.begin()
signals.begun("as it is said")

def here(*_):
    os.kill(os.getpid(), 2)
    for _ in range(10**5):
        pass

class Thing:
    pass

class Crash:
    def __del__(self):
        os.abort()

where = sys.argv[1]
try:
    if where == "ctypes callback":
        ctypes.CFUNCTYPE(None)(here)()
    elif where == "HDF5 as it closes a file":
        @contextlib.contextmanager
        def keeping(disk):
            here()
            yield
        file = h5py.File(hdf5.Disk(sys.argv[2] + "/file.h5", "w+"), "w")
        file["x"] = range(1000)
        hdf5.Disk._keeping = keeping
        del file
        gc.collect()
    elif where == "weakref callback":
        thing = Thing()
        reference = weakref.ref(thing, here)
        del thing
    elif where == "library that expects any exception":
        try:
            here()
        except:
            pass
    elif where == "library that crashes when it is let go":
        half_done = Crash()
        try:
            raise RuntimeError(half_done)
        finally:
            del half_done
            here()
    elif where == "import":
        sys.path.insert(0, sys.argv[2])
        __builtins__.here = here
        import interrupted_import
    else:  # in Python's own code
        here()
except KeyboardInterrupt:
    if where == "twice":
        here()
    signals.interrupted("heard")
time.sleep(60)
"""


@pytest.mark.parametrize(
    "where",
    [
        "Python",
        "twice",
        "ctypes callback",
        "HDF5 as it closes a file",
        "weakref callback",
        "library that expects any exception",
        "library that crashes when it is let go",
        "import",
    ],
)
def test_ctrl_c_ends_a_process_wherever_it_is_met(where, tmp_path):
    (tmp_path / "interrupted_import.py").write_text("here()")
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", WHERE, where, tmp_path],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    heard = where in ("Python", "library that crashes when it is let go")
    expected = "heard\n" if heard else "as it is said\n"
    assert (ran.returncode, ran.stderr) == (signals.INTERRUPTED, expected)
    assert time.monotonic() - began < signals.PATIENCE + PATIENCE


@pytest.mark.parametrize("module", ["jobs", "analysis"])
def test_ctrl_c_in_the_midst_of_the_imports(module):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", module, "--help"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not process.stderr.readline().rstrip().endswith(" argparse"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == signals.INTERRUPTED, said
    assert said.endswith("interrupted before it began\n")
    assert "Traceback" not in said


def test_whoever_is_to_ignore_ctrl_c_does():
    """As shells ask of what runs in the background."""
    code = "import os; from jobs import signals; signals.begin(); os.kill(os.getpid(), 2); signals.begun(''); print(1)"
    ran = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("study", one_of_the_kind(CONFIGS))
def test_ctrl_c_at_any_moment(study, tmp_path):
    """In all stages, and the same commands go on to the same bytes."""
    fault_study.interrupts(Study(study, tmp_path), 2)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "SIGKILL"])
def test_nobody_trains_on_without_the_parent(number, tmp_path):
    """Of processes that train side by side, when the first alone is told."""
    study = Study("nucleation", tmp_path, ("generate", "collect"))
    study.workers = 2
    study.config.write_text(
        CONFIGS["nucleation"].replace("max_epochs: 8", "max_epochs: 800, patience: 800")
    )
    run = tmp_path / "run"
    for stage in study.stages:
        assert study.call(stage, run)[0] == 0
    process = study.start("train", run)
    while len([*run.rglob("metrics.csv")]) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    if number == signal.SIGKILL:
        process.kill()
    code, took, said = interrupted(process, everyone=False)
    assert (code, took < PATIENCE) == (signals.INTERRUPTED if number == 2 else -number, True), said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
