"""Which frames of a long run are kept, at which its numbers are taken, and what a file is made
from.
"""

import hashlib
import json

import numpy as np

EVERY = 100  # frames of a network at most between two looks
# times between the kept frames, spaced as a geometric series, at which the truth is looked at as
# well
LOOKS = 120


def kept_frames(frames: int, kept: int | None, spacing: str) -> np.ndarray:
    """Which of `frames` frames are kept, int64, the first and the last among them; where that asks
    for fractions, each once.
    """
    if kept is None or kept >= frames:
        return np.arange(frames)
    if spacing == "linear":
        return np.unique(np.rint(np.linspace(0, frames - 1, kept)).astype(np.int64))
    later = np.rint(np.geomspace(frames - 1, 1, kept - 1)).astype(np.int64)[
        ::-1
    ]  # of one number geomspace gives the first
    return np.unique(np.concatenate([[0], np.maximum(later, np.arange(1, kept))]))


def looked_at(frames: int, kept: np.ndarray) -> np.ndarray:
    """The frames of a truth whose numbers are recorded: the kept ones, and some at log-spaced
    times; all of a short one.
    """
    between = (
        np.rint(np.geomspace(1, frames - 1, min(LOOKS, frames - 1))).astype(np.int64)
        if frames > LOOKS
        else np.arange(1, frames)
    )
    return np.unique(np.concatenate([kept, between]))


def looked_at_by_network(frames: int, kept: np.ndarray) -> np.ndarray:
    """The same of a network: those of the truth, and every 100th, so that one that runs away is
    noticed, and a signal heard.

    Not all: between two of them a network steps without leaving its device.
    """
    return np.unique(np.concatenate([looked_at(frames, kept), np.arange(0, frames, EVERY)]))


def fingerprint(*of) -> str:
    """What a file is made from, as one word."""
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()


def remembered(memory: int) -> list[int]:
    """What a fingerprint has of a memory (rollout.memory): of the whole rollout's nothing, as
    before there was any other.
    """
    return [memory] if memory else []
