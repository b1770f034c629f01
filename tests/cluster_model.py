"""How well the ranks of a job are used, by a discrete-event model: `python -m tests.cluster_model`.

A unit of nucleation is what one rank does at once: `events` on 512 lanes, each with a lifetime
drawn from an exponential law, the next one beginning where one has ended; then its labels, which
fill all lanes.  Ranks take batches of units by striding or from a counter (jobs.claims), of which
slow ones leave the last to others.
"""

import argparse
import heapq
from dataclasses import dataclass

import numpy as np

from jobs.claims import SLOW
from jobs.nucleation.config import Generate
from jobs.nucleation.generate import label_steps

LANES = 512  # replicas that a CPU's vector carries, kernels.ising_bits.GROUP


@dataclass(frozen=True)
class Job:
    """seconds: of each unit on a rank of speed 1.  speeds: of the ranks.  claim: that taking one
    costs.
    """

    seconds: np.ndarray
    speeds: np.ndarray
    claim: float = 0.0

    @property
    def ideal(self) -> float:
        """Seconds if all ranks ended at once."""
        return self.seconds.sum() / self.speeds.sum()


def striding(job: Job) -> float:
    """Seconds until all is done, where rank r of P has the units r, r + P, ..."""
    ranks = len(job.speeds)
    return max(job.seconds[r::ranks].sum() / speed for r, speed in enumerate(job.speeds))


def claiming(job: Job) -> float:
    """The same where each rank takes the next unit when it is through with one, but for the last
    ones, which slow ranks leave.
    """
    return max(end for _, end in claimed(job))


def claimed(job: Job) -> list[tuple[int, float]]:
    """(rank, when it ends) of each unit, by the order in which they are taken."""
    ranks = len(job.speeds)
    through = [(0.0, rank) for rank in range(ranks)]
    took, done, begun = np.zeros(ranks), np.zeros(ranks), np.zeros(ranks)
    found: list[tuple[int, float]] = []
    waiting: list[int] = []

    def leaves(rank: int) -> bool:
        few = len(job.seconds) - len(found) < ranks
        return few and done[rank] > 0 and took[rank] / done[rank] > SLOW * took.sum() / done.sum()

    while len(found) < len(job.seconds):
        now, rank = heapq.heappop(through)
        took[rank] += begun[rank]
        done[rank] += begun[rank] > 0
        waiting.append(rank)
        for each in [r for r in waiting if not leaves(r)][: len(job.seconds) - len(found)]:
            waiting.remove(each)
            begun[each] = job.claim + job.seconds[len(found)] / job.speeds[each]
            found.append((each, now + begun[each]))
            heapq.heappush(through, (now + begun[each], each))
    return found


def lives(job: Job, rate: float, again: float, random: np.random.Generator) -> tuple[float, int]:
    """(seconds until all is done, failures) of a job that is ended by each failure of a rank and
    begun again `again` seconds later: what was in progress is lost.

    rate: failures of a rank a second.
    """
    total, failures, left = 0.0, 0, job.seconds
    while True:
        fails = random.exponential(1 / (rate * len(job.speeds))) if rate else np.inf
        ends = np.array([end for _, end in claimed(Job(left, job.speeds, job.claim))])
        if ends.max() <= fails:
            return total + ends.max(), failures
        left = left[ends > fails]
        total, failures = total + fails + again, failures + 1


def units(
    count: int, g: Generate, lifetime: float, step: float, random: np.random.Generator
) -> np.ndarray:
    """Seconds of each of `count` units.  lifetime: MCS, mean.  step: seconds of an MCS of all
    lanes.
    """
    found = np.empty(count)
    labels = g.events * label_steps(g) / LANES
    for unit in range(count):
        lanes = [0.0] * min(LANES, g.events)
        for drawn in random.exponential(lifetime, g.events):
            heapq.heapreplace(lanes, lanes[0] + drawn)
        found[unit] = (g.equilibration + max(lanes) + labels) * step
    return found


def occupancy(g: Generate, lifetime: float, seconds: np.ndarray, step: float) -> float:
    """Share of the lanes' steps that are an event's or a copy's."""
    useful = (g.events * (lifetime + label_steps(g)) / LANES + g.equilibration) * step
    return float(useful / seconds.mean())


def table(ranks: int, lifetime: float, step: float, events: int, seed: int = 1) -> str:
    """A line for each way to cut so many events into units."""
    lines = [
        "events/unit  units  a rank  lanes used  striding  claiming  8 slow: striding  claiming  lost a failure"
    ]
    for each in (128, 256, 512, 1280, 2560, 5120):
        g = Generate(units=1, events=each, adaptive={"enabled": True})
        count, random = round(events / each), np.random.default_rng(seed)
        seconds = units(count, g, lifetime, step, random)
        even, slow = Job(seconds, np.ones(ranks)), Job(seconds, np.repeat([0.5, 1], [8, ranks - 8]))
        rate = 3 / (claiming(even) * ranks)  # three failures in a run
        runs = [lives(even, rate, 0.0, random) for _ in range(5)]
        lost = sum(total - claiming(even) for total, _ in runs) / max(1, sum(n for _, n in runs))
        lines.append(
            f"{each:11d}{count:7d}{count / ranks:8.1f}{occupancy(g, lifetime, seconds, step):12.2f}"
            f"{even.ideal / striding(even):10.3f}{even.ideal / claiming(even):10.3f}"
            f"{striding(slow) / slow.ideal:18.2f}{claiming(slow) / slow.ideal:10.2f}{lost:14.0f} s"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=64, help="one core each")
    parser.add_argument("--lifetime", type=float, default=6e3, help="MCS; of R = 10, at least")
    parser.add_argument("--step", type=float, default=2.7e-3, help="seconds of an MCS of 512 lanes")
    parser.add_argument("--events", type=int, nargs="+", default=[5120, 512_000])
    options = parser.parse_args()
    for events in options.events:
        print(f"{events} events on {options.ranks} ranks")
        print(table(options.ranks, options.lifetime, options.step, events))


if __name__ == "__main__":
    main()
