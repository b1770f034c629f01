"""Ranks of a job take the next unit of one list."""

import re
from types import SimpleNamespace

import pytest
from claims_run import by_ranks, spans, started
from conftest import prepared
from test_jobs_rundir import digests

from jobs import UserError, claims, config, generating, shards
from jobs.units import Rank


def test_one_process_takes_all_in_order():
    with claims.shared(Rank(), [*"abcde"]) as shared:
        assert [shared.take(), shared.take()] == ["a", "b"]
        assert shared.foreseen(["a", "b"]) == [*"abcde"]
        assert shared.end() == [*"cde"]
        assert shared.end() == []
        assert shared.take() is None


def test_torch_ranks_have_fixed_shares():
    shares = []
    for index in range(3):
        rank = Rank(index=index, count=3, communicator=object(), together=True)
        with claims.shared(rank, [*range(8)]) as shared:
            shares.append([*iter(shared.take, None)])
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_systems_of_a_sweep_take_turns(tmp_path, small, monkeypatch):
    """So that a system whose units take long is not foretold by another's."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    raw = config.read(small, ["generate.units=3", "system.field=[0.8,0.9]"], "nucleation")
    systems = prepared(tmp_path / "run", raw, "nucleation")
    mine = [(number, unit) for number in (0, 1) for unit in range(3)]
    found = generating.cut(stage(2, work=lambda *_: 1.0), systems, mine, Rank(), None, None)
    assert found == [(0, [0, 1]), (1, [0, 1]), (0, [2]), (1, [2])]


def test_piece_after_piece_until_asked_to_stop(monkeypatch):
    """Not before the first one, and not where none is left."""
    done = []
    monkeypatch.setattr(claims.signals, "asked", lambda: len(done) == 3)
    pieces = claims.alone([*"abcde"]).each(lambda rest: f"{len(rest)} left")
    with pytest.raises(claims.signals.Stopped, match="2 left"):
        done.extend(pieces)
    assert done == [*"abc"]
    monkeypatch.setattr(claims.signals, "asked", lambda: True)
    assert [*claims.alone(["a"]).each(str)] == ["a"]
    assert [*claims.alone([]).each(str)] == []


class Standing:
    """A counter that others have moved on as well."""

    def __init__(self, *before):
        self.before = list(before)

    def add(self, number):
        return self.before.pop(0)


def test_a_share_is_foreseen_by_what_it_was():
    shared = claims.Claims([*range(100)], Standing(3, 9, 19, 39), ranks=4)
    assert len(shared.foreseen([])) == 25
    mine = [shared.take()]
    assert shared.foreseen(mine) == [3, *range(4, 100, 4)]  # at first an equal one
    mine.append(shared.take())
    mine.append(shared.take())
    assert len(shared.foreseen(mine)) == 3 + 12  # 3 of 20: of 80 left 12, with every seventh
    mine.append(shared.take())
    assert len(shared.foreseen(mine)) == 4 + 6


class Shared:
    """A counter of all ranks, in one process."""

    def __init__(self):
        self.stands = [0, 0, 0]

    def add(self, number):
        self.stands[0] += number
        return self.stands[0] - number

    def tell(self, took, work):
        self.stands[1:] = self.stands[1] + took, self.stands[2] + work

    def counts(self):
        return tuple(self.stands)


def test_a_slow_rank_leaves_the_last_pieces_to_others(monkeypatch):
    """One that takes twice as long, of pieces of unequal work: not before fewer are left than there
    are ranks, and it takes them after all when the others become as slow; asked to stop it goes.
    """
    now, waited = [0.0], []
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    counter, work = Shared(), [2, 1, 1, 2, 1, 1, 1, 1]
    quick, slow = (claims.Claims([*"abcdefgh"], counter, 3, work) for _ in range(2))

    def done(rank, seconds):
        now[0] += seconds
        return rank.take()

    assert [slow.take(), done(slow, 4.0)] == ["a", "b"]  # 2 s a piece of work 1
    assert [quick.take(), done(quick, 1.0), done(quick, 2.0), done(quick, 1.0)] == [*"cdef"]
    monkeypatch.setattr(claims.signals, "asked", lambda: len(waited) == 2)
    monkeypatch.setattr(claims.time, "sleep", waited.append)
    assert done(slow, 2.0) is None
    assert (waited, slow.left) == ([claims.WAITS] * 2, 2)
    assert done(quick, 1.0) == "g"
    monkeypatch.setattr(claims.signals, "asked", lambda: False)
    monkeypatch.setattr(claims.time, "sleep", lambda _: counter.tell(30_000_000, 0))
    assert slow.take() == "h"


def stage(size, **more):
    return SimpleNamespace(
        build=lambda config, device: None, batch=lambda config, device: size, **more
    )


def cut(stage, system, rank, units=10):
    mine = [(0, unit) for unit in range(units)]
    return [units for _, units in generating.cut(stage, [system], mine, rank, None, None)]


@pytest.fixture
def system(tmp_path, small):
    raw = config.read(small, ["generate.units=10"], "nucleation")
    return prepared(tmp_path / "run", raw, "nucleation")[0]


def test_batches_are_as_many_for_each_rank(system, monkeypatch):
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    alone = cut(stage(4), system, Rank())
    assert alone == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    sizes = {ranks: [len(b) for b in cut(stage(4), system, Rank(count=ranks))] for ranks in (2, 3)}
    assert sizes == {2: [3, 3, 3, 1], 3: [4, 4, 2]}
    assert [len(b) for b in cut(stage(100), system, Rank(count=2))] == [5, 5]
    long = stage(2, work=lambda model, config, unit: [3, 1, 4, 1, 5, 9, 2, 6, 5, 3][unit])
    assert cut(long, system, Rank(count=2))[0] == [5, 7]  # what takes longest comes first
    assert cut(long, system, Rank()) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_too_few_units_for_the_ranks_are_warned_of():
    cpu = SimpleNamespace(kind="cpu", workers=2)
    assert generating.few(64, Rank(count=64), cpu) is None
    assert generating.few(1, Rank(), cpu) is None
    said = generating.few(4, Rank(count=64, tasks=2), cpu)
    assert "64 ranks share 4 units" in said
    assert "generate.units=1792, 7 for each core" in said


def test_each_slurm_job_has_an_order_of_its_own(system, monkeypatch):
    """All tasks and lives of it the same one."""
    orders = set()
    for job in (4711, 4712, 4713, 4711):
        monkeypatch.setenv("SLURM_JOB_ID", str(job))
        batches = cut(stage(1), system, Rank())
        assert sorted(batches) == [[unit] for unit in range(10)]
        orders.add(str(batches))
    assert len(orders) == 3


def test_a_rank_s_mistake_is_everybody_s():
    def wrong():
        raise UserError("wrong")

    class First:
        def allgather(self, item):
            return [(None, "wrong"), item]

    for index in (0, 1):
        rank = Rank(index=index, count=2, communicator=First())
        with pytest.raises(UserError, match="wrong"):
            rank.of_the_first(wrong)


def by_one_and_by_three_ranks(quench, config, folder, stage, *sizes) -> str:
    """A stage of nucleation into folder/one and folder/three; what the ranks say."""
    assert quench("nucleation", stage, config, "--run", folder / "one", *sizes)[0] == 0
    return by_ranks(3, "nucleation", stage, config, "--run", folder / "three", *sizes)


@pytest.mark.mpi
def test_three_ranks_make_the_bytes_of_one(quench, small, tmp_path):
    sizes = ("--set", "generate.units=7", "--set", "generate.events=8")
    said = by_one_and_by_three_ranks(quench, small, tmp_path, "generate", *sizes)
    assert said.count("7 of 7 units are mine, 0 of them finished before; 3 ranks share") == 1
    assert digests(tmp_path / "one") == digests(tmp_path / "three")


@pytest.mark.mpi
def test_three_ranks_make_the_samplings_of_one(quench, small, tmp_path):
    sizes = ("--set", "rates={repeats: 5, trials: 64}", "--set", "system.field=0.8")
    said = by_one_and_by_three_ranks(quench, small, tmp_path, "rates", *sizes)
    assert said.count("5 of 5 samplings are mine, 0 of them finished before; 3 ranks") == 1
    for name in ("rates.h5", "rates/repeat-00000.h5", "rates/repeat-00004.h5"):
        assert shards.check(tmp_path / "one" / name) == shards.check(tmp_path / "three" / name)


@pytest.mark.mpi
def test_unequal_units_and_ranks_are_balanced(small, tmp_path):
    """A rank has every third unit by striding, all those of 0.15 s; here ranks share them, and the
    long first unit does not keep the others from the counter.
    """
    sleeps = [4.0] + [0.15 if unit % 3 == 0 else 0.03 for unit in range(1, 60)]
    done = started(3, small, tmp_path / "run", sleeps)
    assert done.returncode == 0, done.stderr
    found = spans(tmp_path / "run")
    assert sorted(found) == [*range(60)]
    _, _, until = found[0]
    meanwhile = [began for unit, (_, began, _) in found.items() if unit and began < until]
    assert len(meanwhile) >= 6  # two ranks that wait for it: none but their first
    assert len({found[unit][0] for unit in range(3, 60, 3)}) > 1


def test_two_jobs_at_once_seldom_make_the_same_unit(small, tmp_path):
    """Of 30 units each leaves out most of those that the other has made; without Slurm's numbers
    they would be at the same ones all along.
    """
    run = tmp_path / "run"
    jobs = [
        started(0, small, run, [0.1] * 30, SLURM_JOB_ID=number, wait=False)
        for number in (4711, 4712)
    ]
    said = [job.communicate(timeout=60)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    assert len(spans(run)) == 30
    text = "".join(said)  # one may have begun when the other was nearly through
    done, elsewhere = (
        sum(map(int, re.findall(pattern, text)))
        for pattern in (r"(\d+) units done", r"(\d+) of them by another job")
    )
    assert 30 <= done - elsewhere < 42


@pytest.mark.mpi
def test_a_rank_that_is_killed_ends_the_job(small, tmp_path):
    """And the same command makes what is missing, no more."""
    run, sleeps = tmp_path / "run", [0.05] * 12
    done = started(3, small, run, sleeps, DIES={str(rank): 7 for rank in range(3)})
    assert done.returncode not in (0, 75)
    before = {path.name: path.read_bytes() for path in (run / "generate").glob("*.h5")}
    assert "unit-00007.h5" not in before
    assert 5 <= len(before) <= 11
    again = started(3, small, run, sleeps)
    assert again.returncode == 0, again.stderr
    assert f"{len(before)} of them finished before" in again.stderr
    after = {path.name: path.read_bytes() for path in (run / "generate").glob("*.h5")}
    assert len(after) == 12
    assert before.items() <= after.items()
