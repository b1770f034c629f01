"""How old the hidden states of a ConvGRU may get.

In training its hidden states have seen no more steps than a sequence has.  Older ones are states
that no step was trained from: a network that keeps them for hundreds of steps coarsens too slowly.
Memory builds them anew, from 0 by the last REBUILT fields, whenever they have seen `limit` fields;
from one field alone the first step after it would be some percent off in the free energy.
"""

from typing import Any

import numpy as np

REBUILT = 4  # fields: with two F is up to 1.8% off after it, with four 0.9%, with eight 1.0%


def rebuilt_from(limit: int | None) -> int:
    """So many of the last fields are seen once more where the hidden states begin anew."""
    return min(REBUILT, limit // 2) if limit else 0


def steps_of_a_frame(limit: int | None) -> float:
    """Steps that a frame takes, those that build hidden states anew among them."""
    return limit / (limit - rebuilt_from(limit)) if limit else 1.0


class Memory:
    """Of one network.  limit: fields that its hidden states see before they begin anew; None:
    never.  age: those that they have seen.  earlier: the last fields before the present one, at
    ages limit - rebuilt to limit - 1, in a network's layout.
    """

    def __init__(self, network, limit: int | None):
        self.limit, self.age = limit, 0
        self.rebuilt = rebuilt_from(limit)
        self.earlier: list[Any] = [network.empty(1) for _ in range(self.rebuilt)]

    def due(self) -> bool:
        """Whether the hidden states begin anew before the next step."""
        return self.limit is not None and self.age >= self.limit

    def unseen(self, steps: int) -> int:
        """So many of the next steps can be made in a row: those whose fields need not be kept."""
        if self.limit is None:
            return steps
        return min(steps, max(0, self.limit - self.rebuilt - self.age))

    def keep(self, phi) -> None:
        """Take a field that is about to be seen, where it is one of those to begin anew from."""
        if self.limit is not None and self.age >= self.limit - self.rebuilt:
            self.earlier[self.age - (self.limit - self.rebuilt)][...] = phi

    def arrays(self, network) -> dict[str, np.ndarray]:
        """age, and the earlier fields float32 (rebuilt, count, x, y, z), on the host."""
        fields = [network.device.to_host(network.view(each)[:, 0]) for each in self.earlier]
        shape = (self.rebuilt, network.count, *network.shape)
        return {
            "age": np.array(self.age),
            "earlier": np.stack(fields) if fields else np.zeros(shape, np.float32),
        }

    def take(self, network, age: int, earlier: np.ndarray) -> None:
        """Go on from `arrays`."""
        self.age = age
        for field, values in zip(self.earlier, earlier, strict=True):
            network.put(field, network.device.asarray(values, np.float32)[:, None])
