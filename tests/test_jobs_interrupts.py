"""Ctrl-C at random moments of stages with two workers: answered within seconds by status 130, and
the same command goes on to the same bytes.
"""

import re
import signal
import time

import h5py
import numpy as np
import pytest
import test_coarsening_collect
import test_flocking_collect
import test_segregation_collect
from conftest import SMALL, command

from jobs import shards

CONFIGS = {
    "nucleation": SMALL,
    "segregation": test_segregation_collect.SMALL,
    "flocking": test_flocking_collect.SMALL,
    "coarsening": test_coarsening_collect.SMALL,
}
STAGES = {"nucleation": ("generate", "collect", "train", "predict")}
MOMENTS = 4
PATIENCE = 5.0  # seconds, of a machine that does other things as well


def digests(run) -> dict[str, str]:
    """Of all files, each of which is sound."""
    found = {}
    for path in sorted(run.rglob("*.h5")):
        try:  # either is how some files are written: whole, or bit by bit
            shards.check(path)
        except shards.BadFileError:
            shards.check_large(path)
        with h5py.File(path) as file:
            found[str(path.relative_to(run))] = file.attrs["content_digest"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("study", CONFIGS)
def test_ctrl_c_at_any_moment(study, tmp_path):
    (tmp_path / "small.yaml").write_text(CONFIGS[study])
    rng = np.random.default_rng([*study.encode()])
    for run in ("whole", "run"):
        for stage in STAGES.get(study, ("generate", "collect")):
            words = (study, stage, tmp_path / "small.yaml", "--run", tmp_path / run)
            words += ("--device", "cpu", "--workers", "2")
            began, length = time.monotonic(), 1.0
            for moment in range(MOMENTS if run == "run" else 0):
                process = command(*words)
                first = process.stderr.readline()  # from here on it listens
                assert first, "it says which device it takes"
                time.sleep(float(rng.uniform(0, length)))
                process.send_signal(signal.SIGINT)
                told = time.monotonic()
                said = first + process.communicate(timeout=60)[1]
                assert process.returncode in (0, 130), (moment, process.returncode, said)
                assert time.monotonic() - told < PATIENCE, said
                if process.returncode == 130:
                    assert re.search("the same command continues", said), said
                    assert "Traceback" not in said
                length = min(2.0, length * 1.3)
            done = command(*words)
            said = done.communicate(timeout=240)[1]
            assert done.returncode == 0, said
            assert time.monotonic() - began < 300
    assert digests(tmp_path / "run") == digests(tmp_path / "whole")
    assert not list((tmp_path / "run").rglob("*.tmp"))
