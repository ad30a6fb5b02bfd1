"""Whether scores have changed for good, told by their p-values, whatever law the scores follow.

While scores are exchangeable their p-values are uniform, so four sums have means below zero: of the
first two Legendre polynomials of p (Neyman's smooth test, 1937), up and down, each less a slack.
Page's cumulative sum test (1954) is the excess of such a sum over its lowest point: it drifts up
from the event on at which level or spread change. One far score counts no more than a single step.

Beside it on scores, `python -m tests.benchmarks.drift` (events until a change is told, false
signals): River's ADWIN and Page-Hinkley take heavy tails for change and do not see a spread shrink.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from stream_dagmm.arithmetic import Floats

SLACK = 0.1
"""Of a step, at most 1: p-values whose mean is within 0.45 and 0.55 are no change. Less is unsafe
where scores wander; more is blind to changes of half a standard deviation."""

UNIT = 2.0**-24
"""Sums are counted in these, as integers: exact, so that no cut of the events changes a bit."""


class Drift(NamedTuple):
    """What is known of a change that may have begun."""

    patience: float
    """Events in which all scores lie beyond all before them, until a change is told."""
    excess: npt.NDArray[np.int64]
    """[4] level up, level down, spread up, spread down; in `UNIT`."""

    @classmethod
    def fresh(cls, patience: float) -> Self:
        """No sign of a change.

        patience: in events; of n exchangeable events a share of about exp(-0.5 patience) begins a
        false signal; a burst of anomalies that is shorter is none. A change by one standard
        deviation, seen against a long past, is told after about 2.2 times as many. inf: never.
        """
        if not patience > 0:
            raise ValueError(f"patience must be positive (inf never tells), got {patience}")
        return cls(float(patience), np.zeros(4, dtype=np.int64))

    def learned(self, p: Floats) -> Self:
        """After p-values [B] in (0, 1] of the next events: the same however they are cut.

        >>> low = np.full(100, 0.01)
        >>> [Drift.fresh(patience=128).learned(low[:n]).told for n in (50, 100)]
        [False, False]
        >>> Drift.fresh(patience=64).learned(low).told
        True
        """
        level = 1.0 - 2.0 * np.asarray(p, dtype=np.float64)
        spread = 1.5 * level**2 - 0.5
        steps = np.stack([level, -level, spread, -spread], axis=1) - SLACK
        counted = np.rint(steps / UNIT).astype(np.int64)
        sums = np.cumsum(np.vstack([self.excess, counted]), axis=0)
        lowest = np.minimum(np.minimum.accumulate(sums, axis=0)[-1], 0)
        return self._replace(excess=sums[-1] - lowest)

    @property
    def severity(self) -> float:
        """How far the largest sum has come: 0 is no sign, above 1 a change is told."""
        return float(self.excess.max()) * UNIT / ((1.0 - SLACK) * self.patience)

    @property
    def told(self) -> bool:
        """Whether a change is told."""
        return self.severity > 1.0

    def to_tree(self) -> dict[str, Any]:
        """As arrays and plain values, for `checkpoint`."""
        return self._asdict()

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """What `to_tree` took apart, in every bit."""
        return cls(**tree)
