"""A bounded list of weighted scores that is exact where scores are high.

Single scores at the top, further down groups of neighbours that hold about 2 % of the weight at or
above them (a t-digest, Dunning and Ertl 2019, with a one-sided scale).
"""

from typing import NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

Flags: TypeAlias = npt.NDArray[np.bool_]

MOST_CENTROIDS = 1024
"""Beyond these, neighbours are merged; about 300 are left for a half-life of 10,000 events, 900 for
10^9 events of equal weight."""

GROUP_SHARE = 0.02
GROUP_EVENTS = 0.5
"""Scores two half-lives old weigh a quarter of an event and need not be kept apart."""

FORGOTTEN_EVENTS = 0.1
"""The highest scores are dropped once they weigh less than this together, so that a burst of n
anomalies burdens the tail for about log2(10 n) + 2 half-lives and no longer."""


class Ranks(NamedTuple):
    """What p-values are read from."""

    above: Floats
    """[C] weight above each centroid's value."""
    from_here: Floats
    """[C] the same with the events that tie with it."""
    total: float


class Digest(NamedTuple):
    """Centroids in ascending order."""

    values: Floats
    """[C] median scores."""
    weights: Floats
    """[C] decayed numbers of events."""
    spread: Flags
    """[C] whether a centroid's scores differ, and so lie on both sides of its value."""

    @classmethod
    def empty(cls) -> Self:
        """Of no scores."""
        return cls(np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_))

    def taken(self, scores: Floats, decay: float) -> Self:
        """After scores [B], with all weights before multiplied by `decay`."""
        values = np.concatenate([self.values, scores])
        order = values.argsort(kind="stable")
        weights = np.concatenate([self.weights * decay, np.ones(len(scores))])[order]
        spread = np.concatenate([self.spread, np.zeros(len(scores), dtype=np.bool_)])[order]
        centroids = values[order], weights, spread
        return type(self)(*(_merged(*centroids) if len(values) > MOST_CENTROIDS else centroids))

    def lightened(self, events: float) -> Self:
        """With the weight of at most so many events."""
        factor = min(1.0, events / max(1.0, self.weights.sum()))
        return self._replace(weights=self.weights * factor)

    def ranks(self) -> Ranks:
        """Of a digest that is not empty."""
        from_here = self.weights[::-1].cumsum()[::-1]
        half = 0.5 * self.weights * self.spread
        above = from_here - np.where(self.spread, half, self.weights)
        return Ranks(above, from_here - half, float(from_here[0]))

    def weights_at(self, ranks: Ranks, scores: Floats) -> tuple[Floats, Floats]:
        """[B] weight above each score, linear between centroids, and [B] weight that ties."""
        values, (above, from_here, total) = self.values, ranks
        left = values.searchsorted(scores, side="left")
        right = values.searchsorted(scores, side="right")
        is_tied = right > left
        upper, lower = np.minimum(left, len(values) - 1), np.maximum(right - 1, 0)
        gap = values[upper] - values[lower]
        share = np.divide(values[upper] - scores, gap, out=np.zeros(len(scores)), where=gap > 0.0)
        between = from_here[upper] + share * (above[lower] - from_here[upper])
        inside = np.where(left < len(values), between, 0.0)
        weight = np.where(is_tied, above[lower], np.where(right > 0, inside, total))
        return weight, np.where(is_tied, from_here[upper] - above[lower], 0.0)


def _merged(values: Floats, weights: Floats, spread: Flags) -> tuple[Floats, Floats, Flags]:
    """Fewer centroids: equal ones become one, then neighbours that fall into the same group."""
    values, weights, spread = _grouped(values, weights, spread, values[1:] != values[:-1])
    from_here = weights[::-1].cumsum()[::-1]
    count = int(np.searchsorted(-from_here, -FORGOTTEN_EVENTS))
    values, weights, spread = values[:count], weights[:count], spread[:count]
    from_here = from_here[:count]
    heavy = weights > np.maximum(GROUP_SHARE * from_here, GROUP_EVENTS)
    # Steps of half an event, from 25 events on of 2 % of the weight above.
    middle = (from_here - 0.5 * weights) * (GROUP_SHARE / GROUP_EVENTS)
    steps = np.minimum(middle, 1.0) + np.log(np.maximum(middle, 1.0))
    group = np.floor(steps / GROUP_SHARE)
    apart = (group[1:] != group[:-1]) | heavy[1:] | heavy[:-1]
    return _grouped(values, weights, spread, apart)


def _grouped(
    values: Floats, weights: Floats, spread: Flags, apart: Flags
) -> tuple[Floats, Floats, Flags]:
    """One centroid for each run of neighbours that are not apart [C - 1], at the run's median: it
    is a score that was seen, and what is left of an old extreme cannot move it."""
    begins = np.flatnonzero(np.append(True, apart))
    ends = np.append(begins[1:], len(values)) - 1
    reached = weights.cumsum()
    total = np.add.reduceat(weights, begins)
    median = np.clip(np.searchsorted(reached, reached[ends] - 0.5 * total), begins, ends)
    return values[median], total, spread[median] | (values[begins] < values[ends])
