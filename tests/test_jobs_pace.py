"""The time that is left, on a clock that the test winds: near the truth however unequal the pieces
of work, and calm.
"""

import json
import random
import types
from itertools import pairwise

import numpy as np
import pytest
from conftest import ROOT

from jobs import config, generating, training
from jobs import progress as progressing
from jobs import study as studies
from jobs.coarsening.parts import Plan
from jobs.coarsening.rollout import passed
from jobs.nucleation.generate import lives, through
from jobs.pace import Pace
from jobs.progress import Progress
from jobs.rundir import System
from jobs.training import Tally, Unit
from jobs.units import Rank
from kernels.device import select

LOOKS = 1000
RANDOM = random.Random(3)
EQUAL = [1.0] * 40
SHUFFLED = RANDOM.sample([1.0, 20.0] * 40, 80)
GROWING = [1 + i / 20 for i in range(60)]
SHRINKING = GROWING[::-1]
SLOWER = [1.0] * 40 + [3.0] * 40


def foretold(seconds, work=None, parts=1) -> list[tuple[float, float, float]]:
    """(share of the time that is through, what is said to be left, what is left) at each look at a
    stream of pieces that take `seconds`; each tells of `parts` of itself.
    """
    work = [1.0] * len(seconds) if work is None else work
    whole, pace, found = sum(seconds), Pace(sum(work), 100.0), []
    for look in range(LOOKS):
        now = whole * look / LOOKS
        done, begun = 0.0, 0.0
        for piece, each in zip(work, seconds, strict=True):
            done += piece * min(1.0, max(0.0, int((now - begun) / each * parts) / parts))
            begun += each
        pace.reach(done, 100.0 + now)
        found.append((look / LOOKS, pace.left(100.0 + now), whole - now))
    return found


def worst(found, first=0.1, last=0.95) -> float:
    """The largest factor between what is said and the truth, between two shares of the time."""
    return max(max(said / true, true / said) for at, said, true in found if first <= at <= last)


@pytest.mark.parametrize(
    ("seconds", "factor"),
    [(EQUAL, 1.05), (SHUFFLED, 2.2), (GROWING, 2.2), (SHRINKING, 3.2), (SLOWER, 3.2)],
    ids=["equal", "shuffled", "growing", "shrinking", "slower"],
)
def test_near_the_truth_after_the_first_tenth(seconds, factor):
    """Also where nobody knows how long the pieces will be: of pieces that all grow, the first say
    too little.
    """
    assert worst(foretold(seconds)) < factor


@pytest.mark.parametrize(
    "seconds",
    [SHUFFLED, GROWING, SHRINKING, SLOWER],
    ids=["shuffled", "growing", "shrinking", "slower"],
)
def test_nearer_where_the_work_in_each_piece_is_known(seconds):
    assert worst(foretold(seconds, work=seconds)) < 1.5
    assert worst(foretold(seconds, work=seconds, parts=50)) < 1.1


def test_a_change_of_the_rate_is_learnt():
    """By the rate of all the time so far half of it would still be said at half time."""
    assert worst(foretold(SLOWER, parts=10), first=0.5) < 1.3


@pytest.mark.parametrize("seconds", [EQUAL, SHUFFLED, SLOWER], ids=["equal", "shuffled", "slower"])
def test_it_does_not_jump(seconds):
    """From one look to the next, a thousandth of the time later, by at most 3% of what is left."""
    found = foretold(seconds)
    for (at, before, true), (_, after, _) in pairwise(found):
        passed = sum(seconds) / LOOKS
        if 0.1 < at < 0.9:
            assert abs(after - (before - passed)) < 0.03 * max(true, before), at


def test_it_does_not_stick():
    """A piece that takes thirty times as long as those before: more and more is left."""
    pace = Pace(20, 0.0)
    for second in range(1, 11):
        pace.reach(second, float(second))
    assert pace.left(10.0) == pytest.approx(10, rel=0.01)
    said = [pace.left(float(now)) for now in (10.5, 15, 20, 30, 40)]
    assert said[0] < 10
    assert said[1] < said[2] < said[3] < said[4] < 60


def test_nothing_is_foretold_before_anything_is_done():
    pace = Pace(5, 0.0)
    assert pace.left(30.0) == float("inf")
    assert pace.rate(30.0) == 0
    pace.reach(5, 40.0)
    assert pace.left(41.0) == 0


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1e9 + self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(progressing, "time", found)
    return found


def test_units_count_by_the_work_in_them(tmp_path, clock):
    """Half of the units are done, and a tenth of the work."""
    with Progress(tmp_path, "generate", Rank()) as progress:
        progress.begin(4, "units", weights=[1, 1, 8, 10])
        for second in range(1, 41):
            clock.now = second * 1.0
            progress.reach(second / 20)
        clock.now = 41.0
        progress.reach(2.0 + 1 / 16)  # a twentieth of the work, in a fortieth of the time
        beat = json.loads(progress.heartbeat.read_text())
        assert beat["done"] == pytest.approx(2.0, abs=0.6)
        assert beat["seconds_left"] == pytest.approx(18 * 20, rel=0.4)


def test_who_knows_better_says_what_is_left(tmp_path, clock):
    with Progress(tmp_path, "train", Rank()) as progress:
        progress.begin(2, "networks")
        clock.now = 11.0
        progress.reach(1, left=500.0)
        assert "ETA 8 min" in progress.path.read_text()
        assert json.loads(progress.heartbeat.read_text())["seconds_left"] == 500


# ---- how much work is in what


class Reached:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.left, self.done, self.before = [], 0.0, 0.0

    def found(self, done):
        self.before += done

    def reach(self, done, news="", left=None):
        self.done = done
        self.left.append(left)

    def write(self, text):
        pass

    say = write


def test_networks_take_as_long_as_others_of_their_kind(tmp_path, clock, monkeypatch):
    """Three folds of a network of 10 s an epoch and of one of 1 s, two epochs each, one after
    another: once both kinds have begun, what is left is known.
    """
    monkeypatch.setattr(training, "time", clock)
    names = [f"event/{kind}/fold-{fold}" for fold in range(3) for kind in ("slow", "quick")]
    system = System("", tmp_path, None)
    (tmp_path / "log").mkdir()
    units = [Unit(system, name) for name in names]
    tally, told = Tally(Reached(), units, 1), {}
    for unit in units:
        tally.begin(unit)
        for share in (0.5, 1.0):
            clock.now += 10.0 if "slow" in unit.name else 1.0
            tally.hear(unit, "epoch", (share, ""))
            told[clock.now] = tally.progress.left[-1]
        tally.hear(unit, "done", "")
    assert clock.now == 66
    after = {now: left for now, left in told.items() if now >= 21}
    assert all(left == pytest.approx(66 - now) for now, left in after.items())
    assert tally.progress.done == 6


def test_a_network_that_goes_on_does_not_count_what_an_earlier_life_did(
    tmp_path, clock, monkeypatch
):
    monkeypatch.setattr(training, "time", clock)
    unit = Unit(System("", tmp_path, None), "gan_forward")
    unit.system.training(unit.name).mkdir(parents=True)
    (unit.system.training(unit.name) / "checkpoint.pt").touch()
    tally = Tally(Reached(), [unit], 1)
    tally.begin(unit)
    for epoch in (8, 9):
        clock.now += 30.0
        tally.hear(unit, "epoch", (epoch / 10, ""))
    assert tally.progress.left[0] is None
    assert tally.progress.left[1] == pytest.approx(30)
    assert tally.progress.before == 0.8


def test_what_an_earlier_life_did_is_no_measure_of_the_pace(tmp_path, clock, monkeypatch):
    """Nine tenths were there, a tenth takes two minutes; the other network is as long as ten."""
    monkeypatch.setattr(progressing, "time", clock)
    told = Progress(tmp_path, "train", Rank())
    told.begin(2, "networks")
    clock.now += 60.0
    told.found(0.9)
    told.reach(0.9)
    assert told._rate() == "starting"
    clock.now += 60.0
    told.reach(1.0)
    assert told._speed() == pytest.approx(0.1 / 120)
    assert told.left == pytest.approx(10 * 120)


def test_ranks_that_share_a_screen_write_whole_lines(tmp_path, monkeypatch):
    written = []
    screen = types.SimpleNamespace(write=written.append, flush=lambda: None, isatty=lambda: False)
    monkeypatch.setattr(progressing, "sys", types.SimpleNamespace(stderr=screen))
    Progress(tmp_path, "train", Rank()).say("one line")
    assert "".join(written) == "one line\n"
    assert written[0] == "one line\n", "in one piece"


@pytest.mark.parametrize(("events", "at_once"), [(512, 512), (1280, 512), (40, 16)])
def test_the_time_of_nucleation_is_that_of_its_last_events(events, at_once):
    """Against drawn lifetimes: when a share of the events has ended, which share of the time has
    passed.
    """
    draw, shares = np.random.default_rng(1), []
    for _ in range(200):
        free, ends = np.zeros(at_once), []
        for lifetime in draw.exponential(1, events):
            first = free.argmin()
            free[first] += lifetime
            ends.append(free[first])
        ends = np.sort(ends)
        shares.append([ends[k - 1] / ends[-1] for k in (events // 2, events - 5, events)])
        shares[-1].append(ends[-1])
    half, most, _, whole = np.mean(shares, 0)
    assert through(events // 2, events, at_once) == pytest.approx(half, rel=0.1)
    assert through(events - 5, events, at_once) == pytest.approx(most, rel=0.1)
    assert through(events, events, at_once) == 1
    assert lives(events, events, at_once) == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize("name", ["segregation", "flocking", "coarsening"])
def test_the_work_in_a_unit_is_known_where_units_differ(name, tmp_path):
    """The longest unit of the demo takes at least 1.4 times as long as the shortest."""
    study = studies.of(name)
    raw = config.read(ROOT / f"jobs/{name}/demo.yaml", [], name)
    found = config.systems(raw, study.config, "demo")[""]
    stage = study.stage("generate")
    model = stage.build(found, select("cpu", 1))
    todo = [(System("", tmp_path, found), model, list(range(found.generate.units)))]
    weights = generating.weights(stage, todo)
    assert len(weights) == found.generate.units
    assert max(weights) > 1.4 * min(weights) > 0


def test_frames_of_the_solver_count_by_its_steps():
    """Looks at 0, 1, 10, 100 and 1 000 of two starts, one after the other."""
    frames = np.array([0, 1, 10, 100, 1000])
    plan = Plan(frames, frames, 1.0, 2, (8,) * 3, 2.0, 3.0, 2)
    shares = [passed(plan, 1, 0.5, done) for done in range(11)]
    assert shares[:6] == pytest.approx([0, 0, *(0.5 * (frames[1:] / 1000) ** 0.5)])
    assert shares[6:] == pytest.approx([0.5, *(0.5 + 0.5 * (frames[1:] / 1000) ** 0.5)])
    together = [passed(plan, 2, 1.0, done) for done in (0, 2, 6, 10)]
    assert together == pytest.approx([0, 0, 0.01, 1])


@pytest.mark.parametrize(("stage", "spoken"), [("train", False), ("generate", True)])
def test_of_ranks_that_train_together_the_first_alone_speaks(
    tmp_path, clock, monkeypatch, capsys, stage, spoken
):
    """In other stages each has units of its own."""
    monkeypatch.setattr(progressing, "time", clock)
    told = Progress(tmp_path, stage, Rank(index=1, count=2, together=True))
    told.begin(2, "units")
    clock.now += 60.0
    told.reach(1.0)
    assert ("1.00 of 2 units" in capsys.readouterr().err) == spoken
    assert "1.00 of 2 units" in told.path.read_text()
