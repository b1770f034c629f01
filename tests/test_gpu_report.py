"""make gpu on the emulated GPU: its parts, and what is kept of those that fail."""

import json

from tests import gpu


def test_a_part_that_ends_well(tmp_path):
    part = gpu.outcome("machine", True, tmp_path)
    assert not part["problems"], part
    assert part["result"]["device"] == "emulated"
    assert "- processors: 1" in part["said"]
    page = gpu.page({"emulated": True, "parts": {"machine": part}})
    assert page.startswith("# Quench on emulated")
    assert "| machine | done |" in page


def test_tests_on_the_emulated_gpu(tmp_path):
    part = gpu.outcome("tests", True, tmp_path)
    assert part["result"]["passed"] >= 5
    assert not part["problems"]


def test_a_part_that_runs_out_of_time(tmp_path, monkeypatch):
    monkeypatch.setitem(gpu.PARTS, "machine", (gpu.machine, 0.001))
    part = gpu.outcome("machine", True, tmp_path)
    assert part["problems"] == ["not done after 0.001 minutes"]
    assert "**failed**" in gpu.page({"emulated": True, "parts": {"machine": part}})


def test_a_part_that_fails_keeps_its_traceback(tmp_path, monkeypatch):
    def broken(task):
        task.keep({"so far": 1})
        raise RuntimeError("no such device")

    monkeypatch.setitem(gpu.PARTS, "machine", (broken, 1))
    answer = tmp_path / "answer.json"
    gpu.run_part("machine", gpu.Task(False, tmp_path, answer), answer)
    assert "RuntimeError: no such device" in json.loads(answer.read_text())["failed"]


def test_tests_that_did_not_run_are_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "SMALL_TESTS", "nothing_is_called_so")
    found = gpu.run_tests(gpu.Task(True, tmp_path), ["test_perlin.py"])
    assert found["problems"] == ["no test ran"]
