"""How far a process is: a bar on a terminal, plain lines elsewhere, always a log file and a
heartbeat for `status`.
"""

import contextlib
import datetime
import json
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from tqdm import tqdm

from jobs.pace import Pace
from jobs.units import Rank

EVERY = 10.0  # seconds between progress lines and heartbeats


class Progress:
    """Messages and progress of one process.  `folder` is RUN/log; its file is appended to, run
    after run.  None: there is no run, and nothing is kept.
    """

    def __init__(self, folder: Path | None, stage: str, rank: Rank):
        self.rank, self.stage = rank, stage
        name = f"{stage}-task-{rank.task:04d}-rank-{rank.index:04d}"
        self.kept = folder is not None
        self.path, self.heartbeat = (
            (folder / f"{name}.log", folder / f"{name}.json")
            if folder is not None
            else (Path(os.devnull), Path())
        )
        self.file = self.path.open("a", encoding="utf-8")
        self.bar = None
        self.total = self.done = self.before = 0.0
        # systems of a sweep whose data cannot be used, and whether that is to be put right
        self.left_out: dict[str, bool] = {}
        self.started = self.spoken = time.monotonic()
        self.knots = [0.0]  # work in the first so many units
        self.pace, self.left = Pace(0.0, self.started), math.inf

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        with contextlib.suppress(OSError):  # closing writes what a full disk refused before
            self.file.close()

    def write(self, text: str) -> None:
        """Into the log file only."""
        stamp = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
        with contextlib.suppress(OSError):  # a full disk must not cost results
            for line in text.splitlines():
                self.file.write(f"{stamp} {line}\n")
            self.file.flush()

    def say(self, text: str) -> None:
        """Into the log file and onto the screen."""
        self.write(text)
        many = self.rank.count * self.rank.tasks > 1
        with contextlib.suppress(OSError):  # nobody listens any more
            line = f"[task {self.rank.task} rank {self.rank.index}] {text}" if many else text
            tqdm.write(line + "\n", file=sys.stderr, end="")  # at once: ranks share the screen

    def begin(self, total: float, what: str, weights: Sequence[float] | None = None) -> None:
        """Start counting towards `total` units of `what`.  weights: the work in each of them, in
        the order in which they come; None: they are alike.
        """
        self.done, self.before, self.what = 0.0, 0.0, what
        self.started = self.spoken = time.monotonic()
        self.pace, self.left = Pace(0.0, self.started), math.inf
        self.expect(total, weights)
        if sys.stderr.isatty():
            self.bar = tqdm(
                total=total,
                desc=self.stage,
                unit=" " + what,
                file=sys.stderr,
                bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total_fmt}{unit} "
                "[{elapsed}{postfix}]",
            )
        self._beat()

    def expect(self, total: float, weights: Sequence[float] | None = None) -> None:
        """As `begin`, of a count that turns out otherwise on the way; what is done stays so."""
        self.total = total
        self.knots = [0.0, total] if weights is None else [0.0, *accumulate(weights)]
        self.pace.total = self.knots[-1] - self._work(self.before)
        if self.bar is not None:
            self.bar.total = total

    def found(self, done: float) -> None:
        """So many units more, fractions count, were done before this process began: they are no
        measure of its pace.
        """
        self.before += done
        self.pace.total = self.knots[-1] - self._work(self.before)

    def reach(self, done: float, news: str = "", left: float | None = None) -> None:
        """So many units are done; fractions count.  Cheap: call it as often as you like.  news:
        shown beside it.  left: seconds that are, from who knows it better than the pace.
        """
        self.done, now = min(max(done, self.done), self.total), time.monotonic()
        self.pace.reach(self._work(self.done) - self._work(self.before), now)
        self.left = self.pace.left(now) if left is None else self.pace.calmed(left, now)
        if self.bar is not None:
            told = [f"{duration(self.left)} left"] if self.left < math.inf else []
            self.bar.set_postfix_str("; ".join([*told, *filter(None, [news])]), refresh=False)
            self.bar.update(self.done - self.bar.n)
        if now - self.spoken >= EVERY:
            self.spoken = now
            line = f"{self.stage} {self.done:.2f} of {self.total:g} {self.what}, {self._rate()}" + (
                f"; {news}" if news else ""
            )
            # of ranks that train one network together the first says what they all do
            beside = self.stage == "train" and self.rank.together and self.rank.index
            self.write(line) if self.bar is not None or beside else self.say(line)
            self._beat()

    def end(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.kept:
            with contextlib.suppress(OSError):
                self.heartbeat.unlink(missing_ok=True)

    def elapsed(self) -> str:
        return duration(time.monotonic() - self.started)

    def _work(self, done: float) -> float:
        """In the first so many units."""
        if not done:  # of no units there are no knots
            return 0.0
        if len(self.knots) == 2:  # units are alike
            return done / max(self.total, 1e-300) * self.knots[1]
        whole = min(int(done), len(self.knots) - 2)
        before, after = self.knots[whole : whole + 2]
        return before + (done - whole) * (after - before)

    def _speed(self) -> float:
        return (self.done - self.before) / max(time.monotonic() - self.started, 1e-9)

    def _rate(self) -> str:
        speed = self._speed()
        return f"{rate(speed, self.what)}, ETA {eta(self.left)}" if speed else "starting"

    def _beat(self) -> None:
        if not self.kept:
            return
        beat = {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "units_per_second": self._speed(),
            "seconds_left": self.left if self.left < math.inf else None,
            "what": self.what,
            "host": platform.node(),
            "pid": os.getpid(),
            "time": time.time(),
            "log": str(self.path),
        }
        temporary = self.heartbeat.with_name(
            f".{self.heartbeat.name}.{platform.node()}-{os.getpid()}"
        )
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(beat))
            os.replace(temporary, self.heartbeat)
            return
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def rate(per_second: float, what: str) -> str:
    """0.5/s is read more easily than 2 s each only above about one a second."""
    if per_second >= 1:
        return f"{per_second:.3g} {what}/s"
    return (
        f"{per_second * 60:.3g} {what}/min"
        if per_second * 60 >= 1
        else f"{per_second * 3600:.3g} {what}/h"
    )


def eta(seconds: float) -> str:
    return duration(seconds) if seconds < math.inf else "not known yet"


def in_bytes(count: float) -> str:
    """Bytes, to be read: 12.4 GB."""
    power = min(3, int(math.log(max(count, 1), 1000)))
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}"


def duration(seconds: float) -> str:
    seconds = int(seconds)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
