"""Scores that last: where strangeness comes in stretches, an event hears the ones before it.

Machines stay broken for a while; single odd events do not. Which of the two a stream has, its own
scores say: by how alike they are `LAG` events apart. Where they are, the running mean of the recent
scores is added to the score; the weight is the fourth power of that autocorrelation, so nearly
nothing unless scores hold on.
"""

from typing import Any, NamedTuple, Self

import numpy as np

from stream_dagmm.arithmetic import Floats
from stream_dagmm.levels import Level

LAG = 10
"""Events."""

SHARE = 1.0 / LAG
"""Of the newest score in the running mean."""

POWER = 4
"""Of the autocorrelation: Shuttle's 0.05 then weighs nothing, a machine's 0.9 two thirds."""


class Echo(NamedTuple):
    """How long the stream's scores hold on."""

    level: Level
    covariance: float
    """Between scores `LAG` events apart."""

    @classmethod
    def fresh(cls, memory: float) -> Self:
        """Silent, and to remember `memory` events."""
        return cls(Level.fresh(memory), 0.0)

    @property
    def weight(self) -> float:
        """From 0, where scores come and go, to 1, where they stay."""
        if not (self.level.settled and self.level.variance > 0.0):
            return 0.0
        return min(1.0, max(0.0, self.covariance / self.level.variance)) ** POWER

    def heard(self, scores: Floats, recent: Floats) -> Floats:
        """What is added to scores [B] that meet the running means [B]."""
        return np.asarray(self.weight * (recent + SHARE * (scores - recent) - self.level.mean))

    def learned(self, scores: Floats) -> Self:
        """After a block of scores [B], one after the other."""
        level = self.level.after(scores)
        if len(scores) <= LAG:
            return self._replace(level=level)
        apart = scores - self.level.mean
        found = float((apart[LAG:] * apart[:-LAG]).mean())
        share = min(1.0, len(scores) / level.learned)
        return type(self)(level, self.covariance + share * (found - self.covariance))

    def to_state(self) -> dict[str, Any]:
        """Plain values."""
        return {"level": list(self.level), "covariance": self.covariance}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """What `to_state` described."""
        return cls(Level(*state["level"]), state["covariance"])


def follow(recent: float, scores: Floats) -> tuple[Floats, float]:
    """The running means [B] that scores [B] meet one after the other, and the one after them.

    >>> follow(0.0, np.array([10.0, 0.0]))
    (array([0., 1.]), 0.9)
    """
    met = np.empty(len(scores))
    for place, score in enumerate(scores.tolist()):
        met[place] = recent
        recent += SHARE * (score - recent)
    return met, recent
