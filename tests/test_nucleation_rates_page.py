"""Pages of lifetimes by forward flux sampling: alone, beside those by direct simulation, and in a
sweep.
"""

import json
import re

import h5py
import numpy as np
import pytest

from analysis import nucleation, record, sweep
from analysis.__main__ import main
from jobs import hdf5, shards

SAMPLED = """
seed: 4
system: {size: 4, temperature: 1.0, field: 0.6}
generate: {units: 1, events: 64, history: 2, copies: 100}
collect: {bins: 100}
rates: {trials: 64, repeats: 2}
"""
FIELDS = ("--set", "system.field=[0.6,0.9]")


@pytest.fixture
def stage(quench, tmp_path):
    """stage(NAME, run, *words) runs one; the lines that it said."""
    config = tmp_path / "sampled.yaml"
    config.write_text(SAMPLED)

    def call(name, run, *words):
        code, lines = quench("nucleation", name, config, "--run", run, *words)
        assert code == 0, lines
        return lines

    return call


def page_of(*sources, out):
    assert main(["nucleation", *map(str, sources), "--out", str(out)]) == 0
    return json.loads((out / "report.json").read_text()), (out / "report.md").read_text()


def sampled(run) -> tuple[float, float]:
    with h5py.File(run / "rates.h5") as file:
        return float(file["lifetime"][()]), float(file["lifetime_error"][()])


def test_rates_alone_have_a_small_page(stage, tmp_path):
    run = tmp_path / "run"
    stage("rates", run)
    numbers, text = page_of(run, out=tmp_path / "page")
    (row,) = numbers["rows"][:1]
    assert row["quantity"] == "mean lifetime, forward flux sampling"
    assert (row["ours"], row["error"], row["unit"]) == (*sampled(run), "MCS")
    assert [r["status"] for r in numbers["rows"]].count("run") == 1
    assert numbers["figures"] == numbers["claims"] == []
    assert "no event was simulated directly" in text
    assert "## Claims" not in text
    found = record.read(run / "record.h5", {"nucleation": nucleation.Numbers})
    with h5py.File(run / "rates.h5") as file:
        assert np.array_equal(found.numbers.rates.interfaces, file["interfaces"])
        first, last = file["interfaces"][0], file["interfaces"][-1]
    (line,) = [line for line in text.splitlines() if line.startswith("| R = 1")]
    assert f"{found.numbers.rates.lifetime}" in line
    assert f"{first} to {last} up spins" in line
    again, _ = page_of(run / "record.h5", out=tmp_path / "again")
    assert again["rows"] == numbers["rows"]


def test_a_sweep_of_rates_is_drawn(stage, tmp_path, monkeypatch):
    """tau against h on a logarithmic axis."""
    run = tmp_path / "run"
    stage("rates", run, *FIELDS)
    axes = drawn(monkeypatch)
    numbers, text = page_of(run, out=tmp_path / "page")
    assert [row["value"] for row in numbers["sweep"]] == [0.6, 0.9]
    assert {row["of"] for row in numbers["sweep"]} == {"forward flux sampling"}
    assert "![sweep.png](figures/sweep.png)" in text
    (ax,) = axes()
    assert ax.get_yscale() == "log"
    assert legend(ax) == ["forward flux sampling"]


@pytest.mark.slow
def test_a_sweep_shows_both_lifetimes(stage, tmp_path, monkeypatch):
    """Those by flux by their own marker beside those waited for, also of a field whose balance is
    empty.
    """
    run = tmp_path / "run"
    axes = drawn(monkeypatch)
    for name in ("rates", "generate", "collect"):
        said = stage(name, run, *FIELDS)
    assert any("balancing leaves nothing" in line for line in said), "of at least one field"
    numbers, text = page_of(run, out=tmp_path / "page")
    waited, flux = (
        [row for row in numbers["sweep"] if (row["number"], row["of"]) == ("mean lifetime", curve)]
        for curve in ("direct simulation", "forward flux sampling")
    )
    assert [row["value"] for row in waited] == [row["value"] for row in flux] == [0.6, 0.9]
    for one, other in zip(waited, flux, strict=True):
        with h5py.File(run / f"system.field={one['value']}/dataset.h5") as file:
            assert one["ours"] == pytest.approx(file["events/lifetime"][:].mean())
        lifetime = sampled(run / f"system.field={one['value']}")
        assert (other["ours"], other["error"]) == lifetime
    ax = axes()[0]
    assert legend(ax) == ["direct simulation", "forward flux sampling"]
    assert len({each.lines[0].get_marker() for each in ax.containers}) == 2
    lines = [line for line in text.splitlines() if line.startswith("| R = 1, L = 4, h = 0")]
    assert len(lines) == 2
    assert all(len(re.findall(r"\d\(\d+\)", line)) == 2 for line in lines)


def drawn(monkeypatch):
    """A function that returns the axes of the last figure of a sweep."""
    kept, save = {}, sweep.style.save

    def keep(fig, folder, name):
        kept[name] = fig
        return save(fig, folder, name)

    monkeypatch.setattr(sweep.style, "save", keep)
    return lambda: kept["sweep"].axes


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_records_from_before_the_rates_are_read(stage, tmp_path):
    run = tmp_path / "run"
    stage("rates", run)
    path = record.write(tmp_path / "old.h5", nucleation.measure(run))
    with h5py.File(path, "r+", libver=hdf5.FORMAT) as file:
        del file["numbers/rates"]
        file.attrs["content_digest"] = record.content(file)
        file.attrs["attributes_digest"] = shards.attributes_digest(file)
    found = record.read(path, {"nucleation": nucleation.Numbers})
    assert found.numbers.rates is None


def test_damaged_rates_are_one_line(stage, tmp_path, capsys):
    run = tmp_path / "run"
    stage("rates", run)
    with open(run / "rates.h5", "r+b") as file:
        file.truncate(1000)
    assert main(["nucleation", str(run)]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert "rates.h5" in error
    assert "run rates again" in error
