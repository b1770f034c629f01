"""A bar in every model by default, where somebody looks on, of long calls, and gone afterwards."""

import ast
import io
import sys
import types

import numpy as np
import pytest

from kernels import ActiveIsing, CahnHilliard, ConvGRU, Ising, progress, rare_events, select
from kernels.cahn_hilliard import mixtures
from kernels.conv_gru import random_parameters
from tests.conftest import ROOT

CPU = select("cpu", workers=1)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stderr(monkeypatch):
    """stderr(file): what the module takes for stderr, since pytest sets the true one again."""

    def of(file, modules=sys.modules):
        monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stderr=file, modules=modules))

    return of


@pytest.fixture
def terminal(monkeypatch, stderr):
    """stderr as a terminal, where a call is long at once."""
    screen = Terminal()
    stderr(screen)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    return screen


def left(screen) -> str:
    """What stands on the line after all that was written to it."""
    shown = ""
    for written in screen.getvalue().split("\r"):
        shown = written + shown[len(written) :]
    return shown.strip()


SYSTEM = dict(size=10, temperature=1.5, field=0.9, device=CPU)
KAC = dict(SYSTEM, interaction="kac")
WOLFF = dict(size=10, temperature=2.3, dynamics="wolff", device=CPU)
ONES = np.full((3, 13), 255, np.uint8)
COPIES = dict(seed=1, unit=0, spins=ONES, duration=4, copies=5)
HALF = mixtures([0.5, 0.5], 0.1, (8, 8), seed=1)


def flock(p):
    return ActiveIsing(9, device=CPU).run(0.5, 2.0, [0, 0], [1.0], progress=p)


def network(p):
    gru = ConvGRU(random_parameters(seed=1, hidden=2), (4, 4, 4), device=CPU)
    gru.start(np.full((1, 4, 4, 4), 0.5))
    gru.advance(3, progress=p)


def flux(p):
    model = Ising(size=6, temperature=1.2, field=0.4, device=CPU)
    rare_events.forward_flux(model, trials=256, repeats=3, progress=p)


LONG_CALLS = {  # (call with progress=, total, unit)
    "nucleate": (
        lambda p: Ising(**SYSTEM).nucleate(seed=1, units=[0, 1], events=8, progress=p),
        16,
        "events",
    ),
    "nucleate, Kac": (
        lambda p: Ising(**KAC).nucleate(seed=1, units=[0], events=2, progress=p),
        2,
        "events",
    ),
    "intervene": (lambda p: Ising(**SYSTEM).intervene(**COPIES, progress=p), 5, "copies"),
    "intervene, Kac": (lambda p: Ising(**KAC).intervene(**COPIES, progress=p), 5, "copies"),
    "evolve": (lambda p: Ising(**SYSTEM).evolve(ONES, 3, seed=1, progress=p), 3, "replicas"),
    "evolve, Kac": (lambda p: Ising(**KAC).evolve(ONES, 3, seed=1, progress=p), 3, "replicas"),
    "evolve, Wolff": (lambda p: Ising(**WOLFF).evolve(ONES, 3, seed=1, progress=p), 3, "replicas"),
    "run": (lambda p: Ising(**SYSTEM).run(ONES, [1, 2], progress=p), 3, "replicas"),
    "run goes on": (
        lambda p: Ising(**SYSTEM).go_on(
            Ising(**SYSTEM).run(ONES, [1], progress=False), [2], progress=p
        ),
        3,
        "replicas",
    ),
    "flocks": (flock, 2, "replicas"),
    "flocks go on": (
        lambda p: ActiveIsing(9, device=CPU).go_on(flock(False), [2.0], progress=p),
        2,
        "replicas",
    ),
    "mixtures": (
        lambda p: CahnHilliard((8, 8), device=CPU).run(HALF, [1], progress=p),
        2,
        "fields",
    ),
    "network": (network, 3, "steps"),
    "mean_lifetime": (
        lambda p: rare_events.mean_lifetime(Ising(**SYSTEM), events=16, progress=p),
        16,
        "events",
    ),
    "forward_flux": (flux, 3, "samplings"),
}


@pytest.mark.parametrize("name", LONG_CALLS)
def test_every_model_shows_a_bar_and_takes_it_away(name, terminal):
    call, total, unit = LONG_CALLS[name]
    call(None)
    bars = [line for line in terminal.getvalue().split("\r") if line.strip()]
    assert bars, "no bar"
    assert all(f"of {total} {unit} [" in bar or bar.isspace() for bar in bars)
    assert left(terminal) == ""


@pytest.mark.parametrize("name", LONG_CALLS)
def test_a_callable_and_False_have_no_bar(name, terminal):
    call, total, _ = LONG_CALLS[name]
    heard = []
    call(heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == total
    call(False)
    assert terminal.getvalue() == ""
    with pytest.raises(ValueError, match=r"^progress is 'yes'; it must be a callable, None"):
        call("yes")


def test_a_short_call_shows_nothing(terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 2.0)
    monkeypatch.setattr(progress, "bar_of_tqdm", None)  # it is not even made
    for call, *_ in LONG_CALLS.values():
        call(None)
    assert terminal.getvalue() == ""


def test_no_terminal_no_bar(stderr):
    closed = io.StringIO()
    closed.close()
    for screen in (io.StringIO(), None, closed):
        stderr(screen)
        with progress.shown(None, 10, "steps") as report:
            assert report is None


def test_time_counts_from_the_beginning_of_the_call(terminal, monkeypatch):
    """Half is done in 100 s: 100 s are left, though the bar is only just there."""
    clock = iter([0.0, 100.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.shown(None, 10, "steps") as report:
        report(5)
    assert " 50%|" in terminal.getvalue()
    assert "of 10 steps [01:40<01:40]" in terminal.getvalue()


def test_an_interrupted_call_leaves_nothing(terminal):
    def interrupted():
        with progress.shown(None, 10, "steps") as report:
            report(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert " 30%|" in terminal.getvalue()
    assert left(terminal) == ""


def test_notebooks_are_watched_and_a_process_for_a_share_is_not(monkeypatch, stderr):
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    stderr(io.StringIO(), {"IPython": types.SimpleNamespace(get_ipython=lambda: shell)})
    assert progress.watched()
    shell.config.clear()  # IPython in a pipe
    assert not progress.watched()
    stderr(Terminal())
    assert progress.watched()
    monkeypatch.setattr(progress.multiprocessing, "parent_process", lambda: "there is one")
    assert not progress.watched()


MODELS_CALLS = {"nucleate", "intervene", "evolve", "go_on", "advance", "run"}
OTHERS = {  # receivers of such names that are no models
    *("stage", "subprocess", "predictability", "film", "phases", "method", "box", "step"),
}


def test_jobs_have_a_bar_of_their_own():
    """Every call of a model in jobs says progress=: its own, or False."""
    found = 0
    for path in sorted((ROOT / "jobs").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            receiver = ast.unparse(node.func.value).split(".")[-1]
            if node.func.attr not in MODELS_CALLS or receiver in OTHERS:
                continue
            said = {word.arg for word in node.keywords} | {
                key.value
                for word in node.keywords
                if word.arg is None and isinstance(word.value, ast.Dict)
                for key in word.value.keys
                if key is not None
            }
            found += 1
            assert "progress" in said, f"{path}:{node.lineno}: {ast.unparse(node)}"
    assert found >= 18
