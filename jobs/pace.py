"""When work will be through: an estimate from what was done by when, which neither jumps nor
sticks.

Work comes in pieces of unequal size, of which a long one says nothing until it is done, and changes
its rate on the way.  So the rate is that of the later half of the time so far; a piece at work
counts as progressing at that rate, ever less of it the longer it is overdue; and the end that is
foretold follows what is new by and by.
"""

import math

RECENT = 0.5  # of the time so far: the part whose rate counts
FINEST = 100  # points of time in that, at most, between which work is remembered
CALM = 0.1  # of the time so far, in which the foretold end follows what is new
TRUST = 1.5  # factor by which what is shown and what is new may be apart


class Pace:
    """total: of the work, in any unit; now: seconds on the caller's clock, here and below."""

    def __init__(self, total: float, now: float):
        self.total, self.started = total, now
        self.points = [(now, 0.0)]  # when how much was done, where that changed
        self.end: float | None = None
        self.asked = now

    def reach(self, done: float, now: float) -> None:
        """So much of the work is done."""
        if done <= self.points[-1][1]:
            return
        spacing = (now - self.started) / FINEST
        if len(self.points) > 2 and now - self.points[-2][0] < spacing:
            self.points.pop()
        self.points.append((now, done))
        recent = now - RECENT * (now - self.started)
        while len(self.points) > 2 and self.points[1][0] <= recent:
            self.points.pop(0)

    def rate(self, now: float) -> float:
        """Work a second; 0 before any is done."""
        return self._state(now)[0]

    def left(self, now: float) -> float:
        """Seconds until all is done; inf before any is."""
        rate, done = self._state(now)
        if not rate:
            return math.inf
        return self.calmed(max(self.total - done, 0.0) / rate, now)

    def calmed(self, left: float, now: float) -> float:
        """The seconds that are left, as they are to be shown where they are `left` by what is known
        just now.
        """
        if self.end is None:
            self.end = now + left
        else:
            span = max(CALM * (now - self.started), 1e-9)
            follows = 1 - math.exp(-(now - self.asked) / span)
            self.end += follows * (now + left - self.end)
        self.asked = now
        return min(max(self.end - now, left / TRUST), left * TRUST)

    def _state(self, now: float) -> tuple[float, float]:
        """(rate, work done), that of the piece at work included."""
        (first, before), (last, done) = self.points[0], self.points[-1]
        if not done:
            return 0.0, 0.0
        piece = (done - before) / (len(self.points) - 1)
        rate = (done - before) / max(last - first, 1e-9)
        waited = rate * (now - last) / piece
        if waited > 1:  # overdue: it cannot go as fast as those before
            rate = min(rate, (done + piece - before) / (now - first))
        part = waited if waited < 0.5 else 1 - 1 / (4 * waited)
        return rate, done + min(piece * part, self.total - done)


SOON = 10  # epochs after which the best one may have come


def expected_epochs(last: float, patience: int | None, best: int = 0) -> float:
    """Of a training whose best epoch so far is `best`, which ends so many epochs after it (None:
    at the last one), but not after `last`.
    """
    return last if patience is None else min(last, max(best, SOON) + patience)
