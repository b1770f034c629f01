"""The fuzzing of fuzz_study.py, a part of it; the study tries more of everything."""

import fuzz_study
import pytest

from jobs.study import NAMES


@pytest.mark.slow
@pytest.mark.parametrize("study", NAMES)
def test_odd_configs_are_valid_or_refused(study, tmp_path, quench):
    found, defects = fuzz_study.configs(study, 60, tmp_path)
    assert defects == []
    assert found["refused"] > 30
    assert found["valid"] > 0


@pytest.mark.slow
def test_changed_bytes_are_noticed_or_harmless(tmp_path, quench):
    """Of the study whose small run takes seconds and that has every kind of file."""
    fuzz_study.small_run("segregation", tmp_path, 3)
    found, defects = fuzz_study.changed_bytes("segregation", 100, tmp_path)
    assert defects == []
    assert sum(found.values()) == 100
    for kind in fuzz_study.KINDS:
        assert found[kind, "noticed"] > 0


def test_the_study_would_notice(tmp_path, monkeypatch):
    """A reader that lets everything pass, and refusals that are none, are defects."""
    monkeypatch.setattr(fuzz_study, "quench", lambda words: print("x\x1b" * 2) or 2)
    answer = fuzz_study.verdict("flocking", tmp_path / "x.yaml", [], tmp_path / "run")
    assert answer.startswith("control characters are said")
    monkeypatch.setattr(fuzz_study, "quench", lambda words: {}["key"])
    answer = fuzz_study.verdict("flocking", tmp_path / "x.yaml", [], tmp_path / "run")
    assert answer.startswith("plan: KeyError at test_fuzz.py")
    path = tmp_path / "file.h5"
    fuzz_study.shards.write(path, {"c": fuzz_study.shards.Data(fuzz_study.np.ones(3), "", "x")}, {})
    wanted = fuzz_study.content(path)
    assert fuzz_study.answered(path, wanted, {}) == "harmless"
    for name in ("read", "check_large"):
        monkeypatch.setattr(fuzz_study.shards, name, lambda path: None)
    with fuzz_study.h5py.File(path, "r+") as file:
        file["c"].attrs["unit"] = "other"
    assert "lets another value pass" in fuzz_study.answered(path, wanted, {})
