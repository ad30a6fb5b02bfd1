"""What a quantity usually is: its mean and variance over as many events as are to be remembered."""

import math
from typing import NamedTuple, Self

import numpy as np

from stream_dagmm.arithmetic import Floats

SETTLED = 128
"""Events learned before anything is unusual."""

LEAST_DEVIATION = 0.1
"""Standard deviation, in log units, that a level of scores is taken to have at least."""


class Level(NamedTuple):
    """Mean and variance of a score, over at most `memory` events.

    A block's variance is taken around the mean that it met, so where the level moves, as it does
    while the stream is young, the variance is wider than around its own mean, and less is unusual.
    """

    memory: float
    learned: float
    mean: float
    variance: float

    @classmethod
    def fresh(cls, memory: float) -> Self:
        """The level of nothing."""
        return cls(memory, 0.0, 0.0, 0.0)

    def after(self, scores: Floats) -> Self:
        """After more scores."""
        if not len(scores):
            return self
        count = min(self.learned + len(scores), self.memory)
        share = min(1.0, len(scores) / count)  # a memory shorter than the block holds the block
        step = float(scores.mean()) - self.mean
        around = float(((scores - self.mean) ** 2).mean())
        return self._replace(
            learned=count,
            mean=self.mean + share * step,
            variance=self.variance + share * (around - self.variance),
        )

    def lightened(self, share: float) -> Self:
        """As if a share of the events had been learned, but for as many as settle it."""
        return self._replace(learned=min(self.learned, max(float(SETTLED), share * self.learned)))

    @property
    def settled(self) -> bool:
        """Whether enough was learned to tell the unusual."""
        return self.learned >= SETTLED

    def above(self, deviations: float, least: float = LEAST_DEVIATION) -> float:
        """The score that lies so many standard deviations, each `least` at least, over the mean;
        infinite until settled."""
        if not self.settled:
            return np.inf
        return self.mean + deviations * max(math.sqrt(self.variance), least)
