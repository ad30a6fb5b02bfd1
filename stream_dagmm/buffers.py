"""Bounded memories of raw rows: a uniform or recency-weighted sample of what was learned."""

from typing import Any, NamedTuple, Self

import numpy as np

from stream_dagmm.arithmetic import Floats


def generator(seed: int, count: int, purpose: int) -> np.random.Generator:
    """The random numbers of one purpose at one point of the stream: a function of its arguments,
    so that a resumed detector draws what an uninterrupted one draws.

    >>> int(generator(seed=7, count=256, purpose=1).integers(1000))
    163
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, count, purpose])))


class Reservoir(NamedTuple):
    """A sample of at most `size` rows (Vitter 1985, algorithm R), with a bounded memory.

    Until `memory` events were offered every one of them is held with equal probability; after that
    an older event is held with a probability that decays over about `memory` events.
    """

    size: int
    memory: float
    rows: Floats
    """[R, W], R <= size."""
    offered: int

    @classmethod
    def fresh(cls, size: int, memory: float, width: int = 1) -> Self:
        """An empty reservoir."""
        return cls(size, memory, np.empty((0, width)), 0)

    def offer(self, rows: Floats, random: np.random.Generator) -> Self:
        """The reservoir after the rows [B, W'] were offered to it, in order; held rows are missing
        in the columns that are new."""
        fill = min(self.size - len(self.rows), len(rows))
        held = np.full((len(self.rows) + fill, rows.shape[1]), np.nan)
        held[: len(self.rows), : self.rows.shape[1]] = self.rows
        held[len(self.rows) :] = rows[:fill]
        late = rows[fill:]
        numbers = self.offered + fill + 1 + np.arange(len(late))
        taken = random.random(len(late)) * np.minimum(numbers, self.memory) < self.size
        places = random.integers(self.size, size=len(late))
        for place, row in zip(places[taken], late[taken], strict=True):
            held[place] = row
        return self._replace(rows=held, offered=self.offered + len(rows))

    def lightened(self, share: float) -> Self:
        """As if it were a share of the events that it remembers that had been offered, but for
        those held."""
        remembered = min(self.offered, self.memory)
        return self._replace(offered=max(len(self.rows), round(share * remembered)))

    def to_state(self) -> dict[str, Any]:
        """What changes."""
        return {"rows": self.rows, "offered": self.offered}

    def restored(self, state: dict[str, Any]) -> Self:
        """This empty reservoir with a saved state."""
        return self._replace(rows=state["rows"], offered=state["offered"])
