"""Which configurations train, stop and test the models of one fold.

Events (or single configurations, as the paper splits) are put on a ring in a random order.  Fold
k's test set begins where fold k - 1's ended; the validation set that stops the training follows it,
then the training set.  So the folds' test sets are disjoint as long as n is a little more than
folds x test, and fold k is the same however many folds there are.
"""

import numpy as np

from jobs import TooFewDataError
from kernels.streams import generator


def split(
    event: np.ndarray,
    by: str,
    fold: int,
    *,
    test: int,
    validation: int,
    training: int | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted rows (test,), (validation,), (training,) of fold `fold` from event int (n,), the event
    of each configuration.

    by: "event", so that no event has configurations in two of the three sets, or "configuration".
    training None: all that are left.  An event that would cross the border between two sets is cut
    there, its rest left out.  Raises TooFewDataError if there are too few configurations.
    """
    group = event if by == "event" else np.arange(len(event))
    groups, member = np.unique(group, return_inverse=True)
    place = generator(seed, "folds", by == "event").permutation(len(groups))
    ring = np.argsort(place[member], kind="stable")  # rows, an event's side by side
    here = member[ring]
    wanted = test + validation + (training or 1)
    if wanted > len(ring):
        raise TooFewDataError(
            f"too few configurations: {len(ring)}, and each fold needs {wanted} (train.test = {test}, train.validation = "
            f"{validation}, train.training = {training}); raise generate.units, or lower these"
        )
    begin = 0
    for _ in range(fold):
        begin = _next_event(here, (begin + test) % len(ring)) % len(ring)
    ring, here = np.roll(ring, -begin), np.roll(here, -begin)
    parts, start = [], 0
    for size in (test, validation, training):
        end = len(ring) if size is None else start + size
        if end > len(ring) or start >= len(ring):
            raise TooFewDataError(
                f"too few configurations: {len(ring)} do not hold {test} + {validation} + {training or 'some'} of whole events; "
                "raise generate.units, or lower train.training, train.validation or train.test"
            )
        parts.append(np.sort(ring[start:end]))
        start = _next_event(here, end)
    return parts[0], parts[1], parts[2]


def _next_event(here: np.ndarray, position: int) -> int:
    """The first place from `position` on where an event begins, or the end."""
    while 0 < position < len(here) and here[position] == here[position - 1]:
        position += 1
    return position
