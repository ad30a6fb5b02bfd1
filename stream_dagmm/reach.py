"""Learned ranges: what a model of unknown shape says beyond what it has seen.

The energy of the paper's DAGMM may fall where a value leaves the range it was learned in, since the
codes of values never seen are anybody's guess. So values are held to that range before the model
sees them, and how far they were outside is added: farther is then always stranger.
"""

from typing import NamedTuple, Self

import numpy as np

from stream_dagmm.arithmetic import Floats


class Reach(NamedTuple):
    """The smallest and the largest value learned of D columns."""

    low: Floats
    high: Floats

    @classmethod
    def fresh(cls) -> Self:
        """Of one column, and nothing learned."""
        return cls(np.full(1, np.inf), np.full(1, -np.inf))

    def learned(self, rows: Floats) -> Self:
        """After rows [B, D'], NaN where missing."""
        more = np.full(rows.shape[1] - len(self.low), np.inf)
        low, high = np.append(self.low, more), np.append(self.high, -more)
        return type(self)(
            np.fmin(low, np.fmin.reduce(rows, axis=0, initial=np.inf)),
            np.fmax(high, np.fmax.reduce(rows, axis=0, initial=-np.inf)),
        )

    def held(self, rows: Floats) -> Floats:
        """The rows [B, D], each value as near as the learned range has one."""
        known = self.low <= self.high
        low, high = np.where(known, self.low, -np.inf), np.where(known, self.high, np.inf)
        return np.asarray(np.maximum(np.minimum(rows, high), low))

    def beyond(self, rows: Floats, unit: Floats) -> Floats:
        """Sum over columns [B] of log(1 + units outside the range); unit [D], 0 for columns that
        do not count."""
        counts = unit > 0.0
        size = np.where(counts, unit, 1.0) / 2.0  # halves, since the largest doubles lie apart by
        over = np.abs(rows / 2.0 - self.held(rows) / 2.0)  # more than a double
        far = np.where(counts & ~np.isnan(over), over, 0.0)
        return np.asarray((np.log(far + size) - np.log(size)).sum(axis=1))
